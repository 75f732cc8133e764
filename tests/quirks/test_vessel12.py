from __future__ import annotations

import pytest
from miniatures import Miniature


@pytest.mark.quirk(1)
def test_the_archive_with_an_underscore_is_read(mini: Miniature) -> None:
    assert mini.paths(r"^VESSEL12_11_15\.tar\.bz2$") and mini.paths(r"^VESSEL12_01-05\.tar\.bz2$")
    assert mini.row("VESSEL12_11$")["split"] == mini.row("VESSEL12_01$")["split"] == "test"


@pytest.mark.quirk(2)
def test_points_are_x_y_z_and_the_first_line_is_one(mini: Miniature) -> None:
    assert mini.text("VESSEL12_21_Annotations").startswith("4,5,2,1\n")
    points = mini.row("VESSEL12_21")["label"]["points"]
    assert points[0] == {"name": "pulmonary vessel", "point": [4, 5, 2]}
    assert [point["name"] for point in points] == ["pulmonary vessel", "non-vessel", "pulmonary vessel"]
    assert mini.row("VESSEL12_21")["shape"] == [14, 12, 6]


@pytest.mark.quirk(3)
def test_masks_are_of_lungs_alone(mini: Miniature) -> None:
    label = mini.row("VESSEL12_01$")["label"]
    assert label["legend"] == [{"value": 1, "names": ["lung"]}]
    assert label["assessed"] == ["lung"] and not label["points"]
    assert mini.paths("01-20_Lungmasks/VESSEL12_01.mhd")
