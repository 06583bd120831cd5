"""Two paths on one circuit: whether ammeter and voltmeter agree over a load that is known."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

import numpy as np

from hil.capture import Accuracy, Capture, Samples
from hil.measurement import COVERAGE

WINDOW = 0.5
"""Seconds over which both are averaged, about the highest voltage."""
BLOCK = 0.02
"""Seconds over which both are averaged where each moment counts: one line cycle."""
ROW = 3
"""Blocks that must contradict each other in a row: fewer may be a step that one sees earlier."""
FACTOR = 4
"""Ratio of two readings up to which they are of one size; the accuracy of both is far finer."""
METER_INPUT = 10e6
"""Input resistance of the voltmeter in ohm, beside the load."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two paths read of one current, and from which disagreement on they show it."""

    amperes: float
    """A, by the ammeter."""
    volts: float
    """V, by the voltmeter across load and shunt."""
    ohm: float
    """Resistance across which the voltmeter reads, its own beside it."""
    smallest: float
    """Smallest disagreement in A that the pair shows at these readings, k = 2."""

    @property
    def second(self) -> float:
        """A, by voltmeter, load and shunt."""
        return self.volts / self.ohm

    @property
    def agree(self) -> bool:
        """Whether both are the same current, within what the pair can show; only if finite."""
        return math.isfinite(self.smallest) and abs(self.amperes - self.second) <= self.smallest

    @property
    def present(self) -> bool:
        """Whether either path shows a current beyond what it could make up by itself."""
        return max(abs(self.amperes), abs(self.second)) > self.smallest


def smallest_disagreement(
    amperes: float, ohm: float, current: Accuracy, voltage: Accuracy, tolerance: float
) -> float:
    """Smallest difference in A between two paths that is beyond their uncertainty, k = 2.

    Args:
        amperes: current at which both read, in A.
        ohm: resistance of load and shunt, in ohm.
        current: accuracy of the ammeter in its range.
        voltage: accuracy of the voltmeter in its range.
        tolerance: limit of the relative error of `ohm`.
    """
    parallel = beside_meter(ohm)
    return _smallest(amperes, amperes * parallel, parallel, (current, voltage), tolerance)


def compared(
    current: Capture,
    voltage: Capture,
    span: tuple[float, float],
    resistance: float,
    tolerance: float,
) -> Comparison:
    """Hold both paths against each other over a span of time, in s; see `dispute`.

    A span that holds no sample, a gap or an overload makes readings that are no numbers: they
    agree with nothing.
    """
    parallel = beside_meter(resistance)
    amperes, volts = _mean(current, *span), _mean(voltage, *span)
    accuracies = current.source.accuracy, voltage.source.accuracy
    smallest = _smallest(amperes, volts, parallel, accuracies, tolerance)
    return Comparison(amperes, volts, parallel, smallest)


def beside_meter(resistance: float) -> float:
    """What the voltmeter lies across, in ohm: a resistance with the meter's own beside it."""
    return 1 / (1 / resistance + 1 / METER_INPUT)


def _smallest(
    amperes: float,
    volts: float,
    parallel: float,
    accuracies: tuple[Accuracy, Accuracy],
    tolerance: float,
) -> float:
    current, voltage = accuracies
    u = math.sqrt(
        sum(part.contribution**2 for part in current.components(amperes))
        + sum((part.contribution / parallel) ** 2 for part in voltage.components(volts))
        + (amperes * tolerance / math.sqrt(3)) ** 2
    )
    return COVERAGE * u


def paired(current: Capture, voltage: Capture, until: float) -> list[tuple[float, float]]:
    """Mean current in A and voltage in V where the voltage, and where the current, is largest.

    Both places, for a dead meter shows nothing at its own. Windows with a gap or an overload, and
    captures that do not reach them, are left out.
    """
    return [
        (_mean(current, *span), _mean(voltage, *span)) for span in _spans(current, voltage, until)
    ]


def _spans(current: Capture, voltage: Capture, until: float) -> list[tuple[float, float]]:
    """Begin and end in s of the windows about both places in which both have a mean."""
    spans = []
    for capture in (voltage, current):
        middle = _highest(capture, until)
        if middle is None:
            continue
        end = min(middle + WINDOW / 2, until)
        span = end - WINDOW, end
        if math.isfinite(_mean(current, *span)) and math.isfinite(_mean(voltage, *span)):
            spans.append(span)
    return spans


class Showing(Enum):
    """What two paths on one circuit show of a current."""

    NOTHING = "neither shows a current"
    UNRESOLVED = "one shows a current that is within the other one's limits of error"
    AGREED = "they bear each other out"
    APART = "they contradict each other"


def showing(
    current: Capture, voltage: Capture, until: float, resistance: float, least: float
) -> Showing:
    """Say what two captures show of a current, where it and where the voltage is largest.

    They agree in sign, and in size to FACTOR. What lies within the limits of error of its own meter
    shows nothing, and contradicts nobody. The worst of both places counts.

    Args:
        current: through the load, in A.
        voltage: across load and shunt, in V.
        until: end of the time for which the load is known, in s.
        resistance: load and shunt together, in ohm.
        least: current in A up to which nothing is compared.
    """
    found = [Showing.NOTHING]
    for amperes, volts in paired(current, voltage, until):
        first = amperes, _limit(current, amperes)
        second = volts / resistance, _limit(voltage, volts) / resistance
        found.append(_shown(first, second, least))
    order = list(Showing)
    return max(found, key=order.index)


def _shown(first: tuple[float, float], second: tuple[float, float], least: float) -> Showing:
    """Say it of two currents, each with the limit of its error."""
    (a, a_limit), (b, b_limit) = first, second
    if max(abs(a) - a_limit, abs(b) - b_limit) <= least:
        return Showing.NOTHING
    resolved = abs(a) > a_limit and abs(b) > b_limit
    opposed = resolved and a * b < 0
    if opposed or _beyond(a, a_limit, b, b_limit) or _beyond(b, b_limit, a, a_limit):
        return Showing.APART
    return Showing.AGREED if resolved else Showing.UNRESOLVED


def _beyond(large: float, large_limit: float, small: float, small_limit: float) -> bool:
    return abs(large) - large_limit > FACTOR * (abs(small) + small_limit)


def _limit(capture: Capture, reading: float) -> float:
    """Limit of the error of a reading of a capture's instrument."""
    return capture.source.accuracy.limit(reading)


def dispute(
    current: Capture, voltage: Capture, until: float, resistance: float, tolerance: float
) -> str:
    """Say how two captures disagree beyond their combined expanded uncertainty; empty if not.

    A step lies anywhere between the two samples that show it: what that makes of the mean of either
    is no disagreement.

    Args:
        current: through the load, in A.
        voltage: across load and shunt, in V.
        until: end of the time for which the load is known, in s.
        resistance: load and shunt together, in ohm.
        tolerance: limit of the relative error of `resistance`.
    """
    parallel = beside_meter(resistance)
    accuracies = current.source.accuracy, voltage.source.accuracy
    for span in _spans(current, voltage, until):
        amperes, volts = _mean(current, *span), _mean(voltage, *span)
        smallest = _smallest(amperes, volts, parallel, accuracies, tolerance)
        smallest += _missed(current, *span) + _missed(voltage, *span) / parallel
        if not Comparison(amperes, volts, parallel, smallest).agree:
            return (
                f"{voltage.source.role} reads {volts:.4g} V; {current.source.role} and load make "
                f"it {amperes * parallel:.4g} V, U = {smallest * parallel:.2g} V"
            )
    return ""


def contradicted(
    current: Capture, voltage: Capture, until: float, resistance: float, floor: float
) -> bool:
    """Whether at any moment one of them shows a current of which the other one shows nothing.

    A dead meter, a blown fuse and a lead that is off show so, also where they set in later, and
    where the device notices the open circuit within a tenth of a second. A step that one of them
    sees earlier by no more than what is not known of their starts shows nothing.

    Args:
        current: through the load, in A.
        voltage: across load and shunt, in V.
        until: end of the time for which the load is known, in s.
        resistance: load and shunt together, a plain resistance, in ohm.
        floor: voltage in V below which nothing is compared.
    """
    begin = max(current.start, voltage.start)
    end = min(current.end, voltage.end, until)
    count = math.floor((end - begin) / BLOCK)
    if count <= 0:
        return False
    driven = _blocks(current, begin, count) * resistance
    seen = _blocks(voltage, begin, count)
    larger = np.maximum(np.abs(driven), np.abs(seen))
    smaller = np.minimum(np.abs(driven), np.abs(seen))
    apart = (larger > floor) & ((smaller * FACTOR < larger) | (driven * seen < 0))
    unknown = math.sqrt(3) * (current.start_u + voltage.start_u)
    row = ROW + int(unknown / BLOCK)
    if count < row:
        return False
    rows = np.lib.stride_tricks.sliding_window_view(apart, row).all(axis=1)
    return bool(rows.any())


def nothing(capture: Capture, end: float, least: float) -> bool:
    """Whether the mean over the WINDOW before a time in s lies within `least` of zero.

    A stretch with a gap or an overload shows something.
    """
    return abs(_mean(capture, end - WINDOW, end)) <= least


def _blocks(capture: Capture, begin: float, count: int) -> Samples:
    """Means over blocks from a time on; a block with a gap or an overload is not a number."""
    width = max(round(BLOCK / capture.interval), 1)
    first = max(round((begin - capture.start) / capture.interval), 0)
    part = capture.samples[first : first + count * width]
    whole = part[: len(part) // width * width].reshape(-1, width)
    means = np.full(count, math.nan)
    means[: len(whole)] = np.where(np.isfinite(whole).all(axis=1), whole.mean(axis=1), math.nan)
    return means


def _highest(capture: Capture, until: float) -> float | None:
    """Time in s of the largest magnitude before `until`; None if there is no sample."""
    reach = capture.samples[: max(math.floor((until - capture.start) / capture.interval), 0)]
    finite = np.nan_to_num(np.abs(reach), nan=0.0, posinf=0.0)
    return capture.start + int(np.argmax(finite)) * capture.interval if finite.size else None


def _missed(capture: Capture, begin: float, end: float) -> float:
    """How far a mean over a span in s may be off for steps: no sample has their moment."""
    first = max(math.ceil((begin - capture.start) / capture.interval), 1)
    last = max(math.floor((end - capture.start) / capture.interval), 0)
    part = capture.samples[first - 1 : last]
    steps = np.abs(np.diff(part[np.isfinite(part)]))  # the first one lies outside of the span
    sudden = steps[steps > 2 * capture.source.accuracy.limit(0.0)]
    return float(sudden.sum()) * capture.interval / (end - begin)


def _mean(capture: Capture, begin: float, end: float) -> float:
    first = max(math.ceil((begin - capture.start) / capture.interval), 0)
    last = max(math.floor((end - capture.start) / capture.interval), 0)
    part = capture.samples[first:last]
    return float(np.mean(part)) if part.size else math.nan
