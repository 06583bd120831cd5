"""Measurement register and error queue as Keithley's older instruments have them.

Model 2000 User's Manual, 2000-900-01 Rev. J, 5-52 to 5-60; the 6221's are the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil_instruments.simulated.scpi import Register, ScpiError, integer, scpi
from hil_instruments.simulated.scpi.status import REGISTER_MASK

if TYPE_CHECKING:
    from hil_instruments.simulated.scpi import Instrument as _Base
else:
    _Base = object


class MeasurementStatus(_Base):
    """STATus:MEASurement and STATus:QUEue, to be mixed into an instrument before its own base."""

    _measurement: Register

    def _restart_status(self) -> None:
        super()._restart_status()
        self._measurement = Register()

    def summary_bits(self) -> int:
        """Bit 0: an enabled measurement event."""
        return int(self._measurement.summary)

    def _clear_status(self) -> None:
        super()._clear_status()
        self._measurement.event = 0

    def _preset_status(self) -> None:
        super()._preset_status()
        self._measurement.preset()

    @scpi("STATus:MEASurement[:EVENt]?")
    def _measurement_event(self) -> str:
        self.refresh()
        return str(self._measurement.take_event())

    @scpi("STATus:MEASurement:CONDition?")
    def _measurement_condition(self) -> str:
        self.refresh()
        return str(self._measurement.condition)

    @scpi("STATus:MEASurement:ENABle", integer())
    def _enable_measurement(self, mask: int) -> None:
        if not 0 <= mask <= 0xFFFF:
            raise ScpiError(-222, f"{mask}; allowed: 0 to 65535")
        self._measurement.enable = mask & REGISTER_MASK

    @scpi("STATus:MEASurement:ENABle?")
    def _measurement_enable(self) -> str:
        return str(self._measurement.enable)

    @scpi("STATus:QUEue[:NEXT]?")
    def _queue(self) -> str:
        return self._next_error()

    @scpi("STATus:QUEue:CLEar")
    def _clear_queue(self) -> None:
        self._errors.clear()
