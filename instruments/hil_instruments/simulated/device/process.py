"""Firmware in a process of its own: an emulator, another language, or C under sanitizers.

`firmware_main.c` makes such a process of firmware for `firmware_port.h`, and describes the frames.
What crashes or hangs there ends nothing here: the processor stands still, the watchdog of the board
resets it, and the next message of the host raises what happened, once. Not the tick itself: bench
time has to go on, or a lease that lapses meanwhile would open no cut-off.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import struct
import subprocess
import tempfile
import weakref
from collections.abc import Callable, Sequence
from typing import IO

from hil.errors import BenchError, UsageError
from hil_instruments.simulated.device.native import PORT_VERSION, REPLY_CAPACITY
from hil_instruments.simulated.device.port import FULL_SCALE, MEMORY_SIZE, Port, Reset

CALL_TIMEOUT = 2.0
"""Wall seconds without a frame after which firmware hangs."""
BOOT_TIMEOUT = 20.0
"""The same for a boot: an emulator has to start."""
MOST_FRAMES = 100_000
"""Frames of one call, and 10 more for each byte of a message, after which it hangs in a loop."""
_FRAME = struct.Struct("<BBHIQ")  # kind, what, version of the port, count, value
_BOOT, _TICK, _MESSAGE, _VALUE, _DONE = b"BTMVD"
_READ, _WRITE, _READ_MEMORY, _WRITE_MEMORY = b"RWrw"
_CALLS = {_BOOT: "firmware_boot", _TICK: "firmware_tick", _MESSAGE: "firmware_receive"}
_CHUNK = 65536


class FirmwareProcess:
    """Implements `port.Firmware` over standard input and output of a child process."""

    def __init__(self, command: Sequence[str], timeout: float = CALL_TIMEOUT) -> None:
        """Look for the program; it is started by `boot`, anew each time.

        Args:
            command: program and its arguments.
            timeout: wall seconds without a frame after which a call hangs.

        Raises:
            UsageError: the program cannot be run.
        """
        program = shutil.which(command[0])
        if program is None:
            raise UsageError(f"firmware {command[0]}: is no program that can be run")
        self._command = [program, *command[1:]]
        self._timeout = timeout
        self._child: _Child | None = None
        self._failure: BenchError | None = None
        self._port: Port

    @property
    def pid(self) -> int | None:
        """Process id; None where none runs."""
        return None if self._child is None else self._child.pid

    def close(self) -> None:
        """End the process; it stays ended until the next boot."""
        if self._child is not None:
            self._child.end()
            self._child = None

    def boot(self, port: Port, cause: Reset) -> None:
        """See `port.Firmware`; starts the process.

        Raises:
            UsageError: the process speaks another version of the port.
            BenchError: it does not come up at power-on.
        """
        self.close()
        self._port = port
        self._child = _Child(self._command)
        try:
            self._call(_BOOT, what=cause, timeout=max(self._timeout, BOOT_TIMEOUT))
        except BenchError as failure:
            if cause is Reset.POWER_ON:
                raise
            self._failure = self._failure or failure

    def tick(self) -> None:
        """See `port.Firmware`; a processor that stands still does nothing."""
        try:
            self._call(_TICK)
        except BenchError as failure:
            self._failure = self._failure or failure

    def receive(self, message: bytes) -> bytes:
        """See `port.Firmware`; a processor that stands still hears nothing.

        Raises:
            BenchError: the firmware has crashed or hung since the last message, or does so now.
        """
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        return self._call(_MESSAGE, message)

    def _call(
        self, kind: int, data: bytes = b"", *, what: int = 0, timeout: float | None = None
    ) -> bytes:
        if self._child is None:
            return b""
        limit = self._timeout if timeout is None else timeout
        try:
            return self._exchange(self._child, kind, what, data, limit)
        except _Broken as broken:
            child, self._child = self._child, None
            text = f"firmware {self._command[0]}: {_CALLS[kind]} {broken}{child.end()}"
            raise BenchError(text) from None
        except BaseException:
            self.close()
            raise

    def _exchange(self, child: _Child, kind: int, what: int, data: bytes, limit: float) -> bytes:
        child.send(kind, what, self._port.micros, data, limit)
        most = MOST_FRAMES + 10 * len(data)
        for _ in range(most):
            answered, what, version, count, value = child.frame(limit)
            if answered == _DONE:
                self._check(version)
                return child.data(_bounded(count, REPLY_CAPACITY), limit)
            self._obey(child, answered, what, count, value, limit)
        raise _Broken(f"asked its hardware {most} times and did not return")

    def _check(self, version: int) -> None:
        if version != PORT_VERSION:
            raise UsageError(
                f"firmware {self._command[0]}: speaks version {version} of the firmware port; "
                f"allowed: {PORT_VERSION}"
            )

    def _obey(
        self, child: _Child, kind: int, what: int, count: int, value: int, limit: float
    ) -> None:
        port = self._port
        if kind == _READ and what < len(_READS):
            child.send(_VALUE, 0, _READS[what](port), b"", limit)
        elif kind == _WRITE and 0 <= what - len(_READS) < len(_WRITES):
            _WRITES[what - len(_READS)](port, value)
        elif kind == _READ_MEMORY:
            found = port.read_memory(value, _bounded(count, MEMORY_SIZE))
            child.send(_VALUE, 0, 0, found, limit)
        elif kind == _WRITE_MEMORY:
            port.write_memory(value, child.data(_bounded(count, MEMORY_SIZE), limit))
        else:
            raise _Broken(
                f"sent a frame of kind {kind}, {what}, which firmware_main.c does not list"
            )


def _watch(port: Port, value: int) -> None:
    low, high, bottom, top = (value >> shift & FULL_SCALE for shift in (0, 16, 32, 48))
    port.watch((low, high), (bottom, top))


_READS: tuple[Callable[[Port], int], ...] = (
    lambda port: port.micros,
    lambda port: port.read_current(),
    lambda port: port.read_voltage(),
    lambda port: port.read_supply(),
    lambda port: port.read_charge(),
    lambda port: port.keys(),
    lambda port: port.comparator_tripped(),
)
_WRITES: tuple[Callable[[Port, int], None], ...] = (
    lambda port, _: port.clear_comparator(),
    lambda port, code: port.write_dac(code & FULL_SCALE),
    lambda port, closed: port.set_relay(bool(closed)),
    lambda port, negative: port.set_bridge(bool(negative)),
    lambda port, on: port.set_boost(bool(on)),
    lambda port, on: port.set_indicator(bool(on)),
    lambda port, _: port.kick(),
    lambda port, micros: port.wake_in(micros),
    _watch,
)


class _Broken(Exception):
    """The other side does not keep to the frames, or is gone."""


def _bounded(count: int, most: int) -> int:
    if count > most:
        raise _Broken(f"announced {count} bytes; allowed: {most}")
    return count


class _Child:
    """The process and its two pipes."""

    def __init__(self, command: list[str]) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed by `_end`
        # A session of its own: Ctrl-C is for the runner, which needs the device to switch it off.
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            bufsize=0,
            start_new_session=True,
        )
        if self._process.stdin is None or self._process.stdout is None:
            raise BenchError(f"firmware {command[0]}: has no pipes")
        self._input, self._output = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._input, False)
        os.set_blocking(self._output, False)
        self._readable, self._writable = select.poll(), select.poll()
        self._readable.register(self._output, select.POLLIN)
        self._writable.register(self._input, select.POLLOUT)
        self._received = bytearray()
        self.pid = self._process.pid
        self._ended = weakref.finalize(self, _end, self._process, self._errors)

    def send(self, kind: int, what: int, value: int, data: bytes, limit: float) -> None:
        """Send one frame, within `limit` wall seconds for each piece that the pipe takes."""
        rest = memoryview(_FRAME.pack(kind, what, PORT_VERSION, len(data), value) + data)
        try:
            while rest:
                try:
                    rest = rest[os.write(self._input, rest) :]
                except BlockingIOError:
                    if not self._writable.poll(limit * 1e3):
                        raise _Broken(f"read nothing for {limit} s") from None
        except OSError:
            raise _Broken(self._cause()) from None

    def frame(self, limit: float) -> tuple[int, int, int, int, int]:
        """Wait for one frame: kind, what, version, count, value."""
        return _FRAME.unpack(self.data(_FRAME.size, limit))

    def data(self, count: int, limit: float) -> bytes:
        """Wait for so many bytes."""
        received = self._received
        while len(received) < count:
            if not self._readable.poll(limit * 1e3):
                raise _Broken(f"did not return within {limit} s")
            piece = os.read(self._output, _CHUNK)
            if not piece:
                raise _Broken(self._cause())
            received += piece
        taken = bytes(received[:count])
        del received[:count]
        return taken

    def end(self) -> str:
        """Kill the process; returns what it wrote last to standard error, as part of a message."""
        if not self._ended.alive:
            return ""
        self._process.kill()
        self._process.wait()
        self._errors.seek(max(self._errors.seek(0, os.SEEK_END) - 4000, 0))
        words = _last_words(self._errors.read().decode(errors="replace"))
        self._ended()
        return words

    def _cause(self) -> str:
        try:
            code = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            return "closed its standard output"
        if code < 0:
            return f"ended by signal {-code} ({signal.strsignal(-code)})"
        return f"ended with exit code {code}"


def _end(process: subprocess.Popen[bytes], errors: IO[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout, errors):
        if pipe is not None:
            pipe.close()


def _last_words(text: str) -> str:
    """Where a report of an error begins, or else the last lines."""
    lines = [line.strip() for line in text.splitlines() if any(map(str.isalpha, line))]
    begin = next((n for n, line in enumerate(lines) if "error" in line.lower()), len(lines) - 4)
    words = " | ".join(lines[max(begin, 0) :][:4])
    return f"; it wrote: {words[:600]}" if words else ""
