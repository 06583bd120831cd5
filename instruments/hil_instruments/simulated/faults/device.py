"""What each fault of the device changes, each in its own layer: output stage, board, decisions."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TypeAlias

from hil.device import DeviceProfile
from hil_instruments.simulated.device.board import CALIBRATION, Board, BoardFaults
from hil_instruments.simulated.device.device import Device
from hil_instruments.simulated.device.port import CURRENT_STEP, FULL_SCALE, Key
from hil_instruments.simulated.faults.decisions import OVERRIDES
from hil_instruments.simulated.faults.ramps import Override
from hil_instruments.simulated.physics.stage import REFERENCE_TEMPERATURE, Bridge, OutputStage
from hil_instruments.simulated.physics.supply import SUPPLY_NOMINAL

CLIPPED = 4.095e-3
"""A at which a 12-bit converter of 1 uA steps clips."""
STUCK = 1e-3
"""A that a dead current sensor shows."""
RUNAWAY = 1.15
"""Share of the trip to which current runs away where the firmware does not see it."""
UNREGULATED = 100.0
"""Current for each ampere commanded where nothing regulates it."""
OVERDRIVEN = 1.15
"""Gain of an output converter that drives the largest setting above the software limit."""
HOT = 40.0
"""Temperature in degC at the upper end of home use (IEC 60601-1-11, from memory)."""
GLITCH = 10e-3
"""Seconds of a pulse at a reset: ten time constants of the regulator, so that it rises whole."""
_EARTH_METER = 1e3  # ohm: in series with what leaks to earth

StageChange: TypeAlias = Callable[[OutputStage, float, DeviceProfile], OutputStage]
BoardChange: TypeAlias = Callable[[BoardFaults, float, DeviceProfile, Board], BoardFaults]
Action: TypeAlias = Callable[[Device, float], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """What a fault changes while it is there; severities are in SI."""

    stage: StageChange | None = None
    """In the circuit."""
    board: BoardChange | None = None
    """Between circuit and codes."""
    override: Override | None = None
    """In the reference firmware."""
    action: Action | None = None
    """What happens once, when it sets in."""


def _stage(**figures: float | Bridge) -> StageChange:
    return lambda stage, severity, profile: replace(stage, **figures)  # type: ignore[arg-type]  # names and types are those below


def _severe(figure: str) -> StageChange:
    """Set one figure of the stage to the severity."""
    return lambda stage, severity, profile: replace(stage, **{figure: severity})  # type: ignore[arg-type]  # a figure that is a float


def _windup(stage: OutputStage, severity: float, profile: DeviceProfile) -> OutputStage:
    del profile
    return replace(stage, windup=severity / 5e-3, windup_limit=severity, transient=5e-3)


def _load_step(stage: OutputStage, severity: float, profile: DeviceProfile) -> OutputStage:
    del profile
    return replace(stage, load_step=severity, transient=100e-3)


def _sense_drift(stage: OutputStage, severity: float, profile: DeviceProfile) -> OutputStage:
    del profile
    return replace(stage, gain=1 + severity, sense=1 / (1 + severity))


def _deaf_trip(stage: OutputStage, severity: float, profile: DeviceProfile) -> OutputStage:
    trip = profile.si("output.trip")
    gain = RUNAWAY * trip / profile.si("output.setpoint_max")
    return replace(stage, gain=gain, sense=1 / gain, comparator_level=severity / trip)


def _low_shunt(stage: OutputStage, severity: float, profile: DeviceProfile) -> OutputStage:
    """Let all that the shunt serves see as little of the current: the densest is the severity."""
    gain = severity * profile.si("electrode.area") / profile.si("output.setpoint_max")
    return replace(stage, gain=gain, sense=1 / gain, comparator_level=gain)


def _touchy_trip(stage: OutputStage, severity: float, profile: DeviceProfile) -> OutputStage:
    return replace(stage, comparator_level=severity / profile.si("output.trip"))


def _bouncing(stage: OutputStage, severity: float, profile: DeviceProfile) -> OutputStage:
    del profile
    return replace(stage, spike=severity, transient=5e-3, bounces=2, bounce=6e-3)


def _leak_to_earth(stage: OutputStage, severity: float, profile: DeviceProfile) -> OutputStage:
    del profile
    return replace(stage, isolation=SUPPLY_NOMINAL / severity - _EARTH_METER)


def _boost(stage: OutputStage, severity: float, profile: DeviceProfile) -> OutputStage:
    del profile
    return replace(stage, boost_gain=1 + severity)


def _sagging(stage: OutputStage, severity: float, profile: DeviceProfile) -> OutputStage:
    lowest = profile.figures.get("power.minimum")
    volts = stage.brownout if lowest is None else float(lowest.value.base)
    return replace(stage, supply_coefficient=severity / (SUPPLY_NOMINAL - volts))


def _rippling(stage: OutputStage, severity: float, profile: DeviceProfile) -> OutputStage:
    del profile
    return replace(stage, ripple=severity / 2)


def _warm(stage: OutputStage, severity: float, profile: DeviceProfile) -> OutputStage:
    del profile
    return replace(stage, temperature_coefficient=-severity / (HOT - REFERENCE_TEMPERATURE))


def _overdriven(
    faults: BoardFaults, severity: float, profile: DeviceProfile, board: Board
) -> BoardFaults:
    """Drive the largest setting to a current, by the gain of the output converter."""
    del board
    gain = severity / profile.si("output.setpoint_max") if severity else OVERDRIVEN
    return replace(faults, dac_gain=gain)


def _clipping(
    faults: BoardFaults, severity: float, profile: DeviceProfile, board: Board
) -> BoardFaults:
    factor = CALIBRATION.unpack(board.read_memory(0, CALIBRATION.size))[1]
    clipped = round(CLIPPED / (factor * CURRENT_STEP))
    return replace(_overdriven(faults, severity, profile, board), current_largest=clipped)


def _low_reference(
    faults: BoardFaults, severity: float, profile: DeviceProfile, board: Board
) -> BoardFaults:
    del profile, board
    return replace(faults, dac_gain=1 - severity, current_gain=1 / (1 - severity))


def _stuck_bit(
    faults: BoardFaults, severity: float, profile: DeviceProfile, board: Board
) -> BoardFaults:
    del profile, board
    bit = max(math.floor(math.log2(severity / CURRENT_STEP)), 0)
    return replace(faults, dac_set=(1 << bit) & FULL_SCALE)


def _dead_sensor(
    faults: BoardFaults, severity: float, profile: DeviceProfile, board: Board
) -> BoardFaults:
    del severity, profile, board
    return replace(faults, current_stuck=round(STUCK / CURRENT_STEP))


def _upset(
    faults: BoardFaults, severity: float, profile: DeviceProfile, board: Board
) -> BoardFaults:
    del profile
    factor = CALIBRATION.unpack(board.read_memory(0, CALIBRATION.size))[0]
    return replace(faults, dac_offset=round(severity * factor / CURRENT_STEP))


def _wrong_voltmeter(
    faults: BoardFaults, severity: float, profile: DeviceProfile, board: Board
) -> BoardFaults:
    del profile, board
    return replace(faults, voltage_gain=1 + severity)


def _no_watchdog(
    faults: BoardFaults, severity: float, profile: DeviceProfile, board: Board
) -> BoardFaults:
    del severity, profile, board
    return replace(faults, watchdog=False)


def _glitching(
    faults: BoardFaults, severity: float, profile: DeviceProfile, board: Board
) -> BoardFaults:
    del profile, board
    return replace(faults, reset_glitch=severity, glitch_time=GLITCH)


def _wet_key(
    faults: BoardFaults, severity: float, profile: DeviceProfile, board: Board
) -> BoardFaults:
    del severity, profile, board
    return replace(faults, keys_stuck=Key.START)


def _hang(device: Device, severity: float) -> None:
    del severity
    device.board.faults = replace(device.board.faults, hang=True)


def _corrupt_calibration(device: Device, severity: float) -> None:
    del severity
    flipped = device.board.read_memory(0, 1)[0] ^ 0x10
    device.board.write_memory(0, bytes([flipped]))


def _warm_up(device: Device, severity: float) -> None:
    del severity
    device.circuit.set_temperature(HOT)


def _near_wrap(device: Device, severity: float) -> None:
    device.board.preset_timer(round((2**32 * 1e-3 - severity) * 1e6))


_IN_STAGE: Mapping[str, StageChange] = {
    "F07": _windup,
    "F08": _load_step,
    "F10": _deaf_trip,
    "F11": _sense_drift,
    "F12": _stage(gain=UNREGULATED, sense=1 / UNREGULATED**3),
    "F19": _severe("standby"),
    "F20": _severe("weld"),
    "F21": _leak_to_earth,
    "F23": _stage(bridge=Bridge.STUCK),
    "F24": _stage(bridge=Bridge.SWAPPED),
    "F27": _bouncing,
    "F34": _boost,
    "F35": _rippling,
    "F47": _sagging,
    "F66": _warm,
    "F77": _low_shunt,
    "F78": _severe("backfeed"),
    "F82": _touchy_trip,
}
_ON_BOARD: Mapping[str, BoardChange] = {
    "F09": _overdriven,
    "F13": _clipping,
    "F14": _low_reference,
    "F15": _stuck_bit,
    "F39": _overdriven,
    "F42": _no_watchdog,
    "F43": _glitching,
    "F65": _dead_sensor,
    "F67": _upset,
    "F69": _wet_key,
    "F73": _overdriven,
    "F74": _overdriven,
    "F79": _wrong_voltmeter,
}
_AT_ONSET: Mapping[str, Action] = {
    "F42": _hang,
    "F43": _hang,
    "F64": _corrupt_calibration,
    "F66": _warm_up,
    "F75": _near_wrap,
}


def effect_of(fault: str) -> Effect:
    """What a fault changes; an empty effect for one that is not of the device."""
    return Effect(
        stage=_IN_STAGE.get(fault),
        board=_ON_BOARD.get(fault),
        override=OVERRIDES.get(fault),
        action=_AT_ONSET.get(fault),
    )
