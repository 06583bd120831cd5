"""What pre-flight and post-flight showed of the wiring, as reports print it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hil.bodies import AttestationBody, CheckBody, ProbeBody
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
                "title": f"{_title(flight)}, {moment(flight.utc)}",
                "note": clean(_note(flight.body.get("probe")), 700),
                "rows": [_row(check) for check in flight.body["checks"]],
            }
            for flight in flights
        ],
    }


def _title(flight: Flight) -> str:
    if flight.kind == "postflight":
        return TITLES[flight.kind]
    stage = "stage B, the device at its smallest setting" if "probe" in flight.body else "stage A"
    return f"{TITLES[flight.kind]}, {stage}"


def _note(probe: ProbeBody | None) -> str:
    """What a probe arm rests on, and what its two paths can show."""
    if probe is None:
        return ""
    where = f"at load {probe['load']}" if probe["load"] else "without a load for it"
    record = f"record {probe['record']}" if probe["record"] else "no record"
    parts = [f"{probe['setting']} {where}, {record}", probe["detects"], probe["paths"]]
    return "; ".join(part for part in parts if part) + "."


def _row(check: CheckBody) -> dict[str, Any]:
    """A check as it is printed; where the device is to blame, it says by what requirement."""
    requirement = check.get("requirement", "")
    remark = f"FAIL of {requirement}: {check['remark']}" if requirement else check["remark"]
    told = {"check": check["check"], "expected": check["expected"], "measured": check["measured"]}
    shown = {name: clean(value, 400) for name, value in {**told, "remark": remark}.items()}
    return {**shown, "passed": check["passed"]}


def attested(found: tuple[str, AttestationBody] | None) -> str:
    """Who stated that nobody is connected, when and how, for page 1."""
    if found is None:
        return "None: that nobody is connected was not stated."
    utc, body = found
    return f"{clean(body['name'], 200)}, {moment(utc)}: {clean(body['statement'], 400)}"


def _line(flights: Sequence[Flight]) -> str:
    if not flights:
        return "As declared by the bench file: no pre-flight was done."
    broken = [flight for flight in flights if flight.body.get("interrupted")]
    if broken:
        why = broken[0].body["interrupted"].removeprefix("signal ")
        return clean(f"Not proven: {_title(broken[0])}, was interrupted by {why}.", 700)
    failed = [flight for flight in flights if not flight.body["passed"]]
    if failed:
        remarks = [check["remark"] for check in failed[0].body["checks"] if check["remark"]]
        return clean(f"NOT as declared. {_title(failed[0])}: {'; '.join(remarks)}.", 700)
    last, first = flights[-1], flights[0].body
    after = (
        f"and {len(last.body['checks'])} after it" if last.kind == "postflight" else "not after it"
    )
    told = [f"{len(first['checks'])} checks passed before the run, {after}"]
    told += [f"missing: {text}" for text in first["missing"]]
    told += [text for text in [first["monitor"]] if text]
    probes = [flight.body["probe"] for flight in flights if "probe" in flight.body]
    told += [f"device at its smallest setting: {_note(probe)[:-1]}" for probe in probes[:1]]
    if not probes:
        told.append("the device was not seen at its smallest setting first")
    return clean("; ".join(told) + ".", 1200)
