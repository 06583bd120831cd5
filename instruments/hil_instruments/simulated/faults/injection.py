"""Brings faults into a device when their time comes.

Onsets count on what any firmware shows its board: closings of the output relay, demands of current.
A fault of the output stage or the board takes effect at its onset; a decision of the firmware from
the next one on that it takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from hil.device import DeviceProfile
from hil.errors import UsageError
from hil_instruments.simulated.device.board import BoardFaults
from hil_instruments.simulated.device.device import Device
from hil_instruments.simulated.device.firmware import ReferenceFirmware
from hil_instruments.simulated.device.policy import Policy
from hil_instruments.simulated.faults.catalogue import When
from hil_instruments.simulated.faults.device import Effect, effect_of
from hil_instruments.simulated.faults.instrument import Change
from hil_instruments.simulated.faults.spec import FaultSpec, Onset
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.physics.stage import OutputStage


@dataclass(slots=True)
class _Seeded:
    """One fault, and whether it is there."""

    spec: FaultSpec
    effect: Effect
    onset: Onset | None
    present: bool = False
    severity: float = field(init=False)

    def __post_init__(self) -> None:
        self.severity = float(self.spec.severity.base) if self.spec.severity else 0.0

    def waits_for(self, when: When) -> bool:
        return not self.present and self.onset is not None and self.onset.when is when

    @property
    def level(self) -> float:
        """Argument of its onset in SI."""
        return float(self.onset.at.base) if self.onset and self.onset.at else math.inf


class Injection:
    """The faults of one bench (implements `device.Injection`); without any it does nothing."""

    def __init__(
        self,
        specs: Iterable[FaultSpec],
        device: Device,
        profile: DeviceProfile,
        changes: Mapping[FaultSpec, Change] | None = None,
    ) -> None:
        """Bring in what is there from power-up, and wait for the rest.

        Args:
            specs: faults, each once.
            device: without faults; on one that has just been made, a fault of the device that is
                there from the beginning powers it up anew.
            profile: gives default severities.
            changes: what to call for faults of instruments and links.

        Raises:
            UsageError: a fault sits in the reference firmware, and another one runs.
        """
        self._device, self._profile = device, profile
        self._changes = changes or {}
        self._closings = 0
        self._seeded = [
            _Seeded(spec.resolved(profile), effect_of(spec.id), spec.sets_in) for spec in specs
        ]
        self._check()
        if self._seeded:
            device.injection = self
            device.board.on_demand, device.board.on_relay = self._demanded, self._switched
            self._watch()
            self._begin()

    @property
    def present(self) -> tuple[FaultSpec, ...]:
        """Faults that are there now."""
        return tuple(seeded.spec for seeded in self._seeded if seeded.present)

    @property
    def due(self) -> float:
        """Bench time in s at which the next one sets in by itself; infinite for none."""
        return min(
            (seeded.level for seeded in self._seeded if seeded.waits_for(When.AFTER)),
            default=math.inf,
        )

    def end(self) -> None:
        """Heal everything, and wait for nothing."""
        for seeded in self._seeded:
            self._set(seeded, present=False)
        self._seeded = []
        self._watch()
        self._device.injection = None
        self._device.board.on_demand = self._device.board.on_relay = None

    def look(self) -> None:
        """Bring in what is due at the device's time, or by the current that flows now."""
        circuit = self._device.circuit
        current = abs(circuit.value(Node.CURRENT))
        due = [
            seeded
            for seeded in self._seeded
            if (seeded.waits_for(When.AFTER) and seeded.level <= circuit.now)
            or (seeded.waits_for(When.ABOVE) and current >= seeded.level * (1 - 1e-6))
        ]
        if due:
            self._bring(due)
            self._watch()

    def _check(self) -> None:
        reference = isinstance(self._device.firmware, ReferenceFirmware)
        for seeded in self._seeded:
            if seeded.effect.override and not reference:
                raise UsageError(
                    f"fault {seeded.spec.id} sits in the reference firmware, and another one runs "
                    "on this bench; allowed: faults that need no other decision of the firmware"
                )

    def _begin(self) -> None:
        first = [seeded for seeded in self._seeded if seeded.onset is None]
        self._bring(first)
        fresh = self._device.circuit.now == 0.0
        if fresh and any(seeded.spec.fault.layer.of_device for seeded in first):
            self._device.power_cycle()

    def _watch(self) -> None:
        """Let the circuit stop where the current reaches the next level."""
        levels = [seeded.level for seeded in self._seeded if seeded.waits_for(When.ABOVE)]
        self._device.circuit.watch(Node.CURRENT, -math.inf, min(levels, default=math.inf))

    def _switched(self, closed: bool) -> None:
        """Learn that the firmware switches the output relay."""
        if not closed:
            return
        self._closings += 1
        self._bring(seeded for seeded in self._seeded if seeded.waits_for(When.START))
        for seeded in self._seeded:
            if seeded.onset is not None and seeded.onset.when is When.EVERY:
                self._set(seeded, present=self._closings % seeded.onset.every == 0)

    def _demanded(self, amperes: float) -> None:
        """Learn that the firmware demands a current."""
        if amperes >= self._half_setting():
            self._bring(seeded for seeded in self._seeded if seeded.waits_for(When.MID_RAMP))

    def _half_setting(self) -> float:
        """Half of the setting; of the largest one where the firmware does not tell."""
        firmware = self._device.firmware
        setting = firmware.settings.current if isinstance(firmware, ReferenceFirmware) else 0.0
        return (abs(setting) or self._profile.si("output.setpoint_max")) / 2

    def _bring(self, seeded: Iterable[_Seeded]) -> None:
        for each in list(seeded):
            self._set(each, present=True)

    def _set(self, seeded: _Seeded, *, present: bool) -> None:
        if seeded.present is present:
            return
        seeded.present = present
        change = self._changes.get(seeded.spec)
        if change:
            change(present, self._device.circuit.now)
        if seeded.spec.fault.layer.of_device:
            self._compose()
        if present and seeded.effect.action:
            seeded.effect.action(self._device, seeded.severity)

    def _compose(self) -> None:
        """Give the device the sum of what is there."""
        device, profile = self._device, self._profile
        there = [seeded for seeded in self._seeded if seeded.present]
        stage, board = OutputStage(), BoardFaults(hang=device.board.faults.hang)
        for seeded in there:
            effect, severity = seeded.effect, seeded.severity
            if effect.stage:
                stage = effect.stage(stage, severity, profile)
            if effect.board:
                board = effect.board(board, severity, profile, device.board)
        if stage != device.circuit.stage:
            device.circuit.set_stage(stage)
        device.board.faults = board
        if isinstance(device.firmware, ReferenceFirmware):
            device.firmware.policy = self._policy(there)

    def _policy(self, there: Iterable[_Seeded]) -> Policy:
        bases = tuple(
            dict.fromkeys(s.effect.override(s.severity) for s in there if s.effect.override)
        )
        made: type[Policy] = type("FaultyPolicy", bases, {}) if bases else Policy
        return made(self._profile)


def once(specs: Iterable[FaultSpec]) -> tuple[FaultSpec, ...]:
    """Sort faults by id; raises UsageError where one is given twice for the same place."""
    found: dict[tuple[str, str], FaultSpec] = {}
    for spec in specs:
        key = (spec.id, spec.role)
        if found.setdefault(key, spec) != spec:
            raise UsageError(f"fault {spec.id} is given twice: {found[key]} and {spec}")
    return tuple(found[key] for key in sorted(found))
