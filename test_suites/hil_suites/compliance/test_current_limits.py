"""Current limits: accuracy, overshoot, ceiling, load steps, standby."""

from hil.features import mean, peak, steady
from hil.scenario import LoadStep, Phase, Scenario, at
from hil.signs import along
from hil.units import kohm, minute, s
from hil_fixtures.suite import grid, over, requirement


@requirement("LIM-ACC", "LIM-OVER", "LIM-CEIL")
@over(setpoint=grid.setpoints, load=grid.loads)
def test_current_stays_within_its_limits(bench, judge, setpoint, load):
    """A treatment at each setting and load: steady value, overshoot, absolute limit."""
    record = bench.record(Scenario.treatment(setpoint, load=load))
    held = steady(record.current)
    judge("LIM-ACC", along(held, bench.profile.polarity), at=setpoint)
    judge("LIM-OVER", peak(record.current) - abs(held), at=setpoint)
    judge("LIM-CEIL", peak(record.current))


@requirement("LIM-STEP", "LIM-CEIL")
@over(setpoint=grid.top, load=grid.heaviest)
def test_a_falling_load_causes_no_surge(bench, judge, setpoint, load):
    """The load falls while current flows, as when a dry electrode is wetted."""
    fall = LoadStep(at(Phase.HOLD, 2 * s), bench.profile["output.load_min"])
    record = bench.record(Scenario.treatment(setpoint, load=load, disturb=[fall]))
    surge = peak(record.current, after=record.event("load step"))
    judge("LIM-STEP", surge, at=setpoint)
    judge("LIM-CEIL", surge)


@requirement("LIM-STEP")
@over(setpoint=grid.top, load=grid.limiting)
def test_leaving_compliance_causes_no_surge(bench, judge, setpoint, load):
    """The load falls from one at the edge of compliance: a wound-up regulator would overshoot."""
    fall = LoadStep(at(Phase.HOLD, 2 * s), 1 * kohm)
    record = bench.record(Scenario.treatment(setpoint, load=load, disturb=[fall]))
    judge("LIM-STEP", peak(record.current, after=record.event("load step")), at=setpoint)


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
