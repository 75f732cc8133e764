"""Structure sets and segmentations that are drawn on a series, and votes over them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from medimg.builders import _tcia, _tcia_phantom
from medimg.errors import FormatError, GeometryError
from medimg.files import File, Files
from medimg.phantom import Phantom
from medimg.readers import dicom, metaimage, rtstruct, votes
from medimg.readers import drawn as readers_drawn
from medimg.readers.volumes import Painter, volume_of


def drawn(root: Path, squares: dict[str, list[tuple[int, float, float]]]) -> tuple[File, dicom.Series]:
    """A structure set of squares (slice, low, high) on a series of four slices."""
    make = Phantom(root)
    slices = make.dicom_series("ct", 4, patient="P")
    _tcia_phantom.structures(make, "rt/1-1.dcm", slices, squares, "P")
    files = Files.open(root)
    found = files.get("rt/1-1.dcm")
    assert found is not None
    return found, dicom.series([file for file, *_ in files.match(r"ct/")])


def painted(file: File, image: dicom.Series, values: dict[int, int], above: int = 0) -> readers_drawn.Drawing:
    return readers_drawn.drawing(image, [file], lambda part: values.get(part.number), above=above)


def test_a_voxel_belongs_to_a_contour_that_holds_its_center(tmp_path: Path) -> None:
    file, image = drawn(tmp_path, {"GTV": [(1, 3.1, 5.9), (2, 3.5, 5.5)]})
    mask = volume_of(painted(file, image, {1: 1}).mask).array
    assert mask.shape == (16, 12, 4)
    # The phantom draws from pixel edges, half a pixel below. Centers are whole numbers: 3, 4, 5 lie in 2.6 to 5.4.
    assert np.argwhere(mask[:, :, 1]).min(axis=0).tolist() == [3, 3]
    assert mask[:, :, 1].sum() == 9 and mask[:, :, 2].sum() == 4
    assert not mask[:, :, (0, 3)].any()


def test_contours_of_one_structure_make_holes(tmp_path: Path) -> None:
    file, image = drawn(tmp_path, {"Lung": [(1, 1.5, 8.5), (1, 3.5, 5.5)]})
    mask = volume_of(painted(file, image, {1: 1}).mask).array
    assert mask[4, 4, 1] == 0 and mask[2, 2, 1] == 1
    assert mask.sum() == 49 - 4


def test_structures_that_overlap_get_a_value_of_their_own(tmp_path: Path) -> None:
    file, image = drawn(tmp_path, {"Lung": [(1, 1.5, 8.5)], "GTV": [(1, 3.5, 5.5)], "Heart": [(2, 1.5, 3.5)]})
    found = painted(file, image, {1: 3, 2: 1}, above=8)
    assert found.meanings == {3: (3,), 9: (1, 3)}, "1 is nowhere alone"
    mask = volume_of(found.mask).array
    assert sorted(np.unique(mask)) == [0, 3, 9]
    assert (mask == 9).sum() == 4 and not mask[:, :, 2].any()


def test_points_and_contours_beside_the_image_are_told(tmp_path: Path) -> None:
    file, image = drawn(tmp_path, {"iso": [(1, 4, 4)], "GTV": [(1, 2, 5)]})
    assert [(one.name, one.closed, one.other) for one in rtstruct.rois(file)] == [
        ("iso", 0, 1),
        ("GTV", 1, 0),
    ]
    one = dicom.series(image.sources[:1])
    notes = rtstruct.paint_contours(Painter(np.zeros(one.grid().shape, np.uint16)), file, one, {1: 1, 2: 2})
    assert notes["contours_without_area"] == {"POINT": 1}
    mask = volume_of(painted(file, image, {2: 4}).mask)
    assert set(np.unique(mask.array)) == {0, 4} and not painted(file, image, {}).parts


def test_a_structure_set_says_what_it_was_drawn_on(tmp_path: Path) -> None:
    file, image = drawn(tmp_path, {"GTV": [(1, 2, 5)]})
    assert rtstruct.references(file) == (image.plan.slices[0].tags["SeriesInstanceUID"],)
    with pytest.raises(FormatError, match="no RT structure set"):
        rtstruct.rois(image.sources[0])


def test_segments_that_overlap_become_sets_of_bits(tmp_path: Path) -> None:
    make = Phantom(tmp_path)
    slices = make.dicom_series("ct", 4, patient="P")
    _tcia_phantom.segmentation(make, "seg/1.dcm", slices, {"A": [(1, 2, 6)], "B": [(1, 4, 8)]}, "P")
    files = Files.open(tmp_path)
    image, seg = dicom.series([file for file, *_ in files.match(r"ct/")]), files.get("seg/1.dcm")
    assert seg is not None
    mask = volume_of(_tcia.segmented(seg, image, {"A": 4, "B": 1})).array
    assert {int(v): int(n) for v, n in zip(*np.unique(mask, return_counts=True), strict=True)} == {
        0: mask.size - 28,
        1: 12,
        4: 12,
        5: 4,
    }
    assert _tcia.legend({4: ("x",), 1: ("y",)}) == {1: ("y",), 4: ("x",), 5: ("y", "x")}


def test_votes_count_readings_and_refuse_other_grids(tmp_path: Path) -> None:
    make = Phantom(tmp_path)
    make.metaimage("a.mha", (8, 6, 4), labels=(7,), dtype="uint8")
    make.metaimage("b.mha", (8, 6, 4), labels=(1, 2), dtype="uint8")
    make.metaimage("c.mha", (8, 6, 4), labels=(1,), dtype="uint8", spacing=(2, 2, 2))
    readings = [metaimage.volume(file) for file, *_ in Files.open(tmp_path).match(r"mha$")]
    a, b = (volume_of(one).array != 0 for one in readings[:2])
    assert np.array_equal(volume_of(votes.count(readings[:2])).array, a.astype(np.uint8) + b)
    with pytest.raises(GeometryError, match="different grids"):
        volume_of(votes.count(readings))
