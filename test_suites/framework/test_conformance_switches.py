"""Conformance of oscilloscopes, loads, supplies and cut-offs: ours pass, each check can fail."""

import contextlib
import dataclasses
import re
from datetime import date
from typing import ClassVar

import numpy as np
import pytest

from framework import switches
from hil.cutoff import Make
from hil.errors import ConnectionLost, InstrumentError, UsageError
from hil.measurement import Calibration
from hil.units import V, quantity
from hil_fixtures.conformance import cutoff, electrode_load, oscilloscope, run, supply, wired
from hil_fixtures.station import open_station
from hil_instruments import drivers
from hil_instruments.drivers import rigol_ds1000z
from hil_instruments.drivers.instrument import Instrument
from hil_instruments.drivers.keysight_34970a import Keysight34970A, Keysight34970ACutoff
from hil_instruments.drivers.oscilloscope import Phase
from hil_instruments.drivers.rigol_dp800 import RigolDP800
from hil_instruments.drivers.rigol_ds1000z import RigolDS1000Z
from hil_instruments.drivers.stimproof_cutoff import StimproofCutoff

OPENED = {}


@pytest.fixture(scope="module", autouse=True)
def stations():
    yield
    for station in OPENED.values():
        station.close()
    OPENED.clear()


def station_of(name, description):
    """One station a bench, for all tests of this module."""
    if name not in OPENED:
        OPENED[name] = open_station(switches.PROFILE, description, today=date(2026, 6, 1))
    return OPENED[name]


def failures(found):
    return [f"{each.name}: {each.measured}: {each.remark}" for each in found.checks if each.remark]


BENCHES = {
    "rigol": switches.BUILT_IN,
    "keysight": switches.KEYSIGHT,
    "mixed": switches.MIXED,
    "card": switches.bench(cutoff=switches.DAQ970A),
    "7001": switches.bench(cutoff=switches.K7001),
}
ONE_SIGN = "sign: the stimulus has one sign only"


@pytest.mark.parametrize("name", ["rigol", "keysight", "mixed"])
def test_our_oscilloscopes_conform(name):
    with wired.oscilloscope(station_of(name, BENCHES[name])) as subject:
        found = run(oscilloscope.CHECKS, subject)
    assert failures(found) == []
    assert found.missing == [ONE_SIGN]


@pytest.mark.parametrize("name", ["rigol", "keysight", "mixed"])
def test_our_loads_conform(name):
    with wired.electrode_load(station_of(name, BENCHES[name])) as subject:
        found = run(electrode_load.CHECKS, subject)
    assert failures(found) == []
    assert [text.split(":")[0] for text in found.missing] == ["polarity"]


@pytest.mark.parametrize("name", ["rigol", "keysight"])
def test_our_supplies_conform(name):
    found = run(supply.CHECKS, wired.supply(station_of(name, BENCHES[name])))
    assert failures(found) == []
    assert found.missing == []


@pytest.mark.parametrize("name", ["rigol", "mixed", "card", "7001"])
def test_our_cut_offs_conform(name):
    with wired.cutoff(station_of(name, BENCHES[name])) as subject:
        found = run(cutoff.CHECKS, subject)
    assert failures(found) == []
    assert [text.split(":")[0] for text in found.missing] == ["both poles"]


# What is rejected. A driver that is wrong in one way, and the checks that must find it.


def rejected(checks, subject, make):
    """Names of the checks that a driver fails, put in the place of ours."""
    found = run(checks, dataclasses.replace(subject, make=make))
    print("\n".join(failures(found)))
    return found.failed


def of(kind, station, role):
    """Builds a driver of a class that takes the place of ours."""
    entry = station.description.instruments[role]
    return lambda session: kind(session, station.clock, entry, Calibration.UNKNOWN)


def turning(station):
    """Turns the source to the other sign, which no supply of this bench can."""
    return lambda: station.twin.circuit.drive_source(-20.0)


def named(each):
    return getattr(each, "__name__", each)


def changed_capture(change):
    def fetch(self):
        seen = super(type(self), self).fetch()
        return seen and dataclasses.replace(seen, codes=None, **change(seen))

    return fetch


class Scaled(RigolDS1000Z):
    fetch = changed_capture(lambda seen: {"samples": seen.samples * 1.3})


class Rectified(RigolDS1000Z):
    fetch = changed_capture(lambda seen: {"samples": np.abs(seen.samples)})


class Late(RigolDS1000Z):
    fetch = changed_capture(lambda seen: {"start": seen.start + 0.2})


class Clipped(RigolDS1000Z):
    fetch = changed_capture(lambda seen: {"samples": np.clip(seen.samples, -1, 1)})


class Stretched(RigolDS1000Z):
    fetch = changed_capture(lambda seen: {"interval": seen.interval * 20})


class Shallow(RigolDS1000Z):
    def arm(self, **asked):
        super().arm(**{**asked, "points": 1})


class Eager(RigolDS1000Z):
    def arm(self, **asked):
        super().arm(**asked)
        self.force()


class Earlier(RigolDS1000Z):
    kept = None

    def fetch(self):
        type(self).kept = type(self).kept or super().fetch()
        return type(self).kept


class Unchecked(RigolDS1000Z):
    def _configure(self, *commands):
        for command in commands:
            self._session.write(command)

    def _confirm(self, settings, *, within=0.0):
        pass


class Guessing(RigolDS1000Z):
    def _phase(self):
        return rigol_ds1000z.STATUS.get(self._session.query(":TRIG:STAT?"), Phase.STOPPED)


class Lax(RigolDS1000Z):
    def arm(self, **asked):
        self._session.write("*CLS")
        super().arm(**asked)


class Deaf(RigolDS1000Z):
    def fetch(self):
        try:
            return super().fetch()
        except ConnectionLost:
            return None


SCOPES = {
    Scaled: "level",
    Rectified: "sign",
    Late: "edge",
    Clipped: "overload",
    Stretched: "memory",
    Shallow: "memory",
    Eager: "no trigger",
    Earlier: "level",
    Unchecked: "settings",
    Guessing: "unreadable replies",
    Lax: "refusals",
    Deaf: "lost link",
}


def test_every_check_of_an_oscilloscope_rejects_something():
    assert {*SCOPES.values()} == {*oscilloscope.CHECKS}


@pytest.mark.parametrize(("kind", "check"), SCOPES.items(), ids=named)
def test_an_oscilloscope_that_is_wrong_is_rejected(kind, check):
    station = station_of("rigol", switches.BUILT_IN)
    with wired.oscilloscope(station) as subject:
        turned = dataclasses.replace(subject, reverse=turning(station) if check == "sign" else None)
        assert check in rejected(
            {check: oscilloscope.CHECKS[check]}, turned, of(kind, station, "oscilloscope")
        )


class Neighbour(Keysight34970A):
    def select(self, channel):
        super().select({102: 103}.get(channel, channel))


class Together(Keysight34970A):
    def select(self, channel):
        if channel is not None:
            self._configure(self._command((channel,), closed=True))
        self._chosen = channel

    def selected(self):
        return self._chosen


class Forgetful(Keysight34970A):
    asked = 0

    def selected(self):
        self.asked += 1
        return super().selected() if self.asked % 2 else 104


class Joined(Keysight34970A):
    def part(self, channel):
        pass


class Anywhere(Keysight34970A):
    def select(self, channel):
        self._session.write("*CLS")
        super().select(channel)


class Hopeful(Keysight34970A):
    def _configure(self, *commands):
        for command in commands:
            self._session.write(command)

    def select(self, channel):
        with contextlib.suppress(InstrumentError):
            super().select(channel)


class Careless(Keysight34970A):
    def select(self, channel):
        with contextlib.suppress(ConnectionLost):
            super().select(channel)


LOADS = {
    Neighbour: "values",
    Together: "values",
    Forgetful: "selection",
    Joined: "beside",
    Anywhere: "refusals",
    Hopeful: "settings",
    Careless: "lost link",
}


@pytest.mark.parametrize(("kind", "check"), LOADS.items(), ids=named)
def test_a_load_that_is_wrong_is_rejected(kind, check):
    station = station_of("rigol", switches.BUILT_IN)
    with wired.electrode_load(station) as subject:
        make = of(kind, station, "load")
        assert check in rejected({check: electrode_load.CHECKS[check]}, subject, make)


def test_a_load_that_believes_any_reply_is_rejected():
    station = station_of("rigol", switches.BUILT_IN)
    with wired.electrode_load(station) as subject:
        make = of(Hopeful, station, "load")
        name = "unreadable replies"
        assert rejected({name: electrode_load.CHECKS[name]}, subject, make) == [name]


class ElectronicLoad(Instrument):
    """Drives a DC electronic load as well as one can; it has no channels of its own."""

    ohms: ClassVar = {load.channel: load.resistance for load in switches.BUILT_IN.loads.values()}
    chosen = None

    def select(self, channel):
        if channel is not None and channel not in self.ohms:
            raise UsageError(f"{self.name}: channel {channel}")
        self._configure("FUNC RES", "INP OFF")
        if channel is not None:
            ohm = self.ohms[channel].to("ohm").magnitude
            self._configure(f"RES {max(ohm, 2)}", "INP ON")
        self.chosen = channel

    def selected(self):
        return self.chosen

    def join(self, channel):
        if channel in self.ohms:
            raise UsageError(f"{self.name}: channel {channel}")

    part = join


def test_a_dc_electronic_load_is_rejected(monkeypatch):
    monkeypatch.setitem(drivers.LOADS, "rigol-dl3000", ElectronicLoad)
    description = switches.bench(load=("rigol-dl3000", "RIGOL TECHNOLOGIES", "DL3021"))
    station = open_station(switches.PROFILE, description, today=date(2026, 6, 1))
    with contextlib.closing(station), wired.electrode_load(station) as subject:
        found = run(electrode_load.CHECKS, dataclasses.replace(subject, reverse=turning(station)))
    assert {"values", "low voltage", "polarity", "leakage", "beside"} <= {*found.failed}
    told = {check.name: f"{check.measured} {check.remark}" for check in found.checks}
    assert float(told["leakage"].split(" nA")[0]) > 50_000  # half a thousand times what is allowed
    assert "-222" in told["values"]  # 200 kohm lie beyond what it can be set to


def test_a_switched_load_passes_with_the_source_turned():
    station = station_of("rigol", switches.BUILT_IN)
    with wired.electrode_load(station) as subject:
        turned = dataclasses.replace(subject, reverse=turning(station))
        found = run({"polarity": electrode_load.CHECKS["polarity"]}, turned)
        assert failures(found) == []


class Sagging(RigolDP800):
    def on(self, voltage, current_limit):
        super().on(voltage * 0.9, current_limit)


class Boasting(RigolDP800):
    def is_on(self):
        return True


class Asking(RigolDP800):
    def off(self):
        self._session.query(":OUTP? CH1")
        super().off()


class Clamping(RigolDP800):
    def on(self, voltage, current_limit):
        super().on(min(voltage, quantity(30.0, V)), current_limit)


class Trusting(RigolDP800):
    def _confirm(self, settings, *, within=0.0):
        pass


class Blind(RigolDP800):
    def _configure(self, *commands):
        for command in commands:
            self._session.write(command)

    _confirm = Trusting._confirm  # noqa: SLF001 - the same lack

    def is_on(self):
        return True


class Loose(RigolDP800):
    def output_voltage(self):
        reply = self._session.query(":MEAS:VOLT? CH1")
        found = re.match(r"[0-9.]+", reply)
        return quantity(float(found[0]) if found else 0.0, V)


SUPPLIES = {
    Sagging: "output",
    Boasting: "output",
    Asking: "off on a lost session",
    Clamping: "limits",
    Trusting: "read-back",
    Blind: "settings",
    Loose: "unreadable replies",
}


def test_every_check_of_a_supply_rejects_something():
    assert {*SUPPLIES.values()} == {*supply.CHECKS}


@pytest.mark.parametrize(("kind", "check"), SUPPLIES.items(), ids=named)
def test_a_supply_that_is_wrong_is_rejected(kind, check):
    station = station_of("rigol", switches.BUILT_IN)
    make = of(kind, station, "supply")
    assert check in rejected({check: supply.CHECKS[check]}, wired.supply(station), make)


class Sealed(StimproofCutoff):
    def open_relay(self):
        self._session.stop_write("*CLS")


class Commanded(StimproofCutoff):
    """Reads back what it was told."""

    told = False

    def close_relay(self, epoch):
        super().close_relay(epoch)
        self.told = True

    def open_relay(self):
        super().open_relay()
        self.told = False

    def is_closed(self):
        return self.told


class Renewing(StimproofCutoff):
    """Closes under any epoch: under a larger one of its own."""

    def close_relay(self, epoch):
        super().close_relay(max(epoch, self.epoch() + 1))


class Inquisitive(StimproofCutoff):
    def open_relay(self):
        self.errors()
        super().open_relay()


class Ordinary(StimproofCutoff):
    """Opens by an ordinary command, which a poisoned session refuses."""

    def open_relay(self):
        self._session.write("REL:OPEN")


class Silent(StimproofCutoff):
    def close_relay(self, epoch):
        with contextlib.suppress(ConnectionLost):
            super().close_relay(epoch)


class Endless(StimproofCutoff):
    def renew(self, seconds):
        self._session.write("REL:REN 10")


class Lapsing(StimproofCutoff):
    def renew(self, seconds):
        pass


CUTOFFS = {
    Sealed: "closes and opens",
    Commanded: "lapse",
    Renewing: "epochs",
    Inquisitive: "stop lane",
    Ordinary: "poisoned session",
    Silent: "lost link",
    Endless: "leases",
    Lapsing: "renewal",
}
ALL_OF_CUTOFFS = {**cutoff.CHECKS, **cutoff.OF_INDEPENDENT}


def test_every_check_of_a_cut_off_rejects_something():
    elsewhere = {"both poles", "without power"}
    assert {*CUTOFFS.values(), *elsewhere} == {*ALL_OF_CUTOFFS}


@pytest.mark.parametrize(("kind", "check"), CUTOFFS.items(), ids=named)
def test_a_cut_off_that_is_wrong_is_rejected(kind, check):
    station = station_of("rigol", switches.BUILT_IN)
    with wired.cutoff(station) as subject:
        make = of(kind, station, "cutoff")
        assert check in rejected({check: ALL_OF_CUTOFFS[check]}, subject, make)


class OnePole(Keysight34970ACutoff):
    def open_relay(self):
        self._void = max(self._void, self._used)
        self._session.stop_write(self._command((201,), closed=False))


def test_a_cut_off_that_leaves_a_pole_closed_is_rejected():
    station = station_of("card", BENCHES["card"])
    name = "both poles"
    with wired.cutoff(station) as subject:
        unit = station.twin.instruments["cutoff"]
        poled = dataclasses.replace(
            subject, poles=lambda: tuple(pole in unit.closed for pole in (201, 202))
        )
        assert failures(run({name: cutoff.CHECKS[name]}, poled)) == []
        make = of(OnePole, station, "cutoff")
        assert rejected({name: cutoff.CHECKS[name]}, poled, make) == [name]


@pytest.mark.parametrize(
    ("name", "kind", "reasons"),
    [
        ("rigol", "independent", []),
        ("mixed", "independent", []),
        ("card", "software", ["its relays latch", "no hardware lease", "without power: CLOSED"]),
        ("7001", "software", ["no hardware lease"]),
    ],
)
def test_how_a_cut_off_counts_follows_from_what_it_does_and_what_is_declared(name, kind, reasons):
    with wired.cutoff(station_of(name, BENCHES[name])) as subject:
        found = run(cutoff.OF_INDEPENDENT, subject)
        counts, why = cutoff.kind_of(subject, found)
        assert counts == kind
        assert len(why) == len(reasons)
        assert all(reason in text for reason, text in zip(reasons, why, strict=True))
        shared = dataclasses.replace(subject, wiring={**subject.wiring, "cutoff_supply": "load"})
        assert cutoff.kind_of(shared, found)[0] == "software"


def test_a_lease_that_is_claimed_and_not_kept_is_found():
    with wired.cutoff(station_of("7001", BENCHES["7001"])) as subject:
        claims = dataclasses.replace(subject, kind=Make(latches=False, lease=(0.1, 10.0)))
        found = run(cutoff.OF_INDEPENDENT, claims)
        assert "lapse" in found.failed
        assert cutoff.kind_of(claims, found)[0] == "software"
