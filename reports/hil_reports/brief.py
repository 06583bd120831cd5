"""summary.md: what a run shows, short enough for a merge request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from hil.conclusion import Conclusion, RequirementRow
from hil.verdict import Verdict
from hil_reports.offs import safe_in_words
from hil_reports.text import DASH, foremost, in_print, markdown
from hil_reports.view import WORDS, banner, faults_in_words, result_line, short, statement

_REASONS = 12
_ROWS = 100  # requirements in one table: a comment has 65 536 characters at most
_SIGNS = {Verdict.PASS: "\N{WHITE HEAVY CHECK MARK}", Verdict.FAIL: "\N{CROSS MARK}"}


def summary_markdown(conclusion: Conclusion) -> str:
    """Write the page; foreign text in it is neither markup nor a link, nor calls anybody."""
    return "\n".join(_lines(conclusion)) + "\n"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Lines of a Markdown table; its cells are Markdown already."""
    yield "| " + " | ".join(heads) + " |"
    yield "|" + " --- |" * len(heads)
    for row in rows:
        yield "| " + " | ".join(row) + " |"


def _lines(conclusion: Conclusion) -> Iterator[str]:
    plan, run = conclusion.plan, conclusion.run
    device = markdown(f"{plan['manufacturer']} {plan['model']}")
    yield f"## {_sign(conclusion.verdict)} {device}: {_word(conclusion)}"
    yield from ("", markdown(statement(conclusion)[0]))
    if not conclusion.provenance.hardware:
        yield from ("", f"**SIMULATED**: {markdown(banner(conclusion))}")
    if not conclusion.complete:
        yield from ("", "**INCOMPLETE**: the run did not end by itself.")
    if run["partial"]:
        yield from ("", f"**Partial scope**: {markdown(run['partial'])}")
    yield ""
    reasons, left = foremost(conclusion.reasons, _REASONS)
    yield from (f"- {markdown(in_print(reason))}" for reason in reasons)
    if left:
        yield f"- and {left} more"
    open_rows = [row for row in conclusion.requirements if row.verdict is not Verdict.PASS]
    passed = [row for row in conclusion.requirements if row.verdict is Verdict.PASS]
    if open_rows:
        yield from ("", "### Not PASS", "")
        order = list(Verdict)
        yield from _requirements(sorted(open_rows, key=lambda row: order.index(row.verdict)))
    if passed:
        yield from ("", f"<details><summary>{len(passed)} requirements PASS</summary>", "")
        yield from _requirements(passed)
        yield from ("", "</details>")
    yield ""
    yield from table(["", ""], list(_about(conclusion)))


def _sign(verdict: Verdict) -> str:
    return _SIGNS.get(verdict, "\N{WARNING SIGN}")


def _word(conclusion: Conclusion) -> str:
    return "COMPLIES with the scope" if conclusion.complies else WORDS[conclusion.verdict]


def _requirements(rows: Sequence[RequirementRow]) -> Iterator[str]:
    yield from table(
        ["requirement", "verdict", "worst case", "where"],
        [
            [
                f"{markdown(row.requirement['id'])} {markdown(row.requirement['title'], 120)}",
                f"{_sign(row.verdict)} {WORDS[row.verdict]}",
                _result(row),
                _where(row),
            ]
            for row in rows[:_ROWS]
        ],
    )
    if len(rows) > _ROWS:
        yield from ("", f"{len(rows) - _ROWS} more are in the report.")


def _result(row: RequirementRow) -> str:
    told = result_line(row)
    remark = "" if row.verdict is Verdict.PASS and told else row.remark
    return markdown(in_print("; ".join(part for part in (told, remark) if part)))


def _where(row: RequirementRow) -> str:
    if row.decisive is None:
        return DASH
    at = f", at {row.decisive['at']}" if row.decisive["at"] else ""
    return markdown(short(row.decisive["test"]) + at, 160)


def _about(conclusion: Conclusion) -> Iterator[Sequence[str]]:
    run = conclusion.run
    told = {
        "run": run["run_id"],
        "firmware": conclusion.firmware,
        "serial number": conclusion.serial,
        "bench": conclusion.plan["bench_name"],
        "faults seeded": "; ".join(faults_in_words(run)),
        "safe state": safe_in_words(conclusion),
        "tests": f"{len(conclusion.tests)}, depth {run['depth']}, seed {run['seed']}",
        "stimproof": run["version"],
        "exit code": str(int(conclusion.exit_code)),
        "evidence head": conclusion.head,
    }
    yield from ([name, markdown(value, 160)] for name, value in told.items() if value)
