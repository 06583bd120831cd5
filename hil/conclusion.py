"""What a journal amounts to: a verdict for each requirement and test, one for the run.

Pure and total: whatever is missing from the journal counts against the run, never for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from hil.bodies import (
    AbortBody,
    AmbientBody,
    AttestationBody,
    DocumentBody,
    EndBody,
    FlightBody,
    InstrumentBody,
    JudgementBody,
    MeasuredBody,
    PlanBody,
    PropertyBody,
    RegisterBody,
    RemeasuredBody,
    ReplayedBody,
    RequirementBody,
    RunBody,
    SentinelBody,
    TestEndBody,
    TripBody,
    measured_of,
    requirement_of,
)
from hil.calibration import Band
from hil.docket import Docket
from hil.errors import UsageError
from hil.exact import Dimension
from hil.journal import Record
from hil.proof import PROBE
from hil.provenance import PREFIX, Provenance, earned
from hil.replay import replayed
from hil.requirement import Requirement
from hil.verdict import ExitCode, Verdict, exit_code, worst

_ORDER = list(Verdict)
_WORDS = {verdict.value for verdict in Verdict}
_OUTCOMES = ["error", "failed", "interrupted", "skipped", "passed"]
_UNENDED: TestEndBody = {"test": "", "outcome": "", "detail": "", "seconds": 0.0, "judgements": 0}
UNCONFIRMED = "UNCONFIRMED"
WHAT_TO_DO = (
    "What to do now: switch the device's supply off by hand, open the path to its load by hand, "
    "and touch nothing connected until a meter shows off. Then start `hil run` anew: its "
    "pre-flight looks at the wiring and the cut-off before it arms."
)
"""Last words wherever off is unconfirmed."""
_NO_REASON = "no reason was given"
IN_EACH = "holds in each of"
"""Begins the remark on a yes or no that was judged several times, and holds each time."""
_SEVERAL = 2
_TRUTH = Dimension.TRUTH.value
_TOLERATED = {Verdict.PASS, Verdict.NOT_APPLICABLE, Verdict.NOT_EVALUATED}


@dataclass(frozen=True, slots=True)
class RequirementRow:
    """One line of the clause table."""

    requirement: RequirementBody
    """The requirement as planned."""
    verdict: Verdict
    """Worst over its tests."""
    judgements: tuple[JudgementBody, ...]
    """All of them, in order."""
    decisive: JudgementBody | None
    """The worst; among equals the one with the smallest margin. None if it was never judged."""
    tests: tuple[str, ...]
    """Tests that were planned for it."""
    remark: str
    """Why it is not PASS, or what carries the PASS."""


@dataclass(frozen=True, slots=True)
class TestRow:
    """One test."""

    __test__ = False  # no test class, whatever its name

    test: str
    """module:function[parameters]."""
    verdict: Verdict
    """Worst over its requirements."""
    by_requirement: Mapping[str, Verdict]
    """Verdict for each requirement it was planned to judge."""
    outcome: str
    """passed, failed, error, skipped, interrupted, or empty if it never ended."""
    detail: str
    """What went wrong, or empty."""
    seconds: float
    """Wall time."""
    doc: str
    """First line of its docstring."""
    begun: str
    """UTC at which it began, or empty."""


@dataclass(frozen=True)
class Flight:
    """One proof of the wiring."""

    kind: str
    """preflight or postflight."""
    utc: str
    """When it was done."""
    body: FlightBody


@dataclass(frozen=True, slots=True)
class Off:
    """A place of the journal that should show off."""

    by: str
    """Who proved it: runner, sentinel, or nobody."""
    confirmed: bool
    """Whether both proofs stand."""
    reason: str
    """What is missing from the proof, or else went wrong; of a trip also its cause."""
    device_off: str = ""
    """First proof in words; empty where the sentinel's own record has it, or nobody."""
    path_open: str = ""
    """Second proof, likewise."""
    by_supply: bool = False
    """Whether the device did not go off by itself: only its supply, taken away, made it safe."""


@dataclass(frozen=True, slots=True)
class Conclusion:
    """All that the reports say."""

    run: RunBody
    plan: PlanBody
    provenance: Provenance
    """What was earned, whatever the run record says."""
    requirements: tuple[RequirementRow, ...]
    tests: tuple[TestRow, ...]
    instruments: tuple[InstrumentBody, ...]
    verdict: Verdict
    """Worst of the requirements."""
    exit_code: ExitCode
    """What `hil run` returns."""
    reasons: tuple[str, ...]
    """Why the exit code is not 0; empty if it is."""
    complete: bool
    """Whether the run ended by itself: neither lost nor aborted."""
    begun: str
    """UTC of the first record."""
    ended: str
    """UTC of the last record."""
    seconds: float
    """Wall time of the runner; 0 if it never ended."""
    bench_seconds: float | None
    """Time on the bench's clock from its first record to its last; None if it was never read."""
    head: str
    """Hash of the last record."""
    records: tuple[Mapping[str, Any], ...]
    """Bodies of kind `record`."""
    offs: tuple[Off, ...]
    """Every place of the journal that should show off, the sentinel's trips among them."""
    documents: tuple[DocumentBody, ...]
    """Device, bench, catalogues and scenario of the plan, then those of kind `document`."""
    plugins: tuple[str, ...]
    """Plugins that were loaded in the runner."""
    collection_errors: tuple[str, ...]
    """What could not be collected."""
    aborts: tuple[AbortBody, ...]
    """Why the run ended early; empty if it did not."""
    register: RegisterBody | None
    """Earlier runs of this device model, as they stood when this one began; None if
    the run was lost before it could say so."""
    attestation: tuple[str, AttestationBody] | None = None
    """When somebody stated that nobody is connected, and who; None if nobody did."""
    flights: tuple[Flight, ...] = ()
    """Pre-flights and post-flights, as they came."""
    ambients: tuple[AmbientBody, ...] = ()
    """Temperatures of the air at the bench, as they were recorded, or why not."""
    properties: tuple[PropertyBody, ...] = ()
    """What each property has shown, in their order."""
    remeasured: RemeasuredBody | None = None
    """What came of measuring every judgement again before the seal; None if that was not done."""

    @property
    def serial(self) -> str:
        """Serial number of the device; empty if it was never identified."""
        return next((i["serial"] for i in self.instruments if i["role"] == "stimulator"), "")

    @property
    def firmware(self) -> str:
        """Firmware that was judged: a build with its hash, or what the device says of itself."""
        if build := self.run["firmware"]:
            return f"{build['name']} {build['sha256'][:12]}"
        return next((i["firmware"] for i in self.instruments if i["role"] == "stimulator"), "")

    @property
    def safe_state(self) -> str:
        """Worst of all places that should show off: confirmed, UNCONFIRMED, none if none had to."""
        if not self.offs:
            return "none"
        return "confirmed" if all(off.confirmed for off in self.offs) else UNCONFIRMED

    @property
    def what_to_do(self) -> str:
        """What a person has to do where off is unconfirmed; empty where no device was driven."""
        alarming = self.safe_state == UNCONFIRMED and not self.run.get("replayed")
        return WHAT_TO_DO if alarming else ""

    @property
    def complies(self) -> bool:
        """Whether the report may say so: exit code 0 and a scope that is not partial."""
        return self.exit_code is ExitCode.COMPLIES and not self.run["partial"]


def conclude(journal: Iterable[Record]) -> Conclusion:
    """Judge a whole journal.

    Raises:
        UsageError: if it does not begin with `run` and `plan`.
    """
    records = list(journal)
    if [r.kind for r in records[:2]] != ["run", "plan"]:
        raise UsageError("a journal begins with a `run` and a `plan` record")
    run: RunBody = records[0].body  # type: ignore[assignment]  # checked by kind just above
    plan: PlanBody = records[1].body  # type: ignore[assignment]  # checked by kind just above
    try:
        return _concluded(run, plan, records)
    except (KeyError, TypeError, AttributeError, ValueError) as err:
        raise UsageError(f"a record has not the form of this version: {err!r}") from err


def _concluded(run: RunBody, plan: PlanBody, records: list[Record]) -> Conclusion:
    known = [*plan["requirements"], *plan.get("standing", [])]
    records = _weighed(records, {req["id"]: requirement_of(req) for req in known})
    judgements: list[JudgementBody] = _bodies(records, "judgement")
    tests = (*_tests(records), *_probed(records))
    counted = [*plan["requirements"], *_broken(plan, judgements)]
    properties: list[PropertyBody] = _bodies(records, "property")
    repeats = {body["test"]: body["scenario"] for body in properties if body["scenario"]}
    rows = tuple(_requirement_row(req, tests, judgements, repeats) for req in counted)
    ends: list[EndBody] = _bodies(records, "end")
    code, reasons = _outcome(rows, tests, records)
    provenance = earned(run, records)
    code, reasons = _held_to_provenance(run, provenance, code, reasons)
    return Conclusion(
        run=run,
        plan=plan,
        provenance=provenance,
        requirements=rows,
        tests=tests,
        instruments=tuple(_bodies(records, "instrument")),
        verdict=worst(row.verdict for row in rows),
        exit_code=code,
        reasons=tuple(reasons),
        complete=ended_by_itself({record.kind for record in records}),
        begun=records[0].utc,
        ended=records[-1].utc,
        seconds=ends[-1]["seconds"] if ends else 0.0,
        bench_seconds=_on_the_bench(records),
        head=records[-1].hash,
        records=tuple(_bodies(records, "record")),
        offs=tuple(_offs(records)),
        documents=(
            plan["device"],
            plan["bench"],
            *plan["catalogues"],
            *([plan["scenario"]] if "scenario" in plan else []),
            *_bodies(records, "document"),
        ),
        plugins=_listed(records, "plugins"),
        collection_errors=_listed(records, "errors"),
        aborts=tuple(_bodies(records, "abort")),
        register=next(iter(_bodies(records, "register")), None),
        attestation=_attestation(records),
        ambients=tuple(_bodies(records, "ambient")),
        properties=tuple(properties),
        remeasured=next(reversed(_bodies(records, "remeasured")), None),
        flights=tuple(
            Flight(record.kind, record.utc, record.body)  # type: ignore[arg-type]  # by its kind
            for record in records
            if record.kind in {"preflight", "postflight"}
        ),
    )


def _on_the_bench(records: list[Record]) -> float | None:
    times = [record.bench for record in records if record.bench is not None]
    return max(times) - min(times) if times else None


def ended_by_itself(kinds: Container[str]) -> bool:
    """Whether a run with records of these kinds was neither lost nor aborted."""
    return "end" in kinds and "abort" not in kinds


def _attestation(records: list[Record]) -> tuple[str, AttestationBody] | None:
    for record in records:
        if record.kind == "attestation":
            body: AttestationBody = record.body  # type: ignore[assignment]  # by its kind
            return record.utc, body
    return None


def _weighed(records: list[Record], requirements: Mapping[str, Requirement]) -> list[Record]:
    """The records, each judgement with the verdict that it has in its place in this journal."""
    docket = Docket()
    doubtful, shaken, unfounded = _doubtful(records), _shaken(records), _unfounded(records)
    weighed = []
    for number, record in enumerate(records):
        if record.kind != "judgement":
            docket.note(record.kind, record.body)
            weighed.append(record)
            continue
        body: JudgementBody = record.body  # type: ignore[assignment]  # checked by kind just above
        planned = requirements.get(body["requirement"])
        verdict, reason = _standing(body, planned, docket, doubtful)
        if verdict is Verdict.PASS and number in shaken:
            verdict, reason = Verdict.INCONCLUSIVE, f"recorded as PASS; {shaken[number]}"
        if verdict is not Verdict.FAIL and record.n in unfounded:
            said = f"recorded as {body['verdict']}; measured again before sealing"
            verdict, reason = Verdict.ERROR, f"{said}: {unfounded[record.n]}"
        if verdict.value != body["verdict"]:
            record = replace(record, body={**body, "verdict": verdict.value, "reason": reason})
        weighed.append(record)
    return weighed


def _standing(
    body: JudgementBody,
    requirement: Requirement | None,
    docket: Docket,
    doubtful: Mapping[str, str],
) -> tuple[Verdict, str]:
    """Verdict of a judgement and why; never better than the one that was recorded."""
    measured = body["measured"]
    said = body["verdict"]
    if said not in _WORDS:
        return Verdict.ERROR, f"recorded as {said!r}, which is no verdict"
    found = replayed(body, requirement)
    if found.value != said:
        na = said == Verdict.NOT_APPLICABLE.value
        made = "no rule of the plan removes it" if na else f"its own figures make it {found.value}"
        return found, f"recorded as {said}; {made}"
    objection = docket.objection(body["test"], measured["captures"] if measured else ())
    if objection and found is not Verdict.FAIL:
        return Verdict.ERROR, f"recorded as {said}; {objection}"
    undecided = docket.undecided(body["requirement"], found, None, None)
    if undecided and found is Verdict.PASS:
        return Verdict.NOT_EVALUATED, f"recorded as {said}; {undecided}"
    if found is Verdict.PASS and measured is not None:
        baseless = docket.unfounded(measured_of(measured))
        if baseless:
            return Verdict.ERROR, f"recorded as PASS; {baseless}"
    doubt = _doubt(measured, doubtful) if measured else ""
    if doubt and found is Verdict.PASS:
        return Verdict.INCONCLUSIVE, f"recorded as PASS; {doubt}"
    return found, body["reason"]


def replayed_from(records: list[Record]) -> ReplayedBody | None:
    """The run whose transcript answered in the place of instruments; None if they answered."""
    return records[0].body.get("replayed") if records[0].kind == "run" else None


def _doubtful(records: list[Record]) -> dict[str, str]:
    """Serial number to what speaks against each instrument at the end; empty text if nothing."""
    replayed = replayed_from(records)
    ended = replayed["ended"] if replayed else max(record.utc for record in records)
    last = date.fromisoformat(ended[:10])
    found: dict[str, str] = {}
    instruments: list[InstrumentBody] = _bodies(records, "instrument")
    if _set_back(records):
        why = "the clock was set back: whether the calibration of {} was valid is not known"
        return {body["serial"]: why.format(body["serial"]) for body in instruments}
    for body in instruments:
        serial, due = body["serial"], body["due"]
        real, until = not serial.startswith(PREFIX), body.get("until", "")
        doubt = ""
        if real and due and date.fromisoformat(due) < last:
            doubt = f"the calibration of {serial} expired on {due}, before the run ended"
        elif real and until and date.fromisoformat(until) < last:
            doubt = f"the limits of error of {serial} hold until {until}, and the run ended later"
        found[serial] = found.get(serial) or doubt or _in_other_air(records, body)
    return found


def _in_other_air(records: Iterable[Record], instrument: InstrumentBody) -> str:
    """How the air left what the budgets of an instrument count; empty if it is not known to."""
    if "air" not in instrument:
        return ""
    band = Band(*instrument["air"])
    bodies: list[AmbientBody] = _bodies(records, "ambient")
    for body in bodies:
        if not body["celsius"]:
            continue
        celsius, limits = float(body["celsius"]), float(body["limits"])
        if band.beyond(Band(celsius - limits, celsius + limits)):
            return (
                f"{celsius:g} degC +/- {limits:g} K at the {body['when']} lies beyond {band}, the "
                f"air that the budgets of {instrument['serial']} count"
            )
    return ""


def _set_back(records: Iterable[Record]) -> bool:
    """Whether the run began before an earlier entry of its register was made."""
    bodies: list[RegisterBody] = _bodies(records, "register")
    return any(body.get("behind", 0.0) > 0 for body in bodies)


def _unfounded(records: list[Record]) -> dict[int, str]:
    """Number of each judgement that does not follow from its captures, to what they make it."""
    bodies: list[RemeasuredBody] = _bodies(records, "remeasured")
    return {number: why for body in bodies for number, why in body["unfounded"]}


def _shaken(records: list[Record]) -> dict[int, str]:
    """Number of each record since the last good look at the wiring, to what a later look showed.

    Where a run that was pre-flighted came to its end without a post-flight, that counts as failed;
    an aborted one is none that came to its end.
    """
    found: dict[int, str] = {}
    good, flown, armed, aborted = 0, False, False, False
    for number, record in enumerate(records):
        armed = armed or record.kind == "armed"
        aborted = aborted or record.kind == "abort"
        if record.kind in {"preflight", "postflight"}:
            flown = True
            body: FlightBody = record.body  # type: ignore[assignment]  # checked by kind just above
            if not body["passed"]:
                remarks = [check["remark"] for check in body["checks"] if check["remark"]]
                what = "post-flight" if record.kind == "postflight" else "pre-flight"
                why = f"a later {what} failed: {'; '.join(remarks)}"
                found |= dict.fromkeys(range(good, number), why)
            good, armed = number, False
        if record.kind == "end" and flown and armed and not aborted:
            found |= dict.fromkeys(range(good, number), "there was no post-flight")
    return found


def _doubt(measured: MeasuredBody, doubtful: Mapping[str, str]) -> str:
    unknown = "{} is no instrument of this run"
    doubts = [doubtful.get(serial, unknown.format(serial)) for serial in measured["instruments"]]
    return "; ".join(doubt for doubt in doubts if doubt)


def _bodies(records: Iterable[Record], kind: str) -> list[Any]:
    return [record.body for record in records if record.kind == kind]


def _listed(records: Iterable[Record], key: str) -> tuple[str, ...]:
    return tuple(entry for body in _bodies(records, "collected") for entry in body[key])


def _tests(records: list[Record]) -> tuple[TestRow, ...]:
    begun = {r.body["test"]: r.utc for r in records if r.kind == "test_begin"}
    ended = _ends(records)
    judged: dict[str, dict[str, list[Verdict]]] = {}
    for body in _bodies(records, "judgement"):
        of_test = judged.setdefault(body["test"], {})
        of_test.setdefault(body["requirement"], []).append(Verdict(body["verdict"]))
    cause = next(iter(_causes(records)), "")
    failing = {Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE}
    broken = {
        test
        for test, found in judged.items()
        if any(failing & {*verdicts} for verdicts in found.values())
    }
    rows = []
    for collected in _bodies(records, "collected"):
        for item in collected["items"]:
            test = item["test"]
            end = ended.get(test, {**_UNENDED, "detail": cause})
            own = judged.get(test, {})
            verdicts = {
                req: _pair(own.get(req, []), end["outcome"], explained=test in broken)
                for req in item["requirements"]
            }
            strays = [  # what it judged unplanned, as the bench ceiling, only worsens
                worst(found) for req, found in own.items() if req not in verdicts
            ]
            rows.append(
                TestRow(
                    test,
                    worst([worst(verdicts.values()), *strays]),
                    verdicts,
                    end["outcome"],
                    end["detail"],
                    end["seconds"],
                    item["doc"],
                    begun.get(test, ""),
                )
            )
    return tuple(rows)


def _broken(plan: PlanBody, judgements: list[JudgementBody]) -> list[RequirementBody]:
    """Requirements out of scope that the device was seen to break before any test."""
    named = {body["requirement"] for body in judgements if body["test"] == PROBE}
    return [req for req in plan.get("standing", []) if req["id"] in named]


def _probed(records: list[Record]) -> tuple[TestRow, ...]:
    """The probe arm of the pre-flight as a test, where the device was judged in it."""
    found: list[Record] = [
        record for record in records if record.kind == "judgement" and record.body["test"] == PROBE
    ]
    if not found:
        return ()
    verdicts: dict[str, list[Verdict]] = {}
    for record in found:
        verdicts.setdefault(record.body["requirement"], []).append(Verdict(record.body["verdict"]))
    by_requirement = {name: worst(each) for name, each in verdicts.items()}
    doc = "Stage B of the pre-flight: the device at its smallest setting, before any test."
    detail = "\n".join(f"{each.body['requirement']}: {each.body['reason']}" for each in found)
    verdict = worst(by_requirement.values())
    return (TestRow(PROBE, verdict, by_requirement, "failed", detail, 0.0, doc, found[0].utc),)


def _ends(records: list[Record]) -> dict[str, TestEndBody]:
    """End of each test; none of one that was left unended, and a repeated test shows nothing."""
    begins = Counter(body["test"] for body in _bodies(records, "test_begin"))
    judged = _within(records)
    ends: dict[str, list[TestEndBody]] = {}
    for body in _bodies(records, "test_end"):
        ends.setdefault(body["test"], []).append(body)
    return {
        test: _repeated(bodies) if len(bodies) > 1 else _whole(bodies[0], judged[test])
        for test, bodies in ends.items()
        if len(bodies) == begins[test]
    }


def _within(records: list[Record]) -> Counter[str]:
    """Judgements of each test between its begin and its end: one elsewhere makes up for none."""
    found: Counter[str] = Counter()
    running: set[str] = set()
    for record in records:
        if record.kind == "test_begin":
            running.add(record.body["test"])
        elif record.kind == "test_end":
            running.discard(record.body["test"])
        elif record.kind == "judgement" and record.body["test"] in running:
            found[record.body["test"]] += 1
    return found


def _whole(end: TestEndBody, judged: int) -> TestEndBody:
    """The end of a test; of one whose judgements are not all there, that of an interrupted one."""
    if end["judgements"] == judged:
        return end
    detail = f"it judged {end['judgements']} times, and the journal holds {judged} of that"
    return {**end, "outcome": "interrupted", "detail": detail}


def _repeated(bodies: list[TestEndBody]) -> TestEndBody:
    """The worst end of a test that ran again: what passes at the second attempt has not passed."""
    found = min(bodies, key=lambda body: _badness(body["outcome"]))
    outcome = "error" if found["outcome"] == "error" else "interrupted"
    detail = f"it ran {len(bodies)} times, and a repeat shows nothing"
    return {
        **found,
        "outcome": outcome,
        "detail": "\n".join(filter(None, [detail, found["detail"]])),
    }


def _badness(outcome: str) -> int:
    return _OUTCOMES.index(outcome) if outcome in _OUTCOMES else -1


def _pair(judged: list[Verdict], outcome: str, *, explained: bool) -> Verdict:
    """Verdict of one test on one requirement; only a positive end leaves a PASS a PASS.

    Args:
        judged: its judgements by this test.
        outcome: how the test ended.
        explained: a judgement of the test is FAIL, ERROR or INCONCLUSIVE: it failed by that.
    """
    verdict = worst(judged)
    if outcome == "passed" or (outcome == "failed" and (explained or not judged)):
        return verdict
    if outcome == "skipped" and verdict in {Verdict.NOT_EVALUATED, Verdict.NOT_APPLICABLE}:
        return verdict
    missing = Verdict.ERROR if outcome in {"error", "failed"} else Verdict.NO_VERDICT
    return worst([verdict, missing])


def _requirement_row(
    requirement: RequirementBody,
    tests: tuple[TestRow, ...],
    judgements: list[JudgementBody],
    repeats: Mapping[str, str],
) -> RequirementRow:
    name = requirement["id"]
    mine = tuple(body for body in judgements if body["requirement"] == name)
    planned = [test for test in tests if name in test.by_requirement]
    named = {test.test for test in planned}
    strays = [Verdict(body["verdict"]) for body in mine if body["test"] not in named]
    # A judgement by a test that was not planned for it, as of the bench ceiling, only worsens.
    verdict = worst([worst(test.by_requirement[name] for test in planned), *strays])
    decisive = min(mine, key=severity, default=None)
    passes = sum(body["verdict"] == Verdict.PASS.value for body in mine)
    remark = _remark(name, verdict, decisive, planned, passes)
    if decisive and decisive["test"] in repeats and verdict is not Verdict.PASS:
        remark += f"; data/config/{repeats[decisive['test']]} repeats the smallest example"
    return RequirementRow(
        requirement,
        verdict,
        mine,
        decisive,
        tuple(test.test for test in planned),
        remark,
    )


def severity(body: JudgementBody) -> tuple[int, float]:
    """Sort key of judgements: the worst verdict first, among equals the smallest margin."""
    margin = float(body["margin"]) if body["margin"] is not None else 0.0
    return _ORDER.index(Verdict(body["verdict"])), margin


def _in_each(decisive: JudgementBody, judged: int) -> str:
    """Remark on a yes or no that holds each time: none of the times decides more than another."""
    measured = decisive["measured"]
    passed = decisive["verdict"] == Verdict.PASS.value
    if judged < _SEVERAL or not passed or measured is None or measured["unit"] != _TRUTH:
        return ""
    also = decisive["reason"].removeprefix(measured["note"])
    return f"{IN_EACH} {judged} cases{also if also.startswith('; ') else ''}"


def _remark(
    name: str,
    verdict: Verdict,
    decisive: JudgementBody | None,
    planned: list[TestRow],
    judged: int,
) -> str:
    if decisive is not None and Verdict(decisive["verdict"]) is verdict:
        return _in_each(decisive, judged) or decisive["reason"]
    if not planned:
        return "no test was collected for it"
    culprits = [test for test in planned if test.by_requirement[name] is verdict]
    first = culprits[0]
    if not first.outcome:
        return f"{first.test} {_lack(first)}"
    return f"{first.test}: {_lack(first) or 'ended without judging it'}"


def _outcome(
    rows: tuple[RequirementRow, ...], tests: tuple[TestRow, ...], records: list[Record]
) -> tuple[ExitCode, list[str]]:
    unsafe = _unconfirmed(records)
    if unsafe and replayed_from(records):
        first = unsafe[0].split("; ")[0]
        return ExitCode.OTHER_VERDICT, [f"off is not shown by what was replayed: {first}"]
    if unsafe:
        return ExitCode.UNSAFE, [f"SAFE STATE UNCONFIRMED: {why}" for why in unsafe]
    refused = [body["cause"] for body in _bodies(records, "refused")]
    if refused:
        return ExitCode.USAGE, refused
    causes = [_aborted(body["cause"]) for body in _bodies(records, "abort")]
    causes += [f"aborted: the sentinel tripped: {trip['cause']}" for trip in _trips(records)]
    if causes:
        causes += [_reason(row) for row in rows if row.verdict is Verdict.FAIL]
        armed = any(record.kind == "armed" for record in records)
        causes += _interrupted_flights(records)
        causes.append("off was confirmed" if armed else "the device's output was not energised")
        aborted = _energised(records) or bool(_interrupted_flights(records))
        return ExitCode.ABORTED_OFF if aborted else ExitCode.BENCH_BEFORE_OUTPUT, causes
    code = exit_code(
        {row.requirement["id"]: row.verdict for row in rows},
        {r.requirement["id"]: r.requirement["subject"] for r in rows if r.requirement["mandatory"]},
    )
    ends: list[EndBody] = _bodies(records, "end")
    grave = [] if ends else ["the runner did not end by itself"]
    grave += _unwatched(records)
    grave += [f"could not be collected: {error}" for error in _listed(records, "errors")]
    grave += _unshown(tests)
    reasons = [*grave, *(_reason(row) for row in rows if row.verdict is not Verdict.PASS)]
    stopped = [end["pytest_exit"] for end in ends if end["pytest_exit"] != 0]
    if not reasons:
        reasons = [f"pytest ended with exit code {exit_}" for exit_ in stopped]
    if (grave or stopped) and code is ExitCode.COMPLIES:
        code = ExitCode.OTHER_VERDICT
    if code is not ExitCode.COMPLIES and not reasons:
        reasons = ["no mandatory requirement was shown"]
    return code, [] if code is ExitCode.COMPLIES else reasons


def _aborted(cause: str) -> str:
    """Words for why a run ended early: a signal is somebody's wish."""
    who = cause.removeprefix("signal ")
    return f"aborted: {cause}" if who == cause else f"aborted by {who}"


def _interrupted_flights(records: list[Record]) -> list[str]:
    names = {"preflight": "pre-flight", "postflight": "post-flight"}
    return [
        f"{names[record.kind]} interrupted"
        for record in records
        if record.kind in names and record.body.get("interrupted")
    ]


def _energised(records: list[Record]) -> bool:
    """Whether the output was energised beyond the probe arm of a pre-flight that then failed.

    A probe arm that was interrupted, that broke off while the device was on, or that showed the
    device to break a requirement, is no such refusal.
    """
    if any(record.kind == "armed" and record.body.get("test") != PROBE for record in records):
        return True
    accused = any(r.kind == "judgement" and r.body["test"] == PROBE for r in records)
    refused = any(
        record.kind == "preflight"
        and "probe" in record.body
        and not record.body["passed"]
        and not record.body["probe"]["broke_off"]
        for record in records
    )
    return (accused or not refused) and any(
        record.kind == "armed" or record.body.get("energised") for record in records
    )


def _reason(row: RequirementRow) -> str:
    return f"{row.requirement['id']} {row.verdict.value}: {row.remark}"


def _unshown(tests: tuple[TestRow, ...]) -> list[str]:
    """Tests that are no success, though none of their requirements says so: most judge none."""
    return [
        f"{test.test} {test.verdict.value}: {_lack(test) or 'it judges no requirement'}"
        for test in tests
        if test.verdict not in _TOLERATED and _TOLERATED.issuperset(test.by_requirement.values())
    ]


def _lack(test: TestRow) -> str:
    """What pytest saw to be wrong with a test; empty if nothing."""
    if not test.outcome:
        never = f"never {'ended' if test.begun else 'started'}"
        return f"{never}: {test.detail}" if test.detail else never
    return test.detail.partition("\n")[0]


def _causes(records: list[Record]) -> list[str]:
    """Why tests were not run to their end: the first unconfirmed off, or what aborted the run."""
    unsafe = [f"SAFE STATE UNCONFIRMED: {why}" for why in _unconfirmed(records)]
    return [*unsafe, *(_aborted(body["cause"]) for body in _bodies(records, "abort"))]


def _offs(records: list[Record]) -> list[Off]:
    """Every place of the journal that should show off; an arming without one counts as well."""
    found = []
    armed = False
    for record in records:
        body = record.body
        if record.kind == "armed":
            if armed:
                found.append(_lost("the bench was armed again before off was proven"))
            armed = True
        elif record.kind == "safe_state":
            armed = False
            found.append(
                Off(
                    "runner",
                    confirmed=body["confirmed"],
                    reason=body["reason"] or ("" if body["confirmed"] else _NO_REASON),
                    device_off=body["device_off"],
                    path_open=body["path_open"],
                    by_supply=body.get("by_supply", False),
                )
            )
        elif record.kind == "sentinel":
            trips = _trips([record])
            armed = armed and not trips
            found += [_of_trip(trip) for trip in trips]
        elif record.kind == "abort":
            armed = armed and not body["off_confirmed"]
            if body["energised"] and not body["off_confirmed"]:
                found.append(_lost(f"aborted: {body['cause']}"))
    if armed:
        found.append(_lost("the bench was armed and off was never proven: the runner was lost"))
    return found


def _of_trip(trip: TripBody) -> Off:
    why = trip["reason"] or ("" if trip["confirmed"] else _NO_REASON)
    said = f"the sentinel tripped ({trip['cause']})"
    return Off("sentinel", confirmed=trip["confirmed"], reason=f"{said}: {why}" if why else said)


def _lost(reason: str) -> Off:
    return Off("nobody", confirmed=False, reason=reason)


def _unconfirmed(records: list[Record]) -> list[str]:
    """Why off is not proven: at any end, or because an arming has none."""
    return [off.reason for off in _offs(records) if not off.confirmed]


def _unwatched(records: Iterable[Record]) -> list[str]:
    """What is wrong with the sentinel's own record: nobody knows for how long it watched."""
    bodies: list[SentinelBody] = _bodies(records, "sentinel")
    return [
        f"the sentinel did not end by itself{body['broken'] and ': ' + body['broken']}"
        for body in bodies
        if body["broken"] or not body["ended"]
    ]


def _trips(records: Iterable[Record]) -> list[TripBody]:
    bodies: list[SentinelBody] = _bodies(records, "sentinel")
    return [trip for body in bodies for trip in body["trips"]]


def _held_to_provenance(
    run: RunBody, provenance: Provenance, code: ExitCode, reasons: list[str]
) -> tuple[ExitCode, list[str]]:
    """Where hardware was required, a run that has not earned it complies with nothing."""
    required = run.get("required", "")
    if not required or provenance.word == required:
        return code, reasons
    if code not in {ExitCode.COMPLIES, ExitCode.OTHER_VERDICT}:
        return code, reasons
    why = f"{required} was required, this run is {provenance.word}: {provenance.reason}"
    return ExitCode.OTHER_VERDICT, [why, *reasons]
