"""The embedded Hub under requests that mean harm: it answers 4xx, keeps its memory, and goes on serving others."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import HfApi
from huggingface_hub.utils import get_session

from medimg.hub_sync.hub import EmbeddedHub, HubLimits, Store
from medimg.hub_sync.hub.pages import parse_card, render_markdown

LIMITS = HubLimits(
    connections=24, header_seconds=0.4, body_seconds=0.4, body_rate=2000, regular_file=50_000, body=2_000_000
)
DATASET: dict[str, Any] = {"repo_type": "dataset"}
REPO = "medimg/plain"
MANGLED = "medimg/mangled"
PRIVATE = "medimg/patients-of-dr-roe"
YAML_BOMBS = {
    "flow sequences": "a: " + "[" * 50_000,
    "flow mappings": "{a: " * 12_000,
    "block sequences": "- " * 25_000,
    "block keys": "? " * 25_000,
    "indentation": "".join(f"{' ' * depth}a:\n" for depth in range(300)),
    "aliases": "a: &a [x,x]\n" + "".join(f"{b}: &{b} [{f'*{a},' * 9}]\n" for a, b in zip("abcdefg", "bcdefgh")),  # noqa: B905
    "deep by aliases": "a: &a " + "[" * 60 + "]" * 60 + "\nb: [" + "[" * 50 + "*a" + "]" * 51,
    "merges": "a: &a {k: v}\n" + "".join(f"{b}: &{b} {{<<: [{f'*{a},' * 9}]}}\n" for a, b in zip("abcdefg", "bcdefgh")),  # noqa: B905
    "a number in base 60": "a: 1" + ":1" * 200_000,
    "a number in base 16": "a: 0x" + "f" * 200_000,
    "a quoted number": f"a: !!int '{'1:' * 100_000}1'",
    "many values": "a: [" + "x," * 300_000 + "]",
    "many keys": "? a\n" * 150_000,
    "a large text": "a: " + "x" * (2 << 20),
    "no integer": 'a: !!int ""',
    "no truth": "a: !!bool x",
    "no time": "a: !!timestamp x",
    "itself": "a: &a [*a]",
    "code": "a: !!python/object/apply:os.system [ls]",
}  # fmt: skip


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    with EmbeddedHub(tmp_path_factory.mktemp("hostile"), limits=LIMITS) as running:
        api = HfApi(endpoint=running.url, token="x")
        api.create_repo(REPO, **DATASET)
        api.upload_file(path_or_fileobj=b"\0" * 999, path_in_repo="x.bin", repo_id=REPO, **DATASET)
        api.create_repo(PRIVATE, private=True, **DATASET)
        api.create_repo(MANGLED, **DATASET)
        yield running


def ask(hub: EmbeddedHub, method: str, path: str, **kwargs: Any) -> Any:
    return get_session().request(method, f"{hub.url}{path}", **kwargs)


def raw(hub: EmbeddedHub, text: bytes, timeout: float = 5) -> bytes:
    """Send bytes on a connection of their own and return what comes until it ends."""
    with closing(socket.create_connection(("127.0.0.1", hub.port), timeout)) as connection:
        connection.sendall(text)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def commit_lines(*items: tuple[str, Any]) -> bytes:
    lines = [{"key": "header", "value": {"summary": "s"}}, *({"key": k, "value": v} for k, v in items)]
    return b"\n".join(json.dumps(line).encode() for line in lines)


# ---- parsers


@pytest.mark.parametrize("name", YAML_BOMBS)
def test_yaml_is_bounded_before_it_is_parsed(name: str) -> None:
    started = time.monotonic()
    read = parse_card(f"---\n{YAML_BOMBS[name]}\n---\n# text\n")
    assert read.problem and read.data == {} and read.text == "# text"
    assert time.monotonic() - started < 5


def test_yaml_bombs_are_answered_by_every_route(hub: EmbeddedHub) -> None:
    for name, bomb in YAML_BOMBS.items():
        card = f"---\n{bomb}\n---\n"
        answer = ask(hub, "POST", "/api/validate-yaml", json={"content": card, "repoType": "dataset"})
        assert answer.status_code in (400, 413), name
        value = {
            "path": "README.md",
            "content": base64.b64encode(card.encode()).decode(),
            "encoding": "base64",
        }
        answer = ask(hub, "POST", f"/api/datasets/{REPO}/commit/main", content=commit_lines(("file", value)))
        assert answer.status_code in (400, 413), name
    assert ask(hub, "GET", f"/api/datasets/{REPO}").json()["siblings"][0]["rfilename"] == ".gitattributes"


def test_values_that_json_cannot_hold_are_told_as_text(hub: EmbeddedHub) -> None:
    read = parse_card("---\na: .inf\nb: 0001-01-01 00:00:00+23:59\nc: !!binary AAAA\nd: {1: 2020-01-02}\n---\n")
    assert json.loads(json.dumps(read.data, allow_nan=False))["d"] == {"1": "2020-01-02"}
    assert read.data["a"] == "inf" and read.problem == ""
    assert parse_card("---\ndataset_info: {splits: 5}\n---\n").rows is None


def test_a_bad_repository_takes_neither_listing_nor_start_down(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.create("dataset", "medimg/good")
    for name, bomb in YAML_BOMBS.items():
        repository = store.create("dataset", f"bad/{name.replace(' ', '-')}")
        repository.write("main", "m", add={"README.md": store.put(f"---\n{bomb}\n---\n".encode())})
    broken = store.create("dataset", "bad/settings")
    (broken.path / "repo.json").write_bytes(b"[" * 9999)
    broken = store.create("dataset", "bad/ref")
    (broken.path / "refs/heads/main.json").write_bytes(b'{"target": 5}')
    broken = store.create("dataset", "bad/commit")
    (broken.path / "commits" / f"{broken.commit().id}.json").write_bytes(b'{"files": []}')
    broken = store.create("dataset", "bad/no-card")
    card = store.put(b"---\nlicense: mit\n---\n")
    broken.write("main", "m", add={"README.md": card})
    store.object_path(card.sha256).unlink()
    (tmp_path / "collections/bad").mkdir()
    for number, content in enumerate((b"", b"{}", b"[]", b'{"items": 5}', b"\xff")):
        (tmp_path / f"collections/bad/c{number}.json").write_bytes(content)
    with EmbeddedHub(tmp_path) as hub:
        listed = {info["id"] for info in ask(hub, "GET", "/api/datasets?full=true").json()}
        assert {"medimg/good", "bad/aliases", "bad/no-card"} <= listed
        assert not {"bad/settings", "bad/ref", "bad/commit"} & listed
        page = ask(hub, "GET", "/")
        assert page.status_code == 200 and "medimg/good" in page.text and "bad/no-card" in page.text
        assert ask(hub, "GET", "/api/collections").json() == []
        assert ask(hub, "GET", "/datasets/bad/flow-sequences").status_code == 200


def test_markdown_that_would_take_seconds_is_shown_as_it_is() -> None:
    for text in ("[" * 100_000, "![" * 60_000, "# a\n" * 30_000, "a|b\n-|-\n" * 12_000, "<b>" * 100_000):
        started = time.monotonic()
        html = render_markdown(text, links="a", images="b")
        assert time.monotonic() - started < 2 and html.startswith("<pre>") and "<b>" not in html


# ---- malformed input


BAD_JSON = [
    b"\xff\xfe\x00", b"\xff", b"nonsense", b"[]", b"5", b'"x"', b"null", b"[" * 100_000, b'{"a":' * 50_000,
    b'{"title": "\\ud800"}', b'{"\\udfff": 1}', b'{"a": NaN}', b'{"a": Infinity}', b'{"a": 1e999}',
    b'{"a": ' + b"9" * 5000 + b"}", b"\xef\xbb\xbf{}x", b'{"a": "' + b'\\"' * 50_000, b'{"a": [' + b"{}," * 250_000,
]  # fmt: skip


@pytest.mark.parametrize(
    "path",
    [
        "/api/repos/create", "/api/collections", "/api/validate-yaml", f"/api/datasets/{REPO}/commit/main",
        f"/api/datasets/{REPO}/preupload/main", f"/api/datasets/{REPO}/tag/main", f"/api/datasets/{REPO}/discussions",
        f"/api/datasets/{REPO}/lfs-files/duplicate", f"/datasets/{REPO}.git/info/lfs/objects/batch", "/lfs/verify",
        f"/api/datasets/{REPO}/paths-info/main",
    ],
)  # fmt: skip
def test_what_is_no_json_object_is_refused(hub: EmbeddedHub, path: str) -> None:
    for body in BAD_JSON:
        answer = ask(hub, "POST", path, content=body, headers={"Content-Type": "application/json"})
        assert 400 <= answer.status_code < 500, body[:40]


WRONG = [5, True, None, "²", [5], [None], {"a": 5}, -1, 10**30]
FIELDS = {
    ("POST", "/api/repos/create"): ["name", "organization", "type", "private", "visibility"],
    ("POST", "/api/repos/move"): ["fromRepo", "toRepo", "type"],
    ("PUT", f"/api/datasets/{MANGLED}/settings"): ["gated", "private", "visibility"],
    ("POST", f"/api/datasets/{MANGLED}/preupload/main"): ["files"],
    ("POST", f"/api/datasets/{MANGLED}/paths-info/main"): ["paths", "expand"],
    ("POST", f"/api/datasets/{MANGLED}/tag/main"): ["tag", "message"],
    ("POST", f"/api/datasets/{MANGLED}/branch/b"): ["startingPoint"],
    ("POST", f"/api/datasets/{MANGLED}/discussions"): ["title", "description", "pullRequest"],
    ("POST", f"/datasets/{MANGLED}.git/info/lfs/objects/batch"): ["operation", "objects", "transfers"],
    ("POST", f"/api/datasets/{MANGLED}/lfs-files/duplicate"): ["target", "files"],
    ("POST", "/api/collections"): ["title", "namespace", "description", "private"],
    ("POST", "/api/validate-yaml"): ["content", "repoType"],
}


def test_wrong_types_are_never_a_fault_of_the_server(hub: EmbeddedHub) -> None:
    def check(method: str, path: str, body: Any) -> None:
        answer = ask(hub, method, path, json=body)
        assert answer.status_code < 500, (path, body, answer.text[:300])

    for (method, path), fields in FIELDS.items():
        for field in fields:
            for value in WRONG:
                check(method, path, {field: value})
    base = f"/api/datasets/{MANGLED}"
    for value in WRONG:
        for item in (
            {"path": value},
            {"path": "a", "size": value},
            {"path": "a", "size": 1, "sample": value},
        ):
            check("POST", f"{base}/preupload/main", {"files": [item]})
        for item in ({"oid": value}, {"oid": "0" * 64, "size": value}):
            body = {"operation": "upload", "transfers": ["multipart"], "objects": [item]}
            check("POST", f"/datasets/{MANGLED}.git/info/lfs/objects/batch", body)
        for key, inner in (
            ("file", {"path": "p", "content": value}), ("file", {"path": value, "content": ""}), ("deletedFile", value),
            ("lfsFile", {"path": "p", "oid": value}), ("lfsFile", {"path": "p", "oid": "0" * 64, "size": value}),
            ("header", value), (value, {"path": "p"}),
        ):  # fmt: skip
            content = commit_lines((key, inner))
            assert ask(hub, "POST", f"{base}/commit/main", content=content).status_code < 500
        for key in ("summary", "description", "parentCommit"):
            line = json.dumps({"key": "header", "value": {"summary": "s", key: value}})
            assert ask(hub, "POST", f"{base}/commit/main", content=line).status_code < 500


def test_a_wrong_type_never_makes_a_repository_public(hub: EmbeddedHub) -> None:
    for body in (
        {"visibility": 5},
        {"private": "false"},
        {"visibility": "publik"},
        {"private": []},
        {"gated": 0},
    ):
        answer = ask(hub, "PUT", f"/api/datasets/{PRIVATE}/settings", json=body, headers={"Authorization": "Bearer x"})
        assert answer.status_code == 400, body
    assert ask(hub, "GET", f"/api/datasets/{PRIVATE}").status_code == 404


@pytest.mark.parametrize("value", ["²", "-1", "1.5", "x", "9" * 5000, "١", "1_0", "%FF", " ", "1e3", "0x1"])
def test_numbers_in_addresses(hub: EmbeddedHub, value: str) -> None:
    for path in (
        f"/api/datasets?limit={value}",
        f"/api/datasets/{REPO}/tree/main?limit={value}",
        f"/api/datasets/{REPO}/tree/main?cursor={value}",
        f"/api/datasets/{REPO}/commits/main?cursor={value}",
        f"/api/datasets/{REPO}/discussions/{value.replace(' ', '%20')}",
    ):
        assert 400 <= ask(hub, "GET", path).status_code < 500, path
    assert 400 <= ask(hub, "PUT", f"/lfs/part-{value.strip() or 'x'}/{'0' * 64}").status_code < 500
    spans = {"Range": f"bytes={value.encode('ascii', 'replace').decode()}-"}
    assert ask(hub, "GET", f"/datasets/{REPO}/resolve/main/x.bin", headers=spans).status_code < 500


def test_heads_of_requests(hub: EmbeddedHub) -> None:
    def get(path: str, *headers: bytes, host: bytes | None = b"127.0.0.1") -> int:
        lines = [f"GET {path} HTTP/1.1".encode(), *([b"Host: " + host] if host is not None else []), *headers]
        return status(raw(hub, b"\r\n".join([*lines, b"Connection: close", b"", b""])))

    assert get("/") == 200
    for host in (
        b"[",
        b"[::1",
        b"a b",
        b"",
        b"\xff",
        b"127.0.0.1:x",
        b"127.0.0.1:80:80",
        b"[:::]",
        b'"',
        b"a/b",
    ):
        assert get("/", host=host) in (400, 421), host
    assert get("/", host=None) == 400
    for origin in (b"http://[", b"null", b"http://evil.example", b"\xff", b"//", b"x"):
        assert get("/", b"Origin: " + origin) == 403
    assert get("/", f"Origin: http://127.0.0.1:{hub.port}".encode(), host=f"127.0.0.1:{hub.port}".encode()) == 200
    file = f"/datasets/{REPO}/resolve/main/x.bin"
    for header in (
        b"Range: bytes=" + b"0-0," * 3000 + b"0-0", b"Range: bytes=-", b"Range: \xb2", b"Range: bytes=\xb2-5",
        b"Range: bytes=" + b"9" * 5000 + b"-", b"Range: bytes=5", b"Range: x=0-5",
        b"If-None-Match: \xff", b"If-None-Match: \"", b"If-Range: \xff", b"Authorization: \xff",
        b"Authorization: Bearer", b"Cookie: \xff", b"Content-Length: 5", b"Accept: " + b"x" * 20_000,
    ):  # fmt: skip
        assert get(file, header) < 500, header[:40]
    for broken in (
        b"GET\r\n\r\n",
        b"\x00\x01\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET  / HTTP/1.1\r\n\r\n",
    ):
        with closing(socket.create_connection(("127.0.0.1", hub.port), 5)) as connection:
            connection.sendall(broken)
            assert 400 <= status(connection.recv(65536)) < 500
    post = b"POST /api/validate-yaml HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n"
    assert 400 <= status(raw(hub, post + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n")) < 500
    assert 400 <= status(raw(hub, post + b"Content-Length: \xb2\r\n\r\n")) < 500
    assert 400 <= status(raw(hub, post + b"Content-Length: 99999999999\r\n\r\n")) < 500


def test_names_in_addresses(hub: EmbeddedHub) -> None:
    odd = [
        "%FF",
        "%00",
        "%0A",
        "x%0A",
        "%ED%A0%80",
        "%C2%B2",
        "a" * 300,
        "%2E%2E",
        "..%2F..",
        "[",
        "%25",
        "%5C",
        "\x7f",
    ]
    for name in odd:
        quoted = name.replace("\x7f", "%7F")
        for path in (
            f"/api/datasets/medimg/{quoted}", f"/api/datasets/{quoted}/x", f"/api/{quoted}/medimg/x",
            f"/api/datasets/{REPO}/revision/{quoted}", f"/api/datasets/{REPO}/tree/main/{quoted}",
            f"/api/datasets/{REPO}/commits/{quoted}", f"/datasets/{REPO}/resolve/{quoted}/x.bin",
            f"/datasets/{REPO}/resolve/main/{quoted}", f"/datasets/{REPO}/blob/main/{quoted}",
            f"/collections/{quoted}/x", f"/api/collections/medimg/{quoted}", f"/{quoted}", f"/lfs/object/{quoted}",
        ):  # fmt: skip
            answer = ask(hub, "GET", path)
            assert 400 <= answer.status_code < 500, path
            message = answer.headers.get("x-error-message", "")
            assert message == message.strip() and message.isprintable()
        for method, path in (("POST", "tag"), ("POST", "branch"), ("DELETE", "tag"), ("DELETE", "branch")):
            answer = ask(hub, method, f"/api/datasets/{REPO}/{path}/{quoted}", content=b"{}")
            assert 400 <= answer.status_code < 500


def test_etags(hub: EmbeddedHub) -> None:
    file = f"/datasets/{REPO}/resolve/main/x.bin"
    tag = ask(hub, "GET", file).headers["etag"]
    for header in (
        tag,
        f"W/{tag}",
        "*",
        f'"a,b", {tag}',
        f'W/"other",W/{tag}',
        f'"x" , {tag}',
        f'"",{tag},"y"',
    ):
        for method in ("GET", "HEAD"):
            answer = ask(hub, method, file, headers={"If-None-Match": header})
            assert (answer.status_code, answer.headers["etag"], answer.content) == (304, tag, b""), header
    for header in ("", '"other"', 'W/"other"', tag.strip('"'), f'"{tag}"'[:-2], "**", '"*"'):
        assert ask(hub, "GET", file, headers={"If-None-Match": header}).status_code == 200, header
    missing = ask(hub, "GET", file + "x", headers={"If-None-Match": "*"})
    assert missing.status_code == 404


# ---- what is not here


def test_unknown_routes_say_so(hub: EmbeddedHub) -> None:
    for method, path in (
        ("GET", "/nothing/at/all/here"),
        ("GET", f"/api/datasets/{REPO}/parquet"),
        ("GET", f"/api/datasets/{REPO}/croissant"),
        ("POST", f"/api/datasets/{REPO}/sql-console/embed"),
        ("GET", "/api/papers/search"),
        ("PUT", "/api/whoami-v2"),
    ):
        answer = ask(hub, method, path)
        assert answer.status_code == 404 and "x-error-code" not in answer.headers
        assert answer.json()["error"] == f"This Hub does not serve that route: {method} {path}"


def test_git_is_told_what_to_use_instead(hub: EmbeddedHub, tmp_path: Path) -> None:
    for suffix in ("", ".git"):
        url = f"{hub.url}/datasets/{REPO}{suffix}"
        done = subprocess.run(
            ["git", "clone", url, str(tmp_path / "x")],
            capture_output=True, text=True, timeout=60, env={**os.environ, "GIT_TERMINAL_PROMPT": "0"},
        )  # fmt: skip
        assert done.returncode != 0
        assert f"remote: To download: hf download {REPO} --repo-type dataset" in done.stderr
    for service in ("info/refs?service=git-receive-pack", "info/refs?service=git-upload-pack"):
        hint = ask(hub, "GET", f"/medimg/m.git/{service}")
        assert hint.status_code == 403 and "hf upload medimg/m <folder> (or" in hint.text


# ---- private names


def test_private_names_are_told_to_nobody_else(hub: EmbeddedHub) -> None:
    api = HfApi(endpoint=hub.url, token="x")
    slug = api.create_collection("Both", namespace="medimg").slug
    api.add_collection_item(slug, REPO, "dataset")
    api.add_collection_item(slug, PRIVATE, "dataset", note="not for all")
    name = PRIVATE.split("/")[1]
    for path in (
        "/", "/?q=patients", "/api/datasets", "/api/datasets?search=patients", "/api/datasets?author=medimg",
        "/api/collections", f"/api/collections?item=datasets/{PRIVATE}", f"/api/collections/{slug}",
        f"/collections/{slug}", f"/api/datasets/{REPO}",
    ):  # fmt: skip
        assert name not in ask(hub, "GET", path).text, path
    assert REPO in ask(hub, "GET", f"/collections/{slug}").text
    assert [item.item_id for item in HfApi(endpoint=hub.url, token=False).get_collection(slug).items] == [REPO]
    assert [item.item_id for item in api.get_collection(slug).items] == [REPO, PRIVATE]
    # Nor does an answer differ from that about a name that does not exist.
    other = "medimg/patients-of-dr-doe"

    def both(method: str, path: str, body: Any = None) -> None:
        answers = []
        for repository in (PRIVATE, other):
            content = json.dumps(body).replace("REPO", repository).replace("NAME", repository.split("/")[1])
            answer = ask(hub, method, path.replace("REPO", repository), content=content if body else b"")
            answers.append((answer.status_code, answer.text.replace(repository, "")))
        assert answers[0] == answers[1] and answers[0][0] == 404, path

    for path in (
        "/datasets/REPO",
        "/api/datasets/REPO",
        "/datasets/REPO/resolve/main/x",
        "/api/datasets/REPO/refs",
    ):
        both("GET", path)
    both("POST", f"/api/collections/{slug}/items", {"item": {"type": "dataset", "id": "REPO"}})
    both(
        "POST",
        f"/api/datasets/{REPO}/lfs-files/duplicate",
        {"target": {"type": "dataset", "name": "REPO"}, "files": []},
    )
    both("POST", "/api/repos/move", {"type": "dataset", "fromRepo": "REPO", "toRepo": "medimg/z"})
    both("DELETE", "/api/repos/delete", {"type": "dataset", "organization": "medimg", "name": "NAME"})
    api.delete_repo(PRIVATE, **DATASET)
    assert name not in ask(hub, "GET", f"/api/collections/{slug}").text
    api.create_repo(PRIVATE, private=True, **DATASET)


# ---- connections


def test_a_header_without_end_is_cut_off(hub: EmbeddedHub) -> None:
    with closing(socket.create_connection(("127.0.0.1", hub.port), 5)) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ")
        with pytest.raises(OSError):
            for _ in range(2000):
                connection.sendall(b"x" * 65536)


def is_closed(connection: socket.socket, timeout: float = 5) -> bytes:
    """Return what came until the other side ended the connection."""
    connection.settimeout(timeout)
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received


def test_half_sent_headers_do_not_stop_it(hub: EmbeddedHub) -> None:
    held = []
    for number in range(3 * LIMITS.connections):
        held.append(socket.create_connection(("127.0.0.1", hub.port)))
        held[-1].sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Number: %d" % number)
        if number % 20 == 0:
            assert ask(hub, "GET", "/api/medimg-embedded-hub").status_code == 200
    assert ask(hub, "GET", "/api/medimg-embedded-hub").status_code == 200
    assert status(is_closed(held[-1])) == 408
    for connection in held:
        is_closed(connection)
        connection.close()


def test_connections_that_say_nothing_end(hub: EmbeddedHub) -> None:
    with closing(socket.create_connection(("127.0.0.1", hub.port))) as connection:
        assert status(is_closed(connection)) == 408
    with closing(socket.create_connection(("127.0.0.1", hub.port))) as connection:
        connection.sendall(b"GET /api/medimg-embedded-hub HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert status(connection.recv(65536)) == 200
        connection.sendall(b"GET / HT")
        assert status(is_closed(connection)) == 408


@pytest.mark.parametrize("path", ["/api/validate-yaml", "/lfs/object"])
def test_bodies_that_drip_end(hub: EmbeddedHub, path: str) -> None:
    if path == "/lfs/object":
        body = {"operation": "upload", "objects": [{"oid": "0" * 64, "size": 500_000}]}
        answer = ask(hub, "POST", f"/datasets/{REPO}.git/info/lfs/objects/batch", json=body)
        path = answer.json()["objects"][0]["actions"]["upload"]["href"].removeprefix(hub.url)
    method = "PUT" if "lfs" in path else "POST"
    with closing(socket.create_connection(("127.0.0.1", hub.port))) as connection:
        connection.sendall(f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500000\r\n\r\n".encode())
        done = threading.Event()

        def drip() -> None:
            while not done.wait(0.05):
                try:
                    connection.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=drip)
        thread.start()
        try:
            received = is_closed(connection)
        finally:
            done.set()
            thread.join()
    assert received == b"" or status(received) == 408
    deadline = time.monotonic() + 5
    while list((hub.store.root / "tmp").iterdir()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not list((hub.store.root / "tmp").iterdir())


def test_an_announced_size_is_refused_before_anything_is_read(hub: EmbeddedHub) -> None:
    for path, size in (
        ("/api/repos/create", 3 << 20),
        ("/api/validate-yaml", 7 << 20),
        (f"/api/datasets/{REPO}/commit/main", LIMITS.body + 1),
        (f"/api/datasets/{REPO}/paths-info/main", 3 << 20),
    ):
        head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n"
        assert status(raw(hub, head.encode())) == 413
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    head = b"POST /api/repos/create HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
    with closing(socket.create_connection(("127.0.0.1", hub.port), 5)) as connection:
        connection.sendall(head + chunk * 40)
        assert status(connection.recv(65536)) == 413


def test_large_bodies_wait_on_disk(tmp_path: Path) -> None:
    """Four commits of 35 MB at once, in a process of its own, whose memory is asked for."""
    code = """
        import json, re, sys, threading, http.client, base64
        from medimg.hub_sync.hub import EmbeddedHub
        def now(): return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
        with EmbeddedHub(sys.argv[1]) as hub:
            hub.store.create("dataset", "a/b")
            content = base64.b64encode(bytes(1 << 20)).decode()
            line = json.dumps({"key": "file", "value": {"path": "x", "content": content, "encoding": "base64"}})
            line, head = line.encode() + b"\\n", b'{"key": "header", "value": {"summary": "s"}}\\n'
            def send(answers):
                to = http.client.HTTPConnection("127.0.0.1", hub.port)
                pieces = iter([head] + [line] * 25)
                to.request("POST", "/api/datasets/a/b/commit/main", pieces, encode_chunked=True,
                           headers={"Transfer-Encoding": "chunked"})
                answers.append(to.getresponse().status)
            answers, before = [], now()
            threads = [threading.Thread(target=send, args=(answers,)) for _ in range(4)]
            [thread.start() for thread in threads]; [thread.join() for thread in threads]
            assert answers == [200] * 4, answers
            print(now() - before)
    """
    if not Path("/proc/self/status").exists():
        pytest.skip("memory is read from /proc")
    args = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path)]
    done = subprocess.run(args, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 60  # of 140
