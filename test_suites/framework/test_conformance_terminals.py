"""Conformance of a source on the terminals: ours passes, each check rejects one that is wrong."""

import dataclasses
from datetime import date

import pytest

from framework import switches
from hil.measurement import Calibration
from hil.units import A, quantity
from hil_fixtures.conformance import run, terminal_source, wired
from hil_fixtures.station import open_station
from hil_instruments.drivers.keithley_2450 import Keithley2450Terminals

K2450 = ("keithley-2450", "KEITHLEY INSTRUMENTS", "MODEL 2450")


@pytest.fixture(scope="module")
def subject():
    description = switches.bench(terminal_source=K2450)
    station = open_station(switches.PROFILE, description, today=date(2026, 6, 1))
    with wired.terminal_source(station) as found:
        yield found
    station.close()


class LosesSign(Keithley2450Terminals):
    def apply(self, voltage, limit):
        super().apply(abs(voltage), limit)


class TellsTooMuch(Keithley2450Terminals):
    def drawn(self):
        return super().drawn() * 1.2


class IgnoresLimit(Keithley2450Terminals):
    def apply(self, voltage, limit):
        super().apply(voltage, quantity(0.1, A) if limit.m_as("A") > 0 else limit)


class StaysOn(Keithley2450Terminals):
    def off(self):
        self._session.stop_write("*CLS")


class AsksWhenOff(Keithley2450Terminals):
    def off(self):
        super().off()
        self._ask("OUTP?", str)


class SendsFirst(Keithley2450Terminals):
    def apply(self, voltage, limit):
        self._session.write("*CLS")
        super().apply(voltage, limit)


class NeverAsksForErrors(Keithley2450Terminals):
    def _configure(self, *commands):
        for command in commands:
            self._session.write(command)

    def _confirm(self, settings, **more):
        pass


class ReadsNothingBack(Keithley2450Terminals):
    def _confirm(self, settings, **more):
        pass


class Lenient(Keithley2450Terminals):
    def drawn(self):
        reply = self._session.query('MEAS:CURR? "defbuffer1"')
        try:
            return quantity(float(reply), A)
        except ValueError:
            return quantity(0.0, A)


WRONG = [
    (LosesSign, "applies"),
    (TellsTooMuch, "applies"),
    (IgnoresLimit, "limit"),
    (StaysOn, "off"),
    (AsksWhenOff, "off"),
    (SendsFirst, "refusals"),
    (NeverAsksForErrors, "settings"),
    (ReadsNothingBack, "read-back"),
    (Lenient, "unreadable replies"),
]


def test_our_source_on_the_terminals_conforms(subject):
    found = run(terminal_source.CHECKS, subject)
    assert [f"{each.name}: {each.measured}" for each in found.checks if each.remark] == []
    assert found.missing == []


@pytest.mark.parametrize(("kind", "check"), WRONG)
def test_a_wrong_driver_fails_the_check_that_is_there_for_it(subject, kind, check):
    entry = switches.bench(terminal_source=K2450).entries["terminal_source"]
    clock = subject.clock

    def make(session):
        return kind(session, clock, entry, Calibration.VALID)

    tried = {check: terminal_source.CHECKS[check]}
    wrong = dataclasses.replace(subject, make=make)
    assert run(tried, wrong).failed == [check]
    assert run(tried, subject).passed


def test_each_check_has_a_driver_that_it_rejects():
    assert {check for _, check in WRONG} == set(terminal_source.CHECKS)
