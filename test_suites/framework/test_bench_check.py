"""A look at a bench: each instrument by itself, then what needs all of them."""

import contextlib
import itertools
import re
import sys
import time
from pathlib import Path

import pytest

from chaos.ground import brisk
from hil.errors import BenchError
from hil_fixtures import cli, inspection, plan
from hil_fixtures.config import read_bench, read_device, starter, write_bench
from hil_fixtures.inspection import Inspection, queue
from hil_fixtures.service import pointed_at
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.servers.served import BenchServer, Protocol


def rows(*, bench=None, faults=(), roles=(), arm=True):
    journal = []
    look = Inspection(
        plan.make(plan.Options(None, bench, faults=faults)),
        lambda kind, body: journal.append((kind, body)),
        lambda *said: None,
        Path(),  # an account in memory
    )
    return list(look.rows(roles, arm=arm)), journal


def test_one_instrument_of_another_serial_hides_no_other(tmp_path):
    head = r"(?m)^(\[instruments\.voltmeter\].*)$"
    text, count = re.subn(head, r'\1\nserial = "SIM-another"', starter("bench"))
    assert count == 1
    file = tmp_path / "bench.toml"
    file.write_text(text, encoding="utf-8")
    found, journal = rows(bench=file)
    (wrong,) = [row for row in found if row.tried and not row.passed]
    assert wrong.subject == "voltmeter"
    assert "'SIM-voltmeter-01' instead of 'SIM-another'" in wrong.check.remark
    assert {row.subject for row in found if row.passed} == {
        "cutoff",
        "supply",
        "ammeter",
        "oscilloscope",
        "load",
    }
    assert [row.subject for row in found if not row.tried] == ["conformance", "stage A", "stage B"]
    assert not [kind for kind, _ in journal if kind in {"preflight", "armed"}]
    assert len([kind for kind, _ in journal if kind == "bench_step"]) == len(found)


def test_one_role_leaves_the_device_alone():
    found, journal = rows(roles=("ammeter",))
    assert [row.check.name for row in found] == ["identity", "error queue", "self-test"]
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


@pytest.mark.alone  # the lease runs on wall time
def test_a_served_bench_is_armed_under_its_sentinel(tmp_path):
    device = brisk(tmp_path)
    server = BenchServer(
        SimulatedBench(read_device(device), read_bench(None)),
        10.0,
        wall=time.monotonic,
        protocols=[Protocol.SOCKET],
    )
    served = pointed_at(read_bench(None), server.start(), 10.0)
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
    assert not server.bench.circuit.cutoff_closed
    (hazard,) = [text for text in said if text.startswith("stage B")]
    assert "0.1 mA" in hazard
    assert "NO PERSON MAY BE CONNECTED" in hazard
