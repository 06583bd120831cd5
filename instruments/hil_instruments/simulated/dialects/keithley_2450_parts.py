"""The two halves of a Keithley 2450: a source, and a meter at its terminals."""

from __future__ import annotations

import math
from typing import Protocol

import numpy as np

from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.keithley_2450_buffer import OVERFLOW
from hil_instruments.simulated.dialects.keithley_2450_ranges import METERS, OVERRANGE, SOURCES
from hil_instruments.simulated.dialects.sourcing import (
    SourceRange,
    Terminals,
    draw,
    range_of,
)
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.physics.stage import OutputStage

LINE_PERIOD = 0.02
"""Seconds of one power line cycle (50 Hz)."""
STAGE = OutputStage(
    lag=200e-6 / math.log(1000),  # specification: 0.1 % of a step within 200 us
    sense_resistance=0.1,  # its drop lowers a sourced voltage by 0.1 mV for each mA
    bleed=1e12,
    comparator=False,
    boost_lag=20e-6,
    boost_dropout=1e-9,
    quiescent=0.0,
    brownout=0.0,
    brownout_hysteresis=0.0,
)
"""Output of the source itself, fed by the mains."""


class SourcePart(Protocol):
    """What a unit asks of its source."""

    @property
    def limited(self) -> bool:
        """Whether the load keeps it from the level that is set."""
        ...

    def drive(self, function: str, level: float, limit: float, used: SourceRange) -> None:
        """Drive a level; `limit` is the voltage of a current, the current of a voltage."""
        ...

    def stop(self, mode: str) -> None:
        """Switch off as an output-off mode says."""
        ...


class MeterPart(Protocol):
    """What a unit asks of its meter."""

    def readings(
        self,
        function: str,
        starts: np.ndarray[tuple[int], np.dtype[np.float64]],
        cycles: float,
        full_scale: float,
        *,
        four_wire: bool,
    ) -> list[float]:
        """Return what is shown for apertures that have closed; see `Meter`."""
        ...


class Source:
    """Drives a current limited to a voltage, or a voltage limited to a current."""

    def __init__(self, world: World, random: np.random.Generator) -> None:
        self._errors = {function: draw(ranges, random) for function, ranges in SOURCES.items()}
        self._terminals = Terminals(world, STAGE)
        self._function = "VOLT"
        self._zero = True

    def real(self, function: str, level: float, used: SourceRange) -> float:
        """Return the level that a setting gives: with its resolution and its errors."""
        gain, offset = self._errors[function][used]
        return round(level / used.resolution) * used.resolution * (1 + gain) + offset

    def drive(self, function: str, level: float, limit: float, used: SourceRange) -> None:
        """Drive a level; `limit` is the voltage of a current, the current of a voltage."""
        self._function = function
        other = "VOLT" if function == "CURR" else "CURR"
        real = self.real(function, level, used)
        bound = abs(self.real(other, limit, range_of(SOURCES[other], limit, OVERRANGE)))
        self._zero = real == 0
        if function == "CURR":
            self._terminals.drive(real, bound)
        else:
            self._terminals.drive(math.copysign(bound, real), abs(real))

    def stop(self, mode: str) -> None:
        """Switch off as an output-off mode says: HIMP opens the relay, others drive nothing."""
        if mode == "HIMP":
            self._terminals.disconnect()
        else:
            self._terminals.drive(0.0, 0.0)

    @property
    def limited(self) -> bool:
        """Whether the load keeps it from the level that is set."""
        at_voltage = self._terminals.limited
        if self._function == "CURR":
            return at_voltage
        return self._terminals.connected and not at_voltage and not self._zero


class Meter:
    """Measures current and voltage, with fixed errors and noise."""

    def __init__(self, world: World, random: np.random.Generator) -> None:
        self._world = world
        self._random = random
        self._errors = {function: draw(ranges, random) for function, ranges in METERS.items()}

    def readings(
        self,
        function: str,
        starts: np.ndarray[tuple[int], np.dtype[np.float64]],
        cycles: float,
        full_scale: float,
        *,
        four_wire: bool,
    ) -> list[float]:
        """Return what is shown for apertures that have closed.

        Args:
            function: VOLT, CURR or RES.
            starts: clock times at which the apertures opened.
            cycles: aperture in power line cycles.
            full_scale: of the range in A or V; infinite chooses it for each reading.
            four_wire: whether the voltage is sensed at the load.
        """
        if function == "RES":
            volts = self.readings("VOLT", starts, cycles, math.inf, four_wire=four_wire)
            amperes = self.readings("CURR", starts, cycles, math.inf, four_wire=four_wire)
            pairs = zip(volts, amperes, strict=True)
            return [v / a if a and abs(v / a) < OVERFLOW else OVERFLOW for v, a in pairs]
        voltage = Node.TERMINAL if four_wire else Node.OUTPUT
        node = voltage if function == "VOLT" else Node.SENSE
        true = self._world.device.circuit.means(node, starts, cycles * LINE_PERIOD)
        return [self._shown(function, float(each), cycles, full_scale) for each in true]

    def _shown(self, function: str, true: float, cycles: float, full_scale: float) -> float:
        ranges = METERS[function]
        used = range_of(ranges, true, OVERRANGE)
        if not math.isinf(full_scale):
            used = range_of(ranges, full_scale)
        if not used.holds(true, OVERRANGE):
            return math.copysign(OVERFLOW, true)
        gain, offset = self._errors[function][used]
        noise = used.noise / math.sqrt(cycles) * self._random.standard_normal()
        shown = true * (1 + gain) + offset + noise
        return round(shown / used.resolution) * used.resolution
