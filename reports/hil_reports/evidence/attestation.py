"""What a signer attests of a run: an in-toto Statement with a test-result predicate.

Its subjects are the tag manifest, which lists the bag's own files, the manifest, which lists all
evidence, and the journal's head.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from hil.bodies import DocumentBody
from hil.conclusion import Conclusion
from hil.errors import UsageError
from hil.verdict import ExitCode, Verdict
from hil_reports.evidence import bag
from hil_reports.evidence.folder import CONFIG, DATA, JOURNAL

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
KIND = "application/vnd.in-toto+json"
"""Media type of a Statement in its envelope."""
HEAD = f"{DATA}/{JOURNAL} (hash of its last record)"
"""Name of the subject that is the journal's head."""
COMPLETE, INCOMPLETE = "COMPLETE", "INCOMPLETE"
_WARNED = {Verdict.NOT_EVALUATED, Verdict.NOT_APPLICABLE}


def statement(subjects: Mapping[str, str], conclusion: Conclusion | None) -> bytes:
    """Write the statement.

    Args:
        subjects: name to SHA-256 in hexadecimal.
        conclusion: what the journal amounts to; None if it ends before run and plan stand in it.
    """
    return _written(
        {
            "_type": STATEMENT,
            "subject": [_resource(name, sha256) for name, sha256 in subjects.items()],
            "predicateType": PREDICATE,
            "predicate": _predicate(subjects[HEAD], conclusion),
        }
    )


def status(*, ended: bool) -> str:
    """COMPLETE for a run that ended by itself, else INCOMPLETE."""
    return COMPLETE if ended else INCOMPLETE


def status_of(conclusion: Conclusion | None) -> str:
    """Status of a run that was concluded; None for one whose journal ends before its plan."""
    return status(ended=conclusion is not None and conclusion.complete)


def result_of(conclusion: Conclusion | None) -> str:
    """PASSED where the report says "complies"; WARNED for a pass in part; else FAILED."""
    if conclusion is None or not conclusion.complete:
        return "FAILED"
    if conclusion.exit_code is not ExitCode.COMPLIES:
        return "FAILED"
    warned = any(row.verdict in _WARNED for row in conclusion.tests)
    return "WARNED" if warned or not conclusion.complies else "PASSED"


def attested_of(conclusion: Conclusion | None) -> str:
    """What `check` returns of an honest statement: the result, and what was earned."""
    word = f", {conclusion.provenance.word}" if conclusion else ""
    return result_of(conclusion) + word


def check(payload: bytes, subjects: Mapping[str, str], status: str) -> str:
    """Compare a statement with the bundle that it lies in.

    Args:
        payload: the statement.
        subjects: what it must be about.
        status: COMPLETE or INCOMPLETE, as the journal is.

    Returns:
        The result that it attests and its provenance, to be held against `attested_of`.

    Raises:
        UsageError: it is about another bundle, or gives another status.
    """
    try:
        made = json.loads(payload)
        found = {entry["name"]: entry["digest"]["sha256"] for entry in made["subject"]}
        kind, predicate = made["predicateType"], made["predicate"]
        about = predicate["configuration"][0]["annotations"]
        said = predicate["result"], about["status"]
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as err:
        raise UsageError(f"the statement has not the form of this version: {err!r}") from err
    if kind != PREDICATE:
        raise UsageError(f"the statement is a {kind}; expected {PREDICATE}")
    other = [name for name in {**found, **subjects} if found.get(name) != subjects.get(name)]
    if other:
        raise UsageError(f"it attests another bundle: {', '.join(sorted(other))} differ")
    result, attested = said
    if attested != status:
        raise UsageError(f"it says {attested}; the journal is {status}")
    return ", ".join([str(result), *([str(about["provenance"])] if "provenance" in about else [])])


def _predicate(head: str, conclusion: Conclusion | None) -> dict[str, Any]:
    if conclusion is None:
        annotations = {"status": INCOMPLETE, "reason": "the journal ends before the plan"}
        configuration = [_resource("run", head, annotations)]
        return {"result": "FAILED", "configuration": configuration}
    verdicts = {row.test: row.verdict for row in conclusion.tests}
    passed = [test for test, verdict in verdicts.items() if verdict is Verdict.PASS]
    warned = [test for test, verdict in verdicts.items() if verdict in _WARNED]
    failed = [test for test in verdicts if test not in {*passed, *warned}]
    return {
        "result": result_of(conclusion),
        "configuration": [
            _resource("run", head, _annotations(conclusion)),
            *(_document(document) for document in _documents(conclusion)),
            *_firmware(conclusion),
        ],
        "passedTests": passed,
        "warnedTests": warned,
        "failedTests": failed,
    }


def _annotations(conclusion: Conclusion) -> dict[str, Any]:
    run, plan = conclusion.run, conclusion.plan
    return {
        "run_id": run["run_id"],
        "tool": f"stimproof {run['version']}",
        "software_sha256": run["software"]["sha256"],
        "operator": run["operator"],
        "status": status_of(conclusion),
        "verdict": conclusion.verdict.value,
        "exit_code": int(conclusion.exit_code),
        "complies": conclusion.complies,
        "partial": run["partial"],
        "provenance": conclusion.provenance.word,
        "device": f"{plan['manufacturer']} {plan['model']}",
        "bench": plan["bench_name"],
        "seed": run["seed"],
    }


def _documents(conclusion: Conclusion) -> Iterable[DocumentBody]:
    """Device file, bench file, catalogues and what else is kept in full, each once."""
    return {document["name"]: document for document in conclusion.documents}.values()


def _document(document: DocumentBody) -> dict[str, Any]:
    return _resource(f"{DATA}/{CONFIG}/{document['name']}", document["sha256"])


def _firmware(conclusion: Conclusion) -> list[dict[str, Any]]:
    build = conclusion.run["firmware"]
    return [_resource(build["name"], build["sha256"])] if build else []


def _resource(
    name: str, sha256: str, annotations: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    resource: dict[str, Any] = {"name": name, "digest": {"sha256": sha256}}
    return resource | {"annotations": dict(annotations)} if annotations else resource


def _written(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def subjects_of(tag_manifest: str, manifest: str, head: str) -> dict[str, str]:
    """What an attestation is about: two SHA-256 and the journal's head, in hexadecimal."""
    return {bag.TAG_MANIFEST: tag_manifest, bag.MANIFEST: manifest, HEAD: head}
