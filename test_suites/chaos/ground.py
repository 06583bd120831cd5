"""A served bench in another process, its ground truth, and a treatment on it that can be killed.

The runner here is the smallest one: it drives the bench by the product's own drivers, under a
sentinel of the product, and does nothing but come further until it is ended.
"""

from __future__ import annotations

import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from chaos.lateness import Stages
from hil.bench import BenchDescription, InstrumentEntry
from hil.device import DeviceProfile
from hil.errors import BenchError
from hil.exact import Exact
from hil.measurement import Calibration
from hil.roles import Cutoff
from hil.units import mA
from hil_fixtures import clocks, config
from hil_fixtures.clocks import WallClock
from hil_fixtures.sentinel.held import HeldCutoff
from hil_fixtures.sentinel.ledger import FILE
from hil_fixtures.sentinel.post import Post
from hil_fixtures.sentinel.urgency import hurry
from hil_fixtures.sentinel.wire import Wire
from hil_fixtures.station import POWER_UP, SUPPLY, lease_time
from hil_instruments import drivers, transport
from hil_instruments.simulated.servers.control_client import ControlClient

HIL = (sys.executable, "-P", "-c", "from hil_fixtures.cli import main; main()")
OFF = 10e-6
"""A; at and below this the output is off."""
LIVE = 50e-6
"""A; above this it is clearly on."""
_LOOK, _GLANCE = 5e-4, 20e-3
"""Seconds between two looks at the truth: where time is measured, and where it is waited for."""
_WRITING = 0.3
"""Seconds in which a sentinel that opened has written so."""
_OPENING = 120.0
"""Seconds in which a bench is served."""


def hurry_all(process: int) -> None:
    """Let all threads of a process go before others: the world waits for nobody."""
    for task in os.listdir(f"/proc/{process}/task"):
        hurry(int(task))


class Ground:
    """`hil serve` in a process of its own."""

    def __init__(self, folder: Path, scale: float = 1.0, device: Path | None = None) -> None:
        """Serve the built-in bench.

        Args:
            folder: it works there.
            scale: bench seconds a second.
            device: file of the device on it; None is the built-in one.
        """
        self.file, self.device = folder / "served.toml", device
        judged = ["--device", str(device)] if device else []
        self._process = subprocess.Popen(
            [*HIL, "serve", self.file.name, "--scale", f"{scale:g}", *judged],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.port = self._port()
        """Of the control channel."""
        self.control = ControlClient(self.port)
        self.pid = self._process.pid
        hurry_all(self.pid)
        self.scale = scale
        self.gap = 0.0
        """Longest time in s between two looks of the last `until`."""
        self.profile = config.read_device(device)
        self.description = config.read_bench(self.file)

    def _port(self) -> int:
        deadline = time.monotonic() + _OPENING
        said, output = "", self._process.stdout
        while output and time.monotonic() < deadline and (line := output.readline()):
            said += line
            if found := re.search(r"control channel: port (\d+)", line):
                return int(found[1])
        raise RuntimeError(f"no bench was served within {_OPENING:g} s: {said}")

    @property
    def current(self) -> float:
        """Magnitude of the current through the load in A, as the bench's physics has it."""
        return abs(float(self.control.do("truth")["nodes"]["current"]))

    @property
    def driven(self) -> float:
        """Magnitude of the current in A that the device drives, not the bench's own source."""
        truth = self.control.do("truth")
        return abs(float(truth["nodes"]["current"])) if truth["relays"]["output"] else 0.0

    @property
    def closed(self) -> bool:
        """Whether the contacts of the cut-off are closed, as the circuit has it."""
        return bool(self.control.do("truth")["relays"]["cutoff"])

    def until(self, condition: Callable[[], bool], seconds: float, every: float = _LOOK) -> float:
        """Wait for the bench to fulfil a condition; return the seconds that it took.

        Args:
            condition: asked `every` so many seconds.
            seconds: for which to wait.
            every: wall seconds between two looks.

        Raises:
            TimeoutError: it did not come.
        """
        began = last = time.monotonic()
        self.gap = 0.0
        while True:
            fulfilled, now = condition(), time.monotonic()
            self.gap = max(self.gap, now - last)
            if fulfilled:
                return now - began
            if now - began > seconds:
                raise TimeoutError(f"not within {seconds:g} s; the truth: {self.told()}")
            last = now
            time.sleep(every)

    def contacts_moved(self, since: float) -> float:
        """Seconds from a wall time, as `time.monotonic`, until the cut-off moved; NaN if not."""
        truth, now = self.control.do("truth"), time.monotonic()
        ago = float(truth["since_power_on"] - truth["relays"]["cutoff_since"]) / self.scale
        return now - ago - since if now - ago > since else math.nan

    def told(self) -> str:
        """The ground truth as text."""
        return json.dumps(self.control.do("truth"))

    def end(self) -> None:
        """End the bench; its file goes with it."""
        self.control.close()
        self._process.send_signal(signal.SIGINT)
        self._process.communicate(timeout=20)


class Treatment:
    """A runner under a sentinel, energised, in processes of their own."""

    def __init__(self, ground: Ground, data: Path) -> None:
        """Start both; returns at once."""
        data.mkdir(parents=True)
        ground.control.do("reset", seed=1)  # a device that was cut off holds a fault
        self.ground, self.data = ground, data
        self.post = Post(ground.profile, ground.description, data)
        self.runner = os.fork()
        if not self.runner:
            _run(ground, self.post)
        self.post.link.close()

    def energised(self) -> None:
        """Wait until current flows.

        Raises:
            TimeoutError: none came.
        """
        self.ground.until(lambda: self.ground.current > LIVE, 30.0, _GLANCE)

    @property
    def processes(self) -> dict[str, int]:
        """Whoever has a part in a trial."""
        return {"runner": self.runner, "sentinel": self.post.pid, "bench": self.ground.pid}

    def off_after(self, deed: Callable[[], None], longest: float) -> Stages:
        """Do something, and see when the current is off.

        Raises:
            TimeoutError: it was not within `longest` s.
        """
        utc, began = clocks.utc(), time.monotonic()
        deed()
        self.ground.until(lambda: self.ground.current <= OFF, longest)
        looked, gap = time.monotonic() - began, self.ground.gap
        moved = self.ground.contacts_moved(began)
        return Stages(*self._trip(utc), moved, looked, gap)

    def _trip(self, since: datetime) -> tuple[float, float]:
        """Seconds until the sentinel saw the cause, and until it had commanded; NaN if never."""
        deadline = time.monotonic() + _WRITING
        while time.monotonic() < deadline:
            for record in self.records():
                if record["kind"] == "trip":
                    body = record["body"]
                    written = (datetime.fromisoformat(record["utc"]) - since).total_seconds()
                    seen = written - body["seen_before"]
                    return seen, seen + body["opened_after"]
            time.sleep(_LOOK)
        return math.nan, math.nan

    def records(self) -> list[dict[str, Any]]:
        """What the sentinel wrote so far."""
        lines = (self.data / FILE).read_text("utf-8").splitlines()
        return [json.loads(line) for line in lines if line.endswith("}")]

    def kill_runner(self) -> None:
        """The hardest end of a process."""
        os.kill(self.runner, signal.SIGKILL)

    def stop_runner(self) -> None:
        """Suspend it: it lives, and comes no further."""
        os.kill(self.runner, signal.SIGSTOP)

    def kill_sentinel(self) -> None:
        """The hardest end of the one who watches."""
        os.kill(self.post.pid, signal.SIGKILL)

    def stop_sentinel(self) -> None:
        """Suspend the one who watches."""
        os.kill(self.post.pid, signal.SIGSTOP)

    def end(self, *, prove: bool) -> None:
        """End what is left; with `prove`, wait until the sentinel has proven off."""
        for pid in (self.runner, *(() if prove else (self.post.pid,))):
            os.kill(pid, signal.SIGKILL)
        os.waitpid(self.runner, 0)
        self.post.end()


def _run(ground: Ground, post: Post) -> None:
    """The runner's life; never returns."""
    os.setpgid(0, 0)
    try:
        _treat(ground.profile, ground.description, post)
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _treat(profile: DeviceProfile, description: BenchDescription, post: Post) -> None:
    clock, manager = WallClock(description.clock_scale), transport.open_manager()

    def parts(
        role: str,
    ) -> tuple[transport.Session, WallClock, InstrumentEntry, Calibration]:
        entry = description.instruments[role]
        return transport.connect(manager, entry, clock), clock, entry, Calibration.UNKNOWN

    def reach() -> Cutoff:
        return drivers.cutoff(*parts("cutoff"))

    gone: list[str] = []
    supply, load = drivers.supply(*parts("supply")), drivers.load(*parts("load"))
    voltage, limit = map(Exact.parse, SUPPLY)
    supply.on(voltage.quantity, limit.quantity)
    load.select(description.loads["2k"].channel)
    clock.sleep(POWER_UP)
    stimulator = drivers.stimulator(*parts("stimulator"), profile)
    stimulator.configure(4 * mA, profile.polarity, None)
    cutoff = HeldCutoff(Wire(post.link), description.clock_scale, reach, gone.append)
    cutoff.close_relay(cutoff.epoch() + 1)
    cutoff.renew(lease_time(description))
    stimulator.start()
    with suppress(BenchError):  # the sentinel is gone, and `gone` says so
        while not gone:
            clock.sleep(0.05)
            stimulator.state()
            cutoff.progressed()
            cutoff.renew(lease_time(description))
    stimulator.abort()
    cutoff.open_relay()
    signal.pause()
