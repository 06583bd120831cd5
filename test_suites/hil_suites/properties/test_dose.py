"""Dose: the charge that a device claims is the charge that it delivered."""

from hil.features import charge
from hil_fixtures.suite import Depth, draw, for_all, from_depth, requirement

pytestmark = from_depth(Depth.FULL)


@requirement("DOSE-TRUE", "DOSE-END")
@for_all(scenario=draw.scenarios)
def test_charge_delivered_equals_charge_claimed(bench, judge, scenario):
    """For all settings, loads, polarities, pauses and load steps."""
    record = bench.record(scenario)
    delivered = charge(record.current)
    judge("DOSE-TRUE", delivered - record.claimed_charge, at=scenario.dose, hunt=True)
    judge("DOSE-END", delivered, at=scenario.dose, hunt=True)
