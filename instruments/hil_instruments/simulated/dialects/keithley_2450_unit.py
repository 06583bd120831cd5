"""Source and meter of a Keithley 2450 as its commands see them: levels, limits, readings.

Ref: Model 2450 Reference Manual, 2450-901-01 rev. B ("RM").
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.keithley_2450_buffer import (
    ELEMENTS,
    Buffer,
    Reading,
)
from hil_instruments.simulated.dialects.keithley_2450_parts import (
    Meter,
    MeterPart,
    Source,
    SourcePart,
)
from hil_instruments.simulated.dialects.keithley_2450_ranges import (
    AUTO_DELAY,
    OHMS,
    OVERRANGE,
    SHORTEST_DELAY,
    SOURCES,
)
from hil_instruments.simulated.dialects.keithley_2450_settings import (
    LINE_FREQUENCY,
    PROTECTIONS,
    SETTINGS,
)
from hil_instruments.simulated.dialects.settings import (
    Setting,
    SettledInstrument,
    Value,
)
from hil_instruments.simulated.dialects.sourcing import SourceRange, range_of
from hil_instruments.simulated.scpi import (
    Answer,
    Pending,
    ScpiError,
    boolean,
    choice,
    optional,
    scpi,
    string,
)

OVERHEAD = 1.5e-3
"""Seconds that a reading takes beside its apertures. From memory."""
AUTOZERO_APERTURES = 3
"""Apertures of a reading with autozero: signal, reference and zero. From memory."""
_NAMES = {"VOLT": "VOLT:DC", "CURR": "CURR:DC", "RES": "RES"}
BUFFER = optional(string())
ELEMENTS_ASKED = [optional(choice(ELEMENTS))] * ELEMENTS.count("|")
FIRST_BUFFER = "defbuffer1"


class SourceMeasureUnit(SettledInstrument):
    """What sources and what measures; sweeps and buffers are added by the model."""

    SETTINGS: ClassVar[Mapping[str, Setting]] = SETTINGS

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Draw the fixed errors and begin with the output off.

        Args:
            entry: as in the bench file.
            world: the bench, whose device has only a circuit.
            seed: of fixed errors and of noise.
        """
        super().__init__(entry, world.clock)
        random = np.random.default_rng(seed)
        self._source, self._meter = self._parts(world, random, seed)
        self._on = False
        self._needed = math.inf
        self.preset()

    def _parts(
        self, world: World, random: np.random.Generator, seed: int
    ) -> tuple[SourcePart, MeterPart]:
        """Source and meter, as they are wired."""
        return Source(world, random), Meter(world, random)

    def needed_from(self) -> float:
        """Earliest bench time in s that a measurement under way will ask for."""
        return self._needed

    def preset(self) -> None:
        """Output off, every setting at its default, default buffers only."""
        self.forget_settings()
        self._function = "CURR"
        self._buffers = {name: Buffer() for name in (FIRST_BUFFER, "defbuffer2")}
        self._settled_at = 0.0
        self._switch(False)

    # Source.

    @property
    def _sourced(self) -> str:
        """Function of the source, VOLT or CURR."""
        return self.setting("source")

    def _range_in_use(self) -> SourceRange:
        ranges = SOURCES[self._sourced]
        if self.settings[f"auto_{self._sourced}"]:
            return range_of(ranges, self.figure(f"level_{self._sourced}"), OVERRANGE)
        return range_of(ranges, self.figure(f"range_{self._sourced}"))

    def change(self, name: str, value: Value) -> None:
        """Take over a setting, if the others allow it, and let the output follow."""
        kind, _, function = name.rpartition("_")
        before = dict(self.settings)
        try:
            self._change(name, kind, function, value)
        except ScpiError:
            self.settings = before
            raise

    def _change(self, name: str, kind: str, function: str, value: Value) -> None:
        if kind == "level" and not self.settings[f"auto_{function}"]:
            self._require(float(value), range_of(SOURCES[function], self._fixed(function)))
        if kind == "range":
            chosen = range_of(SOURCES[function], float(value))
            self._require(self.figure(f"level_{function}"), chosen)
            self.settings[f"auto_{function}"] = False
            value = chosen.full_scale
        if kind == "sense_range":
            self.settings[f"sense_auto_{function}"] = False
            value = self._sense_full_scale(function, float(value))
        if kind == "delay":
            self.settings[f"delay_auto_{function}"] = False
        super().change(name, value)
        if kind == "four_wire" or name in {"source", "terminals"}:
            self._switch(False)  # RM, output state: such a change opens the output
        elif kind in {"level", "range", "auto", "limit"} or name == "protection":
            self._follow()

    def _fixed(self, function: str) -> float:
        return self.figure(f"range_{function}")

    @staticmethod
    def _require(level: float, used: SourceRange) -> None:
        if not used.holds(level, OVERRANGE):
            largest = used.full_scale * OVERRANGE
            raise ScpiError(-222, f"level {level:g}; allowed on this range: up to {largest:g}")

    @staticmethod
    def _sense_full_scale(function: str, wanted: float) -> float:
        if function == "RES":
            return next((ohm for ohm in OHMS if wanted <= ohm), OHMS[-1])
        return range_of(SOURCES[function], wanted).full_scale

    def _follow(self) -> None:
        """Bring the output to what is set; a reading waits until it has settled."""
        used, function = self._range_in_use(), self._sourced
        self.settings[f"range_{function}"] = used.full_scale
        if not self._on:
            self._source.stop(self.setting(f"off_{function}"))
            return
        level, limit = self.figure(f"level_{function}"), self.figure(f"limit_{function}")
        bound = PROTECTIONS[self.setting("protection")]
        if function == "CURR":
            limit = min(abs(limit), bound)
        else:
            level = math.copysign(min(abs(level), bound), level)
        self._source.drive(function, level, limit, used)
        self._settled_at = self.clock.time + self._delay(used)

    def _delay(self, used: SourceRange) -> float:
        if self.settings[f"delay_auto_{self._sourced}"]:
            return AUTO_DELAY.get(used.full_scale, SHORTEST_DELAY)
        return self.figure(f"delay_{self._sourced}")

    def _switch(self, on: bool) -> None:
        self._on = on
        self._follow()

    @scpi("OUTPut[:STATe]", boolean())
    def _set_output(self, on: bool) -> None:
        self._switch(on)

    @scpi("OUTPut[:STATe]?")
    def _output(self) -> str:
        return str(int(self._on))

    @scpi("OUTPut:SMODe", choice("NORMal|HIMPedance|ZERO|GUARd"))
    def _set_off_modes(self, mode: str) -> None:
        """Without a function: of all of them (RM 6-32)."""
        for function in SOURCES:
            self.change(f"off_{function}", mode)

    @scpi("OUTPut:INTerlock:TRIPped?")
    @scpi("OUTPut:INTerlock:STATe?")
    def _interlock(self) -> str:
        """Whether the interlock is closed: it is, on a simulated bench."""
        return "1"

    @scpi("SOURce:CURRent:VLIMit[:LEVel]:TRIPped?")
    @scpi("SOURce:VOLTage:ILIMit[:LEVel]:TRIPped?")
    def _limit_tripped(self) -> str:
        return str(int(self._on and self._source.limited))

    @scpi("SOURce:VOLTage:PROTection[:LEVel]:TRIPped?")
    def _protection_tripped(self) -> str:
        bound = PROTECTIONS[self.setting("protection")]
        return str(int(self._on and abs(self.figure("level_VOLT")) > bound))

    # Measurement.

    @scpi("[SENSe:]FUNCtion[:ON]", string())
    def _set_function(self, name: str) -> None:
        self._function = _function(name)

    @scpi("[SENSe:]FUNCtion[:ON]?")
    def _function_in_use(self) -> str:
        return f'"{_NAMES[self._function]}"'

    def _buffer(self, name: str) -> Buffer:
        if name not in self._buffers:
            known = ", ".join(self._buffers)
            raise ScpiError(-224, f"buffer {name!r}; there are {known}")
        return self._buffers[name]

    def _timing(self) -> tuple[float, float]:
        """Return aperture and length of a reading in s; the filter makes both longer."""
        function = self._function
        aperture = self.figure(f"cycles_{function}") / LINE_FREQUENCY
        if self.settings[f"filter_{function}"]:
            aperture *= self.figure(f"filter_count_{function}")
        zeroed = AUTOZERO_APERTURES if self.settings[f"autozero_{function}"] else 1
        return aperture, aperture * zeroed + OVERHEAD

    def _take(self, start: float, how_many: int, buffer: Buffer) -> None:
        """Store readings whose apertures have closed, the first of which opened at `start`."""
        function, sourced = self._function, self._sourced
        aperture, length = self._timing()
        starts = start + length * np.arange(how_many, dtype=np.float64)
        values = self._measured(function, starts, aperture)
        levels_then = [self.figure(f"level_{sourced}")] * how_many
        if self.settings[f"readback_{sourced}"]:
            levels_then = self._measured(sourced, starts, aperture)
        limited = self._on and self._source.limited
        self._needed = math.inf
        for value, level, begun in zip(values, levels_then, starts.tolist(), strict=True):
            buffer.add(Reading(function, value, sourced, level, limited, begun))

    def _measured(
        self, function: str, starts: np.ndarray[tuple[int], np.dtype[np.float64]], aperture: float
    ) -> list[float]:
        fixed = math.inf
        if function == self._sourced:  # RM 6-53: then the source's range measures
            fixed = self.figure(f"range_{function}")
        elif not self.settings[f"sense_auto_{function}"]:
            fixed = self.figure(f"sense_range_{function}")
        four_wire = bool(self.settings[f"four_wire_{function}"])
        return self._meter.readings(
            function, starts, aperture * LINE_FREQUENCY, fixed, four_wire=four_wire
        )

    def _measure(self, name: str) -> float:
        """Begin `[SENSe:]COUNt` readings into a buffer; return when they are complete."""
        buffer, how_many = self._buffer(name), round(self.figure("count"))
        start = max(self.clock.time, self._settled_at)
        end = start + self._timing()[1] * how_many
        self._needed = start
        self.clock.at(end, lambda: self._take(start, how_many, buffer))
        self.busy_until = end
        return end

    def _answered(self, name: str, elements: tuple[str, ...]) -> Answer:
        buffer = self._buffer(name)
        end = self._measure(name)
        return Pending(end, lambda: buffer.written([buffer.latest()], elements))

    @scpi("READ?", BUFFER, *ELEMENTS_ASKED)
    @scpi("MEASure?", BUFFER, *ELEMENTS_ASKED)
    def _read_out(self, name: str = FIRST_BUFFER, *elements: str) -> Answer:
        return self._answered(name, elements)

    @scpi("MEASure:VOLTage[:DC]?", BUFFER, *ELEMENTS_ASKED)
    def _measure_voltage(self, name: str = FIRST_BUFFER, *elements: str) -> Answer:
        self._function = "VOLT"
        return self._answered(name, elements)

    @scpi("MEASure:CURRent[:DC]?", BUFFER, *ELEMENTS_ASKED)
    def _measure_current(self, name: str = FIRST_BUFFER, *elements: str) -> Answer:
        self._function = "CURR"
        return self._answered(name, elements)

    @scpi("MEASure:RESistance?", BUFFER, *ELEMENTS_ASKED)
    def _measure_resistance(self, name: str = FIRST_BUFFER, *elements: str) -> Answer:
        self._function = "RES"
        return self._answered(name, elements)

    @scpi("FETCh?", BUFFER, *ELEMENTS_ASKED)
    def _fetch(self, name: str = FIRST_BUFFER, *elements: str) -> str:
        buffer = self._buffer(name)
        return buffer.written([buffer.latest()], elements)

    @scpi("[SENSe:]AZERo:ONCE")
    def _zero_once(self) -> None:
        self.busy_until = self.clock.time + AUTOZERO_APERTURES / LINE_FREQUENCY


def _function(name: str) -> str:
    """Return VOLT, CURR or RES of what SENSe:FUNCtion is told."""
    known = {"VOLT": "VOLT", "VOLTAGE": "VOLT", "CURR": "CURR", "CURRENT": "CURR"}
    known |= {"RES": "RES", "RESISTANCE": "RES"}
    word = name.upper().removesuffix(":DC")
    if word not in known:
        raise ScpiError(-224, f"function {name!r}; allowed: {', '.join(_NAMES.values())}")
    return known[word]
