"""Known functions of time: constant, ramp, exponentials and one sinusoid; and where they cross."""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass

SHORTEST_STEP = 1e-11
"""Step in s by which a search for a crossing gets on in any case."""
_ROUNDS = 60


@dataclass(frozen=True, slots=True)
class Signal:
    """y(s) = level + slope s + sum of amplitude exp(-rate s) + Re(swing exp(i pulse s))."""

    level: float
    """Constant part."""
    slope: float = 0.0
    """Per second."""
    decays: Sequence[tuple[float, float]] = ()
    """Amplitude and rate in 1/s of each exponential."""
    swing: complex = 0.0
    """Amplitude and phase of the sinusoid."""
    pulse: float = 0.0
    """Its angular frequency in 1/s."""

    def at(self, age: float) -> float:
        """Value at an age in s."""
        total = self.level + self.slope * age
        for amplitude, rate in self.decays:
            total += amplitude * math.exp(-rate * age)
        if self.swing:
            total += (self.swing * cmath.exp(1j * self.pulse * age)).real
        return total

    def integral(self, age: float) -> float:
        """Integral from 0 to an age in s."""
        total = (self.level + self.slope * age / 2) * age
        for amplitude, rate in self.decays:
            total -= amplitude * math.expm1(-rate * age) / rate
        if self.swing:
            turn = cmath.exp(1j * self.pulse * age) - 1
            total += (self.swing * turn / (1j * self.pulse)).real
        return total

    def wander(self, age: float) -> float:
        """Bound of what exponentials and sinusoid can still change after an age in s."""
        return abs(self.swing) + sum(abs(c) * math.exp(-rate * age) for c, rate in self.decays)

    def plus(self, factor: float, other: Signal) -> Signal:
        """This signal and another one, times a factor; of two sinusoids with the same pulse."""
        return Signal(
            self.level + factor * other.level,
            self.slope + factor * other.slope,
            [*self.decays, *((factor * c, rate) for c, rate in other.decays)],
            self.swing + factor * other.swing,
            self.pulse or other.pulse,
        )

    def times(self, factor: float) -> Signal:
        """This signal times a factor."""
        return Signal(
            factor * self.level,
            factor * self.slope,
            [(factor * c, rate) for c, rate in self.decays],
            factor * self.swing,
            self.pulse,
        )

    def quiet(self, age: float, level: float) -> float:
        """Age up to which this signal certainly stays below `level`, close to where it reaches it.

        From each age it steps as far as the larger of two bounds allows: the signal with the
        largest curvature that it can still have, and with all that rising exponentials can still
        add. So no step passes a crossing, and an infinite one proves that there is none.
        """
        terms = [(c, rate) for c, rate in self.decays if c]
        ramp, swing = self.slope, abs(self.swing)
        if ramp <= 0 and self.level + ramp * age + swing + _upper(terms, age) < level:
            return math.inf
        for _ in range(_ROUNDS):
            value, pace, curvature, reserve = self.level + ramp * age, ramp, 0.0, swing
            for c, rate in terms:
                now = c * math.exp(-rate * age)
                value += now
                pace -= rate * now
                if c > 0:
                    curvature += rate * rate * now
                else:
                    reserve -= now
            if swing:
                turn = self.swing * cmath.exp(1j * self.pulse * age)
                value += turn.real
                pace -= self.pulse * turn.imag
                curvature += self.pulse * self.pulse * swing
                reserve += swing
            gap = level - value
            if gap <= 1e-13 * max(1.0, abs(level)):
                return age
            step = math.inf if ramp <= 0 and reserve < gap else _reach(gap, pace, curvature)
            if ramp > 0:
                step = max(step, (gap - reserve) / ramp)
            if step < SHORTEST_STEP:
                return age + SHORTEST_STEP
            age += step
            if age == math.inf:
                break
        return age


def _upper(terms: Sequence[tuple[float, float]], age: float) -> float:
    """The most that exponentials can still come to."""
    if age <= 0:
        return sum(c for c, _ in terms if c > 0)
    return sum(c * math.exp(-rate * age) for c, rate in terms if c > 0)


def _reach(gap: float, pace: float, curvature: float) -> float:
    """Time until pace t + curvature t^2 / 2 has closed a gap > 0; infinite if never."""
    if curvature > 0:
        root = math.sqrt(pace * pace + 2 * curvature * gap)
        return 2 * gap / (root + pace) if pace > 0 else (root - pace) / curvature
    return gap / pace if pace > 0 else math.inf
