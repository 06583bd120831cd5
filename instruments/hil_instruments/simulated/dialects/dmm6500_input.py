"""Zero, input resistance, filter, relative offset and the like of a DMM6500."""

from __future__ import annotations

import numpy as np

from hil_instruments.simulated.dialects.dmm6500_ranges import (
    ALL,
    ALTERNATING,
    INTEGRATING,
    MEASURING,
    SETTLING,
)
from hil_instruments.simulated.dialects.dmm6500_sense import Dmm6500Sense, general
from hil_instruments.simulated.dialects.functions import each
from hil_instruments.simulated.scpi import (
    Answer,
    Pending,
    ScpiError,
    boolean,
    choice,
    integer,
    number,
    scpi,
)

LARGEST_FILTER = 100
LONGEST_DELAY = 10_000.0
_DIRECT = {"VOLT:DC": "VOLTage[:DC]", "DIG:VOLT": "DIGitize:VOLTage"}
_UNIT_SUFFIXES = ("A", "V", "OHM", "F")


class Dmm6500Input(Dmm6500Sense):
    """What is done with a reading besides measuring it."""

    # Zero and input resistance.

    @each(INTEGRATING, "[SENSe:]<function>:AZERo[:STATe]", boolean())
    def _set_zero(self, function: str, on: bool) -> None:
        self._functions[function].zero = on
        self._stop()

    @each(INTEGRATING, "[SENSe:]<function>:AZERo[:STATe]?")
    def _zero(self, function: str) -> str:
        return str(int(self._functions[function].zero))

    @scpi("[SENSe:]AZERo:ONCE")
    def _zero_once(self) -> None:
        """Measure the zero now; the setting of the function in use goes off."""
        self._setting.zero = False
        self._stop()

    @each(_DIRECT, "[SENSe:]<function>:INPutimpedance", choice("AUTO|MOHM10"))
    def _set_impedance(self, function: str, word: str) -> None:
        self._functions[function].high_impedance = word == "AUTO"
        self._changed()

    @each(_DIRECT, "[SENSe:]<function>:INPutimpedance?")
    def _impedance(self, function: str) -> str:
        return "AUTO" if self._functions[function].high_impedance else "MOHM10"

    # Filter.

    @each(MEASURING, "[SENSe:]<function>:AVERage[:STATe]", boolean())
    def _set_filter(self, function: str, on: bool) -> None:
        self._functions[function].filter_on = on
        self._stop()

    @each(MEASURING, "[SENSe:]<function>:AVERage[:STATe]?")
    def _is_filtered(self, function: str) -> str:
        return str(int(self._functions[function].filter_on))

    @each(MEASURING, "[SENSe:]<function>:AVERage:COUNt", integer())
    def _set_filter_count(self, function: str, count: int) -> None:
        if not 1 <= count <= LARGEST_FILTER:
            raise ScpiError(-222, f"{count} readings; allowed: 1 to {LARGEST_FILTER}")
        self._functions[function].filter_count = count
        self._stop()

    @each(MEASURING, "[SENSe:]<function>:AVERage:COUNt?")
    def _filter_count(self, function: str) -> str:
        return str(self._functions[function].filter_count)

    @each(MEASURING, "[SENSe:]<function>:AVERage:TCONtrol", choice("REPeat|MOVing"))
    def _set_filter_kind(self, function: str, kind: str) -> None:
        self._functions[function].filter_kind = kind
        self._stop()

    @each(MEASURING, "[SENSe:]<function>:AVERage:TCONtrol?")
    def _filter_kind(self, function: str) -> str:
        return self._functions[function].filter_kind

    # Relative offset.

    @each(ALL, "[SENSe:]<function>:RELative", number(*_UNIT_SUFFIXES))
    def _set_relative(self, function: str, value: float) -> None:
        self._functions[function].relative = value

    @each(ALL, "[SENSe:]<function>:RELative?")
    def _relative(self, function: str) -> str:
        return general(self._functions[function].relative)

    @each(ALL, "[SENSe:]<function>:RELative:STATe", boolean())
    def _switch_relative(self, function: str, on: bool) -> None:
        self._functions[function].relative_on = on

    @each(ALL, "[SENSe:]<function>:RELative:STATe?")
    def _is_relative(self, function: str) -> str:
        return str(int(self._functions[function].relative_on))

    @each(ALL, "[SENSe:]<function>:RELative:ACQuire")
    def _acquire_relative(self, function: str) -> Answer:
        """Measure now, and take the reading as offset; only of the function in use."""
        if function != self._function:
            raise ScpiError(-221, f"the function in use is {self._function}, not {function}")
        interval, aperture = self._timing()
        start = self.clock.time

        def acquired() -> None:
            setting = self._setting
            setting.relative_on = False
            setting.relative = float(self._measure(np.array([start]), aperture)[0])

        return Pending(start + interval, acquired)

    # Mathematics.

    @each(ALL, "CALCulate<1-1>:<function>:MATH:STATe", boolean())
    def _switch_mathematics(self, _: str, __: int, on: bool) -> None:
        if on:
            raise ScpiError(-221, "scaling of readings is not simulated")

    @each(ALL, "CALCulate<1-1>:<function>:MATH:STATe?")
    def _mathematics(self, *_: object) -> str:
        return "0"

    # Delay and detector.

    @each(MEASURING, "[SENSe:]<function>:DELay:AUTO", boolean())
    def _set_auto_delay(self, function: str, on: bool) -> None:
        """The automatic delay of direct voltage and current is taken as 0 (from memory)."""
        self._functions[function].delay_auto = on

    @each(MEASURING, "[SENSe:]<function>:DELay:AUTO?")
    def _auto_delay(self, function: str) -> str:
        return "ON" if self._functions[function].delay_auto else "OFF"

    @each(ALL, "[SENSe:]<function>:DELay:USER<1-5>", number("S"))
    def _set_user_delay(self, function: str, place: int, seconds: float) -> None:
        if not 0 <= seconds <= LONGEST_DELAY:
            raise ScpiError(-222, f"delay {seconds:g} s; allowed: 0 to {LONGEST_DELAY:g} s")
        self._functions[function].delays[place] = seconds

    @each(ALL, "[SENSe:]<function>:DELay:USER<1-5>?")
    def _user_delay(self, function: str, place: int) -> str:
        return general(self._functions[function].delays.get(place, 0.0))

    @each(
        ALTERNATING, "[SENSe:]<function>:DETector:BANDwidth", number("HZ", words="MINimum|MAXimum")
    )
    def _set_band(self, function: str, given: float | str) -> None:
        words = {"MIN": 3.0, "MAX": 300.0}
        wanted = words[given] if isinstance(given, str) else given
        if wanted not in SETTLING:
            raise ScpiError(-222, f"{wanted:g} Hz; allowed: 3, 30, 300 Hz")
        self._functions[function].band = wanted
        self._stop()

    @each(ALTERNATING, "[SENSe:]<function>:DETector:BANDwidth?")
    def _band(self, function: str) -> str:
        return general(self._functions[function].band)
