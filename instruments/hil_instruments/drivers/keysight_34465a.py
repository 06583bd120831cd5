"""Keysight 34465A: single readings, and recordings of equidistant samples without its options.

Commands, memory and its overflow: Truevolt Series Operating and Service Guide. The reading memory
holds 50 000 readings; when it overflows, the newest overwrite the oldest, without an error.
"""

from __future__ import annotations

import math

from hil.capture import Accuracy, Samples, Sampling
from hil.errors import InstrumentError
from hil.exact import Dimension
from hil.units import Quantity
from hil_instruments import encoding
from hil_instruments.drivers.instrument import MEND
from hil_instruments.drivers.meter import Meter, Range, Ranges, Recording, Setup

MEMORY = 50_000
"""Readings that the memory holds without the MEM option."""
PIECE = 4_000
"""Readings fetched in one exchange: 32 kB, so that no exchange blocks for long."""
FASTEST = 2_000.0
"""Largest rate in 1/s that this driver sets; without the DIG option the instrument does 5 000."""
READING_APERTURE = 0.02
"""Aperture in s of a single reading: one period of 50 Hz mains."""

SEEN = (
    "data sheet 5991-1983EN of 20 June 2022, 34461A, 1 year, 18 to 28 degC (seen in a transcript)"
)
"""Of voltage; the 34465A is no worse, by the same sheet (that is from memory)."""
RANGES: Ranges = {
    Dimension.CURRENT: (
        Range(1e-4, "100 uA", 0.050, 0.025, 0.0020, 0.0030),
        Range(1e-3, "1 mA", 0.050, 0.006, 0.0020, 0.0005),
        Range(1e-2, "10 mA", 0.050, 0.020, 0.0020, 0.0020),
        Range(1e-1, "100 mA", 0.050, 0.005, 0.0020, 0.0005),
    ),
    Dimension.VOLTAGE: (
        Range(0.1, "100 mV", 0.0050, 0.0035, 0.0005, 0.0005, SEEN),
        Range(1.0, "1 V", 0.0040, 0.0007, 0.0005, 0.0001, SEEN),
        Range(10.0, "10 V", 0.0035, 0.0005, 0.0005, 0.0001, SEEN),
        Range(100.0, "100 V", 0.0045, 0.0006, 0.0005, 0.0001, SEEN),
        Range(1000.0, "1000 V", 0.0045, 0.0010, 0.0005, 0.0001, SEEN),
    ),
}
FUNCTION = {Dimension.CURRENT: "CURR:DC", Dimension.VOLTAGE: "VOLT:DC"}


class Keysight34465A(Meter):
    """Multimeter and recorder in fixed ranges, autozero off, 10 Mohm on every voltage range."""

    SOURCE = "34465A data sheet, 1 year, 23 degC +-5 (from memory, awaits a check)"
    INTEGRATION = f"APER {encoding.float_text(READING_APERTURE)}"
    """Setting of a single reading's integration time."""

    _text_format: tuple[str, ...] = ("FORM:DATA ASC",)

    @property
    def reading_ranges(self) -> Ranges:
        """Ranges of a single reading."""
        return RANGES

    @property
    def recording_ranges(self) -> Ranges:
        """Those of its readings."""
        return self.reading_ranges

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
        self._need_idle()
        chosen = self._fitting(self.reading_ranges, dimension, full_scale)
        setup = self._set_up(dimension, chosen, self.INTEGRATION, *self._text_format)
        return self._taken("READ?", dimension, setup)

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
        self._need_rate(rate)
        chosen = self._fitting(RANGES, dimension, full_scale)
        interval = round(1 / rate, 6)
        aperture = round(0.5 * interval, 6)
        self._session.write("ABOR")
        self._recording = None
        setup = self._set_up(
            dimension,
            chosen,
            f"APER {encoding.float_text(aperture)}",
            "SAMP:COUN MAX",  # 1e9; should it end nevertheless, that is a gap
            "SAMP:SOUR TIM",
            f"SAMP:TIM {encoding.float_text(interval)}",
            "FORM:DATA REAL,64",
            "FORM:BORD NORM",
        )
        opened, start_u = self._started("INIT", "DATA:POIN?", interval)
        self._confirm_setup(setup)
        self._confirm({"SAMP:SOUR?": "TIM", "SAMP:TIM?": interval})
        self._begin(dimension, setup, interval, opened + aperture / 2, start_u)

    def _set_up(self, dimension: Dimension, chosen: Range, integration: str, *more: str) -> Setup:
        function = FUNCTION[dimension]
        voltage = ("SENS:VOLT:DC:IMP:AUTO OFF",) if dimension is Dimension.VOLTAGE else ()
        self._configure(
            f"CONF:{function} {encoding.float_text(chosen.full_scale)}",
            f"SENS:{function}:ZERO:AUTO OFF",
            f"SENS:{function}:{integration}",
            *voltage,
            "TRIG:SOUR IMM",
            "TRIG:DEL 0",
            *more,
        )
        setup = Setup(chosen, f"SENS:{function}")
        self._confirm_setup(setup)
        return setup

    def _ready(self, recording: Recording) -> int:
        """Readings in memory; what a full memory has overwritten is marked before them."""
        before = self._clock.now()
        waiting = self._ask("DATA:POIN?", encoding.integer)
        if waiting >= self.sampling.memory:
            self._overflowed(recording, waiting, before, self._clock.now())
        return waiting

    @staticmethod
    def _overflowed(recording: Recording, waiting: int, before: float, after: float) -> None:
        """Mark what a full memory has overwritten.

        How much that was, only the bench clock can tell, so the place of the later samples rests
        on it: `start_u` grows by its tolerance. A memory that is just full counts as one lost.
        """
        expected = recording.taken_at((before + after) / 2)
        slack = recording.tolerance(expected) * recording.interval + (after - before) / 2
        recording.lose(max(expected - recording.total - waiting, 1))
        recording.start_u = math.hypot(recording.start_u, slack / math.sqrt(3))

    def _fetch(self, recording: Recording, count: int) -> int:
        if recording.torn:
            self._recording = None
            raise InstrumentError(
                f"{self.name}: the reply to an earlier 'R?' did not come, and the readings that it "
                "took out of the memory are lost; start_recording() begins anew"
            )
        fetched = 0
        while fetched < count:
            asked = min(PIECE, count - fetched)
            recording.torn = True
            samples = self._removed(recording, asked)
            recording.torn = False
            if not 0 < len(samples) <= asked:
                raise InstrumentError(
                    f"{self.name}: 'R? {asked}' brought {len(samples)} readings although "
                    f"{count - fetched} were waiting; {MEND}"
                )
            recording.add(samples)
            fetched += len(samples)
        return fetched

    def _removed(self, recording: Recording, asked: int) -> Samples:
        """Fetch and remove at most so many of the oldest readings."""
        return self._several(f"R? {asked}", encoding.reals, recording)
