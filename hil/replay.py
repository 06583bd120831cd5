"""A judgement judged again from its own figures: a verdict that was edited does not stand."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

from hil.bodies import JudgementBody, MeasuredBody
from hil.exact import ARITHMETIC, Dimension
from hil.measurement import Calibration, Component, Measurement
from hil.rule import Rule
from hil.verdict import Verdict, worst


def replayed(body: JudgementBody, rule: str) -> Verdict:
    """Return the worse of the recorded verdict and the one that the recorded figures make.

    Args:
        body: the judgement as journaled.
        rule: decision rule of its requirement, as planned.
    """
    recorded = Verdict(body["verdict"])
    if recorded in {Verdict.ERROR, Verdict.NOT_EVALUATED, Verdict.NOT_APPLICABLE}:
        return recorded  # nothing was measured, or it could not be used
    measured = body["measured"]
    if measured is None:
        return worst([recorded, Verdict.ERROR]) if recorded is Verdict.PASS else recorded
    try:
        return worst([recorded, _decided(body, measured, rule)])
    except (InvalidOperation, ValueError, TypeError, KeyError):
        return worst([recorded, Verdict.ERROR])


def _decided(body: JudgementBody, measured: MeasuredBody, rule: str) -> Verdict:
    value = Decimal(measured["value"])
    calibrated = measured["calibration"] == Calibration.VALID.value
    if measured["unit"] == Dimension.TRUTH.value:
        good = Verdict.PASS if calibrated else Verdict.INCONCLUSIVE
        return good if value == 1 else Verdict.FAIL
    lower, upper = (
        None if edge is None else Decimal(edge) for edge in (body["lower"], body["upper"])
    )
    if not value.is_finite() or (lower is None and upper is None):
        return Verdict.ERROR
    margins = ([] if upper is None else [ARITHMETIC.subtract(upper, value)]) + (
        [] if lower is None else [ARITHMETIC.subtract(value, lower)]
    )
    margin = min(margins)
    if margin < 0:
        return Verdict.FAIL
    if measured["censored"] and upper is not None:
        return Verdict.ERROR
    half = None if upper is None or lower is None else (upper - lower) / 2
    counted = measured["unit"] == Dimension.COUNT.value
    guard = Decimal(0) if counted else Rule.parse(rule).width(_expanded(measured), half)
    return Verdict.PASS if margin >= guard and calibrated else Verdict.INCONCLUSIVE


def _expanded(measured: MeasuredBody) -> Decimal:
    """The expanded uncertainty, combined anew from the components."""
    parts = tuple(
        Component(str(part["id"]), float(part["u"]), float(part["sensitivity"]))
        for part in measured["components"]
    )
    return Measurement(Decimal(0), Dimension(measured["unit"]), parts).expanded
