"""What a DMM6500 measures, and how: functions, ranges, integration, filter, relative offset."""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.dmm6500_ranges import (
    ALL,
    ALTERNATING,
    ALTERNATING_INPUT,
    AUTO_STEP,
    AUTOMATIC,
    DIGITIZING,
    FASTEST,
    FEWEST_CYCLES,
    GATE,
    INTEGRATING,
    LONGEST_APERTURE,
    LONGEST_DIGITIZED,
    MEASURING,
    MOST_CYCLES,
    NOISE,
    PERIODIC,
    QUANTITY,
    RANGED,
    RANGES,
    SETTLING,
    SHORTEST_APERTURE,
    SHORTEST_DIGITIZED,
    SLOWEST,
)
from hil_instruments.simulated.dialects.functions import each
from hil_instruments.simulated.dialects.multimeter import Multimeter
from hil_instruments.simulated.metrology.converter import Converter, NoiseCurve
from hil_instruments.simulated.metrology.meter import Meter, Sensing
from hil_instruments.simulated.metrology.terminals import Terminals
from hil_instruments.simulated.scpi import (
    ScpiError,
    boolean,
    choice,
    integer,
    number,
    optional,
    scpi,
    string,
)

Values: TypeAlias = npt.NDArray[np.float64]

LARGEST_COUNT = 1_000_000
LARGEST_DIGITIZED = 55_000_000
_WORDS = "MINimum|MAXimum|DEFault"
_UNIT_SUFFIXES = ("A", "V", "OHM", "F")
_SPELLED = {"VOLTAGE": "VOLT", "CURRENT": "CURR", "RESISTANCE": "RES", "FRESISTANCE": "FRES"}


def general(value: float) -> str:
    """Write a setting as this instrument does: six digits, no needless zeros."""
    return f"{value:.6G}"


@dataclass(slots=True)
class Setting(Sensing):
    """How one function measures."""

    aperture: float = 0.02
    """Integration time in s; for alternating quantities the time of a reading."""
    zero: bool = True
    high_impedance: bool = True
    relative: float = 0.0
    relative_on: bool = False
    filter_on: bool = False
    filter_count: int = 10
    filter_kind: str = "REP"
    band: float = 3.0
    rate: float = FASTEST
    aperture_auto: bool = True
    delay_auto: bool = True
    delays: dict[int, float] = field(default_factory=dict)


class Dmm6500Sense(Multimeter):
    """Measurement functions and their settings."""

    ALTERNATING_INPUT, AUTO_STEP = ALTERNATING_INPUT, AUTO_STEP

    def __init__(
        self, entry: InstrumentEntry, world: World, seed: int, mains: float = 50.0
    ) -> None:
        """Draw the fixed errors.

        Args:
            entry: as in the bench file; its role says which terminals are wired.
            world: the bench.
            seed: of fixed errors and noise.
            mains: line frequency in Hz that it found at power-on, 50 or 60.
        """
        super().__init__(entry, world.clock)
        self._mains = mains
        self._converter = Converter(RANGES, NoiseCurve(NOISE), seed)
        self._meter = Meter(Terminals(world, entry.role), self._converter)
        self.preset()

    def preset(self) -> None:
        """Return to the state after *RST: direct volts, autoranging, one line cycle."""
        self._functions = {function: self._default(function) for function in ALL}
        self._count, self._digitize_count = 1, 1
        self._select("VOLT:DC")

    def _default(self, function: str) -> Setting:
        scales = self._converter.scales[function]
        if function in DIGITIZING:
            return Setting(scales[-1], auto=False, aperture=SHORTEST_DIGITIZED, zero=False)
        aperture = GATE[2] if function in PERIODIC else 1 / self._mains
        return Setting(scales[-1], function in AUTOMATIC, aperture)

    @abstractmethod
    def _stop(self) -> None:
        """Stop measuring, as a change of configuration does."""

    # Functions.

    def _select(self, function: str) -> None:
        self._stop()
        self._function, self._setting = function, self._functions[function]
        self._connect()

    @property
    def _digitizes(self) -> bool:
        return self._function in DIGITIZING

    @property
    def _quantity(self) -> str:
        return QUANTITY.get(self._function, "")

    @property
    def _sensing(self) -> Sensing:
        return self._setting

    @property
    def _direct(self) -> bool:
        return self._setting.high_impedance

    def _changed(self) -> None:
        self._stop()
        self._connect()

    @scpi("[SENSe:]FUNCtion[:ON]", string())
    def _set_function(self, name: str) -> None:
        self._select(_named(name, MEASURING))

    @scpi("[SENSe:]FUNCtion[:ON]?")
    def _function_in_use(self) -> str:
        # Without quotes: so real units answered PyMeasure and QCoDeS (a DMM7510 writes them).
        return "NONE" if self._digitizes else self._function

    @scpi("[SENSe:]DIGitize:FUNCtion[:ON]", string())
    def _set_digitize(self, name: str) -> None:
        self._select(_named(f"DIG:{name}", DIGITIZING))

    @scpi("[SENSe:]DIGitize:FUNCtion[:ON]?")
    def _digitize_in_use(self) -> str:
        return self._function[4:] if self._digitizes else "NONE"

    @scpi("[SENSe:]COUNt", integer(_WORDS))
    def _set_count(self, given: int | str) -> None:
        self._count = _counted(given, LARGEST_COUNT)

    @scpi("[SENSe:]COUNt?")
    def _count_in_use(self) -> str:
        return str(self._count)

    @scpi("[SENSe:]DIGitize:COUNt", integer(_WORDS))
    def _set_digitize_count(self, given: int | str) -> None:
        self._digitize_count = _counted(given, LARGEST_DIGITIZED)

    @scpi("[SENSe:]DIGitize:COUNt?")
    def _digitize_count_in_use(self) -> str:
        return str(self._digitize_count)

    # Range.

    @each(RANGED, "[SENSe:]<function>:RANGe[:UPPer]", number(*_UNIT_SUFFIXES, words=_WORDS))
    @each(PERIODIC, "[SENSe:]<function>:THReshold:RANGe[:UPPer]", number("V", words=_WORDS))
    def _set_range(self, function: str, wanted: float | str) -> None:
        setting, scales = self._functions[function], self._converter.scales[function]
        if isinstance(wanted, str):
            setting.scale = scales[0 if wanted == "MIN" else -1]
        else:
            scale = self._converter.scale(function, abs(wanted))
            if scale is None:
                largest = scales[-1].range.full_scale
                raise ScpiError(-222, f"range {wanted:g}; allowed: up to {largest:g}")
            setting.scale = scale
        setting.auto = False
        self._changed()

    @each(RANGED, "[SENSe:]<function>:RANGe[:UPPer]?", optional(choice(_WORDS)))
    @each(PERIODIC, "[SENSe:]<function>:THReshold:RANGe[:UPPer]?", optional(choice(_WORDS)))
    def _range_in_use(self, function: str, word: str = "") -> str:
        scales = self._converter.scales[function]
        known = {"MIN": scales[0], "MAX": scales[-1], "DEF": scales[-1]}
        return general(known.get(word, self._functions[function].scale).range.full_scale)

    @each(AUTOMATIC, "[SENSe:]<function>:RANGe:AUTO", boolean())
    @each(PERIODIC, "[SENSe:]<function>:THReshold:RANGe:AUTO", boolean())
    def _set_auto(self, function: str, on: bool) -> None:
        self._functions[function].auto = on
        self._changed()

    @each(AUTOMATIC, "[SENSe:]<function>:RANGe:AUTO?")
    @each(PERIODIC, "[SENSe:]<function>:THReshold:RANGe:AUTO?")
    def _is_auto(self, function: str) -> str:
        return str(int(self._functions[function].auto))

    # Integration time.

    @each(INTEGRATING, "[SENSe:]<function>:NPLCycles", number(words=_WORDS))
    def _set_cycles(self, function: str, given: float | str) -> None:
        most = MOST_CYCLES[self._mains]
        words = {"MIN": FEWEST_CYCLES, "MAX": most, "DEF": 1.0}
        cycles = words[given] if isinstance(given, str) else given
        if not FEWEST_CYCLES <= cycles <= most:
            raise ScpiError(-222, f"{cycles:g} line cycles; allowed: {FEWEST_CYCLES} to {most:g}")
        self._functions[function].aperture = cycles / self._mains
        self._stop()

    @each(INTEGRATING, "[SENSe:]<function>:NPLCycles?", optional(choice(_WORDS)))
    def _cycles_in_use(self, function: str, word: str = "") -> str:
        words = {"MIN": FEWEST_CYCLES, "MAX": MOST_CYCLES[self._mains], "DEF": 1.0}
        return general(words.get(word, self._functions[function].aperture * self._mains))

    def _apertures(self, function: str) -> dict[str, float]:
        if function in PERIODIC:
            return dict(zip(("MIN", "MAX", "DEF"), GATE, strict=True))
        if function in DIGITIZING:
            longest = 1 / self._functions[function].rate
            return {"MIN": SHORTEST_DIGITIZED, "MAX": longest, "DEF": SHORTEST_DIGITIZED}
        shortest, longest = SHORTEST_APERTURE[self._mains], LONGEST_APERTURE[self._mains]
        return {"MIN": shortest, "MAX": longest, "DEF": 1 / self._mains}

    @each(
        {**INTEGRATING, **PERIODIC, **DIGITIZING},
        "[SENSe:]<function>:APERture",
        number("S", words=f"{_WORDS}|AUTO"),
    )
    def _set_aperture(self, function: str, given: float | str) -> None:
        setting, limits = self._functions[function], self._apertures(function)
        setting.aperture_auto = given == "AUTO"
        seconds = limits["MAX" if given == "AUTO" else given] if isinstance(given, str) else given
        if not limits["MIN"] <= seconds <= limits["MAX"] * (1 + 1e-9):
            allowed = f"{limits['MIN']:g} to {limits['MAX']:g} s"
            raise ScpiError(-222, f"aperture {seconds:g} s; allowed: {allowed}")
        setting.aperture = seconds
        self._stop()

    @each(
        {**INTEGRATING, **PERIODIC, **DIGITIZING},
        "[SENSe:]<function>:APERture?",
        optional(choice(_WORDS)),
    )
    def _aperture_in_use(self, function: str, word: str = "") -> str:
        setting = self._functions[function]
        if function in DIGITIZING and setting.aperture_auto and not word:
            return "AUTO"
        return general(self._apertures(function).get(word, setting.aperture))

    @each(DIGITIZING, "[SENSe:]<function>:SRATe", number("HZ", words=_WORDS))
    def _set_rate(self, function: str, given: float | str) -> None:
        words = {"MIN": SLOWEST, "MAX": FASTEST, "DEF": FASTEST}
        rate = words[given] if isinstance(given, str) else float(round(given))
        if not SLOWEST <= rate <= FASTEST:
            raise ScpiError(-222, f"{rate:g} readings/s; allowed: {SLOWEST:g} to {FASTEST:g}")
        setting = self._functions[function]
        setting.rate = rate
        if not setting.aperture_auto and setting.aperture > 1 / rate:
            setting.aperture_auto = True
        self._stop()

    @each(DIGITIZING, "[SENSe:]<function>:SRATe?")
    def _rate_in_use(self, function: str) -> str:
        return general(self._functions[function].rate)

    def _timing(self) -> tuple[float, float]:
        """Interval from reading to reading and aperture, in s."""
        setting = self._setting
        if self._digitizes:
            interval = 1 / setting.rate
            auto = min(math.floor(interval * 1e6 + 1e-6) * 1e-6, LONGEST_DIGITIZED)
            return interval, auto if setting.aperture_auto else setting.aperture
        if self._function in ALTERNATING:
            return SETTLING[setting.band], SETTLING[setting.band]
        averaged = setting.filter_count if self._repeats else 1
        return setting.aperture * averaged * (2 if setting.zero else 1), setting.aperture * averaged

    @property
    def _repeats(self) -> bool:
        return self._setting.filter_on and self._setting.filter_kind == "REP"

    # Readings.

    def _measure(self, starts: Values, aperture: float) -> Values:
        """Readings of the function in use, one for each aperture."""
        setting = self._setting
        before = setting.scale
        cycles, quantity = aperture * self._mains, self._quantity
        if len(starts) == 1:
            start = float(starts[0])
            values = np.array([self._meter.one(quantity, setting, cycles, start, aperture)])
        else:
            values = self._meter.many(quantity, setting, cycles, starts, aperture)
        if setting.scale is not before:
            self._connect()
        if setting.filter_on and setting.filter_kind == "MOV":
            values = _moving(values, setting.filter_count)
        return values - setting.relative if setting.relative_on else values


def _moving(values: Values, count: int) -> Values:
    """Average each reading with those before it, at most `count` of them."""
    sums = np.cumsum(np.concatenate(([0.0], values)))
    places = np.arange(1, len(values) + 1)
    first = np.maximum(places - count, 0)
    moved: Values = (sums[places] - sums[first]) / (places - first)
    return moved


def _named(name: str, allowed: dict[str, str]) -> str:
    """Return the function that a string names, in any of its spellings."""
    spelled = name.upper()
    for long, short in _SPELLED.items():
        spelled = spelled.replace(long, short)
    for form in (spelled, f"{spelled}:DC", f"{spelled}:VOLT"):
        if form in allowed:
            return form
    shown = ", ".join(each.removeprefix("DIG:") for each in allowed)
    raise ScpiError(-224, f"function {name!r}; allowed: {shown}")


def _counted(given: int | str, largest: int) -> int:
    words = {"MIN": 1, "MAX": largest, "DEF": 1}
    count = words[given] if isinstance(given, str) else given
    if not 1 <= count <= largest:
        raise ScpiError(-222, f"{count} readings; allowed: 1 to {largest}")
    return count
