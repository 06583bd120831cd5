"""Probabilities of a decision: how likely the true value lies inside, and an accepted one outside.

JCGM 106, clause 7: the true value is taken as normally distributed about the measured one, with its
standard uncertainty. In Decimal throughout: the same digits on every machine.
"""

from __future__ import annotations

from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from functools import lru_cache

_WIDE = Context(prec=40, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_PI = Decimal("3.1415926535897932384626433832795028841972")
_CENTRE = Decimal(4)
"""Up to here the series about zero loses few digits; beyond it the continued fraction is short."""
_NOWHERE = Decimal(40)
"""Beyond so many standard uncertainties no float tells the probability from 0."""
_DEPTH = 80
"""Levels of the continued fraction: 25 digits at `_CENTRE`, more beyond."""


def tail(distance: Decimal) -> Decimal:
    """Probability that a standard normal variable exceeds `distance`, to 20 digits or more.

    Args:
        distance: in standard deviations, of either sign; beyond 40 the answer is 0 or 1.
    """
    if distance.is_signed():
        return _WIDE.subtract(Decimal(1), tail(distance.copy_negate()))
    return Decimal(0) if distance > _NOWHERE else _upper(_WIDE.plus(distance))


@lru_cache(maxsize=1024)
def _upper(z: Decimal) -> Decimal:
    square = _WIDE.multiply(z, z)
    density = _WIDE.divide(
        _WIDE.exp(_WIDE.divide(square, Decimal(-2))), _WIDE.sqrt(_WIDE.multiply(2, _PI))
    )
    if z > _CENTRE:
        below = z
        for level in range(_DEPTH, 0, -1):
            below = _WIDE.add(z, _WIDE.divide(Decimal(level), below))
        return _WIDE.divide(density, below)
    term = total = z
    odd = 1
    while term > _WIDE.multiply(total, Decimal("1E-40")):
        odd += 2
        term = _WIDE.divide(_WIDE.multiply(term, square), Decimal(odd))
        total = _WIDE.add(total, term)
    return _WIDE.subtract(Decimal("0.5"), _WIDE.multiply(density, total))


def outside(value: Decimal, u: float, lower: Decimal | None, upper: Decimal | None) -> Decimal:
    """Probability that the true value lies outside its tolerance limits.

    Args:
        value: measured, finite.
        u: standard uncertainty, finite, 0 or more; with 0 the answer is 0 or 1.
        lower: tolerance limit; None where there is none.
        upper: tolerance limit; None where there is none.
    """
    spread = Decimal(repr(u))
    room = [] if upper is None else [_WIDE.subtract(upper, value)]
    room += [] if lower is None else [_WIDE.subtract(value, lower)]
    if spread == 0:
        return Decimal(any(distance < 0 for distance in room))
    parts = [tail(_WIDE.divide(distance, spread)) for distance in room]
    return sum(parts, start=Decimal(0))


def ratio(part: Decimal, whole: Decimal) -> float | None:
    """Return part / whole; None if whole is 0."""
    return None if whole == 0 else float(_WIDE.divide(part, whole))
