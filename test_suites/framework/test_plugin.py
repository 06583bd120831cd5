"""The pytest plugin: what is in scope, what counts, and what never turns green."""

import pytest

from framework import brisk
from framework.sessions import session
from hil.verdict import ExitCode, Verdict

HEAD = """
import pytest
from hil.features import mean, peak, steady
from hil.scenario import Scenario
from hil.units import mA, s, V
from hil_fixtures.suite import draw, for_all, grid, over, requirement

SHORT = Scenario.treatment(1 * mA, hold=2 * s)
"""
GOOD = """
@requirement("LIM-CEIL")
def test_it(bench, judge):
    "First line."
    judge("LIM-CEIL", peak(bench.record(SHORT).current))
"""
EACH = """
@requirement("LIM-ACC", "LIM-OVER", "LIM-CEIL", "LIM-STEP", "LIM-OFF", "LIM-VOLT")
def test_each(bench, judge):
    current = bench.record(SHORT).current
    judge("LIM-ACC", steady(current), at=1 * mA)
    judge("LIM-OVER", peak(current) - abs(steady(current)), at=1 * mA)
    judge("LIM-CEIL", peak(current))
    judge("LIM-STEP", peak(current), at=1 * mA)
    judge("LIM-VOLT", peak(bench.record(SHORT).voltage), at=bench.profile["output.compliance"])
    with bench.armed() as run:
        run.wait(3 * s)
    judge("LIM-OFF", abs(mean(run.record.current)))
"""


@pytest.fixture
def run(tmp_path, tmp_path_factory):
    """Write a test module and run it."""
    device = brisk.file(tmp_path_factory.mktemp("device"))

    def write_and_run(body, *options, name="test_mine.py", **more):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(HEAD + body)
        return session(tmp_path, f"--hil-device={device}", *options, **more)

    return write_and_run


WHOLE = """
@requirement("OUT-CURR", "OUT-VOLT")
def test_whole(bench, judge):
    record = bench.record(SHORT)
    judge("OUT-CURR", steady(record.current), at=1 * mA)
    judge("OUT-VOLT", peak(record.voltage), at=bench.profile["output.compliance"])
"""
NOWHERE = """
@requirement("OUT-CURR")
@over(setpoint=lambda profile, depth: [])
def test_nowhere(bench, judge, setpoint):
    raise AssertionError
"""


def test_a_whole_subject_passes(run):
    # a grid without a point leaves its test out
    done = run(WHOLE + NOWHERE, suite="output-description")
    assert [item["test"] for item in done.of("collected")[0]["items"]] == ["test_mine:test_whole"]
    assert {row.verdict for row in done.found.requirements} == {Verdict.PASS}
    assert (done.code, done.found.exit_code) == (0, ExitCode.COMPLIES)
    assert not done.found.complies  # one subject is a partial scope
    assert "only the suites output-description" in done.found.run["partial"]


def test_a_requirement_without_a_test_is_not_green(run):
    done = run(GOOD)
    assert done.verdict("LIM-CEIL") is Verdict.PASS
    assert done.verdict("LIM-ACC") is Verdict.NO_VERDICT
    assert (done.code, done.found.exit_code) == (1, ExitCode.OTHER_VERDICT)
    assert "LIM-ACC NO_VERDICT: no test was collected for it" in done.text


@pytest.mark.parametrize("name", ["test_mine.py", "deep/er/test_mine.py"])
def test_identity_does_not_depend_on_the_folder(run, name):
    body = (
        GOOD
        + """
class TestClass:
    @requirement("LIM-ACC")
    @over(setpoint=grid.top)
    def test_in(self, bench, judge, setpoint):
        judge("LIM-ACC", steady(bench.record(SHORT).current), at=1 * mA)
"""
    )
    items = run(body, name=name).of("collected")[0]["items"]
    assert [(item["test"], item["requirements"], item["doc"]) for item in items] == [
        ("test_mine:test_it", ["LIM-CEIL"], "First line."),
        ("test_mine:TestClass.test_in[4mA]", ["LIM-ACC"], ""),
    ]


def test_two_tests_of_one_identity_are_refused(run, tmp_path):
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "test_mine.py").write_text(HEAD + GOOD)
    done = run(GOOD)
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert "two tests have the identity test_mine:test_it" in done.text
    assert done.found.exit_code is ExitCode.USAGE
    assert not done.of("armed")


REFUSED = {
    "@requirement('LIM-NONE')\ndef test_a(bench, judge): ...": "'LIM-NONE', which no",
    "@requirement('LIM-CEIL')\ndef test_a(bench): ...": "takes no argument `judge`",
    "@requirement('LIM-CEIL')\ndef test_a(): ...": "takes no argument `judge`",
    """
from hypothesis import given, strategies
@requirement("LIM-CEIL")
@given(x=strategies.integers())
def test_a(bench, judge, x): ...
""": "uses @given with the bench; use for_all",
}


@pytest.mark.parametrize("body", REFUSED)
def test_what_is_wrongly_written_is_refused_before_anything_is_armed(run, body):
    done = run(body)
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert REFUSED[body] in done.text
    assert done.found.exit_code is ExitCode.USAGE
    assert not done.of("armed")


def test_deselection_is_seen(run):
    done = run(EACH + GOOD.replace("test_it", "test_other"), "-k", "other")
    assert done.verdict("LIM-ACC") is Verdict.NO_VERDICT
    assert done.verdict("LIM-CEIL") is Verdict.NO_VERDICT  # one of its two tests was dropped
    assert (done.code, done.found.exit_code) == (1, ExitCode.OTHER_VERDICT)
    assert not done.found.complies


DROPPED = {
    "skip": '@pytest.mark.skip(reason="later")',
    "skipif": '@pytest.mark.skipif(True, reason="later")',
    "xfail": "@pytest.mark.xfail",
    "xfail strict": "@pytest.mark.xfail(strict=True)",
    "xfail norun": "@pytest.mark.xfail(run=False)",
}


@pytest.mark.parametrize("mark", DROPPED)
def test_a_marked_test_shows_nothing(run, mark):
    done = run(DROPPED[mark] + EACH)
    assert {row.verdict for row in done.found.requirements} == {Verdict.NO_VERDICT}
    assert done.code != 0


def test_a_fail_stands_although_its_test_is_marked_xfail(run):
    done = run("@pytest.mark.xfail" + EACH, "--hil-fault=F11")
    assert done.verdict("LIM-ACC") is Verdict.FAIL


@pytest.mark.parametrize(
    "value",
    ["None", "0.001", "1 * mA", "True", "float('nan')", "'PASS'", "abs", "steady(current) * 1000"],
)
def test_what_is_no_measurement_is_an_error_never_a_pass(run, value):
    done = run(f"""
@requirement("LIM-CEIL")
def test_it(bench, judge):
    current = bench.record(SHORT).current
    judge("LIM-CEIL", {value})
""")
    wanted = Verdict.FAIL if "steady" in value else Verdict.ERROR
    assert done.verdict("LIM-CEIL") in {wanted, Verdict.ERROR}
    assert done.code == 1


@pytest.mark.parametrize(
    "value", ["mean(bench.record(SHORT).voltage)", "peak(bench.record(SHORT).current)"]
)
def test_a_wrong_dimension_or_a_missing_at_is_an_error(run, value):
    done = run(f"""
@requirement("LIM-ACC")
def test_it(bench, judge):
    judge("LIM-ACC", {value})
""")
    assert done.verdict("LIM-ACC") is Verdict.ERROR


def test_judging_what_the_test_is_not_marked_with_is_an_error(run):
    done = run("""
@requirement("LIM-CEIL")
def test_it(bench, judge):
    judge("LIM-CEIL", peak(bench.record(SHORT).current))
    judge("LIM-STEP", peak(bench.record(SHORT).current), at=1 * mA)
""")
    assert done.verdict("LIM-CEIL") is Verdict.ERROR
    assert "with which it is not marked; it has: LIM-CEIL" in done.text


def test_a_requirement_out_of_scope_may_be_judged_beside_one_in_scope(run):
    done = run("""
@requirement("RAMP-STEP", "LIM-CEIL")
def test_it(bench, judge):
    current = bench.record(SHORT).current
    judge("RAMP-STEP", peak(current))
    judge("LIM-CEIL", peak(current))
""")
    assert done.verdict("LIM-CEIL") is Verdict.PASS
    assert [body["requirement"] for body in done.of("judgement")] == ["LIM-CEIL"]


def test_a_test_that_never_judges_has_no_verdict(run):
    done = run("""
@requirement("LIM-CEIL", "LIM-ACC")
def test_it(bench, judge):
    judge("LIM-CEIL", peak(bench.record(SHORT).current))
""")
    assert done.verdict("LIM-ACC") is Verdict.NO_VERDICT
    assert done.verdict("LIM-CEIL") is not Verdict.PASS
    assert "LIM-ACC: marked, and never judged" in done.text


BROKEN = {
    "test": 'def test_it(bench, judge):\n    {use}\n    raise RuntimeError("mine")',
    "assert": "def test_it(bench, judge):\n    {use}\n    assert False, 'mine'",
    "setup": "@pytest.fixture\ndef part(bench): raise RuntimeError('mine')\n"
    '@requirement("LIM-CEIL")\ndef test_it(bench, judge, part):\n    {use}',
    "teardown": "@pytest.fixture\ndef part(bench):\n    yield\n    raise RuntimeError('mine')\n"
    '@requirement("LIM-CEIL")\ndef test_it(bench, judge, part):\n    {use}',
}


@pytest.mark.parametrize("place", BROKEN)
def test_an_exception_anywhere_is_an_error(run, place):
    use = 'judge("LIM-CEIL", peak(bench.record(SHORT).current))'
    body = BROKEN[place].format(use=use)
    mark = "" if place in {"setup", "teardown"} else '@requirement("LIM-CEIL")\n'
    done = run(mark + body)
    assert done.verdict("LIM-CEIL") is Verdict.ERROR
    assert done.test("test_it").outcome == "error"
    assert "mine" in done.test("test_it").detail
    assert done.code == 1


def test_an_exception_while_armed_leads_to_a_proven_off_and_the_next_test_runs(run):
    done = run(
        """
@requirement("LIM-ACC")
def test_bad(bench, judge):
    with bench.armed() as run:
        run.start(2 * mA)
        run.wait(3 * s)
        raise RuntimeError("mine")
"""
        + GOOD
    )
    assert [state["confirmed"] for state in done.of("safe_state")] == [True] * 3  # the probe's too
    assert done.verdict("LIM-ACC") is Verdict.ERROR
    assert done.verdict("LIM-CEIL") is Verdict.PASS


def test_a_load_that_the_bench_lacks_is_not_evaluated(run):
    done = run("""
@requirement("LIM-CEIL")
def test_it(bench, judge):
    judge("LIM-CEIL", peak(bench.record(Scenario.treatment(1 * mA, load="sofa")).current))
""")
    assert done.verdict("LIM-CEIL") is Verdict.NOT_EVALUATED
    (body,) = done.of("judgement")
    assert "no load 'sofa'; it has: open, short" in body["reason"]
    assert done.code == 1


def test_a_record_is_made_once_for_two_tests(run):
    done = run(GOOD + GOOD.replace("test_it", "test_again"))
    assert len(done.of("record")) == 1
    assert len(done.of("judgement")) == 2
    first, second = (body["measured"]["captures"] for body in done.of("judgement"))
    assert first == second


PROPERTY = """
@requirement("DOSE-TRUE")
@for_all(scenario=draw.scenarios)
def test_property(bench, judge, scenario):
    from hil.features import charge
    record = bench.record(scenario)
    judge("DOSE-TRUE", charge(record.current) - record.claimed_charge, at=scenario.dose)
"""


def test_a_fail_within_for_all_is_journaled_and_stands(run):
    done = run(
        """
COUNT = []
@requirement("DOSE-TRUE")
@for_all(scenario=draw.scenarios)
def test_property(bench, judge, scenario):
    from hil.features import charge
    record = bench.record(scenario)
    COUNT.append(1)
    claimed = record.claimed_charge
    wrong = charge(record.current) if len(COUNT) == 2 else charge(record.current) - claimed
    judge("DOSE-TRUE", wrong, at=scenario.dose)
""",
        suite="dose",
    )
    verdicts = [body["verdict"] for body in done.of("judgement")]
    assert "FAIL" in verdicts  # once, and never again: Hypothesis calls it flaky
    assert done.verdict("DOSE-TRUE") is Verdict.FAIL
    assert done.code == 1


def test_for_all_without_its_argument_is_refused(run):
    done = run("""
@requirement("LIM-CEIL")
@for_all(scenario=draw.scenarios)
def test_it(bench, judge): ...
""")
    assert "has for_all but no argument scenario" in done.text
    assert done.found.exit_code is not ExitCode.COMPLIES
    assert done.found.collection_errors
    assert done.code != 0


def facts(done):
    """What must repeat: captures, figures, verdicts; by test, whatever the order."""
    judged = sorted(
        (body["test"], body["requirement"], body["verdict"], str(body["measured"]))
        for body in done.of("judgement")
    )
    kept = sorted(capture["sha256"] for body in done.of("record") for capture in body["captures"])
    return judged, kept


REVERSE = """
def pytest_collection_modifyitems(items):
    items.reverse()
"""


def test_a_seed_repeats_a_run_in_any_order_and_another_does_not(run, tmp_path):
    body = EACH + GOOD + PROPERTY
    first, again = (facts(run(body, suite="")) for _ in range(2))
    assert first == again
    (tmp_path / "conftest.py").write_text(REVERSE)
    backwards = run(body, suite="")
    begun = [record["test"] for record in backwards.of("test_begin")]
    assert begun[0] == "test_mine:test_property"
    assert facts(backwards) == first
    other = facts(run(body, "--hil-seed=2", suite=""))
    assert not set(other[1]) & set(first[1])


def test_a_broken_test_file_is_not_green(run, tmp_path):
    (tmp_path / "test_other.py").write_text("import nothing_of_that_name\n")
    done = run(EACH)
    assert done.found.exit_code is not ExitCode.COMPLIES
    assert any("nothing_of_that_name" in error for error in done.found.collection_errors)
    assert done.code != 0


def test_a_conftest_drops_no_test_unseen(run, tmp_path):
    (tmp_path / "conftest.py").write_text("""
import pytest
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    items[:] = [item for item in items if "each" not in item.name]
""")
    done = run(EACH + GOOD)
    assert done.verdict("LIM-CEIL") is Verdict.NO_VERDICT
    assert done.verdict("LIM-ACC") is Verdict.NO_VERDICT
    assert any(plugin.endswith("conftest.py") for plugin in done.found.plugins)
    assert done.code != 0


def test_what_was_not_meant_for_us_is_left_alone(tmp_path):
    (tmp_path / "test_theirs.py").write_text("def test_a(): assert True\n")
    done = session(tmp_path, suite="")
    assert done.code == 0
    assert done.folder is None
    assert "stimproof" not in done.text.partition("plugins:")[2].partition("\n")[2]


def test_a_namesake_fixture_is_not_ours(tmp_path):
    (tmp_path / "test_theirs.py").write_text(
        "import pytest\n@pytest.fixture\ndef bench(): return 1\ndef test_a(bench): assert bench\n"
    )
    done = session(tmp_path, suite="")
    assert (done.code, done.folder) == (0, None)


def test_only_the_suite_that_was_asked_for_runs(run):
    done = run(
        GOOD
        + """
@requirement("RAMP-UP")
def test_ramp(bench, judge): raise RuntimeError("not in scope")
"""
    )
    assert [item["test"] for item in done.of("collected")[0]["items"]] == ["test_mine:test_it"]
    assert "test_mine:test_ramp" not in [body["test"] for body in done.of("test_begin")]


def test_an_unconfirmed_safe_state_ends_all_later_tests(run):
    done = run("""
@requirement("LIM-ACC")
def test_a(bench, judge, monkeypatch):
    monkeypatch.setattr(bench.station.cutoff, "open_relay", lambda: None)
    judge("LIM-ACC", steady(bench.record(SHORT).current), at=1 * mA)

@requirement("LIM-CEIL")
def test_b(bench, judge):
    judge("LIM-CEIL", peak(bench.record(SHORT).current))
""")
    assert done.found.exit_code is ExitCode.UNSAFE
    assert done.verdict("LIM-ACC") is Verdict.ERROR  # in flight
    assert done.verdict("LIM-CEIL") is Verdict.NO_VERDICT  # never started, with the cause
    row = next(r for r in done.found.requirements if r.requirement["id"] == "LIM-CEIL")
    assert "test_b never started: SAFE STATE UNCONFIRMED: path not shown open" in row.remark
    assert [body["test"] for body in done.of("test_begin")] == ["test_mine:test_a"]
    assert "SAFE STATE UNCONFIRMED" in done.found.reasons[0]
    assert [kind for kind, _ in done.kinds].count("armed") == 1  # the probe arm, and no other


def test_a_judgement_names_the_record_that_it_rests_on(run):
    done = run(GOOD)
    (record,) = done.of("record")
    (judged,) = done.of("judgement")
    assert judged["record"] == record["record"]


def test_a_trip_of_the_bench_ceiling_fails_its_requirement_and_ends_the_run(run, tmp_path):
    from hil_fixtures.config import starter

    bench = tmp_path / "bench.toml"
    bench.write_text(starter("bench"))
    done = run(
        """
@requirement("LIM-ACC")
def test_a(bench, judge, monkeypatch):
    from dataclasses import replace
    from hil.exact import Exact
    low = replace(bench.station.description, ceiling=Exact.parse("0.5 mA"))
    monkeypatch.setattr(bench.station, "description", low)
    bench.record(SHORT)
"""
        + GOOD,
        f"--hil-bench={bench}",
    )
    assert done.verdict("LIM-CEIL") is Verdict.FAIL
    assert done.verdict("LIM-ACC") is Verdict.NO_VERDICT  # interrupted, by what LIM-CEIL says
    assert done.found.exit_code is ExitCode.ABORTED_OFF
    assert "bench ceiling" in done.of("abort")[0]["cause"]
    (kept,) = done.of("record")
    assert {capture["channel"] for capture in kept["captures"]} == {"current", "voltage", "monitor"}
    (failed,) = [body for body in done.of("judgement") if body["requirement"] == "LIM-CEIL"]
    assert failed["record"] == kept["record"]
    assert [body["test"] for body in done.of("test_begin")] == ["test_mine:test_a"]


def test_subtests_inside_an_arming_are_a_usage_error(run):
    done = run(
        """
@requirement("LIM-ACC")
def test_a(bench, judge, subtests):
    with bench.armed() as run:
        run.start(1 * mA)
        for part in range(2):
            with subtests.test(part=part):
                run.wait(1 * s)
                raise RuntimeError("mine")
        run.wait(1e3 * s)
"""
        + GOOD
    )
    assert "a subtest inside `with bench.armed()` swallows" in done.test("test_a").detail
    assert done.verdict("LIM-ACC") is Verdict.ERROR
    assert [state["confirmed"] for state in done.of("safe_state")] == [True] * 3  # the probe's too
    assert done.verdict("LIM-CEIL") is Verdict.PASS


@pytest.mark.parametrize("place", ["above", "below"])
def test_settings_of_a_users_own_are_refused(run, place):
    own = "@settings(max_examples=10**6)\n"
    parts = (own, "@for_all(scenario=draw.scenarios)\n")
    done = run(
        "from hypothesis import settings\n@requirement('DOSE-TRUE')\n"
        + "".join(parts if place == "above" else parts[::-1])
        + "def test_a(bench, judge, scenario): ...\n",
        suite="dose",
    )
    assert done.code == pytest.ExitCode.USAGE_ERROR
    assert "test_a has @settings of its own; those of for_all keep the bench safe" in done.text
    assert not done.of("armed")


def test_no_fault_is_injected_behind_a_cut_off_by_software(run, tmp_path):
    from hil_fixtures.config import starter

    text = starter("bench")
    bench = tmp_path / "bench.toml"
    bench.write_text(text.replace('cutoff_kind = "independent"', 'cutoff_kind = "software"'))
    suite = """
from hil_fixtures.suite import fault_injection

@fault_injection
@requirement("LIM-CEIL")
def test_it(bench, judge): pytest.fail("it ran")
"""
    done = run(suite, f"--hil-bench={bench}")
    assert done.verdict("LIM-CEIL") is Verdict.NOT_EVALUATED
    (body,) = done.of("judgement")
    assert "test_it injects a fault into the device" in body["reason"]
    assert "is one by software" in body["reason"]
    assert not done.of("armed")


def test_a_requirement_above_the_bench_ceiling_is_not_evaluated(run, tmp_path):
    from hil_fixtures.config import starter

    text = starter("bench")
    bench = tmp_path / "bench.toml"
    bench.write_text(text)
    done = run(
        """
@requirement("LIM-CEIL")
def test_it(bench, judge): pytest.fail("it ran")

@pytest.fixture(autouse=True)
def low(request):
    from dataclasses import replace
    from hil.exact import Exact
    from hil_fixtures import plugin
    campaign = request.config.stash[plugin._KEY].campaign
    lower = replace(campaign.plan.bench, ceiling=Exact.parse("4.3 mA"))
    campaign.plan = replace(campaign.plan, bench=lower)
""",
        f"--hil-bench={bench}",
    )
    assert done.verdict("LIM-CEIL") is Verdict.NOT_EVALUATED
    (body,) = done.of("judgement")
    assert "its limit of 4.4 mA lies above limits.ceiling = 4.3 mA" in body["reason"]


PROPERTIES = """
from hil.hazard import Budget
from hil.exact import Exact
DRAWN = []
{setup}
@requirement("DOSE-TRUE")
@for_all({options}scenario=draw.scenarios)
def test_property(bench, judge, scenario):
    from hil.features import charge
    DRAWN.append(scenario)
    record = bench.record(scenario)
    delivered = charge(record.current)
    wrong = len(DRAWN) == {wrong}
    claimed = delivered - delivered if wrong else record.claimed_charge
    judge("DOSE-TRUE", delivered if wrong else delivered - claimed, at=scenario.dose)
"""
ON_METAL = """
@pytest.fixture(autouse=True)
def metal(monkeypatch):
    from hil_fixtures.station import Station
    monkeypatch.setattr(Station, "in_process", property(lambda station: False))
"""


def test_on_metal_the_first_violation_is_driven_once_and_ends_the_property(run):
    done = run(PROPERTIES.format(setup=ON_METAL, options="", wrong=2), suite="dose")
    verdicts = [body["verdict"] for body in done.of("judgement")]
    assert verdicts == ["PASS", "FAIL"]  # never again, and so never flaky
    assert len(done.of("armed")) == 2
    assert done.verdict("DOSE-TRUE") is Verdict.FAIL
    assert "Flaky" not in done.text
    assert "DOSE-TRUE FAIL" in done.test("test_property").detail


def test_a_bench_that_fails_ends_a_property_on_the_twin_too(run):
    setup = """
@pytest.fixture(autouse=True)
def broken(monkeypatch, bench):
    from hil.errors import ConnectionLost
    def lost(*_): raise ConnectionLost("the peer closed the connection")
    monkeypatch.setattr(bench.station.supply, "on", lost)
"""
    done = run(PROPERTIES.format(setup=setup, options="", wrong=0), suite="dose")
    assert [kind for kind, _ in done.kinds].count("armed") == 1  # the probe arm, and no other
    assert done.verdict("DOSE-TRUE") is Verdict.ERROR


def test_a_spent_budget_ends_a_property_and_too_few_examples_show_nothing(run):
    few = 'budget=Budget(2, Exact.parse("1 C"), minimum=3), '
    done = run(PROPERTIES.format(setup="", options=few, wrong=0), suite="dose")
    assert 1 <= len(done.of("armed")) <= 2
    assert done.verdict("DOSE-TRUE") is Verdict.INCONCLUSIVE
    (budget,) = done.of("budget")
    assert budget["short"]
    assert "of 2 energisations" in budget["reason"]
    enough = 'budget=Budget(100, Exact.parse("1 mC"), minimum=1), '
    done = run(PROPERTIES.format(setup="", options=enough, wrong=0), suite="dose")
    assert len(done.of("armed")) == 1
    assert done.verdict("DOSE-TRUE") is Verdict.PASS
    (budget,) = done.of("budget")
    assert not budget["short"]
    assert "of 1 mC, after 1 examples of at least 1" in budget["reason"]


def test_signals_while_the_journal_is_written_break_neither_record_nor_safe_state(run):
    """A handler that raises broke the chain in 133 of 150 trials; ours sets a flag."""
    done = run(
        """
@requirement("LIM-ACC")
def test_a(bench, judge, monkeypatch, request):
    import signal
    from hil_fixtures import plugin
    evidence = request.config.stash[plugin._KEY].campaign.evidence
    real, hits = evidence._append if hasattr(evidence, "_append") else evidence.append, []
    def struck(kind, body, **more):
        started = kind == "stimulus" and body["command"] == "start"
        mine = started and not body["value"].startswith("0.1 mA")  # which is the probe arm's
        if mine or (kind == "safe_state" and hits):
            hits.append(kind)
            signal.raise_signal(signal.SIGINT)
            written = real(kind, body, **more)
            signal.raise_signal(signal.SIGTERM)
            return written
        return real(kind, body, **more)
    monkeypatch.setattr(evidence, "append", struck)
    with bench.armed() as run:
        run.start(1 * mA)
        run.wait(1 * s)
"""
        + GOOD
    )
    kinds = [kind for kind, _ in done.kinds]  # the chain is whole, or it could not be read
    assert kinds.count("safe_state") == kinds.count("armed") == 2
    assert all(state["confirmed"] for state in done.of("safe_state"))
    assert done.of("abort")[0]["cause"] == "signal SIGINT (Ctrl-C)"
    assert done.found.exit_code is ExitCode.ABORTED_OFF
    assert done.verdict("LIM-CEIL") is Verdict.NO_VERDICT


def test_errors_of_the_safe_state_never_stand_in_the_place_of_an_abort(run):
    """A group of exceptions was swallowed there, and the next test ran."""
    done = run(
        """
@requirement("LIM-ACC")
def test_a(bench, judge, monkeypatch):
    import signal
    def broken(*_): raise ExceptionGroup("mine", [ValueError("one"), KeyError("two")])
    try:
        with bench.armed() as run:  # the probe arm is over
            monkeypatch.setattr(bench.station.stimulator, "fault", broken)
            monkeypatch.setattr(bench.station.ammeter, "stop_recording", broken)
            run.start(1 * mA)
            signal.raise_signal(signal.SIGINT)
            run.wait(1 * s)
    except Exception:
        pass
    raise RuntimeError("it was swallowed")
"""
        + GOOD
    )
    assert done.test("test_a").outcome == "interrupted"
    assert [body["test"] for body in done.of("test_begin")] == ["test_mine:test_a"]
    assert done.of("abort")[0]["cause"] == "signal SIGINT (Ctrl-C)"
    assert len(done.of("safe_state")) == 2, "the first is the probe arm's"
    assert done.verdict("LIM-CEIL") is Verdict.NO_VERDICT
    assert done.found.exit_code in {ExitCode.ABORTED_OFF, ExitCode.UNSAFE}


AGAIN = """
import pytest
from _pytest.runner import runtestprotocol
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    first = runtestprotocol(item, nextitem=nextitem, log=False)
    again = any(report.failed for report in first)
    for report in runtestprotocol(item, nextitem=nextitem, log=False) if again else first:
        item.ihook.pytest_runtest_logreport(report=report)
    return True
"""


def test_a_test_that_a_plugin_runs_again_is_no_pass(run, tmp_path):
    (tmp_path / "conftest.py").write_text(AGAIN)
    done = run("""
TIMES = []
@requirement("LIM-CEIL")
def test_it(bench, judge):
    TIMES.append(1)
    assert len(TIMES) > 1, "the first time"
    judge("LIM-CEIL", peak(bench.record(SHORT).current))
""")
    assert [body["verdict"] for body in done.of("judgement")] == ["PASS"]
    assert done.verdict("LIM-CEIL") is not Verdict.PASS
    assert done.test("test_it").verdict is not Verdict.PASS
    assert done.code == 1


IN_FIXTURE = """
@pytest.fixture
def run(bench):
    with bench.armed() as run:
        yield run
        {end}

@requirement("LIM-ACC")
def test_a(bench, judge, run):
    run.start(1 * mA)
    run.wait(3 * s)
    {deed}
"""


@pytest.mark.parametrize(
    ("deed", "end", "first", "went_on"),
    [
        ("assert not run", "pass", "stop", True),
        ("pass", "raise RuntimeError('mine')", "abort", True),
        (
            "import signal; signal.raise_signal(signal.SIGTERM); run.wait(1 * s)",
            "pass",
            "abort",
            False,
        ),
    ],
    ids=["a failing test", "a failing teardown", "a signal"],
)
def test_an_arming_of_a_fixture_ends_in_off_with_its_test(run, deed, end, first, went_on):
    done = run(IN_FIXTURE.format(deed=deed, end=end) + GOOD)
    assert done.verdict("LIM-ACC") is (Verdict.ERROR if went_on else Verdict.NO_VERDICT)
    assert done.found.exit_code is (ExitCode.OTHER_VERDICT if went_on else ExitCode.ABORTED_OFF)
    assert [state["confirmed"] for state in done.of("safe_state")] == [True] * (2 + went_on)
    told = [body["command"] for body in done.of("stimulus") if body["command"] in {"stop", "abort"}]
    assert told[:2] == ["abort", first], "the probe arm's comes first"
    assert done.verdict("LIM-CEIL") is (Verdict.PASS if went_on else Verdict.NO_VERDICT)


def test_a_timeout_ends_a_test_between_two_operations_and_the_next_one_runs(run):
    done = run(
        """
@requirement("LIM-ACC")
@pytest.mark.timeout(0.3)
def test_a(bench, judge):
    with bench.armed() as run:
        run.start(1 * mA)
        while True:
            try:
                run.wait(0.001 * s)
            except AssertionError:
                pass
"""
        + GOOD,
        "-p",
        "pytest_timeout",
    )
    assert done.verdict("LIM-ACC") is Verdict.ERROR
    assert "the test has taken longer than its timeout" in done.test("test_a").detail
    assert [state["confirmed"] for state in done.of("safe_state")] == [True] * 3, (
        "the first is the probe arm's"
    )
    assert done.verdict("LIM-CEIL") is Verdict.PASS
