"""Command interface: what must be refused is refused, is reported, and changes nothing."""

from hil import improper
from hil.device import Reporting, State
from hil.errors import Unavailable
from hil.features import charge, largest_step, mean, slope
from hil.measurement import truth
from hil.scenario import dose_of
from hil.signs import along
from hil.units import s
from hil.waveform import Instant
from hil_fixtures.suite import grid, over, requirement

PAUSE, LAST = 1.5 * s, 0.5 * s
STORM = 6


@requirement("CMD-TELL")
@over(setpoint=grid.middle, other=grid.lower)
def test_what_must_be_refused_is_reported(bench, judge, setpoint, other):
    """At rest: unknown commands, numbers that are none, settings out of range."""
    if bench.profile.wire.errors.kind is Reporting.NONE:
        raise Unavailable('the device reports no refusals: wire.errors.kind = "none"')
    messages = improper.always(bench.profile, setpoint, other)
    with bench.armed() as run:
        told = [(message, bench.provoke(message.text)) for message in messages]
        run.wait(1 * s)
    _judge_told(judge, "CMD-TELL", told, run.record)


@requirement("CMD-KEEP", "CMD-DOSE")
@over(setpoint=grid.middle, other=grid.lower)
def test_what_must_be_refused_changes_nothing(bench, judge, setpoint, other):
    """While current flows: the same, and settings that are locked; the dose ends as it was set."""
    profile = bench.profile
    dose = dose_of(setpoint, 75 * s)
    messages = (
        *improper.always(profile, setpoint, other),
        *improper.running(profile, profile.polarity),
    )
    with bench.armed() as run:
        run.start(setpoint, dose=dose)
        run.wait(profile["ramp.up_time"] + 1 * s)
        seen = [(message, _provoked(bench, run, message)) for message in messages]
        run.until(lambda state: state in {State.DONE, State.IDLE, State.FAULT}, 90 * s)
        run.wait(1 * s)
    for _, (begin, end) in seen:
        held = mean(run.record.current, after=begin, until=end)
        judge("CMD-KEEP", along(held, profile.polarity), at=setpoint)
    judge("CMD-DOSE", charge(run.record.current), at=dose)


@requirement("CMD-LOCK")
@over(setpoint=grid.middle)
def test_a_locked_setting_is_reported(bench, judge, setpoint):
    """While the current rises: polarity, dose and another start."""
    if bench.profile.wire.errors.kind is Reporting.NONE:
        raise Unavailable('the device reports no refusals: wire.errors.kind = "none"')
    messages = improper.running(bench.profile, bench.profile.polarity)
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(2 * s)
        told = [(message, bench.provoke(message.text)) for message in messages]
    _judge_told(judge, "CMD-LOCK", told, run.record)


@requirement("STOP-CMD", "RAMP-DOWN", "RAMP-STEP")
@over(setpoint=grid.top)
def test_a_storm_of_commands_ends_in_a_stop(bench, judge, setpoint):
    """Pauses and resumes without a rest, then a stop; nobody waits for an answer.

    A device that cannot pause is told to stop again and again.
    """
    profile = bench.profile
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(profile["ramp.up_time"] + 2 * s)
        begin = run.fall_silent()
        known = profile.wire.commands
        pauses = not known or "pause" in known
        for _ in range(STORM):
            if pauses:
                run.pause()
                run.resume()
            else:
                run.stop()
        stopped = run.stop()
        run.wait(profile["ramp.down_time"] + profile["protection.off_time"] + 1 * s)
        run.speak()
    current, off = run.record.current, profile["protection.off_current"]
    judge("STOP-CMD", current.time_to_below(off, after=stopped))
    judge("RAMP-DOWN", slope(current, after=begin))
    judge("RAMP-STEP", largest_step(current, after=begin))


def _provoked(bench, run, message):
    """Send it, wait, and return the moments between which the current is looked at."""
    bench.provoke(message.text)
    run.wait(PAUSE - LAST)
    begin = Instant(run.now, 0.0)
    run.wait(LAST)
    return begin, Instant(run.now, 0.0)


def _judge_told(judge, requirement, told, record):
    seen = [record.current.capture.sha256]
    for message, complaints in told:
        answer = "; ".join(complaints) or "nothing was reported"
        note = f"{message.wrong}: {message.text!r}: {answer}"
        judge(requirement, truth(bool(complaints), note, captures=seen))
