"""A measured quantity over runs, serial numbers and firmware versions, as an SVG plot.

Each run is one point: the value of its worst judgement with its expanded uncertainty, and the
limits that it was judged by, which may differ from run to run. A ring says that there is something
to know of the run itself. Nothing is judged here.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby
from typing import TypeVar
from xml.sax.saxutils import escape, quoteattr

from hil.exact import Dimension
from hil.verdict import ExitCode, Verdict
from hil_reports.evidence.index import RunRow, TrendRow
from hil_reports.plot import ticks
from hil_reports.text import Scale, clean, decimal, scale, signed

_WIDTH, _HEIGHT = 900, 400
_LEFT, _RIGHT, _TOP, _BOTTOM = 70, 16, 64, 92
_INK, _GRID, _LIMIT, _BAR = "#3c434b", "#e3e7eb", "#8a5a00", "#7c8791"
_COLOURS = {
    Verdict.PASS.value: "#1a6b3c",
    Verdict.FAIL.value: "#b3261e",
    Verdict.INCONCLUSIVE.value: "#8a5a00",
}
_OTHER = "#8c1d5b"
_RING = "#1f4e8c"
_JUDGED = {ExitCode.COMPLIES, ExitCode.OTHER_VERDICT}
"""Exit codes of a run that went its way to the end."""
_FENCE = "#b4bcc4"
_SIGN = 6.2  # px that a character of a label takes
_NARROW = 24  # px; a narrower group has no line of its own
_Key = TypeVar("_Key")


@dataclass(frozen=True, slots=True)
class Point:
    """One run; figures in SI, None where there is none."""

    number: int
    """Of the register; 0 if it has none."""
    odd: bool
    """Whether there is something to know of the run."""
    serial: str
    firmware: str
    verdict: str
    value: Decimal | None
    expanded: Decimal | None
    lower: Decimal | None
    upper: Decimal | None


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where a run and a value land on the paper."""

    count: int
    low: float
    high: float
    unit: Scale
    whole: bool
    """Whether only whole numbers mean anything: a count."""

    def x(self, place: float) -> float:
        return _LEFT + (place + 0.5) / self.count * (_WIDTH - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        """Place of a value in the unit shown."""
        share = (value - self.low) / (self.high - self.low)
        return round(_HEIGHT - _BOTTOM - share * (_HEIGHT - _TOP - _BOTTOM), 1)

    def shown(self, value: Decimal) -> float:
        """A figure in SI in the unit shown."""
        return float(value * self.unit.factor)

    def inside(self, value: Decimal) -> bool:
        return self.low <= self.shown(value) <= self.high


def in_order(rows: Iterable[TrendRow]) -> list[TrendRow]:
    """By serial number, then firmware, both as a reader counts, then time."""
    return sorted(
        rows, key=lambda row: (_counted(row.run.serial), _counted(row.run.firmware), row.run.begun)
    )


def remarks(run: RunRow) -> list[str]:
    """What is to be known of a run before its values are compared with those of others."""
    said = [f"faults {run.faults}"] if run.faults else []
    said += ["partial scope"] if run.partial else []
    said += [] if run.complete else ["did not end by itself"]
    if run.code == ExitCode.UNSAFE:
        said.append("SAFE STATE UNCONFIRMED")
    elif run.code not in _JUDGED:
        said.append(f"exit code {run.code}")
    said += [] if run.sealed else ["not sealed"]
    return said


def unit_of(rows: Sequence[TrendRow]) -> Scale:
    """One unit for all figures of a trend."""
    name = next((row.unit for row in rows if row.unit), "")
    figures = [decimal(text) for row in rows for text in (row.value, row.lower, row.upper) if text]
    return scale(name, figures)


def trend_svg(rows: Sequence[TrendRow], title: str) -> str:
    """Draw the runs, in the order in which they are given, as a stand-alone SVG.

    Args:
        rows: at least one; simulated ones are marked as such.
        title: what is drawn; foreign text in it is escaped.
    """
    points = [_point(row) for row in rows]
    frame = _frame(points, unit_of(rows), whole=rows[0].unit == Dimension.COUNT.value)
    simulated = any(row.run.provenance != "HARDWARE" for row in rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" role="img" aria-label={quoteattr(clean(title, 200))} '
        'font-family="system-ui, sans-serif" font-size="12">',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#ffffff"/>',
        _text(_LEFT, 20, title, size=14, weight="bold", longest=110),
        *([_text(_WIDTH - _RIGHT, 20, "SIMULATED", "end", "#b3261e", weight="bold")] * simulated),
        *_axes(frame),
        *_numbers(frame, points),
        *_groups(frame, points),
        *_limits(frame, points),
        *_marks(frame, points),
        *_legend(points),
        "</svg>",
    ]
    return "".join(parts)


def _point(row: TrendRow) -> Point:
    figures = (row.value, row.expanded, row.lower, row.upper)
    found = [decimal(text) if text else None for text in figures]
    value, expanded, lower, upper = (
        figure if figure is not None and figure.is_finite() else None for figure in found
    )
    run = row.run
    return Point(
        run.number, bool(remarks(run)), run.serial, run.firmware, row.verdict,
        value, expanded, lower, upper,
    )  # fmt: skip


def _frame(points: Sequence[Point], unit: Scale, *, whole: bool) -> _Frame:
    """Values with their uncertainty always fit; limits do unless they would flatten the values."""
    ends = [
        point.value + sign * (point.expanded or 0)
        for point in points
        if point.value is not None
        for sign in (-1, 1)
    ]
    limits = [each for p in points for each in (p.lower, p.upper) if each is not None]
    if not ends:
        ends = limits or [Decimal(0)]
    low, high = min(ends), max(ends)
    reach = 6 * max(high - low, abs(high) / 20, abs(low) / 20)
    near = [limit for limit in limits if low - reach <= limit <= high + reach]
    bottom, top = (float(edge([*ends, *near]) * unit.factor) for edge in (min, max))
    room = 0.08 * (top - bottom) or abs(top) or 1.0
    return _Frame(len(points), bottom - room, top + room, unit, whole)


def _axes(frame: _Frame) -> Iterable[str]:
    foot = _HEIGHT - _BOTTOM
    for value in _levels(frame):
        y = frame.y(value)
        yield f'<path d="M{_LEFT} {y}H{_WIDTH - _RIGHT}" stroke="{_GRID}"/>'
        yield _text(_LEFT - 7, y + 4, signed(f"{value:g}"), "end")
    yield f'<path d="M{_LEFT} {_TOP}V{foot}H{_WIDTH - _RIGHT}" fill="none" stroke="{_INK}"/>'
    named = frame.unit.unit and not frame.whole
    yield _text(8, _TOP - 8, f"value in {frame.unit.unit}" if named else "value")


def _levels(frame: _Frame) -> Iterable[float]:
    """Where a line runs across: round figures, and of a count whole ones from 0."""
    round_ones = ticks(frame.low, frame.high)
    if not frame.whole:
        return round_ones
    whole = [value for value in round_ones if value >= 0 and value == int(value)]
    return whole if len(whole) > 1 else range(max(0, math.ceil(frame.low)), int(frame.high) + 1)


def _numbers(frame: _Frame, points: Sequence[Point]) -> Iterable[str]:
    """The number of each run below it, as far as there is room."""
    y, last = _HEIGHT - _BOTTOM + 16, float(_LEFT) - _SIGN
    for place, point in enumerate(points):
        shown, x = str(point.number or "-"), frame.x(place)
        reach = _SIGN * len(shown) / 2
        if x - reach >= last + _SIGN:
            yield _text(x, y, shown, "middle")
            last = x + reach
    yield _text(_LEFT - 7, y, "run no.", "end")


def _groups(frame: _Frame, points: Sequence[Point]) -> Iterable[str]:
    """Runs of one device with one firmware stand together, named below as far as there is room."""
    foot = _HEIGHT - _BOTTOM
    devices = [(point.serial, point.serial) for point in points]
    builds = [(point.serial, point.firmware) for point in points]
    for keys, top, end, line in ((devices, _TOP, 60, 54), (builds, foot, 42, 36)):
        last = float(_LEFT)
        for (_, name), left, right in _stretches(frame, keys):
            if left > _LEFT and right - left >= _NARROW:
                yield f'<path d="M{left:.1f} {top}V{foot + end}" stroke="{_FENCE}"/>'
            shown = _fitted(name or "not identified", right - left)
            begin = (left + right - _SIGN * len(shown)) / 2
            if begin >= last:
                yield _text((left + right) / 2, foot + line, shown, "middle")
                last = begin + _SIGN * (len(shown) + 1)
    yield _text(_LEFT - 7, foot + 36, "firmware", "end")
    yield _text(_LEFT - 7, foot + 54, "serial", "end")


def _stretches(frame: _Frame, keys: Sequence[_Key]) -> Iterable[tuple[_Key, float, float]]:
    """Each run of equal neighbours, and from where to where it lies on the paper."""
    begin = 0
    for key, members in groupby(keys):
        size = len(list(members))
        yield key, frame.x(begin - 0.5), frame.x(begin + size - 0.5)
        begin += size


def _fitted(name: str, room: float) -> str:
    """A name, cut where it is longer than its place; whole where there is place for none."""
    most = int(room / _SIGN)
    return name if len(name) <= most or room < _NARROW else f"{name[: most - 1]}…"


def _limits(frame: _Frame, points: Sequence[Point]) -> Iterable[str]:
    """A line where neighbours share a limit; its figure where it comes first, if there is room.

    Limits that lie outside of the plot are always told.
    """
    sides = {"upper": [p.upper for p in points], "lower": [p.lower for p in points]}
    labels = [label for name, levels in sides.items() for label in _far(frame, name, levels)]
    taken: list[tuple[float, float, float]] = [
        (_LEFT + 3, _LEFT + 3 + _SIGN * len(label), y) for label, y in labels
    ]
    texts = [_text(_LEFT + 3, y, label, fill=_LIMIT, halo=True) for label, y in labels]
    for name, levels in sides.items():
        told = set()
        for level, left, right in _stretches(frame, levels):
            if level is None or not frame.inside(level):
                continue
            label, y = f"{name} limit {frame.unit.text(level)}", frame.y(frame.shown(level))
            yield (
                f'<path class="limit" d="M{left:.1f} {y}H{right:.1f}" stroke="{_LIMIT}" '
                'stroke-width="1.4" stroke-dasharray="7 4"/>'
            )
            y += -5 if name == "upper" else 14
            x = min(left + 3, _WIDTH - _RIGHT - _SIGN * len(label))
            free = all(x > end or x + _SIGN * len(label) < begin or abs(y - line) > 12
                       for begin, end, line in taken)  # fmt: skip
            if level not in told and free:
                texts.append(_text(x, y, label, fill=_LIMIT, halo=True))
                taken.append((x, x + _SIGN * len(label), y))
                told.add(level)
    yield from texts  # over every line


def _far(frame: _Frame, name: str, levels: Iterable[Decimal | None]) -> Iterable[tuple[str, float]]:
    """What is said of the limits of one side that lie outside of the plot, and at what height."""
    far = {level for level in levels if level is not None and not frame.inside(level)}
    row = 0 if name == "upper" else 14
    for where, y in (("above", _TOP + 12 + row), ("below", _HEIGHT - _BOTTOM - 20 + row)):
        found = sorted(
            level for level in far if (frame.shown(level) > frame.high) == (where == "above")
        )
        if not found:
            continue
        first, last = frame.unit.text(found[0]), frame.unit.text(found[-1])
        if len(found) == 1:
            yield f"{name} limit {first} lies {where} this plot", y
        else:
            yield f"{name} limits {first} to {last} lie {where} this plot", y


def _marks(frame: _Frame, points: Sequence[Point]) -> Iterable[str]:
    size = min(4.0, max(1.6, 0.4 * (_WIDTH - _LEFT - _RIGHT) / frame.count))
    for place, point in enumerate(points):
        x = round(frame.x(place), 1)
        y = _HEIGHT - _BOTTOM - 8 if point.value is None else frame.y(frame.shown(point.value))
        if point.odd:
            yield _ring(x, y, size)
        if point.value is None:
            yield _mark(x, y, size, point.verdict)
            continue
        if point.expanded:
            low, high = (
                frame.y(frame.shown(point.value + sign * point.expanded)) for sign in (-1, 1)
            )
            yield f'<path class="u" d="M{x} {low}V{high}" stroke="{_BAR}" stroke-width="1.2"/>'
        yield _mark(x, y, size, point.verdict)


def _ring(x: float, y: float, size: float) -> str:
    """Around a run of which there is something to know."""
    return (
        f'<circle class="odd" cx="{x}" cy="{y}" r="{size + 4:.1f}" fill="none" '
        f'stroke="{_RING}" stroke-width="1.4"/>'
    )


def _mark(x: float, y: float, size: float, verdict: str, kind: str = "mark") -> str:
    """A dot for PASS, a cross for FAIL, an open square for the rest: colour is not all."""
    colour = _COLOURS.get(verdict, _OTHER)
    name = f'class="{kind} {verdict}"' if verdict.isidentifier() else f'class="{kind}"'
    if verdict == Verdict.PASS.value:
        return f'<circle {name} cx="{x}" cy="{y}" r="{size:.1f}" fill="{colour}"/>'
    reach = size + 0.8
    left, top = x - reach, y - reach
    if verdict == Verdict.FAIL.value:
        arms = f"M{left:.1f} {top:.1f}l{2 * reach:.1f} {2 * reach:.1f}m0 {-2 * reach:.1f}"
        arms += f"l{-2 * reach:.1f} {2 * reach:.1f}"
        return f'<path {name} d="{arms}" stroke="{colour}" stroke-width="2" fill="none"/>'
    return (
        f'<rect {name} x="{left:.1f}" y="{top:.1f}" width="{2 * reach:.1f}" '
        f'height="{2 * reach:.1f}" stroke="{colour}" stroke-width="1.6" fill="#ffffff"/>'
    )


def _legend(points: Sequence[Point]) -> Iterable[str]:
    order = [verdict.value for verdict in Verdict]
    found = {point.verdict for point in points}
    x = float(_LEFT)
    y = _HEIGHT - 12
    for verdict in sorted(found, key=lambda each: order.index(each) if each in order else -1):
        count = sum(point.verdict == verdict for point in points)
        label = f"{verdict.replace('_', ' ')} {count}"
        yield _mark(x + 4, y - 4, 4.0, verdict, "key")
        yield _text(x + 14, y, label)
        x += 14 + _SIGN * (len(label) + 3)
    if odd := sum(point.odd for point in points):
        yield _ring(x + 4, y - 4, 2.0).replace('class="odd"', 'class="key"')
        yield _text(x + 14, y, f"{odd} with a note, see the table")
    blank = sum(point.value is None for point in points)
    said = "value ± U (k = 2), worst judgement of each run"
    if blank:
        said += f"; {blank} without a value, marked at the foot"
    yield _text(_WIDTH - _RIGHT, _TOP - 8, said, "end", longest=200)


def _text(
    x: float,
    y: float,
    text: str,
    anchor: str = "start",
    fill: str = _INK,
    *,
    size: int = 12,
    weight: str = "normal",
    longest: int = 80,
    halo: bool = False,
) -> str:
    around = ' stroke="#ffffff" stroke-width="3" paint-order="stroke"' if halo else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" font-size="{size}" '
        f'font-weight="{weight}"{around}>{escape(clean(text, longest))}</text>'
    )


def _counted(text: str) -> list[tuple[int, str]]:
    """Sort key in which SN-9 comes before SN-10."""
    return [
        (int(part), "") if part.isdecimal() else (0, part)
        for part in re.split(r"(\d+)", text)
        if part
    ]
