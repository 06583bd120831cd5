"""Ends runner and sentinel at random moments of a treatment, and asks the bench: `make chaos`.

    python -m chaos.campaign --kills 1000 --deeds 60

Prints for each deed how often it was done, and the seconds until the current was at most 10 uA:
median, worst, bound; and what failure rate the number of trials excludes. Whatever is later than
its bound counts as late, and is told with its cause. Exit code 0 if nothing was.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chaos.ground import Ground, Treatment, hurry_all
from chaos.lateness import Machine, Stages
from hil_fixtures.sentinel.account import account
from hil_fixtures.station import LEASE
from hil_instruments.simulated.dialects.stimproof_cutoff import CLOSING_TIME, OPENING_TIME

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
    trials: list[Stages] = field(default_factory=list)
    """Those in which the current went off."""
    late: list[str] = field(default_factory=list)
    """What was late with its cause, and what else went wrong."""
    n: int = 0
    """Trials."""

    @property
    def seconds(self) -> list[float]:
        """Until the current was off, the late ones among them."""
        return [trial.looked for trial in self.trials]

    def line(self, name: str, width: int = 18) -> str:
        """One line of the table."""
        return (
            f"{name:{width}} n {self.n:4}  {_spread(self.seconds)}  "
            f"bound {self.bound * 1e3:5.0f} ms  {rate(len(self.late), self.n)}"
        )

    def stages(self) -> list[str]:
        """One line for each stage that the trials went through."""
        shares = [trial.shares for trial in self.trials]
        names = dict.fromkeys(name for share in shares for name in share)
        return [
            f"    {name:50} {_spread([share[name] for share in shares if name in share])}"
            for name in names
        ]


def _spread(seconds: Sequence[float]) -> str:
    median = statistics.median(seconds) if seconds else float("nan")
    worst = max(seconds, default=float("nan"))
    return f"median {median * 1e3:7.1f} ms  worst {worst * 1e3:7.1f} ms"


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
    data = room / f"{name.replace(' ', '-')}-{tally.n}"
    tally.n += 1
    ground.until(lambda: not ground.closed, 2 * LEASE)
    treatment = Treatment(ground, data)
    where = f"{name}, trial {tally.n}"
    try:
        treatment.energised()
        time.sleep(dice.uniform(0, 0.5))
        before = Machine.now(treatment.processes)
        stages = treatment.off_after(lambda: deed(treatment), bound + LEASE)
        if stages.looked > bound:
            machine = Machine.now(treatment.processes).since(before)
            tally.late.append(f"{where}: {stages.cause(bound)}; {stages}; {machine}")
        tally.trials.append(stages)
    except TimeoutError as err:  # it counts as a failure, whether current never came or never went
        tally.late.append(f"{where}: {_story(treatment)}; {err}")
    finally:
        treatment.end(prove=prove)
    return _wrong(data) if prove else ""


def _story(treatment: Treatment) -> str:
    """What the sentinel wrote."""
    return ", ".join(
        f"{record['utc']} {record['kind']} {record['body'].get('cause', '')}"
        for record in treatment.records()
    )


def _wrong(data: Path) -> str:
    found = account(data)
    if found is None or found["broken"] or not found["ended"]:
        return f"the sentinel's record is not whole: {found}"
    trips = found["trips"]
    return "" if len(trips) == 1 and trips[0]["confirmed"] else f"off was not proven: {trips}"


def delays() -> str:
    """What the bench itself takes of every figure."""
    return (
        f"the cut-off releases in {OPENING_TIME * 1e3:g} ms and operates in "
        f"{CLOSING_TIME * 1e3:g} ms of bench time (data sheet of a G6S), the link is loopback TCP"
    )


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
    parser.add_argument("--deeds", type=int, default=60, help="deeds drawn from all")
    parser.add_argument("--seed", type=int, default=time.time_ns() // 10**9)
    options = parser.parse_args()
    dice = random.Random(options.seed)
    names = [KILL] * options.kills + dice.choices(list(DEEDS), k=options.deeds)
    print(f"seed {options.seed}; {delays()}")
    hurry_all(os.getpid())  # who measures late measures too much
    with tempfile.TemporaryDirectory() as room:
        tallies = run(names, Path(room), options.seed, proofs=options.kills // 10)
    for name, tally in tallies.items():
        print(tally.line(name))
        if name == KILL:
            print(*tally.stages(), sep="\n")
    late = [text for tally in tallies.values() for text in tally.late]
    for text in late:
        print(text)
    return 1 if late else 0


if __name__ == "__main__":
    sys.exit(main())
