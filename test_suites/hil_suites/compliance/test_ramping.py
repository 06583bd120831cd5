"""Ramping: every rise and every planned fall of the current is slow and smooth."""

from hil.course import largest_fall, ramp_time
from hil.features import largest_step, mean, slope
from hil.scenario import Change, Pause, Phase, Scenario, at, dose_of
from hil.signs import along
from hil.units import s
from hil_fixtures.suite import grid, over, requirement


@requirement("RAMP-UP", "RAMP-STEP", "RAMP-MONO")
@over(setpoint=grid.setpoints, polarity=grid.polarities)
def test_current_rises_slowly(bench, judge, setpoint, polarity):
    """From the start command up to the stop command."""
    record = bench.record(Scenario.treatment(setpoint, polarity=polarity))
    begin, end = record.event("start"), record.event("stop")
    judge("RAMP-UP", slope(record.current, after=begin, until=end))
    judge("RAMP-STEP", largest_step(record.current, after=begin, until=end))
    judge("RAMP-MONO", largest_fall(record.current, polarity, after=begin, until=end))


@requirement("RAMP-TIME")
@over(setpoint=grid.top, polarity=grid.polarities)
def test_a_ramp_takes_its_time(bench, judge, setpoint, polarity):
    """To the largest setting, where the steps of the ramp are finest against it."""
    record = bench.record(Scenario.treatment(setpoint, polarity=polarity))
    judge("RAMP-TIME", ramp_time(record.current), at=bench.profile["ramp.up_time"])


@requirement("RAMP-UP", "RAMP-STEP")
@over(setpoint=grid.top)
def test_a_second_treatment_ramps_up_too(bench, judge, setpoint):
    """Started, stopped, and started again without a power cycle."""
    profile = bench.profile
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(5 * s)
        run.stop()
        run.until(lambda state: not state.delivers, profile["ramp.down_time"] + 2 * s)
        run.wait(1 * s)
        begin = run.start(setpoint)
        run.wait(10 * s)
        end = run.stop()
    judge("RAMP-UP", slope(run.record.current, after=begin, until=end))
    judge("RAMP-STEP", largest_step(run.record.current, after=begin, until=end))


@requirement("RAMP-DOWN", "RAMP-STEP")
@over(setpoint=grid.top, polarity=grid.polarities)
def test_a_stop_ramps_down(bench, judge, setpoint, polarity):
    """From the stop command to the end of the record."""
    record = bench.record(Scenario.treatment(setpoint, polarity=polarity))
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


@requirement("RAMP-DOWN", "RAMP-RESUME", "RAMP-STEP", "STOP-CMD", "LIM-ACC")
@over(setpoint=grid.top)
def test_a_resumed_treatment_ramps_up_again(bench, judge, setpoint):
    """Paused for longer than the ramp down takes, then resumed; off in between, as set after."""
    profile = bench.profile
    pause = Pause(at(Phase.HOLD, 2 * s), profile["ramp.down_time"] + 4 * s)
    record = bench.record(Scenario.treatment(setpoint, disturb=[pause]))
    current = record.current
    paused, resumed, end = (record.event(name) for name in ("pause", "resume", "stop"))
    judge("RAMP-DOWN", slope(current, after=paused, until=resumed))
    judge("RAMP-STEP", largest_step(current, after=paused, until=end))
    off = profile["protection.off_current"]
    judge("STOP-CMD", current.time_to_below(off, after=paused, until=resumed))
    judge("RAMP-RESUME", slope(current, after=resumed, until=end))
    again = resumed.later(profile["ramp.up_time"] + 1 * s)
    held = mean(current, after=again, until=end)
    judge("LIM-ACC", along(held, bench.profile.polarity), at=setpoint)


@requirement("RAMP-UP", "RAMP-STEP", "LIM-ACC")
@over(setpoint=grid.middle, later=grid.top)
def test_a_new_setting_is_reached_by_a_ramp(bench, judge, setpoint, later):
    """The setting is doubled while the current still rises."""
    change = Change(at(Phase.START, 10 * s), later)
    hold = bench.profile["ramp.up_time"] + 10 * s
    record = bench.record(Scenario.treatment(setpoint, hold=hold, disturb=[change]))
    begin, end = record.event("start"), record.event("stop")
    judge("RAMP-UP", slope(record.current, after=begin, until=end))
    judge("RAMP-STEP", largest_step(record.current, after=begin, until=end))
    held = mean(record.current, after=end.later(-5 * s), until=end)
    judge("LIM-ACC", along(held, bench.profile.polarity), at=later)
