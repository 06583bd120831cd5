"""Keysight E36312A, E36313A: supply of the device on output 2, source of known sign on output 3.

Commands: E36300 Series Programming Guide (E36311-90001): APPLy, OUTPut with a channel list,
VOLTage? and CURRent? to read back, MEASure:VOLTage?, OUTPut:PAIR?. Outputs 2 and 3 give 25 V and
1 A each and float against each other; paired they would add up, so that pairing is refused. The
E36311A has no OUTPut:PAIR? and is not spoken to.
"""

from __future__ import annotations

from typing import ClassVar

from hil.exact import Exact
from hil.units import Quantity, V, quantity
from hil_instruments import encoding
from hil_instruments.drivers.supply_output import SupplyOutput

VOLTAGE_STEP, CURRENT_STEP = 5e-3, 1e-3
"""Differences in V and A up to which a setting counts as read back: its resolution, rounded up."""


class KeysightE36300(SupplyOutput):
    """One supply output."""

    OUTPUT: ClassVar[int] = 2

    def _words(self, volts: str, amperes: str) -> tuple[str, str]:
        return f"APPL CH{self.OUTPUT},{volts},{amperes}", f"OUTP ON,{self._listed}"

    def off(self) -> None:
        """Switch off; write-only, exempt from poisoning: `is_on` tells whether it was heard."""
        self._session.stop_write(f"OUTP OFF,{self._listed}")

    def is_on(self) -> bool:
        """Whether the output is on."""
        return self._ask(f"OUTP? {self._listed}", encoding.switch)

    def output_voltage(self) -> Quantity:
        """Measured output voltage, in V."""
        reply = self._ask(f"MEAS:VOLT? {self._listed}", encoding.number)
        return quantity(float(reply), V)

    def _read_back(self, voltage: Quantity, current_limit: Quantity) -> None:
        self._confirm({"OUTP:PAIR?": "OFF"})
        self._confirm({f"VOLT? {self._listed}": _figure(voltage, "V")}, within=VOLTAGE_STEP)
        self._confirm({f"CURR? {self._listed}": _figure(current_limit, "A")}, within=CURRENT_STEP)

    @property
    def _listed(self) -> str:
        return encoding.channel_list(self.OUTPUT)


class ThirdOutput(KeysightE36300):
    """The third output of the same supply, isolated from the second."""

    OUTPUT: ClassVar[int] = 3


def _figure(value: Quantity, unit: str) -> float:
    return float(Exact.of(value).to(unit).magnitude)
