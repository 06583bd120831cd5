"""Drivers of other projects, unmodified, against the served bench: sources, supply, switch unit.

Ground truth is the circuit: what a driver believes is held against it. The gate does not collect
this folder; `make peers` runs it in an environment of its own, with PyMeasure and QCoDeS.
"""

import dataclasses
import time

import numpy as np
import pytest
import pyvisa

from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.servers.served import BenchServer, Protocol

keithley = pytest.importorskip("pymeasure.instruments.keithley")
qcodes_keithley = pytest.importorskip("qcodes.instrument_drivers.Keithley")
qcodes_rigol = pytest.importorskip("qcodes.instrument_drivers.rigol")

MA = 1e-3
LOAD = 2000.0
STAND_INS = {
    "2450": ("KEITHLEY INSTRUMENTS", "MODEL 2450"),
    "6221": ("KEITHLEY INSTRUMENTS INC.", "MODEL 6221"),
}
VISA = {"visa_library": "@py", "read_termination": "\n"}
"""How PyMeasure is told to speak; without a termination no reply over a raw socket ends."""
SWITCH_UNITS = {"34970A": "HEWLETT-PACKARD", "DAQ970A": "Keysight Technologies"}


class Served:
    """A bench on loopback: some of its instruments, and what its circuit really does."""

    def __init__(self, described, scale):
        self.description = described
        self.bench = SimulatedBench(read_device(None), described)
        self.server = BenchServer(self.bench, scale, wall=time.monotonic)
        self.server.start()

    def resource(self, role, protocol=Protocol.HISLIP):
        return self.server.resources[protocol][role]

    def truth(self, node):
        with self.server.lock:
            return self.bench.device.circuit.value(node)

    def act(self, action):
        with self.server.lock:
            return action(self.bench.device.circuit)

    def stop(self):
        failures = self.server.failures
        self.server.stop()
        assert not failures


@pytest.fixture
def served():
    """Serves a bench of these roles, with other models where told."""
    made = []

    def make(*roles, scale=1.0, models=None, loads=("2k",)):
        described = read_bench(None)
        entries = {role: described.instruments[role] for role in roles}
        for role, (maker, model) in (models or {}).items():
            entry = described.instruments[role]
            entries[role] = dataclasses.replace(entry, manufacturer=maker, model=model)
        kept = {name: described.loads[name] for name in loads}
        made.append(Served(dataclasses.replace(described, instruments=entries, loads=kept), scale))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture(params=list(Protocol), ids=lambda protocol: protocol.value)
def protocol(request):
    return request.param


@pytest.fixture
def opened():
    """Closes what a test opens, whatever it ends with."""
    drivers = []
    yield lambda driver: drivers.append(driver) or driver
    for driver in drivers:
        driver.close() if hasattr(driver, "close") else driver.adapter.close()


def stand_in(served, model, **more):
    """Serve a bench whose stimulator is a source, on 2 kohm."""
    return served(models={"stimulator": STAND_INS[model]}, **more)


# --- PyMeasure: Keithley 2450 -------------------------------------------------------------------


def pymeasure_2450(stand, opened, protocol=Protocol.HISLIP):
    resource = stand.resource("stimulator", protocol)
    return opened(keithley.Keithley2450(resource, **VISA))


def test_pymeasure_sources_a_current_with_its_2450(served, opened, protocol):
    """The session of the driver's own documentation."""
    stand = stand_in(served, "2450")
    smu = pymeasure_2450(stand, opened, protocol)
    assert "MODEL 2450,SIM-" in smu.id
    smu.apply_current()
    smu.source_current_range = 10e-3
    smu.compliance_voltage = 10
    smu.source_current = 0
    smu.enable_source()
    smu.measure_voltage()
    smu.ramp_to_current(2e-3, steps=10, pause=2e-3)
    assert smu.voltage == pytest.approx(stand.truth(Node.OUTPUT), rel=1e-3)
    assert stand.truth(Node.CURRENT) == pytest.approx(2 * MA, abs=2e-6)
    assert smu.source_enabled is True
    smu.measure_current(nplc=0.1)
    assert smu.current == pytest.approx(stand.truth(Node.SENSE), abs=1.1e-6)
    smu.measure_resistance()
    assert smu.resistance == pytest.approx(
        stand.truth(Node.OUTPUT) / stand.truth(Node.SENSE), rel=2e-3
    )
    assert smu.check_errors() == []
    smu.shutdown()
    time.sleep(0.05)
    assert stand.truth(Node.CURRENT) == pytest.approx(0, abs=1e-8)


def test_pymeasure_sources_a_voltage_with_its_2450(served, opened):
    stand = stand_in(served, "2450")
    smu = pymeasure_2450(stand, opened)
    smu.apply_voltage(voltage_range=20, compliance_current=1e-3)
    smu.source_voltage = 1.5
    smu.enable_source()
    smu.measure_current()
    time.sleep(0.05)
    assert smu.current == pytest.approx(stand.truth(Node.SENSE), abs=1.1e-6)
    assert stand.truth(Node.OUTPUT) == pytest.approx(1.5, abs=4e-3)
    smu.source_voltage = 5
    time.sleep(0.05)
    assert stand.truth(Node.CURRENT) == pytest.approx(1 * MA, rel=2e-3)  # at its limit
    assert smu.check_errors() == []


def test_what_pymeasure_sets_on_a_2450_reads_back(served, opened):
    smu = pymeasure_2450(stand_in(served, "2450"), opened)
    smu.reset()
    pairs = [
        *[("source_mode", "current"), ("source_current_range", 10e-3), ("source_current", 1e-3)],
        *[("compliance_voltage", 15), ("source_current_delay", 0.02), ("current_nplc", 2)],
        *[("source_current_delay_auto", True), ("voltage_range", 20), ("voltage_nplc", 0.5)],
        *[("compliance_current", 0.01), ("source_voltage_range", 2), ("source_voltage", 1.5)],
        *[("wires", 4), ("resistance_range", 2e4), ("current_filter_type", "MOV")],
        *[("current_filter_count", 7), ("voltage_filter_type", "REP"), ("buffer_points", 500)],
        *[("current_output_off_state", "HIMP"), ("voltage_output_off_state", "GUAR")],
    ]
    for name, value in pairs:
        setattr(smu, name, value)
        assert getattr(smu, name) == value, name
    smu.use_rear_terminals()
    smu.triad(440, 0.01)
    codes = [entry[0] for entry in smu.check_errors()]
    assert codes == [-111]  # reset() sends `:*CLS`, and IEEE 488.2 puts no colon there


def test_pymeasure_s_buffer_is_that_of_a_2400_and_a_2450_says_so(served, opened):
    """The driver's documentation calls the buffer of the 2450's own command set unsupported."""
    smu = pymeasure_2450(stand_in(served, "2450"), opened)
    smu.write(":TRAC:FEED SENSE;:TRAC:FEED:CONT NEXT;")
    codes = [entry[0] for entry in smu.check_errors()]
    assert codes == [-113]


# --- PyMeasure: Keithley 6221 -------------------------------------------------------------------


def pymeasure_6221(stand, opened, protocol=Protocol.HISLIP):
    resource = stand.resource("stimulator", protocol)
    return opened(keithley.Keithley6221(resource, **VISA))


def test_pymeasure_sources_a_current_with_its_6221(served, opened, protocol):
    stand = stand_in(served, "6221")
    source = pymeasure_6221(stand, opened, protocol)
    source.clear()
    assert "MODEL 6221,SIM-" in source.id
    source.source_compliance = 20
    source.source_range = 20e-3
    source.source_current = -2e-3
    source.enable_source()
    assert (source.source_current, source.source_enabled) == (-2e-3, True)
    time.sleep(0.05)
    assert stand.truth(Node.CURRENT) == pytest.approx(-2 * MA, abs=2 * MA * 5e-4 + 10e-6)
    assert source.measurement_events == 0
    source.source_compliance = 1
    assert source.source_compliance == 1
    time.sleep(0.05)
    assert abs(stand.truth(Node.OUTPUT)) == pytest.approx(1, abs=0.022)
    assert source.measurement_events == 8  # in compliance
    assert source.check_errors() == []
    source.shutdown()
    time.sleep(0.1)  # a raw socket without its delay of Nagle would be heard at once
    assert stand.truth(Node.CURRENT) == 0


def test_pymeasure_clamps_5_a_and_the_instrument_never_hears_of_it(served, opened):
    """A known trap: a setter that truncates is no bound of safety.

    What was asked is 5 A. What goes over the wire is `:SOUR:CURR 0.105`, which the 6221 takes:
    no exception, an empty error queue, and 105 mA as far as the compliance allows. Were 5 A sent,
    the instrument would refuse them with -222 and stay as it was.
    """
    stand = stand_in(served, "6221")
    source = pymeasure_6221(stand, opened)
    source.source_compliance = 105
    source.source_current = 1e-3
    source.enable_source()
    source.source_current = 5.0
    time.sleep(0.05)
    assert source.source_current == 0.105
    assert source.check_errors() == []
    assert stand.truth(Node.CURRENT) > 45 * MA  # 105 V on 2.1 kohm
    source.source_current = 1e-3
    source.write(":SOUR:CURR 5")
    assert [entry[0] for entry in source.check_errors()] == [-222]
    assert source.source_current == 1e-3
    time.sleep(0.05)
    assert stand.truth(Node.CURRENT) == pytest.approx(1 * MA, abs=60e-6)


def test_pymeasure_plays_a_wave_with_its_6221(served, opened):
    """The session of the driver's own documentation, at a frequency that can be watched."""
    stand = stand_in(served, "6221", scale=1.0)
    source = pymeasure_6221(stand, opened)
    source.clear()
    source.waveform_function = "square"
    source.waveform_amplitude = 0.002
    source.waveform_offset = 0
    source.source_compliance = 10
    source.waveform_dutycycle = 50
    source.waveform_frequency = 10
    source.waveform_ranging = "best"
    source.waveform_duration_cycles = 5
    source.operation_event_enabled = 128
    source.srq_event_enabled = 128
    source.waveform_arm()
    source.waveform_start()
    seen, deadline = set(), time.monotonic() + 5
    while not int(source.status) & 128 and time.monotonic() < deadline:
        seen.add(round(stand.truth(Node.CURRENT) / MA, 1))
    assert seen >= {2.0, -2.0}
    assert source.operation_events & 128
    source.waveform_abort()
    source.shutdown()
    assert source.check_errors() == []
    time.sleep(0.05)
    assert stand.truth(Node.CURRENT) == 0


def test_what_pymeasure_sets_on_a_6221_reads_back(served, opened):
    source = pymeasure_6221(stand_in(served, "6221"), opened)
    pairs = [
        *[("source_delay", 0.5), ("source_compliance", 33), ("source_auto_range", True)],
        *[("source_current", 3e-5), ("source_range", 2e-3), ("output_low_grounded", True)],
        *[("shield_to_guard_enabled", True), ("waveform_function", "ramp")],
        *[("waveform_frequency", 50), ("waveform_amplitude", 1e-3), ("waveform_offset", -1e-4)],
        *[("waveform_dutycycle", 25), ("waveform_duration_time", 0.2)],
        *[("waveform_ranging", "fixed"), ("waveform_use_phasemarker", True)],
        *[("waveform_phasemarker_phase", 90), ("waveform_phasemarker_line", 4)],
        *[("delta_high_source", 1e-3), ("delta_low_source", -1e-3), ("delta_delay", 0.01)],
        *[("delta_cycles", 100), ("delta_unit", "Ohms"), ("delta_buffer_points", 200)],
        *[("display_enabled", False), ("measurement_event_enabled", 8)],
        *[("operation_event_enabled", 128), ("questionable_event_enabled", 16)],
        *[("srq_event_enabled", 128)],
    ]
    for name, value in pairs:
        setattr(source, name, value)
        assert getattr(source, name) == value, name
    source.define_arbitary_waveform([0, 0.5, 1, -1], location=2)
    source.waveform_duration_set_infinity()
    source.trigger_on_bus()
    source.set_timed_arm(0.1)
    assert source.delta_connected is False
    assert source.check_errors() == []


# --- QCoDeS: Keithley 2450 ----------------------------------------------------------------------


def qcodes_2450(stand, opened, protocol=Protocol.HISLIP):
    resource = stand.resource("stimulator", protocol)
    return opened(qcodes_keithley.Keithley2450("smu", resource, visalib="@py", terminator="\n"))


def test_qcodes_sources_a_current_with_its_2450(served, opened, protocol):
    stand = stand_in(served, "2450")
    smu = qcodes_2450(stand, opened, protocol)
    smu.reset()
    smu.source_function("current")
    smu.sense_function("voltage")
    smu.source.auto_range(False)
    smu.source.range(10e-3)
    smu.source.limit(12)
    smu.source.current(2e-3)
    smu.sense.four_wire_measurement(True)
    smu.sense.auto_range(True)
    smu.sense.nplc(0.1)
    smu.output_enabled(True)
    time.sleep(0.05)
    assert smu.sense.voltage() == pytest.approx(stand.truth(Node.TERMINAL), rel=2e-3)
    assert stand.truth(Node.CURRENT) == pytest.approx(2 * MA, abs=2e-6)
    assert smu.source.limit_tripped() is False
    smu.source.limit(2)
    time.sleep(0.05)
    assert smu.source.limit_tripped() is True
    assert smu.get_idn()["serial"].startswith("SIM-")
    assert smu.ask("SYST:ERR?") == '0,"No error;0;0 0"'
    smu.output_enabled(False)
    time.sleep(0.05)
    assert stand.truth(Node.CURRENT) == pytest.approx(0, abs=1e-8)


def test_qcodes_sweeps_a_voltage_with_its_2450(served, opened):
    stand = stand_in(served, "2450", scale=5.0)
    smu = qcodes_2450(stand, opened)
    smu.timeout(20)
    smu.reset()
    smu.source_function("voltage")
    smu.sense_function("current")
    smu.source.limit(10e-3)
    smu.sense.nplc(0.1)
    smu.source.sweep_setup(0, 4, 9)
    smu.buffer("defbuffer1").elements(["measurement", "source_value", "relative_time"])
    currents = smu.sense.sweep()
    assert currents == pytest.approx(np.linspace(0, 4, 9) / (LOAD + 102), abs=4e-6)
    chosen = np.array(smu.sense.sweep.get_selected(), dtype=float).reshape(9, 3)
    assert chosen[:, 1] == pytest.approx(np.linspace(0, 4, 9), abs=8e-3)
    assert np.all(np.diff(chosen[:, 2]) > 0)
    assert smu.ask("SYST:ERR?").startswith("0,")


def test_qcodes_keeps_readings_in_a_buffer_of_its_own(served, opened):
    stand = stand_in(served, "2450", scale=5.0)
    smu = qcodes_2450(stand, opened)
    smu.reset()
    smu.source_function("current")
    smu.sense_function("voltage")
    smu.source.limit(12)
    smu.source.current(1e-3)
    smu.output_enabled(True)
    with smu.buffer("mine", 100) as buffer:
        smu.sense.count(5)
        buffer.elements(["measurement", "measurement_unit", "source_value_status", "timestamp"])
        buffer.trigger_start()
        assert (buffer.size(), buffer.number_of_readings()) == (100, 5)
        data = buffer.get_data(1, 5)
        assert data[1::4] == ["Volt DC"] * 5
        assert float(data[0]) == pytest.approx(stand.truth(Node.OUTPUT), rel=2e-3)
        assert float(buffer.get_last_reading().split(",")[0]) == pytest.approx(float(data[16]))
        buffer.clear_buffer()
        assert buffer.number_of_readings() == 0
    assert smu.ask("SYST:ERR?").startswith("0,")


def test_what_qcodes_sets_on_a_2450_reads_back(served, opened):
    smu = qcodes_2450(stand_in(served, "2450"), opened)
    smu.reset()
    smu.source_function("voltage")
    smu.sense_function("current")
    source, sense = smu.source, smu.sense
    pairs = [
        *[(source.range, 20), (source.auto_range, False), (source.limit, 0.01)],
        *[(source.voltage, 1.25), (source.delay, 0.05), (source.auto_delay, True)],
        *[(source.read_back_enabled, False), (sense.range, 1e-3), (sense.auto_range, False)],
        *[(sense.nplc, 0.5), (sense.auto_zero_enabled, False), (sense.count, 3)],
        *[(sense.four_wire_measurement, True), (smu.output_enabled, False)],
    ]
    for parameter, value in pairs:
        parameter(value)
        assert float(parameter.get()) == value, parameter.full_name
    source.user_number(2)
    source.user_delay(0.2)
    assert source.user_delay() == 0.2
    sense.user_number(3)
    sense.user_delay(0.3)
    assert sense.user_delay() == 0.3
    sense.auto_zero_once()
    smu.terminals("rear")
    assert smu.line_frequency() == "50"
    smu.abort()
    smu.wait()
    smu.clear_event_register()
    smu.clear_event_log()
    assert smu.ask("SYST:ERR?") == '0,"No error;0;0 0"'


# --- QCoDeS: Rigol DP832 ------------------------------------------------------------------------


def qcodes_dp832(stand, opened, protocol=Protocol.HISLIP):
    return opened(
        qcodes_rigol.RigolDP832(
            "supply", stand.resource("supply", protocol), visalib="@py", terminator="\n"
        )
    )


def test_qcodes_powers_the_device_with_its_dp832(served, opened, protocol):
    stand = served("stimulator", "supply")
    supply = qcodes_dp832(stand, opened, protocol)
    assert supply.installed_options() == []
    supply.ch1.set_voltage(9)
    supply.ch1.set_current(0.5)
    supply.ch1.state("on")
    time.sleep(0.2)
    assert stand.act(lambda circuit: circuit.powered)
    assert supply.ch1.voltage() == pytest.approx(stand.truth(Node.SUPPLY), abs=0.03)
    assert supply.ch1.current() == pytest.approx(stand.truth(Node.SUPPLY_CURRENT), abs=6e-3)
    assert supply.ch1.power() == pytest.approx(supply.ch1.voltage() * supply.ch1.current(), abs=0.1)
    assert (supply.ch1.state(), supply.ch1.mode()) == ("ON", "ConstantVoltage")
    supply.ch1.set_voltage(4)  # brown-out
    time.sleep(0.2)
    assert not stand.act(lambda circuit: circuit.powered)
    assert supply.ask(":SYST:ERR?").startswith("0,")


def test_qcodes_protects_the_device_with_its_dp832(served, opened):
    stand = served("stimulator", "supply")
    supply = qcodes_dp832(stand, opened)
    supply.ch1.set_voltage(9)
    supply.ch1.state("on")
    supply.ch1.ocp_value(0.01)
    supply.ch1.ocp_state("on")
    time.sleep(0.2)
    assert supply.ch1.state() == "OFF"
    assert supply.ask(":OUTP:OCP:ALAR? CH1") == "YES"
    assert stand.truth(Node.SUPPLY) == 0
    for channel in (supply.ch2, supply.ch3):
        channel.set_voltage(3.3)
        channel.ovp_value(4.0)
        channel.ovp_state("on")
        assert (channel.set_voltage(), channel.ovp_value(), channel.ovp_state()) == (3.3, 4.0, "ON")
    supply.snapshot(update=True)
    assert supply.ask(":SYST:ERR?").startswith("0,")


# --- plain pyvisa: what no driver covers --------------------------------------------------------


def session(stand, opened, role, protocol=Protocol.HISLIP):
    resource = opened(pyvisa.ResourceManager("@py").open_resource(stand.resource(role, protocol)))
    resource.timeout = 10_000
    resource.read_termination = resource.write_termination = "\n"
    return resource


@pytest.mark.parametrize("model", SWITCH_UNITS)
def test_the_manual_s_relay_examples_switch_the_load(served, opened, protocol, model):
    """34970A User's Guide, ROUTe:CLOSe and others: neither collection has a driver."""
    stand = served(models={"load": (SWITCH_UNITS[model], model)}, loads=("2k", "5k", "bleed"))
    unit = session(stand, opened, "load", protocol)
    unit.write("*RST;*CLS")
    assert unit.query("*IDN?").split(",")[:2] == [SWITCH_UNITS[model], model]
    assert unit.query("SYST:CTYP? 100").split(",")[1] in {"34903A", "DAQM903A"}
    channel = stand.description.loads["2k"].channel
    other = stand.description.loads["5k"].channel
    stand.act(lambda circuit: circuit.set_stage(circuit.stage))
    unit.write(f"ROUT:CLOS (@{channel})")
    assert unit.query("*OPC?").lstrip("+") == "1"
    assert unit.query(f"ROUT:CLOS? (@{channel},{other})") == "1,0"
    assert unit.query(f"ROUT:OPEN? (@{channel}:{other})") == "0,1"
    unit.write(f"ROUT:CLOS:EXCL (@{other})")
    assert unit.query(f"ROUT:DONE?;:ROUT:CLOS? (@{channel},{other})").lstrip("+") == "1;0,1"
    assert unit.query(f"DIAG:REL:CYCL? (@{channel},{other})") == "+1,+1"
    unit.write("ROUT:CLOS (@221)")
    assert unit.query("SYST:ERR?").startswith("+112,")
    unit.write("SYST:CPON ALL")
    assert unit.query("ROUT:CLOS? (@101:103)") == "0,0,0"
    assert unit.query("SYST:ERR?") == '+0,"No error"'


def test_a_card_as_cut_off_is_closed_by_both_poles_and_survives_its_power(served, opened):
    stand = served(
        models={"stimulator": STAND_INS["6221"], "cutoff": ("HEWLETT-PACKARD", "34970A")}
    )
    source = pymeasure_6221(stand, opened)
    source.source_compliance = 20
    source.source_current = 1e-3
    source.enable_source()
    unit = session(stand, opened, "cutoff")
    unit.write("ROUT:CLOS (@201,202)")
    assert unit.query("*OPC?").lstrip("+") == "1"
    time.sleep(0.05)
    assert stand.truth(Node.LOAD) == pytest.approx(1 * MA, abs=60e-6)
    with stand.server.lock:
        stand.bench.instruments["cutoff"].lose_power()
        stand.bench.instruments["cutoff"].power_on()
    time.sleep(0.05)
    assert stand.truth(Node.LOAD) == pytest.approx(1 * MA, abs=60e-6)
    unit.write("*RST")
    assert unit.query("ROUT:CLOS? (@201:202)") == "0,0"
    time.sleep(0.05)
    assert stand.truth(Node.LOAD) == pytest.approx(0, abs=1e-9)


def test_our_cut_off_opens_when_nobody_renews_its_lease(served, opened, protocol):
    stand = served("cutoff", models={"stimulator": STAND_INS["6221"]})
    source = pymeasure_6221(stand, opened)
    source.source_compliance = 20
    source.source_current = 1e-3
    source.enable_source()
    relay = session(stand, opened, "cutoff", protocol)
    relay.write("REL:CLOS 1;:REL:REN 0.3")
    time.sleep(0.1)
    assert relay.query("REL:STAT?") == "CLOSED"
    assert stand.truth(Node.LOAD) == pytest.approx(1 * MA, abs=60e-6)
    time.sleep(0.4)
    assert relay.query("REL:STAT?;CAUS?") == "OPEN;LAPSE"
    assert stand.truth(Node.LOAD) == pytest.approx(0, abs=1e-9)
