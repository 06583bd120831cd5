"""One stretch of time without an event: every quantity a known function of time."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from operator import mul, sub

from hil_instruments.simulated.physics.network import Network
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.physics.signal import Signal
from hil_instruments.simulated.physics.wiring import YIELD

LAST_PROBE = Node.EARTH.probe
"""Nodes up to this one are probes of the network."""
BOOST_DECAY = 2
"""Number of the exponential with which the boost voltage approaches its aim."""


@dataclass(slots=True, eq=False)  # never changed; frozen ones take three times as long to make
class Drive:
    """The sources of a network from one event to the next."""

    levels: tuple[float, float, float, float]
    """Constant part of each source in A."""
    slope: float = 0.0
    """Ramp of the second source in A/s."""
    amplitudes: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Of the exponentials of the first source in A: regulator lag, excess, boost."""
    swing: complex = 0.0
    """Of the sinusoid of the first source in A."""


@dataclass(slots=True, eq=False)  # never changed; frozen ones take three times as long to make
class Feed:
    """What stands behind the output stage."""

    boost: float
    """Aim of the boost voltage in V."""
    boost_excess: float
    """What it is above its aim at the begin, in V."""
    supply: float
    """At the device's supply input in V."""
    quiescent: float
    """Supply current in A without output."""
    draw: float
    """Supply current in A for each ampere of output, with the sign of the output."""

    @property
    def row(self) -> tuple[float, float, float, float, float]:
        """All of it."""
        return (self.boost, self.boost_excess, self.supply, self.quiescent, self.draw)


class Segment:
    """A network, its sources, and its modes at the begin."""

    __slots__ = (
        "_away",
        "_modes",
        "_signals",
        "_steady",
        "drive",
        "feed",
        "free",
        "network",
        "span",
        "start",
    )

    def __init__(
        self,
        start: float,
        network: Network,
        drive: Drive,
        feed: Feed,
        modes: list[float],
        *,
        span: float = math.inf,
    ) -> None:
        """Solve from a state on.

        Args:
            start: bench time in s.
            network: what is connected to what.
            drive: its sources.
            feed: behind the stage.
            modes: of the network at `start`.
            span: longest time in s for which it will be used.
        """
        self.span = span
        self.start, self.network, self.drive, self.feed = start, network, drive, feed
        self._modes = modes
        self._away: list[float] | None = None  # of each mode, from where constant sources bring it
        self._signals: dict[int, Signal] = {}
        self._steady = self._driven(0.0)
        forced = self._stirred(self._steady, drive.amplitudes, drive.swing)
        self.free = [z - f for z, f in zip(modes, forced, strict=True)]

    def _driven(self, age: float) -> list[float]:
        """Modes that the constant sources and the ramp alone would give."""
        network, drive = self.network, self.drive
        stage, skin, leak, bench = drive.levels
        slope = drive.slope
        if skin or leak or bench or slope:
            return [
                (a * stage + b * (skin + slope * (age - 1 / r)) + c * leak + d * bench) / r
                for a, b, c, d, r in zip(*network.inputs, network.rates, strict=True)
            ]
        return [w * stage for w in network.still]

    def _stirred(
        self, forced: list[float], amplitudes: tuple[float, float, float], swing: complex
    ) -> list[float]:
        """The same with the exponentials and the sinusoid of the first source."""
        network = self.network
        for amplitude, response in zip(amplitudes, network.responses, strict=True):
            if amplitude:
                forced = [f + w * amplitude for f, w in zip(forced, response, strict=True)]
        if swing:
            swings = zip(forced, network.swings, strict=True)
            forced = [f + (w * swing).real for f, w in swings]
        return forced

    def modes(self, age: float) -> list[float]:
        """Modes of the network at an age in s."""
        network, drive = self.network, self.drive
        decayed = [
            amplitude * math.exp(-rate * age) if amplitude else 0.0
            for amplitude, rate in zip(drive.amplitudes, network.decays, strict=True)
        ]
        swing = drive.swing * cmath.exp(1j * network.pulse * age) if drive.swing else 0.0
        steady = self._driven(age) if drive.slope else self._steady
        forced = self._stirred(steady, (decayed[0], decayed[1], decayed[2]), swing)
        return [
            f + h * math.exp(-rate * age)
            for f, h, rate in zip(forced, self.free, network.rates, strict=True)
        ]

    def signal(self, probe: int) -> Signal:
        """What a probe of the network sees; it stays the same, so it is made once."""
        found = self._signals.get(probe)
        if found is None:
            found = self._signals[probe] = self._signal(probe)
        return found

    def _signal(self, probe: int) -> Signal:
        network, drive = self.network, self.drive
        gains, levels = network.gains[probe], drive.levels
        level = gains[0] * levels[0] + gains[1] * levels[1] + gains[2] * levels[2]
        level += gains[3] * levels[3]
        weights = network.probes[probe]
        decays = [
            (w * h, rate) for w, h, rate in zip(weights, self.free, network.rates, strict=True)
        ]
        for amplitude, weight, rate in zip(
            drive.amplitudes, network.transfers[probe], network.decays, strict=True
        ):
            if amplitude:
                decays.append((weight * amplitude, rate))
        slope = drive.slope
        if slope:
            level -= slope * network.drags[probe][YIELD]
        swing: complex = 0.0
        if drive.swing:
            swing = drive.swing * network.sways[probe]
        return Signal(level, slope * gains[YIELD], decays, swing, network.pulse)

    def extent(self, probe: int) -> tuple[float, float]:
        """Some value of a probe of the network, and how far it can get from that in this segment.

        Unlike the amplitudes, this bound stays small where a source's rate meets a mode.
        """
        network, drive = self.network, self.drive
        gains, levels = network.gains[probe], drive.levels
        level = gains[0] * levels[0] + gains[1] * levels[1] + gains[2] * levels[2]
        level += gains[3] * levels[3]
        ramp = 0.0
        if drive.slope:
            level -= drive.slope * network.drags[probe][YIELD]
            ramp = abs(drive.slope * gains[YIELD] * self.span)
        if self._away is None:
            self._away = list(map(sub, self._modes, self._steady))
        spread = ramp + sum(map(abs, map(mul, network.probes[probe], self._away)))
        for amplitude, peak in zip(drive.amplitudes, network.peaks[probe], strict=True):
            if amplitude:
                spread += abs(amplitude) * peak
        if drive.swing:
            spread += abs(drive.swing) * network.crests[probe]
        return level, spread

    def seen(self, node: Node) -> Signal:
        """What an instrument at a node sees."""
        probe = node.probe
        if probe <= LAST_PROBE:
            return self.signal(probe)
        feed = self.feed
        if node is Node.BOOST:
            return Signal(feed.boost, 0.0, [(feed.boost_excess, self.boost_rate)])
        if node is Node.SUPPLY:
            return Signal(feed.supply)
        return Signal(feed.quiescent).plus(feed.draw, self.signal(Node.SENSE.probe))

    def rests(self, node: Node, age: float, within: float) -> bool:
        """Whether a node of the network stays as it is from an age in s on, within so much."""
        signal = self.signal(node.value)
        return not signal.slope and signal.wander(age) < within

    @property
    def boost_rate(self) -> float:
        """Rate in 1/s with which the boost voltage approaches its aim."""
        return self.network.decays[BOOST_DECAY]
