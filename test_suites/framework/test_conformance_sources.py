"""Conformance of reference sources: ours pass, each check rejects one that is wrong; then meters
against them, with both signs."""

import dataclasses
from contextlib import contextmanager

import pytest

from hil.exact import Dimension
from hil.measurement import Calibration
from hil.units import A, V, quantity
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.conformance import meters, multimeter, run, source
from hil_instruments import drivers, transport
from hil_instruments.drivers.keithley_2450 import Keithley2450
from hil_instruments.drivers.keithley_6221 import Keithley6221
from hil_instruments.simulated import backend
from hil_instruments.simulated.bench import SimulatedBench

PROFILE, DESCRIPTION = read_device(None), read_bench(None)
SOURCES = {
    "6221": ("keithley-6221", "KEITHLEY INSTRUMENTS INC.", "MODEL 6221"),
    "2450": ("keithley-2450", "KEITHLEY INSTRUMENTS", "MODEL 2450"),
}
BOTH = (Dimension.CURRENT, Dimension.VOLTAGE)
KINDS = {"6221": BOTH[:1], "2450": BOTH}
LOAD, OHM = 103, 1102.0
"""1 kohm, shunt of 100 ohm, ammeter of 2 ohm."""


class Rig:
    """A source in the stimulator's place, an ammeter, a load of 1 kohm, the cut-off closed."""

    def __init__(self, model):
        driver, maker, named = SOURCES[model]
        self.entries = dict(DESCRIPTION.instruments)
        self.entries["stimulator"] = dataclasses.replace(
            self.entries["stimulator"], driver=driver, manufacturer=maker, model=named
        )
        description = dataclasses.replace(DESCRIPTION, instruments=self.entries)
        self.twin = SimulatedBench(PROFILE, description, (), 1)
        self.clock, self.manager = self, backend.resource_manager(self.twin)
        self.sessions = {
            role: transport.connect(self.manager, self.entries[role], self.twin.clock)
            for role in ("stimulator", "ammeter", "voltmeter", "load", "cutoff")
        }
        self.load = drivers.load(*self.parts("load"))
        self.cutoff = drivers.cutoff(*self.parts("cutoff"))
        self.ammeter = drivers.multimeter(*self.parts("ammeter"))
        self.load.select(LOAD)
        self.cutoff.close_relay(self.cutoff.epoch() + 1)
        self.cutoff.renew(10)

    def parts(self, role):
        return self.sessions[role], self.twin.clock, self.entries[role], Calibration.VALID

    def now(self):
        return self.twin.clock.now()

    def sleep(self, seconds):
        end = self.now() + seconds
        while (left := end - self.now()) > 0:
            self.cutoff.renew(10)
            self.twin.clock.sleep(min(left, 2.0))

    def subject(self, model, driver=None):
        make = driver or drivers.REFERENCES[SOURCES[model][0]]
        session, clock, entry, calibration = self.parts("stimulator")
        accuracy = self.ammeter.read(Dimension.CURRENT, 6e-3)[1]

        def rest():
            session.stop_write("OUTP OFF")
            self.sleep(0.05)

        return source.SourceSubject(
            role="stimulator",
            session=session,
            clock=self,
            make=lambda over: make(over, clock, entry, calibration),
            rest=rest,
            read=lambda: self.ammeter.read(Dimension.CURRENT, 6e-3)[0].m_as("A"),
            limit=1.2 * accuracy.offset + accuracy.gain * 2e-3,
            ohm=OHM,
            kinds=KINDS[model],
        )


@pytest.fixture(scope="module", params=SOURCES)
def model(request):
    return request.param


@pytest.fixture(scope="module")
def rigs():
    made = {model: Rig(model) for model in SOURCES}
    yield made
    for rig in made.values():
        for session in rig.sessions.values():
            session.close()
        rig.manager.close()


def test_our_source_conforms(rigs, model):
    found = run(source.CHECKS, rigs[model].subject(model))
    told = [f"{each.name}: {each.measured}: {each.remark}" for each in found.checks if each.remark]
    assert told == []
    assert found.missing == ([] if len(KINDS[model]) == 2 else ["kinds: it sources one kind only"])


# Drivers that are wrong, each in one way.


class LosesSign(Keithley6221):
    def drive(self, value, limit):
        return super().drive(abs(value), limit)


class StaysOn(Keithley6221):
    def off(self):
        pass


class AsksWhenOff(Keithley6221):
    def off(self):
        self._session.write("OUTP OFF")
        self.is_on()


class IgnoresLimit(Keithley6221):
    def drive(self, value, limit):
        return super().drive(value, quantity(100.0, V))


class NeverLimited(Keithley6221):
    def limited(self):
        return False


class StatesNothing(Keithley6221):
    def drive(self, value, limit):
        return dataclasses.replace(super().drive(value, limit), gain=0.0)


class Clamps(Keithley6221):
    """As some drivers do: 5 A become 0.1 A without a word."""

    def drive(self, value, limit):
        return super().drive(quantity(min(float(value.m_as("A")), 0.1), A), limit)


class NeverAsksForErrors(Keithley6221):
    def _configure(self, *commands):
        for command in commands:
            self._session.write(command)


class ReadsNothingBack(Keithley6221):
    def _confirm(self, settings, *, within=0.0):
        pass


class SwitchesOnFirst(Keithley2450):
    def _confirm(self, settings, *, within=0.0):
        self._session.write("OUTP ON")
        super()._confirm(settings, within=within)


class KeepsItsKind(Keithley2450):
    last = None

    def drive(self, value, limit):
        if self.last is None or self.last.is_compatible_with(value):
            self.last, self.stated = value, super().drive(value, limit)
        return self.stated


class SendsUnknown(Keithley6221):
    def off(self):
        super().off()
        self._session.stop_write("OUTP:OPEN")


WRONG = [
    ("6221", LosesSign, "drives"),
    ("6221", StaysOn, "off"),
    ("6221", AsksWhenOff, "off"),
    ("6221", IgnoresLimit, "limit"),
    ("6221", NeverLimited, "limit"),
    ("6221", StatesNothing, "accuracy"),
    ("6221", Clamps, "refusals"),
    ("6221", NeverAsksForErrors, "settings"),
    ("6221", ReadsNothingBack, "read-back"),
    ("2450", SwitchesOnFirst, "read-back"),
    ("2450", KeepsItsKind, "kinds"),
    ("6221", SendsUnknown, "error queue"),
]


@pytest.mark.parametrize(
    ("model", "driver", "check"), WRONG, ids=lambda each: getattr(each, "__name__", each)
)
def test_a_wrong_source_fails_the_check_that_is_there_for_it(rigs, model, driver, check):
    tried = {check: source.CHECKS[check]}
    assert run(tried, rigs[model].subject(model)).passed
    found = run(tried, rigs[model].subject(model, driver))
    assert found.failed == [check]
    assert (found.checks[0].measured == "it raised") is (driver is AsksWhenOff)


def test_each_check_has_a_source_that_it_rejects():
    assert {check for *_, check in WRONG} == set(source.CHECKS)


# Meters against a reference source, which knows both signs and is known to a tenth of a percent.


@contextmanager
def checked_by(rig, role):
    load = rig.subject("6221")
    driver = drivers.reference(*rig.parts("stimulator"))
    accuracy = driver.drive(*load.request(Dimension.CURRENT))
    rig.sleep(0.1)
    yield meters.by_reference(
        role=role,
        session=rig.sessions[role],
        clock=rig,
        make=lambda over: drivers.multimeter(over, *rig.parts(role)[1:]),
        source=driver,
        current=1e-3,
        accuracy=accuracy,
        ohm=100.1 + 1000.0,
        model=rig.entries[role].model,
    )
    driver.off()


@pytest.mark.parametrize("role", ["ammeter", "voltmeter"])
def test_meters_conform_against_a_reference_source_of_both_signs(rigs, role):
    with checked_by(rigs["6221"], role) as subject:
        found = run(multimeter.CHECKS, subject)
    told = [f"{each.name}: {each.measured}: {each.remark}" for each in found.checks if each.remark]
    assert told == []
    assert found.missing == []
    assert "sign" in {check.name for check in found.checks}
