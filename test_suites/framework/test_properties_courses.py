"""Courses: the reference model of the states, and the search for a sequence that breaks it."""

import math
import re
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from hypothesis import Phase, given, seed
from hypothesis import strategies as st

from hil.bodies import PropertyBody
from hil.device import Polarity, State
from hil.envelope import Envelope
from hil.errors import Abort, ConnectionLost, InstrumentError, UsageError
from hil.exact import Dimension, Exact
from hil.form import check
from hil.journal import Chain
from hil.measurement import Calibration, Component, Measurement
from hil.reference import Mode, Reference
from hil.sequence import Command, Do
from hil.verdict import Verdict
from hil_fixtures import draw, machine
from hil_fixtures.config import read_device, read_setup
from hil_fixtures.config.scenario import parsed_scenario
from hil_fixtures.course import SHORTEST, Course, repeated
from hil_fixtures.exploring import Exploration
from hil_fixtures.judging import Judge, NotPassed

PROFILE = read_device(None)
KNOWN = {req.id: req for req in read_setup(None, None).requirements}
NOT_LATCHED, KEEPS_ON, STARTS_LATCHED, OFF_LATE = "not latched", "keeps on", "starts", "off late"


class Device:
    """Stands in for a run: a device of a few lines, with the times of the profile, and a flaw."""

    def __init__(self, flaw=""):
        self.flaw, self.now = flaw, 0.0
        self.findings = SimpleNamespace(states=[])
        self.record = SimpleNamespace(
            waveforms={"current": SimpleNamespace(capture=SimpleNamespace(sha256="0" * 64))}
        )
        self._goal, self._since, self._end = State.IDLE, 0.0, State.IDLE
        self._open = self._seen = False
        self._look()

    @property
    def state(self):
        took = self.now - self._since
        if self._goal is State.HOLD:
            return State.RAMP_UP if took < PROFILE.si("ramp.up_time") else State.HOLD
        if self._goal is State.RAMP_DOWN:
            return State.RAMP_DOWN if took < PROFILE.si("ramp.down_time") else self._end
        return self._goal

    def _look(self):
        self.findings.states.append((self.now, self.state))

    def _to(self, goal, end=State.IDLE):
        self._goal, self._end, self._since = goal, end, self.now

    def wait(self, time):
        self.wait_until(self.now + float(time.base))

    def wait_until(self, time):
        while self.now < time:
            self.now = min(self.now + 1.0, time)  # four times less than on a bench
            if self._open and self.state.delivers and self.flaw != KEEPS_ON:
                self._to(State.FAULT)
            self._look()

    def start(self, current, *, polarity: Polarity | None = None):
        if self.state not in {State.IDLE, State.DONE}:
            if self.state is State.FAULT and self.flaw == STARTS_LATCHED:
                self._to(State.HOLD)
                return
            raise InstrumentError("refused")
        self._to(State.HOLD)

    def change(self, current):
        """No state of its own: it ramps within the hold."""

    def pause(self):
        if self.state in {State.RAMP_UP, State.HOLD}:
            self._to(State.RAMP_DOWN, State.PAUSED)

    def resume(self):
        if self.state is State.PAUSED:
            self._to(State.HOLD)

    def stop(self):
        if self.state in {State.RAMP_UP, State.HOLD}:
            self._to(State.RAMP_DOWN, State.DONE)
        elif self._end is State.PAUSED and self.state in {State.RAMP_DOWN, State.PAUSED}:
            self._end = State.DONE

    def abort(self):
        if self.state is not State.FAULT:
            self._to(State.HOLD if self.flaw == OFF_LATE else State.IDLE)

    def acknowledge(self):
        if self.state is State.FAULT:
            self._to(State.IDLE)

    def begin_by_itself(self):
        self._to(State.HOLD)

    def inject(self, name):
        self._open = name == "open"
        if name == "reconnect" and self.state is State.FAULT and self.flaw == NOT_LATCHED:
            self._to(State.HOLD)


class Stand:
    """Stands in for a bench: each arming has a device fresh from power-up."""

    profile, envelope, repetition = PROFILE, Envelope.of(PROFILE), None
    hypothesis_phases = (Phase.generate, Phase.shrink)
    exploring = False

    def __init__(self, flaw="", examples=100):
        self.examples, self.energised = examples, 0
        self.flaw, self.kept, self.journaled, self.written = flaw, {}, [], []
        door = SimpleNamespace(energisations=0, charge=Decimal(0))
        self.station = SimpleNamespace(in_process=True, hand=None, door=door)

    def seed_of(self, name):
        return len(name)

    def armed(self):
        self.energised += 1
        return nullcontext(Device(self.flaw))

    def journal(self, kind, body):
        self.journaled.append((kind, body))

    def keep_text(self, name, text):
        self.kept[name] = text


def explored(flaw="", examples=100, stand=None, pauses=True):
    """The stand after so many courses, and why they did not all pass."""
    stand = stand or Stand(flaw, examples)
    judge = Judge(
        "m:test_a",
        {"STATE-TRUE": KNOWN["STATE-TRUE"]},
        stand.written.append,
        frozenset({"STATE-TRUE"}),
    )
    courses = replace(draw.courses(PROFILE, stand.envelope), pauses=pauses)
    running = Exploration(stand, judge, None, "course")
    try:
        machine.explore(
            "course", courses, running, lambda course: judge("STATE-TRUE", course.reports)
        )
    except NotPassed as err:
        return stand, str(err)
    return stand, ""


def test_a_device_that_keeps_to_the_model_passes_whatever_is_done():
    stand, why = explored(examples=60)
    assert why == ""
    ((kind, body),) = stand.journaled
    assert kind == "property"
    assert body["covered"]["examples"] == body["asked"] == 60
    assert stand.energised < 75  # some are given back, as driven before
    assert set(body["covered"]["words"]["command"]) == {do.value for do in Do}
    assert {entry["name"] for entry in body["covered"]["ranges"]} == {"set", "wait"}
    assert set(body) == set(PropertyBody.__annotations__)
    check([Chain().append("property", body, utc=datetime(2026, 1, 1, tzinfo=UTC), bench=None)])


def test_a_device_that_cannot_pause_is_not_driven_for_courses_that_lead_nowhere():
    stand, why = explored(examples=30, pauses=False)
    assert why == ""
    ((_, body),) = stand.journaled
    assert body["covered"]["examples"] == 30
    assert stand.energised < 40


@pytest.mark.parametrize(
    ("flaw", "smallest"),
    [
        (NOT_LATCHED, "start wait open wait reconnect"),
        (KEEPS_ON, "start wait open wait"),
        (OFF_LATE, "start wait abort"),
    ],
)
def test_a_flaw_is_found_and_shrunk_to_the_commands_that_show_it(flaw, smallest):
    stand, why = explored(flaw)
    assert "STATE-TRUE FAIL" in why
    ((name, text),) = stand.kept.items()
    assert f"data/config/{name} repeats it" in why
    ((_, body),) = stand.journaled
    counted = body["covered"]["examples"] + body["shrinking"] + body["given_back"]
    assert counted == stand.energised
    commands = parsed_scenario(name, text).drawn["course"]
    done = " ".join(command.do.value for command in commands)
    assert done == f"set {smallest}"
    assert commands[0].value == PROFILE["output.setpoint_min"]
    again = repeated(Stand(flaw), commands)
    assert again.reference.wrong
    assert not repeated(Stand(), commands).reference.wrong


def test_on_metal_the_first_wrong_report_ends_the_property_and_nothing_is_driven_again():
    stand = Stand(NOT_LATCHED)
    stand.hypothesis_phases = (Phase.generate,)
    stand.station.in_process = False
    _, why = explored(stand=stand)
    assert "STATE-TRUE FAIL" in why
    ((_, body),) = stand.journaled
    verdicts = [judgement.verdict for judgement in stand.written]
    assert verdicts == [Verdict.PASS] * (body["covered"]["examples"] - 1) + [Verdict.FAIL]
    assert body["shrinking"] == 0
    (text,) = stand.kept.values()
    assert parsed_scenario("a.toml", text).drawn["course"]


def test_a_bench_that_breaks_within_a_course_ends_the_property():
    class Broken(Stand):
        def armed(self):
            device = Device()
            device.wait = lambda time: (_ for _ in ()).throw(ConnectionLost("gone"))
            return nullcontext(device)

    with pytest.raises(ConnectionLost, match="gone"):
        explored(stand=Broken())


@pytest.mark.parametrize("count", [1, 7, 20])
def test_an_abort_between_two_courses_is_raised_and_nothing_in_its_place(count):
    """Hypothesis calls it inconsistent that an example stopped drawing where another went on."""
    begun = []

    class Interrupted(Stand):
        def armed(self):
            begun.append(1)
            if len(begun) >= count:
                raise Abort("signal SIGTERM")
            return super().armed()

    with pytest.raises(Abort, match="SIGTERM"):
        explored(stand=Interrupted())
    assert len(begun) == count


def test_a_test_that_overlooks_a_wrong_report_is_no_success():
    stand = Stand(NOT_LATCHED)
    stand.hypothesis_phases = (Phase.generate,)
    judge = Judge("m:test_a", {}, lambda judgement: None, frozenset())
    running = Exploration(stand, judge, None, "course")
    courses = draw.courses(PROFILE, stand.envelope)
    with pytest.raises(machine.Wrong, match=r"the test has to judge course\.reports"):
        machine.explore("course", courses, running, lambda course: None)


def test_a_start_that_is_obeyed_in_a_latched_fault_is_told():
    second = Command(Do.WAIT, Exact.parse("2 s"))
    lift = (Command(Do.OPEN), second, Command(Do.RECONNECT), second)
    start = (Command(Do.START), second)
    assert "allowed: fault" in repeated(Stand(STARTS_LATCHED), start + lift + start).reference.wrong
    assert not repeated(Stand(), start + lift + start).reference.wrong


def test_only_commands_can_be_repeated():
    with pytest.raises(UsageError, match="a sequence of commands"):
        repeated(Stand(), ("start",))


def reference(*steps):
    """A model that was told of these: a `Do`, or a state that was reported, each with its time."""
    model = Reference(PROFILE)
    for time, what in steps:
        if isinstance(what, Do):
            model.done(what, time)
        else:
            model.told(what, time)
    return model


@pytest.mark.parametrize(
    "steps",
    [
        [(1, State.IDLE), (2, State.HOLD)],
        [(1, Do.START), (2, State.RAMP_UP), (3, State.IDLE)],
        [(1, Do.START), (2, State.ARMED), (80, State.RAMP_UP)],
        [(1, Do.START), (40, State.HOLD), (41, Do.STOP), (42, State.HOLD)],
        [(1, Do.START), (40, State.HOLD), (41, Do.STOP), (60, State.RAMP_DOWN)],
        [(1, Do.START), (40, State.HOLD), (41, Do.PAUSE), (60, State.DONE)],
        [(1, Do.START), (40, State.HOLD), (41, Do.ABORT), (43, State.RAMP_DOWN)],
        [(1, Do.START), (40, Do.OPEN), (41, State.HOLD)],
        [(1, Do.START), (40, Do.OPEN), (41, State.FAULT), (42, Do.RECONNECT), (43, State.IDLE)],
        [(1, Do.RESUME), (2, State.RAMP_UP)],
        [(1, State.FAULT)],
    ],
)
def test_a_report_that_no_course_allows_is_told(steps):
    model = reference(*steps)
    assert "was reported at" in model.wrong
    assert "allowed: " in model.wrong
    model.told(State.HOLD, 100.0)
    assert model.wrong == reference(*steps).wrong  # the first one stands


@pytest.mark.parametrize(
    "steps",
    [
        [(1, Do.START), (2, State.RAMP_UP), (40, State.HOLD), (41, Do.SET), (42, State.RAMP_UP)],
        [(1, Do.START), (40, State.HOLD), (41, Do.PAUSE), (60, State.PAUSED), (61, Do.RESUME)],
        [(1, Do.START), (40, Do.OPEN), (40.05, State.HOLD), (41, State.FAULT)],
        [(1, Do.START), (40, Do.OPEN), (40.05, Do.RECONNECT), (41, State.HOLD)],
        [(1, Do.START), (40, Do.OPEN), (40.05, Do.RECONNECT), (41, State.FAULT)],
        [(1, Do.START), (40, Do.PAUSE), (41, Do.OPEN), (42, State.FAULT)],
        [(1, Do.OPEN), (5, State.IDLE)],
        [(1, Do.START), (40, Do.OPEN), (41, State.FAULT), (42, Do.START), (43, State.FAULT)],
        [(1, Do.START), (9, Do.STOP), (10, State.RAMP_DOWN), (11, Do.START), (11.5, State.RAMP_UP)],
    ],
)
def test_what_a_healthy_device_may_report_is_allowed(steps):
    assert reference(*steps).wrong == ""


def test_two_courses_are_followed_until_a_report_decides():
    model = reference((1, Do.START), (40, State.HOLD), (41, Do.OPEN), (41.05, Do.RECONNECT))
    assert model.modes == {Mode.TREATING, Mode.LATCHED}
    model.told(State.FAULT, 41.2)
    assert model.modes == {Mode.LATCHED}


def test_rest_is_wherever_no_course_lets_current_flow():
    model = reference((5, Do.START), (50, Do.STOP), (80, Do.START), (90, Do.ABORT))
    model.ended(100)
    down, off = PROFILE.si("ramp.down_time"), PROFILE.si("protection.off_time")
    assert model.rests == [(0.0, 5), (50 + down + off, 80), (90 + off, 100)]
    open_ = reference((5, Do.START), (40, Do.OPEN), (42, State.FAULT), (50, Do.RECONNECT))
    open_.ended(60)
    assert open_.rests == [(0.0, 5), (42 + off, 60)]


def test_each_course_begins_with_a_rest():
    """So that one which treats from its first command to its last has one that is judged."""
    made = repeated(Stand(), [Command(Do.START), Command(Do.WAIT, Exact.parse("40 s"))])
    ((begin, end),) = made.rests
    assert end.time - begin.time >= SHORTEST
    assert end.time == 0.0


def test_a_start_that_is_refused_at_rest_is_an_error():
    run = Device()
    course = Course(Stand(), run)
    course.do(Command(Do.START))
    run.start = lambda current: (_ for _ in ()).throw(InstrumentError("refused"))
    course.do(Command(Do.START))  # while treating: it may be refused by any means
    course.do(Command(Do.ABORT))
    course.do(Command(Do.WAIT, Exact.parse("2 s")))
    with pytest.raises(InstrumentError):  # the bench's: the device says that it is idle
        course.do(Command(Do.START))
    run.begin_by_itself()
    course.do(Command(Do.START))  # the device's: it delivers by itself
    assert "'ramp up' was reported" in course.reference.wrong


def nearest(*, hunt):
    """Distance from the worst of a hundred pairs to the one place where the limit is met."""
    stand = Stand()
    stand.hypothesis_phases = (Phase.generate, Phase.target)
    ceiling = {"LIM-CEIL": KNOWN["LIM-CEIL"]}
    judge = Judge("m:test_a", ceiling, lambda judgement: None, frozenset(ceiling))
    running = Exploration(stand, judge, None, "pairs")

    @seed(running.seed)
    @running.settings
    @given(x=st.integers(0, 2000), y=st.integers(0, 2000))
    def example(x, y):
        with running.example({"x": x, "y": y}):
            away = (x - 1234) ** 2 + (y - 777) ** 2
            value = Decimal("0.0043") - Decimal(away) * Decimal("1E-10")
            parts = (Component("a", 1e-9),)
            found = Measurement(value, Dimension.CURRENT, parts, ("SIM-1",), Calibration.VALID)
            judge("LIM-CEIL", found, hunt=hunt)

    running.run(example)
    ((_, body),) = stand.journaled
    (worst,) = body["covered"]["worst"]
    assert body["covered"]["examples"] == 100
    x, y = map(int, re.findall(r"\d+", worst["example"]))
    return math.hypot(x - 1234, y - 777)


def test_a_hunt_comes_nearer_to_the_limit_than_chance():
    assert nearest(hunt=True) < nearest(hunt=False) / 3
