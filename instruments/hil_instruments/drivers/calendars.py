"""Date and time of instruments that keep them: how they are asked, and what sets them.

Keysight Truevolt help, SYSTem subsystem (date and time apart; the clock knows no time zone);
34980A help for the form of a switch unit's replies; those of an InfiniiVision 3000 and of a
DMM6500 (`Thu Sep 21 09:06:41 2023` for :SYST:TIME? 1) as programs of their users read them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hil.errors import InstrumentError

Query = Callable[[str], str]


@dataclass(frozen=True)
class Calendar:
    """How instruments of one maker are asked for date and time."""

    read: Callable[[Query], datetime]
    """Asks; what comes is taken for UTC. Raises InstrumentError if it is no date or time."""
    words: str
    """What sets it, in the format codes of strftime."""


def _apart(query: Query) -> datetime:
    """Date and time, asked one after the other; the date again, as midnight may lie between."""
    day = query("SYST:DATE?")
    for _ in range(2):
        time, before, day = query("SYST:TIME?"), day, query("SYST:DATE?")
        if day == before:
            break
    try:
        year, month, date = (int(float(part)) for part in day.split(","))
        hour, minute, second = (float(part) for part in time.split(","))
        told = datetime(year, month, date, int(hour), int(minute), tzinfo=UTC)
        return told + timedelta(seconds=second)
    except ValueError as err:
        raise InstrumentError(
            f"'SYST:DATE?' and 'SYST:TIME?' were answered {day!r} and {time!r}; expected year, "
            "month, day and hour, minute, second"
        ) from err


def _text(query: Query) -> datetime:
    told = query("SYST:TIME? 1")
    try:
        return datetime.strptime(told.strip(), "%a %b %d %H:%M:%S %Y").replace(tzinfo=UTC)
    except ValueError as err:
        raise InstrumentError(
            f"'SYST:TIME? 1' was answered {told!r}; expected as 'Thu Sep 21 09:06:41 2023'"
        ) from err


_KEYSIGHT = Calendar(_apart, "SYST:DATE %Y,%m,%d and SYST:TIME %H,%M,%S")
_KEITHLEY = Calendar(_text, "SYST:TIME %Y,%m,%d,%H,%M,%S")

CALENDARS: Mapping[str, Calendar] = {
    "keysight-34465a": _KEYSIGHT,
    "keysight-34461a": _KEYSIGHT,
    "keysight-34970a": _KEYSIGHT,
    "keysight-infiniivision": _KEYSIGHT,
    "keithley-dmm6500": _KEITHLEY,
}
"""Driver to how its instrument tells date and time; no other of ours is known to keep them."""
