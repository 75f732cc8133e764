"""What the embedded Hub refuses, and the texts that it lets through."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from medimg.errors import HubError

Json = dict[str, Any]
NAME = re.compile(r"(?!.*(?:--|\.\.))(?!.*\.git$)[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9_])?")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class HubRefusal(HubError):
    """A request the embedded Hub refuses, with what the HTTP answer needs.

    Args:
        problem: what is wrong, in one sentence.
        code: the `X-Error-Code` that Hub clients turn into their own exceptions.
        headers: further headers of the answer.
        extra: further fields of the JSON answer.
    """

    def __init__(
        self,
        status: int,
        problem: str,
        *,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
        extra: Json | None = None,
    ) -> None:
        super().__init__(problem)
        self.status = status
        self.code = code
        self.headers = dict(headers or {})
        self.extra = extra or {}


def entry_not_found(path: str, commit: str) -> HubRefusal:
    """Build the refusal for a path that a commit does not have."""
    return HubRefusal(404, f"Entry not found: {path}", code="EntryNotFound", headers={"X-Repo-Commit": commit})


def lost(path: str) -> HubRefusal:
    """Build the refusal for a file whose content is not in the store any more."""
    return HubRefusal(500, f"The store has lost the content of {path}.")


def check_path(path: object, limit: int = 1024) -> str:
    """Return the path if it is a clean relative path; refuse it otherwise."""
    if not isinstance(path, str) or not path or len(path.encode(errors="replace")) > limit:
        raise HubRefusal(400, f"A path must be a text of 1 to {limit} bytes, not {str(path)[:80]!r}.")
    parts = path.split("/")
    bad = "\\" in path or any(ord(char) < 32 or ord(char) == 127 or 0xD800 <= ord(char) < 0xE000 for char in path)
    if bad or any(part in ("", ".", "..", ".git") or len(part.encode()) > 255 for part in parts):
        raise HubRefusal(400, f"The path {path!r} is not a clean relative path.")
    return path


def check_sha256(oid: object) -> str:
    """Return the digest if it is a sha256 in lower-case hexadecimal; refuse it otherwise."""
    if not isinstance(oid, str) or not _SHA256.fullmatch(oid):
        raise HubRefusal(422, "An object id must be a sha256 in hexadecimal.")
    return oid


def check_name(name: object) -> str:
    """Return a namespace or repository name if Hub clients accept it; refuse it otherwise."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise HubRefusal(400, f"The name {str(name)[:120]!r} is not valid: letters, digits, '-', '_', '.', at most 96.")
    return name
