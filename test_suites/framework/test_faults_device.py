"""Each modelled fault of the device shows its signature in the ground truth; a healthy one never.

A signature is a programme, run on a bench, and what it shows: true for the faulty device, false for
the healthy one under the same programme, also where the programme brings the disturbance that the
fault needs. A parametric fault shows nothing just within its limit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal

import numpy as np
import pytest

from hil.bench import BenchDescription, LoadEntry
from hil.exact import Exact
from hil_fixtures import config
from hil_instruments.simulated.device.device import Device
from hil_instruments.simulated.device.firmware import ReferenceFirmware
from hil_instruments.simulated.device.policy import Policy
from hil_instruments.simulated.device.port import Key
from hil_instruments.simulated.faults.catalogue import Layer, catalogue
from hil_instruments.simulated.faults.device import CLIPPED, HOT, OVERDRIVEN, RUNAWAY, effect_of
from hil_instruments.simulated.faults.injection import Injection
from hil_instruments.simulated.faults.spec import FaultSpec
from hil_instruments.simulated.physics.circuit import SUPPLY_NOMINAL, Node

SETUP = config.read_setup(None, None)
PROFILE = SETUP.profile
MA = 1e-3
STOP_TIME = 9.0
"""Seconds from a stop to its end, and some more."""


def resistor(ohm: float) -> LoadEntry:
    return LoadEntry(f"{ohm:g}", 101, Exact.parse(f"{ohm} ohm"))


R2K, R20K, R50K, SHORT = (resistor(ohm) for ohm in (2e3, 20e3, 50e3, 0.1))


class Bench:
    """A device on a load; spoken to by text, looked at in its circuit."""

    def __init__(self, *specs: FaultSpec, load: LoadEntry = R2K) -> None:
        some, shunt = Exact.parse("6 mA"), Exact.parse("100 ohm")
        wiring = BenchDescription("b", {}, {}, {}, shunt, some, some, Exact.parse("200 V"))

        def flash(_: object) -> ReferenceFirmware:
            return ReferenceFirmware(PROFILE, Policy(PROFILE))

        self.device = Device(PROFILE, wiring, flash, seed=1)
        self.injection = Injection(specs, self.device, PROFILE)
        self.circuit = self.device.circuit
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.circuit.select_load(load)
        self.circuit.set_cutoff(True)
        self.wait(0.2)

    @property
    def now(self) -> float:
        return self.circuit.now

    def wait(self, seconds: float) -> float:
        end = self.now + seconds
        while self.later and self.later[0][0] <= end:
            time, action = self.later.pop(0)
            self.device.advance(time)
            action()
        self.device.advance(end)
        return self.now

    def say(self, *messages: str) -> str:
        """Send messages; the reply to the last one."""
        reply = b""
        for message in messages:
            reply = self.device.receive(message.encode())
        return reply.decode().strip()

    def start(self, milliamperes: float, seconds: float = 31.0, polarity: str = "POS") -> float:
        """Start a treatment and wait; the time of its start."""
        begin = self.now
        self.say(f"POL {polarity}", f"CURR {milliamperes} MA", "TREAT:STAR")
        self.wait(seconds)
        return begin

    def trace(self, begin: float = 0.0, rate: float = 1e3) -> np.ndarray:
        """Means over successive intervals, as an integrating ammeter reads, in mA."""
        count = int((self.now - begin) * rate - 1e-6)
        starts = begin + np.arange(count) / rate
        return self.circuit.means(Node.CURRENT, starts, 1 / rate) / MA

    @property
    def current(self) -> float:
        """Present current in mA."""
        return self.circuit.value(Node.CURRENT) / MA

    @property
    def claimed(self) -> float:
        """Charge in C that the device claims."""
        return float(self.say("MEAS:CHAR?")) * 0.06


def step(trace: np.ndarray) -> float:
    """Largest change within 5 ms, in mA."""
    return float(np.abs(trace[5:] - trace[:-5]).max())


def slope(trace: np.ndarray) -> float:
    """Largest change within a second, in mA."""
    return float(np.abs(trace[1000:] - trace[:-1000]).max())


def error(bench: Bench, setting: float) -> float:
    """Present relative error of the current's magnitude."""
    return abs(abs(bench.current) / setting - 1)


def above_limit(bench: Bench) -> bool:
    """Whether more than the software limit flowed for more than it takes to notice."""
    return bool(np.count_nonzero(np.abs(bench.trace()) > 4.4 + 1e-3) > 50)


# --- programmes --------------------------------------------------------------------------------


def resume_steps(bench: Bench) -> bool:
    bench.start(2)
    bench.say("TREAT:PAUS")
    at = bench.wait(STOP_TIME)
    bench.say("TREAT:RES")
    bench.wait(1.0)
    return step(bench.trace(at - 0.1)) > 0.05


def first_start_steps(bench: Bench) -> bool:
    heights = []
    for _ in range(2):
        begin = bench.start(2, 3.0)
        heights.append(step(bench.trace(begin)))
        bench.say("TREAT:ABOR")
        bench.wait(1.0)
    return heights[0] > 0.05 > heights[1]


def change_steps(bench: Bench) -> bool:
    bench.start(3, 10.0)
    bench.say("CURR 2 MA")
    bench.wait(1.0)
    return step(bench.trace()) > 0.05


def ramp_is_steep(bench: Bench) -> bool:
    begin = bench.start(4, 25.0)
    return slope(bench.trace(begin)) > 0.2


def ramp_steps(bench: Bench) -> bool:
    begin = bench.start(4, 20.0)
    return step(bench.trace(begin)) > 0.05


def start_steps(bench: Bench) -> bool:
    begin = bench.start(4, 0.5)
    return step(bench.trace(begin)) > 0.05


def ramp_overshoots(bench: Bench) -> bool:
    begin = bench.start(4, 36.0)
    return bench.trace(begin).max() / bench.current > 1.02


def reconnection_spikes(bench: Bench) -> bool:
    bench.start(3)
    at = bench.now
    bench.circuit.select_load(None)
    bench.wait(0.02)
    bench.circuit.select_load(R2K)
    bench.wait(0.5)
    return bench.trace(at).max() > 3 + 0.08  # overshoot that is declared at 4 mA


def falling_load_surges(bench: Bench) -> bool:
    bench.circuit.select_load(R20K)
    bench.start(3)
    at = bench.now
    bench.circuit.select_load(resistor(1e3))
    bench.wait(0.5)
    return bench.trace(at, 2e3).max() > 3 + 0.5


def limit_is_exceeded(bench: Bench) -> bool:
    bench.start(4, 32.0)
    return above_limit(bench)


def clipped_limit_is_exceeded(bench: Bench) -> bool:
    bench.start(4, 32.0)
    return above_limit(bench) and float(bench.say("MEAS:CURR?")) < CLIPPED * 1.001


def trip_is_exceeded(bench: Bench) -> bool:
    bench.start(4, 32.0)
    return bool(np.count_nonzero(bench.trace() > 5 + 0.005) > 12)


def current_runs_away(bench: Bench) -> bool:
    bench.start(4, 32.0)
    return bench.trace(0.0, 1e4).max() > 4.4


def current_is_wrong(bench: Bench) -> bool:
    bench.start(4)
    return error(bench, 4) > 0.05


def readback_is_right_and_current_wrong(bench: Bench) -> bool:
    bench.start(4)
    return error(bench, 4) > 0.05 and abs(float(bench.say("MEAS:CURR?")) / 4e-3 - 1) < 0.005


def setting_is_rounded(bench: Bench) -> bool:
    bench.say("CURR 0.5 MA")
    rounded = float(bench.say("CURR?"))
    bench.say("CURR 500")
    return (rounded, float(bench.say("CURR?")), bench.say("SYST:ERR?")[0]) == (1e-3, 1e-3, "0")


def comma_changes_the_setting(bench: Bench) -> bool:
    bench.say("CURR 3 MA", "CURR 1,5 MA")
    return float(bench.say("CURR?")) == 1e-3 and bench.say("SYST:ERR?").startswith("0")


def negative_setting_reverses(bench: Bench) -> bool:
    bench.start(-1)
    return bench.current < -0.9 and bench.say("SYST:ERR?").startswith("0")


def standby_current_flows(bench: Bench) -> bool:
    bench.wait(1.0)
    return abs(bench.current) > 0.01


def current_flows_after_a_stop(bench: Bench) -> bool:
    bench.start(1)
    bench.say("TREAT:STOP")
    bench.wait(STOP_TIME)
    return abs(bench.current) > 0.01


def current_flows_to_earth(bench: Bench) -> bool:
    bench.wait(1.0)
    return abs(bench.circuit.value(Node.EARTH)) > 10e-6


def glitch_after_the_stop(bench: Bench) -> bool:
    bench.start(2)
    bench.say("TREAT:STOP")
    at = bench.wait(STOP_TIME)
    bench.wait(3.0)
    return bool(np.abs(bench.trace(at)).max() > 0.01)


def negative_is_positive(bench: Bench) -> bool:
    bench.start(2, polarity="NEG")
    return bench.current > 1.9 and bench.say("POL?") == "NEG"


def positive_is_negative(bench: Bench) -> bool:
    bench.start(2)
    return bench.current < -1.9


def reversal_steps(bench: Bench) -> bool:
    bench.start(2)
    at = bench.now
    bench.say("POL NEG")
    bench.wait(1.0)
    return step(bench.trace(at - 0.1)) > 3.9


def reversal_is_obeyed(bench: Bench) -> bool:
    bench.start(2)
    at = bench.now
    bench.say("POL NEG")
    bench.wait(65.0)
    return bench.current < -1.9 and step(bench.trace(at)) < 0.05


def open_is_not_told(bench: Bench) -> bool:
    bench.start(2)
    bench.circuit.select_load(None)
    bench.wait(5.0)
    return bench.say("TREAT:STAT?") == "HOLD" and bench.circuit.value(Node.TERMINAL) > 75


def open_is_seen_late(bench: Bench) -> bool:
    bench.start(2)
    bench.circuit.select_load(None)
    bench.wait(0.2)
    return bench.circuit.value(Node.TERMINAL) > 0.5


def current_returns_by_itself(bench: Bench) -> bool:
    bench.start(2)
    bench.circuit.select_load(None)
    bench.wait(3.0)
    bench.circuit.select_load(R2K)
    bench.wait(5.0)
    return bench.current > 0.01


def limiting_is_not_told(bench: Bench) -> bool:
    bench.circuit.select_load(R50K)
    bench.start(4)
    return bench.current < 2 and bench.say("OUTP:LIM?") == "0"


def short_is_not_told(bench: Bench) -> bool:
    bench.start(4)
    bench.circuit.select_load(SHORT)
    bench.wait(1.0)
    return bench.say("OUTP:SHOR?") == "0"


def impedance_stays(bench: Bench) -> bool:
    bench.start(2)
    before = float(bench.say("MEAS:IMP?"))
    bench.circuit.select_load(R20K)
    bench.wait(1.0)
    return float(bench.say("MEAS:IMP?")) == pytest.approx(before, rel=0.1)


def open_voltage_is_high(bench: Bench) -> bool:
    bench.start(2)
    at = bench.now
    bench.circuit.select_load(None)
    bench.wait(0.2)
    times = at + np.arange(1, 2000) * 1e-4
    return bool(bench.circuit.observe(Node.TERMINAL, times).max() > 80 * 1.05)


def current_ripples(bench: Bench) -> bool:
    bench.start(4)
    times = bench.now - np.arange(1, 2000) * 1e-5
    current = bench.circuit.observe(Node.CURRENT, times) / MA
    return bool(current.max() - current.min() > 0.01 * 4)


def stop_is_slow(bench: Bench) -> bool:
    bench.start(4)
    bench.say("TREAT:ABOR")
    bench.wait(0.1)
    share = bench.current
    bench.wait(0.9)
    return share > 0.4 or abs(bench.current) > 0.01


def fault_clears_itself(bench: Bench) -> bool:
    bench.start(2)
    bench.circuit.select_load(None)
    bench.wait(0.2)
    told = bench.say("FAUL:CODE?")
    bench.circuit.select_load(R2K)
    bench.wait(10.0)
    return (told, bench.say("FAUL:CODE?")) == ("OPEN", "NONE") and bench.current > 0.01


def reset_clears_the_latch(bench: Bench) -> bool:
    bench.start(2)
    bench.circuit.select_load(None)
    bench.wait(0.2)
    bench.circuit.select_load(R2K)
    bench.say("*RST")
    bench.start(2, 5.0)
    return bench.current > 0.1


def second_fault_is_masked(bench: Bench) -> bool:
    bench.start(3.5, 32.0)
    bench.circuit.select_load(SHORT)
    bench.wait(0.5)
    bench.say("CURR 4 MA")
    bench.wait(10.0)
    return above_limit(bench) and bench.say("FAUL:CODE?", "OUTP:SHOR?") == "1"


def abort_keeps_the_current(bench: Bench) -> bool:
    bench.start(2)
    bench.say("TREAT:ABOR")
    bench.wait(1.0)
    return bench.current > 1.9 and bench.say("TREAT:STAT?") == "IDLE"


def abort_surges(bench: Bench) -> bool:
    bench.start(4)
    at = bench.now
    bench.say("TREAT:ABOR")
    bench.wait(1.0)
    return bench.trace(at).max() > 4.4 and abs(bench.current) < 0.01


def stop_is_not_obeyed(bench: Bench) -> bool:
    bench.start(4, 35.0)
    bench.say("TREAT:STOP")
    bench.wait(STOP_TIME)
    return bench.current > 0.5


def reset_pulses(bench: Bench) -> bool:
    bench.start(4, 35.0)
    return bench.trace(0.0, 1e4).max() > 4.4


def resumes_at_once(bench: Bench) -> bool:
    bench.start(2)
    bench.circuit.set_supply(0.0)
    bench.wait(1.0)
    bench.circuit.set_supply(SUPPLY_NOMINAL)
    bench.wait(0.5)
    return bench.current > 1.9


def resumes_by_ramp(bench: Bench) -> bool:
    bench.start(2)
    bench.circuit.set_supply(0.0)
    bench.wait(6.0)
    at = bench.now
    bench.circuit.set_supply(SUPPLY_NOMINAL)
    bench.wait(5.0)
    return bench.current > 0.1 and step(bench.trace(at)) < 0.05


def starts_without_a_setting(bench: Bench) -> bool:
    bench.start(2)
    bench.circuit.set_supply(0.0)
    bench.wait(6.0)
    bench.circuit.set_supply(SUPPLY_NOMINAL)
    bench.wait(1.0)
    bench.say("TREAT:STAR")
    bench.wait(5.0)
    return bench.current > 0.1


def low_supply_changes_the_current(bench: Bench) -> bool:
    bench.start(4)
    usual = bench.current
    bench.circuit.set_supply(PROFILE.si("power.minimum"))
    bench.wait(1.0)
    return bench.current > 0.1 and abs(bench.current - usual) / 4 > PROFILE.si("power.accuracy")


def indicator_is_dark(bench: Bench) -> bool:
    bench.start(2, 10.0)
    return bench.current > 0.1 and not bench.device.board.indicator


def dose_does_not_end(bench: Bench) -> bool:
    bench.say("DOSE 2")
    bench.start(4, 60.0)
    return bench.current > 3.9 and bench.claimed < 0.9 * bench.circuit.charge()


def claim_is_too_large(bench: Bench) -> bool:
    bench.circuit.select_load(R50K)
    bench.start(4, 60.0)
    return bench.claimed > 1.05 * bench.circuit.charge()


def pause_empties_the_account(bench: Bench) -> bool:
    bench.start(2)
    bench.say("TREAT:PAUS")
    bench.wait(STOP_TIME)
    bench.say("TREAT:RES")
    bench.wait(10.0)
    return bench.claimed < 0.95 * bench.circuit.charge()


def sessions_exceed_the_largest_dose(bench: Bench) -> bool:
    bench.say("DOSE 50")
    for _ in range(2):
        bench.start(4, 800.0)
    return bench.circuit.charge() / 0.06 > 80 * 1.05


def ramp_is_short(bench: Bench) -> bool:
    begin = bench.start(4, 25.0)
    rise = bench.trace(begin)[5000:]
    return bool(np.polyfit(np.arange(len(rise)) * 1e-3, rise, 1)[0] > 4 / 30 * 1.01)


def dose_ends_in_a_step(bench: Bench) -> bool:
    bench.say("DOSE 1.5")
    bench.start(4, 60.0)
    return bench.say("TREAT:STAT?") == "DONE" and step(bench.trace()) > 0.05


def refused_setting_is_taken(bench: Bench) -> bool:
    bench.say("CURR 9 MA")
    return bench.say("SYST:ERR?").startswith("-222") and float(bench.say("CURR?")) == 9e-3


def error_is_swallowed(bench: Bench) -> bool:
    bench.say("NONSENSE", "CURR 9 MA")
    return bench.say("SYST:ERR?").startswith("0")


def dose_is_raised_in_delivery(bench: Bench) -> bool:
    bench.say("DOSE 1")
    bench.start(4, 5.0)
    bench.say("DOSE 80")
    return float(bench.say("DOSE?")) == 80


def stop_in_the_ramp_is_ignored(bench: Bench) -> bool:
    bench.start(4, 10.0)
    bench.say("TREAT:STOP")
    bench.wait(STOP_TIME)
    return bench.current > 2


def storm_deadlocks(bench: Bench) -> bool:
    bench.start(2)
    for _ in range(3):
        bench.say("TREAT:PAUS", "TREAT:RES", "TREAT:STOP")
        bench.wait(0.1)
    bench.say("TREAT:ABOR")
    bench.wait(0.5)
    return bench.current > 0.1 and bench.say("TREAT:STAT?") == ""


def silence_is_ignored(bench: Bench) -> bool:
    bench.say("SYST:COMM:TIM 5")
    bench.start(2, 40.0)
    return bench.current > 1.9


def state_lags(bench: Bench) -> bool:
    bench.start(4, 0.6)  # a report may lag by 575 ms
    return bench.say("TREAT:STAT?") == "IDLE" and bench.current > 0.01


def dead_sensor_passes_the_test(bench: Bench) -> bool:
    stuck = float(bench.say("MEAS:CURR?")) > 0.5e-3
    return stuck and bench.say("*TST?") == "0"


def calibration_is_lost(bench: Bench) -> bool:
    tested = bench.say("*TST?")
    bench.start(4)
    return tested == "0" and error(bench, 4) > 0.05


def key_starts(bench: Bench) -> bool:
    bench.wait(9.0)
    return bench.current > 0.01


def reset_leaves_the_output_on(bench: Bench) -> bool:
    bench.start(4, 35.0)
    state = bench.say("TREAT:STAT?")
    bench.say("TREAT:STOP")
    bench.wait(STOP_TIME)
    return bench.current > 1 and state == "IDLE"


def trip_is_never_told(bench: Bench) -> bool:
    bench.start(4, 32.0)
    return bench.trace().max() > 4.39 and bench.say("FAUL:CODE?") != "OVERCURRENT"


def treatment_derails(bench: Bench) -> bool:
    bench.start(2, 40.0)
    return abs(bench.current - 2) > 0.1


def ramp_falls_back(bench: Bench) -> bool:
    begin = bench.start(4, 30.5)
    trace = bench.trace(begin)
    return bool((np.maximum.accumulate(trace) - trace).max() > 0.05) and bench.current > 3.98


def density_is_too_high(bench: Bench) -> bool:
    bench.start(4, 32.0)
    return bench.current / 10 > 0.5 and float(bench.say("MEAS:CURR?")) < 4.1e-3


def current_flows_without_supply(bench: Bench) -> bool:
    bench.wait(6.0)
    bench.circuit.set_supply(0.0)
    bench.wait(3.0)
    return abs(bench.current) > 0.01


def voltage_is_misreported(bench: Bench) -> bool:
    bench.start(4)
    told = float(bench.say("MEAS:VOLT?"))
    return abs(told / (bench.circuit.value(Node.TERMINAL)) - 1) > 0.05


def polarity_is_misreported(bench: Bench) -> bool:
    bench.start(2, polarity="NEG")
    return bench.current < -1.9 and bench.say("TREAT:POL?") == "POS"


def time_is_misreported(bench: Bench) -> bool:
    begin = bench.start(4, 60.0)
    return abs(float(bench.say("TREAT:TIME?")) / (bench.now - begin) - 1) > 0.01


def setting_is_not_reached(bench: Bench) -> bool:
    bench.start(4, 32.0)
    return bench.say("FAUL:CODE?") == "OVERCURRENT" and abs(bench.current) < 0.01


# --- disturbances, for the healthy device ------------------------------------------------------


def overdriven(gain: float) -> Callable[[Bench], None]:
    def disturb(bench: Bench) -> None:
        bench.device.board.faults = replace(bench.device.board.faults, dac_gain=gain)

    return disturb


def unseen(bench: Bench) -> None:
    """Current runs away where the firmware does not see it."""
    gain = RUNAWAY * 5 / 4
    bench.circuit.set_stage(replace(bench.circuit.stage, gain=gain, sense=1 / gain))


def hang(bench: Bench) -> None:
    """The processor stands still in the middle of the ramp."""

    def stand_still() -> None:
        bench.device.board.faults = replace(bench.device.board.faults, hang=True)

    bench.later = [(15.2, stand_still)]


def dead_sensor(bench: Bench) -> None:
    bench.device.board.faults = replace(bench.device.board.faults, current_stuck=10_000)


def bad_memory(bench: Bench) -> None:
    bench.device.board.write_memory(0, b"\xff")
    bench.device.power_cycle()
    bench.wait(0.2)


def wet_key(bench: Bench) -> None:
    bench.device.board.faults = replace(bench.device.board.faults, keys_stuck=Key.START)
    bench.device.power_cycle()
    bench.wait(0.2)


def hot(bench: Bench) -> None:
    bench.circuit.set_temperature(HOT)


# --- signatures --------------------------------------------------------------------------------


@dataclass(frozen=True)
class Signature:
    shows: Callable[[Bench], bool]
    disturb: Callable[[Bench], None] | None = None
    beyond: bool = True
    """Whether a severity 25 % beyond the limit shows in this programme."""


SIGNATURES = {
    "F01": Signature(resume_steps),
    "F02": Signature(first_start_steps),
    "F03": Signature(change_steps),
    "F04": Signature(ramp_is_steep),
    "F05": Signature(ramp_steps),
    "F06": Signature(ramp_overshoots),
    "F07": Signature(reconnection_spikes),
    "F08": Signature(falling_load_surges),
    "F09": Signature(limit_is_exceeded, overdriven(1.2)),
    "F10": Signature(trip_is_exceeded, unseen, beyond=False),  # the runaway itself ends at 5.75 mA
    "F11": Signature(readback_is_right_and_current_wrong),
    "F12": Signature(current_runs_away),
    "F13": Signature(clipped_limit_is_exceeded, overdriven(1.2)),
    "F14": Signature(readback_is_right_and_current_wrong),
    "F15": Signature(ramp_steps, beyond=False),  # the weight of a bit is a power of two
    "F16": Signature(setting_is_rounded),
    "F17": Signature(comma_changes_the_setting),
    "F18": Signature(negative_setting_reverses),
    "F19": Signature(standby_current_flows),
    "F20": Signature(current_flows_after_a_stop),
    "F21": Signature(current_flows_to_earth),
    "F22": Signature(glitch_after_the_stop),
    "F23": Signature(negative_is_positive),
    "F24": Signature(positive_is_negative),
    "F25": Signature(reversal_steps),
    "F26": Signature(reversal_is_obeyed),
    "F27": Signature(start_steps),
    "F28": Signature(open_is_not_told),
    "F29": Signature(open_is_seen_late),
    "F30": Signature(current_returns_by_itself),
    "F31": Signature(limiting_is_not_told),
    "F32": Signature(short_is_not_told),
    "F33": Signature(impedance_stays),
    "F34": Signature(open_voltage_is_high),
    "F35": Signature(current_ripples),
    "F36": Signature(stop_is_slow),
    "F37": Signature(fault_clears_itself),
    "F38": Signature(reset_clears_the_latch),
    "F39": Signature(second_fault_is_masked, overdriven(OVERDRIVEN)),
    "F40": Signature(abort_keeps_the_current),
    "F41": Signature(abort_surges),
    "F42": Signature(stop_is_not_obeyed, hang),
    "F43": Signature(reset_pulses, hang),
    "F44": Signature(resumes_at_once),
    "F45": Signature(resumes_by_ramp),
    "F46": Signature(starts_without_a_setting),
    "F47": Signature(low_supply_changes_the_current),
    "F48": Signature(indicator_is_dark),
    "F49": Signature(dose_does_not_end, beyond=False),  # would take a dose of 64 mA*min
    "F50": Signature(claim_is_too_large),
    "F51": Signature(pause_empties_the_account),
    "F52": Signature(sessions_exceed_the_largest_dose),
    "F53": Signature(ramp_is_short),
    "F54": Signature(dose_ends_in_a_step),
    "F55": Signature(refused_setting_is_taken),
    "F56": Signature(error_is_swallowed),
    "F57": Signature(dose_is_raised_in_delivery),
    "F58": Signature(stop_in_the_ramp_is_ignored),
    "F59": Signature(storm_deadlocks),
    "F60": Signature(silence_is_ignored),
    "F61": Signature(state_lags),
    "F64": Signature(calibration_is_lost, bad_memory),
    "F65": Signature(dead_sensor_passes_the_test, dead_sensor),
    "F66": Signature(current_is_wrong, hot),
    "F67": Signature(ramp_steps),
    "F68": Signature(standby_current_flows),
    "F69": Signature(key_starts, wet_key),
    "F72": Signature(reset_leaves_the_output_on),
    "F73": Signature(trip_is_never_told, overdriven(OVERDRIVEN)),
    "F74": Signature(limit_is_exceeded, overdriven(1.05 * 1.1)),
    "F75": Signature(treatment_derails, beyond=False),  # would take a treatment of 48 min
    "F76": Signature(ramp_falls_back),
    "F77": Signature(density_is_too_high),
    "F78": Signature(current_flows_without_supply),
    "F79": Signature(voltage_is_misreported),
    "F80": Signature(polarity_is_misreported),
    "F81": Signature(time_is_misreported),
    "F82": Signature(setting_is_not_reached),
}
PARAMETRIC = [name for name in SIGNATURES if catalogue()[name].severity]


def scaled(name: str, share: float) -> FaultSpec:
    """A fault with a severity so far from harmless: below 1 within its limit, above 1 beyond."""
    severity = catalogue()[name].severity
    assert severity
    bound = severity.bound(PROFILE)
    factor = share if severity.worse == "larger" else 1 / share
    return FaultSpec(name, Exact(bound.magnitude * Decimal(str(factor)), bound.unit))


def test_every_modelled_fault_of_the_device_has_its_signature() -> None:
    modelled = [f.id for f in catalogue().values() if f.modelled and f.layer.of_device]
    assert list(SIGNATURES) == modelled


HOOKS = {
    Layer.ANALOG: ("stage",),
    Layer.CONVERTER: ("board", "action"),
    Layer.FIRMWARE: ("override",),
    Layer.POWER: ("override",),
    Layer.COMMS: ("override",),
}


@pytest.mark.parametrize("name", SIGNATURES)
def test_it_is_injected_in_its_layer(name: str) -> None:
    effect = effect_of(name)
    assert any(getattr(effect, hook) for hook in HOOKS[catalogue()[name].layer])


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_faulty_device_shows_it(name: str) -> None:
    bench = Bench(FaultSpec(name))
    assert SIGNATURES[name].shows(bench)
    assert [spec.id for spec in bench.injection.present] == [name]


@pytest.mark.parametrize("name", SIGNATURES)
def test_the_healthy_device_does_not(name: str) -> None:
    assert not SIGNATURES[name].shows(Bench())


@pytest.mark.parametrize("name", [name for name in SIGNATURES if SIGNATURES[name].disturb])
def test_nor_under_the_disturbance_that_the_fault_needs(name: str) -> None:
    signature, bench = SIGNATURES[name], Bench()
    assert signature.disturb
    signature.disturb(bench)
    assert not signature.shows(bench)


@pytest.mark.parametrize("name", PARAMETRIC)
def test_just_within_its_limit_it_shows_nothing(name: str) -> None:
    assert not SIGNATURES[name].shows(Bench(scaled(name, 0.9)))


@pytest.mark.parametrize("name", [name for name in PARAMETRIC if SIGNATURES[name].beyond])
def test_just_beyond_its_limit_it_shows(name: str) -> None:
    assert SIGNATURES[name].shows(Bench(scaled(name, 1.25)))
