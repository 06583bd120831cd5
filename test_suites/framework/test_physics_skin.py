"""Skin: Cole's element and the resistance that yields, each within its stated bound."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest

import hil_instruments.simulated.physics.circuit as circuit_module
from hil.bench import LoadEntry, load_problem
from hil.exact import Exact
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.physics.circuit import Circuit, Node, OutputStage
from hil_instruments.simulated.physics.cole import BOUND, LARGEST_ALPHA, SMALLEST_ALPHA, chain
from hil_instruments.simulated.physics.load import TOLERANCE
from hil_instruments.simulated.physics.skin import Fall

Array = npt.NDArray[np.float64]
BENCH, DEVICE = read_bench(None), read_device(None)
AT_ONCE = OutputStage(operate=0, release=0, capacitance=1e-12, stray=0, lag=1e-7)
ALPHAS = (SMALLEST_ALPHA, 0.6, 0.666, 0.7, 0.75, 0.8, 0.85, 0.9, 0.93, LARGEST_ALPHA)


def quantity(text: str) -> Exact:
    return Exact.parse(text)


def circuit(load: LoadEntry) -> Circuit:
    made = Circuit(DEVICE, BENCH, AT_ONCE)
    made.set_voltmeter(math.inf)
    made.select_load(load)
    made.set_cutoff(True)
    made.set_output_relay(True)
    return made


# --- Cole ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_chain_stays_within_its_bound_at_every_frequency(alpha: float) -> None:
    found = chain(alpha)
    omega = np.logspace(-9, 9, 3000)
    links = zip(found.resistances, found.times, strict=True)
    impedance = found.series + sum(ohm / (1 + 1j * omega * time) for ohm, time in links)
    error = np.abs(impedance - 1 / (1 + (1j * omega) ** alpha)).max()
    assert error <= found.bound <= BOUND
    assert error > found.bound / 100  # the bound says something


@pytest.mark.parametrize("alpha", ALPHAS)
def test_a_chain_is_of_positive_parts_and_exact_for_direct_current(alpha: float) -> None:
    found = chain(alpha)
    assert min(*found.resistances, *found.times) > 0
    assert found.series >= 0
    assert sum(found.resistances) + found.series == pytest.approx(1.0, rel=1e-12)


def _step_response(alpha: float, age: Array) -> Array:
    """Of 1 ohm and 1 s, by the closed-form distribution of relaxation times, sampled finely."""
    places = np.arange(-40, 40, 0.02)
    angle = alpha * math.pi
    density = np.sin(angle) / (2 * math.pi) / (np.cosh(alpha * places) + np.cos(angle))
    response: Array = (density * 0.02) @ -np.expm1(-age / np.exp(places)[:, None])
    return response


@pytest.mark.parametrize("alpha", [0.7, 0.8, 0.9])
def test_a_step_into_cole_follows_its_closed_form(alpha: float) -> None:
    load = LoadEntry("cole", 1, quantity("470 ohm"), quantity("10 kohm"), quantity("100 nF"))
    made = circuit(LoadEntry(*(getattr(load, f) for f in load.__slots__[:5]), cole_alpha=alpha))
    made.command(3e-3)
    made.advance(0.5)
    age = np.array([0.2e-3, 1e-3, 3e-3, 10e-3, 100e-3, 0.5])
    expected = 3e-3 * (570 + 10e3 * _step_response(alpha, (age - 1e-7) / 1e-3))
    apart = np.abs(made.observe(Node.TERMINAL, age) - expected)
    assert apart.max() < 4 * BOUND * 30.0


# --- the resistance that yields -------------------------------------------------------------------

DRY = LoadEntry(
    "dry",
    1,
    quantity("470 ohm"),
    quantity("50 kohm"),
    quantity("100 nF"),
    final_resistance=quantity("3 kohm"),
    fall_time=quantity("0.1 s"),
)
LAW = Fall.of(DRY)
STEP = 20e-6


def _programmes(count: int) -> tuple[Array, Array]:
    """Times of commands in s, and commands in A: a row for each of `count` programmes."""
    random = np.random.default_rng(12)
    times = np.cumsum(random.integers(100, 2000, (count, 6)), axis=1) * STEP
    times = np.hstack((np.zeros((count, 1)), times))
    return times, random.uniform(0, 1.5e-3, times.shape) * (random.random(times.shape) > 0.2)


def _brute(times: Array, commands: Array, end: float) -> Array:
    """Voltage of load and shunt in V at each STEP, a row for each programme; in steps of 20 us."""
    assert LAW is not None
    steps = round(end / STEP)
    volts, wet = np.zeros(len(times)), np.ones(len(times))
    seen = np.empty((len(times), steps))

    def slopes(volts: Array, wet: Array, amperes: Array) -> tuple[Array, Array]:
        through = volts / (3e3 + 47e3 * wet)
        rate = np.abs(through) / 1e-3 / 0.1
        return (amperes - through) / 100e-9, (1 - wet) / LAW.recovery - rate * wet

    for step in range(steps):
        now = (step + 0.5) * STEP
        amperes = commands[np.arange(len(times)), (times <= now).sum(axis=1) - 1]
        seen[:, step] = volts + amperes * 570
        v1, w1 = slopes(volts, wet, amperes)
        v2, w2 = slopes(volts + STEP / 2 * v1, wet + STEP / 2 * w1, amperes)
        v3, w3 = slopes(volts + STEP / 2 * v2, wet + STEP / 2 * w2, amperes)
        v4, w4 = slopes(volts + STEP * v3, wet + STEP * w3, amperes)
        volts = volts + STEP / 6 * (v1 + 2 * v2 + 2 * v3 + v4)
        wet = wet + STEP / 6 * (w1 + 2 * w2 + 2 * w3 + w4)
    return seen


@pytest.fixture(scope="module")
def brute() -> tuple[Array, Array, Array]:
    times, commands = _programmes(4)
    return times, commands, _brute(times, commands, 0.2)


def _error(brute: tuple[Array, Array, Array]) -> tuple[float, int]:
    """Largest deviation in V from brute force, and the segments that it took."""
    worst, segments = 0.0, 0
    for times, commands, seen in zip(*brute, strict=True):
        made = circuit(DRY)
        for time, amperes in zip(times, commands, strict=True):
            made.advance(max(time - AT_ONCE.lag, 0.0))  # so the lag brings the step to its time
            made.command(amperes)
        made.advance(max(0.2, made.now))
        moments = np.arange(len(seen)) * STEP
        away = np.min(np.abs(moments[:, None] - times), axis=1) > 50e-6
        apart = np.abs(made.observe(Node.TERMINAL, moments) - seen)[away]
        worst, segments = max(worst, float(apart.max())), segments + len(made._history)  # noqa: SLF001
    return worst, segments


def test_yielding_skin_stays_within_its_tolerance(brute: tuple[Array, Array, Array]) -> None:
    worst, segments = _error(brute)
    print(f"worst {worst / 80:.2e} of compliance, {segments / 4:.0f} segments each")
    assert worst < 2 * TOLERANCE * 80


def test_the_tolerance_is_what_bounds_the_error(
    brute: tuple[Array, Array, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, many = _error(brute)
    monkeypatch.setattr(circuit_module, "TOLERANCE", TOLERANCE * 30)
    coarse, few = _error(brute)
    assert coarse > 5 * usual
    assert coarse < 2 * TOLERANCE * 30 * 80
    assert few < many / 3


def test_skin_only_falls_while_current_flows_and_recovers_to_three_times_in_half_an_hour() -> None:
    made = circuit(DRY)
    made.advance(10.0)
    assert made.skin_resistance == pytest.approx(50e3)
    made.command(1.5e-3)
    made.advance(20.0)
    assert made.skin_resistance == pytest.approx(3e3, rel=1e-3)
    made.command(0.0)
    made.advance(20.0 + 1800.0)
    made.command(0.0)
    assert made.skin_resistance == pytest.approx(9e3, rel=1e-2)


def test_half_an_electrode_on_yielding_skin_has_twice_its_resistance() -> None:
    made = circuit(DRY)
    made.command(1.2e-3)
    made.advance(5.0)
    made.set_contact(True, share=0.5)
    made.advance(6.0)
    ohm = 2 * made.skin_resistance + 570
    assert made.value(Node.TERMINAL) == pytest.approx(1.2e-3 * ohm, rel=1e-4)


def test_skin_recovers_also_while_it_is_not_connected() -> None:
    made = circuit(DRY)
    made.command(1.5e-3)
    made.advance(10.0)
    made.select_load(None)
    made.advance(10.0 + 1800.0)
    made.select_load(DRY)
    assert made.skin_resistance == pytest.approx(9e3, rel=1e-2)


def test_skin_falls_with_its_time_constant_at_1_ma_and_faster_at_more() -> None:
    slow = LoadEntry(
        *(getattr(DRY, name) for name in DRY.__slots__[:5]),
        final_resistance=quantity("3 kohm"),
        fall_time=quantity("45 s"),
    )
    for amperes in (0.5e-3, 1e-3):
        made = circuit(slow)
        made.command(amperes)
        made.advance(45.0)
        made.command(amperes)
        expected = 3e3 + 47e3 * math.exp(-amperes / 1e-3)
        assert made.skin_resistance == pytest.approx(expected, rel=5e-3)


# --- what a load may be ---------------------------------------------------------------------------


def _load(**parts: object) -> LoadEntry:
    usual: dict[str, object] = {"parallel": quantity("10 kohm"), "capacitance": quantity("100 nF")}
    return LoadEntry("x", 1, quantity("470 ohm"), **(usual | parts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("load", "word"),
    [
        (_load(capacitance=None), "both parallel and capacitance"),
        (_load(second_parallel=quantity("1 kohm")), "both second_parallel and second_capacitance"),
        (_load(parallel=None, capacitance=None, cole_alpha=0.8), "cole_alpha belongs to a skin"),
        (_load(fall_time=quantity("1 s")), "both final_resistance and fall_time"),
        (
            _load(fall_time=quantity("1 s"), final_resistance=quantity("1 kohm"), cole_alpha=0.8),
            "exclude each other",
        ),
        (
            _load(fall_time=quantity("1 s"), final_resistance=quantity("10 kohm")),
            "must lie below parallel",
        ),
    ],
)
def test_a_load_whose_parts_do_not_fit_is_refused(load: LoadEntry, word: str) -> None:
    assert word in load_problem(load)


def test_the_built_in_bench_has_two_electrodes_a_cole_element_and_dry_skin() -> None:
    assert BENCH.loads["skin2"].resistance == quantity("15.17 kohm")
    assert BENCH.loads["cole"].cole_alpha == 0.8
    assert Fall.of(BENCH.loads["dry"]) == Fall(50e3, 3e3, 45.0)
    assert not any(load_problem(load) for load in BENCH.loads.values())
