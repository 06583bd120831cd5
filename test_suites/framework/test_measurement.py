"""A measurement keeps its budget: what is shared cancels, what is not adds in quadrature."""

from __future__ import annotations

import itertools
import json
import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.bodies import measured_body
from hil.capture import Accuracy
from hil.errors import DimensionError
from hil.exact import Dimension, Exact
from hil.measurement import Calibration, Component, Measurement, poorer, truth

law = settings(derandomize=True, deadline=None, max_examples=40)
IDS = ("gain", "offset", "noise 1", "noise 2", "event")

components = st.lists(
    st.builds(
        Component,
        st.sampled_from(IDS),
        st.floats(1e-9, 1e-2),
        st.floats(-10, 10),
    ),
    max_size=4,
).map(tuple)
values = st.integers(-(10**21), 10**21).map(lambda n: Decimal(n).scaleb(-20))
measurements = st.builds(Measurement, values, st.just(Dimension.CURRENT), components)


def current(value: str | float, *parts: Component, **other: object) -> Measurement:
    return Measurement(Decimal(str(value)), Dimension.CURRENT, parts, **other)  # type: ignore[arg-type]


def covariance(*measured: Measurement) -> np.ndarray:  # type: ignore[type-arg]
    """Covariance matrix of measurements, from the causes that they share."""
    effect = np.zeros((len(measured), len(IDS)))
    for row, each in enumerate(measured):
        for part in each.components:
            effect[row, IDS.index(part.id)] += part.sensitivity * part.u
    return effect @ effect.T


@law
@given(measurements, measurements, measurements)
def test_u_of_a_sum_follows_the_covariance(a: Measurement, b: Measurement, c: Measurement) -> None:
    weights = np.array([1.0, 1.0, -1.0])
    expected = math.sqrt(max(float(weights @ covariance(a, b, c) @ weights), 0.0))
    scale = math.sqrt(float(np.trace(covariance(a, b, c)))) + 1e-30
    assert (a + b - c).u == pytest.approx(expected, abs=1e-6 * scale)


@law
@given(measurements)
def test_a_value_less_itself_has_no_uncertainty(a: Measurement) -> None:
    assert (a - a).u == pytest.approx(0, abs=1e-15)
    assert (a - a).value == 0
    assert (a + a).u == pytest.approx(2 * a.u)


def test_causes_without_a_common_id_add_in_quadrature() -> None:
    a = current("1", Component("a", 3e-6))
    b = current("2", Component("b", 4e-6))
    assert (b - a).u == pytest.approx(5e-6)
    assert (b - current("1", Component("b", 4e-6))).u == 0


def test_gain_acts_on_a_difference_and_offset_leaves_it() -> None:
    accuracy = Accuracy("SIM-1[10 mA]", 0.0005, 2e-6, "data sheet")
    low = current(0.001, *accuracy.components(0.001))
    high = current(0.004, *accuracy.components(0.004))
    assert (high - low).u == pytest.approx(0.003 * 0.0005 / math.sqrt(3))
    assert high.u == pytest.approx(math.hypot(0.004 * 0.0005, 2e-6) / math.sqrt(3))


@law
@given(measurements, measurements)
def test_values_add_exactly(a: Measurement, b: Measurement) -> None:
    assert Fraction((a + b).value) == Fraction(a.value) + Fraction(b.value)
    assert Fraction((a - b).value) == Fraction(a.value) - Fraction(b.value)
    shifted = a - Exact(b.value, "A")
    assert Fraction(shifted.value) == Fraction(a.value) - Fraction(b.value)
    assert shifted.u == a.u


def test_a_tiny_addend_is_not_rounded_away() -> None:
    a, b = current("1E+8"), current("1E-25")
    assert (a + b).value > a.value
    assert (a - Exact.parse("1E-25 A")).value < a.value


@law
@given(measurements)
def test_negation_and_magnitude_keep_u(a: Measurement) -> None:
    assert (-a).u == pytest.approx(a.u)
    assert abs(a).u == pytest.approx(a.u)
    assert abs(a).value == a.value.copy_abs()
    assert (a + -a).u == pytest.approx(0, abs=1e-15)


@law
@given(measurements, measurements)
def test_correlation_survives_a_journal(a: Measurement, b: Measurement) -> None:
    def again(measured: Measurement) -> Measurement:
        body = json.loads(json.dumps(measured_body(measured)))
        parts = (Component(c["id"], c["u"], c["sensitivity"]) for c in body["components"])
        return Measurement(Decimal(body["value"]), Dimension(body["unit"]), tuple(parts))

    assert (again(b) - again(a) - again(a)).u == (b - a - a).u
    assert again(b).value == b.value


def test_a_sum_rests_on_both_instruments_and_on_the_poorer_calibration() -> None:
    a = current("1", instruments=("S1", "S2"), captures=("x",), raw=Decimal(1))
    b = current("1", instruments=("S2", "S3"), captures=("y",))
    assert (a - b).instruments == ("S1", "S2", "S3")
    assert (a - b).captures == ("x", "y")
    assert (a - b).raw is None  # the raw extreme of one is no raw value of the difference
    assert (-a).raw is None
    order = (
        Calibration.DISPUTED,
        Calibration.UNKNOWN,
        Calibration.EXPIRED,
        Calibration.AGED,
        Calibration.OUTSIDE,
        Calibration.VALID,
    )
    rank = {state: place for place, state in enumerate(order)}
    for one, two in itertools.product(Calibration, repeat=2):
        total = current("1", calibration=one) + current("1", calibration=two)
        assert rank[total.calibration] == min(rank[one], rank[two])


def test_no_instrument_is_no_calibration() -> None:
    assert poorer() is Calibration.UNKNOWN
    assert current("1").calibration is Calibration.UNKNOWN


def test_a_sum_with_a_censored_value_is_censored() -> None:
    whole, cut = current("1"), current("3", censored=True)
    assert (whole + cut).censored
    assert (cut + whole).censored
    assert (cut - whole).censored
    assert (cut - Exact.parse("1 A")).censored


def test_at_least_has_no_negative() -> None:
    """-(at least 3 s) is at most -3 s: as "at least" it would be believed the wrong way round."""
    whole, cut = current("1"), current("3", censored=True)
    assert (-cut).value.is_nan()
    assert (whole - cut).value.is_nan()
    assert abs(current("-3", censored=True)).value.is_nan()


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_arithmetic_on_an_overload_does_not_raise(text: str) -> None:
    bad = current(text)
    for result in (-bad, abs(bad), bad - bad, bad + current("1"), bad - Exact.parse("1 A")):
        assert not result.value.is_finite()


def test_dimensions_do_not_mix() -> None:
    with pytest.raises(DimensionError):
        current("1") + Measurement(Decimal(1), Dimension.VOLTAGE)
    with pytest.raises(DimensionError):
        current("1") - Exact.parse("1 V")


@pytest.mark.parametrize("u", [math.inf, math.nan])
def test_an_unknown_cause_makes_the_whole_unknown(u: float) -> None:
    measured = current("1", Component("a", 1e-6), Component("b", u))
    assert not math.isfinite(measured.u)
    assert not measured.expanded.is_finite()


def test_expanded_is_twice_u() -> None:
    measured = current("1", Component("a", 3e-6), Component("b", 4e-6, sensitivity=-1))
    assert float(measured.expanded) == pytest.approx(1e-5, rel=1e-12)


def test_a_truth_needs_no_budget() -> None:
    assert truth(True, "lid open").value == 1
    assert truth(False, "lid open").value == 0
    assert truth(True, "x", captures=["h"]).captures == ("h",)
