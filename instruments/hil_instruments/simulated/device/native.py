"""Firmware in a shared library, built against `firmware_port.h`: a user's C code, judged as it is.

Every boot loads a copy of the library of its own: static variables have their initial values again,
as after a reset of a processor, and two devices in one process share nothing.
"""

from __future__ import annotations

import _ctypes  # noqa: PLC2701  # ctypes opens libraries and has no name for closing one
import ctypes
import faulthandler
import os
import signal
import sys
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hil.errors import BenchError, UsageError
from hil_instruments.simulated.device.port import Port, Reset

PORT_VERSION = 1
"""FIRMWARE_PORT_VERSION of the header beside this file."""
REPLY_CAPACITY = 4096
"""Longest reply in bytes."""
LONGEST_CALL = 10.0
"""Seconds of processor time after which a call of the firmware hangs."""
_GUARD = b"\xa5" * 64  # behind the reply: shows firmware that writes past its end
_ENTRY_POINTS = ("firmware_boot", "firmware_tick", "firmware_receive")


class SharedLibrary:
    """Implements `port.Firmware` by the functions of a shared library.

    It runs in this process, which ends with a crash of the firmware, and by SIGVTALRM with an
    endless loop. `process.FirmwareProcess` runs the same firmware apart.
    """

    def __init__(self, path: Path) -> None:
        """Load the library and look for its functions; nothing of it runs before `boot`.

        Raises:
            UsageError: the file cannot be loaded, lacks a function, or was built for another
                version of the port.
        """
        _tell_of_hangs()
        self._path = path
        self._image = _read(path)
        self._bridge = _Bridge()
        self._room = bytearray(REPLY_CAPACITY) + _GUARD
        self._reply = (ctypes.c_char * len(self._room)).from_buffer(self._room)
        self._loaded = _Loaded(path, self._image)
        self._fresh = True

    def close(self) -> None:
        """Unload the library; nothing of it can be called any longer."""
        self._loaded.close()

    def boot(self, port: Port, cause: Reset) -> None:
        """See `port.Firmware`."""
        if not self._fresh:
            self._loaded.close()
            self._loaded = _Loaded(self._path, self._image)
        self._fresh = False
        self._bridge.port = port
        _limit(LONGEST_CALL)
        self._loaded.boot(ctypes.byref(self._bridge.table), cause)
        _limit(0)
        self._bridge.settle()

    def tick(self) -> None:
        """See `port.Firmware`."""
        _limit(LONGEST_CALL)
        self._loaded.tick()
        _limit(0)
        self._bridge.settle()

    def receive(self, message: bytes) -> bytes:
        """See `port.Firmware`.

        Raises:
            BenchError: the firmware wrote or claims more than a reply may hold.
        """
        _limit(LONGEST_CALL)
        length: int = self._loaded.receive(message, len(message), self._reply, REPLY_CAPACITY)
        _limit(0)
        self._bridge.settle()
        if self._room[REPLY_CAPACITY:] != _GUARD:
            self._room[REPLY_CAPACITY:] = _GUARD
            raise BenchError(
                f"firmware {self._path}: firmware_receive({message[:40]!r}) wrote past the end of "
                f"its reply, which holds {REPLY_CAPACITY} bytes"
            )
        if length > REPLY_CAPACITY:
            raise BenchError(
                f"firmware {self._path}: firmware_receive({message[:40]!r}) returned {length}; "
                f"allowed: 0 to {REPLY_CAPACITY}, the length of its reply"
            )
        return bytes(self._room[:length])


def _limit(seconds: float) -> None:
    """End this process after so much processor time; 0 takes that back.

    No handler in Python runs while C loops, the default action of the signal does.
    """
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)


def _tell_of_hangs() -> None:
    """Write where it was when it is ended so, to the runner's log."""
    if sys.__stderr__ is not None:
        faulthandler.register(signal.SIGVTALRM, sys.__stderr__, all_threads=False, chain=True)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as err:
        raise UsageError(f"firmware {path}: cannot be read: {err.strerror}") from err


class _Loaded:
    """One private copy of a library, from its load to its unload."""

    # glibc: the firmware's own functions win over those of the same name in the interpreter, which
    # may export a crc32 of its own.
    _MODE = getattr(os, "RTLD_NOW", 0) | getattr(os, "RTLD_DEEPBIND", 0)

    def __init__(self, path: Path, image: bytes) -> None:
        # The loader takes two opens of one file for one library, so each load has its own file;
        # once mapped it needs no name, and nothing is left behind whatever ends this process.
        with tempfile.NamedTemporaryFile(prefix="stimproof-", suffix=path.suffix) as copy:
            copy.write(image)
            copy.flush()
            try:
                handle = _ctypes.dlopen(copy.name, self._MODE)
            except OSError as err:
                reason = str(err).replace(f"{copy.name}: ", "")
                raise UsageError(
                    f"firmware {path}: cannot be loaded as a shared library: {reason}"
                ) from err
        self.close = weakref.finalize(self, _ctypes.dlclose, handle)
        library = ctypes.CDLL(copy.name, handle=handle)
        _check(path, library)
        self.boot = library.firmware_boot
        self.boot.argtypes, self.boot.restype = (ctypes.c_void_p, ctypes.c_uint32), None
        self.tick = library.firmware_tick
        self.tick.argtypes, self.tick.restype = (), None
        self.receive = library.firmware_receive
        self.receive.argtypes = (ctypes.c_char_p, ctypes.c_uint32, ctypes.c_char_p, ctypes.c_uint32)
        self.receive.restype = ctypes.c_uint32


def _check(path: Path, library: ctypes.CDLL) -> None:
    missing = [name for name in _ENTRY_POINTS if not hasattr(library, name)]
    try:
        version = ctypes.c_uint32.in_dll(library, "firmware_port_version").value
    except ValueError:
        missing.insert(0, "firmware_port_version")
    if missing:
        raise UsageError(
            f"firmware {path}: does not export {', '.join(missing)}; firmware_port.h declares what "
            "firmware provides"
        )
    if version != PORT_VERSION:
        raise UsageError(
            f"firmware {path}: built for version {version} of the firmware port; allowed: "
            f"{PORT_VERSION}"
        )


# --- the functions that C calls ----------------------------------------------------------------

_BOOL = ctypes.c_bool
_U16, _U32, _U64 = ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64
_BYTES = ctypes.c_void_p


class _Function(NamedTuple):
    """One member of `struct firmware_port`."""

    result: type[Any] | None
    arguments: tuple[type[Any], ...]
    call: Callable[..., object]
    """What it does, with the port before its own arguments."""


def _read_memory(port: Port, address: int, data: int, count: int) -> int:
    found = port.read_memory(address, count)
    ctypes.memmove(data, found, len(found))
    return len(found)


def _write_memory(port: Port, address: int, data: int, count: int) -> None:
    port.write_memory(address, ctypes.string_at(data, count))


def _watch(port: Port, low: int, high: int, bottom: int, top: int) -> None:
    port.watch((low, high), (bottom, top))


_FUNCTIONS = {
    "micros": _Function(_U64, (), lambda port: port.micros),
    "read_current": _Function(_U16, (), lambda port: port.read_current()),
    "read_voltage": _Function(_U16, (), lambda port: port.read_voltage()),
    "read_supply": _Function(_U16, (), lambda port: port.read_supply()),
    "read_charge": _Function(_U32, (), lambda port: port.read_charge()),
    "keys": _Function(_U32, (), lambda port: port.keys()),
    "comparator_tripped": _Function(_BOOL, (), lambda port: port.comparator_tripped()),
    "clear_comparator": _Function(None, (), lambda port: port.clear_comparator()),
    "write_dac": _Function(None, (_U16,), lambda port, code: port.write_dac(code)),
    "set_relay": _Function(None, (_BOOL,), lambda port, closed: port.set_relay(closed)),
    "set_bridge": _Function(None, (_BOOL,), lambda port, negative: port.set_bridge(negative)),
    "set_boost": _Function(None, (_BOOL,), lambda port, on: port.set_boost(on)),
    "set_indicator": _Function(None, (_BOOL,), lambda port, on: port.set_indicator(on)),
    "kick": _Function(None, (), lambda port: port.kick()),
    "read_memory": _Function(_U32, (_U32, _BYTES, _U32), _read_memory),
    "write_memory": _Function(None, (_U32, _BYTES, _U32), _write_memory),
    "wake_in": _Function(None, (_U32,), lambda port, micros: port.wake_in(micros)),
    "watch": _Function(None, (_U16, _U16, _U16, _U16), _watch),
}
"""In the order of the header."""
_KINDS: dict[str, Any] = {
    name: ctypes.CFUNCTYPE(function.result, ctypes.c_void_p, *function.arguments)
    for name, function in _FUNCTIONS.items()
}


class _Table(ctypes.Structure):
    """`struct firmware_port`."""

    _fields_ = (
        ("version", _U32),
        ("size", _U32),
        ("board", ctypes.c_void_p),
        *_KINDS.items(),
    )


class _Bridge:
    """Functions for C over a port in Python, made once."""

    port: Port
    """What they act on."""

    def __init__(self) -> None:
        self._error: BaseException | None = None
        calls = [_KINDS[name](self._guarded(each)) for name, each in _FUNCTIONS.items()]
        self.table = _Table(PORT_VERSION, ctypes.sizeof(_Table), None, *calls)

    def settle(self) -> None:
        """Raise the first error of the functions since the last call: C cannot pass it on."""
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _guarded(self, function: _Function) -> Callable[..., object]:
        nothing = None if function.result is None else 0
        act = function.call

        def call(_board: int | None, *arguments: int) -> object:
            try:
                return act(self.port, *arguments)
            except BaseException as error:  # raised again by `settle`, also a KeyboardInterrupt
                self._error = self._error or error
                return nothing

        return call
