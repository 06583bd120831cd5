"""Measuring into buffers: READ?, MEASure?, TRACe:TRIGger and the trigger model of a DMM6500."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.dmm6500_buffers import ELEMENTS, FULL, Buffer, Buffers
from hil_instruments.simulated.dialects.dmm6500_input import Dmm6500Input
from hil_instruments.simulated.dialects.dmm6500_program import (
    MOST_BLOCKS,
    Block,
    Branch,
    Clear,
    Delay,
    Measure,
    Nothing,
    Step,
    Wait,
    simple_loop,
    steps,
)
from hil_instruments.simulated.dialects.dmm6500_ranges import DIGITIZING, MEASURING, UNITS
from hil_instruments.simulated.dialects.functions import each
from hil_instruments.simulated.metrology.sampling import Burst
from hil_instruments.simulated.scpi import (
    Answer,
    Parameter,
    Pending,
    ScpiError,
    choice,
    integer,
    number,
    optional,
    scpi,
    string,
)

DEFAULT_BUFFER = "defbuffer1"
BUFFER = optional(string())
ELEMENT_LIST = tuple(optional(choice(ELEMENTS)) for _ in range(10))
LONGEST_DELAY = 167e3
LARGEST_COUNT = 268_435_455
_FIRST = (BUFFER, *ELEMENT_LIST)


def _figure_or_buffer(text: str) -> float | str:
    """Read a number, infinite as INF, or the quoted name of a buffer."""
    parameter = string() if text[:1] in {'"', "'"} else number("S", words="INFinite")
    value = parameter.convert(text)
    return math.inf if value == "INF" else value if isinstance(value, float) else str(value)


class Dmm6500Trigger(Dmm6500Input):
    """From trigger to buffer."""

    def __init__(
        self, entry: InstrumentEntry, world: World, seed: int, mains: float = 50.0
    ) -> None:
        self.buffers = Buffers()
        self._blocks: dict[int, Block] = {}
        self._steps: deque[Step] = deque()
        self._burst: Burst | None = None
        self._into = self.buffers[DEFAULT_BUFFER]
        self._made = 0
        self._time = 0.0
        self._waiting = False
        self._runs = False
        super().__init__(entry, world, seed, mains)

    def preset(self) -> None:
        """Return to the state after *RST: default buffers, no trigger model."""
        self.buffers.reset()
        self._blocks = {}
        super().preset()

    # The run.

    def _start(self, program: Iterable[Step], *, model: bool) -> None:
        self._gather()
        if self._runs or self._burst is not None:
            raise ScpiError(-213, "measuring already; ABORt first")
        self._steps = deque(program)
        self._time = self.clock.time
        self._runs, self._waiting = model, False
        self._gather()

    def _begin(self, step: Measure) -> None:
        interval, aperture = self._timing()
        self._into, self._made = self.buffers[step.buffer], 0
        self._burst = Burst(
            self._time + step.delay + self._rerange(),
            interval,
            aperture,
            step.count * step.repeats,
            step.count if step.repeats > 1 and step.delay else math.inf,
            step.delay,
            0.0 if self._digitizes else interval - aperture,
        )

    def _gather(self) -> None:
        """Do what the steps had to do by now; of a flood only the newest readings."""
        if self._burst is not None or self._steps:
            self._meter.terminals.catch_up()
        while True:
            if self._burst is not None and not self._advance(self._burst):
                return
            if self._waiting or self._time > self.clock.time:
                return
            if not self._steps:
                self._runs = False
                return
            self._take(self._steps.popleft())

    def _take(self, step: Step) -> None:
        if isinstance(step, Clear):
            self.buffers[step.buffer].clear()
        elif isinstance(step, Delay):
            self._time += step.seconds
        elif isinstance(step, Wait):
            self._waiting = True
        else:
            self._begin(step)

    def _advance(self, burst: Burst) -> bool:
        """Store what has been sampled; return whether the burst is over."""
        done = burst.completed(self.clock.time)
        if done > self._made:
            self._store(burst, done)
            self._made = done
        if done < burst.count:
            return False
        self._time, self._burst = burst.end, None
        return True

    def _store(self, burst: Burst, done: int) -> None:
        """Measure and store samples up to `done`, as far as the buffer will keep them."""
        buffer = self._into
        first, end = buffer.kept(self._made, done)
        if not buffer.stored:
            buffer.origin = float(burst.starts(self._made, self._made + 1)[0])
        buffer.skip(first - self._made)
        for starts in burst.pieces(first, end):
            values = self._measure(starts, burst.aperture)
            buffer.store(values, starts, UNITS.get(self._function, ""))
        if end < done and not buffer.full_told:
            buffer.full_told = True
            self.report(FULL)

    def _stop(self) -> None:
        if hasattr(self, "_function"):
            self._gather()
        self._steps.clear()
        self._burst, self._runs, self._waiting = None, False, False
        self._time = self.clock.time

    def trigger(self) -> None:
        """Obey *TRG."""
        self._gather()
        if not self._waiting:
            raise ScpiError(-211, "no block of the trigger model waits for it")
        self._waiting, self._time = False, self.clock.time
        self._gather()

    def device_clear(self) -> None:
        """Give up the measurement under way."""
        self._stop()

    def complete_at(self) -> float:
        """Bench time at which the last step will have been done."""
        self._gather()
        if self._waiting:
            return math.inf
        end = self._time if self._burst is None else self._burst.end
        interval = self._timing()[0]
        for step in self._steps:
            if isinstance(step, Wait):
                return math.inf
            if isinstance(step, Delay):
                end += step.seconds
            elif isinstance(step, Measure):
                end += step.repeats * (step.delay + step.count * interval)
        return max(end, self.clock.time)

    def needed_from(self) -> float:
        """Earliest bench time of the circuit that it may still ask for."""
        self._gather()
        if self._burst is None:
            return min(self._time, self.clock.time) if self._steps else self.clock.time
        return min(float(self._burst.starts(self._made, self._made + 1)[0]), self.clock.time)

    # Measuring now.

    def _read_into(self, name: str, elements: tuple[str, ...]) -> Answer:
        buffer = self.buffers[name]
        count = self._digitize_count if self._digitizes else self._count
        self._start((Measure(buffer.name, count),), model=False)
        return Pending(self.complete_at(), lambda: self._newest(buffer, elements))

    def _newest(self, buffer: Buffer, elements: tuple[str, ...]) -> str:
        self._gather()
        if not len(buffer.memory):
            raise ScpiError(-230, f"{buffer.name} is empty")
        count = len(buffer.memory)
        values = buffer.memory.values(count - 1, count)
        times = buffer.memory.times(count - 1, count)
        return buffer.texts(values, times, elements or ("READ",))

    @scpi("READ?", *_FIRST)
    def _read(self, name: str = DEFAULT_BUFFER, *elements: str) -> Answer:
        return self._read_into(name, elements)

    @scpi("READ:DIGitize?", *_FIRST)
    def _read_digitized(self, name: str = DEFAULT_BUFFER, *elements: str) -> Answer:
        self._need_digitizing()
        return self._read_into(name, elements)

    @scpi("MEASure?", *_FIRST)
    def _measure_active(self, name: str = DEFAULT_BUFFER, *elements: str) -> Answer:
        return self._read_into(name, elements)

    @scpi("MEASure:DIGitize?", *_FIRST)
    def _measure_digitized(self, name: str = DEFAULT_BUFFER, *elements: str) -> Answer:
        self._need_digitizing()
        return self._read_into(name, elements)

    @each({**MEASURING, **DIGITIZING}, "MEASure:<function>?", *_FIRST)
    def _measure_function(
        self, function: str, name: str = DEFAULT_BUFFER, *elements: str
    ) -> Answer:
        if function != self._function:
            self._select(function)
        return self._read_into(name, elements)

    @scpi("FETCh?", *_FIRST)
    def _fetch(self, name: str = DEFAULT_BUFFER, *elements: str) -> str:
        return self._newest(self.buffers[name], elements)

    def _need_digitizing(self) -> None:
        if not self._digitizes:
            raise ScpiError(
                -221, f"the function is {self._function}; DIGitize:FUNCtion comes first"
            )

    @scpi("TRACe:TRIGger", BUFFER)
    def _trace(self, name: str = DEFAULT_BUFFER) -> Answer:
        """Measure into a buffer; what follows waits until that is done."""
        count = self._digitize_count if self._digitizes else self._count
        self._start((Measure(self.buffers[name].name, count),), model=False)
        return Pending(self.complete_at(), self._gather)

    @scpi("TRACe:TRIGger:DIGitize", BUFFER)
    def _trace_digitized(self, name: str = DEFAULT_BUFFER) -> Answer:
        self._need_digitizing()
        return self._trace(name)

    # The trigger model.

    @scpi("INITiate[:IMMediate]")
    def _initiate(self) -> None:
        if not self._blocks:
            raise ScpiError(-213, "the trigger model is empty; TRIGger:LOAD comes first")
        self._start(steps(self._blocks), model=True)

    @scpi("ABORt")
    def _abort(self) -> None:
        self._stop()

    @scpi("TRIGger:LOAD", string(), *(optional(Parameter(_figure_or_buffer)),) * 3)
    def _load(self, name: str, *given: float | str) -> None:
        """Load a template: a number of times or a duration, a delay, a buffer."""
        template = name.upper()
        times, delay, *_ = (*(each for each in given if isinstance(each, float)), 0.0, 0.0)
        named = [each for each in given if isinstance(each, str)]
        buffer = self.buffers[named[0] if named else DEFAULT_BUFFER].name
        if template == "EMPTY":
            self._set_blocks({})
        elif template == "SIMPLELOOP":
            self._set_blocks(simple_loop(max(times, 1), delay, buffer))
        elif template == "DURATIONLOOP":
            passes = math.floor(times / (self._timing()[0] + delay) + 1e-9)
            self._set_blocks(simple_loop(max(passes, 1), delay, buffer))
        else:
            allowed = "Empty, SimpleLoop, DurationLoop"
            raise ScpiError(-224, f"trigger model {name!r}; simulated: {allowed}")

    def _set_blocks(self, blocks: dict[int, Block]) -> None:
        self._stop()
        self._blocks = blocks

    def _place(self, place: int, block: Block) -> None:
        if not 1 <= place <= min(len(self._blocks) + 1, MOST_BLOCKS):
            raise ScpiError(-222, f"block {place}; allowed: 1 to {len(self._blocks) + 1}")
        self._stop()
        self._blocks[place] = block

    @scpi("TRIGger:BLOCk:BUFFer:CLEar", integer(), BUFFER)
    def _clear_block(self, place: int, name: str = DEFAULT_BUFFER) -> None:
        self._place(place, Clear(self.buffers[name].name))

    @scpi("TRIGger:BLOCk:MDIGitize", integer(), BUFFER, optional(number(words="INFinite|AUTO")))
    @scpi("TRIGger:BLOCk:MEASure", integer(), BUFFER, optional(number(words="INFinite|AUTO")))
    def _measure_block(
        self, place: int, name: str = DEFAULT_BUFFER, given: float | str = "AUTO"
    ) -> None:
        own = self._digitize_count if self._digitizes else self._count
        words = {"INF": math.inf, "AUTO": own}
        count = words[given] if isinstance(given, str) else float(round(given))
        if not count >= 1:
            raise ScpiError(-222, f"{count:g} readings; allowed: 1 or more")
        self._place(place, Measure(self.buffers[name].name, count))

    @scpi("TRIGger:BLOCk:DELay:CONStant", integer(), number("S"))
    def _delay_block(self, place: int, seconds: float) -> None:
        if not 0 <= seconds <= LONGEST_DELAY:
            raise ScpiError(-222, f"delay {seconds:g} s; allowed: 0 to {LONGEST_DELAY:g} s")
        self._place(place, Delay(seconds))

    @scpi("TRIGger:BLOCk:BRANch:COUNter", integer(), number(words="INFinite"), integer())
    def _counter_block(self, place: int, given: float | str, target: int) -> None:
        count = math.inf if isinstance(given, str) else float(round(given))
        if not count >= 1 or (count > LARGEST_COUNT and not math.isinf(count)):
            raise ScpiError(-222, f"{count:g} passes; allowed: 1 to {LARGEST_COUNT}")
        self._place(place, Branch(target, count))

    @scpi("TRIGger:BLOCk:BRANch:ALWays", integer(), integer())
    def _always_block(self, place: int, target: int) -> None:
        self._place(place, Branch(target, math.inf, "BRANCH_ALWAYS"))

    @scpi("TRIGger:BLOCk:NOP", integer())
    def _empty_block(self, place: int) -> None:
        self._place(place, Nothing())

    @scpi("TRIGger:BLOCk:WAIT", integer(), choice("COMMand"))
    def _wait_block(self, place: int, _: str) -> None:
        self._place(place, Wait())

    @scpi("TRIGger:BLOCk:LIST?")
    def _list(self) -> str:
        return (
            "; ".join(f"{n}) {block.label}" for n, block in sorted(self._blocks.items())) or "Empty"
        )

    @scpi("TRIGger:STATe?")
    def _state(self) -> str:
        self._gather()
        word = "WAITING" if self._waiting else "RUNNING" if self._runs else "IDLE"
        word = word if self._blocks else "EMPTY"
        return f"{word};{word};{len(self._blocks)}"
