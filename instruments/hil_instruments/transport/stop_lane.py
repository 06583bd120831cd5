"""The lane that stops take when a session is in use, poisoned or lost: a line of their own."""

from __future__ import annotations

import threading

from hil.errors import BenchError, HilError
from hil_instruments.transport.address import Address, opened
from hil_instruments.transport.line import Gone, Line, Silence

STOP_PATIENCE = 0.05
"""Seconds for which the stop lane waits for a session that is in use, before it opens its own."""


class StopLane:
    """A second line to the same instrument, opened by the first stop that needs it."""

    def __init__(self, address: Address, name: str) -> None:
        self._address = address
        self._name = name
        self._lock = threading.Lock()
        self._line: Line | None = None

    def send(self, text: str, data: bytes) -> None:
        """Send a message, and wait for nothing.

        Raises:
            BenchError: it could not be sent; the caller must cut off by other means.
        """
        with self._lock:
            try:
                if self._line is None:
                    self._line = opened(self._address, self._name)
                self._line.send(data, STOP_PATIENCE)
            except (HilError, Silence, Gone) as err:
                self._line = None
                raise BenchError(
                    f"{self._name}: the stop {text!r} could be sent neither over the session nor "
                    f"over a second one: {err}; cut the path by other means"
                ) from err

    def close(self) -> None:
        """Close; the next stop opens it anew."""
        with self._lock:
            if self._line is not None:
                self._line.close()
                self._line = None
