"""Charts for the documentation: several traces over one time axis, panels below each other, as SVG.

`hil_reports.plot` draws one capture with its limits, for a report. A documentation page lays a
faulty course over a healthy one, or one solver over another, which needs more than one trace.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
INK, GRID, LIMIT = "#3c434b", "#e1e4e8", "#8a5a00"
MICRO = "\N{MICRO SIGN}"
BLUE, RED, PALE, GREEN = "#1d4e89", "#b3261e", "#f0a868", "#2e7d4f"
_WIDTH, _LEFT, _RIGHT = 760, 62, 16
_HEAD, _GAP, _FOOT = 56, 34, 38
_COLUMNS = 640
_MARK_WIDTH = 100


@dataclass(frozen=True)
class Trace:
    """One curve."""

    name: str
    """For the legend; empty for none."""
    x: Array
    y: Array
    colour: str = BLUE
    width: float = 1.5
    dots: bool = False
    """Single points in place of a line."""


@dataclass(frozen=True)
class Panel:
    """One vertical axis."""

    title: str
    """Quantity and unit."""
    traces: Sequence[Trace]
    limits: Sequence[tuple[str, float]] = ()
    """Text and level."""
    marks: Sequence[tuple[str, float]] = ()
    """Text and time of events."""
    low: float | None = None
    high: float | None = None
    logarithmic: bool = False
    height: int = 170


@dataclass(frozen=True)
class Frame:
    """Where data of one panel land on the paper."""

    left: float
    right: float
    low: float
    high: float
    top: float
    height: float
    logarithmic: bool

    def x(self, time: Array) -> Array:
        """Places of times."""
        share = (np.asarray(time) - self.left) / (self.right - self.left)
        return np.round(_LEFT + share * (_WIDTH - _LEFT - _RIGHT), 1)

    def y(self, value: Array) -> Array:
        """Places of values, kept inside the panel."""
        low, high = self.low, self.high
        value = np.clip(np.asarray(value), low, high)
        if self.logarithmic:
            value, low, high = np.log10(value), math.log10(low), math.log10(high)
        return np.round(self.top + self.height * (high - value) / (high - low), 1)

    @property
    def foot(self) -> float:
        """Place of the lower edge."""
        return self.top + self.height


@dataclass(frozen=True)
class Chart:
    """Panels over one time axis."""

    title: str
    panels: Sequence[Panel]
    begin: float
    end: float
    axis: str = "time in s"
    note: str = field(default="SIMULATED")

    def svg(self) -> str:
        """Draw as a stand-alone SVG."""
        height = _HEAD + sum(p.height + _GAP for p in self.panels) - _GAP + _FOOT
        parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
            f'width="{_WIDTH}" height="{height}" role="img" '
            f'aria-label="{escape(self.title)}" font-family="Helvetica, Arial, sans-serif" '
            'font-size="12">',
            f'<rect width="{_WIDTH}" height="{height}" fill="#fff"/>',
            _text(_LEFT, 18, self.title, size=13, weight="bold"),
            _text(_WIDTH - _RIGHT, 18, self.note, "end", RED, weight="bold"),
            *self._legend(),
        ]
        top = float(_HEAD)
        for place, panel in enumerate(self.panels):
            frame = self._frame(panel, top)
            parts += _panel(panel, frame, labelled=place == len(self.panels) - 1)
            top += panel.height + _GAP
        parts += [_text(_WIDTH - _RIGHT, height - 6, self.axis, "end"), "</svg>\n"]
        return "\n".join(parts)

    def _frame(self, panel: Panel, top: float) -> Frame:
        shown = [trace.y[(trace.x >= self.begin) & (trace.x <= self.end)] for trace in panel.traces]
        values = np.concatenate([*shown, [level for _, level in panel.limits]])
        low, high = float(values.min()), float(values.max())
        room = 0.08 * ((high - low) or 1.0)
        low = panel.low if panel.low is not None else low - room
        high = panel.high if panel.high is not None else high + room
        return Frame(self.begin, self.end, low, high, top, panel.height, panel.logarithmic)

    def _legend(self) -> Iterable[str]:
        seen: dict[str, Trace] = {}
        for panel in self.panels:
            for trace in panel.traces:
                seen.setdefault(trace.name, trace)
        x = float(_LEFT)
        for name, trace in seen.items():
            if not name:
                continue
            if trace.dots:
                yield f'<circle cx="{x + 9}" cy="31" r="2.6" fill="{trace.colour}"/>'
            else:
                yield (
                    f'<path d="M{x} 31h18" stroke="{trace.colour}" stroke-width="{trace.width}"/>'
                )
            yield _text(x + 23, 35, name)
            x += 23 + 6.4 * len(name) + 18


def _panel(panel: Panel, frame: Frame, *, labelled: bool) -> Iterable[str]:
    yield from _axes(panel, frame, labelled=labelled)
    for trace in panel.traces:
        yield _dots(trace, frame) if trace.dots else _line(trace, frame)
    for text, level in panel.limits:
        y = float(frame.y(np.array(level)))
        yield (
            f'<path d="M{_LEFT} {y}H{_WIDTH - _RIGHT}" stroke="{LIMIT}" stroke-dasharray="7 4"/>'
        )
        yield _text(_WIDTH - _RIGHT - 4, y - 4, text, "end", LIMIT)
    row, before = 0, -math.inf
    for text, time in panel.marks:
        x = float(frame.x(np.array(time)))
        line = f"M{x} {frame.top}V{frame.foot}"
        yield f'<path d="{line}" stroke="{INK}" stroke-dasharray="1 3"/>'
        row = row + 1 if x - before < _MARK_WIDTH else 0
        before, late = x, x > _WIDTH * 0.78
        place = x + (-4 if late else 4)
        yield _text(place, frame.top + 12 + 13 * row, text, "end" if late else "start")


def _axes(panel: Panel, frame: Frame, *, labelled: bool) -> Iterable[str]:
    for value in _levels(frame):
        y = float(frame.y(np.array(value)))
        yield f'<path d="M{_LEFT} {y}H{_WIDTH - _RIGHT}" stroke="{GRID}"/>'
        yield _text(_LEFT - 7, y + 4, _figure(value), "end")
    for time in _ticks(frame.left, frame.right, 8):
        x = float(frame.x(np.array(time)))
        yield f'<path d="M{x} {frame.foot}v4" stroke="{INK}"/>'
        if labelled:
            yield _text(x, frame.foot + 17, _figure(time), "middle")
    corner = f"M{_LEFT} {frame.top}V{frame.foot}H{_WIDTH - _RIGHT}"
    yield f'<path d="{corner}" fill="none" stroke="{INK}"/>'
    yield _text(8, frame.top - 7, panel.title)


def _levels(frame: Frame) -> list[float]:
    if not frame.logarithmic:
        return _ticks(frame.low, frame.high, 5)
    first, last = math.ceil(math.log10(frame.low)), math.floor(math.log10(frame.high))
    return [10.0**power for power in range(first, last + 1)]


def _ticks(low: float, high: float, count: int) -> list[float]:
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    places = range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)
    return [round(place * step, 12) for place in places]


def _figure(value: float) -> str:
    return f"{value:g}".replace("-", "\N{MINUS SIGN}")


def _line(trace: Trace, frame: Frame) -> str:
    inside = (trace.x >= frame.left) & (trace.x <= frame.right)
    x, y = frame.x(trace.x[inside]), frame.y(trace.y[inside])
    kept = _kept(x, y)
    points = [f"{_short(a)} {_short(b)}" for a, b in zip(x[kept], y[kept], strict=True)]
    return (
        f'<path d="M{"L".join(points)}" fill="none" stroke="{trace.colour}" '
        f'stroke-width="{trace.width}" stroke-linejoin="round"/>'
    )


def _kept(x: Array, y: Array) -> npt.NDArray[np.intp]:
    """Places of the points that a line needs: first, least, largest and last of each column."""
    columns = np.floor((x - _LEFT) * _COLUMNS / (_WIDTH - _LEFT - _RIGHT))
    edges = np.flatnonzero(np.diff(columns, prepend=-1.0))
    found = set()
    for begin, end in zip(edges, [*edges[1:], len(x)], strict=True):
        part = y[begin:end]
        found |= {begin, begin + int(part.argmin()), begin + int(part.argmax()), end - 1}
    places = np.array(sorted(found))
    flat = np.zeros(len(places), dtype=bool)
    flat[1:-1] = (y[places][1:-1] == y[places][:-2]) & (y[places][1:-1] == y[places][2:])
    kept: npt.NDArray[np.intp] = places[~flat]
    return kept


def _dots(trace: Trace, frame: Frame) -> str:
    inside = (trace.x >= frame.left) & (trace.x <= frame.right)
    places = zip(frame.x(trace.x[inside]), frame.y(trace.y[inside]), strict=True)
    circles = "".join(f'<circle cx="{_short(x)}" cy="{_short(y)}" r="2.3"/>' for x, y in places)
    return f'<g fill="{trace.colour}">{circles}</g>'


def _short(place: float) -> str:
    return f"{place:.1f}".removesuffix(".0")


def _text(
    x: float,
    y: float,
    text: str,
    anchor: str = "start",
    colour: str = INK,
    size: int = 12,
    weight: str = "normal",
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" '
        f'font-size="{size}" font-weight="{weight}">{escape(text)}</text>'
    )
