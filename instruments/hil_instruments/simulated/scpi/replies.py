"""Replies: those of now, those that come later, and how numbers and blocks are written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Pending:
    """A reply that will be complete later: a measurement that takes its time."""

    ready: float
    """Bench time, of the bench's own count, at which it is complete; infinite for never."""
    produce: Callable[[], str | bytes]
    """Makes the reply, called once, at that time or later; may raise ScpiError."""


Answer: TypeAlias = str | bytes | Pending | None


def block(data: bytes, digits: int = 0) -> bytes:
    """Return a definite-length block; `digits` fixes the width of its length, 0 the shortest."""
    length = str(len(data)).zfill(digits)
    return f"#{len(length)}{length}".encode() + data


def scientific(value: float) -> str:
    """Write a number as `+1.23456789E-03`; infinity and NaN by the numbers that SCPI gives them."""
    if math.isnan(value):
        return "+9.91000000E+37"
    if math.isinf(value):
        value = math.copysign(9.9e37, value)
    return f"{value:+.8E}"
