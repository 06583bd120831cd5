"""Linear networks: resistors, capacitors and current sources, brought to their modes.

Capacitors are taken for voltage sources, the resistive rest is solved once, and what remains,
dv/dt = A v + B u, is symmetric after scaling by the roots of the capacitances: its modes are real,
its rates positive, and between two events every quantity is a sum of known functions of time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Array: TypeAlias = npt.NDArray[np.float64]
Row: TypeAlias = tuple[float, ...]

GROUND = "return"
"""The dispersive terminal of the device: all voltages are against it."""
_RESONANCE = 1e-6  # relative distance below which a source's rate is moved off a mode
_LEAST_CONDUCTANCE = 1e-15  # S from every node to ground: no node floats
_LEAST_RATE = 1e-9  # 1/s: a mode slower than 30 years is as good as constant


@dataclass(frozen=True, slots=True)
class Probe:
    """A quantity to observe: a sum of weighted node voltages and weighted sources."""

    nodes: Mapping[str, float] = field(default_factory=dict)
    """Node to weight."""
    sources: Mapping[int, float] = field(default_factory=dict)
    """Number of a source to weight."""


@dataclass(slots=True)
class Netlist:
    """Parts between named nodes."""

    resistors: list[tuple[str, str, float]] = field(default_factory=list)
    """Two nodes and the conductance between them in S."""
    capacitors: list[tuple[str, str, str, float]] = field(default_factory=list)
    """Name, two nodes and the capacitance between them in F."""
    sources: list[tuple[str, str]] = field(default_factory=list)
    """Node that a current leaves and node that it enters."""

    def resistor(self, first: str, second: str, ohm: float) -> None:
        """Add a resistance; an infinite one is left out."""
        self.resistors.append((first, second, 1 / ohm))

    def capacitor(self, name: str, first: str, second: str, farad: float) -> None:
        """Add a capacitance, whose voltage counts from first to second."""
        self.capacitors.append((name, first, second, farad))

    def source(self, first: str, second: str) -> None:
        """Add a current source that draws from the first node and feeds the second."""
        self.sources.append((first, second))


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """A netlist brought to its modes z: dz/dt = -rate z + inputs u, y = probes z + through u."""

    names: tuple[str, ...]
    """Names of its capacitors."""
    rates: Row
    """Of its modes, in 1/s."""
    inputs: tuple[Row, ...]
    """Source by source, the feed of each mode per ampere."""
    probes: tuple[Row, ...]
    """Probe by probe, the weight of each mode."""
    gains: tuple[Row, ...]
    """Probe by probe, the reply to a constant ampere of each source."""
    drags: tuple[Row, ...]
    """Probe by probe, what it stays behind under an ampere per second of each source."""
    decays: Row
    """Rates of the exponentials that the first source can contain, in 1/s."""
    responses: tuple[Row, ...]
    """Exponential by exponential, the amplitude in each mode per ampere."""
    transfers: tuple[Row, ...]
    """Probe by probe, the amplitude per ampere of each exponential."""
    pulse: float
    """Angular frequency of the sinusoid that the first source can contain, in 1/s."""
    swings: tuple[complex, ...]
    """Complex amplitude of each mode per ampere of that sinusoid."""
    sways: tuple[complex, ...]
    """Probe by probe, the complex amplitude per ampere of that sinusoid."""
    peaks: tuple[Row, ...]
    """Probe by probe, the most that an ampere of each exponential brings there; no resonance."""
    crests: Row
    """Probe by probe, the same of an ampere of the sinusoid, which may set in at any phase."""
    still: Row
    """Of each mode under a constant ampere of the first source."""
    to_modes: Array
    """Matrix from the voltages of the capacitors to the modes."""
    from_modes: Array
    """And back."""

    def modes(self, voltages: Mapping[str, float]) -> list[float]:
        """Modes of these capacitor voltages in V; what is not named is empty."""
        vector = [voltages.get(name, 0.0) for name in self.names]
        modes: list[float] = (self.to_modes @ vector).tolist()
        return modes

    def voltages(self, modes: Sequence[float]) -> dict[str, float]:
        """Capacitor voltages in V of these modes."""
        vector: list[float] = (self.from_modes @ modes).tolist()
        return dict(zip(self.names, vector, strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """A netlist with its resistive part solved: what capacitors and sources give."""

    names: tuple[str, ...]
    """Of the capacitors."""
    roots: Array
    """Roots of their capacitances."""
    currents: Array
    """Currents into the capacitors per volt of each."""
    driven: Array
    """The same per ampere of each source."""
    seen: Array
    """Probe by probe, per volt of each capacitor."""
    through: Array
    """Probe by probe, per ampere of each source."""

    @classmethod
    def of(cls, netlist: Netlist, probes: Sequence[Probe]) -> Solved:
        """Solve the resistive part of a netlist.

        Args:
            netlist: no two capacitors in parallel, none in a loop of capacitors; at least one.
            probes: what is to be observed.
        """
        nodes = _nodes(netlist)
        from_state, from_source, currents, driven = _resistive(netlist, nodes)
        weights, direct = _weights(probes, nodes, len(netlist.sources))
        return cls(
            names=tuple(name for name, *_ in netlist.capacitors),
            roots=np.sqrt([farad for *_, farad in netlist.capacitors]),
            currents=currents,
            driven=driven,
            seen=weights @ from_state,
            through=weights @ from_source + direct,
        )

    def network(
        self, decays: Sequence[float], pulse: float = 0.0, beside: Mapping[str, float] | None = None
    ) -> Network:
        """Bring it to its modes.

        Args:
            decays: rates in 1/s of the exponentials of the first source.
            pulse: angular frequency of its sinusoid in 1/s.
            beside: name of a capacitor to a conductance in S beside it.
        """
        stiffness = -self.currents / np.outer(self.roots, self.roots)
        for name, siemens in (beside or {}).items():
            number = self.names.index(name)
            stiffness[number, number] += siemens / self.roots[number] ** 2
        rates, vectors = np.linalg.eigh((stiffness + stiffness.T) / 2)
        rates = np.maximum(rates, _LEAST_RATE)
        to_modes, from_modes = vectors.T * self.roots, vectors / self.roots[:, None]
        inputs = (vectors.T / self.roots) @ self.driven
        seen = self.seen @ from_modes
        apart = [_apart(rate, rates) for rate in decays]
        first = inputs[:, 0]
        responses = np.array([first / (rates - rate) for rate in apart])
        swings = first / (rates + 1j * pulse)
        still = inputs / rates[:, None]
        surges = np.abs(first) / np.maximum(rates, np.array(apart)[:, None])
        through = np.abs(self.through[:, :1])
        return Network(
            names=self.names,
            rates=_row(rates),
            inputs=_rows(inputs.T),
            probes=_rows(seen),
            gains=_rows(seen @ still + self.through),
            drags=_rows(seen @ (still / rates[:, None])),
            decays=tuple(apart),
            responses=_rows(responses),
            transfers=_rows(seen @ responses.T + self.through[:, :1]),
            pulse=pulse,
            swings=tuple(swings.tolist()),
            sways=tuple((seen @ swings + self.through[:, 0]).tolist()),
            peaks=_rows(np.abs(seen) @ surges.T + through),
            crests=_row(2 * np.abs(seen) @ np.abs(swings) + through[:, 0]),
            still=_row(still[:, 0]),
            to_modes=to_modes,
            from_modes=from_modes,
        )


def _nodes(netlist: Netlist) -> dict[str, int]:
    ends = [part[:2] for part in netlist.resistors]
    ends += [part[1:3] for part in netlist.capacitors] + netlist.sources
    names = dict.fromkeys(name for pair in ends for name in pair if name != GROUND)
    return {name: number for number, name in enumerate(names)}


def _resistive(netlist: Netlist, nodes: Mapping[str, int]) -> tuple[Array, Array, Array, Array]:
    """Solve the network with its capacitors as voltage sources.

    Returns:
        Node voltages per volt of each capacitor and per ampere of each source, then the currents
        into the capacitors, likewise.
    """
    count, states = len(nodes), len(netlist.capacitors)
    matrix = np.zeros((count + states, count + states))
    for first, second, siemens in netlist.resistors:
        _stamp(matrix, nodes.get(first), nodes.get(second), siemens)
    matrix[range(count), range(count)] += _LEAST_CONDUCTANCE
    right = np.zeros((count + states, states + len(netlist.sources)))
    for number, (_, first, second, _) in enumerate(netlist.capacitors):
        row = count + number
        for name, sign in ((first, 1.0), (second, -1.0)):
            if name in nodes:
                matrix[row, nodes[name]] += sign
                matrix[nodes[name], row] += sign
        right[row, number] = 1.0
    for number, (first, second) in enumerate(netlist.sources):
        for name, sign in ((first, -1.0), (second, 1.0)):
            if name in nodes:
                right[nodes[name], states + number] += sign
    solved: Array = np.asarray(np.linalg.solve(matrix, right), dtype=np.float64)
    voltages, currents = solved[:count], solved[count:]
    return voltages[:, :states], voltages[:, states:], currents[:, :states], currents[:, states:]


def _stamp(matrix: Array, first: int | None, second: int | None, siemens: float) -> None:
    if first is not None:
        matrix[first, first] += siemens
    if second is not None:
        matrix[second, second] += siemens
    if first is not None and second is not None:
        matrix[first, second] -= siemens
        matrix[second, first] -= siemens


def _weights(
    probes: Sequence[Probe], nodes: Mapping[str, int], sources: int
) -> tuple[Array, Array]:
    weights, direct = np.zeros((len(probes), len(nodes))), np.zeros((len(probes), sources))
    for row, probe in enumerate(probes):
        for name, weight in probe.nodes.items():
            if name in nodes:
                weights[row, nodes[name]] += weight
        for source, weight in probe.sources.items():
            direct[row, source] += weight
    return weights, direct


def _apart(rate: float, modes: Array) -> float:
    """Move a rate off the modes: where they meet, the solution has another form."""
    while np.any(np.abs(modes / rate - 1) < _RESONANCE):
        rate *= 1 + 2 * _RESONANCE
    return rate


def _row(vector: Array) -> Row:
    return tuple(vector.tolist())


def _rows(matrix: Array) -> tuple[Row, ...]:
    return tuple(tuple(row) for row in matrix.tolist())
