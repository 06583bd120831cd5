"""The one door to an energised output: what it refuses, and how it is left."""

from dataclasses import replace
from datetime import date
from types import FunctionType, SimpleNamespace

import numpy as np
import pytest

from hil.device import State
from hil.errors import (
    Abort,
    BenchError,
    DimensionError,
    LimitExceeded,
    ReplyTimeout,
    SafeStateUnconfirmed,
    Unavailable,
    UsageError,
)
from hil.exact import Exact
from hil.scenario import Change, LoadStep, Open, Phase, Scenario, at
from hil.units import V, kohm, mA, ms, s
from hil_fixtures.arming import TURN, Run
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.interruption import Interruption
from hil_fixtures.stand import Bench
from hil_fixtures.station import POWER_UP, open_station
from hil_instruments.simulated.faults.link import LinkFault

PROFILE, DESCRIPTION = read_device(None), read_bench(None)


class Rig:
    """A bench on the in-process twin, with all that was sent and journaled."""

    def __init__(self, *faults, description=DESCRIPTION):
        RIGS.append(self)
        self.sent, self.journal, self.trips, self.records = [], [], [], []
        station = open_station(
            PROFILE,
            description,
            faults=faults,
            seed=1,
            today=date(2026, 1, 1),
            transcript=self._hear,
        )
        self.interruption = Interruption()
        self.bench = Bench(
            station,
            PROFILE,
            self.interruption,
            lambda kind, body: self.journal.append((kind, body)),
            self.records.append,
            1,
            test="mine:test_a",
            tripped=lambda reason, record: self.trips.append((reason, record)),
            cleared=lambda: None,
        )
        self.sent.clear()

    def _hear(self, role, direction, text, now):
        if direction in {"write", "stop"}:
            self.sent.append((role, text))

    def of(self, kind):
        return [body for name, body in self.journal if name == kind]

    def told(self, command):
        """How often the device was sent a command of its profile."""
        return [text for role, text in self.sent if role == "stimulator"].count(
            PROFILE.wire.commands[command]
        )


RIGS = []


@pytest.fixture
def rig():
    return Rig()


def test_a_silent_host_sends_commands_and_asks_nothing(rig):
    with rig.bench.armed() as run:
        run.watch_host(30 * s)
        run.start(2 * mA)
        run.wait(2 * s)
        silent = run.fall_silent()
        rig.sent.clear()
        run.wait(3 * s)
        run.pause()
        with pytest.raises(UsageError, match="speak"):
            run.until(lambda state: True, 1 * s)
        assert [text for role, text in rig.sent if role == "stimulator"] == ["TREAT:PAUS"]
        run.speak()
        run.wait(9 * s)
    polled = [time for time, _ in run.record.states]
    assert not [time for time in polled if silent.time < time < silent.time + 3]
    assert run.record.states[-1][1] is State.PAUSED
    assert rig.of("stimulus")[-1]["command"] != "host silent"
    assert {"host silent", "host back", "watch host"} <= {b["command"] for b in rig.of("stimulus")}


def test_a_claim_is_a_reading_of_its_moment(rig):
    with rig.bench.armed() as run:
        run.start(2 * mA)
        run.wait(32 * s)
        current, load = run.claimed_current(), run.impedance()
        assert abs(current.moment.time - run.now) < 0.1
    assert abs(float(current.value.base) - 2e-3) < 2e-5
    assert abs(float(load.value.base) - 2.1e3) < 50
    told = [body["quantity"] for body in rig.of("reading")]
    assert "current that the device reports" in told
    assert "impedance that the device reports" in told


@pytest.fixture(autouse=True)
def _closed():
    yield
    while RIGS:
        RIGS.pop().bench.station.close()


def inside(rig, body, **door):
    with rig.bench.armed(**door) as run:
        body(run)
    return run


def short(setpoint=1 * mA, **more):
    return Scenario.treatment(setpoint, hold=1 * s, **more)


BEYOND = 4.1 * mA


@pytest.mark.parametrize(
    "scenario",
    [
        short(BEYOND),
        short(2 * mA, disturb=[Change(at(Phase.HOLD), BEYOND)]),
    ],
    ids=["setting", "change"],
)
def test_a_scenario_beyond_the_envelope_sends_nothing(rig, scenario):
    with pytest.raises(LimitExceeded, match=r"4\.1 mA.*4\.0 mA"):
        rig.bench.record(scenario)
    assert rig.sent == []
    assert rig.of("armed") == []


@pytest.mark.parametrize("step", [False, True])
def test_a_load_that_the_bench_lacks_sends_nothing(rig, step):
    scenario = short(disturb=[LoadStep(at(Phase.HOLD), 3 * kohm)]) if step else short(load=3 * kohm)
    with pytest.raises(Unavailable, match=r"no load of 3\.?0? kohm"):
        rig.bench.record(scenario)
    assert rig.sent == []


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"max_current": 2.2}, DimensionError),
        ({"max_current": 2.2 * s}, DimensionError),
        ({"max_current": 4.5 * mA}, LimitExceeded),
        ({"max_current": float("nan") * mA}, LimitExceeded),
        ({"load": 2000}, DimensionError),
        ({"load": "sofa"}, Unavailable),
    ],
)
def test_a_door_that_is_wrongly_asked_for_sends_nothing(rig, arguments, error):
    with pytest.raises(error), rig.bench.armed(**arguments):
        pytest.fail("the door opened")
    assert rig.sent == []
    assert rig.of("armed") == []


def test_a_start_beyond_the_envelope_of_the_test_is_not_sent(rig):
    with pytest.raises(LimitExceeded), rig.bench.armed(max_current=2.2 * mA) as run:
        run.start(2.3 * mA)
    assert rig.told("start") == 0
    assert not any("2.3" in text for _, text in rig.sent)
    assert rig.of("safe_state")[0]["confirmed"]


@pytest.mark.parametrize("call", ["start", "wait", "change"])
def test_a_bare_number_inside_is_refused_and_nothing_starts(rig, call):
    with pytest.raises(DimensionError), rig.bench.armed() as run:
        getattr(run, call)(2)
    assert rig.told("start") == 0
    assert rig.of("safe_state")[0]["confirmed"]


@pytest.mark.parametrize("time", [float("inf"), float("nan"), -1.0])
def test_a_wait_that_never_ends_is_refused(rig, time):
    with pytest.raises(UsageError, match="a wait of"), rig.bench.armed() as run:
        run.wait(time * s)
    with pytest.raises(UsageError, match="a wait of"), rig.bench.armed() as run:
        run.until(lambda state: False, time * s)


@pytest.mark.parametrize("error", [ValueError("mine"), AssertionError("mine"), SystemExit(3)])
def test_leaving_by_an_exception_aborts_and_proves_off(rig, error):
    def body(run):
        run.start(2 * mA)
        run.wait(5 * s)
        raise error

    with pytest.raises(type(error)):
        inside(rig, body)
    assert rig.told("abort") == 1
    assert rig.told("stop") == 0
    (state,) = rig.of("safe_state")
    assert state["confirmed"], state
    assert state["reason"] == ""
    assert "read a live current" in state["path_open"]
    (kept,) = rig.records  # as evidence: no test is handed it
    assert "start" in kept.events
    assert rig.bench.record(short()).id  # and the bench goes on


def test_leaving_normally_stops_by_the_ramp_and_proves_off(rig):
    with rig.bench.armed() as run:
        run.start(2 * mA)
        run.wait(31 * s)
    assert (rig.told("stop"), rig.told("abort")) == (1, 0)
    (state,) = rig.of("safe_state")
    assert state["confirmed"], state
    assert run.record is rig.records[0]


def test_off_is_switched_off_on_every_side(rig):
    rig.bench.record(short())
    assert not rig.bench.station.cutoff.is_closed()
    assert not rig.bench.station.supply.is_on()


def test_the_journal_knows_of_an_arming_before_the_cutoff_closes(rig):
    def journal(kind, body):
        if kind == "armed":
            assert not any(text.startswith("REL:CLOS") for _, text in rig.sent)
        rig.journal.append((kind, body))

    rig.bench.journal = journal
    rig.bench.record(short())
    assert any(text.startswith("REL:CLOS") for _, text in rig.sent)
    assert [rig.journal[0][0], rig.journal[-1][0]] == ["armed", "safe_state"]
    assert {kind for kind, _ in rig.journal[1:-1]} == {"stimulus", "reading"}


def test_a_lapsed_lease_is_an_error_of_the_bench(rig):
    def body(run):
        run.start(1 * mA)
        rig.bench.station.clock.sleep(2.5)  # the process was stopped, say
        run.wait(1 * s)

    with pytest.raises(BenchError, match="opened by itself"):
        inside(rig, body)
    assert rig.of("safe_state")[0]["confirmed"]
    assert len(rig.records) == 1


def test_a_lease_that_lapsed_before_the_end_hands_no_record_to_the_test(rig):
    def body(run):
        run.wait(1 * s)
        rig.bench.station.clock.sleep(2.5)

    with pytest.raises(BenchError, match="opened by itself"):
        inside(rig, body)
    (kept,) = rig.records  # as evidence: no test is handed it
    assert set(kept.waveforms) == {"current", "voltage"}


def test_an_arming_that_breaks_off_leaves_what_was_recorded():
    rig = Rig()

    def body(run):
        run.start(1 * mA)
        run.wait(2 * s)
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        inside(rig, body)
    (kept,) = rig.records
    assert "start" in kept.events
    assert kept.current.capture.end > 2


def test_what_cannot_be_kept_of_it_hides_neither_the_cause_nor_the_proof_of_off():
    rig = Rig()

    def refuse(record):
        raise BenchError("the disk refused it")

    rig.bench.keep = refuse
    with pytest.raises(RuntimeError, match="mine") as caught:
        inside(rig, _broken)
    assert "the disk refused it" in caught.value.__notes__[0]
    assert rig.of("safe_state")[0]["confirmed"]


def _broken(run):
    run.wait(1 * s)
    raise RuntimeError("mine")


def test_the_monitor_trips_above_the_bench_ceiling():
    rig = Rig(description=replace(DESCRIPTION, ceiling=Exact.parse("1 mA")))
    with pytest.raises(Abort, match="bench ceiling of 1 mA exceeded"):
        rig.bench.record(short(2 * mA))
    assert rig.told("abort") == 1
    assert rig.of("safe_state")[0]["confirmed"]
    (kept,) = rig.records
    assert rig.trips == [("bench ceiling of 1 mA exceeded: the monitor tripped", kept.id)]
    seen = kept.waveforms["monitor"]
    error = seen.capture.source.accuracy.offset
    assert np.abs(seen.samples).max() > 1e-3 * float(DESCRIPTION.shunt.base) - error
    assert 0 < seen.capture.start < kept.current.capture.end
    sent = len(rig.sent)
    with pytest.raises(Abort, match="bench ceiling"):
        rig.bench.record(short(0.5 * mA))  # it latches
    assert len(rig.sent) == sent


@pytest.mark.parametrize("faults", [("F69", "F15"), ("F69", "F24")], ids=["as set", "other sign"])
def test_the_monitor_sees_what_nobody_commanded(faults):
    """The start key is wet: the device begins by itself, and no command has told a sign."""
    rig = Rig(*faults, description=replace(DESCRIPTION, ceiling=Exact.parse("1 mA")))
    with pytest.raises(Abort, match="bench ceiling of 1 mA exceeded"):
        inside(rig, lambda run: run.wait(60 * s))
    assert rig.told("start") == 0
    assert rig.of("safe_state")[0]["confirmed"]
    assert len(rig.trips) == 1


def test_the_monitor_sees_what_flows_the_other_way_after_a_reversal():
    rig = Rig("F26", description=replace(DESCRIPTION, ceiling=Exact.parse("1.5 mA")))

    def body(run):
        run.start(1 * mA)
        run.wait(31 * s)
        run.reverse()  # which faulty firmware obeys
        run.wait(62 * s)
        run.change(2 * mA)
        run.wait(31 * s)

    with pytest.raises(Abort, match="bench ceiling"):
        inside(rig, body)


def test_the_discharge_of_a_cable_is_no_over_current():
    rig = Rig()
    lift = short(disturb=[Open(at(Phase.HOLD), 20 * ms)])
    record = rig.bench.record(lift)  # 80 V on 120 pF into 2 kohm: 38 mA for 0.25 us
    assert record.id
    assert rig.trips == []


@pytest.mark.parametrize("delay", [0.05, 0.11, 0.2, 0.3])
def test_no_spike_hides_the_over_current_that_follows_it(delay):
    rig = Rig(description=replace(DESCRIPTION, ceiling=Exact.parse("3 mA")))
    twin = rig.bench.station.twin
    twice = replace(twin.circuit.stage, gain=2.0, sense=0.5)  # the device does not see it

    def body(run):
        run.start(2 * mA)
        run.wait(33 * s)
        twin.circuit.set_contact(False)
        twin.clock.advance(twin.clock.time + 0.02)
        twin.circuit.set_contact(True)
        twin.clock.at(twin.clock.time + delay, lambda: twin.circuit.set_stage(twice))
        run.wait(1.5 * s)

    with pytest.raises(Abort, match="bench ceiling of 3 mA exceeded"):
        inside(rig, body)


def test_the_monitor_sees_negative_current_as_it_rises():
    rig = Rig(description=replace(DESCRIPTION, ceiling=Exact.parse("1 mA")))

    def body(run):
        run.start(2 * mA, polarity=PROFILE.polarity.opposite)
        run.wait(20 * s)  # two thirds of the ramp

    with pytest.raises(Abort, match="bench ceiling"):
        inside(rig, body)


def test_a_session_that_a_timeout_poisoned_is_recovered_at_the_next_arming(rig):
    rig.bench.station.clock.sleep(1.0)
    with pytest.raises(ReplyTimeout):
        rig.bench.station.stimulator.state()  # the device has no power between two armings
    assert rig.bench.station.sessions["stimulator"].poisoned
    assert rig.bench.record(short()).id
    assert rig.of("safe_state")[0]["confirmed"]


def test_an_interruption_aborts_once_and_latches(rig):
    def body(run):
        run.start(2 * mA)
        run.wait(1 * s)
        rig.interruption.set("signal SIGINT")
        run.wait(1 * s)

    with pytest.raises(Abort, match="signal"):
        inside(rig, body)
    assert rig.told("abort") == 1
    assert rig.of("safe_state")[0]["confirmed"]
    with pytest.raises(Abort, match="signal SIGINT"):
        rig.bench.record(short())


def interrupting(rig, monkeypatch, sleep):
    """Interrupt at the end of this sleep of the bench; what was journaled until then."""
    clock, slept, before = rig.bench.station.clock, [], []
    rest = type(clock).sleep

    def sleep_on(self, seconds):
        rest(self, seconds)
        slept.append(seconds)
        if len(slept) == sleep:
            rig.interruption.set("signal SIGINT")
            before.append(len(rig.journal))

    monkeypatch.setattr(type(clock), "sleep", sleep_on)
    return before


def closed_after(rig, begin):
    return [body for _, body in rig.journal[begin:] if body.get("command") == "cut-off close"]


@pytest.mark.parametrize("sleep", [1, 2, 4, 6])
def test_after_an_interruption_on_the_way_in_the_cut_off_stays_open(rig, monkeypatch, sleep):
    before = interrupting(rig, monkeypatch, sleep)
    with pytest.raises(Abort, match="SIGINT"):
        inside(rig, lambda run: None)
    assert not closed_after(rig, 0), "the interruption came before the first close"
    told = "terminal voltage before anything was commanded"
    looks = [body for _, body in rig.journal[before[0] :] if body.get("quantity") == told]
    assert not looks, "it looked on where the run was to end"
    assert rig.of("safe_state")[0]["confirmed"]


def test_an_interruption_before_the_device_has_power_ends_in_a_proven_off(rig, monkeypatch):
    """As while it rests between two examples: nothing was switched on, nothing can answer."""
    kind = type(rig.bench.station.load)
    select = kind.select

    def interrupted(load, channel):
        rig.interruption.set("signal SIGINT")
        select(load, channel)

    monkeypatch.setattr(kind, "select", interrupted)
    with pytest.raises(Abort, match="SIGINT"):
        inside(rig, lambda run: None)
    (found,) = rig.of("safe_state")
    assert (found["confirmed"], found["reason"]) == (True, "")
    assert "supply on" not in [body["command"] for body in rig.of("stimulus")]


def test_after_an_interruption_no_leak_is_looked_for(rig, monkeypatch):
    terminal = Run._terminal  # noqa: SLF001  # the look that the leak is seen by

    def leaking(run):
        if rig.interruption.cause:
            return terminal(run)
        if len(rig.of("reading")) > 4:
            rig.interruption.set("signal SIGINT")
        terminal(run)
        return 1.0

    monkeypatch.setattr(Run, "_terminal", leaking)
    with pytest.raises(Abort, match="SIGINT"):
        inside(rig, lambda run: None)
    assert not closed_after(rig, 0)


def test_an_interruption_while_the_close_is_journaled_comes_before_the_close(rig, monkeypatch):
    journal = rig.bench.journal

    def interrupted(kind, body):
        journal(kind, body)
        if body.get("command") == "cut-off close":
            rig.interruption.set("signal SIGINT")

    monkeypatch.setattr(rig.bench, "journal", interrupted)
    epoch = rig.bench.station.cutoff.epoch()
    with pytest.raises(Abort, match="SIGINT"):
        inside(rig, lambda run: None)
    assert rig.bench.station.cutoff.epoch() == epoch, "each close has an epoch of its own"


def test_no_recorder_is_started_after_an_interruption(rig, monkeypatch):
    started = []
    kind = type(rig.bench.station.ammeter)
    start = kind.start_recording

    def starting(meter, *limits):
        started.append(meter)
        rig.interruption.set("signal SIGINT")
        return start(meter, *limits)

    monkeypatch.setattr(kind, "start_recording", starting)
    with pytest.raises(Abort, match="SIGINT"):
        inside(rig, lambda run: None)
    assert len(started) == 1


def test_after_an_interruption_of_the_pre_flight_nothing_is_armed(rig):
    rig.bench.cleared = lambda: rig.interruption.set("signal SIGINT")
    with pytest.raises(Abort, match="SIGINT"):
        inside(rig, lambda run: None)
    assert not rig.of("armed")


def test_a_scenario_is_recorded_once(rig):
    first = rig.bench.record(short())
    assert rig.bench.record(short()) is first
    assert len(rig.of("armed")) == len(rig.records) == 1


def course(bench, setting):
    """A short treatment that several tests judge."""
    COURSES.append(setting)
    with bench.armed() as run:
        run.start(setting)
        run.wait(2 * s)
    return run


COURSES = []


def test_a_course_is_driven_once_and_recalled_by_each_test(rig):
    COURSES.clear()
    first = rig.bench.once(course, 1 * mA)
    rig.bench.test = "mine:test_b"
    again = rig.bench.once(course, 1 * mA)
    rig.bench.once(course, 2 * mA)
    assert again is first
    assert [1 * mA, 2 * mA] == COURSES
    recalled = [body for kind, body in rig.journal if kind == "recalled"]
    assert recalled == [{"record": first.record.id, "test": "mine:test_b"}]


def test_a_course_of_the_same_name_is_another_course(rig):
    """As where a user's own courses.py has a function that ours has too."""
    other = FunctionType(course.__code__, {**globals(), "COURSES": []}, course.__name__)
    first = rig.bench.once(course, 1 * mA)
    again = rig.bench.once(other, 1 * mA)
    assert again is not first
    assert again.record.id != first.record.id


def test_a_course_is_the_same_whichever_test_drives_it_first():
    records = []
    for test in ("mine:test_a", "mine:test_b"):
        rig = Rig()
        rig.bench.test = test
        records.append(rig.bench.once(course, 1 * mA).record)
    assert records[0].id == records[1].id
    assert np.array_equal(records[0].current.samples, records[1].current.samples)


def test_a_course_that_fails_is_not_tried_again(rig):
    tried = []

    def broken(bench):
        tried.append(bench)
        raise Unavailable("no such thing")

    for _ in range(2):
        with pytest.raises(Unavailable, match="no such thing"):
            rig.bench.once(broken)
    assert len(tried) == 1


def test_a_course_within_a_course_is_refused(rig):
    with pytest.raises(UsageError, match=r"within .*: a course is driven by a test alone"):
        rig.bench.once(lambda bench: bench.once(course, 1 * mA))
    assert not rig.sent


def test_nothing_is_served_from_memory_once_the_bench_is_unsafe(rig):
    rig.bench.record(short())
    rig.bench.unsafe = "SAFE STATE UNCONFIRMED: for a test"
    with pytest.raises(SafeStateUnconfirmed):
        rig.bench.record(short())


def hashes(record):
    return [wave.capture.sha256 for wave in record.waveforms.values()]


def test_records_depend_on_neither_order_nor_neighbours():
    def arm(rig, test):
        rig.bench.test = test
        with rig.bench.armed() as run:
            run.wait(1 * s)
        return hashes(run.record), run.record.id

    one, other = Rig(), Rig()
    lift = short(disturb=[Open(at(Phase.HOLD), 20 * ms)])
    forward = [
        hashes(one.bench.record(short())),
        hashes(one.bench.record(lift)),
        arm(one, "mine:test_a"),
        arm(one, "mine:test_b"),
    ]
    backward = [
        arm(other, "mine:test_b"),
        arm(other, "mine:test_a"),
        hashes(other.bench.record(lift)),
        hashes(other.bench.record(short())),
    ]
    assert forward == backward[::-1]
    assert forward[2][1] != forward[3][1]  # two armings are two records


def test_two_armings_of_a_test_are_two_records(rig):
    for _ in range(2):
        with rig.bench.armed() as run:
            run.wait(1 * s)
    first, second = rig.records
    assert first.id != second.id
    assert hashes(first) != hashes(second)


def test_another_seed_is_another_noise(rig):
    first = rig.bench.record(short())
    other = Rig()
    other.bench.seed = 2
    again = other.bench.record(short())
    assert hashes(first) != hashes(again)
    assert first.id != again.id


def test_an_unknown_injection_names_the_known_ones(rig):
    with pytest.raises(UsageError, match=r"'lid-open' is unknown.*open, reconnect"):
        inside(rig, lambda run: run.inject("lid-open"))


def test_provoking_sends_the_text_with_the_output_cut_off(rig):
    rig.bench.record(short())
    with pytest.raises(UsageError, match="takes text"):
        rig.bench.provoke(b"CURR 9")
    assert not rig.bench.station.cutoff.is_closed()


def test_there_is_one_arming_at_a_time(rig):
    with rig.bench.armed(), pytest.raises(UsageError, match="one arming, or one record"):
        rig.bench.record(Scenario.treatment(1 * mA))
    with rig.bench.armed() as run:
        run.wait(1 * s)  # the bench is usable again


@pytest.mark.parametrize("use", ["start", "wait", "abort"])
def test_a_run_is_of_no_use_once_its_door_is_closed(rig, use):
    with rig.bench.armed() as run:
        run.wait(1 * s)
    given = {"start": [1 * mA], "wait": [1 * s], "abort": []}[use]
    with pytest.raises(UsageError, match="the arming has ended"):
        getattr(run, use)(*given)


def test_what_is_provoked_reaches_a_device_with_power_and_a_watched_resistor(rig):
    with pytest.raises(UsageError, match="inside"):
        rig.bench.provoke("NON:SENSE 1")
    with rig.bench.armed() as run:
        (said,) = rig.bench.provoke("NON:SENSE 1")
        run.wait(1 * s)
    assert said.startswith("-113")
    assert "provoke" in run.record.events
    with rig.bench.armed(load="skin"), pytest.raises(UsageError, match="resistor"):
        rig.bench.provoke("NON:SENSE 1")


def test_a_claim_that_was_not_read_is_no_claim_of_zero(rig, monkeypatch):
    def lost():
        raise ReplyTimeout("no reply")

    monkeypatch.setattr(rig.bench.station.stimulator, "claimed_charge", lost)
    with rig.bench.armed() as run:
        run.wait(1 * s)
    assert run.record.claimed_charge.base.is_nan()


class SlowClock:
    """Follows the wall, as a served bench does; here it follows whoever sleeps on it."""

    def __init__(self, scale, after, act):
        self.time, self.scale, self.after, self.act = 0.0, scale, after, act
        self.slept = []

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds
        self.slept.append(seconds / self.scale)
        if len(self.slept) == self.after:
            self.act()


@pytest.mark.parametrize("scale", [0.5, 1, 8])
def test_a_wait_on_a_bench_of_the_wall_heeds_a_signal_within_10_ms_of_the_wall(scale):
    """At the pace of the wall a turn of 250 ms is longer than an abort may take."""
    interruption = Interruption()
    clock = SlowClock(scale, 3, lambda: interruption.set("signal SIGTERM"))
    station = SimpleNamespace(
        in_process=False,
        clock=clock,
        description=SimpleNamespace(clock_scale=scale, ceiling=DESCRIPTION.ceiling),
        door=SimpleNamespace(wait=lambda seconds: None),
        lease=2.0,
        patience=0.0,
        progress=lambda: None,
    )
    run = Run(station, PROFILE, None, interruption, None, None)
    with pytest.raises(Abort, match="SIGTERM"):
        run.wait(TURN * s)
    assert len(clock.slept) == 3
    assert max(clock.slept) <= 0.0101


def test_every_session_is_watched_while_the_cut_off_is_closed_and_not_longer(rig):
    sessions = rig.bench.station.sessions

    def watched():
        return {role for role, session in sessions.items() if session.watched}

    with rig.bench.armed() as run:
        assert watched() == {*sessions}
        run.start(2 * mA)
        run.wait(1 * s)
    assert watched() == set()


@pytest.mark.parametrize(("scale", "most"), [(1.0, 1.0), (5.0, 1.0), (8.0, 0.625), (20.0, 0.25)])
def test_what_keeps_its_answer_back_is_found_before_the_lease_lapses(rig, scale, most):
    station = replace(rig.bench.station, description=replace(DESCRIPTION, clock_scale=scale))
    given = []
    station.sessions = {"ammeter": SimpleNamespace(watch=lambda heed, most: given.append(most))}
    station.watch(None)
    assert given == [most]


def test_the_device_is_stopped_while_an_instrument_keeps_its_answer_back(rig):
    """The in-process bench keeps nothing back, so its part is played here."""
    seen = []

    def body(run):
        run.start(2 * mA)
        run.wait(1 * s)
        ammeter = rig.bench.station.sessions["ammeter"]
        ammeter.heed()
        seen.append(rig.told("abort"))
        rig.interruption.set("signal SIGINT")
        ammeter.heed()
        ammeter.heed()
        seen.append(rig.told("abort"))
        run.wait(1 * s)

    with pytest.raises(Abort, match="signal"):
        inside(rig, body)
    assert seen == [0, 1]
    assert rig.of("safe_state")[0]["confirmed"]


def late_once(rig, role, delay):
    """Treat while one reply of a role comes late, by so many seconds."""
    fault = LinkFault(kind="late", extent=delay, every=0)

    def body(run):
        run.start(2 * mA)
        run.wait(1 * s)
        rig.bench.station.twin.link(role).set([fault])
        run.wait(6 * s)
        assert rig.bench.station.twin.link(role).replies

    return inside(rig, body)


def test_a_device_that_answers_too_late_while_energised_ends_in_a_proven_off(rig):
    with pytest.raises(ReplyTimeout, match=r"stimulator.*0\.5 s, which is all"):
        late_once(rig, "stimulator", 0.7)
    assert rig.told("abort") == 1
    assert rig.of("safe_state")[0]["confirmed"]


@pytest.mark.parametrize(
    ("role", "delay"),
    [("stimulator", 0.3), ("ammeter", 0.7), ("voltmeter", 0.7), ("oscilloscope", 0.7)],
)
def test_an_instrument_that_takes_the_time_it_is_known_to_need_is_not_accused(rig, role, delay):
    late_once(rig, role, delay)
    assert rig.of("safe_state")[0]["confirmed"]


def test_the_supply_is_brought_to_a_voltage_and_too_low_the_device_is_asked_nothing(rig):
    with rig.bench.armed() as run:
        with pytest.raises(LimitExceeded, match=r"up to power\.maximum = 9\.6 V"):
            run.supply(9.7 * V)
        run.supply(6.5 * V)
        run.wait(1 * s)
        low = run.supply(6 * V)
        rig.sent.clear()
        run.wait(2 * s)
        assert not [text for role, text in rig.sent if role == "stimulator"]
        back = run.supply(9 * V)
        run.wait(2 * s)
    steps = [body for body in rig.of("stimulus") if body["command"] == "supply step"]
    assert [body["value"] for body in steps] == [
        *("6.5 V, at most 1 A", "6.0 V, at most 1 A", "9.0 V, at most 1 A")
    ]
    polled = [time for time, _ in run.record.states]
    assert not [time for time in polled if low.time < time < back.time + POWER_UP]
    assert [time for time in polled if time > back.time + POWER_UP]


def test_a_start_alone_takes_the_setting_from_before(rig):
    with rig.bench.armed() as run:
        with pytest.raises(LimitExceeded):
            run.start_again()
        run.start(2 * mA)
        run.wait(2 * s)
        run.abort()
        again = run.start_again()
        run.wait(2 * s)
    assert again.name == "start #2"
    assert float(abs(run.record.current.window(again, None)).max()) > 5e-5


def test_what_the_device_says_of_its_load_is_a_reading(rig):
    with rig.bench.armed() as run:
        run.start(2 * mA)
        run.wait(10 * s)
        assert (run.limited(), run.shorted()) == (False, False)
        run.select("short")
        run.wait(1 * s)
        assert (run.limited(), run.shorted()) == (False, True)
        run.stop()
        run.wait(4 * s)
        assert run.self_test()
    told = {body["quantity"]: body["value"] for body in rig.of("reading")}
    assert told["whether the load is a short"] == "yes"
    assert told["whether the current is limited"] == "no"
    assert told["whether the self-test passes"] == "yes"
