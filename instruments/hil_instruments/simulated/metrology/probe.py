"""A probe on the shunt: its ratio, what it loads, and the faults of the input behind it."""

from __future__ import annotations

import math
import re
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hil.bench import BenchDescription
from hil_instruments.simulated.metrology.fault import HEALTHY, MAINS, MeterFault
from hil_instruments.simulated.metrology.terminals import Terminals

Values: TypeAlias = npt.NDArray[np.float64]

INPUT_RESISTANCE = 1e6
"""Of an oscilloscope's own input, in ohm, where the bench file names no probe."""
_RATIO = re.compile(r"(\d+(?:\.\d+)?)\s*:\s*1\b")
_RESISTANCE = re.compile(r"(\d+(?:\.\d+)?)\s*([kM]?)ohm")
_FACTORS = {"": 1.0, "k": 1e3, "M": 1e6}


class Probe:
    """From a node of the circuit to the plug of an oscilloscope (implements `watch.Signal`)."""

    def __init__(self, terminals: Terminals, bench: BenchDescription) -> None:
        """Take ratio and input resistance from the wiring of the bench file.

        Args:
            terminals: across the shunt.
            bench: its `wiring.probe` reads, say, `differential, 10:1, 10 Mohm`.
        """
        text = bench.wiring.get("probe", "")
        ratio, resistance = _RATIO.search(text), _RESISTANCE.search(text)
        self._terminals = terminals
        self.ratio = float(ratio[1]) if ratio else 1.0
        """Volts at the tip for each volt at the plug."""
        self.resistance = INPUT_RESISTANCE
        if resistance:
            self.resistance = float(resistance[1]) * _FACTORS[resistance[2]]
        # The device drives a current: the probe takes its share of it from the shunt.
        self._share = 1 / (1 + float(bench.shunt.base) / self.resistance) / self.ratio
        self.fault: MeterFault = HEALTHY

    def at(self, times: Values) -> Values:
        """Volts at the plug at past times, with the fault of the input, without its noise."""
        fault = self.fault
        if fault is HEALTHY:
            return self._terminals.at(times) * self._share
        if fault.stuck is not None:
            return np.full(len(times), fault.stuck)
        if fault.open_input:
            volts = np.zeros(len(times))
        else:
            volts = self._terminals.at(times) * (self._share * (1 + fault.gain) * fault.scale)
        return volts + fault.offset + fault.hum * np.sin(2 * math.pi * MAINS * times)

    def resting(self, since: float) -> float | None:
        """Volts at which the plug has rested since a past time; None if it has not, or may not."""
        volts = self._terminals.resting(since) if self.fault is HEALTHY else None
        return None if volts is None else volts * self._share

    def bounds(self, since: float) -> tuple[float, float] | None:
        """Volts between which the plug has stayed since a past time; None where nobody can say."""
        if self.fault is not HEALTHY:
            return None
        found = self._terminals.bounds(since)
        return found and (found[0] * self._share, found[1] * self._share)

    def began(self, time: float) -> float:
        """Time since which the signal has been smooth up to a past time."""
        return time if self.fault.hum else self._terminals.began(time)

    def breaks(self, since: float, until: float) -> Values:
        """Times in (since, until] at which the signal may change abruptly."""
        breaks = self._terminals.breaks(since, until)
        if not self.fault.hum:
            return breaks
        return np.union1d(breaks, np.arange(since, until, 1 / (16 * MAINS))[1:])
