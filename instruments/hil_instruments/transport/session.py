"""One instrument, spoken to by whole exchanges: one lock, finite times, no stale reply."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeAlias, TypeVar

from hil.errors import (
    BenchError,
    ConnectionLost,
    HilError,
    InstrumentError,
    ReplyTimeout,
    SessionPoisoned,
    UsageError,
    WrongIdentity,
)
from hil.roles import Clock
from hil_instruments.encoding import Identity
from hil_instruments.transport.address import Address, opened
from hil_instruments.transport.line import QUIET, Block, Gone, Line, Silence, deaf
from hil_instruments.transport.recorded_line import Diverged
from hil_instruments.transport.stop_lane import STOP_PATIENCE, StopLane
from hil_instruments.transport.visa_line import VisaLine

_Result = TypeVar("_Result")

Transcript: TypeAlias = Callable[[str, str | bytes, float], None]
"""Takes each message: direction (`write`, `read`, `stop`, `error`), its text or the payload of its
block, and the bench time in s at which it went or came."""

TIMEOUT = 2.0
"""Default seconds for one exchange; nothing waits for ever."""
LONGEST = 3600.0
"""No exchange takes as long as so many seconds."""
SERIAL_QUIET = 0.5
"""The same in seconds after a serial line was opened anew: a late reply still comes over it."""


class Session:
    """One instrument: an exchange at a time, from whichever thread, and never a stale reply.

    After a timeout, a broken frame or an interruption the next reply could be the previous one's:
    the session is poisoned, and every use raises SessionPoisoned until `recover` succeeds. After
    the peer has closed the connection every use raises ConnectionLost. `stop_write` works on.
    """

    def __init__(
        self,
        address: Address,
        clock: Clock,
        transcript: Transcript | None,
        timeout: float,
        role: str,
    ) -> None:
        if not 0 < timeout < LONGEST:
            raise UsageError(f"timeout = {timeout} s; a session takes 0 < timeout < {LONGEST:g} s")
        self._address = address
        self._manner = address.manner
        self._clock = clock
        self._transcript = transcript
        self._timeout = timeout
        self._name = f"{role} at {address.resource}"
        self._lock = threading.RLock()
        self._stop_lane = StopLane(address, self._name)
        self._fault: HilError | None = None
        self._heed: Callable[[], None] | None = None
        self._energised = self._manner.energised
        self._identity: Identity | None = None
        self.recoveries = 0
        """How often it was opened anew or cleared."""
        self._half_sent = False  # then a stop on the same line would only complete a wrong message
        self._owed: list[tuple[str, bool]] = []
        """Stops whose echo or answer has not been read, and whether there is an answer."""
        self._late: list[str] = []
        """Answers to stops that nobody has taken."""
        self._line: Line = address.open()

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

    def watch(self, heed: Callable[[], None] | None, most: float = LONGEST) -> None:
        """From now on the output may be energised, so that no exchange may take long; None ends it.

        An exchange is then given up after the `energised` of the instrument's manner, or `most`.
        Over a raw socket or a serial line a wait goes on in slices of 50 ms; over any other
        resource it is one call of the VISA library, of that length.

        Args:
            heed: called between two slices, in the midst of the exchange: it may send what stops,
                also over this session. What it raises ends the exchange and poisons the session.
            most: seconds that no exchange may exceed.
        """
        self._heed = heed
        self._line.heed = heed or deaf
        self._energised = min(self._manner.energised, most)

    @property
    def watched(self) -> bool:
        """Whether no exchange may take long."""
        return self._heed is not None

    def heed(self) -> None:
        """Do what is done every 50 ms while an answer is awaited; nothing if it is not watched."""
        self._line.heed()

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
        form = Block(f"{name},".encode() if name else b"", length)
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
            except (HilError, Silence, Gone) as err:
                self._fault = self._fault or SessionPoisoned(f"{self._name}: {text!r}: {err}")
            finally:
                self._lock.release()
        try:
            self._stop_lane.send(text, data)
        except BenchError as err:
            self._note("error", f"{type(err).__name__}: {err}")
            raise
        self._note("stop", text)

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
        self._stop_lane.close()

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
        if self._heed is not None:
            seconds = min(seconds, self._energised)
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
        except Silence as err:
            raise self._failed(
                ReplyTimeout(
                    f"{self._name}: {text!r} got no complete reply within {seconds} s"
                    f"{self._while_energised}; the session is poisoned until recover() has "
                    f"cleared and identified it"
                )
            ) from err
        except Gone as err:
            raise self._failed(
                ConnectionLost(
                    f"{self._name}: the connection was lost at {text!r}: {err}; check power and "
                    "cable, then recover()"
                )
            ) from err
        except BenchError as err:
            known = isinstance(err, Diverged) or "recover" in str(err)
            mend = "" if known else "; check the line, then recover()"
            raise self._failed(type(err)(f"{self._name}: {text!r}: {err}{mend}")) from err
        except BaseException as err:  # an Abort or Ctrl-C may leave a reply behind
            self._failed(
                SessionPoisoned(f"{self._name}: {text!r} was interrupted by {type(err).__name__}")
            )
            raise

    @property
    def _while_energised(self) -> str:
        return ", which is all that it has while energised" if self.watched else ""

    def _failed(self, error: BenchError) -> BenchError:
        self._fault = error
        self._note("error", f"{type(error).__name__}: {error}")
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
        if self._owed:
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
        if self._owed:
            self._collect(seconds)
        self._check_quiet()
        self._send(text, seconds)
        return self._receive(seconds)

    def _ask_block(self, text: str, seconds: float, form: Block) -> bytes:
        self._collect(seconds)
        self._check_quiet()
        self._send(text, seconds)
        payload = self._line.receive_block(seconds, form)
        self._note("read", payload)
        return payload

    def _check_quiet(self) -> None:
        waiting = self._line.unexpected()
        if waiting:
            raise InstrumentError(
                f"{waiting[:60]!r} came unasked before the question was sent; a reply would be "
                f"taken for another's"
            )

    def _note(self, direction: str, said: str | bytes) -> None:
        if self._transcript is not None:
            self._transcript(direction, said, self._clock.now())

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
        if isinstance(line, VisaLine) and not line.stream and not lost:
            try:
                line.clear()
            except Silence as err:
                raise BenchError(f"{self._name}: clearing failed: {err}") from err
            except Gone:
                pass  # or a late reply came first: pyvisa-py's HiSLIP then gives the clear up
            else:
                return
        line.close()
        self._line = opened(self._address, self._name)
        self._line.heed = self._heed or deaf
        if isinstance(self._line, VisaLine) and self._line.serial:
            self._line.quieten(SERIAL_QUIET)
