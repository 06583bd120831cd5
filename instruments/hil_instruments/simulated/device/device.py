"""The device under test: a circuit, the board on it, and the firmware in that."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol, TypeAlias

from hil.bench import BenchDescription
from hil.device import DeviceProfile
from hil.errors import UsageError
from hil_instruments.simulated.device.board import Board
from hil_instruments.simulated.device.port import Firmware, Reset
from hil_instruments.simulated.physics.circuit import Circuit
from hil_instruments.simulated.physics.stage import OutputStage

INTERRUPT_LATENCY = 1e-3
"""Seconds from an interrupt to the firmware's answer; also the least time between two of them."""
BROWN_OUT_TIME = 5.0
"""Seconds without supply after which a return counts as power-on: backup memory has faded."""


class Injection(Protocol):
    """Brings faults in while time passes."""

    @property
    def due(self) -> float:
        """Bench time in s at which it acts by itself; infinite for never."""
        ...

    def look(self) -> None:
        """Act where it is time, or where a level has been met."""
        ...


Flash: TypeAlias = Callable[[DeviceProfile], Firmware]
"""Makes the firmware of a device."""


class Device:
    """What the bench lets time pass for; mute and dead without supply."""

    def __init__(
        self,
        profile: DeviceProfile,
        bench: BenchDescription,
        flash: Flash,
        *,
        stage: OutputStage | None = None,
        seed: int = 0,
        timer: int = 0,
    ) -> None:
        """Power up at time 0, output off, cut-off and load open, supply nominal.

        Args:
            profile: figures of the hardware.
            bench: wiring around it.
            flash: makes the firmware.
            stage: analogue part; None is a healthy one.
            seed: decides the error of its converters.
            timer: microseconds that the firmware's timer shows at power-up.
        """
        self.circuit = Circuit(profile, bench, stage)
        self.board = Board(self.circuit, seed, timer)
        self.firmware = flash(profile)
        self.injection: Injection | None = None
        self.resets = 0
        """Resets by the watchdog since power-up."""
        self._had_power = self.circuit.powered
        self._dark_since = -math.inf
        self._resetting_until = -math.inf
        self.circuit.listener = self._notice
        self._start(Reset.POWER_ON)

    @property
    def powered(self) -> bool:
        """Whether its processor runs."""
        return self._had_power

    def advance(self, to: float) -> None:
        """Let time pass until `to`, in s; raises UsageError for the past, NaN and infinity."""
        circuit = self.circuit
        if not circuit.now <= to < math.inf:
            raise UsageError(
                f"device: asked to advance to {to} s, but it is {circuit.now} s already; "
                "allowed: finite, and no earlier"
            )
        due = min(self._next_call(), self._next_fault())
        if circuit.now < due > to:
            if not circuit.run(to):
                return  # as nearly always: nothing falls due on the way
            self._interrupt()
        while True:
            self._run_due()
            if circuit.run(min(to, self._next_call(), self._next_fault())):
                self._interrupt()
            elif circuit.now >= to and self._next_call() > to and self._next_fault() > to:
                return

    def _next_fault(self) -> float:
        return self.injection.due if self.injection else math.inf

    def receive(self, message: bytes) -> bytes:
        """Hand a message of the host to the firmware; nobody hears it without supply."""
        if not self._had_power or self.board.faults.hang or self._resetting:
            return b""
        return self.firmware.receive(message)

    def power_cycle(self) -> None:
        """Restart as after a long loss of supply."""
        self._lose_power()
        self._dark_since = -math.inf
        if self.circuit.powered:
            self._gain_power()

    @property
    def _resetting(self) -> bool:
        return self.circuit.now < self._resetting_until

    def _next_call(self) -> float:
        if not self._had_power:
            return math.inf
        if self.circuit.now < self._resetting_until:
            return self._resetting_until
        board = self.board
        wake = math.inf if board.faults.hang else board.wake
        if board.faults.watchdog and board.watchdog_at < wake:
            return board.watchdog_at
        return wake

    def _run_due(self) -> None:
        """Call the firmware, or let the watchdog bite, where it is time."""
        now, board = self.circuit.now, self.board
        if self.injection and self.injection.due <= now:
            self.injection.look()
        if not self._had_power or self._next_call() > now:
            return
        if self._resetting_until == now:
            self._resetting_until = -math.inf
            self._start(Reset.WATCHDOG)
        elif board.faults.watchdog and board.watchdog_at <= now:
            self._bite()
        else:
            board.wake = math.inf
            self.firmware.tick()

    def _bite(self) -> None:
        """Reset by the watchdog: pins fall back at once, or after the glitch of a faulty board."""
        self.resets += 1
        faults = self.board.faults
        if faults.reset_glitch:
            self.board.glitch()
            self._resetting_until = self.circuit.now + faults.glitch_time
        else:
            self._start(Reset.WATCHDOG)

    def _start(self, cause: Reset) -> None:
        if cause is Reset.WATCHDOG:
            self.board.recover()
            self.board.reset()
        else:
            self.board.power_up()
        self.firmware.boot(self.board, cause)

    def _interrupt(self) -> None:
        if self.injection:
            self.injection.look()
        self.board.wake = min(self.board.wake, self.circuit.now + INTERRUPT_LATENCY)

    def _notice(self) -> None:
        """Learn from the bench that the supply may have changed."""
        powered = self.circuit.powered
        if powered == self._had_power:
            return
        if powered:
            self._gain_power()
        else:
            self._lose_power()

    def _gain_power(self) -> None:
        self._had_power = True
        short = self.circuit.now - self._dark_since < BROWN_OUT_TIME
        self._start(Reset.BROWN_OUT if short else Reset.POWER_ON)

    def _lose_power(self) -> None:
        self._had_power = False
        self._dark_since = self.circuit.now
        self._resetting_until = -math.inf
        self.board.power_down()
        self.circuit.clear_trip()
