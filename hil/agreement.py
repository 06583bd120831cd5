"""Two paths on one circuit: whether ammeter and voltmeter agree over a load that is known."""

from __future__ import annotations

import math

import numpy as np

from hil.capture import Capture
from hil.measurement import COVERAGE, Component

WINDOW = 0.5
"""Seconds over which both are averaged, about the highest voltage."""
METER_INPUT = 10e6
"""Input resistance of the voltmeter in ohm, beside the load."""


def dispute(
    current: Capture, voltage: Capture, until: float, resistance: float, tolerance: float
) -> str:
    """Say how two captures disagree beyond their combined expanded uncertainty; empty if not.

    Args:
        current: through the load, in A.
        voltage: across load and shunt, in V.
        until: end of the time for which the load is known, in s.
        resistance: load and shunt together, in ohm.
        tolerance: limit of the relative error of `resistance`.
    """
    reach = voltage.samples[: max(math.floor((until - voltage.start) / voltage.interval), 0)]
    finite = np.nan_to_num(np.abs(reach), nan=0.0, posinf=0.0)
    if not finite.size or not current.samples.size:
        return ""
    middle = voltage.start + int(np.argmax(finite)) * voltage.interval
    end = min(middle + WINDOW / 2, until)
    amperes, volts = (_mean(capture, end - WINDOW, end) for capture in (current, voltage))
    if not (math.isfinite(amperes) and math.isfinite(volts)):
        return ""
    parallel = 1 / (1 / resistance + 1 / METER_INPUT)
    expected = amperes * parallel
    u = math.sqrt(
        sum((part.contribution * parallel) ** 2 for part in _budget(current, amperes))
        + sum(part.contribution**2 for part in _budget(voltage, volts))
        + (expected * tolerance / math.sqrt(3)) ** 2
    )
    if abs(volts - expected) <= COVERAGE * u:
        return ""
    return (
        f"{voltage.source.role} reads {volts:.4g} V; {current.source.role} and load make it "
        f"{expected:.4g} V, U = {COVERAGE * u:.2g} V"
    )


def _budget(capture: Capture, reading: float) -> tuple[Component, ...]:
    return capture.source.accuracy.components(reading)


def _mean(capture: Capture, begin: float, end: float) -> float:
    first = max(math.ceil((begin - capture.start) / capture.interval), 0)
    last = max(math.floor((end - capture.start) / capture.interval), 0)
    part = capture.samples[first:last]
    return float(np.mean(part)) if part.size else math.nan
