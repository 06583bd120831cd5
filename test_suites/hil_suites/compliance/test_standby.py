"""Standby: after a treatment, and without power, nothing flows."""

from hil.features import mean, peak
from hil.scenario import Open, Phase, Scenario, at
from hil.units import s
from hil_fixtures.suite import grid, over, requirement


@requirement("STBY-REST", "STOP-CMD")
@over(setpoint=grid.top)
def test_nothing_flows_after_a_stop(bench, judge, setpoint):
    """Stopped from the largest setting, and watched for as long as after a fault."""
    profile = bench.profile
    rest = profile["ramp.down_time"] + profile["protection.off_time"]
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(profile["ramp.up_time"] + 1 * s)
        stopped = run.stop()
        run.wait(rest + profile["protection.reconnect_time"])
    current, off = run.record.current, profile["protection.off_current"]
    judge("STBY-REST", peak(current, after=stopped.later(rest)))
    judge("STOP-CMD", current.time_to_below(off, after=stopped))


@requirement("STBY-REST", "LIM-CEIL")
@over(setpoint=grid.top)
def test_an_abort_ends_without_a_surge(bench, judge, setpoint):
    """Aborted at the largest setting: no current above the limit, and none afterwards."""
    profile = bench.profile
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(profile["ramp.up_time"] + 1 * s)
        aborted = run.abort()
        run.wait(profile["protection.off_time"] + profile["protection.reconnect_time"])
    rested = aborted.later(profile["protection.off_time"])
    judge("LIM-CEIL", peak(run.record.current, after=aborted))
    judge("STBY-REST", peak(run.record.current, after=rested))


@requirement("STBY-REST")
@over(setpoint=grid.top)
def test_nothing_flows_after_a_fault(bench, judge, setpoint):
    """The electrode lifts off for 3 s and comes back; nobody acts."""
    lift = Open(at(Phase.HOLD, 2 * s), 3 * s)
    hold = bench.profile["protection.reconnect_time"] + 10 * s
    record = bench.record(Scenario.treatment(setpoint, hold=hold, disturb=[lift]))
    again, end = record.event("reconnect"), record.event("stop")
    judge("STBY-REST", peak(record.current, after=again, until=end))


@requirement("STBY-EARTH")
@over(load=grid.lightest)
def test_little_flows_to_earth(bench, judge, load):
    """Switched on, nothing commanded, the dispersive lead joined to earth."""
    bench.earth.join()
    try:
        with bench.armed(load=load) as run:
            run.wait(3 * s)
    finally:
        bench.earth.part()
    judge("STBY-EARTH", abs(mean(run.record.current)))


@requirement("STBY-DEAD")
@over(load=grid.lightest)
def test_nothing_flows_without_power(bench, judge, load):
    """The supply is switched off while nothing was commanded."""
    with bench.armed(load=load) as run:
        cut = run.inject("supply off")
        run.wait(bench.profile["power.hold_up"] + 3 * s)
    dead = cut.later(bench.profile["power.hold_up"])
    judge("STBY-DEAD", abs(mean(run.record.current, after=dead)))
