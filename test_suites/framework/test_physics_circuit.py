"""The circuit against closed forms: what each part of it must do, and what each event does."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

from hil.bench import LoadEntry
from hil.errors import UsageError
from hil.exact import Exact
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.physics.circuit import (
    AMMETER_BURDEN,
    SUPPLY_NOMINAL,
    VOLTMETER_RESISTANCE,
    Circuit,
    Node,
    OutputStage,
)
from hil_instruments.simulated.physics.stage import Bridge

BENCH, DEVICE = read_bench(None), read_device(None)
SHUNT = float(BENCH.shunt.base)
LAG, DROP = OutputStage().lag, OutputStage().drop
LOAD = BENCH.loads


def entry(name: str, series: str, *parts: str) -> LoadEntry:
    return LoadEntry(name, 1, Exact.parse(series), *map(Exact.parse, parts))


def circuit(load: LoadEntry | None = LOAD["2k"], **figures: object) -> Circuit:
    """A circuit with its cut-off closed and an output relay that closes at once."""
    at_once: dict[str, object] = {"operate": 0.0, "release": 0.0}
    made = Circuit(DEVICE, BENCH, OutputStage(**(at_once | figures)))  # type: ignore[arg-type]
    made.select_load(load)
    made.set_cutoff(True)
    made.set_output_relay(True)
    return made


def at(made: Circuit, node: Node, *times: float) -> npt.NDArray[np.float64]:
    return made.observe(node, np.array(times))


def ramp(made: Circuit, to: float, until: float) -> None:
    """Ramp up as the firmware does, a step each 25 ms."""
    begin = made.now
    steps = round((until - begin) / 25e-3)
    for step in range(1, steps + 1):
        made.command(to * step / steps)
        made.advance(begin + step * 25e-3)


# --- steady state and steps ----------------------------------------------------------------------


def test_current_divides_between_load_and_voltmeter() -> None:
    made = circuit()
    made.command(2e-3)
    made.advance(0.1)
    branch = 2e3 + SHUNT
    both = branch * VOLTMETER_RESISTANCE / (branch + VOLTMETER_RESISTANCE)
    assert made.value(Node.CURRENT) == pytest.approx(2e-3, rel=1e-9)
    assert at(made, Node.TERMINAL, 0.1)[0] == pytest.approx(2e-3 * both, rel=1e-9)
    assert made.value(Node.LOAD) == pytest.approx(2e-3 * both / branch, rel=1e-9)
    assert at(made, Node.SHUNT, 0.1)[0] == pytest.approx(2e-3 * both / branch * SHUNT, rel=1e-9)
    assert made.value(Node.OUTPUT) == pytest.approx(2e-3 * (both + AMMETER_BURDEN), rel=1e-9)


def test_a_command_is_followed_with_the_lag_of_the_regulator() -> None:
    made = circuit()
    made.advance(1.0)
    made.command(3e-3)
    made.advance(1.01)
    ages = np.array([0.5e-3, 1e-3, 2e-3, 5e-3])
    expected = 3e-3 * (1 - np.exp(-ages / LAG))
    assert made.observe(Node.SENSE, 1 + ages) == pytest.approx(expected, rel=1e-12)
    assert made.observe(Node.CURRENT, 1 + ages) == pytest.approx(expected, rel=1e-3)


def test_skin_charges_with_its_time_constant() -> None:
    made = circuit(LOAD["skin"], lag=1e-6)
    made.command(1e-3)
    made.advance(0.2)
    ages = np.array([0.2e-3, 1e-3, 5e-3])
    skin = 10.0 * (1 - np.exp(-ages / 1e-3))
    expected = skin + 1e-3 * (470 + SHUNT)
    assert at(made, Node.TERMINAL, *ages) == pytest.approx(expected, rel=6e-3)


def test_a_regulator_as_fast_as_the_skin_has_its_closed_form() -> None:
    made = circuit(LOAD["skin"])  # 10 kohm x 100 nF is the lag
    made.set_voltmeter(math.inf)
    made.command(1e-3)
    made.advance(0.1)
    age = 3e-3 / 1e-3
    skin = 10.0 * (1 - (1 + age) * math.exp(-age))
    drop = 1e-3 * (470 + SHUNT) * (1 - math.exp(-age))
    assert at(made, Node.TERMINAL, 3e-3)[0] == pytest.approx(skin + drop, rel=1e-3)


def test_two_electrodes_add_up() -> None:
    made = circuit(LOAD["skin2"])
    made.command(1e-3)
    made.advance(1.0)
    ohm = 470 + SHUNT + 10e3 + 4.7e3
    both = ohm * VOLTMETER_RESISTANCE / (ohm + VOLTMETER_RESISTANCE)
    assert made.value(Node.TERMINAL) == pytest.approx(1e-3 * both, rel=1e-7)


def test_half_an_electrode_has_twice_the_resistance_and_half_the_capacitance() -> None:
    made = circuit(LOAD["skin"], lag=1e-6)
    made.set_contact(True, share=0.5)
    made.command(1e-3)
    made.advance(0.1)
    assert made.value(Node.TERMINAL) == pytest.approx(20.57, rel=3e-3)
    assert at(made, Node.TERMINAL, 1e-3)[0] == pytest.approx(20 * (1 - 1 / math.e) + 0.57, rel=5e-3)


# --- open loads, limiting ------------------------------------------------------------------------


def test_open_load_draws_8_ua_through_the_voltmeter_at_compliance() -> None:
    made = circuit(None)
    made.command(1e-3)
    made.advance(0.1)
    assert made.limited
    assert made.value(Node.OUTPUT) == pytest.approx(80.0, abs=1e-4)
    total = VOLTMETER_RESISTANCE + AMMETER_BURDEN + DROP
    assert made.value(Node.CURRENT) == pytest.approx(80 / total, rel=1e-6)
    assert made.value(Node.SHUNT) == 0.0


@pytest.mark.parametrize("way", ["set_cutoff", "set_contact"])
def test_an_open_cutoff_and_a_lifted_electrode_are_open_loads(way: str) -> None:
    made = circuit()
    made.command(1e-3)
    made.advance(0.1)
    getattr(made, way)(False)
    made.advance(0.2)
    assert made.value(Node.OUTPUT) == pytest.approx(80.0, abs=1e-4)
    getattr(made, way)(True)
    made.advance(0.3)
    assert made.value(Node.CURRENT) == pytest.approx(1e-3, rel=1e-9)


def test_output_capacitance_charges_at_the_current_over_it() -> None:
    made = circuit(None, capacitance=100e-9, stray=0.0)
    made.set_output_relay(False)
    made.command(1e-3)
    made.advance(1.0)  # the regulator has settled behind the open relay
    made.set_output_relay(True)
    made.advance(1.02)
    assert at(made, Node.TERMINAL, 1.002)[0] == pytest.approx(1e-3 * 2e-3 / 100e-9, rel=2e-3)
    # 1 mA into 100 nF reaches 80 V after 8 ms
    assert at(made, Node.TERMINAL, 1.0079)[0] < 79.9
    assert at(made, Node.TERMINAL, 1.0081)[0] == pytest.approx(80.0, abs=1e-3)


def test_a_stage_out_of_voltage_is_a_voltage_behind_its_drop() -> None:
    made = circuit(LOAD["50k"], on_resistance=990.0)
    made.command(4e-3)
    made.advance(0.1)
    branch = 50e3 + SHUNT
    total = 1e3 + AMMETER_BURDEN + 1 / (1 / branch + 1 / VOLTMETER_RESISTANCE)
    assert made.limited
    assert made.value(Node.SENSE) == pytest.approx(80 / total, rel=1e-6)
    made.command(1e-3)
    made.advance(0.2)
    assert not made.limited
    assert made.value(Node.SENSE) == pytest.approx(1e-3, rel=1e-12)


def test_limiting_begins_and_ends_when_it_must() -> None:
    made = circuit(LOAD["50k"])
    total = DROP + AMMETER_BURDEN + 1 / (1 / (50e3 + SHUNT) + 1 / VOLTMETER_RESISTANCE)
    edge = 80 / total
    made.command(4e-3)
    assert made.run(1.0)
    assert made.limited
    behind = (50e3 + SHUNT) * 120e-12  # what the output capacitance takes is not in the load
    assert made.now == pytest.approx(-LAG * math.log(1 - edge / 4e-3) + behind, abs=1e-6)
    made.advance(1.0)
    made.command(0.0)
    assert made.run(2.0)
    assert not made.limited
    assert made.now - 1.0 == pytest.approx(-LAG * math.log(edge / 4e-3), abs=1e-7)


def test_limiting_is_symmetric() -> None:
    made = circuit(LOAD["50k"])
    made.set_bridge(True)
    made.command(4e-3)
    made.advance(0.1)
    assert made.limited
    assert made.value(Node.OUTPUT) == pytest.approx(-80.0, abs=0.02)
    assert made.value(Node.CURRENT) < -1.5e-3


def test_an_output_above_the_boost_voltage_is_not_drawn_down_by_the_stage() -> None:
    made = circuit(entry("slow", "470 ohm", "1 Mohm", "1 uF"), boost_lag=1e-4)
    made.command(1e-3)
    made.advance(0.05)
    before = made.value(Node.TERMINAL)
    made.set_boost(False)
    made.advance(0.06)
    assert made.value(Node.BOOST) == pytest.approx(SUPPLY_NOMINAL)
    assert made.limited
    assert made.value(Node.SENSE) == 0.0
    assert made.value(Node.TERMINAL) > before - 1.5
    made.command(0.0)
    made.advance(0.2)  # gets there
    assert made.value(Node.SENSE) == 0.0


def test_limiting_leaves_no_wind_up_in_a_healthy_stage() -> None:
    made = circuit()
    made.command(3e-3)
    made.advance(1.0)
    made.select_load(None)
    made.advance(1.03)
    made.select_load(LOAD["2k"])
    made.advance(2.0)
    times = np.linspace(1.0301, 2.0, 5000)
    assert made.observe(Node.CURRENT, times).max() <= 3e-3 * (1 + 1e-9)
    # what the output capacitance held passes in well under 1 ms and is lost in its mean
    assert made.means(Node.CURRENT, np.array([1.03]), 1e-3)[0] < 3e-3 + 20e-6


def test_wind_up_leaves_an_excess_that_decays() -> None:
    made = circuit(windup=0.4, windup_limit=1e-3, transient=5e-3)
    made.command(3e-3)
    made.advance(1.0)
    made.select_load(None)
    made.advance(1.03)
    made.select_load(LOAD["2k"])
    made.advance(1.1)
    first, later = at(made, Node.SENSE, 1.0301, 1.0351)
    assert first == pytest.approx(3e-3 + 1e-3 * math.exp(-0.02), rel=2e-3)
    assert later == pytest.approx(3e-3 + 1e-3 * math.exp(-1.02), rel=2e-3)


def test_a_fall_of_the_load_leaves_an_excess_only_where_the_regulator_is_slow() -> None:
    peaks = []
    for excess in (0.0, 1e-3):
        made = circuit(LOAD["20k"], load_step=excess, transient=20e-3)
        made.command(1e-3)
        made.advance(0.1)
        made.select_load(None)
        made.advance(0.105)
        made.select_load(LOAD["1k"])
        made.advance(0.2)
        peaks.append(at(made, Node.SENSE, 0.1051)[0])
    assert peaks[0] == pytest.approx(1e-3, rel=1e-6)
    assert peaks[1] == pytest.approx(2e-3, rel=0.3)


def test_a_boost_voltage_that_falls_is_met_where_it_is_met() -> None:
    made = circuit(LOAD["20k"], boost_lag=10e-3)
    made.command(2e-3)
    made.advance(0.1)
    effort = made.value(Node.OUTPUT) + DROP * 2e-3
    made.set_compliance(30.0)
    assert made.run(1.0)
    assert made.limited
    assert made.now - 0.1 == pytest.approx(10e-3 * math.log(50 / (effort - 30)), rel=1e-6)


def test_charge_counts_what_an_excess_brings() -> None:
    made = circuit(windup=0.4, windup_limit=1e-3, transient=5e-3)
    made.command(1e-3)
    made.advance(1.0)
    made.select_load(None)
    made.advance(1.03)
    made.select_load(LOAD["2k"])
    made.advance(1.1)
    before = made.charge()
    made.command(2e-3)
    made.advance(1.2)
    whole = made.means(Node.SENSE, np.array([0.0]), 1.2)[0] * 1.2
    assert made.charge() == pytest.approx(whole, rel=1e-9)
    assert before == pytest.approx(1e-3 * 1.07 + 1e-3 * 5e-3, rel=2e-3)


# --- output off ----------------------------------------------------------------------------------


def test_output_off_is_bled_to_zero() -> None:
    made = circuit(None, capacitance=10e-9)
    made.command(1e-3)
    made.advance(0.1)
    made.set_output_relay(False)
    made.advance(0.3)
    tau = 10e-9 / (1 / 1e6 + 1 / (VOLTMETER_RESISTANCE + AMMETER_BURDEN))
    assert at(made, Node.TERMINAL, 0.11)[0] == pytest.approx(80 * math.exp(-0.01 / tau), rel=1e-4)
    assert abs(made.value(Node.OUTPUT)) < 1e-6


def test_a_skin_left_alone_keeps_its_charge_and_loses_it_slowly() -> None:
    slow = entry("slow", "470 ohm", "100 kohm", "1 uF")
    made = circuit(slow)
    made.command(0.5e-3)
    made.advance(2.0)
    made.set_output_relay(False)
    made.select_load(None)
    made.advance(2.1)
    made.select_load(slow)
    made.advance(2.2)
    # 0.5 mA into 100 kohm beside 10 Mohm, then 0.1 s and 1 ms of a time constant of 0.1 s
    left = 0.5e-3 / (1 / 100e3 + 1 / VOLTMETER_RESISTANCE) * math.exp(-1.01)
    assert at(made, Node.TERMINAL, 2.101)[0] == pytest.approx(left, rel=5e-3)


@pytest.mark.parametrize("figure", ["standby", "weld"])
def test_a_leak_flows_past_the_open_relay_up_to_compliance(figure: str) -> None:
    made = circuit(**{figure: 25e-6}, bleed=1e6)
    made.set_output_relay(False)
    made.advance(0.1)
    assert made.value(Node.CURRENT) == pytest.approx(25e-6, rel=3e-3)
    made.select_load(None)
    made.advance(0.2)
    beside = 1 / (1e-6 + 1 / (VOLTMETER_RESISTANCE + AMMETER_BURDEN))
    assert made.value(Node.OUTPUT) == pytest.approx(25e-6 * beside, rel=1e-6)


def test_a_weld_leaks_only_after_the_relay_has_been_closed() -> None:
    made = Circuit(DEVICE, BENCH, OutputStage(weld=80e-6))
    made.select_load(LOAD["2k"])
    made.set_cutoff(True)
    made.advance(1.0)
    assert made.value(Node.CURRENT) == 0.0


# --- relay, bridge, boost ------------------------------------------------------------------------


def test_the_relay_takes_its_time() -> None:
    made = circuit(operate=2e-3, release=1e-3)
    made.command(1e-3)
    made.advance(1.9e-3)
    assert not made.relay_closed
    made.advance(0.1)
    assert made.relay_closed
    made.set_output_relay(False)
    made.advance(0.1009)
    assert made.value(Node.CURRENT) == pytest.approx(1e-3, rel=1e-6)
    made.advance(0.102)
    assert abs(made.value(Node.CURRENT)) < 1e-9


def test_a_negative_spike_behind_an_open_contact_charges_nothing_beyond_the_supply() -> None:
    made = circuit(operate=1e-3, bounces=2, bounce=6e-3, spike=1e-3)
    made.advance(50e-3)
    closings = made.breaks(0.0, 50e-3)
    times = (closings[:, None] + np.geomspace(1e-10, 1e-4, 50)).ravel()
    assert np.abs(made.observe(Node.TERMINAL, times)).max() < DEVICE.si("output.compliance")


def test_a_bouncing_contact_opens_as_often_as_it_says() -> None:
    made = circuit(operate=1e-3, bounces=3, bounce=100e-6)
    made.command(1e-3)
    made.advance(0.01)
    times = np.arange(1e-3, 3e-3, 1e-6) + 0.5e-6
    flows = at(made, Node.SENSE, *times) > 0
    assert np.count_nonzero(np.diff(flows.astype(int)) == -1) == 3
    assert made.relay_closed


def test_what_fills_behind_an_open_contact_comes_out_as_it_closes() -> None:
    made = circuit(operate=1e-3, stray=1e-9)
    made.command(1e-3)
    made.advance(0.01)
    peak = at(made, Node.CURRENT, *(1e-3 + np.arange(1, 100) * 10e-9)).max()
    charge = made.means(Node.CURRENT, np.array([1e-3]), 20e-6)[0] * 20e-6
    assert peak > 20e-3
    assert charge == pytest.approx(1e-9 * 80, rel=0.25)


@pytest.mark.parametrize(
    ("bridge", "signs"),
    [(Bridge.FOLLOWS, (1, -1)), (Bridge.STUCK, (1, 1)), (Bridge.SWAPPED, (-1, 1))],
)
def test_the_bridge_decides_the_sign(bridge: Bridge, signs: tuple[int, int]) -> None:
    made = circuit(bridge=bridge)
    made.command(1e-3)
    made.advance(1.0)
    assert np.sign(made.value(Node.CURRENT)) == signs[0]
    made.set_bridge(True)
    made.advance(2.0)
    assert np.sign(made.value(Node.CURRENT)) == signs[1]


def test_the_boost_voltage_follows_what_is_asked_for_with_its_lag() -> None:
    made = circuit(None, boost_lag=10e-3)
    made.command(1e-3)
    made.advance(0.1)
    made.set_compliance(40.0)
    made.advance(0.2)
    assert at(made, Node.BOOST, 0.11)[0] == pytest.approx(40 + 40 / math.e, rel=1e-9)
    assert made.value(Node.BOOST) == pytest.approx(40.0, rel=1e-3)
    assert made.value(Node.OUTPUT) == pytest.approx(40.0, rel=1e-3)


def test_a_boost_supply_without_feedback_exceeds_compliance() -> None:
    made = circuit(None, boost_gain=6.5)
    made.command(1e-3)
    made.advance(1.0)
    assert made.value(Node.OUTPUT) == pytest.approx(520.0, rel=1e-4)


# --- comparator and windows ----------------------------------------------------------------------


def test_the_comparator_opens_the_relay_after_half_its_time_and_stays() -> None:
    made = circuit()
    made.command(6e-3)
    made.advance(1.0)
    off = -LAG * math.log(1 - 5 / 6) + 5e-3
    assert made.tripped
    assert at(made, Node.CURRENT, off - 1e-7)[0] > 5e-3
    assert abs(at(made, Node.CURRENT, off + 1e-4)[0]) < 1e-6
    made.command(1e-3)
    made.set_output_relay(True)
    made.advance(1.1)
    assert abs(made.value(Node.CURRENT)) < 1e-9
    made.clear_trip()
    made.set_output_relay(True)
    made.advance(1.2)
    assert made.value(Node.CURRENT) == pytest.approx(1e-3, rel=1e-6)


def test_an_excess_shorter_than_half_the_trip_time_does_not_trip() -> None:
    made = circuit()
    made.command(6e-3)
    made.advance(4e-3)
    made.command(1e-3)
    made.advance(1.0)
    assert not made.tripped


def test_an_excess_over_a_command_within_the_limit_trips() -> None:
    made = circuit(LOAD["10k"], load_step=2e-3, transient=50e-3)
    made.command(4e-3)
    made.advance(1.0)
    made.select_load(LOAD["1k"])
    assert made.run(2.0)
    assert made.tripped
    assert made.now == pytest.approx(1.005, abs=1e-6)


@pytest.mark.parametrize("change", [{"comparator": False}, {"comparator_level": 1.4}])
def test_a_comparator_that_is_off_or_set_too_high_does_not_trip(change: dict[str, object]) -> None:
    made = circuit(**change)
    made.command(6e-3)
    made.advance(1.0)
    assert not made.tripped
    assert made.value(Node.CURRENT) == pytest.approx(6e-3, rel=1e-6)


def test_a_window_ends_a_run_where_its_level_is_met() -> None:
    made = circuit()
    made.watch(Node.SENSE, 0.5e-3, 2e-3)
    made.command(3e-3)
    met = []
    while made.run(0.1):
        met.append(made.now)
    made.command(0.0)
    while made.run(0.2):
        met.append(made.now - 0.1)
    expected = [-LAG * math.log(1 - level / 3e-3) for level in (0.5e-3, 2e-3)]
    expected += [-LAG * math.log(level / 3e-3) for level in (2e-3, 0.5e-3)]
    assert met == pytest.approx(expected, abs=1e-8)


def test_a_window_tells_of_a_jump_at_once_and_of_nothing_when_removed() -> None:
    made = circuit()
    made.command(2e-3)
    made.advance(0.1)
    made.watch(Node.LOAD, 1e-3, math.inf)
    made.select_load(None)
    assert made.run(0.2)
    assert made.now == pytest.approx(0.1, abs=1e-9)
    made.watch(Node.LOAD, -math.inf, math.inf)
    assert made.run(0.2)  # the stage saturates
    made.advance(0.2)
    made.select_load(LOAD["2k"])
    assert made.run(0.3)  # and leaves saturation
    assert not made.run(0.3)


# --- supply --------------------------------------------------------------------------------------


def test_without_supply_nothing_is_driven_and_the_relay_drops_out() -> None:
    made = circuit()
    made.command(2e-3)
    made.advance(0.1)
    made.set_supply(4.4)
    made.advance(0.2)
    assert not made.powered
    assert not made.relay_closed
    assert abs(made.value(Node.CURRENT)) < 1e-9
    assert made.value(Node.SUPPLY_CURRENT) == 0.0
    made.set_supply(SUPPLY_NOMINAL)
    made.advance(0.3)
    assert made.powered
    assert made.value(Node.CURRENT) == pytest.approx(0.0, abs=1e-9)
    made.set_output_relay(True)
    made.advance(0.4)
    assert made.value(Node.CURRENT) == pytest.approx(2e-3, rel=1e-6)


def test_power_comes_back_after_the_restart_time_and_is_told() -> None:
    told: list[tuple[float, bool]] = []
    made = circuit(restart=20e-3)
    made.advance(0.1)
    made.listener = lambda: told.append((made.now, made.powered))
    made.set_supply(2.0)
    made.advance(0.105)
    made.set_supply(9.0)
    made.advance(0.2)
    assert told[0] == (0.1, False)
    assert told[-1] == (pytest.approx(0.12), True)


def test_the_supply_gives_the_output_power_and_what_is_lost() -> None:
    made = circuit(efficiency=0.8, quiescent=20e-3)
    made.command(2e-3)
    made.advance(0.1)
    assert made.value(Node.SUPPLY_CURRENT) == pytest.approx(20e-3 + 80 * 2e-3 / 0.8 / 9, rel=1e-9)
    mean = made.means(Node.SUPPLY_CURRENT, np.array([0.05]), 0.05)[0]
    assert mean == pytest.approx(20e-3 + 80 * 2e-3 / 0.8 / 9, rel=1e-6)


def test_a_battery_sags_under_load_until_the_device_dies() -> None:
    made = circuit()
    made.set_supply(9.0, resistance=20.0)
    made.command(2e-3)
    made.advance(0.1)
    volts = made.value(Node.SUPPLY)
    drawn = made.value(Node.SUPPLY_CURRENT)
    assert volts == pytest.approx(9 - 20 * drawn, rel=1e-6)
    made.set_supply(5.2, resistance=20.0)
    assert not made.powered
    made.advance(0.2)  # without load the battery recovers, and the device starts again
    assert made.powered
    assert not made.relay_closed


def test_a_current_limit_too_low_for_the_output_folds_the_supply_back() -> None:
    made = circuit()
    made.set_supply(9.0, limit=0.05)
    made.command(2e-3)
    made.advance(0.1)
    assert made.powered
    made.command(4e-3)
    assert not made.powered
    assert made.run(0.2)  # tells so


def test_a_weak_supply_takes_its_share_of_the_boost_voltage() -> None:
    made = circuit(None, boost_dropout=6.0)
    made.set_supply(4.8)
    made.command(1e-3)
    made.advance(1.0)
    assert made.value(Node.BOOST) == pytest.approx(80 * 4.8 / 6)
    assert made.value(Node.OUTPUT) == pytest.approx(64.0, rel=1e-4)


# --- errors of the stage -------------------------------------------------------------------------


def test_gain_temperature_and_supply_shift_the_current() -> None:
    made = circuit(gain=1.1, temperature_coefficient=1e-3, supply_coefficient=0.01)
    made.command(1e-3)
    made.set_temperature(43.0)
    made.set_supply(8.0)
    made.advance(0.1)
    assert made.value(Node.CURRENT) == pytest.approx(1.1e-3 * (1 + 0.02 - 0.01), rel=1e-6)


def test_the_loop_oscillates_at_loads_above_its_limit_only() -> None:
    for load, expected in (("2k", 0.0), ("20k", 0.05)):
        made = circuit(LOAD[load], ripple=0.05, ripple_load=10e3, ripple_frequency=400.0)
        made.command(2e-3)
        made.advance(0.1)
        times = np.arange(0.05, 0.1, 1e-5)
        found = made.observe(Node.SENSE, times)
        assert np.ptp(found) / 2 / 2e-3 == pytest.approx(expected, abs=1e-4)
        assert made.means(Node.SENSE, np.array([0.05]), 0.05)[0] == pytest.approx(2e-3, rel=1e-6)


def test_an_isolation_defect_is_seen_to_earth_with_the_output_off() -> None:
    made = circuit(isolation=100e3)
    made.set_output_relay(False)
    made.advance(0.1)
    assert made.value(Node.EARTH) == pytest.approx(9 / (100e3 + 1e3 + 2.1e3), rel=3e-3)
    assert circuit().value(Node.EARTH) == 0.0


def test_a_fault_may_set_in_at_any_time() -> None:
    made = circuit()
    made.command(2e-3)
    made.advance(0.1)
    made.set_stage(OutputStage(gain=1.2))
    made.advance(0.2)
    assert at(made, Node.SENSE, 0.1)[0] == pytest.approx(2e-3, rel=1e-9)
    assert made.value(Node.SENSE) == pytest.approx(2.4e-3, rel=1e-9)


# --- observation ---------------------------------------------------------------------------------


def test_a_mean_is_the_mean_of_what_is_observed() -> None:
    made = circuit(LOAD["skin2"])
    ramp(made, 3e-3, 0.5)
    made.select_load(LOAD["20k"])
    made.command(4e-3)
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


def test_one_mean_and_many_are_the_same() -> None:
    made = circuit(LOAD["skin"])
    ramp(made, 3e-3, 0.5)
    starts = np.linspace(0.0, 0.49, 50)
    many = made.means(Node.TERMINAL, starts, 3e-3)
    single = [made.means(Node.TERMINAL, starts[k : k + 1], 3e-3)[0] for k in range(50)]
    assert many == pytest.approx(np.array(single), rel=1e-9, abs=1e-12)
    values = made.observe(Node.TERMINAL, starts)
    assert [at(made, Node.TERMINAL, t)[0] for t in starts] == pytest.approx(values, rel=1e-12)
    back = made.observe(Node.TERMINAL, starts[::-1])
    assert back[::-1] == pytest.approx(values, rel=1e-12)


def test_what_was_looked_at_may_still_be_replaced_at_the_same_time() -> None:
    made = circuit()
    made.command(1e-3)
    made.advance(0.1)
    made.set_bridge(False)
    times = np.linspace(0.0, 0.1, 11)
    assert made.observe(Node.SENSE, times)[-1] == pytest.approx(1e-3)
    made.set_bridge(True)
    assert made.observe(Node.SENSE, times)[-1] == pytest.approx(-1e-3)
    made.advance(0.2)
    assert made.observe(Node.SENSE, times + 0.05)[-1] == pytest.approx(-1e-3)


def test_charge_is_the_integral_of_the_sensed_current() -> None:
    made = circuit(LOAD["50k"])
    ramp(made, 3e-3, 1.0)  # into limiting
    made.advance(2.0)
    made.set_bridge(True)
    made.advance(2.5)
    whole = made.means(Node.SENSE, np.array([0.0]), 2.5)[0] * 2.5
    assert made.charge() == pytest.approx(whole, rel=1e-9)


def test_forgetting_keeps_the_charge_and_what_comes_after() -> None:
    made, other = circuit(LOAD["skin"]), circuit(LOAD["skin"])
    for each in (made, other):
        ramp(each, 3e-3, 2.0)
    made.forget(1.0)
    times = np.linspace(1.0, 2.0, 500)
    assert np.array_equal(made.observe(Node.TERMINAL, times), other.observe(Node.TERMINAL, times))
    assert made.means(Node.CURRENT, np.array([1.2]), 0.5) == pytest.approx(
        other.means(Node.CURRENT, np.array([1.2]), 0.5), rel=1e-12
    )
    assert made.charge() == other.charge()
    with pytest.raises(UsageError, match=r"history reaches from 1\.0 s"):
        at(made, Node.CURRENT, 0.9)


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


@pytest.mark.parametrize("value", [math.nan, -1e-3])
@pytest.mark.parametrize(
    "act",
    [
        lambda made, value: made.command(value),
        lambda made, value: made.set_supply(value),
        lambda made, value: made.set_supply(9.0, value),
        lambda made, value: made.set_supply(9.0, 1.0, value),
        lambda made, value: made.set_temperature(1e6 * value),
        lambda made, value: made.set_burden(value),
        lambda made, value: made.set_voltmeter(value),
        lambda made, value: made.set_compliance(value),
        lambda made, value: made.set_contact(closed=True, share=value),
        lambda made, value: made.means(Node.CURRENT, np.array([0.0]), value),
    ],
)
def test_nonsense_never_becomes_the_state_of_the_circuit(act, value):
    made = circuit()
    made.command(2e-3)
    made.advance(0.1)
    before = {node: made.value(node) for node in Node}
    with pytest.raises(UsageError, match="allowed"):
        act(made, value)
    assert {node: made.value(node) for node in Node} == before


@pytest.mark.parametrize("act", [Circuit.set_burden, Circuit.set_voltmeter])
def test_no_instrument_is_a_short_without_resistance(act):
    with pytest.raises(UsageError, match="1e-06 or more"):
        act(circuit(), 0.0)


def test_a_node_rests_only_after_all_has_faded_and_within_one_piece():
    made = circuit()
    made.advance(1.0)
    made.command(2e-3)
    made.advance(1.5)
    assert made.resting(Node.CURRENT, 1.0) is None  # the lag of the regulator lay in between
    assert made.resting(Node.CURRENT, 1.1) == pytest.approx(2e-3, abs=1e-9)
    assert made.resting(Node.CURRENT, 0.9) is None
    made.set_cutoff(closed=False)
    made.advance(1.6)
    assert made.resting(Node.CURRENT, 1.45) is None
