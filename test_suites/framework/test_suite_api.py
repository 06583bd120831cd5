"""What authors import: marks, grids and draws, and the judge that a test is given."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import find, settings
from hypothesis import strategies as st

from hil.decision import Judgement
from hil.depth import Depth
from hil.device import Polarity
from hil.docket import Docket
from hil.envelope import Envelope
from hil.errors import DimensionError, UsageError
from hil.exact import Dimension, Exact
from hil.measurement import Calibration, Component, Measurement
from hil.scenario import LoadStep, Pause
from hil.timeline import lay_out
from hil.units import mA
from hil.verdict import Verdict
from hil_fixtures import suite
from hil_fixtures.config import read_device, read_setup
from hil_fixtures.grid import name
from hil_fixtures.judging import Judge, NotPassed
from hil_fixtures.suite import draw, for_all, grid, over, requirement

pytest_plugins = ("pytester",)

PROFILE = read_device(None)
ENVELOPE = Envelope.of(PROFILE)
KNOWN = {req.id: req for req in read_setup(None, None).requirements}


def test_authors_need_few_names():
    marks = ["draw", "fault_injection", "for_all", "from_depth", "grid", "over", "requirement"]
    assert suite.__all__ == ["TURN", "Bench", "Depth", "Run", *marks]


@pytest.mark.parametrize("call", [requirement, over, for_all])
def test_an_empty_mark_is_refused(call):
    with pytest.raises(UsageError, match="needs"):
        call()


@pytest.mark.parametrize(
    "test",
    [lambda bench, judge: None, lambda judge, scenario: None, lambda bench, scenario: None],
    ids=["scenario", "bench", "judge"],
)
def test_for_all_names_the_argument_that_is_missing(test, request):
    missing = request.node.callspec.id
    with pytest.raises(UsageError, match=f"no argument {missing}$"):
        for_all(scenario=draw.scenarios)(test)


def test_for_all_hides_what_it_draws_from_pytest():
    def test(bench, judge, scenario): ...

    import inspect

    shown = inspect.signature(for_all(scenario=draw.scenarios)(test))
    assert list(shown.parameters) == ["bench", "judge"]


@pytest.mark.parametrize("depth", Depth)
def test_settings_span_the_declared_range_on_its_grid(depth):
    points = grid.setpoints(PROFILE, depth)
    low, high = PROFILE["output.setpoint_min"], PROFILE["output.setpoint_max"]
    step = PROFILE["output.setpoint_step"].base
    assert points[-1] == high
    assert all(low <= point <= high for point in points)
    assert all((point.base - low.base) % step == 0 for point in points)
    assert len(set(points)) == {"smoke": 1, "standard": 3, "full": 9}[depth.value]
    if depth is not Depth.SMOKE:
        assert points[0] == low


@pytest.mark.parametrize("depth", Depth)
def test_every_setting_can_be_driven_into_every_load_of_the_grid(depth):
    most = PROFILE["output.setpoint_max"].base
    loads = grid.loads(PROFILE, depth)
    assert loads[0] == PROFILE["output.load_min"]
    assert all(load.base * most < PROFILE["output.compliance"].base for load in loads)


def test_points_have_names_that_can_stand_in_an_identity():
    points = [Exact.parse("4.0 mA"), Polarity.NEGATIVE, "skin"]
    assert [name(point) for point in points] == ["4mA", "negative", "skin"]


def test_what_is_drawn_lies_within_the_envelope_and_can_be_run():
    narrow = ENVELOPE.narrowed(Exact.parse("1.5 mA"))
    seen = []

    def runs(scenario):
        seen.append(scenario)
        timeline = lay_out(scenario, PROFILE)
        return timeline.stimulus.setpoint > narrow.max_current or not timeline.ends_by_dose

    from hypothesis.errors import NoSuchExample

    with pytest.raises(NoSuchExample):
        find(
            draw.scenarios(PROFILE, narrow),
            runs,
            settings=settings(max_examples=150, database=None, derandomize=True),
        )
    kinds = {type(part) for scenario in seen for part in scenario.disturbances}
    assert kinds == {Pause, LoadStep}
    least = draw.SMALLEST_DOSE * PROFILE["dose.accuracy_absolute"].base
    assert min(scenario.dose.base for scenario in seen) >= least  # less may be refused
    assert {scenario.programmes[0].stimulus.polarity for scenario in seen} == set(Polarity)


def test_settings_that_are_drawn_reach_both_ends():
    drawn = draw.setpoints(PROFILE, ENVELOPE)
    quiet = settings(max_examples=500, database=None, derandomize=True)
    for end in ("output.setpoint_min", "output.setpoint_max"):
        assert find(drawn, lambda x, end=end: x == PROFILE[end], settings=quiet) == PROFILE[end]
    assert isinstance(drawn, st.SearchStrategy)


@pytest.fixture
def judge():
    written = []
    made = Judge(
        "m:test_a",
        {"LIM-CEIL": KNOWN["LIM-CEIL"], "LIM-STEP": KNOWN["LIM-STEP"]},
        written.append,
        frozenset({"LIM-CEIL"}),
    )
    made.written = written
    return made


def test_a_judgement_is_written_before_it_is_returned(judge):
    found = judge("LIM-CEIL", None)
    assert isinstance(found, Judgement)
    assert found.verdict is Verdict.ERROR
    assert judge.written == [found]
    with pytest.raises(NotPassed, match="LIM-CEIL ERROR"):
        judge.finish()


def test_a_value_that_was_never_recorded_is_no_pass():
    docket, written = Docket(), []
    docket.note("test_begin", {"test": "m:test_a"})
    docket.note("instrument", {"serial": "SIM-1"})
    scope = frozenset({"LIM-CEIL"})
    made = Judge("m:test_a", {"LIM-CEIL": KNOWN["LIM-CEIL"]}, written.append, scope, docket.against)
    guess = (Component("guess", 1e-9),)
    value = Measurement(Decimal("0.001"), Dimension.CURRENT, guess, ("SIM-1",), Calibration.VALID)
    found = made("LIM-CEIL", value)
    assert found.verdict is Verdict.ERROR
    assert "rests on no capture; measure what bench.record() gave" in found.reason
    over = made("LIM-CEIL", replace(value, value=Decimal(1)))
    assert over.verdict is Verdict.FAIL
    assert written == [found, over]


def test_what_is_out_of_scope_is_returned_and_neither_written_nor_missed(judge):
    assert judge("LIM-STEP", None, at=1 * mA).verdict is Verdict.ERROR
    assert judge.written == []
    with pytest.raises(NotPassed, match=r"^LIM-CEIL: marked, and never judged$"):
        judge.finish()


def test_an_unmarked_requirement_is_refused(judge):
    with pytest.raises(UsageError, match=r"m:test_a judges 'LIM-ACC'.*LIM-CEIL, LIM-STEP"):
        judge("LIM-ACC", None)


def test_not_evaluated_is_written_for_each_requirement_in_scope(judge):
    judge.not_evaluated("no load")
    assert [(j.requirement, j.verdict) for j in judge.written] == [
        ("LIM-CEIL", Verdict.NOT_EVALUATED)
    ]


def test_an_example_fails_by_its_own_judgements(judge):
    with pytest.raises(NotPassed), judge.example():
        judge("LIM-CEIL", None)
    with judge.example():
        pass  # what an earlier example did does not fail this one
    with pytest.raises(NotPassed):
        judge.finish()


def test_at_takes_a_quantity_and_refuses_a_number(judge):
    assert judge("LIM-STEP", None, at=2 * mA).at == Exact.parse("2 mA")
    assert judge("LIM-STEP", None, at=2.0).verdict is Verdict.ERROR
    with pytest.raises(DimensionError):
        Exact.of(2.0)


MARKED = """
import pytest
@pytest.mark.needs_tool("{tool}")
def test_a(): pass
"""


@pytest.mark.parametrize(
    ("tool", "strict", "outcome"),
    [
        ("python3", "1", {"passed": 1}),
        ("no-tool-of-that-name", "0", {"skipped": 1}),
        ("no-tool-of-that-name", "1", {"errors": 1}),
    ],
)
def test_a_missing_tool_skips_and_fails_under_strict(pytester, monkeypatch, tool, strict, outcome):
    from pathlib import Path

    monkeypatch.setenv("STIMPROOF_STRICT", strict)
    root = Path(__file__).parents[2] / "conftest.py"
    pytester.makeconftest(root.read_text())
    pytester.makeini("[pytest]\nmarkers = needs_tool(name): x\n")
    pytester.makepyfile(MARKED.format(tool=tool))
    done = pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:timeout")
    done.assert_outcomes(**outcome)
