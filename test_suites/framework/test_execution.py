"""Scenarios are done step by step, and records laid out by what was commanded when."""

from datetime import date

import pytest

from hil.device import State
from hil.exact import Exact
from hil.features import charge
from hil.scenario import (
    Change,
    LoadStep,
    Open,
    Pause,
    Phase,
    Reverse,
    Scenario,
    Stop,
    SupplyDip,
    at,
)
from hil.units import kohm, mA, minute, s
from hil.waveform import Instant
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.execution import phases
from hil_fixtures.interruption import Interruption
from hil_fixtures.stand import Bench
from hil_fixtures.station import open_station

PROFILE, DESCRIPTION = read_device(None), read_bench(None)
UP, DOWN = PROFILE.si("ramp.up_time"), PROFILE.si("ramp.down_time")


@pytest.fixture(scope="module")
def bench():
    station = open_station(PROFILE, DESCRIPTION, seed=1, today=date(2026, 1, 1))
    sinks = lambda *_: None, lambda _: None
    yield Bench(station, PROFILE, Interruption(), *sinks, 1, cleared=lambda: None)
    station.close()


def states(record):
    found = []
    for _, state in record.states:
        if not found or found[-1] is not state:
            found.append(state)
    return found


WHOLE = [State.IDLE, State.RAMP_UP, State.HOLD, State.RAMP_DOWN, State.DONE]


def test_a_treatment_runs_through_its_phases(bench):
    record = bench.record(Scenario.treatment(1 * mA, hold=3 * s))
    start, stop = record.event("start").time, record.event("stop").time
    assert states(record)[:4] == WHOLE[:4]
    assert stop - start == pytest.approx(UP + 3, abs=0.1)
    assert record.current.phase("hold") == ((start + UP, stop),)
    assert record.current.phase("ramp up") == ((start, start + UP),)
    assert record.current.phase("ramp down") == ((stop, stop + DOWN),)
    assert record.current.capture.end > stop + DOWN + 1.5


def test_a_dose_ends_the_treatment(bench):
    dose = 1 * mA * minute
    record = bench.record(Scenario.treatment(2 * mA, dose=dose))
    assert "stop" not in record.events
    assert states(record)[: len(WHOLE)] == WHOLE
    assert float(record.claimed_charge.base) == pytest.approx(60e-3, rel=0.01)
    ((begin, end),) = record.current.phase("hold")
    assert 10 < end - begin < 3600
    assert record.current.capture.end > end + DOWN + 1.5


def test_a_pause_is_no_end_of_a_dose(bench):
    pause = Pause(at(Phase.HOLD, 5 * s), Exact.parse("12 s"))
    record = bench.record(Scenario.treatment(2 * mA, dose=2 * mA * minute, disturb=[pause]))
    assert list(record.events) == ["start", "pause", "resume"]
    assert states(record) == [
        State.IDLE,
        State.RAMP_UP,
        State.HOLD,
        State.RAMP_DOWN,
        State.PAUSED,
        State.RAMP_UP,
        State.HOLD,
        State.RAMP_DOWN,
        State.DONE,
    ]
    assert len(record.current.phase("hold")) == 2
    assert float(charge(record.current).value) == pytest.approx(120e-3, rel=0.01)


@pytest.mark.parametrize(
    ("disturbance", "events"),
    [
        (Open(at(Phase.HOLD, 1 * s)), ["start", "open", "stop"]),
        (Open(at(Phase.HOLD, 1 * s), 1 * s), ["start", "open", "reconnect", "stop"]),
        (LoadStep(at(Phase.HOLD, 1 * s), 1 * kohm), ["start", "load step", "stop"]),
        (LoadStep(at(Phase.HOLD, 1 * s), "short"), ["start", "load step", "stop"]),
        (Reverse(at(Phase.HOLD, 1 * s)), ["start", "reverse", "stop"]),
        (Change(at(Phase.START, 5 * s), 2 * mA), ["start", "change", "stop"]),
        (Stop(at(Phase.START, 5 * s)), ["start", "stop"]),
        (SupplyDip(at(Phase.HOLD, 1 * s), 1 * s), ["start", "supply off", "supply on", "stop"]),
        (Pause(at(Phase.HOLD, 1 * s), 10 * s), ["start", "pause", "resume", "stop"]),
    ],
    ids=lambda part: type(part).__name__ if not isinstance(part, list) else "",
)
def test_each_disturbance_is_done_at_its_time(bench, disturbance, events):
    record = bench.record(Scenario.treatment(1 * mA, hold=3 * s, disturb=[disturbance]))
    assert list(record.events) == events
    offset = 5 if disturbance.at.phase is Phase.START else UP + 1
    done = record.events[events[1]].time - record.events["start"].time
    assert done == pytest.approx(offset, abs=0.3)


def test_events_of_the_same_name_are_counted(bench):
    twice = [LoadStep(at(Phase.HOLD, n * s), n * kohm) for n in (1, 2)]
    record = bench.record(Scenario.treatment(1 * mA, hold=3 * s, disturb=twice))
    assert list(record.events) == ["start", "load step", "load step #2", "stop"]


def instants(**times):
    return {name: Instant(time, 0.0, name) for name, time in times.items()}


def test_without_a_start_there_are_no_phases():
    assert phases({}, ((0.0, State.IDLE),), PROFILE) == {}


def test_a_fault_ends_the_hold_before_it_was_seen():
    seen = ((50.0, State.HOLD), (50.25, State.FAULT), (60.0, State.FAULT))
    found = phases(instants(start=2.0, stop=58.0), seen, PROFILE)
    assert found["hold"] == ((2.0 + UP, 50.0),)
    assert found["ramp down"] == ((50.0, 50.0 + DOWN),)


def test_a_stop_during_the_ramp_leaves_no_hold():
    found = phases(instants(start=2.0, stop=12.0), ((12.0, State.RAMP_UP),), PROFILE)
    assert "hold" not in found
    assert found["ramp up"] == ((2.0, 12.0),)


def test_a_device_that_gives_up_before_the_hold_has_not_held_what_was_commanded():
    tripped = ((26.0, State.RAMP_UP), (26.25, State.FAULT), (50.0, State.FAULT))
    found = phases(instants(start=2.0, stop=42.0), tripped, PROFILE)
    assert found["hold"] == ((2.0 + UP, 42.0),)
    assert found["ramp up"] == ((2.0, 26.0),)
    aborted = phases(instants(start=2.0, abort=42.0), tripped, PROFILE)
    assert aborted["hold"] == ((2.0 + UP, 42.0),)
    opened = instants(start=2.0, open=25.9, stop=42.0)  # somebody made it give up
    assert "hold" not in phases(opened, tripped, PROFILE)
    dose = ((26.25, State.RAMP_DOWN), (35.0, State.DONE), (50.0, State.IDLE))
    assert "hold" not in phases(instants(start=2.0, stop=42.0), dose, PROFILE)
    assert "hold" not in phases(instants(start=2.0, stop=26.2), tripped, PROFILE)


@pytest.mark.parametrize("end", ["abort", "open", "reverse"])
def test_a_hold_ends_with_what_is_done_to_end_it(end):
    held = ((35.0, State.HOLD), (60.0, State.HOLD))
    found = phases(instants(start=2.0, stop=60.0, **{end: 40.0}), held, PROFILE)
    assert found["hold"] == ((2.0 + UP, 40.0),)


def test_the_ramp_down_of_a_pause_is_no_end_and_that_after_it_is():
    seen = (
        (40.0, State.RAMP_DOWN),
        (50.0, State.PAUSED),
        (60.0, State.RAMP_UP),
        (100.0, State.HOLD),
        (110.0, State.RAMP_DOWN),
    )
    found = phases(instants(start=2.0, pause=39.9, resume=55.0), seen, PROFILE)
    assert found["hold"] == ((32.0, 39.9), (85.0, 109.75))
    assert found["resume"] == ((55.0, 85.0),)
