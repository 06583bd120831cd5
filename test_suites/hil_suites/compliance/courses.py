"""What is done to a device: each course is driven once in a run, and judged by many tests.

Driven by `bench.once`. Each part of a course has a window of its own, so that what one part shows
says nothing of another; where a device ends a treatment at one part, it is started anew for the
rest. No hold is longer than what is judged in it, and a course whose ramp down nobody judges ends
by an abort: it heats phantom and relays less than a ramp.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any

from hil import improper
from hil.depth import Depth
from hil.device import DeviceProfile, Polarity, Reporting, State
from hil.errors import Unavailable, UsageError
from hil.exact import Exact
from hil.features import SLOPE_WINDOW
from hil.record import Record
from hil.scenario import Observation, dose_of
from hil.units import kohm, ms, s
from hil.waveform import Instant
from hil_fixtures.suite import TURN, Bench, Run, grid

HOLD = 5 * s
"""Of a treatment: four seconds of it are steady, for its mean and four spectra of its ripple."""
PAUSE, LAST = 1.5 * s, 0.5 * s
"""From one message to the next, and the end of it in which the current is looked at."""
ASKED = 20 * ms
"""How often a device is asked that is asked all the time."""
STORM = 6
"""Pauses, each with a resume at once."""
FLICKERS = tuple(map(Exact.parse, ("20 %", "10 %", "40 %")))
"""Losses of contact, shares of the time in which an open load must be detected."""
LOW = tuple(Exact.parse(f"{percent} %") for percent in range(90, 0, -10))
"""Supply voltages below the lowest one in use, as shares of it."""
SLOWLY = Observation(rate=Exact.parse("200 Hz"))
"""A treatment of many minutes is judged by integral and means."""
OVER = {State.DONE, State.IDLE, State.FAULT}
TWO_THIRDS, HALF = Exact.parse("67 %"), Exact.parse("50 %")


@dataclass(frozen=True)
class Told:
    """What a device or the bench says, or that it has no word for it."""

    answer: Any
    lack: Unavailable | None = None

    @property
    def given(self) -> Any:  # an answer of any kind
        """What `where_told` takes: what was said, or why nothing was."""
        return self.answer if self.lack is None else self.lack

    @property
    def said(self) -> Any:  # a truth, a claim or a moment
        """What was said; raises Unavailable where there was no word for it."""
        if self.lack is not None:
            raise self.lack
        return self.answer


def told(ask: Callable[[], Any]) -> Told:
    """Ask; what is lacking is kept for the test that needs it."""
    try:
        return Told(ask())
    except Unavailable as err:
        return Told(None, err)


@dataclass
class Course:
    """What one arming leaves: its record, and what was done when."""

    run: Run
    moments: dict[str, Instant] = field(default_factory=dict)
    told: dict[str, Told] = field(default_factory=dict)

    @property
    def record(self) -> Record:
        """Of the arming; there once that is over."""
        return self.run.record

    def __getitem__(self, name: str) -> Instant:
        """When it was done.

        Raises:
            Unavailable: it could not be done on this bench.
            UsageError: the device did not let it come so far.
        """
        if name not in self.told and name not in self.moments:
            done = ", ".join(self.run.findings.events)
            raise UsageError(f"{name}: the course did not come so far; done were: {done}")
        moment: Instant = self.told[name].said if name in self.told else self.moments[name]
        return moment

    def note(self, name: str) -> Instant:
        """Keep this moment."""
        self.moments[name] = Instant(self.run.now, 0.0, name)
        return self.moments[name]


@dataclass(frozen=True)
class Window:
    """A part of a course that one test judges, and what was said in it."""

    of: str
    """What was done in it."""
    run: Run
    begin: Instant
    end: Instant
    told: dict[str, Told] = field(default_factory=dict)

    @property
    def record(self) -> Record:
        """Of its arming; there once that is over."""
        return self.run.record


def rest(profile: DeviceProfile) -> Exact:
    """Time from a stop until the output must be off."""
    return profile["ramp.down_time"] + profile["protection.off_time"]


def detected(profile: DeviceProfile) -> Exact:
    """Time from the opening of a load until the output must be off."""
    return profile["protection.open_time"] + profile["protection.stop_time"]


def _up(profile: DeviceProfile) -> Exact:
    """Time from a start until the setting has been held a while."""
    time: Exact = profile["ramp.up_time"] + 1 * s
    return time


def early(profile: DeviceProfile) -> Exact:
    """Time after a start by which a third of the ramp is done."""
    return Exact(profile["ramp.up_time"].base / 3, "s")


def sooner(profile: DeviceProfile) -> Exact:
    """The same for two fifteenths of it, where a rest between polarities may come first.

    Of a short ramp it is more: a slope needs a second, and some, after the start.
    """
    up = profile["ramp.up_time"].base
    risen = max(up * 2 / 15, min(Decimal(repr(SLOPE_WINDOW)) * 6 / 5, up / 2))
    return Exact(profile["polarity.dwell"].base + risen, "s")


# -- at rest --------------------------------------------------------------------------------------


def at_rest(bench: Bench, loads: Sequence[Exact]) -> list[Window]:
    """Switched on and nothing commanded: over loads, and without its supply."""
    profile = bench.profile
    found = []
    with bench.armed(load=loads[0]) as run:
        for load in loads:
            if load is not loads[0]:
                run.select(load)
            found.append(_waited(run, str(load), 3 * s))
        cut = run.inject("supply off")
        run.wait(profile["power.hold_up"] + 3 * s)
        dead = cut.later(profile["power.hold_up"])
        found.append(Window("dead", run, dead, Instant(run.now, 0.0)))
        run.inject("supply on")  # so that it can be asked on the way to off
        run.wait(1 * s)
    return found


def asked_at_rest(bench: Bench) -> Window:
    """Switched on and nothing commanded: asked for its current, and for its self-test."""
    with bench.armed() as run:
        said = {"current": told(run.claimed_current), "test": told(run.self_test)}
        return _waited(run, "asked", 1 * s, said)


def _waited(
    run: Run,
    of: str,
    time: Any,
    said: dict[str, Told] | None = None,  # a time
) -> Window:
    begin = Instant(run.now, 0.0)
    run.wait(time)
    return Window(of, run, begin, Instant(run.now, 0.0), said or {})


# -- treatments -----------------------------------------------------------------------------------


def treatment(bench: Bench, drawn: grid.Treatment) -> Course:
    """A ramp, a hold in which the device is asked what it delivers, and one of four ends."""
    profile = bench.profile
    looked = drawn in grid.base(profile, Depth.STANDARD)
    with bench.armed(load=drawn.load) as run:
        found = Course(run)
        run.start(drawn.setpoint, polarity=drawn.polarity)
        run.wait(profile["ramp.up_time"] + (HOLD - 1 * s))
        found.told["current"] = told(run.claimed_current)
        if looked:
            found.told["lit"] = told(lambda: bench.indicator.is_on())
        run.wait(1 * s)
        _end(profile, found, drawn.end)
        if looked:
            found.told["dark"] = told(lambda: not bench.indicator.is_on())
    return found


def _end(profile: DeviceProfile, found: Course, end: grid.End) -> None:
    run = found.run
    if end is grid.End.OPEN:
        run.inject("open")
        run.wait(detected(profile) + 1 * s)
    elif end is grid.End.ABORT:
        _abort(found)
        run.wait(profile["protection.off_time"] + 1 * s)
    else:
        if end is grid.End.REVERSE:
            run.reverse()
            run.wait(_turned(profile))
        run.stop()
        run.wait(rest(profile) + 1 * s)


def _turned(profile: DeviceProfile) -> Exact:
    """Time in which a device that obeys comes through zero.

    By a ramp down and a rest, or by one ramp from the setting to its opposite.
    """
    by_two: Exact = profile["ramp.down_time"] + profile["polarity.dwell"] + 1 * s
    by_one: Exact = profile["ramp.up_time"] + 1 * s
    return max(by_two, by_one)


def _abort(found: Course) -> None:
    """Stop at once by the device itself, if it can be told to."""
    found.told["abort"] = told(found.run.abort)
    if found.told["abort"].lack is not None:
        found.run.end_at_once()


def treated_slowly(bench: Bench, setpoint: Exact, dose: Exact) -> Course:
    """The largest dose to its own end, and then another treatment."""
    profile = bench.profile
    more = dose * profile["dose.accuracy"] + dose * profile["dose.accuracy"]
    with bench.armed(observe=SLOWLY) as run:
        found = Course(run)
        found.moments["start"] = run.start(setpoint, dose=dose)
        run.until(lambda state: state in OVER, longest(profile, setpoint, dose))
        run.wait(2 * s)
        found.note("first end")
        run.start(setpoint, dose=more)
        run.until(lambda state: state in OVER, longest(profile, setpoint, more))
        run.wait(2 * s)
    return found


def longest(profile: DeviceProfile, setpoint: Exact, dose: Exact) -> Exact:
    """Time in which a treatment is over, ramps and all, half as long again."""
    held = Exact(dose.base / setpoint.base, "s")
    whole = held + profile["ramp.up_time"] + profile["ramp.down_time"]
    return whole * Exact.parse("150 %")


def sessions(bench: Bench, course: grid.Sessions) -> list[Window]:
    """Treatments one after another without a power cycle, each to its own dose.

    The first is paused and goes on; in the hold of the second come a reversal and messages, all of
    which must be refused.

    Returns:
        Each of them, from its start to a while after its end.
    """
    profile = bench.profile
    with bench.armed() as run:
        first = _session(profile, run, course.first, _paused, _ramps(profile) + 5 * s)
        if not first.told["over"].said:
            return [first]
        messages = told(lambda: _messages(profile, course.second, course.other))
        sent = messages.answer or ()
        hold = Exact.parse("4 s") + Exact.of(PAUSE * len(sent))
        second = _session(profile, run, course.second, partial(_refused, sent), hold)
        second.told["messages"] = Told([*second.told.pop("seen").said], messages.lack)
        more = [
            _session(profile, run, course.first, None, Exact.parse("2 s"))
            for _ in range(course.count - 2)
        ]
    return [first, second, *more]


def _messages(profile: DeviceProfile, held: Exact, other: Exact) -> tuple[improper.Message, ...]:
    running = improper.running(profile, profile.polarity)
    return (*improper.always(profile, held, other), *running)


Said = dict[str, Told]


def session(bench: Bench, course: grid.Sessions, place: int) -> Window:
    """One of `sessions`; raises UsageError where the device did not come so far."""
    found = bench.once(sessions, course)
    if place >= len(found):
        raise UsageError("the first treatment did not end at its dose, so that none followed it")
    return found[place]


def _session(
    profile: DeviceProfile,
    run: Run,
    setpoint: Exact,
    meanwhile: Callable[[DeviceProfile, Run], Said] | None,
    hold: Exact,
) -> Window:
    """A treatment to the end of a dose that it delivers in its ramps and a hold."""
    dose = dose_of(setpoint, _ramps(profile) + hold)
    begun = run.start(setpoint, dose=dose)
    said: Said = {"dose": Told(dose)}
    if meanwhile is not None:
        run.wait(profile["ramp.up_time"] + 1 * s)
        said |= meanwhile(profile, run)
    patience = longest(profile, setpoint, dose) + profile["ramp.up_time"]
    run.until(lambda state: state in OVER or state is State.RAMP_DOWN, patience)
    said["end"] = Told(Instant(run.now - TURN, 0.0, "end of the dose"))
    over = run.until(lambda state: state in OVER, profile["ramp.down_time"] + 2 * s)
    said["over"] = Told(over)
    run.wait(1 * s)
    said["charge"] = told(run.claimed_charge)
    run.wait(1 * s)
    return Window("session", run, begun, Instant(run.now, 0.0), said)


def _ramps(profile: DeviceProfile) -> Exact:
    """Time in which a setting delivers what a ramp up and one down do; a tenth more for the first.

    The hold is long enough then, also of a ramp that is not quite straight.
    """
    return profile["ramp.up_time"] * Exact.parse("55 %") + profile["ramp.down_time"] * HALF


def _paused(profile: DeviceProfile, run: Run) -> Said:
    """Pause for longer than the ramp down takes, and resume; nothing, of one that cannot pause."""
    if not pauses(profile):
        return {}
    paused = run.pause()
    run.wait(profile["ramp.down_time"] + 2 * s)
    resumed = run.resume()
    run.wait(1 * s)
    return {"pause": Told(paused), "resume": Told(resumed)}


def pauses(profile: DeviceProfile) -> bool:
    """Whether a device can be told to pause, as far as its file says."""
    known = profile.wire.commands
    return not known or "pause" in known


def _refused(messages: Sequence[improper.Message], profile: DeviceProfile, run: Run) -> Said:
    """Ask for the other polarity, then send one message after another.

    The end of the time after each is looked at.
    """
    del profile
    reversed_ = run.reverse()
    seen = []
    for message in messages:
        run.provoke(message.text)
        run.wait(PAUSE - LAST)
        begin = Instant(run.now, 0.0)
        run.wait(LAST)
        seen.append(Window(message.wrong, run, begin, Instant(run.now, 0.0)))
    return {"seen": Told(seen), "reverse": Told(reversed_)}


def limited_dose(bench: Bench, setpoint: Exact, load: Exact) -> Course:
    """A dose into a load at which compliance holds the current well below the setting."""
    profile = bench.profile
    dose = dose_of(setpoint, 10 * s)
    with bench.armed(load=load) as run:
        found = Course(run, told={"dose": Told(dose)})
        run.start(setpoint, dose=dose)
        patience = longest(profile, setpoint, dose * Exact.parse("400 %"))
        run.until(lambda state: state in OVER, patience)
        run.wait(1 * s)
        found.told["charge"] = told(run.claimed_charge)
        run.wait(1 * s)
    return found


# -- ramps ----------------------------------------------------------------------------------------


def turns(bench: Bench, setpoint: Exact) -> list[Course]:
    """Three treatments of opposite polarity, each at once after the stop of the last one.

    Two are stopped early in the ramp, the third is aborted two thirds up it.
    """
    profile, polarity = bench.profile, bench.profile.polarity
    with bench.armed() as run:
        first = _begun(run, setpoint, polarity)
        run.wait(sooner(profile))
        _risen(first)
        first.moments["stop"] = run.stop()
        if not _rested(profile, first):
            return [first]
        second = _begun(run, setpoint, polarity.opposite)
        run.wait(sooner(profile))
        _risen(second)
        second.moments["stop"] = run.stop()
        if not _rested(profile, second):
            return [first, second]
        third = _begun(run, setpoint, polarity)
        run.wait(
            max(profile["ramp.up_time"] * TWO_THIRDS, profile["polarity.dwell"] + early(profile))
        )
        _risen(third)
        _abort(third)
        run.wait(profile["protection.off_time"] + profile["protection.reconnect_time"])
    return [first, second, third]


def _begun(run: Run, setpoint: Exact, polarity: Polarity) -> Course:
    return Course(run, {"start": run.start(setpoint, polarity=polarity)})


def _risen(leg: Course) -> None:
    """Ask with which polarity it delivers."""
    leg.note("risen")
    leg.told["polarity"] = told(leg.run.claimed_polarity)


def _rested(profile: DeviceProfile, leg: Course) -> bool:
    """Wait until the device says that it delivers nothing; whether it did in time."""
    ended = leg.run.until(lambda state: not state.delivers, rest(profile) + 1 * s)
    leg.note("end")
    return ended


def asked_often(bench: Bench, setpoint: Exact) -> Course:
    """Asked for its state all the time after a start, and after a stop in the ramp."""
    dense = flowing(bench.profile, setpoint)
    with bench.armed() as run:
        found = _begun(run, setpoint, bench.profile.polarity)
        _ask_often(run, dense)
        found.moments["stop"] = run.stop()
        _ask_often(run, dense)
    return found


def flowing(profile: DeviceProfile, setpoint: Exact) -> Exact:
    """Time after a start by which current must flow, and thrice the declared lag after it."""
    share = profile["protection.off_current"].base / setpoint.base
    flows, lag = 2 * share * profile["ramp.up_time"].base, profile["indication.lag"].base
    return Exact(flows + 3 * lag, "s")


def _ask_often(run: Run, time: Exact) -> None:
    """Ask for the state every 20 ms: a wait asks each time that it begins anew."""
    end = run.now + float(time.base)
    while run.now < end:
        run.wait(ASKED)


def raised(bench: Bench, setpoint: Exact, later: Exact) -> Course:
    """A larger setting while the current still rises; at the end the load nearly insulates."""
    profile = bench.profile
    with bench.armed() as run:
        found = Course(run)
        found.moments["start"] = run.start(setpoint)
        run.wait(early(profile))
        run.change(later)
        run.wait(profile["ramp.up_time"] + 4 * s)
        found.note("end")
        found.told["time"] = told(run.claimed_time)
        for load in grid.insulating(profile, Depth.STANDARD):
            found.moments["insulated"] = run.select(load)
            run.wait(detected(profile) + 1 * s)
        run.end_at_once()
    return found


def unasked(bench: Bench, setpoint: Exact) -> Course:
    """The device is asked nothing from its start to long after a stop; before that, a storm.

    Pauses and resumes without a rest; a device that cannot pause is told to stop again and again.
    """
    profile = bench.profile
    with bench.armed() as run:
        found = Course(run)
        run.start(setpoint)
        run.fall_silent()
        run.wait(_up(profile))
        found.note("storm")
        for _ in range(STORM):
            if pauses(profile):
                run.pause()
                run.resume()
            else:
                run.stop()
        found.moments["stop"] = run.stop()
        run.wait(rest(profile) + profile["protection.reconnect_time"])
        run.speak()
    return found


# -- faults ---------------------------------------------------------------------------------------


def opened_early(bench: Bench, setpoint: Exact, polarity: Polarity) -> Course:
    """The load opens in the ramp; in the usual polarity it comes back, and a start follows."""
    profile = bench.profile
    with bench.armed() as run:
        found = Course(run)
        run.start(setpoint, polarity=polarity)
        run.wait(early(profile))
        found.moments["open"] = run.inject("open")
        run.wait(profile["protection.open_time"] + profile["protection.off_time"])
        if polarity is not profile.polarity:
            return found
        found.moments["back"] = run.inject("reconnect")
        found.moments["start again"] = run.start_again()
        run.wait(profile["protection.reconnect_time"])
    return found


def latched(bench: Bench, setpoint: Exact, later: Exact, away: Exact) -> Course:
    """Two losses of contact while nobody acts; then resets and starts; then an operator acts.

    Started anew at a lower setting, the electrodes touch, and while they do the setting is raised;
    apart again, the treatment is aborted.
    """
    profile = bench.profile
    watched = profile["protection.reconnect_time"]
    with bench.armed() as run:
        found = Course(run)
        run.start(setpoint)
        run.wait(_up(profile))
        found.moments["open"] = run.inject("open")
        run.wait(away)
        found.moments["back"] = run.inject("reconnect")
        run.wait(watched)
        run.inject("open")
        run.wait(1 * s)
        run.inject("reconnect")
        run.wait(watched)
        _release(profile, found, setpoint)
        found.moments["anew"] = run.start(later)
        run.wait(profile["ramp.up_time"] + 1 * s)
        found.moments["short"] = run.select("short")
        run.wait(1 * s)
        run.change(setpoint)
        run.wait(profile["ramp.up_time"] + 1 * s)
        found.note("raised")
        for load in grid.first(profile, Depth.STANDARD):
            run.select(load)
        run.wait(1 * s)
        _abort(found)
        run.wait(profile["protection.off_time"] + 1 * s)
    return found


def _release(profile: DeviceProfile, found: Course, setpoint: Exact) -> None:
    """Try to release a fault as nobody may; then acknowledge it, as an operator would."""
    run = found.run
    found.note("resets")
    found.told["words"] = told(lambda: improper.restarts(profile, setpoint))
    for message in found.told["words"].answer or ():
        run.provoke(message.text)
    restarted = run.until(lambda state: state.delivers, profile["protection.reconnect_time"])
    found.moments["released"] = run.stop() if restarted else run.acknowledge()
    run.wait(rest(profile) if restarted else 1 * s)


def powered_again(bench: Bench, setpoint: Exact) -> Course:
    """The supply fails in the hold and comes back; then a start without a setting."""
    profile = bench.profile
    with bench.armed() as run:
        found = Course(run)
        run.start(setpoint)
        run.wait(_up(profile))
        run.inject("supply off")
        run.wait(profile["power.hold_up"])
        found.moments["back"] = run.inject("supply on")
        run.wait(profile["protection.reconnect_time"])
        found.moments["start again"] = run.start_again()
        run.wait(profile["protection.reconnect_time"])
    return found


def halted(bench: Bench, setpoint: Exact) -> Course:
    """A jig halts the processor in the hold; nobody asks the device, the current alone is seen."""
    profile = bench.profile
    declared = profile["protection.watchdog_time"]
    with bench.armed() as run:
        found = Course(run)
        run.start(setpoint)
        run.fall_silent()
        run.wait(_up(profile))
        found.moments["halt"] = run.inject("halt")
        run.wait(declared + 1 * s)
    return found


# -- in a hold ------------------------------------------------------------------------------------


class Held:
    """A hold in which one thing after another is done."""

    def __init__(self, run: Run) -> None:
        """Begin at the load of the arming."""
        self.run = run
        self._load: Exact | str = ""

    def at(self, load: Exact | str) -> None:
        """Have a load connected, for a second at least."""
        if load and load != self._load:
            self.run.select(load)
            self._load = load
        self.run.wait(1 * s)

    @property
    def goes_on(self) -> bool:
        """Whether the device still says that it holds its current."""
        return self.run.until(lambda state: state is State.HOLD, Exact.parse("500 ms"))


Act = Callable[[Held], Window]


def contacts_and_loads(bench: Bench, setpoint: Exact) -> dict[str, Window]:
    """All that contact, load and host may do in a hold; what is mildest comes first.

    Returns:
        Each by its name; a device that ends the treatment at one is started anew for the rest.
    """
    profile = bench.profile
    (heaviest,) = grid.heaviest(profile, Depth.STANDARD)
    (limiting,) = grid.limiting(profile, Depth.STANDARD)
    (largest,) = grid.largest(profile, Depth.STANDARD)
    lightest = profile["output.load_min"]
    acts: list[Act] = [
        *(partial(_flickered, profile["protection.open_time"] * share) for share in FLICKERS),
        partial(_asked, "", "first load"),
        partial(_asked, heaviest, "heaviest load"),
        partial(_stepped, heaviest, lightest, "fall"),
        partial(_stepped, lightest, heaviest, "rise"),
        partial(_stepped, limiting, 1 * kohm, "leaving compliance"),
        partial(_asked, largest, "largest load"),
        partial(_asked, "short", "short"),
        partial(_left_alone, profile),
    ]
    found: list[Window] = []
    while acts:
        with bench.armed() as run:
            watched = _watched(profile, run)
            run.start(setpoint)
            run.wait(_up(profile))
            held = Held(run)
            found.append(acts.pop(0)(held))
            while acts and held.goes_on:
                found.append(acts.pop(0)(held))
            run.end_at_once()
    found[-1].told["watched"] = watched
    return {window.of: window for window in found}


def _watched(profile: DeviceProfile, run: Run) -> Told:
    """Have the device watch its host, if it can be told to and declares how soon it notices."""
    return told(lambda: run.watch_host(profile["protection.link_time"]))


def _flickered(time: Exact, held: Held) -> Window:
    """Contact is lost for less than it takes to be detected."""
    run = held.run
    held.at("")
    begin = run.now
    opened = run.inject("open")
    run.wait_until(begin + float(time.base))
    run.inject("reconnect")
    run.wait(1 * s)
    return Window(f"contact lost for {time}", run, opened, Instant(run.now, 0.0))


def _asked(load: Exact | str, of: str, held: Held) -> Window:
    """Asked what it delivers, and into what."""
    run = held.run
    held.at(load)
    begin = Instant(run.now, 0.0)
    run.wait(1 * s)
    end = Instant(run.now, 0.0)
    said = {
        "limited": told(run.limited),
        "short": told(run.shorted),
        "impedance": told(run.impedance),
        "voltage": told(run.claimed_voltage),
    }
    run.wait(1 * s)
    return Window(of, run, begin, end, said)


def _stepped(before: Exact, after: Any, of: str, held: Held) -> Window:  # a load
    """The load changes from one to another."""
    held.at(before)
    begin = Instant(held.run.now, 0.0)
    held.at(after)
    events = held.run.findings.events
    steps = [name for name in events if name.split(" #")[0] == "load step"]
    return Window(of, held.run, events[steps[-1]] if steps else begin, Instant(held.run.now, 0.0))


def _left_alone(profile: DeviceProfile, held: Held) -> Window:
    """The host says nothing any more, for as long as the device may take to notice."""
    run = held.run
    silence = told(lambda: profile["protection.link_time"] + profile["protection.off_time"])
    lost = run.fall_silent()
    if silence.lack is None:
        run.wait(silence.answer + 1 * s)
    run.speak()
    return Window("silence", run, lost, Instant(run.now, 0.0))


# -- messages -------------------------------------------------------------------------------------


def refused(bench: Bench, setpoint: Exact, other: Exact) -> Course:
    """Messages that must be refused: at rest, and while the current rises."""
    profile = bench.profile
    if profile.wire.errors.kind is Reporting.NONE:
        raise Unavailable('the device reports no refusals: wire.errors.kind = "none"')
    always = improper.always(profile, setpoint, other)
    running = improper.running(profile, profile.polarity)
    with bench.armed() as run:
        found = Course(run)
        found.told["at rest"] = Told([(each, run.provoke(each.text)) for each in always])
        run.wait(1 * s)
        run.start(setpoint)
        run.wait(2 * s)
        found.told["rising"] = Told([(each, run.provoke(each.text)) for each in running])
        run.end_at_once()
        run.wait(1 * s)
    return found


# -- supply ---------------------------------------------------------------------------------------


def supplied(bench: Bench, setpoint: Exact) -> list[Window]:
    """During the hold: the voltages in use, then down in steps, then back.

    Returns:
        One at the usual voltage, one at each in use, one at each below, and last the one after.
    """
    profile = bench.profile
    lowest, highest = profile["power.minimum"], profile["power.maximum"]
    settled = profile["protection.off_time"]
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(profile["ramp.up_time"] + 1 * s)
        found = [_waited(run, "usual", 2 * s)]
        found += [_at_supply(run, "in use", volts, settled) for volts in (highest, lowest)]
        found += [_at_supply(run, "too low", lowest * share, settled) for share in LOW]
        back = run.supply(highest)
        run.wait(profile["protection.reconnect_time"])
        found.append(Window("back", run, back, Instant(run.now, 0.0)))
        run.end_at_once()
    return found


def _at_supply(run: Run, of: str, volts: Exact, settled: Exact) -> Window:
    step = run.supply(volts)
    run.wait(settled + LAST)
    return Window(of, run, step.later(settled), step.later(settled + LAST))
