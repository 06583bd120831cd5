"""Makes the pictures and the computed tables of docs/simulated-bench.md.

    .venv/bin/python docs/make_bench_page.py            # all; needs ngspice for the overlay
    .venv/bin/python docs/make_bench_page.py F07 dry    # these pictures alone

Nothing here depends on a clock: the bench is simulated from one seed, so a second call writes the
same files. Pictures go to docs/images/, tables between the `made:` marks of the page.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

import numpy as np
from bench_chart import BLUE, GREEN, PALE, RED, Array, Chart, Panel, Trace
from bench_schematic import circuit

from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.faults.catalogue import Layer, catalogue
from hil_instruments.simulated.faults.spec import FaultSpec
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.physics.stage import OutputStage

ROOT = Path(__file__).resolve().parent.parent
PAGE, IMAGES = ROOT / "docs" / "simulated-bench.md", ROOT / "docs" / "images"
ORACLE = ROOT / "test_suites" / "framework" / "test_ngspice.py"
SEED = 7
PROFILE, BENCH = read_device(None), read_bench(None)
OFF_CURRENT = PROFILE.si("protection.off_current") * 1e6
"""Declared largest current in uA of an output that is off."""


class Stand:
    """The built-in bench with its instruments, spoken to by SCPI, and looked at in its circuit."""

    def __init__(self, fault: str = "", load: str = "2k") -> None:
        self.bench = SimulatedBench(PROFILE, BENCH, [fault] if fault else [], SEED)
        self.say("supply", ":APPL CH1,9,1", ":OUTP CH1,ON")
        self.say("load", f"ROUT:CLOS (@{BENCH.loads[load].channel})")
        self.say("cutoff", "REL:CLOS 1")
        self.until(1.0)

    @property
    def now(self) -> float:
        return self.bench.clock.time

    def say(self, role: str, *messages: str) -> str:
        """Send messages; the reply to the last."""
        return [self.bench.exchange(role, each) for each in messages][-1].decode().strip()

    def until(self, time: float) -> None:
        """Let time pass and keep the lease of the cut-off."""
        while self.now < time:
            self.say("cutoff", "REL:REN 10")
            self.bench.clock.advance(min(time, self.now + 5.0))

    def treat(self, milliamperes: float, ramp: float = 20, dose: float = 20) -> float:
        """Start a treatment at the next whole second; the time of its start."""
        self.say(
            "stimulator", f"CURR {milliamperes} MA", f"RAMP {ramp}", f"DOSE {dose}", "*CLS"
        )
        self.until(float(np.ceil(self.now)))
        self.say("stimulator", "TREAT:STAR")
        return self.now

    def seen(self, node: Node, begin: float, end: float, count: int = 20_000) -> Array:
        """What the circuit showed at `count` even moments."""
        end = min(end, self.now)
        return self.bench.circuit.observe(node, np.linspace(begin, end, count))


# --- a healthy treatment ---------------------------------------------------------------------------


SPAN = 4.0
"""Seconds between two readings; the circuit's history is looked at as often, it is bounded."""


def treatment() -> Chart:
    """Draw a treatment of dry skin, what it does to the skin, and what the instruments read."""
    stand = Stand(load="dry")
    stand.say("ammeter", "CONF:CURR:DC 0.01")
    stand.say("voltmeter", "CONF:VOLT:DC 100")
    start = stand.treat(2, ramp=30, dose=4)
    end = 156.0
    readings: dict[str, list[tuple[float, float]]] = {"ammeter": [], "voltmeter": []}
    skin, currents, voltages = [], [], []
    for begin in np.arange(start, start + end, SPAN):
        stand.until(begin + SPAN)
        currents.append(1e3 * stand.seen(Node.CURRENT, begin, begin + SPAN, 500))
        voltages.append(stand.seen(Node.TERMINAL, begin, begin + SPAN, 500))
        skin.append((begin + SPAN - start, stand.bench.circuit.skin_resistance / 1e3))
        for role, found in readings.items():
            at = stand.now
            value = float(stand.say(role, "READ?"))
            found.append(((at + stand.now) / 2 - start, value))
    state, claimed = stand.say("stimulator", "TREAT:STAT?"), stand.say("stimulator", "MEAS:CHAR?")
    charge = stand.bench.circuit.charge() / 0.06
    print(f"treatment: {state}, claims {claimed} mA min, delivered {charge:.5f} mA min")
    times = np.concatenate(
        [np.linspace(k * SPAN, (k + 1) * SPAN, 500) for k in range(len(currents))]
    )
    current, volts = np.concatenate(currents), np.concatenate(voltages)
    dots = {role: np.array(found).T for role, found in readings.items()}
    resistance = np.array(skin).T
    marks = (("start", 0.0), ("dose of 4 mA·min reached", _last_above(times, current, 1.99)))
    return Chart(
        "A healthy treatment of dry skin: 2 mA, 4 mA·min, ramp 30 s",
        (
            Panel(
                "current in mA",
                (
                    Trace("circuit", times, current),
                    Trace("34465A, READ?", dots["ammeter"][0], 1e3 * dots["ammeter"][1], RED, dots=True),
                ),
                marks=marks,
                low=0.0,
                high=2.5,
            ),
            Panel(
                "terminal voltage in V",
                (
                    Trace("", times, volts),
                    Trace("", *dots["voltmeter"], RED, dots=True),
                ),
                limits=(("compliance 80 V", 80.0),),
                low=0.0,
                high=90.0,
            ),
            Panel(
                "resistance under the active electrode in kΩ",
                (Trace("", *resistance, GREEN),),
                low=0.0,
                high=55.0,
                height=120,
            ),
        ),
        0.0,
        end,
    )


def _last_above(times: Array, values: Array, level: float) -> float:
    return float(times[np.flatnonzero(values > level)[-1]])


# --- healthy beside faulty -------------------------------------------------------------------------


@dataclass(frozen=True)
class Course:
    """A programme, run on a healthy and on a faulty device, and what of it is drawn."""

    fault: str
    """As `--fault` takes it."""
    title: str
    programme: Callable[[Stand], float]
    """Runs it; returns the time that the axis counts from."""
    window: tuple[float, float]
    """Begin and end of the axis in s."""
    panels: tuple[Panel, ...]
    """Without traces."""
    nodes: tuple[tuple[Node, float], ...]
    """What each panel shows, and the factor to its unit."""
    load: str = "2k"
    unit: float = 1.0
    """Seconds that the axis counts in."""

    def chart(self) -> Chart:
        """Run it twice and draw it."""
        begin, end = self.window
        times = np.linspace(begin, end, 20_000)
        shown: list[list[Trace]] = [[] for _ in self.nodes]
        for name, fault, colour in (("healthy", "", BLUE), (self.fault, self.fault, RED)):
            stand = Stand(fault, self.load)
            zero = self.programme(stand)
            stand.until(zero + end)
            for traces, (node, factor) in zip(shown, self.nodes, strict=True):
                values = stand.seen(node, zero + begin, zero + end) * factor
                width = 2.2 if colour == BLUE else 1.3
                traces.append(Trace(name, times / self.unit, values, colour, width))
            state = stand.say("stimulator", "TREAT:STAT?")
            print(f"{self.fault}, {name}: {state}, {stand.say('stimulator', 'FAUL:CODE?')}")
        panels = [
            replace(panel, traces=traces) for panel, traces in zip(self.panels, shown, strict=True)
        ]
        axis = {1.0: "time in s", 1e-3: "time in ms"}[self.unit]
        return Chart(self.title, panels, begin / self.unit, end / self.unit, axis)


def pause(stand: Stand) -> float:
    """Pause a treatment, and resume it."""
    start = stand.treat(2)
    stand.until(start + 22)
    stand.say("stimulator", "TREAT:PAUS")
    stand.until(start + 32)
    stand.say("stimulator", "TREAT:RES")
    stand.until(start + 55)
    return start


def lift_off(seconds: float, settle: float) -> Callable[[Stand], float]:
    """Lift the active electrode off for a while."""

    def programme(stand: Stand) -> float:
        start = stand.treat(3)
        stand.until(start + 25)
        lifted = stand.now
        stand.bench.circuit.set_contact(closed=False)
        stand.bench.clock.advance(lifted + seconds)
        stand.bench.circuit.set_contact(closed=True)
        stand.until(lifted + settle)
        return lifted

    return programme


def abort(stand: Stand) -> float:
    """Stop at once."""
    start = stand.treat(2)
    stand.until(start + 25)
    stopped = stand.now
    stand.say("stimulator", "TREAT:ABOR")
    stand.until(stopped + 3)
    return stopped


def hang(stand: Stand) -> float:
    """Let the processor hang in the middle of a ramp; the faulty board brings that itself."""
    start = stand.treat(4)
    at = HANGS_AT
    assert start < at - 5, f"the treatment starts at {start} s, the hang at {at} s"
    stand.until(at)
    board = stand.bench.device.board
    board.faults = replace(board.faults, hang=True)
    stand.until(at + 3)
    return at


HANGS_AT = 14.0
"""Bench time in s of the hang in F43."""


def power_loss(stand: Stand) -> float:
    """Take the supply away for a second."""
    start = stand.treat(2)
    stand.until(start + 25)
    lost = stand.now
    stand.bench.circuit.set_supply(0.0)
    stand.bench.clock.advance(lost + 1)
    stand.bench.circuit.set_supply(9.0)
    stand.until(lost + 4)
    return lost


CURRENT_MA, VOLTS = (Node.CURRENT, 1e3), (Node.TERMINAL, 1.0)
COURSES = {
    "F01": Course(
        "F01",
        "F01, firmware: ramp skipped on resume after a pause (2 mA, ramp 20 s, 2 kΩ)",
        pause,
        (-1.0, 55.0),
        (
            Panel(
                "current in mA",
                (),
                marks=(("start", 0.0), ("pause", 22.0), ("resume", 32.0)),
                low=0.0,
                high=2.6,
            ),
        ),
        (CURRENT_MA,),
    ),
    "F07": Course(
        "F07",
        "F07, analog: regulator winds up while the electrode is off the skin for 15 ms (3 mA)",
        lift_off(15e-3, 0.2),
        (-10e-3, 60e-3),
        (
            Panel(
                "current in mA",
                (),
                marks=(("lifted off", 0.0), ("back on the skin", 15.0)),
                high=5.2,
                low=-0.2,
            ),
            Panel("terminal voltage in V", (), low=0.0, high=90.0, height=140),
        ),
        (CURRENT_MA, VOLTS),
        load="skin",
        unit=1e-3,
    ),
    "F20": Course(
        "F20",
        "F20, analog, single fault: leakage past the output relay after a stop (2 mA, 2 kΩ)",
        abort,
        (-0.5, 2.5),
        (
            Panel(
                "current in µA, logarithmic; below 0.01 µA drawn at 0.01 µA",
                (),
                limits=((f"off: {OFF_CURRENT:g} µA at most, 1 s after a stop", OFF_CURRENT),),
                marks=(("stop at once", 0.0),),
                logarithmic=True,
                low=0.01,
                high=1e4,
                height=220,
            ),
        ),
        ((Node.CURRENT, 1e6),),
    ),
    "F28": Course(
        "F28",
        "F28, firmware: open electrode not detected (3 mA into skin, lifted off for 2 s)",
        lift_off(2.0, 4.0),
        (-0.5, 3.5),
        (
            Panel(
                "current in mA",
                (),
                marks=(("lifted off", 0.0), ("back on the skin", 2.0)),
                low=-0.2,
                high=4.5,
            ),
            Panel(
                "terminal voltage in V",
                (),
                limits=(("compliance 80 V", 80.0),),
                low=-2.0,
                high=92.0,
            ),
        ),
        (CURRENT_MA, VOLTS),
        load="skin",
    ),
    "F43": Course(
        f"F43:onset=after:{HANGS_AT:g}s",
        "F43, converter: the watchdog's reset drives the output high (hang in mid-ramp to 4 mA)",
        hang,
        (-1.0, 2.0),
        (
            Panel(
                "current in mA",
                (),
                limits=(("software limit 4.4 mA", 4.4),),
                marks=(("processor hangs", 0.0),),
                low=-0.2,
                high=5.6,
            ),
        ),
        (CURRENT_MA,),
    ),
    "F44": Course(
        "F44",
        "F44, power: restart at the old amplitude after a loss of supply of 1 s (2 mA, 2 kΩ)",
        power_loss,
        (-1.0, 4.0),
        (
            Panel(
                "supply voltage at the device in V",
                (),
                marks=(("supply lost", 0.0), ("supply back", 1.0)),
                low=-0.5,
                high=11.0,
                height=120,
            ),
            Panel("current in mA", (), low=-0.1, high=2.5),
        ),
        ((Node.SUPPLY, 1.0), CURRENT_MA),
    ),
}


# --- ngspice ---------------------------------------------------------------------------------------

OVERLAYS = {
    "flip": ("polarity flip of 3 mA through skin", "TERMINAL", 1e-3),
    "reopen": ("open and reconnection, 5 kohm", "TERMINAL", 1e-3),
    "dry": ("dry skin falls from 50 kohm to 3 kohm, limiting at first, and rests", "TERMINAL", 1.0),
}
"""Name of a picture to the story of the test, the node that is drawn, and the unit of the axis."""


def oracle() -> ModuleType:
    """Load the test that compares the circuit with ngspice: its stories and netlists."""
    if shutil.which("ngspice") is None:
        sys.exit("ngspice is not installed: without it the overlays cannot be made")
    spec = importlib.util.spec_from_file_location("test_ngspice", ORACLE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def overlay(test: ModuleType, name: str, node_name: str, unit: float) -> Chart:
    """Draw a story by both solvers, and how far they are apart."""
    story, node = test.STORIES[name], Node[node_name]
    with tempfile.TemporaryDirectory() as folder:
        found = test.spice(test.netlist(story), Path(folder))
    times, theirs = found["time"], found["v(term)"]
    ours = test.simulated(story).observe(node, times)
    moments = np.array([time for time, *_ in story.events])
    away = np.min(np.abs(times[:, None] - moments), axis=1) > story.blind
    apart = 100 * (ours - theirs) / test.FULL_SCALE[node]
    worst = float(np.abs(apart[away]).max())
    print(f"{name}: at most {worst:.5f} % of full scale")
    x = times / unit
    return Chart(
        f"{name[0].upper()}{name[1:]}",
        (
            Panel(
                "terminal voltage in V",
                (
                    Trace("ngspice", x, theirs, PALE, 5.0),
                    Trace("stimproof", x, ours, BLUE, 1.3),
                ),
                height=210,
            ),
            Panel(
                f"stimproof less ngspice in % of full scale (80 V); at most {worst:.4f} %, allowed 0.1 %",
                (Trace("", x[away], apart[away], RED, 1.0),),
                height=110,
            ),
        ),
        0.0,
        story.end / unit,
        {1.0: "time in s", 1e-3: "time in ms"}[unit],
    )


def agreement(test: ModuleType) -> str:
    """Tabulate how far both solvers are apart, in every story of the test."""
    rows = ["| circuit and programme | current | terminal voltage | shunt |", "|---|---|---|---|"]
    for name, story in test.STORIES.items():
        with tempfile.TemporaryDirectory() as folder:
            found = test.deviations(story, Path(folder))
        figures = " | ".join(f"{100 * found[node]:.4f} %" for node in test.FULL_SCALE)
        rows.append(f"| {name} | {figures} |")
    return "\n".join(rows)


# --- tables ----------------------------------------------------------------------------------------


def faults() -> str:
    """Count the catalogue by layer, and say what is not modelled and why."""
    known = catalogue()
    study = [f for f in known.values() if f.id[0] == "F" and int(f.id[1:]) <= 74]
    beyond = [f.id for f in known.values() if f not in study]
    layers = Counter(f.layer for f in study)
    can = Counter(f.layer for f in study if f.modelled)
    judged = Counter(f.layer for f in study if f.caught_by)
    rows = ["| layer | faults | modelled | named shipped test fails |", "|---|---|---|---|"]
    rows += [
        f"| {layer.value} | {layers[layer]} | {can[layer]} | {judged[layer]} |"
        for layer in Layer
        if layers[layer]
    ]
    rows.append(
        f"| **F01 to F74** | **{len(study)}** | **{can.total()}** | **{judged.total()}** |"
    )
    why = [f"- {f.id}, {f.title}: {f.unmodelled}" for f in study if not f.modelled]
    return "\n".join(
        [*rows, "", f"Beyond the study: {', '.join(beyond)}.", "", "Not modelled:", "", *why]
    )


TABLES: dict[str, Callable[[], str]] = {"faults": faults}


def put(name: str, text: str) -> None:
    """Replace what stands between the marks of a table of the page."""
    page = PAGE.read_text("utf-8")
    begin, end = f"<!-- made:{name} -->", "<!-- made:end -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
    assert len(pattern.findall(page)) == 1, f"{PAGE.name}: {begin} must stand there once"
    PAGE.write_text(pattern.sub(lambda _: f"{begin}\n{text}\n{end}", page), "utf-8")


def write(name: str, svg: str) -> None:
    """Write a picture."""
    (IMAGES / f"bench-{name}.svg").write_text(svg, "utf-8")
    print(f"bench-{name}.svg: {len(svg) / 1024:.0f} KB")


def pictures() -> Iterable[tuple[str, Callable[[], str]]]:
    """Name of each picture to what draws it."""
    yield "circuit", circuit
    yield "treatment", lambda: treatment().svg()
    for name, course in COURSES.items():
        yield name, lambda course=course: course.chart().svg()
    for name, story in OVERLAYS.items():
        yield name, lambda story=story: overlay(oracle(), *story).svg()


def main(wanted: list[str]) -> None:
    """Make the pictures named, or all and the tables too."""
    for name, make in pictures():
        if not wanted or name in wanted:
            write(name, make())
    if not wanted:
        for name, table in TABLES.items():
            put(name, table())
        put("agreement", agreement(oracle()))


if __name__ == "__main__":
    main(sys.argv[1:])
