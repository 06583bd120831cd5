"""Invalid input: what a device does not understand, it leaves alone."""

from hil.features import mean
from hil.signs import along
from hil.units import s
from hil_fixtures.suite import draw, for_all, requirement


@requirement("CMD-KEEP")
@for_all(setpoint=draw.setpoints, texts=draw.invalid_texts)
def test_invalid_input_changes_nothing(bench, judge, setpoint, texts):
    """Noise, and settings that are none or lie out of range, while a current is held."""
    with bench.armed() as run:
        run.start(setpoint)
        run.wait(bench.profile["ramp.up_time"] + 3 * s)
        for text in texts:
            run.provoke(text)
            run.wait(0.5 * s)
        run.wait(1 * s)
    current = run.record.current
    last = max(run.record.events.values(), key=lambda event: event.time)
    held = along(mean(current, after=last.later(1 * s)), bench.profile.polarity)
    judge("CMD-KEEP", held, at=setpoint, hunt=True)
