"""`medimg.search`: what is asked for comes first, what misses one thing comes with the reason."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

import pytest
from search_queries import BUILDERS, LISTED

import medimg
from medimg import catalogue, licenses, vocab
from medimg.catalogue import Entry
from medimg.catalogue.entry import FIELDS
from medimg.catalogue.search import Filters, Index, search_in
from medimg.catalogue.words import search_data, words_of
from medimg.errors import UnknownTermError


@pytest.mark.parametrize(("query", "answer"), [*BUILDERS, *LISTED])
def test_the_answer_is_among_the_first_three(query: str, answer: str) -> None:
    called = {
        "".join(words_of(name))
        for hit in medimg.search(query)[:3]
        for name in (hit.entry.id, hit.entry.name, *hit.entry.aliases)
    }
    assert "".join(words_of(answer)) in called


# strict and near


def entry(id: str, **values: Any) -> Entry:
    said: dict[str, Any] = {
        **dict.fromkeys(FIELDS),
        **dict.fromkeys(("aliases", "modality", "organ", "task", "structures", "dimension", "links"), ()),
        **{"id": id, "name": id, "overlaps": (), "stated": (), "verdict": "unknown", "loadable": "not yet"},
        **values,
    }
    return Entry(**said)


def find(listed: list[Entry], text: str = "", **filters: Any) -> list[tuple[str, str]]:
    found = search_in(Index(listed), text, Filters.read(**filters))
    return [(hit.entry.id, hit.why) for hit in found]


LIVER = entry("a", modality=("CT",), organ=("liver",), task=("segmentation",), count=97, unit="volumes")


def test_a_filter_that_is_missed_makes_a_near_match_with_the_reason() -> None:
    assert find([LIVER], modality="CT", organ="liver") == [("a", "")]
    assert find([LIVER], organ="liver", min_images=100) == [("a", "3 volumes fewer than asked")]
    assert find([LIVER], organ="liver", modality="MRI") == [("a", "modality is CT, not MRI")]
    assert find([LIVER], organ="liver", max_bytes=5) == [("a", "nobody says how large it is")]


def test_two_missed_things_are_out() -> None:
    assert find([LIVER], organ="liver", modality="MRI", task="classification") == []
    assert find([LIVER], "livr", modality="MRI") == []
    assert find([LIVER], "liver brain") == [("a", "nothing of it says brain")]
    assert find([LIVER], "liver brain", modality="MRI") == []


def test_one_filter_alone_shows_no_dataset_that_has_nothing_of_it() -> None:
    assert find([LIVER], modality="MRI") == []
    assert find([LIVER], min_images=1000) == []
    assert find([LIVER], min_images=120) == [("a", "23 volumes fewer than asked")]


def test_a_wider_term_is_near_and_a_narrower_one_fits() -> None:
    abdomen, tumor = entry("b", organ=("abdomen",)), entry("c", structures=("liver tumor",))
    several = entry("d", organ=("multiple organs",))
    found = find([abdomen, tumor, several, entry("e", organ=("brain",))], organ="liver")
    assert found == [
        ("c", ""),
        ("b", "organ is abdomen, wider than liver"),
        ("d", "organ is multiple organs, wider than liver"),
    ]
    assert ("b", "organ is abdomen, wider than liver") in find([abdomen], "liver")


@pytest.mark.parametrize("by", ["list", "mirror"])
def test_a_license_that_the_source_does_not_state_is_never_usable(by: str) -> None:
    said = {"license": "CC-BY-4.0", "verdict": "unknown", "commercial": None, "organ": ("liver",)}
    listed = entry("b", **said, license_by=by)
    official = entry("c", **{**said, "license_by": "source", "verdict": "open", "commercial": True})
    why = f"its license (CC-BY-4.0) is only stated by a {by}"
    for use in ("commercial", "adapt", "redistribute", "open", "known", "CC-BY-4.0", "cc by 4.0"):
        assert find([listed, official], "liver", use=use) == [("c", ""), ("b", why)]
    assert find([listed, official], "liver commercial use")[0] == ("c", "")
    assert find([listed], "liver", use=["commercial", "open"]) == []


def test_misspelled_words_are_corrected_and_told() -> None:
    listed = [entry("chexpert", name="CheXpert"), LIVER]
    assert find(listed, "livr") == [("a", "misspelled: liver")]
    assert find(listed, "chexprt") == [("chexpert", "misspelled: chexpert")]
    assert find(listed, "segmntaton lvier") == [("a", "misspelled: segmentation, liver")]


def test_the_closest_words_are_told_where_nothing_is_found() -> None:
    found = medimg.search("hepatoscintigram")
    assert not found and found.closest and found.strict == found.near == 0


def test_sizes_years_subjects_access_and_how_it_loads() -> None:
    one = entry("b", organ=("liver",), bytes=10**9, year=2019, subjects=80, access="registration", loadable="builder")
    assert find([one], max_bytes=10**9, year=2019, min_subjects=80, access="registration", loadable=True)
    assert find([one], "liver", max_bytes=10**9 - 1) == [("b", "1 bytes larger than asked")]
    assert find([one], "liver", year=(2020, None)) == [("b", "it is of 2019, before 2020")]
    assert find([one], "liver", year=(None, 2018)) == [("b", "it is of 2019, after 2018")]
    assert find([one], "liver", min_subjects=100) == [("b", "20 subjects fewer than asked")]
    assert find([one], "liver", access="open") == [("b", "access is registration, not open")]
    assert find([one], "liver", loadable="collection") == [("b", "loadable is builder, not collection")]
    counted = entry("c", organ=("liver",), count=50, unit="subjects")
    assert find([counted], "liver", min_images=100)[0][1].startswith("it counts 50 subjects")
    assert find([counted], "liver", min_images=50, min_subjects=50) == [("c", "")]


def test_strict_matches_come_first_then_what_loads_then_the_larger() -> None:
    listed = [
        entry("z", organ=("liver",), loadable="not yet", count=9),
        entry("y", organ=("liver",), loadable="collection", count=5),
        entry("x", organ=("liver",), loadable="builder", count=1),
        entry("w", organ=("liver",), loadable="builder", count=2),
        entry("v", organ=("abdomen",), loadable="builder", count=99),
    ]
    assert [id for id, _ in find(listed, "liver")] == ["w", "x", "y", "z", "v"]
    assert [id for id, _ in find(listed)] == ["v", "w", "x", "y", "z"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"organ": "livver"},
        {"modality": ["CT", "NMRX"]},
        {"structures": "lever tumor"},
        {"use": "comercial"},
        {"dimension": "4d"},
        {"access": "free"},
        {"loadable": "maybe"},
    ],
)
def test_an_unknown_word_in_a_filter_is_an_error_that_says_what_there_is(wrong: dict[str, Any]) -> None:
    with pytest.raises(UnknownTermError) as raised:
        medimg.search("liver", **wrong)
    assert raised.value.next_step and "use one of" in raised.value.next_step


def test_license_terms_are_those_of_fusion() -> None:
    met = search_data()["licenses"]
    assert {id: tuple(terms) for id, terms in met.items()} == {id: licenses.met(id) for id in licenses.known()}
    assert tuple(search_data()["uses"]) == licenses.TERMS


def test_chinese_words_stand_for_terms() -> None:
    chinese = tomllib.loads(resources.files("medimg.catalogue").joinpath("zh.toml").read_text("utf-8"))
    assert not [id for kind, terms in chinese.items() for id in terms if id not in getattr(vocab, kind)]
    for query in ("肝脏 分割", "肝脏分割", "CT肝脏"):
        assert find([LIVER, entry("b", organ=("brain",))], query)[0] == ("a", "")
    assert find([LIVER], organ="肝脏", modality="计算机断层扫描") == [("a", "")]


def test_every_original_name_finds_its_dataset() -> None:
    """Each name of each entry, as a list writes it, finds that entry."""
    index = Index(catalogue.entries())
    for each in catalogue.entries()[::7]:
        for name in (each.id, each.name, *each.aliases):
            found = [hit.entry.id for hit in search_in(index, name, Filters()) if not hit.near]
            assert each.id in found, name
