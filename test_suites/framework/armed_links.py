"""An armed run under every fault of every link, held against the circuit of the simulated bench.

A trial is a test of a whole run, from pre-flight to conclusion. Current flows when the link of one
instrument fails, once or for good, or something befalls the instrument. Then nothing flows any
more, what was recorded is true or there is none of it, whoever reads the error knows what to do,
and the run goes on or ends by its rules.

    python -m framework.armed_links --trials 400 --seed 7
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import itertools
import random
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from pyvisa import constants
from pyvisa.errors import VisaIOError

from framework.link_trials import ANOTHER
from hil.conclusion import Conclusion
from hil.errors import Abort, HilError, SafeStateUnconfirmed
from hil.exact import Exact
from hil.features import steady
from hil.record import Record
from hil.scenario import LoadStep, Phase, Scenario, at
from hil.verdict import ExitCode, Verdict
from hil_fixtures import plan
from hil_fixtures.campaign import Campaign
from hil_fixtures.config import starter
from hil_fixtures.safe_state import Liveness
from hil_fixtures.station import LEASE
from hil_instruments.simulated.faults.link import LINK_FAULTS, LinkFault
from hil_instruments.simulated.physics.node import Node

ROLES = ("stimulator", "ammeter", "voltmeter", "oscilloscope", "load", "supply", "cutoff")
ONCE, FOR_GOOD = "once", "for good"
EVENTS = (
    "power fails for good",
    "power fails and returns once",
    "locked once",
    "locked for good",
    "another program once",
)
"""What befalls an instrument at a message, beside the faults of its link."""
FAULTS = (*(f"{kind} {length}" for kind in LINK_FAULTS for length in (ONCE, FOR_GOOD)), *EVENTS)
PROVE = frozenset({"ammeter", "voltmeter", "load", "supply", "cutoff"})
"""Roles without which off cannot be proven."""
HIGH = "F14:severity=8%"
"""A device that drives 8 % more than it is set to: a PASS of its accuracy is always wrong."""
QUICK = {
    "ramp.up_time": "1 s",
    "ramp.down_time": "1 s",
    "ramp.up_slope": "1 mA/s",
    "ramp.down_slope": "1 mA/s",
    "ramp.step": "0.5 mA",
    "output.setpoint_max": "1 mA",
}
"""Figures of a device that is soon there, so that many trials take little time."""
SETTING = "1 mA"
LATE = 0.01
"""Time in s by which a record may be shifted; where a current changes, its mean shows that."""
COUNTED = LinkFault(kind="late", probability=0.0)
"""On a healthy link, so that it counts."""
NODES = {"current": Node.CURRENT, "voltage": Node.TERMINAL}


def device() -> str:
    """Text of the device file."""
    text = starter("device")
    for name, value in QUICK.items():
        head = rf'(?m)(^\[{re.escape(name)}\]\nvalue = )"[^"]*"'
        text, count = re.subn(head, rf'\g<1>"{value}"', text)
        assert count == 1, name
    return text


@dataclasses.dataclass
class Outcome:
    """How a trial ended."""

    error: str = ""
    """Type of the error; empty if none was raised."""
    verdict: Verdict | None = None
    """Of the test; None before the run was concluded."""
    unsafe: str = ""
    """Why off could not be proven; empty where it was."""
    wrong: list[str] = dataclasses.field(default_factory=list)
    """What must not be."""


class Sitting:
    """One run, of which each trial is a test; it goes on until off could not be proven."""

    def __init__(self, folder: Path, *, high: bool) -> None:
        file = folder / "device.toml"
        file.write_text(device(), encoding="utf-8")
        faults = (HIGH,) if high else ()
        options = plan.Options(file, None, suites=("current-limits",), faults=faults)
        self.high = high
        self.campaign = Campaign.begin(options, folder, [])
        self.tests: dict[str, Outcome] = {}
        self._moments: dict[str, tuple[int, int]] = {}
        self._numbers = itertools.count(1)
        self._out: tuple[str, LinkFault | str] | None = None
        names = [f"armed_links:trial[{n}]" for n in range(1, 400)]
        self._names = iter(names)
        items: Any = [{"test": each, "requirements": ["LIM-ACC"], "doc": ""} for each in names]
        self.campaign.collected(items, [], [])

    @property
    def twin(self) -> Any:
        """The simulated bench."""
        return self.campaign.bench.station.twin

    def heal(self) -> None:
        """End every fault of a link, and what befell an instrument."""
        self._out = None
        for role, link in self.twin.links.items():
            link.set(())
            vars(link).pop("hears", None)
            self.twin.instruments[role].set_mains(True)

    def moments(self, role: str, fault: str) -> int:
        """How many replies, or messages, a role has from the start of a treatment on."""
        if not self._moments:
            outcome = self.trial(role, "late once", 10**6)
            assert not outcome.error, outcome
            for name, link in self.twin.links.items():
                self._moments[name] = link.replies, link.messages
        return self._moments[role][fault in EVENTS or fault.startswith("unplugged")]

    def trial(self, role: str, fault: str, first: int, seed: int = 0) -> Outcome:
        """Let a fault strike once current flows, at a reply of a role or a message to it.

        Args:
            role: whose link.
            fault: one of FAULTS.
            first: which reply or message, counted from the command that starts the treatment.
            seed: of what is drawn.
        """
        length = ONCE if fault.endswith(ONCE) else FOR_GOOD
        kind = fault.removesuffix(f" {length}")
        strikes: LinkFault | str = kind
        if fault not in EVENTS:
            strikes = LinkFault(kind=kind, first=first, every=0 if length == ONCE else 1)
        found, record = Outcome(), None
        lasting = self._out is not None
        if self._out is not None:
            role = self._out[0]
        name = next(self._names)
        campaign = self.campaign
        campaign.begin_test(name)
        try:
            with self._striking(role, strikes, first, seed, lasts=length == FOR_GOOD) as started:
                record = campaign.bench.record(self._scenario())
                self._judge(name, record)
        except (HilError, Abort) as err:
            found.error = type(err).__name__
            if not started:
                found.wrong.append(f"before it began: {found.error}: {err}")
            elif lack := untold(role, err):
                found.wrong.append(lack)
            if isinstance(err, Abort):
                found.wrong.append(f"a fault of a link is no wish to end: {err}")
        except Exception as err:
            found.error = type(err).__name__
            found.wrong.append(f"{found.error}: {err}")
        outcome = "error" if found.error else "passed"
        campaign.note(
            "test_end",
            {
                "test": name,
                "outcome": outcome,
                "detail": found.error,
                "seconds": 0.0,
                "judgements": campaign.docket.judgements,
            },
        )
        self.tests[name] = found
        found.unsafe = campaign.unsafe
        found.wrong += self._alive()
        if record is not None:
            found.wrong += self._untrue(record)
        lasting = lasting or length == FOR_GOOD
        gone = role in PROVE and (lasting or kind == "another program")
        unprovable = gone or Liveness.LOST.value in found.unsafe
        if found.unsafe and not unprovable:
            found.wrong.append(f"off could have been proven: {found.unsafe}")
        if found.unsafe and found.error != SafeStateUnconfirmed.__name__:
            found.wrong.append(f"off was not confirmed, and {found.error or 'no error'} was raised")
        return found

    def again(self) -> list[str]:
        """Ask for the next treatment, whatever is still wrong; what must not be."""
        found = self.trial("stimulator", "late once", 10**6)
        return [each for each in found.wrong if not each.startswith("before it began")]

    def close(self) -> Conclusion:
        """End the run, as pytest does; what it amounts to, and must not, is added to `tests`."""
        if cause := self.campaign.interruption.cause:
            self.campaign.abort(cause)
        concluded = self.campaign.close(0, 1.0)
        verdicts = {row.test: row.verdict for row in concluded.tests}
        for name, found in self.tests.items():
            found.verdict = verdicts[name]
            if found.verdict is Verdict.PASS and (found.error or self.high):
                found.wrong.append("PASS")
        last = self.tests[[*self.tests][-1]]
        if (concluded.exit_code is ExitCode.UNSAFE) is not bool(self.campaign.unsafe):
            last.wrong.append(f"exit code {concluded.exit_code}: {concluded.reasons}")
        return concluded

    def _scenario(self) -> Scenario:
        """A treatment whose load changes; each is another one, so that none is recalled."""
        hold = Exact.parse(f"{2 + next(self._numbers) / 1000:.3f} s")
        steps = [
            LoadStep(at(Phase.HOLD, Exact.parse("1.2 s")), Exact.parse("5 kohm")),
            LoadStep(at(Phase.HOLD, Exact.parse("1.6 s")), Exact.parse("2 kohm")),
        ]
        return Scenario.treatment(Exact.parse(SETTING), hold=hold, disturb=steps)

    def _judge(self, name: str, record: Record) -> None:
        judge = self.campaign.judge(name, ("LIM-ACC",))
        judge("LIM-ACC", steady(record.current), at=Exact.parse(SETTING))

    @contextmanager
    def _striking(
        self, role: str, fault: LinkFault | str, first: int, seed: int, *, lasts: bool
    ) -> Iterator[list[str]]:
        """Have a link or an instrument fail from the start command on; yields what began.

        What has struck for good is still there after the power-up of the next arming.
        """
        bench, started = self.campaign.bench, list[str]()
        journal = bench.journal

        def heard(kind: str, body: Mapping[str, Any]) -> None:
            journal(kind, body)
            if kind == "armed" and self._out is not None and isinstance(self._out[1], LinkFault):
                self._set(*self._out, seed)
            if body.get("command") == "start" and bench.test.startswith("armed_links"):
                started.append(kind)
                if self._out is None:
                    self._set(role, fault if isinstance(fault, LinkFault) else COUNTED, seed)
                    self._out = (role, fault) if lasts else None
                    if isinstance(fault, str):
                        self._befall(role, fault, first, lasts=lasts)

        bench.journal = heard
        try:
            yield started
        finally:
            bench.journal = journal

    def _set(self, role: str, fault: LinkFault, seed: int) -> None:
        for name, link in self.twin.links.items():
            link._seed = seed  # noqa: SLF001 - other bytes are garbled in each trial
            link.set([fault if name == role else COUNTED])

    def _befall(self, role: str, event: str, first: int, *, lasts: bool) -> None:
        """Have something befall an instrument at a message to it."""
        link, unit = self.twin.links[role], self.twin.instruments[role]
        real = link.hears

        def hears() -> bool:
            arrives = real()
            if event == "locked" and (link.messages >= first if lasts else link.messages == first):
                raise VisaIOError(constants.StatusCode.error_resource_locked)
            if link.messages == first and event.startswith("power"):
                unit.set_mains(False)
                unit.set_mains(event.endswith("returns"))
            elif link.messages == first and event == "another program":
                for text in ("*RST", ANOTHER.get(role, "*CLS")):
                    unit.receive(text.encode())
            return bool(arrives)

        link.hears = hears

    def _alive(self) -> list[str]:
        """What is not off, by the circuit."""
        station, profile = self.campaign.bench.station, self.campaign.plan.profile
        station.clock.sleep(LEASE + 0.5)  # a cut-off that hears nothing opens by itself
        circuit = self.twin.circuit
        found = []
        if abs(circuit.value(Node.CURRENT)) > profile.si("protection.off_current"):
            found.append(f"{circuit.value(Node.CURRENT)} A flow")
        if abs(circuit.value(Node.TERMINAL)) > profile.si("output.off_voltage"):
            found.append(f"the terminals stand at {circuit.value(Node.TERMINAL)} V")
        if circuit.cutoff_closed:
            found.append("the cut-off is closed")
        return found

    def _untrue(self, record: Record) -> list[str]:
        """What was recorded and is not true; a mean over the hold shows what a verdict rests on."""
        circuit, found = self.twin.circuit, []
        for channel, wave in record.waveforms.items():
            if channel not in NODES:
                continue
            for begin, _ in wave.phases.get("hold", ()):
                first, last = begin + 0.5, begin + 1.1
                came = wave.between(first, last)
                moments = np.linspace(first, last, 601)
                due = [
                    float(np.mean(circuit.observe(NODES[channel], moments + late)))
                    for late in (-LATE, 0.0, LATE)
                ]
                accuracy = wave.capture.source.accuracy
                limit = 2 * (accuracy.gain * max(map(abs, due)) + accuracy.offset)
                low, high = min(due) - limit, max(due) + limit
                if came.size and not low <= np.nanmean(came) <= high:
                    found.append(
                        f"{channel}: {np.nanmean(came):.6g} recorded, {due[1]:.6g} is true"
                    )
        return found


def untold(role: str, err: BaseException) -> str:
    """What an error should tell and does not."""
    told = str(err)
    lacks = []
    names = {"cutoff": "cutoff|cut-off|contacts", "supply": "supply|source"}.get(role, role)
    if not re.search(rf"({names})\b", told):
        lacks.append("the instrument")
    if not re.search(r"'[^']+'|not read|not asked|start|opened|sent a trace", told):
        lacks.append("the command")
    mends = (
        "recover|check|[Ll]ook|start|Serve|expected|somebody else|UNCONFIRMED"  # told at the end
    )
    if not re.search(mends, told):
        lacks.append("what to do")
    return f"{type(err).__name__}: {told!r} lacks {', '.join(lacks)}" if lacks else ""


def main() -> int:
    """Draw trials; return 0 if nothing came out that must not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=441, help="how many (default 441)")
    parser.add_argument("--only", default="", help="faults whose names hold this, as locked")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (default 1)")
    given = parser.parse_args()
    faults = [fault for fault in FAULTS if given.only in fault]
    draws, pairs = random.Random(given.seed), list(itertools.product(ROLES, faults))
    ended: collections.Counter[str] = collections.Counter()
    wrong, sitting = 0, None
    with tempfile.TemporaryDirectory() as room:
        for number in range(given.trials):
            role, fault = pairs[number % len(pairs)]
            if sitting is None:
                folder = Path(room) / str(number)
                folder.mkdir()
                sitting = Sitting(folder, high=draws.random() < 0.5)
            first = draws.randint(1, sitting.moments(role, fault))
            found = sitting.trial(role, fault, first, draws.randrange(10**6))
            lasts = fault.endswith(FOR_GOOD) and not found.unsafe and draws.random() < 0.5
            found.wrong += sitting.again() if lasts else []
            sitting.heal()
            if found.wrong or found.unsafe or lasts or number + 1 == given.trials:
                code = sitting.close().exit_code.name
                sitting = None
                ended[f"exit code {code}"] += 1
            length = ONCE if fault.endswith(ONCE) else FOR_GOOD
            ended[f"{length}: {found.error or 'no error'}"] += 1
            if found.wrong:
                wrong += 1
                print(f"{role}, {fault}, at {first}: {'; '.join(found.wrong)}", flush=True)
    print(f"{given.trials} trials with seed {given.seed}: {wrong} wrong; ended in {dict(ended)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
