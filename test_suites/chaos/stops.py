"""Every way in which a run can stop, as data: what is done, who opens, how late, what comes out."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path as File

from chaos.course import Course, running
from chaos.ground import LIVE

LEASE_WALL, LEASE_BENCH = 2.0, 10.0
"""Longest lease of the cut-off: wall seconds, and what the relay grants in bench seconds."""
MEANWHILE = 0.3
"""Seconds in which what must not follow would have come."""
RUNNER, SENTINEL, RELAY, DEVICE = "runner", "sentinel", "relay's lease", "device itself"
"""Who brings the current down; by RELAY and DEVICE nobody of ours does."""


@dataclass(frozen=True)
class Bound:
    """Longest time from the cause to a current that is off."""

    wall: float = 0.2
    """Seconds of our own processes."""
    bench: float = 0.0
    """Bench seconds, which a faster pace makes shorter: ramp-down, a meter's turn."""
    leases: float = 0
    """How many leases lapse one after the other; by half of one a call that hangs is given up."""

    def seconds(self, scale: float) -> float:
        """Wall seconds at so many bench seconds a second."""
        lease = min(LEASE_WALL, LEASE_BENCH / scale)
        return self.wall + self.bench / scale + self.leases * lease


@dataclass(frozen=True)
class Path:
    """One way to stop."""

    name: str
    """As the table has it."""
    opener: str
    """Who brings the current down."""
    bound: Bound
    code: int
    """Exit code of what was started; negative for the signal that killed it."""
    confirmed: bool = True
    """Whether off is proven, or UNCONFIRMED."""
    deed: str = ""
    """What the test does once it is told to go."""
    whole: str = ""
    """The test as a whole, where it is not a deed inside of an arming."""
    act: Callable[[Course], float | None] = Course.go
    """What is done to it, and when the cause itself was; by itself the test is told to go."""
    tells: str = ""
    """What the run's reasons must say."""
    after: Callable[[Course], None] = lambda course: None
    """What is done once the current is off, before its end is waited for."""
    shared: bool = False
    """Whether the run goes on, so that one run takes several."""
    delay: float = 0.0
    """Seconds from go to the cause itself."""
    green: bool = False
    """Whether the test may be a PASS: nothing interrupted it."""
    ceiling: str = ""
    """Ceiling of the bench, where it is not that of the built-in one."""
    unsealed: bool = False
    """Whether nobody is left to seal: `hil seal` does it afterwards."""
    plain: bool = False
    terminal: bool = False
    arguments: tuple[str, ...] = ()

    @property
    def test(self) -> str:
        """Name of the test function that runs inside."""
        return "test_" + "".join(c if c.isalnum() else "_" for c in self.name.lower())

    @property
    def text(self) -> str:
        """The test that runs inside."""
        if self.whole:
            return self.whole.replace("NAME", self.test)
        lines = (self.deed or FOREVER).strip("\n").splitlines()
        deed = "".join(f"        {line}\n" for line in lines)
        return INSIDE.replace("NAME", self.test).replace("        DEED\n", deed)


INSIDE = """
@requirement("LIM-CEIL")
def NAME(bench, judge, request):
    with bench.armed() as run:
        live(run)
        DEED
    judge("LIM-CEIL", peak(run.record.current))
"""
FOREVER = "run.wait(1000 * s)"
HEARTBEAT = """
threading.Thread(
    target=lambda: [(bench.station.cutoff.renew(9.0), time.sleep(0.05)) for _ in iter(int, 1)],
    daemon=True,
).start()
while True: pass
"""
HOG = """
most = resource.getrlimit(resource.RLIMIT_AS)
pages = int(Path("/proc/self/statm").read_text().split()[0])
resource.setrlimit(resource.RLIMIT_AS, ((pages * 4096) + 2**28, most[1]))
hog = []
try:
    while True: hog.append(b"x" * 2**24)
finally:
    resource.setrlimit(resource.RLIMIT_AS, most)
"""
SWALLOW = """
hog = []
while True: hog.append(b"x" * 2**22)
"""
LATER = """
@requirement("LIM-CEIL")
@pytest.mark.timeout(60)
def NAME(bench, judge, request):
    with bench.armed() as run:
        live(run)
        from pytest_timeout import Settings
        soon = Settings(0.5, "signal", False, False)
        request.config.hook.pytest_timeout_set_timer(item=request.node, settings=soon)
        run.wait(1000 * s)
"""
IN_FIXTURE = """
@pytest.fixture
def broken(bench):
    with bench.armed() as run:
        live(run)
        raise RuntimeError("mine")
    yield

@requirement("LIM-CEIL")
def NAME(bench, judge, broken):
    assert False, "it ran"
"""
IN_TEARDOWN = """
@pytest.fixture
def broken(bench):
    with bench.armed() as run:
        yield run
        live(run)
        raise RuntimeError("mine")

@requirement("LIM-CEIL")
def NAME(bench, judge, broken):
    broken.wait(1 * s)
"""


def _press(*keys: bytes, apart: float = 0.0) -> Callable[[Course], None]:
    def act(course: Course) -> None:
        for key in keys:
            if course.terminal is not None:
                course.terminal.press(key)
            time.sleep(apart)

    return act


def _hold(course: Course) -> None:
    """Keep Ctrl-C down for three seconds, or until the run has ended: it repeats every 30 ms."""
    until = time.monotonic() + 3.0
    while time.monotonic() < until and course.process.poll() is None:
        _press(b"\x03", apart=0.03)(course)


def _close(course: Course) -> None:
    if course.terminal is not None:
        course.terminal.close()


def _signal(number: int) -> Callable[[Course], None]:
    return lambda course: course.signal(number)


def _to_runner(number: int) -> Callable[[Course], None]:
    return lambda course: os.kill(course.runner, number)


def _to_sentinel(number: int) -> Callable[[Course], None]:
    return lambda course: os.kill(course.sentinel, number)


def _let_sentinel_go_on(course: Course) -> None:
    """Once the runner has done without it and ended; its supervisor waits for it."""
    course.ground.until(lambda: not running(course.runner), 30.0)
    os.kill(course.sentinel, signal.SIGCONT)


def _both(course: Course) -> None:
    course.kill(course.sentinel, course.runner)


def _host(course: Course) -> None:
    """All of ours at once, as when this machine loses its power; the bench has its own."""
    course.kill(course.process.pid, course.sentinel, course.runner)


def _stuck_then_twice(course: Course) -> float:
    """The runner is in a call that looks at no signal; the first one changes nothing."""
    course.go()
    time.sleep(MEANWHILE)
    course.signal(signal.SIGINT)
    time.sleep(MEANWHILE)
    if not course.control.do("truth")["relays"]["cutoff"]:
        raise RuntimeError("one signal opened the cut-off although the runner is stuck")
    cause = time.monotonic()
    course.signal(signal.SIGINT)
    return cause


def _continue(course: Course) -> None:
    """Let the stopped runner go on before it is reaped: it must not close again."""
    course.signal(signal.SIGSTOP)
    with suppress(ProcessLookupError):
        os.kill(course.runner, signal.SIGCONT)
    until = time.monotonic() + 0.5
    try:
        while time.monotonic() < until:
            if course.ground.closed:
                raise RuntimeError("a runner that was continued closed the cut-off again")
    finally:
        course.signal(signal.SIGCONT)


def _unplug(role: str) -> Callable[[Course], None]:
    def act(course: Course) -> None:
        course.control.do("link", role=role, set=[{"kind": "unplugged"}])

    return act


def _dark(role: str) -> Callable[[Course], None]:
    def act(course: Course) -> None:
        course.control.do("power", role=role, on=False)

    return act


def _load_dark_then_go(course: Course) -> float:
    """Its relays latch: the current flows on, until the test itself ends."""
    course.control.do("power", role="load", on=False)
    time.sleep(MEANWHILE)
    if abs(float(course.control.do("truth")["nodes"]["current"])) <= LIVE:
        raise RuntimeError("a relay that latches opened without power")
    cause = time.monotonic()
    course.go()
    return cause


def _device_dark(course: Course) -> None:
    course.control.do("supply", volts=0.0)


CEILING = "5.5 mA"
"""Of the bench for a limit trip: above the device's own trip at 5 mA, which sees nothing."""


def _run_away(course: Course) -> float:
    """Nothing regulates the device any more: 5.75 mA, and its own trip does not see it.

    The cause is the current above the bench's ceiling, not the fault, which takes its time.
    """
    course.control.do("faults", set=["F12:onset=above:0.1mA", "F10"])
    until = time.monotonic() + 20
    while abs(float(course.control.do("truth")["nodes"]["current"])) <= 5.5e-3:
        if time.monotonic() > until:
            raise RuntimeError("the current never came to the bench's ceiling")
    return time.monotonic()


GROUPS = File("/sys/fs/cgroup/memory")


def starve(course: Course) -> None:
    """Give the runner 32 MB beyond what it has; by a plain kill where no group can be made."""
    group = GROUPS / f"stimproof-{course.process.pid}"
    try:
        group.mkdir()
        (group / "memory.limit_in_bytes").write_text(str(32 * 2**20))
        (group / "cgroup.procs").write_text(str(course.runner))
    except OSError:
        course.kill(course.runner)
        return
    course.go()


def _unstarve(course: Course) -> None:
    group = GROUPS / f"stimproof-{course.process.pid}"
    until = time.monotonic() + 10
    while group.exists() and time.monotonic() < until:
        with suppress(OSError):  # as long as a process of it is left
            group.rmdir()
        time.sleep(0.05)


def real_kill() -> bool:
    """Whether this machine lets the kernel itself end a runner for want of memory."""
    return os.access(GROUPS, os.W_OK)


def fill(course: Course) -> None:
    """Leave no room on the file system of the run folder; its reserve is its own."""
    if not course.out.is_mount():  # no small file system could be mounted: limit the files instead
        size = (course.folder / "data" / "journal.jsonl").stat().st_size
        resource.prlimit(course.runner, resource.RLIMIT_FSIZE, (size, size))
        return
    with suppress(OSError), (course.out / "filler").open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(65_536))


def small_disk(out: File) -> bool:
    """Mount a small file system where run folders go; False where this user may not."""
    line = ["mount", "-t", "tmpfs", "-o", "size=6m", "none", str(out)]
    return subprocess.run(line, capture_output=True, check=False).returncode == 0


_ASKED = Bound(bench=1.0, leases=0.5)
"""What is asked at each turn, and does not answer: given up before the lease lapses."""
_FETCHED = Bound(bench=6.0, leases=0.5)
"""The same, of a meter that is fetched from each 5 s."""

PATHS = (
    # The run goes on after these: one takes them all.
    Path("normal end", RUNNER, Bound(bench=9.0), 10, deed="pass", shared=True, green=True),
    Path("assert", RUNNER, Bound(bench=1.0), 10, deed="assert not run", shared=True),
    Path(
        "exception in the test",
        RUNNER,
        Bound(bench=1.0),
        10,
        deed='raise RuntimeError("mine")',
        shared=True,
    ),
    Path(
        "exception in a fixture",
        RUNNER,
        Bound(bench=1.0),
        10,
        whole=IN_FIXTURE,
        shared=True,
    ),
    Path(
        "exception in a teardown",
        RUNNER,
        Bound(bench=1.0),
        10,
        whole=IN_TEARDOWN,
        shared=True,
    ),
    Path(
        "out of memory: MemoryError",
        RUNNER,
        Bound(wall=1.0, bench=1.0),
        10,
        deed=HOG,
        shared=True,
    ),
    Path(
        "test timeout",
        RUNNER,
        Bound(bench=1.0),
        10,
        whole=LATER,
        shared=True,
        delay=0.5,
        arguments=("-p", "pytest_timeout"),
    ),
    Path(
        "limit trip",
        RUNNER,
        Bound(bench=1.5),
        13,
        act=_run_away,
        tells="bench ceiling",
        ceiling=CEILING,
    ),
    # Signals.
    Path(
        "SIGTERM",
        RUNNER,
        Bound(bench=1.0),
        13,
        act=_signal(signal.SIGTERM),
        tells="aborted by SIGTERM",
    ),
    Path(
        "SIGHUP",
        RUNNER,
        Bound(bench=1.0),
        13,
        act=_signal(signal.SIGHUP),
        tells="aborted by SIGHUP",
    ),
    Path(
        "Ctrl-C once",
        RUNNER,
        Bound(bench=1.0),
        13,
        act=_press(b"\x03"),
        tells="aborted by SIGINT (Ctrl-C)",
        terminal=True,
    ),
    Path(
        "Ctrl-C twice",
        SENTINEL,
        Bound(),
        13,
        act=_press(b"\x03", b"\x03", apart=0.02),
        tells="SIGINT to the supervisor, the second",
        terminal=True,
    ),
    Path(
        "Ctrl-C held for 3 s",
        SENTINEL,
        Bound(),
        13,
        act=_hold,
        tells="SIGINT to the supervisor, the second",
        terminal=True,
    ),
    Path(
        "second signal, stuck in a call into C",
        SENTINEL,
        Bound(wall=0.5),
        13,
        deed="sum(range(10**12))",
        act=_stuck_then_twice,
        tells="the second",
    ),
    Path(
        "SIGQUIT (Ctrl-\\)",
        RUNNER,
        Bound(bench=1.0),
        13,
        act=_press(b"\x1c"),
        tells="aborted by SIGQUIT",
        terminal=True,
    ),
    Path(
        "closed terminal",
        RUNNER,
        Bound(bench=1.0),
        13,
        act=_close,
        tells="aborted by SIGHUP",
        terminal=True,
    ),
    # The runner.
    Path("kill -9", SENTINEL, Bound(), 13, act=_to_runner(signal.SIGKILL), tells="ended"),
    Path(
        "out of memory: killed by the kernel",
        SENTINEL,
        Bound(wall=1.0),
        13,
        deed=SWALLOW,
        act=starve,
        after=_unstarve,
        tells="ended",
    ),
    Path("os._exit", SENTINEL, Bound(), 13, deed="os._exit(0)", tells="ended"),
    Path("segfault", SENTINEL, Bound(), 13, deed="ctypes.string_at(0)", tells="ended"),
    Path(
        "endless loop",
        SENTINEL,
        Bound(leases=1),
        13,
        deed="while True: pass",
        tells="lapsed",
    ),
    Path(
        "endless loop under a thread that renews",
        SENTINEL,
        Bound(bench=9.0),  # what its last step declared, which no renewal extends
        13,
        deed=HEARTBEAT,
        tells="lapsed",
    ),
    Path(
        "SIGSTOP; then SIGCONT: it never closes again",
        SENTINEL,
        Bound(leases=1),
        13,
        act=_to_runner(signal.SIGSTOP),
        after=_continue,
        tells="lapsed",
    ),
    Path(
        "full disk",
        RUNNER,
        Bound(wall=1.6, bench=1.0),
        13,
        act=fill,
        tells="the evidence cannot be written",
        unsealed=True,
    ),
    # Those around it.
    Path(
        "supervisor killed",
        SENTINEL,
        Bound(),
        -9,
        act=_signal(signal.SIGKILL),
        tells="supervisor ended",
        unsealed=True,
    ),
    Path(
        "sentinel killed",
        RUNNER,
        Bound(bench=1.0),
        13,
        act=_to_sentinel(signal.SIGKILL),
        tells="the sentinel is gone",
    ),
    Path(
        "sentinel stopped",
        RELAY,
        Bound(leases=1),
        13,
        act=_to_sentinel(signal.SIGSTOP),
        after=_let_sentinel_go_on,
    ),
    Path(
        "sentinel and runner killed",
        RELAY,
        Bound(leases=1),
        20,
        confirmed=False,
        act=_both,
    ),
    Path(
        "host without power (all killed at once)",
        RELAY,
        Bound(leases=1),
        -9,
        confirmed=False,
        act=_host,
        unsealed=True,
    ),
    Path(
        "plain pytest, normal end",
        RUNNER,
        Bound(bench=9.0),
        1,
        deed="pass",
        green=True,
        unsealed=True,
        plain=True,
    ),
    Path(
        "plain pytest, killed",
        SENTINEL,
        Bound(),
        -9,
        act=_signal(signal.SIGKILL),
        unsealed=True,
        plain=True,
    ),
    # The bench.
    Path("link to the device lost", RUNNER, _ASKED, 10, act=_unplug("stimulator")),
    Path(
        "link to the cut-off lost",
        SENTINEL,
        Bound(wall=1.5, leases=1),
        20,
        confirmed=False,
        act=_unplug("cutoff"),
        tells="cannot be reached",
    ),
    Path(
        "link to a meter lost",
        RUNNER,
        _FETCHED,
        20,
        confirmed=False,
        act=_unplug("ammeter"),
    ),
    Path(
        "instrument without power: ammeter",
        RUNNER,
        _FETCHED,
        20,
        confirmed=False,
        act=_dark("ammeter"),
    ),
    Path(
        "instrument without power: limit monitor",
        RUNNER,
        _ASKED,
        10,
        act=_dark("oscilloscope"),
    ),
    Path(
        "instrument without power: supply",
        DEVICE,
        Bound(bench=1.0),
        20,
        confirmed=False,
        act=_dark("supply"),
    ),
    Path(
        "device without power",
        DEVICE,
        Bound(bench=1.0),
        10,
        act=_device_dark,
    ),
    Path(
        "switch unit without power: the cut-off's",
        RELAY,
        Bound(),
        20,
        confirmed=False,
        act=_dark("cutoff"),
    ),
    Path(
        "switch unit without power: the load's, which latches",
        RUNNER,
        Bound(bench=9.0),
        20,
        confirmed=False,
        deed="pass",
        act=_load_dark_then_go,
    ),
)
