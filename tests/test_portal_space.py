"""The portal as a static Space: pushed after a run, unchanged where nothing changed, without what was taken down."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd
from huggingface_hub.utils import get_session

from medimg.errors import FormatError, HubError
from medimg.hub_sync.discovery import portal
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.sync import sync
from medimg.hub_sync.withdrawing import history

NAMES = ["hc18", "lits", "msd-spleen", "chexpert"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with EmbeddedHub(tmp_path_factory.mktemp("store")) as server:
        hub = Hub(server.url, "medimg")
        assert all(result.good for result in sync(NAMES, hub, check=False, pages=True))
        yield hub


def pushed(hub: Hub) -> dict[str, str]:
    return dict(hub.spaces().found(portal.NAME)[0].files)


def commits(hub: Hub) -> int:
    return len(hub.api.list_repo_commits("medimg/portal", repo_type="space"))


def read(hub: Hub, path: str) -> bytes:
    answer = get_session().get(f"{hub.endpoint}/static/medimg/portal/{path}")
    assert answer.status_code == 200, path
    return bytes(answer.content)


def test_it_is_the_first_page_and_shows_open_sets_alone(hub: Hub) -> None:
    files = pushed(hub)
    assert get_session().get(f"{hub.endpoint}/", follow_redirects=True).text.count("<script") >= 1
    assert "sdk: static" in read(hub, "README.md").decode()
    shown = {path.split("/")[1] for path in files if path.startswith("previews/")}
    assert {"hc18", "lits", "msd-spleen"} - shown == {
        name for name in NAMES[:3] if hub.published(name).manifest and hub.gated(name)
    }
    assert "chexpert" not in shown, "a recipe has no picture"
    catalogue = json.loads(read(hub, "data/catalogue.json"))
    manifest = hub.published("hc18").manifest
    assert manifest is not None and catalogue["published"]["hc18"][0] == manifest.rows


def test_a_run_that_changes_nothing_pushes_nothing(hub: Hub) -> None:
    before, count = pushed(hub), commits(hub)
    assert not portal.refresh(hub)
    assert not portal.update(hub, sync(["hc18"], hub, check=False))
    assert (pushed(hub), commits(hub)) == (before, count)


def test_what_was_taken_down_leaves_the_portal_and_its_history(hub: Hub) -> None:
    kept = {path: digest for path, digest in pushed(hub).items() if path.startswith("previews/msd-spleen/")}
    gone = [path for path in pushed(hub) if path.startswith("previews/hc18/")]
    assert gone and kept
    history.retire(hub, "hc18", "consent was withdrawn")
    assert portal.refresh(hub)
    files = pushed(hub)
    assert not [path for path in files if path.startswith("previews/hc18/")]
    assert kept.items() <= files.items(), "pictures of the others are not made anew"
    assert commits(hub) == 1
    assert "hc18" not in json.loads(read(hub, "data/catalogue.json"))["published"]
    assert get_session().get(f"{hub.endpoint}/static/medimg/portal/{gone[0]}").status_code == 404


def test_where_there_is_no_portal_none_is_made(hub: Hub) -> None:
    other = Hub(hub.endpoint, "others")
    assert not portal.refresh(other)
    assert other.spaces().found(portal.NAME)[0].sha is None


def test_a_space_of_somebody_else_stays_as_it_is(hub: Hub) -> None:
    theirs = Hub(hub.endpoint, "theirs").spaces()
    theirs.create(portal.NAME)
    add = [CommitOperationAdd("index.html", b"mine"), CommitOperationAdd("app.py", b"mine")]
    theirs.api.create_commit("theirs/portal", add, commit_message="mine", repo_type="space")
    before = theirs.found(portal.NAME)[0].files
    with pytest.raises(HubError, match="did not put there"):
        portal.push(Hub(hub.endpoint, "theirs"), {})
    assert theirs.found(portal.NAME)[0].files == before


def test_a_row_that_cannot_be_drawn_has_no_picture_and_stops_nothing(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    from medimg.cards.portal import previews

    def broken(dataset: Any, manifest: Any, opened: Any) -> Any:
        if dataset.name == "lits":
            raise FormatError("the header promises more voxels than there are", file="x.nii.gz")
        return None

    notes: list[str] = []
    monkeypatch.setattr(previews, "preview", broken)
    monkeypatch.setattr(hub, "note", notes.append)
    assert portal.pictures(hub, portal.look(hub)) == {}
    assert [note for note in notes if "lits" in note and "voxels" in note]
