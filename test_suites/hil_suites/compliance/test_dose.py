"""Dose: the largest one ends by itself, and sessions add up."""

from hil.device import State
from hil.exact import Exact
from hil.features import charge, peak
from hil.scenario import Observation, dose_of
from hil.units import s
from hil.waveform import Instant
from hil_fixtures.suite import grid, over, requirement

SLOWLY = Observation(rate=Exact.parse("200 Hz"))
"""A treatment of many minutes is judged by its integral."""
OVER = {State.DONE, State.IDLE, State.FAULT}


@requirement("DOSE-END", "DOSE-SUM", "LIM-CEIL")
@over(setpoint=grid.top, dose=grid.full_doses)
def test_the_largest_dose_is_the_last_one(bench, judge, setpoint, dose):
    """Delivered to its end; then another treatment is asked for."""
    profile = bench.profile
    more = dose * profile["dose.accuracy"] + dose * profile["dose.accuracy"]
    with bench.armed(observe=SLOWLY) as run:
        run.start(setpoint, dose=dose)
        run.until(lambda state: state in OVER, _longest(profile, setpoint, dose))
        run.wait(2 * s)
        first = Instant(run.now, 0.0)
        run.start(setpoint, dose=more)
        run.until(lambda state: state in OVER, _longest(profile, setpoint, more))
        run.wait(2 * s)
    current = run.record.current
    judge("DOSE-END", charge(current, until=first), at=dose)
    judge("DOSE-SUM", charge(current))
    judge("LIM-CEIL", peak(current))


@requirement("DOSE-TRUE", "DOSE-SUM")
@over(setpoint=grid.top, sessions=grid.sessions)
def test_each_session_of_a_course_has_its_own_dose(bench, judge, setpoint, sessions):
    """Treatments one after another, without a power cycle between them."""
    profile, ends = bench.profile, []
    dose = dose_of(setpoint, 25 * s)
    with bench.armed() as run:
        for _ in range(sessions):
            begun = run.start(setpoint, dose=dose)
            run.until(lambda state: state in OVER, _longest(profile, setpoint, dose))
            run.wait(1 * s)
            ends.append((begun, run.claimed_charge()))
            run.wait(1 * s)
    for begun, claim in ends:
        delivered = charge(run.record.current, after=begun, until=claim.moment)
        judge("DOSE-TRUE", delivered - claim.value, at=dose)
    judge("DOSE-SUM", charge(run.record.current))


def _longest(profile, setpoint, dose):
    """Time in which a treatment is over, ramps and all, half as long again."""
    held = Exact(dose.base / setpoint.base, "s")
    whole = held + profile["ramp.up_time"] + profile["ramp.down_time"]
    return whole * Exact.parse("150 %")
