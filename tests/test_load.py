"""`medimg.load`: rows from one's own copy."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import nibabel as nib
import numpy as np
import PIL.Image
import pytest
from datasets import Dataset, IterableDataset, IterableDatasetDict
from datasets.exceptions import DataFilesNotFoundError

import medimg
from medimg import held, hub, privacy, registry
from medimg.declaration import Source
from medimg.errors import (
    ChecksumError,
    EmptySplitError,
    FormatError,
    HubError,
    SourceError,
    SourceRequiredError,
    UnknownDatasetError,
)
from medimg.files import File, Files
from medimg.licenses import Verdict
from medimg.loading import generate, locate_source
from medimg.phantom import Phantom
from medimg.pixels import Picture
from medimg.readers import raster, tables
from medimg.report import MAX_REASONS, OTHER, LoadReport, MedimgWarning
from medimg.schema import features
from tests.servers import web

pytestmark = pytest.mark.clients


@pytest.fixture
def lits(tmp_path: Path) -> Path:
    registry.get("lits").miniature(Phantom(tmp_path / "LiTS"))
    return tmp_path / "LiTS"


def test_streaming_and_not_give_equal_rows_in_the_schema(lits: Path) -> None:
    streamed = medimg.load("lits", source=lits, split="train", streaming=True)
    stored = medimg.load("LiTS17", source=str(lits), split="train")
    assert isinstance(streamed, IterableDataset) and isinstance(stored, Dataset)
    assert streamed.features == stored.features == features("3d")
    rows = list(streamed)
    assert [row["id"] for row in rows] == stored["id"] == ["lits/28", "lits/0", "lits/1"]
    for a, b in zip(rows, stored, strict=True):
        assert np.array_equal(np.asarray(a["image"].dataobj), np.asarray(b["image"].dataobj))
        assert np.array_equal(np.asarray(a["label"]["mask"].dataobj), np.asarray(b["label"]["mask"].dataobj))


def picture_facts(value: Any) -> Any:
    """What can be seen of a value: of pictures and volumes all that users look at."""
    if isinstance(value, PIL.Image.Image):
        seen = (value.mode, value.size, value.format, value.getpalette(), dict(value.getexif()), value.tobytes())
        return seen, {key: str(told) for key, told in value.info.items()}
    if isinstance(value, nib.spatialimages.SpatialImage):
        return type(value), str(value.header), np.asarray(value.dataobj).tobytes()
    if isinstance(value, np.ndarray) and value.dtype != object:
        return value.dtype, value.shape, value.tobytes()
    if isinstance(value, dict):
        return {key: picture_facts(one) for key, one in value.items()}
    if isinstance(value, np.ndarray):
        return [picture_facts(one) for one in value.ravel()]
    if isinstance(value, list | tuple):
        return [picture_facts(one) for one in value]
    return type(value), value


WAYS: dict[str, Callable[[IterableDataset], IterableDataset]] = {
    "as it is": lambda rows: rows,
    "bytes": lambda rows: rows.decode(False),
    "bytes of one": lambda rows: rows.cast_column("image", type(rows.features["image"])(decode=False)),
    "threads": lambda rows: rows.decode(num_threads=2),
    "features of old": lambda rows: rows.cast(datasets.Features(rows.features)),
    "numpy": lambda rows: rows.with_format("numpy"),
    "arrow": lambda rows: rows.with_format("arrow").map(lambda table: table),
    "map": lambda rows: rows.map(lambda row: {"wide": len(row["id"])}),
    "filter": lambda rows: rows.filter(lambda row: "1" in row["id"]),
    "shuffle": lambda rows: rows.shuffle(seed=1, buffer_size=3),
    "skip and take": lambda rows: rows.skip(1).take(1),
    "select": lambda rows: rows.select_columns(["label", "image"]),
    "bytes of select": lambda rows: rows.select_columns(["label", "image"]).decode(False),
    "remove": lambda rows: rows.remove_columns(["meta"]),
    "rename": lambda rows: rows.rename_column("image", "scan"),
    "batch": lambda rows: rows.batch(2),
    "pickle": lambda rows: pickle.loads(pickle.dumps(rows)),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", ["busi", "ham10000", "lits"])
def test_what_was_decoded_is_handed_on_as_the_stock_would_show_it(name: str, way: str) -> None:
    rows = medimg.load(name, source="miniature", split="train", streaming=True)
    arguments = {"name": name, "config": "default", "source": "miniature", "split": "train"}
    stock = IterableDataset.from_generator(
        generate, features=features("3d" if name == "lits" else "2d"), gen_kwargs=arguments
    )
    assert rows.features == stock.features and repr(rows.features) == repr(stock.features)
    ours, theirs = WAYS[way](rows), WAYS[way](stock)
    assert ours.features == theirs.features
    assert [picture_facts(row) for row in ours] == [picture_facts(row) for row in theirs]


def test_a_mode_is_asked_of_what_was_decoded() -> None:
    rows = medimg.load("ham10000", source="miniature", split="train", streaming=True)
    gray = next(iter(rows.cast_column("image", datasets.Image(mode="L"))))["image"]
    assert gray.mode == "L" and gray.tobytes() == next(iter(rows))["image"].convert("L").tobytes()


def test_no_picture_is_decoded_twice_and_no_mask_encoded(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = medimg.load("ham10000", source="miniature", split="train", streaming=True)
    monkeypatch.setattr(PIL.Image, "open", None)
    monkeypatch.setattr(PIL.Image.Image, "save", None)
    assert [row["image"].size for row in rows] == [(60, 45)] * 3


def test_a_row_that_waits_holds_bytes_alone() -> None:
    """As in a shuffle buffer, which takes rows before they are shown."""
    waiting = list(generate("ham10000", "default", "miniature", "train", hold=True))
    values = [value for row in waiting for value in (row["image"], row["label"]["mask"])]
    assert len(values) == 6
    for value in values:
        assert isinstance(value, held.Held) and value.picture is None
        assert set(value) == {"bytes", "path"} and value["bytes"] and value["path"] is None and len(value) == 2
        with pytest.raises(KeyError):
            value["picture"]


ARRAYS = [
    *(np.arange(24).reshape(4, 6).astype(kind) for kind in (bool, np.uint8, np.uint16, np.int32, np.float32)),
    *(np.arange(24 * n, dtype=np.uint8).reshape(4, 6, n) for n in (1, 2, 3, 4)),
]


@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{array.dtype}{array.shape}")
def test_pictures_made_of_arrays_look_as_the_stock_would_show_them(array: np.ndarray[Any, Any]) -> None:
    row = {"image": held.held(Picture(array), "a.png")}
    ours, stock = (kind({"image": datasets.Image()}) for kind in (held.Features, datasets.Features))
    theirs = stock.decode_example(stock.encode_example({"image": dict(row["image"])}))
    assert picture_facts(ours.decode_example(ours.encode_example(row))) == picture_facts(theirs)


def test_a_picture_whose_texts_were_taken_out_is_shown_from_what_is_left() -> None:
    image, out = PIL.Image.new("RGB", (8, 6), "red"), io.BytesIO()
    image.save(out, "JPEG", comment="Doe^John", quality=90)
    file = File("a.jpg", lambda: io.BytesIO(out.getvalue()), len(out.getvalue()))
    read = raster.picture(file).read()
    assert isinstance(read, Picture) and read.shown is not None and "comment" in read.shown.info
    clean, _ = privacy.stripped(read, "image", Counter())
    assert isinstance(clean, Picture) and clean.shown is None
    value = held.held(clean, "a.jpg")
    shown = datasets.Image().decode_example(value)
    assert not isinstance(value, held.Held) and "comment" not in shown.info


@pytest.mark.parametrize("origin", ["own copy", "published"])
def test_a_shuffle_buffer_takes_rows_before_they_are_decoded(
    origin: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = medimg.load("ham10000", source="miniature", split="train", streaming=True)
    if origin == "published":
        rows.to_parquet(tmp_path / "a.parquet")
        rows = datasets.load_dataset("parquet", data_files=[str(tmp_path / "a.parquet")], split="train", streaming=True)
    decoded = []
    stock = datasets.Image.decode_example
    monkeypatch.setattr(
        datasets.Image, "decode_example", lambda self, *given, **more: decoded.append(1) or stock(self, *given, **more)
    )
    next(iter(rows.shuffle(seed=0, buffer_size=3)))
    assert len(decoded) <= 2, "image and mask of one row"


def test_a_stream_of_held_pictures_goes_on_where_it_was_left() -> None:
    rows = medimg.load("ham10000", source="miniature", split="train", streaming=True)
    running = iter(rows)
    first = next(running)["id"]
    state = rows.state_dict()
    rest = [picture_facts(row) for row in running]
    rows.load_state_dict(state)
    assert [picture_facts(row) for row in rows] == rest and len(rest) == 2
    assert first not in str(rest)


def test_no_split_gives_every_split(lits: Path) -> None:
    every = medimg.load("lits", source=lits, streaming=True)
    assert isinstance(every, IterableDatasetDict)
    assert {split: len(list(rows)) for split, rows in every.items()} == {"train": 3, "test": 1}


def test_a_changed_source_is_read_anew(lits: Path) -> None:
    assert len(medimg.load("lits", source=lits, split="train")) == 3
    for path in lits.rglob("*-1.nii"):
        path.unlink()
    assert len(medimg.load("lits", source=lits, split="train")) == 2


def test_a_file_of_that_name_in_the_working_folder_is_not_taken(lits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The stock features read a local file where the stored path exists; the bytes must win."""
    other = lits.parent / "elsewhere"
    other.mkdir()
    (other / "volume-28.nii").write_bytes(b"not a volume")
    monkeypatch.chdir(other)
    for streaming in (True, False):
        rows = medimg.load("lits", source=lits, split="train", streaming=streaming)
        assert np.asarray(next(iter(rows))["image"].dataobj).shape == (12, 10, 6)


@pytest.mark.parametrize("name", ["chexpert", "echonet-dynamic"])
def test_recipe_only_without_a_source_says_where_to_register(name: str) -> None:
    with pytest.raises(SourceRequiredError) as caught:
        medimg.load(name)
    text = str(caught.value)
    assert name in text and "http" in text and "source=" in text


def test_every_recipe_says_how_to_pass_a_copy() -> None:
    for builder in registry.builders():
        if builder.dataset.publish is Verdict.RECIPE:
            with pytest.raises(SourceRequiredError, match=rf'medimg\.load\("{builder.name}".*, source="') as caught:
                medimg.load(builder.name)
            assert "http" in str(caught.value) and ".." not in str(caught.value), builder.name


def test_a_repository_without_data_is_named_with_the_next_step(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(repo: str, *args: object, **options: object) -> None:
        raise DataFilesNotFoundError(f"No (supported) data files found in {repo}")

    monkeypatch.setattr(hub, "check", lambda: None)
    monkeypatch.setattr(datasets, "load_dataset", nothing)
    with pytest.raises(HubError, match=r"hc18: the repository org/hc18 holds no data.*medimg\.load") as caught:
        medimg.load("hc18", namespace="org")
    assert "page says why" in str(caught.value)


@pytest.mark.parametrize("name", ["chexpert", "echonet-dynamic"])
def test_recipe_only_loads_from_a_copy(name: str, tmp_path: Path) -> None:
    registry.get(name).miniature(Phantom(tmp_path))
    rows = medimg.load(name, source=tmp_path, split="train", streaming=True)
    column = "image"
    first = next(iter(rows.cast_column(column, type(rows.features[column])(decode=False))))
    assert first["dataset"] == name and first["image"]["bytes"]


def test_unknown_names_say_what_there_is(lits: Path) -> None:
    with pytest.raises(UnknownDatasetError, match="lits"):
        medimg.load("litss")
    with pytest.raises(UnknownDatasetError, match="train, test"):
        medimg.load("lits", source=lits, split="validation")
    with pytest.raises(UnknownDatasetError, match="no config"):
        medimg.load("lits", "x", source=lits)
    with pytest.raises(UnknownDatasetError, match="pathmnist"):
        medimg.load("medmnist-v2", source=lits)


def test_a_page_only_source_cannot_be_official() -> None:
    with pytest.raises(SourceRequiredError, match="Register"):
        medimg.load("lits", source="official", streaming=True, split="train")


def heard(call: object) -> tuple[object, list[str]]:
    """What a call gives, and the texts of our warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()  # type: ignore[operator]
    return result, [str(one.message) for one in caught if issubclass(one.category, MedimgWarning)]


@pytest.mark.parametrize("streaming", [True, False])
def test_rows_left_out_are_told_once_with_counts_and_reasons(lits: Path, streaming: bool) -> None:
    next(lits.rglob("segmentation-1.nii")).unlink()
    rows = None

    def twice() -> int:
        nonlocal rows
        rows = medimg.load("lits", source=lits, split="train", streaming=streaming)
        return len(list(rows)) + len(list(rows))

    count, told = heard(twice)
    assert count == 4
    assert len(told) == 1 and "1 left out: a training volume whose segmentation is not in this copy" in told[0]
    report = rows.report  # type: ignore[attr-defined]
    assert report.rows == {"train": 2} and report.left_out == 1 and report.finished
    (reason,) = report.skipped.values()
    assert reason.count == 1 and reason.examples == ["Training Batch 1/volume-1.nii"]


def test_a_load_from_the_cache_tells_what_the_first_one_left_out(lits: Path) -> None:
    next(lits.rglob("segmentation-1.nii")).unlink()
    first, told = heard(lambda: medimg.load("lits", source=lits, split="train"))
    again, told_again = heard(lambda: medimg.load("lits", source=lits, split="train"))
    assert told == told_again and len(told) == 1
    assert again.report.to_json()["skipped"] == first.report.to_json()["skipped"] != {}  # type: ignore[attr-defined]
    assert again.cache_files == first.cache_files  # type: ignore[attr-defined]


def test_a_complete_copy_is_silent(lits: Path) -> None:
    rows, told = heard(lambda: list(medimg.load("lits", source=lits, split="train", streaming=True)))
    assert not told and len(rows) == 3  # type: ignore[arg-type]


@pytest.mark.parametrize("streaming", [True, False])
def test_no_row_is_an_error_with_the_commonest_reasons(tmp_path: Path, streaming: bool) -> None:
    """BUSI without its masks: every image is left out."""
    make = Phantom(tmp_path)
    for number in range(3):
        make.image(f"Dataset_BUSI_with_GT/benign/benign ({number}).png", (50, 42), mode="RGB")
    with pytest.raises(SourceError, match=r"busi.*3 left out: an image whose mask is not in this copy.*Next: "):
        list(medimg.load("busi", source=tmp_path, split="train", streaming=streaming))


@pytest.mark.parametrize("streaming", [True, False])
def test_a_split_without_rows_says_where_rows_are(lits: Path, streaming: bool) -> None:
    (lits / "test-volume-0.nii").unlink()
    with pytest.raises(EmptySplitError, match=r"no row of test; it has rows of train 3"):
        list(medimg.load("lits", source=lits, split="test", streaming=streaming))


def test_all_splits_of_a_part_are_those_that_are_there_and_a_word_on_the_others(lits: Path) -> None:
    (lits / "test-volume-0.nii").unlink()
    every, told = heard(lambda: medimg.load("lits", source=lits))
    assert list(every) == ["train"]  # type: ignore[call-overload]
    assert len(told) == 1 and "no row of test" in told[0]


def test_files_that_no_rule_covers_are_told(lits: Path) -> None:
    (lits / "liver.nii").write_bytes(next(lits.rglob("volume-0.nii")).read_bytes())
    rows = medimg.load("lits", source=lits, split="train", streaming=True)
    _, told = heard(lambda: list(rows))
    assert "1 left out: no rule of this builder covers it (e.g. liver.nii)" in told[0]


def test_what_a_source_lacks_is_told_though_rows_come(tmp_path: Path) -> None:
    for name, data in (("a.txt", b"x"), ("b.txt", b"y")):
        (tmp_path / name).write_bytes(data)
    files = Files.open(tmp_path)
    assert files.find(r"facts\.csv$", lost="age and sex are") is None
    assert not files.index(r"(\d+)\.png$", lost="pictures are")
    assert not list(files.match(r"\.jpg$", lost="photographs are"))
    assert [reason.split(": ")[1] for _, reason in files.told] == [
        "age and sex are not known",
        "pictures are not known",
        "photographs are not known",
    ]


@pytest.mark.parametrize("bad_files", ["stop", "quarantine"])
def test_one_bad_file_is_one_bad_row_or_ends_it_as_asked(lits: Path, bad_files: str) -> None:
    path = next(lits.rglob("volume-0.nii"))
    path.write_bytes(path.read_bytes()[:-100])
    rows = medimg.load("lits", source=lits, split="train", streaming=True, bad_files=bad_files)  # type: ignore[arg-type]
    if bad_files == "stop":
        with pytest.raises(FormatError, match=r"lits: Training Batch 1/volume-0\.nii"):
            list(rows)
        return
    found, told = heard(lambda: [row["id"] for row in rows])
    assert found == ["lits/28", "lits/1"]
    assert "1 left out: quarantined: " in told[0] and "volume-0.nii" in told[0]


def test_names_of_the_hub_and_phantoms_are_taken() -> None:
    rows = medimg.load("medimg/hc18", source="miniature", split="train", streaming=True)
    found = list(rows)
    assert [row["dataset"] for row in found] == ["hc18"] * 3
    assert all(json.loads(row["meta"])["miniature"] for row in found)


def test_splits_can_be_sliced_and_added_where_datasets_can(lits: Path) -> None:
    assert medimg.load("lits", source=lits, split="train[:2]")["id"] == ["lits/28", "lits/0"]
    assert medimg.load("lits", source=lits, split="train[-1:]+test")["id"] == ["lits/1", "lits/test-0"]
    assert medimg.load("lits", source=lits, split="train[:67%]").num_rows == 2
    streamed = medimg.load("lits", source=lits, split="train+test", streaming=True)
    assert [row["id"] for row in streamed] == ["lits/28", "lits/0", "lits/1", "lits/test-0"]
    assert [report.rows for report in streamed.report] == [{"train": 3}, {"test": 1}]
    with pytest.raises(UnknownDatasetError, match=r"\.take\(n\)"):
        medimg.load("lits", source=lits, split="train[:2]", streaming=True)
    with pytest.raises(UnknownDatasetError, match="train, test"):
        medimg.load("lits", source=lits, split="train+nonsense")


def test_a_report_survives_json_and_is_bounded() -> None:
    report = LoadReport("lits", "default")
    for number in range(MAX_REASONS + 7):
        report.skip(f"{number}.nii", f"reason {number}")
    report.skip("x.nii", "reason 3")
    report.lack("y.nii", "no table")
    report.rows["train"] += 2
    report.elsewhere["default", "test"] += 1
    assert report.left_out == MAX_REASONS + 8
    assert report.skipped[OTHER].count == 7 and report.skipped["reason 3"].count == 2
    assert LoadReport.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_a_report_is_read_by_people_and_starts_anew() -> None:
    report = LoadReport("odir-5k", "eyes")
    assert str(report) == "odir-5k/eyes: rows: none" and not report
    assert str(LoadReport("lits", "default")) == str(LoadReport("lits")) == "lits: rows: none"
    report.rows.update(train=1200, test=3)
    report.elsewhere["patients", "train"] += 2
    for number in range(7):
        report.skip(f"{number}.jpg", "no line of it")
    report.skip("x.jpg", "a link")
    report.lack("1.jpg", "its age is not known")
    assert str(report).splitlines() == [
        "odir-5k/eyes: rows: train 1,200, test 3",
        "  7 left out: no line of it (e.g. 0.jpg)",
        "  1 left out: a link (e.g. x.jpg)",
        "  1 incomplete: its age is not known (e.g. 1.jpg)",
    ]
    assert report.skipped["no line of it"].examples == [f"{number}.jpg" for number in range(5)]
    assert report.reasons(1) == (
        "7 left out: no line of it (e.g. 0.jpg); 1 left out for 1 other reasons; "
        "1 incomplete: its age is not known (e.g. 1.jpg)"
    )
    report.finished = True
    report.restart()
    assert report == LoadReport("odir-5k", "eyes")


def test_a_report_of_many_reasons_shows_each() -> None:
    report = LoadReport("lits")
    for number in range(MAX_REASONS + 3):
        report.skip(f"{number}.nii", f"reason {number}")
    lines = str(report).splitlines()
    assert len(lines) == MAX_REASONS + 2 and f"  3 left out: {OTHER} (e.g. {MAX_REASONS}.nii)" in lines


@pytest.fixture
def table(tmp_path: Path) -> Files:
    (tmp_path / "a.csv").write_text(
        'name,mm,kind\nx,0.5,cat\ny,"0,5",dog\nz,NA,cat\nz,0.7,cat\nx,0.5,cat\n ,1,cat\nw,inf,bird\n'
    )
    return Files.open(tmp_path, dataset="animals")


def test_cells_are_numbers_or_named(table: Files) -> None:
    x, y, z, *_, w = tables.rows(table.need("a.csv"))
    assert x.number("mm") == 0.5 and z.number_or_none("mm") is None
    for line, text in (
        (y, "line 3, column 'mm': '0,5' is no number"),
        (z, "is no number"),
        (w, "not finite"),
    ):
        with pytest.raises(FormatError, match=text) as caught:
            line.number("mm")
        assert caught.value.file == "a.csv" and caught.value.next_step
    with pytest.raises(FormatError, match="no column 'weight'; there are"):
        x.number("weight")
    assert x.one_of("kind", {"cat": ("c",), "dog": ("d",)}) == ("c",)
    with pytest.raises(FormatError, match=r"'bird' is none of 'cat', 'dog'"):
        w.one_of("kind", {"cat": ("c",), "dog": ("d",)})


def test_lines_that_contradict_concern_their_row_alone(table: Files) -> None:
    lines = tables.lines_by(table, r"a\.csv$", "name")
    assert lines.get("x")["mm"] == "0.5" and lines.get("nobody") is None
    with pytest.raises(FormatError, match=r"line 5, column 'name': 'z' stands in line 4, too, with another 'mm'"):
        lines.get("z")
    lines.tell_rest("its image is not in this copy")
    assert [reason for _, reason in table.told] == [
        "a line of the table belongs to nothing: its 'name' is blank",
        "a line of the table is no row: its image is not in this copy",
        "a line of the table is no row: its image is not in this copy",
    ]


def test_blank_is_not_an_id(tmp_path: Path) -> None:
    from medimg.schema import Row

    Phantom(tmp_path).image("a.png", (8, 8))
    (file,) = Files.open(tmp_path)
    assert Row(id="1", image=file, subject="").subject is None
    assert Row(id="1", image=file, subject=" \t").subject is None
    with pytest.raises(ValueError, match="blank"):
        Row(id=" ", image=file)


def test_a_declared_file_is_compared_before_its_rows_come(tmp_path: Path) -> None:
    """A user's own download of that name, and nothing that a phantom wrote."""
    make = Phantom()
    registry.get("hc18").miniature(make)
    for path, data in make.files.items():
        (tmp_path / path).write_bytes(data)
    with pytest.raises(ChecksumError, match=r"hc18: training_set\.zip: its sha256 is .*Next: "):
        list(medimg.load("hc18", source=tmp_path, split="train", streaming=True))
    with pytest.raises(ChecksumError):
        medimg.load("hc18", source=tmp_path, split="train")
    for phantoms in ("miniature", tmp_path / "phantoms"):
        registry.get("hc18").miniature(Phantom(tmp_path / "phantoms"))
        assert list(medimg.load("hc18", source=phantoms, split="train", streaming=True))
    with zipfile.ZipFile(tmp_path / "training_set.zip") as archive:  # what a user has unpacked cannot be compared
        archive.extractall(tmp_path / "unpacked")
    shutil.copy(tmp_path / "training_set_pixel_size_and_HC.csv", tmp_path / "unpacked")
    assert list(medimg.load("hc18", source=tmp_path / "unpacked", split="train", streaming=True))


def test_official_files_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    builder = registry.get("hc18")
    make = Phantom()
    builder.miniature(make)
    with web() as server:
        server.files = dict(make.files)
        sources = [
            Source(url=server.url(path), path=path, sha256=hashlib.sha256(data).hexdigest())
            for path, data in make.files.items()
        ]
        monkeypatch.setattr(builder.module, "DATASET", builder.dataset.model_copy(update={"sources": tuple(sources)}))
        assert len(list(medimg.load("hc18", source="official", split="train", streaming=True))) > 0
        sources[0] = sources[0].model_copy(update={"sha256": "0" * 64})
        monkeypatch.setattr(builder.module, "DATASET", builder.dataset.model_copy(update={"sources": tuple(sources)}))
        with pytest.raises(ChecksumError, match="0000"):
            list(medimg.load("hc18", source="official", split="train", streaming=True))


def test_the_place_below_a_root_is_found_whatever_the_case_of_the_suffix(tmp_path: Path) -> None:
    (tmp_path / "hc18.Tar.GZ").write_bytes(b"")
    assert locate_source(str(tmp_path), "hc18") == str(tmp_path / "hc18.Tar.GZ")
    assert locate_source(str(tmp_path), "hc1") is None and locate_source(str(tmp_path / "no"), "hc18") is None
