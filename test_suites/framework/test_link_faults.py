"""No driver takes a fault of its link, or of its instrument, for a reading; and each recovers."""

import dataclasses
import random

import pytest

from framework import link_trials
from framework.link_trials import CASES, FAULTS, Ground, Grounds, trial
from hil_instruments import drivers
from hil_instruments.drivers.keysight_34465a import Keysight34465A
from hil_instruments.simulated.faults.link import LINK_FAULTS

GROUNDS = Grounds()


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", CASES)
def test_a_fault_ends_in_a_typed_error_or_in_the_truth_and_the_driver_recovers(name, fault):
    draws = random.Random(f"{name} {fault}")
    stream = draws.choice(link_trials.lines(name))
    assert GROUNDS.trial(name, fault, stream=stream, draws=draws).wrong == ""


def test_every_driver_and_every_fault_of_a_link_is_tried():
    tables = {name for name, held in vars(drivers).items() if isinstance(held, dict)}
    tables = {name for name in tables if name.isupper()}
    about = {"MAKES", "MANNERS", "MODELS", "NAMES"}
    tried = {(case.table, case.instrument[0]) for case in CASES.values()}
    made = {(table, name) for table in tables - about for name in getattr(drivers, table)}
    assert tried == {(table, name) for table, name in made if name != "pymeasure"}
    assert {fault.split()[0] for fault in FAULTS} >= {*LINK_FAULTS}


# What a trial must find: drivers that are wrong in one way.


class Unconfirmed(Keysight34465A):
    def _confirm_setup(self, setup):
        pass


class Nameless(Keysight34465A):
    def _understood(self, question, reply, read):
        return read(reply)


WRONG = {
    "a reading in another mode": (
        "keysight-34465a, ammeter: read",
        Unconfirmed,
        "another program",
        "read: ",
    ),
    "an error without its resource": (
        "keysight-34465a, ammeter: read",
        Nameless,
        "garbled",
        "lacks the resource, the command",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_driver_that_is_wrong_is_found(what):
    name, kind, fault, told = WRONG[what]
    case = dataclasses.replace(CASES[name], make=kind)
    count = link_trials.moments(Ground(case, stream=False), fault)
    found = [trial(Ground(case, stream=False), fault, at).wrong for at in range(1, count + 1)]
    assert any(told in wrong for wrong in found)
