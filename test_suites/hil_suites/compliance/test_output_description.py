"""Output description: current and voltage over the load, as a graph of the output shows them."""

from hil.exact import Exact
from hil.features import mean, peak, steady
from hil.signs import along
from hil_fixtures.suite import Depth, from_depth, grid, over, requirement
from hil_suites.compliance import courses


@requirement("OUT-CURR", "OUT-VOLT")
@over(treatment=grid.strongest)
def test_current_and_voltage_over_the_load(bench, judge, treatment):
    """At the largest setting: what is set, up to the compliance voltage.

    Each load is one point of the graph; its record holds both curves.
    """
    record = bench.once(courses.treatment, treatment).record
    described = _described(bench.profile, treatment.setpoint, treatment.load)
    judge("OUT-CURR", along(steady(record.current), treatment.polarity), at=described)
    until = record.event("open") if treatment.end is grid.End.OPEN else None
    judge("OUT-VOLT", peak(record.voltage, until=until), at=bench.profile["output.compliance"])


@from_depth(Depth.STANDARD)
@requirement("OUT-CURR", "OUT-VOLT")
@over(setpoint=grid.top, load=grid.largest)
def test_current_and_voltage_at_the_largest_load(bench, judge, setpoint, load):
    """Where the compliance voltage may drive less than what is set."""
    profile = bench.profile
    part = bench.once(courses.contacts_and_loads, setpoint)["largest load"]
    current, voltage = part.record.current, part.record.voltage
    held = mean(current, after=part.begin, until=part.end)
    judge("OUT-CURR", along(held, profile.polarity), at=_described(profile, setpoint, load))
    most = peak(voltage, after=part.begin, until=part.end)
    judge("OUT-VOLT", most, at=profile["output.compliance"])


def _described(profile, setpoint, load):
    """What is set, or what the compliance voltage drives through the load."""
    return min(setpoint, Exact(profile["output.compliance"].base / load.base, "A"))
