"""Keysight 34460A and 34461A: single readings, and recordings without a sample timer.

Commands: Truevolt Series Operating and Service Guide, which gives aperture, sample timer and binary
readings to the 34465A and 34470A only. These two cannot digitise: they take reading after reading,
each over whole or a fifth of a line cycle, 50 or 250 per second at 50 Hz mains. The interval that
comes of it is measured by the bench clock; a faster rate is refused.
"""

from __future__ import annotations

from hil.capture import Samples, Sampling
from hil.errors import InstrumentError, UsageError
from hil.exact import Dimension
from hil_instruments import encoding
from hil_instruments.drivers.instrument import MEND
from hil_instruments.drivers.keysight_34465a import RANGES, Keysight34465A
from hil_instruments.drivers.meter import Range, Ranges, Recording

CYCLES = {50.0: "1", 250.0: "0.2"}
"""Rate in 1/s at 50 Hz mains to line cycles of a reading."""
MEMORY = {"34460A": 1_000, "34461A": 10_000}
"""Readings that the memory holds, by model."""
OVERHEAD = 0.05
"""Largest share by which readings come later than one after the other; until it is measured."""
MEASURED = 2e-3
"""Largest relative error of an interval that was measured over at least COUNTED readings."""
COUNTED = 100
TOLERANCE = 0.25
"""Largest relative difference of a rate from the one asked for: 60 Hz mains, and OVERHEAD."""
WIDER: Ranges = {
    Dimension.CURRENT: (
        Range(1e-4, "100 uA", 0.100, 0.025, 0.0020, 0.0030),
        Range(1e-3, "1 mA", 0.100, 0.006, 0.0020, 0.0005),
        Range(1e-2, "10 mA", 0.100, 0.020, 0.0020, 0.0020),
        Range(1e-1, "100 mA", 0.100, 0.010, 0.0020, 0.0005),
    ),
    Dimension.VOLTAGE: (
        Range(0.1, "100 mV", 0.0090, 0.0065, 0.0005, 0.0005),
        Range(1.0, "1 V", 0.0080, 0.0010, 0.0005, 0.0001),
        Range(10.0, "10 V", 0.0075, 0.0005, 0.0005, 0.0001),
        Range(100.0, "100 V", 0.0085, 0.0006, 0.0005, 0.0001),
        Range(1000.0, "1000 V", 0.0085, 0.0010, 0.0005, 0.0001),
    ),
}
"""Of the 34460A."""


class Keysight34461A(Keysight34465A):
    """Multimeter in fixed ranges, and a recorder for what changes slowly."""

    SOURCE = "34460A and 34461A data sheet, 1 year, 23 degC +-5 (from memory, awaits a check)"
    INTEGRATION = "NPLC 1"
    _text_format = ()

    _opened = 0.0

    @property
    def reading_ranges(self) -> Ranges:
        """Ranges of a single reading, by model."""
        return WIDER if self._model == "34460A" else RANGES

    @property
    def _model(self) -> str:
        return self._session.identity.model

    @property
    def sampling(self) -> Sampling:
        """Rates that it offers, and what its memory holds."""
        return Sampling(min(CYCLES), max(CYCLES), MEMORY.get(self._model, 1_000), TOLERANCE)

    def start_recording(self, dimension: Dimension, full_scale: float, rate: float) -> None:
        """Begin to take reading after reading in a fixed range; earlier samples are dropped.

        Args:
            dimension: CURRENT or VOLTAGE.
            full_scale: Largest magnitude expected, SI.
            rate: 50 or 250 per second; at 60 Hz mains 60 or 300 come.

        Raises:
            UsageError: range or rate is not offered.
            InstrumentError: the instrument refused a setting.
        """
        if rate not in CYCLES:
            raise UsageError(
                f"{self.name}: rate = {rate}/s; allowed: 50 or 250 per second: a {self._model} has "
                "no sample timer and cannot digitise; a 34465A or DMM6500 does 2 000 and more"
            )
        chosen = self._fitting(self.reading_ranges, dimension, full_scale)
        self._session.write("ABOR")
        self._recording = None
        cycles = CYCLES[rate]
        setup = self._set_up(dimension, chosen, f"NPLC {cycles}", "SAMP:COUN MAX")
        aperture = float(cycles) / self._ask("SYST:LFR?", encoding.integer)
        self._opened, start_u = self._started("INIT", "DATA:POIN?", aperture, OVERHEAD)
        self._confirm_setup(setup)
        self._confirm({f"{setup.node}:NPLC?": float(cycles)})
        self._begin(dimension, setup, aperture, self._opened + aperture / 2, start_u, OVERHEAD)

    def _ready(self, recording: Recording) -> int:
        """Readings in memory; the interval is measured anew from their number and the clock."""
        before = self._clock.now()
        waiting = super()._ready(recording)
        count = recording.total + waiting
        if count >= COUNTED and not recording.gaps:
            # On average half an interval has passed since the newest.
            interval = ((before + self._clock.now()) / 2 - self._opened) / (count + 0.5)
            if not abs(interval / recording.interval - 1) <= OVERHEAD:
                raise InstrumentError(
                    f"{self.name}: by DATA:POIN? {count} readings came at {interval:.4g} s from "
                    f"each to the next, {recording.interval:.4g} s were due; {MEND}"
                )
            recording.interval, recording.clock_error = interval, MEASURED
        return waiting

    def _removed(self, recording: Recording, asked: int) -> Samples:
        return self._several(f"R? {asked}", encoding.numbers, recording)
