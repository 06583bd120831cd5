"""How much a run looks at: coverage, which its time follows from."""

from __future__ import annotations

from enum import Enum


class Depth(Enum):
    """From the least to the most; a deeper run looks at all that a shallower one does."""

    SMOKE = "smoke"
    """One treatment for each subject."""
    STANDARD = "standard"
    """Every requirement, and one largest dose."""
    FULL = "full"
    """Every setting into every load, properties to a stated number of examples, a course."""

    def reaches(self, other: Depth) -> bool:
        """Whether a run of this depth does what begins at another one."""
        order = list(Depth)
        return order.index(self) >= order.index(other)
