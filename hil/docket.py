"""Which test runs, and what it may rest on: a judgement counts only in its own test, on fresh data.

Fed with every record in order, while a run goes on and when its journal is read again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from hil.derivation import broken
from hil.exact import Dimension
from hil.feasibility import undecidable
from hil.measurement import Measurement
from hil.verdict import Verdict

EXACT = {Dimension.COUNT, Dimension.TRUTH}
"""What has no uncertainty: it may be read from the device as well as from a capture."""
_BY_FIGURES = {Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE}
_RECORD = "measure what bench.record() gave with a feature of hil.features, or one of your own"


class Docket:
    """Follows a journal from record to record."""

    def __init__(self) -> None:
        """No test runs, nothing was captured."""
        self.judgements = 0
        """Judgements of the test that runs, or ran last, in its own name."""
        self._test = ""
        self._captures: dict[str, frozenset[str]] = {}
        self._fresh: set[str] = set()
        self._touched = False
        self._short = False
        self._instruments: set[str] = set()
        self._undecidable: Mapping[str, str] = {}

    def note(self, kind: str, body: Mapping[str, Any]) -> None:
        """Take note of a record.

        Args:
            kind: kind of record.
            body: its body, as in `hil.bodies`.
        """
        if kind == "test_begin":
            self._test = body["test"]
            self._fresh.clear()
            self._touched = self._short = False
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
        elif kind == "reading":
            self._touched = self._touched or bool(self._test)
        elif kind == "budget":
            self._short = self._short or (body["short"] and body["test"] == self._test)
        elif kind == "instrument":
            self._instruments.add(body["serial"])
        elif kind == "plan":
            self._undecidable = undecidable(body.get("feasibility", ()))

    def fell_short(self, test: str) -> bool:
        """Whether a test runs whose hazard budget was spent before it had shown enough."""
        return self._short and test == self._test

    def _freshen(self, body: Mapping[str, Any], held: frozenset[str]) -> None:
        if body["test"] == self._test:
            self._fresh |= held
            self._touched = True

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

    def unfounded(self, measured: Measurement) -> str:
        """Say why a value cannot be a PASS: nothing shows it; empty if something does.

        A value with an uncertainty needs captures of its test, an instrument that the run
        identified, and a derivation from them. A count or a truth needs a test that recorded,
        recalled or read something at all.
        """
        if measured.dimension in EXACT:
            if self._touched:
                return ""
            return (
                f"{self._test} recorded, recalled and read nothing on the bench; call "
                "bench.record() in the test itself"
            )
        if not measured.captures:
            return f"the value rests on no capture; {_RECORD}"
        known = self._instruments.intersection(measured.instruments)
        if not known:
            named = ", ".join(measured.instruments) or "none"
            return f"the value rests on no instrument of this run, but on: {named}; {_RECORD}"
        if why := broken(measured.derivation):
            return f"the value cannot be measured again: {why}; {_RECORD}"
        if measured.u <= 0:
            return f"its uncertainties add up to {measured.u}, more than 0 is allowed; {_RECORD}"
        return ""

    def undecided(
        self,
        requirement: str,
        verdict: Verdict,
        margin: Decimal | None,
        measured: Measurement | None,
    ) -> str:
        """Say why a verdict cannot be had from this bench, as planned; empty if it can.

        An ERROR stays one. A FAIL stays one where the value lies outside by more than U, for that
        is no noise, and where it rests on no value, as that of a trip.

        Args:
            requirement: id.
            verdict: that its figures make.
            margin: distance to the nearer tolerance limit, negative outside; None if none was
                compared.
            measured: what it rests on.
        """
        if verdict not in _BY_FIGURES or requirement not in self._undecidable:
            return ""
        beyond = measured is None or (margin is not None and -margin > measured.expanded)
        return "" if verdict is Verdict.FAIL and beyond else self._undecidable[requirement]

    def against(self, test: str, verdict: Verdict, measured: Measurement | None) -> str:
        """Say why a verdict cannot count at this moment; empty if it can, as a FAIL always can.

        Args:
            test: the test in whose name it is made.
            verdict: that its figures make.
            measured: what it rests on; None if nothing was measured.
        """
        if verdict is Verdict.FAIL:
            return ""
        why = self.objection(test, measured.captures if measured else ())
        if not why and verdict is Verdict.PASS and measured is not None:
            return self.unfounded(measured)
        return why
