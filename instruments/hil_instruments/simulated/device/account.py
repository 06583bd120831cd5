"""The dose account of the firmware."""

from __future__ import annotations

from hil.device import DeviceProfile
from hil_instruments.simulated.device.converters import Converters
from hil_instruments.simulated.device.output import Output
from hil_instruments.simulated.device.policy import Leg, Policy

ENOUGH = 2e-8
"""C: a dose this close is reached; two counts of the coulomb counter."""
LEAST = 1e-3
"""Share of the largest dose that must be left for another treatment."""


class Account:
    """Charge in C of this treatment and of all since power-up, and how long this one flowed."""

    def __init__(self, profile: DeviceProfile, converters: Converters, output: Output) -> None:
        self._largest = profile.si("dose.maximum")
        self._down_time = profile.si("ramp.down_time")
        self._converters, self._output = converters, output
        self.charge = 0.0
        """Of this treatment."""
        self.time = 0.0
        """Seconds on the firmware's clock for which the output was on in this treatment."""
        self._total = 0.0
        self._booked = 0.0

    def book(self, now: float, policy: Policy) -> None:
        """Add what has flowed since the last booking; `now` in s on the firmware's clock."""
        measured = self._converters.charge()
        if self._output.energised:
            middle = self._output.commanded((self._booked + now) / 2)
            increment = policy.counted(measured, abs(middle) * (now - self._booked))
            self.charge = policy.accumulate(self.charge, increment)
            self._total += increment
            self.time += now - self._booked
        self._booked = now

    def begin(self, dose: float, policy: Policy) -> bool:
        """Begin a new treatment; False, and nothing changed, where all sessions leave no dose."""
        before, self.charge = self.charge, 0.0
        if self.target(dose, policy) > LEAST * self._largest:
            self.time = 0.0
            return True
        self.charge = before
        return False

    def target(self, dose: float, policy: Policy) -> float:
        """Charge in C that this treatment may deliver, of its dose and of all sessions."""
        if not policy.limits_sessions:
            return dose
        return min(dose, self._largest - self._total + self.charge)

    def far_from(self, target: float, current: float) -> float:
        """Lower bound of what may still flow before a ramp down from `current` in A must begin.

        Twice the charge of the longest ramp is kept; not above ENOUGH, the shape of the ramp has to
        be known.
        """
        return target - self.charge - 2 * abs(current) * self._down_time

    @staticmethod
    def of_legs(legs: tuple[Leg, ...], begin: float) -> float:
        """Charge in C of a course of legs that begins at a current in A."""
        charge, value = 0.0, begin
        for leg in legs:
            charge += abs(value + leg.target) / 2 * leg.duration
            value = leg.target
        return charge
