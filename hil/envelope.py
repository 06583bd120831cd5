"""What a test may command; checked before anything is sent."""

from __future__ import annotations

from dataclasses import dataclass

from hil.device import DeviceProfile
from hil.errors import LimitExceeded
from hil.exact import Dimension, Exact


@dataclass(frozen=True, slots=True)
class Envelope:
    """Bounds on commands, not on what the device then does."""

    max_current: Exact
    """Largest setting that may be commanded."""

    @classmethod
    def of(cls, profile: DeviceProfile) -> Envelope:
        """The whole declared range of the device."""
        return cls(profile["output.setpoint_max"])

    def narrowed(self, max_current: Exact) -> Envelope:
        """A smaller envelope; raises LimitExceeded if it would be a larger one."""
        max_current.require(Dimension.CURRENT)
        if not max_current.base.is_finite() or not 0 < max_current.base <= self.max_current.base:
            raise LimitExceeded(
                f"an envelope of {max_current} was asked for; "
                f"allowed: above 0, up to {self.max_current}, as the device declares"
            )
        return Envelope(max_current)

    def admit(self, current: Exact) -> Exact:
        """Return a setting that may be sent; raises LimitExceeded otherwise, nothing is sent."""
        current.require(Dimension.CURRENT)
        if not current.base.is_finite() or current.base <= 0:
            raise LimitExceeded(f"{current} was commanded; a positive, finite current is allowed")
        if current > self.max_current:
            raise LimitExceeded(f"{current} was commanded; the envelope ends at {self.max_current}")
        return current
