"""Command interface: what must be refused is refused, is reported, and changes nothing."""

from hil.features import charge, largest_step, mean, slope
from hil.measurement import truth
from hil.signs import along
from hil_fixtures.suite import Depth, from_depth, grid, over, requirement
from hil_suites.compliance import courses

pytestmark = from_depth(Depth.STANDARD)


@from_depth(Depth.SMOKE)
@requirement("CMD-TELL")
@over(setpoint=grid.middle, other=grid.lower)
def test_what_must_be_refused_is_reported(bench, judge, setpoint, other):
    """At rest: unknown commands, numbers that are none, settings out of range."""
    found = bench.once(courses.refused, setpoint, other)
    _judge_told(judge, "CMD-TELL", found.told["at rest"].said, found.record)


@from_depth(Depth.SMOKE)
@requirement("CMD-LOCK")
@over(setpoint=grid.middle, other=grid.lower)
def test_a_locked_setting_is_reported(bench, judge, setpoint, other):
    """While the current rises: polarity, dose and another start."""
    found = bench.once(courses.refused, setpoint, other)
    _judge_told(judge, "CMD-LOCK", found.told["rising"].said, found.record)


@requirement("CMD-KEEP", "CMD-DOSE")
@over(course=grid.course)
def test_what_must_be_refused_changes_nothing(bench, judge, course):
    """While current flows: the same, and settings that are locked; the dose ends as it was set."""
    whole = courses.session(bench, course, 1)
    current = whole.record.current
    for part in whole.told["messages"].said:
        held = mean(current, after=part.begin, until=part.end)
        judge("CMD-KEEP", along(held, bench.profile.polarity), at=course.second)
    delivered = charge(current, after=whole.begin, until=whole.end)
    judge("CMD-DOSE", delivered, at=whole.told["dose"].said)


@requirement("STOP-CMD", "RAMP-DOWN", "RAMP-STEP")
@over(setpoint=grid.top)
def test_a_storm_of_commands_ends_in_a_stop(bench, judge, setpoint):
    """Pauses and resumes without a rest, then a stop; nobody waits for an answer."""
    found = bench.once(courses.unasked, setpoint)
    current, off = found.record.current, bench.profile["protection.off_current"]
    judge("STOP-CMD", current.time_to_below(off, after=found["stop"]))
    judge("RAMP-DOWN", slope(current, after=found["storm"]))
    judge("RAMP-STEP", largest_step(current, after=found["storm"]))


def _judge_told(judge, requirement, told, record):
    seen = [record.current.capture.sha256]
    for message, complaints in told:
        answer = "; ".join(complaints) or "nothing was reported"
        note = f"{message.wrong}: {message.text!r}: {answer}"
        judge(requirement, truth(bool(complaints), note, captures=seen))
