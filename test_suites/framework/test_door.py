"""Whoever commands the stimulator, by whatever way, the envelope is asked before the wire."""

from dataclasses import replace
from datetime import date

import pytest

from hil.device import Polarity
from hil.errors import Abort, DimensionError, LimitExceeded, UsageError
from hil.exact import Exact
from hil.scenario import Change, LoadStep, Open, Pause, Phase, Scenario, at
from hil.units import kohm, mA, mC, minute, quantity, s, uA
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.interruption import Interruption
from hil_fixtures.stand import Bench
from hil_fixtures.station import Station, open_station

PROFILE, DESCRIPTION = read_device(None), read_bench(None)
MA = quantity(1.0, mA)


class Rig:
    """A bench on the in-process twin, with all that reached the device and the journal."""

    def __init__(self, *faults):
        self.sent, self.journal = [], []
        self.station = open_station(
            PROFILE,
            DESCRIPTION,
            faults=faults,
            seed=1,
            today=date(2026, 1, 1),
            transcript=self._hear,
        )
        self.interruption = Interruption()
        self.bench = Bench(
            self.station,
            PROFILE,
            self.interruption,
            lambda kind, body: self.journal.append((kind, body)),
            lambda record: None,
            1,
            test="mine:test_a",
        )
        self.bench.cleared = lambda: None  # no wiring is proven here
        self.sent.clear()

    def _hear(self, role, direction, text, now):
        if role == "stimulator" and direction in {"write", "stop"} and "?" not in text:
            self.sent.append(text)

    def of(self, kind):
        return [body for name, body in self.journal if name == kind]

    @property
    def commands(self):
        return [body["command"] for body in self.of("stimulus") if body["role"] == "stimulator"]


@pytest.fixture
def rig():
    made = Rig()
    yield made
    made.station.close()


def inside(rig, body, **door):
    with rig.bench.armed(**door) as run:
        body(run)


def energisers(stimulator):
    return {
        "configure": lambda: stimulator.configure(MA, Polarity.POSITIVE, None),
        "change": lambda: stimulator.set_current(MA),
        "reverse": lambda: stimulator.set_polarity(Polarity.NEGATIVE),
        "start": stimulator.start,
        "resume": stimulator.resume,
        "acknowledge": stimulator.acknowledge,
        "provoke": lambda: stimulator.provoke("TREAT:STAR"),
    }


COMMANDS = ("configure", "change", "reverse", "start", "resume", "acknowledge", "provoke")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("moment", ["before any arming", "after one", "between tests"])
def test_outside_of_an_arming_nothing_that_can_energise_is_sent(rig, command, moment):
    if moment != "before any arming":
        with rig.bench.armed() as run:
            run.start(1 * mA)
            run.wait(1 * s)
        rig.sent.clear()
    who = "mine:test_a"
    if moment == "between tests":
        rig.bench.test, who = "", "outside of any test"
    with pytest.raises(LimitExceeded, match=f"{who}: {command} was refused, nothing was sent"):
        energisers(rig.station.stimulator)[command]()
    assert rig.sent == []
    (refusal,) = rig.of("refusal")
    assert (refusal["who"], refusal["command"]) == (who, command)
    assert "inside `with bench.armed() as run`" in refusal["reason"]


@pytest.mark.parametrize("command", ["stop", "abort", "pause"])
def test_what_stops_always_passes(rig, command):
    getattr(rig.station.stimulator, command)()
    assert rig.sent == [PROFILE.wire.commands[command]]


def test_a_start_by_hand_is_held_against_the_envelope_journaled_and_watched(rig, monkeypatch):
    armed = []
    oscilloscope = rig.station.oscilloscope
    arm = oscilloscope.arm
    monkeypatch.setattr(
        oscilloscope, "arm", lambda **how: armed.append(list(rig.sent)) or arm(**how)
    )
    hand = rig.station.stimulator
    with rig.bench.armed(max_current=2 * mA) as run:
        with pytest.raises(LimitExceeded, match=r"2\.1.* mA was commanded; the envelope ends at 2"):
            hand.configure(quantity(2.1, mA), Polarity.POSITIVE, None)
        with pytest.raises(LimitExceeded, match="nothing was set in this arming"):
            hand.start()
        assert rig.sent == []
        hand.configure(MA, Polarity.NEGATIVE, None)
        watched = len(armed)
        hand.start()
        assert len(armed) == watched + 1
        assert PROFILE.wire.commands["start"] not in armed[-1]  # the monitor comes first
        with pytest.raises(LimitExceeded, match="envelope ends at 2"):
            hand.set_current(quantity(2500.0, uA))
        run.wait(31 * s)
    assert rig.commands == ["start", "stop"]
    (start,) = [body for body in rig.of("stimulus") if body["command"] == "start"]
    assert start["value"] == "1.0 mA negative"
    assert [body["command"] for body in rig.of("refusal")] == ["configure", "start", "change"]
    assert rig.of("safe_state")[0]["confirmed"]


def test_the_limit_monitor_sees_what_was_started_by_hand(rig):
    rig.station.description = replace(DESCRIPTION, ceiling=Exact.parse("1 mA"))

    def body(run):
        rig.station.stimulator.configure(quantity(2.0, mA), Polarity.NEGATIVE, None)
        rig.station.stimulator.start()
        run.wait(31 * s)

    with pytest.raises(Abort, match="bench ceiling of 1 mA exceeded"):
        inside(rig, body)


OVERSPENT = {  # 4 mA into 2 kohm, after a ramp of 30 s: spent 30 and 35 s after the start
    "charge": ("60 mC", 30, r"charge of at least 6\d\.\d+ mC was measured; .* ends at 60 mC"),
    "energy": ("480 mJ", 35, r"energy of at least (4[89]|5\d)\d.* mJ was measured; .* at 480 mJ"),
}


@pytest.mark.parametrize("what", OVERSPENT)
def test_what_flows_beyond_the_envelope_ends_the_run_in_the_midst_of_a_wait(what):
    """A dose that the device does not keep: its counter wraps before."""
    (bound, due, told), lasted = OVERSPENT[what], []
    rig = Rig("F49:severity=20mC")

    def body(run):
        begin = run.start(4 * mA, dose=50 * mC).time
        try:
            run.wait(120 * s)
        finally:
            lasted.append(run.now - begin)

    try:
        with pytest.raises(Abort, match=f"mine:test_a: a {told}"):
            inside(rig, body, **{f"max_{what}": Exact.parse(bound)})
    finally:
        rig.station.close()
    assert due - 1 < lasted[0] < due + 1.5
    assert rig.of("safe_state")[0]["confirmed"]


def test_what_nobody_commanded_is_on_the_account():
    rig, spent = Rig("F69"), []

    def body(run):
        for _ in range(2):
            run.wait(40 * s)
            spent.append(rig.station.door.account)

    try:
        with pytest.raises(Abort, match=r"charge of at least 5\d\.\d+ mC was measured"):
            inside(rig, body, max_charge=50 * mC)
    finally:
        rig.station.close()
    (account,) = spent
    assert 20e-3 < account.charge < 50e-3
    assert account.energy > 20e-3
    assert account.energisations == 0


def test_an_interruption_ends_what_is_commanded_by_hand_too(rig):
    def body(run):
        rig.station.stimulator.configure(MA, Polarity.POSITIVE, None)
        rig.interruption.set("signal SIGINT")
        rig.station.stimulator.start()

    with pytest.raises(Abort, match="SIGINT"):
        inside(rig, body)
    assert PROFILE.wire.commands["start"] not in rig.sent


WAITS = {
    "charge": ({"max_charge": "50 mC"}, "charge to 51.0 mC; the envelope ends at 50 mC"),
    "energy": ({"max_energy": "100 mJ"}, "energy to 102 mJ; the envelope ends at 100 mJ"),  # 2 mW
    "time": ({"max_time": "50 s"}, "time energised to 51.0 s; the envelope ends at 50 s"),
}


@pytest.mark.parametrize("what", WAITS)
@pytest.mark.parametrize("way", ["wait", "until"])
def test_a_wait_that_would_overspend_is_refused_before_it_begins(rig, what, way):
    (bounds, told), began = WAITS[what], []
    exact = {name: Exact.parse(bound) for name, bound in bounds.items()}

    def body(run):
        run.start(1 * mA)
        run.wait(40 * s)
        began.extend([run, run.now])
        if way == "wait":
            run.wait(11 * s)
        else:
            run.until(lambda state: False, 11 * s)

    with pytest.raises(LimitExceeded) as caught:
        inside(rig, body, **exact)
    assert told in str(caught.value)
    assert rig.of("safe_state")[0]["confirmed"]
    assert PROFILE.wire.commands["abort"] in rig.sent
    (refusal,) = rig.of("refusal")
    assert refusal["command"] == "wait"
    assert "in 1 energisations" in refusal["spent"]
    run, begin = began
    assert run.findings.states[-1][0] <= begin  # not a turn of it was waited


BEYOND = {
    "charge": (Scenario.treatment(4 * mA, hold=1 * s), {"max_charge": "100 mC"}),
    "later change": (
        Scenario.treatment(1 * mA, disturb=[Change(at(Phase.HOLD), 3 * mA)]),
        {"max_current": "2 mA"},
    ),
    "pauses": (
        Scenario.treatment(1 * mA, disturb=[Pause(at(Phase.HOLD), 10 * s)]),
        {"max_energisations": 1},
    ),
    "voltage at a later load": (
        Scenario.treatment(1 * mA, disturb=[LoadStep(at(Phase.HOLD), 10 * kohm)]),
        {"max_voltage": "5 V"},
    ),
    "voltage into nothing": (
        Scenario.treatment(1 * mA, disturb=[Open(at(Phase.HOLD))]),
        {"max_voltage": "5 V"},
    ),
    "slope": (Scenario.treatment(4 * mA), {"max_slope": "0.1 mA/s"}),
    "time": (Scenario.treatment(1 * mA, hold=60 * s), {"max_time": "1 min"}),
}


@pytest.mark.parametrize("what", BEYOND)
def test_a_scenario_that_leaves_the_envelope_anywhere_is_refused_whole(rig, monkeypatch, what):
    scenario, bounds = BEYOND[what]
    exact = {k: v if isinstance(v, int) else Exact.parse(v) for k, v in bounds.items()}
    narrow = rig.bench.envelope.narrowed(**exact)
    monkeypatch.setattr(Bench, "envelope", property(lambda bench: narrow))
    with pytest.raises(LimitExceeded, match="record was refused, nothing was sent"):
        rig.bench.record(scenario)
    assert rig.sent == []
    assert not rig.of("armed")
    assert len(rig.of("refusal")) == 1


def test_a_dose_may_be_waited_for_longer_than_the_charge_would_allow(rig):
    with rig.bench.armed(max_charge=Exact.parse("3 mA*min")) as run:
        run.start(2 * mA, dose=1 * mA * minute)
        assert run.until(lambda state: state.value == "done", 200 * s)
    assert rig.of("safe_state")[0]["confirmed"]


def test_each_bound_may_be_given_and_none_widened(rig):
    for name, bound in {"max_voltage": "81 V", "max_charge": "13 C", "max_time": "5 h"}.items():
        with (
            pytest.raises(LimitExceeded, match=name),
            rig.bench.armed(**{name: Exact.parse(bound)}),
        ):
            pytest.fail("the door opened")
    with pytest.raises(DimensionError), rig.bench.armed(max_charge=1 * mA):
        pytest.fail("the door opened")
    with pytest.raises(UsageError, match="no max_power"), rig.bench.armed(max_power=1 * mA):
        pytest.fail("the door opened")
    assert not rig.of("armed")
    with rig.bench.armed(max_charge=50 * mC, max_energisations=2):
        pass
    (body,) = rig.of("armed")
    assert body["envelope"]["max_charge"] == "50.0 mC"
    assert body["envelope"]["max_energisations"] == "2"


def test_a_second_start_waits_for_the_cool_down(rig):
    def body(run):
        run.start(1 * mA)
        run.wait(2 * s)
        run.stop()
        run.wait(10 * s)  # of which 8 s ramp down
        run.start(1 * mA)

    with pytest.raises(LimitExceeded, match=r"less than 20.* s ago; allowed: again in 1[78]"):
        inside(rig, body, cool_down=20 * s)


def test_on_metal_the_device_cools_down_between_two_armings(rig, monkeypatch):
    monkeypatch.setattr(Station, "restart", lambda station, seed: station.supply.off())
    begun = []
    for _ in range(2):
        with rig.bench.armed(cool_down=300 * s) as run:
            begun.append(rig.station.clock.now())
            run.start(1 * mA)
            run.wait(2 * s)
            begun.append(rig.station.clock.now())
    assert 300 < begun[2] - begun[1] < 330
    assert begun[1] - begun[0] < 10


def test_what_is_provoked_is_bounded_by_the_ceiling_and_counted(rig):
    def body(run):
        run.provoke("NON:SENSE 1")
        run.wait(11 * s)  # at 6 mA

    with pytest.raises(LimitExceeded, match=r"charge to 66\.0 mC"):
        inside(rig, body, max_charge=60 * mC)


@pytest.mark.parametrize("way", ["start", "resume"])
def test_after_a_provoked_text_the_setting_is_not_known(rig, way):
    """It may have raised what the device is set to beyond the envelope."""
    hand = rig.station.stimulator
    with rig.bench.armed(max_current=1 * mA) as run:
        run.start(1 * mA)
        run.wait(31 * s)
        run.provoke("SOUR:CURR 3 MA")
        (run.stop if way == "start" else run.pause)()
        run.wait(9 * s)
        rig.sent.clear()
        with pytest.raises(LimitExceeded, match="a text was provoked since the last setting"):
            getattr(hand, way)()
        assert rig.sent == []
        if way == "start":
            hand.configure(MA, Polarity.POSITIVE, None)
            hand.start()
            assert rig.sent[-1] == PROFILE.wire.commands["start"]


def test_a_property_of_ones_own_inside_of_a_test_sends_nothing(rig):
    from hypothesis import given, settings, strategies

    @settings(max_examples=3, database=None, deadline=None)
    @given(strategies.integers(1, 3))
    def example(drawn):
        with rig.bench.armed() as run:
            run.start(drawn * mA)

    with pytest.raises(UsageError, match=r"@given inside of a test .* use for_all"):
        example()
    assert rig.sent == []
    assert rig.of("armed") == []


def test_a_load_that_needs_more_voltage_is_not_connected(rig):
    def body(run):
        run.start(1 * mA)
        run.wait(5 * s)
        run.select(10 * kohm)

    with pytest.raises(LimitExceeded, match=r"may need 10\.0 V"):
        inside(rig, body, max_voltage=Exact.parse("5 V"))
    assert not any(body["value"].startswith("10 kohm") for body in rig.of("stimulus"))
