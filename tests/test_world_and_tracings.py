"""World coordinates to voxels, and outlines on frames of a video."""

import numpy as np
import pytest

from medimg.errors import FormatError, GeometryError, LabelError
from medimg.files import Files
from medimg.phantom import Phantom
from medimg.readers import dicom, tracings, world


@pytest.fixture
def view(tmp_path):
    def build(write):
        write(Phantom(tmp_path))
        return Files.open(str(tmp_path))

    return build


@pytest.mark.parametrize("direction", [(1, 0, 0, 0, 1, 0, 0, 0, 1), (-1, 0, 0, 0, -1, 0, 0, 0, 1)])
def test_lps_points_of_a_metaimage_need_the_header_alone(view, tmp_path, direction):
    files = view(
        lambda make: make.metaimage(
            "a.mhd", (20, 18, 10), spacing=(0.5, 0.5, 2), origin=(-30, 40, 7), direction=direction
        )
    )
    (tmp_path / "a.raw").unlink()
    turn = direction[0]
    wanted = (4.0, 6.5, 3.0)
    at = (-30 + turn * 0.5 * wanted[0], 40 + turn * 0.5 * wanted[1], 7 + 2 * wanted[2])
    (point,) = world.to_voxel(files.get("a.mhd"), [at])
    assert point == pytest.approx(wanted, abs=1e-4)
    (box,) = world.cubes(files.get("a.mhd"), [(at, 3.0)])
    assert box == (1.0, 4.0, 2.0, 8.0, 10.0, 5.0)


def test_ras_points_of_a_nifti(view):
    affine = [[-0.8, 0, 0, 90], [0, -0.8, 0, 80], [0, 0, 3, -70], [0, 0, 0, 1]]
    files = view(lambda make: make.nifti("a.nii.gz", affine=affine))
    at = (90 - 0.8 * 5, 80 - 0.8 * 2, -70 + 3 * 4)
    file = files.get("a.nii.gz")
    assert world.to_voxel(file, [at], system="RAS")[0] == pytest.approx((5, 2, 4), abs=1e-4)
    assert world.to_voxel(file, [(-at[0], -at[1], at[2])])[0] == pytest.approx((5, 2, 4), abs=1e-4)


@pytest.mark.parametrize("sphere", [((500, 0, 0), 3.0), ((-45, -55, -65), 0.0), ((float("nan"), 0, 0), 1.0)])
def test_spheres_that_cannot_be(view, sphere):
    files = view(lambda make: make.metaimage("a.mha"))
    with pytest.raises(GeometryError):
        world.cubes(files.get("a.mha"), [sphere])


def test_a_small_sphere_still_has_a_voxel(view):
    files = view(lambda make: make.metaimage("a.mha"))
    ((i0, j0, k0, i1, j1, k1),) = world.cubes(files.get("a.mha"), [((-45, -55, -65), 0.01)])
    assert (i0, j0) == (5, 5) and min(i1 - i0, j1 - j0, k1 - k0) >= 1


def test_points_of_a_series_that_lacks_slices_are_refused(view, tmp_path):
    """Its affine counts on from the first slice: behind the gap it would give the wrong voxel."""
    files = view(lambda make: make.dicom_series("ct", 6))
    everything = [file for file, *_ in files.match(r"dcm$")]
    (point,) = world.to_voxel(dicom.series(everything), [(-50, -60, -70 + 4 * 2.5)])
    assert point == pytest.approx((0, 0, 4), abs=1e-4)
    lacking = sorted(everything, key=lambda file: next(dicom.headers([file]))[1]["ImagePositionPatient"][2])
    image = dicom.series([*lacking[:2], *lacking[3:]], allow_gaps=True)
    for ask in (
        lambda: world.to_voxel(image, [(-50, -60, -60)]),
        lambda: world.cubes(image, [((-50, -60, -60), 3)]),
    ):
        with pytest.raises(GeometryError, match="unevenly apart"):
            ask()


def test_outlined_frames(view):
    pytest.importorskip("av")
    files = view(lambda make: make.video("a.avi", 4, (32, 24)))
    square = [(2, 3), (9, 3), (9, 7), (2, 7)]
    mask = tracings.mask(files.get("a.avi"), {1: [(1, square)], 3: []}, center=0.0).read()
    assert mask.shape == (32, 24, 4)
    array = np.asarray(mask.array)
    assert (array[:, :, (0, 2)] == tracings.UNTRACED).all() and not array[:, :, 3].any()
    assert sorted(zip(*(index.tolist() for index in np.nonzero(array[:, :, 1])), strict=True)) == [
        (x, y) for x in range(2, 9) for y in range(3, 7)
    ]


@pytest.mark.parametrize("outline", [[(40, 3), (50, 3), (50, 7)], [(2.1, 3.1), (2.4, 3.1), (2.4, 3.4)]])
def test_an_outline_that_leaves_nothing_is_told(view, outline):
    pytest.importorskip("av")
    files = view(lambda make: make.video("a.avi", 4, (32, 24)))
    square = [(2, 3), (9, 3), (9, 7), (2, 7)]
    for outlines, told in (
        ({1: [(1, square)]}, []),
        ({1: [(1, square), (1, outline)], 2: [(1, outline)]}, [1]),
    ):
        mask = tracings.mask(files.get("a.avi"), outlines, center=0.0).read()
        left_out = mask.meta.get("left_out", [])
        assert len(left_out) == len(told) and all("no pixel of its frame" in text for text in left_out)


@pytest.mark.parametrize("outlines", [{9: []}, {0: [(255, [(0, 0), (5, 0), (5, 5)])]}, {0: [(1, [(0, 0)])]}])
def test_outlines_that_do_not_fit(view, outlines):
    pytest.importorskip("av")
    files = view(lambda make: make.video("a.avi", 4, (32, 24)))
    with pytest.raises(LabelError):
        tracings.mask(files.get("a.avi"), outlines).read()


def test_world_coordinates_need_a_volume(view):
    files = view(lambda make: make.image("a.png", (8, 6)))
    for ask in (
        lambda image: world.to_voxel(image, [(0, 0, 0)]),
        lambda image: world.cubes(image, [((0, 0, 0), 3)]),
    ):
        with pytest.raises(FormatError, match=r"a\.png.*need a volume"):
            ask(files.get("a.png"))
