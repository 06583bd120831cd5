"""Fault shutdown: after a fault or an emergency stop the output is off, and stays off."""

from decimal import Decimal

from hil import improper
from hil.exact import Exact
from hil.features import mean, peak, slope
from hil.measurement import truth
from hil.scenario import LoadStep, Open, Phase, Scenario, Stop, SupplyDip, at
from hil.units import s
from hil_fixtures.suite import fault_injection, grid, over, requirement

FLICKERS = tuple(map(Exact.parse, ("20 %", "10 %", "40 %")))
"""Losses of contact, shares of the time in which an open load must be detected."""


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
    opened = record.event("open")
    _judge_off(bench, judge, record, opened)
    judge("LIM-VOLT", peak(record.voltage, after=opened), at=bench.profile["output.compliance"])


@requirement("STOP-OPEN", "STOP-TELL")
@over(setpoint=grid.top, load=grid.insulating)
def test_a_load_that_nearly_insulates_counts_as_open(bench, judge, setpoint, load):
    """The load rises to one that conducts, and must count as open; it stays so."""
    rise = LoadStep(at(Phase.HOLD, 2 * s), load)
    record = bench.record(Scenario.treatment(setpoint, disturb=[rise]))
    _judge_off(bench, judge, record, record.event("load step"))


@requirement("STOP-OPEN", "STOP-LATCH")
@over(setpoint=grid.top, away=grid.absences)
def test_nothing_restarts_without_an_operator(bench, judge, setpoint, away):
    """The electrode lifts off and comes back, and does so a second time; nobody acts."""
    profile = bench.profile
    watched = profile["protection.reconnect_time"]
    lifts = (Open(at(Phase.HOLD, 2 * s), away), Open(at(Phase.HOLD, watched + 6 * s), 1 * s))
    hold = watched + watched + 10 * s
    record = bench.record(Scenario.treatment(setpoint, hold=hold, disturb=lifts))
    opened, again, end = (record.event(name) for name in ("open", "reconnect", "stop"))
    off = profile["output.off_voltage"]
    judge("STOP-OPEN", record.voltage.time_to_below(off, after=opened))
    judge("STOP-LATCH", peak(record.current, after=again, until=end))


@requirement("STOP-LIFT")
@over(setpoint=grid.top)
def test_a_short_lift_off_causes_no_surge(bench, judge, setpoint):
    """The electrode loses contact, again and again, for less than it takes to be detected."""
    times = [bench.profile["protection.open_time"] * share for share in FLICKERS]
    moments = [at(Phase.HOLD, Exact(Decimal(2 + 2 * place), "s")) for place in range(len(times))]
    lifts = [Open(moment, time) for moment, time in zip(moments, times, strict=True)]
    record = bench.record(Scenario.treatment(setpoint, disturb=lifts))
    for opened in (event for name, event in record.events.items() if name.startswith("open")):
        before = mean(record.current, after=opened.later(-1 * s), until=opened)
        surge = peak(record.current, after=opened, until=opened.later(2 * s))
        judge("STOP-LIFT", surge - abs(before), at=setpoint)


@requirement("STOP-HELD", "STOP-ANEW")
@over(setpoint=grid.top)
def test_neither_a_reset_nor_a_start_releases_a_fault(bench, judge, setpoint):
    """After an open load: a reset and a start; then an operator acknowledges, and starts anew."""
    profile = bench.profile
    detected = profile["protection.open_time"] + profile["protection.stop_time"]
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(profile["ramp.up_time"] + 2 * s)
        run.inject("open")
        run.wait(detected + 1 * s)
        again = run.inject("reconnect")
        for message in improper.restarts(profile, setpoint):
            bench.provoke(message.text)
        restarted = run.until(lambda state: state.delivers, profile["protection.reconnect_time"])
        released = run.stop() if restarted else run.acknowledge()
        run.wait(profile["ramp.down_time"] + 1 * s)
        anew = run.start(setpoint)
        run.wait(profile["ramp.up_time"] + 1 * s)
        end = run.stop()
    current = run.record.current
    judge("STOP-HELD", peak(current, after=again, until=released))
    judge("STOP-ANEW", slope(current, after=anew, until=end))


@requirement("LIM-CEIL")
@over(setpoint=grid.middle, later=grid.top)
def test_a_fault_hides_no_second_one(bench, judge, setpoint, later):
    """The electrodes touch, and while they do the current is raised to the largest setting."""
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(bench.profile["ramp.up_time"] + 2 * s)
        run.select("short")
        run.wait(1 * s)
        run.change(later)
        run.wait(bench.profile["ramp.up_time"] + 2 * s)
    judge("LIM-CEIL", peak(run.record.current))


@requirement("STOP-LINK")
@over(setpoint=grid.middle)
def test_a_lost_host_ends_the_treatment(bench, judge, setpoint):
    """The host says nothing any more while current flows."""
    profile = bench.profile
    declared = profile["protection.link_time"]
    with bench.armed() as run:
        run.watch_host(declared)
        run.start(setpoint)
        run.wait(profile["ramp.up_time"] + 2 * s)
        lost = run.fall_silent()
        run.wait(declared + profile["protection.off_time"] + 3 * s)
        run.speak()
    off = profile["protection.off_current"]
    judge("STOP-LINK", run.record.current.time_to_below(off, after=lost))


@fault_injection
@requirement("STOP-HALT", "STOP-RESET")
@over(setpoint=grid.top)
def test_a_halted_processor_ends_the_treatment(bench, judge, setpoint):
    """The jig halts it during the hold; nobody asks the device, so the current alone is judged."""
    profile = bench.profile
    declared = profile["protection.watchdog_time"]
    with bench.armed() as run:
        run.start(setpoint)
        run.fall_silent()
        run.wait(profile["ramp.up_time"] + 2 * s)
        halted = run.inject("halt")
        run.wait(declared + 3 * s)
    current, off = run.record.current, profile["protection.off_current"]
    judge("STOP-HALT", current.time_to_below(off, after=halted))
    judge("STOP-RESET", peak(current))


def _judge_off(bench, judge, record, opened):
    off = bench.profile["output.off_voltage"]
    judge("STOP-OPEN", record.voltage.time_to_below(off, after=opened))
    told = f"the device reports the fault {record.fault!r}"
    judge("STOP-TELL", truth(record.fault != "", told, captures=[record.voltage.capture.sha256]))


@requirement("STOP-SHARE", "STOP-OFF", "STOP-SURGE")
@over(setpoint=grid.setpoints, polarity=grid.polarities)
def test_an_emergency_stop_is_quick(bench, judge, setpoint, polarity):
    """Aborted while the current is held."""
    with bench.armed() as run:
        run.start(setpoint, polarity=polarity)
        run.wait(bench.profile["ramp.up_time"] + 2 * s)
        aborted = run.abort()
        run.wait(3 * s)
    _judge_abort(bench, judge, run.record.current, setpoint, aborted)


@requirement("STOP-SHARE", "STOP-OFF", "STOP-SURGE")
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
    judge("STOP-SURGE", peak(current, after=aborted))


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
