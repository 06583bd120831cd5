"""An output of a supply, whoever made it: set, switched on, and read back before and after."""

from __future__ import annotations

from abc import abstractmethod

from hil.errors import BenchError, InstrumentError
from hil.units import Quantity
from hil_instruments import encoding
from hil_instruments.drivers.instrument import MEND, Instrument


class SupplyOutput(Instrument):
    """One supply output."""

    def on(self, voltage: Quantity, current_limit: Quantity) -> None:
        """Set voltage and current limit, switch on; both read back before and after.

        Raises:
            InstrumentError: a setting was refused or reads back otherwise, or the output does not
                read back on; it is switched off again.
        """
        volts = encoding.quantity_text(voltage, "V")
        amperes = encoding.quantity_text(current_limit, "A")
        setting, switch = self._words(volts, amperes)
        self._configure(setting)
        self._read_back(voltage, current_limit)
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

    @abstractmethod
    def _words(self, volts: str, amperes: str) -> tuple[str, str]:
        """What sets both, and what switches on."""

    @abstractmethod
    def off(self) -> None:
        """Switch off; write-only, exempt from poisoning: `is_on` tells whether it was heard."""

    @abstractmethod
    def is_on(self) -> bool:
        """Whether the output is on."""

    @abstractmethod
    def _read_back(self, voltage: Quantity, current_limit: Quantity) -> None:
        """Raise InstrumentError unless the instrument holds both settings."""
