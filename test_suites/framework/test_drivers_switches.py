"""Oscilloscopes, supplies, switch units and the relay module: what their drivers refuse."""

import dataclasses
import math
import struct
import time
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from framework import switches
from hil.errors import ConfigurationError, InstrumentError, UsageError
from hil.measurement import Calibration
from hil.units import A, V, mA, mV, quantity
from hil_fixtures import preflight
from hil_fixtures.clocks import WallClock
from hil_fixtures.config import check_bench, read_bench
from hil_fixtures.interruption import Interruption
from hil_fixtures.notes import Notes
from hil_fixtures.station import check_drivers, check_resources, open_station
from hil_instruments import drivers, transport
from hil_instruments.drivers import siglent_sds1000xe
from hil_instruments.drivers.relay_module import MOVES
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.servers.served import BenchServer

ROOT = Path(__file__).resolve().parents[2]
SCOPES = {
    "rigol": switches.RIGOL,
    "keysight": switches.INFINIIVISION,
    "siglent": switches.SIGLENT,
}


class Forging:
    """A session whose replies are changed on their way."""

    def __init__(self, session, forge):
        self._session, self._forge = session, forge

    def __getattr__(self, name):
        return getattr(self._session, name)

    def query(self, text, **more):
        return self._forge(text, self._session.query(text, **more))

    def query_block(self, text, **more):
        return self._forge(text, self._session.query_block(text, **more))


@contextmanager
def opened(description):
    station = open_station(switches.PROFILE, description, today=date(2026, 6, 1))
    try:
        yield station
    finally:
        station.close()


def forged(instrument, forge):
    """The same driver over a session that forges replies."""
    instrument._session = Forging(instrument._session, forge)  # noqa: SLF001 - stands in for a wire
    return instrument


@pytest.mark.parametrize(
    "description", [switches.KEYSIGHT, switches.MIXED], ids=["keysight", "mixed"]
)
def test_a_bench_of_other_instruments_passes_its_pre_flight(description):
    written = []
    with opened(description) as station:
        notes = Notes(lambda kind, body: written.append((kind, body)), lambda: 0, lambda: None)
        preflight.Preflight(station, Interruption(), notes).prove()
        assert all(each["serial"].startswith("SIM-") for each in station.instruments)
        assert station.oscilloscope.errors() == station.supply.errors() == []
    (body,) = (body for kind, body in written if kind == "preflight")
    assert body["passed"]
    assert body["missing"] == [preflight.NO_POLES]
    assert "1200 uA" in body["monitor"]


# Oscilloscopes


@contextmanager
def driven(scope, volts=20.0):
    """A station whose source drives 2 mA through the 100 ohm shunt once it is joined."""
    with opened(switches.bench(oscilloscope=scope)) as station:
        station.load.select(101)
        station.source.on(quantity(volts, V), quantity(20, mA))
        station.clock.sleep(0.2)
        station.close_cutoff(2.0)
        yield station


def caught(station, until=1.0):
    end = station.clock.now() + until
    while station.clock.now() < end:
        station.cutoff.renew(2.0)
        if (seen := station.oscilloscope.fetch()) is not None:
            return seen
        station.clock.sleep(0.02)
    return None


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
def test_an_edge_is_caught_at_its_time_and_height_from_deep_memory(scope):
    with driven(scope) as station:
        station.oscilloscope.arm(level=0.1, span=0.05, full_scale=0.4, slope="POS", points=50_000)
        station.clock.sleep(0.05)
        assert station.oscilloscope.fetch() is None
        before = station.clock.now()
        station.load.join(203)
        seen = caught(station)
    assert seen is not None
    assert len(seen.samples) >= 50_000
    assert seen.interval <= 0.1 / 50_000
    times = seen.start + seen.interval * np.arange(len(seen.samples))
    crossed = times[int(np.argmax(seen.samples > 0.1))]
    assert abs(crossed - before) < 4 * seen.start_u + 0.02
    assert abs(np.mean(seen.samples[-1000:]) - 0.198) <= seen.source.accuracy.offset
    assert abs(np.mean(seen.samples[:1000])) <= seen.source.accuracy.offset
    assert seen.codes is not None
    assert np.array_equal(seen.codes.samples, seen.samples)


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
def test_what_lies_beyond_the_converter_is_infinite(scope):
    with driven(scope) as station:
        station.load.join(203)
        for full_scale in (0.02, 0.4):
            station.oscilloscope.arm(level=0.0, span=0.001, full_scale=full_scale)
            station.oscilloscope.force()
            seen = caught(station)
            assert np.all(np.isinf(seen.samples)) == (full_scale < 0.1)
            assert np.all(seen.samples > 0)


SETTINGS = {
    "rigol": [":CHAN1:PROB?", ":CHAN1:COUP?", ":CHAN1:SCAL?", ":TRIG:EDG:LEV?", ":TRIG:EDG:SLOP?"],
    "keysight": [":CHAN1:PROB?", ":CHAN1:COUP?", ":CHAN1:SCAL?", ":TRIG:EDGE:LEV?"],
    "siglent": ["C1:ATTN?", "C1:CPL?", "C1:VDIV?", "C1:TRLV?", "MSIZ?", "TRDL?"],
}


@pytest.mark.parametrize(
    ("name", "question"), [(name, each) for name, all_ in SETTINGS.items() for each in all_]
)
def test_a_setting_that_reads_back_otherwise_arms_nothing(name, question):
    with opened(switches.bench(oscilloscope=SCOPES[name])) as station:
        scope = forged(station.oscilloscope, lambda text, came: "10" if text == question else came)
        with pytest.raises(InstrumentError, match=r"was set and .* answers '10'"):
            scope.arm(level=0.1, span=0.01, full_scale=0.4)
        with pytest.raises(UsageError, match="not armed"):
            scope.fetch()


def descriptor(place, form, value):
    def forge(text, came):
        if not text.endswith("DESC"):
            return came
        changed = bytearray(came)
        struct.pack_into(form, changed, place, value)
        return bytes(changed)

    return forge


def preamble(place, value):
    def forge(text, came):
        if "PRE" not in text:
            return came
        fields = came.split(",")
        fields[place] = value
        return ",".join(fields)

    return forge


FORGED = {
    "another range": ("keysight", preamble(7, "+5E-01")),
    "holes": ("keysight", lambda text, came: b"\0" + came[1:] if "DATA" in text else came),
    "a point too few": ("keysight", lambda text, came: came[1:] if "DATA" in text else came),
    "no preamble": ("keysight", lambda text, came: "+0,+0" if "PRE" in text else came),
    "no news": ("siglent", lambda text, came: "0" if text == "INR?" else came),
    "a word of another language": (
        "siglent",
        lambda text, came: "Halt" if "SAST" in text else came,
    ),
    "words": ("siglent", descriptor(32, "<h", 1)),
    "another scale": ("siglent", descriptor(156, "<f", 1.0)),
    "another delay": ("siglent", descriptor(180, "<d", 0.5)),
    "a short descriptor": ("siglent", lambda text, came: came[:40] if "DESC" in text else came),
    "a missing piece": ("siglent", lambda text, came: came[:-1] if "DAT2" in text else came),
}


@pytest.mark.parametrize(("name", "forge"), FORGED.values(), ids=FORGED)
def test_an_acquisition_that_is_not_what_was_armed_is_no_capture(name, forge):
    with driven(SCOPES[name]) as station:
        station.load.join(203)
        scope = station.oscilloscope
        scope.arm(level=0.0, span=0.01, full_scale=0.4)
        scope.force()
        forged(scope, forge)
        with pytest.raises(InstrumentError):
            assert caught(station) is None


@pytest.mark.parametrize("scope", SCOPES.values(), ids=SCOPES)
@pytest.mark.parametrize(
    "changed", [{"points": 0}, {"points": 10**9}, {"level": math.nan}, {"slope": "UP"}, {"span": 0}]
)
def test_what_a_scope_cannot_do_is_refused_before_a_byte_is_sent(scope, changed):
    with opened(switches.bench(oscilloscope=scope)) as station:
        asked = {"level": 0.1, "span": 0.01, "full_scale": 0.4} | changed
        silent = forged(station.oscilloscope, lambda text, came: pytest.fail(f"{text} was asked"))
        with pytest.raises(UsageError):
            silent.arm(**asked)


def test_a_siglent_descriptor_is_read_strictly():
    with pytest.raises(InstrumentError, match="346 that begin with WAVEDESC"):
        siglent_sds1000xe.Descriptor.parse(b"WAVEDESC")
    with pytest.raises(InstrumentError, match=r"0\.0 V/div"):
        siglent_sds1000xe.Descriptor.parse(b"WAVEDESC".ljust(346, b"\0"))


# Supplies


SUPPLIES = {"rigol": switches.BUILT_IN, "keysight": switches.KEYSIGHT}


@pytest.mark.parametrize("description", SUPPLIES.values(), ids=SUPPLIES)
def test_a_supply_goes_on_and_off_and_is_measured(description):
    with opened(description) as station:
        for output in (station.supply, station.source):
            output.on(quantity(8500.0, mV), quantity(500.0, mA))
            station.clock.sleep(0.5)
            assert output.is_on()
            assert output.output_voltage().m_as(V) == pytest.approx(8.5, abs=0.05)
            output.off()
            assert not output.is_on()


LIES = {
    "rigol voltage": (switches.BUILT_IN, ",VOLT", "30.000", "8.5 was set"),
    "rigol limit": (switches.BUILT_IN, ",CURR", "3.0000", "0.5 was set"),
    "keysight voltage": (switches.KEYSIGHT, "VOLT? (@2)", "+2.5E+01", "8.5 was set"),
    "keysight limit": (switches.KEYSIGHT, "CURR? (@2)", "+1.0E+00", "0.5 was set"),
    "keysight pair": (switches.KEYSIGHT, "OUTP:PAIR?", "SER", "OFF was set"),
}


@pytest.mark.parametrize(("description", "asked", "lie", "told"), LIES.values(), ids=LIES)
def test_a_supply_is_not_switched_on_with_other_limits_than_asked(description, asked, lie, told):
    with opened(description) as station:
        supply = forged(station.supply, lambda text, came: lie if text.endswith(asked) else came)
        with pytest.raises(InstrumentError, match=told):
            supply.on(quantity(8.5, V), quantity(0.5, A))
        assert not supply.is_on()


def test_a_supply_takes_no_more_than_its_output_gives():
    with opened(switches.KEYSIGHT) as station:
        with pytest.raises(InstrumentError, match="-222"):
            station.supply.on(quantity(9.0, V), quantity(3.0, A))
        assert not station.supply.is_on()


# Switch units


LOADS = {"daq970a": switches.KEYSIGHT, "7001": switches.MIXED}


@pytest.mark.parametrize("description", LOADS.values(), ids=LOADS)
def test_at_most_one_load_is_connected_and_a_source_stands_beside_it(description):
    with opened(description) as station:
        for channel in (104, 106, None, 101):
            station.load.select(channel)
            assert station.load.selected() == channel
            assert station.load.errors() == []
        station.load.join(203)
        assert station.load.selected() == 101
        station.load.part(203)
        with pytest.raises(UsageError, match="load position"):
            station.load.join(104)


CARDS = {"34970a": switches.DAQ970A, "7001": switches.K7001}


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS)
def test_relays_of_a_switch_unit_as_a_cut_off(card):
    with opened(switches.bench(cutoff=card)) as station:
        cutoff, circuit = station.cutoff, station.twin.circuit
        cutoff.close_relay(3)
        assert cutoff.is_closed()
        station.clock.sleep(0.1)
        assert station.twin.circuit.cutoff_closed
        cutoff.open_relay()
        assert not cutoff.is_closed()
        station.clock.sleep(0.1)
        assert not circuit.cutoff_closed
        with pytest.raises(InstrumentError, match="epoch 3 is void, nothing was sent"):
            cutoff.close_relay(3)
        cutoff.close_relay(cutoff.epoch() + 1)
        for seconds in (0, -1, math.nan):
            with pytest.raises(UsageError):
                cutoff.renew(seconds)
        cutoff.renew(0.1)
        station.clock.sleep(30.0)
        assert cutoff.is_closed()  # that is why it counts as one by software


# The relay module


@pytest.fixture
def relays():
    with opened(switches.MIXED) as station:
        yield station


def test_the_relay_module_opens_by_itself_when_its_lease_is_not_renewed(relays):
    cutoff = relays.cutoff
    cutoff.close_relay(1)
    cutoff.renew(0.5)
    for _ in range(5):
        relays.clock.sleep(0.4)
        cutoff.renew(0.5)
    assert cutoff.is_closed()
    relays.clock.sleep(0.55)
    assert not relays.twin.circuit.cutoff_closed
    assert not cutoff.is_closed()
    cutoff.renew(0.5)  # a lapsed lease cannot be renewed: the module ignores its host until cleared
    relays.clock.sleep(0.1)
    assert not cutoff.is_closed()
    with pytest.raises(InstrumentError, match="epoch 1 is void"):
        cutoff.close_relay(1)
    cutoff.close_relay(2)
    assert relays.twin.circuit.cutoff_closed


def test_without_power_the_relay_module_is_open(relays):
    relays.cutoff.close_relay(1)
    relays.twin.instruments["cutoff"].lose_power()
    relays.clock.sleep(0.05)
    assert not relays.twin.circuit.cutoff_closed


def test_a_broken_wire_of_the_mirror_contact_reads_closed(relays):
    relays.twin.instruments["cutoff"].mirrors = False
    relays.cutoff.open_relay()
    assert relays.cutoff.is_closed()


def test_an_answer_from_before_the_contacts_moved_is_not_taken_late(relays):
    """A machine with other work may be held up between the answer and its look at the clock."""

    def held_up(text, came):
        if text == "$016":
            relays.clock.sleep(2 * MOVES)
        return came

    relays.cutoff.close_relay(1)
    forged(relays.cutoff, held_up)
    relays.cutoff.open_relay()
    assert not relays.cutoff.is_closed()


@pytest.mark.parametrize(
    ("asked", "lie", "told"),
    [
        ("~014S", "!010001", "its outputs go to 0001 when its lease ends"),
        ("~014P", "!010001", "when it gets power"),
        ("#010001", "!", "ignores outputs since its lease ran out"),
        ("#010001", "?01", r"'\?01' came"),
        ("$016", "!0E0200", "outputs 02 are on, 01 were commanded"),
        ("$016", "!000E00", "its inputs stand where this expects the outputs"),
        ("$016", "!0E01", "came; expected"),
        ("~0131", "?01", "came; expected"),
    ],
)
def test_a_relay_module_that_answers_otherwise_is_refused(relays, asked, lie, told):
    forged(relays.cutoff, lambda text, came: lie if text.startswith(asked) else came)
    with pytest.raises(InstrumentError, match=told):
        relays.cutoff.close_relay(1)


@pytest.mark.parametrize("seconds", [0, 0.05, 26, math.nan, -1])
def test_a_lease_of_the_relay_module_is_a_tenth_to_25_5_seconds(relays, seconds):
    with pytest.raises(UsageError, match="lease"):
        relays.cutoff.renew(seconds)


def test_a_lease_is_rounded_down_never_up(relays):
    asked = []
    forged(relays.cutoff, lambda text, came: asked.append(text) or came)
    relays.cutoff.renew(0.59)
    assert "~013105" in asked


def test_the_relay_module_is_spoken_to_over_a_serial_line():
    twin = SimulatedBench(switches.PROFILE, switches.MIXED)
    server = BenchServer(twin, 5.0, wall=time.monotonic)
    resource = server.start()["cutoff"]
    assert resource.startswith("ASRL")
    entry = dataclasses.replace(switches.MIXED.instruments["cutoff"], resource=resource)
    clock, manner = WallClock(5.0), drivers.manner(entry, switches.PROFILE)
    session = transport.connect(transport.open_manager(), entry, clock, manner=manner)
    cutoff = drivers.cutoff(session, clock, entry, Calibration.UNKNOWN)
    try:
        for _ in range(3):
            cutoff.open_relay()
            cutoff.open_relay()
            assert not cutoff.is_closed()
            cutoff.close_relay(cutoff.epoch() + 1)
            cutoff.renew(5.0)
            assert cutoff.is_closed()
        clock.sleep(5.5)
        assert not cutoff.is_closed()
    finally:
        cutoff.close()
        server.stop()
    assert server.failures == []


def test_another_kind_of_module_is_refused():
    answers = {"$012": "!01080600", "$01M": "!017017", "$01F": "!01A1"}
    with pytest.raises(InstrumentError, match="type 08; expected 40"):
        drivers.MANNERS["relay-module"].identity(answers.__getitem__)


def test_a_driver_that_does_not_speak_to_a_model_is_named():
    wrong = switches.bench(supply=("keysight-e36300", "Keysight Technologies", "E36311A"))
    with pytest.raises(ConfigurationError, match="E36312A"):
        check_drivers(wrong)


# Example bench files


@pytest.mark.parametrize("path", sorted(ROOT.glob("docs/bench-*.toml")), ids=lambda path: path.stem)
def test_an_example_bench_file_can_be_used(path):
    description = read_bench(path)
    check_bench(description, switches.PROFILE, path.name)
    check_drivers(description)
    assert check_resources(description)


def test_the_example_of_keysight_instruments_names_those():
    entries = read_bench(ROOT / "docs" / "bench-keysight.toml").instruments
    for role, entry in switches.KEYSIGHT.instruments.items():
        assert entries[role] == entry


# Dialects under messages of any kind


OTHERS = {
    "infiniivision": (switches.KEYSIGHT, "oscilloscope"),
    "e36312a": (switches.KEYSIGHT, "supply"),
    "7001": (switches.MIXED, "load"),
    "siglent": (switches.MIXED, "oscilloscope"),
    "relays": (switches.MIXED, "cutoff"),
    "dl3021": (switches.bench(load=("-", "RIGOL TECHNOLOGIES", "DL3021")), "load"),
}
WORDS = (
    *("C1:VDIV", "C1:OFST", "C1:ATTN", "C1:TRLV", "C1:TRSL", "TDIV", "TRDL", "MSIZ", "WFSU"),
    *("TRMD", "FRTR", "STOP", "C1:WF?", "SAST?", "INR?", "TRSE", "CHDR", "C1:VDIV?", "MSIZ?"),
    *("$012", "$016", "#010001", "#0100FF", "~**", "~010", "~011", "~013105", "~01310A", "~014S"),
)
VALUES = ("", "0", "1", "-1", "1e9", "1E-9", "nan", "14K", "SINGLE", "DESC", "DAT2", "SP,1,NP", "x")


@pytest.mark.parametrize(("description", "role"), OTHERS.values(), ids=OTHERS)
def test_no_message_makes_a_dialect_fail(description, role):
    twin = SimulatedBench(switches.PROFILE, description)
    instrument = twin.instruments[role]
    random = np.random.default_rng(1)
    headers = [
        (f"{''.join(c for c in node if c not in '[]').replace('<1-4>', '1')}")
        for node in type(instrument).commands()
    ]
    lists = ("(@1)", "(@2,3)", "(@1!1:1!20)", "(@101:103)", "ON", "MIN", "CH2,9,1", "EITH", "MAIN")
    for _ in range(400):
        header = random.choice(WORDS if random.random() < 0.5 else headers)
        twin.exchange(role, f"{header} {random.choice((*VALUES, *lists))}\n".encode())
        twin.clock.sleep(0.01)
    assert instrument.defect is None
