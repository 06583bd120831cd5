"""Dose: it ends by itself as it was set, is told as it was delivered, and sessions add up."""

from hil.features import charge, peak
from hil_fixtures.suite import Depth, from_depth, grid, over, requirement
from hil_suites.compliance import courses

pytestmark = from_depth(Depth.STANDARD)


@requirement("DOSE-END", "DOSE-SUM", "LIM-CEIL")
@over(setpoint=grid.top, dose=grid.full_dose)
def test_the_largest_dose_is_the_last_one(bench, judge, setpoint, dose):
    """Delivered to its end; then another treatment is asked for."""
    found = bench.once(courses.treated_slowly, setpoint, dose)
    current = found.record.current
    judge("DOSE-END", charge(current, until=found["first end"]), at=dose)
    judge("DOSE-SUM", charge(current))
    judge("LIM-CEIL", peak(current))


@requirement("DOSE-TRUE", "DOSE-END", "DOSE-SUM")
@over(course=grid.course)
def test_each_session_of_a_course_has_its_own_dose(bench, judge, course):
    """Treatments one after another without a power cycle; the first is paused, and goes on."""
    parts = bench.once(courses.sessions, course)
    for part in parts:
        claim, dose = part.told["charge"].said, part.told["dose"].said
        delivered = charge(part.record.current, after=part.begin, until=claim.moment)
        judge("DOSE-TRUE", delivered - claim.value, at=dose)
        judge("DOSE-END", delivered, at=dose)
    judge("DOSE-SUM", charge(parts[0].record.current))


@from_depth(Depth.SMOKE)
@requirement("DOSE-TRUE")
@over(setpoint=grid.top, load=grid.largest)
def test_a_dose_counts_what_flows(bench, judge, setpoint, load):
    """Into a load at which compliance holds the current well below the setting."""
    found = bench.once(courses.limited_dose, setpoint, load)
    claim, dose = found.told["charge"].said, found.told["dose"].said
    delivered = charge(found.record.current, until=claim.moment)
    judge("DOSE-TRUE", delivered - claim.value, at=dose)
