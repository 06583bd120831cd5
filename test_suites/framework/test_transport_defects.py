"""Four faults of bare pyvisa-py, each shown on it, and not there on ours: the same scenario twice.

Where one of them is gone from pyvisa-py, its half fails, and the transport may shrink.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource

from hil.errors import BenchError, ConnectionLost, HilError
from hil_instruments import transport

PATIENCE = 0.15
"""Seconds of both contestants for one exchange."""
Answer = Callable[[socket.socket, bytes], bool]


class WallClock:
    def now(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class Peer:
    """One connection at a time is answered line by line; an answer of False closes it."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.resource = f"TCPIP::127.0.0.1::{self._listener.getsockname()[1]}::SOCKET"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines:
            try:
                for line in lines:
                    if not self._answer(connection, line.strip()):
                        return
            except OSError:
                return

    def stop(self) -> None:
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture(scope="module")
def manager() -> Iterator[pyvisa.ResourceManager]:
    made = transport.open_manager("@py")
    yield made
    made.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Answer], str]]:
    peers: list[Peer] = []

    def made(answer: Answer) -> str:
        peers.append(Peer(answer))
        return peers[-1].resource

    yield made
    for peer in peers:
        peer.stop()


def bare(manager: pyvisa.ResourceManager, resource: str) -> MessageBasedResource:
    opened = manager.open_resource(
        resource, read_termination="\n", write_termination="\n", timeout=PATIENCE * 1000
    )
    assert isinstance(opened, MessageBasedResource)
    return opened


def ours(manager: pyvisa.ResourceManager, resource: str) -> transport.Session:
    return transport.open_session(manager, resource, WallClock(), timeout=PATIENCE)


def late_once(connection: socket.socket, line: bytes) -> bool:
    if line == b"MEAS:CURR?":
        time.sleep(1.5 * PATIENCE)
        connection.sendall(b"+4.0E-03\n")
    elif line == b"MEAS:VOLT?":
        connection.sendall(b"+8.0E+00\n")
    elif line == b"*IDN?":
        connection.sendall(b"Maker,Model,SIM-1,1.0\n")
    return True


def test_bare_hands_a_late_current_to_the_query_of_a_voltage(
    manager: pyvisa.ResourceManager, serve: Callable[[Answer], str]
) -> None:
    plain = bare(manager, serve(late_once))
    with pytest.raises(pyvisa.errors.VisaIOError):
        plain.query("MEAS:CURR?")
    assert plain.query("MEAS:VOLT?") == "+4.0E-03"
    plain.close()


def test_ours_never_hands_a_late_current_to_the_query_of_a_voltage(
    manager: pyvisa.ResourceManager, serve: Callable[[Answer], str]
) -> None:
    session = ours(manager, serve(late_once))
    with pytest.raises(BenchError):
        session.query("MEAS:CURR?")
    with pytest.raises(HilError):
        session.query("MEAS:VOLT?")
    session.recover()
    assert session.query("MEAS:VOLT?") == "+8.0E+00"
    session.close()


def hang_up(connection: socket.socket, line: bytes) -> bool:
    return False


def test_bare_takes_a_dead_peer_for_a_slow_one_and_burns_a_core_meanwhile(
    manager: pyvisa.ResourceManager, serve: Callable[[Answer], str]
) -> None:
    plain = bare(manager, serve(hang_up))
    plain.timeout = 400
    begin, busy = time.monotonic(), time.thread_time()
    with pytest.raises(pyvisa.errors.VisaIOError) as caught:
        plain.query("MEAS:CURR?")
    assert caught.value.error_code == pyvisa.constants.StatusCode.error_timeout
    assert time.monotonic() - begin > 0.35
    assert time.thread_time() - busy > 0.02
    plain.close()


def test_ours_knows_a_dead_peer_at_once_and_by_its_name(
    manager: pyvisa.ResourceManager, serve: Callable[[Answer], str]
) -> None:
    session = transport.open_session(manager, serve(hang_up), WallClock(), timeout=30.0)
    begin, busy = time.monotonic(), time.thread_time()
    with pytest.raises(ConnectionLost):
        session.query("MEAS:CURR?")
    assert time.monotonic() - begin < 5
    assert time.thread_time() - busy < 0.2
    session.close()


def questions_only(connection: socket.socket, line: bytes) -> bool:
    if line.endswith(b"?"):
        connection.sendall(b"1\n")
    return True


PAIRS = 6


def pairs(write: Callable[[str], object], query: Callable[[str], object]) -> float:
    """Median time in s of a setting and a question behind it."""
    took = []
    for _ in range(PAIRS):
        begin = time.monotonic()
        write("SOUR:CURR 0.001")
        query("SOUR:CURR?")
        took.append(time.monotonic() - begin)
    return sorted(took)[PAIRS // 2]


STALL = 0.03
"""Seconds: a delayed acknowledgement takes 40 ms on this system, an exchange well under 10."""


def test_bare_waits_for_an_acknowledgement_between_a_setting_and_a_question(
    manager: pyvisa.ResourceManager, serve: Callable[[Answer], str]
) -> None:
    plain = bare(manager, serve(questions_only))
    assert pairs(plain.write, plain.query) > STALL
    plain.close()


def test_ours_waits_for_none(
    manager: pyvisa.ResourceManager, serve: Callable[[Answer], str]
) -> None:
    session = ours(manager, serve(questions_only))
    assert pairs(session.write, session.query) < STALL
    session.close()


def own_words(connection: socket.socket, line: bytes) -> bool:
    time.sleep(0.001)
    connection.sendall(line + b"\n")
    return True


def strangers(query: Callable[[str], str]) -> int:
    """Replies that went to the wrong one of two threads, or to nobody."""
    wrong: list[str] = []

    def ask(name: str) -> None:
        for index in range(60):
            question = f"{name}{index}"
            try:
                came = query(question)
            except (pyvisa.errors.VisaIOError, HilError) as err:
                came = str(err)
            if came != question:
                wrong.append(came)

    threads = [threading.Thread(target=ask, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return len(wrong)


def test_bare_mixes_the_replies_of_two_threads(
    manager: pyvisa.ResourceManager, serve: Callable[[Answer], str]
) -> None:
    plain = bare(manager, serve(own_words))
    assert strangers(plain.query) > 0
    plain.close()


def test_ours_gives_each_of_two_threads_its_own(
    manager: pyvisa.ResourceManager, serve: Callable[[Answer], str]
) -> None:
    session = transport.open_session(manager, serve(own_words), WallClock(), timeout=5.0)
    assert strangers(session.query) == 0
    session.close()
