"""The page's search, a translation to JavaScript, finds the same in the same order, for the same reasons."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
from pathlib import Path

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
const found = asked.map((text) => {{
  const {{ hits, strict, closest }} = search(index, text);
  return {{ hits: hits.map((hit) => [hit.entry.id, hit.score, hit.why]), strict, closest }};
}});
process.stdout.write(JSON.stringify(found));
"""
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
    *("livr", "skin", "retina", "ct liver segmentation commercial use", "xyzzyplugh"),
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


@pytest.mark.skipif(shutil.which("node") is None, reason="Node is not there: the page's script runs in no browser here")
def test_the_page_finds_the_same(tmp_path: Path) -> None:
    asked = [*(text for text, _ in (*BUILDERS, *LISTED)), *TYPED, *mistyped()]
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
    for text, page in zip(asked, json.loads(done.stdout), strict=True):
        ours = search_in(index, text, Filters(), limit=None)
        assert page["hits"][:50] == [[hit.entry.id, hit.score, hit.why] for hit in ours[:50]], text
        assert page["hits"] == [[hit.entry.id, hit.score, hit.why] for hit in ours]
        assert (page["strict"], len(page["hits"])) == (ours.strict, ours.strict + ours.near)
        assert page["closest"] == list(ours.closest)
