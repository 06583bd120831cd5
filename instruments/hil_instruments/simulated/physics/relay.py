"""A relay contact that takes its time, and may bounce."""

from __future__ import annotations

import math
from dataclasses import dataclass, field


@dataclass(slots=True)
class Relay:
    """One contact; it moves when `due` says so."""

    closed: bool = False
    """Whether the contact is closed."""
    driven: bool = False
    """Whether its coil is driven."""
    was_closed: bool = False
    """Whether it has ever been closed."""
    _moves: list[float] = field(default_factory=list)

    @property
    def due(self) -> float:
        """Bench time in s of the next movement; infinite if none is under way."""
        return self._moves[0] if self._moves else math.inf

    def drive(self, *, closed: bool, after: float, bounces: tuple[float, ...] = ()) -> None:
        """Drive or release the coil.

        Args:
            closed: where the contact shall go.
            after: bench time in s at which it gets there.
            bounces: bench times in s at which it opens and closes again afterwards, in turn.
        """
        self.driven = closed
        self._moves = [after, *bounces] if closed != self.closed else []

    def move(self) -> None:
        """Do the movement that is due."""
        self._moves.pop(0)
        self.closed = not self.closed
        self.was_closed |= self.closed


def bounces(closed_at: float, count: int, length: float) -> tuple[float, ...]:
    """Bench times in s of a bouncing contact: open, closed, open, ... and closed at last."""
    return tuple(closed_at + (number + 1) * length for number in range(2 * count))
