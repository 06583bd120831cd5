"""Keithley DMM6500: single readings, and recordings by its digitiser, command set SCPI.

Commands: DMM6500 Reference Manual, DMM6500-901-01. Single readings integrate over one line cycle;
a recording is digitised into a reading buffer by a trigger model that never ends. The buffer
overwrites its oldest readings; how many there were in all is told by the time stamp of the newest.
"""

from __future__ import annotations

import math

from hil.capture import Accuracy, Sampling
from hil.errors import InstrumentError
from hil.exact import Dimension
from hil.units import Quantity
from hil_instruments import encoding
from hil_instruments.drivers.instrument import MEND
from hil_instruments.drivers.keithley_buffer import BufferedMeter
from hil_instruments.drivers.meter import Range, Ranges, Recording, Setup

SLOWEST, FASTEST = 1_000.0, 20_000.0
"""Rates in 1/s: least of the digitiser; largest that this driver sets, of 1 000 000."""
BUFFER = 400_000
"""Readings of the buffer, of 7 000 000."""
KEPT = 300_000
"""Of them that may be left unread."""
FINEST = 1e-6
"""Step of the digitiser's aperture in s."""

SEEN = "SPEC-DMM6500 Rev. A, April 2018, 1 year, 18 to 28 degC (seen in a transcript)"
"""Of voltage; 25 + 5 ppm at 10 V also stand in DMM6500-905-01 Rev. A, page 2-4."""
RANGES: Ranges = {
    Dimension.CURRENT: (
        Range(1e-5, "10 uA", 0.050, 0.006),
        Range(1e-4, "100 uA", 0.050, 0.006),
        Range(1e-3, "1 mA", 0.050, 0.006),
        Range(1e-2, "10 mA", 0.050, 0.006),
        Range(1e-1, "100 mA", 0.050, 0.006),
    ),
    Dimension.VOLTAGE: (
        Range(0.1, "100 mV", 0.0030, 0.0035, 0.0001, 0.0005, SEEN),
        Range(1.0, "1 V", 0.0025, 0.0006, 0.0001, 0.0001, SEEN),
        Range(10.0, "10 V", 0.0025, 0.0005, 0.0001, 0.0001, SEEN),
        Range(100.0, "100 V", 0.0040, 0.0006, 0.0006, 0.0001, SEEN),
        Range(1000.0, "1000 V", 0.0040, 0.0006, 0.0006, 0.0001, SEEN),
    ),
}
DIGITIZED: Ranges = {
    Dimension.CURRENT: tuple(
        Range(each.full_scale, f"{each.name} digitized", 0.10, 0.05)
        for each in RANGES[Dimension.CURRENT][1:]
    ),
    Dimension.VOLTAGE: tuple(
        Range(each.full_scale, f"{each.name} digitized", 0.04, 0.04)
        for each in RANGES[Dimension.VOLTAGE]
    ),
}
_WORD = {Dimension.CURRENT: "CURR", Dimension.VOLTAGE: "VOLT"}


class KeithleyDMM6500(BufferedMeter):
    """Multimeter and recorder in fixed ranges, 10 Mohm on every voltage range, no filter."""

    BUFFER, KEPT = BUFFER, KEPT
    SOURCE = "DMM6500 data sheet, 1 year, 23 degC +-5 (from memory, awaits a check)"
    """Of what SEEN does not name: current, and DIGITIZED."""

    @property
    def reading_ranges(self) -> Ranges:
        """Ranges of a single reading."""
        return RANGES

    @property
    def recording_ranges(self) -> Ranges:
        """Those of its digitiser."""
        return DIGITIZED

    @property
    def sampling(self) -> Sampling:
        """Rates that it offers, and what its memory holds."""
        return Sampling(SLOWEST, FASTEST, KEPT)

    def read(self, dimension: Dimension, full_scale: float) -> tuple[Quantity, Accuracy]:
        """One reading in a fixed range that holds `full_scale` (SI); infinite on overload.

        It integrates over one line cycle. Everything that it rests on is set each time.

        Raises:
            UsageError: no range holds it, or a recording is running.
            InstrumentError: the instrument refused its settings or sent no number.
        """
        self._need_idle()
        chosen = self._fitting(RANGES, dimension, full_scale)
        function = f"{_WORD[dimension]}:DC"
        self._session.write("ABOR")
        self._configure(
            f'SENS:FUNC "{function}"',
            f"SENS:{function}:RANG {encoding.float_text(chosen.full_scale)}",
            f"SENS:{function}:NPLC 1",
            f"SENS:{function}:AZER ON",
            f"SENS:{function}:AVER OFF",
            *_plain(function, dimension),
            "SENS:COUN 1",
            "FORM:DATA ASC",
        )
        setup = Setup(chosen, f"SENS:{function}")
        self._confirm_setup(setup)
        return self._taken('READ? "defbuffer1"', dimension, setup)

    def start_recording(self, dimension: Dimension, full_scale: float, rate: float) -> None:
        """Begin to digitise at `rate` per second in a fixed range; earlier samples are dropped.

        Each sample integrates over half the interval. The start is known to the time that INIT
        and one query take.

        Args:
            dimension: CURRENT or VOLTAGE.
            full_scale: Largest magnitude expected, SI.
            rate: 1 000 to 20 000 per second; the instrument takes whole numbers.

        Raises:
            UsageError: range or rate is not offered.
            InstrumentError: the instrument refused a setting.
        """
        self._need_rate(rate)
        chosen = self._fitting(DIGITIZED, dimension, full_scale)
        function, per_second = _WORD[dimension], round(rate)
        aperture = max(math.floor(0.5 / per_second / FINEST) * FINEST, FINEST)
        self._session.write("ABOR")
        self._recording = None
        self._configure(
            f'SENS:DIG:FUNC "{function}"',
            f"SENS:DIG:{function}:RANG {encoding.float_text(chosen.full_scale)}",
            f"SENS:DIG:{function}:SRAT {per_second}",
            f"SENS:DIG:{function}:APER {encoding.float_text(round(aperture, 6))}",
            *_plain(f"DIG:{function}", dimension),
            f'TRAC:POIN {BUFFER}, "defbuffer1"',
            'TRAC:FILL:MODE CONT, "defbuffer1"',
            'TRIG:LOAD "EMPTY"',
            'TRIG:BLOC:BUFF:CLE 1, "defbuffer1"',
            'TRIG:BLOC:MDIG 2, "defbuffer1", INF',
            "FORM:DATA REAL",
            "FORM:BORD NORM",
        )
        setup = Setup(chosen, f"SENS:DIG:{function}", "SENS:DIG:FUNC?")
        self._confirm_setup(setup)
        opened, start_u = self._started("INIT", 'TRAC:ACT? "defbuffer1"', 1 / per_second)
        self._confirm_setup(setup)
        self._confirm({f"{setup.node}:SRAT?": per_second})
        self._begin(dimension, setup, 1 / per_second, opened + aperture / 2, start_u)

    def _ready(self, recording: Recording) -> int:
        """Readings since the start, fetched, waiting and overwritten, by the newest's time stamp.

        Its place in the buffer tells their number but for whole turns of the buffer.
        """
        place, stamp, asked = self._newest()
        if not place:
            return 0
        turns = (stamp / recording.interval + 1 - place) / BUFFER
        whole = round(turns)
        if whole < 0 or abs(turns - whole) * BUFFER > recording.tolerance(whole * BUFFER):
            raise InstrumentError(
                f"{self.name}: by {asked!r} the reading at place {place} of {BUFFER} is stamped "
                f"{stamp} s after the first, {recording.interval} s from each to the next: both "
                f"cannot be; {MEND}"
            )
        return place + whole * BUFFER


def _plain(function: str, dimension: Dimension) -> tuple[str, ...]:
    """What keeps a reading from being anything but what stands at the terminals."""
    told = (f"SENS:{function}:REL:STAT OFF", f"CALC1:{function}:MATH:STAT OFF")
    return (*told, f"SENS:{function}:INP MOHM10") if dimension is Dimension.VOLTAGE else told
