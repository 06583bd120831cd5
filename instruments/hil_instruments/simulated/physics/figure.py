"""What a figure that is given to the circuit may be: nonsense must not become its state."""

from __future__ import annotations

import math

from hil.errors import UsageError


def at_least(low: float, value: float, what: str, *, endless: bool = False) -> float:
    """Return a figure that is `low` or more; raises UsageError otherwise, also for NaN.

    Args:
        low: smallest one allowed, inclusive.
        value: the figure.
        what: its name with its unit, for the message.
        endless: whether it may be infinite.
    """
    if value >= low and (endless or value < math.inf):
        return value
    most = "" if endless else ", finite"
    raise UsageError(f"circuit: {what} = {value}; allowed: {low:g} or more{most}")
