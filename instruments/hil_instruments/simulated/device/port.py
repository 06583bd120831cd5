"""The firmware port: all that firmware sees of its hardware, and all that hardware asks of it.

Firmware reads and writes converter codes and pins, is called at the times that it asks for and when
a window of its converters is left, and exchanges text with the host. It never sees a quantity of
the circuit, a fault or the bench. `instruments/firmware_port.h` is the same contract in C.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

FULL_SCALE = 0xFFFF
"""Largest code of the converters."""
CURRENT_STEP = 1e-7
"""A for each code of the current converters (DAC and ADC): 6.5535 mA full scale."""
VOLTAGE_STEP = 2e-3
"""V for each code of the output voltage: 131.07 V full scale."""
SUPPLY_STEP = 0.5e-3
"""V for each code of the supply voltage: 32.77 V full scale."""
CHARGE_STEP = 1e-8
"""C for each count of the coulomb counter, which runs modulo 2**32 (42.9 C)."""
WATCHDOG_TIME = 1.0
"""Seconds without a kick after which the watchdog resets the processor and opens the output."""
MEMORY_SIZE = 256
"""Bytes of non-volatile memory. The factory writes calibration into the first ones."""


class Reset(IntEnum):
    """Why the processor starts."""

    POWER_ON = 0
    BROWN_OUT = 1
    WATCHDOG = 2
    SOFTWARE = 3


class Key(IntEnum):
    """Bits of `Port.keys`: what an operator holds down."""

    START = 1
    STOP = 2


class Port(Protocol):
    """The hardware, as firmware sees it. Codes are unsigned; what exceeds a converter saturates."""

    @property
    def micros(self) -> int:
        """Microseconds since power-up, counted in 64 bit."""
        ...

    def read_current(self) -> int:
        """Code of the output current's magnitude, as the sense resistor shows it."""
        ...

    def read_voltage(self) -> int:
        """Code of the output voltage's magnitude."""
        ...

    def read_supply(self) -> int:
        """Code of the supply voltage."""
        ...

    def read_charge(self) -> int:
        """Coulomb counter: integral of the sensed magnitude, modulo 2**32."""
        ...

    def keys(self) -> int:
        """Keys held down, as bits of `Key`."""
        ...

    def comparator_tripped(self) -> bool:
        """Whether the independent over-current comparator has opened the output relay."""
        ...

    def clear_comparator(self) -> None:
        """Release a comparator that has tripped; closes nothing."""
        ...

    def write_dac(self, code: int) -> None:
        """Demand a magnitude of current from the regulator."""
        ...

    def set_relay(self, closed: bool) -> None:
        """Close or open the output relay."""
        ...

    def set_bridge(self, negative: bool) -> None:
        """Turn the polarity bridge."""
        ...

    def set_boost(self, on: bool) -> None:
        """Switch the supply of the output stage."""
        ...

    def set_indicator(self, on: bool) -> None:
        """Light or darken the indicator of an output that is on."""
        ...

    def kick(self) -> None:
        """Restart the watchdog's time."""
        ...

    def read_memory(self, address: int, count: int) -> bytes:
        """Read non-volatile memory."""
        ...

    def write_memory(self, address: int, data: bytes) -> None:
        """Write non-volatile memory; what lies beyond its end is lost."""
        ...

    def wake_in(self, micros: int) -> None:
        """Ask to be called again after so many microseconds, at least one; the last word holds."""
        ...

    def watch(self, current: tuple[int, int], voltage: tuple[int, int]) -> None:
        """Ask to be called when a code leaves its window [low, high]; (0, 65535) for never."""
        ...


class Firmware(Protocol):
    """A program for the board."""

    def boot(self, port: Port, cause: Reset) -> None:
        """Start anew: outputs are in their reset state (all off, DAC 0)."""
        ...

    def tick(self) -> None:
        """Run until it sleeps again: called at the time it asked for, and on an interrupt."""
        ...

    def receive(self, message: bytes) -> bytes:
        """Obey one message of the host, without its terminator; return the reply, or nothing."""
        ...
