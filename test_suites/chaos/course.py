"""A real run on a served bench, energised, that can be brought to any end; the bench is asked.

The test inside says when current flows, and does what it is there for when it is told to go.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

from chaos.ground import HIL, LIVE, OFF, Ground
from hil.conclusion import Conclusion, conclude
from hil_instruments.simulated.servers.control_client import ControlClient
from hil_reports.evidence import read_journal

STARTED = 120.0
"""Seconds in which a run has brought its bench to a current."""
ENDED = 120.0
"""Seconds in which a run has ended once it was brought to."""
HEAD = """
import ctypes, os, resource, signal, threading, time
from pathlib import Path
import pytest
from hil.features import peak
from hil.units import mA, s
from hil_fixtures.suite import requirement

def live(run):
    run.start(4 * mA)
    run.wait(2 * s)
    Path("live.part").write_text(str(os.getpid()))
    Path("live.part").rename("live")
    while not Path("go").exists():
        run.wait(0.25 * s)
"""


class Terminal:
    """A terminal of its own: what is typed at it, and what happens when it is closed."""

    def __init__(self) -> None:
        """Open it."""
        self._master, self.slave = pty.openpty()
        self._open = True
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.said = b""
        """What was printed on it."""

    def enter(self) -> None:
        """Make it the controlling terminal of the process that calls, which leads a session."""
        fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

    def hand_over(self) -> None:
        """Leave it to the process that was started on it."""
        os.close(self.slave)

    def press(self, key: bytes) -> None:
        """Type a key."""
        with suppress(OSError):  # whoever sat at it has gone
            os.write(self._master, key)

    def close(self) -> None:
        """Close it, as a window is closed."""
        if self._open:
            self._open = False
            self._reader.join(2.0)
            os.close(self._master)

    def _read(self) -> None:
        with suppress(OSError):
            while self._open:
                if select.select([self._master], [], [], 0.02)[0]:
                    self.said += os.read(self._master, 65_536)


class Course:
    """A run on a served bench whose test has current flowing."""

    def __init__(
        self,
        ground: Ground,
        folder: Path,
        tests: str,
        *,
        plain: bool = False,
        terminal: bool = False,
        ceiling: str = "",
        arguments: tuple[str, ...] = (),
    ) -> None:
        """Begin; returns at once.

        Args:
            ground: the bench, which is reset.
            folder: takes tests and run folder.
            tests: test functions; each calls `live(run)` inside of an arming.
            plain: pytest itself, without a supervisor.
            terminal: on a terminal of its own.
            ceiling: of the bench; the built-in one's if empty.
            arguments: further ones for pytest.
        """
        self.ground, self.cwd, self.out = ground, folder, folder / "runs"
        self.out.mkdir(parents=True, exist_ok=True)
        ground.control.do("faults", set=[])  # they outlast a reset
        ground.control.do("reset", seed=1)
        self.control = ControlClient(ground.port)
        """For deeds: the ground's own client is busy looking."""
        (folder / "test_mine.py").write_text(HEAD + tests)
        bench = _bench(ground.file, folder, ceiling)
        hil = [*HIL, "run", "--out", "runs", "--suite", "current-limits", "--bench"]
        judged = ["--device", str(ground.device)] if ground.device else []
        line = [*hil, str(bench), *judged, "--", "test_mine.py", *arguments]
        if plain:
            line = [sys.executable, "-P", "-m", "pytest", "-q", f"--hil-bench={bench}"]
            line += [f"--hil-{judged[0][2:]}={judged[1]}"] if judged else []
            line += ["--hil-out=runs", "--hil-suite=current-limits", "test_mine.py", *arguments]
        self.terminal = Terminal() if terminal else None
        self._log = (folder / "said.log").open("wb")
        self.runner = self.sentinel = 0
        """Process ids, once current flows."""
        self.process = self._start(line)

    def _start(self, line: list[str]) -> subprocess.Popen[bytes]:
        if self.terminal is None:
            return subprocess.Popen(
                line,
                cwd=self.cwd,
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        slave = self.terminal.slave
        process = subprocess.Popen(
            line,
            cwd=self.cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=self.terminal.enter,
        )
        self.terminal.hand_over()
        return process

    @property
    def said(self) -> str:
        """What it printed."""
        if self.terminal is not None:
            return self.terminal.said.decode("utf-8", "replace")
        return (self.cwd / "said.log").read_text("utf-8", "replace")

    def energised(self) -> None:
        """Wait until current flows.

        Raises:
            RuntimeError: it ended before, or no current came.
        """
        live = self.cwd / "live"
        self.ground.until(lambda: live.exists() or self.process.poll() is not None, STARTED)
        if self.process.poll() is not None:
            raise RuntimeError(f"it ended with {self.process.returncode}: {self.said[-300:]}")
        self.runner = int(live.read_text())
        self.sentinel = self._child(b"hil_fixtures.sentinel")
        if self.ground.current <= LIVE:
            raise RuntimeError(f"no current flows: {self.ground.told()}")

    def _child(self, word: bytes) -> int:
        """Process id of a child of the process that was started."""
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        (found,) = (
            int(child) for child in children if word in Path(f"/proc/{child}/cmdline").read_bytes()
        )
        return found

    @property
    def sentinel_memory(self) -> int:
        """Most kB that the sentinel ever had resident."""
        status = Path(f"/proc/{self.sentinel}/status").read_text()
        (most,) = (int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)
        return most

    def go(self) -> None:
        """Let the test do what it is there for."""
        (self.cwd / "go").touch()

    def off_within(self, seconds: float, deed: Callable[[], float | None]) -> float:
        """Do something to it; return the seconds until the current is off.

        Args:
            seconds: that may pass.
            deed: what is done meanwhile; may return the moment of the cause itself.

        Raises:
            TimeoutError: it was not off in time.
        """
        with ThreadPoolExecutor(1) as hand:
            began = time.monotonic()
            done = hand.submit(deed)
            self.ground.until(lambda: self.ground.current <= OFF, seconds)
            off = time.monotonic()
            return off - (done.result() or began)

    def next(self) -> None:
        """Let the next test of this run come to a current of its own."""
        for name in ("live", "go"):
            (self.cwd / name).unlink()

    def signal(self, number: int) -> None:
        """Send a signal to the process that was started."""
        self.process.send_signal(number)

    def kill(self, *pids: int) -> None:
        """The hardest end of processes, all at once."""
        for pid in pids:
            os.kill(pid, signal.SIGKILL)

    def end(self) -> int:
        """Wait for its end, and for that of its sentinel; return the exit code."""
        try:
            code = self.process.wait(ENDED)
            self.ground.until(lambda: not running(self.sentinel), ENDED)
        finally:
            self.abandon()
        return code

    def abandon(self) -> None:
        """Leave nothing behind that this object started; may be called twice."""
        with suppress(ProcessLookupError):
            if self.process.poll() is None:
                self.process.kill()
                self.process.wait()
        if self.terminal is not None:
            self.terminal.close()
        self._log.close()
        self.control.close()

    def seal(self) -> None:
        """Finish what nobody was left to finish: `hil seal`."""
        line = [*HIL, "seal", str(self.folder)]
        subprocess.run(line, cwd=self.cwd, capture_output=True, check=False, timeout=ENDED)

    @property
    def folder(self) -> Path:
        """Its run folder."""
        (found,) = (path for path in self.out.iterdir() if (path / "data").is_dir())
        return found

    def records(self, kind: str) -> list[Any]:
        """Bodies of the journal's records of a kind."""
        return [r.body for r in read_journal(self.folder).records if r.kind == kind]

    @property
    def conclusion(self) -> Conclusion:
        """What its journal amounts to."""
        return conclude(read_journal(self.folder).records)


def running(pid: int) -> bool:
    """Whether a process is there, and no mere entry that nobody has fetched."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def _bench(served: Path, folder: Path, ceiling: str) -> Path:
    """The bench file, or one beside the tests that differs in its ceiling."""
    if not ceiling:
        return served
    text, found = re.subn(
        r'^ceiling = "[^"]*"', f'ceiling = "{ceiling}"', served.read_text(), flags=re.M
    )
    if found != 1:
        raise RuntimeError(f"{found} ceilings in {served}")
    changed = folder / "bench.toml"
    changed.write_text(text)
    return changed
