"""Common grids: every step is compared with a brute-force reference, and places keep their world coordinates."""

from __future__ import annotations

import io
import itertools
import json
import tracemalloc
from typing import Any

import nibabel as nib
import numpy as np
import PIL.Image
import pytest
from datasets import Image
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from medimg.errors import GeometryError
from medimg.fusion import scene as geometry
from medimg.fusion import scene_rows
from medimg.fusion.errors import RequestError
from medimg.fusion.grid import Grid
from medimg.fusion.labels import fused_features
from medimg.fusion.maps import Mask
from medimg.fusion.scene import Scene
from medimg.fusion.scene_rows import read_volume
from medimg.pixels import Picture, Volume
from medimg.readers import raster

CODES = ["".join(axes) for order in itertools.permutations(("RL", "AP", "SI")) for axes in itertools.product(*order)]
quick = settings(max_examples=60, deadline=None)


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    """A small oblique volume with 255 in its labels, whole and fractional boxes, and points."""
    shape = tuple(draw(st.integers(1, 6)) for _ in range(3))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    spacing = rng.choice([0.5, 0.7, 1.0, 2.5, 5.0], 3)
    angle = draw(st.sampled_from([0.0, 0.1, 0.5]))
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    signs, order = rng.choice([-1.0, 1.0], 3), rng.permutation(3)
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(signs)[:, order] @ np.diag(spacing)
    affine[:3, 3] = rng.uniform(-100, 100, 3)
    extra = draw(st.sampled_from([(), (2,)]))
    low = np.array([[rng.uniform(0, n - 0.1) for n in shape] for _ in range(2)])
    high = np.array([[rng.uniform(a + 0.05, n) for a, n in zip(corner, shape, strict=True)] for corner in low])
    return Scene(
        shape,
        affine,
        {"image": rng.integers(-1000, 1000, (*shape, *extra)).astype(draw(st.sampled_from([np.int16, np.float32])))},
        {"mask": rng.choice(np.array([0, 1, 2, 255], np.uint8), shape)},
        {"boxes": np.concatenate([low, high], axis=1)},
        {"points": np.array([[rng.uniform(-0.5, n - 0.5) for n in shape] for _ in range(2)])},
    )


def world(scene: Scene, places: Any) -> Any:
    places = np.asarray(places, dtype=float)
    assert scene.affine is not None
    return places @ scene.affine[:-1, :-1].T + scene.affine[:-1, -1]


def corners(scene: Scene) -> list[set[tuple[float, ...]]]:
    """World coordinates of all corners of each box; edge e lies at e - 0.5."""
    found = []
    for box in scene.boxes["boxes"]:
        places = list(itertools.product(*zip(box[:3] - 0.5, box[3:] - 0.5, strict=True)))
        found.append({tuple(np.round(place, 3) + 0.0) for place in world(scene, places)})
    return found


def same_corners(one: Scene, other: Scene) -> bool:
    return all(
        np.abs(np.array(sorted(a)) - np.array(sorted(b))).max() < 0.02
        for a, b in zip(corners(one), corners(other), strict=True)
    )


@quick
@given(scenes(), st.sampled_from(CODES))
def test_orientation_moves_every_voxel_box_and_point_with_its_place_in_the_world(scene: Scene, codes: str) -> None:
    turned = geometry.oriented(scene, codes)
    assert "".join(nib.aff2axcodes(turned.affine)) == codes

    def values(one: Scene) -> dict[tuple[float, ...], Any]:
        return {
            tuple(np.round(world(one, place), 4) + 0.0): (
                one.labels["mask"][place],
                *np.ravel(one.images["image"][place]),
            )
            for place in np.ndindex(one.shape)
        }

    assert values(turned) == values(scene)
    assert np.allclose(world(turned, turned.points["points"]), world(scene, scene.points["points"]))
    assert same_corners(scene, turned)
    boxes = turned.boxes["boxes"]
    assert (boxes[:, :3] < boxes[:, 3:]).all() and (boxes[:, :3] >= 0).all() and (boxes[:, 3:] <= turned.shape).all()
    back = geometry.oriented(turned, "".join(nib.aff2axcodes(scene.affine)))
    assert np.allclose(back.affine, scene.affine) and np.allclose(back.boxes["boxes"], scene.boxes["boxes"])
    assert np.array_equal(back.images["image"], scene.images["image"])


@quick
@given(scenes(), st.tuples(*[st.sampled_from([0.5, 0.7, 1.0, 1.3, 3.0, 10.0])] * 3))
def test_resampling_equals_the_reference_and_keeps_places(scene: Scene, spacing: tuple[float, ...]) -> None:
    moved = geometry.resampled(scene, spacing)
    assert scene.affine is not None and moved.affine is not None and scene.spacing is not None
    assert np.allclose(moved.spacing, spacing)
    assert np.allclose(moved.affine[:3, :3] / spacing, scene.affine[:3, :3] / scene.spacing)
    # Where each new voxel lies among the old ones, by way of the world.
    places = np.array(list(np.ndindex(moved.shape)))
    old = np.linalg.inv(scene.affine) @ np.c_[world(moved, places), np.ones(len(places))].T
    old = np.clip(old[:3], 0, np.array(scene.shape)[:, None] - 1)
    image = scene.images["image"]
    planes = image.reshape(*scene.shape, -1)
    for channel in range(planes.shape[3]):
        expected = ndimage.map_coordinates(planes[..., channel].astype(float), old, order=1, mode="nearest")
        found = moved.images["image"].reshape(len(places), -1)[:, channel]
        assert np.allclose(found, expected, atol=0.501 if image.dtype == np.int16 else 1e-2)
    assert moved.images["image"].dtype == image.dtype
    mask = scene.labels["mask"]
    for value, place in zip(moved.labels["mask"].ravel(), old.T, strict=True):
        # One of the old voxels whose center is nearest (both, where the place is halfway).
        near = itertools.product(*[{int(np.floor(x + 0.5 + e)) for e in (-1e-6, 1e-6)} for x in place])
        assert value in {mask[tuple(np.minimum(n, np.array(mask.shape) - 1))] for n in near}
    assert np.allclose(world(moved, moved.points["points"]), world(scene, scene.points["points"]))
    assert same_corners(scene, moved)
    # It covers the old field of view, by less than one voxel more along each axis.
    more = np.array(moved.shape) * spacing - np.array(scene.shape) * scene.spacing
    assert (more > -0.02).all() and (more < np.array(spacing)).all()
    assert np.allclose(world(moved, (np.array(moved.shape) - 1) / 2), world(scene, (np.array(scene.shape) - 1) / 2))


def test_a_scene_that_has_the_spacing_stays_as_it_is() -> None:
    scene = Scene((3, 4, 5), np.diag([1.0001, 2, 3, 1]), {"image": np.arange(60, dtype=np.int16).reshape(3, 4, 5)})
    moved = geometry.resampled(scene, (1, 2, 3))
    assert moved.shape == scene.shape and np.array_equal(moved.images["image"], scene.images["image"])


@quick
@given(scenes(), st.integers(0, 2))
def test_slices_are_the_volume_cut_up(scene: Scene, axis: int) -> None:
    low, high = np.split(np.floor(scene.boxes["boxes"]), 2, axis=1)
    whole = np.concatenate([low, np.maximum(high, low + 1)], axis=1)  # whole voxels, so that they can be painted
    scene = Scene(scene.shape, scene.affine, scene.images, scene.labels, {"boxes": whole}, scene.points)
    painted = np.zeros(scene.shape, dtype=int)
    for number, box in enumerate(whole.astype(int)):
        painted[tuple(slice(a, b) for a, b in zip(box[:3], box[3:], strict=True))] += number + 1
    points = []
    x, y = (n for n in range(3) if n != axis)
    for index in range(scene.shape[axis]):
        picture, boxes, inside = geometry.cut(scene, axis, index)
        for name, flat in (("image", picture.images["image"]), ("mask", picture.labels["mask"])):
            volume = scene.images.get(name, scene.labels.get(name))
            assert volume is not None
            for row, column in np.ndindex(picture.shape):
                place = [0, 0, 0]
                place[axis], place[x], place[y] = index, column, row
                assert np.array_equal(flat[row, column], volume[tuple(place)])
        here = np.zeros(picture.shape, dtype=int)
        for number, box in zip(boxes["boxes"], picture.boxes["boxes"].astype(int), strict=True):
            here[box[0] : box[2], box[1] : box[3]] += number + 1
        assert np.array_equal(here, painted.take(index, axis).T)
        assert picture.spacing is not None and scene.spacing is not None
        assert np.allclose(picture.spacing, (scene.spacing[y], scene.spacing[x]))
        for number, (row, column) in zip(inside["points"], picture.points["points"], strict=True):
            points.append(number)
            point = scene.points["points"][number]
            assert (point[x], point[y]) == (column, row) and abs(point[axis] - index) <= 0.5
    assert sorted(points) == [0, 1]


@quick
@given(st.lists(st.tuples(st.floats(0, 9.5), st.floats(0.01, 9)), min_size=1, max_size=4))
def test_no_box_is_lost_between_slices(spans: list[tuple[float, float]]) -> None:
    boxes = np.array([[a, 0, 0, min(a + length, 10), 1, 1] for a, length in spans])
    first, last = geometry.extents(boxes, 0, 10)
    assert (first >= 0).all() and (first < last).all() and (last <= 10).all()
    for a, b, start, stop in zip(boxes[:, 0], boxes[:, 3], first, last, strict=True):
        for index in range(10):
            overlap = min(b, index + 1) - max(a, index)
            assert index in range(start, stop) or overlap <= 0.5
            assert index not in range(start, stop) or overlap >= 0.5 - 1e-9 or stop - start == 1


def test_window() -> None:
    values = np.array([-2000, -160, 40, 140, 240, 3000, np.nan], dtype=np.float32)
    assert geometry.windowed(values, 40, 400).tolist() == [0, 0, 128, 191, 255, 255, 0]
    stored = np.array([1064, 864], dtype=np.int16)
    assert geometry.windowed(stored, 40, 400, (1.0, -1024.0)).tolist() == [128, 0]


# Whole rows.


def nifti(array: Any, affine: Any, **kwargs: Any) -> dict[str, Any]:
    return {"bytes": bytes(Volume.from_array(array, affine, **kwargs).nifti), "path": "case.nii"}


def volume_row(image: Any = None, mask: Any = None, affine: Any = None, **changes: Any) -> dict[str, Any]:
    """A fused 3-D row: liver in value 1, tumor nowhere assessed in slice 1, a lesion box and a point."""
    affine = np.diag([-1.0, -1.0, 2.0, 1.0]) if affine is None else affine
    if image is None:
        image = np.arange(4 * 3 * 5, dtype=np.int16).reshape(4, 3, 5) * 10 - 300
    if mask is None:
        mask = np.zeros((4, 3, 5), np.uint8)
        mask[1:3, 1, 2:4] = 1
    fused = mask.copy()
    fused[0, 0, 1] = 255
    scaling = changes.pop("scaling", {})
    row = {
        "id": "lits/0",
        "dataset": "lits",
        "image": nifti(image, affine, **scaling),
        "modality": "CT",
        "organ": ["liver"],
        "task": ["segmentation"],
        "label": {
            "classes": ["liver", "cirrhosis"],
            "uncertain": [],
            "assessed": ["liver", "cirrhosis", "pancreas"],
            "mask": nifti(mask, affine),
            "legend": [{"value": 1, "names": ["liver"]}],
            "instances": False,
            "boxes": [{"name": "liver", "box": [1.0, 1.0, 2.0, 3.0, 2.0, 4.0]}],
            "points": [{"name": "liver", "point": [2.0, 1.0, 3.0]}],
            "measures": [],
            "texts": [],
            "target": None,
            "source": None,
        },
        "subject": "0",
        "sequence": [],
        "shape": list(image.shape),
        "spacing": [float(n) for n in np.linalg.norm(affine[:3, :3], axis=0)],
        "content": "abc",
        "license": "CC-BY-4.0",
        "meta": "{}",
        "fused": {
            "mask": nifti(fused, affine),
            "channels": nifti(np.stack([fused, np.full_like(fused, 255), fused * 0], -1), affine),
            "classes": [1, -1, 0],
            "label": 0,
            "boxes": [{"name": "liver", "box": [1.0, 1.0, 2.0, 3.0, 2.0, 4.0]}],
            "measures": [],
        },
        "provenance": {
            "member": "lits",
            "config": "default",
            "split": "train",
            "split_fused": "train",
            "operations": ["labels: index of liver"],
        },
    }
    return {**row, **changes}


def turned(array: Any, orientation: int, kind: str) -> dict[str, Any]:
    """A file that stores these pixels and states an EXIF orientation."""
    exif = PIL.Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    PIL.Image.fromarray(array).save(out, kind, exif=exif, **({"quality": 100} if kind == "JPEG" else {}))
    return {"bytes": out.getvalue(), "path": f"a.{kind.lower()}"}


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_that_states_an_orientation_stays_with_its_mask(kind: str, orientation: int) -> None:
    stored = np.zeros((40, 64), np.uint8)
    stored[8:16, 8:32] = 255
    image, file = turned(stored, orientation, kind), turned(stored // 255, orientation, "PNG")
    shown = np.asarray(Image().decode_example(image)) > 128
    row = {
        "image": image,
        "label": {"mask": file, "target": None, "boxes": [], "points": []},
        "fused": {"mask": file, "channels": [], "boxes": [], "points": []},
        "spacing": [1.0, 1.0],
        "shape": list(shown.shape),
        "meta": "{}",
    }
    after = decoded(one(Grid(spacing=0.5), row, "2d"), "2d")
    picture, mask = np.asarray(after["image"]) > 128, np.asarray(after["fused"]["mask"]) > 0
    assert np.array_equal(mask, shown.repeat(2, 0).repeat(2, 1))
    assert (picture != mask).mean() < 0.02
    assert np.array_equal(Mask(file["bytes"], "2d").grid > 0, shown)
    assert np.array_equal(scene_rows.decoded(image) > 128, shown)


def one(grid: Grid, row: dict[str, Any], dimension: Any = "3d") -> dict[str, Any]:
    (result,) = grid.rows(row, dimension)
    return result


def decoded(row: dict[str, Any], dimension: Any) -> dict[str, Any]:
    """As the stock library decodes it, after a round through the stored schema."""
    features = fused_features(dimension)
    return features.decode_example(features.encode_example(row))


def test_lists_do_as_tuples() -> None:
    listed: dict[str, Any] = {"spacing": [1.0, 1.0, 2.0], "window": [40, 400]}
    assert Grid(**listed) == Grid(spacing=(1.0, 1.0, 2.0), window=(40, 400))


def test_off_by_default_and_nothing_is_told_where_nothing_changed() -> None:
    row = volume_row()
    assert Grid().idle and one(Grid(), row) == row
    there = Grid(orientation="LPS", spacing=(1.0, 1.0, 2.0))
    assert one(there, row) == row
    assert one(Grid(window=(40, 400)), {**row, "modality": "MR"}) == {**row, "modality": "MR"}
    assert one(Grid(orientation="RAS", spacing=1.0), {**row, "image": {"bytes": b"", "path": "a.mp4"}}, "video")


def test_a_volume_on_another_grid_is_decoded_by_the_stock_features() -> None:
    row = volume_row()
    before = decoded(row, "3d")
    result = one(Grid(orientation="RAS", spacing=1.0, window=(40, 400)), row)
    after = decoded(result, "3d")
    assert after["image"].get_data_dtype() == np.uint8 and after["image"].shape == (4, 3, 10)
    assert nib.aff2axcodes(after["image"].affine) == ("R", "A", "S")
    for place in (after["label"]["mask"], after["fused"]["mask"]):
        assert np.allclose(place.affine, after["image"].affine) and place.shape == (4, 3, 10)
    assert after["fused"]["channels"].shape == (4, 3, 10, 3)
    assert set(np.unique(after["fused"]["mask"].dataobj)) == {0, 1, 255}
    assert after["shape"] == [4, 3, 10] and after["spacing"] == [1, 1, 1]
    assert after["content"] == "abc" and after["id"] == "lits/0"
    assert after["provenance"]["operations"] == [
        "labels: index of liver",
        "orientation: RAS, was LPS",
        "spacing: 1 x 1 x 1 mm, was 1 x 1 x 2; image linear, labels nearest",
        "window: center 40, width 400 as uint8 0..255",
    ]
    # The box holds the labeled voxels before and after, and the point is the same place.
    for name in ("label", "fused"):
        box = np.array(after[name]["boxes"][0]["box"])
        found = np.argwhere(after["label"]["mask"].get_fdata() == 1)
        assert np.array_equal(box[:3], found.min(0)) and np.array_equal(box[3:], found.max(0) + 1)
    old, new = (np.array(r["label"]["points"][0]["point"]) for r in (before, after))
    assert np.allclose(
        nib.affines.apply_affine(before["image"].affine, old),
        nib.affines.apply_affine(after["image"].affine, new),
    )
    assert row == volume_row(), "the given row is not changed"


def test_slices_are_pictures_with_their_own_label() -> None:
    row = volume_row()
    slices = list(Grid(slices="axial").rows(row, "3d"))
    assert [each["id"] for each in slices] == [f"lits/0/k{index:04d}" for index in range(5)]
    image = Volume(row["image"]["bytes"]).array
    mask = Volume(row["fused"]["mask"]["bytes"]).array
    for index, each in enumerate(decoded(each, "2d") for each in slices):
        assert np.array_equal(np.asarray(each["image"]), image[:, :, index].T)  # negative HU survive
        assert np.array_equal(np.asarray(each["fused"]["mask"]), mask[:, :, index].T)
        assert [np.asarray(c).shape for c in each["fused"]["channels"]] == [(3, 4)] * 3
        assert each["shape"] == [3, 4] and each["spacing"] == [1, 1]
        inside = index in (2, 3)
        assert [box["box"] for box in each["label"]["boxes"]] == ([[1, 1, 3, 2]] if inside else [])
        assert [box["box"] for box in each["fused"]["boxes"]] == ([[1, 1, 3, 2]] if inside else [])
        assert [point["point"] for point in each["label"]["points"]] == ([[2, 1]] if index == 3 else [])
        # Cirrhosis is somewhere in the volume: no slice is known to show it, none is known not to.
        assert each["label"]["classes"] == (["liver"] if inside else [])
        assert each["label"]["assessed"] == ["liver", "pancreas"]
        assert each["fused"]["classes"] == [1 if inside else -1 if index == 1 else 0, -1, 0]
        assert each["provenance"]["operations"][-1] == f"slice: axial k={index}"


def test_index_masks_alone_place_a_class_only_where_that_is_certain() -> None:
    row = volume_row()
    row["fused"] = {**row["fused"], "channels": None, "classes": [1, 1, 0], "label": -1}
    found = [each["fused"]["classes"] for each in Grid(slices="axial").rows(row, "3d")]
    assert found == [[0, 0, 0], [-1, -1, 0], [1, -1, 0], [1, -1, 0], [0, 0, 0]]


@pytest.mark.parametrize(("plane", "axis"), [("sagittal", 0), ("coronal", 1), ("axial", 2), (1, 1)])
def test_planes_follow_the_anatomy_and_numbers_the_array(plane: Any, axis: int) -> None:
    affine = np.diag([1.0, 1.0, 1.0, 1.0])[[2, 0, 1, 3]]  # i runs to anterior, j to superior, k to the right
    image = np.zeros((3, 4, 5), np.int16)
    row = volume_row(image=image, mask=np.zeros((3, 4, 5), np.uint8), affine=affine)
    count = len(list(Grid(slices=plane).rows(row, "3d")))
    assert count == ((5, 3, 4)[axis] if isinstance(plane, str) else 4)


def test_empty_slices() -> None:
    row = volume_row()
    row["label"] = {**row["label"], "boxes": [], "points": [{"name": "liver", "point": [0.0, 0.0, 0.2]}]}
    row["fused"] = {**row["fused"], "boxes": []}

    def kept(grid: Grid, row: dict[str, Any] = row) -> list[str]:
        return [each["id"][-1] for each in grid.rows(row, "3d")]

    assert kept(Grid(slices="axial", empty="keep")) == ["0", "1", "2", "3", "4"]
    assert kept(Grid(slices="axial", empty="drop")) == [
        "0",
        "2",
        "3",
    ]  # a point, and the mask; 255 is nothing
    assert kept(Grid(slices="axial", empty=0.0)) == ["0", "2", "3"]
    assert kept(Grid(slices="axial", empty=1.0)) == ["0", "1", "2", "3", "4"]
    tall = np.zeros((1, 1, 2000), np.uint8)
    tall[0, 0, 500:600] = 1
    some = volume_row(image=tall, mask=tall)
    some["label"], some["fused"] = {**some["label"], "boxes": [], "points": []}, None
    ids = [each["id"] for each in Grid(slices=2, empty=0.25).rows(some, "3d")]
    assert ids == [each["id"] for each in Grid(slices=2, empty=0.25).rows(some, "3d")]
    assert 100 + 1900 * 0.2 < len(ids) < 100 + 1900 * 0.3
    bare = {**row, "label": {**row["label"], "mask": None, "points": []}, "fused": None}
    assert len(kept(Grid(slices="axial", empty="drop"), bare)) == 5


def test_channels_of_a_volume_become_pictures() -> None:
    image = np.arange(4 * 3 * 5 * 2, dtype=np.uint8).reshape(4, 3, 5, 2)
    row = volume_row(image=image, modality="MR", sequence=["FLAIR", "T1"])
    slices = list(Grid(slices="axial", empty="drop").rows(row, "3d"))
    assert [each["id"] for each in slices] == [f"lits/0/k000{k}/{name}" for k in (2, 3) for name in ("FLAIR", "T1")]
    assert [each["sequence"] for each in slices[:2]] == [["FLAIR"], ["T1"]]
    assert np.array_equal(np.asarray(decoded(slices[1], "2d")["image"]), image[:, :, 2, 1].T)
    assert slices[1]["provenance"]["operations"][-1] == "channel: 1"


def test_scaled_voxels_keep_their_values() -> None:
    image = np.arange(60, dtype=np.int16).reshape(4, 3, 5)
    row = volume_row(image=image, scaling={"slope": 0.5, "inter": -10.0})
    moved = decoded(one(Grid(orientation="RAS"), row), "3d")["image"]
    assert np.allclose(np.asanyarray(moved.dataobj), (image * 0.5 - 10)[::-1, ::-1])
    first = decoded(next(Grid(slices="axial").rows(row, "3d")), "2d")["image"]
    assert np.allclose(np.asarray(first), (image * 0.5 - 10)[:, :, 0].T)


def test_scaled_masks_are_named_by_their_values_in_each_slice() -> None:
    row = volume_row()
    stored = np.zeros((4, 3, 5), np.uint8)
    stored[0, 0, 1], stored[1, 1, 2] = 1, 2
    scaled = nifti(stored, np.diag([-1.0, -1.0, 2.0, 1.0]), slope=2.0, inter=0.0)
    legend = [{"value": 2, "names": ["liver"]}, {"value": 4, "names": ["spleen"]}]
    told = {"classes": ["liver", "spleen"], "assessed": ["liver", "spleen"], "boxes": [], "points": []}
    row["label"], row["fused"] = {**row["label"], **told, "mask": scaled, "legend": legend}, None
    slices = [decoded(each, "2d")["label"] for each in Grid(slices="axial").rows(row, "3d")]
    assert [label["classes"] for label in slices] == [[], ["liver"], ["spleen"], [], []]
    assert [int(np.asarray(label["mask"]).max()) for label in slices] == [0, 2, 4, 0, 0]


def test_slices_of_a_mask_with_an_intercept_keep_its_values() -> None:
    row = volume_row()
    stored = np.zeros((4, 3, 5), np.int8)
    stored[0, 0, 1] = 1
    scaled = nifti(stored - 1, np.diag([-1.0, -1.0, 2.0, 1.0]), slope=1.0, inter=1.0)
    legend = [{"value": 1, "names": ["liver"]}]
    row["label"] = {**row["label"], "mask": scaled, "legend": legend, "boxes": [], "points": []}
    row["fused"] = None
    slices = [decoded(each, "2d")["label"] for each in Grid(slices="axial").rows(row, "3d")]
    assert [np.unique(np.asarray(label["mask"])).tolist() for label in slices] == [[0], [0, 1], [0], [0], [0]]


@pytest.mark.parametrize(("instances", "found"), [(True, ["nucleus"]), (False, [])])
def test_every_value_of_instances_has_the_one_name(instances: bool, found: list[str]) -> None:
    row = volume_row()
    mask = np.zeros((4, 3, 5), np.uint8)
    mask[0, 0, 1] = 7
    told = {
        "classes": ["nucleus"],
        "assessed": ["nucleus"],
        "boxes": [],
        "points": [],
        "instances": instances,
    }
    legend = [{"value": 1, "names": ["nucleus"]}]
    mask_of = nifti(mask, np.diag([-1.0, -1.0, 2.0, 1.0]))
    row["label"], row["fused"] = {**row["label"], **told, "mask": mask_of, "legend": legend}, None
    classes = [each["label"]["classes"] for each in Grid(slices="axial").rows(row, "3d")]
    assert classes == [[], found, [], [], []]


def test_a_paired_image_moves_along_or_by_itself() -> None:
    row = volume_row()
    same = {**row, "label": {**row["label"], "target": row["image"]}}
    result = one(Grid(orientation="RAS", spacing=1.0), same)
    assert result["label"]["target"]["bytes"] == result["image"]["bytes"]
    own = nifti(np.zeros((2, 2, 2), np.float32), np.diag([-3.0, 3.0, 3.0, 1.0]))
    other = {**row, "label": {**row["label"], "target": own}}
    moved = Volume(one(Grid(orientation="RAS", spacing=1.0), other)["label"]["target"]["bytes"])
    assert moved.shape == (6, 6, 6) and nib.aff2axcodes(moved.affine) == ("R", "A", "S")
    first = next(Grid(slices="axial").rows(other, "3d"))
    assert first["label"]["target"] is None and "target: left out" in "".join(first["provenance"]["operations"])
    assert next(Grid(slices="axial").rows(same, "3d"))["label"]["target"] is not None


def test_the_rows_own_spacing_counts_where_the_header_has_none() -> None:
    row = volume_row(affine=np.eye(4)) | {"spacing": [1.0, 1.0, 4.0]}
    result = one(Grid(spacing=2.0), row)
    assert Volume(result["image"]["bytes"]).shape == (2, 2, 10)
    assert np.allclose(Volume(result["image"]["bytes"]).spacing, 2)


def picture_row(**changes: Any) -> dict[str, Any]:
    def png(array: Any) -> dict[str, Any]:
        return {"bytes": raster.encode(Picture(array))[0], "path": "a.png"}

    rng = np.random.default_rng(0)
    mask = rng.choice(np.array([0, 1, 255], np.uint8), (6, 4))
    label = {
        **volume_row()["label"],
        "mask": png(mask),
        "boxes": [{"name": "liver", "box": [1.0, 2.0, 3.0, 6.0]}],
        "points": [{"name": "liver", "point": [1.0, 5.0]}],
    }
    fused = {**volume_row()["fused"], "mask": png(mask), "channels": [png(mask), png(mask)], "boxes": []}
    image = png(rng.integers(0, 255, (6, 4, 3)).astype(np.uint8))
    row = {
        **volume_row(),
        "image": image,
        "label": label,
        "fused": fused,
        "shape": [6, 4],
        "spacing": [0.5, 1.0],
    }
    return {**row, **changes}


def test_pictures_are_resampled_and_nothing_else() -> None:
    row = picture_row()
    untouched = one(Grid(orientation="RAS", window=(40, 400), slices="axial", empty="drop"), row, "2d")
    assert untouched == row
    after = decoded(one(Grid(spacing=1.0), row, "2d"), "2d")
    assert np.asarray(after["image"]).shape == (3, 4, 3) and after["shape"] == [3, 4] and after["spacing"] == [1, 1]
    assert after["label"]["boxes"][0]["box"] == [1, 1, 3, 3]
    assert after["label"]["points"][0]["point"] == [1, 2.25]  # (5 + 0.5) / 2 - 0.5
    assert set(np.unique(np.asarray(after["fused"]["mask"]))) <= {0, 1, 255}
    assert len(after["fused"]["channels"]) == 2
    wide = decoded(one(Grid(spacing=(0.25, 2.0)), row, "2d"), "2d")
    assert np.asarray(wide["image"]).shape == (12, 2, 3)


@pytest.mark.parametrize("stacked", [False, True])
def test_uneven_slices_are_never_resampled_as_even(stacked: bool) -> None:
    """A series that lacks slices: `meta` says so, also of rows that were published and read back."""
    note = {"uneven": "slices are 2.000 mm apart, but 4.000 mm between slice 1 and slice 2"}
    header = {"stack": [{}, note]} if stacked else note
    row = {**volume_row(), "meta": json.dumps({"source_header": header})}
    for spacing in (1.0, (1.0, 1.0, 2.0), (2.0, 2.0, 2.0)):
        with pytest.raises(GeometryError, match=r"lits.*unevenly apart.*4\.000 mm between.*unknown_spacing"):
            one(Grid(spacing=spacing), row)
        assert list(Grid(spacing=spacing, unknown_spacing="drop").rows(row, "3d")) == []
    # Without resampling it stays, and only pictures within a slice have a spacing.
    assert one(Grid(orientation="LPS"), row)["spacing"] == [1.0, 1.0, 2.0]
    for grid, sized in (
        (Grid(slices=2), True),
        (Grid(slices=0), False),
        (Grid(slices="coronal"), False),
        (Grid(orientation="SPL", slices=0), True),
        (Grid(orientation="SPL", slices=2), False),
    ):
        found = {None if each["spacing"] is None else len(each["spacing"]) for each in grid.rows(row, "3d")}
        assert found == ({2} if sized else {None}), grid
    assert next(Grid(slices=0).rows(volume_row(), "3d"))["spacing"] == [2.0, 1.0]
    unknown = {**volume_row(), "spacing": None}
    assert next(Grid(slices=0).rows(unknown, "3d"))["spacing"] is None, "the header's numbers mean nothing"


def test_errors_name_the_row() -> None:
    with pytest.raises(GeometryError, match=r"lits.*states no spacing"):
        one(Grid(spacing=1.0), picture_row(spacing=None), "2d")
    with pytest.raises(GeometryError, match=r"lits.*states no spacing"):
        one(Grid(spacing=1.0), {**volume_row(), "spacing": None})
    dropping = Grid(spacing=1.0, unknown_spacing="drop")
    assert list(dropping.rows({**volume_row(), "spacing": None}, "3d")) == []
    assert len(list(dropping.rows(volume_row(), "3d"))) == 1
    with pytest.raises(ValueError, match="unknown_spacing"):
        Grid(unknown_spacing="guess")  # type: ignore[arg-type]
    with pytest.raises(GeometryError, match=r"3 numbers.*2 axes"):
        one(Grid(spacing=(1.0, 1.0, 1.0)), picture_row(), "2d")
    wrong = volume_row()
    wrong["fused"] = {**wrong["fused"], "mask": nifti(np.zeros((2, 2, 2), np.uint8), np.eye(4))}
    with pytest.raises(GeometryError, match=r"fused\.mask"):
        one(Grid(orientation="RAS"), wrong)


@pytest.mark.parametrize(
    "arguments",
    [
        {"orientation": "RAR"},
        {"orientation": "xyz"},
        {"spacing": 0},
        {"spacing": (1.0, float("nan"))},
        {"window": (40, 0)},
        {"slices": 3},
        {"slices": "oblique"},
        {"empty": "some"},
        {"empty": 1.5},
        {"empty": True},
        {"orientation": 7},
        {"spacing": "1 mm"},
        {"spacing": True},
        {"spacing": ()},
        {"window": "lung"},
        {"window": (40,)},
        {"window": 400},
        {"slices": True},
        {"slices": ["axial"]},
        {"slices": 1.0},
    ],
)
def test_wrong_arguments(arguments: dict[str, Any]) -> None:
    with pytest.raises(RequestError):
        Grid.of(arguments)
    with pytest.raises(ValueError):
        Grid(**arguments)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"spacng": 1}, "no field 'spacng', do you mean 'spacing'.*Next: use orientation, spacing"),
        ({"orientation": "RAS", 3: 1}, "no field 3"),
        ("axial", "dictionary"),
        (["axial"], "dictionary"),
    ],
)
def test_a_grid_with_other_fields_says_which_there_are(given: Any, words: str) -> None:
    with pytest.raises(RequestError, match=words):
        Grid.of(given)
    assert Grid.of(None) == Grid.of({}) == Grid() and Grid.of({"spacing": [1, 2.0, 3]}).spacing == (1, 2.0, 3)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_slice_costs_a_slice(axis: int) -> None:
    """In memory, since that can be measured exactly: a copy of the volume would be 64 slices."""
    shape = (64, 64, 64)
    pixels = np.random.default_rng(0).integers(-1000, 1000, shape).astype(np.int16)
    mask = (pixels > 0).astype(np.uint8)
    row = volume_row(image=pixels, mask=mask)
    seen, _ = read_volume(row)
    picture, _, _ = geometry.cut(seen, axis, 5)
    for place, array in (*picture.images.items(), *picture.labels.items()):
        whole = {**seen.images, **seen.labels}[place]
        assert np.shares_memory(array, whole), f"{place} was copied"
        assert np.array_equal(array, np.moveaxis(whole, axis, 0)[5].swapaxes(0, 1))
    slices = Grid(slices=axis).rows(row, "3d")
    next(slices)
    tracemalloc.start()
    next(slices)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < pixels.nbytes / 2, f"{peak} bytes for a slice of a volume of {pixels.nbytes}"
