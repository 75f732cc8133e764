"""A collection source for tests: two collections of two pictures each; `medimg.builders.toys` while a test runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from medimg.collections import Holding
from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.errors import UnknownDatasetError
from medimg.schema import Row, Skipped

INDEX = {"hands": "X-ray", "feet": "X-ray"}


class Toy:
    """One collection of the source."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ADDRESS = f"toy/{name}"
        self.INDEX = INDEX[name]
        self.__doc__ = f"{name.title()}, of toys."
        self.DATASET = Dataset(
            name=f"toy-{name}",
            title=f"Toy {name}",
            aliases=(self.ADDRESS,),
            dimension="2d",
            modality=("X-ray",),
            organ=("hand",) if name == "hands" else ("foot",),
            task=("classification",),
            license="CC0-1.0",
            homepage="https://example.org",
            citation=Citation(title="Toys", authors="A. Smith", year=2020, venue="Shelf", doi="10.1/toys"),
            sources=(Source(url=f"toy://{name}"),),
            splits={"train": 2},
            labels={"fracture": ("fracture",)},
            subject="its folder",
            evidence=Evidence(layout="this test", labels="this test", license="this test", subject="this test"),
        )

    def rows(self, files: Any, config: str | None) -> Iterator[Row | Skipped]:
        for file, subject in files.match(r"(\w+)/image\.png$"):
            yield Row(id=subject, subject=subject, image=file, classes=("fracture",), assessed=("fracture",))

    def miniature(self, make: Any) -> None:
        for subject in ("a", "b"):
            make.image(f"{self.name}_{subject}/image.png", (24, 20))


def find(name: str) -> Toy:
    if name not in INDEX:
        raise UnknownDatasetError(f"no toy {name!r}", next_step="did you mean toy/hands?")
    return Toy(name)


def version() -> str:
    return "3.1"


def listed() -> Iterator[Any]:
    return iter(())


def holdings() -> list[Holding]:
    return [
        Holding(f"toy/{name}", f"Toy {name}", 2, 2, 0.1, ("DX",), ("CC0-1.0",), 2, (organ,))
        for name, organ in (("hands", "hand"), ("feet", "foot"))
    ]
