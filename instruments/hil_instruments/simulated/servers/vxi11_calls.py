"""VXI-11: numbers, and the arguments and results of its procedures as bytes.

Ref: VXI-11 TCP/IP Instrument Protocol Specification, revision 1.0, July 1995: table B.2 (errors),
B.5 (flags) and appendix C (the RPC language definition); from memory, checked against public
transcriptions of appendix C.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, IntFlag

from hil_instruments.simulated.servers.xdr import (
    Unpacker,
    packed_int,
    packed_opaque,
    packed_uint,
)

CORE, ABORT, INTERRUPT = 0x0607AF, 0x0607B0, 0x0607B1
"""Program numbers of the core, abort and interrupt channels."""
VERSION = 1
LONGEST_WRITE = 262_144
"""Bytes of one device_write that are taken."""
LONGEST_READ = 1_048_576
"""Bytes of one device_read that are given."""
LONGEST_NAME = 256
LONGEST_HANDLE = 40


class Error(IntEnum):
    """Device_ErrorCode."""

    NONE = 0
    SYNTAX = 1
    NOT_ACCESSIBLE = 3
    INVALID_LINK = 4
    PARAMETER = 5
    NO_CHANNEL = 6
    NOT_SUPPORTED = 8
    OUT_OF_RESOURCES = 9
    LOCKED = 11
    NO_LOCK = 12
    IO_TIMEOUT = 15
    IO = 17
    ABORTED = 23
    CHANNEL_EXISTS = 29


class Flags(IntFlag):
    """Device_Flags."""

    WAIT_LOCK = 1
    END = 8
    TERMINATOR = 128


class Reason(IntFlag):
    """Why a read ended."""

    COUNT = 1
    TERMINATOR = 2
    END = 4


class Procedure(IntEnum):
    """Procedures of the core channel; 1 is the only one of the abort channel."""

    NULL = 0
    DEVICE_ABORT = 1
    CREATE_LINK = 10
    DEVICE_WRITE = 11
    DEVICE_READ = 12
    DEVICE_READSTB = 13
    DEVICE_TRIGGER = 14
    DEVICE_CLEAR = 15
    DEVICE_REMOTE = 16
    DEVICE_LOCAL = 17
    DEVICE_LOCK = 18
    DEVICE_UNLOCK = 19
    DEVICE_ENABLE_SRQ = 20
    DEVICE_DOCMD = 22
    DESTROY_LINK = 23
    CREATE_INTR_CHAN = 25
    DESTROY_INTR_CHAN = 26
    DEVICE_INTR_SRQ = 30


_NO_FLAGS, _NO_REASON = Flags(0), Reason(0)


@dataclass(frozen=True, slots=True)
class Order:
    """What the arguments of a procedure that may wait have in common."""

    link: int
    flags: Flags = _NO_FLAGS
    lock_timeout: float = 0.0
    """Seconds."""
    io_timeout: float = 0.0
    """Seconds."""
    data: bytes = b""
    """What is to be written."""
    count: int = 0
    """Bytes that are asked for."""
    terminator: int = 0
    """Character that ends a read, if the flags say so."""

    @property
    def lock_patience(self) -> float:
        """Seconds that it waits for a lock."""
        return self.lock_timeout if Flags.WAIT_LOCK in self.flags else 0.0


def read_write(arguments: Unpacker) -> Order:
    """Arguments of device_write."""
    link = arguments.signed()
    io, lock = arguments.unsigned() / 1000, arguments.unsigned() / 1000
    flags = Flags(arguments.signed() & 0xFF)
    return Order(link, flags, lock, io, data=arguments.opaque(LONGEST_WRITE))


def read_read(arguments: Unpacker) -> Order:
    """Arguments of device_read."""
    link, count = arguments.signed(), arguments.unsigned()
    io, lock = arguments.unsigned() / 1000, arguments.unsigned() / 1000
    flags = Flags(arguments.signed() & 0xFF)
    return Order(link, flags, lock, io, count=count, terminator=arguments.signed() & 0xFF)


def read_generic(arguments: Unpacker) -> Order:
    """Arguments of readstb, trigger, clear, remote and local."""
    link, flags = arguments.signed(), Flags(arguments.signed() & 0xFF)
    lock, io = arguments.unsigned() / 1000, arguments.unsigned() / 1000
    return Order(link, flags, lock, io)


def read_lock(arguments: Unpacker) -> Order:
    """Arguments of device_lock."""
    link, flags = arguments.signed(), Flags(arguments.signed() & 0xFF)
    return Order(link, flags, arguments.unsigned() / 1000)


def read_link(arguments: Unpacker) -> Order:
    """Arguments of those that take a link alone."""
    return Order(arguments.signed())


def error(code: Error) -> bytes:
    """Results of those that give an error alone."""
    return packed_int(code)


def written(code: Error, count: int = 0) -> bytes:
    """Results of device_write."""
    return packed_int(code) + packed_uint(count)


def read(code: Error, reason: Reason = _NO_REASON, data: bytes = b"") -> bytes:
    """Results of device_read."""
    return packed_int(code) + packed_int(reason) + packed_opaque(data)


def status(code: Error, status_byte: int = 0) -> bytes:
    """Results of device_readstb."""
    return packed_int(code) + packed_uint(status_byte)


def linked(code: Error, link: int = 0, abort_port: int = 0) -> bytes:
    """Results of create_link."""
    size = LONGEST_WRITE if code is Error.NONE else 0
    return packed_int(code) + packed_int(link) + packed_uint(abort_port) + packed_uint(size)


def commanded(code: Error) -> bytes:
    """Results of device_docmd."""
    return packed_int(code) + packed_opaque(b"")
