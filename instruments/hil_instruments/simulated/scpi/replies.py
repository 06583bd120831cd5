"""Replies: those of now, those that come later, and how numbers, texts and blocks are written."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias


class Pending:
    """A reply that will be complete later: a measurement that takes its time.

    Returned by a command, not a query, it holds back what follows in the same message.
    """

    __slots__ = ("_produce", "_ready")

    def __init__(self, ready: float | Callable[[], float], produce: Callable[[], Answer]) -> None:
        """Promise a reply.

        Args:
            ready: bench time, of the bench's own count, at which it is complete, infinite for
                never; or a function that says so anew each time, where a trigger may move it.
            produce: makes the reply at that time or later; may raise ScpiError, may give another
                `Pending` (not yet), or None (no reply).
        """
        self._ready = ready
        self._produce = produce

    @property
    def ready(self) -> float:
        """Bench time at which to call `produce`; infinite for never."""
        ready = self._ready
        return ready if isinstance(ready, float | int) else ready()

    def produce(self) -> Answer:
        """Make the reply, once, at its time or later."""
        return self._produce()


Answer: TypeAlias = str | bytes | Pending | None


class Indefinite(bytes):
    """A reply whose end is only told by the end of the message: no query may follow it."""

    __slots__ = ()


def block(data: bytes, digits: int = 0) -> bytes:
    """Return a definite-length block; `digits` fixes the width of its length, 0 the shortest."""
    length = str(len(data)).zfill(digits)
    return f"#{len(length)}{length}".encode() + data


def indefinite(data: bytes) -> Indefinite:
    """Return an indefinite-length block; it ends the message (IEEE 488.2, 8.7.10)."""
    return Indefinite(b"#0" + data)


def quoted(text: str) -> str:
    """Return string response data: `"` round the text, and doubled inside it."""
    return '"' + text.replace('"', '""') + '"'


def scientific(value: float) -> str:
    """Write a number as `+1.23456789E-03`; infinity and NaN by the numbers that SCPI gives them."""
    if math.isfinite(value):
        return _write(value)
    return "+9.91000000E+37" if math.isnan(value) else _write(math.copysign(9.9e37, value))


_write = "%+.8E".__mod__  # a quarter faster than an f-string; every reading of a meter is one
