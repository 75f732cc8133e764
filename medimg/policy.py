"""What of a dataset may be published, and to whom: the table of licenses over a declaration and a manifest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from medimg import licenses
from medimg.declaration import Dataset
from medimg.errors import LicenseError
from medimg.licenses import License, Verdict
from medimg.manifest import Manifest


def declared(dataset: Dataset, config: str) -> str:
    """License of a sub-collection as declared; the dataset's where it has none, or is declared no more."""
    own = dataset.config(config).license if config in dataset.config_names else None
    return own or dataset.license


def gates(dataset: Dataset, manifest: Manifest | None) -> tuple[License, ...]:
    """Licenses whose terms readers must accept before they get this repository; none where it is open.

    The Hub gates whole repositories: one gated sub-collection or row gates them all.
    """
    ids = [dataset.license]
    for config in manifest.configs if manifest is not None else ():
        if config.rows:
            ids += [declared(dataset, config.name), *config.license]
    return gated(ids)


def gated(ids: Iterable[str]) -> tuple[License, ...]:
    """Of these licenses, each once, those whose terms readers must accept."""
    found = (licenses.get(id_) for id_ in dict.fromkeys(ids))
    return tuple(license for license in found if license.publish is Verdict.GATED)


def held(dataset: Dataset, old: Manifest) -> list[str]:
    """Licenses of published rows that ask for a gate, and that no changed declaration has replaced.

    A gate is in front of all revisions: it may be lifted where a license was declared anew, and not where only the
    rows under it were taken out.
    """
    found: set[str] = set()
    for config in old.configs:
        there = config.name in dataset.config_names
        if there and not licenses.get(declared(dataset, config.name)).per_row:
            continue
        found |= {id_ for id_ in config.license if licenses.verdict(id_) is not Verdict.OPEN}
    return sorted(found)


def forbidden(dataset: Dataset, manifest: Manifest) -> dict[str, int]:
    """License -> published rows that it does not let out, as the table of licenses stands today."""
    if manifest.rows and dataset.publish is Verdict.RECIPE:
        return {dataset.license: manifest.rows}
    found: Counter[str] = Counter()
    for config in manifest.configs:
        if config.rows:
            for id_, count in (config.license or {declared(dataset, config.name): config.rows}).items():
                if licenses.verdict(id_) is Verdict.RECIPE:
                    found[id_] += count
    return dict(found)


def freed(manifest: Manifest) -> dict[str, int]:
    """License -> withheld rows that it lets out, as the table of licenses stands today."""
    return {id_: count for id_, count in manifest.withheld.items() if licenses.verdict(id_) is not Verdict.RECIPE}


def may_show(dataset: Dataset, manifest: Manifest) -> bool:
    """Whether anybody may see its rows: all of it is open, no terms are to be accepted, nothing was withheld."""
    open_ = dataset.publish is Verdict.OPEN and not gates(dataset, manifest)
    return bool(manifest.rows) and open_ and not forbidden(dataset, manifest) and not manifest.withheld


def check(dataset: Dataset, manifest: Manifest) -> None:
    """Refuse to publish data that no license lets out; phantoms are nobody's data.

    Raises:
        LicenseError: published rows carry a license whose verdict is recipe.
    """
    if manifest.origin == "miniature":
        return
    for id_ in forbidden(dataset, manifest):
        raise LicenseError(
            f"the manifest holds published rows under {id_}, which does not allow redistribution",
            dataset=dataset.name,
            next_step=f"build it again without these rows: medimg sync {dataset.name} --source <root>.",
        )
