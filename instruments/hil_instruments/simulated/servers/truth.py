"""Ground truth of a simulated bench as plain data: what no instrument can show."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum
from typing import TypeAlias

from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.device.device import Device
from hil_instruments.simulated.device.firmware import ReferenceFirmware
from hil_instruments.simulated.physics.node import Node

Plain: TypeAlias = "str | float | bool | list[Plain] | dict[str, Plain] | None"
"""What JSON can say; what is not finite is text, as `inf`."""


def plain(value: object) -> Plain:
    """Any value as plain data."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int | float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, set | frozenset):
        return [plain(each) for each in sorted(value)]
    return str(value)


def ground_truth(bench: SimulatedBench) -> dict[str, Plain]:
    """Everything at the bench's time: circuit, firmware, relays, faults."""
    circuit = bench.device.circuit
    load = circuit.load
    return {
        "time": bench.clock.now(),
        "since_power_on": bench.clock.time,
        "resets": bench.generation,
        "nodes": {node.name.lower(): plain(circuit.value(node)) for node in Node},
        "charge": circuit.charge(),
        "load": None if load is None else load.name,
        "contact": circuit.in_contact,
        "powered": circuit.powered,
        "limited": circuit.limited,
        "tripped": circuit.tripped,
        "relays": {
            "output": circuit.relay_closed,
            "cutoff": circuit.cutoff_closed,
            "cutoff_since": circuit.cutoff_since,
            **{
                role: plain(
                    each.closed
                )  # channels of a switch unit, or whether a cut-off is closed
                for role, each in bench.instruments.items()
                if hasattr(each, "closed")
            },
        },
        "firmware": _firmware(bench.device),
        "faults": [str(each) for each in bench.faults],
        "dark": [role for role, each in bench.instruments.items() if not each.powered()],
        "links": {
            role: [fault.kind for fault in link.faults] for role, link in bench.links.items()
        },
    }


def _firmware(device: Device) -> Plain:
    """What the firmware's state is, as far as it can be seen from outside: C code says nothing."""
    found: dict[str, Plain] = {"resets_by_watchdog": device.resets}
    firmware = device.firmware
    if isinstance(firmware, ReferenceFirmware):
        settings = firmware.settings
        found |= {
            "state": firmware.state.value,
            "fault_code": firmware.fault_code,
            "current_setting": settings.current,
            "polarity": settings.polarity.value,
            "dose_setting": settings.dose,
            "ramp_setting": settings.ramp,
            "charge": firmware.charge(),
        }
    return found
