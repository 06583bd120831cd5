"""Multimeters of real models, on a signal that is known exactly."""

import inspect
import math
import re
import struct

import numpy as np
import pytest

from hil_instruments.simulated.dialects import truevolt_ranges
from hil_instruments.simulated.dialects.keithley_2000 import Keithley2000
from hil_instruments.simulated.dialects.keithley_dmm6500 import KeithleyDMM6500
from hil_instruments.simulated.dialects.keysight_34465a import Keysight34465A
from hil_instruments.simulated.dialects.rigol_ds1000z import RigolDS1000Z
from hil_instruments.simulated.metrology.fault import HEALTHY, MeterFault
from hil_instruments.simulated.physics.node import Node

MA = 1e-3


@pytest.fixture
def truevolt(meter_stand):
    """A 34465A as ammeter, with a constant current."""

    def make(current=0.0, **more):
        stand = meter_stand(Keysight34465A, **more)
        stand.shape(Node.CURRENT, (0.0, current))
        return stand

    return make


@pytest.fixture
def keithley(meter_stand):
    """A DMM6500 as voltmeter, with a constant voltage."""

    def make(volts=0.0, role="voltmeter", **more):
        stand = meter_stand(KeithleyDMM6500, role, **more)
        stand.shape(Node.TERMINAL, (0.0, volts))
        return stand

    return make


def spec(reading, full_scale, gain, offset):
    return abs(reading) * gain + full_scale * offset


# --- 34465A: readings ---------------------------------------------------------------------------


def test_a_reading_is_the_mean_over_its_aperture(truevolt):
    stand = truevolt()
    stand.shape(Node.CURRENT, (0.0, 0.0), (10.0, 10 * MA))  # 1 mA/s
    stand.say("CONF:CURR 0.01;:CURR:NPLC 10;:CURR:ZERO:AUTO OFF")
    stand.wait(2.0)
    reading = stand.number("READ?")
    assert stand.clock.time == pytest.approx(2.2)
    assert reading == pytest.approx(2.1 * MA, abs=spec(2.1 * MA, 0.01, 5e-4, 2e-4))


@pytest.mark.parametrize("seed", range(40))
def test_the_errors_of_every_unit_lie_inside_the_specification(truevolt, seed):
    stand = truevolt(4 * MA, seed=seed)
    reading = stand.number("CONF:CURR 0.01;:READ?")
    assert abs(reading - 4 * MA) <= spec(4 * MA, 0.01, 5e-4, 2e-4)


def test_two_units_differ_and_one_seed_repeats(truevolt):
    first, second, again = (
        truevolt(4 * MA, seed=seed).number("MEAS:CURR? 0.01") for seed in (1, 2, 1)
    )
    assert first == again
    assert first != second


def test_noise_falls_with_the_integration_time(truevolt):
    deviations = []
    for cycles in (0.02, 1, 100):
        stand = truevolt(1 * MA)
        stand.say(f"CONF:CURR 0.01;:CURR:NPLC {cycles};:CURR:ZERO:AUTO OFF;:SAMP:COUN 400")
        deviations.append(np.std(stand.figures("READ?")))
    slow = 0.3e-6 * 0.01 * 5  # resolution of one line cycle, times the factor of the range
    assert deviations[1] == pytest.approx(slow, rel=0.2)
    assert deviations[0] > 5 * deviations[1] > 25 * deviations[2]


@pytest.mark.parametrize(("current", "reading"), [(13 * MA, 9.9e37), (-13 * MA, -9.9e37)])
def test_beyond_120_percent_of_range_it_reads_overload(truevolt, current, reading):
    assert truevolt(current).number("MEAS:CURR? 0.01") == reading


def test_autoranging_follows_the_input_and_tells_the_circuit_its_shunt(truevolt):
    stand = truevolt(50e-6)
    stand.say("CONF:CURR;:READ?")
    assert stand.number("CURR:RANG?") == 1e-4
    assert stand.circuit.told[-1] == ("shunt", 100.0)
    stand.shape(Node.CURRENT, (0.0, 50 * MA))
    assert stand.number("READ?") == pytest.approx(50 * MA, rel=1e-3)
    assert stand.number("CURR:RANG?") == 0.1
    assert stand.circuit.told[-1] == ("shunt", 2.0)


def test_autoranging_passes_from_range_to_range_within_a_recording(truevolt):
    stand = truevolt()
    stand.shape(Node.CURRENT, (0.0, 0.0), (1.0, 100 * MA))
    stand.say("CONF:CURR;:CURR:NPLC 0.02;:CURR:ZERO:AUTO OFF;:CURR:RANG:AUTO ONCE;AUTO ON")
    stand.say("SAMP:SOUR TIM;TIM 0.01;COUN 100")
    values = np.array(stand.figures("READ?"))
    expected = 0.1 * np.arange(100) * 0.01
    assert values[1:] == pytest.approx(expected[1:], rel=0.03)


def test_automatic_impedance_is_high_up_to_10_volts_only(meter_stand):
    stand = meter_stand(Keysight34465A, "voltmeter")
    assert stand.circuit.told[-1] == ("input", 10e6)
    stand.say("CONF:VOLT 10;:VOLT:IMP:AUTO ON")
    assert stand.circuit.told[-1] == ("input", 10e9)
    stand.say("CONF:VOLT 100;:VOLT:IMP:AUTO ON")
    assert stand.circuit.told[-1] == ("input", 10e6)


def test_terminals_that_are_not_wired_read_their_own_offset(truevolt):
    stand = truevolt(4 * MA)
    assert abs(stand.number("MEAS:VOLT? 10")) < 100e-6
    assert stand.number("MEAS:RES?") == 9.9e37


def test_alternating_current_reads_the_root_mean_square(truevolt):
    stand = truevolt()
    teeth = [(n * 0.01, (n % 2) * 2 * MA) for n in range(400)]
    stand.shape(Node.CURRENT, *teeth)
    stand.wait(1.0)
    assert stand.number("MEAS:CURR:AC? 0.01") == pytest.approx(1 * MA / math.sqrt(3), rel=0.01)


def test_null_takes_its_value_from_every_reading(truevolt):
    stand = truevolt(4 * MA)
    stand.say("CONF:CURR 0.01;:CURR:NULL:VAL 0.003;:CURR:NULL ON")
    assert stand.number("READ?") == pytest.approx(1 * MA, abs=5e-6)


# --- 34465A: sampling and memory ----------------------------------------------------------------


@pytest.fixture
def recorder(truevolt):
    """A 34465A that is set up to sample a current that rises by 10 uA/s."""

    def make(interval=1e-3, **more):
        stand = truevolt(**more)
        stand.shape(Node.CURRENT, (0.0, 0.0), (1000.0, 10 * MA))
        stand.say(f"CONF:CURR 0.01;:CURR:ZERO:AUTO OFF;:CURR:APER {interval / 2:.6f}")
        stand.say(f"SAMP:COUN MAX;SOUR TIM;TIM {interval};:FORM REAL,64")
        return stand

    return make


def reals(text):
    data = text.encode("latin1")
    digits = int(data[1:2])
    return np.frombuffer(data[2 + digits :], ">f8")


def test_a_recording_is_drained_while_it_runs_without_a_gap(recorder):
    stand = recorder()
    stand.say("INIT")
    pieces = []
    for _ in range(10):
        stand.wait(0.5)
        pieces.append(reals(stand.say("R? 4000")))
    values = np.concatenate(pieces)
    assert len(values) == 5000 or len(values) == 4999
    slope = np.polyfit(np.arange(len(values)) * 1e-3, values, 1)[0]
    assert slope == pytest.approx(10e-6, rel=2e-3)
    assert stand.error() == 0


def test_a_full_memory_keeps_the_newest_and_sets_a_bit_but_no_error(recorder):
    stand = recorder()
    stand.say("INIT")
    stand.wait(60.0)
    assert stand.say("DATA:POIN?") == "+50000"
    assert int(stand.say("STAT:QUES:COND?")) & 1 << 14
    oldest = reals(stand.say("R? 1"))[0]
    assert oldest == pytest.approx(10e-6 * 10.0, abs=3e-6)
    assert stand.error() == 0


def test_a_memory_that_is_drained_in_part_goes_on_where_it_stopped(recorder):
    stand = recorder()
    stand.say("FORM ASC;:INIT")
    stand.wait(0.0991)
    first = stand.say("R? 60")
    stand.wait(0.1)
    rest = stand.say("R?")
    blocks = [part[2 + int(part[1]) :] for part in (first, rest)]
    values = [float(each) for block in blocks for each in block.split(",")]
    assert len(values) == 199
    assert np.corrcoef(values, np.arange(199))[0, 1] > 0.9


def test_an_overflow_is_told_however_it_came_and_until_the_next_start(recorder):
    stand = recorder()
    stand.say("INIT")
    for _ in range(2):
        stand.wait(40.0)
        stand.say("DATA:POIN?")
    assert int(stand.say("STAT:QUES:COND?")) & 1 << 14
    stand.say("ABOR;:INIT")
    assert not int(stand.say("STAT:QUES:COND?")) & 1 << 14


def test_option_mem_holds_two_million_readings(recorder):
    stand = recorder(options=("MEM",))
    stand.say("INIT")
    stand.wait(60.0)
    assert stand.say("DATA:POIN?") == "+60000"
    assert stand.say("*OPT?") == "MEM"


def test_option_dig_samples_50_000_times_a_second(recorder):
    stand = recorder(options=("DIG",))
    stand.say("CURR:APER 20e-6;:SAMP:TIM 20e-6;COUN 1000;:INIT")
    stand.wait(0.0201)
    assert stand.say("DATA:POIN?") == "+1000"
    assert stand.error() == 0


def test_a_sample_timer_shorter_than_a_sample_is_a_settings_conflict(recorder):
    stand = recorder()
    stand.say("CURR:APER 0.01;:SAMP:TIM 0.001;:INIT")
    assert stand.error() == -221


def test_remove_refuses_more_than_there_is_and_waits_if_asked(recorder):
    stand = recorder()
    stand.say("INIT")
    stand.wait(0.1)
    assert stand.say("DATA:REM? 500") == ""
    assert stand.error() == -222
    assert len(reals(stand.say("DATA:REM? 500,WAIT"))) == 500
    assert stand.clock.time == pytest.approx(0.4995, abs=1e-9)


def test_each_bus_trigger_takes_its_samples(truevolt):
    stand = truevolt(4 * MA)
    stand.say("CONF:CURR 0.01;:TRIG:SOUR BUS;COUN 3;:SAMP:COUN 2;:INIT")
    assert stand.say("FETC?") is None  # it would wait for the trigger
    for _ in range(3):
        stand.say("*TRG")
        stand.wait(1.0)
    assert len(stand.figures("FETC?")) == 6
    stand.say("*TRG")
    assert stand.error() == -211


def test_reading_at_once_with_a_bus_trigger_is_a_deadlock(truevolt):
    stand = truevolt()
    assert stand.say("TRIG:SOUR BUS;:READ?") == ""
    assert stand.error() == -214


def test_immediate_triggers_leave_the_delay_between_their_samples(recorder):
    stand = recorder()
    stand.say("FORM ASC;:SAMP:COUN 3;TIM 0.01;:TRIG:COUN 2;DEL 1")
    values = np.array(stand.figures("READ?"))
    times = np.array([1.0, 1.01, 1.02, 2.03, 2.04, 2.05]) + 0.25e-3
    assert values == pytest.approx(10e-6 * times, abs=3e-6)
    assert np.diff(values)[2] > 5e-6


def test_a_delay_that_is_set_ends_the_automatic_one(truevolt):
    stand = truevolt()
    assert stand.say("TRIG:DEL:AUTO?") == "1"
    stand.say("VOLT:RANG 10;:TRIG:DEL 0.5;:READ?")
    assert stand.say("TRIG:DEL:AUTO?") == "0"
    assert stand.clock.time == pytest.approx(0.5 + 0.4)


def test_a_level_trigger_keeps_the_samples_before_it(truevolt):
    stand = truevolt(options=("DIG",))
    stand.shape(Node.CURRENT, (0.0, 0.0), (0.5, 0.0), (0.5 + 1e-6, 4 * MA))
    stand.say("CONF:CURR 0.01;:CURR:NPLC 0.001;:SAMP:SOUR TIM;TIM 0.001;COUN 100;COUN:PRET 40")
    stand.say("TRIG:SOUR INT;SLOP POS;LEV 0.002;:INIT")
    values = np.array(stand.figures("FETC?"))
    assert len(values) == 100
    assert np.flatnonzero(values > 2 * MA)[0] == pytest.approx(40, abs=1)
    assert stand.error() == 0


def test_level_trigger_and_pretrigger_need_option_dig(truevolt):
    stand = truevolt()
    for command in ("TRIG:SOUR INT", "TRIG:LEV 1", "SAMP:COUN:PRET 1"):
        stand.say(command)
        assert stand.error() == -241


def test_what_is_kept_does_not_grow_with_time(recorder):
    stand = recorder()
    stand.say("INIT")
    for _ in range(20):
        stand.wait(100.0)
        assert stand.meter.needed_from() == pytest.approx(stand.clock.time, abs=2e-3)
    assert len(reals(stand.say("R?"))) == 50_000


def test_it_answers_in_the_maker_s_form(meter_stand):
    stand = meter_stand(Keysight34465A, maker="Keysight Technologies", model="34465A")
    assert stand.say("*IDN?").startswith("Keysight Technologies,34465A,SIM-")
    assert stand.say("SYST:ERR?") == '+0,"No error"'
    assert stand.say("CONF:CURR 0.01,1e-8;:CONF?") == '"CURR +1.00000000E-02,+7.00000000E-09"'
    assert stand.say("CURR:NPLC?") == "+2.00000000E-01"  # 0.7 ppm of range
    assert stand.say('FUNC "VOLT:DC";FUNC?') == '"VOLT"'


@pytest.mark.parametrize("full_scale", [each.full_scale for each in truevolt_ranges.RANGES["CURR"]])
def test_every_range_reads_its_full_scale(truevolt, full_scale):
    stand = truevolt(full_scale)
    assert stand.number(f"MEAS:CURR? {full_scale:g}") == pytest.approx(full_scale, rel=3e-3)


# --- faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (MeterFault(gain=0.05), 4.2 * MA),
        (MeterFault(offset=1 * MA), 5 * MA),
        (MeterFault(scale=0.1), 0.4 * MA),
        (MeterFault(scale=10), 9.9e37),
        (MeterFault(stuck=3.3 * MA), 3.3 * MA),
        (MeterFault(open_input=True), 0.0),
        (MeterFault(hum=10 * MA), 4 * MA),  # ten whole line cycles
    ],
)
def test_each_fault_of_a_meter_shows_in_its_readings(truevolt, fault, expected):
    stand = truevolt(4 * MA)
    stand.meter.fault = fault
    assert stand.number("MEAS:CURR? 0.01") == pytest.approx(expected, abs=5e-6)
    stand.meter.fault = HEALTHY
    assert stand.number("MEAS:CURR? 0.01") == pytest.approx(4 * MA, abs=5e-6)


def test_hum_shows_in_readings_shorter_than_a_line_cycle(recorder):
    stand = recorder()
    stand.meter.fault = MeterFault(hum=1 * MA)
    stand.say("INIT")
    stand.wait(1.0)
    values = reals(stand.say("R?"))
    assert np.ptp(values) == pytest.approx(2 * MA, rel=0.02)


def test_a_blown_fuse_of_an_ammeter_breaks_the_circuit(truevolt):
    stand = truevolt(4 * MA)
    stand.meter.fault = MeterFault(open_input=True)
    assert stand.circuit.told[-1] == ("shunt", 1e12)


def test_samples_taken_before_a_fault_set_in_are_sound(recorder):
    stand = recorder()
    stand.say("INIT")
    stand.wait(1.0)
    stand.meter.fault = MeterFault(stuck=7 * MA)
    stand.wait(1.0)
    values = reals(stand.say("R?"))
    assert np.flatnonzero(values == 7 * MA)[0] == pytest.approx(1000, abs=1)


# --- DMM6500 ------------------------------------------------------------------------------------


def test_a_keithley_reads_and_keeps_the_reading(keithley):
    stand = keithley(2.0)
    assert stand.number("READ?") == pytest.approx(2.0, rel=1e-4)
    reading, seconds, unit = stand.say('READ? "defbuffer1",READ,REL,UNIT').split(",")
    assert float(reading) == pytest.approx(2.0, rel=1e-4)
    assert float(seconds) == pytest.approx(0.04, abs=1e-6)
    assert unit == "Volt DC"
    assert stand.say("TRAC:ACT?") == "2"


def test_its_default_buffer_overwrites_at_the_place_of_the_oldest(keithley):
    stand = keithley()
    stand.shape(Node.TERMINAL, (0.0, 0.0), (100.0, 10.0))
    stand.say("VOLT:RANG 10;:VOLT:AZER OFF;:TRAC:POIN 10;:COUN 14;:READ?")
    assert [stand.say(f"TRAC:ACT{part}?") for part in ("", ":STAR", ":END")] == ["10", "5", "4"]
    values = stand.figures("TRAC:DATA? 1,10")
    times = np.array([11, 12, 13, 14, 5, 6, 7, 8, 9, 10]) - 0.5
    assert values == pytest.approx(0.02 * times * 0.1, abs=2e-4)


def test_a_created_buffer_stops_when_full_and_says_so(keithley):
    stand = keithley(1.0)
    stand.say('TRAC:MAKE "mine",10;:COUN 14;:READ? "mine"')
    assert stand.say('TRAC:ACT? "mine"') == "10"
    assert stand.error() == 4915
    stand.say('TRAC:DEL "mine";:TRAC:ACT? "mine"')
    assert stand.error() == -224


def test_it_digitises_a_million_readings_a_second(keithley):
    stand = keithley()
    stand.shape(Node.TERMINAL, (0.0, 0.0), (1.0, 10.0))
    stand.say('DIG:FUNC "VOLT";:DIG:VOLT:RANG 10;:DIG:VOLT:SRAT 1e6;:DIG:COUN 50000;:TRAC:TRIG:DIG')
    assert stand.say("TRAC:ACT?") == "50000"
    assert stand.clock.time == pytest.approx(0.05, abs=1e-5)
    last, seconds = stand.figures("TRAC:DATA? 50000,50000,'defbuffer1',READ,REL")
    assert seconds == pytest.approx(49.999e-3, abs=1e-9)
    assert last == pytest.approx(0.49999, abs=0.03)


def test_a_recording_without_end_is_drained_by_the_places_of_its_buffer(keithley):
    stand = keithley()
    stand.shape(Node.TERMINAL, (0.0, 0.0), (100.0, 10.0))
    stand.say('VOLT:RANG 10;NPLC 0.01;:VOLT:AZER OFF;:TRAC:POIN 1000;:TRIG:LOAD "Empty"')
    stand.say(
        "TRIG:BLOC:BUFF:CLE 1;:TRIG:BLOC:DEL:CONS 2,0;:TRIG:BLOC:MDIG 3,'defbuffer1',INF;:INIT"
    )
    values, taken = [], 0
    for _ in range(12):
        stand.wait(0.15)
        end = int(stand.say("TRAC:ACT:END?"))
        first = taken % 1000 + 1
        parts = [(first, end)] if end >= first else [(first, 1000), (1, end)]
        for begin, stop in parts:
            values += stand.figures(f"TRAC:DATA? {begin},{stop}")
            taken += stop - begin + 1
    assert stand.say("TRIG:STAT?").startswith("RUNNING")
    assert taken == pytest.approx(12 * 750, abs=2)
    assert np.polyfit(np.arange(taken) * 2e-4, values, 1)[0] == pytest.approx(0.1, rel=1e-3)
    stand.say("ABOR")
    assert stand.error() == 0


def test_a_simple_loop_measures_after_each_delay(keithley):
    stand = keithley(1.0)
    stand.say('VOLT:RANG 10;:VOLT:AZER OFF;:TRIG:LOAD "SimpleLoop",5,0.1;:INIT;*WAI')
    assert stand.clock.time == pytest.approx(0.6)
    assert stand.say("TRIG:STAT?") == "IDLE;IDLE;4"
    pairs = np.array(stand.figures("TRAC:DATA? 1,5,'defbuffer1',READ,REL")).reshape(5, 2)
    assert pairs[:, 1] == pytest.approx(0.12 * np.arange(5), abs=1e-6)


def test_a_wait_block_waits_for_the_command(keithley):
    stand = keithley(1.0)
    stand.say("TRIG:BLOC:WAIT 1,COMM;:TRIG:BLOC:MDIG 2;:TRIG:BLOC:BRAN:COUN 3,2,1;:INIT")
    assert stand.say("TRIG:STAT?").startswith("WAITING")
    stand.say("*TRG")
    stand.wait(1.0)
    assert stand.say("TRIG:STAT?").startswith("WAITING")
    stand.say("*TRG")
    stand.wait(1.0)
    assert stand.say("TRIG:STAT?").startswith("IDLE")
    assert stand.say("TRAC:ACT?") == "2"
    stand.say("*TRG")
    assert stand.error() == -211


def test_a_trigger_model_that_only_loops_is_refused(keithley):
    stand = keithley()
    stand.say("TRIG:BLOC:NOP 1;:TRIG:BLOC:BRAN:ALW 2,1;:INIT")
    assert stand.error() == -221


def test_binary_readings_come_as_a_block_without_length(keithley):
    stand = keithley(1.0)
    stand.say("FORM REAL;:FORM:BORD NORM;:COUN 3;:READ?")
    data = stand.say("TRAC:DATA? 1,3").encode("latin1")
    assert data[:2] == b"#0"
    assert struct.unpack(">3d", data[2:26]) == pytest.approx((1, 1, 1), rel=1e-4)


def test_its_filter_lessens_the_noise_and_its_offset_is_taken_away(keithley):
    plain, filtered = keithley(1.0), keithley(1.0)
    for stand, setting in ((plain, "OFF"), (filtered, "ON")):
        stand.say(f"VOLT:RANG 10;NPLC 0.01;AVER:COUN 100;:VOLT:AVER {setting};:COUN 100;:READ?")
    ratio = plain.number("TRAC:STAT:STDD?") / filtered.number("TRAC:STAT:STDD?")
    assert ratio > 3
    plain.say("VOLT:REL:ACQ;:VOLT:REL:STAT ON;:READ?")
    assert abs(plain.number("FETC?")) < 1e-3


def test_a_moving_filter_averages_with_the_readings_before(keithley):
    stand = keithley()
    stand.shape(Node.TERMINAL, (0.0, 0.0), (1.0, 0.0), (1.0001, 1.0))
    stand.say("VOLT:RANG 10;NPLC 1;AVER:COUN 10;TCON MOV;STAT ON;:VOLT:AZER OFF;:COUN 100;:READ?")
    values = np.array(stand.figures("TRAC:DATA? 1,100"))
    assert values[49] == pytest.approx(0, abs=1e-3)
    assert values[54] == pytest.approx(0.5, abs=2e-3)
    assert values[60] == pytest.approx(1, abs=1e-3)


def test_errors_are_written_as_its_event_log_does(keithley):
    stand = keithley()
    assert stand.say("SYST:ERR?") == '0,"No error;0;0 0"'
    stand.say("NO:SUCH:HEADER")
    assert stand.say("SYST:ERR?").startswith('-113,"Undefined header;1;')


def test_line_frequency_sets_the_longest_integration(keithley):
    stand = keithley(mains=60.0)
    stand.say("VOLT:NPLC 15")
    assert stand.error() == 0
    assert (stand.say("SYST:LFR?"), stand.say("VOLT:APER?")) == ("60", "0.25")
    stand = keithley()
    stand.say("VOLT:NPLC 15")
    assert stand.error() == -222


# --- every command ------------------------------------------------------------------------------

GIVEN = [
    "",
    " 1",
    " 0",
    " -1",
    " 1e-3",
    " 1e30",
    " 5",
    " MIN",
    " MAX",
    " DEF",
    " AUTO",
    " ON",
    " OFF",
]
GIVEN += [
    ' "VOLT:DC"',
    ' "x"',
    " 'defbuffer1'",
    " 1,1",
    " 2,1,1",
    ' 1,"defbuffer1",3',
    " 1,2,'defbuffer1',REL",
]
GIVEN += [
    ' "SimpleLoop",3,0.01',
    " TIM",
    " BUS",
    " IMM",
    " POS",
    " CHAN1",
    " ONCE",
    " INF",
    " VPP",
    " RAW",
    " WORD",
]


def headers(kind):
    for _, method in inspect.getmembers(kind):
        for header, _ in getattr(method, "scpi_commands", ()):
            spelled = re.sub(r"<(\d)-\d>", r"\1", header.replace("[", "").replace("]", ""))
            yield spelled.replace("<n>", "1")


@pytest.mark.parametrize(
    ("kind", "role"),
    [
        (Keysight34465A, "ammeter"),
        (KeithleyDMM6500, "voltmeter"),
        (RigolDS1000Z, "oscilloscope"),
    ],
)
def test_no_command_meets_a_defect_whatever_it_is_given(meter_stand, kind, role):
    stand, draw = meter_stand(kind, role), np.random.default_rng(1)
    for node in Node:
        stand.shape(node, (0.0, 0.0), (1000.0, 1.0))
    for header in sorted(set(headers(kind)) - {"*WAI", "*OPC?"}):
        for given in ("", *draw.choice(GIVEN, 5, replace=False)):
            stand.say("*RST")
            stand.say(header + given)
            stand.wait(1e-3)
            stand.say("INIT;READ?")
            stand.say("ABOR;:STOP")
        assert stand.meter.defect is None, f"{header}: {stand.meter.defect!r}"


# --- Keithley 2000 ------------------------------------------------------------------------------


@pytest.fixture
def k2000(meter_stand):
    """A 2000 as ammeter, idle, with a constant current."""

    def make(current=0.0, **more):
        stand = meter_stand(Keithley2000, **more)
        stand.shape(Node.CURRENT, (0.0, current))
        stand.say("*RST;:CONF:CURR;:CURR:RANG 0.01")
        return stand

    return make


def test_a_2000_measures_all_the_time_after_power_on_and_refuses_to_be_asked_for_more(meter_stand):
    stand = meter_stand(Keithley2000, "voltmeter")
    stand.shape(Node.TERMINAL, (0.0, 5.0))
    stand.wait(1.0)
    assert stand.number("SENS:DATA:FRES?") == pytest.approx(5.0, rel=1e-3)
    assert stand.say("READ?") == ""
    assert stand.error() == -213
    stand.say("INIT:CONT OFF")
    assert stand.number("READ?") == pytest.approx(5.0, rel=1e-3)


@pytest.mark.parametrize("seed", range(20))
def test_the_errors_of_every_2000_lie_inside_the_specification(k2000, seed):
    reading = k2000(4 * MA, seed=seed).number("READ?")
    assert abs(reading - 4 * MA) <= spec(4 * MA, 0.01, 5e-4, 9e-5)


@pytest.mark.parametrize("current", [13 * MA, -13 * MA])
def test_an_overload_of_a_2000_has_no_sign(k2000, current):
    assert k2000(current).number("READ?") == 9.9e37


def test_a_2000_fills_its_buffer_by_the_timer_and_stops(k2000):
    stand = k2000()
    stand.shape(Node.CURRENT, (0.0, 0.0), (10.0, 10 * MA))  # 1 mA/s
    stand.say("CURR:NPLC 0.01;:SYST:AZER:STAT OFF;:TRIG:SOUR TIM;TIM 0.002;COUN INF")
    stand.say("TRAC:CLE;POIN 500;FEED SENS;FEED:CONT NEXT;:INIT")
    started = stand.clock.time
    stand.wait(0.6)
    assert int(stand.say("STAT:MEAS:COND?")) & 0x380 == 0x180  # some, half
    stand.wait(1.4)
    assert int(stand.say("STAT:MEAS:COND?")) & 0x380 == 0x380
    assert stand.say("TRAC:FEED:CONT?") == "NEV"
    values = np.array(stand.figures("TRAC:DATA?"))
    due = (started + 0.002 * np.arange(500)) * MA
    assert values == pytest.approx(due, abs=spec(1 * MA, 0.01, 5e-4, 9e-5) + 10e-6)
    stand.say("FORM:DATA SRE;:FORM:BORD NORM")
    block = stand.meter.receive(b"TRAC:DATA?")
    assert np.frombuffer(block[2:-1], ">f4") == pytest.approx(values)
    assert stand.error() == 0


def test_a_reading_longer_than_the_timer_of_a_2000_misses_its_events(k2000):
    stand = k2000(1 * MA)
    stand.say("CURR:NPLC 1;:SYST:AZER:STAT OFF;:TRIG:SOUR TIM;TIM 0.015;COUN 10")
    stand.say("TRAC:POIN 10;FEED:CONT NEXT;:INIT")
    stand.wait(0.2)
    assert len(stand.figures("TRAC:DATA?")) == 6  # each 30 ms, the last would take until 200.33


def test_a_2000_waits_for_its_bus_trigger(k2000):
    stand = k2000(1 * MA)
    stand.say("TRIG:SOUR BUS;:INIT")
    assert stand.say("FETC?") is None
    stand.say("*TRG")
    stand.wait(0.1)
    assert stand.number("FETC?") == pytest.approx(1 * MA, rel=2e-3)


def test_an_empty_buffer_and_a_wrong_range_of_a_2000_are_errors(k2000):
    stand = k2000()
    stand.say("TRAC:DATA?")
    assert stand.error() == -230
    stand.say("CURR:RANG 5")
    assert stand.error() == -222
    assert stand.number("CURR:RANG?") == 0.01
