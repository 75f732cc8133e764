"""A builder's miniature and what the builder makes of it, for tests."""

from __future__ import annotations

import atexit
import functools
import io
import json
import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import PIL.Image

from medimg import registry
from medimg.files import Files
from medimg.phantom import Phantom
from medimg.registry import Builder
from medimg.report import LoadReport
from medimg.rows import Record, iterate, unread
from medimg.schema import Skipped


@dataclass(frozen=True)
class Miniature:
    """A builder's miniature, and what the builder makes of it."""

    builder: Builder
    files: dict[str, bytes]
    """Path -> bytes: the source as it is distributed, and every member of its archives as the view names it."""
    records: list[Record]
    skipped: dict[str, str]
    """Path (members of archives by their inner path) -> why it gave no row."""
    unread: list[str]
    """Files that no row named and no reason covers."""
    told: dict[str, list[str]]
    """What rows came without: reason -> examples of files."""

    def paths(self, pattern: str) -> list[str]:
        """Paths of the miniature in which the pattern occurs."""
        return [path for path in self.files if re.search(pattern, path)]

    def bytes(self, pattern: str) -> bytes:
        """The one file whose path has the pattern."""
        (path,) = self.paths(pattern)
        return self.files[path]

    def text(self, pattern: str, encoding: str = "utf-8") -> str:
        """The same, as text; a byte order mark stays."""
        return self.bytes(pattern).decode(encoding)

    def picture(self, pattern: str) -> PIL.Image.Image:
        """The same, as Pillow reads it."""
        return PIL.Image.open(io.BytesIO(self.bytes(pattern)))

    def rows(self, pattern: str = "") -> list[dict[str, Any]]:
        """Values of the rows whose id has the pattern; `meta` and `label.source` parsed, split and config added."""
        found = []
        for record in self.records:
            if re.search(pattern, str(record.values["id"])):
                row = {"split": record.split, "config": record.config, **record.values}
                row["meta"] = json.loads(row["meta"]) if row["meta"] else None
                label = dict(row["label"])
                label["source"] = json.loads(label["source"]) if label["source"] else None
                found.append({**row, "label": label})
        return found

    def row(self, pattern: str) -> dict[str, Any]:
        """The one row whose id has the pattern."""
        (row,) = self.rows(pattern)
        return row


def pixels(value: dict[str, Any]) -> np.ndarray[Any, Any]:
    """Decoded pixels of a row's `image`, `label["mask"]` or `label["target"]`; volumes as their stored numbers."""
    data = bytes(value["bytes"])
    if value["path"].endswith(".nii"):
        return np.asanyarray(nibabel.Nifti1Image.from_bytes(data).dataobj)
    return np.asarray(PIL.Image.open(io.BytesIO(data)))


@functools.cache
def built(module: str) -> Miniature:
    """The miniature of one builder."""
    builder = registry.get(registry.slug(module))
    make = Phantom()
    builder.miniature(make)
    return _build(builder, make.files, Path(_folder()) / module)


def rebuilt(module: str, path: Callable[[str], str | None], root: Path) -> Miniature:
    """The miniature in another copy, e.g. an incomplete one: `path` renames its files, None leaves one out."""
    builder = built(module).builder
    make = Phantom()
    builder.miniature(make)
    return _build(builder, {new: data for old, data in make.files.items() if (new := path(old)) is not None}, root)


def copied(module: str, contents: dict[str, bytes], root: Path) -> Miniature:
    """What the builder makes of these files, path -> bytes."""
    return _build(built(module).builder, contents, root)


def written(module: str) -> dict[str, bytes]:
    """The files of the miniature as they are distributed, path -> bytes; a new dict each time."""
    make = Phantom()
    built(module).builder.miniature(make)
    return make.files


def write(contents: dict[str, bytes], root: Path) -> Path:
    """Files below a folder."""
    for path, data in contents.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(data)
    return root


def read(
    builder: Builder, source: Path, report: LoadReport | None = None
) -> tuple[list[Record], list[Skipped], list[str]]:
    """What a builder makes of a source: rows, what is none, and the files that neither covers; `report` is filled."""
    with Files.open(source, dataset=builder.name, sources=builder.dataset.sources) as files:
        items = list(iterate(builder, files, origin="miniature", report=report))
        lost = [file.path for file in unread(files)]
    records = [item for item in items if isinstance(item, Record)]
    skipped = [item for item in items if isinstance(item, Skipped)]
    return records, skipped, sorted(set(lost) - {item.file.path for item in skipped})


def _build(builder: Builder, contents: dict[str, bytes], root: Path) -> Miniature:
    report = LoadReport(builder.name)
    records, skipped, lost = read(builder, write(contents, root), report)
    with Files.open(root, dataset=builder.name) as files:
        inside = {file.path: file.read() for file in files}
    reasons = {item.file.path: item.reason for item in skipped}
    told = {reason: held.examples for reason, held in report.incomplete.items()}
    return Miniature(builder, inside | contents, records, reasons, lost, told)


@functools.cache
def _folder() -> str:
    folder = tempfile.mkdtemp(prefix="medimg-quirks-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
