"""A scenario laid out in time: every step at its moment, and never a stop later than commanded."""

from __future__ import annotations

from typing import Any

import pytest

from hil.device import IONTOPHORESIS, DeviceProfile, Figure, Polarity, Wire
from hil.errors import UsageError
from hil.exact import Exact
from hil.requirement import Knowledge
from hil.scenario import (
    Change,
    DirectCurrent,
    LoadStep,
    Open,
    Pause,
    Phase,
    Programme,
    PulseTrain,
    Reverse,
    Scenario,
    Stop,
    SupplyDip,
    at,
)
from hil.timeline import Timeline, Verb, lay_out
from hil.units import mA, s

FIGURES = {"ramp.up_time": "30 s", "ramp.down_time": "3 s"}
PROFILE = DeviceProfile(
    "Maker",
    "Model",
    IONTOPHORESIS,
    {k: Figure(Exact.parse(v), "sheet", "so", Knowledge.PROJECT) for k, v in FIGURES.items()},
    Wire({}, {}, {}, {}),
    Polarity.NEGATIVE,
)


def exact(text: str) -> Exact:
    return Exact.parse(text)


HOLD = at(Phase.HOLD, exact("2 s"))
PULSES = PulseTrain(exact("2 mA"), exact("200 us"), exact("80 Hz"))


def programme(**changed: Any) -> Programme:
    return Programme(
        **({"stimulus": DirectCurrent(exact("2 mA")), "hold": exact("10 s")} | changed)
    )


def treat(**changed: Any) -> Scenario:
    return Scenario((programme(**changed),), "2k")


TWO = Scenario((programme(), programme(channel="2")), "2k")


def laid(*disturbances: Any, hold: str = "60 s") -> Timeline:
    scenario = Scenario.treatment(2 * mA, hold=exact(hold), disturb=disturbances)
    return lay_out(scenario, PROFILE)


def when(timeline: Timeline, verb: Verb) -> list[float]:
    return [step.time for step in timeline.steps if step.verb is verb]


def test_a_plain_treatment() -> None:
    line = laid()
    assert [(step.time, step.verb) for step in line.steps] == [(0, Verb.START), (90, Verb.STOP)]
    assert (line.stop, line.end) == (90, 95)  # ramp-down 3 s, then 2 s of observation
    assert line.polarity is Polarity.NEGATIVE  # the profile's
    assert not line.ends_by_dose


def test_polarity_of_the_programme_comes_first() -> None:
    scenario = Scenario.treatment(2 * mA, polarity=Polarity.POSITIVE, dose=exact("1 mA*min"))
    line = lay_out(scenario, PROFILE)
    assert line.polarity is Polarity.POSITIVE
    assert line.ends_by_dose


def test_moments_count_from_their_phase() -> None:
    moments = [Reverse(at(phase, 1 * s)) for phase in Phase]
    assert when(laid(*moments), Verb.REVERSE) == [1, 31, 91, 94]
    steps = laid(*moments).steps
    assert {step.value for step in steps if step.verb is Verb.REVERSE} == {Polarity.POSITIVE}


def test_a_pause_puts_the_stop_off_by_itself_and_two_ramps() -> None:
    line = laid(Pause(at(Phase.HOLD, 5 * s), exact("10 s")), Reverse(at(Phase.STOP, 1 * s)))
    assert when(line, Verb.PAUSE) == [35]
    assert when(line, Verb.RESUME) == [45]
    assert line.stop == 90 + 10 + 33
    assert when(line, Verb.REVERSE) == [line.stop + 1]


def test_two_pauses_both_count_and_one_after_the_stop_does_not() -> None:
    pause = exact("10 s")
    assert laid(Pause(HOLD, pause), Pause(at(Phase.HOLD, 55 * s), pause)).stop == 90 + 2 * 43
    assert laid(Pause(at(Phase.STOP, 1 * s), pause)).stop == 90
    assert laid(Pause(at(Phase.HOLD, 70 * s), pause)).stop == 90
    assert laid(Pause(at(Phase.HOLD, 60 * s), pause)).stop == 90
    # Put off by the first, the stop comes after the second.
    assert laid(Pause(HOLD, pause), Pause(at(Phase.HOLD, 70 * s), pause)).stop == 90 + 2 * 43


def test_a_stop_comes_earlier_never_later() -> None:
    assert laid(Stop(at(Phase.HOLD, 5 * s))).stop == 35
    assert laid(Stop(at(Phase.START, 5 * s))).stop == 5
    assert laid(Stop(at(Phase.HOLD, 5 * s)), Stop(at(Phase.HOLD, 4 * s))).stop == 34
    for late in (at(Phase.HOLD, 600 * s), at(Phase.STOP, 5 * s), at(Phase.AFTER, 1 * s)):
        assert laid(Stop(late)).stop == 90
    pause = Pause(HOLD, exact("10 s"))
    assert laid(pause, Stop(at(Phase.HOLD, 20 * s))).stop == 50
    assert laid(pause, Stop(at(Phase.HOLD, 70 * s))).stop == 100
    assert when(laid(Stop(HOLD)), Verb.STOP) == [32]  # one stop, not two


def test_an_open_load_comes_back_or_does_not() -> None:
    back = laid(Open(HOLD, exact("1.5 s")))
    assert (when(back, Verb.OPEN), when(back, Verb.RECONNECT)) == ([32], [33.5])
    assert [step.value for step in back.steps if step.verb is Verb.RECONNECT] == ["2k"]
    assert when(laid(Open(HOLD)), Verb.RECONNECT) == []


def test_every_other_disturbance_has_its_step() -> None:
    line = laid(
        SupplyDip(at(Phase.HOLD, 1 * s), exact("0.5 s")),
        Change(at(Phase.HOLD, 2 * s), exact("1 mA")),
        LoadStep(at(Phase.START, 3 * s), exact("5 kohm")),
    )
    assert [(step.time, step.verb, step.value) for step in line.steps] == [
        (0, Verb.START, None),
        (3, Verb.LOAD, exact("5 kohm")),
        (31, Verb.SUPPLY_OFF, None),
        (31.5, Verb.SUPPLY_ON, None),
        (32, Verb.CHANGE, exact("1 mA")),
        (90, Verb.STOP, None),
    ]


def test_the_record_outlasts_the_last_step() -> None:
    assert laid(Open(at(Phase.AFTER, 10 * s), exact("5 s"))).end == 90 + 3 + 10 + 5 + 2


def test_a_start_is_always_first() -> None:
    line = laid(Open(at(Phase.START), exact("1 s")))
    assert [step.verb for step in line.steps[:2]] == [Verb.START, Verb.OPEN]


def test_what_the_device_cannot_do_is_refused() -> None:
    with pytest.raises(UsageError, match="PulseTrain was asked for; a iontophoresis device"):
        lay_out(treat(stimulus=PULSES), PROFILE)
    with pytest.raises(UsageError, match="uses 2 channels"):
        lay_out(TWO, PROFILE)
    with pytest.raises(UsageError, match="channel '2' was asked for; the device has: 1"):
        lay_out(treat(channel="2"), PROFILE)
    with pytest.raises(UsageError, match="a supply dip needs a duration"):
        laid(SupplyDip(HOLD, None))  # type: ignore[arg-type]  # that is the point
