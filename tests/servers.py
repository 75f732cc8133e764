"""Servers on the loopback for tests: HTTP that behaves, HTTP that does not, and an S3 stand-in."""

from __future__ import annotations

import functools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class WebServer:
    """Serves `files` (path -> bytes) and counts.

    Attributes:
        ranges: answer range requests.
        size: state Content-Length.
        cut: bytes after which every body ends and the connection is closed.
        fail: number of GET requests that are answered with 503 first.
        types: path -> Content-Type.
        status: path -> status to answer with.
        sent, requests: bytes of bodies sent, and (method, path, range) of each request.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.ranges = True
        self.size = True
        self.cut: int | None = None
        self.fail = 0
        self.types: dict[str, str] = {}
        self.status: dict[str, int] = {}
        self.sent = 0
        self.requests: list[tuple[str, str, str | None]] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def url(self, path: str) -> str:
        return self.root + path

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        state = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *details: Any) -> None:
                pass

            def do_HEAD(self) -> None:
                self._answer(body=False)

            def do_GET(self) -> None:
                self._answer(body=True)

            def _answer(self, body: bool) -> None:
                path = self.path.split("?")[0].lstrip("/")
                asked = self.headers.get("Range")
                state.requests.append((self.command, path, asked))
                status = state.status.get(path, 200 if path in state.files else 404)
                if body and state.fail:
                    state.fail -= 1
                    status = 503
                if status != 200:
                    self.send_response(status)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                data = state.files[path]
                span = re.fullmatch(r"bytes=(\d+)-(\d*)", asked or "")
                if span and state.ranges:
                    first = int(span[1])
                    last = min(int(span[2]) if span[2] else len(data) - 1, len(data) - 1)
                    self.send_response(206)
                    self.send_header("Content-Range", f"bytes {first}-{last}/{len(data)}")
                    data = data[first : last + 1]
                else:
                    self.send_response(200)
                self.send_header("Content-Type", state.types.get(path, "application/octet-stream"))
                self.send_header("ETag", f'"{hash(state.files[path]) & 0xFFFFFFFF:x}"')
                if state.size:
                    self.send_header("Content-Length", str(len(data)))
                    if state.ranges:
                        self.send_header("Accept-Ranges", "bytes")
                else:
                    self.send_header("Connection", "close")
                    self.close_connection = True
                self.end_headers()
                if body:
                    if state.cut is not None and len(data) > state.cut:
                        data = data[: state.cut]
                        self.close_connection = True
                    try:
                        for at in range(0, len(data), 65536):
                            self.wfile.write(data[at : at + 65536])
                            state.sent += len(data[at : at + 65536])
                    except OSError:
                        self.close_connection = True

        return Handler


@contextmanager
def web() -> Iterator[WebServer]:
    server = WebServer()
    try:
        yield server
    finally:
        server.stop()


class Bucket:
    """An S3 stand-in with one bucket that anybody may read."""

    name = "phantoms"

    def __init__(self, endpoint: str) -> None:
        self.endpoint = endpoint

    @property
    def options(self) -> dict[str, Any]:
        return {"endpoint_url": self.endpoint, "skip_instance_cache": True}

    @functools.cached_property
    def _client(self) -> Any:
        import boto3

        keys = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}
        return boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1", **keys)

    def put(self, key: str, data: bytes, name: str | None = None) -> str:
        name = name or self.name
        client = self._client
        if not any(bucket["Name"] == name for bucket in client.list_buckets()["Buckets"]):
            client.create_bucket(Bucket=name)
        client.put_object(Bucket=name, Key=key, Body=data, ACL="public-read")
        return f"s3://{name}/{key}"


@contextmanager
def s3() -> Iterator[Bucket]:
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield Bucket(f"http://{host}:{port}")
    finally:
        server.stop()
