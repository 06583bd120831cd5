"""Drivers of other projects, unmodified, against the served bench: multimeters and oscilloscope.

Ground truth is the circuit: what a driver returns is held against it. The gate does not collect
this folder; `make peers` runs it in an environment of its own, with PyMeasure and QCoDeS.
"""

import dataclasses
import threading
import time

import numpy as np
import pytest
import pyvisa

from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.device.bare import NoFirmware
from hil_instruments.simulated.device.board import BoardFaults
from hil_instruments.simulated.dialects.keithley_dmm6500 import KeithleyDMM6500
from hil_instruments.simulated.dialects.keysight_34465a import Keysight34465A
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.servers.served import BenchServer, Protocol

pymeasure_keithley = pytest.importorskip("pymeasure.instruments.keithley")
agilent = pytest.importorskip("pymeasure.instruments.agilent")
hp = pytest.importorskip("pymeasure.instruments.hp")
qcodes_keysight = pytest.importorskip("qcodes.instrument_drivers.Keysight")
qcodes_keithley = pytest.importorskip("qcodes.instrument_drivers.Keithley")
qcodes_rigol = pytest.importorskip("qcodes.instrument_drivers.rigol")

CURRENT = 2e-3
MODELS = {
    "ammeter": ("Keysight Technologies", "34465A"),
    "voltmeter": ("KEITHLEY INSTRUMENTS", "MODEL DMM6500"),
    "oscilloscope": ("RIGOL TECHNOLOGIES", "DS1104Z"),
}


class Served:
    """A bench on loopback in wall time: a constant current through 2 kohm, and its meters."""

    def __init__(self, models, scale=1.0, make=None):
        described = read_bench(None)
        entries = {
            role: dataclasses.replace(described.instruments[role], manufacturer=maker, model=model)
            for role, (maker, model) in models.items()
        }
        loads = {"2k": described.loads["2k"]}
        described = dataclasses.replace(described, instruments=entries, loads=loads)
        self.bench = SimulatedBench(read_device(None), described, flash=lambda _: NoFirmware())
        device = self.bench.device
        device.board.faults = BoardFaults(watchdog=False)
        for role, maker in (make or {}).items():
            self.bench.instruments[role] = maker(entries[role], self.bench)
        device.circuit.command(CURRENT)
        device.circuit.set_output_relay(True)
        self.bench.clock.sleep(0.5)
        self.server = BenchServer(self.bench, scale, wall=time.monotonic)
        self.server.start()

    def resource(self, role, protocol=Protocol.HISLIP):
        return self.server.resources[protocol][role]

    def truth(self, node):
        with self.server.lock:
            return self.bench.device.circuit.value(node)

    def step(self, current):
        """Let the device drive another current."""
        with self.server.lock:
            self.bench.device.circuit.command(current)

    def stop(self):
        failures = self.server.failures
        self.server.stop()
        assert not failures


@pytest.fixture
def served(request):
    made = []

    def make(*arguments, **more):
        made.append(Served(*arguments, **more))
        return made[-1]

    yield make
    for each in made:
        each.stop()


@pytest.fixture(params=[Protocol.SOCKET, Protocol.HISLIP, Protocol.VXI11], ids=lambda p: p.value)
def protocol(request):
    return request.param


@pytest.fixture
def opened():
    """Close what a test opens, whatever it ends with."""
    drivers = []
    yield lambda driver: drivers.append(driver) or driver
    for driver in drivers:
        driver.close() if hasattr(driver, "close") else driver.adapter.close()


def meters(served, **more):
    return served(MODELS, **more)


# --- QCoDeS: Keysight 34465A --------------------------------------------------------------------


def qcodes_34465a(stand, opened, protocol=Protocol.HISLIP, **more):
    driver = qcodes_keysight.Keysight34465A(
        "dmm", stand.resource("ammeter", protocol), visalib="@py", silent=True, **more
    )
    return opened(driver)


def test_qcodes_reads_the_current_with_its_34465a(served, opened, protocol):
    stand = meters(served)
    meter = qcodes_34465a(stand, opened, protocol)
    assert meter.get_idn()["serial"].startswith("SIM-")
    assert meter.has_DIG is False
    meter.reset()
    meter.sense_function("DC Current")
    meter.NPLC(1)
    meter.autorange("ON")
    assert meter.curr() == pytest.approx(stand.truth(Node.CURRENT), rel=1e-3)
    assert meter.error() == (0, "No error")


def test_qcodes_takes_a_time_trace_by_bus_trigger_and_timer(served, opened):
    stand = meters(served, scale=5.0)
    meter = qcodes_34465a(stand, opened)
    meter.reset()
    meter.sense_function("DC Current")
    meter.curr()
    meter.autorange("OFF")  # in the range that the reading has found
    meter.autozero("OFF")
    meter.NPLC(0.02)
    meter.timetrace_npts(200)
    meter.timetrace_dt(1e-3)
    trace = meter.timetrace()
    assert trace.shape == (200,)
    assert trace.mean() == pytest.approx(stand.truth(Node.CURRENT), rel=2e-2)
    assert meter.time_axis()[-1] == pytest.approx(0.199)
    assert meter.error() == (0, "No error")


def test_qcodes_sets_and_reads_back_every_parameter_of_its_34465a(served, opened):
    both = ("DIG", "MEM")
    stand = meters(served, make={"ammeter": lambda e, w: Keysight34465A(e, w, 1, both)})
    meter = qcodes_34465a(stand, opened)
    assert meter.has_DIG
    assert meter.has_MEM
    meter.reset()
    pairs = [
        (meter.range, 10),
        (meter.NPLC, 0.06),
        (meter.resolution, 3e-6),
        (meter.autorange, "OFF"),
    ]
    pairs += [(meter.autozero, "OFF"), (meter.aperture_mode, "ON"), (meter.aperture_time, 0.002)]
    pairs += [
        (meter.trigger.source, "INT"),
        (meter.trigger.level, 0.5),
        (meter.trigger.slope, "POS"),
    ]
    pairs += [(meter.trigger.count, 3.0), (meter.trigger.delay, 0.25), (meter.sample.count, 40)]
    pairs += [(meter.sample.pretrigger_count, 10), (meter.sample.source, "TIM")]
    pairs += [
        (meter.sample.timer, 0.01),
        (meter.display.text, "Hello"),
        (meter.display.enabled, False),
    ]
    for parameter, value in pairs:
        parameter(value)
        assert parameter.get() == value, parameter.name
        assert meter.error() == (0, "No error"), parameter.name
    assert meter.line_frequency() == 50
    assert meter.sample.timer_minimum() > 0
    meter.snapshot(update=True)
    assert meter.error() == (0, "No error")


# --- PyMeasure: Agilent 34410A and HP 34401A speak to a 34465A ----------------------------------


def test_pymeasure_measures_with_its_34410a(served, opened, protocol):
    stand = meters(served, scale=10.0)
    ends = {"read_termination": "\n", "write_termination": "\n"}  # a socket tells no end
    resource = stand.resource("ammeter", protocol)
    meter = opened(agilent.Agilent34410A(resource, visa_library="@py", **ends))
    assert "34465A" in meter.id
    assert meter.current_dc == pytest.approx(stand.truth(Node.CURRENT), rel=1e-3)
    assert abs(meter.voltage_dc) < 1e-3  # not wired
    assert meter.resistance == pytest.approx(9.9e37)
    assert meter.check_errors() == []


def test_pymeasure_drives_it_as_a_34401a(served, opened):
    stand = meters(served, scale=10.0)
    meter = opened(hp.HP34401A(stand.resource("ammeter"), visa_library="@py"))
    meter.reset()
    meter.function_ = "DCI"
    meter.range_ = 0.01
    meter.nplc = 1
    meter.sample_count = 5
    assert meter.function_ == "DCI"
    assert meter.range_ == 0.01
    assert meter.autorange is False
    assert meter.reading == pytest.approx([stand.truth(Node.CURRENT)] * 5, rel=2e-3)
    assert meter.stored_readings_count == 5
    meter.trigger_source = "BUS"
    meter.init_trigger()
    meter.write("*TRG")
    assert len(meter.stored_reading) == 5
    assert meter.terminals_used == "FRONT"
    assert meter.check_errors() == []


# --- PyMeasure and QCoDeS: Keithley DMM6500 -----------------------------------------------------


def pymeasure_dmm6500(stand, opened, protocol=Protocol.HISLIP):
    resource = stand.resource("voltmeter", protocol)
    return opened(pymeasure_keithley.KeithleyDMM6500(resource, visa_library="@py"))


def test_pymeasure_reads_the_voltage_with_its_dmm6500(served, opened, protocol):
    stand = meters(served)
    meter = pymeasure_dmm6500(stand, opened, protocol)
    meter.clear()
    meter.reset()
    assert "MODEL DMM6500,SIM-" in meter.id
    assert meter.command_set == "SCPI"
    meter.measure_voltage(max_voltage=10)
    meter.nplc = 1
    assert meter.mode == "voltage"
    assert (meter.range, meter.nplc, meter.autorange_enabled) == (10, 1, False)
    assert meter.voltage == pytest.approx(stand.truth(Node.TERMINAL), rel=1e-4)
    assert meter.points_in_buffer == 1
    assert meter.check_errors() == []


def test_qcodes_reads_the_voltage_with_its_6500(served, opened):
    stand = meters(served)
    meter = opened(
        qcodes_keithley.Keithley6500("k6500", stand.resource("voltmeter"), visalib="@py")
    )
    meter.reset()
    meter.mode("dc voltage")
    meter.range(10)
    meter.nplc(0.1)
    meter.averaging_count(7)
    assert (meter.mode(), meter.range(), meter.nplc()) == ("dc voltage", 10, 0.1)
    assert meter.averaging_count() == 7
    assert meter.amplitude() == pytest.approx(stand.truth(Node.TERMINAL), rel=1e-3)
    meter.snapshot(update=True)
    assert meter.ask("SYST:ERR?").startswith("0,")


def test_qcodes_reads_into_buffers_with_its_7510(served, opened):
    """Not a driver of this model; what it can share is what a 7510 and a 6500 answer alike."""
    stand = meters(served)
    meter = opened(
        qcodes_keithley.Keithley7510("k7510", stand.resource("voltmeter"), visalib="@py")
    )
    meter.reset()
    meter.sense_function("voltage")
    sense = meter.sense
    sense.auto_range(False)
    sense.range(10)
    sense.nplc(0.1)
    sense.auto_zero(False)
    assert (sense.range(), sense.nplc(), sense.auto_zero()) == (10, 0.1, False)
    assert sense.voltage() == pytest.approx(stand.truth(Node.TERMINAL), rel=1e-3)
    with meter.buffer(name="traced", size=100, style="STAN") as buffer:
        buffer.fill_mode("CONT")
        for _ in range(3):
            buffer.trigger_start()
        assert buffer.size() == 100
        assert (buffer.number_of_readings(), buffer.last_index()) == (3, 3)
        last = float(buffer.ask(":FETCh? 'traced', READ"))
        assert last == pytest.approx(stand.truth(Node.TERMINAL), rel=1e-3)
    assert meter.system_errors().startswith("0,")


# --- PyMeasure and QCoDeS: Keithley 2450 in the path ---------------------------------------------

K2450 = {"ammeter": ("KEITHLEY INSTRUMENTS", "MODEL 2450")}


def test_pymeasure_measures_the_current_through_its_2450(served, opened, protocol):
    stand = served(K2450)
    resource = stand.resource("ammeter", protocol)
    ends = {"read_termination": "\n", "write_termination": "\n"}
    meter = opened(pymeasure_keithley.Keithley2450(resource, visa_library="@py", **ends))
    meter.apply_voltage(voltage_range=0.02, compliance_current=0.1)
    meter.source_voltage = 0
    meter.enable_source()
    meter.measure_current(nplc=1, current=0.01, auto_range=False)
    assert meter.current == pytest.approx(stand.truth(Node.CURRENT), rel=1e-3)
    assert meter.check_errors() == []


def test_qcodes_measures_the_current_through_its_2450(served, opened):
    stand = served(K2450)
    resource = stand.resource("ammeter")
    meter = opened(qcodes_keithley.Keithley2450("k2450", resource, visalib="@py"))
    meter.source.function("voltage")
    meter.source.voltage(0)
    meter.source.limit(0.1)
    meter.sense.function("current")
    meter.sense.auto_range(False)
    meter.sense.range(0.01)
    with meter.output_enabled.set_to(True):
        assert meter.sense.current() == pytest.approx(stand.truth(Node.CURRENT), rel=1e-3)
    assert meter.ask(":SYST:ERR?").startswith("0,")


# --- QCoDeS: Rigol DS1074Z ----------------------------------------------------------------------


def test_qcodes_fetches_a_waveform_with_its_ds1074z(served, opened):
    stand = meters(served)
    scope = opened(
        qcodes_rigol.RigolDS1074Z("scope", stand.resource("oscilloscope"), visalib="@py")
    )
    scope.write(":CHAN1:PROB 1")
    scope.write(":TIM:SCAL 1e-3")
    scope.channels[0].vertical_scale(0.1)
    scope.trigger_mode("edge")
    scope.trigger_level(0.05)
    scope.trigger_edge_source("ch1")
    scope.trigger_edge_slope("positive")
    time.sleep(0.05)
    assert scope.channels[0].vertical_scale() == 0.1
    assert scope.trigger_level() == "5.000000e-02"
    scope.waveform_npoints()
    trace = scope.channels[0].trace()
    axis = scope.time_axis()
    assert len(trace) == len(axis) == 1200
    assert trace.mean() == pytest.approx(stand.truth(Node.SHUNT), abs=0.035)
    assert abs(scope.channels[1].trace().mean()) < 1.0
    assert scope.ask(":SYST:ERR?").startswith("0,")


# --- plain pyvisa: what no driver covers --------------------------------------------------------


def session(stand, opened, role, protocol=Protocol.HISLIP):
    resource = opened(pyvisa.ResourceManager("@py").open_resource(stand.resource(role, protocol)))
    resource.timeout = 10_000
    resource.read_termination = resource.write_termination = "\n"
    return resource


def test_the_manual_s_recording_is_drained_while_it_runs(served, opened, protocol):
    """Operating and Service Guide, R?: remove readings during a long series."""
    stand = meters(served)
    meter = session(stand, opened, "ammeter", protocol)
    meter.write("CONF:CURR:DC 0.01;:CURR:DC:NPLC 0.02;:CURR:DC:ZERO:AUTO OFF")
    meter.write("SAMP:COUN MAX;SOUR TIM;TIM 0.001;:FORM REAL,64;:FORM:BORD SWAP;:INIT")
    values = []
    while len(values) < 1500:
        values += meter.query_binary_values("R? 500", datatype="d")
        if len(values) > 700:
            stand.step(1e-3)
    assert values[100] == pytest.approx(CURRENT, rel=2e-2)
    assert values[-1] == pytest.approx(1e-3, rel=2e-2)
    assert meter.query("SYST:ERR?").startswith("+0,")


def test_a_single_acquisition_is_read_from_memory_in_parts(served, opened):
    """Programming Guide, :WAV:DATA?: STOP, RAW, start and stop of each part."""
    stand = meters(served)
    scope = session(stand, opened, "oscilloscope")
    scope.write(":CHAN1:PROB 1;SCAL 0.1;:TIM:SCAL 1e-2;:ACQ:MDEP 1200000")
    scope.write(":TRIG:EDG:SLOP NEG;LEV 0.15;:SING")
    threading.Timer(0.2, stand.step, (1e-3,)).start()
    while scope.query(":TRIG:STAT?") != "STOP":
        time.sleep(0.02)
    scope.write(":WAV:SOUR CHAN1;MODE RAW;FORM BYTE")
    fields = list(map(float, scope.query(":WAV:PRE?").split(",")))
    parts = []
    for first in range(1, 1_200_001, 250_000):
        scope.write(f":WAV:STAR {first};STOP {min(first + 249_999, 1_200_000)}")
        parts += scope.query_binary_values(":WAV:DATA?", datatype="B", container=list)
    volts = (np.array(parts) - fields[8] - fields[9]) * fields[7]
    times = fields[5] + fields[4] * np.arange(len(volts))
    assert len(volts) == 1_200_000
    assert volts[times < -1e-3].mean() - volts[times > 20e-3].mean() == pytest.approx(0.1, rel=0.05)
    assert scope.query(":SYST:ERR?").startswith("0,")


def test_a_dmm6500_digitises_into_a_buffer(served, opened, protocol):
    """DMM6500 Reference Manual: digitise function, rate and count, then TRACe:TRIGger:DIGitize."""
    stand = meters(served)
    meter = session(stand, opened, "voltmeter", protocol)
    meter.write(':DIG:FUNC "VOLT";:DIG:VOLT:RANG 10;:DIG:VOLT:SRAT 100000;:DIG:COUN 1000')
    meter.write(':TRAC:MAKE "traced",1000;:TRAC:TRIG:DIG "traced"')
    assert meter.query(':TRAC:ACT? "traced"') == "1000"
    data = meter.query_ascii_values(':TRAC:DATA? 1,1000,"traced",READ,REL', container=np.array)
    values, times = data.reshape(-1, 2).T
    assert values.mean() == pytest.approx(stand.truth(Node.TERMINAL), rel=1e-2)
    assert np.diff(times) == pytest.approx(1e-5, abs=1e-8)
    assert meter.query("SYST:ERR?").startswith("0,")


def test_a_dmm6500_is_drained_while_its_trigger_model_runs(served, opened):
    """Trigger model of blocks; the buffer overwrites, so its last place says what is new."""
    stand = meters(served)
    meter = session(stand, opened, "voltmeter")
    meter.write(':FUNC "VOLT";:VOLT:RANG 10;NPLC 0.05;:VOLT:AZER OFF;:TRAC:POIN 10000')
    meter.write(':TRIG:BLOC:BUFF:CLE 1;:TRIG:BLOC:MDIG 2,"defbuffer1",INF;:FORM REAL;:INIT')
    values, taken = [], 0
    while taken < 1000:
        time.sleep(0.05)
        end = int(meter.query(":TRAC:ACT:END?"))
        if end > taken:
            asked = f":TRAC:DATA? {taken + 1},{end}"  # a block without length: say how many
            values += meter.query_binary_values(asked, datatype="d", data_points=end - taken)
            taken = end
    meter.write(":ABOR")
    assert len(values) == taken
    assert np.mean(values) == pytest.approx(stand.truth(Node.TERMINAL), rel=1e-4)
    assert meter.query("SYST:ERR?").startswith("0,")


def test_a_dmm6500_at_60_hz_is_what_its_own_device_tests_expect(served, opened):
    """PyMeasure ships tests for a real unit at 60 Hz; these are their checks of one."""
    stand = meters(served, make={"voltmeter": lambda e, w: KeithleyDMM6500(e, w, 1, mains=60.0)})
    meter = pymeasure_dmm6500(stand, opened)
    meter.reset()
    for aperture, expected in (("MIN", 8.33e-6), ("MAX", 0.25), ("DEF", 0.0166667), (0.016, 0.016)):
        meter.aperture = aperture
        assert meter.aperture == expected
    for cycles in (0.0005, 2, 15):
        meter.nplc = cycles
        assert meter.nplc == cycles
    assert meter.check_errors() == []


# --- PyMeasure and QCoDeS: Keithley 2000 --------------------------------------------------------

K2000 = {"ammeter": ("KEITHLEY INSTRUMENTS INC.", "MODEL 2000")}


def pymeasure_2000(stand, opened, protocol=Protocol.HISLIP):
    ends = {"read_termination": "\n", "write_termination": "\n"}
    resource = stand.resource("ammeter", protocol)
    return opened(pymeasure_keithley.Keithley2000(resource, visa_library="@py", **ends))


def test_pymeasure_reads_the_current_with_its_2000(served, opened, protocol):
    stand = served(K2000)
    meter = pymeasure_2000(stand, opened, protocol)
    assert "MODEL 2000,SIM-" in meter.id
    meter.measure_current(max_current=0.01)
    meter.current_nplc = 0.1
    assert (meter.mode, meter.current_range, meter.current_nplc) == ("current", 0.01, 0.1)
    assert meter.current == pytest.approx(stand.truth(Node.CURRENT), rel=2e-3)
    assert meter.check_errors() == []


def test_pymeasure_fills_the_buffer_of_its_2000(served, opened):
    stand = served(K2000)
    meter = pymeasure_2000(stand, opened)
    meter.measure_current(max_current=0.01)
    meter.current_nplc = 0.01
    meter.config_buffer(points=50)
    meter.start_buffer()
    meter.wait_for_buffer(timeout=5, interval=0.02)
    assert len(meter.buffer_data) == 50
    assert meter.buffer_data == pytest.approx(stand.truth(Node.CURRENT), rel=5e-3)
    meter.disable_buffer()
    assert meter.check_errors() == []


def test_pymeasure_sets_and_reads_back_what_its_2000_has(served, opened):
    stand = served(K2000)
    meter = pymeasure_2000(stand, opened)
    pairs = {"current_digits": 6, "current_reference": 1e-3, "voltage_range": 10, "voltage_nplc": 2}
    pairs |= {"current_ac_range": 1, "current_ac_bandwidth": 30, "resistance_range": 1e4}
    pairs |= {"trigger_count": 7, "trigger_delay": 0.25, "beep_state": "disabled"}
    for name, value in pairs.items():
        setattr(meter, name, value)
        assert getattr(meter, name) == value, name
    meter.enable_filter("current", type="repeat", count=5)
    assert meter.check_errors() == []


def qcodes_2000(stand, opened, **more):
    resource = stand.resource("ammeter")
    return opened(qcodes_keithley.Keithley2000("k2000", resource, visalib="@py", **more))


def test_qcodes_reads_the_current_with_its_2000(served, opened):
    stand = served(K2000)
    meter = qcodes_2000(stand, opened, reset=True)
    meter.mode("dc current")
    meter.range(0.01)
    meter.nplc(0.1)
    meter.trigger_continuous(True)
    assert meter.amplitude() == pytest.approx(stand.truth(Node.CURRENT), rel=2e-3)
    stand.step(1e-3)
    time.sleep(0.05)
    assert meter.amplitude() == pytest.approx(stand.truth(Node.CURRENT), rel=2e-3)
    meter.trigger_continuous(False)
    meter.trigger()
    assert meter.amplitude() == pytest.approx(1e-3, rel=5e-3)
    assert meter.ask("SYST:ERR?").startswith("0,")


def test_qcodes_sets_and_reads_back_every_parameter_of_its_2000(served, opened):
    stand = served(K2000)
    meter = qcodes_2000(stand, opened)
    meter.trigger_continuous(False)
    pairs = [(meter.mode, "dc current"), (meter.range, 0.1), (meter.auto_range_enabled, True)]
    pairs += [(meter.nplc, 0.5), (meter.digits, 5), (meter.averaging_type, "repeat")]
    pairs += [(meter.averaging_count, 7), (meter.averaging_enabled, True)]
    pairs += [(meter.display_enabled, False), (meter.trigger_count, 12), (meter.trigger_delay, 0.5)]
    pairs += [(meter.trigger_source, "timer"), (meter.trigger_timer, 0.02)]
    for parameter, value in pairs:
        parameter(value)
        assert parameter.get() == value, parameter.name
        assert meter.ask("SYST:ERR?").startswith("0,"), parameter.name
    meter.snapshot(update=True)
    assert meter.ask("SYST:ERR?").startswith("0,")
