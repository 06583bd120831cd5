"""The DS1000Z, on a signal that is known exactly."""

import numpy as np
import pytest

from hil_instruments.simulated.dialects.rigol_ds1000z import RigolDS1000Z
from hil_instruments.simulated.metrology.fault import MeterFault
from hil_instruments.simulated.physics.node import Node

PULSE = ((0.0, 0.0), (1e-6, 0.05), (4e-3, 0.05), (4.001e-3, 0.0))
OFFSET = 0.1 * 0.8 + 0.03 / 4 * 0.8 * 8  # divisions by which a sound instrument may be off


@pytest.fixture
def scope(meter_stand):
    """A DS1104Z with a 1:1 probe, 100 mV and 1 ms per division."""

    def make(*points, scale=0.1, time=1e-3, seed=1):
        stand = meter_stand(RigolDS1000Z, "oscilloscope", seed=seed)
        stand.shape(Node.SHUNT, *(points or [(0.0, 0.0)]))
        stand.say(f":CHAN1:PROB 1;SCAL {scale};:TIM:SCAL {time}")
        return stand

    return make


def codes(stand):
    text = stand.say(":WAV:DATA?")
    assert text.startswith("#9")
    assert int(text[2:11]) == len(text) - 11
    return np.frombuffer(text[11:].encode("latin1"), np.uint8)


def scaled(stand):
    """Times and volts of the present read mode, by the preamble."""
    fields = list(map(float, stand.say(":WAV:PRE?").split(",")))
    points, x_step, x_first, y_step, y_zero, y_reference = (fields[n] for n in (2, 4, 5, 7, 8, 9))
    raw = codes(stand)
    assert len(raw) == points
    return x_first + x_step * np.arange(len(raw)), (raw - y_zero - y_reference) * y_step


def triggered(stand, slope="POS", level=0.2, sweep=":SING"):
    stand.say(f":TRIG:EDG:SLOP {slope};LEV {level};{sweep}")


def test_a_microsecond_pulse_in_ten_minutes_is_caught(scope):
    pulse = (400.0, 400.0 + 1e-8, 400.0 + 1e-6, 400.0 + 1.01e-6)
    stand = scope(*zip((0.0, *pulse), (0.0, 0.0, 0.3, 0.3, 0.0), strict=True), time=5e-7)
    triggered(stand)
    stand.wait(399.0)
    assert stand.say(":TRIG:STAT?") == "WAIT"
    stand.wait(201.0)
    assert stand.say(":TRIG:STAT?") == "STOP"
    times, volts = scaled(stand)
    above = times[volts > 0.2]
    assert above[0] == pytest.approx(0.0, abs=2e-8)
    assert above[-1] == pytest.approx(1e-6, abs=3e-8)
    assert stand.error() == 0


def test_the_time_before_the_trigger_is_shown_too(scope):
    stand = scope((0.0, 0.0), (1.0, 0.0), (1.0 + 1e-9, 0.35))
    stand.say(":TIM:OFFS 0.004")
    triggered(stand)
    stand.wait(1.005)
    assert stand.say(":TRIG:STAT?") == "TD"
    stand.wait(0.01)
    times, volts = scaled(stand)
    assert times[0] == pytest.approx(-2e-3)
    assert times[-1] == pytest.approx(10e-3, rel=1e-3)
    assert volts[times < -1e-5].max() < 0.1
    assert volts[times > 1e-5].min() > 0.25


def test_a_trigger_counts_only_when_the_time_before_it_is_filled(scope):
    stand = scope((0.0, 0.0), (3e-3, 0.0), (3.1e-3, 0.3))
    triggered(stand)  # 6 ms come before the trigger
    stand.wait(1.0)
    assert stand.say(":TRIG:STAT?") == "WAIT"


@pytest.mark.parametrize("slope", ["NEG", "RFAL"])
def test_a_fall_triggers_the_slopes_that_it_belongs_to(scope, slope):
    stand = scope((0.0, 0.3), (1.0, 0.3), (1.001, 0.0))
    triggered(stand, slope)
    stand.wait(2.0)
    assert stand.say(":TRIG:STAT?") == "STOP"
    triggered(stand, "POS")
    stand.wait(2.0)
    assert stand.say(":TRIG:STAT?") == "WAIT"


def test_the_sweep_normal_shows_the_newest_of_many_triggers(scope):
    pulses = [(0.5 * n + at, level * n) for n in range(1, 9) for at, level in PULSE]
    stand = scope((0.0, 0.0), *pulses, scale=0.2)
    triggered(stand, level=0.04, sweep=":TRIG:SWE NORM")
    for seconds, shown in ((3.3, 0.3), (0.4, 0.35), (0.5, 0.4)):
        stand.wait(seconds)
        assert scaled(stand)[1].max() == pytest.approx(shown, abs=0.03 * 1.6)
        assert stand.say(":TRIG:STAT?") == "WAIT"


def test_the_sweep_normal_says_when_the_next_record_is_filling(scope):
    pulses = [(0.5 * n + at, level * 5) for n in (2, 3) for at, level in PULSE]
    stand = scope((0.0, 0.0), *pulses)
    triggered(stand, level=0.1, sweep=":TRIG:SWE NORM")
    stand.wait(1.501)  # the second trigger came 1 ms ago; 6 ms follow it
    assert stand.say(":TRIG:STAT?") == "TD"
    stand.wait(0.1)
    assert stand.say(":TRIG:STAT?") == "WAIT"


def test_an_inverted_channel_triggers_on_what_it_shows(scope):
    stand = scope((0.0, 0.3), (1.0, 0.3), (1.001, 0.0))
    stand.say(":CHAN1:INV ON")
    triggered(stand, "NEG", level=-0.15)
    stand.wait(2.0)
    assert stand.say(":TRIG:STAT?") == "WAIT"
    triggered(stand, "POS", level=-0.15)
    stand.shape(Node.SHUNT, (0.0, 0.3), (3.0, 0.3), (3.001, 0.0))
    stand.wait(2.0)
    assert stand.say(":TRIG:STAT?") == "STOP"


def test_the_sweep_auto_records_without_a_trigger(scope):
    stand = scope((0.0, 0.3))
    stand.wait(1.0)
    assert stand.say(":TRIG:STAT?") == "AUTO"
    times, volts = scaled(stand)
    assert len(times) == 1200
    assert volts.mean() == pytest.approx(0.3, abs=0.1 * OFFSET)


def test_force_triggers_and_stop_freezes(scope):
    stand = scope((0.0, 0.1), (10.0, 0.3))
    triggered(stand, level=0.39)
    stand.wait(1.0)
    stand.say(":TFOR")
    stand.wait(0.1)
    assert stand.say(":TRIG:STAT?") == "STOP"
    frozen = codes(stand)
    stand.wait(5.0)
    assert (codes(stand) == frozen).all()


def test_beyond_its_end_the_converter_clips(scope):
    stand = scope((0.0, 5.0))
    stand.wait(1.0)
    assert set(codes(stand)) == {255}


@pytest.mark.parametrize("seed", range(10))
def test_its_error_lies_inside_the_data_sheet(scope, seed):
    stand = scope((0.0, 0.3), seed=seed)
    stand.wait(1.0)
    reading = stand.number(":MEAS:ITEM? VAVG")
    assert reading == pytest.approx(0.3, abs=0.03 * 0.8 + 0.01 + 2e-3 + 4e-3)


def test_a_ratio_that_is_not_the_probe_s_shows_other_volts(meter_stand):
    stand = meter_stand(RigolDS1000Z, "oscilloscope")
    stand.shape(Node.SHUNT, (0.0, 0.3))
    stand.say(":TIM:SCAL 1e-3")
    stand.wait(1.0)
    assert stand.say(":CHAN1:PROB?") == "10"
    assert stand.number(":MEAS:ITEM? VAVG,CHAN1") == pytest.approx(3.0, abs=0.3)


def test_only_the_wired_channel_shows_the_signal(scope):
    stand = scope((0.0, 0.3))
    stand.say(":CHAN3:DISP ON;PROB 1;SCAL 0.1")
    stand.wait(1.0)
    assert stand.number(":MEAS:ITEM? VAVG,CHAN1") > 0.25
    assert abs(stand.number(":MEAS:ITEM? VAVG,CHAN3")) < 0.02
    assert 0 < stand.number(":MEAS:ITEM? VPP,CHAN3") < 0.05
    stand.say(":CHAN5:DISP?")
    assert stand.error() == -114


def test_channels_share_memory_and_rate(scope):
    stand = scope(time=1e-6)
    stand.say(":ACQ:MDEP 12000000")
    assert (stand.error(), stand.number(":ACQ:SRAT?")) == (0, 1e9)
    stand.say(":CHAN2:DISP ON")
    assert (stand.say(":ACQ:MDEP?"), stand.number(":ACQ:SRAT?")) == ("AUTO", 5e8)
    stand.say(":ACQ:MDEP 12000000")
    assert stand.error() == -222


def test_memory_is_read_in_parts_that_repeat_to_the_last_bit(scope):
    stand = scope((0.0, 0.0), (1.0, 0.3))
    stand.say(":ACQ:MDEP 1200000;:RUN")
    stand.wait(1.5)
    stand.say(":WAV:MODE RAW")
    assert stand.say(":WAV:DATA?") == ""
    assert stand.error() == -221  # running
    stand.say(":STOP;:WAV:STAR 1;STOP 250001;DATA?")
    assert stand.error() == -222  # too many at a time
    parts = []
    for first in range(1, 1_200_001, 250_000):
        stand.say(f":WAV:STAR {first};STOP {min(first + 249_999, 1_200_000)}")
        parts.append(codes(stand))
    assert sum(map(len, parts)) == 1_200_000
    stand.say(":WAV:STAR 1;STOP 250000")
    assert (codes(stand) == parts[0]).all()


def test_words_and_text_say_the_same_as_bytes(scope):
    stand = scope((0.0, 0.3))
    stand.wait(1.0)
    stand.say(":STOP;:WAV:STOP 100")
    raw = codes(stand)
    stand.say(":WAV:FORM WORD")
    words = stand.say(":WAV:DATA?").encode("latin1")[11:]
    assert (np.frombuffer(words, "<u2") == raw).all()
    stand.say(":WAV:FORM ASC")
    volts = np.array(list(map(float, stand.say(":WAV:DATA?")[11:].split(","))))
    assert volts == pytest.approx((raw - 127.0) * 0.004, abs=1e-6)


def square(period, count, high=0.3):
    edge = period * 1e-3
    for n in range(count):
        yield from ((n * period, 0.0), (n * period + edge, high))
        yield from ((n * period + period / 4, high), (n * period + period / 4 + edge, 0.0))


def test_its_measurements_are_those_of_the_signal(scope):
    stand = scope(*square(2e-3, 1000))
    stand.wait(1.0)
    measured = {
        item: stand.number(f":MEAS:ITEM? {item}")
        for item in ("FREQ", "PER", "PWID", "PDUT", "VPP", "VTOP", "VBAS", "VAMP", "VRMS")
    }
    assert measured["FREQ"] == pytest.approx(500, rel=0.01)
    assert measured["PER"] == pytest.approx(2e-3, rel=0.01)
    assert measured["PWID"] == pytest.approx(0.5e-3, rel=0.05)
    assert measured["PDUT"] == pytest.approx(0.25, rel=0.05)
    assert measured["VAMP"] == pytest.approx(0.3, rel=0.04)
    assert measured["VPP"] >= measured["VTOP"] - measured["VBAS"]
    assert measured["VRMS"] == pytest.approx(0.15, abs=0.03)
    assert stand.error() == 0


def test_rise_time_is_that_of_the_edge(scope):
    stand = scope((0.0, 0.0), (1.0, 0.0), (1.002, 0.3))
    triggered(stand, level=0.15)
    stand.wait(2.0)
    assert stand.number(":MEAS:ITEM? RTIM") == pytest.approx(0.8 * 2e-3, rel=0.1)
    assert stand.number(":MEAS:ITEM? PSLEW") == pytest.approx(150, rel=0.1)


def test_a_constant_has_no_period(scope):
    stand = scope((0.0, 0.1))
    stand.wait(1.0)
    assert stand.number(":MEAS:ITEM? PER") == 9.9e37


def test_alternating_coupling_takes_the_mean_away_and_invert_the_sign(scope):
    stand = scope((0.0, 0.3))
    stand.say(":CHAN1:COUP AC")
    stand.wait(1.0)
    assert abs(stand.number(":MEAS:ITEM? VAVG")) < 0.02
    stand.say(":CHAN1:COUP DC;INV ON")
    stand.wait(1.0)
    assert stand.number(":MEAS:ITEM? VAVG") < -0.25


def test_it_lets_go_of_the_past_once_it_has_digitised_it(scope):
    stand = scope((0.0, 0.0), (1.0, 0.0), (1.001, 0.3))
    triggered(stand)
    stand.wait(100.0)
    assert stand.meter.needed_from() == stand.clock.time
    before = codes(stand)
    stand.shape(Node.SHUNT, (0.0, 0.0))
    assert (codes(stand) == before).all()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (MeterFault(gain=-0.5), 0.15),
        (MeterFault(offset=-0.2), 0.1),
        (MeterFault(stuck=0.2), 0.2),
        (MeterFault(open_input=True), 0.0),
    ],
)
def test_each_fault_of_its_input_shows_on_the_screen(scope, fault, expected):
    stand = scope((0.0, 0.3))
    stand.wait(1.0)
    stand.meter.fault = fault
    stand.wait(1.0)
    assert stand.number(":MEAS:ITEM? VAVG") == pytest.approx(expected, abs=0.03)


def test_hum_triggers_at_mains_frequency(scope):
    stand = scope((0.0, 0.0), time=5e-3)
    stand.meter.fault = MeterFault(hum=0.3)
    triggered(stand, level=0.0, sweep=":TRIG:SWE NORM")
    stand.wait(2.0)
    assert stand.number(":MEAS:ITEM? FREQ") == pytest.approx(50, rel=0.01)
