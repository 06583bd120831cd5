"""Limits of all times: whatever happens to a treatment, they hold to its end."""

from hil.features import largest_step, peak, slope
from hil.signs import keeps_sign
from hil_fixtures.suite import Depth, draw, for_all, from_depth, requirement

pytestmark = from_depth(Depth.FULL)


@requirement("LIM-CEIL", "STOP-CMD")
@for_all(scenario=draw.treatments)
def test_the_ceiling_holds_and_a_stop_ends_in_off(bench, judge, scenario):
    """Whatever is commanded, and whatever contacts, load and supply do.

    The stop comes wherever a treatment stands: rising, held, paused, or ended by a fault.
    """
    record, off = bench.record(scenario), bench.profile["protection.off_current"]
    judge("LIM-CEIL", peak(record.current), hunt=True)
    stopped = record.current.time_to_below(off, after=record.event("stop"))
    judge("STOP-CMD", stopped, hunt=True)


@requirement("STOP-OFF")
@for_all(scenario=draw.aborted)
def test_an_abort_ends_in_off_from_every_state(bench, judge, scenario):
    """Stopped at once, at any moment, at any setting and load."""
    record, off = bench.record(scenario), bench.profile["protection.off_current"]
    aborted = record.current.time_to_below(off, after=record.event("abort"))
    judge("STOP-OFF", aborted, hunt=True)


@requirement("RAMP-UP", "RAMP-DOWN", "RAMP-RESUME", "RAMP-STEP", "POL-LOCK")
@for_all(scenario=draw.commanded)
def test_every_slope_is_bounded_and_the_sign_stays(bench, judge, scenario):
    """From the start to the end of a treatment, whatever is commanded in between."""
    record = bench.record(scenario)
    current, polarity = record.current, scenario.programmes[0].stimulus.polarity
    start, pause, resume, stop = (
        record.event(name) for name in ("start", "pause", "resume", "stop")
    )
    judge("RAMP-UP", slope(current, after=start, until=pause), hunt=True)
    judge("RAMP-DOWN", slope(current, after=pause, until=resume), hunt=True)
    judge("RAMP-RESUME", slope(current, after=resume, until=stop), hunt=True)
    judge("RAMP-DOWN", slope(current, after=stop), hunt=True)
    judge("RAMP-STEP", largest_step(current, after=start), hunt=True)
    floor = bench.profile["protection.off_current"]
    judge("POL-LOCK", keeps_sign(current, polarity, floor, after=start))
