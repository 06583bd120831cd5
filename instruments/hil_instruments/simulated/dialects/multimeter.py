"""What the simulated multimeters share: converter, terminals, input resistance, autoranging."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from hil_instruments.simulated.dialects.functions import FunctionInstrument
from hil_instruments.simulated.metrology.converter import Converter
from hil_instruments.simulated.metrology.fault import MeterFault
from hil_instruments.simulated.metrology.meter import Meter, Sensing

DIVIDER, HIGH_IMPEDANCE, HIGHEST_DIRECT = 10e6, 10e9, 10.0
"""Input resistances in ohm of direct voltage; the second on ranges up to the third, in V."""


class Multimeter(FunctionInstrument, ABC):
    """A multimeter, one of whose functions is in use."""

    ALTERNATING_INPUT: ClassVar[float]
    """Input resistance in ohm of alternating voltage."""
    AUTO_STEP: ClassVar[float]
    """Seconds that autoranging takes for each range it passes."""
    _converter: Converter
    _meter: Meter

    @property
    @abstractmethod
    def _quantity(self) -> str:
        """What the function in use measures, as `Meter` names it."""

    @property
    @abstractmethod
    def _sensing(self) -> Sensing:
        """Range of the function in use."""

    @property
    @abstractmethod
    def _direct(self) -> bool:
        """Whether direct voltage may be measured without the divider."""

    @abstractmethod
    def _gather(self) -> None:
        """Digest what was sampled under the old conditions."""

    def limits_of_error(self) -> tuple[float, float]:
        """Those of the range last used."""
        return self._converter.limits()

    @property
    def fault(self) -> MeterFault:
        """What is wrong with it; healthy by default."""
        return self._converter.fault

    @fault.setter
    def fault(self, fault: MeterFault) -> None:
        self._gather()
        self._converter.fault = fault
        self._connect()

    def _connect(self) -> None:
        """Tell the circuit the resistance that it now meets."""
        quantity, scale = self._quantity, self._sensing.scale
        resistance = self.ALTERNATING_INPUT if quantity == "VOLT:AC" else DIVIDER
        if quantity == "VOLT" and self._direct and scale.range.full_scale <= HIGHEST_DIRECT:
            resistance = HIGH_IMPEDANCE
        self._meter.connect(quantity, scale, resistance)

    def _rerange(self) -> float:
        """Autorange on the input as it is now; return the time in s that this takes."""
        if not self._sensing.auto:
            return 0.0
        steps = self._meter.rerange(self._quantity, self._sensing)
        if steps:
            self._connect()
        return steps * self.AUTO_STEP
