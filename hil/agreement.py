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


def paired(current: Capture, voltage: Capture, until: float) -> list[tuple[float, float]]:
    """Mean current in A and voltage in V where the voltage, and where the current, is largest.

    Both places, for a dead meter shows nothing at its own. Windows with a gap or an overload, and
    captures that do not reach them, are left out.
    """
    pairs = []
    for capture in (voltage, current):
        middle = _highest(capture, until)
        if middle is None:
            continue
        end = min(middle + WINDOW / 2, until)
        pair = (_mean(current, end - WINDOW, end), _mean(voltage, end - WINDOW, end))
        if math.isfinite(pair[0]) and math.isfinite(pair[1]):
            pairs.append(pair)
    return pairs


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
    parallel = 1 / (1 / resistance + 1 / METER_INPUT)
    for amperes, volts in paired(current, voltage, until):
        expected = amperes * parallel
        u = math.sqrt(
            sum((part.contribution * parallel) ** 2 for part in _budget(current, amperes))
            + sum(part.contribution**2 for part in _budget(voltage, volts))
            + (expected * tolerance / math.sqrt(3)) ** 2
        )
        if abs(volts - expected) > COVERAGE * u:
            return (
                f"{voltage.source.role} reads {volts:.4g} V; {current.source.role} and load make "
                f"it {expected:.4g} V, U = {COVERAGE * u:.2g} V"
            )
    return ""


def _highest(capture: Capture, until: float) -> float | None:
    """Time in s of the largest magnitude before `until`; None if there is no sample."""
    reach = capture.samples[: max(math.floor((until - capture.start) / capture.interval), 0)]
    finite = np.nan_to_num(np.abs(reach), nan=0.0, posinf=0.0)
    return capture.start + int(np.argmax(finite)) * capture.interval if finite.size else None


def _budget(capture: Capture, reading: float) -> tuple[Component, ...]:
    return capture.source.accuracy.components(reading)


def _mean(capture: Capture, begin: float, end: float) -> float:
    first = max(math.ceil((begin - capture.start) / capture.interval), 0)
    last = max(math.floor((end - capture.start) / capture.interval), 0)
    part = capture.samples[first:last]
    return float(np.mean(part)) if part.size else math.nan
