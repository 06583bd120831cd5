"""Conformance of multimeters: our drivers pass, and each check rejects a driver that is wrong."""

import dataclasses
import math
import re
from contextlib import contextmanager
from datetime import date

import numpy as np
import pytest

from hil.errors import ConnectionLost
from hil.measurement import Calibration
from hil.units import quantity
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.conformance import Conformance, meters, multimeter, run
from hil_fixtures.station import open_station
from hil_instruments.drivers.keithley_2000 import Keithley2000
from hil_instruments.drivers.keithley_2450_ammeter import Keithley2450Ammeter
from hil_instruments.drivers.keysight_34465a import Keysight34465A
from hil_instruments.simulated.metrology.fault import HEALTHY, MeterFault

PROFILE, DESCRIPTION = read_device(None), read_bench(None)
ONE_SIGN = "sign: the stimulus has one sign only"


BENCHES = {
    "34465A": ("keysight-34465a", "Keysight Technologies", "34465A"),
    "34461A": ("keysight-34461a", "Keysight Technologies", "34461A"),
    "34460A": ("keysight-34461a", "Keysight Technologies", "34460A"),
    "DMM6500": ("keithley-dmm6500", "KEITHLEY INSTRUMENTS", "MODEL DMM6500"),
    "2450": ("keithley-2450", "KEITHLEY INSTRUMENTS", "MODEL 2450"),
    "2000": ("keithley-2000", "KEITHLEY INSTRUMENTS INC.", "MODEL 2000"),
}
ROLES = ("ammeter", "voltmeter")
ROLES_OF = {"2450": ("ammeter",)}
"""Model to the roles that it fills, if not both."""
WIDE = "the smallest range, 0.01 A, holds the stimulus"
LASTING = "memory: the memory lasts 300 s, so that this takes 780 s"
UNTRIED = {
    ("2000", "ammeter"): [f"overload: {WIDE}", f"fixed range: {WIDE}"],
    ("2450", "ammeter"): [LASTING],
}
"""Beside ONE_SIGN, what the circuit of this bench cannot try with a meter."""


def bench_of(model):
    """The built-in bench with other meters."""
    driver, maker, named = BENCHES[model]
    entries = dict(DESCRIPTION.instruments)
    for role in ROLES_OF.get(model, ROLES):
        entries[role] = dataclasses.replace(
            entries[role], driver=driver, manufacturer=maker, model=named
        )
    return dataclasses.replace(DESCRIPTION, instruments=entries)


@contextmanager
def opened(model):
    station = open_station(PROFILE, bench_of(model), today=date(2026, 6, 1))
    try:
        with meters.subjects(station, patience=120.0) as found:
            yield station, dict(zip(ROLES, found, strict=True))
    finally:
        station.close()


@pytest.fixture(scope="module")
def usual():
    with opened("34465A") as made:
        yield made


@pytest.fixture
def station(usual):
    return usual[0]


@pytest.fixture
def subjects(usual):
    return usual[1]


def failures(found: Conformance) -> list[str]:
    return [f"{each.name}: {each.measured}: {each.remark}" for each in found.checks if each.remark]


@pytest.mark.parametrize("model", BENCHES)
def test_our_driver_conforms_in_both_roles(model):
    with opened(model) as (_, subjects):
        for role in ROLES_OF.get(model, ROLES):
            found = run(multimeter.CHECKS, subjects[role])
            assert failures(found) == []
            assert found.missing == [ONE_SIGN, *UNTRIED.get((model, role), [])]
            assert found.passed
            assert len(found.checks) == len(multimeter.CHECKS) - len(found.missing)


# Drivers that are wrong, each in one way.


class ReadsHigh(Keysight34465A):
    def read(self, dimension, full_scale):
        value, accuracy = super().read(dimension, full_scale)
        return value * 1.1, accuracy


class LosesSign(Keysight34465A):
    def read(self, dimension, full_scale):
        value, accuracy = super().read(dimension, full_scale)
        return abs(value), accuracy


class ReadsEarlier(Keysight34465A):
    last = None

    def read(self, dimension, full_scale):
        now = super().read(dimension, full_scale)
        self.last, earlier = now, self.last
        return earlier or now


class AutoRanges(Keysight34465A):
    def _set_up(self, dimension, chosen, aperture, *more):
        super()._set_up(dimension, chosen, aperture, *more)
        function = dimension.name[:4]
        self._session.write(f"{function}:RANG:AUTO ON")


class ClipsOverload(Keysight34465A):
    def read(self, dimension, full_scale):
        value, accuracy = super().read(dimension, full_scale)
        size = min(float(value.magnitude), 1.2 * full_scale)
        return quantity(size, value.units), accuracy


class StatesWrongRange(Keysight34465A):
    def _accuracy(self, chosen):
        return dataclasses.replace(super()._accuracy(chosen), offset=0.0)


class Lenient(Keysight34465A):
    class Session:
        def __init__(self, session):
            self._session = session

        def __getattr__(self, name):
            return getattr(self._session, name)

        def query(self, text, **more):
            reply = self._session.query(text, **more)
            if "READ" not in text:
                return reply
            found = re.match(r"[-+0-9.E]+", reply)
            return found[0] if found else "0"

    def __init__(self, session, clock, entry, calibration):
        super().__init__(self.Session(session), clock, entry, calibration)


class ReadsOverloadAsNumber(Keysight34465A):
    def read(self, dimension, full_scale):
        value, accuracy = super().read(dimension, full_scale)
        if math.isinf(value.magnitude):
            return quantity(math.copysign(9.9e37, value.magnitude), value.units), accuracy
        return value, accuracy


class SendsBeforeRefusing(Keysight34465A):
    def read(self, dimension, full_scale):
        self._session.write("*CLS")
        return super().read(dimension, full_scale)


class TakesWhatItDoesNotOffer(Keysight34465A):
    def start_recording(self, dimension, full_scale, rate):
        fits = rate if self.sampling.offers(rate) else self.sampling.fastest
        super().start_recording(dimension, full_scale, fits)


class NeverAsksForErrors(Keysight34465A):
    def _configure(self, *commands):
        for command in commands:
            self._session.write(command)


class ReadsWhileRecording(Keysight34465A):
    def read(self, dimension, full_scale):
        kept, self._recording = self._recording, None
        try:
            return super().read(dimension, full_scale)
        finally:
            self._recording = kept


class SamplesAtHalfRate(Keysight34465A):
    def start_recording(self, dimension, full_scale, rate):
        super().start_recording(dimension, full_scale, rate / 2)


class CountsNothing(Keysight34465A):
    def drain(self):
        super().drain()
        return 0


class Changed(Keysight34465A):
    """Hands over another capture than it took."""

    def changes(self, capture):
        raise AssertionError

    def stop_recording(self):
        capture = super().stop_recording()
        return dataclasses.replace(capture, **self.changes(capture))


class RecordsHigh(Changed):
    def changes(self, capture):
        return {"samples": capture.samples * 1.1}


class NamesAnother(Changed):
    def changes(self, capture):
        return {"source": dataclasses.replace(capture.source, serial="SIM-9999")}


class StartsLate(Changed):
    def changes(self, capture):
        return {"start": capture.start + 0.1}


class HidesGaps(Changed):
    def changes(self, capture):
        return {"samples": np.nan_to_num(capture.samples, posinf=math.inf), "gaps": ()}


class ClosesGaps(Changed):
    def changes(self, capture):
        return {"samples": capture.samples[~np.isnan(capture.samples)], "gaps": ()}


class KeepsEarlierSamples(Keysight34465A):
    kept = ()

    def start_recording(self, dimension, full_scale, rate):
        super().start_recording(dimension, full_scale, rate)
        self._recording.pieces.extend(self.kept)

    def stop_recording(self):
        capture = super().stop_recording()
        self.kept = [capture.samples]
        return capture


class RecordsInWidestRange(Keysight34465A):
    def start_recording(self, dimension, full_scale, rate):
        super().start_recording(dimension, 0.1 if full_scale < 0.1 else 1000.0, rate)


class EndsWithoutLink(Keysight34465A):
    def stop_recording(self):
        try:
            return super().stop_recording()
        except ConnectionLost:
            return None


class RaisesBare(Keysight34465A):
    def stop_recording(self):
        try:
            return super().stop_recording()
        except ConnectionLost as err:
            raise ValueError from err


class TrustsEarlierSettings(Keysight34465A):
    """Does not configure what it believes to be configured."""

    def _set_up(self, dimension, chosen, aperture, *more):
        if more and more[0].startswith("SAMP"):
            super()._set_up(dimension, chosen, aperture, *more)


class SendsUnknown(Keysight34465A):
    def stop_recording(self):
        capture = super().stop_recording()
        self._session.write("SAMP:STOP")
        return capture


WRONG = [
    (ReadsHigh, "reading"),
    (LosesSign, "sign"),
    (ReadsEarlier, "fresh reading"),
    (AutoRanges, "overload"),
    (ClipsOverload, "overload"),
    (StatesWrongRange, "accuracy"),
    (Lenient, "unreadable replies"),
    (ReadsOverloadAsNumber, "unreadable replies"),
    (SendsBeforeRefusing, "refusals"),
    (TakesWhatItDoesNotOffer, "refusals"),
    (NeverAsksForErrors, "settings of a reading"),
    (NeverAsksForErrors, "settings of a recording"),
    (ReadsWhileRecording, "reading while recording"),
    (RecordsHigh, "recording"),
    (SamplesAtHalfRate, "recording"),
    (NamesAnother, "recording"),
    (CountsNothing, "recording"),
    (StartsLate, "time base"),
    (KeepsEarlierSamples, "time base"),
    (RecordsInWidestRange, "fixed range"),
    (AutoRanges, "fixed range"),
    (HidesGaps, "memory"),
    (ClosesGaps, "memory"),
    (EndsWithoutLink, "lost link"),
    (RaisesBare, "lost link"),
    (TrustsEarlierSettings, "left recording"),
    (SendsUnknown, "error queue"),
]


def test_a_2450_that_overwrites_its_buffer_tells_what_is_lost(monkeypatch):
    monkeypatch.setattr(Keithley2450Ammeter, "BUFFER", 1_000)
    monkeypatch.setattr(Keithley2450Ammeter, "KEPT", 750)
    with opened("2450") as (_, subjects):
        assert run({"memory": multimeter.CHECKS["memory"]}, subjects["ammeter"]).passed


class HidesItsEnd(Keithley2000):
    def stop_recording(self):
        capture = super().stop_recording()
        kept = capture.samples[~np.isnan(capture.samples)]
        return dataclasses.replace(capture, samples=kept, gaps=())


class HandsOutTwice(Keithley2000):
    def drain(self):
        super().drain()
        return self._recording.total


@pytest.mark.parametrize("driver", [HidesItsEnd, HandsOutTwice])
def test_a_recording_that_ends_by_itself_and_does_not_say_so_is_rejected(driver):
    with opened("2000") as (_, subjects):
        tried = {"memory": multimeter.CHECKS["memory"]}
        assert run(tried, subjects["ammeter"]).passed
        assert run(tried, with_driver(subjects["ammeter"], driver)).failed == ["memory"]


@pytest.fixture
def reversible(station, subjects):
    """The ammeter, whose leads can be turned round."""
    subject = subjects["ammeter"]
    instrument = station.twin.instruments["ammeter"]

    def turn(fault):
        instrument.fault = fault

    stimulus = dataclasses.replace(subject.stimulus, reverse=lambda: turn(MeterFault(scale=-1.0)))

    def rest():
        turn(HEALTHY)
        subject.rest()

    return dataclasses.replace(subject, stimulus=stimulus, rest=rest)


def with_driver(subject, driver):
    entry = DESCRIPTION.instruments[subject.role]

    def make(session):
        return driver(session, subject.clock, entry, Calibration.VALID)

    return dataclasses.replace(subject, make=make)


@pytest.mark.parametrize(
    ("driver", "check"), WRONG, ids=lambda each: getattr(each, "__name__", each)
)
def test_a_wrong_driver_fails_the_check_that_is_there_for_it(reversible, driver, check):
    tried = {check: multimeter.CHECKS[check]}
    assert run(tried, with_driver(reversible, Keysight34465A)).passed
    found = run(tried, with_driver(reversible, driver))
    assert found.failed == [check]
    assert found.checks[0].remark
    assert not found.passed


def test_each_check_has_a_driver_that_it_rejects():
    assert {check for _, check in WRONG} == set(multimeter.CHECKS)
