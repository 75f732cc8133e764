"""Named errors. Each message says which dataset, which file, what is wrong and what to do next."""

from __future__ import annotations

import errno
import struct
import traceback
import zlib
from pathlib import Path

_ENDS = (".", "!", "?", ":", "…", "\n")
"""After these a message goes on without a full stop; a list of lines ends in a line end."""


class MedimgError(Exception):
    """Base of all errors raised by medimg.

    Args:
        problem: what is wrong, in one sentence; its full stop may be left out.
        dataset: slug of the dataset, where known.
        file: path inside the source, where known.
        next_step: what the reader of the message can do about it.
    """

    def __init__(
        self,
        problem: str,
        *,
        dataset: str | None = None,
        file: str | None = None,
        next_step: str | None = None,
    ) -> None:
        self.problem = problem
        self.dataset = dataset
        self.file = file
        self.next_step = next_step
        super().__init__(problem)

    def __str__(self) -> str:
        place = ": ".join(part for part in (self.dataset, self.file) if part)
        text = f"{place}: {self.problem}" if place else self.problem
        if text and not text.endswith(_ENDS):
            text += "."
        return f"{text} Next: {self.next_step}" if self.next_step else text

    def within(self, *, dataset: str | None = None, file: str | None = None) -> MedimgError:
        """Fill in the dataset and the file where the raiser did not know them; returns self."""
        self.dataset = self.dataset or dataset
        self.file = self.file or file
        return self


class UnknownDatasetError(MedimgError):
    """No builder has this name or alias."""


class DeclarationError(MedimgError):
    """A builder's declaration contradicts itself or the vocabularies."""


class UnknownTermError(MedimgError):
    """A name is not in the vocabulary."""


class SourceRequiredError(MedimgError):
    """The data may not be redistributed (or was not found): the user's own copy is needed."""


class SourceError(MedimgError):
    """A source file is missing, unreadable or not what it claims to be."""


class EmptySplitError(SourceError):
    """The copy has rows of the dataset, none of them of the split or the sub-collection that was asked for."""


class ChecksumError(SourceError):
    """A source file's digest or size is not the declared one."""


class ArchiveError(SourceError):
    """An archive is truncated, hostile or no archive at all."""


class UnsafePathError(ArchiveError):
    """An archive member points outside the archive's root."""


class BombError(ArchiveError):
    """An archive member expands beyond the allowed size or ratio."""


class FormatError(MedimgError):
    """A file cannot be decoded as the format its name claims."""


class PickleError(FormatError):
    """An array file carries pickled objects, which are never loaded."""


class GeometryError(MedimgError):
    """Geometry is missing, not finite, inconsistent or differs between image and mask."""


class LabelError(MedimgError):
    """A label value is outside the legend or not mapped to the vocabulary."""


class DuplicateIdError(MedimgError):
    """Two rows carry one id."""


class PrivacyError(MedimgError):
    """A row says of itself that it shows who the patient is."""


class LicenseError(MedimgError):
    """The license forbids what was asked for."""


class MissingExtraError(MedimgError):
    """An extra is not installed: packages of a reader, or of publishing and serving."""


class DiskFullError(MedimgError):
    """A disk is full. That is no fault of a file of the source: the reading ends."""

    def needing(self, size: int) -> DiskFullError:
        """Say how much room is needed, in bytes; returns self."""
        self.next_step = f"{self.next_step} About {size / 1e6:,.0f} MB are needed."
        return self


def disk_full(error: BaseException, *, dataset: str | None = None, folder: Path | None = None) -> DiskFullError | None:
    """The error that says which disk is full and what to do, where that is what lies behind `error`.

    Args:
        error: what was raised; what it was raised from counts, too.
        dataset: slug of the dataset, where known.
        folder: that was written to, where the error does not name a file; else the one for temporary files.
    """
    import shutil
    import tempfile

    seen: BaseException | None = error
    for _ in range(16):
        if isinstance(seen, OSError) and seen.errno in (errno.ENOSPC, errno.EDQUOT):
            break
        seen = seen.__cause__ or seen.__context__ if seen is not None else None
    else:
        return None
    assert isinstance(seen, OSError)
    scratch = Path(tempfile.gettempdir()).resolve()
    place = Path(seen.filename) if isinstance(seen.filename, str) else folder or scratch
    place = next((one for one in (place, *place.parents) if one.is_dir()), scratch).resolve()
    temporary = place == scratch or scratch in place.parents
    free = shutil.disk_usage(place).free
    return DiskFullError(
        f"the disk of {f'{scratch}, the folder for temporary files,' if temporary else place} is full: "
        f"{free / 1e6:,.0f} MB are free there",
        dataset=dataset,
        next_step="Make room there"
        + (
            ", or set TMPDIR to a folder on a disk that has room, and run it again."
            if temporary
            else ", and run it again."
        ),
    )


def need(extra: str, what: str, *modules: str) -> None:
    """Refuse what cannot be done without an extra.

    Args:
        extra: its name in pyproject.toml.
        what: cannot be done, e.g. "publishing".
        modules: of the extra, as they are imported.

    Raises:
        MissingExtraError: one of them is not installed.
    """
    from importlib.util import find_spec

    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        raise MissingExtraError(f"{what} needs {', '.join(missing)}", next_step=f'pip install "medimg[{extra}]"')


class HubError(MedimgError):
    """A Hub refused a request or answered with something unexpected."""


class VerifyError(MedimgError):
    """The published revision does not equal its manifest."""


NO_FAULT_OF_A_FILE = (MissingExtraError, DiskFullError)
"""What ends the reading also where bad files are quarantined."""

SOURCE_FAULTS = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RecursionError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What code raises that meets a file which is not as it expects. Others are bugs and stay what they are."""


AGAIN = "Compare the file with the original download, and take it from there."


def named(error: Exception, *, dataset: str | None = None, file: str | None = None) -> MedimgError:
    """The error as a `MedimgError` that says dataset and file: itself, or one made of a bare `SOURCE_FAULTS`."""
    from pydantic import ValidationError

    if (full := disk_full(error, dataset=dataset)) is not None and not isinstance(error, DiskFullError):
        return full
    if isinstance(error, MedimgError):
        error.next_step = error.next_step or AGAIN
        return error.within(dataset=dataset, file=file)
    if isinstance(error, ValidationError):
        detail = error.errors()[0]
        place = ".".join(str(part) for part in detail["loc"])
        return LabelError(f"it gives an invalid row: {place}: {detail['msg']}", dataset=dataset, file=file)
    if isinstance(error, KeyError):
        return LabelError(
            f"the builder has no entry for {error}: a label or a name of the source is not mapped",
            dataset=dataset,
            file=file,
            next_step="Map it in the declaration with evidence; labels are never dropped.",
        )
    last = traceback.extract_tb(error.__traceback__)[-1:]
    where = f", {Path(last[0].filename).name}:{last[0].lineno}" if last else ""
    return FormatError(
        f"it is not what the reader expects ({type(error).__name__}: {error}{where})",
        dataset=dataset,
        file=file,
        next_step="Compare the file with the original download; if it is that, report this message.",
    )
