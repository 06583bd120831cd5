"""The lock of one instrument: exclusive, shared, both, and who waits for it."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from hil_instruments.simulated.servers.locks import DeviceLock, Grant, Release

ANNA, BERT, CARL = "anna", "bert", "carl"


def test_an_exclusive_lock_bars_everyone_else() -> None:
    lock = DeviceLock()
    assert lock.request(ANNA) is Grant.GRANTED
    assert lock.request(BERT) is Grant.HELD
    assert lock.request(BERT, "key") is Grant.HELD
    assert (lock.bars(ANNA), lock.bars(BERT)) == (False, True)
    assert lock.holders() == (True, 1)


def test_a_shared_lock_is_shared_by_its_key_alone() -> None:
    lock = DeviceLock()
    assert lock.request(ANNA, "k") is Grant.GRANTED
    assert lock.request(BERT, "k") is Grant.GRANTED
    assert lock.request(CARL, "other") is Grant.HELD
    assert lock.request(CARL) is Grant.HELD
    assert (lock.bars(ANNA), lock.bars(BERT), lock.bars(CARL)) == (False, False, True)
    assert lock.holders() == (False, 2)


def test_one_of_those_who_share_may_take_the_exclusive_lock_too() -> None:
    lock = DeviceLock()
    lock.request(ANNA, "k")
    lock.request(BERT, "k")
    assert lock.request(ANNA) is Grant.GRANTED
    assert lock.bars(BERT)
    assert lock.holders() == (True, 2)
    assert lock.release(ANNA) is Release.EXCLUSIVE
    assert not lock.bars(BERT)
    assert lock.release(ANNA) is Release.SHARED
    assert lock.release(ANNA) is Release.NONE


def test_a_lock_that_is_held_already_is_asked_for_in_vain() -> None:
    lock = DeviceLock()
    lock.request(ANNA)
    assert lock.request(ANNA) is Grant.ABSURD
    assert lock.request(ANNA, "k") is Grant.ABSURD


def test_a_new_key_may_be_chosen_when_nobody_shares_any_more() -> None:
    lock = DeviceLock()
    lock.request(ANNA, "k")
    lock.release(ANNA)
    assert lock.request(BERT, "other") is Grant.GRANTED


def test_an_owner_that_is_gone_holds_nothing() -> None:
    lock = DeviceLock()
    lock.request(ANNA, "k")
    lock.request(ANNA)
    lock.drop(ANNA)
    assert lock.holders() == (False, 0)


def test_who_waits_is_called_once_when_the_lock_is_given_back() -> None:
    lock, called = DeviceLock(), []
    lock.request(ANNA)
    lock.wait(lambda: called.append(lock.request(BERT)))
    lock.release(ANNA)
    lock.release(BERT)
    assert called == [Grant.GRANTED]


def test_who_has_given_up_waiting_is_not_called() -> None:
    lock, called = DeviceLock(), []

    def again() -> None:
        called.append(1)

    lock.request(ANNA)
    lock.wait(again)
    lock.forget(again)
    lock.release(ANNA)
    assert called == []


class Locking(RuleBasedStateMachine):
    """Whatever is asked in whatever order: who is barred follows from who holds."""

    owners = st.sampled_from([ANNA, BERT, CARL])

    def __init__(self) -> None:
        super().__init__()
        self.lock = DeviceLock()

    @rule(owner=owners, key=st.sampled_from(["", "k", "j"]))
    def request(self, owner: str, key: str) -> None:
        if self.lock.request(owner, key) is Grant.GRANTED:
            assert not self.lock.bars(owner)

    @rule(owner=owners)
    def release(self, owner: str) -> None:
        self.lock.release(owner)

    @rule(owner=owners)
    def drop(self, owner: str) -> None:
        self.lock.drop(owner)

    @invariant()
    def bars_agree_with_holders(self) -> None:
        exclusive, count = self.lock.holders()
        free = [owner for owner in (ANNA, BERT, CARL) if not self.lock.bars(owner)]
        assert len(free) == (1 if exclusive else count or 3)


test_locking_in_any_order = Locking.TestCase
