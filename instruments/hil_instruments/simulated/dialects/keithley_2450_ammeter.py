"""A Keithley 2450 as ammeter: it holds 0 V, and measures what flows through it.

Off it conducts as well, but for the mode of high impedance and without mains, when it is open. What
an error of its 0 V would do (200 uV by its data sheet) is not modelled, nor that a range below its
limit limits the current; another voltage than 0, and a current, are refused with -221.
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
from hil_instruments.simulated.dialects.keithley_2450_ranges import METERS, OVERRANGE
from hil_instruments.simulated.dialects.sourcing import SourceRange
from hil_instruments.simulated.metrology.converter import Converter, NoiseCurve, Range
from hil_instruments.simulated.metrology.fault import MeterFault
from hil_instruments.simulated.metrology.terminals import BLOWN, Terminals
from hil_instruments.simulated.scpi import ScpiError

BURDEN = 0.1
"""Ohm that its leads and relays have while it conducts."""
RANGES = {
    "CURR": tuple(
        Range(each.full_scale, each.gain, each.offset / each.full_scale, OVERRANGE)
        for each in METERS["CURR"]
    )
}
NOISE = ((1.0, 1e-6),)
"""(line cycles, standard deviation as a share of range): a step of its resolution."""


class _ZeroVolts:
    """The source of one that sources nothing."""

    limited = False

    def __init__(self, terminals: Terminals) -> None:
        self._terminals = terminals

    def drive(self, function: str, level: float, _: float, __: SourceRange) -> None:
        if function != "VOLT" or level:
            raise ScpiError(-221, f"{level:g} of {function}; as an ammeter it is simulated at 0 V")
        self._terminals.series(BURDEN)

    def stop(self, mode: str) -> None:
        self._terminals.series(BLOWN if mode == "HIMP" else BURDEN)


class _Shunt:
    """The meter of one that lies in series."""

    def __init__(self, terminals: Terminals, seed: int) -> None:
        self._terminals = terminals
        self.converter = Converter(RANGES, NoiseCurve(NOISE), seed)

    def readings(
        self,
        function: str,
        starts: np.ndarray[tuple[int], np.dtype[np.float64]],
        cycles: float,
        full_scale: float,
        *,
        four_wire: bool,  # of a meter that senses a voltage
    ) -> list[float]:
        """Return what is shown; across itself it measures nothing."""
        if function != "CURR":
            return [0.0] * len(starts)
        aperture = cycles * LINE_PERIOD
        true = self._terminals.means(starts, aperture)
        wanted = float(np.max(np.abs(true))) if math.isinf(full_scale) else full_scale
        scale = self.converter.scale("CURR", wanted) or self.converter.scales["CURR"][-1]
        shown = self.converter.readings(true, scale, cycles, starts, aperture)
        return [float(each) for each in shown]


class Keithley2450Ammeter(Keithley2450):
    """Source-measure unit in the role `ammeter`."""

    _meter: _Shunt

    def _parts(
        self, world: World, random: np.random.Generator, seed: int
    ) -> tuple[SourcePart, MeterPart]:
        self._terminals = Terminals(world, self.entry.role)
        return _ZeroVolts(self._terminals), _Shunt(self._terminals, seed)

    def limits_of_error(self) -> tuple[float, float]:
        """Those of the range last used."""
        return self._meter.converter.limits()

    @property
    def fault(self) -> MeterFault:
        """What is wrong with it; healthy by default."""
        return self._meter.converter.fault

    @fault.setter
    def fault(self, fault: MeterFault) -> None:
        self._meter.converter.fault = fault
        self._follow()
        if fault.open_input:
            self._terminals.series(BLOWN)

    def lose_power(self) -> None:
        """Lose the mains: its relay opens."""
        super().lose_power()
        self._terminals.series(BLOWN)
