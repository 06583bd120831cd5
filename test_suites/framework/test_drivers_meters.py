"""Multimeter drivers beyond what conformance asks: what a front panel leaves, long recordings."""

import dataclasses
import math
import struct
import time
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from framework.scripts import last_set
from hil.bench import InstrumentEntry
from hil.errors import BenchError, InstrumentError, UsageError
from hil.exact import Dimension
from hil.measurement import Calibration
from hil_fixtures.clocks import WallClock
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.conformance import meters, multimeter, run
from hil_fixtures.station import check_drivers, open_station
from hil_instruments import drivers, transport
from hil_instruments.drivers import keithley_dmm6500, keysight_34461a
from hil_instruments.encoding import Identity
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.faults.link import LINK_FAULTS, LinkFault
from hil_instruments.simulated.metrology.fault import MeterFault
from hil_instruments.simulated.servers.served import BenchServer, Protocol

PROFILE, DESCRIPTION = read_device(None), read_bench(None)
MODELS = {
    "34465A": ("keysight-34465a", "Keysight Technologies", "34465A"),
    "34460A": ("keysight-34461a", "Keysight Technologies", "34460A"),
    "34461A": ("keysight-34461a", "Keysight Technologies", "34461A"),
    "DMM6500": ("keithley-dmm6500", "KEITHLEY INSTRUMENTS", "MODEL DMM6500"),
}


def bench_of(model, resource=None):
    driver, maker, named = MODELS[model]
    entries = dict(DESCRIPTION.instruments)
    for role in ("ammeter", "voltmeter"):
        entries[role] = dataclasses.replace(
            entries[role], driver=driver, manufacturer=maker, model=named
        )
    if resource:
        entries["ammeter"] = dataclasses.replace(entries["ammeter"], resource=resource)
    return dataclasses.replace(DESCRIPTION, instruments=entries)


@contextmanager
def ammeter_of(model, resource=None):
    station = open_station(PROFILE, bench_of(model, resource), today=date(2026, 6, 1))
    try:
        with meters.subjects(station) as (subject, _):
            yield subject
    finally:
        station.close()


@pytest.mark.parametrize("fault", ["I01", "I05", "I06"])
@pytest.mark.parametrize("model", ["34465A", "DMM6500"])
def test_a_fault_that_sets_in_while_it_records_takes_no_sample_twice(model, fault):
    """It sets in as the bench is brought up to the clock, in the middle of gathering samples."""
    spec = f"{fault}:role=ammeter,onset=after:4s"
    station = open_station(PROFILE, bench_of(model), faults=(spec,), today=date(2026, 6, 1))
    try:
        station.clock.sleep(3.0 - station.clock.now())
        station.ammeter.start_recording(Dimension.CURRENT, 4e-3, 2000.0)
        station.clock.sleep(2.0)
        capture = station.ammeter.stop_recording()
    finally:
        station.close()
    assert len(capture.samples) == pytest.approx(4000, abs=20)
    assert capture.gaps == ()


@contextmanager
def linked(model):
    """The ammeter, what its replies pass through, and the bench."""
    station = open_station(PROFILE, bench_of(model), today=date(2026, 6, 1))
    try:
        with meters.subjects(station) as (subject, _):
            yield subject, station.twin.links["ammeter"], station
    finally:
        station.close()


@pytest.fixture(scope="module")
def dmm6500():
    with ammeter_of("DMM6500") as subject:
        yield subject


def test_the_example_bench_differs_from_the_built_in_one_in_its_meters_only():
    path = Path(__file__).resolve().parents[2] / "docs" / "bench-dmm6500.toml"
    named = dataclasses.replace(read_bench(path), name="", text="")
    expected = dataclasses.replace(bench_of("DMM6500"), name="", text="")
    assert named == expected
    check_drivers(named)


class HeldUp:
    """A session on a machine with other work: its thread waits before or after an exchange."""

    def __init__(self, session, clock, before, after):
        self._session, self._clock = session, clock
        self._before, self._after = before, after
        self.begun = None

    def __getattr__(self, name):
        return getattr(self._session, name)

    def write(self, text, **more):
        self._session.write(text, **more)
        if text == "INIT":
            self.begun = self._clock.now()

    def query(self, text, **more):
        if self.begun is None:
            return self._session.query(text, **more)
        self._clock.sleep(self._before)
        reply = self._session.query(text, **more)
        self._clock.sleep(self._after)
        self._before = self._after = 0.0
        return reply


@pytest.mark.parametrize(("before", "after"), [(0.0, 0.0), (0.5, 0.0), (0.0, 0.5), (0.4, 0.5)])
@pytest.mark.parametrize("model", ["34465A", "DMM6500"])
def test_the_start_of_a_recording_is_known_also_if_the_machine_is_held_up(model, before, after):
    """Half a second by which it was not known made two meters that agree contradict each other."""
    with linked(model) as (subject, _, station):
        held = HeldUp(subject.session, station.clock, before, after)
        meter = subject.make(held)
        meter.start_recording(Dimension.CURRENT, 5e-3, 2_000.0)
        station.clock.sleep(0.1)
        capture = meter.stop_recording()
        off = capture.start - held.begun
        assert abs(off) <= 0.01
        assert abs(off) <= math.sqrt(3) * capture.start_u + 1e-3


# DMM6500 on the simulated bench


@pytest.mark.parametrize(
    "left",
    [
        ("SENS:CURR:AVER:COUN 100", "SENS:CURR:AVER:TCON MOV", "SENS:CURR:AVER ON"),
        ("SENS:CURR:REL 1E-3", "SENS:CURR:REL:STAT ON"),
        ('SENS:FUNC "VOLT"',),
        ('SENS:FUNC "CURR"', "SENS:CURR:RANG:AUTO ON", "SENS:COUN 50"),
        ('SENS:DIG:FUNC "CURR"', "SENS:DIG:COUN 5000"),
        ("FORM:DATA SRE", "FORM:BORD SWAP"),
        ("*RST",),
    ],
)
def test_what_a_front_panel_or_program_left_spoils_nothing(dmm6500, left):
    for text in left:
        dmm6500.session.write(text)
    tried = {name: multimeter.CHECKS[name] for name in ("overload", "reading", "recording")}
    assert run(tried, dmm6500).failed == []


def test_a_digitized_relative_offset_spoils_no_recording(dmm6500):
    for text in ("SENS:DIG:CURR:REL 1E-3", "SENS:DIG:CURR:REL:STAT ON"):
        dmm6500.session.write(text)
    assert run({"recording": multimeter.recording}, dmm6500).passed


def test_every_sample_keeps_its_place_through_many_turns_of_the_buffer(dmm6500):
    meter, _ = dmm6500.fresh()
    dmm6500.start(meter)
    began, edges = dmm6500.clock.now(), []
    for turn in range(7):
        dmm6500.clock.sleep(9.0)
        edges.append(dmm6500.clock.now())
        (dmm6500.stimulus.off if turn % 2 else dmm6500.stimulus.on)()
        meter.drain()
    capture = meter.stop_recording()
    lasted = dmm6500.clock.now() - began
    dmm6500.rest()
    assert capture.gaps == ()
    assert len(capture.samples) > 3 * keithley_dmm6500.BUFFER
    assert len(capture.samples) == pytest.approx(lasted * keithley_dmm6500.FASTEST, rel=1e-3)
    above = capture.samples > dmm6500.stimulus.level / 2
    found = capture.start + capture.interval * (np.flatnonzero(above[1:] != above[:-1]) + 1)
    assert found.tolist() == pytest.approx(edges, abs=0.03)


@pytest.mark.parametrize("turns", [0.9, 2.5])
def test_what_nobody_fetched_in_time_is_one_gap_of_its_true_length(dmm6500, turns):
    meter, _ = dmm6500.fresh()
    dmm6500.start(meter)
    dmm6500.clock.sleep(turns * keithley_dmm6500.BUFFER / keithley_dmm6500.FASTEST)
    edge = dmm6500.clock.now()
    dmm6500.stimulus.on()
    dmm6500.clock.sleep(0.5)
    capture = meter.stop_recording()
    dmm6500.rest()
    ((first, count),) = capture.gaps
    assert (first, len(capture.samples) - count) == (0, keithley_dmm6500.KEPT)
    above = capture.samples > dmm6500.stimulus.level / 2
    found = capture.start + capture.interval * np.flatnonzero(above)[0]
    assert found == pytest.approx(edge, abs=0.03)


def test_blocks_without_length_come_over_a_raw_socket_too():
    with ammeter_of("DMM6500", "TCPIP0::SIM-AMMETER::5025::SOCKET") as subject:
        tried = {name: multimeter.CHECKS[name] for name in ("reading", "recording", "time base")}
        assert run(tried, subject).failed == []


@pytest.fixture(scope="module")
def served():
    made = BenchServer(SimulatedBench(PROFILE, bench_of("DMM6500")), wall=time.monotonic)
    made.start()
    with made.lock:
        made.bench.instruments["ammeter"].fault = MeterFault(offset=1e-3)
    yield made
    made.stop()
    assert made.failures == []


@pytest.mark.parametrize("protocol", Protocol)
def test_it_is_read_and_recorded_over_every_served_protocol(served, protocol):
    manager, clock = transport.open_manager("@py"), WallClock()
    entry = dataclasses.replace(
        served.bench.description.instruments["ammeter"],
        resource=served.resources[protocol]["ammeter"],
    )
    meter = drivers.multimeter(
        transport.connect(manager, entry, clock), clock, entry, Calibration.VALID
    )
    value, _ = meter.read(Dimension.CURRENT, 6e-3)
    assert value.m_as("mA") == pytest.approx(1, rel=0.02)
    meter.start_recording(Dimension.CURRENT, 6e-3, 10_000)
    clock.sleep(0.3)
    meter.drain()
    capture = meter.stop_recording()
    assert 3000 <= len(capture.samples) < 6000
    assert capture.gaps == ()
    assert float(np.mean(capture.samples)) == pytest.approx(1e-3, rel=0.02)
    meter.close()
    manager.close()


# 34460A and 34461A, which have no sample timer


@pytest.mark.parametrize("model", ["34460A", "34461A"])
def test_the_smaller_truevolts_know_no_timer_no_aperture_and_no_binary_readings(model):
    twin = SimulatedBench(PROFILE, bench_of(model), (), 1)
    for text in ("SAMP:SOUR TIM", "SAMP:TIM 0.001", "CURR:APER 0.02", "FORM:DATA REAL,64"):
        twin.exchange("ammeter", text)
        assert twin.exchange("ammeter", "SYST:ERR?").startswith(b"-113"), text


@pytest.mark.parametrize("rate", [2000, 1000, 251, 100, 50.5])
def test_a_rate_that_needs_a_timer_is_refused_with_what_would_do_it(rate):
    meter, script, _ = scripted(keysight_34461a.Keysight34461A)
    with pytest.raises(UsageError, match=r"50 or 250 per second.*34465A or DMM6500"):
        meter.start_recording(Dimension.CURRENT, 6e-3, rate)
    assert script.sent == []


def free_running(mains, *points):
    """A scripted 34461A at 50 readings per 50 Hz, and its answers to DATA:POIN?."""
    counts = iter((0, *points))

    def readings(text):
        return ",".join(["+1.0E-03"] * int(text.split()[1])).encode()

    replies = {"SYST:LFR?": mains, "R?": readings, "DATA:POIN?": lambda _: f"+{next(counts)}"}
    meter, _, clock = scripted(keysight_34461a.Keysight34461A, **replies)
    meter.start_recording(Dimension.CURRENT, 6e-3, 50)
    return meter, clock


@pytest.mark.parametrize(("mains", "count"), [("+50", 500), ("+60", 600), ("+60", 580)])
def test_the_interval_is_what_the_bench_clock_says(mains, count):
    meter, clock = free_running(mains, count)
    clock.sleep(10.0)
    capture = meter.stop_recording()
    assert capture.interval == pytest.approx(10 / count, rel=2e-3)
    assert len(capture.samples) == count


@pytest.mark.parametrize("count", [300, 500])
def test_readings_at_a_rate_that_was_not_set_are_refused(count):
    meter, clock = free_running("+60", count)
    clock.sleep(10.0)
    with pytest.raises(InstrumentError, match="were due"):
        meter.stop_recording()


# DMM6500 against scripts, for what the simulated bench never says


class Clock:
    def __init__(self):
        self.time = 100.0

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds


class Script:
    """Stands in for a session: one answer for each question, by its beginning."""

    name, identity = "ammeter at RESOURCE", Identity("Maker", "Model", "MY-1", "1.0")

    def __init__(self, clock, replies):
        self.clock, self.replies, self.sent = clock, replies, []

    def write(self, text):
        self.sent.append(text)

    def query(self, text, **more):
        self.sent.append(text)
        self.clock.sleep(0.001)
        for begin, reply in self.replies.items():
            if text.startswith(begin):
                return reply(text) if callable(reply) else reply
        return last_set(self.sent, text, otherwise='0,"No error;0;0 0"')

    query_block = query

    def discard(self):
        """Throw away nothing: no reply of a script waits."""


def scripted(driver, **replies):
    clock = Clock()
    script = Script(clock, replies)
    entry = InstrumentEntry("ammeter", "", "RESOURCE", "Maker", "Model")
    return driver(script, clock, entry, Calibration.VALID), script, clock


def digitizing(**replies):
    """A scripted DMM6500 that has begun to digitise at 10 000 per second, 1 s ago."""
    usual = {"TRAC:ACT?": "0", "TRAC:ACT:END?": "10000"}
    meter, script, clock = scripted(keithley_dmm6500.KeithleyDMM6500, **{**usual, **replies})
    meter.start_recording(Dimension.CURRENT, 6e-3, 10_000)
    clock.sleep(1.0)
    return meter, script


def data(stamp, payload=None):
    """Answers of TRAC:DATA?: the time stamp of a reading, or the readings themselves."""

    def answer(text):
        first, last = (int(each) for each in text.split()[1:3] for each in [each.strip(",")])
        if text.endswith("REL"):
            return struct.pack(">d", stamp)
        return bytes(8 * (last - first + 1)) if payload is None else payload

    return answer


def test_a_time_stamp_that_fits_the_place_is_believed():
    meter, _ = digitizing(**{"TRAC:DATA?": data(0.9999)})
    assert meter.drain() == 10_000


def test_a_time_stamp_that_contradicts_the_place_is_an_error():
    meter, _ = digitizing(**{"TRAC:DATA?": data(0.5)})
    with pytest.raises(InstrumentError, match="both cannot be"):
        meter.drain()


@pytest.mark.parametrize("stamp", [math.nan, math.inf])
def test_a_time_stamp_that_is_no_number_is_an_error(stamp):
    meter, _ = digitizing(**{"TRAC:DATA?": data(stamp)})
    with pytest.raises(InstrumentError):
        meter.drain()


def test_a_buffer_that_somebody_else_emptied_is_an_error():
    meter, script = digitizing(**{"TRAC:DATA?": data(0.9999)})
    meter.drain()
    script.replies |= {"TRAC:ACT:END?": "5", "TRAC:DATA?": data(0.0004)}
    with pytest.raises(InstrumentError, match="was reset"):
        meter.drain()


def test_fewer_readings_than_asked_for_are_an_error():
    meter, _ = digitizing(**{"TRAC:DATA?": data(0.9999, bytes(80))})
    with pytest.raises(InstrumentError, match="brought 10 readings"):
        meter.drain()


# Every driver through every link fault


KINDS = sorted(set(LINK_FAULTS) - {"garbled"})
"""Of what a garbled reply makes, a number with another digit cannot be told from a true one."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("model", ["34465A", "34461A", "DMM6500"])
def test_no_link_fault_becomes_a_reading_that_the_circuit_contradicts(model, kind):
    with linked(model) as (subject, link, station):
        subject.drive()
        for place in range(1, 60):
            station.close_cutoff(10.0)  # a query that timed out has outlasted its lease
            meter, tap = subject.fresh()
            link.set([LinkFault(kind=kind, first=place, every=0)])
            try:
                value, accuracy = subject.read(meter)
                subject.start(meter)
                subject.clock.sleep(0.1)
                meter.drain()
                capture = meter.stop_recording()
            except BenchError:
                pass
            else:
                limit = subject.limit(accuracy)
                assert value == pytest.approx(subject.stimulus.level, abs=limit), place
                mean = float(np.mean(capture.samples))
                assert mean == pytest.approx(subject.stimulus.level, abs=2 * limit), place
                assert capture.gaps == ()
            link.set([])
            if subject.session.poisoned:
                subject.session.recover()
            if place > len(tap.asked) + len(tap.written):
                break


@pytest.mark.parametrize(
    ("stamp", "told"), [(9.9e37, "no time"), (-1.0, "no time"), (1e12, "has room for")]
)
def test_a_time_stamp_that_cannot_be_is_an_error_and_no_gap(dmm6500, stamp, told):
    meter, tap = dmm6500.fresh()
    dmm6500.start(meter)
    dmm6500.clock.sleep(0.1)
    tap.forged[len(tap.asked) + 1] = struct.pack(">d", stamp)
    with pytest.raises(InstrumentError, match=told):
        meter.drain()
