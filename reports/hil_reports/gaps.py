"""Gaps of a run as a section of its report: what the matrix lacks, and what nobody here could see.

The rows are those of matrix.csv; rows that say the same of one requirement stand together.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

from hil.bench import ROLES
from hil.bodies import RequirementBody, requirement_of
from hil.conclusion import Conclusion
from hil.feasibility import judging
from hil.requirement import Knowledge, Measurand
from hil_reports.text import clean, foremost

View: TypeAlias = dict[str, Any]
Row = Mapping[str, str]
"""Column of the matrix to cell."""

GAPS = {
    "no test": "a requirement for which no test was collected",
    "no hazard": "a requirement that names no hazard",
    "no requirement": "a hazard of the catalogues that no requirement of this scope names",
    "changed": "a requirement that asks for something else than when it was judged last",
    "dropped": "a requirement of an earlier run that this one, of the whole scope, has not",
    "orphan test": "a test that judges no requirement",
    "never run": "a planned test that was not begun, or did not end",
    "not judged": "a test that ended without judging a requirement it was planned for",
    "too short": "a record that ended before it was decided",
    "error": "the bench failed, so that nothing was shown",
    "inconclusive": "a value within its uncertainty of the limit, or in doubt",
    "not evaluated": "what this bench cannot decide",
    "not collected": "tests that could not be read",
}
"""Kinds of gaps, each with its meaning."""
_CLOSED_BY = {
    "no test": "a test that is marked with it",
    "no hazard": "its hazard, in the catalogue",
    "no requirement": "a requirement that names it",
    "changed": "a person who compares both; what was judged before does not hold for it",
    "dropped": "the requirement, or its end stated in the risk file",
    "orphan test": "a mark that says which requirement it shows",
    "never run": "a run that comes to its end",
    "not judged": "a judgement of it in that test",
    "too short": "a longer record of the same",
    "error": "a repaired bench, and another run",
    "inconclusive": "a smaller uncertainty there, or a device that is further from its limit",
    "not evaluated": "what the remark names",
    "not collected": "a module that can be read",
}
"""What closes each kind."""
_RECALLED = Knowledge.FROM_MEMORY.value
"""Stands in the source of a limit of error that nobody looked up."""
_EXTREMES = {Measurand.EXTREME.value, Measurand.DIFFERENCE.value}
"""What would show an excursion; a slope or a mean is over a time of its own."""
_SHOWN = 40
"""Rows of one kind that are printed; matrix.csv has all of them."""


def gaps_view(conclusion: Conclusion, rows: Sequence[Row]) -> View:
    """Lay out the gaps.

    Args:
        conclusion: what the journal amounts to.
        rows: the traceability matrix of it, those with a gap among them.
    """
    requirements = {row.requirement["id"]: row.requirement for row in conclusion.requirements}
    roles = {body["role"] for body in conclusion.instruments}
    kinds = []
    for gap, means in GAPS.items():
        found = _together([row for row in rows if row.get("gap") == gap])
        if found:
            shown = [_row(gap, each, requirements, roles) for each in found[:_SHOWN]]
            left = len(found) - len(shown)
            kinds.append({"gap": gap, "means": means, "rows": shown, "unprinted": left})
    return {
        "kinds": kinds,
        "none": [gap for gap in GAPS if gap not in {kind["gap"] for kind in kinds}],
        "blind": _blind_spots(conclusion),
    }


def _together(rows: Sequence[Row]) -> list[list[Row]]:
    """Rows that say the same of one requirement, or of one test without a requirement."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        of = row.get("requirement", "") or row.get("test", "") or row.get("hazard", "")
        found.setdefault((of, _said(row)), []).append(row)
    return list(found.values())


def _said(row: Row) -> str:
    """Its remark, without what a test that was never run says of its other requirements."""
    remark = row.get("remark", "")
    if row.get("gap") != "never run":
        return remark
    return remark.rpartition(row.get("verdict", ""))[2].strip("; \n") or remark


def _row(
    gap: str,
    rows: Sequence[Row],
    requirements: Mapping[str, RequirementBody],
    roles: set[str],
) -> View:
    first = rows[0]
    tests = list(dict.fromkeys(row["test"] for row in rows if row.get("test")))
    shown, left = foremost(tests, 2)
    name = first.get("requirement", "")
    if not name:
        about = first.get("hazard", "") or ""
    else:
        about = requirements[name]["title"] if name in requirements else ""
    closed = _CLOSED_BY[gap]
    if gap == "not evaluated" and name in requirements:
        closed = _remedy(requirements[name], first.get("remark", ""), roles) or closed
    return {
        "id": clean(name, 120),
        "about": clean(about, 200),
        "tests": [clean(test, 200) for test in shown],
        "more": left,
        "remark": clean(_said(first).removeprefix(f"{name}: "), 400),
        "closed": clean(closed, 300),
    }


def _remedy(body: RequirementBody, remark: str, roles: set[str]) -> str:
    """The roles that would close it: instruments that are not there, aids that the remark names."""
    absent = [
        role
        for role in body["roles"]
        if (role in ROLES and role not in roles) or (role not in ROLES and role in remark)
    ]
    return f"{', '.join(absent)} on the bench" if absent else ""


def _blind_spots(conclusion: Conclusion) -> list[str]:
    """What could have happened in this run without anybody here seeing it."""
    plan = conclusion.plan
    scope = {requirement["id"] for requirement in plan["requirements"]}
    foreseen = [row for row in plan.get("feasibility", []) if row["requirement"] in scope]
    paths: dict[str, float] = {}
    for row in judging(foreseen):
        if row["excursion"] is not None and row["measurand"] in _EXTREMES:
            by = f"{row['instrument']} as {row['role']}, {row['range']} range"
            paths[by] = max(paths.get(by, 0.0), row["excursion"])
    found = [
        f"Shorter than {1e3 * shortest:.2g} ms an excursion may stay unseen, or be seen in part, "
        f"by {clean(by, 200)}."
        for by, shortest in paths.items()
    ]
    missing = [text for flight in conclusion.flights for text in flight.body["missing"]]
    found += [f"Not proven of the wiring: {clean(text, 400)}." for text in dict.fromkeys(missing)]
    lost = [c for body in conclusion.records for c in body["captures"] if c["gaps"]]
    if lost:
        samples = sum(length for capture in lost for _, length in capture["gaps"])
        found.append(f"{samples} samples were lost in {len(lost)} captures: nobody saw them.")
    found += [
        f"By {how}: {clean(', '.join(names), 600)}."
        for how, names in by_word(plan["requirements"]).items()
    ]
    waited = [f"{b['unprovoked']} ({b['id']})" for b in plan["requirements"] if b.get("unprovoked")]
    if waited:
        told = clean(", ".join(waited), 600)
        found.append(
            f"Not provoked, as nothing on this bench makes it happen: {told}. There a PASS says "
            "that it did not happen; what the device would do shows only with a fault in it."
        )
    found += _unchecked(conclusion)
    unconfirmed = [b for b in plan["requirements"] if b["status"] != Knowledge.CONFIRMED.value]
    if unconfirmed:
        found.append(
            f"{len(unconfirmed)} of {len(plan['requirements'])} limits are not confirmed in a "
            "purchased edition: whether they are those of the standard, no run can show."
        )
    return found


def _unchecked(conclusion: Conclusion) -> list[str]:
    """How many judged values have a U that rests on limits of error which nobody looked up."""
    budgets = [
        [part["source"] for part in body["measured"]["components"]]
        for row in conclusion.requirements
        for body in row.judgements
        if body["measured"] and body["measured"]["components"]
    ]
    resting = [sources for sources in budgets if any(_RECALLED in each for each in sources)]
    recalled = dict.fromkeys(each for all_ in resting for each in all_ if _RECALLED in each)
    if not recalled:
        return []
    told = clean("; ".join(recalled), 600)
    return [
        f"U of {len(resting)} of {len(budgets)} judged values rests on limits of error that were "
        f"not looked up in the data sheet: {told}."
    ]


def by_word(requirements: Iterable[RequirementBody]) -> dict[str, list[str]]:
    """How a requirement rests on what the device says, to those that do; as feasibility has it."""
    found: dict[str, list[str]] = {}
    for body in requirements:
        if word := requirement_of(body).word:
            found.setdefault(word, []).append(body["id"])
    return found
