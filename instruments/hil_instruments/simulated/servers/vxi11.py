"""VXI-11: the service of one instrument: core channel, abort channel, interrupt channel.

Ref: VXI-11 TCP/IP Instrument Protocol Specification, revision 1.0, July 1995: B.6 (procedures),
from memory, checked against public implementations. There is no port mapper: a client names
the port.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

from hil_instruments.simulated.servers import rpc
from hil_instruments.simulated.servers import vxi11_calls as calls
from hil_instruments.simulated.servers.connection import Connection
from hil_instruments.simulated.servers.seat import Seat
from hil_instruments.simulated.servers.vxi11_calls import Error, Order, Procedure
from hil_instruments.simulated.servers.vxi11_link import DeviceLink, Operation
from hil_instruments.simulated.servers.xdr import Unpacker, XdrError, packed_opaque

CLIENTS = 4
"""Core channels that a port takes at a time, and abort channels as many."""
LINKS = 16
"""Links of one instrument."""
DEVICE = "inst0"
LONGEST_RECORD = calls.LONGEST_WRITE + 2048
"""Bytes of a record: the longest write, its other arguments, and credentials."""
WAITING = 64
"""Calls of one connection that wait for the one before, beyond which it is not read."""
_LOOPBACK = 127

_Attempt: TypeAlias = Callable[[DeviceLink, Order], bytes | None]


class Vxi11Port:
    """The VXI-11 service of one instrument: every link of every client."""

    def __init__(self, seat: Seat) -> None:
        self.seat = seat
        self.abort_port = 0
        """Where the abort channel listens."""
        self._links: dict[int, DeviceLink] = {}
        self._numbers = itertools.count(1)

    def answer_core(self, connection: Connection) -> CoreChannel:
        """Make what speaks on a new core channel."""
        return CoreChannel(self, connection)

    def answer_abort(self, connection: Connection) -> AbortChannel:
        """Make what speaks on a new abort channel."""
        return AbortChannel(self, connection)

    def create(self, request_service: Callable[[bytes], None], drop: Callable[[], None]) -> int:
        """Make a link.

        Args:
            request_service: tells the client of a service request, by its handle.
            drop: closes the client's connection.

        Returns:
            Its number; 0 if there are too many.
        """
        if len(self._links) >= LINKS:
            return 0
        number = next(self._numbers)
        self._links[number] = DeviceLink(self.seat, request_service, drop)
        return number

    def find(self, number: int) -> DeviceLink | None:
        """The link of that number."""
        return self._links.get(number)

    def destroy(self, number: int) -> None:
        """End a link, with its locks."""
        link = self._links.pop(number, None)
        if link is not None:
            link.close()


class RpcChannel:
    """A connection over which calls come, one after another."""

    program = 0
    """Program number that it serves."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._reader = rpc.RecordReader(LONGEST_RECORD)
        self._calls: deque[rpc.Call] = deque()
        self._busy = False

    def received(self, data: bytes) -> None:
        """Take the next bytes of the client."""
        try:
            for record in self._reader.feed(data):
                self._take(record)
        except rpc.RecordError:
            self.connection.close()  # nothing after it can be understood, nothing answered
            return
        self._next()

    def _take(self, record: bytes) -> None:
        try:
            self._calls.append(rpc.read_call(record))
        except rpc.VersionError as err:
            self.connection.send(rpc.wrong_rpc_version(err.args[0]))

    def lost(self) -> None:
        """The connection is gone."""
        self._calls.clear()

    def obey(self, call: rpc.Call) -> bytes | None:
        """Obey a call of the program.

        Returns:
            Its results; None if they come later, by `finish`.

        Raises:
            KeyError: there is no such procedure.
            XdrError: it takes other arguments.
        """
        raise KeyError(call.procedure)

    def finish(self, xid: int, results: bytes) -> None:
        """Answer the call under way, and go on with the next."""
        self._busy = False
        self.connection.send(rpc.success(xid, results))
        self._next()

    def _next(self) -> None:
        while self._calls and not self._busy and self.connection.open:
            call = self._calls.popleft()
            self._busy = True
            answer = self._answer(call)
            if answer:
                self._busy = False
                self.connection.send(answer)
        self.connection.hold(len(self._calls) > WAITING)

    def _answer(self, call: rpc.Call) -> bytes:
        if call.program != self.program:
            return rpc.refusal(call.xid, rpc.Accept.NO_PROGRAM)
        if call.version != calls.VERSION:
            return rpc.refusal(call.xid, rpc.Accept.NO_VERSION)
        try:
            results = b"" if call.procedure == Procedure.NULL else self.obey(call)
        except KeyError:
            return rpc.refusal(call.xid, rpc.Accept.NO_PROCEDURE)
        except XdrError:
            return rpc.refusal(call.xid, rpc.Accept.BAD_ARGUMENTS)
        return b"" if results is None else rpc.success(call.xid, results)


class AbortChannel(RpcChannel):
    """Ends the call that a link waits for."""

    program = calls.ABORT

    def __init__(self, port: Vxi11Port, connection: Connection) -> None:
        super().__init__(connection)
        self._port = port

    def obey(self, call: rpc.Call) -> bytes | None:
        """Obey device_abort, the only procedure."""
        if call.procedure != Procedure.DEVICE_ABORT:
            raise KeyError(call.procedure)
        link = self._port.find(call.arguments.signed())
        if link is None:
            return calls.error(Error.INVALID_LINK)
        if link.operation is not None:
            link.operation.refuse(Error.ABORTED)
        return calls.error(Error.NONE)


class CoreChannel(RpcChannel):
    """One client: its links, and the channel over which it hears of service requests."""

    program = calls.CORE

    def __init__(self, port: Vxi11Port, connection: Connection) -> None:
        super().__init__(connection)
        self._port = port
        self._mine: set[int] = set()
        self._interrupt: Connection | None = None
        self._interrupt_program = (calls.INTERRUPT, calls.VERSION)
        self._requests = itertools.count(1)

    def lost(self) -> None:
        """The client is gone, and its links, locks and interrupt channel with it."""
        super().lost()
        for number in self._mine:
            self._port.destroy(number)
        self._mine.clear()
        if self._interrupt is not None:
            self._interrupt.abort()

    def obey(self, call: rpc.Call) -> bytes | None:
        """Obey a procedure of the core channel."""
        procedure, arguments = call.procedure, call.arguments
        if procedure in _WAITING:
            read, attempt, refuse = _WAITING[procedure]
            return self._operate(call.xid, read(arguments), attempt, refuse)
        if procedure == Procedure.CREATE_LINK:
            return self._create_link(call.xid, arguments)
        if procedure == Procedure.CREATE_INTR_CHAN:
            return self._create_interrupt(call.xid, arguments)
        if procedure == Procedure.DESTROY_INTR_CHAN:
            return self._destroy_interrupt()
        return self._obey_link(procedure, arguments)

    def _obey_link(self, procedure: int, arguments: Unpacker) -> bytes:
        """Those that take a link and never wait."""
        if procedure == Procedure.DEVICE_ENABLE_SRQ:
            link = self._port.find(arguments.signed())
            enable, handle = arguments.boolean(), arguments.opaque(calls.LONGEST_HANDLE)
            if link is not None:
                link.handle = handle if enable else None
            return calls.error(Error.INVALID_LINK if link is None else Error.NONE)
        if procedure == Procedure.DEVICE_UNLOCK:
            link = self._port.find(arguments.signed())
            return calls.error(Error.INVALID_LINK) if link is None else link.unlock()
        if procedure == Procedure.DESTROY_LINK:
            number = arguments.signed()
            if number not in self._mine:
                return calls.error(Error.INVALID_LINK)
            self._mine.discard(number)
            self._port.destroy(number)
            return calls.error(Error.NONE)
        if procedure == Procedure.DEVICE_DOCMD:
            link = self._port.find(arguments.signed())
            return calls.commanded(Error.INVALID_LINK if link is None else Error.NOT_SUPPORTED)
        raise KeyError(procedure)

    def _operate(
        self,
        xid: int,
        order: Order,
        attempt: _Attempt,
        refuse: Callable[[Error], bytes],
    ) -> bytes | None:
        link = self._port.find(order.link)
        if link is None:
            return refuse(Error.INVALID_LINK)
        if link.operation is not None and not link.operation.over:
            return refuse(Error.IO)  # another connection of the client uses the link now
        return self._begin(xid, link, order, attempt, refuse)

    def _begin(
        self,
        xid: int,
        link: DeviceLink,
        order: Order,
        attempt: _Attempt,
        refuse: Callable[[Error], bytes],
    ) -> bytes | None:
        came: list[bytes] = []
        waiting = False

        def done(results: bytes) -> None:
            link.operation = None
            if waiting:
                self.finish(xid, results)
            else:
                came.append(results)

        link.operation = Operation(link, order, lambda: attempt(link, order), refuse, done)
        link.operation.step()
        waiting = not came
        return came[0] if came else None

    def _create_link(self, xid: int, arguments: Unpacker) -> bytes | None:
        arguments.signed()  # the client's own number for itself
        lock, patience = arguments.boolean(), arguments.unsigned() / 1000
        name = arguments.opaque(calls.LONGEST_NAME).decode("latin-1")
        if name.lower() != DEVICE:
            return calls.linked(Error.NOT_ACCESSIBLE)
        number = self._port.create(self._request_service, self.connection.close)
        link = self._port.find(number)
        if link is None:
            return calls.linked(Error.OUT_OF_RESOURCES)
        self._mine.add(number)
        made = calls.linked(Error.NONE, number, self._port.abort_port)
        if not lock:
            return made
        order = Order(number, calls.Flags.WAIT_LOCK, lock_timeout=patience)
        return self._lock_new(xid, link, order, made)

    def _lock_new(self, xid: int, link: DeviceLink, order: Order, made: bytes) -> bytes | None:
        def attempt(link: DeviceLink, order: Order) -> bytes:
            link.lock(order)
            return made

        def refuse(why: Error) -> bytes:
            link.operation = None  # it is this one, and answers before the link is gone
            self._mine.discard(order.link)
            self._port.destroy(order.link)
            return calls.linked(why)

        return self._begin(xid, link, order, attempt, refuse)

    # The interrupt channel.

    def _create_interrupt(self, xid: int, arguments: Unpacker) -> bytes | None:
        address, port = arguments.unsigned(), arguments.unsigned()
        program, version, family = arguments.unsigned(), arguments.unsigned(), arguments.signed()
        if self._interrupt is not None:
            return calls.error(Error.CHANNEL_EXISTS)
        if family != 0:  # DEVICE_TCP
            return calls.error(Error.NOT_SUPPORTED)
        if address >> 24 != _LOOPBACK or not 0 < port < 65_536:
            return calls.error(Error.PARAMETER)  # this bench calls nobody beyond this machine
        self._interrupt_program = (program, version)

        def done(connection: Connection | None) -> None:
            self._interrupt = connection
            if connection is not None:
                connection.begin(_Listener(self._forget_interrupt))
                if not self.connection.open:
                    connection.abort()
            self.finish(xid, calls.error(Error.NO_CHANNEL if connection is None else Error.NONE))

        self._port.seat.reactor.dial(port, done)
        return None

    def _forget_interrupt(self) -> None:
        self._interrupt = None

    def _destroy_interrupt(self) -> bytes:
        if self._interrupt is None:
            return calls.error(Error.NO_CHANNEL)
        self._interrupt.abort()
        return calls.error(Error.NONE)

    def _request_service(self, handle: bytes) -> None:
        if self._interrupt is not None and not self._interrupt.clogged:
            program, version = self._interrupt_program
            arguments = packed_opaque(handle)
            self._interrupt.send(
                rpc.call(
                    next(self._requests), program, version, Procedure.DEVICE_INTR_SRQ, arguments
                )
            )


class _Listener:
    """The client's end of an interrupt channel: what it answers does not matter."""

    def __init__(self, lost: Callable[[], None]) -> None:
        self.lost = lost

    def received(self, data: bytes) -> None:
        """Throw it away."""


_WAITING: dict[int, tuple[Callable[[Unpacker], Order], _Attempt, Callable[[Error], bytes]]] = {
    Procedure.DEVICE_WRITE: (calls.read_write, DeviceLink.write, calls.written),
    Procedure.DEVICE_READ: (calls.read_read, DeviceLink.read, calls.read),
    Procedure.DEVICE_READSTB: (calls.read_generic, DeviceLink.read_status, calls.status),
    Procedure.DEVICE_TRIGGER: (calls.read_generic, DeviceLink.trigger, calls.error),
    Procedure.DEVICE_CLEAR: (calls.read_generic, DeviceLink.clear, calls.error),
    Procedure.DEVICE_REMOTE: (calls.read_generic, DeviceLink.stay, calls.error),
    Procedure.DEVICE_LOCAL: (calls.read_generic, DeviceLink.stay, calls.error),
    Procedure.DEVICE_LOCK: (calls.read_lock, DeviceLink.lock, calls.error),
}
"""Procedures that wait for the lock and for the instrument: arguments, action, results."""
