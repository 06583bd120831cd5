"""Faults of the firmware that shape a change of current otherwise than by one straight ramp.

As in `decisions`, a function of the severity returns the overriding class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from hil_instruments.simulated.device.output import RAMP_TICK
from hil_instruments.simulated.device.policy import Course, Leg, Policy, Ramp

FALLING = 2.0
"""Seconds for which a ramp that gives way falls."""

Override: TypeAlias = Callable[[float], type[Policy]]
"""Makes the class that overrides a decision, of a severity in SI."""


def at_once(course: Course) -> tuple[Leg, ...]:
    """Make the whole change at once."""
    return (Leg(course.end, 0.0),)


def stepped(*ramps: Ramp, first_only: bool = False) -> Override:
    """Skip these ramps, or only those of the first start."""

    class Stepped(Policy):
        def legs(self, course: Course) -> tuple[Leg, ...]:
            hit = course.ramp in ramps and (course.first or not first_only)
            return at_once(course) if hit else super().legs(course)

    return lambda severity: Stepped


def stale_setpoint(severity: float) -> type[Policy]:
    """A change during a ramp begins at the setting aimed at until now."""
    del severity

    class StaleSetpoint(Policy):
        def legs(self, course: Course) -> tuple[Leg, ...]:
            if course.ramp is not Ramp.CHANGE or course.begin == course.before:
                return super().legs(course)
            restarted = replace(course, begin=course.before)
            return (Leg(course.before, 0.0), *super().legs(restarted))

    return StaleSetpoint


def lost_ticks(severity: float) -> type[Policy]:
    """Plateaus, and steep pieces between them; the severity is the slope at the largest setting."""
    steep = 2.0  # seconds of each stretch that makes up for a plateau

    class LostTicks(Policy):
        def legs(self, course: Course) -> tuple[Leg, ...]:
            nominal = self.profile.si("output.setpoint_max") / self.profile.si("ramp.up_time")
            factor = severity / nominal
            if course.ramp.ends_at_zero or factor <= 1:
                return super().legs(course)
            span = course.end - course.begin
            rise = math.copysign(min(course.slope * factor * steep, abs(span)), span)
            count = math.ceil(span / rise - 1e-9) if span else 0
            legs = []
            for number in range(count):
                low = course.begin + number * rise
                high = course.begin + min((number + 1) * rise / span, 1.0) * span
                pace = abs(high - low) / course.slope
                legs += [Leg(low, pace * (1 - 1 / factor)), Leg(high, pace / factor)]
            return tuple(legs) or super().legs(course)

    return LostTicks


def giving_way(severity: float) -> type[Policy]:
    """Fall back half-way, by the severity within a while, and arrive in time all the same."""

    class GivingWay(Policy):
        def legs(self, course: Course) -> tuple[Leg, ...]:
            span = course.end - course.begin
            whole = abs(span) / course.slope
            if abs(course.end) <= abs(course.begin) or whole <= 2 * FALLING:
                return super().legs(course)
            middle = course.begin + span / 2
            fallen = middle - math.copysign(min(severity, abs(span) / 2), span)
            rest = whole / 2 - FALLING
            return (Leg(middle, whole / 2), Leg(fallen, FALLING), Leg(course.end, rest))

    return GivingWay


def staircase(severity: float) -> type[Policy]:
    """Stairs of a height."""

    class Staircase(Policy):
        def legs(self, course: Course) -> tuple[Leg, ...]:
            span = course.end - course.begin
            finest = abs(span) / course.slope / RAMP_TICK  # what the converter is given
            stairs = math.ceil(min(abs(span) / severity, finest) - 1e-9)
            if not stairs:
                return super().legs(course)
            wait = abs(span) / course.slope / stairs
            heights = [course.begin + span * (k + 1) / stairs for k in range(stairs)]
            held = zip([course.begin, *heights], heights, strict=False)
            return tuple(leg for low, high in held for leg in (Leg(low, wait), Leg(high, 0.0)))

    return Staircase


def overshoot(severity: float) -> type[Policy]:
    """Rise beyond the setting by a share of it, and come back."""

    class Overshoot(Policy):
        def legs(self, course: Course) -> tuple[Leg, ...]:
            healthy = super().legs(course)
            if abs(course.end) <= abs(course.begin):
                return healthy
            excess = severity * course.end
            time = abs(excess) / course.slope
            return (*healthy, Leg(course.end + excess, time), Leg(course.end, time))

    return Overshoot
