"""The verdict table's order and the exit codes, line by line."""

from __future__ import annotations

import itertools

import pytest

from hil.verdict import ExitCode, Verdict, exit_code, worst

FAIL, ERROR, NO_VERDICT = Verdict["FAIL"], Verdict["ERROR"], Verdict["NO_VERDICT"]
INCONCLUSIVE, NOT_EVALUATED = Verdict["INCONCLUSIVE"], Verdict["NOT_EVALUATED"]
NOT_APPLICABLE, PASS = Verdict["NOT_APPLICABLE"], Verdict["PASS"]
ORDER = [FAIL, ERROR, NO_VERDICT, INCONCLUSIVE, NOT_EVALUATED, NOT_APPLICABLE, PASS]
MANDATORY = {"A": "limits", "B": "limits", "C": "dose"}


def code(a: Verdict = PASS, b: Verdict = PASS, c: Verdict = PASS, **others: Verdict) -> ExitCode:
    return exit_code({"A": a, "B": b, "C": c} | others, MANDATORY)


def test_there_are_seven_verdicts() -> None:
    assert set(ORDER) == set(Verdict)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(ORDER, repeat=2)))
def test_the_worse_of_two_is_taken(first: Verdict, second: Verdict) -> None:
    expected = ORDER[min(ORDER.index(first), ORDER.index(second))]
    assert worst([first, second]) is expected
    assert worst(iter([second, first])) is expected


def test_the_worst_of_nothing_is_no_pass() -> None:
    assert worst([]) is NO_VERDICT


def test_marks_of_the_clause_table() -> None:
    marks = {FAIL: "F", ERROR: "-", NO_VERDICT: "-", INCONCLUSIVE: "-", NOT_EVALUATED: "N/E",
             NOT_APPLICABLE: "N/A", PASS: "P"}  # fmt: skip
    assert {verdict: verdict.clause_mark for verdict in Verdict} == marks


def test_names_in_records_are_the_names_of_the_table() -> None:
    assert [verdict.value for verdict in Verdict] == [verdict.name for verdict in ORDER]


def test_numbers_of_the_exit_codes() -> None:
    assert {name: int(member) for name, member in ExitCode.__members__.items()} == {
        "COMPLIES": 0,
        "OTHER_VERDICT": 10,
        "USAGE": 11,
        "BENCH_BEFORE_OUTPUT": 12,
        "ABORTED_OFF": 13,
        "UNSAFE": 20,
    }


def test_all_pass_complies() -> None:
    assert code() == 0


@pytest.mark.parametrize("verdict", ORDER)
def test_one_mandatory_requirement(verdict: Verdict) -> None:
    """A is one of two in its subject: PASS and NOT_APPLICABLE comply, nothing else does."""
    assert code(a=verdict) == (0 if verdict in {PASS, NOT_APPLICABLE} else 10)


@pytest.mark.parametrize("verdict", ORDER)
def test_one_requirement_that_is_not_mandatory(verdict: Verdict) -> None:
    allowed = {PASS, NOT_APPLICABLE, NOT_EVALUATED}
    assert code(D=verdict) == (0 if verdict in allowed else 10)


def test_each_mandatory_subject_needs_a_pass() -> None:
    assert code(a=NOT_APPLICABLE, b=NOT_APPLICABLE) == 10
    assert code(c=NOT_APPLICABLE) == 10
    assert code(a=NOT_APPLICABLE) == 0


def test_a_pass_that_is_not_mandatory_carries_no_mandatory_subject() -> None:
    verdicts = {"A": NOT_APPLICABLE, "B": PASS}
    assert exit_code(verdicts, {"A": "limits"}) == 10


def test_nothing_shown_does_not_comply() -> None:
    assert exit_code({}, {}) == 10
    assert exit_code({"A": PASS}, {}) == 10
    assert exit_code({}, {"A": "limits"}) == 10


def test_a_mandatory_requirement_without_a_verdict_does_not_comply() -> None:
    assert exit_code({"A": PASS}, {"A": "limits", "B": "limits"}) == 10
