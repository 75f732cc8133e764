"""Archives read in place: zip and tar, plain or compressed, inside one another; nothing is unpacked to disk.

All stands on `Blob`: a stored zip member and a tar member are windows on their archive's blob, a compressed one is a
blob too (`inflate`).
"""

from __future__ import annotations

import io
import stat
import struct
import tarfile
import threading
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, NamedTuple

from medimg.errors import ArchiveError, MedimgError, SourceError
from medimg.files.blobs import (
    UNPACK,
    Blob,
    BlobStream,
    BytesBlob,
    MiB,
    Sparse,
    Window,
    broken,
    buffered,
    not_an_archive,
)
from medimg.files.decoders import CODECS
from medimg.files.inflate import Decompressed
from medimg.files.limits import Budget
from medimg.files.names import is_junk, link_target, safe_path, sniff


class ArchiveMember(NamedTuple):
    """One file of an archive."""

    path: str
    size: int
    archive: Archive
    offset: int
    packed: int
    method: int = 0
    crc: int | None = None
    encrypted: bool = False
    extents: tuple[tuple[int, int], ...] | None = None
    """Of a sparse file: (offset, size) of what is stored; the rest are zeros."""

    @property
    def token(self) -> str:
        """Says cheaply whether the content changed."""
        if self.crc is not None:
            return f"{self.crc:08x}"
        return f"{self.archive.version}@{self.offset}" if self.archive.version else ""

    def blob(self) -> Blob:
        """The content, to be read as an archive."""
        return self.archive.content(self, kept=True)

    def stream(self, blame: Callable[[MedimgError], MedimgError]) -> BinaryIO:
        """The content, to be read as a file."""
        blob = self.archive.content(self, kept=False)
        crc = self.crc if self.method == 0 else None
        return buffered(BlobStream(blob, self.size, crc, blame), self.size)


class Archive(ABC):
    """The members of an archive, in its own order, listed while they are asked for."""

    lazy = False
    """Listing reads everything."""

    def __init__(self, blob: Blob, budget: Budget) -> None:
        self.blob = blob
        self.budget = budget
        self.version = ""
        """Of the archive's own file, where that is known."""
        self.notes: list[tuple[str, str]] = []
        """(member, reason) of members that are no files."""
        self._paths: dict[str, ArchiveMember] = {}
        self._members: list[ArchiveMember] = []
        self._links: dict[str, str] = {}
        self._scan: Iterator[None] | None = None
        self._complete = False
        self._failure: MedimgError | None = None
        self._lock = threading.RLock()

    @abstractmethod
    def _steps(self) -> Iterator[None]:
        """Take members in, one per step."""

    @abstractmethod
    def content(self, member: ArchiveMember, *, kept: bool) -> Blob:
        """The bytes of a member."""

    @property
    def complete(self) -> bool:
        """Whether all members are known."""
        return self._complete

    def __iter__(self) -> Iterator[ArchiveMember]:
        index = 0
        while True:
            with self._lock:
                while index >= len(self._members) and not self._complete:
                    self._step()
                if index >= len(self._members):
                    return
                member = self._members[index]
            yield member
            index += 1

    def _step(self) -> None:
        if self._failure:
            raise self._failure
        try:
            self._scan = self._scan or self._steps()
            if next(self._scan, self) is self:
                self._resolve_links()
                self._complete = True
                self._paths.clear()
        except MedimgError as error:
            self._failure = error
            raise
        except RecursionError:
            self._failure = broken("its headers are nested endlessly")
            raise self._failure from None

    def _take(self, member: ArchiveMember) -> None:
        if is_junk(member.path):
            return
        self.budget.add(member.path, member.size, member.packed if member.method else None)
        if member.path in self._paths:
            raise ArchiveError(
                "stands in the archive twice: which of the two is meant cannot be told",
                file=member.path,
                next_step="unpack the archive, keep the right one and pass the folder",
            )
        self._paths[member.path] = member
        self._members.append(member)

    def _link(self, path: str, target: str, *, relative: bool) -> None:
        if not is_junk(path):
            self._links[path] = link_target(path, target, relative=relative)

    def _resolve_links(self) -> None:
        for path, first in self._links.items():
            target = first
            for _ in range(16):
                if target not in self._links:
                    break
                target = self._links[target]
            if (member := self._paths.get(target)) is not None:
                self._take(member._replace(path=path))
            else:
                self.notes.append((path, f"a link to {first!r}, which is no file of the archive"))


_DOS_FOLDER = 0x10


class ZipArchive(Archive):
    """A zip: its directory through `zipfile`, its members as windows, so that opens do not disturb each other."""

    def _steps(self) -> Iterator[None]:
        found: list[ArchiveMember] = []
        for member, link in self._records():
            if link:
                if not is_junk(member.path) and member.size <= 4096:
                    with member.stream(lambda error: error) as stream:
                        self._link(member.path, stream.read().decode("utf-8", "replace"), relative=True)
            else:
                found.append(member)
        found.sort(key=lambda member: member.offset)
        for member in found:
            self._take(member)
        yield

    def _records(self) -> Iterator[tuple[ArchiveMember, bool]]:
        """(member, whether it is a symbolic link) of all that is no folder."""
        blob = self.blob
        if blob.size is None:
            blob.read_at(0, 1)
        if blob.size is None:
            raise ArchiveError("a zip of unknown size cannot be read", next_step="download it once and pass the file")
        if not blob.size:
            raise not_an_archive(blob, "zip")
        try:
            with zipfile.ZipFile(buffered(BlobStream(blob, blob.size), blob.size)) as archive:
                infos, start = archive.infolist(), archive.start_dir
        except zipfile.BadZipFile as error:
            raise not_an_archive(blob, "zip") from error
        except (ValueError, struct.error, NotImplementedError, OverflowError) as error:
            raise broken(f"its directory is damaged ({error})") from error
        if not infos and blob.size > 22:
            raise broken("is damaged: its directory is empty")
        if any(info.volume for info in infos):
            raise ArchiveError(
                "is one part of a zip in several parts",
                next_step='join the parts with "zip -s 0 parts.zip --out whole.zip" and pass the whole',
            )
        for info in infos:
            name = _zip_name(info)
            path = safe_path(name)
            mode = info.external_attr >> 16 if info.create_system == 3 else 0
            folder = name.endswith(("/", "\\")) or (info.external_attr & _DOS_FOLDER and not info.file_size)
            if folder or not path or stat.S_ISDIR(mode):
                continue
            packed, encrypted = info.compress_size, bool(info.flag_bits & 1)
            if not 0 <= info.header_offset <= start - 30 - packed:
                raise broken("is truncated or damaged: the member's data lie beyond the archive", path)
            if info.compress_type == 0 and info.file_size != packed and not encrypted:
                raise broken("is damaged: it is stored, but states two sizes", path)
            member = ArchiveMember(
                path,
                info.file_size,
                self,
                info.header_offset,
                packed,
                info.compress_type,
                info.CRC,
                encrypted,
            )
            yield member, stat.S_ISLNK(mode)

    def content(self, member: ArchiveMember, *, kept: bool) -> Blob:
        """See `Archive`."""
        if member.encrypted:
            raise SourceError(
                "is encrypted",
                file=member.path,
                next_step="unpack the archive once with its password; pass the folder",
            )
        codec = {0: None, 8: CODECS["deflate"], 12: CODECS["zip-bz2"]}.get(member.method, "unknown")
        if isinstance(codec, str):
            raise SourceError(
                f"is compressed with zip method {member.method}, which is not supported",
                file=member.path,
                next_step="unpack the archive once (7-Zip knows most methods) and pass the folder",
            )
        header = self.blob.read_at(member.offset, 30)
        if len(header) < 30 or not header.startswith(b"PK\3\4"):
            raise broken("is truncated or damaged: the member is not where the directory says", member.path)
        name_size, extra_size = struct.unpack("<2H", header[26:30])
        packed = Window(self.blob, member.offset + 30 + name_size + extra_size, member.packed)
        if codec is None:
            return packed
        blob = Decompressed(packed, codec, self.budget, member.size, member.crc, kept)
        return in_memory(blob, self.budget) if kept and not blob.random else blob


def in_memory(blob: Decompressed, budget: Budget) -> Blob:
    """All of a blob that allows no random access."""
    if blob.size is None or blob.size > budget.limits.memory:
        raise ArchiveError(
            f"an archive of {blob.size or 0:,} bytes inside an archive, compressed with {blob.codec.name}, "
            f"cannot be read in place (at most {budget.limits.memory:,} bytes are held in memory)",
            next_step=UNPACK,
        )
    return BytesBlob(blob.read_at(0, blob.size))


def _zip_name(info: zipfile.ZipInfo) -> str:
    """UTF-8 where flagged; else cp437 by the standard, but UTF-8 in most zips made on Linux."""
    if info.flag_bits & 0x800:
        return info.orig_filename
    try:
        return info.orig_filename.encode("cp437").decode("utf-8")
    except UnicodeError:
        return info.orig_filename


_BARE = (ValueError, LookupError, TypeError, OverflowError)
"""What tarfile lets out of damaged headers beside its own errors."""


def _extents(info: tarfile.TarInfo) -> tuple[tuple[int, int], ...] | None:
    """(offset, size) of what is stored of a sparse file; None for other members."""
    stored: Any = info.sparse
    return None if stored is None else tuple((offset, size) for offset, size in stored if size)


class TarArchive(Archive):
    """A tar: a scan over its headers, then windows."""

    def __init__(self, blob: Blob, budget: Budget) -> None:
        super().__init__(blob, budget)
        self.lazy = isinstance(blob, Decompressed)
        if self.lazy:
            blob.forward()

    def _steps(self) -> Iterator[None]:
        raw = _Headers(self.blob)
        try:
            tar = tarfile.TarFile(fileobj=raw, errors="surrogateescape")
        except (tarfile.ReadError, *_BARE) as error:
            raise not_an_archive(self.blob, "tar") from error
        info: tarfile.TarInfo | None = tar.firstmember  # type: ignore[attr-defined]
        while info is not None:
            offset = tar.offset
            extents = _extents(info)
            if extents and "size" in info.pax_headers:  # tarfile takes the size with holes for the one without
                offset = info.offset_data + -(-sum(size for _, size in extents) // 512) * 512
            self._member(info)
            yield
            tar.members.clear()  # type: ignore[attr-defined]  # tarfile would keep a kilobyte per member
            tar.offset = offset
            info = self._next(tar, raw)

    def _next(self, tar: tarfile.TarFile, raw: _Headers) -> tarfile.TarInfo | None:
        # TarFile.next() would take a damaged header for the end, and read one byte back before each header.
        raw.seek(tar.offset)
        try:
            return tarfile.TarInfo.fromtarfile(tar)
        except tarfile.TarError as error:
            end = type(error).__name__
            if end == "EOFHeaderError":
                if self.lazy:  # run to the end of the compressed stream, where its checksum stands
                    at = tar.offset
                    while piece := self.blob.read_at(at, MiB):
                        at += len(piece)
                return None
            if end == "EmptyHeaderError" and self.lazy:
                return None  # a complete compressed stream is proof enough of the end
            if end in ("EmptyHeaderError", "TruncatedHeaderError"):
                raise broken("is truncated: the tar ends without its end mark") from error
            raise broken(f"is damaged: no tar header at byte {tar.offset:,}") from error
        except _BARE as error:
            raise broken(f"is damaged: the tar header at byte {tar.offset:,} cannot be read ({error})") from error

    def _member(self, info: tarfile.TarInfo) -> None:
        extents = _extents(info)
        name = (info.pax_headers.get("GNU.sparse.name") if extents is not None else None) or info.name
        try:
            name.encode()
        except UnicodeEncodeError:
            name = name.encode("utf-8", "surrogateescape").decode("latin-1")
        path = safe_path(name)
        if info.isdir() or not path:
            return
        if extents is not None:
            self._sparse(info, path, extents)
        elif info.issym():
            self._link(path, info.linkname, relative=True)
        elif info.islnk():
            self._link(path, info.linkname, relative=False)
            target = self._paths.get(self._links.get(path, ""))
            if target is not None:
                del self._links[path]
                self._take(target._replace(path=path))
        elif not info.isfile():
            self.notes.append((path, "a device or a pipe"))
        else:
            end = info.offset_data + info.size
            if info.size < 0 or (self.blob.size is not None and end > self.blob.size):
                raise broken("is truncated: the member's data lie beyond the tar", path)
            self._take(ArchiveMember(path, info.size, self, info.offset_data, info.size))

    def _sparse(self, info: tarfile.TarInfo, path: str, extents: tuple[tuple[int, int], ...]) -> None:
        """A file with holes, in any of GNU tar's four ways of writing them."""
        said = info.pax_headers
        size = int(said.get("GNU.sparse.realsize") or said.get("GNU.sparse.size") or info.size)
        ends = [0, *(offset + size for offset, size in extents)]
        packed = sum(size for _, size in extents)
        if any(size < 0 or offset < end for (offset, size), end in zip(extents, ends, strict=False)) or (
            ends[-1] > size
        ):
            raise broken("is damaged: the map of the holes of a sparse file contradicts itself", path)
        if self.blob.size is not None and info.offset_data + packed > self.blob.size:
            raise broken("is truncated: the member's data lie beyond the tar", path)
        self._take(ArchiveMember(path, size, self, info.offset_data, packed, extents=extents))

    def content(self, member: ArchiveMember, *, kept: bool) -> Blob:
        """See `Archive`."""
        window = Window(self.blob, member.offset, member.packed)
        return window if member.extents is None else Sparse(window, member.extents, member.size)


class _Headers(io.RawIOBase):
    """What tarfile reads headers from: any blob, and nothing large."""

    def __init__(self, blob: Blob) -> None:
        self._blob = blob
        self._position = 0

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = 0) -> int:
        self._position = offset
        return offset

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0 or size > MiB:
            raise broken("is hostile or damaged: a tar header of more than 1 MiB")
        data = self._blob.read_at(self._position, size)
        self._position += len(data)
        return data


def open_archive(blob: Blob, kind: str, budget: Budget) -> Archive:
    """The archive in `blob`; `kind` as of `archive_kind`.

    Browsers unpack a .tar.gz on the way, or keep one packed as .tar: of a tar the compression is told by its content.
    """
    if kind == "zip":
        return ZipArchive(blob, budget)
    if kind != "tar":
        blob.forward()
    found = sniff(blob.read_at(0, 512))
    if found in CODECS or found == "tar":
        kind = found
    return TarArchive(blob if kind == "tar" else Decompressed(blob, CODECS[kind], budget), budget)
