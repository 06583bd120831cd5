"""What a recording instrument hands over: equidistant samples, their time base and accuracy."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hil.errors import UsageError
from hil.exact import Dimension
from hil.measurement import Calibration, Component

Samples: TypeAlias = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Limits of error of one range of one instrument: +-(reading x gain + offset)."""

    id: str
    """Names the instrument and its range, as `SIM-0002[10 mA]`; shared by all its captures."""
    gain: float
    """Limit of the relative error, a fraction of reading."""
    offset: float
    """Limit of the additive error, in the unit of the reading (SI)."""
    source: str
    """Data sheet and specification interval."""

    def components(self, reading: float) -> tuple[Component, ...]:
        """Return the budget of a reading (SI): rectangular limits, so u = limit / sqrt(3)."""
        return (
            Component(f"{self.id}.gain", self.gain / math.sqrt(3), sensitivity=reading),
            Component(f"{self.id}.offset", self.offset / math.sqrt(3)),
        )


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

    def __post_init__(self) -> None:
        if self.samples.ndim != 1 or not 0 < self.interval < math.inf:
            raise UsageError("a capture is one row of samples with a positive interval")
        for first, count in self.gaps:
            lost = self.samples[first : first + count]
            if first < 0 or lost.size != count or not np.isnan(lost).all():
                raise UsageError(f"the samples of gap ({first}, {count}) must be NaN, and exist")
        self.samples.flags.writeable = False

    @cached_property
    def sha256(self) -> str:
        """Hash of time base, dimension, source and samples (little-endian float64)."""
        head = json.dumps(
            [self.start, self.interval, self.dimension.value, self.source.serial, self.gaps]
        )
        digest = hashlib.sha256(head.encode())
        digest.update(np.ascontiguousarray(self.samples, dtype="<f8").data)
        return digest.hexdigest()

    @property
    def end(self) -> float:
        """Bench time of the end of the last interval, in s."""
        return self.start + self.interval * len(self.samples)
