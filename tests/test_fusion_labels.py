"""Harmonization: masks, classes, boxes and measures against a brute force over all possible truths."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from medimg import vocab
from medimg.errors import LabelError
from medimg.fusion.errors import FusionError
from medimg.fusion.facts import IGNORE, Facts, classify, recoding, single
from medimg.fusion.labels import Harmonizer, fused_features
from medimg.fusion.maps import Mask
from medimg.fusion.semantics import ABSENT, PRESENT, UNKNOWN, infer, innermost, inside, may_meet, wholes
from medimg.pixels import Volume

# ---------------------------------------------------------------------------------------- the brute force
# A place shows a set of terms. Sets that are possible: with a term come all that it is a kind or a part of, and with
# a whole at least one part of each of its partitions. What holds in every possible set that agrees with what the
# annotators said is known; all else is not. Nothing below uses the code under test but the list of wholes.

WORLD = (
    "abdomen",
    "liver",
    "liver tumor",
    "hepatocellular carcinoma",
    "tumor",
    "kidney",
    "left kidney",
    "right kidney",
    "kidney tumor",
    "spleen",
)
SUMS = {"kidney": [("left kidney", "right kidney")]}


def parents(term: str) -> set[str]:
    return {parent for parent in (*vocab.label[term].is_a, *vocab.label[term].part_of) if parent in WORLD}


def subsets() -> Iterator[frozenset[str]]:
    for bits in product((False, True), repeat=len(WORLD)):
        yield frozenset(term for term, bit in zip(WORLD, bits, strict=True) if bit)


CLOSED = [shown for shown in subsets() if all(parents(term) <= shown for term in shown)]
"""For sources that contradict the sums."""
WORLDS = [
    shown
    for shown in CLOSED
    if all(any(part in shown for part in way) for whole in shown for way in SUMS.get(whole, []))
]


def up(term: str) -> set[str]:
    found, todo = set(), [term]
    while todo:
        one = todo.pop()
        found.add(one)
        todo += parents(one)
    return found


def kinds(term: str) -> set[str]:
    """What it is a kind of."""
    return {term}.union(*(kinds(parent) for parent in vocab.label[term].is_a))


def brute(present: set[str], absent: set[str], target: str, doubtful: set[str] = frozenset()) -> int:  # type: ignore[assignment]
    """Of the terms that the place shows, those that the source doubts may be there or not."""
    absent = absent - {wider for term in present for wider in up(term)}
    shown = {wider for term in present if not kinds(term) & doubtful for wider in up(term)}
    for worlds in (WORLDS, CLOSED):
        agreeing = [world for world in worlds if shown <= world and not absent & world]
        if agreeing:
            having = [target in world for world in agreeing]
            return PRESENT if all(having) else UNKNOWN if any(having) else ABSENT
    raise AssertionError("closed worlds always agree")


def lies_inside(inner: str, outer: str) -> bool:
    """By paths: outer is reached from inner; or inner is (a kind of) a part of what outer is a kind of."""

    def containers(term: str) -> set[str]:
        return set().union(*({whole} | containers(whole) for whole in vocab.label[term].part_of), set())

    if inner == outer:
        return False
    if outer in up(inner):
        return True
    around = set().union(*(containers(kind) for kind in kinds(inner))) - kinds(inner)
    return bool(around & kinds(outer))


def could_meet(term: str, other: str) -> bool:
    return lies_inside(term, other) or any(term in up(each) and other in up(each) for each in WORLD)


def brute_index(states: Sequence[int], targets: Sequence[str]) -> int | None:
    """None: two targets overlap and neither lies inside the other."""
    shown = [t for t, state in zip(targets, states, strict=True) if state == PRESENT]
    open_ = [t for t, state in zip(targets, states, strict=True) if state == UNKNOWN]
    if not shown:
        return IGNORE if open_ else 0
    best = [t for t in shown if all(t == other or lies_inside(t, other) for other in shown)]
    if not best:
        return None
    return IGNORE if any(could_meet(t, best[0]) for t in open_) else targets.index(best[0]) + 1


def brute_looked(target: str, outlined: set[str], nowhere: set[str]) -> bool:
    ways = SUMS.get(target, [])
    return (
        target in outlined
        or bool(up(target) & nowhere)
        or any(all(brute_looked(part, outlined, nowhere) for part in way) for way in ways)
    )


# ------------------------------------------------------------------------------------------------- rows


def png(array: np.ndarray[Any, Any]) -> dict[str, Any]:
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, "PNG")
    return {"bytes": stream.getvalue(), "path": "mask.png"}


def nifti(array: np.ndarray[Any, Any], affine: Any = None) -> dict[str, Any]:
    matrix = np.diag([0.7, 0.8, 5.0, 1.0]) if affine is None else np.asarray(affine, float)
    return {"bytes": bytes(Volume.from_array(array, matrix).nifti), "path": "mask.nii"}


def row(
    mask: dict[str, Any] | None = None,
    legend: Mapping[int, tuple[str, ...]] | None = None,
    *,
    dataset: str = "one",
    classes: Sequence[str] = (),
    uncertain: Sequence[str] = (),
    assessed: Sequence[str] | None = None,
    instances: bool = False,
    boxes: Sequence[dict[str, Any]] = (),
    points: Sequence[dict[str, Any]] = (),
    measures: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    names = [*classes, *uncertain, *(name for each in (legend or {}).values() for name in each)]
    label = {
        "classes": list(classes),
        "uncertain": list(uncertain),
        "assessed": list(dict.fromkeys(names) if assessed is None else assessed),
        "mask": mask,
        "legend": [{"value": value, "names": list(each)} for value, each in (legend or {}).items()],
        "instances": instances,
        "boxes": list(boxes),
        "points": list(points),
        "measures": list(measures),
    }
    return {"id": f"{dataset}/1", "dataset": dataset, "label": label}


def index_map(fused: dict[str, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(Image.open(io.BytesIO(fused["mask"]["bytes"])))


def channel_maps(fused: dict[str, Any]) -> list[np.ndarray[Any, Any]]:
    return [np.asarray(Image.open(io.BytesIO(each["bytes"]))) for each in fused["channels"]]


# ------------------------------------------------------------------------------------- the property test

terms = st.sampled_from(WORLD)
legends = st.dictionaries(
    st.sampled_from([1, 2, 3, 7, 200, 255, 300, 40000]),
    st.lists(terms, max_size=3, unique=True),
    min_size=1,
    max_size=5,
)


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    legend=legends,
    more=st.lists(terms, max_size=3, unique=True),
    found=st.lists(terms, max_size=2, unique=True),
    doubtful=st.lists(terms, max_size=1, unique=True),
    targets=st.lists(terms, min_size=1, max_size=4, unique=True),
    seed=st.integers(0, 10),
    deep=st.booleans(),
)
def test_fused_masks_equal_the_brute_force(
    legend: dict[int, list[str]],
    more: list[str],
    found: list[str],
    doubtful: list[str],
    targets: list[str],
    seed: int,
    deep: bool,
) -> None:
    values = np.array([0, *legend])
    pixels = np.random.default_rng(seed).choice(values, size=(4, 5, 3) if deep else (6, 7))
    pixels.flat[: len(values)] = values
    pixels = pixels.astype(np.uint16 if values.max() > 255 else np.uint8)
    outlined = {name for names in legend.values() for name in names}
    assessed = {*outlined, *more, *found, *doubtful}
    one = row(
        nifti(pixels) if deep else png(pixels),
        {value: tuple(names) for value, names in legend.items()},
        classes=found,
        uncertain=doubtful,
        assessed=sorted(assessed),
    )
    somewhere = {wider for name in (*found, *doubtful) for wider in up(name)}
    nowhere = assessed - outlined - somewhere

    states: dict[int, list[int]] = {}
    for value in values:
        names = set(legend.get(int(value), ()))
        if value and not names:
            states[int(value)] = [UNKNOWN] * len(targets)
        else:
            known = outlined | nowhere
            states[int(value)] = [brute(names, known, target, {*doubtful}) for target in targets]

    channels = Harmonizer(targets, encoding="channels")(one, "3d" if deep else "2d")
    for number, target in enumerate(targets):
        looked = brute_looked(target, outlined, nowhere)
        codes = {
            value: 1 if each[number] == PRESENT else 0 if each[number] == ABSENT and looked else IGNORE
            for value, each in states.items()
        }
        expected = np.vectorize(codes.__getitem__)(pixels)
        if deep:
            got = np.asarray(nib.Nifti1Image.from_bytes(channels["channels"]["bytes"]).dataobj)[..., number]
        else:
            got = channel_maps(channels)[number]
        assert np.array_equal(got, expected), target

    codes_or_none = {value: brute_index(each, targets) for value, each in states.items()}
    if None in codes_or_none.values():
        with pytest.raises(FusionError, match="channels"):
            Harmonizer(targets)(one, "3d" if deep else "2d")
        return
    fused = Harmonizer(targets)(one, "3d" if deep else "2d")
    expected = np.vectorize(codes_or_none.__getitem__)(pixels)
    if deep:
        got = np.asarray(nib.Nifti1Image.from_bytes(fused["mask"]["bytes"]).dataobj)
    else:
        got = index_map(fused)
    assert np.array_equal(got, expected)
    assert fused["channels"] is None and channels["mask"] is None


@settings(max_examples=200, deadline=None)
@given(
    present=st.lists(terms, max_size=2),
    absent=st.lists(terms, max_size=3),
    targets=st.lists(terms, min_size=1, max_size=4, unique=True),
)
def test_what_follows_equals_the_brute_force(present: list[str], absent: list[str], targets: list[str]) -> None:
    got = infer(frozenset(present), frozenset(absent), tuple(targets))
    assert list(got) == [brute(set(present), set(absent), target) for target in targets]


@given(inner=st.sampled_from(list(vocab.label)), outer=st.sampled_from(list(vocab.label)))
def test_inside_is_never_mutual_and_implies_meeting(inner: str, outer: str) -> None:
    assert not (inside(inner, outer) and inside(outer, inner))
    assert not inside(inner, outer) or may_meet(inner, outer)


def test_what_all_parts_have_in_common_the_whole_has() -> None:
    assert infer(frozenset(["left lung"]), frozenset(), ("lobe of lung", "upper lobe of left lung")) == (
        PRESENT,
        UNKNOWN,
    )
    assert infer(frozenset(["cochlea"]), frozenset(), ("inner ear", "left cochlea")) == (
        PRESENT,
        UNKNOWN,
    )


def test_wholes_name_terms_of_the_vocabulary() -> None:
    assert wholes()["kidney"] == (("left kidney", "right kidney"),)
    assert "intracranial hemorrhage" not in wholes(), "a bleeding may be on neither side"
    for whole, ways in wholes().items():
        for way in ways:
            assert all(whole in vocab.label.ancestors(part) for part in way), (whole, way)


# ------------------------------------------------------------------------------------------ by hand: masks

LITS = {1: ("liver",), 2: ("liver", "liver tumor")}
NESTED = np.array([[0, 1, 2], [0, 1, 1]], np.uint8)


def fuse_map(targets: Sequence[str], legend: Mapping[int, tuple[str, ...]], **more: Any) -> list[list[int]]:
    one = row(png(more.pop("pixels", NESTED)), legend, **more)
    return index_map(Harmonizer(targets)(one, "2d")).tolist()  # type: ignore[no-any-return]


def test_the_part_wins_over_the_whole() -> None:
    assert fuse_map(["liver", "liver tumor"], LITS) == [[0, 1, 2], [0, 1, 1]]
    assert fuse_map(["liver tumor", "liver"], LITS) == [[0, 2, 1], [0, 2, 2]], "whatever the order"


def test_the_whole_takes_its_parts_even_where_the_legend_names_only_the_part() -> None:
    assert fuse_map(["liver"], LITS) == [[0, 1, 1], [0, 1, 1]]
    assert fuse_map(["liver"], {1: ("liver",), 2: ("liver tumor",)}) == [[0, 1, 1], [0, 1, 1]]


def test_left_and_right_make_the_whole_and_one_side_does_not() -> None:
    assert fuse_map(["kidney"], {1: ("left kidney",), 2: ("right kidney",)}) == [[0, 1, 1], [0, 1, 1]]
    assert fuse_map(["kidney"], {1: ("left kidney",), 2: ("spleen",)}) == [[255, 1, 255], [255, 1, 1]]


def test_a_target_inside_something_wider_is_ignored_there_and_background_outside() -> None:
    assert fuse_map(["left kidney"], {1: ("kidney",), 2: ("spleen",)}) == [[0, 255, 0], [0, 255, 255]]


def test_a_kidney_that_is_not_the_left_one_is_the_right_one() -> None:
    both = {1: ("kidney",), 2: ("kidney", "left kidney")}
    assert fuse_map(["left kidney", "right kidney"], both) == [[0, 2, 1], [0, 2, 2]]


def test_a_kidney_of_neither_side_does_not_become_background() -> None:
    odd = {1: ("kidney",), 2: ("left kidney",), 3: ("right kidney",)}
    assert fuse_map(["kidney"], odd) == [[0, 1, 1], [0, 1, 1]]


def test_a_tumor_in_a_kidney_of_known_side_is_the_tumor() -> None:
    legend = {1: ("left kidney",), 2: ("left kidney", "kidney tumor"), 3: ("right kidney",)}
    assert fuse_map(["left kidney", "right kidney", "kidney tumor"], legend) == [[0, 1, 3], [0, 1, 1]]


def test_a_liver_without_assessed_tumors_is_ignored_inside_in_index_and_everywhere_in_channels() -> None:
    one = row(png((NESTED > 0).astype(np.uint8)), {1: ("liver",)})
    targets = ["liver", "liver tumor"]
    assert index_map(Harmonizer(targets)(one, "2d")).tolist() == [[0, 255, 255], [0, 255, 255]]
    liver, tumor = channel_maps(Harmonizer(targets, encoding="channels")(one, "2d"))
    assert liver.tolist() == [[0, 1, 1], [0, 1, 1]] and (tumor == 255).all()


def test_an_unassessed_organ_may_be_anywhere_but_in_another_one() -> None:
    assert fuse_map(["liver", "spleen"], {1: ("liver",), 2: ("liver",)}) == [[255, 1, 1], [255, 1, 1]]


def test_a_value_without_names_is_ignored() -> None:
    assert fuse_map(["liver"], {1: ("liver",), 2: ()}) == [[0, 1, 255], [0, 1, 1]]


def test_unrelated_overlap_is_an_error_that_proposes_channels() -> None:
    legend = {1: ("liver",), 2: ("liver", "tumor")}
    with pytest.raises(FusionError, match=r"one.*'liver' and 'tumor'.*channels"):
        fuse_map(["liver", "tumor"], legend)
    one = row(png(NESTED), legend)
    maps = channel_maps(Harmonizer(["liver", "tumor"], encoding="channels")(one, "2d"))
    assert [each.tolist() for each in maps] == [[[0, 1, 1], [0, 1, 1]], [[0, 0, 1], [0, 0, 0]]]


def test_a_finding_that_is_absent_from_the_image_is_background_everywhere() -> None:
    legend = {1: ("lung",), 2: ("lung",)}
    looked = {"assessed": ["lung", "lung nodule"]}
    assert fuse_map(["lung", "lung nodule"], legend, **looked) == [[0, 1, 1], [0, 1, 1]]
    seen = {"boxes": [{"name": "lung nodule", "box": [1, 0, 2, 1]}]}
    assert fuse_map(["lung", "lung nodule"], legend, **looked, **seen) == [[0, 255, 255], [0, 255, 255]]
    astray = {"boxes": [{"name": "lung nodule", "box": [0, 0, 1, 1]}]}
    assert fuse_map(["lung", "lung nodule"], legend, **looked, **astray) == [
        [255, 255, 255],
        [0, 255, 255],
    ], "where the source sees a nodule there is no background, whatever the mask of the lung says"
    assert fuse_map(["lung"], legend, **looked, **astray) == [[0, 1, 1], [0, 1, 1]], "the lung is as outlined"


def test_instances_keep_one_meaning_for_all_values() -> None:
    pixels = np.array([[0, 1, 2], [517, 9, 0]], np.uint16)
    assert fuse_map(["nucleus"], {1: ("nucleus",)}, pixels=pixels, instances=True) == [[0, 1, 1], [1, 1, 0]]
    one = row(png(pixels), {1: ("nucleus",)}, instances=True)
    (map_,) = channel_maps(Harmonizer(["nucleus"], encoding="channels")(one, "2d"))
    assert map_.tolist() == [[0, 1, 1], [1, 1, 0]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_value_outside_the_legend_is_an_error_that_names_the_row(dtype: Any) -> None:
    with pytest.raises(LabelError, match=r"one.*\[9\]"):
        fuse_map(["liver"], {1: ("liver",)}, pixels=np.array([[0, 9]], dtype))


def test_volumes_keep_their_grid() -> None:
    affine = np.array([[0, -0.7, 0, 12], [0.8, 0, 0, -3], [0, 0, 5, 40], [0, 0, 0, 1]])
    pixels = np.random.default_rng(0).integers(0, 3, (4, 5, 6)).astype(np.int16)
    one = row(nifti(pixels, affine), LITS)
    index = nib.Nifti1Image.from_bytes(Harmonizer(["liver", "liver tumor"])(one, "3d")["mask"]["bytes"])
    assert np.allclose(index.affine, affine) and index.get_data_dtype() == np.uint8
    assert np.array_equal(np.asarray(index.dataobj), pixels)
    both = Harmonizer(["liver", "liver tumor"], encoding="channels")(one, "3d")["channels"]["bytes"]
    channels = nib.Nifti1Image.from_bytes(both)
    assert channels.shape == (4, 5, 6, 2) and np.allclose(channels.affine, affine)
    assert np.allclose(channels.header.get_zooms()[:3], index.header.get_zooms())
    assert np.array_equal(np.asarray(channels.dataobj)[..., 1], pixels == 2)


def test_scaled_and_float_masks_are_read_by_their_values() -> None:
    stored = np.array([[[0.0, 1.0, 2.0]]], np.float64)
    one = row(nifti(stored), LITS)
    assert np.asarray(
        nib.Nifti1Image.from_bytes(Harmonizer(["liver tumor"])(one, "3d")["mask"]["bytes"]).dataobj
    ).ravel().tolist() == [0, 0, 1]
    halves = Volume.from_array(np.array([[[0, 2, 4]]], np.uint8), np.eye(4), slope=0.5, inter=0.0)
    scaled = row({"bytes": bytes(halves.nifti), "path": ""}, LITS)
    mask = nib.Nifti1Image.from_bytes(Harmonizer(["liver tumor"])(scaled, "3d")["mask"]["bytes"])
    assert np.asarray(mask.dataobj).ravel().tolist() == [0, 0, 1]


def test_without_a_mask_there_is_none() -> None:
    fused = Harmonizer(["pneumonia"])(row(classes=["pneumonia"]), "2d")
    assert fused["mask"] is None and fused["channels"] is None and fused["classes"] == [1]


def test_the_features_are_the_members_own_and_two_more() -> None:
    from medimg.schema import features

    for dimension in ("2d", "3d", "video"):
        fused = fused_features(dimension)
        assert {name: fused[name] for name in features(dimension)} == dict(features(dimension))
        assert set(fused) - set(features(dimension)) == {"fused", "provenance"}


def test_too_many_targets_for_one_map() -> None:
    with pytest.raises(FusionError, match="8 bits"):
        Harmonizer(list(vocab.label)[:255])
    assert Harmonizer(list(vocab.label)[:254]).encoding == "index"


# -------------------------------------------------------------------------------------------- classes


def classes(targets: Sequence[str], **label: Any) -> list[int]:
    return Harmonizer(targets)(row(**label), "2d")["classes"]  # type: ignore[no-any-return]


def test_kinds_imply_what_they_are_kinds_of_and_never_the_other_way() -> None:
    both = ["pneumonia", "bacterial pneumonia"]
    assert classes(both, classes=["bacterial pneumonia"]) == [1, 1]
    assert classes(both, classes=["pneumonia"]) == [1, -1]
    assert classes(both, assessed=["pneumonia"]) == [0, 0]
    assert classes(both, assessed=["bacterial pneumonia"]) == [-1, 0]
    assert classes(both, classes=["pneumonia"], assessed=["pneumonia", "bacterial pneumonia"]) == [1, 0]


def test_uncertain_is_unknown_and_what_was_not_assessed_too() -> None:
    targets = ["pneumonia", "bacterial pneumonia", "pneumothorax"]
    assert classes(targets, uncertain=["pneumonia"]) == [-1, -1, -1]
    assert classes(targets, uncertain=["bacterial pneumonia"], assessed=["pneumonia", "bacterial pneumonia"]) == [
        0,
        -1,
        -1,
    ]


def test_a_part_of_an_organ_says_nothing_on_the_organ_as_a_class() -> None:
    assert classes(["lung", "pneumonia"], classes=["pneumonia"]) == [-1, 1]


def test_masks_tell_classes_by_what_is_in_them() -> None:
    targets = ["liver tumor", "liver", "spleen"]
    assert classes(targets, mask=png(NESTED), legend=LITS) == [1, 1, -1]
    assert classes(targets, mask=png(np.minimum(NESTED, 1)), legend=LITS) == [0, 1, -1]
    assert classes(targets, mask=png(NESTED), legend={1: ("liver tumor",), 2: ()}) == [1, 1, -1], (
        "a voxel of the tumor is a voxel of the liver"
    )
    bare = png(np.minimum(NESTED, 1))
    assert classes(targets, mask=bare, legend={1: ("spleen",), 2: ()}) == [-1, -1, 1]
    assert classes(["spleen", "kidney"], mask=png(NESTED * 0), legend={1: ("spleen",), 2: ()}) == [0, -1], (
        "all of this image was annotated"
    )
    own = {1: ("liver",), 2: ("liver tumor",)}
    assert classes(targets, mask=png(NESTED * 0 + 2), legend=own) == [1, 1, -1]
    assert classes(targets, mask=png(NESTED * 0 + 2), legend={1: ("liver tumor",), 2: ()}) == [-1, -1, -1]


def test_boxes_and_points_are_findings() -> None:
    seen = {"boxes": [{"name": "lung nodule", "box": [0, 0, 2, 2]}]}
    assert classes(["lung nodule", "nodule"], **seen, assessed=["lung nodule"]) == [1, 1]
    assert classes(["lung nodule", "nodule"], assessed=["lung nodule"]) == [0, -1]
    assert classes(["lung nodule"], points=[{"name": "lung nodule", "point": [1, 1]}], assessed=[]) == [1]


def test_the_single_class() -> None:
    kinds = ["melanoma", "melanocytic nevus", "skin cancer"]
    assert single([PRESENT, ABSENT, ABSENT], kinds) == 0
    assert single([PRESENT, ABSENT, PRESENT], kinds) == 0, "the narrower one"
    assert single([UNKNOWN, ABSENT, PRESENT], kinds) == -1, "it may be a melanoma"
    assert single([PRESENT, PRESENT, ABSENT], kinds) == -1
    assert single([ABSENT, ABSENT, ABSENT], kinds) == -1
    assert single([PRESENT, UNKNOWN], ["melanoma", "melanocytic nevus"]) == 0, "they exclude each other"


def test_classes_of_a_doubtful_mask_are_not_claimed_without_pixels() -> None:
    facts = Facts.of(row(png(NESTED), LITS)["label"])
    assert classify(facts, None, ("liver tumor",)) == (UNKNOWN,)
    assert classify(facts, frozenset(), ("liver tumor",)) == (ABSENT,)


# ------------------------------------------------------------------------------------ boxes and measures


def test_boxes_take_the_target_that_they_are_a_kind_of() -> None:
    boxes = [{"name": name, "box": [0.0, 0.0, 1.0, 1.0]} for name in ("benign lung nodule", "lung mass", "lung")]
    fused = Harmonizer(["nodule", "lung nodule", "chest"])(row(boxes=boxes), "2d")
    assert [box["name"] for box in fused["boxes"]] == ["lung nodule"], "a box of the lung is no box of the chest"


def test_measures_with_two_units_are_an_error_that_names_both_members() -> None:
    harmonizer = Harmonizer([], measures=["head circumference"], outputs=["measures"])

    def measured(unit: str, dataset: str) -> dict[str, Any]:
        measures = [
            {"name": "head circumference", "value": 1.0, "unit": unit},
            {"name": "age", "value": 2.0, "unit": "a"},
        ]
        return row(dataset=dataset, measures=measures)

    kept = harmonizer(measured("mm", "hc18"), "2d")["measures"]
    assert [each["name"] for each in kept] == ["head circumference"]
    with pytest.raises(FusionError, match="'mm' in hc18 and in 'px' in other"):
        harmonizer(measured("px", "other"), "2d")


# --------------------------------------------------------------------------------- rows that say nothing


@pytest.mark.parametrize(
    ("outputs", "one", "told"),
    [
        (["mask"], row(png(NESTED), LITS), True),
        (["mask"], row(classes=["liver tumor"]), False),
        (["mask"], row(png(NESTED), {1: ("bone",), 2: ()}), False),
        (["mask"], row(png(NESTED), {1: ("liver",), 2: ("spleen",)}), True),
        (["classes"], row(classes=["liver tumor"]), True),
        (["classes"], row(png(NESTED), LITS), True),
        (["classes"], row(assessed=["bone"]), False),
        (["boxes"], row(assessed=["liver tumor"]), True),
        (["measures"], row(png(NESTED), LITS), False),
    ],
)
def test_rows_that_say_nothing_are_told_without_their_pixels(outputs: Any, one: dict[str, Any], told: bool) -> None:
    harmonizer = Harmonizer(["liver tumor"], outputs=outputs)
    assert harmonizer.tells(Facts.of(one["label"]), one["label"]) is told


def test_tables_are_made_once() -> None:
    facts = Facts.of(row(png(NESTED), LITS)["label"])
    assert recoding(facts, ("liver",), "index") is recoding(facts, ("liver",), "index")


def test_innermost_needs_one_that_lies_in_all() -> None:
    assert innermost(["abdomen", "liver tumor", "liver"]) == "liver tumor"
    assert innermost(["liver", "spleen"]) is None and innermost([]) is None


# --------------------------------------------------------------- what is marked by a point or a box, and not outlined

NODULE = {1: ("lung nodule",)}
SMALL = "lung nodule smaller than 3 mm"


def marked(
    targets: Sequence[str],
    legend: Mapping[int, tuple[str, ...]],
    pixels: np.ndarray[Any, Any],
    spacing: Sequence[float] | None = (1.0, 1.0, 1.0),
    encoding: str = "index",
    **more: Any,
) -> np.ndarray[Any, Any]:
    deep = pixels.ndim == 3
    one = row(nifti(pixels) if deep else png(pixels), legend, **more)
    one["spacing"] = spacing and list(spacing)[: pixels.ndim]
    fused = Harmonizer(targets, encoding=encoding)(one, "3d" if deep else "2d")  # type: ignore[arg-type]
    if deep:
        which = fused["mask"] or fused["channels"]
        return np.asarray(nib.Nifti1Image.from_bytes(which["bytes"]).dataobj)
    return index_map(fused) if encoding == "index" else np.stack(channel_maps(fused), -1)


@pytest.mark.parametrize("encoding", ["index", "channels"])
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.7, 2.5)])
def test_a_small_nodule_that_is_only_a_point_is_no_background_as_far_as_its_name_reaches(
    encoding: str, spacing: Any
) -> None:
    pixels = np.zeros((20, 18, 16), np.uint8)
    pixels[2:5, 2:5, 2:5] = 1
    center = (12, 9.5, 8)
    got = marked(
        ["lung nodule"],
        NODULE,
        pixels,
        spacing,
        encoding,
        points=[{"name": SMALL, "point": list(center)}],
        assessed=["lung nodule", SMALL],
    )
    got = got[..., 0] if encoding == "channels" else got
    # Every voxel of which a part is within 3 mm of the point, by brute force over fine steps.
    steps = np.linspace(-0.5, 0.5, 11)
    expected = np.where(pixels == 1, 1, 0)
    for place in np.ndindex(pixels.shape):
        offset = np.min(
            [np.abs(axis - at + step) * mm for axis, at, mm, step in _each(place, center, spacing, steps)],
            axis=1,
        )
        if (offset**2).sum() <= 9 and not pixels[place]:
            expected[place] = 255
    assert np.array_equal(got, expected)
    assert (got == 255).any() and (got == 0).sum() > got.size / 2, "the rest is background all the same"


def _each(place: Any, center: Any, spacing: Any, steps: Any) -> Iterator[Any]:
    for axis, at, mm in zip(place, center, spacing, strict=True):
        yield axis, at, mm, steps


def test_a_point_that_the_mask_covers_changes_nothing() -> None:
    pixels = np.zeros((9, 9, 9), np.uint8)
    pixels[3:6, 3:6, 3:6] = 1
    for point in ([4, 4, 4], [5.4, 4, 4], [6, 4, 4], [2.2, 2.2, 2.2]):
        for name in ("lung nodule", SMALL, "nodule"):
            got = marked(["lung nodule"], NODULE, pixels, points=[{"name": name, "point": point}])
            assert np.array_equal(got, pixels), (point, name)


@pytest.mark.parametrize(
    ("name", "spacing"), [("lesion", (1, 1, 1)), (SMALL, None), ("nodule", (1, 1, 1)), ("lung nodule", None)]
)
def test_where_nobody_knows_how_far_it_reaches_all_background_is_unknown(name: str, spacing: Any) -> None:
    pixels = np.zeros((9, 9, 9), np.uint8)
    pixels[1:3, 1:3, 1:3] = 1
    target = "lesion" if name == "lesion" else "nodule" if name == "nodule" else "lung nodule"
    legend = {1: (target,), 2: ("lung",)}
    got = marked(
        [target],
        legend,
        pixels,
        spacing,
        points=[{"name": name, "point": [7, 7, 7]}],
        assessed=[target, "lung"],
    )
    if target == "lung nodule":
        pixels[5:, 5:, 5:] = 2
        got = marked([target], legend, pixels, spacing, points=[{"name": name, "point": [7, 7, 7]}])
        assert np.array_equal(got, np.choose(pixels, [0, 1, 255])), "outside the lung there is none"
    else:
        assert np.array_equal(got, np.where(pixels == 1, 1, 255))


def test_a_large_name_reaches_far_and_a_box_says_how_far() -> None:
    pixels = np.zeros((40, 3, 3), np.uint8)
    pixels[0:2] = 1
    far = marked(["lung nodule"], NODULE, pixels, points=[{"name": "lung nodule", "point": [39, 1, 1]}])
    assert set(np.unique(far[9:])) == {255} and set(np.unique(far[2:8])) == {0}, "30 mm"
    box = {"name": "lung nodule", "box": [35, 0, 0, 38, 2, 2]}
    point = {"name": "lung nodule", "point": [36, 1, 1]}
    for more in ({"boxes": [box]}, {"boxes": [box], "points": [point]}):
        boxed = marked(["lung nodule"], NODULE, pixels, **more)
        expected = pixels.astype(int)
        expected[35:38, 0:2, 0:2] = 255
        assert np.array_equal(boxed, expected)
    around = {"name": "lung nodule", "box": [0, 0, 0, 2, 3, 3]}
    assert np.array_equal(marked(["lung nodule"], NODULE, pixels, boxes=[around]), pixels)


def test_pictures_have_points_as_column_and_row() -> None:
    pixels = np.zeros((12, 20), np.uint8)
    pixels[0:2, 0:2] = 1
    got = marked(["lung nodule"], NODULE, pixels, points=[{"name": SMALL, "point": [15, 4]}])
    rows, columns = np.nonzero(got == 255)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 7, 12, 18)
    got = marked(["lung nodule"], NODULE, pixels, boxes=[{"name": SMALL, "box": [14, 3, 17, 5]}])
    rows, columns = np.nonzero(got == 255)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (3, 4, 14, 16)


def test_a_mark_inside_another_target_leaves_that_one_where_it_cannot_be() -> None:
    pixels = np.zeros((9, 9, 9), np.uint8)
    pixels[0:6], pixels[1, 1, 1] = 1, 2
    legend = {1: ("liver",), 2: ("liver", "liver tumor"), 3: ("spleen",)}
    at = {"points": [{"name": "hepatocellular carcinoma", "point": [4, 4, 4]}]}
    got = marked(["liver", "liver tumor"], legend, pixels, **at)
    assert np.array_equal(got, np.choose(pixels, [0, 255, 2])), "in the liver it may be; outside it is not"
    assert np.array_equal(marked(["liver"], legend, pixels, **at), np.choose(pixels, [0, 1, 1]))
    got = marked(["liver", "liver tumor"], legend, pixels, **at, encoding="channels")
    assert np.array_equal(got[..., 0], pixels > 0)
    assert np.array_equal(got[..., 1], np.choose(pixels, [0, 255, 1])), "no tumor outside the liver"


@pytest.mark.parametrize(
    "legend", [{1: ("lung",), 2: ("lung",)}, {1: ("left lung",), 2: ("right lung",)}], ids=["lung", "sides"]
)
def test_a_nodule_outside_the_outlined_lungs_is_no_background(legend: Any) -> None:
    """Automatic lung masks leave out nodules at the pleura (LUNA16)."""
    pixels = np.zeros((12, 9, 9), np.uint8)
    pixels[0:3], pixels[9:] = 1, 2
    looked = {"assessed": ["lung nodule", *{name for names in legend.values() for name in names}]}
    box = {"name": "lung nodule", "box": [4, 2, 2, 6, 4, 4]}
    point = {"name": "lung nodule", "point": [4.5, 2.5, 2.5]}
    expected = np.where(pixels > 0, 255, 0)
    expected[4:6, 2:4, 2:4] = 255
    for marks in ({"boxes": [box]}, {"boxes": [box], "points": [point]}):
        got = marked(["lung nodule"], legend, pixels, **looked, **marks)
        assert np.array_equal(got, expected)
        lungs = marked(["lung"], legend, pixels, **looked, **marks)
        assert np.array_equal(lungs, pixels > 0)
    inside = {"boxes": [{"name": "lung nodule", "box": [0, 2, 2, 5, 4, 4]}]}
    assert np.array_equal(marked(["lung nodule"], legend, pixels, **looked, **inside), np.where(pixels > 0, 255, 0)), (
        "a box that reaches into the lung is no contradiction"
    )


def test_landmarks_of_structures_that_an_image_has_once_change_nothing() -> None:
    pixels = np.zeros((9, 9), np.uint8)
    pixels[1:3, 1:3] = 1
    away = {"points": [{"name": "optic disc", "point": [8, 8]}]}
    assert np.array_equal(marked(["optic disc"], {1: ("optic disc",)}, pixels, **away), pixels)
    empty = marked(["optic disc"], {1: ("optic disc",)}, pixels * 0, **away)
    assert (empty == 255).all(), "it is there, and outlined nowhere"
    cells = marked(["cell"], {1: ("cell",)}, pixels, instances=True, points=[{"name": "cell", "point": [8, 8]}])
    assert np.array_equal(cells, np.where(pixels == 1, 1, 255)), "of cells there are many"
    other = {"points": [{"name": "fovea", "point": [8, 8]}]}
    assert np.array_equal(marked(["optic disc"], {1: ("optic disc",)}, pixels, **other), pixels)


def test_a_slice_near_a_point_does_not_say_that_nothing_is_there() -> None:
    pixels = np.zeros((12, 12, 14), np.uint8)
    pixels[1:3, 1:3, 1] = 1
    at = {"points": [{"name": SMALL, "point": [6, 6, 8]}], "assessed": ["lung nodule", SMALL]}
    found = slices(pixels, NODULE, ["lung nodule"], **at)
    expected = [0, 1, 0, 0, 0, -1, -1, -1, 1, -1, -1, -1, 0, 0]
    assert [each["classes"][0] for each in found] == expected


def test_what_the_source_doubts_is_ignored_where_it_is_outlined() -> None:
    doubt = {"uncertain": ["liver tumor"]}
    assert fuse_map(["liver", "liver tumor"], LITS, **doubt) == [[0, 1, 255], [0, 1, 1]]
    assert fuse_map(["liver"], LITS, **doubt) == [[0, 1, 1], [0, 1, 1]]
    kind = {1: ("liver",), 2: ("liver", "hepatocellular carcinoma")}
    assert fuse_map(["liver", "hepatocellular carcinoma"], kind, **doubt) == [[0, 1, 255], [0, 1, 1]]
    assert fuse_map(["liver tumor"], {1: ("liver tumor",), 2: ()}, **doubt) == [[0, 255, 255], [0, 255, 255]]


# ------------------------------------------------------------------------------------------ slices of volumes


def slices(
    pixels: np.ndarray[Any, Any], legend: Mapping[int, tuple[str, ...]], targets: Sequence[str], **more: Any
) -> list[dict[str, Any]]:
    """`fused` of each axial slice, and its map(s)."""
    from medimg.fusion.grid import Grid

    encoding = more.pop("encoding", "index")
    spacing = more.pop("spacing", [1.0, 1.0, 1.0])
    grid = more.pop("grid", {})
    one = row(nifti(pixels, np.diag([*(spacing or (1, 1, 1)), 1])), legend, **more)
    image = nifti(np.zeros(pixels.shape, np.int16), np.diag([*(spacing or (1, 1, 1)), 1]))
    one |= {"image": image, "modality": "CT", "spacing": spacing, "shape": list(pixels.shape)}
    one["label"] |= {"target": None, "texts": [], "source": None}
    harmonizer = Harmonizer(targets, encoding=encoding)
    one["fused"] = harmonizer(one, "3d")
    return [each["fused"] for each in Grid(slices=2, **grid).rows(one, "3d", harmonizer)]


ALONE = np.zeros((4, 4, 5), np.uint8)
ALONE[1:3, 1:3, 1] = 1  # the liver
ALONE[1:3, 1:3, 2] = 2  # its tumor, which hides it
ALONE[1, 1, 3], ALONE[2, 2, 3] = 1, 2  # both


@pytest.mark.parametrize("encoding", ["index", "channels"])
@pytest.mark.parametrize("grid", [{}, {"spacing": (0.5, 1.0, 1.0)}])
@pytest.mark.parametrize("legend", [LITS, {1: ("liver",), 2: ("liver tumor",)}])
def test_slices_of_nested_targets_know_their_classes(encoding: str, grid: Any, legend: Any) -> None:
    targets = ["liver", "liver tumor"]
    found = slices(ALONE, legend, targets, encoding=encoding, grid=grid)
    assert [each["classes"] for each in found] == [[0, 0], [1, 0], [1, 1], [1, 1], [0, 0]]
    assert [each["label"] for each in found] == [-1, 0, 1, 1, -1]
    found = slices(ALONE, legend, ["liver tumor"], encoding=encoding, grid=grid)
    assert [each["classes"] for each in found] == [[0], [0], [1], [1], [0]]


def test_slices_do_not_know_what_the_volume_does_not() -> None:
    alone = (ALONE > 0).astype(np.uint8)
    found = slices(alone, {1: ("liver",)}, ["liver", "liver tumor"])
    assert [each["classes"] for each in found] == [[0, -1], [1, -1], [1, -1], [1, -1], [0, -1]]
    both = slices(ALONE, LITS, ["liver", "fracture"], assessed=["liver", "liver tumor", "fracture"])
    assert all(each["classes"][1] == 0 for each in both), "absent from the volume"
    told = slices(ALONE, LITS, ["liver", "fracture"], classes=["fracture"])
    assert all(each["classes"][1] == -1 for each in told), "where it is was not said"
    gap = slices(ALONE, {1: ("liver",), 2: ()}, ["liver"])
    assert [each["classes"] for each in gap] == [[0], [1], [-1], [1], [0]]
    doubt = slices(ALONE, LITS, ["liver", "liver tumor"], uncertain=["liver tumor"])
    assert [each["classes"] for each in doubt] == [[0, 0], [1, 0], [1, -1], [1, -1], [0, 0]]
    nuclei = slices((ALONE > 0) * np.uint8(7), {1: ("nucleus",)}, ["nucleus", "cell"], instances=True)
    assert [each["classes"][0] for each in nuclei] == [0, 1, 1, 1, 0]
    part = slices(ALONE, {1: ("left kidney",), 2: ("right kidney",)}, ["kidney", "left kidney"])
    assert [each["classes"] for each in part] == [[0, 0], [1, 1], [1, 0], [1, 1], [0, 0]]


@pytest.mark.parametrize(("shape", "grid"), [((4, 3, 2, 2), (4, 3, 2, 2)), ((4, 3, 2, 1), (4, 3, 2))])
def test_a_mask_stands_on_the_grid_of_its_image(shape: tuple[int, ...], grid: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    mask = Mask(bytes(Volume.from_array(array, np.eye(4)).nifti), "3d")
    assert mask.grid.shape == grid and np.array_equal(mask.grid, array.reshape(grid))
    assert np.array_equal(mask.flat, array.reshape(-1, order="F"))
