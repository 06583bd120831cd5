"""Keithley 2000: single readings, and recordings of at most 1 024 readings.

Commands: Model 2000 User's Manual, 2000-900-01 Rev. J: trigger model 4-29, FORMat 5-28, STATus
5-53, TRACe 5-68. A timer triggers reading after reading into the buffer, which fills once. So a
recording is a burst: it ends by itself, what comes later is a gap, and nothing of it is seen before
it is full or stopped, since no source at hand says that a buffer can be read while it fills.
"""

from __future__ import annotations

import math
from dataclasses import replace

from hil.capture import Accuracy, Capture, Sampling
from hil.errors import InstrumentError, UsageError
from hil.exact import Dimension
from hil.units import Quantity
from hil_instruments import encoding
from hil_instruments.drivers.instrument import MEND, one_of
from hil_instruments.drivers.meter import Meter, Range, Ranges, Recording, Setup

SLOWEST, FASTEST = 1.0, 1000.0
"""Rates in 1/s; the timer's step is 1 ms, so that not every rate between them is offered."""
STEP = 1e-3
MEMORY = 1024
MAINS = {"50": 50.0, "60": 60.0, "400": 50.0}
"""Line frequency in Hz as it answers to that by which it counts line cycles."""
FEWEST_CYCLES, MOST_CYCLES = 0.01, 10.0
ANY, FULL = 1 << 7, 1 << 9
"""Bits of the measurement condition: at least two readings are in the buffer; it is full."""
RANGES: Ranges = {
    Dimension.CURRENT: (
        Range(1e-2, "10 mA", 0.050, 0.0090, 0.0050, 0.0005),
        Range(1e-1, "100 mA", 0.050, 0.084, 0.0050, 0.0050),
    ),
    Dimension.VOLTAGE: (
        Range(0.1, "100 mV", 0.0050, 0.0050, 0.0002, 0.0006),
        Range(1.0, "1 V", 0.0030, 0.0009, 0.0002, 0.0001),
        Range(10.0, "10 V", 0.0030, 0.0005, 0.0002, 0.0001),
        Range(100.0, "100 V", 0.0045, 0.0008, 0.0005, 0.0001),
        Range(1000.0, "1000 V", 0.0045, 0.0006, 0.0005, 0.0001),
    ),
}
"""At one line cycle without filter, for which the sheet adds to the share of range."""
UNZEROED, UNZEROED_VOLTS = 2e-6, 5e-6
"""What autozero that is off adds: a share of range, and volts at the converter's input."""
SHUNTS = {1e-2: 10.0, 1e-1: 0.1}
"""Range of current in A to its shunt in ohm, across which those volts stand."""
FUNCTION = {Dimension.CURRENT: "CURR:DC", Dimension.VOLTAGE: "VOLT:DC"}


def _unzeroed(dimension: Dimension, each: Range) -> Range:
    """A range as it is without autozero."""
    ohm = SHUNTS[each.full_scale] if dimension is Dimension.CURRENT else 1.0
    more = UNZEROED + UNZEROED_VOLTS / ohm / each.full_scale
    name = f"{each.name} without autozero"
    return replace(each, name=name, offset_percent=each.offset_percent + 100 * more)


RECORDED: Ranges = {
    dimension: tuple(_unzeroed(dimension, each) for each in ranges)
    for dimension, ranges in RANGES.items()
}


class Keithley2000(Meter):
    """Multimeter in fixed ranges, no filter; above 10 Gohm on ranges up to 10 V, else 10 Mohm.

    An overload is positive infinity, whatever its sign: the instrument does not tell.
    """

    SOURCE = "2000 and 2016 data sheets, 1 year, 23 degC +-5, 1 line cycle"

    @property
    def reading_ranges(self) -> Ranges:
        """Ranges of a single reading, with autozero."""
        return RANGES

    @property
    def recording_ranges(self) -> Ranges:
        """Those of its readings, wider by what autozero would take off."""
        return RECORDED

    @property
    def sampling(self) -> Sampling:
        """Rates that it offers, and what its buffer holds; a recording ends with that."""
        return Sampling(SLOWEST, FASTEST, MEMORY, ends=True)

    def read(self, dimension: Dimension, full_scale: float) -> tuple[Quantity, Accuracy]:
        """One reading in a fixed range that holds `full_scale` (SI); infinite on overload.

        It integrates over one line cycle. Everything that it rests on is set each time.

        Raises:
            UsageError: no range holds it, or a recording is running.
            InstrumentError: the instrument refused its settings or sent no number.
        """
        self._need_idle()
        chosen = self._fitting(RANGES, dimension, full_scale)
        setup = self._set_up(
            dimension,
            chosen,
            1.0,
            "SYST:AZER:STAT ON",
            "DISP:ENAB ON",
            "TRIG:SOUR IMM",
            "TRIG:COUN 1",
            "TRAC:FEED:CONT NEV",
        )
        return self._taken("READ?", dimension, setup)

    def start_recording(self, dimension: Dimension, full_scale: float, rate: float) -> None:
        """Begin to sample at `rate` per second in a fixed range; earlier samples are dropped.

        Each sample integrates over at most half the interval, in hundredths of a line cycle. The
        start is known to the time that INIT and one query take.

        Args:
            dimension: CURRENT or VOLTAGE.
            full_scale: Largest magnitude expected, SI.
            rate: 1 to 1 000 per second, at an interval of whole milliseconds.

        Raises:
            UsageError: range or rate is not offered.
            InstrumentError: the instrument refused a setting.
        """
        self._need_rate(rate)
        interval = round(1 / rate / STEP) * STEP
        if abs(interval * rate - 1) > self.sampling.tolerance:
            raise UsageError(
                f"{self.name}: rate = {rate}/s; allowed: rates whose interval is of whole "
                f"milliseconds, as {1 / interval:.6g}/s"
            )
        chosen = self._fitting(RECORDED, dimension, full_scale)
        self._recording = None
        mains = self._ask("SYST:LFR?", one_of(MAINS))
        cycles = math.floor(0.5 * interval * mains * 100 + 1e-6) / 100
        cycles = min(max(cycles, FEWEST_CYCLES), MOST_CYCLES)
        setup = self._set_up(
            dimension,
            chosen,
            cycles,
            "SYST:AZER:STAT OFF",
            "DISP:ENAB OFF",
            "TRIG:SOUR TIM",
            f"TRIG:TIM {encoding.float_text(interval)}",
            f"TRIG:COUN {MEMORY}",
            "TRAC:FEED SENS",
            f"TRAC:POIN {MEMORY}",
            "TRAC:CLE",
            "TRAC:FEED:CONT NEXT",
        )
        before = self._clock.now()
        self._session.write("INIT")
        self._confirm({"TRIG:SOUR?": "TIM"})
        after = self._clock.now()
        self._confirm_setup(setup)
        self._confirm({"TRIG:TIM?": interval, f"{setup.node}:NPLC?": cycles})
        first = (before + after) / 2 + 0.5 * cycles / mains
        self._begin(dimension, setup, interval, first, (after - before) / math.sqrt(12))

    def stop_recording(self) -> Capture:
        """End sampling, fetch what was stored; what came after the buffer was full is a gap.

        Raises:
            UsageError: no recording is running.
            InstrumentError: the number of samples does not fit the rate and the bench clock, or
                function or range is another now.
        """
        recording = self._running()
        earliest = self._clock.now()
        self._session.write("ABOR")
        self._configure("TRAC:FEED:CONT NEV")
        filled = self._ask("STAT:MEAS:COND?", encoding.integer)
        latest = self._clock.now()
        if filled & ANY and not recording.total:
            recording.add(self._listed("TRAC:DATA?", recording))
        self._confirm_setup(recording.setup)
        return self._ended(recording, earliest, latest)

    def _ready(self, recording: Recording) -> int:
        """All of a buffer that is full; before that, nothing."""
        filled = self._ask("STAT:MEAS:COND?", encoding.integer)
        return MEMORY if filled & FULL else recording.total

    def _fetch(self, recording: Recording, ready: int) -> int:
        if recording.total or not ready:
            return 0
        samples = self._listed("TRAC:DATA?", recording)
        if len(samples) != ready:
            raise InstrumentError(
                f"{self.name}: 'TRAC:DATA?' brought {len(samples)} readings of a full buffer of "
                f"{MEMORY}; {MEND}"
            )
        recording.add(samples)
        return ready

    def _set_up(self, dimension: Dimension, chosen: Range, cycles: float, *more: str) -> Setup:
        function = FUNCTION[dimension]
        self._configure(
            "INIT:CONT OFF",
            "ABOR",
            f'SENS:FUNC "{function}"',
            f"SENS:{function}:RANG {encoding.float_text(chosen.full_scale)}",
            f"SENS:{function}:NPLC {encoding.float_text(cycles)}",
            f"SENS:{function}:AVER:STAT OFF",
            f"SENS:{function}:REF:STAT OFF",
            "CALC1:STAT OFF",
            "TRIG:DEL 0",
            "SAMP:COUN 1",
            "FORM:DATA ASC",
            "FORM:ELEM READ",
            *more,
        )
        setup = Setup(chosen, f"SENS:{function}")
        self._confirm_setup(setup)
        return setup
