"""What a recording instrument hands over: equidistant samples, their time base and accuracy."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from hil.errors import UsageError
from hil.exact import Dimension
from hil.measurement import COVERAGE, Calibration, Component

TIME_BASE = "time base of the recorder, as the bench clock bounds it"
Samples: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Limits of error of one range of one instrument: +-(reading x gain + offset), and more."""

    id: str
    """Names the instrument and its range, as `SIM-0002[10 mA]`; shared by all its captures."""
    gain: float
    """Limit of the relative error, a fraction of reading."""
    offset: float
    """Limit of the additive error, in the unit of the reading (SI)."""
    source: str
    """Certificate, or data sheet with its revision."""
    coverage: float | None = None
    """Coverage factor k of gain and offset; None where they are limits, with nothing likelier."""
    warm_gain: float = 0.0
    """What air beyond the specified temperatures adds to the limit of the relative error."""
    warm_offset: float = 0.0
    """What it adds to the limit of the additive error, in SI."""
    resolution: float = 0.0
    """Step of the last digit in SI; 0 where the limits of error hold it already."""
    standing: Calibration = field(default=Calibration.VALID, compare=False)
    """Whether that may be relied on at the age of the calibration and in the air of the bench; a
    capture keeps it in its source."""

    def gains(self, reading: float) -> tuple[Component, ...]:
        """Causes that act on a reading (SI) in proportion, and so on every difference too."""
        warm = self._warm("temperature gain", self.warm_gain, reading)
        return (self._specified("gain", self.gain, reading), *warm)

    def offsets(self, times: float = 1.0) -> tuple[Component, ...]:
        """Causes that are the same in every reading; `times` is how often they act."""
        warm = self._warm("temperature offset", self.warm_offset, times)
        return (self._specified("offset", self.offset, times), *warm)

    def steps(self, own: str) -> tuple[Component, ...]:
        """What the last digit leaves open; no other reading shares it, so its id ends in `own`."""
        if not self.resolution:
            return ()
        half = self.resolution / 2
        return (Component.limited(f"{self.id}.resolution {own}", half, self.source),)

    def components(self, reading: float, own: str = "") -> tuple[Component, ...]:
        """Return the budget of a reading (SI), whose last digit is named by `own`."""
        return (*self.gains(reading), *self.offsets(), *self.steps(own))

    def limit(self, reading: float) -> float:
        """Largest error of a reading, in SI; where it is told with k, the larger of k u and 2 u."""
        share, rest = self.line
        return share * abs(reading) + rest

    @property
    def line(self) -> tuple[float, float]:
        """Share of the reading and additive part, in SI, of `limit`."""
        widened = max(1.0, COVERAGE / self.coverage) if self.coverage else 1.0
        share = widened * self.gain + self.warm_gain
        return share, widened * self.offset + self.warm_offset + self.resolution / 2

    def _specified(self, kind: str, figure: float, sensitivity: float) -> Component:
        cause = f"{self.id}.{kind}"
        if self.coverage is None:
            return Component.limited(cause, figure, self.source, sensitivity=sensitivity)
        k = self.coverage
        return Component(cause, figure / k, sensitivity, divisor=k, source=self.source)

    def _warm(self, kind: str, figure: float, sensitivity: float) -> tuple[Component, ...]:
        cause = f"{self.id}.{kind}"
        made = Component.limited(cause, figure, self.source, sensitivity=sensitivity)
        return (made,) if figure else ()


@dataclass(frozen=True, slots=True)
class Sampling:
    """What a recording instrument can do."""

    slowest: float
    """Least rate in 1/s."""
    fastest: float
    """Largest rate in 1/s."""
    memory: int
    """Samples that it keeps between two drains; what comes beyond is lost, and marked as a gap."""
    tolerance: float = 1e-3
    """Largest relative difference of the rate that comes from the one asked for; a capture's
    interval is that of the rate that came."""
    ends: bool = False
    """Whether a recording ends once the memory is full, and is handed out only then or stopped."""

    def offers(self, rate: float) -> bool:
        """Whether a rate in 1/s lies between the two."""
        return self.slowest <= rate <= self.fastest

    def carries(self, rate: float) -> bool:
        """Whether it records at a rate in 1/s for as long as a test takes."""
        return self.offers(rate) and not self.ends


@dataclass(frozen=True, slots=True)
class Source:
    """The instrument behind a capture."""

    role: str
    """Bench role, as `ammeter`."""
    serial: str
    """Serial number from its identity; a simulated one starts with SIM-."""
    accuracy: Accuracy
    """Accuracy in the range that was used."""
    calibration: Calibration
    """State of its calibration when the capture was taken."""


@dataclass(frozen=True)
class Codes:
    """What an instrument sent that sends the codes of its converter."""

    values: npt.NDArray[np.integer[Any]]
    """One code a sample, in the type that was sent."""
    scale: float
    """Size of a step, in SI."""
    offset: float
    """Value of code 0, in SI."""
    lowest: int
    """Code at and below which the converter was driven too low."""
    highest: int
    """Code at and above which it was driven too high."""

    @property
    def samples(self) -> Samples:
        """Values in SI: code x scale + offset; infinite where the converter was overdriven."""
        samples = self.values * np.float64(self.scale) + self.offset
        samples[self.values <= self.lowest] = -np.inf
        samples[self.values >= self.highest] = np.inf
        return samples


@dataclass(frozen=True)
class Capture:
    """Samples of one channel; immutable, identified by their hash."""

    samples: Samples
    """One value per interval in SI; infinite where the instrument reported overload."""
    start: float
    """Bench time of the middle of the first sample, in s."""
    interval: float
    """Time from sample to sample, in s, > 0."""
    start_u: float
    """Standard uncertainty of `start` against the bench clock, in s."""
    dimension: Dimension
    """Kind of quantity."""
    source: Source
    """Instrument and accuracy."""
    gaps: tuple[tuple[int, int], ...] = field(default=())
    """(first sample, count) of each stretch that was lost; its samples are NaN."""
    codes: Codes | None = None
    """What the samples were made from; None for an instrument that sends numbers."""
    interval_error: float = 0.0
    """Limit of the relative error of `interval` against the bench clock."""

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or not 0 < self.interval < math.inf:
            raise UsageError("a capture is one row of samples with a positive interval")
        for first, count in self.gaps:
            lost = self.samples[first : first + count]
            if first < 0 or lost.size != count or not np.isnan(lost).all():
                raise UsageError(f"the samples of gap ({first}, {count}) must be NaN, and exist")
        if self.codes is not None and self.codes.values.shape != self.samples.shape:
            raise UsageError(f"{self.codes.values.size} codes for {self.samples.size} samples")
        self.samples.flags.writeable = False

    @cached_property
    def sha256(self) -> str:
        """Hash of all that a verdict rests on: samples, time base, unit, source and calibration.

        It is taken over one line of JSON, a line end, and the samples as little-endian float64.
        """
        source, accuracy = self.source, self.source.accuracy
        times = self.start, self.interval, self.start_u, self.interval_error
        base = [float(each) for each in times]
        limits = [accuracy.id, float(accuracy.gain), float(accuracy.offset), accuracy.source]
        more = [accuracy.coverage, accuracy.warm_gain, accuracy.warm_offset, accuracy.resolution]
        limits += [None if each is None else float(each) for each in more]
        instrument = [source.role, source.serial, source.calibration.value]
        head = json.dumps([base, self.dimension.value, instrument, limits, self.gaps])
        digest = hashlib.sha256(head.encode() + b"\n")
        digest.update(np.ascontiguousarray(self.samples, dtype="<f8").data)
        return digest.hexdigest()

    def paced(self, sensitivity: float) -> tuple[Component, ...]:
        """What the time base makes of a value that is in proportion to the interval, or to 1/it.

        Args:
            sensitivity: the value, or its negative where a longer interval makes it smaller.
        """
        if not self.interval_error:
            return ()
        cause, limit = f"{self.source.serial}.time base", self.interval_error
        return (Component.limited(cause, limit, TIME_BASE, sensitivity=sensitivity),)

    @property
    def end(self) -> float:
        """Bench time of the end of the last interval, in s."""
        return self.start + self.interval * len(self.samples)
