"""Labels of equal images become one row's: what either annotator knows, and where two contradict each other."""

from __future__ import annotations

import io
import json
import os
import pickle
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import medimg
from medimg.errors import FormatError
from medimg.files import Files
from medimg.fusion import fuse, scanning, sources
from medimg.fusion.donors import Donor, Donors, merged_license, refusal, with_donors
from medimg.fusion.duplicates import DuplicateError, find_duplicates
from medimg.fusion.entries import Scanned
from medimg.fusion.errors import RequestError
from medimg.fusion.facts import Facts, looked_for
from medimg.fusion.labels import Harmonizer
from medimg.fusion.locating import look
from medimg.fusion.merging import merge
from medimg.fusion.report import Report
from medimg.phantom import Phantom
from medimg.pixels import Array, Volume
from medimg.schema import features

TARGETS = ["liver", "spleen", "kidney", "pancreas", "liver tumor"]
IGNORE = 255


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No Hub, and no signature that another test has made."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr(scanning, "cache_path", lambda: tmp_path / "cache" / "signatures.sqlite")


# ------------------------------------------------------------------------------------------- two annotators' rows

SHAPE = (4, 6)
NAMES = ("liver", "liver tumor", "spleen", "left kidney", "right kidney", "kidney", "pancreas")
LEGENDS: list[dict[int, tuple[str, ...]]] = [
    {},
    {1: ("liver",)},
    {1: ("liver",), 2: ("liver", "liver tumor")},
    {1: ("liver tumor",)},
    {1: ("liver",), 2: ()},
    {1: ("spleen",), 2: ("kidney",)},
    {1: ("left kidney",), 2: ("right kidney",)},
    {1: ("liver",), 2: ("kidney",), 3: ("spleen",), 4: ("pancreas",)},
]


def png(array: Array) -> dict[str, Any]:
    stream = io.BytesIO()
    Image.fromarray(array.astype(np.uint8)).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": "a.png"}


def made_row(key: str, legend: Mapping[int, tuple[str, ...]], mask: Array, **label: Any) -> dict[str, Any]:
    outlined = [name for names in legend.values() for name in names]
    return {
        "id": key,
        "dataset": key.partition("/")[0],
        "image": png(np.zeros(SHAPE)),
        "shape": list(SHAPE),
        "spacing": None,
        "content": "equal",
        "license": "CC-BY-4.0",
        "label": {
            "classes": [],
            "uncertain": [],
            "assessed": [*outlined, *label.pop("absent", ())],
            "mask": png(mask) if legend else None,
            "legend": [{"value": value, "names": list(names)} for value, names in legend.items()],
            "instances": False,
            "boxes": [],
            "points": [],
            "measures": [],
            **label,
        },
    }


@st.composite
def annotated(draw: st.DrawFn, key: str) -> dict[str, Any]:
    legend = draw(st.sampled_from(LEGENDS))
    values = st.sampled_from([0, *legend])
    mask = np.array(draw(st.lists(values, min_size=24, max_size=24))).reshape(SHAPE)
    outlined = {name for names in legend.values() for name in names}
    absent = draw(st.sets(st.sampled_from(NAMES), max_size=2)) - outlined
    return made_row(key, legend, mask, absent=sorted(absent))


targeted = st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True)
encodings = st.sampled_from(["index", "channels"])


def pixels(fused: Mapping[str, Any]) -> Array | None:
    """(targets or 1, height, width)."""
    found = fused["channels"] or ([fused["mask"]] if fused["mask"] else None)
    if found is None:
        return None
    return np.stack([np.asarray(Image.open(io.BytesIO(each["bytes"]))) for each in found])


def alone(harmonizer: Harmonizer, row: Mapping[str, Any], like: Array) -> Array:
    """What the row says by itself; nothing where it has no mask."""
    found = pixels(harmonizer(row, "2d"))
    return np.full_like(like, IGNORE) if found is None else found


def sought(row: Mapping[str, Any], target: str) -> bool:
    facts = Facts.of(row["label"])
    return looked_for(target, facts.outlined, facts.nowhere)


@settings(max_examples=300)
@given(annotated("a/1"), annotated("b/1"), targeted, encodings)
def test_what_a_row_knows_stays_and_nothing_is_made_up(
    row: dict[str, Any], other: dict[str, Any], targets: list[str], encoding: Any
) -> None:
    harmonizer = Harmonizer(targets, encoding=encoding)
    fused, (given_,) = merge(harmonizer, row, [other], "2d")
    before = harmonizer(row, "2d")
    assert all(b in (-1, a) for a, b in zip(fused["classes"], before["classes"], strict=True))
    found = pixels(fused)
    if found is None:
        assert pixels(before) is None
        return
    own, theirs = alone(harmonizer, row, found), alone(harmonizer, other, found)
    changed = (own != IGNORE) & (found != own)
    disputed = {each.target for each in given_.contradicts if each.what == "mask"}
    if encoding == "channels" or not disputed:
        assert not changed.any(), "what the row knows is never changed"
    for code in np.unique(found[changed]):
        # One map holds one number: that of a target that the row never looked for, and told.
        assert code != IGNORE and not sought(row, targets[code - 1]) and disputed
    if encoding == "channels":
        for channel, target in enumerate(targets):
            if (found[channel] == 0).any():
                assert sought(row, target) or sought(other, target) or "kidney" in target
        if not given_.contradicts:
            filled = np.where(own != IGNORE, own, theirs)
            assert (found == filled)[filled != IGNORE].all(), "what either knows is known"
    elif not disputed:
        background = found[0] == 0
        assert not (background & (theirs[0] != IGNORE) & (theirs[0] != 0)).any()


@settings(max_examples=300)
@given(annotated("a/1"), annotated("b/1"), targeted, encodings)
def test_the_order_is_the_same_where_nothing_contradicts(
    row: dict[str, Any], other: dict[str, Any], targets: list[str], encoding: Any
) -> None:
    harmonizer = Harmonizer(targets, encoding=encoding)
    one, (first,) = merge(harmonizer, row, [other], "2d")
    two, (second,) = merge(harmonizer, other, [row], "2d")
    assert bool(first.contradicts) == bool(second.contradicts)
    if not first.contradicts:
        assert one["classes"] == two["classes"] and one["label"] == two["label"]
        maps = [pixels(each) for each in (one, two)]
        bare = [each is None or bool((each == IGNORE).all()) for each in maps]
        assert all(bare) or np.array_equal(*maps)  # type: ignore[arg-type]
    again, (nothing,) = merge(harmonizer, row, [{**row, "id": "c/1"}], "2d")
    assert not nothing.targets and not nothing.contradicts
    assert again == harmonizer(row, "2d")


def square(*cells: tuple[slice, slice, int]) -> Array:
    mask = np.zeros(SHAPE, dtype=np.uint8)
    for rows, columns, value in cells:
        mask[rows, columns] = value
    return mask


WHOLE, LEFT, MIDDLE = slice(None), slice(0, 2), slice(1, 3)
ORGANS = {1: ("liver",), 2: ("spleen",)}
LITS = {1: ("liver",), 2: ("liver", "liver tumor")}


def test_an_organ_of_one_and_its_tumor_of_the_other_are_one_label() -> None:
    organs = made_row("a/1", ORGANS, square((WHOLE, LEFT, 1), (WHOLE, slice(4, 6), 2)))
    tumor = made_row("b/1", LITS, square((WHOLE, LEFT, 1), (MIDDLE, slice(0, 1), 2)))
    targets = ["liver", "spleen", "liver tumor"]
    expected = square((WHOLE, LEFT, 1), (WHOLE, slice(4, 6), 2), (MIDDLE, slice(0, 1), 3))
    for kept, other, gave in ((organs, tumor, {"liver tumor"}), (tumor, organs, {"spleen"})):
        fused, (one,) = merge(Harmonizer(targets), kept, [other], "2d")
        assert np.array_equal(pixels(fused), expected[None])  # type: ignore[arg-type]
        assert fused["classes"] == [1, 1, 1] and one.targets == gave and not one.contradicts


def test_where_both_looked_and_differ_the_row_that_stays_is_taken_at_its_word() -> None:
    row = made_row("a/1", {1: ("liver",)}, square((WHOLE, LEFT, 1)))
    other = made_row("b/1", LITS, square((WHOLE, MIDDLE, 1), (slice(0, 1), MIDDLE, 2)))
    fused, (one,) = merge(Harmonizer(["liver", "liver tumor"], encoding="channels"), row, [other], "2d")
    found = pixels(fused)
    assert found is not None
    assert np.array_equal(found[0], square((WHOLE, LEFT, 1))), "the liver is the row's own"
    assert np.array_equal(found[1], square((slice(0, 1), MIDDLE, 1))), "for tumors the other one alone has looked"
    assert [(each.target, each.what, each.count) for each in one.contradicts] == [("liver", "mask", 8)]
    assert one.targets == {"liver tumor"}
    # Nobody looked for tumors: where two draw the liver differently, nothing is known of them.
    nobody = made_row("b/1", {1: ("liver",)}, square((WHOLE, MIDDLE, 1)))
    fused, _ = merge(Harmonizer(["liver", "liver tumor"]), row, [nobody], "2d")
    assert np.array_equal(pixels(fused), square((WHOLE, LEFT, IGNORE))[None])  # type: ignore[arg-type]


def test_two_organs_at_one_place_are_a_contradiction_in_one_map() -> None:
    liver = made_row("a/1", {1: ("liver",)}, square((WHOLE, LEFT, 1)))
    spleen = made_row("b/1", {1: ("spleen",)}, square((WHOLE, MIDDLE, 1)))
    fused, (one,) = merge(Harmonizer(["liver", "spleen"]), liver, [spleen], "2d")
    assert np.array_equal(pixels(fused), square((WHOLE, LEFT, 1), (WHOLE, slice(2, 3), 2))[None])  # type: ignore[arg-type]
    assert [(each.target, each.count) for each in one.contradicts] == [("liver", 4), ("spleen", 4)]


def test_three_rows_and_a_row_without_a_mask() -> None:
    bare = made_row("a/1", {}, square(), absent=["pancreas"])
    liver = made_row("b/1", {1: ("liver",)}, square((WHOLE, LEFT, 1)))
    spleen = made_row("c/1", {1: ("spleen",)}, square((WHOLE, slice(4, 6), 1)))
    fused, given_ = merge(Harmonizer(["liver", "spleen", "pancreas"]), bare, [liver, spleen], "2d")
    expected = square((WHOLE, LEFT, 1), (WHOLE, slice(4, 6), 2))
    assert np.array_equal(pixels(fused), expected[None])  # type: ignore[arg-type]
    assert [one.targets for one in given_] == [{"liver"}, {"spleen"}]
    assert fused["classes"] == [1, 1, 0]


def test_a_mask_of_another_shape_gives_nothing_and_says_so() -> None:
    row = made_row("a/1", {1: ("liver",)}, square((WHOLE, LEFT, 1)))
    wrong = made_row("b/1", {1: ("spleen",)}, np.zeros((3, 3)))
    strange = made_row("c/1", {1: ("spleen",)}, square((WHOLE, LEFT, 9)))
    gone = FormatError("is cut")

    class Read(Donors):
        def read(self, donor: Donor) -> dict[str, Any]:
            found = {"b/1": wrong, "c/1": strange, "d/1": {**wrong, "content": "other"}}
            if donor.id not in found:
                raise gone
            return found[donor.id]

    every = [Donor(key[0], "train", key) for key in ("b/1", "c/1", "d/1", "e/1")]
    harmonizer = Harmonizer(["liver", "spleen"])
    fused, merged, terms, told = with_donors(Read({}, {"a/1": every}), harmonizer, row, "2d")
    assert fused == harmonizer(row, "2d") and terms == "CC-BY-4.0" and told == []
    problems = [str(each["problem"]) for each in merged]
    for problem, word in zip(problems, ("shape (3, 3)", "values [9]", "other pixels", "is cut"), strict=True):
        assert word in problem


def test_classes_boxes_and_measures() -> None:
    box = {"name": "liver tumor", "box": [0.0, 0.0, 2.0, 2.0]}
    age, height = ({"name": name, "value": value, "unit": unit} for name, value, unit in
                   (("bone age", 12.0, "mo"), ("body height", 1.5, "m")))  # fmt: skip
    row = made_row("a/1", {}, square(), classes=["pneumonia"], absent=["pneumonia"], measures=[age])
    other = made_row(
        "b/1",
        {},
        square(),
        absent=["pneumonia", "bacterial pneumonia", "cardiomegaly"],
        boxes=[box],
        measures=[{**age, "value": 13.0}, height],
    )
    targets = ["pneumonia", "bacterial pneumonia", "cardiomegaly", "liver tumor"]
    fused, (one,) = merge(Harmonizer(targets), row, [other], "2d")
    assert fused["classes"] == [1, -1, 0, 1], "what hangs together with what they differ in is not taken"
    assert fused["boxes"] == [box] and fused["measures"] == [age, height]
    assert one.targets == {"cardiomegaly", "liver tumor", "body height"}
    told = [(each.target, each.what, each.said, each.said_other) for each in one.contradicts]
    assert told == [
        ("pneumonia", "classes", "present", "absent"),
        ("bone age", "measures", "12 mo", "13 mo"),
    ]


@pytest.mark.parametrize(
    ("one", "other", "license"),
    [
        ("CC0-1.0", "CC-BY-4.0", "CC-BY-4.0"),
        ("CC-BY-4.0", "CC-BY-NC-4.0", "CC-BY-NC-4.0"),
        ("LicenseRef-AbdomenCT-1K", "CC-BY-NC-ND-4.0", "LicenseRef-AbdomenCT-1K"),
        ("CC-BY-SA-4.0", "CC-BY-NC-ND-4.0", "CC-BY-NC-ND-4.0"),
        ("CC-BY-SA-4.0", "CC-BY-NC-SA-4.0", None),
    ],
)
def test_the_stricter_license_or_none(one: str, other: str, license: str | None) -> None:
    for pair in ((one, other), (other, one)):
        if license is None:
            assert one in refusal(*pair) and other in refusal(*pair)
        else:
            assert refusal(*pair) == "" and merged_license(pair) == license


# ------------------------------------------------------------------------------------- what becomes of the labels


def test_lost_and_merged_labels_are_counted() -> None:
    kept = Scanned("a/1", "x", assessed=("liver", "spleen"))
    copy = Scanned("b/1", "x", assessed=("liver", "liver tumor"))
    third = Scanned("c/1", "x", assessed=("liver tumor",))
    elsewhere = Scanned("d/1", "y", subject="p", split="test", assessed=("liver",))
    leak = Scanned("d/2", "z", subject="p", assessed=("liver",))
    rows = [kept, copy, third, elsewhere, leak]
    report = find_duplicates(rows)
    assert report.lost == {"liver": 1, "liver tumor": 2} and report.merged == {}
    report = find_duplicates(rows, refusal=lambda one, other: "")
    assert report.lost == {"liver": 1} and report.merged == {"liver tumor": 1}
    assert {drop.key: drop.into for drop in report.dropped} == {"b/1": "a/1", "c/1": "a/1", "d/2": ""}
    assert "labels merged: liver tumor 1 row" in str(report) and "labels lost: liver 1 row" in str(report)
    report = find_duplicates(rows, refusal=lambda one, other: "no" if other.key == "b/1" else "")
    assert report.lost == {"liver": 1, "liver tumor": 1} and report.merged == {"liver tumor": 1}
    assert "not merged: no (1)" in str(report)
    assert json.loads(json.dumps(report.to_json()))["labels_lost"] == report.lost


def test_labels_of_a_leak_go_to_the_copy_that_stays_in_the_other_split() -> None:
    test = [Scanned("a/1", "x", split="test", assessed=("liver",)), Scanned("b/1", "x", split="test")]
    train = Scanned("c/1", "x", assessed=("spleen",))
    for order in ([*test, train], [test[1], test[0], train]):
        report = find_duplicates(order, refusal=lambda one, other: "")
        assert {drop.key: drop.into for drop in report.dropped}["c/1"] == "a/1"
        assert report.merged == {"spleen": 1} and report.lost == {}


def test_rows_that_nobody_has_looked_at_are_nobodys_duplicates() -> None:
    rows = [Scanned(f"a/{n}", "", subject="p" if n else None, split="train" if n < 2 else "test") for n in range(4)]
    report = find_duplicates(rows)
    assert report.hashed == 0 and report.groups == ()
    assert [(drop.key, drop.reason) for drop in report.dropped] == [("a/1", "leak: subject")]


# ---------------------------------------------------------------------------------------------------- whole sets

GRID = (12, 10, 6)


def scan(seed: int, dtype: Any = np.int16) -> Array:
    return np.random.default_rng(seed).integers(-200, 200, GRID).astype(dtype)


def boxed(**values: tuple[slice, int]) -> Array:
    mask = np.zeros(GRID, dtype=np.uint8)
    for rows, value in values.values():
        mask[rows] = value
    return mask


TUMOR = boxed(liver=(slice(2, 6), 1), tumor=(slice(3, 4), 2))
FOUR = boxed(liver=(slice(2, 6), 1), kidney=(slice(7, 8), 2), spleen=(slice(8, 9), 3), pancreas=(slice(9, 10), 4))
BOTH = boxed(liver=(slice(2, 6), 1), t=(slice(3, 4), 5), s=(slice(8, 9), 2), k=(slice(7, 8), 3), p=(slice(9, 10), 4))


def write(path: Path, array: Array) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(Volume.from_array(array, np.diag([0.7, 0.7, 2.0, 1.0])).nifti))


def originals(root: Path, shared: int = 2, tumor: Array = TUMOR) -> Path:
    """LiTS with three scans, of which AbdomenCT-1K holds the first ones again, and one of its own."""
    for case in range(3):
        write(root / "lits" / f"volume-{case}.nii", scan(case))
        write(root / "lits" / f"segmentation-{case}.nii", tumor)
    for case in [*range(shared), 9]:
        write(root / "abdomenct-1k" / "images" / f"Case_{case + 1:05}_0000.nii", scan(case))
        write(root / "abdomenct-1k" / "Mask" / f"Case_{case + 1:05}.nii", FOUR)
    return root


def fused(root: Path, **options: Any) -> Any:
    names = ["lits", "abdomenct-1k"]
    return fuse(names, **{"targets": TARGETS, "task": "segmentation", "source": root, **options})


def masks(rows: Any) -> dict[str, Array]:
    return {row["id"]: np.asarray(row["fused"]["mask"].dataobj) for row in rows}


def test_equal_images_keep_the_labels_of_both(tmp_path: Path) -> None:
    rows = fused(originals(tmp_path))
    assert rows.report.merged == {"liver tumor": 2} and rows.report.lost == {}
    found = {row["id"]: row for row in rows}
    assert set(found) == {"lits/2", *(f"abdomenct-1k/Case_{n:05}" for n in (1, 2, 10))}
    row = found["abdomenct-1k/Case_00001"]
    assert np.array_equal(np.asarray(row["fused"]["mask"].dataobj), BOTH)
    assert row["fused"]["classes"] == [1] * 5
    (other,) = row["provenance"]["merged"]
    assert (other["member"], other["id"], other["split"]) == ("lits", "lits/0", "train")
    assert other["license"] == "CC-BY-NC-ND-4.0" and other["targets"] == ["liver tumor"]
    assert other["contradicts"] == [] and other["problem"] is None
    assert {name for each in row["label"]["legend"] for name in each["names"]} == set(TARGETS[:4]), "its own label"
    assert found["lits/2"]["provenance"]["merged"] == [] and rows.report.contradictions == ()


def test_the_rows_of_the_preferred_member_stay(tmp_path: Path) -> None:
    rows = fused(originals(tmp_path), prefer=["LiTS17"])
    assert {drop.member for drop in rows.report.dropped} == {"abdomenct-1k"}
    assert rows.report.merged == {"kidney": 2, "pancreas": 2, "spleen": 2} and rows.report.lost == {}
    assert np.array_equal(masks(rows)["lits/0"], BOTH)
    assert rows.plan.request.prefer == ("LiTS17",)
    with pytest.raises(RequestError, match=r"'chaos', which is no member.*abdomenct-1k, lits|lits, abdomenct-1k"):
        fused(tmp_path, prefer=["chaos"], plan=True)


def test_contradictions_are_told_with_the_pair_and_the_target(tmp_path: Path) -> None:
    shifted = boxed(liver=(slice(3, 7), 1), tumor=(slice(4, 5), 2))
    rows = fused(originals(tmp_path, shared=1, tumor=shifted))
    assert rows.report.contradictions == ()
    found = {row["id"]: row for row in rows.decode(False)}
    (told,) = rows.report.contradictions
    assert (told.kept, told.other, told.target, told.what) == (
        "abdomenct-1k/Case_00001",
        "lits/0",
        "liver",
        "mask",
    )
    assert told.count == 2 * 10 * 6
    (entry,) = found["abdomenct-1k/Case_00001"]["provenance"]["merged"]
    assert entry["contradicts"] == [{"target": "liver", "what": "mask", "count": 120, "kept": None, "other": None}]
    assert "contradiction: abdomenct-1k/Case_00001 and lits/0 on liver (mask: 120 pixels)" in str(rows.report)
    assert list(rows.decode(False)) and len(rows.report.contradictions) == 1, "told once, however often it is read"


def test_labels_of_near_duplicates_are_lost_and_counted(tmp_path: Path) -> None:
    root = originals(tmp_path, shared=1)
    write(root / "abdomenct-1k" / "images" / "Case_00001_0000.nii", scan(0, np.float64))
    rows = fused(root)
    assert rows.report.lost == {"liver tumor": 1} and rows.report.merged == {}
    assert "labels lost: liver tumor 1 row" in str(rows.report)
    assert fused(root, prefer=["lits"]).report.lost == {"kidney": 1, "pancreas": 1, "spleen": 1}


def test_merged_rows_are_pickled_resumed_and_cut_into_slices(tmp_path: Path) -> None:
    root = originals(tmp_path)
    rows = fused(root, weights="interleave", shuffle_buffer=2, seed=4)
    expected = [(row["id"], row["fused"], row["provenance"]) for row in rows.decode(False)]
    again = pickle.loads(pickle.dumps(rows)).decode(False)
    assert [(row["id"], row["fused"], row["provenance"]) for row in again] == expected
    begun = fused(root, weights="interleave", shuffle_buffer=2, seed=4)
    iterator = iter(begun)
    next(iterator)
    resumed = fused(root, weights="interleave", shuffle_buffer=2, seed=4)
    resumed.load_state_dict(json.loads(json.dumps(begun.state_dict())))
    assert [row["id"] for row in resumed] == [key for key, *_ in expected[1:]]

    slices = fused(root, grid={"slices": 0})
    found = {row["id"]: row for row in slices if row["id"].startswith("abdomenct-1k/Case_00001/")}
    with_tumor = found["abdomenct-1k/Case_00001/i0003"]
    assert np.unique(np.asarray(with_tumor["fused"]["mask"])).tolist() == [5]
    assert with_tumor["fused"]["classes"][4] == 1
    assert found["abdomenct-1k/Case_00001/i0004"]["fused"]["classes"][4] == 0


# ------------------------------------------------------------------------------------------ what is read, and when


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Ids of the rows that are decoded from now on."""
    seen: list[str] = []
    original = sources.materialize

    def counted(dataset: Any, row: Any, origin: Any) -> Any:
        seen.append(f"{dataset.name}/{row.id}")
        return original(dataset, row, origin)

    monkeypatch.setattr(sources, "materialize", counted)
    return seen


def test_nothing_is_decoded_ahead_where_it_is_not_asked_for(tmp_path: Path, decoded: list[str]) -> None:
    root = originals(tmp_path)
    for options in ({"near": False, "on_duplicate": "keep"}, {"on_duplicate": "ignore"}):
        rows = fused(root, **options)
        assert decoded == []
        assert next(iter(rows))["id"] == "lits/0" and decoded == ["lits/0"]
        assert set(rows.report.not_compared) == {"lits", "abdomenct-1k"} and "not compared: lits" in str(rows.report)
        assert [each.found for each in rows.report.overlaps] == [None]
        assert "declared, not compared" in str(rows.report) and "declared, not compared" in str(rows.plan)
        decoded.clear()
    fused(root, near=False)
    assert len(decoded) == 6, "without a hash nothing can be told to be equal"


def test_persons_are_told_apart_without_pixels(tmp_path: Path, decoded: list[str]) -> None:
    make = Phantom(tmp_path / "ham10000")
    head = ["lesion_id", "image_id", "dx", "dx_type", "age", "sex", "localization"]
    for number in range(3):
        make.image(f"HAM10000_images_part_1/ISIC_002430{number}.jpg", (60, 45), mode="RGB", seed=f"a{number}")
        make.image(f"ISIC2018_Task3_Test_Images/ISIC_003450{number}.jpg", (60, 45), mode="RGB", seed=f"b{number}")
    lines = {
        "HAM10000_metadata": ("HAM_1", "ISIC_002430"),
        "ISIC2018_Task3_Test_GroundTruth": ("", "ISIC_003450"),
    }
    for table, (lesion, image) in lines.items():
        rows = [
            (
                lesion or ("HAM_1" if number == 0 else ""),
                f"{image}{number}",
                "nv",
                "histo",
                80,
                "male",
                "scalp",
            )
            for number in range(3)
        ]
        make.csv(f"{table}.csv", head, rows)
    asked = {"targets": ["melanocytic nevus"], "task": "classification", "source": tmp_path}
    report = fuse("ham10000", near=False, on_duplicate="keep", **asked).report
    assert decoded == [] and {drop.reason for drop in report.dropped} == {"leak: subject"}
    assert len(report.dropped) == 3, "the lesion stands in the test part; blank ones are nobody's"


def test_addresses_are_not_downloaded_to_be_compared(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert look("official", "drop", None) == look("s3://bucket/lits", "drop", False) == "nothing"
    assert look("official", "drop", True) == "pixels" and look(None, "drop", None) == "content"

    def opened(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("the source must not be opened")

    monkeypatch.setattr(sources, "open_source", opened)
    for where in ("official", "https://host/root"):
        names = ["msd-liver", "msd-spleen"]
        rows = fuse(names, targets=["liver", "spleen"], source=where)
        assert set(rows.report.not_compared) == {"msd-liver", "msd-spleen"}
        assert "near=True" in str(rows.report)
        with pytest.raises(AssertionError):
            fuse(names, targets=["liver", "spleen"], source=where, near=True)


def test_one_bad_file_ends_no_comparison(tmp_path: Path) -> None:
    root = originals(tmp_path)
    path = root / "lits" / "volume-1.nii"
    path.write_bytes(path.read_bytes()[:400])
    rows = fused(root)
    (bad,) = rows.report.unread
    assert bad.key == "lits/1" and "volume-1.nii" in bad.reason and "not read: lits/1" in str(rows.report)
    assert {drop.key for drop in rows.report.dropped} == {"lits/0"}
    with pytest.raises(FormatError, match=r"volume-1\.nii"):
        list(rows)


def test_bad_rows_are_left_out_and_told_where_the_declaration_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset = medimg.registry.get("lits").dataset
    lenient = dataset.model_copy(update={"bad_files": "quarantine"})
    monkeypatch.setattr(medimg.registry.get("lits").module, "DATASET", lenient)
    monkeypatch.setattr(sources.Rows, "dataset", property(
        lambda self: lenient if self.key == "lits" else medimg.registry.get(self.key).dataset))  # fmt: skip
    root = originals(tmp_path)
    path = root / "lits" / "volume-2.nii"
    path.write_bytes(path.read_bytes()[:400])
    rows = fused(root)
    with pytest.warns(medimg.report.MedimgWarning, match="lits: "):
        ids = {row["id"] for row in rows}
    assert ids == {f"abdomenct-1k/Case_{n:05}" for n in (1, 2, 10)}
    left = rows.report.left_out["lits"]
    assert left.left_out == 1 and left.finished and not rows.report.left_out["abdomenct-1k"]
    assert "1 left out: quarantined" in str(rows.report)
    assert rows.report.to_json()["left_out"]["lits"]["skipped"]


def test_a_new_file_costs_only_itself(tmp_path: Path, decoded: list[str]) -> None:
    root = originals(tmp_path)
    fused(root)
    assert len(decoded) == 6
    decoded.clear()
    fused(root)
    assert decoded == [], "nothing has changed"
    write(root / "lits" / "volume-7.nii", scan(7))
    write(root / "lits" / "segmentation-7.nii", TUMOR)
    fused(root)
    assert decoded == ["lits/7"]
    decoded.clear()
    write(root / "lits" / "volume-1.nii", scan(8))
    os.utime(root / "lits" / "volume-1.nii", (1, 1))
    assert len(fused(root).report.keys) == 1 and decoded == ["lits/1"]


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_the_version_of_a_packed_file(tmp_path: Path, suffix: str) -> None:
    make = Phantom(tmp_path)
    members = {"a/one.txt": b"one", "a/two.txt": b"two"}

    def pack() -> None:
        with (make.zip if suffix == ".zip" else make.tar)(f"x{suffix}") as inner:
            for path, data in members.items():
                inner.bytes(path, data)

    pack()

    def versions() -> list[str]:
        with Files.open(tmp_path / f"x{suffix}") as files:
            return [file.version for file in files]

    first = versions()
    assert all(first) and len(set(first)) == 2 and versions() == first
    members["a/two.txt"] = b"TWO"
    pack()
    os.utime(tmp_path / f"x{suffix}", (1, 1))
    assert versions()[1] != first[1]


# ------------------------------------------------------------------------------------------------ published members


@pytest.fixture
def published(tmp_path: Path) -> Callable[..., list[sources.Rows]]:
    """Members as they lie on the Hub: Parquet of rows, and of rows without pixels."""

    def make(root: Path) -> list[sources.Rows]:
        every = fused(root, on_duplicate="ignore", unlabeled=True)
        members = []
        for each in every._ex_iterable._recipe.streams:
            rows = each.open.__self__
            stored = [rows.read(row) for _, row in rows.open(0)]
            files = []
            for kind, columns in (("data", list(stored[0])), ("metadata", None)):
                values = stored if columns else [_pixelless(row) for row in stored]
                path = tmp_path / f"{rows.key}-{kind}.parquet"
                table = Dataset.from_list(values, features=features("3d")).with_format("arrow")[:]
                pq.write_table(table, path, row_group_size=2)
                files.append({"train": ((str(path),), (len(stored),))})
            members.append(replace(rows, place=None, shards=files[0], metadata=files[1], splits=("train",)))
        return members

    return make


def _pixelless(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "image": None, "label": {**row["label"], "mask": None, "target": None}}


def test_published_rows_are_looked_up_by_file_and_number(
    tmp_path: Path, published: Callable[..., list[sources.Rows]], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = originals(tmp_path / "own", shared=3)
    members = published(root)
    for options in ({}, {"prefer": ["lits"]}):
        expected = masks(fused(root, **options))
        ranks = {"lits": 0} if options else {}
        report, donors = scanning.find(members, on_duplicate="drop", near=None, ranks=ranks)
        assert report.signed == 0 and len(donors) == 3 and len(report.dropped) == 3
        found = {}
        for member in (each.without(report, donors) for each in members):
            for item in member.open(0):
                for piece in member.expand(item):
                    row = member.finish(piece)
                    assert row is not None
                    found[row["id"]] = np.asarray(Volume(row["fused"]["mask"]["bytes"]).array)
        assert {key: mask.tolist() for key, mask in found.items()} == {
            key: mask.tolist() for key, mask in expected.items()
        }
        assert "declared, not compared" in str(report), "copies with another encoding were not looked for"


def test_a_published_row_that_is_not_where_it_was_is_told(
    tmp_path: Path, published: Callable[..., list[sources.Rows]]
) -> None:
    lits, abdomen = published(originals(tmp_path / "own"))
    wrong = Donors({"lits": lits, "abdomenct-1k": abdomen}, {"x": [Donor("lits", "train", "lits/0", 1)]})
    with pytest.raises(FormatError, match="not where it was"):
        wrong.read(wrong.of("x")[0])
    right = Donor("lits", "train", "lits/0", 0)
    assert wrong.read(right)["id"] == "lits/0" and "image" not in wrong.read(right)


def test_errors_name_the_first_duplicates(tmp_path: Path) -> None:
    with pytest.raises(DuplicateError, match="lits/0"):
        fused(originals(tmp_path), on_duplicate="error")


def test_a_report_is_small_and_readable(tmp_path: Path) -> None:
    rows = fused(originals(tmp_path), on_duplicate="keep")
    report: Report = rows.report
    assert report.dropped == () and report.hashed == 6 and report.lost == report.merged == {}
    assert set(json.loads(json.dumps(report.to_json()))) >= {
        "labels_merged",
        "not_compared",
        "left_out",
        "unread",
    }


def test_a_stored_set_has_the_same_labels_and_tells_the_same(tmp_path: Path) -> None:
    shifted = boxed(liver=(slice(3, 7), 1), tumor=(slice(4, 5), 2))
    root = originals(tmp_path, shared=1, tumor=shifted)
    streamed, stored = fused(root), fused(root, streaming=False)
    expected = masks(streamed)
    assert {key: mask.tolist() for key, mask in masks(stored).items()} == {
        key: mask.tolist() for key, mask in expected.items()
    }
    assert stored.report.contradictions == streamed.report.contradictions != ()


def test_parts_of_a_set_in_other_processes_merge_alike(tmp_path: Path) -> None:
    rows = fused(originals(tmp_path)).decode(False)
    parts = [pickle.loads(pickle.dumps(rows.shard(2, index))) for index in range(2)]
    found = {row["id"]: row["fused"]["mask"]["bytes"] for part in parts for row in part}
    assert found == {row["id"]: row["fused"]["mask"]["bytes"] for row in rows}


def test_a_comparison_shows_its_progress_on_a_terminal_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scanning, "DELAY", 0)
    root = originals(tmp_path)
    fused(root)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    fused(root)
    assert "comparing images of lits" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["no database", "a folder"])
def test_a_damaged_cache_is_no_obstacle(tmp_path: Path, damage: str) -> None:
    path = scanning.cache_path()
    path.parent.mkdir(parents=True)
    if damage == "a folder":
        path.mkdir()
    else:
        path.write_bytes(b"no database" * 1000)
    assert len(fused(originals(tmp_path)).report.keys) == 2
