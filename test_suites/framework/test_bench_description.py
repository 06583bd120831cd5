"""A bench that could not judge the device, or that the device could destroy, is refused."""

from __future__ import annotations

from typing import Any

import pytest

from hil.bench import ROLES, BenchDescription, InstrumentEntry, LoadEntry, check, problems
from hil.device import IONTOPHORESIS, DeviceProfile, Figure, Wire
from hil.errors import ConfigurationError
from hil.exact import Exact
from hil.requirement import Knowledge

FIGURES = {"output.trip": "5 mA", "output.compliance": "80 V"}
PROFILE = DeviceProfile(
    "Maker",
    "Model",
    IONTOPHORESIS,
    {k: Figure(Exact.parse(v), "sheet", "so", Knowledge.PROJECT) for k, v in FIGURES.items()},
    Wire({}, {}, {}, {}),
)


def load(name: str, channel: int, **other: Exact) -> LoadEntry:
    return LoadEntry(name, channel, Exact.parse("2 kohm"), **other)


def bench(**changed: Any) -> BenchDescription:
    given = {
        "name": "bench",
        "instruments": {"ammeter": InstrumentEntry("ammeter", "d", "r", "m", "n")},
        "loads": {"2k": load("2k", 1), "bleed": load("bleed", 2)},
        "wiring": {"ammeter": "positive pole"},
        "shunt": Exact.parse("10 ohm"),
        "ceiling": Exact.parse("6 mA"),
        "damage_current": Exact.parse("20 mA"),
        "damage_voltage": Exact.parse("120 V"),
    }
    return BenchDescription(**(given | changed))


def test_a_fitting_bench_is_taken() -> None:
    check(bench(), PROFILE)
    assert problems(bench(), PROFILE) == []
    assert bench().roles == {"ammeter"}
    assert bench().roles < set(ROLES)


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ({"ceiling": "5 mA"}, ("limits.ceiling: 5 mA", "output.trip = 5 mA")),
        ({"ceiling": "4.9 mA"}, ("limits.ceiling: 4.9 mA", "output.trip = 5 mA")),
        ({"damage_current": "6 mA"}, ("limits.ceiling: 6 mA", "limits.damage_current = 6 mA")),
        ({"damage_voltage": "80 V"}, ("limits.damage_voltage: 80 V", "output.compliance = 80 V")),
    ],
)
def test_each_figure_out_of_order_is_named(changed: dict[str, str], names: tuple[str, ...]) -> None:
    exact = {name: Exact.parse(text) for name, text in changed.items()}
    with pytest.raises(ConfigurationError) as caught:
        check(bench(**exact), PROFILE)
    assert all(name in str(caught.value) for name in names)


@pytest.mark.parametrize(
    ("changed", "problem"),
    [
        ({"loads": {"2k": load("2k", 1)}}, "bleed load 'bleed' has no entry"),
        ({"bleed": "drain"}, "bleed load 'drain' has no entry"),
        ({"loads": {"2k": load("2k", 1), "bleed": load("bleed", 1)}}, "share a channel"),
    ],
)
def test_loads_that_do_not_fit_are_refused(changed: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        check(bench(**changed), PROFILE)


def test_every_problem_is_named_at_once() -> None:
    wrong = bench(ceiling=Exact.parse("4 mA"), bleed="x", damage_voltage=Exact.parse("1 V"))
    found = problems(wrong, PROFILE)
    assert [name for name, _ in found] == ["limits.ceiling", "limits.damage_voltage", "loads"]
    with pytest.raises(ConfigurationError) as caught:
        check(wrong, PROFILE)
    assert str(caught.value) == "; ".join(f"{name}: {text}" for name, text in found)


@pytest.mark.parametrize("text", ["0.007 A", "7000 uA"])
def test_units_do_not_matter(text: str) -> None:
    check(bench(ceiling=Exact.parse(text)), PROFILE)


def test_resistance_of_a_skin_network_is_that_for_direct_current() -> None:
    skin = load("skin", 3, parallel=Exact.parse("18 kohm"), capacitance=Exact.parse("20 nF"))
    assert skin.resistance == Exact.parse("20 kohm")
    assert load("2k", 1).resistance == Exact.parse("2 kohm")
