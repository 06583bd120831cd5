"""Reading buffers of a Keithley 2450."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from hil_instruments.simulated.dialects.settings import exponential
from hil_instruments.simulated.scpi import ScpiError

OVERFLOW = 9.9e37
"""Reading beyond the range."""
LIMITED = 8
"""Bit of SOURSTATus: the source is at its limit. From memory."""
ELEMENTS = (
    "DATE|FORMatted|FRACtional|READing|RELative|SEConds|SOURce|SOURFORMatted|SOURSTATus|SOURUNIT|"
    "STATus|TIME|TSTamp|UNIT"
)
"""What a reply may hold of each reading (as QCoDeS's driver lists them)."""
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
"""Date at power-on: the simulated instrument's calendar was never set."""
DEFAULT_SIZE = 100_000
SMALLEST, LARGEST = 10, 6_875_000
UNITS = {"VOLT": "Volt DC", "CURR": "Amp DC", "RES": "Ohm"}


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading and what belongs to it."""

    function: str
    """VOLT, CURR or RES."""
    value: float
    """In V, A or ohm; OVERFLOW beyond the range."""
    source_function: str
    """VOLT or CURR."""
    source: float
    """Level of the source in V or A."""
    limited: bool
    """Whether the source was at its limit."""
    time: float
    """Bench time in s at which it was taken."""

    def text(self, element: str, first: float) -> str:
        """Write one element; `first` is the time of the buffer's first reading."""
        return _WRITERS[element](self, first)


def moment(time: float) -> datetime:
    """Return the instrument's calendar at a bench time."""
    return EPOCH + timedelta(seconds=time)


_PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "u"), (1e-9, "n"), (1e-12, "p"))


def _formatted(value: float, unit: str, width: str = "+08.3f") -> str:
    """Write as on the display: `-016.084 nA`, a source with two digits more, `+05.07000 uV`.

    As QCoDeS's notebook shows a real unit, but that takes the prefix of the range.
    """
    if abs(value) >= OVERFLOW:
        return "Overflow"
    factor, prefix = next(
        ((f, p) for f, p in _PREFIXES if abs(value) >= f), _PREFIXES[-1] if value else (1.0, "")
    )
    return f"{value / factor:{width}} {prefix}{unit}"


_SYMBOLS = {"VOLT": "V", "CURR": "A", "RES": "Ohm"}
_WRITERS: dict[str, Callable[[Reading, float], str]] = {
    "READ": lambda r, _: exponential(r.value),
    "FORM": lambda r, _: _formatted(r.value, _SYMBOLS[r.function]),
    "UNIT": lambda r, _: UNITS[r.function],
    "STAT": lambda r, _: "8" if abs(r.value) < OVERFLOW else "9",
    "SOUR": lambda r, _: exponential(r.source),
    "SOURFORM": lambda r, _: _formatted(r.source, _SYMBOLS[r.source_function], "+09.5f"),
    "SOURUNIT": lambda r, _: UNITS[r.source_function],
    "SOURSTAT": lambda r, _: str(LIMITED * r.limited),
    "REL": lambda r, first: f"{r.time - first:.6f}",
    "DATE": lambda r, _: moment(r.time).strftime("%m/%d/%Y"),
    "TIME": lambda r, _: moment(r.time).strftime("%H:%M:%S"),
    "TST": lambda r, _: moment(r.time).strftime("%m/%d/%Y %H:%M:%S.%f"),
    "SEC": lambda r, _: str(int(moment(r.time).timestamp())),
    "FRAC": lambda r, _: f"{r.time % 1:.9f}",
}


class Buffer:
    """Readings in the order in which they were taken; when full, the oldest go."""

    def __init__(self, size: int = DEFAULT_SIZE) -> None:
        self.resize(size)

    def resize(self, size: int) -> None:
        """Set how many readings it holds; empties it."""
        if not SMALLEST <= size <= LARGEST:
            raise ScpiError(-222, f"size {size}; allowed: {SMALLEST} to {LARGEST}")
        self.size = size
        self.readings: deque[Reading] = deque(maxlen=size)
        self.clear()

    def clear(self) -> None:
        """Empty it."""
        self.readings.clear()
        self._taken, self._origin = 0, 0.0

    def add(self, reading: Reading) -> None:
        """Put a reading behind the others, in the place of the oldest if it is full."""
        if not self._taken:
            self._origin = reading.time
        self.readings.append(reading)
        self._taken += 1

    @property
    def last(self) -> int:
        """Place of the newest reading, from 1; 0 if it is empty."""
        return (self._taken - 1) % self.size + 1 if self._taken else 0

    @property
    def first(self) -> int:
        """Place of the oldest reading, from 1; 0 if it is empty."""
        return self.last % self.size + 1 if self._taken > self.size else min(self._taken, 1)

    def latest(self) -> Reading:
        """Return the newest reading; raises ScpiError if there is none."""
        if not self.readings:
            raise ScpiError(-230, "the reading buffer is empty")
        return self.readings[-1]

    def part(self, first: int, last: int) -> list[Reading]:
        """Return readings by their place, counted from 1, both ends included."""
        held = len(self.readings)
        if not 1 <= first <= last <= held:
            raise ScpiError(-222, f"readings {first} to {last}; in the buffer: {held}")
        oldest = self.first
        return [self.readings[(place - oldest) % held] for place in range(first, last + 1)]

    def written(self, readings: list[Reading], elements: tuple[str, ...]) -> str:
        """Write readings, each with these elements."""
        shown = elements or ("READ",)
        return ",".join(reading.text(each, self._origin) for reading in readings for each in shown)

    def binary(self, readings: list[Reading], elements: tuple[str, ...], kind: str) -> bytes:
        """Write readings as numbers of a numpy type; only READing and RELative are some."""
        shown = elements or ("READ",)
        if not {*shown} <= {"READ", "REL"}:
            raise ScpiError(-221, f"{', '.join(shown)} in binary; FORMat ASCii comes first")
        table = [
            each.value if element == "READ" else each.time - self._origin
            for each in readings
            for element in shown
        ]
        return np.array(table).astype(kind).tobytes()

    def statistic(
        self, of: Callable[[np.ndarray[tuple[int], np.dtype[np.float64]]], float]
    ) -> float:
        """Return a statistic of all values; raises ScpiError without readings."""
        self.latest()
        return float(of(np.array([reading.value for reading in self.readings])))
