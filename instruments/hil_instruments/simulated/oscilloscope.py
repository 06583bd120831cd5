"""Front end of an oscilloscope: channel 1 of a Rigol DS1000Z across the shunt.

What is modelled: 8 bits over 10.24 divisions, clipping, gain and offset error inside the data
sheet, half a step of noise, edge trigger with the time before it, depth and rate, STOP, RUN and
SINGle, the limit of 250 000 points per read. The channel is wired 1:1 while its probe ratio is 10
after *RST, as on the real one: a ratio that was not set shows ten times the voltage.

The trigger watches the voltage without noise, at no less than 600 places per screen: it misses a
shorter pulse, which the real one would see.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hil.bench import InstrumentEntry
from hil_instruments.simulated.circuit import Node
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.scpi import (
    Instrument,
    ScpiError,
    block,
    boolean,
    choice,
    integer,
    number,
    scpi,
)

Values: TypeAlias = npt.NDArray[np.float64]

ACROSS, UP = 12, 8
"""Divisions of the screen."""
SCREEN_POINTS = 1200
STEPS_PER_DIVISION = 25
REFERENCE = 127
"""Raw value of 0 V without offset."""
LARGEST_READ = 250_000
FASTEST = 1e9
"""Samples per second."""
DEPTHS = (12_000, 120_000, 1_200_000, 12_000_000)
GAIN_ACCURACY = 0.03
"""Share of full scale."""
OFFSET_ACCURACY = 0.1
"""In divisions; 2 mV come on top."""
SHARE_OF_ACCURACY = 0.8
NOISE = 0.5
"""Standard deviation in steps of the converter."""
PLACES = 600
"""Places per screen at which the trigger looks, at least."""
_CHUNK = 65_536
_STEPS = (1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Record:
    """An acquisition that has ended or will end."""

    start: float
    """Clock time of its first sample; its last one is a screen later."""
    span: float
    """In s."""
    reference: float
    """Clock time from which the instrument counts: the trigger, or the middle of the screen."""


class Oscilloscope(Instrument):
    """One channel, one trigger."""

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Draw the fixed errors from `seed` and begin in the state after *RST."""
        super().__init__(entry, world.clock)
        self._world = world
        self._random = np.random.default_rng(seed)
        self._gain, self._offset_error = self._random.uniform(-1, 1, 2) * SHARE_OF_ACCURACY
        self.preset()

    def preset(self) -> None:
        """Return to the state after *RST."""
        self._scale, self._offset, self._probe, self._shown = 1.0, 0.0, 10.0, True
        self._time_scale, self._time_offset = 1e-6, 0.0
        self._slope, self._level, self._sweep = "POS", 0.0, "AUTO"
        self._depth = 0
        self._mode, self._first, self._last = "NORM", 1, SCREEN_POINTS
        self._record: Record | None = None
        self._raw: npt.NDArray[np.uint8] | None = None
        self._run("AUTO")

    # Acquisition.

    def _run(self, sweep: str) -> None:
        """Begin to acquire; a trigger counts only once the time before it is filled."""
        self._running, self._sweep = True, sweep
        self._record, self._raw = None, None
        self._searched = self.clock.time + self._before

    @property
    def _span(self) -> float:
        return ACROSS * self._time_scale

    @property
    def _before(self) -> float:
        """Time on the screen before the trigger, in s; never negative."""
        return max(self._span / 2 - self._time_offset, 0.0)

    def _settings_changed(self) -> None:
        if self._running:
            self._run(self._sweep)

    def _search(self) -> None:
        """Look for the trigger in what has happened since the last look."""
        if not self._running or self._record is not None or self._sweep == "AUTO":
            return
        now = self.clock.time
        step = max(self._span / PLACES, 1e-9)
        while self._searched + step <= now:
            count = min(max(int((now - self._searched) / step), 1), _CHUNK)
            times = self._searched + step * np.arange(count + 1, dtype=np.float64)
            self._searched = float(times[-1])
            crossing = self._crossing(times)
            if crossing is not None:
                times = np.linspace(times[crossing], times[crossing + 1], 65, dtype=np.float64)
                self._triggered(float(times[(self._crossing(times) or 0) + 1]))
                return

    def _crossing(self, times: Values) -> int | None:
        """Index before the first crossing of the level in the direction of the slope."""
        above = self._true(times) * self._probe >= self._level
        edges = np.diff(above.astype(np.int8))
        wanted = {"POS": edges > 0, "NEG": edges < 0, "RFAL": edges != 0}[self._slope]
        found = np.flatnonzero(wanted)
        return int(found[0]) if found.size else None

    def _triggered(self, at: float) -> None:
        start = at - self._span / 2 + self._time_offset
        self._record = Record(start, self._span, at)

    def _true(self, times: Values) -> Values:
        return self._world.device.circuit.observe(Node.SHUNT, times)

    def _finish(self) -> None:
        """Stop by itself once the record of a single or normal sweep is complete."""
        self._search()
        record = self._record
        if self._running and record is not None and self._complete(record):
            if self._sweep == "SING":
                self._running = False
            self._convert(record)

    def _complete(self, record: Record) -> bool:
        return self.clock.time >= record.start + record.span

    def _convert(self, record: Record) -> None:
        """Digitise: once, so that every read hands over the same."""
        if self._raw is not None:
            return
        times = record.start + self._interval(self._points_held) * np.arange(
            self._points_held, dtype=np.float64
        )
        full_scale = UP * self._scale
        volts = self._true(np.maximum(times, 0.0)) * self._probe
        volts = volts * (1 + self._gain * GAIN_ACCURACY / 2)
        volts += self._gain * GAIN_ACCURACY / 2 * full_scale / 2
        volts += self._offset_error * (OFFSET_ACCURACY * self._scale + 2e-3 * self._probe)
        raw = (volts + self._offset) / self._step + REFERENCE
        raw += NOISE * self._random.standard_normal(len(raw))
        self._raw = np.clip(np.rint(raw), 0, 255).astype(np.uint8)

    @property
    def _step(self) -> float:
        return self._scale / STEPS_PER_DIVISION

    @property
    def _points_held(self) -> int:
        depth = self._depth or DEPTHS[0]
        return max(int(min(depth, FASTEST * self._span)), SCREEN_POINTS)

    def _interval(self, points: int) -> float:
        return self._span / points

    def complete_at(self) -> float:
        """End of the acquisition under way."""
        self._finish()
        record = self._record
        if not self._running or self._sweep == "AUTO":
            return self.clock.time
        return math.inf if record is None else record.start + record.span

    @scpi("RUN")
    def _begin_running(self) -> None:
        self._run("AUTO" if self._sweep == "SING" else self._sweep)

    @scpi("SINGle")
    def _begin_single(self) -> None:
        self._run("SING")

    @scpi("STOP")
    def _stop(self) -> None:
        self._finish()
        self._running = False
        if self._record is None or not self._complete(self._record):
            now = self.clock.time
            self._record = Record(now - self._span, self._span, now - self._span / 2)
            self._raw = None

    @scpi("TFORce")
    def _force(self) -> None:
        self._search()
        if self._running and self._record is None:
            self._triggered(max(self.clock.time, self._searched))

    @scpi("TRIGger:STATus?")
    def _status(self) -> str:
        self._finish()
        if not self._running:
            return "STOP"
        if self._sweep == "AUTO":
            return "AUTO"
        return "WAIT" if self._record is None else "TD"

    # Settings.

    @scpi("CHANnel<n>:SCALe", number("V"))
    def _set_scale(self, channel: int, scale: float) -> None:
        _only_first(channel)
        self._scale = _stepped(scale / self._probe, 1e-3, 10.0, "V/div at 1:1") * self._probe
        self._settings_changed()

    @scpi("CHANnel<n>:SCALe?")
    def _scale_in_use(self, channel: int) -> str:
        _only_first(channel)
        return _text(self._scale)

    @scpi("CHANnel<n>:OFFSet", number("V"))
    def _set_offset(self, channel: int, offset: float) -> None:
        _only_first(channel)
        largest = (2.0 if self._scale / self._probe < 0.5 else 100.0) * self._probe
        _within(offset, -largest, largest, "V")
        self._offset = offset
        self._settings_changed()

    @scpi("CHANnel<n>:OFFSet?")
    def _offset_in_use(self, channel: int) -> str:
        _only_first(channel)
        return _text(self._offset)

    @scpi("CHANnel<n>:PROBe", number())
    def _set_probe(self, channel: int, ratio: float) -> None:
        _only_first(channel)
        if ratio not in {0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000}:
            raise ScpiError(-222, f"probe ratio {ratio}; allowed: 0.01 to 1000 in steps 1, 2, 5")
        self._scale *= ratio / self._probe
        self._probe = ratio
        self._settings_changed()

    @scpi("CHANnel<n>:PROBe?")
    def _probe_in_use(self, channel: int) -> str:
        _only_first(channel)
        return f"{self._probe:g}"

    @scpi("CHANnel<n>:COUPling", choice("DC"))
    def _set_coupling(self, channel: int, _: str) -> None:
        _only_first(channel)

    @scpi("CHANnel<n>:COUPling?")
    def _coupling(self, channel: int) -> str:
        _only_first(channel)
        return "DC"

    @scpi("CHANnel<n>:DISPlay", boolean())
    def _show(self, channel: int, on: bool) -> None:
        if channel == 1:
            self._shown = on
        elif on or not 1 <= channel <= 4:
            _only_first(channel)

    @scpi("CHANnel<n>:DISPlay?")
    def _is_shown(self, channel: int) -> str:
        return str(int(self._shown and channel == 1))

    @scpi("TIMebase[:MAIN]:SCALe", number("S"))
    def _set_time_scale(self, scale: float) -> None:
        self._time_scale = _stepped(scale, 5e-9, 50.0, "s/div")
        self._settings_changed()

    @scpi("TIMebase[:MAIN]:SCALe?")
    def _time_scale_in_use(self) -> str:
        return _text(self._time_scale)

    @scpi("TIMebase[:MAIN]:OFFSet", number("S"))
    def _set_time_offset(self, offset: float) -> None:
        _within(offset, -self._span / 2, 5000.0, "s")
        self._time_offset = offset
        self._settings_changed()

    @scpi("TIMebase[:MAIN]:OFFSet?")
    def _time_offset_in_use(self) -> str:
        return _text(self._time_offset)

    @scpi("ACQuire:MDEPth", integer("AUTO"))
    def _set_depth(self, depth: int | str) -> None:
        if depth != "AUTO" and depth not in DEPTHS:
            raise ScpiError(-222, f"depth {depth}; allowed: AUTO, {', '.join(map(str, DEPTHS))}")
        self._depth = 0 if isinstance(depth, str) else depth
        self._settings_changed()

    @scpi("ACQuire:MDEPth?")
    def _depth_in_use(self) -> str:
        return str(self._depth) if self._depth else "AUTO"

    @scpi("ACQuire:SRATe?")
    def _rate(self) -> str:
        return _text(1 / self._interval(self._points_held))

    @scpi("TRIGger:MODE", choice("EDGE"))
    def _set_trigger_mode(self, _: str) -> None:
        """Only the edge trigger is simulated."""

    @scpi("TRIGger:MODE?")
    def _trigger_mode(self) -> str:
        return "EDGE"

    @scpi("TRIGger:SWEep", choice("AUTO|NORMal|SINGle"))
    def _set_sweep(self, sweep: str) -> None:
        self._run(sweep)

    @scpi("TRIGger:SWEep?")
    def _sweep_in_use(self) -> str:
        return self._sweep

    @scpi("TRIGger:EDGe:SOURce", choice("CHANnel1|CHAN1"))
    def _set_trigger_source(self, _: str) -> None:
        """Only channel 1 is wired."""

    @scpi("TRIGger:EDGe:SOURce?")
    def _trigger_source(self) -> str:
        return "CHAN1"

    @scpi("TRIGger:EDGe:SLOPe", choice("POSitive|NEGative|RFALl"))
    def _set_slope(self, slope: str) -> None:
        self._slope = slope
        self._settings_changed()

    @scpi("TRIGger:EDGe:SLOPe?")
    def _slope_in_use(self) -> str:
        return self._slope

    @scpi("TRIGger:EDGe:LEVel", number("V"))
    def _set_level(self, level: float) -> None:
        reach = 5 * self._scale
        _within(level, -reach - self._offset, reach - self._offset, "V")
        self._level = level
        self._settings_changed()

    @scpi("TRIGger:EDGe:LEVel?")
    def _level_in_use(self) -> str:
        return _text(self._level)

    # Waveform.

    @scpi("WAVeform:SOURce", choice("CHANnel1|CHAN1"))
    def _set_source(self, _: str) -> None:
        """Only channel 1 is wired."""

    @scpi("WAVeform:SOURce?")
    def _source(self) -> str:
        return "CHAN1"

    @scpi("WAVeform:MODE", choice("NORMal|RAW"))
    def _set_mode(self, mode: str) -> None:
        self._mode = mode
        self._first, self._last = 1, SCREEN_POINTS

    @scpi("WAVeform:MODE?")
    def _mode_in_use(self) -> str:
        return self._mode

    @scpi("WAVeform:FORMat", choice("BYTE"))
    def _set_form(self, _: str) -> None:
        """Only BYTE is simulated."""

    @scpi("WAVeform:FORMat?")
    def _form(self) -> str:
        return "BYTE"

    @scpi("WAVeform:STARt", integer())
    def _set_first(self, place: int) -> None:
        _within(place, 1, self._points(), "points")
        self._first = place

    @scpi("WAVeform:STARt?")
    def _first_in_use(self) -> str:
        return str(self._first)

    @scpi("WAVeform:STOP", integer())
    def _set_last(self, place: int) -> None:
        _within(place, 1, self._points(), "points")
        self._last = place

    @scpi("WAVeform:STOP?")
    def _last_in_use(self) -> str:
        return str(self._last)

    def _points(self) -> int:
        return SCREEN_POINTS if self._mode == "NORM" else self._points_held

    @scpi("WAVeform:PREamble?")
    def _preamble(self) -> str:
        return ",".join(self._preamble_fields())

    def _preamble_fields(self) -> Iterator[str]:
        points = self._points()
        yield from ("0", "0" if self._mode == "NORM" else "2", str(points), "1")
        yield _text(self._interval(points))
        record = self._record
        start = record.start - record.reference if record else self._time_offset - self._span / 2
        yield from (_text(start), "0", _text(self._step))
        yield from (str(round(self._offset / self._step)), str(REFERENCE))

    @scpi("WAVeform:DATA?")
    def _data(self) -> bytes:
        self._finish()
        if self._running and self._sweep == "AUTO" and self._mode == "NORM":
            now = self.clock.time
            self._record = Record(now - self._span, self._span, now - self._span / 2)
            self._raw = None
        record = self._record
        if self._mode == "RAW" and self._running:
            raise ScpiError(-221, "RAW data can be read in the STOP state only")
        if record is None or not self._complete(record):
            raise ScpiError(-230, f"no acquisition has ended; trigger status {self._status()}")
        self._convert(record)
        raw = self._raw if self._raw is not None else np.empty(0, np.uint8)
        if self._mode == "NORM":
            places = np.arange(SCREEN_POINTS) * len(raw) // SCREEN_POINTS
            raw = raw[places]
        if not self._first <= self._last or self._last - self._first >= LARGEST_READ:
            asked = f"points {self._first} to {self._last}"
            raise ScpiError(-222, f"{asked}; allowed: {LARGEST_READ} per read, in rising order")
        return block(raw[self._first - 1 : self._last].tobytes(), digits=9)


def _only_first(channel: int) -> None:
    if channel != 1:
        raise ScpiError(-114, f"channel {channel}; only channel 1 is wired")


def _within(value: float, low: float, high: float, unit: str) -> None:
    if not low <= value <= high:
        raise ScpiError(-222, f"{value:g} {unit}; allowed: {low:g} to {high:g} {unit}")


def _stepped(value: float, low: float, high: float, unit: str) -> float:
    """Return the next larger value of the series 1, 2, 5."""
    _within(value, low, high, unit)
    decade = 10.0 ** math.floor(math.log10(value))
    for step in (*_STEPS, 10.0):
        if value <= step * decade * (1 + 1e-9):
            return float(f"{step * decade:.3g}")
    raise AssertionError(value)  # unreachable: 10 x decade is larger than value


def _text(value: float) -> str:
    return f"{value:.6e}"
