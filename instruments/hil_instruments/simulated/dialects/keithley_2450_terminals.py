"""A Keithley 2450 on the terminals of a device that is off: it sources a voltage, and measures.

Off it is open, whatever its output-off mode. Its limit acts as a resistance does, not as a
rectangle: the circuit's source beside the device is linear. As a current source it is refused
with -221, since nothing here asks for one.
"""

from __future__ import annotations

import math

import numpy as np

from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.keithley_2450 import Keithley2450
from hil_instruments.simulated.dialects.keithley_2450_parts import (
    LINE_PERIOD,
    MeterPart,
    SourcePart,
)
from hil_instruments.simulated.dialects.keithley_2450_ranges import METERS, SOURCES
from hil_instruments.simulated.dialects.sourcing import SourceRange, draw, range_of
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.scpi import ScpiError

LIMITED = 0.99
"""Share of its limit from which on that acts."""


class _Applied:
    """Source and meter at the terminals; open until something is applied."""

    def __init__(self, world: World, random: np.random.Generator) -> None:
        self._world, self._random = world, random
        self._errors = {**draw(SOURCES["VOLT"], random), **draw(METERS["CURR"], random)}
        self._volts, self._ohm = 0.0, math.inf

    @property
    def limited(self) -> bool:
        here = self._world.device.circuit.value(Node.OUTPUT)
        drop = abs(self._volts - here)
        return not math.isinf(self._ohm) and drop > LIMITED * abs(self._volts) > 0

    def drive(self, function: str, level: float, limit: float, used: SourceRange) -> None:
        if function != "VOLT":
            raise ScpiError(-221, "on the terminals it is simulated as a voltage source")
        gain, offset = self._errors[used]
        self._volts = level * (1 + gain) + offset if level else 0.0
        self._ohm = max(abs(self._volts), used.resolution) / abs(limit)
        circuit = self._world.device.circuit
        circuit.drive_source(self._volts)
        circuit.join_source(self._ohm)

    def stop(self, _: str) -> None:
        self._volts, self._ohm = 0.0, math.inf
        circuit = self._world.device.circuit
        circuit.join_source(math.inf)
        circuit.drive_source(0.0)

    def readings(
        self,
        function: str,
        starts: np.ndarray[tuple[int], np.dtype[np.float64]],
        cycles: float,
        full_scale: float,
        *,
        four_wire: bool,
    ) -> list[float]:
        """Return what is shown, the current as what it drives into the device."""
        means = self._world.device.circuit.means(Node.OUTPUT, starts, cycles * LINE_PERIOD)
        if function != "CURR":
            return [float(each) for each in means]
        shown = []
        for volts in means:
            true = 0.0 if math.isinf(self._ohm) else (self._volts - float(volts)) / self._ohm
            used = range_of(METERS["CURR"], min(abs(true), full_scale))
            gain, offset = self._errors[used]
            noise = used.noise / math.sqrt(cycles) * self._random.standard_normal()
            shown.append(true * (1 + gain) + offset + noise)
        return shown


class Keithley2450Terminals(Keithley2450):
    """Source-measure unit in the role `terminal_source`."""

    def _parts(
        self, world: World, random: np.random.Generator, seed: int
    ) -> tuple[SourcePart, MeterPart]:
        applied = _Applied(world, random)
        return applied, applied
