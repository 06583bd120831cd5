"""Polarity: the current has the commanded sign, and changes it only from rest."""

from hil.features import steady
from hil.signs import along, has_sign, keeps_sign, rest_between
from hil_fixtures.suite import Depth, from_depth, grid, over, requirement
from hil_suites.compliance import courses

pytestmark = from_depth(Depth.STANDARD)


@from_depth(Depth.SMOKE)
@requirement("POL-SIGN", "POL-BOTH")
@over(treatment=grid.treatments)
def test_the_current_has_the_commanded_sign(bench, judge, treatment):
    """Current through the load and voltage across it, in both polarities."""
    record = bench.once(courses.treatment, treatment).record
    judge("POL-SIGN", has_sign(record.current, treatment.polarity))
    judge("POL-SIGN", has_sign(record.voltage, treatment.polarity))
    held = steady(record.current)
    judge("POL-BOTH", along(held, treatment.polarity), at=treatment.setpoint)


@requirement("POL-LOCK")
@over(treatment=grid.reversals)
def test_a_reversal_during_delivery_is_not_obeyed(bench, judge, treatment):
    """The other polarity is asked for in the hold; for the time of a ramp nothing comes of it."""
    record = bench.once(courses.treatment, treatment).record
    floor = bench.profile["protection.off_current"]
    after, until = record.event("reverse"), record.event("stop")
    kept = keeps_sign(record.current, treatment.polarity, floor, after=after, until=until)
    judge("POL-LOCK", kept)


@requirement("POL-LOCK")
@over(course=grid.course)
def test_a_reversal_among_refused_messages_is_not_obeyed(bench, judge, course):
    """In the usual polarity: asked for at the begin of a hold of which much is to come."""
    part = courses.session(bench, course, 1)
    polarity, floor = bench.profile.polarity, bench.profile["protection.off_current"]
    after, current = part.told["reverse"].said, part.record.current
    judge("POL-LOCK", keeps_sign(current, polarity, floor, after=after, until=part.end))


@requirement("POL-ZERO")
@over(setpoint=grid.top)
def test_opposite_polarities_are_kept_apart(bench, judge, setpoint):
    """A treatment, at once another one of opposite polarity, and at once the first one again."""
    current = bench.once(courses.turns, setpoint)[0].record.current
    judge("POL-ZERO", rest_between(current, bench.profile["protection.off_current"]))
