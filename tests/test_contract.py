"""The contract: one suite over every builder, on its miniature."""

from __future__ import annotations

import ast
import functools
import io
import tarfile
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from miniatures import read, write

from medimg import builders, registry, vocab
from medimg.declaration import Dataset
from medimg.files import Files
from medimg.phantom import Phantom
from medimg.portions import files_of
from medimg.registry import Builder
from medimg.rows import Record, drafts
from medimg.schema import PIXEL_COLUMNS, Row, Skipped, features

NAMES = [registry.slug(module) for module in registry.module_names()]
"""Of the files, so that a declaration that fails is a failure of its own tests alone."""
FORBIDDEN_CALLS = {"open", "eval", "exec", "compile", "__import__", "print", "input"}
ALLOWED_IMPORTS = ("medimg.", "re", "math", "itertools", "collections", "functools", "json", "__future__")
MAX_LINES = 40
"""Of `rows` and `row`; the file is as long as its dataset is odd."""


@pytest.fixture(params=NAMES)
def builder(request: pytest.FixtureRequest) -> Builder:
    return registry.get(request.param)


@functools.cache
def phantom(name: str) -> dict[str, bytes]:
    """The files of a miniature, in memory."""
    make = Phantom()
    registry.get(name).miniature(make)
    return make.files


def write_zip(name: str, root: Path) -> Path:
    target = root / f"{name}.zip"
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in phantom(name).items():
            archive.writestr(f"{name}/{path}", data)
    return target


def write_tar(name: str, root: Path) -> Path:
    target = root / f"{name}.tar.gz"
    with tarfile.open(target, "w:gz") as archive:
        # Archives of strangers are in any order.
        for path, data in reversed(phantom(name).items()):
            entry = tarfile.TarInfo(f"{name}/{path}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return target


def flat(record: Record) -> dict[str, object]:
    """A record's values, comparable."""

    def plain(value: object) -> object:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [plain(each) for each in value]
        return bytes(value) if isinstance(value, bytearray | memoryview) else value

    return {"config": record.config, "split": record.split, **{k: plain(v) for k, v in record.values.items()}}


@functools.cache
def from_folder(name: str, root: Path) -> tuple[list[Record], list[Skipped], list[str]]:
    return read(registry.get(name), write(phantom(name), root))


@pytest.fixture
def miniature(
    builder: Builder, tmp_path_factory: pytest.TempPathFactory
) -> tuple[list[Record], list[Skipped], list[str]]:
    root = tmp_path_factory.getbasetemp() / f"miniature-{builder.name}"
    return from_folder(builder.name, root)


def source_of(builder: Builder) -> ast.Module:
    return ast.parse(Path(str(builder.module.__file__)).read_text("utf-8"))


def test_module_is_named_after_the_dataset(builder: Builder) -> None:
    assert builder.module.__name__.rsplit(".", 1)[1] == registry.module_name(builder.name)
    assert len(builder.description) > 40, "the docstring is the first paragraph of the card"


def test_aliases_lead_to_one_dataset() -> None:
    owners: dict[str, str] = {}
    for each in registry.builders():
        for alias in (each.name, *each.dataset.aliases):
            assert owners.setdefault(alias.casefold(), each.name) == each.name
            assert registry.get(alias).name == each.name


def test_builder_is_pure(builder: Builder) -> None:
    for node in ast.walk(source_of(builder)):
        if isinstance(node, ast.FunctionDef) and node.name in ("rows", "row"):
            length = (node.end_lineno or 0) - node.lineno + 1
            assert length <= MAX_LINES, "does a join, a reader or a family helper want that code?"
        if isinstance(node, ast.Import):
            assert all(alias.name in ALLOWED_IMPORTS for alias in node.names), ast.unparse(node)
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            assert node.level == 0
            assert module == "medimg" or module.startswith(ALLOWED_IMPORTS), ast.unparse(node)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in FORBIDDEN_CALLS, ast.unparse(node)


def test_rows_are_no_relay(builder: Builder) -> None:
    """Who only hands on to a helper says `rows = helper.rows(...)`, or a partial of it."""
    for node in source_of(builder).body:
        if isinstance(node, ast.FunctionDef) and node.name == "rows":
            first, *more = node.body[1:] if ast.get_docstring(node) else node.body
            assert more or not isinstance(first, ast.Expr | ast.Return), ast.unparse(first)


BUILDERS = Path(builders.__file__).parent
HELPERS = sorted(path.stem for path in BUILDERS.glob("_*.py") if path.stem != "__init__")


@functools.cache
def imported(path: Path) -> set[str]:
    """Full names of what a module imports, e.g. medimg.builders._msd."""
    return {
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


@pytest.mark.parametrize("helper", HELPERS)
def test_a_helper_serves_several_builders(helper: str) -> None:
    name = f"medimg.builders.{helper}"
    users = {
        path.relative_to(BUILDERS).parts[0]
        for path in BUILDERS.rglob("*.py")
        if any(f"{one}.".startswith(f"{name}.") for one in imported(path))
    }
    assert len([user for user in users if not user.startswith("_")]) > 1, "what one builder needs is in its file"


def test_declaration_is_complete(builder: Builder) -> None:
    dataset = builder.dataset
    assert dataset.homepage.startswith("http")
    assert dataset.sources
    assert dataset.splits or all(config.splits for config in dataset.configs)
    assert dataset.citation.year > 1990
    for overlap in dataset.overlaps:
        assert overlap.evidence, "an overlap needs evidence"


def test_every_pixel_file_is_a_row_or_has_a_reason(
    miniature: tuple[list[Record], list[Skipped], list[str]],
) -> None:
    records, skipped, lost = miniature
    assert records
    assert not lost
    assert all(item.reason for item in skipped)


def test_no_file_of_a_row_is_left_out_too(
    builder: Builder,
    miniature: tuple[list[Record], list[Skipped], list[str]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    root = tmp_path_factory.getbasetemp() / f"miniature-{builder.name}"
    with Files.open(root, dataset=builder.name) as files:
        items = list(drafts(builder, files))
    used = {file.path for item in items if isinstance(item, Row) for file in files_of(item)}
    assert not [item.file.path for item in items if isinstance(item, Skipped) and item.file.path in used]


def declared_names(dataset: Dataset) -> set[str]:
    """All that a declaration says its rows may be labeled with."""
    legends = (dataset.legend, *(part.legend for part in dataset.parts))
    drawn = {name for legend in legends for names in legend.values() for name in names}
    return drawn | {*dataset.every_label, *(name for part in dataset.parts for name in part.names or ())}


def test_rows_have_the_schema(builder: Builder, miniature: tuple[list[Record], list[Skipped], list[str]]) -> None:
    records, _, _ = miniature
    dataset = builder.dataset
    ids = [record.values["id"] for record in records]
    assert len(set(ids)) == len(ids)
    for record in records:
        values, label = record.values, record.values["label"]
        config = dataset.config(record.config)
        schema = features(config.dimension or dataset.dimension)
        assert list(values) == list(schema)
        assert list(label) == list(schema["label"])
        assert values["id"].startswith(f"{dataset.name}/")
        assert record.split in config.splits
        assert values["modality"] in vocab.modality
        assert all(term in vocab.organ for term in values["organ"]) and values["organ"]
        assert all(term in vocab.task for term in values["task"]) and values["task"]
        named = {name for entry in label["legend"] for name in entry["names"]}
        assert named | set(label["classes"]) | set(label["uncertain"]) <= set(label["assessed"])
        assert all(name in vocab.label for name in label["assessed"])
        assert not set(label["classes"]) & set(label["uncertain"])
        placed = {one["name"] for kind in ("boxes", "points") for one in label[kind]}
        assert placed | set(label["assessed"]) <= declared_names(dataset), "what is declared can be found"
        assert '"miniature":true' in values["meta"]
        assert values["shape"] == list(record.image.shape)


def test_all_declared_splits_occur(builder: Builder, miniature: tuple[list[Record], list[Skipped], list[str]]) -> None:
    found = {(record.config, record.split) for record in miniature[0]}
    declared = {(name, split) for name in builder.dataset.config_names for split in builder.dataset.config(name).splits}
    assert found == declared


def test_subjects_are_disjoint_or_declared(
    builder: Builder, miniature: tuple[list[Record], list[Skipped], list[str]]
) -> None:
    if builder.dataset.shared_subjects:
        return
    split_of: dict[tuple[str, str], str] = {}
    for record in miniature[0]:
        key = (record.config, record.values["subject"])
        if record.values["subject"] is None:
            continue
        assert split_of.setdefault(key, record.split) == record.split


def test_pixels_decode_with_the_stock_features(
    builder: Builder, miniature: tuple[list[Record], list[Skipped], list[str]]
) -> None:
    for record in miniature[0]:
        dimension = builder.dataset.config(record.config).dimension or builder.dataset.dimension
        if dimension == "video":
            continue  # the stock Video feature needs torchcodec; the bytes are the source's own
        schema = features(dimension)
        stored = {"bytes": bytes(record.values["image"]["bytes"]), "path": None}
        decoded = schema["image"].decode_example(stored)
        array = np.asarray(decoded.dataobj.get_unscaled() if dimension == "3d" else decoded)
        assert np.array_equal(array, record.image.array, equal_nan=array.dtype.kind == "f")
        if record.mask is not None:
            mask = schema["label"]["mask"].decode_example(
                {"bytes": bytes(record.values["label"]["mask"]["bytes"]), "path": None}
            )
            pixels = np.asarray(mask.dataobj if dimension == "3d" else mask)
            assert np.array_equal(pixels, record.mask.array)
            assert pixels.shape == tuple(record.image.shape[:3])  # a 4-D image has a 3-D mask


def test_folder_zip_and_tar_give_equal_rows(
    builder: Builder, miniature: tuple[list[Record], list[Skipped], list[str]], tmp_path: Path
) -> None:
    expected = {record.values["id"]: flat(record) for record in miniature[0]}
    for pack in (write_zip, write_tar):
        records, skipped, lost = read(builder, pack(builder.name, tmp_path))
        assert {record.values["id"]: flat(record) for record in records} == expected
        assert {item.file.path for item in skipped} == {item.file.path for item in miniature[1]}
        assert not lost


def test_miniature_is_small_quick_and_deterministic(builder: Builder) -> None:
    began = time.process_time()
    again = Phantom()
    builder.miniature(again)
    assert again.files == phantom(builder.name)
    assert sum(len(data) for data in again.files.values()) < 1_000_000
    assert time.process_time() - began < 5


def test_pixel_columns_name_real_columns() -> None:
    schema = features("3d")
    for column in PIXEL_COLUMNS:
        first, _, rest = column.partition(".")
        assert first in schema and (not rest or rest in schema[first])


ALWAYS_PRESENT: dict[str, dict[str, str]] = {
    "fire": {"control point": "every pair of photographs was registered by control points"},
    "bcnb": {
        "ER negative": "the patients of the miniature are all ER negative",
        "HER2 negative": "the patients of the miniature are all HER2 negative",
    },
    "nsclc-radiomics": {
        "non-small cell lung carcinoma": "every patient of the collection has one",
        "large cell lung carcinoma": "the histology of the miniature's other patient is not given",
    },
    "odir-5k": {"*": "a keyword that is not named was not asked for; the eight classes are, and are absent somewhere"},
    "olives": {"*": "scans with biomarkers have the same in the miniature; the disease is that of the trial"},
    "vessel12": {
        "pulmonary vessel": "each annotated scan has points of both kinds",
        "non-vessel": "each annotated scan has points of both kinds",
    },
    "bcn20000": {
        "other abnormality": "OOD is a code of the test set, whose public table has no diagnoses",
    },
}
"""dataset -> label (or "*") -> why no row of it can say that the label is absent."""


def present(record: Record) -> set[str]:
    """All that a row says to be there, or to be uncertain."""
    label = record.values["label"]
    drawn = {name for entry in label["legend"] if record.mask_values.get(entry["value"]) for name in entry["names"]}
    placed = {one["name"] for kind in ("boxes", "points") for one in label[kind]}
    return drawn | placed | set(label["classes"]) | set(label["uncertain"])


def test_every_label_can_be_absent(builder: Builder, miniature: tuple[list[Record], list[Skipped], list[str]]) -> None:
    """A label that is nowhere assessed and absent has no negatives: `assessed` was forgotten, or is what is present.

    What masks outline has its negatives within the image.
    """
    absent: set[str] = set()
    for record in miniature[0]:
        label = record.values["label"]
        absent |= set(label["assessed"]) - present(record)
        absent |= {name for entry in label["legend"] for name in entry["names"]}
    exempt = ALWAYS_PRESENT.get(builder.name, {})
    never = {name for name in builder.dataset.every_label if name not in absent}
    if "*" not in exempt:
        assert never == set(exempt), f"never absent: {sorted(never)}; exempt: {sorted(exempt)}"
    else:
        assert never, "the exemption is not needed"
