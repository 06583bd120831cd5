"""Whether a record's body has the form that `hil.bodies` gives to its kind.

A chain shows that nobody changed a record, not that whoever wrote it meant well: what reads the
records of a stranger asks here first, and need not doubt each value again. What is missing, whoever
needs it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Any, NotRequired, Union, get_args, get_origin, get_type_hints, is_typeddict

from hil import bodies
from hil.errors import UsageError
from hil.journal import Record

KINDS: Mapping[str, type] = {
    "run": bodies.RunBody,
    "plan": bodies.PlanBody,
    "register": bodies.RegisterBody,
    "document": bodies.DocumentBody,
    "collected": bodies.CollectedBody,
    "instrument": bodies.InstrumentBody,
    "test_begin": bodies.TestBody,
    "test_end": bodies.TestEndBody,
    "record": bodies.RecordBody,
    "recalled": bodies.RecalledBody,
    "stimulus": bodies.StimulusBody,
    "reading": bodies.ReadingBody,
    "refusal": bodies.RefusalBody,
    "attestation": bodies.AttestationBody,
    "preflight": bodies.FlightBody,
    "postflight": bodies.FlightBody,
    "budget": bodies.BudgetBody,
    "property": bodies.PropertyBody,
    "safe_state": bodies.SafeStateBody,
    "judgement": bodies.JudgementBody,
    "checkpoint": bodies.CheckpointBody,
    "abort": bodies.AbortBody,
    "sentinel": bodies.SentinelBody,
    "end": bodies.EndBody,
}
"""Kind of record to the form of its body; one of another kind may hold anything."""
_LARGEST = 1 << 63
_Check = Callable[[Any], str]
"""Says what is wrong with a value; nothing if it fits."""


def check(records: Iterable[Record]) -> None:
    """Hold each record against the form of its kind.

    Raises:
        UsageError: names the first that does not fit, the value, and what is expected.
    """
    for record in records:
        if record.kind in KINDS and (wrong := _check_of(KINDS[record.kind])(record.body)):
            raise UsageError(
                f"record {record.n} ({record.kind}) has not the form of this version: {wrong}"
            )


@cache
def _check_of(form: Any) -> _Check:  # noqa: ANN401  # a type in whatever spelling
    if form is Any:
        return lambda value: ""
    if is_typeddict(form):
        return _fields(form)
    origin, parts = get_origin(form), get_args(form)
    if origin is list:
        return _entries(_check_of(parts[0]))
    if origin is dict:
        return _values(_check_of(parts[1]))
    if origin in {Union, UnionType}:
        return _either(tuple(_check_of(part) for part in parts))
    return _plain(form)


def _fields(form: type) -> _Check:
    checks = {}
    for name, hint in get_type_hints(form, include_extras=True).items():
        checks[name] = _check_of(get_args(hint)[0] if get_origin(hint) is NotRequired else hint)

    def fields(value: Any) -> str:  # noqa: ANN401  # of a stranger
        if not isinstance(value, dict):
            return f"{_shown(value)} is no object"
        for name, check in checks.items():
            if name in value and (wrong := check(value[name])):
                return f"{name}: {wrong}"
        return ""

    return fields


def _entries(check: _Check) -> _Check:
    def entries(value: Any) -> str:  # noqa: ANN401  # of a stranger
        if not isinstance(value, list):
            return f"{_shown(value)} is no list"
        return next((wrong for entry in value if (wrong := check(entry))), "")

    return entries


def _values(check: _Check) -> _Check:
    def values(value: Any) -> str:  # noqa: ANN401  # of a stranger
        if not isinstance(value, dict):
            return f"{_shown(value)} is no object"
        return next((wrong for entry in value.values() if (wrong := check(entry))), "")

    return values


def _either(checks: tuple[_Check, ...]) -> _Check:
    def either(value: Any) -> str:  # noqa: ANN401  # of a stranger
        found = [check(value) for check in checks]
        return "" if "" in found else found[0]

    return either


def _plain(form: type) -> _Check:
    allowed = (float, int) if form is float else (form,)

    def plain(value: Any) -> str:  # noqa: ANN401  # of a stranger
        if type(value) not in allowed:
            named = "null" if form is NoneType else form.__name__
            return f"{_shown(value)} is no {named}"
        return "" if type(value) is not int or -_LARGEST <= value < _LARGEST else "it is too large"

    return plain


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}.."  # a line's worth
