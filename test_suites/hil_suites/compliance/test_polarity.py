"""Polarity: the current has the commanded sign, and changes it only from rest."""

from functools import partial

from hil.features import steady
from hil.indication import where_told
from hil.scenario import Phase, Reverse, Scenario, at
from hil.signs import along, flows_as_told, has_sign, keeps_sign, rest_between
from hil.units import s
from hil.waveform import Instant
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


@requirement("POL-ZERO", "IND-POL")
@over(polarity=grid.polarities, setpoint=grid.middle)
def test_opposite_polarities_are_kept_apart(bench, judge, polarity, setpoint):
    """A treatment, and at once another one of opposite polarity; each asked for its polarity."""
    told = []
    with bench.armed() as run:
        run.start(setpoint, polarity=polarity)
        run.wait(bench.profile["ramp.up_time"])
        told.append((run.answer(run.claimed_polarity), Instant(run.now, 0.0)))
        run.stop()
        run.until(lambda state: not state.delivers, bench.profile["ramp.down_time"] + 2 * s)
        run.start(setpoint, polarity=polarity.opposite)
        run.wait(bench.profile["ramp.up_time"])
        told.append((run.answer(run.claimed_polarity), Instant(run.now, 0.0)))
    current = run.record.current
    judge("POL-ZERO", rest_between(current, bench.profile["protection.off_current"]))
    for answer, asked in told:
        judge("IND-POL", where_told(answer, partial(_flows_as, current, asked)))


def _flows_as(current, asked, polarity):
    """Whether the second before a question flowed as it was answered."""
    return flows_as_told(current, polarity, after=asked.later(-1 * s), until=asked)
