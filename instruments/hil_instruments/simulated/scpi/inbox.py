"""What a client has sent and the instrument has not obeyed yet, in bounded memory."""

from __future__ import annotations

from collections import deque

from hil_instruments.simulated.scpi.framing import Framer

KEPT = 256
"""Longest write, and largest number of them, that is known again."""


class Inbox:
    """Messages in order, and the beginning of the next one."""

    def __init__(self, stream: bool, longest: int) -> None:
        """Begin empty.

        Args:
            stream: whether the bytes come without END.
            longest: bytes of the longest message, and of messages beyond which none is taken.
        """
        self.messages: deque[bytes | None] = deque()
        """Those that wait; None is a trigger."""
        self.size = 0
        """Bytes of them."""
        self.partial = False
        """Whether a message has begun and not ended."""
        self.plain: set[bytes] = set()
        """Writes that are known to be one whole message."""
        self._stream, self._longest = stream, longest
        self._framer = Framer(stream, longest)
        self._lost = 0

    def feed(self, data: bytes, end: bool) -> list[bytes]:
        """Take bytes and return the messages that they complete."""
        messages = self._framer.feed(data, end)
        self.partial = self._framer.partial
        if end:
            self._remember(data)
        return [message for message in messages if message.strip()]

    def _remember(self, data: bytes) -> None:
        """Note that such a write is one message, which need not be looked at again."""
        line_end = data.find(b"\n")
        whole = line_end == len(data) - 1 or (line_end < 0 and not self._stream)
        if whole and len(data) <= KEPT and not (self._stream and b"#" in data):
            if len(self.plain) >= KEPT:
                self.plain.clear()
            self.plain.add(bytes(data))

    @property
    def begun(self) -> bool:
        """Whether more than white space of the next message has come."""
        return self.partial and self._framer.begun

    def accepts(self) -> bool:
        """Whether there is room for one more."""
        return self.size < self._longest

    def push(self, message: bytes | None) -> bool:
        """Put a message, or None for a trigger, behind the others; False if it is lost."""
        if not self.accepts():
            self._lost += 1
            return False
        self.messages.append(message)
        self.size += len(message) if message else 1
        return True

    def pop(self) -> bytes | None:
        """Take the oldest message; None if it is a trigger."""
        message = self.messages.popleft()
        self.size -= len(message) if message else 1
        return message

    def losses(self) -> list[str]:
        """Say what was lost since this was asked, once for each cause."""
        told = []
        if self._framer.overruns:
            told.append(f"a message of more than {self._longest} bytes")
        if self._lost:
            told.append(f"{self._lost} messages while {self.size} bytes waited")
        self._framer.overruns = self._lost = 0
        return told

    def clear(self) -> None:
        """Forget everything."""
        self._framer.reset()
        self.messages.clear()
        self.size, self.partial, self._lost = 0, False, 0
