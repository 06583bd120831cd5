"""Supply: in use it does not change the current; too low it ends the treatment, for good."""

from hil.exact import Exact
from hil.features import mean, peak
from hil.signs import set_or_off
from hil.units import s
from hil_fixtures.suite import grid, over, requirement

LOW = tuple(Exact.parse(f"{percent} %") for percent in range(90, 0, -10))
"""Supply voltages below the lowest one in use, as shares of it."""


@requirement("SUP-STEADY", "SUP-LOW", "SUP-BACK")
@over(setpoint=grid.top)
def test_the_current_does_not_depend_on_the_supply(bench, judge, setpoint):
    """During the hold: the voltages in use, then down in steps, then back."""
    profile = bench.profile
    lowest, highest = profile["power.minimum"], profile["power.maximum"]
    off, settled = profile["protection.off_current"], profile["protection.off_time"]
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(profile["ramp.up_time"] + 4 * s)
        used = [_at(run, volts, settled) for volts in (highest, lowest)]
        low = [_at(run, lowest * share, settled) for share in LOW]
        back = run.supply(highest)
        run.wait(profile["protection.reconnect_time"])
        end = run.stop()
    current = run.record.current
    usual = mean(current, after=used[0][0].later(-2 * s), until=used[0][0])
    for step, until in used:
        held = mean(current, after=step.later(settled), until=until)
        judge("SUP-STEADY", held - usual, at=setpoint)
    tolerance = setpoint * profile["output.accuracy_relative"]
    for step, until in low:
        begin = step.later(settled)
        judge("SUP-LOW", set_or_off(current, setpoint, tolerance, off, after=begin, until=until))
    judge("SUP-BACK", peak(current, after=back, until=end))


def _at(run, volts, settled):
    """Bring the supply to a voltage, and return the moments between which it stood there."""
    step = run.supply(volts)
    run.wait(settled + 1 * s)
    return step, step.later(settled + 1 * s)
