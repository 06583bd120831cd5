"""What a journal amounts to: a verdict for each requirement and test, one for the run.

Pure and total: whatever is missing from the journal counts against the run, never for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hil.errors import UsageError
from hil.journal import (
    EndBody,
    InstrumentBody,
    JudgementBody,
    PlanBody,
    Record,
    RequirementBody,
    RunBody,
)
from hil.verdict import ExitCode, Verdict, exit_code, worst

_ORDER = list(Verdict)


@dataclass(frozen=True, slots=True)
class RequirementRow:
    """One line of the clause table."""

    requirement: RequirementBody
    """The requirement as planned."""
    verdict: Verdict
    """Worst over its tests."""
    judgements: tuple[JudgementBody, ...]
    """All of them, in order."""
    decisive: JudgementBody | None
    """The worst; among equals the one with the smallest margin. None if it was never judged."""
    tests: tuple[str, ...]
    """Tests that were planned for it."""
    remark: str
    """Why it is not PASS, or what carries the PASS."""


@dataclass(frozen=True, slots=True)
class TestRow:
    """One test."""

    __test__ = False  # no test class, whatever its name

    test: str
    """module:function[parameters]."""
    verdict: Verdict
    """Worst over its requirements."""
    by_requirement: Mapping[str, Verdict]
    """Verdict for each requirement it was planned to judge."""
    outcome: str
    """passed, failed, error, skipped, or empty if it never ended."""
    detail: str
    """What went wrong, or empty."""
    seconds: float
    """Wall time."""
    doc: str
    """First line of its docstring."""
    begun: str
    """UTC at which it began, or empty."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """All that the reports say."""

    run: RunBody
    plan: PlanBody
    requirements: tuple[RequirementRow, ...]
    tests: tuple[TestRow, ...]
    instruments: tuple[InstrumentBody, ...]
    verdict: Verdict
    """Worst of the requirements."""
    exit_code: ExitCode
    """What `hil run` returns."""
    reasons: tuple[str, ...]
    """Why the exit code is not 0; empty if it is."""
    complete: bool
    """Whether the run ended by itself."""
    begun: str
    """UTC of the first record."""
    ended: str
    """UTC of the last record."""
    seconds: float
    """Wall time of the runner; 0 if it never ended."""
    head: str
    """Hash of the last record."""
    records: tuple[Mapping[str, Any], ...]
    """Bodies of kind `record`."""
    safe_states: tuple[Mapping[str, Any], ...]
    """Bodies of kind `safe_state`."""

    @property
    def complies(self) -> bool:
        """Whether the report may say so: exit code 0 and a scope that is not partial."""
        return self.exit_code is ExitCode.COMPLIES and not self.run["partial"]


def conclude(journal: Iterable[Record]) -> Conclusion:
    """Judge a whole journal.

    Raises:
        UsageError: if it does not begin with `run` and `plan`.
    """
    records = list(journal)
    if [r.kind for r in records[:2]] != ["run", "plan"]:
        raise UsageError("a journal begins with a `run` and a `plan` record")
    run: RunBody = records[0].body  # type: ignore[assignment]  # checked by kind just above
    plan: PlanBody = records[1].body  # type: ignore[assignment]  # checked by kind just above
    tests = _tests(records)
    judgements: list[JudgementBody] = _bodies(records, "judgement")
    rows = tuple(_requirement_row(req, tests, judgements) for req in plan["requirements"])
    ends: list[EndBody] = _bodies(records, "end")
    code, reasons = _outcome(rows, records, complete=bool(ends))
    return Conclusion(
        run=run,
        plan=plan,
        requirements=rows,
        tests=tests,
        instruments=tuple(_bodies(records, "instrument")),
        verdict=worst(row.verdict for row in rows),
        exit_code=code,
        reasons=tuple(reasons),
        complete=bool(ends),
        begun=records[0].utc,
        ended=records[-1].utc,
        seconds=ends[-1]["seconds"] if ends else 0.0,
        head=records[-1].hash,
        records=tuple(_bodies(records, "record")),
        safe_states=tuple(_bodies(records, "safe_state")),
    )


def _bodies(records: Iterable[Record], kind: str) -> list[Any]:
    return [record.body for record in records if record.kind == kind]


def _tests(records: list[Record]) -> tuple[TestRow, ...]:
    begun = {r.body["test"]: r.utc for r in records if r.kind == "test_begin"}
    ended = {body["test"]: body for body in _bodies(records, "test_end")}
    judged: dict[tuple[str, str], list[Verdict]] = {}
    for body in _bodies(records, "judgement"):
        key = (body["test"], body["requirement"])
        judged.setdefault(key, []).append(Verdict(body["verdict"]))
    rows = []
    for collected in _bodies(records, "collected"):
        for item in collected["items"]:
            test = item["test"]
            end = ended.get(test)
            verdicts = {
                req: _pair(judged.get((test, req), []), end["outcome"] if end else "")
                for req in item["requirements"]
            }
            rows.append(
                TestRow(
                    test,
                    worst(verdicts.values()),
                    verdicts,
                    end["outcome"] if end else "",
                    end["detail"] if end else "",
                    end["seconds"] if end else 0.0,
                    item["doc"],
                    begun.get(test, ""),
                )
            )
    return tuple(rows)


def _pair(judged: list[Verdict], outcome: str) -> Verdict:
    """Verdict of one test on one requirement; only a positive end leaves a PASS a PASS."""
    verdict = worst(judged)
    if outcome == "error" or (outcome == "failed" and verdict is Verdict.PASS):
        return worst([verdict, Verdict.ERROR])
    if outcome == "" or (outcome == "skipped" and verdict is not Verdict.NOT_EVALUATED):
        return worst([verdict, Verdict.NO_VERDICT])
    return verdict


def _requirement_row(
    requirement: RequirementBody, tests: tuple[TestRow, ...], judgements: list[JudgementBody]
) -> RequirementRow:
    name = requirement["id"]
    mine = tuple(body for body in judgements if body["requirement"] == name)
    planned = [test for test in tests if name in test.by_requirement]
    verdict = worst([test.by_requirement[name] for test in planned])
    decisive = min(mine, key=_severity, default=None)
    return RequirementRow(
        requirement,
        verdict,
        mine,
        decisive,
        tuple(test.test for test in planned),
        _remark(name, verdict, decisive, planned),
    )


def _severity(body: JudgementBody) -> tuple[int, float]:
    margin = float(body["margin"]) if body["margin"] is not None else 0.0
    return _ORDER.index(Verdict(body["verdict"])), margin


def _remark(
    name: str, verdict: Verdict, decisive: JudgementBody | None, planned: list[TestRow]
) -> str:
    if not planned:
        return "no test was collected for it"
    culprits = [test for test in planned if test.by_requirement[name] is verdict]
    if decisive is not None and Verdict(decisive["verdict"]) is verdict:
        return decisive["reason"]
    first = culprits[0]
    if verdict is Verdict.NO_VERDICT and not first.outcome:
        return f"{first.test} never {'ended' if first.begun else 'started'}"
    what = first.detail.splitlines()[0] if first.detail else "ended without judging it"
    return f"{first.test}: {what}"


def _outcome(
    rows: tuple[RequirementRow, ...], records: list[Record], *, complete: bool
) -> tuple[ExitCode, list[str]]:
    unsafe = [b for b in _bodies(records, "safe_state") if not b["confirmed"]]
    if unsafe:
        return ExitCode.UNSAFE, [f"SAFE STATE UNCONFIRMED: {unsafe[-1]['reason']}"]
    aborts = _bodies(records, "abort")
    if aborts:
        last = aborts[-1]
        if not last["energised"]:
            return ExitCode.BENCH_BEFORE_OUTPUT, [last["cause"]]
        code = ExitCode.ABORTED_OFF if last["off_confirmed"] else ExitCode.UNSAFE
        return code, [f"aborted: {last['cause']}"]
    reasons = [
        f"{row.requirement['id']} {row.verdict.value}: {row.remark}"
        for row in rows
        if row.verdict is not Verdict.PASS
    ]
    code = exit_code(
        {row.requirement["id"]: row.verdict for row in rows},
        {r.requirement["id"]: r.requirement["subject"] for r in rows if r.requirement["mandatory"]},
    )
    if not complete:
        reasons.insert(0, "the runner did not end by itself")
        code = ExitCode.OTHER_VERDICT
        doors = [r.kind for r in records if r.kind in {"armed", "safe_state"}]
        if doors[-1:] == ["armed"]:
            reasons.insert(
                0, "SAFE STATE UNCONFIRMED: the runner was lost while the bench was armed"
            )
            code = ExitCode.UNSAFE
    return code, [] if code is ExitCode.COMPLIES else reasons
