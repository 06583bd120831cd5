"""Outputs of a DP832: ratings, errors, protection, and the one that feeds the device.

Ref: DP800 Programming Guide ("PG"), DP800 Performance Verification Manual ("PV").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil_instruments.simulated.clock import Timer, World
from hil_instruments.simulated.physics.circuit import Node

RISE_TIME, FALL_TIME = 45e-3, 20e-3
"""Seconds of a change of the output, whatever its size: those of the sibling DP1308A, 25 V output
(its PV, "Voltage Program-control Time"); there, a fall that no load helps along is slower."""
RAMP_STEPS = 15
"""Steps of such a change."""
CONVERSION = 100e-3
"""Seconds over which a measurement averages; its reply waits for it. From memory."""
PROTECTION_TIME = 10e-3
"""Seconds from an excess to the opening of the output (PV of the DP1308A: less than 10 ms)."""
SHARE_OF_ACCURACY = 0.8
"""Share of the accuracy within which the fixed errors are drawn; the rest is room for noise."""
VOLTAGE_STEP, CURRENT_STEP = 10e-3, 1e-3
"""Resolution in V and A without the high-resolution option; from memory of the data sheet."""
NOISE = 0.1
"""Standard deviation of a reading, a share of the resolution. From memory."""
LIMITING = 0.999
"""Share of the current limit from which on the output counts as limited."""


@dataclass(frozen=True, slots=True)
class Rating:
    """What one channel of the DP832 can be set to (PG, tables 2-1 and 2-2)."""

    name: str
    """As APPLy? writes it."""
    largest_voltage: float
    largest_current: float
    over_voltage: float
    """Largest, and default, level of the over-voltage protection in V."""
    over_current: float = 3.3
    """Largest, and default, level of the over-current protection in A."""
    default_current: float = 3.0


@dataclass(frozen=True, slots=True)
class SupplyFault:
    """What may be wrong with a supply; the defaults are a healthy one."""

    sourceless: bool = False
    """The second output gives nothing, and says that it is on."""
    blind: bool = False
    """Its meters read 0, whatever the outputs give."""


RATINGS = (
    Rating("30V/3A", 32.0, 3.2, 33.0),
    Rating("30V/3A", 32.0, 3.2, 33.0),
    Rating("5V/3A", 5.3, 3.2, 5.5),
)
LEAST_LEVEL = {"OVP": 0.01, "OCP": 0.001}
"""Least level of a protection in V or A."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Fixed errors of one channel, one year: programming and read-back, each gain and offset.

    Voltage 0.05 % + 20 mV and 0.05 % + 10 mV (data sheet, as its users quote it); current
    0.2 % + 10 mA and 0.15 % + 5 mA (PV, "CC Programming and Readback Accuracy").
    """

    set_voltage: tuple[float, float]
    set_current: tuple[float, float]
    read_voltage: tuple[float, float]
    read_current: tuple[float, float]


_ACCURACIES = ((5e-4, 20e-3), (2e-3, 10e-3), (5e-4, 10e-3), (1.5e-3, 5e-3))
READ_BACK = (1.5e-3, 20e-3)
"""Limits of error of what it reads back: relative, and in V with a step of its display."""


def draw(random: np.random.Generator) -> Errors:
    """Draw one channel's errors, inside its accuracy."""
    shares = random.uniform(-SHARE_OF_ACCURACY, SHARE_OF_ACCURACY, (len(_ACCURACIES), 2))
    errors = (shares * _ACCURACIES).tolist()
    return Errors(*((gain, offset) for gain, offset in errors))


class Channel:
    """Settings and protection of one output; knows neither wire nor circuit."""

    def __init__(self, rating: Rating, errors: Errors) -> None:
        self.rating = rating
        self.errors = errors
        self.preset()

    def preset(self) -> None:
        """Off, 0 V, protections at their largest level and not active."""
        self.voltage, self.current = 0.0, self.rating.default_current
        self.on = False
        self.largest_level = {"OVP": self.rating.over_voltage, "OCP": self.rating.over_current}
        self.levels = dict(self.largest_level)
        self.protects = {"OVP": False, "OCP": False}
        self.tripped = {"OVP": False, "OCP": False}

    @property
    def target(self) -> float:
        """Voltage in V to which the output goes: the setting with its error."""
        gain, offset = self.errors.set_voltage
        return max(0.0, self.voltage * (1 + gain) + offset) if self.on else 0.0

    @property
    def limit(self) -> float:
        """Current in A at which the output limits: the setting with its error."""
        gain, offset = self.errors.set_current
        return max(0.0, self.current * (1 + gain) + offset)

    def trip(self, kind: str) -> None:
        """Switch off by a protection, until it is cleared."""
        self.tripped[kind] = True
        self.on = False

    def reading(self, node: Node, true: float, random: np.random.Generator) -> float:
        """Return what the channel's own meter shows of a true voltage or current."""
        voltage = node is Node.SUPPLY
        gain, offset = self.errors.read_voltage if voltage else self.errors.read_current
        step = VOLTAGE_STEP if voltage else CURRENT_STEP
        if not self.on and not true:
            return 0.0  # what is off shows zeros
        shown = true * (1 + gain) + offset + NOISE * step * random.standard_normal()
        return max(0.0, round(shown / step) * step)


class Feed:
    """Terminals of the channel that feeds the device: slew, limit, protection."""

    def __init__(self, channel: Channel, world: World) -> None:
        self._channel = channel
        self._world = world
        self.volts = 0.0
        """Voltage in V that it drives now."""
        self._ramp: list[Timer] = []
        self._watch: Timer | None = None
        self._drive(0.0)

    def follow(self) -> None:
        """Let the output go to what the channel is set to."""
        clock = self._world.clock
        for timer in self._ramp:
            timer.cancelled = True
        self._ramp.clear()
        start, change = self.volts, self._channel.target - self.volts
        self._drive(start)  # a new limit holds at once
        time = RISE_TIME if change > 0 else FALL_TIME
        for step in range(1, RAMP_STEPS + 1 if change else 1):
            share = step / RAMP_STEPS
            self._plan(clock.time + time * share, start + change * share)
        self.guard()

    def _plan(self, at: float, volts: float) -> None:
        self._ramp.append(self._world.clock.at(at, lambda: self._drive(volts)))

    def _drive(self, volts: float) -> None:
        self.volts = volts
        self._world.feed(volts, self._channel.limit)

    def guard(self) -> None:
        """Look at the protections, as long as one of them is active on a live output."""
        channel, clock = self._channel, self._world.clock
        if self._watch is None and channel.on and any(channel.protects.values()):
            self._watch = clock.at(clock.time + PROTECTION_TIME, self._look)

    def _look(self) -> None:
        self._watch = None
        channel = self._channel
        excess = {"OVP": self.value(Node.SUPPLY), "OCP": self.value(Node.SUPPLY_CURRENT)}
        for kind, active in channel.protects.items():
            if active and channel.on and excess[kind] > channel.levels[kind]:
                channel.trip(kind)
                self.follow()
        self.guard()

    def value(self, node: Node) -> float:
        """What stands at the terminals, or is drawn from them, now."""
        return float(self._world.device.circuit.value(node))

    def mean(self, node: Node) -> float:
        """The same, over the conversion that ends now."""
        now = self._world.clock.time
        if now < CONVERSION:
            return self.value(node)
        starts = np.array([now - CONVERSION])
        return float(self._world.device.circuit.means(node, starts, CONVERSION)[0])
