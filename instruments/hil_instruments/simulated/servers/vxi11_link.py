"""A VXI-11 link: one client's conversation, and the one call of it that may have to wait."""

from __future__ import annotations

import math
from collections.abc import Callable

from hil_instruments.simulated.servers import vxi11_calls as calls
from hil_instruments.simulated.servers.connection import Appointment
from hil_instruments.simulated.servers.locks import Grant, Release
from hil_instruments.simulated.servers.seat import Conversation, Seat
from hil_instruments.simulated.servers.vxi11_calls import Error, Flags, Order, Reason


class Operation:
    """A call that waits for the lock, then for the instrument, and ends in any case."""

    def __init__(
        self,
        link: DeviceLink,
        order: Order,
        attempt: Callable[[], bytes | None],
        refuse: Callable[[Error], bytes],
        done: Callable[[bytes], None],
    ) -> None:
        """Prepare; `step` begins it.

        Args:
            link: whose call it is.
            order: its timeouts.
            attempt: gives the results; None if the instrument is not ready.
            refuse: makes the results of an error.
            done: takes the results, once.
        """
        self._link, self._order = link, order
        self._attempt, self._refuse, self._done = attempt, refuse, done
        self._begun = link.seat.reactor.wall()
        self._ready_by = math.inf
        self._appointment: Appointment | None = None
        self.over = False
        """Whether `done` was called."""

    def step(self) -> None:
        """Try, or go on waiting, or give up."""
        if self.over:
            return
        lock, now = self._link.seat.lock, self._link.seat.reactor.wall()
        lock.forget(self.step)
        if lock.bars(self._link):
            self._wait_or_give_up(self._begun + self._order.lock_patience, now, Error.LOCKED)
            if not self.over:
                lock.wait(self.step)
            return
        results = self._attempt()
        if results is not None:
            self.finish(results)
            return
        if math.isinf(self._ready_by):
            self._ready_by = now + self._order.io_timeout
        self._wait_or_give_up(self._ready_by, now, Error.IO_TIMEOUT)

    def _wait_or_give_up(self, deadline: float, now: float, why: Error) -> None:
        if now >= deadline:
            self.refuse(why)
        else:
            self._look_again(deadline - now)

    def _look_again(self, seconds: float) -> None:
        earlier = self._appointment
        if earlier is not None:
            earlier.cancelled = True
        self._appointment = self._link.seat.reactor.after(seconds, self._meet)

    def _meet(self) -> None:
        self._appointment = None
        self.step()

    def refuse(self, why: Error) -> None:
        """End it by an error."""
        if not self.over:
            if why is Error.IO_TIMEOUT:
                self._link.note_timeout()
            self.finish(self._refuse(why))

    def finish(self, results: bytes) -> None:
        """End it."""
        if self.over:
            return
        self.drop()
        self._done(results)

    def drop(self) -> None:
        """End it without results: the client is gone."""
        self.over = True
        self._link.seat.lock.forget(self.step)
        if self._appointment is not None:
            self._appointment.cancelled = True


class DeviceLink:
    """One link: what its client may do with the instrument."""

    def __init__(
        self, seat: Seat, request_service: Callable[[bytes], None], drop: Callable[[], None]
    ) -> None:
        """Begin.

        Args:
            seat: the instrument.
            request_service: tells the client, by the handle that it gave.
            drop: closes the client's connection.
        """
        self.seat = seat
        self.operation: Operation | None = None
        """The call under way."""
        self.handle: bytes | None = None
        """With which the client wants to hear of a service request; None if it does not."""
        self._request, self._drop = request_service, drop
        self._rest, self._rest_ends = b"", False
        self._reading = False
        self._talk = Conversation(
            seat, self._pump, stream=False, on_service_request=self._note_request
        )

    def _pump(self) -> None:
        if self.operation is not None:
            self.operation.step()

    def close(self) -> None:
        """The link is destroyed or its client gone."""
        if self.operation is not None:
            self.operation.drop()
        self._talk.close()
        self.seat.lock.drop(self)

    def note_timeout(self) -> None:
        """A read in vain: without a query under way that is an error of the client (-420)."""
        exchange = self._talk.exchange
        if self._reading and not self._rest and not exchange.waits:
            exchange.read()

    # What the procedures do; None: not yet.

    def write(self, order: Order) -> bytes | None:
        """Hand bytes to the instrument."""
        exchange = self._talk.exchange
        self._reading = False
        if not exchange.accepts():
            self._talk.call_later()
            return None
        if self._rest:
            self._rest = b""
            exchange.interrupt()
        exchange.write(order.data, Flags.END in order.flags)
        return calls.written(Error.NONE, len(order.data))

    def read(self, order: Order) -> bytes | None:
        """Give what the instrument answers, up to a count, a character or the end."""
        self._reading = True
        if not self._rest:
            reply = self._talk.reply()
            if reply is None:
                if self._talk.exchange.dropped:
                    self._drop()
                return None
            self._rest, self._rest_ends = reply
        room = min(order.count, calls.LONGEST_READ)
        place = -1
        if Flags.TERMINATOR in order.flags:
            place = self._rest.find(order.terminator, 0, room)
        data = self._rest[: place + 1] if place >= 0 else self._rest[:room]
        self._rest = self._rest[len(data) :]
        reason = Reason.TERMINATOR if place >= 0 else Reason(0)
        if len(data) == order.count:
            reason |= Reason.COUNT
        if not self._rest and self._rest_ends:
            reason |= Reason.END
        return calls.read(Error.NONE, reason, data)

    def read_status(self, _: Order) -> bytes:
        """Serial poll."""
        exchange = self._talk.exchange
        waits = bool(self._rest) or exchange.waits
        return calls.status(Error.NONE, exchange.poll(waits=waits))

    def trigger(self, _: Order) -> bytes:
        """Group execute trigger."""
        self._talk.exchange.trigger()
        return calls.error(Error.NONE)

    def clear(self, _: Order) -> bytes:
        """Device clear."""
        self._rest = b""
        self._talk.exchange.clear()
        return calls.error(Error.NONE)

    def stay(self, _: Order) -> bytes:
        """Remote and local: there is no front panel that they would lock."""
        return calls.error(Error.NONE)

    def lock(self, _: Order) -> bytes:
        """Take the exclusive lock, which nobody else holds; it does not nest (VXI-11, B.6.72)."""
        granted = self.seat.lock.request(self) is Grant.GRANTED
        return calls.error(Error.NONE if granted else Error.LOCKED)

    def unlock(self) -> bytes:
        """Give the lock back."""
        released = self.seat.lock.release(self)
        return calls.error(Error.NO_LOCK if released is Release.NONE else Error.NONE)

    # Service requests.

    def _note_request(self) -> None:
        if self.handle is not None:
            self.seat.reactor.soon(self._request_service)

    def _request_service(self) -> None:
        if self.handle is not None:
            self._request(self.handle)
