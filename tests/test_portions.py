"""Large sources are made a portion each: cut alike by everybody, to the same bytes, whatever becomes of a worker."""

from __future__ import annotations

import hashlib
import os
import pickle
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_datasets as tiny
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from worker_watching import Ear, kill_a_worker

from medimg import registry
from medimg.errors import FormatError, HubError, SourceError
from medimg.files import File, Files
from medimg.hub_sync.building.build import build
from medimg.hub_sync.building.gallery import Gallery
from medimg.hub_sync.hub.serve import EmbeddedHub
from medimg.hub_sync.pushing.client import Hub
from medimg.hub_sync.pushing.upload import Upload
from medimg.hub_sync.results import Watcher
from medimg.hub_sync.sync import sync
from medimg.hub_sync.workers import portions
from medimg.hub_sync.workers.crew import CrewUnit, Inbox
from medimg.hub_sync.workers.portions import Gathered, PortionUnit, many
from medimg.phantom import Phantom
from medimg.portions import Portion, Portions
from medimg.schema import Row

ALIKE = (
    "hc18", "lits", "camus", "echonet-dynamic", "dsb2018", "lidc-idri", "medmnist-v1", "idrid", "isic-2018", "chaos",
)  # fmt: skip
"""Pictures, volumes, videos, DICOM, tables, several configs, files that are left out."""
SHARD = 2000
"""Bytes of a shard, so that miniatures have several portions."""


class Here(Inbox):
    """A crew of nobody: units cross over to this process, and are done when somebody waits."""

    size = 2

    def __init__(self) -> None:
        super().__init__()
        self.units: list[Any] = []
        self.most_waiting = 0

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *details: object) -> None: ...

    def give(self, unit: CrewUnit) -> None:
        self.expect()
        self.units.append(pickle.loads(pickle.dumps(unit)))
        self.most_waiting = max(self.most_waiting, len(self.units))

    def done(self, watcher: Watcher, *, wait: bool) -> Iterator[Any]:
        self.units.pop().answer(lambda found: self.put(pickle.loads(pickle.dumps(found))))  # the last one first
        yield from super().done(watcher, wait=wait)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedHub]:
    with EmbeddedHub(tmp_path_factory.mktemp("store")) as running:
        yield running


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    folder = tmp_path_factory.mktemp("builders")
    with tiny.builders(folder, 3) as found:
        text = (folder / "tiny_1.py").read_text().replace("iny-1", "iny-77").replace("Tiny 1", "Tiny 77")
        text = text.replace("in files.match(", "in sorted(files.match(").replace('png$")', 'png$"), key=str)')
        text = text.replace("key=str", "key=lambda found: int(found[2])")
        (folder / "tiny_77.py").write_text(text)
        yield found


def gathered(name: str, files: Files, hub: Hub, watcher: Watcher, crew: Here | None = None) -> Gathered:
    return Gathered(
        registry.get(name),
        files,
        "source",
        shard_bytes=SHARD,
        crew=crew or Here(),
        hub=hub,
        upload=Upload(hub, name),
        watcher=watcher,
    )


@given(
    rows=st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 6), st.integers(0, 40)), max_size=40),
    size=st.integers(1, 60),
)
def test_portions_are_cut_between_files(rows: list[tuple[str, int, int]], size: int) -> None:
    cut, bytes_of, last_of = Portions(size), {}, {}

    def file(path: str, weight: int) -> File:
        return File(path, lambda: None, weight)  # type: ignore[arg-type]

    for number, (split, name, weight) in enumerate(rows):
        image, mask = file(f"{split}/{name}", weight), file(f"{split}/mask-{name}", weight // 2)
        found = cut.of(Row(id=str(number), image=image, mask=mask, split=split))
        before = last_of.get(split, Portion("default", split, -1))
        assert found == before._replace(number=before.number + 1) or found == before, "one after the other"
        assert found.number >= 0
        last_of[split] = found
        bytes_of.setdefault(found, {}).setdefault(name, weight + weight // 2)
    for portion, files in bytes_of.items():
        if portion != last_of[portion.split]:
            assert sum(files.values()) >= size
        assert sum(files.values()) - list(files.values())[-1] < size, "it ends as soon as it is large enough"


@given(
    rows=st.lists(st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 2)), max_size=60), room=st.integers(1, 4)
)
def test_a_row_that_is_shown_of_all_is_shown_of_its_portion(rows: list[tuple[int, bool, int]], room: int) -> None:
    def drawn() -> tuple[str, str, bytes]:
        return "", "", b""

    everything, own = Gallery(lambda place: room), {}
    for subject, labelled, portion in rows:
        gallery = own.setdefault(portion, Gallery(lambda place: room))
        shown = gallery.add(("", ""), str(subject), labelled, drawn)
        if everything.add(("", ""), str(subject), labelled, drawn):
            assert shown


@pytest.mark.parametrize("name", ALIKE)
def test_the_same_bytes_whoever_makes_them(name: str, server: EmbeddedHub, tmp_path: Path) -> None:
    root = tmp_path / "source"
    registry.get(name).miniature(Phantom(root))
    hub = Hub(server.url, "alike")
    hub.create(name)
    found = []
    for number in range(2):
        folder, ear = tmp_path / str(number), Ear()
        with Files.open(str(root), dataset=name) as files:
            parts = gathered(name, files, hub, ear)
            elsewhere: dict[str, Any] = {"made": parts.steps(), "elsewhere": parts.shards} if number else {}
            built = build(
                registry.get(name),
                files,
                folder,
                origin="source",
                fingerprint={},
                shard_bytes=SHARD,
                on_row=lambda rows, size, ear=ear: ear.row("", rows, size),
                **elsewhere,
            )
            opened = files.opened
        here = {path: file for path, file in built.files.items() if not path.startswith("data/")}
        digests = {path: hashlib.sha256(file.read_bytes()).hexdigest() for path, file in here.items()}
        found.append((built.manifest, sorted(built.files), digests, built.report.to_json(), opened, ear.rows))
    assert found[0] == found[1]


def test_an_order_of_rows_that_crosses_portions(server: EmbeddedHub, names: list[str], tmp_path: Path) -> None:
    root = tiny.originals(tmp_path, "tiny-77", 1000) / "tiny-77"
    hub, crew = Hub(server.url, "crossing"), Here()
    hub.create("tiny-77")
    with Files.open(str(root), dataset="tiny-77") as files:
        parts = gathered("tiny-77", files, hub, Ear(), crew)
        ids = [step.item.values["id"] for step in parts.steps() if step.item]
    assert ids == [f"tiny-77/{'test' if case % 4 == 3 else 'train'}-{case}" for case in range(1000)]
    assert len(parts.shards(("default", "train"))) > 8 and len(parts.shards(("default", "test"))) > 2
    assert crew.most_waiting == portions.AHEAD * crew.size


def test_what_goes_wrong_is_told_as_by_one_process(server: EmbeddedHub, names: list[str], tmp_path: Path) -> None:
    root = tiny.originals(tmp_path, names[1], 200)
    (root / names[1] / "train" / "100.png").write_bytes(b"<html>please log in</html>")
    hub = Hub(server.url, "wrong", patience=tiny.QUICK)
    found = []
    for workers in (1, 2):
        (result,) = sync(names[1:2], hub, root=str(root), check=False, shard_bytes=SHARD, workers=workers)
        found.append((result.status, result.reason))
    assert found[0] == found[1] and "HTML page" in found[0][1]


def test_what_ends_a_portion_ends_the_build(
    server: EmbeddedHub, names: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tiny.originals(tmp_path, names[1], 400) / names[1]
    hub = Hub(server.url, "ended", patience=tiny.QUICK)  # without the repository: nothing can be uploaded
    with Files.open(str(root), dataset=names[1]) as files, pytest.raises(HubError):
        list(gathered(names[1], files, hub, Ear()).steps())
    hub.create(names[1])
    real = PortionUnit.done

    def fewer(unit: PortionUnit, *arguments: Any) -> Any:
        if unit.portion.number == 1:
            next(iter(sorted((root / unit.portion.split).iterdir()))).unlink()
        return real(unit, *arguments)

    monkeypatch.setattr(PortionUnit, "done", fewer)
    with (
        Files.open(str(root), dataset=names[1]) as files,
        pytest.raises(SourceError, match="changed while it was read"),
    ):
        list(gathered(names[1], files, hub, Ear()).steps())
    monkeypatch.setattr(PortionUnit, "done", lambda unit, *rest: unit.lost(FormatError("lost")))
    with Files.open(str(root), dataset=names[1]) as files, pytest.raises(FormatError, match="lost"):
        list(gathered(names[1], files, hub, Ear()).steps())


def test_which_sources_are_made_so(tmp_path: Path) -> None:
    (tmp_path / "one.bin").write_bytes(bytes(1000))
    with Files.open(str(tmp_path), dataset="x") as files:
        assert many(files, 100) and not many(files, 101)
    (tmp_path / "images.tar.gz").write_bytes(b"")
    notes: list[str] = []
    with Files.open(str(tmp_path), dataset="x") as files:
        assert not many(files, 101, notes.append) and not notes
        assert not many(files, 100, notes.append) and "images.tar.gz can only be read in one pass" in notes[0]


def published(hub: Hub, name: str) -> dict[str, str]:
    """Path -> digest of the data and pictures."""
    files = hub.published(name).files
    return {path: digest for path, digest in files.items() if path.endswith((".parquet", ".png"))}


def noisy(root: Path, name: str) -> Path:
    """Originals that are so large that nothing is done at once."""
    tiny.originals(root, name, 80)
    random = np.random.default_rng(0)
    for picture in root.rglob("*.png"):
        Image.fromarray(random.integers(0, 256, (300, 300), np.uint8)).save(picture)
    return root


@pytest.mark.parametrize("several", [False, True], ids=["one", "several"])
def test_a_lost_process_costs_its_portion(several: bool, server: EmbeddedHub, names: list[str], tmp_path: Path) -> None:
    root = noisy(tmp_path, names[1])
    wanted = names[1:3] if several else names[1:2]
    if several:
        tiny.originals(tmp_path, names[2], 5, 9)
    options: dict[str, Any] = {"root": str(root), "check": False, "shard_bytes": 100_000}
    alone = Hub(server.url, f"alone-{several}", patience=tiny.QUICK)
    sync(wanted, alone, **options)
    killed: list[int] = []

    def at_row(number: int) -> None:
        if number > 30 and not killed:
            kill_a_worker()
            killed.append(number)

    ear, hub = Ear(at_row), Hub(server.url, f"killed-{several}", patience=tiny.QUICK)
    results = sync(wanted, hub, workers=2, watcher=ear, **options)
    assert [(result.status, result.rows) for result in results] == [("published", 80), ("published", 5)][: len(wanted)]
    assert len([note for note in ear.notes if "ended by SIGKILL; another one begins anew" in note]) == len(killed) == 1
    assert 80 <= ear.rows < 80 + 5 + 20, "rows of one portion were made twice"
    for name in wanted:
        assert published(hub, name) == published(alone, name)
    assert len([path for path in published(hub, names[1]) if path.startswith("data/")]) > 5


def test_a_cluster_makes_portions_and_loses_a_worker(server: EmbeddedHub, names: list[str], tmp_path: Path) -> None:
    distributed = pytest.importorskip("distributed")
    root = noisy(tmp_path, names[1])
    tiny.originals(tmp_path, names[2], 5, 9)
    options: dict[str, Any] = {"root": str(root), "check": False, "shard_bytes": 100_000}
    alone = Hub(server.url, "without", patience=tiny.QUICK)
    sync(names[1:], alone, **options)
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        killed: list[int] = []

        def at_row(number: int) -> None:
            if number > 20 and not killed:
                killed.append(next(iter(cluster.workers.values())).pid)
                os.kill(killed[0], signal.SIGKILL)

        hub = Hub(server.url, "with", patience=tiny.QUICK)
        ear = Ear(at_row)
        results = sync(names[1:], hub, scheduler=cluster.scheduler_address, watcher=ear, **options)
        assert [(result.status, result.rows) for result in results] == [("published", 80), ("published", 5)]
        assert killed and 80 <= ear.rows < 80 + 2 * 20
        for name in names[1:]:
            assert published(hub, name) == published(alone, name)
        results = sync(names[1:], hub, scheduler=cluster.scheduler_address, **options)
        assert [result.status for result in results] == ["unchanged", "unchanged"]
