"""HiSLIP as a conforming client sees it, and as a broken one does."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.faults.link import LinkFault
from hil_instruments.simulated.servers import hislip, hislip_session
from hil_instruments.simulated.servers.hislip_frames import HEADER, Frame, Kind
from hil_instruments.simulated.servers.served import BenchServer, Protocol

PROFILE, BENCH = read_device(None), read_bench(None)
RMT = 1


class Client:
    """A client that keeps to the protocol where a test does not make it do otherwise."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.sync, self.second = self.connect(), self.connect()
        self.sync.sendall(Frame(Kind.INITIALIZE, 0, 0x0100 << 16 | 0x5858, b"hislip0").encoded())
        self.session = self.receive(self.sync, Kind.INITIALIZE_RESPONSE).parameter & 0xFFFF
        self.second.sendall(Frame(Kind.ASYNC_INITIALIZE, 0, self.session).encoded())
        self.receive(self.second, Kind.ASYNC_INITIALIZE_RESPONSE)
        self.id, self.read = 0xFFFFFF00, False

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=2)

    def close(self) -> None:
        self.sync.close()
        self.second.close()

    @staticmethod
    def receive(channel: socket.socket, kind: int | None = None) -> Frame:
        head = channel.recv(HEADER.size, socket.MSG_WAITALL)
        if len(head) < HEADER.size:
            raise ConnectionError("closed")
        _, found, control, parameter, length = HEADER.unpack(head)
        payload = channel.recv(length, socket.MSG_WAITALL) if length else b""
        frame = Frame(found, control, parameter, payload)
        assert kind in {None, found}, frame
        return frame

    def send(self, kind: int, payload: bytes = b"", control: int | None = None) -> int:
        """Send Data, DataEnd or Trigger; returns its message id."""
        flag = RMT * self.read if control is None else control
        self.sync.sendall(Frame(kind, flag, self.id, payload).encoded())
        self.read, sent = False, self.id
        self.id = (self.id + 2) & 0xFFFFFFFF
        return sent

    def reply(self) -> bytes:
        parts = b""
        while True:
            frame = self.receive(self.sync)
            assert frame.kind in {Kind.DATA, Kind.DATA_END}, frame
            parts += frame.payload
            if frame.kind == Kind.DATA_END:
                self.read = True
                return parts

    def ask(self, message: bytes) -> bytes:
        self.send(Kind.DATA_END, message)
        return self.reply()

    def call(self, kind: int, control: int = 0, parameter: int = 0, payload: bytes = b"") -> Frame:
        """One transaction on the asynchronous channel."""
        self.second.sendall(Frame(kind, control, parameter, payload).encoded())
        return self.receive(self.second)

    def status(self) -> int:
        control, self.read = RMT * self.read, False
        last = (self.id - 2) & 0xFFFFFFFF
        return self.call(Kind.ASYNC_STATUS_QUERY, control, last).control

    def clear(self, feature: int = 0) -> int:
        self.call(Kind.ASYNC_DEVICE_CLEAR)
        self.sync.sendall(Frame(Kind.DEVICE_CLEAR_COMPLETE, feature).encoded())
        while (frame := self.receive(self.sync)).kind in {Kind.DATA, Kind.DATA_END}:
            pass
        assert frame.kind == Kind.DEVICE_CLEAR_ACKNOWLEDGE, frame
        self.id, self.read = 0xFFFFFF00, False
        return frame.control

    def lock(self, key: bytes = b"", seconds: float = 0.0) -> int:
        return self.call(Kind.ASYNC_LOCK, 1, round(seconds * 1000), key).control

    def unlock(self) -> int:
        return self.call(Kind.ASYNC_LOCK, 0, (self.id - 2) & 0xFFFFFFFF).control


@pytest.fixture
def server() -> Iterator[BenchServer]:
    made = BenchServer(
        SimulatedBench(PROFILE, BENCH), wall=time.monotonic, protocols=[Protocol.HISLIP]
    )
    made.start()
    yield made
    made.stop()
    assert made.failures == []


@pytest.fixture
def join(server: BenchServer) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def joined(role: str = "load") -> Client:
        name = server.resources[Protocol.HISLIP][role]
        made.append(Client(int(name.split(",")[1].split("::")[0])))
        return made[-1]

    yield joined
    for client in made:
        client.close()


@pytest.fixture
def client(join: Callable[..., Client]) -> Client:
    return join()


# Messages.


def test_a_reply_carries_the_id_of_the_message_that_asked(client: Client) -> None:
    sent = client.send(Kind.DATA_END, b"SYST:VERS?\n")
    assert client.receive(client.sync) == Frame(Kind.DATA_END, 0, sent, b"1994.0\n")


def test_a_message_may_come_in_several_frames(client: Client) -> None:
    client.send(Kind.DATA, b"SYST:")
    last = client.send(Kind.DATA_END, b"VERS?")
    assert client.receive(client.sync) == Frame(Kind.DATA_END, 0, last, b"1994.0\n")


def test_a_long_reply_is_cut_as_the_client_wants_it(join: Callable[..., Client]) -> None:
    meter = join("ammeter")
    size = meter.call(Kind.ASYNC_MAXIMUM_MESSAGE_SIZE, payload=struct.pack("!Q", 1016))
    assert size.payload == struct.pack("!Q", hislip_session.LONGEST)
    sent = meter.send(
        Kind.DATA_END,
        b"CONF:CURR:DC 0.01;:CURR:DC:APER 0.0002;:SAMP:COUN 200;:FORM REAL,64;:READ?",
    )
    first = meter.receive(meter.sync)
    assert (first.kind, first.parameter, len(first.payload)) == (Kind.DATA, 0xFFFFFFFF, 1000)
    last = meter.receive(meter.sync)
    assert (last.kind, last.parameter) == (Kind.DATA_END, sent)
    assert len(first.payload + last.payload) == len(b"#41600") + 1600 + 1


def test_an_unread_reply_is_interrupted_and_told_in_the_error_queue(client: Client) -> None:
    client.send(Kind.DATA_END, b"*IDN?")
    client.reply()
    client.read = False  # it came, and the application never took it
    assert client.ask(b"SYST:ERR?").startswith(b"-410")
    assert client.ask(b"SYST:ERR?").startswith(b"+0")


def test_a_reply_that_was_read_is_no_error(client: Client) -> None:
    for _ in range(3):
        assert client.ask(b"SYST:ERR?").startswith(b"+0")


def test_saying_twice_that_a_reply_was_read_is_no_error(client: Client) -> None:
    client.ask(b"*IDN?")
    client.send(Kind.DATA_END, b"*CLS", control=RMT)
    client.send(Kind.DATA_END, b"SYST:ERR?", control=RMT)  # as pyvisa-py 0.8 does
    assert client.reply().startswith(b"+0")


def test_a_message_before_the_reply_interrupts_it_on_both_channels(
    join: Callable[..., Client],
) -> None:
    meter = join("ammeter")
    meter.send(Kind.DATA_END, b"CONF:CURR:DC 0.01;:CURR:DC:APER 1;ZERO:AUTO OFF;:READ?")
    second = meter.send(Kind.DATA_END, b"SYST:ERR?")
    assert meter.receive(meter.second) == Frame(Kind.ASYNC_INTERRUPTED, 0, second)
    assert meter.receive(meter.sync) == Frame(Kind.INTERRUPTED, 0, second)


def test_a_trigger_is_obeyed_in_its_turn(client: Client) -> None:
    client.send(Kind.TRIGGER)
    assert client.ask(b"SYST:ERR?").startswith(b"-211")


# Status and service request.


def test_a_reply_that_was_not_reported_read_is_message_available(client: Client) -> None:
    client.send(Kind.DATA_END, b"*IDN?")
    assert client.status() & 16
    client.reply()
    assert not client.status() & 16


def test_a_status_query_for_another_message_has_no_message_available(client: Client) -> None:
    client.ask(b"*IDN?")
    assert not client.call(Kind.ASYNC_STATUS_QUERY, 0, 0x1234).control & 16


def test_a_service_request_comes_once_until_it_is_polled(client: Client) -> None:
    assert client.ask(b"*ESE 32;*SRE 32;*OPC?") == b"1\n"
    client.send(Kind.DATA_END, b"NONSENSE")
    assert client.receive(client.second) == Frame(Kind.ASYNC_SERVICE_REQUEST, 32 + 64 + 4)
    assert client.status() & 64
    assert not client.status() & 64


def test_a_service_request_comes_although_nobody_speaks(join: Callable[..., Client]) -> None:
    meter = join("ammeter")
    meter.send(Kind.DATA_END, b"CONF:CURR:DC 0.01;:CURR:DC:APER 0.05;*ESE 1;*SRE 32;:INIT;*OPC")
    request = meter.receive(meter.second)
    assert (request.kind, request.control & 96) == (Kind.ASYNC_SERVICE_REQUEST, 96)


def test_a_register_that_follows_the_physics_requests_service_too(
    client: Client, server: BenchServer
) -> None:
    assert client.ask(b"*SRE 128;:STAT:OPER:ENAB 1;*OPC?") == b"1\n"
    with server.lock:
        server.bench.instruments["load"].operation.set(1, True)
    request = client.receive(client.second)
    assert (request.kind, request.control & 192) == (Kind.ASYNC_SERVICE_REQUEST, 192)


# Device clear.


def test_device_clear_gives_up_a_query_that_never_ends(join: Callable[..., Client]) -> None:
    meter = join("ammeter")
    meter.send(Kind.DATA_END, b"CONF:CURR:DC 0.01;:CURR:DC:APER 1;:SAMP:COUN 1000;:READ?")
    assert meter.clear() == 0
    assert meter.ask(b"SYST:ERR?").startswith(b"+0")


def test_device_clear_stops_the_measurement_itself(join: Callable[..., Client]) -> None:
    meter = join("ammeter")
    meter.send(Kind.DATA_END, b"CONF:CURR:DC 0.01;:CURR:DC:APER 1;:SAMP:COUN 1000;:INIT")
    meter.clear()
    meter.sync.settimeout(0.5)
    assert meter.ask(b"*OPC?") == b"1\n"


def test_device_clear_drops_half_a_message(client: Client) -> None:
    client.send(Kind.DATA, b"SYST:NONSENSE")
    client.clear()
    assert client.ask(b"SYST:ERR?").startswith(b"+0")


def test_messages_between_device_clear_and_its_completion_are_dropped(client: Client) -> None:
    client.call(Kind.ASYNC_DEVICE_CLEAR)
    client.send(Kind.DATA_END, b"NONSENSE")
    client.sync.sendall(Frame(Kind.DEVICE_CLEAR_COMPLETE).encoded())
    client.receive(client.sync, Kind.DEVICE_CLEAR_ACKNOWLEDGE)
    assert client.ask(b"SYST:ERR?").startswith(b"+0")


def test_a_device_clear_that_was_not_begun_is_not_completed(client: Client) -> None:
    client.sync.sendall(Frame(Kind.DEVICE_CLEAR_COMPLETE).encoded())
    assert client.receive(client.sync, Kind.ERROR).payload == b"no device clear is under way"


def test_overlap_mode_queues_replies_under_ids_of_its_own(client: Client) -> None:
    assert client.clear(feature=1) == 1
    client.send(Kind.DATA_END, b"SYST:VERS?")
    client.send(Kind.DATA_END, b"SYST:ERR?")
    assert client.receive(client.sync) == Frame(Kind.DATA_END, 0, 0xFFFFFF00, b"1994.0\n")
    assert client.receive(client.sync) == Frame(Kind.DATA_END, 0, 0xFFFFFF02, b'+0,"No error"\n')
    assert client.clear(feature=0) == 0
    assert client.ask(b"SYST:ERR?").startswith(b"+0")


# Locks.


def test_an_exclusive_lock_makes_others_wait(join: Callable[..., Client]) -> None:
    owner, other = join(), join()
    assert owner.lock() == 1
    assert other.call(Kind.ASYNC_LOCK_INFO) == Frame(Kind.ASYNC_LOCK_INFO_RESPONSE, 1, 1)
    assert other.lock() == 0
    other.send(Kind.DATA_END, b"SYST:VERS?")
    assert owner.ask(b"SYST:VERS?") == b"1994.0\n"
    other.sync.settimeout(0.05)
    with pytest.raises(TimeoutError):
        other.reply()
    assert owner.unlock() == 1
    other.sync.settimeout(2)
    assert other.reply() == b"1994.0\n"


def test_a_shared_lock_is_shared_by_its_key(join: Callable[..., Client]) -> None:
    first, second, third = join(), join(), join()
    assert (first.lock(b"key"), second.lock(b"key"), third.lock(b"other")) == (1, 1, 0)
    assert third.call(Kind.ASYNC_LOCK_INFO).parameter == 2
    assert second.ask(b"SYST:VERS?") == b"1994.0\n"
    assert (first.unlock(), second.unlock(), third.unlock()) == (2, 2, 3)


def test_a_lock_that_is_held_already_is_an_error(client: Client) -> None:
    assert (client.lock(), client.lock()) == (1, 3)


def test_who_waits_for_a_lock_gets_it_when_it_is_free(join: Callable[..., Client]) -> None:
    owner, other = join(), join()
    owner.lock()
    other.second.sendall(Frame(Kind.ASYNC_LOCK, 1, 2000).encoded())
    owner.unlock()
    assert other.receive(other.second) == Frame(Kind.ASYNC_LOCK_RESPONSE, 1)


def test_a_device_clear_ends_the_wait_for_a_lock(join: Callable[..., Client]) -> None:
    owner, other = join(), join()
    owner.lock()
    other.second.sendall(Frame(Kind.ASYNC_LOCK, 1, 60_000).encoded())
    other.second.sendall(Frame(Kind.ASYNC_DEVICE_CLEAR).encoded())
    assert other.receive(other.second) == Frame(Kind.ASYNC_LOCK_RESPONSE, 0)
    assert other.receive(other.second) == Frame(Kind.ASYNC_DEVICE_CLEAR_ACKNOWLEDGE)


def test_a_lock_ends_with_the_client_that_held_it(join: Callable[..., Client]) -> None:
    owner, other = join(), join()
    owner.lock()
    owner.close()
    assert other.lock(seconds=2) == 1


def test_a_message_sent_before_the_release_is_obeyed_before_it(
    join: Callable[..., Client],
) -> None:
    owner = join()
    owner.lock()
    owner.send(Kind.DATA_END, b"SYST:VERS?")
    assert owner.unlock() == 1
    assert owner.reply() == b"1994.0\n"


@pytest.mark.parametrize("control", range(7))
def test_remote_and_local_are_answered(client: Client, control: int) -> None:
    answer = client.call(Kind.ASYNC_REMOTE_LOCAL_CONTROL, control)
    assert answer == Frame(Kind.ASYNC_REMOTE_LOCAL_RESPONSE)


# What is no message.


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (Frame(99), 1),
        (Frame(Kind.ASYNC_LOCK), 1),
        (Frame(200), 3),
        (Frame(Kind.DATA_END, 0x80, 0, b"*IDN?"), 2),
        (Frame(Kind.DATA_END, 0, 0, b"x" * (hislip_session.LONGEST + 1)), 4),
    ],
)
def test_what_has_no_meaning_is_an_error_and_the_session_goes_on(
    client: Client, frame: Frame, code: int
) -> None:
    client.sync.sendall(frame.encoded())
    answer = client.receive(client.sync, Kind.ERROR)
    assert answer.control == code
    assert answer.payload
    assert client.ask(b"SYST:VERS?") == b"1994.0\n"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", 1),
        (Frame(Kind.DATA_END, 0, 0, b"*IDN?").encoded(), 3),
        (Frame(Kind.INITIALIZE, 0, 1 << 24, b"hislip7").encoded(), 3),
        (Frame(Kind.ASYNC_INITIALIZE, 0, 4711).encoded(), 3),
        (Frame(Kind.INITIALIZE, 0, 1 << 24).encoded() + Frame(Kind.DATA_END).encoded(), 2),
    ],
)
def test_a_wrong_beginning_is_a_fatal_error_with_its_reason(
    client: Client, data: bytes, code: int
) -> None:
    with client.connect() as stranger:
        stranger.sendall(data)
        while (answer := client.receive(stranger)).kind == Kind.INITIALIZE_RESPONSE:
            pass
        assert (answer.kind, answer.control) == (Kind.FATAL_ERROR, code)
        assert answer.payload
        assert stranger.recv(1) == b""


def test_garbage_in_a_session_ends_it_and_frees_its_lock(join: Callable[..., Client]) -> None:
    broken, other = join(), join()
    broken.lock()
    broken.sync.sendall(b"\xff" * 64)
    assert broken.receive(broken.sync, Kind.FATAL_ERROR).control == 1
    assert broken.second.recv(1) == b""
    assert other.lock(seconds=2) == 1


def test_one_session_too_many_is_refused_and_told(
    client: Client, join: Callable[..., Client]
) -> None:
    for _ in range(hislip.CLIENTS - 1):
        join()
    with client.connect() as fifth:
        fifth.sendall(Frame(Kind.INITIALIZE, 0, 1 << 24, b"hislip0").encoded())
        assert client.receive(fifth, Kind.FATAL_ERROR).control == 4


def test_a_megabyte_of_garbage_leaves_the_instrument_answering(
    client: Client, server: BenchServer
) -> None:
    with client.connect() as stranger, contextlib.suppress(OSError):  # closed before all was sent
        stranger.sendall(bytes(range(256)) * 4096)
    client.send(Kind.DATA_END, b"\xaa" * 1_000_000)
    assert client.ask(b"SYST:ERR?").startswith(b"-")
    assert client.ask(b"*CLS;:SYST:ERR?").startswith(b"+0")
    assert server.failures == []


def test_half_a_frame_hangs_nobody(client: Client, join: Callable[..., Client]) -> None:
    half = join()
    half.sync.sendall(replace(Frame(Kind.DATA_END), payload=b"*IDN?").encoded()[:-2])
    assert client.ask(b"SYST:VERS?") == b"1994.0\n"
    half.sync.sendall(b"N?")
    assert b"SIM-load-01" in half.reply()


# Faults of the link.


def befall(server: BenchServer, role: str = "load", **fault: object) -> None:
    with server.lock:
        server.bench.links[role].set([LinkFault(every=0, **fault)])  # type: ignore[arg-type]  # keywords of the test


def test_a_copy_of_a_reply_carries_the_id_of_its_question(
    client: Client, server: BenchServer
) -> None:
    befall(server, kind="duplicated")
    sent = client.send(Kind.DATA_END, b"SYST:VERS?")
    copies = [client.receive(client.sync) for _ in range(2)]
    assert copies == [Frame(Kind.DATA_END, 0, sent, b"1994.0\n")] * 2
    client.read = True
    assert client.ask(b"SYST:ERR?").startswith(b"+0")


def test_a_late_reply_is_interrupted_by_the_next_question(
    client: Client, server: BenchServer
) -> None:
    befall(server, kind="late", extent=60.0)
    client.send(Kind.DATA_END, b"SYST:VERS?")
    second = client.send(Kind.DATA_END, b"SYST:ERR?")
    assert client.receive(client.second) == Frame(Kind.ASYNC_INTERRUPTED, 0, second)
    assert client.receive(client.sync) == Frame(Kind.INTERRUPTED, 0, second)
    assert client.reply().startswith(b"-410")


def test_a_truncated_reply_ends_early(client: Client, server: BenchServer) -> None:
    befall(server, kind="truncated", extent=0.5)
    assert client.ask(b"SYST:VERS?") == b"199"


def test_a_dropped_connection_ends_both_channels_and_the_lock(
    client: Client, server: BenchServer, join: Callable[..., Client]
) -> None:
    befall(server, kind="dropped")
    client.lock()
    client.send(Kind.DATA_END, b"SYST:VERS?")
    assert (client.sync.recv(1), client.second.recv(1)) == (b"", b"")
    other = join()
    assert other.lock(seconds=2) == 1
    assert other.ask(b"SYST:VERS?") == b"1994.0\n"
