"""Current limits: accuracy, overshoot, ripple, ceiling, trip, load steps, density, standby."""

from hil.course import density, longest_above, ripple
from hil.features import mean, peak, steady
from hil.measurement import truth
from hil.scenario import LoadStep, Phase, Scenario, at
from hil.signs import along
from hil.units import kohm, minute, s
from hil.waveform import Instant
from hil_fixtures.suite import grid, over, requirement


@requirement("LIM-ACC", "LIM-OVER", "LIM-RIPPLE", "LIM-CEIL")
@over(setpoint=grid.setpoints, load=grid.loads)
def test_current_stays_within_its_limits(bench, judge, setpoint, load):
    """A treatment at each setting and load: steady value, overshoot, ripple, absolute limit."""
    record = bench.record(Scenario.treatment(setpoint, load=load))
    held = steady(record.current)
    judge("LIM-ACC", along(held, bench.profile.polarity), at=setpoint)
    judge("LIM-OVER", peak(record.current) - abs(held), at=setpoint)
    judge("LIM-RIPPLE", ripple(record.current), at=setpoint)
    judge("LIM-CEIL", peak(record.current))


@requirement("LIM-STEP", "LIM-CEIL")
@over(setpoint=grid.top, load=grid.heaviest)
def test_a_falling_load_causes_no_surge(bench, judge, setpoint, load):
    """The load falls while current flows, as when a dry electrode is wetted, and rises again."""
    fall = LoadStep(at(Phase.HOLD, 2 * s), bench.profile["output.load_min"])
    rise = LoadStep(at(Phase.HOLD, 5 * s), load)
    record = bench.record(Scenario.treatment(setpoint, load=load, disturb=[fall, rise]))
    fallen, risen = record.event("load step"), record.event("load step #2")
    for surge in (
        peak(record.current, after=fallen, until=risen),
        peak(record.current, after=risen),
    ):
        judge("LIM-STEP", surge, at=setpoint)
        judge("LIM-CEIL", surge)


@requirement("LIM-STEP")
@over(setpoint=grid.top, load=grid.limiting)
def test_leaving_compliance_causes_no_surge(bench, judge, setpoint, load):
    """The load falls from one at the edge of compliance: a wound-up regulator would overshoot."""
    fall = LoadStep(at(Phase.HOLD, 2 * s), 1 * kohm)
    record = bench.record(Scenario.treatment(setpoint, load=load, disturb=[fall]))
    judge("LIM-STEP", peak(record.current, after=record.event("load step")), at=setpoint)


@requirement("LIM-TRIP", "LIM-CEIL", "LIM-FAULT", "STBY-REST", "STOP-CMD")
@over(setpoint=grid.top)
def test_no_current_outlasts_trip_or_stop(bench, judge, setpoint):
    """The device is asked nothing: what it does until long after a stop is measured."""
    profile = bench.profile
    rest = profile["ramp.down_time"] + profile["protection.off_time"]
    with bench.armed() as run:
        run.start(setpoint)
        run.fall_silent()
        run.wait(profile["ramp.up_time"] + 2 * s)
        stopped = run.stop()
        run.wait(rest + profile["protection.reconnect_time"])
        run.speak()
    current, fault = run.record.current, run.record.fault
    largest = peak(current)
    judge("LIM-TRIP", longest_above(current, profile["output.trip"]))
    judge("LIM-CEIL", largest)
    told = fault != "" or not largest.value > profile["output.software_limit"].base
    note = f"largest magnitude {largest}; the device reports the fault {fault!r}"
    judge("LIM-FAULT", truth(told, note, captures=largest.captures))
    judge("STBY-REST", peak(current, after=stopped.later(rest)))
    judge("STOP-CMD", current.time_to_below(profile["protection.off_current"], after=stopped))


@requirement("LIM-DENS")
@over(setpoint=grid.top)
def test_the_density_under_the_smallest_electrode_is_bearable(bench, judge, setpoint):
    """The largest setting through the smallest labelled area."""
    area = bench.profile["electrode.area"]
    record = bench.record(Scenario.treatment(setpoint))
    judge("LIM-DENS", density(record.current, area))


@requirement("LIM-TELL", "LIM-SHORT")
@over(setpoint=grid.top, load=grid.largest)
def test_what_the_load_does_is_reported(bench, judge, setpoint, load):
    """Asked within compliance, at the largest declared load, and into a short."""
    profile, told = bench.profile, []
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(profile["ramp.up_time"] + 1 * s)
        for where in (None, load, "short"):
            if where:
                run.select(where)
            run.wait(1 * s)
            begin = Instant(run.now, 0.0)
            run.wait(1 * s)
            end = Instant(run.now, 0.0)
            told.append((where, begin, end, run.limited(), run.shorted()))
    least = setpoint.base - max(
        (setpoint * profile["output.accuracy_relative"]).base,
        profile["output.accuracy_absolute"].base,
    )
    for where, begin, end, limited, shorted in told:
        held = abs(mean(run.record.current, after=begin, until=end))
        note = f"set to {setpoint}, load {where or 'of the start'}: {held}"
        seen = held.captures
        right = limited == (held.value < least)
        judge("LIM-TELL", truth(right, f"{note}; limited: {limited}", captures=seen))
        right = shorted == (where == "short")
        judge("LIM-SHORT", truth(right, f"{note}; short: {shorted}", captures=seen))


@requirement("LIM-ACC")
@over(setpoint=grid.middle)
def test_a_long_hold_does_not_drift(bench, judge, setpoint):
    """Held for two minutes: the last ten seconds count."""
    record = bench.record(Scenario.treatment(setpoint, hold=2 * minute))
    end = record.event("stop")
    held = mean(record.current, after=end.later(-10 * s), until=end)
    judge("LIM-ACC", along(held, bench.profile.polarity), at=setpoint)


@requirement("LIM-OFF")
@over(load=grid.loads)
def test_no_current_without_a_treatment(bench, judge, load):
    """Switched on, connected, and nothing commanded."""
    with bench.armed(load=load) as run:
        run.wait(3 * s)
    judge("LIM-OFF", abs(mean(run.record.current)))


@requirement("LIM-CEIL")
@over(setpoint=grid.top)
def test_a_short_does_not_raise_the_current(bench, judge, setpoint):
    """The electrodes touch while current flows."""
    short = LoadStep(at(Phase.HOLD, 2 * s), "short")
    record = bench.record(Scenario.treatment(setpoint, disturb=[short]))
    judge("LIM-CEIL", peak(record.current))
