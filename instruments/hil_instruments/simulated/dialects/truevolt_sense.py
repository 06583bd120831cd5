"""What a Truevolt multimeter measures, and how: function, range, integration, input."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.functions import each
from hil_instruments.simulated.dialects.multimeter import Multimeter
from hil_instruments.simulated.dialects.truevolt_ranges import (
    ALTERNATING,
    ALTERNATING_INPUT,
    APERTURE_STEP,
    AUTO_STEP,
    COUNTING_GATES,
    DIGITIZING_CYCLES,
    FUNCTIONS,
    GATES,
    INTEGRATING,
    LINE_CYCLES,
    LINE_PERIOD,
    LONGEST_APERTURE,
    PERIODIC,
    RANGE_WORDS,
    RANGED,
    RANGES,
    RESOLUTIONS,
    SETTING_WORDS,
    SHORTEST_APERTURE,
    SHORTEST_DIGITIZING,
    UNIT_SUFFIXES,
)
from hil_instruments.simulated.metrology.converter import (
    Converter,
    NoiseCurve,
)
from hil_instruments.simulated.metrology.meter import Meter, Sensing
from hil_instruments.simulated.metrology.terminals import Terminals
from hil_instruments.simulated.scpi import ScpiError, boolean, choice, number, optional, scientific

Values: TypeAlias = npt.NDArray[np.float64]


@dataclass(slots=True)
class Setting(Sensing):
    """How one function measures."""

    cycles: float = 10.0
    """Integration time in line cycles; holds unless `aperture` is set."""
    aperture: float | None = None
    """Integration time in s where it was given so."""
    zero: bool = True
    """Whether every reading measures the zero as well."""
    high_impedance: bool = False
    null: float = 0.0
    null_on: bool = False
    lowest: float = 20.0
    """Lowest frequency in Hz of an alternating quantity."""
    gate: float = 0.1
    """Seconds over which a frequency is counted."""

    @property
    def seconds(self) -> float:
        """Integration time in s."""
        return self.cycles * LINE_PERIOD if self.aperture is None else self.aperture

    @property
    def duration(self) -> float:
        """Integration time in line cycles, however it was given."""
        return self.cycles if self.aperture is None else self.aperture / LINE_PERIOD


class TruevoltSense(Multimeter):
    """Measurement functions and their settings."""

    no_error = '+0,"No error"'
    ALTERNATING_INPUT, AUTO_STEP = ALTERNATING_INPUT, AUTO_STEP
    digitizes = False
    """Whether option DIG is installed."""

    def whole(self, number: int) -> str:
        """Write the content of a register, with its sign."""
        return f"{number:+d}"

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Draw the fixed errors.

        Args:
            entry: as in the bench file; its role says which terminals are wired.
            world: the bench.
            seed: of fixed errors and noise.
        """
        super().__init__(entry, world.clock)
        points = tuple(zip(LINE_CYCLES, RESOLUTIONS, strict=True))
        self._converter = Converter(RANGES, NoiseCurve(points), seed)
        self._meter = Meter(Terminals(world, entry.role), self._converter)
        self.preset()

    def preset(self) -> None:
        """Return to the state after *RST: direct volts, autoranging, 10 line cycles."""
        self._settings = {function: self._default(function) for function in FUNCTIONS}
        self._select("VOLT")

    def _default(self, function: str) -> Setting:
        scales = self._converter.scales[function]
        return Setting(scales[-2] if len(scales) > 1 else scales[-1])

    @abstractmethod
    def _forget(self) -> None:
        """Stop sampling and empty the memory, as every change of configuration does."""

    # Function, range and input.

    @property
    def _quantity(self) -> str:
        return self._function

    @property
    def _sensing(self) -> Sensing:
        return self._setting

    @property
    def _direct(self) -> bool:
        return self._setting.high_impedance

    def _select(self, function: str) -> None:
        self._function, self._setting = function, self._settings[function]
        self._connect()
        self._forget()

    def _set_range(self, function: str, wanted: float | str) -> None:
        setting = self._settings[function]
        scales = self._converter.scales[function]
        if wanted in {"DEF", "AUTO"}:
            setting.auto = True
        elif isinstance(wanted, str):
            setting.auto, setting.scale = False, scales[0 if wanted == "MIN" else -1]
        else:
            scale = self._converter.scale(function, abs(wanted))
            if scale is None:
                largest = scales[-1].range.full_scale
                raise ScpiError(-222, f"range {wanted:g}; allowed: up to {largest:g}")
            setting.auto, setting.scale = False, scale
        self._changed()

    def _changed(self) -> None:
        self._connect()
        self._forget()

    @each(RANGED, "[SENSe:]<function>:RANGe[:UPPer]", number(*UNIT_SUFFIXES, words=RANGE_WORDS))
    def _choose_range(self, function: str, wanted: float | str) -> None:
        self._set_range(function, wanted)

    @each(RANGED, "[SENSe:]<function>:RANGe[:UPPer]?", optional(choice(SETTING_WORDS)))
    def _range_in_use(self, function: str, word: str = "") -> str:
        scales = self._converter.scales[function]
        known = {"MIN": scales[0], "MAX": scales[-1], "DEF": self._default(function).scale}
        scale = known.get(word, self._settings[function].scale)
        return scientific(scale.range.full_scale)

    @each(PERIODIC, "[SENSe:]<function>:VOLTage:RANGe:AUTO", choice("ON|OFF|ONCE|1|0"))
    @each(RANGED, "[SENSe:]<function>:RANGe:AUTO", choice("ON|OFF|ONCE|1|0"))
    def _choose_auto(self, function: str, word: str) -> None:
        setting = self._settings[function]
        if word == "ONCE" and function == self._function:
            self._meter.rerange(function, setting)
        setting.auto = word in {"ON", "1"}
        self._changed()

    @each(PERIODIC, "[SENSe:]<function>:VOLTage:RANGe:AUTO?")
    @each(RANGED, "[SENSe:]<function>:RANGe:AUTO?")
    def _is_auto(self, function: str) -> str:
        return str(int(self._settings[function].auto))

    # Integration time.

    def _reading_time(self) -> float:
        """Seconds that one reading takes; auto zero measures twice."""
        setting = self._setting
        seconds = self._aperture_now()
        return seconds * 2 if setting.zero and self._function in INTEGRATING else seconds

    def _aperture_now(self) -> float:
        """Seconds of the reading over which the input is averaged."""
        if self._function in PERIODIC:
            return self._setting.gate
        return (
            GATES[self._setting.lowest] if self._function in ALTERNATING else self._setting.seconds
        )

    def _cycles(self) -> tuple[float, ...]:
        return LINE_CYCLES if self.digitizes else LINE_CYCLES[DIGITIZING_CYCLES:]

    def _apertures(self) -> dict[str, float]:
        shortest = SHORTEST_DIGITIZING if self.digitizes else SHORTEST_APERTURE
        return {"MIN": shortest, "MAX": LONGEST_APERTURE, "DEF": 0.1}

    @each(INTEGRATING, "[SENSe:]<function>:APERture", number("S", words=SETTING_WORDS))
    def _set_aperture(self, function: str, given: float | str) -> None:
        limits = self._apertures()
        seconds = limits[given] if isinstance(given, str) else given
        if not limits["MIN"] * (1 - 1e-9) <= seconds <= limits["MAX"]:
            allowed = f"{limits['MIN']:g} to {limits['MAX']:g} s"
            raise ScpiError(-222, f"aperture {seconds:g} s; allowed: {allowed}")
        self._integrate(function, round(seconds / APERTURE_STEP) * APERTURE_STEP, None)

    @each(INTEGRATING, "[SENSe:]<function>:APERture?", optional(choice(SETTING_WORDS)))
    def _aperture_in_use(self, function: str, word: str = "") -> str:
        return scientific(self._apertures().get(word, self._settings[function].seconds))

    @each(INTEGRATING, "[SENSe:]<function>:APERture:ENABled", boolean())
    def _enable_aperture(self, function: str, on: bool) -> None:
        setting = self._settings[function]
        self._integrate(function, setting.seconds if on else None, setting.cycles)

    @each(INTEGRATING, "[SENSe:]<function>:APERture:ENABled?")
    def _aperture_enabled(self, function: str) -> str:
        return str(int(self._settings[function].aperture is not None))

    @each(INTEGRATING, "[SENSe:]<function>:NPLCycles", number(words=SETTING_WORDS))
    def _set_cycles(self, function: str, given: float | str) -> None:
        known = self._cycles()
        words = {"MIN": known[0], "MAX": known[-1], "DEF": 10.0}
        wanted = words[given] if isinstance(given, str) else given
        if not 0 < wanted <= known[-1]:
            raise ScpiError(-222, f"{wanted:g} line cycles; allowed: {known}")
        self._integrate(function, None, min(each for each in known if each >= wanted * (1 - 1e-9)))

    @each(INTEGRATING, "[SENSe:]<function>:NPLCycles?", optional(choice(SETTING_WORDS)))
    def _cycles_in_use(self, function: str, word: str = "") -> str:
        known = self._cycles()
        limits = {"MIN": known[0], "MAX": known[-1], "DEF": 10.0}
        return scientific(limits.get(word, self._settings[function].duration))

    def _integrate(self, function: str, seconds: float | None, cycles: float | None) -> None:
        """Set the integration time; under one line cycle there is no auto zero."""
        setting = self._settings[function]
        setting.aperture = seconds
        setting.cycles = cycles or setting.cycles
        setting.zero = setting.zero and setting.seconds >= LINE_PERIOD
        self._forget()

    @each(RANGED, "[SENSe:]<function>:RESolution", number(*UNIT_SUFFIXES, words=SETTING_WORDS))
    def _set_resolution(self, function: str, given: float | str) -> None:
        setting = self._settings[function]
        if setting.auto and not isinstance(given, str):
            raise ScpiError(-221, "a resolution needs a fixed range; autoranging is on")
        words = {"MIN": RESOLUTIONS[-1], "MAX": 0.0, "DEF": RESOLUTIONS[-2]}
        full = setting.scale.range.full_scale
        share = words[given] if isinstance(given, str) else given / full
        known = dict(zip(LINE_CYCLES, RESOLUTIONS, strict=True))
        fine = [each for each in self._cycles() if known[each] <= share * (1 + 1e-3)]
        if not fine and given != "MAX":
            raise ScpiError(
                -222, f"resolution {given}; allowed: {RESOLUTIONS[-1] * full:g} or more"
            )
        self._integrate(function, None, min(fine, default=self._cycles()[0]))

    @each(RANGED, "[SENSe:]<function>:RESolution?")
    def _resolution(self, function: str) -> str:
        setting = self._settings[function]
        place = next(n for n, each in enumerate(LINE_CYCLES) if each >= setting.duration * 0.999)
        return scientific(RESOLUTIONS[place] * setting.scale.range.full_scale)

    # Zero, input, null, bandwidth.

    @each(INTEGRATING, "[SENSe:]<function>:ZERO:AUTO", choice("ON|OFF|ONCE|1|0"))
    def _set_auto_zero(self, function: str, word: str) -> None:
        self._settings[function].zero = word in {"ON", "1"}
        self._forget()

    @each(INTEGRATING, "[SENSe:]<function>:ZERO:AUTO?")
    def _auto_zero(self, function: str) -> str:
        return str(int(self._settings[function].zero))

    @each({"VOLT": "[SENSe:]VOLTage[:DC]", "INP": "INPut"}, "<function>:IMPedance:AUTO", boolean())
    def _set_impedance(self, _: str, on: bool) -> None:
        """ON is > 10 Gohm on the ranges up to 10 V; OFF is 10 Mohm on all."""
        self._settings["VOLT"].high_impedance = on
        self._changed()

    @each({"VOLT": "[SENSe:]VOLTage[:DC]", "INP": "INPut"}, "<function>:IMPedance:AUTO?")
    def _impedance(self, _: str) -> str:
        return str(int(self._settings["VOLT"].high_impedance))

    @each(FUNCTIONS, "[SENSe:]<function>:NULL[:STATe]", boolean())
    def _set_null(self, function: str, on: bool) -> None:
        self._settings[function].null_on = on
        self._forget()

    @each(FUNCTIONS, "[SENSe:]<function>:NULL[:STATe]?")
    def _is_null(self, function: str) -> str:
        return str(int(self._settings[function].null_on))

    @each(FUNCTIONS, "[SENSe:]<function>:NULL:VALue", number(*UNIT_SUFFIXES))
    def _set_null_value(self, function: str, value: float) -> None:
        self._settings[function].null = value
        self._forget()

    @each(FUNCTIONS, "[SENSe:]<function>:NULL:VALue?")
    def _null_value(self, function: str) -> str:
        return scientific(self._settings[function].null)

    @each(ALTERNATING, "[SENSe:]<function>:BANDwidth", number("HZ", words=SETTING_WORDS))
    def _set_band(self, function: str, given: float | str) -> None:
        words = {"MIN": 3.0, "MAX": 200.0, "DEF": 20.0}
        wanted = words[given] if isinstance(given, str) else given
        if wanted < 3:
            raise ScpiError(-222, f"{wanted:g} Hz; allowed: 3, 20, 200 Hz")
        self._settings[function].lowest = max(each for each in GATES if each <= wanted)
        self._forget()

    @each(ALTERNATING, "[SENSe:]<function>:BANDwidth?")
    def _band(self, function: str) -> str:
        return scientific(self._settings[function].lowest)

    @each(PERIODIC, "[SENSe:]<function>:APERture", number("S", words=SETTING_WORDS))
    def _set_gate(self, function: str, given: float | str) -> None:
        words = {"MIN": COUNTING_GATES[0], "MAX": COUNTING_GATES[-1], "DEF": 0.1}
        wanted = words[given] if isinstance(given, str) else given
        if not COUNTING_GATES[0] <= wanted <= COUNTING_GATES[-1]:
            raise ScpiError(-222, f"gate {wanted:g} s; allowed: {COUNTING_GATES}")
        self._settings[function].gate = min(each for each in COUNTING_GATES if each >= wanted)
        self._forget()

    @each(PERIODIC, "[SENSe:]<function>:APERture?")
    def _gate(self, function: str) -> str:
        return scientific(self._settings[function].gate)

    # Readings.

    def _measure_one(self, start: float, aperture: float) -> float:
        """One reading of the function in use."""
        setting = self._setting
        before = setting.scale
        value = self._meter.one(self._function, setting, setting.duration, start, aperture)
        if setting.scale is not before:
            self._connect()
        return value - setting.null if setting.null_on else value

    def _measure(self, starts: Values, aperture: float) -> Values:
        """Readings of the function in use, one for each aperture."""
        setting = self._setting
        before = setting.scale
        values = self._meter.many(self._function, setting, setting.duration, starts, aperture)
        if setting.scale is not before:
            self._connect()
        return values - setting.null if setting.null_on else values
