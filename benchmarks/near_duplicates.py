"""Near duplicates on real images: recall and false positives per kind of altered copy, and the index at scale.

    python benchmarks/near_duplicates.py ../shared/samples
    python benchmarks/near_duplicates.py --scale 1e6 --axes 2

The first form reads every image of the datasets found below the folder, makes altered copies of each, and asks
`pairs` for all of them at once. A copy is recalled when it is paired with its original; a false positive is a pair of
images that do not come from one original. The second form enters made-up signatures.
"""

from __future__ import annotations

import argparse
import io
import resource
import time
from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import nibabel as nib
import numpy as np
from PIL import Image
from scipy import ndimage

from medimg import registry
from medimg.files import Files
from medimg.fusion import signatures
from medimg.fusion.matching import pairs, similarity
from medimg.fusion.signatures import Signature, signature
from medimg.pixels import Array, Picture, Volume
from medimg.rows import iterate
from medimg.schema import Skipped

PICTURES = ("dsb2018", "hc18", "blood-cells", "covid-chestxray")
VOLUMES = ("msd-hippocampus",)
BEYOND = frozenset({"saturated by 30 %", "28 x 28 thumbnail"})
"""Alterations that go further than what is promised: shown, but not counted."""


def decoded(image: Image.Image, kind: str, **options: object) -> Array:
    """An array after a round trip through a file format."""
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    with Image.open(stream) as reopened:
        return np.asarray(reopened)


def altered_picture(array: Array) -> Iterator[tuple[str, Array]]:
    """(kind, copy) of a uint8 picture (height, width[, channels]); alpha is dropped as JPEG would."""
    colors = array[..., :3] if array.ndim == 3 else array
    image = Image.fromarray(np.ascontiguousarray(colors))
    gray = colors.astype(np.float32).mean(axis=2) if colors.ndim == 3 else colors.astype(np.float32)
    for quality in (75, 90):
        yield f"JPEG {quality}", decoded(image, "JPEG", quality=quality)
    deep = Image.fromarray((gray * 200 + 1000).astype(np.uint16))
    yield "16-bit PNG", decoded(deep, "PNG", compress_level=1)
    yield "float TIFF", decoded(Image.fromarray(gray / 255 - 0.5), "TIFF")
    yield "16-bit to 8-bit", np.round((gray * 257 - 300).clip(0, 65535) / 257).astype(np.uint8)
    yield "to gray (luma)", np.asarray(image.convert("L"))
    yield "intensity * 0.6 + 30", (gray * 0.6 + 30).astype(np.uint8)
    yield "inverted", 255 - colors
    yield "gamma 1.5", (255 * (gray / 255) ** 1.5).astype(np.uint8)
    yield "gamma 0.67", (255 * (gray / 255) ** 0.67).astype(np.uint8)
    yield "noise of 5 %", gray + np.random.default_rng(0).normal(0, 0.05 * gray.std() + 1e-6, gray.shape)
    yield "flipped left-right", colors[:, ::-1]
    yield (
        "flipped up-down, JPEG 75",
        decoded(Image.fromarray(np.ascontiguousarray(colors[::-1])), "JPEG", quality=75),
    )
    yield "turned by 90 degrees", np.rot90(colors)
    for factor in (0.5, 0.75, 1.5):
        size = (round(image.width * factor), round(image.height * factor))
        yield f"resized * {factor}", np.asarray(image.resize(size, Image.Resampling.BILINEAR))
    yield "every second pixel", colors[::2, ::2]
    yield (
        "224 x 224, JPEG 75",
        decoded(image.resize((224, 224), Image.Resampling.BICUBIC), "JPEG", quality=75),
    )
    yield "saturated by 30 %", (gray * 1.3 + 20).clip(0, 255).astype(np.uint8)
    yield "28 x 28 thumbnail", np.asarray(image.resize((28, 28), Image.Resampling.BICUBIC))


def altered_volume(volume: Volume) -> Iterator[tuple[str, Array | Volume]]:
    """(kind, copy) of a volume (i, j, k)."""
    array = volume.array.astype(np.float64)
    low, high = float(array.min()), float(array.max())
    eight_bit = ((array - low) / (high - low) * 255).round().astype(np.uint8)
    yield "other spacing and origin", Volume.from_array(volume.array, np.diag([0.7, 1.3, 4.0, 1.0]))
    yield "8-bit, other spacing", Volume.from_array(eight_bit, np.diag([2.0, 2.0, 5.0, 1.0]))
    yield "float32, * 0.01 - 3", Volume.from_array((array * 0.01 - 3).astype(np.float32), np.eye(4))
    yield "inverted", -array
    for share in (1, 5):
        inner = np.percentile(array, (share, 100 - share))
        yield f"contrast of the inner {100 - 2 * share} %", array.clip(*inner)
    yield "gamma 1.5", ((array - low) / (high - low)) ** 1.5
    yield "noise of 5 %", array + np.random.default_rng(0).normal(0, 0.05 * array.std(), array.shape)
    for number in range(1, 8):
        axes = tuple(axis for axis in range(3) if number >> axis & 1)
        yield (
            f"flipped along {'ijk'[axes[0]]}{''.join('ijk'[axis] for axis in axes[1:])}",
            np.flip(array, axes),
        )
    yield "axes k, i, j", array.transpose(2, 0, 1)
    yield "axes j, k, i, one flipped, 8-bit", eight_bit.transpose(1, 2, 0)[:, ::-1]
    image = nib.Nifti1Image(volume.array.astype(np.float32), volume.affine)
    for code in ("LPS", "PSR"):
        target = nib.orientations.axcodes2ornt(code)
        turn = nib.orientations.ornt_transform(nib.io_orientation(image.affine), target)
        yield f"reoriented to {code}", np.asarray(image.as_reoriented(turn).dataobj)
    for steps in ((1.25, 1.25, 1.25), (1.4, 1.4, 1.4), (0.7, 0.7, 0.7), (1, 1, 2), (0.6, 0.8, 1.3)):
        told = " ".join(map(str, steps))
        counts = {
            "rounded": [round(n / step) for n, step in zip(array.shape, steps, strict=True)],
            "rounded up": [int(np.ceil((n - 1) / step)) + 1 for n, step in zip(array.shape, steps, strict=True)],
        }
        for how, shape in counts.items():
            grid = np.meshgrid(*(np.arange(n) * step for n, step in zip(shape, steps, strict=True)), indexing="ij")
            yield f"voxels * {told}, {how}", ndimage.map_coordinates(array, grid, order=1, mode="nearest")
        yield (
            f"voxels * {told}, same field",
            ndimage.zoom(array, [1 / s for s in steps], order=1, mode="nearest", grid_mode=True),
        )
    yield "every second slice", array[:, :, ::2]


class Result(NamedTuple):
    """What was found: kind of copy -> (recalled, copies, lowest similarity); matches between unlike originals."""

    originals: int
    kinds: dict[str, tuple[int, int, float]]
    wrong: list[tuple[str, str, float]]
    closest: list[tuple[float, str, str]]

    @property
    def recall(self) -> float:
        """Over all copies that count."""
        counted = [each for kind, each in self.kinds.items() if kind not in BEYOND]
        return sum(each[0] for each in counted) / sum(each[1] for each in counted)


def images(folder: Path, names: tuple[str, ...]) -> Iterator[tuple[str, Picture | Volume]]:
    """(row id, decoded image) of every row of the datasets, through their builders."""
    for name in names:
        with Files.open(folder / name, dataset=name) as files:
            for record in iterate(registry.get(name), files):
                if not isinstance(record, Skipped) and isinstance(record.image, Picture | Volume):
                    yield record.values["id"], record.image


def measure(folder: Path, names: tuple[str, ...]) -> Result:
    """Recall and false positives over all originals and all their copies in one index."""
    originals: dict[str, Signature] = {}
    copies: dict[tuple[str, str], Signature] = {}
    for key, image in images(folder, names):
        originals[key] = signature(image)
        altered = altered_picture(image.array) if isinstance(image, Picture) else altered_volume(image)
        for kind, copy in altered:
            copies[key, kind] = signature(copy, axes=None if isinstance(copy, Volume) else originals[key].axes)
    every = {(key, ""): each for key, each in originals.items()} | copies
    names_ = list(every)
    found = defaultdict(set)
    wrong = []
    for first, second, score in pairs(list(every.values())):
        one, other = names_[first], names_[second]
        found[one].add(other)
        found[other].add(one)
        if one[0] != other[0]:
            wrong.append((" ".join(one), " ".join(other), score))
    kinds: dict[str, tuple[int, int, float]] = {}
    for (key, kind), each in copies.items():
        recalled, count, lowest = kinds.get(kind, (0, 0, 1.0))
        kinds[kind] = (
            recalled + ((key, "") in found[key, kind]),
            count + 1,
            min(lowest, similarity(originals[key], each)),
        )
    closest = sorted(
        ((similarity(originals[a], originals[b]), a, b) for b, a in combinations(originals, 2)),
        reverse=True,
    )
    return Result(len(originals), kinds, wrong, closest[:3])


def scale(count: int, axes: int) -> None:
    """Time and memory of the index on made-up signatures that share a common part, with planted copies."""
    held = int(signatures.ball(axes).sum())
    random = np.random.default_rng(0)
    common, weights = random.standard_normal(held), np.exp(random.normal(0, 0.5, held))
    shape = (512,) * axes
    every: list[Signature] = []
    planted: dict[int, Signature] = {}
    for start in range(0, count, 10000):
        block = (random.standard_normal((min(10000, count - start), held)) + common) * weights
        block *= 127 / np.abs(block).max(axis=1, keepdims=True)
        for number, row in enumerate(block[:10], start):
            copy = row + random.normal(0, 0.2 * row.std(), held)
            planted[number] = Signature(shape, copy.clip(-127, 127).round().astype(np.int8).tobytes())
        every += [Signature(shape, row.tobytes()) for row in block.round().astype(np.int8)]
    print(f"{count} signatures of {held} bytes, {axes} axes")
    began = time.perf_counter()
    found = {(one, other) for one, other, _ in pairs([*every, *planted.values()])}
    recalled = sum((key, count + number) in found for number, key in enumerate(planted))
    print(f"  pairs         {time.perf_counter() - began:8.1f} s for all, {recalled} of {len(planted)} planted found,")
    print(f"                {len(found) - recalled} others")
    print(f"  peak memory   {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:8.2f} GB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("samples", type=Path, nargs="?", help="folder with one folder per dataset")
    parser.add_argument("--scale", type=float, help="number of made-up signatures instead")
    parser.add_argument("--axes", type=int, default=2, choices=(2, 3))
    arguments = parser.parse_args()
    if arguments.scale:
        scale(int(arguments.scale), arguments.axes)
        return
    if arguments.samples is None:
        parser.error("name the folder of samples, or --scale")
    for names in (PICTURES, VOLUMES):
        there = tuple(name for name in names if (arguments.samples / name).is_dir())
        result = measure(arguments.samples, there)
        print(f"\n{', '.join(there)}: {result.originals} originals\n")
        print("| altered copy | recalled | lowest similarity |\n|---|---|---|")
        for kind, (recalled, count, lowest) in sorted(result.kinds.items(), key=lambda item: -item[1][2]):
            print(f"| {kind}{' (not counted)' if kind in BEYOND else ''} | {recalled} of {count} | {lowest:.3f} |")
        print(f"\nrecall {result.recall:.4f}, false positives {len(result.wrong)}")
        for one, other, score in result.wrong[:10]:
            print(f"  wrong: {one} / {other}: {score:.3f}")
        print("closest originals: " + "; ".join(f"{a} / {b} {score:.3f}" for score, a, b in result.closest))


if __name__ == "__main__":
    main()
