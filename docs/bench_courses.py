"""What the built-in bench does in a healthy treatment, and with each of six faults: as charts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from bench_chart import BLUE, GREEN, MICRO, RED, Array, Chart, Panel, Trace

from hil.errors import UsageError
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.physics.node import Node

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
        """Bench time in s."""
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
        self.say("stimulator", f"CURR {milliamperes} MA", f"RAMP {ramp}", f"DOSE {dose}", "*CLS")
        self.until(float(np.ceil(self.now)))
        self.say("stimulator", "TREAT:STAR")
        return self.now

    def seen(self, node: Node, begin: float, end: float, count: int = 20_000) -> Array:
        """What the circuit showed at `count` even moments."""
        end = min(end, self.now)
        return self.bench.circuit.observe(node, np.linspace(begin, end, count))


SPAN = 4.0
"""Seconds between two readings; the circuit's history is looked at as often, it is bounded."""


@dataclass(frozen=True)
class Record:
    """What a treatment showed; times in s from its start."""

    times: Array
    current: Array
    """Of the circuit, in mA."""
    volts: Array
    """Of the circuit, in V."""
    skin: Array
    """Times, and resistance under the active electrode in kohm."""
    ammeter: Array
    """Times, and readings in A."""
    voltmeter: Array
    """Times, and readings in V."""


def recorded(stand: Stand, start: float, spans: int) -> Record:
    """Watch a treatment for some SPANs, and ask both multimeters after each."""
    readings: dict[str, list[tuple[float, float]]] = {"ammeter": [], "voltmeter": []}
    times, skin, currents, voltages = [], [], [], []
    for begin in start + SPAN * np.arange(spans):
        end = begin + SPAN
        stand.until(end)
        times.append(np.linspace(begin - start, end - start, 500))
        currents.append(1e3 * stand.seen(Node.CURRENT, begin, end, 500))
        voltages.append(stand.seen(Node.TERMINAL, begin, end, 500))
        skin.append((end - start, stand.bench.circuit.skin_resistance / 1e3))
        for role, found in readings.items():
            at = stand.now
            value = float(stand.say(role, "READ?"))
            found.append(((at + stand.now) / 2 - start, value))
    courses = (np.concatenate(each) for each in (times, currents, voltages))
    return Record(*courses, *(np.array(each).T for each in (skin, *readings.values())))


def treatment() -> Chart:
    """Draw a treatment of dry skin, what it does to the skin, and what the instruments read."""
    stand = Stand(load="dry")
    stand.say("ammeter", "CONF:CURR:DC 0.01")
    stand.say("voltmeter", "CONF:VOLT:DC 100")
    seen = recorded(stand, stand.treat(2, ramp=30, dose=4), 39)
    state, claimed = stand.say("stimulator", "TREAT:STAT?"), stand.say("stimulator", "MEAS:CHAR?")
    charge = stand.bench.circuit.charge() / 0.06
    print(f"treatment: {state}, claims {claimed} mA min, delivered {charge:.5f} mA min")
    read = Trace("34465A, READ?", seen.ammeter[0], 1e3 * seen.ammeter[1], RED, dots=True)
    reached = _last_above(seen.times, seen.current, 1.99)
    current = Panel(
        "current in mA",
        (Trace("circuit", seen.times, seen.current), read),
        marks=(("start", 0.0), ("dose of 4 mA·min reached", reached)),
        low=0.0,
        high=2.4,
    )
    read = Trace("", seen.voltmeter[0], seen.voltmeter[1], RED, dots=True)
    voltage = Panel(
        "terminal voltage in V",
        (Trace("", seen.times, seen.volts), read),
        limits=(("compliance 80 V", 80.0),),
        low=0.0,
        high=90.0,
    )
    resistance = Trace("", seen.skin[0], seen.skin[1], GREEN)
    title = "resistance under the active electrode in kΩ"
    skin = Panel(title, (resistance,), low=0.0, high=55.0, height=120)
    title = "A healthy treatment of dry skin: 2 mA, 4 mA·min, ramp 30 s"
    return Chart(title, (current, voltage, skin), 0.0, float(seen.times[-1]))


def _last_above(times: Array, values: Array, level: float) -> float:
    return float(times[np.flatnonzero(values > level)[-1]])


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
    if start > at - 5:
        raise UsageError(f"the treatment starts at {start} s, the hang at {at} s")
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
        "F01, firmware: ramp skipped on resume (2 mA, ramp 20 s, 2 kΩ)",
        pause,
        (-1.0, 55.0),
        (
            Panel(
                "current in mA",
                (),
                marks=(("start", 0.0), ("pause", 22.0), ("resume", 32.0)),
                low=0.0,
                high=2.7,
            ),
        ),
        (CURRENT_MA,),
    ),
    "F07": Course(
        "F07",
        "F07, analog: regulator winds up during a lift-off of 15 ms (3 mA, skin)",
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
        "F20, analog, single fault: leakage after a stop (2 mA, 2 kΩ)",
        abort,
        (-0.5, 2.5),
        (
            Panel(
                f"current in {MICRO}A, logarithmic; below 0.01 {MICRO}A drawn at 0.01 {MICRO}A",
                (),
                limits=((f"off: {OFF_CURRENT:g} {MICRO}A at most, 1 s after a stop", OFF_CURRENT),),
                marks=(("stop at once", 0.0),),
                logarithmic=True,
                low=0.01,
                high=5e3,
                height=220,
            ),
        ),
        ((Node.CURRENT, 1e6),),
    ),
    "F28": Course(
        "F28",
        "F28, firmware: open electrode not detected (3 mA, skin, 2 s off)",
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
        "F43, converter: reset by the watchdog drives the output high (ramp to 4 mA)",
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
        "F44, power: restart at the old amplitude after a supply loss (2 mA, 2 kΩ)",
        power_loss,
        (-1.0, 4.0),
        (
            Panel(
                "supply voltage at the device in V",
                (),
                marks=(("supply lost", 0.0), ("supply back", 1.0)),
                low=-0.5,
                high=14.0,
                height=120,
            ),
            Panel("current in mA", (), low=-0.1, high=2.5),
        ),
        ((Node.SUPPLY, 1.0), CURRENT_MA),
    ),
}
