"""Fault shutdown: after an open load or an emergency stop the output is off, and stays off."""

from hil.exact import Exact
from hil.features import peak
from hil.measurement import truth
from hil.scenario import Open, Phase, Scenario, Stop, SupplyDip, at
from hil.units import ms, s
from hil_fixtures.suite import grid, over, requirement


@requirement("STOP-OPEN", "STOP-TELL", "LIM-VOLT")
@over(setpoint=grid.setpoints, load=grid.loads)
def test_an_open_load_switches_the_output_off(bench, judge, setpoint, load):
    """The electrode lifts off and stays off; judged by the terminal voltage."""
    lift = Open(at(Phase.HOLD, 2 * s))
    _judge_open(bench, judge, Scenario.treatment(setpoint, load=load, disturb=[lift]))


@requirement("STOP-OPEN", "STOP-TELL", "LIM-VOLT")
@over(setpoint=grid.top, polarity=grid.polarities)
def test_an_open_load_is_noticed_while_the_current_rises(bench, judge, setpoint, polarity):
    """The electrode lifts off in the middle of the ramp, in either polarity."""
    lift = Open(at(Phase.START, 10 * s))
    _judge_open(bench, judge, Scenario.treatment(setpoint, polarity=polarity, disturb=[lift]))


def _judge_open(bench, judge, scenario):
    record = bench.record(scenario)
    opened, off = record.event("open"), bench.profile["output.off_voltage"]
    judge("STOP-OPEN", record.voltage.time_to_below(off, after=opened))
    told = f"the device reports the fault {record.fault!r}"
    judge("STOP-TELL", truth(record.fault != "", told, captures=[record.voltage.capture.sha256]))
    judge("LIM-VOLT", peak(record.voltage, after=opened), at=bench.profile["output.compliance"])


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
@over(setpoint=grid.setpoints, polarity=grid.polarities)
def test_an_emergency_stop_is_quick(bench, judge, setpoint, polarity):
    """Aborted while the current is held."""
    with bench.armed() as run:
        run.start(setpoint, polarity=polarity)
        run.wait(bench.profile["ramp.up_time"] + 2 * s)
        aborted = run.abort()
        run.wait(3 * s)
    _judge_abort(bench, judge, run.record.current, setpoint, aborted)


@requirement("STOP-SHARE", "STOP-OFF")
@over(setpoint=grid.top)
def test_an_emergency_stop_is_quick_while_the_current_rises(bench, judge, setpoint):
    """Aborted two thirds up the ramp."""
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(bench.profile["ramp.up_time"] * Exact.parse("67 %"))
        aborted = run.abort()
        run.wait(3 * s)
    _judge_abort(bench, judge, run.record.current, setpoint * Exact.parse("67 %"), aborted)


def _judge_abort(bench, judge, current, before, aborted):
    share = before * bench.profile["protection.stop_share"]
    off = bench.profile["protection.off_current"]
    judge("STOP-SHARE", current.time_to_below(share, after=aborted))
    judge("STOP-OFF", current.time_to_below(off, after=aborted))


@requirement("STOP-POWER")
@over(setpoint=grid.top)
def test_nothing_restarts_when_power_returns(bench, judge, setpoint):
    """The supply fails for 2 s during the hold; nobody acts."""
    dip = SupplyDip(at(Phase.HOLD, 2 * s), 2 * s)
    record = bench.record(Scenario.treatment(setpoint, disturb=[dip]))
    back, end = record.event("supply on"), record.event("stop")
    judge("STOP-POWER", peak(record.current, after=back, until=end))


@requirement("STOP-CMD")
@over(setpoint=grid.top)
def test_a_stop_command_is_obeyed_while_the_current_rises(bench, judge, setpoint):
    """Stopped 10 s after the start."""
    record = bench.record(Scenario.treatment(setpoint, disturb=[Stop(at(Phase.START, 10 * s))]))
    off = bench.profile["protection.off_current"]
    judge("STOP-CMD", record.current.time_to_below(off, after=record.event("stop")))


@requirement("STOP-CMD")
@over(setpoint=grid.setpoints)
def test_a_stop_command_ends_in_off(bench, judge, setpoint):
    """A normal stop at the end of the hold."""
    record = bench.record(Scenario.treatment(setpoint))
    off = bench.profile["protection.off_current"]
    judge("STOP-CMD", record.current.time_to_below(off, after=record.event("stop")))
