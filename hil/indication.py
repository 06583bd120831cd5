"""What a device tells of itself against what is measured: its load, and whether it delivers."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from hil.derivation import derived
from hil.errors import Unavailable
from hil.exact import Dimension, Exact
from hil.features import mean
from hil.measurement import Component, Measurement, poorer
from hil.units import Quantity
from hil.waveform import EVENT_SOURCE, Instant, Waveform

Answer = TypeVar("Answer")


def where_told(
    answer: Answer | Unavailable, measure: Callable[[Answer], Measurement]
) -> Measurement | Unavailable:
    """What `judge` takes of an answer by `run.answer`: a measurement, or why there is none."""
    return answer if isinstance(answer, Unavailable) else measure(answer)


@derived
def resistance(
    voltage: Waveform, current: Waveform, *, after: Instant, until: Instant
) -> Measurement:
    """Load at the terminals in ohm: mean voltage over mean current between two moments.

    Not finite (an ERROR when judged) where either is lost, or no current flowed beyond its U.
    """
    volts = mean(voltage, after=after, until=until)
    amperes = mean(current, after=after, until=until)
    v, i = float(volts.value), float(amperes.value)
    flowed = math.isfinite(v) and math.isfinite(i) and abs(i) > float(amperes.expanded)
    parts = (*_scaled(volts, 1 / i), *_scaled(amperes, -v / i**2)) if flowed else ()
    return Measurement(
        Exact.si(v / i if flowed else math.nan, Dimension.RESISTANCE).base,
        Dimension.RESISTANCE,
        parts,
        instruments=volts.instruments + amperes.instruments,
        calibration=poorer(volts.calibration, amperes.calibration),
        captures=volts.captures + amperes.captures,
        note=f"{volts} over {amperes}" if flowed else "no current flowed, or a gap hides it",
    )


@derived
def misreported(
    current: Waveform,
    level: Quantity | Exact,
    reports: tuple[tuple[float, bool], ...],
    *,
    after: Instant,
    until: Instant,
) -> Measurement:
    """Longest time for which a device says that it delivers nothing while current flows.

    It lies between the first and the last such report, and the reports around them: the middle
    counts, and half of the difference either way. Not finite (an ERROR when judged) where no
    current flowed while it was asked.

    Args:
        current: as measured.
        level: magnitude above which current flows.
        reports: bench time in s and whether it said to deliver, in order.
        after: begin of what is looked at.
        until: its end.
    """
    exact = level if isinstance(level, Exact) else Exact.of(level)
    bound = float(exact.require(current.capture.dimension).base)
    asked = [each for each in reports if after.time <= each[0] <= until.time]
    flows = [_flows(current, time, bound) for time, _ in asked]
    if not any(flows) or not np.all(np.isfinite(current.window(after, until))):
        return _duration(current, math.nan, 0.0, "no current flowed while the device was asked")
    times = [after.time, *(time for time, _ in asked), until.time]
    wrong = [flow and not said for flow, (_, said) in zip(flows, asked, strict=True)]
    spans = [*_wrong(times, wrong), (0.0, _unasked(times, flows))]
    least, most = max(spans, key=lambda span: span[1])
    told = f"{sum(wrong)} of {sum(flows)} reports said so while current flowed"
    return _duration(current, (least + most) / 2, (most - least) / 2 / math.sqrt(3), told)


@derived
def flowed(
    current: Waveform, level: Quantity | Exact, *, after: Instant, until: Instant
) -> Measurement:
    """Time for which a treatment has run at a moment, since its current began to flow.

    It began between the command and the first sample above `level`: the middle counts, and half of
    that either way. Not finite (an ERROR when judged) where none came, or a gap may hide it.

    Args:
        current: as measured.
        level: magnitude above which current flows.
        after: the command that began it.
        until: the moment.
    """
    exact = level if isinstance(level, Exact) else Exact.of(level)
    bound = float(exact.require(current.capture.dimension).base)
    data = np.abs(current.window(after, until))
    above = np.flatnonzero(data > bound)
    if not above.size or np.isnan(data[: above[0]]).any():
        return _duration(current, math.nan, 0.0, "no current flowed, or a gap hides its begin")
    first = (
        current.capture.start
        + (current.index(after.time - after.doubt) + float(above[0])) * current.capture.interval
    )
    begun = (after.time + first) / 2
    found = _duration(
        current,
        until.time - begun,
        abs(first - after.time) / 2 / math.sqrt(3),
        f"from the begin of the current, {begun - after.time:.3f} s after {after.name}",
    )
    moments = (
        Component(f"event {each.name} {each.time!r}", each.u, source=EVENT_SOURCE)
        for each in (after, until)
    )
    return replace(found, components=(*found.components, *moments))


def _wrong(times: list[float], wrong: list[bool]) -> list[tuple[float, float]]:
    """Least and most duration of each run of wrong reports; `times` has one more at either end."""
    found, first = [], 0
    for place, bad in enumerate([*wrong, False], start=1):
        if bad and not first:
            first = place
        elif not bad and first:
            found.append((times[place - 1] - times[first], times[place] - times[first - 1]))
            first = 0
    return found


def _unasked(times: list[float], flows: list[bool]) -> float:
    """Longest time between two reports, at one of which current flowed: it may hide a wrong one."""
    gaps = [times[place + 2] - times[place + 1] for place, flow in enumerate(flows[:-1]) if flow]
    return max(gaps, default=0.0)


def _flows(current: Waveform, time: float, bound: float) -> bool:
    place = min(current.index(time), len(current.samples) - 1)
    return bool(abs(current.samples[place]) > bound)


def _scaled(measured: Measurement, factor: float) -> tuple[Component, ...]:
    return tuple(
        replace(part, sensitivity=part.sensitivity * factor) for part in measured.components
    )


def _duration(current: Waveform, seconds: float, spread: float, note: str) -> Measurement:
    source, own = current.capture.source, current.capture.sha256[:12]
    return Measurement(
        Exact.si(seconds, Dimension.TIME).base,
        Dimension.TIME,
        (
            Component(f"reports {own}", spread),
            Component(f"sampling {own}", current.capture.interval / math.sqrt(12)),
        ),
        instruments=(source.serial,),
        calibration=source.calibration,
        captures=(current.capture.sha256,),
        note=note,
    )
