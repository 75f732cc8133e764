from __future__ import annotations

import builtins
import io
import tracemalloc
from functools import partial
from typing import Any

import numpy as np
import PIL.Image
import pytest

from medimg.cards import pictures
from medimg.hub_sync.building.gallery import Gallery
from medimg.manifest import ConfigStats, Manifest, SplitStats
from medimg.pixels import Clip, Picture, Volume
from medimg.schema import Box, Point

RAS = np.diag([1.0, 1.0, 1.0, 1.0])
RED = np.array(pictures.PALETTE[0])


def volume(array: np.ndarray[Any, Any], affine: np.ndarray[Any, Any] = RAS, **scaling: float) -> Volume:
    return Volume.from_array(array, affine, **scaling)


def pixels(image: PIL.Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image)


def colored(image: PIL.Image.Image) -> np.ndarray[Any, Any]:
    """Where the picture is not gray."""
    array = pixels(image).astype(int)
    found: np.ndarray[Any, Any] = array.max(axis=-1) - array.min(axis=-1) > 20
    return found


def centre(found: np.ndarray[Any, Any]) -> tuple[float, float]:
    """Mean row and column as fractions."""
    rows, columns = np.nonzero(found)
    return rows.mean() / found.shape[0], columns.mean() / found.shape[1]


# pictures


@pytest.mark.parametrize(
    "array",
    [
        np.arange(600, dtype=np.uint8).reshape(20, 30),
        np.arange(600, dtype=np.uint16).reshape(20, 30) * 100,
        np.arange(600, dtype=np.int32).reshape(20, 30) - 300,
        np.arange(600, dtype=np.uint64).reshape(20, 30) + 2**60,
        np.linspace(0, 1, 600, dtype=np.float32).reshape(20, 30),
        np.linspace(-1e300, 1e300, 600).reshape(20, 30),
        (np.arange(600).reshape(20, 30) % 2).astype(bool),
        (np.arange(600).reshape(20, 30) % 2).astype(np.uint8),
        np.arange(600, dtype=np.uint16).reshape(20, 30, 1),
        np.arange(1200, dtype=np.uint8).reshape(20, 30, 2),
        np.arange(1800, dtype=np.uint8).reshape(20, 30, 3),
        np.arange(1800, dtype=np.uint16).reshape(20, 30, 3) * 9,
        np.arange(2400, dtype=np.uint8).reshape(20, 30, 4),
        np.arange(600, dtype=np.complex64).reshape(20, 30),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_every_kind_of_picture(array: np.ndarray[Any, Any]) -> None:
    shown = pictures.thumbnail(Picture(array))
    assert shown.mode == "RGB" and shown.size == (256, 171)
    assert pixels(shown).min() < 20 and pixels(shown).max() > 200


@pytest.mark.parametrize(
    "array",
    [
        np.zeros((5, 5), np.uint16),
        np.full((5, 5), np.nan, np.float32),
        np.full((5, 5), np.inf),
        np.array([[np.nan, 1.0], [np.inf, 3.0]]),
        np.zeros((1, 1), np.uint8),
        np.zeros((1, 5000), np.int16),
        np.zeros((0, 5), np.uint8),
    ],
)
def test_odd_pictures(array: np.ndarray[Any, Any]) -> None:
    shown = pictures.thumbnail(Picture(array), Picture(np.ones(array.shape, np.uint8)), size=64)
    assert shown.mode == "RGB" and max(shown.size) == 64 and min(shown.size) >= 16


def test_sixteen_bits_are_windowed_by_percentiles() -> None:
    array = np.full((100, 100), 1000, np.uint16)
    array[:, 50:] = 1100
    array[0, 0] = 65535  # one hot pixel
    shown = pixels(pictures.thumbnail(Picture(array), size=100))
    assert shown[50, 10].max() < 10 and shown[50, 90].min() > 245


def test_mask_is_drawn_with_an_outline() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[16:48, 16:48] = 1
    shown = pixels(pictures.thumbnail(Picture(np.full((64, 64), 100, np.uint8)), Picture(mask), size=64))
    assert (shown[16, 20] == RED).all() and (shown[47, 30] == RED).all()
    inside = shown[32, 32].astype(int)
    assert (np.abs(inside - (0.68 * 100 + 0.32 * RED)) <= 2).all()
    assert (shown[0, 0] == 100).all()


def test_thin_structures_survive_shrinking() -> None:
    mask = np.zeros((2048, 2048), np.uint8)
    mask[:, 1001] = 255
    shown = pictures.thumbnail(Picture(np.full((2048, 2048), 90, np.uint8)), Picture(mask))
    assert colored(shown).any(axis=1).all()


def test_masks_of_any_type() -> None:
    image = Picture(np.full((32, 32), 90, np.uint8))
    for dtype in (np.uint8, np.int16, np.int32, np.float32, np.float64, np.uint16):
        mask = np.zeros((32, 32), dtype)
        mask[8:16, 8:16] = 3
        assert colored(pictures.thumbnail(image, Picture(mask))).any()
    mask = np.zeros((32, 32, 3), np.uint8)
    mask[8:16, 8:16] = 255
    assert colored(pictures.thumbnail(image, Picture(mask))).any()
    assert not colored(pictures.thumbnail(image, Picture(np.full((32, 32), np.nan)))).any()


def test_instances_have_different_colors() -> None:
    assert len({pictures.color(value, instances=True) for value in range(1, 200)}) > 190
    assert pictures.color(1) == pictures.PALETTE[0] and pictures.color(200) != pictures.color(201)


def test_boxes_and_points_of_a_picture() -> None:
    image = Picture(np.full((50, 100), 90, np.uint8))
    shown = pictures.thumbnail(image, boxes=[Box(name="a", box=(60, 10, 80, 30))], size=100)
    rows, columns = np.nonzero(colored(shown))
    assert (columns.min(), rows.min(), columns.max(), rows.max()) == (60, 10, 79, 29)
    shown = pictures.thumbnail(image, points=[Point(name="a", point=(20, 40))], size=100)
    row, column = centre(colored(shown))
    assert row == pytest.approx(0.81, abs=0.02) and column == pytest.approx(0.205, abs=0.02)


def test_boxes_outside_the_picture() -> None:
    image = Picture(np.full((50, 100), 90, np.uint8))
    boxes = [Box(name="a", box=(-50, -50, 500, 500)), Box(name="b", box=(900, 900, 901, 901))]
    pictures.thumbnail(image, boxes=boxes, points=[Point(name="c", point=(-1e6, 1e6))])


def test_pixel_aspect() -> None:
    image = Picture(np.full((50, 100), 90, np.uint8), spacing=(4.0, 1.0))
    assert pictures.thumbnail(image).size == (128, 256)
    image = Picture(np.full((50, 100), 90, np.uint8), spacing=(float("nan"), 0.0))
    assert pictures.thumbnail(image).size == (256, 128)


# volumes

CORNER = {  # array index of a marked corner -> where radiologists see it
    "RAS": (np.diag([1.0, 1, 1, 1]), (False, False)),
    "LPS": (np.diag([-1.0, -1, 1, 1]), (True, True)),
    "LAS": (np.diag([-1.0, 1, 1, 1]), (False, True)),
}


@pytest.mark.parametrize("name", CORNER)
def test_axial_orientation(name: str) -> None:
    affine, (top, left) = CORNER[name]
    array = np.full((40, 30, 5), 100, np.int16)
    mask = np.zeros(array.shape, np.uint8)
    mask[2:8, 2:8, 2] = 1  # low i, low j
    shown = pictures.thumbnail(volume(array, affine), volume(mask, affine))
    assert shown.size == (256, 192)
    row, column = centre(colored(shown))
    # RAS: low i is the patient's left (seen right), low j posterior (seen below).
    assert (row < 0.5) == top and (column < 0.5) == left


def test_coronal_and_sagittal_stand_upright() -> None:
    mask = np.zeros((20, 20, 6), np.uint8)
    mask[2:6, 14:18, 3] = 1
    array = np.full(mask.shape, 100, np.int16)
    coronal = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]])  # i R, j S, k A
    row, column = centre(colored(pictures.thumbnail(volume(array, coronal), volume(mask, coronal))))
    assert row < 0.5 and column > 0.5  # high j is superior: above; low i is left: seen right
    sagittal = np.array([[0, 0, 1.0, 0], [0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 1]])  # i S, j A, k R
    row, column = centre(colored(pictures.thumbnail(volume(array, sagittal), volume(mask, sagittal))))
    assert row > 0.5 and column < 0.5  # low i is inferior: below; high j is anterior: seen left


def test_boxes_and_points_follow_the_volume() -> None:
    array = np.full((40, 30, 8), 100, np.int16)
    affine = np.array([[0, -1.0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])  # i A, j L
    mask = np.zeros(array.shape, np.uint8)
    mask[5:15, 3:9, 4] = 1
    box = [Box(name="a", box=(5, 3, 4, 15, 9, 5))]
    by_mask = pictures.thumbnail(volume(array, affine), volume(mask, affine), size=200)
    by_box = pictures.thumbnail(volume(array, affine), boxes=box, size=200)
    spans = [np.nonzero(colored(shown)) for shown in (by_mask, by_box)]
    for axis in (0, 1):
        assert [spans[0][axis].min(), spans[0][axis].max()] == [spans[1][axis].min(), spans[1][axis].max()]
    by_point = pictures.thumbnail(volume(array, affine), points=[Point(name="a", point=(9.5, 5.5, 4))], size=200)
    assert centre(colored(by_point)) == pytest.approx(centre(colored(by_mask)), abs=0.02)
    elsewhere = [Box(name="a", box=(5, 3, 0, 15, 9, 1))]
    assert not colored(pictures.thumbnail(volume(array, affine), volume(mask * 0, affine), boxes=[])).any()
    only_mask = pictures.thumbnail(volume(array, affine), volume(mask, affine), boxes=elsewhere, size=200)
    assert only_mask.tobytes() == by_mask.tobytes()


def test_fullest_slice_and_middle_slice() -> None:
    array = np.zeros((16, 16, 9), np.int16) + np.arange(9, dtype=np.int16)
    mask = np.zeros(array.shape, np.uint8)
    mask[0, :3, 1] = 1
    mask[0, :8, 7] = 1
    assert pictures._fullest(mask) == 7
    mask[0, :8, 5] = 2
    assert pictures._fullest(mask) == 5  # equally full: nearer the middle
    assert pictures._fullest(mask * 0) is None
    ramp = np.zeros((16, 16, 9), np.int16)
    ramp[:8, :, 4] = 1
    assert pixels(pictures.thumbnail(volume(ramp))).max() == 255


@pytest.mark.parametrize("modality", ["CT", "contrast-enhanced CT"])
def test_hounsfield_windows(modality: str) -> None:
    array = np.full((32, 32, 3), -1000, np.int16)
    array[8:24, 8:24] = 40
    array[12:16, 12:16] = 3000
    shown = pixels(pictures.thumbnail(volume(array), modality=modality, size=32))
    assert set(np.unique(shown)) <= set(range(256)) and abs(int(shown[20, 20, 0]) - 127) <= 2
    assert shown[0, 0, 0] == 0 and shown.max() == 255
    stored = volume((array + 1024).astype(np.uint16), slope=1.0, inter=-1024.0)
    assert (pixels(pictures.thumbnail(stored, modality=modality, size=32)) == shown).all()
    lung = pixels(pictures.thumbnail(volume(array), modality=modality, organ=["lung"], size=32))
    assert lung[0, 0, 0] > 30
    other = pixels(pictures.thumbnail(volume(array), modality="MRI", size=32))
    assert other[20, 20, 0] != shown[20, 20, 0]


def test_unscaled_ct_is_windowed_by_percentiles() -> None:
    array = np.zeros((32, 32, 3), np.uint8)
    array[8:24, 8:24] = 30
    assert pixels(pictures.thumbnail(volume(array), modality="CT")).max() == 255


@pytest.mark.parametrize("shape", [(9, 8), (9, 8, 1), (9, 8, 4, 3), (1, 1, 1), (300, 2, 3)])
def test_volumes_of_any_shape(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.int16).reshape(shape)
    header = volume(array.reshape(shape if len(shape) > 2 else (*shape, 1)))
    shown = pictures.thumbnail(header, volume(np.ones(shape[:3], np.uint8).reshape(*shape[:2], -1)))
    assert shown.mode == "RGB" and max(shown.size) == 256


def test_color_volumes() -> None:
    rgb = np.zeros((8, 9, 3), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    rgb["R"] = 250
    assert (pixels(pictures.thumbnail(volume(rgb))) == (250, 0, 0)).all()


def test_a_volume_is_never_copied() -> None:
    array = np.zeros((256, 256, 96), np.int16)
    array[100:150, 100:150] = 100
    image, mask = volume(array), volume((array > 0).astype(np.uint8))
    pictures.thumbnail(image, mask)
    tracemalloc.start()
    pictures.thumbnail(image, mask)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < array.nbytes / 3


def test_anisotropic_slices() -> None:
    array = np.zeros((20, 20, 20), np.int16)
    assert pictures.thumbnail(volume(array, np.diag([1.0, 5.0, 1.0, 1.0]))).size == (51, 256)


# videos


def video(frames: int = 20) -> bytes:
    av = pytest.importorskip("av")
    out = io.BytesIO()
    with av.open(out, "w", format="avi") as container:
        stream = container.add_stream("mjpeg", rate=30)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 10 * number, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return out.getvalue()


def clip(encoded: bytes, frames: int = 20) -> Clip:
    return Clip(encoded, ".avi", (frames, 48, 64), 30.0, "digest")


def test_middle_frame_of_a_video() -> None:
    shown = pictures.thumbnail(clip(video()))
    assert shown.size == (256, 192) and abs(pixels(shown).mean() - 100) < 4


def test_fullest_frame_of_a_video() -> None:
    mask = np.zeros((64, 48, 20), np.uint8)  # width, height, frames
    mask[40:60, 4:10, 15] = 1
    shown = pictures.thumbnail(clip(video()), volume(mask))
    row, column = centre(colored(shown))
    assert row == pytest.approx(7 / 48, abs=0.03) and column == pytest.approx(50 / 64, abs=0.03)
    assert abs(pixels(shown)[100, 20].mean() - 150) < 5


@pytest.mark.parametrize("encoded", [b"", b"no video", b"RIFF" + bytes(100)])
def test_a_video_that_cannot_be_decoded(encoded: bytes) -> None:
    shown = pictures.thumbnail(clip(encoded), size=128)
    assert shown.size == (128, 128) and shown.tobytes() == pictures._placeholder("video", 128).tobytes()


def test_without_the_video_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = video()
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "av":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert pictures.thumbnail(clip(encoded)).tobytes() == pictures._placeholder("video", 256).tobytes()


# sheets and charts


def tiles(count: int) -> list[tuple[PIL.Image.Image, str]]:
    rng = np.random.default_rng(0)
    noise = [PIL.Image.fromarray(rng.integers(0, 255, (200, 256), np.uint8)) for _ in range(count)]
    return [(picture, f"case {number}\nliver, liver tumor") for number, picture in enumerate(noise)]


def kept(rows: list[tuple[str, str, bool]], room: int, count: int) -> tuple[list[str], list[str], int]:
    """Rows (split, subject, labelled) -> what is kept and what the contact sheet shows, and how many were drawn."""
    drawn = []

    def draw(name: str) -> tuple[str, str, bytes]:
        drawn.append(name)
        return name, name, b"png"

    gallery = Gallery(lambda place: room)
    for number, (split, subject, labelled) in enumerate(rows):
        name = f"{number}:{split}:{subject}:{'labelled' if labelled else '-'}"
        gallery.add(("default", split), subject, labelled, partial(draw, name))
    return [tile.id for tile in gallery.tiles], [tile.id for tile in gallery.chosen(count)], len(drawn)


def test_pictures_prefer_labels_and_many_subjects() -> None:
    rows = [("train", "a", False)] * 50 + [("train", "a", True)] * 50
    rows += [("train", name, True) for name in "bcd"] + [("train", "e", False)] * 500 + [("test", "f", False)] * 9
    found, shown, drawn = kept(rows, 4, 6)
    assert [each.split(":", 1)[1] for each in found] == [
        *(f"train:{name}:labelled" for name in "abcd"),
        *["test:f:-"] * 4,
    ]
    assert drawn <= 4 + 4 + 3 + 4, "what is not shown is not drawn"
    assert [each.split(":")[1:] for each in shown] == [
        *(["train", name, "labelled"] for name in "abcd"),
        *[["test", "f", "-"]] * 2,
    ]
    # Of equal rows the first ones stay, and the splits take turns.
    found, shown, drawn = kept([("train", f"a{n}", True) for n in range(9)] + [("test", "b", True)], 8, 4)
    assert [each.split(":")[0] for each in found] == [*"01234567", "9"] and drawn == 9
    assert [each.split(":")[0] for each in shown] == ["0", "1", "2", "9"]
    assert kept([], 4, 4) == ([], [], 0)


def test_a_phantom_is_words() -> None:
    pictures_ = [np.asarray(pictures.phantom(about)) for about in ("CT, liver", "MRI, brain", "x" * 300)]
    for shown in pictures_:
        assert shown.shape == (256, 256, 3)
        background = (shown == shown[0, 0]).all(axis=-1)
        assert 0.75 < background.mean() < 0.99 and background[:, :8].all() and background[:, -8:].all()
    assert not (pictures_[0] == pictures_[1]).all()


def test_contact_sheet() -> None:
    for count in (1, 2, 3, 4, 5, 12, 30):
        data = pictures.contact_sheet(tiles(count))
        assert PIL.Image.open(io.BytesIO(data)).format == "PNG"
        assert data == pictures.contact_sheet(tiles(count))
        assert len(data) < 600_000
    assert pictures.contact_sheet(tiles(30)) == pictures.contact_sheet(tiles(12))
    with pytest.raises(ValueError):
        pictures.contact_sheet([])


def test_captions_of_any_kind() -> None:
    picture = PIL.Image.new("RGB", (10, 10))
    for caption in ("", "x" * 10_000, "a\x00b\u202ec\n\n\nd", "心脏 \ud800", "\n"):
        pictures.contact_sheet([(picture, caption)])


def test_png_has_no_metadata() -> None:
    picture = PIL.Image.new("RGB", (10, 10))
    picture.info["secret"] = "path"
    data = pictures.png(picture)
    assert data == pictures.png(picture)
    assert b"tEXt" not in data and b"tIME" not in data and b"secret" not in data


def test_statistics() -> None:
    split = SplitStats(rows=3, subjects=3, shards=(), metadata=())
    config = ConfigStats(name="default", dimension="3d", splits={"train": split})

    def manifest(**counts: Any) -> Manifest:
        return Manifest(
            name="x",
            medimg="0",
            schema_version="1",
            origin="official",
            fingerprint={},
            configs=(config.model_copy(update=counts),),
        )

    assert pictures.statistics(manifest()) is None
    counted = manifest(classes={f"finding {n}": n for n in range(1, 40)}, structures={"liver": 131, "x" * 500: 0})
    data = pictures.statistics(counted)
    assert data is not None and data == pictures.statistics(counted)
    assert PIL.Image.open(io.BytesIO(data)).width == 720
