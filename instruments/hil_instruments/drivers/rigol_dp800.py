"""Rigol DP800: supply of the device under test, on channel 1."""

from __future__ import annotations

from hil.errors import InstrumentError
from hil.units import Quantity, V, quantity
from hil_instruments import encoding
from hil_instruments.drivers.instrument import Instrument


class RigolDP800(Instrument):
    """One supply output."""

    def on(self, voltage: Quantity, current_limit: Quantity) -> None:
        """Set voltage and current limit and switch on.

        Raises:
            InstrumentError: a setting was refused, or the output does not read back on.
        """
        volts = encoding.quantity_text(voltage, "V")
        amperes = encoding.quantity_text(current_limit, "A")
        self._configure(f":APPL CH1,{volts},{amperes}", ":OUTP CH1,ON")
        if not self.is_on():
            raise InstrumentError(f"{self.name}: :OUTP CH1,ON was sent, the output reads back off")

    def off(self) -> None:
        """Switch off; write-only, exempt from poisoning: `is_on` tells whether it was heard."""
        self._session.stop_write(":OUTP CH1,OFF")

    def is_on(self) -> bool:
        """Whether the output is on."""
        return encoding.switch(self._session.query(":OUTP? CH1"))

    def output_voltage(self) -> Quantity:
        """Measured output voltage, in V."""
        return quantity(float(encoding.number(self._session.query(":MEAS:VOLT? CH1"))), V)
