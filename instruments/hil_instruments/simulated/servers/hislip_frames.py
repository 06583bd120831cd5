"""HiSLIP frames: sixteen bytes of header, then the payload. Bytes in, frames out; no socket.

Ref: IVI-6.1 High-Speed LAN Instrument Protocol, revision 2.0: tables 4 (message types), 14 (fatal
errors) and 16 (errors); from memory, checked against two public implementations of it.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

HEADER = struct.Struct("!2sBBIQ")
"""Prologue `HS`, message type, control code, message parameter, length of the payload."""
FIRST_ID = 0xFFFF_FF00
"""Message id of the first message after initialization or device clear; each next is 2 more."""
NO_ID = 0xFFFF_FFFF
"""Message id of a part of a reply that names none."""


class Kind(IntEnum):
    """Message types that a server of version 1.0 knows."""

    INITIALIZE = 0
    INITIALIZE_RESPONSE = 1
    FATAL_ERROR = 2
    ERROR = 3
    ASYNC_LOCK = 4
    ASYNC_LOCK_RESPONSE = 5
    DATA = 6
    DATA_END = 7
    DEVICE_CLEAR_COMPLETE = 8
    DEVICE_CLEAR_ACKNOWLEDGE = 9
    ASYNC_REMOTE_LOCAL_CONTROL = 10
    ASYNC_REMOTE_LOCAL_RESPONSE = 11
    TRIGGER = 12
    INTERRUPTED = 13
    ASYNC_INTERRUPTED = 14
    ASYNC_MAXIMUM_MESSAGE_SIZE = 15
    ASYNC_MAXIMUM_MESSAGE_SIZE_RESPONSE = 16
    ASYNC_INITIALIZE = 17
    ASYNC_INITIALIZE_RESPONSE = 18
    ASYNC_DEVICE_CLEAR = 19
    ASYNC_SERVICE_REQUEST = 20
    ASYNC_STATUS_QUERY = 21
    ASYNC_STATUS_RESPONSE = 22
    ASYNC_DEVICE_CLEAR_ACKNOWLEDGE = 23
    ASYNC_LOCK_INFO = 24
    ASYNC_LOCK_INFO_RESPONSE = 25


class Fatal(IntEnum):
    """Codes of a FatalError, after which both connections are closed."""

    UNIDENTIFIED = 0
    HEADER = 1
    CHANNELS = 2
    INITIALIZATION = 3
    CLIENTS = 4


class Mistake(IntEnum):
    """Codes of an Error, after which the conversation goes on."""

    UNIDENTIFIED = 0
    MESSAGE_TYPE = 1
    CONTROL_CODE = 2
    VENDOR_MESSAGE = 3
    TOO_LARGE = 4


class FrameError(Exception):
    """The stream of bytes is no stream of HiSLIP frames (any more): a fatal error."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message."""

    kind: int
    """Message type, also one that nobody knows."""
    control: int = 0
    """Control code, 8 bits."""
    parameter: int = 0
    """Message parameter, 32 bits."""
    payload: bytes = b""
    """Payload; empty if it was too large."""
    excess: int = 0
    """Length of a payload that was longer than allowed, and was thrown away; else 0."""

    def encoded(self) -> bytes:
        """The frame as bytes."""
        head = HEADER.pack(b"HS", self.kind, self.control, self.parameter, len(self.payload))
        return head + self.payload


class FrameReader:
    """Cuts a stream into frames, and keeps no more than one payload of the longest size."""

    def __init__(self, longest: int) -> None:
        """Begin.

        Args:
            longest: bytes of the longest payload that is kept; a longer one is skipped.
        """
        self._longest = longest
        self._held = bytearray()
        self._skip = 0
        self._skipped: Frame | None = None

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield each frame that is complete with these bytes.

        A frame with too large a payload comes, without it, as soon as its last byte is skipped.

        Raises:
            FrameError: a header does not begin with `HS`; nothing after it can be understood.
        """
        self._held += data
        while (frame := self._next()) is not None:
            yield frame

    def _next(self) -> Frame | None:
        held = self._held
        if self._skipped is not None:
            return self._go_on_skipping(self._skipped)
        if held and not b"HS".startswith(held[:2]):
            raise FrameError(f"{bytes(held[:16])!r} does not begin with 'HS'")
        if len(held) < HEADER.size:
            return None
        _, kind, control, parameter, length = HEADER.unpack_from(held)
        if length > self._longest:
            del held[: HEADER.size]
            self._skip = length
            return self._go_on_skipping(Frame(kind, control, parameter, b"", length))
        end = HEADER.size + length
        if len(held) < end:
            return None
        payload = bytes(held[HEADER.size : end])
        del held[:end]
        return Frame(kind, control, parameter, payload)

    def _go_on_skipping(self, frame: Frame) -> Frame | None:
        gone = min(self._skip, len(self._held))
        del self._held[:gone]
        self._skip -= gone
        self._skipped = frame if self._skip else None
        return None if self._skip else frame
