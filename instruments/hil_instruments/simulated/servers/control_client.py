"""A client of the control channel of a served bench.

with ControlClient(port) as control:
control.do("load", name="2k")
control.do("truth")["nodes"]["current"]
"""

from __future__ import annotations

import json
import socket
from typing import Any

from hil.errors import ConnectionLost, ReplyTimeout, UsageError

TIMEOUT = 5.0
"""Wall seconds for one request."""


class ControlClient:
    """One connection to a control channel; not for several threads at a time."""

    def __init__(self, port: int, timeout: float = TIMEOUT) -> None:
        """Connect to a port of this machine.

        Raises:
            ConnectionLost: nobody answers there.
        """
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout)
        except OSError as err:
            raise ConnectionLost(
                f"control channel at port {port}: {err}; is `hil serve` running?"
            ) from err
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._replies = self._socket.makefile("rb")

    def __enter__(self) -> ControlClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close; what was set stays."""
        self._replies.close()
        self._socket.close()

    def do(self, what: str, **arguments: object) -> Any:  # noqa: ANN401  # whatever JSON says
        """Ask for one thing to be done, and give its result.

        Raises:
            UsageError: the bench refuses it; the message says what is allowed.
            ReplyTimeout: no answer in time.
            ConnectionLost: the server is gone.
        """
        try:
            self._socket.sendall(json.dumps({"do": what, **arguments}).encode() + b"\n")
            line = self._replies.readline()
        except TimeoutError as err:
            raise ReplyTimeout(f"control channel: {what} got no answer in time") from err
        except OSError as err:
            raise ConnectionLost(f"control channel: {what}: {err}") from err
        if not line:
            raise ConnectionLost(f"control channel: {what}: the server closed the connection")
        reply = json.loads(line)
        if not reply["ok"]:
            raise UsageError(f"control channel: {reply['error']}")
        return reply["result"]
