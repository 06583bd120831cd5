"""From which time of which record a judged value was taken, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hil.bodies import JudgementBody
from hil_reports.text import clean


def taken_from(judged: JudgementBody, record: Mapping[str, Any] | None) -> str:
    """Name record and bench time; empty where the judgement rests on no record.

    Args:
        judged: the judgement.
        record: body of the record that it names; None if there is none.
    """
    if record is None:
        return ""
    name = f"record {clean(record['record'], 40)}"
    window = window_of(judged, record)
    return f"{name}, {window}" if window else name


def window_of(judged: JudgementBody, record: Mapping[str, Any] | None) -> str:
    """Bench time from which a judged value was taken; empty where that is not known."""
    measured = judged["measured"]
    given = next(_given(measured["derivation"]), {}) if measured else {}
    windows = _windows(given, record) if record else []
    return f"bench time {' and '.join(windows)}" if windows else ""


def _given(tree: object) -> Iterator[Mapping[str, Any]]:
    """What each feature of a derivation was given, the first one first."""
    if isinstance(tree, dict):
        given = tree.get("given")
        if "feature" in tree and isinstance(given, dict):
            yield given
            return
        for part in tree.values():
            yield from _given(part)
    elif isinstance(tree, list):
        for part in tree:
            yield from _given(part)


def _windows(given: Mapping[str, Any], record: Mapping[str, Any]) -> list[str]:
    phase = given.get("phase")
    if isinstance(phase, str):
        spans = record["phases"].get(phase, [])
        return [f"{_s(begin)} to {_s(end)} ({clean(phase, 60)})" for begin, end in spans]
    first = min((each["start"] for each in record["captures"]), default=None)
    if first is None:
        return []
    last = max(each["start"] + each["count"] * each["interval"] for each in record["captures"])
    events = {event["name"]: event["time"] for event in record["events"]}
    begin, end = (_instant(given.get(name), events) for name in ("after", "until"))
    return [f"{begin or _s(first)} to {end or _s(last)}"]


def _instant(written: object, events: Mapping[str, float]) -> str:
    """When an instant was; its name too, unless it lies some time after the event of that name."""
    instant = written.get("instant") if isinstance(written, dict) else None
    if not isinstance(instant, dict) or not isinstance(instant.get("time"), (int, float)):
        return ""
    name, time = clean(instant.get("name", ""), 60), instant["time"]
    moved = name in events and _s(events[name]) != _s(time)
    return _s(time) + (f" ({name})" if name and not moved else "")


def _s(seconds: float) -> str:
    return f"{seconds:.2f} s"
