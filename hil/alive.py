"""What two meters answer to a source of known sign behind an open cut-off.

The source stands at the device's end of the ammeter. With the path open nothing draws from it but
the voltmeter, which lies behind the ammeter: a current that is known to the last percent, however
small. Both meters must show it, and nothing beside it. Figures are SI floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

from hil.agreement import METER_INPUT
from hil.exact import Dimension, readable
from hil.proof import PRESENT, Pair

MARGIN = 10.0
"""Times the ammeter's limit of error that the voltmeter's current must be to count as read."""
INPUT_TOLERANCE = 0.1
"""Relative error allowed for the voltmeter's input resistance; data sheets promise a few percent,
a meter whose fuse is blown or that is frozen shows none of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the meters answered."""

    voltmeter: bool
    """Whether the voltmeter followed the source."""
    ammeter: bool
    """Whether the ammeter followed it: it read what the voltmeter draws, at least."""
    path: bool
    """Whether no more than allowed flowed beside that: the path is open."""
    text: str
    """The same in words, with figures."""
    asked: bool = True
    """Whether they were asked at all."""

    @property
    def proven(self) -> bool:
        """Whether both meters are alive, and the path is open between them."""
        return self.voltmeter and self.ammeter and self.path


def unasked(why: str) -> Answer:
    """Return what a check shows that was not made, or not to its end: nothing.

    Args:
        why: it was not, in words that follow a colon.
    """
    text = f"the meters were not asked: {why}"
    return Answer(voltmeter=False, ammeter=False, path=False, text=text, asked=False)


def answered(before: Pair, joined: Pair, stands: float, allowed: float) -> Answer:
    """Judge what was read without the source, and with it joined.

    A frozen meter does not rise, whatever it is frozen at; a blown fuse and a lead that is off keep
    the source from both meters; a closed contact shows as a current, whatever it reads back.

    Args:
        before: readings with the source parted.
        joined: in the same ranges, with the source joined.
        stands: where the source stands by its own read-back, in V.
        allowed: current in A past the cut-off up to which its path counts as open.
    """
    volts = joined.volts.value - before.volts.value
    amperes = joined.amperes.value - before.amperes.value
    errors = before.amperes.limit + joined.amperes.limit
    drawn = joined.volts.value / METER_INPUT
    voltmeter = math.isfinite(volts) and volts >= PRESENT * stands
    resolved = voltmeter and drawn >= MARGIN * errors
    ammeter = resolved and amperes >= (1 - INPUT_TOLERANCE) * drawn - errors
    path = amperes - (drawn if voltmeter else 0.0) <= allowed
    text = (
        f"asked with {_volts(stands)}, the voltmeter rose by {_volts(volts)} and the ammeter by "
        f"{_amperes(amperes)}"
    )
    if not path:
        text += f": more than {_amperes(allowed)} passes the open cut-off: it may be welded"
    elif not voltmeter:
        text += ": look at the ammeter's fuse, the leads of both, and the source's channel"
    elif not ammeter:
        text += f", of which the voltmeter draws {_amperes(drawn)}: the ammeter is not shown alive"
    return Answer(voltmeter=voltmeter, ammeter=ammeter, path=path, text=text)


def _volts(volts: float) -> str:
    return _readable(volts, Dimension.VOLTAGE)


def _amperes(amperes: float) -> str:
    return _readable(amperes, Dimension.CURRENT)


def _readable(value: float, dimension: Dimension) -> str:
    if math.isinf(value):
        return "more than its range"
    return readable(Decimal(f"{value:.3g}"), dimension)
