"""What can be observed in the circuit."""

from __future__ import annotations

from enum import Enum


class Node(Enum):
    """A voltage or current of the circuit; the signs are those of the active electrode."""

    CURRENT = 0
    """Current through the ammeter in A; positive where the active electrode is positive."""
    TERMINAL = 1
    """Voltage in V at the voltmeter, active less dispersive terminal."""
    SHUNT = 2
    """Voltage in V across the shunt in the return of the load."""
    OUTPUT = 3
    """Voltage in V at the device's output, before the ammeter."""
    SENSE = 4
    """Current in A through the device's own sense resistor."""
    LOAD = 5
    """Current in A through the load, without that of the voltmeter."""
    EARTH = 6
    """Current in A from the dispersive electrode to earth through a meter of 1 kohm."""
    BOOST = 7
    """Voltage in V of the boost supply that feeds the output stage."""
    SUPPLY = 8
    """Voltage in V at the device's supply input."""
    SUPPLY_CURRENT = 9
    """Current in A that the device draws from its supply."""

    def __init__(self, number: int) -> None:
        self.probe = number
        """The number again: an attribute is read five times as fast as `value`."""
