"""Static Spaces on the embedded Hub: pages that run their scripts, and reach nothing else of the Hub."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator

import pytest
from huggingface_hub import CommitOperationAdd
from huggingface_hub.utils import get_session

from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub

pytestmark = pytest.mark.clients

PAGE = b"""<!doctype html><title>A page</title><link rel="stylesheet" href="a.css">
<p id="said">nothing</p><script type="module" src="main.js"></script>"""
SCRIPT = b"""
import { word } from "./lib/word.mjs";
const answer = await (await fetch("data/a.json")).json();
const tries = {};
const asked = [["/api/repos/create", "POST"], ["/api/datasets", "GET"], ["/datasets/medimg/a", "GET"]];
for (const [path, method] of asked) {
  tries[path] = await fetch(path, { method, body: method === "POST" ? "{}" : undefined })
    .then((answer) => answer.status, () => "stopped");
}
const stored = (() => { try { return String(localStorage.length); } catch { return "no storage"; } })();
document.getElementById("said").textContent = JSON.stringify({ word, value: answer.value, tries, stored });
"""
CARD = b"---\nsdk: static\ntags: [medimg-portal]\n---\n# A page\n"
FILES = {
    "README.md": CARD,
    "index.html": PAGE,
    "main.js": SCRIPT,
    "lib/word.mjs": b'export const word = "hello";',
    "data/a.json": b'{"value": 7}',
    "a.css": b"p { color: rgb(1, 2, 3); }",
}


def upload(hub: Hub, repo: str, files: dict[str, bytes], **how: object) -> None:
    hub.api.create_repo(repo, repo_type="space", space_sdk="static", **how)  # type: ignore[arg-type]
    added = [CommitOperationAdd(path, content) for path, content in files.items()]
    hub.api.create_commit(repo, added, commit_message="add", repo_type="space")


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with EmbeddedHub(tmp_path_factory.mktemp("store"), token="secret") as server:
        yield Hub(server.url, "medimg", "secret")


def test_the_first_page_lists_repositories_until_there_is_a_portal(hub: Hub) -> None:
    session = get_session()
    assert "Repositories" in session.get(f"{hub.endpoint}/").text
    upload(hub, "medimg/hidden", FILES, private=True)
    assert "Repositories" in session.get(f"{hub.endpoint}/").text
    upload(hub, "medimg/portal", FILES)
    answer = session.get(f"{hub.endpoint}/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/static/medimg/portal/")
    assert "medimg/portal" in session.get(f"{hub.endpoint}/repositories").text
    assert 'href="/static/medimg/portal/"' in session.get(f"{hub.endpoint}/spaces/medimg/portal").text


def test_files_have_their_types_and_what_is_no_static_space_is_not_shown(hub: Hub) -> None:
    session = get_session()

    def got(path: str) -> tuple[int, str]:
        answer = session.get(f"{hub.endpoint}/static/{path}")
        return answer.status_code, answer.headers["content-type"].split(";")[0]

    upload(hub, "medimg/typed", {**FILES, "a.nii.gz": b"\x1f\x8b", "a.wasm": b"\0asm", "a.webp": b"RIFF"})
    types = {"": "text/html", "main.js": "text/javascript", "lib/word.mjs": "text/javascript"}
    types |= {"data/a.json": "application/json", "a.css": "text/css", "a.nii.gz": "application/gzip"}
    types |= {"a.wasm": "application/wasm", "a.webp": "image/webp"}
    for path, kind in types.items():
        assert got(f"medimg/typed/{path}") == (200, kind)
    upload(hub, "medimg/docker", {**FILES, "README.md": b"---\nsdk: docker\n---\n"})
    for path in (
        "medimg/docker/",
        "medimg/docker/main.js",
        "medimg/typed/none.js",
        "medimg/none/",
        "a/b/../c",
    ):
        assert got(path)[0] == 404, path
    upload(hub, "medimg/closed", FILES, private=True)
    assert got("medimg/closed/index.html")[0] == 404


def test_its_scripts_run_and_reach_nothing_else(hub: Hub) -> None:
    """The public Hub gives each Space an origin of its own; here the sandbox does."""
    playwright = pytest.importorskip("playwright.sync_api")
    executable = shutil.which("chromium")
    if executable is None:
        pytest.skip("no chromium on this machine")
    upload(hub, "medimg/page", FILES)
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=executable, args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(f"{hub.endpoint}/static/medimg/page")
        page.get_by_text("hello").wait_for(timeout=10_000)
        said = json.loads(page.locator("#said").text_content())
        color = page.evaluate("getComputedStyle(document.querySelector('p')).color")
        browser.close()
    assert (said["word"], said["value"], said["stored"]) == ("hello", 7, "no storage")
    assert said["tries"] == dict.fromkeys(said["tries"], "stopped")
    assert color == "rgb(1, 2, 3)"
