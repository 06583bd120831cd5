"""Dialect of the Keithley 2000 multimeter, with its command set SCPI.

Model 2000 User's Manual, 2000-900-01 Rev. J, as far as it could be looked up: trigger model (4-29),
data formats (5-28), measurement register (5-53). What is modelled: voltage and current, direct and
alternating, with autoranging, overload, aperture average, errors inside the one-year accuracy,
noise, filter, relative; triggers (immediate, timer, bus); continuous readings; the buffer of 1 024
readings, which fills once and stops.

What is not: scanner card, limits, mX+b, statistics, RS-232's own ways; resistance, diode and
temperature read overload, since nothing that they could measure is wired. An overload is +9.9E37
whatever its sign (5-28). That a buffer can be read while it fills is not known of a 2000 (a 2700
can): here it answers what is there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.functions import each
from hil_instruments.simulated.dialects.keithley_2000_settings import (
    ALTERNATING_INPUT,
    AUTO_STEP,
    FUNCTIONS,
    KEPT,
    LINE_FREQUENCY,
    MEASURED,
    NOISE,
    OVERHEAD,
    PERIODIC,
    QUANTITY,
    RANGED,
    RANGES,
    SETTINGS,
    TRIGGER,
    UNITS,
)
from hil_instruments.simulated.dialects.measurement_status import MeasurementStatus
from hil_instruments.simulated.dialects.multimeter import Multimeter
from hil_instruments.simulated.dialects.settings import Setting, Value, exponential
from hil_instruments.simulated.metrology.converter import OVERLOAD, Converter, NoiseCurve
from hil_instruments.simulated.metrology.meter import Meter, Sensing
from hil_instruments.simulated.metrology.sampling import Burst
from hil_instruments.simulated.metrology.terminals import Terminals
from hil_instruments.simulated.scpi import (
    Answer,
    Pending,
    ScpiError,
    boolean,
    choice,
    indefinite,
    number,
    optional,
    scientific,
    scpi,
    string,
)

Values = npt.NDArray[np.float64]

READING, SOME, HALF, FULL = 1 << 5, 1 << 7, 1 << 8, 1 << 9
"""Bits of the measurement register: a reading; at least two, half of all, all in the buffer."""
MOST_FETCHED = 1024
_UNIT_SUFFIXES = ("A", "V", "OHM")
_ELEMENT = choice("READing|CHANnel|UNITs")


class Keithley2000(MeasurementStatus, Multimeter):
    """The whole multimeter."""

    ALTERNATING_INPUT, AUTO_STEP = ALTERNATING_INPUT, AUTO_STEP
    _direct = True

    firmware = "A20  /A02"
    SETTINGS: ClassVar[Mapping[str, Setting]] = SETTINGS

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Draw the fixed errors.

        Args:
            entry: as in the bench file; its role says which terminals are wired.
            world: the bench.
            seed: of fixed errors and noise.
        """
        super().__init__(entry, world.clock)
        self._converter = Converter(RANGES, NoiseCurve(NOISE), seed)
        self._meter = Meter(Terminals(world, entry.role), self._converter)
        self._come_up()

    def _come_up(self) -> None:
        self.forget_settings()
        self._buffer: Values = np.empty(0)
        self._burst: Burst | None = None
        self.preset()
        self.change("continuous", True)

    def power_on(self) -> None:
        """Come up as after a power failure: buffer empty, measuring all the time."""
        super().power_on()
        self._come_up()

    def preset(self) -> None:
        """Return to the state after *RST: direct volts, autoranging, idle; the buffer stays."""
        self._gather()
        kept = {name: self.settings[name] for name in KEPT}
        self.forget_settings()
        self.settings.update(kept)
        self._sensings = {function: self._sensing_of(function) for function in RANGES}
        self._elements: tuple[str, ...] = ("READ",)
        self._select("VOLT:DC")

    def _sensing_of(self, function: str) -> Sensing:
        return Sensing(self._converter.scales[function][-1])

    # Function and range.

    @property
    def _quantity(self) -> str:
        return QUANTITY.get(self._function, "")

    @property
    def _sensing(self) -> Sensing:
        return self._sensings[self._function]

    def _select(self, function: str) -> None:
        self._function = function
        self._changed()

    def _changed(self) -> None:
        """Connect what is measured now; what was under way ends."""
        self._idle()
        self._latest: float | None = None
        self._fresh = False
        self._connect()
        if self.settings["continuous"]:
            self._initiate()

    def change(self, name: str, value: Value) -> None:
        """Take over a setting; one of measuring or triggering ends what is under way."""
        self._gather()
        super().change(name, value)
        if name == "storing" and value == "NEXT":
            self._buffer = np.empty(0)  # from its beginning: what was there is overwritten
        if name == "delay":
            self.settings["delay_auto"] = False
        if name in TRIGGER or name.endswith(f"_{self._function}") or name == "zero":
            self._changed()

    @scpi("[SENSe:]FUNCtion[:ON]", string())
    def _set_function(self, name: str) -> None:
        spelled = name.upper()
        for form in (spelled, f"{spelled}:DC"):
            if form in FUNCTIONS:
                self._select(form)
                return
        raise ScpiError(-224, f"function {name!r}; allowed: {', '.join(FUNCTIONS)}")

    @scpi("[SENSe:]FUNCtion[:ON]?")
    @scpi("CONFigure?")
    def _function_in_use(self) -> str:
        return f'"{self._function}"'

    @each(RANGED, "[SENSe:]<function>:RANGe[:UPPer]", number(*_UNIT_SUFFIXES, words="MIN|MAX|DEF"))
    def _set_range(self, function: str, wanted: float | str) -> None:
        scales = self._converter.scales[function]
        if isinstance(wanted, str):
            found = scales[0 if wanted == "MIN" else -1]
        elif abs(wanted) > scales[-1].limit:
            raise ScpiError(-222, f"range {wanted:g}; allowed: up to {scales[-1].limit:g}")
        else:
            found = self._converter.scale(function, abs(wanted)) or scales[-1]
        self._sensings[function] = Sensing(found, auto=False)
        self._ranged(function)

    @each(RANGED, "[SENSe:]<function>:RANGe[:UPPer]?")
    def _range_in_use(self, function: str) -> str:
        return exponential(self._sensings[function].scale.range.full_scale)

    @each(RANGED, "[SENSe:]<function>:RANGe:AUTO", boolean())
    def _set_auto(self, function: str, on: bool) -> None:
        self._sensings[function].auto = on
        self._ranged(function)

    @each(RANGED, "[SENSe:]<function>:RANGe:AUTO?")
    def _is_auto(self, function: str) -> str:
        return str(int(self._sensings[function].auto))

    def _ranged(self, function: str) -> None:
        if function == self._function:
            self._changed()

    @each(MEASURED, "[SENSe:]<function>:REFerence:ACQuire")
    def _acquire_reference(self, function: str) -> None:
        if function != self._function or self._latest is None:
            raise ScpiError(-221, f"no reading of {function} to take as reference")
        self.settings[f"reference_{function}"] = self._latest

    @each(FUNCTIONS, "CONFigure:<function>")
    def _configure(self, function: str) -> None:
        """Set a function up for one reading: its settings and the trigger's at their defaults."""
        for name, setting in SETTINGS.items():
            if name in TRIGGER or name.endswith(f"_{function}"):
                self.settings[name] = setting.default
        self._sensings[function] = self._sensing_of(function)
        self._select(function)

    @each(FUNCTIONS, "MEASure:<function>?")
    def _measure_function(self, function: str) -> Answer:
        self._configure(function)
        return self._read_out()

    @scpi("CALCulate<1-1>:STATe", boolean())
    def _switch_mathematics(self, _: int, on: bool) -> None:
        if on:
            raise ScpiError(-221, "scaling of readings is not simulated")

    @scpi("CALCulate<1-1>:STATe?")
    def _mathematics(self, _: int) -> str:
        return "0"

    # Triggering.

    def _timing(self) -> tuple[float, float]:
        """Length of a reading and its aperture, in s."""
        if self._function in PERIODIC:
            gate = self.figure(f"gate_{self._function}")
            return gate + OVERHEAD, gate
        if self._function not in MEASURED:
            return 0.02 + OVERHEAD, 0.02
        aperture = self.figure(f"cycles_{self._function}") / LINE_FREQUENCY
        repeats = self.setting(f"filter_kind_{self._function}") == "REP"
        if self.settings[f"filter_{self._function}"] and repeats:
            aperture *= self.figure(f"filter_count_{self._function}")
        return aperture * (2 if self.settings["zero"] else 1) + OVERHEAD, aperture

    def _planned(self, start: float) -> Burst:
        """Readings of all triggers, or of the one that came over the bus."""
        length, aperture = self._timing()
        samples, triggers = self.figure("samples"), self.figure("triggers")
        tail = length - aperture
        if self.settings["continuous"]:
            triggers = math.inf
        if self.setting("source") in {"MAN", "BUS", "EXT"}:
            return Burst(start, length, aperture, samples, tail=tail)
        if self.setting("source") == "IMM":
            return Burst(start, length, aperture, samples * triggers, tail=tail)
        # The first event of the timer comes at once; one that comes within a reading is missed.
        timer = self.figure("timer")
        busy = length * samples + self.figure("delay")
        interval = timer * math.ceil(busy / timer * (1 - 1e-9))
        if samples == 1:
            return Burst(start, interval, aperture, triggers, tail=tail)
        pause = interval - length * samples
        return Burst(start, length, aperture, samples * triggers, samples, pause, tail)

    def _initiate(self) -> None:
        """Leave idle: measure, or wait for a trigger."""
        self._gather()
        self._made = 0
        waits = self.setting("source") in {"MAN", "BUS", "EXT"}
        self._awaited = self.figure("triggers") if waits else 0.0
        start = self.clock.time + self.figure("delay") + self._rerange()
        self._burst = None if waits else self._planned(start)

    def _idle(self) -> None:
        """Stop; what is in the buffer stays there."""
        self._gather()
        self._burst, self._awaited = None, 0.0

    def trigger(self) -> None:
        """Obey *TRG."""
        if not self._awaited or self.setting("source") != "BUS":
            raise ScpiError(-211, f"source {self.setting('source')}; triggers: {self._awaited:g}")
        self._gather()
        self._awaited -= 1
        self._made = 0
        self._burst = self._planned(self.clock.time + self.figure("delay") + self._rerange())

    def device_clear(self) -> None:
        """Give up the measurement under way."""
        self._idle()

    def complete_at(self) -> float:
        """End of the measurement under way; infinite while a trigger is awaited."""
        self._gather()
        if self._awaited:
            return math.inf
        return self.clock.time if self._burst is None else max(self._burst.end, self.clock.time)

    def needed_from(self) -> float:
        """Earliest bench time of the circuit that it may still ask for."""
        self._gather()
        if self._burst is None:
            return self.clock.time
        start = float(self._burst.starts(self._made, self._made + 1)[0])
        return min(start, self.clock.time)

    def _gather(self) -> None:
        """Digest what was measured since: into the buffer while it stores, else the newest."""
        burst = self._burst
        if burst is None:
            return
        done = burst.completed(self.clock.time)
        if done <= self._made:
            return
        self._meter.terminals.catch_up()
        first = self._made
        stores = self.setting("storing") == "NEXT" and self.setting("feed") != "NONE"
        room = max(round(self.figure("room")) - len(self._buffer), 0) if stores else 0
        stored = min(done - first, room)
        if stored:
            values = self._measured(burst, first, first + stored)
            self._buffer = np.concatenate((self._buffer, values))
            if stored == room:
                self.settings["storing"] = "NEV"
        else:
            values = np.empty(0)
        if first + stored < done:
            values = self._measured(burst, done - 1, done)
        self._latest, self._fresh, self._made = float(values[-1]), True, done
        self._measurement.set(READING, False)
        self._measurement.set(READING, True)

    def _measured(self, burst: Burst, first: int, end: int) -> Values:
        """Readings by their number since the trigger."""
        sensing, function = self._sensings[self._function], self._function
        before, cycles = sensing.scale, burst.aperture * LINE_FREQUENCY
        starts = burst.starts(first, end)
        values = self._meter.many(self._quantity, sensing, cycles, starts, burst.aperture)
        if sensing.scale is not before:
            self._connect()
        beyond = np.abs(values) >= OVERLOAD
        if function in MEASURED and self.settings[f"reference_on_{function}"]:
            values = values - self.figure(f"reference_{function}")
        return np.where(beyond, OVERLOAD, values)

    # Readings on the wire.

    def _written(self, values: Values) -> str:
        unit = UNITS.get(self._function, "") if "UNIT" in self._elements else ""
        channel = ",0" if "CHAN" in self._elements else ""
        return ",".join(f"{scientific(value)}{unit}{channel}" for value in values.tolist())

    def _last(self) -> str:
        self._gather()
        if self._latest is None:
            raise ScpiError(-230, "no reading since the last change of configuration")
        self._fresh = False
        return self._written(np.array([self._latest]))

    @scpi("INITiate[:IMMediate]")
    def _init(self) -> None:
        if self.settings["continuous"] or self.complete_at() > self.clock.time:
            raise ScpiError(-213, "it is measuring; INIT:CONT OFF and ABOR first")
        self._initiate()

    @scpi("ABORt")
    def _abort(self) -> None:
        self._idle()
        if self.settings["continuous"]:
            self._initiate()

    @scpi("READ?")
    def _read_out(self) -> Answer:
        """ABORt, INITiate, FETCh?: the readings of one trigger."""
        if self.settings["continuous"]:
            raise ScpiError(-213, "READ? while INIT:CONT is ON")
        if self.figure("samples") > 1 and len(self._buffer):
            raise ScpiError(-225, "READ? of several readings while the buffer holds some")
        self._idle()
        self._initiate()
        return self._when_complete()

    def _when_complete(self) -> Pending:
        return Pending(self.complete_at, self._fetched)

    def _fetched(self) -> str | Pending:
        if self.complete_at() > self.clock.time:
            return self._when_complete()
        burst, count = self._burst, round(self.figure("samples"))
        if burst is None or count == 1:
            return self._last()
        last = self._made
        values = self._measured(burst, max(last - min(count, MOST_FETCHED), 0), last)
        self._fresh = False
        return self._written(values)

    @scpi("FETCh?")
    def _fetch(self) -> Answer:
        return self._last() if self.settings["continuous"] else self._when_complete()

    @scpi("[SENSe:]DATA[:LATest]?")
    def _latest_reading(self) -> str:
        return self._last()

    @scpi("[SENSe:]DATA:FRESh?")
    def _fresh_reading(self) -> Answer:
        """A reading that was not sent yet; it waits for one."""
        self._gather()
        return self._last() if self._fresh else Pending(self._next_at, self._fresh_reading)

    def _next_at(self) -> float:
        """Bench time at which the next reading is there; infinite while none is to come."""
        burst = self._burst
        if burst is None or self._made >= burst.count:
            return math.inf
        return burst.closes(self._made)

    @scpi("FORMat:ELEMents", _ELEMENT, *[optional(_ELEMENT)] * 2)
    def _set_elements(self, *elements: str) -> None:
        self._elements = elements

    @scpi("FORMat:ELEMents?")
    def _elements_in_use(self) -> str:
        return ",".join(self._elements)

    # The buffer.

    @scpi("TRACe:CLEar")
    def _clear(self) -> None:
        self._gather()
        self._buffer = np.empty(0)

    @scpi("TRACe:FREE?")
    def _free(self) -> str:
        self._gather()
        held = 16 * len(self._buffer)
        return f"{16 * MOST_FETCHED - held},{held}"

    @scpi("TRACe:DATA?")
    def _data(self) -> Answer:
        self._gather()
        if not len(self._buffer):
            raise ScpiError(-230, "the buffer is empty")
        if self.setting("format") == "ASC":
            return self._written(self._buffer)
        order = ">" if self.setting("order") == "NORM" else "<"
        size = 8 if self.setting("format") == "DRE" else 4
        return indefinite(self._buffer.astype(f"{order}f{size}").tobytes())

    def refresh(self) -> None:
        """Bring the measurement register up to the clock."""
        self._gather()
        held, room = len(self._buffer), self.figure("room")
        for bit, least in ((SOME, 2), (HALF, room / 2), (FULL, room)):
            self._measurement.set(bit, held >= least)

    # System.

    @scpi("SYSTem:LFRequency?")
    def _line_frequency(self) -> str:
        return str(LINE_FREQUENCY)

    @scpi("SYSTem:PRESet")
    def _preset_system(self) -> None:
        """As *RST, but measuring all the time."""
        self.preset()
        self.change("continuous", True)

    @scpi("SYSTem:LOCal")
    @scpi("SYSTem:REMote")
    @scpi("SYSTem:RWLock")
    def _ignore(self) -> None:
        """Nothing that the wire could tell."""

    @scpi("SYSTem:BEEPer[:IMMediate]", number("HZ"), number("S"))
    def _beep(self, _: float, __: float) -> None:
        """Nobody hears it."""
