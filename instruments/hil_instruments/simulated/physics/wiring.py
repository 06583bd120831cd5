"""The wiring of bench and device as a netlist.

output stage -+- relay -+-> ammeter -+-> cut-off -> electrode -> load -> shunt -> return
 stray  ------+         +-- C, bleed +-- voltmeter ---------------------------> return
                        +-- isolation -- earth -- 1 kohm meter, while joined -> return
                        +-- source of the bench behind its resistance, while connected -> return
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from hil.bench import LoadEntry
from hil_instruments.simulated.physics.network import GROUND, Netlist, Network, Probe, Solved
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.physics.skin import ACTIVE, links
from hil_instruments.simulated.physics.stage import OutputStage

AMMETER_BURDEN = 2.0
"""Series resistance of the ammeter in ohm."""
VOLTMETER_RESISTANCE = 10e6
"""Input resistance of the voltmeter in ohm; always connected."""
EARTH_METER = 1e3
"""Leakage meter between dispersive electrode and earth in ohm, as the body of IEC 60601-1."""
OUTPUT = "output"
"""Name of the capacitance across the output."""
FALLING = f"{ACTIVE}.0"
"""Name of the link whose resistance falls."""
STAGE, YIELD, LEAK, BENCH = 0, 1, 2, 3
"""Sources: the output stage, what yielding skin passes beyond its resistance, isolation, bench."""
SKIN, EFFORT = Node.EARTH.value + 1, Node.EARTH.value + 2
"""Probes beside those of the nodes: V across the falling link; V of output and stage together."""
_CONTACT = 1e-3  # ohm: keeps a short across no shunt finite


@dataclass(frozen=True, slots=True)
class Wiring:
    """Everything that decides the network; what is equal has the same network."""

    shunt: float
    """In ohm."""
    burden: float = AMMETER_BURDEN
    """Of the ammeter in ohm; infinite is a blown fuse."""
    voltmeter: float = VOLTMETER_RESISTANCE
    """In ohm."""
    load: LoadEntry | None = None
    """What is connected; None is nothing."""
    share: float = 1.0
    """Of the active electrode's area on the skin."""
    yields: bool = False
    """Whether the resistance of the first link is left out: it yields, and is put in later."""
    relay: bool = False
    """Whether the output relay is closed."""
    saturated: bool = False
    """Whether the stage is a voltage behind its drop, not a current."""
    source: float = math.inf
    """Resistance in ohm of the bench source; infinite while it is not connected."""
    crossed: bool = False
    """Whether the poles lead to each other's end of load and shunt."""


def solved(wiring: Wiring, stage: OutputStage) -> Solved:
    """Solve the resistive part of wiring, load and output stage."""
    netlist = Netlist()
    farad = stage.capacitance + (stage.stray if wiring.relay else 0.0)
    netlist.capacitor(OUTPUT, "output", GROUND, farad)
    netlist.resistor("output", "terminal", wiring.burden)
    netlist.resistor("terminal", GROUND, wiring.voltmeter)
    if not wiring.relay:
        netlist.resistor("output", GROUND, stage.bleed)
    if wiring.saturated:
        netlist.resistor("output", GROUND, stage.drop)
    netlist.source(GROUND, "output")
    current, skin = _load(netlist, wiring)
    netlist.resistor("earth", GROUND, EARTH_METER)
    netlist.source("earth" if stage.isolation < math.inf else GROUND, "output")
    netlist.resistor("earth", "output", stage.isolation)
    netlist.resistor("output", GROUND, wiring.source)
    netlist.source(GROUND, "output")
    siemens = 1 / wiring.burden
    drawn = -1 / stage.drop if wiring.saturated else 0.0
    probes = {
        Node.CURRENT.value: Probe({"output": siemens, "terminal": -siemens}),
        Node.TERMINAL.value: Probe({"terminal": 1.0}),
        Node.SHUNT.value: Probe({"shunt": -1.0 if wiring.crossed else 1.0}),
        Node.OUTPUT.value: Probe({"output": 1.0}),
        Node.SENSE.value: Probe({"output": drawn}, {STAGE: 1.0}),
        Node.LOAD.value: current,
        Node.EARTH.value: Probe({"earth": -1 / EARTH_METER}),
        SKIN: skin,
        EFFORT: Probe({"output": 1.0}, {} if wiring.saturated else {STAGE: stage.drop}),
    }
    return Solved.of(netlist, [probes[number] for number in range(len(probes))])


def network(found: Solved, stage: OutputStage, siemens: float | None = None) -> Network:
    """Bring it to its modes; `siemens` is the conductance of the link that yields."""
    beside = {} if siemens is None else {FALLING: siemens}
    decays = (1 / stage.lag, 1 / stage.transient, 1 / stage.boost_lag)
    return found.network(decays, 2 * math.pi * stage.ripple_frequency, beside)


def _load(netlist: Netlist, wiring: Wiring) -> tuple[Probe, Probe]:
    """Add the load and its source; return probes of its current and of its first link."""
    entry = wiring.load
    if entry is None:
        netlist.source(GROUND, GROUND)
        return Probe(), Probe()
    found = links(entry, wiring.share)
    series, sign = max(float(entry.series.base), _CONTACT), -1.0 if wiring.crossed else 1.0
    ends = _nodes(len(found), shunted=wiring.shunt > 0)
    netlist.resistor("terminal", ends[0], series)
    for link, first, second in zip(found, ends, ends[1:], strict=False):
        if not (wiring.yields and link.name == FALLING):
            netlist.resistor(first, second, link.ohm)
        if link.farad:
            netlist.capacitor(link.name, first, second, link.farad)
    if wiring.shunt > 0:
        netlist.resistor("shunt", GROUND, wiring.shunt)
    current = Probe({"terminal": sign / series, ends[0]: -sign / series})
    if not wiring.yields:
        netlist.source(GROUND, GROUND)
        return current, Probe()
    netlist.source(ends[0], ends[1])
    return current, Probe({ends[0]: 1.0, ends[1]: -1.0})


def _nodes(count: int, *, shunted: bool) -> list[str]:
    """Names of the nodes between the links of a load, the last at the shunt."""
    names = ["electrode", "under", *(f"under{number}" for number in range(2, count + 1))]
    return [*names[:count], "shunt" if shunted else GROUND]
