"""The terminals of an instrument: what it sees of the circuit, and what the circuit feels of it."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hil_instruments.simulated.clock import World
from hil_instruments.simulated.physics.node import Node

Values: TypeAlias = npt.NDArray[np.float64]

NODES = {"ammeter": Node.CURRENT, "voltmeter": Node.TERMINAL, "oscilloscope": Node.SHUNT}
"""Role on the bench to the node that its instrument is wired to."""
BLOWN = 1e12
"""Resistance in ohm of a blown fuse."""
_ALTERNATING_PLACES, _ALTERNATING_LOOKS = (16, 512), 1 << 21
_MOST_QUARTERS = 20_000


class Terminals:
    """One pair of terminals, wired to one node of the circuit (implements `watch.Signal`)."""

    def __init__(self, world: World, role: str) -> None:
        self._world = world
        self._node = NODES[role]
        self.quantity = "CURR" if self._node is Node.CURRENT else "VOLT"
        """CURR or VOLT: which of the instrument's terminals are wired."""
        self._burden = self._input = 0.0

    def series(self, ohm: float) -> None:
        """Be a shunt of this resistance; an instrument that measures no current is none."""
        if self._node is Node.CURRENT and ohm != self._burden:
            self._burden = ohm
            self._world.device.circuit.set_burden(ohm)

    def across(self, ohm: float) -> None:
        """Be an input of this resistance, if these terminals lie across the output."""
        if self._node is Node.TERMINAL and ohm != self._input:
            self._input = ohm
            self._world.device.circuit.set_voltmeter(ohm)

    def catch_up(self) -> None:
        """Bring the bench up to the clock, before samples are counted.

        A fault of the instrument that sets in on the way has it gather what came before.
        """
        self.now()

    def mean(self, start: float, aperture: float) -> float:
        """Mean of the input over one aperture."""
        return self._world.device.circuit.mean(self._node, start, aperture)

    def means(self, starts: Values, aperture: float) -> Values:
        """Mean of the input over each aperture."""
        return self._world.device.circuit.means(self._node, starts, aperture)

    def alternating(self, starts: Values, aperture: float) -> Values:
        """Root of the mean square of the alternating part over each aperture."""
        count = int(np.clip(_ALTERNATING_LOOKS // max(len(starts), 1), *_ALTERNATING_PLACES))
        places = (np.arange(count) + 0.5) / count * aperture
        looks = self.at((starts[:, np.newaxis] + places).ravel())
        deviations: Values = looks.reshape(len(starts), count).std(axis=1)
        return deviations

    def now(self) -> float:
        """Value of the input at the moment."""
        return self._world.device.circuit.value(self._node)

    def resting(self, since: float) -> float | None:
        """Value at which the input has rested since a past time; None if it has not, or may not."""
        circuit = self._world.device.circuit
        return None if circuit.stage.ripple else circuit.resting(self._node, since)

    def bounds(self, since: float) -> tuple[float, float] | None:
        """Values between which the input has certainly stayed since a past time; None: unknown."""
        return self._world.device.circuit.bounds(self._node, since)

    def at(self, times: Values) -> Values:
        """Values of the input at past times."""
        return self._world.device.circuit.observe(self._node, times)

    def began(self, time: float) -> float:
        """Time since which the input has been smooth up to a past time."""
        circuit = self._world.device.circuit
        return time if circuit.stage.ripple else circuit.began(time)

    def breaks(self, since: float, until: float) -> Values:
        """Times in (since, until] between which the input is smooth.

        They are the beginnings of the circuit's pieces; where the output stage ripples, the
        quarters of its periods besides, but for a very long time not all of them.
        """
        circuit = self._world.device.circuit
        breaks: Values = circuit.breaks(since, until)
        if not circuit.stage.ripple:
            return breaks
        step = max(1 / (4 * circuit.stage.ripple_frequency), (until - since) / _MOST_QUARTERS)
        return np.union1d(breaks, np.arange(since, until, step)[1:])
