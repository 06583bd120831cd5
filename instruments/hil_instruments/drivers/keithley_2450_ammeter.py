"""Keithley 2450 as ammeter: single readings, and recordings without a sample timer.

Commands: Model 2450 Reference Manual, 2450-901-01 rev. B. It sources 0 V and measures the current
through itself, so it can also drive one: that it sources 0 V is read back before and behind each
reading. Readings follow each other as they come, over one or a tenth of a line cycle; the interval
that comes of it is told by the time stamps of its buffer. Off it is open, as without mains.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from hil.capture import Accuracy, Sampling
from hil.errors import InstrumentError, UsageError
from hil.exact import Dimension
from hil.units import Quantity
from hil_instruments import encoding
from hil_instruments.drivers.instrument import MEND
from hil_instruments.drivers.keithley_buffer import BufferedMeter
from hil_instruments.drivers.meter import CLOCK_ERROR, Range, Ranges, Recording, Setup

CYCLES = {50.0: 1.0, 250.0: 0.1}
"""Rate in 1/s at 50 Hz mains to line cycles of a reading."""
OVERHEAD = 2.5e-3
"""Largest time in s by which a reading takes longer than its aperture; until it is measured."""
TOLERANCE = 0.25
"""Largest relative difference of a rate from the one asked for: OVERHEAD, and 60 Hz mains."""
COUNTED = 10
"""Readings from which on their time stamps tell the interval."""
ENDLESS = 268_435_455
"""Largest count of the simple loop."""
MOST = 0.105
"""Current in A to which it limits what flows through it, whatever drives that."""
RANGES: Ranges = {
    Dimension.CURRENT: (
        Range(1e-6, "1 uA", 0.025, 0.030),
        Range(1e-5, "10 uA", 0.025, 0.007),
        Range(1e-4, "100 uA", 0.020, 0.006),
        Range(1e-3, "1 mA", 0.020, 0.006),
        Range(1e-2, "10 mA", 0.020, 0.006),
        Range(1e-1, "100 mA", 0.025, 0.006),
    ),
}
PASSIVE: Mapping[str, float | str] = {
    "SOUR:FUNC?": "VOLT",
    "SOUR:VOLT?": 0.0,
    "SOUR:VOLT:ILIM?": MOST,
    "OUTP?": "1",
}
"""Question to what must answer it while it is an ammeter and no source."""


class Keithley2450Ammeter(BufferedMeter):
    """Ammeter in fixed ranges, two wires, and a recorder for what changes slowly."""

    SOURCE = "SPEC-2450 rev. A, July 2013, 1 year, 23 degC +-5, 1 PLC"
    BUFFER: ClassVar[int] = 100_000
    KEPT: ClassVar[int] = 75_000

    _due = 0.0
    """Interval in s that was foreseen."""

    @property
    def recording_ranges(self) -> Ranges:
        """Those of its readings."""
        return RANGES

    @property
    def sampling(self) -> Sampling:
        """Rates that it offers, and what its buffer holds."""
        return Sampling(min(CYCLES), max(CYCLES), self.KEPT, TOLERANCE)

    def read(self, dimension: Dimension, full_scale: float) -> tuple[Quantity, Accuracy]:
        """One reading in a fixed range that holds `full_scale` (SI); infinite on overload.

        It integrates over one line cycle. If it was not in the path yet, it is from now on.

        Raises:
            UsageError: it is no current, no range holds it, or a recording is running.
            InstrumentError: the instrument refused its settings, sources something, or sent no
                number.
        """
        self._need_idle()
        chosen = self._fitting(RANGES, dimension, full_scale)
        setup = self._set_up(chosen, 1.0, "SENS:CURR:AZER ON", "FORM:DATA ASC")
        return self._taken('READ? "defbuffer1"', dimension, setup)

    def start_recording(self, dimension: Dimension, full_scale: float, rate: float) -> None:
        """Begin to take reading after reading in a fixed range; earlier samples are dropped.

        Args:
            dimension: CURRENT.
            full_scale: Largest magnitude expected, SI.
            rate: 50 or 250 per second; what comes is a little less, or more at 250.

        Raises:
            UsageError: quantity, range or rate is not offered.
            InstrumentError: the instrument refused a setting, or sources something.
        """
        if rate not in CYCLES:
            raise UsageError(
                f"{self.name}: rate = {rate}/s; allowed: 50 or 250 per second: a 2450 takes its "
                "readings as they come; a 34465A or DMM6500 does 2 000 and more"
            )
        chosen, cycles = self._fitting(RANGES, dimension, full_scale), CYCLES[rate]
        self._recording = None
        setup = self._set_up(
            chosen,
            cycles,
            "SENS:CURR:AZER OFF",
            f'TRAC:POIN {self.BUFFER}, "defbuffer1"',
            "FORM:DATA REAL",
            "FORM:BORD NORM",
            f'TRIG:LOAD "SimpleLoop", {ENDLESS}, 0, "defbuffer1"',
        )
        aperture = cycles / self._ask("SYST:LFR?", encoding.integer)
        self._due = aperture + OVERHEAD / 2
        share = OVERHEAD / 2 / self._due
        opened, start_u = self._started("INIT", 'TRAC:ACT? "defbuffer1"', self._due, share)
        self._confirm_setup(setup)
        self._confirm({"SENS:CURR:NPLC?": cycles})
        self._begin(dimension, setup, self._due, opened + aperture / 2, start_u, share)

    def _ready(self, recording: Recording) -> int:
        """Readings since the start; their interval is measured anew by the newest's time stamp."""
        before = self._clock.now() if recording.ended is None else recording.ended
        place, stamp, asked = self._newest()
        turns = round((stamp / recording.interval + 1 - place) / self.BUFFER)
        count = place + max(turns, 0) * self.BUFFER
        if count >= COUNTED:
            interval = stamp / (count - 1)
            if not abs(interval - self._due) <= OVERHEAD / 2:
                raise InstrumentError(
                    f"{self.name}: by {asked!r} {count} readings came at {interval:.4g} s from "
                    f"each to the next, {self._due:.4g} s were due; {MEND}"
                )
            self._need_now(recording, stamp, before, asked)
            recording.interval, recording.clock_error = interval, CLOCK_ERROR
        return count

    def _need_now(self, recording: Recording, stamp: float, before: float, asked: str) -> None:
        """Make sure that the newest reading is of now, by its time stamp and the bench clock."""
        taken, after = recording.start + stamp, self._clock.now()
        slack = 4 * recording.start_u + CLOCK_ERROR * stamp
        if not before - 2 * self._due - slack <= taken <= after + slack:
            raise InstrumentError(
                f"{self.name}: by {asked!r} the newest reading was taken at {taken:.6g} s of the "
                f"bench clock, where {before:.6g} s to {after:.6g} s were due; {MEND}"
            )

    def _confirm_setup(self, setup: Setup) -> None:
        """Besides, make sure that the current is none of its own."""
        super()._confirm_setup(setup)
        self._confirm(PASSIVE)

    def _set_up(self, chosen: Range, cycles: float, *more: str) -> Setup:
        """Be in the path with 0 V, and measure; what it sources already is not interrupted."""
        self._session.write("ABOR")
        on, sourced = self._ask("OUTP?", encoding.switch), self._session.query("SOUR:FUNC?")
        if not on or sourced.strip() != "VOLT":
            self._configure(
                "OUTP OFF",
                "SOUR:FUNC VOLT",
                "OUTP:VOLT:SMOD HIMP",
                "SENS:CURR:RSEN OFF",
                "SOUR:VOLT:RANG 0.02",
                "SOUR:VOLT 0",
                f"SOUR:VOLT:ILIM {encoding.float_text(MOST)}",
            )
            self._confirm({each: PASSIVE[each] for each in PASSIVE if each != "OUTP?"})
            self._configure("OUTP ON")
        self._configure(
            'SENS:FUNC "CURR"',
            f"SENS:CURR:RANG {encoding.float_text(chosen.full_scale)}",
            f"SENS:CURR:NPLC {encoding.float_text(cycles)}",
            "SENS:CURR:AVER OFF",
            "SENS:CURR:UNIT AMP",
            "SENS:COUN 1",
            *more,
        )
        setup = Setup(chosen, "SENS:CURR")
        self._confirm_setup(setup)
        return setup
