"""Structure sets and segmentations that are drawn on a series, and votes over them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest

from medimg.builders import _tcia, _tcia_phantom
from medimg.errors import FormatError, GeometryError
from medimg.files import File, Files
from medimg.phantom import Phantom
from medimg.pixels import Volume
from medimg.readers import dicom, metaimage, rtstruct, votes
from medimg.readers import drawn as readers_drawn
from medimg.readers.grids import volume_of
from medimg.readers.volumes import Painter


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
    return readers_drawn.Drawing(image, (file,), lambda part: values.get(part.number), above=above)


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


def contoured(root: Path, contours: list[tuple[float, list[tuple[float, float]]]], **tags: str) -> Volume:
    """The mask of one structure: (z in slices, corners in voxels) on six slices, and what is told of it."""
    make = Phantom(root)
    slices = make.dicom_series("ct", 6, patient="P")
    step = slices[1]["z"] - slices[0]["z"]
    data = [
        {
            "ContourGeometricType": tags.get("kind", "CLOSED_PLANAR"),
            "ContourData": [
                number
                for x, y in corners
                for number in (
                    _tcia_phantom.ORIGIN[0] + _tcia_phantom.SPACING * x,
                    _tcia_phantom.ORIGIN[1] + _tcia_phantom.SPACING * y,
                    slices[0]["z"] + step * z,
                )
            ],
        }
        for z, corners in contours
    ]
    roi = [{"ReferencedROINumber": 1, "ContourSequence": data}]
    _tcia_phantom.structures(make, "rt/1-1.dcm", slices, {"GTV": []}, "P", ROIContourSequence=roi)
    if "missing" in tags:
        (root / slices[int(tags["missing"])]["path"]).unlink()
    files = Files.open(root)
    found = files.get("rt/1-1.dcm")
    assert found is not None
    image = dicom.series([file for file, *_ in files.match(r"ct/")], allow_gaps=True)
    return volume_of(painted(found, image, {1: 1}).mask)


def box(low: float, high: float) -> list[tuple[float, float]]:
    low, high = low - 0.5, high - 0.5
    return [(low, low), (high, low), (high, high), (low, high)]


def test_contours_of_one_structure_never_cancel(tmp_path: Path) -> None:
    """What is drawn is in the mask, however often and in however many planes; only holes are taken out."""
    square = box(3, 8)
    nudged = [(x + 0.03, y - 0.02) for x, y in square]
    split = [((a + c) / 2, (b + d) / 2) for (a, b), (c, d) in zip(square, square[1:] + square[:1], strict=True)]
    more = [point for pair in zip(square, split, strict=True) for point in pair]
    wanted = {
        "once": ([(2, square)], [0, 0, 25, 0, 0, 0]),
        "twice": ([(2, square)] * 2, [0, 0, 25, 0, 0, 0]),
        "three times": ([(2, square)] * 3, [0, 0, 25, 0, 0, 0]),
        "the other way round": ([(2, square), (2, square[::-1])], [0, 0, 25, 0, 0, 0]),
        "from another corner": ([(2, square), (2, square[2:] + square[:2])], [0, 0, 25, 0, 0, 0]),
        "with more points": ([(2, square), (2, more)], [0, 0, 25, 0, 0, 0]),
        "rounded": ([(2, square), (2, nudged)], [0, 0, 25, 0, 0, 0]),
        "two planes": ([(2, square), (2.76, square), (3.24, square)], [0, 0, 25, 25, 0, 0]),
        "three planes": ([(2.76, square), (3, square), (3.24, square)], [0, 0, 0, 25, 0, 0]),
        "planes that are a hair apart": ([(2, box(1, 10)), (2.004, box(4, 6))], [0, 0, 77, 0, 0, 0]),
        "overlap": ([(2, box(3, 8)), (2, box(6, 10))], [0, 0, 37, 0, 0, 0]),
        "a part drawn again": ([(2, box(3, 8)), (2, box(3, 6))], [0, 0, 25, 0, 0, 0]),
        "side by side": ([(2, box(1, 4)), (2, box(6, 9))], [0, 0, 18, 0, 0, 0]),
        "hole": ([(2, box(1, 10)), (2, box(4, 6))], [0, 0, 77, 0, 0, 0]),
        "hole first": ([(2, box(4, 6)), (2, box(1, 10))], [0, 0, 77, 0, 0, 0]),
        "hole stored twice": ([(2, box(1, 10)), (2, box(4, 6)), (2, box(4, 6))], [0, 0, 77, 0, 0, 0]),
        "island in a hole": (
            [(2, box(0, 11)), (2, box(2, 9)), (2, box(4, 6))],
            [0, 0, 121 - 49 + 4, 0, 0, 0],
        ),
        "hole under an overlap": (
            [(2, box(0, 8)), (2, box(2, 4)), (2, [(1.5, 1.5), (10.5, 1.5), (10.5, 3.5), (1.5, 3.5)])],
            [0, 0, 64 + 6, 0, 0, 0],
        ),
        "keyhole": (
            [(2, [*box(1, 10), box(1, 10)[0], *box(4, 6)[::-1][-1:], *box(4, 6)[::-1]])],
            [0, 0, 77, 0, 0, 0],
        ),
    }
    for number, (name, (contours, counts)) in enumerate(wanted.items()):
        mask = contoured(tmp_path / str(number), contours)
        assert [int(mask.array[:, :, k].sum()) for k in range(6)] == counts, name
        assert "left_out" not in mask.meta, name
    assert contoured(tmp_path / "told", [(2, square)] * 3).meta["contours_stored_twice"] == 2


def test_exclusive_or_where_dicom_says_so(tmp_path: Path) -> None:
    mask = contoured(tmp_path, [(2, box(3, 8)), (2, box(6, 10))], kind="CLOSEDPLANAR_XOR")
    assert int(mask.array.sum()) == 25 + 16 - 8


def test_what_falls_beside_the_image_or_vanishes_is_told(tmp_path: Path) -> None:
    square = box(3, 8)
    for number, (contours, missing, counts, key, words) in enumerate(
        [
            ([(2, square), (3, square)], "3", [0, 0, 25, 0, 0], "beside_the_image", "no slice"),
            ([(4, square), (5, square)], "5", [0, 0, 0, 0, 25], "beside_the_image", "no slice"),
            ([(1, square), (9, square)], None, [0, 25, 0, 0, 0, 0], "beside_the_image", "no slice"),
            ([(1, square), (1, box(40, 44))], None, [0, 25, 0, 0, 0, 0], "beside_the_image", "no slice"),
            (
                [(2, square), (2.4, box(2, 8))],
                None,
                [0, 0, 25, 0, 0, 0],
                "between_slices",
                "nearer",
            ),
            ([(2, square), (2, box(1.6, 1.9))], None, [0, 0, 25, 0, 0, 0], "without_voxel", "center"),
            ([(2, box(8, 14))], None, [0, 0, 24, 0, 0, 0], "cut_at_the_border", "border"),
        ]
    ):
        tags = {} if missing is None else {"missing": missing}
        mask = contoured(tmp_path / str(number), contours, **tags)
        assert [int(mask.array[:, :, k].sum()) for k in range(mask.shape[2])] == counts, number
        assert mask.meta[f"contours_{key}"] == 1 and words in " ".join(mask.meta["left_out"]), number


def test_contours_stay_where_they_are_drawn_when_most_slices_are_missing(tmp_path: Path) -> None:
    """The usual distance is then a multiple of the true one: nothing may move into a gap's neighbor."""
    make = Phantom(tmp_path)
    slices = make.dicom_series("ct", 9, patient="P")
    _tcia_phantom.structures(make, "rt/1-1.dcm", slices, {"GTV": [(k, 3, 8) for k in (0, 1, 3)]}, "P")
    for k in (3, 5, 7):
        (tmp_path / slices[k]["path"]).unlink()
    files = Files.open(tmp_path)
    image = dicom.series([file for file, *_ in files.match(r"ct/")], allow_gaps=True)
    found = files.get("rt/1-1.dcm")
    assert found is not None
    mask = volume_of(painted(found, image, {1: 1}).mask)
    assert [int(mask.array[:, :, k].sum()) for k in range(6)] == [25, 25, 0, 0, 0, 0]
    assert mask.meta["contours_beside_the_image"] == 1


def test_contours_beside_a_tilted_slice_go_straight_to_it(tmp_path: Path) -> None:
    """Slices of a tilted gantry are displaced in their plane: a contour near one is not displaced with the next."""
    make = Phantom(tmp_path)
    slices = make.dicom_series("ct", 4, patient="P")
    squares = [(1, 3, 8), (2, 3, 8)]
    near = [slices[0], {**slices[1], "z": slices[1]["z"] + 0.6}, {**slices[2], "z": slices[2]["z"] - 0.6}]
    _tcia_phantom.structures(make, "rt/1-1.dcm", near, {"GTV": squares}, "P")
    for k, one in enumerate(slices):
        dataset = pydicom.dcmread(tmp_path / one["path"])
        dataset.ImagePositionPatient = [-50, -60 + 2 * _tcia_phantom.SPACING * (k - 1), one["z"]]
        dataset.save_as(tmp_path / one["path"])
    files = Files.open(tmp_path)
    found = files.get("rt/1-1.dcm")
    assert found is not None
    image = dicom.series([file for file, *_ in files.match(r"ct/")])
    mask = volume_of(painted(found, image, {1: 1}).mask).array
    where = [np.argwhere(mask[:, :, k]) for k in range(4)]
    assert [len(one) for one in where] == [0, 25, 25, 0]
    assert [one.min(axis=0).tolist() for one in where[1:3]] == [[3, 3], [3, 1]]
