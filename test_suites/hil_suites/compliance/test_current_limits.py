"""Current limits: accuracy, overshoot, ripple, ceiling, trip, load steps, density, standby."""

from hil.course import density, longest_above, ripple
from hil.features import mean, peak, steady
from hil.measurement import truth
from hil.signs import along
from hil.units import minute, s
from hil_fixtures.suite import Depth, from_depth, grid, over, requirement
from hil_suites.compliance import courses

pytestmark = from_depth(Depth.STANDARD)


@from_depth(Depth.SMOKE)
@requirement("LIM-ACC", "LIM-OVER", "LIM-RIPPLE", "LIM-CEIL")
@over(treatment=grid.treatments)
def test_current_stays_within_its_limits(bench, judge, treatment):
    """Treatments over settings, loads and polarities: steady value, overshoot, ripple, ceiling."""
    record = bench.once(courses.treatment, treatment).record
    held, setpoint = steady(record.current), treatment.setpoint
    judge("LIM-ACC", along(held, treatment.polarity), at=setpoint)
    until = None if treatment.end is grid.End.STOP else record.event(treatment.end.value)
    judge("LIM-OVER", peak(record.current, until=until) - abs(held), at=setpoint)
    judge("LIM-RIPPLE", ripple(record.current), at=setpoint)
    judge("LIM-CEIL", peak(record.current))


@requirement("LIM-STEP", "LIM-CEIL")
@over(setpoint=grid.top)
def test_a_falling_load_causes_no_surge(bench, judge, setpoint):
    """The load falls while current flows, as when a dry electrode is wetted, and rises again."""
    found = bench.once(courses.contacts_and_loads, setpoint)
    for part in (found["fall"], found["rise"]):
        surge = peak(part.record.current, after=part.begin, until=part.end)
        judge("LIM-STEP", surge, at=setpoint)
        judge("LIM-CEIL", surge)


@requirement("LIM-STEP")
@over(setpoint=grid.top)
def test_leaving_compliance_causes_no_surge(bench, judge, setpoint):
    """The load falls from one at the edge of compliance: a wound-up regulator would overshoot."""
    part = bench.once(courses.contacts_and_loads, setpoint)["leaving compliance"]
    judge("LIM-STEP", peak(part.record.current, after=part.begin, until=part.end), at=setpoint)


@requirement("LIM-TRIP", "LIM-CEIL", "LIM-FAULT", "STBY-REST", "STOP-CMD")
@over(setpoint=grid.top)
def test_no_current_outlasts_trip_or_stop(bench, judge, setpoint):
    """The device is asked nothing: what it does until long after a stop is measured."""
    profile = bench.profile
    found = bench.once(courses.unasked, setpoint)
    current, fault = found.record.current, found.record.fault
    largest = peak(current)
    judge("LIM-TRIP", longest_above(current, profile["output.trip"]))
    judge("LIM-CEIL", largest)
    told = fault != "" or not largest.value > profile["output.software_limit"].base
    note = f"largest magnitude {largest}; the device reports the fault {fault!r}"
    judge("LIM-FAULT", truth(told, note, captures=largest.captures))
    stopped = found["stop"]
    judge("STBY-REST", peak(current, after=stopped.later(courses.rest(profile))))
    judge("STOP-CMD", current.time_to_below(profile["protection.off_current"], after=stopped))


@from_depth(Depth.SMOKE)
@requirement("LIM-DENS")
@over(treatment=grid.base)
def test_the_density_under_the_smallest_electrode_is_bearable(bench, judge, treatment):
    """The largest setting through the smallest labelled area."""
    area = bench.profile["electrode.area"]
    record = bench.once(courses.treatment, treatment).record
    judge("LIM-DENS", density(record.current, area))


@requirement("LIM-TELL", "LIM-SHORT")
@over(setpoint=grid.top)
def test_what_the_load_does_is_reported(bench, judge, setpoint):
    """Asked within compliance, at the largest declared load, and into a short."""
    profile = bench.profile
    found = bench.once(courses.contacts_and_loads, setpoint)
    parts = [found[name] for name in ("first load", "largest load", "short")]
    least = setpoint.base - max(
        (setpoint * profile["output.accuracy_relative"]).base,
        profile["output.accuracy_absolute"].base,
    )
    for part in parts:
        limited, shorted = part.told["limited"].said, part.told["short"].said
        held = abs(mean(part.record.current, after=part.begin, until=part.end))
        note = f"set to {setpoint}, {part.of}: {held}"
        seen = held.captures
        right = limited == (held.value < least)
        judge("LIM-TELL", truth(right, f"{note}; limited: {limited}", captures=seen))
        right = shorted == (part.of == "short")
        judge("LIM-SHORT", truth(right, f"{note}; short: {shorted}", captures=seen))


@requirement("LIM-ACC")
@over(setpoint=grid.top, dose=grid.full_dose)
def test_a_long_hold_does_not_drift(bench, judge, setpoint, dose):
    """Ten seconds count, held for two minutes, and again each fourth minute of a largest dose."""
    profile = bench.profile
    found = bench.once(courses.treated_slowly, setpoint, dose)
    held = found["start"].later(profile["ramp.up_time"])
    last = found["first end"].time - 30
    times = [n * minute for n in range(2, 60, 4)]
    for end in (held.later(time) for time in times):
        if end.time < last or end == held.later(times[0]):
            value = mean(found.record.current, after=end.later(-10 * s), until=end)
            judge("LIM-ACC", along(value, profile.polarity), at=setpoint)


@from_depth(Depth.SMOKE)
@requirement("LIM-OFF")
@over(loads=grid.all_loads)
def test_no_current_without_a_treatment(bench, judge, loads):
    """Switched on, connected, and nothing commanded."""
    for part in bench.once(courses.at_rest, loads)[: len(loads)]:
        judge("LIM-OFF", abs(mean(part.record.current, after=part.begin, until=part.end)))


@requirement("LIM-CEIL")
@over(setpoint=grid.top)
def test_a_short_does_not_raise_the_current(bench, judge, setpoint):
    """The electrodes touch while current flows."""
    part = bench.once(courses.contacts_and_loads, setpoint)["short"]
    step = part.begin.later(-1 * s)
    judge("LIM-CEIL", peak(part.record.current, after=step, until=part.end))
