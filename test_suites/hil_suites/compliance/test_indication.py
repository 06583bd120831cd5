"""Indication: what the device tells and shows of itself is what is measured."""

from functools import partial

from hil.exact import Exact
from hil.features import mean
from hil.indication import flowed, misreported, resistance, where_told
from hil.measurement import truth
from hil.signs import flows_as_told
from hil.units import s
from hil_fixtures.suite import Depth, from_depth, grid, over, requirement
from hil_suites.compliance import courses

pytestmark = from_depth(Depth.STANDARD)

AROUND = 0.5 * s
"""Half of the time over which what was told is compared with what was measured."""


@requirement("IND-STATE")
@over(setpoint=grid.top)
def test_the_device_says_that_it_delivers(bench, judge, setpoint):
    """Asked all the time after a start, and after a stop in the ramp."""
    profile = bench.profile
    leg = bench.once(courses.asked_often, setpoint)
    off, dense = profile["protection.off_current"], courses.flowing(profile, setpoint)
    told = tuple((time, state.delivers) for time, state in leg.record.states)
    for command in (leg["start"], leg["stop"]):
        found = misreported(
            leg.record.current, off, told, after=command, until=command.later(dense)
        )
        judge("IND-STATE", found)


@from_depth(Depth.SMOKE)
@requirement("IND-CURR")
@over(treatment=grid.treatments)
def test_the_device_tells_what_it_delivers(bench, judge, treatment):
    """Asked for in the hold, over settings, loads and polarities."""
    found = bench.once(courses.treatment, treatment)
    current = found.record.current
    measured = where_told(
        found.told["current"].given, lambda told: abs(mean(current, **_around(told))) - told.value
    )
    judge("IND-CURR", measured, at=treatment.setpoint)


@requirement("IND-POL")
@over(setpoint=grid.top)
def test_the_device_tells_its_polarity(bench, judge, setpoint):
    """Asked for in ramps of either one."""
    for leg in bench.once(courses.turns, setpoint):
        answer = leg.told["polarity"].given
        judge("IND-POL", where_told(answer, partial(_flows_as, leg.record.current, leg["risen"])))


@requirement("IND-TIME")
@over(setpoint=grid.middle, later=grid.top)
def test_the_device_tells_how_long_it_delivers(bench, judge, setpoint, later):
    """Asked for at the end of a treatment whose setting was raised."""
    found = bench.once(courses.raised, setpoint, later)
    off, answer = bench.profile["protection.off_current"], found.told["time"].given
    late = where_told(answer, partial(_late, found.record.current, off, found["start"]))
    judge("IND-TIME", late, at=getattr(answer, "value", None))


@requirement("IND-IMP", "IND-VOLT")
@over(setpoint=grid.top, load=grid.first, later=grid.heaviest)
def test_the_reported_impedance_follows_the_load(bench, judge, setpoint, load, later):
    """Asked for in the hold, and again after the load has changed; the voltage too."""
    found = bench.once(courses.contacts_and_loads, setpoint)
    for connected, part in ((load, found["first load"]), (later, found["heaviest load"])):
        judge("IND-IMP", _impedance(part), at=connected)
        judge("IND-VOLT", _voltage(part), at=Exact(setpoint.base * connected.base, "V"))


@requirement("IND-LAMP")
@over(treatment=grid.base)
def test_the_indicator_shows_whether_current_flows(bench, judge, treatment):
    """Looked at in the hold, and after the treatment has ended."""
    found = bench.once(courses.treatment, treatment)
    lit, dark = found.told["lit"].said, found.told["dark"].said
    seen = [found.record.current.capture.sha256]
    judge("IND-LAMP", truth(lit, f"{'lit' if lit else 'dark'} while current flows", captures=seen))
    told = f"{'dark' if dark else 'lit'} after the treatment"
    judge("IND-LAMP", truth(dark, told, captures=seen))


def _around(claim):
    """The moments around a claim between which it is held against what was measured."""
    return {"after": claim.moment.later(-AROUND), "until": claim.moment.later(AROUND)}


def _impedance(part):
    """Measured less told."""
    voltage, current = part.record.voltage, part.record.current
    return where_told(
        part.told["impedance"].given,
        lambda told: resistance(voltage, current, **_around(told)) - told.value,
    )


def _voltage(part):
    """Measured less told."""
    voltage = part.record.voltage
    return where_told(
        part.told["voltage"].given,
        lambda told: abs(mean(voltage, **_around(told))) - told.value,
    )


def _flows_as(current, asked, polarity):
    """Whether the second before a question flowed as it was answered."""
    return flows_as_told(current, polarity, after=asked.later(-1 * s), until=asked)


def _late(current, off, begun, told):
    """Time since the current began to flow, less the one that was told."""
    return flowed(current, off, after=begun, until=told.moment) - told.value
