"""States: whatever is done to a device in whatever order, it is where it should be."""

from hil.features import mean
from hil_fixtures.suite import Depth, draw, for_all, from_depth, requirement

pytestmark = from_depth(Depth.STANDARD)


@requirement("STATE-TRUE", "LIM-OFF")
@for_all(course=draw.courses)
def test_states_follow_from_what_was_done(bench, judge, course):
    """Starts, pauses, stops, aborts, new settings, contacts and acknowledgements, as drawn."""
    del bench
    judge("STATE-TRUE", course.reports)
    for begin, end in course.rests:
        rest = abs(mean(course.record.current, after=begin, until=end))
        judge("LIM-OFF", rest, hunt=True)
