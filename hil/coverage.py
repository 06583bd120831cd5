"""What the examples of a property covered: how many, over which ranges, and how near to a limit.

A property that passes leaves this as its evidence. A range is what was drawn, not what was hoped
for: quantities are counted, and their smallest and largest values kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from enum import Enum
from typing import Any

from hil.bodies import CoveredBody, RangeBody, WorstBody
from hil.decision import Judgement
from hil.exact import Exact
from hil.scenario import DirectCurrent, Moment, Scenario, kind
from hil.sequence import Command

POINTS = 200
"""Examples whose values are kept one by one; of the others the range alone counts."""

_HAPPENS = "what happens"


@dataclass
class Coverage:
    """Grows with each example of one property."""

    examples: int = 0
    """Examples that were judged."""
    _numbers: dict[tuple[str, str], list[Decimal]] = field(default_factory=dict)
    _words: dict[str, Counter[str]] = field(default_factory=dict)
    _rows: list[dict[str, Decimal]] = field(default_factory=list)
    _worst: dict[str, tuple[Decimal, WorstBody]] = field(default_factory=dict)

    def note(self, drawn: Mapping[str, Any], judgements: Iterable[Judgement]) -> None:
        """Take note of one example.

        Args:
            drawn: argument to what was drawn for it.
            judgements: all that were made of it; those without a margin say nothing here.
        """
        self.examples += 1
        row: dict[str, Decimal] = {}
        for name, value in _parts(drawn):
            if isinstance(value, Exact):
                unit = value.dimension.value
                self._numbers.setdefault((name, unit), []).append(value.base)
                row.setdefault(name, value.base)
            else:
                self._words.setdefault(name, Counter())[value] += 1
        if len(self._rows) < POINTS:
            self._rows.append(row)
        for judgement in judgements:
            self._weigh(judgement, drawn)

    def _weigh(self, judgement: Judgement, drawn: Mapping[str, Any]) -> None:
        margin, measured = judgement.margin, judgement.measured
        if margin is None or measured is None or margin.is_nan():
            return
        known = self._worst.get(judgement.requirement)
        if known is None or margin < known[0]:
            body: WorstBody = {
                "requirement": judgement.requirement,
                "margin": str(margin),
                "unit": measured.dimension.value,
                "example": in_words(drawn),
            }
            self._worst[judgement.requirement] = margin, body

    @property
    def body(self) -> CoveredBody:
        """All of it, as it is journaled."""
        ranges: list[RangeBody] = [
            {
                "name": name,
                "unit": unit,
                "count": len(values),
                "least": float(min(values)),
                "most": float(max(values)),
            }
            for (name, unit), values in self._numbers.items()
        ]
        names = [entry["name"] for entry in ranges]
        return {
            "examples": self.examples,
            "ranges": ranges,
            "words": {name: dict(sorted(counts.items())) for name, counts in self._words.items()},
            "points": [
                [float(row[name]) if name in row else None for name in names] for row in self._rows
            ],
            "worst": [body for _, body in self._worst.values()],
        }


def in_words(drawn: Mapping[str, Any]) -> str:
    """What was drawn, on one line: `setpoint 2 mA, load 1 kohm, pause, offset 3 s`."""
    found = []
    for name, value in drawn.items():
        if isinstance(value, tuple):
            found.append(f"{name} {', '.join(map(str, value))}")
            continue
        shown = [
            f"{part} {each}" if isinstance(each, Exact) else str(each)
            for part, each in _parts({name: value})
            if part != _HAPPENS  # its moment names it once more
        ]
        found.append(", ".join(shown))
    return "; ".join(found)


def _parts(drawn: Mapping[str, Any]) -> Iterator[tuple[str, Exact | str]]:
    """Each quantity and word of what was drawn, by its name."""
    for name, value in drawn.items():
        if isinstance(value, Scenario):
            yield from _of_scenario(value)
        elif isinstance(value, tuple):
            yield from _of_sequence(name, value)
        elif isinstance(value, Enum):
            yield name, str(value.value)
        else:
            yield name, value if isinstance(value, Exact) else str(value)


def _of_scenario(scenario: Scenario) -> Iterator[tuple[str, Exact | str]]:
    for programme in scenario.programmes:
        stimulus = programme.stimulus
        if isinstance(stimulus, DirectCurrent):
            yield "setpoint", stimulus.setpoint
            yield "polarity", stimulus.polarity.value if stimulus.polarity else "the device's own"
        if programme.dose is not None:
            yield "dose", programme.dose
        else:
            yield "hold", programme.hold
    yield "load", scenario.load
    for disturbance in scenario.disturbances:
        name = kind(type(disturbance))
        yield _HAPPENS, name
        for part in fields(disturbance):
            value = getattr(disturbance, part.name)
            if isinstance(value, Moment):
                yield f"{name} in {value.phase.value}, after", value.offset
            elif isinstance(value, Exact):
                yield f"{name}: {part.name}", value


def _of_sequence(name: str, sequence: tuple[Any, ...]) -> Iterator[tuple[str, Exact | str]]:
    for command in sequence:
        if not isinstance(command, Command):
            yield name, "text"  # each is another one: their number says enough
            continue
        yield "command", command.do.value
        if command.value is not None:
            yield command.do.value, command.value
