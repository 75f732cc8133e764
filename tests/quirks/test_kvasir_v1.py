from __future__ import annotations

import pytest
from miniatures import Miniature, pixels

NOT_IN_FILES = {4: "another version, which is no part of this one; a note on the card names it"}


@pytest.mark.quirk(1)
def test_sizes_differ_in_a_nested_folder(mini: Miniature) -> None:
    (archive,) = mini.paths(r"^kvasir-dataset(-v2)?\.zip$")
    assert f"{archive.removesuffix('.zip')}/normal-cecum/".encode() in mini.bytes(archive)
    assert mini.row("00000000-")["shape"] == [57, 72]
    assert mini.row("00000001-")["shape"] == [107, 192]


@pytest.mark.quirk(2)
def test_the_green_box_stays_and_the_card_tells(mini: Miniature) -> None:
    array = pixels(mini.row("00000004-")["image"]).astype(int)
    green = (array[..., 1] > array[..., 0] + 100) & (array[..., 1] > array[..., 2] + 100)
    assert green[20:40, 5:10].all() and not green[:, 20:].any()
    assert any("green box" in note for note in mini.builder.dataset.notes)


@pytest.mark.quirk(3)
def test_names_tell_no_patient(mini: Miniature) -> None:
    uuid = r"/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
    assert len(mini.rows(uuid)) == len(mini.rows()) == 8
    assert {row["subject"] for row in mini.rows()} == {None}
    assert mini.builder.dataset.no_subject
