"""What a journal amounts to: each verdict row, each exit code, and nothing missing that helps."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.applicability import Applicability
from hil.bodies import measured_body, requirement_body, requirement_of
from hil.conclusion import Conclusion, RequirementRow, conclude
from hil.docket import Docket
from hil.errors import UsageError
from hil.exact import Dimension, Exact
from hil.journal import Chain, Record, plain
from hil.measurement import Calibration, Component, Measurement, truth
from hil.requirement import Kind, Knowledge, Limit, Requirement
from hil.rule import SIMPLE
from hil.verdict import Verdict, worst

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
OFF = ("safe_state", {"confirmed": True, "device_off": "", "path_open": "", "reason": ""})
ARMED = ("armed", {"scenario": "x", "max_current": "4 mA"})
END = ("end", {"pytest_exit": 0, "seconds": 1.0})
Entry = tuple[str, dict[str, Any]]


def requirement(
    name: str, subject: str = "limits", *, mandatory: bool = True, removed: bool = False
) -> dict[str, Any]:
    limit, source = Limit(Kind.AT_MOST, Exact.parse("1 A")), ("project", "project")
    made = Requirement(
        *(name, subject, name, name, limit, Dimension.CURRENT, *source, Knowledge.PROJECT),
        rule=SIMPLE,
        mandatory=mandatory,
        applicability=Applicability(removes=True, reason="no lid") if removed else None,
    )
    return dict(requirement_body(made))


def head(*requirements: dict[str, Any], partial: str = "") -> list[Entry]:
    plan = {"device": {}, "bench": {}, "catalogues": [], "requirements": list(requirements)}
    return [("run", {"partial": partial}), ("plan", plan)]


def collected(*items: tuple[str, list[str]], errors: tuple[str, ...] = ()) -> Entry:
    listed = [{"test": test, "requirements": names, "doc": ""} for test, names in items]
    return "collected", {"items": listed, "plugins": [], "errors": list(errors)}


def begin(test: str) -> Entry:
    return "test_begin", {"test": test}


def end(test: str, outcome: str = "passed", detail: str = "") -> Entry:
    return "test_end", {"test": test, "outcome": outcome, "detail": detail, "seconds": 0.1}


SEEN = "5e" * 32
"""Capture that every test of `counted` records."""
PEAK = {"feature": "peak", "given": {"wave": SEEN}}


def judged(test: str, name: str, verdict: str = "PASS", margin: str | None = None) -> Entry:
    """A judgement of a current that lies inside of 1 A by the margin."""
    inside = Decimal(margin or ("-1" if verdict == "FAIL" else "1"))
    budget, valid = (Component("gain", 1e-9),), Calibration.VALID
    measured = Measurement(
        1 - inside, Dimension.CURRENT, budget, ("SIM-A",), valid, (SEEN,), derivation=PEAK
    )
    body = {"test": test, "requirement": name, "verdict": verdict, "margin": margin, "at": None}
    figures = {"measured": dict(measured_body(measured))}
    return "judgement", body | figures | {"reason": f"{name} is {verdict} by {margin}"}


def ran(test: str, name: str, verdict: str = "PASS", outcome: str = "passed") -> list[Entry]:
    return [begin(test), ARMED, OFF, judged(test, name, verdict), end(test, outcome)]


def records(*entries: Entry) -> list[Record]:
    chain = Chain()
    return [chain.append(kind, body, utc=NOON, bench=None) for kind, body in entries]


def unchained(entries: Iterable[Entry]) -> list[Record]:
    """Records as they are read, without their hashes, which a conclusion does not look at."""
    utc = NOON.isoformat(timespec="milliseconds")
    return [Record(n, kind, utc, None, body, "", "", "") for n, (kind, body) in enumerate(entries)]


def counted(entries: Iterable[Entry]) -> list[Entry]:
    """As the runner writes them: a test records, and its end says how many judgements it made."""
    docket, written = Docket(), list[Entry]()
    for kind, body in entries:
        docket.note(kind, body)
        count = {"judgements": docket.judgements} if kind == "test_end" else {}
        written.append((kind, body | count))
        if kind == "test_begin":
            written += [instrument("SIM-A", ""), record(body["test"], "seen", SEEN)]
    return written


def concluded(*entries: Entry) -> Conclusion:
    return conclude(records(*counted(entries)))


def row(conclusion: Conclusion, name: str = "A") -> RequirementRow:
    (found,) = [row for row in conclusion.requirements if row.requirement["id"] == name]
    return found


def one(*entries: Entry, final: tuple[Entry, ...] = (END,), removed: bool = False) -> Conclusion:
    """A journal with requirement A and its test t, of which these entries are the course."""
    needed = requirement("A", removed=removed)
    return concluded(*head(needed), collected(("t", ["A"])), *entries, *final)


GOOD = ran("t", "A")


# --- exit codes ----------------------------------------------------------------------------------


def test_0_a_healthy_run_complies() -> None:
    found = one(*GOOD)
    assert found.exit_code == 0
    assert found.verdict is Verdict.PASS
    assert found.reasons == ()
    assert found.complies
    assert found.complete


def test_a_partial_scope_cannot_comply() -> None:
    entries = [
        *head(requirement("A"), partial="--suite ramps"),
        collected(("t", ["A"])),
        *GOOD,
        END,
    ]
    found = concluded(*entries)
    assert found.exit_code == 0
    assert not found.complies


@pytest.mark.parametrize(
    "verdict", ["FAIL", "ERROR", "INCONCLUSIVE", "NOT_EVALUATED", "NO_VERDICT"]
)
def test_10_any_other_verdict(verdict: str) -> None:
    found = one(*ran("t", "A", verdict))
    assert found.exit_code == 10
    assert found.verdict is Verdict(verdict)
    assert any(verdict in reason for reason in found.reasons)
    assert not found.complies


def test_11_a_refused_run_is_a_matter_of_usage() -> None:
    found = one(("refused", {"cause": "two items with one identity"}))
    assert found.exit_code == 11
    assert found.reasons == ("two items with one identity",)


def test_11_what_is_no_journal_is_refused() -> None:
    run, plan = head(requirement("A"))
    for entries in ([], [run], [plan, run], [run, END], [run, run, plan]):
        with pytest.raises(UsageError, match="begins with a `run` and a `plan`"):
            concluded(*entries)


def abort(*, energised: bool, off: bool) -> Entry:
    return "abort", {"cause": "link lost", "energised": energised, "off_confirmed": off}


def test_12_aborted_before_anything_was_energised() -> None:
    found = one(abort(energised=False, off=False))
    assert found.exit_code == 12
    assert "link lost" in found.reasons[0]


def test_13_aborted_and_confirmed_off() -> None:
    assert one(begin("t"), ARMED, OFF, abort(energised=True, off=True)).exit_code == 13
    assert one(begin("t"), ARMED, abort(energised=True, off=True)).exit_code == 13


def test_13_not_12_if_an_earlier_test_was_energised() -> None:
    assert one(*GOOD, abort(energised=False, off=False)).exit_code == 13


def test_20_aborted_and_not_confirmed_off() -> None:
    assert one(begin("t"), ARMED, abort(energised=True, off=False)).exit_code == 20


def sentinel(*proofs: bool) -> Entry:
    trips = [
        {"cause": "the runner ended", "opened_after": 1e-4, "confirmed": ok, "reason": "no meter"}
        for ok in proofs
    ]
    return "sentinel", {"ended": True, "broken": "", "trips": trips}


def test_13_a_lost_runner_and_a_sentinel_that_proved_off() -> None:
    found = one(begin("t"), ARMED, sentinel(True))
    assert found.exit_code == 13
    why = "aborted: the sentinel tripped: the runner ended"
    assert found.reasons == (why, "off was confirmed")


def test_13_a_trip_counts_whatever_was_judged_before() -> None:
    assert one(*GOOD, sentinel(True)).exit_code == 13


def test_20_a_lost_runner_and_a_sentinel_that_could_not_prove_off() -> None:
    found = one(begin("t"), ARMED, sentinel(False))
    assert found.exit_code == 20
    assert "the sentinel tripped (the runner ended): no meter" in found.reasons[0]
    assert one(*GOOD, sentinel(False)).exit_code == 20


def test_20_a_lost_runner_and_a_sentinel_that_was_lost_too() -> None:
    assert one(begin("t"), ARMED, sentinel()).exit_code == 20


@pytest.mark.parametrize(
    ("change", "said"),
    [({"ended": False}, ""), ({"ended": False, "broken": "record 3 was lost"}, ": record 3")],
)
def test_a_run_whose_sentinel_was_lost_complies_with_nothing(change, said) -> None:
    kind, body = sentinel()
    found = one(*GOOD, (kind, body | change))
    assert found.exit_code == 10
    assert f"the sentinel did not end by itself{said}" in found.reasons[0]


def test_a_sentinel_that_had_nothing_to_do_changes_nothing() -> None:
    assert one(*GOOD, sentinel()).exit_code == one(*GOOD).exit_code


def test_20_the_worst_abort_counts_not_the_last() -> None:
    found = one(abort(energised=True, off=False), abort(energised=False, off=True))
    assert found.exit_code == 20
    assert one(abort(energised=True, off=True), abort(energised=False, off=True)).exit_code == 13


def test_20_off_was_not_confirmed_once() -> None:
    unconfirmed = ("safe_state", OFF[1] | {"confirmed": False, "reason": "meter dead"})
    for final in ((END,), (), (("refused", {"cause": "x"}), END)):
        found = one(begin("t"), ARMED, unconfirmed, ARMED, OFF, final=final)
        assert found.exit_code == 20
        assert "SAFE STATE UNCONFIRMED: meter dead" in found.reasons


@pytest.mark.parametrize("final", [(), (END,)])
@pytest.mark.parametrize("before", [[], GOOD])
def test_20_the_runner_was_killed_while_armed(
    before: list[Entry], final: tuple[Entry, ...]
) -> None:
    found = one(*before, ARMED, final=final)
    assert found.exit_code == 20
    assert found.reasons[0].startswith("SAFE STATE UNCONFIRMED")


def test_20_an_unarmed_abort_does_not_prove_off() -> None:
    assert one(ARMED, abort(energised=False, off=False)).exit_code == 20


def test_a_runner_that_was_lost_while_safe_is_no_pass() -> None:
    found = one(*GOOD, final=())
    assert found.exit_code == 10
    assert not found.complete
    assert found.reasons[0] == "the runner did not end by itself"


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, -9])
def test_pytest_must_have_ended_well(code: int) -> None:
    found = one(*GOOD, final=(("end", {"pytest_exit": code, "seconds": 1.0}),))
    assert found.exit_code == 10
    assert found.reasons == (f"pytest ended with exit code {code}",)


@pytest.mark.parametrize(
    "requirements",
    [(), (requirement("A", mandatory=False),)],
)
def test_every_code_but_0_has_a_reason(requirements: tuple[dict[str, Any], ...]) -> None:
    found = concluded(*head(*requirements), collected(("t", ["A"])), *GOOD, END)
    assert found.exit_code == 10
    assert found.reasons


def test_a_mandatory_subject_without_a_pass_does_not_comply() -> None:
    entries = [
        collected(("t", ["A"]), ("u", ["B"])),
        *GOOD,
    ]
    removed = head(requirement("A"), requirement("B", "dose", removed=True))
    assert concluded(*removed, *entries, *ran("u", "B", "NOT_APPLICABLE"), END).exit_code == 10
    needed = head(requirement("A"), requirement("B", "dose"))
    assert concluded(*needed, *entries, *ran("u", "B"), END).exit_code == 0


@pytest.mark.parametrize(
    ("verdict", "code"), [("NOT_EVALUATED", 0), ("NOT_APPLICABLE", 0), ("FAIL", 10)]
)
def test_a_requirement_that_is_not_mandatory(verdict: str, code: int) -> None:
    removed = verdict == "NOT_APPLICABLE"
    entries = [
        *head(requirement("A"), requirement("B", mandatory=False, removed=removed)),
        collected(("t", ["A"]), ("u", ["B"])),
    ]
    assert concluded(*entries, *GOOD, *ran("u", "B", verdict), END).exit_code == code


# --- NO_VERDICT: planned or started, and no end --------------------------------------------------


@pytest.mark.parametrize(
    ("course", "remark"),
    [
        ([], "t never started"),  # deselected, or after an abort
        ([begin("t")], "t never ended"),
        ([begin("t"), judged("t", "A")], "t never ended"),  # killed after its PASS
        ([begin("t"), end("t")], "ended without judging it"),
        ([begin("t"), end("t", "skipped", "no reason")], "t: no reason"),
        ([begin("t"), judged("t", "A"), end("t", "skipped", "mid-way")], "t: mid-way"),
        ([begin("t"), judged("t", "A"), end("t", "xfailed", "known")], "t: known"),
        ([begin("t"), judged("t", "A"), end("t", "")], ""),
        ([begin("t"), end("t", "failed", "A: marked, and never judged")], "never judged"),
    ],
)
def test_no_verdict(course: list[Entry], remark: str) -> None:
    found = one(*course)
    assert row(found).verdict is Verdict.NO_VERDICT
    assert remark in row(found).remark
    assert found.tests[0].verdict is Verdict.NO_VERDICT
    assert found.exit_code == 10


def test_a_requirement_without_a_test() -> None:
    found = concluded(
        *head(requirement("A"), requirement("B")), collected(("t", ["A"])), *GOOD, END
    )
    assert row(found, "B").verdict is Verdict.NO_VERDICT
    assert row(found, "B").remark == "no test was collected for it"
    assert row(found, "B").decisive is None
    assert found.exit_code == 10


def test_nothing_was_collected_at_all() -> None:
    found = concluded(*head(requirement("A")), END)
    assert (row(found).verdict, found.exit_code) == (Verdict.NO_VERDICT, 10)


def test_a_deselected_test_beside_one_that_ran() -> None:
    found = concluded(*head(requirement("A")), collected(("t", ["A"]), ("t2", ["A"])), *GOOD, END)
    assert row(found).verdict is Verdict.NO_VERDICT
    assert row(found).remark == "t2 never started"


def test_a_module_that_could_not_be_collected() -> None:
    found = concluded(
        *head(requirement("A")), collected(("t", ["A"]), errors=("test_x.py: SyntaxError",)),
        *GOOD, END,
    )  # fmt: skip
    assert found.exit_code == 10
    assert "could not be collected: test_x.py: SyntaxError" in found.reasons


# --- ERROR ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", ["PASS", "NOT_APPLICABLE", "NOT_EVALUATED", "INCONCLUSIVE"])
def test_a_test_that_broke_is_an_error_whatever_it_judged(verdict: str) -> None:
    course = begin("t"), judged("t", "A", verdict), end("t", "error", "link lost\nmore")
    found = one(*course, removed=verdict == "NOT_APPLICABLE")
    assert row(found).verdict is Verdict.ERROR
    assert row(found).remark == "t: link lost"


@pytest.mark.parametrize("verdict", ["PASS", "NOT_APPLICABLE", "NOT_EVALUATED"])
def test_a_test_that_failed_without_a_judgement_that_says_why(verdict: str) -> None:
    course = begin("t"), judged("t", "A", verdict), end("t", "failed", "assert 1 == 2")
    found = one(*course, removed=verdict == "NOT_APPLICABLE")
    assert row(found).verdict is Verdict.ERROR
    assert row(found).remark == "t: assert 1 == 2"


# --- FAIL ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("final", [[], [end("t")], [end("t", "failed")], [end("t", "error")],
                                   [end("t", "skipped")]])  # fmt: skip
def test_a_fail_stands_however_the_test_ended(final: list[Entry]) -> None:
    found = one(begin("t"), judged("t", "A", "FAIL"), *final)
    assert row(found).verdict is Verdict.FAIL
    assert row(found).remark == "A is FAIL by None"
    assert found.exit_code == 10


def test_a_fail_that_did_not_reproduce_stands() -> None:
    found = one(begin("t"), judged("t", "A", "FAIL"), judged("t", "A"), judged("t", "A"), end("t"))
    assert row(found).verdict is Verdict.FAIL


def test_a_retry_improves_nothing() -> None:
    assert one(*ran("t", "A", "FAIL", "failed"), *ran("t", "A")).verdict is Verdict.FAIL
    broken = [begin("t"), judged("t", "A"), end("t", "error")]
    assert one(*broken, *GOOD).verdict is Verdict.ERROR
    assert one(*GOOD, *broken).verdict is Verdict.ERROR
    assert one(begin("t"), *GOOD).verdict is Verdict.NO_VERDICT  # killed, then run again
    assert one(*GOOD, begin("t")).verdict is Verdict.NO_VERDICT
    odd = [begin("t"), judged("t", "A"), end("t", "rerun")]
    for course in ([*odd, *GOOD], [*GOOD, *odd]):
        assert one(*course).verdict is Verdict.NO_VERDICT


def test_a_fail_of_one_requirement_leaves_the_others_of_its_test() -> None:
    found = concluded(
        *head(requirement("A"), requirement("B")),
        collected(("t", ["A", "B"])),
        begin("t"),
        judged("t", "A"),
        judged("t", "B", "FAIL"),
        end("t", "failed"),
        END,
    )
    assert row(found, "A").verdict is Verdict.PASS
    assert row(found, "B").verdict is Verdict.FAIL
    assert found.tests[0].verdict is Verdict.FAIL
    assert found.exit_code == 10


@pytest.mark.parametrize("test", ["t2", "unknown", ""])
def test_a_fail_by_a_test_that_was_not_planned_for_it_counts(test: str) -> None:
    entries = [*head(requirement("A"), requirement("B")), collected(("t", ["A"]), ("t2", ["B"]))]
    ran_ = [*GOOD, *ran("t2", "B")]
    assert row(concluded(*entries, *ran_, judged(test, "A", "FAIL"), END)).verdict is Verdict.FAIL
    assert row(concluded(*entries, *ran_, judged(test, "A"), END)).verdict is Verdict.ERROR
    assert concluded(*entries, *ran_, END).exit_code == 0


def test_a_pass_by_a_test_that_was_not_planned_for_it_does_not() -> None:
    entries = [*head(requirement("A")), collected(("t", ["A"]))]
    found = concluded(*entries, begin("u"), judged("u", "A"), end("u"), END)
    assert row(found).verdict is Verdict.NO_VERDICT


# --- a judgement counts in its own test, on what that test recorded, by instruments that are due --


def test_a_judgement_after_the_end_of_its_test_is_an_error() -> None:
    late = one(begin("t"), end("t"), judged("t", "A"))
    assert row(late).verdict is Verdict.ERROR
    assert "t judged while no test ran" in row(late).remark
    assert row(one(judged("t", "A"), begin("t"), end("t"))).verdict is Verdict.ERROR
    assert row(one(*GOOD, judged("t", "A"))).verdict is Verdict.ERROR
    assert row(one(*GOOD, judged("t", "A", "FAIL"))).verdict is Verdict.FAIL


def test_a_judgement_in_the_name_of_another_test_is_an_error() -> None:
    entries = [*head(requirement("A"), requirement("B")), collected(("t", ["A"]), ("u", ["B"]))]
    course = [*GOOD, begin("u"), judged("u", "B"), judged("t", "A"), end("u")]
    found = concluded(*entries, *course, END)
    assert row(found, "A").verdict is Verdict.ERROR
    assert row(found, "B").verdict is Verdict.PASS
    assert "t judged while u ran" in row(found, "A").remark


SHA = "ab" * 32


def rests_on(
    entry: Entry, *, captures: tuple[str, ...] = (SEEN,), serials: tuple[str, ...] = ("SIM-A",)
) -> Entry:
    kind, body = entry
    figures = {"captures": list(captures), "instruments": list(serials)}
    return kind, {**body, "measured": {**body["measured"], **figures}}


def record(test: str, name: str = "r", *captures: str) -> Entry:
    return "record", {"record": name, "test": test, "captures": [{"sha256": c} for c in captures]}


def recalled(test: str, name: str = "r") -> Entry:
    return "recalled", {"record": name, "test": test}


@pytest.mark.parametrize(
    ("before", "in_test", "verdict"),
    [
        ([], [record("t", "r", SHA)], Verdict.PASS),
        ([], [], Verdict.ERROR),  # of another run, or of none
        ([], [record("t", "r", "cd" * 32)], Verdict.ERROR),
        ([begin("u"), record("u", "r", SHA), end("u")], [], Verdict.ERROR),  # kept in a global
        ([begin("u"), record("u", "r", SHA), end("u")], [recalled("t")], Verdict.PASS),
        ([begin("u"), record("u", "r", SHA), end("u")], [recalled("u")], Verdict.ERROR),
        ([begin("u"), record("u", "r", SHA), end("u")], [recalled("t", "s")], Verdict.ERROR),
        ([record("t", "r", SHA)], [], Verdict.ERROR),  # before the test began
        ([], [record("u", "r", SHA)], Verdict.ERROR),  # made in another's name
    ],
)
def test_a_judgement_on_what_its_test_did_not_capture_is_stale(
    before: list[Entry], in_test: list[Entry], verdict: Verdict
) -> None:
    judgement = rests_on(judged("t", "A"), captures=(SHA,))
    found = one(*before, begin("t"), *in_test, judgement, end("t"))
    assert row(found).verdict is verdict
    assert ("stale" in row(found).remark) is (verdict is Verdict.ERROR)


def test_a_capture_that_is_recorded_after_its_judgement_is_stale() -> None:
    judgement = rests_on(judged("t", "A"), captures=(SHA,))
    found = one(begin("t"), judgement, record("t", "r", SHA), end("t"))
    assert row(found).verdict is Verdict.ERROR


def instrument(serial: str, due: str) -> Entry:
    body = {"role": "ammeter", "serial": serial, "due": due, "calibration": "valid"}
    return "instrument", body


@pytest.mark.parametrize(
    ("serial", "due", "verdict"),
    [
        ("MY1", "2026-03-01", Verdict.PASS),  # the day of the run itself
        ("MY1", "2026-02-28", Verdict.INCONCLUSIVE),
        ("MY1", "2027-01-01", Verdict.PASS),
        ("SIM-1", "2026-02-28", Verdict.PASS),  # a simulated one has no calibration
    ],
)
def test_a_calibration_that_expires_before_the_run_ends(
    serial: str, due: str, verdict: Verdict
) -> None:
    judgement = rests_on(judged("t", "A"), serials=(serial,))
    found = one(instrument(serial, due), begin("t"), judgement, end("t"))
    assert row(found).verdict is verdict
    failed = rests_on(judged("t", "A", "FAIL"), serials=(serial,))
    assert row(one(instrument(serial, due), begin("t"), failed, end("t"))).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("serial", "until", "verdict"),
    [
        ("MY1", "2026-03-01", Verdict.PASS),
        ("MY1", "2026-02-28", Verdict.INCONCLUSIVE),
        ("MY1", "", Verdict.PASS),
        ("SIM-1", "2026-02-28", Verdict.PASS),
    ],
)
def test_limits_of_error_that_no_longer_hold_at_the_end_pass_nothing(serial, until, verdict):
    kind, body = instrument(serial, "2027-01-01")
    met = kind, {**body, "until": until}
    for said, expected in (("PASS", verdict), ("FAIL", Verdict.FAIL)):
        judgement = rests_on(judged("t", "A", said), serials=(serial,))
        found = row(one(met, begin("t"), judgement, end("t")))
        assert found.verdict is expected
        told = f"the limits of error of {serial} hold until {until}" in found.remark
        assert told is (expected is Verdict.INCONCLUSIVE)


@pytest.mark.parametrize(
    ("celsius", "verdict"),
    [
        ("19", Verdict.PASS),
        ("27", Verdict.PASS),
        ("27.1", Verdict.INCONCLUSIVE),
        ("18.9", Verdict.INCONCLUSIVE),
        ("", Verdict.PASS),  # nobody took it: the report says so
    ],
)
def test_air_beyond_what_the_budgets_count_passes_nothing(celsius, verdict):
    kind, body = instrument("SIM-1", "")
    met = kind, {**body, "air": [18.0, 28.0]}
    last = "ambient", {"when": "end", "celsius": celsius, "limits": "1"}
    for said, expected in (("PASS", verdict), ("FAIL", Verdict.FAIL)):
        judgement = rests_on(judged("t", "A", said), serials=("SIM-1",))
        found = row(one(met, begin("t"), judgement, end("t"), last))
        assert found.verdict is expected
        told = "at the end lies beyond 18 to 28 degC" in found.remark
        assert told is (expected is Verdict.INCONCLUSIVE)


@pytest.mark.parametrize("serial", ["MY1", "SIM-1"])
@pytest.mark.parametrize(
    ("behind", "said", "verdict"),
    [
        (0.0, "PASS", Verdict.PASS),
        (61.0, "PASS", Verdict.INCONCLUSIVE),
        (61.0, "FAIL", Verdict.FAIL),
    ],
)
def test_a_clock_that_was_set_back_dates_no_calibration(
    serial: str, behind: float, said: str, verdict: Verdict
) -> None:
    register = ("register", {"behind": behind})
    judgement = rests_on(judged("t", "A", said), serials=(serial,))
    found = row(one(register, instrument(serial, "2027-01-01"), begin("t"), judgement, end("t")))
    assert found.verdict is verdict
    if verdict is Verdict.INCONCLUSIVE:
        assert f"clock was set back: whether the calibration of {serial} was" in found.remark


def test_a_run_that_goes_on_past_midnight_outlives_a_calibration() -> None:
    course = [instrument("MY1", "2026-03-01"), begin("t"),
              rests_on(judged("t", "A"), serials=("MY1",)), end("t")]  # fmt: skip
    made = records(*counted([*head(requirement("A")), collected(("t", ["A"])), *course]))
    assert row(conclude([*made, *records(END)])).verdict is Verdict.PASS
    later = Chain(made[-1].hash, len(made)).append(*END, utc=NOON + timedelta(days=1), bench=None)
    found = row(conclude([*made, later]))
    assert found.verdict is Verdict.INCONCLUSIVE
    assert "calibration of MY1 expired on 2026-03-01, before the run ended" in found.remark


def test_a_judgement_by_an_instrument_that_the_run_does_not_know() -> None:
    mixed = rests_on(judged("t", "A"), serials=("SIM-A", "MY9"))
    found = one(begin("t"), mixed, end("t"))
    assert row(found).verdict is Verdict.INCONCLUSIVE
    assert "MY9 is no instrument of this run" in row(found).remark


def stated(**changes: Any) -> Entry:
    """A PASS of t whose value is not what it should be."""
    kind, body = judged("t", "A")
    return kind, {**body, "measured": {**body["measured"], **changes}}


GUESS = {
    "id": "guess",
    "sensitivity": 1.0,
    "dof": "Infinity",
    "divisor": 1.0,
    "shape": "normal",
    "source": "",
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"captures": []}, "rests on no capture; measure what bench.record() gave"),
        ({"instruments": []}, "no instrument of this run, but on: none"),
        ({"instruments": ["MY9"]}, "no instrument of this run, but on: MY9"),
        ({"derivation": None}, "cannot be measured again: it says nothing"),
        ({"derivation": {"feature": "risen", "lost": "a set has no form"}}, "a set has no form"),
        ({"derivation": {"minus": {"feature": "guessed", "given": {}}}}, "guessed is no feature"),
        ({"components": [{**GUESS, "u": 0.0}], "expanded": "0.0"}, "more than 0 is allowed"),
        ({"components": [{**GUESS, "u": -1e-9}]}, "make it ERROR"),
    ],
)
def test_a_pass_that_rests_on_nothing_is_an_error(changes: dict[str, Any], said: str) -> None:
    found = one(begin("t"), stated(**changes), end("t"))
    assert row(found).verdict is Verdict.ERROR
    assert said in row(found).remark
    assert found.exit_code == 10


TRUTH = {"limit": Limit(Kind.TRUE), "dimension": Dimension.TRUTH}


@pytest.mark.parametrize(
    ("touched", "verdict"),
    [
        ([], Verdict.ERROR),
        ([("record", {"record": "r", "test": "t", "captures": []})], Verdict.PASS),
        ([("recalled", {"record": "r", "test": "t"})], Verdict.PASS),
        ([("recalled", {"record": "r", "test": "u"})], Verdict.ERROR),
        ([("reading", {"quantity": "q"})], Verdict.PASS),
    ],
)
def test_a_test_that_never_touched_the_bench_shows_nothing(
    touched: list[Entry], verdict: Verdict
) -> None:
    needed = replace(requirement_of(requirement("A")), **TRUTH)  # type: ignore[arg-type]  # two fields of it
    holds = measured_body(truth(True, "so it is said"))
    said = "judgement", {**judged("t", "A")[1], "measured": holds}
    course = [("reading", {"quantity": "before"}), begin("t"), *touched, said]
    planned = [*head(plain(requirement_body(needed))), collected(("t", ["A"])), *course]
    found = conclude(records(*planned, (end("t")[0], {**end("t")[1], "judgements": 1}), END))
    assert row(found).verdict is verdict
    assert ("nothing on the bench" in row(found).remark) is (verdict is Verdict.ERROR)


def test_a_word_that_is_no_verdict_is_an_error() -> None:
    for word in ("OK", "pass", "", "PASS "):
        kind, body = judged("t", "A")
        found = one(begin("t"), (kind, {**body, "verdict": word}), end("t"))
        assert row(found).verdict is Verdict.ERROR
        assert "which is no verdict" in row(found).remark
        assert found.exit_code == 10


def test_a_body_of_another_form_is_refused_not_believed() -> None:
    for body in ({}, {"test": "t"}, {"test": "t", "requirement": "A", "verdict": "PASS"}):
        with pytest.raises(UsageError, match="has not the form of this version"):
            conclude(records(*head(requirement("A")), begin("t"), ("judgement", body), END))


def test_a_judgement_that_is_missing_is_noticed() -> None:
    plan = [*head(requirement("A"), requirement("B")), collected(("t", ["A", "B"]))]
    made = [judged("t", "A", "FAIL"), judged("t", "A"), judged("t", "B", "FAIL")]
    course = counted([*plan, begin("t"), *made, end("t", "failed"), END])
    assert row(conclude(records(*course))).verdict is Verdict.FAIL
    del course[
        [kind for kind, _ in course].index("judgement")
    ]  # what made A a FAIL; B still says why the test failed
    found = row(conclude(records(*course)))
    assert found.verdict is Verdict.NO_VERDICT
    assert "it judged 3 times, and the journal holds 2 of that" in found.remark


# --- retried, interrupted, judging nothing -------------------------------------------------------


def test_what_passes_at_every_attempt_has_not_passed() -> None:
    found = one(*GOOD, *GOOD)
    assert row(found).verdict is Verdict.NO_VERDICT
    assert "it ran 2 times, and a repeat shows nothing" in row(found).remark
    assert found.exit_code == 10


def test_an_interrupted_test_has_no_verdict_and_its_fail_stands() -> None:
    found = one(begin("t"), judged("t", "A"), end("t", "interrupted", "signal SIGINT"))
    assert row(found).verdict is Verdict.NO_VERDICT
    assert row(found).remark == "t: signal SIGINT"
    failed = one(begin("t"), judged("t", "A", "FAIL"), end("t", "interrupted", "signal SIGINT"))
    assert row(failed).verdict is Verdict.FAIL


def test_a_test_that_judges_no_requirement_is_no_success() -> None:
    entries = [*head(requirement("A")), collected(("t", ["A"]), ("u", []))]
    found = concluded(*entries, *GOOD, begin("u"), end("u"), END)
    assert found.exit_code == 10
    assert found.reasons == ("u NO_VERDICT: it judges no requirement",)
    assert concluded(*entries, *GOOD, END).reasons == ("u NO_VERDICT: never started",)


# --- INCONCLUSIVE, NOT_EVALUATED, NOT_APPLICABLE -------------------------------------------------


@pytest.mark.parametrize(
    ("verdict", "outcome"),
    [
        ("INCONCLUSIVE", "failed"),
        ("NOT_EVALUATED", "skipped"),
        ("NOT_APPLICABLE", "skipped"),
        ("NOT_APPLICABLE", "passed"),
        ("PASS", "passed"),
    ],
)
def test_a_verdict_and_the_outcome_that_belongs_to_it(verdict: str, outcome: str) -> None:
    course = begin("t"), judged("t", "A", verdict), end("t", outcome)
    found = one(*course, removed=verdict == "NOT_APPLICABLE")
    assert row(found).verdict is Verdict(verdict)


def test_what_no_rule_of_the_plan_removes_is_an_error_where_a_journal_says_so() -> None:
    found = one(begin("t"), judged("t", "A", "NOT_APPLICABLE"), end("t", "skipped"))
    assert row(found).verdict is Verdict.ERROR
    assert "no rule of the plan removes it" in row(found).remark


# --- rows ----------------------------------------------------------------------------------------


def test_the_decisive_judgement_has_the_worst_verdict_and_then_the_least_margin() -> None:
    found = one(
        begin("t"),
        judged("t", "A", "PASS", "0.00001"),
        judged("t", "A", "PASS", "0.000002"),
        judged("t", "A", "PASS", "0.1"),
        end("t"),
    )
    assert row(found).decisive is not None
    assert row(found).remark == "A is PASS by 0.000002"
    assert len(row(found).judgements) == 3
    undecided = one(begin("t"), judged("t", "A", "ERROR"), end("t", "failed"))
    assert row(undecided).remark == "A is ERROR by None"
    failed = one(
        begin("t"),
        judged("t", "A", "PASS", "0.00001"),
        judged("t", "A", "FAIL", "-0.1"),
        judged("t", "A", "FAIL", "-0.5"),
        end("t", "failed"),
    )
    assert row(failed).remark == "A is FAIL by -0.5"


verdicts = st.sampled_from([verdict.value for verdict in Verdict])
outcomes = st.sampled_from(["passed", "failed", "error", "skipped", "rerun"])


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    st.lists(
        st.tuples(st.sampled_from("tu"), st.lists(verdicts, max_size=3), st.none() | outcomes),
        max_size=4,
    )
)
def test_a_run_is_never_better_than_any_of_its_judgements(
    course: list[tuple[str, list[str], str | None]],
) -> None:
    entries: list[Entry] = []
    for test, found, outcome in course:
        entries += [begin(test), *(judged(test, "A", verdict) for verdict in found)]
        entries += [end(test, outcome)] if outcome else []
    run = concluded(*head(requirement("A")), collected(("t", ["A"]), ("u", ["A"])), *entries, END)
    all_judged = [Verdict(verdict) for _, found, _ in course for verdict in found]
    assert worst([run.verdict, *all_judged]) is run.verdict
    assert (run.exit_code == 0) == (run.verdict is Verdict.PASS)
    if run.verdict is Verdict.PASS:
        assert {outcome for _, _, outcome in course} == {"passed"}
        assert {test for test, _, _ in course} == {"t", "u"}


def test_what_a_test_judged_unplanned_worsens_its_row_only() -> None:
    entries = [*head(requirement("A"), requirement("B")), collected(("t", ["A"]), ("u", ["B"]))]
    course = [*GOOD[:-1], judged("t", "B", "FAIL"), GOOD[-1]]
    found = concluded(*entries, *course, *ran("u", "B"), END)
    assert {test.test: test.verdict for test in found.tests} == {
        "t": Verdict.FAIL,
        "u": Verdict.PASS,
    }
    assert [row(found, name).verdict for name in "AB"] == [Verdict.PASS, Verdict.FAIL]


def test_a_test_that_never_ended_took_no_time() -> None:
    assert one(begin("t")).tests[0].seconds == 0
    assert one(*GOOD).tests[0].seconds == 0.1
    assert one(*GOOD, final=()).seconds == 0


def test_head_and_times_are_those_of_the_journal() -> None:
    journal = records(*counted([*head(requirement("A")), collected(("t", ["A"])), *GOOD, END]))
    found = conclude(journal)
    assert found.head == journal[-1].hash
    assert found.seconds == 1.0
    assert (found.begun, found.ended) == (journal[0].utc, journal[-1].utc)
    assert len(found.offs) == 1


# --- whatever is lost, repeated or out of order never helps --------------------------------------

PLANNED = {"t": ["A"], "u": ["A", "B"], "v": ["B", "C"]}


@st.composite
def course_of(draw: st.DrawFn, test: str, names: list[str], *, flawed: bool) -> list[Entry]:
    """What a runner journals of a test: it fails at its end unless all is judged and PASS."""
    kinds = ["bad", "bad", "broken", "skip", "kill", "none", "stale", "late"]
    kind = draw(st.sampled_from(kinds)) if flawed else "good"
    if kind == "none":
        return []
    words = {"bad": ["PASS", "FAIL", "INCONCLUSIVE", "ERROR"],
             "skip": ["NOT_EVALUATED", "NOT_APPLICABLE"]}.get(kind, ["PASS"])  # fmt: skip
    captured = [record("t" if kind == "stale" else test, f"of {test}", SHA)]
    serial = "MY1" if kind == "late" else "SIM-1"
    made: list[Entry] = []
    for name in names:
        for word in draw(st.lists(st.sampled_from(words), min_size=1, max_size=2)):
            entry = judged(test, name, word)
            made.append(rests_on(entry, serials=(serial,), captures=(SHA,)))
    all_pass = all(body["verdict"] == "PASS" for _, body in made)
    outcome = {"skip": "skipped", "broken": draw(st.sampled_from(["error", "interrupted"]))}
    done = [begin(test), ARMED, *captured, OFF, *made]
    if kind == "kill":
        return done[: draw(st.integers(1, len(done)))]
    return [*done, end(test, outcome.get(kind, "passed" if all_pass else "failed"))]


@st.composite
def journals(draw: st.DrawFn) -> list[Entry]:
    """A whole journal as the runner writes it, of tests of which one or two did not go well."""
    needs = [requirement("A"), requirement("B", "dose"), requirement("C", mandatory=False)]
    before = [instrument("SIM-1", ""), instrument("MY1", "2026-02-28")]
    flawed = draw(st.sets(st.sampled_from(sorted(PLANNED)), max_size=2))
    courses = [
        draw(course_of(test, names, flawed=test in flawed)) for test, names in PLANNED.items()
    ]
    ends = [body for course in courses for kind, body in course if kind == "test_end"]
    bad = any(body["outcome"] != "passed" for body in ends)
    killed = any(course and course[-1][0] != "test_end" for course in courses)
    last = [] if killed else [("end", {"pytest_exit": int(bad), "seconds": 1.0})]
    planned = collected(*PLANNED.items())
    return counted([*head(*needs), *before, planned, *itertools.chain(*courses), *last])


@st.composite
def spoiled(draw: st.DrawFn, entries: list[Entry]) -> list[Entry]:
    """The same journal, well chained, with records lost, repeated and moved."""
    plan, rest = entries[:2], list(entries[2:])
    for _ in range(draw(st.integers(1, 4))):
        if not rest:
            break
        place = draw(st.integers(0, len(rest) - 1))
        what = draw(st.sampled_from(["lose", "repeat", "move"]))
        entry = rest[place] if what == "repeat" else rest.pop(place)
        if what != "lose":
            rest.insert(draw(st.integers(0, len(rest))), entry)
    return [*plan, *rest]


def assert_no_greener(entries: list[Entry], whole: Conclusion) -> None:
    """Nothing turned green that was not: neither a requirement, nor a test, nor the run."""
    found = conclude(unchained(entries))
    assert passed(found) <= passed(whole)
    assert found.exit_code != 0 or whole.exit_code == 0
    assert found.exit_code == 0 or found.reasons


def passed(found: Conclusion) -> set[str]:
    """Requirements and tests that are PASS."""
    rows = [(row.requirement["id"], row.verdict) for row in found.requirements]
    rows += [(row.test, row.verdict) for row in found.tests]
    return {name for name, verdict in rows if verdict is Verdict.PASS}


def test_a_judgement_outside_of_its_test_does_not_make_up_for_one_that_is_lost() -> None:
    kept = [judged("v", "B", "PASS"), judged("v", "C", "PASS")]
    lost = judged("v", "C", "FAIL")
    made = [rests_on(entry, serials=("SIM-1",), captures=(SHA,)) for entry in (*kept, lost)]
    needs = [requirement("A"), requirement("B", "dose"), requirement("C", mandatory=False)]
    done = [begin("v"), ARMED, record("v", "of v", SHA), OFF, *made, end("v", "failed")]
    known = [*head(*needs), instrument("SIM-1", ""), collected(("v", ["B", "C"]))]
    entries = counted([*known, *done, ("end", {"pytest_exit": 1, "seconds": 1.0})])
    where = entries.index(made[2])
    spoilt = [*entries[:2], made[0], *entries[2:where], *entries[where + 1 :]]
    assert_no_greener(spoilt, conclude(unchained(entries)))


@settings(max_examples=60, deadline=None)
@given(entries=journals())
def test_no_record_that_is_lost_or_repeated_helps(entries: list[Entry]) -> None:
    """Each record of each journal, one at a time; and a run of which the end is lost is not 0."""
    whole = conclude(unchained(entries))
    for n in range(2, len(entries)):
        assert_no_greener([*entries[:n], *entries[n + 1 :]], whole)
        assert_no_greener([*entries[:n], entries[n], *entries[n:]], whole)


@settings(max_examples=200, deadline=None)
@given(data=st.data(), entries=journals())
def test_what_a_journal_loses_repeats_or_reorders_never_helps(
    data: st.DataObject, entries: list[Entry]
) -> None:
    assert_no_greener(data.draw(spoiled(entries)), conclude(unchained(entries)))


@settings(max_examples=60, deadline=None)
@given(entries=journals())
def test_a_journal_that_is_cut_anywhere_is_never_green(entries: list[Entry]) -> None:
    """What a crash leaves is a prefix: what had passed stays so, the run as a whole does not."""
    whole = conclude(unchained(entries))
    for n in range(2, len(entries)):
        assert_no_greener(entries[:n], whole)
        assert conclude(unchained(entries[:n])).exit_code != 0
