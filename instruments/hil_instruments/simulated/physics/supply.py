"""The device's supply, in balance at every event: it draws what the output needs, and no less.

The balance is quasi-static: the supply current follows the output power at once, with the steady
current of the stretch up to the next event. Capacitors of the supply rail are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hil_instruments.simulated.physics.stage import OutputStage

SUPPLY_NOMINAL = 9.0
"""Supply voltage in V with which a circuit starts."""


@dataclass(frozen=True, slots=True)
class Supply:
    """A voltage behind a resistance, with a current limit."""

    volts: float = SUPPLY_NOMINAL
    """Without load, in V."""
    limit: float = math.inf
    """Current limit in A."""
    resistance: float = 0.0
    """Of battery or leads in ohm."""

    def input(self, stage: OutputStage, power: float) -> float:
        """Voltage in V at the device while its output takes a power in W.

        Returns 0 V where no balance exists: the current limit folds the voltage back until the
        device dies, and a weak battery breaks down likewise.
        """
        open_volts = self.volts - self.resistance * stage.quiescent
        needed = power / stage.efficiency
        discriminant = open_volts * open_volts - 4 * self.resistance * needed
        if open_volts <= 0 or discriminant < 0:
            return 0.0
        volts = (open_volts + math.sqrt(discriminant)) / 2
        return volts if needed / volts + stage.quiescent <= self.limit else 0.0

    def rest_current(self, stage: OutputStage) -> float:
        """Current in A into a dead device: the limit, where rest alone folds the supply back."""
        return self.limit if self.volts > 0 and stage.quiescent > self.limit else 0.0


def boost_aim(stage: OutputStage, compliance: float, volts: float, *, on: bool) -> float:
    """Voltage in V that the boost supply goes to, from its supply input of `volts`."""
    if not on:
        return volts  # a boost converter at rest passes its input
    return stage.boost_gain * compliance * min(1.0, volts / stage.boost_dropout)
