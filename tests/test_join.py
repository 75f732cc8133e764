"""The join is total: every image, partner and line is part of a row, is left out with a reason, or is an error."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from miniatures import write

from medimg.errors import DeclarationError, FormatError, LabelError, MedimgError, SourceError
from medimg.files import Files
from medimg.join import UNASKED, Case, Join, Lookup, Partner, lines
from medimg.readers import tables
from medimg.schema import Row, Skipped

IMAGE = r"images/(?P<name>\w+)\.png$"
MASK = r"masks/(?P<name>\w+)\.png$"
NAMES = st.sets(st.sampled_from("abcdef"))


def row(case: Case) -> Row:
    return Row(id=case.name, image=case.image, mask=case.mask, meta=dict(case.line or {}))


def joined(join: Join, contents: dict[str, str], root: Path, *, quarantine: bool = False) -> Any:
    """(rows, skipped path -> reason, what was told, what was quarantined)."""
    place = write({path: text.encode() for path, text in {"other.md": "", **contents}.items()}, root)
    with Files.open(place, dataset="joined") as files:
        files.quarantine = quarantine
        items = list(join(files))
        told = Counter(reason for _, reason in files.told)
        wrong = {file.path: error for file, error in files.quarantined}
    rows = [item for item in items if isinstance(item, Row)]
    skipped = [(item.file.path, item.reason) for item in items if isinstance(item, Skipped)]
    assert len({path for path, _ in skipped}) == len(skipped), "a file is left out once"
    return rows, dict(skipped), told, wrong


def pictures(folder: str, names: Any) -> dict[str, str]:
    return {f"{folder}/{name}.png": "" for name in names}


def table(names: Any) -> dict[str, str]:
    return {"ages.csv": "\n".join(["image,age", *(f"{name},7" for name in sorted(names))]) + "\n"}


def join(**how: Any) -> Join:
    reasons = {"skip": how.get("skip"), "tell": how.get("tell"), "lost": how.get("lost")}
    return Join(
        IMAGE,
        row,
        mask=Partner(MASK, **reasons),
        line=lines(r"ages\.csv$", "image", key="name", tell="no age is known", rest="its image is not in this copy"),
    )


@settings(max_examples=40)
@given(images=NAMES, masks=NAMES, ages=NAMES, needed=st.booleans())
def test_everything_is_a_row_or_has_a_reason(images: set[str], masks: set[str], ages: set[str], needed: bool) -> None:
    how = {"skip": "no mask"} if needed else {"tell": "no mask is known"}
    with tempfile.TemporaryDirectory() as folder:
        contents = pictures("images", images) | pictures("masks", masks) | table(ages)
        rows, skipped, told, _ = joined(join(**how), contents, Path(folder))
    assert [one.id for one in rows] == sorted(images & masks if needed else images)
    for one in rows:
        assert (one.label.mask is None) == (one.id not in masks)
        assert bool(one.meta) == (one.id in ages)
    orphans = {f"masks/{name}.png": "its image is not in this copy" for name in masks - images}
    without = {f"images/{name}.png": "no mask" for name in images - masks} if needed else {}
    assert skipped == orphans | without
    shown = {one.id for one in rows}
    expected = {
        "no age is known": len(shown - ages),
        "no mask is known": 0 if needed else len(images - masks),
        "a line of the table is no row: its image is not in this copy": len(ages - images),
    }
    assert told == {reason: count for reason, count in expected.items() if count}


def test_what_is_not_there_at_all_is_told_once(tmp_path: Path) -> None:
    one = join(tell="its mask is not in this copy", lost="masks are")
    rows, skipped, told, _ = joined(one, pictures("images", "abc") | table("abc"), tmp_path)
    assert len(rows) == 3 and not skipped
    assert told == {f"no file matches {MASK!r}: masks are not known": 1}


def test_only_images_that_are_expected_to_have_it_need_it(tmp_path: Path) -> None:
    def one(case: Case) -> Row:
        return Row(id=case.name, split=case.part, image=case.image, mask=case.mask)

    needs = Partner(r"masks/(?P<name>\w+)\.png$", skip="no mask", when=lambda case: case.part == "train")
    both = Join(r"(?P<part>train|test)/(?P<name>\w+)\.png$", one, mask=needs)
    contents = pictures("train", "ab") | pictures("test", "cd") | pictures("masks", "ad")
    rows, skipped, _, _ = joined(both, contents, tmp_path)
    assert {one.id: one.label.mask is not None for one in rows} == {"a": True, "c": False, "d": True}
    assert skipped == {"train/b.png": "no mask"}


def test_a_partner_that_the_row_does_not_look_at_is_no_part_of_it(tmp_path: Path) -> None:
    blind = Join(IMAGE, lambda case: Row(id=case.name, image=case.image), mask=Partner(MASK))
    _, skipped, _, _ = joined(blind, pictures("images", "a") | pictures("masks", "a"), tmp_path)
    assert skipped == {"masks/a.png": UNASKED}


def test_partners_of_an_image_that_is_left_out_go_with_it(tmp_path: Path) -> None:
    both = Join(
        IMAGE,
        lambda case: Row(id=case.name, image=case.image, mask=case.mask, target=case.target),
        mask=Partner(MASK, skip="no mask"),
        target=Partner(r"targets/(?P<name>\w+)\.png$"),
    )
    _, skipped, _, _ = joined(both, pictures("images", "a") | pictures("targets", "ab"), tmp_path)
    assert skipped == {
        "images/a.png": "no mask",
        "targets/a.png": "no mask",
        "targets/b.png": "its image is not in this copy",
    }


def test_a_row_that_leaves_its_image_out_leaves_each_file_out_once(tmp_path: Path) -> None:
    blind = Join(IMAGE, lambda case: case.skip("no split is known"), mask=Partner(MASK))
    _, skipped, _, _ = joined(blind, pictures("images", "a") | pictures("masks", "a"), tmp_path)
    assert skipped == {"images/a.png": "no split is known", "masks/a.png": "no split is known"}


def test_several_partners_by_a_group_of_their_own(tmp_path: Path) -> None:
    def drawn(case: Case) -> list[Row]:
        return [Row(id=f"{case.name}-{who}", image=case.image, mask=one) for who, one in case.masks.items()]

    observers = Join(IMAGE, drawn, masks=Partner(r"masks/(?P<name>\w)_(?P<who>\d)\.png$", by="who", skip="none"))
    contents = pictures("images", "abc") | pictures("masks", ("a_1", "a_2", "b_2", "d_1"))
    rows, skipped, _, _ = joined(observers, contents, tmp_path)
    assert [one.id for one in rows] == ["a-1", "a-2", "b-2"]
    assert skipped == {"images/c.png": "none", "masks/d_1.png": "its image is not in this copy"}


def test_an_image_may_be_made_of_several_files(tmp_path: Path) -> None:
    def stacked(case: Case) -> Any:
        if set(case.image) != {"T1", "T2"}:
            return case.skip(f"its case has only {', '.join(case.image)}")
        return Row(id=case.name, image=case.image["T1"], target=case.image["T2"])

    pattern = r"(?P<name>\w)_(?P<kind>T1|T2)\.png$"
    scans = Join(pattern, stacked, by="kind")
    rows, skipped, _, _ = joined(scans, pictures("x", ("a_T1", "a_T2", "b_T2")), tmp_path / "one")
    assert [one.id for one in rows] == ["a"]
    assert skipped == {"x/b_T2.png": "its case has only T2"}
    with pytest.raises(SourceError, match="are the T1 of one image"):
        joined(scans, pictures("x", ("a_T1",)) | pictures("y", ("a_T1",)), tmp_path / "two")
    once = Join(pattern, stacked, by="kind", again="a second copy")
    contents = pictures("x", ("a_T1", "a_T2")) | pictures("y", ("a_T1",))
    rows, skipped, _, _ = joined(once, contents, tmp_path / "again")
    assert [one.image.path for one in rows] == ["x/a_T1.png"] and skipped == {"y/a_T1.png": "a second copy"}


def test_a_second_copy_and_other_files_have_their_reasons(tmp_path: Path) -> None:
    once = Join(
        r"(?P<name>\w)\.png$",
        lambda case: Row(id=case.name, image=case.image),
        again="a second copy",
        left=[(r"\.txt$", "a note"), (r"\.", "something else")],
    )
    contents = pictures("x", "ab") | pictures("y", "b") | {"z.txt": "", "z.bin": ""}
    rows, skipped, _, _ = joined(once, contents, tmp_path)
    assert [one.image.path for one in rows] == ["x/a.png", "x/b.png"]
    assert skipped == {
        "y/b.png": "a second copy",
        "z.txt": "a note",
        "z.bin": "something else",
        "other.md": "something else",
    }


def test_one_bad_line_is_one_bad_row(tmp_path: Path) -> None:
    contents = pictures("images", "ab") | {"ages.csv": "image,age\na,7\na,8\nb,9\n"}
    with pytest.raises(FormatError, match="stands in line 2, too, with another 'age'"):
        joined(join(), contents, tmp_path / "stop")
    rows, _, _, wrong = joined(join(), contents, tmp_path / "go-on", quarantine=True)
    assert [one.id for one in rows] == ["b"]
    assert [*wrong] == ["images/a.png"]


def test_an_image_that_is_left_out_does_not_blame_its_line(tmp_path: Path) -> None:
    one = join(skip="no mask")
    _, skipped, told, _ = joined(one, pictures("images", "a") | table("a"), tmp_path)
    assert skipped == {"images/a.png": "no mask"} and not told


def test_any_mapping_is_a_lookup(tmp_path: Path) -> None:
    def ages(files: Files) -> dict[tuple[str, str], int]:
        return {("x", line): len(line) for line in tables.lines(files.need(r"list\.txt$"))}

    one = Join(
        r"(?P<folder>\w+)/(?P<name>\w+)\.png$",
        lambda case: Row(id=case.name, image=case.image, meta={"age": case.age}),
        age=Lookup(ages, ("folder", "stem"), skip="not on the list"),
    )
    rows, skipped, _, _ = joined(one, pictures("x", ("aa", "b")) | {"list.txt": "aa\n"}, tmp_path)
    assert [(each.id, each.meta["age"]) for each in rows] == [("aa", 2)]
    assert skipped == {"x/b.png": "not on the list"}


def test_a_key_may_be_made_of_the_case(tmp_path: Path) -> None:
    one = Join(IMAGE, row, mask=Partner(MASK), line=lines(r"ages\.csv$", "image", key=lambda case: case.stem.lower()))
    rows, _, told, _ = joined(one, {"images/A.png": "", "masks/A.png": "", **table("a")}, tmp_path)
    assert [one.meta["age"] for one in rows] == ["7"] and not told


def test_what_an_image_lacks_is_told_only_where_its_row_comes(tmp_path: Path) -> None:
    def either(case: Case) -> Any:
        return row(case) if case.mask or case.line else case.skip("nothing is known of it")

    one = Join(
        IMAGE,
        either,
        mask=Partner(MASK, tell="no mask"),
        line=lines(r"ages\.csv$", "image", key="name", tell="no line"),
    )
    contents = pictures("images", "abc") | pictures("masks", "a") | table("b")
    rows, skipped, told, _ = joined(one, contents, tmp_path)
    assert [one.id for one in rows] == ["a", "b"] and told == {"no line": 1, "no mask": 1}
    assert skipped == {"images/c.png": "nothing is known of it"}


def test_a_join_that_cannot_work_says_so_at_import(tmp_path: Path) -> None:
    with pytest.raises(DeclarationError, match="mean two things: image"):
        Join(r"(?P<image>\w+)\.png$", row)
    with pytest.raises(DeclarationError, match="captures nothing under a name"):
        Join(IMAGE, row, mask=Partner(r"masks/(\w+)\.png$"))
    wrong = Join(IMAGE, lambda case: Row(id=case.number, image=case.image))
    with pytest.raises((AttributeError, LabelError, MedimgError), match="the join has no 'number'; it has name"):
        joined(wrong, pictures("images", "a"), tmp_path)


def test_voxels_go_where_their_header_goes(tmp_path: Path) -> None:
    scans = Join(
        r"scans/(?P<name>\w+)\.(?:mhd|hdr)$",
        lambda case: Row(id=case.name, image=case.image),
        mask=Partner(r"masks/(?P<name>\w+)\.mhd$", skip="no mask"),
        left=[(r"\.(?:raw|img)$", "voxels without a header")],
    )
    names = ("scans/a.mhd", "scans/a.raw", "scans/b.hdr", "scans/b.img", "scans/c.img", "masks/d.zraw")
    contents = {name: "" for name in (*names, "masks/a.mhd", "masks/a.raw", "masks/d.mhd")}
    rows, skipped, _, _ = joined(scans, contents, tmp_path)
    assert [one.id for one in rows] == ["a"]
    assert skipped == {
        **dict.fromkeys(("masks/a.mhd", "masks/a.raw"), UNASKED),
        **dict.fromkeys(("scans/b.hdr", "scans/b.img"), "no mask"),
        **dict.fromkeys(("masks/d.mhd", "masks/d.zraw"), "its image is not in this copy"),
        "scans/c.img": "voxels without a header",
    }


def test_images_may_be_told_apart_by_some_groups_alone(tmp_path: Path) -> None:
    """The same case in a second folder is a second copy, whatever else its path says."""
    once = Join(
        r"(?:(?P<part>train)/)?(?P<name>\w)_(?P<kind>T1|T2)\.png$",
        lambda case: Row(id=case.name, split=case.part or "test", image=case.image["T1"]),
        by="kind",
        apart=("name",),
        again="a second copy",
    )
    contents = pictures("train", ("a_T1", "a_T2")) | pictures("x", ("a_T1", "b_T1"))
    rows, skipped, _, _ = joined(once, contents, tmp_path)
    assert [(one.id, one.split) for one in rows] == [("a", "train"), ("b", "test")]
    assert skipped == {"x/a_T1.png": "a second copy"}


def test_rows_that_come_one_by_one_are_told_of_only_where_they_come(tmp_path: Path) -> None:
    def lazily(case: Case) -> Any:
        if case.name == "a":
            yield from case.skip("no row")
        else:
            yield Row(id=case.name, image=case.image, mask=case.mask)

    one = Join(IMAGE, lazily, mask=Partner(MASK, tell="no mask is known"))
    _, skipped, told, _ = joined(one, pictures("images", "ab"), tmp_path)
    assert skipped == {"images/a.png": "no row"} and told == {"no mask is known": 1}
