"""Plans, blueprints and `fuse` on phantoms: no Hub, no network."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset, IterableDataset
from scipy import ndimage

from medimg import registry, vocab
from medimg.errors import (
    HubError,
    LicenseError,
    SourceError,
    SourceRequiredError,
    UnknownDatasetError,
    UnknownTermError,
)
from medimg.fusion import Plan, blueprint, fuse
from medimg.fusion.duplicates import DuplicateError
from medimg.fusion.errors import FusionError
from medimg.fusion.labels import fused_features
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.sync import sync
from medimg.phantom import Phantom
from medimg.pixels import Volume

LIVER = ["lits", "msd-liver", "chaos", "abdomenct-1k"]
TARGETS = ["liver", "liver tumor"]


@pytest.fixture(autouse=True)
def _no_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing here may reach a Hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)


def plan(*args: Any, **kwargs: Any) -> Plan:
    made: Plan = fuse(*args, plan=True, **{"source": "miniature", **kwargs})
    return made


def liver(**kwargs: Any) -> IterableDataset:
    asked = {"modality": "CT", "task": "segmentation", "targets": TARGETS, "source": "miniature"}
    return fuse(LIVER, **{**asked, **kwargs})


def voxels(image: Any) -> np.ndarray[Any, Any]:
    return np.asarray(image.dataobj)


# ------------------------------------------------------------------------------------------ the fused liver


def test_a_fused_liver_set_is_one_plain_stream_in_one_label_space() -> None:
    rows = liver()
    assert type(rows) is IterableDataset and rows.features == fused_features("3d")
    seen = {row["id"]: row for row in rows}
    for row in seen.values():
        mask = voxels(row["fused"]["mask"])
        assert mask.dtype == np.uint8 and mask.shape == row["image"].shape[:3]
        assert set(np.unique(mask)) <= {0, 1, 2, 255}
        assert row["modality"] == "CT", "chaos has MRI, too"
        assert row["label"]["mask"] is not None, "the source's label stays"
        assert row["provenance"]["member"] == row["dataset"]
        assert row["provenance"]["operations"] == ["labels: index of liver, liver tumor"]
    assert {row["dataset"] for row in seen.values()} == {"msd-liver", "chaos", "abdomenct-1k"}


@pytest.mark.parametrize("encoding", ["index", "channels"])
def test_members_with_the_liver_alone_do_not_say_that_there_is_no_tumor(encoding: str) -> None:
    chaos = [row for row in liver(encoding=encoding) if row["dataset"] == "chaos"]
    assert chaos
    for row in chaos:
        source = voxels(row["label"]["mask"])
        assert (source == 1).any() and (source == 0).any()
        if encoding == "index":
            assert np.array_equal(voxels(row["fused"]["mask"]), np.where(source == 1, 255, 0))
        else:
            channels = voxels(row["fused"]["channels"])
            assert np.array_equal(channels[..., 0], source == 1) and (channels[..., 1] == 255).all()


def test_declared_and_planted_copies_come_once() -> None:
    rows = liver()
    contents = [row["content"] for row in rows]
    assert len(set(contents)) == len(contents)
    dropped = rows.report.keys
    assert {"lits/0", "lits/1", "lits/28"} <= dropped or {"msd-liver/liver_0", "msd-liver/liver_1"} <= dropped
    assert all(drop.of not in dropped for drop in rows.report.dropped)
    kept = liver(on_duplicate="keep")
    assert {row["id"] for row in kept} == {row["id"] for row in rows} | dropped
    with pytest.raises(DuplicateError, match="lits/"):
        liver(on_duplicate="error")


def test_copies_with_other_voxels_and_type_come_once(tmp_path: Path) -> None:
    """Two of three LiTS cases stand in another member again: resampled, as float, with other intensities."""
    own, other = Phantom(tmp_path / "lits"), Phantom(tmp_path / "msd-liver")

    def patient(number: int) -> np.ndarray[Any, Any]:
        noise = np.random.default_rng(number).normal(size=(48, 40, 32))
        blurred = ndimage.gaussian_filter(noise, 2)
        pixels: np.ndarray[Any, Any] = (blurred / blurred.std() * 200).astype(np.int16)
        return pixels

    def write(make: Phantom, path: str, pixels: np.ndarray[Any, Any], spacing: tuple[float, ...]) -> None:
        make.bytes(path, bytes(Volume.from_array(pixels, np.diag([*spacing, 1.0])).nifti))

    for case in range(3):
        write(own, f"volume-{case}.nii", patient(case), (0.7, 0.7, 2.0))
        write(own, f"segmentation-{case}.nii", (patient(case) > 0).astype(np.uint8), (0.7, 0.7, 2.0))
    for case, number in {0: 0, 1: 1, 7: 7}.items():
        copy = ndimage.zoom(patient(number).astype(np.float32), (0.75, 0.75, 1.25), order=1) * 0.5 + 100
        write(other, f"imagesTr/liver_{case}.nii", copy, (0.93, 0.93, 1.6))
        write(other, f"labelsTr/liver_{case}.nii", (copy > 100).astype(np.uint8), (0.93, 0.93, 1.6))
    rows = fuse(["lits", "msd-liver"], targets=TARGETS, task="segmentation", source=tmp_path)
    groups = {frozenset(group.keys) for group in rows.report.groups}
    assert groups == {frozenset((f"lits/{case}", f"msd-liver/liver_{case}")) for case in (0, 1)}
    assert len([row["id"] for row in rows]) == 4


def test_rows_without_what_was_asked_for_are_left_out_unless_wanted(tmp_path: Path) -> None:
    asked: dict[str, Any] = {"task": "segmentation", "targets": TARGETS, "source": "miniature"}
    with pytest.raises(SourceError, match=r"lits: none of its rows .*says nothing on liver.*unlabeled=True"):
        fuse("lits", split="test", **asked)
    assert {row["provenance"]["split"] for row in fuse("lits", **asked)} == {"train"}, (
        "the labels of LiTS's test part are not public"
    )
    (row,) = fuse("lits", task="segmentation", targets=TARGETS, source="miniature", split="test", unlabeled=True)
    assert row["fused"]["mask"] is None and row["provenance"]["split_fused"] == "test"


def test_a_stored_set_equals_the_streamed_one() -> None:
    stored = liver(streaming=False)
    assert isinstance(stored, Dataset) and stored.features == fused_features("3d")
    streamed = list(liver())
    assert list(stored["id"]) == [row["id"] for row in streamed]
    assert np.array_equal(voxels(stored[0]["fused"]["mask"]), voxels(streamed[0]["fused"]["mask"]))


def test_a_source_root_is_read_as_make_sync_reads_it(tmp_path: Path) -> None:
    for name in ("lits", "chaos"):
        registry.get(name).miniature(Phantom(tmp_path / name))
    rows = fuse(organ="liver", modality="CT", task="segmentation", targets=TARGETS, source=tmp_path)
    assert {row["dataset"] for row in rows} == {"lits", "chaos"}
    left = {each.member: each.reason for each in rows.plan.left_out}
    assert "source root" in left["msd-liver"], "what fits and is not there is said"
    with pytest.raises(SourceRequiredError, match="msd-liver"):
        fuse(["lits", "msd-liver"], targets=TARGETS, source=tmp_path)
    assert [m.bytes for m in rows.plan.members] == [
        sum(file.stat().st_size for file in (tmp_path / m.name).rglob("*") if file.is_file()) for m in rows.plan.members
    ]


def test_a_changed_source_is_scanned_anew(tmp_path: Path) -> None:
    for name in ("lits", "msd-liver"):
        registry.get(name).miniature(Phantom(tmp_path / name))
    both = ["lits", "msd-liver"]
    asked: dict[str, Any] = {"task": "segmentation", "targets": TARGETS, "source": tmp_path}
    assert len(fuse(both, **asked).report.keys) == 3
    path = tmp_path / "lits" / "Training Batch 1" / "volume-0.nii"
    Phantom(tmp_path / "lits").nifti("Training Batch 1/volume-0.nii", spacing=(0.7, 0.7, 5), seed="another patient")
    assert path.exists() and len(fuse(both, **asked).report.keys) == 2


def test_asking_for_one_split_leaves_out_what_stands_in_another() -> None:
    asked: dict[str, Any] = {"source": "miniature", "unlabeled": True, "targets": TARGETS}
    whole = {row["id"]: row["provenance"]["split_fused"] for row in fuse(LIVER, **asked)}
    for split in ("train", "test"):
        part = [row["id"] for row in fuse(LIVER, split=split, **asked)]
        assert part == [id_ for id_, own in whole.items() if own == split] and part


def test_resume_and_workers_give_the_rest() -> None:
    rows = liver(weights="interleave", shuffle_buffer=3, seed=5)
    every = [row["id"] for row in rows]
    again = liver(weights="interleave", shuffle_buffer=3, seed=5)
    iterator = iter(again)
    taken = [next(iterator)["id"] for _ in range(3)]
    state = again.state_dict()
    fresh = liver(weights="interleave", shuffle_buffer=3, seed=5)
    fresh.load_state_dict(json.loads(json.dumps(state)))
    assert taken + [row["id"] for row in fresh] == every
    assert sorted(every) == sorted(row["id"] for row in pickle.loads(pickle.dumps(rows)))


def test_weights_by_rows_are_counted_where_nobody_says_them() -> None:
    rows = liver(weights="proportional")
    assert sorted(row["id"] for row in rows) == sorted(row["id"] for row in liver())


def test_slices_on_a_common_grid() -> None:
    rows = liver(grid={"orientation": "RAS", "slices": "axial", "empty": "drop", "window": (40, 400)})
    assert rows.features == fused_features("2d") and rows.plan.dimension == "2d"
    row = next(iter(rows))
    mask = np.asarray(row["fused"]["mask"])
    assert row["image"].mode == "L" and mask.shape == row["image"].size[::-1]
    told = row["provenance"]["operations"]
    assert told[0].startswith("labels: index") and any(each.startswith("slice: axial") for each in told)


# -------------------------------------------------------------------------------------------- other labels


def test_classes_of_several_members_are_multi_hot_with_unknowns() -> None:
    targets = ["pneumonia", "cardiomegaly", "pneumothorax"]
    names = ["chestx-ray14", "medmnist-v2/pneumoniamnist"]
    rows = list(fuse(names, targets=targets, task="classification", source="miniature", split="train"))
    by = {row["dataset"]: row for row in rows}
    assert set(by) == {"chestx-ray14", "medmnist-v2"}
    assert all(len(row["fused"]["classes"]) == 3 for row in rows)
    assert by["medmnist-v2"]["fused"]["classes"][1:] == [-1, -1], "never looked for"
    assert {row["provenance"]["config"] for row in rows if row["dataset"] == "medmnist-v2"} == {"pneumoniamnist"}
    for row in rows:
        for target, code in zip(targets, row["fused"]["classes"], strict=True):
            if target in row["label"]["classes"]:
                assert code == 1
            elif target in row["label"]["assessed"]:
                assert code == 0


def test_measures_and_boxes() -> None:
    row = next(iter(fuse("hc18", task="measurement", targets="head circumference", source="miniature", split="train")))
    assert [(m["name"], m["unit"]) for m in row["fused"]["measures"]] == [("head circumference", "mm")]
    rows = list(fuse("chestx-ray14", task="detection", targets=["lung mass"], source="miniature"))
    assert any(box["name"] == "lung mass" for row in rows for box in row["fused"]["boxes"])
    assert not any(box["name"] != "lung mass" for row in rows for box in row["fused"]["boxes"])


def test_rows_with_their_own_license_are_taken_by_it() -> None:
    everything = list(fuse("covid-chestxray/images", source="miniature", targets=["pneumonia"], task="classification"))
    ids = {row["license"] for row in everything}
    assert len(ids) > 1
    asked = fuse(
        "covid-chestxray/images",
        source="miniature",
        targets=["pneumonia"],
        task="classification",
        license_terms="commercial",
    )
    kept = {row["license"] for row in asked}
    assert kept and kept < ids


# -------------------------------------------------------------------------------------------------- plans


def test_a_plan_shows_the_four_phases_and_reads_no_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    from medimg.files import File

    monkeypatch.setattr(File, "read", lambda *_: pytest.fail("a plan read a file"), raising=False)
    made = plan(LIVER, modality="CT", task="segmentation", targets=["Liver", "liver tumour"])
    told = made.to_dict()
    assert json.loads(made.to_json()) == told
    assert list(told) == ["metadata_harmonization", "semantic_alignment", "blueprint", "index", "warnings"]
    assert told["semantic_alignment"]["targets"] == {"1": "liver", "2": "liver tumor"}
    assert told["semantic_alignment"]["members"]["lits"]["label_map"] == {
        "0": "background (0)",
        "1": "liver (1)",
        "2": "liver tumor (2)",
    }
    assert told["semantic_alignment"]["members"]["abdomenct-1k"]["label_map"]["1"] == "ignore (255)"
    assert told["index"]["rows"] == sum(registry.get(name).dataset.splits["train"] for name in LIVER) + sum(
        registry.get(name).dataset.splits["test"] for name in LIVER
    )
    assert {(each["first"], each["second"]) for each in told["index"]["overlaps"]} >= {("lits", "msd-liver")}
    text = str(made)
    for heading in (
        "Metadata harmonization",
        "Semantic alignment",
        "Fusion blueprint",
        "Index",
        "license of the whole",
    ):
        assert heading in text


ASKED: list[dict[str, Any]] = [
    {"names": LIVER, "modality": "CT", "task": "segmentation", "targets": ["Liver", "liver tumour"]},
    {"blueprint": "liver-ct", "split": "testing", "on_duplicate": "keep", "seed": 7, "near": False},
    {
        "names": "lits",
        "targets": "liver",
        "encoding": "channels",
        "weights": {"lits": 2},
        "shuffle_buffer": 5,
        "grid": {"orientation": "RAS", "spacing": [1, 1, 2], "slices": "axial", "empty": "drop"},
        "unlabeled": True,
    },
    {"modality": "fundus", "dimension": "2d", "minimum": 100, "weights": "uniform", "repeat": True},
]


@pytest.mark.parametrize("asked", ASKED, ids=["names", "blueprint", "options", "criteria"])
@pytest.mark.parametrize("form", ["request", "plan", "json", "toml"])
def test_a_plan_can_be_run_again(asked: dict[str, Any], form: str, tmp_path: Path) -> None:
    made = plan(**asked)
    told = made.to_dict()
    given: Any = told["blueprint"] if form == "request" else told
    if form == "json":
        given = tmp_path / "plan.json"
        given.write_text(made.to_json())
    if form == "toml":
        given = str(tmp_path / "own.toml")
        lines = [f"{key} = {_toml(value)}" for key, value in told["blueprint"].items() if value is not None]
        Path(given).write_text("\n".join(lines))
    again = fuse(blueprint=given, plan=True)
    if form == "toml":  # has no null: the file's name is the blueprint's
        again = again.model_copy(
            update={"request": again.request.model_copy(update={"blueprint": made.request.blueprint})}
        )
    assert again == made
    assert again.request.seed == asked.get("seed", 0) and again.request.source == "miniature"
    other = fuse(blueprint=given, plan=True, seed=99, on_duplicate="drop")
    assert other.request.seed == 99 and other.request.on_duplicate == "drop", "what is given wins"


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(each)}" for key, each in value.items() if each is not None) + "}"
    return json.dumps(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("own.toml", 'targets = ["liver"', "own.toml is no TOML file"),
        ("own.json", '{"targets": ["liver"', "own.json is no JSON file"),
        ("own.json", '["liver"]', "own.json holds no fields"),
        ("own.toml", 'targts = ["liver"]', "unknown field 'targts'.*targets"),
        ("own.toml", "targets = [1]", "targets"),
        ("none.toml", None, "none.toml cannot be read.*liver-ct"),
    ],
)
def test_a_file_that_is_no_blueprint_is_told(name: str, text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if text is not None:
        path.write_text(text)
    with pytest.raises(FusionError, match=message):
        fuse(blueprint=path, plan=True)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"on_duplicate": "dropp"}, "on_duplicate='dropp' is not known.*'drop'"),
        ({"dimension": "3D"}, "dimension='3D' is not known.*did you mean '3d'"),
        ({"encoding": "onehot"}, "encoding='onehot'.*'index', 'channels'"),
        ({"split": "trian"}, "split='trian'.*did you mean 'train'"),
        ({"split": ["train", "holdout"]}, "split='holdout'"),
        ({"weights": "interleaved"}, "weights='interleaved'.*did you mean 'interleave'"),
        ({"weights": 3}, "weights=3 is not known"),
        ({"weights": ["a"]}, "is not known"),
        ({"weights": {"lits": 1, "kits": 2}}, "every member.*kits"),
        ({"weights": {"lits": 0}}, "positive"),
        ({"weights": {"lits": "2"}}, "positive"),
        ({"weights": {"temperature": -1}}, "positive"),
        ({"weights": {}}, "weights"),
        ({"repeat": True}, "concatenate"),
        ({"seed": "3"}, "seed is a whole number"),
        ({"shuffle_buffer": -1}, "shuffle_buffer is a whole number of at least 0"),
        ({"minimum": 1.5}, "minimum"),
        ({"unlabeled": "yes"}, "unlabeled is True or False"),
        ({"license_terms": "comercial"}, "commercial"),
    ],
)
@pytest.mark.parametrize("by", ["argument", "blueprint"])
def test_an_argument_that_makes_no_sense_is_told_before_any_work(
    wrong: dict[str, Any], message: str, by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from medimg.fusion import planning

    monkeypatch.setattr(planning, "_member", lambda *_: pytest.fail("work was done"))
    asked: dict[str, Any] = {"names": "lits", "targets": ["liver"], "source": "miniature"}
    for planned in (True, False):
        with pytest.raises((FusionError, UnknownTermError), match=message):
            if by == "argument":
                fuse(**asked, **wrong, plan=planned)
            else:
                fuse(blueprint={**asked, **wrong}, plan=planned)


def test_a_channels_plan_says_what_each_value_becomes_in_each() -> None:
    made = plan("abdomenct-1k", targets=["liver", "spleen"], task="segmentation", encoding="channels")
    assert made.members[0].label_map[1] == "liver: yes, spleen: no"


def test_kidneys_of_either_side_make_the_kidney_and_wider_ones_are_said() -> None:
    made = plan(["chaos", "kits19"], targets=["kidney"], task="segmentation")
    assert [member.alignment[0].mask for member in made.members] == ["direct", "direct"]
    made = plan(["lits", "abdomenct-1k"], targets=TARGETS, task="segmentation")
    assert any("abdomenct-1k has only liver: inside that, liver tumor is unknown" in each for each in made.warnings)


def test_members_are_found_by_criteria_and_near_misses_are_told() -> None:
    made = plan(modality="CT", organ="liver", task="segmentation", targets=TARGETS)
    assert {"lits", "msd-liver", "abdomenct-1k"} <= {member.name for member in made.members}
    assert all("CT" in member.modality for member in made.members)
    strict = plan(modality="CT", organ="liver", targets=TARGETS, task="segmentation", license_terms=["commercial"])
    assert {member.license for member in strict.members} == {"CC-BY-SA-4.0"}
    assert any(each.member == "lits" and "CC-BY-NC-ND-4.0" in each.reason for each in strict.left_out)
    large = plan(modality="CT", organ="liver", targets=["liver"], task="segmentation", minimum=500)
    assert [member.name for member in large.members] == ["abdomenct-1k"]
    several = plan(modality=["CT", "MR", "fundus"], dimension="2d", minimum=100)
    assert several.members and all(member.rows is None or member.rows >= 100 for member in several.members)
    assert all(member.dimension == "2d" for member in several.members)


# ------------------------------------------------------------------------------------------------ refusals


def test_what_cannot_be_fused_is_refused_with_the_names() -> None:
    with pytest.raises(FusionError, match=r"no member has 'spleen'.*lits"):
        plan("lits", targets=["liver", "spleen"])
    with pytest.raises(FusionError, match=r"no member has 'left kidney', only something wider: kits19 has kidney"):
        plan("kits19", targets=["left kidney"], task="segmentation")
    with pytest.raises(FusionError, match=r"'tumor' means different things: .*kidney tumor.*kits19.*liver tumor.*lits"):
        plan(["lits", "kits19"], targets=["tumor"], task="segmentation")
    with pytest.raises(FusionError, match=r"lits.*'liver' and 'tumor'.*channels"):
        plan("lits", targets=["liver", "tumor"], task="segmentation")
    assert plan("lits", targets=["liver", "tumor"], task="segmentation", encoding="channels").members
    with pytest.raises(FusionError, match=r"3d: lits; 2d: dsb2018.*dimension="):
        plan(["lits", "dsb2018"])
    with pytest.raises(FusionError, match=r"no member fits: nothing has modality dermoscopy, organ liver"):
        plan(modality="dermoscopy", organ="liver")
    with pytest.raises(FusionError, match="encoding"):
        fuse("lits", targets=TARGETS, source="miniature", encoding="onehot")  # type: ignore[arg-type]


def test_unknown_names_have_the_closest_ones() -> None:
    with pytest.raises(UnknownDatasetError, match="lits"):
        plan("litss")
    with pytest.raises(UnknownDatasetError, match="pathmnist"):
        plan("medmnist-v2/pathmnis")
    with pytest.raises(UnknownTermError, match="liver"):
        plan("lits", targets=["livr"])
    with pytest.raises(UnknownTermError, match="commercial"):
        plan("lits", license_terms="comercial")
    with pytest.raises(UnknownTermError, match="liver-ct"):
        fuse(blueprint="liver", plan=True)
    with pytest.raises(FusionError, match="targts"):
        fuse(blueprint={"title": "x", "targets": ["liver"], "targts": ["liver"]}, plan=True)


def test_a_pushed_remapped_copy_of_a_forbidden_mix_names_both() -> None:
    made = plan(["chaos", "lits"], targets=["liver"], task="segmentation")
    with pytest.raises(LicenseError, match=r"chaos \(CC-BY-NC-SA-4.0\) and lits \(CC-BY-NC-ND-4.0\)"):
        made.to_push()
    assert made.to_push(adapted=False).publish.value == "open", "side by side, unchanged"
    assert made.license.publish.value == "recipe" and any("passed on" in each for each in made.warnings)
    assert plan(["msd-liver", "msd-spleen"]).to_push().share_alike == "CC-BY-SA-4.0"


def test_without_a_hub_the_plan_counts_by_declaration() -> None:
    made = fuse("msd-liver", targets=["liver"], plan=True)
    assert [split.counted for split in made.members[0].splits] == ["declared", "declared"]
    assert any("cannot be read from the Hub" in each for each in made.warnings)
    with pytest.raises(SourceRequiredError, match="chexpert"):
        fuse("chexpert", plan=True)


FROM_THE_HUB = """
import json
from medimg.fusion import fuse
asked = dict(names=["lits", "msd-liver", "chaos"], modality="CT", task="segmentation", targets=["liver", "liver tumor"])
made = fuse(**asked, plan=True)
rows = fuse(**asked)
print(json.dumps({
    "counted": [(split.counted, split.rows) for member in made.members for split in member.splits],
    "bytes": made.bytes,
    "ids": [row["id"] for row in rows],
    "pixels": [int(row["fused"]["mask"].get_fdata().sum()) for row in fuse(**asked, shuffle_buffer=2, seed=1)],
    "near": [row["id"] for row in fuse(**asked, near=True)],
}))
"""


def test_the_same_rows_from_a_hub(hub: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    sync(["lits", "msd-liver", "chaos"], Hub(hub, "medimg"), check=False)
    environment = {**os.environ, "HF_ENDPOINT": hub, "HF_HOME": str(tmp_path / "hf")}
    done = subprocess.run(
        [sys.executable, "-c", FROM_THE_HUB],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    own = list(fuse(LIVER[:3], modality="CT", task="segmentation", targets=TARGETS, source="miniature"))
    assert told["ids"] == told["near"] == [row["id"] for row in own]
    assert sorted(told["pixels"]) == sorted(int(voxels(row["fused"]["mask"]).sum()) for row in own)
    assert all(counted == "published" and rows for counted, rows in told["counted"]) and told["bytes"] > 0


# ---------------------------------------------------------------------------------------------- blueprints

WANTED = {
    "abdominal-ct",
    "liver-ct",
    "lung-nodules-ct",
    "chest-xray-findings",
    "brain-tumor-mr",
    "cardiac-mr",
    "retinal-vessels",
    "optic-disc-cup",
    "skin-lesions",
    "polyps",
    "nuclei-cells",
    "breast-ultrasound",
    "breast-mr",
}


def test_there_is_a_blueprint_for_each_of_the_usual_sets() -> None:
    assert set(blueprint.names()) >= WANTED


@pytest.mark.parametrize("name", blueprint.names())
def test_each_blueprint_plans_or_says_what_is_missing(name: str) -> None:
    asked = blueprint.get(name)
    for target in asked.targets:
        assert target in vocab.label, f"{target} is no canonical name"
    try:
        made = fuse(blueprint=name, source="miniature", plan=True)
    except FusionError as error:
        assert f"blueprint {name!r} has no member yet" in str(error) or "no member has" in str(error)
        assert any(target in str(error) for target in asked.targets)
        return
    assert made.targets == asked.targets and made.members
    for member in made.members:
        assert any(each.kind(made.outputs) in ("direct", "narrower") for each in member.alignment)


@pytest.mark.parametrize("name", blueprint.names())
def test_no_subject_and_no_image_in_two_splits_of_a_blueprint(name: str) -> None:
    try:
        rows = fuse(blueprint=name, source="miniature")
    except FusionError:
        return
    images: dict[str, set[str]] = {}
    subjects: dict[tuple[str, str], set[str]] = {}
    count = 0
    for row in rows.decode(False):
        split = row["provenance"]["split_fused"]
        count += 1
        images.setdefault(row["content"], set()).add(split)
        if row["subject"] is not None:
            subjects.setdefault((row["dataset"], row["subject"]), set()).add(split)
    assert count
    assert all(len(splits) == 1 for splits in [*images.values(), *subjects.values()])


# --------------------------------------------------------------------------- who outlines what, and named members


def test_who_outlines_what_is_told_by_modality() -> None:
    sides = ["liver", "left kidney", "right kidney"]
    chaos = plan("chaos", modality="MR", targets=sides, task="segmentation").members[0]
    assert [each.mask for each in chaos.alignment] == ["direct"] * 3 and chaos.label_map[2] == "right kidney (3)"
    with pytest.raises(FusionError, match="no member has 'left kidney'"):
        plan("chaos", modality="CT", targets=sides, task="segmentation")
    chaos = plan("chaos", modality="CT", targets=["liver", "liver tumor"], blueprint="liver-ct").members[0]
    assert set(chaos.assessed) == {"liver"} and set(chaos.label_map) == {0, 1}
    both = plan("chaos", targets=sides, task="segmentation", encoding="channels")
    assert any("outlines left kidney, right kidney in MRI alone" in each for each in both.warnings)
    assert both.members[0].label_map["CT: 1"] == "liver: yes, left kidney: ignore, right kidney: ignore"


@pytest.mark.parametrize(
    ("asked", "warned", "mended"),
    [
        (
            {"names": ["kvasir-seg"], "targets": ["polyp"]},
            "no voxel becomes background",
            {"targets": ["colon polyp"]},
        ),
        (
            {"names": ["msd-spleen", "msd-liver"], "targets": ["liver", "spleen"]},
            'no voxel becomes background.*encoding="channels" has both for liver, spleen',
            {"encoding": "channels"},
        ),
        (
            {
                "names": ["abdomenct-1k", "msd-hepatic-vessel"],
                "targets": ["liver", "liver tumor", "hepatic vessel"],
            },
            'no voxel becomes liver:.*encoding="channels"',
            {"encoding": "channels"},
        ),
    ],
)
def test_a_target_that_would_never_be_present_or_absent_is_told(
    asked: dict[str, Any], warned: str, mended: dict[str, Any]
) -> None:
    made = plan(**asked, task="segmentation")
    assert any(re.search(warned, each) for each in made.warnings), made.warnings
    assert re.search(warned, " ".join(made.to_dict()["warnings"])) and "no voxel becomes" in str(made)
    other = plan(**{**asked, **mended}, task="segmentation")
    assert not any("no voxel" in each for each in other.warnings), other.warnings


@pytest.mark.parametrize(
    ("criterion", "message"),
    [
        ({"modality": "MR"}, "lits was named, but its modality is CT, not MRI"),
        ({"organ": "brain"}, "its organ is liver, not brain"),
        ({"task": "classification"}, "its task is segmentation, not classification"),
        ({"dimension": "2d"}, "its dimension is 3d, not 2d"),
        ({"license_terms": "commercial"}, "its license CC-BY-NC-ND-4.0 does not meet: commercial"),
        ({"split": "validation"}, "has no split validation"),
        ({"minimum": 1000}, "declares 201 images, at least 1000"),
        ({"targets": ["spleen"]}, "declares none of: spleen"),
    ],
)
def test_a_named_member_that_does_not_fit_is_an_error(criterion: dict[str, Any], message: str) -> None:
    with pytest.raises(FusionError, match=rf"lits.*{message}.*Next: leave it out"):
        plan(["lits", "chaos"], **criterion)


def test_of_a_named_dataset_one_sub_collection_must_fit() -> None:
    made = plan("medmnist-v2", modality="X-ray", task="classification", targets=["pneumonia"])
    assert {each.config for each in made.members} == {"pneumoniamnist", "chestmnist"}
    assert any(each.member == "medmnist-v2/pathmnist" and "modality" in each.reason for each in made.left_out)
    with pytest.raises(FusionError, match="medmnist-v2 was named"):
        plan("medmnist-v2", modality="endoscopy")


def test_a_retired_or_unpublished_member_is_not_promised(monkeypatch: pytest.MonkeyPatch) -> None:
    from medimg.fusion.locating import Manifests
    from medimg.manifest import NOTICE, Manifest

    stone = Manifest(name="msd-spleen", medimg="1", schema_version="1", origin="source", fingerprint=NOTICE)
    monkeypatch.setattr(Manifests, "_download", lambda _, name: stone if name == "msd-spleen" else None)
    with pytest.raises(HubError, match="msd-spleen is retired"):
        fuse("msd-spleen", targets=["spleen"], plan=True)
    with pytest.raises(HubError, match="msd-liver is not on the Hub"):
        fuse("msd-liver", targets=["liver"], plan=True)
    with pytest.raises(FusionError, match="msd-spleen: medimg/msd-spleen is retired"):
        fuse(modality="CT", organ="spleen", task="segmentation", targets=["spleen"], plan=True)
