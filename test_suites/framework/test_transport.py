"""Sessions on a real socket, through pyvisa-py: no stale reply, no endless wait, no lost stop."""

import contextlib
import re
import socket
import threading
import time

import pytest
import pyvisa

from hil.bench import InstrumentEntry
from hil.errors import (
    BenchError,
    ConnectionLost,
    InstrumentError,
    ReplyTimeout,
    SessionPoisoned,
    UsageError,
    WrongIdentity,
)
from hil_fixtures.config import read_device
from hil_fixtures.station import LEASE
from hil_instruments import drivers, transport
from hil_instruments.manner import Manner

IDENTITY = "Maker,Model,SIM-1,1.0"
SHORT = 0.15


class WallClock:
    def now(self):
        return time.monotonic()

    def sleep(self, seconds):
        time.sleep(seconds)


class Peer:
    """A loopback instrument: answers each line by a script, over any number of connections."""

    def __init__(self):
        self.heard = []
        self.identity = IDENTITY
        self.connections = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        self.resource = f"TCPIP::127.0.0.1::{self._listener.getsockname()[1]}::SOCKET"

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self.connections += 1
                self._sockets.append(connection)
                thread = threading.Thread(target=self._serve, args=(connection,))
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection, connection.makefile("rb") as lines:
            for raw in lines:
                line = raw.decode("latin-1").rstrip("\r\n")
                self.heard.append(line)
                if self._answer(connection, line):
                    return

    def _answer(self, connection, line):
        """Carry out one line; True closes the connection."""
        verb, _, rest = line.partition(" ")
        if verb == "*IDN?":
            connection.sendall(self.identity.encode() + b"\n")
        elif verb == "ECHO?":
            connection.sendall(rest.encode() + b"\n")
        elif verb == "LATE?":  # LATE? <seconds> <reply>
            seconds, _, reply = rest.partition(" ")
            time.sleep(float(seconds))
            connection.sendall(reply.encode() + b"\n")
        elif verb == "TWICE?":
            connection.sendall(f"{rest}\n{rest}\n".encode())
        elif verb == "PIECES?":
            for piece in rest:
                connection.sendall(piece.encode())
                time.sleep(0.005)
            connection.sendall(b"\n")
        elif verb == "RAW?":
            connection.sendall(bytes.fromhex(rest))
        elif verb == "BLOCK?":
            payload = bytes(index % 256 for index in range(int(rest)))
            connection.sendall(b"#9%09d" % len(payload) + payload + b"\n")
        elif verb == "ENDLESS?":
            with contextlib.suppress(OSError):
                while True:
                    connection.sendall(b"x" * 65536)
        return verb == "BYE?"

    def drop(self):
        """Break every connection, as a pulled power cord does not, but a killed server does."""
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def stop(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._threads[0].join(5)  # whatever it still accepted is in the list then
        self.drop()
        for thread in self._threads:
            thread.join(5)
        assert not any(thread.is_alive() for thread in self._threads)

    def wait_for(self, line):
        deadline = time.monotonic() + 2
        while line not in self.heard and time.monotonic() < deadline:
            time.sleep(0.002)
        return line in self.heard


@pytest.fixture
def peer():
    made = Peer()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def manager():
    made = transport.open_manager("@py")
    yield made
    made.close()


@pytest.fixture
def log():
    return []


@pytest.fixture
def session(manager, peer, log):
    made = transport.open_session(
        manager,
        peer.resource,
        WallClock(),
        lambda direction, text, now: log.append((direction, text, now)),
        timeout=SHORT,
        role="ammeter",
    )
    yield made
    made.close()


def entry(resource, **changed):
    fields = {
        "role": "ammeter",
        "driver": "keysight-34465a",
        "resource": resource,
        "manufacturer": "Maker",
        "model": "Model",
    }
    return InstrumentEntry(**(fields | changed))


def test_pyvisa_itself_hands_a_late_reply_to_the_next_query(manager, peer):
    """The fault that this transport exists for; where it is gone, the transport may shrink."""
    plain = manager.open_resource(peer.resource, read_termination="\n", timeout=SHORT * 1000)
    with pytest.raises(pyvisa.errors.VisaIOError):
        plain.query("LATE? 0.2 first")
    assert plain.query("ECHO? second") == "first"
    plain.close()


def test_after_a_timeout_no_reply_is_taken_until_recovered(session, peer):
    with pytest.raises(ReplyTimeout, match=r"ammeter at TCPIP.*LATE\? 0.2 first.*recover"):
        session.query("LATE? 0.2 first")
    for use in (session.query, session.write, session.query_block):
        with pytest.raises(SessionPoisoned, match="not sent"):
            use("ECHO? second")
    assert "ECHO? second" not in peer.heard
    session.recover()
    assert not session.poisoned
    assert session.query("ECHO? third") == "third"


def test_a_late_reply_to_the_identity_query_itself_stays_behind(manager, peer):
    session = transport.open_session(manager, peer.resource, WallClock(), timeout=SHORT)
    session.identify()
    with pytest.raises(ReplyTimeout):
        session.query(f"LATE? 0.2 {IDENTITY}")
    session.recover()
    time.sleep(0.1)
    assert session.query("ECHO? new") == "new"
    session.close()


def test_recovery_fails_where_another_instrument_answers(session, peer):
    session.identify()
    peer.identity = "Maker,Model,SIM-2,1.0"
    with pytest.raises(ReplyTimeout):
        session.query("SILENT?")
    with pytest.raises(WrongIdentity, match=r"SIM-1.*SIM-2"):
        session.recover()
    with pytest.raises(SessionPoisoned):
        session.query("ECHO? x")


def test_a_closed_connection_is_known_at_once_and_is_no_timeout(manager, peer):
    session = transport.open_session(manager, peer.resource, WallClock(), timeout=5)
    begin, cpu = time.monotonic(), time.process_time()
    with pytest.raises(ConnectionLost, match=r"BYE\?"):
        session.query("BYE?")
    assert time.monotonic() - begin < 1
    assert time.process_time() - cpu < 0.5
    with pytest.raises(ConnectionLost, match="not sent"):
        session.query("ECHO? x")
    session.recover()
    assert session.query("ECHO? back") == "back"
    session.close()


def test_a_connection_lost_between_exchanges_is_known_before_the_question(session, peer):
    assert session.query("ECHO? 1") == "1"
    peer.drop()
    time.sleep(0.05)
    with pytest.raises(ConnectionLost):
        session.query("ECHO? 2")
    assert "ECHO? 2" not in peer.heard


def test_a_doubled_reply_is_not_taken_for_the_next_one(session):
    assert session.query("TWICE? 1") == "1"
    time.sleep(0.02)
    with pytest.raises(InstrumentError, match="unasked"):
        session.query("ECHO? 2")
    session.recover()
    assert session.query("ECHO? 3") == "3"


def test_a_reply_in_pieces_is_one_reply(session):
    assert session.query("PIECES? 1.234") == "1.234"


def test_a_reply_cut_short_is_a_timeout_and_never_half_a_number(session):
    with pytest.raises(ReplyTimeout):
        session.query("RAW? 332e39")  # "3.9" without its line feed


@pytest.mark.parametrize("size", [0, 1, 10, 400_000])
def test_a_block_may_hold_any_byte(session, size):
    payload = session.query_block(f"BLOCK? {size}")
    assert payload == bytes(index % 256 for index in range(size))
    assert session.query("ECHO? next") == "next"


@pytest.mark.parametrize(
    "reply",
    [
        "332e390a",  # text
        "2330410a",  # indefinite length
        "23313541420a",  # five bytes announced, three come
        "2331324142430a",  # one byte too many
        "23393939393939393939390a",  # 1 GB announced
    ],
)
def test_a_broken_block_poisons(session, reply):
    with pytest.raises((InstrumentError, ReplyTimeout)):
        session.query_block(f"RAW? {reply}")
    assert session.poisoned
    with pytest.raises(SessionPoisoned):
        session.query("ECHO? x")


@pytest.mark.parametrize("opened", ["session", "through_visa"])
def test_a_block_of_indefinite_length_is_taken_where_its_length_is_known(request, opened):
    session = request.getfixturevalue(opened)
    assert session.query_block("RAW? 233041420a430a", length=4) == b"AB\nC"
    assert session.query_block("BLOCK? 3", length=4) == bytes(range(3))
    with pytest.raises(InstrumentError, match="followed by"):
        session.query_block("RAW? 23304142430a", length=2)
    session.recover()
    with pytest.raises(ReplyTimeout):
        session.query_block("RAW? 233041420a", length=4, timeout=0.2)


def test_a_line_without_end_ends_in_an_error(manager, peer):
    session = transport.open_session(manager, peer.resource, WallClock(), timeout=5)
    with pytest.raises(InstrumentError, match="without a line end"):
        session.query("ENDLESS?")
    session.close()


def test_an_interrupted_exchange_poisons(session, monkeypatch):
    class Interrupt(BaseException):
        pass

    def interrupted(*_):
        raise Interrupt

    with monkeypatch.context() as patch:
        patch.setattr(session._line, "receive_line", interrupted)  # noqa: SLF001 - only way in
        with pytest.raises(Interrupt):
            session.query("ECHO? stale")
    with pytest.raises(SessionPoisoned, match="Interrupt"):
        session.query("ECHO? x")


def test_stop_goes_out_on_a_poisoned_session_and_does_not_cure_it(session, peer, log):
    with pytest.raises(ReplyTimeout):
        session.query("SILENT?")
    session.stop_write("TREAT:ABOR")
    assert peer.wait_for("TREAT:ABOR")
    assert peer.connections == 1
    assert session.poisoned
    assert [(direction, text) for direction, text, _ in log][-1] == ("stop", "TREAT:ABOR")


def test_stop_takes_a_second_session_while_the_first_is_in_use(manager, peer):
    session = transport.open_session(manager, peer.resource, WallClock(), timeout=2)
    slow = threading.Thread(target=session.query, args=("LATE? 0.6 done",))
    slow.start()
    assert peer.wait_for("LATE? 0.6 done")
    begin = time.monotonic()
    session.stop_write("TREAT:ABOR")
    assert peer.wait_for("TREAT:ABOR")
    assert time.monotonic() - begin < 0.4
    assert slow.is_alive()
    slow.join()
    assert not session.poisoned
    session.close()


def test_stop_takes_a_second_session_when_the_first_is_lost(session, peer):
    session.query("ECHO? accepted")
    peer.drop()
    time.sleep(0.05)
    with pytest.raises(ConnectionLost):
        session.query("ECHO? x")
    session.stop_write("TREAT:ABOR")
    assert peer.wait_for("TREAT:ABOR")
    assert peer.connections == 2


def test_stop_is_not_glued_to_a_message_that_was_cut_off(session, peer, monkeypatch):
    raw = session._line._socket  # noqa: SLF001 - only way to cut a message

    sent = []

    class HalfSocket:
        def __getattr__(self, name):
            return getattr(raw, name)

        def send(self, data):
            if len(sent) == 1:
                raise BlockingIOError
            sent.append(raw.send(data[: len(data) // 2]))
            return sent[0]

    with monkeypatch.context() as patch:
        patch.setattr(session._line, "_socket", HalfSocket())  # noqa: SLF001 - as above
        with pytest.raises(ReplyTimeout):
            session.write("SOUR:CURR 0.001")
    session.stop_write("TREAT:ABOR")
    assert peer.wait_for("TREAT:ABOR")


def test_stop_that_cannot_go_out_says_so(manager):
    made = Peer()
    session = transport.open_session(manager, made.resource, WallClock(), timeout=SHORT)
    session.query("ECHO? accepted")
    made.stop()
    with pytest.raises((ConnectionLost, ReplyTimeout)):
        session.query("ECHO? x")
    with pytest.raises(BenchError, match=r"TREAT:ABOR.*other means"):
        session.stop_write("TREAT:ABOR")
    session.close()


def test_two_threads_each_get_their_own_replies(session):
    wrong = []

    def ask(name):
        expected = [f"{name}{index}" for index in range(300)]
        wrong.extend(text for text in expected if session.query(f"ECHO? {text}") != text)

    threads = [threading.Thread(target=ask, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_write_and_query_do_not_wait_for_nagle(session):
    pairs = 50
    session.query("ECHO? warm")
    begin = time.monotonic()
    for _ in range(pairs):
        session.write("SET 1")
        session.query("ECHO? 1")
    assert time.monotonic() - begin < pairs * 0.02  # 44 ms a pair with Nagle's algorithm


def test_the_transcript_holds_both_directions_in_order(session, log):
    session.write("SET 1")
    session.query("ECHO? 2")
    session.query_block("BLOCK? 3")
    assert [(direction, said) for direction, said, _ in log] == [
        ("write", "SET 1"),
        ("write", "ECHO? 2"),
        ("read", "2"),
        ("write", "BLOCK? 3"),
        ("read", b"\x00\x01\x02"),
    ]
    times = [now for _, _, now in log]
    assert times == sorted(times)


def test_discard_throws_away_what_was_provoked(session):
    session.write("TWICE? 7")
    session.discard()
    assert session.query("ECHO? 8") == "8"


def test_text_beyond_one_byte_is_refused_before_sending(session, peer):
    with pytest.raises(UsageError):
        session.write("SOUR:CURR 1 \N{OHM SIGN}")
    assert session.query("ECHO? fine") == "fine"
    assert len(peer.heard) == 1


@pytest.mark.parametrize("timeout", [0, -1, float("inf"), float("nan")])
def test_a_timeout_is_finite(manager, peer, timeout):
    with pytest.raises(UsageError):
        transport.open_session(manager, peer.resource, WallClock(), timeout=timeout)


def test_connect_takes_the_instrument_that_the_bench_file_expects(manager, peer):
    session = transport.connect(manager, entry(peer.resource, serial="SIM-1"), WallClock())
    assert str(session.identity) == IDENTITY
    session.close()


@pytest.mark.parametrize("field", ["manufacturer", "model", "serial"])
def test_connect_refuses_another_instrument(manager, peer, field):
    with pytest.raises(WrongIdentity, match=f"ammeter at .*{field} '.*' instead of 'Other'"):
        transport.connect(manager, entry(peer.resource, **{field: "Other"}), WallClock())


def test_a_port_where_nobody_listens_is_one_line_with_role_and_resource(manager):
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    resource = f"TCPIP::127.0.0.1::{port}::SOCKET"
    with pytest.raises(BenchError) as caught:
        transport.connect(manager, entry(resource), WallClock())
    assert re.fullmatch(rf"ammeter at {resource} cannot be opened: .*refused.*", str(caught.value))


def test_an_answer_that_is_no_identity_is_named_with_role_and_resource(manager, peer):
    peer.identity = "3.99E-3"
    with pytest.raises(InstrumentError, match=r"ammeter at TCPIP.*IDN"):
        transport.connect(manager, entry(peer.resource), WallClock())


def test_a_resource_name_that_is_none_is_refused(manager):
    with pytest.raises(BenchError, match="NONSENSE"):
        transport.connect(manager, entry("NONSENSE"), WallClock())


def test_a_library_that_is_missing_is_named(tmp_path):
    with pytest.raises(BenchError, match="no-library"):
        transport.open_manager(str(tmp_path / "no-library.so"))


@pytest.fixture
def through_visa(monkeypatch, manager, peer):
    """A byte stream through the VISA calls, as with a library whose socket cannot be reached."""
    monkeypatch.setattr(transport.address, "raw_socket", lambda _: None)
    made = transport.open_session(manager, peer.resource, WallClock(), timeout=SHORT)
    yield made
    made.close()


@pytest.mark.parametrize("size", [0, 10, 100_000])
def test_a_byte_stream_through_visa_reads_lines_and_blocks(through_visa, size):
    assert through_visa.query("ECHO? 1") == "1"
    payload = through_visa.query_block(f"BLOCK? {size}")
    assert payload == bytes(index % 256 for index in range(size))
    assert through_visa.query("ECHO? next") == "next"


def test_a_byte_stream_through_visa_is_poisoned_and_opened_anew(through_visa, peer):
    through_visa.identify()
    with pytest.raises(ReplyTimeout):
        through_visa.query("LATE? 0.4 stale")
    with pytest.raises(SessionPoisoned):
        through_visa.query("ECHO? x")
    through_visa.recover()
    assert peer.connections == 2
    time.sleep(0.3)  # the late reply comes after any clearing
    assert through_visa.query("ECHO? new") == "new"


def test_a_silent_instrument_is_one_line_that_says_what_to_check(manager):
    deaf = socket.create_server(("127.0.0.1", 0))
    resource = f"TCPIP::127.0.0.1::{deaf.getsockname()[1]}::SOCKET"
    with pytest.raises(BenchError, match=r"ammeter at TCPIP.* does not say who it is.*check power"):
        transport.connect(manager, entry(resource), WallClock(), timeout=SHORT)
    deaf.close()


QUICK = Manner(energised=SHORT)


@pytest.fixture
def watched(manager, peer):
    """Of a patience of 5 s, of which SHORT is left while it is watched."""
    made = transport.open_session(manager, peer.resource, WallClock(), timeout=5, manner=QUICK)
    yield made
    made.close()


def test_while_energised_an_exchange_is_given_up_soon_and_otherwise_not(watched):
    assert watched.query("LATE? 0.3 patient") == "patient"
    watched.watch(lambda: None)
    begin = time.monotonic()
    with pytest.raises(ReplyTimeout, match=r"within 0.15 s, which is all that it has while"):
        watched.query("LATE? 2 slow")
    assert time.monotonic() - begin < 1
    watched.recover()
    watched.watch(None)
    assert watched.query("LATE? 0.3 patient") == "patient"


def test_no_exchange_exceeds_what_all_of_a_bench_are_given(watched):
    watched.watch(lambda: None, 0.05)
    with pytest.raises(ReplyTimeout, match=r"within 0.05 s"):
        watched.query("LATE? 0.12 slow")


def test_a_session_that_was_opened_anew_is_still_watched(watched):
    watched.identify()
    looks = []
    watched.watch(lambda: looks.append(1))
    with pytest.raises(ReplyTimeout):
        watched.query("SILENT?")
    watched.recover()
    looks.clear()
    assert watched.query("LATE? 0.1 slow") == "slow"
    assert looks


def test_what_stops_goes_out_while_an_answer_is_awaited_and_the_answer_is_taken(watched, manager):
    device = Peer()
    stimulator = transport.open_session(manager, device.resource, WallClock())
    heard = []

    def heed():
        if not heard:
            stimulator.stop_write("TREAT:ABOR")
            heard.append(device.wait_for("TREAT:ABOR"))

    watched.watch(heed)
    assert watched.query("LATE? 0.12 slow") == "slow"
    assert heard == [True]
    assert not watched.poisoned
    stimulator.close()
    device.stop()


def test_a_stop_over_the_session_that_waits_keeps_its_answer(watched, peer):
    sent = []

    def heed():
        if not sent:
            sent.append(watched.stop_write("TREAT:ABOR"))

    watched.watch(heed)
    assert watched.query("LATE? 0.1 slow") == "slow"
    assert watched.query("ECHO? next") == "next"
    assert peer.wait_for("TREAT:ABOR")


def test_what_is_raised_while_an_answer_is_awaited_poisons(watched):
    class Interrupt(BaseException):
        pass

    def heed():
        raise Interrupt

    watched.watch(heed)
    with pytest.raises(Interrupt):
        watched.query("LATE? 0.12 stale")
    with pytest.raises(SessionPoisoned, match="Interrupt"):
        watched.query("ECHO? x")


@pytest.mark.parametrize("driver", sorted(drivers.MODELS))
def test_no_driver_takes_more_than_half_a_lease_for_an_answer_while_energised(driver):
    role = next((role for role, names in drivers.NAMES.items() if driver in names), "supply")
    manner = drivers.manner(entry("unused", role=role, driver=driver), read_device(None))
    assert 0.05 <= manner.energised <= min(manner.patience, LEASE / 2)
