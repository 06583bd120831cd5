"""Properties: what they draw, what an example that does not pass leaves, what is repeated of it."""

import importlib
import json
import re
from dataclasses import replace

import pytest
from hypothesis import Phase as Stage
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from framework.sessions import session
from hil.device import NO_WORDS, Polarity
from hil.envelope import Envelope
from hil.errors import ConfigurationError, UsageError
from hil.exact import Exact
from hil.scenario import (
    Abort,
    Change,
    LoadStep,
    Moment,
    Open,
    Pause,
    Phase,
    Reverse,
    Scenario,
    Stop,
    SupplyDip,
    at,
)
from hil.sequence import Command, Do
from hil.timeline import lay_out
from hil.verdict import Verdict
from hil_fixtures import draw
from hil_fixtures.config import read_device, read_setup
from hil_fixtures.config.scenario import Repetition, parsed_scenario, unwritable, written
from hil_fixtures.exploring import by_the_seed_alone
from hil_fixtures.fitting import Property, refuse_misfits
from hil_fixtures.plan import Options
from hil_fixtures.progress import Progress
from hil_fixtures.supervisor import run
from hil_reports.explored import properties_view

PROFILE = read_device(None)
ENVELOPE = Envelope.of(PROFILE)
SCENARIOS = [draw.scenarios, draw.deliverable, draw.treatments, draw.commanded, draw.aborted]
REPEATED = settings(max_examples=60, database=None, derandomize=True, deadline=None)


def of(**drawn):
    return Repetition("test_a:test_b", ("LIM-CEIL",), drawn)


def text_of(scenario):
    return written(of(scenario=scenario))


def parse(text):
    return Exact.parse(text)


EVERYTHING = Scenario.treatment(
    parse("2.0 mA"),
    load="2 kohm",  # a position of that name, not the resistance
    polarity=Polarity.NEGATIVE,
    dose=parse("0.500 mA*min"),
    disturb=[
        Open(at(Phase.HOLD, parse("1 s"))),
        Open(at(Phase.START), parse("20 ms")),
        Stop(at(Phase.START)),
        Reverse(Moment(Phase.AFTER)),
        Change(at(Phase.STOP), parse("1E-3 A")),
        SupplyDip(at(Phase.HOLD), parse("2 s")),
        LoadStep(at(Phase.HOLD), "short"),
    ],
)


@pytest.mark.parametrize("factory", SCENARIOS)
def test_whatever_is_drawn_comes_back_from_its_file_to_the_digit(factory):
    @REPEATED
    @given(factory(PROFILE, ENVELOPE))
    def back(scenario):
        again = parsed_scenario("a.toml", text_of(scenario))
        assert again == of(scenario=scenario)
        assert again.drawn["scenario"].key == scenario.key  # the seed of its noise
        assert written(again) == text_of(scenario)

    back()


@REPEATED
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c"]),
        st.one_of(
            st.sampled_from(Polarity),
            st.integers(-5, 5),
            st.text(st.characters(exclude_categories=["Cs"]), max_size=5),
            st.decimals(allow_nan=False, allow_infinity=False).map(lambda x: Exact(x, "mA")),
            st.lists(st.sampled_from([Command(Do.START), Command(Do.SET, parse("2 mA"))])).map(
                tuple
            ),
        ),
        min_size=1,
    )
)
def test_any_value_comes_back_or_is_said_not_to(drawn):
    if not unwritable(of(**drawn)):
        again = parsed_scenario("a.toml", written(of(**drawn))).drawn
        assert {name: repr(again[name]) for name in again} == {n: repr(drawn[n]) for n in drawn}


def test_a_file_holds_all_that_can_happen_to_a_treatment():
    made = of(
        scenario=EVERYTHING,
        setpoint=parse("0.10 mA"),
        polarity=Polarity.POSITIVE,
        word="slow",
        many=3,
        texts=("ZZQ", "SOUR:CURR 1E9"),
        sequence=(
            Command(Do.SET, parse("2 mA")),
            Command(Do.START),
            Command(Do.WAIT, parse("3 s")),
        ),
    )
    assert unwritable(made) == ""
    again = parsed_scenario("a.toml", written(made))
    assert again.drawn == made.drawn
    assert again.drawn["scenario"].load == "2 kohm"
    assert str(again.drawn["setpoint"]) == "0.10 mA"


@pytest.mark.parametrize("value", ["2 mA", "positive", 1.5, None, object()])
def test_what_no_file_can_hold_is_said_to_be_so(value):
    assert unwritable(of(odd=value)).startswith(("drawn odd = ", "what was drawn, "))


SPOILT = [
    ('setpoint = "2.0 mA"', 'setpoint = "2.0 mV"', r"\.setpoint: .*voltage; a current"),
    ('setpoint = "2.0 mA"', 'setpoint = "-2.0 mA"', r"\.setpoint: .*-2.0 mA; a current > 0"),
    ('setpoint = "2.0 mA"', "setpoint = 2.0", r"\.setpoint: 2.0 is no text in quotes"),
    ('kind = "open"', 'kind = "opne"', r'disturbances\[1\].kind: "opne"; allowed: open, load step'),
    ('phase = "hold"', 'phase = "held"', r'\.phase: "held"; allowed: "ramp up", "hold"'),
    ('polarity = "negative"', 'polarity = "minus"', r'polarity: "minus"; allowed: "positive"'),
    ('position = "2 kohm"', 'position = "2k"\nresistance = "2 kohm"', "one of resistance and"),
    ('position = "2 kohm"', "", "one of resistance and position belongs here"),
    ("rate =", "rtae =", r"observe.rtae: unknown key \(did you mean rate\?\)"),
    ("test =", "tset =", r"tset: unknown key \(did you mean test\?\)"),
    ('requirements = ["LIM-CEIL"]', "requirements = []", "a list of their ids belongs here"),
    ('hold = "1 h"', "", "hold: missing; a time belongs here"),
    ("[[drawn.scenario.programmes]]", "[[drawn.scenario.programs]]", "did you mean programmes"),
    ("[drawn]", "[drawn", ":7, column 7: not TOML"),
]


@pytest.mark.parametrize(("good", "bad", "said"), SPOILT, ids=[bad[:24] for _, bad, _ in SPOILT])
def test_a_bad_file_is_refused_with_key_value_and_what_is_allowed(good, bad, said):
    text = text_of(EVERYTHING)
    assert good in text
    with pytest.raises(ConfigurationError, match=said) as caught:
        parsed_scenario("a.toml", text.replace(good, bad, 1))
    assert all(line.startswith("a.toml:") for line in str(caught.value).splitlines())


def test_a_bad_sequence_is_refused_too():
    text = written(of(sequence=(Command(Do.SET, parse("2 mA")), Command(Do.START))))
    for good, bad, said in (
        ('do = "start"', 'do = "go"', 'do: "go"; allowed: "set", "start"'),
        ('current = "2 mA"', 'time = "2 s"', r"time: unknown key; allowed: do, current"),
        ('current = "2 mA"', 'current = "0 mA"', "set 0 mA: allowed: finite, above 0"),
    ):
        with pytest.raises(ConfigurationError, match=said):
            parsed_scenario("a.toml", text.replace(good, bad))
    for wrong in (lambda: Command(Do.START, parse("1 s")), lambda: Command(Do.WAIT)):
        with pytest.raises(UsageError):
            wrong()


def kinds_of(factory, examples=150):
    """Kinds of disturbances that a factory draws, each in a scenario that can be laid out."""
    seen = []

    @settings(max_examples=examples, database=None, derandomize=True, deadline=None)
    @given(factory(PROFILE, ENVELOPE))
    def look(scenario):
        lay_out(scenario, PROFILE)
        seen.append([type(each) for each in scenario.disturbances])

    look()
    return seen


def test_treatments_meet_all_that_can_happen_to_one():
    seen = kinds_of(draw.treatments)
    kinds = {kind for each in seen for kind in each}
    assert kinds == {Abort, Change, LoadStep, Open, Pause, Reverse, Stop, SupplyDip}
    assert all(len(each) == 1 for each in seen if SupplyDip in each)  # a device without is mute


def test_what_is_commanded_is_paused_and_resumed_each_time():
    seen = kinds_of(draw.commanded)
    assert all(Pause in each for each in seen)
    assert {kind for each in seen for kind in each} == {Pause, Change, Reverse}


def test_noise_and_wrong_settings_are_drawn_in_the_words_of_the_device():
    texts = []

    @REPEATED
    @given(draw.invalid_texts(PROFILE, ENVELOPE))
    def look(drawn):
        assert 4 <= len(drawn) <= 8
        texts.extend(drawn)

    look()
    assert {text[:3] for text in texts} >= {"ZZQ", "SOU"}
    assert not [text for text in texts if "?" in text or "\n" in text]
    bare = replace(PROFILE, wire=NO_WORDS)  # of a device that a driver of its own speaks to

    @REPEATED
    @given(draw.invalid_texts(bare, ENVELOPE))
    def noise(drawn):
        assert all(text.startswith("ZZQ") for text in drawn)

    noise()


HEAD = """
from hil.exact import Exact
from hil.features import peak, steady
from hil.scenario import Scenario
from hil.signs import along
from hil.units import mA, s
from hil_fixtures.suite import draw, for_all, requirement
"""
PROPERTY = """
@requirement("LIM-ACC", "LIM-CEIL")
@for_all(setpoint=draw.setpoints)
def test_property(bench, judge, setpoint):
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(2 * s)
    current = run.record.current
    judge("LIM-CEIL", peak(current), hunt=True)
    judge("LIM-ACC", peak(current), at=0.001 * mA)  # in 2 s large settings rise above 0.051 mA
"""


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    """Outcome of a property that a large setting does not keep."""
    folder = tmp_path_factory.mktemp("failed")
    (folder / "test_mine.py").write_text(HEAD + PROPERTY)
    return session(folder, "--hil-seed=3")


def scenario_of(outcome):
    (body,) = outcome.of("property")
    return outcome.folder / "data" / "config" / body["scenario"]


def test_a_failing_property_leaves_its_smallest_example_as_a_file(failed):
    (body,) = failed.of("property")
    smallest = re.fullmatch(r"setpoint (0\.[5-9]) mA", body["failed"])[1]
    assert body["lack"] == ""
    held = parsed_scenario("a.toml", scenario_of(failed).read_text())
    assert held.test == "test_mine:test_property"
    assert held.requirements == ("LIM-ACC", "LIM-CEIL")
    assert held.drawn == {"setpoint": parse(f"{smallest} mA")}
    named = {document["name"] for document in failed.of("document")}
    assert body["scenario"] in named  # whose hash the journal holds
    cited = f"data/config/{body['scenario']} repeats"
    assert cited in failed.test("test_property").detail
    row = next(r for r in failed.found.requirements if r.requirement["id"] == "LIM-ACC")
    assert cited in row.remark
    assert any(cited in reason for reason in failed.found.reasons)


def test_what_was_covered_is_journaled_without_the_search_for_a_smaller_example(failed):
    (body,) = failed.of("property")
    covered = body["covered"]
    assert 1 <= covered["examples"] <= 3 == body["asked"]
    assert body["shrinking"] >= 1
    (range_,) = covered["ranges"]
    assert (range_["name"], range_["unit"], range_["count"]) == (
        "setpoint",
        "A",
        covered["examples"],
    )
    assert range_["most"] >= 5e-4
    worst = {entry["requirement"]: entry for entry in covered["worst"]}
    assert float(worst["LIM-ACC"]["margin"]) < 0 < float(worst["LIM-CEIL"]["margin"])
    assert re.fullmatch(r"setpoint [\d.]+ mA", worst["LIM-ACC"]["example"])
    assert json.dumps(covered)


def test_a_scenario_file_repeats_one_example_and_judges_all_of_it_again(failed, tmp_path):
    path = scenario_of(failed)
    (tmp_path / "test_mine.py").write_text(HEAD + PROPERTY + OTHER)
    again = session(tmp_path, f"--hil-scenario={path}", "--hil-seed=3", suite=None)
    judged = {body["requirement"]: body["verdict"] for body in again.of("judgement")}
    assert judged["LIM-CEIL"] == "PASS"
    assert judged["LIM-ACC"] in {"FAIL", "INCONCLUSIVE"}
    assert len(again.of("armed")) == 1
    assert again.of("property") == []
    assert {row.requirement["id"] for row in again.found.requirements} == {"LIM-ACC", "LIM-CEIL"}
    assert "one example of test_mine:test_property" in again.found.run["partial"]
    (plan,) = again.of("plan")
    assert plan["scenario"]["text"] == path.read_text()
    assert again.verdict("LIM-CEIL") is Verdict.PASS


HELD = """
@requirement("LIM-ACC")
@for_all(setpoint=draw.setpoints)
def test_property(bench, judge, setpoint):
    current = bench.record(Scenario.treatment(setpoint, hold=2 * s)).current
    smallest = setpoint == bench.profile["output.setpoint_min"]
    about = setpoint if smallest else 0.15 * mA  # all others: 0.1 to 0.2 mA
    judge("LIM-ACC", along(steady(current), bench.profile.polarity), at=about)
"""


def test_a_fail_is_shrunk_to_a_fail_though_smaller_examples_are_inconclusive(tmp_path):
    (tmp_path / "test_mine.py").write_text(HEAD + HELD)
    done = session(tmp_path, "--hil-seed=3", suite=None)
    verdicts = [body["verdict"] for body in done.of("judgement")]
    assert next(verdict for verdict in verdicts if verdict != "PASS") == "FAIL"
    assert "INCONCLUSIVE" in verdicts  # of 0.2 mA, which was tried and is journaled
    (body,) = done.of("property")
    assert body["failed"] == "setpoint 0.3 mA"
    assert "LIM-ACC FAIL" in done.test("test_property").detail
    again = session(tmp_path, f"--hil-scenario={scenario_of(done)}", suite=None)
    assert [body["verdict"] for body in again.of("judgement")] == ["FAIL"]


ONCE = """
TRIED = set()

@requirement("LIM-ACC")
@for_all(setpoint=draw.setpoints)
def test_property(bench, judge, setpoint):
    current = bench.record(Scenario.treatment(setpoint, hold=2 * s)).current
    about = setpoint if setpoint in TRIED else 1000 * mA
    TRIED.add(setpoint)
    judge("LIM-ACC", along(steady(current), bench.profile.polarity), at=about)
"""


def test_a_fail_that_does_not_come_again_stands_and_keeps_its_file(tmp_path):
    (tmp_path / "test_mine.py").write_text(HEAD + ONCE)
    done = session(tmp_path, "--hil-seed=3", suite=None)
    (body,) = done.of("property")
    assert body["failed"].startswith("setpoint ")
    assert f"data/config/{body['scenario']} repeats" in done.test("test_property").detail
    assert done.verdict("LIM-ACC") is Verdict.FAIL


OTHER = """
@requirement("LIM-OFF")
def test_other(bench, judge):
    raise AssertionError("it ran")
"""


@pytest.mark.parametrize(
    ("good", "bad", "said"),
    [
        ("test_mine:test_property", "test_mine:test_proprety", "did you mean test_mine:test_prop"),
        ("test_mine:test_property", "test_mine:test_other", "allowed: test_mine:test_property"),
        ('"LIM-ACC", "LIM-CEIL"', '"LIM-OFF"', "allowed: LIM-ACC, LIM-CEIL"),
        (
            '"LIM-ACC", "LIM-CEIL"',
            '"LIM-MINE"',
            "if it is one of your own: give --device FILE",
        ),
        ("setpoint =", "setpiont =", "drawn.setpiont: unknown key (did you mean setpoint?)"),
        ('setpoint = "0.', 'setpoint = "0.55', "allowed: 0.1 mA to 4.0 mA in steps of 0.1 mA"),
    ],
    ids=["unknown test", "draws nothing", "not judged there", "no requirement", "key", "grid"],
)
def test_a_file_that_fits_no_property_is_refused_before_the_bench_is_opened(
    failed, tmp_path, good, bad, said
):
    (tmp_path / "test_mine.py").write_text(HEAD + PROPERTY + OTHER)
    path = tmp_path / "mine.toml"
    path.write_text(scenario_of(failed).read_text().replace(good, bad))
    done = session(tmp_path, f"--hil-scenario={path}", suite=None)
    assert said in done.text.replace("\n", " ")
    assert not done.of("armed")
    assert not done.of("bench")


PROPERTIES = {
    "test_a:test_b": Property(
        {"setpoint": draw.setpoints, "texts": draw.invalid_texts}, ("LIM-CEIL",)
    ),
    "test_a:test_c": Property({"scenario": draw.treatments}, ("LIM-CEIL",)),
    "test_a:test_d": Property({"course": draw.courses}, ("LIM-CEIL",)),
}
TREATED = """[drawn.scenario]
resistance = "2 kohm"
[[drawn.scenario.programmes]]
kind = "direct current"
setpoint = "2.0 mA"
hold = "10 s"
[[drawn.scenario.disturbances]]
kind = "change"
at = { phase = "hold", offset = "3 s" }
setpoint = "1.0 mA"
"""
PLAIN = '[drawn]\nsetpoint = "2.0 mA"\ntexts = ["ZZQ"]\n'
DONE = '[[drawn.course]]\ndo = "set"\ncurrent = "2.0 mA"\n[[drawn.course]]\ndo = "start"\n'
ON_GRID = "allowed: 0.1 mA to 4.0 mA in steps of 0.1 mA"
MISFITS = {
    "off the grid": (
        "b",
        PLAIN,
        "2.0 mA",
        "0.55 mA",
        f"a.toml:4: drawn.setpoint: 0.55 mA; {ON_GRID}",
    ),
    "beyond range": ("b", PLAIN, "2.0 mA", "9 mA", f"drawn.setpoint: 9 mA; {ON_GRID}"),
    "other dimension": ("b", PLAIN, "2.0 mA", "0.5 V", "0.5 V is a voltage; allowed: a current"),
    "no quantity": (
        "b",
        PLAIN,
        "2.0 mA",
        "much",
        "drawn.setpoint: a text came; allowed: a current",
    ),
    "other kind": ("b", PLAIN, '["ZZQ"]', '"1 mA"', "1 mA is a current; allowed: a list"),
    "misspelt": ("b", PLAIN, "setpoint", "setpiont", "unknown key (did you mean setpoint?)"),
    "left out": (
        "b",
        PLAIN,
        'texts = ["ZZQ"]',
        "",
        "drawn.texts: missing; test_a:test_b draws setp",
    ),
    "setting": ("c", TREATED, "2.0 mA", "2.05 mA", f"programmes[1].setpoint: 2.05 mA; {ON_GRID}"),
    "change": ("c", TREATED, "1.0 mA", "4.5 mA", f"disturbances[1].setpoint: 4.5 mA; {ON_GRID}"),
    "load": ("c", TREATED, "2 kohm", "3 kohm", "resistance: the bench has no load of 3 kohm"),
    "envelope": ("c", TREATED, '"10 s"', '"9 h"', "drawn.scenario: "),
    "dose": ("c", TREATED, "hold =", 'dose = "90 mA*min"\nhold =', "90 mA*min; allowed: up to 80"),
    "course": ("d", DONE, "2.0 mA", "2.02 mA", f"drawn.course[1].current: 2.02 mA; {ON_GRID}"),
    "no course": ("d", PLAIN, "texts", "course", "drawn.course: a list came; allowed: a sequence"),
}


def _held(test, text):
    whole = f'test = "test_a:test_{test}"\nrequirements = ["LIM-CEIL"]\n{text}'
    setup = read_setup(None, None)
    repetition = parsed_scenario("a.toml", whole)
    refuse_misfits("a.toml", whole, repetition, PROPERTIES, setup.profile, setup.bench)


@pytest.mark.parametrize("misfit", MISFITS)
def test_each_value_of_a_file_is_held_against_device_bench_and_test(misfit):
    test, text, good, bad, said = MISFITS[misfit]
    assert good in text
    with pytest.raises(ConfigurationError, match=re.escape(said)):
        _held(test, text.replace(good, bad))


@pytest.mark.parametrize(("test", "text"), [("b", PLAIN), ("c", TREATED), ("d", DONE)])
def test_a_file_that_fits_is_taken(test, text):
    _held(test, text)


@pytest.mark.parametrize("factory", SCENARIOS)
def test_whatever_is_drawn_fits(factory):
    setup = read_setup(None, None)
    properties = {"test_a:test_b": Property({"scenario": factory}, ("LIM-CEIL",))}

    drawn = []

    @settings(max_examples=15, database=None, derandomize=True, deadline=None)
    @given(factory(PROFILE, ENVELOPE))
    def look(scenario):
        drawn.append(of(scenario=scenario))

    look()
    for made in drawn:
        refuse_misfits("a", written(made), made, properties, setup.profile, setup.bench)


def test_hil_run_refuses_a_misfit_and_leaves_no_folder(failed, tmp_path):
    (tmp_path / "test_mine.py").write_text(HEAD + PROPERTY)
    path, out = tmp_path / "mine.toml", tmp_path / "runs"
    path.write_text(re.sub('setpoint = ".*"', 'setpoint = "9 mA"', scenario_of(failed).read_text()))
    with pytest.raises(UsageError, match=r"mine.toml:\d+: drawn.setpoint: 9 mA; allowed: 0.1 mA"):
        run(Options(scenario=path), out, [str(tmp_path / "test_mine.py")], Progress(None))
    assert not out.exists()


def body_of(failed="", scenario="", lack=""):
    """Body of a property with two ranges of which three examples have both."""
    ranges = [
        {"name": "setpoint", "unit": "A", "count": 4, "least": 1e-4, "most": 4e-3},
        {"name": "load", "unit": "ohm", "count": 3, "least": 500.0, "most": 1000.0},
        {"name": "hold", "unit": "s", "count": 4, "least": 2.0, "most": 2.0},
    ]
    worst = [{"requirement": "LIM-CEIL", "margin": "-0.0001", "unit": "A", "example": "<x>"}]
    covered = {
        "examples": 4,
        "ranges": ranges,
        "words": {"polarity": {"positive": 3, "negative": 1}},
        "points": [[1e-4, 500.0, 2.0], [2e-3, 750.0, 2.0], [4e-3, 1000.0, 2.0], [1e-3, None, 2.0]],
        "worst": worst,
    }
    return {
        "test": "test_a:test_b", "seed": 7, "asked": 6, "shrinking": 3, "covered": covered,
        "failed": failed, "scenario": scenario, "lack": lack,
    }  # fmt: skip


def test_the_reports_show_examples_ranges_worst_case_and_points():
    (shown,) = properties_view(
        [body_of(failed="setpoint 1 mA", scenario="a.toml") | {"given_back": 146}],
        {"test_a:test_b": (149, 3)},
    )
    assert shown["line"] == (
        "4 of 6 examples, seed 7; 3 more in search of a smaller one that does not pass; 146 broken "
        "off while they were drawn; 149 treatments recorded, 3 of them judged"
    )
    assert shown["word"] == "did not pass"
    assert shown["ranges"][0] == {
        "name": "setpoint", "count": "4", "least": "0.1 mA", "most": "4 mA",
    }  # fmt: skip
    assert shown["worst"][0]["margin"] == "\N{MINUS SIGN}100 \N{MICRO SIGN}A"
    assert shown["words"] == ["polarity: positive 3, negative 1"]
    svg = shown["plot"]["svg"]
    assert svg.count("<circle") == 3  # the fourth has no load
    places = [float(x) for x in re.findall(r'cx="([\d.]+)"', svg)]
    assert (places[0], places[2]) == (14.0, 286.0)  # the ends of the frame
    assert 200 < places[1] < 270  # logarithmic: 2 mA lies near 4 mA
    assert shown["plot"]["caption"].endswith("3 examples.")


def test_no_plot_is_drawn_where_nothing_but_one_quantity_varies():
    body = body_of()
    body["covered"]["ranges"][1]["most"] = 500.0
    (shown,) = properties_view([body], {})
    assert shown["plot"] == {"svg": "", "caption": ""}
    assert (shown["word"], shown["failed"]) == ("passed", "")


def drawn(number):
    """What a seed draws."""
    found = []

    @seed(number)
    @settings(database=None, deadline=None, max_examples=200, phases=[Stage.generate])
    @given(st.text("abcdefg", max_size=9), st.integers(0, 10**9))
    def run(text, whole):
        found.append((text, whole))

    with by_the_seed_alone():
        run()
    return found


def test_what_is_drawn_depends_on_no_module_that_happens_to_be_loaded(tmp_path, monkeypatch):
    """Else a run whose seed is told could not be repeated, nor replayed from its transcript."""
    before = drawn(1)
    words = [f"W{n} = ('{'abcdefg'[n % 7] * (n % 8 + 2)}', {n * 1237 + 5000})" for n in range(300)]
    (tmp_path / "bystander.py").write_text("\n".join(words))
    monkeypatch.syspath_prepend(tmp_path)
    importlib.import_module("bystander")

    assert drawn(1) == before
    assert drawn(2) != before
