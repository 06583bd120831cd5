"""Ends runner and sentinel at random moments of a treatment, and asks the bench: `make chaos`.

    python -m chaos.campaign --kills 1000 --rounds 200

Prints for each deed how often it was done, and the seconds until the current was at most 10 uA:
median, worst, bound; and what failure rate the number of trials excludes. Exit code 0 if none was
later than its bound.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from chaos.ground import Ground, Treatment, hurry
from hil_fixtures import clocks
from hil_fixtures.sentinel.account import account
from hil_fixtures.sentinel.ledger import FILE
from hil_fixtures.station import LEASE

MARGIN = 0.2
"""Seconds from a cause that is noticed, or a lease that has lapsed, to a current that is off."""
Deed = Callable[[Treatment], None]


def both_killed(treatment: Treatment) -> None:
    """Nobody is left to open anything."""
    treatment.kill_sentinel()
    treatment.kill_runner()


def both_stopped(treatment: Treatment) -> None:
    """Nobody does anything, and both are there."""
    treatment.stop_sentinel()
    treatment.stop_runner()


KILL = "runner killed"
DEEDS: dict[str, tuple[Deed, float]] = {
    KILL: (Treatment.kill_runner, MARGIN),
    "runner stopped": (Treatment.stop_runner, LEASE + MARGIN),
    "sentinel killed": (Treatment.kill_sentinel, LEASE + MARGIN),
    "sentinel stopped": (Treatment.stop_sentinel, LEASE + MARGIN),
    "both killed": (both_killed, LEASE + MARGIN),
    "both stopped": (both_stopped, LEASE + MARGIN),
}
"""What is done, and the seconds within which the current has to be off."""


@dataclass
class Tally:
    """What came of one deed."""

    bound: float
    seconds: list[float] = field(default_factory=list)
    late: list[str] = field(default_factory=list)

    def line(self, name: str) -> str:
        """One line of the table."""
        n = len(self.seconds) + len(self.late)
        median = statistics.median(self.seconds) if self.seconds else float("nan")
        worst = max(self.seconds, default=float("nan"))
        return (
            f"{name:18} n {n:4}  median {median * 1e3:7.1f} ms  worst {worst * 1e3:7.1f} ms  "
            f"bound {self.bound * 1e3:5.0f} ms  {rate(len(self.late), n)}"
        )


def rate(late: int, n: int) -> str:
    """What n trials say of the failure rate, at 95 %: none in n still allows about 3 in n."""
    if late:
        return f"LATE: {late}"
    return f"none late: failure rate below {100 * (1 - 0.05 ** (1 / n)):.2g} % at 95 %" if n else ""


def trial(
    ground: Ground, room: Path, name: str, dice: random.Random, tally: Tally, *, prove: bool = False
) -> str:
    """Energise, do a deed at a random moment, and hold the truth against the bound.

    Returns:
        What is wrong with the sentinel's own record; empty if nothing, or if it was not asked for.
    """
    deed, bound = DEEDS[name]
    number = len(tally.seconds) + len(tally.late)
    data = room / f"{name.replace(' ', '-')}-{number}"
    ground.until(lambda: not ground.closed, 2 * LEASE)
    treatment = Treatment(ground, data)
    done = clocks.utc()
    try:
        treatment.energised()
        time.sleep(dice.uniform(0, 0.5))
        done = clocks.utc()
        try:
            tally.seconds.append(treatment.off_after(lambda: deed(treatment), bound))
        except TimeoutError as err:
            time.sleep(LEASE)  # what is late may still come
            tally.late.append(f"{name}, trial {number}: {_story(data, done)}; {err}")
    except TimeoutError as err:  # it counts as a failure: why no current came must be known
        tally.late.append(f"{name}, trial {number}, no current: {_story(data, done)}; {err}")
    finally:
        treatment.end(prove=prove)
    return _wrong(data) if prove else ""


def _story(data: Path, since: datetime) -> str:
    """What the sentinel wrote, and how many seconds after the deed."""
    lines = (data / FILE).read_text("utf-8").splitlines()
    records = [json.loads(line) for line in lines if line.endswith("}")]
    return ", ".join(
        f"{record['kind']} {record['body'].get('cause', '')} "
        f"{(datetime.fromisoformat(record['utc']) - since).total_seconds():+.3f} s"
        for record in records
    )


def _wrong(data: Path) -> str:
    found = account(data)
    if found is None or found["broken"] or not found["ended"]:
        return f"the sentinel's record is not whole: {found}"
    trips = found["trips"]
    return "" if len(trips) == 1 and trips[0]["confirmed"] else f"off was not proven: {trips}"


def run(names: Sequence[str], room: Path, seed: int, proofs: int = 0) -> dict[str, Tally]:
    """One trial for each name, in order, on one bench; the first `proofs` also prove off."""
    dice = random.Random(seed)
    tallies = {name: Tally(DEEDS[name][1]) for name in dict.fromkeys(names)}
    ground = Ground(room)
    try:
        for n, name in enumerate(names):
            prove = n < proofs and name.startswith("runner")
            wrong = trial(ground, room, name, dice, tallies[name], prove=prove)
            if wrong:
                tallies[name].late.append(wrong)
    finally:
        ground.end()
    return tallies


def main() -> int:
    """Run the campaign and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=1000, help="times that the runner is killed")
    parser.add_argument("--rounds", type=int, default=200, help="deeds drawn from all")
    parser.add_argument("--seed", type=int, default=time.time_ns() // 10**9)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    names = [KILL] * options.kills + dice.choices(list(DEEDS), k=options.rounds)
    print(f"seed {options.seed}")
    hurry(os.getpid())  # who measures late measures too much
    with tempfile.TemporaryDirectory() as room:
        tallies = run(names, Path(room), options.seed, proofs=options.kills // 10)
    for name, tally in tallies.items():
        print(tally.line(name))
    late = [text for tally in tallies.values() for text in tally.late]
    for text in late:
        print(text)
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
