from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import Miniature, copied

from medimg.errors import SourceError

NOT_IN_FILES = {2: "the server sends an incomplete chain of certificates; a note on the card says so"}


@pytest.mark.quirk(1)
def test_an_archive_that_was_not_unpacked_is_an_error_that_says_so(mini: Miniature, tmp_path: Path) -> None:
    sealed = mini.bytes("^FIRE.7z$")
    assert sealed.startswith(b"7z\xbc\xaf") and not mini.unread
    with pytest.raises(SourceError, match=r"FIRE\.7z is an archive that must be unpacked"):
        copied("fire", {"FIRE.7z": sealed}, tmp_path)


@pytest.mark.quirk(3, 4)
def test_points_are_read_from_a_folder_with_a_space(mini: Miniature) -> None:
    assert mini.text("FIRE/Ground Truth/control_points_S71_1_2.txt").startswith("5.200 0.125 7.500 1.250 \r\n")
    label = mini.row("S71")["label"]
    assert len(label["points"]) == 10
    assert label["points"][0] == {"name": "control point", "point": pytest.approx([5.2, 0.125])}
    assert label["source"]["control_points_S71_1_2.txt"][9] == [14.2, 36.125, 16.5, 37.25]
    assert label["target"] is not None
