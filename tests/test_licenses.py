from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from medimg import licenses, registry
from medimg.errors import LicenseError, UnknownTermError
from medimg.licenses import Combined, Verdict, combine

SHARED = Path(__file__).parents[1].parent / "shared"
PUBLISHED = [id_ for id_ in licenses.known() if licenses.get(id_).publish is not Verdict.RECIPE]


@pytest.mark.parametrize("id_", licenses.known())
def test_table_is_sound(id_: str) -> None:
    license = licenses.get(id_)
    assert license.id == id_ and license.name and license.evidence
    assert license.url is None or license.url.startswith("http")
    assert not (license.share_alike and license.adapt is False), "share-alike needs something to share"
    assert not (license.per_row and license.redistribute), "the rows decide, not the dataset"
    if license.publish is not Verdict.RECIPE and not license.per_row:
        assert license.redistribute is True and license.commercial is not None
    assert license.hub == license.hub.lower()


def test_unknown_id_is_named_with_suggestions() -> None:
    with pytest.raises(UnknownTermError, match=r"'CC BY 4.0' is not a known license id.*'CC-BY-4.0'"):
        licenses.get("CC BY 4.0")
    with pytest.raises(UnknownTermError, match=r"use one of '[^']+', '[^']+', '[^']+', or add"):
        licenses.get("")
    # What the words mean comes first, though other ids are spelled more alike.
    with pytest.raises(UnknownTermError, match=r"use one of 'CC0-1\.0', "):
        licenses.get("CC0: Public Domain")


@pytest.mark.parametrize("id_", ["CC0-1.0", "PDDL-1.0"])
def test_nobody_need_be_named_where_the_text_does_not_ask_for_it(id_: str) -> None:
    assert licenses.get(id_).attribution is False
    assert not licenses.combine([id_], adapted=True).attribution
    assert licenses.get("CC-BY-4.0").attribution is True


@pytest.mark.parametrize(
    ("text", "id_"),
    [
        ("CC BY-NC-SA 4.0", "CC-BY-NC-SA-4.0"),
        ("CC BY 4.0 ", "CC-BY-4.0"),
        ("CC-BY-SA 4.0", "CC-BY-SA-4.0"),
        ("CC BY-SA-NC 4.0", "CC-BY-NC-SA-4.0"),
        ("Apache 2.0", "Apache-2.0"),
        ("MIT License", "MIT"),
        ("CC0", "CC0-1.0"),
        ("CC0: Public Domain", "CC0-1.0"),
        ("CC0 1.0 Universal (CC0 1.0) Public Domain Dedication", "CC0-1.0"),
        ("https://creativecommons.org/licenses/by-nc/3.0/", "CC-BY-NC-3.0"),
        ("https://creativecommons.org/licenses/by-sa/4.0/", "CC-BY-SA-4.0"),
        ("https://creativecommons.org/licenses/by-nc-sa/4.0/legalcode", "CC-BY-NC-SA-4.0"),
        ("https://creativecommons.org/licenses/by-nd/4.0/", "CC-BY-ND-4.0"),
        ("https://creativecommons.org/licenses/by-nc-nd/4.0/", "CC-BY-NC-ND-4.0"),
        ("http://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
        ("Creative Commons Attribution 4.0 International Public License", "CC-BY-4.0"),
        ("Creative Commons Attribution-NonCommercial-ShareAlike 4.0 International", "CC-BY-NC-SA-4.0"),
        ("ADNI Data Use Agreement", "LicenseRef-ADNI-DUA"),
        ("ODbL", "ODbL-1.0"),
        ("GPL-3.0", "GPL-3.0-only"),
        ("CC BY-NC-SA", "LicenseRef-CC-BY-NC-SA"),
        ("CC BY-NC-ND 6.0", None),
        ("CC BY-SA-ND 4.0", None),
        ("GPL", None),
        ("tcia", None),
        ("自定义", None),
        ("public", None),
        ("Public Domain", None),
        ("listed as authorized for everyone", None),
        ("CC BY 4.0 or CC0", None),
        ("not CC BY 4.0", None),
        ("by", None),
        ("", None),
        (" ", None),
    ],
)
def test_normalize(text: str, id_: str | None) -> None:
    assert licenses.normalize(text) == id_


@given(st.sampled_from([id_ for id_ in licenses.known() if id_ not in (licenses.UNKNOWN, licenses.PER_ROW)]))
def test_normalize_knows_its_own_ids_and_names(id_: str) -> None:
    assert licenses.normalize(id_) == licenses.normalize(id_.lower()) == id_
    assert licenses.normalize(licenses.get(id_).name) == id_


@given(st.text())
def test_normalize_never_fails_and_never_invents(text: str) -> None:
    assert licenses.normalize(text) in (None, *licenses.known())


def test_by_and_by_nc_are_non_commercial() -> None:
    terms = combine({"hc18": "CC-BY-4.0", "ham10000": "CC-BY-NC-4.0"}, adapted=True)
    assert (terms.adapt, terms.commercial, terms.share_alike) == (True, False, None)
    assert terms.attribution and terms.publish is Verdict.OPEN and terms.strictest == "CC-BY-NC-4.0"
    assert any(reason.startswith("non-commercial") and "ham10000" in reason for reason in terms.reasons)


def test_public_domain_takes_over_share_alike() -> None:
    terms = combine({"verse": "CC-BY-SA-4.0", "dsb2018": "CC0-1.0"}, adapted=True)
    assert terms.share_alike == terms.strictest == "CC-BY-SA-4.0" and terms.commercial is True


def test_share_alike_moves_to_the_later_version() -> None:
    assert combine(["CC-BY-NC-SA-3.0", "CC-BY-NC-SA-4.0"], adapted=True).share_alike == "CC-BY-NC-SA-4.0"


def test_gate_spreads() -> None:
    assert combine(["CC-BY-4.0", "LicenseRef-RSNA-Pneumonia-2018"], adapted=True).publish is Verdict.GATED


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"msd-liver": "CC-BY-SA-4.0", "kits19": "CC-BY-NC-SA-4.0", "x": "CC0-1.0"}, ("msd-liver", "kits19")),
        ({"msd-liver": "CC-BY-SA-4.0", "lits": "CC-BY-NC-ND-4.0"}, ("msd-liver", "lits")),
        ({"verse": "CC-BY-SA-4.0", "nsclc": "CC-BY-NC-3.0"}, ("verse", "nsclc")),
        ({"verse": "CC-BY-SA-4.0", "rsna": "LicenseRef-RSNA-Pneumonia-2018"}, ("verse", "rsna")),
        ({"a": "CC-BY-SA-4.0", "b": "LicenseRef-CC-BY-SA"}, ("a", "b")),
        ({"a": "CC-BY-SA-4.0", "b": "ODbL-1.0"}, ("a", "b")),
        ({"hc18": "CC-BY-4.0", "lits": "CC-BY-NC-ND-4.0"}, ("lits",)),
        ({"hc18": "CC-BY-4.0", "ich": "LicenseRef-RSNA-Hemorrhage-2019"}, ("ich",)),
        ({"hc18": "CC-BY-4.0", "covid": licenses.PER_ROW}, ("covid",)),
        ({"hc18": "CC-BY-4.0", "drive": "LicenseRef-DRIVE"}, ("drive",)),
    ],
)
def test_impossible_sets_name_their_members(members: dict[str, str], named: tuple[str, ...]) -> None:
    with pytest.raises(LicenseError) as caught:
        combine(members, adapted=True)
    head = str(caught.value).split(": ")[0]
    assert all(name in head for name in named)
    assert not any(name in head.split() for name in set(members) - set(named))
    local = combine(members, adapted=True, pushed=False)
    assert local.publish is Verdict.RECIPE and local.reasons[0].startswith("not to be passed on")


def test_a_collection_keeps_each_license() -> None:
    terms = combine({"a": "CC-BY-SA-4.0", "b": "CC-BY-NC-SA-4.0", "lits": "CC-BY-NC-ND-4.0"}, adapted=False)
    assert (terms.adapt, terms.commercial, terms.share_alike) == (False, False, None)
    assert terms.publish is Verdict.OPEN
    with pytest.raises(LicenseError, match="drive"):
        combine({"drive": "LicenseRef-DRIVE", "a": "CC0-1.0"}, adapted=False)


def test_empty_set() -> None:
    with pytest.raises(LicenseError, match="empty"):
        combine([], adapted=False)


def outcome(ids: list[str] | dict[str, str], adapted: bool, pushed: bool) -> Combined | str:
    try:
        return combine(ids, adapted=adapted, pushed=pushed)
    except LicenseError as error:
        return str(error)


ids_ = st.lists(st.sampled_from(licenses.known()), min_size=1, max_size=6)
mostly_published = st.lists(st.sampled_from(PUBLISHED), min_size=1, max_size=4)


@given(ids_ | mostly_published, st.randoms(), st.booleans(), st.booleans())
def test_order_and_repeats_do_not_count(ids: list[str], random: Any, adapted: bool, pushed: bool) -> None:
    shuffled = ids + ids[:1]
    random.shuffle(shuffled)
    assert outcome(ids, adapted, pushed) == outcome(shuffled, adapted, pushed)
    named = {f"m{index}": id_ for index, id_ in enumerate(ids)}
    backwards = dict(reversed(named.items()))
    assert outcome(named, adapted, pushed) == outcome(backwards, adapted, pushed)


FREEDOM = {True: 2, None: 1, False: 0}


@given(ids_ | mostly_published, st.sampled_from(licenses.known()), st.booleans(), st.booleans())
def test_a_further_member_never_makes_terms_more_permissive(
    ids: list[str], more: str, adapted: bool, pushed: bool
) -> None:
    few, many = outcome(ids, adapted, pushed), outcome([*ids, more], adapted, pushed)
    if isinstance(few, str):
        assert isinstance(many, str), "a set that cannot be pushed becomes possible by growing"
        return
    if isinstance(many, str):
        return
    assert FREEDOM[many.adapt] <= FREEDOM[few.adapt]
    assert FREEDOM[many.commercial] <= FREEDOM[few.commercial]
    assert many.publish.rank >= few.publish.rank
    assert many.attribution >= few.attribution
    assert (many.share_alike is not None) >= (few.share_alike is not None)


@given(mostly_published)
def test_no_member_is_freer_in_the_set_than_alone(ids: list[str]) -> None:
    terms = outcome(ids, adapted=True, pushed=True)
    if isinstance(terms, str):
        return
    for id_ in ids:
        own = licenses.get(id_)
        assert FREEDOM[terms.commercial] <= FREEDOM[own.commercial]
        assert terms.publish.rank >= own.publish.rank
        assert own.adapt is True
        if own.share_alike:
            assert terms.share_alike is not None
    assert terms.strictest in ids


@pytest.mark.skipif(not (SHARED / "roster").is_dir(), reason="the roster is not beside this checkout")
@pytest.mark.parametrize("name", registry.names())
def test_nothing_is_published_that_the_roster_forbids(name: str) -> None:
    path = SHARED / "roster" / f"{name}.yaml"
    if not path.is_file():
        pytest.skip("the dataset is not in the roster")
    said = yaml.safe_load(path.read_text(encoding="utf-8"))["redistributable"]
    dataset = registry.get(name).dataset
    for id_ in {dataset.config(config).license for config in dataset.config_names}:
        license = licenses.get(str(id_))
        if license.publish is not Verdict.RECIPE:
            assert said in ("yes", "noncommercial"), id_
        if said == "noncommercial":
            assert license.commercial is not True, id_


@pytest.mark.skipif(not (SHARED / "catalogue").is_dir(), reason="the catalogue is not beside this checkout")
def test_catalogue_licenses_are_known_or_nothing() -> None:
    rows = json.loads((SHARED / "catalogue" / "imaging_x_portal.json").read_text(encoding="utf-8"))
    texts = {row["license"] for row in rows if row["license"]}
    found = {text: licenses.normalize(text) for text in texts}
    unversioned = {text for text in texts if text.upper().startswith("CC") and found[text] is None}
    assert all(text.endswith(("2.0", "6.0")) for text in unversioned)


def test_the_strictest_of_terms_that_are_else_equal_is_the_one_that_binds_copies() -> None:
    assert licenses.combine(["ODC-By-1.0", "CC-BY-SA-4.0"], adapted=False).strictest == "CC-BY-SA-4.0"
    both = licenses.combine(["CC-BY-SA-3.0", "CC-BY-SA-4.0"], adapted=True)
    assert both.share_alike == both.strictest == "CC-BY-SA-4.0"


def test_members_whose_commercial_use_is_not_known_are_named_and_no_others() -> None:
    unsure = licenses.combine(
        {"a": "CC-BY-4.0", "b": licenses.UNKNOWN, "c": "CC-BY-NC-4.0"}, adapted=False, pushed=False
    )
    assert f"commercial use not known: b ({licenses.UNKNOWN})" in unsure.reasons
    sure = licenses.combine(["CC-BY-4.0", "CC-BY-NC-4.0"], adapted=False)
    assert not any("not known" in reason for reason in sure.reasons)
