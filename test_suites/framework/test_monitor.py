"""The limit monitor tells a spike from an over-current, and proves nothing by what is missing."""

import numpy as np
import pytest

from hil.monitor import exceeded


def look(**places):
    """A screen of 1200 samples at half of the level of 1.0, with other values at some places."""
    samples = np.full(1200, 0.5)
    for place, value in places.items():
        first, last = map(int, place[1:].split("_"))
        samples[first:last] = value
    return samples


def test_a_quiet_screen_and_a_spike_of_one_sample_are_no_over_current():
    assert not exceeded(look(), 1.0)
    assert not exceeded(look(p600_601=20.0), 1.0)


@pytest.mark.parametrize("value", [0.98, -0.98, np.inf, np.nan])
def test_two_samples_in_a_row_are_one_whatever_their_sign(value):
    assert exceeded(look(p600_602=value), 1.0)


@pytest.mark.parametrize("value", [0.81, -0.81, np.nan])
def test_what_lasts_to_the_end_of_the_screen_is_one(value):
    assert exceeded(look(p1100_1200=value), 1.0)


def test_a_screen_without_samples_proves_nothing():
    assert exceeded(np.empty(0), 1.0)
