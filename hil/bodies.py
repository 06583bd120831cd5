"""What records say: the body of each kind, and how requirements and judgements are written.

Reports are made from these bodies alone. Numbers that decide are decimal text in SI.
"""

from __future__ import annotations

import math
from typing import Any, NotRequired, TypedDict

from hil.decision import Judgement
from hil.measurement import Measurement
from hil.requirement import Requirement

SCHEMA = 2
"""Version of the record bodies."""


class FirmwareBody(TypedDict):
    """A build of firmware that ran in the simulated device."""

    name: str
    sha256: str


class RunBody(TypedDict):
    """Kind `run`: the first record."""

    schema: int
    run_id: str
    version: str
    python: str
    platform: str
    seed: int
    provenance: str  # SIMULATED or HARDWARE
    provenance_reason: str
    firmware: FirmwareBody | None  # in the simulated device; None is the reference firmware
    faults: list[str]  # seeded in the simulated device
    suites: list[str]  # asked for; empty means all
    depth: str  # of the grids: smoke, standard or deep
    partial: str  # why the scope is partial; empty if it is not
    lease: str  # who keeps the cut-off's lease, in words
    pytest_args: list[str]


class RequirementBody(TypedDict):
    """A requirement as judged; `limit` is its text."""

    id: str
    subject: str
    title: str
    text: str
    dimension: str
    limit: str
    limit_kind: str
    clause: str
    source: str
    status: str
    claim: str
    rule: str
    mandatory: bool
    hazard: str
    control: str
    roles: list[str]


class DocumentBody(TypedDict):
    """A configuration file, in full."""

    name: str
    sha256: str
    text: str


class PlanBody(TypedDict):
    """Kind `plan`: the scope, journaled before collection."""

    device: DocumentBody
    bench: DocumentBody
    manufacturer: str
    model: str
    device_class: str
    bench_name: str
    wiring: dict[str, str]
    figures: list[dict[str, str]]  # name, value, source, why, status
    requirements: list[RequirementBody]


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
    driver: str
    manufacturer: str
    model: str
    serial: str
    firmware: str
    certificate: str
    due: str
    calibration: str


class TestBody(TypedDict):
    """Kind `test_begin`."""

    test: str


class TestEndBody(TypedDict):
    """Kind `test_end`: outcome passed, failed, error or skipped, as pytest saw it."""

    test: str
    outcome: str
    detail: str
    seconds: float


class CaptureBody(TypedDict):
    """One capture of a record; `dataset` names its file, data/captures/<dataset>.h5."""

    channel: str
    sha256: str
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


class SafeStateBody(TypedDict):
    """Kind `safe_state`: both proofs of off."""

    confirmed: bool
    device_off: str
    path_open: str
    reason: str


class MeasuredBody(TypedDict):
    """A Measurement; numbers are decimal text in SI."""

    value: str
    unit: str
    expanded: str
    components: list[dict[str, Any]]  # id, u, sensitivity, dof (null for infinite)
    instruments: list[str]
    calibration: str
    captures: list[str]
    raw: str | None
    censored: bool
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
    lower: str | None
    upper: str | None
    guard: str
    margin: str | None
    conformance: float | None
    record: NotRequired[str]


class AbortBody(TypedDict):
    """Kind `abort`: why the run ended early, and whether off was confirmed."""

    cause: str
    energised: bool
    off_confirmed: bool


class EndBody(TypedDict):
    """Kind `end`: the last record of a run that ended by itself."""

    pytest_exit: int
    seconds: float


def requirement_body(requirement: Requirement) -> RequirementBody:
    """Write a requirement in full, so that a report never needs the catalogue."""
    return {
        "id": requirement.id,
        "subject": requirement.subject,
        "title": requirement.title,
        "text": requirement.text,
        "dimension": requirement.dimension.value,
        "limit": str(requirement.limit),
        "limit_kind": requirement.limit.kind.value,
        "clause": requirement.clause,
        "source": requirement.source,
        "status": requirement.status.value,
        "claim": requirement.status.claim,
        "rule": requirement.rule.value,
        "mandatory": requirement.mandatory,
        "hazard": requirement.hazard,
        "control": requirement.control,
        "roles": list(requirement.roles),
    }


def judgement_body(test: str, judgement: Judgement, record: str = "") -> JudgementBody:
    """Write a judgement with all that is needed to repeat it."""

    def text(value: object) -> str | None:
        return None if value is None else str(value)

    body: JudgementBody = {
        "test": test,
        "requirement": judgement.requirement,
        "verdict": judgement.verdict.value,
        "reason": judgement.reason,
        "measured": measured_body(judgement.measured) if judgement.measured else None,
        "at": text(judgement.at),
        "lower": text(judgement.lower),
        "upper": text(judgement.upper),
        "guard": str(judgement.guard),
        "margin": text(judgement.margin),
        "conformance": judgement.conformance,
    }
    if record:
        body["record"] = record
    return body


def measured_body(measured: Measurement) -> MeasuredBody:
    """Write a measurement with its budget."""
    return {
        "value": str(measured.value),
        "unit": measured.dimension.value,
        "expanded": str(measured.expanded),
        "components": [
            {
                "id": part.id,
                "u": _number(part.u),
                "sensitivity": _number(part.sensitivity),
                "dof": part.dof if math.isfinite(part.dof) else None,
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


def _number(value: float) -> float | str:
    """A float that JSON carries; NaN and infinities, as after an overload, become text."""
    return value if math.isfinite(value) else str(value)
