"""A capture in the light of what was commanded: where its phases lie, when it crossed a level."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from hil.capture import Capture, Samples
from hil.derivation import Sources, Tree, argument, derived, form
from hil.errors import UsageError
from hil.exact import Dimension, Exact
from hil.measurement import COVERAGE, Component, Measurement
from hil.units import Quantity

COMMAND_U = 2e-3
"""Standard uncertainty in s of a command's moment: exchange latency and relay operate time."""
EVENT_SOURCE = "moment of a command or of a relay"
START_SOURCE = "begin of the recording, as the bench clock bounds it"
WHOLE = 2
"""Sample intervals that an excursion must last to fill one sample, whatever part of its interval
that integrates over."""


@argument("instant")
@dataclass(frozen=True, slots=True)
class Instant:
    """A moment in bench time."""

    time: float
    """Bench time in s."""
    u: float
    """Standard uncertainty in s."""
    name: str = ""
    """What happened, as `open`."""

    @property
    def doubt(self) -> float:
        """How far in s the moment may lie from `time`, beyond a command's: a person gave it."""
        return max(self.u - COMMAND_U, 0.0)

    def later(self, time: Quantity | Exact) -> Instant:
        """The moment that lies `time` after this one; a negative time lies before it.

        Of a moment that is in doubt, the latest one, or for a negative time the earliest: what is
        to be steady by then is not looked at too early.
        """
        exact = time if isinstance(time, Exact) else Exact.of(time)
        seconds = float(exact.require(Dimension.TIME).base)
        if not self.doubt:
            return Instant(self.time + seconds, self.u, self.name)
        return Instant(
            self.time + math.copysign(self.doubt, seconds) + seconds, COMMAND_U, self.name
        )


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

    @property
    def shortest(self) -> float:
        """Shortest excursion in s that fills one sample, wherever it begins."""
        return WHOLE * self.capture.interval

    def index(self, time: float) -> int:
        """Index of the first sample at or after a bench time, within 0..len."""
        place = math.ceil((time - self.capture.start) / self.capture.interval - 1e-9)
        return min(max(place, 0), len(self.samples))

    def between(self, begin: float, end: float) -> Samples:
        """Samples of [begin, end) in bench time; empty if it lies outside the record."""
        return self.samples[self.index(begin) : self.index(end)]

    def holds(self, begin: float, end: float) -> bool:
        """Whether the record reaches from `begin` to `end` (bench time), to one sample."""
        margin = self.capture.interval
        return self.capture.start - margin <= begin and end <= self.capture.end + margin

    def window(self, after: Instant | None, until: Instant | None) -> Samples:
        """Samples from `after` to `until`; none if the record does not hold all of them.

        Of a moment that is in doubt, the earliest one: nothing that it set off lies before.
        """
        begin = after.time - after.doubt if after else self.capture.start
        end = until.time - until.doubt if until else self.capture.end
        return self.between(begin, end) if self.holds(begin, end) else np.empty(0)

    def phase(self, name: str) -> tuple[tuple[float, float], ...]:
        """Spans of a commanded phase; raises UsageError if the scenario has none of that name."""
        if name not in self.phases:
            known = ", ".join(self.phases) or "none"
            raise UsageError(
                f"the record has no phase {name!r}; it has: {known}. Either its scenario has none, "
                "or the stimulator did not come to it after 'start': check the states that it "
                "reported, and its link"
            )
        return self.phases[name]

    def begin(self, name: str) -> Instant:
        """The moment at which a commanded phase first begins."""
        return Instant(self.phase(name)[0][0], 0.0, name)

    @derived
    def time_to_below(
        self, level: Quantity | Exact, *, after: Instant, until: Instant | None = None
    ) -> Measurement:
        """Time from an event until the magnitude is at most `level` and stays there.

        It must stay there up to `until` (default: the end of the record). Where it never does, the
        result is censored: at least the time that was observed. The value is NaN where the record
        ends before `until`, or begins after the event, or where a gap hides when it was reached.
        """
        limit = level if isinstance(level, Exact) else Exact.of(level)
        bound = float(limit.require(self.capture.dimension).base)
        note = f"time from {after.name or 'event'} to at most {limit} for good"
        if not self.holds(after.time, until.time if until else after.time):
            return self._duration(math.nan, after, 0, 0.0, note=f"{note}: outside of the record")
        last = self.index(until.time) if until else len(self.samples)
        seconds, reached = self._settled(bound, after, last)
        if np.isnan(self.samples[reached:last]).any():
            hidden = f"{note}: a gap hides it"
            return self._duration(math.nan, after, reached, 0.0, note=hidden)
        # The meter may err at the level: how much earlier or later would it then be crossed?
        error = COVERAGE * math.hypot(
            *(part.contribution for part in self.capture.source.accuracy.components(bound))
        )
        early, late = (self._settled(bound + e, after, last)[0] for e in (error, -error))
        spread = max(late - seconds, seconds - early)
        return self._duration(seconds, after, reached, spread, censored=reached >= last, note=note)

    def _settled(self, bound: float, after: Instant, last: int) -> tuple[float, int]:
        """Seconds from an event until all samples up to `last` are at most `bound`; and which."""
        first = self.index(after.time)
        window = np.abs(self.samples[first:last])
        above = np.flatnonzero(window > bound)  # overload, which is infinite, counts as above
        reached = first + (int(above[-1]) + 1 if above.size else 0)
        # The level was crossed between two samples: their middle, and half an interval either way.
        crossing = reached - 0.5 if reached < last and above.size else reached
        start, interval = self.capture.start, self.capture.interval
        return max(start + crossing * interval - after.time, 0.0), reached

    def _duration(
        self,
        seconds: float,
        after: Instant,
        reached: int,
        spread: float,
        *,
        censored: bool = False,
        note: str,
    ) -> Measurement:
        half = self.capture.interval / 2
        source, own = self.capture.source, self.capture.sha256[:12]
        return Measurement(
            Exact.si(seconds, Dimension.TIME).base,
            Dimension.TIME,
            components=(
                # Ids of this capture: what two captures do not share must not cancel between them.
                Component(f"event {after.name} {own} {after.time!r}", after.u, source=EVENT_SOURCE),
                Component.limited(f"sampling {own} {reached}", half, "interval of the samples"),
                Component(f"recorder start {own}", self.capture.start_u, source=START_SOURCE),
                Component.limited(f"level {own} {reached}", spread, source.accuracy.source),
            ),
            instruments=(source.serial,),
            calibration=source.calibration,
            captures=(self.capture.sha256,),
            censored=censored,
            excursion=self.shortest,
            note=note,
        )


def _wave_node(wave: Waveform) -> Tree:
    return {"wave": wave.capture.sha256, "phases": dict(wave.phases)}


def _wave(node: Tree, sources: Sources) -> Waveform:
    phases = {
        str(name): tuple((float(begin), float(end)) for begin, end in spans)
        for name, spans in node["phases"].items()
    }
    return Waveform(sources.capture(node["wave"]), phases)


form("wave", Waveform, _wave_node, _wave)
