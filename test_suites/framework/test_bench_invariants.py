"""What must hold on the simulated bench whatever anybody does to it."""

from __future__ import annotations

import contextlib
import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

import hil_fixtures
from hil.conclusion import conclude
from hil.device import Polarity, State
from hil.errors import UsageError
from hil.verdict import Verdict
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.device.bare import NoFirmware
from hil_instruments.simulated.device.device import Device
from hil_instruments.simulated.device.firmware import ReferenceFirmware
from hil_instruments.simulated.device.policy import Policy
from hil_instruments.simulated.device.port import Key
from hil_instruments.simulated.device.refusal import Refused
from hil_instruments.simulated.physics.circuit import Circuit, Node, OutputStage
from hil_reports.evidence import read_journal

BENCH, DEVICE = read_bench(None), read_device(None)
BUILT_IN = Path(hil_fixtures.__file__).parent / "data" / "device.toml"
MA_MIN = 0.06  # C
OFF = 10e-6  # A
LIMIT, LIMIT_TIME = 4.4e-3, 10e-3
RELEASE = 1e-3  # s: the contact of the relay has moved by then
LOADS = ("short", "500", "2k", "20k", "50k", "200k", "skin", "skin2", "dry", "cole", None)


@pytest.mark.parametrize("sense", [0.0, 1e-6, 1e-3, 1e-2])
def test_a_stiff_stage_on_an_open_load_does_not_chatter(sense: float) -> None:
    circuit = Circuit(DEVICE, BENCH, OutputStage(sense_resistance=sense, comparator=False))
    circuit.set_cutoff(True)
    circuit.set_output_relay(True)
    for command in (1e-6, 4e-3, 4.5e-3):
        circuit.command(command)
        circuit.advance(circuit.now + 0.02)
    assert circuit.limited
    assert circuit.breaks(0.0, circuit.now).size < 50


@pytest.mark.parametrize("volts", [0.0, 1e-4])
def test_yielding_skin_is_solved_in_few_steps_at_hardly_any_compliance(volts: float) -> None:
    circuit = Circuit(DEVICE, BENCH)
    circuit.select_load(BENCH.loads["dry"])
    circuit.set_cutoff(True)
    circuit.set_output_relay(True)
    circuit.command(2e-3)
    circuit.advance(0.1)
    circuit.set_compliance(volts)
    circuit.advance(2.0)
    assert circuit.breaks(0.1, circuit.now).size < 500


@pytest.mark.parametrize("limit", [5e-3, 15e-3])
def test_a_supply_folded_back_at_rest_gives_its_limit(limit: float) -> None:
    circuit = Circuit(DEVICE, BENCH)
    circuit.set_supply(9.0, limit)
    circuit.advance(1.0)
    assert not circuit.powered
    assert circuit.value(Node.SUPPLY) == 0.0
    assert circuit.value(Node.SUPPLY_CURRENT) == pytest.approx(limit)
    circuit.set_supply(9.0)
    circuit.advance(2.0)
    assert circuit.powered


@pytest.mark.parametrize("to", [math.nan, math.inf, -math.inf, -1.0])
def test_time_passes_to_a_finite_later_time_only(to: float) -> None:
    circuit = Circuit(DEVICE, BENCH)
    device = Device(DEVICE, BENCH, lambda _: NoFirmware())
    for advance in (circuit.advance, device.advance):
        with pytest.raises(UsageError, match="allowed: finite"):
            advance(to)
    assert circuit.now == device.circuit.now == 0.0


class Stand:
    """Reference firmware on its board and circuit, on 2 kohm, ready."""

    def __init__(self, seed: int = 1) -> None:
        self.firmware = ReferenceFirmware(DEVICE, Policy(DEVICE))
        self.device = Device(DEVICE, BENCH, lambda _: self.firmware, seed=seed)
        self.circuit = self.device.circuit
        self.circuit.set_cutoff(True)
        self.circuit.select_load(BENCH.loads["2k"])
        self.wait(0.2)

    def wait(self, seconds: float) -> None:
        self.device.advance(self.circuit.now + seconds)

    def press(self, keys: int) -> None:
        """Hold keys down for a second, then release them."""
        self.device.board.pressed = keys
        self.wait(1.0)
        self.device.board.pressed = 0

    def delivered(self) -> float:
        """Charge in mA*min that has left the device, from the circuit."""
        return abs(self.circuit.charge()) / MA_MIN


@pytest.mark.parametrize("ending", ["dose", "stop", "pause"])
def test_lowering_the_setting_on_the_ramp_does_not_exceed_the_dose(ending: str) -> None:
    stand = Stand()
    firmware = stand.firmware
    firmware.set_current(4e-3)
    firmware.set_dose(0.31 * MA_MIN)
    firmware.start()
    stand.wait(14.5)
    firmware.set_current(0.1e-3)
    if ending != "dose":
        getattr(firmware, ending)()
    stand.wait(30.0)
    assert not firmware.state.delivers
    assert stand.delivered() <= 0.31 * 1.01


def test_the_start_key_starts_nothing_without_calibration() -> None:
    stand = Stand()
    stand.device.board.write_memory(0, bytes(4))
    stand.device.power_cycle()
    stand.wait(0.2)
    stand.press(Key.START)
    stand.wait(5.0)
    assert stand.firmware.state is State.IDLE
    assert stand.delivered() == 0.0


def test_the_start_key_starts_nothing_on_a_low_battery() -> None:
    stand = Stand()
    stand.circuit.set_supply(5.5)
    stand.press(Key.START)
    assert stand.firmware.state is State.IDLE


def test_the_start_key_starts_nothing_beyond_the_largest_dose() -> None:
    stand = Stand()
    stand.firmware.set_current(4e-3)
    stand.firmware.start()
    stand.wait(1300.0)
    delivered = stand.delivered()
    stand.press(Key.START)
    assert stand.firmware.state is State.DONE
    assert stand.delivered() == delivered


def test_no_current_of_zero_is_taken_while_the_output_comes_up() -> None:
    stand = Stand()
    stand.firmware.set_current(2e-3)
    stand.firmware.start()
    with pytest.raises(Refused):
        stand.firmware.set_current(0.0)


class AnyTreatment(RuleBasedStateMachine):
    """Whatever host, operator and bench do to the healthy device, it stays safe."""

    def __init__(self) -> None:
        super().__init__()
        self.stand = Stand()
        self.circuit, self.firmware = self.stand.circuit, self.stand.firmware
        self.since = self.circuit.now
        self.asked = False
        self.begun, self.target = 0.0, math.inf

    def _ask(self, action: str, *arguments: object) -> bool:
        """Give a command where the device lives; whether it was taken."""
        if self.circuit.powered:
            with contextlib.suppress(Refused):
                getattr(self.firmware, action)(*arguments)
                return True
        return False

    @rule(steps=st.integers(0, 40))
    def set_current(self, steps: int) -> None:
        self._ask("set_current", steps * 1e-4)

    @rule(polarity=st.sampled_from(Polarity))
    def set_polarity(self, polarity: Polarity) -> None:
        self._ask("set_polarity", polarity)

    @rule(dose=st.sampled_from((0.01, 0.05, 0.2, 1.0, 5.0)))
    def set_dose(self, dose: float) -> None:
        self._ask("set_dose", dose * MA_MIN)

    @rule(ramp=st.sampled_from((20.0, 30.0, 60.0)))
    def set_ramp(self, ramp: float) -> None:
        self._ask("set_ramp", ramp)

    @rule()
    def start(self) -> None:
        if self._ask("start"):
            self._account()

    @rule(action=st.sampled_from(("stop", "pause", "resume", "acknowledge", "reset")))
    def go_on(self, action: str) -> None:
        self._ask(action)

    @rule(load=st.sampled_from(LOADS))
    def load(self, load: str | None) -> None:
        self.circuit.select_load(BENCH.loads[load] if load else None)

    @rule(closed=st.booleans(), share=st.sampled_from((0.5, 1.0)))
    def lift(self, closed: bool, share: float) -> None:
        self.circuit.set_contact(closed, share)

    @rule(volts=st.sampled_from((9.0, 9.0, 7.0, 5.8, 4.4, 0.0)))
    def supply(self, volts: float) -> None:
        self.circuit.set_supply(volts)

    @precondition(lambda self: not self.firmware.state.delivers)
    @rule()
    def start_by_key(self) -> None:
        self._account()
        self.stand.press(Key.START)

    @rule()
    def stop_by_key(self) -> None:
        self.stand.press(Key.STOP)
        assert abs(self.circuit.value(Node.SENSE)) <= OFF

    @rule(seconds=st.sampled_from((1e-4, 5e-3, 0.1, 1.0, 10.0, 40.0)))
    def wait(self, seconds: float) -> None:
        fault = self.firmware.state is State.FAULT
        begin = self.circuit.now
        self.stand.wait(seconds)
        if fault and seconds > 0.01:
            late = self._sensed(begin + 0.01)
            assert np.max(late, initial=0.0) <= OFF

    @rule()
    def abort(self) -> None:
        self._ask("abort")
        self.stand.wait(10e-3)
        assert abs(self.circuit.value(Node.SENSE)) <= OFF
        assert not self.circuit.relay_closed

    def _account(self) -> None:
        """A treatment begins: its dose counts from here."""
        self.asked = True
        self.begun, self.target = self.circuit.charge(), self.firmware.settings.dose / MA_MIN

    def _sensed(self, begin: float) -> np.ndarray:
        count = int((self.circuit.now - begin) * 1e3 - 1e-6)
        starts = begin + np.arange(max(count, 0)) * 1e-3
        return np.abs(self.circuit.means(Node.SENSE, starts, 1e-3))

    @invariant()
    def no_current_above_the_limit_lasts(self) -> None:
        over = self._sensed(self.since) > LIMIT
        assert np.count_nonzero(over) * 1e-3 <= LIMIT_TIME
        self.since = self.circuit.now

    @invariant()
    def no_output_without_a_start(self) -> None:
        assert self.asked or not self.circuit.relay_closed

    @invariant()
    def a_closed_relay_has_a_treatment(self) -> None:
        treatment = self.firmware.treatment
        moves = treatment.now - treatment.entered < RELEASE
        assert moves or treatment.state.delivers or not self.circuit.relay_closed

    @invariant()
    def no_dose_is_exceeded(self) -> None:
        delivered = abs(self.circuit.charge() - self.begun) / MA_MIN  # one polarity in each
        assert delivered <= self.target * 1.01 + 1e-4


AnyTreatment.TestCase.settings = settings(
    max_examples=60, stateful_step_count=30, deadline=None, database=None, derandomize=True
)
test_the_healthy_device_stays_safe = AnyTreatment.TestCase


def test_a_seed_that_no_noise_takes_changes_nothing() -> None:
    bench = SimulatedBench(DEVICE, BENCH, seed=3)
    told = bench.exchange("ammeter", "*IDN?")
    with pytest.raises(UsageError, match=r"seed = -1; allowed: 0"):
        bench.reset(-1)
    assert bench.exchange("ammeter", "*IDN?") == told
    with pytest.raises(UsageError, match=r"seed = -1; allowed: 0"):
        SimulatedBench(DEVICE, BENCH, seed=-1)


def test_a_healthy_device_of_negative_polarity_is_not_accused(tmp_path: Path) -> None:
    device, out = tmp_path / "device.toml", tmp_path / "out"
    text = BUILT_IN.read_text(encoding="utf-8")
    changed = text.replace('polarity = "positive"', 'polarity = "negative"', 1)
    assert changed != text
    device.write_text(changed, encoding="utf-8")
    out.mkdir()
    args = ["--pyargs", "hil_suites", "--hil-depth=smoke", f"--hil-out={out}", f"--rootdir={out}"]
    args += ["-c", "/dev/null", "-p", "no:cacheprovider", "-p", "no:timeout", "-q"]
    args += ["--import-mode=importlib", f"--hil-device={device}"]
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(args)
    (folder,) = (path for path in out.iterdir() if path.is_dir())
    found = conclude(read_journal(folder).records)
    assert {row.verdict for row in found.tests} == {Verdict.PASS}
