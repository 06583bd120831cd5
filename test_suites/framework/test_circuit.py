"""The circuit against closed forms, against brute-force integration, and against itself."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest

from hil.bench import BenchDescription, LoadEntry
from hil.device import IONTOPHORESIS, DeviceProfile, Figure, Wire
from hil.errors import UsageError
from hil.exact import Exact
from hil.requirement import Knowledge
from hil_instruments.simulated.circuit import (
    AMMETER_BURDEN,
    SUPPLY_NOMINAL,
    VOLTMETER_RESISTANCE,
    Bridge,
    Circuit,
    Node,
    OutputStage,
)

FIGURES = {"output.compliance": "80 V", "output.trip": "5 mA", "output.trip_time": "10 ms"}
SHUNT = 100.0
LAG = OutputStage().lag


def entry(name: str, series: float, parallel: float = 0.0, capacitance: float = 0.0) -> LoadEntry:
    """A load; the name only tells loads apart."""
    skin = (Exact.parse(f"{parallel} ohm"), Exact.parse(f"{capacitance * 1e9} nF"))
    return LoadEntry(name, 101, Exact.parse(f"{series} ohm"), *(skin if parallel else (None, None)))


R1K, R2K, R20K, R50K = (entry(f"{r}", r) for r in (1e3, 2e3, 20e3, 50e3))
SKIN = entry("skin", 470, 10e3, 100e-9)


def circuit(stage: OutputStage | None = None, load: LoadEntry | None = R2K) -> Circuit:
    """A circuit with its output relay and cut-off closed."""
    figures = {
        name: Figure(Exact.parse(text), "", "", Knowledge.PROJECT) for name, text in FIGURES.items()
    }
    profile = DeviceProfile("M", "X", IONTOPHORESIS, figures, Wire({}, {}, {}, {}))
    shunt, some = Exact.parse(f"{SHUNT} ohm"), Exact.parse("1 mA")
    bench = BenchDescription("b", {}, {}, {}, shunt, some, some, Exact.parse("1 V"))
    made = Circuit(profile, bench, stage)
    made.select_load(load)
    made.set_cutoff(True)
    made.set_output_relay(True)
    return made


def at(made: Circuit, node: Node, *times: float) -> np.ndarray:
    return made.observe(node, np.array(times))


def test_current_divides_between_load_and_voltmeter() -> None:
    made = circuit()
    made.drive(2e-3)
    made.advance(0.1)
    branch = 2e3 + SHUNT
    both = branch * VOLTMETER_RESISTANCE / (branch + VOLTMETER_RESISTANCE)
    assert made.current() == pytest.approx(2e-3, rel=1e-12)
    assert at(made, Node.TERMINAL, 0.1)[0] == pytest.approx(2e-3 * both, rel=1e-12)
    assert at(made, Node.SHUNT, 0.1)[0] == pytest.approx(2e-3 * both / branch * SHUNT, rel=1e-12)
    assert made.voltage() == pytest.approx(2e-3 * (both + AMMETER_BURDEN), rel=1e-12)


def test_a_command_is_followed_with_the_lag_of_the_regulator() -> None:
    made = circuit()
    made.advance(1.0)
    made.drive(3e-3)
    made.advance(1.01)
    ages = np.array([0.5e-3, 1e-3, 2e-3, 5e-3])
    expected = 3e-3 * (1 - np.exp(-ages / LAG))
    assert made.observe(Node.CURRENT, 1 + ages) == pytest.approx(expected, rel=1e-3)


def test_a_ramp_lags_by_slope_times_lag() -> None:
    made = circuit()
    made.drive(0.0, 1e-4)
    made.advance(20.0)
    times = np.array([1.0, 7.3, 19.9])
    assert made.observe(Node.CURRENT, times) == pytest.approx(1e-4 * (times - LAG), rel=1e-6)


def test_skin_charges_with_its_time_constant() -> None:
    made = circuit(load=SKIN)
    made.drive(1e-3)
    made.advance(0.2)
    ages = np.array([0.02, 0.2])  # long after the lag, and settled
    tau = 10e3 * 100e-9
    # response to a lagged step: with tau == lag it is 1 - (1 + t / tau) exp(-t / tau)
    skin = 10.0 * (1 - (1 + ages / tau) * np.exp(-ages / tau))
    assert at(made, Node.TERMINAL, *ages) == pytest.approx(
        skin + 1e-3 * (470 + SHUNT), rel=2e-3, abs=1e-3
    )
    assert at(made, Node.TERMINAL, 0.001)[0] == pytest.approx(
        10.0 * (1 - 2 / math.e) + 0.57e-3 / 1e-3 * (1 - 1 / math.e), rel=0.02
    )


def test_open_load_draws_8_ua_through_the_voltmeter_at_compliance() -> None:
    made = circuit(load=None)
    made.drive(1e-3)
    made.advance(0.1)
    assert made.limited
    assert made.voltage() == pytest.approx(80.0, abs=1e-5)
    assert made.current() == pytest.approx(80 / (VOLTMETER_RESISTANCE + AMMETER_BURDEN), rel=1e-9)
    assert at(made, Node.SHUNT, 0.1)[0] == 0.0


def test_an_open_cutoff_is_an_open_load() -> None:
    made = circuit()
    made.drive(1e-3)
    made.advance(0.1)
    made.set_cutoff(False)
    made.advance(0.2)
    assert made.voltage() == pytest.approx(80.0, abs=1e-5)
    made.set_cutoff(True)
    made.advance(0.3)
    assert made.current() == pytest.approx(1e-3, rel=1e-9)


def test_output_capacitance_charges_at_the_current_over_it() -> None:
    made = circuit(OutputStage(capacitance=100e-9), load=None)
    made.set_output_relay(False)
    made.drive(1e-3)
    made.advance(1.0)  # the regulator has settled behind the open relay
    made.set_output_relay(True)
    made.advance(1.02)
    assert at(made, Node.TERMINAL, 1.002)[0] == pytest.approx(1e-3 * 2e-3 / 100e-9, rel=2e-3)
    # 1 mA into 100 nF reaches 80 V after 8 ms
    assert at(made, Node.TERMINAL, 1.0079)[0] < 79.9
    assert at(made, Node.TERMINAL, 1.0081)[0] == pytest.approx(80.0, abs=1e-3)


def test_a_ramp_enters_compliance_at_the_moment_it_must_and_leaves_it() -> None:
    made = circuit(load=R50K)
    made.drive(0.0, 1e-3)
    made.advance(4.0)
    total = AMMETER_BURDEN + 1 / (1 / (50e3 + SHUNT) + 1 / VOLTMETER_RESISTANCE)
    behind = LAG + total * OutputStage().capacitance
    entry_time = 80 / total / 1e-3 + behind
    before, after = at(made, Node.CURRENT, entry_time - 1e-4, entry_time + 1e-4)
    assert before == pytest.approx(80 / total - 1e-7, rel=1e-6)
    assert after == pytest.approx(80 / total, rel=1e-8)
    assert made.limited
    made.drive(4e-3, -1e-3)
    made.advance(8.0)
    down = 4.0 + (4e-3 - 80 / total) / 1e-3
    assert at(made, Node.CURRENT, down - 0.01)[0] == pytest.approx(80 / total, rel=1e-8)
    assert at(made, Node.CURRENT, down + 0.1)[0] == pytest.approx(80 / total - 1e-4, rel=1e-2)


def test_limiting_is_symmetric() -> None:
    made = circuit(load=R50K)
    made.drive(-4e-3)
    made.advance(0.1)
    assert made.limited
    assert made.voltage() == pytest.approx(-80.0, abs=1e-5)
    assert made.current() < -1.5e-3


def test_limiting_leaves_no_wind_up_in_a_healthy_stage() -> None:
    made = circuit()
    made.drive(3e-3)
    made.advance(1.0)
    made.select_load(None)
    made.advance(1.03)
    made.select_load(R2K)
    made.advance(2.0)
    times = np.linspace(1.0301, 2.0, 5000)
    assert made.observe(Node.CURRENT, times).max() <= 3e-3 * (1 + 1e-9)
    # what the output capacitance held passes in well under 1 ms and is lost in its mean
    assert made.means(Node.CURRENT, np.array([1.03]), 1e-3)[0] < 3e-3 + 20e-6


def test_output_off_is_bled_to_zero() -> None:
    made = circuit(OutputStage(capacitance=10e-9), load=None)
    made.drive(1e-3)
    made.advance(0.1)
    made.set_output_relay(False)
    made.advance(0.3)
    tau = 10e-9 / (1 / 1e6 + 1 / (VOLTMETER_RESISTANCE + AMMETER_BURDEN))
    assert at(made, Node.TERMINAL, 0.11)[0] == pytest.approx(80 * math.exp(-0.01 / tau), rel=1e-4)
    assert abs(made.voltage()) < 1e-6


def test_without_supply_nothing_is_driven() -> None:
    made = circuit()
    made.drive(2e-3)
    made.advance(0.1)
    made.set_supply(4.4)
    made.advance(0.2)
    assert abs(made.current()) < 1e-9
    assert not made.powered
    made.set_supply(SUPPLY_NOMINAL)
    made.advance(0.3)
    assert made.current() == pytest.approx(
        2e-3, rel=1e-6
    )  # opening its relay is the firmware's job


def test_a_skin_left_alone_keeps_its_charge_and_loses_it_slowly() -> None:
    slow = entry("slow skin", 470, 100e3, 1e-6)
    made = circuit(load=slow)
    made.drive(0.5e-3)
    made.advance(2.0)
    made.set_output_relay(False)
    made.select_load(None)
    made.advance(2.1)
    made.select_load(slow)
    made.advance(2.2)
    # 0.5 mA into 100 kohm beside 10 Mohm, then 0.1 s and 1 ms of a time constant of 0.1 s
    left = 0.5e-3 / (1 / 100e3 + 1 / VOLTMETER_RESISTANCE) * math.exp(-1.01)
    assert at(made, Node.TERMINAL, 2.101)[0] == pytest.approx(left, rel=5e-3)


def test_the_comparator_opens_the_relay_after_half_its_time_and_stays() -> None:
    made = circuit()
    made.drive(6e-3)
    made.advance(1.0)
    crossed = -LAG * math.log(1 - 5 / 6)
    off = crossed + 5e-3
    assert made.tripped
    assert at(made, Node.CURRENT, off - 1e-4)[0] > 5e-3
    assert abs(at(made, Node.CURRENT, off + 1e-4)[0]) < 1e-6
    made.drive(1e-3)
    made.set_output_relay(True)
    made.advance(1.1)
    assert abs(made.current()) < 1e-9
    made.clear_trip()
    made.set_output_relay(True)
    made.advance(1.2)
    assert made.current() == pytest.approx(1e-3, rel=1e-6)


def test_an_excess_shorter_than_half_the_trip_time_does_not_trip() -> None:
    made = circuit()
    made.drive(6e-3)
    made.advance(4e-3)
    made.drive(1e-3)
    made.advance(1.0)
    assert not made.tripped


@pytest.mark.parametrize(
    ("bridge", "signs"),
    [(Bridge.FOLLOWS, (1, -1)), (Bridge.STUCK, (1, 1)), (Bridge.SWAPPED, (-1, 1))],
)
def test_the_bridge_decides_the_sign(bridge: Bridge, signs: tuple[int, int]) -> None:
    made = circuit(OutputStage(bridge=bridge))
    for number, command in enumerate((1e-3, -1e-3)):
        made.drive(command)
        made.advance(1.0 + number)
        assert np.sign(made.current()) == signs[number]


def test_a_mean_is_the_mean_of_what_is_observed() -> None:
    made = circuit(load=SKIN)
    made.drive(0.0, 1e-3)
    made.advance(0.5)
    made.select_load(R20K)
    made.drive(4e-3)
    made.advance(0.6)
    made.set_cutoff(False)
    made.advance(0.7)
    for node in Node:
        for start, aperture in ((0.1, 1e-3), (0.4995, 2e-3), (0.55, 0.1), (0.0, 0.7)):
            fine = np.linspace(start, start + aperture, 200_001)
            middles = (fine[1:] + fine[:-1]) / 2
            mean = made.means(node, np.array([start]), aperture)[0]
            expected = made.observe(node, middles).mean()
            assert mean == pytest.approx(expected, rel=1e-4, abs=1e-9), (node, start)


def test_charge_is_the_integral_of_the_current() -> None:
    made = circuit(load=SKIN)
    made.drive(0.0, 1e-3)
    made.advance(2.0)
    made.drive(2e-3)
    made.advance(3.0)
    assert made.charge() == pytest.approx(made.means(Node.CURRENT, np.array([0.0]), 3.0)[0] * 3)
    assert made.charge() == pytest.approx(2e-3 + 2e-3, rel=1e-3)


def test_observation_does_not_depend_on_how_time_was_cut() -> None:
    whole, pieces = circuit(load=SKIN), circuit(load=SKIN)
    for made, steps in ((whole, 1), (pieces, 777)):
        made.drive(0.0, 4e-3)
        for step in range(1, steps + 1):
            made.advance(3.0 * step / steps)
        made.drive(4e-3, 0.0)
        made.advance(4.0)
    times = np.linspace(0, 4, 4001)
    for node in Node:
        assert np.array_equal(whole.observe(node, times), pieces.observe(node, times))


def test_brute_force_integration_agrees() -> None:
    """A coarse-grained story through limiting and load steps, by small explicit steps."""
    stage = OutputStage(capacitance=10e-9)
    made = circuit(stage, load=entry("dry skin", 470, 47e3, 22e-9))
    made.drive(0.0, 0.4)
    made.advance(5e-3)
    made.drive(2e-3, -0.1)
    made.advance(12e-3)
    times = np.arange(0.0, 12e-3, 100e-6)
    exact = made.observe(Node.TERMINAL, times)
    brute = _brute_force(stage, times)
    assert np.abs(brute).max() > 79.9  # the story does reach compliance
    assert exact == pytest.approx(brute, abs=0.05)


def _brute_force(stage: OutputStage, times: np.ndarray) -> np.ndarray:
    step, out = 0.25e-6, []
    output = skin = regulator = 0.0
    series, parallel, capacitance = 470 + SHUNT, 47e3, 22e-9
    for number in range(round(12e-3 / step)):
        now = number * step
        node = output / AMMETER_BURDEN + skin / series
        node /= 1 / AMMETER_BURDEN + 1 / series + 1 / VOLTMETER_RESISTANCE
        if number % round(100e-6 / step) == 0:
            out.append(node)
        command = 0.4 * now if now < 5e-3 else 2e-3 - 0.1 * (now - 5e-3)
        regulator += step * (command - regulator) / stage.lag
        output += step * (regulator - (output - node) / AMMETER_BURDEN) / stage.capacitance
        output = min(max(output, -80.0), 80.0)
        skin += step * ((node - skin) / series - skin / parallel) / capacitance
    return np.array(out[: len(times)])


def test_looking_outside_history_is_refused() -> None:
    made = circuit()
    made.advance(1.0)
    with pytest.raises(UsageError, match=r"1\.5 s; its history reaches from 0\.0 s to 1\.0 s"):
        at(made, Node.CURRENT, 0.5, 1.5)
    with pytest.raises(UsageError, match="history reaches"):
        made.means(Node.CURRENT, np.array([0.9]), 0.2)
    with pytest.raises(UsageError, match="history reaches"):
        at(made, Node.CURRENT, math.nan)
    with pytest.raises(UsageError, match="already"):
        made.advance(0.5)


def test_figures_of_speed(capsys: pytest.CaptureFixture[str]) -> None:
    made = circuit(load=SKIN)
    made.drive(0.0, 1e-4)
    made.advance(30.0)
    made.drive(3e-3)
    made.advance(100.0)
    times = np.arange(200_000) * 5e-4
    begin = time.perf_counter()
    made.observe(Node.CURRENT, times)
    observed = time.perf_counter() - begin
    begin = time.perf_counter()
    for tick in range(20_000):
        made.advance(100 + tick * 5e-3)
        made.current()
    ticked = time.perf_counter() - begin
    with capsys.disabled():
        print(f"\n200 000 samples {observed * 1e3:.1f} ms, 20 000 ticks {ticked * 1e3:.0f} ms")
