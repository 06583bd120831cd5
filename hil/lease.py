"""The lease on the cut-off: who may keep it closed, and until when. Pure; time is an argument."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hil.errors import SafetyError

LONGEST = 10.0
"""Longest renewal in s that is ever granted."""


@dataclass(frozen=True, slots=True)
class Lease:
    """State of one cut-off's lease."""

    epoch: int = 0
    """Epoch of the last grant or trip; only a larger one may close."""
    until: float | None = None
    """Time at which it lapses; None while the cut-off is open."""
    cause: str = "never closed"
    """Why it is open."""

    def closed(self, now: float) -> bool:
        """Whether the cut-off may be closed at `now`."""
        return self.until is not None and now < self.until

    def grant(self, epoch: int, seconds: float, now: float) -> Lease:
        """Close under a newer epoch; raises SafetyError for one that a trip has voided."""
        if epoch <= self.epoch:
            raise SafetyError(
                f"epoch {epoch} may not close the cut-off: epoch {self.epoch} was granted "
                f"({self.cause or 'held, or lapsed'}); ask with a larger one"
            )
        return Lease(epoch, now + _bounded(seconds), "")

    def renew(self, epoch: int, seconds: float, now: float) -> Lease:
        """Extend; raises SafetyError if it has lapsed, was tripped or belongs to another epoch."""
        if epoch != self.epoch or not self.closed(now):
            why = self.cause or "lapsed"
            raise SafetyError(f"epoch {epoch} holds no lease: {why}; arm again")
        return replace(self, until=now + _bounded(seconds))

    def trip(self, cause: str) -> Lease:
        """Open now and void the epoch."""
        return Lease(self.epoch, None, cause)


def _bounded(seconds: float) -> float:
    if not 0 < seconds <= LONGEST:
        raise SafetyError(f"a lease of {seconds} s was asked for; allowed: up to {LONGEST} s")
    return seconds
