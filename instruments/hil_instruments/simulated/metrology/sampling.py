"""Timed sampling, and the memory that it fills."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Values: TypeAlias = npt.NDArray[np.float64]

PIECE = 1 << 18
"""Samples that are worked out at a time."""
_EARLY = 1e-6
"""Share of an interval by which an aperture may close early: times are rounded floats."""
_FIRST_ROOM = 1024


@dataclass(frozen=True, slots=True)
class Burst:
    """Equidistant samples in groups, as begun; the last group may be endless."""

    start: float
    """Bench time at which the first aperture opens, in s."""
    interval: float
    """From aperture to aperture within a group, in s."""
    aperture: float
    """In s."""
    count: float = 1
    """Samples in all; may be infinite."""
    group: float = math.inf
    """Samples between two pauses."""
    pause: float = 0.0
    """Extra time between two groups, in s."""
    tail: float = 0.0
    """From the end of an aperture to its reading, in s: the zero is measured behind it."""

    def completed(self, now: float) -> int:
        """Samples whose readings are there by `now`."""
        elapsed = now - self.start - self.aperture - self.tail + _EARLY * self.interval
        if elapsed < 0:
            return 0
        if math.isinf(self.group):
            return int(min(math.floor(elapsed / self.interval) + 1, self.count))
        period = self.group * self.interval + self.pause
        groups = math.floor(elapsed / period)
        within = math.floor((elapsed - groups * period) / self.interval) + 1
        return int(min(groups * self.group + min(within, self.group), self.count))

    def starts(self, first: int, end: int) -> Values:
        """Bench times at which the apertures of samples `first` to `end` - 1 open."""
        places = np.arange(first, end, dtype=np.float64)
        times = self.start + self.interval * places
        if not math.isinf(self.group):
            times += self.pause * np.floor(places / self.group)
        return times

    def pieces(self, first: int, end: int) -> Iterator[Values]:
        """Yield the times of `starts` in pieces, so that a long gap needs no memory."""
        for begin in range(first, end, PIECE):
            yield self.starts(begin, min(begin + PIECE, end))

    def closes(self, place: float) -> float:
        """Bench time at which the reading of sample `place`, counted from 0, is there."""
        if math.isinf(place):
            return math.inf
        pauses = 0.0 if math.isinf(self.group) else self.pause * (place // self.group)
        return self.start + place * self.interval + pauses + self.aperture + self.tail

    @property
    def end(self) -> float:
        """Bench time of the last reading; infinite for endless sampling."""
        return self.closes(self.count - 1)


class Memory:
    """Readings with their times, oldest first, up to a capacity; a new one pushes out the oldest.

    What is kept lies in one ring that grows to the capacity and no further.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        """Readings that it can hold."""
        self.lost = 0
        """Readings that were pushed out before they were taken."""
        self._values: Values = np.empty(0)
        self._times: Values = np.empty(0)
        self._first = 0
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def clear(self) -> None:
        """Forget everything, also that readings were lost."""
        self._first = self._size = self.lost = 0

    def put(self, value: float, time: float) -> None:
        """Add one reading."""
        if self._size >= len(self._values) and len(self._values) < self.capacity:
            self._grow(1)
        place = (self._first + self._size) % len(self._values)
        self._values[place] = value
        self._times[place] = time
        if self._size < len(self._values):
            self._size += 1
        else:
            self._first = (self._first + 1) % len(self._values)
            self.lost += 1

    def extend(self, values: Values, times: Values) -> None:
        """Add readings, oldest first; of more than the capacity the newest stay."""
        surplus = self._size + len(values) - self.capacity
        if surplus > 0:
            self.lost += surplus
            self.drop(min(surplus, self._size))
            values, times = values[-self.capacity :], times[-self.capacity :]
        if self._size + len(values) > len(self._values):
            self._grow(len(values))
        self._write(values, times)

    def _write(self, values: Values, times: Values) -> None:
        room, begin = len(self._values), self._first + self._size
        begin -= room if begin >= room else 0
        straight = min(len(values), room - begin)
        self._values[begin : begin + straight] = values[:straight]
        self._times[begin : begin + straight] = times[:straight]
        self._values[: len(values) - straight] = values[straight:]
        self._times[: len(values) - straight] = times[straight:]
        self._size += len(values)

    def _grow(self, more: int) -> None:
        room = min(max(2 * len(self._values), self._size + more, _FIRST_ROOM), self.capacity)
        values, times = np.empty(room), np.empty(room)
        values[: self._size] = self.values(0, self._size)
        times[: self._size] = self.times(0, self._size)
        self._values, self._times, self._first = values, times, 0

    def drop(self, count: int) -> None:
        """Forget the oldest `count` readings."""
        self._size -= count
        self._first = (self._first + count) % max(len(self._values), 1) if self._size else 0

    def _slice(self, ring: Values, first: int, end: int) -> Values:
        room, begin = len(ring), self._first + first
        if begin >= room:
            begin -= room
        count = end - first
        if begin + count <= room:
            return ring[begin : begin + count]
        return np.concatenate((ring[begin:], ring[: begin + count - room]))

    def values(self, first: int, end: int) -> Values:
        """Readings `first` to `end` - 1, oldest is 0; a view that the next change makes void."""
        return self._slice(self._values, first, end)

    def times(self, first: int, end: int) -> Values:
        """Bench times of the same readings."""
        return self._slice(self._times, first, end)

    def last(self) -> float:
        """Newest reading; there must be one."""
        return float(self._values[(self._first + self._size - 1) % len(self._values)])

    def restrict(self, capacity: int) -> None:
        """Set another capacity; everything kept so far is forgotten."""
        self.clear()
        self.capacity = capacity
        self._values, self._times = np.empty(0), np.empty(0)
