"""What two meters must answer to a source of known sign to count as alive, and the path as open."""

import math

import pytest

from hil.alive import answered, unasked
from hil.proof import Pair, Reading

QUIET = Pair(Reading(1e-9, 25e-9), Reading(0.4e-3, 0.6e-3))
GOOD = Pair(Reading(1.98e-6, 26e-9), Reading(19.8, 1.5e-3))
OFF = 10e-6


def pair(amperes, volts):
    return Pair(Reading(amperes, 26e-9), Reading(volts, 1.5e-3))


def shown(before, joined):
    answer = answered(before, joined, 20.0, OFF)
    assert answer.asked
    return answer.voltmeter, answer.ammeter, answer.path


def test_both_follow_and_nothing_else_flows():
    assert shown(QUIET, GOOD) == (True, True, True)
    assert answered(QUIET, GOOD, 20.0, OFF).proven


@pytest.mark.parametrize(
    ("joined", "expected"),
    [
        (pair(0.0, 0.2e-3), (False, False, True)),  # fuse, lead, source: nothing is seen
        (pair(1e-9, 19.8), (True, False, True)),  # ammeter dead
        (pair(1.7e-6, 19.8), (True, False, True)),  # less than the voltmeter draws
        (pair(-1.98e-6, 19.8), (True, False, True)),  # ammeter reversed
        (pair(1.98e-6, -19.8), (False, False, True)),  # voltmeter reversed
        (pair(0.2e-6, 2.0), (True, False, True)),  # too little for the ammeter to resolve
        (pair(11.9e-6, 19.8), (True, True, True)),  # a leakage below what counts as off
        (pair(12.1e-6, 19.8), (True, True, False)),  # and one above
        (pair(math.nan, 19.8), (True, False, False)),
        (pair(1.98e-6, math.nan), (False, False, True)),
        (pair(math.inf, 1.96), (True, False, False)),  # a contact is closed
    ],
)
def test_what_is_not_seen_is_not_proven(joined, expected):
    assert shown(QUIET, joined) == expected
    answer = answered(QUIET, joined, 20.0, OFF)
    assert answer.proven is all(expected)


def test_a_frozen_meter_does_not_rise_whatever_it_is_frozen_at():
    assert shown(pair(1.98e-6, 0.0), GOOD) == (True, False, True)
    assert shown(pair(0.0, 1.9), pair(1.98e-6, 1.9)) == (False, False, True)


def test_what_was_not_asked_proves_nothing():
    answer = unasked("the bench file has no source for it")
    assert not answer.proven
    assert not answer.asked
