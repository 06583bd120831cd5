"""Front end of a multimeter: a subset of Keysight 34465A (no options), with its errors and noise.

What is modelled: integration over the aperture, ranges with 20 % overrange, overload, a fixed gain
and offset error per range inside the one-year accuracy, white noise, timed sampling into a memory
of 50 000 readings. When that is full, new readings overwrite the oldest and bit 14 of the
questionable register tells so; no error is reported (Operating and Service Guide, `R?`).

What is not: autoranging (switching it on is refused with -221; DEFault takes a large range),
temperature, settling after a range change, high input impedance (refused with -221), the gap
between two triggers of TRIGger:COUNt (the next sample follows one interval later).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hil.bench import InstrumentEntry
from hil_instruments.simulated.circuit import Node
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.scpi import (
    Answer,
    Instrument,
    Pending,
    ScpiError,
    block,
    boolean,
    choice,
    integer,
    number,
    optional,
    scientific,
    scpi,
)

Values: TypeAlias = npt.NDArray[np.float64]

MEMORY = 50_000
"""Readings that the memory holds without option MEM."""
LINE_PERIOD = 0.02
"""Seconds of one power line cycle (50 Hz)."""
SHORTEST_APERTURE, LONGEST_APERTURE = 200e-6, 1.0
"""Limits of APERture without option DIG, in s."""
LINE_CYCLES = (0.02, 0.06, 0.2, 1.0, 10.0, 100.0)
LONGEST_TIMER = 3600.0
LARGEST_COUNT = 1_000_000_000
"""Samples per trigger. Not found in a manual at hand; the limit of triggers is."""
LARGEST_TRIGGERS = 1_000_000
OVERLOAD = 9.9e37
OVERRANGE = 1.2
MEMORY_OVERFLOW = 1 << 14
"""Bit of the questionable register."""
NOISE_AT_LINE_CYCLE = 1e-6
"""Standard deviation at one line cycle, a share of range; it grows as 1 / sqrt(aperture)."""
SHARE_OF_ACCURACY = 0.8
"""Share of the accuracy within which the fixed errors are drawn; the rest is room for noise."""


@dataclass(frozen=True, slots=True)
class Range:
    """One range and its one-year accuracy."""

    full_scale: float
    """In A or V."""
    gain: float
    """Limit of the relative error."""
    offset: float
    """Limit of the additive error, a share of full scale."""
    overrange: float = OVERRANGE
    """Largest reading, a share of full scale."""


RANGES = {
    "CURR": (
        Range(1e-6, 0.0005, 0.00005),
        Range(10e-6, 0.0005, 0.00002),
        Range(100e-6, 0.0005, 0.00025),
        Range(1e-3, 0.0005, 0.00005),
        Range(10e-3, 0.0005, 0.0002),
        Range(100e-3, 0.0005, 0.00005),
        Range(1.0, 0.001, 0.0001),
        Range(3.0, 0.002, 0.0002, 1.0),
    ),
    "VOLT": (
        Range(0.1, 0.00005, 0.000035),
        Range(1.0, 0.00004, 0.000007),
        Range(10.0, 0.000035, 0.000005),
        Range(100.0, 0.00004, 0.000006),
        Range(1000.0, 0.00004, 0.00001, 1.0),
    ),
}
"""Data sheet, 1 year, 23 +- 5 degC; the errors that are drawn from it stay inside."""
_RANGE_WORDS = "MINimum|MAXimum|DEFault|AUTO"
_LIMIT_WORDS = "MINimum|MAXimum"
_SETTING_WORDS = "MINimum|MAXimum|DEFault"


@dataclass(frozen=True, slots=True)
class Sampling:
    """One acquisition, as begun."""

    start: float
    """Clock time at which the first aperture opens; infinite while a trigger is awaited."""
    interval: float
    """From aperture to aperture, in s."""
    aperture: float
    """In s."""
    count: float
    """Samples in all; may be infinite."""

    def completed(self, now: float) -> int:
        """Samples whose aperture has closed by `now`."""
        if now < self.start + self.aperture:
            return 0
        done = math.floor((now - self.start - self.aperture) / self.interval + 1e-6) + 1
        return int(min(done, self.count))

    @property
    def end(self) -> float:
        """Clock time at which the last aperture closes; infinite for endless sampling."""
        return self.start + (self.count - 1) * self.interval + self.aperture


class Multimeter(Instrument):
    """A multimeter whose one pair of terminals is wired to one node of the circuit."""

    no_error = '+0,"No error"'

    def __init__(self, entry: InstrumentEntry, world: World, node: Node, seed: int) -> None:
        """Draw the fixed errors and begin in the state after power-on.

        Args:
            entry: as in the bench file.
            world: the bench.
            node: CURRENT for the current terminals, TERMINAL for the voltage terminals; the other
                function reads nothing but its own errors.
            seed: of fixed errors and noise.
        """
        super().__init__(entry, world.clock)
        self._world = world
        self._node = node
        self._wired = "CURR" if node is Node.CURRENT else "VOLT"
        self._random = np.random.default_rng(seed)
        self._errors_of = {
            each: self._random.uniform(-SHARE_OF_ACCURACY, SHARE_OF_ACCURACY, 2)
            * (each.gain, each.offset * each.full_scale)
            for ranges in RANGES.values()
            for each in ranges
        }
        self.preset()

    def preset(self) -> None:
        """Return to the state after *RST: DC volts, 10 line cycles, immediate trigger."""
        self._format, self._swapped = "ASC", False
        self._configure("VOLT", None)

    def _configure(self, function: str, full_scale: float | str | None) -> None:
        chosen = self._range_for(function, full_scale)
        self._function, self._range = function, chosen
        self._aperture, self._auto_zero = 10 * LINE_PERIOD, True
        self._cycles: float | None = 10.0
        self._sample_count, self._trigger_count = 1, 1.0
        self._trigger_source, self._sample_source = "IMM", "IMM"
        self._timer, self._delay = 1.0, 0.0
        self._forget()

    @staticmethod
    def _range_for(function: str, wanted: float | str | None) -> Range:
        ranges = RANGES[function]
        if wanted is None or wanted in {"DEF", "AUTO"}:
            return ranges[-1] if function == "VOLT" else ranges[-2]
        if isinstance(wanted, str):
            return ranges[0] if wanted == "MIN" else ranges[-1]
        for each in ranges:
            if abs(wanted) <= each.full_scale * (1 + 1e-9):
                return each
        raise ScpiError(-222, f"range {wanted}; allowed: up to {ranges[-1].full_scale}")

    def _forget(self) -> None:
        """Stop sampling and empty the memory, as every change of configuration does."""
        self._sampling: Sampling | None = None
        self._memory: Values = np.empty(0)
        self._made = 0
        self._lost = False

    # Sampling.

    def _interval(self) -> float:
        """Time from sample to sample in s; auto zero measures twice."""
        one = self._aperture * (2 if self._auto_zero else 1)
        if self._sample_source == "IMM" or self._sample_count == 1:
            return one + self._delay
        if self._timer < one * (1 - 1e-9):
            raise ScpiError(-221, f"sample timer {self._timer} s is shorter than a sample, {one} s")
        return self._timer

    def _initiate(self) -> Sampling:
        now = self.clock.time
        if self._sampling is not None and now < self._sampling.end:
            raise ScpiError(-213, "sampling already; ABORt first")
        interval = self._interval()
        self._forget()
        start = now + self._delay if self._trigger_source == "IMM" else math.inf
        count = self._sample_count * self._trigger_count
        self._sampling = Sampling(start, interval, self._aperture, count)
        return self._sampling

    def trigger(self) -> None:
        """Obey *TRG."""
        waiting = self._sampling is not None and math.isinf(self._sampling.start)
        if not waiting or self._trigger_source != "BUS" or self._sampling is None:
            raise ScpiError(-211, f"source {self._trigger_source}, waiting for trigger: {waiting}")
        begun = self._sampling
        self._sampling = Sampling(
            self.clock.time + self._delay, begun.interval, begun.aperture, begun.count
        )

    def device_clear(self) -> None:
        """Give up the acquisition under way."""
        self._abort()

    def complete_at(self) -> float:
        """End of the acquisition."""
        end = self._sampling.end if self._sampling is not None else 0.0
        return max(end, self.clock.time)

    def _gather(self) -> None:
        """Bring into memory what was sampled since; of a flood only the newest."""
        sampling = self._sampling
        if sampling is None:
            return
        done = sampling.completed(self.clock.time)
        fresh = done - self._made
        if fresh <= 0:
            return
        if len(self._memory) + fresh > MEMORY:
            self._lost = True
        first = max(self._made, done - MEMORY)
        starts = sampling.start + sampling.interval * np.arange(first, done, dtype=np.float64)
        values = self._readings(starts, sampling.aperture)
        self._made = done
        self._memory = np.concatenate((self._memory, values))[-MEMORY:]

    def _readings(self, starts: Values, aperture: float) -> Values:
        used = self._range
        if self._function == self._wired:
            true = self._world.device.circuit.means(self._node, starts, aperture)
        else:
            true = np.zeros(len(starts))
        gain, offset = self._errors_of[used]
        deviation = NOISE_AT_LINE_CYCLE * used.full_scale * math.sqrt(LINE_PERIOD / aperture)
        values: Values = true * (1 + gain) + offset
        values += deviation * self._random.standard_normal(len(starts))
        beyond = ~(np.abs(values) <= used.full_scale * used.overrange)
        values[beyond] = np.copysign(OVERLOAD, values[beyond])
        return values

    # Readings on the wire.

    def _text(self, values: Values) -> bytes:
        if self._format == "REAL":
            return block(values.astype("<f8" if self._swapped else ">f8").tobytes())
        return ",".join(map(scientific, values.tolist())).encode()

    def _fetched(self) -> bytes:
        self._gather()
        if not len(self._memory):
            raise ScpiError(-230, "no reading since the last change of configuration")
        return self._text(self._memory)

    @scpi("INITiate[:IMMediate]")
    def _init(self) -> None:
        self._initiate()

    @scpi("ABORt")
    def _abort(self) -> None:
        """Stop sampling; what is in memory stays there."""
        self._gather()
        self._sampling = None

    @scpi("READ?")
    def _read_out(self) -> Answer:
        if self._trigger_source == "BUS":
            raise ScpiError(-214, "READ? with TRIGger:SOURce BUS would wait for ever")
        return Pending(self._initiate().end, self._fetched)

    @scpi("FETCh?")
    def _fetch(self) -> Answer:
        end = self.complete_at()
        return Pending(end, self._fetched) if end > self.clock.time else self._fetched()

    @scpi("MEASure:CURRent[:DC]?", optional(number("A", words=_RANGE_WORDS)))
    def _measure_current(self, full_scale: float | str = "DEF") -> Answer:
        self._configure("CURR", full_scale)
        return self._read_out()

    @scpi("MEASure[:VOLTage][:DC]?", optional(number("V", words=_RANGE_WORDS)))
    def _measure_voltage(self, full_scale: float | str = "DEF") -> Answer:
        self._configure("VOLT", full_scale)
        return self._read_out()

    @scpi("R?", optional(integer()))
    def _remove_some(self, most: int = MEMORY) -> bytes:
        """Hand over and remove the oldest readings; without any, an empty block."""
        if most < 1:
            raise ScpiError(-222, f"{most} readings; allowed: 1 or more")
        taken = self._take(most)
        return taken if self._format == "REAL" else block(taken)

    def _take(self, most: int) -> bytes:
        self._gather()
        taken, self._memory = self._memory[:most], self._memory[most:]
        return self._text(taken)

    @scpi("DATA:REMove?", integer())
    def _remove(self, count: int) -> bytes:
        self._gather()
        if not 1 <= count <= len(self._memory):
            raise ScpiError(-222, f"{count} readings; in memory: {len(self._memory)}")
        return self._take(count)

    @scpi("DATA:POINts?")
    def _points(self) -> str:
        self._gather()
        return f"{len(self._memory):+d}"

    @scpi("DATA:LAST?")
    def _last(self) -> str:
        self._gather()
        unit = "ADC" if self._function == "CURR" else "VDC"
        return f"{scientific(self._memory[-1] if len(self._memory) else 9.91e37)} {unit}"

    @scpi("STATus:QUEStionable:CONDition?")
    def _questionable(self) -> str:
        self._gather()
        return f"{MEMORY_OVERFLOW * self._lost:+d}"

    # Configuration.

    @scpi("CONFigure:CURRent[:DC]", optional(number("A", words=_RANGE_WORDS)))
    def _configure_current(self, full_scale: float | str = "DEF") -> None:
        self._configure("CURR", full_scale)

    @scpi("CONFigure[:VOLTage][:DC]", optional(number("V", words=_RANGE_WORDS)))
    def _configure_voltage(self, full_scale: float | str = "DEF") -> None:
        self._configure("VOLT", full_scale)

    @scpi("CONFigure?")
    def _configuration(self) -> str:
        return f'"{self._function} {self._range.full_scale:+.8E}"'

    def _need(self, function: str) -> None:
        if self._function != function:
            raise ScpiError(-221, f"the function is {self._function}; CONFigure:{function} first")

    @scpi("[SENSe:]CURRent[:DC]:RANGe[:UPPer]", number("A", words=_RANGE_WORDS))
    def _set_current_range(self, full_scale: float | str) -> None:
        self._need("CURR")
        self._set_range(full_scale)

    @scpi("[SENSe:]VOLTage[:DC]:RANGe[:UPPer]", number("V", words=_RANGE_WORDS))
    def _set_voltage_range(self, full_scale: float | str) -> None:
        self._need("VOLT")
        self._set_range(full_scale)

    def _set_range(self, full_scale: float | str) -> None:
        self._range = self._range_for(self._function, full_scale)
        self._forget()

    @scpi("[SENSe:]CURRent[:DC]:RANGe[:UPPer]?")
    @scpi("[SENSe:]VOLTage[:DC]:RANGe[:UPPer]?")
    def _range_in_use(self) -> str:
        return scientific(self._range.full_scale)

    @scpi("[SENSe:]CURRent[:DC]:RANGe:AUTO", boolean())
    @scpi("[SENSe:]VOLTage[:DC]:RANGe:AUTO", boolean())
    def _set_auto_range(self, on: bool) -> None:
        if on:
            raise ScpiError(-221, "autoranging is not simulated; set a range")

    @scpi("[SENSe:]CURRent[:DC]:RANGe:AUTO?")
    @scpi("[SENSe:]VOLTage[:DC]:RANGe:AUTO?")
    def _auto_range(self) -> str:
        return "0"

    @scpi("[SENSe:]CURRent[:DC]:APERture", number("S", words=_SETTING_WORDS))
    @scpi("[SENSe:]VOLTage[:DC]:APERture", number("S", words=_SETTING_WORDS))
    def _set_aperture(self, given: float | str) -> None:
        words = {"MIN": SHORTEST_APERTURE, "MAX": LONGEST_APERTURE, "DEF": 0.1}
        seconds = words[given] if isinstance(given, str) else given
        if not SHORTEST_APERTURE <= seconds <= LONGEST_APERTURE:
            allowed = f"{SHORTEST_APERTURE} to {LONGEST_APERTURE} s"
            raise ScpiError(-222, f"aperture {seconds} s; allowed: {allowed}")
        self._integrate(seconds, None)

    @scpi("[SENSe:]CURRent[:DC]:APERture?", optional(choice(_LIMIT_WORDS)))
    @scpi("[SENSe:]VOLTage[:DC]:APERture?", optional(choice(_LIMIT_WORDS)))
    def _aperture_in_use(self, word: str = "") -> str:
        limits = {"MIN": SHORTEST_APERTURE, "MAX": LONGEST_APERTURE}
        return scientific(limits.get(word, self._aperture))

    @scpi("[SENSe:]CURRent[:DC]:NPLCycles", number(words=_SETTING_WORDS))
    @scpi("[SENSe:]VOLTage[:DC]:NPLCycles", number(words=_SETTING_WORDS))
    def _set_cycles(self, given: float | str) -> None:
        words = {"MIN": LINE_CYCLES[0], "MAX": LINE_CYCLES[-1], "DEF": 10.0}
        wanted = words[given] if isinstance(given, str) else given
        if not 0 < wanted <= LINE_CYCLES[-1]:
            raise ScpiError(-222, f"{wanted} line cycles; allowed: {LINE_CYCLES}")
        cycles = min(each for each in LINE_CYCLES if each >= wanted)
        self._integrate(cycles * LINE_PERIOD, cycles)

    @scpi("[SENSe:]CURRent[:DC]:NPLCycles?")
    @scpi("[SENSe:]VOLTage[:DC]:NPLCycles?")
    def _cycles_in_use(self) -> str:
        return scientific(self._cycles or self._aperture / LINE_PERIOD)

    def _integrate(self, seconds: float, cycles: float | None) -> None:
        """Set the integration time; under one line cycle there is no auto zero."""
        self._aperture, self._cycles = seconds, cycles
        self._auto_zero = self._auto_zero and seconds >= LINE_PERIOD
        self._forget()

    @scpi("[SENSe:]CURRent[:DC]:ZERO:AUTO", choice("ON|OFF|ONCE|1|0"))
    @scpi("[SENSe:]VOLTage[:DC]:ZERO:AUTO", choice("ON|OFF|ONCE|1|0"))
    def _set_auto_zero(self, word: str) -> None:
        self._auto_zero = word in {"ON", "1"}
        self._forget()

    @scpi("[SENSe:]CURRent[:DC]:ZERO:AUTO?")
    @scpi("[SENSe:]VOLTage[:DC]:ZERO:AUTO?")
    def _auto_zero_in_use(self) -> str:
        return str(int(self._auto_zero))

    @scpi("[SENSe:]VOLTage[:DC]:IMPedance:AUTO", boolean())
    @scpi("INPut:IMPedance:AUTO", boolean())
    def _set_impedance(self, on: bool) -> None:
        """OFF is 10 Mohm. ON would be > 10 Gohm up to 10 V, which the circuit does not know."""
        if on:
            raise ScpiError(-221, "the bench is wired with 10 Mohm; only OFF is simulated")

    @scpi("[SENSe:]VOLTage[:DC]:IMPedance:AUTO?")
    @scpi("INPut:IMPedance:AUTO?")
    def _impedance(self) -> str:
        return "0"

    @scpi("SAMPle:COUNt", integer(_SETTING_WORDS))
    def _set_sample_count(self, given: int | str) -> None:
        words = {"MIN": 1, "MAX": LARGEST_COUNT, "DEF": 1}
        count = words[given] if isinstance(given, str) else given
        if not 1 <= count <= LARGEST_COUNT:
            raise ScpiError(-222, f"{count} samples; allowed: 1 to {LARGEST_COUNT}")
        self._sample_count = count
        self._forget()

    @scpi("SAMPle:COUNt?")
    def _samples(self) -> str:
        return f"{self._sample_count:+d}"

    @scpi("SAMPle:SOURce", choice("IMMediate|TIMer"))
    def _set_sample_source(self, source: str) -> None:
        self._sample_source = source
        self._forget()

    @scpi("SAMPle:SOURce?")
    def _sample_source_in_use(self) -> str:
        return self._sample_source

    @scpi("SAMPle:TIMer", number("S", words=_SETTING_WORDS))
    def _set_timer(self, given: float | str) -> None:
        words = {"MIN": self._shortest_timer(), "MAX": LONGEST_TIMER, "DEF": 1.0}
        seconds = words[given] if isinstance(given, str) else given
        if not 0 < seconds <= LONGEST_TIMER:
            raise ScpiError(-222, f"timer {seconds} s; allowed: up to {LONGEST_TIMER} s")
        self._timer = seconds
        self._forget()

    def _shortest_timer(self) -> float:
        return self._aperture * (2 if self._auto_zero else 1)

    @scpi("SAMPle:TIMer?", optional(choice(_LIMIT_WORDS)))
    def _timer_in_use(self, word: str = "") -> str:
        limits = {"MIN": self._shortest_timer(), "MAX": LONGEST_TIMER}
        return scientific(limits.get(word, self._timer))

    @scpi("TRIGger:SOURce", choice("IMMediate|BUS|EXTernal"))
    def _set_trigger_source(self, source: str) -> None:
        self._trigger_source = source
        self._forget()

    @scpi("TRIGger:SOURce?")
    def _trigger_source_in_use(self) -> str:
        return self._trigger_source

    @scpi("TRIGger:COUNt", number(words=_SETTING_WORDS + "|INFinity"))
    def _set_trigger_count(self, given: float | str) -> None:
        words = {"MIN": 1.0, "MAX": float(LARGEST_TRIGGERS), "DEF": 1.0, "INF": math.inf}
        count = words[given] if isinstance(given, str) else given
        if not 1 <= count <= LARGEST_TRIGGERS and given != "INF":
            raise ScpiError(-222, f"{count} triggers; allowed: 1 to {LARGEST_TRIGGERS} or INFinity")
        self._trigger_count = count if math.isinf(count) else float(round(count))
        self._forget()

    @scpi("TRIGger:COUNt?")
    def _triggers(self) -> str:
        return scientific(min(self._trigger_count, 9.9e37))

    @scpi("TRIGger:DELay", number("S", words=_SETTING_WORDS))
    def _set_delay(self, given: float | str) -> None:
        seconds = (
            {"MIN": 0.0, "MAX": 3600.0, "DEF": 0.0}[given] if isinstance(given, str) else given
        )
        if not 0 <= seconds <= 3600:
            raise ScpiError(-222, f"delay {seconds} s; allowed: 0 to 3600 s")
        self._delay = seconds
        self._forget()

    @scpi("TRIGger:DELay?")
    def _delay_in_use(self) -> str:
        return scientific(self._delay)

    @scpi("FORMat[:DATA]", choice("ASCii|REAL"), optional(integer()))
    def _set_format(self, form: str, length: int = 0) -> None:
        allowed = {"ASC": range(10), "REAL": (0, 64)}
        if length not in allowed[form]:
            raise ScpiError(-222, f"length {length} of {form}; allowed: REAL,64 or ASCii")
        self._format = form

    @scpi("FORMat[:DATA]?")
    def _format_in_use(self) -> str:
        return "REAL,64" if self._format == "REAL" else "ASC,9"

    @scpi("FORMat:BORDer", choice("NORMal|SWAPped"))
    def _set_byte_order(self, order: str) -> None:
        self._swapped = order == "SWAP"

    @scpi("FORMat:BORDer?")
    def _byte_order(self) -> str:
        return "SWAP" if self._swapped else "NORM"
