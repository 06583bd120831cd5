"""Sessions over pyvisa that are safe to base a verdict on.

pyvisa-py as shipped hands the late reply of a query that has timed out to the next query, takes a
closed connection for a timeout, and waits 44 ms in Nagle's algorithm between write and query. On
its raw-socket sessions this module therefore reads and writes the socket itself; every other
resource goes through the VISA calls. Whatever carries it, a `Session` has one lock and finite
timeouts, and is poisoned by every exchange that did not end cleanly.

Tried: SOCKET of pyvisa-py both ways, its HiSLIP and VXI-11 against the served bench, its serial
session on a pseudo-terminal, and the in-process simulated bench. Not tried: a serial line of
hardware, USB, GPIB, other VISA libraries.
"""

from __future__ import annotations

import contextlib
import hashlib
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias, TypeVar

import pyvisa
from pyvisa import constants, rname
from pyvisa.resources import MessageBasedResource, SerialInstrument

from hil.bench import InstrumentEntry
from hil.errors import (
    BenchError,
    ConfigurationError,
    ConnectionLost,
    HilError,
    InstrumentError,
    ReplyTimeout,
    SessionPoisoned,
    UsageError,
    WrongIdentity,
)
from hil.roles import Clock
from hil_instruments import encoding
from hil_instruments.encoding import Identity
from hil_instruments.manner import SCPI, Manner, SerialLine

__all__ = [
    "Identity",
    "Place",
    "Session",
    "Transcript",
    "check_identity",
    "connect",
    "open_manager",
    "open_session",
    "place_of",
]

_Result = TypeVar("_Result")

Transcript: TypeAlias = Callable[[str, str, float], None]
"""Takes each message: direction (`write`, `read`, `stop`, `error`), its text or a summary of its
block, and the bench time in s at which it went or came."""

TIMEOUT = 2.0
"""Default seconds for one exchange; nothing waits for ever."""
OPENING = 5.0
"""Seconds in which a resource must let itself be opened."""
STOP_PATIENCE = 0.05
"""Seconds for which the stop lane waits for a session that is in use, before it opens its own."""
QUIET = 0.05
"""Seconds without a byte after which `discard` takes a line for quiet."""
SERIAL_QUIET = 0.5
"""The same in seconds after a serial line was opened anew: a late reply still comes over it."""
LONGEST_LINE = 2**20
"""A line that is longer than this never ends."""
CHUNK = 2**16
"""Bytes asked of a VISA library at once."""

_NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
_MAV = 16  # message available: bit 4 of the status byte (IEEE 488.2, 11.2.1.2)
_MORE = constants.StatusCode.success_max_count_read
_GONE = {
    constants.StatusCode.error_connection_lost,
    constants.StatusCode.error_io,
    constants.StatusCode.error_invalid_object,
}


class _Timeout(Exception):
    """No complete message came, or none could be sent, in time."""

    def __str__(self) -> str:
        return "timeout"


class _Closed(Exception):
    """The peer is gone."""


@dataclass(frozen=True, slots=True)
class _Block:
    """How a block comes."""

    name: bytes = b""
    """What stands before it."""
    length: int | None = None
    """Bytes of its payload where they are known; only then it may be of indefinite length."""

    def announced(self, read: Callable[[int], bytes]) -> int:
        """Read a block's beginning off a byte stream; bytes of its payload, announced or known."""
        encoding.unnamed(read(len(self.name)), self.name)
        head = read(2)
        if head == encoding.INDEFINITE and self.length is not None:
            return self.length
        return encoding.block_length(read(encoding.block_digits(head)))


class _Line(Protocol):
    """What carries messages: their framing, and the library's errors turned into two of ours."""

    def send(self, data: bytes, timeout: float) -> None: ...

    def receive_line(self, timeout: float) -> bytes: ...

    def receive_block(self, timeout: float, form: _Block) -> bytes: ...

    def unexpected(self) -> bytes:
        """Bytes that wait although nothing was asked; empty if none, or if it cannot be known."""
        ...

    def discard(self) -> None:
        """Throw away what comes until the line is quiet."""
        ...

    def close(self) -> None: ...


class _SocketLine:
    """A raw socket that pyvisa-py opened, read and written here."""

    stream = True

    def __init__(self, resource: MessageBasedResource, raw: socket.socket, end: bytes) -> None:
        self._resource = resource
        self._socket = raw
        self._end = end
        self._buffer = bytearray()
        self._timeout = -1.0
        raw.setsockopt(*_NO_DELAY)
        refused = raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if refused:  # pyvisa-py takes a refused connection for an open one
            raise ConnectionError(refused, "connection refused")

    def send(self, data: bytes, timeout: float) -> None:
        try:
            self._set_timeout(timeout)
            self._socket.sendall(data)
        except TimeoutError as err:
            raise _Timeout from err
        except OSError as err:
            raise _Closed(str(err)) from err

    def receive_line(self, timeout: float) -> bytes:
        deadline = time.monotonic() + timeout
        if not self._buffer:
            self._fill(timeout)
        searched = 0
        while (end := self._buffer.find(self._end, searched)) < 0:
            searched = max(len(self._buffer) - len(self._end) + 1, 0)
            if searched > LONGEST_LINE:
                raise InstrumentError(f"{searched} bytes came without a line end")
            self._fill(deadline - time.monotonic())
        return self._take(end + len(self._end))

    def receive_block(self, timeout: float, form: _Block) -> bytes:
        deadline = time.monotonic() + timeout
        length = form.announced(lambda count: self._exactly(count, deadline))
        payload = self._exactly(length, deadline)
        rest = self.receive_line(max(deadline - time.monotonic(), 1e-3))
        if rest.strip(b"\r\n"):
            raise InstrumentError(f"a block of {length} bytes is followed by {rest[:20]!r}")
        return payload

    def unexpected(self) -> bytes:
        try:
            if not self._buffer and select.select([self._socket], [], [], 0)[0]:
                self._append(self._socket.recv(CHUNK))
        except (OSError, ValueError) as err:  # ValueError: this program has closed it
            raise _Closed(str(err)) from err
        return bytes(self._buffer)

    def discard(self) -> None:
        with contextlib.suppress(_Timeout):
            while True:
                self._buffer.clear()
                self._fill(QUIET)

    def close(self) -> None:
        self._resource.close()

    def _exactly(self, count: int, deadline: float) -> bytes:
        while len(self._buffer) < count:
            self._fill(deadline - time.monotonic())
        return self._take(count)

    def _take(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken

    def _fill(self, timeout: float) -> None:
        if timeout <= 0:
            raise _Timeout
        try:
            self._set_timeout(timeout)
            self._append(self._socket.recv(CHUNK))
        except TimeoutError as err:
            raise _Timeout from err
        except OSError as err:
            raise _Closed(str(err)) from err

    def _append(self, data: bytes) -> None:
        if not data:
            raise _Closed("the peer closed the connection")
        self._buffer += data

    def _set_timeout(self, timeout: float) -> None:
        if timeout != self._timeout:  # each change is a system call
            self._socket.settimeout(timeout)
            self._timeout = timeout


class _VisaLine:
    """Any resource through the VISA calls.

    Where the protocol marks the end of a message (USB, GPIB, HiSLIP, VXI-11, in-process), one read
    is one message. On a byte stream (serial; SOCKET of another library) text ends at the last
    character of a reply's end, and a block is read by its length, with that character switched off.
    """

    def __init__(self, resource: MessageBasedResource, end: bytes) -> None:
        self._resource = resource
        self._end = end[-1:].decode("latin-1")
        self._visalib = resource.visalib
        self._session = resource.session
        self._timeout = -1.0
        kind = resource.interface_type
        self.serial = kind == constants.InterfaceType.asrl
        self.stream = self.serial or resource.resource_class == "SOCKET"
        self._ignored = resource.ignore_warning(
            _MORE, constants.StatusCode.success_device_not_present
        )
        self._ignored.__enter__()
        resource.read_termination = self._end if self.stream else None
        if resource.resource_class == "SOCKET":
            with contextlib.suppress(Exception):  # not every library lets it be set
                resource.set_visa_attribute(constants.ResourceAttribute.tcpip_nodelay, True)

    def send(self, data: bytes, timeout: float) -> None:
        self._set_timeout(timeout)
        try:
            self._visalib.write(self._session, data)
        except Exception as err:
            raise _translated(err) from err

    def receive_line(self, timeout: float) -> bytes:
        self._set_timeout(timeout)
        try:
            data, status = self._visalib.read(self._session, CHUNK)
            if status != _MORE:
                return data
            parts = bytearray(data)
            while status == _MORE:
                data, status = self._visalib.read(self._session, CHUNK)
                parts += data
        except Exception as err:
            raise _translated(err) from err
        return bytes(parts)

    def receive_block(self, timeout: float, form: _Block) -> bytes:
        if not self.stream:
            message = encoding.unnamed(self.receive_line(timeout), form.name)
            return encoding.block(message, form.length)
        self._resource.read_termination = None
        try:
            length = form.announced(lambda count: self._exactly(count, timeout))
            payload = self._exactly(length, timeout)
        finally:
            self._resource.read_termination = self._end
        rest = self.receive_line(timeout)
        if rest.strip(b"\r\n"):
            raise InstrumentError(f"a block of {length} bytes is followed by {rest[:20]!r}")
        return payload

    def unexpected(self) -> bytes:
        if not self.serial:
            return b""
        try:
            waiting = self._resource.get_visa_attribute(
                constants.ResourceAttribute.asrl_avalaible_number
            )
        except Exception as err:
            raise _translated(err) from err
        return self._exactly(waiting, QUIET) if waiting else b""

    def discard(self) -> None:
        if self.stream:
            self.quieten(QUIET)
        while self._message_available():  # a read without a reply would be an error of ours: -420
            self.receive_line(QUIET)

    def quieten(self, seconds: float) -> None:
        """Throw away what comes until nothing has come for so long."""
        self._set_timeout(seconds)
        with contextlib.suppress(_Timeout):
            while True:
                self._exactly(1, seconds)

    def clear(self) -> None:
        try:
            self._resource.clear()
        except Exception as err:
            raise _translated(err) from err

    def close(self) -> None:
        self._ignored.__exit__(None, None, None)
        self._resource.close()

    def _exactly(self, count: int, timeout: float) -> bytes:
        self._set_timeout(timeout)
        parts = bytearray()
        try:
            while len(parts) < count:
                parts += self._visalib.read(self._session, count - len(parts))[0]
        except Exception as err:
            raise _translated(err) from err
        return bytes(parts)

    def _message_available(self) -> bool:
        try:
            return not self.stream and bool(self._visalib.read_stb(self._session)[0] & _MAV)
        except Exception as err:
            raise _translated(err) from err

    def _set_timeout(self, timeout: float) -> None:
        if timeout != self._timeout:
            self._resource.timeout = max(timeout * 1000, 1)
            self._timeout = timeout


def _translated(err: Exception) -> Exception:
    """Turn what a VISA library raises into a timeout, a lost peer or a BenchError."""
    if isinstance(err, pyvisa.errors.VisaIOError):
        if err.error_code == constants.StatusCode.error_timeout:
            return _Timeout()
        return _Closed(str(err)) if err.error_code in _GONE else BenchError(str(err))
    if isinstance(err, pyvisa.errors.InvalidSession):
        return _Closed("the session is closed")
    if isinstance(err, OSError | RuntimeError):  # pyvisa-py's HiSLIP: RuntimeError at a lost peer
        return _Closed(str(err))
    return err


@dataclass(frozen=True, slots=True)
class _Address:
    """How to reach an instrument again: for recovery and for the stop lane."""

    manager: pyvisa.ResourceManager
    resource: str
    manner: Manner

    def open(self) -> _SocketLine | _VisaLine:
        end = self.manner.reply_end.encode("latin-1")
        resource = self.manager.open_resource(self.resource, open_timeout=int(OPENING * 1000))
        if not isinstance(resource, MessageBasedResource):
            resource.close()
            raise ConfigurationError(f"{self.resource} is no message-based VISA resource")
        raw = _raw_socket(resource)
        try:
            if isinstance(resource, SerialInstrument):
                _set_serial(resource, self.manner.serial)
            return _VisaLine(resource, end) if raw is None else _SocketLine(resource, raw, end)
        except BaseException:
            resource.close()
            raise


def _set_serial(resource: SerialInstrument, line: SerialLine) -> None:
    stops = {1: "one", 1.5: "one_and_a_half", 2: "two"}
    flows = {"none": "none", "xon/xoff": "xon_xoff", "rts/cts": "rts_cts"}
    resource.baud_rate = line.baud
    resource.data_bits = line.data_bits
    resource.parity = constants.Parity[line.parity]
    resource.stop_bits = constants.StopBits[stops[line.stop_bits]]
    resource.flow_control = constants.ControlFlow[flows[line.flow]]


def _raw_socket(resource: MessageBasedResource) -> socket.socket | None:
    """The operating system's socket under a SOCKET session of pyvisa-py; else None."""
    if resource.resource_class != "SOCKET":
        return None
    sessions: Any = getattr(resource.visalib, "sessions", {})
    interface = getattr(sessions.get(resource.session), "interface", None)
    return interface if isinstance(interface, socket.socket) else None


class Session:
    """One instrument: an exchange at a time, from whichever thread, and never a stale reply.

    After a timeout, a broken frame or an interruption the next reply could be the previous one's:
    the session is poisoned, and every use raises SessionPoisoned until `recover` succeeds. After
    the peer has closed the connection every use raises ConnectionLost. `stop_write` works on.
    """

    def __init__(
        self,
        address: _Address,
        clock: Clock,
        transcript: Transcript | None,
        timeout: float,
        role: str,
    ) -> None:
        if not 0 < timeout < 3600:
            raise UsageError(f"timeout = {timeout} s; a session takes 0 < timeout < 3600 s")
        self._address = address
        self._manner = address.manner
        self._clock = clock
        self._transcript = transcript
        self._timeout = timeout
        self._name = f"{role} at {address.resource}"
        self._lock = threading.RLock()
        self._stop_lock = threading.Lock()
        self._stop_line: _Line | None = None
        self._fault: HilError | None = None
        self._identity: Identity | None = None
        self.recoveries = 0
        """How often it was opened anew or cleared."""
        self._half_sent = False  # then a stop on the same line would only complete a wrong message
        self._owed: list[tuple[str, bool]] = []
        """Stops whose echo or answer has not been read, and whether there is an answer."""
        self._late: list[str] = []
        """Answers to stops that nobody has taken."""
        self._line: _SocketLine | _VisaLine = address.open()

    @property
    def name(self) -> str:
        """Role and resource, for messages."""
        return self._name

    @property
    def timeout(self) -> float:
        """Seconds that one exchange may take."""
        return self._timeout

    @property
    def identity(self) -> Identity:
        """What it said first of who it is; asks now if nobody has."""
        return self._identity if self._identity is not None else self.identify()

    @property
    def poisoned(self) -> bool:
        """Whether `recover` must come before the next exchange."""
        return self._fault is not None

    def write(self, text: str, *, timeout: float | None = None) -> None:
        """Send one message; the end that its manner has is added.

        Raises:
            ReplyTimeout, ConnectionLost, SessionPoisoned: see the class.
        """
        self._exchange(text, timeout, self._send)

    def query(self, text: str, *, timeout: float | None = None) -> str:
        """Send one message and return its reply without the line end.

        Raises:
            ReplyTimeout: no complete reply within `timeout` s (default: the session's).
            ConnectionLost, SessionPoisoned: see the class.
            InstrumentError: another reply was already waiting, or this one does not end.
        """
        return self._exchange(text, timeout, self._ask)

    def query_block(
        self, text: str, *, timeout: float | None = None, name: str = "", length: int | None = None
    ) -> bytes:
        """Send one message and return the payload of the block that answers it.

        Args:
            text: the message.
            timeout: seconds; None is the session's.
            name: what stands before the block, with a comma behind it, as LeCroy's `DAT2`.
            length: bytes of the payload, for an instrument whose blocks do not announce their own
                (`#0`); None takes no such block. What announces another length is returned so.

        Raises:
            InstrumentError: the reply is no such block; the session is poisoned then.
            ReplyTimeout, ConnectionLost, SessionPoisoned: see the class.
        """
        form = _Block(f"{name},".encode() if name else b"", length)
        return self._exchange(
            text, timeout, lambda text, seconds: self._ask_block(text, seconds, form)
        )

    def stop_write(self, text: str, *, answered: bool = False) -> None:
        """Send a message that stops: no reply, no check, also on a poisoned or lost session.

        Waits 50 ms for a session that is in use or broken, then goes over a session of its own.

        Args:
            text: The message.
            answered: Whether the instrument answers it by a line. Nobody waits for that: it is read
                before the next exchange, and `late_answers` hands it out.

        Raises:
            BenchError: it could be sent on neither; the caller must cut off by other means.
        """
        data = self._encoded(text)
        if self._lock.acquire(timeout=STOP_PATIENCE):
            try:
                if not (isinstance(self._fault, ConnectionLost) or self._half_sent):
                    self._line.send(data, STOP_PATIENCE)
                    self._note("stop", text)
                    if not self._line.stream:
                        self._owed.clear()  # on a message bus a message drops an unread answer
                    self._owed.append((text, answered))
                    return
            except (HilError, _Timeout, _Closed) as err:
                self._fault = self._fault or SessionPoisoned(f"{self._name}: {text!r}: {err}")
            finally:
                self._lock.release()
        self._stop_by_second_line(text, data)

    def late_answers(self) -> list[str]:
        """Read what answers to stops are still to come, and hand over those since the last call.

        A stop waits for no answer. Where the device gives one all the same, it is read before the
        next exchange, or here.

        Raises:
            ReplyTimeout, ConnectionLost, SessionPoisoned: see the class.
        """
        self._exchange("(answers to stops)", None, lambda _, seconds: self._collect(seconds))
        late, self._late = self._late, []
        return late

    def discard(self) -> None:
        """Throw away what comes within 50 ms of bench time, and on until the line is quiet."""

        def discard(_text: str, _seconds: float) -> None:
            self._clock.sleep(QUIET)
            self._line.discard()

        self._exchange("(discard)", None, discard)

    def identify(self) -> Identity:
        """Ask who it is, as its manner says; raises InstrumentError if the reply is none."""
        try:
            identity = self._manner.identity(self.query)
        except InstrumentError as err:
            raise InstrumentError(f"{self._name}: {err}") from err
        if self._identity is None:
            self._identity = identity
        return identity

    def recover(self) -> None:
        """Make a poisoned or lost session usable: clear it or open it anew, and identify it again.

        A byte stream has no clear that would reach a late reply, so it is opened anew, and a serial
        line is then waited upon until it is quiet; any other resource is cleared (viClear). The
        instrument's settings stay as they are.

        Raises:
            BenchError: it does not answer; the session stays poisoned.
            WrongIdentity: something else answers; the session stays poisoned.
        """
        self._acquire("recover", self._timeout)
        self.recoveries += 1
        try:
            expected = self._identity
            try:
                self._renew_line()
                self._fault = None
                self._half_sent = False
                self._check_same(expected, self.identify())
            except BaseException as err:
                if self._fault is None:
                    self._fault = SessionPoisoned(f"{self._name}: recovery failed: {err}")
                raise
        finally:
            self._lock.release()

    def close(self) -> None:
        """Close; never sends anything, so the instrument stays as it is."""
        with self._lock:
            self._fault = ConnectionLost(f"{self._name}: this session was closed by this program")
            self._line.close()
        with self._stop_lock:
            if self._stop_line is not None:
                self._stop_line.close()
                self._stop_line = None

    def _check_same(self, expected: Identity | None, came: Identity) -> None:
        if expected is not None and came != expected:
            raise WrongIdentity(
                f"{self._name}: {expected} answered before, {came} answers now; check the wiring "
                f"and start the run again"
            )

    def _acquire(self, text: str, seconds: float) -> None:
        if not self._lock.acquire(timeout=seconds):
            raise BenchError(
                f"{self._name}: {text!r} waited {seconds} s for an exchange of another thread; "
                f"nothing was sent"
            )

    def _exchange(
        self, text: str, timeout: float | None, action: Callable[[str, float], _Result]
    ) -> _Result:
        """Hold the lock; whatever ends the exchange other than cleanly poisons the session."""
        seconds = self._timeout if timeout is None else timeout
        self._acquire(text, seconds)
        try:
            if self._fault is not None:
                raise self._refusal(text)
            return self._guarded(text, seconds, action)
        finally:
            self._lock.release()

    def _guarded(
        self, text: str, seconds: float, action: Callable[[str, float], _Result]
    ) -> _Result:
        try:
            return action(text, seconds)
        except UsageError:
            raise  # raised before anything was sent
        except _Timeout as err:
            raise self._failed(
                ReplyTimeout(
                    f"{self._name}: {text!r} got no complete reply within {seconds} s; the "
                    f"session is poisoned until recover() has cleared and identified it"
                )
            ) from err
        except _Closed as err:
            raise self._failed(
                ConnectionLost(f"{self._name}: the connection was lost at {text!r}: {err}")
            ) from err
        except BenchError as err:
            raise self._failed(type(err)(f"{self._name}: {text!r}: {err}")) from err
        except BaseException as err:  # an Abort or Ctrl-C may leave a reply behind
            self._failed(
                SessionPoisoned(f"{self._name}: {text!r} was interrupted by {type(err).__name__}")
            )
            raise

    def _failed(self, error: BenchError) -> BenchError:
        self._fault = error
        self._note("error", str(error))
        return error

    def _refusal(self, text: str) -> HilError:
        fault = self._fault
        if isinstance(fault, ConnectionLost):
            return ConnectionLost(f"{text!r} was not sent. {fault}")
        return SessionPoisoned(
            f"{self._name}: {text!r} was not sent: the next reply could be an earlier one's. "
            f"Call recover() first. Cause: {fault}"
        )

    def _send(self, text: str, seconds: float) -> None:
        self._collect(seconds)
        data = self._encoded(text)
        self._note("write", text)
        self._half_sent = True
        self._line.send(data, seconds)
        self._half_sent = False
        if self._manner.echo:
            self._hear_echo(text, seconds)

    def _collect(self, seconds: float) -> None:
        """Read what the stops that were sent since have been answered."""
        while self._owed:
            text, answered = self._owed[0]
            if self._manner.echo:
                self._hear_echo(text, seconds)
            if answered:
                self._late.append(self._receive(seconds))
            self._owed.pop(0)

    def _hear_echo(self, text: str, seconds: float) -> None:
        echo = self._receive(seconds)
        if echo != text:
            raise InstrumentError(
                f"{echo!r} came as the echo of {text!r}; the message may not have arrived as sent"
            )

    def _receive(self, seconds: float) -> str:
        line = self._line.receive_line(seconds).decode("latin-1")
        if not line.endswith(self._manner.reply_end):
            raise InstrumentError(
                f"{line[:60]!r} came without {self._manner.reply_end!r} at its end: it was cut "
                "short, and half a number is another number"
            )
        reply = line.removesuffix(self._manner.reply_end).rstrip("\r\n")
        self._note("read", reply)
        return reply

    def _ask(self, text: str, seconds: float) -> str:
        self._collect(seconds)
        self._check_quiet()
        self._send(text, seconds)
        return self._receive(seconds)

    def _ask_block(self, text: str, seconds: float, form: _Block) -> bytes:
        self._collect(seconds)
        self._check_quiet()
        self._send(text, seconds)
        payload = self._line.receive_block(seconds, form)
        if self._transcript is not None:
            digest = hashlib.sha256(payload).hexdigest()
            self._note("read", f"block of {len(payload)} bytes, SHA-256 {digest}")
        return payload

    def _check_quiet(self) -> None:
        waiting = self._line.unexpected()
        if waiting:
            raise InstrumentError(
                f"{waiting[:60]!r} came unasked before the question was sent; a reply would be "
                f"taken for another's"
            )

    def _note(self, direction: str, text: str) -> None:
        if self._transcript is not None:
            self._transcript(direction, text, self._clock.now())

    def _encoded(self, text: str) -> bytes:
        try:
            return (text + self._manner.send_end).encode("latin-1")
        except UnicodeEncodeError as err:
            raise UsageError(
                f"{self._name}: {text!r} holds characters beyond one byte; nothing was sent"
            ) from err

    def _renew_line(self) -> None:
        line = self._line
        self._owed.clear()
        lost = isinstance(self._fault, ConnectionLost)
        if isinstance(line, _VisaLine) and not line.stream and not lost:
            try:
                line.clear()
            except _Timeout as err:
                raise BenchError(f"{self._name}: clearing failed: {err}") from err
            except _Closed:
                pass  # or a late reply came first: pyvisa-py's HiSLIP then gives the clear up
            else:
                return
        line.close()
        self._line = _opened(self._address, self._name)
        if isinstance(self._line, _VisaLine) and self._line.serial:
            self._line.quieten(SERIAL_QUIET)

    def _stop_by_second_line(self, text: str, data: bytes) -> None:
        with self._stop_lock:
            try:
                if self._stop_line is None:
                    self._stop_line = _opened(self._address, self._name)
                self._stop_line.send(data, STOP_PATIENCE)
            except (HilError, _Timeout, _Closed) as err:
                self._stop_line = None
                self._note("error", f"stop {text} not sent: {err}")
                raise BenchError(
                    f"{self._name}: the stop {text!r} could be sent neither over the session nor "
                    f"over a second one: {err}; cut the path by other means"
                ) from err
        self._note("stop", text)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a resource name points, in the words of VISA."""

    interface: str
    """As TCPIP, USB, GPIB, ASRL."""
    host: str
    """Host name or address of a TCPIP resource; empty for any other."""
    device: str
    """Device of a serial line, as `/dev/ttyUSB0` or `3`; empty for any other."""


def place_of(resource: str) -> Place:
    """Take a resource name apart by VISA's own grammar; nothing is opened or asked.

    Raises:
        ConfigurationError: it is no resource name.
    """
    try:
        name = rname.ResourceName.from_string(resource)
    except ValueError as err:
        raise ConfigurationError(f"resource = {resource!r}: {' '.join(str(err).split())}") from err
    host = str(getattr(name, "host_address", "")).partition(",")[0]  # pyvisa-py: host,port
    device = name.board if name.interface_type == "ASRL" else ""  # type: ignore[attr-defined]  # of ASRL
    return Place(name.interface_type, host, device)


def check_identity(identity: Identity, entry: InstrumentEntry) -> None:
    """Hold what answered against the bench file.

    Raises:
        WrongIdentity: manufacturer, model or (where the file gives one) serial number differ.
    """
    expected = {"manufacturer": entry.manufacturer, "model": entry.model, "serial": entry.serial}
    wrong = [
        f"{field} {getattr(identity, field)!r} instead of {value!r}"
        for field, value in expected.items()
        if value and getattr(identity, field) != value
    ]
    if wrong:
        raise WrongIdentity(
            f"{entry.role} at {entry.resource}: {identity} answered, with {', '.join(wrong)}; "
            f"correct the wiring, or the entry in the bench file"
        )


def open_manager(visa_library: str = "@py") -> pyvisa.ResourceManager:
    """Open a VISA library: `@py` is pyvisa-py, `@ivi` the vendor's.

    Raises:
        BenchError: the library cannot be loaded.
    """
    try:
        return pyvisa.ResourceManager(visa_library)
    except (OSError, ValueError) as err:
        raise BenchError(
            f"the VISA library {visa_library!r} cannot be loaded: {err}; "
            f"@py needs pyvisa-py, @ivi a vendor's library"
        ) from err


def open_session(
    manager: pyvisa.ResourceManager,
    resource: str,
    clock: Clock,
    transcript: Transcript | None = None,
    timeout: float = TIMEOUT,
    role: str = "instrument",
    manner: Manner = SCPI,
) -> Session:
    """Open one resource; sends nothing.

    Args:
        manager: From `open_manager`, or that of the in-process bench.
        resource: VISA resource name.
        clock: Bench clock, read for the transcript.
        transcript: Takes every message; None drops them.
        timeout: Seconds that one exchange may take, finite.
        role: Bench role, for messages.
        manner: How it is spoken to.

    Raises:
        BenchError: the resource does not answer or cannot be opened.
    """
    address = _Address(manager, resource, manner)
    with _opening(address, f"{role} at {resource}"):
        return Session(address, clock, transcript, timeout, role)


def connect(
    manager: pyvisa.ResourceManager,
    entry: InstrumentEntry,
    clock: Clock,
    transcript: Transcript | None = None,
    timeout: float | None = None,
    manner: Manner = SCPI,
) -> Session:
    """Open the instrument of a bench entry and make sure that it is that instrument.

    Args:
        manager: From `open_manager`, or that of the in-process bench.
        entry: The instrument.
        clock: Bench clock, read for the transcript.
        transcript: Takes every message; None drops them.
        timeout: Seconds that one exchange may take; None is the patience of its manner.
        manner: How it is spoken to.

    Raises:
        WrongIdentity: another instrument answered.
        BenchError: nothing answers there.
    """
    seconds = manner.patience if timeout is None else timeout
    session = open_session(manager, entry.resource, clock, transcript, seconds, entry.role, manner)
    try:
        check_identity(session.identify(), entry)
    except ReplyTimeout as err:
        session.close()
        raise BenchError(
            f"{session.name} does not say who it is within {seconds} s; check power, cable and "
            f"the resource in the bench file"
        ) from err
    except BaseException:
        session.close()
        raise
    return session


def _opened(address: _Address, name: str) -> _SocketLine | _VisaLine:
    with _opening(address, name):
        return address.open()


@contextlib.contextmanager
def _opening(address: _Address, name: str) -> Iterator[None]:
    try:
        yield
    except (HilError, AssertionError):
        raise
    except Exception as err:  # pyvisa-py raises a bare Exception where a host does not answer
        reason = " ".join(str(err).split())
        raise BenchError(
            f"{name} cannot be opened: {reason}; check power, cable and the resource in the bench "
            f"file"
        ) from err
