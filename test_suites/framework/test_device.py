"""A profile that leaves its class or contradicts itself is refused, and the figure is named."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest

from hil.device import (
    CLASSES,
    IONTOPHORESIS,
    DeviceProfile,
    Figure,
    Polarity,
    State,
    Wire,
    check,
    problems,
)
from hil.errors import ConfigurationError, Unavailable
from hil.exact import Dimension, Exact
from hil.requirement import Knowledge

FIGURES = {
    "output.setpoint_min": "0.1 mA",
    "output.setpoint_max": "4 mA",
    "output.setpoint_step": "0.1 mA",
    "output.accuracy_relative": "5 %",
    "output.accuracy_absolute": "0.05 mA",
    "output.overshoot_relative": "5 %",
    "output.overshoot_absolute": "0.05 mA",
    "output.software_limit": "4.4 mA",
    "output.trip": "5 mA",
    "output.trip_time": "10 ms",
    "output.compliance": "80 V",
    "output.load_min": "500 ohm",
    "output.load_max": "50 kohm",
    "output.standby": "10 uA",
    "output.off_voltage": "0.1 V",
    "ramp.up_time": "30 s",
    "ramp.down_time": "3 s",
    "ramp.up_slope": "0.2 mA/s",
    "ramp.down_slope": "2 mA/s",
    "ramp.step": "0.1 mA",
    "polarity.dwell": "1 s",
    "protection.open_resistance": "100 kohm",
    "protection.open_time": "100 ms",
    "protection.stop_share": "10 %",
    "protection.stop_time": "100 ms",
    "protection.off_current": "10 uA",
    "protection.off_time": "1 s",
    "protection.reconnect_time": "2 s",
    "power.hold_up": "2 s",
    "dose.maximum": "80 mA*min",
    "dose.accuracy": "5 %",
    "dose.accuracy_absolute": "0.1 mA*min",
}
NAMES = sorted(IONTOPHORESIS.bounds)
NEEDED = sorted(name for name, bound in IONTOPHORESIS.bounds.items() if bound.needed)


def profile(without: str = "", **changed: str | Exact) -> DeviceProfile:
    """The figures above, some changed: `ramp__up_time="10 s"`."""
    texts = FIGURES | {name.replace("__", "."): value for name, value in changed.items()}
    figures = {
        name: Figure(
            Exact.parse(value) if isinstance(value, str) else value,
            "sheet",
            "so",
            Knowledge.PROJECT,
        )
        for name, value in texts.items()
        if name != without
    }
    return DeviceProfile("Maker", "Model", IONTOPHORESIS, figures, Wire({}, {}, {}, {}))


def refused(*names: str, **changed: str | Exact) -> str:
    """Check, and return the message of the refusal, which names each of these figures."""
    with pytest.raises(ConfigurationError) as caught:
        check(profile(**changed))
    message = str(caught.value)
    assert all(name in message for name in names), message
    return message


def test_a_consistent_profile_is_taken() -> None:
    check(profile())
    assert problems(profile()) == []


def test_what_all_treatments_deliver_leaves_room_for_the_accuracy_of_one() -> None:
    assert problems(profile(dose__cumulative="84 mA*min")) == []
    (found,) = problems(profile(dose__cumulative="83.9 mA*min"))
    assert found[0] == "dose.cumulative"
    assert "must be at least 84 mA*min" in found[1]


def test_the_class_is_known_by_its_name() -> None:
    assert CLASSES["iontophoresis"] is IONTOPHORESIS
    assert sorted(FIGURES) == NEEDED


def beside(name: str, edge: str, factor: str) -> Exact:
    bound = getattr(IONTOPHORESIS.bounds[name], edge)
    return Exact(bound.magnitude * Decimal(factor), bound.unit)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("edge", "factor"), [("ceiling", "1.0001"), ("floor", "0.9999")])
def test_each_figure_ends_at_its_class(name: str, edge: str, factor: str) -> None:
    value = beside(name, edge, factor)
    message = refused(**{name.replace(".", "__"): value})
    bound = IONTOPHORESIS.bounds[name]
    assert message == (
        f"{name}: {value} lies outside {bound.floor} to {bound.ceiling}, "
        "the range of class iontophoresis"
    )


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("edge", ["ceiling", "floor"])
def test_the_ends_of_a_class_belong_to_it(name: str, edge: str) -> None:
    try:
        check(profile(**{name.replace(".", "__"): beside(name, edge, "1")}))
    except ConfigurationError as err:
        assert "range of class" not in str(err)  # noqa: PT017  # it may contradict another figure


@pytest.mark.parametrize("name", NEEDED)
def test_each_figure_that_is_needed_must_be_given(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{re.escape(name)}: missing; "):
        check(profile(without=name))


@pytest.mark.parametrize("name", [name for name in NAMES if name not in NEEDED])
def test_who_asks_for_a_figure_that_was_left_out_is_told_what_it_is(name: str) -> None:
    meaning = IONTOPHORESIS.bounds[name].meaning
    with pytest.raises(Unavailable, match=re.escape(f"declares no {name}: {meaning}")):
        profile()[name]


def test_the_lowest_supply_lies_below_the_highest() -> None:
    check(profile(power__minimum="6 V", power__maximum="9 V"))
    refused("power.minimum", power__minimum="9 V", power__maximum="6 V")


@pytest.mark.parametrize("name", NAMES)
def test_each_figure_has_its_dimension(name: str) -> None:
    wrong = "5 degC"
    assert IONTOPHORESIS.bounds[name].dimension is not Dimension.TEMPERATURE
    message = refused(name, **{name.replace(".", "__"): wrong})
    assert "5 degC is a temperature; a " in message


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
@pytest.mark.parametrize("name", NAMES)
def test_no_figure_is_unbounded(name: str, text: str) -> None:
    unit = IONTOPHORESIS.bounds[name].ceiling.unit
    assert "range of class" in refused(
        name, **{name.replace(".", "__"): Exact(Decimal(text), unit)}
    )


def test_forty_for_four_is_refused() -> None:
    message = refused("output.setpoint_max", output__setpoint_max="40 mA")
    assert "40 mA lies outside 0.1 mA to 5 mA" in message


def test_an_unknown_figure_is_refused() -> None:
    message = refused("output.setpiont_max: unknown; allowed: ", output__setpiont_max="4 mA")
    assert "output.setpoint_max" in message


def test_every_problem_is_named_at_once() -> None:
    changed = {"output__setpoint_max": "40 mA", "ramp__up_time": "0 s"}
    message = refused("output.setpoint_max", "ramp.up_time", **changed)
    found = problems(profile(**changed))
    assert [name for name, _ in found] == ["output.setpoint_max", "ramp.up_time"]
    assert message == "; ".join(f"{name}: {text}" for name, text in found)


@pytest.mark.parametrize(
    ("names", "changed"),
    [
        (("output.setpoint_min", "output.setpoint_max"),
         {"output__setpoint_min": "0.9 mA", "output__setpoint_max": "0.8 mA"}),
        (("output.setpoint_max", "output.software_limit"), {"output__software_limit": "3.9 mA"}),
        (("output.software_limit", "output.trip"), {"output__trip": "4.3 mA"}),
        (("output.setpoint_step", "output.setpoint_max"),
         {"output__setpoint_max": "0.5 mA", "output__setpoint_step": "0.6 mA"}),
        (("output.load_min", "output.load_max"),
         {"output__load_min": "5 kohm", "output__load_max": "4 kohm"}),
        (("output.load_max", "protection.open_resistance"),
         {"protection__open_resistance": "49 kohm"}),
        (("protection.stop_time", "protection.off_time"),
         {"protection__stop_time": "1 s", "protection__off_time": "900 ms"}),
        (("protection.off_current", "output.setpoint_min"),
         {"output__setpoint_min": "0.04 mA", "protection__off_current": "41 uA"}),
        (("ramp.up_time", "ramp.up_slope"), {"ramp__up_time": "10 s"}),
        (("ramp.down_time", "ramp.down_slope"), {"ramp__down_time": "1.9 s"}),
        (("output.software_limit", "output.setpoint_max"), {"output__software_limit": "4.19 mA"}),
        (("output.software_limit", "output.setpoint_max"),
         {"output__accuracy_relative": "0.1 %", "output__accuracy_absolute": "0.2 mA",
          "output__software_limit": "4.19 mA"}),
    ],
)  # fmt: skip
def test_each_contradiction_names_its_figures(
    names: tuple[str, ...], changed: dict[str, str]
) -> None:
    refused(*names, **changed)


@pytest.mark.parametrize(
    "changed",
    [
        {"output__software_limit": "5 mA", "output__trip": "5 mA"},
        {"output__load_max": "100 kohm"},
        {"protection__stop_time": "1 s"},
        {"output__setpoint_min": "0.01 mA", "protection__off_current": "10 uA"},
        {"ramp__up_time": "20 s"},
        {"ramp__down_time": "2 s"},
        {"output__software_limit": "4.2 mA"},
    ],
)
def test_equality_contradicts_nothing(changed: dict[str, str]) -> None:
    check(profile(**changed))


def test_a_ramp_too_short_says_what_it_needs() -> None:
    message = refused(ramp__up_time="10 s")
    assert "ramp.up_time: 10 s makes 0.4 mA/s at 4 mA, above ramp.up_slope = 0.2 mA/s" in message
    assert "at least 20 s" in message


def test_figures_by_name() -> None:
    assert profile()["ramp.up_time"] == Exact.parse("0.5 min")
    assert profile().si("dose.maximum") == pytest.approx(4.8)
    with pytest.raises(KeyError, match=r"'ramp.time' is no figure of this profile; it has output"):
        profile()["ramp.time"]


def test_polarity_and_states() -> None:
    assert (Polarity.POSITIVE.sign, Polarity.NEGATIVE.sign) == (1, -1)
    assert all(p.opposite.sign == -p.sign for p in Polarity)
    assert {s for s in State if s.delivers} == {State.RAMP_UP, State.HOLD, State.RAMP_DOWN}
