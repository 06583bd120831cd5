"""What all drivers share: a session, a clock, who the instrument is, and its error queue."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import date
from typing import TYPE_CHECKING, TypeVar

from hil.bench import InstrumentEntry
from hil.capture import Accuracy, Source
from hil.errors import BenchError, InstrumentError
from hil.measurement import Calibration, poorer
from hil.provenance import PREFIX
from hil.roles import Clock
from hil_instruments import encoding

if TYPE_CHECKING:  # a driver needs no pyvisa of its own
    from hil_instruments.transport import Session

_Read = TypeVar("_Read")
_Sent = TypeVar("_Sent", str, bytes)

LONGEST_QUEUE = 100
"""An error queue that still answers after as many entries is broken."""
MEND = "check cable and line settings, and that no other program uses this instrument"
"""What to do about a reply that was not asked for."""
AGREES, ZERO = 1e-6, 1e-12
"""Relative difference up to which a number reads back as it was set; and the largest
difference that counts as none."""


def calibration_of(entry: InstrumentEntry, serial: str, today: date) -> Calibration:
    """State of an instrument's calibration on a day.

    Args:
        entry: Bench entry with certificate and due date.
        serial: Serial number that the instrument answered.
        today: Day of the measurement.
    """
    if serial.startswith(PREFIX):
        return Calibration.VALID
    if not entry.certificate or entry.due is None:
        return Calibration.UNKNOWN
    return Calibration.EXPIRED if today > entry.due else Calibration.VALID


class Instrument:
    """A SCPI instrument in one role of the bench."""

    ERROR_QUERY = "SYST:ERR?"

    def __init__(
        self, session: Session, clock: Clock, entry: InstrumentEntry, calibration: Calibration
    ) -> None:
        self._session = session
        self._clock = clock
        self._entry = entry
        self._calibration = calibration

    @property
    def serial(self) -> str:
        """Serial number; starts with SIM- on a simulated instrument."""
        return self._session.identity.serial

    @property
    def name(self) -> str:
        """Role and resource, for messages."""
        return self._session.name

    def errors(self) -> list[str]:
        """Read and empty the error queue, oldest first, as `-222,"Data out of range"`.

        Raises:
            InstrumentError: the reply is none, or the queue does not end.
        """
        found: list[str] = []
        while len(found) < LONGEST_QUEUE:
            code, told = self._ask(self.ERROR_QUERY, _entry)
            if code == 0:
                return found
            found.append(told)
        raise InstrumentError(
            f"{self.name}: {self.ERROR_QUERY!r} was answered by more than {LONGEST_QUEUE} errors; "
            f"{MEND}"
        )

    def close(self) -> None:
        """Close the session; never changes the instrument's state."""
        self._session.close()

    def _configure(self, *commands: str) -> None:
        """Send commands and make sure that all were taken.

        Errors that were queued before are no fault of these commands: they are read first, and stay
        in the transcript.

        Raises:
            InstrumentError: names the commands and the errors.
        """
        self.errors()
        for command in commands:
            self._session.write(command)
        refused = self.errors()
        if refused:
            raise InstrumentError(
                f"{self.name} refused one of {', '.join(map(repr, commands))}: "
                f"{'; '.join(refused)}; look that up in its manual, and {MEND}"
            )

    def _confirm(self, settings: Mapping[str, float | str], *, within: float = ZERO) -> None:
        """Ask for settings and make sure that each is what was set.

        Args:
            settings: question to what it must answer: a number, or a word.
            within: difference up to which numbers are the same, beside AGREES.

        Raises:
            InstrumentError: names the question, what was set and what came.
        """
        for question, wanted in settings.items():
            came = self._session.query(question).strip()
            if isinstance(wanted, str):
                same = came.strip('"').upper() == wanted.upper()
            else:
                number = self._understood(question, came, encoding.number)
                same = math.isclose(number, wanted, rel_tol=AGREES, abs_tol=within)
            if not same:
                raise InstrumentError(
                    f"{self.name}: {wanted} was set and {question} answers {came!r}; somebody else "
                    "uses this instrument, or it has no such setting"
                )

    def _ask(self, question: str, read: Callable[[str], _Read]) -> _Read:
        """Ask, and read the reply; raises as `_understood`."""
        return self._understood(question, self._session.query(question), read)

    def _ask_block(
        self, question: str, read: Callable[[bytes], _Read], length: int | None = None
    ) -> _Read:
        """Ask for a block, and read its payload, of so many bytes if that is known."""
        block = self._session.query_block(question, length=length)
        return self._understood(question, block, read)

    def _understood(self, question: str, reply: _Sent, read: Callable[[_Sent], _Read]) -> _Read:
        """Read a reply; what else still comes after one that is none is thrown away.

        It may have been another question's, and each later reply would be one late.

        Raises:
            InstrumentError: names instrument, question, what came, and what to do.
        """
        try:
            return read(reply)
        except InstrumentError as err:
            with suppress(BenchError):  # the session is poisoned then
                self._session.discard()
            raise InstrumentError(f"{self.name}: {question!r}: {err}; {MEND}") from err

    def _source(self, accuracy: Accuracy) -> Source:
        state = poorer(self._calibration, accuracy.standing)
        return Source(self._entry.role, self.serial, accuracy, state)


def one_of(known: Mapping[str, _Read]) -> Callable[[str], _Read]:
    """Read one of these words; the reader raises InstrumentError for any other."""

    def read(text: str) -> _Read:
        word = text.strip()
        if word not in known:
            raise InstrumentError(f"{word!r} came; expected {', '.join(known)}")
        return known[word]

    return read


def _entry(text: str) -> tuple[int, str]:
    """Code of an entry of the error queue, and the entry as it came."""
    return encoding.error_entry(text)[0], text
