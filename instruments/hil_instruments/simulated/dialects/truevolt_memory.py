"""Sampling and reading memory of a Truevolt multimeter.

Operating and Service Guide, `R?`: when the memory is full, new readings overwrite the oldest; no
error is reported, but bit 14 of the questionable register. A pre-trigger costs nothing here: the
samples before the trigger are taken from the past of the circuit once the trigger has come.
"""

from __future__ import annotations

import math

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.truevolt_ranges import UNITS
from hil_instruments.simulated.dialects.truevolt_trigger import LARGE_MEMORY, TruevoltTrigger
from hil_instruments.simulated.metrology.sampling import Burst, Memory
from hil_instruments.simulated.metrology.watch import first_crossing
from hil_instruments.simulated.scpi import (
    Answer,
    Pending,
    ScpiError,
    block,
    choice,
    integer,
    optional,
    scientific,
    scpi,
)

MEMORY_OVERFLOW = 1 << 14
"""Bit of the questionable register."""
STALE = 9.91e37
"""Reading of DATA:LAST? where there is none."""
LEVEL_LOOK = 1e-3
"""Bench seconds between two looks for a level trigger that a reply waits for."""


class TruevoltMemory(TruevoltTrigger):
    """From trigger to memory, and from there to the wire."""

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        self._memory = Memory(self.memory_size)
        self._burst: Burst | None = None
        self._made = 0
        self._triggers_left = 0.0
        self._armed = math.inf
        self._looked = math.inf
        super().__init__(entry, world, seed)

    def preset(self) -> None:
        """Return to the state after *RST: readings as text."""
        self._format, self._swapped = "ASC", False
        super().preset()

    # Sampling.

    def _forget(self) -> None:
        self._burst = None
        self._armed = math.inf
        self._made = 0
        self._memory.clear()

    def _planned(self, start: float) -> Burst:
        """Samples of one trigger, or with an immediate trigger of all of them."""
        interval, aperture, samples = self._interval(), self._aperture_now(), self._sample_count
        tail = self._reading_time() - aperture
        if self._trigger_source != "IMM" or self._trigger_count == 1:
            return Burst(start, interval, aperture, samples, tail=tail)
        count = samples * self._trigger_count
        # With the timer a trigger's last sample keeps its whole interval; then comes the delay.
        return Burst(start, interval, aperture, count, samples, self._delay, tail)

    def _initiate(self) -> None:
        now = self.clock.time
        if self._is_sampling(now):
            raise ScpiError(-213, "sampling already; ABORt first")
        immediate = self._trigger_source == "IMM"
        delay = self._delay + self._rerange()
        burst = self._planned(now + delay)
        self._memory.clear()
        self._made = 0
        self._triggers_left = 0.0 if immediate else self._trigger_count
        self._burst = burst if immediate else None
        self._armed = self._looked = math.inf if immediate else now

    def _is_sampling(self, now: float) -> bool:
        self._look()
        if not math.isinf(self._armed):
            return True
        return self._burst is not None and now < self._burst.end

    def _triggered(self, at: float) -> None:
        """Begin the samples of a trigger; those before it are already past."""
        before = self._before * self._interval()
        start = max(at + self._delay - before, self._armed) if before else at + self._delay
        self._gather()
        self._burst, self._made = self._planned(start), 0
        self._triggers_left -= 1
        self._armed = self._looked = math.inf if self._triggers_left < 1 else self._burst.end

    def trigger(self) -> None:
        """Obey *TRG."""
        waits = not math.isinf(self._armed) and self.clock.time >= self._armed
        if not waits or self._trigger_source != "BUS":
            raise ScpiError(-211, f"source {self._trigger_source}, waiting for trigger: {waits}")
        self._triggered(self.clock.time)

    def _look(self) -> None:
        """See whether the input has crossed the level since the last look."""
        if self._trigger_source != "INT" or not self._meter.wired(self._function):
            return
        now = self.clock.time
        while self._looked < now:
            found = first_crossing(
                self._meter.terminals, self._looked, now, self._level, self._slope
            )
            self._looked = now
            if found is not None:
                self._triggered(found)

    def device_clear(self) -> None:
        """Give up the acquisition under way."""
        self._abort()

    def complete_at(self) -> float:
        """End of the acquisition; while a level is awaited, the next look at it."""
        self._look()
        now = self.clock.time
        if not math.isinf(self._armed):
            return now + LEVEL_LOOK if self._trigger_source == "INT" else math.inf
        return now if self._burst is None else max(self._burst.end, now)

    def needed_from(self) -> float:
        """Earliest bench time of the circuit that it may still ask for."""
        self._gather()
        now = self.clock.time
        if not math.isinf(self._armed):
            before = self._before * self._timer if self._before else 0.0
            return max(min(self._armed, now) if before else now, now - before - 1.0)
        burst = self._burst
        if burst is None or self._made >= burst.count:
            return now
        return min(float(burst.starts(self._made, self._made + 1)[0]), now)

    def _gather(self) -> None:
        """Bring into memory what was sampled since; of a flood only the newest."""
        self._look()
        burst = self._burst
        if burst is None:
            return
        done = burst.completed(self.clock.time)
        if done <= self._made:
            return
        self._meter.terminals.catch_up()
        fresh = done - self._made
        if fresh <= 0:
            return
        if fresh == 1:
            start = burst.start if done == 1 else float(burst.starts(done - 1, done)[0])
            self._memory.put(self._measure_one(start, burst.aperture), start)
        else:
            first = max(self._made, done - self._memory.capacity)
            for starts in burst.pieces(first, done):
                self._memory.extend(self._measure(starts, burst.aperture), starts)
            self._memory.lost += first - self._made
        self._made = done
        if self._memory.lost:
            self.questionable.set(MEMORY_OVERFLOW, True)

    def refresh(self) -> None:
        """Bring the questionable register up to the clock."""
        self._gather()
        self.questionable.set(MEMORY_OVERFLOW, bool(self._memory.lost))

    # Readings on the wire.

    def _text(self, first: int, end: int) -> bytes:
        values = self._memory.values(first, end)
        if self._format == "REAL":
            return block(values.astype("<f8" if self._swapped else ">f8").tobytes())
        return ",".join(map(scientific, values.tolist())).encode()

    def _fetched(self) -> bytes | str | Pending:
        if not math.isinf(self._armed):
            return self._when_complete()
        self._gather()
        count = len(self._memory)
        if not count:
            raise ScpiError(-230, "no reading since the last change of configuration")
        if count == 1 and self._format == "ASC":
            return scientific(self._memory.last())
        return self._text(0, count)

    def _when_complete(self) -> Pending:
        return Pending(self.complete_at, self._fetched)

    @scpi("INITiate[:IMMediate]")
    def _init(self) -> None:
        self._initiate()

    @scpi("ABORt")
    def _abort(self) -> None:
        """Stop sampling; what is in memory stays there."""
        self._gather()
        self._burst, self._armed = None, math.inf

    @scpi("READ?")
    def _read_out(self) -> Answer:
        if self._trigger_source == "BUS":
            raise ScpiError(-214, "READ? with TRIGger:SOURce BUS would wait for ever")
        self._initiate()
        burst = self._burst
        return self._when_complete() if burst is None else Pending(burst.end, self._fetched)

    @scpi("FETCh?")
    def _fetch(self) -> Answer:
        end = self.complete_at()
        return self._when_complete() if end > self.clock.time else self._fetched()

    @scpi("R?", optional(integer()))
    def _remove_some(self, most: int = LARGE_MEMORY) -> bytes:
        """Hand over and remove the oldest readings; without any, an empty block."""
        if not 1 <= most <= LARGE_MEMORY:
            raise ScpiError(-222, f"{most} readings; allowed: 1 to {LARGE_MEMORY}")
        self._gather()
        taken = self._take(min(most, len(self._memory)))
        return taken if self._format == "REAL" else block(taken)

    def _take(self, count: int) -> bytes:
        taken = self._text(0, count)
        self._memory.drop(count)
        return taken

    @scpi("DATA:REMove?", integer(), optional(choice("WAIT")))
    def _remove(self, count: int, wait: str = "") -> Answer:
        self._gather()
        if wait and count > len(self._memory) and self._burst is not None:
            missing = self._made + count - len(self._memory)
            if 1 <= count <= self._memory.capacity and missing <= self._burst.count:
                return Pending(self._burst.closes(missing - 1), lambda: self._remove(count))
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
        last = self._memory.last() if len(self._memory) else STALE
        return f"{scientific(last)} {UNITS.get(self._function, '')}".rstrip()

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
