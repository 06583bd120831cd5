"""A waveform's time base, its phases, and when it went off for good."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.capture import Accuracy, Capture, Source
from hil.decision import judge
from hil.errors import DimensionError, UsageError
from hil.exact import Dimension, Exact
from hil.measurement import Calibration
from hil.requirement import Kind, Knowledge, Limit, Requirement
from hil.units import V, uA
from hil.verdict import Verdict
from hil.waveform import Instant, Waveform

law = settings(derandomize=True, deadline=None, max_examples=60)
SOURCE = Source("ammeter", "SIM-1", Accuracy("SIM-1[10 mA]", 0, 0, "declared"), Calibration.VALID)
STEP = 0.5e-3
EVENT = Instant(1.0, 1e-3, "open")
OFF = Requirement(
    *("OFF", "stop", "off", "off", Limit(Kind.AT_MOST, Exact.parse("1 ms")), Dimension.TIME),
    *("project", "project", Knowledge.PROJECT),
)


def capture(samples: Any, start: float = 0.0, **other: Any) -> Capture:
    given_ = {"interval": STEP, "start_u": 2e-4, "dimension": Dimension.CURRENT, "source": SOURCE}
    return Capture(np.array(samples, float), start, **(given_ | other))


def current(*spans: tuple[float, float], end: float = 4.0, start: float = 0.0) -> Waveform:
    """2 mA within the spans of bench time, else zero."""
    t = start + np.arange(0, end - start, STEP)
    on = np.zeros(t.size, bool)
    for begin, finish in spans:
        on |= (t >= begin - 1e-9) & (t < finish - 1e-9)
    return Waveform(capture(np.where(on, 2e-3, 0.0), start))


# --- time to below -------------------------------------------------------------------------------


@law
@given(st.floats(1.001, 3.9), st.floats(0, 0.9))
def test_time_from_the_event_to_the_fall(fall: float, start: float) -> None:
    found = current((0, fall), start=start).time_to_below(10 * uA, after=EVENT)
    assert not found.censored
    assert abs(float(found.value) - (fall - 1.0)) <= STEP / 2 + 1e-9
    assert found.dimension is Dimension.TIME


def test_a_meter_that_may_err_at_the_level_widens_the_time() -> None:
    """A tail of 9 uA may be one of 11 uA on a meter that errs by 2 uA: then it never went off."""
    samples = np.concatenate((np.full(4000, 2e-3), np.full(4000, 9e-6)))
    coarse = Source("m", "S", Accuracy("S[10 mA]", 0, 2e-6, "declared"), Calibration.VALID)
    sure = Waveform(capture(samples)).time_to_below(10 * uA, after=EVENT)
    unsure = Waveform(capture(samples, source=coarse)).time_to_below(10 * uA, after=EVENT)
    assert float(unsure.value) == pytest.approx(float(sure.value))
    assert sure.u < 2e-3
    assert unsure.u == pytest.approx(2.0 / math.sqrt(3), rel=1e-2)


def test_it_covers_the_truth() -> None:
    falls = 2 + np.random.default_rng(1).uniform(0, 0.1, 200)
    found = [current((0, fall)).time_to_below(10 * uA, after=EVENT) for fall in falls]
    deviation = np.array([float(m.value) for m in found]) - (falls - 1)
    assert abs(deviation.mean()) < 5e-5
    assert np.mean(np.abs(deviation) <= 2 * found[0].u) >= 0.95
    sampling, event, recorder = STEP / math.sqrt(12), 1e-3, 2e-4
    assert found[0].u == pytest.approx(math.hypot(sampling, event, recorder))


def test_a_rise_after_a_reconnection_counts() -> None:
    wave = current((0, 1.1), (3.0, 3.2))
    assert float(wave.time_to_below(10 * uA, after=EVENT).value) == pytest.approx(2.2, abs=STEP)
    before = wave.time_to_below(10 * uA, after=EVENT, until=Instant(2.9, 0))
    assert float(before.value) == pytest.approx(0.1, abs=STEP)


def test_one_sample_that_rises_again_counts() -> None:
    wave = current((0, 1.1), (3.0, 3.0 + STEP))
    assert float(wave.time_to_below(10 * uA, after=EVENT).value) == pytest.approx(2.0, abs=2 * STEP)


def test_what_never_falls_is_censored_at_what_was_seen() -> None:
    found = current((0, 9)).time_to_below(10 * uA, after=EVENT)
    assert found.censored
    assert float(found.value) == pytest.approx(3.0, abs=2 * STEP)
    cut = current((0, 9)).time_to_below(10 * uA, after=EVENT, until=Instant(2.0, 0))
    assert cut.censored
    assert float(cut.value) == pytest.approx(1.0, abs=2 * STEP)


def test_what_was_below_from_the_start_took_no_time() -> None:
    found = current().time_to_below(10 * uA, after=EVENT)
    assert found.value == 0
    assert not found.censored


def test_a_negative_current_is_a_current() -> None:
    wave = current((0, 2))
    turned = Waveform(capture(-wave.samples))
    assert turned.time_to_below(10 * uA, after=EVENT).value > 0.9


@pytest.mark.parametrize("bad", [math.inf, -math.inf])
def test_an_overload_is_not_below(bad: float) -> None:
    samples = np.zeros(8000)
    samples[7000] = bad
    found = Waveform(capture(samples)).time_to_below(10 * uA, after=EVENT)
    assert float(found.value) == pytest.approx(7000.5 * STEP - 1, abs=1e-9)
    samples[-1] = bad
    assert Waveform(capture(samples)).time_to_below(10 * uA, after=EVENT).censored


@pytest.mark.parametrize("place", [4000, 7000, 7999])
def test_a_gap_after_the_fall_hides_when_it_was(place: int) -> None:
    """What was lost may have been above: no time is right, and judged it is no FAIL."""
    samples = np.where(np.arange(8000) < 3000, 2e-3, 0.0)
    samples[place] = math.nan
    found = Waveform(capture(samples)).time_to_below(10 * uA, after=EVENT)
    assert found.value.is_nan()
    assert "gap" in found.note
    judged = judge(OFF, found)
    assert judged.verdict is Verdict.ERROR
    whole = Waveform(capture(samples)).time_to_below(
        10 * uA, after=EVENT, until=Instant(place * STEP, 0)
    )
    assert whole.value.is_finite()


def test_a_gap_before_the_fall_hides_nothing() -> None:
    samples = np.where(np.arange(8000) < 3000, 2e-3, 0.0)
    whole = Waveform(capture(samples)).time_to_below(10 * uA, after=EVENT)
    samples[2500:2990] = math.nan
    found = Waveform(capture(samples)).time_to_below(10 * uA, after=EVENT)
    assert found.value == whole.value
    assert found.u == pytest.approx(whole.u)


def test_at_most_includes_the_level_itself() -> None:
    wave = Waveform(capture(np.full(8000, 1e-5)))
    assert not wave.time_to_below(10 * uA, after=EVENT).censored
    assert wave.time_to_below(9.999 * uA, after=EVENT).censored


@pytest.mark.parametrize(("after", "until"), [(1.0, 5.0), (5.0, None), (-1.0, None)])
def test_what_the_record_does_not_hold_is_not_measured(after: float, until: float | None) -> None:
    end = None if until is None else Instant(until, 0)
    found = current((0, 2)).time_to_below(10 * uA, after=Instant(after, 0), until=end)
    assert found.value.is_nan()


def test_a_level_of_another_dimension_is_refused() -> None:
    with pytest.raises(DimensionError):
        current().time_to_below(1 * V, after=EVENT)
    with pytest.raises(DimensionError):
        current().time_to_below(Exact.parse("1 V"), after=EVENT)


def test_what_two_captures_do_not_share_does_not_cancel() -> None:
    one = current((0, 2)).time_to_below(10 * uA, after=EVENT)
    two = current((0, 3)).time_to_below(10 * uA, after=EVENT)
    assert (one - two).u == pytest.approx(math.hypot(one.u, two.u))


def test_what_one_capture_shares_cancels() -> None:
    wave = current((0, 1.5), (2, 2.5))
    early = wave.time_to_below(10 * uA, after=EVENT, until=Instant(1.9, 0))
    late = wave.time_to_below(10 * uA, after=EVENT)
    assert (late - early).u == pytest.approx(STEP / math.sqrt(12) * math.sqrt(2))


# --- time base and phases ------------------------------------------------------------------------


@law
@given(st.floats(-2, 2), st.integers(1, 50), st.floats(-3, 3), st.floats(-3, 3))
def test_between_takes_the_samples_of_a_half_open_span(
    start: float, count: int, begin: float, end: float
) -> None:
    wave = Waveform(capture(np.arange(count), start, interval=0.1))
    moments = start + 0.1 * np.arange(count)
    if np.any(np.abs(moments - begin) < 1e-6) or np.any(np.abs(moments - end) < 1e-6):
        return
    expected = np.flatnonzero((moments >= begin) & (moments < end))
    assert wave.between(begin, end).tolist() == expected.tolist()


def test_a_sample_at_its_very_time_is_taken() -> None:
    wave = Waveform(capture(np.arange(100_000), 0.3))
    for place in (0, 1, 7, 99_999):
        assert wave.index(0.3 + place * STEP) == place


@law
@given(st.floats(-3, 3), st.floats(0, 3), st.integers(1, 3))
def test_pieces_of_a_record_make_the_whole(begin: float, length: float, pieces: int) -> None:
    wave = current((0, 2))
    edges = [begin + length * n / pieces for n in range(pieces + 1)]
    parts = [wave.between(a, b) for a, b in itertools.pairwise(edges)]
    assert np.array_equal(np.concatenate(parts), wave.between(edges[0], edges[-1]))


def test_what_a_record_holds() -> None:
    wave = current((0, 2), start=1.0)  # 1 s to 4 s
    assert wave.holds(1.0, 4.0)
    assert wave.holds(1.0 - STEP / 2, 4.0 + STEP / 2)
    assert not wave.holds(1.0 - 2 * STEP, 4.0)
    assert not wave.holds(1.0, 4.0 + 2 * STEP)


def test_a_phase_begins_at_its_first_span() -> None:
    wave = Waveform(capture(np.zeros(10)), {"hold": ((2.0, 3.0), (5.0, 6.0))})
    assert wave.begin("hold") == Instant(2.0, 0.0, "hold")


def test_an_unknown_phase_is_refused_by_name() -> None:
    wave = Waveform(capture(np.zeros(10)), {"hold": ((0.0, 1.0),)})
    assert wave.phase("hold") == ((0.0, 1.0),)
    with pytest.raises(UsageError, match="no phase 'rest'; it has: hold"):
        wave.phase("rest")
    with pytest.raises(UsageError, match="it has: none"):
        Waveform(capture(np.zeros(10))).phase("hold")


# --- captures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval", [0.0, -1e-3, math.nan, math.inf])
def test_a_capture_needs_a_time_base(interval: float) -> None:
    with pytest.raises(UsageError, match="positive interval"):
        capture(np.zeros(10), interval=interval)


def test_a_capture_is_one_row_that_nobody_changes() -> None:
    with pytest.raises(UsageError):
        capture(np.zeros((2, 5)))
    with pytest.raises(ValueError, match="read-only"):
        capture(np.zeros(10)).samples[0] = 1


@pytest.mark.parametrize("gap", [(2, 3), (8, 5), (-2, 2)])
def test_a_gap_whose_samples_look_measured_is_refused(gap: tuple[int, int]) -> None:
    with pytest.raises(UsageError, match="must be NaN"):
        capture(np.zeros(10), gaps=(gap,))
    samples = np.full(10, math.nan)
    samples[5:8] = 0
    for good in ((2, 3), (0, 5), (8, 2)):
        assert capture(samples, gaps=(good,)).gaps == (good,)
    for wrong in ((8, 5), (-2, 2), (2, 4)):
        with pytest.raises(UsageError, match="must be NaN"):
            capture(samples, gaps=(wrong,))


def test_the_hash_follows_samples_and_time_base() -> None:
    base = capture(np.zeros(10))
    others = [
        capture(np.r_[np.zeros(9), 1e-300]),
        capture(np.zeros(11)),
        capture(np.zeros(10), 1e-9),
        capture(np.zeros(10), interval=STEP * (1 + 1e-12)),
        capture(np.zeros(10), dimension=Dimension.VOLTAGE),
    ]
    assert capture(np.zeros(10)).sha256 == base.sha256
    assert len({each.sha256 for each in [base, *others]}) == 6
