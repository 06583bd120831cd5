"""What hangs on the output, and what it keeps while it is off: charge and fallen resistance."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hil.bench import LoadEntry
from hil_instruments.simulated.physics.skin import Fall, links, rested

TOLERANCE = 1e-4
"""Error of the voltage across yielding skin, a share of compliance, at which it is solved anew."""
_SHORTEST = 10e-6  # s between two such solutions


@dataclass(frozen=True, slots=True)
class Yield:
    """How yielding skin enters one stretch."""

    level: float = 0.0
    """Current in A beside that of the resistance in the network, at the begin."""
    slope: float = 0.0
    """Its change in A/s."""
    span: float = math.inf
    """Seconds for which that holds within the tolerance."""
    exact: bool = True
    """Whether the resistance in the network is near enough; else it must be the present one."""


@dataclass(frozen=True, slots=True)
class _Rest:
    voltages: dict[str, float]
    wet: float
    share: float
    since: float


class Load:
    """The connected load."""

    def __init__(self) -> None:
        """Begin with nothing connected."""
        self.entry: LoadEntry | None = None
        """What is connected."""
        self.share = 1.0
        """Of the active electrode's area that touches."""
        self.ohm: float | None = None
        """Resistance in the network of a link that falls; None where none does."""
        self.fall: Fall | None = None
        """Its law."""
        self.wet = 1.0
        """Its state: 1 dry, 0 at its final resistance."""
        self._rests: dict[LoadEntry, _Rest] = {}

    @property
    def resistance(self) -> float:
        """Present resistance in ohm of the link that falls; 0 where none does."""
        return self.fall.resistance(self.wet) if self.fall else 0.0

    @property
    def excess(self) -> float:
        """Conductance in S beside that in the network, of a link that falls; 0 where none does."""
        return (1 / self.resistance - 1 / self.ohm) * self.share if self.ohm else 0.0

    def change(
        self, entry: LoadEntry | None, voltages: dict[str, float], now: float
    ) -> dict[str, float]:
        """Connect a load, or nothing; return what its capacitors hold in V.

        Args:
            entry: what is connected from now on.
            voltages: what the capacitors hold in V of the one until now.
            now: bench time in s.
        """
        if self.entry is not None:
            self._rests[self.entry] = _Rest(voltages, self.wet, self.share, now)
        self.entry, self.fall = entry, Fall.of(entry)
        self.wet, self.ohm = 1.0, None
        rest = self._rests.pop(entry, None) if entry else None
        held: dict[str, float] = {}
        if entry and rest:
            span = now - rest.since
            if self.fall:
                self.wet = self.fall.after(rest.wet, 0.0, span)
            ohm = self.fall.resistance(rest.wet) if self.fall else None
            held = rested(links(entry, rest.share, ohm), rest.voltages, span)
        if self.fall:
            self.ohm = self.fall.resistance(self.wet)
        return held

    def settle(self, mean: float, span: float) -> None:
        """Let the skin yield for `span` seconds under a mean of |voltage| across it in V."""
        law = self.fall
        if law:
            middle = law.after(self.wet, mean / self.resistance, span / 2)
            self.wet = law.after(self.wet, mean / law.resistance(middle), span)

    def plan(self, now: float, later: float, tolerance: float) -> Yield:
        """Return how the skin enters the next stretch.

        Around the resistance in the network the present one is a conductance more, which is taken
        to first order in time: what is left out is of second order and bounded here.

        Args:
            now: voltage across it in V.
            later: where that voltage goes without an event.
            tolerance: error in V that is allowed.
        """
        if self.fall is None or self.ohm is None:
            return Yield()
        law, ohm, off = self.fall, self.resistance, abs(self.excess) * self.resistance / self.share
        change, largest = abs(later - now), max(abs(now), abs(later))
        share = (law.start - law.final) / ohm
        pace = -share * law.pace(self.wet, now / ohm)  # of the conductance, relative
        quick = share * abs(law.pace(self.wet, largest / ohm))
        bend = quick * (2 * quick + law.rate(largest / ohm))  # bound of its second derivative
        quarter = tolerance / 4
        span = min(_over(quarter, quick * change), math.sqrt(_over(quarter, largest * bend / 2)))
        if off * change > quarter or _over(quarter, off * quick * largest) < span / 2:
            return Yield(exact=False)
        span = min(span, _over(quarter, off * quick * largest))
        return Yield(
            level=now * self.excess,
            slope=now * pace / ohm * self.share,
            span=max(span, _SHORTEST),
        )


def _over(share: float, whole: float) -> float:
    return share / whole if whole else math.inf
