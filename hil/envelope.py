"""What a test may command, and what it may spend: bounds alone; `hil.hazard` keeps the account."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any

from hil.device import DeviceProfile
from hil.errors import LimitExceeded, UsageError
from hil.exact import ARITHMETIC, Dimension, Exact

LONGEST = Exact.parse("4 h")
"""Default of `max_time`: project figure, four times what a treatment with a dose is given."""
ENERGISATIONS = 100
"""Default of `max_energisations`: project figure; it ends a loop that has lost its end."""
_DIMENSIONS = {
    "max_current": Dimension.CURRENT,
    "max_voltage": Dimension.VOLTAGE,
    "max_charge": Dimension.CHARGE,
    "max_energy": Dimension.ENERGY,
    "max_time": Dimension.TIME,
    "max_slope": Dimension.CURRENT_SLOPE,
    "cool_down": Dimension.TIME,
}


@dataclass(frozen=True, slots=True)
class Envelope:
    """Bounds on commands, not on what the device then does; those of one arming."""

    max_current: Exact
    """Largest setting that may be commanded."""
    max_voltage: Exact
    """Largest voltage that a setting may need at the load that is connected."""
    max_charge: Exact
    """Charge that settings and times may add up to."""
    max_energy: Exact
    """Energy that they may add up to, at the voltage that each needs."""
    max_time: Exact
    """Time for which the output may be energised."""
    max_slope: Exact
    """Largest change of a setting in the device's declared time of a ramp."""
    max_energisations: int
    """How often the output may be energised: starts, resumes and provocations."""
    cool_down: Exact
    """Shortest time from the end of one energisation to the begin of the next."""

    @classmethod
    def of(cls, profile: DeviceProfile) -> Envelope:
        """What a device may be asked for.

        Current, voltage and slope are what its maker declares. Charge is the largest dose that its
        class knows, so that a dose which is not kept can still be seen; energy is that charge at
        the declared voltage. No class gives figures for time, number and cool-down: the first two
        are this project's, a cool-down is not asked for.
        """
        voltage = profile["output.compliance"]
        charge = profile.device_class.bounds["dose.maximum"].ceiling
        return cls(
            profile["output.setpoint_max"],
            voltage,
            charge,
            Exact(ARITHMETIC.multiply(charge.base, voltage.base), "J"),
            LONGEST,
            profile["ramp.up_slope"],
            ENERGISATIONS,
            Exact.parse("0 s"),
        )

    @property
    def words(self) -> dict[str, str]:
        """Each bound by its name."""
        return {field.name: str(getattr(self, field.name)) for field in fields(self)}

    def narrowed(self, max_current: Exact | None = None, **bounds: Exact | int | None) -> Envelope:
        """A smaller envelope; a bound of None stays as it is.

        Raises:
            LimitExceeded: it would be a larger one.
            UsageError: there is no bound of that name.
            DimensionError: a bound is of another dimension.
        """
        known = [field.name for field in fields(self)]
        bounds["max_current"] = max_current
        for name, bound in bounds.items():
            if name not in known:
                raise UsageError(f"an envelope has no {name}; it has {', '.join(known)}")
            if bound is not None:
                self._check(name, bound)
        given: dict[str, Any] = {name: bound for name, bound in bounds.items() if bound is not None}
        return replace(self, **given)

    def _check(self, name: str, bound: Exact | int) -> None:
        whole = getattr(self, name)
        if name == "max_energisations":
            if not isinstance(bound, int) or isinstance(bound, bool) or not 1 <= bound <= whole:
                raise LimitExceeded(f"{name} = {bound!r} was asked for; allowed: 1 to {whole}")
            return
        if not isinstance(bound, Exact):
            raise UsageError(f"{name} = {bound!r} has no unit; write it as 2 * mA, not as a number")
        bound.require(_DIMENSIONS[name])
        if name == "cool_down":
            if not bound.base.is_finite() or bound < whole:
                raise LimitExceeded(f"{name} = {bound} was asked for; allowed: {whole} and above")
        elif not bound.base.is_finite() or not 0 < bound.base <= whole.base:
            raise LimitExceeded(
                f"an envelope of {name} = {bound} was asked for; allowed: above 0, up to {whole}"
            )

    def admit(self, current: Exact) -> Exact:
        """Return a setting that may be sent; raises LimitExceeded otherwise, nothing is sent."""
        current.require(Dimension.CURRENT)
        if not current.base.is_finite() or current.base <= 0:
            raise LimitExceeded(f"{current} was commanded; a positive, finite current is allowed")
        if current > self.max_current:
            raise LimitExceeded(f"{current} was commanded; the envelope ends at {self.max_current}")
        return current
