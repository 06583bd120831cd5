"""Invalid input: what a device does not understand, it leaves alone."""

from hil.features import mean
from hil.signs import along
from hil.units import s
from hil_fixtures.suite import Depth, draw, for_all, from_depth, requirement

pytestmark = from_depth(Depth.FULL)


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
        run.end_at_once()
    current = run.record.current
    *_, last, end = sorted(run.record.events.values(), key=lambda event: event.time)
    held = along(mean(current, after=last.later(1 * s), until=end), bench.profile.polarity)
    judge("CMD-KEEP", held, at=setpoint, hunt=True)
