"""Framing: where a message ends in the bytes that come."""

from __future__ import annotations

import re
from itertools import takewhile

_INTRODUCTION = re.compile(rb"#(?:(0)|([1-9])([0-9]{0,9}))")
_QUOTING = {False: re.compile(rb"[\"'#]"), True: re.compile(rb"#")}
_OPEN, _TOO_LONG = -1, -2


class Framer:
    """Cuts bytes into messages, however they were cut on their way.

    On a message bus END or a line feed ends a message, but not a line feed inside a string or a
    block. In a stream, which has no END, a line feed inside a string ends it too: else one lost
    quote would swallow whatever follows. A block longer than the longest message is none. A message
    that is too long is thrown away up to END on a bus, up to a line feed in a stream.
    """

    def __init__(self, stream: bool, longest: int) -> None:
        """Begin with nothing held.

        Args:
            stream: whether the bytes come without END.
            longest: bytes of the longest message that is taken.
        """
        self._stream, self._longest = stream, longest
        self._special = re.compile(rb"[\n#]" if stream else rb"[\n\"'#]")
        self._held = bytearray()
        self.reset()

    def reset(self) -> None:
        """Forget what is held."""
        self._restart()
        self._skipping = False
        self.overruns = 0
        """Messages thrown away because they were too long; whoever reports them sets it to 0."""

    def _restart(self) -> None:
        self._held.clear()
        self._place = 0
        """Up to where what is held has been looked at; beyond its end inside a block."""
        self._until = b""
        """What closes the element that was begun: a quote, or the end of an indefinite block."""
        self._endless = False
        """Whether only END ends the message: an indefinite block on a message bus."""

    @property
    def partial(self) -> bool:
        """Whether a message has begun and not ended."""
        return bool(self._held) or self._skipping

    @property
    def begun(self) -> bool:
        """Whether more than white space of a message has come."""
        return self._skipping or bool(self._held.strip())

    def feed(self, data: bytes, end: bool) -> list[bytes]:
        """Take bytes and return the messages that they complete, without terminator.

        Args:
            data: whatever came.
            end: whether END came with the last byte; a stream has none.
        """
        end = end and not self._stream
        if self._skipping:
            data = self._skip(data, end)
        self._held += data
        messages = self._lines(end)
        if end:
            self._skipping = False
            if self._held:
                messages.append(bytes(self._held))
            self._restart()
        return messages

    def _skip(self, data: bytes, end: bool) -> bytes:
        """Drop more of a message that was too long; return what follows it."""
        cut = data.find(b"\n") + 1 if self._stream else 0
        self._skipping = not (cut or end)
        return data[cut:] if cut else b""

    def _lines(self, end: bool) -> list[bytes]:
        """Cut off every message that a line feed ends."""
        messages: list[bytes] = []
        start = 0
        if not (self._until or self._endless or self._place):
            start = self._plain_lines(start, messages)
        while (at := self._line_end(start)) != _OPEN:
            if at == _TOO_LONG:
                at = self._drop(end)
            else:
                messages.append(bytes(self._held[start:at]))
            start = self._plain_lines(at + 1, messages)
        del self._held[:start]
        self._place -= start
        return messages

    def _plain_lines(self, start: int, messages: list[bytes]) -> int:
        """Cut off all lines before the next string or block at once; return where the rest is."""
        held = self._held
        found = _QUOTING[self._stream].search(held, start)
        cut = held.rfind(b"\n", start, found.start() if found else len(held)) + 1
        if cut:
            lines = bytes(held[start : cut - 1]).split(b"\n")
            fitting = list(takewhile(lambda line: len(line) <= self._longest, lines))
            messages += filter(None, fitting)
            start += sum(map(len, fitting)) + len(fitting)
        self._place = start
        return start

    def _drop(self, end: bool) -> int:
        """Throw away the message that is too long; return the place of its last byte."""
        self.overruns += 1
        self._until, self._endless = b"", False
        last = len(self._held) - 1
        if not self._stream:
            self._skipping = not end
            return last
        cut = self._held.find(b"\n", min(self._place, last))
        self._skipping = cut < 0
        return cut if cut >= 0 else last

    def _line_end(self, start: int) -> int:
        """Return the place of the next line feed that ends a message."""
        held, limit = self._held, start + self._longest
        while self._place <= limit:
            if self._endless:
                self._place = len(held)
                break
            if self._until:
                close = held.find(self._until, self._place)
                self._place = len(held) if close < 0 else close + (self._until != b"\n")
                if close < 0:
                    break
                self._until = b""
            found = self._special.search(held, self._place)
            at = found.start() if found else max(self._place, len(held))
            self._place = at
            if found is None or at > limit:
                break
            if held[at] == 10:
                return at
            if held[at] != 35:
                self._until, self._place = bytes([held[at]]), at + 1
            elif not self._pass_block(at, start):
                return _OPEN
        return _TOO_LONG if self._place > limit else _OPEN

    def _pass_block(self, at: int, start: int) -> bool:
        """Go on after the block that may begin at `at`; False if more bytes must tell."""
        held = self._held
        self._place = at + 1
        if at == start or not (held[at - 1] <= 32 or held[at - 1] == 44):
            return True
        found = _INTRODUCTION.match(held, at)
        if found is None:
            return self._told(at, at + 1)
        if found[1]:
            self._endless = not self._stream
            self._until = b"\n" if self._stream else b""
            return True
        width = int(found[2])
        digits = found[3][:width]
        if len(digits) < width:
            return self._told(at, found.end())
        if int(digits) <= self._longest:
            self._place = at + 2 + width + int(digits)
        return True

    def _told(self, at: int, read: int) -> bool:
        """Whether something follows what was read; if not, come back to `at` later."""
        if read < len(self._held):
            return True
        self._place = at
        return False
