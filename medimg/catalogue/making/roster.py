"""The project's source list, of which every row has a builder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from medimg.catalogue.making.said import Said

SOURCE_LIST = "source list"


def rows(folder: Path) -> Iterator[Said]:
    """roster/*.yaml: the names that the source list has, alone and behind their section ("CT: LiTS")."""
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found = []
    for path in sorted((folder / "roster").glob("*.yaml")):
        dataset = yaml.load(path.read_text("utf-8"), loader)
        numbers = dataset["row"] if isinstance(dataset["row"], list) else [dataset["row"]]
        said = dataset["seed_row"] if isinstance(dataset["seed_row"], list) else [dataset["seed_row"]]
        for number, row in zip(numbers, said, strict=True):
            found.append(
                Said(
                    by=SOURCE_LIST,
                    row=number,
                    name=row["name"],
                    aliases=(f"{row['section']}: {row['name']}",),
                    same_as=dataset["slug"],
                )
            )
    yield from sorted(found, key=lambda row: row.row)
