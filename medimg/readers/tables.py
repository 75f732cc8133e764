"""Tables and small text formats: CSV, TSV, Excel, JSON, JSON lines, "Key: value" files, lists and XML.

Every cell is text, as the source writes it; builders convert. Names ending in ".gz" are unpacked while
reading.
"""

from __future__ import annotations

import codecs
import csv
import io
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

from medimg.errors import BombError, FormatError
from medimg.files import File
from medimg.files.decoders import Inflated
from medimg.files.names import lower_suffix
from medimg.readers.promises import naming
from medimg.readers.table_lines import NOT_GIVEN, Line, Lines
from medimg.readers.workbooks import cell, xls, xlsx

if TYPE_CHECKING:
    from medimg.files import Files

MAX_LINE = 64 << 20
"""Characters in one line of text; a longer one is no table."""
MAX_TEXT = 512 << 20
"""Characters in a JSON file, which is read whole."""


MAX_XML = 64 << 20
"""Bytes of an XML file; as a tree it takes some thirty times as much."""
_DELIMITERS = (",", ";", "\t")


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
            which = next((each for each in several if each in line), several[-1]) if several else next(iter(line))
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
        encoding: of a text table; None reads UTF-8 (with or without BOM) or UTF-16 with BOM, and reads bytes that
            are not UTF-8 as Windows-1252.
        header: the first row names the columns. Without one they are `columns`, or "0", "1", ….
        sheet: name or number of the worksheet; None takes the first.
        columns: with a header, the names that must be in it; without one, the names.
        skip: lines (or worksheet rows) before the header that are no part of the table.
        pad: fill rows that are too short with "", instead of refusing them.

    Raises:
        FormatError: not the kind of table that the name claims, a ragged row (with its line), a column
            missing.
        BombError: a workbook that unpacks beyond `workbooks.MAX_WORKBOOK`.
        MissingExtraError: a workbook without the `tables` extra.
    """
    kind = _suffix(file)
    with naming(file.path):
        if kind in (".json", ".jsonl", ".ndjson"):
            found = _objects(json_value(file)) if kind == ".json" else _json_lines(file)
            for number, cells in enumerate(_required(found, columns), 1):
                yield Line(cells, file.path, number)
            return
        if kind == ".xlsx" or kind == ".xlsm":
            records, pad = xlsx(file, sheet), True
        elif kind == ".xls":
            records, pad = xls(file, sheet), True
        else:
            records = _csv(file, delimiter, encoding, skip)
            skip = 0
        for number, cells in _table(records, header, columns, skip, pad):
            yield Line(cells, file.path, number)


def lines(file: File) -> list[str]:
    """The lines of a text file, without line ends and surrounding space, blank ones dropped.

    Raises:
        FormatError: not text.
    """
    with naming(file.path), _text(file) as stream:
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
            raise FormatError(f"line {at} does not hold {count} finite numbers: {line[:80]!r}", file=file.path)
        found.append(values)
    return found


def json_value(file: File) -> Any:
    """The value of a JSON file.

    Raises:
        FormatError: not JSON, nested too deeply, or an object that holds one key twice.
        BombError: more than `MAX_TEXT` characters.
    """
    with naming(file.path), _text(file) as stream:
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


def key_values(file: File) -> dict[str, str]:
    """The pairs of a file with one "Key: value" (or "Key = value") a line; both sides are stripped.

    Args:
        file: e.g. Info.cfg of ACDC or CAMUS; the first ":" or "=" of a line ends its key.

    Raises:
        FormatError: a line without a separator, or a key that comes twice.
    """
    pairs: dict[str, str] = {}
    for number, line in enumerate(lines(file), 1):
        parts = re.split("[:=]", line, maxsplit=1)
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
        raise FormatError(f"XML with entities or external references is refused ({error})", file=file.path) from error
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
    byte: bytes([byte]).decode("cp1252") for byte in range(128, 256) if byte not in (0x81, 0x8D, 0x8F, 0x90, 0x9D)
}
codecs.register_error("medimg-cp1252", _cp1252)


@contextmanager
def _text(file: File, encoding: str | None = None) -> Iterator[IO[str]]:
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


def _csv(file: File, delimiter: str | None, encoding: str | None, skip: int) -> Iterator[tuple[int, list[str]]]:
    with _text(file, encoding) as stream:
        source = _bounded(stream)
        for _ in range(skip):
            next(source, None)
        first = next(source, "")
        while first and not first.strip("\r\n"):
            skip, first = skip + 1, next(source, "")
        reader = csv.reader(itertools.chain([first], source), delimiter=delimiter or _sniff(first, _suffix(file)))
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
) -> Iterator[tuple[int, dict[str, str]]]:
    names: list[str] | None = None
    named = 0
    for number, record in records:
        if number <= skip or not any(cell.strip() for cell in record):
            continue
        if names is None:
            if header:
                names, named = _names(record)
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


def _names(record: list[str]) -> tuple[list[str], int]:
    """Unique names, and how many stand before the unnamed end."""
    names = [name.strip().removeprefix("\ufeff") for name in record]
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


def _json_lines(file: File) -> Iterator[dict[str, str]]:
    with _text(file) as stream:
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
    return {key: cell(one) for key, one in value.items()}
