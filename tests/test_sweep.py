"""Every builder on copies that lack one thing: rows, a report with counts, or a named error. Never silence.

Each kind of file of the miniature is left out in turn, and each cell of a line of its tables is blanked in turn.
"""

from __future__ import annotations

import csv
import functools
import io
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from miniatures import write

from medimg import registry
from medimg.errors import MedimgError
from medimg.files import File, Files
from medimg.phantom import Phantom
from medimg.registry import Builder
from medimg.report import LoadReport
from medimg.rows import Record, iterate
from medimg.schema import Row, Skipped

NAMES = [registry.slug(module) for module in registry.module_names()]
TABLES = (".csv", ".tsv", ".tab")
UNANNOUNCED: dict[str, list[tuple[str, str]]] = {
    "dsb2018": [(r"/masks/0+\d\.png$", "one of many nuclei; nothing says how many there are")],
    "idrid": [(r"Segmentation Groundtruths/", "a lesion without a file is a lesion that is not there")],
    "dsb2017": [(r"/b8bb\w+/[ab]0+\d\.dcm$", "acquisitions are told apart where they have slices in common")],
    "cell-tracking-challenge": [(r"_(GT|ST)/(SEG|TRA)/", "some frames are annotated, and no file says which")],
    "qin-lung-ct": [(r"-alg\d+ run\d+/", "one of several runs of a program; nothing says how many there are")],
    "4d-lung": [(r"4177/1-1\.dcm$", "not every phase is outlined, and no image says whether it is")],
    "qin-prostate-repeatability": [(r"Segmentations-", "not every image is outlined, and none says whether it is")],
    "lung-pet-ct-dx": [(r"/Annotation/", "boxes stand on some slices, and no file says on which")],
    "lidc-idri": [(r"resubmitted-correction", "a correction that came later; nothing refers to it")],
    "busi": [(r" \(100\)_mask(_1)?\.png$", "one of several masks; nothing says how many lesions there are")],
}
"""Dataset -> (pattern of the path, reason): files whose absence no other file, name or count of the source tells."""


STANDS_IN = {
    "adni": "where DXSUM has no diagnosis at the visit, the research group of the image search stands for it, told",
}
"""Datasets in which another statement of the source takes the place of a blank one, and says so."""


@dataclass
class Outcome:
    """What a builder made of a copy."""

    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    own: dict[str, set[str]] = field(default_factory=dict)
    """Row id -> paths of the files that its image is made of."""
    told: dict[str, int] = field(default_factory=dict)
    error: Exception | None = None


@dataclass(frozen=True)
class Watched(Builder):
    """Keeps what was yielded last: the next record is made of it."""

    last: list[Row | Skipped] = field(default_factory=list)

    def rows(self, files: Files, config: str | None = None) -> Iterator[Row | Skipped]:
        for item in super().rows(files, config):
            self.last[:] = [item]
            yield item

    def paths(self) -> set[str]:
        """Of the files that the image of the last row is made of."""
        (row,) = self.last
        assert isinstance(row, Row)
        return {row.image.path} if isinstance(row.image, File) else {file.path for file in row.image.files()}


def outcome(builder: Builder, root: Path) -> Outcome:
    result = Outcome()
    watched = Watched(builder.module)
    report = LoadReport(builder.name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Files.open(root, dataset=builder.name) as files:
                for record in iterate(watched, files, origin="miniature", report=report):
                    if isinstance(record, Record):
                        result.rows[record.values["id"]] = facts(record)
                        result.own[record.values["id"]] = watched.paths()
    except Exception as error:
        result.error = error
    result.told = {reason: held.count for kind in (report.skipped, report.incomplete) for reason, held in kind.items()}
    return result


def facts(record: Record) -> dict[str, Any]:
    """What a row says, without `meta` and `label.source`, which are the source's own words."""
    values, label = record.values, record.values["label"]
    plain = {key: values[key] for key in values if key not in ("id", "image", "label", "meta")}
    said = {key: label[key] for key in label if key not in ("mask", "target", "source")}
    pixels = {key: label[key] and hash(bytes(label[key]["bytes"])) for key in ("mask", "target")}
    return {"split": record.split, **plain, **said, **pixels}


@functools.cache
def unpacked(name: str) -> dict[str, bytes]:
    """The miniature's files with those of its archives, path -> bytes, in memory."""
    import tempfile

    builder = registry.get(name)
    make = Phantom()
    builder.miniature(make)
    with tempfile.TemporaryDirectory() as folder:
        with Files.open(write(make.files, Path(folder)), dataset=name) as files:
            return {file.path: file.read() for file in files}


def of_each_kind(name: str) -> list[str]:
    """The files to leave out: of those whose paths differ in digits alone, the first two and the last."""
    kinds: dict[str, list[str]] = {}
    for path in unpacked(name):
        kinds.setdefault(re.sub(r"\d+", "#", path), []).append(path)
    return [path for held in kinds.values() for path in dict.fromkeys((*held[:2], held[-1]))]


@pytest.fixture(params=NAMES, scope="module")
def copy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Builder, Path, Outcome]:
    """A whole copy, and what comes of it; a test that takes something away puts it back."""
    builder = registry.get(request.param)
    # A folder around it keeps the paths: a root that holds one folder and nothing else would be entered.
    root = write({**unpacked(builder.name), "zz-other.md": b"-"}, tmp_path_factory.mktemp("copies") / builder.name)
    whole = outcome(builder, root)
    assert whole.error is None
    return builder, root, whole


def test_a_missing_file_is_told(copy: tuple[Builder, Path, Outcome]) -> None:
    builder, root, whole = copy
    silent = []
    unannounced = [re.compile(pattern) for pattern, _ in UNANNOUNCED.get(builder.name, ())]
    for path in of_each_kind(builder.name):
        if any(pattern.search(path) for pattern in unannounced):
            continue
        (root / path).unlink()
        found = outcome(builder, root)
        (root / path).write_bytes(unpacked(builder.name)[path])
        if problem := judge_missing(builder, path, whole, found):
            silent.append(f"without {path}: {problem}")
    assert not silent, "\n".join(silent)


def judge_missing(builder: Builder, path: str, whole: Outcome, found: Outcome) -> str | None:
    if found.error is not None:
        return bare(builder, found.error)
    if strange := found.rows.keys() - whole.rows.keys():
        return f"other ids: {sorted(strange)[:3]}"
    if more(whole, found):
        return None
    lost = [key for key in whole.rows.keys() - found.rows.keys() if path not in whole.own[key]]
    changed = [key for key in found.rows if found.rows[key] != whole.rows[key] and path not in whole.own[key]]
    if lost or changed:
        about = {key: different(whole.rows[key], found.rows[key]) for key in changed[:2]}
        return f"not told; lost {lost[:3]}, changed {about}"
    return None


def test_a_blank_cell_is_no_finding_and_no_crash(copy: tuple[Builder, Path, Outcome]) -> None:
    builder, root, whole = copy
    wrong = []
    for path, data in unpacked(builder.name).items():
        for place, blanked in blank_cells(path, data):
            (root / path).write_bytes(blanked)
            found = outcome(builder, root)
            if problem := judge_blank(builder, whole, found):
                wrong.append(f"{path}, {place}: {problem}")
        (root / path).write_bytes(data)
    assert not wrong, "\n".join(wrong)


def blank_cells(path: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Copies of a table with one cell blanked: every cell of the first and the last line."""
    if not path.lower().endswith(TABLES):
        return
    text = data.decode("utf-8", "surrogateescape")
    delimiter = max(",;\t", key=text.split("\n", 1)[0].count)
    lines = list(csv.reader(io.StringIO(text), delimiter=delimiter))
    for number in dict.fromkeys((1, len(lines) - 1)):
        for column, cell in enumerate(lines[number] if 0 < number < len(lines) else []):
            if cell.strip():
                changed = [list(line) for line in lines]
                changed[number][column] = ""
                stream = io.StringIO()
                csv.writer(stream, delimiter=delimiter, lineterminator="\n").writerows(changed)
                name = lines[0][column] if column < len(lines[0]) else column
                yield (
                    f"line {number + 1}, column {name!r}",
                    stream.getvalue().encode("utf-8", "surrogateescape"),
                )


def judge_blank(builder: Builder, whole: Outcome, found: Outcome) -> str | None:
    if found.error is not None:
        return bare(builder, found.error)
    if strange := found.rows.keys() - whole.rows.keys():
        return f"other ids: {sorted(strange)[:3]}"
    if builder.name in STANDS_IN and more(whole, found):
        return None
    invented = [key for key in found.rows if claims_more(whole.rows[key], found.rows[key])]
    if invented:
        key = invented[0]
        return f"{key} claims what nobody said: {different(whole.rows[key], found.rows[key])}"
    if more(whole, found):
        return None
    if lost := whole.rows.keys() - found.rows.keys():
        return f"not told; lost {sorted(lost)[:3]}"
    return None


def claims_more(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether a row says something that it did not say before, an absence included; knowing less is honest."""
    for key in ("classes", "assessed"):
        if set(new[key]) - set(old[key]):
            return True
    if set(new["uncertain"]) - set(old["uncertain"]) - set(old["assessed"]):
        return True
    names = lambda row: {*row["classes"], *row["uncertain"], *(box["name"] for box in row["boxes"]),  # noqa: E731
                         *(point["name"] for point in row["points"])}  # fmt: skip
    if (names(old) - names(new)) & set(new["assessed"]):
        return True
    for key in ("boxes", "points", "measures", "texts", "legend"):
        if any(one not in old[key] for one in new[key]):
            return True
    if new["mask"] not in (old["mask"], None) or new["target"] not in (old["target"], None):
        return True
    if old["mask"] and not new["mask"]:
        drawn = {name for entry in old["legend"] for name in entry["names"]}
        if drawn & set(new["assessed"]):
            return True
    same = ("split", "modality", "organ", "task", "shape", "content", "sequence")
    unknown = ("subject", "spacing")
    return any(new[key] != old[key] for key in same) or any(new[key] not in (old[key], None) for key in unknown)


def bare(builder: Builder, error: Exception) -> str | None:
    """What is wrong with an error: it is not ours, or it does not say where and what next."""
    if not isinstance(error, MedimgError):
        return f"a bare {type(error).__name__}: {error}"
    if error.dataset != builder.name:
        return f"no dataset in: {error}"
    if re.search(r"it is not what the reader expects|has no entry for", error.problem):
        return f"nobody expected it: {error}"
    return None if error.next_step else f"no next step in: {error}"


def more(whole: Outcome, found: Outcome) -> bool:
    """Whether more is told of this copy than of the whole one."""
    return any(count > whole.told.get(reason, 0) for reason, count in found.told.items())


def different(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    return {key: (old[key], new[key]) for key in old if old[key] != new[key]}
