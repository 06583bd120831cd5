"""What a sentinel costs: memory, and queries beside the same queries without it.

    python benchmarks/sentinel.py

The bench runs in a process of its own, as under `hil serve`. One instrument is asked over our
transport, in rounds taken in turn: alone, and with a cut-off that a sentinel keeps closed while
this process comes further four times a second. Budget: under 60 MB resident, no measurable cost per
query (the ratio not below 0.95). Exit code 1 outside of it.
"""

from __future__ import annotations

import contextlib
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from chaos.ground import Ground
from hil.errors import UsageError
from hil.roles import Cutoff
from hil_fixtures.clocks import WallClock
from hil_fixtures.sentinel.held import HeldCutoff
from hil_fixtures.sentinel.post import Post
from hil_fixtures.sentinel.wire import Wire
from hil_fixtures.station import lease_time
from hil_instruments import transport

ROUNDS, SECONDS = 15, 0.5
STEP = 0.25
"""Seconds between two steps, as in the runner's one wait at the pace of the wall."""
LARGEST = 60_000
"""kB."""


def rate(session: transport.Session, step: Callable[[], None]) -> float:
    """Queries a second."""
    count, begin = 0, time.perf_counter()
    due = begin
    while (now := time.perf_counter()) - begin < SECONDS:
        if now >= due:
            step()
            due = now + STEP
        session.query("*ESE?")
        count += 1
    return count / (time.perf_counter() - begin)


@contextlib.contextmanager
def watched(ground: Ground, data: Path) -> Iterator[tuple[Callable[[], None], int]]:
    """A step that renews under a sentinel, and the sentinel's process id."""

    def reach() -> Cutoff:
        raise UsageError("the sentinel is gone")

    data.mkdir()
    post = Post(ground.profile, ground.description, data)
    cutoff = HeldCutoff(Wire(post.link), 1.0, reach, lambda why: None)
    cutoff.close_relay(cutoff.epoch() + 1)

    def step() -> None:
        cutoff.progressed()
        cutoff.renew(lease_time(ground.description))

    try:
        yield step, post.pid
    finally:
        cutoff.open_relay()
        cutoff.close()
        post.end()


def resident(pid: int) -> int:
    """Most kB that a process ever had in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)


def main() -> int:
    """Measure, print, and hold against the budget."""
    alone, beside = [], []
    with tempfile.TemporaryDirectory() as room:
        ground = Ground(Path(room))
        entry = ground.description.instruments["load"]
        session = transport.connect(transport.open_manager(), entry, WallClock())
        for n in range(ROUNDS):
            alone.append(rate(session, lambda: None))
            with watched(ground, Path(room) / str(n)) as (step, pid):
                beside.append(rate(session, step))
                kilobytes = resident(pid)
        session.close()
        ground.end()
    ratio = statistics.median(b / a for a, b in zip(alone, beside, strict=True))
    print(f"alone          {statistics.median(alone):8.0f} queries/s, median of {ROUNDS}")
    print(f"with sentinel  {statistics.median(beside):8.0f} queries/s, ratio {ratio:.3f}")
    print(f"sentinel       {kilobytes / 1000:.1f} MB resident at most")
    return 0 if ratio > 0.95 and kilobytes < LARGEST else 1


if __name__ == "__main__":
    sys.exit(main())
