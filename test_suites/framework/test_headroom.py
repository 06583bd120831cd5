"""Headroom: a call of a test costs no system call, however deep it stands."""

import resource

from hil_fixtures.headroom import with_headroom

CALLS = 500
DEPTHS = range(300)


def leaf(first: int, second: int) -> int:
    """Something to call."""
    return first + second


def faults(depth: int) -> int:
    """Pages that the system hands out while a function is called again and again at a depth."""
    if depth:
        return faults(depth - 1)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for number in range(CALLS):
        leaf(number, 1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def most() -> int:
    """Pages of the worst depth."""
    return max(faults(depth) for depth in DEPTHS)


def test_no_depth_has_a_page_for_each_call() -> None:
    """The plugin gives a test headroom; without it CPython has such a depth, 3.11 to 3.13."""
    assert most() < CALLS / 2


def test_a_function_stays_what_it_is() -> None:
    """Arguments, result, name and signature are those of the function."""
    roomy = with_headroom(leaf)
    assert roomy(2, second=3) == 5
    assert (roomy.__name__, roomy.__wrapped__) == ("leaf", leaf)  # type: ignore[attr-defined]


async def awaited() -> None:
    """What pytest refuses to call, since nobody would await it."""


def test_what_is_to_be_awaited_stays_what_it_is() -> None:
    assert with_headroom(awaited) is awaited
