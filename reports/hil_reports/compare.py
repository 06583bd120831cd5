"""What changed between two runs: verdicts, margins, worst cases, and what they were judged with.

A is the run before, B the one after. Judgements are held against each other by requirement, test
and setting. A value has moved where it differs by more than both expanded uncertainties together;
below that nothing is said of it, in whatever direction. Nothing is judged here.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from hil.bodies import JudgementBody, asked_sha256
from hil.conclusion import Conclusion, RequirementRow
from hil.digits import uncertainty_step
from hil.errors import UsageError
from hil.verdict import Verdict
from hil_reports.overlays import Overlays, Side
from hil_reports.text import DASH, clean, decimal, in_print, scale
from hil_reports.view import View, banner, judged_line, mark, short, statement

_ROWS = 200  # judgements that changed, printed
_ORDER = list(Verdict)
_Key = tuple[str, str, str, int]
_TOLD = {
    "worse": "worse",
    "only in A": "no more",
    "better": "better",
    "only in B": "for the first time",
    "moved": "with the same verdict and another worst value",
    "": "as before",
}
"""How a requirement changed, and how the page says of how many."""


@dataclass(frozen=True)
class _Pair:
    """One judgement, in both runs or in one of them."""

    before: JudgementBody | None
    after: JudgementBody | None

    @property
    def either(self) -> JudgementBody:
        found = self.after or self.before
        assert found is not None  # noqa: S101  # a key of neither side does not exist
        return found

    @property
    def step(self) -> int:
        """How much worse its verdict became; negative for better, 0 where one is missing."""
        if self.before is None or self.after is None:
            return 0
        return _rank(self.before["verdict"]) - _rank(self.after["verdict"])

    @property
    def moved(self) -> Decimal:
        """By how much the value differs, in units of both uncertainties together; else 0."""
        values = [_figures(body) for body in (self.before, self.after)]
        if None in values or self.before is None or self.after is None:
            return Decimal(0)
        (first, u_first), (second, u_second) = values  # type: ignore[misc]  # None is gone above
        if self._unit(self.before) != self._unit(self.after):
            return Decimal(0)
        apart, together = abs(second - first), (u_first**2 + u_second**2).sqrt()
        if not apart:
            return Decimal(0)
        return apart / together if together else Decimal("Infinity")

    @property
    def change(self) -> str:
        """In a word or two; empty where nothing changed."""
        if self.before is None or self.after is None:
            return "only in B" if self.before is None else "only in A"
        if self.step:
            return "worse" if self.step > 0 else "better"
        return "moved" if self.moved > 1 else ""

    @staticmethod
    def _unit(body: JudgementBody) -> str:
        return body["measured"]["unit"] if body["measured"] else ""


def _rank(verdict: str) -> int:
    return _ORDER.index(Verdict(verdict))


def _figures(body: JudgementBody | None) -> tuple[Decimal, Decimal] | None:
    measured = body["measured"] if body else None
    value = decimal(measured["value"]) if measured else None
    u = decimal(measured["expanded"]) if measured else None
    if value is None or u is None or not value.is_finite() or not u.is_finite():
        return None
    return value, u


def comparison(before: Side, after: Side, *, other_model: bool = False) -> View:
    """Compare two runs.

    Args:
        before: run A.
        after: run B.
        other_model: whether the runs may be of different device models.

    Returns:
        Text, numbers, lists and dicts only: what both pages are laid out from. `worse` is how many
        requirements have a worse verdict in B, or are judged in A alone.

    Raises:
        UsageError: the runs are of different device models and nobody said that this is meant.
    """
    a, b = before.conclusion, after.conclusion
    models = [f"{c.plan['manufacturer']} {c.plan['model']}" for c in (a, b)]
    if models[0] != models[1] and not other_model:
        raise UsageError(
            f"A is a run of {clean(models[0], 100)}, B one of {clean(models[1], 100)}; runs of one "
            "device model are compared, others only with --other-model"
        )
    rows = list(_requirements(a, b))
    pairs = _pairs(a, b)
    changed = sorted(
        (pair for pair in pairs if pair.change),
        key=lambda pair: (-abs(pair.step), pair.step < 0, -pair.moved),
    )
    plots = Overlays(before, after)
    judgements = [_judgement(pair, plots) for pair in changed[:_ROWS]]
    worse = sum(row["change"] in {"worse", "only in A"} for row in rows)
    return {
        "title": "Comparison of two runs",
        "simulated": not (a.provenance.hardware and b.provenance.hardware),
        "banner": banner(b if not b.provenance.hardware else a),
        "runs": [_run(side) for side in (before, after)],
        "worse": worse,
        "statement": _statement(rows, len(changed), len(pairs)),
        "configuration": list(_configuration(a, b)),
        "requirements": rows,
        "judgements": judgements,
        "unprinted": max(len(changed) - _ROWS, 0),
        "unplotted": plots.left_out,
        "problems": plots.problems,
        "same": len(pairs) - len(changed),
        "date": max(a.ended, b.ended)[:10],
    }


def _run(side: Side) -> View:
    found = side.conclusion
    text, tone = statement(found)
    return {
        "name": side.name,
        "run_id": clean(found.run["run_id"], 200),
        "device": clean(f"{found.plan['manufacturer']} {found.plan['model']}", 200),
        "firmware": clean(found.firmware, 200) or DASH,
        "provenance": found.provenance.word,
        "verdict": mark(found.verdict),
        "code": int(found.exit_code),
        "statement": text,
        "tone": tone,
        "head": found.head,
    }


def _statement(rows: Sequence[View], changed: int, judgements: int) -> str:
    found = [(sum(row["change"] == change for row in rows), told) for change, told in _TOLD.items()]
    told = ", ".join(f"{count} {word}" for count, word in found if count)
    said = f"Of {len(rows)} requirements, B shows {told or 'none'}."
    return f"{said} {changed} of {judgements} judgements changed."


def _requirements(a: Conclusion, b: Conclusion) -> Iterator[View]:
    first = {row.requirement["id"]: row for row in a.requirements}
    second = {row.requirement["id"]: row for row in b.requirements}
    for name in dict.fromkeys([*second, *first]):
        yield _requirement(first.get(name), second.get(name))


def _requirement(before: RequirementRow | None, after: RequirementRow | None) -> View:
    found = after or before
    assert found is not None  # noqa: S101  # an id of neither side does not exist
    body = found.requirement
    return {
        "id": clean(body["id"], 120),
        "title": clean(body["title"], 200),
        "mandatory": body["mandatory"],
        "before": _cell(before),
        "after": _cell(after),
        "change": _change(before, after),
        "margin": _margin_change(before, after),
    }


def _cell(row: RequirementRow | None) -> View:
    """Verdict, worst value and where it was measured."""
    if row is None:
        return {"verdict": None, "result": "not in this run", "where": ""}
    body = row.decisive
    at = f", at {clean(body['at'], 60)}" if body and body["at"] else ""
    return {
        "verdict": mark(row.verdict),
        "result": (judged_line(body) if body else "") or in_print(clean(row.remark, 300)),
        "where": short(clean(body["test"], 300)) + at if body else "",
    }


def _change(before: RequirementRow | None, after: RequirementRow | None) -> str:
    if before is None or after is None:
        return "only in B" if before is None else "only in A"
    step = _ORDER.index(before.verdict) - _ORDER.index(after.verdict)
    if step:
        return "worse" if step > 0 else "better"
    return "moved" if _Pair(before.decisive, after.decisive).moved > 1 else ""


def _margin_change(before: RequirementRow | None, after: RequirementRow | None) -> str:
    """Difference of the smallest margins, as `+1.2 mA`; a dash where there are not two."""
    bodies = [row.decisive if row else None for row in (before, after)]
    margins = [decimal(body["margin"]) if body else None for body in bodies]
    first, second = margins
    if first is None or second is None or not (first.is_finite() and second.is_finite()):
        return DASH
    measured = [body["measured"] for body in bodies if body]
    units = {each["unit"] for each in measured if each}
    if len(units) != 1:
        return DASH
    u = max((decimal(each["expanded"]) or Decimal(0) for each in measured if each), default=None)
    unit = scale(units.pop(), [first, second])
    shown = unit.text(second - first, uncertainty_step(u))
    return f"+{shown}" if shown[0].isdigit() and shown.strip("0. ")[:1].isdigit() else shown


def _pairs(a: Conclusion, b: Conclusion) -> list[_Pair]:
    first, second = _keyed(a), _keyed(b)
    return [_Pair(first.get(key), second.get(key)) for key in dict.fromkeys([*second, *first])]


def _keyed(conclusion: Conclusion) -> dict[_Key, JudgementBody]:
    """Judgements by requirement, test, setting, and place among those of the same three."""
    found: dict[_Key, JudgementBody] = {}
    for body in (body for row in conclusion.requirements for body in row.judgements):
        key = (body["requirement"], body["test"], body["at"] or "")
        place = 0
        while (*key, place) in found:
            place += 1
        found[*key, place] = body
    return found


def _judgement(pair: _Pair, plots: Overlays) -> View:
    body = pair.either
    sides = {}
    for name, each in (("before", pair.before), ("after", pair.after)):
        verdict = mark(Verdict(each["verdict"])) if each else None
        told = (judged_line(each) or in_print(clean(each["reason"], 300))) if each else "not judged"
        sides[name] = {"verdict": verdict, "result": told}
    moved = pair.moved
    return {
        "requirement": clean(body["requirement"], 120),
        "test": clean(body["test"], 300),
        "short": short(clean(body["test"], 300)),
        "at": clean(body["at"] or "", 60),
        "change": pair.change,
        "moved": f"{moved:.3g}" if 0 < moved.adjusted() < 6 or 0 < moved < 10 else DASH,
        **sides,
        "plot": plots.of(pair.before, pair.after),
    }


def _configuration(a: Conclusion, b: Conclusion) -> Iterator[View]:
    """What the runs were judged with, where it differs."""
    first, second = _judged_with(a), _judged_with(b)
    for name in dict.fromkeys([*first, *second]):
        told = [clean(side.get(name, DASH), 300) or DASH for side in (first, second)]
        if first.get(name) != second.get(name):
            yield {"what": clean(name, 120), "before": told[0], "after": told[1]}


def _judged_with(found: Conclusion) -> dict[str, str]:
    run, plan = found.run, found.plan
    told = {
        "device": f"{plan['manufacturer']} {plan['model']}",
        "device serial number": found.serial,
        "firmware": found.firmware,
        "device file": plan["device"]["sha256"],
        "bench": plan["bench_name"],
        "bench file": plan["bench"]["sha256"],
        "provenance": found.provenance.word,
        "faults seeded": ", ".join(run["faults"]),
        "scope": run["partial"] or "whole",
        "depth": run["depth"],
        "seed": str(run["seed"]),
        "operator": run["operator"],
        "Python": run["python"],
        "platform": run["platform"],
        "source of stimproof": run["software"]["sha256"],
    }
    told |= {f"package {name}": number for name, number in run["software"]["packages"].items()}
    told |= {f"figure {each['name']}": each["value"] for each in plan["figures"]}
    told |= {f"wiring {key}": value for key, value in plan["wiring"].items()}
    for one in found.instruments:
        shown = [one["manufacturer"], one["model"], one["serial"], one["firmware"]]
        told[f"instrument {one['role']}"] = " ".join(shown)
        told[f"calibration {one['role']}"] = f"{one['calibration']} {one['due']}".strip()
    for body in plan["requirements"]:
        asked = f"{body['limit']}; rule {body['rule']}"
        mandatory = "mandatory" if body["mandatory"] else "not mandatory"
        told[f"requirement {body['id']}"] = f"{asked}; {mandatory}; {asked_sha256(body)[:12]}"
    return told
