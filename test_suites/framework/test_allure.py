"""Allure's results: each false green that it makes by itself is gone, and they say what was done.

The rows of `FALSE_GREENS` are what allure-pytest was seen to leave behind on each event: it is
written here as it was left, beside the journal of the same event.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from framework.made_runs import HOSTILE, Run, current, requirement, treatment
from hil.conclusion import Conclusion, conclude
from hil.requirement import Severity
from hil.verdict import Verdict
from hil_reports.allure import LABEL, parted, reconcile
from hil_reports.evidence import capture_loader, read_journal
from hil_reports.steps import settings
from hil_reports.view import Plots

FIRST, SECOND = "m:test_a[1]", "m:test_a[2]"
GREEN = {"status": "passed", "name": "test_a[1]", "fullName": "m#test_a"}
SCENARIO = {
    "kind": "Scenario",
    "load": "10 kohm",
    "programmes": [
        {
            "kind": "Programme",
            "channel": "1",
            "stimulus": {"kind": "DirectCurrent", "setpoint": "2.00 mA", "polarity": None},
            "hold": "10 s",
            "dose": None,
        }
    ],
    "disturbances": [
        {
            "kind": "LoadStep",
            "load": "500 ohm",
            "at": {"kind": "Moment", "phase": "hold", "offset": "2.0 s"},
        }
    ],
}


def conclusion_of(folder: Path) -> Conclusion:
    return conclude(read_journal(folder).records)


def leave(results: Path, **result: Any) -> None:
    """A result as allure-pytest leaves it; of an interrupted test without labels."""
    results.mkdir(exist_ok=True)
    number = len(list(results.iterdir()))
    (results / f"{number}-result.json").write_text(json.dumps({"uuid": str(number)} | result))


def labelled(test: str, **result: Any) -> dict[str, Any]:
    return GREEN | {"labels": [{"name": LABEL, "value": test}]} | result


def by_test(results: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for path in results.glob("*-result.json"):
        result = json.loads(path.read_text())
        labels = {label["name"]: label["value"] for label in result.get("labels") or []}
        name = labels.get(LABEL, result["name"])
        assert name not in found, f"{name} has two results"
        found[name] = result
    return found


@dataclass(frozen=True)
class Row:
    """What an event leaves in the journal and in Allure's folder."""

    left: list[dict[str, Any]]
    """Results of allure-pytest."""
    second: str = ""
    """Outcome of the second test, as pytest saw it; empty if it never ended."""
    begun: bool = True
    """Whether the second test began."""
    verdict: str = "0.0040"
    """What the second test judged; empty if nothing."""
    wanted: str = "broken"
    collected: dict[str, list[str]] = field(
        default_factory=lambda: {FIRST: ["LIM-A"], SECOND: ["LIM-B"]}
    )
    errors: tuple[str, ...] = ()


DONE = labelled(FIRST)
HALF = GREEN | {"name": "test_a[2]", "labels": None}
FALSE_GREENS = {
    "Ctrl-C in a step": Row([DONE, HALF | {"steps": [{"name": "hold", "status": "broken"}]}]),
    "pytest.exit in the body": Row([DONE, HALF], second="interrupted"),
    "SIGTERM: the result is absent": Row([DONE]),
    "kill -9: the result is absent, its attachments are orphans": Row([DONE], verdict=""),
    "a worker that was killed, never started anew": Row([DONE], begun=False, verdict=""),
    "two equal parameter sets, the first of which failed": Row(
        [DONE, labelled(SECOND, status="failed"), labelled(SECOND)],
        second="failed",
        verdict="0.0050",
        wanted="failed",
    ),
    "planned and never started": Row([DONE], begun=False, verdict=""),
    "xfail": Row([DONE, labelled(SECOND, status="skipped")], second="skipped", verdict=""),
    "xpass, not strict": Row([DONE, labelled(SECOND)], second="error"),
    "a module that cannot be read": Row(
        [DONE], collected={FIRST: ["LIM-A"]}, errors=("n.py: SyntaxError",), wanted=""
    ),
    "a subtest that failed": Row(
        [DONE, labelled(SECOND, status="failed")],
        second="failed",
        verdict="0.0050",
        wanted="failed",
    ),
}


@pytest.mark.parametrize("event", FALSE_GREENS)
def test_no_false_green_is_left(tmp_path, event):
    row = FALSE_GREENS[event]
    run = Run(tmp_path / "run", [requirement("LIM-A"), requirement("LIM-B")])
    run.collect(row.collected, row.errors)
    taken = treatment()
    record = run.record(FIRST, taken)
    run.test(FIRST, judged=[("LIM-A", current("0.004", taken), None, record)])
    if row.begun and SECOND in row.collected:
        judged = [("LIM-B", current(row.verdict, taken), None, record)] if row.verdict else []
        if row.second:
            run.test(SECOND, row.second, "what pytest said", judged)
        else:
            run.evidence.append("test_begin", {"test": SECOND})
    run.evidence.close()
    results = tmp_path / "results"
    for left in row.left:
        leave(results, **left)
    (results / "orphan-attachment.json").write_text("[]")
    found = conclusion_of(run.folder)
    reconcile(results, found)
    statuses = {name: result["status"] for name, result in by_test(results).items()}
    assert statuses.pop(FIRST) == "passed"
    assert statuses.pop(SECOND, "") == row.wanted
    assert statuses  # the run as a whole, and what could not be read
    assert "passed" not in statuses.values()
    assert all(any(error in name for name in statuses) for error in row.errors)


@pytest.fixture(scope="module")
def failed(tmp_path_factory) -> Path:
    """A run of two requirements by one test, one of which fails, of a scenario that says all."""
    folder = tmp_path_factory.mktemp("failed") / "run"
    made = [
        requirement("LIM-A", clause="IEC 60601-1:2005 12.1"),
        requirement(
            "LIM-B", clause="IEC 60601-1:2005 12.4.4", severity=Severity.CRITICAL, title=HOSTILE
        ),
    ]
    run = Run(folder, made)
    run.collect({"m:test_a[2mA]": ["LIM-A", "LIM-B"]})
    taken = treatment(peak=5e-3)
    record = run.record("m:test_a[2mA]", taken, scenario=SCENARIO)
    judged = [
        ("LIM-A", current("0.0040031", taken), None, record),
        ("LIM-B", current("0.005", taken), None, record),
    ]
    run.test("m:test_a[2mA]", "failed", "LIM-B", judged)
    run.off()
    return run.end(1)


@pytest.fixture
def result(failed, tmp_path):
    records = read_journal(failed).records
    found = conclude(records)
    reconcile(tmp_path, found, Plots(found, capture_loader(failed, records)).draw)
    return by_test(tmp_path)["m:test_a[2mA]"] | {"folder": tmp_path}


def labels_of(result: dict[str, Any], name: str) -> list[str]:
    return [label["value"] for label in result["labels"] if label["name"] == name]


def test_labels_name_standard_clause_requirement_severity_and_layer(result):
    assert labels_of(result, "epic") == ["IEC 60601-1:2005"]
    assert labels_of(result, "feature") == ["12.1", "12.4.4"]
    first, second = labels_of(result, "story")
    assert first == "LIM-A title of LIM-A (clause 12.1)"
    assert second.startswith("LIM-B <script>")  # text of JSON: whoever shows it escapes it
    assert labels_of(result, "severity") == ["critical"]
    assert labels_of(result, "layer") == ["simulated"]
    assert [(link["name"], link["url"]) for link in result["links"]] == [
        ("LIM-A", "index.html#LIM-A"),
        ("LIM-B", "index.html#LIM-B"),
    ]


@pytest.mark.parametrize(
    ("clause", "wanted"),
    [
        ("IEC 60601-1:2005 12.4.4", ("IEC 60601-1:2005", "12.4.4")),
        ("IEC 60601-2-10:2012+A1:2016 201.12.1", ("IEC 60601-2-10:2012+A1:2016", "201.12.1")),
        ("ANSI/AAMI NS4:2013 4.2", ("ANSI/AAMI NS4:2013", "4.2")),
        ("project", ("project requirements", "project")),
        ("201.12.4.104", ("project requirements", "201.12.4.104")),
    ],
)
def test_a_clause_is_parted_from_its_standard(clause, wanted):
    assert parted(clause) == wanted


def test_parameters_are_quantities_as_they_were_set(result):
    assert {each["name"]: each["value"] for each in result["parameters"]} == {
        "case": "2mA",
        "setpoint": "2.00 mA",
        "hold": "10 s",
        "load": "10 kohm",
        "disturbance": "load step 500 ohm, 2.0 s into hold",
    }


def test_settings_of_several_records_are_told_once_each_and_others_not_at_all():
    other = SCENARIO | {"load": "500 ohm", "disturbances": []}
    found = settings([{"scenario": each} for each in (SCENARIO, other, {}, {"programmes": [7]})])
    assert (found["load"], found["setpoint"]) == ("10 kohm, 500 ohm", "2.00 mA")


def test_steps_are_what_the_bench_did_and_what_was_judged_of_it(result):
    bench, *judged = result["steps"]
    assert bench["name"].endswith(
        "setpoint 2.00 mA, hold 10 s, load 10 kohm, disturbance load step 500 ohm, 2.0 s into hold"
    )
    assert [step["name"] for step in bench["steps"]] == [
        "arrange load 10 kohm",
        "hold, 32.000 s",
        "open at 15.000 s",
        "device claims 0.1 C",
    ]
    hold = bench["steps"][1]
    assert hold["stop"] - hold["start"] == 32_000
    assert [step["status"] for step in judged] == ["failed", "passed"]  # the worst first
    assert judged[0]["name"].startswith("judged: LIM-B FAIL: 5.0000 ± 0.0022 mA; limit ≤ 4.2 mA")


def test_the_measured_value_stands_against_its_limit_and_its_record_is_drawn(result):
    assert "<td>5.0000 ± 0.0022 mA; limit ≤ 4.2 mA; margin" in result["descriptionHtml"]
    assert "<script" not in result["descriptionHtml"]
    assert "SIMULATED: Simulated instruments" in result["descriptionHtml"]
    verdicts, plot = result["attachments"]
    assert (verdicts["type"], plot["type"]) == ("application/json", "image/svg+xml")
    svg = (result["folder"] / plot["source"]).read_text()
    assert 'class="bad"' in svg
    assert "upper limit 4.2 mA" in svg
    assert len(svg) < 60_000


def test_of_what_passed_only_the_worst_case_of_a_requirement_is_drawn(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    values = {"m:test_far": "0.0040", "m:test_near": "0.0041", "m:test_beyond": "0.0043"}
    run.collect({name: ["LIM-A"] for name in values})
    taken = treatment()
    record = run.record("m:test_far", taken)
    for name, value in values.items():
        run.test(name, judged=[("LIM-A", current(value, taken), None, record)])
    records = read_journal(run.end(1)).records
    found = conclude(records)
    draw = Plots(found, capture_loader(run.folder, records)).draw

    def drawn(conclusion):
        reconcile(tmp_path / "results", conclusion, draw)
        results = by_test(tmp_path / "results").items()
        return {n for n, r in results if len(r.get("attachments", ())) == 2}

    assert drawn(found) == {"m:test_beyond"}
    (row,) = found.requirements
    near = next(body for body in row.judgements if body["test"] == "m:test_near")
    assert drawn(replace(found, requirements=(replace(row, decisive=near),))) == {
        "m:test_near",
        "m:test_beyond",
    }


def test_reconciling_again_changes_nothing(failed, result):
    before = {path.name: path.read_bytes() for path in result["folder"].iterdir()}
    records = read_journal(failed).records
    found = conclude(records)
    reconcile(result["folder"], found, Plots(found, capture_loader(failed, records)).draw)
    assert {path.name: path.read_bytes() for path in result["folder"].iterdir()} == before


def test_a_history_is_that_of_one_type_of_device(failed, tmp_path):
    found = conclusion_of(failed)
    others = [
        replace(found, plan={**found.plan, "model": "Ionto 5"}),
        replace(found, run={**found.run, "run_id": "another"}),
    ]
    ids = []
    for place, each in enumerate([found, *others]):
        reconcile(tmp_path / str(place), each)
        ids.append(by_test(tmp_path / str(place))["m:test_a[2mA]"]["historyId"])
    assert ids[0] != ids[1]
    assert ids[0] == ids[2]


def test_a_property_is_one_result_with_its_falsifying_example(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({"m:test_any": ["LIM-A"]})
    first, second = treatment(seed=1), treatment(peak=5e-3)
    records = [run.record("m:test_any", each, scenario=SCENARIO) for each in (first, second)]
    judged = [
        ("LIM-A", current(value, taken), None, record)
        for value, taken, record in zip(("0.004", "0.005"), (first, second), records, strict=True)
    ]
    run.test("m:test_any", "failed", "LIM-A", judged)
    body = {
        "test": "m:test_any",
        "seed": 7,
        "asked": 20,
        "shrinking": 3,
        "covered": {"examples": 2, "ranges": [], "words": {}, "points": [], "worst": []},
        "failed": "setpoint 2.00 mA, load 10 kohm",
        "scenario": "test_any.toml",
        "lack": "",
    }
    run.evidence.append("property", body)
    reconcile(tmp_path / "results", conclusion_of(run.end(1)))
    results = by_test(tmp_path / "results")
    told = {each["name"]: each["value"] for each in results["m:test_any"]["parameters"]}
    assert told["examples"] == "2 of 20"
    assert told["falsifying example"] == "setpoint 2.00 mA, load 10 kohm"
    assert told["repeat with"] == "hil run --scenario test_any.toml"
    (bench,) = [s for s in results["m:test_any"]["steps"] if s["name"].startswith("bench: ")]
    assert records[1] in bench["name"]


def test_a_verdict_has_a_status_of_allure(failed, tmp_path):
    found = conclusion_of(failed)
    statuses = ["failed", "broken", "broken", "failed", "unknown", "skipped", "passed"]
    wanted = dict(zip(Verdict, statuses, strict=True))
    for verdict, status in wanted.items():
        tests = tuple(replace(test, verdict=verdict) for test in found.tests)
        reconcile(tmp_path / verdict.value, replace(found, tests=tests))
        assert by_test(tmp_path / verdict.value)["m:test_a[2mA]"]["status"] == status
