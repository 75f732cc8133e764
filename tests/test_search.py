"""`medimg.search`: what is asked for comes first, what misses one thing comes with the reason."""

from __future__ import annotations

import pytest
from search_queries import BUILDERS

import medimg


@pytest.mark.parametrize(("query", "answer"), BUILDERS)
def test_the_answer_is_among_the_first_three(query: str, answer: str) -> None:
    assert answer in [hit.entry.id for hit in medimg.search(query)[:3]]
