"""A multimeter's way from terminals to readings: direct and alternating, fixed range and auto."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hil_instruments.simulated.metrology.converter import (
    AUTO_DOWN,
    AUTO_UP,
    OVERLOAD,
    Converter,
    Scale,
)
from hil_instruments.simulated.metrology.fault import MeterFault
from hil_instruments.simulated.metrology.terminals import BLOWN, Terminals

Values: TypeAlias = npt.NDArray[np.float64]

PARKED_SHUNT = 0.1
"""Resistance in ohm of the current path while no current is measured. From memory."""


@dataclass(slots=True)
class Sensing:
    """Range of one function."""

    scale: Scale
    """Range in use."""
    auto: bool = True
    """Whether it follows the input."""


class Meter:
    """Terminals and converter of one multimeter.

    Quantities are named VOLT and CURR, with `:AC` behind an alternating one; what else a multimeter
    measures is not wired on this bench: it reads overload, a frequency 0.
    """

    def __init__(self, terminals: Terminals, converter: Converter) -> None:
        self.terminals = terminals
        self.converter = converter

    def wired(self, quantity: str) -> bool:
        """Whether the terminals of a quantity are wired."""
        return quantity.partition(":")[0] == self.terminals.quantity

    def now(self, quantity: str) -> float:
        """Input at the moment; 0 at terminals that are not wired."""
        return self.terminals.now() if self.wired(quantity) else 0.0

    def connect(self, quantity: str, scale: Scale, input_resistance: float) -> None:
        """Tell the circuit the resistance that it now meets.

        Args:
            quantity: what is measured.
            scale: range in use, whose shunt counts while a current is measured.
            input_resistance: across the voltage terminals, in ohm.
        """
        shunt = scale.range.resistance if quantity.startswith("CURR") else PARKED_SHUNT
        blown = self.fault.open_input
        self.terminals.series(BLOWN if blown else shunt)
        self.terminals.across(BLOWN if blown else input_resistance)

    @property
    def fault(self) -> MeterFault:
        """What is wrong with it."""
        return self.converter.fault

    def rerange(self, quantity: str, sensing: Sensing) -> int:
        """Autorange on the input as it is now; return how many ranges were passed."""
        scale = sensing.scale.fitting(abs(self.now(quantity)))
        if scale is sensing.scale:
            return 0
        scales = scale.neighbours
        steps = abs(scales.index(scale) - scales.index(sensing.scale))
        sensing.scale = scale
        return steps

    def one(
        self, quantity: str, sensing: Sensing, cycles: float, start: float, aperture: float
    ) -> float:
        """One reading; autoranging may leave the range in use.

        Args:
            quantity: what is measured.
            sensing: its range.
            cycles: integration time in line cycles, which sets the noise.
            start: bench time in s at which the aperture opens.
            aperture: its length in s.
        """
        if quantity in {"VOLT", "CURR"}:
            wired = quantity == self.terminals.quantity
            true = self.terminals.mean(start, aperture) if wired else 0.0
            scale = sensing.scale
            if sensing.auto and abs(true) > scale.limit:
                scale = sensing.scale = scale.fitting(abs(true))
            return self.converter.reading(true, scale, cycles, start, aperture)
        return float(self.many(quantity, sensing, cycles, np.array([start]), aperture)[0])

    def many(
        self, quantity: str, sensing: Sensing, cycles: float, starts: Values, aperture: float
    ) -> Values:
        """Readings, as `one`, of one aperture after the other."""
        base, _, kind = quantity.partition(":")
        if base in {"VOLT", "CURR"} and kind in {"", "AC"}:
            true = self._true(quantity, starts, aperture)
            return self._converted(true, sensing, cycles, starts, aperture)
        # A frequency: the input has too few crossings of zero to count.
        return np.full(len(starts), 0.0 if base == "FREQ" else OVERLOAD)

    def _true(self, quantity: str, starts: Values, aperture: float) -> Values:
        if not self.wired(quantity):
            return np.zeros(len(starts))
        if quantity.endswith(":AC"):
            return self.terminals.alternating(starts, aperture)
        return self.terminals.means(starts, aperture)

    def _converted(
        self, true: Values, sensing: Sensing, cycles: float, starts: Values, aperture: float
    ) -> Values:
        """Convert in the range in use; autoranging passes from range to range as values ask."""
        convert = self.converter.readings
        if not sensing.auto:
            return convert(true, sensing.scale, cycles, starts, aperture)
        parts: list[Values] = []
        first = 0
        while first < len(true):
            scale = sensing.scale = sensing.scale.fitting(abs(float(true[first])))
            end = first + _stay(np.abs(true[first:]), scale)
            parts.append(convert(true[first:end], scale, cycles, starts[first:end], aperture))
            first = end
        return np.concatenate(parts) if parts else np.empty(0)


def _stay(magnitudes: Values, scale: Scale) -> int:
    """How many readings autoranging takes in a scale before it leaves it; at least one."""
    full, scales = scale.range.full_scale, scale.neighbours
    low = AUTO_DOWN * full if scale is not scales[0] else -math.inf
    high = AUTO_UP * full if scale is not scales[-1] else math.inf
    leaving = (magnitudes < low) | (magnitudes > high)
    leaving[:1] = False
    return int(np.argmax(leaving)) if leaving.any() else len(magnitudes)
