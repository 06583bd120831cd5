"""Keysight 34465A: single readings, and recordings of equidistant samples without its options.

Commands, memory and its overflow: Truevolt Series Operating and Service Guide. The reading memory
holds 50 000 readings; when it overflows, the newest overwrite the oldest, without an error.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from hil.bench import InstrumentEntry
from hil.capture import Accuracy, Capture, Samples, Sampling
from hil.errors import InstrumentError, UsageError
from hil.exact import Dimension
from hil.measurement import Calibration
from hil.roles import Clock
from hil.units import A, Quantity, V, quantity
from hil_instruments import encoding
from hil_instruments.drivers.instrument import Instrument

if TYPE_CHECKING:
    from hil_instruments.transport import Session

MEMORY = 50_000
"""Readings that the memory holds without the MEM option."""
PIECE = 4_000
"""Readings fetched in one exchange: 32 kB, so that no exchange blocks for long."""
FASTEST = 2_000.0
"""Largest rate in 1/s that this driver sets; without the DIG option the instrument does 5 000."""
READING_APERTURE = 0.02
"""Aperture in s of a single reading: one period of 50 Hz mains."""
SOURCE = "34465A data sheet, 1 year, 23 degC +-5"
"""Specification of RANGES; its figures are from memory and await a check against the sheet."""
CLOCK_ERROR = 2e-4
"""Largest relative difference between the instrument's time base and the bench clock."""
SLACK = 5
"""Samples by which start and end of a recording may be off, on top of CLOCK_ERROR."""


@dataclass(frozen=True, slots=True)
class _Range:
    """One range and its limits of error."""

    full_scale: float
    name: str
    gain_percent: float
    offset_percent: float


RANGES = {
    Dimension.CURRENT: (
        _Range(1e-4, "100 uA", 0.050, 0.025),
        _Range(1e-3, "1 mA", 0.050, 0.006),
        _Range(1e-2, "10 mA", 0.050, 0.020),
        _Range(1e-1, "100 mA", 0.050, 0.005),
    ),
    Dimension.VOLTAGE: (
        _Range(0.1, "100 mV", 0.0050, 0.0035),
        _Range(1.0, "1 V", 0.0040, 0.0007),
        _Range(10.0, "10 V", 0.0035, 0.0005),
        _Range(100.0, "100 V", 0.0045, 0.0006),
        _Range(1000.0, "1000 V", 0.0045, 0.0010),
    ),
}
_FUNCTION = {Dimension.CURRENT: "CURR:DC", Dimension.VOLTAGE: "VOLT:DC"}
_UNIT = {Dimension.CURRENT: A, Dimension.VOLTAGE: V}


@dataclass
class _Recording:
    """Samples on their way, and what is needed to place them in time."""

    dimension: Dimension
    accuracy: Accuracy
    interval: float
    start: float
    start_u: float
    pieces: list[Samples] = field(default_factory=list)
    gaps: list[tuple[int, int]] = field(default_factory=list)
    total: int = 0

    def add(self, samples: Samples) -> None:
        self.pieces.append(samples)
        self.total += len(samples)

    def lose(self, count: int) -> None:
        self.gaps.append((self.total, count))
        self.add(np.full(count, np.nan))

    def taken_at(self, time: float) -> int:
        """How many samples are complete at a bench time, by the bench clock."""
        return max(math.floor((time - self.start) / self.interval + 0.5), 0)

    def tolerance(self, count: int) -> int:
        """Samples by which such a count by the bench clock may be off."""
        start = math.sqrt(3) * self.start_u / self.interval
        return SLACK + math.ceil(CLOCK_ERROR * count + start)


class Keysight34465A(Instrument):
    """Multimeter and recorder in fixed ranges, autozero off, 10 Mohm on every voltage range."""

    def __init__(
        self, session: Session, clock: Clock, entry: InstrumentEntry, calibration: Calibration
    ) -> None:
        super().__init__(session, clock, entry, calibration)
        self._recording: _Recording | None = None

    @property
    def sampling(self) -> Sampling:
        """Rates that it offers, and what its memory holds."""
        return Sampling(1.0, FASTEST, MEMORY)

    def read(self, dimension: Dimension, full_scale: float) -> tuple[Quantity, Accuracy]:
        """One reading in a fixed range that holds `full_scale` (SI); infinite on overload.

        The aperture is 20 ms. Function and range are set each time: a meter that lost its power in
        between would otherwise answer in volts where a current was asked for.

        Raises:
            UsageError: no range holds it, or a recording is running.
            InstrumentError: the instrument refused its settings or sent no number.
        """
        if self._recording is not None:
            raise UsageError(f"{self.name} is recording; stop_recording() comes before read()")
        chosen = self._range(dimension, full_scale)
        self._set_up(dimension, chosen, READING_APERTURE, "FORM:DATA ASC")
        value = encoding.number(self._session.query("READ?"))
        return quantity(float(value), _UNIT[dimension]), self._accuracy(chosen)

    def start_recording(self, dimension: Dimension, full_scale: float, rate: float) -> None:
        """Begin to sample at `rate` per second in a fixed range; earlier samples are dropped.

        Each sample integrates over half the interval. The start is known to the time that INIT
        and one query take.

        Args:
            dimension: CURRENT or VOLTAGE.
            full_scale: Largest magnitude expected, SI.
            rate: 1 to 2 000 per second.

        Raises:
            UsageError: range or rate is not offered.
            InstrumentError: the instrument refused a setting.
        """
        if not self.sampling.offers(rate):
            raise UsageError(f"{self.name}: rate = {rate}/s; allowed: 1 to {FASTEST:g} per second")
        chosen = self._range(dimension, full_scale)
        interval = round(1 / rate, 6)
        aperture = round(0.5 * interval, 6)
        self._session.write("ABOR")
        self._recording = None
        self._set_up(
            dimension,
            chosen,
            aperture,
            "SAMP:COUN MAX",  # 1e9; should it end nevertheless, _check_length marks the gap
            "SAMP:SOUR TIM",
            f"SAMP:TIM {_text(interval)}",
            "FORM:DATA REAL,64",
            "FORM:BORD NORM",
        )
        before = self._clock.now()
        self._session.write("INIT")
        self._session.query("DATA:POIN?")  # its reply proves that INIT has been carried out
        after = self._clock.now()
        self._recording = _Recording(
            dimension,
            self._accuracy(chosen),
            interval,
            start=(before + after) / 2 + aperture / 2,
            start_u=(after - before) / math.sqrt(12),
        )

    def drain(self) -> int:
        """Fetch what was sampled since the last call; return how many readings came.

        Must be called before the memory is full: every 25 s at 2 000 per second.
        """
        recording = self._running()
        return self._fetch(recording, self._waiting(recording))

    def stop_recording(self) -> Capture:
        """End sampling, fetch the rest, return all since the start, with lost stretches as gaps.

        Raises:
            UsageError: no recording is running.
            InstrumentError: the number of samples does not fit the rate and the bench clock.
        """
        recording = self._running()
        earliest = self._clock.now()
        self._session.write("ABOR")
        waiting = self._waiting(recording)
        latest = self._clock.now()
        self._fetch(recording, waiting)
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
        )

    def _set_up(self, dimension: Dimension, chosen: _Range, aperture: float, *more: str) -> None:
        function = _FUNCTION[dimension]
        voltage = ("SENS:VOLT:DC:IMP:AUTO OFF",) if dimension is Dimension.VOLTAGE else ()
        self._configure(
            f"CONF:{function} {_text(chosen.full_scale)}",
            f"SENS:{function}:ZERO:AUTO OFF",
            f"SENS:{function}:APER {_text(aperture)}",
            *voltage,
            "TRIG:SOUR IMM",
            "TRIG:DEL 0",
            *more,
        )

    def _range(self, dimension: Dimension, full_scale: float) -> _Range:
        if dimension not in RANGES:
            raise UsageError(
                f"{self.name} measures current and voltage, not {dimension.name.lower()}"
            )
        for candidate in RANGES[dimension]:
            if 0 < full_scale <= candidate.full_scale:
                return candidate
        largest = RANGES[dimension][-1].name
        raise UsageError(
            f"{self.name}: full scale = {full_scale} {dimension.value}; allowed: above 0, up to "
            f"{largest}"
        )

    def _accuracy(self, chosen: _Range) -> Accuracy:
        return Accuracy(
            f"{self.serial}[{chosen.name}]",
            gain=chosen.gain_percent / 100,
            offset=chosen.offset_percent / 100 * chosen.full_scale,
            source=SOURCE,
        )

    def _running(self) -> _Recording:
        if self._recording is None:
            raise UsageError(f"{self.name} is not recording; start_recording() comes first")
        return self._recording

    def _waiting(self, recording: _Recording) -> int:
        """Readings in memory; what a full memory has overwritten is marked before them."""
        before = self._clock.now()
        waiting = encoding.integer(self._session.query("DATA:POIN?"))
        if waiting >= MEMORY:
            self._overflowed(recording, waiting, before, self._clock.now())
        return waiting

    @staticmethod
    def _overflowed(recording: _Recording, waiting: int, before: float, after: float) -> None:
        """Mark what a full memory has overwritten.

        How much that was, only the bench clock can tell, so the place of the later samples rests
        on it: `start_u` grows by its tolerance. A memory that is just full counts as one lost.
        """
        expected = recording.taken_at((before + after) / 2)
        slack = recording.tolerance(expected) * recording.interval + (after - before) / 2
        recording.lose(max(expected - recording.total - waiting, 1))
        recording.start_u = math.hypot(recording.start_u, slack / math.sqrt(3))

    def _fetch(self, recording: _Recording, count: int) -> int:
        fetched = 0
        while fetched < count:
            asked = min(PIECE, count - fetched)
            samples = encoding.reals(self._session.query_block(f"R? {asked}"))
            if not 0 < len(samples) <= asked:
                raise InstrumentError(
                    f"{self.name}: R? {asked} brought {len(samples)} readings although "
                    f"{count - fetched} were waiting"
                )
            recording.add(samples)
            fetched += len(samples)
        return fetched

    def _check_length(self, recording: _Recording, earliest: float, latest: float) -> None:
        """Hold the number of samples against the bench clock; a sampling that ended is a gap.

        The instrument stopped between `earliest` and `latest`.
        """
        most = recording.taken_at(latest)
        if recording.total > most + recording.tolerance(most):
            raise InstrumentError(
                f"{self.name} sent {recording.total} samples at {recording.interval} s where the "
                f"bench clock has room for {most}; its sample timer is not as set"
            )
        least = recording.taken_at(earliest)
        if recording.total < least - recording.tolerance(least):
            recording.lose(least - recording.total)


def _text(value: float) -> str:
    return encoding.decimal_text(Decimal(repr(value)))
