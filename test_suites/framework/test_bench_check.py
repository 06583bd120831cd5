"""A look at a bench: each instrument by itself, then what needs all of them."""

import re
import sys

import pytest

from hil_fixtures import cli, plan
from hil_fixtures.config import starter
from hil_fixtures.inspection import Inspection, queue


def rows(*, bench=None, faults=(), roles=(), arm=True):
    journal = []
    look = Inspection(
        plan.make(plan.Options(None, bench, faults=faults)),
        lambda kind, body: journal.append((kind, body)),
        lambda *said: None,
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
