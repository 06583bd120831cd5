"""The firmware's hold on its output: relay, bridge, and a programme of legs in DAC steps."""

from __future__ import annotations

from collections import deque

from hil_instruments.simulated.device.converters import Converters
from hil_instruments.simulated.device.policy import Leg
from hil_instruments.simulated.device.port import Port

RAMP_TICK = 25e-3
"""Seconds between two steps of the DAC on a ramp."""


class Output:
    """Signed current in A that is commanded, as a line over the firmware's own time."""

    def __init__(self, port: Port, converters: Converters) -> None:
        self._port = port
        self._converters = converters
        self.energised = False
        """Whether the relay was told to close."""
        self.command = 0.0
        """Signed current in A that was last given to the DAC."""
        self.leg_end: float | None = None
        """Time in s at which the present leg ends; None between programmes."""
        self._legs: deque[Leg] = deque()
        self._line = (0.0, 0.0, 0.0)
        self._target = 0.0
        self._began = 0.0
        self._negative = False

    def close(self, sign: int) -> None:
        """Turn the bridge and close the relay, at zero."""
        self.energised = True
        self._turn(negative=sign < 0)
        self._port.set_relay(True)

    def open(self) -> None:
        """Demand nothing, open the relay, take the supply away."""
        self.energised = False
        self.command = 0.0
        self._line = (self._line[0], 0.0, 0.0)
        self._converters.demand(0.0)
        self._port.set_relay(False)
        self._port.set_boost(False)

    def commanded(self, time: float) -> float:
        """Signed current in A on the present line at a time."""
        begin, value, slope = self._line
        return value + slope * (time - begin)

    def drive(self, current: float, now: float) -> None:
        """Command a signed current at once, and hold it."""
        self._line = (now, current, 0.0)
        self._give(current)

    def follow(self, begin: float, legs: tuple[Leg, ...], now: float) -> None:
        """Begin a programme of legs at a signed current."""
        self._legs = deque(legs)
        self._began = now
        self._line = (now, begin, 0.0)
        self._next(now)

    def halt(self) -> None:
        """Forget the programme; the command stays."""
        self._legs.clear()
        self.leg_end = None

    def step(self, now: float) -> bool:
        """Give the DAC what is due at `now`; True where that ends the programme."""
        while self.leg_end is not None and now >= self.leg_end - 1e-9:
            self._line = (self.leg_end, self._target, 0.0)
            if not self._legs:
                self.leg_end = None
                self._give(self._target)
                return True
            self._next(self.leg_end)
        self._give(self.commanded(now))
        return False

    def share(self, now: float) -> float:
        """Share of the present leg that is over."""
        begin, end = self._began, self.leg_end
        return 1.0 if end is None or end <= begin else (now - begin) / (end - begin)

    def _next(self, begin: float) -> None:
        leg = self._legs.popleft()
        value = self._line[1]
        slope = (leg.target - value) / leg.duration if leg.duration > 0 else 0.0
        self._line = (begin, value, slope)
        self._target = leg.target
        self.leg_end = begin + leg.duration

    def _turn(self, *, negative: bool) -> None:
        self._negative = negative
        self._port.set_bridge(negative)

    def _give(self, current: float) -> None:
        if current and (current < 0) != self._negative:  # only faulty firmware reverses so
            self._turn(negative=current < 0)
        self.command = current
        self._converters.demand(abs(current))
