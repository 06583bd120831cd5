"""Drives every way in which a run can stop, and asks the bench: `make paths`.

    python -m chaos.paths --trials 5 --scale 5
    python -m chaos.paths --only "Ctrl-C held for 3 s" --trials 20
    python -m chaos.paths --trials 20 --write docs/sentinel.md

Each trial is a real `hil run` (or pytest, where that is the path) on a bench in another process.
Prints for each path who opened, n, and the seconds until the current was at most 10 uA: median,
worst, bound. Exit code 0 if every trial did what its path promises.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path as File

from chaos.course import Course
from chaos.ground import OFF, Ground, hurry
from chaos.stops import (
    DEVICE,
    PATHS,
    RELAY,
    RUNNER,
    SENTINEL,
    Path,
    real_kill,
    small_disk,
)
from framework import brisk
from hil.verdict import ExitCode, Verdict
from hil_reports.evidence import verify

PATIENCE = 25.0
"""Seconds beyond its bound for which a current that is late is waited for, or a slow cause."""
MOST = 60_000
"""kB that a sentinel may have resident."""
MARKS = "<!-- made by make paths -->", "<!-- end of what is made -->"


@dataclass
class Outcome:
    """What came of one trial of one path."""

    path: Path
    seconds: float = float("nan")
    """From the cause to the current off; NaN if it never was."""
    objections: list[str] = field(default_factory=list)
    """What is not as the path promises."""


def drive(paths: Sequence[Path], ground: Ground, room: File, slack: float = 0.0) -> list[Outcome]:
    """Drive one path, or several that share a run, once.

    Args:
        paths: one, or some that are all `shared`.
        ground: the bench.
        room: an empty folder for it.
        slack: seconds by which a machine with other work may exceed a bound.
    """
    outcomes = [Outcome(path) for path in paths]
    scale = ground.description.clock_scale
    try:
        _drive(outcomes, ground, room, slack, scale)
    except Exception as err:  # one trial that breaks down is a finding, and the others go on
        for each in outcomes:
            each.objections.append(f"{type(err).__name__}: {err}")
    return outcomes


def _drive(outcomes: list[Outcome], ground: Ground, room: File, slack: float, scale: float) -> None:
    first = outcomes[0].path
    room.mkdir(parents=True)
    disk = first.name == "full disk" and _mounted(room)
    course = Course(
        ground,
        room,
        "".join(each.path.text for each in outcomes),
        plain=first.plain,
        terminal=first.terminal,
        ceiling=first.ceiling,
        arguments=tuple(word for each in outcomes for word in each.path.arguments),
    )
    try:
        for each in outcomes:
            course.energised()
            if course.sentinel_memory >= MOST:
                each.objections.append(f"the sentinel takes {course.sentinel_memory} kB")
            _measure(each, course, slack, scale)
            each.path.after(course)
            if each.path.shared:
                course.next()
        code = course.end()
        if first.unsealed:
            _make_whole(course)
        for each in outcomes:
            each.objections += _objections(each.path, course, code)
    finally:
        course.abandon()
        if disk:
            subprocess.run(["umount", str(room / "runs")], check=True)


def _mounted(room: File) -> bool:
    out = room / "runs"
    out.mkdir()
    return small_disk(out)


def _make_whole(course: Course) -> None:
    (course.out / "filler").unlink(missing_ok=True)
    course.seal()


def _measure(outcome: Outcome, course: Course, slack: float, scale: float) -> None:
    path = outcome.path
    bound = path.bound.seconds(scale) + slack
    longest = bound + path.delay + PATIENCE
    outcome.seconds = course.off_within(longest, lambda: path.act(course)) - path.delay
    if not 0 <= outcome.seconds <= bound:
        outcome.objections.append(f"off after {outcome.seconds:.3f} s; bound {bound:.3f} s")


def _objections(path: Path, course: Course, code: int) -> Iterator[str]:
    """What is not as the path promises, once all has ended."""
    if code != path.code:
        yield f"exit code {code}; promised {path.code}: {course.said[-300:]}"
    if course.ground.closed or course.ground.current > OFF:
        yield f"it did not stay off: {course.ground.told()}"
    found = course.conclusion
    opener = _opener(course)
    if path.opener not in {opener, RELAY, DEVICE}:  # which leave no record of it
        yield f"{opener} opened; promised: {path.opener}"
    confirmed = found.exit_code is not ExitCode.UNSAFE
    if confirmed is not path.confirmed:
        yield f"off confirmed: {confirmed}; promised: {path.confirmed}; {found.reasons}"
    if found.exit_code is ExitCode.COMPLIES:
        yield "it complies"
    rows = [row for row in found.tests if row.test.endswith(f":{path.test}")]
    if len(rows) != 1 or (rows[0].verdict is Verdict.PASS) is not path.green:
        yield f"verdicts {[str(row.verdict) for row in rows]}; a PASS was due: {path.green}"
    if "Traceback" in course.said:
        yield f"it printed a traceback: {course.said[-300:]}"
    if path.tells not in " ".join(found.reasons):
        yield f"the reasons say nothing of {path.tells!r}: {found.reasons}"
    if problems := verify(course.folder).problems:
        yield f"hil verify: {problems}"


def _opener(course: Course) -> str:
    """Who went to off, by the records of this test: a trip is the sentinel's."""
    if any(body["trips"] for body in course.records("sentinel")):
        return SENTINEL
    armings = len(course.records("armed"))  # the probe arm of the pre-flight is one of them
    return RUNNER if len(course.records("safe_state")) == armings else RELAY


def courses(paths: Iterable[Path]) -> list[list[Path]]:
    """Lay paths out into runs: those that are shared into one, each other into its own."""
    found = list(paths)
    shared = [path for path in found if path.shared]
    return [*([shared] if shared else []), *([path] for path in found if not path.shared)]


def campaign(
    paths: Iterable[Path],
    room: File,
    scale: float,
    trials: int = 1,
    lanes: int = 1,
    slack: float = 0.0,
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> dict[str, list[Outcome]]:
    """Drive paths, each so many times, on so many benches beside each other; `tell` hears each."""
    runs = [run for run in courses(paths) for _ in range(trials)]
    waiting = deque(enumerate(runs))  # whichever bench is free takes the next
    found: dict[str, list[Outcome]] = {}

    def lane(number: int) -> list[Outcome]:
        folder = room / f"lane-{number}"
        folder.mkdir(parents=True)
        ground = Ground(folder, scale, brisk.file(folder))
        outcomes: list[Outcome] = []
        try:
            while waiting:
                n, run = waiting.popleft()
                for outcome in drive(run, ground, folder / str(n), slack):
                    tell(outcome)
                    outcomes.append(outcome)
            if outcomes and (failures := ground.control.do("failures")):
                outcomes[-1].objections.append(f"the bench itself failed: {failures}")
        finally:
            ground.end()
        return outcomes

    with ThreadPoolExecutor(lanes) as pool:
        for outcome in (each for made in pool.map(lane, range(lanes)) for each in made):
            found.setdefault(outcome.path.name, []).append(outcome)
    return found


def row(path: Path, outcomes: Sequence[Outcome], scale: float) -> str:
    """One line of the table, as Markdown has it."""
    seconds = [each.seconds for each in outcomes if each.seconds == each.seconds]
    middle = _ms(statistics.median(seconds)) if seconds else "-"
    worst = _ms(max(seconds)) if seconds else "-"
    off = "confirmed" if path.confirmed else "UNCONFIRMED"
    wrong = sum(1 for each in outcomes if each.objections)
    kept = f"{len(outcomes)}" if not wrong else f"{len(outcomes)}, {wrong} NOT KEPT"
    cells = (
        path.name, path.opener, kept, middle, worst, _ms(path.bound.seconds(scale)), off,
        str(path.code),
    )  # fmt: skip
    return f"| {' | '.join(cells)} |"


HEADER = (
    "| path | who opens | n | median | worst | bound | off | exit code |\n"
    "|---|---|---|---|---|---|---|---|"
)


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.0f} ms"


def table(found: dict[str, list[Outcome]], scale: float) -> str:
    """The table of what was driven."""
    rows = [row(path, found[path.name], scale) for path in PATHS if path.name in found]
    return "\n".join((HEADER, *rows))


def circumstances(scale: float, trials: int) -> str:
    """Under which the figures were found."""
    load = os.getloadavg()[0]
    killed = "by the kernel" if real_kill() else "in its place by SIGKILL: no group can be made"
    many = "1 trial" if trials == 1 else f"{trials} trials"
    return (
        f"{many} each at {scale:g} bench seconds a second, {os.cpu_count()} cores, load "
        f"{load:.1f} as they began. The out-of-memory kill was done {killed}."
    )


def write(text: str, file: File) -> None:
    """Put the table between its marks."""
    begin, end = MARKS
    before, middle, rest = file.read_text("utf-8").partition(begin)
    _, last, after = rest.partition(end)
    if not (middle and last):
        raise SystemExit(f"{file} has no place for the table between {begin} and {end}")
    file.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def tell(outcome: Outcome) -> None:
    """Say how one trial went, as it has ended."""
    wrong = f"  {'; '.join(outcome.objections)}" if outcome.objections else ""
    print(f"{outcome.path.name}: {outcome.seconds:.3f} s{wrong}", flush=True)


def main() -> int:
    """Run the campaign and print its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=5, help="of each path")
    parser.add_argument("--scale", type=float, default=5.0, help="bench seconds a second")
    parser.add_argument("--only", action="append", help="name of a path; repeatable")
    parser.add_argument("--write", type=File, help="file whose table is replaced")
    options = parser.parse_args()
    names = [path.name for path in PATHS]
    if unknown := set(options.only or ()) - set(names):
        parser.error(f"{unknown.pop()!r} is no path; allowed: {', '.join(names)}")
    chosen = [path for path in PATHS if path.name in (options.only or names)]
    told = circumstances(options.scale, options.trials)
    print(told, flush=True)
    hurry(os.getpid())  # who measures late measures too much
    with tempfile.TemporaryDirectory() as room:
        found = campaign(chosen, File(room), options.scale, options.trials, tell=tell)
    made = table(found, options.scale)
    print(made)
    if options.write:
        write(f"{told}\n\n{made}", options.write)
    return 1 if any(each.objections for outcomes in found.values() for each in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
