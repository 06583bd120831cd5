"""Keithley 2450: reference source of direct current or voltage, and source on the terminals.

Commands: Model 2450 Reference Manual, 2450-901-01 rev. B.
"""

from __future__ import annotations

from hil.capture import Accuracy
from hil.errors import UsageError
from hil.exact import Dimension
from hil.units import A, Quantity, V, quantity
from hil_instruments import encoding
from hil_instruments.drivers.instrument import one_of
from hil_instruments.drivers.source import STEP, SourceDriver, SourceRange, si

RANGES = {
    Dimension.VOLTAGE: (
        SourceRange(0.02, "20 mV", 0.001, 200e-6),
        SourceRange(0.2, "200 mV", 0.00015, 200e-6),
        SourceRange(2.0, "2 V", 0.0002, 300e-6),
        SourceRange(20.0, "20 V", 0.00015, 2.4e-3),
        SourceRange(200.0, "200 V", 0.00015, 24e-3),
    ),
    Dimension.CURRENT: (
        SourceRange(10e-9, "10 nA", 0.001, 100e-12),
        SourceRange(100e-9, "100 nA", 0.0006, 150e-12),
        SourceRange(1e-6, "1 uA", 0.00025, 400e-12),
        SourceRange(10e-6, "10 uA", 0.00025, 1.5e-9),
        SourceRange(100e-6, "100 uA", 0.0002, 15e-9),
        SourceRange(1e-3, "1 mA", 0.0002, 150e-9),
        SourceRange(10e-3, "10 mA", 0.0002, 1.5e-6),
        SourceRange(100e-3, "100 mA", 0.00025, 15e-6),
    ),
}
LIMITS = {Dimension.VOLTAGE: (1e-9, 0.105, "A"), Dimension.CURRENT: (0.02, 200.0, "V")}
"""By what is sourced: least and largest limit. 100 mA at 200 V; the 1 A range is not used."""
OTHER = {Dimension.VOLTAGE: Dimension.CURRENT, Dimension.CURRENT: Dimension.VOLTAGE}
_WORD = {Dimension.VOLTAGE: "VOLT", Dimension.CURRENT: "CURR"}
_LIMIT = {Dimension.VOLTAGE: "ILIM", Dimension.CURRENT: "VLIM"}


class Keithley2450(SourceDriver):
    """Current or voltage source, two wires, its output open while it is off."""

    SOURCE = "SPEC-2450 rev. A, July 2013, 1 year, 23 degC +-5, 1 PLC"

    def drive(self, value: Quantity, limit: Quantity) -> Accuracy:
        """Drive a signed current into at most a voltage, or a signed voltage at most at a current.

        While it drives the same kind in the same range, level and limit change without an
        interruption; else it goes off in between. Off opens its relay: the mode that it has after
        power-up holds 0 V instead.

        Args:
            value: up to 100 mA or 200 V, either sign.
            limit: 20 mV to 200 V, or 1 nA to 105 mA.

        Raises:
            UsageError: not offered; nothing was sent.
            InstrumentError: refused, or it reads back otherwise; it was not switched on.
        """
        (kind, size), (limit_kind, bound) = si(value), si(limit)
        if kind not in RANGES or limit_kind is not OTHER[kind]:
            raise UsageError(
                f"{self.name} drives a current into at most a voltage, or a voltage at most at a "
                f"current, not {value} at {limit}"
            )
        chosen = self._fitting(RANGES[kind], size)
        self._need_limit(bound, *LIMITS[kind])
        word = _WORD[kind]
        node, limit_node = f"SOUR:{word}", f"SOUR:{word}:{_LIMIT[kind]}"
        self._configure(
            *(() if self._runs(word, chosen) else ("OUTP OFF", f"SOUR:FUNC {word}", f"{node} 0")),
            f"OUTP:{word}:SMOD HIMP",
            f"SENS:{_WORD[limit_kind]}:RSEN OFF",
            f"{node}:RANG {encoding.float_text(chosen.full_scale)}",
            f"{limit_node} {encoding.float_text(bound)}",
            f"{node} {encoding.float_text(size)}",
        )
        settings: dict[str, float | str] = {
            "SOUR:FUNC?": word,
            f"{node}:RANG?": chosen.full_scale,
            f"{limit_node}?": bound,
        }
        self._switch_on(settings, {f"{node}?": size}, STEP * chosen.full_scale)
        return self._accuracy(chosen)

    def limited(self) -> bool:
        """Whether the limit says what is driven now."""
        kind = self._ask("SOUR:FUNC?", one_of({word: kind for kind, word in _WORD.items()}))
        word = _WORD[kind]
        return self._ask(f"SOUR:{word}:{_LIMIT[kind]}:TRIP?", encoding.switch)

    def output_voltage(self) -> Quantity:
        """Measured output voltage, in V."""
        reply = self._ask('MEAS:VOLT? "defbuffer1"', encoding.number)
        return quantity(float(reply), V)

    def _runs(self, word: str, chosen: SourceRange) -> bool:
        """Whether it is on and drives this kind in this range."""
        if not self.is_on() or self._session.query("SOUR:FUNC?") != word:
            return False
        used = self._ask(f"SOUR:{word}:RANG?", encoding.number)
        return float(used) == chosen.full_scale


class Keithley2450Terminals(Keithley2450):
    """Source on the terminals of a device that is off; open while it is off itself."""

    def apply(self, voltage: Quantity, limit: Quantity) -> None:
        """Put a signed voltage on the terminals, at most at a current; raises as `drive`."""
        if si(voltage)[0] is not Dimension.VOLTAGE:
            raise UsageError(f"{self.name} puts a voltage on the terminals, not {voltage}")
        self.drive(voltage, limit)

    def drawn(self) -> Quantity:
        """Current that it drives into the device, in A, over one line cycle; 0 while it is off.

        Raises:
            InstrumentError: it sent no number, or sources something else by now.
        """
        if not self.is_on():
            return quantity(0.0, A)
        amperes = float(self._ask('MEAS:CURR? "defbuffer1"', encoding.number))
        self._confirm({"SOUR:FUNC?": "VOLT", "OUTP?": "1"})
        return quantity(amperes, A)
