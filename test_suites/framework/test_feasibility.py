"""What a bench can decide is foreseen, and what it cannot decide ends as NOT_EVALUATED."""

from __future__ import annotations

import contextlib
import io
import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
import typer

from hil.bodies import judgement_body, measured_body, measured_of, requirement_body, requirement_of
from hil.capture import Accuracy, Sampling
from hil.conclusion import Conclusion, conclude
from hil.decision import judge as decide
from hil.docket import Docket
from hil.exact import Dimension, Exact, readable
from hil.feasibility import Path as SignalPath
from hil.feasibility import assess, decided, expanded, judging, signals, table, undecidable
from hil.measurement import Calibration, Component, Measurement
from hil.requirement import Kind, Knowledge, Limit, Measurand, Requirement
from hil.verdict import ExitCode, Verdict
from hil.waveform import WHOLE
from hil_fixtures import config, foresight, plan
from hil_fixtures import rejudging as replaying
from hil_fixtures.cli.feasibility import feasibility as shown_by_command
from hil_fixtures.judging import Judge, NotPassed
from hil_instruments.drivers import keysight_34465a
from hil_instruments.drivers.keysight_34465a import RANGES
from hil_instruments.drivers.meter import Range
from hil_reports.evidence import read_journal, seal
from hil_reports.feasible import feasibility_view
from hil_reports.gaps import by_word
from hil_reports.report import write_report

DOCS = Path(__file__).resolve().parents[2] / "docs"
PROFILE = config.read_device(None)
LEAST, MOST = 0.85, 5.0
"""Between these lies foreseen U over judged U; see docs/feasibility.md."""
SCOPE = SignalPath(
    "ammeter",
    "eight bits",
    "1 V/div on 1000 ohm",
    Dimension.CURRENT,
    # 3 % of 8 V full scale, 0.1 div, 2 mV and half a step, across 1 kohm
    Accuracy("scope", 0.0, (0.24 + 0.1 + 0.002 + 0.0156) / 1000, "DS1000Z"),
    10_000.0,
    judges=True,
    one_error=False,
    step=8 / 256 / 1000,
)
METER = SignalPath(
    "ammeter",
    "34465A",
    "10 mA",
    Dimension.CURRENT,
    Accuracy("meter", 0.0005, 2e-6, "34465A"),
    2_000.0,
    judges=True,
)


def required(kind: Kind, figure: str, measures: Measurand | None = None) -> Requirement:
    exact = Exact.parse(figure)
    limit = Limit(kind, exact)
    return Requirement(
        "R-1", "subject", "title", "text", limit, exact.dimension, "project", "here",
        Knowledge.PROJECT, measures=measures,
    )  # fmt: skip


OVERSHOOT = required(Kind.DIFFERENCE, "80 uA")
OFF = required(Kind.AT_MOST, "10 uA")


def planned(bench: Path | None = None) -> plan.Plan:
    return plan.make(plan.Options(None, bench))


SHIPPED = planned().requirements
IN_PART = {"DOSE-TRUE", "DOSE-END", "DOSE-SUM", "IND-IMP", "LIM-RIPPLE", "CMD-DOSE"}
"""What a DMM6500 decides at some settings alone: its offset weighs on small signals."""
AIDED = {"STOP-HALT", "STOP-RESET", "IND-LAMP", "STBY-EARTH"}
"""What needs an aid: of the Keysight bench's file all are left out."""


def without(role: str, at: Path) -> Path:
    """The built-in bench file without one role."""
    head, begin, rest = config.starter("bench").partition(f"[instruments.{role}]")
    assert begin
    file = at / f"no-{role}.toml"
    file.write_text(head + "[instruments." + rest.partition("[instruments.")[2])
    return file


def with_meters(driver: str, model: str, at: Path) -> Path:
    text = config.starter("bench").replace('"keysight-34465a"', f'"{driver}"')
    file = at / f"{driver}.toml"
    file.write_text(text.replace('"34465A"', f'"{model}"'))
    return file


# --- the table -----------------------------------------------------------------------------------


@pytest.mark.parametrize("requirement", [OVERSHOOT, OFF])
def test_eight_bits_decide_neither_an_overshoot_nor_off(requirement):
    """The figures of issue and design: 8 V full scale on 1 kohm is a step of 31 uA."""
    assert readable(Decimal(repr(SCOPE.step)), Dimension.CURRENT, 2) == "31 uA"
    row = assess(requirement, SCOPE, PROFILE)
    assert row["decidable"] is False
    assert row["cause"] == "uncertainty"
    assert "one step of its converter is 31.3 uA" in row["reason"]
    assert assess(requirement, METER, PROFILE)["decidable"] is True


def test_an_undecidable_row_names_what_would_decide():
    rows = table([OFF], [SCOPE, voltage_path()], [METER, replace(SCOPE, judges=False)], PROFILE)
    (row,) = judging(rows)
    assert "it would be decided by: 34465A (10 mA range, U = 2.98 uA)" in row["reason"]
    assert "eight bits (" not in row["reason"]
    assert undecidable(rows).keys() == {"R-1"}
    (row,) = judging(table([OFF], [SCOPE, voltage_path()], [], PROFILE))
    assert "no instrument that has a driver here decides it" in row["reason"]


def voltage_path() -> SignalPath:
    return replace(METER, role="voltmeter", dimension=Dimension.VOLTAGE)


def test_the_boundary_lies_where_u_is_all_the_room():
    limit = 2 * METER.u(0.0)
    just = replace(METER, accuracy=Accuracy("exact", 0.0, 1e-6, "x"))
    room = expanded(Measurand.MEAN, just, 0.0, PROFILE)
    for figure, decidable in ((room * 1.0001, True), (room * 0.9999, False)):
        requirement = required(Kind.AT_MOST, f"{figure:.12f} A", Measurand.MEAN)
        assert assess(requirement, just, PROFILE)["decidable"] is decidable
    assert limit > room


def test_a_limit_above_the_largest_setting_leaves_room_from_there_on():
    """A healthy device reaches 4 mA: with U = 0.5 mA none could keep 4.4 mA and show it."""
    coarse = replace(METER, accuracy=Accuracy("coarse", 0.0, 0.3e-3, "x"))
    row = assess(required(Kind.AT_MOST, "4.4 mA"), coarse, PROFILE)
    assert (row["decidable"], row["room"]) == (False, pytest.approx(0.4e-3))
    assert "between 4.00 mA, which a healthy device may reach, and its limit" in row["reason"]


def test_what_is_decided_at_some_settings_is_judged():
    """5 uA weigh on 0.4 mA*min by 0.1 mA, and not by 4 mA."""
    coarse = replace(METER, accuracy=Accuracy("coarse", 0.001, 5e-6, "x"))
    rows = table([planned().known["DOSE-TRUE"]], [coarse, voltage_path()], [], PROFILE)
    (row,) = judging(rows)
    assert (row["decidable"], row["cause"]) == (False, "in part")
    assert row["at"] == "0.4 mA*min by 0.1 mA"
    assert undecidable(rows) == {}
    assert not decided(rows)


def test_a_level_that_the_meter_cannot_tell_cannot_be_timed():
    row = assess(required(Kind.AT_MOST, "1 s"), SCOPE, PROFILE)
    assert (row["decidable"], row["unit"]) == (False, "A")
    assert "10.0 uA of the level by which it is timed" in row["reason"]


def test_unknown_limits_of_error_are_left_to_what_comes():
    rows = table([OFF], [replace(METER, accuracy=None), voltage_path()], [], PROFILE)
    assert [row["decidable"] for row in rows] == [None]
    assert undecidable(rows) == {}
    assert not decided(rows)


def test_the_built_in_bench_decides_all_that_ships():
    rows = planned().feasibility
    assert {row["requirement"] for row in judging(rows)} == set(planned().requirements)
    assert decided(rows)
    oscilloscope = {r["requirement"]: r["decidable"] for r in rows if r["role"] == "oscilloscope"}
    assert [name for name, decidable in oscilloscope.items() if decidable] == ["LIM-DENS"]
    shown = {row["requirement"]: row for row in judging(rows)}
    assert shown["LIM-CEIL"]["excursion"] == 1e-3
    assert shown["LIM-CEIL"]["bandwidth"] == pytest.approx(886)
    assert shown["LIM-ACC"]["excursion"] is None
    assert shown["STOP-TELL"]["role"] == ""


@pytest.mark.parametrize("name", ["bench-dmm6500", "bench-keysight"])
def test_the_meters_of_the_documented_benches_can_judge_everything(name):
    rows = planned(DOCS / f"{name}.toml").feasibility
    never = {"DOSE-SUM"} if name == "bench-dmm6500" else AIDED
    assert set(undecidable(rows)) == never
    partly = {row["requirement"] for row in judging(rows) if row["decidable"] is False}
    assert partly == (IN_PART if name == "bench-dmm6500" else AIDED)


def test_a_meter_that_records_too_slowly_is_told_by_its_rate(tmp_path):
    rows = planned(with_meters("keysight-34461a", "34461A", tmp_path)).feasibility
    measured = [row for row in judging(rows) if row["role"]]
    assert {row["cause"] for row in measured} == {"rate"}
    assert "records 50 to 250 samples per second, and suites record 2000" in measured[0]["reason"]
    assert "34465A (10 mA range" in measured[0]["reason"]
    assert undecidable(rows) == {}  # a test that records slowly may be judged


def test_a_meter_whose_recordings_end_by_themselves_is_told_so(tmp_path):
    rows = planned(with_meters("keithley-2000", "2000", tmp_path)).feasibility
    measured = [row for row in judging(rows) if row["role"]]
    assert {row["cause"] for row in measured} == {"rate"}
    assert "ends after 1024, and suites record 2000 without an end" in measured[0]["reason"]
    assert "2000 (10 mA" not in measured[0]["reason"]
    burst = Sampling(1.0, 1000.0, 1024, ends=True)
    assert burst.offers(100.0)
    assert not burst.carries(100.0)


def test_u_of_the_samples_alone_is_told_as_a_least_one():
    """Its level is crossed on a ramp: how surely the meter knows the level is not foreseen."""
    scope = [{"id": name} for name in SHIPPED]
    view = feasibility_view({"requirements": scope, "feasibility": planned().feasibility})  # type: ignore[typeddict-item]  # it reads no more of a plan
    rows = {row["requirement"]: row["u"] for row in view["rows"]}
    assert rows["RAMP-TIME"].startswith("≥ ")
    assert not rows["LIM-ACC"].startswith("≥ ")


def test_what_a_bench_lacks_beside_its_meters_is_foreseen(tmp_path):
    bare = tmp_path / "bench.toml"
    text, count = re.subn(r"\n\[aids\.(jig|indicator)\].*\n.*", "", config.starter("bench"))
    assert count == 2
    bare.write_text(text, "utf-8")
    known, rows = undecidable(planned(None).feasibility), undecidable(planned(bare).feasibility)
    assert rows.keys() - known.keys() == {"STOP-HALT", "STOP-RESET", "IND-LAMP"}
    jig, lamp = rows["STOP-HALT"], rows["IND-LAMP"]
    assert jig == "needs jig, which the bench file does not have: add [aids.jig]"
    assert lamp == "needs indicator, which the bench file does not have: add [aids.indicator]"


def test_an_arming_that_asks_for_too_many_samples_is_refused_with_who_takes_them(tmp_path):
    bench = with_meters("keysight-34461a", "34461A", tmp_path)
    folder, found = run(
        tmp_path / "runs", f"--hil-bench={bench}", "--hil-suite=current-limits", "-k", "without_a"
    )
    assert verdicts(found, "LIM-OFF") == {"NOT_EVALUATED"}
    (off,) = (row for row in found.requirements if row.requirement["id"] == "LIM-OFF")
    (remark,) = {body["reason"] for body in off.judgements}
    assert remark.endswith("2000 were asked for; these do that: 34465A, DMM6500")
    armed = [r.body["test"] for r in read_journal(folder).records if r.kind == "armed"]
    assert armed == []


def test_what_is_measured_is_as_the_catalogue_says_and_journaled():
    known = planned().known
    assert known["LIM-OFF"].measurand is Measurand.MEAN
    assert known["LIM-OVER"].measurand is Measurand.DIFFERENCE
    assert known["STOP-TELL"].measurand is Measurand.WORD
    assert known["POL-LOCK"].measurand is Measurand.SIGN
    for requirement in known.values():
        assert requirement_of(requirement_body(requirement)) == requirement


# --- what becomes of it --------------------------------------------------------------------------


def measured(value: str, u: float) -> Measurement:
    return Measurement(
        Decimal(value), Dimension.CURRENT, (Component("a", u),), calibration=Calibration.VALID
    )


@pytest.mark.parametrize(
    ("value", "verdict"),
    [
        ("0.000001", Verdict.NOT_EVALUATED),  # inside, and could be noise
        ("0.00001", Verdict.NOT_EVALUATED),
        ("0.00031", Verdict.NOT_EVALUATED),  # outside, and could be noise
        ("0.000310001", Verdict.NOT_EVALUATED),
        ("0.0003100011", Verdict.NOT_EVALUATED),
        ("0.00032", Verdict.FAIL),  # outside by more than U: no noise
        ("NaN", Verdict.ERROR),
    ],
)
def test_what_cannot_be_decided_never_passes_and_never_fails_by_noise(value, verdict):
    """U = 0.30001 mA about a limit of 10 uA."""
    judge, docket = judged_by(OFF)
    found = judge("R-1", measured(value, 0.000150005))
    assert found.verdict is verdict
    body = judgement_body("t", found)
    again = decide(OFF, measured(value, 0.000150005))
    weighed = docket.undecided("R-1", again.verdict, again.margin, again.measured)
    assert bool(weighed) is (verdict is Verdict.NOT_EVALUATED)
    if verdict is Verdict.NOT_EVALUATED:
        assert "34465A" in body["reason"]
    assert docket.undecided("R-1", Verdict.FAIL, None, None) == ""  # of a trip: no value


def judged_by(*requirements: Requirement) -> tuple[Judge, Docket]:
    rows = table(requirements, [SCOPE, voltage_path()], [METER], PROFILE)
    docket = Docket()
    docket.note("plan", {"feasibility": rows})
    known = {each.id: each for each in requirements}
    return (
        Judge("t", known, lambda judgement: None, frozenset(known), undecided=docket.undecided),
        docket,
    )


def test_a_test_passes_by_what_it_could_evaluate():
    judge, _ = judged_by(OFF, replace(required(Kind.AT_MOST, "100 mA"), id="R-2"))
    judge("R-1", measured("0", 1e-4))
    judge("R-2", measured("0", 1e-4))
    judge.finish()
    judge("R-2", measured("1", 1e-4))
    with pytest.raises(NotPassed, match="R-2 FAIL"):
        judge.finish()


def test_each_requirement_is_told_why_it_is_not_evaluated():
    judge, _ = judged_by(OFF, replace(required(Kind.AT_MOST, "100 mA"), id="R-2"))
    judge.not_evaluated("no such load")
    assert [j.verdict for j in judge.judgements] == [Verdict.NOT_EVALUATED] * 2
    assert "34465A" in judge.judgements[0].reason
    assert judge.judgements[1].reason == "no such load"


# --- the shortest excursion ---------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.02, 0.5, 1.0])
def test_an_excursion_of_two_intervals_fills_a_sample_wherever_it_begins(share):
    """Samples integrate over a share of their interval: of 1 s here."""

    def seen(length: float, begin: float) -> float:
        opens = np.arange(-2.0, 6.0)
        covered = np.minimum(opens + share, begin + length) - np.maximum(opens, begin)
        return float(np.max(np.clip(covered, 0.0, share)) / share)

    begins = np.linspace(0.0, 1.0, 101)
    assert min(seen(WHOLE, begin) for begin in begins) == pytest.approx(1.0)
    assert min(seen(1.0 + share - 0.05, begin) for begin in begins) < 1.0


def test_what_bounds_an_extreme_states_the_excursion_that_it_shows(healthy):
    shown = {}
    for record in healthy:
        if record.kind == "judgement":
            body = record.body
            if body["requirement"] == "STOP-TELL":
                continue
            shown[body["requirement"]] = body["measured"].get("excursion")
            told = "an excursion of " in body["reason"]
            assert told is (shown[body["requirement"]] is not None)
            assert measured_body(measured_of(body["measured"])) == body["measured"]
    assert shown == {
        "LIM-ACC": None,
        "LIM-OFF": None,
        "LIM-OVER": pytest.approx(1e-3),
        "LIM-CEIL": pytest.approx(1e-3),
        "LIM-VOLT": pytest.approx(1e-3),
        "STOP-OPEN": pytest.approx(1e-3),
        "RAMP-UP": 1.0,
        "RAMP-STEP": pytest.approx(5.5e-3),
        "RAMP-MONO": pytest.approx(5.5e-3),
        "LIM-RIPPLE": None,
    }
    foreseen = {row["requirement"]: row["excursion"] for row in judging(planned().feasibility)}
    assert shown == {name: foreseen[name] and pytest.approx(foreseen[name]) for name in shown}
    (reason,) = {r.body["reason"].partition("; ")[2] for r in healthy
                 if r.kind == "judgement" and r.body["requirement"] == "LIM-CEIL"}  # fmt: skip
    assert reason == "an excursion of 1.0 ms or longer shows whole"


def test_the_longer_excursion_counts_of_two():
    short, long = (replace(measured("0", 1e-6), excursion=each) for each in (1e-3, 1.0))
    assert (short - long).excursion == 1.0
    assert (short - measured("0", 1e-6)).excursion == 1e-3
    assert (-abs(long)).excursion == 1.0
    assert (measured("0", 1e-6) + measured("0", 1e-6)).excursion is None


# --- whole runs ----------------------------------------------------------------------------------


def run(out: Path, *options: str) -> tuple[Path, Conclusion]:
    out.mkdir(exist_ok=True)
    args = ["--pyargs", "hil_suites", "--hil-depth=smoke", f"--hil-out={out}", f"--rootdir={out}"]
    apart = ["-c", "/dev/null", "-p", "no:cacheprovider", "-p", "no:timeout", "-q"]
    apart += ["--import-mode=importlib"]
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main([*args, *apart, *options])
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    return folder, conclude(read_journal(folder).records)


def test_a_bench_without_an_ammeter_energises_nothing_and_says_what_is_missing(tmp_path):
    """Its oscilloscope is the only current path."""
    bench = without("ammeter", tmp_path)
    folder, found = run(tmp_path / "runs", f"--hil-bench={bench}", "--hil-depth=standard")
    assert {row.verdict for row in found.requirements} == {Verdict.NOT_EVALUATED}
    assert found.exit_code is ExitCode.OTHER_VERDICT
    assert found.complete
    records = read_journal(folder).records
    energising = {"armed", "stimulus", "instrument", "preflight", "safe_state"}
    assert not energising & {record.kind for record in records}
    remark = {row.requirement["id"]: row.remark for row in found.requirements}
    assert remark["LIM-OFF"].startswith("the bench has no ammeter: off cannot be proven")
    assert "oscilloscope does not decide this: U = 856 uA" in remark["LIM-OFF"]
    assert "34465A (10 mA range, U = 2.31 uA)" in remark["LIM-OFF"]
    seal(folder)
    write_report(folder)
    page = (folder / "report" / "index.html").read_text()
    assert f"0 of {len(SHIPPED)} requirements can be decided on this bench" in page
    assert page.index("What this bench can decide") < page.index("<h2>Requirements</h2>")
    summary = json.loads((folder / "report" / "summary.json").read_text())
    assert {each["decidable"] for each in summary["requirements"].values()} == {False}
    assert {each["excursion"] for each in summary["requirements"].values()} == {None}
    assert replaying.replay(folder).differing == []


def test_a_coarse_ammeter_judges_what_it_can_and_nothing_else(tmp_path, monkeypatch):
    """With 50 uA of additive error it is no judge of 10 uA, and of 4.4 mA it is."""
    fine = [each for each in RANGES[Dimension.CURRENT] if each.full_scale < 1e-2]
    coarse = [*fine, Range(1e-2, "10 mA", 0.05, 0.5)]
    ranges = {**RANGES, Dimension.CURRENT: coarse}
    monkeypatch.setattr(keysight_34465a, "RANGES", ranges)
    chosen = "within_its_limits or without_a_treatment"
    folder, found = run(tmp_path, "--hil-suite=current-limits", "-k", chosen)
    assert verdicts(found, "LIM-OFF") == {"NOT_EVALUATED"}
    assert verdicts(found, "LIM-CEIL") == {"PASS"}
    outcomes = {row.test.partition("[")[0]: row.outcome for row in found.tests if row.outcome}
    assert outcomes["test_current_limits:test_no_current_without_a_treatment"] == "skipped"
    assert outcomes["test_current_limits:test_current_stays_within_its_limits"] == "passed"
    kinds = [record.kind for record in read_journal(folder).records]
    assert kinds.count("armed") == 2  # stage B, and the treatment: nothing for what is undecidable


@pytest.mark.parametrize("width", [80, 100, 160])
@pytest.mark.parametrize("name", ["", "bench-dmm6500"])
def test_the_table_fits_its_terminal(monkeypatch, capsys, width, name):
    monkeypatch.setenv("COLUMNS", str(width))
    with pytest.raises(typer.Exit) as ended:
        shown_by_command(DOCS / f"{name}.toml" if name else None, suite=None, every=False)
    assert ended.value.exit_code == (10 if name else 0)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= width
    assert not [line for line in lines if "…" in line]
    text = " ".join(" ".join(lines).split())
    decides = len(SHIPPED) - (len(IN_PART) if name else 0)
    assert f"{decides} of {len(SHIPPED)} requirements can be decided on this bench" in text
    assert ("DOSE-END in part: U = 1.61 mC is larger than" in text) is bool(name)
    for row in judging(planned().feasibility):
        assert any(line.startswith(row["requirement"]) for line in lines)


def test_the_report_shows_figures_as_it_shows_all_others():
    scope = [requirement_body(planned().known["RAMP-STEP"])]
    view = feasibility_view({"requirements": scope, "feasibility": planned().feasibility})  # type: ignore[typeddict-item]  # it reads no more of a plan
    (row,) = view["rows"]
    names = ("by", "u", "room", "bandwidth", "excursion", "word", "reason")
    figures = ("ammeter 10 mA", "840 nA", "50.0 \N{MICRO SIGN}A", "886 Hz", "5.5 ms", "yes", "")
    assert tuple(row[name] for name in names) == figures
    assert (view["others"], view["decided"]) == (2, True)


def test_what_rests_on_the_devices_word_is_one_list_and_names_what_it_is_held_against():
    made = planned()
    scope = [requirement_body(each) for each in made.known.values()]
    view = feasibility_view({"requirements": scope, "feasibility": made.feasibility})  # type: ignore[typeddict-item]  # as above
    foreseen = {row["requirement"]: row["by"] for row in view["rows"]}
    told = by_word(scope)
    listed = {name: how for how, names in told.items() for name in names}
    assert listed == {name: by for name, by in foreseen.items() if "device's word" in by}
    assert listed["CMD-TELL"] == "the device's word alone: no instrument measures it"
    assert listed["IND-POL"] == "the device's word, held against what the ammeter shows"
    counted = replace(OFF, dimension=Dimension.COUNT, limit=Limit(Kind.AT_MOST, Exact(1, "count")))
    assert not counted.word


@pytest.fixture(scope="module")
def healthy(tmp_path_factory):
    """Some tests of the built-in bench: records of the run."""
    chosen = "within_its_limits or without_a_treatment or rises_slowly or load_is_noticed"
    folder, _ = run(tmp_path_factory.mktemp("runs"), "-k", chosen)
    return read_journal(folder).records


def test_a_pass_that_was_written_for_what_cannot_be_decided_does_not_count(healthy):
    """The journal is weighed again: a plan that cannot decide it leaves no PASS."""
    rows = healthy[1].body["feasibility"]
    undecided = {"decidable": False, "cause": "uncertainty", "reason": "8 bits"}
    changed = [row | undecided if row["requirement"] == "LIM-OVER" else row for row in rows]
    plan_record = replace(healthy[1], body={**healthy[1].body, "feasibility": changed})
    doubted = conclude([healthy[0], plan_record, *healthy[2:]])
    assert verdicts(conclude(healthy), "LIM-OVER") == {"PASS"}
    assert verdicts(doubted, "LIM-OVER") == {"NOT_EVALUATED"}
    assert verdicts(doubted, "LIM-ACC") == {"PASS"}
    worse = [
        replace(each, body={**each.body, "verdict": "INCONCLUSIVE"})
        if each.kind == "judgement" and each.body["requirement"] == "LIM-OVER"
        else each
        for each in healthy[2:]
    ]
    doubted = conclude([healthy[0], plan_record, *worse])
    assert verdicts(doubted, "LIM-OVER") == {"INCONCLUSIVE"}  # a verdict never improves


def verdicts(found: Conclusion, requirement: str) -> set[str]:
    (row,) = (row for row in found.requirements if row.requirement["id"] == requirement)
    return {body["verdict"] for body in row.judgements}


def test_the_judged_uncertainty_agrees_with_the_foreseen_one(healthy):
    made = planned()
    paths = [path for path in foresight.paths(made.bench, made.profile) if path.judges]
    ratios: dict[str, list[float]] = {}
    for record in healthy:
        if record.kind != "judgement":
            continue
        requirement, measured = made.known[record.body["requirement"]], record.body["measured"]
        if not measured["components"]:  # the device's word is exact
            continue
        (path,) = (path for path in paths if path.dimension in signals(requirement))
        value = abs(float(measured["value"]))
        foreseen = expanded(requirement.measurand, path, value, made.profile)
        ratios.setdefault(requirement.id, []).append(foreseen / float(measured["expanded"]))
    assert len(ratios) == 10, ratios
    assert all(LEAST <= ratio <= MOST for each in ratios.values() for ratio in each), ratios
    rest_on_limits = [*ratios["LIM-ACC"], *ratios["LIM-OFF"], *ratios["LIM-CEIL"]]
    assert max(rest_on_limits) < 1.5
