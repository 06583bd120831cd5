"""Each row of the verdict table, on both sides of its boundary; and that it fails closed."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from statistics import NormalDist
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.decision import bounds, judge
from hil.errors import UsageError
from hil.exact import ARITHMETIC, Dimension, Exact
from hil.measurement import Calibration, Component, Measurement, counted, truth
from hil.requirement import Kind, Knowledge, Limit, Requirement
from hil.rule import GUARDED, METHOD_6, SIMPLE, Guard, Rule
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


BETWEEN = Limit(Kind.BETWEEN, lower=Exact.parse("3500 uA"), upper=Exact.parse("0.004 A"))
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
    ("limit", "value", "u", "told"),
    [
        # One unit, that of the limit; and the digits that U leaves.
        ("0.5 mA/cm^2", "4.0001", 1.633e-3, "inside by 0.09999 mA/cm^2, w = 0.00033 mA/cm^2"),
        ("4 mA", "0.0036", 1e-5, "inside by 0.400 mA, w = 0.020 mA"),
        ("325 ms", "-0.0897", 0.0525, "inside by 410 ms, w = 100 ms"),
        # Rounded, a margin is neither nothing nor as wide as w.
        ("4 mA", "0.00400004", 1e-5, "outside by 0.00004 mA, within U of the limit"),
        ("4 mA", "0.0039801", 1e-5, "inside by 0.0199 mA, less than w = 0.020 mA"),
        ("10 uA", "0.0000000000001", 0.0, "inside by 9.9999999 uA, w = 0 uA"),
    ],
)
def test_a_reason_tells_its_figures_as_a_report_does(
    limit: str, value: str, u: float, told: str
) -> None:
    requirement = required(figure=limit)
    given = {"value": Decimal(value), "dimension": requirement.dimension}
    assert judge(requirement, measured("0", u, **given)).reason == told


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


# --- every form of limit, every rule, both sides of each boundary --------------------------------

SHARE = Rule(Guard.SHARE, Decimal("0.83"))
WIDER = Rule(Guard.SHARE, Decimal("1.5"))
DIGIT = Decimal("1E-60")
AT = Exact.parse("3 mA")
FORMS = {
    "at most": (Limit(Kind.AT_MOST, Exact.parse("4 mA")), "0.004", +1),
    "at least": (Limit(Kind.AT_LEAST, Exact.parse("4 mA")), "0.004", -1),
    "between, above": (BETWEEN, "0.004", +1),
    "between, below": (BETWEEN, "0.0035", -1),
    "within, above": (Limit(Kind.WITHIN, Exact.parse("0.1 mA"), Decimal("0.05")), "0.00315", +1),
    "within, below": (Limit(Kind.WITHIN, Exact.parse("0.1 mA"), Decimal("0.05")), "0.00285", -1),
    "above by": (Limit(Kind.EXCESS, Exact.parse("0.1 mA")), "0.0031", +1),
    "differs by, above": (Limit(Kind.DIFFERENCE, None, Decimal("0.05")), "0.00015", +1),
    "differs by, below": (Limit(Kind.DIFFERENCE, None, Decimal("0.05")), "-0.00015", -1),
}
"""Limit, its tolerance limit T in A, and on which side of T the forbidden values lie."""


@pytest.mark.parametrize("rule", [GUARDED, SIMPLE, SHARE, WIDER, METHOD_6], ids=str)
@pytest.mark.parametrize(("limit", "edge", "side"), FORMS.values(), ids=FORMS)
def test_each_row_of_the_verdict_table(limit: Limit, edge: str, side: int, rule: Rule) -> None:
    """y > T is FAIL, T - w < y <= T INCONCLUSIVE, y <= T - w PASS; mirrored for a lower limit."""
    if rule == METHOD_6 and not limit.two_sided:
        with pytest.raises(UsageError, match="two-sided tolerances only"):
            replace(required(), limit=limit, rule=rule)
        return
    requirement = replace(required(), limit=limit, rule=rule)
    spread = 2e-5  # U = 40 uA: a ratio of 2.5 to 6.25, so that method 6 has a guard band or none
    expanded = Decimal("0.00004")

    def verdict(inward: Decimal) -> tuple[Verdict, Decimal, bool]:
        value = ARITHMETIC.subtract(Decimal(edge), ARITHMETIC.multiply(inward, side))
        found = judge(requirement, measured("0", spread, value=value), AT)
        return found.verdict, found.guard, "within U of the limit" in found.reason

    guard = verdict(Decimal(0))[1]
    assert guard == rule.width(expanded, half(limit))
    near = {
        -expanded - DIGIT: (FAIL, False),
        -expanded: (FAIL, True),
        -DIGIT: (FAIL, True),
        Decimal(0): (INCONCLUSIVE if guard else PASS, False),
        ARITHMETIC.subtract(guard, DIGIT): (INCONCLUSIVE if guard else FAIL, not guard),
        guard: (PASS, False),
        ARITHMETIC.add(guard, DIGIT): (PASS, False),
    }
    for inward, expected in near.items():
        assert (verdict(inward)[0], verdict(inward)[2]) == expected, inward


def half(limit: Limit) -> Decimal | None:
    """Half-width of a two-sided limit about 3 mA, in A."""
    widths = {Kind.BETWEEN: "0.00025", Kind.WITHIN: "0.00015", Kind.DIFFERENCE: "0.00015"}
    return Decimal(widths[limit.kind]) if limit.two_sided else None


@pytest.mark.parametrize("rule", [GUARDED, SIMPLE, SHARE, METHOD_6], ids=str)
def test_the_acceptance_limits_lie_w_inside(rule: Rule) -> None:
    found = judge(replace(required(), limit=BETWEEN, rule=rule), measured("3.8", 4e-5))
    assert found.rule == str(rule)
    assert found.accept_lower == Decimal("0.0035") + found.guard
    assert found.accept_upper == Decimal("0.004") - found.guard
    assert found.tur == pytest.approx(3.125)
    one_sided = judge(required(), measured("3"))
    assert (one_sided.accept_lower, one_sided.accept_upper) == (None, Decimal("0.00398"))


@pytest.mark.parametrize("milliamperes", ["3.5", "3.7", "3.75", "3.8", "4"])
def test_guard_bands_that_cross_accept_nothing_and_say_so(milliamperes: str) -> None:
    """w = 251 uA on a tolerance of +-250 uA."""
    found = judge(replace(required(), limit=BETWEEN), measured(milliamperes, 1.255e-4))
    assert found.verdict is INCONCLUSIVE
    assert "no value can be accepted" in found.reason
    assert (found.false_accept, found.worst_false_accept) == (None, None)
    assert found.warning == "test uncertainty ratio 0.996, less than 4"
    outside = judge(replace(required(), limit=BETWEEN), measured("4.001", 1.255e-4))
    assert outside.verdict is FAIL


def test_guard_bands_that_touch_accept_the_middle() -> None:
    requirement = replace(required(), limit=BETWEEN)
    assert judge(requirement, measured("3.75", 1.25e-4)).verdict is PASS
    assert judge(requirement, measured("3.7500001", 1.25e-4)).verdict is INCONCLUSIVE


# --- counts --------------------------------------------------------------------------------------


def counts(kind: Kind, *texts: str) -> Requirement:
    figures = [Exact.parse(text) for text in texts]
    limit = Limit(kind, *figures) if len(figures) == 1 else Limit(kind, None, None, *figures)
    return replace(required(), limit=limit, dimension=Dimension.COUNT)


@pytest.mark.parametrize(
    ("requirement", "passing"),
    [
        (counts(Kind.AT_MOST, "2 count"), {0, 1, 2}),
        (counts(Kind.AT_MOST, "0 count"), {0}),
        (counts(Kind.AT_LEAST, "2 count"), {2, 3, 4}),
        (counts(Kind.BETWEEN, "1 count", "3 count"), {1, 2, 3}),
        (counts(Kind.BETWEEN, "2 count", "2 count"), {2}),
    ],
)
def test_a_count_is_compared_exactly_and_without_guard(
    requirement: Requirement, passing: set[int]
) -> None:
    for number in range(5):
        found = judge(requirement, counted(number, "restarts"))
        assert found.verdict is (PASS if number in passing else FAIL)
        assert (found.guard, found.rule, found.conformance) == (0, "", None)
        assert "within U" not in found.reason


def test_a_count_out_of_calibration_is_inconclusive() -> None:
    of_none = counts(Kind.AT_MOST, "0 count")
    for calibration in (Calibration.EXPIRED, Calibration.UNKNOWN, Calibration.DISPUTED):
        found = judge(of_none, counted(0, "", calibration=calibration))
        assert found.verdict is INCONCLUSIVE
        assert judge(of_none, counted(1, "", calibration=calibration)).verdict is FAIL


@pytest.mark.parametrize("value", ["0.5", "-1", "NaN", "Infinity", "1.0000000000000000001"])
def test_what_is_no_whole_number_is_an_error(value: str) -> None:
    found = judge(counts(Kind.AT_MOST, "9 count"), replace(counted(0, ""), value=Decimal(value)))
    assert found.verdict is ERROR


def test_a_count_with_an_uncertainty_is_an_error() -> None:
    unsure = replace(counted(0, ""), components=(Component("a", 0.1),))
    assert judge(counts(Kind.AT_MOST, "9 count"), unsure).verdict is ERROR


def test_a_number_is_no_count() -> None:
    requirement = counts(Kind.AT_MOST, "9 count")
    for thing in (3, Decimal(3), measured("3"), HOLDS):
        assert judge(requirement, thing).verdict is ERROR
    assert judge(required(), counted(3, "")).verdict is ERROR


# --- exactness at the boundary -------------------------------------------------------------------


def test_ten_thousand_limits_in_three_units_each() -> None:
    """On the limit, and one digit above and below: against integers, right every time."""
    generator = random.Random(106)
    wrong = compared = 0
    for _ in range(10_000):
        digits = generator.randint(1, 10 ** generator.randint(1, 9))
        places = generator.randint(0, 9)  # the limit is digits x 10^-places mA
        exact = Fraction(digits, 10**places)
        for unit, shift in (("mA", 0), ("A", -3), ("uA", 3)):
            text = f"{Decimal(digits).scaleb(shift - places):f} {unit}"
            most = required(Kind.AT_MOST, text, rule=SIMPLE)
            other = unit == "mA"  # once for each limit is the mirror judged as well
            least = required(Kind.AT_LEAST, text, rule=SIMPLE) if other else None
            for step in (-1, 0, 1):
                number = 10 * digits + step  # one digit more than the limit has
                read_unit, read_shift = generator.choice((("mA", 0), ("A", -3), ("uA", 3)))
                read = Exact(Decimal(number).scaleb(read_shift - places - 1), read_unit)
                value = measured("0", 0.0, value=read.base)
                inside = Fraction(number, 10 ** (places + 1)) <= exact
                wrong += judge(most, value).verdict is not (PASS if inside else FAIL)
                compared += 1
                if least is not None:
                    inside = Fraction(number, 10 ** (places + 1)) >= exact
                    wrong += judge(least, value).verdict is not (PASS if inside else FAIL)
                    compared += 1
    assert (wrong, compared) == (0, 120_000)


def test_the_acceptance_limit_is_met_exactly_too() -> None:
    """With U = 2 u from the shortest text of a float: on T - w PASS, one digit more not."""
    generator = random.Random(8)
    for _ in range(2_000):
        limit = Decimal(generator.randint(1, 10**7)).scaleb(-generator.randint(3, 9))
        u = float(Decimal(generator.randint(1, 999)).scaleb(-9))
        requirement = required(Kind.AT_MOST, f"{limit:f} A")
        edge = limit - Decimal(repr(2 * u))
        assert judge(requirement, measured("0", u, value=edge)).verdict is PASS
        beyond = edge + Decimal("1E-20")
        assert judge(requirement, measured("0", u, value=beyond)).verdict is INCONCLUSIVE


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


one_sided = st.builds(
    required,
    st.sampled_from([Kind.AT_MOST, Kind.AT_LEAST, Kind.EXCESS]),
    st.sampled_from(["4 mA", "0.1 mA", "5000 uA"]),
    rule=st.sampled_from([GUARDED, SIMPLE, SHARE, WIDER]),
)
two_sided = st.builds(
    required,
    st.sampled_from([Kind.WITHIN, Kind.DIFFERENCE]),
    st.sampled_from(["4 mA", "0.1 mA", "5000 uA"]),
    rule=st.sampled_from([GUARDED, SIMPLE, SHARE, WIDER, METHOD_6]),
)
between = st.builds(
    lambda rule: replace(required(), limit=BETWEEN, rule=rule),
    st.sampled_from([GUARDED, SIMPLE, SHARE, WIDER, METHOD_6]),
)
requirements = st.one_of(one_sided, two_sided, between)
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
    judgement = judge(requirement, found, at)
    if judgement.verdict is not PASS:
        assert judgement.false_accept is None
        return
    assert judgement.false_accept is not None
    assert 0 <= judgement.false_accept <= (judgement.worst_false_accept or 0) + 1e-12
    assert found.value.is_finite()
    assert found.dimension is requirement.dimension
    assert found.calibration is Calibration.VALID
    assert found.components
    assert math.isfinite(found.u)
    lower, upper = bounds(requirement, at)
    both = lower is not None and upper is not None
    guard = requirement.rule.width(found.expanded, (upper - lower) / 2 if both else None)
    assert upper is None or (found.value + guard <= upper and not found.censored)
    assert lower is None or found.value - guard >= lower
    assert judgement.guard == guard >= 0


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


def test_a_censored_duration_is_told_in_round_figures_as_the_least_that_it_was() -> None:
    early = judge(required(Kind.AT_MOST, "2 s"), lasted("1.2655978000000019", censored=True))
    assert early.reason == "the record ends after 1.27 s, too early to decide"
    late = judge(required(Kind.AT_MOST, "2 s"), lasted("7", censored=True))
    assert late.reason == "outside by at least 5.0000 s"
    assert judge(required(Kind.AT_MOST, "2 s"), lasted("7", censored=False)).reason == (
        "outside by 5.0000 s"
    )


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
