"""How uncertainty enters a decision: the guard band w between tolerance and acceptance limit.

JCGM 106 and ILAC-G8 for w = r U; "Method 6" of the handbook to ANSI/NCSL Z540.3 (formula: secondary
source) for two-sided tolerances.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_CEILING, Context, Decimal
from enum import Enum

from hil.errors import UsageError
from hil.exact import ARITHMETIC

LARGEST_FACTOR = Decimal(3)
"""Largest guard factor; ILAC-G8 names no larger one."""
RULES = (
    f'allowed: "guarded", "simple", "method 6", or "guard factor r" with r above 0 and at most '
    f'{LARGEST_FACTOR}, as "guard factor 0.83"'
)
"""What a rule may be, for messages."""
_MANAGED = Context(prec=34)
"""Decimal's exp and ln are rounded correctly: a replay on another machine gives the same digits."""
_WRITTEN = Context(prec=12, rounding=ROUND_CEILING)
"""A guard band is written with 12 digits, and never narrower than it was worked out."""
_SHARE = re.compile(r"guard factor (\d+(?:\.\d+)?)")


class Guard(Enum):
    """What the guard band follows from; the value is the word in files and records."""

    EXPANDED = "guarded"
    """w = U: default for limits that protect the patient."""
    NONE = "simple"
    """w = 0: the measured value alone is compared."""
    SHARE = "guard factor"
    """w = r U."""
    METHOD_6 = "method 6"
    """w = U (1.04 - exp(0.38 ln TUR - 0.54)), never negative: false accepts of 2 % at most, for
    any prior; two-sided tolerances only."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A decision rule; raises UsageError for a factor that it cannot have."""

    guard: Guard
    """What w follows from."""
    factor: Decimal | None = None
    """r of a guard factor, above 0 and at most 3; no other rule has one."""

    def __post_init__(self) -> None:
        if (self.guard is Guard.SHARE) != (self.factor is not None):
            raise UsageError(f"rule {self.guard.value!r} and factor {self.factor}: {RULES}")
        known = self.factor is None or (
            self.factor.is_finite() and 0 < self.factor <= LARGEST_FACTOR
        )
        if not known:
            raise UsageError(f"guard factor {self.factor}: {RULES}")

    @classmethod
    def parse(cls, text: str) -> Rule:
        """Read "guarded", "simple", "guard factor 0.83" or "method 6"; raises UsageError."""
        if found := _SHARE.fullmatch(text):
            return cls(Guard.SHARE, Decimal(found[1]))
        named = {guard.value: guard for guard in Guard if guard is not Guard.SHARE}
        if text not in named:
            raise UsageError(f"rule {text!r} is unknown: {RULES}")
        return cls(named[text])

    def width(self, expanded: Decimal, half: Decimal | None) -> Decimal:
        """Guard band w in the unit of `expanded`, 0 or more.

        Args:
            expanded: U (k = 2), finite, 0 or more.
            half: half-width of a two-sided tolerance; None for a one-sided limit.

        Raises:
            UsageError: method 6 without a half-width.
        """
        if self.guard is Guard.METHOD_6:
            return _managed(expanded, half)
        if self.guard is Guard.NONE:
            return Decimal(0)
        return ARITHMETIC.multiply(expanded, self.factor or Decimal(1))

    @property
    def text(self) -> str:
        """In words, with its formula, as a report prints it."""
        return {
            Guard.EXPANDED: "guarded acceptance, w = U",
            Guard.NONE: "simple acceptance, w = 0",
            Guard.SHARE: f"guarded acceptance, w = {self.factor} U",
            Guard.METHOD_6: "guarded acceptance by Method 6, "
            "w = U (1.04 - exp(0.38 ln TUR - 0.54)), at least 0",
        }[self.guard]

    def __str__(self) -> str:
        return self.guard.value if self.factor is None else f"{self.guard.value} {self.factor:f}"


GUARDED = Rule(Guard.EXPANDED)
"""w = U."""
SIMPLE = Rule(Guard.NONE)
"""w = 0."""
METHOD_6 = Rule(Guard.METHOD_6)
"""w as managed by Method 6."""


def _managed(expanded: Decimal, half: Decimal | None) -> Decimal:
    if half is None:
        raise UsageError("method 6 is defined for two-sided tolerances; the limit is one-sided")
    if expanded == 0:
        return Decimal(0)  # TUR without bound: w is negative there, and then 0
    if half == 0:
        return _WRITTEN.multiply(expanded, Decimal("1.04"))  # TUR = 0: the exponential is 0
    ratio = _MANAGED.divide(half, expanded)
    power = _MANAGED.subtract(
        _MANAGED.multiply(Decimal("0.38"), ratio.ln(_MANAGED)), Decimal("0.54")
    )
    factor = _MANAGED.subtract(Decimal("1.04"), power.exp(_MANAGED))
    return max(_WRITTEN.multiply(expanded, factor), Decimal(0))
