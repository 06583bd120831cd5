"""What switch units of every family share: load positions, channels beside them, and two poles.

A channel is written by its slot and number, as 104: number 4 of slot 1. Positions of the load are
those of slot 1; a relay in slot 2 may join what is no load, as a source. As a cut-off the unit
breaks both poles with channels 201 and 202.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable

from hil.errors import InstrumentError, UsageError
from hil_instruments.drivers.instrument import MEND, Instrument

CHANNELS = range(101, 121)
"""Positions of the load."""
POLES = (201, 202)
"""Channels of a cut-off: a current flows through both."""


class SwitchUnit(Instrument):
    """Relays that are opened, closed and read back."""

    @abstractmethod
    def _command(self, channels: Iterable[int], *, closed: bool) -> str:
        """Write the command that moves these relays."""

    @abstractmethod
    def _closed(self, channels: Iterable[int]) -> tuple[bool, ...]:
        """Read these relays back."""


class SwitchedLoad(SwitchUnit):
    """Switched load: at most one position is connected, break before make."""

    def select(self, channel: int | None) -> None:
        """Connect one position; None opens the load. Every other position is opened first.

        Raises:
            UsageError: no channel of the card.
            InstrumentError: the switch refused, or reads back another position.
        """
        if channel is not None and channel not in CHANNELS:
            raise UsageError(
                f"{self.name}: channel {channel}; allowed: {CHANNELS[0]} to {CHANNELS[-1]}, "
                f"or None for an open load"
            )
        commands = [self._command(CHANNELS, closed=False)]
        if channel is not None:
            commands.append(self._command((channel,), closed=True))
        self._configure(*commands)
        found = self.selected()
        if found != channel:
            raise InstrumentError(
                f"{self.name}: {commands[-1]!r} was sent, {found} reads back; check the relay"
            )

    def join(self, channel: int) -> None:
        """Close a channel beside the load; raises InstrumentError unless it reads back closed."""
        self._move(channel, closed=True)

    def part(self, channel: int) -> None:
        """Open a channel beside the load; raises InstrumentError unless it reads back open."""
        self._move(channel, closed=False)

    def _move(self, channel: int, *, closed: bool) -> None:
        if channel in CHANNELS:
            raise UsageError(f"{self.name}: channel {channel} is a load position: select() it")
        command = self._command((channel,), closed=closed)
        self._configure(command)
        found = self._closed((channel,))[0]
        if found is not closed:
            raise InstrumentError(
                f"{self.name}: {command!r} was sent, channel {channel} reads back "
                f"{'closed' if found else 'open'}; check the relay"
            )

    def selected(self) -> int | None:
        """Position that is connected now; None if all are open.

        Raises:
            InstrumentError: more than one relay is closed: loads are in parallel.
        """
        closed = self._closed(CHANNELS)
        channels = [channel for channel, on in zip(CHANNELS, closed, strict=True) if on]
        if len(channels) > 1:
            raise InstrumentError(
                f"{self.name}: channels {channels} are closed together, at most one may be: "
                f"{self._command(CHANNELS, closed=False)!r} opens them; {MEND}"
            )
        return channels[0] if channels else None


class SoftwareCutoff(SwitchUnit):
    """Two relays of a switch unit as a cut-off by software: nothing opens them but a command.

    It has no lease of its own, and where its relays latch no loss of power opens them. The epoch is
    this program's alone: a second program could close them.
    """

    _used = 0
    """Epoch under which they were last closed."""
    _void = 0
    """Largest epoch that closes them no more."""

    def epoch(self) -> int:
        """Epoch that was last used; the next close needs a larger one once it is void."""
        return max(self._used, self._void)

    def close_relay(self, epoch: int) -> None:
        """Close both poles under a fencing epoch.

        Raises:
            UsageError: the epoch is below 0.
            InstrumentError: the epoch is void, or the unit refused, or a pole reads back open.
        """
        if epoch < 0:
            raise UsageError(f"{self.name}: epoch = {epoch}; allowed: 0 and above")
        if epoch <= self._void or epoch < self._used:
            raise InstrumentError(
                f"{self.name}: epoch {epoch} is void, nothing was sent; the cut-off's own epoch is "
                f"{self.epoch()}"
            )
        self._used = epoch
        command = self._command(POLES, closed=True)
        self._configure(command)
        found = self._closed(POLES)
        if not all(found):
            raise InstrumentError(
                f"{self.name}: {command!r} was sent, {POLES} read back {found}; check the relays"
            )

    def renew(self, seconds: float) -> None:
        """Do nothing: these relays know no lease. Raises UsageError unless `seconds` is above 0."""
        if not seconds > 0:
            raise UsageError(f"{self.name}: lease = {seconds} s; allowed: above 0 s")

    def open_relay(self) -> None:
        """Open both poles now and void the epoch; write-only, exempt from poisoning."""
        self._void = max(self._void, self._used)
        self._session.stop_write(self._command(POLES, closed=False))

    def is_closed(self) -> bool:
        """Whether a pole reads back closed: one that stayed so is no open cut-off."""
        return any(self._closed(POLES))
