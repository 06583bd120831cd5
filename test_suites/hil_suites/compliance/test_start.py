"""Start interlock: no current by a start that nobody prepared, and none by a blind device."""

from hil.exact import readable
from hil.features import mean, peak
from hil.measurement import truth
from hil_fixtures.suite import Depth, from_depth, grid, over, requirement
from hil_suites.compliance import courses


@from_depth(Depth.STANDARD)
@requirement("START-UNSET")
@over(setpoint=grid.top)
def test_a_start_without_a_setting_delivers_nothing(bench, judge, setpoint):
    """After an interruption of the supply, by the setting from before it."""
    found = bench.once(courses.powered_again, setpoint)
    judge("START-UNSET", peak(found.record.current, after=found["start again"]))


@requirement("START-FAULT")
@over(setpoint=grid.top, polarity=grid.usual)
def test_a_start_is_refused_while_a_fault_stands(bench, judge, setpoint, polarity):
    """The electrode lifts off while the current rises, and comes back."""
    found = bench.once(courses.opened_early, setpoint, polarity)
    judge("START-FAULT", peak(found.record.current, after=found["start again"]))


@requirement("START-SENSE")
def test_a_dead_sensor_is_found_by_the_self_test(bench, judge):
    """At rest: what the device reports to flow, what flows, and its self-test."""
    part = bench.once(courses.asked_at_rest)
    claim, passed = part.told["current"].said, part.told["test"].said
    flows = abs(mean(part.record.current, after=part.begin, until=part.end))
    apart = abs(claim.value.base - flows.value)
    sees = apart <= bench.profile["output.accuracy_absolute"].base
    said = readable(claim.value.base, claim.value.dimension)
    told = f"reported {said}, measured {flows}, self-test {'passed' if passed else 'failed'}"
    judge("START-SENSE", truth(sees or not passed, told, captures=flows.captures))
