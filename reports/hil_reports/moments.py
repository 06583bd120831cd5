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
    measured = judged["measured"]
    given = next(_given(measured["derivation"]), {}) if measured else {}
    windows = _windows(given, record)
    return f"{name}, bench time {' and '.join(windows)}" if windows else name


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
    begin, end = _instant(given.get("after")), _instant(given.get("until"))
    return [f"{begin or _s(first)} to {end or _s(last)}"]


def _instant(written: object) -> str:
    instant = written.get("instant") if isinstance(written, dict) else None
    if not isinstance(instant, dict) or not isinstance(instant.get("time"), (int, float)):
        return ""
    return f"{_s(instant['time'])} ({clean(instant.get('name', ''), 60)})"


def _s(seconds: float) -> str:
    return f"{seconds:.2f} s"
