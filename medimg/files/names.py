"""Names of files and archive members: kinds, junk, and what is unsafe."""

from __future__ import annotations

import re
from typing import Any

from medimg.errors import UnsafePathError

PHANTOM = ".medimg-phantom"
"""Lies in folders of synthetic files, which are no originals."""
_ARCHIVES = {
    ".zip": "zip",
    ".tar": "tar",
    ".tar.gz": "gzip",
    ".tgz": "gzip",
    ".tar.bz2": "bz2",
    ".tbz2": "bz2",
    ".tbz": "bz2",
    ".tar.xz": "xz",
    ".txz": "xz",
}
_COMPOUND = (".nii.gz", ".tar.gz", ".tar.bz2", ".tar.xz")
_JUNK = re.compile(r"(?:^|/)(?:\.|(?:__MACOSX|thumbs\.db|ehthumbs\.db|desktop\.ini)(?:/|$))", re.IGNORECASE)
_LAST = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,7}(?:\.(?:gz|bz2|xz))?$", re.IGNORECASE)
_PACKED = (".gz", ".bz2", ".xz")
_SUSPECT = re.compile(r"[\0\\]|^[A-Za-z]:|(?:^|/)\.{0,2}(?:/|$)")


def split_name(name: str) -> tuple[str, str]:
    """Name without its suffix, and the suffix in lower case; ".nii.gz" and ".tar.gz" are one suffix each."""
    lower = name.lower()
    for suffix in _COMPOUND:
        if lower.endswith(suffix) and len(name) > len(suffix):
            return name[: -len(suffix)], suffix
    stem, dot, last = name.rpartition(".")
    return (stem, "." + last.lower()) if dot and stem else (name, "")


def lower_suffix(path: str) -> str:
    """The path with its suffix in lower case: "P1/IM.DCM" -> "P1/IM.dcm", "im0001.PPM.gz" -> "im0001.ppm.gz".

    This is what patterns and keys are compared with, so that `.DCM` is `.dcm` everywhere. The rest stays as it is.
    """
    dot = path.rfind(".", path.rfind("/") + 1)
    if dot < 0:
        return path
    if path[dot:].lower() in _PACKED:
        dot = max(path.rfind(".", path.rfind("/") + 1, dot), 0) or dot
    tail = path[dot:]
    lower = tail.lower()
    return path[:dot] + lower if lower != tail and _LAST.fullmatch(tail) else path


def lower_key(key: Any) -> Any:
    """`lower_suffix` of a key that is a text, or of the texts of a tuple."""
    if isinstance(key, tuple):
        return tuple(lower_suffix(part) if isinstance(part, str) else part for part in key)
    return lower_suffix(key) if isinstance(key, str) else key


def archive_kind(name: str) -> str | None:
    """The kind of archive that a file name claims, None for other files."""
    return _ARCHIVES.get(split_name(name)[1])


def sniff(head: bytes) -> str | None:
    """What the first 512 bytes are: a kind of archive, be it one that is not read ("7z", "rar"), "html", or None."""
    if head.startswith((b"PK\3\4", b"PK\5\6")):
        return "zip"
    if head.startswith(b"\x1f\x8b"):
        return "gzip"
    if head.startswith(b"BZh"):
        return "bz2"
    if head.startswith(b"\xfd7zXZ\0"):
        return "xz"
    if head[257:262] == b"ustar":
        return "tar"
    if head.startswith(b"7z\xbc\xaf\x27\x1c"):
        return "7z"
    if head.startswith(b"Rar!"):
        return "rar"
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    return "html" if text.startswith((b"<!doctype html", b"<html", b"<head")) else None


def is_junk(path: str) -> bool:
    """What operating systems leave behind, and hidden files and folders."""
    return _JUNK.search(path) is not None


def safe_path(name: str) -> str:
    """The member's name as a plain relative path; backslashes, which some programs on Windows write, part folders.

    Raises:
        UnsafePathError: the name could point outside the archive on some system.
    """
    if not _SUSPECT.search(name):
        return name
    plain = name.replace("\\", "/")
    problem = None
    if "\0" in name:
        problem = "holds a NUL character"
    elif plain.startswith("/"):
        problem = "is absolute"
    elif re.match(r"[A-Za-z]:", name):
        problem = "starts with a drive letter"
    elif ".." in plain.split("/"):
        problem = "climbs with '..'"
    if problem:
        raise UnsafePathError(
            f"the member name {name!r} {problem}",
            next_step="do not unpack this archive; get it from the dataset's official address",
        )
    return "/".join(part for part in plain.split("/") if part not in ("", "."))


def link_target(path: str, target: str, *, relative: bool) -> str:
    """Where a link at `path` points, as a path inside the archive.

    Raises:
        UnsafePathError: outside the archive.
    """
    parts = path.split("/")[:-1] if relative else []
    for part in target.split("/"):
        if part == "..":
            if not parts:
                break
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    else:
        if not target.startswith("/") and not re.search(r"[\\\0]|^[A-Za-z]:", target):
            return "/".join(parts)
    raise UnsafePathError(
        f"the link points outside the archive, to {target!r}",
        file=path,
        next_step="do not unpack this archive; get it from the dataset's official address",
    )


_NUMBER = re.compile(r"([0-9]+)")


def natural_key(path: str) -> tuple[list[Any], str]:
    """Sorts volume-2 before volume-10, and the files of a folder next to one another."""
    parts: list[Any] = _NUMBER.split(lower_suffix(path).replace("/", "\0"))
    for index in range(1, len(parts), 2):
        number = parts[index].lstrip("0")
        parts[index] = (len(number), number)  # Python refuses to turn very long ones into an int
    return parts, path
