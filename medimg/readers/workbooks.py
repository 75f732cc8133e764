"""Worksheets of .xlsx and .xls as rows of text."""

from __future__ import annotations

import datetime as dt
import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from medimg.errors import BombError, FormatError, need
from medimg.files import File
from medimg.readers.promises import damaged

DAMAGED = "not an Excel workbook, or a damaged one"
MAX_WORKBOOK = 512 << 20
"""Unpacked bytes of an .xlsx."""
MAX_ROWS = 1 << 20
"""Rows of a worksheet, as Excel has them; a number beyond would be filled up with empty rows."""


def cell(value: Any) -> str:
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
    return str(int(value)) if integral else cell(value)


def _pick(names: Sequence[str], sheet: str | int | None) -> str:
    if isinstance(sheet, str) and sheet in names:
        return sheet
    if not isinstance(sheet, str) and 0 <= (sheet or 0) < len(names):
        return names[sheet or 0]
    raise FormatError(f"no worksheet {sheet!r}; there are {list(names)}")


def xlsx(file: File, sheet: str | int | None) -> Iterator[tuple[int, list[str]]]:
    """(number, cells) of each row. Raises as `tables.rows`."""
    need("tables", "a workbook", "openpyxl")
    import openpyxl

    # openpyxl raises KeyError, ValueError, BadZipFile, ParseError and more.
    with file.open() as stream, damaged(DAMAGED):
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


def xls(file: File, sheet: str | int | None) -> Iterator[tuple[int, list[str]]]:
    """(number, cells) of each row. Raises as `tables.rows`."""
    need("tables", "a workbook", "xlrd")
    import xlrd

    with damaged(DAMAGED):
        book = xlrd.open_workbook(file_contents=file.read(MAX_WORKBOOK), logfile=io.StringIO(), on_demand=True)
        leaf = book.sheet_by_name(_pick(book.sheet_names(), sheet))
        for index in range(leaf.nrows):
            record = []
            for one in leaf.row(index):
                value = one.value
                if one.ctype == xlrd.XL_CELL_DATE:
                    value = xlrd.xldate.xldate_as_datetime(value, book.datemode)
                elif one.ctype == xlrd.XL_CELL_BOOLEAN:
                    value = bool(value)
                elif one.ctype == xlrd.XL_CELL_ERROR:
                    value = xlrd.error_text_from_code.get(value, "#ERROR")
                record.append(_sheet_cell(value))
            yield index + 1, record
