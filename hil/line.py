"""Settings of a serial line, as a device file or a driver declares them."""

from __future__ import annotations

from dataclasses import dataclass

PARITIES = ("none", "odd", "even")
"""Values of `SerialLine.parity`."""
STOP_BITS = (1.0, 1.5, 2.0)
"""Values of `SerialLine.stop_bits`."""
FLOWS = ("none", "xon/xoff", "rts/cts")
"""Values of `SerialLine.flow`."""


@dataclass(frozen=True, slots=True)
class SerialLine:
    """Settings of a serial line; they have no effect on any other."""

    baud: int = 9600
    """Bits a second."""
    data_bits: int = 8
    """5 to 8."""
    parity: str = "none"
    """One of PARITIES."""
    stop_bits: float = 1.0
    """One of STOP_BITS."""
    flow: str = "none"
    """Flow control, one of FLOWS."""


SERIAL = SerialLine()
"""9600 baud, 8 data bits, no parity, 1 stop bit, no flow control."""
