"""One real run on a served bench, in processes that can be struck one by one.

Runner and supervisor are forked from this process, which has imported all that they need: a round
begins a second earlier. What runs in them is `hil run`, or plain pytest, and nothing of ours.
"""

from __future__ import annotations

import importlib
import json
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from chaos.blows import Blow, Part, Round
from chaos.ground import LIVE, Ground
from hil_fixtures import cli, plugin, supervisor
from hil_fixtures.plan import Options
from hil_fixtures.plan import make as made
from hil_fixtures.sentinel.ledger import FILE
from hil_reports.evidence import DATA

WARM = (plugin, supervisor)
"""Imported for those that are forked from here."""
WILD = '''
import random
from hil.errors import LimitExceeded
from hil.features import peak
from hil.units import mA, minute, s
from hil_fixtures.suite import requirement

DICE = random.Random({seed})


@requirement("LIM-CEIL")
def test_it(bench, judge):
    """Has passed once already when it begins to command inside and outside of its envelope."""
    with bench.armed() as run:
        run.start(1 * mA)
        run.wait(3 * s)
    judge("LIM-CEIL", peak(run.record.current))
    with bench.armed(max_current=2 * mA, max_charge=8 * mA * minute) as run:
        command = run.start
        try:
            while True:
                for milliamperes in (DICE.choice([3.5, 4.0]), DICE.choice([1.6, 1.8, 2.0])):
                    try:
                        command(milliamperes * mA)
                    except LimitExceeded as err:
                        if "envelope ends at" not in str(err):
                            raise
                    else:
                        command = run.change
                        run.wait(DICE.uniform(4, 12) * s)
        except LimitExceeded:
            pass
    judge("LIM-CEIL", peak(run.record.current))
'''
MODULES = {
    "current-limits": "hil_suites.compliance.test_current_limits",
    "ramping": "hil_suites.compliance.test_ramping",
    "polarity": "hil_suites.compliance.test_polarity",
    "fault-shutdown": "hil_suites.compliance.test_fault_shutdown",
    "dose": "hil_suites.properties.test_dose",
}
"""Treatment to the module that holds its tests."""
DEPTH = "full"
"""At which each of them runs; it is struck long before its end."""
_STARTING = 60.0
"""Seconds within which current flows."""
_GLANCE = 10e-3
_ENDING = 3.0
"""Seconds within which a run that was struck ends by itself; then its runner is killed."""
_GONE = 40.0
"""Seconds within which everybody has ended."""
_SIGNALS = {"killed": signal.SIGKILL, "stalled": signal.SIGSTOP}


class Ended(Exception):
    """The run was over before anything befell it."""


def forked(folder: Path, log: str, act: Callable[[], object]) -> int:
    """Do something in a process and a session of its own; return its process id.

    Args:
        folder: it works there.
        log: file in it that takes what it prints.
        act: what it does; its exit code is what that returns, or ends with.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    if pid := os.fork():
        return pid
    code: object = 70
    try:
        os.setsid()
        os.chdir(folder)
        os.environ["TMPDIR"] = tempfile.tempdir = str(folder)  # what a killed one leaves goes too
        target = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(target, 1)
        os.dup2(target, 2)
        code = act()
    except SystemExit as err:
        code = err.code
    except BaseException:
        traceback.print_exc()
    finally:
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(int(code) if isinstance(code, int) else int(code is not None))


def hil(*arguments: str) -> Callable[[], object]:
    """The command line `hil`."""

    def act() -> object:
        sys.argv = ["hil", *arguments]
        cli.main()
        return 0

    return act


def energising(treatment: str) -> list[str]:
    """Names of a suite's tests during which current flows, and which that suite alone selects.

    A module holds tests of other subjects' requirements too; with its own subject as the scope they
    are not run.
    """
    module = importlib.import_module(MODULES[treatment])
    own = set(made(Options(None, None, suites=(treatment,))).requirements)
    return sorted(
        name
        for name, test in vars(module).items()
        if name.startswith("test_")
        and "no_current" not in name
        and any(own & set(mark.args) for mark in test.pytestmark if mark.name == "requirement")
    )


class Course:
    """A run on its way."""

    def __init__(self, ground: Ground, folder: Path, plan: Round) -> None:
        """Start it; returns at once."""
        folder.mkdir(parents=True)
        ground.control.do("reset", seed=1)
        self.ground, self.plan, self.folder = ground, plan, folder
        self.top = forked(folder, "said.log", self._command())
        self.code: int | None = None
        """Exit code of the process that was started, once it has ended."""
        self.pids: dict[Part, int] = {}
        self._stalled: list[int] = []

    def _command(self) -> Callable[[], object]:
        plan, bench = self.plan, str(self.ground.file)
        suite, tests = "current-limits", ["test_wild.py"]
        if plan.treatment == "wild":
            (self.folder / "test_wild.py").write_text(WILD.format(seed=plan.number))
        else:
            suite, tests = plan.treatment, ["-k", self._test()]
        if plan.path == "hil run":
            told = ("--suite", suite, "--depth", DEPTH, "--bench", bench, "--", *tests)
            return hil("run", "--out", "runs", *told)
        (self.folder / "pytest.ini").write_text("[pytest]\n")
        options = ["-c", "pytest.ini", "-p", "no:cacheprovider", "-q", f"--hil-bench={bench}"]
        options += ["--hil-out=runs", f"--hil-suite={suite}", f"--hil-depth={DEPTH}"]
        if plan.treatment != "wild":
            options += ["--pyargs", MODULES[suite]]
        return lambda: pytest.main([*options, *tests])

    def _test(self) -> str:
        """One test of the suite, by the round's number."""
        tests = energising(self.plan.treatment)
        return tests[self.plan.number % len(tests)]

    def energised(self, moment: float) -> None:
        """Wait for the moment of the first blow; current flows then.

        Args:
            moment: seconds after the first current.

        Raises:
            Ended: the run was over before.
        """
        self._flowing(_STARTING)
        time.sleep(moment)
        self._flowing(_STARTING)
        runner = self.top if self.plan.path == "pytest" else self._child(b"pytest")
        self.pids = {
            Part.RUNNER: runner,
            Part.SUPERVISOR: self.top,
            Part.SENTINEL: self._child(b"hil_fixtures.sentinel"),
        }

    def _flowing(self, seconds: float) -> None:
        def flows() -> bool:
            if self.has_ended() or self.tripped():
                raise Ended(f"the run ended with {self.code}: {self.said}")
            return self.ground.driven > LIVE

        self.ground.until(flows, seconds, _GLANCE)

    def _child(self, word: bytes) -> int:
        children = Path(f"/proc/{self.top}/task/{self.top}/children").read_text().split()
        for child in children:
            with suppress(OSError):  # it has ended meanwhile
                if word in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                    return int(child)
        raise Ended(f"it has no child {word.decode()}: {self.said}")

    @property
    def said(self) -> str:
        """The end of what it printed."""
        return (self.folder / "said.log").read_text("utf-8", "replace")[-2000:]

    @property
    def evidence(self) -> Path:
        """Its run folder.

        Raises:
            Ended: it has none.
        """
        found = [path for path in (self.folder / "runs").glob("*") if path.is_dir()]
        if len(found) != 1:
            raise Ended(f"{len(found)} run folders: {self.said}")
        return found[0]

    def in_flight(self) -> str:
        """Identity of the test that has begun and not ended; empty if none has."""
        test = ""
        for line in (self.evidence / DATA / "journal.jsonl").read_bytes().split(b"\n")[:-1]:
            record: dict[str, Any] = json.loads(line)
            if record["kind"] in {"test_begin", "test_end"}:
                test = record["body"]["test"] if record["kind"] == "test_begin" else ""
        return test

    def strike(self, blow: Blow) -> None:
        """Let one thing befall one part."""
        do = self.ground.control.do
        if blow.part is Part.LINK:
            do("link", role=blow.role, set=[{"kind": blow.how}])
        elif blow.part is Part.INSTRUMENT:
            do("power", role=blow.role, on=False)
        elif blow.part is Part.DEVICE:
            do("supply", volts=0)
        else:
            with suppress(ProcessLookupError):  # an earlier blow has ended it
                os.kill(self.pids[blow.part], _SIGNALS[blow.how])
            if blow.how == "stalled":
                self._stalled.append(self.pids[blow.part])

    def mend(self) -> None:
        """Give back links and power."""
        for role in self.ground.description.instruments:
            self.ground.control.do("link", role=role, set=[])
            if role != "stimulator":
                self.ground.control.do("power", role=role, on=True)

    def go_on(self) -> None:
        """Let those go on that were stalled."""
        for pid in self._stalled:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

    def end(self) -> list[str]:
        """Wait until everybody has ended; kill the runner of a run that does not end by itself.

        Returns:
            What is wrong; empty if nothing.
        """
        if not self._wait(partial(self._alive, Part.RUNNER), _ENDING):
            with suppress(ProcessLookupError):
                os.kill(self.pids[Part.RUNNER], signal.SIGKILL)
        left = [
            f"{part.value} did not end within {_GONE:g} s"
            for part in self.pids
            if not self._wait(partial(self._alive, part), _GONE)
        ]
        self.kill()
        return left

    def kill(self) -> None:
        """End whoever is left."""
        for pid in {self.top, *self.pids.values()}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not self._wait(lambda: not self.has_ended(), _GONE):
            raise RuntimeError(f"process {self.top} was killed and has not ended in {_GONE:g} s")

    def _wait(self, alive: Callable[[], bool], seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while alive():
            if time.monotonic() > deadline:
                return False
            time.sleep(_GLANCE)
        return True

    def _alive(self, part: Part) -> bool:
        if self.pids[part] == self.top:
            return not self.has_ended()
        try:
            status = Path(f"/proc/{self.pids[part]}/stat").read_text()
        except OSError:
            return False
        return status.rpartition(")")[2].split()[0] not in "ZX"

    def has_ended(self) -> bool:
        """Whether the process that was started has ended; `code` is then known."""
        if self.code is None:
            pid, status = os.waitpid(self.top, os.WNOHANG)
            if pid:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None

    def tripped(self) -> bool:
        """Whether the sentinel wrote that it tripped."""
        found = (self.folder / "runs").glob(f"*/{DATA}/{FILE}")
        return any(b'"kind":"trip"' in path.read_bytes() for path in found)
