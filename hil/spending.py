"""What meters show to have been spent: at least so much, their limits of error taken off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hil.capture import Capture, Samples


@dataclass
class Spending:
    """Charge and energy that flowed in one arming, whoever commanded it."""

    current: float
    """Magnitude in A that a reading beyond the ammeter's range counts as."""
    voltage: float
    """Magnitude in V that a reading beyond the voltmeter's range counts as."""
    charge: float = 0.0
    """C, of either sign, without regard to sign."""
    energy: float = 0.0
    """J, in load and shunt; without a voltmeter it stays 0."""

    def add(self, current: Capture, voltage: Capture | None) -> None:
        """Count what was recorded; what was lost on the way counts as nothing.

        Args:
            current: through the load, in A.
            voltage: across load and shunt, in V, of the same stretch; outside of it no energy
                is counted.
        """
        amperes = _least(current, self.current)
        self.charge += float(amperes.sum()) * current.interval
        if voltage is None or not voltage.samples.size:
            return
        volts = np.interp(
            _times(current), _times(voltage), _least(voltage, self.voltage), left=0.0, right=0.0
        )
        self.energy += float(amperes @ volts) * current.interval


def _least(capture: Capture, beyond: float) -> Samples:
    """Smallest magnitude that each reading leaves possible."""
    size = np.abs(capture.samples)
    size = np.where(np.isinf(size), beyond, np.nan_to_num(size, nan=0.0))
    share, rest = capture.source.accuracy.line
    return np.maximum(size * (1 - share) - rest, 0.0)


def _times(capture: Capture) -> Samples:
    return capture.start + capture.interval * np.arange(capture.samples.size, dtype=np.float64)
