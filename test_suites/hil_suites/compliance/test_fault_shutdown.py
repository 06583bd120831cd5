"""Fault shutdown: after an open load or an emergency stop the output is off, and stays off."""

from hil.features import peak
from hil.scenario import Open, Phase, Scenario, at
from hil.units import ms, s
from hil_fixtures.suite import grid, over, requirement


@requirement("STOP-OPEN")
@over(setpoint=grid.middle, load=grid.loads)
def test_an_open_load_switches_the_output_off(bench, judge, setpoint, load):
    """The electrode lifts off and stays off; judged by the terminal voltage."""
    lift = Open(at(Phase.HOLD, 2 * s))
    record = bench.record(Scenario.treatment(setpoint, load=load, disturb=[lift]))
    off = bench.profile["output.off_voltage"]
    judge("STOP-OPEN", record.voltage.time_to_below(off, after=record.event("open")))


@requirement("STOP-LATCH")
@over(setpoint=grid.top)
def test_nothing_restarts_without_an_operator(bench, judge, setpoint):
    """The electrode lifts off for 3 s and comes back; nobody acts."""
    away = bench.profile["protection.reconnect_time"]
    lift = Open(at(Phase.HOLD, 2 * s), 3 * s)
    record = bench.record(Scenario.treatment(setpoint, hold=away + 10 * s, disturb=[lift]))
    again, end = record.event("reconnect"), record.event("stop")
    judge("STOP-LATCH", peak(record.current, after=again, until=end))


@requirement("STOP-LIFT")
@over(setpoint=grid.top)
def test_a_short_lift_off_causes_no_surge(bench, judge, setpoint):
    """The electrode loses contact for 20 ms."""
    lift = Open(at(Phase.HOLD, 2 * s), 20 * ms)
    record = bench.record(Scenario.treatment(setpoint, disturb=[lift]))
    judge("STOP-LIFT", peak(record.current, after=record.event("open")), at=setpoint)


@requirement("STOP-SHARE", "STOP-OFF")
@over(setpoint=grid.setpoints)
def test_an_emergency_stop_is_quick(bench, judge, setpoint):
    """Aborted while the current is held."""
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(bench.profile["ramp.up_time"] + 2 * s)
        aborted = run.abort()
        run.wait(3 * s)
    current = run.record.current
    share = setpoint * bench.profile["protection.stop_share"]
    off = bench.profile["protection.off_current"]
    judge("STOP-SHARE", current.time_to_below(share, after=aborted))
    judge("STOP-OFF", current.time_to_below(off, after=aborted))


@requirement("STOP-CMD")
@over(setpoint=grid.setpoints)
def test_a_stop_command_ends_in_off(bench, judge, setpoint):
    """A normal stop at the end of the hold."""
    record = bench.record(Scenario.treatment(setpoint))
    off = bench.profile["protection.off_current"]
    judge("STOP-CMD", record.current.time_to_below(off, after=record.event("stop")))
