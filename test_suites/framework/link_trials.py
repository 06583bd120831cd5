"""Every driver through every fault of its link, held against the circuit of the simulated bench.

A trial does with a driver what a run does; at one message of it a fault strikes. Then either the
driver ends in a typed error, or what it hands over is true. The fault is healed, the session
recovers by proving who answers, and the same driver must do all of it again, truly.

    python -m framework.link_trials --trials 2000 --seed 7
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import random
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
from pyvisa import constants
from pyvisa.errors import VisaIOError

from framework import switches
from hil.bench import AidEntry, BenchDescription, InstrumentEntry
from hil.capture import Accuracy, Capture
from hil.device import Polarity, State
from hil.errors import BenchError, HilError, UsageError
from hil.exact import Dimension
from hil.measurement import Calibration
from hil.units import A, V, mA, quantity
from hil_instruments import drivers, transport
from hil_instruments.drivers.meter import CLOCK_ERROR, SLACK
from hil_instruments.simulated import backend
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.faults.link import LINK_FAULTS, LinkFault
from hil_instruments.simulated.physics.node import Node

SERIES, OHM = 10e3, 2e3
"""Resistance in ohm of the bench's source and of the load that it drives."""
ANOTHER = {"ammeter": "CONF:VOLT:DC 100", "voltmeter": "CONF:CURR:DC 0.1"}
"""What another program sends to a meter in the middle; to any other instrument *RST."""


class Contradiction(AssertionError):
    """What a driver handed over is not what was."""


# What may befall an instrument or its link, at a message.


class Strike:
    """One fault, and the message at which it strikes."""

    def __init__(self, ground: Ground, name: str, at: int, seed: int = 0) -> None:
        self.ground, self.name, self.at = ground, name, at
        link = ground.twin.links[ground.case.role]
        kind, _, form = name.partition(" ")
        if kind in LINK_FAULTS:
            extent = float(form) if form.replace(".", "").isdigit() else None
            every = 1 if kind == "unplugged" and form != "once" else 0
            link._seed = seed  # noqa: SLF001 - other bytes are garbled in each trial
            link.set([LinkFault(kind=kind, first=at, every=every, extent=extent)])
        else:
            ground.on_message = self._strike

    def _strike(self, number: int) -> None:
        unit = self.ground.unit
        if self.name == "locked" and number >= self.at:
            raise VisaIOError(constants.StatusCode.error_resource_locked)
        if number != self.at:
            return
        if self.name == "power fails":
            unit.set_mains(False)
        elif self.name == "power fails and returns":
            unit.set_mains(False)
            unit.set_mains(True)
        elif self.name == "another program":
            case = self.ground.case
            for text in ("*RST", ANOTHER.get(case.role, "*CLS")):
                unit.receive(text.encode())


FAULTS = (
    "late 0.5",
    "late 5",
    "truncated",
    "duplicated",
    "garbled",
    "wrong-terminator",
    "dropped",
    "dropped 0.5",
    "silent",
    "unplugged",
    "unplugged once",
    "power fails",
    "power fails and returns",
    "locked",
    "another program",
)
"""Kinds of the simulated link, some of them stronger or weaker; and what befalls the instrument."""


# The ground on which a driver works, and what is true there.


@dataclasses.dataclass(frozen=True)
class Case:
    """A driver in a role, and what is done with it."""

    table: str
    role: str
    instrument: tuple[str, str, str]
    """Driver, manufacturer, model."""
    make: Callable[..., Any]
    use: Callable[[Ground], None]
    stands_in: tuple[str, str, str] | None = None


class Ground:
    """One driver on a simulated bench, whose circuit tells what is true."""

    def __init__(self, case: Case, *, stream: bool) -> None:
        description = switches.bench(**{case.role: case.instrument})
        entry = description.entries[case.role]
        if stream:
            resource = entry.resource.replace("inst0::INSTR", "5025::SOCKET")
            entry = dataclasses.replace(entry, resource=resource)
        description = _with(description, entry)
        self.case, self.stream = case, stream
        self.twin = SimulatedBench(switches.PROFILE, description, (), 1)
        self.clock = self.twin.clock
        self.unit = self.twin.instruments[case.role]
        self.messages = 0
        self.on_message: Callable[[int], None] = lambda _: None
        self.said: list[str] = []
        manager = backend.resource_manager(self.twin)
        self._hook(manager.visalib)
        manner = drivers.MANNERS.get(entry.driver, drivers.SCPI)
        self.twin.feed(9.0, 1.0)
        self.clock.sleep(0.5)
        self.session = transport.connect(manager, entry, self.clock, manner=manner)
        parts = [self.session, self.clock, entry, Calibration.VALID]
        if case.role == "stimulator" and case.table == "STIMULATORS":
            parts.append(switches.PROFILE)
        self.driver = case.make(*parts)
        self.circuit.set_cutoff(True)
        self.circuit.select_load(description.loads["2k"])
        if case.table not in {"STIMULATORS", "REFERENCES", "TERMINAL_SOURCES"}:
            self.circuit.join_source(SERIES)
            self.drive(10.0)
        self.sleep(0.5)

    def _hook(self, library: Any) -> None:
        real = library.write

        def write(session: Any, data: bytes) -> Any:
            self.messages += 1
            self.said.append(data.decode("latin-1").strip())
            self.on_message(self.messages)
            return real(session, data)

        library.write = write

    @property
    def circuit(self) -> Any:
        return self.twin.circuit

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)

    def drive(self, volts: float) -> None:
        """Set what the bench's source drives."""
        self.circuit.drive_source(volts)

    def heal(self) -> None:
        """End every fault; the instrument has power again."""
        self.on_message = lambda _: None
        self.twin.links[self.case.role].set(())
        self.unit.set_mains(True)

    def begin(self) -> None:
        """Count messages and replies anew."""
        self.messages = 0
        self.said.clear()

    def true(self, what: str, came: object, due: object) -> None:
        """Hold what was handed over against what is."""
        if came != due:
            raise Contradiction(f"{what}: {came!r} was handed over, {due!r} is true")

    def soon(self, what: str, came: bool, due: Callable[[], bool]) -> None:
        """The same for a state that contacts and outputs take a moment to follow."""
        if came is not due():
            self.sleep(0.1)
            self.true(what, came, due())

    def near(self, what: str, came: float, due: float, within: float) -> None:
        """The same for a number."""
        if not abs(came - due) <= within:
            raise Contradiction(f"{what}: {came:.6g} was handed over, {due:.6g} is true")

    def reading(self, what: str, came: Any, accuracy: Accuracy, node: Node) -> None:
        """The same for a reading with its limits of error."""
        value, due = float(came.to_base_units().magnitude), self.circuit.value(node)
        self.near(what, value, due, 2 * (accuracy.gain * abs(due) + accuracy.offset))

    def capture(self, what: str, found: Capture, node: Node) -> None:
        """The same for samples: each was there within what is known of its time.

        Codes of a converter that were changed on the way are codes: no driver can tell, and a link
        with a checksum (TCP, USB) does not change them.
        """
        link = self.twin.links[self.case.role]
        if found.codes is not None and any(fault.kind == "garbled" for fault in link.faults):
            return
        accuracy = found.source.accuracy
        times = found.start + np.arange(len(found.samples)) * found.interval
        slack = 4 * found.start_u + (SLACK + 1) * found.interval
        slack += 10 * CLOCK_ERROR * len(times) * found.interval
        there = ~np.isnan(found.samples)
        if not there.any():
            return
        times, samples = times[there], found.samples[there]
        circuit, now = self.circuit, self.clock.time
        around = [circuit.observe(node, np.clip(times + d, 0, now)) for d in _grid(slack)]
        low, high = np.min(around, axis=0), np.max(around, axis=0)
        margin = 2 * (accuracy.gain * np.maximum(abs(low), abs(high)) + accuracy.offset)
        wrong = np.flatnonzero(~((samples >= low - margin) & (samples <= high + margin)))
        if wrong.size:
            place = int(wrong[0])
            raise Contradiction(
                f"{what}: {wrong.size} of {samples.size} samples; the first at {times[place]:.6g} "
                f"s: {samples[place]:.6g} was handed over, {low[place]:.6g} to {high[place]:.6g} "
                "is true"
            )


def _with(description: BenchDescription, entry: InstrumentEntry) -> BenchDescription:
    """A bench with this entry in its role."""
    if entry.role in description.instruments:
        instruments = {**description.instruments, entry.role: entry}
        return dataclasses.replace(description, instruments=instruments)
    aid = AidEntry(entry.role, "instrument", instrument=entry)
    return dataclasses.replace(description, aids={**description.aids, entry.role: aid})


def _grid(slack: float) -> np.ndarray[Any, Any]:
    return np.linspace(-slack, slack, 5)


# What is done with a driver of each role. Whatever is handed over is held against the circuit.


METERED = {
    "ammeter": (Dimension.CURRENT, Node.CURRENT, 5e-3),
    "voltmeter": (Dimension.VOLTAGE, Node.TERMINAL, 10.0),
}


def read(ground: Ground) -> None:
    """Two readings of two levels."""
    dimension, node, full_scale = METERED[ground.case.role]
    for volts in (20.0, 5.0):
        ground.drive(volts)
        ground.sleep(0.1)
        value, accuracy = ground.driver.read(dimension, full_scale)
        ground.reading("read", value, accuracy, node)


def record(ground: Ground) -> None:
    """A recording of levels that change, drained twice."""
    dimension, node, full_scale = METERED[ground.case.role]
    rate = min(max(ground.driver.sampling.slowest, 250.0), ground.driver.sampling.fastest)
    ground.drive(5.0)
    ground.driver.start_recording(dimension, full_scale, rate)
    for volts in (20.0, 8.0):
        ground.sleep(0.6)
        ground.drive(volts)
        ground.driver.drain()
        ground.capture("latest", ground.driver.latest(), node)
    ground.sleep(0.6)
    ground.capture("recording", ground.driver.stop_recording(), node)


def acquire(ground: Ground) -> None:
    """An acquisition of an edge."""
    ground.drive(2.0)
    ground.sleep(0.05)
    level = 100.0 * 10.0 / (SERIES + OHM)
    ground.driver.arm(level=level, span=0.02, full_scale=0.3, slope="POS")
    ground.sleep(0.02)
    ground.drive(20.0)
    for _ in range(40):
        ground.sleep(0.005)
        found = ground.driver.fetch()
        if found is not None:
            ground.capture("acquisition", found, Node.SHUNT)
            return
    raise BenchError(f"{ground.session.name}: {ground.said[-1]!r} never told of a trigger: recover")


def switch(ground: Ground) -> None:
    """Two positions, a channel beside them, and none."""
    channels = {load.channel: load for load in ground.twin.description.loads.values()}
    for channel in (103, 104):
        ground.driver.select(channel)
        ground.sleep(0.05)
        ground.true("selected", ground.circuit.load, channels[channel])
        found = channels.get(ground.driver.selected())
        ground.sleep(0.05)
        ground.true("selected", found, ground.circuit.load)
    ground.driver.join(203)
    ground.sleep(0.05)
    ground.true("joined", ground.circuit._assembly.source, SERIES)  # noqa: SLF001
    ground.driver.part(203)
    ground.sleep(0.05)
    ground.true("parted", ground.circuit._assembly.source, float("inf"))  # noqa: SLF001
    ground.driver.select(None)
    ground.sleep(0.05)
    ground.true("selected none", ground.circuit.load, None)


def feed(ground: Ground) -> None:
    """On, measured, off."""
    ground.driver.on(quantity(9.0, V), quantity(1.0, A))
    ground.sleep(0.1)
    ground.near("on", ground.circuit.value(Node.SUPPLY), 9.0, 0.5)
    ground.soon("is on", ground.driver.is_on(), lambda: ground.circuit.value(Node.SUPPLY) > 1)
    before = ground.circuit.value(Node.SUPPLY)
    came = ground.driver.output_voltage().m_as("V")
    if not min(before, ground.circuit.value(Node.SUPPLY)) <= came <= before:  # while it falls
        ground.near("voltage", came, before, 0.3)
    _off(ground, lambda: ground.circuit.value(Node.SUPPLY) > 1)


def source(ground: Ground) -> None:
    """The second output of a supply, through the load."""
    ground.driver.on(quantity(15.0, V), quantity(0.02, A))
    ground.sleep(0.1)
    due = 15.0 / (SERIES + OHM)
    ground.near("on", ground.circuit.value(Node.CURRENT), due, 0.1 * due)

    def flows() -> bool:
        return bool(abs(ground.circuit.value(Node.CURRENT)) > 1e-5)

    ground.soon("is on", ground.driver.is_on(), flows)
    found = ground.driver.output_voltage().m_as("V")
    ground.sleep(0.1)
    if flows():
        ground.near("voltage", found, 15.0, 0.5)
    _off(ground, flows)


def refer(ground: Ground) -> None:
    """Two currents of a reference source, its limit, off."""
    for amperes in (1e-3, -2e-4):
        accuracy = ground.driver.drive(quantity(amperes, A), quantity(20.0, V))
        ground.sleep(0.1)
        ground.reading("drives", quantity(amperes, A), accuracy, Node.CURRENT)
        ground.true("limited", ground.driver.limited(), False)
        on = ground.driver.is_on()
        ground.soon("is on", on, lambda: abs(ground.circuit.value(Node.CURRENT)) > 1e-4)
    _off(ground, lambda: abs(ground.circuit.value(Node.CURRENT)) > 1e-5)


def apply(ground: Ground) -> None:
    """Two voltages on the terminals, through the load, off."""
    for volts in (5.0, -2.0):
        ground.driver.apply(quantity(volts, V), quantity(1e-3, A))
        ground.sleep(0.1)
        due = ground.circuit.value(Node.CURRENT)
        ground.near("drives", due, volts / (abs(volts) / 1e-3 + OHM), 0.1 * abs(due) + 1e-6)
        came = ground.driver.drawn().m_as("A")
        if not abs(came - due) <= 1e-5 + 0.01 * abs(due):  # it may have ended on the way
            ground.near("drawn", came, ground.circuit.value(Node.CURRENT), 1e-5)
    _off(ground, lambda: abs(ground.circuit.value(Node.CURRENT)) > 1e-5)


def _off(ground: Ground, flows: Callable[[], bool]) -> None:
    ground.driver.off()
    ground.sleep(0.2)
    ground.soon("is on", ground.driver.is_on(), flows)


def cut(ground: Ground) -> None:
    """Closed under a new epoch, read back, open, read back."""
    ground.driver.close_relay(ground.driver.epoch() + 1)
    ground.driver.renew(1.0)
    ground.sleep(0.1)
    ground.soon("closed", ground.driver.is_closed(), lambda: ground.circuit.cutoff_closed)
    ground.driver.open_relay()
    ground.sleep(0.2)
    ground.soon("open", ground.driver.is_closed(), lambda: ground.circuit.cutoff_closed)


def treat(ground: Ground) -> None:
    """A treatment, what the device claims of it, and its end: then nothing flows."""
    device = ground.driver
    device.configure(quantity(1.0, mA), Polarity.POSITIVE, None)
    device.start()
    if refused := device.errors():
        raise BenchError(f"{ground.session.name}: {ground.said[-2]!r} was refused: {refused}")
    ground.sleep(3.0)
    delivers = device.state() in {State.HOLD, State.RAMP_UP}
    ground.soon("state", delivers, lambda: ground.circuit.value(Node.CURRENT) > 2e-5)
    claimed = device.claimed_current().m_as("A")
    ground.near("claimed", claimed, ground.circuit.value(Node.CURRENT), 5e-5)
    found = device.impedance().m_as("ohm")
    if ground.circuit.value(Node.CURRENT) > 2e-5:
        ground.near("impedance", found, OHM, 500.0)
    if fault := device.fault():  # a word that is garbled is a fault too many, never one too few
        raise BenchError(f"{ground.session.name}: {ground.said[-1]!r} reports {fault!r}: check")
    device.abort()
    ground.sleep(1.0)
    claimed = device.claimed_current().m_as("A")
    ground.near("claimed", claimed, ground.circuit.value(Node.CURRENT), 5e-5)


def _cases() -> Iterator[tuple[str, Case]]:
    by_name = {
        "keysight-34465a": ("Keysight Technologies", "34465A"),
        "keysight-34461a": ("Keysight Technologies", "34461A"),
        "keithley-dmm6500": ("KEITHLEY INSTRUMENTS", "MODEL DMM6500"),
        "keithley-2000": ("KEITHLEY INSTRUMENTS INC.", "MODEL 2000"),
        "keithley-2450": ("KEITHLEY INSTRUMENTS", "MODEL 2450"),
        "keithley-6221": ("KEITHLEY INSTRUMENTS INC.", "MODEL 6221"),
        "rigol-dp800": ("RIGOL TECHNOLOGIES", "DP832"),
        "stimproof-cutoff": ("Stimproof", "Cutoff-2"),
        "scpi-stimulator": ("Stimproof", "Reference Ionto"),
        **{
            name: who
            for name, *who in (
                switches.RIGOL,
                switches.INFINIIVISION,
                switches.SIGLENT,
                switches.E36312A,
                switches.DAQ970A,
                switches.K7001,
                switches.RELAYS,
            )
        },
    }
    uses: Mapping[str, tuple[tuple[str, Callable[[Ground], None]], ...]] = {
        "MULTIMETERS": tuple(
            (role, use) for role in ("ammeter", "voltmeter") for use in (read, record)
        ),
        "AMMETERS": (("ammeter", read), ("ammeter", record)),
        "OSCILLOSCOPES": (("oscilloscope", acquire),),
        "LOADS": (("load", switch),),
        "SUPPLIES": (("supply", feed),),
        "SOURCES": (("supply", source),),
        "REFERENCES": (("stimulator", refer),),
        "TERMINAL_SOURCES": (("terminal_source", apply),),
        "CUTOFFS": (("cutoff", cut),),
        "STIMULATORS": (("stimulator", treat),),
    }
    for table, how in uses.items():
        for driver, make in getattr(drivers, table).items():
            if driver == "pymeasure":
                continue  # its words are PyMeasure's, and its checks are tried with its own test
            for role, use in how:
                case = Case(table, role, (driver, *by_name[driver]), make, use)
                yield f"{driver}, {role}: {use.__name__}", case


CASES = dict(_cases())
"""Every driver of every table, in every role that it fills."""


# A trial.


@dataclasses.dataclass
class Outcome:
    """How a trial ended."""

    error: str = ""
    """Type of the error; empty if none was raised."""
    wrong: str = ""
    """What must not be; empty for nothing."""


def moments(ground: Ground, fault: str) -> int:
    """How many messages, or replies, a use has; leaves the ground healthy."""
    link = ground.twin.links[ground.case.role]
    link.set([LinkFault(kind="late", probability=0.0)])
    ground.begin()
    ground.case.use(ground)
    kind = fault.partition(" ")[0]
    replies = kind in LINK_FAULTS and kind != "unplugged"
    count = link.replies if replies else link.messages if kind == "unplugged" else ground.messages
    link.set(())
    return count


def trial(ground: Ground, fault: str, at: int, seed: int = 0) -> Outcome:
    """Let a fault strike at a message, heal it, recover, and do all again."""
    found = Outcome()
    ground.begin()
    Strike(ground, fault, at, seed)
    try:
        ground.case.use(ground)
    except Contradiction as err:
        found.wrong = str(err)
    except BenchError as err:
        found.error = type(err).__name__
        found.wrong = _untold(ground, err)
    except Exception as err:
        found.wrong = f"{type(err).__name__}: {err}"
    ground.heal()
    try:
        _again(ground, unnoticed=not found.error)
    except (HilError, AssertionError) as err:
        found.wrong = found.wrong or f"after the fault: {type(err).__name__}: {err}"
    return found


def _untold(ground: Ground, err: BenchError) -> str:
    """What an error should tell and does not."""
    told = str(err)
    lacks = []
    if ground.session.name not in told:
        lacks.append("the resource")
    commanded = any(text in told for text in ground.said[-30:])
    if not commanded and re.search(r": '[^']+'|sent a trace|by TRAC", told) is None:
        lacks.append("the command")
    if not re.search(r"recover|check|somebody else|another program|start|expected|use", told):
        lacks.append("what to do")
    return f"{type(err).__name__}: {told!r} lacks {', '.join(lacks)}" if lacks else ""


def _again(ground: Ground, *, unnoticed: bool) -> None:
    """Recover, finish what was under way, and do all again.

    Args:
        ground: healed.
        unnoticed: whether the fault ended nothing yet; then it may end the first question now.
    """
    ground.sleep(6.0)  # what was late has come
    if ground.session.poisoned:
        ground.session.recover()
    if hasattr(ground.driver, "stop_recording"):
        _, node, _ = METERED[ground.case.role]
        try:
            found = ground.driver.stop_recording()
        except (UsageError, BenchError):
            pass  # there is none, or it tells that it lost samples
        else:
            ground.capture("what was recorded over the fault", found, node)
        if ground.session.poisoned:
            ground.session.recover()
    if ground.case.table == "STIMULATORS":
        ground.driver.abort()
        ground.sleep(1.0)
        if ground.driver.state() is State.FAULT:
            ground.driver.acknowledge()
        ground.sleep(1.0)
        ground.driver.errors()
        ground.near("off", ground.circuit.value(Node.CURRENT), 0.0, 1e-5)
    try:
        ground.case.use(ground)
    except BenchError:
        if not (unnoticed and ground.session.poisoned):
            raise
        ground.session.recover()  # the last reply came twice: the next question finds that
        ground.case.use(ground)


# Many of them.


class Grounds:
    """Grounds by case and kind of line; one on which something came out wrong is built anew."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, bool], Ground] = {}

    def trial(self, name: str, fault: str, *, stream: bool, draws: random.Random) -> Outcome:
        """One trial at a moment that is drawn."""
        ground = self._made.get((name, stream)) or Ground(CASES[name], stream=stream)
        found = trial(
            ground, fault, draws.randint(1, moments(ground, fault)), draws.randrange(10**6)
        )
        self._made[name, stream] = ground
        if found.wrong:
            del self._made[name, stream]
        return found


def lines(name: str) -> tuple[bool, ...]:
    """Kinds of line that an instrument can be on: a message bus, a byte stream."""
    return (True,) if CASES[name].instrument[0] == "relay-module" else (False, True)


def main() -> int:
    """Draw trials; return 0 if nothing came out that must not."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--trials", type=int, default=2000, help="how many (default 2000)")
    parser.add_argument("--seed", type=int, default=1, help="of what is drawn (default 1)")
    given = parser.parse_args()
    draws, grounds = random.Random(given.seed), Grounds()
    ended: collections.Counter[str] = collections.Counter()
    wrong = 0
    for _ in range(given.trials):
        name, fault = draws.choice([*CASES]), draws.choice(FAULTS)
        stream = draws.choice(lines(name))
        found = grounds.trial(name, fault, stream=stream, draws=draws)
        ended[found.error or "no error"] += 1
        if found.wrong:
            wrong += 1
            print(f"{name}, {fault}, {'stream' if stream else 'bus'}: {found.wrong}", flush=True)
    print(f"{given.trials} trials with seed {given.seed}: {wrong} wrong; ended in {dict(ended)}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
