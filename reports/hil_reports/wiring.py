"""What pre-flight and post-flight showed of the wiring, as reports print it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hil.bodies import AttestationBody
from hil.conclusion import Flight
from hil.cutoff import too_weak
from hil_reports.text import clean, moment

TITLES = {"preflight": "Pre-flight", "postflight": "Post-flight"}


BY_SOFTWARE = (
    "The cut-off is one by software: nothing opens it but a command, so no fault may be injected."
)


def wiring_view(flights: Sequence[Flight], declared: Mapping[str, str]) -> dict[str, Any]:
    """Line for page 1, and each check with its figures; one that is not there is no proof."""
    independent = not too_weak(declared)
    return {
        "line": _line(flights) if independent else f"{_line(flights)} {BY_SOFTWARE}",
        "passed": bool(flights) and all(flight.body["passed"] for flight in flights),
        "flights": [
            {
                "title": f"{TITLES[flight.kind]}, {moment(flight.utc)}",
                "rows": [
                    {name: clean(value, 400) for name, value in check.items() if name != "passed"}
                    | {"passed": check["passed"]}
                    for check in flight.body["checks"]
                ],
            }
            for flight in flights
        ],
    }


def attested(found: tuple[str, AttestationBody] | None) -> str:
    """Who stated that nobody is connected, when and how, for page 1."""
    if found is None:
        return "None: that nobody is connected was not stated."
    utc, body = found
    return f"{clean(body['name'], 200)}, {moment(utc)}: {clean(body['statement'], 400)}"


def _line(flights: Sequence[Flight]) -> str:
    if not flights:
        return "As declared by the bench file: no pre-flight was done."
    failed = [flight for flight in flights if not flight.body["passed"]]
    if failed:
        remarks = [check["remark"] for check in failed[0].body["checks"] if check["remark"]]
        return clean(f"NOT as declared. {TITLES[failed[0].kind]}: {'; '.join(remarks)}.", 700)
    last = flights[-1]
    after = (
        f"and {len(last.body['checks'])} after it" if last.kind == "postflight" else "not after it"
    )
    told = [f"{len(flights[0].body['checks'])} checks passed before the run, {after}"]
    told += [f"missing: {text}" for text in flights[0].body["missing"]]
    told += [text for text in [flights[0].body["monitor"]] if text]
    return clean("; ".join(told) + ".", 700)
