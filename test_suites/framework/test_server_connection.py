"""One connection and the pace of a bench, without the server around them."""

from __future__ import annotations

import selectors
import socket
from collections.abc import Callable, Iterator

import pytest

from hil.errors import UsageError
from hil_instruments.simulated.clock import VirtualClock
from hil_instruments.simulated.servers.connection import BACKLOG, Appointment, Connection
from hil_instruments.simulated.servers.pace import Pace


class Owner:
    """What a connection needs of a reactor."""

    def __init__(self) -> None:
        self.selector = selectors.DefaultSelector()
        self.forgotten: list[Connection] = []
        self.appointments: list[Callable[[], None]] = []

    def after(self, seconds: float, action: Callable[[], None]) -> Appointment:
        self.appointments.append(action)
        return Appointment(seconds, 0, action)

    def forget(self, connection: Connection) -> None:
        self.forgotten.append(connection)

    def turn(self) -> None:
        for key, mask in self.selector.select(0):
            key.data(mask)


class Speaker:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.data, self.gone = b"", False

    def received(self, data: bytes) -> None:
        self.data += data

    def lost(self) -> None:
        self.gone = True


@pytest.fixture
def owner() -> Iterator[Owner]:
    made = Owner()
    yield made
    made.selector.close()


@pytest.fixture
def ends(owner: Owner) -> Iterator[tuple[Connection, Speaker, socket.socket]]:
    listener = socket.create_server(("127.0.0.1", 0))
    client = socket.create_connection(listener.getsockname(), timeout=2)
    raw, _ = listener.accept()
    listener.close()
    raw.setblocking(False)
    connection, speaker = Connection(owner, raw), Speaker()
    connection.begin(speaker)
    yield connection, speaker, client
    connection.abort()
    client.close()


Ends = tuple[Connection, Speaker, socket.socket]


def drain(client: socket.socket, owner: Owner, count: int) -> int:
    got = 0
    while got < count:
        got += len(client.recv(65536))
        owner.turn()
    return got


def test_a_client_that_does_not_read_is_not_read_until_it_does(owner: Owner, ends: Ends) -> None:
    connection, speaker, client = ends
    size = 8 * BACKLOG
    connection.send(b"x" * size)
    assert connection.clogged
    client.sendall(b"more")
    owner.turn()
    assert speaker.data == b""
    drain(client, owner, size)
    owner.turn()
    assert speaker.data == b"more"


def test_a_held_connection_is_not_read_until_it_is_let_go(owner: Owner, ends: Ends) -> None:
    connection, speaker, client = ends
    connection.hold(True)
    client.sendall(b"data")
    owner.turn()
    assert speaker.data == b""
    connection.hold(False)
    owner.turn()
    assert speaker.data == b"data"


def test_a_held_connection_whose_client_is_gone_is_found(owner: Owner, ends: Ends) -> None:
    connection, speaker, client = ends
    connection.hold(True)
    client.sendall(b"data")
    connection.look()
    assert not speaker.gone
    client.close()
    connection.look()
    assert speaker.gone
    assert owner.forgotten == [connection]


def test_what_was_sent_before_a_close_arrives_although_input_is_unread(
    owner: Owner, ends: Ends
) -> None:
    connection, speaker, client = ends
    client.sendall(b"never looked at")
    connection.send(b"last words")
    connection.close()
    owner.turn()
    assert client.recv(100) == b"last words"
    assert client.recv(100) == b""
    assert speaker.data == b""
    client.close()
    owner.turn()
    assert speaker.gone


def test_a_close_that_the_client_ignores_ends_by_itself(owner: Owner, ends: Ends) -> None:
    connection, speaker, _ = ends
    connection.close()
    assert not connection.open
    assert not speaker.gone
    owner.appointments[0]()
    assert speaker.gone


def test_nothing_is_sent_after_a_close(owner: Owner, ends: Ends) -> None:
    connection, _, client = ends
    connection.close()
    connection.send(b"late")
    owner.turn()
    assert client.recv(100) == b""


class Stub:
    """A bench that is only its clock."""

    def __init__(self) -> None:
        self.clock = VirtualClock()


def test_the_pace_follows_the_wall_and_a_change_of_scale_makes_no_jump() -> None:
    bench, wall = Stub(), [1000.0]
    pace = Pace(bench, lambda: wall[0], 2.0)  # type: ignore[arg-type]  # a clock is all it needs
    pace.begin()
    wall[0] += 100
    pace.advance()
    assert bench.clock.now() == pytest.approx(200)
    pace.change(10.0)
    assert bench.clock.now() == pytest.approx(200)
    wall[0] += 1
    pace.advance()
    assert bench.clock.now() == pytest.approx(210)
    assert pace.wall_seconds(bench.clock.time + 5) == pytest.approx(0.5)


def test_a_pace_that_is_refused_leaves_the_old_one() -> None:
    pace = Pace(Stub(), lambda: 0.0, 2.0)  # type: ignore[arg-type]  # a clock is all it needs
    with pytest.raises(UsageError, match="at most 1000"):
        pace.change(1e9)
    assert pace.scale == 2.0
