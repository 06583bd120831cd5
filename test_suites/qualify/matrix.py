"""Every fault that a suite is said to catch, caught again: the suites are proven able to fail.

    python -m qualify.matrix [--jobs 2] [--edges] [FAULT ...]

For each fault of the catalogue, the tests that it names run on a device with the fault, at smoke
depth and, where that shows nothing, at standard depth; one requirement that the fault violates must
turn to FAIL in one of them: what the pre-flight sees of the device does not count. The same tests
must PASS on a healthy device. Exit code 1 if one row is not as the catalogue says.

With --edges each fault that has a severity is seeded at its limit and twice more, 2 U beyond it and
2 U within it, U being that of the closest judgement at the limit; where healthy devices
differ by more, their spread is added. Beyond, one requirement must FAIL; within, none may; the
smallest severity that was caught is printed. A severity of a row is compared at the depth at which
it was caught.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal
from functools import partial

from hil.bodies import JudgementBody, MeasuredBody
from hil.conclusion import Conclusion, RequirementRow
from hil.exact import UNITS, Exact
from hil.proof import PROBE
from hil.verdict import Verdict
from hil_fixtures import config
from hil_instruments.simulated.faults.catalogue import CataloguedFault, catalogue
from qualify.runs import judged


@dataclass(frozen=True)
class Row:
    """What became of one fault."""

    fault: str
    failed: tuple[str, ...]
    """Requirements that turned to FAIL."""
    edges: str
    """What became of it just beyond and just within its limit; empty if nobody asked."""
    as_said: bool
    seconds: float
    remark: str


def tests_of(fault: CataloguedFault) -> tuple[str, ...]:
    """Names of the tests that are said to catch it."""
    return tuple(name.partition("::")[2] for name in fault.caught_by)


def by_a_test(row: RequirementRow) -> bool:
    """Whether a test of a suite turned it to FAIL."""
    return any(
        body["verdict"] == Verdict.FAIL.value and body["test"] != PROBE for body in row.judgements
    )


def edges(fault: CataloguedFault, depth: str) -> tuple[str, bool]:
    """Seed it at its limit, 2 U beyond and 2 U within; say what failed, and if that is right."""
    severity = fault.severity
    if severity is None:
        return "", True
    if not severity.measured:
        return "no requirement measures what follows its severity", True
    profile = config.read_device(None)
    bound = severity.bound(profile)
    step = doubt(fault, seeded(fault, bound, depth), bound)
    if step is None:
        return "no figure was judged at the limit", False
    if severity.spread:
        step += Exact.parse(severity.spread).to(bound.unit).magnitude
    outwards = 1 if severity.worse == "larger" else -1
    told, right, least = [], True, severity.default(profile)
    for word, side in (("beyond", outwards), ("within", -outwards)):
        value = Exact(bound.magnitude + side * step, bound.unit)
        if value.magnitude <= 0:  # U is larger than the limit: nothing lies so far within
            told.append(f"{word}: {_short(value)} is no severity")
            continue
        found = seeded(fault, value, depth)
        failed = [
            each.requirement["id"]
            for each in found.requirements
            if by_a_test(each) and each.requirement["id"] in fault.violates
        ]
        least = value if failed else least
        told.append(f"{word} ({_short(value)}): {', '.join(failed) or 'none'}")
        right = right and bool(failed) is (word == "beyond")
    return f"limit {bound}; smallest caught: {_short(least)}; {'; '.join(told)}", right


def seeded(fault: CataloguedFault, severity: Exact, depth: str) -> Conclusion:
    """What its tests make of a severity."""
    text = f"{fault.id}:severity={severity}".replace(" ", "")
    return judged(tests_of(fault), fault=text, depth=depth)


def _short(value: Exact) -> str:
    return f"{value.magnitude:.5g} {value.unit}"


def doubt(fault: CataloguedFault, found: Conclusion, bound: Exact) -> Decimal | None:
    """2 U of the closest judgement of a severity at its limit, in the unit of the severity.

    Of the judgements by which it must fail, one of the dimension of the severity counts as it is;
    without such a one another counts as a share: of the value to which the limit relates, or of the
    limit. None where no value was judged.
    """
    bodies = [
        body
        for row in found.requirements
        if row.requirement["id"] in fault.violates
        for body in row.judgements
        if body["margin"] is not None
    ]
    alike = [body for body in bodies if _measured(body)["unit"] == bound.dimension.value]
    if not bodies:
        return None
    closest = min(alike or bodies, key=lambda body: abs(Decimal(body["margin"] or 0)))
    wide = 2 * Decimal(_measured(closest)["expanded"])
    if alike:
        return wide / UNITS[bound.unit][1]
    at, limit = closest["at"], closest["upper"] or closest["lower"] or "0"
    share = wide / abs(Exact.parse(at).base if at else Decimal(limit))
    return share / UNITS[bound.unit][1] if bound.unit == "%" else share * bound.magnitude


def _measured(body: JudgementBody) -> MeasuredBody:
    measured = body["measured"]
    if measured is None:
        raise RuntimeError(f"{body['requirement']} has a margin without a value")
    return measured


def row(fault: CataloguedFault, *, at_edges: bool = False) -> Row:
    """Seed one fault and see what its tests make of it."""
    begin = time.monotonic()
    for depth in ("smoke", "standard"):  # what one setting does not show, several may
        found = judged(tests_of(fault), fault=fault.id, depth=depth)
        failed = tuple(each.requirement["id"] for each in found.requirements if by_a_test(each))
        caught = bool(set(failed) & set(fault.violates))
        if caught:
            break
    remark = "" if caught else f"said to violate {', '.join(fault.violates)}"
    told, right = edges(fault, depth) if at_edges and caught else ("", True)
    return Row(fault.id, failed, told, caught and right, time.monotonic() - begin, remark)


def main() -> int:
    """Print the matrix; return 1 where it is not as the catalogue says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("faults", nargs="*", help="ids; default: all that a suite catches")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--edges", action="store_true", help="also 2 U beyond and within the limit")
    options = parser.parse_args()
    able = [fault.id for fault in catalogue().values() if fault.caught_by]
    if unknown := [name for name in options.faults if name not in able]:
        parser.error(f"no suite is said to catch {', '.join(unknown)}; allowed: {', '.join(able)}")
    chosen = [
        fault
        for fault in catalogue().values()
        if fault.caught_by and (not options.faults or fault.id in options.faults)
    ]
    begin = time.monotonic()
    names = tuple(sorted({name for fault in chosen for name in tests_of(fault)}))
    with ThreadPoolExecutor(options.jobs) as pool:
        healthy = pool.submit(judged, names)
        rows = list(pool.map(partial(row, at_edges=options.edges), chosen))
        passed = {each.verdict for each in healthy.result().tests} - {
            Verdict.NO_VERDICT
        }  # not chosen
    for each in rows:
        verdict = "caught" if each.as_said else "MISSED"
        what = ", ".join(each.failed) or "nothing failed"
        print(f"{each.fault}  {verdict}  {each.seconds:5.1f} s  {what}  {each.remark}".rstrip())
        if each.edges:
            print(f"     {each.edges}")
    caught = sum(each.as_said for each in rows)
    print(
        f"{caught} of {len(rows)} caught in {time.monotonic() - begin:.0f} s; healthy: "
        f"{', '.join(sorted(each.value for each in passed)) or 'no test'}"
    )
    modelled = [
        fault for fault in catalogue().values() if fault.id.startswith("F") and fault.modelled
    ]
    tested = sum(bool(fault.caught_by) for fault in modelled)
    print(f"of {len(modelled)} faults of the device that can be seeded, {tested} have a test")
    accused = passed & {Verdict.FAIL, Verdict.ERROR, Verdict.INCONCLUSIVE}
    return 0 if caught == len(rows) and not accused else 1


if __name__ == "__main__":
    sys.exit(main())
