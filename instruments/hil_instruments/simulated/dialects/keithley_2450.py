"""Dialect of the Keithley 2450 source-measure unit (SCPI), as a stand-in for the stimulator.

What is modelled: current or voltage sourced with a limit, ranges, resolution, fixed errors inside
the data sheet, output-off modes; current, voltage and resistance measured with an aperture, two or
four wires, filter, autozero; reading buffers; linear and logarithmic sweeps and the simple loop of
the trigger model. What is not: sinking of current, other trigger models, lists, limit tests, TSP.

Ref: Model 2450 Reference Manual, 2450-901-01 rev. B ("RM").
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import Timer, World
from hil_instruments.simulated.dialects.keithley_2450_buffer import Buffer, moment
from hil_instruments.simulated.dialects.keithley_2450_settings import LINE_FREQUENCY
from hil_instruments.simulated.dialects.keithley_2450_sweep import Sweep, levels
from hil_instruments.simulated.dialects.keithley_2450_unit import (
    BUFFER,
    ELEMENTS_ASKED,
    FIRST_BUFFER,
    OVERHEAD,
    SourceMeasureUnit,
)
from hil_instruments.simulated.dialects.settings import exponential
from hil_instruments.simulated.scpi import (
    Answer,
    Parameter,
    ScpiError,
    boolean,
    choice,
    indefinite,
    integer,
    number,
    optional,
    scpi,
    string,
)

_STYLES = choice("COMPact|STANdard|FULL|WRITable|FULLWRITable")
_STYLE = Parameter(lambda text: text and _STYLES.convert(text), optional=True, blank=True)
"""Style of a new buffer. A real unit takes a comma with nothing behind it: QCoDeS sends that."""
_SWEPT = (
    number(),
    number(),
    integer(),
    optional(number("S")),
    optional(integer("INFinite")),
    optional(choice("AUTO|BEST|FIXed")),
    optional(boolean()),
    optional(boolean()),
    optional(string()),
)
"""start, stop, points, delay, count, range, abort at the limit, dual, buffer (RM, SOURce:SWEep)."""


class Keithley2450(SourceMeasureUnit):
    """Source-measure unit in the role `stimulator`; the world's device has no firmware then."""

    no_error = '0,"No error;0;0 0"'
    firmware = "1.7.12b"

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Draw the fixed errors and begin with the output off.

        Args:
            entry: as in the bench file.
            world: the bench, whose device has only a circuit.
            seed: of fixed errors and of noise.
        """
        self._sweep: Sweep | None = None
        self._running: Timer | None = None
        super().__init__(entry, world, seed)

    def power_on(self) -> None:
        """Come up as after a power failure: everything at its default, output off."""
        super().power_on()
        self.preset()

    def preset(self) -> None:
        """Output off, every setting at its default, default buffers only, no sweep."""
        self._stop_sweep()
        self._sweep = None
        super().preset()

    def describe(self, error: ScpiError) -> str:
        """Write an error with its kind (1: error) and its time, as the event log does."""
        when = moment(self.clock.time).strftime("%Y/%m/%d %H:%M:%S.%f")[:-3]
        text = f"{error.text}, {error.detail}" if error.detail else error.text
        return f'{error.code},"{text[:200]};1;{when}"'.replace("\n", " ")

    # Buffers.

    @scpi("TRACe:MAKE", string(), integer(), _STYLE)
    def _make(self, name: str, size: int, style: str = "STAN") -> None:
        if name in self._buffers:
            raise ScpiError(-221, f"buffer {name!r} exists already")
        self._buffers[name] = Buffer(size)

    @scpi("TRACe:DELete", string())
    def _delete(self, name: str) -> None:
        self._buffer(name)
        if name.startswith("defbuffer"):
            raise ScpiError(-221, f"{name!r} stays; TRAC:CLE empties it")
        del self._buffers[name]

    @scpi("TRACe:CLEar", BUFFER)
    def _clear(self, name: str = FIRST_BUFFER) -> None:
        self._buffer(name).clear()

    @scpi("TRACe:POINts", integer(), BUFFER)
    def _resize(self, size: int, name: str = FIRST_BUFFER) -> None:
        self._buffer(name).resize(size)

    @scpi("TRACe:POINts?", BUFFER)
    def _size(self, name: str = FIRST_BUFFER) -> str:
        return str(self._buffer(name).size)

    @scpi("TRACe:ACTual?", BUFFER)
    def _held(self, name: str = FIRST_BUFFER) -> str:
        return str(len(self._buffer(name).readings))

    @scpi("TRACe:ACTual:END?", BUFFER)
    def _last(self, name: str = FIRST_BUFFER) -> str:
        return str(self._buffer(name).last)

    @scpi("TRACe:ACTual:STARt?", BUFFER)
    def _first(self, name: str = FIRST_BUFFER) -> str:
        return str(self._buffer(name).first)

    @scpi("TRACe:DATA?", integer(), integer(), BUFFER, *ELEMENTS_ASKED)
    def _data(self, first: int, last: int, name: str = FIRST_BUFFER, *elements: str) -> Answer:
        buffer = self._buffer(name)
        readings = buffer.part(first, last)
        if self.setting("format") == "ASC":
            return buffer.written(readings, elements)
        order = ">" if self.setting("order") == "NORM" else "<"
        return indefinite(buffer.binary(readings, elements, f"{order}f8"))

    @scpi("TRACe:TRIGger", BUFFER)
    def _trigger_readings(self, name: str = FIRST_BUFFER) -> None:
        self._measure(name)

    @scpi("TRACe:STATistics:AVERage?", BUFFER)
    def _average(self, name: str = FIRST_BUFFER) -> str:
        return exponential(self._buffer(name).statistic(np.mean))

    @scpi("TRACe:STATistics:MAXimum?", BUFFER)
    def _maximum(self, name: str = FIRST_BUFFER) -> str:
        return exponential(self._buffer(name).statistic(np.max))

    @scpi("TRACe:STATistics:MINimum?", BUFFER)
    def _minimum(self, name: str = FIRST_BUFFER) -> str:
        return exponential(self._buffer(name).statistic(np.min))

    @scpi("TRACe:STATistics:STDDev?", BUFFER)
    def _deviation(self, name: str = FIRST_BUFFER) -> str:
        return exponential(self._buffer(name).statistic(np.std))

    # Sweeps.

    def _load(self, function: str, spacing: str, arguments: tuple[object, ...]) -> None:
        given = dict(enumerate(arguments))
        start, stop, points = (float(str(given[place])) for place in range(3))
        name = str(given.get(8, FIRST_BUFFER))
        self._buffer(name)
        passes = given.get(4, 1)
        self._sweep = Sweep(
            function,
            levels(start, stop, round(points), spacing=spacing, dual=bool(given.get(7, False))),
            float(str(given.get(3, -1))),
            0 if passes == "INF" else int(str(passes)),
            bool(given.get(6, True)),
            name,
        )

    @scpi("SOURce:SWEep:VOLTage:LINear", *_SWEPT)
    def _sweep_voltage(self, *arguments: object) -> None:
        self._load("VOLT", "LIN", arguments)

    @scpi("SOURce:SWEep:CURRent:LINear", *_SWEPT)
    def _sweep_current(self, *arguments: object) -> None:
        self._load("CURR", "LIN", arguments)

    @scpi("SOURce:SWEep:VOLTage:LOG", *_SWEPT)
    def _sweep_voltage_by_ratio(self, *arguments: object) -> None:
        self._load("VOLT", "LOG", arguments)

    @scpi("SOURce:SWEep:CURRent:LOG", *_SWEPT)
    def _sweep_current_by_ratio(self, *arguments: object) -> None:
        self._load("CURR", "LOG", arguments)

    @scpi("TRIGger:LOAD", string(), integer(), optional(number("S")), BUFFER)
    def _load_loop(
        self, model: str, repeats: int, delay: float = 0.0, name: str = FIRST_BUFFER
    ) -> None:
        """Load the simple loop: so many measurements, the source as it is."""
        if model.upper() != "SIMPLELOOP":
            raise ScpiError(-224, f"{model!r}; only SimpleLoop is simulated")
        self._buffer(name)
        self._sweep = Sweep("", (0.0,), delay, repeats, fail_abort=False, buffer=name)

    @scpi("INITiate[:IMMediate]")
    def _initiate(self) -> None:
        """Run what was loaded: level, delay, measurement, next level; a sweep ends with off."""
        sweep = self._sweep
        if sweep is None:
            raise ScpiError(-221, "the trigger model is empty; load a sweep first")
        if self._running is not None:
            raise ScpiError(-213, "a sweep runs already; ABORt first")
        self._buffer(sweep.buffer).clear()
        if sweep.function:
            self.settings["source"] = sweep.function
            self.settings[f"level_{sweep.function}"] = sweep.levels[0]
            self._switch(True)
        step = self._pause(sweep) + self._timing()[1]
        self.overlapped_until = self.clock.time + step * sweep.total + OVERHEAD
        self._next_point(sweep, sweep.points())

    def _pause(self, sweep: Sweep) -> float:
        """Time in s from a level to its measurement."""
        return sweep.delay if sweep.delay >= 0 else self._delay(self._range_in_use())

    def _next_point(self, sweep: Sweep, points: Iterator[float]) -> None:
        """Go to the next level, and measure there."""
        level = next(points, None)
        if level is None:
            self._stop_sweep()
            return
        if sweep.function:
            self.settings[f"level_{sweep.function}"] = level
            self._follow()
        start = self._needed = self.clock.time + self._pause(sweep)

        def done() -> None:
            self._take(start, 1, self._buffers.get(sweep.buffer, Buffer()))
            if sweep.fail_abort and self._source.limited:
                self._stop_sweep()
            else:
                self._next_point(sweep, points)

        self._running = self.clock.at(start + self._timing()[1], done)

    @scpi("ABORt")
    def _stop_sweep(self) -> None:
        """End the trigger model; after a sweep the output is off."""
        if self._running is None:
            return
        self._running.cancelled = True
        self._running = None
        self.overlapped_until = self.clock.time
        if self._sweep is not None and self._sweep.function:
            self._switch(False)
        self.changed()

    def device_clear(self) -> None:
        """End what is under way."""
        super().device_clear()
        self._stop_sweep()

    @scpi("TRIGger:STATe?")
    def _trigger_state(self) -> str:
        state = "IDLE" if self._running is None else "RUNNING"
        return f"{state};{state};0"

    # System.

    @scpi("*LANG", choice("SCPI"))
    def _set_language(self, _: str) -> None:
        """Only SCPI is simulated."""

    @scpi("*LANG?")
    def _language(self) -> str:
        return "SCPI"

    @scpi("SYSTem:LFRequency?")
    def _line_frequency(self) -> str:
        return str(LINE_FREQUENCY)

    @scpi("SYSTem:CLEar")
    def _clear_log(self) -> None:
        self._errors.clear()

    @scpi("SYSTem:ERRor:COUNt?")
    @scpi("SYSTem:EVENtlog:COUNt?", optional(choice("ALL|ERRor|WARNing|INFormational")))
    def _log_length(self, _: str = "ALL") -> str:
        return str(len(self._errors))

    @scpi("SYSTem:EVENtlog:NEXT?", optional(choice("ALL|ERRor|WARNing|INFormational")))
    def _next_event(self, _: str = "ALL") -> str:
        return self._next_error()

    @scpi("SYSTem:BEEPer[:IMMediate]", number("HZ"), number("S"))
    def _beep(self, frequency: float, seconds: float) -> None:
        """Nobody hears it."""

    @scpi("DISPlay:SCReen", choice("HOME|HOME_LARGe_reading|READing_table|GRAPh|SOURce|STATistics"))
    @scpi("DISPlay:CLEar")
    def _show(self, _: str = "") -> None:
        """Nobody sees it."""
