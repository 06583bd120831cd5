"""The circuit against ngspice: the same parts and the same programme, compared at its own times.

ngspice gets an independent description: parts by hand, a stage that drives the smaller of what is
asked for and what the boost voltage allows, switches with 1 mohm and 1 Tohm, edges of 2 ns.
"""

from __future__ import annotations

import math
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from hil.bench import LoadEntry
from hil.exact import Exact
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.physics.circuit import Circuit, Node, OutputStage

Events = list[tuple[float, str, object]]
Array = npt.NDArray[np.float64]
BENCH, DEVICE = read_bench(None), read_device(None)
SHUNT = float(BENCH.shunt.base)
FULL_SCALE = {Node.CURRENT: 5e-3, Node.TERMINAL: 80.0, Node.SHUNT: 0.5}
"""The declared trip, the compliance, and the trip through the shunt."""
LIMIT = 1e-3
"""Largest deviation, a share of full scale."""
EDGE = 2e-9
"""Length in s of an edge in ngspice; the circuit has its event in the middle of it."""
BLIND = 0.5e-6
"""Seconds around an event that are not compared: there ngspice is amid an edge."""
VERBS = {
    "command": Circuit.command,
    "negative": Circuit.set_bridge,
    "cutoff": Circuit.set_cutoff,
    "compliance": Circuit.set_compliance,
    "nothing": lambda made, value: None,
}


@dataclass
class Story:
    """A circuit and a programme, for both."""

    end: float
    events: Events
    """Time in s, what, and to what: the VERBS, and `load` with its name or nothing."""
    loads: dict[str, str] = field(default_factory=lambda: {"r": "2 kohm"})
    """Name to series resistance, or to its `entry` in `entries`."""
    entries: dict[str, LoadEntry] = field(default_factory=dict)
    parts: dict[str, str] = field(default_factory=dict)
    """Name of an entry to its ngspice lines between nodes `@a` and `sh`."""
    stage: OutputStage = field(default_factory=lambda: OutputStage(operate=0, release=0))
    asked: str = "V(reg)"
    """Magnitude in mA that the stage is asked for, in ngspice's terms."""
    contact: list[tuple[float, float]] = field(default_factory=list)
    """Movements of the output relay, for ngspice; none while it stays closed."""
    boost: str = "80"
    """What the boost voltage is, in ngspice's terms."""
    lines: str = ""
    """More of the circuit, in ngspice's terms."""
    step: float = 1e-3
    """Largest step of ngspice in s."""
    blind: float = BLIND
    """Seconds around an event that are not compared."""
    options: str = "trtol=0.1 reltol=1e-7 abstol=1e-14 vntol=1e-10 chgtol=1e-20 method=trap"


def wave(points: list[tuple[float, float]]) -> str:
    """A piecewise linear source that steps to each value at its time."""
    last = [value for time, value in points if time <= 0][-1]
    text = f"0 {last:.12g}"
    for time, value in points:
        if time > 0 and value != last:
            text += f"\n+ {time - EDGE / 2:.14g} {last:.12g} {time + EDGE / 2:.14g} {value:.12g}"
        last = value
    return f"PWL({text})"


def netlist(story: Story) -> str:
    def course(verb: str, first: float, scale: float = 1.0) -> str:
        found = [(t, scale * float(value)) for t, name, value in story.events if name == verb]
        return wave([(0.0, first), *found])

    stage = story.stage
    rows = [
        "* circuit of the bench",
        f"Vcmd cmd 0 {course('command', 0.0, 1e3)}",
        "Rlag cmd reg 1k",
        f"Clag reg 0 {stage.lag * 1e-3:.12g}",
        f"Vneg neg 0 {course('negative', 0.0)}",
        "Bsign sign 0 V = 1 - 2 * V(neg)",
        f"{'B' if '=' in story.boost else 'V'}rail rail 0 {story.boost}",
        f"Bstage 0 st I = V(sign) * max(0, min({story.asked} * 1e-3, "
        f"(V(rail) - V(sign) * V(st)) / {stage.drop:.12g}))",
        *relay(story),
        "Rburden out am 2",
        "Vam am term 0",
        "Rvolt term 0 10Meg",
        f"Rshunt sh 0 {SHUNT}",
        f"Vcut cut 0 {course('cutoff', 1.0)}",
        "Scut term cuts cut 0 contact",
        ".model contact SW(Ron=1m Roff=1e12 Vt=0.5 Vh=0)",
        story.lines,
    ]
    for name in {**story.loads, **story.entries}:
        on = [
            (t, 1.0 if value == name else 0.0) for t, verb, value in story.events if verb == "load"
        ]
        rows += [f"Von{name} on{name} 0 {wave([(0.0, 0.0), *on])}"]
        rows += [f"S{name} cuts {name}a on{name} 0 contact"]
        default = (
            f"R{name} @a sh {float(Exact.parse(story.loads[name]).base)}"
            if name in story.loads
            else ""
        )
        rows += [story.parts.get(name, default).replace("@", name)]
    rows += [
        f".options {story.options}",
        f".tran {story.step} {story.end} 0 {story.step} uic",
        ".save v(term) v(sh) i(vam) v(out)",
        ".end",
    ]
    return "\n".join(row for row in rows if row) + "\n"


def relay(story: Story) -> list[str]:
    """Between stage and output: a wire, or a contact with capacitances on both sides."""
    before, behind = story.stage.stray, story.stage.capacitance
    if not story.contact:
        return ["Vrelay st out 0", f"Cout out 0 {before + behind:.12g}"]
    return [
        f"Cstray st 0 {before:.12g}",
        f"Rstray st 0 {20e-3 / before:.12g}",
        f"Cout out 0 {behind:.12g}",
        f"Vmade made 0 {wave(story.contact)}",
        "Brelay st out I = V(st, out) * V(made) / 5",
        f"Bbleed out 0 I = V(made) > 0.5 ? 0 : V(out) / {story.stage.bleed:.12g}",
    ]


def spice(text: str, folder: Path) -> dict[str, Array]:
    """Run ngspice in batch mode; return what it saved, by name."""
    source, raw = folder / "circuit.cir", folder / "circuit.raw"
    source.write_text(text, encoding="ascii")
    done = subprocess.run(
        ["ngspice", "-b", "-r", str(raw), str(source)], capture_output=True, text=True, check=False
    )
    if done.returncode or not raw.exists():
        raise RuntimeError(f"ngspice ended with {done.returncode}: {done.stdout}{done.stderr}")
    head, _, body = raw.read_bytes().partition(b"Binary:\n")
    lines = head.decode("ascii").splitlines()
    first = lines.index("Variables:") + 1
    names = [line.split()[1] for line in lines[first:] if line.startswith("\t")]
    table = np.frombuffer(body, dtype=np.float64).reshape(-1, len(names))
    return dict(zip(names, table.T, strict=True))


def simulated(story: Story) -> Circuit:
    made = Circuit(DEVICE, BENCH, story.stage)
    made.set_cutoff(True)
    made.set_output_relay(True)
    made.watch(Node.OUTPUT, 1.0, 60.0)  # windows must not change what happens
    entries = story.entries | {
        name: LoadEntry(name, 1, Exact.parse(text)) for name, text in story.loads.items()
    }
    for time, verb, value in sorted(story.events, key=lambda event: event[0]):
        made.advance(time)
        if verb == "load":
            made.select_load(entries[str(value)] if value else None)
        else:
            VERBS[verb](made, value)  # type: ignore[operator]  # verb and value fit in the stories
    made.advance(story.end)
    return made


def deviations(story: Story, folder: Path) -> dict[Node, float]:
    """Largest deviation of each node, a share of full scale."""
    found = spice(netlist(story), folder)
    times = found["time"]
    moments = np.array([time for time, *_ in story.events])
    away = np.min(np.abs(times[:, None] - moments), axis=1) > story.blind
    made = simulated(story)
    names = {Node.CURRENT: "i(vam)", Node.TERMINAL: "v(term)", Node.SHUNT: "v(sh)"}
    return {
        node: float(
            np.max(np.abs(made.observe(node, times[away]) - found[name][away])) / FULL_SCALE[node]
        )
        for node, name in names.items()
    }


def skin(name: str, parallel: str = "10 kohm", **more: object) -> LoadEntry:
    parts = (Exact.parse("470 ohm"), Exact.parse(parallel), Exact.parse("100 nF"))
    return LoadEntry(name, 1, *parts, **more)  # type: ignore[arg-type]  # fields of the stories below


def link(name: str, first: str, second: str, ohm: float, farad: float) -> str:
    return f"R{name} {first} {second} {ohm:.12g}\nC{name} {first} {second} {farad:.12g} ic=0"


def electrode(ohm: float = 10e3, farad: float = 100e-9) -> str:
    return f"Rs@ @a @b 470\n{link('@p', '@b', 'sh', ohm, farad)}"


def ladder(alpha: float, ohm: float, farad: float) -> str:
    """Cole's element as some hundred links: its relaxation times, sampled."""
    places = np.arange(-14.0, 8.0, 0.35)
    angle = alpha * math.pi
    shares = 0.35 / (2 * math.pi) * np.sin(angle) / (np.cosh(alpha * places) + np.cos(angle))
    times = ohm * farad * np.exp(places)
    fast = np.sin(angle) / (math.pi * alpha) * math.exp(alpha * (places[0] - 0.175))
    rows = [f"Rs@ @a @n0 {470 + ohm * fast:.12g}"]
    for k, (share, time) in enumerate(zip(shares * ohm, times, strict=True)):
        end = f"@n{k + 1}" if k + 1 < len(times) else "sh"
        rows.append(link(f"@c{k}", f"@n{k}", end, share, time / share))
    return "\n".join(rows)


def yielding(start: float, final: float, time: float, recovery: float) -> str:
    """Skin whose resistance is start to final by a state w of 1 to 0."""
    ohm = f"({final} + {start - final} * V(@w))"
    return f"""Rs@ @a @b 470
Cp@ @b sh 100n ic=0
Bp@ @b sh I = V(@b, sh) / {ohm}
Cw@ @w 0 1 ic=1
Bw@ 0 @w I = (1 - V(@w)) / {recovery:.12g} - abs(V(@b, sh)) / {ohm} / 1m / {time} * V(@w)"""


def staircase(begin: float, end: float, low: float, high: float, steps: int) -> Events:
    """A ramp as the firmware makes it: steps of the converter."""
    return [
        (begin + (end - begin) * k / steps, "command", low + (high - low) * (k + 1) / steps)
        for k in range(steps)
    ]


BOUNCING = OutputStage(operate=1e-3, release=0, bounces=3, bounce=100e-6, stray=200e-12)
BOUNCES = [(0.0, 0.0), *((1e-3 + k * 100e-6, float(k % 2 == 0)) for k in range(7))]
COARSE = "trtol=1 reltol=1e-5 abstol=1e-12 vntol=1e-7 chgtol=1e-15 method=trap"
"""Where ngspice fails with its finer options."""
WEAK = OutputStage(operate=0, release=0, boost_lag=20e-3)
SHAKY = OutputStage(operate=0, release=0, ripple=0.05, ripple_frequency=400)
LEAKY = OutputStage(operate=0, release=0, isolation=50e3)
SHAKE = "(V(reg) + 0.05 * V(cmd) * sin(800 * 3.14159265358979 * (time - 2m)))"
FALL = {"final_resistance": Exact.parse("3 kohm"), "fall_time": Exact.parse("0.5 s")}
RECOVERY = -1800 / math.log(1 - 2 * 3 / 47)
TRIP = 5e-3 - 1e-3 * math.log(1 - 5 / 6)
"""Seconds from a command of 6 mA to the comparator, set at 5 mA: lag and half the trip time."""
STORIES = {
    "ramp in steps, hold and stop, 2 kohm": Story(
        1.2, [(0, "load", "r"), *staircase(0, 0.5, 0, 4e-3, 20), (1.0, "command", 0.0)]
    ),
    "skin, ramp and stop": Story(
        0.5,
        [(0, "load", "skin"), *staircase(0, 0.25, 0, 3e-3, 10), (0.4, "command", 0.0)],
        entries={"skin": skin("skin")},
        parts={"skin": electrode()},
        step=1e-4,
    ),
    "polarity flip of 3 mA through skin": Story(
        0.06,
        [(0, "load", "skin"), (1e-3, "command", 3e-3), (30e-3, "negative", True)],
        entries={"skin": skin("skin")},
        parts={"skin": electrode()},
        step=2e-5,
    ),
    "open and reconnection, 5 kohm": Story(
        0.08,
        [(0, "load", "r"), (1e-3, "command", 2e-3), (20e-3, "load", None), (40e-3, "load", "r")],
        {"r": "5 kohm"},
        step=2e-5,
    ),
    "cut-off opened on skin, its charge, and closed again": Story(
        0.04,
        [
            (0, "load", "skin"),
            (1e-3, "command", 2e-3),
            (20e-3, "cutoff", False),
            (20.7e-3, "cutoff", True),
        ],
        entries={"skin": skin("skin")},
        parts={"skin": electrode()},
        step=1e-5,
    ),
    "load step 20 kohm to 1 kohm through an open contact": Story(
        0.06,
        [(0, "load", "a"), (1e-3, "command", 3e-3), (20e-3, "load", None), (21e-3, "load", "b")],
        {"a": "20 kohm", "b": "1 kohm"},
        step=2e-5,
    ),
    "two electrodes": Story(
        0.06,
        [(0, "load", "two"), (1e-3, "command", 2e-3), (30e-3, "negative", True)],
        entries={
            "two": skin(
                "two",
                second_parallel=Exact.parse("4.7 kohm"),
                second_capacitance=Exact.parse("220 nF"),
            )
        },
        parts={
            "two": "Rs@ @a @b 470\n"
            + link("@p", "@b", "@c", 10e3, 100e-9)
            + "\n"
            + link("@q", "@c", "sh", 4.7e3, 220e-9)
        },
        step=2e-5,
    ),
    "Cole's element, alpha 0.8, flip and stop": Story(
        0.06,
        [
            (0, "load", "cole"),
            (1e-3, "command", 3e-3),
            (20e-3, "negative", True),
            (40e-3, "command", 0.0),
        ],
        entries={"cole": skin("cole", cole_alpha=0.8)},
        parts={"cole": ladder(0.8, 10e3, 100e-9)},
        step=5e-5,
        options=COARSE,
    ),
    "dry skin falls from 50 kohm to 3 kohm, limiting at first, and rests": Story(
        2.5,
        [
            (0, "load", "dry"),
            (0.01, "command", 3e-3),
            (1.6, "command", 0.0),
            (1.9, "command", 1e-3),
        ],
        entries={"dry": skin("dry", "50 kohm", **FALL)},
        parts={"dry": yielding(50e3, 3e3, 0.5, RECOVERY)},
        step=2e-4,
    ),
    "compliance met and left in a ramp up and down, 100 kohm of skin": Story(
        0.5,
        [
            (0, "load", "skin"),
            *staircase(0, 0.25, 0, 2e-3, 25),
            *staircase(0.25, 0.5, 2e-3, 0, 25),
        ],
        entries={"skin": skin("skin", "100 kohm")},
        parts={"skin": electrode(100e3)},
        step=1e-4,
    ),
    "boost voltage rises slowly under an open load": Story(
        0.06,
        [(0, "load", "r"), (1e-3, "command", 3e-3), (2e-3, "compliance", 40.0)],
        {"r": "20 kohm"},
        stage=WEAK,
        boost="V = time < 2m ? 80 : 40 + 40 * exp(-(time - 2m) / 20m)",
        step=1e-5,
    ),
    "the comparator trips at 6 mA": Story(
        0.02,
        [(0, "load", "r"), (2e-3, "command", 6e-3), (2e-3 + TRIP, "nothing", None)],
        asked="(V(tim) < 5m ? V(reg) : 0)",
        lines="Ctim tim 0 1 ic=0\nBtim 0 tim I = V(reg) > 5 ? 1 : 0\n"
        "Bbleed out 0 I = V(tim) < 5m ? 0 : V(out) / 1e6",
        step=5e-7,
        blind=3e-6,  # ngspice sees the trip at its next step
    ),
    "a bouncing output relay, 3 mA already asked for": Story(
        4e-3,
        [(0, "load", "skin"), (0, "command", 3e-3), *((t, "nothing", None) for t, _ in BOUNCES)],
        entries={"skin": skin("skin")},
        parts={"skin": electrode()},
        stage=BOUNCING,
        contact=BOUNCES,
        step=1e-6,
        blind=1.5e-6,  # ngspice needs a contact resistance, which slows the spike
        options=COARSE,
    ),
    "the loop oscillates at 400 Hz, 20 kohm": Story(
        0.05,
        [(0, "load", "r"), (2e-3, "command", 2e-3)],
        {"r": "20 kohm"},
        stage=SHAKY,
        asked=SHAKE,
        step=1e-5,
    ),
    "isolation of 50 kohm to an earthed supply": Story(
        0.05,
        [(0, "load", "r"), (2e-3, "command", 2e-3)],
        {"r": "5 kohm"},
        stage=LEAKY,
        lines="Vsupply sup earth 9\nRiso sup out 50k\nRmeter earth 0 1k",
        step=1e-5,
        blind=3e-6,  # ngspice starts its first step coarsely
    ),
}


@pytest.mark.needs_tool("ngspice")
@pytest.mark.parametrize("name", STORIES)
def test_ngspice_agrees(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = deviations(STORIES[name], tmp_path)
    with capsys.disabled():
        print(f"\n{name}: {', '.join(f'{n.name} {d:.5%}' for n, d in found.items())} of full scale")
    assert max(found.values()) < LIMIT
