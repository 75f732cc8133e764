"""What can be done to volumes on their way into a row: label maps, stacks, unions, slices.

Every operator takes promises of pixels and returns a promise; nothing is opened before `read`. Voxels are
never resampled or reordered. Work is done on pieces of a few MB in the order in which the voxels lie in
memory, so that beside a source volume and the result nothing of their size exists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from medimg.errors import FormatError, GeometryError, LabelError
from medimg.pixels import Array, Picture, Pixels, Volume, unsized
from medimg.readers.grids import VolumePixels, VoxelGrid, grid_of, name_of, spatial, volume_of
from medimg.readers.levels import counted, looked_up, pieces
from medimg.readers.promises import PromisedVolume, naming

if TYPE_CHECKING:
    pass

_INTEGERS = tuple(np.dtype(name) for name in ("u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8"))


def integers(piece: Array, slope: float = 1.0, inter: float = 0.0, tolerance: float = 0.0) -> Array:
    """Stored voxels as the integers they stand for.

    Args:
        piece: stored voxels, any real dtype.
        slope: times the stored voxel, plus `inter`, is the value.
        inter: see `slope`.
        tolerance: how far a value may be from the integer that it is taken for.

    Returns:
        The values, in an integer dtype (int64, unless the stored dtype already is one and there is no
        scaling).

    Raises:
        LabelError: naming values that are no integers.
    """
    if (slope, inter) == (1.0, 0.0) and piece.dtype.kind in "iu":
        if piece.dtype.itemsize == 8 and piece.dtype.kind == "u" and (piece >= 1 << 63).any():
            raise LabelError(f"{int(piece.max())} is no label")
        return piece
    if piece.dtype.kind not in "iuf":
        raise LabelError(f"voxels of type {piece.dtype} are no labels")
    with np.errstate(invalid="ignore", over="ignore"):
        if piece.dtype.kind == "f" and (slope, inter) == (1.0, 0.0):
            quick: Array = piece.astype(np.int64)
            if np.array_equal(quick, piece):
                return quick
        values = piece if (slope, inter) == (1.0, 0.0) else piece * np.float64(slope) + np.float64(inter)
        whole = np.rint(values)
        wrong = ~(np.abs(values - whole) <= tolerance) | (np.abs(whole) >= 2.0**63)
    if wrong.any():
        shown = ", ".join(f"{float(value):g}" for value in np.unique(values[wrong])[:5])
        raise LabelError(f"a label map holds integers, not {shown}")
    return whole.astype(np.int64)


def values(volume: Volume, *, tolerance: float = 0.0) -> dict[int, int]:
    """How many voxels have each value, after scl_slope, ascending by value.

    Raises:
        LabelError: naming values that are no integers.
    """
    counts: Counter[int] = Counter()
    slope, inter = volume.scaling
    for piece in pieces(volume.array):
        counts.update(counted(integers(piece, slope, inter, tolerance)))
    return dict(sorted(counts.items()))


def smallest_dtype(low: int, high: int) -> np.dtype[Any]:
    """The smallest integer dtype that holds low to high: uint8, int8, int16, uint16, int32, ..."""
    return next(d for d in _INTEGERS if np.iinfo(d).min <= low and high <= np.iinfo(d).max)


def _alike(
    volume: Volume,
    dtype: npt.DTypeLike,
    *,
    shape: Sequence[int] | None = None,
    scaling: tuple[float, float] = (1.0, 0.0),
    meta: Mapping[str, Any] | None = None,
) -> Volume:
    """Zeros with the header of another volume (affine, codes, units, intent), another dtype and shape."""
    new = Volume.empty(shape or volume.shape, dtype, np.eye(4))
    header, own = volume.header.as_byteswapped("<"), new.header
    for name in ("dim", "datatype", "bitpix", "vox_offset"):
        header[name] = own[name]
    header["pixdim"][len(volume.shape) + 1 :] = 1.0
    header["cal_min"] = header["cal_max"] = 0.0
    header.set_slope_inter(*scaling)
    memoryview(new.nifti)[:348] = header.binaryblock
    return replace(
        new,
        meta=dict(volume.meta if meta is None else meta),
        origins=volume.origins,
        unsized=volume.unsized or unsized(memoryview(volume.nifti)[:348]),
    )


def _recast(volume: Volume, mapping: Mapping[int, int] | None, tolerance: float) -> Volume:
    histogram = values(volume, tolerance=tolerance)
    if mapping is not None:
        unknown = [value for value in histogram if value not in mapping and value != 0]
        if unknown:
            raise LabelError(
                f"values {unknown[:10]} ({sum(histogram[v] for v in unknown)} voxels) are not in the mapping "
                f"{dict(sorted(mapping.items()))}",
                next_step="say what they mean, or map them to 0",
            )
    table = {value: int((mapping or {}).get(value, value)) for value in histogram}
    dtype = smallest_dtype(min(table.values()), max(table.values()))
    plain = all(old == new for old, new in table.items())
    if plain and volume.scaling == (1.0, 0.0) and volume.array.dtype.newbyteorder("=") == dtype:
        return volume
    meta = dict(volume.meta) | {"dtype_in_source": volume.array.dtype.newbyteorder("=").name}
    if tolerance:
        meta["rounded_within"] = tolerance
    result = _alike(volume, dtype, meta=meta)
    slope, inter = volume.scaling
    for source, target in zip(pieces(volume.array), pieces(result.array), strict=True):
        if plain and (slope, inter, tolerance) == (1.0, 0.0, 0.0):
            target[...] = source
            continue
        whole = integers(source, slope, inter, tolerance)
        target[...] = whole if plain else looked_up(whole, table, dtype)
    return result


def _mask(pixels: Pixels, mapping: Mapping[int, int] | None, tolerance: float) -> Volume:
    volume = volume_of(pixels)
    with naming(name_of(pixels)):
        return _recast(volume, mapping, tolerance)


def mask(pixels: Pixels, mapping: Mapping[int, int] | None = None, *, tolerance: float = 0.0) -> VolumePixels:
    """A label map in the smallest integer dtype that is exact, on the source's grid.

    The header's geometry (affine, codes, units) is kept. A map that already is in that dtype passes byte for
    byte; otherwise the source's dtype is recorded in `meta`.

    Args:
        pixels: a volume of any real dtype; scl_slope is applied, so values are those that a reader shows.
        mapping: source value -> value, total: a value outside it (other than 0) is an error.
        tolerance: how far values may be from integers, for sources that were scaled on the way; 0 is exact.

    Raises:
        LabelError: on `read`: values that are no integers, or not in the mapping.
    """
    return PromisedVolume((pixels,), pixels, _mask, (pixels, mapping, tolerance))


def _on_grid(pixels: Pixels, image: Pixels, reason: str) -> Volume:
    target = grid_of(image)
    volume = volume_of(pixels)
    if spatial(volume.shape) != target.shape:
        raise GeometryError(
            f"{list(spatial(volume.shape))} voxels cannot be on the grid of {name_of(image)}, "
            f"which has {list(target.shape)}",
            file=name_of(pixels),
        )
    header = volume.header
    old = header.get_best_affine()
    header.set_sform(target.affine, code="scanner")
    header.set_qform(target.affine, code="scanner", strip_shears=True)
    header.set_xyzt_units("mm", header.get_xyzt_units()[1])
    note = {"reason": reason, "affine_in_source": np.nan_to_num(old).tolist()}
    meta = dict(volume.meta) | {"grid_from_image": note}
    return Volume(_with_header(volume, header), meta, target.origins if target.uneven else None)


def on_grid(pixels: Pixels, image: Pixels, *, reason: str) -> VolumePixels:
    """A mask whose file states no (or a wrong) affine, put on the grid of its image.

    Only the header changes. The reason and the source's own affine are recorded in `meta`.

    Args:
        pixels: the mask.
        image: where the affine comes from; its shape must be the mask's.
        reason: why the builder knows that the voxels correspond, for `meta`.

    Raises:
        GeometryError: on `read`: the shapes differ.
    """
    return PromisedVolume((pixels,), image, _on_grid, (pixels, image, reason))


def _with_header(volume: Volume, header: Any) -> bytes | bytearray | memoryview:
    """The bytes of a volume with another header, in place where they can be changed."""
    nifti = bytearray(volume.nifti) if memoryview(volume.nifti).readonly else volume.nifti
    memoryview(nifti)[:348] = header.binaryblock
    return nifti


def _squeezed(pixels: Pixels) -> Volume:
    volume = volume_of(pixels)
    shape = volume.shape
    if len(shape) <= 3 or max(shape[3:]) > 1:
        return volume
    header = volume.header
    header["dim"] = [3, *shape[:3], 1, 1, 1, 1]
    header["pixdim"][4:] = 1.0
    meta = dict(volume.meta) | {"shape_in_source": list(shape)}
    return replace(volume, nifti=_with_header(volume, header), meta=meta)


def squeezed(pixels: Pixels) -> VolumePixels:
    """A volume without its axes beyond the third where these have length one, as Analyze files often write.

    Only the header changes; a volume whose fourth axis says something stays as it is.
    """
    return PromisedVolume((pixels,), pixels, _squeezed, (pixels,))


def _stack(parts: tuple[Pixels, ...]) -> Volume:
    result, first, metas = None, None, []
    for number, part in enumerate(parts):
        volume = volume_of(part)
        metas.append(dict(volume.meta))
        if len(volume.shape) > 3 and max(volume.shape[3:]) > 1:
            raise GeometryError(f"only 3-D volumes can be stacked, not {volume.shape}", file=name_of(part))
        if result is None or first is None:
            first = VoxelGrid.of(volume)
            result = _alike(
                volume,
                volume.array.dtype,
                shape=(*first.shape, len(parts)),
                scaling=volume.scaling,
                meta={},
            )
        difference = first.differs(VoxelGrid.of(volume))
        if difference:
            raise GeometryError(
                f"{name_of(parts[0])} and {name_of(part)} cannot be stacked: {difference}",
                file=name_of(part),
            )
        result = _added(result, volume, number)
        del volume
    assert result is not None
    return replace(result, meta={"stack": metas} if any(metas) else {})


def _added(stack: Volume, volume: Volume, number: int) -> Volume:
    """Put a volume into place `number` of a stack, in a dtype that holds both exactly."""
    values_of = volume.array
    scaling = volume.scaling
    if scaling != stack.scaling:
        # Different scalings: the values themselves, in double precision as the stock reader computes them.
        stack = _plain(stack)
        if scaling != (1.0, 0.0):
            values_of = values_of * np.float64(scaling[0]) + np.float64(scaling[1])
    dtype = np.result_type(stack.array.dtype, values_of.dtype)
    for array in (stack.array, values_of):
        if dtype.kind == "f" and array.dtype.kind in "iu" and array.dtype.itemsize == 8:
            if any((np.abs(piece.astype(np.float64)) > 2.0**53).any() for piece in pieces(array)):
                raise FormatError(f"no dtype holds both {stack.array.dtype} and {values_of.dtype} exactly")
    if dtype.newbyteorder("=") != stack.array.dtype.newbyteorder("="):
        wider = _alike(stack, dtype, scaling=stack.scaling)
        wider.array[...] = stack.array
        stack = wider
    stack.array[..., number] = values_of.reshape(stack.array.shape[:3], order="F")
    return stack


def _plain(volume: Volume) -> Volume:
    """The volume with its scaling applied, in float64."""
    if volume.scaling == (1.0, 0.0):
        return volume
    slope, inter = volume.scaling
    result = _alike(volume, np.float64)
    for source, target in zip(pieces(volume.array), pieces(result.array), strict=True):
        target[...] = source * np.float64(slope) + np.float64(inter)
    return result


def stack(pixels: Sequence[Pixels]) -> VolumePixels:
    """Co-registered 3-D volumes as one 4-D volume, in the given order along the last axis.

    The header is the first volume's. The dtype is the smallest that holds all exactly; where scl_slope
    differs between the volumes, the scaled values are stored as float64.

    Raises:
        GeometryError: on `read`: naming two files that are on different grids (see `same_grid`).
        FormatError: on `read`: no dtype holds all values exactly.
    """
    if not pixels:
        raise ValueError("nothing to stack")
    parts = tuple(pixels)
    return PromisedVolume(parts, parts[0], _stack, (parts,))


class Painter:
    """Paints label values into one map and keeps track of overlaps, which are never decided silently.

    Args:
        array: zeros, the map to paint into; unsigned, it holds combination numbers until `finish`.
        overlaps: values that meet in a voxel -> the value for such voxels.
    """

    def __init__(self, array: Array, overlaps: Mapping[tuple[int, ...], int] | None = None) -> None:
        self.array = array
        self._overlaps = {frozenset(values): value for values, value in (overlaps or {}).items()}
        self._sets: list[frozenset[int]] = [frozenset()]
        self._number = {frozenset[int](): 0}

    def paint(self, region: Array, inside: Array, value: int) -> None:
        """Add `value` where `inside` is true; both views have one shape, `region` is a view on the map.

        Raises:
            LabelError: more combinations than the map's dtype can number.
        """
        old = region[inside]
        if not old.size:
            return
        table = np.zeros(len(self._sets), self.array.dtype)
        for number in np.flatnonzero(np.bincount(old)):
            met = self._sets[number] | {value}
            if met not in self._number:
                if len(self._sets) > np.iinfo(self.array.dtype).max:
                    raise LabelError(f"more than {len(self._sets) - 1} combinations of labels")
                self._number[met] = len(self._sets)
                self._sets.append(met)
            table[number] = self._number[met]
        region[inside] = table[old]

    def met(self) -> dict[int, frozenset[int]]:
        """Combination number -> the values that meet, of the combinations that occur."""
        used = self._used()
        return {number: met for number, met in enumerate(self._sets) if met and used[number]}

    def _used(self) -> Array:
        used = np.zeros(len(self._sets), np.int64)
        for piece in pieces(self.array):
            used += np.bincount(piece, minlength=len(self._sets))
        return used

    def finish(self) -> tuple[Array, np.dtype[Any]]:
        """(combination number -> value, smallest dtype for the values).

        Raises:
            LabelError: values met and the overlap table has no entry for them.
        """
        used = self._used()
        table = np.zeros(len(self._sets), np.int64)
        for number, met in enumerate(self._sets):
            if len(met) == 1:
                (table[number],) = met
            elif met in self._overlaps:
                table[number] = self._overlaps[met]
            elif met and used[number]:
                raise LabelError(
                    f"labels {sorted(met)} overlap in {used[number]} places",
                    next_step="say in `overlaps` which value these get, with names for that value in the legend",
                )
        return table, smallest_dtype(int(table.min()), int(table.max()))


def _union(parts: tuple[tuple[Pixels, int], ...], overlaps: Mapping[tuple[int, ...], int]) -> Volume:
    result, first, painter, metas = None, None, None, []
    for part, value in parts:
        volume = volume_of(part)
        metas.append(dict(volume.meta))
        if result is None or painter is None or first is None:
            first = VoxelGrid.of(volume)
            result = _alike(volume, np.uint16, meta={})
            painter = Painter(result.array, overlaps)
        difference = first.differs(VoxelGrid.of(volume))
        if difference or volume.shape != result.shape:
            raise GeometryError(
                f"{name_of(parts[0][0])} and {name_of(part)} cannot be united: {difference or 'shapes differ'}",
                file=name_of(part),
            )
        slope, inter = volume.scaling
        with naming(name_of(part)):
            for source, target in zip(pieces(volume.array), pieces(result.array), strict=True):
                painter.paint(target, integers(source, slope, inter) != 0, value)
        del volume
    assert result is not None and painter is not None
    with naming(name_of(parts[0][0])):
        table, dtype = painter.finish()
    final = _alike(result, dtype, meta={"union": metas} if any(metas) else {})
    for source, target in zip(pieces(result.array), pieces(final.array), strict=True):
        target[...] = table[source]
    return final


def union(
    parts: Iterable[tuple[Pixels, int]], *, overlaps: Mapping[tuple[int, ...], int] | None = None
) -> VolumePixels:
    """Binary masks, one per structure, as one label map on their common grid.

    Args:
        parts: (mask, value that its non-zero voxels get), any number of them.
        overlaps: values that meet, in any order -> the value of such voxels, e.g. {(1, 2): 3}. Without an
            entry such voxels are an error, so that nothing is lost.

    Raises:
        LabelError: on `read`: an overlap that is not in the table, or masks that are no integers.
        GeometryError: on `read`: naming two files that are on different grids.
    """
    pairs = tuple(parts)
    if not pairs:
        raise ValueError("nothing to unite")
    if any(value == 0 for _, value in pairs):
        raise ValueError("0 is background")
    masks = tuple(mask for mask, _ in pairs)
    return PromisedVolume(masks, masks[0], _union, (pairs, dict(overlaps or {})))


def slices(source: Volume | Pixels, axis: int = 2) -> Iterator[Picture]:
    """The slices of a 3-D volume across one axis, in index order, as pictures.

    Of the two axes that are left the lower one is the picture's width (x) and the higher one its height (y);
    nothing is flipped. scl_slope is applied where there is one. Pictures are views on the volume.

    Args:
        source: the volume, or a promise of it, which is read when the first slice is asked for.
        axis: 0, 1 or 2 for i, j, k.

    Raises:
        GeometryError: the volume has more than three axes.
    """
    volume = source if isinstance(source, Volume) else volume_of(source)
    array = volume.array
    if array.ndim > 3 and max(array.shape[3:]) > 1:
        raise GeometryError(f"slices of a volume with axes {array.shape} are ambiguous")
    array = array.reshape(spatial(array.shape), order="F")
    sizes = None if volume.spacing is None else (*volume.spacing, 1.0, 1.0)[:3]
    if axis != 2 and volume.origins is not None:
        sizes = None  # rows of slices that are unevenly apart
    width, height = (n for n in range(3) if n != axis)
    spacing = None if sizes is None else (sizes[height], sizes[width])
    slope, inter = volume.scaling
    for index in range(array.shape[axis]):
        plane = array[(slice(None),) * axis + (index,)].T
        if (slope, inter) != (1.0, 0.0):
            plane = plane * np.float64(slope) + np.float64(inter)
        yield Picture(plane, spacing=spacing, meta={"axis": axis, "index": index})
