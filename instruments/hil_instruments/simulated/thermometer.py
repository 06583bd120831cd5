"""Air at the simulated bench: a temperature and a drift that the seed decides."""

from __future__ import annotations

import math
import random
from decimal import Decimal

from hil.exact import Exact
from hil.roles import Clock

MIDDLE, SPREAD = 23.0, 2.0
"""Temperature in degC about which it lies, and how far it lies at most from there."""
DRIFT = 0.5
"""Largest change in K per hour of bench time."""
SWING = 1.0
"""Largest change in K in all: the room is not heated away."""
LIMITS = Exact.parse("0.3 degC")
"""Limits of the error, +/-: those of a common resistance thermometer."""


class SimulatedThermometer:
    """A thermometer beside the bench (implements `Thermometer`)."""

    def __init__(self, clock: Clock, seed: int) -> None:
        """Hang it up."""
        draw = random.Random(seed)
        self._clock, self._begin = clock, clock.now()
        self._first = draw.uniform(MIDDLE - SPREAD, MIDDLE + SPREAD)
        self._drift = draw.uniform(-DRIFT, DRIFT)

    @property
    def limits(self) -> Exact:
        """Limits of the error of a reading, +/-, in degC."""
        return LIMITS

    def ambient(self) -> Exact:
        """Temperature in degC, to a hundredth."""
        hours = (self._clock.now() - self._begin) / 3600
        moved = SWING * math.tanh(self._drift * hours / SWING)
        return Exact(Decimal(f"{self._first + moved:.2f}"), "degC")
