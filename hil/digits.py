"""How many digits of a figure are told: those that its uncertainty leaves, and no lie by rounding.

Nothing here decides: verdicts come from exact decimals. Reasons in the journal and the tables of a
report round by the same steps, so that one figure is told in one way.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Context, Decimal

from hil.exact import ARITHMETIC, UNITS, Dimension, units_of

_TIMES = 9
"""A step is made finer at most so often."""
_TWELVE = Context(prec=12, traps=[])
"""Digits of a figure that has no uncertainty."""
_LONGEST = 30
"""From this power of ten on, a figure is told by it."""
_FIXED = {Dimension.CURRENT_DENSITY: "mA/cm^2", Dimension.AREA: "cm^2"}
"""Units that are not chosen by size."""
_LIMITED = {Dimension.TIME: ("s", "ms", "us", "ns"), Dimension.CHARGE: ("C", "mC", "uC"),
            Dimension.RATIO: ("1",)}  # fmt: skip
"""Dimensions of which not every unit is told."""


def uncertainty_step(expanded: Decimal | None) -> Decimal | None:
    """Step that leaves two significant digits of an expanded uncertainty (SI)."""
    if expanded is None or not expanded.is_finite() or expanded <= 0:
        return None
    return Decimal(1).scaleb(expanded.adjusted() - 1)


def value_step(
    value: Decimal | None, expanded: Decimal | None, limits: Iterable[Decimal | None]
) -> Decimal | None:
    """Step for a measured value: that of its uncertainty, finer where rounding would cross a limit.

    A value beyond its limit must not be printed as equal to it, nor one within it as beyond it.
    """
    step = uncertainty_step(expanded)
    if step is None or value is None or not value.is_finite():
        return None
    return _kept(value, step, limits)


def margin_step(
    margin: Decimal | None, guard: Decimal | None, step: Decimal | None
) -> Decimal | None:
    """Step for a margin: that of its value, finer where it would seem nothing, or as wide as w."""
    if step is None or margin is None or not margin.is_finite():
        return step
    return _kept(margin, step, [Decimal(0), guard])


def rounded(value: Decimal, step: Decimal | None) -> Decimal:
    """A figure rounded to a step, half to even; as it is without one, or where it has no place."""
    if step is None or not value.is_finite():
        return value
    near = value.quantize(Decimal(1).scaleb(step.adjusted()), ROUND_HALF_EVEN, ARITHMETIC)
    return near if near.is_finite() else value


def common_unit(dimension: Dimension, figures: Iterable[Decimal | None]) -> str:
    """Choose one unit of `UNITS` for SI figures that are told together, by the largest of them."""
    if dimension in _FIXED:
        return _FIXED[dimension]
    sizes = [abs(figure) for figure in figures if figure is not None and figure.is_finite()]
    largest = max(sizes, default=Decimal(0))
    if not largest:
        return dimension.value
    sized = {UNITS[name][1]: name for name in _LIMITED.get(dimension, units_of(dimension))}
    return sized[max((size for size in sized if size <= largest), default=min(sized))]


def told(value: Decimal, unit: str, step: Decimal | None) -> str:
    """Write an SI figure in a unit of `UNITS`, rounded to a step in SI; no zero has a sign."""
    near = rounded(value, step)
    shown = ARITHMETIC.divide(near, UNITS[unit][1]) if near else abs(near)
    if step is None or (near == value and not near):
        shown = shown.normalize(_TWELVE)
    digits = f"{shown:f}" if abs(shown.adjusted()) < _LONGEST else f"{shown:.3e}"
    return digits if unit == "1" else f"{digits} {unit}"


def _kept(value: Decimal, step: Decimal, edges: Iterable[Decimal | None]) -> Decimal | None:
    """The step, finer until rounding leaves a value on its side of each edge; None if none does."""
    known = [edge for edge in edges if edge is not None and edge.is_finite()]
    for _ in range(_TIMES):
        near = rounded(value, step)
        if all(near.compare(edge) == value.compare(edge) for edge in known):
            return step
        step = step.scaleb(-1)
    return None
