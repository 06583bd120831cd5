"""A bench that could not judge the device, or that the device could destroy, is refused."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from hil.bench import (
    ROLES,
    BenchDescription,
    InstrumentEntry,
    LoadEntry,
    SourceEntry,
    check,
    problems,
)
from hil.device import IONTOPHORESIS, DeviceProfile, Figure, Wire
from hil.errors import ConfigurationError
from hil.exact import Exact
from hil.requirement import Knowledge

FIGURES = {
    "output.trip": "5 mA",
    "output.compliance": "80 V",
    "protection.off_current": "10 uA",
}
PROFILE = DeviceProfile(
    "Maker",
    "Model",
    IONTOPHORESIS,
    {k: Figure(Exact.parse(v), "sheet", "so", Knowledge.PROJECT) for k, v in FIGURES.items()},
    Wire({}, {}, {}, {}),
)


def load(name: str, channel: int, **other: Exact) -> LoadEntry:
    return LoadEntry(name, channel, Exact.parse("2 kohm"), **other)


def instrument(role: str, **other: Any) -> InstrumentEntry:
    given = {"driver": "d", "resource": f"tcpip::{role}", "manufacturer": "Maker", "model": "Model"}
    return InstrumentEntry(role, **(given | other))


def both(**ammeter: Any) -> dict[str, InstrumentEntry]:
    return {"stimulator": instrument("stimulator"), "ammeter": instrument("ammeter", **ammeter)}


def bench(**changed: Any) -> BenchDescription:
    given = {
        "name": "bench",
        "instruments": both(),
        "loads": {"2k": load("2k", 1), "bleed": load("bleed", 2)},
        "wiring": {"ammeter": "positive pole"},
        "shunt": Exact.parse("10 ohm"),
        "ceiling": Exact.parse("6 mA"),
        "damage_current": Exact.parse("20 mA"),
        "damage_voltage": Exact.parse("120 V"),
    }
    return BenchDescription(**(given | changed))


def keys(description: BenchDescription) -> list[str]:
    """Keys of the bench file that are refused; `check` must then raise and name each."""
    found = problems(description, PROFILE)
    if found:
        with pytest.raises(ConfigurationError) as caught:
            check(description, PROFILE)
        assert all(f"{key}: {text}" in str(caught.value) for key, text in found)
    else:
        check(description, PROFILE)
    return [key for key, _ in found]


def test_a_fitting_bench_is_taken() -> None:
    assert keys(bench()) == []
    assert bench().roles == {"stimulator", "ammeter"}
    assert bench().roles < set(ROLES)
    assert bench().clock_scale == 1


@pytest.mark.parametrize(
    ("changed", "key", "texts"),
    [
        ({"ceiling": "5 mA"}, "limits.ceiling", ("5 mA", "output.trip = 5 mA")),
        ({"ceiling": "4.9 mA"}, "limits.ceiling", ("4.9 mA", "output.trip = 5 mA")),
        ({"damage_current": "6 mA"}, "limits.ceiling", ("limits.damage_current = 6 mA",)),
        ({"damage_voltage": "80 V"}, "limits.damage_voltage", ("output.compliance = 80 V",)),
    ],
)
def test_each_figure_out_of_order_is_named(
    changed: dict[str, str], key: str, texts: tuple[str, ...]
) -> None:
    wrong = bench(**{name: Exact.parse(text) for name, text in changed.items()})
    assert keys(wrong) == [key]
    ((_, message),) = problems(wrong, PROFILE)
    assert all(text in message for text in texts)


@pytest.mark.parametrize(
    ("changed", "key"),
    [
        ({"loads": {"2k": load("2k", 1)}}, "loads.bleed"),
        ({"bleed": "drain"}, "loads.drain"),
        ({"loads": {"2k": load("2k", 1), "bleed": load("bleed", 1)}}, "loads.bleed.channel"),
        ({"loads": {"open": load("open", 1), "bleed": load("bleed", 2)}}, "loads.open"),
        ({"instruments": {"ammeter": instrument("ammeter")}}, "instruments.stimulator"),
        (
            {"instruments": both(resource="TCPIP::STIMULATOR")},
            "instruments.ammeter.resource",
        ),
        ({"instruments": both(certificate="K-1")}, "instruments.ammeter"),
        ({"instruments": both(due=date(2027, 1, 1))}, "instruments.ammeter"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(changed: dict[str, Any], key: str) -> None:
    assert keys(bench(**changed)) == [key]


@pytest.mark.parametrize(("bleed", "refused"), [("1 kohm", 0), ("190 kohm", 0), ("191 kohm", 1)])
def test_a_bleed_load_that_would_hide_a_welded_contact_is_refused(bleed: str, refused: int) -> None:
    """The source drives 100 uA into 190 kohm, ten times what counts as off."""
    source = SourceEntry(Exact.parse("10 kohm"), Exact.parse("20 V"), 9)
    loads = {"bleed": LoadEntry("bleed", 2, Exact.parse(bleed))}
    assert keys(bench(loads=loads, source=source)) == ["loads.bleed"] * refused
    assert keys(bench(loads=loads)) == []  # without a source nothing is asked through the contacts


def test_every_problem_is_named_at_once() -> None:
    wrong = bench(ceiling=Exact.parse("4 mA"), bleed="x", damage_voltage=Exact.parse("1 V"))
    assert sorted(keys(wrong)) == ["limits.ceiling", "limits.damage_voltage", "loads.x"]


def test_without_a_device_only_the_bench_is_judged() -> None:
    wrong = bench(ceiling=Exact.parse("4 mA"), bleed="x")
    assert [key for key, _ in problems(wrong)] == ["loads.x"]
    assert [key for key, _ in problems(bench(ceiling=Exact.parse("20 mA")))] == ["limits.ceiling"]


@pytest.mark.parametrize("text", ["0.007 A", "7000 uA"])
def test_units_do_not_matter(text: str) -> None:
    assert keys(bench(ceiling=Exact.parse(text))) == []


def test_resistance_of_a_skin_network_is_that_for_direct_current() -> None:
    skin = load("skin", 3, parallel=Exact.parse("18 kohm"), capacitance=Exact.parse("20 nF"))
    assert skin.resistance == Exact.parse("20 kohm")
    assert load("2k", 1).resistance == Exact.parse("2 kohm")


def test_the_device_of_the_bench_is_the_one_that_is_judged() -> None:
    other = both()
    other["stimulator"] = instrument("stimulator", model="Another")
    ((key, text),) = problems(bench(instruments=other), PROFILE)
    assert key == "instruments.stimulator.model"
    assert "'Another'" in text
    assert "'Model'" in text
