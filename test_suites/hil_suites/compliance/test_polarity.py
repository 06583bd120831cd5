"""Polarity: the current has the commanded sign, and changes it only from rest."""

from hil.features import steady
from hil.scenario import Phase, Reverse, Scenario, at
from hil.signs import along, has_sign, keeps_sign, rest_between
from hil.units import s
from hil_fixtures.suite import grid, over, requirement


@requirement("POL-SIGN", "POL-BOTH")
@over(polarity=grid.polarities, setpoint=grid.setpoints)
def test_the_current_has_the_commanded_sign(bench, judge, polarity, setpoint):
    """Current through the load and voltage across it, in both polarities."""
    record = bench.record(Scenario.treatment(setpoint, polarity=polarity))
    judge("POL-SIGN", has_sign(record.current, polarity))
    judge("POL-SIGN", has_sign(record.voltage, polarity))
    held = steady(record.current)
    judge("POL-BOTH", along(held, polarity), at=setpoint)


@requirement("POL-LOCK")
@over(polarity=grid.polarities, setpoint=grid.middle)
def test_a_reversal_during_delivery_is_not_obeyed(bench, judge, polarity, setpoint):
    """The other polarity is asked for 2 s into the hold."""
    reverse = Reverse(at(Phase.HOLD, 2 * s))
    record = bench.record(
        Scenario.treatment(setpoint, polarity=polarity, hold=40 * s, disturb=[reverse])
    )
    floor = bench.profile["protection.off_current"]
    after, until = record.event("reverse"), record.event("stop")
    judge("POL-LOCK", keeps_sign(record.current, polarity, floor, after=after, until=until))


@requirement("POL-ZERO")
@over(polarity=grid.polarities, setpoint=grid.middle)
def test_opposite_polarities_are_kept_apart(bench, judge, polarity, setpoint):
    """A treatment, and at once another one of opposite polarity."""
    with bench.armed() as run:
        run.start(setpoint, polarity=polarity)
        run.wait(bench.profile["ramp.up_time"])
        run.stop()
        run.until(lambda state: not state.delivers, bench.profile["ramp.down_time"] + 2 * s)
        run.start(setpoint, polarity=polarity.opposite)
        run.wait(bench.profile["ramp.up_time"])
    judge("POL-ZERO", rest_between(run.record.current, bench.profile["protection.off_current"]))
