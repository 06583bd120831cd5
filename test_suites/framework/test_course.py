"""The course of a current: ripple, ramp time, falls, time above a level, density."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest

from framework.test_features import RATE, SIGMA, instant, times, wave
from hil.course import density, largest_fall, longest_above, ramp_time, ripple
from hil.decision import judge
from hil.derivation import Sources, walked
from hil.device import Polarity
from hil.exact import Dimension, Exact
from hil.requirement import Kind, Knowledge, Limit, Requirement
from hil.verdict import Verdict
from hil.waveform import Waveform
from hil_fixtures.judging import describe

HOLD = (0.0, 10.0)
WITHIN = Requirement(
    "RAMP-TIME", "ramping", "Time", "A ramp takes its time.",
    Limit(Kind.WITHIN, relative=Decimal("0.01")), Dimension.TIME, "project", "project",
    Knowledge.PROJECT,
)  # fmt: skip


def held(amplitude: float, hertz: float, seed: int = 0, sigma: float = SIGMA) -> Waveform:
    """4 mA for 10 s with a sine on it and noise, as a meter samples that does not integrate."""
    t = times(10)
    rng = np.random.default_rng(seed)
    shape = 4e-3 + amplitude * np.sin(2 * np.pi * hertz * t + 0.3)
    return wave(shape + sigma * rng.standard_normal(t.size), hold=HOLD)


@pytest.mark.parametrize("hertz", [20.0, 100.5, 400.0, 700.0])
def test_a_ripple_is_told_from_noise_from_peak_to_peak(hertz: float) -> None:
    found = ripple(held(20e-6, hertz))
    assert float(found.value) == pytest.approx(40e-6, abs=2 * found.u)
    assert float(found.expanded) < 0.5 * 40e-6


@pytest.mark.parametrize("hertz", [50.0, 400.0])
def test_a_meter_that_integrates_shows_it_smaller_and_the_budget_knows(hertz: float) -> None:
    shown = float(np.sinc(hertz / RATE))
    found = ripple(held(20e-6 * shown, hertz))
    assert float(found.value) == pytest.approx(40e-6, abs=2 * found.u)


def test_white_noise_and_drift_are_no_ripple() -> None:
    values = [ripple(held(0.0, 400.0, seed=n)) for n in range(60)]
    assert max(float(each.value) for each in values) < 0.6 * SIGMA
    assert np.mean([float(m.value) <= 2 * m.u for m in values]) >= 0.9
    drifting = held(0.0, 1.0).samples + np.linspace(0, 1e-4, 10 * RATE)
    assert float(ripple(wave(drifting, hold=HOLD)).value) < SIGMA
    slow = held(1e-4, 0.2)
    assert float(ripple(slow).value) < 3e-6


def test_a_ripple_needs_a_whole_hold() -> None:
    samples = held(0.0, 1.0).samples.copy()
    samples[5 * RATE] = math.nan
    assert ripple(wave(samples, hold=HOLD)).value.is_nan()
    assert ripple(wave(samples[: RATE // 2], hold=(0.0, 0.25))).value.is_nan()


def test_the_longest_time_above_a_level_is_one_without_a_break() -> None:
    t = times(4)
    samples = np.zeros(t.size)
    samples[(t >= 1) & (t < 1.2)] = 6e-3
    samples[(t >= 2) & (t < 2.5)] = -6e-3
    level = Exact.parse("5 mA")
    assert float(longest_above(wave(samples), level).value) == pytest.approx(0.5)
    first = longest_above(wave(samples), level, until=instant(1.5))
    assert float(first.value) == pytest.approx(0.2)
    assert float(longest_above(wave(samples), Exact.parse("6 mA")).value) == 0
    samples[(t >= 3) & (t < 3.7)] = math.inf
    assert float(longest_above(wave(samples), level).value) == pytest.approx(0.7)
    samples[0] = math.nan
    assert longest_above(wave(samples), level).value.is_nan()


def test_how_a_meter_errs_at_the_level_is_in_the_time_above_it() -> None:
    t = times(4)
    samples = np.interp(t, [0, 2, 4], [0, 10e-3, 0])  # 5 mA/s: 1 uA is 0.2 ms on either side
    exact = longest_above(wave(samples), Exact.parse("5 mA"))
    assert float(exact.value) == pytest.approx(2.0, abs=1e-3)
    vague = longest_above(wave(samples, offset=1e-4), Exact.parse("5 mA"))
    assert vague.u == pytest.approx(2 * 1e-4 / math.sqrt(3) * 2 / 5e-3 / math.sqrt(3), rel=0.1)


def rise(seconds: float, amperes: float = 4e-3, seed: int = 0) -> Waveform:
    t = times(41)
    shape = np.interp(t, [0, 1, 1 + seconds], [0, 0, amperes])
    noise = SIGMA * np.random.default_rng(seed).standard_normal(t.size)
    spans = {"ramp up": (1.0, 31.0), "hold": (31.0, 40.0)}
    return wave(shape + noise, **spans)


@pytest.mark.parametrize("seconds", [30.0, 27.7, 30.3])
@pytest.mark.parametrize("amperes", [4e-3, -3.8e-3, 0.1e-3])
def test_a_ramp_is_timed_whatever_it_leads_to(seconds: float, amperes: float) -> None:
    found = ramp_time(rise(seconds, amperes))
    assert float(found.value) == pytest.approx(seconds, abs=2 * found.u + 1e-3)
    assert float(found.expanded) < 0.01 * seconds


def test_an_offset_of_the_meter_is_in_the_time_of_a_ramp() -> None:
    shape, offset = rise(30.0).samples, 4e-6
    spans = {"ramp up": (1.0, 31.0), "hold": (31.0, 40.0)}
    for sign in (1, -1):
        found = ramp_time(wave(sign * shape + offset, offset=offset, **spans))
        off = float(found.value) - 30.0
        assert off == pytest.approx(30 * sign * offset / 4e-3, rel=0.05)
        assert abs(off) <= 2 * found.u


def test_a_current_that_jumps_takes_no_time() -> None:
    t = times(41)
    spans = {"ramp up": (1.0, 31.0), "hold": (31.0, 40.0)}
    jump = wave(np.where(t < 1.01, 0.0, -4e-3), **spans)
    found = ramp_time(jump)
    assert abs(float(found.value)) < 1e-3
    assert "no ramp" in found.note
    judged = judge(WITHIN, found, Exact.parse("30 s"))
    assert judged.verdict is Verdict.FAIL
    assert "no ramp: the current jumped" in describe(judged)


@pytest.mark.parametrize("hold", [(31.0, 40.0), None])
def test_a_ramp_that_leads_to_nothing_is_not_over_at_the_end_of_the_record(hold) -> None:
    t = times(41)
    tripped = np.interp(t, [0, 1, 16, 16.001], [0, 0, 2e-3, 0])
    spans = {"ramp up": (1.0, 31.0)} | ({"hold": hold} if hold else {})
    noisy = tripped + SIGMA * np.random.default_rng(2).standard_normal(t.size)
    found = ramp_time(wave(noisy, **spans))
    assert found.censored
    assert float(found.value) == pytest.approx(40.0)
    judged = judge(WITHIN, found, Exact.parse("30 s"))
    assert judged.verdict is Verdict.FAIL
    assert "no steady current was reached in the 40 s after the start" in describe(judged)


def test_what_flowed_before_the_ramp_or_was_lost_is_no_time_of_it() -> None:
    t = times(41)
    spans = {"ramp up": (1.0, 31.0), "hold": (31.0, 40.0)}
    assert ramp_time(wave(np.full(t.size, 4e-3), **spans)).value.is_nan()
    lost = rise(30.0).samples.copy()
    lost[20 * RATE] = math.nan
    assert ramp_time(wave(lost, **spans)).value.is_nan()
    lost[30 * RATE :] = 0.0  # nothing flows in the hold, and the gap may hide why
    assert ramp_time(wave(lost, **spans)).value.is_nan()


def test_a_fall_is_counted_from_what_was_reached_along_the_polarity() -> None:
    t = times(10)
    shape = np.interp(t, [0, 4, 5, 10], [0, 2e-3, 1.9e-3, 4e-3])
    found = largest_fall(wave(shape), Polarity.POSITIVE)
    assert float(found.value) == pytest.approx(0.1e-3, rel=0.02)
    against = largest_fall(wave(-shape), Polarity.NEGATIVE)
    assert float(against.value) == pytest.approx(0.1e-3, rel=0.02)
    steady = np.interp(t, [0, 9, 10], [0, 4e-3, 4e-3])
    noisy = steady + SIGMA * np.random.default_rng(1).standard_normal(t.size)
    assert float(largest_fall(wave(noisy), Polarity.POSITIVE).value) < 3 * SIGMA


def test_a_density_is_the_steady_current_over_the_area() -> None:
    found = density(held(0.0, 1.0), Exact.parse("10 cm^2"))
    assert float(found.exact.to("mA/cm^2").magnitude) == pytest.approx(0.4, rel=1e-3)
    assert found.dimension is Dimension.CURRENT_DENSITY
    steady_u = density(held(0.0, 1.0), Exact.parse("1 m^2")).u
    assert found.u == pytest.approx(steady_u / 1e-3)


def test_what_does_not_flow_has_no_ripple_and_no_density():
    idle = wave(SIGMA * np.random.default_rng(3).standard_normal(10 * RATE), hold=HOLD, offset=1e-6)
    assert ripple(idle).value.is_nan()
    assert density(idle, Exact.parse("10 cm^2")).value.is_nan()


def test_each_can_be_measured_again_from_its_capture() -> None:
    record = rise(30.0)
    sources = Sources(lambda _: record.capture)
    for found in (
        ripple(record),
        longest_above(record, Exact.parse("2 mA"), after=instant(1.0)),
        ramp_time(record),
        largest_fall(record, Polarity.POSITIVE),
        density(record, Exact.parse("10 cm^2")),
    ):
        assert found.derivation is not None
        assert walked(found.derivation, sources) == found
