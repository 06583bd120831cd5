"""Front end of the switched load: a subset of Keysight 34970A with one 34903A card in slot 1."""

from __future__ import annotations

from collections.abc import Iterable

from hil.bench import InstrumentEntry, LoadEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.scpi import Answer, Instrument, ScpiError, channels, choice, scpi

OPERATE_TIME = 6e-3
"""Seconds from command to settled contact; messages wait for it."""
FIRST, LAST = 101, 120


class Switch(Instrument):
    """Actuator card whose channels connect the loads, one at a time.

    The 34970A has no ROUTe:OPEN:ALL: SYSTem:CPON and *RST open every channel. Two loads at once
    would be a load that no bench file describes: refused with -221, where the real card obeys.
    """

    no_error = '+0,"No error"'

    def __init__(self, entry: InstrumentEntry, world: World, loads: Iterable[LoadEntry]) -> None:
        super().__init__(entry, world.clock)
        self._world = world
        self._loads = {load.channel: load for load in loads}
        self._closed: frozenset[int] = frozenset()

    def preset(self) -> None:
        """Open every channel."""
        self._settle(frozenset(), OPERATE_TIME)

    def complete_at(self) -> float:
        """End of the contact movement."""
        return max(self.clock.time, self.busy_until)

    def _known(self, listed: tuple[int, ...]) -> frozenset[int]:
        for channel in listed:
            if not FIRST <= channel <= LAST:
                raise ScpiError(-222, f"channel {channel}; allowed: {FIRST} to {LAST}")
        return frozenset(listed)

    def _settle(self, closed: frozenset[int], delay: float) -> None:
        loads = [self._loads[channel] for channel in sorted(closed) if channel in self._loads]
        if len(loads) > 1:
            names = ", ".join(f"{load.channel} ({load.name})" for load in loads)
            raise ScpiError(-221, f"channels {names} would connect two loads; open one first")
        self._closed = closed
        self.busy_until = self.clock.time + delay
        load = loads[0] if loads else None
        self.clock.at(self.busy_until, lambda: self._world.device.circuit.select_load(load))

    @scpi("ROUTe:CLOSe", channels())
    def _close(self, listed: tuple[int, ...]) -> None:
        self._settle(self._closed | self._known(listed), OPERATE_TIME)

    @scpi("ROUTe:CLOSe:EXCLusive", channels())
    def _close_only(self, listed: tuple[int, ...]) -> None:
        """Open every channel, then close these: break before make."""
        closed = self._known(listed)
        circuit = self._world.device.circuit
        self._settle(closed, 2 * OPERATE_TIME)
        self.clock.at(self.clock.time + OPERATE_TIME, lambda: circuit.select_load(None))

    @scpi("ROUTe:OPEN", channels())
    def _open(self, listed: tuple[int, ...]) -> None:
        self._settle(self._closed - self._known(listed), OPERATE_TIME)

    @scpi("ROUTe:CLOSe?", channels())
    def _is_closed(self, listed: tuple[int, ...]) -> str:
        self._known(listed)
        return ",".join("1" if channel in self._closed else "0" for channel in listed)

    @scpi("ROUTe:OPEN?", channels())
    def _is_open(self, listed: tuple[int, ...]) -> str:
        self._known(listed)
        return ",".join("0" if channel in self._closed else "1" for channel in listed)

    @scpi("ROUTe:DONE?")
    def _done(self) -> Answer:
        return "1"  # messages wait until the contacts have settled

    @scpi("SYSTem:CPON", choice("100|ALL"))
    def _power_on(self, slot: str) -> None:
        self.preset()
