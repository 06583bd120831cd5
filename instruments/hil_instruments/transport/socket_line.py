"""A raw socket that pyvisa-py opened, read and written without it."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import time
from collections.abc import Callable
from typing import Any

from pyvisa.resources import MessageBasedResource

from hil.errors import InstrumentError
from hil_instruments.transport.line import CHUNK, QUIET, SLICE, Block, Gone, Silence, deaf

LONGEST_LINE = 2**20
"""A line that is longer than this never ends."""

_NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


class SocketLine:
    """A raw socket that pyvisa-py opened, read and written here."""

    stream = True

    def __init__(self, resource: MessageBasedResource, raw: socket.socket, end: bytes) -> None:
        self._resource = resource
        self._socket = raw
        self._end = end
        self._buffer = bytearray()
        self.heed = deaf
        raw.setsockopt(*_NO_DELAY)
        raw.setblocking(False)  # with a timeout Python would ask before each call whether it may
        self._readable = _waiting(raw, write=False)
        self._writable = _waiting(raw, write=True)
        refused = raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if refused:  # pyvisa-py takes a refused connection for an open one
            raise ConnectionError(refused, "connection refused")

    def send(self, data: bytes, timeout: float) -> None:
        """Send a whole message; raises Silence if it is not taken in `timeout` s, Gone."""
        deadline = time.monotonic() + timeout
        while (sent := self._sent(data)) < len(data):
            data = data[sent:]
            self._wait(self._writable, deadline)

    def receive_line(self, timeout: float) -> bytes:
        """Read one message of text, its end included, within `timeout` s; raises Silence, Gone."""
        deadline = time.monotonic() + timeout
        if not self._buffer:
            self._fill(deadline)
        searched = 0
        while (end := self._buffer.find(self._end, searched)) < 0:
            searched = max(len(self._buffer) - len(self._end) + 1, 0)
            if searched > LONGEST_LINE:
                raise InstrumentError(f"{searched} bytes came without a line end")
            self._fill(deadline)
        return self._take(end + len(self._end))

    def receive_block(self, timeout: float, form: Block) -> bytes:
        """Read one block and what ends it; its payload. Raises InstrumentError, Silence, Gone."""
        deadline = time.monotonic() + timeout
        length = form.announced(lambda count: self._exactly(count, deadline))
        payload = self._exactly(length, deadline)
        rest = self.receive_line(max(deadline - time.monotonic(), 1e-3))
        if rest.strip(b"\r\n"):
            raise InstrumentError(f"a block of {length} bytes is followed by {rest[:20]!r}")
        return payload

    def unexpected(self) -> bytes:
        """Bytes that wait although nothing was asked; empty if none, or if it cannot be known."""
        try:
            if not self._buffer and self._readable(0.0):
                self._append(self._socket.recv(CHUNK))
        except (OSError, ValueError) as err:  # ValueError: this program has closed it
            raise Gone(str(err)) from err
        return bytes(self._buffer)

    def discard(self) -> None:
        """Throw away what comes until the line is quiet."""
        with contextlib.suppress(Silence):
            while True:
                self._buffer.clear()
                self._fill(time.monotonic() + QUIET)

    def close(self) -> None:
        """Close; sends nothing."""
        self._resource.close()

    def _exactly(self, count: int, deadline: float) -> bytes:
        while len(self._buffer) < count:
            self._fill(deadline)
        return self._take(count)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _sent(self, data: bytes) -> int:
        """Send what is taken now; how many bytes that were."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0
        except OSError as err:
            raise Gone(str(err)) from err

    def _fill(self, deadline: float) -> None:
        self._wait(self._readable, deadline)
        try:
            self._append(self._socket.recv(CHUNK))
        except BlockingIOError:
            return  # the system has thrown away what it had announced
        except OSError as err:
            raise Gone(str(err)) from err

    def _wait(self, ready: Callable[[float], bool], deadline: float) -> None:
        """Wait until it is ready, in slices; raises Silence at the deadline, Gone."""
        try:
            while (left := deadline - time.monotonic()) > 0:
                if ready(min(left, SLICE)):
                    return
                self.heed()
        except (OSError, ValueError) as err:  # ValueError: this program has closed it
            raise Gone(str(err)) from err
        raise Silence

    def _append(self, data: bytes) -> None:
        if not data:
            raise Gone("the peer closed the connection")
        self._buffer += data


def _waiting(raw: socket.socket, *, write: bool) -> Callable[[float], bool]:
    """Make what waits so many seconds for a socket, and tells whether it is ready, or gone."""
    if sys.platform == "win32":
        watched: tuple[list[socket.socket], list[socket.socket]] = (
            ([], [raw]) if write else ([raw], [])
        )
        return lambda seconds: any(select.select(*watched, [], seconds))
    poll = select.poll()
    poll.register(raw, select.POLLOUT if write else select.POLLIN)
    return lambda seconds: bool(poll.poll(seconds * 1000))


def raw_socket(resource: MessageBasedResource) -> socket.socket | None:
    """The operating system's socket under a SOCKET session of pyvisa-py; else None."""
    if resource.resource_class != "SOCKET":
        return None
    sessions: Any = getattr(resource.visalib, "sessions", {})
    interface = getattr(sessions.get(resource.session), "interface", None)
    return interface if isinstance(interface, socket.socket) else None
