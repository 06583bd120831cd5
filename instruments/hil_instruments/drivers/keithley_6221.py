"""Keithley 6221: reference source of direct current.

Commands: Model 6220/6221 Reference Manual, 622x-901-01. It has no treatment, no states and no
claims, so it is no stimulator: as one no suite could judge it.
"""

from __future__ import annotations

from hil.capture import Accuracy
from hil.errors import UsageError
from hil.exact import Dimension
from hil.units import Quantity
from hil_instruments import encoding
from hil_instruments.drivers.source import STEP, SourceDriver, SourceRange, si

RANGES = (
    SourceRange(2e-9, "2 nA", 0.004, 2e-12),
    SourceRange(20e-9, "20 nA", 0.003, 10e-12),
    SourceRange(200e-9, "200 nA", 0.003, 100e-12),
    SourceRange(2e-6, "2 uA", 0.001, 1e-9),
    SourceRange(20e-6, "20 uA", 0.0005, 10e-9),
    SourceRange(200e-6, "200 uA", 0.0005, 100e-9),
    SourceRange(2e-3, "2 mA", 0.0005, 1e-6),
    SourceRange(20e-3, "20 mA", 0.0005, 10e-6),
    SourceRange(100e-3, "100 mA", 0.001, 50e-6),
)
LEAST, MOST = 0.1, 105.0
"""Compliance in V."""
IN_COMPLIANCE = 1 << 3
"""Bit of the measurement condition register."""


class Keithley6221(SourceDriver):
    """Current source, its output floating."""

    SOURCE = "6221 specifications HW 1/17/05 rev. B, 1 year, 23 degC +-5"

    def drive(self, value: Quantity, limit: Quantity) -> Accuracy:
        """Drive a signed current into at most a voltage; on, unless anything was refused.

        Whatever else it was doing ends: a wave, a sweep. While it is on already, current and
        compliance change without an interruption, within one range.

        Args:
            value: current, up to 100 mA, either sign.
            limit: compliance, 0.1 V to 105 V.

        Raises:
            UsageError: not offered; nothing was sent.
            InstrumentError: refused, or it reads back otherwise; it was not switched on.
        """
        (kind, amperes), (limit_kind, volts) = si(value), si(limit)
        if (kind, limit_kind) != (Dimension.CURRENT, Dimension.VOLTAGE):
            raise UsageError(f"{self.name} drives a current into at most a voltage, not {value}")
        chosen = self._fitting(RANGES, amperes)
        self._need_limit(volts, LEAST, MOST, "V")
        running = self.is_on() and self._range() == chosen.full_scale
        self._configure(
            *(() if running else ("SOUR:CLE", "OUTP:LTE OFF")),
            f"SOUR:CURR:RANG {encoding.float_text(chosen.full_scale)}",
            f"SOUR:CURR:COMP {encoding.float_text(volts)}",
            f"SOUR:CURR {encoding.float_text(amperes)}",
        )
        settings = {"SOUR:CURR:RANG?": chosen.full_scale, "SOUR:CURR:COMP?": volts}
        self._switch_on(settings, {"SOUR:CURR?": amperes}, STEP * chosen.full_scale)
        return self._accuracy(chosen)

    def limited(self) -> bool:
        """Whether the compliance says what is driven now."""
        reply = self._ask("STAT:MEAS:COND?", encoding.integer)
        return bool(reply & IN_COMPLIANCE)

    def _range(self) -> float:
        return float(self._ask("SOUR:CURR:RANG?", encoding.number))
