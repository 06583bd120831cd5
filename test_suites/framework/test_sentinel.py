"""The sentinel's watch on a relay of the test: what it grants, and in which order it trips."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from hil.errors import BenchError, ConnectionLost, SafetyError
from hil.journal import verify_chain
from hil_fixtures import clocks
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.interruption import Interruption
from hil_fixtures.safe_state import SafeState
from hil_fixtures.sentinel.account import account, enter
from hil_fixtures.sentinel.held import HeldCutoff
from hil_fixtures.sentinel.ledger import FILE, Ledger
from hil_fixtures.sentinel.post import Post
from hil_fixtures.sentinel.urgency import Tripwire
from hil_fixtures.sentinel.watch import Watch, threads_of
from hil_fixtures.sentinel.wire import Wire
from hil_fixtures.service import pointed_at
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.servers.served import BenchServer, Protocol
from hil_reports.evidence import Evidence, read_journal
from hil_reports.evidence.citations import cited_problems

HARDWARE = 0.4
"""Seconds of the relay's own lease."""
IDENTITY = ["Stimproof", "Cutoff-2", "SIM-1", "1.0"]


class Relay:
    """A cut-off that notes what it is told, and whether the runner lived at that moment."""

    def __init__(self, alive):
        self.alive = alive
        self.closed = self.welded = self.refuses = False
        self.broken = ""
        self.identity = ("Stimproof", "Cutoff-2", "SIM-cutoff-01", "1.0")
        self.heard = []
        self.renewals = 0

    def epoch(self):
        return 4

    def close_relay(self, epoch):
        self._hear(f"close {epoch}")
        if self.refuses:
            raise BenchError("refused")
        self.closed = True

    def open_relay(self):
        self._hear("open")
        self.closed = self.welded

    def renew(self, seconds):
        self.renewals += 1

    def is_closed(self):
        if self.broken:
            raise BenchError(self.broken)
        return self.closed

    def identify(self):
        if self.broken:
            raise BenchError(self.broken)
        return self.identity

    def _hear(self, what):
        self.heard.append((what, self.alive()))
        if self.broken:
            raise BenchError(self.broken)


class Stand:
    """A sentinel in a thread of this process, and a runner that is a process of its own."""

    def __init__(self, folder, supervisor=()):
        self.folder = folder
        self.runner = subprocess.Popen(["sleep", "60"], stdout=subprocess.DEVNULL, process_group=0)
        self.relay = Relay(lambda: self.runner.poll() is None)
        self.state = SafeState(True, "off", "open", "")
        self.proofs = []
        ours, link = socket.socketpair()
        self.post, post = socket.socketpair()
        self.link = Wire(ours)
        watch = Watch(
            self.relay,
            self._prove,
            Wire(link),
            Wire(post),
            Ledger(folder / FILE, clocks.utc),
            HARDWARE,
            1.0,
            self.relay.identify,
            supervisor,
        )
        self.thread = threading.Thread(target=watch.stand)
        self.thread.start()
        self._number = 0

    def _prove(self):
        self.proofs.append(self.runner.poll())
        if isinstance(self.state, Exception):
            raise self.state
        return self.state

    def ask(self, what, **more):
        self._number += 1
        self.link.send({"do": what, "id": self._number, **more})
        assert self.link.wait(2)
        messages, _ = self.link.receive()
        return messages[-1]

    def arm(self, allowance=5.0):
        assert self.ask("hello", pid=self.runner.pid)["ok"]
        assert self.ask("close", epoch=5, allowance=allowance)["ok"]

    def end(self):
        self.runner.kill()
        self.runner.wait()
        self.link.close()
        self.post.close()
        self.thread.join(5)
        assert not self.thread.is_alive()

    @property
    def records(self):
        lines = (self.folder / FILE).read_bytes().splitlines()
        return [json.loads(line) for line in lines]

    def until(self, kind):
        """Wait for a record of a kind."""
        deadline = time.monotonic() + 5
        while not any(record["kind"] == kind for record in self.records):
            assert time.monotonic() < deadline
            time.sleep(0.005)

    def trip(self):
        """Wait for the trip's proof, and return its record."""
        self.until("off")
        (found,) = [record["body"] for record in self.records if record["kind"] == "trip"]
        return found


@pytest.fixture
def stand(tmp_path):
    made = Stand(tmp_path)
    yield made
    made.end()


def test_the_relay_is_asked_again_who_it_is(stand):
    assert stand.ask("identify")["identity"] == [*stand.relay.identity]
    stand.relay.identity = ("Stimproof", "Cutoff-2", "SIM-another", "1.0")
    assert stand.ask("identify")["identity"][2] == "SIM-another"
    stand.relay.broken = "no answer"
    reply = stand.ask("identify")
    assert (reply["ok"], reply["error"]) == (False, "no answer")


def test_it_holds_for_one_runner_at_a_time(stand):
    stand.arm()
    with subprocess.Popen(["sleep", "60"]) as second:
        reply = stand.ask("hello", pid=second.pid)
        stand.runner.kill()
        stand.trip()
        alive = second.poll() is None
        second.kill()
    assert f"held for runner {stand.runner.pid} already" in reply.get("error", "")
    assert alive


def test_it_closes_for_nobody_who_has_not_said_hello(stand):
    reply = stand.ask("close", epoch=5, allowance=1.0)
    assert not reply["ok"]
    assert "hello" in reply["error"]
    assert not stand.relay.heard


def test_it_opens_before_it_ends_the_runner_and_proves_after(stand):
    stand.arm(allowance=0.2)
    trip = stand.trip()
    assert "lapsed" in trip["cause"]
    assert trip["contacts"] == "open"
    assert stand.relay.heard[-1] == ("open", True)
    assert stand.runner.wait(1) == -signal.SIGKILL
    assert len(stand.proofs) == 1
    assert 0 <= trip["opened_after"] < 0.05


def test_a_dead_runner_is_seen_although_its_link_stays_open(stand):
    """A process that it forked may keep the link: the pidfd sees the end all the same."""
    stand.arm()
    stand.runner.kill()
    assert "pidfd" in stand.trip()["cause"]


TRIPPED = """
import sys, threading
tripwire = threading.Thread(target=sys.stdin.readline)
tripwire.start()
print(tripwire.native_id, flush=True)
threading.Event().wait()
"""


class Wired:
    """A process with a tripwire that can be cut while the process lives on."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", TRIPPED],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
        )
        self.thread = int(self.process.stdout.readline())
        if not threads_of(self.process.pid, self.thread):
            pytest.skip("this system gives threads no pidfd")

    def cut(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()


def test_the_end_of_the_tripwire_is_the_end_of_the_runner(stand):
    """A killed process ends thread by thread; the sentinel does not wait for the last."""
    stand.runner.kill()
    stand.runner.wait()
    wired = Wired()
    stand.runner = wired.process
    assert stand.ask("hello", pid=stand.runner.pid, tripwire=wired.thread)["ok"]
    assert stand.ask("close", epoch=5, allowance=5.0)["ok"]
    wired.cut()
    assert "its pidfd says so" in stand.trip()["cause"]
    assert stand.relay.heard[-1] == ("open", True)
    stand.runner.communicate()


def test_the_end_of_the_supervisors_tripwire_is_its_end(tmp_path):
    wired = Wired()
    stand = Stand(tmp_path, threads_of(wired.process.pid, wired.thread))
    stand.arm()
    wired.cut()
    assert "the supervisor ended" in stand.trip()["cause"]
    stand.until("end")
    stand.end()
    wired.process.kill()
    wired.process.communicate()


def test_a_tripwire_lives_as_long_as_its_process():
    threads = [Tripwire().thread for _ in range(2)]
    assert len({os.getpid(), *threads}) == 3
    for thread in threads:
        assert Path(f"/proc/self/task/{thread}").exists()


def test_whoever_hurries_does_so_alone():
    """Nobody else is hurried: not what it starts, not the thread that asked."""
    code = "import os; print(os.sched_getscheduler(0), os.nice(0))"
    inside = f"""
import subprocess, sys
from hil_fixtures.sentinel.urgency import Tripwire, hurry
Tripwire()
{code}
print(hurry(session=True))
{code}
subprocess.run([sys.executable, "-c", {code!r}])
"""
    found = subprocess.run(
        [sys.executable, "-c", inside], capture_output=True, text=True, check=True
    )
    before, reached, after, child = found.stdout.splitlines()
    assert before == child == f"{os.sched_getscheduler(0)} {os.nice(0)}"
    if reached == "real-time":
        assert after.startswith(f"{os.SCHED_FIFO | os.SCHED_RESET_ON_FORK} ")
    else:
        assert (reached == "none") is (after == before)


def test_a_closed_link_is_the_end_of_the_runner(stand):
    stand.arm()
    stand.link.close()
    assert "link closed" in stand.trip()["cause"]
    assert stand.runner.wait(1) == -signal.SIGKILL


def test_what_the_runner_started_in_its_group_ends_with_it(tmp_path):
    made = Stand(tmp_path)
    child = subprocess.Popen(["sleep", "60"], process_group=made.runner.pid)
    try:
        made.arm(allowance=0.1)
        made.trip()
        assert child.wait(1) == -signal.SIGKILL
    finally:
        child.kill()
        made.end()


def test_a_runner_that_leads_no_group_ends_alone(tmp_path):
    made = Stand(tmp_path)
    made.runner.kill()
    made.runner.wait()
    leader = subprocess.Popen(["sleep", "60"], process_group=0)
    made.runner = subprocess.Popen(["sleep", "60"], process_group=leader.pid)
    try:
        made.arm(allowance=0.1)
        made.trip()
        assert made.runner.wait(1) == -signal.SIGKILL
        assert leader.poll() is None
    finally:
        leader.kill()
        leader.wait()
        made.end()


def test_progress_keeps_it_closed_and_a_heartbeat_does_not(stand):
    stand.arm(allowance=0.3)
    for step in range(1, 8):
        stand.link.send({"do": "renew", "epoch": 5, "step": step, "allowance": 0.3})
        time.sleep(0.1)
    assert stand.relay.closed  # 0.7 s, more than twice the allowance
    assert stand.relay.renewals > 4
    began = time.monotonic()
    while stand.runner.poll() is None and time.monotonic() - began < 2:
        stand.link.send({"do": "renew", "epoch": 5, "step": 7, "allowance": 0.3})
        time.sleep(0.02)
    assert time.monotonic() - began < 1
    assert "lapsed" in stand.trip()["cause"]


def test_after_a_trip_a_runner_that_goes_on_closes_nothing(stand):
    """One that was stopped and continued, say, and that could not be ended."""
    stand.arm(allowance=0.1)
    stand.trip()
    for epoch in (5, 6, 1000):
        reply = stand.ask("close", epoch=epoch, allowance=1.0)
        assert not reply["ok"]
    again = stand.ask("hello", pid=os.getpid())
    assert again["ok"]
    reply = stand.ask("close", epoch=6, allowance=1.0)
    assert "stays open" in reply["error"]
    assert [what for what, _ in stand.relay.heard if what.startswith("close")] == ["close 5"]
    assert stand.ask("bye")["ok"]


def test_it_trips_once(stand):
    stand.arm(allowance=0.1)
    stand.trip()
    with subprocess.Popen(["sleep", "60"]) as other:
        assert stand.ask("hello", pid=other.pid)["ok"]
        other.kill()
    os.write(stand.post.fileno(), bytes([signal.SIGINT, signal.SIGINT]))
    stand.link.close()
    stand.end()
    assert len(account(stand.folder)["trips"]) == len(stand.proofs) == 1


@pytest.mark.parametrize("who", ["runner", "supervisor"])
def test_the_second_signal_opens_and_the_first_does_not(stand, who):
    stand.arm()
    end = stand.link if who == "runner" else stand.post
    os.write(end.fileno(), bytes([signal.SIGTERM]))
    os.write(end.fileno(), bytes([signal.SIGALRM]))  # somebody's timer
    assert stand.ask("state")["closed"]
    os.write(end.fileno(), bytes([signal.SIGINT]))
    assert f"SIGINT to the {who}, the second" in stand.trip()["cause"]


def test_one_signal_to_the_runner_and_one_to_the_supervisor_is_one_each(stand):
    """Ctrl-C reaches the supervisor, which passes it on."""
    stand.arm()
    os.write(stand.post.fileno(), bytes([signal.SIGINT]))
    os.write(stand.link.fileno(), bytes([signal.SIGTERM]))
    assert stand.ask("state")["closed"]


def test_a_runner_that_takes_its_leave_is_no_trip(stand):
    stand.arm()
    assert stand.ask("open")["ok"]
    assert stand.ask("bye")["ok"]
    stand.link.close()
    stand.end()
    assert [record["kind"] for record in stand.records][-1] == "end"
    assert not stand.proofs
    found = account(stand.folder)
    assert (found["ended"], found["trips"], found["broken"]) == (True, [], "")


@pytest.mark.parametrize("end", ["link", "process"])
def test_a_runner_that_ends_before_anything_was_closed_is_no_trip(stand, end):
    """As one that found another instrument than the bench file expects."""
    assert stand.ask("hello", pid=stand.runner.pid)["ok"]
    assert stand.ask("open")["ok"]  # a wish to be sure
    if end == "link":
        stand.link.close()
    else:
        stand.runner.kill()
    stand.until("left")
    assert stand.relay.heard[-1] == ("open", end == "link")
    assert len(stand.relay.heard) == 2
    assert (stand.runner.poll() is None) == (end == "link")
    stand.end()
    assert not stand.proofs
    assert account(stand.folder)["trips"] == []


def test_leave_with_the_cut_off_closed_is_a_trip(stand):
    stand.arm()
    stand.ask("bye")
    assert "took its leave" in stand.trip()["cause"]


def test_the_end_of_the_supervisor_is_a_trip(stand):
    stand.arm()
    stand.post.close()
    assert "supervisor ended" in stand.trip()["cause"]


def test_a_relay_that_opened_by_itself_is_told_and_is_no_trip(stand):
    stand.arm()
    stand.relay.closed = False
    time.sleep(HARDWARE)
    assert not stand.ask("state")["closed"]
    assert stand.runner.poll() is None
    assert stand.ask("close", epoch=6, allowance=1.0)["ok"]


def test_a_relay_that_cannot_be_reached_is_a_trip_and_the_runner_ends(stand):
    stand.arm()
    stand.relay.broken = "its link is lost"
    trip = stand.trip()
    assert "cannot be reached: its link is lost" in trip["cause"]
    assert trip["contacts"] == "not read"
    assert stand.runner.wait(1) == -signal.SIGKILL


def test_a_slow_disk_costs_the_runner_nothing_of_its_lease(stand, monkeypatch):
    syncs = []

    def slow(ledger):
        syncs.append(ledger)
        time.sleep(0.4 if len(syncs) == 1 else 0)

    monkeypatch.setattr(Ledger, "sync", slow)
    stand.arm(allowance=0.3)
    assert stand.ask("state")["closed"]
    assert stand.runner.poll() is None


def test_a_relay_that_refuses_to_close_is_opened(stand):
    stand.relay.refuses = True
    assert stand.ask("hello", pid=stand.runner.pid)["ok"]
    reply = stand.ask("close", epoch=5, allowance=5.0)
    assert "refused" in reply["error"]
    assert [what for what, _ in stand.relay.heard] == ["close 5", "open"]
    assert stand.runner.poll() is None
    stand.relay.refuses = False
    assert stand.ask("close", epoch=6, allowance=5.0)["ok"]


def test_welded_contacts_are_opened_again_and_told(stand):
    stand.relay.welded = True
    stand.state = SafeState(False, "", "", "contacts CLOSED")
    stand.arm(allowance=0.1)
    assert stand.trip()["contacts"] == "CLOSED"
    assert [what for what, _ in stand.relay.heard].count("open") > 1
    stand.end()
    (trip,) = account(stand.folder)["trips"]
    assert (trip["confirmed"], trip["reason"]) == (False, "contacts CLOSED")


def test_a_defect_of_the_sentinel_opens_too(stand):
    stand.arm()
    stand.link.send({"do": "renew"})  # no such message is ever sent
    assert "defect" in stand.trip()["cause"]
    assert not stand.relay.closed


@pytest.mark.parametrize("end", ["a lapsed lease", "the supervisor's end"])
def test_a_runner_that_cannot_be_ended_costs_neither_record_nor_proof(stand, monkeypatch, end):
    def refuse(*_):
        raise PermissionError("not permitted")

    monkeypatch.setattr(os, "killpg", refuse)
    stand.arm(allowance=0.1 if end == "a lapsed lease" else 5.0)
    if end != "a lapsed lease":
        stand.post.close()
    assert stand.trip()["troubles"] == ["the runner could not be ended: not permitted"]
    assert stand.proofs == [None]
    stand.post.close()
    stand.thread.join(5)
    assert not stand.thread.is_alive()


def test_a_proof_that_fails_is_unconfirmed(stand):
    stand.state = BenchError("no meter answers")
    stand.arm(allowance=0.1)
    stand.trip()
    stand.end()
    (trip,) = account(stand.folder)["trips"]
    assert not trip["confirmed"]
    assert "no meter answers" in trip["reason"]


def test_its_record_is_chained_and_a_torn_end_counts_for_nothing(stand):
    stand.arm(allowance=0.1)
    stand.trip()
    stand.end()
    content = (stand.folder / FILE).read_bytes()
    whole = account(stand.folder)
    assert verify_chain(content).prev == whole["head"]
    (stand.folder / FILE).write_bytes(content[: content.index(b'"kind":"off"')])
    torn = account(stand.folder)
    assert not torn["ended"]
    assert torn["trips"][0]["reason"] == "the sentinel was lost before it had proven off"
    assert not torn["trips"][0]["confirmed"]
    (stand.folder / FILE).write_bytes(content.replace(b"lapsed", b"lasted"))
    assert "does not follow" in account(stand.folder)["broken"]
    assert account(stand.folder / "elsewhere") is None


def test_the_journal_cites_its_record(stand):
    run = stand.folder / "run"
    with Evidence.create(run, clocks.utc) as evidence:
        evidence.append("run", {"run_id": "r1"})
    enter(run, clocks.utc)
    assert [record.kind for record in read_journal(run).records] == ["run"]  # none stood by
    stand.arm(allowance=0.1)
    stand.trip()
    stand.end()
    (run / "data" / FILE).write_bytes((stand.folder / FILE).read_bytes())
    for _ in range(2):  # the second time it stands there
        enter(run, clocks.utc)
    records = read_journal(run).records
    assert [record.kind for record in records] == ["run", "sentinel"]
    assert records[1].body["trips"][0]["confirmed"]
    name = f"data/{FILE}"
    right = {name: records[1].body["sha256"]}
    assert list(cited_problems(run, records, right)) == []
    (changed,) = cited_problems(run, records, {name: "0" * 64})
    assert "not the file that was recorded" in changed.text
    (gone,) = cited_problems(run, records, {})
    assert gone.text == "is missing"


# -- the runner's side -----------------------------------------------------------------------------


class Fallback:
    """The session of the runner's own, for when the sentinel is gone."""

    def __init__(self):
        self.opened = 0

    def open_relay(self):
        self.opened += 1

    def is_closed(self):
        return not self.opened

    def close(self):
        pass


@pytest.fixture
def held(stand):
    """A cut-off as the runner has it, under the sentinel in its thread."""
    lost, own = [], Fallback()
    wire = stand.link
    answering = wire.wait

    class Greeted(Wire):
        def __init__(self):  # the identity that the process itself would have said
            self._first = [{"identity": IDENTITY}]
            self.ended = False

        def wait(self, seconds):
            return bool(self._first) or answering(seconds)

        def receive(self):
            if self._first:
                return [self._first.pop()], []
            got = wire.receive()
            self.ended = wire.ended
            return got

        def send(self, message):
            if message["do"] == "hello":
                message["pid"] = stand.runner.pid
            wire.send(message)

        def close(self):
            wire.close()

    made = HeldCutoff(Greeted(), 1.0, lambda: own, lost.append)
    return made, lost, own


def test_the_runner_closes_renews_and_opens_through_the_sentinel(stand, held):
    cutoff, lost, own = held
    assert cutoff.serial == "SIM-1"
    assert cutoff.epoch() == 4
    cutoff.close_relay(5)
    assert cutoff.is_closed()
    cutoff.progressed()
    cutoff.renew(2.0)
    cutoff.open_relay()
    assert not cutoff.is_closed()
    with pytest.raises(SafetyError, match="epoch 5 may not close"):
        cutoff.close_relay(5)
    cutoff.close()
    assert not lost
    assert not own.opened


def test_a_lost_sentinel_is_told_once_and_the_runner_opens_by_itself(stand, held):
    cutoff, lost, own = held
    cutoff.close_relay(5)
    os.write(stand.link.fileno(), bytes([signal.SIGINT, signal.SIGINT]))
    stand.trip()
    stand.post.close()  # it ends, and its end of the link closes
    stand.thread.join(5)
    cutoff.progressed()
    assert len(lost) == 1
    assert "the sentinel is gone" in lost[0]
    with pytest.raises(BenchError, match="the sentinel is gone"):
        cutoff.close_relay(6)
    with pytest.raises(BenchError, match="the sentinel is gone"):
        cutoff.renew(1.0)
    cutoff.open_relay()
    assert own.opened == 1
    assert not cutoff.is_closed()
    assert len(lost) == 1


# -- the wire --------------------------------------------------------------------------------------


def test_a_signal_in_the_middle_of_a_line_breaks_neither():
    near, far = socket.socketpair()
    with near, far:
        wire = Wire(far)
        near.send(b'{"do": "st' + bytes([signal.SIGINT]) + b'ate"}\n{"do"')
        assert wire.receive() == ([{"do": "state"}], [signal.SIGINT])
        near.send(bytes([signal.SIGTERM]) + b': "open"}\n')
        assert wire.receive() == ([{"do": "open"}], [signal.SIGTERM])
        assert not wire.ended
        near.close()
        assert wire.receive() == ([], [])
        assert wire.ended


def test_who_writes_without_end_keeps_nobody_from_its_turn():
    class Endless:
        """A socket into which somebody writes as fast as it is read."""

        taken = 0

        def setblocking(self, blocking):
            """As a socket's."""

        def recv(self, size):
            self.taken += 1
            assert self.taken < 10
            return b" " * size

    socket_ = Endless()
    assert Wire(socket_).receive() == ([], [])
    assert socket_.taken == 1


def test_a_peer_that_has_stopped_reading_is_lost():
    near, far = socket.socketpair()
    with near, far:
        wire = Wire(near)

        def talk():
            for _ in range(100_000):
                wire.send({"do": "renew", "epoch": 1})

        with pytest.raises(ConnectionLost):
            talk()


def test_a_signal_is_told_although_the_process_is_stuck():
    """Its handler never runs: the interpreter itself writes the number."""
    near, far = socket.socketpair()
    code = (
        "import sys, socket\n"
        "from hil_fixtures.interruption import Interruption\n"
        "end = socket.socket(fileno=int(sys.argv[1])); end.setblocking(False)\n"
        "with Interruption().on_signals():\n"
        "    Interruption.tell(end.fileno())\n"
        "    print('ready', flush=True)\n"
        "    sum(range(10**12))\n"  # one call into C that looks at no signal
    )
    with near, far:
        stuck = subprocess.Popen(
            [sys.executable, "-c", code, str(far.fileno())],
            pass_fds=(far.fileno(),),
            stdout=subprocess.PIPE,
        )
        with stuck:
            stuck.stdout.readline()
            wire = Wire(near)
            for number in (signal.SIGTERM, signal.SIGINT):
                stuck.send_signal(number)
                assert wire.wait(2)
                assert wire.receive() == ([], [number])
            assert stuck.poll() is None
            stuck.kill()


def test_signals_are_told_no_longer_than_asked():
    near, far = socket.socketpair()
    interruption = Interruption()
    with near, far, interruption.on_signals():
        near.setblocking(False)
        interruption.tell(near.fileno())
        interruption.tell(None)
        os.kill(os.getpid(), signal.SIGHUP)
        assert interruption.cause == "signal SIGHUP"
        assert not Wire(far).wait(0)


def test_a_runner_that_is_over_before_the_sentinel_is_ready_leaves_a_whole_record(tmp_path):
    server = BenchServer(
        SimulatedBench(read_device(None), read_bench(None)),
        wall=time.monotonic,
        protocols=[Protocol.SOCKET],
    )
    try:
        bench = pointed_at(read_bench(None), server.start(), 1.0)
        Post(read_device(None), bench, tmp_path).end()  # nothing was selected
    finally:
        server.stop()
    found = account(tmp_path)
    assert (found["ended"], found["broken"], found["trips"]) == (True, "", [])
