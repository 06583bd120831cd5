"""Figures of a sampled waveform, as the measurement menu of an oscilloscope gives them.

Levels are those of IEEE Std 181: top and base are the modes of the histogram's two halves. A figure
that the waveform does not have, as the period of a constant, is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Values: TypeAlias = npt.NDArray[np.float64]

_BINS = 256
_FLAT = 4
"""Histogram bins of peak to peak below which there are no two levels to tell."""


@dataclass(frozen=True)
class Waveform:
    """Volts at equidistant times."""

    volts: Values
    interval: float
    """In s."""
    start: float
    """Time of the first sample, in s from the trigger."""
    step: float
    """Resolution in V: less than a few of it is no edge."""

    @cached_property
    def largest(self) -> float:
        """Highest voltage in V."""
        return float(self.volts.max())

    @cached_property
    def least(self) -> float:
        """Lowest voltage in V."""
        return float(self.volts.min())

    @cached_property
    def _levels(self) -> tuple[float, float]:
        """Base and top."""
        least, largest = self.least, self.largest
        if largest - least < _FLAT * self.step:
            return least, largest
        counts, edges = np.histogram(self.volts, _BINS, (least, largest))
        centres, half = (edges[:-1] + edges[1:]) / 2, _BINS // 2
        base = centres[int(np.argmax(counts[:half]))]
        top = centres[half + int(np.argmax(counts[half:]))]
        return float(base), float(top)

    @property
    def base(self) -> float:
        """Lower level in V."""
        return self._levels[0]

    @property
    def top(self) -> float:
        """Upper level in V."""
        return self._levels[1]

    @property
    def amplitude(self) -> float:
        """Top less base in V."""
        return self.top - self.base

    @property
    def mean(self) -> float:
        """Mean in V."""
        return float(self.volts.mean())

    @property
    def rms(self) -> float:
        """Root of the mean square in V."""
        return float(np.sqrt(np.mean(np.square(self.volts))))

    @property
    def variance(self) -> float:
        """Mean square deviation from the mean, in V^2."""
        return float(self.volts.var())

    @property
    def area(self) -> float:
        """Integral in V s."""
        return float(self.volts.sum() * self.interval)

    def level(self, share: float) -> float:
        """Voltage at a share of the way from base to top."""
        return self.base + share * self.amplitude

    @property
    def overshoot(self) -> float | None:
        """Share of the amplitude by which it exceeds its top."""
        return (self.largest - self.top) / self.amplitude if self._has_edges else None

    @property
    def preshoot(self) -> float | None:
        """Share of the amplitude by which it falls below its base."""
        return (self.base - self.least) / self.amplitude if self._has_edges else None

    @property
    def time_of_largest(self) -> float:
        """Time of the highest voltage in s."""
        return self.start + int(np.argmax(self.volts)) * self.interval

    @property
    def time_of_least(self) -> float:
        """Time of the lowest voltage in s."""
        return self.start + int(np.argmin(self.volts)) * self.interval

    @property
    def _has_edges(self) -> bool:
        return self.amplitude >= _FLAT * self.step

    @cached_property
    def edges(self) -> tuple[Values, Values]:
        """Times in s at which it rises and falls through the middle, with hysteresis."""
        if not self._has_edges:
            return np.empty(0), np.empty(0)
        # A sample between 40 % and 60 % belongs to the last level that was left for good.
        state = np.where(
            self.volts > self.level(0.6), 1, np.where(self.volts < self.level(0.4), -1, 0)
        )
        kept = np.maximum.accumulate(np.where(state != 0, np.arange(len(state)), -1))
        level = np.where(kept >= 0, state[np.maximum(kept, 0)], 0)
        rising = np.flatnonzero((level[:-1] == -1) & (level[1:] == 1))
        falling = np.flatnonzero((level[:-1] == 1) & (level[1:] == -1))
        times = self.start + self.interval * np.arange(len(self.volts), dtype=np.float64)
        rises: Values = times[rising] + self.interval / 2
        falls: Values = times[falling] + self.interval / 2
        return rises, falls

    @property
    def period(self) -> float | None:
        """Mean time from rise to rise, or from fall to fall, in s."""
        for times in self.edges:
            if len(times) > 1:
                return float(times[-1] - times[0]) / (len(times) - 1)
        return None

    @property
    def frequency(self) -> float | None:
        """Reciprocal of the period, in Hz."""
        return None if self.period is None else 1 / self.period

    def width(self, *, positive: bool) -> float | None:
        """Length of the first whole pulse above or below the middle, in s."""
        opens, closes = self.edges if positive else self.edges[::-1]
        later = closes[closes > opens[0]] if len(opens) else closes[:0]
        return float(later[0] - opens[0]) if len(later) else None

    def duty(self, *, positive: bool) -> float | None:
        """Pulse width as a share of the period."""
        width, period = self.width(positive=positive), self.period
        return None if width is None or period is None else width / period

    def transition(self, *, rising: bool) -> float | None:
        """Time of the first edge from 10 % to 90 % of the amplitude, or back, in s."""
        edges = self.edges[0 if rising else 1]
        if not len(edges):
            return None
        middle = round((float(edges[0]) - self.start) / self.interval)
        low, high = self.level(0.1), self.level(0.9)
        first, last = (low, high) if rising else (high, low)
        before = self.volts[: middle + 1] <= first if rising else self.volts[: middle + 1] >= first
        after = self.volts[middle:] >= last if rising else self.volts[middle:] <= last
        if not before.any() or not after.any():
            return None
        begin = int(np.flatnonzero(before)[-1])
        return (middle + int(np.argmax(after)) - begin) * self.interval

    def slew(self, *, rising: bool) -> float | None:
        """Slope of the first edge between 10 % and 90 %, in V/s, negative where it falls."""
        time = self.transition(rising=rising)
        if not time:
            return None
        return (0.8 if rising else -0.8) * self.amplitude / time
