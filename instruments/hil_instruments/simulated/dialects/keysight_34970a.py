"""Dialect of the Keysight 34970A and DAQ970A switch units with actuator cards in slots 1 and 2.

The card (34903A, DAQM903A: 20 form-C relays) in slot 1 connects the loads of the bench, that in
slot 2 is a cut-off by software: channels 201 and 202 are its poles. Which of the two is wired
follows from the unit's role on the bench; in that of the load a channel of the second card joins
the source of known sign, where the bench file has one. The relays latch: they keep their state
without power, so that a cut-off made of them is none that opens when it is de-energised.

What is modelled: operate time, break before make of an exclusive close, cycle counts, the state
recalled at power-on. What is not: contact bounce, the internal multimeter, scan lists.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from hil.bench import InstrumentEntry, LoadEntry
from hil.exact import Exact
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.calendars import KeysightCalendar
from hil_instruments.simulated.scpi import (
    Answer,
    ScpiError,
    boolean,
    channels,
    choice,
    scpi,
)

OPERATE_TIME = 6e-3
"""Seconds from command to settled contact; messages wait for it. From memory."""
CARD_CHANNELS = 20
LOAD_SLOT, CUTOFF_SLOT = 1, 2
POLES = frozenset({201, 202})
"""Channels of the cut-off: both poles must be closed for a current to flow."""
_SLOTS = (1, 2, 3)


@dataclass(frozen=True, slots=True)
class Model:
    """How one model tells who it is."""

    card: str
    """Second field of SYSTem:CTYPe?."""
    maker: str
    """First field of SYSTem:CTYPe?."""
    firmware: str
    """Last field of *IDN?."""
    card_firmware: str
    """Last field of SYSTem:CTYPe?."""


# A 34970A answered `HEWLETT-PACKARD,34903A,0,1.0` and `HEWLETT-PACKARD,0,0,0` for an empty slot
# (listings of real units, firmware 9-1-2); the reply of a DAQ970A is from memory.
OLD = Model("34903A", "HEWLETT-PACKARD", "9-1-2", "1.0")
NEW = Model("DAQM903A", "Keysight Technologies", "A.02.02-01.00-02.01-00.02-02.00-03-03", "1.0")

# Errors of the instrument itself, from memory of the 34970A Service Guide.
_SLOT_RANGE = (111, "Channel list: slot number out of range")
_CHANNEL_RANGE = (112, "Channel list: channel number out of range")
_NO_MODULE = (302, "No module was detected in this slot")
_UNABLE = (303, "Module not able to perform requested operation")


def refused(error: tuple[int, str], detail: str) -> ScpiError:
    """One of the instrument's own errors, with what was asked and what is allowed."""
    code, text = error
    return ScpiError(code, detail, text)


class Keysight34970A(KeysightCalendar):
    """Switch unit; in the role `cutoff` its second card is the cut-off, else its first the load.

    Loads closed together are connected in parallel where the combination is again a load that the
    circuit knows: plain resistors. One that holds a skin network is refused with -221, where the
    real card would obey.
    """

    no_error = '+0,"No error"'

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Begin with every relay open, as the factory delivers it.

        Args:
            entry: as in the bench file; its model decides how it tells who it is.
            world: the bench; its loads are the positions of slot 1.
            seed: not used; a relay has no noise.
        """
        super().__init__(entry, world.clock)
        self._world = world
        self._model = NEW if entry.model == "DAQ970A" else OLD
        self._loads = {load.channel: load for load in world.description.loads.values()}
        self._closed: frozenset[int] = frozenset()
        self._cycles: Counter[int] = Counter()
        self._recall = True
        source = world.description.source
        self._source = source if entry.role == "load" else None

    @property
    def closed(self) -> frozenset[int]:
        """Channels whose relay is closed, or about to be."""
        return self._closed

    def describe(self, error: ScpiError) -> str:
        """Write an error as the unit does, without detail; but say why for -221, which is ours."""
        detail = f";{error.detail}"[:200] if error.code == -221 else ""
        return f'{error.code:+d},"{error.text}{detail}"'.replace("\n", " ")

    def preset(self) -> None:
        """Open every channel."""
        self._settle(frozenset(), OPERATE_TIME)

    def lose_power(self) -> None:
        """Lose the mains: relays latch, so nothing moves. Settings come back by themselves."""

    def power_on(self) -> None:
        """Come back with the state of the power-down, or after MEM:STAT:REC:AUTO OFF by *RST.

        34972A User's Guide, "Power failure".
        """
        super().power_on()
        if not self._recall:
            self.preset()

    def complete_at(self) -> float:
        """End of the contact movement."""
        return max(self.clock.time, self.busy_until)

    # Relays.

    def _known(self, listed: tuple[int, ...]) -> frozenset[int]:
        for channel in listed:
            slot, number = divmod(channel, 100)
            if slot not in _SLOTS:
                raise refused(_SLOT_RANGE, f"channel {channel}; slots: 1, 2, 3")
            if slot not in {LOAD_SLOT, CUTOFF_SLOT}:
                raise refused(_NO_MODULE, f"channel {channel}; cards in slots 1 and 2")
            if not 1 <= number <= CARD_CHANNELS:
                allowed = f"{slot}01 to {slot}{CARD_CHANNELS}"
                raise refused(_CHANNEL_RANGE, f"channel {channel}; allowed: {allowed}")
        return frozenset(listed)

    def _settle(self, closed: frozenset[int], delay: float, *, first_open: bool = False) -> None:
        """Move to a set of closed channels; nothing moves if the circuit cannot be so."""
        load = self._connected(closed)
        self._cycles.update(closed - self._closed)
        self._closed = closed
        now = self.clock.time
        self.busy_until = now + delay
        if first_open:
            self.clock.at(now + OPERATE_TIME, lambda: self._wire(None, frozenset()))
        self.clock.at(self.busy_until, lambda: self._wire(load, closed))

    def _wire(self, load: LoadEntry | None, closed: frozenset[int]) -> None:
        """Tell the circuit what the contacts of this unit connect now."""
        circuit = self._world.device.circuit
        if self.entry.role == "cutoff":
            circuit.set_cutoff(closed >= POLES)
            return
        circuit.select_load(load)
        if self._source is not None:
            joined = self._source.channel in closed
            circuit.join_source(float(self._source.series.base) if joined else math.inf)

    def _connected(self, closed: frozenset[int]) -> LoadEntry | None:
        """Load that these channels connect; several plain resistors are one in parallel."""
        loads = [self._loads[channel] for channel in sorted(closed) if channel in self._loads]
        if len(loads) <= 1 or self.entry.role == "cutoff":
            return loads[0] if loads else None
        networks = [load for load in loads if load.parallel is not None]
        if networks:
            names = ", ".join(f"{load.channel} ({load.name})" for load in loads)
            raise ScpiError(-221, f"channels {names}: a skin network takes no load beside it")
        return _parallel(loads)

    @scpi("*IDN?")
    def _who(self) -> str:
        return f"{self.entry.manufacturer},{self.entry.model},{self.serial},{self._model.firmware}"

    # ROUTe.

    @scpi("ROUTe:CLOSe", channels())
    def _close(self, listed: tuple[int, ...]) -> None:
        self._settle(self._closed | self._known(listed), OPERATE_TIME)

    @scpi("ROUTe:CLOSe:EXCLusive", channels())
    def _close_only(self, listed: tuple[int, ...]) -> None:
        """Open every channel of the cards, then close these: break before make."""
        self._settle(self._known(listed), 2 * OPERATE_TIME, first_open=True)

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

    @scpi("ROUTe:MONitor", channels())
    def _monitor(self, listed: tuple[int, ...]) -> None:
        self._known(listed)
        raise refused(_UNABLE, f"an actuator card measures nothing: {self._model.card}")

    @scpi("ROUTe:MONitor:STATe", boolean())
    def _switch_monitor(self, on: bool) -> None:
        if on:
            raise refused(_UNABLE, f"an actuator card measures nothing: {self._model.card}")

    @scpi("ROUTe:MONitor:STATe?")
    def _monitoring(self) -> str:
        return "0"

    # SYSTem, DIAGnostic, MEMory.

    @scpi("SYSTem:CPON", choice("100|200|300|ALL"))
    def _power_on_card(self, slot: str) -> None:
        if slot == "300":
            raise refused(_NO_MODULE, "slot 300; cards in slots 100 and 200")
        opened = {c for c in self._closed if slot == "ALL" or c // 100 == int(slot) // 100}
        self._settle(self._closed - opened, OPERATE_TIME)

    @scpi("SYSTem:CTYPe?", choice("100|200|300"))
    def _card_type(self, slot: str) -> str:
        if slot == "300":
            return f"{self._model.maker},0,0,0"
        return f"{self._model.maker},{self._model.card},0,{self._model.card_firmware}"

    @scpi("DIAGnostic:RELay:CYCLes?", channels())
    def _cycle_counts(self, listed: tuple[int, ...]) -> str:
        self._known(listed)
        return ",".join(f"{self._cycles[channel]:+d}" for channel in listed)

    @scpi("DIAGnostic:RELay:CYCLes:CLEar", channels())
    def _clear_cycle_counts(self, listed: tuple[int, ...]) -> None:
        for channel in self._known(listed):
            del self._cycles[channel]

    @scpi("MEMory:STATe:RECall:AUTO", boolean())
    def _set_recall(self, on: bool) -> None:
        self._recall = on

    @scpi("MEMory:STATe:RECall:AUTO?")
    def _recalls(self) -> str:
        return str(int(self._recall))

    @scpi("*OPT?")
    def _options(self) -> str:
        return "0"

    @scpi("SYSTem:VERSion?")
    def _scpi_version(self) -> str:
        return "1994.0"


def _parallel(loads: list[LoadEntry]) -> LoadEntry:
    """Return the one resistor that several are together."""
    ohms = [float(load.series.base) for load in loads]
    together = 1 / sum(1 / each for each in ohms) if all(ohms) else 0.0
    name = " || ".join(load.name for load in loads)
    return LoadEntry(name, loads[0].channel, Exact(Decimal(repr(together)), "ohm"))
