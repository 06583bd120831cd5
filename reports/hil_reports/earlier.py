"""A run's place in its register, and the runs before it, in words and rows ready to print."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from hil.bodies import EarlierBody, RegisterBody
from hil.conclusion import Conclusion
from hil_reports.evidence.register import AS_REGISTERED, MISSING, NOT_CLOSED, STATES
from hil_reports.text import DASH, clean, moment

_ROWS = 40  # the newest; whatever is not as registered is printed however old it is
_UNKNOWN: RegisterBody = {
    "number": 0,
    "bench": "",
    "earlier": [],
    "older": {},
    "first": "",
    "remembered": 0,
    "others": 0,
    "behind": 0.0,
    "signers": {},
}


def register_view(conclusion: Conclusion) -> dict[str, Any]:
    """Lay out the register number, what came before it, and what is odd there."""
    entry = conclusion.run["register"]
    found = conclusion.register or _UNKNOWN
    earlier, older = found["earlier"], found["older"]
    shown = [
        row
        for place, row in enumerate(earlier)
        if place >= len(earlier) - _ROWS or row["state"] != AS_REGISTERED
    ]
    said = told(earlier, older) if conclusion.register else "what came before it is not known"
    previous = entry["previous"]
    place = f" in register {clean(found['first'])[:12]}" if found["first"] else ""
    number = f"Number {entry['number']}{place}"
    return {
        "line": "; ".join([number, said, *_others(found), *_warnings(found)]),
        "first": clean(found["first"], 64) or DASH,
        "held": f"{_held(found)}; {_signed(found)}",
        "entry": entry["entry"],
        "previous": clean(previous["run_id"], 200) if previous else "",
        "previous_head": previous["head"] if previous else "",
        "rows": [_row(row) for row in reversed(shown)],
        "unprinted": len(earlier) - len(shown) + sum(older.values()),
        "states": [f"{state}: {meaning}" for state, meaning in _states(shown)],
    }


def _others(found: RegisterBody) -> list[str]:
    """How many earlier runs were of another device model, and so are no rows."""
    mine = sum(row["number"] > 0 for row in found["earlier"]) + sum(found["older"].values())
    others = max(found["number"] - 1, 0) - mine
    return [f"{_counted(others, 'run')} of another device model"] if others > 0 else []


def _warnings(found: RegisterBody) -> list[str]:
    """What page 1 must say of the register itself."""
    warnings = []
    if found["number"] > 1 and not found["remembered"]:
        warnings.append("this machine did not know the register")
    if found["behind"]:
        warnings.append(
            f"the clock was set back: this run began {found['behind']:.0f} s before an earlier "
            "entry of the register"
        )
    if found["others"]:
        before = _counted(found["others"], "other register")
        warnings.append(f"{before} began in this folder before, as this machine remembers")
    return warnings


def _held(found: RegisterBody) -> str:
    """What the register was held against when the run began."""
    if found["remembered"]:
        known = _counted(found["remembered"], "entry", "entries")
        return f"held against {known} that this machine remembered"
    return "new to this machine: that nothing was cut from it is not known"


def _signed(found: RegisterBody) -> str:
    """Who signed the entries that were there."""
    parts = [
        f"{count} signed by {clean(signer)[:16]}" if signer else f"{count} unsigned"
        for signer, count in found["signers"].items()
    ]
    return f"earlier entries: {', '.join(parts) or 'none'}"


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def told(earlier: Sequence[EarlierBody], older: Mapping[str, int]) -> str:
    """Say how many runs of this device model came before, and what became of them."""
    total = len(earlier) + sum(older.values())
    if not total:
        return "no earlier run of this device model"
    ends = Counter({_word(verdict): count for verdict, count in older.items()})
    ends.update(_end(row) for row in earlier)
    ends.update(row["state"] for row in earlier if row["state"] not in {AS_REGISTERED, NOT_CLOSED})
    parts = ", ".join(f"{count} {word}" for word, count in ends.items())
    return f"{_counted(total, 'earlier run')} of this device model: {parts}"


def _word(verdict: str) -> str:
    return clean(verdict, 40).replace("_", " ")


def _end(row: EarlierBody) -> str:
    """Verdict of an earlier run, or why it has none."""
    if row["verdict"]:
        return _word(row["verdict"])
    return NOT_CLOSED if row["state"] in {NOT_CLOSED, MISSING} else "of unknown verdict"


def _states(rows: Sequence[EarlierBody]) -> list[tuple[str, str]]:
    found = {row["state"] for row in rows}
    return [(state, meaning) for state, meaning in STATES.items() if state in found]


def _row(row: EarlierBody) -> dict[str, Any]:
    return {
        "number": str(row["number"]) if row["number"] else DASH,
        "run_id": clean(row["run_id"], 200),
        "bench": clean(row["bench"], 100) or DASH,
        "opened": moment(row["opened"]) if row["opened"] else DASH,
        "operator": clean(row["operator"], 100) or DASH,
        "serial": clean(row["serial"], 100) or DASH,
        "firmware": clean(row["firmware"], 100) or DASH,
        "verdict": _word(row["verdict"]) or DASH,
        "provenance": clean(row["provenance"], 40),
        "code": DASH if row["code"] is None else str(row["code"]),
        "state": clean(row["state"], 60),
        "odd": row["state"] != AS_REGISTERED,
    }
