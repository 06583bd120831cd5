"""A judgement judged again: from its own figures, or from the captures that its value follows from.

`replayed` is cheap and asks only whether a recorded verdict follows from the recorded figures.
`rejudged` measures again what a derivation tells how to measure, and judges that, by the rule and
the limits of the plan or by others. By the same ones the same bytes come out.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import hil.course  # noqa: F401  # it registers what a derivation names
import hil.features  # noqa: F401  # it too
import hil.indication  # noqa: F401  # it too
import hil.resistor  # noqa: F401  # it too
import hil.signs  # noqa: F401  # and it
from hil.bodies import (
    JudgementBody,
    MeasuredBody,
    judgement_body,
    measured_of,
    requirement_body,
)
from hil.decision import Judgement, judge
from hil.derivation import Sources, Tree, Underivable, exact, walked, written
from hil.docket import EXACT, Docket
from hil.errors import UsageError
from hil.exact import Dimension, Exact
from hil.journal import Record, plain
from hil.mask import Mask
from hil.measurement import Measurement
from hil.requirement import Requirement
from hil.verdict import Verdict, worst

LAST_DIGITS = 1e-9
"""A value that changes by less, relatively, changes in its last digits."""
_UNMEASURED = {Verdict.ERROR, Verdict.NOT_EVALUATED, Verdict.NOT_APPLICABLE}
_AS_RECORDED = Sources(lambda sha256: _no_capture(sha256))
_DIGITS = {"value", "expanded", "raw", "u", "sensitivity"}
"""Figures of a measurement."""


def replayed(body: JudgementBody, requirement: Requirement | None) -> Verdict:
    """Return the worse of the recorded verdict and the one that the recorded figures make.

    Args:
        body: the judgement as journaled.
        requirement: its requirement, as planned; None if the plan has none of that name.
    """
    recorded = Verdict(body["verdict"])
    if recorded is Verdict.NOT_APPLICABLE and not (requirement and requirement.inapplicable):
        return Verdict.ERROR
    if recorded in _UNMEASURED:
        return recorded  # nothing was measured, or it could not be used
    if body["measured"] is None:
        return worst([recorded, Verdict.ERROR]) if recorded is Verdict.PASS else recorded
    try:
        if requirement is None:
            return worst([recorded, Verdict.ERROR])
        measured, at = measured_of(body["measured"]), _at(body, _AS_RECORDED)
    except UsageError:
        return worst([recorded, Verdict.ERROR])
    return worst([recorded, judge(requirement, measured, at).verdict])


@dataclass(frozen=True, slots=True)
class Rejudged:
    """A judgement of a journal, and what it is when it is judged again."""

    n: int
    """Number of its record."""
    was: JudgementBody
    """As journaled."""
    now: JudgementBody
    """Judged again; as journaled where that is not possible."""
    stated: str = ""
    """Why the value was taken as it was stated; empty if it was measured again."""
    trouble: str = ""
    """Why it could not be judged again, though it should; empty if it was."""
    drift: float | None = None
    """Relative change of the value or its uncertainty, where only last digits differ: what another
    processor or mathematical library may make of the same samples. None if more differs."""

    @property
    def differs(self) -> bool:
        """Whether anything at all is not as it was, to the last digit."""
        return bool(self.trouble) or _text(self.was) != _text(self.now)

    @property
    def unshown(self) -> bool:
        """Whether it is a PASS of a value with an uncertainty that nobody measured again here."""
        held = self.was["measured"] if self.stated else None
        return (
            held is not None
            and self.was["verdict"] == Verdict.PASS.value
            and Dimension(held["unit"]) not in EXACT
        )


def rejudged(
    journal: Iterable[Record], requirements: Mapping[str, Requirement], sources: Sources
) -> Iterator[Rejudged]:
    """Judge every judgement of a journal again, in order.

    Args:
        journal: all its records.
        requirements: by id, as planned or with other limits or rules.
        sources: gives the captures and, of a changed device, the figures.
    """
    docket = Docket()
    for record in journal:
        if record.kind != "judgement":
            docket.note(record.kind, record.body)
            continue
        body: JudgementBody = record.body  # type: ignore[assignment]  # checked by kind just above
        try:
            yield _again(record.n, body, requirements.get(body["requirement"]), sources, docket)
        except (UsageError, KeyError, TypeError, ValueError, AttributeError) as err:
            why = str(err) if isinstance(err, UsageError) else f"it has not the form: {err!r}"
            yield Rejudged(record.n, body, body, trouble=why)


def _again(
    n: int,
    body: JudgementBody,
    requirement: Requirement | None,
    sources: Sources,
    docket: Docket,
) -> Rejudged:
    now, stated = rejudge(body, requirement, sources, docket)
    found = Rejudged(n, body, now, stated)
    if not found.differs or body["measured"] is None or now["measured"] is None:
        return found
    # Only the value may have moved: judged as it was stated, the judgement is what was recorded.
    if requirement is None:
        return found
    restated = _judged(body, requirement, measured_of(body["measured"]), sources, docket)
    if _text(restated) != _text(body):
        return found
    return replace(found, drift=_drift(body["measured"], now["measured"]))


def rejudge(
    body: JudgementBody,
    requirement: Requirement | None,
    sources: Sources,
    docket: Docket | None = None,
) -> tuple[JudgementBody, str]:
    """Judge one judgement again.

    Args:
        body: as journaled.
        requirement: by which it is to be judged; None if there is none of that name.
        sources: gives the captures and, of a changed device, the figures.
        docket: what it could rest on when it was made; None lets every value count.

    Returns:
        The judgement, and why its value was taken as stated; empty if it was measured again.

    Raises:
        UsageError: the judgement cannot be what it says: a capture is missing or was changed, its
            derivation makes no sense, a figure is unknown, a PASS rests on nothing.
    """
    if body["measured"] is None:
        verdict = Verdict(body["verdict"])
        short = docket is not None and docket.fell_short(body["test"])
        if verdict is Verdict.PASS or (verdict is Verdict.INCONCLUSIVE and not short):
            raise UsageError(f"{verdict.value} without a measurement")
        return body, "nothing was measured"
    if requirement is None:
        raise UsageError(f"{body['requirement']} is no requirement of the plan")
    if Verdict(body["verdict"]) is Verdict.ERROR and not _refers(body):
        return body, f"it was judged at {body['at']}, which is no quantity"
    stated = measured_of(body["measured"])
    try:
        measured, why = _measured(stated.derivation, requirement, sources), ""
    except Underivable as err:
        measured, why = stated, str(err)
    return _judged(body, requirement, measured, sources, docket), why


def _judged(
    body: JudgementBody,
    requirement: Requirement,
    measured: Measurement,
    sources: Sources,
    docket: Docket | None,
) -> JudgementBody:
    judged = judge(requirement, measured, _at(body, sources))
    objection = docket.against(body["test"], judged.verdict, measured) if docket else ""
    if requirement.inapplicable:
        judged = replace(judged, verdict=Verdict.NOT_APPLICABLE, reason=requirement.inapplicable)
    elif objection:
        judged = Judgement(requirement.id, Verdict.ERROR, objection, measured, judged.at)
    elif docket and (
        why := docket.undecided(judged.requirement, judged.verdict, judged.margin, measured)
    ):
        judged = replace(judged, verdict=Verdict.NOT_EVALUATED, reason=why)
    made: JudgementBody = plain(judgement_body(body["test"], judged, body.get("record", "")))
    return made


def hypothetical(
    journal: Iterable[Record],
    judgements: Iterable[Rejudged],
    requirements: Mapping[str, Requirement],
) -> list[Record]:
    """The journal as it would read, had it been judged so; its hashes are those of the true one.

    A test that failed by its judgements alone, and by none of these, has passed; so has pytest if
    no other one failed.

    Args:
        journal: all records of the true one.
        judgements: what takes the place of each judgement.
        requirements: what takes the place of the planned ones of the same id.
    """
    records, replaced = list(journal), {each.n: each for each in judgements}
    failing = {Verdict.FAIL.value, Verdict.ERROR.value, Verdict.INCONCLUSIVE.value}
    failed = {each.was["test"] for each in replaced.values() if each.was["verdict"] in failing}
    fails = {each.now["test"] for each in replaced.values() if each.now["verdict"] in failing}
    read: list[Record] = []
    for record in records:
        body: Mapping[str, Any] = record.body
        if record.n in replaced:
            body = replaced[record.n].now
        elif record.kind == "plan":
            body = {**body} | {
                name: [plain(requirement_body(requirements[each["id"]])) for each in body[name]]
                for name in ("requirements", "standing")
                if name in body
            }
        elif record.kind == "test_end" and body["outcome"] == "failed":
            if body["test"] in failed - fails:
                body = {**body, "outcome": "passed", "detail": ""}
        elif record.kind == "end" and body["pytest_exit"] == 1:
            ends = [each.body["outcome"] for each in read if each.kind == "test_end"]
            body = {**body, "pytest_exit": int(any(end in {"failed", "error"} for end in ends))}
        read.append(replace(record, body=body))
    return read


def _measured(tree: Tree | None, requirement: Requirement, sources: Sources) -> Measurement:
    """Measure again; raises Underivable for what is no raw data, and UsageError."""
    if tree is None:
        raise Underivable("it is no raw data")
    mask = requirement.limit.mask
    if mask is not None and sources.figure is not None:
        tree = _masked(tree, mask)
    found = walked(tree, sources)
    if not isinstance(found, Measurement):
        raise UsageError(f"its derivation makes {found!r}, which is no measurement")
    return found


def _masked(tree: Tree, mask: Mask) -> Tree:
    """An excess over an envelope, with the envelope of a changed device."""
    if tree.get("feature") != "outside" or "given" not in tree:
        return tree
    return {**tree, "given": {**tree["given"], "mask": written(mask)}}


def _refers(body: JudgementBody) -> bool:
    """Whether what a judgement relates to can be read; an author may have given anything."""
    try:
        _at(body, _AS_RECORDED)
    except UsageError:
        return False
    return True


def _at(body: JudgementBody, sources: Sources) -> Exact | None:
    if body["at"] is None:
        return None
    return exact(body["at"], body.get("at_origin", ""), sources)


def _no_capture(sha256: str) -> Any:  # noqa: ANN401  # it never returns
    raise UsageError(f"capture {sha256} is not at hand")


def _text(body: JudgementBody) -> str:
    """Canonical JSON, as in a journal."""
    return json.dumps(plain(body), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _drift(was: MeasuredBody, now: MeasuredBody) -> float | None:
    """Relative change in last digits; None if more than digits differs."""
    if _shape(was) != _shape(now):
        return None
    numbers = [Decimal(each[key]) for each in (was, now) for key in ("value", "expanded")]
    if not all(number.is_finite() for number in numbers):
        return None
    value, expanded, later, wider = numbers
    largest = max(map(abs, numbers))
    change = max(abs(later - value), abs(wider - expanded)) / largest if largest else Decimal(0)
    return float(change) if change <= LAST_DIGITS else None


def _shape(value: Any, key: str = "") -> Any:  # noqa: ANN401  # a tree of JSON values
    """A measurement without its digits, and without the note that repeats them, rounded."""
    if isinstance(value, Mapping):
        return {name: _shape(each, name) for name, each in value.items() if name != "note"}
    if isinstance(value, (list, tuple)):
        return [_shape(each) for each in value]
    if key in _DIGITS and value is not None:
        return "a number"
    return value
