"""The journal: what happened, in order, each record chained to the one before it by its hash.

A record is one line of canonical JSON: `n`, `kind`, `utc`, `bench` (bench time in s or null),
`body`, `prev` (hash of the record before, of the first one 64 zeros) and `hash`. The bodies are the
TypedDicts below; reports are made from them alone.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, NotRequired, TypedDict

from hil.decision import Judgement
from hil.errors import UsageError
from hil.exact import Exact
from hil.measurement import Measurement
from hil.requirement import Requirement

GENESIS = "0" * 64
"""`prev` of the first record."""
SCHEMA = 1
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


@dataclass(frozen=True, slots=True)
class Record:
    """One line of the journal."""

    n: int
    kind: str
    utc: str
    bench: float | None
    body: Mapping[str, Any]
    prev: str
    hash: str

    @property
    def line(self) -> str:
        """Canonical JSON with the hash, without a line end."""
        return _canonical(
            {
                "n": self.n,
                "kind": self.kind,
                "utc": self.utc,
                "bench": self.bench,
                "body": self.body,
                "prev": self.prev,
                "hash": self.hash,
            }
        )


@dataclass
class Chain:
    """Makes records; knows the last hash and number, nothing else."""

    prev: str = GENESIS
    n: int = 0

    def append(
        self, kind: str, body: Mapping[str, Any], *, utc: datetime, bench: float | None
    ) -> Record:
        """Make the next record; raises UsageError if the body holds what JSON cannot carry."""
        if utc.tzinfo is None:
            raise UsageError(f"{utc} has no time zone; a record carries UTC")
        head = {
            "n": self.n,
            "kind": kind,
            "utc": utc.astimezone(UTC).isoformat(timespec="milliseconds"),
            "bench": None if bench is None else plain(round(bench, 6)),
            "body": plain(body),
            "prev": self.prev,
        }
        digest = hashlib.sha256(_canonical(head).encode()).hexdigest()
        self.prev, self.n = digest, self.n + 1
        return Record(**head, hash=digest)


class ChainBroken(UsageError):
    """A journal does not hang together: a record was changed, lost or added."""


def read(lines: Iterable[str]) -> Iterator[Record]:
    """Parse and verify a journal.

    A last line without its end is the mark of a killed writer and is left out by the caller.

    Raises:
        ChainBroken: names the first record that does not fit.
    """
    prev = GENESIS
    for n, line in enumerate(lines):
        try:
            raw = json.loads(line)
            record = Record(**raw)
            body = {key: value for key, value in raw.items() if key != "hash"}
            digest = hashlib.sha256(_canonical(body).encode()).hexdigest()
            # The text itself, too: a repeated key or 1E-5 for 1e-5 parses to the same record.
            same = line.removesuffix("\n") == record.line
        except (ValueError, TypeError, RecursionError) as err:
            raise ChainBroken(f"record {n} cannot be read: {err}") from err
        if not same or record.n != n or record.prev != prev or record.hash != digest:
            raise ChainBroken(f"record {n} ({record.kind}) does not follow from record {n - 1}")
        prev = digest
        yield record


def plain(value: Any) -> Any:  # noqa: ANN401  # a tree of JSON values
    """Turn a body into what JSON carries: Decimal and Exact as text, enums as their value.

    Raises:
        UsageError: for a NaN or infinite float, or for a type that has no form here.
    """
    if isinstance(value, Mapping):
        return {plain(str(key)): plain(entry) for key, entry in value.items()}
    if isinstance(value, (set, frozenset)):
        return sorted((plain(entry) for entry in value), key=repr)
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (Decimal, Exact)):
        return str(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise UsageError(f"{value} has no place in a record; write it as text")
    if isinstance(value, str):
        return value.encode(
            errors="backslashreplace"
        ).decode()  # half a surrogate pair has no UTF-8
    if value is None or isinstance(value, (int, float, bool)):
        return value
    raise UsageError(f"a {type(value).__name__} has no form in a record")


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
    }


def _number(value: float) -> float | str:
    """A float that JSON carries; NaN and infinities, as after an overload, become text."""
    return value if math.isfinite(value) else str(value)


def _canonical(value: object) -> str:
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
