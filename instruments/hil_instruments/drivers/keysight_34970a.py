"""Keysight 34970A with a 34903A in slot 1: twenty relays, one load position each.

A relay of a card in another slot may join what is no load, as a source.

The 34903A's relays latch: they keep their position without power, so this card is no cut-off.
"""

from __future__ import annotations

from hil.errors import InstrumentError, UsageError
from hil_instruments import encoding
from hil_instruments.drivers.instrument import Instrument

CHANNELS = range(101, 121)
"""Channels of a 34903A in slot 1."""
_ALL = "(@101:120)"


class Keysight34970A(Instrument):
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
        commands = [f"ROUT:OPEN {_ALL}"]
        if channel is not None:
            commands.append(f"ROUT:CLOS {encoding.channel_list(channel)}")
        self._configure(*commands)
        found = self.selected()
        if found != channel:
            raise InstrumentError(
                f"{self.name}: channel {channel} was selected, {found} reads back; check the relay"
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
        listed = encoding.channel_list(channel)
        self._configure(f"ROUT:{'CLOS' if closed else 'OPEN'} {listed}")
        found = encoding.flags(self._session.query(f"ROUT:CLOS? {listed}"), 1)[0]
        if found is not closed:
            raise InstrumentError(
                f"{self.name}: channel {channel} was told to {'close' if closed else 'open'} and "
                f"reads back {'closed' if found else 'open'}; check the relay"
            )

    def selected(self) -> int | None:
        """Position that is connected now; None if all are open.

        Raises:
            InstrumentError: more than one relay is closed: loads are in parallel.
        """
        closed = encoding.flags(self._session.query(f"ROUT:CLOS? {_ALL}"), len(CHANNELS))
        channels = [channel for channel, on in zip(CHANNELS, closed, strict=True) if on]
        if len(channels) > 1:
            raise InstrumentError(
                f"{self.name}: channels {channels} are closed together; at most one may be"
            )
        return channels[0] if channels else None
