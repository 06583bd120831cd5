"""Envelopes over time: against closed forms, at their corners, and how the event's time counts."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from hil.capture import Accuracy, Capture, Source
from hil.decision import Judgement, judge
from hil.derivation import Sources, walked, written
from hil.errors import DimensionError, UsageError
from hil.exact import Dimension, Exact
from hil.features import mean, outside
from hil.mask import Mask, Point
from hil.measurement import Calibration, Measurement
from hil.requirement import Kind, Knowledge, Limit, Requirement
from hil.units import s
from hil.verdict import Verdict
from hil.waveform import Instant, Waveform
from hil_fixtures.judging import Judge

Trace = npt.NDArray[np.float64]
STEP = 1e-3
START = Instant(1.0, 0.0, "start")


def exact(text: str | None) -> Exact | None:
    return None if text is None else Exact.parse(text)


def mask(*points: tuple[str, str | None, str | None]) -> Mask:
    return Mask(tuple(Point(Exact.parse(t), exact(low), exact(high)) for t, low, high in points))


RAMP = mask(("0 s", "-0.1 mA", "0.1 mA"), ("2 s", "3.9 mA", "4.1 mA"), ("4 s", "3.9 mA", "4.1 mA"))
"""4 mA in 2 s, then held for 2 s, within 0.1 mA."""


def times(seconds: float = 6.0) -> Trace:
    return np.arange(0, seconds, STEP)


def ideal(t: Trace) -> Trace:
    return np.interp(t, [1, 3], [0, 4e-3])


def wave(
    samples: Trace, *, gain: float = 0.0, offset: float = 0.0, start_u: float = 0.0
) -> Waveform:
    source = Source("a", "S", Accuracy("S[10 mA]", gain, offset, "declared"), Calibration.VALID)
    return Waveform(Capture(samples.copy(), 0.0, STEP, start_u, Dimension.CURRENT, source))


def excess(found: Measurement) -> float:
    return float(found.value)


# --- the worst excess ----------------------------------------------------------------------------


def test_inside_it_is_the_distance_to_the_nearer_side() -> None:
    assert excess(outside(wave(ideal(times())), RAMP, after=START)) == pytest.approx(-1e-4)
    high = outside(wave(ideal(times()) + 3e-5), RAMP, after=START)
    assert excess(high) == pytest.approx(-7e-5)
    low = outside(wave(ideal(times()) - 3e-5), RAMP, after=START)
    assert excess(low) == pytest.approx(-7e-5)


@pytest.mark.parametrize(("sign", "side"), [(+1, "above"), (-1, "below")])
@pytest.mark.parametrize("at", [1.0, 1.7, 3.0, 3.5, 5.0])
def test_one_excursion_is_found_where_it_is(sign: int, side: str, at: float) -> None:
    samples = ideal(times())
    samples[round(at / STEP)] += sign * 5e-4
    found = outside(wave(samples), RAMP, after=START)
    assert excess(found) == pytest.approx(4e-4)
    assert f"{side} the envelope, {at - 1:.4g} s after start" in found.note


@pytest.mark.parametrize("at", [0.999, 5.001])
def test_what_lies_before_and_behind_the_mask_is_free(at: float) -> None:
    samples = ideal(times())
    samples[round(at / STEP)] += 1.0
    assert excess(outside(wave(samples), RAMP, after=START)) == pytest.approx(-1e-4)


def test_a_side_that_is_not_given_bounds_nothing() -> None:
    upper = mask(("0 s", None, "5 mA"), ("4 s", None, "5 mA"))
    assert excess(outside(wave(ideal(times()) - 1), upper, after=START)) == pytest.approx(-1.001)
    lower = mask(("0 s", "-1 mA", None), ("4 s", "-1 mA", None))
    assert excess(outside(wave(ideal(times()) + 1), lower, after=START)) == pytest.approx(-1.001)


def test_at_a_step_of_the_mask_both_limits_hold() -> None:
    off = mask(
        ("0 s", None, "5 mA"), ("2 s", None, "5 mA"), ("2 s", None, "10 uA"), ("4 s", None, "10 uA")
    )
    fallen = np.where(times() < 3.0 - STEP / 2, 4e-3, 0.0)  # off at the sample of the step
    assert excess(outside(wave(fallen), off, after=START)) == pytest.approx(-1e-5)
    late = np.where(times() < 3.0 + STEP / 2, 4e-3, 0.0)  # one sample later
    assert excess(outside(wave(late), off, after=START)) == pytest.approx(4e-3 - 1e-5)


def test_a_negative_time_lies_before_the_event() -> None:
    rest = mask(("-1 s", "-1 uA", "1 uA"), ("0 s", "-1 uA", "1 uA"))
    samples = ideal(times())
    assert excess(outside(wave(samples), rest, after=START)) == pytest.approx(-1e-6)
    samples[200] = 5e-6
    assert excess(outside(wave(samples), rest, after=START)) == pytest.approx(4e-6)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_lost_sample_decides_nothing(bad: float) -> None:
    samples = ideal(times())
    samples[2500] = bad
    assert outside(wave(samples), RAMP, after=START).value.is_nan()


def test_a_record_that_does_not_hold_the_mask_decides_nothing() -> None:
    short = outside(wave(ideal(times(4.9))), RAMP, after=START)
    assert short.value.is_nan()
    judged = judge(bounded(RAMP), short)
    assert judged.verdict is Verdict.ERROR
    assert "the envelope reaches from 1 s to 5 s, the record from 0 s to 4.9 s" in judged.reason
    assert outside(wave(ideal(times())), RAMP, after=Instant(-0.1, 0.0)).value.is_nan()


def test_a_piece_between_two_samples_decides_nothing() -> None:
    short = mask(
        ("0 s", None, "5 mA"), ("1.0002 s", None, "5 mA"), ("1.0008 s", None, "1 uA"),
        ("2 s", None, "5 mA"),
    )  # fmt: skip
    assert outside(wave(ideal(times())), short, after=START).value.is_nan()


def test_a_mask_of_another_dimension_is_refused() -> None:
    volts = mask(("0 s", None, "1 V"), ("1 s", None, "1 V"))
    with pytest.raises(UsageError, match="mask of voltage was held against a current"):
        outside(wave(ideal(times())), volts, after=START)


# --- its budget ----------------------------------------------------------------------------------


def test_the_meters_limits_of_error_count_with_the_side() -> None:
    samples = ideal(times())
    samples[2000] += 5e-4
    found = outside(wave(samples, gain=1e-3, offset=1e-6), RAMP, after=START)
    gain, offset = found.components[:2]
    assert gain.contribution == pytest.approx(1e-3 / math.sqrt(3) * samples[2000])
    assert offset.contribution == pytest.approx(1e-6 / math.sqrt(3))
    samples[2000] -= 1e-3
    gain, offset = outside(wave(samples, gain=1e-3, offset=1e-6), RAMP, after=START).components[:2]
    assert gain.contribution == pytest.approx(-1e-3 / math.sqrt(3) * samples[2000])
    assert offset.contribution == pytest.approx(-1e-6 / math.sqrt(3))


def test_beside_a_slope_of_the_mask_the_time_of_the_event_counts() -> None:
    """2 mA/s: 5 ms of standard uncertainty are 10 uA."""
    samples = ideal(times())
    late = outside(wave(samples), RAMP, after=Instant(1.0, 5e-3, "start"))
    assert late.u == pytest.approx(1e-5, rel=1e-2)
    both = outside(wave(samples, start_u=5e-3), RAMP, after=Instant(1.0, 5e-3, "start"))
    assert both.u == pytest.approx(math.sqrt(2) * 1e-5, rel=1e-2)
    flat = mask(("2.5 s", "3.9 mA", "4.1 mA"), ("3.5 s", "3.9 mA", "4.1 mA"))
    assert outside(wave(samples), flat, after=Instant(1.0, 5e-3)).u == pytest.approx(0, abs=1e-12)


def test_beside_a_step_of_the_mask_an_uncertain_event_decides_nothing() -> None:
    off = mask(
        ("0 s", None, "5 mA"), ("2 s", None, "5 mA"), ("2 s", None, "10 uA"), ("4 s", None, "10 uA")
    )
    near = np.where(times() < 2.995, 4e-3, 0.0)  # off 5 ms before it must be
    sure = judge(bounded(off), outside(wave(near), off, after=Instant(1.0, 1e-4)))
    unsure = judge(bounded(off), outside(wave(near), off, after=Instant(1.0, 5e-3)))
    assert (sure.verdict, unsure.verdict) == (Verdict.PASS, Verdict.INCONCLUSIVE)


def test_it_covers_the_truth() -> None:
    """Noise, an event that is known to 5 ms, and a meter that may err: U holds in 95 %."""
    generator = np.random.default_rng(5)
    held = 0
    for _ in range(300):
        offset = generator.uniform(-1e-6, 1e-6)
        moved = generator.normal(0.0, 5e-3)
        truth = 2.5e-5 - 1e-4  # 25 uA above the ideal course, in the middle of the ramp
        shape = ideal(times()) + np.where((times() > 1.4) & (times() < 2.6), 2.5e-5, 0.0)
        noisy = shape + offset + 1e-6 * generator.standard_normal(shape.size)
        event = Instant(1.0 + moved, 5e-3, "start")
        found = outside(wave(noisy, offset=1e-6), RAMP, after=event)
        held += abs(excess(found) - truth) <= 2 * found.u
    assert held >= 285


def test_noise_is_taken_off() -> None:
    generator = np.random.default_rng(2)
    off = [
        outside(wave(ideal(times()) + 1e-6 * generator.standard_normal(6000)), RAMP, after=START)
        for _ in range(50)
    ]
    assert np.mean([excess(found) for found in off]) == pytest.approx(-1e-4, abs=1e-6)
    assert all(found.raw is not None and found.raw > found.value for found in off)


# --- as a requirement ----------------------------------------------------------------------------


def bounded(limits: Mask) -> Requirement:
    return Requirement(
        "ENV", "s", "t", "t", Limit(Kind.ENVELOPE, mask=limits), Dimension.CURRENT, "project",
        "here", Knowledge.PROJECT,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("raised", "verdict"),
    [
        (0.0, Verdict.PASS),
        (9.7e-5, Verdict.PASS),
        (9.9e-5, Verdict.INCONCLUSIVE),
        (1.001e-4, Verdict.FAIL),
    ],
)
def test_the_worst_excess_is_judged_against_nothing_with_its_guard_band(
    raised: float, verdict: Verdict
) -> None:
    found = outside(wave(ideal(times()) + raised, offset=1.5e-6), RAMP, after=START)
    judgement = judge(bounded(RAMP), found)
    assert judgement.verdict is verdict
    assert (judgement.lower, judgement.upper) == (None, Decimal(0))
    assert judgement.share is None


WIDE = mask(("0 s", None, "1 A"), ("1 s", None, "1 A"))
NEGATIVE = mean(wave(-ideal(times())))
STRANGERS = {
    "another mask": outside(wave(ideal(times())), WIDE, after=START),
    "negated": -outside(wave(ideal(times())), RAMP, after=START),
    "mean": NEGATIVE,
    "reading": replace(NEGATIVE, derivation=None),
    "forged": replace(NEGATIVE, derivation={"feature": "outside"}),
    "another feature": replace(
        NEGATIVE, derivation={"feature": "mine:lowest", "given": {"mask": written(RAMP)}}
    ),
    "forged mask": replace(NEGATIVE, derivation={"feature": "outside", "given": {"mask": 1}}),
    "waveform": wave(ideal(times())),
    "nothing": None,
    "true": True,
}


@pytest.mark.parametrize("thing", STRANGERS.values(), ids=STRANGERS)
def test_nothing_else_is_judged_by_an_envelope(thing: object) -> None:
    """A negative mean would lie below 0, and pass."""
    judgement = judge(bounded(RAMP), thing)
    assert judgement.verdict is Verdict.ERROR
    assert "takes its waveform and at=<the event>" in judgement.reason


# --- the author's API ----------------------------------------------------------------------------


def judged(thing: object, at: Any, limits: Mask = RAMP) -> Judgement:
    journal: list[Judgement] = []
    author = Judge("m:t", {"ENV": bounded(limits)}, journal.append, frozenset({"ENV"}))
    found = author("ENV", thing, at=at)
    assert journal == [found]
    return found


def test_an_author_judges_a_waveform_after_an_event() -> None:
    found = judged(wave(ideal(times()), offset=1e-6), START)
    assert found.verdict is Verdict.PASS
    assert found.at is None
    assert found.measured == outside(wave(ideal(times()), offset=1e-6), RAMP, after=START)


@pytest.mark.parametrize("at", [None, 1.0, Exact.parse("1 s"), 1 * s])
def test_without_an_event_a_waveform_is_an_error(at: object) -> None:
    assert judged(wave(ideal(times())), at).verdict is Verdict.ERROR


def test_a_waveform_of_another_dimension_is_an_error() -> None:
    volts = mask(("0 s", None, "1 V"), ("1 s", None, "1 V"))
    limit = Limit(Kind.ENVELOPE, mask=volts)
    of_volts = replace(bounded(RAMP), limit=limit, dimension=Dimension.VOLTAGE)
    author = Judge("m:t", {"ENV": of_volts}, lambda found: None, frozenset())
    assert author("ENV", wave(ideal(times())), at=START).verdict is Verdict.ERROR


def test_an_event_in_place_of_a_value_is_an_error() -> None:
    limit = Limit(Kind.WITHIN, Exact.parse("1 A"))
    within = {"ENV": replace(bounded(RAMP), limit=limit)}
    author = Judge("m:t", within, lambda found: None, frozenset())
    assert author("ENV", mean(wave(ideal(times()))), at=START).verdict is Verdict.ERROR


def test_it_is_derived_from_its_capture() -> None:
    traced = wave(ideal(times()) + 2e-5, offset=1e-6)
    found = outside(traced, RAMP, after=Instant(1.0, 1e-3, "start"))
    again = walked(found.derivation, Sources(lambda sha256: traced.capture))
    assert again == found


def test_limits_in_words() -> None:
    assert str(Limit(Kind.ENVELOPE, mask=RAMP)) == (
        "inside the envelope after the event: 0 s: >= -0.1 mA and <= 0.1 mA; "
        "2 s: >= 3.9 mA and <= 4.1 mA; 4 s: >= 3.9 mA and <= 4.1 mA"
    )


def test_it_is_read_as_it_was_written() -> None:
    assert Mask.of(RAMP.parts) == RAMP
    one = mask(("0 s", None, "5 mA"), ("1 min", None, "5 mA"))
    assert str(Mask.of(one.parts)) == str(one)


@pytest.mark.parametrize(
    ("points", "told"),
    [
        ([], "two points or more"),
        ([("0 s", None, "1 mA")], "two points or more"),
        ([("0 s", None, None), ("1 s", None, None)], "has levels"),
        ([("1 s", None, "1 mA"), ("0 s", None, "1 mA")], "follow in time"),
        ([("0 s", None, "1 mA")] * 3, "at most two at one"),
        ([("0 s", "2 mA", "1 mA"), ("1 s", None, "1 mA")], "lower lies above upper"),
        ([("0 s", None, "1 mA"), ("1 s", None, "1 V")], "of one dimension"),
        ([("0 s", "1 V", "1 mA"), ("1 s", None, "1 mA")], "another kind"),
        ([("0 s", "0 mA", "1 mA"), ("1 s", None, "1 mA")], "lower at 0 s bounds nothing"),
        ([("0 s", None, "1 mA"), ("0 s", None, "2 mA")], "bounds nothing"),
        (
            [("0 s", None, "1 mA"), ("1 s", None, "1 mA"), ("1 s", None, "2 mA")],
            "upper at 1 s bounds nothing",
        ),
        ([("0 s", None, "1 mA"), ("NaN s", None, "1 mA")], "is finite"),
        ([("0 s", None, "1 mA"), ("1 s", None, "Infinity mA")], "is finite"),
    ],
)
def test_a_mask_that_decides_nothing_is_refused(
    points: list[tuple[str, str | None, str | None]], told: str
) -> None:
    def read(text: str) -> Exact:
        number, unit = text.split(" ")
        return Exact(Decimal(number), unit)

    built = [
        Point(read(t), None if low is None else read(low), None if high is None else read(high))
        for t, low, high in points
    ]
    with pytest.raises(UsageError, match=told):
        Mask(tuple(built))


def test_a_point_has_a_time() -> None:
    with pytest.raises(DimensionError, match="time belongs here"):
        mask(("0 mA", None, "1 mA"), ("1 mA", None, "1 mA"))
