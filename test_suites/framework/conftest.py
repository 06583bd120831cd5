"""What several test modules share: a stand for measuring instruments."""

import math
from types import SimpleNamespace

import numpy as np
import pytest

from hil.bench import InstrumentEntry
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.clock import VirtualClock
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.scpi import Pending

DESCRIPTION, PROFILE = read_bench(None), read_device(None)


class KnownCircuit:
    """Nodes that are straight between given points; before and after them, constant."""

    def __init__(self):
        self.points = {node: ([0.0], [0.0]) for node in Node}
        self.told = []

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


@pytest.fixture
def meter_stand():
    """Class of stands: a signal that is known exactly, a clock, and one front end."""
    return Stand
