"""Words, as the search takes them; and what it knows of them: the vocabularies' names in English and Chinese, licenses.

`make docs` writes that to `words.jsonl`, so that a search reads no vocabulary; the page of the portal reads the same.
"""

from __future__ import annotations

import functools
import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from medimg.text import SPELLINGS

FILE = Path(__file__).with_name("words.jsonl")
KINDS = ("modality", "organ", "task", "structure", "finding")
"""The vocabularies; organ, structure and finding share one set of names, as labels do."""
LONGEST_WORD = 60
"""Characters; what is longer is cut."""
_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0002fa1f"
_ASCII_WORD = re.compile(r"[a-z0-9]+")
_BRITISH = re.compile("|".join(british for british, _ in SPELLINGS))
_NUMBERED = re.compile(r"([a-z]{2,})([0-9]{2,})")


@functools.cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A word, and a Chinese character; ASCII needs neither."""
    return re.compile(rf"[{_CJK}]|(?:(?![{_CJK}])[^\W_])+"), re.compile(rf"[{_CJK}]")


def words_of(text: str) -> list[str]:
    """The words of a text, in American spelling and without accents; of Chinese, its characters."""
    pattern = _ASCII_WORD
    if not text.isascii():
        text = "".join(c for c in unicodedata.normalize("NFKD", text) if unicodedata.category(c) != "Mn")
        pattern = _patterns()[0]
    text = text.lower()
    if _BRITISH.search(text):
        for british, american in SPELLINGS:
            text = text.replace(british, american)
    found = pattern.findall(text)
    return found if len(text) <= LONGEST_WORD else [word[:LONGEST_WORD] for word in found]


def is_cjk(word: str) -> bool:
    """Whether a word is Chinese: one character of a query, or a pair of the index."""
    return word > "\u3040" and _patterns()[1].match(word) is not None


def in_pairs(words: Sequence[str]) -> Sequence[str]:
    """The words of an index: neighboring Chinese characters in pairs."""
    if not any(map(is_cjk, words)):
        return words
    found: list[str] = []
    for position, word in enumerate(words):
        if not is_cjk(word):
            found.append(word)
            continue
        after = words[position + 1] if position + 1 < len(words) and is_cjk(words[position + 1]) else ""
        alone = position == 0 or not is_cjk(words[position - 1])
        if after or alone:
            found.append(word + after)
    return found


def singular(word: str) -> str:
    """A word without a plural's ending."""
    if len(word) < 4 or not word.endswith("s") or word.endswith(("ss", "us", "is")):
        return word
    return word[:-3] + "y" if word.endswith("ies") else word[:-1]


def numbered(word: str) -> tuple[str, ...]:
    """The two parts of a word such as "isic2019"; of another word, nothing."""
    found = _NUMBERED.fullmatch(word)
    return found.groups() if found else ()


@functools.cache
def search_data() -> dict[str, Any]:
    """What a search needs beside the entries, as JSON has it.

    Returns:
        spellings: pairs (British, American) of parts of words.
        ignored: words that say nothing.
        terms: of each term its kind (one of `KINDS`, "use" or "dimension"), id, names, the ids of the terms that it is
            a kind or a part of; and of the names, `keys` (their words in one, as they are), `singular` (where plurals
            give way), `words` (as the index has them).
        uses: `medimg.licenses.TERMS`.
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
    import tomllib
    from importlib import resources

    from medimg import licenses, vocab

    chinese = tomllib.loads((resources.files("medimg.catalogue") / "zh.toml").read_text("utf-8"))
    own = tomllib.loads((resources.files("medimg.catalogue") / "words.toml").read_text("utf-8"))
    yield {"spellings": [list(pair) for pair in SPELLINGS]}
    yield {"ignored": ["".join(words_of(word)) for word in own["ignored"]]}
    for kind in KINDS:
        vocabulary: vocab.Vocabulary = getattr(vocab, kind)
        for id in vocabulary:
            term = vocabulary[id]
            names = (id, *term.synonyms, *chinese[kind].get(id, ()))
            yield _term(kind, id, names, (*term.is_a, *term.part_of))
    for kind in ("use", "dimension"):
        for id, names in own[kind].items():
            yield _term(kind, id, names, ())
    yield {"uses": licenses.TERMS}
    for id in licenses.known():
        yield {"license": id, "meets": licenses.met(id)}


def _term(kind: str, id: str, names: Sequence[str], up: Sequence[str]) -> dict[str, Any]:
    words = [words_of(name) for name in names]
    keys = list(dict.fromkeys("".join(each) for each in words))
    plain = dict.fromkeys("".join(map(singular, each)) for each in words)
    return {
        "kind": kind,
        "id": id,
        "names": names,
        "up": up,
        "keys": keys,
        "singular": [key for key in plain if key not in keys],
        "words": list(dict.fromkeys(word for each in words for word in in_pairs(each))),
    }
