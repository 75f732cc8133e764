"""The catalogue as a dataset of its own, `<namespace>/catalogue`: one Parquet file, JSON, the ledger, a card.

It is written at the end of a run over all datasets, in one commit, and only where a file differs.
"""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from medimg import catalogue, layout
from medimg.cards import human
from medimg.catalogue import Entry
from medimg.catalogue.making import ledger
from medimg.errors import MedimgError
from medimg.hub_sync.discovery.export import META, data_meta
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.upload import Upload

NAME = "catalogue"
PARQUET = "data/catalogue.parquet"
JSON = "catalogue.json"
LEDGER = "ledger.jsonl"
SOURCES = """| source | what was taken | its license |
|---|---|---|
| declarations of medimg's builders | everything of the datasets that have one | Apache-2.0 |
| index of the Imaging Data Commons (idc-index-data) | its collections | MIT |
| OpenNeuro's table (cohort-creator) | BIDS datasets; each license is that of its dataset_description.json | MIT |
| Project Imaging-X (uni-medical/Project-Imaging-X@ec70f7b) | names, links, years, numbers, terms | MIT |
| manifest of Imaging-X's portal (tchenglv520/medical-dataset-browser@ed759d7) | facts, not the file | none stated |
| torch-em 0.10.9 | addresses and label names | MIT |
"""
"""Where facts are from."""


def schema() -> Any:
    """Columns of the Parquet file: those of an entry; lists as lists."""
    import pyarrow as pa

    text, texts = pa.string(), pa.list_(pa.string())
    types = {
        **dict.fromkeys(("aliases", "modality", "organ", "task", "structures", "dimension", "links"), texts),
        **dict.fromkeys(("count", "subjects", "bytes", "year"), pa.int64()),
        "commercial": pa.bool_(),
        "overlaps": pa.list_(pa.struct({"dataset": text, "relation": text})),
        "stated": pa.list_(pa.struct({"by": text, "rows": pa.list_(pa.int32()), "fields": texts})),
    }
    return pa.schema([(name, types.get(name, text)) for name in catalogue.entry.FIELDS])


def parquet(entries: Sequence[Entry]) -> bytes:
    """The table; the same entries give the same bytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pylist([each.to_dict() for each in entries], schema=schema())
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def files(entries: Sequence[Entry], namespace: str, previous: str | None = None) -> dict[str, bytes]:
    """Path in the repository -> bytes.

    Args:
        previous: the published card, whose hand-written block is kept.
    """
    whole = json.dumps([each.to_dict() for each in entries], ensure_ascii=False, indent=0)
    return {
        layout.CARD_PATH: card(entries, namespace, previous).encode(),
        PARQUET: parquet(entries),
        JSON: (whole + "\n").encode(),
        META: data_meta(entries).encode(),
        LEDGER: ledger.FILE.read_bytes(),
    }


def card(entries: Sequence[Entry], namespace: str, previous: str | None = None) -> str:
    """README.md."""
    import yaml
    from datasets import Features

    fields = Features.from_arrow_schema(schema())._to_yaml_list()
    head = {
        "license": "apache-2.0",
        "pretty_name": "Catalogue of medical imaging datasets",
        "tags": ["medical", "medimg", "catalogue"],
        "configs": [{"config_name": "default", "data_files": [{"split": "train", "path": PARQUET}]}],
        "dataset_info": {"config_name": "default", "features": fields},
    }
    lines = list(ledger.read())
    rows = [each for each in lines if "list" in each]
    shares = [f"| {column} | {there:,} | {good / there:.1%} |" for column, (good, there) in ledger.shares(rows).items()]
    return f"""---
{yaml.safe_dump(head, sort_keys=False, allow_unicode=True).strip()}
---

# Catalogue of medical imaging datasets

{len(entries):,} public medical imaging datasets, one row each, in one vocabulary: what they show, how many images there
are, who holds them, on which terms, and whether medimg loads them.

```python
from datasets import load_dataset

rows = load_dataset("{namespace}/{NAME}", split="train")
liver = rows.filter(lambda row: "CT" in row["modality"] and "liver" in row["organ"])
```

{human.block(previous)}

## What can be loaded

| loadable | datasets |
|---|---|
{_counted(each.loadable for each in entries)}

## Licenses

A license is shown as usable (`verdict`, `commercial`) only where the dataset's own source states it: `license_by` says
whose word it is.

| license stated by | datasets |
|---|---|
{_counted(each.license_by or "nobody" for each in entries)}

## Columns

`id`, `name`, `aliases`; `modality`, `organ`, `task`, `structures` (ids of medimg's vocabularies); `dimension`; `count`
and its `unit`; `subjects`; `bytes`; `year`; `license`, `verdict`, `commercial`, `license_by`; `access`, `where`,
`links`, `organization`; `overlaps` (images in common with others); `loadable`; `stated` (which rows of which list said
what).

`{JSON}` holds the same as JSON, `{META}` as the metadata standard of Project Imaging-X has it. `{LEDGER}` says of each
of the {len(rows):,} rows of the lists which entry it went into or why it is broken, and of each value that is no term,
why.

## Sources

{SOURCES}
Facts were taken, no sentences. Of what the lists say, this much is normalized:

| column | values | normalized |
|---|---|---|
{chr(10).join(shares)}
"""


def _counted(values: Any) -> str:
    return "\n".join(f"| {value} | {count:,} |" for value, count in Counter(values).most_common())


def update(hub: Hub) -> str | None:
    """Bring the repository up to date; returns the new revision, None where nothing was to do.

    A repository that is held (retired, rolled back) is left alone, and one that holds something else is never
    overwritten.

    Raises:
        HubError: the Hub refuses, or does not answer.
        MedimgError: the repository of this name is a dataset's, or somebody's own.
    """
    state, manifest = hub.found(NAME)
    if manifest is not None:
        raise MedimgError(f"{hub.repo(NAME)} holds a dataset, so the catalogue cannot be published there", dataset=NAME)
    if state.hold is not None:
        return None
    if human.START not in (state.card or "") and not set(state.files) <= {".gitattributes"}:
        raise MedimgError(
            f"{hub.repo(NAME)} holds what medimg did not put there; it stays as it is",
            dataset=NAME,
            next_step="move it, or publish under another namespace",
        )
    wanted = files(catalogue.entries(), hub.namespace, state.card)
    if state.sha is None:
        hub.create(NAME)
        state, _ = hub.found(NAME)
    message = f"The catalogue: {len(catalogue.entries())} datasets"
    return Upload(hub, NAME).commit(wanted, state, message, owned=())
