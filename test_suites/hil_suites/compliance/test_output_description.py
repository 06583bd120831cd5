"""Output description: current and voltage over the load, as a graph of the output shows them."""

from hil.exact import Exact
from hil.features import peak, steady
from hil.scenario import Scenario
from hil.signs import along
from hil_fixtures.suite import grid, over, requirement


@requirement("OUT-CURR", "OUT-VOLT")
@over(setpoint=grid.top, load=grid.described)
def test_current_and_voltage_over_the_load(bench, judge, setpoint, load):
    """At the largest setting: what is set up to the compliance voltage, and beyond it what drives.

    Each load is one point of the graph; its record holds both curves.
    """
    profile = bench.profile
    record = bench.record(Scenario.treatment(setpoint, load=load))
    driven = Exact(profile["output.compliance"].base / load.base, "A")
    described = min(setpoint, driven)
    judge("OUT-CURR", along(steady(record.current), profile.polarity), at=described)
    judge("OUT-VOLT", peak(record.voltage), at=profile["output.compliance"])
