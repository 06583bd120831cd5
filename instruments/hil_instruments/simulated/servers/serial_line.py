"""A serial line of this machine: a pseudo-terminal, at whose other end a client opens a tty.

POSIX alone has them. Speed and framing of the line have no effect, nor has who opens it: two
clients on one line hear each other's replies, as on a real one.
"""

from __future__ import annotations

import contextlib
import os
import tty

from hil_instruments.simulated.servers.sockets import SocketSpeaker


class PtyEnd:
    """The instrument's end of a pseudo-terminal, as a `Connection` uses a socket."""

    def __init__(self) -> None:
        """Make the pair.

        Raises:
            OSError: this system gives no pseudo-terminal.
        """
        self._end, self._other = os.openpty()
        tty.setraw(self._other)
        os.set_blocking(self._end, False)
        self.resource = f"ASRL{os.ttyname(self._other)}::INSTR"
        """VISA resource name of the client's end, which stays open here: no client, no hang-up."""

    def fileno(self) -> int:
        """Descriptor, for a selector."""
        return self._end

    def send(self, data: bytes | bytearray) -> int:
        """Send what fits; returns its count."""
        return os.write(self._end, data)

    def recv(self, count: int) -> bytes:
        """Read what has come, up to `count` bytes."""
        return os.read(self._end, count)

    def shutdown(self, how: int) -> None:
        """Do nothing: a line has no such thing."""

    def getsockopt(self, level: int, option: int, length: int) -> bytes:
        """Say that this is no socket, so that nobody asks whether its peer is gone."""
        raise OSError(f"a serial line has no option {level}/{option} of {length} bytes")

    def close(self) -> None:
        """Close both ends; may be called twice."""
        for descriptor in (self._end, self._other):
            with contextlib.suppress(OSError):
                os.close(descriptor)


class SerialSpeaker(SocketSpeaker):
    """The client on a serial line: a carriage return ends a message too, and nothing is dropped."""

    def received(self, data: bytes) -> None:
        """Take the next bytes of the client."""
        super().received(data.replace(b"\r", b"\n"))

    def drop(self) -> None:
        """Lose what was under way: whoever unplugs a line and plugs it in again finds it there."""
        self._talk.restart(stream=True)
