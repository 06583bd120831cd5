"""Acquisition of an eight-bit oscilloscope: trigger, sample clock, memory, converter.

Its figures are those of a DS1000Z; a dialect of another family gives its own.

A trigger counts only once the time before it is filled. While it runs with the sweep NORMal or AUTO
each trigger replaces the record of the last; AUTO records without one when none comes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, TypeAlias

import numpy as np
import numpy.typing as npt

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.settings import SettledInstrument
from hil_instruments.simulated.metrology.fault import MAINS, MeterFault
from hil_instruments.simulated.metrology.probe import Probe
from hil_instruments.simulated.metrology.terminals import Terminals
from hil_instruments.simulated.metrology.watch import first_crossing, last_crossing

Values: TypeAlias = npt.NDArray[np.float64]
Codes: TypeAlias = npt.NDArray[np.uint8]

CHANNELS = 4
WIRED = 1
"""Channel whose probe lies across the shunt; the others are open and show their noise."""
UP = 8
"""Divisions of the screen, upwards."""
SCREEN_POINTS = 1200
"""Least number of points that are kept."""
STEPS_PER_DIVISION = 25
REFERENCE = 127
"""Code of 0 V without offset."""
DEPTHS = (12_000, 120_000, 1_200_000, 12_000_000)
"""Points with one channel on."""
GAIN_ACCURACY = 0.03
"""Share of full scale. From memory of the data sheet, as the next."""
OFFSET_ACCURACY = 0.1
"""In divisions; 2 mV come on top."""
SHARE_OF_ACCURACY = 0.8
NOISE = 0.5
"""Standard deviation in steps of the converter."""
AUTO_PATIENCE = 0.1
"""Seconds without trigger after which the sweep AUTO records by itself. From memory."""
_CHUNK = 1 << 20


@dataclass(slots=True)
class Channel:
    """Settings of one channel, and its own errors."""

    number: int
    gain_error: float
    """Share of the accuracy, -1 to 1."""
    offset_error: float
    """Likewise."""
    shown: bool
    scale: float = 1.0
    """V per division, at the tip by the ratio set."""
    offset: float = 0.0
    probe: float = 10.0
    """Ratio set, whatever the probe really has."""
    coupling: str = "DC"
    inverted: bool = False
    steps: float = STEPS_PER_DIVISION
    """Codes of a division."""

    @property
    def step(self) -> float:
        """Volts of one code."""
        return self.scale / self.steps

    @property
    def sign(self) -> float:
        """-1 for an inverted channel."""
        return -1.0 if self.inverted else 1.0


@dataclass(slots=True, eq=False)
class Record:
    """An acquisition that has ended or will end."""

    start: float
    """Bench time of its first sample; the last one is a screen later."""
    span: float
    """In s."""
    trigger: float
    """Bench time from which the instrument counts: the trigger, or the middle of the screen."""
    points: int
    """In memory."""
    channels: tuple[Channel, ...]
    """As they were set when it was taken."""
    averages: int = 1

    @property
    def end(self) -> float:
        """Bench time at which it is complete."""
        return self.start + self.span

    @property
    def interval(self) -> float:
        """From sample to sample in memory, in s."""
        return self.span / self.points


class EightBitAcquisition(SettledInstrument):
    """From probe to memory."""

    across: ClassVar[int] = 12
    """Divisions of the screen, sideways."""
    steps: ClassVar[float] = STEPS_PER_DIVISION
    """Codes of a division, upwards."""
    reference: ClassVar[int] = REFERENCE
    depths: ClassVar[tuple[int, ...]] = DEPTHS
    """Points that can be kept with one channel on, in rising order."""
    fastest: ClassVar[float] = 1e9
    """Samples per second with one channel on; they share the converter."""

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Draw the fixed errors from `seed` and begin in the state after *RST."""
        super().__init__(entry, world.clock)
        self._random = np.random.default_rng(seed)
        terminals = Terminals(world, entry.role)
        self._probe = Probe(terminals, world.description)
        self._own_errors = self._random.uniform(-1, 1, (CHANNELS, 2)) * SHARE_OF_ACCURACY
        self.preset()

    def preset(self) -> None:
        """Return to the state after *RST."""
        self._channels = [
            Channel(number, float(gain), float(offset), number == WIRED, steps=self.steps)
            for number, (gain, offset) in enumerate(self._own_errors, start=1)
        ]
        self._time_scale, self._time_offset = 1e-6, 0.0
        self._source, self._slope, self._level = "CHAN1", "POS", 0.0
        self._depth, self._kind, self._averages = 0, "NORM", 2
        self._run("AUTO")

    def limits_of_error(self) -> tuple[float, float]:
        """Those of the wired channel, in V."""
        channel = self._channels[WIRED - 1]
        return GAIN_ACCURACY, OFFSET_ACCURACY * channel.scale

    @property
    def fault(self) -> MeterFault:
        """What is wrong with the input of channel 1; healthy by default."""
        return self._probe.fault

    @fault.setter
    def fault(self, fault: MeterFault) -> None:
        self._keep()
        self._probe.fault = fault

    # Time.

    @property
    def _span(self) -> float:
        return self.across * self._time_scale

    @property
    def _before(self) -> float:
        """Time on the screen before the trigger, in s; never negative."""
        return max(self._span / 2 - self._time_offset, 0.0)

    @property
    def _behind(self) -> float:
        """Time from the trigger to the end of the screen, in s."""
        return self._span / 2 + self._time_offset

    @property
    def _share(self) -> int:
        """Channels between which rate and memory are divided: 1, 2 or 4."""
        shown = sum(channel.shown for channel in self._channels)
        return 1 if shown <= 1 else 2 if shown == 2 else 4

    @property
    def _depths(self) -> tuple[int, ...]:
        return tuple(depth // self._share for depth in self.depths)

    @property
    def _points_held(self) -> int:
        depth = self._depth or self._depths[0]
        return max(int(min(depth, self.fastest / self._share * self._span)), SCREEN_POINTS)

    # Running.

    def _run(self, sweep: str) -> None:
        """Begin to acquire; a trigger counts only once the time before it is filled."""
        self._running, self._sweep = True, sweep
        self._record: Record | None = None
        self._filling: Record | None = None
        self._codes: dict[int, Codes] = {}
        self._searched = self.clock.time + self._before

    def _settings_changed(self) -> None:
        if self._running:
            self._run(self._sweep)

    def _recorded(self, start: float, trigger: float) -> Record:
        channels = tuple(map(replace, self._channels))
        averages = self._averages if self._kind == "AVER" else 1
        return Record(start, self._span, trigger, self._points_held, channels, averages)

    def _triggered(self, at: float) -> Record:
        return self._recorded(at - self._span / 2 + self._time_offset, at)

    def _take(self, record: Record) -> None:
        self._record = record
        self._codes.clear()

    def _update(self) -> None:
        """Do what the trigger had to do since the last look."""
        if not self._running:
            return
        now = self.clock.time
        if self._filling is None:
            self._search(now)
        if self._filling is not None and now >= self._filling.end:
            self._take(self._filling)
            self._filling = None
            if self._sweep == "SING":
                self._running = False
            elif self._record is not None:
                self._searched = self._record.end + self._before
                self._search(now)

    def _search(self, now: float) -> None:
        """Look for triggers until now; of many, the newest complete record counts."""
        if self._sweep != "SING" and now - self._behind > self._searched:
            latest = self._last_trigger(self._searched, now - self._behind)
            if latest is not None:
                self._take(self._triggered(latest))
                self._searched = latest + self._behind + self._before
        found = self._first_trigger(self._searched, now)
        self._searched = max(self._searched, now)
        if found is not None:
            self._filling = self._triggered(found)

    def _watched(self) -> tuple[float, str] | None:
        """Level in V at the plug, and slope there; None if the source shows only noise."""
        if self._source != f"CHAN{WIRED}":
            return None
        channel = self._channels[WIRED - 1]
        turned = {"POS": "NEG", "NEG": "POS", "RFAL": "RFAL"}[self._slope]
        slope = turned if channel.inverted else self._slope
        return self._level / channel.probe * channel.sign, slope

    def _first_trigger(self, since: float, until: float) -> float | None:
        if self._source == "AC":
            beat = math.ceil(since * MAINS) / MAINS
            return beat if beat <= until else None
        watched = self._watched()
        return watched and first_crossing(self._probe, since, until, *watched)

    def _last_trigger(self, since: float, until: float) -> float | None:
        if self._source == "AC":
            beat = math.floor(until * MAINS) / MAINS
            return beat if beat >= since else None
        watched = self._watched()
        return watched and last_crossing(self._probe, since, until, *watched)

    def _untriggered(self) -> Record:
        """What the sweep AUTO shows when no trigger comes: the last screen."""
        now = self.clock.time
        return self._recorded(now - self._span, now - self._span / 2)

    def _is_stale(self) -> bool:
        """Whether the sweep AUTO gives up waiting and records by itself."""
        if self._sweep != "AUTO":
            return False
        newest = self._filling or self._record
        since = newest.end if newest is not None else self._searched - self._before
        return newest is None or self.clock.time > since + self._span + AUTO_PATIENCE

    def _stop_now(self) -> None:
        self._update()
        if self._running and (self._record is None or self._is_stale()):
            self._take(self._untriggered())
        self._running, self._filling = False, None

    def _force_trigger(self) -> None:
        self._update()
        if self._running and self._filling is None:
            self._filling = self._triggered(max(self.clock.time, self._searched))

    def _status(self) -> str:
        self._update()
        if not self._running:
            return "STOP"
        if self._is_stale():
            return "AUTO"
        return "WAIT" if self._filling is None else "TD"

    def complete_at(self) -> float:
        """End of the acquisition under way."""
        self._update()
        if not self._running or self._sweep == "AUTO":
            return self.clock.time
        return math.inf if self._filling is None else self._filling.end

    def needed_from(self) -> float:
        """Earliest bench time of the circuit that it may still ask for."""
        self._update()
        self._keep()
        newest = self._filling.start if self._filling is not None else math.inf
        screens = self.clock.time - 2 * self._span - AUTO_PATIENCE
        return min(newest, screens) if self._running else self.clock.time

    # Conversion.

    def _keep(self) -> None:
        """Digitise what is recorded, so that the past of the circuit is no longer needed."""
        if self._record is not None:
            self._converted(self._record, WIRED)

    def _converted(self, record: Record, number: int) -> Codes:
        """Codes of a channel in memory: digitised once, so that every read hands over the same."""
        codes = self._codes.get(number)
        if codes is None:
            codes = self._codes[number] = np.concatenate(list(self._digitised(record, number)))
        return codes

    def _digitised(self, record: Record, number: int) -> Iterator[Codes]:
        channel = record.channels[number - 1]
        full = UP * channel.scale
        gain = 1 + channel.gain_error * GAIN_ACCURACY / 2
        shift = channel.gain_error * GAIN_ACCURACY / 4 * full + channel.offset
        shift += channel.offset_error * (OFFSET_ACCURACY * channel.scale + 2e-3 * channel.probe)
        mean = self._mean(record, number)
        deviation = NOISE / math.sqrt(record.averages)
        if number == WIRED:
            deviation *= self._probe.fault.noise
        for first in range(0, record.points, _CHUNK):
            places = np.arange(first, min(first + _CHUNK, record.points), dtype=np.float64)
            times = record.start + record.interval * places
            volts = self._plug(times, number) - mean if channel.coupling != "GND" else 0 * times
            codes = (volts * (channel.probe * channel.sign * gain) + shift) / channel.step
            codes += self.reference + deviation * self._random.standard_normal(len(codes))
            yield np.clip(np.rint(codes), 0, 255).astype(np.uint8)

    def _plug(self, times: Values, number: int) -> Values:
        if number != WIRED:
            return np.zeros(len(times))
        return self._probe.at(np.maximum(times, 0.0))

    def _mean(self, record: Record, number: int) -> float:
        """What alternating coupling takes away: the mean over the record, at 1 200 places."""
        if record.channels[number - 1].coupling != "AC":
            return 0.0
        times = record.start + record.span * (np.arange(SCREEN_POINTS) + 0.5) / SCREEN_POINTS
        return float(self._plug(times, number).mean())
