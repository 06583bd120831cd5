"""A scenario's key says all that it says; what has no unit, sense or bound is refused."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from hil.device import Polarity
from hil.errors import UsageError
from hil.exact import Dimension, Exact
from hil.scenario import (
    Change,
    DirectCurrent,
    LoadStep,
    Observation,
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
    positive,
)
from hil.units import V, kohm, mA, minute, s


def exact(text: str) -> Exact:
    return Exact.parse(text)


BASE = Scenario(
    (Programme(DirectCurrent(exact("2 mA"), Polarity.POSITIVE), exact("10 s"), exact("1 mA*min")),),
    exact("2 kohm"),
    (Open(at(Phase.HOLD, exact("2 s")), exact("1 s")),),
)
(PROGRAMME,) = BASE.programmes
STIMULUS = PROGRAMME.stimulus
SEEN = BASE.observe
PULSES = PulseTrain(exact("2 mA"), exact("200 us"), exact("80 Hz"))
HOLD = at(Phase.HOLD, exact("2 s"))


def programmed(**changed: Any) -> Scenario:
    return replace(BASE, programmes=(replace(PROGRAMME, **changed),))


def observed(**changed: Any) -> Scenario:
    return replace(BASE, observe=replace(SEEN, **changed))


def disturbed(*disturbances: Any) -> Scenario:
    return replace(BASE, disturbances=disturbances)


DIFFERENT = {
    "base": BASE,
    "setpoint": programmed(stimulus=replace(STIMULUS, setpoint=exact("2.1 mA"))),
    "polarity": programmed(stimulus=replace(STIMULUS, polarity=Polarity.NEGATIVE)),
    "no polarity": programmed(stimulus=replace(STIMULUS, polarity=None)),
    "pulses": programmed(stimulus=PULSES),
    "amplitude": programmed(stimulus=replace(PULSES, amplitude=exact("3 mA"))),
    "width": programmed(stimulus=replace(PULSES, width=exact("201 us"))),
    "rate of pulses": programmed(stimulus=replace(PULSES, rate=exact("81 Hz"))),
    "monophasic": programmed(stimulus=replace(PULSES, biphasic=False)),
    "hold": programmed(hold=exact("11 s")),
    "dose": programmed(dose=exact("2 mA*min")),
    "no dose": programmed(dose=None),
    "channel": programmed(channel="2"),
    "two channels": replace(BASE, programmes=(PROGRAMME, replace(PROGRAMME, channel="2"))),
    "other order": replace(BASE, programmes=(replace(PROGRAMME, channel="2"), PROGRAMME)),
    "load": replace(BASE, load=exact("5 kohm")),
    "position of that name": replace(BASE, load="2 kohm"),
    "no disturbance": disturbed(),
    "twice": disturbed(*BASE.disturbances, *BASE.disturbances),
    "duration": disturbed(Open(HOLD, exact("2 s"))),
    "for good": disturbed(Open(HOLD)),
    "phase": disturbed(Open(at(Phase.STOP, exact("2 s")), exact("1 s"))),
    "offset": disturbed(Open(at(Phase.HOLD, exact("3 s")), exact("1 s"))),
    "pause": disturbed(Pause(HOLD, exact("1 s"))),
    "dip": disturbed(SupplyDip(HOLD, exact("1 s"))),
    "stop": disturbed(Stop(HOLD)),
    "reverse": disturbed(Reverse(HOLD)),
    "change": disturbed(Change(HOLD, exact("1 mA"))),
    "other change": disturbed(Change(HOLD, exact("1.5 mA"))),
    "load step": disturbed(LoadStep(HOLD, exact("1 kohm"))),
    "other load step": disturbed(LoadStep(HOLD, exact("3 kohm"))),
    "load step to that name": disturbed(LoadStep(HOLD, "1 kohm")),
    "channels": observed(channels=("current",)),
    "rate": observed(rate=exact("1 kHz")),
    "before": observed(before=exact("0.6 s")),
    "after": observed(after=exact("2.1 s")),
}


def test_the_key_follows_every_field() -> None:
    same = [
        (one, two)
        for one, two in itertools.combinations(DIFFERENT, 2)
        if DIFFERENT[one].key == DIFFERENT[two].key
    ]
    assert not same


def test_the_key_is_the_same_in_another_process() -> None:
    code = (
        "from hil.scenario import *; from hil.units import mA, s, kohm\n"
        "disturb = [Reverse(at(Phase.HOLD, 2 * s))]\n"
        "print(Scenario.treatment(2 * mA, load=2 * kohm, disturb=disturb).key)"
    )
    keys = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
        for seed in ("1", "2")
    }
    here = Scenario.treatment(2 * mA, load=2 * kohm, disturb=[Reverse(at(Phase.HOLD, 2 * s))])
    assert keys == {here.key}


def test_a_scenario_is_plain_data() -> None:
    for scenario in DIFFERENT.values():
        assert json.loads(json.dumps(scenario.to_dict())) == scenario.to_dict()
    assert BASE.to_dict()["programmes"][0]["stimulus"]["setpoint"] == "2 mA"
    assert BASE.to_dict()["disturbances"][0]["kind"] == "Open"


# --- what is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("bare", [2, 2.0, "2 mA", None, Decimal(2), True])
def test_a_bare_number_is_refused(bare: Any) -> None:
    with pytest.raises(UsageError, match=r"setpoint = .* has no unit"):
        Scenario.treatment(bare)
    for name in ("hold", "dose", "load"):
        if bare is None or (name == "load" and isinstance(bare, str)):
            continue
        with pytest.raises(UsageError, match=f"{name} = .* has no unit"):
            Scenario.treatment(2 * mA, **{name: bare})
    if bare is not None:
        with pytest.raises(UsageError, match=r"offset = .* has no unit"):
            at(Phase.HOLD, bare)


@pytest.mark.parametrize("bad", ["0 mA", "-1 mA"])
def test_a_setting_is_positive(bad: str) -> None:
    with pytest.raises(UsageError, match=r"setpoint = .*; a current > 0 belongs here"):
        Scenario.treatment(exact(bad))


@pytest.mark.parametrize("text", ["NaN", "Infinity"])
def test_nothing_is_unbounded(text: str) -> None:
    for dimension in (Dimension.CURRENT, Dimension.TIME):
        with pytest.raises(UsageError, match=text):
            positive(Exact(Decimal(text), dimension.value), dimension, "x")
    with pytest.raises(UsageError, match=text):
        at(Phase.HOLD, Exact(Decimal(text), "s"))


@pytest.mark.parametrize("asked", [{"setpoint": 2 * V}, {"hold": 2 * mA}, {"dose": 2 * s},
                                   {"load": 2 * V}])  # fmt: skip
def test_another_dimension_is_refused(asked: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match="belongs here"):
        Scenario.treatment(**({"setpoint": 2 * mA} | asked))


@pytest.mark.parametrize(
    "build",
    [
        lambda: programmed(stimulus=DirectCurrent(2)),  # type: ignore[arg-type]  # that is the point
        lambda: programmed(stimulus=DirectCurrent(exact("-2 mA"))),
        lambda: programmed(stimulus=DirectCurrent(exact("2 V"))),
        lambda: programmed(hold=10),
        lambda: programmed(hold=None),
        lambda: programmed(hold="10 s"),
        lambda: programmed(dose=exact("1 s")),
        lambda: replace(BASE, load=2000),
        lambda: replace(BASE, load=exact("0 ohm")),
        lambda: disturbed(Open(HOLD, 1.0)),  # type: ignore[arg-type]
        lambda: disturbed(Open(HOLD, exact("-1 s"))),
        lambda: disturbed(Pause(HOLD, Exact(Decimal("NaN"), "s"))),
        lambda: disturbed(Open(replace(HOLD, offset=exact("-1 s")))),
        lambda: disturbed(Change(HOLD, exact("0 mA"))),
        lambda: disturbed(LoadStep(HOLD, 500)),  # type: ignore[arg-type]
        lambda: observed(rate=2000),
        lambda: observed(after=exact("-1 s")),
    ],
)
def test_a_scenario_built_by_hand_is_checked_too(build: Any) -> None:
    with pytest.raises(UsageError):
        build()


def test_a_quantity_is_taken_as_exact() -> None:
    assert DirectCurrent(2 * mA).setpoint == exact("2 mA")
    assert Open(HOLD, 1 * s).duration == exact("1 s")


def test_two_programmes_on_one_channel_are_refused() -> None:
    with pytest.raises(UsageError, match="share a channel: 1, 1"):
        replace(BASE, programmes=(PROGRAMME, PROGRAMME))
    with pytest.raises(UsageError, match="at least one programme"):
        replace(BASE, programmes=())


def test_an_offset_is_not_before_its_phase() -> None:
    with pytest.raises(UsageError, match=r"offset = -1.* s; a time >= 0"):
        at(Phase.HOLD, -1 * s)
    assert at(Phase.HOLD).offset == exact("0 s")
    assert at(Phase.HOLD, 1 * minute).offset == exact("60 s")


def test_the_dose_is_known_only_if_every_channel_has_one() -> None:
    second = replace(PROGRAMME, channel="2", dose=exact("0.06 C"))
    assert BASE.dose == exact("1 mA*min")
    assert replace(BASE, programmes=(PROGRAMME, second)).dose == exact("0.12 C")
    none = replace(second, dose=None)
    assert replace(BASE, programmes=(PROGRAMME, none)).dose is None
    assert programmed(dose=None).dose is None


def test_a_treatment_has_a_hold_that_its_dose_ends() -> None:
    (plain,) = Scenario.treatment(2 * mA).programmes
    (dosed,) = Scenario.treatment(2 * mA, dose=exact("1 mA*min")).programmes
    assert (plain.hold, plain.dose) == (exact("10 s"), None)
    assert (dosed.hold, dosed.dose) == (exact("1 h"), exact("1 mA*min"))


def test_observation_has_defaults_that_a_recorder_can_keep() -> None:
    assert Observation().channels == ("current", "voltage")
    assert Observation().rate == exact("2000 Hz")
