"""Status reporting: registers of SCPI-99, volume 1, chapter 20, and the error queue."""

from __future__ import annotations

from collections import deque

REGISTER_MASK = 0x7FFF
"""Bits of a register; the 16th is never used, so that no reply is negative."""


class Register:
    """Condition, transition filters, event and enable of one status group."""

    __slots__ = ("condition", "enable", "event", "negative", "positive")

    def __init__(self) -> None:
        self.condition = 0
        """What holds now."""
        self.event = 0
        """What happened since it was read."""
        self.enable = 0
        """Events that show in the summary bit."""
        self.positive = REGISTER_MASK
        """Conditions whose beginning is an event."""
        self.negative = 0
        """Conditions whose end is an event."""

    def set(self, mask: int, on: bool = True) -> None:
        """Let conditions begin or end."""
        old = self.condition
        new = old | mask if on else old & ~mask
        self.condition = new
        self.event |= (new & ~old & self.positive) | (old & ~new & self.negative)

    def take_event(self) -> int:
        """Read the event register, which clears it."""
        event, self.event = self.event, 0
        return event

    def preset(self) -> None:
        """Obey STATus:PRESet: nothing enabled, every beginning is an event, no end is."""
        self.enable, self.positive, self.negative = 0, REGISTER_MASK, 0

    @property
    def summary(self) -> bool:
        """Whether an enabled event has happened."""
        return bool(self.event & self.enable)


class ErrorQueue:
    """Entries, first in first out."""

    __slots__ = ("_entries",)

    def __init__(self) -> None:
        self._entries: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def push(self, entry: str) -> None:
        """Add an entry."""
        self._entries.append(entry)

    def overflow(self, entry: str) -> None:
        """Replace the newest entry by the one that tells of lost ones."""
        self._entries[-1] = entry

    def pop(self) -> str | None:
        """Take the oldest entry; None if there is none."""
        return self._entries.popleft() if self._entries else None

    def clear(self) -> None:
        """Forget every entry."""
        self._entries.clear()
