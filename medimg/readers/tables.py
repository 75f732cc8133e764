"""Tables and small text formats: CSV, TSV, Excel, JSON, JSON lines, "Key: value" files, lists and XML.

Every cell is text, as the source writes it; builders convert. Names ending in ".gz" are unpacked while
reading.
"""

from __future__ import annotations

import codecs
import csv
import datetime as dt
import io
import itertools
import json
import math
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from medimg.errors import BombError, FormatError, MedimgError, MissingExtraError
from medimg.files import File
from medimg.files.decoders import Inflated
from medimg.files.names import lower_key, lower_suffix
from medimg.readers.promises import naming

if TYPE_CHECKING:
    from medimg.files import Files

MAX_LINE = 64 << 20
"""Characters in one line of text; a longer one is no table."""
MAX_TEXT = 512 << 20
"""Characters in a JSON file, which is read whole."""
MAX_WORKBOOK = 512 << 20
"""Unpacked bytes of an .xlsx."""
MAX_ROWS = 1 << 20
"""Rows of a worksheet, as Excel has them; a number beyond would be filled up with empty rows."""
MAX_XML = 64 << 20
"""Bytes of an XML file; as a tree it takes some thirty times as much."""
_DELIMITERS = (",", ";", "\t")


class Line(dict[str, str]):
    """One line of a table: column -> text. Knows its table and its number, so that a bad cell can be named.

    A column that is not there is a FormatError that says which there are; `get` gives None, as of any dict.
    """

    __slots__ = ("at", "file")

    def __init__(
        self, cells: Mapping[str, str] | Iterable[tuple[str, str]] = (), file: str = "", at: int = 0
    ):
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


def file_name(text: str) -> str:
    """A file's name or path in a table, spelled as `File.key`: its suffix in lower case, "IM1.DCM" -> "IM1.dcm"."""
    return lower_suffix(text)


def lines_by(
    files: Files,
    pattern: str,
    column: str | Sequence[str] | None,
    *,
    lost: str | None = None,
    named: Callable[[str], str] = str,
    **options: Any,
) -> Lines:
    """The lines of all tables whose path matches, by the text of a column.

    Args:
        files: the source.
        pattern: of the tables' paths. What it captures stands before the column's text; the key is a tuple then.
        column: whose text, without blanks around it, is the key; of several the first that the table has; None is the
            table's first.
        lost: what rows lack where there is no such table; it is then told (`Files.tell`).
        named: that text -> as the key has it.
        options: of `rows`.

    Raises:
        FormatError: no table, or a column is missing.
    """
    found = Lines(files)
    several = (column,) if isinstance(column, str) else column
    for table, *captured in files.match(pattern, lost=lost):
        for line in rows(table, **options):
            which = (
                next((each for each in several if each in line), several[-1]) if several else next(iter(line))
            )
            text = named(line[which].strip())
            found.add((*captured, text) if captured else text, line, which)
    return found


def run_lengths(lines: Sequence[Line], column: str, *, nothing: str | None) -> list[str]:
    """What the lines of one image state in a column of run lengths: one text for each object, none where there is none.

    Args:
        lines: all lines of the image.
        column: of the run lengths.
        nothing: what the source writes where there is no object, e.g. "-1"; None where it never does.

    Raises:
        FormatError: a cell says nothing at all (blank, "nan"), or run lengths stand beside `nothing`.
    """
    found = []
    for line in lines:
        cell = line[column].strip()
        if cell.casefold() in NOT_GIVEN:
            raise line.wrong(column, "says neither where something is nor that nothing is there")
        if cell != nothing:
            found.append(cell)
    if found and len(found) < len(lines):
        line = next(line for line in lines if line[column].strip() == nothing)
        raise line.wrong(column, "says that nothing was found, another line of the image where something is")
    return found


def rows(
    file: File,
    *,
    delimiter: str | None = None,
    encoding: str | None = None,
    header: bool = True,
    sheet: str | int | None = None,
    columns: Sequence[str] | None = None,
    skip: int = 0,
    pad: bool = False,
    strip_names: bool = True,
) -> Iterator[Line]:
    """The lines of a table as dicts of text, in order; the kind is told by the name's suffix.

    .csv, .tsv, .txt and .data stream, one row in memory at a time; .xlsx and .xls need the `tables` extra;
    .json holds a list of objects, or an object of objects (its key comes as column "key"); .jsonl and .ndjson
    one object a line. Cells are verbatim, never stripped. An absent cell is "". Workbook numbers are exact
    and integral ones have no ".0"; dates are ISO 8601; booleans are "true" and "false"; nested JSON stays
    JSON. Rows without any text are skipped.

    Names of columns are stripped of surrounding space; a name that comes again gets " (2)". Columns without a
    name at the end of the header stand (as "", " (2)", …) only in the rows where they hold text.

    Args:
        file: the table.
        delimiter: between the cells of a text table; None finds ",", ";" or tab in the first line.
        encoding: None reads UTF-8 (with or without BOM) or UTF-16 with BOM, and reads bytes that are not
            UTF-8 as Windows-1252.
        header: the first row names the columns. Without one they are `columns`, or "0", "1", ….
        sheet: name or number of the worksheet; None takes the first.
        columns: with a header, the names that must be in it; without one, the names.
        skip: lines (or worksheet rows) before the header that are no part of the table.
        pad: fill rows that are too short with "", instead of refusing them.
        strip_names: False keeps names of columns verbatim.

    Raises:
        FormatError: not the kind of table that the name claims, a ragged row (with its line), a column
            missing.
        BombError: a workbook that unpacks beyond `MAX_WORKBOOK`.
        MissingExtraError: a workbook without the `tables` extra.
    """
    kind = _suffix(file)
    with naming(file.path):
        if kind in (".json", ".jsonl", ".ndjson"):
            found = (
                _objects(json_value(file, encoding=encoding))
                if kind == ".json"
                else _json_lines(file, encoding)
            )
            for number, cells in enumerate(_required(found, columns), 1):
                yield Line(cells, file.path, number)
            return
        if kind == ".xlsx" or kind == ".xlsm":
            records, pad = _xlsx(file, sheet), True
        elif kind == ".xls":
            records, pad = _xls(file, sheet), True
        else:
            records = _csv(file, delimiter, encoding, skip)
            skip = 0
        for number, cells in _table(records, header, columns, skip, pad, strip_names):
            yield Line(cells, file.path, number)


def lines(file: File, *, encoding: str | None = None) -> list[str]:
    """The lines of a text file, without line ends and surrounding space, blank ones dropped.

    Raises:
        FormatError: not text.
    """
    with naming(file.path), _text(file, encoding) as stream:
        return [line.strip() for line in _bounded(stream) if line.strip()]


def numbers(file: File, count: int) -> list[list[float]]:
    """The lines of a text file that holds `count` numbers a line, separated by space, such as control points.

    Raises:
        FormatError: a line holds more or fewer, or something that is no finite number.
    """
    found = []
    for at, line in enumerate(lines(file), 1):
        try:
            values = [float(word) for word in line.split()]
        except ValueError:
            values = []
        if len(values) != count or not all(map(math.isfinite, values)):
            raise FormatError(
                f"line {at} does not hold {count} finite numbers: {line[:80]!r}", file=file.path
            )
        found.append(values)
    return found


def json_value(file: File, *, encoding: str | None = None) -> Any:
    """The value of a JSON file.

    Raises:
        FormatError: not JSON, nested too deeply, or an object that holds one key twice.
        BombError: more than `MAX_TEXT` characters.
    """
    with naming(file.path), _text(file, encoding) as stream:
        text = stream.read(MAX_TEXT + 1)
        if len(text) > MAX_TEXT:
            raise BombError(f"more than {MAX_TEXT} characters of JSON")
        return _json(text)


def objects_by(file: File, key: str) -> dict[str, dict[str, Any]]:
    """The objects of a JSON list by the text of one field.

    Raises:
        FormatError: not a list of objects that all have the field, or two that have one value and differ.
    """
    found: dict[str, dict[str, Any]] = {}
    value = json_value(file)
    if not isinstance(value, list) or not all(isinstance(one, dict) and key in one for one in value):
        raise FormatError(
            f"is no list of objects that all have {key!r}",
            file=file.path,
            next_step="Take the file of the original download.",
        )
    for one in value:
        if found.setdefault(str(one[key]), one) != one:
            raise FormatError(
                f"two objects with the {key!r} {one[key]!r} differ",
                file=file.path,
                next_step="Remove the wrong one, or take the file of the original download.",
            )
    return found


def key_values(file: File, *, separator: str | None = None, encoding: str | None = None) -> dict[str, str]:
    """The pairs of a file with one "Key: value" (or "Key = value") a line; both sides are stripped.

    Args:
        file: e.g. Info.cfg of ACDC or CAMUS.
        separator: None takes the first ":" or "=" of each line.
        encoding: see `rows`.

    Raises:
        FormatError: a line without a separator, or a key that comes twice.
    """
    pairs: dict[str, str] = {}
    for number, line in enumerate(lines(file, encoding=encoding), 1):
        parts = line.split(separator, 1) if separator else re.split("[:=]", line, maxsplit=1)
        if len(parts) < 2:
            raise FormatError(f"line {number} is no pair of key and value: {line[:80]!r}", file=file.path)
        key = parts[0].strip()
        if key in pairs:
            raise FormatError(f"key {key!r} comes twice", file=file.path)
        pairs[key] = parts[1].strip()
    return pairs


def xml(file: File) -> Element:
    """The root element of an XML file; entities and external references are refused.

    Raises:
        FormatError: not XML, or XML that declares entities.
        BombError: more than `MAX_XML` bytes.
    """
    from defusedxml import DefusedXmlException
    from defusedxml.ElementTree import ParseError, fromstring

    try:
        root: Element = fromstring(file.read(MAX_XML))
    except DefusedXmlException as error:
        raise FormatError(
            f"XML with entities or external references is refused ({error})", file=file.path
        ) from error
    except (ParseError, ValueError, LookupError) as error:
        raise FormatError(f"not well-formed XML ({error})", file=file.path) from error
    return root


def _suffix(file: File) -> str:
    name = file.path.rsplit("/", 1)[-1].lower().removesuffix(".gz")
    return "." + name.rsplit(".", 1)[-1] if "." in name else ""


def _cp1252(error: UnicodeError) -> tuple[str, int]:
    """Decode what is not UTF-8 as Windows-1252, and its five undefined bytes as Latin-1."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(_WINDOWS.get(byte, chr(byte)) for byte in bad), error.end


_WINDOWS = {
    byte: bytes([byte]).decode("cp1252")
    for byte in range(128, 256)
    if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
codecs.register_error("medimg-cp1252", _cp1252)


@contextmanager
def _text(file: File, encoding: str | None) -> Iterator[IO[str]]:
    """The file as text with its line ends kept. BOMs are dropped."""
    try:
        codecs.lookup(encoding or "utf-8")
    except LookupError as error:
        raise FormatError(f"unknown encoding {encoding!r}") from error
    with file.open() as raw:
        packed = file.path.lower().endswith(".gz")
        buffered = io.BufferedReader(_Buffered(Inflated(raw, zlib=True).up_to if packed else raw.read))
        chosen, errors = encoding or "utf-8-sig", "strict"
        try:
            head = buffered.peek(1024)[:1024]
            if encoding is None and head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                chosen = "utf-16"
            elif encoding is None:
                errors = "medimg-cp1252"
                if b"\0" in head:
                    raise FormatError("this is a binary file, not text")
                if re.match(rb"\s*(<!doctype html|<html)", head.removeprefix(codecs.BOM_UTF8), re.IGNORECASE):
                    raise FormatError("this is an HTML page, not the file (a login or error page?)")
                if head.startswith(b"version https://git-lfs"):
                    raise FormatError("this is a Git LFS pointer, not the file")
            yield io.TextIOWrapper(buffered, encoding=chosen, errors=errors, newline="")
        except UnicodeError as error:
            raise FormatError(f"not {chosen} text ({error})", next_step="pass encoding=") from error


class _Buffered(io.RawIOBase):
    """What is read by a function as the raw stream that io.BufferedReader wants."""

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._read(len(buffer))
        buffer[: len(data)] = data
        return len(data)


def _bounded(stream: IO[str]) -> Iterator[str]:
    while line := stream.readline(MAX_LINE):
        if len(line) == MAX_LINE:
            raise FormatError(f"a line is longer than {MAX_LINE} characters")
        yield line


def _csv(
    file: File, delimiter: str | None, encoding: str | None, skip: int
) -> Iterator[tuple[int, list[str]]]:
    with _text(file, encoding) as stream:
        source = _bounded(stream)
        for _ in range(skip):
            next(source, None)
        first = next(source, "")
        while first and not first.strip("\r\n"):
            skip, first = skip + 1, next(source, "")
        reader = csv.reader(
            itertools.chain([first], source), delimiter=delimiter or _sniff(first, _suffix(file))
        )
        try:
            for record in reader:
                yield reader.line_num + skip, record
        except csv.Error as error:
            raise FormatError(
                f"line {reader.line_num + skip}: {error}", next_step="look for a quote that is not closed"
            ) from error


def _sniff(first: str, suffix: str) -> str:
    """The delimiter that splits the first line into most cells; the suffix decides a draw."""
    preferred = ("\t", *_DELIMITERS) if suffix in (".tsv", ".tab") else _DELIMITERS
    return max(preferred, key=lambda one: len(next(csv.reader([first], delimiter=one), [])))


def _table(
    records: Iterable[tuple[int, list[str]]],
    header: bool,
    columns: Sequence[str] | None,
    skip: int,
    pad: bool,
    strip_names: bool,
) -> Iterator[tuple[int, dict[str, str]]]:
    names: list[str] | None = None
    named = 0
    for number, record in records:
        if number <= skip or not any(cell.strip() for cell in record):
            continue
        if names is None:
            if header:
                names, named = _names(record, strip_names)
                missing = [name for name in columns or () if name not in names]
                if missing:
                    raise FormatError(f"no column {', '.join(map(repr, missing))}; there are {names}")
                continue
            names = list(columns) if columns else [str(index) for index in range(len(record))]
            named = len(names)
        if any(cell.strip() for cell in record[len(names) :]):
            raise FormatError(f"line {number} has {len(record)} cells, the table {len(names)} columns")
        if len(record) < named:
            if not pad:
                raise FormatError(
                    f"line {number} has {len(record)} cells, the table {named} columns",
                    next_step="pass pad=True if the source leaves out empty cells at the end",
                )
            record = record + [""] * (named - len(record))
        cells = enumerate(zip(names, record, strict=False))
        yield number, {name: cell for index, (name, cell) in cells if index < named or cell.strip()}
    if names is None and header:
        raise FormatError("an empty table, without even a header")


def _names(record: list[str], strip_names: bool) -> tuple[list[str], int]:
    """Unique names, and how many stand before the unnamed end."""
    names = [name.strip().removeprefix("\ufeff") if strip_names else name for name in record]
    named = max((index for index, name in enumerate(names, 1) if name.strip()), default=0)
    seen: Counter[str] = Counter()
    taken = set(names)
    for index, name in enumerate(names):
        seen[name] += 1
        while seen[name] > 1 and f"{name} ({seen[name]})" in taken:
            seen[name] += 1
        names[index] = name if seen[name] == 1 else f"{name} ({seen[name]})"
    return names, named


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = [key for key, count in Counter(key for key, _ in pairs).items() if count > 1]
        raise FormatError(f"a JSON object holds {', '.join(map(repr, twice[:5]))} twice")
    return value


def _json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError as error:
        raise FormatError("JSON that is nested too deeply") from error
    except ValueError as error:
        raise FormatError(f"not JSON ({error})") from error


def _objects(value: Any) -> Iterator[dict[str, str]]:
    if isinstance(value, Mapping) and value and all(isinstance(one, Mapping) for one in value.values()):
        for key, one in value.items():
            if "key" in one:
                raise FormatError('objects under keys have a field "key" of their own; use json_value')
            yield {"key": key, **_cells(one)}
        return
    if not isinstance(value, list) or not all(isinstance(one, Mapping) for one in value):
        raise FormatError("not a list of JSON objects, nor an object of objects", next_step="use json_value")
    for one in value:
        yield _cells(one)


def _json_lines(file: File, encoding: str | None) -> Iterator[dict[str, str]]:
    with _text(file, encoding) as stream:
        for number, line in enumerate(_bounded(stream), 1):
            if not line.strip():
                continue
            value = _json(line)
            if not isinstance(value, Mapping):
                raise FormatError(f"line {number} is no JSON object")
            yield _cells(value)


def _required(found: Iterable[dict[str, str]], columns: Sequence[str] | None) -> Iterator[dict[str, str]]:
    for number, row in enumerate(found, 1):
        missing = [name for name in columns or () if name not in row]
        if missing:
            raise FormatError(f"object {number} has no field {', '.join(map(repr, missing))}")
        yield row


def _cells(value: Mapping[str, Any]) -> dict[str, str]:
    return {key: _cell(one) for key, one in value.items()}


def _cell(value: Any) -> str:
    """A value of a workbook or of JSON as text, exactly."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dt.datetime):
        return (value.date() if value.time() == dt.time() else value).isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, list | Mapping):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _sheet_cell(value: Any) -> str:
    """Workbooks know floats only: an integral one is shown without ".0"."""
    integral = isinstance(value, float) and value.is_integer() and abs(value) < 2**53
    return str(int(value)) if integral else _cell(value)


def _missing() -> MissingExtraError:
    return MissingExtraError("workbooks need openpyxl and xlrd.", next_step='pip install "medimg[tables]"')


def _pick(names: Sequence[str], sheet: str | int | None) -> str:
    if isinstance(sheet, str) and sheet in names:
        return sheet
    if not isinstance(sheet, str) and 0 <= (sheet or 0) < len(names):
        return names[sheet or 0]
    raise FormatError(f"no worksheet {sheet!r}; there are {list(names)}")


def _xlsx(file: File, sheet: str | int | None) -> Iterator[tuple[int, list[str]]]:
    try:
        import openpyxl
    except ImportError as error:
        raise _missing() from error
    with file.open() as stream:
        try:
            with zipfile.ZipFile(stream) as archive:
                if sum(member.file_size for member in archive.infolist()) > MAX_WORKBOOK:
                    raise BombError(f"a workbook that unpacks to more than {MAX_WORKBOOK} bytes")
            stream.seek(0)
            book = openpyxl.load_workbook(stream, read_only=True, data_only=True)
            leaf = book[_pick(book.sheetnames, sheet)]
            # The stored extent is wrong in files of some writers; without it every row is read.
            leaf.reset_dimensions()
            for number, record in enumerate(leaf.iter_rows(values_only=True), 1):
                if number > MAX_ROWS:
                    raise FormatError(f"a row beyond the {MAX_ROWS:,} that a worksheet may have")
                yield number, [_sheet_cell(value) for value in record]
        except MedimgError:
            raise
        except Exception as error:  # openpyxl raises KeyError, ValueError, BadZipFile, ParseError and more
            raise FormatError(f"not an Excel workbook, or a damaged one ({error})") from error


def _xls(file: File, sheet: str | int | None) -> Iterator[tuple[int, list[str]]]:
    try:
        import xlrd
    except ImportError as error:
        raise _missing() from error
    try:
        book = xlrd.open_workbook(
            file_contents=file.read(MAX_WORKBOOK), logfile=io.StringIO(), on_demand=True
        )
        leaf = book.sheet_by_name(_pick(book.sheet_names(), sheet))
        for index in range(leaf.nrows):
            record = []
            for cell in leaf.row(index):
                value = cell.value
                if cell.ctype == xlrd.XL_CELL_DATE:
                    value = xlrd.xldate.xldate_as_datetime(value, book.datemode)
                elif cell.ctype == xlrd.XL_CELL_BOOLEAN:
                    value = bool(value)
                elif cell.ctype == xlrd.XL_CELL_ERROR:
                    value = xlrd.error_text_from_code.get(value, "#ERROR")
                record.append(_sheet_cell(value))
            yield index + 1, record
    except MedimgError:
        raise
    except Exception as error:
        raise FormatError(f"not an Excel workbook, or a damaged one ({error})") from error
