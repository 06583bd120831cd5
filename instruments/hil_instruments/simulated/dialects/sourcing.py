"""A bench source in the place of the stimulator: ranges, fixed errors, and its terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from hil_instruments.simulated.clock import World
from hil_instruments.simulated.physics.stage import OutputStage

SHARE_OF_ACCURACY = 0.8
"""Share of the accuracy within which the fixed errors are drawn; the rest is room for noise."""


@dataclass(frozen=True, slots=True)
class SourceRange:
    """One range of a source or of its meter, and its one-year accuracy."""

    full_scale: float
    """In A or V."""
    gain: float
    """Limit of the relative error."""
    offset: float
    """Limit of the additive error, in A or V."""
    resolution: float
    """Smallest step, in A or V."""
    noise: float = 0.0
    """Standard deviation of a reading over one line cycle, in A or V."""

    def holds(self, level: float, overrange: float) -> bool:
        """Whether a level lies inside the range, up to `overrange` times full scale."""
        return abs(level) <= self.full_scale * overrange * (1 + 1e-9)


def range_of(ranges: Sequence[SourceRange], level: float, overrange: float = 1.0) -> SourceRange:
    """Return the smallest range that holds a level, the largest if none does."""
    return next((each for each in ranges if each.holds(level, overrange)), ranges[-1])


def draw(
    ranges: Sequence[SourceRange], random: np.random.Generator
) -> Mapping[SourceRange, tuple[float, float]]:
    """Draw gain and offset error of each range, inside its accuracy."""
    shares = random.uniform(-SHARE_OF_ACCURACY, SHARE_OF_ACCURACY, (len(ranges), 2)).tolist()
    return {
        each: (gain * each.gain, offset * each.offset)
        for each, (gain, offset) in zip(ranges, shares, strict=True)
    }


class Terminals:
    """Output of a source that drives the circuit as its stimulator would.

    The circuit has one source: a current that is limited to a voltage. A voltage source that is
    limited to a current is the same rectangle, and is driven as such; neither takes current back
    from a charged load, as a four-quadrant source does.
    """

    def __init__(self, world: World, stage: OutputStage) -> None:
        """Put the source's own output stage into the circuit, disconnected.

        Args:
            world: the bench.
            stage: analogue part of the source; it is fed by the mains, not by the device's supply.
        """
        self._world = world
        self.connected = False
        """Whether the output relay is closed, or closing."""
        circuit = world.device.circuit
        circuit.set_stage(stage)
        circuit.set_boost(True)
        circuit.command(0.0)

    def drive(self, amperes: float, volts: float) -> None:
        """Connect, and drive a signed current into at most a voltage (in A and V)."""
        circuit = self._world.device.circuit
        circuit.set_compliance(abs(volts))
        circuit.set_bridge(amperes < 0)
        circuit.command(abs(amperes))
        if not self.connected:
            circuit.set_output_relay(True)
            self.connected = True

    def disconnect(self) -> None:
        """Drive nothing and open the output relay."""
        circuit = self._world.device.circuit
        circuit.command(0.0)
        circuit.set_output_relay(False)
        self.connected = False

    @property
    def limited(self) -> bool:
        """Whether the load needs more voltage than the source may drive."""
        return self.connected and bool(self._world.device.circuit.limited)
