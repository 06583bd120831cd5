"""What the page needs to draw a record that is looked into: bounded in size, whatever its length.

A record is kept as the least and the largest sample of each of at most 2 000 columns, so that a
single sample over a limit is in what is drawn at any zoom; around its two extremes every sample is
kept besides. Where someone looks finer than that, the page names the file that has all samples.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hil_reports.plot import Closeup, Envelope, Marks, beyond
from hil_reports.text import clean, scale, signed

View: TypeAlias = dict[str, Any]

EVENTS = 60
"""Most events that are drawn over a record."""


def wave(found: Envelope, marks: Marks, stored: Mapping[str, Any], title: str) -> View:
    """What is drawn over a record, in the unit in which the record is shown.

    Args:
        found: the record.
        marks: limits, events and windows.
        stored: the capture, as its record names it.
        title: for who does not see the drawing.

    Returns:
        What JSON carries; `capture` names the samples, as `samples_of` gives them.
    """
    factor, unit = _scale(found)
    limits = [
        {
            "name": f"{name} limit {signed(f'{level * factor:.6g}')} {unit}",
            "level": level * factor,
            "above": name == "upper",
        }
        for name, level in (("upper", marks.upper), ("lower", marks.lower))
        if level is not None
    ]
    return {
        "capture": stored["sha256"][:12],
        "title": clean(title, 200),
        "limits": limits,
        "windows": [list(window) for window in marks.windows] if limits else [],
        "events": [
            [clean(name, 60), time]
            for name, time in marks.events
            if found.span[0] <= time <= found.span[1]
        ][:EVENTS],
        "bad": _bad(found, marks),
    }


def samples_of(found: Envelope, stored: Mapping[str, Any]) -> View:
    """The samples of a record as the page keeps them: its columns, and all around its extremes."""
    factor, unit = _scale(found)
    begin, end = found.span
    columns = len(found.time)
    each = found.count == columns
    whole = {
        "first": 0,
        "count": found.count,
        "columns": columns,
        "low": _packed(found.low * factor),
        "high": "" if each else _packed(found.high * factor),
    }
    return {
        "file": f"data/captures/{stored['dataset']}.h5",
        "begin": begin,
        "interval": (end - begin) / max(found.count, 1),
        "count": found.count,
        "unit": unit,
        "extremes": [found.least[0], found.largest[0]],
        "levels": [whole, *(_level(one, factor) for one in found.closeups if not each)],
    }


def _bad(found: Envelope, marks: Marks) -> dict[str, list[list[int]]]:
    """Columns beyond a limit while it holds, as the first and last of each row of them."""
    columns: dict[str, list[int]] = {"above": [], "below": []}
    for time, value in beyond(found, marks):
        above = marks.upper is not None and value > marks.upper
        place = int(np.searchsorted(found.time, time))
        columns["above" if above else "below"].append(place)
    return {side: _rows(places) for side, places in columns.items()}


def _rows(places: list[int]) -> list[list[int]]:
    rows: list[list[int]] = []
    for place in places:
        if rows and place == rows[-1][1] + 1:
            rows[-1][1] = place
        else:
            rows.append([place, place])
    return rows


def _level(found: Closeup, factor: float) -> View:
    count = len(found.samples)
    low = _packed(found.samples * factor)
    return {"first": found.first, "count": count, "columns": count, "low": low, "high": ""}


def _scale(found: Envelope) -> tuple[float, str]:
    shown = scale(found.unit, [Decimal(repr(each[1])) for each in (found.least, found.largest)])
    return float(shown.factor), shown.unit


def _packed(values: npt.NDArray[np.float64]) -> str:
    """Base64 of little-endian float32: seven digits, half a million times finer than a pixel."""
    return base64.b64encode(values.astype("<f4").tobytes()).decode()
