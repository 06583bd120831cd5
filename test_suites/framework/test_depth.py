"""Depth is coverage: what a run of a depth looks at, and what it says of the rest."""

import contextlib
import io
from dataclasses import replace

import pytest

from framework.sessions import session
from hil.depth import Depth
from hil.estimate import OF_ALL, Estimate, Spent
from hil.exact import Exact
from hil.journal import Record
from hil.proof import PROBE
from hil.verdict import Verdict
from hil_fixtures import grid, plan
from hil_fixtures.config import read_device
from hil_fixtures.grid import End
from hil_fixtures.plan import Options
from hil_reports.evidence import read_journal

PROFILE = read_device(None)


@pytest.mark.parametrize("depth", Depth)
def test_a_depth_reaches_itself_and_what_is_smaller(depth):
    reached = [other for other in Depth if depth.reaches(other)]
    assert reached == list(Depth)[: list(Depth).index(depth) + 1]


@pytest.mark.parametrize("depth", Depth)
def test_every_requirement_of_a_depth_has_a_test_of_that_depth(tmp_path, depth):
    args = ["--pyargs", "hil_suites", "--collect-only", f"--hil-depth={depth.value}", "-q"]
    args += [f"--hil-out={tmp_path}", f"--rootdir={tmp_path}", "-c", "/dev/null"]
    args += ["-p", "no:cacheprovider", "-p", "no:timeout", "--import-mode=importlib"]
    with contextlib.redirect_stdout(io.StringIO()):
        pytest.main(args)
    (folder,) = (path for path in tmp_path.iterdir() if path.is_dir())
    records = read_journal(folder).records
    (collected,) = (record.body for record in records if record.kind == "collected")
    judged = {name for item in collected["items"] for name in item["requirements"]}
    assert judged == set(plan.make(Options(depth=depth)).requirements)


def test_what_a_smoke_run_leaves_out_is_named_and_makes_the_scope_partial():
    made = plan.make(Options(depth=Depth.SMOKE))
    assert "STATE-TRUE" in made.unlooked
    assert not set(made.unlooked) & set(made.requirements)
    every = len(made.known)
    assert len(made.unlooked) + len(made.requirements) == every
    said = f"not looked at by a smoke run: {len(made.unlooked)} of {every} requirements ("
    assert said in made.partial
    assert ", ".join(made.unlooked) in made.partial
    assert "the depth is smoke: one treatment for each subject" in made.partial
    subjects = {req.subject for req in made.known.values()}
    assert {req.subject for req in made.requirements.values()} == subjects


def test_a_suite_counts_alone_what_it_leaves_out():
    made = plan.make(Options(depth=Depth.SMOKE, suites=("polarity",)))
    assert made.unlooked == ["POL-LOCK", "POL-ZERO"]
    assert "2 of 4 requirements (POL-LOCK, POL-ZERO)" in made.partial


@pytest.mark.parametrize("depth", [Depth.STANDARD, Depth.FULL])
def test_deeper_runs_look_at_every_requirement(depth):
    made = plan.make(Options(depth=depth))
    assert not made.unlooked
    assert made.partial == ""


DEEP = """
import pytest
from hil.features import mean
from hil.units import s
from hil_fixtures.suite import Depth, from_depth, requirement

pytestmark = from_depth(Depth.FULL)

@from_depth(Depth.SMOKE)
@requirement("LIM-OFF")
def test_near(bench, judge):
    with bench.armed() as run:
        run.wait(2 * s)
    judge("LIM-OFF", abs(mean(run.record.current)))

@requirement("LIM-OFF")
def test_far(bench, judge):
    raise AssertionError("no run of this depth comes here")
"""


def test_a_mark_of_a_test_comes_before_that_of_its_module(tmp_path):
    (tmp_path / "test_deep.py").write_text(DEEP)
    done = session(tmp_path)
    assert [row.test for row in done.found.tests if row.test != PROBE] == ["test_deep:test_near"]
    assert done.verdict("LIM-OFF") is Verdict.PASS


# -- grids ----------------------------------------------------------------------------------------


def other(**figures):
    """The reference device with other figures."""
    changed = {
        name: replace(PROFILE.figures[name], value=Exact.parse(value))
        for name, value in figures.items()
    }
    return replace(PROFILE, figures={**PROFILE.figures, **changed})


ONE_LOAD = other(**{"output.load_max": "500 ohm"})
ONE_SETTING = other(**{"output.setpoint_min": "4.0 mA"})


@pytest.mark.parametrize("depth", [Depth.STANDARD, Depth.FULL])
@pytest.mark.parametrize("profile", [PROFILE, ONE_LOAD, ONE_SETTING], ids=["usual", "load", "one"])
def test_the_treatments_of_a_grid_end_in_every_way(profile, depth):
    found = grid.treatments(profile, depth)
    assert len(set(found)) == len(found)
    pairs = {(each.setpoint, each.load) for each in found}
    settings, loads = grid.setpoints(profile, depth), grid.loads(profile, depth)
    assert {(setting, load) for setting in settings for load in loads} <= pairs
    assert {each.end for each in found} == set(End)
    assert grid.base(profile, depth)[0] in found


def test_each_setting_has_both_polarities_and_three_settings_are_stopped():
    found = grid.treatments(PROFILE, Depth.STANDARD)
    by_setting = {each.setpoint: set() for each in found}
    for each in found:
        by_setting[each.setpoint].add(each.polarity)
    assert all(len(polarities) == 2 for polarities in by_setting.values())
    assert len({each.setpoint for each in grid.stopped(PROFILE, Depth.STANDARD)}) == 3
    most = {each.polarity for each in grid.stopped(PROFILE, Depth.STANDARD)
            if each.setpoint == PROFILE["output.setpoint_max"]}  # fmt: skip
    assert len(most) == 2


def test_smoke_has_one_treatment_and_nothing_that_ends_it_otherwise():
    assert grid.treatments(PROFILE, Depth.SMOKE) == grid.base(PROFILE, Depth.SMOKE)
    assert not grid.openings(PROFILE, Depth.SMOKE)
    assert not grid.aborts(PROFILE, Depth.SMOKE)
    assert str(grid.base(PROFILE, Depth.SMOKE)[0]) == "4mA-2kohm-positive-stop"


# -- time -----------------------------------------------------------------------------------------


def records(*entries):
    return [
        Record(n, kind, "", bench, body, "", "", "")
        for n, (kind, bench, body) in enumerate(entries)
    ]


def test_a_rehearsal_tells_where_the_time_goes():
    names = [("A-1", "one"), ("A-2", "one"), ("B-1", "two")]
    items = [("m:a", ["A-1", "B-1"]), ("m:b", ["B-1"]), ("m:c", [])]
    found = Estimate.of(
        records(
            ("plan", None, {"requirements": [{"id": i, "subject": j} for i, j in names]}),
            ("collected", None, {"items": [{"test": i, "requirements": j} for i, j in items]}),
            ("test_begin", None, {"test": "m:a"}),
            ("preflight", 4.0, {}),
            ("armed", 4.0, {"test": PROBE}),
            ("preflight", 44.0, {}),
            ("armed", 45.0, {"test": "m:a"}),
            ("armed", 65.0, {"test": "m:a"}),
            ("test_end", 104.0, {"test": "m:a", "outcome": "passed"}),
            ("test_begin", 104.0, {"test": "m:b"}),
            ("test_end", 104.0, {"test": "m:b", "outcome": "passed"}),
            ("test_begin", 104.0, {"test": "m:c"}),
            ("test_end", 106.0, {"test": "m:c", "outcome": "passed"}),
            ("postflight", 110.0, {}),
        )
    )
    assert found.spent == {
        OF_ALL: Spent(1, 0, 50.0),
        "one": Spent(1, 2, 60.0),
        "two": Spent(1, 0, 0.0),
    }
    assert sum(row.seconds for row in found.spent.values()) == found.total
