"""A healthy device over many seeds: the suites accuse nobody: `make seeds`.

    python -m qualify.seeds smoke:100 standard:20 full:4 full:40:15
        [--first 1] [--jobs 2] [--kept FILE]

`full:40:15` is full depth over 40 seeds, with 15 examples of each property in the place of those
of the depth. Each seed draws other errors of the instruments, another device within its figures,
other noise and other examples. What counts is each FAIL, each ERROR, each test that did not come to
its end, and each INCONCLUSIVE that a better instrument would not cure: one whose value lies
outside, or that rests on something else than the uncertainty. What a better instrument would cure
is counted apart.

Each run is printed when it ends and kept as a line of --kept: a call that is interrupted goes on
where it was, as long as the source is the same. Exit code 1 if anything was found.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

from hil.bodies import JudgementBody
from hil.conclusion import Conclusion
from hil.depth import Depth
from hil.verdict import Verdict
from qualify.runs import judged

USUAL = ("smoke:100", "standard:20", "full:4")
"""Runs of a call that names none."""
KEPT = Path("build", "seeds.jsonl")
"""Where lines are kept if nobody says otherwise."""
_GOOD = {Verdict.PASS.value, Verdict.NOT_EVALUATED.value, Verdict.NOT_APPLICABLE.value}


@dataclass(frozen=True)
class Line:
    """What one run came to."""

    source: str
    """Commit that was judged, with `+` where files differ from it."""
    depth: str
    """Of the run."""
    seed: int
    """Of the run."""
    judgements: int
    """How many there were."""
    accused: tuple[str, ...]
    """What the suites hold against a healthy device, in words."""
    curable: tuple[str, ...]
    """What a better instrument would cure, in words."""
    seconds: float
    """Wall time that it took."""
    examples: int | None = None
    """Of each property; None for as many as the depth has."""

    @property
    def run(self) -> Asked:
        """What was asked for."""
        return Asked(self.depth, self.seed, self.examples)


class Asked(NamedTuple):
    """One run."""

    depth: str
    seed: int
    examples: int | None


def line(source: str, run: Asked) -> Line:
    """Judge a healthy device of one seed."""
    begin = time.monotonic()
    count = 0
    try:
        found = judged(depth=run.depth, seed=run.seed, examples=run.examples)
    except RuntimeError as err:
        accused: tuple[str, ...] = (f"no run: {str(err)[-300:]}",)
        curable: tuple[str, ...] = ()
    else:
        accused, curable = weighed(found)
        count = sum(len(row.judgements) for row in found.requirements)
    seconds = round(time.monotonic() - begin, 1)
    return Line(source, run.depth, run.seed, count, accused, curable, seconds, run.examples)


def weighed(found: Conclusion) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What a run holds against its device, and what a better instrument would cure."""
    bodies = [body for row in found.requirements for body in row.judgements]
    bad = [body for body in bodies if body["verdict"] not in _GOOD]
    ended = [row for row in found.tests if row.verdict is Verdict.NO_VERDICT]
    accused = [told(body) for body in bad if not cured(body)]
    accused += [f"{row.test}: never came to its end" for row in ended]
    if not bodies:
        accused.append("nothing was judged")
    return tuple(accused), tuple(told(body) for body in bad if cured(body))


def cured(body: JudgementBody) -> bool:
    """Whether a smaller uncertainty would have made a PASS of it."""
    if body["verdict"] != Verdict.INCONCLUSIVE.value or body["margin"] is None:
        return False
    return Decimal(0) <= Decimal(body["margin"]) < Decimal(body["guard"])


def told(body: JudgementBody) -> str:
    """One judgement in a line."""
    at = f" at {body['at']}" if body["at"] else ""
    return f"{body['requirement']} {body['verdict']} in {body['test']}{at}: {body['reason']}"


def source() -> str:
    """Commit of the checkout, with `+` where files differ from it."""
    head, changed = (
        subprocess.run(["git", *words], capture_output=True, text=True, check=False).stdout.strip()
        for words in (("rev-parse", "--short=12", "HEAD"), ("status", "--porcelain", "-uno"))
    )
    return f"{head or 'unknown'}{'+' if changed else ''}"


def kept(file: Path) -> Iterator[Line]:
    """Lines of earlier calls; a last one that was cut short is left out."""
    if not file.is_file():
        return
    for text in file.read_text("utf-8").splitlines():
        try:
            entry = json.loads(text)
        except ValueError:
            continue
        lists = {name: tuple(entry[name]) for name in ("accused", "curable")}
        yield Line(**(entry | lists))


def asked(words: list[str], first: int) -> list[Asked]:
    """Each run, of words as smoke:100 or full:40:15; raises ValueError for any other."""
    runs = []
    for word in words:
        depth, count, *rest = word.split(":")
        (examples,) = map(int, rest) if rest else (None,)
        runs += [Asked(Depth(depth).value, first + n, examples) for n in range(int(count))]
    return runs


def main(arguments: list[str] | None = None) -> int:
    """Judge, print, keep; return 1 where a healthy device was accused."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    told = f"DEPTH:SEEDS[:EXAMPLES]; default: {' '.join(USUAL)}"
    parser.add_argument("runs", nargs="*", help=told)
    parser.add_argument("--first", type=int, default=1, help="first seed of each depth")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--kept", type=Path, default=KEPT, help=f"file of lines; default: {KEPT}")
    options = parser.parse_args(arguments)
    try:
        wanted = asked(options.runs or list(USUAL), options.first)
    except ValueError as err:
        parser.error(f"{err}; allowed: DEPTH:SEEDS with smoke, standard or full, as smoke:100")
    here = source()
    known = {each.run: each for each in kept(options.kept) if each.source == here}
    lines = [known[run] for run in wanted if run in known]
    print(f"{here}: {len(wanted)} runs, {len(lines)} of them known from {options.kept}", flush=True)
    options.kept.parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(options.jobs) as pool, options.kept.open("a", encoding="utf-8") as file:
        going = [pool.submit(line, here, run) for run in wanted if run not in known]
        for future in as_completed(going):
            lines.append(future.result())
            file.write(json.dumps(asdict(lines[-1])) + "\n")
            file.flush()
            show(lines[-1])
    return tally(lines)


def show(found: Line) -> None:
    """Print a run, with all that was found."""
    word = "accused" if found.accused else "clean"
    print(
        f"{_kind(found.depth, found.examples)}, seed {found.seed}: {word}, "
        f"{found.judgements} judgements, {len(found.curable)} that a better instrument would "
        f"cure, {found.seconds:.0f} s",
        flush=True,
    )
    for what in (*found.accused, *found.curable):
        print(f"    {what}", flush=True)


def tally(lines: list[Line]) -> int:
    """Print what came of each kind of run; return 1 where anything was found."""
    for kind in dict.fromkeys((each.depth, each.examples) for each in lines):
        mine = [each for each in lines if (each.depth, each.examples) == kind]
        accused = [str(each.seed) for each in mine if each.accused]
        judgements = sum(each.judgements for each in mine)
        print(
            f"{_kind(*kind)}: {len(mine)} seeds, {judgements} judgements; runs that accuse a "
            f"healthy device: {', '.join(accused) or 'none'}; judgements that a better instrument "
            f"would cure: {sum(len(each.curable) for each in mine)}"
        )
    return int(any(each.accused for each in lines))


def _kind(depth: str, examples: int | None) -> str:
    return depth if examples is None else f"{depth} with {examples} examples of each property"


if __name__ == "__main__":
    sys.exit(main())
