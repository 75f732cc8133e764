"""A seeded slice of `make fuzz`: every route of the embedded Hub takes requests of all kinds."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent / "fuzz"))

import fuzz_hub


def test_requests_of_all_kinds(capsys: pytest.CaptureFixture[str]) -> None:
    with fuzz_hub.Target() as target:
        fuzz_hub.run(target, examples=400, first=7)
        target.finish()
    tally = target.tally
    assert tally.problems == {}
    assert tally.requests == 400 == sum(tally.classes.values())
    # Not everything is refused at the door: routes answer, refuse for several reasons, and see no token.
    assert tally.classes["2xx"] >= 15 and {200, 400, 401, 403, 404, 413} <= tally.statuses.keys()


def test_it_finds_what_is_wrong() -> None:
    """A Hub that tells what it must not, or answers with 500, is a problem of the tally."""
    with fuzz_hub.Target() as target:
        plain = fuzz_hub.Sent("GET", "/api/datasets", {}, [], None, known=False)
        target.one(plain)
        assert target.tally.problems == {}
        settings = target.root / "store/repos/dataset" / fuzz_hub.PRIVATE / "repo.json"
        settings.write_text(json.dumps({**json.loads(settings.read_text()), "private": False}))
        target.one(plain)
        (target.root / "store/repos/dataset/medimg/plain/refs/heads/main.json").write_text("[")
        target.one(fuzz_hub.Sent("GET", "/api/datasets/medimg/plain", {}, [], None, known=False))
        target.process.kill()
        target.process.wait()
        target.still_well()
    found = " ".join(target.tally.problems)
    assert "private repository" in found and "answered with 500" in found and "the Hub ended" in found


def test_every_route_is_asked() -> None:
    from random import Random

    routes = fuzz_hub.templates()
    asked = {fuzz_hub.request(Random(number), [route]).method for route in routes for number in range(5)}
    assert {"GET", "POST", "PUT", "PATCH", "DELETE"} <= asked and len(routes) > 100
