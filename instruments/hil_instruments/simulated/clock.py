"""Virtual time, what is due in it, and the world that lives by it."""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

from hil.errors import UsageError

if TYPE_CHECKING:
    from hil.bench import BenchDescription
    from hil.device import DeviceProfile
    from hil_instruments.simulated.device.device import Device


BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
"""Date and time at which bench time is 0, where nobody says otherwise."""


@dataclass(order=True, slots=True)
class Timer:
    """An action that is due at some time."""

    time: float
    """When, on the clock's own count, in s."""
    order: int
    """Breaks ties: first planned, first done."""
    action: Callable[[], None] = field(compare=False)
    """What to do then."""
    cancelled: bool = field(default=False, compare=False)
    """Whether it is to be dropped."""


class VirtualClock:
    """Time that passes only when somebody says so (implements `hil.roles.Clock`).

    `now()` never runs backwards. `time` counts from the last power-on of the bench: after a
    restart it begins at 0 again, so that a restarted bench repeats a fresh one to the last bit.
    """

    __slots__ = ("_agenda", "_offset", "_planned", "calendar", "chore", "chore_at", "time")

    def __init__(self) -> None:
        self.time = 0.0
        """Time since power-on in s, for front ends; everybody else asks `now()`."""
        self.chore: Callable[[], None] = lambda: None
        """What is done after an advance that reaches `chore_at`; it is no action that is `due`."""
        self.chore_at = math.inf
        """When, on the clock's own count, in s."""
        self.calendar: Callable[[], datetime] = lambda: BEGAN + timedelta(seconds=self.now())
        """Date and time of the bench; whoever has a wall clock may set it."""
        self._offset = 0.0
        self._agenda: list[Timer] = []
        self._planned = 0

    def now(self) -> float:
        """Bench time in s, monotonic."""
        return self._offset + self.time

    def sleep(self, seconds: float) -> None:
        """Let bench time pass, and do what falls due in it.

        Raises:
            UsageError: `seconds` is negative, infinite or NaN.
        """
        if not 0 <= seconds < math.inf:
            raise UsageError(f"bench time cannot pass by {seconds} s; allowed: 0 s or more, finite")
        self.advance(self.time + seconds)

    def advance(self, to: float) -> None:
        """Go on to `to`, doing what is due at its own time; an earlier `to` does nothing."""
        agenda = self._agenda
        while agenda and agenda[0].time <= to:
            timer = heapq.heappop(agenda)
            if not timer.cancelled:
                self.time = max(self.time, timer.time)
                timer.action()
        if to > self.time:
            self.time = to
        if self.time >= self.chore_at:
            self.chore()

    def at(self, time: float, action: Callable[[], None]) -> Timer:
        """Plan an action for `time` on the clock's own count; cancel it by its `cancelled`."""
        self._planned += 1
        timer = Timer(time, self._planned, action)
        heapq.heappush(self._agenda, timer)
        return timer

    @property
    def due(self) -> float:
        """When the next planned action is due; infinite if none is planned."""
        return self._agenda[0].time if self._agenda else math.inf

    def restart(self) -> None:
        """Begin a new count at 0 and forget what was planned; `now()` goes on."""
        self._offset += self.time
        self.time = 0.0
        self._agenda.clear()


class World(Protocol):
    """What a front end sees of the bench it stands on."""

    @property
    def clock(self) -> VirtualClock:
        """The one clock."""
        ...

    @property
    def device(self) -> Device:
        """The stimulator and its circuit, brought up to the clock's time."""
        ...

    @property
    def description(self) -> BenchDescription:
        """The bench file."""
        ...

    @property
    def profile(self) -> DeviceProfile:
        """What is declared of the device."""
        ...

    def feed(self, volts: float, limit: float) -> None:
        """Set voltage in V and current limit in A at the device's supply terminals."""
        ...
