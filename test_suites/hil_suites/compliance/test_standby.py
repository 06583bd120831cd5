"""Standby: after a treatment, and without power, nothing flows."""

from hil.features import mean, peak
from hil.units import s
from hil_fixtures.suite import grid, over, requirement


@requirement("STBY-REST")
@over(setpoint=grid.top)
def test_nothing_flows_after_an_abort(bench, judge, setpoint):
    """Aborted on the way up, and watched for as long as after a fault."""
    profile = bench.profile
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(10 * s)
        aborted = run.abort()
        run.wait(profile["protection.off_time"] + profile["protection.reconnect_time"])
    rested = aborted.later(profile["protection.off_time"])
    judge("STBY-REST", peak(run.record.current, after=rested))


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
