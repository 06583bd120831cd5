"""Codes to quantities and back, with the factory's calibration from non-volatile memory."""

from __future__ import annotations

import struct
import zlib

from hil_instruments.simulated.device.board import CALIBRATION
from hil_instruments.simulated.device.port import (
    CHARGE_STEP,
    CURRENT_STEP,
    FULL_SCALE,
    SUPPLY_STEP,
    VOLTAGE_STEP,
    Port,
)

_COUNTS = 1 << 32


class Converters:
    """What firmware measures and commands, in A, V and C."""

    def __init__(self, port: Port) -> None:
        """Read the calibration; where its checksum is wrong, all factors are 1."""
        self._port = port
        factors = port.read_memory(0, CALIBRATION.size)
        written = struct.unpack("<I", port.read_memory(CALIBRATION.size, 4))[0]
        self.calibrated = zlib.crc32(factors) == written
        """Whether the checksum of the calibration is right."""
        used = CALIBRATION.unpack(factors) if self.calibrated else (1.0,) * 4
        dac, current, voltage, charge = (float(factor) for factor in used)
        self._dac = dac
        self._current = current * CURRENT_STEP
        self._voltage = voltage * VOLTAGE_STEP
        self._charge = charge * CHARGE_STEP
        self._counted = port.read_charge()

    def current(self) -> float:
        """Magnitude of the current in A."""
        return self._port.read_current() * self._current

    def voltage(self) -> float:
        """Magnitude of the output voltage in V."""
        return self._port.read_voltage() * self._voltage

    def supply(self) -> float:
        """Supply voltage in V."""
        return self._port.read_supply() * SUPPLY_STEP

    def charge(self) -> float:
        """Charge in C since the last call."""
        counted = self._port.read_charge()
        passed = (counted - self._counted) % _COUNTS
        self._counted = counted
        return passed * self._charge

    def demand(self, amperes: float) -> None:
        """Command a magnitude of current in A."""
        self._port.write_dac(min(round(amperes * self._dac / CURRENT_STEP), FULL_SCALE))

    def watch(self, current: tuple[float, float], voltage: float) -> None:
        """Interrupt when the current leaves its window in A, or a voltage in V is exceeded."""
        low, high = (round(each / self._current) for each in current)
        top = round(voltage / self._voltage)
        self._port.watch((max(low, 0), min(high, FULL_SCALE)), (0, min(top, FULL_SCALE)))

    def watch_nothing(self) -> None:
        """Interrupt at nothing."""
        self._port.watch((0, FULL_SCALE), (0, FULL_SCALE))
