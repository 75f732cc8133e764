"""`make mutants` makes the mistakes that a hand makes, and tells a killed mutant from one that lives."""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE / "mutants"))

import mutate  # noqa: E402
import run  # noqa: E402


def changed(text: str) -> dict[str, str]:
    """Name without file and place -> changed text."""
    return {mutant.name.split("::", 2)[2]: mutant.source for mutant in mutate.mutants("x.py", text)}


@pytest.mark.parametrize(
    ("text", "name", "expected"),
    [
        ('L = {1: ("kidney",), 2: ("tumor",)}', "swap 1 and 2", 'L = {1: ("tumor",), 2: ("kidney",)}'),
        ("LOST = range(28, 48)", "28 to 29", "LOST = range(29, 48)"),
        ("LOST = range(28, 48)", "48 to 49", "LOST = range(28, 49)"),
        ("S = (0.0005, 1)", "0.0005 to 0.5", "S = (0.5, 1)"),
        ('f(unit="mm")', "unit 'mm' to 'cm'", "f(unit='cm')"),
        ('f(split="train")', "split 'train' to 'test'", "f(split='test')"),
        ("x = a < b", "compare a < b by <=", "x = (a <= b)"),
        ("x = a in b", "compare a in b by not in", "x = (a not in b)"),
        ("x = a and b", "a and b by or ", "x = ((a) or (b))"),
        ("x = a if b else c", "swap a if b else c", "x = (c if b else a)"),
        ("if a:\n    raise E()", "drop raise E()", "if a:\n    pass"),
        ("check(a)", "drop check(a)", "pass"),
        ("x = f(a, b)", "swap a and b", "x = f(b, a)"),
        ("x = Row(id=a, assessed=b, mask=c)", "drop Row(assessed)", "x = Row(id=a, mask=c)"),
        ('x = ("é", "b")', "swap 'é' and 'b'", 'x = ("b", "é")'),
    ],
)
def test_a_change(text: str, name: str, expected: str) -> None:
    assert changed(text)[name] == expected


@pytest.mark.parametrize(
    "text",
    [
        "def miniature(make):\n    make.nifti(1, 2)",
        'D = Dataset(title=("a", "b"), notes=("c", "d"))',
        'S = Source(url="x", size=12)',
        "from a import b, c",
        '"""Text of 3 words."""',
        'System = Literal["LPS", "RAS"]',
        'Plane = Literal["axial", "coronal"] | int',
        "Box = tuple[float, int]",
    ],
)
def test_prose_and_miniatures_are_left_alone(text: str) -> None:
    assert not changed(text)


def test_names_are_unique_and_every_mutant_parses() -> None:
    file = "builders/rite.py"
    text = (run.ROOT / file).read_text("utf-8")
    found = mutate.mutants(file, text)
    assert len(found) > 50 and len({mutant.name for mutant in found}) == len(found)
    for mutant in found:
        ast.parse(mutant.source)
        assert mutant.source != text


NAMED = {
    "builders/camus.py::DATASET::swap 1 and 2": "cavity and myocardium",
    "builders/kits19.py::DATASET::swap 1 and 2": "kidney and tumor",
    "builders/nct_crc_he_100k.py::rows::0.0005 to 0.5": "a spacing a thousand times as large",
    "builders/_lits.py::LOST::48 to 49": "one lost affine too many",
    "builders/mhist.py::row::unit '1' to '%'": "votes as percent",
    'medimg/rows.py::materialize::drop raise LabelError(f"labels are present that we…afa47c': "present, not assessed",
    "medimg/rows.py::materialize::drop raise LabelError('the row has no subject, and…db90b0": "no subject, no reason",
    "medimg/rows.py::_spacing::drop raise GeometryError(f'spacing {list(spacing)}…2ee4ae": "a spacing of nan",
}
"""Once none of the tests noticed these."""


def test_what_once_lived_is_in_every_sample() -> None:
    files = {name.partition("::")[0] for name in NAMED}
    found = {
        mutant.name
        for target in run.targets()
        if target.file in files
        for mutant in run.chosen(target, everything=False)
    }
    assert NAMED.keys() <= found


def test_a_sample_is_spread_over_the_file_and_all_is_all() -> None:
    (target,) = run.targets(["medimg/rows.py"])
    sample = run.chosen(target, everything=False)
    assert target.most <= len(sample) <= target.most + len(target.always) < len(target.mutants)
    assert sample[0].line < 100 and sample[-1].line > 400
    assert run.chosen(target, everything=True) == target.mutants


def test_reasons_are_of_mutants_that_there_are() -> None:
    said = run.reasons()
    planned = {target.file for target in run.targets()}
    for file in {name.partition("::")[0] for name in said}:
        assert file in planned
        there = {mutant.name for mutant in mutate.mutants(file, (run.ROOT / file).read_text("utf-8"))}
        assert {name for name in said if name.startswith(f"{file}::")} <= there
    assert all(len(reason) > 20 for reason in said.values())


def test_targets_by_slug_and_path() -> None:
    assert [target.file for target in run.targets(["kits19"])] == ["builders/kits19.py"]
    assert [target.file for target in run.targets(["msd-liver"])] == ["builders/_lits.py"]
    assert [target.file for target in run.targets(["rows.py"])] == ["medimg/rows.py"]
    with pytest.raises(SystemExit, match="nothing-like-it"):
        run.targets(["nothing-like-it"])


def test_a_killed_mutant_and_one_that_lives_and_tests_that_prove_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(run, "RESULTS", tmp_path / "kept" / "mutants.jsonl")
    monkeypatch.setattr(run, "PRELOADED", ("numpy", "pytest"))
    target = run.Target("medimg/licenses.py", ("tests/test_licenses.py",), select="test_empty_set")
    there = {mutant.name: mutant for mutant in mutate.mutants(target.file, (run.ROOT / target.file).read_text("utf-8"))}
    killed = next(name for name in there if name.startswith("medimg/licenses.py::combine::drop raise"))
    lives = next(name for name in there if name.startswith("medimg/licenses.py::_clash::"))
    jobs = [(target, there[killed]), (target, there[lives])]
    failing = run.Target("medimg/report.py", ("tests/test_load.py",), select="no_test_of_this_name")
    alone = failing.mutants[0]
    tried = list(run.outcomes([*jobs, (failing, alone)], 1, fresh=False))
    found = {outcome.name: outcome.status for outcome in tried}
    assert found.pop(alone.name) == run.BROKEN and found == {killed: run.KILLED, lives: run.SURVIVED}
    assert "medimg/report.py: its tests fail without a mutant" in capsys.readouterr().err
    assert run.tell([one for one in tried if one.status == run.BROKEN], 3, as_json=False) == 1
    assert "0 of 3 mutants tried" in capsys.readouterr().out
    # What is known is not tried again, and a run that was cut off in the middle of a line goes on.
    kept = run.RESULTS.read_text("utf-8")
    run.RESULTS.write_text(kept + kept[:40], "utf-8")
    monkeypatch.setattr(run, "Run", None)
    assert {outcome.name: outcome.status for outcome in run.outcomes(jobs, 1, fresh=False)} == found


def test_a_survivor_without_a_reason_fails(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    found = [run.Outcome("a", 1, "", run.SURVIVED, 1.0), run.Outcome("b", 2, "", run.KILLED, 1.0)]
    monkeypatch.setattr(run, "reasons", lambda: {})
    assert run.tell(found, 3, as_json=False) == 1
    said = capsys.readouterr().out
    assert "SURVIVES" in said and "1 that nobody has judged" in said
    assert "2 of 3 mutants tried (a sample" in said
    monkeypatch.setattr(run, "reasons", lambda: {"a": "no test can see it, as nothing differs"})
    assert run.tell(found, 3, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["tried"] == 2 and told["of"] == 3
    assert told["survived"] == 1 and told["survivors"][0]["reason"].startswith("no test can")
    monkeypatch.setattr(run, "reasons", lambda: {"a": "no test can see it", "b": "this one neither"})
    assert run.tell(found, 3, as_json=False) == 1, "a reason for what is killed"
