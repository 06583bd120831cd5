"""All segments since the start or the last `forget`, for instruments to look at."""

from __future__ import annotations

from bisect import bisect_right

import numpy as np
import numpy.typing as npt

from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.physics.segment import Segment
from hil_instruments.simulated.physics.signal import Signal

Array = npt.NDArray[np.float64]
_FADED = 45.0  # time constants after which an exponential is below the resolution of a float


class History:
    """Segments in the order of time; the last one is open-ended."""

    def __init__(self, start: float) -> None:
        """Begin empty at a bench time in s."""
        self.start = start
        """Bench time in s from which on it can be observed."""
        self._segments: list[Segment] = []
        self._starts: list[float] = []
        self._traces: dict[Node, _Trace] = {}

    def append(self, segment: Segment) -> None:
        """Add a segment; it replaces one that began at the same time."""
        if self._starts and self._starts[-1] == segment.start:
            self._segments[-1] = segment
            for trace in self._traces.values():
                trace.cut(len(self._segments) - 1)
            return
        self._segments.append(segment)
        self._starts.append(segment.start)

    def forget(self, before: float) -> None:
        """Drop what ended before a bench time in s."""
        count = bisect_right(self._starts, before) - 1
        if count <= 0:
            self.start = max(self.start, min(before, self._starts[-1]) if self._starts else before)
            return
        del self._segments[:count], self._starts[:count]
        self._traces.clear()
        self.start = max(self.start, before)

    def values(self, node: Node, times: Array) -> Array:
        """Values of a node at times in s."""
        return self._trace(node).values(times)

    def integrals(self, node: Node, times: Array) -> Array:
        """Integrals of a node from some fixed time to times in s."""
        return self._trace(node).integrals(times)

    def _trace(self, node: Node) -> _Trace:
        trace = self._traces.setdefault(node, _Trace(node))
        trace.extend(self._segments)
        return trace


class _Trace:
    """One node as a table for numpy, a row for each segment."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._signals: list[Signal] = []
        self._starts: list[float] = []
        self._sums: list[float] = [0.0]

    def cut(self, count: int) -> None:
        """Forget all rows from number `count` on."""
        del self._signals[count:], self._starts[count:], self._sums[count + 1 :]

    def extend(self, segments: list[Segment]) -> None:
        """Take new segments in."""
        for segment in segments[len(self._signals) :]:
            if self._signals:
                span = segment.start - self._starts[-1]
                self._sums[len(self._signals)] = self._sums[len(self._signals) - 1] + self._signals[
                    -1
                ].integral(span)
            self._signals.append(segment.seen(self._node))
            self._starts.append(segment.start)
            self._sums.append(0.0)

    def values(self, times: Array) -> Array:
        return np.array([self._signals[k].at(age) for k, age in self._place(times)])

    def integrals(self, times: Array) -> Array:
        return np.array(
            [self._sums[k] + self._signals[k].integral(age) for k, age in self._place(times)]
        )

    def _place(self, times: Array) -> list[tuple[int, float]]:
        places = []
        for time in times.tolist():
            number = max(bisect_right(self._starts, time) - 1, 0)
            places.append((number, time - self._starts[number]))
        return places
