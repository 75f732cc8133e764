"""Names of files, and reasons why they are no row, as they may be published."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

from medimg import imports
from medimg.report import LoadReport, Reason


class Words:
    """Lets through what manifests and cards say of the source's files: names, and reasons why they are no row.

    A word stays where medimg's own code has it (the builder's, and what that imports), or the path of a published row;
    all others are "*", and numbers of four digits and more "#": a date, a number of a patient.

    Args:
        module: of the builder.
    """

    def __init__(self, module: str) -> None:
        self._known = set(_words_of_code(module))

    def learn(self, path: str) -> None:
        """A path that a row publishes."""
        self._known.update(_words(path))

    def text(self, text: str) -> str:
        """A name or a reason as it may be published."""
        return _NUMBER.sub("#", _WORD.sub(self._word, text))

    def report(self, report: LoadReport) -> LoadReport:
        """A report as it may be published."""
        public = LoadReport(report.dataset, report.config, rows=report.rows, private=report.private)
        for held, told in ((report.skipped, public.skipped), (report.incomplete, public.incomplete)):
            for reason, files in held.items():
                one = told.setdefault(self.text(reason), Reason())
                one.count += files.count
                for path in files.examples:
                    one.add(self.text(path), 0)
        return public

    def _word(self, found: re.Match[str]) -> str:
        return found[0] if found[0].casefold() in self._known else "*"


_WORD = re.compile(r"[^\W\d_]{2,}")
_NUMBER = re.compile(r"\d{4,}")


def _words(text: str) -> Iterator[str]:
    return (found[0].casefold() for found in _WORD.finditer(text))


@functools.cache
def _words_of_code(module: str) -> frozenset[str]:
    names = imports.reached(module, "medimg.rows")
    return frozenset().union(*map(_words_of_one, names))


@functools.cache
def _words_of_one(module: str) -> frozenset[str]:
    return frozenset(_words(imports.code(module).text))
