"""What must hold on the simulated bench whatever anybody does to it."""

from __future__ import annotations

import math

import pytest

from hil.errors import UsageError
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.device.bare import NoFirmware
from hil_instruments.simulated.device.device import Device
from hil_instruments.simulated.physics.circuit import Circuit, OutputStage

BENCH, DEVICE = read_bench(None), read_device(None)


@pytest.mark.parametrize("sense", [0.0, 1e-6, 1e-3, 1e-2])
def test_a_stiff_stage_on_an_open_load_does_not_chatter(sense: float) -> None:
    circuit = Circuit(DEVICE, BENCH, OutputStage(sense_resistance=sense, comparator=False))
    circuit.set_cutoff(True)
    circuit.set_output_relay(True)
    for command in (1e-6, 4e-3, 4.5e-3):
        circuit.command(command)
        circuit.advance(circuit.now + 0.02)
    assert circuit.limited
    assert circuit.breaks(0.0, circuit.now).size < 50


@pytest.mark.parametrize("volts", [0.0, 1e-4])
def test_yielding_skin_is_solved_in_few_steps_at_hardly_any_compliance(volts: float) -> None:
    circuit = Circuit(DEVICE, BENCH)
    circuit.select_load(BENCH.loads["dry"])
    circuit.set_cutoff(True)
    circuit.set_output_relay(True)
    circuit.command(2e-3)
    circuit.advance(0.1)
    circuit.set_compliance(volts)
    circuit.advance(2.0)
    assert circuit.breaks(0.1, circuit.now).size < 500


@pytest.mark.parametrize("to", [math.nan, math.inf, -math.inf, -1.0])
def test_time_passes_to_a_finite_later_time_only(to: float) -> None:
    circuit = Circuit(DEVICE, BENCH)
    device = Device(DEVICE, BENCH, lambda _: NoFirmware())
    for advance in (circuit.advance, device.advance):
        with pytest.raises(UsageError, match="allowed: finite"):
            advance(to)
    assert circuit.now == device.circuit.now == 0.0
