"""How git names contents."""

from __future__ import annotations

import hashlib


def git_oid(data: bytes) -> str:
    """The id that git gives to this content as a blob; the Hub names regular files so."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
