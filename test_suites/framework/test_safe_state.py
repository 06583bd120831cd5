"""Off is proven on both sides of the cut-off, and anything less is UNCONFIRMED."""

import contextlib
import re
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from hil.device import State
from hil.errors import Abort, BenchError, ConnectionLost, SafeStateUnconfirmed
from hil.exact import Dimension, Exact
from hil.features import mean
from hil.scenario import Scenario
from hil.units import A, V, mA, s
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.interruption import Interruption
from hil_fixtures.stand import Bench
from hil_fixtures.station import open_station
from hil_instruments.simulated.physics.circuit import Node

PROFILE, DESCRIPTION = read_device(None), read_bench(None)
TREATMENT = Scenario.treatment(1 * mA, hold=1 * s)


class Rig:
    """A bench whose parts a test breaks."""

    def __init__(self, *faults, source=True, profile=PROFILE):
        RIGS.append(self)
        self.journal, self.sent = [], []
        self.station = open_station(
            profile,
            DESCRIPTION if source else replace(DESCRIPTION, source=None),
            faults=faults,
            seed=1,
            today=date(2026, 1, 1),
            transcript=lambda role, way, text, now: self.sent.append((role, text)),
        )
        self.bench = Bench(
            self.station,
            profile,
            Interruption(),
            lambda kind, body: self.journal.append((kind, body)),
            lambda record: None,
            1,
            cleared=lambda: None,
        )

    @property
    def state(self):
        (found,) = [body for kind, body in self.journal if kind == "safe_state"]
        return found


RIGS = []


@pytest.fixture
def rig():
    return Rig()


@pytest.fixture(autouse=True)
def _closed():
    yield
    while RIGS:
        RIGS.pop().bench.station.close()


def inside(rig, body, setpoint=1 * mA):
    with rig.bench.armed() as run:
        run.start(setpoint)
        body(run)


def raising(error):
    def body(run):
        run.wait(10 * s)
        raise error

    return body


def lost(*_, **__):
    raise ConnectionLost("the peer closed the connection")


def weld(rig, monkeypatch):
    monkeypatch.setattr(rig.station.cutoff, "open_relay", lambda: None)


def lie_about_contacts(rig, monkeypatch):
    monkeypatch.setattr(rig.station.cutoff, "is_closed", lambda: True)


def lose_cutoff(rig, monkeypatch):
    real = rig.station.close_cutoff

    def close_then_die(seconds):
        real(seconds)
        for name in ("open_relay", "is_closed", "renew"):
            monkeypatch.setattr(rig.station.cutoff, name, lost)

    monkeypatch.setattr(rig.station, "close_cutoff", close_then_die)


def live_terminals(rig, monkeypatch):
    real = rig.station.voltmeter.read
    accuracy = real(Dimension.VOLTAGE, 80.0)[1]
    stopped = []
    collect = rig.station.voltmeter.stop_recording
    monkeypatch.setattr(
        rig.station.voltmeter, "stop_recording", lambda: stopped.append(1) or collect()
    )
    monkeypatch.setattr(
        rig.station.voltmeter,
        "read",
        lambda *given: (3.0 * V, accuracy) if stopped else real(*given),
    )


def lose_voltmeter(rig, monkeypatch):
    collect = rig.station.voltmeter.stop_recording

    def stop_then_die():
        monkeypatch.setattr(rig.station.voltmeter, "read", lost)
        return collect()

    monkeypatch.setattr(rig.station.voltmeter, "stop_recording", stop_then_die)


def kill_ammeter(rig, monkeypatch):
    """A blown fuse: it answers, and always zero."""
    collect = rig.station.ammeter.stop_recording
    accuracy = rig.station.ammeter.read(Dimension.CURRENT, 4e-3)[1]

    def zeros():
        capture = collect()
        return replace(capture, samples=np.zeros(len(capture.samples)))

    monkeypatch.setattr(rig.station.ammeter, "stop_recording", zeros)
    monkeypatch.setattr(rig.station.ammeter, "read", lambda *_: (0.0 * A, accuracy))


def lose_ammeter(rig, monkeypatch):
    monkeypatch.setattr(rig.station.ammeter, "read", lost)


def confuse_ammeter(rig, monkeypatch):
    def garbled(*_):
        raise ValueError("could not convert string to float: 'OVLD?'")

    monkeypatch.setattr(rig.station.ammeter, "read", garbled)


def leak(rig, monkeypatch):
    accuracy = rig.station.ammeter.read(Dimension.CURRENT, 4e-3)[1]
    monkeypatch.setattr(rig.station.ammeter, "read", lambda *_: (11e-6 * A, accuracy))


def overload(rig, monkeypatch):
    accuracy = rig.station.ammeter.read(Dimension.CURRENT, 4e-3)[1]
    monkeypatch.setattr(rig.station.ammeter, "read", lambda *_: (float("nan") * A, accuracy))


BROKEN = {
    weld: "contacts CLOSED, so they may be welded",
    lie_about_contacts: "contacts CLOSED, so they may be welded",
    lose_cutoff: "contacts not read",
    live_terminals: "device not off: terminals .*3 V after the cut-off opened",
    lose_voltmeter: "device not off: .*not read after",
    kill_ammeter: "a dead meter proves nothing",
    lose_ammeter: "ammeter not read",
    confuse_ammeter: "ammeter not read",
    leak: "ammeter 11 uA",
    overload: "ammeter nan uA",
}


@pytest.mark.parametrize("breakage", BROKEN)
def test_a_broken_proof_is_unconfirmed_and_ends_the_use_of_the_bench(rig, monkeypatch, breakage):
    breakage(rig, monkeypatch)
    with pytest.raises(SafeStateUnconfirmed, match=f"SAFE STATE UNCONFIRMED: .*{BROKEN[breakage]}"):
        rig.bench.record(TREATMENT)
    assert rig.state["confirmed"] is False
    assert rig.state["reason"]
    monkeypatch.undo()
    rig.sent.clear()
    for _ in range(2):  # mended or not, it stays out of use
        with pytest.raises(SafeStateUnconfirmed, match="UNCONFIRMED"):
            rig.bench.record(TREATMENT)
    with pytest.raises(SafeStateUnconfirmed), rig.bench.armed():
        pytest.fail("the door opened")
    with pytest.raises(SafeStateUnconfirmed):
        rig.bench.provoke("HELLO")
    assert rig.sent == []


@pytest.mark.parametrize(
    ("declared", "lasting", "confirmed"),
    [("2 s", 1.0, True), ("2 s", 4.0, False), ("8 s", 4.0, True)],
)
def test_what_outlasts_the_supply_has_the_hold_up_that_its_profile_declares(
    monkeypatch, declared, lasting, confirmed
):
    hold_up = replace(PROFILE.figures["power.hold_up"], value=Exact.parse(declared))
    figures = {**PROFILE.figures, "power.hold_up": hold_up}
    rig = Rig(profile=replace(PROFILE, figures=figures))
    now, off, read = rig.station.clock.now, rig.station.supply.off, rig.station.voltmeter.read
    accuracy = read(Dimension.VOLTAGE, 80.0)[1]
    gone = []
    monkeypatch.setattr(rig.station.supply, "off", lambda: (off(), gone.append(now()))[0])

    def stored(*given):
        held = bool(stopped) and not (gone and now() > gone[-1] + lasting)
        return (3.0 * V, accuracy) if held else read(*given)

    collect, stopped = rig.station.voltmeter.stop_recording, []
    monkeypatch.setattr(
        rig.station.voltmeter,
        "stop_recording",
        lambda: stopped.append(1) or collect(),
    )
    monkeypatch.setattr(rig.station.voltmeter, "read", stored)
    with contextlib.suppress(SafeStateUnconfirmed):
        rig.bench.record(TREATMENT)
    assert rig.state["confirmed"] is confirmed


@pytest.mark.parametrize("breakage", BROKEN)
def test_every_other_step_is_taken_although_one_fails(rig, monkeypatch, breakage):
    breakage(rig, monkeypatch)
    with pytest.raises(SafeStateUnconfirmed):
        inside(rig, raising(BenchError("mine")))
    roles = {role for role, _ in rig.sent}
    assert roles >= {"stimulator", "cutoff", "load", "supply"}
    assert not rig.station.supply.is_on()
    assert rig.station.twin.device.circuit.value(Node.CURRENT) == pytest.approx(0, abs=1e-6)


def test_an_abort_is_not_replaced_by_an_unconfirmed_safe_state(rig, monkeypatch):
    weld(rig, monkeypatch)
    with pytest.raises(Abort) as caught:
        inside(rig, raising(Abort("signal SIGINT")))
    assert any("SAFE STATE UNCONFIRMED" in note for note in caught.value.__notes__)
    assert rig.bench.unsafe.startswith("SAFE STATE UNCONFIRMED")


def test_a_dead_link_to_the_device_does_not_hinder_the_proofs(rig, monkeypatch):
    def cut(run):
        run.wait(20 * s)
        for name in ("state", "abort", "stop", "fault", "claimed_charge"):
            monkeypatch.setattr(rig.station.stimulator, name, lost)
        run.wait(1 * s)

    with pytest.raises(ConnectionLost):
        inside(rig, cut)
    assert rig.state["confirmed"] is True
    assert "abort: the peer closed the connection" in rig.state["reason"]
    assert "read a live current" in rig.state["path_open"]
    assert rig.state["by_supply"] is True  # it never heard the abort


def test_a_device_that_ignores_its_stop_is_switched_off_by_its_supply(rig, monkeypatch):
    for name in ("stop", "abort"):
        monkeypatch.setattr(rig.station.stimulator, name, lambda: None)
    with rig.bench.armed(load="20k") as run:
        run.start(1 * mA)
        run.wait(31 * s)
    assert rig.state["confirmed"] is True
    assert "did not report its end after a stop" in rig.state["reason"]


def test_a_device_that_reports_an_end_and_still_drives_is_aborted_with_its_load(rig, monkeypatch):
    with rig.bench.armed() as run:
        run.start(2 * mA)
        run.wait(31 * s)
        monkeypatch.setattr(rig.station.stimulator, "state", lambda: State.IDLE)
        rig.sent.clear()
    said = [text for role, text in rig.sent if role in {"stimulator", "cutoff"}]
    assert said.index(PROFILE.wire.commands["abort"]) < said.index("REL:OPEN")
    assert rig.state["confirmed"]
    assert "its terminals did not" in rig.state["reason"]


def test_the_order_is_device_cutoff_bleed_supply(rig):
    with rig.bench.armed() as run:
        run.start(1 * mA)
        run.wait(31 * s)
        rig.sent.clear()
    stop = PROFILE.wire.commands["stop"]
    bleed = str(DESCRIPTION.loads[DESCRIPTION.bleed].channel)
    wanted = [
        ("stimulator", lambda text: text == stop),
        ("cutoff", lambda text: text == "REL:OPEN"),
        ("load", lambda text: "ROUT:CLOS" in text and bleed in text),
        ("supply", lambda text: text == ":OUTP CH1,OFF"),
        ("supply", lambda text: text == ":OUTP CH2,ON"),
        ("load", lambda text: text == "ROUT:CLOS (@203)"),
    ]
    places = [
        next(n for n, (who, text) in enumerate(rig.sent) if who == role and fits(text))
        for role, fits in wanted
    ]
    assert places == sorted(places)


def test_a_cutoff_that_does_not_open_costs_the_supply_before_anything_is_mended(rig, monkeypatch):
    """Mending a session takes seconds, for which the current would flow on."""
    session = rig.station.sessions["cutoff"]

    def recover():
        rig.sent.append(("cutoff", "mended"))
        raise ConnectionLost("the peer closed the connection")

    def die():
        monkeypatch.setattr(session, "_fault", "the peer closed the connection")
        lost()

    real = rig.station.close_cutoff

    def close_then_die(seconds):
        real(seconds)
        rig.sent.clear()
        monkeypatch.setattr(session, "recover", recover)
        for name in ("open_relay", "is_closed", "renew"):
            monkeypatch.setattr(rig.station.cutoff, name, lambda *_: die())

    monkeypatch.setattr(rig.station, "close_cutoff", close_then_die)
    with pytest.raises(SafeStateUnconfirmed):
        inside(rig, raising(ConnectionLost("mine")))
    off = next(n for n, (role, text) in enumerate(rig.sent) if role == "supply" and "OFF" in text)
    assert rig.sent.index(("cutoff", "mended")) > off
    assert not rig.state["confirmed"]


def test_no_current_was_commanded_is_said(rig):
    with rig.bench.armed() as run:
        run.wait(1 * s)
    assert rig.state["confirmed"] is True
    assert "no current was commanded" in rig.state["path_open"]
    assert rig.state["by_supply"] is False


ASKED = r"asked with 20\.0 V, the voltmeter rose by 19\.\d V and the ammeter by 1\.9\d uA"


def test_after_each_arming_both_meters_answer_to_the_source_behind_an_open_cutoff(rig):
    rig.bench.record(TREATMENT)
    assert rig.state["confirmed"] is True
    assert re.search(ASKED, rig.state["path_open"])
    readings = [body["quantity"] for kind, body in rig.journal if kind == "reading"]
    assert readings[-3:] == [
        "bench source",
        "terminal voltage with the bench source joined",
        "current with the bench source joined",
    ]
    stimuli = [body["command"] for kind, body in rig.journal if kind == "stimulus"]
    source = [f"bench source {step}" for step in ("on", "joined", "off", "parted")]
    assert stimuli[-6:] == ["bleed load", "supply off", *source]


def test_the_bench_is_left_off_parted_and_open(rig):
    rig.bench.record(TREATMENT)
    rig.station.clock.sleep(0.1)
    circuit = rig.station.twin.circuit
    assert not rig.station.source.is_on()
    assert rig.station.sessions["load"].query("ROUT:CLOS? (@203)") == "0"
    assert not circuit.cutoff_closed
    assert not circuit.powered
    assert circuit.value(Node.TERMINAL) == pytest.approx(0, abs=1e-3)


def test_the_source_is_on_for_half_a_second_at_most(rig):
    """It is at its whole voltage from its command on; what it asks of the bench is little time."""
    clock, source, found = rig.station.clock, rig.station.source, []
    on, off = source.on, source.off
    source.on = lambda *given: (found.append(clock.now()), on(*given))
    source.off = lambda: (off(), found.append(clock.now()))
    rig.bench.record(TREATMENT)
    _, begin, end = found  # the first is the safe state's own, which parts what may be joined
    assert end - begin < 0.5


def test_where_no_current_could_flow_the_meters_are_asked_all_the_same(rig):
    with rig.bench.armed(load="open") as run:
        run.start(1 * mA)
        run.wait(2 * s)
    assert rig.state["confirmed"] is True
    assert "no live current was read in this arming" in rig.state["path_open"]
    assert re.search(ASKED, rig.state["path_open"])


def pause(run):
    run.start(1 * mA)
    run.wait(31 * s)
    run.pause()
    run.wait(8 * s)
    run.resume()
    run.wait(31 * s)


def open_and_reconnect(run):
    run.start(1 * mA)
    run.wait(31 * s)
    run.inject("open")
    run.wait(1 * s)
    run.inject("reconnect")
    run.wait(1 * s)


def refuse_start(run):
    run.provoke("SOUR:CURR 1")


def dip(run):
    run.start(1 * mA)
    run.wait(31 * s)
    run.inject("supply off")
    run.wait(0.5 * s)
    run.inject("supply on")
    run.wait(2 * s)


def end_without_supply(run):
    run.start(1 * mA)
    run.wait(31 * s)
    run.inject("supply off")
    run.wait(1 * s)


HEALTHY = (pause, open_and_reconnect, refuse_start, dip, end_without_supply)


@pytest.mark.parametrize("course", HEALTHY)
def test_a_healthy_bench_ends_in_a_confirmed_off(rig, course):
    with rig.bench.armed() as run:
        course(run)
    assert rig.state["confirmed"] is True
    assert re.search(ASKED, rig.state["path_open"])


def keep_supply(rig, monkeypatch):
    monkeypatch.setattr(rig.station.supply, "off", lambda: None)


def freeze_supply(rig, monkeypatch):
    monkeypatch.setattr(rig.station.supply, "output_voltage", lambda: 0.0 * V)


def lose_supply(rig, monkeypatch):
    off = rig.station.supply.off

    def off_then_die():
        off()
        monkeypatch.setattr(rig.station.supply, "output_voltage", lost)

    monkeypatch.setattr(rig.station.supply, "off", off_then_die)


UNFED = (keep_supply, freeze_supply, lose_supply)


def started(run):
    run.start(1 * mA)
    run.wait(2 * s)


def lifted(run):
    run.wait(1 * s)
    run.inject("open")


def unstarted(run):
    run.wait(1 * s)


def unconfirmed(rig, course, why):
    with pytest.raises(SafeStateUnconfirmed, match=why), rig.bench.armed() as run:
        course(run)
    assert rig.state["confirmed"] is False
    return run


@pytest.mark.parametrize("breakage", UNFED)
@pytest.mark.parametrize("course", [unstarted, started])
def test_where_the_supply_is_not_shown_gone_the_source_is_not_joined(
    rig, monkeypatch, breakage, course
):
    """The device may have power still; without an answer of the meters nothing is proven."""
    breakage(rig, monkeypatch)
    unconfirmed(rig, course, "the device's supply is not shown to be gone")
    assert ("load", "ROUT:CLOS (@203)") not in rig.sent


def test_without_a_load_a_closed_contact_would_not_show(rig, monkeypatch):
    monkeypatch.setattr(rig.station.load, "select", lost_later(rig.station.load.select))
    unconfirmed(rig, lifted, "no load is connected")


def freeze(rig, monkeypatch, role):
    """A meter that repeats, from the end of its recording on, what it read then.

    What it repeats is within what counts as off, and what it shall read later with the source.
    """
    meter = getattr(rig.station, role)
    collect, accuracy = meter.stop_recording, meter.read(Dimension.VOLTAGE, 1.0)[1]

    def stop_then_freeze():
        stuck = 1.98e-6 * A if role == "ammeter" else 0.45 * V
        monkeypatch.setattr(meter, "read", lambda *_: (stuck, accuracy))
        return collect()

    monkeypatch.setattr(meter, "stop_recording", stop_then_freeze)


STILL = {
    "ammeter": "the ammeter by 0.* not shown alive",
    "voltmeter": "voltmeter did not follow the source",
}


@pytest.mark.parametrize("role", STILL)
def test_a_frozen_meter_does_not_answer_the_source(rig, monkeypatch, role):
    freeze(rig, monkeypatch, role)
    with pytest.raises(SafeStateUnconfirmed, match=STILL[role]):
        rig.bench.record(TREATMENT)


@pytest.mark.parametrize("role", STILL)
def test_without_a_source_a_meter_that_repeats_itself_to_the_last_digit_is_frozen(
    monkeypatch, role
):
    rig = Rig(source=False)
    freeze(rig, monkeypatch, role)
    with pytest.raises(SafeStateUnconfirmed, match=f"the {role} read .* 3 times: it is frozen"):
        rig.bench.record(TREATMENT)


def lose_records(rig, monkeypatch):
    monkeypatch.setattr(rig.station.voltmeter, "stop_recording", lost)


def test_records_that_are_lost_prove_nothing_of_what_was_energised(rig, monkeypatch):
    lose_records(rig, monkeypatch)
    with pytest.raises(SafeStateUnconfirmed, match="what the meters recorded of it is lost"):
        rig.bench.record(TREATMENT)


DEAD = "a dead meter proves nothing"
SILENT = "look at the ammeter's fuse, the leads of both, and the source's channel"
FUSE, LEAD = "I05:role=ammeter", "I05:role=voltmeter"
SEEDED = {
    "fuse blown from the beginning": ([FUSE], SILENT),
    "fuse blown at start": ([f"{FUSE},onset=start"], SILENT),
    "fuse blown while current is held": ([f"{FUSE},onset=after:42s"], SILENT),
    "the same, and the device does not notice": ([f"{FUSE},onset=after:42s", "F28"], SILENT),
    "fuse blown during the ramp down": ([f"{FUSE},onset=after:49s"], SILENT),
    "fuse blown during a ramp down that goes on": ([f"{FUSE},onset=after:49s", "F28"], SILENT),
    "fuse blown after the ramp down": ([f"{FUSE},onset=after:55s"], SILENT),
    "voltmeter lead off": ([LEAD], DEAD),
    "voltmeter lead lost while current flows": ([f"{LEAD},onset=after:20s"], DEAD),
    "voltmeter lead lost after the ramp down": ([f"{LEAD},onset=after:55s"], SILENT),
    "ammeter frozen at nothing": (["I01:role=ammeter,onset=start"], DEAD),
    "ammeter frozen at a current": (["I01:role=ammeter"], "ammeter 499 uA"),
    "ammeter frozen at its end": (["I01:role=ammeter,onset=after:55s"], "not shown alive"),
    "voltmeter frozen at nothing": (["I01:role=voltmeter,onset=start"], DEAD),
    "voltmeter frozen at a voltage": (["I01:role=voltmeter"], "device not off"),
    "voltmeter frozen at its end": (
        ["I01:role=voltmeter,onset=after:55s"],
        "did not follow the source",
    ),
    "ammeter leads reversed": (["I11:role=ammeter"], "the ammeter by -1.9"),
    "voltmeter leads reversed": (["I11:role=voltmeter"], "the voltmeter rose by -19"),
    "leads of both reversed": (["I11:role=ammeter", "I11:role=voltmeter"], "rose by -19"),
    "cut-off welded": (["I08"], "contacts CLOSED, so they may be welded"),
    "cut-off welded, and it says that it opened": (
        ["I12"],
        "10.0 uA passes the open cut-off: it may be welded",
    ),
    "cut-off that never closes and says that it did": (["I10"], DEAD),
    "source dead": (["I14"], r"source stands at 0(\.01)? V of 20 V"),
    "read-back of the supply dead": (["I15"], "supply is not shown to be gone"),
    "read-back of the supply dies": (
        ["I15:onset=after:20s"],
        r"source stands at 0(\.01)? V of 20 V",
    ),
}
"""What the simulated bench can have wrong, and why off is then unconfirmed."""


@pytest.mark.parametrize("wrong", SEEDED)
def test_no_fault_of_the_bench_ends_in_a_confirmed_off(wrong):
    faults, why = SEEDED[wrong]
    rig = Rig(*faults)
    with pytest.raises(SafeStateUnconfirmed, match=why):
        rig.bench.record(Scenario.treatment(1 * mA, hold=10 * s))
    assert rig.state["confirmed"] is False


UNSTARTED = {
    "fuse blown": (FUSE, SILENT),
    "fuse blown later": (f"{FUSE},onset=after:7s", SILENT),
    "voltmeter lead off": (LEAD, SILENT),
    "ammeter frozen": ("I01:role=ammeter,onset=after:1s", "not shown alive"),
    "voltmeter frozen": ("I01:role=voltmeter,onset=after:1s", "did not follow the source"),
    "cut-off welded": ("I08", "contacts CLOSED, so they may be welded"),
    "cut-off welded, and it says that it opened": (
        "I12",
        "10.0 uA passes the open cut-off: it may be welded",
    ),
    "source dead": ("I14", r"source stands at 0(\.01)? V of 20 V"),
    "read-back of the supply dead": ("I15", "supply is not shown to be gone"),
}


@pytest.mark.parametrize("wrong", UNSTARTED)
def test_nor_does_it_where_nothing_was_started(wrong):
    fault, why = UNSTARTED[wrong]
    unconfirmed(Rig(fault), unstarted, why)


@pytest.mark.parametrize("wrong", [FUSE, LEAD, "I12"])
def test_nor_where_a_test_broke_off(wrong):
    rig = Rig(f"{wrong},onset=after:38s" if "role" in wrong else wrong)
    with pytest.raises(SafeStateUnconfirmed):
        inside(rig, raising_after(33, ValueError("mine")))
    assert rig.state["confirmed"] is False


def raising_after(seconds, error):
    def body(run):
        run.wait(seconds * s)
        raise error

    return body


def held(run):
    run.start(1 * mA)
    run.wait(42 * s)


def test_a_fuse_that_blows_while_current_flows_is_found_and_disputes_the_record():
    rig = Rig(f"{FUSE},onset=after:40s")
    run = unconfirmed(rig, held, SILENT)
    assert "a blown fuse looks the same" in rig.state["path_open"]
    assert "a blown fuse looks the same" in run.findings.dispute


def test_a_fault_of_the_device_ends_in_a_confirmed_off_and_a_disputed_record():
    """The fuse is whole afterwards; that a lead was off for a moment remains possible."""
    rig = Rig("F75")
    with rig.bench.armed() as run:
        held(run)
    assert run.record.fault == "OVERCURRENT"
    assert rig.state["confirmed"] is True
    assert "device reported a fault" in run.record.dispute


# --- a bench without a source ---------------------------------------------------------------------

SOURCELESS = {
    "fuse blown from the beginning": ([FUSE], "a blown fuse looks the same"),
    "fuse blown while current is held": ([f"{FUSE},onset=after:42s"], "device reported a fault"),
    "and the device does not notice": ([f"{FUSE},onset=after:42s", "F28"], "went away"),
    "fuse blown during the ramp down": ([f"{FUSE},onset=after:49s"], "device reported a fault"),
    "voltmeter lead off": ([LEAD], DEAD),
    "cut-off welded": (["I08"], "contacts CLOSED, so they may be welded"),
    "read-back of the supply dead": (["I15"], "never live"),
}


@pytest.mark.parametrize("wrong", SOURCELESS)
def test_without_a_source_a_fuse_that_may_be_blown_is_not_believed(wrong):
    faults, why = SOURCELESS[wrong]
    rig = Rig(*faults, source=False)
    with pytest.raises(SafeStateUnconfirmed, match=why):
        rig.bench.record(Scenario.treatment(1 * mA, hold=10 * s))
    assert rig.state["confirmed"] is False


def test_nor_one_that_blows_while_the_safe_state_ramps_down():
    rig = Rig(f"{FUSE},onset=after:51s", source=False)
    unconfirmed(rig, held, "device reported a fault with its load connected")


@pytest.mark.parametrize("started", [False, True])
def test_without_a_source_off_is_shown_by_a_meter_that_was_alive_and_a_supply_that_is_gone(started):
    rig = Rig(source=False)
    with rig.bench.armed() as run:
        if started:
            run.start(1 * mA)
        run.wait(31 * s)
    assert rig.state["confirmed"] is True
    assert "not asked: the bench file has no source" in rig.state["path_open"]
    assert "supply, live before, is at 0 V" in rig.state["path_open"]


@pytest.mark.parametrize("breakage", UNFED)
def test_without_a_source_a_supply_that_is_not_shown_gone_proves_nothing(monkeypatch, breakage):
    rig = Rig(source=False)
    breakage(rig, monkeypatch)
    unconfirmed(rig, unstarted, "the device's supply")


def test_a_cutoff_that_never_closes_is_an_error_before_anything_is_started():
    rig = Rig("I09")
    with pytest.raises(BenchError, match="told to close and reads back open"):
        rig.bench.record(TREATMENT)
    assert PROFILE.wire.commands["start"] not in [text for _, text in rig.sent]


def test_what_went_wrong_on_the_way_is_attached_and_replaces_nothing(rig, monkeypatch):
    monkeypatch.setattr(rig.station.stimulator, "fault", lost)
    monkeypatch.setattr(rig.station.load, "select", lost_later(rig.station.load.select))
    mine = ExceptionGroup("mine", [ValueError("one"), KeyError("two")])
    with pytest.raises(ExceptionGroup) as caught:
        inside(rig, raising(mine))
    assert caught.value is mine
    assert rig.state["confirmed"] is True
    notes = "\n".join(caught.value.__notes__)
    assert notes.count("the peer closed the connection") == 2
    with pytest.raises(Abort) as ended:
        inside(rig, raising(Abort("signal SIGINT")))
    assert "the peer closed the connection" in "\n".join(ended.value.__notes__)


def lost_later(select):
    """Works until the way to off selects the bleed load."""
    bleed = DESCRIPTION.loads[DESCRIPTION.bleed].channel
    return lambda channel: lost() if channel == bleed else select(channel)


def test_an_unconfirmed_off_carries_every_error_of_its_way(rig, monkeypatch):
    lose_ammeter(rig, monkeypatch)
    monkeypatch.setattr(rig.station.stimulator, "fault", lost)
    with pytest.raises(SafeStateUnconfirmed) as caught:
        rig.bench.record(TREATMENT)
    group = caught.value.__cause__
    assert isinstance(group, ExceptionGroup)
    assert [type(error) for error in group.exceptions] == [ConnectionLost, ConnectionLost]


@pytest.mark.parametrize("seconds", [0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 2.5, 3, 4, 6])
@pytest.mark.parametrize("setpoint", [0.1, 1, 4])
def test_an_early_end_is_no_blown_fuse(rig, setpoint, seconds):
    """Whether the current was already large enough to be seen, or not yet."""

    def body(run):
        run.wait(seconds * s)
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        inside(rig, body, setpoint * mA)
    assert rig.state["confirmed"] is True
    assert rig.state["reason"] == ""


@pytest.mark.parametrize("fault", ["F19", "F68"])
def test_a_leakage_is_measured_and_no_reason_to_refuse(fault):
    rig = Rig(fault)
    with rig.bench.armed() as run:
        run.wait(3 * s)
    leak = mean(run.record.current)
    assert float(leak.value) > 20e-6
    assert (rig.state["confirmed"], rig.state["by_supply"]) == (True, True)
    readings = [body for kind, body in rig.journal if kind == "reading"]
    before = [b for b in readings if b["quantity"].endswith("before anything was commanded")]
    assert abs(float(before[0]["value"])) > 0.5  # into the voltmeter alone
    assert abs(float(before[-1]["value"])) < 0.5  # into the bleed load


def test_a_voltage_that_was_not_read_while_the_supply_was_on_accuses_no_device(monkeypatch):
    rig = Rig()
    read, station = rig.station.voltmeter.read, rig.station

    def deaf(*what):
        powered = float(station.supply.output_voltage().m_as("V")) > 1
        if powered and not station.cutoff.is_closed():
            raise BenchError("no answer")
        return read(*what)

    with rig.bench.armed() as run:
        run.wait(1 * s)
        monkeypatch.setattr(station.voltmeter, "read", deaf)
    assert (rig.state["confirmed"], rig.state["by_supply"]) == (True, False)
    assert rig.state["device_off"].endswith("whether the device went off by itself was not read")


def test_what_drives_the_bleed_load_is_refused_with_the_cutoff_open_again():
    rig = Rig("F68:severity=2mA")
    told = r"drives by itself.*bleed load of .*, which it energised; at most 0\.5 V is allowed"
    with pytest.raises(Abort, match=told):
        inside(rig, lambda run: None)
    assert PROFILE.wire.commands["start"] not in [text for _, text in rig.sent]
    assert not rig.station.cutoff.is_closed()


def test_what_drives_the_bleed_load_is_watched_while_it_does():
    rig = Rig("F68:severity=2mA")
    rig.station.description = replace(DESCRIPTION, ceiling=Exact.parse("1 mA"))
    with pytest.raises(Abort, match="bench ceiling of 1 mA exceeded"):
        inside(rig, lambda run: None)
    assert not rig.station.cutoff.is_closed()


def test_the_monitor_looks_at_a_leakage_from_the_first_moment():
    rig = Rig("F19")
    rig.station.description = replace(DESCRIPTION, ceiling=Exact.parse("20 uA"))
    with pytest.raises(Abort, match="bench ceiling of 20 uA exceeded"), rig.bench.armed() as run:
        run.wait(10 * s)
