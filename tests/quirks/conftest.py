"""What breaks a naive parser of each dataset is in its miniature, and the builder survives it.

One module per builder, of the builder module's name. Each fact of `../shared/roster/<slug>.yaml` (key `quirks`, counted
from 1) has a test that is marked with its number, or stands with its reason in `REFUTED` (the fact is wrong: the
evidence) or `NOT_IN_FILES` (nothing in a copy shows it). `test_complete.py` counts them.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from miniatures import Miniature, built


@pytest.fixture
def mini(request: pytest.FixtureRequest) -> Miniature:
    """The miniature of the builder after which the test's module is named."""
    return built(Path(request.path).stem.removeprefix("test_"))
