"""Indicator, earth path, terminal source, loader: simulated and scripted, and what guards them."""

from dataclasses import replace
from datetime import date

import pytest

from framework import switches
from hil.bench import AidEntry, ScriptedAnswer
from hil.device import State
from hil.errors import (
    BenchError,
    ConfigurationError,
    InstrumentError,
    SafetyError,
    Unavailable,
    UsageError,
)
from hil.units import V, mA, s, uA
from hil_fixtures.config import read_bench, read_device, starter
from hil_fixtures.interruption import Interruption
from hil_fixtures.stand import Bench
from hil_fixtures.station import open_station, terminal_source_of
from hil_instruments.simulated.aids import (
    REFERENCE,
    Image,
    SimulatedEarthPath,
    SimulatedLoader,
)
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.physics.node import Node

K2450 = ("keithley-2450", "KEITHLEY INSTRUMENTS", "MODEL 2450")
PROFILE, SIMULATED = read_device(None), read_bench(None)
SHA = "ab" * 32


class Rig:
    """The simulated bench with optional roles."""

    def __init__(self, *entries, faults=()):
        description = replace(SIMULATED, aids={entry.role: entry for entry in entries})
        self.journal = []

        def write(kind, body):
            self.journal.append((kind, body))

        self.station = open_station(
            PROFILE, description, faults=faults, seed=1, today=date(2026, 1, 1), journal=write
        )
        self.bench = Bench(
            self.station,
            PROFILE,
            Interruption(),
            write,
            lambda record: None,
            1,
            test="mine:test_a",
            cleared=lambda: None,
        )
        self.aids = self.bench.aids


def simulated(role, *faults):
    return Rig(AidEntry(role, "simulated"), faults=faults)


def scripted(role, images=None, **answers):
    said = tuple(ScriptedAnswer(to.replace("_", " "), text) for to, text in answers.items())
    return Rig(AidEntry(role, "script", 5.0, said, images or {}))


def test_a_photodiode_sees_the_lamp_of_a_treatment_and_darkness_without_power():
    rig = simulated("indicator")
    assert not rig.aids.indicator.is_on()
    with rig.bench.armed() as run:
        assert not rig.aids.indicator.is_on()
        run.start(2 * mA)
        run.wait(2 * s)
        assert rig.aids.indicator.is_on()
    assert not rig.aids.indicator.is_on()


def test_a_lamp_that_stays_dark_is_seen_dark():
    rig = simulated("indicator", "F48")
    with rig.bench.armed() as run:
        run.start(2 * mA)
        run.wait(2 * s)
        assert run.findings.states[-1][1] is State.RAMP_UP
        assert not rig.aids.indicator.is_on()


def test_a_jig_halts_the_processor_and_the_watchdog_ends_the_treatment():
    rig = simulated("jig")
    with rig.bench.armed() as run:
        run.start(2 * mA)
        run.wait(2 * s)
        run.fall_silent()
        halted = run.inject("halt")
        run.wait(3 * s)
        run.speak()
        run.wait(0.5 * s)
        assert run.findings.states[-1][1] is State.IDLE
    off = run.record.current.time_to_below(10 * uA, after=halted)
    assert 0.5 < off.value < 2


def test_nothing_is_halted_without_a_jig_and_a_person_must_have_done_it():
    with Rig().bench.armed() as run, pytest.raises(Unavailable, match=r"\[aids.jig\]"):
        run.inject("halt")
    with pytest.raises(BenchError, match="was not done"):
        scripted("jig", halt="refused").aids.jig.halt()


def test_a_person_tells_of_the_indicator_and_is_journaled():
    rig = scripted("indicator", indicator="ON")
    assert rig.aids.indicator.is_on()
    assert rig.journal[-1][1]["answer"] == "on"


def test_what_a_bench_lacks_is_unavailable():
    with pytest.raises(Unavailable, match=r"\[aids.indicator\]"):
        _ = Rig().bench.indicator
    assert simulated("indicator").bench.indicator.is_on() is False


def test_earth_is_joined_only_outside_of_an_arming_and_parted_at_any_time():
    earth = (rig := simulated("earth")).aids.earth
    assert not earth.is_joined()
    with rig.bench.armed():
        with pytest.raises(SafetyError, match="outside of every arming"):
            earth.join()
        earth.part()
    earth.join()
    assert earth.is_joined()
    earth.part()
    assert not earth.is_joined()


def test_a_contact_that_reads_back_otherwise_is_an_error():
    rig = scripted("earth", join_earth="done", earth="parted")
    with pytest.raises(BenchError, match="reads back open"):
        rig.aids.earth.join()


def test_what_was_not_done_is_an_error():
    with pytest.raises(BenchError, match="was not done"):
        scripted("earth", join_earth="refused").aids.earth.join()


def test_what_flows_back_into_a_device_that_is_off_is_seen():
    rig = simulated("terminal_source")
    source = rig.aids.terminal_source
    source.apply(5 * V, 1 * mA)
    rig.station.clock.sleep(0.5)
    drawn = float(source.drawn().m_as("A"))
    assert 0 < drawn <= 1e-3
    circuit = rig.station.twin.circuit
    assert drawn == pytest.approx((5 - circuit.value(Node.OUTPUT)) / 5e3)
    source.off()
    assert float(source.drawn().m_as("A")) == 0


def by_instrument():
    description = switches.bench(terminal_source=K2450)
    return Rig(*description.aids.values())


def test_a_2450_on_the_terminals_shows_what_flows_back_and_is_a_row_of_the_equipment():
    rig = by_instrument()
    source, twin = rig.aids.terminal_source, rig.station.twin
    assert rig.station.instruments[-1]["role"] == "terminal_source"
    assert float(source.drawn().m_as("A")) == 0
    for volts in (5, -5):
        source.apply(volts * V, 1 * mA)
        rig.station.clock.sleep(0.5)
        due = (volts - twin.circuit.value(Node.OUTPUT)) / 5e3
        assert float(source.drawn().m_as("A")) == pytest.approx(due, abs=2e-6)
        assert abs(due) > 2e-6
    source.off()
    assert float(source.drawn().m_as("A")) == 0
    with rig.bench.armed() as run:
        run.start(2 * mA)
        run.wait(1 * s)


@pytest.mark.parametrize(
    ("voltage", "limit", "told"),
    [
        (200 * V, 1 * mA, "below 200 V"),
        (-200 * V, 1 * mA, "200 V"),
        (5 * V, 30 * mA, "below 30 mA"),
    ],
)
def test_what_would_damage_the_bench_is_not_put_on_its_terminals(voltage, limit, told):
    source = by_instrument().aids.terminal_source
    with pytest.raises(SafetyError, match=told):
        source.apply(voltage, limit)
    assert not source.applied


def test_a_2450_that_was_left_on_is_off_once_the_bench_is_open():
    rig = by_instrument()
    rig.aids.terminal_source.apply(5 * V, 1 * mA)
    rig.aids.terminal_source.applied = False  # as one that nobody knows of
    rig.station.sessions["terminal_source"].write("*CLS")
    twin = rig.station.twin
    assert twin.exchange("terminal_source", "OUTP?") == b"1\n"
    again = open_source(rig)
    assert twin.exchange("terminal_source", "OUTP?") == b"0\n"
    assert again is not None


def open_source(rig):
    station = rig.station
    return terminal_source_of(station.description, station.sessions, station.clock)


def test_nothing_is_put_on_terminals_of_a_device_that_is_on():
    rig = simulated("terminal_source")
    with rig.bench.armed(), pytest.raises(SafetyError, match="armed"):
        rig.aids.terminal_source.apply(5 * V, 1 * mA)
    rig.station.supply.on(9 * V, 1000 * mA)
    with pytest.raises(SafetyError, match="supply of the device is on"):
        rig.aids.terminal_source.apply(5 * V, 1 * mA)


def test_nothing_is_armed_beside_a_source_on_the_terminals():
    rig = simulated("terminal_source")
    rig.aids.terminal_source.apply(5 * V, 1 * mA)
    with pytest.raises(SafetyError, match="not taken off"), rig.bench.armed():
        pass
    assert not any(kind == "armed" for kind, _ in rig.journal)
    rig.aids.terminal_source.off()
    with rig.bench.armed():
        pass


@pytest.mark.parametrize("voltage", [25 * V, 0 * V, float("nan") * V])
def test_a_source_on_the_terminals_has_bounds(voltage):
    with pytest.raises(UsageError, match="allowed: up to 20 V"):
        simulated("terminal_source").aids.terminal_source.apply(voltage, 1 * mA)


def test_a_person_tells_what_is_drawn():
    rig = scripted("terminal_source", apply="done", drawn="3 uA", source_off="done")
    rig.aids.terminal_source.apply(5 * V, 1 * mA)
    assert rig.aids.terminal_source.drawn() == 3 * uA
    rig.aids.terminal_source.off()


@pytest.mark.parametrize("said", ["3", "3 V", "none", "NaN uA"])
def test_what_is_no_current_is_an_error(said):
    with pytest.raises(InstrumentError, match="terminal source"):
        scripted("terminal_source", drawn=said).aids.terminal_source.drawn()


def test_firmware_is_flashed_and_read_back_outside_of_an_arming():
    rig = simulated("loader")
    assert rig.aids.loader.images() == ("reference",)
    rig.aids.loader.flash("reference")
    assert rig.aids.loader.installed() == (REFERENCE.version, REFERENCE.sha256)
    with pytest.raises(UsageError, match="no image 'other'"):
        rig.aids.loader.flash("other")
    with rig.bench.armed(), pytest.raises(SafetyError, match="armed"):
        rig.aids.loader.flash("reference")


class Worn(SimulatedLoader):
    """A memory in which a bit does not flip."""

    def write(self, image):
        self.memory = image.version, image.content[:-1] + b"?"


def image(made):
    def flash(profile):
        made.append(profile)
        return REFERENCE.flash(profile)

    return Image("2.0", b"new", flash)


def test_what_was_flashed_runs_from_the_next_power_up():
    bench, made = simulated("loader").station.twin, []
    SimulatedLoader(bench, {"new": image(made)}).flash("new")
    assert not made
    bench.reset(1)
    assert made


def test_a_memory_that_reads_back_otherwise_is_refused_and_does_not_run():
    bench, made = simulated("loader").station.twin, []
    with pytest.raises(BenchError, match=r"reads back version '2\.0' with SHA-256"):
        Worn(bench, {"new": image(made)}).flash("new")
    bench.reset(1)
    assert not made


def test_a_person_flashes_and_reads_back():
    good = {"v2": ("2.0", SHA)}
    rig = scripted("loader", good, flash="done", version="2.0", sha256=SHA.upper())
    rig.aids.loader.flash("v2")
    wrong = scripted("loader", good, flash="done", version="2.0", sha256="cd" * 32)
    with pytest.raises(BenchError, match=r"expected '2\.0'"):
        wrong.aids.loader.flash("v2")


LOADER = f"""
[aids.loader]
by = "terminal"
images = {{ v2 = {{ version = "2.0", sha256 = "{SHA}" }} }}
"""


def test_a_bench_file_names_the_images_of_a_loader(tmp_path):
    path = tmp_path / "bench.toml"
    path.write_text(starter("bench") + LOADER)
    assert read_bench(path).aids["loader"].images == {"v2": ("2.0", SHA)}
    path.write_text(starter("bench") + LOADER.replace("loader", "terminal_source"))
    with pytest.raises(ConfigurationError, match="is told its images"):
        read_bench(path)


INSTRUMENT = """
[aids.terminal_source]
by = "instrument"
[aids.terminal_source.instrument]
driver = "keithley-2450"
resource = "TCPIP0::SIM-TERMINALS::inst0::INSTR"
manufacturer = "KEITHLEY INSTRUMENTS"
model = "MODEL 2450"
"""


def test_an_instrument_of_an_optional_role_is_read_from_the_bench_file(tmp_path):
    file = tmp_path / "bench.toml"
    file.write_text(starter("bench") + INSTRUMENT)
    assert read_bench(file).entries["terminal_source"].driver == "keithley-2450"
    for wrong, told in (
        ('"keithley-6221"', "for this role there is keithley-2450"),
        ('"keithley-7001"', "aids.terminal_source.instrument.driver"),
    ):
        file.write_text(starter("bench") + INSTRUMENT.replace('"keithley-2450"', wrong))
        with pytest.raises(ConfigurationError, match=told):
            read_bench(file)
    file.write_text(starter("bench") + INSTRUMENT.partition("[aids.terminal_source.inst")[0])
    with pytest.raises(ConfigurationError, match="belong together"):
        read_bench(file)


def test_what_leaks_to_earth_flows_only_while_the_dispersive_lead_is_earthed():
    description = replace(read_bench(None), aids={"earth": AidEntry("earth", "simulated")})
    bench = SimulatedBench(read_device(None), description, ["F21"])
    earth = SimulatedEarthPath(bench)
    bench.circuit.set_supply(9.0)
    bench.circuit.select_load(description.loads["500"])
    bench.circuit.set_cutoff(True)
    bench.clock.sleep(0.1)
    assert not earth.is_joined()
    assert bench.circuit.value(Node.CURRENT) == 0
    earth.join()
    bench.clock.sleep(0.1)
    assert bench.circuit.value(Node.CURRENT) == pytest.approx(80e-6, rel=0.02)
    bench.reset(1)
    assert earth.is_joined()  # no reset of the device parts a lead
    earth.part()
    assert not earth.is_joined()
