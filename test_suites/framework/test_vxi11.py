"""VXI-11 as a raw RPC client sees it: every procedure, locks, timeouts, abort, service request."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.faults.link import LinkFault
from hil_instruments.simulated.servers import rpc, vxi11
from hil_instruments.simulated.servers.served import BenchServer, Protocol
from hil_instruments.simulated.servers.vxi11_calls import (
    ABORT,
    CORE,
    INTERRUPT,
    LONGEST_READ,
    LONGEST_WRITE,
    Error,
    Procedure,
    Reason,
)
from hil_instruments.simulated.servers.xdr import (
    Unpacker,
    packed_int,
    packed_opaque,
    packed_uint,
)

PROFILE, BENCH = read_device(None), read_bench(None)
END, WAIT, TERMINATOR = 8, 1, 128
LOOPBACK = 0x7F000001


class Refused(Exception):
    """An RPC reply other than success; its argument says which."""


class Client:
    """One core channel, or another program's channel."""

    def __init__(self, port: int, program: int = CORE) -> None:
        self.program, self.port = program, port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=2)
        self.xid = 0
        self.link = self.abort_port = 0

    def close(self) -> None:
        self.socket.close()

    def send(self, procedure: int, arguments: bytes = b"", version: int = 1) -> None:
        self.xid += 1
        self.socket.sendall(rpc.call(self.xid, self.program, version, procedure, arguments))

    def receive(self) -> Unpacker:
        head = self.socket.recv(4, socket.MSG_WAITALL)
        if len(head) < 4:
            raise ConnectionError("closed")
        data = self.socket.recv(struct.unpack("!I", head)[0] & 0x7FFFFFFF, socket.MSG_WAITALL)
        xid, kind, denied, _, _, accept = struct.unpack_from("!6I", data)
        assert (xid, kind) == (self.xid, 1)
        if denied or accept:
            raise Refused(denied, accept)
        return Unpacker(data, 24)

    def call(self, procedure: int, arguments: bytes = b"", version: int = 1) -> Unpacker:
        self.send(procedure, arguments, version)
        return self.receive()

    def create(self, name: bytes = b"inst0", *, lock: bool = False, patience: int = 0) -> int:
        results = self.call(
            Procedure.CREATE_LINK,
            packed_int(7) + packed_uint(lock) + packed_uint(patience) + packed_opaque(name),
        )
        error, self.link, self.abort_port = (results.signed() for _ in range(3))
        assert results.unsigned() == (0 if error else LONGEST_WRITE)
        return error

    def write(self, data: bytes, flags: int = END, lock_ms: int = 0) -> tuple[int, int]:
        results = self.call(
            Procedure.DEVICE_WRITE,
            packed_int(self.link)
            + packed_uint(1000)
            + packed_uint(lock_ms)
            + packed_int(flags)
            + packed_opaque(data),
        )
        return results.signed(), results.unsigned()

    def start_read(self, count: int, io_ms: int, flags: int, terminator: int) -> None:
        self.send(
            Procedure.DEVICE_READ,
            packed_int(self.link)
            + packed_uint(count)
            + packed_uint(io_ms)
            + packed_uint(0)
            + packed_int(flags)
            + packed_int(terminator),
        )

    def finish_read(self) -> tuple[int, int, bytes]:
        results = self.receive()
        return results.signed(), results.signed(), results.opaque(LONGEST_READ)

    def read(
        self, count: int = 4096, io_ms: int = 1000, flags: int = 0, terminator: int = 0
    ) -> tuple[int, int, bytes]:
        self.start_read(count, io_ms, flags, terminator)
        return self.finish_read()

    def ask(self, message: bytes) -> bytes:
        assert self.write(message) == (0, len(message))
        error, reason, data = self.read()
        assert (error, reason) == (0, Reason.END)
        return data

    def generic(self, procedure: int, flags: int = 0) -> Unpacker:
        return self.call(
            procedure,
            packed_int(self.link) + packed_int(flags) + packed_uint(0) + packed_uint(1000),
        )

    def status(self) -> tuple[int, int]:
        results = self.generic(Procedure.DEVICE_READSTB)
        return results.signed(), results.unsigned()

    def lock(self, flags: int = 0, lock_ms: int = 0) -> int:
        arguments = packed_int(self.link) + packed_int(flags) + packed_uint(lock_ms)
        return self.call(Procedure.DEVICE_LOCK, arguments).signed()

    def unlock(self) -> int:
        return self.call(Procedure.DEVICE_UNLOCK, packed_int(self.link)).signed()

    def interrupt_channel(self, port: int, address: int = LOOPBACK, family: int = 0) -> int:
        arguments = b"".join(map(packed_uint, (address, port, INTERRUPT, 1, family)))
        return self.call(Procedure.CREATE_INTR_CHAN, arguments).signed()

    def enable_requests(self, handle: bytes, *, on: bool = True) -> int:
        arguments = packed_int(self.link) + packed_uint(on) + packed_opaque(handle)
        return self.call(Procedure.DEVICE_ENABLE_SRQ, arguments).signed()


@pytest.fixture
def server() -> Iterator[BenchServer]:
    made = BenchServer(
        SimulatedBench(PROFILE, BENCH), wall=time.monotonic, protocols=[Protocol.VXI11]
    )
    made.start()
    yield made
    made.stop()
    assert made.failures == []


@pytest.fixture
def connect(server: BenchServer) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def connected(role: str = "load", *, link: bool = True) -> Client:
        name = server.resources[Protocol.VXI11][role]
        client = Client(int(name.split(",")[1].split("::")[0]))
        made.append(client)
        assert not link or client.create() == 0
        return client

    yield connected
    for client in made:
        client.close()


@pytest.fixture
def client(connect: Callable[..., Client]) -> Client:
    return connect()


# Links and messages.


def test_a_question_is_written_and_its_answer_read(client: Client) -> None:
    assert client.ask(b"SYST:VERS?\n") == b"1994.0\n"


def test_a_message_may_be_written_in_pieces(client: Client) -> None:
    client.write(b"SYST:", flags=0)
    assert client.ask(b"VERS?") == b"1994.0\n"


def test_a_reply_may_be_read_in_pieces(client: Client) -> None:
    client.write(b"SYST:VERS?")
    assert client.read(count=3) == (0, Reason.COUNT, b"199")
    assert client.status()[1] & 16
    assert client.read() == (0, Reason.END, b"4.0\n")
    assert client.status() == (0, 0)


def test_a_read_stops_after_the_character_that_it_names(client: Client) -> None:
    client.write(b"SYST:VERS?")
    first = client.read(flags=TERMINATOR, terminator=ord("."))
    assert first == (0, Reason.TERMINATOR, b"1994.")
    assert client.read(count=2) == (0, Reason.COUNT | Reason.END, b"0\n")


def test_a_message_over_an_unread_reply_is_told_in_the_error_queue(client: Client) -> None:
    client.write(b"*IDN?")
    assert client.ask(b"SYST:ERR?").startswith(b"-410")
    client.write(b"*IDN?")
    client.read(count=3)
    assert client.ask(b"SYST:ERR?").startswith(b"-410")


def test_a_read_without_a_question_times_out_and_is_told(client: Client) -> None:
    assert client.read(io_ms=10) == (Error.IO_TIMEOUT, 0, b"")
    assert client.ask(b"SYST:ERR?").startswith(b"-420")


def test_a_reply_that_comes_after_the_timeout_waits(connect: Callable[..., Client]) -> None:
    meter = connect("ammeter")
    meter.write(b"CONF:CURR:DC 0.01;:CURR:DC:APER 0.1;ZERO:AUTO OFF;:READ?")
    assert meter.read(io_ms=10)[0] == Error.IO_TIMEOUT
    assert meter.read(io_ms=2000)[:2] == (0, Reason.END)
    assert meter.ask(b"SYST:ERR?").startswith(b"+0")


def test_a_link_to_another_device_is_refused(connect: Callable[..., Client]) -> None:
    client = connect(link=False)
    assert client.create(b"gpib0,5") == Error.NOT_ACCESSIBLE
    assert client.create(b"INST0") == 0


def test_links_are_bounded_and_a_freed_one_is_given_again(
    connect: Callable[..., Client],
) -> None:
    client = connect(link=False)
    assert [client.create() for _ in range(vxi11.LINKS)] == [0] * vxi11.LINKS
    last = client.link
    assert client.create() == Error.OUT_OF_RESOURCES
    assert client.call(Procedure.DESTROY_LINK, packed_int(last)).signed() == 0
    assert client.create() == 0


def test_two_links_of_one_connection_have_their_own_replies(client: Client) -> None:
    first = client.link
    client.write(b"*IDN?")
    client.create()
    assert client.ask(b"SYST:VERS?") == b"1994.0\n"
    client.link = first
    assert b"SIM-load-01" in client.read()[2]


@pytest.mark.parametrize(
    "procedure", [Procedure.DEVICE_TRIGGER, Procedure.DEVICE_CLEAR, Procedure.DEVICE_REMOTE]
)
def test_a_link_that_is_none_is_refused(client: Client, procedure: int) -> None:
    client.link += 1
    assert client.generic(procedure).signed() == Error.INVALID_LINK
    assert client.write(b"*IDN?") == (Error.INVALID_LINK, 0)
    assert client.read() == (Error.INVALID_LINK, 0, b"")
    assert client.status() == (Error.INVALID_LINK, 0)
    assert client.unlock() == Error.INVALID_LINK


def test_trigger_remote_and_local_are_obeyed(client: Client) -> None:
    for procedure in (
        Procedure.DEVICE_TRIGGER,
        Procedure.DEVICE_REMOTE,
        Procedure.DEVICE_LOCAL,
    ):
        assert client.generic(procedure).signed() == 0
    assert client.ask(b"SYST:ERR?").startswith(b"-211")


def test_device_clear_gives_up_what_is_under_way(connect: Callable[..., Client]) -> None:
    meter = connect("ammeter")
    meter.write(b"CONF:CURR:DC 0.01;:CURR:DC:APER 1;:SAMP:COUN 1000;:READ?")
    assert meter.generic(Procedure.DEVICE_CLEAR).signed() == 0
    assert meter.ask(b"SYST:ERR?").startswith(b"+0")


def test_a_command_of_the_interface_is_not_supported(client: Client) -> None:
    arguments = packed_int(client.link) + bytes(12) + packed_int(0x020000) + bytes(12)
    assert client.call(Procedure.DEVICE_DOCMD, arguments).signed() == Error.NOT_SUPPORTED


def test_the_abort_channel_ends_a_read(client: Client) -> None:
    client.start_read(100, 60_000, 0, 0)
    abort = Client(client.abort_port, ABORT)
    assert abort.call(1, packed_int(client.link)).signed() == 0
    assert client.finish_read() == (Error.ABORTED, 0, b"")
    assert abort.call(1, packed_int(99)).signed() == Error.INVALID_LINK
    abort.close()


# Locks.


def test_a_lock_keeps_others_out_of_everything(connect: Callable[..., Client]) -> None:
    owner, other = connect(), connect()
    assert owner.lock() == 0
    assert other.write(b"*IDN?") == (Error.LOCKED, 0)
    assert other.read()[0] == Error.LOCKED
    assert other.status()[0] == Error.LOCKED
    assert other.lock() == Error.LOCKED
    for procedure in (
        Procedure.DEVICE_CLEAR,
        Procedure.DEVICE_TRIGGER,
        Procedure.DEVICE_REMOTE,
        Procedure.DEVICE_LOCAL,
    ):
        assert other.generic(procedure).signed() == Error.LOCKED
    assert owner.ask(b"SYST:ERR?").startswith(b"+0")
    assert owner.unlock() == 0
    assert other.ask(b"SYST:VERS?") == b"1994.0\n"


def test_a_lock_does_not_nest_and_is_given_back_once(client: Client) -> None:
    assert (client.lock(), client.lock()) == (0, Error.LOCKED)
    assert (client.unlock(), client.unlock()) == (0, Error.NO_LOCK)


def test_a_write_waits_for_the_lock_as_long_as_it_says(connect: Callable[..., Client]) -> None:
    owner, other = connect(), connect()
    owner.lock()
    begin = time.monotonic()
    assert other.write(b"*IDN?", flags=END | WAIT, lock_ms=30)[0] == Error.LOCKED
    assert 0.02 < time.monotonic() - begin < 1.0
    freeing = threading.Timer(0.02, owner.unlock)
    freeing.start()
    begin = time.monotonic()
    assert other.write(b"SYST:VERS?", flags=END | WAIT, lock_ms=1900) == (0, 10)
    assert time.monotonic() - begin < 1.0
    freeing.join()
    assert other.read()[2] == b"1994.0\n"


def test_a_link_may_be_created_with_the_lock(connect: Callable[..., Client]) -> None:
    owner, other = connect(link=False), connect(link=False)
    assert owner.create(lock=True) == 0
    assert other.create(lock=True, patience=10) == Error.LOCKED
    owner.unlock()
    assert other.create(lock=True) == 0


def test_a_lock_ends_with_its_link_and_with_its_client(connect: Callable[..., Client]) -> None:
    first, second, third = connect(), connect(), connect()
    first.lock()
    first.call(Procedure.DESTROY_LINK, packed_int(first.link))
    assert second.lock() == 0
    second.start_read(100, 60_000, 0, 0)
    second.close()
    assert third.lock(WAIT, 2000) == 0


# Service request.


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as made:
        made.settimeout(2)
        yield made


def heard(channel: socket.socket) -> tuple[int, int, bytes]:
    size = struct.unpack("!I", channel.recv(4, socket.MSG_WAITALL))[0] & 0x7FFFFFFF
    call = rpc.read_call(channel.recv(size, socket.MSG_WAITALL))
    return call.program, call.procedure, call.arguments.opaque(40)


def test_a_service_request_is_called_back_with_its_handle(
    client: Client, listener: socket.socket
) -> None:
    assert client.interrupt_channel(listener.getsockname()[1]) == 0
    channel, _ = listener.accept()
    with channel:
        channel.settimeout(2)
        assert client.enable_requests(b"bench 7") == 0
        client.write(b"*ESE 32;*SRE 32;NONSENSE")
        assert heard(channel) == (INTERRUPT, Procedure.DEVICE_INTR_SRQ, b"bench 7")
        assert client.status() == (0, 32 + 64 + 4)
        assert client.status() == (0, 32 + 4)
        assert client.call(Procedure.DESTROY_INTR_CHAN).signed() == 0
        assert channel.recv(1) == b""


def test_an_interrupt_channel_is_made_once_and_ended_once(
    client: Client, listener: socket.socket
) -> None:
    port = listener.getsockname()[1]
    assert client.call(Procedure.DESTROY_INTR_CHAN).signed() == Error.NO_CHANNEL
    assert client.interrupt_channel(port) == 0
    assert client.interrupt_channel(port) == Error.CHANNEL_EXISTS


@pytest.mark.parametrize(
    ("address", "family", "error"),
    [(0x08080808, 0, Error.PARAMETER), (LOOPBACK, 1, Error.NOT_SUPPORTED)],
)
def test_an_interrupt_channel_beyond_this_machine_is_refused(
    client: Client, listener: socket.socket, address: int, family: int, error: Error
) -> None:
    port = listener.getsockname()[1]
    assert client.interrupt_channel(port, address, family) == error


def test_an_interrupt_channel_to_nobody_is_told(client: Client, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    listener.close()
    assert client.interrupt_channel(port) == Error.NO_CHANNEL
    assert client.ask(b"SYST:VERS?") == b"1994.0\n"


# What is no call.


@pytest.mark.parametrize(
    ("program", "version", "procedure", "accept"),
    [(CORE + 5, 1, 10, 1), (CORE, 2, 10, 2), (CORE, 1, 99, 3), (CORE, 1, 11, 4)],
)
def test_what_cannot_be_obeyed_is_refused_as_rpc_says(
    client: Client, program: int, version: int, procedure: int, accept: int
) -> None:
    client.program = program
    with pytest.raises(Refused) as caught:
        client.call(procedure, version=version)
    assert caught.value.args == (0, accept)
    client.program = CORE
    client.call(Procedure.NULL)
    assert client.ask(b"SYST:VERS?") == b"1994.0\n"


def test_too_long_a_write_is_refused(client: Client) -> None:
    with pytest.raises(Refused):
        client.write(b"x" * (LONGEST_WRITE + 1))
    assert client.ask(b"SYST:VERS?") == b"1994.0\n"


def test_another_rpc_version_is_denied(client: Client) -> None:
    record = rpc.call(1, CORE, 1, 0)
    client.xid = 1
    client.socket.sendall(record[:12] + b"\0\0\0\x03" + record[16:])
    with pytest.raises(Refused, match="1"):
        client.receive()


def test_a_megabyte_of_garbage_leaves_the_instrument_answering(
    client: Client, server: BenchServer
) -> None:
    stranger = socket.create_connection(("127.0.0.1", client.port), timeout=2)
    with stranger, contextlib.suppress(OSError):  # closed before it was all sent
        stranger.sendall(b"\xff" * 1_000_000)
        assert stranger.recv(1) == b""
    for _ in range(4):
        assert client.write(b"\xaa" * 250_000, flags=0) == (0, 250_000)
    assert client.write(b"") == (0, 0)
    assert client.ask(b"SYST:ERR?").startswith(b"-363")
    assert client.ask(b"*CLS;:SYST:ERR?").startswith(b"+0")
    assert server.failures == []


def test_half_a_record_hangs_nobody(client: Client, connect: Callable[..., Client]) -> None:
    half = connect()
    half.xid += 1
    record = rpc.call(half.xid, CORE, 1, 0)
    half.socket.sendall(record[:17])
    assert client.ask(b"SYST:VERS?") == b"1994.0\n"
    half.socket.sendall(record[17:])
    half.receive()


def test_calls_may_be_sent_before_their_answers_are_read(client: Client) -> None:
    for _ in range(200):
        client.send(Procedure.NULL)
    client.xid -= 200
    for _ in range(200):
        client.xid += 1
        client.receive()


# Faults of the link.


def befall(server: BenchServer, **fault: object) -> None:
    with server.lock:
        server.bench.links["load"].set([LinkFault(every=0, **fault)])  # type: ignore[arg-type]  # keywords of the test


def test_a_copy_of_a_reply_is_met_by_the_next_write(client: Client, server: BenchServer) -> None:
    befall(server, kind="duplicated")
    assert client.ask(b"SYST:VERS?") == b"1994.0\n"
    assert client.ask(b"SYST:ERR?").startswith(b"-410")


def test_a_silent_link_times_out_and_the_next_question_interrupts(
    client: Client, server: BenchServer
) -> None:
    befall(server, kind="silent")
    client.write(b"SYST:VERS?")
    assert client.read(io_ms=10)[0] == Error.IO_TIMEOUT
    assert client.ask(b"SYST:ERR?").startswith(b"-410")
    assert client.ask(b"SYST:ERR?").startswith(b"+0")


def test_a_garbled_reply_has_its_length(client: Client, server: BenchServer) -> None:
    befall(server, kind="garbled")
    reply = client.ask(b"SYST:VERS?")
    assert reply != b"1994.0\n"
    assert len(reply) == 7


def test_a_dropped_connection_is_closed_and_a_new_one_works(
    client: Client, server: BenchServer, connect: Callable[..., Client]
) -> None:
    befall(server, kind="dropped")
    client.write(b"SYST:VERS?")
    with pytest.raises(ConnectionError):
        client.read()
    assert connect().ask(b"SYST:VERS?") == b"1994.0\n"
