"""Bench time that follows the wall clock handed in, at a pace."""

from __future__ import annotations

import math
from collections.abc import Callable

from hil.errors import UsageError
from hil_instruments.simulated.bench import SimulatedBench

FASTEST = 1000.0
"""Bench seconds for each wall second, at most."""


class Pace:
    """Moves the clock of one bench; while it does, nobody else may."""

    def __init__(self, bench: SimulatedBench, wall: Callable[[], float], scale: float) -> None:
        """Prepare; time passes from `begin` on.

        Args:
            bench: whose clock is moved.
            wall: monotonic wall clock in s.
            scale: bench seconds for each wall second.

        Raises:
            UsageError: `scale` is not above 0, or above FASTEST.
        """
        self._bench, self._wall = bench, wall
        self._scale = _checked(scale)
        self._begun = self._begun_wall = 0.0

    @property
    def scale(self) -> float:
        """Bench seconds for each wall second."""
        return self._scale

    def begin(self) -> None:
        """Let bench time follow the wall from here on."""
        self._begun, self._begun_wall = self._bench.clock.now(), self._wall()

    def advance(self) -> None:
        """Bring the bench to wall time."""
        clock = self._bench.clock
        left = self._begun + (self._wall() - self._begun_wall) * self._scale - clock.now()
        if left > 0:
            clock.sleep(left)

    def change(self, scale: float) -> None:
        """Go on at another scale from now; bench time does not jump.

        Raises:
            UsageError: as for the first one.
        """
        checked = _checked(scale)
        self.advance()
        self.begin()
        self._scale = checked

    def wall_seconds(self, until: float) -> float:
        """Wall seconds until a time on the bench's own count; 0 if it has come."""
        return max(until - self._bench.clock.time, 0.0) / self._scale


def _checked(scale: float) -> float:
    if not 0 < scale <= FASTEST or math.isnan(scale):
        raise UsageError(
            f"scale = {scale}; allowed: bench seconds per wall second, above 0, at most {FASTEST:g}"
        )
    return scale
