"""Makes Allure tell the truth: its results are brought into line with the journal.

Allure shows interrupted, killed and repeated tests as passed. Afterwards each test of the journal
has exactly one result, whose status follows from its verdict, and nothing else has a green one.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Iterable
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any, TypeAlias

from hil.conclusion import Conclusion, RequirementRow, TestRow
from hil.verdict import Verdict
from hil_reports.junit import WHOLE, explanation, shortfall
from hil_reports.text import clean
from hil_reports.view import WORDS, banner, judged_line, statement

Result: TypeAlias = dict[str, Any]

LABEL = "stimproof_test"
"""Label that carries a test's identity, module:function[parameters]."""
STATUS = {
    Verdict.PASS: "passed",
    Verdict.FAIL: "failed",
    Verdict.INCONCLUSIVE: "failed",
    Verdict.ERROR: "broken",
    Verdict.NO_VERDICT: "broken",
    Verdict.NOT_EVALUATED: "unknown",
    Verdict.NOT_APPLICABLE: "skipped",
}
_BADNESS = ["failed", "broken", "unknown", "skipped", "passed"]
_NAMESPACE = uuid.UUID("6f1f4a52-3c1e-5b0e-9a35-0d5c1f1d9a11")
_OURS = "stimproof-"  # prefix of attachments that are made here, so that they can be made again
_CATEGORIES = [
    {"name": "Limit broken", "matchedStatuses": ["failed"], "messageRegex": "FAIL(?s).*"},
    {
        "name": "Inconclusive: within the uncertainty of the limit, or calibration",
        "matchedStatuses": ["failed"],
        "messageRegex": "INCONCLUSIVE(?s).*",
    },
    {"name": "Bench fault", "matchedStatuses": ["broken"], "messageRegex": "ERROR(?s).*"},
    {"name": "No verdict", "matchedStatuses": ["broken"], "messageRegex": "NO VERDICT(?s).*"},
    {"name": "Not evaluated", "matchedStatuses": ["unknown"]},
    {"name": "Not applicable", "matchedStatuses": ["skipped"]},
]


def reconcile(results: Path, conclusion: Conclusion) -> None:
    """Bring a folder of Allure results into line with the journal; may be repeated.

    Args:
        results: the folder; made if it is missing. Files in it are rewritten and removed.
        conclusion: what the journal amounts to.
    """
    results.mkdir(parents=True, exist_ok=True)
    rows = {row.requirement["id"]: row for row in conclusion.requirements}
    tables = _tables(conclusion)
    found = _found(results, [row.test for row in conclusion.tests])
    for test in conclusion.tests:
        copies = found.pop(test.test, [])
        kept = _worst(copies)
        for path, _ in copies:
            if kept is None or path != kept[0]:
                path.unlink()
        _write_test(results, conclusion, test, rows, tables.get(test.test, []), kept)
    for copies in found.values():
        for path, result in copies:
            _disown(path, result)
    _write_bare(results, conclusion)
    _write_json(results / "executor.json", _executor(conclusion))
    _write_json(results / "categories.json", _CATEGORIES)
    _write_text(results / "environment.properties", _environment(conclusion))


def _found(results: Path, tests: list[str]) -> dict[str, list[tuple[Path, Result]]]:
    """Existing results by identity; what cannot be read is removed, it would be no result."""
    known = set(tests)
    found: dict[str, list[tuple[Path, Result]]] = {}
    for path in sorted(results.glob("*-result.json")):
        try:
            result = json.loads(path.read_bytes())
        except ValueError:
            result = None
        if not isinstance(result, dict):
            path.unlink()
            continue
        found.setdefault(_identity(result, known), []).append((path, result))
    return found


def _identity(result: Result, known: set[str]) -> str:
    labels = result.get("labels") or []
    for label in labels:
        if isinstance(label, dict) and label.get("name") == LABEL:
            return str(label.get("value"))
    return _by_full_name(result, known)


def _by_full_name(result: Result, known: set[str]) -> str:
    """Without the label, as of an interrupted test: `folder.module#function` and the name."""
    full = str(result.get("fullName") or "")
    module, _, function = full.partition("#")
    name = str(result.get("name") or "")
    parameters = name[name.index("[") :] if "[" in name else ""
    places = module.split(".")
    for first in range(len(places)):
        for text in (f"{function}{parameters}", function):
            candidate = f"{'.'.join(places[first:])}:{text}"
            if candidate in known:
                return candidate
    return full or name or str(result.get("uuid"))


def _worst(copies: list[tuple[Path, Result]]) -> tuple[Path, Result] | None:
    def badness(copy: tuple[Path, Result]) -> int:
        status = copy[1].get("status")
        return _BADNESS.index(status) if status in _BADNESS else -1

    return min(copies, key=badness, default=None)


def _write_test(
    results: Path,
    conclusion: Conclusion,
    test: TestRow,
    rows: dict[str, RequirementRow],
    table: list[dict[str, Any]],
    kept: tuple[Path, Result] | None,
) -> None:
    own = [rows[name] for name in test.by_requirement if name in rows]
    name = str(uuid.uuid5(_NAMESPACE, f"{conclusion.run['run_id']} {test.test}"))
    path, result = kept or (results / f"{name}-result.json", _new(conclusion, test, name))
    status = STATUS[test.verdict]
    message = f"{WORDS[test.verdict]}: {clean(explanation(test), 2000)}"
    details = result.get("statusDetails") if kept else None
    trace = details.get("trace") if isinstance(details, dict) else None
    result["status"] = status
    result["stage"] = "finished"
    result["statusDetails"] = (
        {} if test.verdict is Verdict.PASS else {"message": message, "trace": trace or test.detail}
    )
    result["historyId"] = hashlib.md5(test.test.encode(), usedforsecurity=False).hexdigest()
    result["descriptionHtml"] = _description(conclusion, test, own)
    result["labels"] = _labels(result.get("labels"), conclusion, test, own)
    result["links"] = [
        link for link in result.get("links") or [] if link.get("type") != "requirement"
    ] + [{"type": "requirement", "name": row.requirement["id"], "url": ""} for row in own]
    source = f"{_OURS}{name}-attachment.json"
    _write_json(results / source, table)
    others = [
        attached
        for attached in result.get("attachments") or []
        if not str(attached.get("source")).startswith(_OURS)
    ]
    verdicts = {"name": "Verdicts", "source": source, "type": "application/json"}
    result["attachments"] = [*others, verdicts]
    _write_json(path, result)


def _new(conclusion: Conclusion, test: TestRow, name: str) -> Result:
    """A result for a test that Allure does not know: killed, or never started."""
    begun = _milliseconds(test.begun or conclusion.ended)
    module, _, rest = test.test.partition(":")
    return {
        "uuid": name,
        "name": clean(rest or test.test, 300),
        "fullName": f"{module}#{rest.partition('[')[0]}",
        "start": begun,
        "stop": begun + round(test.seconds * 1000),
        "parameters": [],
        "steps": [],
    }


def _labels(
    present: object, conclusion: Conclusion, test: TestRow, own: Iterable[RequirementRow]
) -> list[dict[str, str]]:
    ours = {LABEL, "requirement", "layer", "feature", "epic", "verdict"}
    kept = [
        label
        for label in (present if isinstance(present, list) else [])
        if isinstance(label, dict) and label.get("value") and label.get("name") not in ours
    ]
    layer = "hardware" if conclusion.provenance.hardware else "simulated"
    added = [(LABEL, test.test), ("layer", layer), ("verdict", test.verdict.value)]
    for row in own:
        added.append(("requirement", row.requirement["id"]))
        added.append(("epic", row.requirement["subject"]))
        added.append(("feature", row.requirement["clause"]))
    return kept + [{"name": key, "value": clean(value, 400)} for key, value in dict.fromkeys(added)]


def _description(conclusion: Conclusion, test: TestRow, own: Iterable[RequirementRow]) -> str:
    parts = [f"<p>{escape(clean(test.doc))}</p>"]
    if not conclusion.provenance.hardware:
        parts.append(f"<p><strong>{escape(banner(conclusion))}</strong></p>")
    cells = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(clean(text))}</td>"
            for text in (
                row.requirement["clause"],
                f"{row.requirement['id']} {row.requirement['title']}",
                row.requirement["limit"],
                WORDS[test.by_requirement[row.requirement["id"]]],
            )
        )
        + "</tr>"
        for row in own
    )
    head = "<tr><th>Clause</th><th>Requirement</th><th>Limit</th><th>Verdict</th></tr>"
    return "".join(parts) + (f"<table>{head}{cells}</table>" if cells else "")


def _tables(conclusion: Conclusion) -> dict[str, list[dict[str, Any]]]:
    """What each test judged."""
    tables: dict[str, list[dict[str, Any]]] = {}
    for body in (body for row in conclusion.requirements for body in row.judgements):
        entry = {
            "requirement": body["requirement"],
            "verdict": body["verdict"],
            "result": judged_line(body),
            "reason": body["reason"],
            "at": body["at"],
            "captures": body["measured"]["captures"] if body["measured"] else [],
        }
        tables.setdefault(body["test"], []).append(entry)
    return tables


def _disown(path: Path, result: Result) -> None:
    """A result that the journal does not know proves nothing."""
    result["status"] = "broken"
    result["stage"] = "finished"
    result["statusDetails"] = {
        "message": "NO VERDICT: the journal of this run does not know this result"
    }
    _write_json(path, result)


def _write_bare(results: Path, conclusion: Conclusion) -> None:
    """A requirement without a test, what could not be collected, and what the run lacks."""
    gaps = [
        (row.requirement["id"], row.verdict, row.remark)
        for row in conclusion.requirements
        if not row.tests
    ]
    gaps += [("collection", Verdict.NO_VERDICT, text) for text in conclusion.collection_errors]
    gaps += [(WHOLE, verdict, text) for verdict, text in shortfall(conclusion)]
    for name, verdict, remark in gaps:
        gap = TestRow(f"gap:{name} {remark}", verdict, {}, "", "", 0.0, "", "")
        key = str(uuid.uuid5(_NAMESPACE, f"{conclusion.run['run_id']} {gap.test}"))
        result = _new(conclusion, gap, key) | {
            "name": clean(f"{name}: {remark}", 300),
            "status": STATUS[verdict],
            "stage": "finished",
            "historyId": hashlib.md5(gap.test.encode(), usedforsecurity=False).hexdigest(),
            "statusDetails": {"message": f"{WORDS[verdict]}: {clean(remark)}"},
            "labels": _labels(None, conclusion, gap, ()),
        }
        _write_json(results / f"{key}-result.json", result)


def _executor(conclusion: Conclusion) -> dict[str, str]:
    run = conclusion.run
    return {
        "name": f"stimproof {run['version']}, {clean(conclusion.plan['bench_name'], 200)}",
        "type": "stimproof",
        "buildName": clean(run["run_id"], 200),
        "reportName": f"{conclusion.provenance.word}: {statement(conclusion)[0]}",
    }


def _environment(conclusion: Conclusion) -> str:
    run, plan = conclusion.run, conclusion.plan
    values = {
        "run": run["run_id"],
        "result": statement(conclusion)[0],
        "complete": "yes" if conclusion.complete else "NO: the run did not end by itself",
        "provenance": f"{conclusion.provenance.word}, {conclusion.provenance.reason}",
        "faults": ", ".join(run["faults"]) or "none",
        "partial": run["partial"] or "no",
        "device": f"{plan['manufacturer']} {plan['model']}",
        "device.profile.sha256": plan["device"]["sha256"],
        "bench": plan["bench_name"],
        "bench.sha256": plan["bench"]["sha256"],
        "journal.head": conclusion.head,
        "python": run["python"],
        "platform": run["platform"],
        "stimproof": run["version"],
    } | {
        f"instrument.{body['role']}": f"{body['model']} {body['serial']}, due {body['due'] or '-'}"
        for body in conclusion.instruments
    }
    return "".join(f"{key} = {_property(value)}\n" for key, value in values.items())


def _property(value: str) -> str:
    return " ".join(clean(value, 500).split()).replace("\\", "\\\\")


def _milliseconds(utc: str) -> int:
    return round(datetime.fromisoformat(utc).timestamp() * 1000)


def _write_json(path: Path, value: object) -> None:
    _write_text(path, json.dumps(value, ensure_ascii=True))


def _write_text(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)
