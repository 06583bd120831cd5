"""Which test runs, and what it may rest on: a judgement counts only in its own test, on fresh data.

Fed with every record in order, while a run goes on and when its journal is read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Docket:
    """Follows a journal from record to record."""

    def __init__(self) -> None:
        """No test runs, nothing was captured."""
        self.judgements = 0
        """Judgements of the test that runs, or ran last, in its own name."""
        self._test = ""
        self._captures: dict[str, frozenset[str]] = {}
        self._fresh: set[str] = set()

    def note(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take note of a record.

        Args:
            kind: kind of record.
            body: its body, as in `hil.bodies`.
        """
        if kind == "test_begin":
            self._test = body["test"]
            self._fresh.clear()
            self.judgements = 0
        elif kind == "test_end":
            self._test = ""
            self._fresh.clear()
        elif kind == "judgement":
            self.judgements += body["test"] == self._test
        elif kind == "record":
            held = frozenset(capture["sha256"] for capture in body["captures"])
            self._captures[body["record"]] = held
            self._freshen(body, held)
        elif kind == "recalled":
            self._freshen(body, self._captures.get(body["record"], frozenset()))

    def _freshen(self, body: Mapping[str, Any], held: frozenset[str]) -> None:
        if body["test"] == self._test:
            self._fresh |= held

    def objection(self, test: str, captures: Iterable[str]) -> str:
        """Say why a judgement cannot count at this moment; empty if it can.

        Args:
            test: the test in whose name it is made.
            captures: hashes of what it rests on.
        """
        if not test or test != self._test:
            running = f"while {self._test} ran" if self._test else "while no test ran"
            return f"{test or 'no test'} judged {running}; a judgement counts in its own test alone"
        stale = [sha256 for sha256 in captures if sha256 not in self._fresh]
        if stale:
            return (
                f"stale: {test} neither recorded nor recalled capture {stale[0][:12]} before it "
                "judged; call bench.record() in the test itself"
            )
        return ""
