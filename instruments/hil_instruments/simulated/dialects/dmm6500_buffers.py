"""Reading buffers of a DMM6500: what they keep, and how they hand it over."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hil_instruments.simulated.metrology.sampling import Memory
from hil_instruments.simulated.scpi import ScpiError

Values: TypeAlias = npt.NDArray[np.float64]

DEFAULT_SIZE = 100_000
SMALLEST, LARGEST = 10, 7_000_000
"""Readings of one buffer."""
ALL_BUFFERS = 7_000_000
"""Readings of all buffers together, in the standard style."""
EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
"""What the instrument's own clock shows at bench time 0."""
ELEMENTS = "READing|RELative|TSTamp|DATE|TIME|SEConds|FRACtional|UNIT|STATus|FORMatted"
FULL = ScpiError(4915, "", "Attempting to store past capacity of reading buffer")
"""From memory."""


def exponential(value: float) -> str:
    """Write a reading as the instrument does with its default precision."""
    return f"{value:.6E}"


@dataclass(slots=True)
class Buffer:
    """One reading buffer."""

    name: str
    memory: Memory
    once: bool = False
    """Stop storing when full, instead of overwriting the oldest."""
    unit: str = ""
    """Of the readings in it."""
    stored: int = 0
    """Readings stored since it was cleared, overwritten ones included."""
    origin: float = 0.0
    """Bench time of the first reading since it was cleared; who stores sets it."""
    full_told: bool = False

    def clear(self) -> None:
        """Forget every reading."""
        self.memory.clear()
        self.stored, self.full_told = 0, False

    def kept(self, first: int, end: int) -> tuple[int, int]:
        """Return which of the coming samples `first` to `end` - 1 it will keep, likewise."""
        size = self.memory.capacity
        if self.once:
            return first, min(end, first + size - len(self.memory))
        return max(first, end - size), end

    def skip(self, count: int) -> None:
        """Count readings that were overwritten before anybody looked."""
        self.memory.lost += count
        self.stored += count

    def store(self, values: Values, times: Values, unit: str) -> None:
        """Add readings that it keeps."""
        self.memory.extend(values, times)
        self.stored += len(values)
        self.unit = unit

    # A buffer that overwrites keeps every reading at its place: after the last place comes place 1.

    @property
    def first(self) -> int:
        """Place of the oldest reading, from 1; 0 if there is none."""
        count = len(self.memory)
        return (self.stored - count) % self.memory.capacity + 1 if count else 0

    @property
    def last(self) -> int:
        """Place of the newest reading, from 1; 0 if there is none."""
        return (self.stored - 1) % self.memory.capacity + 1 if len(self.memory) else 0

    def read(self, first: int, last: int) -> tuple[Values, Values]:
        """Return readings and bench times of places `first` to `last`.

        Raises:
            ScpiError: a place holds no reading.
        """
        count, size = len(self.memory), self.memory.capacity
        most = size if count == size else count
        if not 1 <= first <= last <= most:
            held = f"{self.name} holds 1 to {most}" if most else f"{self.name} is empty"
            raise ScpiError(-222, f"readings {first} to {last}; {held}")
        shift = self.first - 1
        begin, end = (first - 1 - shift) % size, (last - 1 - shift) % size
        if begin <= end:
            return self.memory.values(begin, end + 1), self.memory.times(begin, end + 1)
        values = (self.memory.values(begin, count), self.memory.values(0, end + 1))
        times = (self.memory.times(begin, count), self.memory.times(0, end + 1))
        return np.concatenate(values), np.concatenate(times)

    def texts(self, values: Values, times: Values, elements: Sequence[str]) -> str:
        """Write readings with the elements asked for, as the ASCII format does."""
        if list(elements) == ["READ"]:
            return ",".join(map(exponential, values.tolist()))
        columns = [self._column(element, values, times) for element in elements]
        return ",".join(",".join(row) for row in zip(*columns, strict=True))

    def _column(self, element: str, values: Values, times: Values) -> list[str]:
        if element == "READ":
            return list(map(exponential, values.tolist()))
        if element == "REL":
            return [f"{time:.9f}" for time in (times - self.origin).tolist()]
        if element in {"UNIT", "STAT"}:
            return [self.unit if element == "UNIT" else "0"] * len(values)
        if element == "FORM":
            return [f"{value:+.6E} {self.unit}" for value in values.tolist()]
        return [_dated(element, time) for time in times.tolist()]

    def binary(
        self, values: Values, times: Values, elements: Sequence[str], form: str, order: str
    ) -> bytes:
        """Write the numeric elements as IEEE 754 numbers."""
        numeric = {"READ": values, "REL": times - self.origin, "STAT": np.zeros(len(values))}
        unknown = [element for element in elements if element not in numeric]
        if unknown:
            raise ScpiError(-221, f"{', '.join(unknown)} in binary; FORMat ASCii comes first")
        table = np.column_stack([numeric[element] for element in elements])
        kind = "f8" if form == "REAL" else "f4"
        return table.astype(f"{'<' if order == 'SWAP' else '>'}{kind}").tobytes()


def _dated(element: str, time: float) -> str:
    whole = math.floor(time)
    fraction = f"{time - whole:.9f}"[1:]
    moment = EPOCH + timedelta(seconds=whole)
    forms = {
        "DATE": f"{moment:%m/%d/%Y}",
        "TIME": f"{moment:%H:%M:%S}{fraction}",
        "TST": f"{moment:%m/%d/%Y %H:%M:%S}{fraction}",
        "SEC": str(int(moment.timestamp())),
        "FRAC": f"0{fraction}",
    }
    return forms[element]


class Buffers:
    """All reading buffers of one instrument."""

    def __init__(self) -> None:
        self._buffers: dict[str, Buffer] = {}
        self.reset()

    def reset(self) -> None:
        """Leave the two default buffers, empty."""
        self._buffers.clear()
        for name in ("defbuffer1", "defbuffer2"):
            self._buffers[name] = Buffer(name, Memory(DEFAULT_SIZE))

    def __getitem__(self, name: str) -> Buffer:
        found = self._buffers.get(name.lower())
        if found is None:
            known = ", ".join(each.name for each in self._buffers.values())
            raise ScpiError(-224, f"no buffer {name!r}; there are {known}")
        return found

    def make(self, name: str, size: int) -> None:
        """Create a buffer that stops when full."""
        if name.lower() in self._buffers or not name.isidentifier():
            raise ScpiError(-224, f"buffer {name!r} exists already, or is no name")
        self._check(size, 0)
        self._buffers[name.lower()] = Buffer(name, Memory(size), once=True)

    def resize(self, name: str, size: int) -> None:
        """Change how many readings a buffer holds; it is emptied."""
        buffer = self[name]
        self._check(size, buffer.memory.capacity)
        buffer.clear()
        buffer.memory.restrict(size)

    def delete(self, name: str) -> None:
        """Remove a buffer that was created; the default ones stay."""
        if self[name].name.startswith("defbuffer"):
            raise ScpiError(-224, f"{name} is a default buffer and stays")
        del self._buffers[name.lower()]

    def _check(self, size: int, freed: int) -> None:
        if not SMALLEST <= size <= LARGEST:
            raise ScpiError(-222, f"{size} readings; allowed: {SMALLEST} to {LARGEST}")
        used = sum(each.memory.capacity for each in self._buffers.values()) - freed
        if used + size > ALL_BUFFERS:
            raise ScpiError(-225, f"{size} readings; free: {ALL_BUFFERS - used}", "Out of memory")
