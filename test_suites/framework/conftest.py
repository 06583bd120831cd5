"""What several test modules share: a stand for measuring instruments."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from hil.bench import InstrumentEntry
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.clock import VirtualClock
from hil_instruments.simulated.physics.circuit import Circuit
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.physics.stage import OutputStage
from hil_instruments.simulated.scpi import Exchange, Pending

DESCRIPTION, PROFILE = read_bench(None), read_device(None)
LONGEST = (
    *("test_suites_can_fail", "test_fail_closed", "test_foreign", "test_plugin", "test_crash"),
    *("test_seal", "test_supervisor", "test_register", "test_tampering", "test_looks"),
)
"""Modules that take a core for longest: they begin first, so that the processes end together."""
MESSAGE_LATENCY = 200e-6


class KnownCircuit:
    """Nodes that are straight between given points; before and after them, constant."""

    def __init__(self):
        self.points = {node: ([0.0], [0.0]) for node in Node}
        self.told = []
        self.stage = OutputStage()

    def shape(self, node, *points):
        self.points[node] = tuple(zip(*points, strict=True))

    def observe(self, node, times):
        return np.interp(times, *self.points[node])

    def value(self, node):
        return float(self.observe(node, self.now))

    def means(self, node, starts, aperture):
        ends = self._integral(node, np.asarray(starts) + aperture)
        return (ends - self._integral(node, np.asarray(starts))) / aperture

    def _integral(self, node, times):
        knots, values = (np.array(each, dtype=float) for each in self.points[node])
        areas = np.concatenate(([0.0], np.cumsum(np.diff(knots) * (values[1:] + values[:-1]) / 2)))
        place = np.clip(np.searchsorted(knots, times) - 1, 0, len(knots) - 1)
        reached = self.observe(node, times)
        return areas[place] + (times - knots[place]) * (reached + values[place]) / 2

    def mean(self, node, start, aperture):
        return float(self.means(node, np.array([start]), aperture)[0])

    def began(self, time):
        return max(
            (t for knots, _ in self.points.values() for t in knots if t <= time), default=0.0
        )

    def resting(self, node, since):
        return None

    def bounds(self, node, since):
        return None

    def breaks(self, since, until):
        times = sorted({t for knots, _ in self.points.values() for t in knots})
        return np.array([t for t in times if since < t <= until])

    def set_burden(self, ohm):
        self.told.append(("shunt", ohm))

    def set_voltmeter(self, ohm):
        self.told.append(("input", ohm))


class Stand:
    """One instrument in a role, spoken to in bench time."""

    def __init__(self, make, role="ammeter", maker="Maker", model="Model", seed=1, **more):
        self.clock = VirtualClock()
        self.circuit = KnownCircuit()
        self.description, self.profile = DESCRIPTION, PROFILE
        self.supply_volts = 9.0
        entry = InstrumentEntry(role, "driver", "TCPIP::X::INSTR", maker, model)
        self.meter = make(entry, self, seed, **more)

    @property
    def device(self):
        self.circuit.now = self.clock.time
        return SimpleNamespace(circuit=self.circuit)

    def shape(self, node, *points):
        self.circuit.shape(node, *points)

    def wait(self, seconds):
        self.clock.sleep(seconds)

    def say(self, message):
        """Send one message; return its reply without terminator, None for never, "" for none."""
        answer = self.meter.receive(message.encode())
        while isinstance(answer, Pending):
            if math.isinf(answer.ready):
                return None
            self.clock.advance(answer.ready)
            answer = answer.produce()
        if isinstance(answer, bytes):
            return answer.removesuffix(b"\n").decode("latin1")
        return answer or ""

    def figures(self, message):
        return [float(text) for text in self.say(message).split(",")]

    def number(self, message):
        return float(self.say(message))

    def error(self):
        """Code of the oldest error, 0 for none."""
        return int(self.say("SYST:ERR?").partition(",")[0])


def pytest_collection_modifyitems(items):
    """Put the longest modules first."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(LONGEST)))


@pytest.fixture
def meter_stand():
    """Class of stands: a signal that is known exactly, a clock, and one front end."""
    return Stand


class CircuitStand:
    """One instrument on the real circuit, with a device that has no firmware (a `World`)."""

    def __init__(self, kind, role, maker, model, seed):
        self.clock = VirtualClock()
        self.description, self.profile = DESCRIPTION, PROFILE
        self._circuit = Circuit(PROFILE, DESCRIPTION)
        self.instrument = kind(InstrumentEntry(role, "-", "-", maker, model), self, seed)
        self.exchange = Exchange(self.instrument, stream=True)

    @property
    def device(self):
        return self

    @property
    def circuit(self):
        self._circuit.advance(max(self.clock.time, self._circuit.now))
        return self._circuit

    def feed(self, volts, limit):
        self.circuit.set_supply(volts, limit)

    def wait(self, seconds):
        self.clock.advance(self.clock.time + seconds)

    def say(self, text):
        """Send one message and wait until it is obeyed."""
        self.wait(MESSAGE_LATENCY)
        self.exchange.write(text.encode() + b"\n")
        while self.exchange.holds:
            self.wait(MESSAGE_LATENCY)

    def ask(self, text):
        """Send one message and return its reply; none is an empty one."""
        self.exchange.write(text.encode() + b"\n")
        while (ready := self.exchange.reply_ready()) < math.inf:
            self.clock.advance(max(ready, self.clock.time))
            if self.exchange.waits:
                return self.exchange.read()[0].decode().rstrip("\n")
        return ""

    def number(self, text):
        return float(self.ask(text).split(",")[0])

    def error(self):
        return int(self.ask("SYST:ERR?").split(",")[0])

    def value(self, node):
        return self.circuit.value(node)


@pytest.fixture
def source_stand():
    """Makes stands; at the end none of their instruments may have met a defect of its own."""
    made = []

    def make(kind, seed=1, load="2k"):
        each = CircuitStand(*kind, seed)
        made.append(each)
        if each.instrument.entry.role == "stimulator":
            each.circuit.set_cutoff(True)
            each.circuit.select_load(DESCRIPTION.loads[load] if load else None)
        return each

    yield make
    assert [each.instrument.defect for each in made] == [None] * len(made)
