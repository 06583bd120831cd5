"""Faults of the link between instrument and computer, as data and as pure functions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import UsageError
from hil_instruments.simulated.faults.link import LINK_FAULTS, Delivery, Link, LinkFault

REPLY = b"+1.23456789E-03\n"


def carried(count: int = 1, seed: int = 0, **fault: object) -> list[Delivery]:
    link = Link(seed)
    link.set([LinkFault(**fault)])  # type: ignore[arg-type]  # the test's own keywords
    return [link.carry(REPLY) for _ in range(count)]


def test_a_healthy_link_carries_a_reply_as_it_is() -> None:
    assert Link().carry(REPLY) == Delivery((REPLY,))


def test_a_late_reply_is_whole_and_takes_longer() -> None:
    assert carried(kind="late", extent=0.5) == [Delivery((REPLY,), delay=0.5)]


def test_a_truncated_reply_is_its_beginning() -> None:
    assert carried(kind="truncated", extent=0.5)[0].messages == (REPLY[:8],)


def test_a_truncated_reply_is_never_whole() -> None:
    assert carried(kind="truncated", extent=1)[0].messages == (REPLY[:-1],)


def test_a_duplicated_reply_comes_twice() -> None:
    assert carried(kind="duplicated")[0].messages == (REPLY, REPLY)


def test_a_garbled_reply_differs_and_keeps_its_end() -> None:
    (message,) = carried(kind="garbled", extent=0.01)[0].messages
    assert message != REPLY
    assert len(message) == len(REPLY)
    assert message.endswith(b"\n")


def test_garbling_repeats_with_its_seed_and_differs_with_another() -> None:
    assert carried(3, 1, kind="garbled") == carried(3, 1, kind="garbled")
    assert carried(3, 1, kind="garbled") != carried(3, 2, kind="garbled")


def test_a_wrong_terminator_is_a_carriage_return_alone() -> None:
    assert carried(kind="wrong-terminator")[0].messages == (b"+1.23456789E-03\r",)


def test_a_dropped_connection_carries_nothing_more() -> None:
    assert carried(kind="dropped") == [Delivery((), drop=True)]


def test_a_connection_may_drop_in_the_middle_of_a_reply() -> None:
    assert carried(kind="dropped", extent=0.5) == [Delivery((REPLY[:8],), drop=True)]


def test_silence_is_no_reply() -> None:
    assert carried(kind="silent") == [Delivery(())]


def test_without_its_cable_an_instrument_hears_nothing() -> None:
    link = Link()
    assert link.hears()
    link.set([LinkFault(kind="unplugged", first=2, every=0)])
    assert [link.hears() for _ in range(3)] == [True, False, True]
    assert link.carry(REPLY) == Delivery((REPLY,))


def test_a_fault_meets_the_replies_that_it_names() -> None:
    struck = [not each.messages for each in carried(9, kind="silent", first=3, every=2)]
    assert struck == [False, False, True, False, True, False, True, False, True]


def test_a_fault_may_meet_one_reply_alone() -> None:
    assert [not each.messages for each in carried(4, kind="silent", first=2, every=0)] == [
        False,
        True,
        False,
        False,
    ]


def test_a_probability_is_about_kept_and_repeats_with_its_seed() -> None:
    first = carried(1000, 5, kind="silent", probability=0.3)
    assert first == carried(1000, 5, kind="silent", probability=0.3)
    assert 250 < sum(not each.messages for each in first) < 350


def test_two_faults_act_together() -> None:
    link = Link()
    link.set([LinkFault(kind="late", extent=1.0), LinkFault(kind="duplicated")])
    assert link.carry(REPLY) == Delivery((REPLY, REPLY), delay=1.0)


def test_setting_faults_counts_anew() -> None:
    link = Link()
    link.carry(REPLY)
    link.set([LinkFault(kind="silent", first=1, every=0)])
    assert link.carry(REPLY).messages == ()


def test_every_kind_has_its_description() -> None:
    assert [kind.id for kind in LINK_FAULTS.values()] == [f"L0{n}" for n in range(1, 9)]
    assert all(kind.title and kind.observable for kind in LINK_FAULTS.values())


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "lost"},
        {"kind": "late", "extent": -1.0},
        {"kind": "silent", "extent": 0.5},
        {"kind": "late", "first": 0},
        {"kind": "late", "probability": 1.5},
        {"kind": "late", "extent": float("nan")},
    ],
)
def test_an_impossible_fault_is_refused_with_what_is_allowed(fault: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="allowed"):
        LinkFault(**fault)  # type: ignore[arg-type]  # the test's own keywords


@given(
    reply=st.binary(max_size=50),
    kind=st.sampled_from(sorted(LINK_FAULTS)),
    seed=st.integers(0, 9),
)
def test_any_reply_survives_any_fault(reply: bytes, kind: str, seed: int) -> None:
    link = Link(seed)
    link.set([LinkFault(kind=kind)])
    delivery = link.carry(reply)
    assert len(delivery.messages) <= 2
    assert all(len(each) <= len(reply) + 1 for each in delivery.messages)
