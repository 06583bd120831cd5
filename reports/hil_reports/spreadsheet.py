"""Tables as CSV and as XLSX: a cell is text or a number, whatever a device or a file put there.

A spreadsheet takes a cell that begins with =, +, - or @ for a formula, which may call a program or
a server. In XLSX each text is stored as text, and stays text when somebody edits it. CSV knows no
text: there such a cell begins with an apostrophe, which a spreadsheet shows.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import xlsxwriter

from hil_reports.text import clean

_STARTS = tuple("=+-@\N{FULLWIDTH EQUALS SIGN}\N{FULLWIDTH PLUS SIGN}"
                "\N{FULLWIDTH HYPHEN-MINUS}\N{FULLWIDTH COMMERCIAL AT}")  # fmt: skip
"""What makes a formula of a cell, in one country or another."""
_FIGURE = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table."""

    name: str
    width: float
    """In characters."""
    number: bool = False
    """Whether its cells are numbers, as decimal text; one that is none stays text."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with a name."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Mapping[str, str]]
    """Column to cell, foreign text as it came; what a row lacks is an empty cell."""


def csv_bytes(sheet: Sheet) -> bytes:
    """Write a table as CSV: UTF-8, comma, every cell in quotes and on one line."""
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(column.name for column in sheet.columns)
    for row in sheet.rows:
        writer.writerow(_harmless(row.get(column.name, ""), column) for column in sheet.columns)
    return out.getvalue().encode()


def xlsx_bytes(sheets: Iterable[Sheet], title: str, made: datetime) -> bytes:
    """Write tables as the sheets of a workbook; the same tables make the same bytes.

    Args:
        sheets: with unique names of at most 31 characters.
        title: of the document, also at the head of each printed page.
        made: its date, which no clock is asked for.
    """
    out = io.BytesIO()
    book = xlsxwriter.Workbook(out, {"in_memory": True})
    book.set_properties({"title": _one_line(title, 200), "created": made.replace(tzinfo=None)})
    head = book.add_format({"bold": True, "bottom": 1, "valign": "top", "text_wrap": True})
    text = book.add_format({"text_wrap": True, "valign": "top", "quote_prefix": True})
    number = book.add_format({"valign": "top"})
    for sheet in sheets:
        page = book.add_worksheet(sheet.name)
        page.freeze_panes(1, 0)
        page.set_landscape()
        page.set_paper(9)
        page.fit_to_pages(1, 0)
        page.repeat_rows(0)
        # An & begins a command in a header; what is told there is short and ours.
        page.set_header("&L" + _one_line(title, 120).replace("&", "+") + "&R&P / &N")
        for place, column in enumerate(sheet.columns):
            page.set_column(place, place, column.width)
            page.write_string(0, place, column.name, head)
        for line, row in enumerate(sheet.rows, 1):
            for place, column in enumerate(sheet.columns):
                _put(page, line, place, row.get(column.name, ""), column, (text, number))
        page.autofilter(0, 0, max(len(sheet.rows), 1), len(sheet.columns) - 1)
    book.close()
    return out.getvalue()


def _put(page: Any, line: int, place: int, cell: str, column: Column, formats: Any) -> None:  # noqa: ANN401  # xlsxwriter's own types are partial
    value = _number(cell) if column.number else None
    if value is not None:
        page.write_number(line, place, value, formats[1])
    elif cell:
        page.write_string(line, place, _one_line(cell), formats[0])


def _number(text: str) -> float | None:
    """The cell's number; None where it is none that a spreadsheet can hold."""
    if not _FIGURE.fullmatch(text):
        return None
    number = Decimal(text)
    return float(number) if number.is_finite() and abs(number.adjusted()) < 300 else None


def _harmless(text: str, column: Column) -> str:
    shown = _one_line(text)
    if column.number and _number(text) is not None:
        return shown
    return f"'{shown}" if shown.lstrip().startswith(_STARTS) else shown


def _one_line(text: str, longest: int = 4000) -> str:
    """Printable text on one line: not every reader of CSV takes a line end within quotes."""
    return " ".join(clean(text, longest).replace("\t", " ").split("\n"))
