"""From a measurement and a requirement to a verdict; fails closed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from hil import risk
from hil.derivation import Sources, walked
from hil.digits import common_unit, margin_step, told, uncertainty_step, value_step
from hil.errors import UsageError
from hil.exact import ARITHMETIC, Dimension, Exact, readable
from hil.mask import Mask
from hil.measurement import Calibration, Measurement
from hil.requirement import Kind, Requirement
from hil.rule import SIMPLE
from hil.verdict import Verdict

if TYPE_CHECKING:
    from hil.capture import Capture

TOO_SHORT = "the record ends after"
"""Begins the reason of an ERROR that a longer record would decide."""
LEAST_TUR = 4
"""A test uncertainty ratio below this is printed as a warning."""


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
    rule: str = ""
    """Decision rule as a file gives it, as "guarded"; empty if nothing was compared."""
    guard: Decimal = Decimal(0)
    """Guard band w in SI."""
    accept_lower: Decimal | None = None
    """Lower acceptance limit in SI: `lower` + w."""
    accept_upper: Decimal | None = None
    """Upper acceptance limit in SI: `upper` - w."""
    margin: Decimal | None = None
    """Distance from the measured value to the nearer tolerance limit, negative outside, in SI."""
    conformance: float | None = None
    """Probability that the true value lies within the tolerance limits (normal distribution)."""
    false_accept: float | None = None
    """Specific risk 1 - conformance of a value that its rule accepts; None of any other."""
    worst_false_accept: float | None = None
    """The same of a value at the acceptance limit: the most that the rule lets pass. None where
    the rule can accept nothing."""
    tur: float | None = None
    """Test uncertainty ratio (upper - lower) / 2 U of a two-sided limit; infinite if U is 0."""
    share: float | None = None
    """U / |limit| of a one-sided limit that is not 0."""
    warning: str = ""
    """What to mind though a verdict was reached: a test uncertainty ratio below 4."""


def judge(requirement: Requirement, measured: object, at: Exact | None = None) -> Judgement:
    """Decide one measurement; never raises for what was measured.

    A value that is missing, not a Measurement, not finite or of another dimension is an ERROR;
    so is a missing `at` where the limit relates to one. Never a PASS, never an exception.
    NOT_EVALUATED, whatever was measured, if the device file lacks the limit's figure.
    """
    if requirement.limit.lacks:
        kept = measured if isinstance(measured, Measurement) else None
        return Judgement(requirement.id, Verdict.NOT_EVALUATED, requirement.limit.lacks, kept, at)
    refusal = _refusal(requirement, measured, at)
    if refusal is not None or not isinstance(measured, Measurement):
        kept = measured if isinstance(measured, Measurement) else None
        return Judgement(requirement.id, Verdict.ERROR, refusal or "no measurement", kept, at)
    if measured.censored and not _decided_though_censored(requirement, measured, at):
        observed = readable(measured.value, measured.dimension)
        short = f"{TOO_SHORT} {observed}, too early to decide"
        return Judgement(requirement.id, Verdict.ERROR, short, measured, at)
    if requirement.limit.kind is Kind.TRUE:
        verdict, reason = _truth(measured)
        return Judgement(requirement.id, verdict, reason, measured, at)
    return _compared(requirement, measured, at)


def _refusal(requirement: Requirement, measured: object, at: object) -> str | None:
    if requirement.limit.mask is not None and not _held_against(requirement.limit.mask, measured):
        return (
            f"{requirement.id} bounds a {requirement.dimension.name.lower()} over time; judge() "
            f"takes its waveform and at=<the event>, not a {type(measured).__name__} and at={at!r}"
        )
    if not isinstance(measured, Measurement):
        return f"{requirement.id} was given {measured!r}; judge() takes a Measurement"
    if measured.dimension is not requirement.dimension:
        wanted = requirement.dimension.name.lower()
        return f"{requirement.id} needs a {wanted}, got {measured.dimension.name.lower()}"
    if not _is_decimal(measured.value):
        return f"the value {measured.value!r} is no Decimal"
    if not measured.value.is_finite():
        return f"the value is {measured.value}: {measured.note or 'overload, gap or no reading'}"
    if not measured.expanded.is_finite():
        return f"the uncertainty is {measured.u}"
    negative = [part for part in measured.components if part.u < 0]
    if negative:
        return f"the uncertainty {negative[0].id} is {negative[0].u}; allowed: 0 or more"
    if requirement.budgeted and not measured.components:
        return "the value has no uncertainty budget"
    if measured.dimension is Dimension.COUNT and not _is_count(measured):
        return f"{measured.value} with U = {measured.expanded} is no count: a whole number, U = 0"
    if at is not None and not isinstance(at, Exact):
        return f"{requirement.id} was given at={at!r}; judge() takes an Exact"
    if requirement.limit.relates:
        if at is None:
            return f"{requirement.id} is {requirement.limit}; judge() needs at=<commanded value>"
        if at.dimension is not requirement.dimension or not at.base.is_finite():
            return f"at={at} does not fit {requirement.id}, a {requirement.dimension.name.lower()}"
    return None


def _held_against(mask: Mask, measured: object) -> bool:
    """Whether a value is the worst excess over this mask; a negative mean is not inside of it."""
    tree = measured.derivation if isinstance(measured, Measurement) else None
    if not tree or tree.get("feature") != "outside":
        return False
    try:
        return bool(walked(tree["given"]["mask"], Sources(_no_capture)) == mask)
    except (KeyError, TypeError, UsageError):
        return False


def _no_capture(sha256: str) -> Capture:
    raise UsageError(f"a mask rests on no capture; {sha256} was asked for")


def _is_decimal(value: object) -> bool:
    return isinstance(value, Decimal)


def _is_count(measured: Measurement) -> bool:
    value = measured.value
    return value >= 0 and value == value.to_integral_value() and measured.expanded == 0


def _decided_though_censored(
    requirement: Requirement, measured: Measurement, at: Exact | None
) -> bool:
    lower, upper = bounds(requirement, at)
    if upper is not None:
        return measured.value > upper
    return lower is not None and measured.value >= lower


def _compared(requirement: Requirement, measured: Measurement, at: Exact | None) -> Judgement:
    lower, upper = bounds(requirement, at)
    half = _half(lower, upper)
    rule = requirement.rule if requirement.budgeted else SIMPLE
    guard = rule.width(measured.expanded, half)
    margins = [ARITHMETIC.subtract(upper, measured.value)] if upper is not None else []
    margins += [ARITHMETIC.subtract(measured.value, lower)] if lower is not None else []
    margin = min(margins)
    verdict, reason = _verdict(margin, guard, (lower, upper), measured)
    judged = Judgement(
        requirement.id,
        verdict,
        reason,
        measured,
        at,
        lower,
        upper,
        guard=guard,
        accept_lower=None if lower is None else ARITHMETIC.add(lower, guard),
        accept_upper=None if upper is None else ARITHMETIC.subtract(upper, guard),
        margin=margin,
    )
    return _weighed(judged, measured, half, str(rule)) if requirement.budgeted else judged


def _weighed(
    judged: Judgement, measured: Measurement, half: Decimal | None, rule: str
) -> Judgement:
    """The same with its risks, and with how large U is beside the tolerance."""
    lower, upper = judged.lower, judged.upper
    outside = risk.outside(measured.value, measured.u, lower, upper)
    edge = (upper if lower is None else lower) if half is None else None
    tur = None if half is None else risk.ratio(half, measured.expanded)
    low = tur is not None and tur < LEAST_TUR
    return replace(
        judged,
        rule=rule,
        conformance=float(1 - outside),
        false_accept=float(outside) if judged.verdict is Verdict.PASS else None,
        worst_false_accept=_worst(judged, measured.u, half),
        tur=tur,
        share=None if edge is None else risk.ratio(measured.expanded, abs(edge)),
        warning=f"test uncertainty ratio {tur:.3g}, less than {LEAST_TUR}" if low else "",
    )


def _worst(judged: Judgement, u: float, half: Decimal | None) -> float | None:
    """Probability of a false accept at the acceptance limit; None if guard bands cross."""
    if half is not None and judged.guard > half:
        return None
    edge = judged.accept_lower if judged.accept_upper is None else judged.accept_upper
    return None if edge is None else float(risk.outside(edge, u, judged.lower, judged.upper))


def _half(lower: Decimal | None, upper: Decimal | None) -> Decimal | None:
    """Half-width of a two-sided tolerance."""
    if lower is None or upper is None:
        return None
    return ARITHMETIC.divide(ARITHMETIC.subtract(upper, lower), Decimal(2))


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
    if limit.lower is not None and limit.upper is not None:
        return limit.lower.base, limit.upper.base
    if limit.kind is Kind.ENVELOPE:
        return None, Decimal(0)
    figure = limit.figure.base if limit.figure else None
    return (figure, None) if limit.kind is Kind.AT_LEAST else (None, figure)


def _truth(measured: Measurement) -> tuple[Verdict, str]:
    if measured.value != 1:
        return Verdict.FAIL, measured.note or "it does not hold"
    if measured.calibration is not Calibration.VALID:
        return Verdict.INCONCLUSIVE, f"holds, but calibration is {measured.calibration.value}"
    return Verdict.PASS, f"{measured.note or 'it holds'}{_seen(measured)}"


def _verdict(
    margin: Decimal,
    guard: Decimal,
    limits: tuple[Decimal | None, Decimal | None],
    measured: Measurement,
) -> tuple[Verdict, str]:
    """Verdict and reason; the figures of it in one unit, and with the digits that U leaves."""
    half = _half(*limits)
    unit = common_unit(measured.dimension, (measured.value, *limits))
    step = value_step(measured.value, measured.expanded, limits)
    size = told(abs(margin), unit, margin_step(margin, guard, step))
    fine = uncertainty_step(measured.expanded)
    width = told(guard, unit, fine)
    if margin < 0:
        near = ", within U of the limit" if -margin <= measured.expanded else ""
        least = "at least " if measured.censored else ""
        return Verdict.FAIL, f"outside by {least}{size}{near}"
    if half is not None and guard > half:
        room = told(half, unit, fine)
        why = f"w = {width} is more than half the tolerance, {room}: no value can be accepted"
        return Verdict.INCONCLUSIVE, f"inside by {size}, but {why}"
    if margin < guard:
        return Verdict.INCONCLUSIVE, f"inside by {size}, less than w = {width}"
    if measured.calibration is not Calibration.VALID:
        return Verdict.INCONCLUSIVE, f"inside, but calibration is {measured.calibration.value}"
    return Verdict.PASS, f"inside by {size}, w = {width}{_seen(measured)}"


def _seen(measured: Measurement) -> str:
    """What a PASS excludes of what must never happen, to follow its figures."""
    if measured.excursion is None:
        return ""
    shortest = readable(Decimal(repr(measured.excursion)), Dimension.TIME, digits=2)
    return f"; an excursion of {shortest} or longer shows whole"
