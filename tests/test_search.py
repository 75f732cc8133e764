"""`medimg.search`: what is asked for comes first, what misses one thing comes with the reason."""

from __future__ import annotations

import pytest
from search_queries import BUILDERS, LISTED

import medimg
from medimg.catalogue.words import words_of


@pytest.mark.parametrize(("query", "answer"), [*BUILDERS, *LISTED])
def test_the_answer_is_among_the_first_three(query: str, answer: str) -> None:
    called = {
        "".join(words_of(name))
        for hit in medimg.search(query)[:3]
        for name in (hit.entry.id, hit.entry.name, *hit.entry.aliases)
    }
    assert "".join(words_of(answer)) in called
