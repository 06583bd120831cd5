"""Runners killed at random moments, on a bench in another process, by what that bench says."""

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from chaos.campaign import KILL, run

pytestmark = pytest.mark.alone


@pytest.mark.timeout(300)  # 30 s, and several times that on a machine with other work
def test_of_twenty_killed_runners_none_is_late(tmp_path):
    """`make chaos` kills a thousand; the bound is the requirement's, at the pace of the wall."""
    seed = random.randrange(10**6)

    def lane(number):
        room = tmp_path / str(number)
        room.mkdir()
        (tally,) = run([KILL] * 10, room, seed + number, proofs=1).values()
        return tally

    with ThreadPoolExecutor(2) as pool:
        tallies = list(pool.map(lane, range(2)))
    for tally in tallies:
        assert not tally.late, f"seed {seed}: {tally.late}"
        assert len(tally.seconds) == 10
        assert max(tally.seconds) <= 0.2
