"""Sections of the compliance report, as they are laid out before they are typeset."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from framework.made_runs import HOSTILE, Run, current, every_verdict, requirement, treatment
from hil.conclusion import Conclusion, Flight, conclude
from hil.exact import Dimension, Exact
from hil.measurement import truth
from hil.requirement import Kind, Knowledge, Limit
from hil.verdict import Verdict
from hil_reports.budget import budget_rows
from hil_reports.clauses import PROJECT, by_clause, parted, verdict_of
from hil_reports.evidence import capture_loader, read_journal
from hil_reports.gaps import GAPS
from hil_reports.laboratory import laboratory_view
from hil_reports.matrix import matrix
from hil_reports.moments import taken_from
from hil_reports.observations import observations
from hil_reports.text import clean
from hil_reports.treatments import in_short, recorded
from hil_reports.view import View, view_of
from hil_reports.wiring import wiring_view


def concluded(folder) -> tuple[Conclusion, View]:
    records = read_journal(folder).records
    found = conclude(records)
    return found, view_of(found, capture_loader(folder, records), matrix(found, records))


@pytest.fixture(scope="module")
def every(tmp_path_factory):
    return concluded(every_verdict(tmp_path_factory.mktemp("every") / "run"))


def judged(folder, clauses: dict[str, str]) -> Conclusion:
    """A run of requirements that have these clauses, none of them judged."""
    run = Run(folder, [requirement(name, clause=clause) for name, clause in clauses.items()])
    run.collect({"m:test_a": list(clauses)})
    return conclude(read_journal(run.end()).records)


CLAUSES = {
    "A-10": "IEC 60601-1:2005 12.10",
    "A-4": "IEC 60601-1:2005 12.4.4",
    "A-2": "IEC 60601-1:2005 2",
    "P-1": "project",
    "B-1": "21 CFR 890.5525(b), description",
    "C-1": "IEC 60601-2-10:2012 201.12.4.104",
    "A-4B": "IEC 60601-1:2005 12.4.4",
}


def test_clauses_stand_by_standard_and_number_and_the_project_last(tmp_path):
    found = by_clause(judged(tmp_path / "run", CLAUSES).requirements)
    assert list(found) == ["21 CFR", "IEC 60601-1:2005", "IEC 60601-2-10:2012", PROJECT]
    numbers = found["IEC 60601-1:2005"]
    assert list(numbers) == ["2", "12.4.4", "12.10"]
    assert [row.requirement["id"] for row in numbers["12.4.4"]] == ["A-4", "A-4B"]
    assert found[PROJECT].keys() == {"project"}


@pytest.mark.parametrize(
    ("verdicts", "word"),
    [
        (["PASS", "NA"], Verdict.PASS),
        (["NA"], Verdict.NOT_APPLICABLE),
        (["PASS", "NE", "NA"], Verdict.NOT_EVALUATED),
        (["PASS", "NE", "FAIL"], Verdict.FAIL),
        (["INCONCLUSIVE", "NOVERDICT"], Verdict.NO_VERDICT),
    ],
)
def test_a_clause_has_the_worst_verdict_of_what_applies(every, verdicts, word):
    conclusion, _ = every
    rows = {row.requirement["id"]: row for row in conclusion.requirements}
    assert verdict_of([rows[f"R-{name}"] for name in verdicts]) is word


def test_each_requirement_stands_in_one_clause(every):
    conclusion, view = every
    places = [
        place
        for group in view["clauses"]
        for clause in group["clauses"]
        for place in clause["rows"]
    ]
    assert sorted(places) == list(range(len(conclusion.requirements)))


def test_gaps_are_those_of_the_matrix_and_each_says_what_closes_it(tmp_path):
    folder = every_verdict(tmp_path / "run")
    records = read_journal(folder).records
    rows = matrix(conclude(records), records)
    _, view = concluded(folder)
    listed = {(row["gap"], row["requirement"]) for row in rows if row.get("gap")}
    shown = {(kind["gap"], row["id"]) for kind in view["gaps"]["kinds"] for row in kind["rows"]}
    assert shown == listed
    assert {gap for gap, _ in shown} | {*view["gaps"]["none"]} == {*GAPS}
    assert all(row["closed"] for kind in view["gaps"]["kinds"] for row in kind["rows"])


def test_many_rows_that_say_the_same_of_a_requirement_are_one_gap(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A", hazard="burn")])
    run.collect({f"m:test_a[{n}]": ["LIM-A"] for n in range(5)} | {"m:test_b": []})
    _, view = concluded(run.end())
    orphan, kind = view["gaps"]["kinds"]
    assert (orphan["gap"], orphan["rows"][0]["tests"]) == ("orphan test", ["m:test_b"])
    (row,) = kind["rows"]
    assert (kind["gap"], row["id"], row["tests"], row["more"]) == (
        "never run",
        "LIM-A",
        ["m:test_a[0]", "m:test_a[1]"],
        3,
    )


def test_a_requirement_whose_tests_never_ran_is_one_gap_whatever_else_they_judge(tmp_path):
    run = Run(tmp_path / "run", [requirement(f"A-{n}", hazard="burn") for n in range(3)])
    run.collect({f"m:test_{n}": ["A-0", f"A-{n}"] for n in (1, 2)})
    _, view = concluded(run.end())
    rows = {row["id"]: row for kind in view["gaps"]["kinds"] for row in kind["rows"]}
    assert rows["A-0"]["tests"] == ["m:test_1", "m:test_2"]
    assert rows["A-0"]["remark"] == "never started"
    assert len(view["gaps"]["kinds"][0]["rows"]) == 3


def test_a_gap_that_a_role_would_close_names_the_role(tmp_path):
    roles = ("stimulator", "ammeter", "oscilloscope")
    run = Run(tmp_path / "run", [requirement("LIM-A", hazard="burn", roles=roles)])
    run.collect({"m:test_a": ["LIM-A"]})
    run.test("m:test_a", judged=[("LIM-A", current("NaN"), None, "")])
    lacking = Run(tmp_path / "other", [requirement("LIM-A", hazard="burn", roles=roles)])
    lacking.collect({"m:test_a": ["LIM-A"]})
    body = next(r.body for r in read_journal(run.end()).records if r.kind == "judgement")
    body = {**body, "verdict": "NOT_EVALUATED", "reason": "no oscilloscope", "measured": None}
    lacking.evidence.append("test_begin", {"test": "m:test_a"})
    lacking.evidence.append("judgement", body)
    lacking.finish("m:test_a", "skipped", "", 1)
    _, view = concluded(lacking.end())
    (kind,) = view["gaps"]["kinds"]
    assert kind["gap"] == "not evaluated"
    assert [row["closed"] for row in kind["rows"]] == ["oscilloscope on the bench"]


def test_blind_spots_tell_what_was_lost_and_what_nobody_confirmed(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A", hazard="burn")])
    run.collect({"m:test_a": ["LIM-A"]})
    run.record("m:test_a", treatment())
    _, view = concluded(run.end())
    said = " ".join(view["gaps"]["blind"])
    assert "50 samples were lost in 1 captures" in said
    assert "1 of 1 limits are not confirmed" in said
    assert "Not provoked" not in said


def test_a_pass_of_what_nothing_provokes_says_so(tmp_path):
    waits = replace(requirement("LIM-A", hazard="burn"), unprovoked="a current above the trip")
    run = Run(tmp_path / "run", [waits])
    run.collect({"m:test_a": ["LIM-A"]})
    run.record("m:test_a", treatment())
    _, view = concluded(run.end())
    said = " ".join(view["gaps"]["blind"])
    assert (
        "Not provoked, as nothing on this bench makes it happen: a current above the trip" in said
    )
    (row,) = view["requirements"]
    assert row["unprovoked"] == "a current above the trip"


def test_each_item_of_a_laboratorys_report_is_supplied_by_somebody(every):
    conclusion, _ = every
    rows = laboratory_view(conclusion)["rows"]
    items = [row["item"] for row in rows]
    assert [item for item in items if item.startswith("7.8.2.1")] == [
        f"7.8.2.1 {letter}" for letter in "abcdefghijklmnop"
    ]
    needed = {"7.8.2", "7.8.3.1", "7.8.6.1", "7.8.6.2 a", "7.8.6.2 b", "7.8.6.2 c", "7.8.7"}
    needed |= {"7.8.8", "6.4.8", "6.4.9", "6.4.13", "6.5", "7.5", "7.11"}
    assert needed <= {*items}
    assert all(row["tool"] or row["laboratory"] for row in rows)
    by_hand = {row["item"] for row in rows if not row["tool"]}
    assert by_hand == {f"7.8.2.1 {letter}" for letter in "behjo"}
    (signed,) = (row["laboratory"] for row in rows if row["item"] == "7.8.2.1 o")
    assert signed == "signature, under Signatures in the PDF"  # which stand far before this table


def test_what_was_seen_beside_the_verdicts_is_told(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({"m:test_a[1]": ["LIM-A"]})
    taken = treatment()
    stored = run.evidence.capture(taken, "current")
    body: dict[str, Any] = {
        "record": taken.sha256[:12],
        "test": "m:test_a[1]",
        "scenario": {},
        "captures": [stored],
        "events": [],
        "phases": {},
        "claimed_charge": "0 C",
        "dispute": f"ammeter and shunt differ {HOSTILE}",
        "states": [[1.0, "ramp up"], [2.0, "fault"]],
    }
    run.evidence.append("record", body)
    said = observations(concluded(run.end())[0])
    assert said[0] == "The device reported the state fault 1 times, in records of m:test_a."
    assert said[1].startswith(
        "Two paths disagree in m:test_a[1]: ammeter and shunt differ <script>"
    )
    assert "\x1b" not in said[1]
    assert "\u202e" not in said[1]


def test_nothing_seen_is_nothing_told(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({"m:test_a": ["LIM-A"]})
    run.record("m:test_a", treatment())
    run.test("m:test_a")
    assert observations(concluded(run.end())[0]) == []


def flight(kind: str = "preflight", *, passed: bool = True, name: str = "shunt") -> Flight:
    checks = [{"check": name, "expected": "1", "measured": "2", "passed": passed, "remark": "r"}]
    body: Any = {"checks": checks, "missing": [], "monitor": "", "passed": passed, "wiring": ""}
    return Flight(kind, "2026-03-01T09:30:00+00:00", body)


def test_a_proof_that_passed_again_is_one_line_and_one_that_failed_is_whole():
    found = wiring_view([flight(), flight(), flight(passed=False), flight("postflight")], {})
    told = [(len(each["rows"]), each["again"]) for each in found["flights"]]
    again = "1 checks passed again; the journal has their figures."
    assert told == [(1, ""), (0, again), (1, ""), (1, "")]


def test_cases_that_passed_share_a_row_and_each_other_case_has_its_own(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A"), requirement("LIM-B")])
    run.collect({f"m:test_a[{n}]": ["LIM-A", "LIM-B"] for n in range(4)})
    taken = treatment()
    for n, value in enumerate(("0.004", "0.005", "0.004")):
        run.record(f"m:test_a[{n}]", taken)
        measured = current(value, taken)
        names = ("LIM-A", "LIM-B")
        run.test(f"m:test_a[{n}]", judged=[(name, measured, None, "") for name in names])
    _, view = concluded(run.end())
    rows = [(row["cases"], row["verdict"]["word"]) for row in view["test_groups"]]
    assert rows == [(["0", "2"], "PASS"), (["1"], "FAIL"), (["3"], "NO VERDICT")]
    assert [own["id"] for own in view["test_groups"][0]["requirements"]] == ["LIM-A", "LIM-B"]


def test_a_requirement_tells_how_it_is_shown_what_is_at_stake_and_how_its_values_spread(tmp_path):
    said = requirement("LIM-A", method=HOSTILE)
    run = Run(tmp_path / "run", [said])
    run.collect({"m:test_a": ["LIM-A"]})
    taken = treatment()
    run.record("m:test_a", taken)
    values = [current(value, taken) for value in ("0.004", "0.0039", "0.0043")]
    run.test("m:test_a", judged=[("LIM-A", value, None, "") for value in values])
    _, view = concluded(run.end())
    (row,) = view["requirements"]
    assert (
        row["spread"]
        == "3: 1 FAIL, 2 PASS; margins from \N{MINUS SIGN}100.0 to 300.0 \N{MICRO SIGN}A"
    )
    assert row["method"] == clean(HOSTILE)


def test_an_instrument_has_its_calibration_and_the_air_that_its_budgets_count(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({"m:test_a": ["LIM-A"]})
    body = next(r.body for r in read_journal(run.folder).records if r.kind == "instrument")
    real = {"serial": "MY123", "certificate": "K-1", "calibrated": "2026-01-31"}
    held = {"due": "2027-01-31", "until": "2026-12-31", "air": [18.0, 28.0]}
    run.evidence.append("instrument", body | real | held)
    _, view = concluded(run.end())
    simulated, _, found = view["instruments"]
    told = (found["certificate"], found["calibrated"], found["due"], found["until"], found["air"])
    assert told == ("K-1", "2026-01-31", "2027-01-31", "2026-12-31", "18 to 28 °C")
    assert found["calibration"] == "valid"
    assert simulated["calibration"] == "simulated: none needed"
    assert simulated["air"] == "–"  # noqa: RUF001  # the dash of a table


def test_standard_and_clause_are_told_apart():
    assert parted("IEC 60601-1:2005 12.4.4") == ("IEC 60601-1:2005", "12.4.4")
    assert parted("house rule 7") == (PROJECT, "house rule 7")


def test_results_by_clause_are_no_statement_of_conformity_and_name_each_edition(tmp_path):
    clauses = {"A": "IEC 60601-1:2005 12.1", "B": "project"}
    source = {"A": "IEC 60601-1:2005+A1+A2, table 3", "B": "device specification"}
    run = Run(
        tmp_path / "run",
        [requirement(name, clause=clauses[name], source=source[name]) for name in clauses],
    )
    _, view = concluded(run.end())
    assert view["clauses_told"].endswith(
        "no statement of conformity with a clause or a regulation. Clauses name IEC 60601-1:2005; "
        "sources of limits name IEC 60601-1:2005+A1+A2."
    )


def test_the_limits_that_somebody_confirmed_are_counted(tmp_path):
    status = {"A": Knowledge.PROJECT, "B": Knowledge.FROM_MEMORY, "C": Knowledge.PROJECT}
    run = Run(tmp_path / "run", [requirement(n, status=known) for n, known in status.items()])
    assert concluded(run.end())[1]["limits"] == (
        "0 of 3 confirmed in a purchased edition; the other figures are the project's (2 project, "
        "1 from memory)"
    )
    known = [requirement("A", status=Knowledge.CONFIRMED)]
    sure = Run(tmp_path / "sure", known).end()
    assert concluded(sure)[1]["limits"] == "1 of 1 confirmed in a purchased edition"


def test_how_many_treatments_the_tests_rest_on_and_which_share_one_is_told(tmp_path):
    run = Run(tmp_path / "run", [requirement("A"), requirement("B")])
    run.collect({"m:test_a": ["A"], "m:test_b": ["B"], "m:test_c": ["A"]})
    first, second, third = (treatment(seed=seed) for seed in range(3))
    for name, capture in (("m:test_a", first), ("m:test_c", second), ("m:test_c", third)):
        run.record(name, capture)
    run.test("m:test_a", judged=[("A", current("0.004", first), None, "")])
    run.test("m:test_b", judged=[("B", current("0.004", first), None, "")])
    run.test("m:test_c", judged=[("A", current("0.004", second), None, "")])
    conclusion, view = concluded(run.end())
    assert view["treatments"].startswith("3 tests judge 2 recorded treatments")
    assert "1 of the 2 are judged by more than one test, one of them by 2" in view["shared"]
    assert "judged by nothing: 1 records" in " ".join(view["limitations"])
    assert recorded(conclusion) == {"m:test_a": (1, 1), "m:test_c": (2, 1)}
    body = {"test": "m:test_c", "seed": 7, "asked": 2, "shrinking": 0, "given_back": 1}
    body |= {"failed": "", "scenario": "", "lack": ""}
    body["covered"] = {"examples": 1, "ranges": [], "words": {}, "worst": [], "points": []}
    searched: Any = replace(conclusion, properties=(body,))
    seen = view_of(searched, capture_loader(run.folder, []), [])
    assert "; all of them by properties, which break off examples." in " ".join(seen["limitations"])
    assert seen["properties"][0]["line"].endswith(
        "1 broken off while they were drawn; 2 treatments recorded, 1 of them judged"
    )
    timed = in_short(replace(conclusion, bench_seconds=2686.0, seconds=17.3))
    assert timed == (
        "3 tests judge 2 recorded treatments; bench time 45 min, virtual on a simulated bench; "
        "wall time 17 s"
    )


def test_a_record_that_ended_too_early_is_no_failure_of_the_bench(tmp_path):
    limit = Limit(Kind.AT_MOST, Exact.parse("2 s"))
    timed = requirement("T", hazard="burn", limit=limit, dimension=Dimension.TIME)
    run = Run(tmp_path / "run", [timed])
    run.collect({"m:test_a": ["T"], "m:test_b": ["T"]})
    capture = treatment()
    run.record("m:test_a", capture)
    lasted = replace(
        current("1.2655978000000019", capture), dimension=Dimension.TIME, censored=True
    )
    run.test("m:test_a", "failed", judged=[("T", lasted, None, "")])
    failed = replace(lasted, value=Decimal(7))
    run.test("m:test_b", "failed", judged=[("T", failed, None, "")])
    _, view = concluded(run.end())
    (kind,) = view["gaps"]["kinds"]
    (row,) = kind["rows"]
    assert (kind["gap"], row["closed"]) == ("too short", "a longer record of the same")
    assert row["remark"] == "the record ends after 1.27 s, too early to decide"
    (told,) = view["requirements"]
    assert told["judgements"][0]["margin"].startswith("≤ \N{MINUS SIGN}5.0")


def test_a_yes_or_no_that_holds_each_time_is_told_by_their_number(tmp_path):
    limit = Limit(Kind.TRUE)
    shorted = requirement("S", hazard="burn", limit=limit, dimension=Dimension.TRUTH)
    run = Run(tmp_path / "run", [shorted])
    run.collect({"m:test_a": ["S"]})
    capture = treatment()
    run.record("m:test_a", capture)
    notes = ("first load: 4.0 mA; short: False", "short: 4.0 mA; short: True")
    seen = [
        truth(True, note, captures=[capture.sha256], instruments=["SIM-0002"]) for note in notes
    ]
    run.test("m:test_a", judged=[("S", each, None, "") for each in seen])
    run.off()
    _, view = concluded(run.end())
    (row,) = view["requirements"]
    assert (row["verdict"]["word"], row["result"]) == ("PASS", "")
    assert (row["remark"], row["taken"]) == ("holds in each of 2 cases", "")
    assert [each["told"] for each in row["judgements"]] == list(notes)


def test_limits_of_error_that_nobody_looked_up_are_a_blind_spot(tmp_path):
    run = Run(tmp_path / "run", [requirement("A")])
    run.collect({"m:test_a": ["A"]})
    capture = treatment()
    run.record("m:test_a", capture)
    sure = current("0.004", capture)
    sheet = "M1 data sheet, 1 year (from memory, awaits a check)"
    part = replace(sure.components[0], source=sheet)
    recalled = replace(sure, components=(part, *sure.components[1:]))
    run.test("m:test_a", judged=[("A", each, None, "") for each in (sure, recalled, recalled)])
    _, view = concluded(run.end())
    (said,) = [each for each in view["gaps"]["blind"] if "limits of error" in each]
    assert said == (
        "U of 2 of 3 judged values rests on limits of error that were not looked up in the data "
        f"sheet: {sheet}."
    )


MU, MINUS = "\N{MICRO SIGN}", "\N{MINUS SIGN}"


@pytest.mark.parametrize(
    ("unit", "name", "u", "sensitivity", "told"),
    [
        ("A/m^2", "SIM-1[10 mA].gain", 2.887e-4, 4.0, ("0.0289 %", "0.40 mA/cm²")),
        (
            "A/m^2",
            "SIM-1[10 mA].offset",
            1.155e-6,
            1000.0,
            (f"1.16 {MU}A", "100.0 mA/cm² per A"),
        ),
        (
            "A/m^2",
            "noise mean over hold abcdefabcdef",
            2e-9,
            1e3,
            ("2.00 nA", "100.0 mA/cm² per A"),
        ),
        (
            "A/s",
            "SIM-1.time base",
            1.155e-4,
            -3.3e-6,
            ("0.0116 %", f"{MINUS}3.3 {MU}A/s"),
        ),
        (
            "A",
            "SIM-1[10 mA].temperature offset",
            1e-6,
            -1.0,
            (f"1.00 {MU}A", f"{MINUS}1"),
        ),
        ("s", "ramp noise abcdefabcdef", 4.35e-5, 1.25, (f"43.5 {MU}s", "1.25")),
        ("ohm", "SIM-1[10 mA].offset", 2e-6, -5.248e5, (f"2.00 {MU}A", f"{MINUS}524.8 kΩ per A")),
        ("s", "level 5.0 mA abcdefabcdef", 0.0, 1.0, ("0 s", "1")),
        ("C", "something else", 2e-9, 3.0, (f"2.00e{MINUS}9 in SI", "3.0 C per SI unit")),
    ],
)
def test_each_figure_of_a_budget_has_its_unit(unit, name, u, sensitivity, told):
    part = {"id": name, "u": u, "sensitivity": sensitivity, "dof": None, "source": ""}
    body: Any = {
        "record": "r",
        "measured": {"unit": unit, "expanded": "0.01", "components": [part]},
    }
    records = {"r": {"captures": [{"sha256": "abcdef" * 10, "unit": "A"}]}}
    row = budget_rows(body, records)[0]
    assert (row["u"], row["sensitivity"]) == told


def test_rows_of_one_test_at_one_setting_say_from_when_each_is(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({"m:test_a": ["LIM-A"]})
    capture = treatment()
    record = run.record("m:test_a", capture)

    def until(time: float) -> Any:
        instant = {"instant": {"name": "", "time": time, "u": 0.0}}
        tree = {"feature": "mean", "given": {"until": instant}}
        return replace(current("0.004", capture), derivation=tree)

    run.test("m:test_a", judged=[("LIM-A", until(time), None, record) for time in (5.0, 7.0)])
    _, view = concluded(run.end())
    (row,) = view["requirements"]
    windows = ["bench time 0.00 s to 5.00 s", "bench time 0.00 s to 7.00 s"]
    assert [judged["window"] for judged in row["judgements"]] == windows


def test_a_time_has_the_name_of_the_event_that_was_then_and_no_empty_brackets():
    record = {
        "record": "r",
        "phases": {},
        "captures": [{"start": 0.0, "count": 100, "interval": 1.0}],
        "events": [{"name": "start", "time": 7.0, "u": 0.0}],
    }

    def told(name: str, time: float) -> str:
        instant = {"instant": {"name": name, "time": time, "u": 0.0}}
        derivation = {"feature": "mean", "given": {"after": instant}}
        body: Any = {"measured": {"derivation": derivation}}
        return taken_from(body, record)

    assert told("start", 7.0) == "record r, bench time 7.00 s (start) to 100.00 s"
    assert told("start", 67.0) == "record r, bench time 67.00 s to 100.00 s"
    assert told("", 67.0) == "record r, bench time 67.00 s to 100.00 s"
