"""Waves and sweeps of a Keithley 6221, as the steps in which the source plays them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

SHORTEST_STEP = 100e-6
"""Seconds between two steps. The real source plays up to 100 kHz; what would be faster is refused,
because each step is an event of the circuit."""
LONGEST_LIST = 65_535
"""Levels of a sweep."""
POINTS = 32
"""Steps of a period of a sine and of a ramp."""


@dataclass(frozen=True)
class Wave:
    """One wave, as armed."""

    running: ClassVar[int] = 1 << 4
    """Bit of the operation register. From memory."""
    done: ClassVar[int] = 1 << 7
    """Bit of the operation register; PyMeasure's driver waits for it."""

    levels: tuple[tuple[float, float], ...]
    """Phase (0 to 1) at which each step begins, and its level as a share of the amplitude."""
    frequency: float
    """In Hz."""
    amplitude: float
    """Peak, in A."""
    offset: float
    """In A."""
    duration: float
    """In s; may be infinite."""

    @property
    def shortest(self) -> float:
        """Shortest step in s."""
        phases = [phase for phase, _ in self.levels]
        gaps = [b - a for a, b in zip(phases, [*phases[1:], 1.0], strict=True)]
        return min(gaps) / self.frequency

    @property
    def rest(self) -> float:
        """Current in A at which it ends."""
        return self.offset

    @property
    def largest(self) -> float:
        """Largest magnitude in A."""
        return abs(self.amplitude) + abs(self.offset)

    def steps(self) -> Iterator[tuple[float, float]]:
        """Yield time since the start in s and current in A of each step, to the wave's end."""
        cycle = 0
        while True:
            for phase, level in self.levels:
                time = (cycle + phase) / self.frequency
                if time >= self.duration * (1 - 1e-9):
                    return
                yield time, self.offset + self.amplitude * level
            cycle += 1


@dataclass(frozen=True)
class Sweep:
    """One sweep, as armed; it ends at its last level."""

    running: ClassVar[int] = 1 << 3
    done: ClassVar[int] = 1 << 1
    """Bits of the operation register. From memory."""

    levels: tuple[float, ...]
    """In A."""
    delays: tuple[float, ...]
    """Seconds for which each level stays."""
    passes: float
    """How often; may be infinite."""

    @property
    def duration(self) -> float:
        """In s; may be infinite."""
        return sum(self.delays) * self.passes

    @property
    def shortest(self) -> float:
        """Shortest step in s."""
        return min(self.delays)

    @property
    def rest(self) -> float:
        """Current in A at which it ends."""
        return self.levels[-1]

    @property
    def largest(self) -> float:
        """Largest magnitude in A."""
        return max(map(abs, self.levels))

    def steps(self) -> Iterator[tuple[float, float]]:
        """Yield time since the start in s and current in A of each step."""
        time, done = 0.0, 0
        while done < self.passes:
            for level, delay in zip(self.levels, self.delays, strict=True):
                yield time, level
                time += delay
            done += 1


def staircase(start: float, stop: float, step: float) -> tuple[float, ...]:
    """Return levels from start to stop; the step takes the sign that leads there."""
    points = int(abs(stop - start) / step + 1e-9) + 1
    signed = math.copysign(step, stop - start)
    return tuple(start + signed * k for k in range(points))


def by_ratio(start: float, stop: float, points: int) -> tuple[float, ...]:
    """Return levels of equal ratio; start and stop have one sign, and neither is 0."""
    return tuple(np.geomspace(start, stop, points).tolist())


def shape(function: str, duty: float, points: Sequence[float]) -> tuple[tuple[float, float], ...]:
    """Return one period of a function.

    Args:
        function: SIN, RAMP, SQU or ARB0 to ARB4.
        duty: share of the period that a square is high, or a ramp rises, 0 to 1.
        points: of an arbitrary wave, -1 to 1.
    """
    if function == "SQU":
        halves = [(0.0, 1.0), (duty, -1.0)]
        return tuple(part for part in halves if part[0] < 1.0 and not (duty == 0 and part[1] > 0))
    if function == "SIN":
        return tuple((k / POINTS, math.sin(2 * math.pi * k / POINTS)) for k in range(POINTS))
    if function == "RAMP":
        return tuple((k / POINTS, _ramp(k / POINTS, duty)) for k in range(POINTS))
    return tuple((k / len(points), level) for k, level in enumerate(points))


def _ramp(phase: float, duty: float) -> float:
    """Rise from -1 to 1 over the duty, and fall over the rest."""
    return 2 * phase / duty - 1 if phase < duty else 1 - 2 * (phase - duty) / (1 - duty)
