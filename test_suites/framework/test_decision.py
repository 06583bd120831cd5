"""Each row of the verdict table, on both sides of its boundary; and that it fails closed."""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from statistics import NormalDist
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.decision import bounds, judge
from hil.errors import UsageError
from hil.exact import Dimension, Exact
from hil.measurement import Calibration, Component, Measurement, truth
from hil.requirement import Kind, Knowledge, Limit, Requirement
from hil.rule import GUARDED, SIMPLE, Rule
from hil.units import A, V, mA
from hil.verdict import Verdict

law = settings(derandomize=True, deadline=None, max_examples=60)
FAIL, ERROR, INCONCLUSIVE, PASS = Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE, Verdict.PASS
WORST_FIRST = list(Verdict)
U = Decimal("0.00002")
"""Expanded uncertainty of the measurements here: u = 10 uA."""


def required(
    kind: Kind = Kind.AT_MOST,
    figure: str | None = "4 mA",
    relative: str | None = None,
    rule: Rule = GUARDED,
) -> Requirement:
    exact = None if figure is None else Exact.parse(figure)
    share = None if relative is None else Decimal(relative)
    dimension = Dimension.TRUTH if kind is Kind.TRUE else Dimension.CURRENT
    if exact is not None:
        dimension = exact.dimension
    limit = Limit(kind, exact, share)
    return Requirement(
        "R-1",
        "subject",
        "title",
        "text",
        limit,
        dimension,
        "project",
        "here",
        Knowledge.PROJECT,
        rule,
    )


def measured(milliamperes: str, u: float = 1e-5, **other: Any) -> Measurement:
    given = {
        "value": Decimal(milliamperes).scaleb(-3),
        "dimension": Dimension.CURRENT,
        "components": (Component("a", u),),
        "calibration": Calibration.VALID,
    }
    return Measurement(**(given | other))


BOOLEAN = required(Kind.TRUE, None)
HOLDS = truth(True, "lid open stops the current")


# --- the rows of the table -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("milliamperes", "verdict"),
    [
        ("4.000000000000000000000000001", FAIL),  # y > T
        ("4.02", FAIL),
        ("9", FAIL),
        ("4", INCONCLUSIVE),  # y = T
        ("3.99", INCONCLUSIVE),
        ("3.980000000000000000000000001", INCONCLUSIVE),  # T - w < y
        ("3.98", PASS),  # y = T - w
        ("3.9", PASS),
        ("-9", PASS),
    ],
)
def test_upper_limit_with_guard_band(milliamperes: str, verdict: Verdict) -> None:
    assert judge(required(), measured(milliamperes)).verdict is verdict


@pytest.mark.parametrize(
    ("milliamperes", "verdict"),
    [("4.000000000000000000000000001", FAIL), ("4", PASS), ("3.99", PASS)],
)
def test_simple_acceptance_has_no_guard_band(milliamperes: str, verdict: Verdict) -> None:
    found = judge(required(rule=SIMPLE), measured(milliamperes))
    assert found.verdict is verdict
    assert found.guard == 0


@pytest.mark.parametrize(
    ("milliamperes", "near"), [("4.000001", True), ("4.02", True), ("4.0200001", False)]
)
@pytest.mark.parametrize("rule", [GUARDED, SIMPLE])
def test_a_fail_within_u_of_the_limit_says_so(milliamperes: str, near: bool, rule: Rule) -> None:
    found = judge(required(rule=rule), measured(milliamperes))
    assert found.verdict is FAIL
    assert ("within U of the limit" in found.reason) is near


def test_a_judgement_carries_what_repeats_it() -> None:
    found = judge(required(Kind.WITHIN, "0.1 mA", "0.05"), measured("3.9"), Exact.parse("4 mA"))
    assert found.requirement == "R-1"
    assert (found.lower, found.upper) == (Decimal("0.0038"), Decimal("0.0042"))
    assert found.guard == U
    assert found.margin == Decimal("0.0001")
    assert found.at == Exact.parse("4 mA")
    assert found.measured == measured("3.9")


@pytest.mark.parametrize("calibration", [Calibration.EXPIRED, Calibration.UNKNOWN])
def test_without_calibration_a_pass_is_inconclusive_and_a_fail_stays(
    calibration: Calibration,
) -> None:
    for value, verdict in (("3", INCONCLUSIVE), ("3.99", INCONCLUSIVE), ("4.5", FAIL)):
        found = judge(required(), measured(value, calibration=calibration))
        assert found.verdict is verdict
    assert calibration.value in judge(required(), measured("3", calibration=calibration)).reason
    assert judge(BOOLEAN, replace(HOLDS, calibration=calibration)).verdict is INCONCLUSIVE
    fails = replace(truth(False, ""), calibration=calibration)
    assert judge(BOOLEAN, fails).verdict is FAIL


def test_boolean_requirement() -> None:
    assert judge(BOOLEAN, HOLDS).verdict is PASS
    assert judge(BOOLEAN, truth(False, "it flowed on")).verdict is FAIL
    assert judge(BOOLEAN, truth(False, "it flowed on")).reason == "it flowed on"
    assert judge(BOOLEAN, replace(HOLDS, value=Decimal("0.999"))).verdict is FAIL
    assert judge(BOOLEAN, replace(HOLDS, value=Decimal(2))).verdict is FAIL


# --- it fails closed -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "sNaN"])
@pytest.mark.parametrize("kind", [Kind.AT_MOST, Kind.AT_LEAST, Kind.WITHIN, Kind.DIFFERENCE])
def test_a_value_that_is_not_finite_is_an_error(value: str, kind: Kind) -> None:
    found = judge(required(kind), measured("1", value=Decimal(value)), Exact.parse("4 mA"))
    assert found.verdict is ERROR


def test_a_truth_that_is_not_finite_is_an_error() -> None:
    assert judge(BOOLEAN, replace(HOLDS, value=Decimal("NaN"))).verdict is ERROR


@pytest.mark.parametrize("u", [math.nan, math.inf, 1e308])
def test_an_uncertainty_that_is_not_finite_is_no_pass(u: float) -> None:
    assert judge(required(), measured("-1", u)).verdict in {ERROR, INCONCLUSIVE}
    assert judge(required(), measured("-1", math.nan)).verdict is ERROR


def test_a_value_without_budget_is_an_error() -> None:
    found = judge(required(), measured("1", components=()))
    assert found.verdict is ERROR
    assert "budget" in found.reason


@pytest.mark.parametrize("dimension", [d for d in Dimension if d is not Dimension.CURRENT])
def test_another_dimension_is_an_error(dimension: Dimension) -> None:
    assert judge(required(), measured("1", dimension=dimension)).verdict is ERROR
    assert judge(BOOLEAN, measured("1000")).verdict is ERROR  # 1 A is not true


@law
@given(
    st.one_of(
        st.none(),
        st.booleans(),
        st.floats(),
        st.integers(),
        st.sampled_from(["", "0.001", "1 mA", Decimal("0.001"), Decimal("NaN")]),
        st.sampled_from([1 * mA, 1 * V, Exact.parse("1 mA"), [], {}, object(), Verdict.PASS]),
    )
)
def test_what_is_no_measurement_is_an_error(thing: object) -> None:
    for requirement in (required(), BOOLEAN, required(Kind.WITHIN)):
        found = judge(requirement, thing, Exact.parse("1 mA"))
        assert found.verdict is ERROR
        assert found.measured is None
        assert found.reason


@pytest.mark.parametrize("value", [0.001, 1, None, "0.001", 1 * A])
def test_a_value_that_is_no_decimal_is_an_error(value: object) -> None:
    assert judge(required(), measured("1", value=value)).verdict is ERROR


@pytest.mark.parametrize("kind", [Kind.WITHIN, Kind.EXCESS, Kind.DIFFERENCE])
@pytest.mark.parametrize(
    "at",
    [
        None,
        0.001,
        1 * mA,
        Exact.parse("1 V"),
        Exact(Decimal("NaN"), "mA"),
        Exact(Decimal("Infinity"), "mA"),
    ],
)
def test_a_relative_limit_needs_what_it_relates_to(kind: Kind, at: Any) -> None:
    found = judge(required(kind, "1000 mA", "0.05"), measured("0"), at)
    assert found.verdict is ERROR
    assert "R-1" in found.reason


def test_a_bare_number_as_reference_is_an_error_though_the_limit_needs_none() -> None:
    assert judge(required(), measured("1"), 0.001).verdict is ERROR  # type: ignore[arg-type]


requirements = st.builds(
    required,
    st.sampled_from([Kind.AT_MOST, Kind.AT_LEAST, Kind.WITHIN, Kind.EXCESS, Kind.DIFFERENCE]),
    st.sampled_from(["4 mA", "0.1 mA", "5000 uA"]),
    rule=st.sampled_from([GUARDED, SIMPLE]),
)
anything = st.builds(
    Measurement,
    st.one_of(
        st.sampled_from([Decimal("NaN"), Decimal("Infinity"), Decimal("0.004"), Decimal("0.0001")]),
        st.integers(-6000, 6000).map(lambda n: Decimal(n).scaleb(-6)),
    ),
    st.sampled_from([Dimension.CURRENT, Dimension.VOLTAGE]),
    st.lists(
        st.builds(Component, st.sampled_from("ab"), st.sampled_from([0.0, 1e-6, 1e-3, math.inf])),
        max_size=2,
    ).map(tuple),
    calibration=st.sampled_from(Calibration),
    censored=st.booleans(),
)


@law
@given(requirements, anything)
def test_a_pass_is_finite_of_the_right_dimension_calibrated_and_inside(
    requirement: Requirement, found: Measurement
) -> None:
    at = Exact.parse("1 mA")
    verdict = judge(requirement, found, at).verdict
    if verdict is not PASS:
        return
    assert found.value.is_finite()
    assert found.dimension is requirement.dimension
    assert found.calibration is Calibration.VALID
    assert found.components
    assert math.isfinite(found.u)
    guard = found.expanded if requirement.rule is GUARDED else 0
    lower, upper = bounds(requirement, at)
    assert upper is None or (found.value + guard <= upper and not found.censored)
    assert lower is None or found.value - guard >= lower


# --- laws ----------------------------------------------------------------------------------------

micro = st.integers(-6000, 6000).map(lambda n: Decimal(n).scaleb(-6))
spreads = st.sampled_from([0.0, 1e-6, 5e-6, 1e-5, 1e-4])


@law
@given(micro, micro, spreads, st.sampled_from([GUARDED, SIMPLE]), st.sampled_from(Calibration))
def test_a_lower_limit_is_the_mirror_of_an_upper_one(
    limit: Decimal, value: Decimal, u: float, rule: Rule, calibration: Calibration
) -> None:
    upper = required(Kind.AT_MOST, f"{limit:f} A", rule=rule)
    lower = required(Kind.AT_LEAST, f"{-limit:f} A", rule=rule)
    y = measured("0", u, value=value, calibration=calibration)
    one, two = judge(upper, y), judge(lower, -y)
    assert (one.verdict, one.reason, one.margin) == (two.verdict, two.reason, two.margin)
    assert one.conformance == pytest.approx(two.conformance)


@law
@given(requirements, micro, st.tuples(spreads, spreads).map(sorted), st.sampled_from(Calibration))
def test_a_verdict_never_improves_when_uncertainty_grows(
    requirement: Requirement, value: Decimal, u: list[float], calibration: Calibration
) -> None:
    small, large = (
        judge(
            requirement,
            measured("0", each, value=value, calibration=calibration),
            Exact.parse("1 mA"),
        ).verdict
        for each in u
    )
    assert WORST_FIRST.index(large) <= WORST_FIRST.index(small)


@law
@given(
    st.sampled_from([Kind.WITHIN, Kind.EXCESS, Kind.DIFFERENCE]),
    st.sampled_from(["0.1 mA", "20 uA", None]),
    st.sampled_from(["0.05", "0.1"]),
    st.integers(-4000, 4000),
    st.integers(-4500, 4500),
)
def test_relative_limits_in_whole_microamperes(
    kind: Kind, figure: str | None, relative: str, at: int, value: int
) -> None:
    """The same decision in integers: tolerance = max(|at| x relative, figure)."""
    share = {"0.05": 20, "0.1": 10}[relative]
    part = {"0.1 mA": 100, "20 uA": 20, None: 0}[figure]
    tolerance = max(abs(at), part * share)  # both times `share`
    excess = (value - (0 if kind is Kind.DIFFERENCE else at)) * share
    inside = excess <= tolerance if kind is Kind.EXCESS else abs(excess) <= tolerance
    requirement = required(kind, figure, relative, rule=SIMPLE)
    found = judge(requirement, measured(f"{value}E-3"), Exact(Decimal(at), "uA"))
    assert found.verdict is (PASS if inside else FAIL)


@pytest.mark.parametrize("text", ["0.1", "0.7", "1.1", "2.3", "3.3", "4.35"])
def test_a_five_percent_boundary_is_met_exactly(text: str) -> None:
    at = Exact.parse(f"{text} mA")
    edge = at.base + at.base * Decimal("0.05")
    requirement = required(Kind.WITHIN, None, "0.05", rule=SIMPLE)
    assert judge(requirement, measured("0", value=edge), at).verdict is PASS
    beyond = edge + Decimal("1E-30")
    assert judge(requirement, measured("0", value=beyond), at).verdict is FAIL


@law
@given(micro, st.sampled_from([1e-6, 1e-5, 1e-4]))
def test_conformance_is_the_probability_inside(value: Decimal, u: float) -> None:
    at = Exact.parse("1 mA")
    found = judge(required(Kind.WITHIN, "0.1 mA"), measured("0", u, value=value), at)
    normal = NormalDist(float(value), u)
    assert found.conformance == pytest.approx(normal.cdf(0.0011) - normal.cdf(0.0009), abs=1e-9)


def test_conformance_without_uncertainty_is_yes_or_no() -> None:
    assert judge(required(), measured("4", 0.0)).conformance == 1
    assert judge(required(), measured("4.1", 0.0)).conformance == 0


# --- durations that were cut short ---------------------------------------------------------------


def lasted(seconds: str, *, censored: bool) -> Measurement:
    return measured("0", 1e-3, value=Decimal(seconds), dimension=Dimension.TIME, censored=censored)


@pytest.mark.parametrize(
    ("kind", "seconds", "verdict"),
    [
        (Kind.AT_MOST, "0.5", ERROR),  # it may still have taken longer
        (Kind.AT_MOST, "1", ERROR),
        (Kind.AT_MOST, "1.001", FAIL),  # it took longer, however long
        (Kind.AT_LEAST, "0.5", ERROR),  # it may still have lasted
        (Kind.AT_LEAST, "0.9999", ERROR),
        (Kind.AT_LEAST, "1", INCONCLUSIVE),
        (Kind.AT_LEAST, "1.5", PASS),  # it lasted, however long
        (Kind.AT_LEAST, "1.001", INCONCLUSIVE),
    ],
)
def test_a_censored_duration_decides_only_what_it_can(
    kind: Kind, seconds: str, verdict: Verdict
) -> None:
    found = judge(required(kind, "1 s"), lasted(seconds, censored=True))
    assert found.verdict is verdict


def test_a_censored_difference_within_its_tolerance_is_not_decided() -> None:
    requirement = required(Kind.WITHIN, "0.1 s")
    at = Exact.parse("1 s")
    assert judge(requirement, lasted("1", censored=True), at).verdict is ERROR
    assert judge(requirement, lasted("1", censored=False), at).verdict is PASS
    assert judge(requirement, lasted("0.2", censored=True), at).verdict is ERROR
    assert judge(requirement, lasted("1.2", censored=True), at).verdict is FAIL


def test_a_censored_truth_is_not_decided() -> None:
    assert judge(BOOLEAN, replace(HOLDS, censored=True)).verdict is ERROR


# --- requirements that could not judge -----------------------------------------------------------


@pytest.mark.parametrize(
    "limit",
    [
        (Kind.AT_MOST, None, None),
        (Kind.AT_LEAST, None, None),
        (Kind.WITHIN, None, None),
        (Kind.WITHIN, None, "0"),
        (Kind.WITHIN, None, "-0.05"),
        (Kind.WITHIN, None, "NaN"),
        (Kind.DIFFERENCE, "-1 mA", None),
        (Kind.AT_MOST, "4 mA", "0.05"),
        (Kind.TRUE, "4 mA", None),
    ],
)
def test_a_limit_that_decides_nothing_is_refused(limit: tuple[Any, Any, Any]) -> None:
    with pytest.raises(UsageError):
        required(*limit)


def test_a_tolerance_of_nothing_is_a_tolerance() -> None:
    requirement = required(Kind.WITHIN, "0 mA", rule=SIMPLE)
    assert judge(requirement, measured("1"), Exact.parse("1 mA")).verdict is PASS
    assert judge(requirement, measured("1.000001"), Exact.parse("1 mA")).verdict is FAIL
    assert judge(required(), measured("1")).guard == U


@pytest.mark.parametrize(
    ("limit", "text"),
    [
        (Limit(Kind.AT_MOST, Exact.parse("4 mA")), "at most 4 mA"),
        (Limit(Kind.WITHIN, None, Decimal("0.05")), "within 5 % of the value commanded"),
        (
            Limit(Kind.EXCESS, Exact.parse("0.1 mA"), Decimal("0.025")),
            "above by at most 0.1 mA or 2.5 % of the value commanded, the larger",
        ),
        (Limit(Kind.TRUE), "true"),
    ],
)
def test_a_limit_in_words(limit: Limit, text: str) -> None:
    assert str(limit) == text


def test_a_truth_has_no_figure() -> None:
    with pytest.raises(UsageError, match="has no figure"):
        Limit(Kind.TRUE, Exact.parse("4 mA"))


@pytest.mark.parametrize("text", ["NaN", "Infinity"])
def test_a_limit_that_is_not_finite_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="finite"):
        Limit(Kind.AT_MOST, Exact(Decimal(text), "mA"))


def test_a_limit_of_another_dimension_is_refused() -> None:
    """Else 1 mV would be judged to lie under a limit of 5 mA."""
    with pytest.raises(UsageError, match=r"R-1: the limit 4 mA is a current.*judges a voltage"):
        replace(required(), dimension=Dimension.VOLTAGE)
    with pytest.raises(UsageError, match="belong together"):
        replace(BOOLEAN, dimension=Dimension.CURRENT)
    with pytest.raises(UsageError, match="belong together"):
        replace(required(Kind.WITHIN, None, "0.05"), dimension=Dimension.TRUTH)


def test_only_a_confirmed_figure_is_called_a_requirement_of_the_standard() -> None:
    claims = {state: state.claim for state in Knowledge}
    assert [s for s, c in claims.items() if "standard requires" in c] == [Knowledge.CONFIRMED]
