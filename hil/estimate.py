"""How long a run takes on its bench: the time that each of its tests took in a rehearsal."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hil.journal import Record
from hil.proof import PROBE
from hil.verdict import Verdict, worst

_FLIGHTS = {"preflight", "postflight"}
OF_ALL = "pre-flight, post-flight"
"""Stands for a subject where time is spent once for all of them."""


@dataclass(frozen=True)
class Spent:
    """What a subject took on the bench."""

    tests: int = 0
    armings: int = 0
    seconds: float = 0.0
    """Bench seconds."""


@dataclass(frozen=True)
class Estimate:
    """Bench time of a run, from the journal of the same plan on the simulated bench.

    The waits of a test are bench time, and so is what each exchange with an instrument is declared
    to take; what a real instrument takes longer for is not in it.
    """

    seconds: Mapping[str, float]
    """Bench seconds of each test that ended, by its identity, in the order in which they ran; what
    is done once for all, as the pre-flight, counts to the first."""
    total: float
    """Bench seconds from the first record to the last."""
    verdict: Verdict
    """Worst verdict of the rehearsal: a healthy device of this profile passes its own run."""
    examples: Mapping[str, int] = field(default_factory=dict)
    """Number of examples that each property ran, by the identity of its test."""
    spent: Mapping[str, Spent] = field(default_factory=dict)
    """What each subject took, in the order in which they began; what is done for all counts to
    OF_ALL, a treatment that several subjects are judged by to the one that ran it."""

    @classmethod
    def of(cls, records: Iterable[Record]) -> Estimate:
        """Take the times of a journal.

        Args:
            records: of a run that has ended, in their order.
        """
        records = list(records)
        now, begun = 0.0, 0.0
        seconds: dict[str, float] = {}
        verdicts: list[Verdict] = []
        examples: dict[str, int] = {}
        for record in records:
            now = now if record.bench is None else record.bench
            if record.kind == "test_begin":
                begun = now if seconds else 0.0
            elif record.kind == "test_end":
                seconds[record.body["test"]] = now - begun
                if record.body["outcome"] == "error":
                    verdicts.append(Verdict.ERROR)
            elif record.kind == "property":
                examples[record.body["test"]] = record.body["covered"]["examples"]
            elif record.kind == "judgement":
                verdicts.append(Verdict(record.body["verdict"]))
        return cls(seconds, now, worst(verdicts), examples, _by_subject(records))

    def left(self, done: Collection[str]) -> float:
        """Bench seconds that are still to come.

        Args:
            done: identities of the tests that have ended.
        """
        return max(0.0, self.total - sum(self.seconds.get(test, 0.0) for test in done))

    @property
    def per_example(self) -> float:
        """Bench seconds that one more example of every property takes."""
        return sum(self.seconds[test] / count for test, count in self.examples.items() if count)

    @property
    def fixed(self) -> float:
        """Bench seconds without the properties."""
        return self.total - sum(self.seconds[test] for test in self.examples)

    def fitting(self, within: float) -> int:
        """How many examples each property may run; 0 where not even the rest fits.

        Args:
            within: bench seconds that the run may take.
        """
        if not self.per_example:
            return 0
        return max(0, math.floor((within - self.fixed) / self.per_example))

    def at(self, examples: int) -> Estimate:
        """The same run with so many examples of each property."""
        scale = {test: examples / count for test, count in self.examples.items() if count}
        seconds = {test: spent * scale.get(test, 1.0) for test, spent in self.seconds.items()}
        total = self.total + sum(seconds.values()) - sum(self.seconds.values())
        return replace(
            self, seconds=seconds, total=total, examples=dict.fromkeys(self.examples, examples)
        )

    def by_function(self) -> dict[str, tuple[int, float]]:
        """Number of tests and bench seconds of each test function, in the order of the run."""
        found: dict[str, tuple[int, float]] = {}
        for test, spent in self.seconds.items():
            name = test.partition("[")[0]
            count, sofar = found.get(name, (0, 0.0))
            found[name] = count + 1, sofar + spent
        return found


def _by_subject(records: Iterable[Record]) -> dict[str, Spent]:
    """What each subject took: a test counts to that of its first requirement in scope."""
    subjects: dict[str, str] = {}
    tests: dict[str, str] = {}
    found: dict[str, Spent] = {}
    now, counted, running = 0.0, 0.0, OF_ALL
    for record in records:
        now = now if record.bench is None else record.bench
        if record.kind == "plan":
            subjects = {each["id"]: each["subject"] for each in record.body["requirements"]}
        elif record.kind == "collected":
            tests = {each["test"]: _subject(each, subjects) for each in record.body["items"]}
        elif record.kind == "test_begin":
            running = tests.get(record.body["test"], OF_ALL)
        elif record.kind in _FLIGHTS:
            _add(found, OF_ALL, Spent(seconds=now - counted))
            counted = now
        elif record.kind == "armed" and record.body["test"] != PROBE:
            _add(found, running, Spent(armings=1, seconds=now - counted))
            counted = now
        elif record.kind == "test_end":
            _add(found, running, Spent(1, 0, now - counted))
            counted = now
    return found


def _subject(item: Mapping[str, Any], subjects: Mapping[str, str]) -> str:
    """Subject of a test; OF_ALL for one that judges no requirement."""
    named = [subjects[name] for name in item["requirements"] if name in subjects]
    return named[0] if named else OF_ALL


def _add(found: dict[str, Spent], subject: str, more: Spent) -> None:
    sofar = found.get(subject, Spent())
    found[subject] = Spent(
        sofar.tests + more.tests, sofar.armings + more.armings, sofar.seconds + more.seconds
    )


def in_words(seconds: float) -> str:
    """Say how long: whole seconds below two minutes, else minutes, else hours and minutes."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 120:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"
