"""Off is proven on both sides of the cut-off, and anything less is UNCONFIRMED."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from hil.errors import Abort, BenchError, ConnectionLost, SafeStateUnconfirmed
from hil.exact import Dimension
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

    def __init__(self):
        RIGS.append(self)
        self.journal, self.sent = [], []
        self.station = open_station(
            PROFILE,
            DESCRIPTION,
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


def inside(rig, body):
    with rig.bench.armed() as run:
        run.start(1 * mA)
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


def test_into_an_open_load_the_contacts_carry_the_proof(rig):
    with rig.bench.armed(load="open") as run:
        run.start(1 * mA)
        run.wait(2 * s)
    assert rig.state["confirmed"] is True
    assert "the read-back contacts carry the proof" in rig.state["path_open"]
