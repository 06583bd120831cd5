"""ONC RPC version 2 over TCP (RFC 5531): records, calls and replies. Bytes in, calls out."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

from hil_instruments.simulated.servers.xdr import Unpacker, XdrError

_LAST = 0x8000_0000
_LENGTH = struct.Struct("!I")
_CALL = struct.Struct("!6I")
_ACCEPTED = struct.Struct("!6I")
_DENIED_VERSION = struct.Struct("!6I")
_CREDENTIALS = 400  # bytes of a body of authentication at most: RFC 5531, 8.2


class Accept(IntEnum):
    """What became of a call that was understood."""

    SUCCESS = 0
    NO_PROGRAM = 1
    NO_VERSION = 2
    NO_PROCEDURE = 3
    BAD_ARGUMENTS = 4


class RecordError(Exception):
    """The stream cannot be followed any more: a record is too long, or holds no call."""


class VersionError(Exception):
    """A call of an RPC version other than 2; `args[0]` is its transaction id."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a procedure."""

    xid: int
    """Transaction id, which the reply repeats."""
    program: int
    version: int
    procedure: int
    arguments: Unpacker
    """Not read yet."""


class RecordReader:
    """Puts the fragments of records together, and keeps no more than one record."""

    def __init__(self, longest: int) -> None:
        """Begin.

        Args:
            longest: bytes of the longest record; a longer one is a RecordError.
        """
        self._longest = longest
        self._held = bytearray()
        self._record = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield each record that is complete with these bytes.

        Raises:
            RecordError: a record is longer than allowed.
        """
        held = self._held
        held += data
        while len(held) >= _LENGTH.size:
            (mark,) = _LENGTH.unpack_from(held)
            length = mark & ~_LAST
            if len(self._record) + length > self._longest:
                raise RecordError(f"a record of more than {self._longest} bytes")
            end = _LENGTH.size + length
            if len(held) < end:
                return
            self._record += held[_LENGTH.size : end]
            del held[:end]
            if mark & _LAST:
                record = bytes(self._record)
                self._record.clear()
                yield record


def record(data: bytes) -> bytes:
    """One record of one fragment."""
    return _LENGTH.pack(_LAST | len(data)) + data


def read_call(data: bytes) -> Call:
    """Read a record as a call; whoever calls is believed: the port is on loopback.

    Raises:
        RecordError: it is no call.
        VersionError: it is one of another RPC version.
    """
    if len(data) < _CALL.size:
        raise RecordError(f"{len(data)} bytes are no call")
    xid, kind, rpc_version, program, version, procedure = _CALL.unpack_from(data)
    if kind != 0:
        raise RecordError(f"a message of kind {kind}; allowed: 0, a call")
    if rpc_version != 2:
        raise VersionError(xid)
    rest = Unpacker(data, _CALL.size)
    try:
        for _ in ("credentials", "verifier"):
            rest.unsigned()
            rest.opaque(_CREDENTIALS)
    except XdrError as err:
        raise RecordError(f"credentials of a call: {err}") from err
    return Call(xid, program, version, procedure, rest)


def call(xid: int, program: int, version: int, procedure: int, arguments: bytes = b"") -> bytes:
    """A call without credentials, as a record."""
    return record(_CALL.pack(xid, 0, 2, program, version, procedure) + bytes(16) + arguments)


def success(xid: int, results: bytes = b"") -> bytes:
    """The reply to a call that was obeyed, as a record."""
    return record(_ACCEPTED.pack(xid, 1, 0, 0, 0, Accept.SUCCESS) + results)


def refusal(xid: int, why: Accept, versions: tuple[int, int] = (1, 1)) -> bytes:
    """The reply to a call that could not be obeyed, as a record.

    Args:
        xid: of the call.
        why: what is wrong with it.
        versions: lowest and highest version of the program, for NO_VERSION.
    """
    detail = struct.pack("!2I", *versions) if why is Accept.NO_VERSION else b""
    return record(_ACCEPTED.pack(xid, 1, 0, 0, 0, why) + detail)


def wrong_rpc_version(xid: int) -> bytes:
    """The reply to a call of another RPC version, as a record."""
    return record(_DENIED_VERSION.pack(xid, 1, 1, 0, 2, 2))
