"""Who waits for a level: ADC windows of the board, and the independent over-current comparator."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.physics.segment import Segment
from hil_instruments.simulated.physics.signal import Signal

_HYSTERESIS = 1e-6  # relative; a level that was met must be left by so much before it counts again
_LEAST = 1e-11  # A or V: hysteresis of a small level, above all that rounding and root search leave
_RESET = 0.999  # share of the comparator's level below which it lets go
_NEAR = 1e-12  # how near a level counts as met, relative, or absolute below 1


@dataclass(slots=True)
class Window:
    """Tells when the magnitude of a signal enters or leaves low to high."""

    low: float
    high: float
    region: int | None = None
    """-1 below, 0 inside, 1 above; None until it has looked."""

    def look(self, value: float) -> bool:
        """Take a value in; return whether its region is another one than before."""
        before, self.region = self.region, self._place(value)
        return before is not None and self.region != before

    def leaves(self, value: float) -> bool:
        """Whether a value is in another region than the last one."""
        return self._place(value) != self.region

    def _place(self, value: float) -> int:
        size, before = abs(value), self.region
        slack = _NEAR * max(1.0, size)
        if before is None:
            return -1 if size < self.low else int(size > self.high)
        low = self.low - slack if before < 0 else _left(self.low) + slack
        high = _left(self.high) + slack if before > 0 else self.high - slack
        return -1 if size < low else int(size >= high)

    def rests(self, level: float, spread: float) -> bool:
        """Whether a signal that stays within `spread` of `level` stays in its region."""
        least, most = abs(level) - spread, abs(level) + spread
        if self.region == 0:
            return self.low < least and most < self.high
        return (most < self.low) if self.region == -1 else (self.region == 1 and least > self.high)

    def quiet(self, signal: Signal, age: float) -> float:
        """Age in s up to which the signal certainly stays in its region."""
        rising = (signal, signal.times(-1.0))
        falling = rising[1] if signal.at(age) >= 0 else rising[0]
        ages = []
        if self.region == -1:
            ages += [each.quiet(age, self.low) for each in rising]
        elif self.region == 0:
            if self.high < math.inf:
                ages += [each.quiet(age, self.high) for each in rising]
            if self.low > 0:
                ages.append(falling.quiet(age, -_left(self.low)))
        else:
            ages.append(falling.quiet(age, -_left(self.high)))
        return min(ages, default=math.inf)


class Windows:
    """Windows on any nodes, one each."""

    def __init__(self) -> None:
        """Begin without any."""
        self._of: dict[Node, Window] = {}

    def put(self, node: Node, low: float, high: float, value: float) -> None:
        """Put a window on a node that has a value now; both levels infinite remove it."""
        if math.isinf(low) and math.isinf(high):
            self._of.pop(node, None)
        else:
            window = self._of[node] = Window(low, high)
            window.look(value)

    def quiet(self, segment: Segment, age: float) -> float:
        """Age of a segment in s up to which no window has anything to tell."""
        ages = []
        for node, window in self._of.items():
            if node.value <= Node.EARTH.value and window.rests(*segment.extent(node.value)):
                continue
            signal = segment.seen(node)
            if window.leaves(signal.at(age)):
                return age
            ages.append(window.quiet(signal, age))
        return min(ages, default=math.inf)

    def look(self, segment: Segment, age: float) -> bool:
        """Look at an age of a segment in s; return whether any window has something to tell."""
        found = False
        for node, window in self._of.items():
            found |= window.look(segment.seen(node).at(age))
        return found


@dataclass(slots=True)
class Comparator:
    """Fires when a current has stayed above a level for a time; its level lets go 0.1 % lower."""

    level: float
    """In A; infinite never fires."""
    delay: float
    """In s."""
    since: float | None = None
    """Bench time in s since which the current is above."""

    @property
    def due(self) -> float:
        """Bench time in s at which it fires; infinite while the current is below."""
        return math.inf if self.since is None else self.since + self.delay

    def look(self, current: float, now: float) -> None:
        """Take a current in A in."""
        if self.since is None:
            if current >= self.level - _NEAR:
                self.since = now
        elif current <= self.level * _RESET * (1 + 1e-9):
            self.since = None

    def quiet(self, signal: Signal, age: float) -> float:
        """Age in s up to which nothing happens to it."""
        if self.since is None:
            return signal.quiet(age, self.level) if self.level < math.inf else math.inf
        return signal.times(-1.0).quiet(age, -self.level * _RESET)


def _left(level: float) -> float:
    """Where a level that was met counts as left."""
    return level - max(level * _HYSTERESIS, _LEAST)
