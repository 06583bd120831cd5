"""The air at the bench, for the first page: its temperature, or that nobody took it."""

from __future__ import annotations

from collections.abc import Sequence

from hil.bodies import AmbientBody
from hil_reports.text import clean

_ASSUMED = (
    "budgets assume each instrument in the air for which its limits of error are specified: nobody "
    "measured or declared it"
)


def ambient_in_brief(bodies: Sequence[AmbientBody]) -> str:
    """Say it in a few words, for the first page of the PDF."""
    known = {body["when"]: clean(body["celsius"]) for body in bodies if body["celsius"]}
    if not known:
        return "ambient not recorded"
    if len(known) == 1:
        when, celsius = next(iter(known.items()))
        return f"ambient {celsius} degC, recorded at the {when} only"
    return f"ambient {known['begin']} to {known['end']} degC"


def ambient(bodies: Sequence[AmbientBody]) -> str:
    """Say what it was at the begin and at the end, and where it is not recorded, why."""
    known = {body["when"]: body for body in bodies}
    said = []
    for when in ("begin", "end"):
        body = known.get(when)
        if body is None:
            said.append(f"ambient not recorded at the {when}: the run did not come so far")
        elif not body["celsius"]:
            said.append(f"ambient not recorded at the {when}: {clean(body['reason'], 300)}")
        else:
            limits = f"+/- {clean(body['limits'])} K, {clean(body['by'])}"
            said.append(f"{clean(body['celsius'])} degC at the {when} ({limits})")
    return "; ".join([*said, _counted(known.get("begin"))])


def _counted(begin: AmbientBody | None) -> str:
    """Which air the budgets of the run count, and on what ground."""
    if begin is None or not begin["counted"]:
        return _ASSUMED
    coldest, warmest = begin["counted"]
    ground = {
        "thermometer": "what was read at the begin, its limits and 1 K either way",
        "bench file": "as the bench file declares it",
    }
    told = ground.get(begin["basis"], clean(begin["basis"]))
    return f"budgets count air of {coldest:g} to {warmest:g} degC, {told}"
