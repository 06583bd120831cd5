"""What records say: the body of each kind, and how requirements and judgements are written.

Reports are made from these bodies alone. Numbers that decide are decimal text in SI.
"""

from __future__ import annotations

import hashlib
import json
import math
from decimal import Decimal
from typing import Any, NotRequired, TypedDict

from hil.applicability import Applicability
from hil.decision import Judgement
from hil.depth import Depth
from hil.errors import UsageError
from hil.exact import Dimension, Exact
from hil.mask import Mask
from hil.measurement import Calibration, Component, Measurement, Shape
from hil.requirement import Kind, Knowledge, Limit, Measurand, Requirement, Severity
from hil.rule import Rule

SCHEMA = 2
"""Version of the record bodies."""


class FirmwareBody(TypedDict):
    """A build of firmware that ran in the simulated device."""

    name: str
    sha256: str


class SoftwareBody(TypedDict):
    """What judged: packages with their versions, and our own source as it was run."""

    packages: dict[str, str]
    sha256: str  # over all installed source files of ours; two checkouts of one version differ


class PreviousBody(TypedDict):
    """The run before, as the register has it."""

    run_id: str
    head: str  # of its journal; empty if it was not closed


class EntryBody(TypedDict):
    """A run's place in its register."""

    number: int  # 1 for the first run, whatever its bench and device
    entry: str  # hash of the opening entry
    previous: PreviousBody | None


class EstimateBody(TypedDict):
    """What a run will take, as its rehearsal on the simulated bench had it."""

    tests: int
    bench_seconds: float
    verdict: str  # worst of the rehearsal, on a healthy device of this profile


class RunBody(TypedDict):
    """Kind `run`: the first record."""

    schema: int
    run_id: str
    version: str
    python: str
    platform: str
    seed: int
    real: bool  # whether the resources of the bench file are real ones
    expected: str  # SIMULATED, or HARDWARE if it is possible: what was earned, hil.provenance says
    expected_reason: str
    required: str  # provenance that was asked for; empty if any will do
    operator: str  # as told, or the login name
    software: SoftwareBody
    register: EntryBody
    firmware: FirmwareBody | None  # in the simulated device; None is the reference firmware
    faults: list[str]  # seeded in the simulated bench
    fault_titles: NotRequired[dict[str, str]]  # of each, as the catalogue has it
    suites: list[str]  # asked for; empty means all
    depth: str  # of the grids: smoke, standard or full
    examples: int  # of each property
    partial: str  # why the scope is partial; empty if it is not
    lease: str  # who keeps the cut-off's lease, in words
    pytest_args: list[str]
    estimate: EstimateBody | None  # None: it was not rehearsed
    replayed: NotRequired[ReplayedBody | None]  # whose transcript answered for the instruments


class ReplayedBody(TypedDict):
    """The run whose transcript answered in the place of instruments."""

    run_id: str
    head: str  # hash of the last record of its journal
    real: bool  # whether the resources of its bench file are real ones
    begun: str  # UTC of its first record
    ended: str  # UTC of its last record


class LimitBody(TypedDict):
    """A limit in parts, from which it is rebuilt; quantities as text with their unit."""

    kind: str
    figure: str | None
    relative: str | None  # decimal text, a fraction
    lower: str | None
    upper: str | None
    mask: list[dict[str, str | None]] | None  # time, lower and upper of each point
    undeclared: list[str]  # figures that it would take and the device file lacks; none has parts


class ApplicabilityBody(TypedDict):
    """What the rule of a requirement makes of the device."""

    removes: bool  # whether it is NOT_APPLICABLE
    reason: str


class RequirementBody(TypedDict):
    """A requirement as judged; `limit` is its text."""

    id: str
    subject: str
    title: str
    text: str
    dimension: str
    limit: str
    limit_parts: LimitBody
    clause: str
    source: str
    status: str
    claim: str
    rule: str  # as a catalogue gives it: guarded, simple, guard factor 0.83, method 6
    rule_text: str  # in words, with its formula
    mandatory: bool
    hazard: str
    control: str
    roles: list[str]
    measures: NotRequired[str]  # what is taken of a record; absent where its usual one is
    depth: NotRequired[str]  # from which a run looks at it; absent where every run does
    method: str  # how it is shown; empty if not said
    unprovoked: NotRequired[str]  # what nothing on a bench makes happen; absent where it is done
    severity: str  # of the harm: minor, serious, critical; empty if not said
    applicability: ApplicabilityBody | None  # of this device; None if it applies to every one


class DocumentBody(TypedDict):
    """A configuration file, in full."""

    name: str
    sha256: str
    text: str


class FeasibilityBody(TypedDict):
    """A row of the feasibility table: one requirement by one signal path in one range."""

    requirement: str
    measurand: str
    role: str  # of the instrument; empty where no path shows it, or none is needed
    instrument: str
    range: str
    judges: bool  # whether the suites judge by this row
    at: str  # value to which the limit relates; empty if it relates to none
    unit: str  # of u and room, SI
    u: float | None  # expanded uncertainty at the limit, k = 2; null where it is not foreseen
    room: float | None  # what U must not exceed: from what a healthy device may show to the limit
    bandwidth: float | None  # Hz
    excursion: float | None  # shortest one in s that is seen whole; null where none is looked for
    decidable: bool | None  # null where it shows only once the instrument answers
    cause: str  # why not: figure, path, uncertainty, in part (at some settings), rate; else empty
    reason: str  # in words, with what would decide it


class PlanBody(TypedDict):
    """Kind `plan`: the scope, journaled before collection."""

    device: DocumentBody
    bench: DocumentBody
    manufacturer: str
    model: str
    device_class: str
    bench_name: str
    wiring: dict[str, str]
    catalogues: list[DocumentBody]  # from which the requirements were read
    figures: list[dict[str, str]]  # name, value, source, why, status
    requirements: list[RequirementBody]
    scenario: NotRequired[DocumentBody]  # the one example that is repeated, where it is one
    standing: NotRequired[list[RequirementBody]]  # out of scope; counted where a pre-flight sees a
    # breach of it
    feasibility: NotRequired[list[FeasibilityBody]]  # absent where no bench was asked
    hazards: NotRequired[list[str]]  # that catalogues list, each to be named by a requirement


class EarlierBody(TypedDict):
    """An earlier run, as it stood when this one began."""

    number: int  # 0 if the register does not know it
    run_id: str
    bench: str
    opened: str  # UTC
    operator: str
    serial: str  # of the device; empty if it was never identified
    firmware: str
    provenance: str  # as earned; empty if it was never closed
    verdict: str  # empty if it was never closed
    code: int | None
    state: str  # as registered, not closed, changed, missing or not registered
    head: str  # as registered; empty if it was never closed


class AskedBody(TypedDict):
    """What a requirement asked for when an earlier run judged it last."""

    run_id: str
    sha256: str  # as `asked_sha256` has it


class RegisterBody(TypedDict):
    """Kind `register`: earlier runs of this device model, on whatever bench."""

    number: int
    bench: str
    earlier: list[EarlierBody]  # the newest, and whatever is not as registered
    older: dict[str, int]  # verdict to number of older runs, each as registered
    first: str  # hash of the register's first entry, which names it
    remembered: int  # entries of it that this machine knew of; 0 if it did not know the register
    others: int  # registers that stood in the same folder before, as this machine remembers
    behind: float  # seconds by which the clock was before an earlier entry; 0 if it was not
    signers: dict[str, int]  # fingerprint to number of earlier entries; empty for unsigned ones
    asked: NotRequired[dict[str, AskedBody]]  # by id: requirements of earlier runs, each as it was
    # last judged, back to the newest run of the whole scope


class ItemBody(TypedDict):
    """One collected test."""

    test: str  # module:function[parameters]
    requirements: list[str]
    doc: str


class CollectedBody(TypedDict):
    """Kind `collected`."""

    items: list[ItemBody]
    plugins: list[str]
    errors: list[str]


class InstrumentBody(TypedDict):
    """Kind `instrument`: one identified instrument."""

    role: str
    resource: str
    interface: str  # of the resource name, as TCPIP
    ends: str  # what it led to: addresses of its host, or device of its serial line
    doubt: str  # why that is no instrument of its own; empty if nothing speaks against it
    driver: str
    manufacturer: str
    model: str
    serial: str
    named: str  # serial number that the bench file gives; empty accepts any
    firmware: str
    certificate: str
    calibrated: str  # day of the calibration; empty if none is known
    due: str
    calibration: str
    until: NotRequired[str]  # last day for which a meter's limits of error hold; empty likewise
    air: NotRequired[list[float]]  # coldest and warmest in degC that a meter's budgets count


class TestBody(TypedDict):
    """Kind `test_begin`."""

    test: str


class TestEndBody(TypedDict):
    """Kind `test_end`: outcome passed, failed, error, skipped or interrupted, as pytest saw it."""

    test: str
    outcome: str
    detail: str
    seconds: float
    judgements: int  # that were made in it: one that is missing is noticed


class CaptureBody(TypedDict):
    """One capture of a record; `dataset` names its file, data/captures/<dataset>.h5."""

    channel: str
    sha256: str  # of what it holds: `Capture.sha256`
    file_sha256: str  # of the file
    dataset: str
    count: int
    start: float
    start_u: float
    interval: float
    unit: str
    serial: str
    gaps: list[list[int]]


class EventBody(TypedDict):
    """A moment of a record."""

    name: str
    time: float
    u: float


class RecordBody(TypedDict):
    """Kind `record`: one scenario that was run."""

    record: str  # id, the first 12 digits of a hash over scenario and seed
    test: str
    scenario: dict[str, Any]
    captures: list[CaptureBody]
    events: list[EventBody]
    phases: dict[str, list[list[float]]]
    claimed_charge: str
    dispute: NotRequired[str]  # how two paths disagree; absent or empty if they do not
    states: list[list[Any]]  # bench time, state


class RecalledBody(TypedDict):
    """Kind `recalled`: a test was given a record that an earlier one had made."""

    record: str
    test: str


class StimulusBody(TypedDict):
    """Kind `stimulus`: a command that changes the output, before it reaches the wire."""

    role: str  # of the instrument that carries it out
    command: str
    value: str  # what was asked for; empty if the command says all
    transcript: int  # byte of the transcript at which it begins


class ReadingBody(TypedDict):
    """Kind `reading`: a single reading that a verdict or a proof of off rests on."""

    quantity: str  # what was read, and when
    role: str
    serial: str
    value: str  # decimal text, or what the instrument said
    unit: str  # SI, or empty
    transcript: int  # byte of the transcript at which its exchange begins


class PromptBody(TypedDict):
    """Kind `prompt`: what an operator was asked, once it was answered or taken away."""

    to: str  # what it was about
    text: str
    asked: float  # bench time in s
    answered: float  # bench time in s, or when it was taken away
    answer: str  # empty if none came
    ended: str  # why it was taken away; empty if it was answered


class AmbientBody(TypedDict):
    """Kind `ambient`: temperature of the air at the bench, at begin or end of a run."""

    when: str  # begin or end
    celsius: str  # decimal text; empty if it was not recorded
    limits: str  # of the error, +/-, in K; empty likewise
    by: str  # simulated, or told by an operator; empty likewise
    reason: str  # why it was not recorded; empty if it was
    counted: list[float]  # coldest and warmest in degC that budgets count from the begin; or none
    basis: str  # thermometer, or bench file; empty where nothing is counted


class RefusalBody(TypedDict):
    """Kind `refusal`: a command or a wait that the envelope did not hold; nothing was sent."""

    who: str  # test that ran, or that none did
    command: str
    asked: str
    reason: str  # what is allowed
    spent: str  # of the envelope, until then


class AttestationBody(TypedDict):
    """Kind `attestation`: who stated before the run that nobody is connected."""

    name: str
    statement: str


class CheckBody(TypedDict):
    """One proof of a pre-flight."""

    check: str
    expected: str
    measured: str
    passed: bool
    remark: str  # what is wrong and which wire to look at; empty if it passed
    requirement: NotRequired[str]  # what the device breaks by it; absent if it is no fault of it


class ProbeBody(TypedDict):
    """What stage B of a pre-flight rests on: the device at its smallest setting."""

    setting: str
    load: str  # position; empty if the bench has none for it
    record: str  # of the probe arm; empty if it left none
    broke_off: bool  # after the device was told to start, and before it was off as planned
    detects: str  # smallest disagreement that the two paths show; empty if nothing was compared
    paths: str  # whether the two paths are independent, and why


class FlightBody(TypedDict):
    """Kinds `preflight` and `postflight`: whether the bench is wired as its file says."""

    wiring: str  # SHA-256 of what the bench file says of it
    checks: list[CheckBody]
    missing: list[str]  # proofs that this bench cannot give
    monitor: str  # smallest excursion that the monitor was shown and saw; empty if none was
    passed: bool  # whether the bench may be believed; a device that breaks a requirement is no bar
    probe: NotRequired[ProbeBody]  # of stage B; absent in stage A and in a post-flight
    interrupted: NotRequired[str]  # signal that ended it before its end


class BudgetBody(TypedDict):
    """Kind `budget`: the hazard budget of a property was spent before all its examples had run."""

    test: str
    reason: str
    short: bool  # whether it has shown too little: its requirements are then INCONCLUSIVE


class RangeBody(TypedDict):
    """What was drawn of one quantity; in SI."""

    name: str
    unit: str
    count: int
    least: float
    most: float


class WorstBody(TypedDict):
    """The example of a property that came nearest to a limit."""

    requirement: str
    margin: str  # decimal text in SI, negative outside the limit
    unit: str
    example: str  # what was drawn, in words


class CoveredBody(TypedDict):
    """What the examples of a property covered."""

    examples: int  # that were judged
    ranges: list[RangeBody]
    words: dict[str, dict[str, int]]  # what was drawn of words, and how often
    points: list[list[float | None]]  # values of the ranges, for each of the first examples
    worst: list[WorstBody]  # one for each requirement that compares a value


class PropertyBody(TypedDict):
    """Kind `property`: what a property has shown, whether it passed or not."""

    test: str
    seed: int  # of Hypothesis, derived from that of the run
    asked: int  # examples that the depth asks for
    shrinking: int  # examples after the first that did not pass, in search of a smaller one
    given_back: NotRequired[int]  # broken off while they were drawn, the device energised or not
    covered: CoveredBody  # by the examples up to the first that did not pass
    failed: str  # the smallest example that did not pass, in words; empty if each passed
    scenario: str  # name of the document that repeats it; empty if each passed, or none can
    lack: str  # why none can; empty if one does


class SafeStateBody(TypedDict):
    """Kind `safe_state`: both proofs of off."""

    confirmed: bool
    device_off: str
    path_open: str
    reason: str
    by_supply: NotRequired[bool]  # whether the device was seen on, and off without its supply alone


class ComponentBody(TypedDict):
    """One cause of uncertainty; a number that is not finite is text."""

    id: str
    u: float | str
    sensitivity: float | str
    dof: float | None  # None for infinite
    divisor: float | str  # of the figure that u was made of
    shape: str  # normal or rectangular
    source: str  # of that figure


class MeasuredBody(TypedDict):
    """A Measurement; numbers are decimal text in SI."""

    value: str
    unit: str
    expanded: str
    components: list[ComponentBody]
    instruments: list[str]
    calibration: str
    captures: list[str]
    raw: str | None
    censored: bool
    excursion: NotRequired[
        float
    ]  # shortest one in s that shows whole; absent of what is no extreme
    note: str
    derivation: dict[str, Any] | None  # see hil.derivation; None for what is no raw data


class JudgementBody(TypedDict):
    """Kind `judgement`."""

    test: str
    requirement: str
    verdict: str
    reason: str
    measured: MeasuredBody | None
    at: str | None
    at_origin: NotRequired[str]  # product of figures of the device that `at` is, if it is one
    lower: str | None
    upper: str | None
    rule: str  # empty if nothing was compared
    guard: str
    accept_lower: str | None
    accept_upper: str | None
    margin: str | None
    conformance: float | None
    false_accept: float | None  # of a value that was accepted
    worst_false_accept: float | None  # of a value at the acceptance limit
    tur: float | None  # of a two-sided limit
    share: float | None  # U / |limit| of a one-sided one
    warning: str
    record: NotRequired[str]


class RemeasuredBody(TypedDict):
    """Kind `remeasured`: every judgement judged again from its captures, before the seal."""

    judgements: int  # all of them; each is one of the five below
    identical: int  # measured again, the same to the last digit
    drifted: int  # measured again, only last digits differ
    stated: int  # counts, truths and what was never measured: nothing to measure again
    unshown: list[tuple[int, str]]  # record and why: a PASS by a feature that is not known there
    unfounded: list[tuple[int, str]]  # record and why: it does not follow from its captures


class CheckpointBody(TypedDict):
    """Kind `checkpoint`: the hash of the record before it, signed; both in base64."""

    public_key: str  # DER SubjectPublicKeyInfo
    signature: str  # ed25519


class AbortBody(TypedDict):
    """Kind `abort`: why the run ended early, and whether off was confirmed."""

    cause: str
    energised: bool
    off_confirmed: bool


class TripBody(TypedDict):
    """One trip of the sentinel."""

    cause: str
    opened_after: float  # wall s from what was noticed to the command on its way
    confirmed: bool  # whether it proved off, with sessions of its own
    reason: str  # what is missing from the proof; empty if nothing is


class SentinelBody(TypedDict):
    """Kind `sentinel`: what the sentinel's own record amounts to; none where none stood by."""

    file: str  # beside the journal
    sha256: str  # of the whole file
    records: int
    head: str  # hash of the last one
    ended: bool  # whether it ended by itself
    broken: str  # why its chain cannot be followed; empty if it can
    trips: list[TripBody]


class EndBody(TypedDict):
    """Kind `end`: the last record of a run that ended by itself."""

    pytest_exit: int
    seconds: float


def requirement_body(requirement: Requirement) -> RequirementBody:
    """Write a requirement in full, so that a report never needs the catalogue."""
    body: RequirementBody = {
        "id": requirement.id,
        "subject": requirement.subject,
        "title": requirement.title,
        "text": requirement.text,
        "dimension": requirement.dimension.value,
        "limit": str(requirement.limit),
        "limit_parts": _limit_body(requirement.limit),
        "clause": requirement.clause,
        "source": requirement.source,
        "status": requirement.status.value,
        "claim": requirement.status.claim,
        "rule": str(requirement.rule),
        "rule_text": requirement.decides,
        "mandatory": requirement.mandatory,
        "hazard": requirement.hazard,
        "control": requirement.control,
        "roles": list(requirement.roles),
        "method": requirement.method,
        "severity": requirement.severity.value if requirement.severity else "",
        "applicability": _applicability_body(requirement.applicability),
    }
    if requirement.measures is not None:
        body["measures"] = requirement.measures.value
    if requirement.depth is not Depth.SMOKE:
        body["depth"] = requirement.depth.value
    if requirement.unprovoked:
        body["unprovoked"] = requirement.unprovoked
    return body


def asked_sha256(body: RequirementBody) -> str:
    """Hash of what a requirement asks for: its sentence, limit, rule, and whether it must hold."""
    asked = [
        body["text"],
        body["dimension"],
        body["limit"],
        body["rule"],
        body["mandatory"],
        body.get("measures", ""),
    ]
    return hashlib.sha256(json.dumps(asked).encode()).hexdigest()


def _applicability_body(found: Applicability | None) -> ApplicabilityBody | None:
    return None if found is None else {"removes": found.removes, "reason": found.reason}


def _limit_body(limit: Limit) -> LimitBody:
    return {
        "kind": limit.kind.value,
        "figure": _text(limit.figure),
        "relative": _text(limit.relative),
        "lower": _text(limit.lower),
        "upper": _text(limit.upper),
        "mask": limit.mask.parts if limit.mask else None,
        "undeclared": list(limit.undeclared),
    }


def requirement_of(body: RequirementBody) -> Requirement:
    """Rebuild a requirement from what `requirement_body` wrote.

    Raises:
        UsageError: the body is no requirement: what is missing, or what cannot be read.
    """
    try:
        return Requirement(
            id=body["id"],
            subject=body["subject"],
            title=body["title"],
            text=body["text"],
            limit=_limit_of(body["limit_parts"]),
            dimension=Dimension(body["dimension"]),
            clause=body["clause"],
            source=body["source"],
            status=Knowledge(body["status"]),
            rule=Rule.parse(body["rule"]),
            mandatory=body["mandatory"],
            hazard=body["hazard"],
            control=body["control"],
            roles=tuple(body["roles"]),
            measures=Measurand(body["measures"]) if "measures" in body else None,
            method=body["method"],
            unprovoked=body.get("unprovoked", ""),
            severity=Severity(body["severity"]) if body["severity"] else None,
            applicability=_applicability_of(body["applicability"]),
            depth=Depth(body.get("depth", Depth.SMOKE.value)),
        )
    except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as err:
        why = f"{type(err).__name__}: {err}"
        raise UsageError(f"a record of a requirement cannot be read: {why}; it is {body}") from err


def _applicability_of(body: ApplicabilityBody | None) -> Applicability | None:
    return None if body is None else Applicability(bool(body["removes"]), body["reason"])


def _limit_of(parts: LimitBody) -> Limit:
    relative, mask = parts["relative"], parts["mask"]
    return Limit(
        Kind(parts["kind"]),
        _exact(parts["figure"]),
        None if relative is None else Decimal(relative),
        _exact(parts["lower"]),
        _exact(parts["upper"]),
        None if mask is None else Mask.of(mask),
        tuple(parts["undeclared"]),
    )


def _exact(text: str | None) -> Exact | None:
    return None if text is None else Exact.parse(text)


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def judgement_body(test: str, judgement: Judgement, record: str = "") -> JudgementBody:
    """Write a judgement with all that is needed to repeat it."""
    body: JudgementBody = {
        "test": test,
        "requirement": judgement.requirement,
        "verdict": judgement.verdict.value,
        "reason": judgement.reason,
        "measured": measured_body(judgement.measured) if judgement.measured else None,
        "at": _text(judgement.at),
        "lower": _text(judgement.lower),
        "upper": _text(judgement.upper),
        "rule": judgement.rule,
        "guard": str(judgement.guard),
        "accept_lower": _text(judgement.accept_lower),
        "accept_upper": _text(judgement.accept_upper),
        "margin": _text(judgement.margin),
        "conformance": judgement.conformance,
        "false_accept": judgement.false_accept,
        "worst_false_accept": judgement.worst_false_accept,
        "tur": judgement.tur,
        "share": judgement.share,
        "warning": judgement.warning,
    }
    if origin := getattr(judgement.at, "origin", ""):  # of what was refused, it may be anything
        body["at_origin"] = origin
    if record:
        body["record"] = record
    return body


def measured_body(measured: Measurement) -> MeasuredBody:
    """Write a measurement with its budget."""
    body: MeasuredBody = {
        "value": str(measured.value),
        "unit": measured.dimension.value,
        "expanded": str(measured.expanded),
        "components": [
            {
                "id": part.id,
                "u": _number(part.u),
                "sensitivity": _number(part.sensitivity),
                "dof": part.dof if math.isfinite(part.dof) else None,
                "divisor": _number(part.divisor),
                "shape": part.shape.value,
                "source": part.source,
            }
            for part in measured.components
        ],
        "instruments": list(measured.instruments),
        "calibration": measured.calibration.value,
        "captures": list(measured.captures),
        "raw": None if measured.raw is None else str(measured.raw),
        "censored": measured.censored,
        "note": measured.note,
        "derivation": measured.derivation,
    }
    if measured.excursion is not None:
        body["excursion"] = measured.excursion
    return body


def measured_of(body: MeasuredBody) -> Measurement:
    """Rebuild a measurement from what `measured_body` wrote.

    Raises:
        UsageError: the body is no measurement: what is missing, or what cannot be read.
    """
    try:
        return Measurement(
            value=Decimal(body["value"]),
            dimension=Dimension(body["unit"]),
            components=tuple(
                Component(
                    part["id"],
                    _figure(part["u"]),
                    _figure(part["sensitivity"]),
                    math.inf if part["dof"] is None else _figure(part["dof"]),
                    _figure(part["divisor"]),
                    Shape(part["shape"]),
                    part["source"],
                )
                for part in body["components"]
            ),
            instruments=tuple(body["instruments"]),
            calibration=Calibration(body["calibration"]),
            captures=tuple(body["captures"]),
            raw=None if body["raw"] is None else Decimal(body["raw"]),
            censored=body["censored"],
            excursion=_figure(body["excursion"]) if "excursion" in body else None,
            note=body["note"],
            derivation=body["derivation"],
        )
    except (KeyError, TypeError, ValueError, ArithmeticError) as err:
        why = f"{type(err).__name__}: {err}"
        raise UsageError(f"a record of a measurement cannot be read: {why}; it is {body}") from err


def _number(value: float) -> float | str:
    """A float that JSON carries; NaN and infinities, as after an overload, become text."""
    return value if math.isfinite(value) else str(value)


def _figure(written: object) -> float:
    """What `_number` wrote."""
    if isinstance(written, str):
        return float(written)
    if isinstance(written, (int, float)):
        return written
    raise TypeError(f"{written!r} is no number")
