"""A DCON relay module (ICP DAS I-7060) that drives the coil of a cut-off, with a hardware lease.

Commands: I-7000 DIO Manual, Rev. B1.2: `#AABBDD` output, `$AA6` inputs and outputs, `~**` host is
alive, `~AA0` and `~AA1` watchdog status and its clearing, `~AA3EVV` watchdog in tenths of a second,
`~AA4S` value after it has run out. Serial (RS-485 or USB), carriage returns, no checksum,
address 01.

Wiring: RL1 feeds a contactor with positively driven contacts from a supply of its own. Two of them
break both poles; the normally closed one ties IN1, which reads 1 while it is open: pulled in, or a
broken wire. Neither lets an open cut-off be believed. The module has no serial number: give it a
name of its own (`~AAO`, up to 6 characters), which stands in its place.

The manual's example of `$AA6`, !0F0000, has the inputs first; where a module has them second, what
was commanded does not read back, and the driver says so.
"""

from __future__ import annotations

import math
import re
from functools import partial

from hil.errors import InstrumentError, UsageError
from hil_instruments.drivers.instrument import Instrument
from hil_instruments.encoding import Identity
from hil_instruments.manner import Ask, Manner

ADDRESS = "01"
COIL, MIRROR = 1, 1
"""Bit of RL1 among the outputs, and of IN1 among the inputs."""
SHORTEST_LEASE, LONGEST_LEASE = 0.1, 25.5
"""Seconds of a lease: one to 255 tenths."""
FIRST_LEASE = 1.0
"""Seconds for which it stays closed after a close, without renewal."""
MOVES = 0.1
"""Longest time in s that relay and contactor may take to move; `is_closed` waits for it."""
DIGITAL = "40"
"""Type code of a module with digital inputs and outputs."""
RUN_OUT = "04"
"""Status of a module whose host was silent for too long: it ignores outputs until cleared."""


def identity(ask: Ask) -> Identity:
    """Ask for type, name and firmware; raises InstrumentError for another kind of module."""
    settings = _answer(ask, f"${ADDRESS}2", rf"!{ADDRESS}([0-9A-F]{{6}})")
    if not settings.startswith(DIGITAL):
        raise InstrumentError(f"module {ADDRESS} is of type {settings[:2]}; expected {DIGITAL}")
    name = _answer(ask, f"${ADDRESS}M", rf"!{ADDRESS}(\S{{1,6}})")
    firmware = _answer(ask, f"${ADDRESS}F", rf"!{ADDRESS}(\S+)")
    return Identity("ICP DAS", "I-7060", name, firmware)


class RelayModule(Instrument):
    """Contactor in both poles; without power, and without a renewed lease, open."""

    MANNER = Manner(send_end="\r", reply_end="\r", identity=identity)

    _used = 0
    _void = 0
    _lease = 0.0
    _commanded = 0
    _moved = -math.inf
    """Bench time at which they were told to move."""

    def errors(self) -> list[str]:
        """None, ever: it has no error queue. Every answer is checked instead."""
        return []

    def epoch(self) -> int:
        """Epoch that was last used; it is this program's alone, for the module keeps none."""
        return max(self._used, self._void)

    def close_relay(self, epoch: int) -> None:
        """Close under a fencing epoch, with a lease of 1 s; returns when it has closed, or should.

        Raises:
            UsageError: the epoch is below 0.
            InstrumentError: the epoch is void; or the module would not open when its lease ends.
        """
        if epoch < 0:
            raise UsageError(f"{self.name}: epoch = {epoch}; allowed: 0 and above")
        if self._used > self._void and self._status() == RUN_OUT:
            self._void = self._used
        if epoch <= self._void or epoch < self._used:
            raise InstrumentError(
                f"{self.name}: epoch {epoch} is void, nothing was sent; the cut-off's own epoch is "
                f"{self.epoch()}"
            )
        for which, when in (("S", "its lease ends"), ("P", "it gets power")):
            value = self._asked(f"~{ADDRESS}4{which}", rf"!{ADDRESS}([0-9A-F]{{4}})")
            if value != "0000":
                raise InstrumentError(
                    f"{self.name}: its outputs go to {value} when {when}; set them to 0000 (~AA5)"
                )
        self._asked(f"~{ADDRESS}1", rf"!{ADDRESS}")
        self._used = epoch
        self._take_lease(FIRST_LEASE)
        self._asked(f"#{ADDRESS}00{COIL:02X}", ">")
        self._commanded = COIL
        self._moved = self._clock.now()
        self._settled()

    def renew(self, seconds: float) -> None:
        """Keep closed for that long from now, 0.1 to 25.5 s, in steps of 0.1 s, rounded down.

        A lapsed lease is not reported here, on the hot path: read `is_closed`.
        """
        if not SHORTEST_LEASE <= seconds <= LONGEST_LEASE:
            raise UsageError(
                f"{self.name}: lease = {seconds} s; allowed: {SHORTEST_LEASE} to {LONGEST_LEASE} s"
            )
        if seconds == self._lease:
            self._session.write("~**")
        else:
            self._take_lease(seconds)

    def open_relay(self) -> None:
        """Open now and void the epoch; write-only, exempt from poisoning."""
        self._void = max(self._void, self._used)
        self._commanded = 0
        self._session.stop_write(f"#{ADDRESS}0000", answered=True)
        self._moved = self._clock.now()

    def is_closed(self) -> bool:
        """Whether the mirror contact shows the contactor pulled in; a broken wire shows it so too.

        Raises:
            InstrumentError: the relay is on that was told to be off.
        """
        return self._settled()

    def _settled(self) -> bool:
        """Read the mirror contact; after a movement, until it is where it should be, or late.

        Late is what was asked after the contacts must have moved: an answer from before says
        nothing, however long this machine took over it.
        """
        while True:
            late = self._clock.now() >= self._moved + MOVES
            closed = self._pulled_in()
            if late or closed is bool(self._commanded):
                return closed
            self._clock.sleep(MOVES / 10)

    def _pulled_in(self) -> bool:
        reply = self._asked(f"${ADDRESS}6", r"!([0-9A-F]{4})00")
        inputs, outputs = int(reply[:2], 16), int(reply[2:], 16)
        if outputs & ~self._commanded:
            raise InstrumentError(
                f"{self.name}: outputs {outputs:02X} are on, {self._commanded:02X} were commanded; "
                "another program commands it, or its inputs stand where this expects the outputs"
            )
        return bool(inputs & MIRROR)

    def _take_lease(self, seconds: float) -> None:
        tenths = math.floor(seconds * 10 + 1e-9)
        self._asked(f"~{ADDRESS}31{tenths:02X}", rf"!{ADDRESS}")
        self._session.write("~**")
        self._lease = seconds

    def _status(self) -> str:
        return self._asked(f"~{ADDRESS}0", rf"!{ADDRESS}([0-9A-F]{{2}})")

    def _asked(self, text: str, expected: str) -> str:
        return self._ask(text, partial(_captured, expected=expected))


def _answer(ask: Ask, text: str, expected: str) -> str:
    """Ask, and return what the pattern captures, or the whole answer."""
    try:
        return _captured(ask(text), expected)
    except InstrumentError as err:
        raise InstrumentError(f"{text!r}: {err}") from err


def _captured(reply: str, expected: str) -> str:
    found = re.fullmatch(expected, reply)
    if found is None:
        ignored = "; it ignores outputs since its lease ran out" if reply == "!" else ""
        raise InstrumentError(f"{reply!r} came; expected {expected}{ignored}")
    return found[found.lastindex or 0]
