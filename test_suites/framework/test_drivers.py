"""Every driver on the simulated bench, and against scripts for what that bench never says."""

import dataclasses
import math
import struct
import subprocess
import sys
from datetime import date

import numpy as np
import pytest

from framework.scripts import last_set
from hil.bench import InstrumentEntry
from hil.device import Polarity, State
from hil.errors import (
    BenchError,
    ConfigurationError,
    DimensionError,
    InstrumentError,
    ReplyTimeout,
    Unavailable,
    UsageError,
    WrongIdentity,
)
from hil.exact import Dimension
from hil.measurement import Calibration
from hil.units import A, C, V, mA, mV, ohm, quantity, registry
from hil_fixtures.config import read_bench, read_device
from hil_instruments import drivers, transport
from hil_instruments.drivers import keysight_34465a, rigol_ds1000z
from hil_instruments.encoding import Identity
from hil_instruments.simulated import backend
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.physics.circuit import Node

PROFILE, DESCRIPTION = read_device(None), read_bench(None)
ROLES = tuple(DESCRIPTION.instruments)


class Rig:
    """The simulated bench with a driver in each role, the device powered, the relay open."""

    def __init__(self):
        self.twin = SimulatedBench(PROFILE, DESCRIPTION, (), 1)
        self.clock = self.twin.clock
        self.log = []
        manager = backend.resource_manager(self.twin)
        parts = {}
        for role in ("supply", *ROLES):
            if role in parts:
                continue
            entry = DESCRIPTION.instruments[role]
            session = transport.connect(
                manager, entry, self.clock, lambda way, text, _: self.log.append((way, text))
            )
            parts[role] = (session, self.clock, entry, Calibration.VALID)
            if role == "supply":
                self.supply = drivers.supply(*parts[role])
                self.supply.on(quantity(9.0, V), quantity(1.0, A))
                self.clock.sleep(0.5)
        self.stimulator = drivers.stimulator(*parts["stimulator"], PROFILE)
        self.ammeter = drivers.multimeter(*parts["ammeter"])
        self.voltmeter = drivers.multimeter(*parts["voltmeter"])
        self.oscilloscope = drivers.oscilloscope(*parts["oscilloscope"])
        self.load = drivers.load(*parts["load"])
        self.cutoff = drivers.cutoff(*parts["cutoff"])
        self.all = (
            *(self.stimulator, self.ammeter, self.voltmeter, self.oscilloscope),
            *(self.load, self.supply, self.cutoff),
        )

    def deliver(self, current, channel=104):
        """Drive `current` into a load position, up to the hold."""
        self.load.select(channel)
        self.cutoff.close_relay(self.cutoff.epoch() + 1)
        self.cutoff.renew(10)
        self.stimulator.configure(current, Polarity.POSITIVE, None)
        self.stimulator.start()
        self.wait(PROFILE.si("ramp.up_time") + 1)

    def wait(self, seconds):
        end = self.clock.now() + seconds
        while self.clock.now() < end:
            self.cutoff.renew(10)
            self.clock.sleep(min(5.0, max(end - self.clock.now(), 1e-3)))


@pytest.fixture
def rig():
    made = Rig()
    yield made
    for instrument in made.all:
        instrument.close()


class FakeClock:
    def __init__(self):
        self.time = 100.0

    def now(self):
        return self.time

    def sleep(self, seconds):
        self.time += seconds


class Script:
    """Stands in for a session: answers from a table, remembers what was sent."""

    def __init__(self, clock, **replies):
        self.clock, self.replies, self.sent = clock, replies, []
        self.name = "role at RESOURCE"
        self.identity = Identity("Maker", "Model", "MY-1", "1.0")

    def write(self, text):
        self.sent.append(text)

    stop_write = write

    def query(self, text, **more):
        self.sent.append(text)
        self.clock.sleep(0.001)
        key = text.split()[0].lstrip(":*").rstrip("?").replace(":", "_")
        told = last_set(self.sent, text, otherwise='0,"No error"')
        reply = self.replies.get(key, told)
        if isinstance(reply, list):
            return reply.pop(0) if len(reply) > 1 else reply[0]
        return reply(text) if callable(reply) else reply

    query_block = query

    def discard(self):
        """Throw away nothing: no reply of a script waits."""


def scripted(factory, *more, role="ammeter", driver="", **replies):
    clock = FakeClock()
    script = Script(clock, **replies)
    entry = InstrumentEntry(role, driver, "RESOURCE", "Maker", "Model")
    return factory(script, clock, entry, Calibration.VALID, *more), script, clock


# All instruments


def test_every_simulated_instrument_is_identified_and_has_no_error(rig):
    for instrument in rig.all:
        assert instrument.serial.startswith("SIM-")
        assert instrument.errors() == []


@pytest.mark.parametrize("role", ROLES)
def test_a_resource_of_another_role_is_found_out(role):
    other = "supply" if role != "supply" else "cutoff"
    twin = SimulatedBench(PROFILE, DESCRIPTION, (), 1)
    manager = backend.resource_manager(twin)
    supply = transport.open_session(
        manager, DESCRIPTION.instruments["supply"].resource, twin.clock, None, 2.0, "supply"
    )
    supply.write(":APPL CH1,9,1")
    supply.write(":OUTP CH1,ON")
    twin.clock.sleep(0.5)
    wrong = dataclasses.replace(
        DESCRIPTION.instruments[role], resource=DESCRIPTION.instruments[other].resource
    )
    with pytest.raises(WrongIdentity, match=f"{role} at "):
        transport.connect(manager, wrong, twin.clock)


def test_a_device_without_power_is_one_line_with_role_and_resource():
    twin = SimulatedBench(PROFILE, DESCRIPTION, (), 1)
    entry = DESCRIPTION.instruments["stimulator"]
    with pytest.raises(BenchError, match=rf"stimulator at {entry.resource} does not say who it is"):
        transport.connect(backend.resource_manager(twin), entry, twin.clock)


@pytest.mark.parametrize("role", ROLES)
def test_an_unknown_driver_is_refused_and_the_known_are_named(role):
    factories = {
        "stimulator": lambda *parts: drivers.stimulator(*parts, PROFILE),
        "ammeter": drivers.multimeter,
        "voltmeter": drivers.multimeter,
        "oscilloscope": drivers.oscilloscope,
        "load": drivers.load,
        "supply": drivers.supply,
        "cutoff": drivers.cutoff,
    }
    with pytest.raises(ConfigurationError, match=rf"{role}.*'nonsense'.*{drivers.NAMES[role][0]}"):
        scripted(factories[role], role=role, driver="nonsense")


@pytest.mark.parametrize(
    ("serial", "certificate", "due", "state"),
    [
        ("SIM-1", "", None, Calibration.VALID),
        ("MY-1", "", date(2030, 1, 1), Calibration.UNKNOWN),
        ("MY-1", "K-1", None, Calibration.UNKNOWN),
        ("MY-1", "K-1", date(2026, 3, 1), Calibration.VALID),
        ("MY-1", "K-1", date(2026, 2, 28), Calibration.EXPIRED),
    ],
)
def test_calibration_holds_up_to_and_including_its_due_day(serial, certificate, due, state):
    entry = InstrumentEntry("ammeter", "", "", "", "", certificate=certificate, due=due)
    assert drivers.calibration_of(entry, serial, date(2026, 3, 1)) is state


def test_a_refused_setting_names_commands_and_error(rig):
    with pytest.raises(InstrumentError, match=r"supply at .*:APPL CH1,500,1.*-222"):
        rig.supply.on(quantity(500.0, V), quantity(1.0, A))
    assert rig.supply.errors() == []


def test_an_old_error_is_no_fault_of_new_settings(rig):
    rig.stimulator.provoke("NON:SENSE 1")
    rig.stimulator.configure(quantity(1.0, mA), Polarity.POSITIVE, None)


def test_an_error_queue_that_never_ends_is_an_error():
    meter, _, _ = scripted(keysight_34465a.Keysight34465A, SYST_ERR='-113,"Undefined header"')
    with pytest.raises(InstrumentError, match="more than 100"):
        meter.errors()


# Stimulator


def test_a_setpoint_reaches_the_wire_as_exact_text(rig):
    rig.log.clear()
    rig.stimulator.configure(
        quantity(0.1, mA), Polarity.NEGATIVE, quantity(0.3, registry.Unit("mA*minute"))
    )
    sent = [text for way, text in rig.log if way == "write"]
    assert sent == ["SYST:ERR?", "SOUR:CURR 0.0001", "SOUR:POL NEG", "SOUR:DOSE 0.3", "SYST:ERR?"]
    rig.log.clear()
    rig.stimulator.set_current(quantity(0.1 + 0.2, mA))
    assert rig.log == [("write", "SOUR:CURR 0.0003")]


def test_no_dose_means_the_largest_of_the_profile(rig):
    rig.log.clear()
    rig.stimulator.configure(quantity(1.0, mA), Polarity.POSITIVE, None)
    largest = PROFILE["dose.maximum"].to(PROFILE.wire.units["charge"].unit).magnitude
    assert ("write", f"SOUR:DOSE {largest.normalize():f}") in rig.log


def test_a_setting_beyond_the_device_is_reported(rig):
    with pytest.raises(InstrumentError, match="-222"):
        rig.stimulator.configure(quantity(40.0, mA), Polarity.POSITIVE, None)


@pytest.mark.parametrize("current", [quantity(math.nan, mA), quantity(math.inf, mA)])
def test_no_setting_that_is_not_finite_is_sent(rig, current):
    rig.log.clear()
    with pytest.raises(UsageError):
        rig.stimulator.set_current(current)
    with pytest.raises(DimensionError):
        rig.stimulator.set_current(quantity(1.0, V))
    assert rig.log == []


def test_a_treatment_from_start_to_done(rig):
    device = rig.stimulator
    assert (device.state(), device.fault()) == (State.IDLE, "")
    rig.deliver(quantity(2.0, mA))
    assert device.state() is State.HOLD
    assert device.claimed_current().m_as(A) == pytest.approx(2e-3, rel=0.02)
    assert device.claimed_charge().m_as(C) == pytest.approx(0.032, rel=0.05)
    assert device.impedance().m_as(ohm) == pytest.approx(2000, rel=0.1)
    device.pause()
    rig.wait(PROFILE.si("ramp.down_time") + 1)
    assert device.state() is State.PAUSED
    device.resume()
    rig.wait(1)
    assert device.state() is State.RAMP_UP
    device.stop()
    rig.wait(0.1)
    assert device.state() is State.RAMP_DOWN
    rig.wait(PROFILE.si("ramp.down_time") + 1)
    assert device.state() is State.DONE


def test_a_refusal_while_delivering_is_found_in_errors(rig):
    rig.deliver(quantity(1.0, mA))
    rig.stimulator.set_polarity(Polarity.NEGATIVE)
    assert [entry.split(",")[0] for entry in rig.stimulator.errors()] == ["-221"]


def test_an_open_load_is_a_fault_until_acknowledged(rig):
    rig.deliver(quantity(1.0, mA))
    rig.load.select(None)
    rig.wait(1)
    assert rig.stimulator.state() is State.FAULT
    assert rig.stimulator.fault() == "OPEN"
    rig.stimulator.acknowledge()
    assert rig.stimulator.state() is State.IDLE
    assert rig.stimulator.fault() == ""


def test_abort_goes_out_while_the_session_is_poisoned(rig):
    rig.deliver(quantity(1.0, mA))
    with pytest.raises(ReplyTimeout):
        rig.stimulator._session.query("NO:REPLY")  # noqa: SLF001 - no driver method does it
    rig.stimulator.abort()
    rig.clock.sleep(0.1)
    assert abs(rig.ammeter.read(Dimension.CURRENT, 6e-3)[0].m_as(mA)) < 0.01


def test_what_was_provoked_is_not_taken_for_a_reading(rig):
    rig.stimulator.provoke("*ESE?;*IDN?")
    assert rig.stimulator.state() is State.IDLE
    assert rig.stimulator.errors() == []  # else -410: the next question cut its reply off


def test_self_test_passes_on_a_good_device(rig):
    assert rig.stimulator.self_test() is True


def test_a_self_test_that_does_not_answer_zero_has_failed():
    device, _, _ = scripted(drivers.ScpiStimulator, PROFILE, TST="1")
    assert device.self_test() is False


def test_an_unknown_state_is_refused():
    device, _, _ = scripted(drivers.ScpiStimulator, PROFILE, TREAT_STAT="HOLDING")
    with pytest.raises(InstrumentError, match=r"'HOLDING'.*HOLD"):
        device.state()


def test_a_claim_that_is_no_number_is_refused():
    device, _, _ = scripted(drivers.ScpiStimulator, PROFILE, MEAS_CURR="4.0 mA")
    with pytest.raises(InstrumentError, match=r"4\.0 mA"):
        device.claimed_current()


def test_a_claim_is_exact_in_its_own_unit():
    device, _, _ = scripted(drivers.ScpiStimulator, PROFILE, MEAS_CHAR="0.7", MEAS_IMP="9.9E37")
    assert device.claimed_charge() == quantity(0.042, C)
    assert math.isinf(device.impedance().magnitude)


@pytest.mark.parametrize("key", ["pause", "query_state", "set_current"])
def test_a_command_that_the_profile_lacks_is_named(key):
    commands = {name: text for name, text in PROFILE.wire.commands.items() if name != key}
    wire = dataclasses.replace(PROFILE.wire, commands=commands)
    device, _, _ = scripted(drivers.ScpiStimulator, dataclasses.replace(PROFILE, wire=wire))
    use = {
        "pause": device.pause,
        "query_state": device.state,
        "set_current": lambda: device.set_current(quantity(1.0, mA)),
    }
    with pytest.raises(Unavailable if key == "pause" else ConfigurationError, match=key):
        use[key]()


# Multimeter


def test_a_reading_lies_within_its_accuracy(rig):
    rig.deliver(quantity(2.0, mA))
    value, accuracy = rig.ammeter.read(Dimension.CURRENT, 6e-3)
    truth = rig.twin.device.circuit.value(Node.CURRENT)
    assert abs(value.m_as(A) - truth) <= accuracy.gain * truth + accuracy.offset
    assert accuracy.id == f"{rig.ammeter.serial}[10 mA]"
    assert accuracy.gain == pytest.approx(0.0005)
    assert accuracy.offset == pytest.approx(2e-6)
    volts, _ = rig.voltmeter.read(Dimension.VOLTAGE, 90)
    assert volts.m_as(V) == pytest.approx(2e-3 * 2100, rel=0.01)


def test_an_overload_is_infinite(rig):
    rig.deliver(quantity(2.0, mA))
    assert rig.ammeter.read(Dimension.CURRENT, 1e-4)[0].magnitude == math.inf


def test_a_meter_that_lost_its_settings_still_reads_what_is_asked(rig):
    rig.ammeter.read(Dimension.CURRENT, 6e-3)
    rig.twin.reset(2)  # its power failed: it is back to volts in its most sensitive range
    rig.log.clear()
    value, _ = rig.ammeter.read(Dimension.CURRENT, 6e-3)
    sent = [text for way, text in rig.log if way == "write"]
    assert "CONF:CURR:DC 0.01" in sent
    assert abs(value.m_as("A")) < 10e-6


@pytest.mark.parametrize(
    ("dimension", "full_scale"),
    [
        (Dimension.CURRENT, 0.2),
        (Dimension.CURRENT, 0),
        (Dimension.CURRENT, -1e-3),
        (Dimension.VOLTAGE, math.nan),
        (Dimension.RESISTANCE, 1e3),
    ],
)
def test_a_range_that_is_not_offered_is_refused_before_sending(rig, dimension, full_scale):
    rig.log.clear()
    with pytest.raises(UsageError):
        rig.ammeter.read(dimension, full_scale)
    assert rig.log == []


def test_a_recording_holds_every_sample_in_its_place(rig):
    rig.load.select(104)
    rig.cutoff.close_relay(rig.cutoff.epoch() + 1)
    rig.cutoff.renew(10)
    rig.stimulator.configure(quantity(2.0, mA), Polarity.POSITIVE, None)
    rig.ammeter.start_recording(Dimension.CURRENT, 6e-3, 1000)
    began = rig.clock.now()
    rig.stimulator.start()
    for _ in range(4):
        rig.wait(2)
        assert rig.ammeter.drain() == pytest.approx(2000, abs=20)
    capture = rig.ammeter.stop_recording()
    assert capture.gaps == ()
    assert capture.interval == 1e-3
    assert 0 < capture.start_u < 1e-3
    assert abs(capture.start - began) < 3 * capture.start_u + 2e-3
    assert len(capture.samples) == pytest.approx((rig.clock.now() - began) * 1000, abs=10)
    times = capture.start + capture.interval * np.arange(len(capture.samples))
    truth = rig.twin.device.circuit.observe(Node.CURRENT, times)
    accuracy = capture.source.accuracy
    allowed = accuracy.gain * np.abs(truth) + accuracy.offset + 3e-7
    assert np.all(np.abs(capture.samples - truth) <= allowed)
    assert capture.source.calibration is Calibration.VALID
    assert capture.source.role == "ammeter"


def test_a_full_memory_is_a_gap_of_the_right_length_and_place(rig):
    rig.load.select(104)
    rig.cutoff.close_relay(rig.cutoff.epoch() + 1)
    rig.cutoff.renew(10)
    rig.stimulator.configure(quantity(2.0, mA), Polarity.POSITIVE, None)
    rig.ammeter.start_recording(Dimension.CURRENT, 6e-3, 1000)
    rig.stimulator.start()
    rig.wait(10)
    before = rig.ammeter.drain()
    rig.wait(60)
    assert rig.ammeter.drain() == 50_000
    latest = rig.ammeter.latest()
    rig.stimulator.stop()
    rig.wait(4)
    capture = rig.ammeter.stop_recording()
    ((first, count),) = capture.gaps
    assert latest.gaps == ((0, count),)  # it begins where the drain before it ended
    assert latest.start == pytest.approx(capture.start + before * capture.interval)
    same = capture.samples[before : before + count + 50_000]
    assert np.array_equal(latest.samples, same, equal_nan=True)
    assert first == before
    assert count == pytest.approx(10_000, abs=20)
    assert np.all(np.isnan(capture.samples[first : first + count]))
    assert np.all(np.isfinite(np.delete(capture.samples, np.s_[first : first + count])))
    assert capture.start_u > 1e-3
    times = capture.start + capture.interval * np.arange(len(capture.samples))
    late = slice(len(times) - 3000, None)  # on the ramp down, in steps of 6.25 uA
    truth = rig.twin.device.circuit.observe(Node.CURRENT, times[late])
    assert np.max(np.abs(capture.samples[late] - truth)) < 8e-6


def test_overload_in_a_recording_is_infinite(rig):
    rig.deliver(quantity(2.0, mA))
    rig.ammeter.start_recording(Dimension.CURRENT, 1e-4, 100)
    rig.wait(1)
    assert np.all(np.isposinf(rig.ammeter.stop_recording().samples))


def test_nothing_reads_while_recording_and_nothing_drains_before(rig):
    for early in (rig.ammeter.drain, rig.ammeter.stop_recording):
        with pytest.raises(UsageError, match="not recording"):
            early()
    rig.ammeter.start_recording(Dimension.CURRENT, 6e-3, 100)
    with pytest.raises(UsageError, match="is recording"):
        rig.ammeter.read(Dimension.CURRENT, 6e-3)
    rig.wait(0.1)
    rig.ammeter.stop_recording()
    rig.ammeter.read(Dimension.CURRENT, 6e-3)


@pytest.mark.parametrize("rate", [0, 0.5, 2001, math.nan, -1000])
def test_a_rate_that_is_not_offered_is_refused(rig, rate):
    with pytest.raises(UsageError, match="rate"):
        rig.ammeter.start_recording(Dimension.CURRENT, 6e-3, rate)


def recorder(points, **more):
    """A scripted multimeter that answers DATA:POIN? with `points` and R? with zeros."""
    readings = {"R": lambda text: bytes(8 * int(text.split()[1]))} | more
    return scripted(keysight_34465a.Keysight34465A, DATA_POIN=points, **readings)


def test_sampling_that_ended_by_itself_leaves_a_gap_at_the_end():
    meter, _, clock = recorder(["0", "500", "0"])
    meter.start_recording(Dimension.CURRENT, 6e-3, 1000)
    clock.sleep(2)
    assert meter.drain() == 500
    capture = meter.stop_recording()
    ((first, count),) = capture.gaps
    assert first == 500
    assert count == pytest.approx(1500, abs=10)
    assert len(capture.samples) == first + count


def test_a_slow_link_at_the_stop_is_no_gap():
    points = iter(["0", "200", "400", "2500"])  # the start is asked for as long as it is not sharp

    def slow(_):
        clock.sleep(0.2)
        return next(points)

    meter, _, clock = recorder(slow)
    meter.start_recording(Dimension.CURRENT, 6e-3, 1000)
    clock.sleep(1.9)
    capture = meter.stop_recording()
    assert (capture.gaps, len(capture.samples)) == ((), 2500)


def test_more_samples_than_time_has_passed_are_refused():
    meter, _, clock = recorder(["0", "3000"])
    meter.start_recording(Dimension.CURRENT, 6e-3, 1000)
    clock.sleep(2)
    with pytest.raises(InstrumentError, match="sample timer"):
        meter.stop_recording()


@pytest.mark.parametrize("reply", [b"", bytes(8 * 101), struct.pack(">d", 1.0)[:5]])
def test_a_fetch_that_brings_none_or_too_many_readings_is_refused(reply):
    meter, _, clock = recorder(["0", "100"], R=lambda _: reply)
    meter.start_recording(Dimension.CURRENT, 6e-3, 1000)
    clock.sleep(0.1)
    with pytest.raises(InstrumentError):
        meter.drain()


def test_long_fetches_come_in_pieces():
    meter, script, clock = recorder(["0", "9000"])
    meter.start_recording(Dimension.CURRENT, 6e-3, 1000)
    clock.sleep(9)
    meter.drain()
    assert [text for text in script.sent if text.startswith("R?")] == [
        "R? 4000",
        "R? 4000",
        "R? 1000",
    ]


# Oscilloscope


def test_the_oscilloscope_catches_the_edge_at_its_time(rig):
    rig.deliver(quantity(2.0, mA))
    rig.oscilloscope.arm(level=0.1, span=0.5, full_scale=1.0, slope="NEG")
    assert rig.oscilloscope.fetch() is None
    rig.wait(0.5)
    assert rig.oscilloscope.fetch() is None
    edge = rig.clock.now()
    rig.cutoff.open_relay()
    capture = None
    while capture is None and rig.clock.now() < edge + 2:
        rig.clock.sleep(0.02)
        capture = rig.oscilloscope.fetch()
    assert capture is not None
    assert capture.dimension is Dimension.VOLTAGE
    times = capture.start + capture.interval * np.arange(len(capture.samples))
    crossed = times[int(np.argmax(capture.samples < 0.1))]
    assert abs(crossed - edge) < 3 * capture.start_u + 0.01
    assert capture.start_u < 0.02
    high = float(np.mean(capture.samples[:50]))
    assert abs(high - 0.2) <= capture.source.accuracy.offset
    with pytest.raises(UsageError, match="not armed"):
        rig.oscilloscope.fetch()


def scope(**replies):
    preamble = "0,0,4,1,1E-3,-1E-3,0,0.02,0,127"
    defaults = {"TRIG_STAT": ["WAIT", "STOP"], "WAV_PRE": preamble, "WAV_DATA": b"\x00\x7f\x80\xff"}
    return scripted(rigol_ds1000z.RigolDS1000Z, role="oscilloscope", **(defaults | replies))


def test_a_code_at_the_end_of_the_converter_is_an_overload():
    instrument, _, _ = scope()
    instrument.arm(level=0.1, span=1, full_scale=1)
    assert instrument.fetch().samples.tolist() == pytest.approx([-math.inf, 0.0, 0.02, math.inf])


def test_settings_come_from_the_one_two_five_sequence_and_hold_what_was_asked():
    instrument, script, _ = scope()
    instrument.arm(level=-0.3, span=0.3, full_scale=1.2, slope="POS")
    assert {":CHAN1:SCAL 0.5", ":TIM:SCAL 0.05", ":TIM:OFFS 0.2"} <= {*script.sent}
    assert {":TRIG:EDG:SLOP POS", ":TRIG:EDG:LEV -0.3"} <= {*script.sent}


@pytest.mark.parametrize(
    "changed",
    [
        {"slope": "DOWN"},
        {"level": 2},
        {"level": math.nan},
        {"full_scale": 41, "level": 0},
        {"full_scale": 0, "level": 0},
        {"span": 0},
        {"span": 501},
        {"span": math.nan},
    ],
)
def test_what_the_oscilloscope_cannot_show_is_refused(changed):
    instrument, script, _ = scope()
    with pytest.raises(UsageError):
        instrument.arm(**({"level": 0.1, "span": 1, "full_scale": 1} | changed))
    assert script.sent == []


@pytest.mark.parametrize(
    "replies",
    [
        {"WAV_DATA": b"\x01\x02\x03"},
        {"WAV_DATA": b""},
        {"WAV_PRE": "0,0,4"},
        {"WAV_PRE": "0,0,4,1,0,-1E-3,0,0.02,0,127"},
        {"WAV_PRE": "0,0,4,1,1E-3,-1E-3,0,0.2,0,127"},
        {"TRIG_STAT": ["WAIT", "DONE"]},
    ],
)
def test_an_acquisition_that_does_not_fit_its_preamble_is_refused(replies):
    instrument, _, _ = scope(**replies)
    instrument.arm(level=0.1, span=1, full_scale=1)
    with pytest.raises(InstrumentError):
        instrument.fetch()


def test_a_trigger_that_never_becomes_ready_is_reported():
    instrument, _, clock = scope(TRIG_STAT="STOP")
    with pytest.raises(InstrumentError, match="stands still and does not wait"):
        instrument.arm(level=0.1, span=1, full_scale=1)
    assert clock.now() < 102


# Load, supply, cut-off


def test_at_most_one_load_is_connected(rig):
    for channel in (104, 106, None, 101):
        rig.load.select(channel)
        assert rig.load.selected() == channel
        assert rig.load.errors() == []


def test_a_load_that_does_not_read_back_is_reported():
    stuck = ",".join("1" if channel == 103 else "0" for channel in range(101, 121))
    load, script, _ = scripted(drivers.LOADS["keysight-34970a"], ROUT_CLOS=stuck)
    with pytest.raises(InstrumentError, match=r"104.*103"):
        load.select(104)
    assert script.sent.index("ROUT:OPEN (@101:120)") < script.sent.index("ROUT:CLOS (@104)")
    with pytest.raises(UsageError):
        load.select(4)


def test_two_loads_in_parallel_are_reported():
    load, _, _ = scripted(drivers.LOADS["keysight-34970a"], ROUT_CLOS="1,1" + 18 * ",0")
    with pytest.raises(InstrumentError, match=r"\[101, 102\]"):
        load.selected()


def test_the_supply_goes_on_and_off_and_is_measured(rig):
    assert rig.supply.is_on()
    assert rig.supply.output_voltage().m_as(V) == pytest.approx(9, abs=0.05)
    rig.supply.off()
    assert not rig.supply.is_on()
    rig.supply.on(quantity(8500.0, mV), quantity(500.0, mA))
    rig.wait(0.5)
    assert rig.supply.output_voltage().m_as(V) == pytest.approx(8.5, abs=0.05)
    assert ("write", ":APPL CH1,8.5,0.5") in rig.log


def test_a_supply_that_stays_off_is_reported():
    set_to = {"APPL": lambda text: "9.000" if "VOLT" in text else "1.000"}
    supply, _, _ = scripted(drivers.SUPPLIES["rigol-dp800"], OUTP="OFF", **set_to)
    with pytest.raises(InstrumentError, match="reads back off"):
        supply.on(quantity(9.0, V), quantity(1.0, A))


def test_the_relay_opens_by_command_and_by_itself(rig):
    epoch = rig.cutoff.epoch()
    rig.cutoff.close_relay(epoch + 1)
    rig.cutoff.renew(0.5)
    rig.clock.sleep(0.4)
    assert rig.cutoff.is_closed()
    rig.clock.sleep(0.2)
    assert not rig.cutoff.is_closed()
    rig.cutoff.close_relay(rig.cutoff.epoch() + 1)
    assert rig.cutoff.is_closed()
    rig.cutoff.open_relay()
    rig.clock.sleep(0.05)
    assert not rig.cutoff.is_closed()


def test_an_epoch_that_is_void_cannot_close_the_relay(rig):
    epoch = rig.cutoff.epoch() + 1
    rig.cutoff.close_relay(epoch)
    rig.cutoff.renew(0.1)
    rig.clock.sleep(0.3)
    with pytest.raises(InstrumentError, match=rf"REL:CLOS {epoch}.*-221.*own epoch"):
        rig.cutoff.close_relay(epoch)
    assert not rig.cutoff.is_closed()


@pytest.mark.parametrize("seconds", [0, 0.05, 11, math.nan, -1])
def test_a_lease_is_a_tenth_to_ten_seconds(rig, seconds):
    with pytest.raises(UsageError, match="lease"):
        rig.cutoff.renew(seconds)


def test_importing_the_package_loads_no_visa():
    code = (
        "import sys, hil_instruments, hil_instruments.drivers;"
        "sys.exit(any(name.startswith('pyvisa') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
