"""The suites fail for a device with a fault, by the requirement that names it; and only then."""

import contextlib
import io
import re
from pathlib import Path

import pytest
from rich.console import Console

from hil.conclusion import Conclusion, conclude
from hil.verdict import ExitCode, Verdict
from hil_fixtures import closing, config
from hil_fixtures.plan import slug
from hil_fixtures.progress import Progress
from hil_reports.evidence import read_journal

DOCS = Path(__file__).resolve().parents[2] / "docs"

# Fault, suite, test, requirement: what must turn to FAIL.
CAUGHT = (
    (
        "F06",
        "current-limits",
        "test_current_stays_within_its_limits[4mA-2kohm-positive-stop]",
        "LIM-OVER",
    ),
    ("F08", "current-limits", "test_a_falling_load_causes_no_surge[4mA]", "LIM-STEP"),
    (
        "F11",
        "current-limits",
        "test_current_stays_within_its_limits[4mA-2kohm-positive-stop]",
        "LIM-ACC",
    ),
    (
        "F14",
        "current-limits",
        "test_current_stays_within_its_limits[4mA-2kohm-positive-stop]",
        "LIM-ACC",
    ),
    ("F01", "ramping", "test_a_resumed_treatment_ramps_up_again[4mA-2mA-2]", "RAMP-RESUME"),
    ("F02", "ramping", "test_current_rises_slowly[4mA-2kohm-positive-stop]", "RAMP-UP"),
    ("F05", "ramping", "test_current_rises_slowly[4mA-2kohm-positive-stop]", "RAMP-STEP"),
    ("F54", "ramping", "test_the_end_of_the_dose_ramps_down[4mA-2mA-2]", "RAMP-DOWN"),
    (
        "F23",
        "polarity",
        "test_the_current_has_the_commanded_sign[2.1mA-2kohm-negative-reverse]",
        "POL-SIGN",
    ),
    (
        "F24",
        "polarity",
        "test_the_current_has_the_commanded_sign[4mA-2kohm-positive-stop]",
        "POL-SIGN",
    ),
    (
        "F24",
        "current-limits",
        "test_current_stays_within_its_limits[4mA-2kohm-positive-stop]",
        "LIM-ACC",
    ),
    (
        "F25",
        "polarity",
        "test_a_reversal_during_delivery_is_not_obeyed[2.1mA-2kohm-negative-reverse]",
        "POL-LOCK",
    ),
    (
        "F26",
        "polarity",
        "test_a_reversal_during_delivery_is_not_obeyed[2.1mA-2kohm-negative-reverse]",
        "POL-LOCK",
    ),
    (
        "F28",
        "fault-shutdown",
        "test_an_open_load_switches_the_output_off[4mA-500ohm-positive-open]",
        "STOP-OPEN",
    ),
    (
        "F29",
        "fault-shutdown",
        "test_an_open_load_switches_the_output_off[4mA-500ohm-positive-open]",
        "STOP-OPEN",
    ),
    (
        "F30",
        "fault-shutdown",
        "test_nothing_restarts_without_an_operator[4mA-2mA-400ms]",
        "STOP-LATCH",
    ),
    (
        "F36",
        "fault-shutdown",
        "test_an_emergency_stop_is_quick[2.1mA-500ohm-positive-abort]",
        "STOP-SHARE",
    ),
    ("F07", "fault-shutdown", "test_a_short_lift_off_causes_no_surge[4mA]", "STOP-LIFT"),
    ("F50", "dose", "test_a_dose_counts_what_flows[4mA-50kohm]", "DOSE-TRUE"),
    ("F51", "dose", "test_each_session_of_a_course_has_its_own_dose[4mA-2mA-2]", "DOSE-TRUE"),
    ("F56", "command-interface", "test_what_must_be_refused_is_reported[2mA-1mA]", "CMD-TELL"),
    (
        "F55",
        "command-interface",
        "test_what_must_be_refused_changes_nothing[4mA-2mA-2]",
        "CMD-KEEP",
    ),
    (
        "F33",
        "indication",
        "test_the_reported_impedance_follows_the_load[4mA-2kohm-10kohm]",
        "IND-IMP",
    ),
    (
        "F48",
        "indication",
        "test_the_indicator_shows_whether_current_flows[4mA-2kohm-positive-stop]",
        "IND-LAMP",
    ),
    (
        "F11",
        "output-description",
        "test_current_and_voltage_over_the_load[4mA-2kohm-positive-stop]",
        "OUT-CURR",
    ),
    (
        "F14",
        "output-description",
        "test_current_and_voltage_over_the_load[4mA-2kohm-positive-stop]",
        "OUT-CURR",
    ),
    (
        "F35",
        "current-limits",
        "test_current_stays_within_its_limits[4mA-2kohm-positive-stop]",
        "LIM-RIPPLE",
    ),
    ("F22", "standby", "test_no_current_outlasts_trip_or_stop[4mA]", "STBY-REST"),
    ("F20", "standby", "test_no_current_outlasts_trip_or_stop[4mA]", "STBY-REST"),
    (
        "F46",
        "start-interlock",
        "test_a_start_without_a_setting_delivers_nothing[4mA]",
        "START-UNSET",
    ),
    (
        "F65",
        "start-interlock",
        "test_a_dead_sensor_is_found_by_the_self_test",
        "START-SENSE",
    ),
    ("F47", "supply", "test_the_current_does_not_depend_on_the_supply[4mA]", "SUP-STEADY"),
    ("F20", "supply", "test_the_current_does_not_depend_on_the_supply[4mA]", "SUP-BACK"),
)


def judged(out: Path, *options: str) -> tuple[int, Conclusion]:
    """Run the shipped suites by plain pytest, in this process; what it returned and journaled."""
    args = ["--pyargs", "hil_suites", "--hil-depth=smoke", f"--hil-out={out}", f"--rootdir={out}"]
    apart = ["-c", "/dev/null", "-p", "no:cacheprovider", "-p", "no:timeout", "-q"]
    apart += ["--import-mode=importlib"]
    with contextlib.redirect_stdout(io.StringIO()):
        code = pytest.main([*args, *apart, *options])
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    return int(code), conclude(read_journal(folder).records)


@pytest.mark.parametrize(("fault", "suite", "test", "requirement"), CAUGHT)
def test_a_fault_is_caught_by_its_test(tmp_path, fault, suite, test, requirement):
    seeded = [f"--hil-fault={fault}", f"--hil-suite={suite}", "--hil-depth=standard"]
    code, found = judged(tmp_path, *seeded, "-k", test)
    verdicts = {row.test.partition(":")[2]: row.by_requirement for row in found.tests}
    assert verdicts[test][requirement] is Verdict.FAIL
    assert code != 0
    assert found.exit_code is ExitCode.OTHER_VERDICT
    assert not found.complies
    assert found.complete
    assert found.run["faults"] == [fault]


def test_the_healthy_device_passes_everything(tmp_path):
    code, found = judged(tmp_path, "--hil-depth=standard")
    assert {row.verdict for row in found.requirements} == {Verdict.PASS}
    assert {row.verdict for row in found.tests} == {Verdict.PASS}
    assert (code, found.exit_code) == (0, ExitCode.COMPLIES)
    assert "pytest was given" in found.run["partial"]  # whoever picks may leave out
    assert all(off.confirmed for off in found.offs)
    assert len(found.offs) >= len(found.records) > 15
    told = Console(file=io.StringIO(), width=100)
    with told.capture() as table:
        told.print(closing.table(found))
    rows = re.findall(r" PASS +[A-Z-]+ +(\d+) +\S", table.get())
    assert sum(map(int, rows)) == len(found.requirements)


def test_each_subject_has_two_faults_that_are_caught(tmp_path):
    _, found = judged(tmp_path, "--collect-only")
    subjects = {slug(row.requirement["subject"]) for row in found.requirements}
    caught = [suite for _, suite, _, _ in CAUGHT]
    assert {name for name in subjects if caught.count(name) >= 2} == subjects
    assert found.verdict is Verdict.NO_VERDICT  # collected alone, nothing was judged


def test_a_device_of_half_the_current_is_judged_by_its_own_figures(tmp_path):
    device = config.starter("device").replace("Reference Ionto", "Ionto 2")
    for old, new in (("4.0 mA", "2.0 mA"), ("4.4 mA", "2.2 mA"), ("5.0 mA", "2.5 mA")):
        assert f'value = "{old}"' in device
        device = device.replace(f'value = "{old}"', f'value = "{new}"')
    bench = config.starter("bench").replace("Reference Ionto", "Ionto 2")
    (tmp_path / "device.toml").write_text(device)
    (tmp_path / "bench.toml").write_text(bench)
    files = [f"--hil-{name}={tmp_path / name}.toml" for name in ("device", "bench")]
    (tmp_path / "runs").mkdir()
    suites = [f"--hil-suite={name}" for name in ("current-limits", "ramping", "supply")]
    code, found = judged(tmp_path / "runs", *files, *suites)
    assert {row.verdict for row in found.tests} == {Verdict.PASS}
    assert {row.verdict for row in found.requirements} == {Verdict.PASS}
    assert found.plan["model"] == "Ionto 2"
    assert code == 0


def test_a_meter_that_is_out_of_its_accuracy_proves_nothing(tmp_path):
    fault = "--hil-fault=I03:severity=5%,role=ammeter,onset=after:40s"  # after the pre-flight
    code, found = judged(tmp_path, fault, "--hil-suite=current-limits", "-k", "within_its_limits")
    ran = [row for row in found.tests if row.verdict is not Verdict.NO_VERDICT]
    assert {row.by_requirement["LIM-CEIL"] for row in ran} == {Verdict.INCONCLUSIVE}
    (ceiling,) = (row for row in found.requirements if row.requirement["id"] == "LIM-CEIL")
    assert any("disputed" in body["reason"] for body in ceiling.judgements)
    assert code != 0
    disputes = [body["dispute"] for body in found.records if body["dispute"]]
    assert "voltmeter reads" in disputes[0]


def test_a_breach_of_the_software_limit_counts_wherever_it_happens(tmp_path):
    code, found = judged(
        tmp_path,
        "--hil-fault=F09",
        "--hil-suite=polarity",
        "--hil-suite=current-limits",
        "-k",
        "commanded_sign",
    )
    ceiling = next(row for row in found.requirements if row.requirement["id"] == "LIM-CEIL")
    assert ceiling.verdict is Verdict.FAIL
    assert {body["test"].partition(":")[0] for body in ceiling.judgements} == {"test_polarity"}
    assert code != 0


def test_a_voltmeter_that_shows_nothing_proves_nothing(tmp_path):
    fault = "--hil-fault=I02:severity=0.1%,role=voltmeter,onset=after:40s"
    _, found = judged(tmp_path, fault, "--hil-suite=fault-shutdown")
    assert found.exit_code is ExitCode.UNSAFE
    assert "the voltmeter did not follow the source" in found.reasons[0]


@pytest.mark.parametrize("fault", ["", "F02"])
def test_digitising_meters_lead_to_the_same_verdicts(tmp_path, fault):
    bench = f"--hil-bench={DOCS / 'bench-dmm6500.toml'}"
    seeded = [f"--hil-fault={fault}"] if fault else []
    _, found = judged(tmp_path, "--hil-suite=ramping", bench, *seeded)
    failed = {row.test.partition(":")[2] for row in found.tests if row.verdict is Verdict.FAIL}
    steep = {  # as the bench of 34465A says of the same fault
        "test_current_rises_slowly[4mA-2kohm-positive-stop]",
        "test_a_ramp_takes_its_time[4mA-2kohm-positive-stop]",
    }
    assert failed == (steep if fault else set())
    timed = Verdict.ERROR if fault else Verdict.PASS  # such a step leaves no ramp to be timed
    assert {row.verdict for row in found.tests} <= {Verdict.PASS, Verdict.FAIL, timed}
    assert {body["model"] for body in found.instruments if "meter" in body["role"]} == {
        "MODEL DMM6500"
    }


def test_the_end_of_a_run_tells_each_requirement_with_its_figures(tmp_path):
    code, found = judged(tmp_path, "--hil-fault=F02", "--hil-suite=ramping", "-k", "rises_slowly")
    assert code != 0
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    text = io.StringIO()
    Progress(Console(file=text, width=100)).end(folder, found)
    said = text.getvalue()
    (failed,) = re.findall(r"^RAMP-UP FAIL: .*\n.*\n.*$", said, re.MULTILINE)
    assert re.search(r"[\d.]+ ± [\d.]+ mA/s; limit ≤ 0.2 mA/s; margin .[\d.]+ mA/s", failed)
    assert "test_ramping:test_current_rises_slowly[4mA-" in failed
    assert re.search(r"record \w+, bench time [\d.]+ s \(start\) to [\d.]+ s \(stop\)", failed)
    assert re.search(r"^  12\.4\.4 +FAIL +RAMP-", said, re.MULTILINE)
    assert re.search(r"^RAMP-DOWN, RAMP-TIME NO_VERDICT: \S", said, re.MULTILINE)
    assert said.count("RAMP-UP") == 1
    assert "1 FAIL" in said
