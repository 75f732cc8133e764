"""Lines of tables: cells that know where they stand, and lines by a key."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from medimg.errors import FormatError
from medimg.files.names import lower_key

if TYPE_CHECKING:
    from medimg.files import Files


class Line(dict[str, str]):
    """One line of a table: column -> text. Knows its table and its number, so that a bad cell can be named.

    A column that is not there is a FormatError that says which there are; `get` gives None, as of any dict.
    """

    __slots__ = ("at", "file")

    def __init__(self, cells: Mapping[str, str] | Iterable[tuple[str, str]] = (), file: str = "", at: int = 0):
        super().__init__(cells)
        self.file = file
        self.at = at

    def __missing__(self, column: object) -> str:
        raise FormatError(
            f"has no column {column!r}; there are {list(self)}",
            file=self.file or None,
            next_step="Take the table of the original download; columns may have been renamed or removed in this one.",
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return Line, (dict(self), self.file, self.at)

    def wrong(self, column: str, why: str) -> FormatError:
        """The error that names table, line, column and cell.

        Args:
            column: of the cell.
            why: what is wrong with it, e.g. "is no number".
        """
        return FormatError(
            f"line {self.at}, column {column!r}: {self.get(column)!r} {why}",
            file=self.file or None,
            next_step="Mend the cell, or take the table of the original download (a spreadsheet may have changed it).",
        )

    def number(self, column: str) -> float:
        """A finite number.

        Raises:
            FormatError: there is none in the cell.
        """
        value = self.number_or_none(column)
        if value is None:
            raise self.wrong(column, "is no number")
        return value

    def number_or_none(self, column: str) -> float | None:
        """A finite number; None where the cell says that there is none: blank, or one of `NOT_GIVEN`.

        Raises:
            FormatError: the cell holds something else.
        """
        text = self[column].strip()
        if text.casefold() in NOT_GIVEN:
            return None
        try:
            value = float(text)
        except ValueError:
            raise self.wrong(column, "is no number") from None
        if not math.isfinite(value):
            raise self.wrong(column, "is not finite")
        return value

    def integer(self, column: str) -> int:
        """A whole number; "3.0" is one.

        Raises:
            FormatError: there is none in the cell.
        """
        value = self.number(column)
        if value != int(value):
            raise self.wrong(column, "is no whole number")
        return int(value)

    def one_of(self, column: str, known: Mapping[str, Any]) -> Any:
        """What `known` has for the cell, e.g. `DATASET.labels`.

        Raises:
            FormatError: nothing; labels are never guessed.
        """
        try:
            return known[self[column]]
        except KeyError:
            raise self.wrong(column, f"is none of {', '.join(map(repr, list(known)[:12]))}") from None


NOT_GIVEN = frozenset({"", "na", "n/a", "nan", "none", "null", "not available", "unknown", "?", "-"})
"""What tables write, in any case, where there is no number."""


class Lines(dict[Any, Line]):
    """Lines of tables by a key, with what is wrong among them kept for the row that it concerns.

    `get` and `[]` raise a FormatError for a key of which two lines say different things; two equal ones count once.
    The suffix of a file name counts in lower case, in the table and where it is asked for.
    """

    def __init__(self, files: Files) -> None:
        super().__init__()
        self._files = files
        self._contradict: dict[Any, FormatError] = {}
        self._asked: set[Any] = set()

    def add(self, key: Any, line: Line, column: str) -> None:
        """One more line; one that belongs to nothing, for its key is blank, is told."""
        parts = key if isinstance(key, tuple) else (key,)
        if not all(str(part).strip() for part in parts if part is not None):
            self._files.tell(line.file, f"a line of the table belongs to nothing: its {column!r} is blank")
            return
        key = lower_key(key)
        other = self.setdefault(key, line)
        if other is not line and dict(other) != dict(line):
            differ = [name for name in line if line[name] != other.get(name)]
            where = f"line {other.at}" if other.file == line.file else f"line {other.at} of {other.file}"
            self._contradict[key] = line.wrong(
                column, f"stands in {where}, too, with another {', '.join(map(repr, differ[:3]))}"
            )

    def __contains__(self, key: object) -> bool:
        return super().__contains__(lower_key(key))

    def __getitem__(self, key: Any) -> Line:
        key = lower_key(key)
        self._asked.add(key)
        if key in self._contradict:
            raise self._contradict[key]
        return super().__getitem__(key)

    def get(self, key: Any, default: Any = None) -> Any:
        """The line of a key, `default` where there is none."""
        return self[key] if key in self else default

    def cover(self, key: Any) -> None:
        """Count a key as asked for: what becomes of its line is told otherwise."""
        self._asked.add(lower_key(key))

    def tell_rest(self, reason: str) -> None:
        """Say of every line that nobody has asked for that it is no row, and why; to be called after the last row."""
        for key, line in self.items():
            if key not in self._asked:
                self._files.tell(line.file, f"a line of the table is no row: {reason}")
