"""XDR, the external data representation of RPC (RFC 4506): what VXI-11 needs of it."""

from __future__ import annotations

import struct

_INT, _UINT = struct.Struct("!i"), struct.Struct("!I")


class XdrError(Exception):
    """The bytes are not the arguments that the procedure takes."""


class Unpacker:
    """Reads one value after another from the arguments of a call."""

    __slots__ = ("_data", "_place")

    def __init__(self, data: bytes, place: int = 0) -> None:
        self._data, self._place = data, place

    def _fixed(self, form: struct.Struct) -> int:
        end = self._place + form.size
        if end > len(self._data):
            raise XdrError(f"{len(self._data)} bytes end before the value at {self._place}")
        value: int = form.unpack_from(self._data, self._place)[0]
        self._place = end
        return value

    def signed(self) -> int:
        """Signed number of 32 bits."""
        return self._fixed(_INT)

    def unsigned(self) -> int:
        """Unsigned number of 32 bits."""
        return self._fixed(_UINT)

    def boolean(self) -> bool:
        """0 or 1; any other number is an XdrError."""
        value = self._fixed(_UINT)
        if value > 1:
            raise XdrError(f"{value} is no boolean; allowed: 0 and 1")
        return value == 1

    def opaque(self, longest: int) -> bytes:
        """Bytes of variable length, at most `longest` of them."""
        length = self._fixed(_UINT)
        start = self._place
        if length > longest or start + length > len(self._data):
            raise XdrError(f"{length} bytes; allowed: {longest}, of which all are there")
        self._place = start + (length + 3) // 4 * 4
        return self._data[start : start + length]


def packed_int(value: int) -> bytes:
    """Signed number of 32 bits."""
    return _INT.pack(value)


def packed_uint(value: int) -> bytes:
    """Unsigned number of 32 bits."""
    return _UINT.pack(value)


def packed_opaque(data: bytes) -> bytes:
    """Bytes of variable length, padded to a multiple of four."""
    return _UINT.pack(len(data)) + data + bytes(-len(data) % 4)
