"""Recordings in the reading buffer of Keithley's newer instruments, which overwrites its oldest.

How many readings there were in all is told by the place of the newest and by its time stamp.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import ClassVar

from hil.errors import InstrumentError
from hil_instruments import encoding
from hil_instruments.drivers.instrument import MEND
from hil_instruments.drivers.meter import Meter, Recording

PIECE = 20_000
"""Readings fetched in one exchange: 160 kB."""


class BufferedMeter(Meter):
    """A meter whose recordings go through `defbuffer1`, in REAL and NORMal byte order."""

    BUFFER: ClassVar[int]
    """Readings of the buffer."""
    KEPT: ClassVar[int]
    """Readings left unread of which none is lost; the rest is room for those of a fetch."""

    def _newest(self) -> tuple[int, float, str]:
        """Place of the newest reading (0: none), its time in s after the first, the question."""
        place = self._ask('TRAC:ACT:END? "defbuffer1"', encoding.integer)
        asked = f'TRAC:DATA? {place}, {place}, "defbuffer1", REL'
        stamp = float(self._ask_block(asked, encoding.reals, 8)[0]) if place else 0.0
        if not 0 <= stamp < math.inf:
            raise InstrumentError(
                f"{self.name}: {asked!r} was answered by {stamp} s, which is no time; {MEND}"
            )
        return place, stamp, asked

    def _fetch(self, recording: Recording, ready: int) -> int:
        """Fetch up to a reading; what the buffer may have overwritten by now is a gap before."""
        waiting = ready - recording.total
        if waiting < 0:
            raise InstrumentError(
                f"{self.name}: by TRAC:ACT:END? {ready} readings since the start, after "
                f"{recording.total}; it was reset, or another program uses it"
            )
        most = recording.taken_at(self._clock.now())
        if ready > most + recording.tolerance(most):
            raise InstrumentError(
                f"{self.name}: by TRAC:ACT:END? and its time stamp {ready} readings since the "
                f"start, where the bench clock has room for {most}; {MEND}"
            )
        if waiting > self.KEPT:
            recording.lose(waiting - self.KEPT)
        begun, fetched = recording.total, 0
        for first, last in self._stretches(recording.total, ready):
            count = last - first + 1
            asked = f'TRAC:DATA? {first}, {last}, "defbuffer1", READ'
            samples = self._several(asked, encoding.reals, recording, 8 * count)
            if len(samples) != count:
                raise InstrumentError(f"{self.name}: {asked} brought {len(samples)} readings")
            recording.add(samples)
            fetched += count
        if fetched > self.KEPT - PIECE and self._ready(recording) - begun > self.BUFFER:
            raise InstrumentError(
                f"{self.name}: readings were overwritten while they were fetched: the link is "
                "slower than the sampling; drain more often or sample more slowly"
            )
        return fetched

    def _stretches(self, begin: int, end: int) -> Iterator[tuple[int, int]]:
        """Places of readings `begin` to `end` - 1 in the buffer, from 1, a piece at a time."""
        while begin < end:
            place = begin % self.BUFFER
            count = min(PIECE, end - begin, self.BUFFER - place)
            yield place + 1, place + count
            begin += count
