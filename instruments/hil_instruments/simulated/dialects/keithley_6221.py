"""Dialect of the Keithley 6221 current source, as a stand-in for the stimulator.

What is modelled: direct current with its ranges, resolution, fixed errors inside the data sheet and
compliance; output; waves, sweeps and lists, as steps of the source; status. What is not: triggers,
the delta mode (no 2182A is connected: -241), guard, phase marker: their settings are only kept.

Refs: Model 6220/6221 Reference Manual, 622x-901-01; 6221 specifications, HW 1/17/05 rev. B.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import ClassVar

import numpy as np

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import Timer, World
from hil_instruments.simulated.dialects.keithley_6221_programme import (
    LONGEST_LIST,
    SHORTEST_STEP,
    Sweep,
    Wave,
    by_ratio,
    shape,
    staircase,
)
from hil_instruments.simulated.dialects.keithley_6221_settings import (
    COMPLIANCE_RANGES,
    LARGEST_CURRENT,
    MOST_POINTS,
    OVERRANGE,
    RANGES,
    SETTINGS,
    stage,
)
from hil_instruments.simulated.dialects.measurement_status import MeasurementStatus
from hil_instruments.simulated.dialects.settings import Setting, SettledInstrument, Value
from hil_instruments.simulated.dialects.sourcing import SourceRange, Terminals, draw, range_of
from hil_instruments.simulated.scpi import (
    Answer,
    ScpiError,
    boolean,
    choice,
    integer,
    number,
    optional,
    scpi,
)

SWEEP_ABORTED = 1 << 2
"""Bit of the operation register. From memory."""
IN_COMPLIANCE = 1 << 3
"""Bit of the measurement register. From memory."""
TEXTS = {-222: "Parameter data out of range"}
"""Texts of errors that differ from SCPI's. From memory of appendix B."""


class Keithley6221(MeasurementStatus, SettledInstrument):
    """Current source in the role `stimulator`; the world's device has no firmware then."""

    firmware = "D04  /700x "
    SETTINGS: ClassVar[Mapping[str, Setting]] = SETTINGS

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Draw the fixed errors and begin with the output off.

        Args:
            entry: as in the bench file.
            world: the bench, whose device has only a circuit.
            seed: of the fixed errors.
        """
        super().__init__(entry, world.clock)
        random = np.random.default_rng(seed)
        self._errors_of = {**draw(RANGES, random), **draw(COMPLIANCE_RANGES, random)}
        self._world = world
        self._terminals = Terminals(world, stage("FAST"))
        self._points: list[float] = [0.0]
        self._stored: dict[str, list[float]] = {}
        self._step: Timer | None = None
        self.preset()

    def power_on(self) -> None:
        """Come up as after a power failure: everything at its default, output off."""
        super().power_on()
        self.preset()

    def preset(self) -> None:
        """Switch off and return every setting to its default."""
        self._stop()
        self._on = False
        self._armed: Wave | Sweep | None = None
        self._list: tuple[float, ...] = (0.0,)
        self._list_delays: tuple[float, ...] = (1e-3,)
        self.forget_settings()
        self._follow()

    # Output.

    @property
    def _range(self) -> SourceRange:
        return range_of(RANGES, self.figure("range"))

    def change(self, name: str, value: Value) -> None:
        """Take over a setting, if the others allow it, and let the output follow."""
        if name == "level" and not self.settings["auto"]:
            self._require(float(value), self._range)
        if name == "range":
            self._require(self.figure("level"), range_of(RANGES, float(value)))
            self.settings["auto"] = False
        super().change(name, value)
        if name == "response":
            self._world.device.circuit.set_stage(stage(str(value)))
        if name == "duration":
            self.settings["cycles"] = float(value) * self.figure("frequency")
        if name == "cycles":
            self.settings["duration"] = float(value) / self.figure("frequency")
        if name in {"level", "range", "auto", "compliance"} and not self._playing:
            self._follow()

    @staticmethod
    def _require(level: float, used: SourceRange) -> None:
        if not used.holds(level, OVERRANGE):
            largest = used.full_scale * OVERRANGE
            raise ScpiError(-222, f"{level:g} A; allowed on this range: up to {largest:g} A")

    def _follow(self) -> None:
        """Bring the output to what is set."""
        if self.settings["auto"]:
            self.settings["range"] = range_of(RANGES, self.figure("level"), OVERRANGE).full_scale
        else:
            self.settings["range"] = self._range.full_scale
        if self._on:
            self._drive(self.figure("level"), self._range)
        else:
            self._terminals.disconnect()

    def _drive(self, amperes: float, used: SourceRange) -> None:
        """Drive a current through a range, with its resolution and its errors."""
        gain, offset = self._errors_of[used]
        stepped = round(amperes / used.resolution) * used.resolution
        volts = self.figure("compliance")
        limit_gain, limit_offset = self._errors_of[range_of(COMPLIANCE_RANGES, volts)]
        self._terminals.drive(
            stepped * (1 + gain) + offset, max(volts * (1 + limit_gain) + limit_offset, 0.0)
        )

    def _switch(self, on: bool) -> None:
        if not on:
            self._stop(Wave.done)
        self._on = on
        self._follow()

    @scpi("OUTPut[:STATe]", boolean())
    def _set_output(self, on: bool) -> None:
        self._switch(on)

    @scpi("OUTPut[:STATe]?")
    def _output(self) -> str:
        return str(int(self._on))

    @scpi("OUTPut:INTerlock:TRIPped?")
    def _interlock(self) -> str:
        return "1"  # closed

    @scpi("[SOURce:]CLEar[:IMMediate]")
    def _clear(self) -> None:
        """Output off, current 0."""
        self.settings["level"] = 0.0
        self._switch(False)

    # Waves and sweeps.

    @property
    def _playing(self) -> bool:
        return self._step is not None

    def _stop(self, *ended: int) -> None:
        """End what is played; `ended` are the bits of the operation register that tell so."""
        if self._step is None:
            return
        self._step.cancelled = True
        self._step = None
        self.overlapped_until = self.clock.time
        self.operation.set(Wave.running | Sweep.running, False)
        self.operation.set(sum(ended), True)
        self.changed()

    @scpi("[SOURce:]WAVE:ARM[:IMMediate]")
    def _arm_wave(self) -> None:
        function = self.setting("wave")
        points = self._points if function == "ARB0" else self._stored.get(function, [0.0])
        self._arm(
            Wave(
                shape(function, self.figure("duty") / 100, points),
                self.figure("frequency"),
                self.figure("amplitude"),
                self.figure("offset"),
                self.figure("duration"),
            )
        )

    @scpi("[SOURce:]SWEep:ARM[:COUNt]")
    def _arm_sweep(self) -> None:
        spacing, delay = self.setting("spacing"), self.figure("delay")
        start, stop = self.figure("sweep_start"), self.figure("sweep_stop")
        if spacing == "LIST":
            levels, delays = self._list, self._list_delays
        elif spacing == "LIN":
            if abs(stop - start) > LONGEST_LIST * self.figure("sweep_step"):
                raise ScpiError(
                    -221, f"more than {LONGEST_LIST} steps from {start:g} to {stop:g} A"
                )
            levels = staircase(start, stop, self.figure("sweep_step"))
            delays = (delay,)
        elif start * stop <= 0:
            raise ScpiError(-221, f"logarithmic from {start:g} to {stop:g} A passes 0")
        else:
            levels, delays = by_ratio(start, stop, round(self.figure("points"))), (delay,)
        each = delays if len(delays) == len(levels) else delays[:1] * len(levels)
        self._arm(Sweep(levels, each, self.figure("sweep_count")))

    def _arm(self, programme: Wave | Sweep) -> None:
        if programme.largest > LARGEST_CURRENT:
            raise ScpiError(-221, f"{programme.largest:g} A; allowed: {LARGEST_CURRENT} A")
        if programme.shortest < SHORTEST_STEP:
            raise ScpiError(-221, f"a step of {programme.shortest:g} s; least: {SHORTEST_STEP} s")
        self._stop()
        self._armed = programme

    @scpi("[SOURce:]WAVE:INITiate[:IMMediate]")
    def _play_wave(self) -> None:
        if not isinstance(self._armed, Wave):
            raise ScpiError(-221, "no wave is armed; SOUR:WAVE:ARM first")
        self._play(self._armed)

    @scpi("INITiate[:IMMediate]")
    def _play_sweep(self) -> None:
        if not isinstance(self._armed, Sweep):
            raise ScpiError(-221, "no sweep is armed; SOUR:SWE:ARM first")
        self._play(self._armed)

    def _play(self, programme: Wave | Sweep) -> None:
        self._stop()
        self._on = True
        self.operation.set(programme.done | SWEEP_ABORTED, False)
        self.operation.set(programme.running, True)
        self.overlapped_until = self.clock.time + programme.duration
        self._next_step(programme, self.clock.time, programme.steps())

    def _next_step(
        self, programme: Wave | Sweep, start: float, steps: Iterator[tuple[float, float]]
    ) -> None:
        time, amperes = next(steps, (programme.duration, math.nan))
        if math.isinf(time):
            return

        def act() -> None:
            if math.isnan(amperes):
                self._stop(programme.done)
                self._drive(programme.rest, self._range_for(programme, programme.rest))
                return
            self._drive(amperes, self._range_for(programme, amperes))
            self._next_step(programme, start, steps)

        self._step = self.clock.at(start + time, act)

    def _range_for(self, programme: Wave | Sweep, amperes: float) -> SourceRange:
        ranging = self.setting("ranging" if isinstance(programme, Wave) else "sweep_ranging")
        if ranging == "FIX":
            return self._range
        return range_of(RANGES, amperes if ranging == "AUTO" else programme.largest, OVERRANGE)

    @scpi("[SOURce:]WAVE:ABORt")
    @scpi("[SOURce:]SWEep:ABORt")
    def _abort_programme(self) -> None:
        """Stop and disarm; the output goes off."""
        self._armed = None
        self._stop(Wave.done, SWEEP_ABORTED)
        self._switch(False)

    @scpi("[SOURce:]LIST:CURRent", number("A"), *[optional(number("A"))] * (MOST_POINTS - 1))
    def _set_list(self, *levels: float) -> None:
        beyond = [level for level in levels if abs(level) > LARGEST_CURRENT]
        if beyond:
            raise ScpiError(-222, f"{beyond[0]:g} A; allowed: {LARGEST_CURRENT} A")
        self._list = levels

    @scpi("[SOURce:]LIST:DELay", number("S"), *[optional(number("S"))] * (MOST_POINTS - 1))
    def _set_list_delays(self, *delays: float) -> None:
        beyond = [delay for delay in delays if not 1e-3 <= delay <= 999999.999]
        if beyond:
            raise ScpiError(-222, f"{beyond[0]:g} s; allowed: 0.001 s to 999999.999 s")
        self._list_delays = delays

    @scpi("[SOURce:]LIST:CURRent:POINts?")
    def _list_length(self) -> str:
        return str(len(self._list))

    @scpi("[SOURce:]WAVE:ARBitrary:DATA", number(), *[optional(number())] * (MOST_POINTS - 1))
    def _set_points(self, *points: float) -> None:
        beyond = [point for point in points if abs(point) > 1]
        if beyond:
            raise ScpiError(-222, f"point {beyond[0]:g}; allowed: -1 to 1")
        self._points = list(points)

    @scpi("[SOURce:]WAVE:ARBitrary:COPY", integer())
    def _copy_points(self, place: int) -> None:
        if not 1 <= place <= 4:
            raise ScpiError(-222, f"place {place}; allowed: 1 to 4")
        self._stored[f"ARB{place}"] = list(self._points)

    # Delta mode, buffer: there is no 2182A, hence no reading.

    @scpi("[SOURce:]DELTa:NVPResent?")
    def _nanovoltmeter(self) -> str:
        return "0"

    @scpi("[SOURce:]DELTa:ARM")
    def _arm_delta(self) -> None:
        raise ScpiError(-241, "no 2182A is connected")

    @scpi("TRACe:CLEar")
    @scpi("ABORt")
    def _nothing_to_stop(self) -> None:
        """The buffer is empty."""

    @scpi("TRACe:FEED", choice("SENSe[1]|SENSe1|SENSe|CALCulate|NONE"))
    @scpi("TRACe:FEED:CONTrol", choice("NEXT|NEVer"))
    @scpi("SYSTem:BEEPer[:IMMediate]", number("HZ"), number("S"))
    def _keep(self, *_: object) -> None:
        """Have no effect here."""

    @scpi("TRACe:DATA?")
    @scpi("SENSe:DATA[:LATest]?")
    def _no_reading(self) -> Answer:
        raise ScpiError(-230, "no 2182A is connected, the buffer is empty")

    # Status.

    def refresh(self) -> None:
        """Bring the conditions up to the clock."""
        self._measurement.set(IN_COMPLIANCE, self._terminals.limited)

    def describe(self, error: ScpiError) -> str:
        """Leave out what was asked."""
        return f'{error.code},"{TEXTS.get(error.code, error.text)}"'
