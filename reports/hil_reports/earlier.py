"""A run's place in its register, and the runs before it, in words and rows ready to print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from hil.bodies import EarlierBody
from hil.conclusion import Conclusion
from hil_reports.evidence.register import AS_REGISTERED, MISSING, NOT_CLOSED, STATES
from hil_reports.text import DASH, clean, moment

_ROWS = 40  # the newest; whatever is not as registered is printed however old it is


def register_view(conclusion: Conclusion) -> dict[str, Any]:
    """Lay out the register number, what came before it, and what is odd there."""
    entry = conclusion.run["register"]
    earlier = conclusion.earlier
    shown = [
        row
        for place, row in enumerate(earlier)
        if place >= len(earlier) - _ROWS or row["state"] != AS_REGISTERED
    ]
    previous = entry["previous"]
    return {
        "line": f"Number {entry['number']} on {clean(conclusion.plan['bench_name'])}; "
        f"{told(earlier)}",
        "entry": entry["entry"],
        "previous": clean(previous["run_id"], 200) if previous else "",
        "previous_head": previous["head"] if previous else "",
        "rows": [_row(row) for row in reversed(shown)],
        "unprinted": len(earlier) - len(shown),
        "states": [f"{state}: {meaning}" for state, meaning in _states(shown)],
    }


def told(earlier: Sequence[EarlierBody]) -> str:
    """Say how many runs of this device model came before, and what became of them."""
    if not earlier:
        return "no earlier run of this device model"
    ends = Counter(_end(row) for row in earlier)
    odd = Counter(
        row["state"] for row in earlier if row["state"] not in {AS_REGISTERED, NOT_CLOSED}
    )
    parts = [f"{count} {word}" for word, count in (ends + odd).items()]
    runs = "run" if len(earlier) == 1 else "runs"
    return f"{len(earlier)} earlier {runs} of this device model: {', '.join(parts)}"


def _end(row: EarlierBody) -> str:
    """Verdict of an earlier run, or why it has none."""
    if row["verdict"]:
        return clean(row["verdict"], 40).replace("_", " ")
    return NOT_CLOSED if row["state"] in {NOT_CLOSED, MISSING} else "of unknown verdict"


def _states(rows: Sequence[EarlierBody]) -> list[tuple[str, str]]:
    found = {row["state"] for row in rows}
    return [(state, meaning) for state, meaning in STATES.items() if state in found]


def _row(row: EarlierBody) -> dict[str, Any]:
    return {
        "number": str(row["number"]) if row["number"] else DASH,
        "run_id": clean(row["run_id"], 200),
        "opened": moment(row["opened"]) if row["opened"] else DASH,
        "operator": clean(row["operator"], 100) or DASH,
        "serial": clean(row["serial"], 100) or DASH,
        "firmware": clean(row["firmware"], 100) or DASH,
        "verdict": clean(row["verdict"], 40).replace("_", " ") or DASH,
        "code": DASH if row["code"] is None else str(row["code"]),
        "state": clean(row["state"], 60),
        "odd": row["state"] != AS_REGISTERED,
    }
