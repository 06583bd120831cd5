"""The traceability matrix: hazard, risk control, requirement, test, measurement, verdict, evidence.

A row is one measurement of one requirement by one test, with the hashes that lead to its capture
and to its line of the journal. What is missing from that chain is a row of its own, a gap: nothing
is left out because there is nothing to say of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

from hil.bodies import AskedBody, JudgementBody, RequirementBody, asked_sha256
from hil.conclusion import Conclusion, RequirementRow, TestRow
from hil.decision import TOO_SHORT
from hil.journal import Record
from hil.verdict import Verdict
from hil_reports.gaps import GAPS, Row
from hil_reports.junit import explanation
from hil_reports.spreadsheet import Column, Sheet, csv_bytes, xlsx_bytes
from hil_reports.text import in_print
from hil_reports.view import WORDS, banner, judged_line, statement

COLUMNS = (
    Column("gap", 14),
    Column("hazard", 22),
    Column("risk control", 20),
    Column("requirement", 14),
    Column("title", 26),
    Column("text", 44),
    Column("asked sha256", 12),
    Column("clause", 14),
    Column("source", 22),
    Column("status of the limit", 13),
    Column("mandatory", 10),
    Column("test", 36),
    Column("at", 9),
    Column("result", 36),
    Column("value (SI)", 13, number=True),
    Column("U (SI, k = 2)", 13, number=True),
    Column("unit", 7),
    Column("lower limit (SI)", 12, number=True),
    Column("upper limit (SI)", 12, number=True),
    Column("margin (SI)", 12, number=True),
    Column("verdict", 14),
    Column("remark", 40),
    Column("captures sha256", 14),
    Column("journal record", 9, number=True),
    Column("record sha256", 12),
    Column("run", 20),
    Column("provenance", 12),
)
"""Columns of the matrix, in their order."""
_OF_VERDICT = {
    Verdict.ERROR: "error",
    Verdict.NO_VERDICT: "not judged",
    Verdict.INCONCLUSIVE: "inconclusive",
    Verdict.NOT_EVALUATED: "not evaluated",
}
_ABOUT = (Column("of the run", 24), Column("is", 90))
_LEGEND = (Column("gap", 18), Column("means", 70), Column("rows", 8, number=True))


def matrix(conclusion: Conclusion, records: Iterable[Record]) -> list[Row]:
    """Return the rows: requirements as planned, then tests without one.

    Args:
        conclusion: what the journal amounts to.
        records: that journal, for the hashes of its judgements.
    """
    journaled: dict[str, list[Record]] = {}
    for record in records:
        if record.kind == "judgement":
            journaled.setdefault(record.body["requirement"], []).append(record)
    tests = {test.test: test for test in conclusion.tests}
    asked = conclusion.register.get("asked", {}) if conclusion.register else {}
    rows: list[Row] = []
    for row in conclusion.requirements:
        name = row.requirement["id"]
        rows += _changed(row.requirement, asked.get(name))
        lines = zip(row.judgements, journaled.get(name, []), strict=True)
        rows += _of_requirement(row, list(lines), tests)
    rows += _dropped(conclusion, asked)
    rows += _uncovered(conclusion)
    rows += [_orphan(test) for test in conclusion.tests if not test.by_requirement]
    rows += [
        {"gap": "not collected", "verdict": WORDS[Verdict.NO_VERDICT], "remark": text}
        for text in conclusion.collection_errors
    ]
    of_run = {"run": conclusion.run["run_id"], "provenance": conclusion.provenance.word}
    return [{**row, **of_run} for row in rows]


def matrix_csv(rows: Sequence[Row]) -> bytes:
    """Write the matrix as CSV, figures as exact decimals in SI."""
    return csv_bytes(Sheet("matrix", COLUMNS, rows))


def matrix_xlsx(conclusion: Conclusion, rows: Sequence[Row]) -> bytes:
    """Write the matrix as a workbook: what run it is of, its gaps, all rows."""
    marked = "" if conclusion.provenance.hardware else f"{conclusion.provenance.word}. "
    title = f"{marked}Traceability matrix of run {conclusion.run['run_id']}"
    sheets = [
        Sheet("Run", _ABOUT, _about(conclusion)),
        Sheet("Gaps", _LEGEND, _counted(rows)),
        Sheet("Matrix", COLUMNS, rows),
    ]
    return xlsx_bytes(sheets, title, datetime.fromisoformat(conclusion.ended))


def _of_requirement(
    row: RequirementRow,
    lines: Sequence[tuple[JudgementBody, Record]],
    tests: Mapping[str, TestRow],
) -> Iterator[Row]:
    chain = _chain(row.requirement)
    body = row.requirement
    if not body["hazard"]:
        yield {**chain, "gap": "no hazard", "remark": "what it protects from is not named"}
    if not row.tests:
        verdict = WORDS[row.verdict]
        yield {**chain, "gap": "no test", "verdict": verdict, "remark": in_print(row.remark)}
    for name in row.tests:
        if not any(judged["test"] == name for judged, _ in lines):
            yield {**chain, **_unjudged(tests[name], body["id"])}
    for judged, record in sorted(lines, key=lambda line: _place(row.tests, line[0]["test"])):
        yield {**chain, **_measured(judged, record)}


def _chain(body: RequirementBody) -> Row:
    return {
        "hazard": body["hazard"],
        "risk control": body["control"],
        "requirement": body["id"],
        "title": body["title"],
        "text": body["text"],
        "asked sha256": asked_sha256(body),
        "clause": body["clause"],
        "source": body["source"],
        "status of the limit": body["status"],
        "mandatory": "yes" if body["mandatory"] else "no",
    }


def _changed(body: RequirementBody, asked: AskedBody | None) -> Iterator[Row]:
    if asked is not None and asked["sha256"] != asked_sha256(body):
        said = f"run {asked['run_id']} judged it by another text, limit or rule"
        yield {**_chain(body), "gap": "changed", "remark": f"{said}: {asked['sha256']}"}


def _dropped(conclusion: Conclusion, asked: Mapping[str, AskedBody]) -> Iterator[Row]:
    present = {row.requirement["id"] for row in conclusion.requirements}
    for name, body in asked.items() if not conclusion.run["partial"] else ():
        if name not in present:
            said = f"run {body['run_id']} judged it, this run has no such requirement"
            yield {"gap": "dropped", "requirement": name, "remark": said}


def _uncovered(conclusion: Conclusion) -> Iterator[Row]:
    """Hazards that the catalogues list and nothing here protects from."""
    named = {row.requirement["hazard"] for row in conclusion.requirements}
    for hazard in conclusion.plan.get("hazards", ()):
        if hazard not in named:
            said = "no requirement of this scope names it"
            yield {"gap": "no requirement", "hazard": hazard, "remark": said}


def _place(tests: Sequence[str], name: str) -> int:
    """Place of a test among those planned; one that was not, as the bench ceiling's, is last."""
    return tests.index(name) if name in tests else len(tests)


def _unjudged(test: TestRow, requirement: str) -> Row:
    verdict = test.by_requirement[requirement]
    ended = _OF_VERDICT.get(verdict, "not judged") if test.outcome else "never run"
    return {
        "gap": ended,
        "test": test.test,
        "verdict": WORDS[verdict],
        "remark": explanation(test),
    }


def _ended_early(judged: JudgementBody) -> bool:
    """Whether it is an ERROR only because its record ended before it was decided."""
    return judged["verdict"] == Verdict.ERROR.value and judged["reason"].startswith(TOO_SHORT)


def _measured(judged: JudgementBody, record: Record) -> Row:
    verdict = Verdict(judged["verdict"])
    row = {
        "gap": "too short" if _ended_early(judged) else _OF_VERDICT.get(verdict, ""),
        "test": judged["test"],
        "at": judged["at"] or "",
        "result": judged_line(judged),
        "verdict": WORDS[verdict],
        "remark": in_print(judged["reason"]),
        "journal record": str(record.n),
        "record sha256": record.hash,
    }
    measured = judged["measured"]
    if measured is None:
        return row
    return {
        **row,
        "value (SI)": measured["value"],
        "U (SI, k = 2)": measured["expanded"],
        "unit": measured["unit"],
        "lower limit (SI)": judged["lower"] or "",
        "upper limit (SI)": judged["upper"] or "",
        "margin (SI)": judged["margin"] or "",
        "captures sha256": " ".join(measured["captures"]),
    }


def _orphan(test: TestRow) -> Row:
    return {
        "gap": "orphan test",
        "test": test.test,
        "verdict": WORDS[test.verdict],
        "remark": explanation(test),
    }


def _about(conclusion: Conclusion) -> list[Row]:
    run, plan = conclusion.run, conclusion.plan
    told = {
        "run": run["run_id"],
        "provenance": f"{conclusion.provenance.word}: {conclusion.provenance.reason}",
        "note": "" if conclusion.provenance.hardware else banner(conclusion),
        "result": statement(conclusion)[0],
        "complete": "yes" if conclusion.complete else "NO: the run did not end by itself",
        "scope": f"partial: {run['partial']}" if run["partial"] else "whole",
        "device": f"{plan['manufacturer']} {plan['model']}",
        "serial number": conclusion.serial,
        "firmware": conclusion.firmware,
        "bench": plan["bench_name"],
        "begun": conclusion.begun,
        "ended": conclusion.ended,
        "journal head": conclusion.head,
        "device file sha256": plan["device"]["sha256"],
        "bench file sha256": plan["bench"]["sha256"],
        "stimproof": run["version"],
    }
    return [{"of the run": key, "is": value} for key, value in told.items() if value]


def _counted(rows: Sequence[Row]) -> list[Row]:
    return [
        {
            "gap": gap,
            "means": means,
            "rows": str(sum(row.get("gap") == gap for row in rows)),
        }
        for gap, means in GAPS.items()
    ]
