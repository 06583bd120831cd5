"""Where the time of one trial went, so that whatever was late has its cause beside it.

Each stage has a clock of its own: the sentinel's record says when it saw the cause, the bench when
its contacts moved, and this process when it looked. Beside them stands what the machine did
meanwhile: how long each process was ready to run and did not, what the host of a virtual machine
took (steal), and how long anybody waited for a processor (PSI).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_TICK = 1 / os.sysconf("SC_CLK_TCK")
_STEAL = 8  # place of `steal` in the first line of /proc/stat, man 5 proc
_WAITED = 1  # place of the time on a run queue, in ns, in schedstat


@dataclass(frozen=True)
class Machine:
    """What had been waited for a processor at one moment, in s."""

    steal: float
    """Taken by the host, over all processors."""
    pressure: float
    """During which anybody waited."""
    waited: Mapping[str, float]
    """Name of a process to what its threads waited."""

    @classmethod
    def now(cls, processes: Mapping[str, int]) -> Machine:
        """Look; what the platform does not tell is 0."""
        return cls(_steal(), _pressure(), {name: _waits(pid) for name, pid in processes.items()})

    def since(self, before: Machine) -> Machine:
        """What has been added."""
        waited = {  # of a process that has ended nothing is known any more
            name: max(each - before.waited[name], 0.0) for name, each in self.waited.items()
        }
        return Machine(self.steal - before.steal, self.pressure - before.pressure, waited)

    def __str__(self) -> str:
        """All of it in ms."""
        waits = ", ".join(f"{name} {_ms(each)}" for name, each in self.waited.items())
        return f"waited for a processor: {waits}, anybody {_ms(self.pressure)}; " + (
            f"steal {_ms(self.steal)}"
        )


@dataclass(frozen=True)
class Stages:
    """Seconds from a deed to each of what follows from it; NaN where there was nothing."""

    seen: float
    """The sentinel saw the cause."""
    told: float
    """Its command was on the way."""
    moved: float
    """The contacts moved, by the bench's own clock."""
    looked: float
    """This process saw a current that is off."""
    gap: float
    """Longest time between two looks of this process, the bench's answer included."""

    @property
    def shares(self) -> dict[str, float]:
        """What each stage took."""
        if self.moved != self.moved:
            return {"whoever stopped the device, as no contacts moved": self.looked}
        watching = "this process, from the contacts to its look"
        if self.told != self.told:  # whoever it was has written nothing
            return {"until the contacts moved": self.moved, watching: self.looked - self.moved}
        return {
            "the end of the runner, and the sentinel's waking": self.seen,
            "the sentinel, from seeing to its command": self.told - self.seen,
            "the bench, from the command to its contacts": self.moved - self.told,
            watching: self.looked - self.moved,
        }

    def cause(self, bound: float) -> str:
        """Who took most of it, and whether this process could have seen it earlier."""
        late, shares = self.looked - bound, self.shares
        most = max(shares, key=lambda name: shares[name])
        blind = (
            f"; this process itself was not run for {_ms(self.gap)}, longer than it was late"
            if self.gap > late > 0
            else ""
        )
        return f"most of it: {most}{blind}"

    def __str__(self) -> str:
        """All of them in ms."""
        return (
            f"seen after {_ms(self.seen)}, told after {_ms(self.told)}, contacts moved after "
            f"{_ms(self.moved)}, looked after {_ms(self.looked)}, longest gap {_ms(self.gap)}"
        )


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.1f} ms"


def _steal() -> float:
    with suppress(OSError, IndexError):
        return int(Path("/proc/stat").read_text().split()[_STEAL]) * _TICK
    return 0.0


def _pressure() -> float:
    with suppress(OSError, ValueError):  # a kernel without PSI
        return int(Path("/proc/pressure/cpu").read_text().split("total=")[1].split()[0]) * 1e-6
    return 0.0


def _waits(process: int) -> float:
    total = 0.0
    with suppress(OSError):  # it has ended
        for task in Path(f"/proc/{process}/task").iterdir():
            with suppress(OSError, IndexError):
                total += int((task / "schedstat").read_text().split()[_WAITED]) * 1e-9
    return total
