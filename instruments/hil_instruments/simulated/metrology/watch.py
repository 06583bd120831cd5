"""Finding the moment at which a signal crosses a level.

The circuit is exact between its events, so the search looks at the beginning of every piece and at
places that come ever closer to it: a pulse between two events is seen however short it is. Where a
signal does not tell its pieces, a grid takes their place.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, TypeAlias

import numpy as np
import numpy.typing as npt

Values: TypeAlias = npt.NDArray[np.float64]

# Places within a piece: ages that cover every time constant an exponential may have, and shares of
# its length, for ramps and for what is slow against it.
_AGES = np.geomspace(1e-9, 1e4, 66)
_SHARES = np.linspace(0.0, 1.0, 17)[1:]
_FEW_AGES, _FEW_SHARES = np.geomspace(1e-8, 1e4, 13), np.array([0.3, 0.7, 1.0])
_MANY_PIECES = 2_000
"""Above so many pieces they are small, and a few places in each are enough."""
_CHUNK = 65_536
_FINE = 65
_APART = 1e-6
"""Distance in V to a level that a signal at rest cannot cross."""
_SHORTEST = 1e-10
"""Resolution in s of the moment that is found."""


class Signal(Protocol):
    """A voltage or current over time, known up to now."""

    def at(self, times: Values) -> Values:
        """Values at rising times."""
        ...

    def breaks(self, since: float, until: float) -> Values:
        """Times in (since, until] at which it may change abruptly, rising."""
        ...

    def began(self, time: float) -> float:
        """Time since which it has been smooth, up to a past time."""
        ...

    def resting(self, since: float) -> float | None:
        """Value at which it has rested since a past time until now; None if it has not."""
        ...

    def bounds(self, since: float) -> tuple[float, float] | None:
        """Values between which it has certainly stayed since a past time; None if unknown."""
        ...


def places(signal: Signal, since: float, until: float) -> Iterator[Values]:
    """Yield rising times that cover `since` to `until`, a chunk at a time, each with the last."""
    edges = np.concatenate(([since], signal.breaks(since, until), [until]))
    edges = edges[np.concatenate(([True], np.diff(edges) > 0))]
    many = len(edges) > _MANY_PIECES
    ages, shares = (_FEW_AGES, _FEW_SHARES) if many else (_AGES, _SHARES)
    at_once = max(_CHUNK // (len(ages) + len(shares)), 1)
    for first in range(0, len(edges) - 1, at_once):
        begins = edges[first : first + at_once + 1]
        lengths = np.diff(begins)[:, np.newaxis]
        inside = np.concatenate((np.minimum(ages, lengths), shares * lengths), axis=1)
        inside.sort(axis=1)
        inside += begins[:-1, np.newaxis]
        inside[:, -1] = begins[1:]
        yield np.concatenate((begins[:1], inside.ravel()))


def first_crossing(
    signal: Signal, since: float, until: float, level: float, slope: str
) -> float | None:
    """Return when the signal first crosses a level; None if it does not.

    Args:
        signal: what is watched.
        since: bench time in s; a signal that is beyond the level from the start crosses nothing.
        until: bench time in s, not in the future.
        level: in the unit of the signal.
        slope: POS, NEG or RFAL (either).
    """
    if until <= since or _is_quiet(signal, since, until, level):
        return None
    for times in places(signal, since, until):
        found = _crossing(signal, times, level, slope)
        if found is not None:
            low, high = float(times[found]), float(times[found + 1])
            return _narrowed(signal, low, high, level, slope)
    return None


def last_crossing(
    signal: Signal, since: float, until: float, level: float, slope: str
) -> float | None:
    """Return when the signal last crosses a level between two times, as `first_crossing`."""
    if until <= since or _is_quiet(signal, since, until, level):
        return None
    for times in reversed(list(places(signal, since, until))):
        above = signal.at(times) >= level
        found = np.flatnonzero(_edges(above, slope))
        if found.size:
            place = int(found[-1])
            low, high = float(times[place]), float(times[place + 1])
            return _narrowed(signal, low, high, level, slope)
    return None


def _is_quiet(signal: Signal, since: float, until: float, level: float) -> bool:
    """Whether it certainly stayed away, or a short look within an old piece shows nothing.

    These are the common cases of a poll. What is still alive in a piece after some age changes
    little over half of it.
    """
    rest = signal.resting(since)
    if rest is not None and abs(rest - level) > _APART:
        return True
    bounds = signal.bounds(since)
    if bounds and not bounds[0] - _APART <= level <= bounds[1] + _APART:
        return True
    length = until - since
    if 2 * length > since - signal.began(since) or len(signal.breaks(since, until)):
        return False
    above = signal.at(np.array((since, since + length / 3, since + length / 1.5, until))) >= level
    return bool(above.all() or not above.any())


def _crossing(signal: Signal, times: Values, level: float, slope: str) -> int | None:
    wanted = _edges(signal.at(times) >= level, slope)
    return int(np.argmax(wanted)) if wanted.any() else None


def _edges(above: npt.NDArray[np.bool_], slope: str) -> npt.NDArray[np.bool_]:
    before, after = above[:-1], above[1:]
    if slope == "POS":
        return ~before & after
    return before & ~after if slope == "NEG" else before ^ after


def _narrowed(signal: Signal, low: float, high: float, level: float, slope: str) -> float:
    while high - low > _SHORTEST:
        times = np.linspace(low, high, _FINE)
        place = _crossing(signal, times, level, slope)
        if place is None or (times[place], times[place + 1]) == (low, high):
            break
        low, high = float(times[place]), float(times[place + 1])
    return high
