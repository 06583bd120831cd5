"""How long a run will take: found on the simulated bench first, shown, and counted down."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from hil.depth import Depth
from hil.errors import ConfigurationError, UsageError
from hil.estimate import Estimate, in_words
from hil.exact import Exact
from hil.journal import Record
from hil.verdict import Verdict
from hil_fixtures import config, plan, rehearsal
from hil_fixtures.plan import Options
from hil_fixtures.progress import Progress
from hil_fixtures.station import Kind, check_resources

QUIET = """
from hil.features import mean
from hil.units import s
from hil_fixtures.suite import requirement

@requirement("LIM-OFF")
def test_quiet(bench, judge):
    with bench.armed() as run:
        run.wait(7 * s)
    judge("LIM-OFF", abs(mean(run.record.current)))
"""


def records(*entries):
    return [
        Record(n, kind, "", bench, body, "", "", "")
        for n, (kind, bench, body) in enumerate(entries)
    ]


def ended(name, bench, outcome="passed"):
    return ("test_end", bench, {"test": name, "outcome": outcome})


JOURNAL = records(
    ("run", None, {}),
    ("test_begin", None, {"test": "m:test_a[1]"}),
    ("armed", 5.0, {"test": "m:test_a[1]"}),
    ("judgement", 40.0, {"verdict": "PASS"}),
    ended("m:test_a[1]", 60.0),
    ("test_begin", 61.0, {"test": "m:test_a[2]"}),
    ended("m:test_a[2]", 91.0),
    ("test_begin", 91.0, {"test": "m:test_b"}),
    ("judgement", 95.0, {"verdict": "NOT_EVALUATED"}),
    ended("m:test_b", 100.0),
    ("end", None, {}),
)


def test_the_times_are_those_of_the_bench():
    found = Estimate.of(JOURNAL)
    assert found.seconds == {"m:test_a[1]": 60.0, "m:test_a[2]": 30.0, "m:test_b": 9.0}
    assert found.total == 100.0
    assert found.verdict is Verdict.NOT_EVALUATED
    assert found.by_function() == {"m:test_a": (2, 90.0), "m:test_b": (1, 9.0)}


def test_what_is_left_falls_with_each_test_that_ended():
    found = Estimate.of(JOURNAL)
    assert [found.left(done) for done in ([], ["m:test_a[1]"], ["m:test_a[1]", "never seen"])] == [
        100.0, 40.0, 40.0,
    ]  # fmt: skip
    assert found.left(list(found.seconds)) == 1.0


def test_a_test_that_broke_down_shows_in_the_verdict():
    assert Estimate.of(records(ended("m:test_a", 3.0, "error"))).verdict is Verdict.ERROR
    assert Estimate.of([]).verdict is Verdict.NO_VERDICT


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (119, "119 s"), (120, "2 min"), (5630, "94 min"), (7500, "2 h 05 min")],
)
def test_a_time_in_words(seconds, said):
    assert in_words(seconds) == said


def test_a_rehearsal_runs_the_plan_and_leaves_nothing(tmp_path, monkeypatch):
    (tmp_path / "test_mine.py").write_text(QUIET)
    monkeypatch.chdir(tmp_path)
    options = Options(suites=("current-limits",), faults=("F06",))
    found = rehearsal.rehearse(options, ["test_mine.py"])
    assert list(found.seconds) == ["test_mine:test_quiet"]
    assert found.verdict is Verdict.PASS  # the device of a rehearsal is a healthy one
    assert 7 < found.total < 120
    assert not list(tmp_path.glob("runs*"))


def test_a_rehearsal_that_runs_no_test_says_why(tmp_path, monkeypatch):
    (tmp_path / "test_mine.py").write_text("import nothing_of_this_name\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"ran no test .pytest ended with 2.*--no-rehearse"):
        rehearsal.rehearse(Options(suites=("current-limits",)), ["test_mine.py"])


def test_a_rehearsal_that_breaks_off_says_why(tmp_path, monkeypatch):
    gone = 'import pytest; run.wait(1 * s); pytest.exit("gone")'
    broken = QUIET.replace("run.wait(7 * s)", gone)
    (tmp_path / "test_mine.py").write_text(broken)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"came to no verdict.*gone.*or give --no-rehearse"):
        rehearsal.rehearse(Options(suites=("current-limits",)), ["test_mine.py"])


PROPERTIES = records(
    ("test_begin", None, {"test": "m:test_a"}),
    ended("m:test_a", 100.0),
    ("test_begin", 100.0, {"test": "m:test_p"}),
    ("property", 160.0, {"test": "m:test_p", "covered": {"examples": 6}}),
    ended("m:test_p", 160.0),
    ("test_begin", 160.0, {"test": "m:test_q"}),
    ("property", 172.0, {"test": "m:test_q", "covered": {"examples": 6}}),
    ended("m:test_q", 172.0),
)


def test_the_number_of_examples_is_what_fits():
    found = Estimate.of(PROPERTIES)
    assert (found.fixed, found.per_example) == (100.0, 12.0)
    assert [found.fitting(seconds) for seconds in (50, 111, 112, 220, 10_000)] == [0, 0, 1, 10, 825]
    more = found.at(10)
    assert more.total == 220.0
    assert more.seconds == {"m:test_a": 100.0, "m:test_p": 100.0, "m:test_q": 20.0}
    assert more.left(["m:test_a", "m:test_p"]) == 20.0


@pytest.mark.parametrize(
    ("within", "pace", "examples"), [("220 s", 1.0, 10), ("44 s", 5.0, 10), ("10 h", 1.0, 1000)]
)
def test_a_time_picks_the_number_of_examples(within, pace, examples):
    found = rehearsal.chosen(Estimate.of(PROPERTIES), Exact.parse(within), pace)
    assert set(found.examples.values()) == {examples}


@pytest.mark.parametrize(
    ("journal", "said"),
    [
        (PROPERTIES, "one example of each property and all the rest take 112 s"),
        (JOURNAL, "no property is in scope .*; all takes 100 s"),
    ],
)
def test_a_time_that_cannot_be_kept_is_refused(journal, said):
    with pytest.raises(UsageError, match=f"^--within 90 s: {said}"):
        rehearsal.chosen(Estimate.of(journal), Exact.parse("90 s"), 1.0)


@pytest.mark.parametrize("examples", [0, -1, 1001])
def test_a_number_of_examples_that_none_can_run_is_refused(examples):
    with pytest.raises(UsageError, match=f"examples = {examples}: allowed: 1 to 1000"):
        plan.make(Options(examples=examples))


def test_fewer_examples_than_the_depth_has_are_a_partial_scope():
    usual = plan.EXAMPLES[Depth.STANDARD]
    assert plan.make(Options()).examples == usual
    assert plan.make(Options(examples=usual + 1)).partial == ""
    said = f"each property runs {usual - 1} examples"
    assert said in plan.make(Options(examples=usual - 1)).partial


REAL = """
[instruments.ammeter]  # in series
driver = "keysight-34465a"
resource = "TCPIP0::192.0.2.7::inst0::INSTR"
serial = "MY1"
certificate = "C-1"
due = 2030-01-01

[limits]
serial = "stays"
"""


def test_a_twin_has_each_instrument_simulated_and_nothing_of_one_unit(tmp_path):
    bench, room = tmp_path / "bench.toml", tmp_path / "room"
    room.mkdir()
    bench.write_text(REAL)
    assert rehearsal.twin(bench, room).read_text() == (
        "\n[instruments.ammeter]  # in series\n"
        'driver = "keysight-34465a"\nresource = "TCPIP0::SIM-AMMETER::inst0::INSTR"\n\n'
        '[limits]\nserial = "stays"\n'
    )


def test_a_real_bench_file_becomes_one_in_process(tmp_path):
    bench, room = tmp_path / "bench.toml", tmp_path / "room"
    room.mkdir()
    text = config.starter("bench")
    bench.write_text(text.replace("TCPIP0::SIM-", "TCPIP0::meter-"))
    made = config.read_bench(rehearsal.twin(bench, room))
    assert check_resources(made) is Kind.IN_PROCESS


def test_a_bench_that_cannot_be_simulated_is_refused(tmp_path):
    bench = tmp_path / "bench.toml"
    text = config.starter("bench").replace("TCPIP0::SIM-", "TCPIP0::192.0.2.7::SIM-")
    bench.write_text(text.replace("\nresource = ", '\n"resource" = '))
    with pytest.raises(ConfigurationError):
        rehearsal.rehearse(Options(bench=bench), [])


@pytest.mark.parametrize(
    ("verdict", "scale", "said"),
    [
        (Verdict.PASS, 1.0, "about 100 s, as 3 tests took on the simulated bench\n"),
        (Verdict.FAIL, 5.0, "about 20 s, as 3 tests took on the simulated bench; THERE, ON A HEAL"),
    ],
)
def test_a_run_says_how_long_it_will_take_and_how_long_is_left(tmp_path, verdict, scale, said):
    made = plan.make(Options(suites=("polarity",)))
    found = replace(Estimate.of(JOURNAL), verdict=verdict)
    made = replace(made, estimate=found, bench=replace(made.bench, clock_scale=scale))
    text = io.StringIO()
    progress = Progress(Console(file=text, width=200))
    progress.begin(made, tmp_path)
    assert said in text.getvalue()
    last = {"test": "m:test_a[1]", "outcome": "passed", "detail": "", "seconds": 0.1}
    progress.record("test_end", last)
    assert f"m:test_a[1]  0.10 s; about {40 / scale:.0f} s left\n" in text.getvalue()


def test_nothing_is_said_of_a_run_that_was_not_rehearsed(tmp_path):
    text = io.StringIO()
    progress = Progress(Console(file=text, width=200))
    progress.begin(plan.make(Options(suites=("polarity",))), tmp_path)
    progress.record(
        "test_end", {"test": "m:test_a", "outcome": "passed", "detail": "", "seconds": 0.1}
    )
    assert "about" not in text.getvalue()
    assert "left" not in text.getvalue()
