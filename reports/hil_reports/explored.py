"""What the reports show of properties: examples, ranges, worst cases, and a scatter of the points.

Read from the journal alone: a property that passes leaves this as its evidence.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeAlias
from xml.sax.saxutils import escape, quoteattr

from hil.bodies import PropertyBody, RangeBody, WorstBody
from hil_reports.text import clean, decimal, scale, signed

View: TypeAlias = dict[str, Any]

_WIDTH, _HEIGHT = 300, 150
_LEFT, _RIGHT, _TOP, _BOTTOM = 14, 14, 12, 30
_INK, _POINT, _FRAME = "#3c434b", "#1d4e89", "#d5d9de"
_MORE = 3.0
"""From this ratio of largest to smallest on, an axis is logarithmic."""
_LONGEST = 700


def properties_view(
    bodies: Iterable[PropertyBody], recorded: Mapping[str, tuple[int, int]]
) -> list[View]:
    """Lay out each property that ran.

    Args:
        bodies: what each has shown.
        recorded: test to the number of treatments that it recorded, and how many are judged.
    """
    return [_property(body, *recorded.get(body["test"], (0, 0))) for body in bodies]


def _property(body: PropertyBody, recorded: int, judged: int) -> View:
    covered = body["covered"]
    failed = bool(body["failed"])
    lines = [f"{covered['examples']} of {body['asked']} examples, seed {body['seed']}"]
    if body["shrinking"]:
        lines.append(f"{body['shrinking']} more in search of a smaller one that does not pass")
    if back := body.get("given_back", 0):
        lines.append(f"{back} broken off while they were drawn")
    lines.append(f"{recorded} treatments recorded, {judged} of them judged")
    return {
        "test": clean(body["test"], 400),
        "word": "did not pass" if failed else "passed",
        "tone": "fail" if failed else "pass",
        "line": "; ".join(lines),
        "failed": clean(body["failed"], _LONGEST),
        "scenario": clean(body["scenario"], 200),
        "lack": clean(body["lack"], 300),
        "ranges": [_range(each) for each in covered["ranges"]],
        "words": [
            f"{clean(name, 120)}: "
            + ", ".join(f"{clean(word, 80)} {count}" for word, count in counts.items())
            for name, counts in covered["words"].items()
        ],
        "worst": [_worst(each) for each in covered["worst"]],
        "plot": _scatter(covered["ranges"], covered["points"]),
    }


def _range(body: RangeBody) -> View:
    low, high = (Decimal(repr(body[end])) for end in ("least", "most"))
    unit = scale(body["unit"], [low, high])
    return {
        "name": clean(body["name"], 120),
        "count": str(body["count"]),
        "least": unit.text(low),
        "most": unit.text(high),
    }


def _worst(body: WorstBody) -> View:
    margin = decimal(body["margin"])
    if margin is None or not margin.is_finite():
        shown = clean(body["margin"], 60)
    else:
        step = Decimal(1).scaleb(margin.adjusted() - 2) if margin else None
        shown = scale(body["unit"], [margin]).text(margin, step)
    return {
        "requirement": clean(body["requirement"], 120),
        "margin": shown,
        "example": clean(body["example"], _LONGEST),
    }


def _scatter(ranges: Sequence[RangeBody], points: Sequence[Sequence[float | None]]) -> View:
    """The first two quantities that vary, one against the other, a dot for each example."""
    varied = [n for n, each in enumerate(ranges) if each["least"] < each["most"]]
    if len(varied) < 2:
        return {"svg": "", "caption": ""}
    across, up = (_Axis(ranges[n]) for n in varied[:2])
    rows = [[row[n] if n < len(row) else None for n in varied[:2]] for row in points]
    pairs = [(x, y) for x, y in rows if x is not None and y is not None]
    wide, high = _WIDTH - _LEFT - _RIGHT, _HEIGHT - _TOP - _BOTTOM
    dots = [
        f'<circle cx="{_LEFT + wide * across.share(x):.1f}" '
        f'cy="{_TOP + high * (1 - up.share(y)):.1f}" r="2.6" fill="{_POINT}" fill-opacity="0.6"/>'
        for x, y in pairs
    ]
    caption = f"{up.told} against {across.told}: {len(pairs)} examples."
    said = quoteattr(caption)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
        f'aria-label={said} font-family="sans-serif" font-size="9" fill="{_INK}">',
        f'<rect x="{_LEFT - 6}" y="{_TOP - 6}" width="{wide + 12}" height="{high + 12}" '
        f'fill="none" stroke="{_FRAME}"/>',
        *dots,
        f'<text x="{_LEFT - 6}" y="{_HEIGHT - 14}">across: {escape(across.told)}</text>',
        f'<text x="{_LEFT - 6}" y="{_HEIGHT - 3}">up: {escape(up.told)}</text>',
        "</svg>",
    ]
    return {"svg": "".join(parts), "caption": caption}


class _Axis:
    """One quantity of a scatter, from its least to its largest value."""

    def __init__(self, body: RangeBody) -> None:
        shown = _range(body)
        self._low, self._high = body["least"], body["most"]
        self._ratios = self._low > 0 and self._high / self._low >= _MORE
        kind = ", logarithmic" if self._ratios else ""
        self.told = f"{shown['name']} {signed(shown['least'])} to {signed(shown['most'])}{kind}"

    def share(self, value: float) -> float:
        """Where a value lies, 0 to 1."""
        value = min(max(value, self._low), self._high)
        if self._ratios:
            return math.log(value / self._low) / math.log(self._high / self._low)
        return (value - self._low) / (self._high - self._low)
