"""Under which terms a fused set may be passed on: of the members, and of rows that state licenses of their own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from medimg import licenses, registry
from medimg.errors import LicenseError
from medimg.fusion.plan import Plan
from medimg.hub_sync.pushing.client import Hub
from medimg.licenses import Combined, Verdict


def check_terms(plan: Plan, *, verbatim: bool, rows: Mapping[str, Mapping[str, int]] | None = None) -> Combined:
    """The terms under which the set may be passed on.

    Args:
        verbatim: the members' files are copied as they are.
        rows: member whose rows state licenses of their own -> license id -> rows (see `row_licenses`). Without it,
            the terms are those of the other members alone.

    Raises:
        LicenseError: it may not, or a member allows no derivatives: such data is never part of a pushed set.
    """
    if verbatim:
        for member in plan.members:
            refuse_no_derivatives(member.key, member.license)
        return plan.to_push(adapted=False)
    by_row = [member for member in plan.members if licenses.get(member.license).per_row]
    ids = {member.key: member.license for member in plan.members if member not in by_row}
    if ids:
        licenses.combine(ids, adapted=True)
    if rows is None:
        return licenses.combine(ids or {each.key: each.license for each in by_row}, adapted=bool(ids))
    row_terms = RowTerms(plan)
    for member in by_row:
        stated = rows.get(member.key, {})
        if not any([row_terms.take(member.key, id) for id in sorted(stated, key=lambda id: (-stated[id], id))]):
            raise LicenseError(
                f"no row of {member.key} may be part of an adapted set that is passed on: they are under "
                + (", ".join(f"{id} ({count:,})" for id, count in stated.items()) or "no license"),
                next_step="leave the member out, or keep the set to yourself.",
            )
    return licenses.combine(row_terms.ids, adapted=True)


def row_licenses(stream: Any) -> dict[str, Counter[str]]:
    """Member whose rows state licenses of their own -> license id -> rows of it that are part of the set.

    Args:
        stream: what `fuse` gave.
    """
    found = {}
    for rows in stream.members:
        if licenses.get(rows.member.license).per_row:
            wanted = (item for item in rows.alone().outlines() if rows.splits and item[0] in rows.splits)
            found[rows.key] = Counter(rows.terms(item) for item in wanted if rows.wants(item))
    return found


def refuse_unread(plan: Plan, hub: Hub) -> None:
    """Raises LicenseError where nobody has read a license, and the set would leave an embedded Hub."""
    names = dict.fromkeys(member.name for member in plan.members)
    unread = [name for name in names if "license" in registry.get(name).dataset.evidence.unverified]
    if unread and not hub.embedded:
        raise LicenseError(
            f"nobody has read the license of {', '.join(unread)}: a fused set with it stays on an embedded Hub.",
            next_step="read it at the source and write where into the declaration, or leave the member out.",
        )


def refuse_no_derivatives(key: str, id: str) -> None:
    """Raises LicenseError where a license does not allow derivatives."""
    license = licenses.get(id)
    if not license.per_row and license.adapt is not True:
        raise LicenseError(
            f"{key} ({id}) allows no derivatives, or does not say so: it is never part of a pushed fused set.",
            next_step="leave the member out (--license adapt finds those that may be adapted).",
        )


class RowTerms:
    """Whether rows that state licenses of their own may be part of the set.

    Attributes:
        ids: what the set is under: member, or rows of one under a license of theirs -> license id.
    """

    def __init__(self, plan: Plan) -> None:
        self.ids = {member.key: member.license for member in plan.members if not licenses.get(member.license).per_row}

    def take(self, key: str, id: str) -> bool:
        """False where the row stays out. Raises LicenseError where it contradicts the other members."""
        rows = f"rows of {key}: {id}"
        if self.ids.get(key) == id or rows in self.ids:
            return True
        license = licenses.get(id)
        if license.publish is Verdict.RECIPE or license.adapt is not True:
            return False
        more = {**self.ids, rows: id}
        try:
            licenses.combine(more, adapted=True)
        except LicenseError as error:
            ids = dict.fromkeys(self.ids.values())
            fitting = " ".join(f"--license {each}" for each in ids)
            listed = ", ".join(f'"{each}"' for each in ids)
            raise LicenseError(
                error.problem,
                next_step=f"take only what fits together: {fitting} (license_terms=[{listed}]), or leave {key} out.",
            ) from error
        self.ids = more
        return True
