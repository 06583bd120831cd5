"""How an instrument is spoken to: line ends, serial settings, echo, and how it says who it is.

Data alone, without pyvisa, so that a driver can declare it; `transport` acts on it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from hil.line import SERIAL, SerialLine
from hil_instruments.encoding import Identity

__all__ = ["SCPI", "Ask", "Manner", "SerialLine", "scpi_identity"]

Ask: TypeAlias = Callable[[str], str]
"""Sends one message and returns its reply, without line ends."""


def scpi_identity(ask: Ask) -> Identity:
    """Ask *IDN?, as IEEE 488.2 has it; raises InstrumentError if the reply is none."""
    return Identity.parse(ask("*IDN?"))


@dataclass(frozen=True, slots=True)
class Manner:
    """How one instrument is spoken to; the default is SCPI, a line a message."""

    send_end: str = "\n"
    """What ends a message to it."""
    reply_end: str = "\n"
    """What ends a reply of it; a carriage return before a line feed is dropped in any case."""
    echo: bool = False
    """Whether it repeats each message before it answers."""
    patience: float = 2.0
    """Seconds that one exchange may take."""
    energised: float = 0.5
    """The same while the output may be energised: at least what it needs for its longest answer of
    then, and no more than half the lease of 2 s, which ends a runner that is stuck."""
    serial: SerialLine = SERIAL
    """Settings, if it is on a serial line."""
    identity: Callable[[Ask], Identity] = scpi_identity
    """Finds out who it is."""


SCPI = Manner()
"""The manner of every instrument that declares none."""
