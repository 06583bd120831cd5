"""The current regulator: a command behind a lag, with what its loop adds to it."""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass

from hil_instruments.simulated.physics.stage import OutputStage


@dataclass(slots=True)
class Regulator:
    """Magnitude of the current that the loop asks for; the bridge gives it a sign."""

    command: float = 0.0
    """In A, with every gain."""
    behind: float = 0.0
    """What the lag still keeps above the command, in A."""
    excess: float = 0.0
    """Decaying excess in A."""
    swing: complex = 0.0
    """Oscillation of the loop in A, at the time of the last settling."""

    @property
    def now(self) -> float:
        """Current in A asked for."""
        return self.command + self.behind + self.excess + self.swing.real

    @property
    def rests(self) -> bool:
        """Whether it asks for nothing, now and later."""
        return not (self.command or self.behind or self.excess or self.swing)

    def ask(self, command: float) -> None:
        """Give a new command in A; the current goes on from where it is."""
        self.behind += self.command - command
        self.command = command

    def settle(self, stage: OutputStage, span: float) -> float:
        """Let `span` seconds pass; return the mean of the current over it in A."""
        behind, excess = self.behind, self.excess
        if behind:
            self.behind = behind * math.exp(-span / stage.lag)
        if excess:
            self.excess = excess * math.exp(-span / stage.transient)
        if span <= 0:
            return self.now
        fallen = (behind - self.behind) * stage.lag + (excess - self.excess) * stage.transient
        if self.swing:
            pulse = 2j * math.pi * stage.ripple_frequency
            before, self.swing = self.swing, self.swing * cmath.exp(pulse * span)
            fallen += ((self.swing - before) / pulse).real
        return self.command + fallen / span

    def oscillate(self, amplitude: float) -> None:
        """Let the loop oscillate with an amplitude in A, its phase going on."""
        size = abs(self.swing)
        self.swing = amplitude * (self.swing / size) if size else -1j * amplitude

    def kick(self, excess: float) -> None:
        """Add an excess in A that decays."""
        self.excess += excess
