"""Decision rules: how wide their guard bands are, which they are, and what they are called."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.errors import UsageError
from hil.rule import GUARDED, METHOD_6, SIMPLE, Guard, Rule

law = settings(derandomize=True, deadline=None, max_examples=200)
U = Decimal("0.00002")


def factor(tur: str) -> Decimal:
    """Guard factor of method 6 at a test uncertainty ratio."""
    return METHOD_6.width(Decimal(1), Decimal(tur))


@pytest.mark.parametrize(
    ("text", "rule", "width", "words"),
    [
        ("guarded", GUARDED, "0.00002", "guarded acceptance, w = U"),
        ("simple", SIMPLE, "0", "simple acceptance, w = 0"),
        ("guard factor 0.83", Rule(Guard.SHARE, Decimal("0.83")), "0.0000166",
         "guarded acceptance, w = 0.83 U"),
        ("guard factor 3", Rule(Guard.SHARE, Decimal(3)), "0.00006",
         "guarded acceptance, w = 3 U"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("half", [None, Decimal("0.0001")])
def test_a_rule_and_its_guard_band(
    text: str, rule: Rule, width: str, words: str, half: Decimal | None
) -> None:
    assert Rule.parse(text) == rule
    assert str(rule) == text
    assert rule.text == words
    assert rule.width(U, half) == Decimal(width)


def test_method_6_has_the_published_factors() -> None:
    """0.053 at a ratio of 4 and 0.457 at 1; nothing from about 4.6 on, and never less."""
    assert Rule.parse("method 6") == METHOD_6
    assert str(METHOD_6) == "method 6"
    assert "w = U (1.04 - exp(0.38 ln TUR - 0.54)), at least 0" in METHOD_6.text
    assert round(factor("4"), 3) == Decimal("0.053")
    assert round(factor("1"), 3) == Decimal("0.457")
    assert factor("4.58") > 0
    assert factor("4.6") == factor("5") == factor("1000000") == 0


@pytest.mark.parametrize("tur", ["0.01", "0.5", "1", "1.5", "2", "3", "4", "4.5"])
def test_method_6_against_its_formula_in_floats(tur: str) -> None:
    expected = 1.04 - math.exp(0.38 * math.log(float(tur)) - 0.54)
    excess = float(factor(tur)) - expected  # 12 digits, rounded away from accepting
    assert -1e-15 <= excess <= 1e-11


def test_method_6_at_its_ends() -> None:
    assert METHOD_6.width(Decimal(0), Decimal(1)) == 0
    assert METHOD_6.width(Decimal(0), Decimal(0)) == 0
    assert factor("0") == Decimal("1.04")  # a tolerance of nothing is narrower than any guard band
    with pytest.raises(UsageError, match="two-sided"):
        METHOD_6.width(U, None)


@law
@given(
    st.integers(0, 10**9).map(lambda n: Decimal(n).scaleb(-9)),
    st.integers(0, 10**9).map(lambda n: Decimal(n).scaleb(-9)),
)
def test_no_guard_band_is_negative(expanded: Decimal, half: Decimal) -> None:
    for rule in (GUARDED, SIMPLE, METHOD_6, Rule(Guard.SHARE, Decimal("0.5"))):
        assert rule.width(expanded, half) >= 0


@law
@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_method_6_only_narrows_as_the_ratio_grows(one: int, two: int) -> None:
    less, more = sorted((Decimal(one).scaleb(-5), Decimal(two).scaleb(-5)))
    assert factor(str(more)) <= factor(str(less))


@pytest.mark.parametrize(
    "text",
    [
        "", "none", "GUARDED", "guarded ", "guard factor", "guard factor 0", "guard factor 3.01",
        "guard factor -0.5", "guard factor 1e-1", "guard factor nan", "guard factor 0.83 U",
        "method 5", "method 6 ",
    ],
)  # fmt: skip
def test_another_word_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(UsageError, match='allowed: "guarded", "simple", "method 6", or "guard fac'):
        Rule.parse(text)


@pytest.mark.parametrize(
    ("guard", "share"),
    [
        (Guard.EXPANDED, "1"), (Guard.NONE, "1"), (Guard.METHOD_6, "1"), (Guard.SHARE, None),
        (Guard.SHARE, "0"), (Guard.SHARE, "-1"), (Guard.SHARE, "3.001"), (Guard.SHARE, "NaN"),
        (Guard.SHARE, "Infinity"),
    ],
)  # fmt: skip
def test_a_factor_belongs_to_the_guard_factor_alone(guard: Guard, share: str | None) -> None:
    with pytest.raises(UsageError, match="allowed: "):
        Rule(guard, None if share is None else Decimal(share))
