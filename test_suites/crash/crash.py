"""kill -9 of the runner of `hil run`, at seeded moments of its whole life: what is left of the run?

A crash is a moment in time (the process is killed from outside, with all that belongs to it) or a
place: within the write of a journal line, before or after a sync, before or after a file gets its
name; or a cut of the power there, which also takes what was not synced. After each crash:

    no acknowledged record is lost          the log of crash_shim.py against the journal
    what the supervisor showed is recorded  each line of its output against the journal
    the bundle sealed, verifies, reports    and `hil report` makes it again from the bundle alone
    what was in flight has no verdict       and nothing is green that is not PASS in the journal
    JUnit and Allure agree                  test by test
    the exit code                           10 where off was proven, 20 where the bench was armed

A bench in the runner's process dies with it: it was armed and nobody can say that it is off, so an
armed crash is SAFE STATE UNCONFIRMED (20), as the table of verdicts has it.

    python test_suites/crash/crash.py --count 200 --seed 1 --jobs 2
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from framework import brisk
from hil.conclusion import Conclusion, conclude
from hil.verdict import ExitCode, Verdict
from hil_reports.allure import LABEL, STATUS
from hil_reports.evidence import read_journal, verify
from hil_reports.report import remake_report
from hil_reports.summary import PATHS

HIL = [sys.executable, "-c", "from hil_fixtures.cli import main; main()"]
SUITE = ("--suite", "polarity", "--depth", "smoke")
PATIENCE = 120
"""Seconds after which a run that did not end is a failure of its own."""
_ELEMENTS = {
    Verdict.FAIL: "failure",
    Verdict.INCONCLUSIVE: "failure",
    Verdict.ERROR: "error",
    Verdict.NO_VERDICT: "error",
    Verdict.NOT_EVALUATED: "skipped",
    Verdict.NOT_APPLICABLE: "skipped",
}


@dataclass(frozen=True)
class Life:
    """How long an undisturbed run lasts, in each of the measures that crashes are drawn in."""

    seconds: float
    """From the start of the supervisor to the end of the runner."""
    write: int
    """Journal lines of the runner."""
    sync: int
    """Syncs of the journal."""
    replace: int
    """Files that get their name."""


@dataclass(frozen=True)
class Crash:
    """One moment to die."""

    kind: str
    """time, write, sync or replace."""
    count: float
    """Seconds, or which call."""
    share: float = 0.0
    """How much of the call is done; for a power cut also what is left of the unsynced."""
    power: bool = False
    """Whether what was not synced is lost."""

    def __str__(self) -> str:
        """As it is shown, and given to the shim."""
        how = " and the power is cut" if self.power else ""
        return f"{self.kind}:{self.count:.6g}:{self.share:.3g}{how}"


def drawn(life: Life, rng: random.Random) -> Crash:
    """Draw a crash, evenly over the life of the runner in one of the measures."""
    kind = rng.choice(["time", "time", "write", "write", "sync", "replace"])
    if kind == "time":
        return Crash("time", rng.uniform(0, life.seconds))
    count = rng.randint(1, getattr(life, kind))
    share = rng.choice([0.0, 1.0, rng.random()]) if kind == "write" else float(rng.randint(0, 1))
    return Crash(kind, count, share, power=rng.random() < 0.4)


def measured(place: Path) -> Life:
    """Run once undisturbed."""
    process, log = _started(place, None)
    runner = runner_of(process)
    begin = time.monotonic()
    while Path(f"/proc/{runner}").exists():
        if time.monotonic() - begin > PATIENCE:
            process.kill()
            raise RuntimeError(f"the undisturbed run did not end within {PATIENCE} s")
        time.sleep(0.02)
    seconds = time.monotonic() - begin
    said, _ = process.communicate(timeout=PATIENCE)
    if process.returncode != 0:
        raise RuntimeError(f"the undisturbed run ended with {process.returncode}: {said}")
    calls = Counter(line.partition(" ")[0] for line in log.read_text().splitlines())
    return Life(seconds, calls["write"], calls["sync"], calls["replace"])


def lived_through(place: Path, crash: Crash) -> tuple[list[str], Conclusion]:
    """Crash one run; return what is wrong with what it left (empty if nothing), and the run."""
    process, log = _started(place, None if crash.kind == "time" else crash)
    if crash.kind == "time":
        _kill_runner(process, crash.count)
    said, complained = process.communicate(timeout=PATIENCE)
    folder = folder_in(place)
    found = conclude(read_journal(folder).records)
    problems = [f"on standard error: {complained}"] if complained else []
    problems += lost(folder, log, power=crash.power)
    problems += _shown(found, said)
    problems += _code(found, process.returncode)
    problems += agreed(folder, found)
    problems += _sealed(folder)
    return problems, found


def _started(place: Path, crash: Crash | None) -> tuple[subprocess.Popen[str], Path]:
    log = place / "acknowledged.log"
    log.touch()
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), *filter(None, [os.environ.get("PYTHONPATH")])])
    more = {"CRASH_LOG": str(log), "PYTHONPATH": path, "XDG_CONFIG_HOME": str(place)}
    if crash:
        more |= {"CRASH": f"{crash.kind}:{crash.count:g}:{crash.share}"}
        more |= {"CRASH_POWER": "1" if crash.power else ""}
    judged = ("--device", str(brisk.file(place)))
    line = [*HIL, "run", "--out", str(place / "runs"), *SUITE, *judged, "--", "-p", "crash_shim"]
    process = subprocess.Popen(
        line, cwd=place, env={**os.environ, **more}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    return process, log


def runner_of(supervisor: subprocess.Popen[str]) -> int:
    """Process id of the child of the supervisor that runs pytest, once there is one."""
    children = Path(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children")
    while supervisor.poll() is None:
        for child in children.read_text().split():
            with suppress(OSError):  # it has ended meanwhile
                if b"pytest" in Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0"):
                    return int(child)
        time.sleep(0.01)
    raise RuntimeError(f"hil run ended before its runner began: {supervisor.communicate()}")


def _kill_runner(supervisor: subprocess.Popen[str], seconds: float) -> None:
    """Kill the runner some seconds after it began, if it still lives."""
    runner = runner_of(supervisor)
    time.sleep(seconds)
    status = Path(f"/proc/{runner}/stat")
    if status.exists() and f" {supervisor.pid} " in status.read_text():
        os.kill(runner, signal.SIGKILL)


def folder_in(place: Path) -> Path:
    """The one run folder of a place."""
    (folder,) = [path for path in (place / "runs").iterdir() if path.is_dir()]
    return folder


# --- what must hold -------------------------------------------------------------------------------


def lost(folder: Path, log: Path, *, power: bool) -> list[str]:
    """Acknowledged records that the journal does not hold, in their order.

    Acknowledged is each record that `Evidence.append` returned before the runner died; with the
    power cut, those before a `barrier` that returned.
    """
    lines, acknowledged = [], 0
    for entry in log.read_text().splitlines():
        word, _, digest = entry.partition(" ")
        if word == "append":
            lines.append(digest)
        if word == "barrier" or not power:
            acknowledged = len(lines)
    content = (folder / "data" / "journal.jsonl").read_bytes()
    kept = [hashlib.sha256(line + b"\n").hexdigest() for line in content.split(b"\n")[:-1]]
    first = kept.index(lines[0]) if lines and lines[0] in kept else 0
    missing = [
        f"acknowledged line {n} of the runner is not in the journal"
        for n, digest in enumerate(lines[:acknowledged])
        if digest not in kept[first + n : first + n + 1]
    ]
    return missing[:3]


def _shown(found: Conclusion, said: str) -> list[str]:
    """Tests that the supervisor showed as ended and that have no end in the journal."""
    ended = {row.test for row in found.tests if row.outcome}
    lines = [line.split() for line in said.splitlines() if re.match(r" *\d+/\d+ ", line)]
    return [f"{line[2]} was shown and has no end" for line in lines if line[2] not in ended]


def _code(found: Conclusion, returned: int) -> list[str]:
    if returned != int(found.exit_code):
        return [f"hil run ended with {returned}, the journal makes it {int(found.exit_code)}"]
    if found.complete:
        return [] if returned == 0 else [f"a run that ended has code {returned}: {found.reasons}"]
    wanted = {ExitCode.OTHER_VERDICT, ExitCode.UNSAFE}
    return [] if found.exit_code in wanted else [f"a lost runner has code {returned}"]


def agreed(folder: Path, found: Conclusion) -> list[str]:
    """How summary, JUnit and Allure differ from the journal."""
    summary = json.loads((folder / "report" / "summary.json").read_text())
    problems = []
    if summary["exit_code"] != int(found.exit_code) or summary["head"] != found.head:
        problems.append("summary.json is of another state of the journal")
    suite = next(ET.parse(folder / PATHS["junit"]).iter("testsuite"))
    cases = {f"{c.get('classname')}:{c.get('name')}": c for c in suite.iter("testcase")}
    statuses = _allure(folder)
    for row in found.tests:
        wanted = _ELEMENTS.get(row.verdict)
        elements = [part.tag for part in cases[row.test] if part.tag != "properties"]
        if elements != ([wanted] if wanted else []):
            problems.append(f"JUnit has {elements} for {row.test}, {row.verdict.value}")
        if statuses.get(row.test) != [STATUS[row.verdict]]:
            problems.append(f"Allure has {statuses.get(row.test)} for {row.test}")
        if not row.outcome and row.verdict is not Verdict.NO_VERDICT:
            problems.append(f"{row.test} never ended and is {row.verdict.value}")
        if row.outcome == "passed" and row.verdict is not Verdict.PASS:
            problems.append(f"{row.test} ended well and is {row.verdict.value}")
    green = {name for name, found_ in statuses.items() if "passed" in found_}
    problems += [f"Allure: {name} passed" for name in green - {row.test for row in found.tests}]
    red = int(suite.get("failures") or 0) + int(suite.get("errors") or 0)
    if bool(red) is (found.exit_code is ExitCode.COMPLIES):
        problems.append(f"JUnit has {red} failures and errors at code {int(found.exit_code)}")
    return problems


def _allure(folder: Path) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for path in (folder / PATHS["allure"]).glob("*-result.json"):
        result: dict[str, Any] = json.loads(path.read_text())
        labels = {label["name"]: label.get("value") for label in result.get("labels", [])}
        found.setdefault(labels.get(LABEL, result["name"]), []).append(result["status"])
    return found


def _sealed(folder: Path) -> list[str]:
    """What verification finds, before and after every report was made again from the bundle."""
    problems = [f"verify: {problem}" for problem in verify(folder).problems]
    remake_report(folder)
    problems += [f"verify, reported anew: {problem}" for problem in verify(folder).problems]
    for name in PATHS.values():
        if not (folder / name).exists():
            problems.append(f"{name} is missing")
    return problems


# --- the campaign ---------------------------------------------------------------------------------


def campaign(count: int, seed: int, jobs: int, scratch: Path) -> tuple[int, list[str]]:
    """Crash `count` runs; return how many were killed before their end, and what is wrong."""
    life = measured(_place(scratch, "undisturbed"))
    print(f"undisturbed: {life}")
    rng = random.Random(seed)
    crashes = [drawn(life, rng) for _ in range(count)]
    problems: list[str] = []
    codes: Counter[str] = Counter()

    def one(n: int) -> tuple[Crash, list[str], Conclusion]:
        place = _place(scratch, f"{n}")
        return crashes[n], *lived_through(place, crashes[n])

    with ThreadPoolExecutor(jobs) as pool:
        for n, (crash, wrong, found) in enumerate(pool.map(one, range(count))):
            ended = "ended" if found.complete else f"lost, code {int(found.exit_code)}"
            codes[f"{crash.kind}{' and power' if crash.power else ''}, {ended}"] += 1
            problems += [f"{n} ({crash}): {problem}" for problem in wrong]
            if not wrong:
                shutil.rmtree(scratch / str(n))
    for what, number in sorted(codes.items()):
        print(f"{number:>5}  {what}")
    killed = sum(number for what, number in codes.items() if "lost" in what)
    return killed, problems


def _place(scratch: Path, name: str) -> Path:
    place = scratch / name
    place.mkdir(parents=True)
    return place


def main() -> int:
    """Run a campaign from the command line; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="crash-"))
    killed, problems = campaign(options.count, options.seed, options.jobs, scratch)
    for problem in problems:
        print(problem)
    print(f"seed {options.seed}: {options.count} runs, {killed} lost, {len(problems)} problems")
    if problems:
        print(f"kept: {scratch}")
        return 1
    shutil.rmtree(scratch)
    return 0


if __name__ == "__main__":
    sys.exit(main())
