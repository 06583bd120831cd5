"""Runners killed at random moments, on a bench in another process, by what that bench says."""

import random

import pytest

from chaos.campaign import KILL, run

pytestmark = pytest.mark.alone


@pytest.mark.timeout(300)  # 50 s, and several times that on a machine with other work
def test_of_twenty_killed_runners_none_is_late(tmp_path):
    """`make chaos` kills a thousand; the bound is the requirement's, at the pace of the wall."""
    seed = random.randrange(10**6)
    (tally,) = run([KILL] * 20, tmp_path, seed, proofs=2).values()
    assert not tally.late, f"seed {seed}: {tally.late}"
    assert len(tally.seconds) == 20
    assert max(tally.seconds) <= 0.2
