"""What the firmware makes of its own measurements: over-current, open and shorted load."""

from __future__ import annotations

from hil.device import DeviceProfile
from hil_instruments.simulated.device.converters import Converters
from hil_instruments.simulated.device.policy import Policy

_VOLTAGE_SHARE = 1 / 8  # of compliance; below it a resistance is too coarse to judge
_AT_COMPLIANCE = 0.97  # share of compliance, and of the command, at which the output is limited
_SHORT_CURRENT = 50e-6  # A below which no short can be told
_QUIET_CURRENT = 5e-6  # A that the converter may show with the output off


class Protection:
    """Remembers since when something has looked wrong."""

    def __init__(self, profile: DeviceProfile, converters: Converters) -> None:
        self._converters = converters
        self._compliance = profile.si("output.compliance")
        self._threshold = _VOLTAGE_SHARE * self._compliance
        self._over_since: float | None = None
        self._open_since: float | None = None

    @property
    def suspicious(self) -> bool:
        """Whether something looks wrong, not yet for long enough."""
        return self._over_since is not None or self._open_since is not None

    def forget(self) -> None:
        """Begin anew."""
        self._over_since = self._open_since = None

    def judge(self, now: float, policy: Policy) -> str:
        """Return the fault that has lasted long enough at `now` (s), empty for none."""
        current, voltage = self._converters.current(), self._converters.voltage()
        over = current > policy.current_limit
        self._over_since = (self._over_since or now) if over else None
        looks_open = voltage > self._threshold and voltage > policy.open_resistance * current
        watched = looks_open and policy.open_time < float("inf")
        self._open_since = (self._open_since or now) if watched else None
        if _lasts(self._over_since, now, policy.overcurrent_time):
            return "OVERCURRENT"
        return "OPEN" if _lasts(self._open_since, now, policy.open_time) else ""

    def limited(self, command: float) -> bool:
        """Whether compliance keeps the current below the command in A."""
        converters = self._converters
        return (
            converters.voltage() > _AT_COMPLIANCE * self._compliance
            and converters.current() < _AT_COMPLIANCE * command
        )

    def shorted(self, policy: Policy) -> bool:
        """Whether the load looks like a short."""
        current = self._converters.current()
        low = self._converters.voltage() < policy.short_resistance * current
        return current > _SHORT_CURRENT and low

    def connected(self) -> bool:
        """Whether a load holds the output voltage down."""
        return self._converters.voltage() < self._threshold

    def quiet(self) -> bool:
        """Whether an output that is off looks so."""
        return self.connected() and self._converters.current() < _QUIET_CURRENT

    def windows(self, policy: Policy, share: float) -> tuple[tuple[float, float], float]:
        """Windows to sleep behind: current in A (low, high), and the voltage in V not to exceed."""
        current, voltage = self._converters.current(), self._converters.voltage()
        low, high = current * (1 - share), current * (1 + share) + 1e-6
        if current <= policy.current_limit:
            high = min(high, policy.current_limit)
        open_voltage = max(self._threshold, policy.open_resistance * current * (1 - share))
        if voltage > open_voltage or policy.open_time == float("inf"):
            open_voltage = 1e3  # seen already, or never looked for: nothing further to wait for
        return (low, high), open_voltage


def _lasts(since: float | None, now: float, time: float) -> bool:
    return since is not None and now >= since + time - 1e-9
