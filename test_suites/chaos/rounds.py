"""Real runs, struck at random: `python -m chaos.rounds --rounds 200`.

Each round runs a random treatment on a served bench at 20 bench seconds a second, by `hil run` or
by plain pytest, and at a random moment kills, stalls, unplugs or unpowers any of runner, sentinel,
supervisor, links, instruments and device. Then the bench is asked, and the record is read:

    the current is off in time      by whoever is left; the bound of each kind is in the table
    and stays off                   whoever was stalled goes on, and closes nothing
    the envelope was never left     largest current and charge since the reset, by the bench
    the record can be read          sealed, verified, and reported alike in every format
    no PASS for what was struck     nor for the run; the exit code is that of the journal

Exit code 0 if all of it held in each round. A round depends on the seed and its number alone:
`--seed S --round K` repeats one.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from chaos.blows import GOES_ON, LAPSE, MARGIN, SCALE, Blow, Bound, Part, Round, bound, drawn
from chaos.campaign import Tally, delays
from chaos.ground import OFF, Ground, hurry_all
from chaos.lateness import Machine, Stages
from chaos.run import Course, Ended, forked, hil
from crash.crash import agreed
from hil.conclusion import Conclusion, conclude
from hil.exact import Exact
from hil.proof import PROBE
from hil.verdict import ExitCode, Verdict
from hil_reports.evidence import read_journal, verify
from hil_reports.evidence.bag import TAG_MANIFEST

OVERSHOOT = 1.1
"""Share of the largest setting of an envelope that a healthy device may reach in 1 ms."""
_PATIENCE = 3.0
"""Seconds beyond its bound in which what is late may still come."""
_SETTLING = 0.15
"""Seconds for which it is seen to stay off before anybody is mended."""
_NONE = float("nan")
_ATTEMPTS = 5
"""Times that a round is begun: a short test is over before its moment, and on a machine with much
other work a lease lapses by itself."""


@dataclass
class Outcome:
    """What came of one round."""

    plan: Round
    bound: Bound = GOES_ON
    stages: Stages | None = None
    """None if the current was never seen to go off."""
    problems: list[str] = field(default_factory=list)
    seconds: float = 0.0
    """What the round took."""
    missed: int = 0
    """Times that it was over before it was struck."""


def played(ground: Ground, place: Path, outcome: Outcome) -> None:
    """Play one round, and enter what came of it."""
    began = time.monotonic()
    for attempt in range(_ATTEMPTS):
        course = Course(ground, place / str(attempt), outcome.plan)
        try:
            course.energised(0.0 if attempt else outcome.plan.moment)
        except (Ended, TimeoutError) as err:
            course.kill()
            outcome.missed += 1
            if attempt == _ATTEMPTS - 1:
                outcome.problems.append(f"it ended before it was struck: {err}")
        else:
            _strike(course, outcome)
            break
    outcome.seconds = time.monotonic() - began


def _strike(course: Course, outcome: Outcome) -> None:
    ground, plan = course.ground, course.plan
    test = course.in_flight()
    processes = {part.value: pid for part, pid in course.pids.items()} | {"bench": ground.pid}
    before = Machine.now(processes)
    first = time.monotonic()
    for blow in plan.blows:
        time.sleep(max(0.0, first + blow.after - time.monotonic()))
        course.strike(blow)
    reached = bound(plan.blows)
    if reached is None:
        time.sleep(_SETTLING)
        course.strike(Blow(Part.RUNNER, "killed"))
    outcome.bound = reached or GOES_ON
    began, allowed = time.monotonic(), outcome.bound.seconds + MARGIN
    try:
        ground.until(lambda: ground.current <= OFF, allowed + _PATIENCE)
        looked, gap = time.monotonic() - began, ground.gap
        moved = ground.contacts_moved(began)
        outcome.stages = Stages(_NONE, _NONE, moved, looked, gap)
        if looked > allowed:
            machine = Machine.now(processes).since(before)
            outcome.problems.append(
                f"off after {looked:.3f} s, {allowed:.3f} s is allowed: "
                f"{outcome.stages.cause(allowed)}; {outcome.stages}; {machine}"
            )
    except TimeoutError as err:
        outcome.problems.append(f"off never came: {err}")
    outcome.problems += _after(course)
    outcome.problems += _recorded(course, test)


def _after(course: Course) -> list[str]:
    """Let everybody go on and end; what the bench says is wrong meanwhile and in the end."""
    ground, problems = course.ground, []
    deadline = time.monotonic() + _SETTLING
    while time.monotonic() < deadline:
        if ground.driven > OFF:
            problems.append(f"it came back: {ground.told()}")
            break
        time.sleep(_SETTLING / 20)
    course.go_on()
    if course.plan.mended:
        course.mend()
    problems += course.end()
    try:  # with nobody left the relay's lease has still to lapse
        ground.until(lambda: ground.current <= OFF and not ground.closed, LAPSE + MARGIN)
    except TimeoutError as err:
        problems.append(f"in the end it is not off: {err}")
    return problems + [f"the bench itself: {each}" for each in ground.control.do("failures")]


# --- what the record says -------------------------------------------------------------------------


def _recorded(course: Course, test: str) -> list[str]:
    folder = course.evidence
    by_itself = (folder / TAG_MANIFEST).exists()
    if not by_itself:
        pid = forked(course.folder, "seal.log", hil("seal", str(folder)))
        os.waitpid(pid, 0)
        if not (folder / TAG_MANIFEST).exists():
            return [f"it could not be sealed: {(course.folder / 'seal.log').read_text()}"]
    problems = [f"verify: {problem}" for problem in verify(folder).problems]
    found = conclude(read_journal(folder).records)
    problems += agreed(folder, found)
    problems += _green(found, test)
    if by_itself and course.plan.path == "hil run" and course.code != int(found.exit_code):
        problems.append(f"it ended with {course.code}, the journal makes it {found.exit_code!r}")
    return problems + _beyond(course, folder)


def _green(found: Conclusion, test: str) -> list[str]:
    """What is green although the run was struck while current flowed."""
    problems = []
    if found.exit_code is ExitCode.COMPLIES:
        problems.append("the run complies, although it was struck")
    if not test:
        problems.append("no test was in flight while current flowed")
    problems += [
        f"{test} was struck and is {row.verdict.value}, {row.outcome}"
        for row in found.tests
        if row.test == test and (row.verdict is Verdict.PASS or row.outcome == "passed")
    ]
    return problems + [
        f"{row.requirement['id']} is PASS, and {test} was struck"
        for row in found.requirements
        if test in row.tests and row.verdict is Verdict.PASS
    ]


def _beyond(course: Course, folder: Path) -> list[str]:
    """Where the bench saw more than the envelopes of the armings allow."""
    armed = [record.body for record in read_journal(folder).records if record.kind == "armed"]
    envelopes = [body["envelope"] for body in armed]
    own = [body["envelope"] for body in armed if body["test"] != PROBE] or envelopes
    most = course.ground.control.do("truth")["most"]
    current = max(float(Exact.parse(each["max_current"]).base) for each in envelopes)
    charge = sum(float(Exact.parse(each["max_charge"]).base) for each in envelopes)
    if course.plan.treatment == "wild":  # its last arming has the small one
        current = min(float(Exact.parse(each["max_current"]).base) for each in own)
    source = course.ground.description.source
    largest = max(current, float(source.current.base) if source else 0.0)
    problems = []
    if most["driven"] > OVERSHOOT * current:
        problems.append(f"{most['driven']:.6f} A were driven; the envelope ends at {current:g} A")
    if most["driven_charge"] > OVERSHOOT * charge:
        problems.append(
            f"{most['driven_charge']:.4f} C were driven; the envelopes end at {charge:g} C"
        )
    if most["current"] > OVERSHOOT * largest:
        problems.append(f"{most['current']:.6f} A flowed; envelope and source end at {largest:g} A")
    return problems


# --- the campaign ---------------------------------------------------------------------------------


def _work(room: Path, plans: Iterable[Round], told: Connection) -> None:
    """Play rounds on a bench of one's own, and tell what came of each."""
    room.mkdir()
    ground = Ground(room, SCALE)
    hurry_all(os.getpid())
    try:
        for plan in plans:
            outcome = Outcome(plan)
            try:
                played(ground, room / str(plan.number), outcome)
            except Exception:  # the other rounds are played all the same
                outcome.problems.append(traceback.format_exc())
            if not outcome.problems:
                shutil.rmtree(room / str(plan.number))
            told.send(outcome)
    finally:
        ground.end()
        told.close()


def campaign(plans: Sequence[Round], room: Path, jobs: int) -> list[Outcome]:
    """Play rounds on as many benches as there are jobs; each outcome is printed if it is bad."""
    context = multiprocessing.get_context("fork")
    workers = []
    lines: list[Connection] = []
    for job in range(min(jobs, len(plans))):
        ours, theirs = context.Pipe(duplex=False)
        arguments = (room / f"bench-{job}", plans[job::jobs], theirs)
        worker = context.Process(target=_work, args=arguments)
        worker.start()
        theirs.close()
        workers.append(worker)
        lines.append(ours)
    outcomes: list[Outcome] = []
    while lines:
        for line in wait(lines):
            if not isinstance(line, Connection):
                continue
            try:
                outcome: Outcome = line.recv()
            except EOFError:
                lines.remove(line)
                continue
            outcomes.append(outcome)
            for problem in outcome.problems:
                print(f"{outcome.plan}: {problem}", flush=True)
    for worker in workers:
        worker.join()
    return outcomes


def tallied(outcomes: Iterable[Outcome]) -> dict[str, Tally]:
    """Gather outcomes by who was left to open."""
    tallies: dict[str, Tally] = {}
    for outcome in outcomes:
        tally = tallies.setdefault(outcome.bound.kind, Tally(outcome.bound.seconds + MARGIN))
        tally.n += 1
        if outcome.stages is not None:
            tally.trials.append(outcome.stages)
        if outcome.stages is None or outcome.stages.looked > tally.bound:
            tally.late.append(str(outcome.plan))
    return tallies


def main() -> int:
    """Play a campaign and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--round", type=int, help="this one alone, as it was with that seed")
    parser.add_argument("--seed", type=int, default=time.time_ns() // 10**9)
    parser.add_argument("--jobs", type=int, default=2, help="benches at a time")
    options = parser.parse_args()
    plans = drawn(options.seed, max(options.rounds, (options.round or 0) + 1))
    if options.round is not None:
        plans = plans[options.round :][:1]
        print(plans[0])
    print(f"seed {options.seed}: {len(plans)} rounds at {SCALE:g} bench seconds a second;")
    print(delays())
    room = Path(tempfile.mkdtemp(prefix="chaos-"))
    outcomes = campaign(plans, room, options.jobs)
    for kind, tally in sorted(tallied(outcomes).items()):
        print(tally.line(kind, 60))
    bad = [outcome for outcome in outcomes if outcome.problems]
    took = sum(outcome.seconds for outcome in outcomes) / max(len(outcomes), 1)
    missed = sum(outcome.missed for outcome in outcomes)
    print(
        f"{len(outcomes)} of {len(plans)} rounds, {len(bad)} bad, {missed} begun anew as they "
        f"were over before they were struck, {took:.1f} s each"
    )
    for outcome in bad:
        print(f"again: --seed {options.seed} --round {outcome.plan.number}")
    if bad or len(outcomes) != len(plans):
        print(f"kept: {room}")
        return 1
    shutil.rmtree(room)
    return 0


if __name__ == "__main__":
    sys.exit(main())
