"""Probabilities of a decision against independent values.

Own quadrature of the normal density, tables and examples of JCGM 106, and
frequencies of a simulated bench.
"""

from __future__ import annotations

import math
from decimal import Decimal
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.decision import Judgement, judge
from hil.exact import Dimension, Exact
from hil.measurement import Calibration, Component, Measurement
from hil.requirement import Kind, Knowledge, Limit, Requirement
from hil.risk import outside, tail
from hil.rule import GUARDED, METHOD_6, SIMPLE, Guard, Rule
from hil.verdict import Verdict

law = settings(derandomize=True, deadline=None, max_examples=100)


def integrated(begin: float, end: float, panels: int = 4000) -> float:
    """Normal probability of an interval by Simpson's rule; nothing in common with `hil.risk`."""
    width = (end - begin) / panels
    weights = [1, *([4, 2] * (panels // 2))[:-1], 1]
    heights = [math.exp(-((begin + n * width) ** 2) / 2) for n in range(panels + 1)]
    total = math.fsum(w * h for w, h in zip(weights, heights, strict=True))
    return total * width / 3 / math.sqrt(2 * math.pi)


@pytest.mark.parametrize("z", ["0", "0.1", "0.5", "1", "1.4", "1.645", "2", "2.5", "3", "4"])
def test_the_tail_is_half_less_the_integral_of_the_density(z: str) -> None:
    expected = 0.5 - integrated(0, float(z))
    assert float(tail(Decimal(z))) == pytest.approx(expected, abs=1e-12)
    assert float(tail(Decimal(z).copy_negate())) == pytest.approx(1 - expected, abs=1e-12)


@pytest.mark.parametrize(("begin", "end"), [("2", "8"), ("3", "8"), ("4.5", "8"), ("5", "8")])
def test_far_tails_against_the_integral(begin: str, end: str) -> None:
    expected = integrated(float(begin), float(end))
    found = float(tail(Decimal(begin)) - tail(Decimal(end)))
    assert found == pytest.approx(expected, rel=1e-10)


@law
@given(st.floats(-37, 37))
def test_the_tail_is_that_of_the_c_library(z: float) -> None:
    expected = 0.5 * math.erfc(z / math.sqrt(2))
    assert float(tail(Decimal(repr(z)))) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("at", ["3.999999999", "4.000000001"])
def test_series_and_continued_fraction_meet(at: str) -> None:
    between = tail(Decimal("3.999999999")) - tail(Decimal("4.000000001"))
    slope = Decimal(repr(NormalDist().pdf(4))) * Decimal("2E-9")
    assert float(between / slope) == pytest.approx(1, rel=1e-8)
    assert float(tail(Decimal(at))) == pytest.approx(3.1671241833e-5, rel=1e-7)


def test_beyond_every_float_it_is_certain() -> None:
    assert tail(Decimal(41)) == 0
    assert tail(Decimal(-41)) == 1
    assert tail(Decimal("1E+30")) == 0
    assert tail(Decimal("Infinity")) == 0


@law
@given(st.lists(st.floats(-30, 30), min_size=2, max_size=2, unique=True).map(sorted))
def test_it_falls(pair: list[float]) -> None:
    less, more = (Decimal(repr(z)) for z in pair)
    assert tail(less) >= tail(more)


# --- JCGM 106 ------------------------------------------------------------------------------------


def requirement(limit: Limit, dimension: Dimension, rule: Rule = SIMPLE) -> Requirement:
    known = ("project", "here", Knowledge.PROJECT)
    return Requirement("R", "s", "t", "t", limit, dimension, *known, rule)


def judged(
    limit: Limit, value: str, u: float, rule: Rule = SIMPLE, dimension: Dimension | None = None
) -> Judgement:
    kind = dimension or limit.figures[0].dimension
    budget = (Component("a", u),)
    measured = Measurement(Decimal(value), kind, budget, calibration=Calibration.VALID)
    return judge(requirement(limit, kind, rule), measured)


@pytest.mark.parametrize(
    ("z", "conformance"),
    [("0.84", 0.80), ("1.28", 0.90), ("1.64", 0.95), ("2.33", 0.99), ("3.09", 0.999)],
)
def test_table_of_one_sided_limits(z: str, conformance: float) -> None:
    """JCGM 106, 7.3, table 1: distance of the limit in u for a probability of conformity."""
    found = judged(Limit(Kind.AT_MOST, Exact.parse(f"{z} V")), "0", 1.0)
    assert found.conformance == pytest.approx(conformance, abs=1.6e-3)


def test_zener_diode() -> None:
    """Breakdown voltage at most -5.40 V, measured -5.47 V with u = 0.05 V: 0.92.

    Figures as recalled from JCGM 106, clause 7; the document itself was not at hand.
    """
    found = judged(Limit(Kind.AT_MOST, Exact.parse("-5.40 V")), "-5.47", 0.05)
    assert found.conformance == pytest.approx(0.92, abs=0.005)
    assert found.conformance == pytest.approx(0.5 + integrated(0, 1.4))


def test_burst_strength() -> None:
    """A container of at least 490 kPa, measured 509.7 kPa with u = 8.6 kPa: 0.99 (as recalled).

    One millivolt stands for one kilopascal.
    """
    found = judged(Limit(Kind.AT_LEAST, Exact.parse("490 mV")), "0.5097", 0.0086)
    assert found.conformance == pytest.approx(0.99, abs=0.005)


def test_motor_oil() -> None:
    """Between 12.5 and 16.3 mm2/s, measured 13.6 with u = 1.8 %: 0.999 997 (derived here)."""
    limit = Limit(Kind.BETWEEN, lower=Exact.parse("12.5 V"), upper=Exact.parse("16.3 V"))
    u = 0.018 * 13.6
    found = judged(limit, "13.6", u)
    normal = NormalDist(13.6, u)
    assert found.conformance == pytest.approx(normal.cdf(16.3) - normal.cdf(12.5), abs=1e-12)
    assert found.conformance == pytest.approx(0.999997, abs=1e-6)


# --- what a rule lets pass -----------------------------------------------------------------------

TWENTY = Limit(Kind.BETWEEN, lower=Exact.parse("-20 mA"), upper=Exact.parse("20 mA"))
BELOW = Limit(Kind.AT_MOST, Exact.parse("20 mA"))
RULES = [GUARDED, SIMPLE, Rule(Guard.SHARE, Decimal("0.83")), Rule(Guard.SHARE, Decimal("1.5"))]


@pytest.mark.parametrize(
    ("rule", "worst"),
    [
        (GUARDED, 0.02275013),
        (SIMPLE, 0.5),
        (Rule(Guard.SHARE, Decimal("0.8224268")), 0.05),
        (Rule(Guard.SHARE, Decimal("0.83")), 0.0484573),
        (Rule(Guard.SHARE, Decimal("1.5")), 0.0013499),
    ],
)
def test_the_worst_false_accept_of_a_rule(rule: Rule, worst: float) -> None:
    """At the acceptance limit; w = U lets 2.28 % pass, the 5 % rule needs 1.645 u = 0.82 U."""
    found = judged(BELOW, "0.001", 1e-3, rule)
    assert found.worst_false_accept == pytest.approx(worst, rel=1e-5)
    edge = found.accept_upper
    assert edge is not None
    at_edge = judged(BELOW, str(edge), 1e-3, rule)
    assert at_edge.verdict is Verdict.PASS
    assert at_edge.false_accept == found.worst_false_accept


@pytest.mark.parametrize("rule", [*RULES, METHOD_6])
def test_of_a_two_sided_limit_both_sides_are_lost(rule: Rule) -> None:
    """U is half the tolerance: what the far side adds is seen."""
    found = judged(TWENTY, "0", 5e-3, rule)
    edge = float(found.accept_upper or 0)
    normal = NormalDist(edge, 5e-3)
    expected = 1 - normal.cdf(0.02) + normal.cdf(-0.02)
    assert found.worst_false_accept == pytest.approx(expected, abs=1e-12)
    assert found.tur == pytest.approx(2.0)
    assert found.conformance is not None
    assert found.false_accept == pytest.approx(1 - found.conformance, abs=1e-12)
    assert found.false_accept <= expected


@pytest.mark.parametrize(
    ("limit", "centre", "rule"),
    [
        *((BELOW, 0.02, rule) for rule in RULES),
        *((TWENTY, 0.02, rule) for rule in [*RULES, METHOD_6]),
        (TWENTY, 0.0, GUARDED),
    ],
    ids=str,
)
def test_false_accepts_of_a_simulated_bench(limit: Limit, centre: float, rule: Rule) -> None:
    """Devices all over, measured with noise: of those accepted as many are bad as was said.

    A flat spread of devices is the prior for which the specific risk holds as it stands.
    """
    u, generator = 2e-3, np.random.default_rng(20)
    truths = generator.uniform(centre - 0.012, centre + 0.012, 400_000)
    read = truths + u * generator.standard_normal(truths.size)
    place = np.round(read, 4)  # judged in classes of 0.1 mA, each at its middle
    well = np.abs(read - centre) < 0.006  # where the flat spread reaches 3 u to either side
    lower, upper = (-0.02, 0.02) if limit is TWENTY else (-math.inf, 0.02)
    bad = (truths < lower) | (truths > upper)
    said = seen = 0.0
    spread = 0.0
    for middle in np.unique(place[well]):
        found = judged(limit, f"{middle:.4f}", u, rule)
        if found.verdict is not Verdict.PASS:
            continue
        assert found.false_accept is not None
        mine = well & (place == middle)
        said += found.false_accept * int(mine.sum())
        seen += int(bad[mine].sum())
        spread += found.false_accept * (1 - found.false_accept) * int(mine.sum())
    assert abs(seen - said) <= 5 * math.sqrt(spread) + 0.01 * said


def test_method_6_keeps_its_promise_of_two_percent() -> None:
    """For any spread of devices, at any ratio up to 4, at most 2 % of all are accepted and bad.

    The promise is of all devices, not of one that lies at the limit.
    """
    generator = np.random.default_rng(6)
    unit = generator.standard_normal(400_000)
    noise = generator.standard_normal(400_000)
    largest = 0.0
    for tur in (1.0, 1.5, 2.0, 3.0, 4.0):
        expanded = 1 / tur
        width = float(METHOD_6.width(Decimal(repr(expanded)), Decimal(1)))
        for spread in (0.3, 0.5, 0.7, 1.0, 1.5, 2.5, 5.0):
            truths = spread * unit
            read = truths + expanded / 2 * noise
            lost = np.mean((np.abs(read) <= 1 - width) & (np.abs(truths) > 1))
            largest = max(largest, float(lost))
    assert largest <= 0.0205
    assert largest >= 0.015  # it is no wider than it must be


def test_nothing_is_said_of_what_was_not_accepted() -> None:
    assert judged(BELOW, "0.0199", 1e-3, GUARDED).false_accept is None
    assert judged(BELOW, "0.0201", 1e-3, GUARDED).false_accept is None
    assert judged(BELOW, "0.0201", 1e-3, SIMPLE).conformance == pytest.approx(0.4601722, abs=1e-6)


def test_without_uncertainty_nothing_is_risked() -> None:
    found = judged(TWENTY, "0.02", 0.0, METHOD_6)
    assert (found.verdict, found.conformance, found.false_accept) == (Verdict.PASS, 1.0, 0.0)
    assert (found.worst_false_accept, found.tur, found.warning) == (0.0, None, "")
    assert outside(Decimal(1), 0.0, Decimal(1), Decimal(1)) == 0
    assert outside(Decimal(2), 0.0, None, Decimal(1)) == 1


# --- how large U is beside the tolerance ---------------------------------------------------------


@pytest.mark.parametrize(
    ("u", "tur", "warned"), [(2.5e-3, 4.0, False), (2.51e-3, 3.984064, True), (5e-3, 2.0, True)]
)
def test_a_ratio_below_four_is_a_warning(u: float, tur: float, warned: bool) -> None:
    found = judged(TWENTY, "0", u)
    assert found.tur == pytest.approx(tur)
    assert found.share is None
    assert bool(found.warning) is warned
    assert not warned or found.warning == f"test uncertainty ratio {tur:.3g}, less than 4"


@pytest.mark.parametrize("kind", [Kind.AT_MOST, Kind.AT_LEAST])
@pytest.mark.parametrize("sign", ["", "-"])
def test_a_one_sided_limit_has_u_over_limit_and_no_ratio(kind: Kind, sign: str) -> None:
    found = judged(Limit(kind, Exact.parse(f"{sign}20 mA")), "0.5", 1e-3)
    assert (found.tur, found.warning) == (None, "")
    assert found.share == pytest.approx(0.1)


def test_of_a_limit_of_nothing_there_is_no_share() -> None:
    assert judged(Limit(Kind.AT_MOST, Exact.parse("0 mA")), "-1", 1e-3).share is None
