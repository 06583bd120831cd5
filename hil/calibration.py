"""What an instrument's specification says of a reading: by range, by age, by the air around it.

A data sheet or a certificate holds for a term after the calibration and for a band of temperatures.
Within both, a reading lies within its limits of error. In air outside of the band, what each kelvin
adds counts too. Beyond the term nothing is known, and nothing passes by that instrument.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from hil.capture import Accuracy
from hil.errors import UsageError
from hil.measurement import Calibration

_TERM = re.compile(r"([1-9]\d{0,3}) ?(h|d|months?|y)")
_DAY = timedelta(days=1)
_HOURS = 24
_MONTHS = 12


@dataclass(frozen=True, slots=True)
class Term:
    """How long a calibration or a specification holds."""

    number: int
    """How many of the unit."""
    unit: str
    """h, d, month or y; hours in whole days, for a calibration has no time of day."""

    @classmethod
    def parse(cls, text: str) -> Term:
        """Read "24 h", "90 d", "12 months" or "1 y"; raises UsageError."""
        found = _TERM.fullmatch(text)
        if found is None or (found[2] == "h" and int(found[1]) % _HOURS):
            raise UsageError(
                f'{text!r} is no term; write "24 h", "90 d", "12 months" or "1 y", whole days'
            )
        return cls(int(found[1]), found[2].removesuffix("s"))

    def after(self, day: date) -> date:
        """The last day on which it holds, of what was calibrated on a day; raises UsageError."""
        try:
            match self.unit:
                case "h":
                    return day + self.number // _HOURS * _DAY
                case "d":
                    return day + self.number * _DAY
            months = self.number * (_MONTHS if self.unit == "y" else 1)
            years, month = divmod(day.year * _MONTHS + day.month - 1 + months, _MONTHS)
            last = calendar.monthrange(years, month + 1)[1]
            return date(years, month + 1, min(day.day, last))
        except (ValueError, OverflowError) as err:
            raise UsageError(f"{self} after {day} lies beyond every calendar") from err

    def __str__(self) -> str:
        return f"{self.number} {self.unit}{'s' * (self.unit == 'month' and self.number > 1)}"


@dataclass(frozen=True, slots=True)
class Band:
    """Temperatures in degC, both ends included."""

    coldest: float
    warmest: float

    def beyond(self, other: Band) -> float:
        """By how many kelvin another one reaches out of this one, at most."""
        return max(self.coldest - other.coldest, other.warmest - self.warmest, 0.0)

    def with_(self, other: Band) -> Band:
        """The smallest one that holds both."""
        return Band(min(self.coldest, other.coldest), max(self.warmest, other.warmest))

    def __str__(self) -> str:
        return f"{self.coldest:g} to {self.warmest:g} degC"


@dataclass(frozen=True, slots=True)
class Specification:
    """Limits of error of one range for one age: +-(reading x gain + offset)."""

    range: str
    """Name of the range as the driver has it, as `10 mA`."""
    gain: float
    """Share of the reading."""
    offset: float
    """Share of the range, or absolute, in SI."""
    source: str
    """Certificate, or data sheet with title and revision."""
    term: Term = Term(1, "y")  # frozen
    """How long after a calibration it holds."""
    band: Band = Band(18.0, 28.0)  # frozen
    """Air in which it holds."""
    gain_per_kelvin: float | None = None
    """Share of the reading that each kelvin beyond the band adds; None if nobody tells."""
    offset_per_kelvin: float = 0.0
    """What each kelvin beyond the band adds to the offset, in SI."""
    resolution: float = 0.0
    """Step of the last digit, in SI; 0 where the limits of error hold it already."""
    coverage: float | None = None
    """Coverage factor k of gain and offset; None where they are limits."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Under which readings are taken."""

    calibrated: date | None = None
    """Day of the calibration; None if it is not known."""
    today: date | None = None
    """Day of the readings; None if nobody asks for an age."""
    air: Band | None = None
    """Air at the bench; None if nobody knows, and each specification's own is then assumed."""

    def outlived(self, term: Term) -> bool:
        """Whether what holds for a term holds no more."""
        if self.calibrated is None or self.today is None:
            return False
        return self.today > term.after(self.calibrated)


@dataclass(frozen=True, slots=True)
class Footing:
    """For how long, and in which air, the budgets of an instrument hold."""

    until: date | None
    """Last day; None if no day of calibration is known."""
    band: Band
    """Air that they count."""


def holding(specifications: Sequence[Specification], under: Circumstances) -> Specification:
    """Of several ages of one range the youngest one that still holds; if none does, the oldest.

    Raises:
        UsageError: there is none.
    """
    if not specifications:
        raise UsageError("a range without a specification has no limits of error")
    origin = under.calibrated or date(2000, 1, 1)
    rising = sorted(specifications, key=lambda each: each.term.after(origin))
    if under.calibrated is None:
        return rising[-1]  # how old it is, nobody knows
    return next((each for each in rising if not under.outlived(each.term)), rising[-1])


def accuracy(name: str, chosen: Specification, under: Circumstances) -> Accuracy:
    """Limits of error of one range as they are under some circumstances.

    Args:
        name: names instrument and range, as `SIM-0002[10 mA]`.
        chosen: by `holding`.
        under: age of the calibration, and air.
    """
    warmth = chosen.band.beyond(under.air) if under.air else 0.0
    standing = Calibration.VALID
    if warmth and chosen.gain_per_kelvin is None:
        standing = Calibration.OUTSIDE
    if under.outlived(chosen.term):
        standing = Calibration.AGED
    return Accuracy(
        name,
        chosen.gain,
        chosen.offset,
        chosen.source,
        coverage=chosen.coverage,
        warm_gain=warmth * (chosen.gain_per_kelvin or 0.0),
        warm_offset=warmth * chosen.offset_per_kelvin,
        resolution=chosen.resolution,
        standing=standing,
    )


def footing(chosen: Iterable[Specification], under: Circumstances) -> Footing:
    """For how long, and in which air, budgets by all these specifications hold.

    Raises:
        UsageError: there is none.
    """
    known = list(chosen)
    if not known:
        raise UsageError("an instrument without a range has no budgets")
    bands = [each.band.with_(under.air) if under.air else each.band for each in known]
    band = Band(max(each.coldest for each in bands), min(each.warmest for each in bands))
    if under.calibrated is None:
        return Footing(None, band)
    return Footing(min(each.term.after(under.calibrated) for each in known), band)
