"""Everything that is not a PASS, each line driven through the whole chain to every report.

The baseline is a run that is green everywhere, so that what turns red does so by its line alone.
What the chain cannot make, such as an instrument that is real, is made in the journal of a run.
"""

import contextlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from framework import brisk
from hil.conclusion import conclude
from hil.journal import Chain
from hil.measurement import Calibration
from hil.verdict import ExitCode, Verdict
from hil_instruments import drivers
from hil_reports.allure import LABEL, STATUS, reconcile
from hil_reports.evidence import read_journal
from hil_reports.junit import junit_xml
from hil_reports.summary import PATHS, summary_json

REQUIREMENTS = "".join(
    f"""
[[requirement]]
id = "{name}"
subject = "row"
title = "The current stays below its limit"
text = "The current does not exceed 4.2 mA."
dimension = "current"
limit = {{ kind = "at most", figure = "4.2 mA" }}
clause = "project"
source = "risk file, line 17"
status = "project"
"""
    for name in ("ROW", "OTHER")
)
HEAD = """
import contextlib, os, signal
from dataclasses import replace
from decimal import Decimal
import pytest
from hil.features import peak
from hil.scenario import Scenario
from hil.units import mA, s
from hil_fixtures.suite import requirement

SHORT = Scenario.treatment(1 * mA, hold=2 * s)
"""
OTHER = """
@requirement("OTHER")
def test_other(bench, judge):
    judge("OTHER", peak(bench.record(SHORT).current))
"""
GOOD = """
@requirement("ROW")
def test_row(bench, judge):
    judge("ROW", peak(bench.record(SHORT).current))
"""


def judging(value, before="pass"):
    """A test that judges one value."""
    return f"""
@requirement("ROW")
def test_row(bench, judge):
    {before}
    judge("ROW", {value})
"""


@dataclass
class Left:
    """What a run left behind."""

    code: int
    """Exit code of the process that ran the tests."""
    folder: Path
    said: str

    def verdict(self, requirement="ROW"):
        rows = conclude(read_journal(self.folder).records).requirements
        (found,) = [row for row in rows if row.requirement["id"] == requirement]
        return found.verdict

    def remark(self, requirement="ROW"):
        rows = conclude(read_journal(self.folder).records).requirements
        return next(row.remark for row in rows if row.requirement["id"] == requirement)


@pytest.fixture
def bench_files(tmp_path):
    """A device file whose own requirements are the scope; the command line's options for it."""
    device = brisk.text().replace("requirements = []", 'requirements = ["row.toml"]')
    (tmp_path / "my.toml").write_text(device)
    (tmp_path / "row.toml").write_text(REQUIREMENTS)
    (tmp_path / "mine").mkdir()
    return tmp_path


@pytest.fixture
def run(bench_files):
    """Write the test module, a conftest.py and others, and run them in this process."""

    def write_and_run(body, *options, conftest="", **others):
        _write(bench_files, body, conftest, others)
        return _in_process(bench_files, *options)

    return write_and_run


def _write(root, body, conftest, others):
    (root / "mine" / "test_mine.py").write_text(HEAD + body)
    (root / "mine" / "conftest.py").write_text(conftest)
    for name, text in others.items():
        (root / "mine" / f"{name}.py").write_text(HEAD + text)


def _arguments(root):
    mine = str(root / "mine")
    pytest_own = [mine, f"--rootdir={mine}", "-c", "/dev/null", "--import-mode=importlib"]
    plugins = ["-p", "no:timeout", "-o", f"cache_dir={root / 'cache'}"]
    ours = [f"--hil-out={root / 'runs'}", f"--hil-device={root / 'my.toml'}", "--hil-suite=row"]
    return [*pytest_own, *plugins, *ours, f"--alluredir={root / 'allure-results'}"]


def _in_process(root, *options):
    before, said = set(sys.modules), io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main([*_arguments(root), *options])
    for name in set(sys.modules) - before:
        if str(root) in (getattr(sys.modules[name], "__file__", None) or ""):
            del sys.modules[name]
    return _left(root, int(code), said.getvalue())


def _process(root, *options):
    line = [sys.executable, "-m", "pytest", *_arguments(root), *options]
    done = subprocess.run(line, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    return _left(root, done.returncode, done.stdout + done.stderr)


def _supervised(root):
    """`hil run`, whose exit code is the run's."""
    line = [sys.executable, "-c", "from hil_fixtures.cli import main; main()", "run"]
    line += ["--out", "runs", "--device", "my.toml", "--suite", "row", "--", "mine"]
    done = subprocess.run(line, cwd=root, capture_output=True, text=True, timeout=60, check=False)
    (folder,) = [path for path in (root / "runs").iterdir() if path.is_dir()]
    return Left(done.returncode, folder, done.stdout + done.stderr)


def _left(root, code, said):
    (folder,) = [path for path in (root / "runs").iterdir() if path.is_dir()]
    (folder / "report").mkdir(exist_ok=True)
    os.rename(root / "allure-results", folder / "report" / "allure-results")
    _write_views(folder)
    return Left(code, folder, said)


def _write_views(folder):
    """What programs read; the pages for people are made from the same conclusion."""
    found = conclude(read_journal(folder).records)
    reconcile(folder / PATHS["allure"], found)
    (folder / PATHS["junit"]).write_text(junit_xml(found))
    (folder / "report" / "summary.json").write_text(summary_json(found))


# --- what every report must say ------------------------------------------------------------------


def summary(left):
    return json.loads((left.folder / "report" / "summary.json").read_text())


def junit(left):
    suite = ET.parse(left.folder / "report" / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    return suite


def allure(left):
    """Status by the test's identity, as any reader of the folder finds it; one result a test."""
    found = {}
    for path in (left.folder / "report" / "allure-results").glob("*-result.json"):
        result = json.loads(path.read_text())
        labels = {label["name"]: label["value"] for label in result.get("labels", [])}
        name = labels.get(LABEL, result["name"])
        assert name not in found
        found[name] = result["status"]
    return found


ELEMENT = {
    Verdict.FAIL: "failure",
    Verdict.INCONCLUSIVE: "failure",
    Verdict.ERROR: "error",
    Verdict.NO_VERDICT: "error",
    Verdict.NOT_EVALUATED: "skipped",
    Verdict.NOT_APPLICABLE: "skipped",
    Verdict.PASS: None,
}


def assert_agreed(left):
    """Journal, summary, JUnit and Allure say the same of the run and of every test."""
    found = conclude(read_journal(left.folder).records)
    assert summary(left)["exit_code"] == int(found.exit_code)
    told = {name: row["verdict"] for name, row in summary(left)["requirements"].items()}
    assert told == {row.requirement["id"]: row.verdict.value for row in found.requirements}
    suite, statuses = junit(left), allure(left)
    properties = {p.get("name"): p.get("value") for p in suite.find("properties") or ()}
    assert properties["exit_code"] == str(int(found.exit_code))
    cases = {f"{c.get('classname')}:{c.get('name')}": c for c in suite.iter("testcase")}
    for row in found.tests:
        elements = [child.tag for child in cases[row.test] if child.tag != "properties"]
        assert elements == ([ELEMENT[row.verdict]] if ELEMENT[row.verdict] else [])
        assert statuses[row.test] == STATUS[row.verdict]
    passed = {name for name, status in statuses.items() if status == "passed"}
    assert passed == {row.test for row in found.tests if row.verdict is Verdict.PASS}
    return found


def assert_green(left):
    found = assert_agreed(left)
    assert (left.code, found.exit_code, found.verdict) == (0, ExitCode.COMPLIES, Verdict.PASS)
    assert found.reasons == ()
    assert (junit(left).get("failures"), junit(left).get("errors")) == ("0", "0")
    assert set(allure(left).values()) == {"passed"}


def assert_not_green(left):
    found = assert_agreed(left)
    assert found.exit_code is not ExitCode.COMPLIES
    assert not found.complies
    assert found.reasons
    assert left.code != 0
    assert int(junit(left).get("failures")) + int(junit(left).get("errors")) > 0
    assert {"failed", "broken"} & set(allure(left).values())
    return found


# --- the table -----------------------------------------------------------------------------------


@pytest.mark.parametrize("body", ["GOOD", "SUBTESTS"])
def test_the_baseline_is_green_everywhere(run, body):
    row = GOOD if body == "GOOD" else SUBTESTS.format("judge('ROW', measured)")
    assert_green(run(row + OTHER))


NOT_FINITE = "replace(peak(bench.record(SHORT).current), value=Decimal('{}'))"
FOREIGN = """
import numpy as np
from hil.capture import Accuracy, Capture, Source
from hil.exact import Dimension
from hil.journal import Chain
from hil.measurement import Calibration
from hil.waveform import Waveform

def foreign(bench):
    of = bench.record(SHORT).current.capture
    return peak(Waveform(replace(of, samples=np.array(of.samples) * 0.5), {}))
"""
METER = """
@pytest.fixture
def broken(bench, monkeypatch):
    "The ammeter is broken again after each restart of the bench, which repairs it."
    from hil_instruments.simulated.metrology.fault import MeterFault
    station = bench.station
    restart = station.restart
    def restart_and_break(seed):
        restart(seed)
        station.twin.instruments["ammeter"].fault = MeterFault(%s)
    monkeypatch.setattr(station, "restart", restart_and_break)

@requirement("ROW")
def test_row(bench, judge, broken):
    judge("ROW", peak(bench.record(Scenario.treatment(1 * mA, hold=3 * s)).current))
"""
TWICE = """
def pytest_collection_modifyitems(items):
    items[:] = [*items, *items]
"""
RERUN = """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    for attempt in range(2):
        item._initrequest()
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""
FLAKY = """
COUNT = []
@requirement("ROW")
def test_row(bench, judge):
    COUNT.append(1)
    assert len(COUNT) > 1
    judge("ROW", peak(bench.record(SHORT).current))
"""
HIDDEN = """
import pytest
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if item.name != "test_row"]
"""
NO_BODY = """
import pytest
@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem):
    return pyfuncitem.name == "test_row" or None
"""
LIAR = """
import pytest
@pytest.hookimpl(wrapper=True, {0}=True)
def pytest_runtest_makereport(item, call):
    report = yield
    report.outcome, report.longrepr = "passed", None
    return report
"""
BROKEN_AFTER = GOOD + "    raise RuntimeError('mine')\n"
DUPLICATES = """
COUNT = []
@pytest.mark.parametrize("twin", [1, 1]{})
@requirement("ROW")
def test_row(bench, judge, twin):
    COUNT.append(1)
    measured = peak(bench.record(SHORT).current)
    over = measured + measured + measured + measured + measured
    judge("ROW", over if len(COUNT) == 1 else measured)
"""
SUBTESTS = """
@requirement("ROW")
def test_row(bench, judge, subtests):
    measured = peak(bench.record(SHORT).current)
    for i in range(2):
        with subtests.test(i=i):
            {}
"""
OTHER_ID = "test_mine:test_other"
KEPT = """
KEPT = {}
@requirement("OTHER")
def test_other(bench, judge):
    KEPT["record"], KEPT["judge"] = bench.record(SHORT), judge
    KEPT["measured"] = peak(bench.record(SHORT).current)
    judge("OTHER", KEPT["measured"])
"""
FIVE = "peak(bench.record(SHORT).current)" + " + peak(bench.record(SHORT).current)" * 4
ROWS = {
    # a value that is none
    "missing reading": (judging("None"), "ERROR"),
    "a number without unit and budget": (judging("0.001"), "ERROR"),
    "a quantity without a budget": (judging("1 * mA"), "ERROR"),
    "True": (judging("True"), "ERROR"),
    "NaN": (judging(NOT_FINITE.format("NaN")), "ERROR"),
    "signalling NaN": (judging(NOT_FINITE.format("sNaN")), "ERROR"),
    "infinite": (judging(NOT_FINITE.format("Infinity")), "ERROR"),
    "infinite, on the good side": (judging(NOT_FINITE.format("-Infinity")), "ERROR"),
    "wrong dimension": (judging("peak(bench.record(SHORT).voltage)"), "ERROR"),
    "no budget": (judging("replace(peak(bench.record(SHORT).current), components=())"), "ERROR"),
    # stale
    "capture of no record": (FOREIGN + judging("foreign(bench)"), "ERROR"),
    "measurement kept from another test": (KEPT + judging("KEPT['measured']"), "ERROR"),
    "record kept from another test": (KEPT + judging("peak(KEPT['record'].current)"), "ERROR"),
    "stale beside fresh": (
        KEPT
        + judging("KEPT['measured'] - peak(bench.record(LONG).current)").replace(
            "@requirement", "LONG = Scenario.treatment(1 * mA, hold=3 * s)\n@requirement"
        ),
        "ERROR",
    ),
    # beyond the limit
    "beyond the limit": (judging(FIVE), "FAIL"),
    "beyond the limit, and not the second time": (
        judging("peak(bench.record(SHORT).current)", f'judge("ROW", {FIVE})'),
        "FAIL",
    ),
    # not judged
    "judge never called": (judging("0", "return"), "NO_VERDICT"),
    "judge after a swallowed exception": (
        judging("0", 'with contextlib.suppress(Exception): judge("ROW", 1 / 0)\n    return'),
        "NO_VERDICT",
    ),
    "a swallowed complaint of judge": (
        judging(
            "0", 'with contextlib.suppress(Exception): judge("NO", bench.record(SHORT))\n    return'
        ),
        "NO_VERDICT",
    ),
    "a FAIL in a swallowed block": (
        judging("0", f'with contextlib.suppress(BaseException): judge("ROW", {FIVE})\n    return'),
        "FAIL",
    ),
    "another test's judge": (
        KEPT + judging("0", 'KEPT["judge"]("OTHER", KEPT["measured"])\n    return'),
        "NO_VERDICT",
    ),
    "a judge of its own": (
        "def judge_all(): pass\n" + GOOD.replace("judge(", "(lambda *a: judge_all())("),
        "NO_VERDICT",
    ),
    "async": (GOOD.replace("def test", "async def test"), "ERROR"),
    # broken
    "exception after the verdict": (BROKEN_AFTER, "ERROR"),
    "assert after the verdict": (GOOD + "    assert not judge\n", "ERROR"),
    "sys.exit after the verdict": (GOOD + "    raise SystemExit(0)\n", "ERROR"),
    "exception in a subtest": (SUBTESTS.format("judge('ROW', measured); assert i"), "ERROR"),
    "PASS in subtests, one of which ends early": (
        SUBTESTS.format("judge('ROW', measured); i or pytest.skip('later')"),
        "NO_VERDICT",
    ),
    "FAIL in a subtest": (
        SUBTESTS.format(
            "judge('ROW', measured if i else measured + measured + measured + measured + measured)"
        ),
        "FAIL",
    ),
    # skipped
    "skip": ("@pytest.mark.skip" + GOOD, "NO_VERDICT"),
    "skipif": ("@pytest.mark.skipif(True, reason='later')" + GOOD, "NO_VERDICT"),
    "skip after the verdict": (GOOD + "    pytest.skip('later')\n", "NO_VERDICT"),
    "xfail": ("@pytest.mark.xfail" + BROKEN_AFTER, "NO_VERDICT"),
    "xpass": ("@pytest.mark.xfail" + GOOD, "NO_VERDICT"),
    "xpass, strict": ("@pytest.mark.xfail(strict=True)" + GOOD, "NO_VERDICT"),
    "xfail, a FAIL": ("@pytest.mark.xfail" + judging(FIVE), "FAIL"),
    "xfail in the body": (GOOD + "    pytest.xfail('known')\n", "NO_VERDICT"),
    "a whole module skipped": ("pytest.skip('later', allow_module_level=True)\n", "NO_VERDICT"),
    "a load that the bench lacks": (
        judging("peak(bench.record(Scenario.treatment(1 * mA, load='sofa')).current)"),
        "NOT_EVALUATED",
    ),
    # interrupted
    "KeyboardInterrupt": (GOOD + "    raise KeyboardInterrupt\n", "NO_VERDICT"),
    "pytest.exit": (GOOD + "    pytest.exit('operator abort')\n", "NO_VERDICT"),
    "pytest.exit with code 0": (GOOD + "    pytest.exit('enough', returncode=0)\n", "NO_VERDICT"),
    # the same twice
    "duplicate parameter set": (DUPLICATES.format(""), "FAIL"),
    "duplicate ids": (DUPLICATES.format(", ids=['a', 'a']"), "FAIL"),
    # nothing
    "zero tests": ("", "NO_VERDICT"),
    "a test without a requirement in place of the one": (
        GOOD.replace('@requirement("ROW")\n', "").replace('judge("ROW", ', "("),
        "NO_VERDICT",
    ),
}


@pytest.mark.parametrize("line", ROWS)
def test_line_of_the_table(run, line):
    body, verdict = ROWS[line]
    left = run(body, test_healthy=OTHER) if "KEPT" not in body else run(body)
    assert_not_green(left)
    assert left.verdict() is Verdict(verdict)


@pytest.mark.parametrize("line", ["KeyboardInterrupt", "pytest.exit", "pytest.exit with code 0"])
def test_a_run_that_was_interrupted_did_not_end_by_itself(run, line):
    found = assert_not_green(run(ROWS[line][0], test_healthy=OTHER))
    assert not found.complete
    assert found.exit_code is ExitCode.ABORTED_OFF
    assert found.aborts[0]["cause"].startswith(("KeyboardInterrupt", "Exit"))


ARGUMENTS = {
    "-k": ("-k", "other"),
    "-m": ("-m", "not slow"),
    "--deselect": ("--deselect", "test_mine.py::test_row"),
    "--collect-only": ("--collect-only",),
    "--setup-only": ("--setup-only",),
    "--setup-plan": ("--setup-plan",),
    "--ignore": ("--ignore-glob=/*/test_mine.py",),
}


@pytest.mark.parametrize("options", ARGUMENTS.values(), ids=ARGUMENTS)
def test_collected_and_not_run(run, options):
    slow = "pytestmark = pytest.mark.slow\n" if "-m" in options else ""
    left = run(slow + GOOD, *options, test_healthy=OTHER, conftest=SLOW)
    assert_not_green(left)
    assert left.verdict() is Verdict.NO_VERDICT


SLOW = """
def pytest_configure(config):
    config.addinivalue_line("markers", "slow: none")
"""


def test_only_what_failed_last_time(run, bench_files):
    cache = bench_files / "cache" / "v" / "cache"
    cache.mkdir(parents=True)
    (cache / "lastfailed").write_text('{"test_healthy.py::test_other": true}')
    left = run(GOOD, "--lf", test_healthy=OTHER)
    assert_not_green(left)
    assert left.verdict() is Verdict.NO_VERDICT
    assert left.verdict("OTHER") is Verdict.PASS


@pytest.mark.parametrize("option", ["-x", "--maxfail=1"])
def test_a_session_that_stops_at_the_first_failure(run, option):
    left = run(OTHER.replace("judge(", "assert judge is None; judge(") + GOOD, option)
    assert_not_green(left)
    assert left.verdict("OTHER") is Verdict.ERROR
    assert left.verdict() is Verdict.NO_VERDICT
    assert "test_mine:test_row never started" in left.remark()


CONFTESTS = {
    "hidden by a conftest": (HIDDEN, GOOD, "NO_VERDICT"),
    "the body never runs": (NO_BODY, GOOD, "NO_VERDICT"),
    "run twice, both times well": (TWICE, GOOD, "NO_VERDICT"),
    "run twice, the second time well": (TWICE, FLAKY, "ERROR"),
    "retried by a plugin": (RERUN, GOOD, "NO_VERDICT"),
    "retried until it passes": (RERUN, FLAKY, "ERROR"),
    "a hook that says passed, from outside": (LIAR.format("tryfirst"), BROKEN_AFTER, "ERROR"),
    "a hook that says passed, from inside": (LIAR.format("trylast"), BROKEN_AFTER, "ERROR"),
}


@pytest.mark.parametrize("line", CONFTESTS)
def test_line_made_by_a_conftest(run, line):
    conftest, body, verdict = CONFTESTS[line]
    left = run(body, test_healthy=OTHER, conftest=conftest)
    assert_not_green(left)
    assert left.verdict() is Verdict(verdict)


@pytest.mark.parametrize("state", [Calibration.EXPIRED, Calibration.UNKNOWN])
def test_out_of_calibration(run, monkeypatch, state):
    monkeypatch.setattr(drivers, "calibration_of", lambda entry, serial, today: state)
    left = run(GOOD + OTHER)
    assert_not_green(left)
    assert left.verdict() is Verdict.INCONCLUSIVE


METERS = {
    "overload": ("scale=1e4", "ERROR"),
    "reversed leads": ("scale=-1.0", "ERROR"),
    "stuck at zero": ("stuck=0.0", "ERROR"),
}


@pytest.mark.parametrize("line", METERS)
def test_an_ammeter_that_cannot_be_believed(run, line):
    """Neither a PASS, nor a FAIL that blames the device: the second path contradicts the meter."""
    fault, verdict = METERS[line]
    left = run(METER % fault, test_healthy=OTHER)
    assert_not_green(left)
    assert left.verdict() is Verdict(verdict)


@pytest.mark.parametrize(
    ("options", "verdict"), [((), "NO_VERDICT"), (("--continue-on-collection-errors",), "PASS")]
)
def test_a_module_that_cannot_be_collected(run, options, verdict):
    left = run(GOOD + OTHER, *options, test_broken="import nothing_of_that_name\n")
    found = assert_not_green(left)
    assert left.verdict() is Verdict(verdict)  # nothing is green even then: a module is missing
    assert "nothing_of_that_name" in found.collection_errors[0]


def test_simulated_where_hardware_was_asked(run):
    left = run(GOOD + OTHER, "--hil-require=hardware")
    found = assert_not_green(left)
    assert (left.verdict(), left.verdict("OTHER")) == (Verdict.PASS, Verdict.PASS)
    assert "SIMULATED" in found.reasons[0]
    assert {"broken", "passed"} == set(allure(left).values())


@pytest.mark.parametrize("value", ["KEPT['measured']", "peak(KEPT['record'].current)"])
def test_a_stale_value_fails_its_test_at_once(run, value):
    """The author sees it, not only who reads the journal afterwards."""
    left = run(KEPT + judging(value))
    (body,) = [body for body in of_kind(journal_of(left), "judgement") if body["test"] != OTHER_ID]
    assert body["verdict"] == "ERROR"
    assert "stale: test_mine:test_row neither recorded nor recalled" in body["reason"]
    assert "stale" in left.said


def test_two_tests_of_one_identity_are_refused(run, bench_files):
    (bench_files / "mine" / "deeper").mkdir()
    (bench_files / "mine" / "deeper" / "test_mine.py").write_text(HEAD + GOOD)
    left = run(GOOD + OTHER)
    found = assert_not_green(left)
    assert found.exit_code is ExitCode.USAGE
    assert left.verdict() is Verdict.NO_VERDICT


# --- what the chain cannot make: made in the journal of a run that was green ----------------------


def journal_of(left):
    return [(r.kind, json.loads(json.dumps(r.body))) for r in read_journal(left.folder).records]


def rewritten(left, entries, end=None):
    """Another journal in the place of a run's, well chained, and the views made of it."""
    chain, last = Chain(), datetime.now(UTC)
    lines = []
    for kind, body in entries:
        utc = end if end and kind == "end" else last
        lines.append(chain.append(kind, body, utc=utc, bench=None).line)
    text = "".join(f"{line.rstrip()}\n" for line in lines)
    (left.folder / "data" / "journal.jsonl").write_text(text)
    _write_views(left.folder)
    return Left(1, left.folder, "")


def of_kind(entries, kind):
    return [body for name, body in entries if name == kind]


def made_real(entries, due):
    """The ammeter's serial number is no longer one of a simulated instrument."""
    (ammeter,) = [body for body in of_kind(entries, "instrument") if body["role"] == "ammeter"]
    serial, ammeter["serial"], ammeter["due"] = ammeter["serial"], "MY1", due.isoformat()
    for body in of_kind(entries, "judgement"):
        held = body["measured"]["instruments"]
        assert serial in held
        held[held.index(serial)] = "MY1"


def test_a_calibration_that_expires_during_the_run(run):
    left = run(GOOD + OTHER)
    entries, now = journal_of(left), datetime.now(UTC)
    made_real(entries, now.date())
    assert left.verdict() is Verdict.PASS
    rewritten(left, entries)
    assert left.verdict() is Verdict.PASS  # the due day itself
    assert_not_green(rewritten(left, entries, end=now + timedelta(days=1)))
    assert left.verdict() is Verdict.INCONCLUSIVE
    assert "expired" in left.remark()


def test_an_instrument_that_nobody_identified(run):
    left = run(GOOD + OTHER)
    entries = [entry for entry in journal_of(left) if entry[0] != "instrument"]
    assert_not_green(rewritten(left, entries))
    assert left.verdict() is Verdict.ERROR


def moved(entries, kind, behind):
    """The last record of a kind stands behind the last one of another."""
    place = max(n for n, (name, _) in enumerate(entries) if name == kind)
    entry = entries.pop(place)
    entries.insert(1 + max(n for n, (name, _) in enumerate(entries) if name == behind), entry)


def test_a_judgement_that_comes_after_the_end_of_its_test(run):
    left = run(GOOD)
    entries = journal_of(left)
    moved(entries, "judgement", "test_end")
    assert_not_green(rewritten(left, entries))
    assert left.verdict() is Verdict.ERROR


def test_a_judgement_that_comes_before_its_capture(run):
    left = run(GOOD + OTHER)
    entries = journal_of(left)
    moved(entries, "record", "judgement")
    assert_not_green(rewritten(left, entries))
    assert left.verdict() is Verdict.ERROR


@pytest.mark.parametrize("word", ["OK", "pass", "PASSED", ""])
def test_a_word_that_is_no_verdict(run, word):
    left = run(GOOD + OTHER)
    entries = journal_of(left)
    of_kind(entries, "judgement")[0]["verdict"] = word
    assert_not_green(rewritten(left, entries))
    assert left.verdict() is Verdict.ERROR


@pytest.mark.parametrize("kind", ["collected", "test_begin", "test_end", "judgement", "end"])
def test_a_record_that_is_missing(run, kind):
    left = run(GOOD)
    entries = [entry for entry in journal_of(left) if entry[0] != kind]
    assert_not_green(rewritten(left, entries))


# --- processes that are lost ---------------------------------------------------------------------

LOST = {
    "os._exit(0)": "os._exit(0)",
    "os.abort": "os.abort()",
    "segmentation fault": "import ctypes; ctypes.string_at(0)",
    "kill -9": "os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.mark.parametrize("line", LOST)
def test_a_runner_that_is_lost(bench_files, line):
    _write(bench_files, OTHER + GOOD + f"    {LOST[line]}\n", "", {})
    left = _supervised(bench_files)
    found = assert_not_green(left)
    assert (left.code, left.verdict()) == (10, Verdict.NO_VERDICT)  # off was proven before
    assert left.verdict("OTHER") is Verdict.PASS
    assert not found.complete
    assert found.reasons[0] == "the runner did not end by itself"


def test_a_runner_that_is_lost_while_armed(bench_files):
    armed = "with bench.armed() as run:\n        run.start(1 * mA)\n        os._exit(0)"
    _write(bench_files, OTHER + judging("0", armed), "", {})
    left = _supervised(bench_files)
    assert_not_green(left)
    assert (left.code, left.verdict()) == (20, Verdict.NO_VERDICT)


@pytest.mark.parametrize(
    ("name", "armed"), [("SIGINT", True), ("SIGTERM", True), ("SIGHUP", False)]
)
def test_a_signal(bench_files, name, armed):
    send = f"os.kill(os.getpid(), signal.{name})"
    within = f"with bench.armed() as run:\n        {send}\n        run.wait(1 * s)"
    _write(bench_files, OTHER + judging("0", within if armed else send) + OTHER_TOO, "", {})
    left = _process(bench_files)
    found = assert_not_green(left)
    assert found.exit_code is ExitCode.ABORTED_OFF
    assert not found.complete
    assert name in found.reasons[0]
    assert left.verdict("OTHER") is Verdict.NO_VERDICT  # one of its two tests never started
    if armed:
        assert left.verdict() is Verdict.NO_VERDICT


OTHER_TOO = OTHER.replace("test_other", "test_other_too")
