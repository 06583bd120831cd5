"""Raw sockets: a message ends with a line feed, replies queue until they are read."""

from __future__ import annotations

from hil_instruments.simulated.servers.connection import CHUNK, Connection
from hil_instruments.simulated.servers.seat import Conversation, Seat

CLIENTS = 4
"""Connections that a port takes at a time; a further one is closed at once."""
PORTION = 1024
"""Bytes that the instrument is handed at a time, so that others get their turn."""


class SocketSpeaker:
    """One client on a raw socket.

    A raw socket has no lock of its own; one that a client of another protocol holds makes it wait.
    """

    def __init__(self, seat: Seat, connection: Connection) -> None:
        self._seat, self.connection = seat, connection
        self._input = bytearray()
        self._waiting = False
        self._talk = Conversation(seat, self.pump, stream=True)

    def received(self, data: bytes) -> None:
        """Take the next bytes of the client."""
        self._input += data
        self.pump()

    def lost(self) -> None:
        """The client is gone."""
        self._seat.lock.forget(self.pump)
        self._talk.close()

    def drop(self) -> None:
        """End the connection, as a faulty link does."""
        self.connection.close()

    def pump(self) -> None:
        """Hand a portion to the instrument, and what it answers to the client."""
        connection, talk = self.connection, self._talk
        if not connection.open:
            return
        talk.pumping = True
        handed = bool(self._input) and self._hand_over()
        while (reply := talk.reply()) is not None:
            connection.send(reply[0])
        talk.pumping = False
        if talk.exchange.dropped:
            self.drop()
        if not self._input:
            connection.hold(False)
            return
        connection.hold(len(self._input) > CHUNK)
        if handed:
            talk.call()
        elif not self._seat.lock.bars(self):
            talk.call_later()

    def _hand_over(self) -> bool:
        lock = self._seat.lock
        if lock.bars(self):
            lock.forget(self.pump)
            lock.wait(self.pump)
            return False
        if self.connection.clogged or not self._talk.exchange.accepts():
            return False
        self._talk.exchange.write(bytes(self._input[:PORTION]))
        del self._input[:PORTION]
        return True
