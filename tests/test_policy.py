from __future__ import annotations

import pytest

from medimg import licenses, policy
from medimg.declaration import Citation, Config, Dataset, Evidence
from medimg.errors import LicenseError
from medimg.manifest import ConfigStats, Manifest, SplitStats

OPEN, GATED, CLOSED = (
    next(id for id in licenses.known() if licenses.verdict(id) is verdict and not licenses.get(id).per_row)
    for verdict in licenses.Verdict
)


def declare(license: str, *configs: Config) -> Dataset:
    return Dataset(
        name="made-up",
        title="Made up",
        dimension="2d",
        modality="X-ray",
        organ="chest",
        task="classification",
        license=license,
        homepage="https://example.org",
        sources=(),
        splits={},
        citation=Citation(title="Made up", authors="Doe J", year=2020),
        evidence=Evidence(layout="unverified", labels="unverified", license="unverified"),
        no_subject="made up",
        configs=configs,
    )


def held(**configs: dict[str, int]) -> Manifest:
    """A manifest of these configs: license -> rows; no license at all is one row that states none."""
    return Manifest(
        name="made-up",
        medimg="0",
        schema_version="1",
        origin="source",
        fingerprint={},
        configs=tuple(
            ConfigStats(
                name=name,
                dimension="2d",
                license=rows,
                splits={"train": SplitStats(rows=sum(rows.values()) or 1, subjects=0, shards=(), metadata=())},
            )
            for name, rows in configs.items()
        ),
    )


def test_the_license_of_a_sub_collection_is_its_own_then_the_datasets() -> None:
    dataset = declare(OPEN, Config(name="a", title="A", license=GATED), Config(name="b", title="B"))
    assert [policy.declared(dataset, name) for name in ("a", "b", "no longer there")] == [GATED, OPEN, OPEN]


def test_one_gated_sub_collection_or_row_gates_the_repository() -> None:
    dataset = declare(OPEN, Config(name="a", title="A", license=GATED), Config(name="b", title="B"))
    assert policy.gates(dataset, None) == policy.gates(dataset, held(b={OPEN: 2})) == ()
    assert [each.id for each in policy.gates(dataset, held(a={}))] == [GATED]
    assert [each.id for each in policy.gates(dataset, held(b={GATED: 1, OPEN: 9}))] == [GATED]
    assert policy.gates(declare(OPEN), held(gone={})) == ()


def test_what_turned_is_counted_by_license() -> None:
    dataset = declare(OPEN, Config(name="a", title="A", license=CLOSED), Config(name="b", title="B"))
    assert policy.forbidden(dataset, held(a={}, b={OPEN: 3, CLOSED: 4})) == {CLOSED: 5}
    assert policy.forbidden(declare(CLOSED), held(default={OPEN: 3})) == {CLOSED: 3}
    assert policy.forbidden(declare(CLOSED), held()) == {}
    assert policy.forbidden(dataset, held(b={"LicenseRef-no-longer-in-the-table": 2})) == {
        "LicenseRef-no-longer-in-the-table": 2
    }


def test_a_gate_stays_for_rows_that_no_new_declaration_has_freed() -> None:
    dataset = declare(OPEN, Config(name="a", title="A"), Config(name="b", title="B", license=licenses.PER_ROW))
    assert policy.held(dataset, held(a={GATED: 1})) == []
    assert policy.held(dataset, held(b={GATED: 1, OPEN: 1})) == [GATED]
    assert policy.held(dataset, held(gone={GATED: 1})) == [GATED]


def test_only_what_is_open_as_a_whole_is_shown() -> None:
    dataset = declare(OPEN)
    assert policy.may_show(dataset, held(default={OPEN: 1}))
    for license in (GATED, CLOSED):
        assert not policy.may_show(declare(license), held(default={license: 1}))
        assert not policy.may_show(dataset, held(default={OPEN: 1, license: 1}))
    assert not policy.may_show(dataset, held())
    config = held(default={OPEN: 1}).configs[0].model_copy(update={"withheld": {CLOSED: 1}})
    withheld = held().model_copy(update={"configs": (config,)})
    assert not policy.may_show(dataset, withheld) and policy.freed(withheld) == {}


def test_data_that_no_license_lets_out_is_refused_but_phantoms() -> None:
    manifest = held(default={CLOSED: 1})
    with pytest.raises(LicenseError, match=CLOSED):
        policy.check(declare(OPEN), manifest)
    policy.check(declare(OPEN), manifest.model_copy(update={"origin": "miniature"}))
    policy.check(declare(OPEN), held(default={OPEN: 1}))
