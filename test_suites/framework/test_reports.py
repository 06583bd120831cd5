"""The views of a run: each says what the journal says, and none says more."""

from __future__ import annotations

import io
import json
import re
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from pypdf import PdfReader
from rich.console import Console

from framework.made_runs import (
    HOSTILE,
    Run,
    current,
    every_verdict,
    good_run,
    requirement,
    treatment,
)
from hil.capture import Accuracy, Capture, Source
from hil.conclusion import WHAT_TO_DO, conclude
from hil.digits import value_step
from hil.exact import Dimension, Exact
from hil.measurement import Calibration
from hil.requirement import Kind, Limit
from hil.rule import METHOD_6, SIMPLE, Rule
from hil.verdict import Verdict
from hil_fixtures.plan import fault_titles
from hil_fixtures.progress import Progress
from hil_reports import pdf
from hil_reports.evidence import capture_loader, read_journal, seal, verify
from hil_reports.gaps import GAPS
from hil_reports.observations import observations
from hil_reports.offs import safe_states_view
from hil_reports.plot import Marks, draw, envelope
from hil_reports.report import write_report
from hil_reports.text import foremost, in_print, scale
from hil_reports.view import WORDS, view_of


@cache
def pdf_pages(folder: Path) -> list[str]:
    pages = PdfReader(folder / "report" / "compliance.pdf").pages
    return [" ".join(page.extract_text().replace("\u200b", "").split()) for page in pages]


def pdf_text(folder: Path, page: int | None = None) -> str:
    return " ".join(pdf_pages(folder)) if page is None else pdf_pages(folder)[page]


def html(folder: Path) -> str:
    return (folder / "report" / "index.html").read_text("utf-8")


def cases(folder: Path) -> dict[str, ET.Element]:
    root = ET.parse(folder / "report" / "junit.xml").getroot()
    return {f"{c.get('classname')}:{c.get('name')}": c for c in root.iter("testcase")}


def allure(folder: Path) -> dict[str, dict[str, Any]]:
    """Results by the test's identity."""
    found = {}
    for path in (folder / "report" / "allure-results").glob("*-result.json"):
        result = json.loads(path.read_text("utf-8"))
        labels = {label["name"]: label["value"] for label in result.get("labels", [])}
        found[labels.get("stimproof_test", result["name"])] = result
    return found


@pytest.fixture(scope="module")
def every(tmp_path_factory) -> Path:
    folder = every_verdict(tmp_path_factory.mktemp("every") / "run")
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    folder = good_run(tmp_path_factory.mktemp("good") / "run")
    write_report(folder)
    return folder


WANTED = {
    "PASS": ("passed", None, "P"),
    "FAIL": ("failed", "failure", "F"),
    "ERROR": ("broken", "error", "ERROR"),
    "NOVERDICT": ("broken", "error", "NO VERDICT"),
    "INCONCLUSIVE": ("failed", "failure", "INCONCLUSIVE"),
    "NE": ("unknown", "skipped", "N/E"),
    "NA": ("skipped", "skipped", "N/A"),
}


@pytest.mark.parametrize("name", WANTED)
def test_each_verdict_is_the_same_in_allure_and_junit(every, name):
    status, element, _ = WANTED[name]
    (found,) = [r for t, r in allure(every).items() if t.startswith(f"m:test_{name}[")]
    assert found["status"] == status
    (case,) = [c for n, c in cases(every).items() if n.startswith(f"m:test_{name}[")]
    outcome = [c.tag for c in case if c.tag != "properties"]
    assert outcome == ([] if element is None else [element])


@pytest.mark.parametrize("name", WANTED)
def test_the_clause_table_shows_each_verdict_in_words_or_letters(every, name):
    table = pdf_text(every).partition("Requirement + Test")[2]
    row = table[table.index(f"R-{name} title") :].split(" 201.12.4.104 ")[0]
    assert f" {WANTED[name][2]}" in row


def test_each_result_is_printed_with_its_rule_its_acceptance_limits_and_its_risks(tmp_path):
    band = Limit(Kind.BETWEEN, lower=Exact.parse("3.9 mA"), upper=Exact.parse("4.1 mA"))
    rules = {"R-M6": METHOD_6, "R-SIMPLE": SIMPLE, "R-FACTOR": Rule.parse("guard factor 0.5")}
    made = [requirement(name, limit=band, rule=rule) for name, rule in rules.items()]
    run_ = Run(tmp_path / "run", made)
    run_.collect({"m:test_a": list(rules)})
    taken = treatment()
    run_.record("m:test_a", taken)
    value = current("0.004", taken, u=2e-5)
    run_.test("m:test_a", judged=[(name, value, None, "") for name in rules])
    run_.off()
    folder = run_.end()
    write_report(folder)
    for text in (pdf_text(folder), " ".join(html(folder).split())):
        assert "guarded acceptance by Method 6, w = U (1.04 - exp(0.38 ln TUR - 0.54))" in text
        assert "of all devices at most 2 % are accepted though outside" in text
        assert "simple acceptance, w = 0; accepted from 3.9 mA to 4.1 mA; TUR 2.24" in text
        assert "guarded acceptance, w = 0.5 U; accepted from 3.923 mA to 4.077 mA" in text
        assert "that probability reaches 50 % at the limit" in text
        assert "at the acceptance limit 50.00 %" not in text  # said once, with the rule
        assert text.count("Warning: test uncertainty ratio 2.24, less than 4") >= 3
    (detail,) = allure(folder).values()
    assert detail["status"] == "passed"


def test_page_one_says_what_a_reviewer_must_know(every):
    page = pdf_text(every, 0)
    for text in (
        "Compliance test report",
        "Simulated instruments: not evidence of device conformity",
        "does not comply with 1 of the 8 mandatory requirements",
        "Example Medical Ionto 4",
        "simulated bench",
        "20260301-093000-ab12",
        "2026-03-01 09:30:00 UTC",
        "ambient not recorded",
        "the runner itself, in process",
        "R-BARE NO VERDICT: no test was collected for it",
        "R-NE title of R-NE: the bench has no oscilloscope",
        "w = U",
        "page 1 of",
    ):
        assert text in page


def test_page_one_and_summary_carry_the_head_of_the_journal(every):
    last = (every / "data" / "journal.jsonl").read_text("utf-8").splitlines()[-1]
    head = json.loads(last)["hash"]
    assert head in pdf_text(every, 0)
    assert head in html(every)
    assert json.loads((every / "report" / "summary.json").read_text())["head"] == head


def test_only_a_run_without_a_flaw_says_complies(good, every):
    assert "complies with the 2 mandatory requirements of this scope" in pdf_text(good, 0)
    assert "COMPLIES" in html(good)
    assert "COMPLIES" not in html(every)
    assert "COMPLIES" not in pdf_text(every)


def test_a_simulated_run_says_so_on_each_page(good):
    assert all(page.count("SIMULATED") >= 2 for page in pdf_pages(good))
    assert "not evidence of device conformity" in html(good)


def test_a_crop_of_the_result_alone_says_that_it_is_simulated(good):
    box = re.search(r"OVERALL RESULT(.*?)complies with", pdf_text(good, 0))
    assert box
    assert box[1].split()[:2] == ["SIMULATED", "COMPLIES"]
    page = re.search(r'<section class="result pass".*?</section>', html(good), re.DOTALL)
    assert page
    assert "SIMULATED" in page[0]
    assert "COMPLIES" in page[0]


def test_the_firmware_that_ran_stands_on_page_one(tmp_path, good):
    build = {"name": "ionto.so", "sha256": "ab" * 32}
    folder = good_run(tmp_path / "run", firmware=build)
    write_report(folder)
    for text in (pdf_text(folder, 0), html(folder)):
        assert "ionto.so" in text
        assert "ab" * 32 in text
    assert "reference firmware of the simulated device" in " ".join(pdf_text(good, 0).split())


def test_seeded_faults_and_a_partial_scope_stand_on_page_one(tmp_path):
    titles = {"F19:severity=25uA": "direct current of 25 uA with the output off"}
    folder = good_run(
        tmp_path / "run",
        faults=["F19:severity=25uA", "F99"],
        fault_titles=titles,
        partial="--suite current",
    )
    assert fault_titles(["F19:onset=start"]) == {
        "F19:onset=start": "direct current with the output off"
    }
    conclusion = write_report(folder)
    page = pdf_text(folder, 0)
    told = "F19:severity=25uA: direct current of 25 \N{MICRO SIGN}A with the output off; F99"
    assert f"Faults seeded in the simulated bench: {told}" in page
    for text in (html(folder), (folder / "report" / "summary.md").read_text("utf-8")):
        assert told in text
    assert "Partial scope: --suite current" in page
    assert "cannot say whether" in page
    assert "all that was asked for is PASS, but the scope is partial" in " ".join(page.split())
    assert not conclusion.complies
    assert "cannot say whether" in html(folder)


def test_text_from_a_device_is_printed_and_never_obeyed(every):
    page = html(every)
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert "電流" in page
    text = pdf_text(every)
    assert "<script>alert(1)</script> #typst[*x*]" in text
    assert "\\u96fb\\u6d41" in text  # no font at hand has it, and none of it is lost


def test_gaps_and_items_of_a_laboratory_stand_in_both_documents(every):
    for text in (pdf_text(every), " ".join(html(every).split())):
        for gap, where in (("not evaluated", "R-NE"), ("no test", "R-BARE"), ("error", "R-ERROR")):
            told = text[text.index(f"{gap}: {GAPS[gap]}") :]
            assert where in told[:1500], gap
        assert "To be supplied by the laboratory" in text
        assert "this table implies no accreditation" in text
        assert "Known blind spots" in text


def test_words_that_not_every_reader_has_met_are_explained_in_both_documents(every):
    asked = {"guard band w", "u, U, k", "TUR", "excursion that shows whole", "raw extreme"}
    asked |= {"censored", "lease, its keeper", "claim (a role)", "air of U", "bench time"}
    page = html(every).partition("<h2>Terms</h2>")[2]
    paper = pdf_text(every).partition("below 4 it is a warning")[2].partition("Contents")[0]
    assert {term for term in asked if term not in paper} == set()
    assert {term for term in asked if term not in page.partition("<h2>")[0]} == set()


def test_the_matrix_lies_within_the_pdf_which_says_that_it_is_pdf_a_3a_and_pdf_ua(every):
    reader = PdfReader(every / "report" / "compliance.pdf")
    table = (every / "report" / "matrix.csv").read_bytes()
    assert reader.attachments == {"matrix.csv": [table]}
    told = reader.xmp_metadata.stream.get_data().decode()
    for said in ("<pdfaid:part>3<", "<pdfaid:conformance>A<", "<pdfuaid:part>1<"):
        assert said in told
    assert reader.metadata.title == "Compliance test report 20260301-093000-ab12"


def test_no_section_leaves_the_rest_of_its_page_empty(good):
    letters = [len(page) for page in pdf_pages(good)]
    assert min(letters[:-1]) > 1500, letters  # a full page of this report has 2000 to 3500


def test_each_page_says_which_of_how_many_it_is(every, good):
    for folder in (every, good):
        pages = pdf_pages(folder)
        for number, page in enumerate(pages, 1):
            assert f"page {number} of {len(pages)}" in page


def test_the_page_needs_nothing_from_elsewhere(every):
    page = html(every).replace('xmlns="http://www.w3.org/2000/svg"', "")
    page = page.replace("/*! https://github.com/leeoniya/uPlot (v1.6.32) */", "")
    assert "http" not in page.replace("http-equiv", "")
    assert "src=" not in page
    assert set(re.findall(r'href="(.)', page)) == {"#"}
    assert page.count("<svg") == 3  # FAIL, INCONCLUSIVE and the first of its subject


def test_a_value_beyond_its_limit_is_never_printed_as_equal_to_it(every):
    assert "4.20000004 ± 0.0022 mA" in html(every)
    assert "4.20000004 ± 0.0022 mA" in pdf_text(every)


def test_the_plot_shows_a_single_sample_over_the_limit(every):
    page = html(every)
    plot = page[page.index("<svg") : page.index("</svg>")]
    assert plot.count('class="bad"') == 1
    assert "upper limit 4.2 mA" in plot
    assert "largest 5.0000 mA" in page
    assert "50 samples lost" in page


@pytest.mark.parametrize("place", [0, 1, 777, 199_999])
@pytest.mark.parametrize("sign", [1, -1])
def test_the_envelope_keeps_each_extreme_and_tells_what_it_left_out(place, sign):
    samples = np.zeros(200_000)
    samples[[100, 500, 900]] = np.inf, np.nan, -np.inf
    samples[place] = sign * 3e-3
    accuracy = Accuracy("a", 0.0, 0.0, "")
    source = Source("ammeter", "s", accuracy, Calibration.VALID)
    found = envelope(Capture(samples, 5.0, 0.5, 0.0, Dimension.CURRENT, source))
    drawn, named = (found.high, found.largest) if sign > 0 else (found.low, found.least)
    assert sign * np.nanmax(sign * drawn) == sign * 3e-3
    assert named == (5.0 + place * 0.5, sign * 3e-3)
    assert (found.count, found.lost, found.overloads) == (200_000, 1, 2)


def test_a_record_of_overloads_alone_has_no_plot_and_no_crash():
    source = Source("ammeter", "s", Accuracy("a", 0.0, 0.0, ""), Calibration.VALID)
    samples = np.array([np.inf, np.nan])
    found = envelope(Capture(samples, 0.0, 1.0, 0.0, Dimension.CURRENT, source))
    assert draw(found, Marks(), "t") == ""


def test_a_changed_capture_is_named_in_the_report_instead_of_drawn(tmp_path):
    folder = good_run(tmp_path / "run")
    path = next((folder / "data" / "captures").iterdir())
    path.write_bytes(path.read_bytes()[:-40] + b"x" * 40)
    write_report(folder)
    assert "A plot is missing: LIM-A: capture" in html(folder)
    assert "<svg" not in html(folder)


def test_the_same_journal_makes_the_same_bytes(good):
    def content() -> dict[str, bytes]:
        views = ("compliance.pdf", "index.html", "junit.xml", "summary.json")
        views += ("matrix.csv", "matrix.xlsx", "summary.md")
        return {name: (good / "report" / name).read_bytes() for name in views}

    first, results = content(), allure(good)
    listed = (good / "report" / "manifest-sha256.txt").read_text()
    assert all(f"  {name}\n" in listed for name in first)
    write_report(good)
    assert content() == first
    assert allure(good) == results


def test_the_summary_keeps_to_its_published_schema(every, good):
    schema = json.loads((Path(__file__).parents[2] / "docs/summary.schema.json").read_text())
    for folder in (every, good):
        _conforms(json.loads((folder / "report" / "summary.json").read_text()), schema, schema)
    wrong = json.loads((good / "report" / "summary.json").read_text()) | {"exit_code": 1}
    with pytest.raises(AssertionError):
        _conforms(wrong, schema, schema)


def _conforms(value: Any, schema: dict[str, Any], root: dict[str, Any]) -> None:
    """As much of JSON Schema as our schema uses."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    kinds = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}
    kinds |= {"number": (int, float), "null": type(None)}
    if named := schema.get("type"):
        allowed = [kinds[each] for each in ([named] if isinstance(named, str) else named)]
        assert any(isinstance(value, each) for each in allowed), (value, schema)
    assert value in schema.get("enum", [value]), value
    assert value == schema.get("const", value)
    if isinstance(value, dict):
        assert set(schema.get("required", ())) <= value.keys()
        extra = schema.get("additionalProperties", {})
        for key, entry in value.items():
            known = schema.get("properties", {}).get(key, extra)
            assert known is not False, key
            _conforms(entry, known, root)
    if isinstance(value, list):
        for entry in value:
            _conforms(entry, schema.get("items", {}), root)


def test_the_exit_code_of_the_summary_is_that_of_the_conclusion(every, good):
    codes = [
        json.loads((f / "report" / "summary.json").read_text())["exit_code"] for f in (every, good)
    ]
    assert codes == [10, 0]


def test_the_markdown_summary_says_what_came_of_the_run(every, good):
    text = (every / "report" / "summary.md").read_text("utf-8")
    assert text.startswith("## \N{CROSS MARK} Example Medical Ionto 4: FAIL\n")
    assert "**SIMULATED**: Simulated instruments: not evidence of device conformity" in text
    rows = [line.split(" | ") for line in text.splitlines() if line.startswith("| R-")]
    words = [row[1].partition(" ")[2] for row in rows]
    order = [WORDS[verdict] for verdict in Verdict]
    assert words == sorted(words, key=order.index)
    assert words.count("PASS") == 2
    (failed,) = [row for row in rows if row[1].endswith("FAIL")]
    assert failed[2].startswith("4.20000004 ± 0.0022 mA; limit ≤ 4.2 mA")
    assert "<script" not in text
    assert "complies with the 2 mandatory" in (good / "report" / "summary.md").read_text("utf-8")


def test_junit_tells_each_result_with_its_limit_clause_and_captures(every):
    (case,) = [c for n, c in cases(every).items() if n.startswith("m:test_FAIL[")]
    told = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert told["requirement.R-FAIL"] == "FAIL"
    assert told["clause.R-FAIL"] == "201.12.4.104"
    assert told["result.R-FAIL"].startswith("4.20000004 ± 0.0022 mA; limit ≤ 4.2 mA; margin")
    assert re.fullmatch("[0-9a-f]{64}", told["captures.R-FAIL"])
    (suite,) = ET.parse(every / "report" / "junit.xml").getroot().iter("testsuite")
    run = {p.get("name"): p.get("value") for p in suite.find("properties")}
    wanted = {"device": "Example Medical Ionto 4", "serial": "SIM-0001", "safe_state": "confirmed"}
    assert run | wanted == run


def test_junit_counts_what_it_holds_and_names_requirements(every):
    suite = ET.parse(every / "report" / "junit.xml").getroot().find("testsuite")
    assert suite is not None
    assert {k: suite.get(k) for k in ("tests", "failures", "errors", "skipped")} == {
        "tests": "10",  # eight tests, the requirement without one, and the run as a whole
        "failures": "3",
        "errors": "3",
        "skipped": "2",
    }
    (case,) = [c for n, c in cases(every).items() if n.startswith("m:test_FAIL")]
    properties = {p.get("name"): p.get("value") for p in case.iter("property")}
    assert properties["requirement.R-FAIL"] == "FAIL"


def test_a_run_without_a_single_test_has_every_view_and_cannot_say(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({}, errors=["module x: SyntaxError"])
    write_report(run.end(pytest_exit=5))
    assert "cannot say whether" in pdf_text(run.folder, 0)
    assert "No test was collected." in html(run.folder)
    assert {r["status"] for r in allure(run.folder).values()} == {"broken"}
    assert len(cases(run.folder)) == 3


def test_a_killed_run_is_reported_as_one_that_did_not_end(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({"m:test_a": ["LIM-A"], "m:test_b": ["LIM-A"]})
    run.evidence.append("test_begin", {"test": "m:test_a"})
    run.evidence.close()
    write_report(run.folder)
    assert "did not end by itself" in pdf_text(run.folder, 0)
    found = allure(run.folder)
    assert "never ended" in found["m:test_a"]["statusDetails"]["message"]
    assert "never started" in found["m:test_b"]["statusDetails"]["message"]
    assert {r["status"] for r in found.values()} == {"broken"}


def test_a_record_that_nothing_was_judged_by_is_a_limitation(tmp_path):
    """Both polarities are recorded, and only the one that passes is judged: the other is named."""
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({"m:test_a": ["LIM-A"]})
    judged, spare = treatment(), treatment(seed=1)
    run.record("m:test_a", judged)
    left_out = run.record("m:test_a", spare)
    run.test("m:test_a", judged=[("LIM-A", current("0.004", judged), None, "")])
    run.off()
    folder = run.end()
    assert write_report(folder).exit_code == 0
    assert f"Recorded, and judged by nothing: 1 records ({left_out})." in html(folder)
    assert "judged by nothing: 1 records" in pdf_text(folder)


def test_an_unconfirmed_safe_state_overrides_all(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({"m:test_a": ["LIM-A"]})
    taken = treatment()
    run.record("m:test_a", taken)
    run.test("m:test_a", judged=[("LIM-A", current("0.004", taken), None, "")])
    run.off(confirmed=False)
    conclusion = write_report(run.end())
    assert conclusion.exit_code == 20
    assert "SAFE STATE UNCONFIRMED" in pdf_text(run.folder, 0)
    assert "SAFE STATE UNCONFIRMED" in html(run.folder)
    assert "complies" not in pdf_text(run.folder, 0).replace("say “complies”", "").replace(
        "whether the simulated device complies", ""
    )


def _tripped(run: Run, *, confirmed: bool) -> None:
    """Write what a sentinel that tripped leaves in the journal of a run."""
    trip = {
        "cause": "no progress",
        "opened_after": 0.1,
        "confirmed": confirmed,
        "reason": "" if confirmed else "contacts CLOSED",
    }
    body = {"file": "sentinel.jsonl", "sha256": "0" * 64, "records": 3, "head": "0" * 64}
    run.evidence.append("sentinel", body | {"ended": True, "broken": "", "trips": [trip]})


def _armed_twice(folder: Path) -> Run:
    """Two armings, of which the first ends with a confirmed off."""
    run = Run(folder, [requirement("LIM-A")])
    run.collect({"m:test_a": ["LIM-A"]})
    run.evidence.append("armed", {"test": "m:test_a"})
    run.off()
    run.evidence.append("armed", {"test": "m:test_a"})
    return run


@pytest.mark.parametrize("confirmed", [True, False])
def test_the_terminal_ends_with_what_to_do_where_off_is_unconfirmed(tmp_path, confirmed):
    run = _armed_twice(tmp_path / "run")
    run.off(confirmed=confirmed)
    said = io.StringIO()
    Progress(Console(file=said, width=60)).end(tmp_path, conclude(read_journal(run.end()).records))
    assert (said.getvalue().splitlines()[-1] == WHAT_TO_DO) is not confirmed


def _tell(run: Run) -> tuple[str, str, dict[str, Any]]:
    """End a run; return text of PDF and HTML page, and the summary."""
    write_report(run.end())
    summary = json.loads((run.folder / "report" / "summary.json").read_text())
    return pdf_text(run.folder), html(run.folder).replace("&#39;", "'"), summary


@pytest.mark.parametrize("proof", ["sentinel", "nobody", "armed again"])
def test_every_view_says_the_same_of_an_off_that_only_one_place_lacks(tmp_path, proof):
    """The runner's own record of off is confirmed; the sentinel's is not, or there is none."""
    run = _armed_twice(tmp_path / "run")
    if proof == "sentinel":
        _tripped(run, confirmed=False)
    if proof == "armed again":
        run.evidence.append("armed", {"test": "m:test_a"})
        run.off()
    *pages, summary = _tell(run)
    assert (summary["exit_code"], summary["safe_state"]) == (20, "UNCONFIRMED")
    places = 3 if proof == "armed again" else 2
    for text in (*pages, pdf_text(run.folder, 0)):
        assert f"UNCONFIRMED: off was not shown in 1 of {places} places" in text
        assert "Off was confirmed" not in text
        assert WHAT_TO_DO in text


def test_a_trip_that_was_proven_off_is_a_safe_state(tmp_path):
    run = _armed_twice(tmp_path / "run")
    _tripped(run, confirmed=True)
    *pages, summary = _tell(run)
    assert (summary["exit_code"], summary["safe_state"]) == (13, "confirmed")
    for text in (*pages, pdf_text(run.folder, 0)):
        assert "Off was confirmed in each of the 2 places" in text
        assert WHAT_TO_DO not in text
        assert "SAFE STATE UNCONFIRMED" not in text


def test_every_view_says_in_how_many_places_the_device_went_off_with_its_supply_alone(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({"m:test_a": ["LIM-A"]})
    for volts in ("8.91", "9.02", "-1e-05"):
        run.evidence.append("armed", {"test": "m:test_a"})
        run.off(by_supply=float(volts) > 1, device=f"terminals {volts} V, cut-off open")
    *pages, summary = _tell(run)
    told = (
        "Made safe in 3 of 3 places, of these in 2 only by taking its supply away: the device did "
        "not go off by itself."
    )
    brief = (run.folder / "report" / "summary.md").read_text("utf-8")
    for text in (*pages, pdf_text(run.folder, 0), brief):
        assert told in text
        assert "Off was confirmed" not in text
    assert (summary["safe_state"], summary["safe_by_supply"]) == ("confirmed", 2)
    conclusion = conclude(read_journal(run.folder).records)
    rows = safe_states_view(conclusion)["rows"]
    assert [(row["count"], row["confirmed"]) for row in rows] == [
        ("2", "by its supply alone"),
        ("1", "confirmed"),
    ]
    assert rows[0]["device_off"] == "terminals 9.02 V, cut-off open"
    assert any(
        "did not go off by itself in 2 of the 3 places" in each for each in observations(conclusion)
    )
    said = io.StringIO()
    Progress(Console(file=said, width=200)).end(run.folder, conclusion)
    assert told in said.getvalue()


def test_a_run_that_armed_nothing_has_no_safe_state(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({"m:test_a": ["LIM-A"]})
    *_, summary = _tell(run)
    assert (summary["exit_code"], summary["safe_state"]) == (10, "none")


def _allure_result(folder: Path, uuid: str, **changes: Any) -> None:
    result = {"uuid": uuid, "name": uuid, "status": "passed", "labels": [], "links": []} | changes
    path = folder / "report" / "allure-results"
    path.mkdir(parents=True, exist_ok=True)
    (path / f"{uuid}-result.json").write_text(json.dumps(result))


def test_allure_loses_its_false_greens(tmp_path):
    folder = every_verdict(tmp_path / "run")
    tests = [f"m:test_{name}[{HOSTILE[:40]}]" for name in WANTED]
    for n, test in enumerate(tests):
        label = {"name": "stimproof_test", "value": test}
        for copy in range(2):  # each test twice, as two equal parameter sets
            _allure_result(folder, f"r{n}{copy}", labels=[label])
    _allure_result(folder, "stranger", fullName="m#test_unknown")
    (folder / "report" / "allure-results" / "torn-result.json").write_text("{")
    write_report(folder)
    found = allure(folder)
    assert {t: found[t]["status"] for t in tests} == {
        t: s for t, (s, *_) in zip(tests, WANTED.values(), strict=True)
    }
    assert found["stranger"]["status"] == "broken"
    assert "does not know" in found["stranger"]["statusDetails"]["message"]
    results = list((folder / "report" / "allure-results").glob("*-result.json"))
    assert len(results) == 11  # eight tests, the requirement without one, the run, the stranger


def test_an_interrupted_result_without_labels_is_found_by_its_full_name(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({"m:test_a[1]": ["LIM-A"], "m:test_a[2]": ["LIM-A"]})
    run.evidence.append("test_begin", {"test": "m:test_a[2]"})
    run.evidence.close()
    _allure_result(run.folder, "x", name="test_a[2]", fullName="suites.m#test_a", labels=None)
    write_report(run.folder)
    assert allure(run.folder)["m:test_a[2]"]["uuid"] == "x"
    assert {r["status"] for r in allure(run.folder).values()} == {"broken"}


def test_a_failed_copy_keeps_its_trace_and_its_attachments(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({"m:test_a": ["LIM-A"]})
    run.test("m:test_a", "failed", "short", [("LIM-A", current("0.005"), None, "")])
    label = [{"name": "stimproof_test", "value": "m:test_a"}]
    _allure_result(run.folder, "good", labels=label)
    attached = [{"name": "log", "source": "log.txt", "type": "text/plain"}]
    details = {"message": "m", "trace": "the trace"}
    changes = {"status": "failed", "statusDetails": details, "attachments": attached}
    _allure_result(run.folder, "worse", labels=label, **changes)
    write_report(run.end(1))
    found = allure(run.folder)["m:test_a"]
    assert (found["uuid"], found["statusDetails"]["trace"]) == ("worse", "the trace")
    assert [a["name"] for a in found["attachments"]] == ["log", "Verdicts"]
    source = run.folder / "report" / "allure-results" / found["attachments"][1]["source"]
    assert json.loads(source.read_text())[0]["verdict"] == "FAIL"


def test_allure_carries_who_ran_and_what_it_amounts_to(every):
    results = every / "report" / "allure-results"
    environment = (results / "environment.properties").read_text()
    assert "provenance = SIMULATED, every instrument is simulated\n" in environment
    executor = json.loads((results / "executor.json").read_text())
    assert "does not comply" in executor["reportName"]
    names = [c["name"] for c in json.loads((results / "categories.json").read_text())]
    assert "No verdict" in names


def test_reports_leave_the_evidence_as_it_was(tmp_path):
    folder = good_run(tmp_path / "run")
    seal(folder)
    write_report(folder)
    assert verify(folder).problems == ()


@pytest.mark.parametrize(
    ("value", "expanded", "limits", "shown"),
    [
        ("0.0041234", "0.0000041", ["0.0042"], "4.1234"),
        ("0.00420000004", "0.0000022", ["0.0042"], "4.20000004"),
        ("0.0042", "0.0000022", ["0.0042"], "4.2000"),
        ("-0.0041234", "0.0004", [], "\N{MINUS SIGN}4.12"),
        ("0.0041234", "0", [], "4.1234"),
        ("-0.00000004", "0.0000023", ["0.00001"], "0.0"),
        ("-0.00000004", "0.0000023", ["0"], "\N{MINUS SIGN}40"),
        ("Infinity", "0.1", ["0.0042"], "Infinity"),
    ],
)
def test_digits_follow_the_uncertainty_but_never_cross_a_limit(value, expanded, limits, shown):
    number, edges = Decimal(value), [Decimal(limit) for limit in limits]
    step = value_step(number, Decimal(expanded), edges)
    assert scale("A", [number, *edges]).number(number, step) == shown


@pytest.mark.parametrize(
    ("unit", "value", "shown"),
    [
        ("A", "0.00001", "10 \N{MICRO SIGN}A"),
        ("A", "-0.0", "0 A"),
        ("C", "2.4", "2.4 C"),
        ("s", "1200", "1200 s"),
        ("s", "0.0123", "12.3 ms"),
        ("ohm", "500000", "500 kΩ"),
        ("A/m^2", "5", "0.5 mA/cm²"),
        ("1", "0.5", "0.5"),
        ("A", "0", "0 A"),
        ("strange", "1", "1 strange"),
    ],
)
def test_figures_are_shown_in_engineering_units(unit, value, shown):
    number = Decimal(value)
    assert scale(unit, [number]).text(number) == shown


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("inside by 48.3 uA, w = 3 uA", "inside by 48.3 \N{MICRO SIGN}A, w = 3 \N{MICRO SIGN}A"),
        ("133 uA/s at 10 kohm or 5 ohm", "133 \N{MICRO SIGN}A/s at 10 kΩ or 5 Ω"),
        ("within 10% of 2 V", "within 10 % of 2 V"),
        ("0.02 mA*min", "0.02 mA·min"),
        ("1200 uA x 13 ms", "1200 \N{MICRO SIGN}A \N{MULTIPLICATION SIGN} 13 ms"),
        ("load 10k[0.1mA-2kohm] of user uA, 2 x 3", "load 10k[0.1mA-2kohm] of user uA, 2 x 3"),
    ],
)
def test_units_are_printed_in_one_way(text, printed):
    assert in_print(text) == printed
    assert in_print(printed) == printed


def test_one_document_writes_each_unit_in_one_way(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A", text="At most 10 uA at 2 kohm, 5%.")])
    run.collect({"m:test_a[10 uA]": ["LIM-A"]})
    run.test("m:test_a[10 uA]", judged=[("LIM-A", current("0.0043"), None, "")])
    folder = run.end()
    write_report(folder)
    for text in (pdf_text(folder), html(folder), (folder / "report" / "summary.md").read_text()):
        told = text.replace("test_a[10 uA]", "").replace("test&#95;a&#91;10 uA&#93;", "")
        assert not re.search(r"\d ?u[AVC]\b|\dk?ohm|\d%", told.rpartition("<body")[2])
    assert "m:test_a[10 uA]" in html(folder)  # a name stays as it is


def test_judgements_of_a_requirement_stand_with_the_worst_first(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({"m:test_a": ["LIM-A"]})
    taken = treatment()
    run.record("m:test_a", taken)
    values = ("0.004", "0.0043", "0.0041", "0.0045", "0.0042")
    run.test("m:test_a", "failed", "", [("LIM-A", current(v, taken), None, "") for v in values])
    records = read_journal(run.end(1)).records
    view = view_of(conclude(records), capture_loader(run.folder, records), [])
    shown = [each["value"] for each in view["requirements"][0]["judgements"]]
    assert shown == ["4.5000", "4.3000", "4.2000", "4.1000", "4.0000"]


def test_requirements_that_share_a_cause_name_it_once_on_page_one(tmp_path):
    names = [f"LIM-{letter}" for letter in "ABCD"]
    run = Run(tmp_path / "run", [requirement(name) for name in names])
    run.collect({f"m:test_{name}": [name] for name in names})
    run.test("m:test_LIM-D", "failed", "boom", ())
    write_report(run.end(1))
    page = pdf_text(run.folder, 0)
    assert "LIM-A, LIM-B, LIM-C NO VERDICT: never started" in page
    assert page.count("never started") == 1
    assert "LIM-D NO VERDICT: boom" in page


def test_what_lies_beyond_its_limit_shares_no_cause_and_none_is_left_out_alone(tmp_path):
    names = [f"LIM-{letter}" for letter in "ABCDEFGHIJKLM"]
    run = Run(tmp_path / "run", [requirement(name, mandatory=name != "LIM-B") for name in names])
    run.collect({f"m:test_{name}": [name] for name in names})
    for name in names:
        run.test(f"m:test_{name}", "failed", judged=[(name, current("0.0043"), None, "")])
    conclusion = conclude(read_journal(run.end(1)).records)
    view = view_of(conclusion, capture_loader(run.folder, []), [])
    assert view["overall"]["reasons"] == [f"{name} FAIL: outside by 0.1000 mA" for name in names]
    assert view["overall"]["unprinted"] == 0
    assert view["overall"]["statement"] == (
        "The simulated device does not comply with 13 requirements of this scope; of these 12 are "
        "mandatory, out of 12."
    )
    assert foremost(range(14), 12) == ([*range(12)], 2)


def test_page_one_names_the_file_of_the_probe_arm_and_what_a_seal_says(tmp_path):
    run = Run(tmp_path / "run", [requirement("LIM-A")])
    run.collect({"m:test_a": ["LIM-A"]})
    taken = treatment()
    record = run.record("pre-flight", taken)
    probe = {"setting": "0.1 mA", "load": "10k", "record": record, "broke_off": False}
    probe |= {"detects": "", "paths": ""}
    body = {"wiring": "w", "checks": [], "missing": [], "monitor": "", "passed": True}
    run.evidence.append("preflight", body | {"probe": probe})
    folder = run.end()
    seal(folder)
    write_report(folder)
    page = pdf_text(folder, 0).replace("\n", "")
    assert f"record {record} (data/captures/{taken.sha256[:16]}.h5)" in page
    assert "sealed COMPLETE (the run ended by itself), unsigned" in page


def test_every_character_that_the_pdf_claims_to_draw_is_drawn(tmp_path, monkeypatch):
    text = "".join(chr(c) for a, z in pdf._DRAWN for c in range(a, z + 1))  # noqa: SLF001 - the table is what is tested
    monkeypatch.setattr("hil_reports.text.LONGEST", 10**6)
    folder = good_run(tmp_path / "run", expected_reason="x")
    records = read_journal(folder).records
    view = view_of(conclude(records), capture_loader(folder, records), [])
    view["limitations"] = [text]
    assert pdf.compliance_pdf(view, {}).startswith(b"%PDF")
