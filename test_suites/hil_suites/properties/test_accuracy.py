"""Accuracy: every setting is kept at every load within compliance, in either polarity."""

from hil.features import steady
from hil.signs import along
from hil_fixtures.suite import Depth, draw, for_all, from_depth, requirement

pytestmark = from_depth(Depth.FULL)


@requirement("LIM-ACC")
@for_all(scenario=draw.deliverable)
def test_every_setting_is_accurate(bench, judge, scenario):
    """For settings and loads between the points of the grids."""
    stimulus = scenario.programmes[0].stimulus
    held = along(steady(bench.record(scenario).current), stimulus.polarity)
    judge("LIM-ACC", held, at=stimulus.setpoint, hunt=True)
