"""Waves of a Keithley 6221, as the steps in which the source plays them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

SHORTEST_STEP = 100e-6
"""Seconds between two steps. The real source plays up to 100 kHz; what would be faster is refused,
because each step is an event of the circuit."""
POINTS = 32
"""Steps of a period of a sine and of a ramp."""


@dataclass(frozen=True, slots=True)
class Wave:
    """One wave, as armed."""

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
