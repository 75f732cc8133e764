r"""The left join that most datasets are: an image, what its path captured, the files beside it, lines of tables.

A join is total: every image, partner and line is part of a row, is left out with a reason, or is an error.

    rows = Join(
        r"images/(?P<name>[^/]+)\.png$",
        mask=Partner(r"masks/(?P<name>[^/]+)\.png$", skip="its mask is not here"),
        line=lines(r"ages\.csv$", "image_id", key="name", tell="no table has a line for it: its age is not known"),
        row=lambda case: Row(id=case.name, image=case.image, mask=case.mask, meta=case.line or {}),
    )
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from medimg.errors import DeclarationError, SourceError
from medimg.files import File, Files
from medimg.readers import tables
from medimg.readers.table_lines import Lines
from medimg.schema import Row, Skipped, skipped

UNASKED = "rows like that of its image do not use it"
Image = File | dict[str, File]
"""The file of an image; of one that is made up of several, which of them -> file."""
Key = tuple[str | None, ...]
"""What a path has captured."""
DATA = {".mhd": (".raw", ".zraw"), ".hdr": (".img",)}
"""Suffix of a header -> those of the voxels beside it, which go where their header goes."""


@dataclass(frozen=True, kw_only=True)
class _Beside:
    """What stands beside an image, and what becomes of an image without it.

    Attributes:
        skip: the reason for which an image that lacks it is left out.
        tell: or what is told of it, and the row comes.
        lost: what rows lack where there is none at all ("masks are"): told once, instead of `tell` for each image.
        when: whether an image is expected to have it; None: each is.
    """

    skip: str | None = None
    tell: str | None = None
    lost: str | None = None
    when: Callable[[Case], bool] | None = None


@dataclass(frozen=True)
class Partner(_Beside):
    """A file beside the image. What both patterns capture under one name says which belong together.

    Attributes:
        pattern: of the path, with named groups.
        orphan: why one without its image is no row.
        by: group of this pattern alone: an image may have several, and the case has text of the group -> file.
    """

    pattern: str
    orphan: str = field(default="its image is not in this copy", kw_only=True)
    by: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class Lookup(_Beside):
    """What is said of an image elsewhere, as in tables.

    Attributes:
        read: source -> a mapping, read once: `table_lines.Lines`, or a dictionary.
        key: the name of the case whose value is the key; several for a tuple; or case -> the key.
        rest: told of every line that no image has asked for (of `table_lines.Lines`).
    """

    read: Callable[[Files], Mapping[Any, Any]]
    key: str | tuple[str, ...] | Callable[[Case], Any]
    rest: str | None = field(default=None, kw_only=True)


def lines(
    pattern: str,
    column: str | Sequence[str] | None,
    *,
    key: str | tuple[str, ...] | Callable[[Case], Any],
    skip: str | None = None,
    tell: str | None = None,
    lost: str | None = None,
    when: Callable[[Case], bool] | None = None,
    rest: str | None = None,
    **options: Any,
) -> Lookup:
    """The lines of all tables whose path matches, by the text of a column.

    Args:
        pattern: of the tables' paths; what it captures stands before the column's text in the key.
        column: whose text is the key; of several the first that the table has; None is the table's first.
        key, skip, tell, lost, when, rest: see `Lookup`.
        options: of `tables.lines_by`.
    """
    read = partial(tables.lines_by, pattern=pattern, column=column, lost=lost, **options)
    return Lookup(read, key, skip=skip, tell=tell, lost=lost, when=when, rest=rest)


class Case:
    """One image and what is known of it, as attributes: the groups of the image's pattern and the join's own names.

    A group that captured nothing, a partner or a line that is not there, is None; partners by a group of their own are
    a dictionary, empty then.

    Attributes:
        files: the source.
        image: the file; where the join has `by`, the group's text -> file.
        main: the file by which the image is named in messages.
        stem, file: of the name of `main`: without its suffix, and with the suffix in lower case, as in tables.
    """

    def __init__(
        self,
        files: Files,
        image: Image,
        captured: Mapping[str, str | None],
        partners: Mapping[str, Any],
        lookups: Mapping[str, Callable[[Case], Any]],
    ) -> None:
        self.files = files
        self.image = image
        self.main = _several(image)[0]
        self.stem, self.file = self.main.stem, self.main.key
        self._captured = captured
        self._partners = partners
        self._lookups = lookups
        self._asked: set[str] = set()
        self._skipped = False

    def __getattr__(self, name: str) -> Any:
        self._asked.add(name)
        if name in self._captured:
            return self._captured[name]
        if name in self._partners:
            return self._partners[name]
        if name in self._lookups:
            return self._lookups[name](self)
        known = ", ".join([*self._captured, *self._partners, *self._lookups])
        raise AttributeError(f"the join has no {name!r}; it has {known}")

    def tell(self, reason: str) -> None:
        """Say what the row lacks: `Files.tell`."""
        self.files.tell(self.main, reason)

    def skip(self, reason: str) -> list[Skipped]:
        """The image and its partners, left out for a reason: what `row` returns instead of a row."""
        self._asked.update(self._partners)
        self._skipped = True
        return [*skipped(self.own, reason)]

    @property
    def own(self) -> list[File]:
        """The files of the image, then its partners, headers with their voxels."""
        return [file for value in (self.image, *self._partners.values()) for file in _several(value)]

    @property
    def unasked(self) -> list[File]:
        """Partners that nobody has looked at."""
        values = (value for name, value in self._partners.items() if name not in self._asked)
        return [file for value in values for file in _several(value)]


class Join:
    """`rows` of a builder.

    Args:
        image: pattern of the images' paths, with named groups.
        row: case -> a row, several of them, or `case.skip(reason)`. What goes wrong in it is an error of this image
            alone (`Files.row`).
        by: group of the image's pattern: all files that differ in it alone make up one image.
        apart: groups that tell images apart, where not all of them do; the others are as of an image's first file.
        again: why a file is left out that captures the same as one before. Without it both become rows, or are an
            error where they would be one part of one image.
        left: (pattern, reason) of further files that are no row; the first pattern that finds a file counts.
        stream: take the images in one pass, in the order of the archive (`Files.stream`).
        beside: the name that the case has it under -> a `Partner` or a `Lookup`. The first that an image lacks, of
            those with `skip`, is the reason why the image is left out.

    Raises:
        DeclarationError: a name means two things, or a partner captures nothing that the image captures.
    """

    def __init__(
        self,
        image: str,
        row: Callable[[Case], Row | Iterable[Row | Skipped]],
        *,
        by: str | None = None,
        apart: Sequence[str] = (),
        again: str | None = None,
        left: Sequence[tuple[str, str]] = (),
        stream: bool = False,
        **beside: Partner | Lookup,
    ) -> None:
        self._image, self._row, self._by, self._again, self._stream = image, row, by, again, stream
        self._left = (*left,)
        self._beside = beside
        self._captured = [name for name in re.compile(image).groupindex if name != by]
        self._apart = [self._captured.index(name) for name in apart or self._captured]
        names = [*self._captured, *beside, "files", "image", "main", "own", "stem", "file", "tell", "skip"]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DeclarationError(f"names of a join that mean two things: {', '.join(twice)}")
        self._shared = {name: self._with(one.pattern) for name, one in beside.items() if isinstance(one, Partner)}

    def _with(self, pattern: str) -> tuple[str, ...]:
        theirs = re.compile(pattern).groupindex
        shared = tuple(name for name in self._captured if name in theirs)
        if not shared:
            raise DeclarationError(f"{pattern!r} captures nothing under a name of the image's pattern")
        return shared

    def __call__(self, files: Files) -> Iterator[Row | Skipped]:
        """Rows and images that are left out, then partners without an image and further files; lines are told."""
        found = {
            name: self._index(files, name, one) if isinstance(one, Partner) else one.read(files)
            for name, one in self._beside.items()
        }
        lookups = {
            name: partial(_said, found[name], one.key) for name, one in self._beside.items() if isinstance(one, Lookup)
        }
        used: set[File] = set()
        seen: set[Key] = set()
        for image, captured in self._images(files):
            key = tuple(captured[at] for at in self._apart)
            if self._again and key in seen:
                used.update(_several(image))
                yield from skipped(_several(image), self._again)
                continue
            seen.add(key)
            known = dict(zip(self._captured, captured, strict=True))
            partners = {name: self._of(name, found[name], known) for name in self._shared}
            case = Case(files, image, known, partners, lookups)
            used.update(case.own)
            with files.row(*case.own):
                yield from self._rows(case, found)
        yield from self._rest(files, found, used)

    def _images(self, files: Files) -> Iterator[tuple[Image, Key]]:
        """Each image with what its path captured, in the order of the join's names."""
        index = re.compile(self._image).groupindex
        whole: dict[Key, tuple[dict[str, File], Key]] = {}
        doubles: list[tuple[Image, Key]] = []
        for file, *groups in (files.stream if self._stream else files.match)(self._image):
            captured = tuple(groups[index[name] - 1] for name in self._captured)
            if self._by is None:
                yield file, captured
                continue
            key, kind = tuple(captured[at] for at in self._apart), groups[index[self._by] - 1]
            parts, _ = whole.setdefault(key, ({}, captured))
            if kind in parts and self._again:
                doubles.append(({kind: file}, captured))
            elif kind in parts:
                raise SourceError(
                    f"both {parts[kind].path!r} and {file.path!r} are the {kind} of one image",
                    dataset=files.dataset,
                    next_step="pass only the original download, without copies",
                )
            else:
                parts[kind] = file
        yield from whole.values()
        yield from doubles

    def _index(self, files: Files, name: str, one: Partner) -> Mapping[Any, Any]:
        """What an image and its partner both captured -> the partner, or the partners by their own group."""
        shared = self._shared[name]
        if one.by is None:
            return files.index(one.pattern, shared, lost=one.lost)
        found: dict[Key, dict[str, File]] = {}
        for (*key, kind), file in files.index(one.pattern, (*shared, one.by), lost=one.lost).items():
            found.setdefault(tuple(key), {})[kind] = file
        return found

    def _of(self, name: str, found: Mapping[Any, Any], known: Mapping[str, str | None]) -> Any:
        one = self._beside[name]
        assert isinstance(one, Partner)
        return found.get(tuple(known[group] for group in self._shared[name]), {} if one.by else None)

    def _rows(self, case: Case, found: Mapping[str, Mapping[Any, Any]]) -> Iterator[Row | Skipped]:
        """The rows of a case, or why there is none, and the partners that they did not look at."""
        lacks = [
            (one, found[name])
            for name, one in self._beside.items()
            if not (_key(case, one.key) in found[name] if isinstance(one, Lookup) else case._partners[name])
            and (one.when is None or one.when(case))
        ]
        if (why := next((one.skip for one, _ in lacks if one.skip), None)) is not None:
            for name, one in self._beside.items():
                if isinstance(one, Lookup) and isinstance(said := found[name], Lines):
                    said.cover(_key(case, one.key))
            yield from case.skip(why)
            return
        rows = self._row(case)
        yield from [rows] if isinstance(rows, Row) else rows
        for one, every in lacks:
            if one.tell and (every or not one.lost) and not case._skipped:
                case.tell(one.tell)
        yield from skipped(case.unasked, UNASKED)

    def _rest(self, files: Files, found: Mapping[str, Mapping[Any, Any]], used: set[File]) -> Iterator[Skipped]:
        orphans = [
            (file, one.orphan)
            for name, one in self._beside.items()
            if isinstance(one, Partner)
            for value in found[name].values()
            for file in _several(value)
        ]
        others = ((file, reason) for pattern, reason in self._left for file, *_ in files.match(pattern))
        for file, reason in (*orphans, *others):
            if file not in used:
                used.add(file)
                yield Skipped(file=file, reason=reason)
        for name, one in self._beside.items():
            if isinstance(one, Lookup) and one.rest and isinstance(said := found[name], Lines):
                said.tell_rest(one.rest)


def _several(value: Any) -> list[File]:
    """The files of an image, a partner, or partners, each with the voxels of a header; none of None."""
    files = value.values() if isinstance(value, dict) else [value] if value is not None else []
    return [one for file in files for one in (file, *_data(file))]


def _data(file: File) -> Iterator[File]:
    for suffix in DATA.get(file.suffix, ()):
        if (data := file.sibling(file.stem + suffix)) is not None:
            yield data


def _key(case: Case, names: str | tuple[str, ...] | Callable[[Case], Any]) -> Any:
    if callable(names):
        return names(case)
    return getattr(case, names) if isinstance(names, str) else tuple(getattr(case, name) for name in names)


def _said(table: Mapping[Any, Any], names: str | tuple[str, ...] | Callable[[Case], Any], case: Case) -> Any:
    return table.get(_key(case, names))
