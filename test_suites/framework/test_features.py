"""Measurands against closed forms, and their uncertainty against simulated noise."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hil.capture import Accuracy, Capture, Source
from hil.decision import judge
from hil.errors import UsageError
from hil.exact import Dimension, Exact
from hil.features import charge, largest_step, mean, noise, peak, slope, steady
from hil.measurement import Calibration, Component, Measurement
from hil.requirement import Kind, Knowledge, Limit, Requirement
from hil.verdict import Verdict
from hil.waveform import Instant, Waveform

RATE = 2000
SIGMA = 1e-6
Trace = npt.NDArray[np.float64]


def wave(
    samples: Trace,
    *,
    rate: float = RATE,
    gain: float = 0.0,
    offset: float = 0.0,
    dimension: Dimension = Dimension.CURRENT,
    **phases: tuple[float, float],
) -> Waveform:
    accuracy = Accuracy("SIM-1[10 mA]", gain, offset, "declared")
    source = Source("ammeter", "SIM-1", accuracy, Calibration.VALID)
    spans = {name: (span,) for name, span in phases.items()}
    return Waveform(Capture(samples.copy(), 0.0, 1 / rate, 0.0, dimension, source), spans)


def instant(time: float) -> Instant:
    return Instant(time, 0.0)


def times(seconds: float) -> Trace:
    return np.arange(0, seconds, 1 / RATE)


def treatment() -> Trace:
    """1 s of nothing, 4 mA in 30 s, 4 s of hold, down in 3 s, 1 s of nothing."""
    return np.interp(times(39), [0, 1, 31, 35, 38, 39], [0, 0, 4e-3, 4e-3, 0, 0])


def errors(
    feature: Callable[[Waveform], Measurement],
    truth: float,
    shape: Trace,
    trials: int,
    seed: int = 1,
) -> tuple[Trace, Trace]:
    """Errors and standard uncertainties of a feature over noisy repetitions of one shape."""
    noise_source = np.random.default_rng(seed)
    found = [
        feature(wave(shape + SIGMA * noise_source.standard_normal(shape.size)))
        for _ in range(trials)
    ]
    return np.array([float(m.value) - truth for m in found]), np.array([m.u for m in found])


def part(measured: Measurement, word: str) -> Component:
    (found,) = [c for c in measured.components if word in c.id]
    return found


# --- steady --------------------------------------------------------------------------------------


def test_steady_is_the_mean_of_the_hold_without_its_ends() -> None:
    t = times(4)
    samples = np.where((t >= 1) & (t < 3), 2e-3, 9e-3)
    samples[(t >= 1) & (t < 1.5)] = 5e-3
    samples[(t >= 2.5) & (t < 3)] = 7e-3
    assert float(steady(wave(samples, hold=(1.0, 3.0))).value) == pytest.approx(2e-3)
    assert float(steady(wave(-samples, hold=(1.0, 3.0))).value) == pytest.approx(-2e-3)


def test_steady_covers_the_truth_in_95_of_100() -> None:
    shape = np.full(2 * RATE, 4e-3)
    deviation, u = errors(
        lambda w: steady(Waveform(w.capture, {"hold": ((0.0, 2.0),)})), 4e-3, shape, 1500
    )
    assert np.mean(np.abs(deviation) <= 2 * u) == pytest.approx(0.95, abs=0.013)
    assert np.std(deviation) == pytest.approx(SIGMA / math.sqrt(RATE), rel=0.06)


def test_mean_takes_every_sample_between_its_instants() -> None:
    t = times(4)
    samples = np.where((t >= 1) & (t < 3), 2e-3, -9e-3)
    found = mean(wave(samples, gain=5e-4), after=instant(1.0), until=instant(3.0))
    assert float(found.value) == pytest.approx(2e-3)
    assert found.u == pytest.approx(2e-3 * 5e-4 / math.sqrt(3))
    assert float(mean(wave(samples)).value) == pytest.approx(-3.5e-3)
    for bad in (math.nan, math.inf):
        broken = np.where(t == 2, bad, samples)
        assert mean(wave(broken)).value.is_nan()
        assert mean(wave(broken), until=instant(1.9)).value.is_finite()
    assert mean(wave(samples), after=instant(3.0), until=instant(4.1)).value.is_nan()
    assert mean(wave(samples[:9])).value.is_nan()


def test_slow_wander_widens_the_budget_of_steady() -> None:
    t = times(12)
    wander = 4e-3 + 2e-5 * np.sin(2 * np.pi * t / 12)
    quiet = steady(wave(np.full(t.size, 4e-3), hold=(0.0, 12.0)))
    assert quiet.u == pytest.approx(0, abs=1e-15)
    assert steady(wave(wander, hold=(0.0, 12.0))).u > 2e-6


def test_steady_carries_the_accuracy_of_its_range() -> None:
    found = steady(wave(np.full(2 * RATE, 4e-3), gain=5e-4, offset=2e-6, hold=(0.0, 2.0)))
    assert part(found, ".gain").contribution == pytest.approx(4e-3 * 5e-4 / math.sqrt(3))
    assert part(found, ".offset").contribution == pytest.approx(2e-6 / math.sqrt(3))
    assert found.instruments == ("SIM-1",)
    assert found.calibration is Calibration.VALID
    assert len(found.captures) == 1


# --- peak ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("count", "trials"), [(100, 300), (1000, 200), (100_000, 25)])
def test_peak_of_a_noisy_plateau_is_the_plateau(count: int, trials: int) -> None:
    deviation, u = errors(peak, 4e-3, np.full(count, 4e-3), trials)
    assert abs(np.mean(deviation)) < 0.3 * SIGMA  # the raw maximum lies 2.5 to 4.4 sigma high
    assert abs(np.mean(deviation)) < np.mean(u)
    assert np.mean(np.abs(deviation) <= 2 * u) >= 0.92


@pytest.mark.parametrize("sign", [1, -1])
def test_peak_of_a_single_5_ms_excursion(sign: int) -> None:
    shape = np.full(20_000, 4e-3)
    shape[9000:9010] += 5e-4
    deviation, u = errors(peak, 4.5e-3, sign * shape, 80)
    assert abs(np.mean(deviation)) < 0.3 * SIGMA  # not corrected for 20 000 rivals
    assert np.mean(np.abs(deviation) <= 2 * u) >= 0.92


@pytest.mark.parametrize("decay", [0.005, 0.1, 2.0])
def test_peak_of_a_rounded_top_is_within_its_uncertainty(decay: float) -> None:
    t = times(4)
    shape = 4e-3 + 5e-5 * np.exp(-np.maximum(t - 1, 0) / decay) * (t >= 1)
    deviation, u = errors(peak, float(shape.max()), shape, 100)
    assert abs(np.mean(deviation)) < np.mean(u)
    assert np.mean(np.abs(deviation) <= 2 * u) >= 0.88


def test_peak_at_the_end_of_a_ramp_is_within_its_uncertainty() -> None:
    shape = times(10) * 4e-4
    deviation, u = errors(peak, float(shape.max()), shape, 100)
    assert abs(np.mean(deviation)) < np.mean(u)
    assert np.mean(np.abs(deviation) <= 2 * u) >= 0.88


def test_peak_of_nothing_is_about_nothing() -> None:
    deviation, u = errors(peak, 0.0, np.zeros(20_000), 40)
    assert abs(np.mean(deviation)) < np.mean(u)


def test_peak_without_noise_is_the_maximum_and_keeps_it_raw() -> None:
    shape = np.full(1000, 1e-3)
    shape[500] = -3e-3
    found = peak(wave(shape))
    assert float(found.value) == 3e-3
    assert found.raw is not None
    assert float(found.raw) == 3e-3


def test_raw_extreme_is_above_the_corrected_one() -> None:
    shape = 4e-3 + SIGMA * np.random.default_rng(2).standard_normal(100_000)
    found = peak(wave(shape))
    assert found.raw is not None
    assert float(found.raw) == shape.max()
    assert float(found.raw - found.value) > 3.5 * SIGMA


@pytest.mark.parametrize("sign", [1, -1])
def test_the_offset_of_a_meter_is_in_no_overshoot_of_either_polarity(sign: int) -> None:
    taken = wave(sign * np.full(20_000, 2e-3), gain=5e-4, offset=2e-6, hold=(0.0, 10.0))
    over = peak(taken) - abs(steady(taken))
    assert over.u < 1e-8
    assert peak(taken).u > 1e-6


def test_peak_looks_only_between_its_instants() -> None:
    shape = np.where(times(4) < 2, 1e-3, 3e-3)
    assert float(peak(wave(shape), until=instant(2.0)).value) == 1e-3
    assert float(peak(wave(shape), after=instant(2.0)).value) == 3e-3


# --- slope ---------------------------------------------------------------------------------------


def test_slope_of_a_slow_ramp_in_noise() -> None:
    deviation, u = errors(slope, 4e-3 / 30, times(30) * 4e-3 / 30, 15)
    assert abs(np.mean(deviation)) < np.mean(u)
    assert np.mean(u) < 1e-3 * 4e-3 / 30
    assert np.all(np.abs(deviation) <= 3 * u)


def test_uncertainty_of_a_slope_is_that_of_least_squares() -> None:
    """One window: sigma of the fit, and as much again for the count of rivals."""
    rng = np.random.default_rng(8)
    t = times(1)
    noises = SIGMA * rng.standard_normal((500, t.size))
    spread = np.std(np.polyfit(t, noises.T, 1)[0])
    _, u = errors(slope, 1e-4, t * 1e-4, 20)
    assert np.mean(u) / math.sqrt(2) == pytest.approx(spread, rel=0.08)


@pytest.mark.parametrize("before", [0, 200_000])
def test_sliding_slope_is_that_of_polyfit(before: int) -> None:
    """Also where the window lies far inside a long record: running sums lose digits there."""
    t = times(3)
    rng = np.random.default_rng(4)
    tail = 1e-3 * np.sin(3 * t) + 1e-7 * rng.standard_normal(t.size)
    found = slope(wave(np.concatenate((np.zeros(before), tail))))

    def fit(k: int) -> float:
        return abs(float(np.polyfit(t[k : k + RATE], tail[k : k + RATE], 1)[0]))

    coarse = max(range(0, t.size - RATE, 50), key=fit)
    fits = [fit(k) for k in range(max(coarse - 50, 0), min(coarse + 50, t.size - RATE) + 1)]
    assert found.raw is not None
    assert float(found.raw) == pytest.approx(max(fits), rel=1e-5)
    assert float(found.raw) >= max(fits) * (1 - 1e-9)


def test_slope_of_the_last_second_of_an_hour() -> None:
    shape = np.zeros(3600 * 200)
    shape[-200:] = np.arange(200) / 200 * 1e-3
    found = slope(wave(shape, rate=200))
    fit = np.polyfit(np.arange(200) / 200, shape[-200:], 1)[0]
    assert float(found.value) == pytest.approx(fit, rel=1e-6)


def test_a_falling_ramp_has_a_slope_too() -> None:
    assert float(slope(wave(treatment())).value) == pytest.approx(4e-3 / 3, rel=1e-6)
    assert float(slope(wave(treatment()), until=instant(31.0)).value) == pytest.approx(
        4e-3 / 30, rel=1e-6
    )


# --- largest step --------------------------------------------------------------------------------


def test_a_step_within_a_ramp_is_caught() -> None:
    t = times(30)
    shape = t * 4e-3 / 30 + 1e-4 * (t >= 17.3)
    found, u = errors(largest_step, 1e-4, shape, 20)
    ramp = 4e-3 / 30 * 0.01  # the ramp goes on beside the step
    assert np.all(np.abs(found - ramp) <= 3 * u)
    assert np.all(np.abs(found) < 5e-6)


def test_a_smooth_ramp_is_not_accused() -> None:
    found, u = errors(largest_step, 0.0, times(30) * 4e-3 / 30, 20)
    assert np.all(np.abs(found) < 3e-6)
    assert np.mean(found) == pytest.approx(4e-3 / 30 * 0.01, abs=np.mean(u))


def test_a_steep_ramp_is_not_taken_for_noise() -> None:
    """Neighbours that differ by slope alone say nothing about noise."""
    assert float(largest_step(wave(times(2) * 0.1)).value) == pytest.approx(1e-3, rel=1e-6)


def test_a_step_down_is_a_step() -> None:
    shape = np.where(times(2) < 1, 2e-3, 1.5e-3)
    assert float(largest_step(wave(shape)).value) == pytest.approx(5e-4)


def test_samples_too_far_apart_cannot_tell_a_step() -> None:
    slow = wave(np.arange(100) * 4e-3 / 30, rate=1)
    assert largest_step(slow).value.is_nan()
    assert slope(slow).value.is_nan()


# --- charge --------------------------------------------------------------------------------------


def bipolar(pause: float) -> Trace:
    """2 mA for some seconds, a long pause at zero, then the same in the other polarity."""
    corners = np.cumsum([0, 2, 5, 10, 5, pause, 5, 10, 5, 2])
    return np.interp(
        times(float(corners[-1])), corners, np.array([0, 0, 2, 2, 0, 0, -2, -2, 0, 0]) / 1e3
    )


def test_charge_of_a_treatment_in_closed_form() -> None:
    assert float(charge(wave(treatment())).value) == pytest.approx(4e-3 * (15 + 4 + 1.5), rel=1e-6)
    assert float(charge(wave(-treatment())).value) == pytest.approx(4e-3 * 20.5, rel=1e-6)


@pytest.mark.parametrize("pause", [2.0, 40.0])
def test_charge_of_both_polarities_is_unbiased(pause: float) -> None:
    shape = bipolar(pause)
    truth = float(np.sum(np.abs(shape))) / RATE
    deviation, u = errors(charge, truth, shape, 30)
    assert truth == pytest.approx(0.06, rel=1e-3)
    assert abs(np.mean(deviation)) < 2.5 * np.mean(u) / math.sqrt(deviation.size)
    assert np.std(deviation) == pytest.approx(np.mean(u), rel=0.35)


def test_feet_of_the_ramps_count() -> None:
    """A current below the noise floor still carries charge, before the first sign and after."""
    shape = np.interp(times(20), [0, 10, 20], [0, 3e-5, 0])
    deviation, u = errors(charge, float(shape.sum()) / RATE, shape, 60)
    assert abs(np.mean(deviation)) < 2.5 * np.mean(u) / math.sqrt(deviation.size)


def test_a_current_below_the_noise_floor_has_its_charge() -> None:
    shape = np.full(20_000, 4e-6)
    deviation, u = errors(charge, 4e-6 * 10, shape, 20)
    assert np.all(np.abs(deviation) < 4 * u)


def test_charge_of_nothing_is_within_its_uncertainty_of_nothing() -> None:
    deviation, u = errors(charge, 0.0, np.zeros(20_000), 20)
    assert np.all(np.abs(deviation) < 4 * u)


@pytest.mark.parametrize("shape", [treatment(), bipolar(5.0)])
def test_charge_budget_holds_an_offset_of_the_instrument(shape: Trace) -> None:
    """Shift every sample by the offset: the value moves by what its component says."""
    found = charge(wave(shape, offset=1e-6))
    moved = charge(wave(shape + 1e-6, offset=1e-6))
    assert float(moved.value - found.value) == pytest.approx(
        part(found, ".offset").sensitivity * 1e-6, abs=1e-8
    )


# --- what cannot be measured ---------------------------------------------------------------------

FEATURES = [steady, peak, slope, largest_step, charge]
AT_MOST_ANYTHING = {
    dimension: Requirement(
        "R", "s", "t", "t", Limit(Kind.AT_MOST, Exact.parse(text)), dimension, "project", "x",
        Knowledge.PROJECT,
    )
    for dimension, text in (
        (Dimension.CURRENT, "1000 A"), (Dimension.CURRENT_SLOPE, "1000 A/s"),
        (Dimension.CHARGE, "1000 C"),
    )
}  # fmt: skip


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("feature", FEATURES)
def test_an_overload_or_gap_is_an_error_never_a_pass(feature: Any, bad: float) -> None:
    samples = np.full(4 * RATE, 1e-3)
    good = feature(wave(samples, hold=(0.0, 4.0)))
    assert judge(AT_MOST_ANYTHING[good.dimension], good).verdict is Verdict.PASS
    samples[3 * RATE] = bad
    found = feature(wave(samples, hold=(0.0, 4.0)))
    assert found.value.is_nan()
    assert found.note
    assert judge(AT_MOST_ANYTHING[found.dimension], found).verdict is Verdict.ERROR


@pytest.mark.parametrize("feature", [peak, slope, largest_step])
@pytest.mark.parametrize(("after", "until"), [(-1.0, 3.0), (1.0, 5.0), (9.0, 10.0), (3.0, 1.0)])
def test_a_window_that_the_record_does_not_hold_is_an_error(
    feature: Any, after: float, until: float
) -> None:
    record = wave(np.full(4 * RATE, 1e-3))
    assert feature(record, after=instant(after), until=instant(until)).value.is_nan()
    assert feature(record, after=instant(1.0), until=instant(3.0)).value.is_finite()


def test_a_hold_that_the_record_does_not_hold_is_an_error() -> None:
    samples = np.full(4 * RATE, 1e-3)
    assert steady(wave(samples, hold=(0.0, 4.0))).value.is_finite()
    assert steady(wave(samples, hold=(0.0, 60.0))).value.is_nan()
    assert steady(wave(samples, hold=(1.0, 2.0))).value.is_nan()  # nothing left without its ends


def test_a_voltage_has_neither_slope_nor_charge() -> None:
    record = wave(np.full(4 * RATE, 1.0), dimension=Dimension.VOLTAGE)
    for feature in (slope, charge):
        with pytest.raises(UsageError, match="voltage was asked for; it is known of: current"):
            feature(record)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_too_few_samples_are_an_error(size: int) -> None:
    record = wave(np.full(size, 1e-3), hold=(0.0, 0.0))
    assert all(f(record).value.is_nan() for f in (steady, peak, slope, largest_step))


# --- noise ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "shape", [np.zeros(39 * RATE), treatment(), bipolar(2.0), times(10) * 0.01]
)
def test_noise_is_found_whatever_the_signal_does(shape: Trace) -> None:
    rng = np.random.default_rng(6)
    steps = 1e-3 * (np.arange(shape.size) > shape.size // 2)
    found = noise(shape + steps + SIGMA * rng.standard_normal(shape.size))
    assert found == pytest.approx(SIGMA, rel=0.03)


def test_two_captures_do_not_share_their_noise() -> None:
    rng = np.random.default_rng(7)
    one, two = (
        steady(wave(4e-3 + SIGMA * rng.standard_normal(2 * RATE), gain=5e-4, hold=(0.0, 2.0)))
        for _ in range(2)
    )
    own = math.hypot(part(one, "noise").u, part(two, "noise").u)
    assert (one - two).u == pytest.approx(own, rel=1e-3)  # the gain that they share cancels
