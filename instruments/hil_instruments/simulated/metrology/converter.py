"""Range, errors, noise and overload of a converter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hil_instruments.simulated.metrology.fault import HEALTHY, MeterFault

Values: TypeAlias = npt.NDArray[np.float64]

OVERLOAD = 9.9e37
"""What a multimeter reports beyond its range, with the sign of the input."""
SHARE_OF_ACCURACY = 0.8
"""Share of the accuracy within which the fixed errors are drawn; the rest is room for noise."""
AUTO_UP, AUTO_DOWN = 1.2, 0.1
"""Shares of full scale at which autoranging leaves a range."""
_POOL = 1024


@dataclass(frozen=True, slots=True)
class Range:
    """One range and its one-year accuracy."""

    full_scale: float
    """In A or V."""
    gain: float
    """Limit of the relative error."""
    offset: float
    """Limit of the additive error, a share of full scale."""
    overrange: float = 1.2
    """Largest reading, a share of full scale."""
    resistance: float = 0.0
    """Of the shunt in ohm, in series, or of the input, across; 0 where neither matters."""
    noise: float = 1.0
    """Factor of this range on the noise of the instrument."""


class Noise:
    """Seeded normal noise, one number or many at a time."""

    def __init__(self, random: np.random.Generator) -> None:
        self._random = random
        self._pool: list[float] = []

    def one(self) -> float:
        """One number of standard deviation 1."""
        if not self._pool:
            self._pool = self._random.standard_normal(_POOL).tolist()
        return self._pool.pop()

    def many(self, count: int) -> Values:
        """So many numbers of standard deviation 1."""
        return self._random.standard_normal(count)


@dataclass(slots=True, eq=False)
class Scale:
    """A range with the fixed errors that this one instrument has in it."""

    range: Range
    gain: float
    """Relative error."""
    offset: float
    """Additive error in A or V."""
    neighbours: tuple[Scale, ...] = field(default=(), repr=False)
    """All scales of the function, rising; this one is among them."""

    @property
    def limit(self) -> float:
        """Largest magnitude that it reports, in A or V."""
        return self.range.full_scale * self.range.overrange

    def fitting(self, magnitude: float) -> Scale:
        """Scale that autoranging takes for an input of this magnitude, coming from this one."""
        scales = self.neighbours
        place = scales.index(self)
        while place + 1 < len(scales) and magnitude > AUTO_UP * scales[place].range.full_scale:
            place += 1
        while place > 0 and magnitude < AUTO_DOWN * scales[place].range.full_scale:
            place -= 1
        return scales[place]


@dataclass(frozen=True, slots=True)
class NoiseCurve:
    """Noise of a converter over its integration time, straight in log-log between points."""

    points: tuple[tuple[float, float], ...]
    """(integration time in line cycles, standard deviation as a share of range), rising in time."""

    def deviation(self, cycles: float) -> float:
        """Standard deviation as a share of range; beyond the ends the end's value."""
        points = self.points
        if cycles <= points[0][0]:
            # White noise goes on below the fastest setting that the table knows.
            return points[0][1] * math.sqrt(points[0][0] / cycles)
        for (short, noisy), (long, quiet) in itertools.pairwise(points):
            if cycles <= long:
                share = math.log(cycles / short) / math.log(long / short)
                return float(noisy * (quiet / noisy) ** share)
        return points[-1][1]


class Converter:
    """Makes readings of true values: fixed errors per range, noise, overload, fault."""

    def __init__(self, ranges: Mapping[str, Sequence[Range]], curve: NoiseCurve, seed: int) -> None:
        """Draw the fixed errors.

        Args:
            ranges: function to its ranges, rising.
            curve: noise over integration time.
            seed: of fixed errors and noise.
        """
        random = np.random.default_rng(seed)
        self.scales = {function: _drawn(listed, random) for function, listed in ranges.items()}
        self.noise = Noise(random)
        self.fault: MeterFault = HEALTHY
        self._curve = curve
        self._used: tuple[Scale, float] | None = None
        self._shares: dict[float, float] = {}

    def scale(self, function: str, magnitude: float) -> Scale | None:
        """Smallest scale whose full scale holds a magnitude; None if none does."""
        for scale in self.scales[function]:
            if magnitude <= scale.range.full_scale * (1 + 1e-9):
                return scale
        return None

    def limits(self) -> tuple[float, float]:
        """Limits of error in the range last used: relative, and absolute with six deviations."""
        if self._used is None:
            return 0.0, 0.0
        scale, deviation = self._used
        return scale.range.gain, scale.range.offset * scale.range.full_scale + 6 * deviation

    def _deviation(self, scale: Scale, cycles: float) -> float:
        share = self._shares.get(cycles)
        if share is None:
            share = self._shares[cycles] = self._curve.deviation(cycles)
        deviation = share * scale.range.full_scale * scale.range.noise
        self._used = scale, deviation
        return deviation

    def reading(
        self, true: float, scale: Scale, cycles: float, start: float, aperture: float
    ) -> float:
        """One reading.

        Args:
            true: mean of the input over the aperture, in A or V.
            scale: range in use.
            cycles: integration time in line cycles.
            start: bench time in s at which the aperture opens.
            aperture: its length in s.
        """
        fault = self.fault
        deviation = self._deviation(scale, cycles)
        if fault is not HEALTHY:
            if fault.stuck is not None:
                return fault.stuck
            true = 0.0 if fault.open_input else true * (1 + fault.gain) * fault.scale
            true += fault.offset + fault.hum_mean(start, aperture)
            deviation *= fault.noise
        value = true * (1 + scale.gain) + scale.offset + deviation * self.noise.one()
        if abs(value) <= scale.limit:
            return value
        return math.copysign(OVERLOAD, value)

    def readings(
        self, true: Values, scale: Scale, cycles: float, starts: Values, aperture: float
    ) -> Values:
        """Many readings, as `reading` one."""
        fault = self.fault
        deviation = self._deviation(scale, cycles)
        if fault is not HEALTHY:
            if fault.stuck is not None:
                return np.full(len(true), fault.stuck)
            factor = 0.0 if fault.open_input else (1 + fault.gain) * fault.scale
            true = true * factor + fault.offset + _hum(fault, starts, aperture)
            deviation *= fault.noise
        values: Values = true * (1 + scale.gain)
        values += scale.offset
        noise = self.noise.many(len(values))
        noise *= deviation
        values += noise
        beyond = ~(np.abs(values) <= scale.limit)
        if beyond.any():
            values[beyond] = np.copysign(OVERLOAD, values[beyond])
        return values


def _hum(fault: MeterFault, starts: Values, aperture: float) -> Values:
    if not fault.hum:
        return np.zeros(len(starts))
    return np.array([fault.hum_mean(start, aperture) for start in starts.tolist()])


def _drawn(ranges: Sequence[Range], random: np.random.Generator) -> tuple[Scale, ...]:
    scales = []
    for each in ranges:
        gain, offset = random.uniform(-SHARE_OF_ACCURACY, SHARE_OF_ACCURACY, 2).tolist()
        scales.append(Scale(each, gain * each.gain, offset * each.offset * each.full_scale))
    for scale in scales:
        scale.neighbours = tuple(scales)
    return tuple(scales)
