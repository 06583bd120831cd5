"""What the host has set, and what it may set."""

from __future__ import annotations

from hil.device import DeviceProfile
from hil_instruments.simulated.device.policy import Policy
from hil_instruments.simulated.device.refusal import Refused

OUT_OF_RANGE = -222


class Settings:
    """Settings of the next treatment, or of the one under way."""

    def __init__(self, profile: DeviceProfile) -> None:
        self._profile = profile
        self.clear()

    def clear(self) -> None:
        """Return to those of power-up."""
        self.current = 0.0
        """Current in A; 0 after power-up."""
        self.polarity = self._profile.polarity
        """Polarity of this or the next treatment."""
        self.dose = self._profile.si("dose.maximum")
        """Charge in C at which a treatment ends."""
        self.ramp = self._profile.si("ramp.up_time")
        """Seconds from zero to the setting."""
        self.link_timeout = 0.0
        """Seconds of a silent host after which a treatment ends; 0 for never."""

    def signed(self, policy: Policy) -> float:
        """Current in A with the sign that the policy gives the polarity."""
        return self.current * policy.sign(self.polarity)

    def refuse_current(self, amperes: float) -> Refused:
        """Say what currents are allowed."""
        low, high, step = (
            self._profile[f"output.setpoint_{name}"] for name in ("min", "max", "step")
        )
        allowed = f"{low} to {high} in steps of {step}"
        return Refused(OUT_OF_RANGE, f"current {amperes * 1e3:.6g} mA; allowed: {allowed}")

    def set_dose(self, coulomb: float) -> None:
        """Set the charge at which a treatment ends, in C; raises Refused."""
        largest = self._profile["dose.maximum"]
        if not 0 < coulomb <= float(largest.base) * (1 + 1e-9):
            raise Refused(
                OUT_OF_RANGE,
                f"dose {coulomb / 0.06:.6g} mA*min; allowed: above 0, up to {largest}",
            )
        self.dose = coulomb

    def set_ramp(self, seconds: float) -> None:
        """Set the time of a ramp up, in s; raises Refused."""
        shortest = self._profile.si("output.setpoint_max") / self._profile.si("ramp.up_slope")
        longest = 2 * self._profile.si("ramp.up_time")
        if not shortest * (1 - 1e-9) <= seconds <= longest:
            raise Refused(
                OUT_OF_RANGE, f"ramp {seconds} s; allowed: {shortest:.6g} s to {longest:.6g} s"
            )
        self.ramp = seconds

    def set_link_timeout(self, seconds: float) -> None:
        """Set after how many seconds of silence a treatment ends, 0 for never; raises Refused."""
        if not (seconds == 0 or 1 <= seconds <= 3600):
            raise Refused(OUT_OF_RANGE, f"timeout {seconds} s; allowed: 0, or 1 s to 3600 s")
        self.link_timeout = seconds
