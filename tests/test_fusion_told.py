"""A fused set holds what was asked for, or says what is missing: members, rows, states and caches of other requests."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import warnings
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medimg import loading, registry
from medimg.errors import FormatError, GeometryError, MissingExtraError, SourceError, SourceRequiredError
from medimg.fusion import fuse
from medimg.fusion.errors import FusionError, StateError
from medimg.phantom import Phantom
from medimg.report import MedimgWarning

MEMBERS = ["lits", "chaos", "msd-liver"]
ASKED: dict[str, Any] = {
    "modality": "CT",
    "task": "segmentation",
    "targets": ["liver"],
    "on_duplicate": "ignore",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Copies of three members in their original layout."""
    for name in MEMBERS:
        registry.get(name).miniature(Phantom(tmp_path / "root" / name))
    return tmp_path / "root"


def emptied(folder: Path) -> None:
    """A folder that holds something, and nothing of its dataset."""
    shutil.rmtree(folder)
    folder.mkdir()
    (folder / "readme.txt").write_text("moved to another disk")


def ids(rows: Any) -> list[str]:
    return [row["id"] for row in rows]


# ---------------------------------------------------------------------------------------------------- members


@pytest.mark.parametrize("on_duplicate", ["ignore", "drop"])
def test_a_named_member_that_cannot_be_had_is_an_error_before_the_first_row(root: Path, on_duplicate: str) -> None:
    asked = {**ASKED, "on_duplicate": on_duplicate, "source": root}
    shutil.rmtree(root / "chaos")
    with pytest.raises(SourceRequiredError, match=r"chaos.*Next: put the original into"):
        fuse(MEMBERS, **asked)
    (root / "chaos.zip").write_bytes(b"<html>log in</html>")
    with pytest.raises(SourceError, match=r"chaos.*"):
        fuse(MEMBERS, **asked)
    (root / "chaos.zip").unlink()
    (root / "chaos").mkdir()
    emptied(root / "chaos")
    with pytest.raises(SourceError, match=r"chaos: .*Next: "):
        fuse(MEMBERS, **asked)


@pytest.mark.parametrize("on_duplicate", ["ignore", "drop"])
def test_a_member_that_was_found_by_criteria_and_has_nothing_is_told(root: Path, on_duplicate: str) -> None:
    emptied(root / "chaos")
    asked = {**ASKED, "on_duplicate": on_duplicate, "organ": "liver", "source": root}
    with pytest.warns(MedimgWarning, match="left out of the fused set: chaos: ") as told:
        rows = fuse(**asked)
    assert len([each for each in told if "chaos" in str(each.message)]) == 1
    assert [member.name for member in rows.plan.members] == ["lits", "msd-liver"]
    assert "chaos" in {each.member for each in rows.plan.left_out}
    assert {row["dataset"] for row in rows} <= {"lits", "msd-liver"}
    for name in ("lits", "msd-liver"):
        emptied(root / name)
    with pytest.raises(FusionError, match=r"no member has a row of what was asked for: .*lits: .*"):
        fuse(**asked)


def test_a_named_dataset_is_there_if_one_of_its_parts_is(tmp_path: Path) -> None:
    registry.get("medmnist-v2").miniature(Phantom(tmp_path / "medmnist-v2"))
    for file in (tmp_path / "medmnist-v2").iterdir():
        if file.suffix == ".npz" and "pneumoniamnist" not in file.name:
            file.unlink()
    asked: dict[str, Any] = {"source": tmp_path, "dimension": "2d", "on_duplicate": "ignore"}
    with pytest.warns(MedimgWarning, match="medmnist-v2/bloodmnist"):
        rows = fuse("medmnist-v2", **asked)
    assert [member.key for member in rows.plan.members] == ["medmnist-v2/pneumoniamnist"]
    with pytest.raises(SourceError, match="medmnist-v2/bloodmnist"):
        fuse(["medmnist-v2/pneumoniamnist", "medmnist-v2/bloodmnist"], **asked)


def test_a_split_that_a_copy_lacks_is_an_error_that_says_what_is_there(root: Path) -> None:
    for path in (root / "lits").glob("Tra*ing Batch*"):
        shutil.rmtree(path)
    with pytest.raises(SourceError, match=r"lits: this copy has no row of default/train; it has rows of .*test"):
        fuse("lits", source=root, split="train", targets=["liver"])


# ------------------------------------------------------------------------------------------------------- rows


def test_a_member_whose_extra_is_not_installed_is_told_or_an_error_where_it_was_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.get("lits").miniature(Phantom(tmp_path / "lits"))
    registry.get("chaos").miniature(Phantom(tmp_path / "chaos"))
    monkeypatch.setattr(loading, "_folder", lambda: tmp_path / "phantoms")
    loading.miniature.cache_clear()
    monkeypatch.setitem(sys.modules, "pydicom", None)
    wish: dict[str, Any] = {"targets": ["liver"], "split": "train", "on_duplicate": "ignore"}
    try:
        for source in ("miniature", str(tmp_path)):
            with pytest.warns(MedimgWarning, match=r"left out of the fused set: .*chaos.*medimg\[dicom\]"):
                rows = fuse(modality="CT", organ="liver", task="segmentation", source=source, **wish)
            assert "chaos" in {each.member for each in rows.plan.left_out}
            assert next(iter(rows))["provenance"]["member"] != "chaos"
            with pytest.raises(MissingExtraError, match=r'chaos.*pip install "medimg\[dicom\]"'):
                next(iter(fuse(["lits", "chaos"], modality="CT", source=source, **wish)))
    finally:
        loading.miniature.cache_clear()


def test_what_is_left_out_is_counted_per_member_and_told_once() -> None:
    asked = {**ASKED, "source": "miniature"}
    rows = fuse(["chaos", "lits"], **asked)
    with pytest.warns(MedimgWarning) as told:
        given = ids(rows)
    assert len(told) == 2 and {str(each.message).split(":")[0] for each in told} == {"chaos", "lits"}
    reasons = {key: dict(report.skipped) for key, report in rows.report.left_out.items()}
    assert "its modality is MRI, asked for: CT" in reasons["chaos"], "chaos has both"
    assert reasons["lits"]["says nothing on liver"].examples[0].startswith("lits/")
    for key, report in rows.report.left_out.items():
        assert report.finished and sum(report.rows.values()) == len([i for i in given if i.startswith(key)])
    with warnings.catch_warnings():
        warnings.simplefilter("error", MedimgWarning)
        assert ids(rows) == given, "once, however often it is iterated"
    assert {key: report.skipped for key, report in rows.report.left_out.items()} == reasons, "and counted once"


def test_rows_without_the_terms_asked_for_are_counted() -> None:
    rows = fuse(
        "covid-chestxray/images",
        source="miniature",
        targets=["pneumonia"],
        task="classification",
        license_terms="commercial",
    )
    with pytest.warns(MedimgWarning, match="does not meet: commercial"):
        given = list(rows)
    report = rows.report.left_out["covid-chestxray/images"]
    assert report.left_out > 0 and sum(report.rows.values()) == len(given)


def test_a_bad_row_costs_itself_or_stops_as_the_declaration_says(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.rmtree(root / "lits" / "Traing Batch 2")
    (bad,) = (root / "lits").rglob("volume-0.nii")
    bad.write_bytes(b"no volume")
    builder = registry.get("lits")
    asked = {**ASKED, "source": root}
    for policy in ("quarantine", "stop"):
        dataset = builder.dataset.model_copy(update={"bad_files": policy})
        monkeypatch.setattr(builder.module, "DATASET", dataset)
        rows = fuse("lits", **asked)
        if policy == "stop":
            with pytest.raises(FormatError, match=r"lits: .*volume-\d+\.nii"):
                list(rows)
            continue
        with pytest.warns(MedimgWarning, match="lits: .*quarantined"):
            given = ids(rows)
        assert given and "lits/0" not in given
        for path in (root / "lits").rglob("volume-*.nii"):
            path.write_bytes(b"no volume")
        with pytest.raises(SourceError, match=r"none of its .* rows can be used .*quarantined"):
            list(fuse("lits", **asked))


# ------------------------------------------------------------------------------------- rows that the grid drops


@pytest.mark.parametrize("shuffle_buffer", [0, 3])
@pytest.mark.parametrize("slices", [None, "axial"])
def test_rows_that_cannot_be_resampled_are_dropped_and_the_rest_resumes(
    shuffle_buffer: int, slices: str | None
) -> None:
    """LiTS has volumes that lost their spacing."""
    asked = {**ASKED, "source": "miniature", "shuffle_buffer": shuffle_buffer}
    whole = {row["id"]: row["spacing"] for row in fuse(["lits", "chaos"], **asked)}
    lost = {id_ for id_, spacing in whole.items() if not spacing}
    assert lost and len(lost) < len(whole)
    grid = {"spacing": 2.0, **({"slices": slices, "orientation": "LPS"} if slices else {})}
    with pytest.raises(GeometryError, match="unknown_spacing"):
        list(fuse(["lits", "chaos"], **asked, grid=grid))
    asked["grid"] = {**grid, "unknown_spacing": "drop"}
    rows = fuse(["lits", "chaos"], **asked)
    given = ids(rows)
    assert {"/".join(id_.split("/")[:2]) for id_ in given if id_.startswith("lits")} == {
        id_ for id_ in whole if id_.startswith("lits")
    } - lost
    reasons = rows.report.left_out["lits"].skipped
    assert reasons["it states no spacing, so it cannot be resampled"].count == len(lost)
    for after in range(len(given) if slices is None else 4):
        first = fuse(["lits", "chaos"], **asked)
        head = ids(islice(first, after))
        rest = fuse(["lits", "chaos"], **asked)
        rest.load_state_dict(first.state_dict())
        assert head + ids(rest) == given, f"resumed after {after}"


# ------------------------------------------------------------------------------------------------------ states


CHANGES: list[dict[str, Any]] = [
    {"targets": ["liver", "liver tumor"]},
    {"encoding": "channels"},
    {"grid": {"orientation": "LPS"}},
    {"grid": {"unknown_spacing": "drop", "spacing": 1.0}},
    {"unlabeled": True},
    {"on_duplicate": "drop"},
    {"near": False},
    {"prefer": ["chaos"]},
    {"seed": 1},
    {"weights": {"lits": 1, "chaos": 2}},
    {"split": "train"},
    {"license_terms": "known"},
    {"modality": None},
    {"task": None},
    {"shuffle_buffer": 2},
    {"minimum": 2},
    {"dimension": "3d"},
    {"namespace": "another"},
    {"organ": "liver"},
    {"names": ["chaos", "lits"]},
    {"names": ["lits"], "weights": {"lits": 1}},
]


@pytest.fixture(scope="module")
def saved() -> tuple[dict[str, Any], dict[str, Any]]:
    asked = {"names": ["lits", "chaos"], **ASKED, "weights": {"lits": 1, "chaos": 1}, "source": "miniature"}
    rows = fuse(**asked)
    next(iter(rows))
    return asked, json.loads(json.dumps(rows.state_dict()))


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: "-".join(change))
def test_a_state_of_another_request_is_refused(
    change: dict[str, Any], saved: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    asked, state = saved
    same = fuse(**asked)
    same.load_state_dict(state)
    assert next(iter(same)) is not None
    other = fuse(**{**asked, **change})
    other.load_state_dict(state)
    with pytest.raises(StateError, match="its request, seed or members"):
        next(iter(other))


def test_a_state_of_other_members_is_refused_and_one_of_the_same_elsewhere_is_not(root: Path) -> None:
    asked = {"names": ["lits", "chaos"], **ASKED}
    rows = fuse(**asked, source=root)
    whole = ids(rows)
    next(iter(rows))
    state = rows.state_dict()
    moved = root.with_name("moved")
    shutil.copytree(root, moved)  # with its times
    same = fuse(**asked, source=moved)
    same.load_state_dict(state)
    assert ids(same) == whole[1:]
    Phantom(moved / "lits").nifti("Training Batch 1/volume-0.nii", spacing=(0.7, 0.7, 5), seed="another patient")
    for changed in (moved, "miniature"):
        other = fuse(**asked, source=changed)
        other.load_state_dict(state)
        with pytest.raises(StateError):
            next(iter(other))


def test_a_state_survives_another_process(root: Path) -> None:
    asked = {"names": ["lits", "chaos"], **ASKED, "source": str(root), "shuffle_buffer": 2}
    rows = fuse(**asked)
    whole = ids(rows)
    list(islice(rows, 2))
    program = f"""
import json, pickle, sys
from medimg.fusion import fuse
rows = fuse(**{asked!r})
rows.load_state_dict(pickle.loads(bytes.fromhex(sys.argv[1])))
print(json.dumps([row["id"] for row in rows]))
"""
    command = [sys.executable, "-c", program, pickle.dumps(rows.state_dict()).hex()]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == whole[2:]


# ----------------------------------------------------------------------------------------------- the stored set


STORED = """
import json, sys, warnings
from medimg import rows as engine
from medimg.fusion import fuse, sources
decoded = []
materialize = engine.materialize
for module in (engine, sources):
    module.materialize = lambda dataset, row, origin: decoded.append(row.id) or materialize(dataset, row, origin)
for asked in json.loads(sys.argv[1]):
    decoded.clear()
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        rows = fuse(streaming=False, **asked)
    left_out = {key: report.left_out for key, report in rows.report.left_out.items()}
    names = sorted(str(each.message).split(":")[0] for each in told if "Medimg" in each.category.__name__)
    files = [each["filename"] for each in rows.cache_files]
    shape = rows[0]["image"].shape
    print(json.dumps([list(rows["id"]), files, decoded, left_out, names, shape]))
"""


def stored(home: Path, requests: list[dict[str, Any]]) -> list[Any]:
    """What one process finds or makes, request by request."""
    environment = {**os.environ, "HF_HOME": str(home)}
    command = [sys.executable, "-c", STORED, json.dumps(requests)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()[-len(requests) :]]


def written(home: Path) -> set[Path]:
    return set(home.rglob("*.arrow"))


def test_a_stored_set_is_made_once_over_processes(root: Path, tmp_path: Path) -> None:
    home = tmp_path / "hf"
    same = {**ASKED, "names": ["chaos", "lits"], "weights": "interleave"}
    requests = [
        {**same, "on_duplicate": on_duplicate, "source": source}
        for on_duplicate in ("ignore", "drop")
        for source in ("miniature", str(root))
    ]
    made = stored(home, requests)
    before = written(home)
    assert before and all(first[2] for first in made)
    other = [{**asked, "seed": 1} for asked in requests]
    found = stored(home, [*requests, *other])
    for first, second, another in zip(made, found[:4], found[4:], strict=True):
        assert second[2] == [], "nothing is decoded"
        assert second[:2] == first[:2]
        assert second[3:] == first[3:] and first[3]["lits"] > 0 and first[4] == ["chaos", "lits"], "told again"
        assert another[1] != first[1], "another request is another set"
    files = [{name for name in each[1]} for each in (*made, *found[4:])]
    assert len(written(home)) == len(set().union(*files)) > len(before), "nothing was written twice"
    Phantom(root / "lits").nifti("Training Batch 1/volume-0.nii", spacing=(0.7, 0.7, 5), seed="another one")
    for asked, first, again in zip(requests, made, stored(home, requests), strict=True):
        assert (again[1] == first[1]) is (asked["source"] == "miniature"), "another source is another set"


def test_a_set_can_be_stored_where_torch_is_loaded() -> None:
    pytest.importorskip("torch", reason="`datasets` keeps its epoch in a tensor where torch is there")
    rows = fuse(["lits", "chaos"], **ASKED, source="miniature", streaming=False)
    assert len(rows) > 0 and np.asarray(rows[0]["image"].dataobj).size
