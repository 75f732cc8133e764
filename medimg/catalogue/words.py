"""What the search knows of words: names of the vocabularies' terms in English and Chinese, their edges, the licenses.

`make docs` writes it to `words.jsonl`, so that a search reads no vocabulary; the page of the portal reads the same.
"""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

FILE = Path(__file__).with_name("words.jsonl")
KINDS = ("modality", "organ", "task", "structure", "finding")
"""The vocabularies; organ, structure and finding share one set of names, as labels do."""


@functools.cache
def search_data() -> dict[str, Any]:
    """What a search needs beside the entries, as JSON has it.

    Returns:
        spellings: pairs (British, American) of parts of words.
        ignored: words that say nothing.
        terms: of each term its kind (one of `KINDS`, "use" or "dimension"), id, names and the ids of the terms that
            it is a kind or a part of.
        licenses: id -> the terms of `medimg.licenses.TERMS` that it meets.
    """
    found: dict[str, Any] = {"spellings": [], "ignored": [], "terms": [], "licenses": {}}
    for line in json.loads(f"[{','.join(FILE.read_text('utf-8').splitlines())}]"):
        if "kind" in line:
            found["terms"].append(line)
        elif "license" in line:
            found["licenses"][line["license"]] = line["meets"]
        else:
            found |= line
    return found


def text() -> str:
    """The file, from the vocabularies, `zh.toml` and `words.toml`."""
    return "".join(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n" for line in _lines())


def _lines() -> Iterator[dict[str, Any]]:
    from medimg import licenses, vocab

    chinese = tomllib.loads((resources.files("medimg.catalogue") / "zh.toml").read_text("utf-8"))
    own = tomllib.loads((resources.files("medimg.catalogue") / "words.toml").read_text("utf-8"))
    yield {"spellings": [list(pair) for pair in vocab.SPELLINGS]}
    yield {"ignored": own["ignored"]}
    for kind in KINDS:
        vocabulary: vocab.Vocabulary = getattr(vocab, kind)
        for id in vocabulary:
            term = vocabulary[id]
            names = (id, *term.synonyms, *chinese[kind].get(id, ()))
            yield {"kind": kind, "id": id, "names": names, "up": (*term.is_a, *term.part_of)}
    for kind in ("use", "dimension"):
        for id, names in own[kind].items():
            yield {"kind": kind, "id": id, "names": names, "up": ()}
    for id in licenses.known():
        yield {"license": id, "meets": licenses.met(id)}
