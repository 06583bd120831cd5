"""A board without a circuit, for tests of firmware: a resistor, and time that the test moves."""

from __future__ import annotations

import struct
import zlib

from hil_instruments.simulated.device.port import (
    CHARGE_STEP,
    CURRENT_STEP,
    FULL_SCALE,
    MEMORY_SIZE,
    SUPPLY_STEP,
    VOLTAGE_STEP,
    Firmware,
    Reset,
)

FACTORS = (1.08, 0.93, 1.05, 0.92)
"""Calibration: DAC, ADC current, ADC voltage, coulomb counter."""


class FakePort:
    """Implements `port.Port` over `load` ohm; what firmware did is in `trace`."""

    def __init__(self, load: float = 2e3) -> None:
        self.micros = 0
        self.load, self.supply, self.compliance = load, 9.0, 80.0
        self.gain = 1.0
        self.code, self.closed, self.negative, self.boost, self.lit = 0, False, False, False, False
        self.tripped, self.pressed = False, 0
        self.counted = 0.0
        self.wake, self.kicked = 0, 0
        self.windows = ((0, FULL_SCALE), (0, FULL_SCALE))
        packed = struct.pack("<4f", *FACTORS)
        self.memory = bytearray(MEMORY_SIZE)
        self.memory[:20] = packed + struct.pack("<I", zlib.crc32(packed))
        self.memory[32:40] = b"SIM-0001"
        self.trace: list[tuple[object, ...]] = []

    # What the test does and asks.

    @property
    def current(self) -> float:
        """Current that flows, in A."""
        demanded = self.code * CURRENT_STEP / FACTORS[0] * self.gain
        return min(demanded, self.compliance / self.load) if self.closed and self.boost else 0.0

    @property
    def voltage(self) -> float:
        """Output voltage in V."""
        open_circuit = self.compliance if self.code and self.closed and self.boost else 0.0
        return min(self.current * self.load, self.compliance) if self.load < 1e9 else open_circuit

    def run(self, firmware: Firmware, seconds: float) -> None:
        """Let time pass and call the firmware when it wants to be called."""
        end = self.micros + round(seconds * 1e6)
        while self.wake <= end:
            self._pass(max(self.wake, self.micros))
            self.wake = 1 << 63
            firmware.tick()
            self._interrupt()
        self._pass(end)

    def disturb(self, **changes: float) -> None:
        """Change the load or the supply, and interrupt where a window is left."""
        for name, value in changes.items():
            setattr(self, name, value)
        self._interrupt()

    def _interrupt(self) -> None:
        (low, high), (_, top) = self.windows
        if not low <= self.read_current() <= high or self.read_voltage() > top:
            self.wake = min(self.wake, self.micros + 1000)

    def _pass(self, to: int) -> None:
        self.counted += self.current * (to - self.micros) * 1e-6 / CHARGE_STEP / FACTORS[3]
        self.micros = to

    # What firmware sees.

    def read_current(self) -> int:
        return min(round(self.current / CURRENT_STEP / FACTORS[1]), FULL_SCALE)

    def read_voltage(self) -> int:
        return min(round(self.voltage / VOLTAGE_STEP / FACTORS[2]), FULL_SCALE)

    def read_supply(self) -> int:
        return round(self.supply / SUPPLY_STEP)

    def read_charge(self) -> int:
        return int(self.counted) & 0xFFFFFFFF

    def keys(self) -> int:
        return self.pressed

    def comparator_tripped(self) -> bool:
        return self.tripped

    def clear_comparator(self) -> None:
        self.tripped = False

    def write_dac(self, code: int) -> None:
        self._note("dac", code)
        self.code = code

    def set_relay(self, closed: bool) -> None:
        self._note("relay", closed)
        self.closed = closed

    def set_bridge(self, negative: bool) -> None:
        self._note("bridge", negative)
        self.negative = negative

    def set_boost(self, on: bool) -> None:
        self._note("boost", on)
        self.boost = on

    def set_indicator(self, on: bool) -> None:
        self.lit = on

    def kick(self) -> None:
        self.kicked = self.micros

    def read_memory(self, address: int, count: int) -> bytes:
        return bytes(self.memory[address : address + count])

    def write_memory(self, address: int, data: bytes) -> None:
        end = min(address + len(data), MEMORY_SIZE)
        self.memory[address:end] = data[: end - address]

    def wake_in(self, micros: int) -> None:
        self._note("wake", micros)
        self.wake = self.micros + max(micros, 1)

    def watch(self, current: tuple[int, int], voltage: tuple[int, int]) -> None:
        self._note("watch", current, voltage)
        self.windows = (current, voltage)

    def _note(self, *what: object) -> None:
        self.trace.append((self.micros, *what))


def booted(firmware: Firmware, load: float = 2e3) -> FakePort:
    """A port whose firmware has passed its self-test."""
    port = FakePort(load)
    firmware.boot(port, Reset.POWER_ON)
    port.run(firmware, 0.2)
    return port
