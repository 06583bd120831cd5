"""The register: no run is forgotten, and what became of the earlier ones stands in the next."""

import json
import multiprocessing
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from framework import brisk
from hil.bodies import asked_sha256
from hil.conclusion import conclude
from hil.errors import UsageError
from hil.journal import Chain, ChainBroken
from hil_fixtures import plan
from hil_fixtures.plan import Options
from hil_fixtures.software import packages, software, source_sha256
from hil_reports.earlier import register_view
from hil_reports.evidence import Evidence, annex, keys, read_journal, seal, verify
from hil_reports.evidence import register as module
from hil_reports.evidence.keys import encoded
from hil_reports.evidence.memory import Memory
from hil_reports.evidence.register import Register
from hil_reports.report import write_report
from hil_reports.summary import summary_of

PLAN = plan.make(Options(suites=("polarity",), operator="A. Tester"))
WHOLE = plan.make(Options(operator="A. Tester"))
HIL = [sys.executable, "-c", "from hil_fixtures.cli import main; main()"]
GOOD = """
from hil.scenario import Scenario
from hil.features import peak
from hil.units import mA, s
from hil_fixtures.suite import requirement

@requirement("LIM-CEIL")
def test_it(bench, judge):
    judge("LIM-CEIL", peak(bench.record(Scenario.treatment(1 * mA, hold=2 * s)).current))
"""


def utc_from(begin):
    steps = count()
    return lambda: begin + timedelta(seconds=next(steps))


CLOCK = utc_from(datetime(2026, 3, 1, 9, tzinfo=UTC))


def begin(out, made=PLAN):
    """Begin a run and leave it as a killed one would."""
    evidence = plan.begin(out, made, [], CLOCK)
    evidence.close()
    return evidence.folder


def end(folder, *, sealed=True):
    """End a run that judged nothing, and close it in the register."""
    with Evidence.resume(folder, CLOCK) as evidence:
        evidence.append("end", {"pytest_exit": 0, "seconds": 1.0})
    if sealed:
        seal(folder)
    close(folder)
    return folder


def close(folder):
    Register(folder.parent, CLOCK).close(folder, conclude(read_journal(folder).records))


def run_of(folder):
    return read_journal(folder).records[0].body


def rows_of(folder):
    return conclude(read_journal(folder).records).register["earlier"]


def earlier(folder):
    """State and run id of each earlier run that a run lists."""
    rows = rows_of(folder)
    return [(row["number"], row["run_id"], row["state"]) for row in rows]


def entries(out):
    return [(entry.kind, entry.body) for entry in Register(out, CLOCK).entries()]


def test_a_first_run_has_number_1_and_nothing_before_it(tmp_path):
    folder = begin(tmp_path / "runs")
    assert run_of(folder)["register"]["number"] == 1
    assert run_of(folder)["register"]["previous"] is None
    assert earlier(folder) == []
    assert [record.kind for record in read_journal(folder).records] == ["run", "plan", "register"]


def test_each_run_opens_with_the_head_of_the_run_before_it(tmp_path):
    first, second = end(begin(tmp_path)), end(begin(tmp_path))
    third = begin(tmp_path)
    told = [run_of(folder)["register"] for folder in (first, second, third)]
    assert [entry["number"] for entry in told] == [1, 2, 3]
    heads = [read_journal(folder).records[-1].hash for folder in (first, second)]
    assert [entry["previous"] for entry in told[1:]] == [
        {"run_id": first.name, "head": heads[0]},
        {"run_id": second.name, "head": heads[1]},
    ]
    hashes = [entry.hash for entry in Register(tmp_path, CLOCK).entries()]
    assert [entry["entry"] for entry in told] == [hashes[0], hashes[2], hashes[4]]
    assert earlier(third) == [(1, first.name, "as registered"), (2, second.name, "as registered")]


def test_a_run_journals_what_each_requirement_asked_for_when_it_was_judged_last(tmp_path):
    def asked(folder):
        found = conclude(read_journal(folder).records)
        earlier = found.register["asked"]
        now = {body["id"]: asked_sha256(body) for body in found.plan["requirements"]}
        return {
            name: (body["run_id"], body["sha256"] == now.get(name, body["sha256"]))
            for name, body in earlier.items()
        }

    lenient = {
        name: replace(each, text=f"{each.text} Mostly.")
        for name, each in WHOLE.requirements.items()
    }
    first = end(begin(tmp_path, replace(WHOLE, requirements=lenient)))
    second = end(begin(tmp_path, PLAN))  # of one suite: for all else the first is the last
    changed = end(begin(tmp_path, PLAN))
    (changed / "data" / "transcript.jsonl").write_text("")
    with (changed / "data" / "journal.jsonl").open("a") as file:
        file.write("{}")
    third = end(begin(tmp_path, WHOLE))
    told = asked(third)
    assert told.pop("POL-SIGN") == (second.name, True)
    assert told["LIM-CEIL"] == (first.name, False)
    assert told.keys() | {"POL-SIGN"} == WHOLE.requirements.keys()
    assert asked(begin(tmp_path, WHOLE)) == dict.fromkeys(WHOLE.requirements, (third.name, True))


def test_the_entry_stands_before_the_first_record(tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Evidence, "create", stop)
    with pytest.raises(KeyboardInterrupt):
        plan.begin(tmp_path, PLAN, [], CLOCK)
    assert [kind for kind, _ in entries(tmp_path)] == ["opened"]
    monkeypatch.undo()
    (row,) = rows_of(begin(tmp_path))
    assert (row["number"], row["state"], row["code"]) == (1, "missing", None)


def test_a_closing_entry_says_what_became_of_the_run(tmp_path):
    folder = end(begin(tmp_path))
    (_, opened), (_, closed) = entries(tmp_path)
    found = conclude(read_journal(folder).records)
    assert opened["operator"] == "A. Tester"
    assert closed["run_id"] == opened["run_id"] == folder.name
    assert closed["head"] == found.head
    assert (closed["verdict"], closed["code"], closed["complete"]) == ("NO_VERDICT", 10, True)
    assert len(closed["manifest"]) == len(closed["journal"]) == 64


def test_a_closing_entry_names_who_signed_the_seal(tmp_path):
    signer = keys.create(tmp_path / "key.pem")
    folder = end(begin(tmp_path / "runs"), sealed=False)
    seal(folder, signer)
    close(folder)
    closings = [body["signer"] for kind, body in entries(tmp_path / "runs") if kind == "closed"]
    assert closings == ["", signer.public.fingerprint]


def test_a_killed_run_is_opened_and_not_closed(tmp_path):
    killed = begin(tmp_path)
    after = begin(tmp_path)
    assert earlier(after) == [(1, killed.name, "not closed")]
    assert run_of(after)["register"]["previous"] == {"run_id": killed.name, "head": ""}


def test_a_deleted_run_is_a_row(tmp_path):
    gone, kept = end(begin(tmp_path)), end(begin(tmp_path))
    gone.rename(tmp_path.parent / f"{tmp_path.name} elsewhere")
    assert earlier(begin(tmp_path)) == [
        (1, gone.name, "missing"),
        (2, kept.name, "as registered"),
    ]


@pytest.mark.parametrize("name", ["data/journal.jsonl", "manifest-sha256.txt"])
def test_a_changed_run_is_a_row(tmp_path, name):
    folder = end(begin(tmp_path))
    path = folder / name
    path.write_bytes(path.read_bytes().replace(b"a", b"b", 1))
    assert earlier(begin(tmp_path)) == [(1, folder.name, "changed")]


def test_a_run_without_its_seal_any_more_is_changed(tmp_path):
    folder = end(begin(tmp_path))
    (folder / "manifest-sha256.txt").unlink()
    assert earlier(begin(tmp_path)) == [(1, folder.name, "changed")]


def test_a_run_that_is_sealed_later_is_closed_again_and_stands_as_registered(tmp_path):
    folder = end(begin(tmp_path), sealed=False)
    seal(folder)
    close(folder)
    close(folder)  # nothing new: no entry
    assert [kind for kind, _ in entries(tmp_path)] == ["opened", "closed", "closed"]
    assert earlier(begin(tmp_path)) == [(1, folder.name, "as registered")]


def test_a_run_whose_end_was_written_twice_differently_is_changed(tmp_path):
    folder = end(begin(tmp_path), sealed=False)
    with Evidence.resume(folder, CLOCK) as evidence:
        evidence.append("end", {"pytest_exit": 0, "seconds": 2.0})
    close(folder)
    assert earlier(begin(tmp_path)) == [(1, folder.name, "changed")]


def test_a_run_folder_that_the_register_does_not_know_is_a_row(tmp_path):
    end(begin(tmp_path))
    foreign = end(begin(tmp_path.parent / f"{tmp_path.name} other"))
    foreign.rename(tmp_path / foreign.name)
    assert earlier(begin(tmp_path))[1:] == [(0, foreign.name, "not registered")]


def cut(out, lines):
    """Keep the first entries of a register alone; return it as it was."""
    path = out / "register.jsonl"
    whole = path.read_bytes()
    path.write_bytes(b"".join(whole.splitlines(keepends=True)[:lines]))
    return whole


def forget(monkeypatch, tmp_path):
    """Go on as on another machine, which remembers nothing."""
    monkeypatch.setenv("STIMPROOF_STATE", str(tmp_path.parent / f"{tmp_path.name} elsewhere"))


def test_a_failed_run_is_not_deleted_with_its_entries(tmp_path):
    end(begin(tmp_path))
    failed = end(begin(tmp_path))
    shutil.rmtree(failed)
    whole = cut(tmp_path, 2)
    short = (tmp_path / "register.jsonl").read_bytes()
    for use in (lambda: begin(tmp_path), lambda: Register(tmp_path, CLOCK).states()):
        with pytest.raises(
            ChainBroken, match=r"it has 2 entries, and entry 3, .* --out$"
        ) as refused:
            use()
        assert json.loads(whole.splitlines()[-1])["hash"][:16] in str(refused.value)
    assert (tmp_path / "register.jsonl").read_bytes() == short
    (tmp_path / "register.jsonl").write_bytes(whole)
    assert earlier(begin(tmp_path))[1] == (2, failed.name, "missing")


def test_a_register_that_goes_on_from_an_older_copy_is_refused(tmp_path, monkeypatch):
    end(begin(tmp_path))
    copy = (tmp_path / "register.jsonl").read_bytes()
    shutil.rmtree(end(begin(tmp_path)))
    (tmp_path / "register.jsonl").write_bytes(copy)
    with monkeypatch.context() as elsewhere:
        forget(elsewhere, tmp_path)
        end(begin(tmp_path))
    assert len(entries_of(tmp_path)) == 4  # as many as there were
    with pytest.raises(ChainBroken, match="was cut or goes on from an older copy"):
        begin(tmp_path)


def entries_of(out):
    return (out / "register.jsonl").read_bytes().splitlines()


def test_a_last_entry_that_was_on_the_disk_is_not_torn(tmp_path):
    end(begin(tmp_path))
    path = tmp_path / "register.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    with pytest.raises(ChainBroken, match="was cut"):
        begin(tmp_path)


@pytest.mark.parametrize("left", [b"", b'{"n":0,"prev"'])
def test_an_emptied_register_is_not_begun_anew(tmp_path, left):
    folder = end(begin(tmp_path))
    (tmp_path / "register.jsonl").write_bytes(left)
    with pytest.raises(UsageError, match=f"is without an entry, and 1 run .*{folder.name}"):
        begin(tmp_path)
    assert (tmp_path / "register.jsonl").read_bytes() == left


def register_of(folder):
    return conclude(read_journal(folder).records).register


def line_of(folder):
    return register_view(conclude(read_journal(folder).records))["line"]


def test_a_register_that_was_deleted_with_its_runs_shows_on_page_1(tmp_path):
    for _ in range(3):
        end(begin(tmp_path))
        shutil.rmtree(tmp_path)
    assert register_of(begin(tmp_path))["others"] == 3
    last = begin(tmp_path)
    assert register_of(last)["others"] == 3  # and in every report from there on
    said = "; 3 other registers began in this folder before, as this machine remembers"
    assert line_of(last).endswith(said)


def test_a_report_says_what_the_register_was_held_against(tmp_path, monkeypatch):
    first, second = end(begin(tmp_path)), end(begin(tmp_path))
    assert register_of(second)["first"] == json.loads(entries_of(tmp_path)[0])["hash"]
    assert [register_of(folder)["remembered"] for folder in (first, second)] == [0, 2]
    page = register_view(conclude(read_journal(second).records))
    assert page["held"].startswith("held against 2 entries that this machine remembered")
    forget(monkeypatch, tmp_path)
    third = begin(tmp_path)
    assert line_of(third).endswith("; this machine did not know the register")
    assert "did not know" not in line_of(first)


@pytest.mark.parametrize(("seconds", "told"), [(50, False), (70, True), (86400, True)])
def test_a_clock_that_was_set_back_is_a_warning_on_page_1(tmp_path, seconds, told):
    first = end(begin(tmp_path))
    newest = datetime.fromisoformat(Register(tmp_path, CLOCK).entries()[-1].utc)
    wrong = newest - timedelta(seconds=seconds + 1)  # the run's name takes the first second
    again = plan.begin(tmp_path, PLAN, [], utc_from(wrong))
    again.close()
    assert register_of(first)["behind"] == 0
    assert register_of(again.folder)["behind"] == (seconds if told else 0)
    said = f"the clock was set back: this run began {seconds} s before an earlier entry"
    assert (said in line_of(again.folder)) is told
    after = plan.begin(tmp_path, PLAN, [], utc_from(wrong + timedelta(seconds=5)))
    after.close()
    assert bool(register_of(after.folder)["behind"]) is told  # it is held against the newest


def test_without_a_memory_nothing_is_remembered_and_that_is_said(tmp_path, monkeypatch):
    monkeypatch.setenv("STIMPROOF_STATE", "")
    end(begin(tmp_path))
    assert line_of(begin(tmp_path)).endswith("; this machine did not know the register")
    blocked = tmp_path / "file"
    blocked.write_text("no folder")
    monkeypatch.setenv("STIMPROOF_STATE", str(blocked))
    assert register_of(begin(tmp_path))["remembered"] == 0


def test_a_damaged_memory_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("STIMPROOF_STATE", str(tmp_path / "state"))
    out = tmp_path / "runs"
    end(begin(out))
    (path,) = (tmp_path / "state" / "registers").iterdir()
    path.write_text("two abc\n")
    with pytest.raises(UsageError, match=rf"{path.name} is damaged: .* Move it away"):
        begin(out)


def test_the_memory_is_where_the_system_keeps_what_programs_remember(tmp_path):
    found = Memory.find({"XDG_STATE_HOME": str(tmp_path), "LOCALAPPDATA": str(tmp_path)})
    assert found.folder == tmp_path / "stimproof"
    assert Memory.find({"STIMPROOF_STATE": str(tmp_path)}).folder == tmp_path
    assert Memory.find({"STIMPROOF_STATE": ""}).folder is None


def test_where_there_is_a_key_each_entry_is_signed(tmp_path):
    signer = keys.create(tmp_path / "key.pem")
    out = tmp_path / "runs"
    for mine in (signer, None):
        folder = plan.begin(out, PLAN, [], CLOCK, mine).folder
        with Evidence.resume(folder, CLOCK) as evidence:
            evidence.append("end", {"pytest_exit": 0, "seconds": 1.0})
        found = conclude(read_journal(folder).records)
        Register(out, CLOCK, mine).close(folder, found)
        Register(out, CLOCK, mine).close(folder, found)  # nothing new: no entry
    last = begin(out)
    assert register_of(last)["signers"] == {signer.public.fingerprint: 2, "": 2}
    view = register_view(conclude(read_journal(last).records))
    assert f"2 signed by {signer.public.fingerprint[:16]}" in view["held"]
    assert "2 unsigned" in view["held"]


@pytest.mark.parametrize("change", ["body", "utc", "signature", "public_key", "missing"])
def test_a_signed_entry_is_not_written_anew_by_another(tmp_path, monkeypatch, change):
    signer = keys.create(tmp_path / "key.pem")
    out = tmp_path / "runs"
    plan.begin(out, PLAN, [], CLOCK, signer).close()
    entry = json.loads(entries_of(out)[0])
    body, utc = entry["body"], datetime.fromisoformat(entry["utc"])
    other = encoded(keys.create(tmp_path / "other.pem").public.der)
    if change == "body":
        body["operator"] = "B. Tester"
    elif change == "utc":
        utc += timedelta(days=1)
    elif change == "missing":
        del body["signed"]["signature"]
    else:
        body["signed"][change] = {"signature": encoded(bytes(64)), "public_key": other}[change]
    line = Chain().append("opened", body, utc=utc, bench=None).line
    (out / "register.jsonl").write_text(f"{line}\n")
    with pytest.raises(ChainBroken, match="the signature of record 0"):
        Register(out, CLOCK).entries()


def test_a_register_whose_end_was_cut_off_shows_by_the_folders(tmp_path, monkeypatch):
    first, second = end(begin(tmp_path)), end(begin(tmp_path))
    path = tmp_path / "register.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:2]))
    monkeypatch.setenv("STIMPROOF_STATE", "")
    third = begin(tmp_path)
    assert earlier(third) == [
        (1, first.name, "as registered"),
        (0, second.name, "not registered"),
    ]


def test_a_register_that_is_gone_is_not_renewed(tmp_path):
    folder = end(begin(tmp_path))
    (tmp_path / "register.jsonl").unlink()
    with pytest.raises(
        UsageError, match=f"is gone, and 1 run folders stand here, as {folder.name}"
    ):
        begin(tmp_path)
    assert not (tmp_path / "register.jsonl").exists()
    with pytest.raises(UsageError, match="cannot be closed; restore it"):
        close(folder)


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_changed_entry_is_refused_with_what_to_do(tmp_path, place):
    end(begin(tmp_path))
    begin(tmp_path)
    path = tmp_path / "register.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    lines[place] = lines[place].replace(b'"utc":"2026', b'"utc":"2025')
    path.write_bytes(b"".join(lines))
    with pytest.raises(ChainBroken, match=rf"record {place} .*not renewed: restore .*--out"):
        begin(tmp_path)
    assert path.read_bytes() == b"".join(lines)


def test_an_entry_taken_out_is_refused(tmp_path):
    end(begin(tmp_path))
    begin(tmp_path)
    path = tmp_path / "register.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + lines[2])
    with pytest.raises(ChainBroken, match="record 1 does not follow"):
        begin(tmp_path)


@pytest.mark.parametrize("cut", [1, 40, 250])
def test_an_entry_that_was_torn_is_kept_as_text(tmp_path, monkeypatch, cut):
    monkeypatch.setenv("STIMPROOF_STATE", "")  # a killed writer did not come to remember it
    end(begin(tmp_path))
    path = tmp_path / "register.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole[:-cut])
    begin(tmp_path)
    assert [kind for kind, _ in entries(tmp_path)] == ["opened", "torn", "opened"]
    torn = whole.splitlines(keepends=True)[1][:-cut].decode()
    assert entries(tmp_path)[1][1] == {"text": torn}


def chained(bodies):
    """A register of these entries, its chain in order."""
    chain, lines = Chain(), []
    for kind, body in bodies:
        utc = datetime(2026, 3, 1, tzinfo=UTC)
        lines.append(chain.append(kind, body, utc=utc, bench=None).line)
    return "".join(f"{line}\n" for line in lines)


def test_a_register_written_anew_without_a_run_is_none_of_the_bundles(tmp_path, monkeypatch):
    gone, kept = end(begin(tmp_path)), end(begin(tmp_path))
    shutil.rmtree(gone)
    bodies = entries(tmp_path)[2:]
    bodies[0][1]["number"] = 1
    opened = chained(bodies[:1])
    bodies[1][1]["opened"] = json.loads(opened)["hash"]
    (tmp_path / "register.jsonl").write_text(chained(bodies))
    last = begin(tmp_path)
    assert earlier(last) == [(1, kept.name, "changed")]
    assert "1 other register began in this folder before" in line_of(last)
    monkeypatch.setenv("STIMPROOF_STATE", "")
    (tmp_path / "register.jsonl").write_text(opened)
    assert earlier(begin(tmp_path))[0] == (1, kept.name, "changed")


@pytest.mark.parametrize("change", [{"verdict": "PASS"}, {"code": 0}, {"serial": "other"}])
def test_a_last_closing_that_says_something_else_than_its_bundle_is_seen(
    tmp_path, monkeypatch, change
):
    monkeypatch.setenv("STIMPROOF_STATE", "")
    folder = end(begin(tmp_path))
    opened, closed = (tmp_path / "register.jsonl").read_text().splitlines()
    head = json.loads(opened)
    body = {**json.loads(closed)["body"], **change}
    entry = Chain(head["hash"], 1).append("closed", body, utc=CLOCK(), bench=None)
    (tmp_path / "register.jsonl").write_text(f"{opened}\n{entry.line}\n")
    assert earlier(begin(tmp_path)) == [(1, folder.name, "changed")]


def test_a_run_cannot_be_closed_in_another_register(tmp_path):
    folder = begin(tmp_path / "one")
    begin(tmp_path / "two")
    found = conclude(read_journal(folder).records)
    other = Register(tmp_path / "two", CLOCK)
    assert not other.knows(folder)
    assert Register(tmp_path / "one", CLOCK).knows(folder)
    with pytest.raises(UsageError, match="holds no opening entry of run"):
        other.close(folder, found)


@pytest.fixture
def stated(tmp_path):
    """A run with two statements in its annex; the register holds the annex's head after each."""
    signer = keys.create(tmp_path / "key.pem")
    folder = end(begin(tmp_path / "runs"), sealed=False)
    seal(folder, signer)
    for name in ("Ada Example", "Bob Example"):
        body = {"name": name, "meaning": "reviewed"}
        annex.add(folder, annex.SIGNATURE, body, signer=signer, utc=CLOCK)
        head = annex.read_annex(folder).head
        assert Register(folder.parent, CLOCK).state(folder, head)
    write_report(folder, signer)
    return folder


def problems_of(folder):
    found = verify(folder, register=Register(folder.parent, CLOCK), views_too=False)
    return [str(problem) for problem in found.problems]


@pytest.mark.parametrize("kept", [0, 2])
def test_an_annex_that_lost_whole_statements_is_found_by_the_register(stated, kept):
    assert problems_of(stated) == []
    head = annex.read_annex(stated).head
    path = stated / annex.ANNEX
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:kept]))
    if not kept:
        path.unlink()
    shutil.rmtree(stated / "report")
    assert verify(stated).problems == ()  # a folder alone cannot show it
    assert problems_of(stated) == [
        f"annex.jsonl: has lost statements: the register holds a head of it that is gone, {head}"
    ]


def test_an_annex_may_hold_more_than_the_register(stated):
    signer = keys.load(stated.parents[1] / "key.pem")
    body = {"name": "C", "meaning": "on another machine"}
    annex.add(stated, annex.SIGNATURE, body, signer=signer, utc=CLOCK)
    assert problems_of(stated) == []


def test_a_register_that_does_not_know_the_run_takes_no_statement(stated, tmp_path):
    other = Register(begin(tmp_path / "other").parent, CLOCK)
    before = other.path.read_bytes()
    assert not other.state(stated, "0" * 64)
    assert not Register(tmp_path / "none", CLOCK).state(stated, "0" * 64)
    assert other.path.read_bytes() == before
    assert other.stated(stated) == ""
    assert not (tmp_path / "none").exists()


def test_a_broken_register_vouches_for_no_annex(stated):
    path = stated.parent / "register.jsonl"
    path.write_text(path.read_text().replace("A. Tester", "B. Tester"))
    (problem,) = problems_of(stated)
    assert "register.jsonl" in problem


def test_a_statement_leaves_the_states_of_runs_as_they_were(stated):
    assert Register(stated.parent, CLOCK).states() == [(stated.name, "as registered")]


def test_the_command_line_enters_statements_and_misses_lost_ones(stated, monkeypatch):
    monkeypatch.setenv(keys.KEY, str(stated.parents[1] / "key.pem"))

    def hil(*arguments):
        line = [*HIL, *map(str, arguments)]
        return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)

    said = ("--reason", "typed wrong", "--author", "Ada Example", "--text", "2 kOhm")
    assert hil("correct", stated, "--record", "1", *said).returncode == 0
    kinds = [kind for kind, _ in entries(stated.parent)]
    assert kinds == ["opened", "closed", "stated", "stated", "stated"]
    assert hil("verify", stated).returncode == 3
    aside = stated.parents[1] / "aside" / stated.name
    shutil.copytree(stated, aside)
    (stated / annex.ANNEX).unlink()
    assert hil("report", stated).returncode == 10
    assert "has lost statements" in hil("verify", stated).stderr
    (aside / annex.ANNEX).unlink()
    assert hil("report", aside).returncode == 0
    assert hil("verify", aside).returncode == 3
    named = ("--register", stated.parent / "register.jsonl")
    assert "has lost statements" in hil("verify", aside, *named).stderr
    refused = hil("verify", aside, "--register", stated.parents[1] / "key.pem")
    assert (refused.returncode, len(refused.stderr.splitlines())) == (11, 1)


def test_a_bench_under_another_name_does_not_begin_anew(tmp_path):
    other = replace(PLAN, bench=replace(PLAN.bench, name="bench 2"))
    first = end(begin(tmp_path))
    mine = begin(tmp_path, other)
    head = read_journal(first).records[-1].hash
    assert run_of(mine)["register"]["number"] == 2
    assert run_of(mine)["register"]["previous"] == {"run_id": first.name, "head": head}
    assert earlier(mine) == [(1, first.name, "as registered")]
    rows = rows_of(begin(tmp_path))
    assert [row["bench"] for row in rows] == ["built-in simulated bench", "bench 2"]
    named = json.loads(entries_of(tmp_path)[0])["hash"][:12]
    assert line_of(mine).startswith(f"Number 2 in register {named}; 1 earlier run of this device")


def test_a_run_that_the_register_does_not_know_is_a_row_on_every_bench(tmp_path):
    foreign = begin(tmp_path.parent / f"{tmp_path.name} other")
    begin(tmp_path)
    foreign.rename(tmp_path / foreign.name)
    other = replace(PLAN, bench=replace(PLAN.bench, name="bench 2"))
    (row,) = [row for row in rows_of(begin(tmp_path, other)) if row["number"] == 0]
    assert (row["run_id"], row["bench"]) == (foreign.name, "built-in simulated bench")


def test_another_device_model_counts_but_is_no_row(tmp_path):
    other = replace(PLAN, profile=replace(PLAN.profile, model="Ionto 9"))
    begin(tmp_path, other)
    folder = begin(tmp_path)
    assert run_of(folder)["register"]["number"] == 2
    assert earlier(folder) == []
    assert "no earlier run of this device model; 1 run of another device model" in line_of(folder)


def test_of_many_old_runs_only_those_that_are_odd_stay_rows(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "NEWEST", 2)
    folders = [end(begin(tmp_path)) for _ in range(5)]
    shutil.rmtree(folders[1])
    last = begin(tmp_path)
    assert [row[0] for row in earlier(last)] == [2, 4, 5]
    register = conclude(read_journal(last).records).register
    assert register["older"] == {"NO_VERDICT": 2}
    assert register_view(conclude(read_journal(last).records))["line"] == (
        f"Number 6 in register {register['first'][:12]}; 5 earlier runs of this device model: "
        "5 NO VERDICT, 1 missing"
    )


def open_many(out, times):
    for _ in range(times):
        begin(out)


def test_runs_in_parallel_each_have_their_own_number(tmp_path):
    out = tmp_path / "runs"
    started = [
        multiprocessing.get_context("fork").Process(target=open_many, args=(out, 15))
        for _ in range(4)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join(60)
        assert process.exitcode == 0
    assert [body["number"] for _, body in entries(out)] == list(range(1, 61))
    folders = [path for path in out.iterdir() if path.is_dir()]
    assert sorted(run_of(folder)["register"]["number"] for folder in folders) == list(range(1, 61))


def test_a_lock_that_is_never_given_back_is_named(tmp_path, monkeypatch):
    fcntl = pytest.importorskip("fcntl")
    begin(tmp_path)
    monkeypatch.setattr(module, "PATIENCE", 0.1)
    with (tmp_path / "register.jsonl").open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(UsageError, match=r"is locked by another process for 0\.1 s"):
            begin(tmp_path)


def test_a_full_disk_leaves_no_half_entry(tmp_path, monkeypatch):
    end(begin(tmp_path))
    before = (tmp_path / "register.jsonl").read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:20]))
    with pytest.raises(UsageError, match=r"took 20 of \d+ bytes"):
        begin(tmp_path)
    monkeypatch.undo()
    assert (tmp_path / "register.jsonl").read_bytes() == before
    begin(tmp_path)


def test_a_register_in_a_folder_that_cannot_be_written(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)  # as root nothing is unwritable
    with pytest.raises(UsageError, match=r"^--out .*: cannot be written: Permission denied$"):
        Register(tmp_path, CLOCK).open(entry_of(PLAN))


def entry_of(made):
    return {
        "run_id": "r1",
        "bench": made.bench.name,
        "manufacturer": made.profile.manufacturer,
        "model": made.profile.model,
        "operator": made.operator,
        "expected": made.expected,
    }


SMOKE = [*HIL, "run", "--out", "runs", "--depth", "smoke"]


def hil_run(folder, *arguments):
    return subprocess.run(
        [*SMOKE, "--device", str(brisk.file(folder)), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def runs_in(out):
    return sorted(path for path in out.iterdir() if path.is_dir())


def test_a_run_until_green_shows_in_the_report_of_the_green_one(tmp_path):
    (tmp_path / "test_mine.py").write_text(GOOD)
    more = ["--suite", "current-limits", "--", "test_mine.py"]
    codes = [
        hil_run(tmp_path, *fault, *more).returncode
        for fault in (["--fault", "F01"], ["--fault", "F01"], [])
    ]
    out = tmp_path / "runs"
    kinds = [kind for kind, _ in entries(out)]
    assert kinds == ["opened", "closed"] * 3
    rows = rows_of(runs_in(out)[-1])
    assert [row["code"] for row in rows] == codes[:2] == [10, 10]
    assert {row["serial"] for row in rows} == {"SIM-stimulator-01"}
    assert {row["state"] for row in rows} == {"as registered"}
    page = (runs_in(out)[-1] / "report" / "index.html").read_text()
    page = " ".join(re.sub("<[^>]*>", " ", page).split())
    named = register_of(runs_in(out)[-1])["first"][:12]
    assert f"Number 3 in register {named}; 2 earlier runs of this device model" in page
    for row in rows:
        assert row["run_id"] in page


def is_armed(journal):
    return '"kind":"armed"' in journal.read_text()


def test_a_killed_supervisor_is_closed_by_hil_seal(tmp_path):
    (tmp_path / "test_mine.py").write_text(GOOD.replace("hold=2 * s", "hold=1000 * s"))
    line = [*SMOKE, "--device", str(brisk.file(tmp_path)), "--suite", "current-limits"]
    process = subprocess.Popen([*line, "--", "test_mine.py"], cwd=tmp_path, start_new_session=True)
    out = tmp_path / "runs"
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not any(map(is_armed, out.glob("*/data/journal.jsonl"))):
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
    assert [kind for kind, _ in entries(out)] == ["opened"]
    (folder,) = runs_in(out)
    done = subprocess.run(
        [*HIL, "seal", str(folder)], capture_output=True, text=True, timeout=100, check=False
    )
    assert done.returncode == 20, done.stderr
    kind, closed = entries(out)[-1]
    assert (kind, closed["run_id"]) == ("closed", folder.name)
    assert (closed["code"], closed["complete"]) == (20, False)


def plain_pytest(folder, *arguments):
    (folder / "test_mine.py").write_text(GOOD)
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", os.devnull]
    line += [f"--rootdir={folder}", "--hil-depth=smoke", "--hil-suite=current-limits", *arguments]
    return subprocess.run(
        [*line, "test_mine.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_plain_pytest_registers_too(tmp_path):
    plain_pytest(tmp_path, "--hil-operator=B. Tester")
    opened, closed = entries(tmp_path / "runs")
    assert (opened[0], opened[1]["number"], opened[1]["operator"]) == ("opened", 1, "B. Tester")
    assert (closed[0], closed[1]["manifest"], closed[1]["complete"]) == ("closed", "", True)


def test_a_run_names_who_answers_and_what_judged(tmp_path):
    body = run_of(begin(tmp_path))
    assert body["operator"] == "A. Tester"
    assert body["software"] == software()
    assert body["version"] == body["software"]["packages"]["stimproof"]
    assert {"numpy", "pytest", "pyvisa", "h5py"} <= set(body["software"]["packages"])
    assert "ruff" not in packages()  # asked for by an extra only
    assert len(body["software"]["sha256"]) == 64


def test_without_a_name_the_operator_is_the_login_name(monkeypatch):
    monkeypatch.setenv("LOGNAME", "carol")
    assert plan.make(Options()).operator == "carol"

    def nobody():
        raise OSError("no name for this user id")

    monkeypatch.setattr(plan.getpass, "getuser", nobody)
    assert plan.make(Options()).operator == "not stated"


def test_two_checkouts_of_one_version_differ_by_their_hash(tmp_path):
    sources = {}
    for name in ("a", "b", "c"):
        folder = tmp_path / name / "package"
        folder.mkdir(parents=True)
        (folder / "one.py").write_text("x = 1\n")
        (folder / "two.toml").write_text("")
        sources[name] = folder
    (sources["b"] / "__pycache__").mkdir()
    (sources["b"] / "__pycache__" / "one.pyc").write_bytes(b"x")
    same = source_sha256([sources["a"]])
    assert source_sha256([sources["b"]]) == same  # wherever it lies, whatever Python made of it
    (sources["c"] / "one.py").write_text("x = 2\n")
    assert source_sha256([sources["c"]]) != same
    (sources["a"] / "two.toml").rename(sources["a"] / "three.toml")
    assert source_sha256([sources["a"]]) != same


def test_a_runner_of_another_source_is_refused(tmp_path):
    folder = begin(tmp_path)
    run, planned = (record.body for record in read_journal(folder).records[:2])
    plan.compare(PLAN, {**run, **planned})
    changed = {**run, **planned, "software": {**run["software"], "sha256": "0" * 64}}
    with pytest.raises(UsageError, match="source of stimproof: not as planned"):
        plan.compare(PLAN, changed)


def test_where_hardware_is_required_a_simulated_run_never_complies(tmp_path):
    done = hil_run(tmp_path, "--require", "hardware", "--suite", "polarity")
    assert done.returncode == 10
    (folder,) = runs_in(tmp_path / "runs")
    summary = json.loads((folder / "report" / "summary.json").read_text())
    assert (summary["exit_code"], summary["complies"], summary["required"]) == (
        10,
        False,
        "HARDWARE",
    )
    assert summary["verdict"] == "PASS"
    assert summary["reasons"][0].startswith("HARDWARE was required, this run is SIMULATED: ")
    assert "HARDWARE was required" in done.stdout
    page = (folder / "report" / "index.html").read_text()
    assert "HARDWARE was required" in page


def test_plain_pytest_is_not_green_either_where_hardware_is_required(tmp_path):
    done = plain_pytest(tmp_path, "--hil-require=hardware")
    assert done.returncode != 0
    assert "HARDWARE was required" in done.stdout


def test_the_summary_names_register_operator_and_what_was_required(tmp_path):
    first, folder = end(begin(tmp_path)), end(begin(tmp_path))
    summary = summary_of(write_report(folder))
    assert summary["operator"] == "A. Tester"
    assert summary["required"] == ""
    assert summary["register"] == {
        "number": 2,
        "entry": run_of(folder)["register"]["entry"],
        "previous_run": first.name,
        "previous_head": read_journal(first).records[-1].hash,
    }
