"""A verdict that was edited does not stand: its own figures judge it again."""

from decimal import Decimal

import pytest

from hil.bodies import judgement_body
from hil.decision import judge
from hil.exact import Dimension, Exact
from hil.measurement import Calibration, Component, Measurement
from hil.replay import replayed
from hil.requirement import Kind, Knowledge, Limit, Requirement
from hil.rule import GUARDED, SIMPLE
from hil.verdict import Verdict

LIMIT = Limit(Kind.AT_MOST, Exact.parse("4 mA"))


def body(value, *, rule=GUARDED, calibration=Calibration.VALID, u=1e-6):
    known = ("clause", "source", Knowledge.PROJECT)
    requirement = Requirement("A", "s", "t", "t", LIMIT, Dimension.CURRENT, *known, rule)
    budget = (Component("gain", u),)
    measured = Measurement(
        Decimal(value), Dimension.CURRENT, budget, ("SIM-1",), calibration, ("0" * 64,)
    )
    return judgement_body("m:t", judge(requirement, measured))


@pytest.mark.parametrize("rule", [GUARDED, SIMPLE])
@pytest.mark.parametrize("calibration", Calibration)
@pytest.mark.parametrize("value", ["0.003", "0.0039985", "0.004", "0.0040001", "0.005"])
def test_what_was_decided_is_decided_again(value, rule, calibration):
    made = body(value, rule=rule, calibration=calibration)
    assert replayed(made, str(rule)) is Verdict(made["verdict"])


@pytest.mark.parametrize(
    ("value", "calibration", "true"),
    [
        ("0.005", Calibration.VALID, Verdict.FAIL),
        ("0.0039985", Calibration.VALID, Verdict.INCONCLUSIVE),
        ("0.003", Calibration.DISPUTED, Verdict.INCONCLUSIVE),
    ],
)
def test_an_edited_verdict_counts_as_its_figures(value, calibration, true):
    forged = body(value, calibration=calibration) | {"verdict": "PASS"}
    assert replayed(forged, str(GUARDED)) is true


def test_an_edited_guard_band_changes_nothing():
    forged = body("0.0039985") | {"verdict": "PASS", "guard": "0"}
    assert replayed(forged, str(GUARDED)) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("measured", [None, {"value": "none"}, {"value": "NaN", "unit": "A"}])
def test_a_pass_without_figures_is_an_error(measured):
    forged = body("0.003") | {"measured": measured}
    assert replayed(forged, str(GUARDED)) is Verdict.ERROR


def test_a_verdict_never_improves():
    worse = body("0.003") | {"verdict": "FAIL"}
    assert replayed(worse, str(GUARDED)) is Verdict.FAIL
