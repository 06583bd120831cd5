"""HiSLIP: the service of one instrument, whose sessions have two connections each.

Ref: IVI-6.1 High-Speed LAN Instrument Protocol, from memory, checked against public
implementations of it and their notes. Version 1.0: no descriptors, encryption or authentication.
"""

from __future__ import annotations

from collections.abc import Callable

from hil_instruments.simulated.servers.connection import Connection
from hil_instruments.simulated.servers.hislip_frames import (
    Fatal,
    Frame,
    FrameError,
    FrameReader,
    Kind,
    Mistake,
)
from hil_instruments.simulated.servers.hislip_session import LONGEST, Session
from hil_instruments.simulated.servers.seat import Seat

CLIENTS = 4
"""Sessions that a port takes at a time."""
CONNECTIONS = 4 * CLIENTS
"""Connections that it takes: two a session, and some that are being opened or closed."""
VERSION = 0x0100
"""1.0, the highest version that is spoken."""
HANDSHAKE = 10.0
"""Wall seconds in which a client must have established both connections."""
SUBADDRESS = "hislip0"


class Channel:
    """One connection: it cuts frames, and hands them to the session to which it belongs."""

    def __init__(self, port: HislipPort, connection: Connection) -> None:
        self.connection = connection
        self.session: Session | None = None
        self._port = port
        self._reader = FrameReader(LONGEST)
        port.seat.reactor.after(HANDSHAKE, self._check_established)

    def received(self, data: bytes) -> None:
        """Take the next bytes of the client."""
        try:
            for frame in self._reader.feed(data):
                if self.connection.open:
                    self._take(frame)
        except FrameError as err:
            self.fatal(Fatal.HEADER, str(err))

    def lost(self) -> None:
        """The connection is gone, and the session with it."""
        if self.session is not None:
            self.session.end()

    def send(self, frame: Frame) -> None:
        """Send a frame."""
        self.connection.send(frame.encoded())

    def mistake(self, code: Mistake, text: str) -> None:
        """Tell the client about a message that was not obeyed."""
        self.send(Frame(Kind.ERROR, code, 0, text.encode()))

    def fatal(self, code: Fatal, text: str) -> None:
        """Tell the client why the conversation ends, and end it."""
        self.send(Frame(Kind.FATAL_ERROR, code, 0, text.encode()))
        if self.session is not None:
            self.session.end()
        self.connection.close()

    def _take(self, frame: Frame) -> None:
        if frame.kind == Kind.FATAL_ERROR:
            self.connection.close()
        elif frame.kind == Kind.ERROR:
            return  # the client's own complaint; there is nothing to answer
        elif frame.excess:
            self.mistake(Mistake.TOO_LARGE, f"{frame.excess} bytes; allowed: {LONGEST}")
        elif self.session is not None:
            self.session.take(self, frame)
        elif frame.kind == Kind.INITIALIZE:
            self._port.initialize(self, frame)
        elif frame.kind == Kind.ASYNC_INITIALIZE:
            self._port.join(self, frame)
        else:
            self.fatal(
                Fatal.INITIALIZATION,
                f"message type {frame.kind} came first; allowed: Initialize, AsyncInitialize",
            )

    def _check_established(self) -> None:
        established = self.session is not None and self.session.established
        if self.connection.open and not established:
            self.fatal(Fatal.CHANNELS, f"not both channels within {HANDSHAKE:g} s")


class HislipPort:
    """The HiSLIP service of one instrument."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self._sessions: dict[int, Session] = {}
        self._last = 0

    def answer(self, connection: Connection) -> Channel:
        """Make what speaks on a new connection."""
        return Channel(self, connection)

    def initialize(self, channel: Channel, frame: Frame) -> None:
        """Begin a session on its synchronous channel."""
        wanted = frame.payload.decode("latin-1").lower()
        if wanted not in {"", SUBADDRESS}:
            channel.fatal(
                Fatal.INITIALIZATION, f"no sub-address {wanted[:40]!r}; allowed: {SUBADDRESS}"
            )
        elif len(self._sessions) >= CLIENTS:
            channel.fatal(Fatal.CLIENTS, f"{CLIENTS} sessions are open; allowed: {CLIENTS}")
        else:
            self._last = self._last % 0xFFFF + 1
            while self._last in self._sessions:
                self._last = self._last % 0xFFFF + 1
            channel.session = Session(self.seat, channel, self._forgetter(self._last))
            self._sessions[self._last] = channel.session
            version = min(VERSION, frame.parameter >> 16)
            channel.send(Frame(Kind.INITIALIZE_RESPONSE, 0, version << 16 | self._last))

    def join(self, channel: Channel, frame: Frame) -> None:
        """Join the asynchronous channel to its session."""
        session = self._sessions.get(frame.parameter)
        if session is None or session.established:
            channel.fatal(
                Fatal.INITIALIZATION, f"no session {frame.parameter} waits for its second channel"
            )
            return
        channel.session = session
        session.second = channel
        vendor = int.from_bytes(b"SP")
        channel.send(Frame(Kind.ASYNC_INITIALIZE_RESPONSE, 0, vendor))

    def _forgetter(self, number: int) -> Callable[[], None]:
        def forget() -> None:
            self._sessions.pop(number, None)

        return forget
