"""Accuracy: every setting is kept at every load within compliance, in either polarity."""

from hil.features import peak, steady
from hil.signs import along
from hil_fixtures.suite import Depth, draw, for_all, from_depth, requirement

pytestmark = from_depth(Depth.FULL)


@requirement("LIM-ACC", "LIM-OVER")
@for_all(scenario=draw.deliverable)
def test_every_setting_is_accurate_and_none_overshoots(bench, judge, scenario):
    """For settings and loads between the points of the grids."""
    current, stimulus = bench.record(scenario).current, scenario.programmes[0].stimulus
    held, setpoint = steady(current), stimulus.setpoint
    judge("LIM-ACC", along(held, stimulus.polarity), at=setpoint, hunt=True)
    judge("LIM-OVER", peak(current) - abs(held), at=setpoint, hunt=True)
