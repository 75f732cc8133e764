from __future__ import annotations

import pytest
from miniatures import Miniature


@pytest.mark.quirk(1)
def test_scouts_are_no_volumes(mini: Miniature) -> None:
    reasons = {path.split("/")[-2]: reason for path, reason in mini.skipped.items()}
    assert reasons["1.000000-SCOUT-81010"] == "a localizer"
    assert reasons["9.000000-TOPOGRAM-81019"].startswith("a series of 2 images")


@pytest.mark.quirk(2)
def test_slides_stand_apart_and_masks_of_the_same_name_are_left_out(mini: Miniature) -> None:
    reasons = {path.split("/")[-2]: reason for path, reason in mini.skipped.items()}
    assert reasons["2.25.1004"] == "another resolution of the slide, or its label"
    assert reasons["77.0-TIL-1"] == "a segmentation"
    found: dict[str, set[str]] = {}
    for row in mini.rows():
        found.setdefault(row["config"], set()).add(row["modality"])
    assert found == {"volumes": {"CT", "MRI", "PET"}, "slides": {"whole-slide image"}}
    # The right quarter of the slide is glass.
    assert {row["meta"]["x"] for row in mini.rows("/slides/")} == {0, 16, 32, 48}


@pytest.mark.quirk(3)
def test_every_phase_and_echo_is_a_row(mini: Miniature) -> None:
    assert len(mini.paths("^manifest.*-ARTERIAL-")) == len(mini.paths("^manifest.*-PORTAL VENOUS-")) == 5
    phases = [row["meta"].get("phase") for row in mini.rows("BC-4073")]
    assert sorted(phases) == ["ARTERIAL", "PORTAL VENOUS"]
    assert sorted(row["meta"]["EchoTime"] for row in mini.rows("DD-A114.*EchoTime")) == [2.2, 4.4]
