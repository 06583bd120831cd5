"""The lease opens by itself, and nothing that a trip has voided closes it again."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.errors import SafetyError
from hil.lease import LONGEST, Lease

law = settings(derandomize=True, deadline=None, max_examples=120)


def test_it_begins_open() -> None:
    assert not Lease().closed(0.0)
    assert Lease().cause == "never closed"


def test_it_lapses_by_itself() -> None:
    lease = Lease().grant(1, 2.0, now=10.0)
    assert lease.closed(10.0)
    assert lease.closed(11.999)
    assert not lease.closed(12.0)
    with pytest.raises(SafetyError, match="epoch 1 holds no lease: lapsed; arm again"):
        lease.renew(1, 0, 2.0, now=12.0)


def test_a_renewal_counts_from_now() -> None:
    lease = Lease().grant(1, 2.0, now=10.0).renew(1, 0, 2.0, now=11.5)
    assert lease.closed(13.4)
    assert not lease.closed(13.5)


def test_a_trip_voids_its_epoch() -> None:
    lease = Lease().grant(3, 2.0, now=0.0).trip("ceiling exceeded")
    assert not lease.closed(0.1)
    with pytest.raises(SafetyError, match="epoch 3 holds no lease: ceiling exceeded"):
        lease.renew(3, 0, 2.0, now=0.1)
    for epoch in (1, 2, 3):
        with pytest.raises(SafetyError, match=f"epoch {epoch} may not close.*ceiling exceeded"):
            lease.grant(epoch, 2.0, now=0.1)
    assert lease.grant(4, 2.0, now=0.1).closed(0.2)


def test_a_runner_that_was_continued_after_the_trip_cannot_close_again() -> None:
    newer = Lease().grant(1, 2.0, now=0.0).trip("runner stopped").grant(2, 2.0, now=1.0)
    with pytest.raises(SafetyError):
        newer.renew(1, 0, 2.0, now=1.1)
    with pytest.raises(SafetyError):
        newer.grant(1, 2.0, now=1.1)


@pytest.mark.parametrize("seconds", [0.0, -1.0, LONGEST * 1.001, math.inf, math.nan])
def test_no_lease_is_longer_than_the_longest(seconds: float) -> None:
    assert LONGEST == 10.0
    with pytest.raises(SafetyError, match="allowed"):
        Lease().grant(1, seconds, now=0.0)
    with pytest.raises(SafetyError, match="allowed"):
        Lease().grant(1, 1.0, now=0.0).renew(1, 0, seconds, now=0.5)
    assert Lease().grant(1, LONGEST, now=0.0).closed(LONGEST - 0.001)


def test_the_same_step_again_extends_nothing() -> None:
    """A heartbeat over stuck logic repeats the last step."""
    lease = Lease().grant(1, 2.0, now=0.0).renew(1, 7, 2.0, now=1.0)
    for step in (7, 6, 0):
        assert lease.renew(1, step, 2.0, now=2.9) == lease
    assert not lease.closed(3.0)
    assert lease.renew(1, 8, 2.0, now=2.9).closed(4.8)


def test_a_step_counts_within_its_own_grant() -> None:
    lease = Lease().grant(1, 2.0, now=0.0).renew(1, 7, 2.0, now=1.0)
    assert lease.grant(2, 2.0, now=1.0).renew(2, 0, 2.0, now=2.0).closed(3.9)


def test_after_a_final_trip_no_epoch_closes() -> None:
    lease = Lease().grant(1, 2.0, now=0.0).trip("the runner was lost", final=True)
    for epoch in (1, 2, 10**6):
        with pytest.raises(SafetyError, match="stays open: the runner was lost; start a new run"):
            lease.grant(epoch, 2.0, now=0.1)
    with pytest.raises(SafetyError, match="stays open"):
        lease.trip("opened once more").grant(9, 2.0, now=0.2)


def test_held_and_over_is_lapsed() -> None:
    lease = Lease().grant(1, 2.0, now=0.0)
    assert [lease.lapsed(now) for now in (0.0, 1.9, 2.0)] == [False, False, True]
    assert not lease.trip("opened").lapsed(2.0)
    assert not Lease().lapsed(2.0)


def test_time_that_is_no_time_is_open() -> None:
    assert not Lease().grant(1, 1.0, now=0.0).closed(math.nan)


deeds = st.lists(
    st.tuples(
        st.sampled_from(["grant", "renew", "trip"]),
        st.integers(0, 4),
        st.sampled_from([0.5, 2.0, 10.0]),
        st.sampled_from([0.0, 0.4, 3.0, 20.0]),
    ),
    max_size=12,
)


@law
@given(deeds)
def test_whatever_happens_it_is_closed_only_by_a_live_grant(
    course: list[tuple[str, int, float, float]],
) -> None:
    """Against a plain account of what was granted, renewed and voided."""
    lease, now = Lease(), 0.0
    epoch, until, step = 0, -1.0, 0
    for deed, asked, seconds, later in course:
        now += later
        if deed == "trip":
            lease, until = lease.trip("trip"), -1.0
        else:
            allowed = asked > epoch if deed == "grant" else asked == epoch and now < until
            try:
                step += 1
                if deed == "grant":
                    lease = lease.grant(asked, seconds, now=now)
                else:
                    lease = lease.renew(asked, step, seconds, now=now)
            except SafetyError:
                assert not allowed
            else:
                assert allowed
                epoch, until = asked, now + seconds
        for moment in (now, now + 0.3, now + 9, now + LONGEST):
            assert lease.closed(moment) == (moment < until)
