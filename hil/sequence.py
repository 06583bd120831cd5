"""A sequence: what is done to a device, one command after another, as somebody at it would.

A scenario knows when each thing happens; a sequence knows only the order, and lets time pass where
it says so. It is data: properties draw it, a file holds it, and any bench can repeat it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hil.errors import UsageError
from hil.exact import Dimension, Exact


class Do(Enum):
    """What a command of a sequence does."""

    SET = "set"
    """A setting: for the next start, or while current flows."""
    START = "start"
    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    """Normal stop, with a ramp down."""
    ABORT = "abort"
    """Stop at once."""
    OPEN = "open"
    """The electrode lifts off."""
    RECONNECT = "reconnect"
    ACKNOWLEDGE = "acknowledge"
    """A fault is acknowledged, as an operator would."""
    WAIT = "wait"
    """Time passes."""


VALUES = {Do.SET: Dimension.CURRENT, Do.WAIT: Dimension.TIME}
"""Commands that take a value, and of which kind."""


@dataclass(frozen=True, slots=True)
class Command:
    """One command of a sequence."""

    do: Do
    """What is done."""
    value: Exact | None = None
    """Setting in A, > 0, or time in s, >= 0; None for a command that takes none."""

    def __post_init__(self) -> None:
        wanted = VALUES.get(self.do)
        if wanted is None:
            if self.value is not None:
                raise UsageError(f"{self.do.value} takes no value; {self.value} was given")
            return
        if not isinstance(self.value, Exact):
            kind = wanted.name.lower()
            raise UsageError(f"{self.do.value} needs a {kind}, as Exact.parse; {self.value} came")
        base = self.value.require(wanted).base
        if not base.is_finite() or base < 0 or (base == 0 and self.do is Do.SET):
            raise UsageError(f"{self.do.value} {self.value}: allowed: finite, above 0")

    def __str__(self) -> str:
        return self.do.value if self.value is None else f"{self.do.value} {self.value}"
