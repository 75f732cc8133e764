"""Each check between a builder's row and a record: what is wrong is refused, by name, and what is right passes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from medimg import licenses
from medimg.declaration import Citation, Config, Dataset, Evidence, Source
from medimg.errors import (
    DuplicateIdError,
    EmptySplitError,
    FormatError,
    GeometryError,
    LabelError,
    MedimgError,
    UnknownTermError,
)
from medimg.files import Files
from medimg.phantom import Phantom
from medimg.readers import arrays, masks
from medimg.registry import Builder
from medimg.report import UNCOVERED, LoadReport
from medimg.rows import Record, iterate, unread
from medimg.schema import Measure, Row, Skipped, Text

DECLARED: dict[str, Any] = {
    "name": "made-up",
    "title": "Made up",
    "dimension": "2d",
    "modality": "X-ray",
    "organ": "chest",
    "task": "classification",
    "license": "CC-BY-4.0",
    "homepage": "https://example.org/",
    "citation": Citation(title="Made up", authors="Nobody", year=2020),
    "sources": (Source(url="https://example.org/", kind="page"),),
    "splits": {"train": 0, "test": 0},
    "no_subject": "made up",
    "keys": "age; grade; é; a; b; c; d; z",
    "evidence": Evidence(layout="made up", labels="made up", license="made up"),
}
NO_SUBJECT = {"no_subject": None, "subject": "the folder"}
Rows = Callable[[Files], Iterator[Row | Skipped]]


def read(root: Path, rows: Rows, **declared: Any) -> list[Record | Skipped]:
    """What comes of these rows under a declaration."""
    module = SimpleNamespace(DATASET=Dataset(**(DECLARED | declared)), rows=lambda files, config=None: rows(files))
    with Files.open(root, dataset="made-up") as files:
        return list(iterate(Builder(module), files))


def one(root: Path, fields: Callable[[Files], dict[str, Any]], **declared: Any) -> Record:
    """The one record of a row with these fields, about image.png."""

    def rows(files: Files) -> Iterator[Row]:
        yield Row(**({"id": "1", "image": files.need(r"image\.png$")} | fields(files)))

    (record,) = read(root, rows, **declared)
    assert isinstance(record, Record)
    return record


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A picture of 20 columns and 16 rows, its mask of the values 1 and 2, one of another size, and a volume."""
    make = Phantom(tmp_path)
    make.image("image.png", (20, 16))
    make.image("mask.png", (20, 16), labels=(1, 2))
    make.image("small.png", (10, 16), labels=(1,))
    make.image("color.png", (20, 16), mode="RGB")
    make.nifti("volume.nii", (6, 5, 4), spacing=(0.7, 0.8, 2.5))
    return tmp_path


def named(caught: pytest.ExceptionInfo[MedimgError], *words: str) -> None:
    """The error names the dataset, the file and these words."""
    for word in ("made-up", *words):
        assert word in str(caught.value)


@pytest.mark.parametrize("kind", ["classes", "uncertain"])
def test_a_label_that_was_not_assessed_cannot_be_present(root: Path, kind: str) -> None:
    with pytest.raises(LabelError) as caught:
        one(root, lambda files: {kind: ("pneumonia",), "assessed": ("fracture",)})
    named(caught, "image.png", "pneumonia")
    record = one(root, lambda files: {kind: ("pneumonia",), "assessed": ("fracture", "pneumonia")})
    assert record.values["label"][kind] == ["pneumonia"]


def test_a_legend_that_was_not_assessed_cannot_be_drawn(root: Path) -> None:
    legend = {1: ("liver",), 2: ("liver", "liver tumor")}
    drawn = {"legend": legend, "assessed": ("liver",)}
    with pytest.raises(LabelError) as caught:
        one(root, lambda files: {"mask": files.need(r"mask\.png$"), **drawn})
    named(caught, "image.png", "liver tumor")


def test_a_row_without_subject_needs_a_reason_in_the_declaration(root: Path) -> None:
    with pytest.raises(LabelError) as caught:
        one(root, lambda files: {}, **NO_SUBJECT)
    named(caught, "image.png", "subject")
    assert one(root, lambda files: {"subject": "7"}, **NO_SUBJECT).values["subject"] == "7"
    assert one(root, lambda files: {}).values["subject"] is None


@pytest.mark.parametrize(
    "spacing",
    [(float("nan"), 0.5), (0.5, float("inf")), (float("-inf"), 0.5), (0.5, -0.5)],
    ids=str,
)
def test_a_spacing_is_positive_and_finite(root: Path, spacing: tuple[float, float]) -> None:
    with pytest.raises(GeometryError) as caught:
        one(root, lambda files: {"spacing": spacing})
    named(caught, "image.png", "spacing")


@pytest.mark.parametrize("spacing", [(0.0, 0.5), (0.5, 0.0), (0.0, 0.0)], ids=str)
def test_a_spacing_of_0_is_not_known(root: Path, spacing: tuple[float, float]) -> None:
    record = one(root, lambda files: {"spacing": spacing})
    assert record.values["spacing"] is None
    assert "0.0" in json.loads(record.values["meta"])["source_header"]["spacing_unknown"]


def test_a_spacing_comes_from_the_row_then_from_the_file(root: Path) -> None:
    def volume(files: Files) -> dict[str, Any]:
        return {"image": files.need(r"volume\.nii$")}

    assert one(root, volume, dimension="3d").values["spacing"] == pytest.approx([0.7, 0.8, 2.5])
    told = one(root, lambda files: volume(files) | {"spacing": (1, 2, 3)}, dimension="3d")
    assert told.values["spacing"] == [1, 2, 3]
    unknown = one(root, lambda files: volume(files) | {"spacing": ()}, dimension="3d")
    assert unknown.values["spacing"] is None
    assert one(root, lambda files: {}).values["spacing"] is None
    assert one(root, lambda files: {"spacing": (0.25, 0.5)}).values["spacing"] == [0.25, 0.5]


def test_shape_is_height_and_width(root: Path) -> None:
    assert one(root, lambda files: {}).values["shape"] == [16, 20]
    assert one(root, lambda files: {"image": files.need(r"color\.png$")}).values["shape"] == [16, 20]


def test_a_mask_has_the_grid_of_its_image(root: Path) -> None:
    with pytest.raises(GeometryError) as caught:
        one(root, lambda files: {"mask": files.need(r"small\.png$"), "legend": {1: ("liver",)}})
    named(caught, "image.png", "(16, 10)", "(16, 20)")


@pytest.mark.parametrize(("legend", "strange"), [({1: ("liver",)}, "2"), ({2: ("liver",)}, "1")])
def test_a_mask_value_outside_the_legend_is_refused(
    root: Path, legend: dict[int, tuple[str, ...]], strange: str
) -> None:
    with pytest.raises(LabelError) as caught:
        one(root, lambda files: {"mask": files.need(r"mask\.png$"), "legend": legend})
    named(caught, "mask.png", f"[{strange}]", "Next:")


def test_a_mask_needs_a_legend(root: Path) -> None:
    with pytest.raises(LabelError, match="no legend"):
        one(root, lambda files: {"mask": files.need(r"mask\.png$")})


def test_the_legend_of_the_row_goes_before_that_of_the_declaration(root: Path) -> None:
    declared = {1: ("liver",), 2: ("spleen",)}

    def drawn(legend: dict[int, tuple[str, ...]] | None) -> list[dict[str, Any]]:
        record = one(root, lambda files: {"mask": files.need(r"mask\.png$"), "legend": legend}, legend=declared)
        assert record.mask_values[1] > 0 and record.mask_values[2] > 0
        found: list[dict[str, Any]] = record.values["label"]["legend"]
        assert {entry["names"][0] for entry in found} == set(record.values["label"]["assessed"])
        return found

    assert drawn(None) == [{"value": 1, "names": ["liver"]}, {"value": 2, "names": ["spleen"]}]
    assert drawn({2: ("kidney",), 1: ("pancreas",)}) == [
        {"value": 1, "names": ["pancreas"]},
        {"value": 2, "names": ["kidney"]},
    ]


def test_only_instances_have_values_beyond_their_legend(root: Path) -> None:
    def drawn(legend: dict[int, tuple[str, ...]]) -> Record:
        return one(root, lambda files: {"mask": files.need(r"mask\.png$"), "legend": legend, "instances": True})

    assert drawn({1: ("nucleus",)}).values["label"]["instances"] is True
    with pytest.raises(LabelError, match="legend only"):
        drawn({1: ("nucleus",), 3: ("cell",)})


def test_a_mask_has_one_channel(root: Path) -> None:
    with pytest.raises(MedimgError) as caught:
        one(root, lambda files: {"mask": files.need(r"color\.png$"), "legend": {1: ("liver",)}})
    named(caught, "color.png", "channels")


def test_synonyms_and_strange_names_are_refused(root: Path) -> None:
    with pytest.raises(MedimgError, match="synonym, use 'liver tumor'"):
        one(root, lambda files: {"classes": ("hepatic tumor",), "assessed": ("hepatic tumor",)})
    for strange in (("",), ("no such structure",)):
        with pytest.raises(UnknownTermError):
            one(root, lambda files, names=strange: {"classes": names, "assessed": names})


def test_names_of_boxes_and_points_are_of_the_vocabulary(root: Path) -> None:
    for fields in (
        {"boxes": [{"name": "thing", "box": (0, 0, 2, 2)}]},
        {"points": [{"name": "thing", "point": (0, 0)}]},
    ):
        with pytest.raises(UnknownTermError, match="thing"):
            one(root, lambda files, fields=fields: fields | {"assessed": ()})
    record = one(
        root,
        lambda files: {
            "boxes": [{"name": "lung opacity", "box": (1, 2, 3, 5)}],
            "points": [{"name": "fovea", "point": (4, 6)}],
            "assessed": ("lung opacity", "fovea"),
        },
    )
    assert record.values["label"]["boxes"] == [{"name": "lung opacity", "box": [1, 2, 3, 5]}]
    assert record.values["label"]["points"] == [{"name": "fovea", "point": [4, 6]}]


@pytest.mark.parametrize("kind", ["organ", "task"])
def test_organ_and_task_are_of_the_vocabulary(root: Path, kind: str) -> None:
    with pytest.raises(LabelError) as caught:
        one(root, lambda files: {kind: ("thing",)})
    named(caught, "image.png", kind, "thing")


def test_the_row_says_its_modality_where_the_declaration_has_several(root: Path) -> None:
    several = {"modality": ("X-ray", "CT")}
    with pytest.raises(LabelError) as caught:
        one(root, lambda files: {}, **several)
    named(caught, "X-ray, CT")
    assert one(root, lambda files: {"modality": "CT"}, **several).values["modality"] == "CT"
    assert one(root, lambda files: {}).values["modality"] == "X-ray"
    with pytest.raises(LabelError, match="vocabulary"):
        one(root, lambda files: {"modality": "radiograph of the chest"})


def test_a_license_is_of_the_row_then_of_the_dataset_else_unknown(root: Path) -> None:
    assert one(root, lambda files: {}).license == "CC-BY-4.0"
    assert one(root, lambda files: {"license": "CC0-1.0"}).license == "CC0-1.0"
    per_row = {"license": licenses.PER_ROW}
    silent = one(root, lambda files: {}, **per_row)
    assert silent.license == licenses.UNKNOWN and not silent.publishable
    told = one(root, lambda files: {"license": "CC-BY-4.0"}, **per_row)
    assert told.publishable
    gated = one(root, lambda files: {"license": "LicenseRef-RSNA-Pneumonia-2018"})
    assert gated.publishable
    with pytest.raises(UnknownTermError):
        one(root, lambda files: {"license": "CC BY 4.0"})


def test_the_image_is_of_the_declared_dimension(root: Path) -> None:
    with pytest.raises(FormatError) as caught:
        one(root, lambda files: {"image": files.need(r"volume\.nii$")})
    named(caught, "volume.nii", "2d", "Volume")
    with pytest.raises(FormatError, match="Volume"):
        one(root, lambda files: {}, dimension="3d")


def test_a_config_that_is_not_declared_is_refused(root: Path) -> None:
    with pytest.raises(LabelError) as caught:
        one(root, lambda files: {"config": "other"})
    named(caught, "'other'", "default")


def test_a_sub_collection_has_its_own_dimension_modality_and_ids(root: Path) -> None:
    scans = Config(name="scans", title="Scans", dimension="3d", modality="CT", splits={"train": 0})
    record = one(root, lambda files: {"image": files.need(r"volume\.nii$"), "config": "scans"}, configs=(scans,))
    assert (record.values["modality"], record.values["shape"]) == ("CT", [6, 5, 4])
    assert record.values["id"] == "made-up/scans/1"


@pytest.mark.parametrize(
    ("said", "declared"),
    [
        ({"classes": ("pneumonia",)}, {}),
        ({"uncertain": ("pneumonia",)}, {}),
        ({}, {"labels": {"1": "pneumonia"}}),
    ],
)
def test_a_row_says_what_was_looked_for(root: Path, said: dict[str, Any], declared: dict[str, Any]) -> None:
    with pytest.raises(LabelError) as caught:
        one(root, lambda files: said, **declared)
    named(caught, "image.png", "what was looked for")
    outlined = {"legend": {1: ("lung",), 2: ("heart",)}}
    drawn = one(root, lambda files: {"mask": files.need(r"mask\.png$"), **outlined}, **declared)
    assert drawn.values["label"]["assessed"] == ["lung", "heart"]


def test_an_id_occurs_once_in_a_config(root: Path) -> None:
    def twice(files: Files) -> Iterator[Row]:
        for _ in range(2):
            yield Row(id="1", image=files.need(r"image\.png$"))

    with pytest.raises(DuplicateIdError) as caught:
        read(root, twice)
    named(caught, "image.png", "'1'", "Next:")


def test_a_bad_row_stops_or_is_left_out_as_declared(root: Path) -> None:
    def rows(files: Files) -> Iterator[Row]:
        image = files.need(r"image\.png$")
        yield Row(id="1", image=image, spacing=(float("nan"), 1.0))
        yield Row(id="2", image=image)

    with pytest.raises(GeometryError):
        read(root, rows, bad_files="stop")
    left_out, kept = read(root, rows, bad_files="quarantine")
    assert isinstance(left_out, Skipped) and left_out.reason.startswith("quarantined: spacing")
    assert isinstance(kept, Record) and kept.values["id"] == "made-up/2"


def test_an_unmapped_label_says_what_to_do(root: Path) -> None:
    def rows(files: Files) -> Iterator[Row]:
        known: dict[str, str] = {}
        yield Row(id="1", image=files.need(r"image\.png$"), classes=(known["CAP"],))

    with pytest.raises(MedimgError) as caught:
        read(root, rows)
    named(caught, "CAP")


def test_a_source_with_nothing_of_the_dataset_is_an_error(root: Path) -> None:
    with pytest.raises(MedimgError) as caught:
        read(root, lambda files: iter(()))
    named(caught)


def test_configs_and_splits_narrow_down_without_decoding(root: Path) -> None:
    (root / "broken.png").write_bytes(b"no picture")

    def rows(files: Files, config: str | None = None) -> Iterator[Row]:
        yield Row(id="1", image=files.need(r"image\.png$"), split="train")
        yield Row(id="2", image=files.need(r"broken\.png$"), split="test")

    module = SimpleNamespace(DATASET=Dataset(**DECLARED), rows=rows)
    with Files.open(root, dataset="made-up") as files:
        (record,) = iterate(Builder(module), files, splits=["train"])
    assert isinstance(record, Record) and record.split == "train"


def test_what_the_source_says_is_kept(root: Path) -> None:
    record = one(
        root,
        lambda files: {
            "measures": [Measure(name="bone age", value=94.5, unit="mo")],
            "texts": [Text(kind="vqa", question="what?", answer="nothing")],
            "source": {"grade": "II", "é": [1, None]},
            "meta": {"age": 7},
        },
    )
    label = record.values["label"]
    assert label["measures"] == [{"name": "bone age", "value": 94.5, "unit": "mo"}]
    assert label["texts"] == [{"kind": "vqa", "question": "what?", "answer": "nothing"}]
    assert label["source"] == '{"grade":"II","é":[1,null]}'
    meta = json.loads(record.values["meta"])
    assert meta["age"] == 7 and meta["source_path"] == "image.png" and "miniature" not in meta


def test_only_files_that_no_row_opened_are_unread(root: Path) -> None:
    def rows(files: Files, config: str | None = None) -> Iterator[Row | Skipped]:
        yield Row(id="1", image=files.need(r"image\.png$"), mask=masks.mask(files.need(r"mask\.png$")))
        yield Skipped(file=files.need(r"small\.png$"), reason="another size")

    module = SimpleNamespace(DATASET=Dataset(**(DECLARED | {"legend": {1: ("liver",), 2: ("spleen",)}})), rows=rows)
    with Files.open(root, dataset="made-up") as files:
        assert len(list(iterate(Builder(module), files))) == 2
        assert {file.path for file in unread(files)} == {"color.png", "volume.nii"}


def test_pixels_without_a_file_of_their_own_are_named_by_theirs(tmp_path: Path) -> None:
    np.save(tmp_path / "stack.npy", np.arange(24, dtype=np.uint8).reshape(2, 3, 4))

    def rows(files: Files) -> Iterator[Row]:
        for number, image in enumerate(arrays.npz_items(files.need(r"stack\.npy$"), None)):
            yield Row(id=str(number), image=image)

    records = read(tmp_path, rows)
    for record in records:
        assert isinstance(record, Record) and record.values["shape"] == [3, 4]
        assert json.loads(record.values["meta"])["source_path"] == "stack.npy"
    assert len(records) == 2


def test_the_report_is_up_to_date_with_each_row(root: Path) -> None:
    def rows(files: Files, config: str | None = None) -> Iterator[Row | Skipped]:
        for name in ("image", "color"):
            file = files.need(rf"{name}\.png$")
            files.tell(file, "no table has a line of it")
            files.tell(file, "its mask is not in this copy")
            files.notes.append((f"{name}.lnk", "a link to nowhere"))
            yield Row(id=name, image=file)

    report = LoadReport("made-up")
    module = SimpleNamespace(DATASET=Dataset(**DECLARED), rows=rows)
    with Files.open(root, dataset="made-up") as files:
        for count, _ in enumerate(iterate(Builder(module), files, report=report), 1):
            assert {reason: held.count for reason, held in report.incomplete.items()} == {
                "no table has a line of it": count,
                "its mask is not in this copy": count,
            }
            assert report.skipped["a link to nowhere"].examples == ["image.lnk", "color.lnk"][:count]
            assert report.rows == {"train": count} and not report.finished
    assert report.finished and not files.told and not files.notes


def test_a_row_left_out_names_the_file_that_is_bad_where_it_is_another(root: Path) -> None:
    (root / "broken.png").write_bytes(b"no picture")

    def rows(files: Files) -> Iterator[Row]:
        image, broken = files.need(r"image\.png$"), files.need(r"broken\.png$")
        yield Row(id="1", image=broken)
        yield Row(id="2", image=image, mask=masks.mask(broken), legend={1: ("liver",)})
        yield Row(id="3", image=image)

    image, mask, _ = read(root, rows, bad_files="quarantine")
    assert isinstance(image, Skipped) and image.file.path == "broken.png"
    assert "(broken.png)" not in image.reason
    assert isinstance(mask, Skipped) and mask.file.path == "image.png"
    assert mask.reason.endswith(" (broken.png)")


def test_the_mask_of_a_row_left_out_is_told_with_its_row_alone(root: Path) -> None:
    def rows(files: Files, config: str | None = None) -> Iterator[Row]:
        image, mask = files.need(r"image\.png$"), files.need(r"mask\.png$")
        yield Row(id="1", image=image, mask=mask, legend={1: ("lung",)}, spacing=(float("nan"), 1.0))
        yield Row(id="2", image=image)

    module = SimpleNamespace(DATASET=Dataset(**(DECLARED | {"bad_files": "quarantine"})), rows=rows)
    report = LoadReport("made-up")
    with Files.open(root, dataset="made-up") as files:
        assert len(list(iterate(Builder(module), files, report=report))) == 2
    assert "mask.png" not in report.skipped[UNCOVERED].examples


def test_of_a_copy_without_the_rows_that_were_asked_for_is_said_which_it_has(root: Path) -> None:
    configs = (
        Config(name="one", title="One", splits={"train": 1}),
        Config(name="two", title="Two", splits={"test": 1}),
    )

    def rows(files: Files, config: str | None = None) -> Iterator[Row]:
        yield Row(id="1", image=files.need(r"image\.png$"), config=config or "default")
        yield Row(id="2", image=files.need(r"color\.png$"), config=config or "default")

    def asked(declared: dict[str, Any], given: str, **wanted: Any) -> str:
        module = SimpleNamespace(
            DATASET=Dataset(**(DECLARED | declared)), rows=lambda files, config=None: rows(files, given)
        )
        with Files.open(root, dataset="made-up") as files, pytest.raises(EmptySplitError) as caught:
            list(iterate(Builder(module), files, **wanted))
        return str(caught.value)

    several = {"configs": configs, "splits": {"train": 1, "test": 1}}
    assert "has no row of two; it has rows of one/train 2" in asked(several, "one", config="two")
    assert "has no row of two/test or validation; it has rows of one/train 2" in asked(
        several, "one", config="two", splits=["test", "validation"]
    )
    assert "has no row of test; it has rows of train 2" in asked({}, "default", config="default", splits=["test"])


def test_numbers_that_are_none_become_texts_wherever_they_stand(root: Path) -> None:
    source = {"é": [float("nan"), 0.25, 7, None], "b": {"c": float("-inf"), "d": (1.5, "x")}}
    record = one(root, lambda files: {"source": source, "meta": {"a": float("inf"), "b": 2.5}})
    told = record.values["label"]["source"]
    assert told == '{"é":["nan",0.25,7,null],"b":{"c":"-inf","d":[1.5,"x"]}}'
    meta = json.loads(record.values["meta"])
    assert (meta["a"], meta["b"]) == ("inf", 2.5)
    plain = one(root, lambda files: {"source": {"é": float("1"), "z": "ß"}})
    assert plain.values["label"]["source"] == '{"é":1.0,"z":"ß"}'


def test_names_say_what_is_stored(root: Path) -> None:
    make = Phantom(root)
    for name in ("a.b.nii.gz", "C.NII", "scan.mha"):
        (make.metaimage if name.endswith("mha") else make.nifti)(name, (6, 5, 4))

    def stored(name: str, dimension: str) -> str:
        image = rf"^{name.partition('.')[0]}\."
        record = one(root, lambda files: {"image": files.need(image)}, dimension=dimension)
        path: str = record.values["image"]["path"]
        return path

    assert [stored(name, "3d") for name in ("a.b.nii.gz", "C.NII", "scan.mha")] == [
        "a.b.nii",
        "C.NII",
        "scan.nii",
    ]
    assert stored("color.png", "2d") == "color.png"


def test_why_a_volume_has_no_spacing_is_said_unless_the_row_knows_better(root: Path) -> None:
    header = bytearray((root / "volume.nii").read_bytes())
    header[80:92] = bytes(12)  # pixdim
    header[252:256] = bytes(4)  # qform and sform
    (root / "bare.nii").write_bytes(header)

    def bare(**fields: Any) -> tuple[Any, str | None]:
        record = one(root, lambda files: {"image": files.need(r"bare\.nii$")} | fields, dimension="3d")
        told = json.loads(record.values["meta"]).get("source_header", {}).get("spacing_unknown")
        return record.values["spacing"], told

    spacing, told = bare()
    assert spacing is None and told
    assert bare(spacing=(1, 2, 3)) == ([1, 2, 3], None)
    assert bare(spacing=()) == (None, None)
