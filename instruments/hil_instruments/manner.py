"""How an instrument is spoken to: line ends, serial settings, echo, and how it says who it is.

Data alone, without pyvisa, so that a driver can declare it; `transport` acts on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from hil_instruments.encoding import Identity

Ask: TypeAlias = Callable[[str], str]
"""Sends one message and returns its reply, without line ends."""


def scpi_identity(ask: Ask) -> Identity:
    """Ask *IDN?, as IEEE 488.2 has it; raises InstrumentError if the reply is none."""
    return Identity.parse(ask("*IDN?"))


@dataclass(frozen=True, slots=True)
class SerialLine:
    """Settings of a serial line; they have no effect on any other."""

    baud: int = 9600
    """Bits a second."""
    data_bits: int = 8
    """5 to 8."""
    parity: str = "none"
    """none, odd or even."""
    stop_bits: float = 1
    """1, 1.5 or 2."""
    flow: str = "none"
    """Flow control: none, xon/xoff or rts/cts."""


PARITIES = ("none", "odd", "even")
"""Values of `SerialLine.parity`."""
STOP_BITS = (1, 1.5, 2)
"""Values of `SerialLine.stop_bits`."""
FLOWS = ("none", "xon/xoff", "rts/cts")
"""Values of `SerialLine.flow`."""


@dataclass(frozen=True, slots=True)
class Manner:
    """How one instrument is spoken to; the default is SCPI, a line a message."""

    send_end: str = "\n"
    """What ends a message to it."""
    reply_end: str = "\n"
    """What ends a reply of it; a carriage return before a line feed is dropped in any case."""
    echo: bool = False
    """Whether it repeats each message before it answers."""
    answers: bool = False
    """Whether it answers every message by one line, commands and stops too."""
    patience: float = 2.0
    """Seconds that one exchange may take."""
    serial: SerialLine = SerialLine()
    """Settings, if it is on a serial line."""
    identity: Callable[[Ask], Identity] = scpi_identity
    """Finds out who it is."""


SCPI = Manner()
"""The manner of every instrument that declares none."""
