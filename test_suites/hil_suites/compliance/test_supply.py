"""Supply: in use it does not change the current; too low it ends the treatment, for good."""

from hil.features import mean, peak
from hil.signs import set_or_off
from hil_fixtures.suite import grid, over, requirement
from hil_suites.compliance import courses


@requirement("SUP-STEADY", "SUP-LOW", "SUP-BACK")
@over(setpoint=grid.top)
def test_the_current_does_not_depend_on_the_supply(bench, judge, setpoint):
    """During the hold: the voltages in use, then down in steps, then back."""
    profile = bench.profile
    usual, *steps, back = bench.once(courses.supplied, setpoint)
    current = back.record.current
    held = mean(current, after=usual.begin, until=usual.end)
    off = profile["protection.off_current"]
    tolerance = setpoint * profile["output.accuracy_relative"]
    for step in steps:
        span = {"after": step.begin, "until": step.end}
        if step.of == "in use":
            judge("SUP-STEADY", mean(current, **span) - held, at=setpoint)
        else:
            judge("SUP-LOW", set_or_off(current, setpoint, tolerance, off, **span))
    judge("SUP-BACK", peak(current, after=back.begin, until=back.end))
