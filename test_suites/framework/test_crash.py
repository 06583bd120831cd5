"""Runner and supervisor are killed: nothing that was acknowledged is lost, and nothing turns green.

The crashes themselves, their seed and what must hold afterwards stand in test_suites/crash.
"""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hil.conclusion import conclude
from hil.verdict import Verdict
from hil_reports.evidence import read_journal, verify


def _load(name):
    path = Path(__file__).parents[1] / "crash" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(name, path)
    module = sys.modules[spec.name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


crash = _load("crash")


@pytest.mark.timeout(400)
def test_a_runner_that_is_killed_at_10_moments_of_its_life(tmp_path, capsys):
    """`make crash` kills 200."""
    killed, problems = crash.campaign(10, 7, 2, tmp_path)
    assert problems == []
    assert killed >= 7, capsys.readouterr().out  # the others had ended before their moment came


def test_a_lost_record_is_noticed(tmp_path):
    """The check of the campaign can fail: a line that was acknowledged and is gone is told."""
    (tmp_path / "data").mkdir()
    lines = [f'{{"n":{n}}}\n'.encode() for n in range(6)]
    journal, log = tmp_path / "data" / "journal.jsonl", tmp_path / "log"
    told = [f"append {crash.hashlib.sha256(line).hexdigest()}\n" for line in lines[2:]]
    log.write_text("".join([*told[:2], "barrier\n", *told[2:]]))
    journal.write_bytes(b"".join(lines))
    assert crash.lost(tmp_path, log, power=False) == []
    for kept, killed, cut in ((lines[:5], 1, 0), (lines[:3], 3, 1), (lines[1:2] + lines[3:], 1, 1)):
        journal.write_bytes(b"".join(kept))
        assert len(crash.lost(tmp_path, log, power=False)) == killed
        assert len(crash.lost(tmp_path, log, power=True)) == cut


# --- the supervisor ------------------------------------------------------------------------------

SHORT = """
from hil.features import peak
from hil.scenario import Scenario
from hil.units import mA, s
from hil_fixtures.suite import requirement

@requirement("LIM-CEIL")
def test_first(bench, judge):
    judge("LIM-CEIL", peak(bench.record(Scenario.treatment(1 * mA, hold=2 * s)).current))
"""
ENDLESS = (
    SHORT
    + """
@requirement("LIM-CEIL")
def test_endless(bench, judge):
    with bench.armed() as run:
        run.start(1 * mA)
        while True:
            run.wait(1 * s)
"""
)


class Supervised:
    """A `hil run` whose supervisor is to be killed."""

    def __init__(self, place, tests):
        self.place = place
        (place / "test_mine.py").write_text(tests)
        scope = ("--suite", "current-limits", "--depth", "smoke", "--", "test_mine.py")
        self.process = subprocess.Popen(
            [*crash.HIL, "run", "--out", "runs", *scope],
            cwd=place, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip
        self.runner = crash.runner_of(self.process)

    @property
    def environment(self):
        return {**os.environ, "XDG_CONFIG_HOME": str(self.place)}

    @property
    def folder(self):
        return crash.folder_in(self.place)

    def wait_for(self, kind, count=1):
        journal, mark = self.folder / "data" / "journal.jsonl", f'"kind":"{kind}"'
        deadline = time.monotonic() + 60
        while journal.read_text().count(mark) < count:
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def wait_for_runner(self):
        deadline = time.monotonic() + 60
        while Path(f"/proc/{self.runner}/stat").exists():
            if " Z " in Path(f"/proc/{self.runner}/stat").read_text():
                return
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def kill(self):
        self.process.kill()
        self.process.communicate()

    def seal(self):
        done = subprocess.run(
            [*crash.HIL, "seal", str(self.folder)],
            cwd=self.place, env=self.environment, capture_output=True, text=True, timeout=60,
            check=False,
        )  # fmt: skip
        return done.returncode, done.stdout + done.stderr

    def assert_sealed_complete(self):
        """Its one test passed, which is not the whole suite."""
        code, said = self.seal()
        assert code == 10, said
        found = self.assert_reported(10)
        assert found.complete
        assert [row.verdict for row in found.tests] == [Verdict.PASS]

    def assert_reported(self, code):
        found = conclude(read_journal(self.folder).records)
        assert int(found.exit_code) == code
        assert verify(self.folder).problems == ()
        assert crash.agreed(self.folder, found) == []
        return found


def test_a_killed_supervisor_leaves_a_runner_that_ends_and_a_run_that_can_be_sealed(tmp_path):
    running = Supervised(tmp_path, SHORT)
    running.wait_for("test_begin")
    running.kill()
    running.wait_for_runner()
    running.assert_sealed_complete()


@pytest.mark.parametrize("moment", [0.0, 0.5])
def test_a_supervisor_that_is_killed_while_it_seals(tmp_path, moment):
    running = Supervised(tmp_path, SHORT)
    running.wait_for_runner()
    time.sleep(moment)
    running.kill()
    running.assert_sealed_complete()


def test_supervisor_and_runner_are_killed(tmp_path):
    running = Supervised(tmp_path, ENDLESS)
    running.wait_for("armed", 3)  # after the probe arm and the first test
    running.kill()
    os.kill(running.runner, signal.SIGKILL)
    running.wait_for_runner()
    code, said = running.seal()
    assert code == 20, said
    rows = {row.test: row.verdict for row in running.assert_reported(20).tests}
    assert rows == {
        "test_mine:test_first": Verdict.PASS,
        "test_mine:test_endless": Verdict.NO_VERDICT,
    }
