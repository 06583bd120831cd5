"""Records across runs: an index that is never more than the bundles, and what it is asked for."""

import os
import re
import shutil
import sqlite3
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from hil.bodies import judgement_body
from hil.capture import Accuracy, Capture, Source
from hil.conclusion import conclude
from hil.decision import judge
from hil.errors import UsageError
from hil.exact import Dimension, Exact
from hil.measurement import Calibration, Component, Measurement
from hil.requirement import Kind, Limit
from hil_fixtures import plan
from hil_fixtures.cli import main
from hil_fixtures.plan import Options
from hil_reports.evidence import Evidence, read_journal, seal
from hil_reports.evidence import index as module
from hil_reports.evidence.index import Wanted, opened
from hil_reports.evidence.register import Register
from hil_reports.trend import in_order, trend_svg

WHOLE = plan.make(Options(operator="A. Tester"))
_SCOPE = {name: WHOLE.requirements[name] for name in ("LIM-ACC", "LIM-CEIL")}
PLAN = replace(WHOLE, requirements=_SCOPE, known=_SCOPE)
STEPS = count()
TAKEN = Capture(
    np.zeros(10), 0.0, 1e-3, 0.0, Dimension.CURRENT,
    Source("ammeter", "SIM-A", Accuracy("SIM-A", 5e-4, 2e-6, "declared"), Calibration.VALID),
)  # fmt: skip


def utc():
    return datetime(2026, 3, 1, 9, tzinfo=UTC) + timedelta(seconds=next(STEPS))


def measured(milliamperes, u="2e-6"):
    value = Decimal(milliamperes).scaleb(-3)
    return Measurement(
        value,
        Dimension.CURRENT,
        (Component("a", float(u)),),
        ("SIM-A",),
        Calibration.VALID,
        (TAKEN.sha256,),
        derivation={"feature": "peak", "given": {"wave": TAKEN.sha256}},
    )


def ran(
    out,
    serial="SN-1",
    firmware="1.0",
    peak="4.05",
    steady="3.99",
    made=PLAN,
    *,
    sealed=True,
    ended=True,
    more=(),
):
    """Write a run of two tests, as the plugin does; return its folder."""
    with plan.begin(out, made, [], utc) as evidence:
        items = [("t:a", ["LIM-ACC"]), ("t:c", ["LIM-CEIL"])]
        items += [("t:m", [judgement.requirement]) for judgement in more]
        listed = [{"test": test, "requirements": ids, "doc": ""} for test, ids in items]
        evidence.append("collected", {"items": listed, "plugins": [], "errors": []})
        for role, number in (("stimulator", serial), ("ammeter", "SIM-A")):
            evidence.append(
                "instrument",
                {
                    "role": role,
                    "resource": "SIM",
                    "driver": "d",
                    "manufacturer": "M",
                    "model": "X",
                    "serial": number,
                    "firmware": firmware,
                    "certificate": "",
                    "due": "",
                    "calibration": "valid",
                },
            )
        evidence.append(
            "record",
            {"record": "r", "test": "", "captures": [evidence.capture(TAKEN, "current")]},
        )
        needs, outcomes = made.requirements, []
        for test, found in (
            ("t:a", [judged(needs["LIM-ACC"], steady, at) for at in ("4 mA", "3.98 mA")]),
            ("t:c", [judged(needs["LIM-CEIL"], peak)]),
            *(("t:m", [judgement]) for judgement in more),
        ):
            evidence.append("test_begin", {"test": test})
            evidence.append("recalled", {"test": test, "record": "r"})
            for judgement in found:
                evidence.append("judgement", judgement_body(test, judgement))
                good = all(judgement.verdict.value == "PASS" for judgement in found)
            outcomes.append("passed" if good else "failed")
            body = {"test": test, "outcome": outcomes[-1], "detail": "", "seconds": 0.1}
            body["judgements"] = len(found)
            evidence.append("test_end", body)
        if ended:
            body = {"pytest_exit": int("failed" in outcomes), "seconds": 1.0}
            evidence.append("end", body)
    folder = evidence.folder
    if sealed:
        seal(folder)
    Register(out, utc).close(folder, conclude(read_journal(folder).records))
    return folder


def judged(requirement, milliamperes, at=None):
    value = measured(milliamperes) if milliamperes else None
    return judge(requirement, value, Exact.parse(at) if at else None)


@pytest.fixture
def runs(tmp_path):
    """Five runs: two devices, two versions of firmware, one FAIL."""
    out = tmp_path / "runs"
    folders = [
        ran(out, "SN-9", "1.0", "4.05"),
        ran(out, "SN-10", "1.0", "4.10"),
        ran(out, "SN-9", "1.1", "5.60"),
        ran(out, "SN-10", "1.1", "4.12"),
        ran(out, "SN-9", "1.1", "4.06"),
    ]
    return out, folders


def refreshed(out, **more):
    with opened(out, **more) as index:
        done = index.refresh()
        return (done.read, done.kept, done.dropped), index.runs()


def found(out, **asked):
    with opened(out) as index:
        index.refresh()
        return [row.folder for row in index.runs(Wanted(**asked))]


def test_every_run_is_listed_as_its_bundle_says(runs):
    out, folders = runs
    done, rows = refreshed(out)
    assert done == (5, 0, 0)
    assert [row.folder for row in rows] == [folder.name for folder in folders]
    for row, folder in zip(rows, folders, strict=True):
        amounts = conclude(read_journal(folder).records)
        assert (row.verdict, row.code) == (amounts.verdict.value, int(amounts.exit_code))
        assert (row.serial, row.firmware) == (amounts.serial, amounts.firmware)
        assert (row.damage, row.sealed, row.complete) == ("", True, True)
    assert [row.number for row in rows] == [1, 2, 3, 4, 5]
    assert [row.verdict for row in rows] == ["PASS", "PASS", "FAIL", "PASS", "PASS"]


ASKED = [
    ({"serial": "SN-9"}, [0, 2, 4]),
    ({"firmware": "1.1"}, [2, 3, 4]),
    ({"serial": "SN-9", "firmware": "1.1"}, [2, 4]),
    ({"device": "reference ionto"}, [0, 1, 2, 3, 4]),
    ({"device": "STIMPROOF Reference Ionto"}, [0, 1, 2, 3, 4]),
    ({"device": "Ionto"}, []),
    ({"verdict": "FAIL"}, [2]),
    ({"requirement": "LIM-CEIL"}, [0, 1, 2, 3, 4]),
    ({"requirement": "LIM-CEIL", "verdict": "FAIL"}, [2]),
    ({"requirement": "LIM-ACC", "verdict": "FAIL"}, []),
    ({"requirement": "DOSE-TRUE"}, []),
    ({"serial": "' OR 1=1 --"}, []),
]


@pytest.mark.parametrize(("asked", "places"), ASKED)
def test_runs_are_found_by_what_is_asked(runs, asked, places):
    out, folders = runs
    assert found(out, **asked) == [folders[place].name for place in places]


def test_a_build_is_found_by_name_and_by_its_hash(tmp_path):
    entry = replace_firmware(PLAN)
    mine = ran(tmp_path, made=entry)
    ran(tmp_path)
    for firmware in ("ionto.so", "ab" * 32, "ab" * 5, "AB" * 5, f"ionto.so {'ab' * 6}"):
        assert found(tmp_path, firmware=firmware) == [mine.name], firmware
    assert found(tmp_path, firmware="ab" * 3) == []  # too short to mean one build


def replace_firmware(made):
    class Entry:
        name, sha256 = "ionto.so", "ab" * 32

    class Built:
        entry = Entry

    return replace(made, build=Built)


def test_a_second_look_reads_nothing_again(runs):
    out, _ = runs
    refreshed(out)
    assert refreshed(out)[0] == (0, 5, 0)


def test_a_new_and_a_deleted_run_are_noticed(runs):
    out, folders = runs
    refreshed(out)
    shutil.rmtree(folders[1])
    added = ran(out, "SN-11")
    done, rows = refreshed(out)
    assert done == (1, 4, 1)
    assert [row.folder for row in rows][-1] == added.name
    assert folders[1].name not in [row.folder for row in rows]


def test_a_run_that_goes_on_is_read_again(tmp_path):
    folder = ran(tmp_path, sealed=False)
    _, (row,) = refreshed(tmp_path)
    assert (row.sealed, row.code) == (False, 0)
    with Evidence.resume(folder, utc) as evidence:
        body = {"confirmed": False, "device_off": "", "path_open": "", "reason": "no reading"}
        evidence.append("safe_state", body)
    done, (row,) = refreshed(tmp_path)
    assert (done, row.code) == ((1, 0, 0), 20)
    seal(folder)
    done, (row,) = refreshed(tmp_path)
    assert (done, row.sealed) == ((1, 0, 0), True)


def change(path, old, new):
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))


def test_a_changed_bundle_is_damaged_whatever_the_index_knew(runs):
    out, folders = runs
    refreshed(out)
    change(folders[2] / "data" / "journal.jsonl", b'"verdict":"FAIL"', b'"verdict":"PASS"')
    _, rows = refreshed(out)
    damaged = [row for row in rows if row.damage]
    assert [row.folder for row in damaged] == [folders[2].name]
    assert "does not follow" in damaged[0].damage
    assert found(out, verdict="FAIL") == []  # nothing is believed of it, in either direction
    assert found(out, serial="SN-9") == [folders[0].name, folders[4].name]


def test_a_journal_that_is_not_the_sealed_one_is_damaged(tmp_path):
    folder, other = ran(tmp_path), ran(tmp_path, peak="5.60")
    (folder / "data/journal.jsonl").write_bytes((other / "data/journal.jsonl").read_bytes())
    _, rows = refreshed(tmp_path)
    assert {row.folder: row.damage for row in rows} == {
        folder.name: "data/journal.jsonl is not the one that was sealed",
        other.name: "",
    }


def test_a_bundle_without_journal_manifest_or_records_is_damaged(tmp_path):
    folders = [ran(tmp_path) for _ in range(3)]
    (folders[0] / "data/journal.jsonl").unlink()
    (folders[1] / "manifest-sha256.txt").unlink()
    (folders[2] / "data/journal.jsonl").write_bytes(b"")
    (tmp_path / "no run").mkdir()
    _, rows = refreshed(tmp_path)
    assert sorted(row.folder for row in rows) == [folder.name for folder in folders]
    assert all(row.damage for row in rows)


def content_of(out):
    with sqlite3.connect(out / "index.sqlite") as index:
        return list(index.iterdump())


def test_an_index_made_anew_is_the_same(runs):
    out, folders = runs
    refreshed(out)
    shutil.rmtree(folders[0])
    refreshed(out)
    before = content_of(out)
    done, _ = refreshed(out, rebuild=True)
    assert done == (4, 0, 0)
    assert content_of(out) == before
    (out / "index.sqlite").unlink()
    refreshed(out)
    assert content_of(out) == before


def garbage(path):
    path.write_bytes(b"this is no data base" * 100)


def older(path):
    with sqlite3.connect(path) as index:
        index.execute("PRAGMA user_version = 99")


def torn(path):
    path.write_bytes(path.read_bytes()[:5000])


@pytest.mark.parametrize("harm", [garbage, older, torn])
def test_an_index_that_is_none_is_made_anew(runs, harm):
    out, folders = runs
    refreshed(out)
    harm(out / "index.sqlite")
    done, rows = refreshed(out)
    assert done == (5, 0, 0)
    assert [row.folder for row in rows] == [folder.name for folder in folders]


def test_what_stands_in_the_index_alone_is_not_believed(runs):
    out, folders = runs
    refreshed(out)
    with sqlite3.connect(out / "index.sqlite") as index:
        index.execute("INSERT INTO bundle (folder, stamp, damage, sealed) VALUES ('x', '', '', 1)")
        index.execute("UPDATE bundle SET stamp = '' WHERE folder = ?", (folders[2].name,))
        index.execute("UPDATE bundle SET verdict = 'PASS'")
    done, rows = refreshed(out)
    assert done == (1, 4, 1)
    assert rows[2].verdict == "FAIL"


@pytest.mark.parametrize("name", ["data/journal.jsonl", "manifest-sha256.txt"])
@pytest.mark.parametrize("how", ["in place", "another file"])
def test_a_change_of_the_same_size_and_time_is_noticed(tmp_path, name, how):
    folder = ran(tmp_path)
    refreshed(tmp_path)
    path = folder / name
    state, content = path.stat(), path.read_bytes()
    changed = content.replace(b"a", b"b", 1)
    if how == "another file":
        path.rename(tmp_path / "old")
    path.write_bytes(changed)
    os.utime(path, ns=(state.st_atime_ns, state.st_mtime_ns))
    done, (row,) = refreshed(tmp_path)
    assert done == (1, 0, 0)
    assert bool(row.damage) or name.startswith("manifest")  # of which one line is read


@pytest.mark.parametrize("option", ["--rebuild", "--verify"])
def test_a_row_that_was_written_by_hand_stands_until_all_is_read_again(hil, runs, option):
    out, _ = runs
    refreshed(out)
    with sqlite3.connect(out / "index.sqlite") as index:
        index.execute("UPDATE bundle SET verdict = 'PASS'")
    _, said, _ = hil("history", "--out", str(out), "--verdict", "FAIL")
    assert "an index proves nothing (--rebuild reads all)" in said
    _, said, _ = hil("history", "--out", str(out), "--verdict", "FAIL", option)
    assert runs[1][2].name in said


def test_where_nothing_can_be_written_the_index_is_in_memory(runs, monkeypatch):
    out, _ = runs
    monkeypatch.setattr(module.os, "access", lambda *_: False)  # as root all can be written
    with opened(out) as index:
        done = index.refresh()
        assert (done.read, done.stored) == (5, False)
        assert len(index.runs()) == 5
    assert not (out / "index.sqlite").exists()


def trend(out, requirement, at=lambda _: True, **asked):
    with opened(out) as index:
        index.refresh()
        return index.trend(requirement, Wanted(**asked), at)


def test_a_trend_holds_the_worst_judgement_of_each_run(runs):
    out, folders = runs
    rows = trend(out, "LIM-ACC")
    assert [row.run.folder for row in rows] == [folder.name for folder in folders]
    # 3.99 mA lies nearer to the edge of its tolerance about 3.98 mA or 4 mA: the smaller margin.
    for row, folder in zip(rows, folders, strict=True):
        decisive = next(
            r.decisive
            for r in conclude(read_journal(folder).records).requirements
            if r.requirement["id"] == "LIM-ACC"
        )
        assert (row.value, row.margin) == (decisive["measured"]["value"], decisive["margin"])
        assert (row.lower, row.upper) == (decisive["lower"], decisive["upper"])
        assert row.at == decisive["at"]


def test_a_trend_keeps_to_what_is_asked(runs):
    out, folders = runs
    rows = trend(out, "LIM-CEIL", serial="SN-9", firmware="1.1")
    assert [row.run.folder for row in rows] == [folders[2].name, folders[4].name]
    assert [row.value for row in rows] == ["0.00560", "0.00406"]
    assert [row.verdict for row in rows] == ["FAIL", "PASS"]
    (failed,) = trend(out, "LIM-CEIL", verdict="FAIL")
    assert failed.run.folder == folders[2].name
    with pytest.raises(UsageError, match=r"in the scope of no run .*known: LIM-ACC, LIM-CEIL"):
        trend(out, "LIM-NONE")


def test_a_trend_is_ordered_as_a_reader_counts(runs):
    out, _ = runs
    ordered = [(row.run.serial, row.run.firmware) for row in in_order(trend(out, "LIM-CEIL"))]
    assert ordered == [
        ("SN-9", "1.0"), ("SN-9", "1.1"), ("SN-9", "1.1"), ("SN-10", "1.0"), ("SN-10", "1.1")
    ]  # fmt: skip


def plotted(out, requirement="LIM-CEIL"):
    svg = trend_svg(in_order(trend(out, requirement)), "<LIM> & so on")
    root = ET.fromstring(svg)
    texts = ["".join(each.itertext()) for each in root.iter("{http://www.w3.org/2000/svg}text")]
    return root, texts


def marks(root, verdict):
    return [each for each in root.iter() if each.get("class") == f"mark {verdict}"]


def test_a_plot_shows_each_run_its_limits_and_its_unit(runs):
    out, _ = runs
    root, texts = plotted(out)
    assert len(marks(root, "PASS")) == 4
    assert len(marks(root, "FAIL")) == 1
    assert len([each for each in root.iter() if each.get("class") == "u"]) == 5
    assert "<LIM> & so on" in texts
    assert "SIMULATED" in texts
    assert "value in mA" in texts
    assert {"SN-9", "SN-10", "1.0", "1.1"} <= set(texts)
    (row,) = [each.get("y") for each in root.iter() if each.text == "run no."]
    numbers = [each.text for each in root.iter() if each.get("y") == row and each.text]
    assert numbers == ["1", "3", "5", "2", "4", "run no."]
    assert not [each for each in root.iter() if each.get("class") == "odd"]
    (limit,) = [text for text in texts if text.startswith("upper limit")]
    assert limit == f"upper limit {PLAN.requirements['LIM-CEIL'].limit.figure}"


def test_a_limit_that_changed_between_runs_is_drawn_as_it_was(tmp_path):
    ran(tmp_path)
    ceiling = PLAN.requirements["LIM-CEIL"]
    lower = replace(ceiling, limit=Limit(Kind.AT_MOST, Exact.parse("4.2 mA")))
    ran(tmp_path, made=replace(PLAN, requirements={**PLAN.requirements, "LIM-CEIL": lower}))
    root, texts = plotted(tmp_path)
    heights = [each.get("d") for each in root.iter() if each.get("class") == "limit"]
    assert len(set(heights)) == 2
    assert "upper limit 4.2 mA" in texts


def test_limits_far_from_the_values_are_told(tmp_path):
    ceiling = PLAN.requirements["LIM-CEIL"]
    for far in ("40 mA", "44 mA"):
        limit = Limit(Kind.BETWEEN, lower=Exact.parse("-40 mA"), upper=Exact.parse(far))
        given = replace(ceiling, limit=limit)
        ran(tmp_path, made=replace(PLAN, requirements={**PLAN.requirements, "LIM-CEIL": given}))
    _, texts = plotted(tmp_path)
    assert "upper limits 40 mA to 44 mA lie above this plot" in texts
    assert f"lower limit {chr(0x2212)}40 mA lies below this plot" in texts


@pytest.mark.parametrize("numbers", [(0,), (3, 3), (0, 1, 0), (2, 17)])
def test_the_axis_of_a_count_has_whole_numbers(tmp_path, numbers):
    ran(tmp_path)
    (row,) = trend(tmp_path, "LIM-CEIL")
    unit, upper = Dimension.COUNT.value, str(max(numbers) + 1)
    row = replace(row, unit=unit, expanded="0", upper=upper, margin="")
    svg = trend_svg([replace(row, value=str(number)) for number in numbers], "a count")
    axis = [
        float("".join(each.itertext()).replace(chr(0x2212), "-"))
        for each in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
        if each.get("x") == "63.0" and "".join(each.itertext())[-1].isdigit()
    ]
    assert len(axis) >= 2
    assert all(value >= 0 and value == int(value) for value in axis)


def test_a_run_without_a_value_is_marked_and_said(tmp_path):
    ran(tmp_path)
    ran(tmp_path, peak="")
    root, texts = plotted(tmp_path)
    assert len(marks(root, "PASS")) == 1
    assert len([e for e in root.iter() if (e.get("class") or "").startswith("mark")]) == 2
    assert any("1 without a value, marked at the foot" in text for text in texts)


@pytest.mark.parametrize("number", [1, 3, 400])
def test_a_plot_stays_on_its_paper(tmp_path, number):
    ran(tmp_path)
    (row,) = trend(tmp_path, "LIM-CEIL")
    rows = [
        replace(row, run=replace(row.run, serial=f"SN-{n % 40}", firmware=f"1.{n % 3}"))
        for n in range(number)
    ]
    root = ET.fromstring(trend_svg(in_order(rows), "LIM-CEIL"))
    for circle in root.iter("{http://www.w3.org/2000/svg}circle"):
        assert 0 <= float(circle.get("cx")) <= 900
        assert 0 <= float(circle.get("cy")) <= 400
    for text in root.iter("{http://www.w3.org/2000/svg}text"):
        assert -1 <= float(text.get("x")) <= 900


@pytest.fixture
def hil(capsys, monkeypatch):
    """Run `hil` in this process: code, what it printed, what it complained of."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["hil", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return ended.value.code, out, err.splitlines()

    return run


def test_history_prints_a_line_for_each_run(hil, runs):
    out, folders = runs
    code, said, complained = hil("history", "--out", str(out))
    assert (code, complained) == (0, [])
    for folder in folders:
        (line,) = [line for line in said.splitlines() if folder.name in line]
        assert "Stimproof Reference Ionto" in line
        assert "SIMULATED" in line
    assert "not read again" not in said
    _, said, _ = hil("history", "--out", str(out))
    assert "5 of 5 run folders were not read again: they look as they did" in said


def test_history_asks_for_one_device_and_one_requirement(hil, runs):
    out, folders = runs
    options = ["--serial", "SN-9", "--requirement", "LIM-CEIL", "--verdict", "FAIL"]
    _, said, _ = hil("history", "--out", str(out), *options)
    named = [folder.name for folder in folders if folder.name in said]
    assert named == [folders[2].name]
    assert "LIM-CEIL verdict" in said
    _, said, _ = hil("history", "--out", str(out), "--serial", "none")
    assert "no run folder answers to that" in said


def test_history_names_damage_and_what_the_register_misses(hil, runs):
    out, folders = runs
    change(folders[0] / "data/journal.jsonl", b'"PASS"', b'"FAIL"')
    shutil.rmtree(folders[1])
    code, said, _ = hil("history", "--out", str(out))
    assert code == 0
    assert "DAMAGED: record" in said
    assert f"register: {folders[0].name} is changed" in said
    assert f"register: {folders[1].name} is missing: its folder is not there" in said


def test_history_prints_and_draws_a_trend(hil, runs, tmp_path):
    out, folders = runs
    plot = tmp_path / "trend.svg"
    options = ["--trend", "LIM-CEIL", "--plot", str(plot)]
    code, said, complained = hil("history", "--out", str(out), *options)
    assert (code, complained) == (0, [])
    assert "LIM-CEIL: " in said
    assert ", in mA" in said
    (line,) = [line for line in said.splitlines() if folders[2].name in line]
    assert re.search(r"SN-9 +1\.1 +- +5\.6000 +0\.0040 .* FAIL", line), line
    assert "SIMULATED runs are among them" in said
    assert ET.parse(plot).getroot().tag.endswith("svg")


def test_history_takes_one_setting_in_whatever_unit(hil, runs):
    out, _ = runs
    for at in ("4 mA", "4000 uA", "0.0040 A"):
        _, said, _ = hil("history", "--out", str(out), "--trend", "LIM-ACC", "--at", at)
        assert said.count("4 mA") == 5
        assert "3.98 mA" not in said


def test_a_setting_without_a_judgement_is_answered_by_those_there_are(hil, runs):
    out, _ = runs
    for at in ("4 V", "3 mA"):
        code, _, lines = hil("history", "--out", str(out), "--trend", "LIM-ACC", "--at", at)
        told = f"hil: --at {at}: LIM-ACC was never judged there; it was judged at 3.98 mA, 4 mA"
        assert (code, lines) == (11, [told])
    code, _, lines = hil("history", "--out", str(out), "--trend", "LIM-CEIL", "--at", "4 mA")
    assert (code, lines[0].endswith("relate to no setting; leave --at out")) == (11, True)


def optioned(**options):
    return replace(PLAN, options=replace(PLAN.options, **options))


def test_a_trend_says_what_to_know_of_a_run(hil, tmp_path):
    out = tmp_path / "runs"
    ran(out)
    seeded = ran(out, made=optioned(faults=("F06",)))
    partial = ran(out, made=optioned(suites=("current-limits",)))
    killed = ran(out, sealed=False, ended=False)
    unsafe = ran(out, sealed=False)
    with Evidence.resume(unsafe, utc) as evidence:
        body = {"confirmed": False, "device_off": "", "path_open": "", "reason": "no reading"}
        evidence.append("safe_state", body)
    damaged = ran(out)
    change(damaged / "data/journal.jsonl", b'"PASS"', b'"FAIL"')
    _, said, _ = hil("history", "--out", str(out), "--trend", "LIM-CEIL")
    for folder, note in (
        (seeded, "faults F06"),
        (partial, "partial scope"),
        (killed, "did not end by itself"),
        (unsafe, "SAFE STATE UNCONFIRMED"),
    ):
        line = next(line for line in said.splitlines() if folder.name in line)
        assert note in line
    assert f"not in it: {damaged.name}, DAMAGED: record" in said
    root, texts = plotted(out)
    rings = [each for each in root.iter() if each.get("class") == "odd"]
    assert len(rings) == 4
    assert "4 with a note, see the table" in texts


def test_a_yes_or_no_is_told_in_words_and_not_drawn(hil, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sign = WHOLE.requirements["POL-SIGN"]
    made = replace(PLAN, requirements={**PLAN.requirements, "POL-SIGN": sign})
    for answer in "10":
        value = Measurement(Decimal(answer), Dimension.TRUTH, (), (), Calibration.VALID)
        ran(Path("runs"), made=made, more=[judge(sign, value)])
    code, said, _ = hil("history", "--trend", "POL-SIGN")
    assert code == 0
    assert re.findall(r"(holds|does not hold) .*(PASS|FAIL)", said) == [
        ("holds", "PASS"),
        ("does not hold", "FAIL"),
    ]
    code, _, lines = hil("history", "--trend", "POL-SIGN", "--plot", "x.svg")
    assert (code, lines) == (
        11,
        ["hil: --plot: POL-SIGN is a yes or no, which has no trend to draw"],
    )


WRONG = {
    "no folder": (["--out", "none"], "--out none: there is no such folder"),
    "verdict": (["--verdict", "GOOD"], "--verdict GOOD: unknown; allowed: FAIL, ERROR"),
    "plot of another kind": (
        ["--trend", "LIM-CEIL", "--plot", "x.png"],
        "--plot x.png: a plot is an SVG file; give it a name that ends in .svg",
    ),
    "plot alone": (["--plot", "x.svg"], "belong to --trend"),
    "unknown requirement": (["--trend", "LIM-X"], "requirement LIM-X: in the scope of no run"),
    "bare number": (["--trend", "LIM-ACC", "--at", "4"], "'4' has no unit"),
    "plot into nowhere": (
        ["--trend", "LIM-CEIL", "--plot", "no/where.svg"],
        "--plot no/where.svg: cannot be written",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_history_cannot_do_is_named(hil, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    ran(Path("runs"))
    arguments, wanted = WRONG[case]
    code, _, lines = hil("history", *arguments)
    assert code == 11
    assert wanted in lines[0]
