"""Clocks with date and time, as two makers spell them. They know no time zone, and keep going.

What an instrument shows is the calendar of the bench and what somebody set it ahead by; neither
*RST nor a loss of power changes that.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from hil_instruments.simulated.scpi import Instrument, ScpiError, integer, number, optional, scpi


class Calendar(Instrument):
    """An instrument that keeps date and time."""

    ahead = timedelta(0)
    """By which it goes before the calendar of the bench."""

    @property
    def shown(self) -> datetime:
        """What it shows now."""
        return self.clock.calendar() + self.ahead

    def show(self, **parts: int) -> None:
        """Set parts of what it shows, named as those of a datetime.

        Raises:
            ScpiError: there is no such date or time.
        """
        try:
            shown = self.shown.replace(**parts)  # type: ignore[arg-type]  # no part is its tzinfo
        except ValueError as err:
            raise ScpiError(-222, str(err)) from err
        self.ahead = shown - self.clock.calendar()


class KeysightCalendar(Calendar):
    """Truevolt meters, 34970A, DAQ970A, InfiniiVision: date and time apart."""

    @scpi("SYSTem:DATE", integer(), integer(), integer())
    def _set_date(self, year: int, month: int, day: int) -> None:
        self.show(year=year, month=month, day=day)

    @scpi("SYSTem:DATE?")
    def _date(self) -> str:
        return f"{self.shown:%Y},{self.shown.month},{self.shown.day}"

    @scpi("SYSTem:TIME", integer(), integer(), number())
    def _set_time_of_day(self, hour: int, minute: int, second: float) -> None:
        self.show(hour=hour, minute=minute, second=int(second), microsecond=0)

    @scpi("SYSTem:TIME?")
    def _time_of_day(self) -> str:
        return f"{self.shown:%H,%M,%S}.{self.shown.microsecond // 1000:03d}"


class KeithleyCalendar(Calendar):
    """DMM6500: both, or the time alone, in one setting; told as text or since power-on."""

    @scpi("SYSTem:TIME", integer(), integer(), integer(), *(optional(integer()),) * 3)
    def _set_calendar(self, *given: int) -> None:
        parts = ("year", "month", "day", "hour", "minute", "second")[6 - len(given) :]
        self.show(**dict(zip(parts, given, strict=True)))

    @scpi("SYSTem:TIME?", optional(integer()))
    def _told(self, form: int = 0) -> str:
        return f"{self.shown:%a %b %d %H:%M:%S %Y}" if form else f"{self.clock.time:.15g}"
