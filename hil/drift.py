"""Where a simulated instrument answers differently from what a recorded one answered.

Form comes first: another number of fields, another way to write a number, another unit or text in
quotes, or no answer at all is no matter of accuracy. A plain word that both say at other times is a
matter of the moment; one that only one of them ever says is of another form.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

_NUMBER = re.compile(
    r"(?P<value>(?P<sign>[+-]?)\d+(?:\.(?P<decimals>\d*))?(?:[eE](?P<power>[+-]?\d+))?)"
    r"(?P<unit>\s*[A-Za-z%]*)"
)
_FIELD = re.compile(r'((?:"[^"]*"|[^",])*)(?:,|$)')
RARE = 0.05
"""Share of the answers to one command that may be of another moment."""
JITTER = 0.05
"""Relative difference of counts, and of lengths of blocks, that the pace of a wall explains."""
FEW = 2
"""How many may in any case: a question that falls onto a change of state is answered either way."""


class Difference(Enum):
    """How two answers to one question differ, from not at all to the gravest."""

    IDENTICAL = "identical"
    WITHIN = "numbers within the accuracy"
    MOMENT = "word of another moment"
    BEYOND = "numbers beyond the accuracy"
    FORM = "form differs"
    SILENT = "no answer"


ORDER = list(Difference)


@dataclass(frozen=True, slots=True)
class Limits:
    """Limits of the difference between two instruments of one kind that see one true value."""

    relative: float = 0.0
    absolute: float = 0.0
    """In the unit of what they report."""
    count: float = 0.0
    """Relative, of counts."""

    def hold(self, one: float, other: float, *, count: bool = False) -> bool:
        """Whether both may be of one true value, or counts of one thing at about one time."""
        size = max(abs(one), abs(other))
        relative = max(self.relative, self.count if count else 0.0)
        return abs(one - other) <= relative * size + self.absolute


@dataclass(frozen=True, slots=True)
class Example:
    """One question that was answered differently."""

    line: int
    """Of the transcript, where its answer stands."""
    asked: str
    recorded: str
    simulated: str


@dataclass
class Row:
    """All answers of one instrument to one command."""

    role: str
    command: str
    """Without its parameters."""
    jitters: bool = False
    """Whether the recording followed the wall, so that a few numbers are of another moment too."""
    counts: Counter[Difference] = field(default_factory=Counter)
    examples: dict[Difference, Example] = field(default_factory=dict)
    """The first of each difference."""
    _words: tuple[set[str], set[str]] = field(default_factory=lambda: (set(), set()))
    _moments: list[tuple[set[str], Example]] = field(default_factory=list)

    def add(self, found: Difference, example: Example) -> None:
        """Count one answer."""
        for known, text in zip(self._words, (example.recorded, example.simulated), strict=True):
            known.update(fields(text) if len(text) < 200 else ())
        if found is Difference.MOMENT:
            both = set(fields(example.recorded)) ^ set(fields(example.simulated))
            self._moments.append((both, example))
            return
        self.counts[found] += 1
        self.examples.setdefault(found, example)

    def settled(self) -> Row:
        """Count words of another moment as such, or as of another form; then it is whole."""
        both = self._words[0] & self._words[1]
        for words, example in self._moments:
            found = Difference.MOMENT if words <= both else Difference.FORM
            self.counts[found] += 1
            self.examples.setdefault(found, example)
        self._moments.clear()
        return self

    @property
    def drifts(self) -> bool:
        """Whether the instrument that is simulated is not like the one that was recorded."""
        moments = [Difference.MOMENT, *([Difference.BEYOND] if self.jitters else [])]
        grave = {Difference.BEYOND, Difference.FORM, Difference.SILENT} - {*moments}
        if any(self.counts[each] for each in grave):
            return True
        return sum(self.counts[each] for each in moments) > max(FEW, RARE * self.counts.total())

    @property
    def worst(self) -> Difference:
        """The gravest difference that was found."""
        return max((each for each in self.counts if self.counts[each]), key=ORDER.index)


def compare(recorded: str, simulated: str, limits: Limits) -> Difference:
    """Compare two answers of text to one question.

    Args:
        recorded: what came then.
        simulated: what comes now.
        limits: within which numbers count as equal.
    """
    if recorded == simulated:
        return Difference.IDENTICAL
    ours, theirs = fields(recorded), fields(simulated)
    if len(ours) != len(theirs) or '"' in recorded + simulated:
        return Difference.FORM
    found = [_compared(*pair, limits) for pair in zip(ours, theirs, strict=True)]
    return max(found, key=ORDER.index)


def fields(text: str) -> list[str]:
    """What commas part, but for those within quotes."""
    return list(_parted(text))


def _parted(text: str) -> Iterator[str]:
    at = 0
    while found := _FIELD.match(text, at):
        yield found[1].strip()
        at = found.end()
        if found.end() == found.end(1):
            return


def _compared(one: str, other: str, limits: Limits) -> Difference:
    if one == other:
        return Difference.IDENTICAL
    ours, theirs = _NUMBER.fullmatch(one), _NUMBER.fullmatch(other)
    if ours is None and theirs is None:
        return Difference.MOMENT
    if ours is None or theirs is None or not _alike(ours, theirs):
        return Difference.FORM
    count = ours["decimals"] is None and ours["power"] is None
    within = limits.hold(float(ours["value"]), float(theirs["value"]), count=count)
    return Difference.WITHIN if within else Difference.BEYOND


def _alike(one: re.Match[str], other: re.Match[str]) -> bool:
    """Whether two numbers are written in one way; a minus does not tell how a plus is written."""
    if {one["sign"], other["sign"]} == {"+", ""} or one["unit"] != other["unit"]:
        return False
    return all(_length(one[part]) == _length(other[part]) for part in ("decimals", "power"))


def _length(part: str | None) -> int:
    return -1 if part is None else len(part)
