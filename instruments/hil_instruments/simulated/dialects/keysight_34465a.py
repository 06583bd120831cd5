"""Dialect of the Keysight 34465A multimeter.

Truevolt Series Operating and Service Guide. What is modelled: voltage and current, direct and
alternating, with autoranging, overload, aperture average, errors inside the one-year accuracy,
noise by integration time, input resistance and shunt; sample timer, triggers (immediate, bus,
level), pre-trigger, reading memory and its overflow. Without options it takes 5 000 readings/s and
keeps 50 000; option DIG brings 50 000 readings/s, level trigger and pre-trigger, MEM 2 000 000.

What is not: temperature, ageing, settling of the input after a range change, scaling and limits,
the 10 A terminals, secondary measurements. Resistance, diode and capacitance read overload: nothing
that they could measure is wired.
"""

from __future__ import annotations

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.calendars import KeysightCalendar
from hil_instruments.simulated.dialects.functions import each
from hil_instruments.simulated.dialects.truevolt_memory import TruevoltMemory
from hil_instruments.simulated.dialects.truevolt_ranges import (
    FUNCTIONS,
    LINE_PERIOD,
    PERIODIC,
    RANGE_WORDS,
    RANGED,
    SETTING_WORDS,
    UNIT_SUFFIXES,
)
from hil_instruments.simulated.dialects.truevolt_trigger import LARGE_MEMORY, MEMORY
from hil_instruments.simulated.scpi import (
    Answer,
    ScpiError,
    boolean,
    choice,
    number,
    optional,
    scientific,
    scpi,
    string,
)

OPTIONS = ("DIG", "MEM")
LONGEST_TEXT = 40
"""Letters that the display shows."""
_NAMES = {
    spelling: function
    for function in FUNCTIONS
    for spelling in (function, *((f"{function}:DC",) if function in {"VOLT", "CURR"} else ()))
}
_LONG = {"VOLTAGE": "VOLT", "CURRENT": "CURR", "RESISTANCE": "RES", "FRESISTANCE": "FRES"}
_SPOKEN = {"VOLT": "VOLTage[:DC]", **FUNCTIONS}
_MEASURED = {f: nodes for f, nodes in FUNCTIONS.items() if f in RANGED}
_PLAIN = {f: nodes for f, nodes in FUNCTIONS.items() if f not in RANGED}


class Keysight34465A(TruevoltMemory, KeysightCalendar):
    """The whole multimeter."""

    firmware = "A.02.14-02.40-02.14-00.49-03-01"

    def __init__(
        self, entry: InstrumentEntry, world: World, seed: int, options: tuple[str, ...] = ()
    ) -> None:
        """Power on.

        Args:
            entry: as in the bench file; its role says which terminals are wired.
            world: the bench.
            seed: of fixed errors and noise.
            options: installed ones of OPTIONS.
        """
        self.options = tuple(option for option in OPTIONS if option in options)
        self.digitizes = "DIG" in options
        self.memory_size = LARGE_MEMORY if "MEM" in options else MEMORY
        self._shown, self._text_shown, self._beeps = True, "", True
        super().__init__(entry, world, seed)

    # One command for function, range and trigger.

    def _configure(
        self, function: str, wanted: float | str = "DEF", fine: float | str = "DEF"
    ) -> None:
        if not isinstance(fine, str) and isinstance(wanted, str) and wanted in {"AUTO", "DEF"}:
            raise ScpiError(-221, "a resolution needs a fixed range; autoranging is asked for")
        self._trigger_preset()
        self._settings[function] = self._default(function)
        self._select(function)
        if function in RANGED:
            self._set_range(function, wanted)
            if fine != "DEF":
                self._set_resolution(function, fine)

    @each(
        _MEASURED,
        "CONFigure:<function>",
        optional(number(*UNIT_SUFFIXES, words=RANGE_WORDS)),
        optional(number(*UNIT_SUFFIXES, words=SETTING_WORDS)),
    )
    @each(_PLAIN, "CONFigure:<function>", optional(number(words=RANGE_WORDS)), optional(number()))
    def _configure_function(self, function: str, *given: float | str) -> None:
        self._configure(function, *given)

    @scpi(
        "CONFigure[:DC]",
        optional(number("V", words=RANGE_WORDS)),
        optional(number("V", words=SETTING_WORDS)),
    )
    def _configure_voltage(self, *given: float | str) -> None:
        self._configure("VOLT", *given)

    @scpi("CONFigure?")
    def _configuration(self) -> str:
        scale = self._setting.scale.range.full_scale
        return f'"{self._function} {scientific(scale)},{self._resolution_now()}"'

    def _resolution_now(self) -> str:
        return self._resolution(self._function) if self._function in RANGED else scientific(0.0)

    @each(
        _MEASURED,
        "MEASure:<function>?",
        optional(number(*UNIT_SUFFIXES, words=RANGE_WORDS)),
        optional(number(*UNIT_SUFFIXES, words=SETTING_WORDS)),
    )
    @each(
        _PLAIN,
        "MEASure:<function>?",
        optional(number(words=RANGE_WORDS)),
        optional(number(words=SETTING_WORDS)),
    )
    def _measure_function(self, function: str, *given: float | str) -> Answer:
        self._configure(function, *given)
        return self._read_out()

    @scpi(
        "MEASure[:DC]?",
        optional(number("V", words=RANGE_WORDS)),
        optional(number("V", words=SETTING_WORDS)),
    )
    def _measure_voltage(self, *given: float | str) -> Answer:
        self._configure("VOLT", *given)
        return self._read_out()

    @scpi("[SENSe:]FUNCtion[:ON]", string())
    def _set_function(self, name: str) -> None:
        spelled = name.upper()
        for long, short in _LONG.items():
            spelled = spelled.replace(long, short)
        if spelled not in _NAMES:
            raise ScpiError(-224, f"function {name!r}; allowed: {', '.join(FUNCTIONS)}")
        self._select(_NAMES[spelled])

    @scpi("[SENSe:]FUNCtion[:ON]?")
    def _function_in_use(self) -> str:
        return f'"{self._function}"'

    @each(PERIODIC, "[SENSe:]<function>:VOLTage:RANGe[:UPPer]", number("V", words=RANGE_WORDS))
    def _choose_signal_range(self, function: str, wanted: float | str) -> None:
        self._set_range(function, wanted)

    @each(PERIODIC, "[SENSe:]<function>:VOLTage:RANGe[:UPPer]?")
    def _signal_range(self, function: str) -> str:
        return scientific(self._settings[function].scale.range.full_scale)

    @scpi("[SENSe:]CURRent[:DC]:TERMinals", choice("3|10"))
    def _choose_terminals(self, ampere: str) -> None:
        if ampere == "10":
            raise ScpiError(-221, "the 10 A terminals are not wired; only 3 is simulated")

    @scpi("[SENSe:]CURRent[:DC]:TERMinals?")
    def _terminals_in_use(self) -> str:
        return "+3"

    @scpi("ROUTe:TERMinals?")
    def _front(self) -> str:
        return "FRON"

    # System and display.

    @scpi("*OPT?")
    def _installed(self) -> str:
        return ",".join(self.options) or "0"

    @scpi("SYSTem:LICense:CATalog?")
    def _licences(self) -> str:
        return ",".join(f'"{option}"' for option in self.options) or '""'

    @scpi("SYSTem:LFRequency?")
    def _mains(self) -> str:
        return f"{round(1 / LINE_PERIOD):+d}"

    @scpi("SYSTem:PRESet")
    def _preset(self) -> None:
        self.preset()

    @scpi("SYSTem:LOCal")
    @scpi("SYSTem:REMote")
    @scpi("SYSTem:RWLock")
    @scpi("SYSTem:BEEPer[:IMMediate]")
    def _ignore(self) -> None:
        """Nothing that the wire could tell."""

    @scpi("SYSTem:BEEPer:STATe", boolean())
    def _set_beeper(self, on: bool) -> None:
        self._beeps = on

    @scpi("SYSTem:BEEPer:STATe?")
    def _beeper(self) -> str:
        return str(int(self._beeps))

    @scpi("DISPlay[:STATe]", boolean())
    def _show(self, on: bool) -> None:
        self._shown = on

    @scpi("DISPlay[:STATe]?")
    def _is_shown(self) -> str:
        return str(int(self._shown))

    @scpi("DISPlay:TEXT[:DATA]", string())
    def _show_text(self, text: str) -> None:
        self._text_shown = text[:LONGEST_TEXT]

    @scpi("DISPlay:TEXT[:DATA]?")
    def _shown_text(self) -> str:
        return f'"{self._text_shown}"'

    @scpi("DISPlay:TEXT:CLEar")
    def _clear_text(self) -> None:
        self._text_shown = ""

    # Statistics of what is in memory.

    @scpi("CALCulate:AVERage[:STATe]", boolean())
    def _set_statistics(self, on: bool) -> None:
        """The statistics are always at hand; switching them changes nothing on the wire."""

    @scpi("CALCulate:AVERage[:STATe]?")
    def _statistics_on(self) -> str:
        return "1"

    @scpi("CALCulate:AVERage:ALL?")
    def _statistics(self) -> str:
        return ",".join(map(scientific, self._figures()[:4]))

    @scpi("CALCulate:AVERage:COUNt?")
    def _statistics_count(self) -> str:
        return scientific(self._figures()[4])

    def _figures(self) -> tuple[float, float, float, float, float]:
        """Mean, standard deviation, least, largest, count."""
        self._gather()
        count = len(self._memory)
        if not count:
            raise ScpiError(-230, "no reading since the last change of configuration")
        values = self._memory.values(0, count)
        least, most = float(values.min()), float(values.max())
        return float(values.mean()), float(values.std()), least, most, float(count)
