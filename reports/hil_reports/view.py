"""What the PDF and the HTML page show, in words and figures ready to print.

Made from a Conclusion and the captures alone. Both pages are laid out from this one structure, so
that they cannot contradict each other; foreign text in it is printable, but not yet escaped.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, TypeAlias

from hil.bodies import InstrumentBody, JudgementBody, MeasuredBody, RemeasuredBody, RunBody
from hil.capture import Capture
from hil.conclusion import IN_EACH, Conclusion, RequirementRow, TestRow, severity
from hil.digits import margin_step, uncertainty_step, value_step
from hil.errors import UsageError
from hil.provenance import PREFIX
from hil.requirement import Knowledge
from hil.verdict import ExitCode, Verdict
from hil_reports.ambient import ambient, ambient_in_brief
from hil_reports.budget import budget_rows, budget_sources
from hil_reports.clauses import amended, by_clause, verdict_of
from hil_reports.decision import rules_in_words, share, weighing
from hil_reports.earlier import register_view
from hil_reports.explored import properties_view
from hil_reports.feasible import feasibility_view
from hil_reports.gaps import Row, gaps_view
from hil_reports.laboratory import laboratory_view
from hil_reports.marks import marks_of
from hil_reports.moments import taken_from, window_of
from hil_reports.observations import observations
from hil_reports.offs import safe_states_view
from hil_reports.plot import Envelope, draw, envelope
from hil_reports.signatures import NOT_SEALED
from hil_reports.terms import TERMS
from hil_reports.text import (
    DASH,
    Scale,
    clean,
    decimal,
    foremost,
    in_print,
    moment,
    scale,
)
from hil_reports.treatments import in_short, recorded, shared, unjudged
from hil_reports.waves import samples_of, wave
from hil_reports.wiring import attested, wiring_view

View: TypeAlias = dict[str, Any]

WORDS = {
    Verdict.PASS: "PASS",
    Verdict.FAIL: "FAIL",
    Verdict.ERROR: "ERROR",
    Verdict.NO_VERDICT: "NO VERDICT",
    Verdict.INCONCLUSIVE: "INCONCLUSIVE",
    Verdict.NOT_EVALUATED: "NOT EVALUATED",
    Verdict.NOT_APPLICABLE: "NOT APPLICABLE",
}
TONES = {
    Verdict.PASS: "pass",
    Verdict.FAIL: "fail",
    Verdict.ERROR: "error",
    Verdict.NO_VERDICT: "error",
    Verdict.INCONCLUSIVE: "doubt",
    Verdict.NOT_EVALUATED: "open",
    Verdict.NOT_APPLICABLE: "open",
}
_HARM = {
    "minor": "minor (discomfort, or a treatment to be done again)",
    "serious": "serious (an injury that heals)",
    "critical": "critical (an injury that stays, or a danger to life)",
}
_RELATES = (
    "A clause has the worst result of those requirements that relate to it and apply: no statement "
    "of conformity with a clause or a regulation."
)
TITLE = "Compliance test report"
_NO_CALIBRATION = "simulated: none needed"
SIMULATED = "Simulated instruments: not evidence of device conformity"
UNEARNED = "Not shown to be hardware: not evidence of device conformity"
NO_PLOT: View = {"svg": "", "caption": "", "wave": None}
_NAMES = {
    "test", "tests", "short", "detail", "brief", "sha256", "profile_sha256", "head", "entry",
    "file", "previous", "previous_head", "first", "run_id", "captures", "svg", "waves", "packages",
    "plugins", "documents", "profile", "model", "manufacturer", "serial", "firmware", "name",
    "faults",
}  # fmt: skip
"""Keys of a view under which texts stand for something that has exactly this name."""
_NAMING = (
    "Hashes are SHA-256. A capture is the file data/captures/<first 16 digits of its hash>.h5 of "
    "the run folder; a record is the line of data/journal.jsonl that names its captures."
)
_PLOTS = 60  # a device that fails everywhere still gets a report of readable length
_REASONS = 12  # on page 1
_UNSHOWN = 20  # printed; how many there are stands with the evidence
_DRAWINGS = 120  # on the page: it stays of a size that a browser opens at once
_FURTHER = 5  # records of one requirement, besides the decisive one, that are no PASS
_ROWS = 400  # judgements of one requirement printed in full; the worst come first


def view_of(
    conclusion: Conclusion,
    load: Callable[[str], Capture],
    rows: Sequence[Row],
    seal: View = NOT_SEALED,
    plots: Plots | None = None,
) -> View:
    """Lay out a conclusion.

    Args:
        conclusion: all that the journal amounts to.
        load: reads a capture by its hash; raises UsageError if it is missing or was changed.
        rows: `hil_reports.matrix.matrix` of the same journal, for the gaps.
        seal: what `hil_reports.signatures.seal_view` says of the run folder.
        plots: draws its records, where others look at the same ones; None makes one.

    Returns:
        Text, numbers, lists and dicts only: what JSON carries.
    """
    plots = plots or Plots(conclusion, load)
    chosen = _plotted(conclusion.requirements)
    records = {body["record"]: body for body in conclusion.records}
    requirements = [
        _requirement(row, records, plots.of(row) if row.requirement["id"] in chosen else NO_PLOT)
        for row in conclusion.requirements
    ]
    screen = _drawings(conclusion.requirements, plots)
    for row in requirements:
        row["drawings"] = screen.of.get(row["id"], [])
    plan, run = conclusion.plan, conclusion.run
    view: View = {
        "title": TITLE,
        "document_title": f"{TITLE} {clean(run['run_id'], 200)}",
        "simulated": not conclusion.provenance.hardware,
        "banner": banner(conclusion),
        "provenance": conclusion.provenance.word,
        "provenance_reason": clean(conclusion.provenance.reason, 2000),
        "run_id": clean(run["run_id"], 200),
        "head": conclusion.head,
        "seal": seal,
        "overall": _overall(conclusion),
        "device": {
            "manufacturer": clean(plan["manufacturer"]),
            "model": clean(plan["model"]),
            "device_class": clean(plan["device_class"]),
            "serial": clean(conclusion.serial, 200) or "not identified",
            "profile": clean(plan["device"]["name"]),
            "profile_sha256": plan["device"]["sha256"],
        },
        "bench": {
            "name": clean(plan["bench_name"]),
            "file": clean(plan["bench"]["name"]),
            "sha256": plan["bench"]["sha256"],
            "wiring": [[clean(key), clean(value)] for key, value in plan["wiring"].items()],
            "cutoff": _cutoff(plan["wiring"]),
        },
        "firmware": _firmware(conclusion),
        "operator": clean(run["operator"], 200),
        "required": clean(run["required"], 40),
        "software": _software(run),
        "register": register_view(conclusion),
        "begun": moment(conclusion.begun),
        "ended": moment(conclusion.ended),
        "date": conclusion.ended[:10],
        "version": clean(run["version"]),
        "python": clean(run["python"]),
        "platform": clean(run["platform"]),
        "seed": str(run["seed"]),
        "faults": faults_in_words(run),
        "scope": _scope(conclusion),
        "treatments": in_short(conclusion),
        "shared": shared(conclusion),
        "limits": _limits(conclusion),
        "partial": clean(run["partial"]),
        "lease": clean(run["lease"]),
        "decision_rule": rules_in_words(plan["requirements"]),
        "rules": "; ".join(
            dict.fromkeys(row["rule"] for row in requirements if not row["rule"].startswith("none"))
        )
        or DASH,
        "counts": _counts(row.verdict for row in conclusion.requirements),
        "test_counts": _counts(row.verdict for row in conclusion.tests),
        "not_evaluated": _set_aside(conclusion, Verdict.NOT_EVALUATED),
        "not_applicable": _set_aside(conclusion, Verdict.NOT_APPLICABLE),
        "clauses": _clauses(conclusion.requirements),
        "clauses_told": " ".join(filter(None, [_RELATES, amended(conclusion.requirements)])),
        "requirements": requirements,
        "tests": [_test(row) for row in conclusion.tests],
        "test_groups": _groups(conclusion.tests),
        "instruments": [_instrument(body) for body in conclusion.instruments],
        "documents": [
            {"name": clean(body["name"]), "sha256": body["sha256"]} for body in conclusion.documents
        ],
        "figures": [
            {key: clean(value) for key, value in figure.items()} for figure in plan["figures"]
        ],
        "feasibility": feasibility_view(plan),
        "properties": properties_view(conclusion.properties, recorded(conclusion)),
        "safe_states": safe_states_view(conclusion),
        "wiring": wiring_view(conclusion.flights, plan["wiring"], _files(conclusion)),
        "ambient": {
            "told": ambient(conclusion.ambients),
            "line": ambient_in_brief(conclusion.ambients),
        },
        "attestation": attested(conclusion.attestation),
        "remeasured": _remeasured(conclusion.remeasured),
        "gaps": gaps_view(conclusion, rows),
        "observations": observations(conclusion),
        "terms": [list(term) for term in TERMS],
        "laboratory": laboratory_view(conclusion),
        "drawn": screen.told,
        "waves": screen.waves,
        "limitations": _limitations(conclusion, plots),
        "plugins": [clean(plugin, 200) for plugin in conclusion.plugins],
        "naming": _NAMING,
    }
    return {key: _printed(value, key) for key, value in view.items()}


def _printed(value: Any, key: str) -> Any:  # noqa: ANN401  # whatever JSON carries
    """Units in prose as a document writes them; names and hashes as they are."""
    if isinstance(value, dict):
        return {name: _printed(entry, name) for name, entry in value.items()}
    if isinstance(value, list):
        return [_printed(entry, key) for entry in value]
    return in_print(value) if isinstance(value, str) and key not in _NAMES else value


def _files(conclusion: Conclusion) -> dict[str, str]:
    """Record to the files of its captures."""
    return {
        body["record"]: ", ".join(f"data/captures/{c['dataset']}.h5" for c in body["captures"])
        for body in conclusion.records
    }


def banner(conclusion: Conclusion) -> str:
    """What every report that did not earn HARDWARE says of itself."""
    return SIMULATED if _is_twin(conclusion) else UNEARNED


def _is_twin(conclusion: Conclusion) -> bool:
    """Whether the device is a simulated one, as the plan says; else it may have been real."""
    return not conclusion.provenance.hardware and not conclusion.run["real"]


def _firmware(conclusion: Conclusion) -> View:
    """Which firmware ran in the simulated device: a build with its hash, or the reference one."""
    if build := conclusion.run["firmware"]:
        return {"name": clean(build["name"]), "sha256": build["sha256"]}
    twin = _is_twin(conclusion)
    name = "reference firmware of the simulated device" if twin else "that of the device"
    return {"name": name, "sha256": ""}


def _software(run: RunBody) -> View:
    """What judged: our version and source, and the packages under it."""
    found = run["software"]
    return {
        "sha256": found["sha256"],
        "packages": [
            f"{clean(name)} {clean(number)}" for name, number in found["packages"].items()
        ],
    }


def faults_in_words(run: RunBody) -> list[str]:
    """The seeded faults, each with what is wrong in it."""
    titles = run.get("fault_titles", {})
    return [
        f"{clean(fault)}: {in_print(clean(titles[fault]))}" if fault in titles else clean(fault)
        for fault in run["faults"]
    ]


def mark(verdict: Verdict) -> View:
    """Word, letter and tone of a verdict: the tone chooses a colour, the word stands beside it."""
    return {"word": WORDS[verdict], "mark": verdict.clause_mark, "tone": TONES[verdict]}


def statement(conclusion: Conclusion) -> tuple[str, str]:
    """Say in one sentence what the run shows, and in which tone."""
    mandatory = [row for row in conclusion.requirements if row.requirement["mandatory"]]
    failed = [row for row in conclusion.requirements if row.verdict is Verdict.FAIL]
    grave = [row for row in failed if row.requirement["mandatory"]]
    twin, shown = _is_twin(conclusion), conclusion.provenance.hardware
    device = "simulated device" if twin else "device under test"
    device += "" if twin or shown else " (SIMULATED)"
    if conclusion.complies:
        return (
            f"The {device} complies with the {len(mandatory)} mandatory requirements "
            "of this scope.",
            "pass",
        )
    if grave and len(failed) > len(grave):
        return (
            f"The {device} does not comply with {len(failed)} requirements of this scope; of these "
            f"{len(grave)} are mandatory, out of {len(mandatory)}.",
            "fail",
        )
    if grave:
        return (
            f"The {device} does not comply with {len(grave)} of the {len(mandatory)} "
            "mandatory requirements of this scope.",
            "fail",
        )
    if failed:
        return (
            f"The {device} does not comply with {len(failed)} requirements of this scope, "
            "none of them mandatory.",
            "fail",
        )
    said = f"This report cannot say whether the {device} complies"
    if conclusion.run["partial"] and conclusion.verdict is Verdict.PASS:
        return f"{said}: all that was asked for is PASS, but the scope is partial.", "error"
    return f"{said}.", "error"


def _overall(conclusion: Conclusion) -> View:
    text, tone = statement(conclusion)
    unsafe = conclusion.exit_code is ExitCode.UNSAFE
    reasons = [clean(reason, 700) for reason in _reasons(conclusion)]
    if conclusion.run["partial"]:
        reasons.append(f"The scope is partial: {clean(conclusion.run['partial'])}")
    shown, left = foremost(reasons, _REASONS)
    return {
        **mark(conclusion.verdict),
        "statement": text,
        "tone": "fail" if unsafe else tone,
        "complies": conclusion.complies,
        "code": int(conclusion.exit_code),
        "unsafe": unsafe,
        "complete": conclusion.complete,
        "reasons": shown,
        "unprinted": left,
    }


def _reasons(conclusion: Conclusion) -> list[str]:
    """Why the exit code is not 0: requirements that share a cause stand together.

    Those that are beyond their limit do not: by equal figures they share nothing.
    """
    rows = {
        f"{row.requirement['id']} {row.verdict.value}: {row.remark}": row
        for row in conclusion.requirements
    }
    found: dict[tuple[str, str, str], list[str]] = {}
    for reason in conclusion.reasons:
        row = rows.get(reason)
        if row is None:
            found.setdefault(("", reason, ""), []).append("")
            continue
        name = row.requirement["id"]
        measured = row.decisive is not None and row.decisive["margin"] is not None
        alone = name if row.verdict is Verdict.FAIL or measured else ""
        found.setdefault((WORDS[row.verdict], cause_of(row), alone), []).append(name)
    return [
        f"{', '.join(names)} {word}: {cause}" if word else cause
        for (word, cause, _), names in found.items()
    ]


def cause_of(row: RequirementRow) -> str:
    """Its remark, without the test that it begins with if it was not judged there."""
    for test in row.tests:
        if row.remark.startswith((f"{test} ", f"{test}: ")):
            return row.remark[len(test) :].removeprefix(":").strip()
    return row.remark


def _scope(conclusion: Conclusion) -> str:
    total = len(conclusion.requirements)
    mandatory = sum(row.requirement["mandatory"] for row in conclusion.requirements)
    suites = ", ".join(clean(name) for name in conclusion.run["suites"]) or "all suites"
    return (
        f"{total} requirements, {mandatory} of them mandatory; "
        f"{len(conclusion.tests)} tests; {suites}; depth {clean(conclusion.run['depth'], 60)}"
    )


def _limits(conclusion: Conclusion) -> str:
    """How many limits of the scope somebody read in a purchased edition, and what the rest are."""
    known = Counter(row.requirement["status"] for row in conclusion.requirements)
    confirmed = known.pop(Knowledge.CONFIRMED.value, 0)
    told = f"{confirmed} of {known.total() + confirmed} confirmed in a purchased edition"
    if not known:
        return told
    rest = ", ".join(f"{count} {clean(status, 60)}" for status, count in known.most_common())
    return f"{told}; the other figures are the project's ({rest})"


def _counts(verdicts: Iterable[Verdict]) -> list[View]:
    found = list(verdicts)
    return [mark(verdict) | {"count": found.count(verdict)} for verdict in Verdict]


def remark_of(row: RequirementRow, longest: int) -> str:
    """Its remark, without the id with which some begin: it stands beside it."""
    return clean(row.remark.removeprefix(f"{row.requirement['id']}: "), longest)


def _clauses(rows: Sequence[RequirementRow]) -> list[View]:
    """Standards with their clauses; of each requirement its place in the view's list."""
    places = {row.requirement["id"]: place for place, row in enumerate(rows)}
    return [
        {
            "standard": clean(standard, 200),
            "clauses": [
                {
                    "clause": clean(clause, 200),
                    "verdict": mark(verdict_of(found)),
                    "rows": [places[row.requirement["id"]] for row in found],
                }
                for clause, found in clauses.items()
            ],
        }
        for standard, clauses in by_clause(rows).items()
    ]


def _set_aside(conclusion: Conclusion, verdict: Verdict) -> list[View]:
    """Requirements that were not judged, each with the reason and who vouches for it."""
    return [
        {
            "id": clean(row.requirement["id"], 120),
            "title": clean(row.requirement["title"], 400),
            "mandatory": row.requirement["mandatory"],
            "remark": remark_of(row, 600),
        }
        for row in conclusion.requirements
        if row.verdict is verdict
    ]


def _cutoff(wiring: Mapping[str, str]) -> str:
    """What the bench file declares of the cut-off, for page 1."""
    told = [
        f"{key.removeprefix('cutoff_')}: {value}"
        for key, value in wiring.items()
        if key.startswith("cutoff_")
    ]
    return clean("; ".join(told), 400) or "not declared"


def _instrument(body: InstrumentBody) -> View:
    """An instrument as the equipment table has it; a simulated one needs no calibration."""
    low, high = body.get("air", [0.0, 0.0])
    simulated = body["serial"].startswith(PREFIX)
    texts = {key: clean(value) or DASH for key, value in body.items() if key != "air"}
    return texts | {
        "calibrated": clean(body.get("calibrated", "")) or DASH,
        "until": clean(body.get("until", "")) or DASH,
        "air": f"{low:g} to {high:g} degC" if "air" in body else DASH,
        "calibration": _NO_CALIBRATION if simulated else clean(body["calibration"]),
    }


def _requirement(row: RequirementRow, records: Mapping[str, Mapping[str, Any]], plot: View) -> View:
    body = row.requirement
    ranked = sorted(row.judgements, key=severity)  # the decisive one is the first of them
    return {
        "id": clean(body["id"], 120),
        "subject": clean(body["subject"], 200),
        "title": clean(body["title"]),
        "text": clean(body["text"]),
        "limit": clean(body["limit"]),
        "clause": clean(body["clause"], 200),
        "source": clean(body["source"]),
        "status": clean(body["status"]),
        "claim": clean(body["claim"]),
        "rule": clean(body["rule_text"]),
        "mandatory": body["mandatory"],
        "hazard": clean(body["hazard"]),
        "control": clean(body["control"]),
        "method": clean(body["method"]),
        "unprovoked": clean(body.get("unprovoked", "")),
        "severity": _HARM.get(body["severity"], clean(body["severity"])),
        "roles": ", ".join(clean(role) for role in body["roles"]),
        "taken": "" if row.remark.startswith(IN_EACH) else _taken(row.decisive, records),
        "spread": _spread(row.judgements),
        "verdict": mark(row.verdict),
        "remark": remark_of(row, 700),
        "result": result_line(row),
        "weighing": weighing(row.decisive) if row.decisive else "",
        "warning": clean(row.decisive["warning"], 200) if row.decisive else "",
        "tests": [clean(test, 400) for test in row.tests],
        "judgements": _judgements(ranked[:_ROWS], records),
        "unprinted": max(len(ranked) - _ROWS, 0),
        "budget": budget_rows(row.decisive, records),
        "sources": budget_sources(row.decisive),
        "correlated": _correlated(row.decisive),
        "plot": plot,
    }


def result_line(row: RequirementRow) -> str:
    """Figures of the judgement that decides; empty where none does, as the remark says."""
    if row.decisive is None or row.remark.startswith(IN_EACH):
        return ""
    return judged_line(row.decisive)


def judged_line(body: JudgementBody) -> str:
    """One line for the result column: measured value with U, limits and margin."""
    measured = body["measured"]
    if measured is None:
        return ""
    if measured["unit"] == "true":
        return "holds" if measured["value"] == "1" else "does not hold"
    shown = _shown(body, measured)
    limits = [f"{name} {shown[key]}" for key, name in (("lower", "≥"), ("upper", "≤"))
              if shown[key] != DASH]  # fmt: skip
    parts = [f"{shown['value']} ± {shown['u']} {shown['unit']}".strip()]
    if limits:
        parts.append(f"limit {' and '.join(limits)} {shown['unit']}".strip())
    if shown["margin"] != DASH:
        parts.append(f"margin {shown['margin']} {shown['unit']}".strip())
    return "; ".join(parts)


def _spread(judgements: Sequence[JudgementBody]) -> str:
    """How many judgements there are, and between which margins they lie; all of them count."""
    if not judgements:
        return ""
    counts = [f"{entry['count']} {entry['word']}"
              for entry in _counts(Verdict(body["verdict"]) for body in judgements)
              if entry["count"]]  # fmt: skip
    told = f"{len(judgements)}: {', '.join(counts)}"
    known = [
        (margin, body["measured"]["unit"])
        for body in judgements
        if body["measured"] and (margin := decimal(body["margin"])) is not None
        if margin.is_finite()
    ]
    if len(known) < 2:
        return told
    unit = scale(known[0][1], [margin for margin, _ in known])
    least, most = min(known)[0], max(known)[0]
    step = Decimal(1).scaleb(max(abs(least), abs(most)).adjusted() - 3)
    return f"{told}; margins from {unit.number(least, step)} to {unit.text(most, step)}"


def _taken(decisive: JudgementBody | None, records: Mapping[str, Mapping[str, Any]]) -> str:
    return taken_from(decisive, records.get(decisive.get("record", ""))) if decisive else ""


def figures_of(body: JudgementBody | None) -> str:
    """Measured value with U and margin, for where there is no room for more."""
    measured = body["measured"] if body else None
    if body is None or measured is None or measured["unit"] == "true":
        return ""
    shown = _shown(body, measured)
    margin = f", margin {shown['margin']} {shown['unit']}" if shown["margin"] != DASH else ""
    return f"{shown['value']} ± {shown['u']} {shown['unit']}{margin}".rstrip()


def _shown(body: JudgementBody, measured: MeasuredBody) -> View:
    value, expanded = decimal(measured["value"]), decimal(measured["expanded"])
    lower, upper = decimal(body["lower"]), decimal(body["upper"])
    margin, guard = decimal(body["margin"]), decimal(body["guard"])
    known = [figure for figure in (value, lower, upper) if figure is not None]
    usable = [figure for figure in known if figure.is_finite()]
    unit = scale(measured["unit"], usable or [expanded])
    step = value_step(value, expanded, [lower, upper])
    fine = uncertainty_step(expanded)
    return {
        "unit": unit.unit,
        "value": ("≥ " if measured["censored"] else "") + _number(unit, value, step, measured),
        "u": unit.number(expanded, fine),
        "lower": unit.number(lower),
        "upper": unit.number(upper),
        "guard": unit.number(guard, fine),
        "margin": _bound(margin, measured) + unit.number(margin, margin_step(margin, guard, step)),
        "raw": unit.number(decimal(measured["raw"]), step),
    }


def _bound(margin: Decimal | None, measured: MeasuredBody) -> str:
    """What stands before the margin of a duration that went on when its record ended."""
    if margin is None or not measured["censored"]:
        return ""
    return "≤ " if margin < 0 else "≥ "


def _number(
    unit: Scale, value: Decimal | None, step: Decimal | None, measured: MeasuredBody
) -> str:
    return clean(measured["value"], 60) if value is None else unit.number(value, step)


def _judgements(
    bodies: Sequence[JudgementBody], records: Mapping[str, Mapping[str, Any]]
) -> list[View]:
    """Rows of a requirement; those of one test at one setting say from when each was taken."""
    windows = [window_of(body, records.get(body.get("record", ""))) for body in bodies]
    alike: dict[tuple[str, str], set[str]] = {}
    for body, window in zip(bodies, windows, strict=True):
        alike.setdefault((body["test"], body["at"] or ""), set()).add(window)
    return [
        _judgement(body)
        | {"window": window if len(alike[body["test"], body["at"] or ""]) > 1 else ""}
        for body, window in zip(bodies, windows, strict=True)
    ]


def _judgement(body: JudgementBody) -> View:
    measured = body["measured"]
    row: View = {
        "test": clean(body["test"], 400),
        "short": short(clean(body["test"], 400)),
        "told": "",
        "verdict": mark(Verdict(body["verdict"])),
        "reason": clean(body["reason"], 700),
        "at": clean(body["at"] or DASH, 60),
        "conformance": DASH if body["conformance"] is None else share(body["conformance"]),
        "weighing": weighing(body),
        "warning": clean(body["warning"], 200),
        "captures": [],
        "note": "",
        "calibration": "",
    }
    names = ("value", "u", "lower", "upper", "guard", "margin", "raw", "unit")
    row |= dict.fromkeys(names, DASH) | {"unit": ""}
    if measured is None:
        return row
    row["captures"] = [sha256[:12] for sha256 in measured["captures"]]
    row["note"], row["calibration"] = clean(measured["note"]), measured["calibration"]
    if measured["unit"] == "true":
        row["told"] = clean(measured["note"], 300)
        return row | {"value": "holds" if measured["value"] == "1" else "does not hold"}
    return row | _shown(body, measured)


def short(test: str) -> str:
    """Test without its module; the list of tests has the whole name."""
    return test.partition(":")[2] or test


def _correlated(decisive: JudgementBody | None) -> bool:
    measured = decisive["measured"] if decisive else None
    names = [part["id"] for part in measured["components"]] if measured else []
    return len(set(names)) < len(names)


def _test(row: TestRow) -> View:
    return {
        "test": clean(row.test, 400),
        "doc": clean(row.doc, 400),
        "verdict": mark(row.verdict),
        "outcome": clean(row.outcome) or ("never ended" if row.begun else "never started"),
        "detail": clean(row.detail, 1500),
        "brief": clean(row.detail.partition("\n")[0], 300),
        "seconds": f"{row.seconds:.2f}",
        "begun": moment(row.begun) if row.begun else DASH,
        "requirements": [
            {"id": clean(name, 120), "verdict": mark(verdict)}
            for name, verdict in row.by_requirement.items()
        ],
    }


def _groups(rows: Sequence[TestRow]) -> list[View]:
    """Tests by their function: the cases that passed in one row, each other case in its own."""
    functions: dict[str, list[TestRow]] = {}
    for row in rows:
        functions.setdefault(row.test.partition("[")[0], []).append(row)
    groups = []
    for name, found in functions.items():
        passed = [row for row in found if row.verdict is Verdict.PASS and row.outcome == "passed"]
        others = [row for row in found if row not in passed]
        groups += [_group(name, each) for each in (passed, *([row] for row in others)) if each]
    return groups


def _group(name: str, rows: Sequence[TestRow]) -> View:
    """Cases of one function, with the same outcome."""
    first = rows[0]
    cases = [row.test.removeprefix(name).removeprefix("[").removesuffix("]") for row in rows]
    verdicts = {own: verdict for row in rows for own, verdict in row.by_requirement.items()}
    return {
        "test": clean(name, 400),
        "doc": clean(first.doc, 400),
        "cases": [clean(case, 200) for case in cases if case],
        "count": len(rows),
        "outcome": clean(first.outcome) or ("never ended" if first.begun else "never started"),
        "seconds": f"{sum(row.seconds for row in rows):.2f}",
        "verdict": mark(first.verdict),
        "requirements": [
            {"id": clean(own, 120), "verdict": mark(verdict)} for own, verdict in verdicts.items()
        ],
        "brief": clean(first.detail.partition("\n")[0], 300),
    }


def _remeasured(body: RemeasuredBody | None) -> str:
    if body is None:
        return "no judgement was measured again before sealing"
    again = body["identical"] + body["drifted"]
    needed = again + len(body["unshown"]) + len(body["unfounded"])
    parts = [f"{again} of {needed} measured again from their captures before sealing"]
    if body["drifted"]:
        parts.append(f"{body['drifted']} differ in last digits")
    if body["unfounded"]:
        parts.append(f"{len(body['unfounded'])} do not follow from them and are ERROR")
    if body["unshown"]:
        parts.append(f"{len(body['unshown'])} by features that were not known there, as stated")
    if body["stated"]:
        parts.append(f"{body['stated']} counts, truths and judgements without a value, as stated")
    return "; ".join(parts)


def _limitations(conclusion: Conclusion, plots: Plots) -> list[str]:
    run = conclusion.run
    found = [
        "The results relate only to the item tested, in the configuration named above.",
        "This report shall not be reproduced except in full.",
        "Limits whose status is not “confirmed” were not read in the purchased edition of a "
        "standard; a competent person must confirm them.",
    ]
    if not conclusion.provenance.hardware:
        found.append(f"{banner(conclusion)}: {clean(conclusion.provenance.reason, 2000)}.")
    if run["faults"]:
        told = "; ".join(faults_in_words(run))
        found.append(f"Faults were seeded in the simulated bench: {told}.")
    if run["partial"]:
        found.append(f"The scope is partial: {clean(run['partial'])}.")
    if not conclusion.complete:
        found.append("The run did not end by itself; what it had not judged has no verdict.")
    if body := conclusion.remeasured:
        found += [
            f"Record {number} is a PASS that was not measured again before sealing: "
            f"{clean(why, 300)}."
            for number, why in body["unshown"][:_UNSHOWN]
        ]
    if unused := unjudged(conclusion):
        shown, left = foremost(unused, _UNSHOWN)
        more = f" and {left} more" if left else ""
        named = ", ".join(clean(name, 60) for name in shown)
        told = f"Recorded, and judged by nothing: {len(unused)} records ({named}{more})"
        found.append(f"{told}{_of_properties(conclusion, len(unused))}.")
    found += [f"Aborted: {clean(body['cause'], 700)}" for body in conclusion.aborts]
    found += [f"Could not be collected: {clean(e, 700)}" for e in conclusion.collection_errors]
    found += [f"A plot is missing: {problem}" for problem in plots.problems]
    if plots.left_out:
        found.append(f"{plots.left_out} plots were left out of this report for length.")
    return found


def _of_properties(conclusion: Conclusion, unused: int) -> str:
    """How many of the records that nothing judged are examples that properties broke off."""
    by_test = recorded(conclusion)
    made = (by_test.get(body["test"], (0, 0)) for body in conclusion.properties)
    count = sum(all_ - judged for all_, judged in made)
    of_them = "all" if count == unused else str(count)
    return f"; {of_them} of them by properties, which break off examples" if count else ""


def _plotted(rows: Sequence[RequirementRow]) -> set[str]:
    """Requirements that get a plot: those in doubt or failed, and the first of each subject."""
    chosen, subjects = set(), set()
    for row in rows:
        if row.decisive is None or not row.decisive.get("record"):
            continue
        subject = row.requirement["subject"]
        if row.verdict in {Verdict.FAIL, Verdict.INCONCLUSIVE} or subject not in subjects:
            chosen.add(row.requirement["id"])
            subjects.add(subject)
    return chosen


@dataclass(frozen=True, slots=True)
class _Drawings:
    """What the page draws for looking into."""

    of: Mapping[str, list[View]]
    """Drawings of each requirement, the decisive record first."""
    waves: Mapping[str, View]
    """Samples of each capture that one of them shows."""
    told: str
    """Of how many requirements the worst case is drawn, and what is not."""


def _drawings(rows: Sequence[RequirementRow], plots: Plots) -> _Drawings:
    """The worst case of each requirement, and more of one that is no PASS; the worst come first."""
    found: dict[str, list[View]] = {}
    waves: dict[str, View] = {}
    left, omitted = _DRAWINGS, 0
    recorded = [row for row in rows if row.decisive and row.decisive.get("record")]
    ranked = sorted(recorded, key=lambda row: severity(row.decisive) if row.decisive else (0, 0.0))
    wanted = [(row, body) for row in ranked if (body := row.decisive)]
    wanted += [(row, body) for row in ranked for body in _further(row)]
    for row, body in wanted:
        if not left:
            omitted += 1
            continue
        drawing = plots.draw(body)
        if not drawing["svg"]:
            continue
        left -= 1
        waves.setdefault(drawing["wave"]["capture"], plots.samples(body))
        at = f"At {clean(body['at'], 60)}, " if body["at"] else ""
        caption = f"{at}{WORDS[Verdict(body['verdict'])]}. {drawing['caption']}"
        found.setdefault(clean(row.requirement["id"], 120), []).append(
            drawing | {"caption": caption}
        )
    told = f"The worst case of {len(found)} of {len(rows)} requirements is drawn below"
    if omitted:
        told += f"; {omitted} more records are not, so that this page stays small"
    return _Drawings(found, waves, f"{told}. All samples are in the files that the drawings name.")


def _further(row: RequirementRow) -> list[JudgementBody]:
    """Judgements that are no PASS and rest on other records than the decisive one."""
    found: dict[str, JudgementBody] = {}
    for body in sorted(row.judgements, key=severity):
        if body["verdict"] != Verdict.PASS.value and body.get("record"):
            found.setdefault(body["record"], body)
    found.pop(row.decisive.get("record", "") if row.decisive else "", None)
    return list(found.values())[:_FURTHER]


class Plots:
    """Draws decisive records; reads each capture once and keeps only its columns."""

    def __init__(self, conclusion: Conclusion, load: Callable[[str], Capture]) -> None:
        self._records = {body["record"]: body for body in conclusion.records}
        self._load = load
        self._known: dict[str, Envelope] = {}
        self._drawn = 0
        self.left_out = 0
        self.problems: list[str] = []

    def of(self, row: RequirementRow) -> View:
        """Return svg and caption of the decisive record, or nothing if there is none."""
        decisive = row.decisive
        if decisive is None or self._stored(decisive) is None:
            return NO_PLOT
        if self._drawn >= _PLOTS:
            self.left_out += 1
            return NO_PLOT
        plot = self.draw(decisive)
        self._drawn += bool(plot["svg"])
        return plot

    def draw(self, decisive: JudgementBody) -> View:
        """Return svg and caption of a judgement's record, or nothing if there is none."""
        found = self._stored(decisive)
        if found is None:
            return NO_PLOT
        record, stored = found
        sha256 = stored["sha256"]
        try:
            if sha256 not in self._known:
                self._known[sha256] = envelope(self._load(sha256))
        except UsageError as err:
            problem = f"{clean(decisive['requirement'])}: {clean(err, 500)}"
            if problem not in self.problems:
                self.problems.append(problem)
            return NO_PLOT
        drawn = self._known[sha256]
        title = f"{stored['channel']} of record {record['record']}"
        marks = marks_of(decisive, record, drawn)
        svg = draw(drawn, marks, title)
        if not svg:
            return NO_PLOT | {"caption": _caption(drawn, stored, record)}
        over = wave(drawn, marks, stored, title)
        return {"svg": svg, "caption": _caption(drawn, stored, record), "wave": over}

    def samples(self, decisive: JudgementBody) -> View:
        """Return the samples of a judgement's record that was drawn, as the page keeps them."""
        found = self._stored(decisive)
        return samples_of(self._known[found[1]["sha256"]], found[1]) if found else {}

    def _stored(
        self, decisive: JudgementBody
    ) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
        record = self._records.get(decisive.get("record", ""))
        stored = channel_of(record, decisive) if record else None
        return (record, stored) if record and stored else None


def channel_of(record: Mapping[str, Any], decisive: JudgementBody) -> Mapping[str, Any] | None:
    """The capture to draw: the current if there is one, else what was judged, else the first."""
    captures: list[Mapping[str, Any]] = record["captures"]
    judged = decisive["measured"]["captures"] if decisive["measured"] else []
    ranked = sorted(captures, key=lambda c: (c["channel"] != "current", c["sha256"] not in judged))
    return ranked[0] if ranked else None


def _caption(found: Envelope, stored: Mapping[str, Any], record: Mapping[str, Any]) -> str:
    least, largest = (Decimal(repr(extreme[1])) for extreme in (found.least, found.largest))
    unit = scale(found.unit, [least, largest])
    spread = max(abs(least), abs(largest))
    step = Decimal(1).scaleb(spread.adjusted() - 4) if spread.is_finite() and spread else None
    parts = [
        f"Record {clean(record['record'], 40)}, channel {clean(stored['channel'], 60)}, "
        f"instrument {clean(stored['serial'], 60)}: min/max envelope of {found.count} samples",
        f"least {unit.text(least, step)}, largest {unit.text(largest, step)}",
    ]
    if found.lost:
        parts.append(f"{found.lost} samples lost")
    if found.overloads:
        parts.append(f"{found.overloads} samples in overload, not drawn")
    return "; ".join([*parts, f"capture {stored['sha256'][:12]}"]) + "."
