"""Items of a laboratory's test report: which of them a run supplies, and which the laboratory must.

The list is that of ISO/IEC 17025:2017, 7.8 and what it rests on, as this project knows it. It is no
claim of accreditation, of anybody.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from hil.conclusion import Conclusion
from hil_reports.text import clean

View: TypeAlias = dict[str, Any]

BASIS = (
    "As this project understands ISO/IEC 17025:2017 (7.8.2.1 and 7.8.6 by secondary sources, the "
    "rest from memory); to be checked in the purchased edition. A run supplies data and a tool has "
    "no laboratory: this table implies no accreditation, of anybody."
)
SIGNERS = ("Tested by", "Reviewed by", "Authorised for issue by")
"""Who signs, each with name, function, signature and date."""
_LEFT = ""
"""Nothing is left to that side."""


def laboratory_view(conclusion: Conclusion) -> View:
    """Lay out the items, each with what this report supplies and what the laboratory has to."""
    return {
        "basis": BASIS,
        "rows": [
            {"item": item, "what": what, "tool": clean(tool, 400), "laboratory": laboratory}
            for item, what, tool, laboratory in _items(conclusion)
        ],
        "signers": list(SIGNERS),
    }


def _items(conclusion: Conclusion) -> list[tuple[str, str, str, str]]:
    plan, run = conclusion.plan, conclusion.run
    device = (
        f"{plan['manufacturer']} {plan['model']}, serial number {conclusion.serial or 'unknown'}"
    )
    days = " to ".join(dict.fromkeys([conclusion.begun[:10], conclusion.ended[:10]]))
    certified = sum(bool(body["certificate"]) for body in conclusion.instruments)
    meters = f"{certified} of {len(conclusion.instruments)} instruments with a certificate"
    return [
        ("7.8.2.1 a", "Title", "page 1", _LEFT),
        ("7.8.2.1 b", "Name and address of the laboratory", _LEFT, "name, address"),
        ("7.8.2.1 c", "Place of the tests", f"bench: {plan['bench_name']}", "where it stands"),
        (
            "7.8.2.1 d",
            "Unique identification on each page, and a clear end",
            f"run {run['run_id']}, evidence head, page n of m; end mark",
            "its own report number, if it has one",
        ),
        ("7.8.2.1 e", "Name and contact of the customer", _LEFT, "name, contact"),
        (
            "7.8.2.1 f",
            "Method",
            f"stimproof {run['version']} by its source hash; requirements and how each is shown",
            "its procedure, by number and issue",
        ),
        ("7.8.2.1 g", "Item: description, identification, condition", device, "its condition"),
        ("7.8.2.1 h", "Dates of receipt and of sampling, if they matter", _LEFT, "dates"),
        ("7.8.2.1 i", "Dates of the tests", days, _LEFT),
        ("7.8.2.1 j", "Date of issue", _LEFT, "with the signature"),
        (
            "7.8.2.1 k",
            "Plan and method of sampling, if it matters",
            "one item",
            "how it was chosen",
        ),
        ("7.8.2.1 l", "That the results relate only to the items tested", "Limitations", _LEFT),
        ("7.8.2.1 m", "Results with their units", "Details of each requirement", _LEFT),
        (
            "7.8.2.1 n",
            "Additions to, deviations and exclusions from the method",
            "scope, Gaps, Observations, corrections",
            "what the run cannot know",
        ),
        ("7.8.2.1 o", "Who authorises the report", _LEFT, "signature, under Signatures in the PDF"),
        (
            "7.8.2.1 p",
            "Results of external providers, marked as such",
            "none: each result is of this run",
            "any that it adds",
        ),
        ("7.8.2", "Not to be reproduced except in full", "Limitations", _LEFT),
        ("7.8.3.1", "Conditions of the tests", "ambient, bench, wiring, seed", "other conditions"),
        ("7.8.3.1", "Statement of conformity", "page 1; each clause", _LEFT),
        (
            "7.8.3.1",
            "Measurement uncertainty where it matters",
            "U with each value; the budget of each decisive value",
            _LEFT,
        ),
        ("7.8.6.1", "Decision rule, with its risk", "Decision rule; each result", "that it agrees"),
        ("7.8.6.2 a", "Results to which the statement applies", "the judgements listed", _LEFT),
        ("7.8.6.2 b", "Specifications met or not met", "clauses with verdicts", _LEFT),
        ("7.8.6.2 c", "Decision rule applied", "with each result", _LEFT),
        (
            "7.8.7",
            "Opinions, by persons who are authorised to",
            "none is given",
            "any that it adds",
        ),
        (
            "7.8.8",
            "Amended reports: identified, with what changed",
            "corrections with reason and author; evidence is never changed",
            "a new number, and the old one named",
        ),
        (
            "6.4.13",
            "Record of the equipment",
            f"Equipment: {len(conclusion.instruments)} entries",
            "adjustments, damage, location",
        ),
        ("6.4.8", "Status of calibration", "day and due date with each instrument", "labels"),
        (
            "6.4.9",
            "Equipment that was overloaded or is in doubt",
            "a PASS by it becomes INCONCLUSIVE",
            "taking it out of service; what else it measured",
        ),
        ("6.5", "Traceability of the measurements to SI", meters, "the certificates themselves"),
        ("7.5", "Technical records", "journal, captures and transcript, hashed", "their keeping"),
        (
            "7.11",
            "Validated software",
            "hashes of source, packages and catalogues",
            "its validation for this use",
        ),
    ]
