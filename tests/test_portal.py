"""The portal: a static site in a real browser."""

from __future__ import annotations

from pathlib import Path

from medimg.cards import portal


def test_the_same_input_gives_the_same_bytes(tmp_path: Path) -> None:
    one, two = portal.files(), portal.files()
    assert one == two
    written = portal.build(tmp_path)
    assert {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in written} == one
