"""A board whose output ends in a resistor, for unit tests of firmware: no circuit, no bench.

An ideal current source over one resistance, with converters, interrupts and a coulomb counter. It
has no watchdog: `kicked` tells whether one would have bitten.
"""

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
"""Calibration in memory: DAC, ADC current, ADC voltage, coulomb counter."""
SERIAL_ADDRESS = 32
"""Where the serial number stands in non-volatile memory."""
INTERRUPT_LATENCY = 1000
"""Microseconds from a window that is left to the tick."""
_NEVER = 1 << 63


class ResistorBoard:
    """Implements `port.Port`; what firmware did is in `trace`."""

    def __init__(self, load: float = 2e3) -> None:
        """Power up.

        Args:
            load: resistance in ohm; infinite for an open output.
        """
        self.load = load
        self.supply = 9.0
        """Supply voltage in V."""
        self.compliance = 80.0
        """Largest output voltage in V."""
        self.gain = 1.0
        """Current that flows for each ampere demanded."""
        self.tripped = False
        """Whether the over-current comparator has tripped."""
        self.pressed = 0
        """Keys held down."""
        self.counted = 0.0
        """Counts of the coulomb counter since power-up."""
        self.code = 0
        self.closed = self.negative = self.boost = self.lit = False
        self.kicked = 0
        """Time of the last kick of the watchdog, in us."""
        self.trace: list[tuple[object, ...]] = []
        """Time in us, name and arguments of every write, in order."""
        self._now = 0
        self._wake = _NEVER
        self._windows = ((0, FULL_SCALE), (0, FULL_SCALE))
        packed = struct.pack("<4f", *FACTORS)
        self.memory = bytearray(MEMORY_SIZE)
        self.memory[:20] = packed + struct.pack("<I", zlib.crc32(packed))
        self.memory[SERIAL_ADDRESS : SERIAL_ADDRESS + 8] = b"SIM-0001"

    # --- what a test does and asks --------------------------------------------------------------

    @property
    def current(self) -> float:
        """Current that flows, in A."""
        demanded = self.code * CURRENT_STEP / FACTORS[0] * self.gain
        return min(demanded, self.compliance / self.load) if self.closed and self.boost else 0.0

    @property
    def voltage(self) -> float:
        """Output voltage in V."""
        if self.load < 1e9:
            return self.current * self.load
        return self.compliance if self.code and self.closed and self.boost else 0.0

    @property
    def charge(self) -> float:
        """Charge in C that has flowed since power-up."""
        return self.counted * CHARGE_STEP * FACTORS[3]

    def power_up(self, firmware: Firmware) -> None:
        """Boot the firmware and wait for its self-test."""
        firmware.boot(self, Reset.POWER_ON)
        self.run(firmware, 0.2)

    def run(self, firmware: Firmware, seconds: float) -> None:
        """Let time pass, and call the firmware when it wants to be called."""
        end = self._now + round(seconds * 1e6)
        while self._wake <= end:
            self._pass(max(self._wake, self._now))
            self._wake = _NEVER
            firmware.tick()
            self._interrupt()
        self._pass(end)

    def disturb(self, **changes: float) -> None:
        """Change load, supply or gain, and interrupt where a window is left."""
        for name, value in changes.items():
            setattr(self, name, value)
        self._interrupt()

    def _interrupt(self) -> None:
        (low, high), (_, top) = self._windows
        if not low <= self.read_current() <= high or self.read_voltage() > top:
            self._wake = min(self._wake, self._now + INTERRUPT_LATENCY)

    def _pass(self, to: int) -> None:
        self.counted += self.current * (to - self._now) * 1e-6 / CHARGE_STEP / FACTORS[3]
        self._now = to

    def _note(self, *what: object) -> None:
        self.trace.append((self._now, *what))

    # --- what firmware sees ---------------------------------------------------------------------

    @property
    def micros(self) -> int:
        """See `Port`."""
        return self._now

    def read_current(self) -> int:
        """See `Port`."""
        return min(round(self.current / CURRENT_STEP / FACTORS[1]), FULL_SCALE)

    def read_voltage(self) -> int:
        """See `Port`."""
        return min(round(self.voltage / VOLTAGE_STEP / FACTORS[2]), FULL_SCALE)

    def read_supply(self) -> int:
        """See `Port`."""
        return round(self.supply / SUPPLY_STEP)

    def read_charge(self) -> int:
        """See `Port`."""
        return int(self.counted) & 0xFFFFFFFF

    def keys(self) -> int:
        """See `Port`."""
        return self.pressed

    def comparator_tripped(self) -> bool:
        """See `Port`."""
        return self.tripped

    def clear_comparator(self) -> None:
        """See `Port`."""
        self.tripped = False

    def write_dac(self, code: int) -> None:
        """See `Port`."""
        self._note("dac", code)
        self.code = code

    def set_relay(self, closed: bool) -> None:
        """See `Port`."""
        self._note("relay", closed)
        self.closed = closed

    def set_bridge(self, negative: bool) -> None:
        """See `Port`."""
        self._note("bridge", negative)
        self.negative = negative

    def set_boost(self, on: bool) -> None:
        """See `Port`."""
        self._note("boost", on)
        self.boost = on

    def set_indicator(self, on: bool) -> None:
        """See `Port`."""
        self._note("indicator", on)
        self.lit = on

    def kick(self) -> None:
        """See `Port`."""
        self.kicked = self._now

    def read_memory(self, address: int, count: int) -> bytes:
        """See `Port`."""
        return bytes(self.memory[address : address + count])

    def write_memory(self, address: int, data: bytes) -> None:
        """See `Port`."""
        end = min(address + len(data), MEMORY_SIZE)
        self.memory[address:end] = data[: end - address]

    def wake_in(self, micros: int) -> None:
        """See `Port`."""
        self._note("wake", micros)
        self._wake = self._now + max(micros, 1)

    def watch(self, current: tuple[int, int], voltage: tuple[int, int]) -> None:
        """See `Port`."""
        self._note("watch", current, voltage)
        self._windows = (current, voltage)
