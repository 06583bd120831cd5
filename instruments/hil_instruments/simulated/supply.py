"""Front end of the supply: a subset of Rigol DP800, channel 1."""

from __future__ import annotations

from collections.abc import Callable

from hil.bench import InstrumentEntry
from hil_instruments.simulated.circuit import SUPPLY_MINIMUM
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.scpi import (
    Instrument,
    ScpiError,
    boolean,
    choice,
    number,
    optional,
    scpi,
)

LARGEST_VOLTAGE, LARGEST_CURRENT = 32.0, 3.2
DEFAULT_CURRENT = 3.0
READBACK_STEP = 1e-3


class Supply(Instrument):
    """Output 1 of the supply. What the device draws is not modelled: no MEASure:CURRent?."""

    def __init__(self, entry: InstrumentEntry, world: World, powered: Callable[[], None]) -> None:
        """Begin switched off.

        Args:
            entry: as in the bench file.
            world: the bench.
            powered: called whenever the output comes to feed the device.
        """
        super().__init__(entry, world.clock)
        self._world = world
        self._powered = powered
        self._voltage = 0.0
        self._current = DEFAULT_CURRENT
        self._on = False

    @property
    def volts(self) -> float:
        """Voltage at the output terminals."""
        return self._voltage if self._on else 0.0

    def preset(self) -> None:
        """Switch off, back to 0 V."""
        self._change(0.0, False)
        self._current = DEFAULT_CURRENT

    def _change(self, voltage: float, on: bool) -> None:
        before = self.volts
        self._voltage, self._on = voltage, on
        if self.volts != before:
            self._world.device.circuit.set_supply(self.volts)
            if before < SUPPLY_MINIMUM <= self.volts:
                self._powered()

    @scpi(
        "APPLy",
        choice("CH1"),
        optional(number("V", words="MINimum|MAXimum|DEFault")),
        optional(number("A", words="MINimum|MAXimum|DEFault")),
    )
    def _apply(self, _: str, voltage: float | str = "", current: float | str = "") -> None:
        volts = _figure(
            voltage, {"MIN": 0.0, "MAX": LARGEST_VOLTAGE, "DEF": 0.0, "": self._voltage}
        )
        amperes = _figure(
            current,
            {"MIN": 0.0, "MAX": LARGEST_CURRENT, "DEF": DEFAULT_CURRENT, "": self._current},
        )
        _within(volts, LARGEST_VOLTAGE, "V")
        _within(amperes, LARGEST_CURRENT, "A")
        self._current = amperes
        self._change(volts, self._on)

    @scpi("APPLy?", optional(choice("CH1")), optional(choice("VOLTage|CURRent")))
    def _applied(self, _: str = "CH1", which: str = "") -> str:
        voltage, current = f"{self._voltage:.3f}", f"{self._current:.3f}"
        return {"VOLT": voltage, "CURR": current}.get(which, f"CH1:30V/3A,{voltage},{current}")

    @scpi("OUTPut[:STATe]", choice("CH1"), boolean())
    def _switch(self, _: str, on: bool) -> None:
        self._change(self._voltage, on)

    @scpi("OUTPut[:STATe]?", optional(choice("CH1")))
    def _is_on(self, _: str = "CH1") -> str:
        return "ON" if self._on else "OFF"

    @scpi("MEASure[:VOLTage][:DC]?", optional(choice("CH1")))
    def _measure(self, _: str = "CH1") -> str:
        return f"{round(self.volts / READBACK_STEP) * READBACK_STEP:.3f}"


def _figure(given: float | str, words: dict[str, float]) -> float:
    return words[given] if isinstance(given, str) else given


def _within(value: float, largest: float, unit: str) -> None:
    if not 0 <= value <= largest:
        raise ScpiError(-222, f"{value} {unit}; allowed: 0 to {largest} {unit}")
