"""Requirements in the order of a test report form: by standard, then by clause, with a verdict."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from hil.conclusion import RequirementRow
from hil.verdict import Verdict, worst

PROJECT = "project requirements"
"""Stands for a standard where a requirement names none."""
_STANDARD = re.compile(r"(\d+ CFR|(?:[A-Z][A-Za-z/]*[ -])+[\w.-]+(?::[\w+:-]+)?) (\S.*)")

Clauses = dict[str, dict[str, list[RequirementRow]]]
"""Standard to clause to requirements."""


def parted(clause: str) -> tuple[str, str]:
    """Standard and clause of what a requirement names, as (IEC 60601-1:2005, 12.4.4)."""
    found = _STANDARD.fullmatch(clause)
    return (found[1], found[2]) if found else (PROJECT, clause)


def by_clause(rows: Iterable[RequirementRow]) -> Clauses:
    """Sort requirements by standard and by the numbers of its clauses, the project's own last.

    Within a clause they stand as they were planned.
    """
    found: dict[tuple[str, str], list[RequirementRow]] = {}
    for row in rows:
        found.setdefault(parted(row.requirement["clause"]), []).append(row)
    sorted_: Clauses = {}
    for standard, clause in sorted(found, key=_place):
        sorted_.setdefault(standard, {})[clause] = found[standard, clause]
    return sorted_


def amended(rows: Iterable[RequirementRow]) -> str:
    """Say which editions the sources of limits name with amendments, where clauses have none."""
    found: dict[str, str] = {}
    bodies = [row.requirement for row in rows]
    for standard in {parted(body["clause"])[0] for body in bodies}:
        for body in bodies:
            if edition := re.search(rf"{re.escape(standard)}\+[\w+:]+", body["source"]):
                found[edition[0]] = standard
    return " ".join(
        f"Clauses name {standard}; sources of limits name {edition}."
        for edition, standard in sorted(found.items())
    )


def verdict_of(rows: Sequence[RequirementRow]) -> Verdict:
    """Worst verdict of a clause; NOT_APPLICABLE only where nothing in it applies."""
    counted = [row.verdict for row in rows if row.verdict is not Verdict.NOT_APPLICABLE]
    return worst(counted) if counted else Verdict.NOT_APPLICABLE


def _place(key: tuple[str, str]) -> tuple[bool, str, list[tuple[int, str]]]:
    """2 before 12.4 before 12.10; words behind numbers."""
    standard, clause = key
    parts = re.findall(r"\d+|\D+", clause)
    placed = [(int(part), "") if part.isdigit() else (10**9, part) for part in parts]
    return standard == PROJECT, standard, placed
