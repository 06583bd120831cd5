"""What the suites do to a device follows from its own times, not from those of the reference."""

from dataclasses import replace

import pytest

from hil.exact import Exact
from hil.features import SLOPE_WINDOW
from hil_fixtures.config import read_device
from hil_suites.compliance.courses import early, sooner

REFERENCE = read_device(None)


def timed(up, dwell):
    figures = dict(REFERENCE.figures)
    for name, value in (("ramp.up_time", up), ("polarity.dwell", dwell)):
        figures[name] = replace(figures[name], value=Exact.parse(value))
    return replace(REFERENCE, figures=figures)


@pytest.mark.parametrize(
    ("up", "dwell"),
    [("30 s", "1 s"), ("60 s", "5 s"), ("10 s", "1 s"), ("4 s", "0.2 s"), ("3 s", "0 s")],
)
def test_what_is_done_in_a_ramp_is_done_in_that_of_the_device(up, dwell):
    profile = timed(up, dwell)
    ramp, rest = profile.si("ramp.up_time"), profile.si("polarity.dwell")
    assert 0.1 * ramp < early(profile).base < 0.9 * ramp
    risen = float(sooner(profile).base) - rest  # a start may wait for the rest first
    assert 0.1 * ramp < risen < 0.9 * ramp
    assert risen + rest > SLOPE_WINDOW
