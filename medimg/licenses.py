"""What each license allows, and so what is published: open, gated, or only the recipe.

The table is `licenses.toml` beside this module. Nothing here is legal advice; what is not known counts as
forbidden.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from functools import cache
from importlib import resources
from itertools import combinations
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from medimg.errors import LicenseError, UnknownTermError

UNKNOWN = "LicenseRef-unknown"
"""No license is stated, or nobody has read it."""
PER_ROW = "LicenseRef-per-row"
"""Every row states its own license."""

TERMS = ("commercial", "adapt", "redistribute", "open", "no share-alike", "known")
"""Terms that a selection or a search may ask for, beside license ids; several must hold together."""

_CC_WORDS = {
    "attribution": "by",
    "noncommercial": "nc",
    "sharealike": "sa",
    "noderivatives": "nd",
    "noderivs": "nd",
    "by": "by",
    "nc": "nc",
    "sa": "sa",
    "nd": "nd",
}
_CC_ELEMENTS = frozenset({"by", "by-sa", "by-nc", "by-nc-sa", "by-nd", "by-nc-nd"})
_CC = re.compile(
    r"(?:https?creativecommonsorglicenses|creativecommons|cc)"
    rf"(?P<elements>(?:{'|'.join(sorted(_CC_WORDS, key=len, reverse=True))})+)"
    r"v?(?P<version>\d\.\d)?"
    r"(?:international|unported|generic)?(?:public)?(?:license|legalcode|deed)?(?:en)?"
)
_CC_ZERO = re.compile(
    r"(?:https?creativecommonsorgpublicdomainzero(?:1\.0)?"
    r"|(?:creativecommons|cc)(?:0|zero)(?:v?1\.0)?(?:universal)?(?:cc01\.0)?(?:publicdomain(?:dedication)?)?)"
    r"(?:legalcode|license)?"
)
_OTHER_NAMES = {
    "apache": "Apache-2.0",
    "apache2": "Apache-2.0",
    "apache2.0": "Apache-2.0",
    "bsd3clause": "BSD-3-Clause",
    "gpl3.0": "GPL-3.0-only",
    "gplv3": "GPL-3.0-only",
    "gpl3": "GPL-3.0-only",
    "mit": "MIT",
    "odbl": "ODbL-1.0",
    "odbl1.0": "ODbL-1.0",
    "odcby": "ODC-By-1.0",
    "pddl": "PDDL-1.0",
}


class Verdict(StrEnum):
    """What may be published."""

    OPEN = "open"
    """The data, for everyone."""
    GATED = "gated"
    """The data, for readers who accept the terms."""
    RECIPE = "recipe"
    """No data: a card that says how to build it from one's own copy."""

    @property
    def rank(self) -> int:
        """0 for open to 2 for recipe: a higher rank lets less through."""
        return list(Verdict).index(self)


class License(BaseModel):
    """One license. None means that it is not known, which counts as no.

    Attributes:
        id: SPDX id, or LicenseRef-… for terms that SPDX does not list.
        name: its full name.
        url: where it can be read.
        redistribute: unmodified copies may be passed on.
        adapt: modified copies may be passed on.
        commercial: commercial use is allowed.
        share_alike: adapted copies must carry the same license.
        attribution: the source must be named.
        gate: readers must accept terms before they get the data.
        format_shift: the bytes may be stored in another format although they may not be adapted.
        per_row: every row states its own license.
        evidence: where the terms were read; "unverified" what is from memory.
        hub: the `license:` identifier of a Hub card.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    url: str | None = None
    redistribute: bool | None = None
    adapt: bool | None = None
    commercial: bool | None = None
    share_alike: bool = False
    attribution: bool = False
    gate: bool = False
    format_shift: bool = False
    per_row: bool = False
    evidence: str
    hub: str = "other"

    @property
    def publish(self) -> Verdict:
        """What this license lets be published. Where each row has its own license, the rows decide."""
        if self.per_row:
            return Verdict.OPEN
        if not self.redistribute or not (self.adapt or self.format_shift):
            return Verdict.RECIPE
        return Verdict.GATED if self.gate else Verdict.OPEN

    @property
    def sentence(self) -> str:
        """What the license says, in one sentence. What nobody has read is said to be unknown."""
        if self.per_row:
            return "Each row states its own license: read it in the column license before you use the row."
        terms = (
            (self.redistribute, "pass it on", "pass it on", "passing it on"),
            (
                self.adapt,
                "change it and pass that on",
                "pass on changed versions",
                "passing on changed versions",
            ),
            (self.commercial, "use it commercially", "use it commercially", "commercial use"),
        )
        allowed = [yes for value, yes, _, _ in terms if value]
        forbidden = [no for value, _, no, _ in terms if value is False]
        unknown = [open_ for value, _, _, open_ in terms if value is None]
        conditions = ["name the source"] if self.attribution else []
        conditions += ["keep this license for changed versions"] if self.share_alike else []
        parts = []
        if allowed:
            parts.append(f"you may {_and(allowed)}" + (f" if you {_and(conditions)}" if conditions else ""))
        if forbidden:
            parts.append(f"you may not {_and(forbidden, 'or')}")
        if unknown:
            parts.append(f"{_and(unknown)} {'is' if len(unknown) == 1 else 'are'} not known: ask the source")
        told = "; ".join(parts)
        return f"{told[0].upper()}{told[1:]}."


def _and(words: Sequence[str], last: str = "and") -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} {last} {words[-1]}"


class Combined(BaseModel):
    """The terms of a set of works.

    Attributes:
        members: member name -> license id (without names, the id names itself).
        adapt: the set may be adapted further.
        commercial: the set may be used commercially.
        share_alike: the license that the set, being adapted, must carry.
        attribution: the members must be named.
        publish: what may be published of the set.
        strictest: the license of the member that restricts most.
        reasons: why the terms are what they are, in words.
    """

    model_config = ConfigDict(frozen=True)

    members: Mapping[str, str]
    adapt: bool | None
    commercial: bool | None
    share_alike: str | None
    attribution: bool
    publish: Verdict
    strictest: str
    reasons: tuple[str, ...]


@cache
def _table() -> Mapping[str, License]:
    text = (resources.files("medimg") / "licenses.toml").read_text(encoding="utf-8")
    return {id_: License(id=id_, **fields) for id_, fields in tomllib.loads(text).items()}


def known() -> tuple[str, ...]:
    """All license ids, in the order of the table."""
    return tuple(_table())


def get(id: str) -> License:
    """The license of an SPDX id or LicenseRef-….

    Raises:
        UnknownTermError: the id is not in the table; the message suggests the closest ones.
    """
    try:
        return _table()[id]
    except KeyError:
        likely = normalize(id)
        closest = difflib.get_close_matches(id, known(), n=3, cutoff=0.0)
        suggested = list(dict.fromkeys([likely, *closest] if likely else closest))[:3]
        raise UnknownTermError(
            f"{id!r} is not a known license id.",
            next_step=f"use one of {', '.join(map(repr, suggested))}, or add a table to licenses.toml.",
        ) from None


def verdict(id: str) -> Verdict:
    """What may be published under a license; nothing where the table does not know it."""
    return _table()[id].publish if id in _table() else Verdict.RECIPE


def met(id: str) -> tuple[str, ...]:
    """Which of `TERMS` a license meets; what is not known is not met."""
    license = get(id)
    holds = {
        "commercial": bool(license.commercial),
        "adapt": bool(license.adapt),
        "redistribute": bool(license.redistribute),
        "open": license.publish is Verdict.OPEN and not license.per_row,
        "no share-alike": not license.share_alike,
        "known": license.id != UNKNOWN,
    }
    return tuple(term for term in TERMS if holds[term])


def allowed(id: str, asked: Iterable[str]) -> bool:
    """Whether a license meets all the terms asked for, and is one of the license ids among them, if there are any."""
    asked = tuple(asked)
    ids = [term for term in asked if term not in TERMS]
    return {term for term in asked if term in TERMS} <= set(met(id)) and (not ids or id in ids)


def check_terms(asked: Iterable[str]) -> None:
    """Raises UnknownTermError for what is neither of `TERMS` nor a license id."""
    for term in asked:
        if term not in TERMS and term not in known():
            raise UnknownTermError(
                f"{term!r} is no license term",
                next_step=f"use one of {', '.join(map(repr, TERMS))}, or a license id such as 'CC-BY-4.0'.",
            )


def normalize(text: str) -> str | None:
    """The id of a license as sources write it ("CC BY-NC-SA 4.0", "Apache 2.0", "CC0: Public Domain").

    None where the text is blank, names no license of the table, names several, or only says "custom" or
    "public". A Creative Commons license without its version is `LicenseRef-CC-…`.
    """
    key = re.sub(r"[^a-z0-9.]+", "", re.sub(r"\.(?!\d)|(?<!\d)\.", "", text.casefold()))
    if not key:
        return None
    if key in (names := _names()):
        return names[key]
    key = key.removesuffix("license") if key.removesuffix("license") in _OTHER_NAMES else key
    if key in _OTHER_NAMES:
        return _OTHER_NAMES[key]
    if _CC_ZERO.fullmatch(key):
        return "CC0-1.0"
    if found := _CC.fullmatch(key):
        words = re.findall("|".join(sorted(_CC_WORDS, key=len, reverse=True)), found["elements"])
        elements = {_CC_WORDS[word] for word in words}
        joined = "-".join(element for element in ("by", "nc", "sa", "nd") if element in elements)
        version = found["version"]
        id_ = f"CC-{joined.upper()}-{version}" if version else f"LicenseRef-CC-{joined.upper()}"
        return id_ if joined in _CC_ELEMENTS and id_ in _table() else None
    return None


@cache
def _names() -> Mapping[str, str]:
    names: dict[str, str] = {}
    for license in _table().values():
        if license.id not in (UNKNOWN, PER_ROW):
            for name in (license.id, license.name):
                names[re.sub(r"[^a-z0-9.]+", "", re.sub(r"\.(?!\d)|(?<!\d)\.", "", name.casefold()))] = license.id
    return names


class _Conflict(NamedTuple):
    members: tuple[str, ...]
    problem: str


def combine(ids: Iterable[str] | Mapping[str, str], *, adapted: bool, pushed: bool = True) -> Combined:
    """The terms of a set of works, or the reason why there can be no such set.

    Args:
        ids: license ids, or member name -> license id.
        adapted: the members are changed and joined into one work (remapped masks, resampled pixels). False:
            they stay as they are, side by side, each under its own license.
        pushed: the set is passed on to others. A set that stays with its maker never fails: where it could
            not be passed on, `publish` is recipe and `reasons` says why.

    Raises:
        LicenseError: the pushed set is empty or impossible; names the members that cannot be combined.
        UnknownTermError: a license id is unknown.
    """
    named = dict(ids) if isinstance(ids, Mapping) else {id_: id_ for id_ in ids}
    members = {name: get(named[name]) for name in sorted(named)}
    if not members:
        raise LicenseError("an empty set has no license terms.", next_step="name at least one member.")
    conflicts = _conflicts(members, adapted)
    if conflicts and pushed:
        shown = " and ".join(_called(name, members[name]) for name in conflicts[0].members)
        by_row = any(members[name].per_row for name in conflicts[0].members)
        raise LicenseError(
            f"{shown}: {conflicts[0].problem}.",
            next_step="push it (`medimg fuse … --push NAME`), which asks its rows one by one, or leave it out."
            if by_row
            else "leave a member out, or keep the set to yourself and publish only its recipe.",
        )
    partner = _share_alike(members) if adapted else None
    licenses = members.values()
    return Combined(
        members=named,
        adapt=_all(license.adapt for license in licenses),
        commercial=_all(license.commercial for license in licenses),
        share_alike=partner,
        attribution=any(license.attribution for license in licenses),
        publish=Verdict.RECIPE if conflicts else max((license.publish for license in licenses), key=lambda v: v.rank),
        strictest=max(licenses, key=lambda license: (_strictness(license), license.id == partner, license.id)).id,
        reasons=tuple(_reasons(members, partner, conflicts)),
    )


def _conflicts(members: Mapping[str, License], adapted: bool) -> list[_Conflict]:
    """What stands against passing the set on; pairs first, in the order of the names."""
    found: list[_Conflict] = []
    if adapted:
        for first, second in combinations(members, 2):
            problem = _clash(members[first], members[second]) or _clash(members[second], members[first])
            if problem:
                found.append(_Conflict((first, second), problem))
    for name, license in members.items():
        if license.per_row:
            if adapted:
                problem = "its rows have licenses of their own: combine those instead of the dataset's"
                found.append(_Conflict((name,), problem))
        elif license.publish is Verdict.RECIPE:
            found.append(_Conflict((name,), "its license does not let the data be passed on, only the recipe"))
        elif adapted and license.adapt is False:
            found.append(_Conflict((name,), "no-derivatives data cannot be part of an adapted set"))
        elif adapted and license.adapt is None:
            found.append(_Conflict((name,), "its license does not say whether adapted copies may be passed on"))
    return found


def _clash(one: License, other: License) -> str | None:
    """Why a share-alike license and another one cannot meet in one adapted work."""
    if not one.share_alike:
        return None
    if other.share_alike:
        if _family(one.id) == _family(other.id):
            return None
        return "two different share-alike licenses, and an adapted work can carry only one"
    if other.adapt is False:
        return "share-alike asks for an adaptable result, no-derivatives forbids it"
    if other.per_row:
        return None
    if one.commercial and not other.commercial:
        return f"{one.id} lets nobody add a restriction, and {other.id} does not allow commercial use"
    if other.gate:
        return f"{one.id} lets nobody add terms, and {other.id} has terms to accept"
    return None


def _family(id: str) -> tuple[str, bool]:
    """Share-alike licenses of one family may meet under the later version; it must be stated."""
    stated = re.fullmatch(r"(CC-[A-Z-]+)-\d\.\d", id)
    return (stated[1], True) if stated else (id, False)


def _share_alike(members: Mapping[str, License]) -> str | None:
    """The share-alike license of the result: of one family the later version, else the first of them."""
    ids = sorted({license.id for license in members.values() if license.share_alike})
    if not ids:
        return None
    return ids[-1] if len({_family(id_) for id_ in ids}) == 1 else ids[0]


def _all(values: Iterable[bool | None]) -> bool | None:
    seen = set(values)
    return False if False in seen else None if None in seen else True


def _strictness(license: License) -> tuple[int, int, int, bool, bool]:
    allowed = {True: 0, None: 1, False: 2}
    return (
        license.publish.rank,
        allowed[license.adapt],
        allowed[license.commercial],
        license.share_alike,
        license.attribution,
    )


def _called(name: str, license: License) -> str:
    return name if name == license.id else f"{name} ({license.id})"


def _reasons(members: Mapping[str, License], partner: str | None, conflicts: Iterable[_Conflict]) -> Iterable[str]:
    def those(test: str, *values: bool | None) -> str:
        return ", ".join(
            _called(name, license) for name, license in members.items() if getattr(license, test) in values
        )

    for conflict in conflicts:
        shown = " and ".join(_called(name, members[name]) for name in conflict.members)
        yield f"not to be passed on: {shown}: {conflict.problem}"
    if restricted := those("commercial", False):
        yield (
            f"non-commercial: the narrower terms of {restricted} hold for the set as a whole; "
            "members that allow commercial use allow it outside the set"
        )
    if unsure := those("commercial", None):
        yield f"commercial use not known: {unsure}"
    if partner:
        yield f"share-alike: adapted copies must carry {partner}, asked for by {those('share_alike', True)}"
    elif sharing := those("share_alike", True):
        yield f"share-alike: not touched, as nothing is adapted; adapted copies of {sharing} are bound by it"
    if fixed := those("adapt", False):
        yield f"no derivatives: {fixed} may be passed on unchanged only, at most in another format"
    if gated := those("gate", True):
        yield f"gated: readers accept the terms of {gated}"
    if rows := those("per_row", True):
        yield f"per row: the rows of {rows} state their own licenses, and rows without one are not passed on"
    if credited := those("attribution", True):
        yield f"attribution: name {credited}"
