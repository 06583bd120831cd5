"""Ramping: every rise and every planned fall of the current is slow and smooth."""

from hil.course import largest_fall, ramp_time
from hil.errors import Unavailable
from hil.exact import Dimension, Exact
from hil.features import SLOPE_WINDOW, largest_step, mean, slope
from hil.signs import along
from hil.units import s
from hil_fixtures.suite import Depth, from_depth, grid, over, requirement
from hil_suites.compliance import courses

pytestmark = from_depth(Depth.STANDARD)


@from_depth(Depth.SMOKE)
@requirement("RAMP-UP", "RAMP-STEP", "RAMP-MONO")
@over(treatment=grid.treatments)
def test_current_rises_slowly(bench, judge, treatment):
    """From the start command to what ends the hold."""
    record = bench.once(courses.treatment, treatment).record
    begin, end = record.event("start"), record.event(treatment.end.value)
    current = record.current
    judge("RAMP-UP", slope(current, after=begin, until=end))
    judge("RAMP-STEP", largest_step(current, after=begin, until=end))
    judge("RAMP-MONO", largest_fall(current, treatment.polarity, after=begin, until=end))


@from_depth(Depth.SMOKE)
@requirement("RAMP-TIME")
@over(treatment=grid.strongest)
def test_a_ramp_takes_its_time(bench, judge, treatment):
    """To the largest setting, where the steps of the ramp are finest against it."""
    record = bench.once(courses.treatment, treatment).record
    judge("RAMP-TIME", ramp_time(record.current), at=bench.profile["ramp.up_time"])


@requirement("RAMP-UP", "RAMP-STEP")
@over(setpoint=grid.top, course=grid.course)
def test_a_second_treatment_ramps_up_too(bench, judge, setpoint, course):
    """Started again without a power cycle, in the same polarity and in the other one."""
    dwell = bench.profile["polarity.dwell"]
    again = [
        (part.record.current, part.begin, part.told["end"].said)
        for part in bench.once(courses.sessions, course)[1:]
    ]
    again += [
        (leg.record.current, leg["start"].later(dwell), leg["risen"])
        for leg in bench.once(courses.turns, setpoint)[1:]
    ]
    # A slope looks back, and must not see the ramp down before: with a short rest it begins later.
    unseen = Exact.si(max(SLOPE_WINDOW - float(dwell.base), 0.0), Dimension.TIME)
    for current, begin, end in again:
        judge("RAMP-UP", slope(current, after=begin.later(unseen), until=end))
        judge("RAMP-STEP", largest_step(current, after=begin, until=end))


@from_depth(Depth.SMOKE)
@requirement("RAMP-DOWN", "RAMP-STEP")
@over(treatment=grid.stopped)
def test_a_stop_ramps_down(bench, judge, treatment):
    """From a normal stop to the end of the record."""
    record = bench.once(courses.treatment, treatment).record
    judge("RAMP-DOWN", slope(record.current, after=record.event("stop")))
    judge("RAMP-STEP", largest_step(record.current, after=record.event("stop")))


@requirement("RAMP-DOWN", "RAMP-STEP")
@over(course=grid.course)
def test_the_end_of_the_dose_ramps_down(bench, judge, course):
    """The device ends by itself when the dose is reached."""
    for part in bench.once(courses.sessions, course):
        current, end = part.record.current, part.told["end"].said
        judge("RAMP-DOWN", slope(current, after=end, until=part.end))
        judge("RAMP-STEP", largest_step(current, after=end, until=part.end))


@requirement("RAMP-DOWN", "RAMP-RESUME", "RAMP-STEP", "STOP-CMD", "LIM-ACC")
@over(course=grid.course)
def test_a_resumed_treatment_ramps_up_again(bench, judge, course):
    """Paused for longer than the ramp down takes, then resumed; off in between, as set after."""
    profile = bench.profile
    part = bench.once(courses.sessions, course)[0]
    if "pause" not in part.told:
        raise Unavailable("the device cannot pause: [wire.commands] has no pause")
    current = part.record.current
    paused, resumed, end = (part.told[name].said for name in ("pause", "resume", "end"))
    judge("RAMP-DOWN", slope(current, after=paused, until=resumed))
    judge("RAMP-STEP", largest_step(current, after=paused, until=end))
    off = profile["protection.off_current"]
    judge("STOP-CMD", current.time_to_below(off, after=paused, until=resumed))
    judge("RAMP-RESUME", slope(current, after=resumed, until=end))
    again = resumed.later(profile["ramp.up_time"] + 1 * s)
    held = mean(current, after=again, until=end)
    judge("LIM-ACC", along(held, profile.polarity), at=course.first)


@requirement("RAMP-UP", "RAMP-STEP", "LIM-ACC")
@over(setpoint=grid.middle, later=grid.top)
def test_a_new_setting_is_reached_by_a_ramp(bench, judge, setpoint, later):
    """The setting is doubled while the current still rises."""
    found = bench.once(courses.raised, setpoint, later)
    begin, end, current = found["start"], found["end"], found.record.current
    judge("RAMP-UP", slope(current, after=begin, until=end))
    judge("RAMP-STEP", largest_step(current, after=begin, until=end))
    held = mean(current, after=end.later(-3 * s), until=end)
    judge("LIM-ACC", along(held, bench.profile.polarity), at=later)
