"""Dialect of our own cut-off: a relay that stays closed only as long as its lease is renewed.

De-energised means open: without power, without lease and after *RST both poles are open.
"""

from __future__ import annotations

import math

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import Timer, World
from hil_instruments.simulated.dialects.contacts import ContactFault
from hil_instruments.simulated.scpi import (
    Instrument,
    ScpiError,
    integer,
    number,
    optional,
    scpi,
)

FIRST_LEASE = 1.0
"""Seconds for which the relay stays closed after a close, without renewal."""
SHORTEST_LEASE, LONGEST_LEASE = 0.1, 10.0
CLOSING_TIME = 5e-3
"""Seconds from command to contact; messages wait for it: a relay's 4 ms, and 1 ms of bounce, which
is this project's figure."""
OPENING_TIME = 4e-3
"""Seconds from command to gap. A lapse counts them in: its contacts are open when it lapses.

Omron G6S, two poles, single-side stable: operate and release time 4 ms max. each (its data sheet,
"Characteristics"); its release is quicker than that as a rule, the model takes the bound.
"""
LARGEST_EPOCH = 2**31 - 1


class StimproofCutoff(Instrument):
    """Relay in both poles; without power, without lease, after *RST: open.

    Every opening, commanded or lapsed, voids the epoch in use: only a larger one closes again.
    """

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Begin open.

        Args:
            entry: as in the bench file.
            world: the bench.
            seed: not used; a relay has no noise.
        """
        super().__init__(entry, world.clock)
        self._world = world
        self.closed = False
        """Whether the contacts read back closed."""
        self.contacts = ContactFault()
        """What is wrong with them, from their next movement on."""
        self._made = False
        self._epoch = 0
        self._void = 0
        self._cause = "NONE"
        self._lease_end = -math.inf
        self._timer: Timer | None = None

    def preset(self) -> None:
        """Open; the epoch in use becomes void."""
        self._release("RESET", OPENING_TIME)

    def lose_power(self) -> None:
        """De-energise: open, without a command and without a lease."""
        self._release("POWER", OPENING_TIME)

    def complete_at(self) -> float:
        """End of the contact movement."""
        return max(self.clock.time, self.busy_until)

    def _move(self, closed: bool, at: float) -> None:
        def move() -> None:
            self._made = self.contacts.reached(closed, self._made)
            self._world.device.circuit.set_cutoff(self._made, crossed=self.contacts.crossed)
            self.closed = closed if self.contacts.lies else self._made

        self.clock.at(at, move)

    def _release(self, cause: str, delay: float) -> None:
        self._void = max(self._void, self._epoch)
        if self._timer is None:
            return  # open already, or opening
        self._timer.cancelled = True
        self._timer = None
        self._cause = cause
        self.busy_until = self.clock.time + delay
        self._move(False, self.busy_until)

    def _lease(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancelled = True
        self._lease_end = self.clock.time + seconds
        self._timer = self.clock.at(self._lease_end, lambda: self._release("LAPSE", 0.0))

    @scpi("RELay:CLOSe", integer())
    def _close(self, epoch: int) -> None:
        if not 1 <= epoch <= LARGEST_EPOCH:
            raise ScpiError(-222, f"epoch {epoch}; allowed: 1 to {LARGEST_EPOCH}")
        if epoch <= self._void or epoch < self._epoch:
            least = max(self._void + 1, self._epoch)
            raise ScpiError(-221, f"epoch {epoch} is void; close with {least} or more")
        self._epoch = epoch
        self._cause = "NONE"
        if self._timer is None:
            self.busy_until = self.clock.time + CLOSING_TIME
            self._move(True, self.busy_until)
        self._lease(FIRST_LEASE)

    @scpi("RELay:RENew", number("S"))
    def _renew(self, seconds: float) -> None:
        if not SHORTEST_LEASE <= seconds <= LONGEST_LEASE:
            raise ScpiError(
                -222, f"lease {seconds} s; allowed: {SHORTEST_LEASE} to {LONGEST_LEASE} s"
            )
        if self._timer is None:
            raise ScpiError(-221, f"nothing to renew, the relay is open ({self._cause})")
        self._lease(seconds)

    @scpi("RELay:OPEN", optional(integer()))
    def _open(self, epoch: int = 0) -> None:
        """Open; with an epoch, void every epoch up to it, also one that was never used."""
        self._void = max(self._void, min(epoch, LARGEST_EPOCH - 1))
        self._release("COMMAND", OPENING_TIME)

    @scpi("RELay:STATe?")
    def _state(self) -> str:
        return "CLOSED" if self.closed else "OPEN"

    @scpi("RELay:EPOCh?")
    def _last_epoch(self) -> str:
        """Largest epoch that was used or voided; a close needs a larger one once it is void."""
        return str(max(self._epoch, self._void))

    @scpi("RELay:CAUSe?")
    def _last_cause(self) -> str:
        """Why it is open: NONE (closed, or never was), COMMAND, LAPSE, RESET or POWER."""
        return self._cause

    @scpi("RELay:LEASe?")
    def _lease_left(self) -> str:
        left = self._lease_end - self.clock.time if self._timer is not None else 0.0
        return f"{max(left, 0.0):.6f}"
