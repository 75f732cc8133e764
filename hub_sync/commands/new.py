"""`medimg new`: the skeleton of a builder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from medimg import registry
from medimg.errors import DeclarationError
from medimg.hub_sync.commands.console import out

SKELETON = '''"""TODO: one paragraph that says what the images are, where they come from and what was annotated."""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.join import Join, Partner
from medimg.schema import Row

DATASET = Dataset(
    name="{name}",
    title="TODO",
    dimension="2d",
    modality="TODO",
    organ="TODO",
    task="TODO",
    license="LicenseRef-unknown",
    homepage="https://TODO",
    citation=Citation(title="TODO", authors="TODO", year=2000),
    sources=(Source(url="https://TODO/images.zip"),),
    legend={{1: ("TODO",)}},
    splits={{"train": 0}},
    subject="TODO: how the patient id is found, or no_subject= and why there is none",
    evidence=Evidence(layout="unverified: TODO", labels="unverified: TODO", license="unverified: TODO"),
)


def row(case):
    return Row(id=case.name, split="train", subject=case.name, image=case.image, mask=case.mask)


rows = Join(
    r"images/(?P<name>\\w+)\\.png$",
    row,
    mask=Partner(r"masks/(?P<name>\\w+)\\.png$", skip="an image whose mask is not in this copy"),
)


def miniature(make):
    make.image("images/case1.png", (48, 40))
    make.image("masks/case1.png", (48, 40), labels=(1,))
'''


def new(
    name: Annotated[str, typer.Argument(help="Slug of the new dataset, e.g. my-dataset.")],
    folder: Annotated[Path, typer.Option(help="Where the builders are.", file_okay=False)] = Path("builders"),
) -> None:
    """Write the skeleton of a builder; the contract test then says what is missing.

    Example:
      medimg new my-dataset && python -m pytest tests/test_contract.py -k my-dataset
    """
    path = scaffold(name, folder)
    out.print(f"wrote {path}")
    out.print(f"next: fill it in, then  python -m pytest tests/test_contract.py -k {name}")


def scaffold(name: str, folder: Path) -> Path:
    """Write `folder/<name>.py`.

    Raises:
        DeclarationError: the name is no slug, or the file is there already.
    """
    from medimg.declaration import SLUG

    if not SLUG.fullmatch(name):
        raise DeclarationError(f"{name!r} is not a slug", next_step="Use lower case, digits and single hyphens.")
    if not folder.is_dir():
        raise DeclarationError(f"there is no folder {folder}", next_step="Run it in a clone, or pass --folder.")
    path = folder / f"{registry.module_name(name)}.py"
    if path.exists():
        raise DeclarationError(f"{path} is there already")
    path.write_text(SKELETON.format(name=name), "utf-8")
    return path
