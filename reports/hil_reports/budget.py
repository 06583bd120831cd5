"""The uncertainty budget of a judged value, each figure with its unit."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, TypeAlias

from hil.bodies import JudgementBody
from hil.digits import uncertainty_step
from hil_reports.text import Scale, clean, decimal, scale, signed

View: TypeAlias = dict[str, Any]

_SHARE = re.compile(r"(gain|\.time base)\Z")
_ADDED = re.compile(
    r"\[[^]]*?[\d. ](?:[GMkmunp]?)(A|V|ohm)\]\.(?:(?:temperature )?offset|resolution)\b"
)
_TIMES = ("ramp noise", "sampling", "level", "event", "recorder start")
_LEVEL = ("noise mean", "noise of the extreme")


def budget_rows(
    decisive: JudgementBody | None, records: Mapping[str, Mapping[str, Any]] | None = None
) -> list[View]:
    """Causes of a judged value's uncertainty as text, its U last; none where it has no budget."""
    measured = decisive["measured"] if decisive else None
    if decisive is None or measured is None or not measured["components"]:
        return []
    expanded = decimal(measured["expanded"])
    unit = scale(measured["unit"], [expanded])
    record = (records or {}).get(decisive.get("record", ""), {})
    read = {capture["sha256"][:12]: capture["unit"] for capture in record.get("captures", ())}
    rows = []
    for part in measured["components"]:
        u = decimal(str(part["u"])) or Decimal(0)
        factor = decimal(str(part["sensitivity"])) or Decimal(0)
        finite = u.is_finite() and factor.is_finite()
        cause = cause_unit(part["id"], factor, measured["unit"], read)
        rows.append(
            {
                "id": clean(part["id"], 200),
                "u": _of_cause(u, cause),
                "sensitivity": _sensitivity(factor, cause, measured["unit"]),
                "dof": "∞" if part["dof"] is None else f"{part['dof']:g}",
                "contribution": _two_digits(unit, abs(u * factor)) if finite else "not finite",
                "total": False,
            }
        )
    total = {"id": "Expanded uncertainty U, k = 2", "u": "", "sensitivity": "", "dof": ""}
    return [*rows, total | {"contribution": _two_digits(unit, expanded), "total": True}]


def cause_unit(name: str, factor: Decimal, unit: str, read: Mapping[str, str]) -> str | None:
    """SI unit of a cause's u: "1" for a share of a reading; None where its name does not tell.

    Args:
        name: id of the component.
        factor: its sensitivity.
        unit: SI unit of the judged value.
        read: SI unit of each capture, by the first twelve digits of its hash.
    """
    if _SHARE.search(name):
        return "1"
    if added := _ADDED.search(name):
        return added[1]
    if name.startswith(_LEVEL) and (level := read.get(name.rpartition(" ")[2])):
        return level
    if name.startswith(_TIMES):
        return "s"
    return unit if abs(factor) == 1 else None


def _of_cause(u: Decimal, unit: str | None) -> str:
    step = Decimal(1).scaleb(u.adjusted() - 2) if u.is_finite() and u else None
    if unit == "1":
        return Scale("%", Decimal(100)).text(u, step)
    return scale(unit, [u]).text(u, step) if unit else f"{signed(f'{u:.2e}')} in SI"


def _sensitivity(factor: Decimal, cause: str | None, unit: str) -> str:
    """In the unit of the value per unit of the cause."""
    if cause == unit:
        return signed(f"{factor.normalize():f}") if abs(factor) == 1 else signed(f"{factor:.4g}")
    value = scale(unit, [factor])
    shown = signed(f"{factor * value.factor:.4g}")
    if cause == "1":
        return f"{shown} {value.unit}".rstrip()
    return (
        f"{shown} {value.unit or '1'} per {scale(cause, [Decimal(1)]).unit if cause else 'SI unit'}"
    )


def budget_sources(decisive: JudgementBody | None) -> list[str]:
    """Where the figures of a budget come from, each once: data sheets, certificates, samples."""
    measured = decisive["measured"] if decisive else None
    parts = measured["components"] if measured else []
    return [clean(each, 300) for each in dict.fromkeys(part["source"] for part in parts) if each]


def _two_digits(unit: Scale, value: Decimal | None) -> str:
    return unit.text(value, uncertainty_step(value))
