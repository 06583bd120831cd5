"""What the reports show of safe states: how often off was confirmed, and how the device got there.

A place is where the journal should show off: the end of an arming, a trip of the sentinel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeAlias

from hil.conclusion import Conclusion, Off
from hil_reports.text import DASH, clean

View: TypeAlias = dict[str, Any]

_FIGURES = re.compile(r"[-+]?\d[\d.]*(?:e[-+]?\d+)?")
_ROWS = 12
"""Kinds of outcomes that are printed, those that are not confirmed first."""


def safe_states_view(conclusion: Conclusion) -> View:
    """Lay out how each place shows off, a row for each distinct outcome."""
    offs = conclusion.offs
    kinds = _kinds(offs)
    return {
        "text": safe_in_words(conclusion),
        "confirmed": conclusion.safe_state == "confirmed",
        "unsafe": any(not off.confirmed for off in offs),
        "by_supply": by_supply(conclusion),
        "what_to_do": conclusion.what_to_do,
        "rows": [_row(each) for each in kinds[:_ROWS]],
        "unprinted": max(len(kinds) - _ROWS, 0),
    }


def by_supply(conclusion: Conclusion) -> int:
    """In how many places the device did not go off by itself, but only without its supply."""
    return sum(off.by_supply for off in conclusion.offs)


def safe_in_words(conclusion: Conclusion) -> str:
    """Say in a sentence in how many places off was shown, and in how many by the supply alone."""
    offs, supply = conclusion.offs, by_supply(conclusion)
    bad = sum(not off.confirmed for off in offs)
    how = "only by taking its supply away: the device did not go off by itself."
    if not offs:
        if any(conclusion.records):
            return "No safe state was recorded although treatments were: off was not shown."
        return "No safe state was recorded: the run ended before the bench was armed."
    if bad:
        told = f"UNCONFIRMED: off was not shown in {bad} of {len(offs)} places that should."
        return f"{told} In {supply} the device was off {how}" if supply else told
    if supply:
        return f"Made safe in {len(offs)} of {len(offs)} places, of these in {supply} {how}"
    return f"Off was confirmed in each of the {len(offs)} places that should show it."


def _kinds(offs: Sequence[Off]) -> list[list[Off]]:
    """Places whose words differ in figures alone stand together; what is not confirmed first."""
    found: dict[tuple[Any, ...], list[Off]] = {}
    for off in offs:
        words = (_FIGURES.sub("#", text) for text in (off.device_off, off.path_open, off.reason))
        key = (off.confirmed, not off.by_supply, off.by, *words)
        found.setdefault(key, []).append(off)
    return [found[key] for key in sorted(found, key=lambda key: (key[:2], -len(found[key])))]


def _row(offs: Sequence[Off]) -> View:
    last = offs[-1]
    confirmed = "by its supply alone" if last.by_supply else "confirmed"
    return {
        "count": str(len(offs)),
        "by": last.by,
        "confirmed": confirmed if last.confirmed else "NOT CONFIRMED",
        "device_off": clean(last.device_off or DASH, 400),
        "path_open": clean(last.path_open or DASH, 400),
        "reason": clean(last.reason, 700),
    }
