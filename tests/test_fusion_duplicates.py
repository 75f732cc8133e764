"""Signatures, the index over them, and what `find_duplicates` leaves out. Real images: tests/../shared/samples."""

from __future__ import annotations

import importlib.util
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from medimg import registry
from medimg.errors import FormatError
from medimg.fusion.duplicates import DuplicateError, declared_overlaps, find_duplicates
from medimg.fusion.entries import Scanned, preference
from medimg.fusion.matching import pairs, similarity
from medimg.fusion.report import DeclaredOverlap, Drop
from medimg.fusion.scanning import signature_of
from medimg.fusion.signatures import THRESHOLD, Signature, signature
from medimg.phantom import Phantom
from medimg.pixels import Array, Picture, Volume

RANK = {"test": 0, "validation": 1, "train": 2}


def texture(seed: int, shape: tuple[int, ...]) -> Array:
    """A smooth random image, values about 0 to 1000."""
    noise = np.random.default_rng(seed).normal(size=shape)
    field = sum(ndimage.gaussian_filter(noise, sigma) * sigma for sigma in (1.0, 3.0, 6.0))
    return 500 + 150 * field / field.std()


def phantom_volume(seed: str, shape: tuple[int, ...] = (12, 10, 6), **options: Any) -> Volume:
    make = Phantom()
    make.nifti("a.nii", shape, seed=seed, **options)
    return Volume(make.files["a.nii"])


# signatures


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 1000),
    axes=st.sampled_from((2, 3)),
    scale=st.floats(0.01, 50) | st.floats(-50, -0.01),
    shift=st.floats(-1e4, 1e4),
    dtype=st.sampled_from(("float32", "float64", "int32")),
    data=st.data(),
)
def test_the_signature_ignores_intensity_flips_axes_and_dtype(
    seed: int, axes: int, scale: float, shift: float, dtype: str, data: st.DataObject
) -> None:
    image = texture(seed, (64, 80) if axes == 2 else (26, 40, 20))
    order = data.draw(st.permutations(range(axes)))
    flipped = data.draw(st.sets(st.integers(0, axes - 1)))
    copy = np.flip(image.transpose(order), tuple(flipped)) * scale + shift
    if dtype == "int32":
        copy = np.round(copy * 100)
    assert similarity(signature(image), signature(copy.astype(dtype))) > 0.995
    other = texture(seed + 5000, image.shape)
    assert similarity(signature(other), signature(copy)) < 0.8


@pytest.mark.parametrize("shape", [(200, 160), (150, 240)])
@pytest.mark.parametrize("factor", [0.5, 0.8, 1.3])
def test_a_resized_picture_keeps_its_signature(shape: tuple[int, int], factor: float) -> None:
    image = texture(3, shape)
    size = (round(shape[1] * factor), round(shape[0] * factor))
    copy = np.asarray(Image.fromarray(image.astype(np.float32)).resize(size, Image.Resampling.BILINEAR))
    assert similarity(signature(image), signature(copy)) > THRESHOLD[2][1]


@pytest.mark.parametrize("form", ["PNG 16", "PNG 8", "JPEG", "TIFF", "RGBA", "palette"])
def test_saving_again_keeps_the_signature(form: str) -> None:
    image = texture(4, (120, 100)).clip(0, 1000)
    byte = Image.fromarray((image / 4).astype(np.uint8))
    kind, copy = {
        "PNG 16": ("PNG", Image.fromarray((image * 60).astype(np.uint16))),
        "PNG 8": ("PNG", byte),
        "JPEG": ("JPEG", byte),
        "TIFF": ("TIFF", Image.fromarray(image.astype(np.float32))),
        "RGBA": ("PNG", byte.convert("RGBA")),
        "palette": ("GIF", byte.convert("P")),
    }[form]
    stream = io.BytesIO()
    copy.save(stream, kind, **({"quality": 75} if kind == "JPEG" else {}))
    stored = {"bytes": stream.getvalue(), "path": f"a.{kind.lower()}"}
    assert similarity(signature(image), signature(stored)) > 0.99
    # The alpha channel has no say.
    if form == "RGBA":
        assert similarity(signature(stored), signature(np.asarray(byte))) > 0.999


def test_all_forms_of_one_volume_have_one_signature() -> None:
    volume = phantom_volume("a", (30, 24, 20))
    expected = signature(volume)
    assert expected.axes == 3 and expected.shape == (30, 24, 20) and not expected.blank
    for form in (
        {"bytes": bytes(volume.nifti), "path": "a.nii"},
        volume.array,
        np.array(volume.array),
    ):
        assert signature(form) == expected
    assert Signature.from_text(expected.to_text()) == expected


def test_a_series_does_not_depend_on_the_order_or_scale_of_its_volumes() -> None:
    volumes = [texture(seed, (24, 30, 20)) for seed in range(4)]
    one = np.stack(volumes, axis=-1)
    other = np.stack([volumes[3] * 7, volumes[1], volumes[0] - 100, volumes[2] * 0.1], axis=-1)
    assert similarity(signature(one), signature(other)) > 0.99
    assert (
        similarity(signature(one), signature(np.stack([texture(s, (24, 30, 20)) for s in range(9, 13)], axis=-1))) < 0.8
    )


def test_odd_voxels_have_signatures() -> None:
    image = texture(8, (40, 30, 20)).astype(np.float32)
    broken = image.copy()
    broken[0, 0, 0], broken[5, 5, 5], broken[7, 7, 7] = np.nan, np.inf, -np.inf
    assert similarity(signature(image), signature(broken)) > 0.95
    byte = (image / 4).clip(0, 255).astype(np.uint8)
    colors = np.empty(byte.shape, [("R", "u1"), ("G", "u1"), ("B", "u1")])
    for name in "RGB":
        colors[name] = byte
    assert similarity(signature(image), signature(colors)) > 0.99
    assert similarity(signature(image), signature((image * np.exp(1j * image)).astype(np.complex64))) > 0.99
    assert signature(image[:, :, :1], axes=3).axes == 3


def test_images_without_content_match_nothing() -> None:
    every = []
    for image in (
        np.full((50, 60), 7),
        np.zeros((9, 9, 9)),
        texture(1, (7, 7)),
        np.full((20, 20), np.nan),
        np.zeros((50, 60)),
    ):
        made = signature(image)
        assert made.blank and Signature.from_text(made.to_text()) == made
        assert similarity(made, made) == 0
        every += [made, made, None]
    assert list(pairs(every)) == []


def test_pictures_and_volumes_are_never_alike() -> None:
    flat = texture(1, (64, 64))
    both = signature(flat), signature(flat[:, :, None], axes=3)
    assert similarity(*both) == 0 and list(pairs(both)) == []


def test_what_has_no_signature() -> None:
    with pytest.raises(FormatError, match=r"cannot be decoded.*") as caught:
        signature({"bytes": b"no image", "path": "a.png"})
    assert caught.value.file == "a.png"
    with pytest.raises(FormatError, match="no bytes"):
        signature({"bytes": None, "path": "a.png"})
    with pytest.raises(FormatError, match="no pixels"):
        signature(np.empty((0, 4)))
    with pytest.raises(FormatError, match="2 or 3 axes"):
        signature(np.zeros((2, 2, 2, 2)), axes=2)
    for text in ("", "AAAA", Signature((9, 9), b"short").to_text()):
        with pytest.raises(ValueError, match="not a signature"):
            Signature.from_text(text)


def test_phantoms_that_look_alike_are_told_apart() -> None:
    """Phantoms are one blob with other noise: the hardest case there is. (Larger volumes differ in nothing else.)"""
    shapes = ((12, 10, 6), (16, 12, 4), (12, 14, 10), (16, 14, 8), (48, 50, 1), (64, 72, 1))
    originals = {(shape, seed): phantom_volume(seed, shape) for shape in shapes for seed in "abcdefgh"}
    made = [signature(volume.array[:, :, 0] if key[0][2] == 1 else volume) for key, volume in originals.items()]
    assert list(pairs(made)) == []
    for number, (key, volume) in enumerate(originals.items()):
        array = ((volume.array.astype(np.float32) + 1000) / 1400 * 255).clip(0, 255).astype(np.uint8)
        if key[0][2] == 1:
            copy = signature(Picture(array[::-1, :, 0]))
        else:
            copy = signature(Volume.from_array(array[:, ::-1], np.diag([0.5, 0.6, 3.0, 1.0])))
        assert [pair[:2] for pair in pairs([*made, copy])] == [(number, len(made))]


# the index


@pytest.mark.parametrize("axes", [2, 3])
def test_the_index_finds_what_comparing_all_finds(axes: int) -> None:
    shape, noise = ((64, 72), (3, 10, 40)) if axes == 2 else ((24, 28, 20), (5, 20, 120))
    rng = np.random.default_rng(axes)
    made: dict[int, Signature] = {}
    for number in range(60):
        image = texture(number // 2, shape)
        made[number] = signature(image + rng.normal(0, rng.choice(noise), shape))
    expected = {
        (one, other): similarity(made[one], made[other])
        for one in made
        for other in made
        if one < other and similarity(made[one], made[other]) >= THRESHOLD[axes][0]
    }
    assert 10 < len(expected) < 30
    found = {(one, other): score for one, other, score in pairs(list(made.values()))}
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("axes", [2, 3])
def test_the_index_misses_little_among_many(axes: int) -> None:
    rng = np.random.default_rng(axes)
    size = len(signature(texture(0, (64, 64) if axes == 2 else (20, 20, 20))).data)
    shared, count = rng.normal(size=size), 6000
    rows = rng.normal(size=(count, size)) + shared
    rows[count // 2 :] = rows[: count // 2] + rng.normal(0, 0.3, size=(count // 2, size))
    shape = (256,) * axes
    coded = [Signature(shape, np.round(row * 20).clip(-127, 127).astype(np.int8).tobytes()) for row in rows]
    found = {(one, other) for one, other, _ in pairs(coded)}
    planted = {(number, number + count // 2) for number in range(count // 2)}
    assert len(found & planted) >= 0.99 * len(planted)
    assert found <= planted


def test_copies_on_another_grid_have_their_own_threshold() -> None:
    volume = texture(5, (40, 44, 48))
    every = [signature(volume), signature(ndimage.zoom(volume, 0.8, order=1)), signature(volume.T)]
    assert [pair[:2] for pair in pairs(every, {2: (0, 0), 3: (0.0, 1.1)})] == [(0, 2)]
    assert [pair[:2] for pair in pairs(every, {2: (0, 0), 3: (1.1, 0.9)})] == [(0, 1), (1, 2)]


# what goes


SOURCES = ("aaa", "bbb", "ccc")
IMAGES = [signature(texture(number, (64, 64))) for number in range(3)]
NEAR = [signature(texture(number, (64, 64)) * -3) for number in range(3)]


@st.composite
def fused(draw: st.DrawFn) -> list[Scanned]:
    """Rows of three datasets: six images, two and two of which are near duplicates, and three without a signature."""
    entries = []
    for number in range(draw(st.integers(0, 14))):
        image = draw(st.integers(0, 8))
        dataset = draw(st.sampled_from(SOURCES))
        entries.append(
            Scanned(
                key=f"{dataset}/{number}",
                content=f"content {image}",
                signature=(IMAGES + NEAR)[image] if image < 6 else None,
                subject=draw(st.sampled_from((None, None, "p", "q", "r"))),
                split=draw(st.sampled_from(("train", "validation", "test"))),
                assessed=("liver",) * draw(st.integers(0, 1)),
                license=draw(st.sampled_from(("CC0-1.0", "CC-BY-NC-4.0", ""))),
            )
        )
    return entries


def image_of(entry: Scanned) -> int:
    number = int(entry.content.split()[1])
    return number % 3 if number < 6 else number


def person_of(entry: Scanned) -> tuple[str, str] | None:
    return None if entry.subject is None else (entry.dataset, entry.subject)


def linked(entries: list[Scanned]) -> Iterator[list[Scanned]]:
    """Brute force: entries that belong together over any number of steps."""
    left = list(entries)
    while left:
        group = [left.pop()]
        for entry in group:
            for other in list(left):
                same_person = person_of(entry) is not None and person_of(entry) == person_of(other)
                if same_person or image_of(entry) == image_of(other):
                    left.remove(other)
                    group.append(other)
        yield group


@settings(max_examples=300, deadline=None)
@given(entries=fused(), within=st.sampled_from(("keep", "exact", "near")))
def test_what_stays_and_what_goes(entries: list[Scanned], within: Any) -> None:
    report = find_duplicates(entries, within=within)
    by_key = {entry.key: entry for entry in entries}
    staying = [entry for entry in entries if entry.key not in report.keys]
    order = {entry.key: (preference(entry), number) for number, entry in enumerate(entries)}

    # No image and no person stands in two splits: of what belongs together, exactly the first split's rows stay.
    leaks = {drop.key for drop in report.dropped if drop.reason.startswith("leak")}
    expected = set()
    for group in linked(entries):
        first = min((entry.split for entry in group), key=RANK.__getitem__)
        expected |= {entry.key for entry in group if entry.split != first}
    assert leaks == expected

    # No image twice among what stays, but for what `within` allows.
    for one in staying:
        for other in staying:
            if one.key < other.key and one.split == other.split and image_of(one) == image_of(other):
                assert one.dataset == other.dataset
                assert within == "keep" or (within == "exact" and one.content != other.content)

    # Every duplicate that goes is the same image as a row of its split that stays and is preferred.
    for drop in report.dropped:
        gone, kept = by_key[drop.key], by_key[drop.of]
        assert kept.key not in report.keys or drop.reason.startswith("leak")
        assert drop.key in drop.why and drop.of in drop.why
        assert (drop.of_member, drop.of_split) == (kept.dataset, kept.split)
        if drop.reason in ("exact duplicate", "near duplicate", "leak: image"):
            assert image_of(gone) == image_of(kept)
            assert (drop.similarity is None) == (gone.content == kept.content)
        if drop.reason == "leak: subject":
            assert person_of(gone) == person_of(kept)
        if not drop.reason.startswith("leak"):
            assert gone.split == kept.split and order[kept.key] < order[gone.key]

    # Groups are the rows of one image.
    images: dict[int, list[str]] = {}
    for entry in entries:
        images.setdefault(image_of(entry), []).append(entry.key)
    assert sorted(group.keys for group in report.groups) == sorted(tuple(k) for k in images.values() if len(k) > 1)

    assert json.loads(json.dumps(report.to_json()))["rows"] == len(entries)
    assert sum(report.counts.values()) == len(report.dropped)

    kept_all = find_duplicates(entries, within=within, on_duplicate="keep")
    assert kept_all.keys == expected
    assert all(not drop.reason.startswith("leak") for drop in find_duplicates(entries, splits=None).dropped)
    if report.dropped:
        with pytest.raises(DuplicateError, match=f"{len(report.dropped)} of {len(entries)} rows"):
            find_duplicates(entries, within=within, on_duplicate="error")
    else:
        assert find_duplicates(entries, within=within, on_duplicate="error") == report


def only_drop(entries: list[Scanned], **options: Any) -> Drop:
    (drop,) = find_duplicates(entries, **options).dropped
    return drop


def test_who_stays() -> None:
    few = Scanned("a/1", "x", assessed=("liver",), license="CC0-1.0")
    many = Scanned("b/1", "x", assessed=("liver", "liver tumor"), license="CC-BY-NC-4.0")
    strict = Scanned("c/1", "x", assessed=("liver",), license="CC-BY-NC-4.0")
    free = Scanned("d/1", "x", assessed=("liver",), license="CC0-1.0")
    assert only_drop([few, many]).key == "a/1"
    assert only_drop([strict, free]).key == "c/1"
    assert only_drop([few, free]).key == "d/1"
    assert only_drop([free, few]).key == "a/1"
    assert only_drop([few, many], prefer=lambda entry: entry.key).key == "b/1"
    # The same file under two names of one member is one image; with within="keep" the source's own are left alone.
    twice = [few, few._replace(key="a/2")]
    assert only_drop(twice).key == "a/2"
    assert find_duplicates(twice, within="keep").dropped == ()
    apart = [each._replace(member=name) for each, name in zip(twice, "xy", strict=True)]
    assert only_drop(apart, within="keep").member == "y"


def test_one_person_with_two_names_is_known_by_a_shared_image() -> None:
    rows = [
        Scanned("a/1", "shared", subject="ann", split="test"),
        Scanned("b/1", "shared", subject="patient 7", split="train"),
        Scanned("b/2", "another", subject="patient 7", split="train"),
        Scanned("b/3", "third", subject="patient 8", split="train"),
        Scanned("c/1", "fourth", subject="ann", split="train"),  # another dataset's ann
    ]
    dropped = find_duplicates(rows).dropped
    assert [(drop.key, drop.reason) for drop in dropped] == [("b/1", "leak: image"), ("b/2", "leak: linked")]
    assert find_duplicates(rows, splits=("train", "test")).keys == {"a/1"}
    strange = [row._replace(split="val" if row.split == "test" else "train") for row in rows]
    assert find_duplicates(strange).keys == {"a/1"}, "splits without a rank come last"


@pytest.mark.parametrize("blank", ["", " ", "\t", "\u00a0"])
def test_blank_subjects_are_no_one_person(blank: str) -> None:
    rows = [Scanned(f"a/{n}", f"image {n}", subject=blank, split="test" if n else "train") for n in range(4)]
    assert find_duplicates(rows).dropped == ()


def test_keys_are_unique() -> None:
    rows = [Scanned("a/1", "x"), Scanned("a/1", "y")]
    with pytest.raises(ValueError, match="'a/1'"):
        find_duplicates(rows)


def test_declared_overlaps_are_compared_with_what_is_found() -> None:
    lits, hippocampus = registry.get("lits").dataset, registry.get("msd-hippocampus").dataset
    liver = hippocampus.model_copy(update={"name": "msd-liver", "overlaps": ()})
    (declared,) = declared_overlaps([liver, lits, hippocampus])
    assert (declared.dataset, declared.other, declared.found) == ("lits", "msd-liver", None)
    assert declared.evidence
    rows = [
        Scanned("lits/1", "x"),
        Scanned("msd-liver/1", "x"),
        Scanned("lits/2", "y"),
        Scanned("msd-liver/2", "y"),
    ]
    report = find_duplicates(rows, overlaps=[declared])
    assert [each.found for each in report.overlaps] == [2] and report.warnings == ()
    assert "2 of msd-liver: exact duplicate (lits stays)" in str(report)
    assert "2 images found in both" in str(report)

    report = find_duplicates([rows[0], rows[3]], overlaps=[declared])
    assert [each.found for each in report.overlaps] == [0]
    assert "lits declares an overlap with msd-liver" in report.warnings[0]
    assert find_duplicates([rows[0]], overlaps=[declared]).warnings == (), "the other has no rows here"

    report = find_duplicates(
        [*rows, Scanned("other/1", "y")], overlaps=[DeclaredOverlap("lits", "msd-liver", "same", "seen")]
    )
    assert [w.split(" share")[0] for w in report.warnings] == ["lits and other", "msd-liver and other"]


class Untouchable(dict[str, Any]):
    """A row whose pixels must not be read."""

    def __getitem__(self, key: str) -> Any:
        assert key != "image"
        return super().__getitem__(key)


def test_each_content_is_signed_once() -> None:
    volume = phantom_volume("a", (20, 20, 20))
    image = {"bytes": bytes(volume.nifti), "path": "volume-1.nii"}
    row: Mapping[str, Any] = {"id": "lits/1", "image": image, "content": volume.content()}
    cache: dict[str, str] = {}
    assert signature_of(row, cache) == signature(volume)
    assert list(cache) == [volume.content()]
    assert signature_of(Untouchable(row), cache) == signature(volume)
    fresh = cache[volume.content()]
    cache[volume.content()] = "AAAA"  # of another version
    assert signature_of(row, cache) == signature(volume)
    assert cache[volume.content()] == fresh
    with pytest.raises(FormatError) as caught:
        signature_of({**row, "content": "y", "image": {"bytes": b"", "path": None}}, cache)
    assert "lits/1" in str(caught.value)


# real images


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    path = Path(__file__).parents[1] / "benchmarks" / "near_duplicates.py"
    spec = importlib.util.spec_from_file_location("near_duplicates", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("names", [("dsb2018", "hc18", "blood-cells"), ("msd-hippocampus",)])
def test_copies_of_real_images_are_found_and_nothing_else(
    samples: Path, benchmark: ModuleType, names: tuple[str, ...]
) -> None:
    result = benchmark.measure(samples, names)
    assert result.originals >= 25
    assert result.recall >= 0.99
    assert result.wrong == []
