"""The circuit against brute force and against itself, over programmes that nobody chose."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.bench import LoadEntry
from hil.exact import Exact
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.physics.circuit import (
    AMMETER_BURDEN,
    VOLTMETER_RESISTANCE,
    Circuit,
    Node,
    OutputStage,
)
from hil_instruments.simulated.physics.stage import Bridge

Array = npt.NDArray[np.float64]
BENCH, DEVICE = read_bench(None), read_device(None)
SHUNT = float(BENCH.shunt.base)
# Slow enough for explicit steps of 2 us: 20 nF across the output, 1 kohm behind the boost voltage.
STAGE = OutputStage(
    operate=0, release=0, capacitance=20e-9, stray=0.0, on_resistance=990.0, bleed=10e3
)
FARAD = STAGE.capacitance
STEP = 2e-6


@dataclass(frozen=True)
class Skin:
    """One load in both forms: a LoadEntry, and its links for brute force."""

    entry: LoadEntry
    series: float
    links: tuple[tuple[float, float], ...]
    """Resistance in ohm and capacitance in F."""


def skin(name: str, series: float, *links: tuple[float, float]) -> Skin:
    parts = [Exact.parse(f"{ohm} ohm") for ohm, _ in links]
    farads = [Exact.parse(f"{farad * 1e9:.6f} nF") for _, farad in links]
    fields = [part for pair in zip(parts, farads, strict=True) for part in pair]
    return Skin(LoadEntry(name, 1, Exact.parse(f"{series} ohm"), *fields), series, links)


SKINS = (
    skin("2k", 2e3),
    skin("50k", 50e3),
    skin("one", 470, (10e3, 100e-9)),
    skin("two", 470, (47e3, 22e-9), (4.7e3, 220e-9)),
)
ACTIONS = st.one_of(
    st.tuples(st.just("command"), st.floats(0, 4.5e-3)),
    st.tuples(st.just("bridge"), st.booleans()),
    st.tuples(st.just("relay"), st.booleans()),
    st.tuples(st.just("load"), st.sampled_from((None, *range(len(SKINS))))),
)
PROGRAMMES = st.lists(st.tuples(st.integers(50, 1500), ACTIONS), min_size=1, max_size=8)
"""Each: steps of 2 us to wait, then what to do."""


def do(made: Circuit, action: tuple[str, object]) -> None:
    verb, value = action
    if verb == "command":
        made.command(float(value))  # type: ignore[arg-type]
    elif verb == "bridge":
        made.set_bridge(bool(value))
    elif verb == "relay":
        made.set_output_relay(bool(value))
    else:
        made.select_load(None if value is None else SKINS[value].entry)  # type: ignore[call-overload]


def play(made: Circuit, programme: list[tuple[int, tuple[str, object]]]) -> None:
    """Run a programme, and a millisecond more."""
    now = 0.0
    for wait, action in programme:
        now += wait * STEP
        made.advance(now)
        do(made, action)
    made.advance(now + 1e-3)


def begun(stage: OutputStage = STAGE) -> Circuit:
    made = Circuit(DEVICE, BENCH, stage)
    made.select_load(SKINS[2].entry)
    made.set_cutoff(True)
    made.set_output_relay(True)
    made.command(2e-3)
    return made


class Brute:
    """The same by the classic method of Runge and Kutta, fourth order, in steps of STEP."""

    def __init__(self) -> None:
        self.command, self.sign, self.closed = 2e-3, 1.0, True
        self.load: int | None = 2
        self.held = {number: [0.0] * len(each.links) for number, each in enumerate(SKINS)}
        self.output = self.regulator = 0.0

    def do(self, action: tuple[str, object]) -> None:
        verb, value = action
        if verb == "command":
            self.command = float(value)  # type: ignore[arg-type]
        elif verb == "bridge":
            self.sign = -1.0 if value else 1.0
        elif verb == "relay":
            self.closed = bool(value)
        else:
            self.load = value  # type: ignore[assignment]

    def terminal(self, output: float, held: list[float]) -> float:
        siemens, driven = 1 / AMMETER_BURDEN, output / AMMETER_BURDEN
        if self.load is not None:
            load = 1 / (SKINS[self.load].series + SHUNT)
            siemens, driven = siemens + load, driven + load * sum(held)
        return driven / (siemens + 1 / VOLTMETER_RESISTANCE)

    def slopes(self, state: list[float]) -> list[float]:
        regulator, output, held = state[0], state[1], state[2:]
        terminal = self.terminal(output, held)
        source = 0.0
        if self.closed:
            limit = (80.0 - self.sign * output) / STAGE.drop
            source = self.sign * max(0.0, min(regulator, limit))
        bled = 0.0 if self.closed else output / STAGE.bleed
        slopes = [
            (self.command - regulator) / STAGE.lag,
            (source - bled - (output - terminal) / AMMETER_BURDEN) / FARAD,
        ]
        if self.load is None:
            return slopes
        each = SKINS[self.load]
        current = (terminal - sum(held)) / (each.series + SHUNT)
        links = zip(held, each.links, strict=True)
        return slopes + [(current - volts / ohm) / farad for volts, (ohm, farad) in links]

    def step(self) -> None:
        held = self.held[self.load] if self.load is not None else []
        state = [self.regulator, self.output, *held]
        first = self.slopes(state)
        second = self.slopes([y + STEP / 2 * k for y, k in zip(state, first, strict=True)])
        third = self.slopes([y + STEP / 2 * k for y, k in zip(state, second, strict=True)])
        fourth = self.slopes([y + STEP * k for y, k in zip(state, third, strict=True)])
        rows = zip(state, first, second, third, fourth, strict=True)
        state = [y + STEP / 6 * (a + 2 * b + 2 * c + d) for y, a, b, c, d in rows]
        self.regulator, self.output = state[0], state[1]
        for number, volts in self.held.items():
            if number == self.load:
                volts[:] = state[2:]
            else:
                links = SKINS[number].links
                volts[:] = [
                    v * math.exp(-STEP / (ohm * farad))
                    for v, (ohm, farad) in zip(volts, links, strict=True)
                ]

    @property
    def seen(self) -> tuple[float, float]:
        """Voltage at the voltmeter in V, at the output in V."""
        held = self.held[self.load] if self.load is not None else []
        return self.terminal(self.output, held), self.output


@settings(deadline=None, max_examples=15)
@given(programme=PROGRAMMES)
def test_brute_force_agrees_within_a_two_thousandth_of_full_scale(
    programme: list[tuple[int, tuple[str, object]]],
) -> None:
    made, brute, seen = begun(), Brute(), [(0.0, 0.0)]
    steps = 0
    for wait, action in [*programme, (200, ("command", 0.0))]:
        for _ in range(wait):
            brute.step()
            seen.append(brute.seen)
        steps += wait
        made.advance(steps * STEP)
        brute.do(action)
        do(made, action)
    times = np.arange(steps) * STEP
    expected = np.array(seen[:steps])
    quiet = np.ones(
        steps, dtype=bool
    )  # at its own time an event has happened in one, not the other
    quiet[np.cumsum([wait for wait, _ in programme])] = False
    for column, node in enumerate((Node.TERMINAL, Node.OUTPUT)):
        apart = np.abs(made.observe(node, times) - expected[:, column])[quiet]
        assert apart.max() < 80 * 5e-4  # brute force steps over the corners of the stage


@settings(deadline=None, max_examples=40)
@given(programme=PROGRAMMES, cuts=st.lists(st.floats(0, 1), max_size=30))
def test_how_time_is_cut_changes_nothing(
    programme: list[tuple[int, tuple[str, object]]], cuts: list[float]
) -> None:
    stage = OutputStage(operate=0.3e-3, release=0.1e-3, bounces=1)
    whole, pieces = begun(stage), begun(stage)
    now = 0.0
    for wait, action in programme:
        begin, now = now, now + wait * STEP
        whole.advance(now)
        for cut in sorted(cuts):
            pieces.advance(max(begin + cut * (now - begin), pieces.now))
        pieces.advance(now)
        do(whole, action)
        do(pieces, action)
    whole.advance(now + 1e-3)
    pieces.advance(now + 1e-3)
    times = np.linspace(0, now + 1e-3, 500)
    for node in Node:
        assert np.array_equal(whole.observe(node, times), pieces.observe(node, times))
    assert whole.charge() == pieces.charge()


@settings(deadline=None, max_examples=40)
@given(programme=PROGRAMMES)
def test_charge_is_conserved(programme: list[tuple[int, tuple[str, object]]]) -> None:
    """What the stage drives goes through ammeter and bleed, or stays in the output capacitance."""
    made = begun()
    now, bled, closed = 0.0, 0.0, True
    for wait, action in programme:
        begin, now = now, now + wait * STEP
        made.advance(now)
        if not closed:
            span = now - begin
            bled += made.means(Node.OUTPUT, np.array([begin]), span)[0] * span / STAGE.bleed
        do(made, action)
        closed = bool(action[1]) if action[0] == "relay" else closed
    moved = {
        node: made.means(node, np.array([0.0]), now)[0] * now
        for node in (Node.SENSE, Node.CURRENT, Node.LOAD, Node.TERMINAL)
    }
    kept = FARAD * made.value(Node.OUTPUT)
    largest = 4.5e-3 * now
    assert abs(moved[Node.SENSE] - moved[Node.CURRENT] - bled - kept) < 1e-9 * largest + 1e-15
    beside = moved[Node.TERMINAL] / VOLTMETER_RESISTANCE
    assert abs(moved[Node.CURRENT] - moved[Node.LOAD] - beside) < 1e-9 * largest + 1e-15


@settings(deadline=None, max_examples=40)
@given(
    programme=PROGRAMMES,
    low=st.floats(0.1, 30),
    span=st.floats(0.1, 60),
    node=st.sampled_from([Node.TERMINAL, Node.OUTPUT]),
)
def test_no_level_of_a_window_is_passed_unseen(
    programme: list[tuple[int, tuple[str, object]]], low: float, span: float, node: Node
) -> None:
    made = begun()
    made.watch(node, low, low + span)
    told, now = [0.0], 0.0
    for wait, action in programme:
        now += wait * STEP
        while made.run(now):
            told.append(made.now)
        told.append(now)
        do(made, action)
    for begin, end in pairwise(told):
        if end - begin < 1e-9:
            continue
        inside = np.linspace(begin, end, 200)[1:-1]
        size = np.abs(made.observe(node, inside))
        slack = 1e-5 * (1 + low + span)
        regions = np.digitize(size, [low, low + span])
        near = (np.abs(size - low) < slack) | (np.abs(size - low - span) < slack)
        assert len(set(regions[~near].tolist())) <= 1


@settings(deadline=None, max_examples=30)
@given(
    programme=PROGRAMMES,
    lag=st.sampled_from([1e-6, 1e-4, 1e-3]),
    excess=st.floats(0, 2e-3),
    ripple=st.sampled_from([0.0, 0.1]),
)
def test_the_bound_of_a_segment_holds(
    programme: list[tuple[int, tuple[str, object]]], lag: float, excess: float, ripple: float
) -> None:
    """What lets a step skip the search for crossings."""
    made = begun(replace(STAGE, lag=lag, windup=1.0, windup_limit=excess, ripple=ripple))
    play(made, programme)
    for segment in made._history._segments:  # noqa: SLF001
        for node in (Node.CURRENT, Node.TERMINAL, Node.OUTPUT, Node.SENSE):
            level, spread = segment.extent(node.value)
            ages = np.concatenate(([0.0], np.logspace(-8, -1, 60)))
            apart = [abs(segment.seen(node).at(age) - level) for age in ages]
            assert max(apart) <= spread * (1 + 1e-6) + 1e-9


@settings(deadline=None, max_examples=30)
@given(programme=PROGRAMMES, share=st.floats(0, 1), ripple=st.sampled_from([0.0, 0.1]))
def test_no_node_leaves_its_bounds(
    programme: list[tuple[int, tuple[str, object]]], share: float, ripple: float
) -> None:
    """What lets an oscilloscope skip its search for a trigger."""
    made = begun(replace(STAGE, ripple=ripple))
    play(made, programme)
    since = share * made.now
    times = np.linspace(since, made.now, 2_000)
    for node in (Node.CURRENT, Node.SHUNT, Node.OUTPUT, Node.SENSE):
        found = made.bounds(node, since)
        if found is None:  # too much has happened
            continue
        seen = made.observe(node, times)
        slack = 1e-6 * (found[1] - found[0]) + 1e-9
        assert found[0] - slack <= seen.min() <= seen.max() <= found[1] + slack
    assert made.bounds(Node.BOOST, since) is None
    assert made.bounds(Node.SHUNT, made.now) is not None


@settings(deadline=None, max_examples=40)
@given(
    commands=st.lists(st.tuples(st.floats(0.2e-3, 20e-3), st.floats(0, 8e-3)), max_size=10),
    bridge=st.sampled_from(Bridge),
)
def test_no_excess_outlasts_the_comparator(
    commands: list[tuple[float, float]], bridge: Bridge
) -> None:
    made = Circuit(DEVICE, BENCH, OutputStage(operate=0, release=0, bridge=bridge))
    made.select_load(BENCH.loads["1k"])
    made.set_cutoff(True)
    made.set_output_relay(True)
    for wait, amperes in commands:
        made.command(amperes)
        made.advance(made.now + wait)
    made.advance(made.now + 20e-3)
    times = np.arange(0, made.now, 20e-6)
    above = np.abs(made.observe(Node.SENSE, times)) > 5e-3 * (1 + 1e-9)
    edges = np.flatnonzero(np.diff(np.concatenate(([0], above.astype(int), [0]))))
    longest = max((b - a for a, b in zip(edges[::2], edges[1::2], strict=True)), default=0)
    assert longest * 20e-6 <= 5e-3 + 60e-6
    if longest * 20e-6 > 5e-3 + 20e-6:
        assert made.tripped


@pytest.mark.parametrize("hours", [0.0, 24.0, 1000.0])
def test_the_hour_of_day_changes_nothing(hours: float) -> None:
    start = hours * 3600
    made = Circuit(DEVICE, BENCH, STAGE, start)
    made.select_load(SKINS[3].entry)
    made.set_cutoff(True)
    made.set_output_relay(True)
    made.command(4e-3)
    made.advance(start + 5e-3)
    made.set_bridge(True)
    made.advance(start + 10e-3)
    assert made.value(Node.TERMINAL) == pytest.approx(-78.9, abs=2.0)
    assert made.limited
    made.select_load(None)
    made.advance(start + 20e-3)
    assert made.value(Node.OUTPUT) == pytest.approx(-80, abs=0.01)
