"""Requests of all kinds against every route of an embedded Hub: `make fuzz`.

python tests/fuzz/fuzz_hub.py [--seconds 300] [--seed 0] [--json]

The Hub runs in a process of its own, with a token. Requests are random: every route of the application with
each method, with names that are there and names that are not, wrong queries, headers and bodies, with the token and
without. Nothing may be answered with 500 or not at all, the name of a private repository is told to nobody without the
token, memory stays bounded, and the store is whole at the end. What went wrong is printed; the exit code is 1 then.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import hashlib
import http.client
import json
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Self
from urllib.parse import quote, urlencode, urlsplit

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from medimg.hub_sync.hub.app import HubRoutes
from medimg.hub_sync.hub.calls import Desk
from medimg.hub_sync.hub.store import Store

TOKEN = "fuzz-token"
PRIVATE = "medimg/patients-of-dr-roe"
RSS_BYTES = 160 << 20
"""By how much the Hub may grow. Caches of cards and pages and of Python's own fill up in the first minutes."""
EVERY = 200
"""After so many requests the Hub must answer a plain one, and its memory is looked at."""
_SERVER = """
import sys
from medimg.hub_sync.hub import EmbeddedHub, HubLimits
limits = HubLimits(
    regular_file=200_000, body=1_000_000, part=1000, multipart_above=3000, header_seconds=5, body_seconds=5
)
with EmbeddedHub(sys.argv[1], token=sys.argv[2], limits=limits) as hub:
    print(hub.port, flush=True)
    sys.stdin.read()
"""

# What requests are made of: functions of a random generator, since hypothesis' own strategies make a dozen requests a
# second. A word in braces is filled in when the request is sent: see `Pool`.
Make = Callable[[Random], Any]


def pick(*values: Any) -> Make:
    """One of the values."""
    return lambda rng: rng.choice(values)


def either(*makes: Make) -> Make:
    """What one of these makes."""
    return lambda rng: rng.choice(makes)(rng)


def mostly(first: Make, other: Make) -> Make:
    """What the first makes, in one of four cases what the other does."""
    return lambda rng: (other if rng.randrange(4) == 0 else first)(rng)


def many(make: Make, most: int = 3) -> Make:
    """A list of up to `most`."""
    return lambda rng: [make(rng) for _ in range(rng.randrange(most + 1))]


def record(fields: Mapping[str, Make], left_out: float = 0.2) -> Make:
    """An object of these fields, some of them left out."""
    return lambda rng: {name: make(rng) for name, make in fields.items() if rng.random() >= left_out}


def _letters(rng: Random) -> str:
    return "".join(
        chr(rng.choice((rng.randrange(32, 127), rng.randrange(1, 0x3000)))) for _ in range(rng.randrange(12))
    )


def _json(rng: Random, depth: int = 0) -> Any:
    kind = rng.randrange(4) if depth < 4 else 3
    if kind == 0:
        return [_json(rng, depth + 1) for _ in range(rng.randrange(4))]
    if kind == 1:
        return {_text(rng): _json(rng, depth + 1) for _ in range(rng.randrange(4))}
    return _plain(rng)


POOLS = ("repo", "name", "rev", "path", "oid", "slug", "item", "number", "upload")
_odd = pick(
    "", ".", "..", "%2E%2E", "%2e%2e%2f", "%00", "%FF", "%C2%B2", "%0A", "%25", "%5C", "\u00b2", "a" * 300, "[", "null",
    "refs%2Fheads%2Fmain", "refs/pr/1", "0" * 40, "f" * 64, "-1", "1e9", "9" * 30, "main.lock", "a--b", "x.git",
    "README.md", "%ED%A0%80", "*", "~", "@", "a b", "a%20b", "\x7f", "{", "}", "%", "%zz", "\U0001f600", "A" * 5000,
)  # fmt: skip
_text = either(_letters, _odd, pick(*(f"{{{name}}}" for name in POOLS)))
_number = pick(-2, -1, 0, 1, 2, 3, 10**9, 10**30, -(10**30), 1.5, 1e308)
_plain = either(pick(None, True, False), _number, _text)
_sha = pick("{oid}", "{oid}", "{upload}", "0" * 64, "F" * 64)
_card = pick(
    "---\nlicense: mit\ntags: [a, b]\n---\n# x\n", "---\na: [" + "[" * 2000, "---\n" + "? " * 900 + "\n---\n",
    "---\na: &a [*a]\n---\n", "---\ndataset_info: {splits: [5]}\n---\n[" + "[x](y" * 400, "---\n- 1\n---", "\xff", "",
    "---\nlicense: {a: b}\ntags: 5\ndataset_info: [null, {splits: [{num_examples: x}]}]\n---\n![a](../../../b)<b>",
    "---\n2020-01-01: !!binary AAAA\n.inf: .nan\n---\n# a\n## a\n|a|b|\n|-|-|\n", "---\na: !!int ''\n---",
    "---\na: " + "x" * 5000 + "\n---\n", "[a]: javascript:alert(1)\n[a](http://[)\n<script>",
)  # fmt: skip


def _base64(rng: Random) -> str:
    return base64.b64encode(_card(rng).encode("utf-8", "replace")).decode()


_file = record(
    {
        "path": mostly(pick("{path}", "README.md", "a/b.bin", "a", "x.parquet", "../x", "a//b"), _text),
        "content": either(_base64, _base64, _card, _text),
        "encoding": mostly(pick("base64"), _plain),
        "oid": _sha,
        "size": mostly(pick(0, 5, 11, 4000), _plain),
        "algo": pick("sha256"),
        "sample": mostly(pick("aGVsbG8="), _text),
    },
    0.15,
)
_FIELDS: dict[str, Make] = {
    **dict.fromkeys(("title", "description", "comment", "message", "summary", "note", "theme", "tag"), _text),
    "name": mostly(pick("{name}", "n1", "n2"), _text),
    "organization": mostly(pick("medimg", "other"), _text),
    "namespace": mostly(pick("medimg", "other"), _text),
    "type": mostly(pick("dataset", "dataset", "model", "space"), _plain),
    "private": mostly(pick(True, False), _plain),
    "visibility": mostly(pick("public", "private"), _plain),
    "gated": mostly(pick("auto", False), _plain),
    "fromRepo": mostly(pick("{repo}", "medimg/n1"), _text),
    "toRepo": mostly(pick("medimg/n1", "other/n2", "{repo}"), _text),
    "startingPoint": mostly(pick("{rev}", "main"), _text),
    "status": mostly(pick("open", "closed"), _plain),
    "position": mostly(pick(0, 1, 2), _plain),
    "operation": mostly(pick("upload"), _plain),
    "transfers": mostly(pick(["basic", "multipart", "xet"]), _json),
    "objects": mostly(many(record({"oid": _sha, "size": mostly(pick(5, 4000), _plain)}, 0.05)), _json),
    "files": either(many(_file), many(record({"sha256": _sha}, 0.05)), _json),
    "target": mostly(record({"type": pick("dataset"), "name": pick("{repo}")}, 0.05), _json),
    "deletions": mostly(record({"sha": many(_sha, 2), "rewriteHistory": _plain}), _json),
    "item": mostly(record({"type": pick("dataset"), "id": pick("{repo}")}, 0.05), _json),
    "paths": mostly(many(pick("{path}")), _json),
    "expand": _plain,
    "pullRequest": mostly(pick(False), _plain),
    "content": _card,
    "oid": _sha,
    "size": mostly(pick(5, 11, 4000), _plain),
    "parts": mostly(
        many(record({"partNumber": mostly(pick(1, 2, 3, 4), _plain), "etag": mostly(_sha, _plain)}), 4), _json
    ),
}
_BODIES: dict[str, tuple[str, ...]] = {
    "repos/create": ("name", "organization", "type", "private", "visibility"),
    "repos/delete": ("name", "organization", "type"),
    "repos/move": ("fromRepo", "toRepo", "type"),
    "settings": ("private", "visibility", "gated"),
    "preupload": ("files",),
    "paths-info": ("paths", "expand"),
    "/tag/": ("tag", "message"),
    "/branch/": ("startingPoint",),
    "super-squash": ("message",),
    "objects/batch": ("operation", "transfers", "objects"),
    "lfs/verify": ("oid", "size"),
    "lfs/join": ("parts",),
    "lfs-files/batch": ("deletions",),
    "lfs-files/duplicate": ("target", "files"),
    "collections": ("title", "namespace", "description", "private", "position", "theme", "item", "note"),
    "discussions": ("title", "description", "pullRequest", "comment", "status"),
    "validate-yaml": ("content",),
}
_header = pick(
    "Range: bytes=0-3", "Range: bytes=-5", "Range: bytes=5-2", "Range: bytes=0-0,2-3", "Range: bytes=\xb2-", "Range: x",
    "Range: bytes=" + "9" * 40 + "-", "If-None-Match: *", 'If-None-Match: W/"x"', 'If-None-Match: "', "If-Range: x",
    'If-None-Match: W/"{oid}"', 'If-Range: "{oid}"', "Accept: text/html", "Accept-Encoding: gzip, br", "Cookie: a=\xff",
    "Origin: http://evil.example", "Origin: http://[", "Sec-Fetch-Site: cross-site", "Content-Encoding: gzip",
    "Authorization: Basic x", "Authorization: Bearer \xff", "Expect: 100-continue", "X-Forwarded-Host: evil.example",
    "Upgrade: websocket", "Connection: Upgrade, close", "X: " + "y" * 9000, "Content-Type: multipart/form-data",
    "Content-Type: application/x-www-form-urlencoded", "If-Modified-Since: x", "TE: trailers", "Forwarded: host=[",
)  # fmt: skip
_query_name = pick(
    *"limit cursor search author filter sort gated full blobs expand recursive create_pr download owner item q size "
    "until signature service x".split()
)
_query_value = either(pick("1", "true", "0", "5", "2,3", "medimg", "datasets/{repo}"), _text)
_host = pick(*["127.0.0.1"] * 40, "localhost:1", "[", "[::1]", "a b", "", "evil.example", "\xff", "[::1")
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW")


@dataclass(frozen=True)
class Template:
    """One route: its method and its pattern, e.g. "/api/{kind}/{ns}/{name}"."""

    method: str
    pattern: str


def templates() -> list[Template]:
    """Every route that the application has."""
    with tempfile.TemporaryDirectory() as folder:
        routes = HubRoutes(Desk(Store(folder), None)).routes()
    return [Template(method, route.path) for route in routes for method in sorted(route.methods or ())]


@dataclass(frozen=True)
class Sent:
    """One request, its words in braces not yet filled in."""

    method: str
    path: str
    query: dict[str, str]
    headers: list[str]
    body: bytes | None
    known: bool
    host: str = "127.0.0.1"
    chunked: bool = False
    cut: bool = False


def request(rng: Random, routes: Sequence[Template]) -> Sent:
    """A request to one of the routes, mostly, with much or little of it wrong."""
    route = rng.choice(routes)
    method = route.method if rng.randrange(12) else rng.choice(_METHODS)
    wrong = rng.randrange(4) == 0
    held = {
        "ns": "{ns}",
        "rev": "{rev}",
        "path": "{path}",
        "slug": "{slug}",
        "item": "{item}",
        "oid": "{upload}",
    }

    def fill(found: re.Match[str]) -> str:
        name = found[1].split(":")[0]
        if wrong and rng.randrange(3) == 0:
            return str(_text(rng))
        if name == "kind":
            return rng.choice(["datasets"] * 4 + ["models", "spaces"])
        if name == "name":
            return rng.choice(["{name}"] * 5 + ["n1"])
        return held.get(name, "{number}")

    path = re.sub(r"\{([^}]*)\}", fill, route.pattern)
    if path.startswith("/lfs/") and not wrong and "verify" not in path:
        path = "{href}"
    if rng.randrange(40) == 0:
        path = "/" + "/".join(many(_text, 5)(rng))
    headers = many(_header, 2)(rng) if rng.randrange(3) == 0 else []
    query = {_query_name(rng): _query_value(rng) for _ in range(rng.choice([0, 0, 1, 2, 3]))}
    body, kind = (None, "") if method in ("GET", "HEAD") and rng.randrange(10) else _body(rng, route.pattern)
    if kind:
        headers.append(f"Content-Type: {kind}")
    return Sent(
        method, path, query, headers, body, rng.randrange(3) > 0, _host(rng), rng.randrange(10) == 0,
        rng.randrange(60) == 0,
    )  # fmt: skip


def _body(rng: Random, pattern: str) -> tuple[bytes, str]:
    """(body, its type): what the route takes, or something else."""
    shape = rng.randrange(12)
    if shape == 0:
        return rng.randbytes(rng.randrange(40)), "application/octet-stream"
    if shape == 1:
        return json.dumps(_json(rng)).encode(), "application/json"
    if shape == 2:
        return rng.choice(_BROKEN), "application/json"
    if shape == 3:
        return _card(rng).encode("utf-8", "replace"), "application/yaml"
    if shape == 4:
        part = b'--x\r\nContent-Disposition: form-data; name="paths"\r\n\r\n' + rng.randbytes(9) + b"\r\n--x"
        return part + rng.choice([b"--\r\n", b""]), "multipart/form-data; boundary=x"
    if "/commit/" in pattern:
        operation = pick("file", "file", "lfsFile", "lfsFile", "deletedFile", "deletedFolder", "header", "x")
        items = [{"key": operation(rng), "value": mostly(_file, _json)(rng)} for _ in range(rng.randrange(4))]
        head = {"summary": "s", **({"parentCommit": _text(rng)} if rng.randrange(9) == 0 else {})}
        lines = [{"key": "header", "value": head}, *items]
        return b"\n".join(json.dumps(line).encode() for line in lines), "application/x-ndjson"
    if pattern.startswith(("/lfs/object", "/lfs/part")):
        return b"{content}", "application/octet-stream"
    fields = next((names for part, names in _BODIES.items() if part in pattern), ("name", "type", "files"))
    chosen = {name: _FIELDS[name](rng) for name in fields if rng.randrange(5)}
    if shape == 5 and "paths" in chosen:
        return urlencode(
            {"paths": str(chosen["paths"]), "expand": "true"}
        ).encode(), "application/x-www-form-urlencoded"
    return json.dumps(chosen).encode(), "application/json"


_BROKEN = [
    b"", b"{", b"[]", b"5", b"null", b'"x"', b"\xff", b"[" * 5000, b'{"a":' * 5000, b'{"a": 1e999}', b"\n\n\n",
    b"{}\n{}",
    b'{"title": "\\ud800"}', b'{"a": ' + b"9" * 5000 + b"}", b'{"key": "header"}', b"\x00" * 50,
    b"{" + b'"a":1,' * 9000 + b'"b":1}',
]  # fmt: skip


@dataclass
class Pool:
    """What is in the store, and what the Hub told of: words for `{repo}`, `{oid}` and so on."""

    values: dict[str, list[str]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    turn: int = 0

    def pick(self, name: str) -> str:
        """The next value of a kind, in turns."""
        self.turn += 1
        found = self.values.get(name) or ["x"]
        return found[self.turn % len(found)]

    def learn(self, name: str, value: str) -> None:
        """Remember a value, of the last dozen."""
        known = self.values.setdefault(name, [])
        if value and value not in known:
            known.append(value)
            del known[: -12 if name in ("href", "item", "slug", "rev") else -40]

    def fill(self, text: str, *, escape: bool = False) -> str:
        """The text with its words filled in."""

        def put(found: re.Match[str]) -> str:
            value = self.pick(found[1])
            return quote(value, safe="/" if found[1] in ("path", "slug", "repo") else "") if escape else value

        return re.sub(r"\{(\w+)\}", put, text)


def furnish(folder: str | Path) -> Pool:
    """Make a store with something of each kind, and tell what is in it."""
    store, pool = Store(folder), Pool()
    for name in ("plain", "gated", "large", PRIVATE.split("/")[1]):
        repository = store.create("dataset", f"medimg/{name}", private=f"medimg/{name}" == PRIVATE)
        content = f"large {name}".encode()
        oid = hashlib.sha256(content).hexdigest()
        with store.incoming() as file:
            file.write(content)
            file.keep_object(oid, len(content))
        add = {
            "README.md": store.put(b"---\nlicense: mit\ntags: [x]\n---\n# Title\n[a](b.md) ![c](d.png)\n"),
            "data/train.parquet": store.lfs_file(oid),
            "notes/a.txt": store.put(name.encode()),
        }
        made = repository.write("main", "files", add=add)
        repository.create_ref("tags", "1.0.0", "main")
        repository.create_ref("heads", "dev/x", "main")
        if name == "gated":
            repository.update(gated="auto")
        if f"medimg/{name}" != PRIVATE:
            for key, value in (("repo", f"medimg/{name}"), ("name", name), ("rev", made.id), ("oid", oid)):
                pool.learn(key, value)
            pool.contents[oid] = content
    for key, values in {
        "ns": ["medimg"],
        "rev": ["main", "main", "1.0.0", "dev/x", "refs/heads/main"],
        "path": ["README.md", "data", "data/train.parquet", "notes/a.txt", "new.bin"],
        "number": ["1", "2"],
        "slug": ["x/y"],
        "href": ["/lfs/object/" + "0" * 64],
    }.items():
        for value in values:
            pool.learn(key, value)
    for number, content in enumerate((b"hello", b"x" * 4000, b"\0" * 5)):
        oid = hashlib.sha256(content).hexdigest()
        pool.learn("upload", oid)
        if number < 2:
            pool.learn("oid", oid)
        pool.contents[oid] = content
    return pool


@dataclass
class Tally:
    """What happened.

    Attributes:
        requests: how many were sent.
        classes: answers by status, e.g. {"4xx": 800}; "none" where the connection ended first.
        routes: answers other than 404 and 405 by route and method, to see that each was reached.
        grown: bytes by which the Hub's memory grew.
        problems: what went wrong, once each.
        seconds: all took.
    """

    requests: int = 0
    classes: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    routes: set[str] = field(default_factory=set)
    grown: int = 0
    problems: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


class Target:
    """An embedded Hub in a process of its own, with a furnished store, for use with `with`."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="medimg-fuzz-")
        self.root = Path(self._folder.name)
        self.tally = Tally()

    def __enter__(self) -> Self:
        self.pool = furnish(self.root / "store")
        self._log = (self.root / "log").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SERVER, str(self.root / "store"), TOKEN],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._log,
        )  # fmt: skip
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.ask(Sent("GET", "/", {}, [], None, True))
        self._start = self.memory()
        return self

    def __exit__(self, *details: object) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()
        self._folder.cleanup()

    def memory(self) -> int:
        """Bytes that the Hub holds; 0 where the system does not tell."""
        try:
            text = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0
        found = re.search(r"VmRSS:\s+(\d+)", text)
        return int(found[1]) << 10 if found else 0

    def log(self) -> str:
        """What the Hub has written to its log."""
        return (self.root / "log").read_text(errors="replace")

    def ask(self, sent: Sent) -> tuple[int, bytes, dict[str, str]]:
        """(status, body, headers) of the answer; status 0 where the connection ended without one."""
        data = self._bytes(sent)
        with contextlib.closing(socket.create_connection(("127.0.0.1", self.port), 20)) as connection:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.sendall(data)
                if sent.cut:
                    connection.shutdown(socket.SHUT_WR)
            answer = http.client.HTTPResponse(connection, method=sent.method)
            try:
                answer.begin()
                return answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
            except (http.client.HTTPException, ConnectionResetError):
                return 0, b"", {}
            finally:
                answer.close()

    def _bytes(self, sent: Sent) -> bytes:
        fill = self.pool.fill
        path = fill(sent.path, escape=True)
        query = urlencode({name: fill(value) for name, value in sent.query.items()}, errors="replace")
        if query:
            path += ("&" if "?" in path else "?") + query
        # Whatever cannot stand in a request line is sent as bytes that a client should not send.
        line = path.encode("utf-8", "replace").replace(b" ", b"%20").replace(b"\n", b"%0A").replace(b"\r", b"%0D")
        lines = [
            sent.method.encode() + b" " + line + b" HTTP/1.1",
            b"Host: " + sent.host.encode("latin-1", "replace"),
        ]
        lines += [fill(header).encode("latin-1", "replace") for header in sent.headers]
        if sent.known:
            lines.append(f"Authorization: Bearer {TOKEN}".encode())
        body = sent.body
        if body is not None:
            if body == b"{content}":
                named = re.search(rb"[0-9a-f]{64}", line)
                body = self.pool.contents.get(named[0].decode() if named else "", b"hello")
                if (part := re.search(rb"/part-(\d+)/", line)) is not None:
                    start = (int(part[1]) - 1) * 1000
                    body = body[start : start + 1000]
            else:
                body = fill(body.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
            if sent.chunked:
                lines.append(b"Transfer-Encoding: chunked")
                body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
            else:
                lines.append(b"Content-Length: %d" % len(body))
        lines.append(b"Connection: close")
        data = b"\r\n".join([*lines, b"", body or b""])
        return data[: len(data) * 2 // 3] if sent.cut else data

    def one(self, sent: Sent) -> None:
        """Send a request, and hold the answer against what must hold for every one."""
        tally = self.tally
        status, body, headers = self.ask(sent)
        tally.requests += 1
        tally.statuses[status] += 1
        tally.classes[f"{status // 100}xx" if status else "none"] += 1
        shown = f"{sent.method} {sent.path[:200]} {sent.query} {sent.headers} {(sent.body or b'')[:300]!r}"
        shown += " with the token" if sent.known else " without a token"
        if status >= 500:
            self._problem(f"answered with {status}: {body[:200]!r}", shown)
        if not status and not sent.cut:
            self._problem("ended without an answer", shown)
        asked = PRIVATE.split("/")[1]
        if not sent.known and asked.encode() in body and asked not in shown:
            self._problem("told the name of a private repository", shown)
        if headers.get("content-type", "").startswith("application/json") and sent.method != "HEAD" and status != 206:
            try:
                self._learn(json.loads(body or b"null"), 0)
            except ValueError:
                if "/resolve/" not in sent.path:
                    self._problem("sent JSON that is none", shown)
        if tally.requests % EVERY == 0:
            self.still_well()

    def still_well(self) -> None:
        """The Hub answers, and has not grown."""
        if self.process.poll() is not None:
            self._problem(f"the Hub ended with {self.process.returncode}", self.log()[-2000:])
            return
        status, _, _ = self.ask(Sent("GET", "/api/medimg-embedded-hub", {}, [], None, False))
        if status != 200:
            self._problem(f"a plain request is answered with {status}", "")
        self.tally.grown = max(self.tally.grown, self.memory() - self._start)
        if self.tally.grown > RSS_BYTES:
            self._problem(
                f"the Hub holds {RSS_BYTES >> 20} MiB more than at its start",
                f"{self.tally.requests} requests",
            )

    def finish(self) -> None:
        """The store is whole, and the log has no fault that was answered with something else."""
        self.still_well()
        for problem in Store(self.root / "store").check(deep=True):
            self._problem("the store is damaged", problem)
        for fault in re.findall(r"^(\w+(?:\.\w+)*(?:Error|Exception)\b.*)$", self.log(), re.MULTILINE):
            self._problem(f"the log has {fault[:200]}", "")

    def _problem(self, what: str, example: str) -> None:
        self.tally.problems.setdefault(re.sub(r"[0-9a-f]{32,}", "#", what), example)

    def _learn(self, value: Any, depth: int) -> None:
        if isinstance(value, list):
            for item in value[:20]:
                self._learn(item, depth + 1)
        elif isinstance(value, dict) and depth < 6:
            for key, name in (
                ("commitOid", "rev"),
                ("slug", "slug"),
                ("_id", "item"),
                ("sha", "rev"),
                ("num", "number"),
            ):
                if isinstance(value.get(key), str | int):
                    self.pool.learn(name, str(value[key]))
            href = value.get("href")
            if isinstance(href, str):
                split = urlsplit(href)
                self.pool.learn("href", f"{split.path}?{split.query}")
            for key, item in list(value.items())[:30]:
                if key.isdigit() and isinstance(item, str):  # the addresses of parts
                    split = urlsplit(item)
                    self.pool.learn("href", f"{split.path}?{split.query}")
                self._learn(item, depth + 1)


def run(target: Target, *, examples: int, first: int = 0, until: Callable[[], bool] = lambda: False) -> None:
    """Send `examples` requests, or fewer where `until` says so; one seed gives one row of requests.

    Hypothesis draws the seed of each request.
    """
    routes = templates()

    @seed(first)
    @settings(
        max_examples=examples, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(st.integers(0, 2**48))
    def send(number: int) -> None:
        if not until():
            target.one(request(Random(number), routes))

    send()


def main(arguments: list[str] | None = None) -> int:
    """Run for some seconds and print what came of it; 0 where nothing went wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given_ = parser.parse_args(arguments)
    started = time.monotonic()

    def over() -> bool:
        return time.monotonic() - started > given_.seconds or target.process.poll() is not None

    with Target() as target:
        number = given_.seed
        while not over():
            run(target, examples=1000, first=number, until=over)
            number += 1
        target.finish()
        tally = target.tally
    tally.seconds = round(time.monotonic() - started, 1)
    print(json.dumps(_told(tally)) if given_.json else "\n".join(_lines(tally)))
    return 1 if tally.problems else 0


def _told(tally: Tally) -> dict[str, Any]:
    return {
        "requests": tally.requests,
        "classes": dict(sorted(tally.classes.items())),
        "statuses": {str(status): count for status, count in sorted(tally.statuses.items())},
        "seconds": tally.seconds,
        "grown_bytes": tally.grown,
        "problems": tally.problems,
    }


def _lines(tally: Tally) -> Iterator[str]:
    classes = ", ".join(f"{count:,} {name}" for name, count in sorted(tally.classes.items()))
    yield f"{tally.requests:,} requests in {tally.seconds:,.0f} s: {classes}"
    yield f"by status: {', '.join(f'{status}: {count:,}' for status, count in sorted(tally.statuses.items()))}"
    yield f"the Hub grew by {tally.grown / (1 << 20):.0f} MiB"
    for problem, example in tally.problems.items():
        yield f"PROBLEM: {problem}\n    {example}"
    yield f"{len(tally.problems)} problems"


if __name__ == "__main__":
    sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(main())
