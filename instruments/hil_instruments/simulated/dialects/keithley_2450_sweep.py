"""Sweeps of a Keithley 2450: levels, one after the other, each measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hil_instruments.simulated.scpi import ScpiError

MOST_POINTS = 1_000_000


@dataclass(frozen=True, slots=True)
class Sweep:
    """What INITiate will do."""

    function: str
    """VOLT or CURR: what is swept; empty where the source stays as it is."""
    levels: tuple[float, ...]
    """Levels in V or A, of one pass."""
    delay: float
    """Seconds between a level and its measurement; below 0 the source's own delay."""
    passes: int
    """How often; 0 without end."""
    fail_abort: bool
    """Whether it ends where the source reaches its limit."""
    buffer: str
    """Name of the reading buffer; emptied at the start."""

    def points(self) -> Iterator[float]:
        """Yield every level in turn."""
        done = 0
        while self.passes == 0 or done < self.passes:
            yield from self.levels
            done += 1

    @property
    def total(self) -> float:
        """Points in all; may be infinite."""
        return len(self.levels) * self.passes if self.passes else float("inf")


def levels(
    start: float, stop: float, points: int, *, spacing: str, dual: bool
) -> tuple[float, ...]:
    """Return the levels of one pass.

    Args:
        start: first level.
        stop: last level.
        points: how many.
        spacing: LIN or LOG.
        dual: whether it goes back again.
    """
    if not 2 <= points <= MOST_POINTS:
        raise ScpiError(-222, f"{points} points; allowed: 2 to {MOST_POINTS}")
    if spacing == "LOG" and start * stop <= 0:
        raise ScpiError(-222, f"logarithmic from {start:g} to {stop:g}; allowed: one sign, no zero")
    up = np.linspace(start, stop, points) if spacing == "LIN" else np.geomspace(start, stop, points)
    there = tuple(float(level) for level in up)
    return there + there[-2::-1] if dual else there
