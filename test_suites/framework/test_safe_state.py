"""Off is proven on both sides of the cut-off, and anything less is UNCONFIRMED."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from hil.decision import judge as decide
from hil.errors import Abort, BenchError, ConnectionLost, SafeStateUnconfirmed
from hil.exact import Dimension, Exact
from hil.features import mean, steady
from hil.scenario import Scenario
from hil.units import A, V, mA, s
from hil.verdict import Verdict
from hil_fixtures.config import read_bench, read_device, read_setup
from hil_fixtures.interruption import Interruption
from hil_fixtures.stand import Bench
from hil_fixtures.station import open_station
from hil_instruments.simulated.physics.circuit import Node

PROFILE, DESCRIPTION = read_device(None), read_bench(None)
LIM_ACC = next(req for req in read_setup(None, None).requirements if req.id == "LIM-ACC")
TREATMENT = Scenario.treatment(1 * mA, hold=1 * s)


class Rig:
    """A bench whose parts a test breaks."""

    def __init__(self, *faults):
        RIGS.append(self)
        self.journal, self.sent = [], []
        self.station = open_station(
            PROFILE,
            DESCRIPTION,
            faults=faults,
            seed=1,
            today=date(2026, 1, 1),
            transcript=lambda role, way, text, now: self.sent.append((role, text)),
        )
        self.bench = Bench(
            self.station,
            PROFILE,
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
    weld: "contacts CLOSED",
    lie_about_contacts: "contacts CLOSED",
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


def test_a_device_that_ignores_its_stop_is_switched_off_by_its_supply(rig, monkeypatch):
    for name in ("stop", "abort"):
        monkeypatch.setattr(rig.station.stimulator, name, lambda: None)
    with rig.bench.armed(load="20k") as run:
        run.start(1 * mA)
        run.wait(31 * s)
    assert rig.state["confirmed"] is True
    assert "did not report its end after a stop" in rig.state["reason"]


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
        ("supply", lambda text: "OFF" in text),
    ]
    places = [
        next(n for n, (who, text) in enumerate(rig.sent) if who == role and fits(text))
        for role, fits in wanted
    ]
    assert places == sorted(places)


def test_no_current_was_commanded_is_said(rig):
    with rig.bench.armed() as run:
        run.wait(1 * s)
    assert rig.state["confirmed"] is True
    assert "no current was commanded" in rig.state["path_open"]


def test_where_no_current_could_flow_the_supply_is_shown_gone(rig):
    """No live current was there for the ammeter to read, so its word is not needed."""
    with rig.bench.armed(load="open") as run:
        run.start(1 * mA)
        run.wait(2 * s)
    assert rig.state["confirmed"] is True
    assert "no live current was read in this arming" in rig.state["path_open"]
    assert "supply, live before, is at 0 V" in rig.state["path_open"]


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


UNFED = {
    keep_supply: "live before, is at 9",
    freeze_supply: "never live, is at 0 V",
    lose_supply: "live before, is at not read",
}


@pytest.mark.parametrize("breakage", UNFED)
def test_without_a_live_current_and_without_a_proven_source_nothing_is_proven(
    rig, monkeypatch, breakage
):
    breakage(rig, monkeypatch)
    with pytest.raises(SafeStateUnconfirmed, match=UNFED[breakage]), rig.bench.armed() as run:
        run.wait(1 * s)
    assert rig.state["confirmed"] is False


def test_a_live_current_needs_no_word_of_the_supply(rig, monkeypatch):
    lose_supply(rig, monkeypatch)
    rig.bench.record(TREATMENT)
    assert rig.state["confirmed"] is True
    assert "read a live current" in rig.state["path_open"]


def freeze(rig, monkeypatch, role):
    """A meter that repeats, from the end of its recording on, what it read then."""
    meter = getattr(rig.station, role)
    collect, accuracy = meter.stop_recording, meter.read(Dimension.VOLTAGE, 1.0)[1]

    def stop_then_freeze():
        unit = A if role == "ammeter" else V
        monkeypatch.setattr(meter, "read", lambda *_: (1.25e-6 * unit, accuracy))
        return collect()

    monkeypatch.setattr(meter, "stop_recording", stop_then_freeze)


@pytest.mark.parametrize("role", ["ammeter", "voltmeter"])
def test_a_meter_that_repeats_itself_to_the_last_digit_is_frozen(rig, monkeypatch, role):
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
SEEDED = {
    "fuse blown from the beginning": ("I05:role=ammeter", "a blown fuse looks the same"),
    "voltmeter lead off": ("I05:role=voltmeter", DEAD),
    "voltmeter lead lost while current flows": ("I05:role=voltmeter,onset=after:20s", DEAD),
    "ammeter frozen at nothing": ("I01:role=ammeter,onset=start", DEAD),
    "ammeter frozen at a current": ("I01:role=ammeter", "it is frozen"),
    "voltmeter frozen at nothing": ("I01:role=voltmeter,onset=start", DEAD),
    "voltmeter frozen at a voltage": ("I01:role=voltmeter", "by a frozen meter"),
    "cut-off welded": ("I08", "contacts CLOSED"),
    "cut-off that never closes and says that it did": ("I10", DEAD),
}
"""What the simulated bench can have wrong, and why off is then unconfirmed."""


@pytest.mark.parametrize("wrong", SEEDED)
def test_no_fault_of_the_bench_ends_in_a_confirmed_off(wrong):
    fault, why = SEEDED[wrong]
    rig = Rig(fault)
    with pytest.raises(SafeStateUnconfirmed, match=why):
        rig.bench.record(Scenario.treatment(1 * mA, hold=10 * s))
    assert rig.state["confirmed"] is False


def test_a_fuse_that_blows_while_current_flows_is_believed_no_more():
    """The device reports a fault with its load connected; off is then shown at its source."""
    rig = Rig("I05:role=ammeter,onset=after:40s")
    with rig.bench.armed() as run:
        run.start(1 * mA)
        run.wait(42 * s)
    assert run.record.fault
    assert "a blown fuse looks the same, so it proves nothing" in rig.state["path_open"]
    assert "supply, live before, is at 0 V" in rig.state["path_open"]
    held = steady(run.record.current)
    assert decide(LIM_ACC, held, Exact.parse("1 mA")).verdict is Verdict.INCONCLUSIVE
    assert "a blown fuse looks the same" in run.record.dispute


def test_a_cutoff_that_never_closes_is_an_error_before_anything_is_started():
    rig = Rig("I09")
    with pytest.raises(BenchError, match="told to close and reads back open"):
        rig.bench.record(TREATMENT)
    assert PROFILE.wire.commands["start"] not in [text for _, text in rig.sent]


@pytest.mark.parametrize("fault", ["I01:role=ammeter", "I01:role=voltmeter", "I08"])
def test_nor_does_it_where_nothing_was_started(fault):
    rig = Rig(f"{fault},onset=after:1s" if "role" in fault else fault)
    with pytest.raises(SafeStateUnconfirmed), rig.bench.armed() as run:
        run.wait(1 * s)


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
    assert rig.state["confirmed"] is True
    readings = [body for kind, body in rig.journal if kind == "reading"]
    before = [b for b in readings if b["quantity"].endswith("before anything was commanded")]
    assert abs(float(before[0]["value"])) > 0.5  # into the voltmeter alone
    assert abs(float(before[-1]["value"])) < 0.5  # into the bleed load


def test_what_drives_the_bleed_load_is_refused_with_the_cutoff_open_again():
    rig = Rig("F68:severity=2mA")
    with pytest.raises(BenchError, match=r"into the bleed load; at most 0\.5 V is allowed"):
        inside(rig, lambda run: None)
    assert PROFILE.wire.commands["start"] not in [text for _, text in rig.sent]
    assert not rig.station.cutoff.is_closed()


def test_the_monitor_looks_at_a_leakage_from_the_first_moment():
    rig = Rig("F19")
    rig.station.description = replace(DESCRIPTION, ceiling=Exact.parse("20 uA"))
    with pytest.raises(Abort, match="bench ceiling of 20 uA exceeded"), rig.bench.armed() as run:
        run.wait(10 * s)
