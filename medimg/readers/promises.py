"""What readers share: promises of pixels that a function keeps, and errors that name the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from medimg.errors import FormatError, MedimgError
from medimg.files import File
from medimg.pixels import Image, Pixels, Volume
from medimg.readers.grids import VolumePixels, VoxelGrid, grid_of


@contextmanager
def naming(path: str | None) -> Iterator[None]:
    """Errors within name the file, where they name none."""
    try:
        yield
    except MedimgError as error:
        error.within(file=path)
        raise


@contextmanager
def damaged(what: str) -> Iterator[None]:
    """Whatever a library throws at bad bytes within becomes a FormatError: `what`, and what was thrown."""
    try:
        yield
    except MedimgError:
        raise
    except Exception as error:
        raise FormatError(f"{what} ({type(error).__name__}: {error})") from error


@contextmanager
def reading(file: File) -> Iterator[None]:
    """Errors within name the file; those of libraries become a FormatError."""
    with naming(file.path), damaged("cannot be read"):
        yield


@dataclass(frozen=True, slots=True)
class Promised(Pixels):
    """What `make` gives for the settings; errors name the first of the files from which it is made."""

    sources: tuple[File, ...]
    make: Callable[..., Image]
    settings: tuple[Any, ...]

    def files(self) -> tuple[File, ...]:
        """As they were given."""
        return self.sources

    def read(self) -> Image:
        """Decode."""
        with naming(next((file.path for file in self.sources), None)):
            return self.make(*self.settings)


@dataclass(frozen=True)
class PromisedVolume(VolumePixels):
    """What `make` gives for the settings: a volume that is made of `sources`, on the grid of `like`."""

    sources: tuple[File | Pixels, ...]
    like: Pixels
    make: Callable[..., Volume]
    settings: tuple[Any, ...]

    def files(self) -> list[File]:
        """Those of all sources."""
        return [file for one in self.sources for file in ((one,) if isinstance(one, File) else one.files())]

    def grid(self) -> VoxelGrid:
        """That of `like`."""
        return grid_of(self.like)

    def read(self) -> Volume:
        """Decode."""
        return self.make(*self.settings)
