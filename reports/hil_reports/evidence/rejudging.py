"""The judgements of a run folder judged again, from the captures that lie in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from hil.bodies import PlanBody, RemeasuredBody, requirement_of
from hil.derivation import Sources
from hil.errors import UsageError
from hil.exact import Exact
from hil.journal import Record
from hil.replay import Rejudged, rejudged
from hil.requirement import Requirement
from hil_reports.evidence import bag
from hil_reports.evidence.folder import Evidence, capture_loader, read_journal

_HELD = 16
"""Captures kept in memory: one treatment is judged by several tests, one after the other."""


def planned(records: Iterable[Record]) -> dict[str, Requirement]:
    """Return the requirements of a journal's plan, by id; raises UsageError if it has no plan."""
    for record in records:
        if record.kind == "plan":
            plan: PlanBody = record.body  # type: ignore[assignment]  # checked by kind just above
            known = [*plan["requirements"], *plan.get("standing", [])]
            return {body["id"]: requirement_of(body) for body in known}
    raise UsageError("the journal holds no plan: nothing says by what it was to be judged")


def rejudge_run(
    folder: Path,
    records: Iterable[Record],
    requirements: Mapping[str, Requirement],
    figure: Callable[[str], Exact] | None = None,
) -> Iterator[Rejudged]:
    """Judge every judgement of a run again.

    Args:
        folder: the run folder, which gives the captures; each is checked as it is read.
        records: its journal.
        requirements: by id, as planned or with other limits or rules.
        figure: gives the figures of a changed device; None leaves every level as it was.
    """
    held = list(records)
    load = lru_cache(maxsize=_HELD)(capture_loader(folder, held))
    return rejudged(held, requirements, Sources(load, figure))


def unfounded(folder: Path, records: Iterable[Record]) -> Iterator[tuple[int, str]]:
    """Find the judgements that do not follow from their captures by the rule of the plan.

    A count or a truth that is no raw data is passed over. A PASS of any other value that cannot be
    measured again, as by a feature that is not known here, follows from nothing.

    Args:
        folder: the run folder.
        records: its journal.

    Yields:
        Number of the record, and what is wrong with it.

    Raises:
        UsageError: the journal holds no plan, or one that cannot be read.
    """
    held = list(records)
    for found in rejudge_run(folder, held, planned(held)):
        if found.unshown or (found.differs and found.drift is None):
            yield found.n, f"{found.was.get('requirement', 'a judgement')}: {_why(found)}"


def remeasure(folder: Path, utc: Callable[[], datetime]) -> None:
    """Judge every judgement again and journal what came of it, once and before the seal.

    Nothing is written where nothing was judged, where it was done before, or after the seal.

    Args:
        folder: the run folder; no other process may write to it.
        utc: the wall clock, timezone-aware.

    Raises:
        UsageError: there is no journal, or it was changed.
        BenchError: the disk refused the record.
    """
    if (folder / bag.TAG_MANIFEST).exists():
        return
    records = read_journal(folder).records
    kinds = {record.kind for record in records}
    if "remeasured" in kinds or not {"plan", "judgement"} <= kinds:
        return
    body = remeasured(folder, records)
    with Evidence.resume(folder, utc) as evidence:
        evidence.append("remeasured", body)


def remeasured(folder: Path, records: Iterable[Record]) -> RemeasuredBody:
    """Judge every judgement again by the rule of the plan, and sort them by what came of it."""
    held = list(records)
    body: RemeasuredBody = {
        "judgements": 0,
        "identical": 0,
        "drifted": 0,
        "stated": 0,
        "unshown": [],
        "unfounded": [],
    }
    for found in rejudge_run(folder, held, planned(held)):
        body["judgements"] += 1
        differs = found.differs
        if differs and found.drift is None:
            body["unfounded"].append((found.n, _why(found)))
        elif found.unshown:
            body["unshown"].append((found.n, found.stated))
        elif differs:
            body["drifted"] += 1
        elif found.stated:
            body["stated"] += 1
        else:
            body["identical"] += 1
    return body


def _why(found: Rejudged) -> str:
    if found.trouble:
        return found.trouble
    if found.unshown and not found.differs:
        return f"PASS was recorded, and its value cannot be measured again: {found.stated}"
    was, now = found.was, found.now
    parts = [f"{was['verdict']} was recorded, its captures make it {now['verdict']}"]
    if was["measured"] and now["measured"]:
        values = (was["measured"]["value"], now["measured"]["value"])
        parts.append(f"value {values[0]} was recorded, they make it {values[1]}")
    return "; ".join(parts)
