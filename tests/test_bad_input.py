"""Hostile and broken sources: a named error with dataset, file and next step, and nothing is published."""

from __future__ import annotations

import ast
import importlib
import io
import pickle
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from medimg import errors, registry
from medimg.declaration import Source
from medimg.files import Files
from medimg.hub_sync import job
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.results import Result, Watcher
from medimg.hub_sync.sync import sync
from medimg.phantom import Phantom
from medimg.readers import arrays, dicom
from medimg.rows import Record, iterate
from medimg.schema import Row
from tests.miniatures import write


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hub]:
    with EmbeddedHub(tmp_path_factory.mktemp("store")) as server:
        yield Hub(server.url, "bad")


@pytest.fixture
def lits(tmp_path: Path) -> Path:
    registry.get("lits").miniature(Phantom(tmp_path / "root" / "lits"))
    return tmp_path / "root" / "lits"


def fails(hub: Hub, root: Path, name: str, *words: str) -> Result:
    """Sync must fail with these words in the reason, and leave the published state as it was."""
    before = hub.published(name).files
    result, *_ = sync([name], hub, root=str(root), check=False)
    assert result.status in ("failed", "blocked"), result
    for word in (name, *words):
        assert word.lower() in result.reason.lower(), result.reason
    after = hub.published(name).files
    assert {p for p in after if p.startswith(("data/", "metadata/", ".medimg/"))} == {
        p for p in before if p.startswith(("data/", "metadata/", ".medimg/"))
    }
    return result


def packed(folder: Path, change: Callable[[bytes], bytes] = lambda data: data) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return change(stream.getvalue())


def as_zip(lits: Path, data: bytes) -> Path:
    root = lits.parent.parent / "zips"
    root.mkdir(exist_ok=True)
    (root / "lits.zip").write_bytes(data)
    return root


def test_truncated_zip(hub: Hub, lits: Path) -> None:
    fails(hub, as_zip(lits, packed(lits, lambda data: data[: len(data) // 2])), "lits", "lits.zip", "next:")


def test_html_instead_of_zip(hub: Hub, lits: Path) -> None:
    page = b"<!DOCTYPE html><html><body>Please log in to download</body></html>"
    fails(hub, as_zip(lits, page), "lits", "html", "next:")


def test_zip_slip(hub: Hub, lits: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("../../escaped.nii", b"x")
    fails(hub, as_zip(lits, stream.getvalue()), "lits", "escaped.nii")
    assert not list(lits.parents[2].rglob("escaped.nii"))


def test_zip_bomb(hub: Hub, lits: Path) -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("test-volume-0.nii", bytes(200 * 2**20))
    data = bytearray(stream.getvalue())
    # The declared size lies in both headers: 1000 bytes instead of 200 MiB.
    true_size, false_size = (200 * 2**20).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    lying = bytes(data).replace(true_size, false_size)
    assert lying != bytes(data)
    fails(hub, as_zip(lits, lying), "lits", "test-volume-0.nii")


def test_mask_on_another_grid(hub: Hub, lits: Path) -> None:
    Phantom(lits).nifti("Training Batch 1/segmentation-0.nii", (12, 10, 7), labels=(1, 2), dtype="uint8")
    fails(hub, lits.parent, "lits", "volume-0.nii", "12, 10, 7")
    Phantom(lits).nifti("Training Batch 1/segmentation-0.nii", spacing=(0.7, 0.7, 4.9), labels=(1, 2), dtype="uint8")
    fails(hub, lits.parent, "lits", "volume-0.nii")


def test_value_outside_the_legend(hub: Hub, lits: Path) -> None:
    Phantom(lits).nifti("Training Batch 1/segmentation-0.nii", spacing=(0.7, 0.7, 5), labels=(1, 7), dtype="uint8")
    fails(hub, lits.parent, "lits", "segmentation-0.nii", "7", "next:")


def test_nan_affine(hub: Hub, lits: Path) -> None:
    path = lits / "Training Batch 1" / "volume-0.nii"
    data = bytearray(path.read_bytes())
    data[280:284] = np.float32("nan").tobytes()  # srow_x[0]
    path.write_bytes(data)
    fails(hub, lits.parent, "lits", "volume-0.nii")


def test_missing_mask_is_named(hub: Hub, lits: Path) -> None:
    (lits / "Training Batch 1" / "segmentation-0.nii").unlink()
    with Files.open(lits) as files:
        skipped = [item for item in iterate(registry.get("lits"), files) if not isinstance(item, Record)]
    assert [item.file.name for item in skipped] == ["volume-0.nii"] and "segmentation" in skipped[0].reason


def test_duplicate_id(lits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = registry.get("lits")

    def twice(files: Files) -> Iterator[Row]:
        for number, (file,) in enumerate(files.match(r"volume-\d+\.nii$")):
            yield Row(id=str(number % 3), split="test", subject="x", image=file)

    monkeypatch.setattr(builder.module, "rows", twice)
    with Files.open(lits) as files, pytest.raises(errors.DuplicateIdError) as caught:
        list(iterate(builder, files))
    assert "lits" in str(caught.value) and "volume" in str(caught.value) and "Next:" in str(caught.value)


def test_missing_slice_in_a_series(tmp_path: Path) -> None:
    Phantom(tmp_path).dicom_series("series", slices=6)
    written = Phantom().dicom_series("series", slices=6)
    (tmp_path / str(written[2]["path"])).unlink()
    with Files.open(tmp_path) as files, pytest.raises(errors.GeometryError, match="mm"):
        dicom.series(list(files)).read()


def test_pickled_array(tmp_path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return (exec, ("raise SystemExit('executed')",))

    stream = io.BytesIO()
    np.save(stream, np.array([Evil()], dtype=object), allow_pickle=True)
    (tmp_path / "images.npy").write_bytes(stream.getvalue())
    (tmp_path / "raw.npy").write_bytes(pickle.dumps(Evil()))
    with Files.open(tmp_path) as files:
        with pytest.raises(errors.PickleError, match=r"images\.npy"):
            arrays.npy(files.need(r"images\.npy$")).read()
        with pytest.raises(errors.MedimgError):
            arrays.npy(files.need(r"raw\.npy$")).read()


def test_wrong_checksum(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_bytes(b"a,b\n1,2\n")
    declared = [Source(url="https://example.org/images.csv", sha256="0" * 64)]
    with Files.open(tmp_path, dataset="lits", sources=declared, verify=True) as files:
        with pytest.raises(errors.ChecksumError) as caught:
            files.need("csv").read()
    assert "images.csv" in str(caught.value) and "Next:" in str(caught.value)


def test_sync_publishes_nothing_of_a_file_with_another_checksum(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make = Phantom()
    registry.get("hc18").miniature(make)
    write(make.files, tmp_path / "hc18")  # by hand: nothing says that these are phantoms
    monkeypatch.setattr(job, "LONG", 0)
    watcher = Watcher()
    notes: list[str] = []
    monkeypatch.setattr(watcher, "note", notes.append)
    result, *_ = sync(["hc18"], hub, root=str(tmp_path), check=False, watcher=watcher)
    assert result.status == "failed" and "training_set.zip: its sha256 is" in result.reason
    assert any(note.startswith("hc18: comparing training_set.zip") for note in notes)
    assert not hub.published("hc18").files.keys() & {"README.md", ".medimg/manifest.json"}


def test_wrong_size_is_noticed_at_once(tmp_path: Path) -> None:
    (tmp_path / "images.csv").write_bytes(b"a,b\n1,2\n")
    declared = [Source(url="https://example.org/images.csv", size=999)]
    with pytest.raises(errors.ChecksumError):
        list(Files.open(tmp_path, dataset="lits", sources=declared))


def test_quarantine_leaves_the_bad_row_out_and_names_it(lits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = registry.get("lits")
    path = lits / "Training Batch 1" / "volume-0.nii"
    path.write_bytes(path.read_bytes()[:500])
    lenient = builder.dataset.model_copy(update={"bad_files": "quarantine"})
    monkeypatch.setattr(builder.module, "DATASET", lenient)
    with Files.open(lits) as files:
        items = list(iterate(builder, files))
    assert sum(isinstance(item, Record) for item in items) == 3
    reasons = [item.reason for item in items if not isinstance(item, Record)]
    assert len(reasons) == 1 and reasons[0].startswith("quarantined")


def test_source_root_that_is_not_there(hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(errors.MedimgError, match="no folder"):
        sync(["lits"], hub, root=str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    result, *_ = sync(["lits"], hub, root=str(tmp_path / "empty"), check=False)
    assert result.status == "blocked" and "codalab" in result.reason


def test_every_message_ends_its_sentence() -> None:
    """The problem is a sentence of its own before the next step, whoever wrote its full stop."""
    assert str(errors.UnknownDatasetError("there is no dataset 'lit'", next_step="did you mean lits?")) == (
        "there is no dataset 'lit'. Next: did you mean lits?"
    )
    assert str(errors.SourceError("is cut.", dataset="lits", file="a.zip")) == "lits: a.zip: is cut."
    kinds = {
        name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.MedimgError)
    }
    ends = 0
    for module in ("medimg", "medimg.builders", "medimg.hub_sync", "medimg.cards"):
        for path in Path(next(iter(importlib.import_module(module).__path__))).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                name = getattr(getattr(node, "func", None), "id", getattr(getattr(node, "func", None), "attr", None))
                if not isinstance(node, ast.Call) or name not in kinds or not node.args:
                    continue
                last = node.args[0].values[-1] if isinstance(node.args[0], ast.JoinedStr) else node.args[0]
                if isinstance(last, ast.Constant) and isinstance(last.value, str) and last.value.strip():
                    ends += 1
                    told = str(errors.MedimgError(f"problem{last.value}", next_step="step"))
                    assert re.search(r"[^.\s][.!?:…]\s+Next: step$", told), f"{path}:{node.lineno}: {told}"
    assert ends > 200
