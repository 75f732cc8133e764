"""What the checks of all peers share: how one is written, and how it is judged.

A peer module (`torch_em_peer.py`, `others.py`) has `CHECKS: list[Check]`. Each says which of the peer's loaders reads
which of our miniatures. `run(folder, work)` gets the folder with our miniature as it is distributed (archives packed)
and a `Workspace`: an empty folder of its own, helpers that place and unpack files as the peer's own download code
would, and our rows. It gives a `Case` for everything that the PEER found, in our orientation (2-D: rows, columns[,
channels]; 3-D: i, j, k as in NIfTI), and None for what the peer does not give.

    def _lits(folder, work):
        work.unpack()                                # every archive of the miniature below work.folder
        images, masks = lits.get_lits_paths(work.folder, download=False)
        return [Case(id, image=..., mask=...) for ...]

    CHECKS = [Check("lits", "torch_em.data.datasets.medical.lits.get_lits_paths", _lits,
                    key=lambda row: row.name, rows=lambda row: row.split == "train")]

`judge` then compares:
  cases    the ids against `key(row)` of our rows for which `rows(row)` holds, and `Case.split` where it is given
  pixels   `Case.image` against `image(row)` (default: the row's decoded pixels), exactly
  labels   (and `meaning`, the peer's names of the mask's values, against the legend)
           `Case.mask` against `mask(row)` (default: the decoded label map), exactly, and `Case.label` against
           `label(row)` (default: the classes of the row, sorted)
Each is "agree", "-" (the peer gives none) or a difference. A difference needs its reason in `why` ("cases", "pixels",
"labels"; name the line of the peer's code): it is then "explained". A difference without a reason fails the run, and so
does a reason without a difference. `after` says, for a column, what was done to our side (or undone of the peer's)
before it was compared exactly, because the peer by design gives something else: "explained" as well. `notes` are said
in the table whatever the result. `cannot` says why a loader cannot be run at all (then `run` is None). `patched` names
what was changed of the peer, such as a count.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib.machinery
import io
import re
import shutil
import sys
import tarfile
import types
import unittest.mock
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from miniatures import built, pixels

from medimg import vocab
from medimg.registry import module_name

COLUMNS = ("cases", "pixels", "labels")
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2")


@dataclass(frozen=True)
class Case:
    """One thing that a peer found."""

    id: str
    image: np.ndarray | None = None
    mask: np.ndarray | None = None
    label: Any = None
    split: str = ""
    """In our words: train, validation or test; compared where it is given."""


@dataclass(frozen=True)
class Ours:
    """One of our rows."""

    values: dict[str, Any]
    """All columns; `meta` and `label.source` parsed; `split` and `config` added."""
    all: list[Ours] = field(default_factory=list, repr=False)
    """All rows of the miniature."""

    @property
    def name(self) -> str:
        """The id without the dataset."""
        return self.values["id"].split("/", 1)[1]

    @property
    def split(self) -> str:
        return self.values["split"]

    @property
    def config(self) -> str:
        return self.values["config"]

    @property
    def meta(self) -> dict[str, Any]:
        return self.values["meta"] or {}

    @property
    def label(self) -> dict[str, Any]:
        return self.values["label"]

    @property
    def classes(self) -> list[str]:
        return sorted(self.label["classes"] or [])

    @property
    def image(self) -> np.ndarray:
        return pixels(self.values["image"])

    @property
    def rgb(self) -> np.ndarray:
        """The picture in three channels; a palette gives its colors."""
        return np.asarray(PIL.Image.open(io.BytesIO(self.values["image"]["bytes"])).convert("RGB"))

    @property
    def mask(self) -> np.ndarray | None:
        return None if self.label["mask"] is None else pixels(self.label["mask"])

    def named(self, *names: str) -> np.ndarray:
        """Where the label map says any of the names."""
        values = [each["value"] for each in self.label["legend"] if set(names) & set(each["names"])]
        return np.isin(self.mask, values)


@dataclass
class Workspace:
    """A folder of the check's own, our miniature and our rows."""

    folder: Path
    files: Path
    ours: list[Ours]

    def unpack(self, pattern: str = "", into: str = ".", *, flat: bool = False, nested: bool = True) -> Path:
        """Copy the miniature's files whose path has the pattern; archives are unpacked.

        Args:
            pattern: searched in the path relative to the miniature.
            into: folder below the workspace, which stands for the peer's `path`.
            flat: unpack into `into` itself; else next to where the archive lies, without a folder of its own.
            nested: archives in archives too.
        """
        target = self.folder / into
        target.mkdir(parents=True, exist_ok=True)
        for file in sorted(each for each in self.files.rglob("*") if each.is_file()):
            path = file.relative_to(self.files)
            if not re.search(pattern, path.as_posix()):
                continue
            place = target if flat else target / path.parent
            place.mkdir(parents=True, exist_ok=True)
            if file.name.endswith(ARCHIVES):
                extract(file, place)
            else:
                shutil.copy(file, place / file.name)
        if nested:
            for file in sorted(target.rglob("*")):
                if file.is_file() and file.name.endswith(ARCHIVES):
                    extract(file, file.parent)
                    file.unlink()
        return target

    def place(self, pattern: str = "", into: str = ".") -> Path:
        """Copy the miniature's files as they are, archives packed."""
        target = self.folder / into
        target.mkdir(parents=True, exist_ok=True)
        for file in sorted(each for each in self.files.rglob("*") if each.is_file()):
            path = file.relative_to(self.files)
            if re.search(pattern, path.as_posix()):
                (target / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, target / path)
        return target

    def row(self, pattern: str) -> Ours:
        """The one row whose name has the pattern."""
        (row,) = [each for each in self.ours if re.search(pattern, each.name)]
        return row


Run = Callable[[Path, Workspace], list[Case]]


@dataclass(frozen=True)
class Check:
    """One loader of a peer, and one of our datasets."""

    slug: str
    loader: str
    """The peer's dotted name, from the module that is imported."""
    run: Run | None = None
    peer: str = "torch_em"
    """The peer's distribution, for its version."""
    key: Callable[[Ours], str] = lambda row: row.name
    rows: Callable[[Ours], bool] = lambda row: True
    image: Callable[[Ours], Any] = lambda row: row.image
    mask: Callable[[Ours], Any] = lambda row: row.mask
    label: Callable[[Ours], Any] = lambda row: row.classes
    why: dict[str, str] = field(default_factory=dict)
    after: dict[str, str] = field(default_factory=dict)
    meaning: Callable[[Ours], dict[int, str]] | None = None
    """What the peer calls the values of our mask; looked up in the vocabulary, and in the row's legend."""
    tolerate: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None
    """Where masks (the peer's, ours) may differ, e.g. `outlines`; say it in `after`."""
    notes: str = ""
    patched: str = ""
    cannot: str = ""


@dataclass
class Result:
    """What came out of one check."""

    check: Check
    cells: dict[str, str]
    problems: list[str]
    cases: int = 0

    @property
    def state(self) -> str:
        if self.problems:
            return "FAILED"
        if self.check.cannot:
            return "cannot"
        return "explained" if self.check.why or self.check.after else "agree"


def judge(check: Check, folder: Path) -> Result:
    """Run one check in the folder and compare."""
    if check.run is None:
        return Result(check, dict.fromkeys(COLUMNS, "-"), [] if check.cannot else ["nothing to run"])
    mini = built(module_name(check.slug))
    origin = folder / "miniature"
    mini.builder.miniature(_writer(origin))
    ours: list[Ours] = []
    ours += [Ours(row, ours) for row in mini.rows()]
    work = Workspace(folder / "work", origin, ours)
    work.folder.mkdir(parents=True)
    try:
        cases = check.run(origin, work)
        cells, problems = compare(check, cases, [row for row in ours if check.rows(row)])
    except Exception as error:
        import traceback

        where = "".join(traceback.format_exception(error)[-4:])
        return Result(check, dict.fromkeys(COLUMNS, "-"), [f"{type(error).__name__}: {error}\n{where}"])
    return Result(check, cells, problems, len(cases))


def compare(check: Check, cases: list[Case], ours: list[Ours]) -> tuple[dict[str, str], list[str]]:
    """The three cells of the table, and what is wrong without a reason."""
    found: dict[str, list[str]] = {column: [] for column in COLUMNS}
    counted = dict.fromkeys((*COLUMNS, "splits", "names"), 0)
    theirs = {case.id: case for case in cases}
    keyed = {check.key(row): row for row in ours}
    counted["cases"] = len(cases)
    if len(theirs) != len(cases):
        found["cases"].append("the peer gives an id twice")
    if len(keyed) != len(ours):
        found["cases"].append("two of our rows have one key")
    for title, ids in (("peer only", set(theirs) - set(keyed)), ("ours only", set(keyed) - set(theirs))):
        if ids:
            found["cases"].append(f"{title}: {sorted(ids)[:6]} ({len(ids)})")
    for id in sorted(set(theirs) & set(keyed)):
        case, row = theirs[id], keyed[id]
        counted["splits"] += bool(case.split)
        if case.split not in ("", row.split):
            found["cases"].append(f"{id} is {case.split} to the peer, {row.split} to us")
        for column, value, mine in (
            ("pixels", case.image, check.image),
            ("labels", case.mask, check.mask),
            ("labels", case.label, check.label),
        ):
            if value is None:
                continue
            counted[column] += 1
            said = _differ(value, mine(row), check.tolerate if column == "labels" else None)
            if said:
                found[column].append(f"{id}: {said}")
        for value, word in check.meaning(row).items() if check.meaning else ():
            names = next((each["names"] for each in row.label["legend"] if each["value"] == value), None)
            counted["names"] += names is not None
            if names is not None and vocab.label.resolve(word) not in names:
                found["labels"].append(f"{id}: {value} is {word!r} to the peer, {names} to us")
    cells, problems = {}, [] if cases else ["cases: the peer finds none"]
    for column in COLUMNS:
        reason = check.why.get(column)
        if found[column] and not reason:
            problems += [f"{column}: {each}" for each in found[column][:5]]
        if reason and not found[column]:
            problems.append(f"{column}: a reason without a difference")
        cells[column] = f"agree ({counted[column]})" if counted[column] else "-"
        if found[column]:
            cells[column] = f"explained: {reason}" if reason else "DIFFERENT"
        elif column in check.after:
            cells[column] += f", explained: {check.after[column]}"
    if counted["splits"]:
        cells["cases"] += "; splits too"
    if counted["names"]:
        cells["labels"] += f"; names of values agree ({counted['names']})"
    return cells, problems


def outlines(theirs: np.ndarray, mine: np.ndarray) -> np.ndarray:
    """Voxels beside another value in our mask, within a slice of i, j: where two ways to fill an outline may differ."""
    size = (3, 3, *[1] * (mine.ndim - 2))
    return ndimage.maximum_filter(mine, size) != ndimage.minimum_filter(mine, size)


def _differ(value: Any, mine: Any, tolerate: Any = None) -> str:
    if not isinstance(value, np.ndarray):
        return "" if value == mine else f"peer {value!r}, ours {mine!r}"
    if mine is None:
        return "ours has none"
    mine = np.asarray(mine)
    if value.shape != mine.shape:
        return f"shape: peer {value.shape}, ours {mine.shape}"
    if np.array_equal(value, mine):
        return ""
    if tolerate and set(np.unique(value)) == set(np.unique(mine)):
        if np.array_equal(*(np.where(tolerate(value, mine), 0, each) for each in (value, mine))):
            return ""
    return f"{np.mean(value != mine):.1%} differ; peer {_values(value)}, ours {_values(mine)}"


def _values(array: np.ndarray) -> str:
    unique = np.unique(array)
    return str(unique.tolist()) if len(unique) < 9 else f"{unique.min()}..{unique.max()}"


def extract(file: Path, into: Path) -> None:
    """Unpack one archive."""
    if file.name.endswith(".zip"):
        with zipfile.ZipFile(file) as archive:
            archive.extractall(into)
    else:
        with tarfile.open(file) as archive:
            archive.extractall(into, filter="data")


def module(slug: str) -> str:
    """The builder's module; a check may say either name."""
    from medimg import registry

    for builder in registry.builders():
        name = builder.module.__name__.rsplit(".", 1)[-1]
        if slug in (name, builder.name):
            return name
    raise KeyError(slug)


def bare(package: str, **names: Any) -> None:
    """Make a package importable without running its `__init__`, which imports what we do not need.

    The names are what its modules import from the package itself.
    """
    place = importlib.machinery.PathFinder.find_spec(package.partition(".")[0])
    empty = types.ModuleType(package)
    empty.__path__ = [str(Path(place.origin).parent.joinpath(*package.split(".")[1:]))]
    vars(empty).update(names)
    sys.modules[package] = empty


def gunzip(file: Path) -> bytes:
    """Bytes of a .gz file."""
    return gzip.decompress(file.read_bytes())


@contextlib.contextmanager
def patched(module: Any, **values: Any) -> Iterator[None]:
    """Names of a peer's module changed for a while; say it in `Check.patched`."""
    with contextlib.ExitStack() as stack:
        for name, value in values.items():
            stack.enter_context(unittest.mock.patch.object(module, name, value))
        yield


def _writer(root: Path) -> Any:
    from medimg.phantom import Phantom

    return Phantom(root)
