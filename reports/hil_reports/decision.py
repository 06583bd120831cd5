"""How a verdict was reached, in words: the rules of a run, and what each judgement weighed."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from hil.bodies import JudgementBody, RequirementBody
from hil.digits import uncertainty_step
from hil_reports.text import decimal, scale

_BASIS = (
    "With tolerance limit T, measured value y and expanded uncertainty U (k = 2, about 95 %), PASS "
    "needs y at least the guard band w inside of T; inside by less than w is INCONCLUSIVE; beyond "
    "T is FAIL."
)
_RULES = {
    "guarded": "Guarded acceptance, w = U, is the default for limits that protect the patient: the "
    "probability that an accepted value truly lies beyond such a limit is at most 2.28 %, which it "
    "is at the acceptance limit (normal distribution, one-sided, k = 2).",
    "simple": "Simple acceptance, w = 0, is used where a requirement names it: that probability "
    "reaches 50 % at the limit.",
    "guard factor": "Guarded acceptance with a factor, w = r U, is used where a requirement names "
    "it: that probability at the acceptance limit is printed with each result.",
    "method 6": "Method 6, w = U (1.04 - exp(0.38 ln TUR - 0.54)) and at least 0, is used where a "
    "requirement with a two-sided tolerance names it: of all devices at most 2 % are accepted "
    "though outside, however they spread; of a single value at the acceptance limit the "
    "probability is larger, and printed with each result.",
}
_AT_LIMIT = {"guarded": "2.28 %", "simple": "50.00 %"}
"""Of a rule that always lets pass the same at its acceptance limit; its words say so once."""
_NEGLIGIBLE = "< 0.01 %"
_RISKS = (
    "The probability of a false accept is printed with a value where it is 0.01 % or more, and the "
    "one at the acceptance limit where it is another than the rule says here."
)
_EXACT = (
    "A count and a yes or no are exact: they have no guard band. So a yes or no that follows from "
    "a measured value is compared without one, though the value is uncertain."
)
_NEVER = (
    "A value that is missing, not finite, without the uncertainty budget that it needs or from an "
    "instrument out of calibration is never a PASS. The test uncertainty ratio TUR is (upper - "
    "lower limit) / 2 U; below 4 it is a warning. Of a one-sided limit U / limit is printed."
)
_LARGEST = 1000
"""A larger ratio is printed as such."""


def rules_in_words(requirements: Iterable[RequirementBody]) -> str:
    """Say how uncertainty enters the verdicts of a run: each rule that it uses, once."""
    found = list(requirements)
    used = {body["rule"] for body in found if body["dimension"] not in {"count", "true"}}
    exact = any(body["dimension"] in {"count", "true"} for body in found)
    parts = [text for word, text in _RULES.items() if any(rule.startswith(word) for rule in used)]
    weighed = [_RISKS] if parts else []
    return " ".join([_BASIS, *parts, *weighed, *([_EXACT] if exact else []), _NEVER])


def weighing(body: JudgementBody) -> str:
    """What a judgement weighed, in one line; empty where nothing was compared with uncertainty.

    Acceptance limits are rounded inwards: no value is printed inside that was not accepted.
    """
    measured = body["measured"]
    if measured is None or not body["rule"]:
        return ""
    parts = [_accepted(body, measured["unit"], decimal(measured["expanded"]))]
    if body["tur"] is not None:
        parts.append(f"TUR {_ratio(body['tur'])}")
    if body["share"] is not None:
        parts.append(f"U / limit {body['share'] * 100:.2g} %")
    risks = {"": body["false_accept"], "at the acceptance limit ": body["worst_false_accept"]}
    implied = {"": _NEGLIGIBLE, "at the acceptance limit ": _AT_LIMIT.get(body["rule"], "")}
    known = {where: _bare(risk) for where, risk in risks.items() if risk is not None}
    told = [f"{where}{risk}" for where, risk in known.items() if risk != implied[where]]
    if told:
        parts.append(f"false accept {', '.join(told)}")
    return "; ".join(parts)


def share(value: float) -> str:
    """A probability, never rounded to certainty: "= 2.28 %", "< 0.01 %" or "> 99.99 %"."""
    if value >= 0.9999:
        return "> 99.99 %"
    return "< 0.01 %" if value < 0.0001 else f"= {value * 100:.2f} %"


def _bare(risk: float) -> str:
    return share(risk).removeprefix("= ")


def _accepted(body: JudgementBody, dimension: str, expanded: Decimal | None) -> str:
    lower, upper = decimal(body["accept_lower"]), decimal(body["accept_upper"])
    if lower is not None and upper is not None and lower > upper:
        return "no value can be accepted"
    unit = scale(dimension, [decimal(body["lower"]), decimal(body["upper"]), lower, upper])
    step = uncertainty_step(expanded)
    low = unit.text(_rounded(lower, step, ROUND_CEILING))
    high = unit.text(_rounded(upper, step, ROUND_FLOOR))
    if lower is None:
        return f"accepted up to {high}"
    return f"accepted from {low}" + ("" if upper is None else f" to {high}")


def _rounded(value: Decimal | None, step: Decimal | None, rounding: str) -> Decimal | None:
    if value is None or step is None:
        return value
    return value.quantize(Decimal(1).scaleb(step.adjusted()), rounding)


def _ratio(value: float) -> str:
    return f"> {_LARGEST}" if value > _LARGEST else f"{value:.3g}"
