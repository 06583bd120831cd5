"""JUnit XML of a run, made from the journal, so that a killed run has one too."""

from __future__ import annotations

from collections.abc import Mapping
from xml.etree import ElementTree as ET

from hil.bodies import JudgementBody
from hil.conclusion import Conclusion, TestRow, severity
from hil.verdict import ExitCode, Verdict, worst
from hil_reports.text import clean
from hil_reports.view import WORDS, judged_line

_ELEMENTS = {
    Verdict.FAIL: "failure",
    Verdict.INCONCLUSIVE: "failure",
    Verdict.ERROR: "error",
    Verdict.NO_VERDICT: "error",
    Verdict.NOT_EVALUATED: "skipped",
    Verdict.NOT_APPLICABLE: "skipped",
}

WHOLE = "the run as a whole"
"""Name of the case or result that stands for what a run shows altogether."""


def junit_xml(conclusion: Conclusion) -> str:
    """Write one suite: a case a test, one a requirement that no test was collected for.

    What could not be collected is a case too, and so is the run as a whole unless its exit code is
    0: no reader that only counts failures and errors sees green where `hil run` does not.
    """
    bare = [row for row in conclusion.requirements if not row.tests]
    judged = _judged(conclusion)
    clauses = {row.requirement["id"]: row.requirement["clause"] for row in conclusion.requirements}
    cases = [_case(row, judged.get(row.test, {}), clauses) for row in conclusion.tests]
    for row in bare:
        case = ET.Element("testcase", classname="requirement", time="0.000")
        case.set("name", clean(row.requirement["id"]))
        _outcome(case, row.verdict, row.remark)
        cases.append(case)
    cases += [_collection_error(text) for text in conclusion.collection_errors]
    cases += [_whole(verdict, text) for verdict, text in shortfall(conclusion)]
    suite = ET.Element(
        "testsuite",
        name=clean(conclusion.run["run_id"]),
        tests=str(len(cases)),
        timestamp=conclusion.begun[:19],
        time=f"{conclusion.seconds:.3f}",
    )
    for name in ("failure", "error", "skipped"):
        plural = name if name == "skipped" else name + "s"
        suite.set(plural, str(sum(case.find(name) is not None for case in cases)))
    _properties(suite, _of_run(conclusion))
    suite.extend(cases)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def _of_run(conclusion: Conclusion) -> dict[str, str]:
    """What the suite's properties say: which run, of what, on what, and what came of it."""
    run, plan = conclusion.run, conclusion.plan
    return {
        "run_id": run["run_id"],
        "provenance": conclusion.provenance.word,
        "verdict": conclusion.verdict.value,
        "complies": str(conclusion.complies).lower(),
        "complete": str(conclusion.complete).lower(),
        "exit_code": str(int(conclusion.exit_code)),
        "safe_state": conclusion.safe_state,
        "partial": run["partial"],
        "device": f"{plan['manufacturer']} {plan['model']}",
        "serial": conclusion.serial,
        "firmware": conclusion.firmware,
        "device_sha256": plan["device"]["sha256"],
        "bench": plan["bench_name"],
        "bench_sha256": plan["bench"]["sha256"],
        "operator": run["operator"],
        "depth": run["depth"],
        "seed": str(run["seed"]),
        "faults": ", ".join(run["faults"]),
        "stimproof": run["version"],
        "journal_head": conclusion.head,
    }


def _judged(conclusion: Conclusion) -> dict[str, dict[str, JudgementBody]]:
    """Test to requirement to the worst of its judgements there."""
    found: dict[str, dict[str, JudgementBody]] = {}
    for body in (body for row in conclusion.requirements for body in row.judgements):
        of_test = found.setdefault(body["test"], {})
        known = of_test.get(body["requirement"])
        if known is None or severity(body) < severity(known):
            of_test[body["requirement"]] = body
    return found


def _case(
    row: TestRow, judged: Mapping[str, JudgementBody], clauses: Mapping[str, str]
) -> ET.Element:
    module, _, name = row.test.partition(":")
    case = ET.Element("testcase", classname=clean(module), time=f"{row.seconds:.3f}")
    case.set("name", clean(name or row.test))
    verdicts = {f"requirement.{req}": verdict.value for req, verdict in row.by_requirement.items()}
    told = {"test": row.test, "verdict": row.verdict.value} | verdicts
    told |= {f"clause.{req}": clauses[req] for req in row.by_requirement if req in clauses}
    for req, body in judged.items():
        told[f"result.{req}"] = judged_line(body) or body["reason"]
        captures = body["measured"]["captures"] if body["measured"] else []
        told[f"captures.{req}"] = " ".join(captures)
    _properties(case, {name: value for name, value in told.items() if value})
    _outcome(case, row.verdict, explanation(row))
    return case


def explanation(row: TestRow) -> str:
    """Say why a test is not PASS: each requirement's verdict, then what pytest saw."""
    parts = [f"{req}: {WORDS[v]}" for req, v in row.by_requirement.items() if v is not Verdict.PASS]
    if not row.outcome:
        parts.append("never ended" if row.begun else "never started")
    if not row.by_requirement:
        parts.append("judges no requirement")
    return "; ".join(parts) + (f"\n{row.detail}" if row.detail else "")


def _outcome(case: ET.Element, verdict: Verdict, text: str) -> None:
    if verdict is Verdict.PASS:
        return
    shown = clean(text)
    first = shown.partition("\n")[0]
    element = ET.SubElement(case, _ELEMENTS[verdict], message=f"{WORDS[verdict]}: {first}"[:300])
    element.set("type", verdict.value)
    element.text = shown


def _collection_error(text: str) -> ET.Element:
    case = ET.Element("testcase", classname="collection", name=clean(text, 200), time="0.000")
    _outcome(case, Verdict.NO_VERDICT, text)
    return case


def _whole(verdict: Verdict, text: str) -> ET.Element:
    case = ET.Element("testcase", classname="stimproof", name=WHOLE, time="0.000")
    _outcome(case, verdict, text)
    return case


def shortfall(conclusion: Conclusion) -> list[tuple[Verdict, str]]:
    """What keeps the run as a whole from exit code 0: verdict and reasons; empty if nothing does.

    Its verdict is the run's, at best NO_VERDICT, so that no view takes it for skipped.
    """
    if conclusion.exit_code is ExitCode.COMPLIES:
        return []
    least = Verdict.ERROR if conclusion.exit_code is ExitCode.UNSAFE else Verdict.NO_VERDICT
    reasons = "\n".join(conclusion.reasons) or "no reason was given"
    return [(worst([conclusion.verdict, least]), reasons)]


def _properties(parent: ET.Element, values: dict[str, str]) -> None:
    holder = ET.SubElement(parent, "properties")
    for name, value in values.items():
        ET.SubElement(holder, "property", name=clean(name), value=clean(value))
