"""`hil run` as a process: whatever becomes of the runner, the report is there and tells it."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from framework import brisk
from hil.errors import UsageError
from hil.verdict import ExitCode
from hil_fixtures import plan
from hil_fixtures.plan import Options
from hil_fixtures.runner import command
from hil_fixtures.software import software
from hil_reports.evidence import read_journal, verify

HIL = [sys.executable, "-c", "from hil_fixtures.cli import main; main()"]
HEAD = """
from hil.features import mean, peak
from hil.scenario import Scenario
from hil.units import mA, s, uA
from hil_fixtures.suite import requirement
"""
ENDLESS = (
    HEAD
    + """
@requirement("LIM-CEIL")
def test_endless(bench, judge):
    with bench.armed() as run:
        run.start(1 * mA)
        while True:
            run.wait(1 * s)

@requirement("LIM-ACC")
def test_later(bench, judge): ...
"""
)


class Running:
    """A `hil run` that has begun."""

    def __init__(self, cwd, *arguments, env=None):
        self.out = cwd / "runs"
        if not {"--device", "--bench"} & set(arguments):
            arguments = ("--device", str(brisk.file(cwd)), *arguments)
        self.process = subprocess.Popen(
            [*HIL, "run", "--out", str(self.out), "--depth", "smoke", *arguments],
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    @property
    def folder(self):
        return next(path for path in self.out.iterdir() if path.is_dir())

    def records(self, kind):
        return [r.body for r in read_journal(self.folder).records if r.kind == kind]

    def wait_for(self, kind, count=1):
        """Wait until the journal holds records of a kind."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            if any(self.out.glob("*/data")) and self._has(kind, count):
                return
            time.sleep(0.05)
        pytest.fail(f"no {kind} came: {self.process.poll()} {self.process.communicate(timeout=60)}")

    def _has(self, kind, count):
        path = self.folder / "data" / "journal.jsonl"
        return path.exists() and path.read_text().count(f'"kind":"{kind}"') >= count

    @property
    def runner(self):
        """Process id of the runner: a child of the supervisor, beside the sentinel."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        (child,) = (one for one in children if b"--hil-run" in _command_line(one))
        return int(child)

    def end(self):
        """Exit code, standard output, standard error."""
        said, complained = self.process.communicate(timeout=100)
        return self.process.returncode, said, complained

    @property
    def summary(self):
        return json.loads((self.folder / "report" / "summary.json").read_text())

    def assert_reported(self, code):
        assert self.summary["exit_code"] == code
        for name in ("compliance.pdf", "index.html", "junit.xml"):
            assert (self.folder / "report" / name).stat().st_size > 100
        assert verify(self.folder).problems == ()
        assert (self.out / "latest").read_text().strip() == self.folder.name


def _command_line(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def armed_for_ever(tmp_path, *arguments):
    (tmp_path / "test_mine.py").write_text(ENDLESS)
    running = Running(tmp_path, "--suite", "current-limits", *arguments, "--", "test_mine.py")
    running.wait_for("armed", 2)  # the first one is the probe arm of the pre-flight
    time.sleep(0.3)
    return running


def test_a_signal_while_armed_ends_in_off_and_a_report(tmp_path):
    running = armed_for_ever(tmp_path)
    running.process.send_signal(signal.SIGTERM)
    code, said, complained = running.end()
    assert (code, complained) == (13, "")
    probed, state = running.records("safe_state")
    assert probed["confirmed"]
    assert state["confirmed"]
    (abort,) = running.records("abort")
    assert abort["off_confirmed"]
    assert [body["test"] for body in running.records("test_begin")] == ["test_mine:test_endless"]
    assert len(running.records("end")) == 1
    assert "SIGTERM: the runner goes to safe state" in said
    running.assert_reported(13)


def test_a_killed_runner_leaves_off_unconfirmed_and_a_report_that_says_so(tmp_path):
    running = armed_for_ever(tmp_path)
    os.kill(running.runner, signal.SIGKILL)
    code, said, complained = running.end()
    assert (code, complained) == (20, "")
    assert "SAFE STATE UNCONFIRMED" in said
    assert not running.records("end")
    running.assert_reported(20)
    assert "off was never proven: the runner was lost" in running.summary["reasons"][0]


def test_a_terminal_that_interrupts_both_is_one_interruption(tmp_path):
    running = armed_for_ever(tmp_path)
    runner = running.runner
    for process in (runner, running.process.pid):
        os.kill(process, signal.SIGINT)
    for _ in range(5):  # held
        time.sleep(0.02)
        running.process.send_signal(signal.SIGINT)
    code, said, complained = running.end()
    assert (code, complained) == (13, "")
    running.assert_reported(13)
    assert "aborted by SIGINT (Ctrl-C)" in said
    assert "off was confirmed" in said


def test_ctrl_c_at_the_supervisor_alone_is_told_as_what_it_is(tmp_path):
    """On a served bench the runner is in a group of its own: the terminal does not reach it."""
    running = armed_for_ever(tmp_path)
    running.process.send_signal(signal.SIGINT)
    code, said, complained = running.end()
    assert (code, complained) == (13, "")
    running.assert_reported(13)
    assert [body["cause"] for body in running.records("abort")] == ["signal SIGINT (Ctrl-C)"]
    assert running.summary["reasons"] == ["aborted by SIGINT (Ctrl-C)", "off was confirmed"]
    assert "  aborted by SIGINT (Ctrl-C)\n  off was confirmed\n" in said


def test_a_closed_pipe_does_not_end_a_run(tmp_path):
    running = Running(tmp_path, "--suite", "polarity")
    running.process.stdout.close()
    with running.process.stderr as complaints:
        assert running.process.wait(100) == 0
        assert complaints.read() == ""
    running.assert_reported(0)


def test_nothing_in_the_folder_or_environment_drops_a_test(tmp_path):
    (tmp_path / "pytest.ini").write_text("[pytest]\naddopts = -k nothing\n")
    (tmp_path / "conftest.py").write_text(
        "collect_ignore_glob = ['*']\n"
        "def pytest_collection_modifyitems(items): items.clear()\n"
        "def pytest_ignore_collect(): return True\n"
    )
    for name in ("hil_suites", "hil"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise SystemExit('a second copy')\n")
    (tmp_path / "random.py").write_text("raise SystemExit('not the random that was meant')\n")
    installed = tmp_path / "installed"  # as a plugin that runs failed tests again would be
    (installed / "again-1.0.dist-info").mkdir(parents=True)
    (installed / "again-1.0.dist-info" / "METADATA").write_text("Name: again\nVersion: 1.0\n")
    points = installed / "again-1.0.dist-info" / "entry_points.txt"
    points.write_text("[pytest11]\nagain = again\n")
    (installed / "again.py").write_text("raise SystemExit('an installed plugin was loaded')\n")
    env = {
        "PYTEST_ADDOPTS": "-k nothing",
        "PYTEST_PLUGINS": "nothing_of_that_name",
        "PYTHONPATH": os.pathsep.join(filter(None, (str(installed), os.environ.get("PYTHONPATH")))),
    }
    running = Running.__new__(Running)
    running.out = tmp_path / "runs"
    line = [sys.executable, "-P", *HIL[1:], "run", "--depth", "smoke", "--suite", "polarity"]
    running.process = subprocess.Popen(
        [*line, "--device", str(brisk.file(tmp_path))],
        cwd=tmp_path,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    code, said, complained = running.end()
    assert (code, complained) == (0, ""), said
    count = len(running.records("collected")[0]["items"])
    assert len(running.records("test_end")) == count
    assert {body["outcome"] for body in running.records("test_end")} == {"passed"}
    assert not any("conftest" in plugin for plugin in running.records("collected")[0]["plugins"])
    assert "\x1b" not in said  # plain lines where there is no terminal
    assert f"{count}/{count}" in said
    assert "PASS within a partial scope: only the suites polarity were asked for" in said


LID = """
[[requirement]]
id = "LID-1"
subject = "lid"
title = "An open lid stops the current"
text = "Within 500 ms of the lid being opened the current is off."
dimension = "time"
limit = { kind = "at most", figure = "500 ms" }
clause = "project"
source = "risk file, line 17"
status = "project"
"""
LID_TEST = (
    HEAD
    + """
@requirement("LID-1")
def test_open_lid_stops_the_current(bench, judge):
    with bench.armed(max_current=2.2 * mA) as run:
        run.start(2 * mA)
        run.wait(31 * s)
        opened = run.inject("open")
        run.wait(2 * s)
    judge("LID-1", run.record.current.time_to_below(10 * uA, after=opened))
"""
)


def test_a_users_own_requirement_and_test(tmp_path):
    text = brisk.text().replace("requirements = []", 'requirements = ["lid.toml"]')
    (tmp_path / "my.toml").write_text(text)
    (tmp_path / "lid.toml").write_text(LID)
    (tmp_path / "my_tests").mkdir()
    (tmp_path / "my_tests" / "test_lid.py").write_text(LID_TEST)
    arguments = ("--device", "my.toml", "--suite", "lid", "--", "my_tests/")
    running = Running(tmp_path, *arguments)
    code, said, complained = running.end()
    assert (code, complained) == (0, ""), said
    assert [body["requirement"] for body in running.records("judgement")] == ["LID-1"]
    running.assert_reported(0)


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [(["nonsense"], "nonsense"), (["--", "-n", "2"], "unrecognized arguments: -n")],
)
def test_what_pytest_refuses_is_a_usage_error(tmp_path, arguments, cause):
    running = Running(tmp_path, "--suite", "polarity", *arguments)
    code, said, _ = running.end()
    assert code == 11, said
    assert cause in running.records("refused")[0]["cause"]
    running.assert_reported(11)


def test_a_deselected_test_is_no_success(tmp_path):
    running = Running(tmp_path, "--suite", "ramping", "--", "-k", "takes_its_time")
    code, said, _ = running.end()
    assert code == 10
    assert "complies" not in said
    assert re.search(r"NO_VERDICT +RAMP-UP\b", said)
    assert "pytest was given -k takes_its_time" in running.summary["partial"]


def serve(tmp_path, scale):
    process = subprocess.Popen(
        [*HIL, "serve", "served.toml", "--scale", str(scale)],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while "Ctrl-C" not in process.stdout.readline() and time.monotonic() < deadline:
        continue
    return process


SERVED = (
    HEAD
    + """
@requirement("LIM-OFF")
def test_quiet(bench, judge):
    with bench.armed() as run:
        run.wait(2 * s)
    judge("LIM-OFF", abs(mean(run.record.current)))

@requirement("LIM-CEIL")
def test_stalled(bench, judge):
    with bench.armed() as run:
        run.start(1 * mA)
        run.wait(40 * s)
    judge("LIM-CEIL", peak(run.record.current))
"""
)


@pytest.mark.alone
def test_a_served_bench_and_a_stalled_runner(tmp_path):
    """The sentinel ends a runner that comes no further; what was judged before it stands."""
    server = serve(tmp_path, 5)
    try:
        (tmp_path / "test_mine.py").write_text(SERVED)
        arguments = ("--suite", "current-limits", "--bench", "served.toml", "--", "test_mine.py")
        running = Running(tmp_path, *arguments)
        running.wait_for("judgement")
        running.wait_for("armed", 3)  # after the probe arm and the first test
        time.sleep(3)
        os.kill(running.runner, signal.SIGSTOP)
        code, said, complained = running.end()
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=20)
    assert complained == ""
    assert code == 13, said
    (judged,) = running.records("judgement")
    assert (judged["requirement"], judged["verdict"]) == ("LIM-OFF", "PASS")
    assert [body["test"] for body in running.records("test_end")] == ["test_mine:test_quiet"]
    (sentinel,) = running.records("sentinel")
    (trip,) = sentinel["trips"]
    assert trip["confirmed"], trip
    assert "lease lapsed" in trip["cause"]
    assert "aborted: the sentinel tripped: the runner's lease lapsed" in said
    running.assert_reported(13)
    reason = running.records("run")[0]["expected_reason"]
    assert "served over the loopback interface, 5 bench seconds for each second" in reason
    assert not (tmp_path / "served.toml").exists()  # its ports are gone, and so is the file
    assert server.returncode == 0


def test_what_is_judged_is_what_was_planned():
    made = plan.make(Options())
    requirements = [plan.requirement_body(req) for req in made.requirements.values()]
    planned = {
        "device": {"text": made.profile.text},
        "bench": {"text": made.bench.text},
        "firmware": None,
        "software": software(),
        "catalogues": [{"text": text} for _, text in made.catalogues],
        "requirements": json.loads(json.dumps(requirements)),
    }
    plan.compare(made, planned)
    changes = (
        {"device": {"text": "other"}},
        {"bench": {"text": ""}},
        {"software": {}},
        {"catalogues": []},
        {"requirements": []},
    )
    for change in changes:
        with pytest.raises(UsageError, match="not as planned"):
            plan.compare(made, {**planned, **change})


@pytest.mark.parametrize(
    ("arguments", "partial"),
    [
        (["-v", "-q", "-vv", "--tb=short", "--pyargs", "hil_suites"], False),
        (["-k", "x"], True),
        (["-vkx"], True),
        (["--deselect=x"], True),
        (["hil_suites/compliance"], True),
        (["tests/"], True),
        (["-m", "slow"], True),
    ],
)
def test_what_may_drop_a_test_makes_the_scope_partial(arguments, partial):
    assert bool(plan.make(Options(), arguments).partial) is partial


def test_the_value_of_an_option_is_no_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    named = command(Options(), tmp_path, ["mine"], tmp_path / "x.ini")
    assert "hil_suites" not in named
    assert "--noconftest" not in named
    valued = command(Options(), tmp_path, ["-k", "mine"], tmp_path / "x.ini")
    assert "hil_suites" in valued
    assert "--noconftest" in valued


def test_exit_codes_are_those_of_the_table():
    assert [int(code) for code in ExitCode] == [0, 10, 11, 12, 13, 20]
