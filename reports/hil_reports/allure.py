"""Makes Allure tell the truth: its results are brought into line with the journal.

Allure shows interrupted, killed and repeated tests as passed. Afterwards each test of the journal
has exactly one result, whose status follows from its verdict, and nothing else has a green one.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any, TypeAlias
from urllib.parse import quote

from hil.bodies import JudgementBody, PropertyBody, RequirementBody
from hil.conclusion import Conclusion, RequirementRow, TestRow, severity
from hil.verdict import Verdict
from hil_reports.clauses import parted
from hil_reports.junit import WHOLE, explanation, shortfall
from hil_reports.steps import BENCH, JUDGED, Step, Stored, bench_steps, judged_steps, settings
from hil_reports.text import clean, in_print
from hil_reports.view import NO_PLOT, WORDS, View, banner, judged_line, statement

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
_SEVERITIES = {"critical": "critical", "serious": "normal", "minor": "minor"}
_NAMESPACE = uuid.UUID("6f1f4a52-3c1e-5b0e-9a35-0d5c1f1d9a11")
_OURS = "stimproof-"  # prefix of attachments that are made here, so that they can be made again
CATEGORIES = [
    {"name": "Limit broken", "matchedStatuses": ["failed"], "messageRegex": "FAIL[\\s\\S]*"},
    {
        "name": "Inconclusive: within the uncertainty of the limit, or calibration",
        "matchedStatuses": ["failed"],
        "messageRegex": "INCONCLUSIVE[\\s\\S]*",
    },
    {"name": "Bench fault", "matchedStatuses": ["broken"], "messageRegex": "ERROR[\\s\\S]*"},
    {"name": "No verdict", "matchedStatuses": ["broken"], "messageRegex": "NO VERDICT[\\s\\S]*"},
    {"name": "Not evaluated", "matchedStatuses": ["unknown"]},
    {"name": "Not applicable", "matchedStatuses": ["skipped"]},
]
"""How Allure sorts what is not green."""


Draw: TypeAlias = Callable[[JudgementBody], View]
"""Draws the record of a judgement: svg and caption, empty where there is none."""


class _Told:
    """What the journal says of each test."""

    def __init__(self, conclusion: Conclusion, draw: Draw) -> None:
        self.conclusion = conclusion
        self.draw = draw
        self.requirements = {row.requirement["id"]: row for row in conclusion.requirements}
        self.properties = {body["test"]: body for body in conclusion.properties}
        self.judgements: dict[str, list[JudgementBody]] = {}
        for body in (body for row in conclusion.requirements for body in row.judgements):
            self.judgements.setdefault(body["test"], []).append(body)
        self._decisive: dict[str, list[JudgementBody]] = {}
        for row in conclusion.requirements:
            if row.decisive is not None:
                self._decisive.setdefault(row.decisive["test"], []).append(row.decisive)
        self._records = {body["record"]: body for body in conclusion.records}
        self._made: dict[str, list[Stored]] = {}
        for record in conclusion.records:
            self._made.setdefault(record["test"], []).append(record)

    def own(self, test: TestRow) -> list[RequirementRow]:
        """Requirements that a test was planned for."""
        return [self.requirements[n] for n in test.by_requirement if n in self.requirements]

    def worst(self, test: TestRow) -> JudgementBody | None:
        """The worst of a test's judgements."""
        return min(self.judgements.get(test.test, ()), key=severity, default=None)

    def drawn(self, test: TestRow) -> JudgementBody | None:
        """The judgement whose record is drawn; of a PASS only what is worst of a requirement.

        To read a capture for each test takes longer than all else that is done for it.
        """
        if test.verdict is not Verdict.PASS:
            return self.worst(test)
        return min(self._decisive.get(test.test, ()), key=severity, default=None)

    def records(self, test: TestRow) -> list[Stored]:
        """What a test recorded, then what it was given; of a property what decides it."""
        worst = self.worst(test)
        if test.test in self.properties:
            decisive = self._records.get(worst.get("record", "")) if worst else None
            return [decisive] if decisive else []
        made = self._made.get(test.test, [])
        cited = {body.get("record", "") for body in self.judgements.get(test.test, ())}
        given = cited - {record["record"] for record in made}
        return [*made, *(self._records[name] for name in sorted(given) if name in self._records)]


def reconcile(results: Path, conclusion: Conclusion, draw: Draw = lambda _: NO_PLOT) -> None:
    """Bring a folder of Allure results into line with the journal; may be repeated.

    Args:
        results: the folder; made if it is missing. Files in it are rewritten and removed.
        conclusion: what the journal amounts to.
        draw: draws the record of a judgement.
    """
    results.mkdir(parents=True, exist_ok=True)
    told = _Told(conclusion, draw)
    found = _found(results, [row.test for row in conclusion.tests])
    for test in conclusion.tests:
        copies = found.pop(test.test, [])
        kept = _worst(copies)
        for path, _ in copies:
            if kept is None or path != kept[0]:
                path.unlink()
        _write_test(results, told, test, kept)
    for copies in found.values():
        for path, result in copies:
            _disown(path, result)
    _write_bare(results, conclusion)
    _write_json(results / "executor.json", _executor(conclusion))
    _write_json(results / "categories.json", CATEGORIES)
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
    results: Path, told: _Told, test: TestRow, kept: tuple[Path, Result] | None
) -> None:
    conclusion, own = told.conclusion, told.own(test)
    name = str(uuid.uuid5(_NAMESPACE, f"{conclusion.run['run_id']} {test.test}"))
    path, result = kept or (results / f"{name}-result.json", _new(conclusion, test, name))
    status = STATUS[test.verdict]
    message = f"{WORDS[test.verdict]}: {in_print(clean(explanation(test), 2000))}"
    details = result.get("statusDetails") if kept else None
    trace = details.get("trace") if isinstance(details, dict) else None
    result["status"] = status
    result["stage"] = "finished"
    result["statusDetails"] = (
        {} if test.verdict is Verdict.PASS else {"message": message, "trace": trace or test.detail}
    )
    result["historyId"] = _history(conclusion, test.test)
    result["descriptionHtml"] = _description(told, test, own)
    result["parameters"] = _parameters(told, test)
    result["steps"] = [
        *(step for step in result.get("steps") or [] if not _is_ours(step)),
        *_steps(told, test, result),
    ]
    result["labels"] = _labels(result.get("labels"), conclusion, test, own)
    result["links"] = [
        link for link in result.get("links") or [] if link.get("type") != "requirement"
    ] + [_link(row) for row in own]
    others = [
        attached
        for attached in result.get("attachments") or []
        if not str(attached.get("source")).startswith(_OURS)
    ]
    result["attachments"] = [*others, *_attached(results, told, test, f"{_OURS}{name}")]
    _write_json(path, result)


def _attached(results: Path, told: _Told, test: TestRow, name: str) -> list[dict[str, str]]:
    """What a test judged, as JSON, and a record of it, drawn."""
    source = f"{name}-attachment.json"
    _write_json(results / source, _table(told.judgements.get(test.test, ())))
    attached = [{"name": "Verdicts", "source": source, "type": "application/json"}]
    drawn = told.drawn(test)
    plot = told.draw(drawn) if drawn else NO_PLOT
    if plot["svg"]:
        source = f"{name}-attachment.svg"
        _write_text(results / source, plot["svg"])
        attached.append({"name": plot["caption"], "source": source, "type": "image/svg+xml"})
    return attached


def _is_ours(step: object) -> bool:
    name = step.get("name") if isinstance(step, dict) else None
    return isinstance(name, str) and name.startswith((BENCH, JUDGED))


def _history(conclusion: Conclusion, test: str) -> str:
    """What a test's history is found by: the same test on the same type of device."""
    plan = conclusion.plan
    name = json.dumps([plan["manufacturer"], plan["model"], test])
    return hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()


def _steps(told: _Told, test: TestRow, result: Result) -> list[Step]:
    start = result.get("start")
    begun = start if isinstance(start, int) else _milliseconds(test.begun or told.conclusion.ended)
    made = bench_steps(told.records(test), begun)
    end = made[-1]["stop"] if made else begun
    return [*made, *judged_steps(told.judgements.get(test.test, ()), STATUS, end)]


def _parameters(told: _Told, test: TestRow) -> list[dict[str, str]]:
    """What was set on the bench, as quantities; of a property also what it drew."""
    _, bracket, case = test.test.partition("[")
    found = {"case": case.removesuffix("]")} if bracket else {}
    found |= settings(told.records(test))
    if body := told.properties.get(test.test):
        found |= _drawn(body)
    return [{"name": clean(key, 100), "value": clean(value, 400)} for key, value in found.items()]


def _drawn(body: PropertyBody) -> dict[str, str]:
    covered = body["covered"]
    found = {"examples": f"{covered['examples']} of {body['asked']}", "seed": str(body["seed"])}
    if body["failed"]:
        found["falsifying example"] = body["failed"]
    if body["scenario"]:
        found["repeat with"] = f"hil run --scenario {body['scenario']}"
    return found


def _link(row: RequirementRow) -> dict[str, str]:
    """To the requirement in the HTML report that lies beside the rendered Allure report."""
    name = row.requirement["id"]
    return {"type": "requirement", "name": name, "url": f"index.html#{quote(name, safe='')}"}


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
    ours = {LABEL, "requirement", "layer", "feature", "epic", "story", "verdict", "severity"}
    kept = [
        label
        for label in (present if isinstance(present, list) else [])
        if isinstance(label, dict) and label.get("value") and label.get("name") not in ours
    ]
    layer = "hardware" if conclusion.provenance.hardware else "simulated"
    added = [(LABEL, test.test), ("layer", layer), ("verdict", test.verdict.value)]
    requirements = [row.requirement for row in own]
    for body in requirements:
        standard, clause = parted(body["clause"])
        added.append(("requirement", body["id"]))
        added.append(("epic", standard))
        added.append(("feature", clause))
        added.append(("story", f"{body['id']} {body['title']} (clause {clause})"))
    if requirements:
        added.append(("severity", _severity(requirements)))
    return kept + [{"name": key, "value": clean(value, 400)} for key, value in dict.fromkeys(added)]


def _severity(requirements: Sequence[RequirementBody]) -> str:
    """Allure's word for the gravest harm that is at stake; where none is said, what must hold."""
    found = {
        _SEVERITIES.get(body["severity"]) or ("normal" if body["mandatory"] else "minor")
        for body in requirements
    }
    return next(word for word in ("critical", "normal", "minor") if word in found)


def _description(told: _Told, test: TestRow, own: Iterable[RequirementRow]) -> str:
    parts = [f"<p>{escape(clean(test.doc))}</p>"]
    if not told.conclusion.provenance.hardware:
        parts.append(f"<p><strong>SIMULATED: {escape(banner(told.conclusion))}</strong></p>")
    worst: dict[str, JudgementBody] = {}
    for body in sorted(told.judgements.get(test.test, ()), key=severity):
        worst.setdefault(body["requirement"], body)
    cells = "".join(
        "<tr>"
        + "".join(
            f"<td>{escape(clean(text))}</td>"
            for text in (
                row.requirement["clause"],
                f"{row.requirement['id']} {row.requirement['title']}",
                row.requirement["limit"],
                _measured(worst.get(row.requirement["id"])),
                WORDS[test.by_requirement[row.requirement["id"]]],
            )
        )
        + "</tr>"
        for row in own
    )
    names = ("Clause", "Requirement", "Limit", "Worst measured value", "Verdict")
    head = "<tr>" + "".join(f"<th>{name}</th>" for name in names) + "</tr>"
    return "".join(parts) + (f"<table>{head}{cells}</table>" if cells else "")


def _measured(body: JudgementBody | None) -> str:
    if body is None:
        return "not judged"
    at = f" at {body['at']}" if body["at"] else ""
    return (judged_line(body) or in_print(body["reason"])) + at


def _table(judgements: Iterable[JudgementBody]) -> list[dict[str, Any]]:
    """What a test judged."""
    return [
        {
            "requirement": body["requirement"],
            "verdict": body["verdict"],
            "result": judged_line(body),
            "reason": body["reason"],
            "at": body["at"],
            "captures": body["measured"]["captures"] if body["measured"] else [],
        }
        for body in judgements
    ]


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
            "historyId": _history(conclusion, gap.test),
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
        "device.serial": conclusion.serial,
        "device.firmware": conclusion.firmware,
        "device.profile.sha256": plan["device"]["sha256"],
        "bench": plan["bench_name"],
        "bench.sha256": plan["bench"]["sha256"],
        "journal.head": conclusion.head,
        "python": run["python"],
        "platform": run["platform"],
        "stimproof": run["version"],
    } | {
        f"instrument.{body['role']}": f"{body['model']} {body['serial']}, "
        f"calibration {body['calibration']}, due {body['due'] or '-'}"
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
