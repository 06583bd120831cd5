"""Statements about the sign of a waveform, on waveforms of known sign."""

import math

import numpy as np
import pytest

from hil.capture import Accuracy, Capture, Source
from hil.decision import judge
from hil.device import Polarity
from hil.errors import DimensionError, UsageError
from hil.exact import Dimension
from hil.measurement import Calibration
from hil.requirement import Kind, Knowledge, Limit, Requirement
from hil.signs import has_sign, keeps_sign, rest_between, set_or_off
from hil.units import V, mA, uA
from hil.verdict import Verdict
from hil.waveform import Instant, Waveform

RATE = 1000
SOURCE = Source("ammeter", "SIM-1", Accuracy("a", 0.0005, 2e-6, "sheet"), Calibration.VALID)
TRUE = Requirement(
    "X-1",
    "x",
    "x",
    "x",
    Limit(Kind.TRUE),
    Dimension.TRUTH,
    "project",
    "project",
    Knowledge.PROJECT,
)


def wave(samples, **phases):
    data = np.asarray(samples, dtype=float)
    capture = Capture(data, 0.0, 1 / RATE, 1e-4, Dimension.CURRENT, SOURCE)
    return Waveform(capture, phases or {"hold": ((0.0, len(data) / RATE),)})


def held(level, seconds=4, noise=1e-7):
    generator = np.random.default_rng(1)
    return level + noise * generator.standard_normal(round(seconds * RATE))


@pytest.mark.parametrize(
    ("level", "polarity", "verdict"),
    [
        (2e-3, Polarity.POSITIVE, Verdict.PASS),
        (-2e-3, Polarity.NEGATIVE, Verdict.PASS),
        (-2e-3, Polarity.POSITIVE, Verdict.FAIL),
        (2e-3, Polarity.NEGATIVE, Verdict.FAIL),
        (1e-6, Polarity.POSITIVE, Verdict.ERROR),  # within its uncertainty of zero
        (-1e-6, Polarity.POSITIVE, Verdict.ERROR),
        (math.nan, Polarity.POSITIVE, Verdict.ERROR),
        (math.inf, Polarity.POSITIVE, Verdict.ERROR),
    ],
)
def test_the_sign_of_a_hold(level, polarity, verdict):
    assert judge(TRUE, has_sign(wave(held(level)), polarity)).verdict is verdict


def test_a_phase_that_was_not_recorded_has_no_sign():
    found = has_sign(wave(held(2e-3), hold=((0.0, 9.0),)), Polarity.POSITIVE)
    assert judge(TRUE, found).verdict is Verdict.ERROR
    assert "no sign in the mean over hold" in found.note
    with pytest.raises(UsageError, match="no phase 'hold'"):
        has_sign(wave(held(2e-3), after=((0.0, 1.0),)), Polarity.POSITIVE)


def test_a_sign_cites_its_capture():
    made = wave(held(2e-3))
    assert has_sign(made, Polarity.POSITIVE).captures == (made.capture.sha256,)


def excursion(level):
    data = held(2e-3)
    data[3000:3010] = level
    return wave(data)


@pytest.mark.parametrize(
    ("level", "polarity", "verdict"),
    [
        (-9e-6, Polarity.POSITIVE, Verdict.PASS),
        (-11e-6, Polarity.POSITIVE, Verdict.FAIL),
        (0.0, Polarity.NEGATIVE, Verdict.FAIL),  # all the rest is positive
        (math.nan, Polarity.POSITIVE, Verdict.ERROR),
        (-math.inf, Polarity.POSITIVE, Verdict.ERROR),
    ],
)
def test_nothing_flows_against_a_polarity(level, polarity, verdict):
    found = keeps_sign(excursion(level), polarity, 10 * uA, after=Instant(0.0, 1e-3))
    assert judge(TRUE, found).verdict is verdict


def test_only_the_window_counts():
    made = excursion(-1e-3)
    before = keeps_sign(
        made, Polarity.POSITIVE, 10 * uA, after=Instant(0.0, 1e-3), until=Instant(2.9, 1e-3)
    )
    behind = keeps_sign(made, Polarity.POSITIVE, 10 * uA, after=Instant(3.2, 1e-3))
    across = keeps_sign(
        made, Polarity.POSITIVE, 10 * uA, after=Instant(2.9, 1e-3), until=Instant(3.2, 1e-3)
    )
    verdicts = [judge(TRUE, found).verdict for found in (before, behind, across)]
    assert verdicts == [Verdict.PASS, Verdict.PASS, Verdict.FAIL]


def test_a_window_without_samples_decides_nothing():
    found = keeps_sign(wave(held(2e-3)), Polarity.POSITIVE, 10 * uA, after=Instant(9.0, 1e-3))
    assert judge(TRUE, found).verdict is Verdict.ERROR


def test_the_floor_has_the_dimension_of_the_waveform():
    with pytest.raises(DimensionError):
        keeps_sign(wave(held(2e-3)), Polarity.POSITIVE, 1 * V, after=Instant(0.0, 1e-3))
    with pytest.raises(DimensionError):
        rest_between(wave(held(2e-3)), 1e-5)


def opposite(rest, *, middle=0.0):
    pause = np.full(round(rest * RATE), middle)
    return wave(np.concatenate((held(2e-3), pause, held(-2e-3))))


@pytest.mark.parametrize("rest", [0.0, 0.05, 1.5])
def test_the_rest_between_opposite_signs(rest):
    found = rest_between(opposite(rest), 10 * uA)
    assert found.dimension is Dimension.TIME
    assert float(found.value) == pytest.approx(rest, abs=1.5 / RATE)
    assert found.components


def test_the_shortest_rest_is_found():
    parts = (held(1e-3), np.zeros(2000), held(-1e-3), np.zeros(300), held(1e-3))
    found = rest_between(wave(np.concatenate(parts)), 10 * uA)
    assert float(found.value) == pytest.approx(0.3, abs=2e-3)


def test_a_glitch_within_the_rest_shortens_it():
    data = np.concatenate((held(2e-3), np.zeros(2000), held(-2e-3)))
    data[5900] = 50e-6  # 100 ms before the reversal current still flows
    assert float(rest_between(wave(data), 10 * uA).value) == pytest.approx(0.1, abs=2e-3)
    assert float(rest_between(wave(data), 1 * mA).value) == pytest.approx(2.0, abs=2e-3)


@pytest.mark.parametrize(
    "data",
    [held(2e-3), np.zeros(1000), np.concatenate((held(2e-3), [math.nan], held(-2e-3)))],
    ids=["one sign", "nothing", "gap"],
)
def test_without_a_change_of_sign_there_is_no_rest(data):
    assert not rest_between(wave(data), 10 * uA).value.is_finite()


@pytest.mark.parametrize("state", [Calibration.EXPIRED, Calibration.UNKNOWN, Calibration.DISPUTED])
def test_a_sign_is_worth_as_much_as_its_meter(state):
    source = Source("ammeter", "SIM-1", Accuracy("a", 5e-4, 2e-6, "sheet"), state)
    capture = Capture(np.full(4000, 1e-3), 0.0, 1e-3, 1e-4, Dimension.CURRENT, source)
    wave = Waveform(capture, {"hold": ((0.0, 4.0),)})
    start = Instant(1.0, 0.0)
    for seen in (
        has_sign(wave, Polarity.POSITIVE),
        keeps_sign(wave, Polarity.POSITIVE, 10 * uA, after=start),
    ):
        assert seen.value == 1
        assert (seen.calibration, seen.instruments) == (state, ("SIM-1",))


def test_a_sign_beyond_the_record_is_not_known():
    source = Source("ammeter", "SIM-1", Accuracy("a", 5e-4, 2e-6, "sheet"), Calibration.VALID)
    capture = Capture(np.full(4000, 1e-3), 0.0, 1e-3, 1e-4, Dimension.CURRENT, source)
    late = {"after": Instant(1.0, 0.0), "until": Instant(9.0, 0.0)}
    seen = keeps_sign(Waveform(capture), Polarity.POSITIVE, 10 * uA, **late)
    assert seen.value.is_nan()


@pytest.mark.parametrize(
    ("level", "holds"),
    [(2e-3, True), (-2e-3, True), (2.05e-3, True), (2.2e-3, False), (1e-3, False), (5e-6, True)],
)
def test_a_current_is_as_set_or_off(level, holds):
    window = {"after": Instant(0.5, 0.0), "until": Instant(3.5, 0.0)}
    found = set_or_off(wave(held(level)), 2 * mA, 0.1 * mA, 10 * uA, **window)
    assert bool(found.value) is holds


def test_what_rises_out_of_off_for_a_moment_is_not_off():
    window = {"after": Instant(0.5, 0.0), "until": Instant(3.5, 0.0)}
    samples = held(0.0)
    samples[samples.size // 2] = 50e-6
    assert not set_or_off(wave(samples), 2 * mA, 0.1 * mA, 10 * uA, **window).value
    lost = np.full(samples.size, math.nan)
    assert set_or_off(wave(lost), 2 * mA, 0.1 * mA, 10 * uA, **window).value.is_nan()
