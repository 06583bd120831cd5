"""What all multimeters share: fixed ranges with their limits of error, a recording on its way."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np

from hil.calibration import Band, Footing, Specification, Term, accuracy, footing, holding
from hil.capture import Accuracy, Capture, Samples, Sampling
from hil.errors import InstrumentError, UsageError
from hil.exact import Dimension
from hil.units import A, Quantity, V, quantity
from hil_instruments import encoding
from hil_instruments.drivers.instrument import Instrument

CLOCK_ERROR = 2e-4
"""Largest relative difference between an instrument's time base and the bench clock."""
SLACK = 5
"""Samples by which start and end of a recording may be off, on top of CLOCK_ERROR."""
SHARP, ASKED = 0.02, 3
"""Bench time in s to which the start of a recording should be known; how often it is asked for."""
OVERRANGE = 1.25
"""Share of full scale beyond which a meter reports an overload and no number: 105 % or 120 % by
its manual. A reply whose digits were changed on the way is found by that, not always."""
UNIT = {Dimension.CURRENT: A, Dimension.VOLTAGE: V}


@dataclass(frozen=True, slots=True)
class Range:
    """One range and its limits of error."""

    full_scale: float
    """SI."""
    name: str
    gain_percent: float
    """Of the reading."""
    offset_percent: float
    """Of full scale."""
    warm_gain_percent: float | None = None
    """Of the reading, for each kelvin out of the band; None if it is not known."""
    warm_offset_percent: float = 0.0
    """Of full scale, likewise."""
    source: str = ""
    """Where its figures were looked up; empty where all are the driver's SOURCE."""


Ranges: TypeAlias = Mapping[Dimension, Sequence[Range]]
"""What can be measured, in which ranges, rising."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What a meter measures, and in which range; true of each reading that is handed over."""

    range: Range
    node: str
    """Of the settings of its function, as `SENS:CURR:DC`."""
    function: str = "SENS:FUNC?"
    """Question for its function."""

    @property
    def word(self) -> str:
        """CURR or VOLT."""
        return next(each for each in self.node.split(":") if each in {"CURR", "VOLT"})


@dataclass
class Recording:
    """Samples on their way, and what is needed to place them in time."""

    dimension: Dimension
    accuracy: Accuracy
    interval: float
    start: float
    start_u: float
    setup: Setup
    """What must read back as long as the samples are those that were asked for."""
    clock_error: float = CLOCK_ERROR
    """Largest relative difference between `interval` by the bench clock and as it is."""
    pieces: list[Samples] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    total: int = 0
    torn: bool = False
    """Whether samples left the memory that never came: the place of later ones is unknown."""
    ended: float | None = None
    """Bench time at which sampling was told to end; None while it goes on."""
    drained: tuple[int, int] = (0, 0)
    """Pieces and samples that were there before the last drain."""

    def add(self, samples: Samples) -> None:
        """Put samples behind those that are there."""
        self.pieces.append(samples)
        self.total += len(samples)

    def lose(self, count: int) -> None:
        """Put a gap there."""
        self.gaps.append((self.total, count))
        self.add(np.full(count, np.nan))

    def taken_at(self, time: float) -> int:
        """How many samples are complete at a bench time, by the bench clock."""
        return max(math.floor((time - self.start) / self.interval + 0.5), 0)

    def tolerance(self, count: int) -> int:
        """Samples by which such a count by the bench clock may be off."""
        start = math.sqrt(3) * self.start_u / self.interval
        return SLACK + math.ceil(self.clock_error * count + start)


class Meter(Instrument):
    """A multimeter; its driver says which ranges and rates it has."""

    SOURCE = ""
    """Specification of its ranges: data sheet and interval."""
    TERM = Term(1, "y")
    """How long after a calibration that holds."""
    BAND = Band(18.0, 28.0)
    """Air in which it holds."""

    _recording: Recording | None = None

    @property
    def sampling(self) -> Sampling:
        """Rates that it offers, and what its memory holds."""
        raise UsageError(f"{self.name} records nothing")

    @property
    def reading_ranges(self) -> Ranges:
        """Ranges of a single reading; those of a recording where both are the same."""
        return self.recording_ranges

    @property
    def recording_ranges(self) -> Ranges:
        """Ranges of a recording, whose limits of error may be wider than those of a reading."""
        raise UsageError(f"{self.name} records nothing")

    def limits_of_error(self, dimension: Dimension) -> list[tuple[Range, Accuracy]]:
        """Ranges of a recording, rising, each with its limits of error; nothing is asked."""
        ranges = self.recording_ranges.get(dimension, ())
        return [(each, self._accuracy(each)) for each in ranges]

    def footing(self, dimension: Dimension) -> Footing:
        """For how long, and in which air, budgets of recordings hold; nothing is asked."""
        ranges = self.recording_ranges[dimension]
        under = self._entry.circumstances
        return footing([self._specification(each) for each in ranges], under)

    def drain(self) -> int:
        """Fetch what was sampled since the last call; return how many samples came.

        Must be called before the memory that `sampling` tells of is full.

        Raises:
            UsageError: no recording is running.
            InstrumentError: what came does not fit what was asked for.
        """
        recording = self._running()
        recording.drained = len(recording.pieces), recording.total
        return self._fetch(recording, self._ready(recording))

    def latest(self) -> Capture:
        """Return what the last drain brought, with lost stretches as gaps; nothing is asked.

        Raises:
            UsageError: no recording is running.
        """
        recording = self._running()
        pieces, total = recording.drained
        return Capture(
            np.concatenate([np.empty(0), *recording.pieces[pieces:]]),
            recording.start + total * recording.interval,
            recording.interval,
            recording.start_u,
            recording.dimension,
            self._source(recording.accuracy),
            tuple((first - total, lost) for first, lost in recording.gaps if first >= total),
            interval_error=recording.clock_error,
        )

    def stop_recording(self) -> Capture:
        """End sampling, fetch the rest, return all since the start, with lost stretches as gaps.

        Raises:
            UsageError: no recording is running.
            InstrumentError: the number of samples does not fit the rate and the bench clock, or
                function or range is another now.
        """
        recording = self._running()
        earliest = recording.ended = self._clock.now()
        self._session.write("ABOR")
        ready = self._ready(recording)
        latest = self._clock.now()
        self._fetch(recording, ready)
        self._confirm_setup(recording.setup)
        return self._ended(recording, earliest, latest)

    @abstractmethod
    def _ready(self, recording: Recording) -> int:
        """Ask how far it has sampled; what its memory has overwritten is marked as lost."""

    @abstractmethod
    def _fetch(self, recording: Recording, ready: int) -> int:
        """Fetch as far as `_ready` told; return how many samples came."""

    def _fitting(self, ranges: Ranges, dimension: Dimension, full_scale: float) -> Range:
        """Smallest range that holds a full scale; raises UsageError if none does."""
        if dimension not in ranges:
            allowed = " and ".join(each.name.lower() for each in ranges)
            raise UsageError(f"{self.name} measures {allowed}, not {dimension.name.lower()}")
        for candidate in ranges[dimension]:
            if 0 < full_scale <= candidate.full_scale:
                return candidate
        largest = ranges[dimension][-1].name
        raise UsageError(
            f"{self.name}: full scale = {full_scale} {dimension.value}; allowed: above 0, up to "
            f"{largest}"
        )

    def _several(
        self,
        question: str,
        read: Callable[[bytes], Samples],
        recording: Recording,
        length: int | None = None,
    ) -> Samples:
        """Ask for a block of readings; raises InstrumentError for one beyond its range."""

        def samples(payload: bytes) -> Samples:
            found = read(payload)
            _need_within(found, recording.setup.range.full_scale)
            return found

        return self._ask_block(question, samples, length)

    def _listed(self, question: str, recording: Recording) -> Samples:
        """Ask for readings in text; raises InstrumentError for one beyond the range."""

        def samples(text: str) -> Samples:
            found = encoding.numbers(text.encode("latin-1"))
            _need_within(found, recording.setup.range.full_scale)
            return found

        return self._ask(question, samples)

    def _accuracy(self, chosen: Range) -> Accuracy:
        name = f"{self.serial}[{chosen.name}]"
        return accuracy(name, self._specification(chosen), self._entry.circumstances)

    def _specification(self, chosen: Range) -> Specification:
        """What the bench file says of a range; of one that it does not name, the data sheet's."""
        told = [each for each in self._entry.accuracy if each.range == chosen.name]
        return holding(told or [self._sheet(chosen)], self._entry.circumstances)

    def _sheet(self, chosen: Range) -> Specification:
        warm = chosen.warm_gain_percent
        return Specification(
            chosen.name,
            gain=chosen.gain_percent / 100,
            offset=chosen.offset_percent / 100 * chosen.full_scale,
            source=chosen.source or self.SOURCE,
            term=self.TERM,
            band=self.BAND,
            gain_per_kelvin=None if warm is None else warm / 100,
            offset_per_kelvin=chosen.warm_offset_percent / 100 * chosen.full_scale,
        )

    def _confirm_setup(self, setup: Setup) -> None:
        """Make sure that it measures what it was told to, in the range that it was told.

        A range that is not the one asked for would limit the current otherwise, by its burden, or
        give its readings an accuracy that they do not have.

        Raises:
            InstrumentError: it reads back otherwise.
        """
        came = self._session.query(setup.function).strip()
        if came.strip('"').upper().removesuffix(":DC") != setup.word:
            raise InstrumentError(
                f"{self.name}: {setup.word} was set and {setup.function} answers {came!r}; "
                "somebody else uses this instrument, or it has no such setting"
            )
        self._confirm({f"{setup.node}:RANG?": setup.range.full_scale})

    def _taken(
        self, question: str, dimension: Dimension, setup: Setup
    ) -> tuple[Quantity, Accuracy]:
        """Ask for one reading, and make sure that it was taken as set up."""
        value = float(self._ask(question, encoding.reading))
        self._confirm_setup(setup)
        return quantity(value, UNIT[dimension]), self._accuracy(setup.range)

    def _begin(
        self,
        dimension: Dimension,
        setup: Setup,
        interval: float,
        first: float,
        start_u: float,
        clock_error: float = CLOCK_ERROR,
    ) -> None:
        """Be recording; `first` is the bench time of the middle of the first aperture."""
        accuracy = self._accuracy(setup.range)
        self._recording = Recording(
            dimension, accuracy, interval, first, start_u, setup, clock_error
        )

    def _need_idle(self) -> None:
        if self._recording is not None:
            raise UsageError(f"{self.name} is recording; stop_recording() comes before read()")

    def _need_rate(self, rate: float) -> None:
        offered = self.sampling
        if not offered.offers(rate):
            raise UsageError(
                f"{self.name}: rate = {rate}/s; allowed: {offered.slowest:g} to "
                f"{offered.fastest:g} per second"
            )

    def _running(self) -> Recording:
        if self._recording is None:
            raise UsageError(f"{self.name} is not recording; start_recording() comes first")
        return self._recording

    def _started(
        self, begin: str, count: str, interval: float, clock_error: float = CLOCK_ERROR
    ) -> tuple[float, float]:
        """Send what begins to sample; return bench time of the first opening, and its u in s.

        How many samples there are bounds the start from both sides, also where this machine was
        held up on the way; it is asked again while the start is known worse than to SHARP.

        Args:
            begin: message.
            count: question for the number of samples since.
            interval: seconds from sample to sample.
            clock_error: largest relative error of `interval`.

        Raises:
            InstrumentError: the number is none.
        """
        earliest, latest = self._clock.now(), math.inf
        self._session.write(begin)
        for _ in range(ASKED):
            asked = self._clock.now()
            samples = self._ask(count, encoding.integer)
            answered = self._clock.now()
            first = asked - (samples + 1 + SLACK) * interval * (1 + clock_error)
            last = answered - max(samples - 1, 0) * interval * (1 - clock_error)
            if samples >= self.sampling.memory or first > latest or last < earliest:
                first, last = earliest, answered  # overwritten, or those of an older recording
            earliest, latest = max(earliest, first), min(latest, last)
            if latest - earliest <= SHARP:
                break
        return (earliest + latest) / 2, (latest - earliest) / math.sqrt(12)

    def _ended(self, recording: Recording, earliest: float, latest: float) -> Capture:
        """Hand over a recording whose sampling was ended between two bench times.

        Raises:
            InstrumentError: the number of samples does not fit the rate and the bench clock.
        """
        self._recording = None
        self._check_length(recording, earliest, latest)
        if not recording.total:
            raise InstrumentError(f"{self.name}: the recording holds no sample")
        return Capture(
            np.concatenate(recording.pieces),
            recording.start,
            recording.interval,
            recording.start_u,
            recording.dimension,
            self._source(recording.accuracy),
            tuple(recording.gaps),
            interval_error=recording.clock_error,
        )

    def _check_length(self, recording: Recording, earliest: float, latest: float) -> None:
        """Hold the number of samples against the bench clock; a sampling that ended is a gap."""
        most = recording.taken_at(latest)
        if recording.total > most + recording.tolerance(most):
            raise InstrumentError(
                f"{self.name} sent {recording.total} samples at {recording.interval} s where the "
                f"bench clock has room for {most}; its sample timer is not as set"
            )
        least = recording.taken_at(earliest)
        if recording.total < least - recording.tolerance(least):
            recording.lose(least - recording.total)


def _need_within(samples: Samples, full_scale: float) -> None:
    beyond = np.isfinite(samples) & (np.abs(samples) > OVERRANGE * full_scale)
    if beyond.any():
        raise InstrumentError(
            f"{samples[beyond][0]:g} came in a range of {full_scale:g}, which overloads before"
        )
