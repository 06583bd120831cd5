"""Dialect of the Keithley 6221 current source, as a stand-in for the stimulator.

What is modelled: direct current with its ranges, resolution, fixed errors inside the data sheet and
compliance; output; the waves, as steps of the source; status. What is not: sweeps, lists, triggers,
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
from hil_instruments.simulated.dialects.keithley_6221_settings import (
    COMPLIANCE_RANGES,
    LARGEST_CURRENT,
    MOST_POINTS,
    OVERRANGE,
    RANGES,
    SETTINGS,
)
from hil_instruments.simulated.dialects.keithley_6221_wave import SHORTEST_STEP, Wave, shape
from hil_instruments.simulated.dialects.settings import Setting, SettledInstrument, Value
from hil_instruments.simulated.dialects.sourcing import SourceRange, Terminals, draw, range_of
from hil_instruments.simulated.physics.stage import OutputStage
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
from hil_instruments.simulated.scpi.status import REGISTER_MASK, Register

SETTLING = {"FAST": 2e-6, "SLOW": 100e-6}
"""Seconds to within 1 % of a step, by output response; ranges of 20 uA and above."""
WAVE_STARTED, WAVE_STOPPED = 1 << 4, 1 << 7
"""Bits of the operation register. From memory, as PyMeasure's driver uses them."""
IN_COMPLIANCE = 1 << 3
"""Bit of the measurement register. From memory."""
TEXTS = {-222: "Parameter data out of range"}
"""Texts of errors that differ from SCPI's. From memory of appendix B."""


def stage(response: str) -> OutputStage:
    """Output of the source itself: floating, fed by the mains, without comparator."""
    return OutputStage(
        lag=SETTLING[response] / math.log(100),
        sense_resistance=0.1,
        capacitance=100e-12,  # specification, output capacitance with the filter on
        bleed=1e12,
        comparator=False,
        boost_lag=1e-5,
        boost_dropout=1e-9,
        quiescent=0.0,
        brownout=0.0,
        brownout_hysteresis=0.0,
    )


class Keithley6221(SettledInstrument):
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
        self._measurement = Register()
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
        self._stop_wave()
        self._on = False
        self._armed: Wave | None = None
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
            self._stop_wave()
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
        """The interlock is closed."""
        return "1"

    @scpi("[SOURce:]CLEar[:IMMediate]")
    def _clear(self) -> None:
        """Output off, current 0."""
        self.settings["level"] = 0.0
        self._switch(False)

    # Waves.

    @property
    def _playing(self) -> bool:
        return self._step is not None

    def _stop_wave(self) -> None:
        if self._step is not None:
            self._step.cancelled = True
            self._step = None
            self.operation.set(WAVE_STARTED, False)
            self.operation.set(WAVE_STOPPED, True)

    @scpi("[SOURce:]WAVE:ARM[:IMMediate]")
    def _arm(self) -> None:
        function = self.setting("wave")
        points = self._points if function == "ARB0" else self._stored.get(function, [0.0])
        wave = Wave(
            shape(function, self.figure("duty") / 100, points),
            self.figure("frequency"),
            self.figure("amplitude"),
            self.figure("offset"),
            self.figure("duration"),
        )
        if wave.amplitude + abs(wave.offset) > LARGEST_CURRENT:
            raise ScpiError(-221, f"amplitude and offset exceed {LARGEST_CURRENT} A together")
        if wave.shortest < SHORTEST_STEP:
            raise ScpiError(-221, f"{wave.frequency:g} Hz: steps of less than {SHORTEST_STEP} s")
        self._armed = wave

    @scpi("[SOURce:]WAVE:INITiate[:IMMediate]")
    def _play(self) -> None:
        if self._armed is None:
            raise ScpiError(-221, "no wave is armed; SOUR:WAVE:ARM first")
        self._stop_wave()
        self._on = True
        self.operation.set(WAVE_STOPPED, False)
        self.operation.set(WAVE_STARTED, True)
        self._next_step(self._armed, self.clock.time, self._armed.steps())

    def _next_step(self, wave: Wave, start: float, steps: Iterator[tuple[float, float]]) -> None:
        time, amperes = next(steps, (wave.duration, math.nan))
        if math.isinf(time):
            return

        def act() -> None:
            used = self._range_of_wave(wave)
            if math.isnan(amperes):
                self._stop_wave()
                self._drive(wave.offset, used)
                return
            self._drive(amperes, used)
            self._next_step(wave, start, steps)

        self._step = self.clock.at(start + time, act)

    def _range_of_wave(self, wave: Wave) -> SourceRange:
        if self.setting("ranging") == "FIX":
            return self._range
        return range_of(RANGES, wave.amplitude + abs(wave.offset), OVERRANGE)

    @scpi("[SOURce:]WAVE:ABORt")
    def _abort_wave(self) -> None:
        """Stop and disarm; the output goes off."""
        self._armed = None
        self._switch(False)

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

    @scpi("[SOURce:]SWEep:ABORt")
    @scpi("TRACe:CLEar")
    @scpi("ABORt")
    def _nothing_to_stop(self) -> None:
        """No sweep runs, the buffer is empty."""

    @scpi("TRACe:FEED", choice("SENSe[1]|SENSe1|SENSe|CALCulate|NONE"))
    @scpi("TRACe:FEED:CONTrol", choice("NEXT|NEVer"))
    @scpi("SYSTem:BEEPer[:IMMediate]", number("HZ"), number("S"))
    def _keep(self, *_: object) -> None:
        """Without effect here."""

    @scpi("TRACe:DATA?")
    @scpi("SENSe:DATA[:LATest]?")
    def _no_reading(self) -> Answer:
        raise ScpiError(-230, "no 2182A is connected, the buffer is empty")

    @scpi("INITiate[:IMMediate]")
    def _initiate(self) -> None:
        raise ScpiError(-221, "neither sweep nor delta mode is armed")

    # Status.

    def refresh(self) -> None:
        """Bring the conditions up to the clock."""
        self._measurement.set(IN_COMPLIANCE, self._terminals.limited)

    def summary_bits(self) -> int:
        """Bit 0: an enabled measurement event."""
        return int(self._measurement.summary)

    def describe(self, error: ScpiError) -> str:
        """Write an error without what was asked."""
        return f'{error.code},"{TEXTS.get(error.code, error.text)}"'

    def _clear_status(self) -> None:
        super()._clear_status()
        self._measurement.event = 0

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
