"""The plan of the portal's composer is the one that `medimg.fuse(plan=True)` makes, for the same request."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from medimg import fuse, licenses, registry, vocab
from medimg.cards.portal.fusion import fusion_data
from medimg.errors import MedimgError
from medimg.fusion import blueprint
from medimg.licenses import TERMS
from medimg.manifest import NOTICE, ConfigStats, Manifest, Shard, SplitStats

SITE = Path(__file__).parents[1] / "cards" / "portal" / "site"
NODE = """
import { Planner } from %s;
const text = await new Promise((done) => {
  const parts = [];
  process.stdin.on("data", (part) => parts.push(part)).on("end", () => done(Buffer.concat(parts).toString()));
});
const { data, requests } = JSON.parse(text);
const planner = new Planner(data);
const answers = requests.map((asked) => {
  try {
    return planner.plan(asked);
  } catch (error) {
    if (!error.kind) throw error;
    return { error: [error.kind, error.text] };
  }
});
process.stdout.write(JSON.stringify(answers));
"""
BY_HAND: tuple[dict[str, Any], ...] = (
    {"modality": "CT", "organ": "liver", "task": "segmentation", "targets": ["liver", "liver tumor"]},
    {"names": ["lits", "msd-liver", "chaos"], "targets": ["liver", "liver tumor"], "encoding": "channels"},
    {"names": ["lits", "hc18"]},
    {"names": ["no such set"]},
    {"names": ["medmnist-v2/pathmnist", "medmnist-v2/nodulemnist3d"], "dimension": "2d"},
    {"organ": "livr"},
    {"task": "regression", "targets": ["bone age"]},
    {"names": ["lits"], "targets": ["left kidney"]},
    {"blueprint": "liver-ct"},
    {"blueprint": "livr-ct"},
    {"names": ["lits", "chaos"], "weights": {"lits": 1}},
    {"names": ["lits", "chaos"], "weights": {"temperature": 2}, "prefer": ["chaos"]},
    {"names": ["lits"], "prefer": ["hc18"]},
    {"names": ["lits", "hc18"], "grid": {"slices": "axial"}, "on_duplicate": "error"},
    {"names": ["lits"], "grid": {"slice": "axial"}},
    {"names": ["lits"], "license_terms": ["comercial"]},
    {"modality": "X-ray", "license_terms": ["commercial", "open"], "minimum": 1000},
    {"modality": "CT", "source": "official", "targets": ["lung"], "dimension": "3d"},
    {"organ": "eye", "source": "s3://bucket/root/", "targets": ["optic disc", "optic cup"]},
    {"repeat": True},
    {"names": ["lits"], "seed": 1.5},
    {"names": ["lits"], "encoding": "indx"},
)


def manifests() -> dict[str, Manifest]:
    """A Hub on which most of the datasets are: one is retired, some lack a sub-collection or a split."""
    chance = random.Random(0)
    found = {}
    for builder in registry.builders():
        dataset = builder.dataset
        if chance.random() < 0.1:
            continue
        configs = []
        for name in dataset.config_names:
            config = dataset.config(name)
            splits = {
                split: stats(chance.randrange(1, 500)) for split in config.splits if chance.random() < 0.9
            }
            if splits:
                dimension = config.dimension or dataset.dimension
                configs.append(ConfigStats(name=name, dimension=dimension, splits=splits))
        found[dataset.name] = Manifest(
            name=dataset.name,
            medimg="0",
            schema_version="1",
            origin="miniature",
            fingerprint=NOTICE if chance.random() < 0.05 else {"code": "1"},
            configs=tuple(configs),
        )
    return found


def stats(rows: int) -> SplitStats:
    shard = Shard(path="a", rows=rows, bytes=rows * 1000, raw_bytes=rows * 2000, sha256="0")
    return SplitStats(rows=rows, subjects=rows, shards=(shard, shard), metadata=())


def selections(number: int, seed: int) -> list[dict[str, Any]]:
    """Requests as people make them: some fit, some do not, some make no sense."""
    chance = random.Random(seed)
    entries = registry.builders()

    def some(values: Any, most: int) -> list[Any]:
        values = list(values)
        return chance.sample(values, min(len(values), chance.randint(1, most)))

    def misspelled(text: str) -> str:
        at = chance.randrange(len(text))
        return text[:at] + text[at + 1 :]

    found = []
    for _ in range(number):
        near = chance.choice(entries).dataset
        alike = [
            each.dataset
            for each in entries
            if set(each.dataset.organ) & set(near.organ) and each.dataset.dimension == near.dimension
        ]
        if chance.random() < 0.6:
            alike = chance.sample(alike, min(len(alike), chance.randint(1, 4)))
            asked: dict[str, Any] = {"names": [each.name for each in alike]}
            if near.configs and chance.random() < 0.5:
                asked["names"].append(f"{near.name}/{chance.choice(near.config_names)}")
        else:
            asked = {"organ": some(near.organ, 2), "dimension": near.dimension}
        for kind, values in (("modality", near.modality), ("organ", near.organ), ("task", near.task)):
            if chance.random() < 0.25:
                asked[kind] = some(values, 2) if values else some(getattr(vocab, kind), 1)
        said = [names for each in alike for names in (*each.legend.values(), *each.labels.values())]
        labels = sorted({name for names in said for name in names})
        wider = sorted({up for name in labels for up in vocab.label.ancestors(name)} | set(labels)) or [
            "lung"
        ]
        options: dict[str, Any] = {
            "targets": some(labels if labels and chance.random() < 0.7 else wider, 4),
            "dimension": chance.choice(("2d", "3d", near.dimension, near.dimension, near.dimension)),
            "license_terms": some([*TERMS, *licenses.known()[:6]], 2),
            "minimum": chance.choice((0, 10, 1000, 100_000)),
            "split": some(("train", "val", "test", "validation", "dev"), 2),
            "encoding": chance.choice(("index", "channels", "channels")),
            "on_duplicate": chance.choice(("drop", "keep", "error", "ignore")),
            "near": chance.choice((True, False)),
            "unlabeled": True,
            "weights": chance.choice(("uniform", "interleave", {"temperature": 2}, {"lits": 1.5})),
            "prefer": some(asked.get("names") or [near.name], 2),
            "grid": chance.choice(
                ({"slices": "axial"}, {"spacing": [1, 1, 2.5], "orientation": "LPS"}, {"x": 1})
            ),
            "source": chance.choice(("official", "miniature", "s3://bucket/copies")),
            "blueprint": chance.choice(blueprint.names()),
            "seed": 7,
        }
        often = {"targets": 0.7, "dimension": 0.3, "encoding": 0.6, "source": 0.3}
        for name, value in options.items():
            if chance.random() < often.get(name, 0.08):
                asked[name] = value
        kinds = [name for name in ("names", "organ", "targets", "task") if asked.get(name)]
        if kinds and chance.random() < 0.08:
            kind = chance.choice(kinds)
            asked[kind] = [misspelled(asked[kind][0]), *asked[kind][1:]]
        found.append(asked)
    return found


class Published:
    """`Manifests` of a Hub that is a dictionary."""

    held: dict[str, Manifest] | None

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self.reachable = self.held is not None

    def get(self, name: str) -> Manifest | None:
        return (self.held or {}).get(name)


def expected(asked: dict[str, Any]) -> Any:
    try:
        made = fuse(**asked, plan=True)
    except MedimgError as error:
        return {"error": [type(error).__name__, str(error)]}
    return json.loads(made.to_json())


@pytest.fixture(params=["published", "nothing is known of the Hub"])
def held(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> dict[str, Manifest] | None:
    """What the Hub holds, as `fuse` sees it."""
    found = manifests() if request.param == "published" else None
    monkeypatch.setattr(Published, "held", found, raising=False)
    monkeypatch.setattr("medimg.fusion.plan.Manifests", Published)
    return found


def differences(requests: list[dict[str, Any]], answers: list[Any]) -> list[str]:
    return [
        f"{asked}\n  python: {wanted}\n  page:   {got}"
        for asked, got in zip(requests, answers, strict=True)
        if (wanted := expected(asked)) != got
    ]


def by_node(requests: list[dict[str, Any]], held: dict[str, Manifest] | None) -> list[Any]:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not here; the page in the browser is compared, too")
    script = NODE % json.dumps((SITE / "plan.js").as_uri())
    run = subprocess.run(
        [node, "--input-type=module", "--eval", script],
        input=json.dumps({"data": fusion_data(held), "requests": requests}, sort_keys=True),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    answers: list[Any] = json.loads(run.stdout)
    return answers


def test_the_port_plans_as_python_does(held: dict[str, Manifest] | None) -> None:
    requests = [*BY_HAND, *selections(40, seed=1)]
    answers = by_node(requests, held)
    assert not differences(requests, answers)
    good = [each for each in answers if "error" not in each]
    assert len(good) > 20 and len(answers) - len(good) > 10, "both kinds are among them"
