"""One file of a source, and files by what a pattern captured of their paths."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, BinaryIO, Protocol

from medimg.errors import BombError, SourceError
from medimg.files.archives import ArchiveMember
from medimg.files.blobs import GiB
from medimg.files.limits import Limits
from medimg.files.local import LocalFile
from medimg.files.names import lower_key, lower_suffix, natural_key, split_name
from medimg.files.remote import RemoteFile

Item = LocalFile | RemoteFile | ArchiveMember
"""What a file is in its source; the `token` changes with its content, as far as that is told."""


class View(Protocol):
    """What a file asks of the view that it belongs to."""

    dataset: str | None
    limits: Limits

    def get(self, path: str) -> File | None:
        """The file at this path."""

    def _stream(self, item: Item, path: str) -> BinaryIO: ...


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
        opener: Callable[[], BinaryIO] | Item,
        size: int | None = None,
        *,
        view: View | None = None,
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
            raise error.within(dataset=self._view.dataset if self._view is not None else None, file=self.path) from None

    def sibling(self, name: str) -> File | None:
        """The file `name` in the same folder."""
        if self._view is None:
            return None
        return self._view.get(f"{self.parent}/{name}" if self.parent else name)


def _file_again(view: View, path: str) -> File:
    file = view.get(path)
    if file is None:
        raise SourceError("is no longer there", dataset=view.dataset, file=path)
    return file


class FileIndex(dict[Any, File]):
    """View by what a pattern captured. A missing key is a SourceError that says what was looked for.

    Captured suffixes are in lower case, whatever the file's; a key may spell its own either way.
    """

    def __init__(self, pattern: str, view: View) -> None:
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
