"""What a builder sees of a source: its files by path, the same for folder, archive and address."""

from __future__ import annotations

import functools
import hashlib
import io
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from medimg import collections
from medimg.errors import (
    NO_FAULT_OF_A_FILE,
    SOURCE_FAULTS,
    ArchiveError,
    BombError,
    ChecksumError,
    MedimgError,
    SourceError,
    UnsafePathError,
    named,
)
from medimg.files import checksums, local, remote
from medimg.files.archives import Archive, open_archive
from medimg.files.blobs import (
    Blob,
    BlobStream,
    GiB,
    Handles,
    LocalBlob,
    buffered,
    html_error,
    other_kind,
)
from medimg.files.limits import Budget, Limits
from medimg.files.names import archive_kind, is_junk, lower_key, lower_suffix, natural_key, sniff, split_name

if TYPE_CHECKING:
    from medimg.declaration import Source

Blame = Callable[[MedimgError], MedimgError]


@functools.total_ordering
class File:
    """One file of the source. Light: nothing is read before `open`; equal and ordered by path.

    Attributes:
        path: relative to the root of the view, e.g. "imagesTr/hippocampus_001.nii.gz".
        size: bytes, None where the source does not say.
    """

    __slots__ = ("_opener", "_view", "path", "size")

    def __init__(
        self,
        path: str,
        opener: Callable[[], BinaryIO] | _Item,
        size: int | None = None,
        *,
        view: Files | None = None,
    ) -> None:
        self.path = path
        self.size = size
        self._opener = opener
        self._view = view

    def __repr__(self) -> str:
        return f"File({self.path!r})"

    def __hash__(self) -> int:
        return hash(self.path)

    def __eq__(self, other: object) -> bool:
        return self.path == other.path if isinstance(other, File) else NotImplemented

    def __lt__(self, other: File) -> bool:
        return natural_key(self.path) < natural_key(other.path)

    def __reduce__(self) -> tuple[Any, ...]:
        if self._view is None:
            return File, (self.path, self._opener, self.size)
        return _file_again, (self._view, self.path)

    @property
    def name(self) -> str:
        """Last part of the path."""
        return self.path.rpartition("/")[2]

    @property
    def parent(self) -> str:
        """Folder, "" at the root."""
        return self.path.rpartition("/")[0]

    @property
    def stem(self) -> str:
        """Name without `suffix`."""
        return split_name(self.name)[0]

    @property
    def key(self) -> str:
        """Name with its suffix in lower case: for ids, and for what tables say by file name."""
        return lower_suffix(self.name)

    @property
    def suffix(self) -> str:
        """In lower case, ".nii.gz" and ".tar.gz" as one."""
        return split_name(self.name)[1]

    @property
    def version(self) -> str:
        """Changes with the content, as far as that can be told without reading it; empty where it cannot.

        The time of change, the server's ETag or date, the CRC of a member of a zip, or a tar's version and the
        member's place in it.
        """
        return "" if callable(self._opener) else self._opener.token

    def open(self) -> BinaryIO:
        """A seekable binary stream with its own position."""
        opener = self._opener
        if callable(opener):
            return opener()
        assert self._view is not None
        return self._view._stream(opener, self.path)

    def read(self, limit: int | None = None) -> bytes:
        """The whole content.

        Args:
            limit: bytes, 2 GiB where None.

        Raises:
            BombError: there is more.
        """
        allowed = 2 * GiB if limit is None else limit
        error = BombError(
            f"holds more than the {allowed:,} bytes that may be read at once",
            dataset=self._view.dataset if self._view is not None else None,
            file=self.path,
            next_step="read it in parts with open(), or raise the limit",
        )
        if self.size is not None and self.size > allowed:
            raise error
        with self.open() as stream:
            data = stream.read() if self.size is not None else stream.read(allowed + 1)
        if len(data) > allowed:
            raise error
        return data

    @property
    def limits(self) -> Limits:
        """What the view that the file belongs to allows."""
        return self._view.limits if self._view is not None else Limits()

    def check_decoded(self, size: int, what: str, *, pixels: int = 0) -> None:
        """Refuse an image that is too large, before it is decoded: `Limits.check_decoded`, naming dataset and file."""
        try:
            self.limits.check_decoded(size, what, pixels=pixels)
        except BombError as error:
            raise error.within(
                dataset=self._view.dataset if self._view is not None else None, file=self.path
            ) from None

    def sibling(self, name: str) -> File | None:
        """The file `name` in the same folder."""
        if self._view is None:
            return None
        return self._view.get(f"{self.parent}/{name}" if self.parent else name)


def _file_again(view: Files, path: str) -> File:
    file = view.get(path)
    if file is None:
        raise SourceError("is no longer there", dataset=view.dataset, file=path)
    return file


class Index(dict[Any, File]):
    """Files by what a pattern captured. A missing key is a SourceError that says what was looked for.

    Captured suffixes are in lower case, whatever the file's; a key may spell its own either way.
    """

    def __init__(self, pattern: str, view: Files) -> None:
        super().__init__()
        self.pattern = pattern
        self._view = view

    def _spelled(self, key: Any) -> Any:
        return key if super().__contains__(key) else lower_key(key)

    def __contains__(self, key: object) -> bool:
        return super().__contains__(self._spelled(key))

    def get(self, key: Any, default: Any = None) -> Any:
        """The file of a key, `default` without one."""
        return super().get(self._spelled(key), default)

    def pop(self, key: Any, *default: Any) -> Any:
        """The same, and remove it."""
        return super().pop(self._spelled(key), *default)

    def __missing__(self, key: object) -> File:
        if (spelled := self._spelled(key)) != key and super().__contains__(spelled):
            return self[spelled]
        raise SourceError(
            f"no file for {key!r} among the {len(self)} that match {self.pattern!r}",
            dataset=self._view.dataset,
            next_step="check that the download is complete and unpacked as the dataset's card describes",
        )


class _Item(Protocol):
    """A file of the root or a member of an archive."""

    @property
    def path(self) -> str: ...

    @property
    def size(self) -> int | None: ...

    @property
    def token(self) -> str: ...

    def blob(self) -> Blob: ...

    def stream(self, blame: Blame) -> BinaryIO: ...


class _Local(NamedTuple):
    path: str
    size: int
    token: str
    where: str
    view: Files

    def blob(self) -> Blob:
        return LocalBlob(Path(self.where), self.size, self.view._handles)

    def stream(self, blame: Blame) -> BinaryIO:
        return io.BufferedReader(local.LocalStream(self.where, self.size, blame))


class _Remote(NamedTuple):
    path: str
    size: int | None
    token: str
    url: str
    fs: Any
    where: str
    info: Mapping[str, Any]
    view: Files

    def blob(self) -> Blob:
        return remote.RemoteBlob(self.fs, self.where, self.info, self.url, self.view._budget)

    def stream(self, blame: Blame) -> BinaryIO:
        try:
            remote.refuse_page(self.path, self.info)
            info: Mapping[str, Any] = self.info
            if info.get("size") is None:
                info = remote.describe(self.fs, self.where, self.url)
            blob = remote.RemoteBlob(self.fs, self.where, info, self.url, self.view._budget)
            if blob.size is None:
                blob.read_at(0, 1)  # reads it whole where it is small, and refuses where it is not
        except MedimgError as error:
            raise blame(error) from None
        return buffered(BlobStream(blob, 0, blob.size or 0, blame=blame), blob.size or 0)


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
        progress: shown while a file is compared with its digest; None: a bar, where stderr is a terminal.
        verify: whether files of a declared digest are compared with it before they are used. Files that a `Phantom`
            wrote are not; a remote file of more than `Limits.checked` bytes, which is read by ranges, is told instead.
    """

    def __init__(
        self,
        source: str | os.PathLike[str] | Sequence[Source],
        *,
        dataset: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        sources: Sequence[Source] = (),
        verify: bool = False,
    ) -> None:
        self.dataset = dataset
        self.opened: set[str] = set()
        self.last: str | None = None
        self.notes: list[tuple[str, str]] = []
        self.told: list[tuple[str, str]] = []
        self.quarantined: list[tuple[File, MedimgError]] = []
        self.quarantine = False
        self._options = dict(storage_options or {})
        self.limits = limits or Limits()
        self._budget = Budget(self.limits)
        self._handles = Handles()
        self._again = (source, dataset, storage_options, limits, sources, verify)
        self._fetched = not isinstance(source, str | os.PathLike)
        self._root: str | Path = ""
        declared = [one for one in sources if one.kind == "file"]
        if isinstance(source, os.PathLike):
            self._root = local.expanded(source, dataset)
        elif isinstance(source, str):
            self._root = source if "://" in source or "::" in source else local.expanded(source, dataset)
            if source.startswith("file://"):
                self._root = Path(unquote(urlsplit(source).path))
        else:
            declared = [one for one in source if one.kind == "file"]
            if not declared:
                raise SourceError(
                    "declares no file that can be fetched",
                    dataset=dataset,
                    next_step="see `how` on the dataset's card, and pass your own copy as source=",
                )
        if isinstance(self._root, Path) and not self._fetched and not local.exists(self._root):
            raise SourceError(
                "does not exist, or may not be looked at",
                dataset=dataset,
                file=str(self._root),
                next_step="pass the folder or archive that you downloaded, or an address",
            )
        self._declared = declared
        self.progress: checksums.Progress | None = None
        self.verify = verify and not (isinstance(self._root, Path) and local.is_phantom(self._root))
        self._claims: list[tuple[Source, _Item]] = []
        self._unsure: dict[int, Source] = {}
        self._items: list[_Item] | None = None
        self._single = False
        self._archives: dict[int, _Opened] = {}
        self._strip: list[str] | None = None
        self._files: dict[str, File] | None = None
        self._cased: dict[str, list[str]] = {}
        self._order: list[File] = []
        self._lock = threading.RLock()
        if declared and not self._fetched and isinstance(self._root, Path):
            with self._named():
                self._physical()  # compares sizes before anything is read

    @classmethod
    def open(
        cls,
        source: str | os.PathLike[str] | Sequence[Source],
        *,
        dataset: str | None = None,
        storage_options: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
        sources: Sequence[Source] = (),
        verify: bool = False,
    ) -> Files:
        """A view over `source`. Nothing remote is touched before the first use.

        Args:
            source: local folder or archive, fsspec address of either, or declared `Source`s, which are read
                by ranges where they lie.
            dataset: slug, for messages.
            storage_options: for fsspec (credentials, endpoint). Without them S3 is asked anonymously.
            limits: what archives may expand to.
            sources: the dataset's declared sources; files of these names must have the declared sizes, and
                `verify_checksums` covers them.
            verify: compare each of these files with its declared digest before it is used, once (`checksums`);
                see `verify`.

        Raises:
            SourceError: there is nothing at `source`.
            ChecksumError: a file has another size than declared.
        """
        return cls(
            source,
            dataset=dataset,
            storage_options=storage_options,
            limits=limits,
            sources=sources,
            verify=verify,
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return _view_again, self._again

    def __enter__(self) -> Files:
        return self

    def __exit__(self, *details: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of open files. Reading on opens them again."""
        self._handles.close()
        for opened in self._archives.values():
            opened.blob.close()

    # ------------------------------------------------------------------------------------------ what is there

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
        if (place := self._collection()) is not None:
            yield from ([file for file in files if search(file.path)] for files in self._descend(*place))
            return
        found: dict[str, list[File]] = {}
        for path, file in self._list().items():
            if search(path):
                found.setdefault(file.parent, []).append(file)
        yield from found.values()

    def _collection(self) -> tuple[Any, str, str] | None:
        """(file system, path, address) of a collection as the only root."""
        urls = [one.url for one in self._declared] if self._fetched else [str(self._root)]
        if len(urls) != 1 or not collections.of_address(urls[0]):
            return None
        fs, where = remote.filesystem(urls[0], self._options)
        return fs, where, urls[0]

    def _descend(self, fs: Any, where: str, url: str) -> Iterator[list[File]]:
        def entries(folder: str) -> tuple[list[dict[str, Any]], list[str]]:
            with self._named():
                listed = remote.retry(lambda: fs.ls(folder, detail=True), url)
            files = [one for one in listed if one["type"] == "file"]
            inner = sorted((one["name"] for one in listed if one["type"] != "file"), key=natural_key)
            return files, inner

        def below(folder: str) -> Iterator[list[File]]:
            files, inner = entries(folder)
            found = []
            for info in sorted(files, key=lambda one: natural_key(one["name"])):
                path = info["name"].removeprefix(root + "/")
                item = _Remote(path, info["size"], remote.version(info), url, fs, info["name"], info, self)
                found.append(File(path, item, info["size"], view=self))
            if found:
                yield found
            for one in inner:
                yield from below(one)

        root = where
        files, inner = entries(root)
        while not files and len(inner) == 1:  # as the view strips what holds everything
            root = inner[0]
            files, inner = entries(root)
        yield from below(root)

    def stream(self, pattern: str) -> Iterator[tuple[Any, ...]]:
        """Like `match`, in the archives' order and in one pass: a tar.gz is not listed to its end first.

        Whether all of a tar.gz lies in one folder is only known at its end. While it is streamed, that folder
        is taken for the root if it carries the archive's name, and the view keeps to this afterwards; `notes`
        says where a view that was listed first would have other paths. Patterns without "^" do not care.
        """
        search = self._searcher(pattern)
        for file in self._walk_once():
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
            return search(path) or (search("/".join([*self._strip, path])) if self._strip else None)

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
                next_step=next_step
                or "check that the download is complete and that source= points at its root",
            )
        return found

    def index(
        self, pattern: str, key: int | str | Sequence[int | str] = 1, *, lost: str | None = None
    ) -> Index:
        """Files by what `pattern` captured.

        Args:
            pattern, lost: as of `match`.
            key: the group that is the key, or several for a tuple of groups.

        Raises:
            SourceError: two files have one key; later, when the result is asked for a key that it lacks.
        """
        search = self._searcher(pattern)
        result = Index(pattern, self)
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
        text = (
            f"the source holds {len(names):,} files: "
            + ", ".join(names[:8])
            + (", …" if len(names) > 8 else "")
        )
        closed = [
            name
            for name in names
            if re.search(
                r"\.(rar|7z(\.\d+)?|zip\.\d+|tar\.\w+\.\d+|z\d\d|part\d+|tar\.(zst|lz4?|z|lzma)|tzst)$",
                name,
                re.I,
            )
        ]
        return text + (f" ({closed[0]} is an archive that must be unpacked first)" if closed else "") + left

    # --------------------------------------------------------------------------------------- changes and sums

    def size(self) -> tuple[int, int]:
        """Bytes of all files of the root, archives as they lie there, and how many files' size nobody tells.

        Nothing is read. A catalogue, whose folders are listed as far as they are asked for, counts as one such file.
        """
        if self._collection() is not None:
            return 0, 1
        with self._named():
            sizes = [item.size for item in self._physical()]
        return sum(size or 0 for size in sizes), sizes.count(None)

    def fingerprint(self) -> str:
        """Digest over the files of the root: paths, sizes and versions. Says whether the source changed.

        The version is the CRCs of a zip's members, the server's ETag or date, else the file's time of change; a
        catalogue tells the versions of its folders.
        """
        digest = hashlib.sha256()
        if (place := self._collection()) is not None:
            with self._named():
                return str(remote.retry(lambda: place[0].ukey(place[1]), place[2]))
        with self._named():
            items = self._physical()
            for item in sorted(items, key=lambda one: one.path):
                token = item.token
                if (self._kind(item) if self._single else archive_kind(item.path)) == "zip":
                    members = hashlib.sha256()
                    for member in self._open(item, item.path, 1).archive:
                        members.update(f"{member.path}\0{member.size}\0{member.token}\n".encode())
                    token = members.hexdigest()
                digest.update(f"{'' if self._single else item.path}\0{item.size}\0{token}\n".encode())
        return digest.hexdigest()

    def changed_since(self, fingerprint: str) -> bool:
        """Whether the root holds others by now than when it was opened, and this was its fingerprint.

        No archive is opened again whose size and time are what they were.
        """
        now = _view_again(*self._again)
        with self._named():
            same = self._collection() is None and _seen(now._physical()) == _seen(self._physical())
        return not same and now.fingerprint() != fingerprint

    def verify_checksums(self, progress: checksums.Progress | None = None) -> tuple[str, ...]:
        """Read all files that the declaration states a size or a digest of, and compare, whatever is remembered.

        Args:
            progress: called with path, bytes done and bytes in all.

        Returns:
            Paths of the files that were compared.

        Raises:
            ChecksumError: a file is not the declared one.
        """
        self._physical()
        done: list[str] = []
        for source, item in self._claims:
            if not _digests(source) and source.size is None:
                continue
            with self._named(item.path):
                self._compare(source, item, progress)
            if _digests(source):
                checksums.remember(_remembered(source, item))
            done.append(item.path)
        return tuple(done)

    def _verify(self, item: _Item) -> None:
        """Compare a file of the root with its declared digest, if it has one and this was not done before."""
        source = self._unsure.get(id(item)) if self.verify else None
        if source is None:
            return
        with self._lock:
            if id(item) not in self._unsure:  # another thread has done it
                return
            name = _remembered(source, item)
            far = isinstance(item, _Remote) and (item.size is None or item.size > self.limits.checked)
            if not checksums.known(name) and not far:
                with self._named(item.path), checksums.bar() as bar:
                    self._compare(source, item, self.progress or bar)
                checksums.remember(name)
            elif far and not checksums.known(name):
                self.tell(
                    item.path,
                    f"its checksum was not compared: it is read by ranges and has more than "
                    f"{self.limits.checked:,} bytes; pass a downloaded copy to have that done",
                )
            del self._unsure[id(item)]

    def _compare(self, source: Source, item: _Item, progress: checksums.Progress | None) -> None:
        wanted = _digests(source)
        sums = {name: hashlib.new(name, usedforsecurity=False) for name in wanted}
        blob = item.blob()
        blob.forward()
        offset = 0
        try:
            while wanted and (piece := blob.read_at(offset, checksums.PIECE)):
                offset += len(piece)
                for one in sums.values():
                    one.update(piece)
                if progress:
                    progress(item.path, offset, item.size)
        finally:
            blob.close()
        self._compare_size(source, item, offset if wanted else item.size)
        for name, value in wanted.items():
            if (found := sums[name].hexdigest()) != value:
                raise ChecksumError(
                    f"its {name} is {found}, the declaration states {value}",
                    next_step="download the file again; if the source has a new version, the declaration must be "
                    "updated (an unpacked copy is not compared)",
                )

    @staticmethod
    def _compare_size(source: Source, item: _Item, size: int | None) -> None:
        if source.size is not None and size is not None and size != source.size:
            raise ChecksumError(
                f"holds {size:,} bytes, the declaration states {source.size:,}",
                file=item.path,
                next_step="download the file again (it may be cut, or a page of the server); if the source "
                "has a new version, the declaration must be updated",
            )

    # ---------------------------------------------------------------------------------- the files of the root

    @contextmanager
    def _named(self, file: str | None = None) -> Iterator[None]:
        try:
            yield
        except MedimgError as error:
            root = self._root.name if isinstance(self._root, Path) else None
            raise error.within(dataset=self.dataset, file=file or root) from error.__cause__

    def _physical(self) -> list[_Item]:
        """Files of the root as they lie there, archives unopened."""
        with self._lock:
            if self._items is None:
                items: list[_Item]
                if self._fetched:
                    items = [item for source in self._declared for item in self._fetch(source)]
                elif isinstance(self._root, Path):
                    items = list(self._local(self._root))
                else:
                    items = list(self._address(self._root, ""))
                if not self._fetched:
                    self._claim(items)
                items.sort(key=lambda item: natural_key(item.path))
                self._items = items
                self._unsure = {id(item): source for source, item in self._claims if _digests(source)}
            return self._items

    def _fetch(self, source: Source) -> list[_Item]:
        path = source.path or remote.last_part(source.url)
        items: list[_Item]
        if "://" in source.url:
            items = list(self._address(source.url, path))
        else:
            where = local.expanded(source.url, self.dataset)
            if not local.exists(where):
                raise SourceError(
                    "does not exist", file=source.url, next_step="pass the file's address or path"
                )
            items = [self._own_file(path, where)]
        self._single = False
        if len(items) == 1 and items[0].path == path:
            self._compare_size(source, items[0], items[0].size)
            self._claims.append((source, items[0]))
        return items

    def _claim(self, items: Sequence[_Item]) -> None:
        by_path = {lower_suffix(item.path): item for item in items}
        by_name = {lower_suffix(item.path.rpartition("/")[2]): item for item in reversed(items)}
        for source in self._declared:
            name = lower_suffix(source.path or remote.last_part(source.url))
            item = by_path.get(name) or by_name.get(name.rpartition("/")[2])
            if item is not None:
                self._compare_size(source, item, item.size)
                self._claims.append((source, item))

    def _own_file(self, path: str, where: Path) -> _Local:
        try:
            status = where.stat()
        except OSError as error:
            raise SourceError(
                f"cannot be looked at: {error.strerror or error}",
                file=path,
                next_step="check the file and its permissions",
            ) from error
        return _Local(local.readable(path), status.st_size, str(status.st_mtime_ns), str(where), self)

    def _local(self, root: Path) -> Iterator[_Item]:
        if not root.is_dir():
            self._single = True
            yield self._own_file(root.name, root)
            return
        for place in local.walk(root, lambda path, reason: self.notes.append((path, reason))):
            yield _Local(place.path, place.size, str(place.changed), place.where, self)

    def _address(self, url: str, path: str) -> Iterator[_Item]:
        """The file at `url`, standing at `path`, or all files below it."""
        fs, where = remote.filesystem(url, self._options)
        web = remote.is_http(fs)
        if not (web and url.split("?", 1)[0].endswith("/")):
            known = remote.describe(fs, where, url)
            if known.get("type") != "directory":
                self._single = True
                name = path or remote.last_part(url)
                yield _Remote(name, known.get("size"), remote.version(known), url, fs, where, known, self)
                return
        found = remote.walk(fs, where, url)
        base = where.rstrip("/") + "/"
        for name, info in found.items():
            inner = name.removeprefix(base)
            if inner == name and name.lstrip("/").startswith(base.lstrip("/")):
                inner = name.lstrip("/").removeprefix(base.lstrip("/"))
            inner = unquote(inner) if web else inner
            if not inner or inner.endswith("/") or info.get("type") == "directory" or is_junk(inner):
                continue
            if ".." in inner.split("/") or inner.startswith("/") or "://" in inner:
                raise UnsafePathError("the server lists a file outside the folder", file=inner)
            place = f"{path.rstrip('/')}/{inner}" if path else inner
            address = f"{url.rstrip('/')}/{inner}"
            yield _Remote(place, info.get("size"), remote.version(info), address, fs, name, info, self)
        if not found:
            raise SourceError(
                "holds no files",
                file=remote.shown(url),
                next_step="look the address up at the dataset's homepage",
            )

    # --------------------------------------------------------------------------------------- through archives

    def _kind(self, item: _Item) -> str | None:
        """Kind of the root's only file; where its name says nothing, its first bytes do."""
        kind = archive_kind(item.path)
        if kind is None and not split_name(item.path)[1]:
            found = sniff(item.blob().read_at(0, 512))
            if found == "html":
                raise html_error()
            if found in ("7z", "rar"):
                raise other_kind(found)
            return found
        return kind

    def _open(self, item: _Item, path: str, depth: int) -> _Opened:
        with self._lock:
            if (opened := self._archives.get(id(item))) is None:
                if depth > self.limits.depth:
                    raise ArchiveError(
                        f"archives are nested more than {self.limits.depth} deep",
                        file=path,
                        next_step="unpack the outer archive once and pass the folder",
                    )
                kind = archive_kind(path) or self._kind(item)
                assert kind is not None
                if isinstance(item, _Remote):
                    remote.refuse_page(item.path, item.info)
                blob = item.blob()
                opened = _Opened(item, blob, open_archive(blob, kind, self._budget))
                opened.archive.version = item.token
                self._archives[id(item)] = opened
            return opened

    def _expand(self, item: _Item, path: str, depth: int, once: bool) -> Iterator[_Found]:
        """Files of the archive at `path`; `once` takes decisions without listing compressed tars."""
        prefix = "" if path == _ROOT else split_name(path)[0]
        stem = prefix.rpartition("/")[2] + "/"
        with self._named(item.path if path == _ROOT else path):
            self._verify(item)
            opened = self._open(item, item.path if path == _ROOT else path, depth)
            archive = opened.archive
            if opened.doubled is None:
                if path == _ROOT:
                    opened.doubled = False
                elif once and archive.lazy and not archive.complete:
                    first = next(iter(archive), None)
                    opened.doubled = first is not None and first.path.startswith(stem)
                else:
                    known = iter(archive)
                    opened.doubled = all(member.path.startswith(stem) for member in known)
        members = iter(archive)
        while True:
            with self._named(item.path if path == _ROOT else path):
                member = next(members, None)
            if member is None:
                break
            inner = member.path.removeprefix(stem) if opened.doubled else member.path
            place = f"{prefix}/{inner}" if prefix else inner
            if archive_kind(place):
                yield from self._expand(member, place, depth + 1, once)
            else:
                yield _Found(place, member, depth, path)
        if not opened.noted:
            opened.noted = True
            if opened.doubled and not all(member.path.startswith(stem) for member in archive):
                self.notes.append((path, f"not all of it lies in {stem}, as its beginning made believe"))
            self.notes.extend(
                (f"{prefix}/{name}" if prefix else name, reason) for name, reason in archive.notes
            )

    def _walk(self, once: bool) -> Iterator[_Found]:
        items = self._physical()
        if self._single:
            (item,) = items
            with self._named(item.path):
                kind = self._kind(item)
            if kind:
                yield from self._expand(item, _ROOT, 1, once)
                return
        for item in items:
            if archive_kind(item.path):
                yield from self._expand(item, item.path, 1, once)
            else:
                yield _Found(item.path, item, 0, "")

    def _list(self) -> dict[str, File]:
        with self._lock:
            if self._files is None:
                with self._named():
                    found: dict[str, _Found] = {}
                    for one in self._walk(once=False):
                        old = found.get(one.path)
                        if old is None or one.depth < old.depth:
                            found[one.path] = one
                        elif one.depth == old.depth:
                            raise ArchiveError(
                                f"comes from both {old.holder!r} and {one.holder!r}",
                                file=one.path,
                                next_step="pass only one of the two archives",
                            )
                    strip = _common(found)
                    if self._strip is None:
                        self._strip = strip
                    elif self._strip != strip:
                        self.notes.append(
                            (
                                "/".join(self._strip),
                                f"taken for the root in one pass; it is {'/'.join(strip)!r}",
                            )
                        )
                    self._order = [self._file(one) for one in found.values()]
                files = {
                    file.path: file for file in sorted(self._order, key=lambda file: natural_key(file.path))
                }
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

    def _file(self, found: _Found) -> File:
        path = found.path
        lead = "/".join(self._strip or ()) + "/"
        path = path.removeprefix(lead) if len(lead) > 1 else path
        return File(path, found.item, found.item.size, view=self)

    def _blame(self, path: str, error: MedimgError) -> MedimgError:
        return error.within(dataset=self.dataset, file=path)

    def _stream(self, item: _Item, path: str) -> BinaryIO:
        self._verify(item)
        self.opened.add(path)
        self.last = path
        blame = functools.partial(self._blame, path)
        try:
            return item.stream(blame)
        except MedimgError as error:
            raise blame(error) from error.__cause__

    def _walk_once(self) -> Iterator[File]:
        if self._files is None:
            with self._named():
                lazy = self._guess()
            if lazy:
                seen: set[str] = set()
                for found in self._walk(once=True):
                    if found.path not in seen:
                        seen.add(found.path)
                        yield self._file(found)
                return
        self._list()
        yield from self._order

    def _guess(self) -> bool:
        """Whether there are compressed tars not listed yet; if so, decide what the root is without that."""
        places: list[str] = []
        lazy: list[tuple[_Item, str, int]] = []

        def look(item: _Item, path: str, depth: int) -> None:
            self._verify(item)
            opened = self._open(item, item.path if path == _ROOT else path, depth)
            if opened.archive.lazy and not opened.archive.complete:
                lazy.append((item, path, depth))
                places.append("/" if path == _ROOT else f"{split_name(path)[0]}//")
                return
            for found in self._expand_shallow(opened, path):
                if archive_kind(found[1]):
                    look(found[0], found[1], depth + 1)
                else:
                    places.append(found[1])

        items = self._physical()
        for item in items:
            if self._single and self._kind(item):
                look(item, _ROOT, 1)
            elif archive_kind(item.path):
                look(item, item.path, 1)
            else:
                places.append(item.path)
        if lazy and self._strip is None:
            self._strip = [part for part in _common(places) if part]
            if places == ["/"]:
                first = next(iter(self._open(*lazy[0]).archive), None)
                stem = split_name(items[0].path)[0]
                self._strip = [stem] if first and first.path.startswith(stem + "/") else []
        return bool(lazy)

    @staticmethod
    def _expand_shallow(opened: _Opened, path: str) -> Iterable[tuple[_Item, str]]:
        prefix = "" if path == _ROOT else split_name(path)[0]
        stem = prefix.rpartition("/")[2] + "/"
        members = list(opened.archive)
        doubled = path != _ROOT and all(member.path.startswith(stem) for member in members)
        for member in members:
            inner = member.path.removeprefix(stem) if doubled else member.path
            yield member, f"{prefix}/{inner}" if prefix else inner


_ROOT = "//"
"""Stands for the path of the root where the root is an archive."""


class _Found(NamedTuple):
    path: str
    item: _Item
    depth: int
    holder: str


class _Opened:
    """An archive of the view; `item` is kept so that its id stays its own."""

    def __init__(self, item: _Item, blob: Blob, archive: Archive) -> None:
        self.item = item
        self.blob = blob
        self.archive = archive
        self.doubled: bool | None = None
        self.noted = False


def _common(paths: Iterable[str]) -> list[str]:
    """The folders that all paths lie in."""
    lead: list[str] | None = None
    for path in paths:
        parts = path.split("/")[:-1]
        if lead is None:
            lead = parts
        else:
            same = 0
            while same < min(len(lead), len(parts)) and lead[same] == parts[same]:
                same += 1
            lead = lead[:same]
        if not lead:
            break
    return lead or []


def _seen(items: Sequence[_Item]) -> list[tuple[str, int | None, str]]:
    return [(item.path, item.size, item.token) for item in items]


def _view_again(
    source: Any,
    dataset: str | None,
    options: Mapping[str, Any] | None,
    limits: Limits | None,
    sources: Sequence[Source],
    verify: bool,
) -> Files:
    return Files(
        source, dataset=dataset, storage_options=options, limits=limits, sources=sources, verify=verify
    )


def _remembered(source: Source, item: _Item) -> str | None:
    """The name under which it is remembered that a file has its declared digests."""
    place = item.path
    if isinstance(item, _Local):
        place = os.path.realpath(item.where)
    elif isinstance(item, _Remote):
        place = remote.shown(item.url)
    return checksums.key(place, item.size, item.token, _digests(source))


def _digests(source: Source) -> dict[str, str]:
    """The digests that the declaration states of a file."""
    return {name: value for name, value in (("sha256", source.sha256), ("md5", source.md5)) if value}
