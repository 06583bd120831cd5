"""Every end of a runner on a served bench, by what the bench itself says; the paths of `safety.md`.

The bench is another process, asked over its control channel; our own word counts for nothing.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from chaos.campaign import KILL, run
from chaos.ground import HIL, LIVE, OFF, Ground
from hil_fixtures.station import LEASE
from hil_reports.evidence import read_journal, seal, verify

pytestmark = pytest.mark.alone

SCALE = 5
WITHIN = 0.5
"""Seconds from a cause that is seen at once to a current that is off, on a busy machine."""
LAPSE = LEASE + WITHIN
"""The same, where a lease has to lapse first."""
HEAD = """
import ctypes, os, signal, sys, threading, time
from pathlib import Path
from hil.units import mA, s
from hil_fixtures.suite import requirement

@requirement("LIM-CEIL")
def test_it(bench, judge):
    with bench.armed() as run:
        run.start(4 * mA)
        run.wait(2 * s)
        Path("live").write_text(str(os.getpid()))
        while not Path("go").exists():
            run.wait(0.25 * s)
        {deed}
"""
FOREVER = "run.wait(1000 * s)"
TURNS = """
        while True:
            Path("turn").touch()
            run.wait(0.25 * s)
"""
HEARTBEAT = """
        threading.Thread(
            target=lambda: [
                (bench.station.cutoff.renew(9.0), time.sleep(0.05)) for _ in iter(int, 1)
            ],
            daemon=True,
        ).start()
        while True: pass
"""


class Course:
    """A run on a served bench whose test has current flowing."""

    def __init__(self, ground, folder, deed, *, plain=False):
        self.ground, self.cwd, self.out = ground, folder, folder / "runs"
        ground.control.do("reset", seed=1)
        (folder / "test_mine.py").write_text(HEAD.format(deed=deed))
        bench = str(ground.file)
        hil = [*HIL, "run", "--out", "runs", "--suite", "current-limits", "--bench", bench]
        pytest_ = [sys.executable, "-P", "-m", "pytest", "-q", f"--hil-bench={bench}"]
        told = [*pytest_, "--hil-out=runs", "--hil-suite=current-limits", "test_mine.py"]
        self.process = subprocess.Popen(
            told if plain else [*hil, "--", "test_mine.py"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        live = folder / "live"
        ground.until(lambda: live.exists() or self.process.poll() is not None, 40.0)
        assert self.process.poll() is None, self.process.communicate()
        ground.until(lambda: live.read_text() != "", 1.0)
        self.runner = int(live.read_text())
        assert ground.current > LIVE
        self.sentinel = self._sentinel()

    def _sentinel(self):
        """Process id of the sentinel, a child of who started it."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        (found,) = (
            int(child)
            for child in children
            if b"hil_fixtures.sentinel" in Path(f"/proc/{child}/cmdline").read_bytes()
        )
        return found

    @property
    def sentinel_memory(self):
        """Most kB that the sentinel ever had resident."""
        status = Path(f"/proc/{self.sentinel}/status").read_text()
        (most,) = (int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)
        return most

    def go(self):
        """Let the test do what it is there for."""
        (self.cwd / "go").touch()

    def off_within(self, seconds, deed=lambda: None):
        """Let the test do what it is there for, or do something to it; return the seconds."""
        began = time.monotonic()
        deed()
        self.go()
        self.ground.until(lambda: self.ground.current <= OFF, seconds)
        return time.monotonic() - began

    def end(self):
        said, complained = self.process.communicate(timeout=100)
        return self.process.returncode, said, complained

    @property
    def folder(self):
        (found,) = (path for path in self.out.iterdir() if path.is_dir())
        return found

    def records(self, kind):
        return [r.body for r in read_journal(self.folder).records if r.kind == kind]

    def trip(self):
        (sentinel,) = self.records("sentinel")
        assert sentinel["ended"]
        (trip,) = sentinel["trips"]
        assert trip["confirmed"], trip
        return trip["cause"]


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    made = Ground(tmp_path_factory.mktemp("ground"), SCALE)
    yield made
    assert made.control.do("failures") == []
    made.end()


@pytest.mark.parametrize(
    ("deed", "seconds", "cause"),
    [
        pytest.param("os.kill(os.getpid(), signal.SIGKILL)", WITHIN, "ended", id="killed"),
        pytest.param("os._exit(0)", WITHIN, "ended", id="exit"),
        pytest.param("ctypes.string_at(0)", WITHIN, "ended", id="segfault"),
        pytest.param(HEARTBEAT, LAPSE, "lapsed", id="heartbeat over an endless loop"),
        pytest.param("os.kill(os.getpid(), signal.SIGSTOP)", LAPSE, "lapsed", id="stopped"),
    ],
)
def test_the_sentinel_opens_where_the_runner_cannot(ground, tmp_path, deed, seconds, cause):
    course = Course(ground, tmp_path, deed)
    course.off_within(seconds)
    code, said, _ = course.end()
    assert code == 13, said
    assert cause in course.trip()
    assert not course.records("judgement")
    assert not course.records("end")
    assert not ground.closed
    assert verify(course.folder).problems == ()
    summary = json.loads((course.folder / "report" / "summary.json").read_text())
    assert summary["code"] == 13
    assert "the sentinel tripped" in summary["reasons"][0]


def test_a_stopped_runner_that_is_continued_never_closes_again(ground, tmp_path):
    course = Course(ground, tmp_path, FOREVER)
    course.off_within(LAPSE, lambda: os.kill(course.runner, signal.SIGSTOP))
    os.kill(course.process.pid, signal.SIGSTOP)  # so that the runner is not reaped
    try:
        os.kill(course.runner, signal.SIGCONT)
        deadline = time.monotonic() + 1
        while time.monotonic() < deadline:
            assert not ground.closed
    finally:
        os.kill(course.process.pid, signal.SIGCONT)
    assert course.end()[0] == 13
    assert "lapsed" in course.trip()


def test_the_second_signal_to_the_supervisor_opens_at_once(ground, tmp_path):
    """The runner is stuck in a call that looks at no signal."""
    course = Course(ground, tmp_path, "Path('stuck').touch(); sum(range(10**12))")
    course.go()
    ground.until((tmp_path / "stuck").exists, 5.0)
    course.process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert ground.closed
    course.off_within(WITHIN, lambda: course.process.send_signal(signal.SIGINT))
    code, said, _ = course.end()
    assert code == 13, said
    assert course.records("sentinel")[0]["trips"][0]["confirmed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_one_signal_is_the_runners_own_way_to_off(ground, tmp_path, number):
    """SIGHUP is a closed terminal."""
    course = Course(ground, tmp_path, FOREVER)
    assert course.sentinel_memory < 60_000
    course.off_within(LAPSE, lambda: course.process.send_signal(number))
    code, said, complained = course.end()
    assert (code, complained) == (13, ""), said
    assert course.records("safe_state")[-1]["confirmed"]
    (sentinel,) = course.records("sentinel")
    assert (sentinel["trips"], sentinel["ended"]) == ([], True)


def test_a_signal_is_heeded_within_a_turn_of_the_wait(tmp_path):
    """At the pace of the wall a turn lasts 250 ms, longer than an abort may take."""
    (tmp_path / "run").mkdir()
    slow = Ground(tmp_path)
    try:
        course = Course(slow, tmp_path / "run", TURNS)
        course.go()
        turn = tmp_path / "run" / "turn"
        slow.until(turn.exists, 5.0)
        turn.unlink()
        slow.until(turn.exists, 5.0)  # one has just begun
        took = course.off_within(WITHIN, lambda: course.process.send_signal(signal.SIGTERM))
        assert course.end()[0] == 13
        assert took < 0.2
    finally:
        slow.end()


def test_a_killed_sentinel_sends_the_runner_to_its_safe_state(ground, tmp_path):
    course = Course(ground, tmp_path, FOREVER)
    course.off_within(LAPSE, lambda: os.kill(course.sentinel, signal.SIGKILL))
    code, said, complained = course.end()
    assert (code, complained) == (13, ""), said
    (state,) = course.records("safe_state")
    assert state["confirmed"], state
    (abort,) = course.records("abort")
    assert "the sentinel is gone" in abort["cause"]
    (sentinel,) = course.records("sentinel")
    assert not sentinel["ended"]


def test_with_both_killed_the_cut_off_opens_by_itself_and_off_is_unconfirmed(ground, tmp_path):
    course = Course(ground, tmp_path, FOREVER)

    def both():
        os.kill(course.sentinel, signal.SIGKILL)
        os.kill(course.runner, signal.SIGKILL)

    course.off_within(LAPSE, both)
    code, said, _ = course.end()
    assert code == 20, said
    assert "SAFE STATE UNCONFIRMED" in said


def test_a_killed_supervisor_ends_the_run(ground, tmp_path):
    course = Course(ground, tmp_path, FOREVER)
    course.off_within(WITHIN, course.process.kill)
    course.end()
    ground.until(lambda: not Path(f"/proc/{course.sentinel}").exists(), 10.0)
    assert b'"confirmed":true' in (course.folder / "data" / "sentinel.jsonl").read_bytes()


def test_plain_pytest_has_a_sentinel_too(ground, tmp_path):
    course = Course(ground, tmp_path, "", plain=True)
    course.off_within(10.0)
    course.end()
    (sentinel,) = course.records("sentinel")
    assert (sentinel["ended"], sentinel["trips"]) == (True, [])
    assert len(course.records("end")) == 1


def test_a_killed_plain_pytest_is_opened_and_proven_off(ground, tmp_path):
    course = Course(ground, tmp_path, FOREVER, plain=True)
    course.off_within(WITHIN, course.process.kill)
    course.process.communicate(timeout=20)
    ground.until(lambda: not Path(f"/proc/{course.sentinel}").exists(), 20.0)
    assert b'"confirmed":true' in (course.folder / "data" / "sentinel.jsonl").read_bytes()
    subprocess.run(
        [*HIL, "seal", str(course.folder)], cwd=tmp_path, capture_output=True, check=False
    )
    assert course.trip()
    assert seal(course.folder).status == "INCOMPLETE"


@pytest.mark.timeout(300)  # 50 s, and several times that on a machine with other work
def test_of_twenty_killed_runners_none_is_late(tmp_path):
    """`make chaos` kills a thousand; the bound is the requirement's, at the pace of the wall."""
    seed = random.randrange(10**6)
    (tally,) = run([KILL] * 20, tmp_path, seed, proofs=2).values()
    assert not tally.late, f"seed {seed}: {tally.late}"
    assert len(tally.seconds) == 20
    assert max(tally.seconds) <= 0.2
