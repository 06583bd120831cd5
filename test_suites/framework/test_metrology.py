"""The pure parts under the meters: memory, sample times, crossings, figures of a waveform."""

import dataclasses
import itertools
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.metrology.converter import NoiseCurve
from hil_instruments.simulated.metrology.fault import MeterFault
from hil_instruments.simulated.metrology.probe import Probe
from hil_instruments.simulated.metrology.sampling import Burst, Memory
from hil_instruments.simulated.metrology.terminals import Terminals
from hil_instruments.simulated.metrology.watch import first_crossing, last_crossing
from hil_instruments.simulated.metrology.waveform import Waveform
from hil_instruments.simulated.physics.circuit import Circuit, OutputStage

ACTIONS = st.lists(st.tuples(st.sampled_from(["extend", "put", "drop"]), st.integers(0, 40)))


@given(ACTIONS, st.integers(1, 30))
def test_a_memory_is_a_queue_that_forgets_its_oldest(actions, capacity):
    memory, model, lost, number = Memory(capacity), [], 0, 0
    for action, count in actions:
        fresh = [float(number + k) for k in range(count if action == "extend" else 1)]
        if action == "extend":
            memory.extend(np.array(fresh), np.array(fresh) / 10)
        elif action == "put":
            memory.put(fresh[0], fresh[0] / 10)
        else:
            gone = min(count, len(model))
            memory.drop(gone)
            del model[:gone]
            continue
        number += len(fresh)
        model += fresh
        lost += max(len(model) - capacity, 0)
        del model[: max(len(model) - capacity, 0)]
        assert memory.last() == model[-1] if model else not len(memory)
    assert memory.values(0, len(memory)).tolist() == model
    assert memory.times(0, len(memory)) == pytest.approx(np.array(model) / 10)
    assert memory.lost == lost


@given(
    st.floats(0, 100), st.floats(1e-6, 10), st.integers(1, 5), st.floats(0, 3), st.integers(1, 40)
)
def test_a_sample_counts_from_the_moment_its_reading_is_there(start, interval, group, pause, count):
    burst = Burst(start, interval, interval / 2, count, group, pause, interval / 4)
    for place in range(count):
        due = burst.closes(place)
        assert burst.completed(due + 1e-3 * interval) == place + 1
        assert burst.completed(due - 1e-3 * interval) == place
        opened = float(burst.starts(place, place + 1)[0])
        assert opened + 0.75 * interval == pytest.approx(due)
    assert burst.end == burst.closes(count - 1)


class Pulse:
    """One long piece: after a break at 1 s a pulse of two exponentials, then nothing for hours."""

    def __init__(self, rise, fall):
        self.rise, self.fall = rise, fall

    def at(self, times):
        age = np.maximum(times - 1.0, 0.0)
        return np.exp(-age / self.fall) - np.exp(-age / self.rise)

    def began(self, time):
        return 0.0 if time < 1.0 else 1.0

    def resting(self, since):
        return None

    def bounds(self, since):
        return None

    def breaks(self, since, until):
        return np.array([1.0] if since < 1.0 <= until else [])


@pytest.mark.parametrize("fall", [1e-6, 1e-4, 1e-2, 1.0])
def test_a_pulse_at_the_beginning_of_a_long_piece_is_seen(fall):
    signal = Pulse(fall / 4, fall)
    found = first_crossing(signal, 0.0, 7200.0, 0.2, "POS")
    assert signal.at(np.array([found]))[0] == pytest.approx(0.2, rel=1e-3)
    assert found - 1.0 < fall
    down = last_crossing(signal, 0.0, 7200.0, 0.2, "NEG")
    assert signal.at(np.array([down]))[0] == pytest.approx(0.2, rel=1e-3)
    assert down > found
    assert first_crossing(signal, 0.0, 7200.0, 0.6, "RFAL") is None


@pytest.mark.parametrize("step", [1e-3, 0.1, 7.0])
def test_looking_often_finds_the_same_as_looking_once(step):
    signal = Pulse(0.3, 3.0)
    once = first_crossing(signal, 0.0, 30.0, 0.2, "NEG")
    times = np.arange(0.0, 30.0 + step, step)
    looks = (first_crossing(signal, a, b, 0.2, "NEG") for a, b in itertools.pairwise(times))
    assert next(found for found in looks if found is not None) == pytest.approx(once, abs=1e-9)


def test_hum_vanishes_over_whole_line_cycles_whatever_its_phase():
    fault = MeterFault(hum=1.0)
    for start in np.linspace(0.0, 0.02, 9):
        assert abs(fault.hum_mean(start, 0.2)) < 1e-12
        middle = math.sin(2 * math.pi * 50 * (start + 1e-6))
        assert fault.hum_mean(start, 2e-6) == pytest.approx(middle, abs=1e-6)
    assert fault.hum_mean(0.0, 0.01) == pytest.approx(2 / math.pi)


def test_noise_is_that_of_the_table_and_white_beyond_its_fast_end():
    curve = NoiseCurve(((0.01, 1e-5), (1.0, 1e-6)))
    assert curve.deviation(0.01) == pytest.approx(1e-5)
    assert curve.deviation(0.1) == pytest.approx(math.sqrt(1e-11))
    assert curve.deviation(100) == 1e-6
    assert curve.deviation(0.0001) == pytest.approx(1e-4)


def test_edges_have_hysteresis():
    times = np.linspace(0, 1, 1000, endpoint=False)
    noise = 0.05 * np.sin(2 * np.pi * 200 * times)
    wave = Waveform(np.sign(np.sin(2 * np.pi * 3 * times + 0.1)) + noise, 1e-3, 0.0, 0.01)
    rising, falling = wave.edges
    assert (len(rising), len(falling)) == (3, 3) or (len(rising), len(falling)) == (2, 3)
    assert wave.frequency == pytest.approx(3, rel=0.01)


@pytest.mark.parametrize(
    ("text", "ratio", "loading"),
    [
        ("differential, 10:1, 10 kohm", 10, 1 + 100 / 10e3),
        ("differential, 1:1, 20 Mohm", 1, 1 + 100 / 20e6),
        ("", 1, 1 + 100 / 1e6),
    ],
)
def test_a_probe_divides_and_loads_as_the_bench_file_says(text, ratio, loading):
    described = read_bench(None)
    described = dataclasses.replace(described, wiring={**described.wiring, "probe": text})
    probe = Probe(SimpleNamespace(at=lambda times: 0 * times + 1.0), described)
    assert probe.at(np.zeros(1))[0] == pytest.approx(1 / ratio / loading, rel=1e-12)


def real(**stage):
    """The circuit of the built-in bench at 2 mA, and terminals across its shunt."""
    described = read_bench(None)
    circuit = Circuit(read_device(None), described, OutputStage(**stage))
    circuit.select_load(described.loads["2k"])
    circuit.set_cutoff(True)
    circuit.command(2e-3)
    circuit.set_output_relay(True)
    circuit.advance(1.0)
    return circuit, Terminals(
        SimpleNamespace(device=SimpleNamespace(circuit=circuit)), "oscilloscope"
    )


def test_a_break_of_microseconds_in_the_real_circuit_is_caught():
    circuit, terminals = real()
    circuit.advance(600.0)
    circuit.set_cutoff(False)
    circuit.advance(600.0 + 2e-6)
    circuit.set_cutoff(True)
    circuit.advance(1200.0)
    found = first_crossing(terminals, 1.0, 1200.0, 0.1, "NEG")
    assert found == pytest.approx(600.0, abs=1e-9)
    assert last_crossing(terminals, 1.0, 1200.0, 0.1, "POS") == pytest.approx(600.0, abs=1e-5)


def test_ripple_of_the_real_circuit_is_seen_within_one_long_piece():
    circuit, terminals = real(ripple=0.05, ripple_frequency=10e3)
    circuit.advance(3.0)
    assert len(circuit.breaks(1.5, 3.0)) == 0
    found = first_crossing(terminals, 1.5, 3.0, 0.2 * 1.04, "POS")
    assert found is not None
    assert found < 1.5 + 2e-4
