"""Fault shutdown: after a fault or an emergency stop the output is off, and stays off."""

from hil.features import mean, peak, slope
from hil.measurement import truth
from hil.units import s
from hil_fixtures.suite import Depth, fault_injection, from_depth, grid, over, requirement
from hil_suites.compliance import courses

pytestmark = from_depth(Depth.STANDARD)


@requirement("STOP-OPEN", "STOP-TELL", "LIM-VOLT")
@over(treatment=grid.openings)
def test_an_open_load_switches_the_output_off(bench, judge, treatment):
    """The electrode lifts off and stays off; judged by the terminal voltage."""
    record = bench.once(courses.treatment, treatment).record
    _judge_off(bench, judge, record, record.event("open"))
    voltage = peak(record.voltage, after=record.event("open"))
    judge("LIM-VOLT", voltage, at=bench.profile["output.compliance"])


@from_depth(Depth.SMOKE)
@requirement("STOP-OPEN", "STOP-TELL", "LIM-VOLT")
@over(setpoint=grid.top, polarity=grid.polarities)
def test_an_open_load_is_noticed_while_the_current_rises(bench, judge, setpoint, polarity):
    """The electrode lifts off in the ramp, in either polarity."""
    found = bench.once(courses.opened_early, setpoint, polarity)
    opened, back = found["open"], found.moments.get("back")
    _judge_off(bench, judge, found.record, opened, until=back)
    voltage = peak(found.record.voltage, after=opened, until=back)
    judge("LIM-VOLT", voltage, at=bench.profile["output.compliance"])


@requirement("STOP-OPEN", "STOP-TELL")
@over(setpoint=grid.middle, later=grid.top, load=grid.insulating)
def test_a_load_that_nearly_insulates_counts_as_open(bench, judge, setpoint, later, load):
    """The load rises to one that conducts, and must count as open; it stays so."""
    del load
    found = bench.once(courses.raised, setpoint, later)
    _judge_off(bench, judge, found.record, found["insulated"])


@requirement("STOP-OPEN", "STOP-LATCH")
@over(setpoint=grid.top, later=grid.middle, away=grid.absences)
def test_nothing_restarts_without_an_operator(bench, judge, setpoint, later, away):
    """The electrode lifts off and comes back, and does so a second time; nobody acts."""
    found = bench.once(courses.latched, setpoint, later, away)
    off = bench.profile["output.off_voltage"]
    opened, back = found["open"], found["back"]
    judge("STOP-OPEN", found.record.voltage.time_to_below(off, after=opened, until=back))
    judge("STOP-LATCH", peak(found.record.current, after=back, until=found["resets"]))


@requirement("STOP-LIFT")
@over(setpoint=grid.top)
def test_a_short_lift_off_causes_no_surge(bench, judge, setpoint):
    """The electrode loses contact, again and again, for less than it takes to be detected."""
    found = bench.once(courses.contacts_and_loads, setpoint)
    for part in (part for name, part in found.items() if name.startswith("contact lost")):
        current = part.record.current
        before = mean(current, after=part.begin.later(-1 * s), until=part.begin)
        surge = peak(current, after=part.begin, until=part.end)
        judge("STOP-LIFT", surge - abs(before), at=setpoint)


@requirement("STOP-HELD", "STOP-ANEW")
@over(setpoint=grid.top, later=grid.middle, away=grid.absences)
def test_neither_a_reset_nor_a_start_releases_a_fault(bench, judge, setpoint, later, away):
    """After an open load: a reset and a start; then an operator acknowledges, and starts anew."""
    found = bench.once(courses.latched, setpoint, later, away)
    found.told["words"].said  # noqa: B018  # raises where no reset and no start can be worded
    current = found.record.current
    judge("STOP-HELD", peak(current, after=found["resets"], until=found["released"]))
    judge("STOP-ANEW", slope(current, after=found["anew"], until=found["short"]))


@requirement("LIM-CEIL")
@over(setpoint=grid.top, later=grid.middle, away=grid.absences)
def test_a_fault_hides_no_second_one(bench, judge, setpoint, later, away):
    """The electrodes touch, and while they do the current is raised to the largest setting."""
    found = bench.once(courses.latched, setpoint, later, away)
    judge("LIM-CEIL", peak(found.record.current, after=found["short"], until=found["raised"]))


@requirement("STOP-LINK")
@over(setpoint=grid.top)
def test_a_lost_host_ends_the_treatment(bench, judge, setpoint):
    """The host says nothing any more while current flows."""
    part = bench.once(courses.contacts_and_loads, setpoint)["silence"]
    part.told["watched"].said  # noqa: B018  # raises where nobody can be watched
    off = bench.profile["protection.off_current"]
    judge("STOP-LINK", part.record.current.time_to_below(off, after=part.begin, until=part.end))


@fault_injection
@requirement("STOP-HALT", "STOP-RESET")
@over(setpoint=grid.top)
def test_a_halted_processor_ends_the_treatment(bench, judge, setpoint):
    """The jig halts it during the hold; nobody asks the device, so the current alone is judged."""
    found = bench.once(courses.halted, setpoint)
    current, off = found.record.current, bench.profile["protection.off_current"]
    judge("STOP-HALT", current.time_to_below(off, after=found["halt"]))
    judge("STOP-RESET", peak(current))


@requirement("STOP-SHARE", "STOP-OFF", "STOP-SURGE")
@over(treatment=grid.aborts)
def test_an_emergency_stop_is_quick(bench, judge, treatment):
    """Aborted while the current is held."""
    found = bench.once(courses.treatment, treatment)
    _judge_abort(bench, judge, found.record.current, treatment.setpoint, found["abort"])


@requirement("STOP-SHARE", "STOP-OFF", "STOP-SURGE")
@over(setpoint=grid.top, later=grid.middle, away=grid.absences)
def test_an_emergency_stop_is_quick_at_the_largest_setting(bench, judge, setpoint, later, away):
    """Aborted in the hold of a treatment that was raised to it."""
    found = bench.once(courses.latched, setpoint, later, away)
    _judge_abort(bench, judge, found.record.current, setpoint, found["abort"])


@requirement("STOP-SHARE", "STOP-OFF", "STOP-SURGE")
@over(setpoint=grid.top)
def test_an_emergency_stop_is_quick_while_the_current_rises(bench, judge, setpoint):
    """Aborted two thirds up the ramp."""
    *_, leg = bench.once(courses.turns, setpoint)
    before = setpoint * courses.TWO_THIRDS
    _judge_abort(bench, judge, leg.record.current, before, leg["abort"])


@requirement("STOP-POWER")
@over(setpoint=grid.top)
def test_nothing_restarts_when_power_returns(bench, judge, setpoint):
    """The supply fails during the hold; nobody acts."""
    found = bench.once(courses.powered_again, setpoint)
    again = found["start again"]
    judge("STOP-POWER", peak(found.record.current, after=found["back"], until=again))


@requirement("STOP-CMD")
@over(setpoint=grid.top)
def test_a_stop_command_is_obeyed_while_the_current_rises(bench, judge, setpoint):
    """Stopped some seconds after the start, in both polarities."""
    off = bench.profile["protection.off_current"]
    for leg in bench.once(courses.turns, setpoint)[:2]:
        stopped = leg.record.current.time_to_below(off, after=leg["stop"], until=leg["end"])
        judge("STOP-CMD", stopped)


@from_depth(Depth.SMOKE)
@requirement("STOP-CMD")
@over(treatment=grid.stopped)
def test_a_stop_command_ends_in_off(bench, judge, treatment):
    """A normal stop at the end of the hold."""
    record = bench.once(courses.treatment, treatment).record
    off = bench.profile["protection.off_current"]
    judge("STOP-CMD", record.current.time_to_below(off, after=record.event("stop")))


def _judge_off(bench, judge, record, opened, until=None):
    off = bench.profile["output.off_voltage"]
    judge("STOP-OPEN", record.voltage.time_to_below(off, after=opened, until=until))
    told = f"the device reports the fault {record.fault!r}"
    judge("STOP-TELL", truth(record.fault != "", told, captures=[record.voltage.capture.sha256]))


def _judge_abort(bench, judge, current, before, aborted):
    share = before * bench.profile["protection.stop_share"]
    off = bench.profile["protection.off_current"]
    judge("STOP-SHARE", current.time_to_below(share, after=aborted))
    judge("STOP-OFF", current.time_to_below(off, after=aborted))
    judge("STOP-SURGE", peak(current, after=aborted))
