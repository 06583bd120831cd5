"""Requirements: what they refuse, and that they are rebuilt from the plan as they were."""

from __future__ import annotations

import contextlib
import json

import pytest

from hil.bodies import requirement_body, requirement_of
from hil.errors import UsageError
from hil.requirement import Requirement
from hil_fixtures.config.catalogue import installed_catalogues, read_catalogue
from hil_fixtures.config.setup import read_setup

SHIPPED = read_catalogue(installed_catalogues(), read_setup(None, None).profile)


@pytest.mark.parametrize("requirement", SHIPPED, ids=lambda entry: entry.id)
def test_a_shipped_requirement_is_rebuilt_from_the_plan(requirement: Requirement) -> None:
    body = json.loads(json.dumps(requirement_body(requirement)))
    again = requirement_of(body)
    assert again == requirement
    assert str(again.limit) == str(requirement.limit)
    assert requirement_body(again) == body


@pytest.mark.parametrize("key", list(requirement_body(SHIPPED[0])))
@pytest.mark.parametrize("bad", [None, 7, "no", [], {}])
def test_a_damaged_requirement_is_refused_by_one_kind_of_error(key: str, bad: object) -> None:
    body = requirement_body(SHIPPED[0])
    without = {name: body[name] for name in body if name != key}
    for changed in ({**body, key: bad}, without):
        with contextlib.suppress(UsageError):
            requirement_of(changed)


def test_what_is_wrong_in_a_damaged_requirement_is_said() -> None:
    body = requirement_body(SHIPPED[0])
    with pytest.raises(UsageError, match="rule 'guarded off' is unknown: allowed"):
        requirement_of({**body, "rule": "guarded off"})
    with pytest.raises(UsageError, match="cannot be read: KeyError: 'rule'; it is"):
        requirement_of({name: body[name] for name in body if name != "rule"})


@pytest.mark.parametrize("requirement", SHIPPED, ids=lambda entry: entry.id)
def test_a_shipped_requirement_says_how_it_is_shown_and_what_is_at_stake(
    requirement: Requirement,
) -> None:
    assert requirement.method
    assert requirement.severity
    assert requirement.hazard
    assert requirement.control
