"""The lease on the cut-off: who may keep it closed, and until when. Pure; time is an argument."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hil.errors import SafetyError

LONGEST = 10.0
"""Longest renewal in s that is ever granted."""
_NO_STEP = -1


@dataclass(frozen=True, slots=True)
class Lease:
    """State of one cut-off's lease."""

    epoch: int = 0
    """Epoch of the last grant or trip; only a larger one may close."""
    until: float | None = None
    """Time at which it lapses; None while the cut-off is open."""
    cause: str = "never closed"
    """Why it is open."""
    step: int = _NO_STEP
    """Step of the holder's progress at the last renewal."""
    final: bool = False
    """Whether no epoch whatever may close again."""
    used: bool = False
    """Whether it was ever granted."""

    def closed(self, now: float) -> bool:
        """Whether the cut-off may be closed at `now`."""
        return self.until is not None and now < self.until

    def lapsed(self, now: float) -> bool:
        """Whether it was held and its time is over, with nobody having opened."""
        return self.until is not None and not now < self.until

    def grant(self, epoch: int, seconds: float, now: float) -> Lease:
        """Close under a newer epoch.

        Raises:
            SafetyError: the epoch is void, or the cut-off stays open for good.
        """
        if self.final:
            raise SafetyError(f"the cut-off stays open: {self.cause}; start a new run")
        if epoch <= self.epoch:
            raise SafetyError(
                f"epoch {epoch} may not close the cut-off: epoch {self.epoch} was granted "
                f"({self.cause or 'held, or lapsed'}); ask with a larger one"
            )
        return Lease(epoch, now + _bounded(seconds), "", used=True)

    def renew(self, epoch: int, step: int, seconds: float, now: float) -> Lease:
        """Extend, if its holder has come further since; the same step again extends nothing.

        Args:
            epoch: of the grant.
            step: counts what the holder has done; a heartbeat over stuck logic repeats it.
            seconds: how long the next step may take.
            now: time in s.

        Raises:
            SafetyError: it has lapsed, was tripped or belongs to another epoch.
        """
        if epoch != self.epoch or not self.closed(now):
            why = self.cause or "lapsed"
            raise SafetyError(f"epoch {epoch} holds no lease: {why}; arm again")
        until = now + _bounded(seconds)
        return self if step <= self.step else replace(self, until=until, step=step)

    def trip(self, cause: str, *, final: bool = False) -> Lease:
        """Open now and void the epoch; `final` voids every later one too."""
        return Lease(self.epoch, None, cause, final=final or self.final, used=self.used)


def _bounded(seconds: float) -> float:
    if not 0 < seconds <= LONGEST:
        raise SafetyError(f"a lease of {seconds} s was asked for; allowed: up to {LONGEST} s")
    return seconds
