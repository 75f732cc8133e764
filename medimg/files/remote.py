"""Sources behind an address: http(s), s3, hf and whatever else fsspec speaks, read by ranges."""

from __future__ import annotations

import functools
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple
from urllib.parse import unquote, urlsplit

from medimg import collections
from medimg.errors import ArchiveError, MedimgError, MissingExtraError, SourceError, UnsafePathError
from medimg.files.blobs import Blob, BlobStream, GiB, KiB, MiB, buffered, html_error
from medimg.files.limits import Budget
from medimg.files.names import is_junk, split_name

BLOCK = 512 * KiB
"""Smallest range that is asked for: the members next to one another in an archive share a request."""
AHEAD = 8 * MiB
"""Largest range: reading on asks for twice as much each time, up to this."""
CACHE = 32 * MiB
ATTEMPTS = 4
BACKOFF = 0.25
"""Seconds before the second attempt; doubled before each further one."""
_CREDENTIALS = {"anon", "key", "secret", "token", "profile", "session"}
DOWNLOAD = "download the file once (a browser, wget -c or curl -C - will do) and pass its path"


def shown(url: str) -> str:
    """The address without what may be secret in it: user, password, query."""
    return re.sub(r"(?<=://)[^/@]*@", "", url.split("?", 1)[0].split("#", 1)[0])


def last_part(url: str) -> str:
    """File name at the end of an address."""
    return unquote(urlsplit(url).path.rstrip("/").rpartition("/")[2]) or urlsplit(url).netloc


def filesystem(url: str, options: Mapping[str, Any]) -> tuple[Any, str]:
    """The fsspec file system of an address, and the path in it. S3 is anonymous unless `options` say else."""
    import fsspec

    for prefix in collections.SOURCES:
        class_ = f"{collections.files_module(prefix)}.FileSystem"
        fsspec.register_implementation(prefix, class_, clobber=True)
    scheme = url.split("://", 1)[0].split("::", 1)[0]
    settings = dict(options)
    if scheme in ("s3", "s3a") and not settings.keys() & _CREDENTIALS:
        settings["anon"] = True
    if scheme in ("http", "https") and "client_kwargs" not in settings:
        import aiohttp

        # The default gives up after five minutes in all; what counts is whether anything comes.
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=120)
        settings["client_kwargs"] = {"timeout": timeout, "trust_env": True}
    try:
        return fsspec.core.url_to_fs(url, **settings)  # type: ignore[no-any-return]
    except ImportError as error:
        named = "s3" if scheme == "s3a" else scheme
        known = named == "s3" or named in collections.SOURCES
        extra = f'pip install "medimg[{named}]"' if known else f"install the fsspec driver of {scheme}://"
        raise MissingExtraError(
            f"addresses of {scheme}:// need a package that is not installed ({error})",
            file=shown(url),
            next_step=extra,
        ) from error
    except TypeError as error:
        raise SourceError(
            f"the storage_options do not fit {scheme}:// ({error})",
            file=shown(url),
            next_step=f"pass those that fsspec knows for {scheme}://",
        ) from None
    except ValueError as error:
        raise SourceError(
            f"is no address that fsspec knows: {error}",
            file=shown(url),
            next_step="pass a folder, an archive, or an address that starts with https://, s3:// or hf://",
        ) from None


def _status(error: BaseException) -> int | None:
    """The HTTP status behind an error, if there is one."""
    cause: BaseException | None = error
    while cause is not None:
        found = getattr(cause, "status", None) or getattr(getattr(cause, "response", None), "status_code", None)
        if isinstance(found, int):
            return found
        cause = cause.__cause__ or cause.__context__
    return None


def _final(error: BaseException) -> bool:
    """Whether asking again is pointless."""
    status = _status(error)
    if status is not None:
        return 400 <= status < 500 and status not in (408, 429)
    if isinstance(error, FileNotFoundError):  # fsspec's HTTP says so of a failed connection, too
        return not isinstance(error.__cause__, OSError) or isinstance(error.__cause__, FileNotFoundError)
    return isinstance(error, PermissionError | NotImplementedError)


def explain(error: BaseException, url: str) -> MedimgError:
    """The named error for what a client raised; its text is left out, it may hold signed addresses."""
    if isinstance(error, MedimgError):
        return error
    status = _status(error)
    if status in (401, 403) or isinstance(error, PermissionError):
        problem, step = (
            "access is refused",
            "sign in or accept the terms at the source, then pass your own copy",
        )
    elif status in (404, 410) or (isinstance(error, FileNotFoundError) and status is None and _final(error)):
        problem, step = "is not there", "look the address up at the dataset's homepage"
    else:
        what = f"HTTP status {status}" if status else type(error.__cause__ or error).__name__
        problem, step = f"cannot be read ({what})", f"try again, or {DOWNLOAD}"
    return SourceError(problem, file=shown(url), next_step=step)


def describe(fs: Any, path: str, url: str) -> dict[str, Any]:
    """What the server says of one address: type, size, version."""
    try:
        return dict(retry(lambda: fs.info(path), url))
    except SourceError as error:
        if path.endswith("/") and "is not there" in error.problem and not is_http(fs):
            return dict(retry(lambda: fs.info(path.rstrip("/")), url))
        raise


def walk(fs: Any, path: str, url: str) -> dict[str, dict[str, Any]]:
    """All files below a folder, with what the server says of each."""
    found: dict[str, dict[str, Any]]
    if not is_http(fs):
        found = retry(lambda: fs.find(path, detail=True), url)
        return found
    # fsspec's own walk over index pages leaves out the pages that fail.
    found = {}
    pending, seen = [path], {path}
    while pending:
        page = pending.pop()
        for info in retry(functools.partial(fs.ls, page, detail=True), url):
            name = info["name"]
            if not name.startswith(path) or "?" in name or name in seen:
                continue
            seen.add(name)
            if name.endswith("/"):
                pending.append(name)
            else:
                found[name] = info
    return found


def is_http(fs: Any) -> bool:
    """Whether this is fsspec's HTTP file system."""
    protocol = fs.protocol if isinstance(fs.protocol, tuple | list) else (fs.protocol,)
    return "http" in protocol or "https" in protocol


def version(info: Mapping[str, Any]) -> str:
    """A token that changes when the content does, where the server gives one."""
    lfs = info.get("lfs")
    for value in (
        getattr(lfs, "sha256", None) or (lfs.get("sha256") if isinstance(lfs, Mapping) else None),
        *(
            info.get(key)
            for key in ("blob_id", "ETag", "etag", "md5Hash", "md5", "Last-Modified", "LastModified", "mtime")
        ),
    ):
        if value:
            return str(value).strip('"')
    return ""


class _Final(Exception):
    """No further attempt will help; the cause says why."""


def retry(action: Callable[[], Any], url: str) -> Any:
    """Run `action`; network trouble is tried again a few times, answers of the server are final."""
    for attempt in range(ATTEMPTS):
        try:
            return action()
        except (_Final, MedimgError):
            raise
        except Exception as error:
            if _final(error) or attempt == ATTEMPTS - 1:
                raise explain(error, url) from None
            time.sleep(BACKOFF * 2**attempt)
    raise AssertionError


class RemoteBlob(Blob):
    """A file behind an address, read by ranges in blocks that are kept for a while.

    Where the server ignores ranges, a file that fits into `Limits.memory` is read into memory; a larger one
    can only be read forward (`forward`), which is enough for one pass over a tar.gz.
    """

    def __init__(self, fs: Any, path: str, info: Mapping[str, Any], url: str, budget: Budget) -> None:
        self.size = info.get("size")
        self.url = url
        self._fs = fs
        self._path = path
        self._memory = min(budget.limits.memory, 2 * GiB)
        self._http = is_http(fs)
        self._ranges = not self._http or (self.size is not None and info.get("partial", True))
        self._forward = False
        self._whole: bytes | None = None
        self._handle: Any = None
        self._blocks: OrderedDict[int, bytes] = OrderedDict()
        self._next = -1
        self._ahead = 1
        self._stream: Any = None
        self._at = 0
        self._kept = b""
        self._lock = threading.Lock()

    def forward(self) -> None:
        """See `Blob`."""
        self._forward = True

    def read_at(self, offset: int, count: int) -> bytes:
        """See `Blob`."""
        with self._lock:
            if self.size is not None:
                count = min(count, self.size - offset)
            if count <= 0:
                return b""
            if self._whole is None and self._ranges:
                try:
                    return self._by_blocks(offset, count)
                except _Final:
                    self._ranges = False
                    self._blocks.clear()
            only_forward = self._forward and (self.size is None or self.size > self._memory)
            if self._whole is None and not only_forward:
                self._read_whole()
            if self._whole is not None:
                return self._whole[offset : offset + count]
            return self._by_stream(offset, count)

    def _by_blocks(self, offset: int, count: int) -> bytes:
        assert self.size is not None
        first, last = offset // BLOCK, (offset + count - 1) // BLOCK
        parts = []
        index = first
        while index <= last:
            block = self._blocks.get(index)
            if block is None:
                self._ahead = min(self._ahead * 2, AHEAD // BLOCK) if index == self._next else 1
                stop = index + max(1, min(max(last + 1 - index, self._ahead), AHEAD // BLOCK))
                stop = next((other for other in range(index + 1, stop) if other in self._blocks), stop)
                data = self._fetch(index * BLOCK, min(stop * BLOCK, self.size))
                for place in range(0, len(data), BLOCK):
                    self._blocks[index + place // BLOCK] = data[place : place + BLOCK]
                self._next = stop
                block = self._blocks[index]
            else:
                self._blocks.move_to_end(index)
            begin = max(0, offset - index * BLOCK)
            parts.append(block[begin : offset + count - index * BLOCK])
            index += 1
            while len(self._blocks) > CACHE // BLOCK:
                self._blocks.popitem(last=False)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _fetch(self, start: int, stop: int) -> bytes:
        def once() -> bytes:
            if self._handle is None:
                extra = {"size": self.size} if self._http else {}
                self._handle = self._fs.open(self._path, "rb", block_size=BLOCK, cache_type="none", **extra)
            try:
                self._handle.seek(start)
                data: bytes = self._handle.read(stop - start)
            except ValueError as error:
                if self._http and "range" in str(error):
                    raise _Final from error
                raise
            except Exception:
                self._handle = None
                raise
            if len(data) < stop - start:
                raise ConnectionError("short answer")
            return data

        return retry(once, self.url)  # type: ignore[no-any-return]

    def _open_stream(self) -> Any:
        extra = {"block_size": 0} if self._http else {}
        return retry(lambda: self._fs.open(self._path, "rb", **extra), self.url)

    def _read_whole(self) -> None:
        problem = "the server ignores range requests" if self.size is not None else "the server states no size"
        refusal = SourceError(
            f"{problem}, and the file is too large to be held in memory",
            file=shown(self.url),
            next_step=DOWNLOAD,
        )
        if self.size is not None and self.size > self._memory:
            raise refusal

        def once() -> bytes:
            parts: list[bytes] = []
            total = 0
            with self._open_stream() as stream:
                while piece := stream.read(MiB):
                    parts.append(piece)
                    total += len(piece)
                    if total > self._memory:
                        raise refusal
            if self.size is not None and total != self.size:
                raise ConnectionError("short answer")
            return b"".join(parts)

        self._whole = retry(once, self.url)
        self.size = len(self._whole)

    def _by_stream(self, offset: int, count: int) -> bytes:
        if self._stream is None:
            self._stream = self._open_stream()
        if offset < self._at - len(self._kept):
            raise SourceError(
                "the server ignores range requests, so the file can only be read once and forward",
                file=shown(self.url),
                next_step=DOWNLOAD,
            )
        parts = []
        if offset < self._at:
            begin = len(self._kept) - (self._at - offset)
            parts.append(self._kept[begin : begin + count])
            count -= len(parts[0])
            offset += len(parts[0])
        while count:
            try:
                piece: bytes = self._stream.read(max(64 * KiB, min(MiB, offset - self._at or count)))
            except Exception as error:
                raise explain(error, self.url) from None
            if not piece:
                if self.size is not None and self._at < self.size:
                    raise ArchiveError(
                        f"the server cut the transfer after {self._at:,} of {self.size:,} bytes",
                        file=shown(self.url),
                        next_step=DOWNLOAD,
                    )
                self.size = self._at
                break
            used = piece[max(0, offset - self._at) :][:count]
            self._at += len(piece)
            self._kept = piece
            parts.append(used)
            offset += len(used)
            count -= len(used)
        return b"".join(parts)

    def close(self) -> None:
        """See `Blob`."""
        with self._lock:
            for stream in (self._handle, self._stream):
                if stream is not None:
                    stream.close()
            self._handle = self._stream = None
            self._at, self._kept = 0, b""
            self._blocks.clear()


class RemoteFile(NamedTuple):
    """A file behind an address: its path in the view, its size in bytes and its version, where these are told."""

    path: str
    size: int | None
    token: str
    url: str
    fs: Any
    where: str
    info: Mapping[str, Any]
    budget: Budget

    def blob(self) -> Blob:
        """The content, to be read as an archive."""
        return RemoteBlob(self.fs, self.where, self.info, self.url, self.budget)

    def stream(self, blame: Callable[[MedimgError], MedimgError]) -> BinaryIO:
        """The content, to be read as a file."""
        try:
            refuse_page(self.path, self.info)
            info: Mapping[str, Any] = self.info
            if info.get("size") is None:
                info = describe(self.fs, self.where, self.url)
            blob = RemoteBlob(self.fs, self.where, info, self.url, self.budget)
            if blob.size is None:
                blob.read_at(0, 1)  # reads it whole where it is small, and refuses where it is not
        except MedimgError as error:
            raise blame(error) from None
        return buffered(BlobStream(blob, blob.size or 0, blame=blame), blob.size or 0)


def single(url: str, path: str, options: Mapping[str, Any], budget: Budget) -> RemoteFile | None:
    """The file at `url`, standing at `path` of the view ("": its own name); None where a folder is there."""
    fs, where = filesystem(url, options)
    if is_http(fs) and url.split("?", 1)[0].endswith("/"):
        return None
    known = describe(fs, where, url)
    if known.get("type") == "directory":
        return None
    return RemoteFile(path or last_part(url), known.get("size"), version(known), url, fs, where, known, budget)


def below(url: str, path: str, options: Mapping[str, Any], budget: Budget) -> Iterator[RemoteFile]:
    """All files below the folder at `url`, standing below `path` of the view.

    Raises:
        UnsafePathError: the server lists files outside the folder.
        SourceError: there are none.
    """
    fs, where = filesystem(url, options)
    found = walk(fs, where, url)
    base = where.rstrip("/") + "/"
    for name, info in found.items():
        inner = name.removeprefix(base)
        if inner == name and name.lstrip("/").startswith(base.lstrip("/")):
            inner = name.lstrip("/").removeprefix(base.lstrip("/"))
        inner = unquote(inner) if is_http(fs) else inner
        if not inner or inner.endswith("/") or info.get("type") == "directory" or is_junk(inner):
            continue
        if ".." in inner.split("/") or inner.startswith("/") or "://" in inner:
            raise UnsafePathError("the server lists a file outside the folder", file=inner)
        place = f"{path.rstrip('/')}/{inner}" if path else inner
        address = f"{url.rstrip('/')}/{inner}"
        yield RemoteFile(place, info.get("size"), version(info), address, fs, name, info, budget)
    if not found:
        raise SourceError(
            "holds no files",
            file=shown(url),
            next_step="look the address up at the dataset's homepage",
        )


def refuse_page(name: str, info: Mapping[str, Any]) -> None:
    """Raise ArchiveError where the server answers with an HTML page for a file of another kind."""
    if info.get("mimetype") == "text/html" and split_name(name)[1] not in (".html", ".htm", ".xhtml"):
        raise html_error()
