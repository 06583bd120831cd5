"""A test as the bench saw it: load, ramp, hold, disturbance, stop; then what was judged of it.

Times of a step count from the begin of its test; they are bench time, which in a simulated bench
passes faster than the clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from hil.bodies import JudgementBody
from hil.conclusion import severity
from hil.verdict import Verdict
from hil_reports.text import clean, in_print
from hil_reports.view import WORDS, judged_line

Step: TypeAlias = dict[str, Any]
Stored: TypeAlias = Mapping[str, Any]
"""Body of kind `record`."""

BENCH, JUDGED = "bench: ", "judged: "
"""How the steps that are made here begin, so that they can be made again."""
_MOST = 40
"""Steps of one kind in one test; of more the number is said."""


def settings(records: Iterable[Stored]) -> dict[str, str]:
    """What was set in records, name to quantities, each once, as `2.1 mA` or `0.1 mA, 4 mA`."""
    found: dict[str, list[str]] = {}
    for record in records:
        try:
            pairs = list(_set(record["scenario"]))
        except (KeyError, TypeError, AttributeError):
            continue  # a scenario of another version: its captures stand all the same
        for name, value in pairs:
            values = found.setdefault(name, [])
            if value not in values:
                values.append(value)
    return {name: ", ".join(values) for name, values in found.items()}


def _set(scenario: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for programme in scenario.get("programmes", ()):
        for name, value in programme["stimulus"].items():
            if name != "kind" and value is not None:
                yield name, _told(value)
        for name in ("hold", "dose"):
            if programme[name] is not None:
                yield name, _told(programme[name])
    if scenario.get("load"):
        yield "load", _told(scenario["load"])
    for disturbance in scenario.get("disturbances", ()):
        yield "disturbance", _disturbance(disturbance)


def _disturbance(body: Mapping[str, Any]) -> str:
    """As `load step 500 ohm, 2.0 s into hold`."""
    kind = "".join(f" {c.lower()}" if c.isupper() else c for c in str(body["kind"])).strip()
    own = [_told(v) for k, v in body.items() if k not in {"kind", "at"} and v is not None]
    at = body.get("at") or {}
    when = f", {_told(at['offset'])} into {_told(at['phase'])}" if at else ""
    return " ".join([kind, *own]) + when


def _told(value: object) -> str:
    return clean(value, 80)


def bench_steps(records: Sequence[Stored], origin: int, what: str = "records") -> list[Step]:
    """One step a record, its parts as steps in it.

    Args:
        records: in the order in which they were made.
        origin: when the test began, ms since 1970.
        what: of which there may be too many to show.
    """
    steps = []
    at = origin
    for record in records[:_MOST]:
        step = _of_record(record, at)
        at = step["stop"]
        steps.append(step)
    return [*steps, *_more(len(records) - _MOST, f"{BENCH}", what, at)]


def _of_record(record: Stored, origin: int) -> Step:
    captures = record["captures"]
    spans = [(c["start"], c["start"] + c["count"] * c["interval"]) for c in captures]
    moments = [event["time"] for event in record["events"]]
    edges = [edge for intervals in record["phases"].values() for one in intervals for edge in one]
    times = [*(edge for span in spans for edge in span), *moments, *edges]
    begin, end = min(times, default=0.0), max(times, default=0.0)

    def made(name: str, start: float, stop: float, parts: Sequence[Step] = ()) -> Step:
        first, last = (origin + round((time - begin) * 1000) for time in (start, stop))
        return _step(name, first, last, "passed", parts)

    scenario = record["scenario"]
    load = scenario.get("load")
    parts = [made(f"arrange load {_told(load)}", begin, begin)] if load else []
    timed = [
        (start, stop, f"{clean(phase, 60)}, {stop - start:.3f} s")
        for phase, intervals in record["phases"].items()
        for start, stop in intervals
    ]
    timed += [
        (event["time"], event["time"], f"{clean(event['name'], 60)} at {event['time']:.3f} s")
        for event in record["events"]
    ]
    parts += [made(name, start, stop) for start, stop, name in sorted(timed)[:_MOST]]
    claimed = record["claimed_charge"]
    parts += [made(f"device claims {_told(claimed)}", end, end)] if claimed else []
    told = ", ".join(f"{name} {value}" for name, value in settings([record]).items())
    name = f"{BENCH}record {_told(record['record'])}" + (f", {told}" if told else "")
    return made(name, begin, end, parts)


def judged_steps(
    judgements: Iterable[JudgementBody], statuses: Mapping[Verdict, str], at: int
) -> list[Step]:
    """One step a judgement, the worst first: what was measured against which limit.

    Args:
        judgements: of one test.
        statuses: of a step, by verdict.
        at: when, ms since 1970.
    """
    ranked = sorted(judgements, key=severity)
    steps = [
        _step(f"{JUDGED}{_sentence(body)}", at, at, statuses[Verdict(body["verdict"])])
        for body in ranked[:_MOST]
    ]
    return [*steps, *_more(len(ranked) - _MOST, JUDGED, "judgements, none of them worse", at)]


def _sentence(body: JudgementBody) -> str:
    at = f", at {clean(body['at'], 60)}" if body["at"] else ""
    told = judged_line(body) or in_print(clean(body["reason"], 300))
    word = WORDS[Verdict(body["verdict"])]
    return f"{clean(body['requirement'], 120)} {word}: {told}{at}"


def _more(count: int, prefix: str, what: str, at: int) -> list[Step]:
    return [_step(f"{prefix}{count} more {what}", at, at, "passed")] if count > 0 else []


def _step(name: str, start: int, stop: int, status: str, parts: Sequence[Step] = ()) -> Step:
    return {
        "name": name,
        "status": status,
        "stage": "finished",
        "start": start,
        "stop": stop,
        "steps": list(parts),
        "attachments": [],
        "parameters": [],
    }
