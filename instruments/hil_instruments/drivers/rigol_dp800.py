"""Rigol DP800: supply of the device under test on channel 1, source of known sign on channel 2.

Commands: DP800 Series Programming Guide (PGH03108-1110): :APPLy and its question, :OUTPut,
:MEASure:VOLTage.
"""

from __future__ import annotations

from hil.errors import BenchError, InstrumentError
from hil.exact import Exact
from hil.units import Quantity, V, quantity
from hil_instruments import encoding
from hil_instruments.drivers.instrument import MEND, Instrument

VOLTAGE_STEP, CURRENT_STEP = 10e-3, 1e-3
"""Differences in V and A up to which a setting counts as read back: the resolution of a DP832."""


class RigolDP800(Instrument):
    """One supply output."""

    CHANNEL = "CH1"

    def on(self, voltage: Quantity, current_limit: Quantity) -> None:
        """Set voltage and current limit, switch on; both read back before and after.

        Raises:
            InstrumentError: a setting was refused or reads back otherwise, or the output does not
                read back on.
        """
        volts = encoding.quantity_text(voltage, "V")
        amperes = encoding.quantity_text(current_limit, "A")
        self._configure(f":APPL {self.CHANNEL},{volts},{amperes}")
        self._read_back(voltage, current_limit)
        switch = f":OUTP {self.CHANNEL},ON"
        self._configure(switch)
        try:
            if not self.is_on():
                raise InstrumentError(
                    f"{self.name}: {switch} was sent, the output reads back off; {MEND}"
                )
            self._read_back(voltage, current_limit)
        except BenchError:
            self.off()
            raise

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
