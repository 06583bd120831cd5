"""Plots of captures: the min/max envelope of every sample, as SVG.

Each column shows the least and the largest sample that falls into it, so that a single sample over
a limit is seen at any width (LTTB and every-nth drawing lose it). Columns beyond a limit are marked
once more; the true extremes are named in the caption. Nothing is judged here.
"""

from __future__ import annotations

import math
import re
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
_LINE = 12  # from one line of labels to the next
_LETTER = 6.8  # a letter of a label is at most this wide on average, on paper and on the page
_ROWS = 8  # of labels of events; one that finds no room has its mark alone
_NUMBERED = re.compile(r"(.*?)(?: #(\d+))?")


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
    above, rows = _above(frame, marks)
    return _svg(
        title,
        [
            *_axes(frame, _BENCH_TIME),
            *_events(frame, marks.events),
            *_trace(frame, found),
            *_limits(frame, marks),
            *_violations(frame, found, marks),
            *above,
        ],
        rows,
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
    labels, rows = _above(frame, marks)
    return _svg(
        title,
        [
            *_axes(frame, f"time from {origin} in s"),
            *_events(frame, marks.events),
            *_trace(frame, below, "before"),
            *_trace(frame, above),
            *_limits(frame, marks),
            *_violations(frame, above, marks),
            *labels,
            _legend(before.name, after.name),
        ],
        rows,
    )


def _svg(title: str, parts: Iterable[str], rows: int) -> str:
    """Parts as one drawing, with room above the plot for so many lines of labels."""
    more = max(_LINE * (rows - 1) + 16 - _TOP + 6, 0)
    high = _HEIGHT + more
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {-more} {_WIDTH} {high}" '
            f'width="{_WIDTH}" height="{high}" role="img" '
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
    for _, time in _inside(frame, events):
        line = f"M{frame.x(time)} {_TOP - 4}V{_HEIGHT - _BOTTOM}"
        yield f'<path class="event" d="{line}" stroke="{_INK}" stroke-dasharray="1 3"/>'


def _inside(frame: _Frame, events: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    found = [event for event in events if frame.left <= event[1] <= frame.right]
    return sorted(found, key=lambda event: event[1])


def _above(frame: _Frame, marks: Marks) -> tuple[list[str], int]:
    """Labels above the plot, where none lies over a line: events, limits on top; and their rows.

    An event's label begins at its mark, or ends there where it would leave the paper.
    """
    found = []
    rows: list[list[tuple[float, float]]] = []
    for name, x in reversed(_named(frame, _inside(frame, marks.events))):
        wide = _wide(name)
        right = x + 3 + wide > _WIDTH
        begin, end = (x - 3 - wide, x - 3) if right else (x + 3, x + 3 + wide)
        free = (n for n, row in enumerate(rows) if all(end < a or b < begin for a, b in row))
        place = next(free, len(rows))
        if place == _ROWS:
            continue
        rows += [[] for _ in range(place + 1 - len(rows))]
        rows[place].append((begin - 6, end + 6))
        at = end if right else begin
        found.append(_label(at, _row(place), name, "end" if right else "start"))
    if told := "; ".join(_limit_names(frame, marks)):
        found.append(_label(_WIDTH - _RIGHT, _row(len(rows)), told, "end", "limit"))
    return found, len(rows) + bool(told)


def _row(place: int) -> float:
    return _TOP - 6 - _LINE * place


def _wide(text: str) -> float:
    return _LETTER * len(clean(text, 60))


def _named(frame: _Frame, events: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """Labels with their places; a close run of one event, as "step #1" to "step #9", has one."""
    found: list[tuple[str, float]] = []
    run = ("", 0, 0, 0.0)  # base, first and last number, place of the last one's mark
    for name, time in events:
        match, x = _NUMBERED.fullmatch(name), frame.x(time)
        base, number = (match[1], int(match[2] or 1)) if match else (name, 1)
        close = x < run[3] + 3 + _wide(name)
        if found and close and (base, number) == (run[0], run[2] + 1):
            run = (base, run[1], number, x)
            found[-1] = (f"{base} #{run[1]} to #{number}", found[-1][1])
        else:
            run = (base, number, number, x)
            found.append((name, x))
    return found


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
    for level in (marks.upper, marks.lower):
        if level is None or not frame.bottom <= level * frame.factor <= frame.top:
            continue
        y = frame.y(level)
        for begin, end in marks.windows or [(frame.left, frame.right)]:
            yield (
                f'<path class="limit" d="M{frame.x(begin)} {y}H{frame.x(end)}" stroke="{_LIMIT}" '
                'stroke-width="1.2" stroke-dasharray="7 4"/>'
            )


def _limit_names(frame: _Frame, marks: Marks) -> Iterable[str]:
    for name, level in (("upper limit", marks.upper), ("lower limit", marks.lower)):
        if level is None:
            continue
        shown = f"{name} {signed(f'{level * frame.factor:.6g}')} {frame.unit}"
        if level * frame.factor > frame.top:
            yield f"{shown} lies above this plot"
        elif level * frame.factor < frame.bottom:
            yield f"{shown} lies below this plot"
        else:
            yield shown


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
        f"{escape(clean(text, 60 if kind == 'ink' else 160))}</text>"
    )


def ticks(low: float, high: float) -> list[float]:
    """Four to eight round figures within a range."""
    raw = (high - low) / 6
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]
