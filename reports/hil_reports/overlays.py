"""Records of two runs drawn over each other, from the moment at which the treatment began."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from hil.bodies import JudgementBody
from hil.capture import Capture
from hil.conclusion import Conclusion
from hil.errors import UsageError
from hil_reports.marks import marks_of
from hil_reports.plot import Envelope, Trace, envelope, overlay
from hil_reports.text import clean
from hil_reports.view import NO_PLOT, View, channel_of

_PLOTS = 24  # of what changed most; how many more there are is said
_ORIGIN = "start"


@dataclass(frozen=True)
class Side:
    """One of the two runs."""

    name: str
    """A or B."""
    conclusion: Conclusion
    load: Callable[[str], Capture]
    """Reads a capture of it by its hash; raises UsageError if it is missing or was changed."""


class Overlays:
    """Draws records of both runs over each other; reads each capture once."""

    def __init__(self, before: Side, after: Side) -> None:
        self._sides = (before, after)
        self._records = [
            {body["record"]: body for body in side.conclusion.records} for side in self._sides
        ]
        self._known: dict[tuple[str, str], Envelope] = {}
        self._drawn = 0
        self.left_out = 0
        self.problems: list[str] = []

    def of(self, before: JudgementBody | None, after: JudgementBody | None) -> View:
        """Return svg and caption of a judgement; empty where a run has no such record."""
        first, second = self._stored(0, before), self._stored(1, after)
        if after is None or first is None or second is None:
            return NO_PLOT
        if first[1]["channel"] != second[1]["channel"]:
            return NO_PLOT
        if self._drawn >= _PLOTS:
            self.left_out += 1
            return NO_PLOT
        try:
            below, above = self._trace(0, *first), self._trace(1, *second)
        except UsageError as err:
            self.problems.append(clean(err, 500))
            return NO_PLOT
        record, stored = second
        marks = marks_of(after, record, above.found)
        moved = marks.moved(above.origin)
        title = f"{stored['channel']} of both runs, {after['requirement']}"
        aligned = _ORIGIN if _start(record) is not None else "begin of the record"
        svg = overlay(below, above, moved, title, aligned)
        self._drawn += bool(svg)
        told = [
            f"{side.name}: record {clean(each[0]['record'], 40)}, capture {each[1]['sha256'][:12]}"
            for side, each in zip(self._sides, (first, second), strict=True)
        ]
        channel = clean(stored["channel"], 60)
        caption = f"{channel}, min/max envelopes; {'; '.join(told)}; limits and events of B"
        return {"svg": svg, "caption": caption if svg else ""}

    def _stored(
        self, place: int, body: JudgementBody | None
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
        record = self._records[place].get(body.get("record", "")) if body else None
        stored = channel_of(record, body) if record and body else None
        return (record, stored) if record and stored else None

    def _trace(self, place: int, record: Mapping[str, Any], stored: Mapping[str, Any]) -> Trace:
        side, sha256 = self._sides[place], stored["sha256"]
        key = (side.name, sha256)
        if key not in self._known:
            self._known[key] = envelope(side.load(sha256))
        found = self._known[key]
        start = _start(record)
        return Trace(
            side.conclusion.run["run_id"], found, found.span[0] if start is None else start
        )


def _start(record: Mapping[str, Any]) -> float | None:
    """Bench time in s at which the treatment was started; None where nothing says so."""
    events: Iterable[Mapping[str, Any]] = record["events"]
    return next((event["time"] for event in events if event["name"] == _ORIGIN), None)
