"""What befalls whom in one round, drawn from a seed, and within which time the current must be off.

A round energises a real run on a served bench, at a random moment lets blows fall on any of its
parts, and leaves it to whoever is left.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from hil_fixtures.arming import DRAIN
from hil_fixtures.station import LEASE, LONGEST_LEASE

SCALE = 20.0
"""Bench seconds for each second."""
LAPSE = min(LEASE, LONGEST_LEASE / SCALE)
"""Seconds after the last renewal within which a lease has lapsed, the runner's or the relay's."""
HANG = 0.5
"""Seconds for which the sentinel waits for a cut-off that does not answer, and sees nothing."""
MARGIN = 0.2
"""Seconds from a cause that is seen, or a lease that has lapsed, to a current that is off."""
_SPREAD = 0.3
"""Seconds within which the blows of one round fall, where they do not fall together."""


class Part(Enum):
    """Who can be struck; the value is how it is told."""

    RUNNER = "runner"
    SENTINEL = "sentinel"
    SUPERVISOR = "supervisor"
    LINK = "link"
    INSTRUMENT = "instrument"
    DEVICE = "device"


_HOW = {
    Part.RUNNER: ("killed", "stalled"),
    Part.SENTINEL: ("killed", "stalled"),
    Part.SUPERVISOR: ("killed", "stalled"),
    Part.LINK: ("unplugged", "silent"),
    Part.INSTRUMENT: ("without power",),
    Part.DEVICE: ("without power",),
}
_ROLES = {
    Part.LINK: ("stimulator", "cutoff", "ammeter", "voltmeter", "oscilloscope"),
    Part.INSTRUMENT: ("cutoff", "ammeter", "voltmeter", "oscilloscope", "load", "supply"),
}
_WATCHED = ("stimulator", "ammeter", "voltmeter", "oscilloscope")
"""Whom a runner asks again and again while current flows."""
TREATMENTS = ("wild", "current-limits", "ramping", "polarity", "fault-shutdown", "dose")
"""`wild` commands inside and outside of an envelope of its own; the others are shipped suites."""
PATHS = ("hil run", "pytest")


@dataclass(frozen=True)
class Blow:
    """One thing that befalls one part."""

    part: Part
    how: str
    role: str = ""
    """Of the instrument, or of the one at the end of the link."""
    after: float = 0.0
    """Seconds after the first one."""

    def __str__(self) -> str:
        whom = f"{self.part.value} of {self.role}" if self.role else self.part.value
        later = f" {self.after * 1e3:.0f} ms later" if self.after else ""
        return f"{whom} {self.how}{later}"


@dataclass(frozen=True)
class Round:
    """What is done in one round."""

    number: int
    path: str
    """Who runs it: `hil run`, or plain `pytest`, which has no supervisor."""
    treatment: str
    moment: float
    """Seconds after the first current, at which the first blow falls."""
    blows: tuple[Blow, ...]
    mended: bool
    """Whether links and power come back once the current is off, or stay away to the end."""

    def __str__(self) -> str:
        blows = ", ".join(map(str, self.blows))
        return (
            f"round {self.number}: {self.path}, {self.treatment}, {self.moment:.2f} s in: {blows}"
        )


def drawn(seed: int, count: int) -> list[Round]:
    """Draw rounds; each depends on the seed and its own number alone."""
    return [_round(number, random.Random(f"{seed}:{number}")) for number in range(count)]


def _round(number: int, dice: random.Random) -> Round:
    path = dice.choice(PATHS)
    parts = [part for part in Part if part is not Part.SUPERVISOR or path == "hil run"]
    struck = dice.sample(parts, dice.choice((1, 1, 1, 2, 2, 3)))
    together = dice.random() < 0.5
    blows = [_blow(part, 0.0 if together else dice.uniform(0, _SPREAD), dice) for part in struck]
    first = min(blow.after for blow in blows)
    ordered = sorted(
        (Blow(blow.part, blow.how, blow.role, blow.after - first) for blow in blows),
        key=lambda blow: blow.after,
    )
    treatment = "wild" if dice.random() < 0.4 else dice.choice(TREATMENTS[1:])
    moment = dice.uniform(0.5, 2.5) if treatment == "wild" else dice.uniform(0, 1.5)
    return Round(number, path, treatment, moment, tuple(ordered), mended=dice.random() < 0.7)


def _blow(part: Part, after: float, dice: random.Random) -> Blow:
    return Blow(part, dice.choice(_HOW[part]), dice.choice(_ROLES.get(part, ("",))), after)


@dataclass(frozen=True)
class Bound:
    """Within which time the current must be off after the last blow, and by whom."""

    kind: str
    seconds: float
    """Without the margin."""


GOES_ON = Bound("nobody who matters: goes on, until its runner is killed", 0.0)


def bound(blows: Sequence[Blow]) -> Bound | None:
    """The nearest bound of those that hold; None if the treatment may go on."""
    struck = {blow.part: blow.how for blow in blows}
    roles = {blow.role: blow.how for blow in blows if blow.part is Part.LINK}
    dark = {blow.role for blow in blows if blow.part is Part.INSTRUMENT}
    if Part.DEVICE in struck or "supply" in dark:
        return Bound("device or its supply without power: off by itself", 0.0)
    if "cutoff" in dark:
        return Bound("cut-off without power: opens by itself", 0.0)
    if Part.SENTINEL in struck:
        nobody = "killed" in {struck.get(Part.RUNNER), struck.get(Part.SUPERVISOR)}
        nobody |= struck.get(Part.RUNNER) == "stalled"
        kind = "runner and sentinel: nobody is left" if nobody else "sentinel"
        return Bound(f"{kind}: the relay's lease", LAPSE)
    if roles.get("cutoff") == "unplugged":
        return Bound("cut-off unplugged: the relay's lease", LAPSE)
    hang = HANG if "cutoff" in roles else 0.0
    if struck.get(Part.RUNNER) == "killed":
        return Bound("runner killed: the sentinel" + _busy(hang), hang)
    if struck.get(Part.SUPERVISOR) == "killed":
        return Bound("supervisor killed: the sentinel" + _busy(hang), hang)
    if hang:
        return Bound("cut-off silent: the sentinel, or the relay's lease", LAPSE + hang)
    if struck.get(Part.RUNNER) == "stalled":
        return Bound("runner stalled: the sentinel, once its lease lapsed", LAPSE)
    if (dark | set(roles)) & set(_WATCHED):
        seconds = DRAIN / SCALE + LAPSE
        return Bound("instrument lost: the sentinel, as the runner comes no further", seconds)
    return None


def _busy(hang: float) -> str:
    return ", busy with a silent cut-off" if hang else ""
