"""Files of the root against the sizes and digests that the declaration states of them.

What was found equal is remembered, so that each file is read for it once.
"""

from __future__ import annotations

import hashlib
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Literal, Protocol

from medimg import kept
from medimg.errors import ChecksumError, MedimgError
from medimg.files.local import LocalFile
from medimg.files.remote import RemoteFile, shown

Progress = Callable[[str, int, int | None], None]
"""Called with path, bytes done and bytes in all."""
PIECE = 4 << 20
"""Bytes that are read at once."""
SHOWN_AFTER = 2.0
"""Seconds after which a terminal shows how far it is."""


def folder() -> Path:
    """Where it is remembered; see `kept`."""
    return kept.folder() / "checksums"


def known(mark: Path | None) -> bool:
    """Whether this very file was found equal before."""
    try:
        return mark is not None and mark.exists()
    except OSError:
        return False


def remember(mark: Path | None) -> None:
    """The file was found equal. A cache that cannot be written costs the next reading alone."""
    if mark is not None:
        with suppress(OSError):
            mark.parent.mkdir(parents=True, exist_ok=True)
            mark.touch()


@contextmanager
def bar() -> Iterator[Progress]:
    """Progress on stderr, where that is a terminal and it takes long; Hugging Face's switches turn it off."""
    from huggingface_hub.utils.tqdm import tqdm

    make: Any = tqdm
    bars: dict[str, Any] = {}

    def show(path: str, done: int, total: int | None) -> None:
        if path not in bars:
            bars[path] = make(
                desc=f"comparing {path} with its checksum",
                total=total,
                unit="B",
                unit_scale=True,
                delay=SHOWN_AFTER,
                disable=None,
                leave=False,
                file=sys.stderr,
            )
        bars[path].update(done - bars[path].n)

    try:
        yield show
    finally:
        for each in bars.values():
            each.close()


class Declared(Protocol):
    """A file of the source as its declaration states it: `medimg.declaration.Source`, which stands above."""

    url: str
    path: str | None
    sha256: str | None
    md5: str | None
    size: int | None
    kind: Literal["file", "page"]


def digests(source: Declared) -> dict[str, str]:
    """The digests that the declaration states of a file."""
    return {name: value for name, value in (("sha256", source.sha256), ("md5", source.md5)) if value}


def compare_size(source: Declared, path: str, size: int | None) -> None:
    """Refuse a file of another size than declared.

    Raises:
        ChecksumError: naming both sizes.
    """
    if source.size is not None and size is not None and size != source.size:
        raise ChecksumError(
            f"holds {size:,} bytes, the declaration states {source.size:,}",
            file=path,
            next_step="download the file again (it may be cut, or a page of the server); if the source "
            "has a new version, the declaration must be updated",
        )


def compare(source: Declared, item: LocalFile | RemoteFile, progress: Progress) -> None:
    """Read a file and compare it with the declared size and digests.

    Raises:
        ChecksumError: it is not the declared one.
    """
    wanted = digests(source)
    sums = {name: hashlib.new(name, usedforsecurity=False) for name in wanted}
    offset = 0
    with closing(item.blob()) as blob:
        blob.forward()
        while piece := blob.read_at(offset, PIECE):
            offset += len(piece)
            for one in sums.values():
                one.update(piece)
            progress(item.path, offset, item.size)
    compare_size(source, item.path, offset)
    for name, value in wanted.items():
        if (found := sums[name].hexdigest()) != value:
            raise ChecksumError(
                f"its {name} is {found}, the declaration states {value}",
                next_step="download the file again; if the source has a new version, the declaration must be "
                "updated (an unpacked copy is not compared)",
            )


def mark_of(source: Declared, item: LocalFile | RemoteFile) -> Path | None:
    """The empty file that says that this very file has its declared digests; any number of processes may write it.

    None where nothing tells whether the file has changed.
    """
    if not item.token:
        return None
    place = shown(item.url) if isinstance(item, RemoteFile) else os.path.realpath(item.where)
    stated = " ".join(f"{name}:{value}" for name, value in sorted(digests(source).items()))
    name = hashlib.sha256(f"{place}\0{item.size}\0{item.token}\0{stated}".encode()).hexdigest()
    return folder() / name


class Checks:
    """What the declaration states of files of the root, and which of them were compared with it.

    Attributes:
        wanted: whether files of a declared digest are compared with it before they are used. Files that a `Phantom`
            wrote are not; a remote file of more than `Limits.checked` bytes, which is read by ranges, is told instead.
        progress: shown meanwhile; None: a bar, where stderr is a terminal.
        told: (path, reason) of what was not compared.
    """

    def __init__(self, dataset: str | None, wanted: bool, most: int) -> None:
        self.wanted = wanted
        self.progress: Progress | None = None
        self.told: list[tuple[str, str]] = []
        self._dataset = dataset
        self._most = most
        self._unsure: dict[int, tuple[Declared, LocalFile | RemoteFile]] = {}
        self._lock = threading.Lock()

    def state(self, source: Declared, item: LocalFile | RemoteFile) -> None:
        """Say what is declared of a file. Raises ChecksumError where its size is another."""
        compare_size(source, item.path, item.size)
        if digests(source):
            self._unsure[id(item)] = source, item

    def check(self, item: object) -> None:
        """Compare a file with its declared digest, if it has one and this was not done before.

        Raises:
            ChecksumError: it is another file than declared.
        """
        if not self.wanted or id(item) not in self._unsure:
            return
        with self._lock:
            if id(item) not in self._unsure:  # another thread has done it
                return
            source, file = self._unsure[id(item)]
            mark = mark_of(source, file)
            if not known(mark) and isinstance(file, RemoteFile) and (file.size is None or file.size > self._most):
                reason = f"its checksum was not compared: it is read by ranges and has more than {self._most:,} bytes"
                self.told.append((file.path, f"{reason}; pass a downloaded copy to have that done"))
            elif not known(mark):
                try:
                    with bar() as shown_bar:
                        compare(source, file, self.progress or shown_bar)
                except MedimgError as error:
                    raise error.within(dataset=self._dataset, file=file.path) from error.__cause__
                remember(mark)
            del self._unsure[id(item)]

    def all(self) -> None:
        """Compare every file with its declared digest that was not; the root must have been listed. See `check`."""
        for _, item in list(self._unsure.values()):
            self.check(item)
