"""What was seen beside the verdicts, accepted or not: reports of faults, doubts, early ends."""

from __future__ import annotations

from collections.abc import Iterable

from hil.conclusion import Conclusion
from hil_reports.offs import by_supply
from hil_reports.text import clean, foremost

_NAMED = 4
"""Tests that are named of each observation."""


def observations(conclusion: Conclusion) -> list[str]:
    """Say what a reviewer would ask about, a sentence each; empty if nothing was seen."""
    found = []
    faults: dict[str, int] = {}
    for body in conclusion.records:
        seen = sum(state == "fault" for _, state in body["states"])
        if seen:
            faults[body["test"]] = faults.get(body["test"], 0) + seen
    if faults:
        found.append(
            f"The device reported the state fault {sum(faults.values())} times, in records of "
            f"{_tests(faults)}."
        )
    if supply := by_supply(conclusion):
        found.append(
            f"The device did not go off by itself in {supply} of the {len(conclusion.offs)} places "
            "that should show off: it was made safe by taking its supply away."
        )
    disputed = {b["test"]: b["dispute"] for b in conclusion.records if b.get("dispute")}
    found += [
        f"Two paths disagree in {clean(test, 200)}: {clean(how, 400)}."
        for test, how in disputed.items()
    ]
    for row in conclusion.requirements:
        warned = [judged["warning"] for judged in row.judgements if judged["warning"]]
        if warned:
            name = clean(row.requirement["id"], 120)
            first = clean(warned[0], 200)
            found.append(f"{name}: {len(warned)} of its judgements with a warning, as: {first}.")
    early = [test.test for test in conclusion.tests if test.outcome in {"error", "interrupted"}]
    if early:
        found.append(f"Ended early, by an error or an interruption: {_tests(early)}.")
    return found


def _tests(names: Iterable[str]) -> str:
    """The functions of tests, without their parameters."""
    functions = list(dict.fromkeys(name.partition("[")[0] for name in names))
    shown, left = foremost(functions, _NAMED)
    told = ", ".join(clean(name, 200) for name in shown)
    return f"{told} and {left} more" if left else told
