"""The board under the firmware: converters, pins, watchdog, memory, over one circuit.

Converter faults live here, between the circuit and the codes. The board knows no firmware: the
device calls both.
"""

from __future__ import annotations

import math
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace

from hil_instruments.simulated.device.port import (
    CHARGE_STEP,
    CURRENT_STEP,
    FULL_SCALE,
    MEMORY_SIZE,
    SUPPLY_STEP,
    VOLTAGE_STEP,
    WATCHDOG_TIME,
)
from hil_instruments.simulated.physics.circuit import Circuit, Node

RAW_ERROR = 0.08
"""Relative error of a converter without calibration; its sign is drawn."""
CALIBRATED_ERROR = 5e-4
"""Largest relative error that calibration leaves."""
SERIAL_ADDRESS, SERIAL = 32, b"SIM-stimulator"
"""Where in memory the factory wrote the serial number, zero-terminated."""
CALIBRATION = struct.Struct("<4f")
"""Factors for DAC current, ADC current, ADC voltage and coulomb counter, then their CRC-32."""


@dataclass(frozen=True, slots=True)
class BoardFaults:
    """What is wrong between circuit and codes; the defaults are a healthy board."""

    dac_gain: float = 1.0
    """Factor on the current that a DAC code demands."""
    dac_set: int = 0
    """Bits of the DAC that are stuck at one."""
    dac_clear: int = 0
    """Bits of the DAC that are stuck at zero."""
    dac_offset: int = 0
    """Codes that its offset register adds."""
    current_gain: float = 1.0
    """Factor on the ADC's current, and on the coulomb counter."""
    current_largest: int = FULL_SCALE
    """Code at which the current ADC saturates."""
    current_stuck: int | None = None
    """Code that the current ADC shows whatever flows."""
    current_frozen: bool = False
    """Whether the current ADC repeats its last code."""
    voltage_gain: float = 1.0
    """Factor on the ADC's voltage."""
    voltage_frozen: bool = False
    """Whether the voltage ADC repeats its last code."""
    relay_stuck: bool = False
    """Whether the driver of the output relay no longer opens it, not even at a reset."""
    watchdog: bool = True
    """Whether the watchdog works."""
    reset_glitch: float = 0.0
    """Current in A that the output stage is driven to while the processor resets."""
    glitch_time: float = 5e-3
    """Duration of that glitch in s."""
    indicator_stuck: bool | None = None
    """State at which the indicator is stuck."""
    keys_stuck: int = 0
    """Keys that seem to be held down."""
    hang: bool = False
    """Whether the processor stands still until a reset."""


class Board:
    """Implements `port.Port` over a circuit."""

    def __init__(self, circuit: Circuit, seed: int, timer: int = 0) -> None:
        """Power up with the factory's calibration in memory.

        Args:
            circuit: what the converters are wired to.
            seed: decides the errors of the converters.
            timer: microseconds that the timer shows at power-up, to bring a wrap near.
        """
        self.circuit = circuit
        self.faults = BoardFaults()
        self.on_demand: Callable[[float], None] | None = None
        """Told of each current in A that firmware demands, before it is."""
        self.on_relay: Callable[[bool], None] | None = None
        """Told of each command to the output relay, before it moves."""
        self.pressed = 0
        """Keys that the operator holds down."""
        self.indicator = False
        self.wake = math.inf
        """Bench time at which firmware asked to be called."""
        self.watchdog_at = math.inf
        """Bench time at which the watchdog bites; `kick` moves it."""
        self._timer = timer
        self._powered_at = circuit.now
        self._codes = [0, 0]
        self._charge, self._counted = circuit.charge(), 0.0
        draw = random.Random(seed)
        raw = [1 + RAW_ERROR * draw.choice((-1, 1)) for _ in range(4)]
        left = [1 + draw.uniform(-CALIBRATED_ERROR, CALIBRATED_ERROR) for _ in range(4)]
        self._dac, self._adc, self._voltmeter, self._counter = raw
        factors = CALIBRATION.pack(*(b / a for a, b in zip(raw, left, strict=True)))
        self._memory = bytearray(MEMORY_SIZE)
        self.write_memory(SERIAL_ADDRESS, SERIAL + bytes(1))
        self.write_memory(0, factors + struct.pack("<I", zlib.crc32(factors)))

    # --- what the device does with it -----------------------------------------------------------

    def power_up(self) -> None:
        """Begin at `now` with the timer at its start; memory is kept."""
        self._powered_at = self.circuit.now
        self.reset()

    def reset(self) -> None:
        """Put every output into its reset state; the watchdog runs."""
        self.write_dac(0)
        self.set_relay(False)
        self.set_boost(False)
        self.set_bridge(False)
        self.set_indicator(False)
        self.watch((0, FULL_SCALE), (0, FULL_SCALE))
        self.wake = math.inf
        self.kick()

    def preset_timer(self, micros: int) -> None:
        """Let the timer begin at so many microseconds at the next power-up."""
        self._timer = micros

    def recover(self) -> None:
        """End a hang, as a reset does."""
        if self.faults.hang:
            self.faults = replace(self.faults, hang=False)

    def power_down(self) -> None:
        """Lose power: as a reset, and nothing runs any longer."""
        self.reset()
        self.watchdog_at = math.inf

    def glitch(self) -> None:
        """Demand the faulty current of a reset, with relay and boost as they are."""
        self.circuit.command(self.faults.reset_glitch)

    # --- what firmware sees ---------------------------------------------------------------------

    @property
    def micros(self) -> int:
        """See `Port`."""
        return self._timer + round((self.circuit.now - self._powered_at) * 1e6)

    def read_current(self) -> int:
        """See `Port`."""
        faults = self.faults
        if faults.current_stuck is not None:
            return faults.current_stuck
        if not faults.current_frozen:
            seen = abs(self.circuit.value(Node.SENSE)) * self._current_scale
            self._codes[0] = min(round(seen / CURRENT_STEP), faults.current_largest)
        return self._codes[0]

    def read_voltage(self) -> int:
        """See `Port`."""
        faults = self.faults
        if not faults.voltage_frozen:
            seen = abs(self.circuit.value(Node.OUTPUT)) * self._voltmeter * faults.voltage_gain
            self._codes[1] = min(round(seen / VOLTAGE_STEP), FULL_SCALE)
        return self._codes[1]

    def read_supply(self) -> int:
        """See `Port`."""
        return min(round(abs(self.circuit.value(Node.SUPPLY)) / SUPPLY_STEP), FULL_SCALE)

    def read_charge(self) -> int:
        """See `Port`."""
        total = self.circuit.charge()
        scale = self._counter * self.faults.current_gain * self.circuit.stage.sense
        moved = abs(total - self._charge) * scale
        self._charge = total
        self._counted += moved / CHARGE_STEP
        return int(self._counted) & 0xFFFFFFFF

    def keys(self) -> int:
        """See `Port`."""
        return self.pressed | self.faults.keys_stuck

    def comparator_tripped(self) -> bool:
        """See `Port`."""
        return self.circuit.tripped

    def clear_comparator(self) -> None:
        """See `Port`."""
        self.circuit.clear_trip()

    def write_dac(self, code: int) -> None:
        """See `Port`."""
        if self.on_demand:
            self.on_demand(code * CURRENT_STEP * self._dac)
        faults = self.faults
        moved = code + faults.dac_offset if code else 0
        wired = (min(max(moved, 0), FULL_SCALE) | faults.dac_set) & ~faults.dac_clear
        self.circuit.command(wired * CURRENT_STEP * self._dac * faults.dac_gain)

    def set_relay(self, closed: bool) -> None:
        """See `Port`."""
        if self.on_relay:
            self.on_relay(closed)
        if closed or not self.faults.relay_stuck:
            self.circuit.set_output_relay(closed)

    def set_bridge(self, negative: bool) -> None:
        """See `Port`."""
        self.circuit.set_bridge(negative)

    def set_boost(self, on: bool) -> None:
        """See `Port`."""
        self.circuit.set_boost(on)

    def set_indicator(self, on: bool) -> None:
        """See `Port`."""
        stuck = self.faults.indicator_stuck
        self.indicator = on if stuck is None else stuck

    def kick(self) -> None:
        """See `Port`."""
        self.watchdog_at = self.circuit.now + WATCHDOG_TIME

    def read_memory(self, address: int, count: int) -> bytes:
        """See `Port`."""
        return bytes(self._memory[address : address + count])

    def write_memory(self, address: int, data: bytes) -> None:
        """See `Port`."""
        end = min(address + len(data), MEMORY_SIZE)
        self._memory[address:end] = data[: end - address]

    def wake_in(self, micros: int) -> None:
        """See `Port`."""
        self.wake = self.circuit.now + max(micros, 1) * 1e-6

    def watch(self, current: tuple[int, int], voltage: tuple[int, int]) -> None:
        """See `Port`."""
        self._watch(Node.SENSE, current, CURRENT_STEP / self._current_scale)
        scale = VOLTAGE_STEP / (self._voltmeter * self.faults.voltage_gain)
        self._watch(Node.OUTPUT, voltage, scale)

    @property
    def _current_scale(self) -> float:
        """Current that the ADC sees for each ampere that flows."""
        return self._adc * self.faults.current_gain * self.circuit.stage.sense

    def _watch(self, node: Node, window: tuple[int, int], scale: float) -> None:
        low, high = window
        self.circuit.watch(
            node,
            (low - 0.5) * scale if low > 0 else -math.inf,
            (high + 0.5) * scale if high < FULL_SCALE else math.inf,
        )
