"""Sources of real models in the place of the stimulator, on the real circuit."""

import pytest

from hil_instruments.simulated.dialects.keithley_2450 import Keithley2450
from hil_instruments.simulated.dialects.keithley_2450_ranges import SOURCES
from hil_instruments.simulated.dialects.keithley_6221 import Keithley6221
from hil_instruments.simulated.dialects.keithley_6221_settings import RANGES
from hil_instruments.simulated.physics.circuit import Node

MA = 1e-3
LATENCY = 200e-6
KINDS = {
    "k2450": (Keithley2450, "stimulator", "KEITHLEY INSTRUMENTS", "MODEL 2450"),
    "k6221": (Keithley6221, "stimulator", "KEITHLEY INSTRUMENTS INC.", "MODEL 6221"),
}


@pytest.fixture
def stand(source_stand):
    """Makes stands of the instruments named in KINDS."""
    return lambda name, *more: source_stand(KINDS[name], *more)


@pytest.mark.parametrize("name", KINDS)
def test_identity_differs_from_the_real_one_by_its_serial_only(stand, name):
    _, role, maker, model = KINDS[name]
    fields = stand(name).ask("*IDN?").split(",")
    assert fields[:3] == [maker, model, f"SIM-{role}-01"]
    assert fields[3]


# --- 2450 ---------------------------------------------------------------------------------------


@pytest.fixture
def smu(stand):
    """A 2450 that drives 2 mA into 2 kohm."""
    each = stand("k2450")
    each.say(":SOUR:FUNC CURR;:SOUR:CURR:VLIM 20;:SOUR:CURR 2e-3")
    each.say(":OUTP ON")
    each.wait(0.05)
    return each


def source_error(level, full_scale, function="CURR"):
    used = next(each for each in SOURCES[function] if each.full_scale == full_scale)
    return abs(level) * used.gain + used.offset + used.resolution


@pytest.mark.parametrize("seed", range(20))
def test_every_2450_sources_inside_its_specification(stand, seed):
    each = stand("k2450", seed)
    each.say(":SOUR:FUNC CURR;:SOUR:CURR:VLIM 20;:SOUR:CURR -2e-3;:OUTP ON")
    each.wait(0.05)
    assert each.value(Node.CURRENT) == pytest.approx(-2 * MA, abs=source_error(2 * MA, 10 * MA))


def test_a_2450_measures_what_it_drives(smu):
    assert smu.number(":MEAS:CURR?") == pytest.approx(smu.value(Node.SENSE), abs=1.1e-6)
    assert smu.number(":MEAS:VOLT?") == pytest.approx(smu.value(Node.OUTPUT), abs=2e-3)
    ohms = smu.value(Node.OUTPUT) / smu.value(Node.SENSE)
    assert smu.number(":MEAS:RES?") == pytest.approx(ohms, rel=2e-3)
    smu.say(":SENS:VOLT:RSEN ON;:OUTP ON")
    assert smu.number(":MEAS:VOLT?") == pytest.approx(smu.value(Node.TERMINAL), abs=2e-3)


def test_a_2450_keeps_to_its_voltage_limit_and_tells(smu):
    assert smu.ask(":SOUR:CURR:VLIM:TRIP?") == "0"
    smu.say(":SOUR:CURR:VLIM 2")
    smu.wait(0.05)
    assert smu.value(Node.OUTPUT) == pytest.approx(2, abs=3e-3)
    assert smu.ask(":SOUR:CURR:VLIM:TRIP?") == "1"


def test_a_2450_sources_a_voltage_and_keeps_to_its_current_limit(stand):
    each = stand("k2450")
    each.say(":SOUR:VOLT 1;:SOUR:VOLT:ILIM 1e-3;:OUTP ON")
    each.wait(0.05)
    assert each.value(Node.OUTPUT) == pytest.approx(1, abs=2e-3)
    assert each.ask(":SOUR:VOLT:ILIM:TRIP?") == "0"
    each.say(":SOUR:VOLT -5")
    each.wait(0.05)
    assert each.value(Node.CURRENT) == pytest.approx(-1 * MA, rel=1e-3)
    assert each.ask(":SOUR:VOLT:ILIM:TRIP?") == "1"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (":SOUR:CURR 1.06", -222),
        (":SOUR:CURR -5", -222),
        (":SOUR:CURR:VLIM 211", -222),
        (":SENS:CURR:NPLC 11", -222),
        (":SENS:FUNC 'TEMP'", -224),
        (":TRAC:FEED SENSE", -113),
        (":TRAC:POIN 9", -222),
        (":INIT", -221),
    ],
)
def test_a_2450_refuses_and_stays_as_it_was(smu, text, code):
    smu.say(text)
    assert smu.error() == code
    assert smu.number(":SOUR:CURR?") == 2 * MA
    assert smu.number(":SOUR:CURR:VLIM?") == 20
    assert smu.value(Node.CURRENT) == pytest.approx(2 * MA, rel=2e-3)


def test_a_fixed_range_of_a_2450_bounds_its_level(smu):
    smu.say(":SOUR:CURR:RANG 5e-3")
    assert smu.number(":SOUR:CURR:RANG?") == 10 * MA
    smu.say(":SOUR:CURR 10.6e-3")
    assert smu.error() == -222
    smu.say(":SOUR:CURR 10.4e-3")
    assert smu.error() == 0
    smu.say(":SOUR:CURR:RANG 1e-3")
    assert smu.error() == -222
    assert smu.number(":SOUR:CURR:RANG?") == 10 * MA


def test_errors_of_a_2450_carry_kind_and_time(smu):
    assert smu.ask("SYST:ERR?") == '0,"No error;0;0 0"'
    smu.say(":FOO")
    text = smu.ask("SYST:ERR?")
    assert text.startswith('-113,"Undefined header')
    assert text.split(";")[1] == "1"


@pytest.mark.parametrize(("mode", "closed"), [("NORM", True), ("HIMP", False), ("GUAR", True)])
def test_an_output_off_mode_decides_whether_the_relay_opens(smu, mode, closed):
    smu.say(f":OUTP:CURR:SMOD {mode};:OUTP OFF")
    smu.wait(0.05)
    assert smu.ask(":OUTP:CURR:SMOD?;:OUTP?") == f"{mode};0"
    assert smu.value(Node.CURRENT) == pytest.approx(0, abs=1e-8)
    assert smu.circuit.relay_closed == closed


def test_changing_the_terminals_switches_the_output_of_a_2450_off(smu):
    smu.say(":ROUT:TERM REAR")
    assert smu.ask(":OUTP?;:ROUT:TERM?") == "0;REAR"
    smu.wait(0.01)
    assert smu.value(Node.CURRENT) == pytest.approx(0, abs=1e-8)


def test_readings_of_a_2450_go_into_a_buffer(smu):
    smu.say(":SENS:FUNC 'VOLT';:SENS:COUN 5;:TRAC:MAKE 'mine', 100;:TRAC:TRIG 'mine'")
    assert smu.ask(":TRAC:ACT? 'mine';:TRAC:ACT?") == "5;0"
    parts = smu.ask(":TRAC:DATA? 1, 2, 'mine', READ, SOUR, UNIT, REL").split(",")
    assert float(parts[0]) == pytest.approx(4.2, abs=0.02)
    assert float(parts[1]) == pytest.approx(2 * MA, abs=2e-6)
    assert parts[2] == "Volt DC"
    assert float(parts[7]) == pytest.approx(3 * 0.02 + 1.5e-3)
    assert smu.number(":FETC? 'mine'") == pytest.approx(4.2, abs=0.02)
    assert smu.number(":TRAC:STAT:AVER? 'mine'") == pytest.approx(4.2, abs=0.02)
    smu.say(":TRAC:DATA? 4, 6, 'mine'")
    assert smu.error() == -222
    smu.say(":TRAC:DEL 'mine';:FETC? 'mine'")
    assert smu.error() == -224


def test_a_reading_of_a_2450_waits_for_source_and_aperture(smu):
    smu.say(":SENS:VOLT:NPLC 5;AZER OFF")
    before = smu.clock.time
    smu.say(":MEAS:VOLT?")
    assert smu.clock.time - before == pytest.approx(0.1, abs=5e-3)


def test_a_reading_of_a_2450_waits_out_the_source_delay(smu):
    smu.say(":SENS:VOLT:AZER OFF;:SOUR:CURR:DEL 0.5;:SOUR:CURR 1e-3")
    before = smu.clock.time
    smu.say(":MEAS:VOLT?")
    assert smu.clock.time - before == pytest.approx(0.52, abs=5e-3)


def test_the_range_of_a_sourced_function_also_measures_it(smu):
    """Reference Manual, page 6-53."""
    smu.say(":SENS:CURR:RANG 1e-4")
    assert smu.number(":MEAS:CURR?") == pytest.approx(2 * MA, rel=2e-3)
    smu.say(":SOUR:FUNC VOLT;:SOUR:VOLT 4;:SOUR:VOLT:ILIM 0.01;:OUTP ON")
    assert smu.number(":MEAS:CURR?") == 9.9e37


def test_beyond_its_range_a_2450_reads_overflow(smu):
    smu.say(":SENS:VOLT:RANG 2")
    assert smu.number(":MEAS:VOLT?") == 9.9e37
    smu.say(":SENS:VOLT:RANG:AUTO ON")
    assert smu.number(":MEAS:VOLT?") == pytest.approx(4.2, abs=0.02)


def test_a_sweep_of_a_2450_drives_and_measures_each_level(smu):
    smu.say(":SENS:FUNC 'CURR';:SOUR:SWE:VOLT:LIN 0, 4, 5, 0.01, 1, AUTO, OFF, OFF, 'defbuffer1'")
    smu.say(":SOUR:VOLT:ILIM 0.01;:INIT;*WAI")
    readings = [float(each) for each in smu.ask(":TRAC:DATA? 1, 5, 'defbuffer1'").split(",")]
    assert readings == pytest.approx([k / 2102 for k in range(5)], abs=3e-6)
    assert smu.ask(":OUTP?;:TRIG:STAT?") == "0;IDLE;IDLE;0"


def test_a_sweep_of_a_2450_ends_at_the_limit_or_by_abort(smu):
    smu.say(":SOUR:SWE:VOLT:LIN 0, 10, 11, 0.01, 1, AUTO, ON, OFF, 'defbuffer1'")
    smu.say(":SOUR:VOLT:ILIM 1e-3;:INIT;*WAI")
    assert smu.ask(":TRAC:ACT?") == "4"  # 0, 1, 2 V are within 1 mA; 3 V is not
    smu.say(":SOUR:SWE:VOLT:LIN 0, 1, 1000, 0.01;:INIT")
    smu.wait(0.5)
    smu.say(":ABOR")
    assert smu.ask(":OUTP?;*OPC?") == "0;1"
    assert smu.clock.time < 10
    held = smu.ask(":TRAC:ACT?")
    smu.wait(1)
    assert smu.ask(":TRAC:ACT?") == held


def test_the_simple_loop_of_a_2450_measures_so_many_times(smu):
    smu.say(":SENS:FUNC 'CURR';:TRIG:LOAD 'SimpleLoop', 10, 0.1;:INIT;*WAI")
    assert smu.ask(":TRAC:ACT?;:OUTP?") == "10;1"
    assert smu.number(":TRAC:STAT:AVER?") == pytest.approx(2 * MA, abs=3e-6)


# --- 6221 ---------------------------------------------------------------------------------------


@pytest.fixture
def source(stand):
    """A 6221 that drives 2 mA into 2 kohm."""
    each = stand("k6221")
    each.say(":SOUR:CURR:COMP 20;:SOUR:CURR:RANG 2e-3;:SOUR:CURR 2e-3;:OUTP ON")
    each.wait(0.05)
    return each


@pytest.mark.parametrize("seed", range(20))
def test_every_6221_sources_inside_its_specification(stand, seed):
    each = stand("k6221", seed)
    each.say(":SOUR:CURR:COMP 20;:SOUR:CURR:RANG 2e-3;:SOUR:CURR -2e-3;:OUTP ON")
    each.wait(0.05)
    used = next(one for one in RANGES if one.full_scale == 2e-3)
    allowed = 2 * MA * used.gain + used.offset
    assert each.value(Node.CURRENT) == pytest.approx(-2 * MA, abs=allowed)


def test_a_6221_keeps_to_its_compliance_and_tells(source):
    source.say(":STAT:MEAS:ENAB 8;*SRE 1")
    assert source.ask(":STAT:MEAS:COND?;*STB?") == "0;0"
    source.say(":SOUR:CURR:COMP 1")
    source.wait(0.05)
    assert source.value(Node.OUTPUT) == pytest.approx(1, abs=0.022)
    assert source.ask("*STB?;:STAT:MEAS?") == "65;8"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (":SOUR:CURR 0.106", -222),
        (":SOUR:CURR 2.2e-3", -222),  # beyond the range
        (":SOUR:CURR:RANG 1e-3", 0),  # 2 mA again: the next range that holds 1 mA
        (":SOUR:CURR:RANG 1e-4", -222),
        (":SOUR:CURR:COMP 106", -222),
        (":SOUR:DELT:ARM", -241),
        (":TRAC:DATA?", -230),
        (":SOUR:WAVE:INIT", -221),
        (":INIT", -221),
        (":SOUR:LIST:CURR 1e-3,0.2", -222),
        (":SOUR:SWE:SPAC LOG;:SOUR:SWE:ARM", -221),  # from 0
        (":SOUR:WAVE:FREQ 1e5;:SOUR:WAVE:ARM", -221),
        ("ESE 1", -113),
    ],
)
def test_a_6221_refuses_and_stays_as_it_was(source, text, code):
    source.say(text)
    assert source.error() == code
    assert source.ask(":SOUR:CURR?;:SOUR:CURR:RANG?;:OUTP?") == "2.000000E-03;2.000000E-03;1"
    assert source.value(Node.CURRENT) == pytest.approx(2 * MA, rel=2e-3)


def test_clear_switches_a_6221_off_at_zero(source):
    source.say(":SOUR:CLE")
    source.wait(0.05)
    assert source.ask(":OUTP?;:SOUR:CURR?") == "0;0.000000E+00"
    assert source.value(Node.CURRENT) == 0


def test_autoranging_of_a_6221_follows_its_level(source):
    source.say(":SOUR:CURR:RANG:AUTO ON;:SOUR:CURR 15e-6")
    assert source.number(":SOUR:CURR:RANG?") == 20e-6
    source.say(":SOUR:CURR 0.1")
    assert source.number(":SOUR:CURR:RANG?") == 0.1


def test_a_6221_plays_a_square_of_three_periods(source):
    source.say(":SOUR:WAVE:FUNC SQU;FREQ 10;AMPL 1e-3;OFFS 0.5e-3;DUR:CYCL 3")
    source.ask(":SOUR:WAVE:ARM;:STAT:OPER?;:SOUR:WAVE:INIT")
    seen = []
    for _ in range(7):
        source.wait(0.025)
        seen.append(source.value(Node.CURRENT))
        source.wait(0.025 - 1e-12)
    assert seen == pytest.approx([k * MA for k in (1.5, -0.5, 1.5, -0.5, 1.5, -0.5, 0.5)], abs=4e-6)
    assert int(source.ask(":STAT:OPER?")) & 128
    source.say(":SOUR:WAVE:ABOR")
    source.wait(0.01)
    assert source.value(Node.CURRENT) == 0


def test_a_6221_plays_arbitrary_points(source):
    source.say(":SOUR:WAVE:ARB:DATA 0, 0.5, 1, -1;COPY 2")
    source.say(":SOUR:WAVE:FUNC ARB2;FREQ 1;AMPL 2e-3;:SOUR:WAVE:ARM;INIT")
    seen = []
    for _ in range(5):
        source.wait(0.25 - LATENCY / 4)
        seen.append(source.value(Node.CURRENT))
    assert seen == pytest.approx([0, 1 * MA, 2 * MA, -2 * MA, 0], abs=6e-6)


def test_a_6221_sweeps_up_in_steps_and_stays_at_the_last(source):
    source.say(":SOUR:CURR:STAR 0;STOP 2e-3;STEP 0.5e-3;:SOUR:DEL 0.1;:SOUR:SWE:ARM;:INIT")
    seen = []
    for _ in range(6):
        source.wait(0.05)
        seen.append(source.value(Node.CURRENT))
        source.wait(0.05)
    assert seen == pytest.approx([k * MA for k in (0, 0.5, 1, 1.5, 2, 2)], abs=3e-6)
    assert int(source.ask(":STAT:OPER?")) & 2


def test_completion_of_a_6221_waits_for_its_sweep(source):
    source.say(":SOUR:SWE:SPAC LOG;POIN 3;:SOUR:CURR:STAR 1e-5;STOP 1e-3;:SOUR:DEL 1;:SOUR:SWE:ARM")
    before = source.clock.time
    assert source.ask(":INIT;*OPC?") == "1"
    assert source.clock.time - before == pytest.approx(3, abs=0.01)
    assert source.value(Node.CURRENT) == pytest.approx(1 * MA, abs=2e-6)


def test_a_6221_plays_a_list_until_it_is_aborted(source):
    source.say(":SOUR:LIST:CURR 1e-3,-1e-3;DEL 0.1,0.2;:SOUR:SWE:SPAC LIST;COUN INF;ARM;:INIT")
    seen = []
    for _ in range(6):
        source.wait(0.1 - LATENCY / 6)
        seen.append(round(source.value(Node.CURRENT) / MA, 1))
    assert seen == [1, -1, -1, 1, -1, -1]
    source.say(":SOUR:SWE:ABOR")
    source.wait(0.5)
    assert source.value(Node.CURRENT) == 0
    assert int(source.ask(":STAT:OPER?")) & 4


def test_a_reset_in_the_middle_of_a_wave_leaves_nothing_running(source):
    source.say(":SOUR:WAVE:FUNC SIN;FREQ 10;:SOUR:WAVE:ARM;INIT")
    source.wait(0.33)
    source.say("*RST")
    source.wait(1)
    assert source.value(Node.CURRENT) == 0
    assert source.ask(":OUTP?") == "0"
