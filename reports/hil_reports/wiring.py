"""What pre-flight and post-flight showed of the wiring, as reports print it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from hil.bodies import AttestationBody, CheckBody, ProbeBody
from hil.conclusion import Flight
from hil.cutoff import too_weak
from hil_reports.text import clean, moment

TITLES = {"preflight": "Pre-flight", "postflight": "Post-flight"}


BY_SOFTWARE = (
    "The cut-off is one by software: nothing opens it but a command, so no fault may be injected."
)


def wiring_view(
    flights: Sequence[Flight],
    declared: Mapping[str, str],
    files: Mapping[str, str] = MappingProxyType({}),
) -> dict[str, Any]:
    """Lines for page 1, and each check with its figures; one that is not there is no proof.

    Args:
        flights: as they came.
        declared: the wiring, as the bench file has it.
        files: record to the files of its captures, in words.
    """
    return {
        "lines": _lines(flights, declared, files),
        "passed": bool(flights) and all(flight.body["passed"] for flight in flights),
        "flights": list(_laid_out(flights, files)),
    }


def _laid_out(flights: Sequence[Flight], files: Mapping[str, str]) -> Iterator[dict[str, Any]]:
    """Each proof in full the first time and where it failed; else how many checks passed again."""
    shown: set[str] = set()
    for flight in flights:
        checks = flight.body["checks"]
        again = _title(flight) in shown and all(check["passed"] for check in checks)
        shown.add(_title(flight))
        yield {
            "title": f"{_title(flight)}, {moment(flight.utc)}",
            "note": clean(_note(flight.body.get("probe"), files), 700),
            "again": f"{len(checks)} checks passed again; the journal has their figures."
            if again
            else "",
            "rows": [] if again else [_row(check) for check in checks],
        }


def _title(flight: Flight) -> str:
    if flight.kind == "postflight":
        return TITLES[flight.kind]
    stage = "stage B, the device at its smallest setting" if "probe" in flight.body else "stage A"
    return f"{TITLES[flight.kind]}, {stage}"


def _note(probe: ProbeBody | None, files: Mapping[str, str]) -> str:
    """What a probe arm rests on, and what its two paths can show."""
    if probe is None:
        return ""
    where = f"at load {probe['load']}" if probe["load"] else "without a load for it"
    record = f"record {probe['record']}" if probe["record"] else "no record"
    if named := files.get(probe["record"]):
        record += f" ({named})"
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


def _lines(
    flights: Sequence[Flight], declared: Mapping[str, str], files: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Page 1: what each stage showed, apart from what none can."""
    before = [flight for flight in flights if flight.kind == "preflight"]
    stage_a = [flight for flight in before if "probe" not in flight.body]
    stage_b = [flight for flight in before if "probe" in flight.body]
    after = [flight for flight in flights if flight.kind == "postflight"]
    unproven = list(dict.fromkeys(text for flight in flights for text in flight.body["missing"]))
    unproven += [BY_SOFTWARE.removesuffix(".")] if too_weak(declared) else []
    told = [
        _told(files, "stage A", stage_a, "as declared by the bench file: no pre-flight was done"),
        _told(files, "stage B", stage_b, "the device was not seen at its smallest setting first"),
        _told(files, "post-flight", after, "none was done"),
    ]
    if not flights:
        told = told[:1]
    if unproven:
        told.insert(2, {"name": "not proven", "text": clean(f"{'; '.join(unproven)}.", 1200)})
    return told


def _told(
    files: Mapping[str, str], name: str, flights: Sequence[Flight], none: str
) -> dict[str, Any]:
    """One stage in a line: its first failure, else what the last of its flights showed."""
    if not flights:
        return {"name": name, "text": f"{none}."}
    broken = next((flight for flight in flights if flight.body.get("interrupted")), None)
    if broken:
        why = broken.body["interrupted"].removeprefix("signal ")
        return {"name": name, "text": clean(f"Not proven: interrupted by {why}.", 700)}
    failed = next((flight for flight in flights if not flight.body["passed"]), None)
    if failed:
        remarks = [check["remark"] for check in failed.body["checks"] if check["remark"]]
        return {"name": name, "text": clean(f"NOT as declared: {'; '.join(remarks)}.", 700)}
    body = flights[-1].body
    parts = [f"{len(body['checks'])} checks passed", body["monitor"]]
    parts.append(_note(body.get("probe"), files).removesuffix("."))
    return {"name": name, "text": clean("; ".join(filter(None, parts)) + ".", 1200)}
