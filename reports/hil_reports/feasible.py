"""What the reports show of the feasibility table: what the bench could decide, before the results.

Read from the plan in the journal alone.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeAlias

from hil.bodies import FeasibilityBody, PlanBody
from hil.feasibility import decided, in_short, judging, least
from hil_reports.text import DASH, clean, scale

View: TypeAlias = dict[str, Any]

_WORDS = {True: ("yes", "pass"), False: ("no", "open"), None: ("not foreseen", "doubt")}
_IN_PART = ("in part", "doubt")


def feasibility_view(plan: PlanBody) -> View:
    """Lay out the rows by which the requirements of a plan are judged."""
    scope = {requirement["id"] for requirement in plan["requirements"]}
    found = [row for row in plan.get("feasibility", []) if row["requirement"] in scope]
    rows = judging(found)
    return {
        "rows": [_row(row) for row in rows],
        "line": in_short(rows),
        "decided": decided(rows),
        "others": len(found) - len(rows),
    }


def _row(row: FeasibilityBody) -> View:
    word, tone = _WORDS[row["decidable"]]
    if row["cause"] == "in part":
        word, tone = _IN_PART
    by = " ".join(filter(None, [row["role"], row["range"]]))
    return {
        "requirement": clean(row["requirement"], 120),
        "by": clean(by or (row["reason"] if row["decidable"] else ""), 200) or DASH,
        "instrument": clean(row["instrument"], 200) or DASH,
        "at": clean(row["at"], 80) or DASH,
        "u": ("≥ " if least(row) else "") + _figure(row["u"], row["unit"], 2),
        "room": _figure(row["room"], row["unit"]),
        "bandwidth": _figure(row["bandwidth"], "Hz"),
        "excursion": _figure(row["excursion"], "s", 2),
        "word": word,
        "tone": tone,
        "reason": clean(row["reason"], 700) if row["decidable"] is not True else "",
    }


def _figure(value: float | None, unit: str, digits: int = 3) -> str:
    """A figure in SI with a fitting unit, as the rest of the report has it."""
    if value is None:
        return DASH
    exact = Decimal(repr(value))
    step = Decimal(1).scaleb(exact.adjusted() - digits + 1) if exact.is_finite() else None
    return scale(unit, [exact]).text(exact, step)
