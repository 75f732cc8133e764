"""What a builder sees of a source: its files by path, the same for folder, archive and address."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

from medimg.errors import NO_FAULT_OF_A_FILE, SOURCE_FAULTS, ArchiveError, MedimgError, SourceError, named
from medimg.files.checksums import Checks, Declared
from medimg.files.file import File, FileIndex, Item
from medimg.files.limits import Budget, Limits
from medimg.files.names import lower_suffix, natural_key
from medimg.files.roots import Root
from medimg.files.tree import Found, Tree

_CLOSED = re.compile(r"\.(rar|7z(\.\d+)?|zip\.\d+|tar\.\w+\.\d+|z\d\d|part\d+|tar\.(zst|lz4?|z|lzma)|tzst)$", re.I)
"""Archives that are not read."""


class Files:
    """A view over one source: a folder, an archive, an address of either, or a dataset's declared sources.

    Archives are transparent: the members of `a/b.zip` stand below `a/b/`, and where all of them already lie
    in a folder `b/` that doubling is dropped. A root that holds one folder and nothing else is that folder.
    So the same data give the same paths, however they were packed. Junk of operating systems and hidden files
    are left out. A file that lies there unpacked, too, is taken from the unpacked ones.

    Listing happens at first use, once; a compressed tar is read to its end for it, unless `stream` is used.

    Attributes:
        dataset: slug, for messages.
        opened: paths that were opened through any File of this view.
        last: path that was opened last.
        notes: (path, reason) of what is in the source and not in the view: links to nowhere, devices.
        told: (path, reason) of what a row lacks, as builders and readers say with `tell`.
        quarantined: (file, error) of rows that went wrong within `row` and are left out.
        quarantine: whether such rows are left out; otherwise the first one ends the reading.
        checks: what the declaration states of the files, and whether they are compared with it.
    """

    def __init__(self, root: Root, again: Callable[[], Files]) -> None:
        self.dataset = root.dataset
        self.limits = root.budget.limits
        self.checks = root.checks
        self.notes = root.notes
        self.told = root.checks.told
        self.opened: set[str] = set()
        self.last: str | None = None
        self.quarantined: list[tuple[File, MedimgError]] = []
        self.quarantine = False
        self._again = again
        self._root = root
        self._tree = Tree(root)
        self._files: dict[str, File] | None = None
        self._cased: dict[str, list[str]] = {}
        self._order: list[File] = []

    @classmethod
    def open(
        cls,
        source: str | os.PathLike[str] | Sequence[Declared],
        *,
        dataset: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        sources: Sequence[Declared] = (),
        verify: bool = False,
    ) -> Files:
        """A view over `source`. Nothing remote is touched before the first use.

        Args:
            source: local folder or archive, fsspec address of either, or declared `Source`s, which are read
                by ranges where they lie.
            dataset: slug, for messages.
            storage_options: for fsspec (credentials, endpoint). Without them S3 is asked anonymously.
            limits: what archives may expand to.
            sources: the dataset's declared sources; files of these names must have the declared sizes.
            verify: compare each of these files with its declared digest before it is used, once (`checks`).

        Raises:
            SourceError: there is nothing at `source`.
            ChecksumError: a file has another size than declared.
        """
        again = functools.partial(
            cls.open,
            source,
            dataset=dataset,
            storage_options=storage_options,
            limits=limits,
            sources=sources,
            verify=verify,
        )
        limits = limits or Limits()
        checks = Checks(dataset, verify, limits.checked)
        return cls(Root(source, sources, dataset, storage_options or {}, Budget(limits), checks), again)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._again, ()

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of open files. Reading on opens them again."""
        self._tree.close()

    def __iter__(self) -> Iterator[File]:
        return iter(self._list().values())

    def __len__(self) -> int:
        return len(self._list())

    def __contains__(self, path: object) -> bool:
        text = path.path if isinstance(path, File) else path
        return isinstance(text, str) and self.get(text) is not None

    def get(self, path: str | None) -> File | None:
        """The file at exactly this path, or at the only one whose suffix is this in upper or lower case.

        Raises:
            SourceError: there are several of those.
        """
        if path is None:
            return None
        files = self._list()
        if (file := files.get(path)) is not None:
            return file
        plain = lower_suffix(path)
        close = [one for one in (plain, *self._cased.get(plain, ())) if one in files]
        if len(close) > 1:
            raise self._both(close[0], close[1], path)
        return files[close[0]] if close else None

    def match(self, pattern: str, *, lost: str | None = None) -> Iterator[tuple[Any, ...]]:
        """(File, *groups) of all files whose path `re.search` finds `pattern` in, in natural order.

        Suffixes count in lower case, and patterns spell them so: ".dcm" finds IM1.DCM, a group captures "IM1.dcm".
        Where a path does not match, it is tried with the folders that hold everything (and are no part of any
        path) in front: a copy that is one archive or one case alone may have what a pattern needs there.

        Args:
            pattern: a regular expression over the path.
            lost: what rows lack where no file matches; it is then told (`tell`).
        """
        search = self._searcher(pattern)
        none = True
        for path, file in self._list().items():
            if found := search(path):
                none = False
                yield (file, *found.groups())
        if none and lost:
            self.tell(pattern, f"no file matches {pattern!r}: {lost} not known")

    def folders(self, pattern: str) -> Iterator[list[File]]:
        """The files whose path `re.search` finds `pattern` in, folder by folder in natural order.

        A collection (`idc://`) is listed folder by folder as far as it is asked for, so that the first files of a
        collection are at hand before the last ones are known.
        """
        search = self._searcher(pattern)
        if (collection := self._root.collection()) is not None:
            for folder in collection.folders():
                files = [File(item.path, item, item.size, view=self) for item in folder]
                yield [file for file in files if search(file.path)]
            return
        found: dict[str, list[File]] = {}
        for path, file in self._list().items():
            if search(path):
                found.setdefault(file.parent, []).append(file)
        yield from found.values()

    def stream(self, pattern: str) -> Iterator[tuple[Any, ...]]:
        """Like `match`, in the archives' order and in one pass: a tar.gz is not listed to its end first.

        Whether all of a tar.gz lies in one folder is only known at its end. While it is streamed, that folder
        is taken for the root if it carries the archive's name, and the view keeps to this afterwards; `notes`
        says where a view that was listed first would have other paths. Patterns without "^" do not care.
        """
        search = self._searcher(pattern)
        once = self._tree.once() if self._files is None else None
        if once is None:
            self._list()
        for file in self._order if once is None else map(self._file, once):
            if found := search(file.path):
                yield (file, *found.groups())

    def tell(self, place: File | str, reason: str) -> None:
        """Say that something is missing though a row comes, e.g. a table that has no line for an image.

        Args:
            place: the file whose row lacks it.
            reason: what is not there and what is therefore not known; equal for equal cases, so that they are counted.
        """
        self.told.append((place.path if isinstance(place, File) else place, reason))

    @contextmanager
    def row(self, file: File, *more: File) -> Iterator[None]:
        """One bad file is one bad row: what goes wrong inside is a named error of this file.

            for image, case in files.match(...):
                with files.row(image):
                    yield Row(id=case, image=image, spacing=(line.number("mm"),) * 2)

        Whether the reading goes on without that row or ends, `quarantine` says (`Dataset.bad_files`).

        Args:
            file: by which a row that goes wrong is told.
            more: other files of the row, which go with it.

        Raises:
            MedimgError: naming dataset and file, where rows are not quarantined.
        """
        try:
            yield
        except (MedimgError, *SOURCE_FAULTS) as error:
            mended = named(error, dataset=self.dataset, file=file.path)
            if not self.quarantine or isinstance(mended, NO_FAULT_OF_A_FILE):
                raise mended from error
            self.opened.update(one.path for one in more)
            self.quarantined.append((file, mended))

    def _searcher(self, pattern: str) -> Callable[[str], re.Match[str] | None]:
        search = re.compile(pattern).search

        def found(path: str) -> re.Match[str] | None:
            path = lower_suffix(path)
            return search(path) or (search("/".join([*self._tree.strip, path])) if self._tree.strip else None)

        return found

    def find(self, pattern: str, *, lost: str | None = None) -> File | None:
        """The only match, None if there is none; `lost` as of `match`.

        Raises:
            SourceError: there are several.
        """
        found = self.match(pattern, lost=lost)
        first = next(found, None)
        second = next(found, None)
        if first and second:
            raise SourceError(
                f"both {first[0].path!r} and {second[0].path!r} match {pattern!r}, one file is expected",
                dataset=self.dataset,
                next_step="pass only the original download, without copies",
            )
        return first[0] if first else None

    def need(self, pattern: str, next_step: str | None = None) -> File:
        """The only match.

        Raises:
            SourceError: there is none, or there are several.
        """
        found = self.find(pattern)
        if found is None:
            raise SourceError(
                f"no file matches {pattern!r}; {self._inventory()}",
                dataset=self.dataset,
                next_step=next_step or "check that the download is complete and that source= points at its root",
            )
        return found

    def index(self, pattern: str, key: int | str | Sequence[int | str] = 1, *, lost: str | None = None) -> FileIndex:
        """Files by what `pattern` captured.

        Args:
            pattern, lost: as of `match`.
            key: the group that is the key, or several for a tuple of groups.

        Raises:
            SourceError: two files have one key; later, when the result is asked for a key that it lacks.
        """
        search = self._searcher(pattern)
        result = FileIndex(pattern, self)
        for path, file in self._list().items():
            if found := search(path):
                name = found[key] if isinstance(key, int | str) else tuple(found[one] for one in key)
                if name in result:
                    raise self._both(result[name].path, path, name)
                result[name] = file
        if lost and not result:
            self.tell(pattern, f"no file matches {pattern!r}: {lost} not known")
        return result

    def _both(self, one: str, other: str, name: object) -> SourceError:
        return SourceError(
            f"both {one!r} and {other!r} stand for {name!r}",
            dataset=self.dataset,
            next_step="pass only the original download, without copies",
        )

    def barren(self, reasons: str = "") -> SourceError:
        """The error for a source that gives no row; says why, what is there, and which archive is in the way."""
        what = f"no row came of it: {reasons}" if reasons else "nothing here is of this dataset"
        return SourceError(
            f"{what}; {self._inventory()}",
            dataset=self.dataset,
            next_step="check that the download is complete, unpacked where it is 7z or RAR, and that source= points "
            "at its root",
        )

    def _inventory(self) -> str:
        files = self._list()
        left = "".join(f"; {path} is left out: {reason}" for path, reason in self.notes[:3])
        if not files:
            return f"the source holds no files{left}"
        names = list(files)
        text = f"the source holds {len(names):,} files: " + ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
        closed = [name for name in names if _CLOSED.search(name)]
        return text + (f" ({closed[0]} is an archive that must be unpacked first)" if closed else "") + left

    def size(self) -> tuple[int, int]:
        """Bytes of all files of the root, archives as they lie there, and how many files' size nobody tells.

        Nothing is read. A collection, whose folders are listed as far as they are asked for, counts as one such file.
        """
        if self._root.collection() is not None:
            return 0, 1
        with self._root.named():
            sizes = [item.size for item in self._root.items()]
        return sum(size or 0 for size in sizes), sizes.count(None)

    def one_pass(self) -> str | None:
        """An archive of the root that is compressed as a whole: to read its end, all before it must be decoded."""
        if self._root.collection() is not None:
            return None
        with self._root.named():
            names = [item.path for item in self._root.items()]
        return next((name for name in names if re.search(r"\.(tar\.(gz|bz2|xz)|tgz|tbz2?|txz)$", name, re.I)), None)

    def fingerprint(self) -> str:
        """Digest over the files of the root: paths, sizes and versions. Says whether the source changed.

        The version is the CRCs of a zip's members, the server's ETag or date, else the file's time of change; a
        collection tells the versions of its folders.
        """
        if (collection := self._root.collection()) is not None:
            return collection.version()
        with self._root.named():
            return self._tree.fingerprint()

    def changed_since(self, fingerprint: str) -> bool:
        """Whether the root holds others by now than when it was opened, and this was its fingerprint.

        No archive is opened again whose size and time are what they were.
        """
        now = self._again()
        with self._root.named():
            same = self._root.collection() is None and now._root.states() == self._root.states()
        return not same and now.fingerprint() != fingerprint

    def _list(self) -> dict[str, File]:
        with self._root.lock:
            if self._files is None:
                with self._root.named():
                    self._order = [self._file(one) for one in self._tree.listed()]
                files = {file.path: file for file in sorted(self._order, key=lambda file: natural_key(file.path))}
                if len(files) != len(self._order):
                    raise ArchiveError(
                        "the archive's folder cannot be told from its root in one pass",
                        dataset=self.dataset,
                        next_step="unpack the archive once and pass the folder",
                    )
                for path in files:
                    if (plain := lower_suffix(path)) != path:
                        self._cased.setdefault(plain, []).append(path)
                self._files = files
            return self._files

    def _file(self, found: Found) -> File:
        return File(self._tree.path(found), found.item, found.item.size, view=self)

    def _stream(self, item: Item, path: str) -> BinaryIO:
        self.checks.check(item)
        self.opened.add(path)
        self.last = path
        blame = functools.partial(self._blame, path)
        try:
            return item.stream(blame)
        except MedimgError as error:
            raise blame(error) from error.__cause__

    def _blame(self, path: str, error: MedimgError) -> MedimgError:
        return error.within(dataset=self.dataset, file=path)
