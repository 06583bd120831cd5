"""What a run rests on: how many recorded treatments its tests judge, and how long they took."""

from __future__ import annotations

from hil.conclusion import Conclusion
from hil.estimate import in_words
from hil.proof import PROBE

_PAIR = 2


def in_short(conclusion: Conclusion) -> str:
    """Say how many tests judge how many treatments, the bench time and the wall time."""
    used = _used(conclusion)
    tests = {test for each in used.values() for test in each}
    times = []
    if conclusion.bench_seconds is not None:
        virtual = "" if conclusion.run["real"] else ", virtual on a simulated bench"
        times.append(f"bench time {in_words(conclusion.bench_seconds)}{virtual}")
    if conclusion.seconds:
        times.append(f"wall time {in_words(conclusion.seconds)}")
    judge = "test judges" if len(tests) == 1 else "tests judge"
    treatments = "treatment" if len(used) == 1 else "treatments"
    return "; ".join([f"{len(tests)} {judge} {len(used)} recorded {treatments}", *times])


def shared(conclusion: Conclusion) -> str:
    """Say how many records several tests share: those tests are not independent of each other."""
    used = _used(conclusion)
    several = [tests for tests in used.values() if len(tests) >= _PAIR]
    told = f"{in_short(conclusion)}."
    if not several:
        return f"{told} No record is judged by more than one test."
    return (
        f"{told} Tests may share a record: {len(several)} of the {len(used)} are judged by more "
        f"than one test, one of them by {max(map(len, several))}; such tests are no independent "
        "treatments."
    )


def unjudged(conclusion: Conclusion) -> list[str]:
    """Records that no judgement cites: what was seen, and left out of all verdicts."""
    used = _used(conclusion)
    return [
        body["record"]
        for body in conclusion.records
        if body["test"] != PROBE and body["record"] not in used
    ]


def recorded(conclusion: Conclusion) -> dict[str, tuple[int, int]]:
    """Test to the number of treatments that it recorded, and how many of them are judged."""
    used = _used(conclusion)
    found: dict[str, tuple[int, int]] = {}
    for body in conclusion.records:
        count, judged = found.get(body["test"], (0, 0))
        found[body["test"]] = count + 1, judged + (body["record"] in used)
    return found


def _used(conclusion: Conclusion) -> dict[str, set[str]]:
    """Record to the tests whose judgements name it, or cite a capture of it; none of the probe."""
    judging = [body for row in conclusion.requirements for body in row.judgements]
    of_capture = {
        capture["sha256"]: body["record"]
        for body in conclusion.records
        for capture in body["captures"]
    }
    probed = {body["record"] for body in conclusion.records if body["test"] == PROBE}
    found: dict[str, set[str]] = {}
    for body in judging:
        cited = body["measured"]["captures"] if body["measured"] else []
        named = {body.get("record", ""), *(of_capture.get(each, "") for each in cited)}
        for record in named - probed - {""}:
            found.setdefault(record, set()).add(body["test"])
    return found
