"""Run folders that tests of the reports write step by step, as the plugin does."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from hil.applicability import Applicability
from hil.bodies import judgement_body, requirement_body
from hil.capture import Accuracy, Capture, Source
from hil.decision import judge
from hil.exact import Dimension, Exact
from hil.measurement import Calibration, Component, Measurement
from hil.requirement import Kind, Knowledge, Limit, Requirement
from hil_reports.evidence import Evidence

HOSTILE = '<script>alert(1)</script> #typst[*x*] "q" \x1b[31m \u202egnp &amp; 電流 ' + "x" * 300


def clock():
    """UTC that moves on by 10 ms a call."""
    begin, steps = datetime(2026, 3, 1, 9, 30, tzinfo=UTC), count()
    return lambda: begin + timedelta(milliseconds=10 * next(steps))


def requirement(name: str, subject: str = "current limits", **changes: Any) -> Requirement:
    """A requirement on a current of at most 4.2 mA, with changes."""
    fields: dict[str, Any] = {
        "id": name,
        "subject": subject,
        "title": f"title of {name}",
        "text": f"The current shall not exceed the limit of {name}.",
        "limit": Limit(Kind.AT_MOST, Exact.parse("4.2 mA")),
        "dimension": Dimension.CURRENT,
        "clause": "201.12.4.104",
        "source": "device specification",
        "status": Knowledge.PROJECT,
    }
    return Requirement(**(fields | changes))


def current(value: str, capture: Capture | None = None, u: float = 1e-6) -> Measurement:
    """A measured current in A with a two-part budget."""
    return Measurement(
        Decimal(value),
        Dimension.CURRENT,
        (Component("SIM-0002[10 mA].gain", u), Component("SIM-0002[10 mA].offset", u / 2)),
        ("SIM-0002",),
        Calibration.VALID,
        (capture.sha256,) if capture else (),
        derivation={"feature": "peak", "given": {"wave": capture.sha256}} if capture else None,
    )


def treatment(peak: float = 4e-3, count: int = 4000, seed: int = 0) -> Capture:
    """A ramp, a plateau and a single-sample peak in its middle, with noise and a gap."""
    samples = np.clip(np.arange(count) / (count / 5) * 4e-3, 0, 4e-3)
    samples += np.random.default_rng(seed).normal(0, 2e-7, count)
    samples[count // 2] = peak
    first = count * 3 // 4
    samples[first : first + 50] = np.nan
    accuracy = Accuracy("SIM-0002[10 mA]", 5e-4, 2e-6, "data sheet, 1 year")
    source = Source("ammeter", "SIM-0002", accuracy, Calibration.VALID)
    return Capture(samples, 0.0, 0.01, 1e-5, Dimension.CURRENT, source, ((first, 50),))


class Run:
    """Writes a run folder step by step, as the plugin does."""

    def __init__(
        self,
        folder: Path,
        requirements: Iterable[Requirement],
        hazards: Iterable[str] = (),
        **run: Any,
    ) -> None:
        self.folder = folder
        self.requirements = {r.id: r for r in requirements}
        self.made: dict[str, str] = {}  # capture to its record
        self.evidence = Evidence.create(folder, clock())
        self.evidence.append(
            "run",
            {
                "schema": 1,
                "run_id": "20260301-093000-ab12",
                "version": "0.1.0",
                "python": "3.11.7",
                "platform": "Linux",
                "seed": 1,
                "real": False,
                "expected": "SIMULATED",
                "expected_reason": "every instrument is simulated",
                "required": "",
                "operator": "A. Tester",
                "software": {"packages": {"stimproof": "0.1.0"}, "sha256": "5" * 64},
                "register": {"number": 1, "entry": "e" * 64, "previous": None},
                "firmware": None,
                "faults": [],
                "suites": [],
                "depth": "standard",
                "partial": "",
                "lease": "the runner itself, in process",
                "pytest_args": [],
            }
            | run,
        )
        self.evidence.append(
            "plan",
            {
                "device": self.evidence.document("device.toml", "class = 'iontophoresis'\n"),
                "bench": self.evidence.document("bench.toml", "name = 'bench'\n"),
                "manufacturer": "Example Medical",
                "model": "Ionto 4",
                "device_class": "iontophoresis",
                "bench_name": "simulated bench",
                "catalogues": [],
                "wiring": {"ammeter": "in series, high side", "cutoff_kind": "independent"},
                "figures": [
                    {
                        "name": "output.setpoint_max",
                        "value": "4.0 mA",
                        "source": "specification 3.1",
                        "why": "largest treatment current",
                        "status": "project",
                    }
                ],
                "requirements": [requirement_body(r) for r in self.requirements.values()],
                "hazards": list(hazards),
            },
        )

    def collect(self, tests: dict[str, list[str]], errors: Iterable[str] = ()) -> None:
        items = [{"test": t, "requirements": r, "doc": f"Shows {t}."} for t, r in tests.items()]
        body = {"items": items, "plugins": ["hil 0.1.0"], "errors": list(errors)}
        self.evidence.append("collected", body)
        for role, serial in (("ammeter", "SIM-0002"), ("stimulator", "SIM-0001")):
            self.evidence.append(
                "instrument",
                {
                    "role": role,
                    "resource": f"SIM::{role}",
                    "driver": "simulated",
                    "manufacturer": "Example",
                    "model": "X1",
                    "serial": serial,
                    "firmware": "1.0",
                    "certificate": "",
                    "due": "",
                    "calibration": "valid",
                },
            )

    def record(self, test: str, capture: Capture, scenario: Any = None) -> str:
        stored = self.evidence.capture(capture, "current")
        name = self.made[capture.sha256] = capture.sha256[:12]
        self.evidence.append(
            "record",
            {
                "record": name,
                "test": test,
                "scenario": scenario or {},
                "captures": [stored],
                "events": [{"name": "open", "time": 15.0, "u": 1e-4}],
                "phases": {"hold": [[8.0, 40.0]]},
                "claimed_charge": "0.1 C",
                "states": [],
            },
        )
        return name

    def test(self, name: str, outcome: str = "passed", detail: str = "", judged: Any = ()) -> None:
        self.evidence.append("test_begin", {"test": name})
        for req, measured, at, record in judged:
            for sha256 in measured.captures:
                body = {"record": self.made[sha256], "test": name}
                self.evidence.append("recalled", body)
            verdict = judge(self.requirements[req], measured, at)
            self.evidence.append("judgement", judgement_body(name, verdict, record))
        self.finish(name, outcome, detail, len(judged))

    def finish(self, name: str, outcome: str, detail: str, judgements: int) -> None:
        end = {"test": name, "outcome": outcome, "detail": detail, "seconds": 0.25}
        self.evidence.append("test_end", end | {"judgements": judgements})

    def off(
        self, *, confirmed: bool = True, by_supply: bool = False, device: str = "terminals 0.1 V"
    ) -> None:
        body = {
            "confirmed": confirmed,
            "device_off": device,
            "path_open": "cut-off open",
            "reason": "" if confirmed else "the ammeter did not answer",
            "by_supply": by_supply,
        }
        self.evidence.append("safe_state", body)

    def end(self, pytest_exit: int = 0) -> Path:
        self.evidence.append("end", {"pytest_exit": pytest_exit, "seconds": 1.5})
        self.evidence.close()
        return self.folder


def good_run(folder: Path, **run: Any) -> Path:
    """Two requirements, both PASS."""
    run_ = Run(folder, [requirement("LIM-A"), requirement("LIM-B", "dose")], **run)
    run_.collect({"m:test_a[1]": ["LIM-A", "LIM-B"]})
    capture = treatment()
    record = run_.record("m:test_a[1]", capture)
    value = current("0.0040031", capture)
    run_.test("m:test_a[1]", judged=[("LIM-A", value, None, record), ("LIM-B", value, None, "")])
    run_.off()
    return run_.end()


def every_verdict(folder: Path, **run: Any) -> Path:
    """One requirement a verdict, hostile text in each place that a device or a file can fill."""
    within = Limit(Kind.WITHIN, Exact.parse("0.04 mA"), Decimal("0.05"))
    names = ["PASS", "FAIL", "ERROR", "NOVERDICT", "INCONCLUSIVE", "NE", "NA"]
    gone = Applicability(removes=True, reason="no lid")
    requirements = [
        requirement(
            f"R-{name}", mandatory=name != "NE", applicability=gone if name == "NA" else None
        )
        for name in names
    ]
    requirements.append(requirement("R-WITHIN", "accuracy", limit=within, title=HOSTILE))
    requirements.append(requirement("R-BARE", "dose", text=HOSTILE, source=HOSTILE))
    run_ = Run(folder, requirements, **run)
    run_.collect({f"m:test_{name}[{HOSTILE[:40]}]": [f"R-{name}"] for name in [*names, "WITHIN"]})
    test = {name: f"m:test_{name}[{HOSTILE[:40]}]" for name in [*names, "WITHIN"]}
    bad = treatment(peak=5e-3)
    record = run_.record(test["FAIL"], bad)
    run_.test(test["PASS"], judged=[("R-PASS", current("0.004", bad), None, "")])
    over = current("0.00420000004", bad)
    run_.test(test["FAIL"], "failed", "R-FAIL", [("R-FAIL", over, None, record)])
    nan = current("NaN")
    run_.test(test["ERROR"], "failed", HOSTILE, [("R-ERROR", nan, None, "")])
    near = current("0.0041999")
    run_.test(test["INCONCLUSIVE"], "failed", "", [("R-INCONCLUSIVE", near, None, record)])
    for name, verdict in (("NE", "NOT_EVALUATED"), ("NA", "NOT_APPLICABLE")):
        body = judgement_body(test[name], judge(run_.requirements[f"R-{name}"], nan))
        body |= {"verdict": verdict, "reason": f"the bench has no oscilloscope {HOSTILE}"}
        body["measured"] = None
        run_.evidence.append("test_begin", {"test": test[name]})
        run_.evidence.append("judgement", body)
        run_.finish(test[name], "skipped", "no oscilloscope", 1)
    at = [Exact.parse(text) for text in ("0.1 mA", "2 mA", "4 mA")]
    values = [current(str(point.base + Decimal("1E-6")), bad) for point in at]
    judged = [("R-WITHIN", v, a, record) for v, a in zip(values, at, strict=True)]
    run_.test(test["WITHIN"], judged=judged)
    run_.evidence.append("test_begin", {"test": test["NOVERDICT"]})
    run_.off()
    return run_.end(pytest_exit=1)
