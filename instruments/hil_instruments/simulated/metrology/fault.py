"""What may be wrong with a measuring instrument."""

from __future__ import annotations

import math
from dataclasses import dataclass

MAINS = 50.0
"""Frequency in Hz of the hum that a lost earth lets in."""


@dataclass(frozen=True, slots=True)
class MeterFault:
    """A fault of a meter or oscilloscope, on top of its errors inside the specification.

    The defaults are a healthy instrument. A front end takes a new one at any time by its attribute
    `fault`: samples whose aperture has closed by then keep the old one.
    """

    gain: float = 0.0
    """Relative error of every reading (out of calibration): 0.01 reads 1 % high."""
    offset: float = 0.0
    """Added to every reading, in A or V (drifted zero, thermal voltage, lost guard)."""
    scale: float = 1.0
    """Factor of a wrong range: the relay of another shunt or divider pulls; 0.1 or 10, say."""
    noise: float = 1.0
    """Factor of the instrument's own noise."""
    hum: float = 0.0
    """Peak in A or V of mains hum at the input (lost earth); whole line cycles average it out."""
    stuck: float | None = None
    """Every reading is this, in A or V, whatever is measured; no noise, no overload."""
    open_input: bool = False
    """Blown fuse or broken lead: it reads around 0, an ammeter breaks the circuit."""

    def hum_mean(self, start: float, aperture: float) -> float:
        """Mean of the hum over an aperture that opens at `start`, in A or V."""
        turn = math.pi * MAINS
        share = math.sin(turn * aperture) / (turn * aperture) if aperture > 0 else 1.0
        return self.hum * share * math.sin(turn * (2 * start + aperture))


HEALTHY = MeterFault()
"""No fault."""
