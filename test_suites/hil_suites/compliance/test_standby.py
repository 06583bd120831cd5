"""Standby: after a treatment, and without power, nothing flows."""

from hil.features import mean, peak
from hil.units import s
from hil_fixtures.suite import Depth, from_depth, grid, over, requirement
from hil_suites.compliance import courses


@from_depth(Depth.STANDARD)
@requirement("STBY-REST")
@over(setpoint=grid.top)
def test_nothing_flows_after_an_abort(bench, judge, setpoint):
    """Aborted on the way up, and watched for as long as after a fault."""
    *_, leg = bench.once(courses.turns, setpoint)
    rested = leg["abort"].later(bench.profile["protection.off_time"])
    judge("STBY-REST", peak(leg.record.current, after=rested))


@from_depth(Depth.STANDARD)
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
@over(loads=grid.all_loads)
def test_nothing_flows_without_power(bench, judge, loads):
    """The supply is switched off while nothing was commanded."""
    part = bench.once(courses.at_rest, loads)[-1]
    judge("STBY-DEAD", abs(mean(part.record.current, after=part.begin, until=part.end)))
