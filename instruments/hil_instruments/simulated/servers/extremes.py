"""What a served bench remembers of its current since the last reset: the truth about limits."""

from __future__ import annotations

import numpy as np

from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.physics.node import Node

WINDOW = 1e-3
"""Bench time in s over which the current is averaged: the 140 mA that 120 pF give for 70 ns when a
load comes back count for 10 uA."""
AT_ONCE = 250
"""Windows after which `keep_up` looks."""


class Extremes:
    """Largest current and charge of a bench, from exact means over windows that leave no gap."""

    def __init__(self, bench: SimulatedBench) -> None:
        """Begin; from here on the bench says when it is about to forget."""
        self._bench = bench
        self._generation = -1
        self._until = 0.0
        self.current = 0.0
        """Largest magnitude in A of the mean current through the load over WINDOW."""
        self.charge = 0.0
        """Sum of the magnitudes in C that went through the load, whatever their sign."""
        self.driven = 0.0
        """Largest magnitude in A of the mean current of the device itself over WINDOW."""
        self.driven_charge = 0.0
        """Sum of the magnitudes in C that the device itself drove, without the bench's source."""
        bench.before_trim = self.look

    def keep_up(self) -> None:
        """Look if there is much to look at, so that nobody waits for it later."""
        if self._bench.clock.time - self._until > AT_ONCE * WINDOW:
            self.look()

    def look(self) -> None:
        """Take in what has passed since the last look; a reset begins anew."""
        bench = self._bench
        circuit = bench.circuit
        if self._generation != bench.generation:
            self._generation, self._until = bench.generation, 0.0
            self.current = self.charge = self.driven = self.driven_charge = 0.0
        count = int((circuit.now - self._until) / WINDOW)
        if count <= 0:
            return
        starts = self._until + WINDOW * np.arange(count, dtype=np.float64)
        through = np.abs(circuit.means(Node.CURRENT, starts, WINDOW))
        driven = np.abs(circuit.means(Node.SENSE, starts, WINDOW))
        self._until += WINDOW * count
        self.current = max(self.current, float(through.max()))
        self.charge += float(through.sum()) * WINDOW
        self.driven = max(self.driven, float(driven.max()))
        self.driven_charge += float(driven.sum()) * WINDOW
