"""Stage B of the pre-flight: the device at its smallest setting, seen by two paths, before all."""

import contextlib
import io
import math
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from hil import proof
from hil.agreement import Comparison, Showing, compared, smallest_disagreement
from hil.bodies import judgement_body
from hil.capture import Accuracy, Capture, Source
from hil.conclusion import conclude
from hil.decision import judge
from hil.device import Polarity
from hil.errors import BenchError, SafeStateUnconfirmed
from hil.exact import Dimension, Exact
from hil.measurement import Calibration
from hil.proof import PROBE
from hil.verdict import ExitCode, Verdict
from hil_fixtures import config, rejudging
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.interruption import Interruption
from hil_fixtures.notes import Notes
from hil_fixtures.preflight import LIFE, Preflight
from hil_fixtures.probe_arm import ProbeArm
from hil_fixtures.stand import Bench
from hil_fixtures.station import open_station
from hil_reports.allure import reconcile
from hil_reports.evidence import read_journal
from hil_reports.junit import junit_xml
from hil_reports.summary import summary_of
from hil_reports.wiring import wiring_view

DESCRIPTION, PROFILE = read_bench(None), read_device(None)
AFTER = "onset=after:6s"  # stage A is over by then
REQUIREMENTS = {each.id: each for each in config.read_setup(None, None).requirements}


class Rig:
    """A bench with both stages, what they journaled and judged, and what went over the wires."""

    def __init__(self, faults=(), description=DESCRIPTION, seed=1, profile=PROFILE):
        self.journal, self.sent, self.judged = [], [], []
        self.station = open_station(
            PROFILE,
            description,
            faults=faults,
            seed=seed,
            today=date(2026, 1, 1),
            transcript=lambda role, way, text, now: self.sent.append((role, text)),
        )
        self.twin = self.station.twin
        self.interruption = Interruption()
        notes = Notes(self._write)
        self.preflight = Preflight(self.station, self.interruption, notes)
        self.bench = Bench(
            self.station,
            profile,
            self.interruption,
            self._write,
            lambda record: self.journal.append(("record", record)),
            seed,
            cleared=self._cleared,
        )
        self.probe = ProbeArm(self.bench, notes, self._accuse)
        self.sent.clear()

    def _write(self, kind, body):
        self.journal.append((kind, body))

    def _cleared(self):
        self.preflight.require()
        self.probe.require(self.preflight.flight)

    def _accuse(self, requirement, measured, at, record):
        found = judge(REQUIREMENTS[requirement], measured, at)
        if found.verdict is Verdict.FAIL:
            self.judged.append((requirement, judgement_body(PROBE, found, record)))
        return found.verdict is Verdict.FAIL

    def arm(self, load="2k"):
        with self.bench.armed(load=load):
            pass

    def of(self, kind):
        return [body for name, body in self.journal if name == kind]

    @property
    def flight(self):
        """The last stage B."""
        return [body for body in self.of("preflight") if "probe" in body][-1]


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.station.close()


# --- a healthy device ----------------------------------------------------------------------------


def test_the_device_is_seen_at_its_smallest_setting_before_the_first_arming(rig):
    rig.arm()
    assert [kind for kind, _ in rig.journal if kind in {"preflight", "armed", "safe_state"}] == [
        *("preflight", "armed", "safe_state", "preflight"),
        *("armed", "safe_state"),
    ]
    assert rig.flight["passed"]
    assert rig.judged == []
    assert [check["check"] for check in rig.flight["checks"]] == [
        *("smallest setting", "two paths", "sign"),
    ]
    assert rig.flight["probe"]["setting"] == "0.1 mA"
    assert rig.flight["probe"]["load"] == "10k"
    assert rig.flight["probe"]["record"] == rig.of("record")[0].id


def test_its_envelope_holds_one_look_and_nothing_else(rig):
    rig.arm()
    envelope = rig.of("armed")[0]["envelope"]
    assert envelope["max_current"] == "0.1 mA"
    assert Exact.parse(envelope["max_voltage"]) == Exact.parse("1 V")
    assert envelope["max_energisations"] == "1"
    assert envelope["max_time"] == "33.5 s"  # ramp 30 s, look 1.5 s, slack 1 s, off within 1 s
    assert Exact.parse(envelope["max_charge"]) == Exact.parse("201 mC")  # 6 mA, as the monitor lets
    assert Exact.parse(envelope["max_energy"]) == Exact.parse("16.08 J")  # at 80 V
    starts = [body["value"] for body in rig.of("stimulus") if body["command"] == "start"]
    assert starts == ["0.1 mA positive"]
    assert max(abs(rig.of("record")[0].current.samples)) < 0.11e-3


def test_a_bench_that_is_served_faster_leaves_this_machine_the_same_second():
    made = Rig()
    made.station.description = replace(DESCRIPTION, clock_scale=8.0)
    made.arm()
    assert Exact.parse(made.of("armed")[0]["envelope"]["max_time"]) == Exact.parse("40.5 s")
    made.station.close()


def test_it_is_over_within_forty_seconds_of_bench_time(rig):
    rig.preflight.require()
    begin = rig.station.clock.now()
    rig.probe.require(rig.preflight.flight)
    assert rig.station.clock.now() - begin <= 40.0


@pytest.mark.parametrize("seed", range(2, 7))
def test_benches_within_their_data_sheets_pass(seed):
    made = Rig(seed=seed)
    made.arm()
    assert made.flight["passed"]
    assert made.judged == []
    made.station.close()


def test_it_is_done_once_after_each_stage_a(rig):
    rig.arm()
    rig.arm()
    assert len(rig.of("armed")) == 3
    rig.station.sessions["ammeter"].recover()
    rig.arm()
    assert len([body for body in rig.of("preflight") if "probe" in body]) == 2
    rig.station.clock.sleep(LIFE + 1)
    rig.arm()
    assert len([body for body in rig.of("preflight") if "probe" in body]) == 3
    assert len(rig.of("preflight")) == 6
    probes = [body["scenario"] for body in rig.of("armed") if body["scenario"].startswith(" arm")]
    assert len({*probes}) == len(probes)


# --- a sign --------------------------------------------------------------------------------------


def test_a_device_of_the_wrong_sign_fails_its_requirement_and_the_bench_is_believed():
    rig = Rig(("F24",))
    rig.arm()
    assert {requirement for requirement, _ in rig.judged} == {"POL-SIGN"}
    serials = [body["measured"]["instruments"] for _, body in rig.judged]
    assert serials == [["SIM-ammeter-01"], ["SIM-voltmeter-01"]]
    assert all(body["record"] == rig.flight["probe"]["record"] for _, body in rig.judged)
    (wrong,) = [check for check in rig.flight["checks"] if not check["passed"]]
    assert wrong["requirement"] == "POL-SIGN"
    assert "so the device has the wrong sign" in wrong["remark"]
    assert rig.flight["passed"]
    assert len(rig.of("armed")) == 2
    rig.station.close()


def test_a_device_that_is_wrong_in_the_other_polarity_alone_is_left_to_its_suite():
    rig = Rig(("F23",))
    rig.arm()
    assert rig.judged == []
    rig.station.close()


def test_without_a_source_nobody_is_blamed_for_a_sign():
    rig = Rig(("F24",), replace(DESCRIPTION, source=None))
    with pytest.raises(BenchError, match="nobody knows whether the device or the leads"):
        rig.arm()
    assert rig.judged == []
    assert not rig.flight["passed"]
    assert len(rig.of("armed")) == 1
    rig.station.close()


# --- other deviations of the device --------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "requirement"), [("F16", "LIM-ACC"), ("F67", "LIM-ACC"), ("F27", "LIM-OVER")]
)
def test_more_than_the_setting_is_a_fail_of_the_requirement_that_says_so(fault, requirement):
    rig = Rig((fault,))
    rig.arm()
    assert {name for name, _ in rig.judged} == {requirement}
    assert [check["requirement"] for check in rig.flight["checks"] if not check["passed"]] == [
        requirement
    ]
    assert rig.flight["passed"]
    rig.station.close()


def test_a_device_that_refuses_its_smallest_setting_is_not_accused():
    figure = PROFILE.figures["output.setpoint_min"]
    figures = {
        **PROFILE.figures,
        "output.setpoint_min": replace(figure, value=Exact.parse("50 uA")),
    }
    rig = Rig(profile=replace(PROFILE, figures=figures))
    with pytest.raises(BenchError, match="the device refused its smallest setting of 50 uA: ") as e:
        rig.arm()
    assert "look at output.setpoint_min" in str(e.value)
    assert "nothing but 50 uA was commanded, and off is confirmed" in str(e.value)
    assert rig.judged == []
    assert rig.of("safe_state")[-1]["confirmed"]
    rig.station.close()


def test_a_device_that_reports_a_fault_is_not_accused_by_the_report():
    check = proof.obeyed(PROFILE["output.setpoint_min"], [], "OPEN_LOAD")
    assert "the device reported OPEN_LOAD at its smallest setting of 0.1 mA" in check.remark
    assert not check.trusted


def test_a_device_that_drives_more_than_its_limit_fails_that_whatever_it_reports():
    rig = Rig(("F75",))
    rig.arm()
    assert [name for name, _ in rig.judged] == ["LIM-CEIL"]
    breach, obeyed = rig.flight["checks"]
    assert "of 0.1 mA the device drove 6.0" in breach["remark"]
    assert "at most 4.4 mA is allowed" in breach["remark"]
    assert "the device reported OVERCURRENT" in obeyed["remark"]
    assert {breach["requirement"], obeyed["requirement"]} == {"LIM-CEIL"}
    assert rig.flight["passed"]
    assert len(rig.of("armed")) == 2  # it goes on: the suites say what else is wrong
    rig.station.close()


@pytest.mark.parametrize("shown", Showing)
def test_more_than_the_limit_is_the_device_s_where_both_paths_bear_it_out(shown):
    limit, setting = PROFILE["output.software_limit"], PROFILE["output.setpoint_min"]
    check = proof.breach(limit, setting, "6.02 mA", shown)
    assert check.trusted == (shown is Showing.AGREED)
    assert (f"{shown.value}: look at both meters" in check.remark) != check.trusted


def test_a_device_that_falls_silent_ends_the_run_off(rig):
    made = Rig(("F42:onset=mid-ramp",))
    with pytest.raises(BenchError, match="got no complete reply"):
        made.arm()
    (check,) = made.flight["checks"]
    assert check["check"] == "probe arm"
    assert check["remark"].startswith("it broke off while the device was on: ")
    assert made.flight["probe"]["broke_off"]
    assert made.of("safe_state")[-1]["confirmed"]
    made.station.close()


# --- the bench -----------------------------------------------------------------------------------


def test_two_paths_that_contradict_each_other_are_both_named_and_nobody_is_accused():
    rig = Rig((f"I03:severity=5%,role=ammeter,{AFTER}",))
    with pytest.raises(BenchError, match="two paths contradict each other: ammeter 106 uA") as e:
        rig.arm()
    assert "voltmeter over load and shunt 100 uA" in str(e.value)
    assert "must agree within" in str(e.value)
    assert rig.judged == []
    assert not rig.flight["passed"]
    assert len(rig.of("armed")) == 1
    rig.station.close()


def test_off_that_is_not_confirmed_after_it_breaks_the_bench():
    rig = Rig([f"I02:severity=0.1%,role={role},{AFTER}" for role in ("ammeter", "voltmeter")])
    with pytest.raises(SafeStateUnconfirmed):
        rig.arm()
    assert not rig.flight["passed"]
    assert "SAFE STATE UNCONFIRMED" in rig.bench.unsafe
    with pytest.raises(SafeStateUnconfirmed):
        rig.arm()
    assert len(rig.of("armed")) == 1
    rig.station.close()


def test_a_bench_without_a_plain_load_in_the_declared_range_energises_nothing():
    loads = {name: load for name, load in DESCRIPTION.loads.items() if load.parallel is not None}
    bleed = replace(DESCRIPTION.loads["bleed"], series=Exact.parse("400 ohm"))
    rig = Rig(description=replace(DESCRIPTION, loads={**loads, "bleed": bleed}))
    with pytest.raises(BenchError, match="no plain load of 500 ohm to 50 kohm"):
        rig.arm("skin")
    assert rig.of("armed") == []
    rig.station.close()


# --- what the pair can show ----------------------------------------------------------------------

CURRENT, VOLTAGE = Accuracy("A", 5e-4, 2e-6, ""), Accuracy("V", 4.5e-5, 6e-4, "")


def flat(value, dimension, accuracy):
    """Two seconds of one value."""
    source = Source("meter", "SIM-1", accuracy, Calibration.VALID)
    return Capture(np.full(2000, value), 0.0, 1e-3, 1e-4, dimension, source)


def held(amperes, second):
    """Both paths over a load and shunt of 10.1 kohm, for 2 s."""
    ohm = 1 / (1 / 10100 + 1 / 10e6)
    return compared(
        flat(amperes, Dimension.CURRENT, CURRENT),
        flat(second * ohm, Dimension.VOLTAGE, VOLTAGE),
        (0.5, 1.5),
        10100.0,
        0.01,
    )


def test_the_smallest_disagreement_is_that_of_both_data_sheets_and_of_the_load():
    ohm = 1 / (1 / 10100 + 1 / 10e6)
    parts = 5e-4 * 1e-4, 2e-6, 4.5e-5 * 1e-4, 6e-4 / ohm, 0.01 * 1e-4
    by_hand = 2 * math.sqrt(sum((part / math.sqrt(3)) ** 2 for part in parts))
    found = smallest_disagreement(1e-4, 10100.0, CURRENT, VOLTAGE, 0.01)
    assert found == pytest.approx(by_hand, rel=1e-12)
    assert held(1e-4, 1e-4).smallest == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("sign", [1, -1])
def test_a_disagreement_shows_from_the_printed_one_on_and_no_sooner(sign):
    least = smallest_disagreement(1e-4, 10100.0, CURRENT, VOLTAGE, 0.01)
    assert held(1e-4, 1e-4 + sign * 0.99 * least).agree
    assert not held(1e-4, 1e-4 + sign * 1.01 * least).agree


@pytest.mark.parametrize("pair", [(1e-4, -1e-4), (math.nan, 1e-4), (math.inf, 1e-4), (1e-4, 0.0)])
def test_opposite_signs_overloads_and_a_dead_path_never_agree(pair):
    found = held(*pair)
    assert not found.agree
    assert "two paths contradict each other" in proof.two_paths(found).remark


def test_two_paths_that_both_see_nothing_are_no_proof():
    found = held(0.2e-6, -0.1e-6)
    assert found.agree
    assert "delivers nothing that a meter sees" in proof.two_paths(found).remark


def test_the_printed_words_name_the_current_and_the_coverage():
    told = proof.detectable([(1e-4, 2.58e-6), (4e-3, 46.3e-6)])
    assert told.endswith("is 2.58 uA at 100 uA, 46.3 uA at 4.00 mA (k = 2)")


METERS = (
    {"role": "ammeter", "serial": "MY1", "certificate": "C-1"},
    {"role": "voltmeter", "serial": "MY2", "certificate": "C-2"},
)


@pytest.mark.parametrize(
    ("ammeter", "voltmeter", "wiring", "told"),
    [
        ({}, {}, {}, "the two paths are independent"),
        ({}, {"serial": "MY1"}, {}, "both are the instrument MY1"),
        ({}, {"certificate": "C-1"}, {}, "one certificate, C-1, for both"),
        ({}, {"certificate": ""}, {}, "no certificate for the voltmeter"),
        ({}, {}, {"voltmeter": "active lead"}, "the bench file puts both at active lead"),
        (
            {"serial": "SIM-1", "certificate": ""},
            {"serial": "SIM-2", "certificate": ""},
            {},
            "none needed, both are simulated",
        ),
    ],
)
def test_paths_are_independent_by_what_is_declared_and_who_answered(
    ammeter, voltmeter, wiring, told
):
    places = {"ammeter": "active lead", "voltmeter": "across the terminals", **wiring}
    meters = {**METERS[0], **ammeter}, {**METERS[1], **voltmeter}
    found = proof.independence(*meters, places, DESCRIPTION.loads["10k"])
    assert told in found
    assert ("NOT shown" in found) == (told.split()[0] in {"both", "one", "no", "the"}
                                      and "are independent" not in found)  # fmt: skip


def test_a_sign_is_judged_against_what_was_commanded():
    found = Comparison(-1e-4, -1.01, 10100.0, 2e-6)
    assert proof.sign(Polarity.NEGATIVE, found, known=True).passed
    assert proof.sign(Polarity.POSITIVE, found, known=True).requirement == "POL-SIGN"
    assert not proof.sign(Polarity.POSITIVE, found, known=True).passed
    assert not proof.sign(Polarity.POSITIVE, found, known=False).trusted


def test_the_load_tells_on_from_off_where_one_can():
    loads = DESCRIPTION.loads
    assert proof.probe_load(loads.values(), PROFILE).name == "10k"
    few = [loads["500"], loads["2k"], loads["skin"], loads["100k"]]
    assert proof.probe_load(few, PROFILE).name == "2k"
    assert proof.probe_load([loads["100k"], loads["skin"]], PROFILE) is None


# --- the real chain ------------------------------------------------------------------------------


@pytest.fixture
def chain(tmp_path):
    """Runs the shipped suites in this process; what they journaled."""

    def ran(*options):
        args = ["--pyargs", "hil_suites", "--hil-depth=smoke", f"--hil-out={tmp_path / 'runs'}"]
        args += [f"--rootdir={tmp_path}", "-c", "/dev/null", "-p", "no:cacheprovider"]
        args += ["-p", "no:timeout", "-q", "--import-mode=importlib"]
        with contextlib.redirect_stdout(io.StringIO()):
            pytest.main([*args, *options])
        (folder,) = (path for path in (tmp_path / "runs").iterdir() if path.is_dir())
        return folder, read_journal(folder).records

    return ran


def test_a_wrong_sign_fails_a_run_that_has_no_polarity_suite(chain, tmp_path):
    folder, records = chain("--hil-fault=F24", "--hil-suite=dose", "-k", "not equals")
    found = conclude(records)
    assert found.exit_code is ExitCode.OTHER_VERDICT
    assert found.complete  # it went on: a wrong sign harms no bench
    rows = {row.requirement["id"]: row for row in found.requirements}
    assert rows["POL-SIGN"].verdict is Verdict.FAIL
    assert rows["POL-SIGN"].tests == (PROBE,)
    assert rows["POL-SIGN"].decisive["measured"]["captures"]
    assert any(reason.startswith("POL-SIGN FAIL: ") for reason in found.reasons)
    assert f'name="test" value="{PROBE}"' in junit_xml(found)
    assert summary_of(found)["requirements"]["POL-SIGN"]["verdict"] == "FAIL"
    results = tmp_path / "allure"
    reconcile(results, found)
    texts = [path.read_text() for path in results.glob("*-result.json")]
    (own,) = [text for text in texts if '"name": "probe_arm"' in text]
    assert '"status": "failed"' in own
    made = rejudging.replay(folder)
    assert not made.differing
    assert [each.was["test"] for each in made.judgements].count(PROBE) == 2
    assert made.now.exit_code is ExitCode.OTHER_VERDICT
    told = wiring_view(found.flights, found.plan["wiring"])
    assert told["passed"]
    (line,) = [each["text"] for each in told["lines"] if each["name"] == "stage B"]
    assert "2.58 uA at 100 uA" in line
    assert any(row["remark"].startswith("FAIL of POL-SIGN: ") for row in told["flights"][1]["rows"])
    assert [each["test"] for each in found.records].count(PROBE) == 1


@pytest.mark.parametrize(
    ("fault", "failed"), [("F42:onset=mid-ramp", False), ("F43:onset=mid-ramp", True)]
)
def test_a_device_that_falls_silent_while_it_is_on_is_an_abort_and_no_refusal(chain, fault, failed):
    folder, records = chain(f"--hil-fault={fault}", "--hil-suite=dose")
    found = conclude(records)
    assert found.exit_code is ExitCode.ABORTED_OFF
    assert "it broke off while the device was on: stimulator at " in found.reasons[0]
    rows = {row.requirement["id"]: row for row in found.requirements}
    ceiling = [row.verdict for name, row in rows.items() if name == "LIM-CEIL"]
    assert ceiling == [Verdict.FAIL] * failed  # out of scope otherwise
    *told, last = found.reasons[1:]
    assert ["LIM-CEIL FAIL" in reason for reason in told] == [True] * failed
    assert last == "off was confirmed"
    assert rows["DOSE-TRUE"].verdict in {Verdict.ERROR, Verdict.NO_VERDICT}
    if failed:
        assert rows["LIM-CEIL"].decisive["measured"]["captures"]
        assert not rejudging.replay(folder).differing
    refused = conclude([in_time(record) for record in records])
    what = ExitCode.ABORTED_OFF if failed else ExitCode.BENCH_BEFORE_OUTPUT
    assert refused.exit_code is what  # a FAIL is never hidden behind a bench that is not ready


def in_time(record):
    """The same record as if the probe arm had been over as planned."""
    if "probe" not in record.body:
        return record
    return replace(record, body={**record.body, "probe": {**record.body["probe"], "broke_off": 0}})


def test_a_breach_in_the_probe_arm_counts_once_and_the_suites_go_on(chain):
    _, records = chain("--hil-fault=F75", "--hil-suite=current-limits", "-k", "without_a_treatment")
    found = conclude(records)
    (ceiling,) = (row for row in found.requirements if row.requirement["id"] == "LIM-CEIL")
    assert ceiling.verdict is Verdict.FAIL
    assert [body["test"] for body in ceiling.judgements].count(PROBE) == 1
    assert found.exit_code is ExitCode.OTHER_VERDICT
    assert found.complete
    assert {row.outcome for row in found.tests if "without_a_treatment" in row.test} == {"passed"}


def test_two_paths_that_part_after_stage_a_end_the_run_before_any_test_energises(chain):
    _, records = chain("--hil-fault=I03:severity=5%,role=ammeter,onset=after:6s",
                       "--hil-suite=dose")  # fmt: skip
    found = conclude(records)
    assert found.exit_code is ExitCode.BENCH_BEFORE_OUTPUT
    assert "two paths contradict each other: ammeter 10" in found.reasons[0]
    armed = [record.body for record in records if record.kind == "armed"]
    assert [body["test"] for body in armed] == [PROBE]
    assert {row.verdict for row in found.requirements} <= {Verdict.ERROR, Verdict.NO_VERDICT}
    told = wiring_view(found.flights, found.plan["wiring"])["lines"]
    assert [each["name"] for each in told if "NOT as declared" in each["text"]] == ["stage B"]


def test_an_interruption_of_the_probe_arm_is_no_refusal(chain):
    _, records = chain("--hil-suite=dose")
    seen = [record.kind for record in records].index("safe_state")
    kept = [*records[: seen + 1]]
    cause = {"cause": "signal SIGINT", "energised": True, "off_confirmed": True}
    aborted = replace(kept[-1], n=len(kept), kind="abort", body=cause)
    assert conclude([*kept, aborted]).exit_code is ExitCode.ABORTED_OFF
