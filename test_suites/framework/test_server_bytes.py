"""Any frames and any calls in any order: the servers answer or close, and never fall over."""

from __future__ import annotations

import struct
from collections.abc import Callable
from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.servers import rpc
from hil_instruments.simulated.servers.connection import Appointment
from hil_instruments.simulated.servers.hislip import Channel, HislipPort
from hil_instruments.simulated.servers.hislip_frames import Frame, FrameReader, Kind
from hil_instruments.simulated.servers.hislip_session import LONGEST
from hil_instruments.simulated.servers.pace import Pace
from hil_instruments.simulated.servers.seat import Seat
from hil_instruments.simulated.servers.sockets import SocketSpeaker
from hil_instruments.simulated.servers.vxi11 import Vxi11Port
from hil_instruments.simulated.servers.vxi11_calls import CORE
from hil_instruments.simulated.servers.xdr import packed_int, packed_opaque


class Wire:
    """A connection without a socket: keeps what is sent."""

    def __init__(self) -> None:
        self.open, self.clogged, self.sent, self.unread = True, False, b"", b""
        self.received: Callable[[bytes], None] = lambda data: None
        self.lost: Callable[[], None] = lambda: None

    def send(self, data: bytes) -> None:
        self.sent += data if self.open else b""

    def hold(self, held: bool) -> None:
        pass

    def read_now(self) -> None:
        unread, self.unread = self.unread, b""
        if unread:
            self.received(unread)

    def begin(self, speaker: object) -> None:
        pass

    def close(self) -> None:
        if self.open:
            self.open = False
            self.lost()

    abort = close


class Hub:
    """A reactor without a thread: time passes when it is told to."""

    def __init__(self, bench: SimulatedBench) -> None:
        self.bench, self.now = bench, 0.0
        self.queue: list[Callable[[], None]] = []
        self.agenda: list[Appointment] = []

    def wall(self) -> float:
        return self.now

    def soon(self, action: Callable[[], None]) -> None:
        self.queue.append(action)

    def after(self, seconds: float, action: Callable[[], None]) -> Appointment:
        appointment = Appointment(self.now + seconds, 0, action)
        self.agenda.append(appointment)
        return appointment

    def dial(self, port: int, done: Callable[[None], None]) -> None:
        self.queue.append(lambda: done(None))

    def turn(self, seconds: float = 0.0) -> None:
        """Let time pass, and do what is due; not more often than a client could make it."""
        self.now += seconds
        self.bench.clock.advance(self.bench.clock.time + seconds)
        due = [each for each in self.agenda if each.wall <= self.now]
        self.agenda = [each for each in self.agenda if each.wall > self.now]
        waiting, self.queue = self.queue, []
        for action in (*waiting, *(each.action for each in due if not each.cancelled)):
            action()


@cache
def bench() -> SimulatedBench:
    return SimulatedBench(read_device(None), read_bench(None))


def place(role: str = "load") -> tuple[Hub, Seat]:
    hub = Hub(bench())
    return hub, Seat(bench(), role, hub, Pace(bench(), hub.wall, 1.0))  # type: ignore[arg-type]  # a fake


def answers(seat: Seat) -> bool:
    """Whether the instrument still answers, with a clean error queue after *CLS."""
    wire = Wire()
    speaker = SocketSpeaker(seat, wire)  # type: ignore[arg-type]  # a fake
    speaker.received(b"*CLS;:SYST:ERR?\n")
    speaker.lost()
    return wire.sent.startswith(b"+0")


MESSAGES = st.sampled_from(
    [b"", b"*IDN?\n", b"*IDN?", b"SYST:ERR?;*OPC?", b"*OPC;*WAI", b"#15abc", b"*SRE 255;*ESE 255"]
)
FRAMES = st.builds(
    Frame,
    kind=st.sampled_from([*Kind, 26, 127, 200]) | st.integers(0, 255),
    control=st.sampled_from([0, 1, 2, 255]),
    parameter=st.sampled_from([0, 1, 0xFFFFFF00, 0xFFFFFF02, 0xFFFFFEFE])
    | st.integers(0, 2**32 - 1),
    payload=MESSAGES | st.binary(max_size=30),
)


def frames_of(data: bytes) -> list[Frame]:
    return list(FrameReader(LONGEST).feed(data))


def begin_session(port: HislipPort) -> tuple[Channel, Channel]:
    made = []
    for frame in (Frame(Kind.INITIALIZE, 0, 1 << 24), Frame(Kind.ASYNC_INITIALIZE, 0, 1)):
        wire = Wire()
        channel = port.answer(wire)  # type: ignore[arg-type]  # a fake
        wire.lost = channel.lost
        channel.received(frame.encoded())
        made.append(channel)
    return made[0], made[1]


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=150)
@given(steps=st.lists(st.tuples(st.integers(0, 2), FRAMES), max_size=12))
def test_a_hislip_session_survives_any_frames(steps: list[tuple[int, Frame]]) -> None:
    hub, seat = place()
    first, second = begin_session(HislipPort(seat))
    for channel, frame in steps:
        if channel == 2:
            hub.turn(0.02)
        else:
            (first, second)[channel].received(frame.encoded())
            hub.turn()
    for each in (first, second):
        assert all(frame.kind in list(Kind) for frame in frames_of(each.connection.sent))  # type: ignore[attr-defined]  # a fake
        each.connection.close()
    assert seat.lock.holders() == (False, 0)
    assert answers(seat)


ARGUMENTS = st.lists(
    st.integers(-2, 40).map(packed_int)
    | st.sampled_from([0, 8, 128, 1000]).map(packed_int)
    | MESSAGES.map(packed_opaque)
    | st.just(packed_opaque(b"inst0")),
    max_size=8,
).map(b"".join)
CALLS = st.tuples(st.integers(0, 31), ARGUMENTS | st.binary(max_size=40))


def replies_of(data: bytes) -> list[bytes]:
    return list(rpc.RecordReader(2**22).feed(data))


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=150)
@given(steps=st.lists(st.tuples(st.booleans(), CALLS), max_size=12))
def test_a_vxi11_channel_survives_any_calls(steps: list[tuple[bool, tuple[int, bytes]]]) -> None:
    hub, seat = place()
    port = Vxi11Port(seat)
    wire, other = Wire(), Wire()
    core, abort = port.answer_core(wire), port.answer_abort(other)  # type: ignore[arg-type]  # fakes
    core.received(rpc.call(0, CORE, 1, 10, packed_int(0) * 3 + packed_opaque(b"inst0")))
    for number, (waits, (procedure, arguments)) in enumerate(steps, 1):
        core.received(rpc.call(number, CORE, 1, procedure, arguments))
        hub.turn(0.02 * waits)
    abort.received(rpc.call(99, 0x0607B0, 1, 1, packed_int(1)))
    hub.turn(1e6)
    numbers = [struct.unpack("!I", reply[:4])[0] for reply in replies_of(wire.sent)]
    assert numbers == list(range(len(steps) + 1))
    core.lost()
    assert seat.lock.holders() == (False, 0)
    assert answers(seat)


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(pieces=st.lists(st.binary(max_size=60) | MESSAGES, max_size=8))
def test_a_raw_socket_survives_any_bytes(pieces: list[bytes]) -> None:
    hub, seat = place()
    wire = Wire()
    speaker = SocketSpeaker(seat, wire)  # type: ignore[arg-type]  # a fake
    for piece in pieces:
        speaker.received(piece)
        hub.turn(0.001)
    speaker.lost()
    assert answers(seat)


# Order between the two channels of a session.


@pytest.mark.parametrize(
    "frame", [Frame(Kind.ASYNC_LOCK, 0), Frame(Kind.ASYNC_STATUS_QUERY, 0, 0xFFFFFF00)]
)
def test_a_message_that_came_before_a_release_or_a_query_is_obeyed_before_it(
    frame: Frame,
) -> None:
    _, seat = place()
    first, second = begin_session(HislipPort(seat))
    wire = first.connection
    wire.received = first.received  # type: ignore[attr-defined]  # a fake
    wire.unread = Frame(Kind.DATA_END, 0, 0xFFFFFF00, b"*ESE?").encoded()  # type: ignore[attr-defined]  # a fake
    second.received(frame.encoded())
    assert frames_of(wire.sent)[-1].kind == Kind.DATA_END  # type: ignore[attr-defined]  # a fake
    wire.close()


# Deadlines.


def test_a_hislip_client_that_stays_half_connected_is_told_and_closed() -> None:
    hub, seat = place()
    wire = Wire()
    channel = HislipPort(seat).answer(wire)  # type: ignore[arg-type]  # a fake
    channel.received(Frame(Kind.INITIALIZE, 0, 1 << 24).encoded())
    hub.turn(9.9)
    assert wire.open
    hub.turn(0.2)
    assert (wire.open, frames_of(wire.sent)[-1].kind) == (False, Kind.FATAL_ERROR)


def test_a_hislip_client_that_says_nothing_is_closed() -> None:
    hub, seat = place()
    wire = Wire()
    HislipPort(seat).answer(wire)  # type: ignore[arg-type]  # a fake
    hub.turn(10.1)
    assert not wire.open


def test_a_device_clear_that_is_never_completed_ends_the_session() -> None:
    hub, seat = place()
    first, second = begin_session(HislipPort(seat))
    second.received(Frame(Kind.ASYNC_DEVICE_CLEAR).encoded())
    hub.turn(59.0)
    assert first.connection.open
    hub.turn(2.0)
    assert not (first.connection.open)
    assert not (second.connection.open)
