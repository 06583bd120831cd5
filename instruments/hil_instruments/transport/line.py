"""What carries messages: a raw socket that pyvisa-py opened, or the calls of a VISA library.

A line frames messages and turns the errors of a library into two of ours. It knows neither who asks
nor what an exchange is: that is a `Session`'s.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from hil_instruments import encoding

QUIET = 0.05
"""Seconds without a byte after which `discard` takes a line for quiet."""
SLICE = 0.05
"""Seconds for which a wait goes on without a look at what the bench wants."""
CHUNK = 2**16
"""Bytes asked of a VISA library at once."""


class Silence(Exception):
    """No complete message came, or none could be sent, in time."""

    def __str__(self) -> str:
        return "timeout"


class Gone(Exception):
    """The peer is gone."""


@dataclass(frozen=True, slots=True)
class Block:
    """How a block comes."""

    name: bytes = b""
    """What stands before it."""
    length: int | None = None
    """Bytes of its payload where they are known; only then it may be of indefinite length."""

    def announced(self, read: Callable[[int], bytes]) -> int:
        """Read a block's beginning off a byte stream; bytes of its payload, announced or known."""
        encoding.unnamed(read(len(self.name)), self.name)
        head = read(2)
        if head == encoding.INDEFINITE and self.length is not None:
            return self.length
        return encoding.block_length(read(encoding.block_digits(head)))


def deaf() -> None:
    """Heed nothing: what a line does while nobody is to be heeded."""


class Line(Protocol):
    """What carries messages: their framing, and the library's errors turned into two of ours."""

    heed: Callable[[], None]
    """Called every SLICE s while a reply is awaited; whatever it raises ends the wait."""
    stream: bool
    """Whether nothing but bytes of its own marks the end of a message."""

    def send(self, data: bytes, timeout: float) -> None:
        """Send a whole message; raises Silence if it is not taken in `timeout` s, Gone."""
        ...

    def receive_line(self, timeout: float) -> bytes:
        """Read one message of text, its end included, within `timeout` s; raises Silence, Gone."""
        ...

    def receive_block(self, timeout: float, form: Block) -> bytes:
        """Read one block and what ends it; its payload. Raises InstrumentError, Silence, Gone."""
        ...

    def unexpected(self) -> bytes:
        """Bytes that wait although nothing was asked; empty if none, or if it cannot be known."""
        ...

    def discard(self) -> None:
        """Throw away what comes until the line is quiet."""
        ...

    def close(self) -> None:
        """Close; sends nothing."""
        ...
