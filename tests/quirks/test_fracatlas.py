"""What breaks a naive parser of FracAtlas."""

import pytest

from tests.miniatures import Miniature


@pytest.mark.quirk(1)
def test_one_image_lies_in_both_folders(mini: Miniature) -> None:
    assert len(mini.paths(r"^images/.*/IMG0003375\.jpg$")) == 2
    assert [row["label"]["classes"] for row in mini.rows("IMG0003375")] == [["fracture"]]


@pytest.mark.quirk(2)
def test_outlines_are_drawn_on_the_turned_image(mini: Miniature) -> None:
    (row,) = mini.rows("IMG0000025")
    assert row["shape"] == [56, 40]
    assert [box["box"] for box in row["label"]["boxes"]] == [[5, 40, 15, 50], [20.5, 8, 30, 18.5]]


@pytest.mark.quirk(3)
def test_an_image_without_a_fracture_was_looked_at(mini: Miniature) -> None:
    assert [row["label"]["classes"] for row in mini.rows("IMG0000000")] == [[]]
