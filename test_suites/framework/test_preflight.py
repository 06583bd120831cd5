"""Pre-flight and post-flight: each wrong wire is found before anything is energised."""

import time
from dataclasses import replace
from datetime import date

import pytest

from hil import proof
from hil.conclusion import Flight, conclude
from hil.errors import Abort, BenchError, UsageError
from hil.exact import Exact
from hil.proof import Pair, Reading
from hil.verdict import ExitCode, Verdict
from hil_fixtures import plan
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.interruption import Interruption
from hil_fixtures.notes import Notes
from hil_fixtures.preflight import (
    LIFE,
    NO_POLES,
    NO_SOURCE,
    Preflight,
    wiring_hash,
)
from hil_fixtures.stand import Bench
from hil_fixtures.station import open_station
from hil_instruments.simulated.dialects.contacts import ContactFault
from hil_instruments.simulated.metrology.fault import MeterFault
from hil_instruments.simulated.physics.node import Node
from hil_reports.evidence import read_journal
from hil_reports.wiring import attested, wiring_view

DESCRIPTION, PROFILE = read_bench(None), read_device(None)
OWN = {"cutoff_kind": "independent"}
REVERSED = MeterFault(scale=-1.0)

pytest_plugins = ["pytester"]


class Rig:
    """A bench that is to be proven, its journal, and what went over the wires."""

    def __init__(self, description=DESCRIPTION, seed=1):
        self.journal, self.sent = [], []
        self.station = open_station(
            PROFILE,
            description,
            seed=seed,
            today=date(2026, 1, 1),
            transcript=lambda role, way, text, now: self.sent.append((role, text)),
        )
        self.twin = self.station.twin
        self.interruption = Interruption()
        notes = Notes(lambda kind, body: self.journal.append((kind, body)))
        self.preflight = Preflight(self.station, self.interruption, notes)
        self.sent.clear()

    def flight(self, kind="preflight"):
        return [body for name, body in self.journal if name == kind][-1]

    def declare(self, **changed):
        """Let the bench file say something else than what is wired."""
        self.station.description = replace(self.station.description, **changed)

    @property
    def idle(self):
        """Whether all is off and open, and the device without power."""
        circuit = self.twin.circuit
        return (
            not self.station.source.is_on()
            and not circuit.cutoff_closed
            and circuit.load is None
            and not circuit.powered
            and abs(circuit.value(Node.TERMINAL)) < 1e-3
        )


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.station.close()


def reversed_meter(role):
    def change(rig):
        rig.twin.meter(role).fault = REVERSED

    return change


def another_resistor(rig):
    loads = dict(rig.station.description.loads)
    loads["2k"] = replace(loads["2k"], series=Exact.parse("20 kohm"))
    rig.declare(loads=loads)


def another_shunt(rig):
    rig.declare(shunt=Exact.parse("1 kohm"))


def a_wire_across_the_cutoff(rig):
    rig.twin.circuit.set_cutoff(True)


WIRES = {
    "ammeter reversed": (
        reversed_meter("ammeter"),
        "the ammeter reads -19",
        "its leads are reversed, swap them",
    ),
    "voltmeter reversed": (
        reversed_meter("voltmeter"),
        "the voltmeter reads -1.9",
        "its leads are reversed, swap them",
    ),
    "oscilloscope reversed": (
        reversed_meter("oscilloscope"),
        "the oscilloscope sees -",
        "its probe is reversed, swap its leads",
    ),
    "load one decade off": (
        another_resistor,
        "load position 2k measures 2.00 kohm and 20.0 kohm is declared",
        "look at the resistor of channel 104",
    ),
    "shunt wrong": (
        another_shunt,
        "the shunt measures 100.0 ohm and 1.00 kohm is declared",
        "look at the shunt",
    ),
    "cut-off bypassed": (
        a_wire_across_the_cutoff,
        "uA flows into the load past the open cut-off",
        "a welded contact that bypasses it",
    ),
}


def test_a_bench_that_is_wired_as_declared_passes_and_is_left_off(rig):
    rig.preflight.prove()
    flight = rig.flight()
    assert flight["passed"]
    assert flight["missing"] == [NO_POLES]
    assert flight["wiring"] == wiring_hash(DESCRIPTION)
    names = {check["check"] for check in flight["checks"]}
    assert {"voltmeter", "ammeter", "cut-off", "shunt", "oscilloscope", "monitor"} <= names
    assert {f"load {name}" for name in DESCRIPTION.loads if name != "short"} <= names
    assert {f"identity of {role}" for role in ("ammeter", "voltmeter", "load")} <= names
    assert rig.idle
    assert not [text for role, text in rig.sent if role == "stimulator"]


@pytest.mark.parametrize("seed", range(2, 7))
def test_benches_within_their_data_sheets_pass(seed):
    made = Rig(seed=seed)
    made.preflight.prove()
    assert made.preflight.repeat()
    made.station.close()


def test_the_excursion_that_the_monitor_detects_is_measured(rig):
    rig.preflight.prove()
    told = rig.flight()["monitor"]
    assert "the monitor saw an injected pulse of" in told
    assert "uA x" in told
    assert "an excursion of" in told


@pytest.mark.parametrize("wire", WIRES)
def test_a_wrong_wire_is_found_before_anything_is_energised(rig, wire):
    change, measured, where = WIRES[wire]
    change(rig)
    with pytest.raises(BenchError, match="nothing was energised") as caught:
        rig.preflight.prove()
    assert measured in str(caught.value)
    assert where in str(caught.value)
    assert not rig.flight()["passed"]
    assert not [text for role, text in rig.sent if role == "stimulator"]
    assert not rig.station.source.is_on()


SEEDED = {
    "I11:role=ammeter": "its leads are reversed, swap them",
    "I11:role=voltmeter": "its leads are reversed, swap them",
    "I11:role=oscilloscope": "its probe is reversed, swap its leads",
    "I13": "or the poles are crossed between cut-off and load",
    "I14": "look at the second output of the supply",
    "I15": "the bench source reads back 0 uV where 2.00 V was set",
}


@pytest.mark.parametrize("fault", SEEDED)
def test_crossed_wires_and_a_dead_source_can_be_seeded_and_are_found(rig, fault):
    rig.twin.set_faults([fault])
    with pytest.raises(BenchError, match=SEEDED[fault]):
        rig.preflight.prove()
    assert not rig.station.source.is_on()


def test_a_source_that_a_killed_run_left_joined_is_parted_first(rig):
    supply, load = (rig.station.sessions[role] for role in ("supply", "load"))
    for session, text in ((supply, ":APPL CH2,20,0.02"), (supply, ":OUTP CH2,ON")):
        session.write(text)
    load.write("ROUT:CLOS (@203)")
    rig.sent.clear()
    rig.preflight.prove()
    written = [text for role, text in rig.sent if role in {"supply", "load"} and text[-1] != "?"]
    assert written.index(":OUTP CH2,OFF") < written.index("ROUT:OPEN (@203)")
    assert written.index("ROUT:OPEN (@203)") < written.index(":APPL CH2,2,0.02")


@pytest.mark.parametrize("wire", [wire for wire in WIRES if "decade" not in wire])
def test_a_wire_that_comes_off_during_the_run_is_found_by_the_post_flight(rig, wire):
    rig.preflight.prove()
    WIRES[wire][0](rig)
    assert not rig.preflight.repeat()
    flight = rig.flight("postflight")
    (remark,) = [check["remark"] for check in flight["checks"] if check["remark"]]
    assert WIRES[wire][1] in remark


def test_both_meters_reversed_agree_with_each_other_and_not_with_the_source(rig):
    for role in ("ammeter", "voltmeter"):
        rig.twin.meter(role).fault = REVERSED
    with pytest.raises(BenchError, match="the voltmeter reads -"):
        rig.preflight.prove()


@pytest.mark.parametrize(
    ("role", "fault", "told"),
    [
        ("ammeter", MeterFault(open_input=True), "ammeter's fuse"),
        ("ammeter", MeterFault(scale=0.1), "look at its range and calibration"),
        ("ammeter", MeterFault(stuck=float("inf")), "behind the open cut-off, with the device and"),
        ("ammeter", MeterFault(offset=5e-6), "look at its zero"),
        ("ammeter", MeterFault(hum=50e-6), "look for hum or noise"),
        ("ammeter", MeterFault(hum=1.5e-6), "look for hum or noise"),
        ("ammeter", MeterFault(noise=20.0), "look for hum or noise"),
        ("voltmeter", MeterFault(open_input=True), "look at its leads"),
        ("voltmeter", MeterFault(stuck=float("nan")), "look at its range and calibration"),
        ("voltmeter", MeterFault(gain=0.05), "voltmeter reads"),
        ("oscilloscope", MeterFault(open_input=True), "look at its probe"),
    ],
)
def test_a_meter_that_shows_nothing_or_nonsense_is_found(rig, role, fault, told):
    rig.twin.meter(role).fault = fault
    with pytest.raises(BenchError) as caught:
        rig.preflight.prove()
    assert told in str(caught.value)
    assert not rig.station.source.is_on()


@pytest.mark.parametrize(
    ("contacts", "told"),
    [
        (ContactFault(welded=True), "its contacts may be welded"),
        (ContactFault(dead=True), "was told to close and reads back open"),
        (ContactFault(dead=True, lies=True), "whether the cut-off really closes"),
    ],
)
def test_contacts_that_do_not_move_are_found(rig, contacts, told):
    rig.twin.relay("cutoff").contacts = contacts
    with pytest.raises(BenchError, match=told):
        rig.preflight.prove()
    assert not [text for role, text in rig.sent if role == "stimulator"]


@pytest.mark.parametrize("role", ["voltmeter", "cutoff"])
def test_another_instrument_in_the_same_place_is_found(rig, role):
    rig.twin.instruments[role].serial = "SIM-other"
    with pytest.raises(BenchError, match=rf"{role} was .*SIM-{role}-01.* and is .*SIM-other"):
        rig.preflight.prove()


def test_the_cut_off_that_a_sentinel_holds_is_asked_through_it(rig):
    known = rig.station.sessions["cutoff"].identity

    class Held:
        identity = known

        def identify(self):
            return replace(known, serial="SIM-other")

    rig.station.held = Held()
    with pytest.raises(BenchError, match=r"cutoff was .* and is .*SIM-other"):
        rig.preflight.prove()


def test_without_a_source_the_missing_proofs_are_named():
    made = Rig(replace(DESCRIPTION, source=None))
    made.preflight.prove()
    assert made.flight()["missing"] == [NO_POLES, NO_SOURCE]
    assert made.flight()["passed"]
    assert made.flight()["monitor"] == ""
    made.station.close()


def test_it_holds_for_eight_hours_as_long_as_nothing_changes(rig):
    assert rig.preflight.stale == "there was none in this run"
    rig.preflight.require()
    count = len(rig.journal)
    rig.preflight.require()
    assert len(rig.journal) == count
    rig.station.clock.sleep(LIFE + 1)
    assert rig.preflight.stale == "it is older than 8 h"
    rig.preflight.require()
    assert rig.preflight.stale == ""
    rig.station.sessions["ammeter"].recover()
    assert rig.preflight.stale == "a link was opened anew"
    rig.preflight.require()
    another_shunt(rig)
    assert rig.preflight.stale == "the wiring that is declared has changed"
    with pytest.raises(BenchError, match="the shunt measures"):
        rig.preflight.require()


def test_a_wish_to_end_leaves_everything_off(rig):
    rig.interruption.set("signal SIGINT")
    with pytest.raises(Abort):
        rig.preflight.prove()
    assert rig.idle


def test_a_wish_to_end_on_the_way_through_stage_a_lets_nothing_close(rig, monkeypatch):
    """Each sleep of the bench in turn is the one that is interrupted, up to the first pulse."""
    clock, slept = type(rig.station.clock), []
    rest = clock.sleep

    def sleep_on(self, seconds):
        rest(self, seconds)
        slept.append(len(rig.journal))
        if len(slept) == interrupted:
            rig.interruption.set("signal SIGINT")

    monkeypatch.setattr(clock, "sleep", sleep_on)
    for interrupted in range(1, 8):
        slept.clear()
        rig.interruption.cause = ""
        rig.journal.clear()
        with pytest.raises(Abort):
            rig.preflight.prove()
        after = [body.get("command") for _, body in rig.journal[slept[interrupted - 1] :]]
        assert not {"cut-off close", "bench source on", "bench source joined"} & {*after}, after
        assert rig.idle


LOAD = DESCRIPTION.loads["2k"]
SHORTED = replace(LOAD, series=Exact.parse("1 ohm"))


def seen(ohm):
    """Readings of a resistance beside which the voltmeter's own does not count."""
    volts = 1e-3 / (1 / ohm + 1 / 10e6)
    return Pair(Reading(1e-3, 1e-6), Reading(volts, 1e-3 * volts))


JUDGED = {
    "source": lambda value: proof.source(2.0, value),
    "ammeter": lambda value: proof.ammeter(1e-3, Reading(value, 50e-6)),
    "voltmeter": lambda value: proof.voltmeter(2.0, Reading(value, 0.0)),
    "shunt": lambda value: proof.shunt(100.0, seen(value + 1), SHORTED, 0.001),
    "position": lambda value: proof.position(LOAD, 100.0, seen(value + 100), 0.001),
    "oscilloscope": lambda value: proof.oscilloscope(0.1, Reading(value, 0.01)),
}


@pytest.mark.parametrize("check", JUDGED)
def test_what_a_check_prints_as_expected_is_what_it_judges_by(check):
    judge = JUDGED[check]
    told = judge(0.0).expected
    if " to " in told:
        least, most = (float(Exact.parse(each).base) for each in told.split(" to "))
    else:
        middle, within = told.split(" within ")
        middle = float(Exact.parse(middle).base)
        share = within.endswith("%")
        width = middle * float(within[:-1]) / 100 if share else float(Exact.parse(within).base)
        least, most = middle - width, middle + width
    inside = 2e-3 * (most - least)
    for edge, inwards in ((least, inside), (most, -inside)):
        assert judge(edge + inwards).passed, f"{edge} is allowed: {told}"
        assert not judge(edge - inwards).passed, f"{edge} is the end: {told}"


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_an_overloaded_ammeter_is_no_proof(value):
    """Its limit of error is a share of what it reads, and held any overload to be allowed."""
    assert not proof.ammeter(1e-3, Reading(value, value)).passed


@pytest.mark.parametrize("step", ["bench source joined", "cut-off close"])
def test_a_wish_to_end_while_it_reads_comes_before_the_next_step(rig, monkeypatch, step):
    """An exchange may last long: a signal in the middle of it is heeded as it ends."""
    of = "output_voltage" if step == "cut-off close" else "on"
    kind = type(rig.station.source)
    real = getattr(kind, of)

    def interrupted(*given):
        done = real(*given)
        rig.interruption.set("signal SIGINT")
        return done

    monkeypatch.setattr(kind, of, interrupted)
    with pytest.raises(Abort):
        rig.preflight.prove()
    assert step not in [body.get("command") for _, body in rig.journal]
    assert rig.idle


def test_a_bench_without_a_pre_flight_refuses_to_energise(rig):
    sinks = (lambda kind, body: rig.journal.append((kind, body))), (lambda record: None)
    bench = Bench(rig.station, PROFILE, rig.interruption, *sinks, 1)
    with pytest.raises(BenchError, match="no pre-flight"), bench.armed():
        pass
    assert rig.journal == []
    assert rig.sent == []


def test_before_and_after_together_cost_less_than_half_a_second(rig):
    rig.preflight.prove()  # the chain of Cole's element is made once in a process
    begin = time.process_time()
    rig.preflight.prove()
    rig.preflight.repeat()
    assert time.process_time() - begin <= 0.5


# --- the real chain ------------------------------------------------------------------------------

TEST = """
from hil.features import peak
from hil.scenario import Scenario
from hil.units import mA
from hil_fixtures.suite import requirement

@requirement("LIM-CEIL")
def test_a_peak(bench, judge):
    record = bench.record(Scenario.treatment(1 * mA, load="2k"))
    judge("LIM-CEIL", peak(record.current))
"""
BREAK = """
    from hil_instruments.simulated.metrology.fault import MeterFault
    bench.station.twin.meter("ammeter").fault = MeterFault(scale=-1.0)
"""


@pytest.fixture
def run(pytester, monkeypatch):
    monkeypatch.delenv("STIMPROOF_KEY", raising=False)

    def ran(text, *arguments):
        pytester.makepyfile(test_wiring=text)
        pytester.runpytest_subprocess(
            "-p", "no:cacheprovider", "--hil-out=runs", "--hil-suite=current-limits", *arguments
        )
        (folder,) = [each for each in (pytester.path / "runs").iterdir() if each.is_dir()]
        return conclude(read_journal(folder).records), read_journal(folder).records

    return ran


def test_a_run_is_flown_before_its_first_arming_and_after_its_last(run):
    found, records = run(TEST)
    kinds = [record.kind for record in records]
    assert kinds.index("preflight") < kinds.index("armed") < kinds.index("postflight")
    assert [row.verdict for row in found.tests] == [Verdict.PASS]


def test_who_attests_that_nobody_is_connected_is_journaled_and_reported(run):
    found, records = run(TEST, "--hil-attest=A. Person")
    kinds = [record.kind for record in records]
    assert kinds.index("attestation") < kinds.index("collected")
    utc, body = found.attestation
    assert body["name"] == "A. Person"
    assert "No person is connected" in body["statement"]
    assert attested(found.attestation).startswith(f"A. Person, {utc[:10]}")
    assert "was not stated" in attested(None)


@pytest.mark.parametrize("name", [" ", " A. Person", "A. Person\t"])
def test_an_attestation_needs_a_name(name):
    with pytest.raises(UsageError, match="a name is needed"):
        plan.make(plan.Options(attest=name))


def test_page_one_tells_what_is_missing_and_what_failed():
    check = {"check": "ammeter", "expected": "a", "measured": "b", "passed": True, "remark": ""}
    good = {"wiring": "", "checks": [check], "missing": [NO_SOURCE], "passed": True}
    good["monitor"] = "saw 200 uA"
    bad = {**good, "checks": [{**check, "passed": False, "remark": "swap"}], "passed": False}
    first, last = Flight("preflight", "2026-01-01T00:00:00Z", good), "2026-01-01T01:00:00Z"
    found = _lines([first])
    assert found["not proven"] == f"{NO_SOURCE}."
    assert found["stage A"] == "1 checks passed; saw 200 uA."
    assert found["post-flight"] == "none was done."
    failed = [first, Flight("postflight", last, bad)]
    assert _lines(failed)["post-flight"] == "NOT as declared: swap."
    assert _lines(failed)["stage A"] == found["stage A"]
    assert not wiring_view(failed, OWN)["passed"]
    assert not wiring_view([], OWN)["passed"]
    assert "by software" not in found["not proven"]
    for other in ({"cutoff_kind": "software"}, {}):
        assert "by software" in _lines([first], other)["not proven"]


def _lines(flights, declared=OWN):
    """Text of each line of page 1 by its name."""
    return {each["name"]: each["text"] for each in wiring_view(flights, declared)["lines"]}


def test_a_wrong_wire_ends_the_run_before_anything_is_energised(run):
    found, records = run(TEST, "--hil-fault=I02:role=ammeter")
    assert found.exit_code is ExitCode.BENCH_BEFORE_OUTPUT
    assert "armed" not in [record.kind for record in records]
    assert "the ammeter reads" in found.reasons[0]


def interrupted_at(step):
    """The test, with Ctrl-C as this step of the pre-flight begins."""
    return f"""
import signal
from hil_fixtures.preflight import Preflight
real = Preflight.{step}
def interrupted(flight):
    signal.raise_signal(signal.SIGINT)
    return real(flight)
Preflight.{step} = interrupted
{TEST}"""


def test_an_interrupted_pre_flight_is_an_abort_and_page_one_says_so(run):
    found, records = run(interrupted_at("prove"))
    assert found.exit_code is ExitCode.ABORTED_OFF
    told = ("aborted by SIGINT (Ctrl-C)", "pre-flight interrupted")
    assert found.reasons == (*told, "the device's output was not energised")
    assert "armed" not in [record.kind for record in records]
    lines = wiring_view(found.flights, found.plan["wiring"])["lines"]
    told = [{"name": "stage A", "text": "Not proven: interrupted by SIGINT (Ctrl-C)."}]
    assert lines[:1] == told


def test_an_interrupted_post_flight_closes_the_run_as_ever(run):
    found, records = run(interrupted_at("repeat"))
    assert found.exit_code is ExitCode.ABORTED_OFF
    told = ("aborted by SIGINT (Ctrl-C)", "post-flight interrupted", "off was confirmed")
    assert found.reasons == told
    assert records[-2].kind == "end" or records[-1].kind == "end"


def test_a_pass_before_a_failed_post_flight_is_inconclusive(run):
    found, records = run(TEST + BREAK)
    assert not next(record.body for record in records if record.kind == "postflight")["passed"]
    assert [row.verdict for row in found.tests] == [Verdict.INCONCLUSIVE]
    row = next(row for row in found.requirements if row.requirement["id"] == "LIM-CEIL")
    assert "a later post-flight failed: the ammeter reads" in row.remark


def test_a_post_flight_that_is_not_there_counts_as_failed(run):
    _, records = run(TEST)
    left = [record for record in records if record.kind != "postflight"]
    assert [row.verdict for row in conclude(left).tests] == [Verdict.INCONCLUSIVE]


def test_a_device_that_leaks_without_power_is_not_laid_at_the_meters_door(run):
    found, records = run(TEST, "--hil-fault=F78:severity=30uA,onset=start")
    flown = next(record.body for record in records if record.kind == "postflight")
    (check,) = [each for each in flown["checks"] if each["check"] == "ammeter"]
    assert "beside 3" in check["measured"]
    assert flown["passed"]
    assert [row.verdict for row in found.tests] == [Verdict.PASS]
