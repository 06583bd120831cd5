"""From a measurement and a requirement to a verdict; fails closed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from hil.exact import ARITHMETIC, Dimension, Exact, readable
from hil.measurement import Calibration, Measurement
from hil.requirement import Kind, Requirement, Rule
from hil.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Judgement:
    """One decision, with all that is needed to repeat it."""

    requirement: str
    """Id of the requirement."""
    verdict: Verdict
    """Outcome of this one measurement."""
    reason: str
    """Why, in one line; names the figures."""
    measured: Measurement | None = None
    """What was judged; None if nothing usable came."""
    at: Exact | None = None
    """Value to which a relative limit relates, as commanded."""
    lower: Decimal | None = None
    """Lower tolerance limit in SI."""
    upper: Decimal | None = None
    """Upper tolerance limit in SI."""
    guard: Decimal = Decimal(0)
    """Guard band w in SI."""
    margin: Decimal | None = None
    """Distance from the measured value to the nearer tolerance limit, negative outside, in SI."""
    conformance: float | None = None
    """Probability that the true value lies within the tolerance limits (normal distribution)."""


def judge(requirement: Requirement, measured: object, at: Exact | None = None) -> Judgement:
    """Decide one measurement; never raises for what was measured.

    A value that is missing, not a Measurement, not finite or of another dimension is an ERROR;
    so is a missing `at` where the limit relates to one. Never a PASS, never an exception.
    """
    refusal = _refusal(requirement, measured, at)
    if refusal is not None or not isinstance(measured, Measurement):
        kept = measured if isinstance(measured, Measurement) else None
        return Judgement(requirement.id, Verdict.ERROR, refusal or "no measurement", kept, at)
    if measured.censored and not _decided_though_censored(requirement, measured, at):
        observed = f"{measured.value} {measured.dimension.value}"
        short = f"the record ends after {observed}, too early to decide"
        return Judgement(requirement.id, Verdict.ERROR, short, measured, at)
    if requirement.limit.kind is Kind.TRUE:
        verdict, reason = _truth(measured)
        return Judgement(requirement.id, verdict, reason, measured, at)
    return _compared(requirement, measured, at)


def _refusal(requirement: Requirement, measured: object, at: object) -> str | None:
    if not isinstance(measured, Measurement):
        return f"{requirement.id} was given {measured!r}; judge() takes a Measurement"
    if measured.dimension is not requirement.dimension:
        wanted = requirement.dimension.name.lower()
        return f"{requirement.id} needs a {wanted}, got {measured.dimension.name.lower()}"
    if not _is_decimal(measured.value):
        return f"the value {measured.value!r} is no Decimal"
    if not measured.value.is_finite():
        return f"the value is {measured.value}: overload, gap or no reading"
    if not math.isfinite(measured.u):
        return f"the uncertainty is {measured.u}"
    if measured.dimension is not Dimension.TRUTH and not measured.components:
        return "the value has no uncertainty budget"
    if at is not None and not isinstance(at, Exact):
        return f"{requirement.id} was given at={at!r}; judge() takes an Exact"
    if requirement.limit.relates:
        if at is None:
            return f"{requirement.id} is {requirement.limit}; judge() needs at=<commanded value>"
        if at.dimension is not requirement.dimension or not at.base.is_finite():
            return f"at={at} does not fit {requirement.id}, a {requirement.dimension.name.lower()}"
    return None


def _is_decimal(value: object) -> bool:
    return isinstance(value, Decimal)


def _decided_though_censored(
    requirement: Requirement, measured: Measurement, at: Exact | None
) -> bool:
    lower, upper = bounds(requirement, at)
    if upper is not None:
        return measured.value > upper
    return lower is not None and measured.value >= lower


def _compared(requirement: Requirement, measured: Measurement, at: Exact | None) -> Judgement:
    lower, upper = bounds(requirement, at)
    guard = measured.expanded if requirement.rule is Rule.GUARDED else Decimal(0)
    margins = [ARITHMETIC.subtract(upper, measured.value)] if upper is not None else []
    margins += [ARITHMETIC.subtract(measured.value, lower)] if lower is not None else []
    margin = min(margins)
    verdict, reason = _verdict(margin, guard, measured)
    return Judgement(
        requirement.id,
        verdict,
        reason,
        measured,
        at,
        lower,
        upper,
        guard,
        margin,
        _conformance(measured, lower, upper),
    )


def bounds(requirement: Requirement, at: Exact | None) -> tuple[Decimal | None, Decimal | None]:
    """Return the tolerance limits in SI: (lower, upper), None where there is none."""
    limit = requirement.limit
    if limit.relates and at is not None:
        tolerance = limit.tolerance(at)
        if limit.kind is Kind.DIFFERENCE:
            return tolerance.copy_negate(), tolerance
        upper = ARITHMETIC.add(at.base, tolerance)
        lower = ARITHMETIC.subtract(at.base, tolerance)
        return (lower if limit.kind is Kind.WITHIN else None), upper
    figure = limit.figure.base if limit.figure else None
    return (figure, None) if limit.kind is Kind.AT_LEAST else (None, figure)


def _truth(measured: Measurement) -> tuple[Verdict, str]:
    if measured.value != 1:
        return Verdict.FAIL, measured.note or "it does not hold"
    if measured.calibration is not Calibration.VALID:
        return Verdict.INCONCLUSIVE, f"holds, but calibration is {measured.calibration.value}"
    return Verdict.PASS, measured.note or "it holds"


def _verdict(margin: Decimal, guard: Decimal, measured: Measurement) -> tuple[Verdict, str]:
    size = readable(abs(margin), measured.dimension)
    width = readable(guard, measured.dimension)
    if margin < 0:
        near = ", within U of the limit" if -margin <= measured.expanded else ""
        return Verdict.FAIL, f"outside by {size}{near}"
    if margin < guard:
        return Verdict.INCONCLUSIVE, f"inside by {size}, less than w = {width}"
    if measured.calibration is not Calibration.VALID:
        return Verdict.INCONCLUSIVE, f"inside, but calibration is {measured.calibration.value}"
    return Verdict.PASS, f"inside by {size}, w = {width}"


def _conformance(measured: Measurement, lower: Decimal | None, upper: Decimal | None) -> float:
    spread = measured.u
    if spread == 0:
        inside = (lower is None or lower <= measured.value) and (
            upper is None or measured.value <= upper
        )
        return float(inside)

    def below(edge: Decimal | None, otherwise: float) -> float:
        if edge is None:
            return otherwise
        distance = float(ARITHMETIC.subtract(edge, measured.value))
        return 0.5 * (1 + math.erf(distance / (spread * math.sqrt(2))))

    return max(0.0, below(upper, 1.0) - below(lower, 0.0))
