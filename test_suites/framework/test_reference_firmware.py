"""The reference firmware, on its board and circuit, keeps every figure of its profile."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pytest

from hil.bench import BenchDescription, LoadEntry
from hil.device import IONTOPHORESIS, DeviceProfile, Figure, Polarity, State, Wire, check
from hil.exact import Exact
from hil.requirement import Knowledge
from hil_instruments.simulated.device.board import BoardFaults
from hil_instruments.simulated.device.device import Device
from hil_instruments.simulated.device.firmware import ReferenceFirmware
from hil_instruments.simulated.device.policy import Policy
from hil_instruments.simulated.device.port import Key
from hil_instruments.simulated.device.refusal import Refused
from hil_instruments.simulated.physics.circuit import SUPPLY_NOMINAL, Node

TEXT = """
output.setpoint_min = 0.1 mA
output.setpoint_max = 4.0 mA
output.setpoint_step = 0.1 mA
output.accuracy_relative = 5 %
output.accuracy_absolute = 0.05 mA
output.overshoot_relative = 2 %
output.overshoot_absolute = 0.05 mA
output.software_limit = 4.4 mA
output.trip = 5.0 mA
output.trip_time = 10 ms
output.compliance = 80 V
output.load_min = 500 ohm
output.load_max = 50 kohm
output.standby = 10 uA
output.off_voltage = 0.5 V
ramp.up_time = 30 s
ramp.down_time = 8 s
ramp.up_slope = 0.2 mA/s
ramp.down_slope = 0.6 mA/s
ramp.step = 0.05 mA
polarity.dwell = 1 s
protection.open_resistance = 150 kohm
protection.open_time = 100 ms
protection.stop_share = 10 %
protection.stop_time = 100 ms
protection.off_current = 10 uA
protection.off_time = 1 s
protection.reconnect_time = 2 s
power.hold_up = 2 s
dose.maximum = 80 mA*min
dose.accuracy = 5 %
dose.accuracy_absolute = 0.05 mA*min
"""
FIGURES = {
    name: Figure(Exact.parse(text), "", "", Knowledge.PROJECT)
    for name, text in (line.split(" = ") for line in TEXT.strip().splitlines())
}
PROFILE = DeviceProfile("Maker", "One", IONTOPHORESIS, FIGURES, Wire({}, {}, {}, {}))
MA = 1e-3


def entry(name: str, series: float, parallel: float = 0.0, capacitance: float = 0.0) -> LoadEntry:
    """A load; the name only tells loads apart."""
    skin = (Exact.parse(f"{parallel} ohm"), Exact.parse(f"{capacitance * 1e9} nF"))
    return LoadEntry(name, 101, Exact.parse(f"{series} ohm"), *(skin if parallel else (None, None)))


R1K, R2K, R20K, R50K, R200K = (entry(f"{r:g}", r) for r in (1e3, 2e3, 20e3, 50e3, 200e3))
SKINS = (entry("skin", 470, 10e3, 100e-9), entry("slow", 470, 47e3, 1e-6))
SHORT = entry("short", 0)


class Bench:
    """A device on a load, with the few verbs that these tests speak in."""

    def __init__(self, load: LoadEntry | None = R2K, seed: int = 1) -> None:
        some = Exact.parse("6 mA")
        shunt = Exact.parse("100 ohm")
        bench = BenchDescription("b", {}, {}, {}, shunt, some, some, Exact.parse("200 V"))
        self.firmware = ReferenceFirmware(PROFILE, Policy(PROFILE))
        self.device = Device(PROFILE, bench, lambda _: self.firmware, seed=seed)
        self.circuit = self.device.circuit
        self.circuit.select_load(load)
        self.circuit.set_cutoff(True)
        self.wait(0.2)

    @property
    def now(self) -> float:
        return self.circuit.now

    def wait(self, seconds: float) -> float:
        self.device.advance(self.now + seconds)
        return self.now

    def hold(self, milliamperes: float, polarity: Polarity = Polarity.POSITIVE) -> None:
        """Start and wait until a second after the ramp."""
        self.firmware.set_current(milliamperes * MA)
        self.firmware.set_polarity(polarity)
        self.firmware.start()
        self.wait(31.0)

    def load(self, load: LoadEntry | None) -> None:
        self.circuit.select_load(load)

    def trace(self, begin: float = 0.0, end: float | None = None, rate: float = 1e3) -> np.ndarray:
        """Means over successive intervals, as an integrating ammeter reads, in mA."""
        end = self.now if end is None else end
        count = int((end - begin) * rate - 1e-6)
        starts = begin + np.arange(count) / rate
        return self.circuit.means(Node.CURRENT, starts, 1 / rate) / MA

    def state(self) -> State:
        return self.firmware.state


def slope(trace: np.ndarray, rate: float = 1e3) -> float:
    """Largest slope over a sliding second, in mA/s."""
    width = int(rate)
    return float(np.abs(trace[width:] - trace[:-width]).max())


def step(trace: np.ndarray) -> float:
    """Largest change within 5 ms, in mA."""
    return float(np.abs(trace[5:] - trace[:-5]).max())


# --- healthy -----------------------------------------------------------------------------------


def test_the_profile_of_these_tests_is_consistent() -> None:
    check(PROFILE)


@pytest.mark.parametrize(
    ("load", "setting"),
    [(R1K, 4.0), (R2K, 0.1), (R20K, 2.0), (SHORT, 4.0), (SKINS[0], 4.0), (SKINS[1], 1.0)],
    ids=lambda part: getattr(part, "name", part),
)
def test_a_treatment_keeps_every_figure(load: LoadEntry, setting: float) -> None:
    bench = Bench(load=load)
    device = bench.firmware
    device.set_current(setting * MA)
    begin = bench.now
    device.start()
    assert bench.state() is State.ARMED
    bench.wait(0.006)
    assert bench.state() is State.RAMP_UP
    bench.wait(30.0)
    assert bench.state() is State.HOLD
    end = bench.wait(10.0)
    device.stop()
    assert bench.state() is State.RAMP_DOWN
    bench.wait(8.001)
    assert bench.state() is State.DONE
    bench.wait(1.0)

    trace = bench.trace(rate=1e3)
    rise = bench.trace(begin, begin + 30)
    assert slope(rise) <= setting / 30 * 1.03  # steps of 25 ms
    assert np.diff(rise).min() > -1e-9  # monotone
    assert step(trace) < 0.05
    assert trace.max() <= setting * 1.0006 + 1e-4
    hold = bench.trace(begin + 31, end)
    assert np.abs(hold - setting).max() < 6e-4 * setting + 1e-4
    assert slope(bench.trace(end, bench.now)) <= min(0.6, setting / 8 * 1.03)
    off = bench.trace(end + 8.1, bench.now)
    assert np.abs(off).max() < 1e-3
    assert device.charge() == pytest.approx(bench.circuit.charge(), rel=1e-3)


def test_nothing_flows_before_start() -> None:
    bench = Bench()
    bench.firmware.set_current(2 * MA)
    bench.wait(10.0)
    assert np.abs(bench.trace()).max() == 0.0


@pytest.mark.parametrize("action", ["pause", "stop"])
def test_a_stop_during_the_ramp_ramps_down_from_there(action: str) -> None:
    bench = Bench()
    bench.firmware.set_current(3 * MA)
    bench.firmware.start()
    at = bench.wait(15.0)
    getattr(bench.firmware, action)()
    bench.wait(9.0)
    assert bench.state() is (State.PAUSED if action == "pause" else State.DONE)
    trace = bench.trace(at)
    assert trace.max() < 1.501
    assert step(trace) < 0.05
    assert abs(trace[-1]) < 1e-6


def test_resume_ramps_and_keeps_the_account() -> None:
    bench = Bench()
    bench.hold(2.0)
    bench.firmware.pause()
    bench.wait(10.0)
    before = bench.firmware.charge()
    bench.firmware.resume()
    at = bench.wait(0.0)
    bench.wait(31.0)
    assert slope(bench.trace(at)) < 0.067
    assert bench.firmware.charge() == pytest.approx(before + 2 * MA * 16, rel=1e-2)
    assert bench.firmware.charge() == pytest.approx(bench.circuit.charge(), rel=1e-3)


@pytest.mark.parametrize("new", [0.5, 4.0])
@pytest.mark.parametrize("after", [10.0, 31.0])
def test_a_new_setting_is_reached_by_ramp(new: float, after: float) -> None:
    bench = Bench()
    bench.firmware.set_current(2 * MA)
    bench.firmware.start()
    at = bench.wait(after)
    bench.firmware.set_current(new * MA)
    bench.wait(31.0)
    trace = bench.trace(at - 2)
    assert bench.state() is State.HOLD
    assert trace[-1] == pytest.approx(new, rel=6e-4)
    assert slope(trace) < 0.2
    assert step(trace) < 0.05


@pytest.mark.parametrize("dose", [0.1, 1.0, 5.0])
def test_the_dose_ends_the_treatment_and_is_true(dose: float) -> None:
    bench = Bench()
    bench.firmware.set_current(4 * MA)
    bench.firmware.set_dose(dose * 0.06)
    begin = bench.now
    bench.firmware.start()
    bench.wait(120.0)
    assert bench.state() is State.DONE
    assert bench.circuit.charge() == pytest.approx(dose * 0.06, rel=5e-3)
    assert bench.firmware.charge() == pytest.approx(bench.circuit.charge(), rel=1e-3)
    trace = bench.trace(begin)
    assert step(trace) < 0.05
    assert slope(trace) < 0.6


def test_a_new_treatment_begins_a_new_account() -> None:
    bench = Bench()
    bench.hold(2.0)
    bench.firmware.stop()
    bench.wait(10.0)
    first = bench.firmware.charge()
    bench.firmware.start()
    assert bench.firmware.charge() == 0.0
    assert first > 0.0


def test_polarity_gives_the_sign() -> None:
    bench = Bench()
    bench.hold(2.0, Polarity.NEGATIVE)
    assert bench.trace()[-1] == pytest.approx(-2.0, rel=6e-4)
    assert bench.circuit.observe(Node.TERMINAL, np.array([bench.now]))[0] < -4


def test_a_reversal_dwells_at_zero() -> None:
    bench = Bench()
    bench.hold(2.0)
    bench.firmware.stop()
    bench.wait(8.0001)
    assert bench.state() is State.DONE
    bench.firmware.set_polarity(Polarity.NEGATIVE)
    bench.firmware.start()
    bench.wait(31.1)
    trace = bench.trace()
    zero = np.flatnonzero(np.abs(trace) < 1e-5)
    longest = max(np.split(zero, np.flatnonzero(np.diff(zero) > 1) + 1)[1:], key=len)
    assert len(longest) / 1e3 >= 1.0
    assert trace[-1] == pytest.approx(-2.0, rel=6e-4)


@pytest.mark.parametrize("state", ["ramp", "hold", "ramp down", "paused"])
def test_polarity_is_locked_during_a_treatment(state: str) -> None:
    bench = Bench()
    bench.firmware.set_current(2 * MA)
    bench.firmware.start()
    bench.wait(10.0 if state == "ramp" else 31.0)
    if state in {"ramp down", "paused"}:
        bench.firmware.pause()
        bench.wait(1.0 if state == "ramp down" else 9.0)
    with pytest.raises(Refused, match="polarity is locked") as refused:
        bench.firmware.set_polarity(Polarity.NEGATIVE)
    assert refused.value.code == -221
    assert bench.firmware.settings.polarity is Polarity.POSITIVE


def _refusals() -> Iterator[tuple[str, float, int]]:
    yield from (
        ("set_current", value, -222) for value in (-1e-3, 4.1e-3, 0.05e-3, 0.15e-3, math.nan)
    )
    yield from (("set_dose", value, -222) for value in (0.0, -1.0, 4.9, math.nan))
    yield from (("set_ramp", value, -222) for value in (19.0, 61.0, math.nan))


@pytest.mark.parametrize(("setter", "value", "code"), list(_refusals()))
def test_values_out_of_range_are_refused(setter: str, value: float, code: int) -> None:
    device = Bench().firmware
    settings = device.settings
    before = (settings.current, settings.dose, settings.ramp)
    with pytest.raises(Refused, match="allowed") as refused:
        getattr(device, setter)(value)
    assert refused.value.code == code
    assert before == (settings.current, settings.dose, settings.ramp)


@pytest.mark.parametrize("command", ["start", "pause", "resume"])
def test_commands_out_of_place_are_refused(command: str) -> None:
    bench = Bench()
    with pytest.raises(Refused) as refused:
        getattr(bench.firmware, command)()  # no current set, nothing to pause or resume
    assert refused.value.code == -221
    bench.wait(40.0)
    assert np.abs(bench.trace()).max() == 0.0


def test_no_start_during_the_self_test() -> None:
    bench = Bench()
    bench.device.power_cycle()
    bench.firmware.set_current(1 * MA)
    with pytest.raises(Refused, match="self-test"):
        bench.firmware.start()
    bench.wait(0.1)
    bench.firmware.start()
    assert bench.state() is State.ARMED


@pytest.mark.parametrize("setting", [0.1, 1.0, 4.0])
@pytest.mark.parametrize("load", [None, R200K], ids=["open", "200k"])
def test_an_open_load_is_a_latched_fault(setting: float, load: LoadEntry | None) -> None:
    bench = Bench()
    bench.hold(setting)
    at = bench.now
    bench.load(load)
    bench.wait(0.1)
    assert bench.state() is State.FAULT
    assert bench.firmware.fault_code == "OPEN"
    bench.wait(1.0)
    bench.load(R2K)
    bench.wait(60.0)
    assert np.abs(bench.trace(at + 0.1)).max() < 0.01
    with pytest.raises(Refused, match=r"OPEN\), acknowledge"):
        bench.firmware.start()
    bench.firmware.acknowledge()
    assert bench.state() is State.IDLE
    bench.wait(10.0)
    assert np.abs(bench.trace(at + 0.1)).max() < 0.01


def test_starting_into_an_open_load_is_a_fault() -> None:
    bench = Bench(load=None)
    bench.firmware.set_current(4 * MA)
    bench.firmware.start()
    bench.wait(1.0)
    assert (bench.state(), bench.firmware.fault_code) == (State.FAULT, "OPEN")


def test_reset_does_not_clear_a_fault() -> None:
    bench = Bench()
    bench.hold(1.0)
    bench.load(None)
    bench.wait(0.2)
    bench.firmware.reset()
    assert bench.state() is State.FAULT
    assert bench.firmware.settings.current == 0.0


@pytest.mark.parametrize("seconds", [1e-3, 10e-3, 40e-3])
def test_a_brief_lift_is_ridden_through_without_overshoot(seconds: float) -> None:
    bench = Bench()
    bench.hold(3.0)
    at = bench.now
    bench.load(None)
    bench.wait(seconds)
    bench.load(R2K)
    bench.wait(1.0)
    trace = bench.trace(at)
    assert bench.state() is State.HOLD
    assert trace.max() <= 3.0 + 0.06
    assert trace[-1] == pytest.approx(3.0, rel=6e-4)


def test_a_load_beyond_compliance_is_limited_truthfully_without_hunting() -> None:
    bench = Bench(load=R50K)
    bench.hold(4.0)
    at = bench.now
    assert bench.firmware.limited
    bench.wait(60.0)
    trace = bench.trace(at)
    assert bench.state() is State.HOLD
    assert np.ptp(trace) < 1e-9
    assert bench.firmware.measured_current() / MA == pytest.approx(trace[-1], rel=2e-3)
    assert bench.firmware.impedance() == pytest.approx(50e3, rel=1e-2)
    bench.firmware.stop()
    bench.wait(1.6)
    assert bench.trace()[-1] == pytest.approx(0.8, rel=2e-2)  # half way down from 1.6 mA
    bench.wait(1.7)
    assert bench.state() is State.DONE
    assert bench.firmware.charge() == pytest.approx(bench.circuit.charge(), rel=1e-3)
    assert step(bench.trace(at)) < 0.05


def test_a_load_step_from_20k_to_1k_does_not_overshoot() -> None:
    bench = Bench(load=R20K)
    bench.hold(3.0)
    at = bench.now
    bench.load(R1K)
    bench.wait(1.0)
    assert bench.trace(at).max() < 3.06


def test_abort_is_at_once() -> None:
    bench = Bench()
    bench.hold(4.0)
    at = bench.now
    bench.firmware.abort()
    bench.wait(1.0)
    assert np.abs(bench.trace(at + 1e-3)).max() < 0.01
    assert bench.state() is State.IDLE


@pytest.mark.parametrize("volts", [0.0, 4.4])
def test_loss_of_supply_ends_all_and_its_return_starts_nothing(volts: float) -> None:
    bench = Bench()
    bench.hold(4.0)
    at = bench.now
    bench.circuit.set_supply(volts)
    bench.wait(0.05)
    bench.circuit.set_supply(SUPPLY_NOMINAL)
    bench.wait(60.0)
    assert np.abs(bench.trace(at)).max() < 0.01
    assert bench.state() is State.IDLE
    assert bench.firmware.settings.current == 0.0
    with pytest.raises(Refused, match="current to be set"):
        bench.firmware.start()


def test_a_dip_that_a_battery_makes_changes_nothing() -> None:
    bench = Bench()
    bench.hold(4.0)
    at = bench.now
    bench.circuit.set_supply(6.2)
    bench.wait(1.0)
    assert np.abs(bench.trace(at) - 4.0).max() < 3e-3


def test_a_low_battery_ends_a_treatment_and_lets_none_begin() -> None:
    bench = Bench()
    bench.hold(4.0)
    bench.circuit.set_supply(5.5)
    bench.wait(1.0)
    assert (bench.state(), bench.firmware.fault_code) == (State.FAULT, "SUPPLY")
    assert abs(bench.trace()[-1]) < 0.01
    bench.firmware.acknowledge()
    with pytest.raises(Refused, match=r"supply is too low, 5\.50 V"):
        bench.firmware.start()


def test_a_hang_is_ended_by_the_watchdog() -> None:
    bench = Bench()
    bench.hold(4.0)
    at = bench.now
    bench.device.board.faults = BoardFaults(hang=True)
    bench.wait(0.4)
    assert bench.trace()[-1] == pytest.approx(4.0, rel=1e-3)
    assert bench.device.receive(b"TREAT:STOP") == b""
    bench.wait(1.0)
    assert np.abs(bench.trace(at + 1.01)).max() < 0.01
    assert bench.device.resets == 1
    assert bench.state() is State.IDLE
    assert bench.device.receive(b"TREAT:STAT?") == b"IDLE\n"


def test_without_a_watchdog_a_hang_leaves_the_output_on() -> None:
    bench = Bench()
    bench.hold(4.0)
    bench.device.board.faults = BoardFaults(hang=True, watchdog=False)
    bench.wait(60.0)
    assert bench.trace()[-1] == pytest.approx(4.0, rel=1e-3)


def test_the_comparator_stops_what_the_firmware_does_not_see() -> None:
    bench = Bench()
    bench.hold(4.0)
    at = bench.now
    bench.device.board.faults = BoardFaults(dac_set=0x4000, current_frozen=True)
    bench.firmware.set_current(3.9 * MA)
    bench.wait(1.0)
    assert (bench.state(), bench.firmware.fault_code) == (State.FAULT, "OVERCURRENT")
    assert np.count_nonzero(bench.trace(at) > 5.0) <= 10  # ms
    assert abs(bench.trace()[-1]) < 0.01


def test_calibration_that_is_lost_lets_nothing_begin() -> None:
    bench = Bench()
    bench.device.board.write_memory(2, b"\0")
    bench.device.power_cycle()
    bench.wait(0.2)
    bench.firmware.set_current(1 * MA)
    assert not bench.firmware.self_test()
    with pytest.raises(Refused, match="checksum") as refused:
        bench.firmware.start()
    assert refused.value.code == -330


def test_all_sessions_together_stay_within_the_largest_dose() -> None:
    bench = Bench(load=R1K)
    largest = PROFILE.si("dose.maximum")
    for _ in range(3):
        bench.firmware.set_current(4 * MA)
        bench.firmware.set_dose(0.45 * largest)
        bench.firmware.start()
        bench.wait(700.0)
        assert bench.state() is State.DONE
    assert bench.circuit.charge() == pytest.approx(largest, rel=2e-3)
    with pytest.raises(Refused, match="largest dose of all sessions"):
        bench.firmware.start()


def test_a_silent_host_ends_a_treatment_where_a_timeout_is_set() -> None:
    bench = Bench()
    bench.firmware.settings.set_link_timeout(5.0)
    bench.hold(2.0)
    assert bench.firmware.fault_code == "LINK"  # 31 s passed without a message
    quiet = Bench()
    quiet.hold(2.0)
    quiet.wait(100.0)
    assert quiet.state() is State.HOLD


def test_the_stop_key_ends_a_treatment_and_a_stuck_start_key_begins_none() -> None:
    bench = Bench()
    bench.device.board.pressed = int(Key.START)
    bench.wait(2.0)
    assert bench.state() is State.RAMP_UP
    bench.device.board.pressed = int(Key.STOP)
    bench.wait(1.0)
    assert bench.state() is State.IDLE
    bench.device.board.pressed = int(Key.START)
    bench.device.power_cycle()
    bench.wait(60.0)
    assert bench.state() is State.IDLE


def test_the_indicator_follows_the_output() -> None:
    bench = Bench()
    seen = [bench.device.board.indicator]
    bench.hold(2.0)
    seen.append(bench.device.board.indicator)
    bench.firmware.abort()
    seen.append(bench.device.board.indicator)
    assert seen == [False, True, False]


def test_the_same_seed_gives_the_same_device() -> None:
    readings = []
    for seed in (1, 1, 2):
        bench = Bench(seed=seed)
        bench.hold(3.3)
        readings.append((bench.firmware.charge(), bench.firmware.measured_voltage()))
    assert readings[0] == readings[1] != readings[2]
    for seed in range(5):
        bench = Bench(seed=seed)
        bench.hold(4.0)
        assert bench.firmware.measured_current() == pytest.approx(4e-3, abs=2.6e-6)


def test_how_time_is_cut_changes_nothing() -> None:
    whole, pieces = Bench(), Bench()
    for bench, cuts in ((whole, [31.0]), (pieces, [0.123] * 252 + [0.004])):
        bench.firmware.set_current(2 * MA)
        bench.firmware.start()
        for cut in cuts:
            bench.wait(cut)
    times = np.arange(0.0, 31.0, 1e-3)
    both = [bench.circuit.observe(Node.CURRENT, times) for bench in (whole, pieces)]
    assert np.abs(both[0] - both[1]).max() < 1e-12
