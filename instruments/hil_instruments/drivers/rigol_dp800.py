"""Rigol DP800: supply of the device under test on channel 1, source of known sign on channel 2.

Commands: DP800 Series Programming Guide (PGH03108-1110): :APPLy and its question, :OUTPut,
:MEASure:VOLTage.
"""

from __future__ import annotations

from hil.exact import Exact
from hil.units import Quantity, V, quantity
from hil_instruments import encoding
from hil_instruments.drivers.supply_output import SupplyOutput

VOLTAGE_STEP, CURRENT_STEP = 10e-3, 1e-3
"""Differences in V and A up to which a setting counts as read back: the resolution of a DP832."""


class RigolDP800(SupplyOutput):
    """One supply output."""

    CHANNEL = "CH1"

    def _words(self, volts: str, amperes: str) -> tuple[str, str]:
        return f":APPL {self.CHANNEL},{volts},{amperes}", f":OUTP {self.CHANNEL},ON"

    def off(self) -> None:
        """Switch off; write-only, exempt from poisoning: `is_on` tells whether it was heard."""
        self._session.stop_write(f":OUTP {self.CHANNEL},OFF")

    def is_on(self) -> bool:
        """Whether the output is on."""
        return self._ask(f":OUTP? {self.CHANNEL}", encoding.switch)

    def _read_back(self, voltage: Quantity, current_limit: Quantity) -> None:
        asked = {"VOLT": (voltage, "V", VOLTAGE_STEP), "CURR": (current_limit, "A", CURRENT_STEP)}
        for word, (wanted, unit, step) in asked.items():
            figure = float(Exact.of(wanted).to(unit).magnitude)
            self._confirm({f":APPL? {self.CHANNEL},{word}": figure}, within=step)

    def output_voltage(self) -> Quantity:
        """Measured output voltage, in V."""
        reply = self._ask(f":MEAS:VOLT? {self.CHANNEL}", encoding.number)
        return quantity(float(reply), V)


class SecondChannel(RigolDP800):
    """The second output of the same supply, isolated from the first."""

    CHANNEL = "CH2"
