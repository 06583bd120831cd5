"""Plots of captures: the min/max envelope of every sample, as SVG.

Each column shows the least and the largest sample that falls into it, so that a single sample over
a limit is seen at any width (LTTB and every-nth drawing lose it). Columns beyond a limit are marked
once more; the true extremes are named in the caption. Nothing is judged here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import numpy.typing as npt

from hil.capture import Capture, Samples
from hil_reports.text import clean, scale, signed

COLUMNS = 500
"""Of a drawing on paper."""
FINE = 2000
"""Most columns of an envelope that is kept, from which a drawing is made."""
CLOSE = 600
"""Samples that are kept around an extreme of a record of more than `FINE` samples."""
_BLOCK = 1 << 20  # samples looked at together
_WIDTH, _HEIGHT = 680, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 30, 40
_LIMIT, _BAD, _TRACE, _GRID, _INK = "#8a5a00", "#b3261e", "#1d4e89", "#d5d9de", "#3c434b"
_BEFORE = "#b07a9e"
_BENCH_TIME = "bench time in s"


@dataclass(frozen=True)
class Closeup:
    """Every sample of a short stretch of a capture."""

    first: int
    """Place of its first sample in the capture."""
    samples: Samples
    """In SI; NaN where they were lost or in overload."""


@dataclass(frozen=True)
class Envelope:
    """A capture reduced to columns."""

    time: Samples
    """Bench time of the left edge of each column, in s."""
    low: Samples
    """Least finite sample of each column; NaN where there is none."""
    high: Samples
    """Largest finite sample of each column; NaN where there is none."""
    span: tuple[float, float]
    """Bench time of the first and of the last sample's end, in s."""
    least: tuple[float, float]
    """(time, value) of the least finite sample; NaN if there is none."""
    largest: tuple[float, float]
    """(time, value) of the largest finite sample; NaN if there is none."""
    count: int
    """Samples in all."""
    lost: int
    """Samples that were lost (NaN)."""
    overloads: int
    """Samples at which the instrument reported overload (infinite)."""
    unit: str
    """SI unit of the samples."""
    closeups: tuple[Closeup, ...] = ()
    """All samples around the least and around the largest."""


def envelope(capture: Capture, columns: int = FINE) -> Envelope:
    """Reduce a capture to at most `columns` columns without losing an extreme.

    One pass, block by block: a capture of any length needs little memory beside its own.
    """
    samples, count = capture.samples, len(capture.samples)
    edges = column_edges(count, columns)
    low, high = np.full(len(edges), math.nan), np.full(len(edges), math.nan)
    lost = overloads = 0
    step = max(_BLOCK * len(edges) // max(count, 1), 1)
    for first in range(0, len(edges), step):
        own = edges[first : first + step]
        end = int(edges[first + step]) if first + step < len(edges) else count
        block = samples[own[0] : end]
        lost += int(np.isnan(block).sum())
        if found := int(np.isinf(block).sum()):
            overloads += found
            block = np.where(np.isinf(block), math.nan, block)
        low[first : first + step] = np.fmin.reduceat(block, own - own[0])
        high[first : first + step] = np.fmax.reduceat(block, own - own[0])
    unit, span = capture.dimension.value, (capture.start, capture.end)
    if count == lost + overloads:
        empty, nothing = np.array([], dtype=np.float64), (math.nan, math.nan)
        return Envelope(empty, empty, empty, span, nothing, nothing, count, lost, overloads, unit)

    def where(column: int, value: float) -> int:
        end = edges[column + 1] if column + 1 < len(edges) else count
        return int(edges[column] + np.argmax(samples[edges[column] : end] == value))

    least, largest = int(np.nanargmin(low)), int(np.nanargmax(high))
    places = where(least, low[least]), where(largest, high[largest])
    times = [capture.start + place * capture.interval for place in places]
    return Envelope(
        np.asarray(capture.start + edges * capture.interval, dtype=np.float64),
        low,
        high,
        span,
        (times[0], float(low[least])),
        (times[1], float(high[largest])),
        count,
        lost,
        overloads,
        unit,
        tuple(_closeup(samples, place) for place in places),
    )


def _closeup(samples: Samples, place: int) -> Closeup:
    first = max(min(place - CLOSE // 2, len(samples) - CLOSE), 0)
    own = samples[first : first + CLOSE]
    return Closeup(first, np.where(np.isinf(own), math.nan, own))


def column_edges(count: int, columns: int) -> npt.NDArray[np.int64]:
    """Place of the first of those that each column holds, of `count` in all."""
    columns = min(columns, count)
    return np.arange(columns, dtype=np.int64) * count // max(columns, 1)


def coarser(found: Envelope, columns: int = COLUMNS) -> Envelope:
    """The same envelope in fewer columns; no extreme is lost."""
    if len(found.time) <= columns:
        return found
    edges = column_edges(len(found.time), columns)
    low, high = np.fmin.reduceat(found.low, edges), np.fmax.reduceat(found.high, edges)
    return replace(found, time=found.time[edges], low=low, high=high)


@dataclass(frozen=True, slots=True)
class Marks:
    """What is drawn over the trace."""

    lower: float | None = None
    """Lower tolerance limit in SI, if it is one of the plotted quantity."""
    upper: float | None = None
    """Upper tolerance limit in SI, if it is one of the plotted quantity."""
    events: Sequence[tuple[str, float]] = ()
    """Name and bench time of events."""
    windows: Sequence[tuple[float, float]] = ()
    """Bench times between which the limits hold; empty where they hold throughout."""
    each: bool = True
    """Whether every sample must keep the limits; a mean may keep them where a sample does not."""
    failed: bool = False
    """Whether a limit was broken: a column that lies partly in a window is then marked too."""

    def moved(self, origin: float) -> Marks:
        """The same with times that count from an origin."""
        events = [(name, time - origin) for name, time in self.events]
        windows = [(begin - origin, end - origin) for begin, end in self.windows]
        return replace(self, events=events, windows=windows)


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where data land on the paper."""

    left: float
    right: float
    bottom: float
    top: float
    factor: float
    unit: str

    def x(self, time: float) -> float:
        return self.xs(np.array([time]))[0]

    def y(self, value: float) -> float:
        """Place of a value in SI."""
        return self.ys(np.array([value]))[0]

    def xs(self, times: Samples) -> list[float]:
        """Places of times, those beyond the paper at its edge."""
        share = (np.clip(times, self.left, self.right) - self.left) / (self.right - self.left)
        return _placed(_LEFT + share * (_WIDTH - _LEFT - _RIGHT))

    def ys(self, values: Samples) -> list[float]:
        """Places of values in SI."""
        share = (values * self.factor - self.bottom) / (self.top - self.bottom)
        return _placed(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM))


def _placed(places: Samples) -> list[float]:
    found: list[float] = np.round(places, 1).tolist()
    return found


def draw(found: Envelope, marks: Marks, title: str) -> str:
    """Draw an envelope as a stand-alone SVG; all text in it is escaped. Empty without a sample."""
    if not len(found.time):
        return ""
    found = coarser(found)
    frame = _frame([found], marks)
    return _svg(
        title,
        [
            *_axes(frame, _BENCH_TIME),
            *_events(frame, marks.events),
            *_trace(frame, found),
            *_limits(frame, marks),
            *_violations(frame, found, marks),
        ],
    )


@dataclass(frozen=True, slots=True)
class Trace:
    """One of two captures that are drawn over each other."""

    name: str
    """As the legend tells it."""
    found: Envelope
    origin: float
    """Bench time in s that is drawn as 0."""

    @property
    def moved(self) -> Envelope:
        """The envelope as it is drawn, its times counted from the origin."""
        found = coarser(self.found)
        begin, end = found.span
        span = (begin - self.origin, end - self.origin)
        return replace(found, time=found.time - self.origin, span=span)


def overlay(before: Trace, after: Trace, marks: Marks, title: str, origin: str) -> str:
    """Draw two envelopes over each other as one stand-alone SVG; all text in it is escaped.

    Args:
        before: drawn below.
        after: drawn above it; where it breaks a limit is marked.
        marks: limits, and events with their times from the origin.
        title: for who does not see the plot.
        origin: what 0 of the time axis is.

    Returns:
        The SVG; empty if one of them has no sample, or their units differ.
    """
    below, above = before.moved, after.moved
    if not len(below.time) or not len(above.time) or below.unit != above.unit:
        return ""
    frame = _frame([below, above], marks)
    return _svg(
        title,
        [
            *_axes(frame, f"time from {origin} in s"),
            *_events(frame, marks.events),
            *_trace(frame, below, "before"),
            *_trace(frame, above),
            *_limits(frame, marks),
            *_violations(frame, above, marks),
            _legend(before.name, after.name),
        ],
    )


def _svg(title: str, parts: Iterable[str]) -> str:
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
            f'width="{_WIDTH}" height="{_HEIGHT}" role="img" '
            f"aria-label={quoteattr(clean(title, 200))} "
            'font-family="Libertinus Serif, system-ui, sans-serif" font-size="12">',
            *parts,
            "</svg>",
        ]
    )


def _legend(before: str, after: str) -> str:
    foot = _HEIGHT - 10
    return (
        f'<path class="before" d="M{_LEFT} {foot}h18" stroke="{_BEFORE}" stroke-width="2.2"/>'
        + _label(_LEFT + 23, foot + 4, f"A {before}", "start")
        + f'<path class="trace" d="M{_LEFT + 215} {foot}h18" stroke="{_TRACE}" stroke-width="2"/>'
        + _label(_LEFT + 238, foot + 4, f"B {after}", "start")
    )


def _frame(found: Sequence[Envelope], marks: Marks) -> _Frame:
    extremes = (
        min(each.least[1] for each in found),
        max(each.largest[1] for each in found),
    )
    shown = scale(found[0].unit, [Decimal(repr(value)) for value in extremes])
    factor = float(shown.factor)
    low, high = (value * factor for value in extremes)
    spread = max(high - min(low, 0.0), max(high, 0.0) - low, 1e-12)
    levels = [level * factor for level in (marks.lower, marks.upper) if level is not None]
    near = [level for level in levels if low - spread <= level <= high + spread]
    bottom, top = min([low, 0.0, *near]), max([high, 0.0, *near])
    room = 0.08 * (top - bottom) or 1.0
    left, right = min(each.span[0] for each in found), max(each.span[1] for each in found)
    return _Frame(
        left,
        right if right > left else left + 1.0,
        bottom - room if bottom < 0 else 0.0,
        top + room,
        factor,
        shown.unit,
    )


def _axes(frame: _Frame, along: str) -> Iterable[str]:
    foot = _HEIGHT - _BOTTOM
    for value in ticks(frame.bottom, frame.top):
        y = frame.y(value / frame.factor)
        yield f'<path class="grid" d="M{_LEFT} {y}H{_WIDTH - _RIGHT}" stroke="{_GRID}"/>'
        yield _label(_LEFT - 6, y + 4, signed(f"{value:g}"), "end")
    for time in ticks(frame.left, frame.right):
        x = frame.x(time)
        yield f'<path class="axis" d="M{x} {foot}v4" stroke="{_INK}"/>'
        yield _label(x, foot + 17, signed(f"{time:g}"), "middle")
    corner = f"M{_LEFT} {_TOP}V{foot}H{_WIDTH - _RIGHT}"
    yield f'<path class="axis" d="{corner}" fill="none" stroke="{_INK}"/>'
    yield _label(6, _TOP - 14, frame.unit, "start")
    yield _label(_WIDTH - _RIGHT, _HEIGHT - 6, along, "end")


def _events(frame: _Frame, events: Sequence[tuple[str, float]]) -> Iterable[str]:
    inside = [event for event in events if frame.left <= event[1] <= frame.right][:12]
    for place, (name, time) in enumerate(inside):
        x = frame.x(time)
        foot = _HEIGHT - _BOTTOM
        line = f"M{x} {_TOP - 4}V{foot}"
        yield f'<path class="event" d="{line}" stroke="{_INK}" stroke-dasharray="1 3"/>'
        anchor = "end" if x > _WIDTH * 0.8 else "start"
        yield _label(
            x + (3 if anchor == "start" else -3), _TOP - 4 + 12 * (place % 3), name, anchor
        )


def _trace(frame: _Frame, found: Envelope, kind: str = "trace") -> Iterable[str]:
    edges = np.append(found.time, found.span[1])
    across = frame.xs((edges[:-1] + edges[1:]) / 2)
    columns = zip(across, frame.ys(found.low), frame.ys(found.high), strict=True)
    path = []
    pen = dot = False
    for x, first, second in columns:
        if math.isnan(first):
            if dot:
                path.append("h1")
            pen = dot = False  # a gap stays a gap
            continue
        path.append(f"{'L' if pen else 'M'}{x} {first}" + (f"V{second}" if second != first else ""))
        pen, dot = True, first == second
    colour, width = (_TRACE, 1.4) if kind == "trace" else (_BEFORE, 2.2)
    yield (
        f'<path class="{kind}" d="{"".join(path)}" fill="none" stroke="{colour}" '
        f'stroke-width="{width}" stroke-linejoin="round" stroke-linecap="round"/>'
    )


def _limits(frame: _Frame, marks: Marks) -> Iterable[str]:
    for name, level in (("upper limit", marks.upper), ("lower limit", marks.lower)):
        if level is None:
            continue
        shown = f"{name} {signed(f'{level * frame.factor:.6g}')} {frame.unit}"
        if not frame.bottom <= level * frame.factor <= frame.top:
            beyond = "above" if level * frame.factor > frame.top else "below"
            yield _label(_WIDTH - _RIGHT, 12, f"{shown} lies {beyond} this plot", "end", "limit")
            continue
        y = frame.y(level)
        for begin, end in marks.windows or [(frame.left, frame.right)]:
            yield (
                f'<path class="limit" d="M{frame.x(begin)} {y}H{frame.x(end)}" stroke="{_LIMIT}" '
                'stroke-width="1.2" stroke-dasharray="7 4"/>'
            )
        beside = y + 13 if name == "lower limit" else y - 5
        yield _label(_WIDTH - _RIGHT - 4, beside, shown, "end", "limit")


def _violations(frame: _Frame, found: Envelope, marks: Marks) -> Iterable[str]:
    for time, value in beyond(found, marks):
        x, y = frame.x(time), frame.y(value)
        cross = f"M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6"
        yield f'<path class="bad" d="{cross}" stroke="{_BAD}" stroke-width="1.3"/>'


def beyond(found: Envelope, marks: Marks) -> list[tuple[float, float]]:
    """Time and value of what lies beyond a limit while it holds.

    Of a mean nothing does, unless it broke its limit. Counted are columns that lie within a window;
    only where a limit was broken and none of those shows it, those at its edges too.
    """
    if not (marks.each or marks.failed):
        return []
    columns = np.flatnonzero(_outside(found, marks))
    begins, ends = found.time[columns], np.append(found.time, found.span[1])[columns + 1]
    rows = (begins, ends, found.high[columns], found.low[columns])
    whole: list[tuple[float, float]] = []
    partly: list[tuple[float, float]] = []
    for left, right, high, low in zip(*(row.tolist() for row in rows), strict=True):
        bad = [
            (left, value)
            for value, level, sign in ((high, marks.upper, 1), (low, marks.lower, -1))
            if level is not None and sign * (value - level) > 0
        ]
        windows = marks.windows or [found.span]
        if any(begin <= left and right <= end for begin, end in windows):
            whole += bad
        elif any(begin < right and left < end for begin, end in windows):
            partly += bad
    return whole or (partly if marks.failed else [])


def _outside(found: Envelope, marks: Marks) -> npt.NDArray[np.bool_]:
    """Columns of which a part lies beyond a limit, whether it holds then or not."""
    upper = math.inf if marks.upper is None else marks.upper
    lower = -math.inf if marks.lower is None else marks.lower
    return (found.high > upper) | (found.low < lower)


def _label(x: float, y: float, text: str, anchor: str, kind: str = "ink") -> str:
    colour = _LIMIT if kind == "limit" else _INK
    return (
        f'<text class="{kind}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">'
        f"{escape(clean(text, 60))}</text>"
    )


def ticks(low: float, high: float) -> list[float]:
    """Four to eight round figures within a range."""
    raw = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]
