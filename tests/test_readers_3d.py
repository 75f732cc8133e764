"""The readers of volumes: NIfTI, Analyze, MetaImage, DICOM, LIDC, and what is done to volumes on the way."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import sys
import zlib
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

import nibabel as nib
import numpy as np
import pytest
from datasets import Nifti
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from medimg.errors import (
    BombError,
    FormatError,
    GeometryError,
    LabelError,
    MedimgError,
    MissingExtraError,
    SourceError,
    UnsafePathError,
)
from medimg.files import File
from medimg.pixels import NOT_TOLD, Array, Picture, Pixels, Volume
from medimg.readers import dicom, dicom_seg, grids, lidc, metaimage, nifti, volumes, votes

FAST = settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))


class Nameless(io.RawIOBase):
    """What a member of an archive is read from: a raw stream without a name."""

    def __init__(self, data: bytes) -> None:
        self.inner = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.inner.seek(offset, whence)

    def tell(self) -> int:
        return self.inner.tell()

    def readinto(self, buffer: Any) -> int:
        return self.inner.readinto(buffer)


class Memory(File):
    """A source in memory."""

    def __init__(self, path: str, tree: dict[str, bytes]) -> None:
        super().__init__(path, lambda: io.BytesIO(tree[path]), len(tree[path]))
        self.tree = tree
        self.times = 0

    def open(self) -> BinaryIO:
        self.times += 1
        return io.BufferedReader(Nameless(self.tree[self.path]))

    def sibling(self, name: str) -> File | None:
        path = str(PurePosixPath(self.path).parent / name)
        return Memory(path, self.tree) if path in self.tree else None


def memory(path: str = "case/image.nii", data: bytes = b"", **others: bytes) -> Memory:
    """A file beside others, whose names are given with _ for the dot."""
    folder = PurePosixPath(path).parent
    tree = {path: data} | {str(folder / name.replace("__", ".")): body for name, body in others.items()}
    return Memory(path, tree)


def stock(volume: Volume) -> Any:
    """What plain `datasets` shows."""
    return Nifti().decode_example({"path": "x.nii", "bytes": bytes(volume.nifti)})


class Held(Pixels):
    """A volume that is there already."""

    def __init__(self, volume: Volume, name: str = "held.nii") -> None:
        self.volume, self.name = volume, name

    def files(self) -> list[File]:
        return [memory(self.name)]

    def read(self) -> Volume:
        return self.volume


def made(array: Array, affine: Array | None = None, **keys: Any) -> Held:
    return Held(Volume.from_array(array, np.diag([1.0, 2, 3, 1]) if affine is None else affine), **keys)


def affines() -> st.SearchStrategy[Array]:
    """Rotation, spacing and origin."""

    def build(angles: list[float], zooms: list[float], origin: list[float], flip: bool) -> Array:
        from scipy.spatial.transform import Rotation

        matrix = np.eye(4)
        rotation = Rotation.from_euler("xyz", angles).as_matrix()
        matrix[:3, :3] = rotation @ np.diag(np.array(zooms) * [-1 if flip else 1, 1, 1])
        matrix[:3, 3] = origin
        return matrix

    return st.builds(
        build,
        st.lists(st.floats(-3.1, 3.1), min_size=3, max_size=3),
        st.lists(st.floats(0.1, 6), min_size=3, max_size=3),
        st.lists(st.floats(-500, 500), min_size=3, max_size=3),
        st.booleans(),
    )


shapes = st.lists(st.integers(1, 6), min_size=3, max_size=4).map(tuple)
dtypes = st.sampled_from(["u1", "i1", "i2", "u2", "i4", "u4", "f4", "f8", "i8"])


def noise(shape: tuple[int, ...], dtype: str, seed: int = 0) -> Array:
    data = np.random.default_rng(seed).integers(0, 100, shape)
    array: Array = data.astype(np.dtype(dtype))
    return array


def saved(image: Any) -> bytes:
    data: bytes = image.to_bytes()
    return data


# NIfTI


@FAST
@given(shapes, dtypes, affines(), st.sampled_from("<>"), st.sampled_from(["", "gz", "members"]), st.booleans())
def test_nifti_passes_byte_for_byte(
    shape: tuple[int, ...], dtype: str, affine: Array, order: str, packing: str, extended: bool
) -> None:
    header = nib.Nifti1Header(endianness=order)
    header.set_data_dtype(np.dtype(dtype).newbyteorder(cast(Any, order)))
    image = nib.Nifti1Image(noise(shape, dtype), affine, header)
    if extended:
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"hello"))
    raw = saved(image)
    packed = {
        "": raw,
        "gz": gzip.compress(raw, mtime=0),
        "members": gzip.compress(raw[:400], mtime=0) + gzip.compress(raw[400:]),
    }
    file = memory("a/b.nii.gz", packed[packing])
    pixels = nifti.volume(file)
    assert file.times == 0
    volume = pixels.read()
    assert bytes(volume.nifti) == raw
    assert np.array_equal(volume.array, image.dataobj) and volume.shape == shape
    assert np.allclose(volume.affine, affine, atol=1e-3)
    seen = stock(volume)
    assert np.array_equal(seen.dataobj, image.dataobj) and np.array_equal(seen.affine, volume.affine)
    grid = pixels.grid()
    assert grid.shape == shape[:3] and np.array_equal(grid.affine, volume.affine)


def nii(array: Array | None = None, affine: Array | None = None, **fields: Any) -> bytes:
    array = noise((4, 5, 6), "i2") if array is None else array
    image = nib.Nifti1Image(array, np.diag([1.0, 1, 2, 1]) if affine is None else affine)
    data = bytearray(saved(image))
    header = nib.Nifti1Header(bytes(data[:348]), check=False)
    for name, value in fields.items():
        header[name] = value
    data[:348] = header.binaryblock
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x1f\x8b",
        b"<html>please log in</html>" * 100,
        nii()[:-1],
        nii()[:200],
        nii() + b"\0",
        gzip.compress(nii(), mtime=0)[:-1],
        gzip.compress(nii(), mtime=0)[:-9],
        gzip.compress(nii(), mtime=0)[:100],
        gzip.compress(nii(), mtime=0) + b"<html>",
        gzip.compress(nii() + b"\0", mtime=0),
        gzip.compress(nii(), mtime=0)[:-8] + b"\0" * 8,
        nii(magic=b"ni1"),
        nii(vox_offset=0),
        nii(vox_offset=float("nan")),
        nii(vox_offset=352.5),
        nii(datatype=1),
        nii(scl_slope=2, scl_inter=float("inf")),
        nii(datatype=77),
        nii(dim=[3, 4, 0, 6, 1, 1, 1, 1]),
        nii(dim=[3, 4, -5, 6, 1, 1, 1, 1]),
        nii(dim=[3, 32767, 32767, 32767, 1, 1, 1, 1]),
        nii(dim=[7] + [32767] * 7),
        nii(dim=[9, 4, 5, 6, 1, 1, 1, 1]),
    ],
)
def test_nifti_bad(data: bytes) -> None:
    with pytest.raises((FormatError, BombError), match=r"case/image\.nii"):
        nifti.volume(memory(data=data)).read()


@pytest.mark.parametrize(
    "fields",
    [
        {"srow_x": [np.nan, 0, 0, 0]},
        {"srow_y": [0, np.inf, 0, 0]},
        {"srow_x": [0, 0, 0, 0]},
        {"sform_code": 0, "qform_code": 1, "quatern_b": np.nan},
        {"sform_code": 0, "qform_code": 1, "quatern_b": 3.0},
        {"sform_code": 0, "qform_code": 0, "pixdim": [1, np.nan, 1, 1, 1, 1, 1, 1]},
    ],
)
def test_nifti_bad_affine(fields: dict[str, Any]) -> None:
    pixels = nifti.volume(memory(data=nii(**fields)))
    with pytest.raises(GeometryError, match=r"case/image\.nii"):
        pixels.read()
    with pytest.raises(GeometryError, match=r"case/image\.nii"):
        pixels.grid()


def test_gzip_may_end_in_zeros() -> None:
    assert nifti.volume(memory(data=gzip.compress(nii(), mtime=0) + b"\0" * 700)).read().shape == (4, 5, 6)


def test_units_become_millimeters() -> None:
    volume = nifti.volume(memory(data=nii(xyzt_units=3))).read()
    assert volume.spacing == pytest.approx((0.001, 0.001, 0.002)) and volume.affine[2, 2] == pytest.approx(0.002)


@pytest.mark.parametrize("codes", [(0, 0), (0, 1), (2, 0)])
@pytest.mark.parametrize("sizes", [(0, 0, 0), (0.7, 0.7, 0), (0, 1, 1)])
def test_a_pixdim_of_zero_is_no_spacing(codes: tuple[int, int], sizes: tuple[float, ...]) -> None:
    """Readers make 1 of it. Where there is an sform, that says the spacing."""
    import nibabel as nib

    block = bytearray(nii(noise((3, 4, 5), "i2"), np.diag([2.0, 3, 4, 1])))
    header = nib.Nifti1Header(bytes(block[:348]), check=False)
    header["sform_code"], header["qform_code"] = codes
    header["pixdim"][1:4] = sizes
    block[:348] = header.binaryblock
    volume = nifti.volume(memory(data=bytes(block))).read()
    if codes[0]:
        assert volume.spacing == pytest.approx((2, 3, 4)) and volume.unsized is None
    else:
        assert volume.spacing is None and "pixdim is" in str(volume.unsized)
        assert volumes.mask(nifti.volume(memory(data=bytes(block)))).read().spacing is None
        assert next(volumes.slices(volume)).spacing is None


@pytest.mark.parametrize("kind", ["AnalyzeImage", "Spm2AnalyzeImage", "Nifti1Pair"])
def test_a_pair_without_sizes_has_no_spacing(kind: str, tmp_path: Path) -> None:
    import nibabel as nib

    nib.save(getattr(nib, kind)(noise((3, 4, 5), "i2"), None), tmp_path / "a.img")
    block = bytearray((tmp_path / "a.hdr").read_bytes())
    for sizes, known in (((0, 0, 0), None), ((1, 2, 3), (1, 2, 3)), ((-1, 2, 3), (1, 2, 3))):
        block[80:92] = np.array(sizes, "<f4").tobytes()
        (tmp_path / "a.hdr").write_bytes(bytes(block))
        spacing = nifti.volume(folder(tmp_path, "a.hdr")).read().spacing
        assert spacing == (None if known is None else pytest.approx(known)), sizes


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({}, "no ElementSpacing"),
        ({"ElementSize": "1 2 3"}, "no ElementSpacing"),
        ({"ElementSpacing": "0 0 0"}, "ElementSpacing = 0 0 0"),
        ({"ElementSpacing": "1 0 1"}, "ElementSpacing = 1 0 1"),
        ({"ElementSpacing": "1 2 3", "ElementSize": "0 0 0"}, None),
    ],
)
def test_metaimage_without_a_spacing(fields: dict[str, str], reason: str | None) -> None:
    volume = metaimage.volume(memory("x/a.mha", b"".join(mhd(b"x" * 48, "LOCAL", **fields)))).read()
    assert (volume.spacing is None) == (reason is not None)
    assert reason is None or reason in str(volume.unsized)
    assert volume.meta.get("ElementSize") == fields.get("ElementSize")


def test_spacing_where_pixdim_is_none() -> None:
    volume = nifti.volume(memory(data=nii(pixdim=[1, np.nan, 1, 1, 1, 1, 1, 1], qform_code=0))).read()
    assert volume.spacing == pytest.approx((1, 1, 2))


def test_pixels_can_be_sent_to_another_process() -> None:
    for pixels in (
        volumes.mask(made(noise((2, 2, 2), "f8"))),
        volumes.union([(made(noise((2, 2, 2), "u1")), 1)]),
    ):
        assert pickle.loads(pickle.dumps(pixels)).read().content() == pixels.read().content()


def test_singleton_axis_stays() -> None:
    data = nii(noise((3, 4, 5, 1), "u1"))
    volume = nifti.volume(memory(data=data)).read()
    assert volume.shape == (3, 4, 5, 1) and bytes(volume.nifti) == data


@pytest.mark.parametrize("order", "<>")
def test_nifti2(order: str) -> None:
    header = nib.Nifti2Header(endianness=order)
    header.set_data_dtype(np.dtype("i2").newbyteorder(cast(Any, order)))
    affine = np.diag([0.7, 0.7, 1.1, 1])
    image = nib.Nifti2Image(noise((4, 5, 6), "i2"), affine, header)
    image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"hello"))
    volume = nifti.volume(memory(data=gzip.compress(saved(image), mtime=0))).read()
    seen = stock(volume)
    assert np.array_equal(seen.dataobj, image.dataobj) and np.allclose(seen.affine, affine)
    assert seen.header.extensions[0].get_content() == b"hello"
    assert volume.meta["source_format"] == "NIfTI-2"
    wide = nib.Nifti2Image(np.zeros((40000, 2, 1), np.uint8), np.eye(4))
    with pytest.raises(FormatError, match="dim"):
        nifti.volume(memory(data=saved(wide))).read()
    scaled = nib.Nifti2Image(noise((2, 2, 2), "i2"), np.eye(4))
    data = bytearray(saved(scaled))
    head = nib.Nifti2Header(bytes(data[:540]))
    head["scl_slope"], head["scl_inter"] = 0.1, 0
    data[:540] = head.binaryblock
    with pytest.raises(FormatError, match="scl_slope"):
        nifti.volume(memory(data=bytes(data))).read()


@pytest.mark.parametrize("kind", [nib.AnalyzeImage, nib.Spm2AnalyzeImage, nib.Nifti1Pair])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("packed", [False, True])
def test_pairs(kind: Any, order: str, packed: bool, tmp_path: Path) -> None:
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype("i2").newbyteorder(cast(Any, order)))
    array = noise((4, 5, 6), "i2")
    affine = np.diag([-1.5, 2, 3, 1])
    affine[:3, 3] = [2.25, -4, -7.5]
    image = kind(array, affine, header)
    if kind is nib.Nifti1Pair:
        image.header.extensions.append(nib.nifti1.Nifti1Extension("comment", b"hello"))
    image.to_filename(tmp_path / "a.hdr")
    (tmp_path / "a.mat").unlink(missing_ok=True)
    expected: Any = nib.load(tmp_path / "a.hdr")
    head, body = (tmp_path / "a.hdr").read_bytes(), (tmp_path / "a.img").read_bytes()
    end = "__gz" if packed else ""
    body = gzip.compress(body, mtime=0) if packed else body
    files = [
        memory("x/a.hdr", head, **{f"a__img{end}": body}),
        memory(f"x/a.img{end}".replace("__", "."), body, a__hdr=head),
    ]
    for file in files:
        pixels = nifti.volume(file)
        volume = pixels.read()
        assert next(iter(pixels.files())).path == file.path and len(list(pixels.files())) == 2
        seen = stock(volume)
        assert np.array_equal(np.asarray(seen.dataobj), np.asarray(expected.dataobj))
        assert np.allclose(seen.affine, expected.affine)
        assert np.allclose(pixels.grid().affine, expected.affine)
        assert ("orientation" in volume.meta) == (kind is not nib.Nifti1Pair)
        if kind is nib.Nifti1Pair:
            assert seen.header.extensions[0].get_content() == b"hello"
    with pytest.raises(FormatError, match="missing"):
        nifti.volume(memory("x/a.hdr", head)).read()
    with pytest.raises(FormatError, match="too early"):
        nifti.volume(memory("x/a.hdr", head, a__img=b"123")).read()


def fuzzed(data: bytes, seed: int) -> bytes:
    rng = random.Random(seed)
    out = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        place = rng.randrange(min(len(out), 700) if rng.random() < 0.8 else len(out))
        action = rng.random()
        if action < 0.7:
            out[place] = rng.choice([0, 1, 127, 128, 255, rng.randrange(256)])
        elif action < 0.85:
            del out[place : place + rng.randint(1, 20)]
        else:
            out[place:place] = rng.randbytes(rng.randint(1, 20))
    return bytes(out)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("packed", [False, True])
def test_mutated_nifti_raises_named_errors_only(packed: bool) -> None:
    data = nii()
    data = gzip.compress(data, mtime=0) if packed else data
    for seed in range(150):
        file = memory(data=fuzzed(data, seed))
        try:
            volume = volumes.mask(nifti.volume(file)).read()
        except MedimgError as error:
            assert "case/image.nii" in str(error)
        else:
            stock(volume), volume.content(), volume.spacing


# operators


def test_mask_of_doubles_becomes_small() -> None:
    array = noise((20, 30, 40), "f8")
    image = nib.Nifti1Image(array, np.diag([0.5, 0.5, 2, 1]))
    image.header.set_sform(image.affine, code=2)
    image.header.set_xyzt_units("mm", "sec")
    source = nifti.volume(memory(data=gzip.compress(saved(image), mtime=0)))
    volume = volumes.mask(source).read()
    assert volume.array.dtype == np.uint8 and np.array_equal(volume.array, array)
    assert np.array_equal(volume.affine, image.affine) and int(volume.header["sform_code"]) == 2
    assert volume.header.get_xyzt_units() == ("mm", "sec") and volume.meta["dtype_in_source"] == "float64"
    assert np.array_equal(np.asarray(stock(volume).dataobj), array)
    assert volumes.values(volume) == {
        int(v): int(n) for v, n in zip(*np.unique(array, return_counts=True), strict=True)
    }


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([0, 255], "u1"),
        ([-1, 4], "i1"),
        ([0, 256], "i2"),
        ([-200, 3], "i2"),
        ([0, 40000], "u2"),
        ([0, 2**31], "u4"),
        ([-1, 2**40], "i8"),
    ],
)
@pytest.mark.parametrize("source", ["f8", "i8", ">f8", ">i8"])
def test_mask_dtype(values: list[int], dtype: str, source: str) -> None:
    array = np.resize(np.array(values), (3, 3, 3)).astype(source)
    held = made(array)
    volume = volumes.mask(held).read()
    assert volume.array.dtype == np.dtype(dtype) and np.array_equal(volume.array, array)


def test_mask_keeps_a_small_one_as_it_is() -> None:
    held = made(noise((4, 4, 4), "u1"))
    assert volumes.mask(held).read() is held.volume


def test_mask_errors() -> None:
    with pytest.raises(LabelError, match=r"held.nii.*0\.5"):
        volumes.mask(made(np.full((2, 2, 2), 0.5))).read()
    with pytest.raises(LabelError, match="nan"):
        volumes.mask(made(np.full((2, 2, 2), np.nan))).read()
    with pytest.raises(LabelError, match=r"\[7\] \(8 voxels\)"):
        volumes.mask(made(np.full((2, 2, 2), 7)), {1: 1}).read()


def test_mask_mapping_and_scaling() -> None:
    array = np.array([0, 1, 2, 3] * 2, np.uint8).reshape(2, 2, 2)
    held = Held(Volume.from_array(array, np.eye(4), slope=50.0, inter=0.0))
    volume = volumes.mask(held, {50: 1, 100: 2, 150: 400}).read()
    assert volume.scaling == (1, 0) and volume.array.dtype == np.int16
    assert sorted(volumes.values(volume)) == [0, 1, 2, 400]
    sparse = volumes.mask(made(np.array([0, 10**7, 5, 5], ">i4").reshape(2, 2, 1)), {10**7: 1, 5: 2}).read()
    assert volumes.values(sparse) == {0: 1, 1: 1, 2: 2}
    rough = Held(Volume.from_array(array, np.eye(4), slope=1 / 3, inter=0.0))
    with pytest.raises(LabelError):
        volumes.mask(rough).read()
    third = Held(Volume.from_array(array * 3, np.eye(4), slope=1 / 3, inter=0.0))
    assert volumes.mask(third, tolerance=1e-3).read().meta["rounded_within"] == 1e-3


def test_same_grid() -> None:
    a = made(noise((3, 4, 5), "u1")).volume
    close = made(noise((3, 4, 5, 2), "f4"), np.diag([1.0005, 2, 3, 1])).volume
    grids.same_grid(a, close)
    with pytest.raises(GeometryError, match="shapes"):
        grids.same_grid(a, made(noise((3, 4, 6), "u1")).volume)
    with pytest.raises(GeometryError, match="affines"):
        grids.same_grid(a, made(noise((3, 4, 5), "u1"), np.diag([1.01, 2, 3, 1])).volume)


def turned(affine: Array, angle: float, axis: int = 2) -> Array:
    """Other directions, the same first voxel."""
    a, b = [n for n in range(3) if n != axis]
    turn = np.eye(3)
    turn[a, a] = turn[b, b] = np.cos(angle)
    turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
    result = affine.copy()
    result[:3, :3] = turn @ affine[:3, :3]
    return result


@pytest.mark.parametrize("origin", [(0, 0, 0), (-200, -210, -632.75), (-250, -250, -1600), (1e4, 1e4, 1e4)])
@pytest.mark.parametrize("sizes", [(0.7, 0.7, 2.5), (0.4, 0.4, 0.625), (0.9, 0.9, 10.0), (1.0, 1.0, 1.0)])
def test_a_grid_is_compared_in_parts_of_a_voxel(origin: Any, sizes: Any) -> None:
    """Wherever the volume lies: what rounding does is one grid, what moves a voxel is another."""
    affine = np.diag([*sizes, 1.0])
    affine[:3, 3] = origin
    shape = (512, 512, 120)
    grid = grids.VoxelGrid(shape, affine)
    for axis in range(3):
        for part in (1.0, 0.5, 0.2, -0.2):
            moved = affine.copy()
            moved[:3, 3] += part * affine[:3, axis]
            assert "affines differ" in str(grid.differs(grids.VoxelGrid(shape, moved))), (axis, part)
        moved = affine.copy()
        moved[:3, 3] += 0.1 * affine[:3, axis]
        assert grid.differs(grids.VoxelGrid(shape, moved)) is None, axis
        for angle in (1e-3, -1e-3, 3e-4):
            noisy = turned(affine, angle, axis).astype(np.float32).astype(np.float64)
            assert grid.differs(grids.VoxelGrid(shape, noisy)) is None, (axis, angle)
            noisy[:3, 3] += affine[:3, axis]
            assert grid.differs(grids.VoxelGrid(shape, noisy)), "rounded directions do not excuse a shift"
        assert grid.differs(grids.VoxelGrid(shape, turned(affine, 0.01, axis)))
        stretched = affine.copy()
        stretched[:3, axis] *= 1 + 1 / shape[axis]
        assert grid.differs(grids.VoxelGrid(shape, stretched)), "one voxel at the far end"
    assert grid.differs(grids.VoxelGrid(shape, affine.astype(np.float32).astype(np.float64))) is None


def test_series_that_lack_different_slices_are_not_one_grid() -> None:
    def without(*gone: int) -> Any:
        slices = [ds for n, ds in enumerate(oblique(9)) if n not in gone]
        return dicom.series(written(slices), allow_gaps=True)

    for one, other in (((3,), (5,)), ((0,), (8,)), ((3, 4), (3, 6)), ((1, 2, 3), (5, 6, 7))):
        a, b = without(*one), without(*other)
        assert a.grid().differs(b.grid()) and grids.VoxelGrid.of(a.read()).differs(grids.VoxelGrid.of(b.read())), one
        with pytest.raises(GeometryError, match="cannot be stacked"):
            volumes.stack([a, b]).read()
        with pytest.raises(GeometryError, match="different grids"):
            votes.count([a, b]).read()
    twice = volumes.stack([without(3), without(3)]).read()
    assert np.allclose(twice.origins, without(3).grid().origins)
    # A file that knows only an affine is not on slices that no affine can say.
    even = dicom.series(written(oblique(8)))
    assert even.grid().differs(without(3).grid()) and without(3).grid().differs(even.grid())
    assert grids.VoxelGrid.of(even.read()).differs(grids.VoxelGrid.of(without(3).read()))
    assert without(8).grid().differs(even.grid()) is None, "the last slice is missing: what is left is even"


def test_images_are_grouped_with_a_tolerance() -> None:
    """Directions and positions that differ by rounding are one, on whichever side of a rounded number they lie."""
    for base in (0.0, 0.0005, 0.00049999, 0.1234995):
        slices = oblique(6, angles=(0, 0, 0))
        for n, ds in enumerate(slices):
            noise_of = base + (4e-4 if n % 2 else -4e-4)
            ds.ImageOrientationPatient = [1, f"{noise_of:.7f}", 0, f"{-noise_of:.7f}", 1, 0]
            ds.ImagePositionPatient = [0, 0, f"{n * 2.5 + (0.0051 if n % 2 else 0.0049):.4f}"]
        if base > 0.1:
            for ds in slices:
                length = float(np.hypot(1, ds.ImageOrientationPatient[1]))
                ds.ImageOrientationPatient = [f"{float(v) / length:.7f}" for v in ds.ImageOrientationPatient]
        found = dicom.placed(written(slices))
        assert {one.direction for one in found} == {0} and len({one.place for one in found}) == 6
        assert dicom.series(written(slices)).read().shape == (4, 6, 6)
    again = oblique(6, angles=(0, 0, 0))
    for n, ds in enumerate(again):
        ds.SOPInstanceUID = f"1.9.{n}"
        ds.ImagePositionPatient = [*ds.ImagePositionPatient[:2], float(ds.ImagePositionPatient[2]) + 0.004]
    found = dicom.placed(written([*oblique(6, angles=(0, 0, 0)), *again]))
    assert len({one.place for one in found}) == 6, "two images at each place"


def test_on_grid() -> None:
    image = nifti.volume(memory(data=nii(noise((3, 4, 5), "i2"), np.diag([0.7, 0.7, 5, 1]))))
    wrong = nifti.volume(memory(data=nii(noise((3, 4, 5), "u1"), np.eye(4))))
    volume = volumes.on_grid(wrong, image, reason="masks of this source have no affine").read()
    grids.same_grid(volume, image.read())
    assert volume.meta["grid_from_image"]["reason"].startswith("masks")
    assert np.array_equal(volume.array, wrong.read().array)
    with pytest.raises(GeometryError, match="grid of case/image"):
        volumes.on_grid(made(noise((3, 4, 6), "u1")), image, reason="x").read()


def test_stack() -> None:
    parts = [noise((3, 4, 5), "i2", n) for n in range(3)]
    held = [made(part) for part in parts]
    volume = volumes.stack(held).read()
    assert volume.array.dtype == np.int16 and np.array_equal(volume.array, np.stack(parts, -1))
    assert np.array_equal(stock(volume).affine, held[0].volume.affine)
    mixed = volumes.stack([made(parts[0]), made(parts[1].astype("u2")), made(parts[2].astype(">f4"))]).read()
    assert mixed.array.dtype == np.float64 and np.array_equal(mixed.array, np.stack(parts, -1))
    scaled = Held(Volume.from_array(parts[1], held[0].volume.affine, slope=0.5, inter=3))
    values = volumes.stack([held[0], scaled]).read()
    assert np.array_equal(stock(values).dataobj, np.stack([parts[0], parts[1] * 0.5 + 3], -1))
    assert volumes.stack([scaled, scaled]).read().scaling == (0.5, 3)
    with pytest.raises(GeometryError, match=r"one\.nii and two\.nii"):
        volumes.stack([made(parts[0], name="one.nii"), made(parts[0], np.eye(4), name="two.nii")]).read()
    with pytest.raises(FormatError, match="exactly"):
        volumes.stack([made(np.full((2, 2, 2), 2**60)), made(np.zeros((2, 2, 2)))]).read()
    exact = volumes.stack([made(np.full((2, 2, 2), n)) for n in (2**60, 2**60 + 1)]).read()
    assert exact.array.dtype == np.int64 and (exact.array[..., 1] - exact.array[..., 0] == 1).all()


def test_integers_are_slope_times_voxel_plus_intercept() -> None:
    stored = np.array([0, 1, 3], np.uint8)
    assert volumes.integers(stored, 2.0, 1.0).tolist() == [1, 3, 7]
    assert volumes.integers(stored, 0.5, -0.5, 0.5).tolist() == [0, 0, 1]
    for voxel in (1 << 63, (1 << 64) - 1):
        with pytest.raises(LabelError, match=str(voxel)):
            volumes.integers(np.array([1, voxel], np.uint64), 1.0, 0.0)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_grids_are_apart_by_what_their_farthest_voxels_are(axis: int) -> None:
    shape, longer = [5, 5, 5], np.eye(4)
    shape[axis], longer[axis, axis] = 100, 1.001
    assert grids.apart(shape, np.eye(4), longer) == pytest.approx(99.5 * 0.001)


def test_a_label_map_of_another_dtype_keeps_the_voxel_sizes_of_its_header() -> None:
    found = stock(volumes.mask(made(np.ones((3, 4, 5), np.float32))).read()).header
    assert found.get_data_dtype() == np.uint8 and found["pixdim"][1:4].tolist() == [1, 2, 3]


def test_union() -> None:
    a, b, c = (np.zeros((4, 4, 4), np.uint8) for _ in range(3))
    a[:2], b[1:3], c[3] = 1, 1, 255
    parts = [(made(a), 1), (made(b), 2), (made(c), 300)]
    volume = volumes.union(parts, overlaps={(2, 1): 3}).read()
    assert [int(v) for v in volume.array[:, 0, 0]] == [1, 3, 2, 300] and volume.array.dtype == np.int16
    with pytest.raises(LabelError, match=r"\[1, 2\] overlap in 16 places"):
        volumes.union(parts).read()
    many = [(made((np.arange(64).reshape(4, 4, 4) == n).astype("f4")), n + 1) for n in range(64)]
    assert volumes.values(volumes.union(many).read()) == {n + 1: 1 for n in range(64)}


def test_slices() -> None:
    array = noise((3, 4, 5), "i2")
    held = made(array)
    for axis, spacing in ((0, (3, 2)), (1, (3, 1)), (2, (2, 1))):
        pictures = list(volumes.slices(held, axis))
        assert len(pictures) == array.shape[axis]
        assert np.array_equal(pictures[1].array, np.take(array, 1, axis).T) and pictures[0].spacing == spacing


# MetaImage


def itk(path: Path) -> tuple[Array, Array]:
    """(voxels i, j, k[, ...]; RAS affine) as SimpleITK sees a file."""
    import SimpleITK as sitk

    image = sitk.ReadImage(str(path))
    array = sitk.GetArrayFromImage(image)
    n = image.GetDimension()
    if image.GetNumberOfComponentsPerPixel() > 1:
        array = np.moveaxis(array, -1, 0)
    affine = np.eye(4)
    m = min(n, 3)
    affine[:m, :m] = (np.array(image.GetDirection()).reshape(n, n) * np.array(image.GetSpacing()))[:m, :m]
    affine[:m, 3] = image.GetOrigin()[:m]
    return array.T, np.diag([-1.0, -1, 1, 1]) @ affine


def folder(path: Path, name: str) -> Memory:
    """The file of that name, with all others of its folder as siblings."""
    tree = {f"x/{p.relative_to(path)}": p.read_bytes() for p in path.rglob("*") if p.is_file()}
    return Memory(f"x/{name}", tree)


meta_types = st.sampled_from(["u1", "i1", "i2", "u2", "i4", "u4", "f4", "f8", "i8", "u8"])


@FAST
@given(shapes, meta_types, affines(), st.sampled_from(["a.mha", "a.mhd"]), st.booleans(), st.booleans())
def test_metaimage_as_simpleitk(
    tmp_path: Path, shape: tuple[int, ...], dtype: str, affine: Array, name: str, packed: bool, channels: bool
) -> None:
    import SimpleITK as sitk

    for old in tmp_path.iterdir():
        old.unlink()
    array = noise(shape, dtype)
    vector = channels and len(shape) == 4 and shape[3] > 1
    image = sitk.GetImageFromArray(np.moveaxis(array.T, 0, -1) if vector else array.T, isVector=vector)
    n = image.GetDimension()
    lps = np.diag([-1.0, -1, 1, 1]) @ affine
    spacing = np.linalg.norm(lps[:3, :3], axis=0)
    direction = np.eye(n)
    direction[:3, :3] = lps[:3, :3] / spacing
    image.SetSpacing([*spacing, 1.0][:n])
    image.SetOrigin([*lps[:3, 3], 0.0][:n])
    image.SetDirection(direction.ravel())
    sitk.WriteImage(image, str(tmp_path / name), useCompression=packed)
    expected, matrix = itk(tmp_path / name)
    pixels = metaimage.volume(folder(tmp_path, name))
    volume = pixels.read()
    assert np.array_equal(volume.array, expected) and np.array_equal(volume.array, array)
    assert volume.array.dtype == np.dtype(dtype)
    assert np.allclose(volume.affine, matrix, rtol=1e-5, atol=1e-3)
    assert np.allclose(pixels.grid().affine, matrix) and pixels.grid().shape == shape[:3]
    assert np.allclose(stock(volume).affine, volume.affine) and np.array_equal(stock(volume).dataobj, array)
    assert len(list(pixels.files())) == (2 if name.endswith("mhd") else 1)


def mhd(data: bytes, data_file: str = "a.raw", **fields: str) -> tuple[bytes, bytes]:
    lines = {"ObjectType": "Image", "NDims": "3", "DimSize": "2 3 4", "ElementType": "MET_SHORT"} | fields
    text = "\n".join(f"{key} = {value}" for key, value in lines.items())
    return f"{text}\nElementDataFile = {data_file}\n".encode(), data


@pytest.mark.parametrize(
    ("fields", "data"),
    [
        ({}, lambda a: a.tobytes(order="F")),
        ({"ElementByteOrderMSB": "True"}, lambda a: a.astype(">i2").tobytes(order="F")),
        ({"HeaderSize": "7"}, lambda a: b"1234567" + a.tobytes(order="F")),
        ({"HeaderSize": "-1"}, lambda a: b"1234567" + a.tobytes(order="F")),
        ({"CompressedData": "True"}, lambda a: zlib.compress(a.tobytes(order="F"))),
        (
            {"ElementSize": "1 2 3", "Position": "4 5 6", "AnatomicalOrientation": "RAI"},
            lambda a: a.tobytes(order="F"),
        ),
        (
            {"ElementSpacing": "1 2 -3", "ElementSize": "9 9 9", "Origin": "4 5 6"},
            lambda a: a.tobytes(order="F"),
        ),
        ({"Orientation": "0 1 0 0 0 1 1 0 0", "ElementSpacing": "1 2 3"}, lambda a: a.tobytes(order="F")),
    ],
)
def test_metaimage_keys(fields: dict[str, str], data: Any, tmp_path: Path) -> None:
    array = noise((2, 3, 4), "i2")
    head, body = mhd(data(array), **fields)
    (tmp_path / "a.mhd").write_bytes(head)
    (tmp_path / "a.raw").write_bytes(body)
    expected, matrix = itk(tmp_path / "a.mhd")
    volume = metaimage.volume(folder(tmp_path, "a.mhd")).read()
    assert np.array_equal(volume.array, array) and np.array_equal(expected, array)
    assert np.allclose(volume.affine, matrix)
    assert volume.meta.get("AnatomicalOrientation") == fields.get("AnatomicalOrientation")


@pytest.mark.parametrize("style", ["LIST", "pattern", "channels"])
def test_metaimage_one_file_per_slice(style: str, tmp_path: Path) -> None:
    array = noise((2, 3, 4), "i2") if style != "channels" else noise((2, 3, 4, 2), "i2")
    names = [f"s{n:03d}.raw" for n in range(1, 5)]
    for k, name in enumerate(names):
        (tmp_path / name).write_bytes(
            (array[:, :, k] if array.ndim == 3 else np.moveaxis(array[:, :, k], -1, 0)).tobytes("F")
        )
    head, _ = mhd(b"", "s%03d.raw 1 4 1" if style == "pattern" else "LIST\n" + "\n".join(names))
    if style == "channels":
        head = head.replace(b"ElementDataFile", b"ElementNumberOfChannels = 2\nElementDataFile")
    (tmp_path / "a.mhd").write_bytes(head)
    pixels = metaimage.volume(folder(tmp_path, "a.mhd"))
    assert np.array_equal(pixels.read().array, array)
    assert [f.path for f in pixels.files()] == ["x/a.mhd", *(f"x/{name}" for name in names)]
    assert np.array_equal(itk(tmp_path / "a.mhd")[0], array)


def test_metaimage_2d_gets_a_third_axis(tmp_path: Path) -> None:
    array = noise((2, 12, 1), "i2")
    head, body = mhd(array.tobytes("F"), "LOCAL", NDims="2", DimSize="2 12", ElementSpacing="0.5 0.25", Offset="3 4")
    (tmp_path / "a.mha").write_bytes(head + body)
    volume = metaimage.volume(folder(tmp_path, "a.mha")).read()
    assert volume.shape == (2, 12, 1) and np.array_equal(volume.array, array)
    assert np.allclose(volume.affine, itk(tmp_path / "a.mha")[1])


@pytest.mark.parametrize(
    "name", ["/etc/passwd", "../a.raw", "x/../../a.raw", "C:\\a.raw", "..\\a.raw", "\\\\host\\a.raw"]
)
def test_metaimage_unsafe_paths(name: str) -> None:
    head, body = mhd(b"x" * 48, name)
    with pytest.raises(UnsafePathError, match=r"a\.mhd"):
        metaimage.volume(memory("x/a.mhd", head, a__raw=body)).read()


@pytest.mark.parametrize(
    ("fields", "body"),
    [
        ({}, b"x" * 47),
        ({}, b"x" * 49),
        ({"CompressedData": "True"}, zlib.compress(b"x" * 48)[:-3]),
        ({"CompressedData": "True"}, zlib.compress(b"x" * 48) + b"xxx"),
        ({"CompressedData": "True"}, b"x" * 48),
        ({"CompressedData": "True"}, zlib.compress(b"x" * 49)),
        ({"CompressedData": "True", "CompressedDataSize": "4"}, zlib.compress(b"x" * 48)),
        ({"DimSize": "2 3"}, b"x" * 48),
        ({"DimSize": "2 3 0"}, b"x" * 48),
        ({"DimSize": "2000000 300000 400000"}, b"x" * 48),
        ({"DimSize": "two 3 4"}, b"x" * 48),
        ({"NDims": "x"}, b"x" * 48),
        ({"ElementType": "MET_STRING"}, b"x" * 48),
        ({"BinaryData": "False"}, b"x" * 48),
        ({"ObjectType": "Mesh"}, b"x" * 48),
        ({"HeaderSize": "-5"}, b"x" * 48),
    ],
)
def test_metaimage_bad(fields: dict[str, str], body: bytes) -> None:
    head, _ = mhd(b"", **fields)
    with pytest.raises((FormatError, BombError), match="x/a"):
        metaimage.volume(memory("x/a.mhd", head, a__raw=body)).read()


def test_metaimage_bad_geometry_and_identity() -> None:
    for fields in (
        {"TransformMatrix": "1 0 0 1 0 0 0 0 1"},
        {"ElementSpacing": "1 nan 1"},
        {"Offset": "nan 0 0"},
    ):
        with pytest.raises(GeometryError, match="x/a"):
            metaimage.volume(memory("x/a.mha", b"".join(mhd(b"x" * 48, "LOCAL", **fields)))).read()
    head, body = mhd(b"x" * 48, "LOCAL", **{"0010|0010": "Doe^Jane", "PatientName": "Doe", "Modality": "MET_MOD_CT"})
    meta = dict(metaimage.volume(memory("x/a.mha", head + body)).read().meta)
    assert meta == {"Modality": "MET_MOD_CT", NOT_TOLD: ["0010|0010", "PatientName"]}


@pytest.mark.filterwarnings("ignore")
def test_mutated_metaimage_raises_named_errors_only() -> None:
    head, body = mhd(
        zlib.compress(noise((2, 3, 4), "i2").tobytes()),
        "LOCAL",
        CompressedData="True",
        ElementSpacing="1 1 2",
    )
    for seed in range(200):
        try:
            volume = metaimage.volume(memory("x/a.mha", fuzzed(head + body, seed))).read()
        except MedimgError as error:
            assert "x/a.mha" in str(error)
        else:
            stock(volume)


# DICOM


def dataset(pixels: Array, **tags: Any) -> Any:
    """A single-frame CT slice with a few identifying tags, as pydicom has it."""
    import pydicom
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

    ds = pydicom.Dataset()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = CTImageStorage
    ds.Modality, ds.SeriesInstanceUID, ds.StudyInstanceUID = "CT", "1.2.3", "1.2"
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = "Doe^Jane", "SECRET-7", "19700101"
    ds.StudyDate, ds.AccessionNumber, ds.InstitutionName = "20200202", "ACC9", "Saint Elsewhere"
    ds.StudyDescription, ds.PatientComments, ds.OperatorsName = "for Dr House", "Jane likes tea", "Roe^Rick"
    ds.PatientSex, ds.PatientAge, ds.KVP, ds.ConvolutionKernel = "F", "050Y", "120", "B30f"
    ds.private_block(0x0099, "MAKER", create=True).add_new(1, "LO", "Jane Doe private")
    ds.Rows, ds.Columns = pixels.shape[:2]
    ds.SamplesPerPixel = 1 if pixels.ndim == 2 else 3
    ds.PhotometricInterpretation = "MONOCHROME2" if pixels.ndim == 2 else "RGB"
    if pixels.ndim == 3:
        ds.PlanarConfiguration = 0
    ds.BitsAllocated = ds.BitsStored = pixels.dtype.itemsize * 8
    ds.HighBit = ds.BitsStored - 1
    ds.PixelRepresentation = int(pixels.dtype.kind == "i")
    ds.PixelData = pixels.tobytes()
    for name, value in tags.items():
        if value is None:
            del ds[name]
        else:
            setattr(ds, name, value)
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = (
        tags.get("SOPInstanceUID") or pydicom.uid.generate_uid()
    )
    return ds


def encoded(ds: Any) -> bytes:
    stream = io.BytesIO()
    ds.save_as(stream, enforce_file_format=True)
    return stream.getvalue()


def oblique(
    n: int = 5, shape: tuple[int, int] = (6, 4), *, angles: Any = (0.3, -0.2, 0.5), step: float = 2.5
) -> list[Any]:
    """Slices (rows, columns) of one oblique series, in geometric order."""
    from scipy.spatial.transform import Rotation

    turn = Rotation.from_euler("xyz", angles).as_matrix()
    rng = np.random.default_rng(n)
    return [
        dataset(
            rng.integers(0, 2000, shape).astype(np.int16),
            ImageOrientationPatient=[f"{v:.10f}" for v in (*turn[:, 0], *turn[:, 1])],
            ImagePositionPatient=[f"{v:.9f}" for v in np.array([-100.0, 50, 10]) + turn[:, 2] * step * k],
            PixelSpacing=[0.75, 0.5],
            SliceThickness="2.5",
            RescaleSlope="1",
            RescaleIntercept="-1024",
            InstanceNumber=str(n - k),
        )
        for k in range(n)
    ]


def written(slices: list[Any], path: Path | None = None, seed: int = 1) -> list[File]:
    """The files of a series under shuffled names, in shuffled order."""
    names = [f"{n:06d}.dcm" for n in range(len(slices))]
    rng = random.Random(seed)
    rng.shuffle(names)
    tree = {f"s/{name}": encoded(ds) for name, ds in zip(names, slices, strict=True)}
    if path:
        for name, data in tree.items():
            (path / Path(name).name).write_bytes(data)
    files: list[File] = [Memory(name, tree) for name in tree]
    rng.shuffle(files)
    return files


def gdcm(path: Path) -> tuple[Array, Array]:
    import SimpleITK as sitk

    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(path)))
    image = reader.Execute()
    sitk.WriteImage(image, str(path / "out.mha"))
    return itk(path / "out.mha")


def test_series_as_simpleitk(tmp_path: Path) -> None:
    slices = oblique()
    files = written(slices, tmp_path)
    pixels = dicom.series(files, modality="CT")
    assert all(cast(Memory, file).times == 0 for file in files)
    volume = pixels.read()
    expected, affine = gdcm(tmp_path)
    assert volume.array.dtype == np.int16 and np.array_equal(volume.array, expected)
    assert np.allclose(volume.affine, affine, atol=1e-3) and np.allclose(pixels.grid().affine, affine)
    assert pixels.grid().shape == volume.shape == (4, 6, 5)
    assert np.array_equal(volume.array[:, :, 2], slices[2].pixel_array.T - 1024)
    assert volume.spacing == pytest.approx((0.5, 0.75, 2.5)) and list(pixels.files()) == files
    assert np.array_equal(stock(volume).dataobj, expected) and np.allclose(stock(volume).affine, affine, atol=1e-3)


SECRETS = (
    "Doe",
    "Jane",
    "SECRET",
    "1970",
    "2020",
    "ACC9",
    "Elsewhere",
    "House",
    "tea",
    "Roe",
    "private",
    "MAKER",
)


def test_no_identifying_tag_reaches_meta() -> None:
    slices = oblique()
    metas = [
        dicom.series(written(slices)).read().meta,
        dicom.picture(memory("a.dcm", encoded(slices[0]))).read().meta,
        dicom.multiframe(memory("a.dcm", encoded(slices[0]))).read().meta,
    ]
    for meta in metas:
        assert meta["PatientSex"] == "F" and meta["KVP"] == 120 and meta["ConvolutionKernel"] == "B30f"
        assert not [secret for secret in SECRETS if secret in str(meta)]
        json.dumps(dict(meta))
    for bad in (
        "Name",
        "Date",
        "Birth",
        "Institution",
        "Physician",
        "Operator",
        "Accession",
        "Comments",
        "Description",
    ):
        assert not [keyword for keyword in dicom.META if bad in keyword and keyword != "ManufacturerModelName"]


def test_headers() -> None:
    one, two = written(oblique(3)), written([dataset(np.zeros((2, 2), np.int16), SeriesInstanceUID="9.9")])
    assert [tags["SeriesInstanceUID"] for _, tags in dicom.headers([*one, *two])] == ["1.2.3"] * 3 + ["9.9"]
    file, tags = next(dicom.headers(one))
    assert file is one[0] and tags["PatientID"] == "SECRET-7" and tags["Modality"] == "CT"
    assert len(tags["ImagePositionPatient"]) == 3 and tags["InstanceNumber"] in (1, 2, 3) and "PatientName" not in tags
    json.dumps(tags)
    with pytest.raises(FormatError, match=r"a\.dcm"):
        next(dicom.headers([memory("a.dcm", b"<html>" * 100)]))


def test_series_with_a_gap() -> None:
    slices = oblique(8)
    del slices[3]
    names = {ds.SOPInstanceUID: n for n, ds in enumerate(slices)}
    files = written(slices)
    with pytest.raises(
        GeometryError, match=r"2\.500 mm apart, but 5\.000 mm between s/\d+\.dcm and s/\d+\.dcm"
    ) as caught:
        dicom.series(files).read()
    shown = [
        n
        for f, n in ((file.path, names[tags["SOPInstanceUID"]]) for file, tags in dicom.headers(files))
        if f in str(caught.value)
    ]
    assert sorted(shown) == [2, 3]
    volume = dicom.series(files, allow_gaps=True).read()
    assert volume.shape[2] == 7 and volume.spacing[2] == pytest.approx(2.5) and "5.000 mm" in volume.meta["uneven"]
    assert len(volume.meta["slice_positions_mm"]) == 7


def test_series_with_rounded_positions() -> None:
    slices = oblique(40, step=0.625, angles=(0, 0, 0))
    for ds in slices:
        ds.ImagePositionPatient = [f"{float(v):.1f}" for v in ds.ImagePositionPatient]
    assert dicom.series(written(slices)).read().shape[2] == 40
    del slices[20]
    with pytest.raises(GeometryError, match="mm between"):
        dicom.series(written(slices)).read()


def test_series_with_ties() -> None:
    slices = oblique()
    copy = oblique()[2]
    copy.AcquisitionNumber = "7"
    with pytest.raises(GeometryError, match=r"same place.*group the files by AcquisitionNumber"):
        dicom.series(written([*slices, copy])).read()
    files = written(slices)
    twice = Memory("s/copy.dcm", {"s/copy.dcm": files[1].read()})
    volume = dicom.series([*files, twice]).read()
    assert volume.shape[2] == 5 and volume.meta["dropped_duplicates"] == ["s/copy.dcm"]
    other = Memory("s/copy.dcm", {"s/copy.dcm": files[1].read().replace(b"B30f", b"B70f")})
    with pytest.raises(GeometryError, match="one SOPInstanceUID and differ"):
        dicom.series([*files, other]).read()


@pytest.mark.parametrize(
    ("tag", "value", "message"),
    [
        ("SeriesInstanceUID", "4.5", "two series"),
        ("ImageOrientationPatient", [1, 0, 0, 0, 1, 0], "not parallel"),
        ("ImageOrientationPatient", [1, 0, 0, 1, 0, 0], "no pair of directions"),
        ("ImagePositionPatient", [0, 0, 0], "mm"),
        ("ImagePositionPatient", None, "no ImagePositionPatient"),
        ("PixelSpacing", [0.75, 0.6], "PixelSpacing"),
        ("PixelSpacing", None, "no PixelSpacing"),
    ],
)
def test_series_inconsistent(tag: str, value: Any, message: str) -> None:
    slices = oblique()
    if value is None:
        del slices[2][tag]
    else:
        setattr(slices[2], tag, value)
    pixels = dicom.series(written(slices))
    with pytest.raises(GeometryError, match=message):
        pixels.read()
    with pytest.raises(GeometryError, match=r"s/\d+\.dcm"):
        pixels.grid()


def test_series_other_errors() -> None:
    slices = oblique()
    with pytest.raises(FormatError, match="is CT, not MR"):
        dicom.series(written(slices), modality="MR").read()
    with pytest.raises(GeometryError, match="3 x 4 pixels"):
        small = oblique(1, (3, 4))[0]
        dicom.series(written([*slices, small])).read()
    del slices[1].PixelData
    with pytest.raises(FormatError, match="no pixels"):
        dicom.series(written(slices)).read()


def test_series_of_one_slice_and_tilt() -> None:
    volume = dicom.series(written(oblique(1))).read()
    assert volume.shape == (4, 6, 1) and volume.spacing[2] == pytest.approx(2.5)
    slices = oblique(angles=(0, 0, 0))
    for k, ds in enumerate(slices):
        ds.ImagePositionPatient = [0, 0.5 * k, 2.5 * k]
    volume = dicom.series(written(slices)).read()
    assert np.allclose(volume.affine[:3, 2], [0, -0.5, 2.5], atol=1e-5)
    assert volume.meta["slices_sheared_by_degrees"] == pytest.approx(11.31, abs=0.01)


@pytest.mark.parametrize(
    ("dtype", "rescales", "result", "scaling"),
    [
        ("u2", [("1", "-1024")] * 3, "i2", (1, 0)),
        ("u2", [("1", "0")] * 3, "u2", (1, 0)),
        ("u2", [(None, None)] * 3, "u2", (1, 0)),
        ("u2", [("2", "0"), ("3", "-7"), ("30000", "0")], "i4", (1, 0)),
        ("u1", [("0.25", "1.5")] * 3, "u1", (0.25, 1.5)),
        ("i2", [("0.5", "0"), ("0.25", "1"), ("0.125", "0")], "f4", (1, 0)),
    ],
)
def test_rescale(dtype: str, rescales: list[Any], result: str, scaling: Any) -> None:
    slices = oblique(3)
    expected = []
    for ds, (slope, inter) in zip(slices, rescales, strict=True):
        pixels = noise((6, 4), dtype)
        expected.append(pixels.astype("f8").T * float(slope or 1) + float(inter or 0))
        ds.PixelData, ds.BitsAllocated, ds.BitsStored = (
            pixels.tobytes(),
            pixels.itemsize * 8,
            pixels.itemsize * 8,
        )
        ds.HighBit, ds.PixelRepresentation = ds.BitsStored - 1, int(dtype[0] == "i")
        del ds.RescaleSlope, ds.RescaleIntercept
        if slope:
            ds.RescaleSlope, ds.RescaleIntercept = slope, inter
    volume = dicom.series(written(slices)).read()
    assert volume.array.dtype == np.dtype(result) and volume.scaling == scaling
    assert np.array_equal(stock(volume).get_fdata(), np.stack(expected, -1))
    if result == "f4":
        assert volume.meta["RescaleSlope"] == [0.5, 0.25, 0.125] and volume.meta["rescale"] == "applied"
    if scaling == (0.25, 1.5):
        assert volume.meta["RescaleSlope"] == 0.25 and volume.meta["rescale"] == "in the header"


def test_bits_outside_of_bits_stored_are_no_pixels() -> None:
    for signed, stored, expected in ((0, 0xF123, 0x123), (1, 0x0FFF, -1), (1, 0x07FF, 0x7FF)):
        ds = dataset(np.full((2, 3), stored, np.uint16), BitsStored=12, HighBit=11, PixelRepresentation=signed)
        ds.ImageOrientationPatient, ds.ImagePositionPatient, ds.PixelSpacing = (
            [1, 0, 0, 0, 1, 0],
            [0, 0, 0],
            [1, 1],
        )
        assert set(dicom.series(written([ds])).read().array.ravel().tolist()) == {expected}


@pytest.mark.parametrize(
    "syntax",
    [
        "RLELossless",
        "JPEG2000Lossless",
        "DeflatedExplicitVRLittleEndian",
        "ImplicitVRLittleEndian",
        "ExplicitVRBigEndian",
    ],
)
def test_transfer_syntaxes(syntax: str) -> None:
    import pydicom

    slices = oblique(5, (40, 48))
    expected = dicom.series(written(slices)).read()
    uid = getattr(pydicom.uid, syntax)
    for ds in slices:
        if uid.is_compressed and not uid.is_deflated:
            ds.compress(uid, generate_instance_uid=False)
        else:
            if syntax.endswith("BigEndian"):
                ds.PixelData = ds.pixel_array.astype(">i2").tobytes()
            ds.file_meta.TransferSyntaxUID = uid
    files = []
    for n, ds in enumerate(slices):
        stream = io.BytesIO()
        pydicom.dcmwrite(
            stream,
            ds,
            enforce_file_format=True,
            implicit_vr=uid.is_implicit_VR,
            little_endian=uid.is_little_endian,
        )
        files.append(memory(f"s/{n}.dcm", stream.getvalue()))
    assert np.array_equal(dicom.series(files).read().array, expected.array)


def test_files_without_preamble() -> None:
    import pydicom

    slices = oblique()
    expected = dicom.series(written(slices)).read().array
    files: list[File] = []
    for n, ds in enumerate(slices):
        stream = io.BytesIO()
        ds.file_meta = pydicom.dataset.FileMetaDataset()
        pydicom.dcmwrite(stream, ds, enforce_file_format=False, implicit_vr=n % 2 == 0, little_endian=True)
        data = stream.getvalue()
        assert data[128:132] != b"DICM"
        files.append(memory(f"s/{n}", data))
    assert np.array_equal(dicom.series(files).read().array, expected)


def test_picture() -> None:
    pixels = noise((6, 4), "u2") * 100
    ds = dataset(
        pixels,
        BitsStored=14,
        HighBit=13,
        PhotometricInterpretation="MONOCHROME1",
        ImagerPixelSpacing=[0.2, 0.1],
    )
    picture = dicom.picture(memory("a.dcm", encoded(ds))).read()
    assert isinstance(picture, Picture)
    assert picture.array.dtype == np.uint16 and np.array_equal(picture.array, pixels)
    assert picture.spacing == (0.2, 0.1) and picture.meta["spacing_from"] == "ImagerPixelSpacing"
    assert picture.meta["PhotometricInterpretation"] == "MONOCHROME1" and "RescaleSlope" not in picture.meta
    ds = dataset(pixels.astype("i2") - 1000, PixelSpacing=[0.3, 0.3], RescaleSlope="1", RescaleIntercept="-24")
    picture = cast(Picture, dicom.picture(memory("a.dcm", encoded(ds))).read())
    assert picture.array.dtype == np.uint16 and picture.meta["pixel_offset"] == 32768
    back = picture.array.astype(int) - picture.meta["pixel_offset"]
    assert np.array_equal(back, pixels.astype(int) - 1000) and picture.meta["RescaleIntercept"] == -24
    with pytest.raises(FormatError, match="3 frames"):
        many = dataset(noise((6, 4), "u1"), NumberOfFrames="3", PixelData=bytes(72))
        dicom.picture(memory("a.dcm", encoded(many))).read()


def test_pictures_in_color() -> None:
    from pydicom.pixels.processing import convert_color_space

    rgb = np.random.default_rng(0).integers(0, 256, (6, 4, 3)).astype(np.uint8)
    picture = cast(Picture, dicom.picture(memory("a.dcm", encoded(dataset(rgb)))).read())
    assert np.array_equal(picture.array, rgb)
    ybr = convert_color_space(rgb, "RGB", "YBR_FULL")
    ds = dataset(ybr, PhotometricInterpretation="YBR_FULL")
    picture = cast(Picture, dicom.picture(memory("a.dcm", encoded(ds))).read())
    assert np.abs(picture.array.astype(int) - rgb).max() <= 3
    ds = dataset(noise((6, 4), "u1") % 4, PhotometricInterpretation="PALETTE COLOR")
    for n, name in enumerate(("Red", "Green", "Blue")):
        setattr(ds, f"{name}PaletteColorLookupTableDescriptor", [4, 0, 16])
        setattr(ds, f"{name}PaletteColorLookupTableData", (np.arange(4, dtype="<u2") * 10 + n << 8).tobytes())
    picture = cast(Picture, dicom.picture(memory("a.dcm", encoded(ds))).read())
    expected = (noise((6, 4), "u1") % 4)[..., None] * 10 + np.arange(3)
    assert picture.array.dtype == np.uint8 and np.array_equal(picture.array, expected)


def test_ultrasound_spacing() -> None:
    import pydicom

    region = pydicom.Dataset()
    region.PhysicalUnitsXDirection = region.PhysicalUnitsYDirection = 3
    region.PhysicalDeltaX, region.PhysicalDeltaY = 0.02, 0.03
    ds = dataset(noise((6, 4), "u1"), Modality="US", SequenceOfUltrasoundRegions=[region])
    picture = cast(Picture, dicom.picture(memory("a.dcm", encoded(ds))).read())
    assert (
        picture.spacing == pytest.approx((0.3, 0.2)) and picture.meta["spacing_from"] == "SequenceOfUltrasoundRegions"
    )
    cine = dataset(noise((6, 4), "u1"), NumberOfFrames="3", PixelSpacing=[0.3, 0.2])
    frames = noise((3, 6, 4), "u1", 5)
    cine.PixelData = frames.tobytes()
    volume = dicom.multiframe(memory("a.dcm", encoded(cine))).read()
    assert np.array_equal(volume.array, frames.T)
    assert volume.spacing is None and volume.meta["pixel_spacing_mm"] == [0.3, 0.2], "frames are no mm apart"
    assert volume.affine.diagonal().tolist() == pytest.approx([0.2, 0.3, 1, 1])
    assert volume.meta["third_axis"] == "frames"


def enhanced(slices: list[Any], order: list[int]) -> Any:
    """The slices as one enhanced multi-frame object, frames in the given order."""
    import pydicom

    ds = dataset(slices[0].pixel_array, NumberOfFrames=str(len(order)))
    ds.PixelData = b"".join(slices[n].PixelData for n in order)
    frames = []
    for n in order:
        group, position, value = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
        position.ImagePositionPatient = slices[n].ImagePositionPatient
        value.RescaleSlope, value.RescaleIntercept = "1", "-1024"
        group.PlanePositionSequence, group.PixelValueTransformationSequence = [position], [value]
        frames.append(group)
    shared, orientation, measures = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    orientation.ImageOrientationPatient = slices[0].ImageOrientationPatient
    measures.PixelSpacing, measures.SliceThickness = slices[0].PixelSpacing, "2.5"
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], frames
    return ds


def test_multiframe_is_the_series() -> None:
    slices = oblique()
    expected = dicom.series(written(slices)).read()
    pixels = dicom.multiframe(memory("a.dcm", encoded(enhanced(slices, [3, 0, 4, 1, 2]))))
    volume = pixels.read()
    assert np.array_equal(volume.array, expected.array) and np.allclose(volume.affine, expected.affine)
    assert np.allclose(pixels.grid().affine, expected.affine)
    for order, message in (([0, 1, 3, 4], "between"), ([0, 1, 1, 2], "same place")):
        with pytest.raises(GeometryError, match=f"{message}.*frame"):
            dicom.multiframe(memory("a.dcm", encoded(enhanced(slices, order)))).read()
    short = enhanced(slices, [0, 1, 2])
    short.PixelData = short.PixelData[:-48]
    with pytest.raises(FormatError):
        dicom.multiframe(memory("a.dcm", encoded(short))).read()


def test_dose_grid() -> None:
    frames = noise((4, 6, 5), "u4")
    ds = dataset(
        frames[0],
        NumberOfFrames="4",
        DoseGridScaling="0.5",
        GridFrameOffsetVector=[0, 3, 6, 9],
        Modality="RTDOSE",
    )
    ds.ImageOrientationPatient, ds.ImagePositionPatient, ds.PixelSpacing = (
        [1, 0, 0, 0, 1, 0],
        [1, 2, 3],
        [2, 2],
    )
    ds.PixelData = frames.tobytes()
    volume = dicom.multiframe(memory("a.dcm", encoded(ds))).read()
    assert np.array_equal(stock(volume).get_fdata(), frames.T * 0.5) and volume.spacing == pytest.approx((2, 2, 3))
    assert np.allclose(volume.affine[:3, 3], [-1, -2, 3])


def seg(slices: list[Any], masks: Array, **keys: Any) -> bytes:
    """A DICOM SEG by highdicom; masks are (slices, rows, columns, segments)."""
    import highdicom as hd
    from pydicom.sr.codedict import codes

    for ds in slices:
        ds.PatientName, ds.StudyTime, ds.ReferringPhysicianName, ds.StudyID = "Doe^Jane", "", "", ""
        ds.FrameOfReferenceUID, ds.PositionReferenceIndicator = "1.2.9", ""
    described = [
        hd.seg.SegmentDescription(
            segment_number=n + 1,
            segment_label=label,
            segmented_property_category=codes.SCT.Organ,
            segmented_property_type=code,
            algorithm_type="MANUAL",
        )
        for n, (label, code) in enumerate((("left", codes.SCT.Liver), ("right", codes.SCT.Spleen)))
    ]
    made = hd.seg.Segmentation(
        source_images=slices,
        pixel_array=masks,
        segmentation_type=keys.pop("kind", "BINARY"),
        segment_descriptions=described[: masks.shape[-1] if masks.ndim == 4 else 2],
        series_instance_uid="1.2.3.4",
        series_number=2,
        sop_instance_uid="1.2.3.4.5",
        instance_number=1,
        manufacturer="maker",
        manufacturer_model_name="model",
        software_versions="1",
        device_serial_number="1",
        **keys,
    )
    return encoded(made)


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL", "LABELMAP"])
def test_segmentation(kind: str) -> None:
    slices = oblique(5, (16, 16))
    masks = np.zeros((5, 16, 16, 2), np.uint8)
    masks[1:3, 2:5, 3:9, 0] = 1
    masks[2:4, 8:12, 3:9, 1] = 1
    given = masks if kind != "LABELMAP" else masks[..., 0] + 2 * masks[..., 1]
    file = memory("seg.dcm", seg(slices, given.copy(), kind=kind))
    image = dicom.series(written(slices))
    volume = dicom_seg.segmentation(file, image).read()
    expected = (masks[..., 0] + 2 * masks[..., 1]).transpose(2, 1, 0)
    assert volume.array.dtype == np.uint8 and np.array_equal(volume.array, expected)
    grids.same_grid(volume, image.read())
    found = dicom_seg.segments(file)
    assert found[1].label == "left" and found[1].type == ("10200004", "SCT", "Liver") and found[2].category is not None
    assert not [secret for secret in SECRETS if secret in str(volume.meta)]


def test_segmentation_overlap_and_grid() -> None:
    slices = oblique(5, (16, 16))
    masks = np.zeros((5, 16, 16, 2), np.uint8)
    masks[1:3, 2:6, 3:9, 0] = 1
    masks[2:4, 5:12, 3:9, 1] = 1
    file = memory("seg.dcm", seg(slices, masks))
    files = written(slices)
    with pytest.raises(LabelError, match=r"seg\.dcm.*\[1, 2\] overlap in 6 places"):
        dicom_seg.segmentation(file, files).read()
    volume = dicom_seg.segmentation(file, files, overlaps={(1, 2): 3}).read()
    assert volumes.values(volume)[3] == 6
    with pytest.raises(GeometryError, match="outside"):
        dicom_seg.segmentation(file, written(slices[:3])).read()
    with pytest.raises(GeometryError, match="not on the voxels"):
        dicom_seg.segmentation(file, written(oblique(5, (16, 16), step=2.2))).read()
    with pytest.raises(FormatError, match="no DICOM SEG"):
        dicom_seg.segmentation(files[0], files).read()
    with pytest.raises(FormatError, match="no DICOM SEG"):
        dicom_seg.segments(files[0])


@pytest.mark.parametrize(
    ("a", "b"),
    [("row", "column"), ("-row", "column"), ("-row", "-column"), ("column", "row"), ("-column", "row")],
)
def test_segmentation_flipped_and_cropped(a: str, b: str) -> None:
    """A frame whose axes run the other way, or are swapped, and that covers a part of the image."""
    slices = oblique(5, (16, 16))
    for ds in slices:
        ds.PixelSpacing = [0.5, 0.5]
    mask = noise((5, 16, 16), "u1") % 2
    mask[:, :2] = mask[:, :, :1] = mask[:, 13:] = mask[:, :, 15:] = 0
    full = [ds for ds in slices]
    base = np.array([[float(v) for v in ds.ImagePositionPatient] for ds in full])
    turn = np.array([float(v) for v in slices[0].ImageOrientationPatient])
    axis = {"row": turn[:3], "column": turn[3:]}
    cut = mask[:, 2:13, 1:15]
    origin = base + turn[3:] * 0.5 * 2 + turn[:3] * 0.5 * 1
    view = cut if a.endswith("row") else cut.transpose(0, 2, 1)
    for number, name in ((2, a), (1, b)):
        if name.startswith("-"):
            view = np.flip(view, number)
            origin = origin + axis[name[1:]] * 0.5 * (view.shape[number] - 1)
    for ds, position, pixels in zip(full, origin, view, strict=True):
        ds.ImagePositionPatient = [f"{v:.9f}" for v in position]
        ds.ImageOrientationPatient = [
            f"{v:.10f}" for name in (a, b) for v in axis[name.lstrip("-")] * (-1 if name.startswith("-") else 1)
        ]
        ds.Rows, ds.Columns = pixels.shape
        ds.PixelData = bytes(pixels.size * 2)
    file = memory("seg.dcm", seg(full, np.ascontiguousarray(view)[..., None]))
    image = oblique(5, (16, 16))
    for ds in image:
        ds.PixelSpacing = [0.5, 0.5]
    volume = dicom_seg.segmentation(file, written(image)).read()
    assert np.array_equal(volume.array, mask.transpose(2, 1, 0))


@pytest.mark.parametrize("gone", [(3,), (0,), (8,), (2, 3), (1, 4, 6), (0, 1, 2, 4, 5)])
def test_a_segment_lies_on_the_slice_on_which_it_was_drawn(gone: tuple[int, ...]) -> None:
    """Whatever slices a copy lacks, each frame is where its position is, or that is an error."""
    slices = oblique(9, (16, 16))
    kept = [n for n in range(9) if n not in gone]
    image = dicom.series(written([oblique(9, (16, 16))[n] for n in kept]), allow_gaps=True)
    for drawn in range(9):
        masks = np.zeros((9, 16, 16, 1), np.uint8)
        masks[drawn, 2:5, 3:9] = 1
        pixels = dicom_seg.segmentation(memory("seg.dcm", seg(slices, masks)), image)
        if drawn in gone:
            with pytest.raises(GeometryError, match=r"seg\.dcm.*(outside|not on the voxels).*slice \d|nearest"):
                pixels.read()
            continue
        volume = pixels.read()
        found = np.argwhere(volume.array)
        assert {int(k) for k in found[:, 2]} == {kept.index(drawn)} and len(found) == 18, drawn
        grids.same_grid(volume, image.read())


def test_a_segment_of_rounded_directions_is_on_the_voxels() -> None:
    slices = oblique(3, (512, 512), angles=(0, 0, 0))
    masks = np.zeros((3, 512, 512, 1), np.uint8)
    masks[1, 500:510, 490:505] = 1
    image = dicom.series(written(slices))
    turn = [[1, 0.0009, 0, -0.0009, 1, 0], [0.9999, 0, 0.0009, 0, 1, 0]]
    for directions in turn:
        noisy = oblique(3, (512, 512), angles=(0, 0, 0))
        for ds in noisy:
            ds.ImageOrientationPatient = directions
        volume = dicom_seg.segmentation(memory("seg.dcm", seg(noisy, masks)), image).read()
        assert np.array_equal(volume.array, masks[..., 0].transpose(2, 1, 0))
    for shift in (0.5, 1.0, 0.2):
        moved = oblique(3, (512, 512), angles=(0, 0, 0))
        for ds in moved:
            x, y, z = ds.ImagePositionPatient
            ds.ImagePositionPatient = [x + shift * 0.5, y, z]
        pixels = dicom_seg.segmentation(memory("seg.dcm", seg(moved, masks)), image)
        if shift == 1.0:
            assert np.array_equal(pixels.read().array, np.roll(masks[..., 0].transpose(2, 1, 0), 1, axis=0))
            continue
        with pytest.raises(GeometryError, match="not on the voxels"):
            pixels.read()


@pytest.mark.filterwarnings("ignore")
def test_mutated_dicom_raises_named_errors_only() -> None:
    ds = oblique(1)[0]
    data = encoded(ds)
    for name, value in (("plain", data), ("multi", encoded(enhanced(oblique(3), [0, 1, 2])))):
        for seed in range(120):
            file = memory("s/x.dcm", fuzzed(value, seed))
            for read in (dicom.series([file]).read, dicom.picture(file).read, dicom.multiframe(file).read):
                try:
                    read()
                except MedimgError as error:
                    assert "s/x.dcm" in str(error), name
    for junk in (b"", b"x" * 10, b"<html>" * 99, data[:200], data[:-20], b"\x08\0" + bytes(300)):
        with pytest.raises(FormatError, match=r"s/x\.dcm"):
            dicom.series([memory("s/x.dcm", junk)]).read()


def test_missing_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(MissingExtraError, match=r'pip install "medimg\[dicom\]"'):
        dicom.picture(memory("a.dcm", b"x" * 200)).read()


# LIDC-IDRI

SHARED = Path(__file__).parents[1].parent / "shared"
needs_samples = pytest.mark.skipif(
    not (SHARED / "samples" / "lidc-idri").is_dir(), reason="no sample of LIDC-IDRI here"
)


def on_disk(pattern: str) -> list[File]:
    def at(path: Path) -> File:
        return File(str(path.relative_to(SHARED)), lambda: path.open("rb"), path.stat().st_size)

    return [at(path) for path in sorted(SHARED.glob(pattern))]


@needs_samples
def test_lidc_sample_as_simpleitk(tmp_path: Path) -> None:
    files = on_disk("samples/lidc-idri/**/*.dcm")
    for file in files:
        (tmp_path / file.name).write_bytes(file.read())
    expected, affine = gdcm(tmp_path)
    volume = dicom.series(files, modality="CT").read()
    assert volume.shape == (512, 512, 16) and volume.array.dtype == np.int16
    assert np.array_equal(volume.array, expected) and np.allclose(volume.affine, affine, atol=1e-3)
    assert volume.meta["PatientPosition"] == "FFS" and "LIDC-IDRI-0001" not in str(volume.meta)


@needs_samples
def test_lidc_sample_annotations() -> None:
    image = dicom.series(on_disk("samples/lidc-idri/**/*.dcm"))
    other = on_disk("metadata/LIDC-IDRI/tcia-lidc-xml/*/*.xml")
    found = lidc.Annotations((*other, *on_disk("samples/lidc-idri/**/*.xml")), image)
    mask = found.mask.read()
    grids.same_grid(mask, image.read())
    assert sorted(volumes.values(mask)) == [0, 1, 2, 3, 4] and mask.array.dtype == np.uint8
    assert found.boxes[0].box == (298, 341, 2, 337, 389, 10)
    assert [box.reader for box in found.boxes] == [0, 1, 2, 3] and found.notes["readers"] == 4
    assert found.boxes[0].characteristics["malignancy"] == "5" and found.boxes[0].nodule == "Nodule 001"
    assert found.points == [] and len(found.notes["unplaced"]) == 22
    # All four readers agree on soft tissue; where none sees a nodule there is mostly air.
    hounsfield = image.read().array
    assert -50 < hounsfield[mask.array == 4].mean() < 50
    json.dumps(found.source), json.dumps(dict(mask.meta))
    boxes = [box.box for box in found.boxes]
    i0, j0, k0 = (min(box[n] for box in boxes) for n in range(3))
    i1, j1, k1 = (max(box[n] for box in boxes) for n in range(3, 6))
    where = np.argwhere(mask.array)
    assert where.min(axis=0).tolist() == [i0, j0, k0] and (where.max(axis=0) + 1).tolist() == [i1, j1, k1]


@needs_samples
def test_lidc_xml_of_the_source() -> None:
    read = {file.name: lidc.read(file) for file in on_disk("metadata/LIDC-IDRI/tcia-lidc-xml/*/*.xml")}
    assert {name: one.kind for name, one in read.items()} == {
        "158.xml": "CT",
        "159.xml": "CT",
        "068.xml": "CXR",
    }
    one = read["158.xml"]
    assert len(one.sessions) == 4 and one.series_uid is not None and one.series_uid.endswith("4852353824")
    marks = [len(session["unblindedReadNodule"]) for session in one.sessions]
    assert sum(marks) == 26 and sum(len(session.get("nonNodule", [])) for session in one.sessions) == 12
    assert one.sessions[0]["unblindedReadNodule"][0]["roi"][0]["edgeMap"] == [[177, 353]]
    assert one.sessions[0]["nonNodule"][0]["locus"] == [[128, 142]]
    edges = sum(
        len(roi["edgeMap"])
        for session in one.sessions
        for nodule in session["unblindedReadNodule"]
        for roi in nodule["roi"]
    )
    assert edges == 5712
    json.dumps([one.source for one in read.values()])


def ring(x0: int, y0: int, x1: int, y1: int) -> list[tuple[int, int]]:
    """The pixels of a rectangle's outline, in order, corners included."""
    top = [(x, y0) for x in range(x0, x1)]
    right = [(x1, y) for y in range(y0, y1)]
    bottom = [(x, y1) for x in range(x1, x0, -1)]
    return [*top, *right, *bottom, *((x0, y) for y in range(y1, y0 - 1, -1))]


def roi(uid: str, z: float, edge: list[tuple[int, int]], inclusion: str = "TRUE") -> str:
    points = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in edge)
    return (
        f"<roi><imageZposition>{z}</imageZposition><imageSOP_UID>{uid}</imageSOP_UID>"
        f"<inclusion>{inclusion}</inclusion>{points}</roi>"
    )


def lidc_xml(*sessions: str, series: str = "1.2.3") -> File:
    body = "".join(f"<readingSession>{session}</readingSession>" for session in sessions)
    text = (
        '<?xml version="1.0" encoding="UTF-8"?><LidcReadMessage xmlns="http://www.nih.gov"><ResponseHeader>'
        f"<SeriesInstanceUid>{series}</SeriesInstanceUid></ResponseHeader>{body}</LidcReadMessage>"
    )
    return memory("x/1.xml", text.encode())


def nodule(name: str, *rois: str, rated: bool = True) -> str:
    ratings = "<characteristics><malignancy>3</malignancy></characteristics>" if rated else "<characteristics/>"
    return f"<unblindedReadNodule><noduleID>{name}</noduleID>{ratings}{''.join(rois)}</unblindedReadNodule>"


def ct() -> tuple[list[Any], list[File]]:
    slices = oblique(5, (32, 40), angles=(0, 0, 0))
    return slices, written(slices)


def test_lidc_rules() -> None:
    slices, files = ct()
    uids = [ds.SOPInstanceUID for ds in slices]
    z = [float(ds.ImagePositionPatient[2]) for ds in slices]
    whole, hole = ring(10, 5, 20, 15), ring(13, 8, 16, 11)
    first = nodule("a", roi(uids[1], z[1], whole), roi(uids[1], z[1], hole, "FALSE"), roi("?", z[2] + 1, whole))
    first += nodule("touching", roi(uids[2], z[2], ring(18, 5, 25, 15)))
    first += nodule("small", roi(uids[3], z[3], [(30, 20)]), rated=False)
    first += nodule("far", roi("?", z[4] + 99, whole)) + nodule("flat", roi(uids[3], z[3], ring(3, 3, 4, 4)))
    first += (
        f"<nonNodule><nonNoduleID>n</nonNoduleID><imageZposition>{z[0]}</imageZposition>"
        f"<imageSOP_UID>{uids[0]}</imageSOP_UID><locus><xCoord>7</xCoord><yCoord>9</yCoord></locus></nonNodule>"
    )
    second = nodule("b", roi(uids[2], z[2], ring(12, 7, 15, 10)[::2]))
    found = lidc.Annotations((lidc_xml(series="9.9"), lidc_xml(first, second, "")), dicom.series(files))
    expected = np.zeros((40, 32, 5), np.uint8)
    expected[11:20, 6:15, 1:3] = 1
    expected[14:16, 9:11, 1] = 0
    expected[19:25, 6:15, 2] = 1
    expected[13:15, 8:10, 2] += 1
    mask = found.mask.read()
    assert np.array_equal(mask.array, expected)
    assert [(box.box, box.reader, box.nodule) for box in found.boxes] == [
        ((11, 6, 1, 20, 15, 3), 0, "a"),
        ((19, 6, 2, 25, 15, 3), 0, "touching"),
        ((13, 8, 2, 15, 10, 3), 1, "b"),
    ]
    assert found.boxes[0].characteristics == {"malignancy": "3"} and found.notes["readers"] == 3
    assert [tuple(point) for point in found.points] == [
        ((30, 20, 3), 0, "small", "nodule"),
        ((7, 9, 0), 0, "n", "non-nodule"),
    ]
    assert "far" in found.notes["unplaced"][0] and "flat" in found.notes["outlines_without_interior"][0]
    assert mask.meta["readers"] == 3 and json.loads(json.dumps(found.source))["readings"][0]["kind"] == "CT"
    assert np.allclose(mask.affine, dicom.series(files).read().affine)


def test_lidc_errors() -> None:
    slices, files = ct()
    with pytest.raises(SourceError, match=r"no reading of the CT series 1\.2\.3 \(there are: CT 9\.9\)"):
        lidc.Annotations((lidc_xml(series="9.9"),), dicom.series(files)).mask.read()
    outside = lidc_xml(nodule("a", roi(slices[0].SOPInstanceUID, 0, ring(30, 20, 45, 25))))
    with pytest.raises(GeometryError, match=r"x/1\.xml.*outside"):
        lidc.Annotations((outside,), dicom.series(files)).boxes  # noqa: B018
    bomb = b'<!DOCTYPE a [<!ENTITY b "cccc">]><LidcReadMessage>&b;</LidcReadMessage>'
    for data in (b"", b"<html><body>log in</body></html>", b"<LidcReadMessage>", b"\xff\xfe\0", bomb):
        with pytest.raises(FormatError, match=r"x/1\.xml"):
            lidc.read(memory("x/1.xml", data))
    good = lidc_xml(nodule("a", roi(slices[1].SOPInstanceUID, 0, ring(3, 3, 9, 9)))).read()
    for seed in range(150):
        try:
            lidc.Annotations((memory("x/1.xml", fuzzed(good, seed)),), dicom.series(files)).mask.read()
        except MedimgError as error:
            assert "x/1.xml" in str(error)


@FAST
@given(st.lists(st.tuples(st.integers(3, 14), st.integers(3, 14)), min_size=1, max_size=20))
def test_lidc_interior_excludes_the_outline(edge: list[tuple[int, int]]) -> None:
    i, j, inside = lidc._interior(edge)
    plane = np.zeros((40, 40), bool)
    plane[i : i + inside.shape[0], j : j + inside.shape[1]] = inside
    assert not any(plane[x, y] for x, y in edge)
    spots = np.argwhere(plane)
    if len(spots):
        assert (spots.min(axis=0) > np.min(edge, axis=0)).all() and (spots.max(axis=0) < np.max(edge, axis=0)).all()
