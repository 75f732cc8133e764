"""A full disk is no fault of a file: it is named, with what is free there, what is needed, and what to set."""

from __future__ import annotations

import errno
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub.utils import get_session

import medimg
from medimg import loading
from medimg.errors import SOURCE_FAULTS, DiskFullError, FormatError, disk_full, named
from medimg.hub_sync.building.shards import SplitWriter
from medimg.hub_sync.hub import EmbeddedHub
from medimg.hub_sync.hub.objects import Incoming
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.sync import sync
from medimg.phantom import Phantom


def full(*_: Any, **__: Any) -> Any:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_lies_behind_an_error_counts(tmp_path: Path) -> None:
    inner = OSError(errno.EDQUOT, "quota", str(tmp_path / "gone" / "x.bin"))
    try:
        try:
            raise inner
        except OSError as error:
            raise FormatError("cannot be read") from error
    except FormatError as error:
        told = named(error, dataset="lits", file="a.nii")
    assert isinstance(told, DiskFullError) and isinstance(told, SOURCE_FAULTS) is False
    assert told.dataset == "lits" and told.file is None and "MB are free" in told.problem
    assert disk_full(OSError(errno.EACCES, "no")) is None
    elsewhere = disk_full(OSError(errno.ENOSPC, "full", "/x.bin"))
    assert elsewhere is not None and "the disk of / is full" in elsewhere.problem and "TMPDIR" not in str(elsewhere)


def test_load(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Phantom, "bytes", full)
    loading.miniature.cache_clear()
    with pytest.raises(DiskFullError) as error:
        medimg.load("hc18", source="miniature", streaming=True)
    told = str(error.value)
    assert told.startswith("hc18: the disk of ") and tempfile.gettempdir() in told
    assert "set TMPDIR" in told and "MB are needed" in told


def test_the_cache_of_datasets(monkeypatch: pytest.MonkeyPatch) -> None:
    loading.miniature.cache_clear()
    monkeypatch.setattr("datasets.arrow_writer.ArrowWriter.write_table", full)
    monkeypatch.setattr("datasets.arrow_writer.ArrowWriter.finalize", full)
    with pytest.raises(DiskFullError, match="HF_DATASETS_CACHE"):
        medimg.load("hc18", source="miniature", split="train")


def test_a_row_is_not_quarantined_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loading.miniature.cache_clear()
    rows = medimg.load("hc18", source="miniature", streaming=True, bad_files="quarantine")
    monkeypatch.setattr("medimg.readers.raster._read", full)
    with pytest.raises(DiskFullError, match="is full"):
        list(rows[next(iter(rows))] if isinstance(rows, dict) else rows)


def test_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SplitWriter, "add", full)
    with EmbeddedHub(tmp_path) as hub:
        (result,) = sync(["hc18"], Hub(hub.url, "full"))
    assert result.status == "failed"
    assert "set TMPDIR" in result.reason and "1,258 MB are needed" in result.reason


@pytest.fixture
def hub(tmp_path: Path) -> Any:
    with EmbeddedHub(tmp_path) as running:
        running.store.create("dataset", "medimg/x")
        yield running


@pytest.mark.parametrize("at", ["write", "close", "keep"])
def test_uploads_are_answered_with_507_and_leave_nothing(
    hub: EmbeddedHub, monkeypatch: pytest.MonkeyPatch, at: str
) -> None:
    content = b"large" * 100
    oid = hashlib.sha256(content).hexdigest()
    asked = {"operation": "upload", "objects": [{"oid": oid, "size": len(content)}]}
    batch = get_session().post(f"{hub.url}/datasets/medimg/x.git/info/lfs/objects/batch", json=asked).json()
    href = batch["objects"][0]["actions"]["upload"]["href"]
    line = b'{"key": "header", "value": {"summary": "s"}}\n{"key": "file", "value": {"path": "a", "content": "aaa"}}'

    class Leaking:
        """A file whose buffer cannot be written when it is closed."""

        def __init__(self, file: Any) -> None:
            self.file = file

        def close(self) -> None:
            self.file.close()
            full()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    before: Callable[..., None] = Incoming.__init__

    def leaking(self: Incoming, *arguments: Any) -> None:
        before(self, *arguments)
        self._file = Leaking(self._file)  # type: ignore[assignment]

    with monkeypatch.context() as patch:
        if at == "close":
            patch.setattr(Incoming, "__init__", leaking)
            patch.setattr(Incoming, "write", full)
        else:
            patch.setattr(Incoming, at, full)
        for send in (
            lambda: get_session().put(href, content=content),
            lambda: get_session().post(f"{hub.url}/api/datasets/medimg/x/commit/main", content=line),
        ):
            answer = send()
            assert answer.status_code == 507, answer.text
            told = answer.json()["error"]
            assert "bytes are free" in told and "Nothing of the request was kept" in told
            assert "This request needs" in told and answer.headers["x-error-message"]
    assert not list((hub.store.root / "tmp").iterdir())
    assert hub.store.object_size(oid) is None and hub.store.check() == []
    assert get_session().put(href, content=content).status_code == 200
    assert hub.store.object_size(oid) == len(content)
