"""How reports word a decision: which rules a run used, and what each judgement weighed."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hil.bodies import JudgementBody, judgement_body, requirement_body
from hil.decision import judge
from hil.exact import Dimension, Exact
from hil.measurement import Calibration, Component, Measurement, counted, truth
from hil.requirement import Kind, Knowledge, Limit, Requirement
from hil.rule import GUARDED, METHOD_6, SIMPLE, Rule
from hil_reports.decision import rules_in_words, share, weighing

MOST = Limit(Kind.AT_MOST, Exact.parse("4.2 mA"))
LEAST = Limit(Kind.AT_LEAST, Exact.parse("3.8 mA"))
BETWEEN = Limit(Kind.BETWEEN, lower=Exact.parse("3.8 mA"), upper=Exact.parse("4.2 mA"))


def requirement(limit: Limit, rule: Rule = GUARDED) -> Requirement:
    known = ("project", "here", Knowledge.PROJECT)
    return Requirement("R", "s", "t", "t", limit, Dimension.CURRENT, *known, rule)


def body(limit: Limit, value: str, u: float, rule: Rule = GUARDED) -> JudgementBody:
    budget = (Component("a", u),)
    measured = Measurement(Decimal(value), Dimension.CURRENT, budget, calibration=Calibration.VALID)
    return judgement_body("m:t", judge(requirement(limit, rule), measured))


@pytest.mark.parametrize(
    ("limit", "value", "u", "rule", "told"),
    [
        (MOST, "0.004", 1e-5, GUARDED,
         "accepted up to 4.18 mA; U / limit 0.48 %"),
        (MOST, "0.00419", 1e-5, GUARDED,
         "accepted up to 4.18 mA; U / limit 0.48 %"),
        (MOST, "0.00419", 1e-5, SIMPLE,
         "accepted up to 4.2 mA; U / limit 0.48 %; false accept 15.87 %"),
        (LEAST, "0.004", 1e-5, GUARDED,
         "accepted from 3.82 mA; U / limit 0.53 %"),
        (BETWEEN, "0.004", 1e-5, GUARDED,
         "accepted from 3.82 mA to 4.18 mA; TUR 10"),
        (BETWEEN, "0.004", 1e-8, GUARDED,
         "accepted from 3.80002 mA to 4.19998 mA; TUR > 1000"),
        (MOST, "0.00418", 1e-5, GUARDED,
         "accepted up to 4.18 mA; U / limit 0.48 %; false accept 2.28 %"),
        (BETWEEN, "0.004", 1e-4, GUARDED,  # its both sides
         "accepted from 4 mA to 4 mA; TUR 1; false accept 4.55 %, "
         "at the acceptance limit 4.55 %"),
        (MOST, "0.004", 1e-5, Rule.parse("guard factor 0.5"),
         "accepted up to 4.19 mA; U / limit 0.48 %; false accept at the acceptance limit 15.87 %"),
        (BETWEEN, "0.004", 1.1e-4, GUARDED, "no value can be accepted; TUR 0.909"),
    ],
)  # fmt: skip
def test_what_a_judgement_weighed(
    limit: Limit, value: str, u: float, rule: Rule, told: str
) -> None:
    assert weighing(body(limit, value, u, rule)) == told


def test_acceptance_limits_are_rounded_inwards() -> None:
    """U = 6.6 uA: 4.1934 mA would be printed as 4.1930, which was not accepted from below."""
    found = weighing(body(BETWEEN, "0.004", 3.333e-6))
    assert found.startswith("accepted from 3.8067 mA to 4.1933 mA;")


def exact(limit: Limit, dimension: Dimension) -> Requirement:
    known = ("project", "here", Knowledge.PROJECT)
    return Requirement("R", "s", "t", "t", limit, dimension, *known)


YES = exact(Limit(Kind.TRUE), Dimension.TRUTH)
FEW = exact(Limit(Kind.AT_MOST, Exact.parse("2 count")), Dimension.COUNT)


def test_what_was_not_weighed_says_nothing() -> None:
    assert weighing(judgement_body("m:t", judge(requirement(MOST), None))) == ""
    assert weighing(judgement_body("m:t", judge(YES, truth(True, "")))) == ""
    assert weighing(judgement_body("m:t", judge(FEW, counted(1, "")))) == ""


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (0.0, "< 0.01 %"), (9.99e-5, "< 0.01 %"), (1e-4, "= 0.01 %"), (0.02275, "= 2.27 %"),
        (0.5, "= 50.00 %"), (0.99989, "= 99.99 %"), (0.9999, "> 99.99 %"), (1.0, "> 99.99 %"),
    ],
)  # fmt: skip
def test_a_probability_is_never_certain(value: float, told: str) -> None:
    assert share(value) == told


def test_each_rule_that_a_run_used_is_explained_once() -> None:
    used = [requirement_body(requirement(MOST)), requirement_body(requirement(LEAST))]
    told = rules_in_words(used)
    assert told.count("w = U, is the default") == 1
    # The risk in words is that of a value at the acceptance limit, as each judgement weighs it.
    assert share(body(MOST, "0.00418", 1e-5)["worst_false_accept"] or 0).removeprefix("= ") in told
    assert "Method 6" not in told
    assert "Simple acceptance" not in told
    assert "A count and a yes or no" not in told
    more = [
        requirement(BETWEEN, METHOD_6), requirement(MOST, SIMPLE),
        requirement(MOST, Rule.parse("guard factor 0.83")), YES, FEW,
    ]  # fmt: skip
    told = rules_in_words([requirement_body(one) for one in more])
    assert "Method 6, w = U (1.04" in told
    assert "w = r U" in told
    assert "reaches 50 %" in told
    assert "A count and a yes or no are exact" in told
    assert "follows from a measured value is compared without one" in told
    assert "is the default" not in told


def test_a_requirement_is_printed_with_its_rule() -> None:
    assert requirement_body(YES)["rule_text"] == "none: a yes or no is exact"
    assert requirement_body(FEW)["rule_text"] == "none: a count is exact"
    words = "guarded acceptance, w = 0.83 U"
    share_of_u = requirement(MOST, Rule.parse("guard factor 0.83"))
    assert requirement_body(share_of_u)["rule_text"] == words
