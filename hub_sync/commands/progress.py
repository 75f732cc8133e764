"""How the progress of a run is shown and kept: bars on a terminal, lines in a log, a report in a file."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medimg import __version__, registry
from medimg.hub_sync.commands.console import err, human_size, human_time, plain
from medimg.hub_sync.planning.plan import SyncPlan
from medimg.hub_sync.results import Result, Watcher, report

if TYPE_CHECKING:
    from rich.console import Console


@contextlib.contextmanager
def watching(path: Path | None, about: dict[str, Any], *, quiet: bool) -> Iterator[Reporting]:
    """What shows the progress of a run, in bars on a terminal, in lines or not at all, and writes its report."""
    if quiet:
        yield Reporting(path, about)
    elif not err.is_terminal:
        yield LogLines(path, about)
    else:
        with bars(err.console, path, about) as shown:
            yield shown


@contextlib.contextmanager
def bars(console: Console, path: Path | None = None, about: Mapping[str, Any] | None = None) -> Iterator[Reporting]:
    """Bars on a console, which go when it is over."""
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}  {task.fields[size]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        yield _Bars(path, about, progress)


class Reporting(Watcher):
    """Writes the run report, also in between: a crash leaves what was done so far."""

    def __init__(self, path: Path | None = None, about: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self.about = {"medimg": __version__, **(about or {}), "began": time.strftime("%Y-%m-%dT%H:%M:%S%z")}
        self.results: list[Result] = []
        self.began = self.written = time.monotonic()

    def end(self, result: Result) -> None:
        """Kept, and written every few seconds."""
        self.results.append(result)
        if time.monotonic() - self.written > 5:
            self.write(done=False)

    def write(self, *, done: bool) -> None:
        """Write the report; `done` says whether the run came to its end."""
        self.written = time.monotonic()
        if self.path is None:
            return
        facts = {**self.about, "seconds": round(self.written - self.began, 1), "finished": done}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = self.path.with_name(self.path.name + ".part")
        aside.write_text(report(self.results, facts) + "\n", "utf-8")
        aside.replace(self.path)


class LogLines(Reporting):
    """One line per event, for logs."""

    total = 0

    def __init__(self, path: Path | None = None, about: Mapping[str, Any] | None = None) -> None:
        super().__init__(path, about)
        self.built: dict[str, tuple[int, int, float]] = {}

    def begin(self, names: Sequence[str]) -> None:
        """How many there are."""
        self.total = len(names)

    def start(self, plan: SyncPlan) -> None:
        """What is done, and why."""
        self.built[plan.name] = 0, 0, time.monotonic()
        if plan.action != "none":
            err.print(f"{plan.name}: {plan.action} ({plain(plan.reason)})")

    def row(self, name: str, rows: int, size: int) -> None:
        """Every ten seconds."""
        before, bytes_before, last = self.built.get(name, (0, 0, self.began))
        rows, size = before + rows, bytes_before + size
        if time.monotonic() - last > 10:
            last = time.monotonic()
            err.print(f"{name}: {rows} rows, {human_size(size)}")
        self.built[name] = rows, size, last

    def note(self, text: str) -> None:
        """At once."""
        err.print(plain(text))

    def end(self, result: Result) -> None:
        """What came of it, and how long the others may take."""
        super().end(result)
        self.built.pop(result.name, None)
        done, spent = len(self.results), time.monotonic() - self.began
        left = spent / done * (self.total - done)
        more = f", about {human_time(left)} left" if done < self.total and spent > 10 else ""
        said = f"{result.name}: {result.status}, {result.rows} rows, {result.seconds} s"
        if result.status != "unchanged" and result.left_out:
            said += f"; {result.left_out}"
        err.print(f"[{done}/{self.total}] {said}{more}", markup=False)


class _Bars(Reporting):
    """A bar over all datasets, and one for each that is worked on, against its declared number of images."""

    overall: Any = None
    whole = every = names = 0

    def __init__(self, path: Path | None, about: Mapping[str, Any] | None, progress: Any) -> None:
        super().__init__(path, about)
        self.progress = progress
        self.tasks: dict[str, tuple[Any, str]] = {}
        self.built: dict[str, tuple[int, int]] = {}

    def begin(self, names: Sequence[str]) -> None:
        self.names = len(names)
        self.overall = self.progress.add_task("all", total=self.names, count=self._count(), size="")

    def start(self, plan: SyncPlan) -> None:
        self._forget(plan.name)  # it may be planned anew
        dataset = registry.get(plan.name).dataset
        declared = sum(sum(dataset.config(name).splits.values()) for name in dataset.config_names)
        total = declared if plan.origin != "miniature" and declared else None
        self.built[plan.name] = 0, 0
        task = self.progress.add_task(f"{plan.name}: {plan.action}", total=total, count="", size="")
        self.tasks[plan.name] = task, f"/{total}" if total else ""

    def row(self, name: str, rows: int, size: int) -> None:
        before, bytes_before = self.built.get(name, (0, 0))
        self.built[name] = done, stored = before + rows, bytes_before + size
        self.every += rows
        self.whole += size
        if name in self.tasks:
            task, total = self.tasks[name]
            self.progress.update(task, advance=rows, count=f"{done}{total} rows", size=human_size(stored))
        self.progress.update(self.overall, count=self._count(), size=human_size(self.whole))

    def _count(self) -> str:
        return f"{len(self.results)}/{self.names} datasets, {self.every} rows"

    def _forget(self, name: str) -> None:
        if name in self.tasks:
            self.progress.remove_task(self.tasks.pop(name)[0])

    def note(self, text: str) -> None:
        self.progress.console.print(plain(text), highlight=False)

    def end(self, result: Result) -> None:
        super().end(result)
        self._forget(result.name)
        self.progress.update(self.overall, advance=1, count=self._count())
        self.progress.console.print(f"{result.name}: {result.status}, {result.rows} rows", highlight=False)
