"""The lock of one instrument, whichever protocol asks for it: exclusive, shared, or both.

Ref: IVI-6.1, 2.6 and table 22; VXI-11, B.6.72 and B.6.80 (from memory, checked against public
implementations). Pure: nothing waits here; who must wait is called when something has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeAlias

Owner: TypeAlias = object
"""Who holds a lock: a HiSLIP session or a VXI-11 link, by identity."""


class Grant(Enum):
    """Answer to a request."""

    GRANTED = "granted"
    HELD = "held by another; it may be asked again when the lock has changed"
    ABSURD = "the owner holds it already"


class Release(Enum):
    """Answer to a release."""

    EXCLUSIVE = "the exclusive lock was given back"
    SHARED = "the shared lock was given back"
    NONE = "the owner holds none"


class DeviceLock:
    """Who may speak to the instrument, and who waits for it."""

    def __init__(self) -> None:
        self._exclusive: Owner | None = None
        self._shared: set[Owner] = set()
        self._key = ""
        self._waiting: list[Callable[[], None]] = []

    def request(self, owner: Owner, key: str = "") -> Grant:
        """Ask for the exclusive lock or, with a key, for the lock shared under that key."""
        if owner is self._exclusive or (key and owner in self._shared):
            return Grant.ABSURD
        if self._exclusive is not None:
            return Grant.HELD
        if not key:
            if self._shared and owner not in self._shared:
                return Grant.HELD
            self._exclusive = owner
            return Grant.GRANTED
        if self._shared and key != self._key:
            return Grant.HELD
        self._shared.add(owner)
        self._key = key
        return Grant.GRANTED

    def release(self, owner: Owner) -> Release:
        """Give back the exclusive lock or, if the owner has none, the shared one."""
        if owner is self._exclusive:
            self._exclusive = None
            self._tell()
            return Release.EXCLUSIVE
        if owner in self._shared:
            self._shared.discard(owner)
            self._tell()
            return Release.SHARED
        return Release.NONE

    def drop(self, owner: Owner) -> None:
        """Take every lock from an owner that is gone."""
        while self.release(owner) is not Release.NONE:
            pass

    def bars(self, owner: Owner) -> bool:
        """Whether a lock of others keeps the owner from the instrument."""
        if self._exclusive is not None:
            return owner is not self._exclusive
        return bool(self._shared) and owner not in self._shared

    def holders(self) -> tuple[bool, int]:
        """Whether the exclusive lock is held, and how many owners hold any."""
        alone = self._exclusive is not None and self._exclusive not in self._shared
        return self._exclusive is not None, len(self._shared) + alone

    def wait(self, again: Callable[[], None]) -> None:
        """Call `again` once, when a lock has been given back."""
        self._waiting.append(again)

    def forget(self, again: Callable[[], None]) -> None:
        """Do not call it any more."""
        if again in self._waiting:
            self._waiting.remove(again)

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for again in waiting:
            again()
