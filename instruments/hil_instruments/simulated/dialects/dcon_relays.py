"""Dialect of an ICP DAS I-7060 relay module (DCON): one of its relays drives the cut-off's coil.

I-7000 DIO Manual, Rev. B1.2. Relay RL1 feeds a contactor with positively driven contacts: two of
them break both poles, a normally closed one ties input IN1. What is modelled: address 01, output,
inputs and outputs, the host watchdog with its safe value (all off) and the state that refuses
further outputs until it is cleared, name, firmware, type. It has no common commands, no error
queue, and answers nothing to what it does not understand.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import Timer, World
from hil_instruments.simulated.dialects.contacts import ContactFault
from hil_instruments.simulated.scpi import Instrument

CLOSING_TIME, OPENING_TIME = 15e-3, 8e-3
"""Seconds from the message to the contactor's contacts, relay included. From memory of small
contactors."""
TICK = 0.1
"""Seconds of a count of the watchdog."""
TIMED_OUT = 4
"""Status of a module whose watchdog has run out."""
OPEN_INPUTS = 0b1110
"""IN2 to IN4 are wired to nothing: an open input reads 1."""


class DconRelays(Instrument):
    """The module and its contactor; without power, and once the watchdog has run out: open."""

    message_end = b"\r"
    on_serial_line = True

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Begin as after power-on: all off, watchdog as it was left (off).

        Args:
            entry: as in the bench file.
            world: the bench.
            seed: not used; a relay has no noise.
        """
        super().__init__(entry, world.clock)
        self._world = world
        self.closed = False
        """Whether the mirror contact shows the contactor pulled in."""
        self.contacts = ContactFault()
        """What is wrong with the contactor, from its next movement on."""
        self.mirrors = True
        """Whether the wire of the mirror contact is whole; a broken one reads as pulled in."""
        self.name = "SIM-01"
        """As given by ~AAO; stands for the serial number that the protocol lacks."""
        self._made = False
        self._outputs = 0
        self._enabled, self._count, self._status = False, 0, 0
        self._timer: Timer | None = None

    def preset(self) -> None:
        """Fall to the safe value."""
        self._write(0)

    def lose_power(self) -> None:
        """Release the relay; its watchdog keeps its setting."""
        self._stop_timer()
        self._write(0)

    def receive(self, message: bytes) -> bytes:
        """Obey one message; whatever is none of its own gets no answer."""
        text = message.decode("latin-1").strip()
        for pattern, obey in self._table.items():
            found = re.fullmatch(pattern, text)
            if found is not None:
                reply = obey(*found.groups())
                return reply.encode() + b"\r" if reply else b""
        return b""

    @property
    def _table(self) -> dict[str, Callable[..., str]]:
        return {
            r"\$01M": lambda: f"!01{self.name}",
            r"\$01F": lambda: "!01B2.3",
            r"\$012": lambda: "!01400600",
            r"\$016": lambda: f"!{self._inputs:02X}{self._outputs:02X}00",
            r"#0100([0-9A-F]{2})": self._command,
            r"~\*\*": self._host_lives,
            r"~010": lambda: f"!01{self._status:02X}",
            r"~011": self._clear,
            r"~012": lambda: f"!01{int(self._enabled)}{self._count:02X}",
            r"~013([01])([0-9A-F]{2})": self._set_watchdog,
            r"~014([PS])": lambda which: "!010000",
        }

    @property
    def _inputs(self) -> int:
        return OPEN_INPUTS | int(self.closed or not self.mirrors)

    def _command(self, written: str) -> str:
        if self._status:
            return "!"
        self._write(int(written, 16) & 0b1111)
        return ">"

    def _write(self, outputs: int) -> None:
        closed, changed = bool(outputs & 1), (outputs ^ self._outputs) & 1
        self._outputs = outputs
        if not changed:
            return

        def move() -> None:
            self._made = self.contacts.reached(closed, self._made)
            self._world.device.circuit.set_cutoff(self._made)
            self.closed = closed if self.contacts.lies else self._made

        self.clock.at(self.clock.time + (CLOSING_TIME if closed else OPENING_TIME), move)

    # The watchdog.

    def _host_lives(self) -> str:
        self._start_timer()
        return ""

    def _set_watchdog(self, enabled: str, count: str) -> str:
        self._enabled, self._count = enabled == "1", int(count, 16)
        self._start_timer()
        return "!01"

    def _clear(self) -> str:
        self._status = 0
        self._start_timer()
        return "!01"

    def _start_timer(self) -> None:
        self._stop_timer()
        if self._enabled and not self._status:
            self._timer = self.clock.at(self.clock.time + TICK * self._count, self._run_out)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancelled = True
            self._timer = None

    def _run_out(self) -> None:
        self._timer, self._status = None, TIMED_OUT
        self._write(0)
