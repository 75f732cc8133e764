"""Which small changes of the source no test notices: `make mutants`.

python tests/mutants/run.py [builder, slug or path ...] [--all] [--json] [--fresh] [--jobs 2]

Each mutant is tried on a copy of the tree in a temporary folder, with the tests that `plan.toml` names. What was
found is kept in build/mutants.jsonl, so that a run that was stopped goes on where it was; a changed source or test is
tried anew.
Without --all that is a sample, as `plan.toml` says, and the last lines tell of how many. A survivor must have its
reason in `reasons.toml`, or the exit code is 1.
"""

from __future__ import annotations

import argparse
import compileall
import functools
import gc
import hashlib
import importlib
import json
import os
import py_compile
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

from mutate import Mutant, mutants

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RESULTS = ROOT / "build" / "mutants.jsonl"
SHARED_TESTS = ("tests/test_facts.py", "tests/test_contract.py")
PRELOADED = (
    "datasets", "h5py", "highdicom", "hypothesis", "nibabel", "numpy", "openpyxl", "PIL.Image", "pyarrow.parquet",
    "pydantic", "pydicom", "pytest", "scipy.ndimage", "scipy.spatial", "tifffile", "yaml",
)  # fmt: skip
"""Imported once by a worker: a mutant runs in a fork of it."""
PACKAGES = {
    "medimg": "medimg",
    "builders": "medimg/builders",
    "hub_sync": "medimg/hub_sync",
    "cards": "medimg/cards",
}
NOT_JUDGED = "SURVIVES, and nobody has judged yet whether that matters"
KILLED, SURVIVED, TIMEOUT, BROKEN = "killed", "survived", "timeout", "not tried"
"""`BROKEN`: the tests fail without the mutant."""


@dataclass(frozen=True)
class Target:
    """One source, and the tests that know it.

    Attributes:
        file: path below the repository.
        tests: files of tests.
        slugs: of tests that run over every dataset only those of these.
        select: as `pytest -k`.
        most: how many of its mutants are tried.
        always: names of mutants that are tried beside these.
    """

    file: str
    tests: tuple[str, ...]
    slugs: tuple[str, ...] = ()
    select: str = ""
    most: int = 12
    always: tuple[str, ...] = ()

    @functools.cached_property
    def digest(self) -> str:
        """Of the tests and what they share, as they are when it is first asked for."""
        parts = [ROOT / test for test in self.tests] + sorted((ROOT / "tests").glob("[!t]*.py"))
        parts += [ROOT / "tests" / "facts" / f"{slug}.yaml" for slug in self.slugs]
        read = b"".join(part.read_bytes() for part in parts)
        return hashlib.sha256(read + self.select.encode()).hexdigest()[:16]

    @functools.cached_property
    def mutants(self) -> list[Mutant]:
        """All that can be made of the file."""
        return mutants(self.file, (ROOT / self.file).read_text("utf-8"))


@dataclass(frozen=True)
class Outcome:
    """What became of one mutant."""

    name: str
    line: int
    digest: str
    status: str
    seconds: float


def targets(only: Iterable[str] = ()) -> list[Target]:
    """The plan, or what of it bears one of these names (a path, a part of one, or a slug)."""
    plan = tomllib.loads((HERE / "plan.toml").read_text("utf-8"))
    found = []
    for file, slugs in plan["builders"].items():
        quirks = [f"tests/quirks/test_{module_name(slug)}.py" for slug in slugs]
        tests = (*SHARED_TESTS, *(test for test in quirks if (ROOT / test).is_file()))
        found.append(Target(file, tests, tuple(slugs), most=plan["most"], always=tuple(plan["always"])))
    for file, said in plan["core"].items():
        about = {"most": plan["most"], "always": tuple(plan["always"]), **said, "tests": tuple(said["tests"])}
        found.append(Target(file, **about))
    wanted = list(only)
    known = {text for text in wanted if any(_named(target, text) for target in found)}
    if unknown := [text for text in wanted if text not in known]:
        raise SystemExit(f"{', '.join(unknown)}: not in {HERE.relative_to(ROOT)}/plan.toml")
    return [target for target in found if not wanted or any(_named(target, text) for text in wanted)]


def _named(target: Target, text: str) -> bool:
    return text in target.slugs or text in target.file


def module_name(slug: str) -> str:
    """As `medimg.registry`, which is not imported here: mutants bring their own."""
    name = slug.replace("-", "_")
    return f"d{name}" if name[0].isdigit() else name


def chosen(target: Target, everything: bool) -> list[Mutant]:
    """The mutants of a target that are tried: at most `most`, evenly over the file, and those of `always`."""
    found = target.mutants
    if everything or len(found) <= target.most:
        return found
    wanted = {found[i * len(found) // target.most].name for i in range(target.most)} | set(target.always)
    return [mutant for mutant in found if mutant.name in wanted]


def reasons() -> dict[str, str]:
    """Name of a mutant -> why no test can or need notice it."""
    said: dict[str, str] = tomllib.loads((HERE / "reasons.toml").read_text("utf-8"))
    return said


# A worker: a process that has imported what is slow to import, and forks for each mutant.


class _Copy:
    """Finds `medimg` in the copy, whatever an editable install says."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name.partition(".")[0] != "medimg":
            return None
        return PathFinder.find_spec(name, path or [self.root])


class _Only:
    """Leaves out the tests of other datasets."""

    def __init__(self, slugs: list[str]) -> None:
        self.slugs = set(slugs)

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items[:] = [item for item in items if "/quirks/" in item.nodeid or self.slugs & set(_parameters(item))]


def _parameters(item: Any) -> list[str]:
    callspec = getattr(item, "callspec", None)
    return [str(value) for value in callspec.params.values()] if callspec else []


def work(root: Path) -> None:
    """Serve: a line of JSON in, a line of JSON out, until the input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _ended)
    for name in PRELOADED:
        with suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()  # or every fork would walk and copy all that was imported, each time it collects
    os.chdir(root)
    sys.meta_path.insert(0, _Copy(root))
    answers = os.fdopen(os.dup(1), "w")
    for line in sys.stdin:
        task = json.loads(line)
        place = root / PACKAGES[task["file"].partition("/")[0]] / task["file"].partition("/")[2]
        original = place.read_text("utf-8")
        began = time.monotonic()
        try:
            if task["source"] is not None:
                place.write_text(task["source"], "utf-8")
            code = _forked(root, task)
        finally:
            place.write_text(original, "utf-8")
            shutil.rmtree(root / "tmp", ignore_errors=True)
        answers.write(json.dumps({"code": code, "seconds": round(time.monotonic() - began, 2)}) + "\n")
        answers.flush()


def _ended(*_: object) -> None:
    raise SystemExit(143)


def _forked(root: Path, task: dict[str, Any]) -> int | None:
    """Exit code of pytest; None where it took too long. Nothing of it runs on when this ends, however it does."""
    child = os.fork()
    if not child:
        code = 70
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            code = _tests(root, task)
        finally:
            os._exit(code)
    try:
        limit = time.monotonic() + task["timeout"]
        while time.monotonic() < limit:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.02)
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)
        with suppress(ChildProcessError):
            os.waitpid(child, 0)


def _tests(root: Path, task: dict[str, Any]) -> int:
    import pytest

    os.setpgid(0, 0)
    sys.path.insert(0, str(root))  # as `python -m pytest` does
    # Tests are compiled by the first run alone; `medimg` is compiled already, and checked by its content.
    sys.dont_write_bytecode = task["source"] is not None
    (root / "tmp").mkdir(exist_ok=True)
    tempfile.tempdir = os.environ["TMPDIR"] = str(root / "tmp")
    with open(root / "output.txt", "wb") as output:  # noqa: PTH123
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)
        arguments = [
            "-x",
            "-q",
            "-p",
            "no:cacheprovider",
            "-p",
            "no:xdist",
            "--basetemp",
            str(root / "tmp" / "pytest"),
        ]
        if task["select"]:
            arguments += ["-k", task["select"]]
        plugins = [_Only(task["slugs"])] if task["slugs"] else []
        return int(pytest.main([*arguments, *task["tests"]], plugins=plugins))


class Worker:
    """A worker's process, and its copy of the tree."""

    def __init__(self, folder: Path) -> None:
        self.root = folder
        self.limits: dict[Target, float | None] = {}
        for package, place in PACKAGES.items():
            shutil.copytree(ROOT / package, folder / place, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "tests", folder / "tests", ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", folder)
        checked = py_compile.PycInvalidationMode.CHECKED_HASH
        compileall.compile_dir(folder / "medimg", quiet=1, invalidation_mode=checked)
        environment = os.environ | {"PYTHONPATH": str(HERE), "HF_HUB_OFFLINE": "1"}
        self.process = subprocess.Popen(
            [sys.executable, __file__, "--worker", str(folder)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
            start_new_session=True,
        )  # fmt: skip

    def ask(self, target: Target, source: str | None, timeout: float) -> tuple[int | None, float]:
        """(exit code of the tests, seconds)."""
        assert self.process.stdin is not None and self.process.stdout is not None
        task = asdict(target) | {"source": source, "timeout": timeout}
        self.process.stdin.write(json.dumps(task) + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            raise SystemExit("a worker ended")
        told = json.loads(answer)
        return told["code"], told["seconds"]

    @property
    def output(self) -> str:
        """What the last tests said."""
        return (self.root / "output.txt").read_text("utf-8", errors="replace")

    def end(self) -> None:
        """At once, with the tests that it runs."""
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Run:
    """Tries mutants on several workers."""

    def __init__(self, folder: Path, jobs: int) -> None:
        self.workers = [Worker(folder / str(n)) for n in range(jobs)]
        self.free = list(self.workers)
        self.lock = threading.Lock()

    def worker(self) -> Worker:
        with self.lock:
            return self.free.pop()

    def back(self, worker: Worker) -> None:
        with self.lock:
            self.free.append(worker)

    def one(self, target: Target, mutant: Mutant) -> Outcome:
        """Try one mutant; the first of a target waits for its tests without a mutant."""
        worker = self.worker()
        try:
            limit = self.limit(worker, target)
            if limit is None:
                return Outcome(mutant.name, mutant.line, "", BROKEN, 0.0)
            code, seconds = worker.ask(target, mutant.source, limit)
        finally:
            self.back(worker)
        status = TIMEOUT if code is None else SURVIVED if code == 0 else KILLED
        return Outcome(mutant.name, mutant.line, mutant.digest + target.digest, status, seconds)

    def limit(self, worker: Worker, target: Target) -> float | None:
        """Seconds after which a mutant's tests hang; None where the tests fail as they are."""
        if target not in worker.limits:
            code, seconds = worker.ask(target, None, 900)
            worker.limits[target] = 20 + 5 * seconds if code == 0 else None
            if code != 0:
                print(
                    f"{target.file}: its tests fail without a mutant\n{worker.output[-2000:]}",
                    file=sys.stderr,
                )
        return worker.limits[target]

    def end(self) -> None:
        for worker in self.workers:
            worker.end()


def known() -> dict[tuple[str, str], Outcome]:
    """What earlier runs found, by name and digest; a line that was cut off does not count."""
    lines = RESULTS.read_text("utf-8").splitlines() if RESULTS.is_file() else []
    found = [Outcome(**json.loads(line)) for line in lines if line.endswith("}")]
    return {(one.name, one.digest): one for one in found}


def outcomes(jobs: list[tuple[Target, Mutant]], workers: int, fresh: bool) -> Iterator[Outcome]:
    """The outcome of each mutant, those of earlier runs first; each is kept as it comes."""
    earlier = {} if fresh else known()
    left = []
    for target, mutant in jobs:
        found = earlier.get((mutant.name, mutant.digest + target.digest))
        if found:
            yield found
        else:
            left.append((target, mutant))
    if not left:
        return
    RESULTS.parent.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="medimg-mutants-"))
    run = Run(folder, workers)
    pool = ThreadPoolExecutor(workers)
    try:
        with RESULTS.open("w" if fresh else "a", encoding="utf-8") as kept:
            for future in as_completed([pool.submit(run.one, *job) for job in left]):
                outcome = future.result()
                if outcome.status != BROKEN:
                    kept.write(json.dumps(asdict(outcome)) + "\n")
                    kept.flush()
                yield outcome
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        run.end()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("only", nargs="*", help="builders, slugs or parts of paths; all of the plan without")
    parser.add_argument("--all", action="store_true", help="every mutant, not at most `most` of a file")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs found")
    parser.add_argument("--json", action="store_true", help="the result as JSON")
    parser.add_argument("--jobs", type=int, default=2, help="how many at a time (2)")
    parser.add_argument("--worker", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        work(options.worker)
        return 0
    signal.signal(signal.SIGTERM, _stopped)
    planned = targets(options.only)
    possible = sum(len(target.mutants) for target in planned)
    jobs = [(target, mutant) for target in planned for mutant in chosen(target, options.all)]
    found: list[Outcome] = []
    try:
        with progress(options.json) as bar:
            task = bar.add_task("mutants", total=len(jobs))
            for outcome in outcomes(jobs, options.jobs, options.fresh):
                found.append(outcome)
                alive = sum(one.status == SURVIVED for one in found)
                bar.update(task, advance=1, description=f"mutants, {alive} survive")
    except KeyboardInterrupt:
        print(f"stopped after {len(found)} of {len(jobs)}; the next run goes on from there", file=sys.stderr)
        return 130
    return tell(found, possible, options.json)


def _stopped(*_: object) -> None:
    raise KeyboardInterrupt


def progress(quiet: bool) -> Any:
    from rich.console import Console
    from rich.progress import Progress

    return Progress(console=Console(stderr=True), disable=quiet)


def tell(found: list[Outcome], possible: int, as_json: bool) -> int:
    """Print what was found; 1 where a survivor has no reason, or a reason no survivor.

    Args:
        found: what became of each mutant that was asked for.
        possible: how many mutants there are of these files.
        as_json: for programs.
    """
    said = reasons()
    survivors = [one for one in found if one.status == SURVIVED]
    unexplained = [one for one in survivors if one.name not in said]
    stale = sorted({one.name for one in found if one.status in (KILLED, TIMEOUT)} & said.keys())
    counts = {status: sum(one.status == status for one in found) for status in (KILLED, TIMEOUT, SURVIVED, BROKEN)}
    tried = len(found) - counts[BROKEN]
    if as_json:
        told = {
            **counts,
            "tried": tried,
            "of": possible,
            "survivors": [asdict(one) | {"reason": said.get(one.name)} for one in survivors],
            "reasons of killed mutants": stale,
        }
        print(json.dumps(told, indent=1, ensure_ascii=False))
    else:
        for one in survivors:
            print(f"{one.name}\n    line {one.line}: {said.get(one.name, NOT_JUDGED)}")
        for name in stale:
            print(f"{name}\n    is killed: take its reason out of reasons.toml")
        sample = "" if len(found) == possible else " (a sample, evenly over each file; ALL=1 tries every one)"
        print(f"{tried:,} of {possible:,} mutants tried{sample}")
        print(
            ", ".join(f"{count} {status}" for status, count in counts.items())
            + f"; {len(unexplained)} that nobody has judged"
        )
    return 1 if unexplained or stale or counts[BROKEN] else 0


if __name__ == "__main__":
    raise SystemExit(main())
