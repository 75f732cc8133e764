"""Outlines into regions: polygons given by their corners, and lines that are drawn in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations, product

import numpy as np
import numpy.typing as npt

from medimg.errors import FormatError, LabelError
from medimg.pixels import Array

Bools = npt.NDArray[np.bool_]
SOLID = 6
"""A region counts as filled already where its area is below this many squares of its own thickness."""
CLOSED = 0.25
"""A contour counts as closed where it encloses at least this many pixels for each pixel of its line."""


def rasterize(
    corners: Sequence[Sequence[float]], shape: tuple[int, int], center: float = 0.5
) -> tuple[int, int, Bools]:
    """Pixels inside one polygon, by the rule of `polygons`: (top row, left column, mask from there on).

    Raises:
        LabelError: fewer than three corners, or a coordinate that is not finite.
    """
    points = np.asarray(corners, dtype=np.float64)
    if points.ndim != 2 or points.shape[0] < 3 or points.shape[1] != 2:
        raise LabelError(f"a polygon needs three or more (x, y) corners; it has an array of {points.shape}")
    if not np.isfinite(points).all():
        raise LabelError("a polygon's corner is not finite")
    height, width = shape
    # From here on pixel centers are whole numbers.
    x, y = np.clip(points - center, -1e9, 1e9).T
    top, bottom = (int(np.clip(np.ceil(edge), 0, height)) for edge in (y.min(), y.max()))
    left, right = (int(np.clip(np.ceil(edge), 0, width)) for edge in (x.min(), x.max()))
    flips = np.zeros((bottom - top, right - left + 1), dtype=np.bool_)
    for x0, y0, x1, y1 in zip(x, y, np.roll(x, -1), np.roll(y, -1), strict=True):
        if y0 > y1:
            x0, y0, x1, y1 = x1, y1, x0, y0
        rows = np.arange(max(int(np.ceil(y0)), top), min(int(np.ceil(y1)), bottom))
        crossing = x0 + (rows - y0) * ((x1 - x0) / (y1 - y0 or 1.0))
        columns = np.clip(np.ceil(crossing), left, right).astype(np.int64)
        flips[rows - top, columns - left] ^= True
    return top, left, np.logical_xor.accumulate(flips, axis=1)[:, :-1]


def filled(line: Bools) -> tuple[Bools, bool]:
    """The region that contours enclose, with their lines; and whether all were filled already."""
    from scipy import ndimage

    parts, count = ndimage.label(line, structure=np.ones((3, 3)))
    if not count:
        raise FormatError("nothing is drawn: no pixel reaches the threshold")
    out = line.copy()
    cut, ends = np.zeros_like(line), np.zeros_like(line)
    already = True
    for number, box in enumerate(ndimage.find_objects(parts), 1):
        part = parts[box] == number
        inside = ndimage.binary_fill_holes(part) & ~part
        drawn = int(part.sum())
        thickness = 2 * float(ndimage.distance_transform_edt(np.pad(part, 1)).max()) - 1
        on_border = any(side.start == 0 or side.stop == n for side, n in zip(box, line.shape, strict=True))
        if inside.sum() >= CLOSED * drawn:
            out[box] |= inside
            already = False
        elif drawn < SOLID * thickness**2:
            ends[box] |= part & on_border
        elif on_border:
            cut[box] |= part
        else:
            raise FormatError(
                f"a contour is not closed (in rows {box[0].start}-{box[0].stop - 1})",
                next_step="use threshold if the source draws regions and not their outlines",
            )
    if cut.any():
        # The border may leave a piece of the line that is too short to be told from a spot.
        short = int(ends.sum()) < int(cut.sum())
        out |= _inside_of_cut(cut | ends if short else cut)
        already = False
    return out, already


def _inside_of_cut(line: Bools) -> Bools:
    """The inside of convex contours that leave the image.

    Lines cut the image into regions; a line has inside and outside on its two sides. For every choice of
    image corners that may be inside, the convex hull of line and corners is compared with the regions; the
    choice that fits, and alone fits, tells inside from outside.
    """
    from scipy import ndimage

    drawn = int(line.sum())
    regions, count = ndimage.label(~line)
    # Specks between line and border count as line.
    regions[np.bincount(regions.ravel(), minlength=count + 1)[regions] < drawn / 8] = 0
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    ends = [(row, column) for row in (0, line.shape[0] - 1) for column in (0, line.shape[1] - 1)]
    opposite = _across(line, regions)
    fits: dict[tuple[bool, ...], int] = {}
    for chosen in product((False, True), repeat=4):
        hull = _hull(line, [end for end, here in zip(ends, chosen, strict=True) if here])
        within = np.bincount(regions[hull], minlength=count + 1)
        inside = 2 * within > sizes
        inside[0] = False
        misfit = int((sizes - within)[inside].sum() + within[1:][~inside[1:]].sum())
        enclosed = int(sizes[inside].sum())
        consistent = all(inside[regions[end]] == here for end, here in zip(ends, chosen, strict=True))
        consistent &= all(inside[one] != inside[other] for one, other in opposite)
        outside = bool((sizes[1:][~inside[1:]] > 0).any())
        if consistent and outside and enclosed >= CLOSED * drawn and misfit <= 0.05 * enclosed:
            fits[tuple(inside.tolist())] = misfit
    best = sorted(fits, key=fits.__getitem__)
    if not best or (len(best) > 1 and fits[best[1]] <= 4 * fits[best[0]] + drawn / 2):
        raise FormatError("a contour is not closed, neither by itself nor by the image's border")
    out: Bools = np.array(best[0])[regions]
    return out


def _across(line: Bools, regions: Array) -> list[tuple[int, int]]:
    """Pairs of regions that lie along each other on the two sides of the line, not just end to end."""
    from scipy import ndimage

    thickness = int(2 * ndimage.distance_transform_edt(np.pad(line, 1)).max())
    touched = {
        int(one): ndimage.binary_dilation(regions == one, iterations=thickness) & line
        for one in np.unique(regions[regions > 0])
    }
    lengths = {one: int(touch.sum()) for one, touch in touched.items()}
    return [
        (one, other)
        for one, other in combinations(touched, 2)
        if 2 * int((touched[one] & touched[other]).sum()) > min(lengths[one], lengths[other])
    ]


def _hull(mask: Bools, more: Sequence[tuple[int, int]]) -> Bools:
    """Pixels inside the convex hull of the pixels in `mask` and of `more` (row, column)."""
    from scipy.spatial import ConvexHull

    centers = np.concatenate([np.argwhere(mask), np.array(more, dtype=np.int64).reshape(-1, 2)])
    points = np.concatenate([centers + end for end in product((-0.25, 0.25), repeat=2)])
    corners = points[ConvexHull(points).vertices, ::-1]
    out = np.zeros_like(mask)
    top, left, inside = rasterize(corners.tolist(), (mask.shape[0], mask.shape[1]), 0.0)
    out[top : top + inside.shape[0], left : left + inside.shape[1]] = inside
    return out
