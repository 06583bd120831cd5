"""One client's connection: never waits, keeps a bounded rest of what was sent."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # its pseudo-terminals are POSIX alone
    from hil_instruments.simulated.servers.serial_line import PtyEnd

CHUNK = 16_384
"""Bytes that one connection hands over at a time, so that the others get their turn."""
BACKLOG = 1_048_576
"""Bytes not read by a client beyond which it is not read either."""
LINGER = 1.0
"""Wall seconds that a closing connection has for the rest of its output."""
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
_CLOSE_WAIT = 8  # tcpi_state of a connection that its peer has closed: linux/tcp.h


class Speaker(Protocol):
    """What a protocol does with one connection."""

    def received(self, data: bytes) -> None:
        """Take the next bytes."""
        ...

    def lost(self) -> None:
        """Note that the connection is gone; called once."""
        ...


@dataclass(order=True, slots=True)
class Appointment:
    """Something to do at some wall time."""

    wall: float
    order: int
    action: Callable[[], None] = field(compare=False)
    cancelled: bool = field(default=False, compare=False)


class Owner(Protocol):
    """The reactor, as its connections see it."""

    @property
    def selector(self) -> selectors.BaseSelector:
        """Where they are watched."""
        ...

    def after(self, seconds: float, action: Callable[[], None]) -> Appointment:
        """Do something after so many wall seconds."""
        ...

    def forget(self, connection: Connection) -> None:
        """A connection is gone."""
        ...


class Connection:
    """One client's connection: what it has not read yet, and whether it is read itself."""

    __slots__ = ("_closing", "_held", "_mask", "_output", "_owner", "_raw", "_there", "speaker")

    def __init__(self, owner: Owner, raw: socket.socket | PtyEnd) -> None:
        self._owner, self._raw = owner, raw
        self._output = bytearray()
        self._mask, self._there = 0, True
        self._held = self._closing = False
        self.speaker: Speaker | None = None

    @property
    def open(self) -> bool:
        """Whether what is sent may still arrive."""
        return self._there and not self._closing

    @property
    def clogged(self) -> bool:
        """Whether the client does not take what it is sent."""
        return len(self._output) > BACKLOG

    def begin(self, speaker: Speaker) -> None:
        """Read from now on, for the speaker."""
        self.speaker = speaker
        self._watch()

    def send(self, data: bytes) -> None:
        """Send, or keep for when the client reads."""
        if not self.open or not data:
            return
        if not self._output:
            try:
                sent = self._raw.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self.abort()
                return
            if sent == len(data):
                return
            data = data[sent:]
        self._output += data
        self._watch()

    def hold(self, held: bool) -> None:
        """Stop reading from the client, or go on."""
        if held is not self._held:
            self._held = held
            self._watch()

    def read_now(self) -> None:
        """Take what has come, although it is not this connection's turn."""
        if self.open and not self._held:
            self._read()

    def close(self) -> None:
        """Close when the client has taken what was sent and has closed too, or LINGER is over."""
        if self.open:
            self._closing = True
            self._owner.after(LINGER, self.abort)
            self._finish_output()

    def abort(self) -> None:
        """Close now."""
        if not self._there:
            return
        self._there = False
        if self._mask:
            self._mask = 0
            self._owner.selector.unregister(self._raw)
        with contextlib.suppress(OSError):
            self._raw.shutdown(socket.SHUT_RDWR)
        self._raw.close()
        self._output.clear()
        self._owner.forget(self)
        if self.speaker is not None:
            self.speaker.lost()

    def look(self) -> None:
        """Find out whether the peer is gone, where the connection is not being read."""
        if self._mask & READ or not self._there:
            return  # reading tells
        with contextlib.suppress(OSError, AttributeError):  # AttributeError: not on this system
            if self._raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _CLOSE_WAIT:
                self.abort()

    def ready(self, mask: int) -> None:
        """Write and read what can be."""
        if mask & WRITE:
            self._flush()
        if mask & READ and self._there:
            self._read()

    def _flush(self) -> None:
        try:
            del self._output[: self._raw.send(self._output)]
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self.abort()
            return
        self._finish_output()

    def _finish_output(self) -> None:
        if self._closing and not self._output:
            # Unread input at a close would make the kernel throw away what was sent last.
            with contextlib.suppress(OSError):
                self._raw.shutdown(socket.SHUT_WR)
        self._watch()

    def _read(self) -> None:
        try:
            data = self._raw.recv(CHUNK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            data = b""
        if not data:
            self.abort()
        elif self.speaker is not None and not self._closing:
            self.speaker.received(data)

    def _watch(self) -> None:
        if not self._there:
            return
        reading = self._closing or not (self._held or self.clogged)
        mask = READ * reading | WRITE * bool(self._output)
        if mask == self._mask:
            return
        selector = self._owner.selector
        if not mask:
            selector.unregister(self._raw)
        elif self._mask:
            selector.modify(self._raw, mask, self.ready)
        else:
            selector.register(self._raw, mask, self.ready)
        self._mask = mask
