"""A capture in the light of what was commanded: where its phases lie, when it crossed a level."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hil.capture import Capture, Samples
from hil.errors import UsageError
from hil.exact import Dimension, Exact
from hil.measurement import Component, Measurement
from hil.units import Quantity


@dataclass(frozen=True, slots=True)
class Instant:
    """A moment in bench time."""

    time: float
    """Bench time in s."""
    u: float
    """Standard uncertainty in s."""
    name: str = ""
    """What happened, as `open`."""


@dataclass(frozen=True)
class Waveform:
    """One channel of a record."""

    capture: Capture
    """Samples and time base."""
    phases: Mapping[str, tuple[tuple[float, float], ...]] = field(default_factory=dict)
    """Commanded phases in bench time: name to (begin, end) spans, as `hold`."""

    @property
    def samples(self) -> Samples:
        """All samples in SI."""
        return self.capture.samples

    def index(self, time: float) -> int:
        """Index of the first sample at or after a bench time, within 0..len."""
        place = math.ceil((time - self.capture.start) / self.capture.interval - 1e-9)
        return min(max(place, 0), len(self.samples))

    def between(self, begin: float, end: float) -> Samples:
        """Samples of [begin, end) in bench time; empty if it lies outside the record."""
        return self.samples[self.index(begin) : self.index(end)]

    def phase(self, name: str) -> tuple[tuple[float, float], ...]:
        """Spans of a commanded phase; raises UsageError if the scenario has none of that name."""
        if name not in self.phases:
            known = ", ".join(self.phases) or "none"
            raise UsageError(f"the record has no phase {name!r}; it has: {known}")
        return self.phases[name]

    def time_to_below(
        self, level: Quantity | Exact, *, after: Instant, until: Instant | None = None
    ) -> Measurement:
        """Time from an event until the magnitude is at most `level` and stays there.

        It must stay there up to `until` (default: the end of the record). Where it never does, the
        result is censored: at least the time that was observed.
        """
        limit = level if isinstance(level, Exact) else Exact.of(level)
        bound = float(limit.require(self.capture.dimension).base)
        first = self.index(after.time)
        last = self.index(until.time) if until else len(self.samples)
        window = np.abs(self.samples[first:last])
        above = np.flatnonzero(~(window <= bound))  # NaN and overload count as above
        interval = self.capture.interval
        reached = first + (int(above[-1]) + 1 if above.size else 0)
        censored = reached >= last
        seconds = max(self.capture.start + reached * interval - after.time, 0.0)
        return self._duration(
            seconds,
            after,
            censored=censored,
            note=f"time from {after.name or 'event'} to at most {limit} for good",
        )

    def _duration(
        self, seconds: float, after: Instant, *, censored: bool, note: str
    ) -> Measurement:
        sampling = self.capture.interval / math.sqrt(12)
        source = self.capture.source
        return Measurement(
            Exact.si(seconds, Dimension.TIME).base,
            Dimension.TIME,
            components=(
                Component(f"event.{after.name}", after.u),
                Component("sampling", sampling),
                Component("recorder.start", self.capture.start_u),
            ),
            instruments=(source.serial,),
            calibration=source.calibration,
            captures=(self.capture.sha256,),
            censored=censored,
            note=note,
        )
