"""A HiSLIP session: one client's messages, status, device clear and locks, on two connections.

Ref: IVI-6.1 High-Speed LAN Instrument Protocol: 3.1 (synchronized mode), 3.2 (overlap mode),
6 (transactions), from memory, checked against public implementations of it and their notes.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable
from typing import Protocol, TypeAlias

from hil_instruments.simulated.servers.connection import Appointment, Connection
from hil_instruments.simulated.servers.hislip_frames import (
    FIRST_ID,
    HEADER,
    NO_ID,
    Fatal,
    Frame,
    Kind,
    Mistake,
)
from hil_instruments.simulated.servers.locks import Grant, Release
from hil_instruments.simulated.servers.seat import Conversation, Seat

LONGEST = 1_048_576
"""Bytes of the longest payload that is taken; a longer one is an error and thrown away."""
SHORTEST = 64
"""Bytes of payload into which a reply is cut at the least, whatever the client asks for."""
CLEARING = 60.0
"""Wall seconds in which a device clear must be completed; IVI-6.1 suggests 40 to 120."""
PARKED = 262_144
"""Bytes that wait for a lock or a busy instrument, beyond which the client is not read."""
TURN = 32
"""Messages that are obeyed before others get their turn."""
_MAV = 16
_OVERLAP = 1
_RMT = 1

_Handler: TypeAlias = Callable[[Frame], None]


class Channel(Protocol):
    """One of the two connections, as the session sees it."""

    session: Session | None

    @property
    def connection(self) -> Connection:
        """The connection itself."""
        ...

    def send(self, frame: Frame) -> None:
        """Send a frame."""
        ...

    def mistake(self, code: Mistake, text: str) -> None:
        """Tell the client about a message that was not obeyed."""
        ...

    def fatal(self, code: Fatal, text: str) -> None:
        """Tell the client why the conversation ends, and end it."""
        ...


class Session:
    """One client: a synchronous channel for messages, an asynchronous one for everything else."""

    def __init__(self, seat: Seat, first: Channel, forget: Callable[[], None]) -> None:
        self.first = first
        self.second: Channel | None = None
        self._seat, self._forget = seat, forget
        self._talk = Conversation(
            seat,
            self._pump,
            stream=False,
            on_service_request=self._note_request,
            on_interrupt=self._note_interrupt,
        )
        self._overlap = False
        self._clearing: Appointment | None = None
        self._lock_wait: tuple[str, Appointment] | None = None
        self._longest_sent = LONGEST
        self._parked: deque[Frame] = deque()
        self._synchronous: dict[int, _Handler] = {
            Kind.DATA: self._message,
            Kind.DATA_END: self._message,
            Kind.TRIGGER: self._message,
            Kind.DEVICE_CLEAR_COMPLETE: self._complete_clear,
        }
        self._asynchronous: dict[int, _Handler] = {
            Kind.ASYNC_MAXIMUM_MESSAGE_SIZE: self._agree_on_size,
            Kind.ASYNC_DEVICE_CLEAR: self._clear,
            Kind.ASYNC_STATUS_QUERY: self._read_status,
            Kind.ASYNC_REMOTE_LOCAL_CONTROL: self._remote_local,
            Kind.ASYNC_LOCK: self._lock,
            Kind.ASYNC_LOCK_INFO: self._tell_locks,
        }
        self._reset()

    def _reset(self) -> None:
        self._last = FIRST_ID - 2
        self._next = FIRST_ID
        self._expects_delivery = self._interrupted = False
        self._parked.clear()

    @property
    def established(self) -> bool:
        """Whether both channels are there."""
        return self.second is not None

    @property
    def connection(self) -> Connection:
        """The one that dies when a handler of this session fails."""
        return self.first.connection

    def end(self) -> None:
        """Close both channels, give back every lock; may be called twice."""
        self._forget()
        lock = self._seat.lock
        lock.forget(self._pump)
        lock.forget(self._try_lock)
        self._cancel_lock_wait()
        if self._clearing is not None:
            self._clearing.cancelled = True
        self._talk.close()
        for channel in filter(None, (self.first, self.second)):
            channel.session = None
            channel.connection.close()
        lock.drop(self)

    def take(self, channel: Channel, frame: Frame) -> None:
        """Obey a frame of one of the two channels."""
        if self.second is None:
            channel.fatal(Fatal.CHANNELS, "the asynchronous channel is not established")
            return
        handlers = self._synchronous if channel is self.first else self._asynchronous
        handler = handlers.get(frame.kind)
        if handler is not None:
            handler(frame)
        elif frame.kind in {Kind.INITIALIZE, Kind.ASYNC_INITIALIZE}:
            channel.fatal(Fatal.INITIALIZATION, "the session is initialized already")
        elif frame.kind >= 128:
            channel.mistake(Mistake.VENDOR_MESSAGE, f"vendor message {frame.kind} is unknown")
        else:
            channel.mistake(Mistake.MESSAGE_TYPE, f"message type {frame.kind} has no meaning here")

    # The synchronous channel.

    def _message(self, frame: Frame) -> None:
        if self._clearing is not None:
            return
        if frame.control & ~_RMT:
            self.first.mistake(Mistake.CONTROL_CODE, f"control code {frame.control}; allowed: 0, 1")
            return
        self._parked.append(frame)
        self._pump()

    def _pump(self) -> None:
        """Obey what is parked as far as lock and instrument allow, and send what is answered."""
        if self._clearing is not None or not self.first.connection.open:
            return
        self._talk.pumping = True
        for _ in range(min(len(self._parked), TURN)):
            if not self._may_speak():
                break
            self._obey(self._parked.popleft())
            self._send_replies()
        self._send_replies()
        self._talk.pumping = False
        if self._parked and self._talk.exchange.accepts() and not self._seat.lock.bars(self):
            self._talk.call()
        self.first.connection.hold(sum(len(each.payload) for each in self._parked) > PARKED)

    def _may_speak(self) -> bool:
        lock = self._seat.lock
        if lock.bars(self):
            lock.forget(self._pump)
            lock.wait(self._pump)
            return False
        if self.first.connection.clogged or not self._talk.exchange.accepts():
            self._talk.call_later()
            return False
        return True

    def _obey(self, frame: Frame) -> None:
        exchange = self._talk.exchange
        delivered = bool(frame.control & _RMT)
        # Rule 2 of IVI-6.1, 3.1.1 calls both mismatches an interrupted error. Only the unread reply
        # is taken for one: pyvisa-py 0.8 goes on saying "delivered" where nothing was sent.
        if self._expects_delivery and not delivered and not self._overlap:
            exchange.interrupt()
        self._expects_delivery = self._interrupted = False
        self._last = frame.parameter
        if frame.kind == Kind.TRIGGER:
            exchange.trigger()
        else:
            end = frame.kind == Kind.DATA_END
            exchange.write(frame.payload + b"\n" * (end and self._overlap), end)
        if self._interrupted:
            self._interrupt(frame)

    def _note_interrupt(self) -> None:
        self._interrupted = True

    def _interrupt(self, frame: Frame) -> None:
        """Tell both channels that a reply was given up for the message that has come."""
        if self.second is not None:
            self.second.send(Frame(Kind.ASYNC_INTERRUPTED, 0, frame.parameter))
        self.first.send(Frame(Kind.INTERRUPTED, 0, frame.parameter))

    def _send_replies(self) -> None:
        while not self.first.connection.clogged and (reply := self._talk.reply()) is not None:
            self._send_reply(*reply)
        if self._talk.exchange.dropped:
            self.end()

    def _send_reply(self, data: bytes, end: bool) -> None:
        room = max(self._longest_sent - HEADER.size, SHORTEST)
        parts = [data[start : start + room] for start in range(0, len(data), room)] or [b""]
        for number, part in enumerate(parts, 1):
            last = end and number == len(parts)
            self.first.send(Frame(Kind.DATA_END if last else Kind.DATA, 0, self._id(last), part))
        self._expects_delivery = self._expects_delivery or end

    def _id(self, last: bool) -> int:
        """Message id of a part of a reply."""
        if not self._overlap:
            return self._last if last else NO_ID
        number = self._next
        self._next = (self._next + 2) & 0xFFFF_FFFF
        return number

    def _complete_clear(self, frame: Frame) -> None:
        if self._clearing is None:
            self.first.mistake(Mistake.UNIDENTIFIED, "no device clear is under way")
            return
        self._clearing.cancelled = True
        self._clearing = None
        self._overlap = bool(frame.control & _OVERLAP)
        self._talk.restart(stream=self._overlap)
        self._reset()
        self.first.send(Frame(Kind.DEVICE_CLEAR_ACKNOWLEDGE, _OVERLAP * self._overlap))

    # The asynchronous channel.

    def _answer(self, kind: Kind, control: int = 0, parameter: int = 0, data: bytes = b"") -> None:
        if self.second is not None:
            self.second.send(Frame(kind, control, parameter, data))

    def _complain(self, code: Mistake, text: str) -> None:
        if self.second is not None:
            self.second.mistake(code, text)

    def _agree_on_size(self, frame: Frame) -> None:
        if len(frame.payload) != 8:
            self._complain(
                Mistake.UNIDENTIFIED, f"a size of {len(frame.payload)} bytes; allowed: 8"
            )
            return
        self._longest_sent = min(int.from_bytes(frame.payload), LONGEST)
        self._answer(Kind.ASYNC_MAXIMUM_MESSAGE_SIZE_RESPONSE, data=struct.pack("!Q", LONGEST))

    def _clear(self, _: Frame) -> None:
        self._give_up_lock()
        self._seat.lock.forget(self._pump)
        if self._seat.lock.bars(self):
            self._talk.restart(stream=self._overlap)  # another's measurement is not ours to stop
        else:
            self._talk.exchange.clear()
        self._reset()
        if self._clearing is not None:
            self._clearing.cancelled = True
        self._clearing = self._seat.reactor.after(CLEARING, self._give_up_clearing)
        self.first.connection.hold(False)
        self._answer(Kind.ASYNC_DEVICE_CLEAR_ACKNOWLEDGE)

    def _give_up_clearing(self) -> None:
        self.first.fatal(Fatal.UNIDENTIFIED, f"no DeviceClearComplete within {CLEARING:g} s")

    def _read_status(self, frame: Frame) -> None:
        self.first.connection.read_now()  # a message sent before the query comes before it
        if frame.control & _RMT:
            self._expects_delivery = False
        exchange = self._talk.exchange
        if self._overlap:
            unread = exchange.waits or frame.parameter != (self._next - 2) & 0xFFFF_FFFF
        else:
            # The id is that of the last message sent; pyvisa-py 0.8 gives that of its next one.
            current = frame.parameter in {self._last, (self._last + 2) & 0xFFFF_FFFF}
            unread = current and (self._expects_delivery or exchange.waits)
        self._answer(Kind.ASYNC_STATUS_RESPONSE, exchange.poll(waits=unread))

    def _remote_local(self, frame: Frame) -> None:
        if frame.control > 6:
            self._complain(Mistake.CONTROL_CODE, f"control code {frame.control}; allowed: 0 to 6")
            return
        self._answer(Kind.ASYNC_REMOTE_LOCAL_RESPONSE)

    def _note_request(self) -> None:
        self._seat.reactor.soon(self._request_service)

    def _request_service(self) -> None:
        if not self.first.connection.open:
            return
        status = self._talk.exchange.status_byte()
        self._answer(Kind.ASYNC_SERVICE_REQUEST, status | _MAV * self._expects_delivery)

    # Locks.

    def _lock(self, frame: Frame) -> None:
        if frame.control == 0:
            self._release_lock()
        elif frame.control != 1:
            self._complain(Mistake.CONTROL_CODE, f"control code {frame.control}; allowed: 0, 1")
        elif self._lock_wait is not None or len(frame.payload) > 256:
            self._answer(Kind.ASYNC_LOCK_RESPONSE, 3)
        else:
            end = self._seat.reactor.after(frame.parameter / 1000, self._give_up_lock)
            self._lock_wait = (frame.payload.decode("latin-1"), end)
            self._try_lock()

    def _try_lock(self) -> None:
        if self._lock_wait is None:
            return
        grant = self._seat.lock.request(self, self._lock_wait[0])
        if grant is Grant.HELD:
            self._seat.lock.wait(self._try_lock)
            return
        self._cancel_lock_wait()
        self._answer(Kind.ASYNC_LOCK_RESPONSE, 1 if grant is Grant.GRANTED else 3)

    def _give_up_lock(self) -> None:
        if self._lock_wait is not None:
            self._seat.lock.forget(self._try_lock)
            self._cancel_lock_wait()
            self._answer(Kind.ASYNC_LOCK_RESPONSE, 0)

    def _cancel_lock_wait(self) -> None:
        if self._lock_wait is not None:
            self._lock_wait[1].cancelled = True
            self._lock_wait = None

    def _release_lock(self) -> None:
        self.first.connection.read_now()  # a message sent before the release comes before it
        released = self._seat.lock.release(self)
        code = {Release.EXCLUSIVE: 1, Release.SHARED: 2, Release.NONE: 3}[released]
        self._answer(Kind.ASYNC_LOCK_RESPONSE, code)

    def _tell_locks(self, _: Frame) -> None:
        exclusive, count = self._seat.lock.holders()
        self._answer(Kind.ASYNC_LOCK_INFO_RESPONSE, int(exclusive), count)
