"""summary.json: what programs read of a run; its schema is docs/summary.schema.json."""

from __future__ import annotations

import json
from typing import Any

from hil.conclusion import Conclusion
from hil.verdict import Verdict

SCHEMA = 1
"""Version of summary.json."""
PATHS = {
    "pdf": "report/compliance.pdf",
    "html": "report/index.html",
    "junit": "report/junit.xml",
    "allure": "report/allure-results",
    "journal": "data/journal.jsonl",
}
"""Where the views lie, from the run folder."""


def summary_of(conclusion: Conclusion) -> dict[str, Any]:
    """Return the content of summary.json."""
    run = conclusion.run
    return {
        "schema": SCHEMA,
        "run_id": run["run_id"],
        "code": int(conclusion.exit_code),
        "verdict": conclusion.verdict.value,
        "complies": conclusion.complies,
        "complete": conclusion.complete,
        "provenance": run["provenance"],
        "provenance_reason": run["provenance_reason"],
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
        "reasons": list(conclusion.reasons),
        "requirements": {
            row.requirement["id"]: {
                "verdict": row.verdict.value,
                "mandatory": row.requirement["mandatory"],
                "subject": row.requirement["subject"],
                "remark": row.remark,
            }
            for row in conclusion.requirements
        },
        "counts": {
            "requirements": _counts([row.verdict for row in conclusion.requirements]),
            "tests": _counts([row.verdict for row in conclusion.tests]),
        },
        "paths": PATHS,
    }


def summary_json(conclusion: Conclusion) -> str:
    """Write it as text: sorted, indented, with a line end."""
    return json.dumps(summary_of(conclusion), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _counts(verdicts: list[Verdict]) -> dict[str, int]:
    return {verdict.value: verdicts.count(verdict) for verdict in Verdict}
