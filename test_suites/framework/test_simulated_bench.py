"""The instruments of the simulated bench over the one circuit."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hil.errors import UsageError
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.bench import MESSAGE_LATENCY, SimulatedBench
from hil_instruments.simulated.clock import VirtualClock
from hil_instruments.simulated.physics.circuit import Node

PROFILE, BENCH = read_device(None), read_bench(None)


@pytest.fixture
def twin() -> SimulatedBench:
    return SimulatedBench(PROFILE, BENCH)


def say(twin: SimulatedBench, role: str, message: str) -> str:
    return twin.exchange(role, message).decode("latin-1").rstrip("\n")


def deliver(twin: SimulatedBench, milliampere: float = 2.0) -> None:
    """Supply on, 2 kohm, cut-off closed for 10 s, treatment in its hold phase."""
    say(twin, "supply", ":APPL CH1,9,1;:OUTP CH1,ON")
    twin.clock.sleep(3.0)
    channel = BENCH.loads["2k"].channel
    say(twin, "load", f"ROUT:CLOS (@{channel})")
    say(twin, "cutoff", "REL:CLOS 1")
    say(twin, "cutoff", "REL:REN 10")
    say(twin, "stimulator", f"SOUR:CURR {milliampere} mA;RAMP 20;DOSE 40;:TREAT:STAR")
    for _ in range(5):
        twin.clock.sleep(5.0)
        say(twin, "cutoff", "REL:REN 10")
    assert say(twin, "stimulator", "TREAT:STAT?") == "HOLD"


def no_errors(twin: SimulatedBench) -> None:
    for role in twin.instruments:
        assert say(twin, role, "SYST:ERR?").lstrip("+") == '0,"No error"', role


def test_every_instrument_tells_who_it_is(twin: SimulatedBench) -> None:
    say(twin, "supply", ":APPL CH1,9,1;:OUTP CH1,ON")
    twin.clock.sleep(0.5)
    for role, entry in BENCH.instruments.items():
        told = say(twin, role, "*IDN?").split(",")
        assert told[:2] == [entry.manufacturer, entry.model]
        assert told[2].startswith("SIM-")


def test_without_supply_the_stimulator_is_mute(twin: SimulatedBench) -> None:
    assert twin.exchange("stimulator", "*IDN?") == b""
    say(twin, "supply", ":APPL CH1,4,1;:OUTP CH1,ON")
    twin.clock.sleep(0.5)
    assert twin.exchange("stimulator", "*IDN?") == b""
    say(twin, "supply", ":APPL CH1,9")
    twin.clock.sleep(0.5)
    assert twin.exchange("stimulator", "*IDN?") != b""
    measured, on = say(twin, "supply", ":MEAS:VOLT? CH1;:OUTP? CH1").split(";")
    assert float(measured) == pytest.approx(9.0, abs=0.02)
    assert on == "ON"
    say(twin, "supply", ":OUTP CH1,OFF")
    twin.clock.sleep(0.5)
    assert twin.exchange("stimulator", "*IDN?") == b""


def test_meters_and_device_agree_on_what_flows(twin: SimulatedBench) -> None:
    deliver(twin)
    say(twin, "ammeter", "CONF:CURR:DC 0.01")
    current = float(say(twin, "ammeter", "READ?"))
    say(twin, "voltmeter", "CONF:VOLT:DC 100")
    voltage = float(say(twin, "voltmeter", "READ?"))
    truth = twin.device.circuit
    assert current == pytest.approx(truth.value(Node.CURRENT), abs=0.0005 * 2e-3 + 0.0002 * 0.01)
    assert voltage == pytest.approx(
        truth.value(Node.TERMINAL), abs=0.0045e-2 * 5 + 0.0006e-2 * 100 + 2e-3 * 2
    )
    assert current == pytest.approx(2e-3, rel=0.05)
    told = float(say(twin, "stimulator", "MEAS:CURR?"))
    assert told == pytest.approx(current, rel=0.03)
    no_errors(twin)


@pytest.mark.parametrize("seed", range(20))
def test_fixed_errors_of_a_meter_stay_inside_its_accuracy(seed: int) -> None:
    twin = SimulatedBench(PROFILE, BENCH, seed=seed)
    say(twin, "ammeter", "CONF:CURR:DC 0.01")
    reading = float(say(twin, "ammeter", "READ?"))  # nothing flows: offset only
    assert 0 < abs(reading) < 0.0002 * 0.01


def test_a_reading_is_the_mean_over_its_aperture(twin: SimulatedBench) -> None:
    deliver(twin)
    say(twin, "ammeter", "CONF:CURR:DC 0.01")
    say(twin, "ammeter", "CURR:DC:APER 0.5;ZERO:AUTO OFF")
    say(twin, "ammeter", "INIT")
    begin = twin.clock.time
    twin.clock.sleep(0.25)
    say(twin, "cutoff", "REL:OPEN")
    twin.clock.sleep(1.0)
    mean = float(twin.device.circuit.means(Node.CURRENT, np.array([begin]), 0.5)[0])
    assert float(say(twin, "ammeter", "FETC?")) == pytest.approx(mean, abs=5e-6)
    assert 0.8e-3 < mean < 1.2e-3


def test_overload_and_overrange(twin: SimulatedBench) -> None:
    deliver(twin)
    say(twin, "ammeter", "CONF:CURR:DC 0.001;:CURR:DC:APER 0.02")
    assert float(say(twin, "ammeter", "READ?")) == 9.9e37
    say(twin, "stimulator", "SOUR:CURR 1.1 mA")
    twin.clock.sleep(9.0)
    assert float(say(twin, "ammeter", "READ?")) == pytest.approx(1.1e-3, rel=0.05)


def test_a_query_that_measures_takes_its_time(twin: SimulatedBench) -> None:
    say(twin, "ammeter", "CONF:CURR:DC 0.01;:CURR:DC:NPLC 1;ZERO:AUTO OFF")
    begin = twin.clock.now()
    say(twin, "ammeter", "READ?")
    assert twin.clock.now() - begin == pytest.approx(0.02 + MESSAGE_LATENCY)


def record(twin: SimulatedBench, rate: float) -> None:
    say(twin, "ammeter", "CONF:CURR:DC 0.01;:CURR:DC:APER 0.0005")
    say(twin, "ammeter", f"SAMP:COUN 1000000;SOUR TIM;TIM {1 / rate};:FORM REAL,64;:INIT")


def drained(twin: SimulatedBench, most: str = "") -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    reply = twin.exchange("ammeter", f"R? {most}")
    digits = int(reply[1:2])
    length = int(reply[2 : 2 + digits])
    body = reply[2 + digits : -1]
    assert len(body) == length
    return np.frombuffer(body, ">f8")


def test_samples_come_once_and_in_order(twin: SimulatedBench) -> None:
    deliver(twin)
    record(twin, 1000)
    begin = twin.clock.time
    twin.clock.sleep(0.1)
    say(twin, "cutoff", "REL:OPEN")
    twin.clock.sleep(0.1)
    first = drained(twin, "50")
    rest = drained(twin)
    values = np.concatenate((first, rest))
    starts = begin + 1e-3 * np.arange(len(values))
    truth = twin.device.circuit.means(Node.CURRENT, starts, 0.0005)
    assert len(first) == 50
    assert 195 <= len(values) <= 205
    assert np.abs(values - truth).max() < 6e-6
    assert len(drained(twin)) <= 1
    no_errors(twin)


def test_a_full_memory_keeps_the_newest_and_tells_so(twin: SimulatedBench) -> None:
    record(twin, 2000)
    twin.clock.sleep(24.9)
    assert say(twin, "ammeter", "STAT:QUES:COND?") == "+0"
    twin.clock.sleep(5.0)
    assert say(twin, "ammeter", "DATA:POIN?") == "+50000"
    assert say(twin, "ammeter", "STAT:QUES:COND?") == "+16384"
    assert say(twin, "ammeter", "SYST:ERR?") == '+0,"No error"'
    assert len(drained(twin)) == 50_000


def test_ascii_and_binary_tell_the_same_reading(twin: SimulatedBench) -> None:
    say(twin, "ammeter", "CONF:CURR:DC 0.01;:INIT;*WAI")
    text = say(twin, "ammeter", "FETC?")
    binary = twin.exchange("ammeter", "FORM REAL,64;:FORM:BORD SWAP;:FETC?")
    assert np.frombuffer(binary[3:11], "<f8")[0] == pytest.approx(float(text), rel=1e-8)


@pytest.mark.parametrize(
    ("role", "message", "code"),
    [
        ("ammeter", "CONF:CURR:DC 20", -222),
        ("ammeter", "CONF:CURR:DC 0.01;:CURR:DC:APER 1e-6", -222),
        ("ammeter", "FETC?", -230),
        ("ammeter", "TRIG:SOUR BUS;:READ?", -214),
        ("ammeter", "*TRG", -211),
        ("ammeter", "CONF:CURR 0.01;:SAMP:COUN 9;:INIT;:INIT", -213),
        ("ammeter", "SAMP:COUN 5;SOUR TIM;TIM 0.001;:INIT", -221),
        ("ammeter", "DATA:REM? 3", -222),
        ("ammeter", "TRIG:COUN 1e999", -222),
        ("ammeter", "CONF:CURR 1e999", -222),
        ("oscilloscope", ":CHAN1:SCAL 1e999", -222),
        ("supply", ":APPL CH1,1e999", -222),
        ("cutoff", "REL:CLOS 1;REN 1e999", -222),
        ("supply", ":APPL CH1,40,1", -222),
        ("supply", ":OUTP CH4,ON", -224),
        ("load", "ROUT:CLOS (@401)", 111),
        ("load", "ROUT:OPEN:ALL", -113),
        ("oscilloscope", ":CHAN5:SCAL 1", -114),
        ("oscilloscope", ":TIM:SCAL 1000", -222),
        ("oscilloscope", ":STOP;:WAV:STAR 1201", -222),
        ("cutoff", "REL:REN 5", -221),
        ("cutoff", "REL:CLOS 0", -222),
    ],
)
def test_a_refusal_has_its_code_and_no_reply(
    twin: SimulatedBench, role: str, message: str, code: int
) -> None:
    assert twin.exchange(role, message) == b""
    assert int(say(twin, role, "SYST:ERR?").split(",")[0]) == code


def test_the_firmware_refuses_with_its_own_words(twin: SimulatedBench) -> None:
    say(twin, "supply", ":APPL CH1,9,1;:OUTP CH1,ON")
    twin.clock.sleep(3.0)
    say(twin, "stimulator", "SOUR:CURR 9 mA")
    assert int(say(twin, "stimulator", "SYST:ERR?").split(",")[0]) < 0
    say(twin, "stimulator", "SOUR:DOSE 12.5;POL NEG")
    assert float(say(twin, "stimulator", "SOUR:DOSE?")) == pytest.approx(12.5)
    assert say(twin, "stimulator", "SOUR:POL?;:FAUL:CODE?;:TREAT:STAT?") == "NEG;NONE;IDLE"
    assert twin.device.firmware.settings.dose == pytest.approx(12.5 * 0.06)


def closed(twin: SimulatedBench) -> bool:
    return say(twin, "cutoff", "REL:STAT?") == "CLOSED"


def test_the_lease_lapses_by_itself_at_its_time(twin: SimulatedBench) -> None:
    deliver(twin)
    say(twin, "cutoff", "REL:REN 2")
    lapse = twin.clock.time + 2.0
    twin.clock.sleep(60.0)
    before, after = twin.device.circuit.observe(Node.SHUNT, np.array([lapse - 1e-6, lapse + 1e-3]))
    assert before == pytest.approx(2e-3 * float(BENCH.shunt.base), rel=0.05)
    assert abs(after) < 1e-6
    assert not closed(twin)
    assert say(twin, "cutoff", "REL:CAUS?") == "LAPSE"


def test_renewal_keeps_it_closed(twin: SimulatedBench) -> None:
    say(twin, "cutoff", "REL:CLOS 1")
    for _ in range(30):
        assert closed(twin)
        say(twin, "cutoff", "REL:REN 0.3")
        twin.clock.sleep(0.25)
    twin.clock.sleep(0.3)
    assert not closed(twin)


@pytest.mark.parametrize("end", ["lapse", "REL:OPEN", "*RST"])
def test_an_epoch_closes_once(twin: SimulatedBench, end: str) -> None:
    say(twin, "cutoff", "REL:CLOS 7")
    assert closed(twin)
    if end == "lapse":
        twin.clock.sleep(1.1)
    else:
        say(twin, "cutoff", end)
    assert not closed(twin)
    for stale in (3, 7):
        say(twin, "cutoff", f"REL:CLOS {stale}")
        assert not closed(twin)
        assert int(say(twin, "cutoff", "SYST:ERR?").split(",")[0]) == -221
    assert say(twin, "cutoff", "REL:EPOC?") == "7"
    say(twin, "cutoff", "REL:CLOS 8")
    assert closed(twin)


def test_an_opening_can_void_an_epoch_that_was_never_used(twin: SimulatedBench) -> None:
    say(twin, "cutoff", "REL:OPEN 9")
    say(twin, "cutoff", "REL:CLOS 9")
    assert not closed(twin)


def test_the_switched_load_changes_after_its_operate_time(twin: SimulatedBench) -> None:
    channel = BENCH.loads["2k"].channel
    other = BENCH.loads["5k"].channel
    say(twin, "load", f"ROUT:CLOS (@{channel})")
    assert say(twin, "load", f"ROUT:CLOS? (@{channel},{other})") == "1,0"
    say(twin, "load", f"ROUT:CLOS:EXCL (@{other})")
    assert say(twin, "load", f"ROUT:CLOS? (@{channel},{other});OPEN? (@{other})") == "0,1;0"
    say(twin, "load", "SYST:CPON ALL")
    assert say(twin, "load", f"ROUT:CLOS? (@{channel},{other})") == "0,0"
    assert say(twin, "load", "SYST:ERR?").startswith("+0")


def arm(twin: SimulatedBench, probe: int = 1) -> None:
    say(twin, "oscilloscope", f":CHAN1:PROB {probe};SCAL {0.05 * probe};:TIM:SCAL 1E-3")
    say(twin, "oscilloscope", f":TRIG:EDG:SLOP NEG;LEV {0.1 * probe};:SING")


def volts(twin: SimulatedBench) -> tuple[np.ndarray, np.ndarray]:  # type: ignore[type-arg]  # any array
    fields = say(twin, "oscilloscope", ":WAV:MODE NORM;FORM BYTE;PRE?").split(",")
    points, step, start = int(fields[2]), float(fields[4]), float(fields[5])
    scale, origin, reference = float(fields[7]), float(fields[8]), float(fields[9])
    data = twin.exchange("oscilloscope", ":WAV:DATA?")
    assert data[:11] == b"#9%09d" % points
    raw = np.frombuffer(data[11:-1], np.uint8).astype(float)
    return start + step * np.arange(points), (raw - origin - reference) * scale


def test_the_oscilloscope_catches_an_edge(twin: SimulatedBench) -> None:
    deliver(twin)
    arm(twin)
    twin.clock.sleep(0.5)
    assert say(twin, "oscilloscope", ":TRIG:STAT?") == "WAIT"
    assert twin.exchange("oscilloscope", ":WAV:DATA?") == b""
    assert int(say(twin, "oscilloscope", ":SYST:ERR?").split(",")[0]) == -230
    say(twin, "cutoff", "REL:OPEN")
    twin.clock.sleep(0.1)
    assert say(twin, "oscilloscope", ":TRIG:STAT?") == "STOP"
    times, values = volts(twin)
    assert values[times < -1e-4].mean() == pytest.approx(0.2, abs=0.03 * 0.4)
    assert abs(values[times > 1e-4].mean()) < 0.02
    edge = times[np.flatnonzero(values < 0.1)[0]]
    assert abs(edge) < 3e-5
    no_errors(twin)


def test_a_probe_ratio_that_is_not_set_shows_ten_times_the_voltage(twin: SimulatedBench) -> None:
    deliver(twin)
    arm(twin, probe=10)
    twin.clock.sleep(0.1)
    say(twin, "cutoff", "REL:OPEN")
    twin.clock.sleep(0.1)
    times, values = volts(twin)
    assert values[times < -1e-4].mean() == pytest.approx(2.0, abs=0.15)


def test_the_converter_clips(twin: SimulatedBench) -> None:
    deliver(twin)
    say(twin, "oscilloscope", ":CHAN1:PROB 1;SCAL 0.01;:TIM:SCAL 1E-3;:RUN")
    twin.clock.sleep(0.1)
    _, values = volts(twin)
    assert np.all(values == pytest.approx((255 - 127) * 0.01 / 25))


def test_a_polling_loop_ends(twin: SimulatedBench) -> None:
    polls = 0
    while twin.clock.now() < 1.0:
        say(twin, "ammeter", "*OPC?")
        polls += 1
    assert polls == pytest.approx(1.0 / MESSAGE_LATENCY, abs=2)


def transcript(twin: SimulatedBench) -> list[str]:
    deliver(twin)
    say(twin, "ammeter", "CONF:CURR:DC 0.01;:SAMP:COUN 5")
    return [
        say(twin, "ammeter", "READ?"),
        say(twin, "voltmeter", "CONF:VOLT:DC 100;:READ?"),
        say(twin, "stimulator", "MEAS:CURR?;CHAR?"),
    ]


def test_a_reset_bench_repeats_a_fresh_one_to_the_last_digit() -> None:
    twin = SimulatedBench(PROFILE, BENCH, seed=1)
    first = transcript(twin)
    now, generation = twin.clock.now(), twin.generation
    twin.reset(seed=1)
    assert twin.clock.now() == now
    assert twin.generation == generation + 1
    assert not closed(twin)
    twin.reset(seed=1)
    assert transcript(twin) == first
    twin.reset(seed=2)
    assert transcript(twin) != first


def test_a_long_soak_keeps_no_history_that_nobody_can_ask_for(twin: SimulatedBench) -> None:
    deliver(twin)
    say(twin, "ammeter", "CONF:CURR:DC 0.01;:SAMP:COUN 1000000;SOUR TIM;TIM 1;:INIT")
    for _ in range(100):
        say(twin, "cutoff", "REL:REN 10")
        twin.clock.sleep(9.0)
    truth = twin.device.circuit
    with pytest.raises(UsageError, match="history reaches from"):
        truth.observe(Node.CURRENT, np.array([twin.clock.time - 400.0]))
    assert len(truth.observe(Node.CURRENT, np.array([twin.clock.time - 50.0]))) == 1
    assert len(say(twin, "ammeter", "R?").split(",")) == pytest.approx(900, abs=3)


def test_a_clock_does_what_is_due_at_its_time() -> None:
    clock, seen = VirtualClock(), []
    clock.at(2.0, lambda: seen.append(("second", clock.time)))
    clock.at(1.0, lambda: seen.append(("first", clock.time)))
    clock.at(1.5, lambda: seen.append(("never", clock.time))).cancelled = True
    clock.sleep(5.0)
    assert seen == [("first", 1.0), ("second", 2.0)]
    assert clock.now() == 5.0
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="cannot pass"):
            clock.sleep(wrong)
