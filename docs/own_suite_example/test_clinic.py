"""What the clinic asks of a stimulator beyond the suites of stimproof."""

from hil.features import peak
from hil.units import s
from hil_fixtures.suite import draw, for_all, requirement


@requirement("CLINIC-GENTLE")
@for_all(setpoint=draw.setpoints)
def test_a_treatment_begins_gently(bench, judge, setpoint):
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(5 * s)
    judge("CLINIC-GENTLE", peak(run.record.current), hunt=True)
