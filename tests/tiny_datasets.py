"""Datasets of a few small pictures for tests of sync, and a look at what an embedded Hub's store holds of them."""

from __future__ import annotations

import hashlib
import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from medimg import licenses, registry
from medimg.hub_sync.hub.commits import Commit
from medimg.hub_sync.hub.refusals import HubRefusal
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.manifests import shards
from medimg.hub_sync.planning import fingerprint
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.patience import Patience
from medimg.hub_sync.results import report
from medimg.hub_sync.sync import sync
from medimg.licenses import Verdict
from medimg.manifest import MANIFEST_PATH, Manifest

QUICK = Patience(first=0.001, longest=0.01, timeout=10)
SHARD = 1
"""Shard size at which every picture gets a shard of its own."""

MODULE = '''"""Tiny {number}: made-up pictures for tests."""

from medimg.declaration import Citation, Dataset, Evidence, Source
from medimg.schema import Row

DATASET = Dataset(
    name="tiny-{number}",
    title="Tiny {number}",
    dimension="2d",
    modality="X-ray",
    organ="chest",
    task="classification",
    license="{license}",
    homepage="https://example.org/tiny",
    citation=Citation(title="Tiny", authors="Nobody", year=2020),
    sources=(Source(url="https://example.org/tiny", kind="page"),),
    splits={{"train": 0, "test": 0}},
    no_subject="made up",
    evidence=Evidence(layout="made up", labels="made up", license="made up"),
)


def rows(files):
    for image, split, case in files.match(r"(train|test)/(\\w+)\\.png$"):
        yield Row(id=split + "-" + case, split=split, image=image)


def miniature(make):
    for case in range(2):
        make.image("train/%d.png" % case, (24, 24))
'''
OPEN, GATED = "CC0-1.0", "LicenseRef-RSNA-Pneumonia-2018"


def write_builders(folder: Path, count: int) -> list[str]:
    """Builder modules; the first one is of a gated dataset."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        text = MODULE.format(number=number, license=OPEN if number else GATED)
        (folder / f"tiny_{number}.py").write_text(text)
    return [f"tiny-{number}" for number in range(count)]


@contextmanager
def builders(folder: Path, count: int) -> Iterator[list[str]]:
    """Register tiny builders for as long as this lasts."""
    names = write_builders(folder, count)
    register(folder)
    try:
        yield names
    finally:
        package = importlib.import_module("medimg.builders")
        package.__path__.remove(str(folder))


def register(folder: Path) -> None:
    """Let the registry find the builders of a folder."""
    importlib.import_module("medimg.builders").__path__.append(str(folder))


def picture(path: Path, seed: int) -> None:
    """A gray picture that is like no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.zeros((24, 24), np.uint8)
    pixels[0, :8] = np.frombuffer(seed.to_bytes(8, "little"), np.uint8)
    Image.fromarray(pixels).save(path)


def originals(root: Path, name: str, count: int, seed: int = 0) -> Path:
    """A source root with one tiny dataset in it."""
    for case in range(count):
        split = "test" if case % 4 == 3 else "train"
        picture(root / name / split / f"{case}.png", seed * 1000 + case)
    return root


def change(root: Path, name: str, seed: int) -> int:
    """Replace one picture, and add another or take it away; returns by how many rows there are more now."""
    picture(root / name / "train" / "0.png", seed)
    extra = root / name / "train" / "extra.png"
    if extra.exists():
        extra.unlink()
        return -1
    picture(extra, seed + 1_000_000)
    return 1


def head(server: EmbeddedHub, repo: str) -> Commit | None:
    """The head of a repository, None where there is none."""
    try:
        return server.store.repository("dataset", repo).commit()
    except HubRefusal:
        return None


def consistent(server: EmbeddedHub, repo: str) -> Manifest | None:
    """Assert that what is published equals its manifest, to the byte; the manifest, or None where there is none yet."""
    commit = head(server, repo)
    if commit is None:
        return None
    if MANIFEST_PATH not in commit.files:
        assert set(commit.files) <= {".gitattributes", "note.txt"}, "something is half published"
        return None
    objects = server.store.object_path
    manifest = Manifest.model_validate_json(objects(commit.files[MANIFEST_PATH].sha256).read_bytes())
    listed = shards(manifest)
    for shard in listed:
        file = commit.files[shard.path]
        assert file.sha256 == shard.sha256
        assert hashlib.sha256(objects(file.sha256).read_bytes()).hexdigest() == shard.sha256
        assert pq.ParquetFile(objects(file.sha256)).metadata.num_rows == shard.rows
    assert {path for path in commit.files if path.endswith(".parquet")} == {shard.path for shard in listed}
    for path, digest in manifest.assets.items():
        assert commit.files[path].sha256 == digest
    for path, digest in manifest.texts.items():
        if path != "inputs":
            assert commit.files[path].oid == digest, path
    return manifest


def is_parquet(server: EmbeddedHub, digest: str) -> bool:
    """Whether an object is a Parquet file."""
    return server.store.object_path(digest).read_bytes().startswith(b"PAR1")


def stored_bytes(server: EmbeddedHub, repo: str) -> int:
    """Bytes of all objects that the commits of a repository name, each counted once."""
    repository = server.store.repository("dataset", repo)
    found = {
        file.sha256: file.size
        for commit in repository.history(repository.commit())
        for file in commit.files.values()
        if file.lfs
    }
    return sum(found.values())


def verdict(monkeypatch: pytest.MonkeyPatch, id: str, *, open: bool) -> None:
    """Change what a license of the table lets out."""
    table = dict(licenses._table())
    table[id] = table[id].model_copy(update={"redistribute": open, "adapt": open})
    monkeypatch.setattr(licenses, "_table", lambda: table)
    assert (licenses.get(id).publish is Verdict.OPEN) is open


def warm() -> None:
    """Do what the first dataset of a process waits for."""
    import datasets  # noqa: F401

    fingerprint.engine()
    fingerprint.texts(registry.builders()[0], "warm")


def child(folder: str, url: str, namespace: str, root: str, names: list[str], told: str, workers: int = 1) -> None:
    """Sync in a process of its own; the report goes to a file."""
    register(Path(folder))
    hub = Hub(url, namespace, patience=QUICK)
    results = sync(names, hub, root=root, check=False, shard_bytes=SHARD, workers=workers)
    Path(told).write_text(report(results))


if os.environ.get("TINY_WARM"):
    warm()
