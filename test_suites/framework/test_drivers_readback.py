"""What bounds a current is read back: an instrument that stores another value than told is found.

The wire is bent between driver and simulated instrument: it truly stores something else, and tells
so when it is asked. No refusal comes from it; the readback alone can find it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from framework import switches
from hil.device import Polarity
from hil.errors import InstrumentError
from hil.exact import Dimension
from hil.measurement import Calibration
from hil.units import A, C, V, mA, quantity
from hil_instruments import drivers, transport
from hil_instruments.simulated import backend
from hil_instruments.simulated.bench import SimulatedBench

READBACKS = {
    "query_set_current": "SOUR:CURR?",
    "query_set_polarity": "SOUR:POL?",
    "query_set_dose": "SOUR:DOSE?",
}
PROFILE = replace(
    switches.PROFILE,
    wire=replace(switches.PROFILE.wire, commands={**switches.PROFILE.wire.commands, **READBACKS}),
)


@dataclass
class Bent:
    """A session whose first message of a form arrives as another one; empty: it does not arrive."""

    inner: Any
    form: str
    other: str
    met: int = 0

    def write(self, text: str, **more: Any) -> None:
        sent = re.sub(self.form, self.other, text)
        if sent != text:
            self.met += 1
        if sent:
            self.inner.write(sent, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


Act = Callable[[Any], object]


@dataclass(frozen=True)
class Case:
    """A setting that bounds, and how the instrument stores another one."""

    role: str
    driver: tuple[str, str, str]
    table: str
    """Function of `drivers` that builds it."""
    act: Act
    form: str
    other: str


def told(current: Any = 2 * mA, limit: Any = 20 * V) -> Act:
    return lambda driver: driver.drive(current, limit)


def supplied(driver: Any) -> None:
    driver.on(quantity(9, V), quantity(1, A))


def configured(driver: Any) -> None:
    driver.configure(2 * mA, Polarity.POSITIVE, quantity(0.6, C))


def small(driver: Any) -> None:
    driver.read(Dimension.CURRENT, 4e-3)


def volts(driver: Any) -> None:
    driver.read(Dimension.VOLTAGE, 5.0)


def recorded(driver: Any) -> None:
    driver.start_recording(Dimension.CURRENT, 4e-3, driver.sampling.slowest)


def applied(driver: Any) -> None:
    driver.apply(5 * V, 1 * mA)


def chosen(driver: Any) -> None:
    driver.select(103)


def closed(driver: Any) -> None:
    driver.close_relay(driver.epoch() + 1)


STIMULATOR = (
    switches.BUILT_IN.instruments["stimulator"].driver,
    switches.BUILT_IN.instruments["stimulator"].manufacturer,
    switches.BUILT_IN.instruments["stimulator"].model,
)
DP832 = ("rigol-dp800", "RIGOL TECHNOLOGIES", "DP832")
K6221 = ("keithley-6221", "KEITHLEY INSTRUMENTS INC.", "MODEL 6221")
K2450 = ("keithley-2450", "KEITHLEY INSTRUMENTS", "MODEL 2450")
K34970A = ("keysight-34970a", "Keysight Technologies", "34970A")
K34465A = ("keysight-34465a", "Keysight Technologies", "34465A")
K34460A = ("keysight-34461a", "Keysight Technologies", "34460A")
DMM6500 = ("keithley-dmm6500", "KEITHLEY INSTRUMENTS", "MODEL DMM6500")
K2000 = ("keithley-2000", "KEITHLEY INSTRUMENTS INC.", "MODEL 2000")

CASES = {
    "stimulator, current": Case(
        "stimulator", STIMULATOR, "", configured, r"^SOUR:CURR .*", "SOUR:CURR 0.004"
    ),
    "stimulator, polarity": Case(
        "stimulator", STIMULATOR, "", configured, r"^SOUR:POL .*", "SOUR:POL NEG"
    ),
    "stimulator, dose": Case("stimulator", STIMULATOR, "", configured, r"^SOUR:DOSE .*", ""),
    "DP800, voltage": Case("supply", DP832, "supply", supplied, r"CH1,9,1", "CH1,12,1"),
    "DP800, current": Case("supply", DP832, "supply", supplied, r"CH1,9,1", "CH1,9,2"),
    "DP800, output": Case("supply", DP832, "supply", supplied, r"^:OUTP CH1,ON", ""),
    "DP800, source": Case("supply", DP832, "source", supplied, r"CH2,9,1", "CH2,9,2"),
    "E36300, voltage": Case("supply", switches.E36312A, "supply", supplied, r"CH2,9,1", "CH2,12,1"),
    "E36300, current": Case(
        "supply", switches.E36312A, "supply", supplied, r"CH2,9,1", "CH2,9,0.5"
    ),
    "E36300, output": Case("supply", switches.E36312A, "supply", supplied, r"^OUTP ON.*", ""),
    "E36300, source": Case("supply", switches.E36312A, "source", supplied, r"CH3,9,1", "CH3,9,0.5"),
    "6221, level": Case(
        "stimulator", K6221, "reference", told(), r"^SOUR:CURR 0.*", "SOUR:CURR 0.0015"
    ),
    "6221, compliance": Case("stimulator", K6221, "reference", told(), r"COMP 20", "COMP 50"),
    "6221, range": Case(
        "stimulator", K6221, "reference", told(), r"^SOUR:CURR:RANG .*", "SOUR:CURR:RANG 0.02"
    ),
    "2450, level": Case(
        "stimulator", K2450, "reference", told(), r"^SOUR:CURR 0.002", "SOUR:CURR 0.003"
    ),
    "2450, limit": Case("stimulator", K2450, "reference", told(), r"VLIM 20", "VLIM 40"),
    "2450, function": Case(
        "stimulator", K2450, "reference", told(), r"^SOUR:FUNC CURR", "SOUR:FUNC VOLT"
    ),
    "2450, range": Case(
        "stimulator", K2450, "reference", told(), r"^SOUR:CURR:RANG .*", "SOUR:CURR:RANG 0.1"
    ),
    "2450 as ammeter, function": Case(
        "ammeter", K2450, "multimeter", small, r'^SENS:FUNC "CURR"', 'SENS:FUNC "VOLT"'
    ),
    "2450 as ammeter, range": Case(
        "ammeter", K2450, "multimeter", small, r"^(SENS:CURR:RANG) .*", r"\1 0.1"
    ),
    "2450 as ammeter, limit": Case(
        "ammeter", K2450, "multimeter", small, r"^(SOUR:VOLT:ILIM) .*", r"\1 0.001"
    ),
    "2450 as ammeter, level": Case(
        "ammeter", K2450, "multimeter", small, r"^SOUR:VOLT 0$", "SOUR:VOLT 0.01"
    ),
    "2450 as ammeter, output": Case("ammeter", K2450, "multimeter", small, r"^OUTP ON", ""),
    "2450 on the terminals, voltage": Case(
        "terminal_source", K2450, "terminal_source", applied, r"^SOUR:VOLT 5$", "SOUR:VOLT 7"
    ),
    "2450 on the terminals, limit": Case(
        "terminal_source", K2450, "terminal_source", applied, r"ILIM 0.001", "ILIM 0.01"
    ),
    "2450 on the terminals, range": Case(
        "terminal_source",
        K2450,
        "terminal_source",
        applied,
        r"^SOUR:VOLT:RANG .*",
        "SOUR:VOLT:RANG 200",
    ),
    "2450 on the terminals, output": Case(
        "terminal_source", K2450, "terminal_source", applied, r"^OUTP ON", ""
    ),
    "34970A, another load": Case(
        "load", K34970A, "load", chosen, r"^ROUT:CLOS .*", "ROUT:CLOS (@104)"
    ),
    "34970A, none": Case("load", K34970A, "load", chosen, r"^ROUT:CLOS .*", ""),
    "7001, another load": Case(
        "load", switches.K7001, "load", chosen, r"^:ROUT:CLOS .*", ":ROUT:CLOS (@1!4)"
    ),
    "34970A, one pole": Case("cutoff", K34970A, "cutoff", closed, r"^(ROUT:CLOS \(@\d+).*", r"\1)"),
    "7001, no pole": Case("cutoff", switches.K7001, "cutoff", closed, r"^:ROUT:CLOS .*", ""),
}
for name, driver in (
    ("34465A", K34465A),
    ("34460A", K34460A),
    ("DMM6500", DMM6500),
    ("2000", K2000),
):
    _range = r"^(CONF:CURR:DC|SENS:CURR:DC:RANG|SENS:DIG:CURR:RANG) 0.01$"
    CASES |= {
        f"{name}, range": Case("ammeter", driver, "multimeter", small, _range, r"\1 0.1"),
        f"{name}, range of a recording": Case(
            "ammeter", driver, "multimeter", recorded, _range, r"\1 0.1"
        ),
        f"{name}, function": Case(
            "voltmeter",
            driver,
            "multimeter",
            volts,
            r"^(CONF):VOLT:DC .*|^(SENS:FUNC) .*",
            lambda found: "CONF:CURR:DC 0.01" if found[1] else 'SENS:FUNC "CURR:DC"',  # type: ignore[arg-type]
        ),
    }


@pytest.fixture
def opened() -> Iterator[list[Any]]:
    made: list[Any] = []
    yield made
    for each in made:
        each.close()


def driver_of(case: Case, opened: list[Any]) -> tuple[Any, Bent]:
    description = switches.bench(**{case.role: case.driver})
    twin = SimulatedBench(PROFILE, description, (), 1)
    manager = backend.resource_manager(twin)
    entries = description.entries
    if case.role == "stimulator" and not case.table:  # the device has its power from the supply
        supply = transport.connect(manager, entries["supply"], twin.clock)
        supplied(drivers.supply(supply, twin.clock, entries["supply"], Calibration.VALID))
        twin.clock.sleep(1.0)
        opened.append(supply)
    session = transport.connect(manager, entries[case.role], twin.clock)
    bent = Bent(session, case.form, case.other)
    opened += [session, manager]
    parts: tuple[Any, ...] = (bent, twin.clock, entries[case.role], Calibration.VALID)
    if case.table:
        return getattr(drivers, case.table)(*parts), bent
    return drivers.stimulator(*parts, PROFILE), bent


@pytest.mark.parametrize("name", CASES)
def test_another_value_than_was_told_is_found(name: str, opened: list[Any]) -> None:
    driver, bent = driver_of(CASES[name], opened)
    with pytest.raises(InstrumentError, match=r"(?s) at .*"):
        CASES[name].act(driver)
    assert bent.met == 1


@pytest.mark.parametrize("name", CASES)
def test_the_value_that_was_told_is_believed(name: str, opened: list[Any]) -> None:
    driver, bent = driver_of(replace(CASES[name], form=r"(?!)", other=""), opened)
    CASES[name].act(driver)
    assert bent.met == 0


def test_every_driver_that_bounds_a_current_is_in_the_table() -> None:
    """But that of PyMeasure, whose readback is tried where PyMeasure is: among the peers."""
    bounding = (
        *drivers.MULTIMETERS,
        *drivers.AMMETERS,
        *drivers.LOADS,
        *drivers.SUPPLIES,
        *drivers.REFERENCES,
        *drivers.TERMINAL_SOURCES,
        "scpi-stimulator",
    )
    assert {case.driver[0] for case in CASES.values()} >= {*bounding} - {"pymeasure"}
