"""Ramping: every rise and every planned fall of the current is slow and smooth."""

from hil.features import largest_step, slope
from hil.scenario import Change, Pause, Phase, Scenario, at, dose_of
from hil.units import s
from hil_fixtures.suite import grid, over, requirement


@requirement("RAMP-UP", "RAMP-STEP")
@over(setpoint=grid.setpoints)
def test_current_rises_slowly(bench, judge, setpoint):
    """From the start command up to the stop command."""
    record = bench.record(Scenario.treatment(setpoint))
    begin, end = record.event("start"), record.event("stop")
    judge("RAMP-UP", slope(record.current, after=begin, until=end))
    judge("RAMP-STEP", largest_step(record.current, after=begin, until=end))


@requirement("RAMP-DOWN", "RAMP-STEP")
@over(setpoint=grid.top)
def test_a_stop_ramps_down(bench, judge, setpoint):
    """From the stop command to the end of the record."""
    record = bench.record(Scenario.treatment(setpoint))
    judge("RAMP-DOWN", slope(record.current, after=record.event("stop")))
    judge("RAMP-STEP", largest_step(record.current, after=record.event("stop")))


@requirement("RAMP-DOWN", "RAMP-STEP")
@over(setpoint=grid.middle)
def test_the_end_of_the_dose_ramps_down(bench, judge, setpoint):
    """The device ends by itself when the dose is reached."""
    record = bench.record(Scenario.treatment(setpoint, dose=dose_of(setpoint, 45 * s)))
    end = record.current.begin("ramp down")
    judge("RAMP-DOWN", slope(record.current, after=end))
    judge("RAMP-STEP", largest_step(record.current, after=end))


@requirement("RAMP-RESUME", "RAMP-STEP")
@over(setpoint=grid.top)
def test_a_resumed_treatment_ramps_up_again(bench, judge, setpoint):
    """Paused for 12 s, then resumed."""
    pause = Pause(at(Phase.HOLD, 2 * s), bench.profile["ramp.down_time"] + 4 * s)
    record = bench.record(Scenario.treatment(setpoint, disturb=[pause]))
    begin, end = record.event("resume"), record.event("stop")
    judge("RAMP-RESUME", slope(record.current, after=begin, until=end))
    judge("RAMP-STEP", largest_step(record.current, after=begin, until=end))


@requirement("RAMP-UP", "RAMP-STEP")
@over(setpoint=grid.middle, later=grid.top)
def test_a_new_setting_is_reached_by_a_ramp(bench, judge, setpoint, later):
    """The setting is doubled while the current still rises."""
    change = Change(at(Phase.START, 10 * s), later)
    hold = bench.profile["ramp.up_time"] + 10 * s
    record = bench.record(Scenario.treatment(setpoint, hold=hold, disturb=[change]))
    begin, end = record.event("start"), record.event("stop")
    judge("RAMP-UP", slope(record.current, after=begin, until=end))
    judge("RAMP-STEP", largest_step(record.current, after=begin, until=end))
