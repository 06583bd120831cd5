"""All segments since the start or the last `forget`, for instruments to look at."""

from __future__ import annotations

import math
from bisect import bisect_right

import numpy as np

from hil.errors import UsageError
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.physics.segment import LAST_PROBE, Segment
from hil_instruments.simulated.physics.signal import Signal
from hil_instruments.simulated.physics.table import Array, Table
from hil_instruments.simulated.physics.trace import Trace

_FEW = 4  # so few times or windows are looked up one by one
_NEAR = 16  # and so few segments are integrated, or bounded, one by one


class History:
    """Segments in the order of time; the last one is open-ended."""

    def __init__(self, start: float) -> None:
        """Begin empty at a bench time in s."""
        self.start = start
        """Bench time in s from which on it can be observed."""
        self._segments: list[Segment] = []
        self._starts: list[float] = []
        self._table = Table()
        self._traces: dict[Node, Trace] = {}
        self._latest: dict[Node, Signal] = {}

    def __len__(self) -> int:
        return len(self._segments)

    def append(self, segment: Segment) -> None:
        """Add a segment; it replaces one that began at the same time."""
        self._latest.clear()
        if self._starts and self._starts[-1] == segment.start:
            self._segments[-1] = segment
            self._table.cut(len(self._segments) - 1)
            for trace in self._traces.values():
                trace.cut(len(self._segments) - 1)
            return
        self._segments.append(segment)
        self._starts.append(segment.start)

    def require(self, starts: Array, ends: Array, now: float) -> None:
        """Refuse windows that it does not reach.

        Args:
            starts: bench times in s.
            ends: of the same windows.
            now: bench time in s until which the last segment is known.

        Raises:
            UsageError: a window lies outside.
        """
        if not np.size(starts):
            return
        first, last = float(np.min(starts)), float(np.max(ends))
        slack = 1e-9 + 1e-12 * abs(now)  # rounding of start + n x interval
        if not (first >= self.start - slack and last <= now + slack):
            raise UsageError(
                f"circuit: observed from {first} s to {last} s; "
                f"its history reaches from {self.start} s to {now} s"
            )

    def forget(self, before: float) -> None:
        """Drop what ended before a bench time in s."""
        count = max(bisect_right(self._starts, before) - 1, 0)
        self.start = max(self.start, before)
        if count:
            del self._segments[:count], self._starts[:count]
            self._table = Table()
            self._traces.clear()

    def values(self, node: Node, times: Array) -> Array:
        """Values of a node at times in s."""
        if times.size > _FEW:
            return self._trace(node).values(times)
        places = [self._place(time) for time in times.ravel().tolist()]
        found = [self._signal(node, k).at(age) for k, age in places]
        return np.array(found, dtype=np.float64).reshape(times.shape)

    def means(self, node: Node, starts: Array, aperture: float) -> Array:
        """Means of a node over [start, start + aperture], times in s."""
        if starts.size <= _FEW:
            windows = [(self._place(s), self._place(s + aperture)) for s in starts.ravel().tolist()]
            if all(last[0] - first[0] <= _NEAR for first, last in windows):
                found = [self._between(node, *window) / aperture for window in windows]
                return np.array(found, dtype=np.float64).reshape(starts.shape)
        trace = self._trace(node)
        means: Array = (trace.integrals(starts + aperture) - trace.integrals(starts)) / aperture
        return means

    def mean(self, node: Node, start: float, aperture: float) -> float:
        """Mean of a node over one window, as `means` without the arrays."""
        first, last = self._place(start), self._place(start + aperture)
        if last[0] - first[0] <= _NEAR:
            return self._between(node, first, last) / aperture
        return float(self.means(node, np.array([start]), aperture)[0])

    def began(self, time: float) -> float:
        """Time at which the segment that holds a time began."""
        return self._starts[max(bisect_right(self._starts, time) - 1, 0)]

    def breaks(self, since: float, until: float) -> Array:
        """Times in (since, until] at which a segment begins."""
        first, end = bisect_right(self._starts, since), bisect_right(self._starts, until)
        return np.array(self._starts[first:end], dtype=np.float64)

    def bounds(self, node: Node, since: float) -> tuple[float, float] | None:
        """Values between which a node has certainly stayed since a past time.

        Returns:
            None where it would take long to tell, or where the node is none of the network's.
        """
        first = max(bisect_right(self._starts, since) - 1, 0)
        if node.probe > LAST_PROBE or len(self._segments) - first > _NEAR:
            return None
        low, high = math.inf, -math.inf
        for segment in self._segments[first:]:
            level, spread = segment.extent(node.probe)
            low, high = min(low, level - spread), max(high, level + spread)
        return low, high

    def _place(self, time: float) -> tuple[int, float]:
        number = max(bisect_right(self._starts, time) - 1, 0)
        return number, time - self._starts[number]

    def _signal(self, node: Node, number: int) -> Signal:
        if number < len(self._segments) - 1:
            return self._segments[number].seen(node)
        if node not in self._latest:
            self._latest[node] = self._segments[-1].seen(node)
        return self._latest[node]

    def _between(self, node: Node, first: tuple[int, float], last: tuple[int, float]) -> float:
        """Integral from one place to another."""
        total = -self._signal(node, first[0]).integral(first[1])
        for number in range(first[0], last[0]):
            span = self._starts[number + 1] - self._starts[number]
            total += self._signal(node, number).integral(span)
        return total + self._signal(node, last[0]).integral(last[1])

    def _trace(self, node: Node) -> Trace:
        self._table.extend(self._segments)
        if node not in self._traces:
            self._traces[node] = Trace(node, self._table)
        trace = self._traces[node]
        trace.extend()
        return trace
