"""summary.json: what programs read of a run; its schema is docs/summary.schema.json."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from hil.bodies import EntryBody, PropertyBody
from hil.conclusion import Conclusion, RequirementRow
from hil.feasibility import judging
from hil.verdict import Verdict
from hil_reports.offs import by_supply
from hil_reports.signatures import NOT_SEALED

SCHEMA = 1
"""Version of summary.json."""
PATHS = {
    "pdf": "report/compliance.pdf",
    "html": "report/index.html",
    "junit": "report/junit.xml",
    "markdown": "report/summary.md",
    "allure": "report/allure-results",
    "matrix": "report/matrix.csv",
    "spreadsheet": "report/matrix.xlsx",
    "reqif": "report/requirements.reqif",
    "journal": "data/journal.jsonl",
}
"""Where the views lie, from the run folder."""


def summary_of(conclusion: Conclusion, seal: Mapping[str, Any] = NOT_SEALED) -> dict[str, Any]:
    """Return the content of summary.json.

    Args:
        conclusion: what the journal amounts to.
        seal: what `hil_reports.signatures.seal_view` says of the run folder.
    """
    run = conclusion.run
    return {
        "schema": SCHEMA,
        "run_id": run["run_id"],
        "exit_code": int(conclusion.exit_code),
        "safe_state": conclusion.safe_state,
        "safe_by_supply": by_supply(conclusion),
        "verdict": conclusion.verdict.value,
        "complies": conclusion.complies,
        "complete": conclusion.complete,
        "provenance": conclusion.provenance.word,
        "provenance_reason": conclusion.provenance.reason,
        "required": run["required"],
        "operator": run["operator"],
        "register": _register(run["register"]),
        "faults": list(run["faults"]),
        "partial": run["partial"],
        "device": {
            "manufacturer": conclusion.plan["manufacturer"],
            "model": conclusion.plan["model"],
            "profile_sha256": conclusion.plan["device"]["sha256"],
        },
        "bench": {
            "name": conclusion.plan["bench_name"],
            "sha256": conclusion.plan["bench"]["sha256"],
        },
        "begun": conclusion.begun,
        "ended": conclusion.ended,
        "seconds": conclusion.seconds,
        "head": conclusion.head,
        "signer": seal["signer"],
        "annex": seal["annex"],
        "reasons": list(conclusion.reasons),
        "requirements": {
            row.requirement["id"]: {
                "verdict": row.verdict.value,
                "mandatory": row.requirement["mandatory"],
                "subject": row.requirement["subject"],
                "remark": row.remark,
                "excursion": _excursion(row),
                "decidable": _decidable(row, conclusion),
            }
            for row in conclusion.requirements
        },
        "properties": [_property(body) for body in conclusion.properties],
        "counts": {
            "requirements": _counts([row.verdict for row in conclusion.requirements]),
            "tests": _counts([row.verdict for row in conclusion.tests]),
        },
        "paths": PATHS,
    }


def summary_json(conclusion: Conclusion, seal: Mapping[str, Any] = NOT_SEALED) -> str:
    """Write it as text: sorted, indented, with a line end."""
    content = summary_of(conclusion, seal)
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _register(entry: EntryBody) -> dict[str, Any]:
    previous = entry["previous"] or {"run_id": "", "head": ""}
    return {
        "number": entry["number"],
        "entry": entry["entry"],
        "previous_run": previous["run_id"],
        "previous_head": previous["head"],
    }


def _property(body: PropertyBody) -> dict[str, Any]:
    covered = body["covered"]
    return {
        "test": body["test"],
        "seed": body["seed"],
        "asked": body["asked"],
        "examples": covered["examples"],
        "ranges": list(covered["ranges"]),
        "worst": list(covered["worst"]),
        "failed": body["failed"],
        "scenario": f"data/config/{body['scenario']}" if body["scenario"] else "",
    }


def _excursion(row: RequirementRow) -> float | None:
    """Shortest excursion in s that each judgement shows whole; None if none is of an extreme."""
    measured = [body["measured"] for body in row.judgements if body["measured"]]
    return max((each["excursion"] for each in measured if "excursion" in each), default=None)


def _decidable(row: RequirementRow, conclusion: Conclusion) -> bool | None:
    """What was foreseen: whether the bench can decide it at all settings; None if unknown."""
    rows = judging(conclusion.plan.get("feasibility", []))
    found = [each["decidable"] for each in rows if each["requirement"] == row.requirement["id"]]
    if False in found:
        return False
    return None if None in found or not found else True


def _counts(verdicts: list[Verdict]) -> dict[str, int]:
    return {verdict.value: verdicts.count(verdict) for verdict in Verdict}
