"""A judgement is judged again: from its figures, and from its captures, to the same bytes."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import numpy as np
import pytest

from hil.bodies import judgement_body, measured_body, measured_of, requirement_body
from hil.capture import Accuracy, Capture, Source
from hil.conclusion import conclude
from hil.decision import judge
from hil.derivation import Sources
from hil.errors import UsageError
from hil.exact import Dimension, Exact
from hil.features import mean, outside, peak
from hil.journal import Chain, plain
from hil.mask import Mask, Point
from hil.measurement import Calibration, Component, Measurement, truth
from hil.replay import hypothetical, rejudge, rejudged, replayed
from hil.requirement import Kind, Knowledge, Limit, Requirement
from hil.rule import GUARDED, SIMPLE
from hil.verdict import ExitCode, Verdict
from hil.waveform import Instant, Waveform

LIMIT = Limit(Kind.AT_MOST, Exact.parse("4 mA"))
WITHIN = Limit(Kind.WITHIN, Exact.parse("50 uA"), Decimal("0.02"))
OPENED = Instant(1.0, 1e-3, "open")


def requirement(rule=GUARDED, limit=LIMIT, name="A", dimension=Dimension.CURRENT):
    known = ("clause", "source", Knowledge.PROJECT)
    return Requirement(name, "s", "t", "t", limit, dimension, *known, rule)


def body(value, *, rule=GUARDED, calibration=Calibration.VALID, u=1e-6):
    budget = (Component("gain", u),)
    measured = Measurement(
        Decimal(value), Dimension.CURRENT, budget, ("SIM-1",), calibration, ("0" * 64,)
    )
    return judgement_body("m:t", judge(requirement(rule), measured))


# --- from its own figures ------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [GUARDED, SIMPLE])
@pytest.mark.parametrize("calibration", Calibration)
@pytest.mark.parametrize("value", ["0.003", "0.0039985", "0.004", "0.0040001", "0.005"])
def test_what_was_decided_is_decided_again(value, rule, calibration):
    made = body(value, rule=rule, calibration=calibration)
    assert replayed(made, requirement(rule)) is Verdict(made["verdict"])


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
    assert replayed(forged, requirement()) is true


@pytest.mark.parametrize("edit", [{"guard": "0"}, {"upper": "1"}, {"accept_upper": "1"}])
def test_an_edited_limit_or_guard_band_changes_nothing(edit):
    forged = body("0.0039985") | {"verdict": "PASS"} | edit
    assert replayed(forged, requirement()) is Verdict.INCONCLUSIVE


@pytest.mark.parametrize("measured", [None, {"value": "none"}, {"value": "NaN", "unit": "A"}])
def test_a_pass_without_figures_is_an_error(measured):
    forged = body("0.003") | {"measured": measured}
    assert replayed(forged, requirement()) is Verdict.ERROR


def test_a_pass_by_what_is_not_in_the_plan_is_an_error():
    assert replayed(body("0.003"), None) is Verdict.ERROR


def test_a_verdict_never_improves():
    worse = body("0.003") | {"verdict": "FAIL"}
    assert replayed(worse, requirement()) is Verdict.FAIL


@pytest.mark.parametrize(
    "measured",
    [
        Measurement(Decimal("1.50"), Dimension.CURRENT, (Component("b", 1e-9, -2.0, 9),)),
        Measurement(Decimal("1E-3"), Dimension.CURRENT, (Component("a", 0),)),
        Measurement(Decimal("NaN"), Dimension.TIME, (Component("a", float("inf"), float("nan")),)),
        truth(True, "seen", captures=["0" * 64], instruments=["S"]),
        Measurement(Decimal(3), Dimension.CURRENT, censored=True, raw=Decimal("3.1"), note="n"),
    ],
)  # fmt: skip
def test_a_measurement_is_rebuilt_from_its_record(measured):
    written = json.loads(json.dumps(plain(measured_body(measured))))
    assert json.dumps(plain(measured_body(measured_of(written)))) == json.dumps(written)


# --- from its captures ---------------------------------------------------------------------------


def wave(level="3.5 mA", seed=0, dimension=Dimension.CURRENT, serial="SIM-1"):
    samples = float(Exact.parse(level).base) + 1e-6 * np.random.default_rng(seed).standard_normal(
        2000
    )
    samples[200:] /= 2
    accuracy = Accuracy(f"{serial}[10 mA]", 5e-4, 2e-6, "declared")
    source = Source("ammeter", serial, accuracy, Calibration.VALID)
    return Waveform(Capture(samples, 0.0, 1e-2, 2e-4, dimension, source), {"hold": ((0.0, 2.0),)})


def sources(*waves, **figures):
    held = {each.capture.sha256: each.capture for each in waves}
    values = {name.replace("__", "."): Exact.parse(text) for name, text in figures.items()}
    return Sources(held.__getitem__, values.__getitem__ if figures else None)


def judged(req, measured, at=None, record=""):
    """A judgement as a journal gives it back."""
    return json.loads(json.dumps(plain(judgement_body("m:t", judge(req, measured, at), record))))


def same(first, second):
    return json.dumps(plain(first), sort_keys=True) == json.dumps(plain(second), sort_keys=True)


def test_the_same_rule_and_evidence_make_the_same_bytes():
    taken = wave()
    for req, at in ((requirement(), None), (requirement(limit=WITHIN), Exact.parse("3.5 mA"))):
        for measured in (peak(taken), mean(taken, until=OPENED), -mean(taken)):
            was = judged(req, measured, at, "0123456789ab")
            now, stated = rejudge(was, req, sources(taken))
            assert stated == ""
            assert same(now, was)


def test_an_edited_value_does_not_follow_from_its_captures():
    """Value, margin and verdict were edited alike: its own figures agree, its capture does not."""
    taken, req = wave("5 mA"), requirement()
    honest = judged(req, peak(taken))
    assert honest["verdict"] == "FAIL"
    forged = judged(req, replace(peak(taken), value=Decimal("0.003")))
    assert forged["verdict"] == "PASS"
    assert replayed(forged, req) is Verdict.PASS
    now, _ = rejudge(forged, req, sources(taken))
    assert now["verdict"] == "FAIL"
    assert same(now, honest)


@pytest.mark.parametrize(
    "edit", [{"verdict": "PASS"}, {"upper": "1"}, {"margin": "1"}, {"at": "1 mA"}]
)
def test_any_edit_of_a_judgement_shows(edit):
    taken, req = wave("5 mA"), requirement()
    forged = judged(req, peak(taken)) | edit
    now, _ = rejudge(forged, req, sources(taken))
    assert same(now, forged) == ("at" in edit)  # `at` stands for nothing where no limit relates
    (found,) = again([("judgement", forged)], req, taken)
    assert found.differs == ("at" not in edit)
    assert found.drift is None


def test_another_rule_judges_the_same_value():
    taken = wave("3.998 mA")
    was = judged(requirement(), peak(taken))
    now, _ = rejudge(was, requirement(SIMPLE), sources(taken))
    assert (was["verdict"], now["verdict"]) == ("INCONCLUSIVE", "PASS")
    assert was["measured"] == now["measured"]


def test_what_is_no_raw_data_is_judged_as_stated():
    req = requirement(limit=Limit(Kind.TRUE), dimension=Dimension.TRUTH)
    was = judged(req, truth(True, "the device says so"))
    now, stated = rejudge(was, req, sources())
    assert same(now, was)
    assert stated == "it is no raw data"
    lost = judged(requirement(), Measurement(Decimal(0), Dimension.CURRENT, (Component("a", 0),)))
    now, stated = rejudge(
        lost, requirement(limit=Limit(Kind.AT_LEAST, Exact.parse("1 A"))), sources()
    )
    assert now["verdict"] == "FAIL"
    assert stated


def test_what_was_refused_is_refused_again():
    """Overload, another dimension, a missing reference, a judgement that could not count."""
    taken, req = wave(), requirement(limit=WITHIN)
    whole = mean(taken, after=Instant(999.0, 0))
    for measured, at in (
        (whole, Exact.parse("1 mA")),
        (mean(taken), None),
        (mean(taken), Exact.parse("1 V")),
    ):
        was = judged(req, measured, at)
        assert was["verdict"] == "ERROR"
        assert same(rejudge(was, req, sources(taken))[0], was)


@pytest.mark.parametrize("verdict", ["PASS", "INCONCLUSIVE"])
def test_a_verdict_on_nothing_is_no_judgement(verdict):
    (found,) = again([("judgement", body("0.003") | {"measured": None, "verdict": verdict})])
    assert found.trouble == f"{verdict} without a measurement"
    assert found.differs


@pytest.mark.parametrize(
    ("budget", "verdict", "trouble"),
    [
        ({"test": "m:t", "short": True}, "INCONCLUSIVE", ""),
        ({"test": "m:t", "short": True}, "PASS", "PASS without a measurement"),
        ({"test": "m:t", "short": False}, "INCONCLUSIVE", "INCONCLUSIVE without a measurement"),
        ({"test": "m:u", "short": True}, "INCONCLUSIVE", "INCONCLUSIVE without a measurement"),
    ],
)
def test_too_few_examples_are_inconclusive_on_nothing(budget, verdict, trouble):
    on_nothing = body("0.003") | {"measured": None, "verdict": verdict}
    (found,) = again([("budget", budget | {"reason": "spent"}), ("judgement", on_nothing)])
    assert found.trouble == trouble


@pytest.mark.parametrize("verdict", ["FAIL", "ERROR", "NOT_EVALUATED"])
def test_what_was_not_measured_stays_as_it_is(verdict):
    (found,) = again([("judgement", body("0.003") | {"measured": None, "verdict": verdict})])
    assert not found.differs
    assert found.stated == "nothing was measured"


def test_a_capture_that_is_not_there_is_trouble():
    was = judged(requirement(), peak(wave()))
    (found,) = again([("judgement", was)])
    assert "KeyError" in found.trouble
    assert found.differs
    assert found.now == was


@pytest.mark.parametrize(
    "spoil",
    [
        lambda body: body | {"measured": {"value": "1"}},
        lambda body: body | {"requirement": "B"},
        lambda body: body["measured"]["derivation"].update(given=3) or body,
        lambda body: body["measured"].update(derivation={"exact": "1 mA"}) or body,
        lambda body: body["measured"].update(value="many") or body,
        lambda body: {"test": "m:t"},
        lambda body: body | {"verdict": "MAYBE", "measured": None},
        lambda body: body | {"at": "soon"},
    ],
)
def test_a_judgement_that_makes_no_sense_is_trouble(spoil):
    taken = wave()
    (found,) = again([("judgement", spoil(judged(requirement(), peak(taken))))], None, taken)
    assert found.trouble


@pytest.mark.parametrize(("factor", "close"), [(1 + 4e-16, True), (0.5, False), (1.01, False)])
def test_an_uncertainty_that_comes_out_another_is_no_matter_of_last_digits(factor, close):
    taken, req = wave(), requirement()
    found = peak(taken)
    parts = tuple(replace(part, u=part.u * factor) for part in found.components)
    there = judged(req, replace(found, components=parts))
    (told,) = again([("judgement", there)], req, taken)
    assert told.differs
    assert (told.drift is not None) == close


@pytest.mark.parametrize(("factor", "close"), [("1.0000000000000004", True), ("1.01", False)])
def test_last_digits_are_told_from_other_differences(factor, close):
    """As another mathematical library would have it: the value, and all that follows from it."""
    taken, req = wave(), requirement()
    there = replace(peak(taken), value=peak(taken).value * Decimal(factor))
    (found,) = again([("judgement", judged(req, there))], req, taken)
    assert found.differs
    assert (found.drift is not None) == close
    if close:
        assert 0 < found.drift < 1e-15
        edited = judged(req, there) | {"verdict": "FAIL"}
        (found,) = again([("judgement", edited)], req, taken)
        assert found.drift is None


# --- a changed device ----------------------------------------------------------------------------


def test_a_level_of_a_changed_device_is_measured_anew():
    taken = wave()
    req = requirement(limit=Limit(Kind.AT_MOST, Exact.parse("5 s")), dimension=Dimension.TIME)
    named = Exact(Decimal(2), "mA", "protection.off_current")
    was = judged(req, taken.time_to_below(named, after=OPENED))
    assert was["verdict"] == "PASS"
    now, _ = rejudge(was, req, sources(taken, protection__off_current="1 mA"))
    assert now["verdict"] == "FAIL"  # it never gets there
    assert same(rejudge(was, req, sources(taken, protection__off_current="2 mA"))[0], was)


def test_a_reference_of_a_changed_device_is_taken_anew():
    taken, req = wave(), requirement(limit=Limit(Kind.EXCESS, Exact.parse("10 uA")))
    at = Exact(Decimal("3.5"), "mA", "output.trip")
    was = judged(req, peak(taken), at)
    assert (was["verdict"], was["at_origin"]) == ("PASS", "output.trip")
    now, _ = rejudge(was, req, sources(taken, output__trip="3 mA"))
    assert (now["verdict"], now["at"]) == ("FAIL", "3 mA")


def test_an_envelope_of_a_changed_device_is_held_against_the_wave():
    taken = wave()

    def envelope(level):
        points = (
            Point(Exact.parse("0 s"), None, Exact.parse(level)),
            Point(Exact.parse("5 s"), None, Exact.parse(level)),
        )
        return requirement(limit=Limit(Kind.ENVELOPE, mask=Mask(points)))

    was = judged(envelope("4 mA"), outside(taken, envelope("4 mA").limit.mask, after=OPENED))
    assert was["verdict"] == "PASS"
    assert same(rejudge(was, envelope("4 mA"), sources(taken))[0], was)
    now, _ = rejudge(was, envelope("3 mA"), sources(taken, a__b="1 A"))
    assert now["verdict"] == "FAIL"


# --- a whole journal -----------------------------------------------------------------------------

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def journal(*entries):
    chain = Chain()
    return [chain.append(kind, each, utc=NOON, bench=None) for kind, each in entries]


def again(entries, req=None, *waves):
    """Judgements judged again, of a test that recorded all that it rests on."""
    held = [{"sha256": each.capture.sha256} for each in waves]
    begin = [
        ("instrument", {"serial": "SIM-1"}),
        ("test_begin", {"test": "m:t"}),
        ("record", {"record": "r", "test": "m:t", "captures": [*held, {"sha256": "0" * 64}]}),
    ]
    known = {"A": req or requirement()}
    return list(rejudged(journal(*begin, *entries), known, sources(*waves)))


def test_what_could_not_count_still_does_not():
    """A capture of an earlier test: recorded as an ERROR with a value, and judged so again."""
    taken, req = wave(), requirement()
    made = journal(("test_begin", {"test": "m:t"}), ("judgement", judged(req, peak(taken))))
    (found,) = rejudged(made, {"A": req}, sources(taken))
    assert (found.was["verdict"], found.now["verdict"]) == ("PASS", "ERROR")
    assert "stale" in found.now["reason"]


def run(measured, outcome="passed", rule=GUARDED, pytest_exit=0):
    """A whole journal of one test that judges one value."""
    req = requirement(rule)
    plan = {"device": {}, "bench": {}, "catalogues": [], "requirements": [requirement_body(req)]}
    planned = {"expected": "SIMULATED", "expected_reason": "x", "required": ""}
    item = {"test": "m:t", "requirements": ["A"], "doc": ""}
    state = {"confirmed": True, "device_off": "", "path_open": "", "reason": ""}
    captures = [{"sha256": each} for each in measured.captures]
    instrument = {"role": "ammeter", "serial": "SIM-1", "due": ""}
    end = {"test": "m:t", "outcome": outcome, "detail": "A", "seconds": 0.1, "judgements": 1}
    return journal(
        ("run", {"partial": "", "firmware": None, **planned}),
        ("plan", plan),
        ("instrument", instrument),
        ("collected", {"items": [item], "plugins": [], "errors": []}),
        ("test_begin", {"test": "m:t"}),
        ("record", {"record": "r", "test": "m:t", "captures": captures}),
        ("safe_state", state),
        ("judgement", judgement_body("m:t", judge(req, measured))),
        ("test_end", end),
        ("end", {"pytest_exit": pytest_exit, "seconds": 1.0}),
    )


def concluded(records, rule, *waves):
    known = {"A": requirement(rule)}
    found = list(rejudged(records, known, sources(*waves)))
    return conclude(hypothetical(records, found, known))


def test_a_whole_run_under_its_own_rule_amounts_to_the_same():
    taken = wave("3.5 mA")
    records = run(peak(taken))
    assert concluded(records, GUARDED, taken) == conclude(records)


def test_under_a_looser_rule_a_run_may_comply():
    """The test failed by its judgement alone, and pytest by the test alone."""
    taken = wave("3.998 mA")
    records = run(peak(taken), "failed", pytest_exit=1)
    assert conclude(records).verdict is Verdict.INCONCLUSIVE
    found = concluded(records, SIMPLE, taken)
    assert (found.verdict, found.exit_code) == (Verdict.PASS, ExitCode.COMPLIES)
    assert found.plan["requirements"][0]["rule"] == "simple"


@pytest.mark.parametrize("outcome", ["error", "interrupted", "skipped"])
def test_a_test_that_broke_stays_broken_under_any_rule(outcome):
    taken = wave("3.998 mA")
    found = concluded(run(peak(taken), outcome, pytest_exit=1), SIMPLE, taken)
    assert found.verdict in {Verdict.ERROR, Verdict.NO_VERDICT}
    assert found.exit_code is ExitCode.OTHER_VERDICT


def test_a_test_that_still_fails_has_failed():
    taken = wave("5 mA")
    found = concluded(run(peak(taken), "failed", pytest_exit=1), SIMPLE, taken)
    assert [row.outcome for row in found.tests] == ["failed"]
    assert found.verdict is Verdict.FAIL


def test_under_a_stricter_rule_a_pass_is_one_no_longer():
    taken = wave("3.998 mA")
    records = run(peak(taken), rule=SIMPLE)
    assert conclude(records).exit_code is ExitCode.COMPLIES
    found = concluded(records, GUARDED, taken)
    assert (found.verdict, found.exit_code) == (Verdict.INCONCLUSIVE, ExitCode.OTHER_VERDICT)


def test_what_was_refused_for_its_reference_is_as_it_was_stated():
    """An author's slip, an event given for a quantity, is an ERROR and no sign of tampering."""
    stated = Measurement(Decimal("0.003"), Dimension.CURRENT, (Component("gain", 1e-6),))
    refused = plain(judgement_body("m:t", judge(requirement(), stated, OPENED)))
    assert refused["verdict"] == "ERROR"
    again, why = rejudge(refused, requirement(), Sources(lambda sha256: pytest.fail(sha256)))
    assert again == refused
    assert "is no quantity" in why


def test_a_pass_at_what_is_no_quantity_is_none():
    passed = {**plain(body("0.003")), "at": "an event"}
    with pytest.raises(UsageError, match="no quantity"):
        rejudge(passed, requirement(), Sources(lambda sha256: pytest.fail(sha256)))
