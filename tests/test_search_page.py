"""The page's search, a translation to JavaScript, finds the same in the same order, for the same reasons."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from search_queries import BUILDERS, LISTED

from medimg import cards
from medimg.catalogue import entries
from medimg.catalogue.search import Filters, Index, search_in
from medimg.catalogue.words import search_data

SCRIPT = Path(cards.__path__[0]) / "portal" / "site" / "search.js"
RUN = """
import {{ readFileSync }} from "node:fs";
const {{ makeIndex, search }} = await import({module});
const {{ entries, vocabulary, asked }} = JSON.parse(readFileSync(0, "utf-8"));
const index = makeIndex(entries, vocabulary);
const found = asked.map(([text, filters]) => {{
  const {{ hits, strict, near, closest }} = search(index, text, filters, null);
  return {{ hits: hits.map((hit) => [hit.entry.id, hit.score, hit.why]), strict, near, closest }};
}});
process.stdout.write(JSON.stringify(found));
"""
FILTERED: list[tuple[str, dict[str, Any]]] = [
    ("", {}),
    ("", {"modality": ["CT"], "organ": ["liver"]}),
    ("liver", {"modality": ["MR"], "task": ["Seg"]}),
    ("livr", {"modality": ["CT"]}),
    ("", {"organ": ["肝脏"], "use": ["commercial"]}),
    ("", {"use": ["commercial", "adapt"], "dimension": ["3d"]}),
    ("ct", {"use": ["CC-BY-4.0", "CC0-1.0"]}),
    ("", {"use": ["open", "no share-alike"], "modality": ["dermoscopy"]}),
    ("", {"structures": ["liver tumor", "liver"]}),
    ("brain", {"structures": ["glioma"], "min_images": 300}),
    ("retina", {"min_images": 1000, "max_images": 5000}),
    ("", {"max_bytes": 10**9, "task": ["segmentation"]}),
    ("mri", {"min_subjects": 100}),
    ("lung", {"year": [2018, 2020]}),
    ("skin", {"year": [None, 2017]}),
    ("lung", {"loadable": True}),
    ("lung", {"loadable": ["not yet"], "access": ["open"]}),
    ("endoscopy", {"access": ["registration", "application"], "dimension": ["video"]}),
    ("", {"modality": ["ultrasound", "X-ray"], "task": ["classification"], "use": ["known"]}),
    ("ct liver segmentation commercial use", {}),
    ("xyzzyplugh", {}),
    ("xyzzyplugh", {"modality": ["CT"]}),
]
TYPED = [
    *(
        "",
        "the of",
        "ct",
        "3d",
        "2019",
        "kaggle",
        "CC-BY",
        "H&E",
        "心",
        "肺",
        "脑 mri 分割",
        "部位",
        "甲状腺超声结节",
    ),
    *(
        "Ärzte Göttingen",
        "Straße ΟΔΟΣ İstanbul",
        "\u202e\u0000ct",
        "ＣＴ　ｌｉｖｅｒ",
        "😀 liver",
        "a" * 300,
        "liver " * 60,
    ),
    *(
        "isic 2019",
        "kits91",
        "ds00001",
        "tumours of the oesophagus",
        "brian",
        "abdomen atlas",
        "medmnist pathmnist",
    ),
]


def mistyped() -> list[str]:
    """Names with one or two slips of a fixed die."""
    die = random.Random(0)
    found = []
    for name in die.sample([each.name for each in entries()], 40):
        letters = list(name)
        for _ in range(die.choice((1, 2))):
            at = die.randrange(len(letters))
            letters[at : at + 1] = die.choice(([], [letters[at]] * 2, ["e"]))
        found.append("".join(letters))
    return found


@pytest.mark.skipif(
    shutil.which("node") is None, reason="Node is not there: the page's script runs in no browser here"
)
def test_the_page_finds_the_same(tmp_path: Path) -> None:
    asked = [(text, {}) for text, _ in (*BUILDERS, *LISTED)] + [(text, {}) for text in (*TYPED, *mistyped())]
    asked += FILTERED
    script = tmp_path / "run.mjs"
    script.write_text(RUN.format(module=json.dumps(SCRIPT.as_uri())), "utf-8")
    given = {
        "entries": [each.to_dict() for each in entries()],
        "vocabulary": search_data(),
        "asked": asked,
    }
    done = subprocess.run(
        ["node", script], input=json.dumps(given), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    index = Index(entries())
    for (text, filters), page in zip(asked, json.loads(done.stdout), strict=True):
        read = Filters.read(**{**filters, "year": tuple(filters["year"])} if "year" in filters else filters)
        ours = search_in(index, text, read, limit=None)
        assert page["hits"][:50] == [[hit.entry.id, hit.score, hit.why] for hit in ours[:50]], (text, filters)
        assert page["hits"] == [[hit.entry.id, hit.score, hit.why] for hit in ours]
        assert (page["strict"], page["near"]) == (ours.strict, ours.near)
        assert page["closest"] == list(ours.closest)
