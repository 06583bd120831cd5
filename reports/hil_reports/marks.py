"""Which limits are drawn over a trace: those of a level of it, over the time that was judged.

A limit on a step, a slope, a time or a difference of two values is none on the trace. One on a
mean, or on the largest magnitude within a time, is; on the ramp before, the same trace may pass it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hil.bodies import JudgementBody
from hil_reports.plot import Envelope, Marks

_LEVELS = {"steady", "mean", "peak"}
"""Features whose value is one of the trace itself."""
_Windows = list[tuple[float, float]]


def marks_of(decisive: JudgementBody, record: Mapping[str, Any], found: Envelope) -> Marks:
    """Limits and events of a judgement.

    Args:
        decisive: the judgement.
        record: what it was taken from.
        found: the trace that is drawn.

    Returns:
        Limits on the side on which the trace lies: a magnitude is judged of a negative current too.
    """
    events = [(event["name"], event["time"]) for event in record["events"]]
    measured = decisive["measured"]
    level = _level(measured["derivation"]) if measured and measured["unit"] == found.unit else None
    if measured is None or level is None:
        return Marks(events=events)
    windows = _windows(level, record, found)
    bounds = [decisive["lower"], decisive["upper"]]
    lower, upper = (None if bound is None else float(bound) for bound in bounds)
    if _side(found, windows) * float(measured["value"]) < 0:
        lower, upper = (None if bound is None else -bound for bound in (upper, lower))
    if level["feature"] == "peak" and lower is None and upper is not None:
        lower = -upper if found.least[1] < -upper / 2 else None
    failed = decisive["verdict"] == "FAIL"
    return Marks(lower, upper, events, windows, each=level["feature"] == "peak", failed=failed)


def _level(derivation: object) -> Mapping[str, Any] | None:
    """The feature by which a value is a level of its trace; None if it is none."""
    tree = derivation
    while isinstance(tree, dict) and ("minus" in tree or "magnitude" in tree):
        tree = tree.get("minus", tree.get("magnitude"))
    if isinstance(tree, dict) and tree.get("feature") in _LEVELS:
        return tree
    return None


def _windows(level: Mapping[str, Any], record: Mapping[str, Any], found: Envelope) -> _Windows:
    """Bench times between which the value was taken."""
    given = level.get("given")
    told: Mapping[str, Any] = given if isinstance(given, dict) else {}
    if phase := told.get("phase"):
        return [(begin, end) for begin, end in record["phases"].get(phase, ())]
    begin, end = (_instant(told.get(name)) for name in ("after", "until"))
    first, last = found.span
    return [(first if begin is None else begin, last if end is None else end)]


def _instant(written: object) -> float | None:
    instant = written.get("instant") if isinstance(written, dict) else None
    time = instant.get("time") if isinstance(instant, dict) else None
    return float(time) if isinstance(time, (int, float)) else None


def _side(found: Envelope, windows: _Windows) -> float:
    """Mean of the trace within the windows; of all of it where they hold no column."""
    middle = (found.low + found.high) / 2
    inside = np.zeros(len(middle), dtype=bool)
    for begin, end in windows:
        inside |= (found.time >= begin) & (found.time <= end)
    chosen = middle[inside] if inside.any() else middle
    return float(np.nansum(chosen))
