"""Exact quantities decide as fractions do, on every boundary and across all units."""

from __future__ import annotations

import operator
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.errors import DimensionError
from hil.exact import UNITS, Dimension, Exact, readable, units_of
from hil.units import registry

law = settings(derandomize=True, deadline=None, max_examples=80)

# Written out by hand, so that a wrong factor in `UNITS` is not its own oracle.
FACTORS = {
    "A": 1, "mA": Fraction(1, 10**3), "uA": Fraction(1, 10**6), "nA": Fraction(1, 10**9),
    "V": 1, "kV": 1000, "mV": Fraction(1, 10**3), "uV": Fraction(1, 10**6),
    "ohm": 1, "kohm": 1000, "Mohm": 10**6,
    "s": 1, "ms": Fraction(1, 10**3), "us": Fraction(1, 10**6), "ns": Fraction(1, 10**9),
    "min": 60, "h": 3600,
    "C": 1, "mC": Fraction(1, 10**3), "uC": Fraction(1, 10**6), "mA*min": Fraction(6, 100),
    "A/s": 1, "mA/s": Fraction(1, 10**3), "uA/s": Fraction(1, 10**6),
    "Hz": 1, "kHz": 1000, "MHz": 10**6,
    "F": 1, "uF": Fraction(1, 10**6), "nF": Fraction(1, 10**9), "pF": Fraction(1, 10**12),
    "J": 1, "mJ": Fraction(1, 10**3), "uJ": Fraction(1, 10**6),
    "cm^2": Fraction(1, 10**4), "m^2": 1, "mA/cm^2": 10, "A/m^2": 1,
    "degC": 1, "%": Fraction(1, 100), "ppm": Fraction(1, 10**6), "1": 1, "count": 1, "true": 1,
}  # fmt: skip
ORDERS = (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne)


def numbers(places: int = 12) -> st.SearchStrategy[Decimal]:
    return st.integers(-(10**18), 10**18).map(lambda n: Decimal(n).scaleb(-places))


def fraction(value: Exact) -> Fraction:
    return Fraction(value.magnitude) * FACTORS[value.unit]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Exact, Exact]:
    """Two quantities of one dimension; often the same in another unit, or a hair beside it."""
    dimension = draw(st.sampled_from(Dimension))
    first, second = (draw(st.sampled_from(units_of(dimension))) for _ in range(2))
    magnitude = draw(numbers())
    ratio = Fraction(FACTORS[first]) / Fraction(FACTORS[second])
    hair = draw(st.sampled_from(["0", "1E-9", "-1E-9", "1E-40", "-1E-40"]))
    exact = Fraction(magnitude) * ratio + Fraction(hair)
    text = f"{exact.numerator * 10**60 // exact.denominator}E-60"  # exact unless divided by 6 or 36
    other = draw(st.one_of(st.just(Decimal(text)), numbers()))
    return Exact(magnitude, first), Exact(other, second)


def test_every_unit_has_the_factor_that_its_name_says() -> None:
    assert {name: Fraction(factor) for name, (_, factor) in UNITS.items()} == FACTORS


@law
@given(pairs())
def test_comparison_agrees_with_fractions(pair: tuple[Exact, Exact]) -> None:
    a, b = pair
    for order in ORDERS:
        assert order(a, b) == order(fraction(a), fraction(b)), order


@law
@given(pairs())
def test_equal_quantities_have_equal_hashes(pair: tuple[Exact, Exact]) -> None:
    a, b = pair
    twin = Exact(a.base, a.dimension.value)
    assert twin == a
    assert hash(twin) == hash(a)
    assert a != b or hash(a) == hash(b)


def test_a_difference_in_the_fortieth_digit_decides() -> None:
    limit = Exact.parse("4 mA")
    above = Exact.parse("4000." + "0" * 39 + "1 uA")
    assert above > limit
    assert not above <= limit
    assert above != limit


@pytest.mark.parametrize("text", ["0.1", "0.3", "2.675", "4.35", "1.1", "0.7"])
def test_boundaries_that_binary_floats_miss_are_met(text: str) -> None:
    micro = Exact(Decimal(text) * 1000, "uA")
    assert Exact.parse(f"{text} mA") == micro
    assert Exact.parse(f"{text} mA") <= micro
    assert not Exact.parse(f"{text} mA") < micro


@law
@given(pairs())
def test_shifting_the_unit_by_a_power_of_ten_changes_nothing(pair: tuple[Exact, Exact]) -> None:
    a, b = pair
    if b.unit in {"min", "h", "mA*min"}:
        return
    moved = a.to(b.unit)
    assert moved.unit == b.unit
    assert moved.dimension is a.dimension
    if a.unit not in {"min", "h", "mA*min"}:
        assert moved == a


def test_to_refuses_other_dimensions_and_unknown_units() -> None:
    with pytest.raises(DimensionError, match="4 mA is a current, not in mV"):
        Exact.parse("4 mA").to("mV")
    with pytest.raises(DimensionError, match="'mAh' is unknown; allowed: A, mA"):
        Exact.parse("4 mA").to("mAh")


@law
@given(numbers(), st.sampled_from(sorted(UNITS)))
def test_what_is_printed_is_read_back(magnitude: Decimal, unit: str) -> None:
    value = Exact(magnitude, unit)
    again = Exact.parse(str(value))
    assert (again.magnitude, again.unit) == (magnitude, unit)


@law
@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(sorted(UNITS)))
def test_a_pint_quantity_is_taken_at_its_shortest_text(number: float, unit: str) -> None:
    if unit in {"count", "true"}:
        return
    taken = Exact.of(Exact(Decimal(repr(number)), unit).quantity)
    assert taken.dimension is UNITS[unit][0]
    assert taken.base == Exact(Decimal(repr(number)), unit).base


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "4",
        "4.0",
        "mA",
        "4 4 mA",
        "1e mA",
        "NaN mA",
        "inf mA",
        "4 ma",
        "4 MA",
        "4 mAh",
        "4,0 mA",
        "0x4 mA",
        "--4 mA",
        "4 mA;",
    ],
)
def test_text_that_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(DimensionError):
        Exact.parse(text)


@pytest.mark.parametrize("magnitude", [None, "four", [1.0, 2.0], complex(1, 1)])
def test_what_is_not_one_number_is_refused(magnitude: object) -> None:
    with pytest.raises(DimensionError, match="not one number"):
        Exact.si(magnitude, Dimension.CURRENT)  # type: ignore[arg-type]  # that is the point


def test_a_bare_number_says_what_is_missing() -> None:
    with pytest.raises(DimensionError, match=r'has no unit; write it as "4\.0 mA"'):
        Exact.parse("4.0")
    with pytest.raises(DimensionError, match=r"4.0 has no unit; write it as 2 \* mA"):
        Exact.of(4.0)  # type: ignore[arg-type]  # that is the point


def test_a_pint_unit_that_no_file_may_use_is_refused() -> None:
    with pytest.raises(DimensionError, match="unit meter is unknown; allowed"):
        Exact.of(registry.Quantity(1.0, "meter"))


@pytest.mark.parametrize("order", ORDERS[:4])
def test_no_order_with_a_bare_number_another_dimension_or_nan(order: object) -> None:
    assert callable(order)
    limit = Exact.parse("4 mA")
    nothing = Exact(Decimal("NaN"), "mA")
    for other in (4, 0.004, Decimal("0.004"), limit.quantity, None, "4 mA", Exact.parse("4 mV")):
        with pytest.raises(DimensionError):
            order(limit, other)
    for pair in ((limit, nothing), (nothing, limit), (nothing, nothing)):
        with pytest.raises(DimensionError, match="no order"):
            order(*pair)


@law
@given(pairs())
def test_a_sum_is_exact_and_keeps_its_unit_where_it_can(pair: tuple[Exact, Exact]) -> None:
    a, b = pair
    assert fraction(a + b) == fraction(a) + fraction(b)
    if a.unit not in {"min", "h", "mA*min"} and b.unit not in {"min", "h", "mA*min"}:
        assert (a + b).unit == a.unit


def test_a_sum_in_minutes_is_not_rounded() -> None:
    assert Exact.parse("1 min") + Exact.parse("20 s") == Exact.parse("80 s")
    assert (Exact.parse("1 min") + Exact.parse("30 s")).unit == "min"
    assert Exact.parse("4 mA") + registry.Quantity(0.1, "mA") == Exact.parse("4.1 mA")


def test_a_sum_or_share_of_something_else_is_refused() -> None:
    for other in (Exact.parse("1 V"), 1, 0.001):
        with pytest.raises(DimensionError):
            Exact.parse("1 mA") + other  # type: ignore[operator]  # that is the point
    with pytest.raises(DimensionError):
        Exact.parse("1 mA") * Exact.parse("1 s")


@law
@given(numbers(), numbers())
def test_a_share_is_exact(magnitude: Decimal, percent: Decimal) -> None:
    found = Exact(magnitude, "mA") * Exact(percent, "%")
    assert found.unit == "mA"
    assert Fraction(found.magnitude) == Fraction(magnitude) * Fraction(percent) / 100


@pytest.mark.parametrize(
    ("value", "dimension", "digits", "text"),
    [
        ("4.86e-5", Dimension.CURRENT, 3, "48.6 uA"),
        ("-4.86e-5", Dimension.CURRENT, 3, "-48.6 uA"),
        ("0.004", Dimension.CURRENT, 3, "4.00 mA"),
        ("0.001", Dimension.CURRENT, 2, "1.0 mA"),
        ("0.000999", Dimension.CURRENT, 3, "999 uA"),
        ("4.0123456", Dimension.CURRENT, 5, "4.0123 A"),
        ("123456", Dimension.RESISTANCE, 3, "123 kohm"),
        ("1e-12", Dimension.CURRENT, 3, "0.00100 nA"),
        ("0", Dimension.CURRENT, 3, "0 nA"),
        ("NaN", Dimension.CURRENT, 3, "NaN A"),
        ("Infinity", Dimension.CURRENT, 3, "Infinity A"),
        ("36.6", Dimension.TEMPERATURE, 3, "36.6 degC"),
    ],
)
def test_readable(value: str, dimension: Dimension, digits: int, text: str) -> None:
    assert readable(Decimal(value), dimension, digits) == text


def test_a_decimal_is_taken_digit_by_digit() -> None:
    long = Decimal("0.1234567890123456789012345678901234567890")
    assert Exact.si(long, Dimension.CURRENT).base == long


def test_quantities_of_two_dimensions_are_never_equal() -> None:
    assert Exact.parse("0 mA") != Exact.parse("0 mV")
    assert Exact.parse("1 A") != 1


def test_an_absurd_exponent_is_a_quantity_that_no_decision_accepts() -> None:
    assert Exact.parse("1e999999999999999999 MHz").base.is_infinite()


def test_require_names_what_came_and_what_is_allowed() -> None:
    assert Exact.parse("1 s").require(Dimension.TIME) == Exact.parse("1000 ms")
    with pytest.raises(DimensionError, match="1 V is a voltage; a current belongs here, in A, mA"):
        Exact.parse("1 V").require(Dimension.CURRENT)
