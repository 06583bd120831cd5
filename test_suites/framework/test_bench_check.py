"""A look at a bench: each instrument by itself, then what needs all of them."""

import contextlib
import dataclasses
import itertools
import re
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyvisa import constants
from pyvisa.errors import VisaIOError

from framework import brisk, switches
from hil.errors import BenchError
from hil.verdict import ExitCode
from hil_fixtures import cli, inspection, plan
from hil_fixtures.cli import bench as cli_bench
from hil_fixtures.config import read_bench, read_device, starter, write_bench
from hil_fixtures.inspection import CLOCK, Inspection, calibrated, queue, told_time
from hil_fixtures.service import pointed_at
from hil_instruments.drivers.calendars import CALENDARS
from hil_instruments.simulated import backend
from hil_instruments.simulated import bench as simulated
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.servers.served import BenchServer, Protocol

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def rows(*, bench=None, faults=(), roles=(), arm=True):
    journal = []
    look = Inspection(
        plan.make(plan.Options(None, bench, faults=faults)),
        lambda kind, body: journal.append((kind, body)),
        lambda *said: None,
        Path(),  # an account in memory
    )
    return list(look.rows(roles, arm=arm)), journal


def test_one_role_leaves_the_device_alone():
    found, journal = rows(roles=("ammeter",))
    assert [row.check.name for row in found] == ["identity", "error queue", "clock", "self-test"]
    assert all(row.passed for row in found)
    assert {kind for kind, _ in journal} == {"bench_step"}


def test_the_whole_bench_comes_out_and_its_account_is_intact(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["hil", "bench", "check", "--no-arm"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    said = capsys.readouterr().out
    assert ended.value.code == 0, said
    assert "stage B" not in said
    (account,) = (tmp_path / "checks").iterdir()
    journal = (account / "data" / "journal.jsonl").read_text(encoding="utf-8")
    assert '"armed"' not in journal
    assert '"conformance"' in journal
    monkeypatch.setattr(sys, "argv", ["hil", "verify", str(account)])
    with pytest.raises(SystemExit):
        cli.main()
    assert "INTACT" in capsys.readouterr().out


class Scripted:
    """A session that answers with what it was given, one reply after the other."""

    def __init__(self, *replies):
        self.replies = list(replies)

    def query(self, text):
        assert text == "SYST:ERR?"
        return self.replies.pop(0)


def test_what_stands_in_an_error_queue_is_told_and_read_away():
    session = Scripted('-222,"Data out of range"', '0,"No error"')
    found = queue(session)
    assert not found.passed
    assert "-222" in found.measured
    assert "check again" in found.remark
    assert not session.replies
    assert queue(Scripted('+0,"No error"')).passed


def test_an_error_queue_that_never_ends_is_given_up():
    found = queue(Scripted(*['-350,"Queue overflow"'] * 60))
    assert not found.passed


def test_a_device_beyond_its_limit_at_its_smallest_setting_does_not_pass():
    found, journal = rows(faults=("F75",))
    wrong = [row for row in found if not row.passed]
    broken = [row.check.requirement for row in wrong if row.subject == "stage B"]
    assert broken == ["LIM-CEIL", "LIM-CEIL"]
    kinds = [kind for kind, _ in journal if kind in {"armed", "safe_state"}]
    assert kinds == ["armed", "safe_state"]


# --- what may be wrong with one instrument --------------------------------------------------------


def off(twin):
    twin.instruments["voltmeter"].set_mains(False)


def failed(twin):
    twin.instruments["voltmeter"].self_test = lambda: False


def complaining(twin):
    twin.instruments["voltmeter"].receive(b"FOO\n")


def an_hour_off(twin):
    twin.instruments["voltmeter"].ahead = timedelta(hours=-1)


def another(twin):
    twin.instruments["voltmeter"].entry = dataclasses.replace(
        twin.description.instruments["voltmeter"], model="34470A"
    )


def locked(twin):
    twin.locked = "voltmeter"


EXPIRED = 'certificate = "C-7"\ncalibrated = 2019-01-31\ndue = 2020-01-31'
MATRIX = {
    "off": (off, "", "answers", "check power, cable"),
    "another model": (another, "", "answers", "'34470A' instead of '34465A'"),
    "another serial number": (
        None,
        'serial = "SIM-another"',
        "answers",
        "'SIM-voltmeter-01' instead of 'SIM-another'",
    ),
    "locked by another client": (locked, "", "answers", "another client holds"),
    "self-test fails": (failed, "", "self-test", "self-test failed: 1; see its manual"),
    "errors in its queue": (complaining, "", "error queue", "read away now; check again"),
    "clock an hour off": (an_hour_off, "", "clock", "the time of a zone, not UTC; set it"),
    "past due": (
        None,
        'certificate = "C-7"\ncalibrated = 2019-01-31\ndue = 2020-01-31',
        "calibration",
        "past due",
    ),
}
"""What is done to it, what its file says more, the row that does not pass, and the mend there."""


class Damaged(SimulatedBench):
    """The simulated bench, with one thing wrong."""

    damage = None
    locked = ""

    def __init__(self, *parts):
        super().__init__(*parts)
        if self.damage is not None:
            type(self).damage(self)


@pytest.fixture
def damaged(monkeypatch):
    """Has the bench that is looked at damaged by a function."""
    real = backend.resource_manager

    def manager(twin):
        made = real(twin)
        write = made.visalib.write

        def refusing(session, data):
            if made.visalib._sessions[session].session.role == twin.locked:  # noqa: SLF001
                raise VisaIOError(constants.StatusCode.error_resource_locked)
            return write(session, data)

        made.visalib.write = refusing
        return made

    def damage(what):
        monkeypatch.setattr(Damaged, "damage", what)
        monkeypatch.setattr(simulated, "SimulatedBench", Damaged)
        monkeypatch.setattr(backend, "resource_manager", manager)

    return damage


@pytest.mark.parametrize("what", MATRIX)
def test_what_is_wrong_with_one_is_told_with_its_mend_and_hides_no_other(what, damaged, tmp_path):
    damage, more, name, mend = MATRIX[what]
    damaged(damage)
    head = r"(?m)^(\[instruments\.voltmeter\].*)$"
    text, count = re.subn(head, rf"\1\n{more}", starter("bench"))
    assert count == 1
    file = tmp_path / "bench.toml"
    file.write_text(text, encoding="utf-8")
    found, journal = rows(bench=file)
    (wrong,) = [row for row in found if row.tried and not row.passed]
    assert (wrong.subject, wrong.check.name) == ("voltmeter", name)
    assert mend in wrong.check.remark
    others = {"cutoff", "supply", "ammeter", "oscilloscope", "load"}
    asked = [(row.subject, row.check.name) for row in found if row.passed]
    assert {role for role, name in asked if name == "self-test"} >= others
    assert [row.subject for row in found if not row.tried] == ["stage A", "stage B", "conformance"]
    assert not [kind for kind, _ in journal if kind in {"preflight", "armed"}]
    code = cli_bench.exit_code([row for row in found if not row.passed], "", "")
    assert code is ExitCode.BENCH_BEFORE_OUTPUT


def test_a_meter_without_a_calibration_record_is_told_on_a_real_bench():
    entry = dataclasses.replace(read_bench(None).instruments["ammeter"], due=None)
    found = calibrated(entry, NOON.date())
    assert not found.passed
    assert "[instruments.ammeter]" in found.remark
    whole = dataclasses.replace(entry, certificate="C-7", due=NOON.date())
    assert calibrated(whole, NOON.date()).passed
    assert not calibrated(whole, NOON.date() + timedelta(days=1)).passed


# --- the sentinel, which alone closes onto a device with power ------------------------------------


@pytest.fixture
def watched(tmp_path):
    """Looks at a bench of other processes, which nobody serves: nothing on it answers."""
    file = tmp_path / "bench.toml"
    text = re.sub(r"TCPIP0::SIM-\w+::inst0", "TCPIP0::127.0.0.1::inst0", starter("bench"))
    for number in range(9, 16):  # each its own
        text = text.replace(
            "TCPIP0::127.0.0.1::inst0::INSTR", f"TCPIP0::127.0.0.1::{number}::SOCKET", 1
        )
    file.write_text(text, encoding="utf-8")
    made = plan.make(plan.Options(None, file))
    journal = []
    look = Inspection(
        made, lambda kind, body: journal.append((kind, body)), lambda *said: None, tmp_path
    )
    return look, journal


def test_without_a_sentinel_nothing_is_energised(watched, monkeypatch):
    look, journal = watched

    def refused(*parts):
        raise BenchError("no process can be started")

    monkeypatch.setattr(inspection, "Post", refused)
    found = list(look._together(arm=True))  # noqa: SLF001
    assert [(row.subject, row.passed) for row in found] == [
        ("sentinel", False),
        ("conformance", False),
    ]
    assert not journal


def test_a_sentinel_that_opened_by_itself_is_told_and_off_that_it_could_not_prove(
    watched, monkeypatch
):
    look, journal = watched
    trip = {"cause": "the lease lapsed", "confirmed": False, "reason": "the ammeter is mute"}
    monkeypatch.setattr(inspection, "account", lambda data: {"trips": [trip]})
    (told,) = look._tripped()  # noqa: SLF001
    assert not told.passed
    assert told.remark == "the lease lapsed"
    assert "the ammeter is mute" in look.unsafe
    assert [kind for kind, _ in journal] == ["sentinel"]


SCALE = 5.0
"""Bench seconds a second: the envelope of stage B leaves 1 s for exchanges, in bench time."""


@pytest.mark.alone  # the lease runs on wall time
def test_a_served_bench_is_armed_under_its_sentinel(tmp_path):
    device = brisk.file(tmp_path)
    twin = SimulatedBench(read_device(device), read_bench(None))
    twin.clock.calendar = lambda: datetime.now(UTC)
    server = BenchServer(
        twin,
        SCALE,
        wall=time.monotonic,
        protocols=[Protocol.SOCKET],
    )
    served = pointed_at(read_bench(None), server.start(), SCALE)
    file = tmp_path / "served.toml"
    file.write_text(write_bench(served), encoding="utf-8")
    (tmp_path / "data").mkdir()
    journal, said, heard = [], [], []
    look = Inspection(
        plan.make(plan.Options(device, file)),
        lambda kind, body: journal.append((kind, body)),
        lambda role, way, text, now: heard.append((role, str(text).split()[0])),
        tmp_path,
        said.append,
    )
    try:
        with contextlib.closing(look.rows()) as found:
            seen = list(itertools.takewhile(lambda row: row.check.name != "two paths", found))
    finally:
        server.stop()
    assert all(row.passed for row in seen), [row.check for row in seen if not row.passed]
    assert [row.check.name for row in seen if row.subject == "stage B"] == ["smallest setting"]
    assert ("cutoff", "REL:OPEN") in heard  # before the sentinel had it
    assert ("cutoff", "REL:CLOS") not in heard
    bodies = dict(journal)
    assert bodies["safe_state"]["confirmed"] is True
    assert (bodies["sentinel"]["ended"], bodies["sentinel"]["trips"]) == (True, [])
    assert not twin.circuit.cutoff_closed
    (hazard,) = [text for text in said if text.startswith("stage B")]
    assert "0.1 mA" in hazard
    assert "NO PERSON MAY BE CONNECTED" in hazard


# --- clocks ---------------------------------------------------------------------------------------

KEEPERS = {
    "34465A": (switches.BUILT_IN, "ammeter"),
    "34461A": (switches.bench(ammeter=("keysight-34461a", "Keysight", "34461A")), "ammeter"),
    "DMM6500": (switches.bench(ammeter=("keithley-dmm6500", "KEITHLEY", "DMM6500")), "ammeter"),
    "34970A": (switches.BUILT_IN, "load"),
    "DAQ970A": (switches.KEYSIGHT, "load"),
    "DSO-X": (switches.KEYSIGHT, "oscilloscope"),
}


@pytest.mark.parametrize("model", KEEPERS)
def test_a_clock_that_is_an_hour_off_is_told_with_what_sets_it(model):
    bench, role = KEEPERS[model]
    twin = SimulatedBench(switches.PROFILE, bench)
    twin.clock.calendar = lambda: NOON
    asked = SimpleNamespace(query=lambda text: twin.exchange(role, text).decode().strip())
    calendar = CALENDARS[bench.instruments[role].driver]

    def look():
        return told_time(asked, calendar, lambda: NOON)

    assert look().passed, look()
    twin.instruments[role].ahead = timedelta(hours=1, seconds=20)
    wrong = look()
    assert "13:00:20, 3620 s fast" in wrong.measured
    assert "the time of a zone, not UTC" in wrong.remark
    for words in wrong.remark.partition("set it: ")[2].split(" and "):
        twin.exchange(role, words)
    assert look().passed, look()
    twin.instruments[role].ahead = timedelta(seconds=-CLOCK - 1)
    assert "61 s slow" in look().measured
    assert "zone" not in look().remark
    assert not look().passed


@pytest.mark.parametrize("driver", ["keysight-34465a", "keithley-dmm6500"])
def test_what_is_no_time_is_told_with_what_was_asked(driver):
    asked = SimpleNamespace(query=lambda text: "25")
    found = told_time(asked, CALENDARS[driver], lambda: NOON)
    assert not found.passed
    assert "'SYST:TIME?" in found.remark
    assert "'25'" in found.remark
