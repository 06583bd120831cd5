"""The simulated bench: one device, one circuit, one clock, every instrument of the bench file."""

from __future__ import annotations

import math
from zlib import crc32

from hil.bench import BenchDescription, InstrumentEntry
from hil.device import DeviceProfile
from hil.errors import ConfigurationError, UsageError
from hil_instruments.simulated.circuit import SUPPLY_NOMINAL, Node
from hil_instruments.simulated.clock import VirtualClock
from hil_instruments.simulated.cutoff import Cutoff
from hil_instruments.simulated.faults.link import Link
from hil_instruments.simulated.firmware import Device
from hil_instruments.simulated.multimeter import Multimeter
from hil_instruments.simulated.oscilloscope import Oscilloscope
from hil_instruments.simulated.scpi import Instrument, Pending
from hil_instruments.simulated.stimulator import Stimulator
from hil_instruments.simulated.supply import Supply
from hil_instruments.simulated.switch import Switch

MESSAGE_LATENCY = 200e-6
"""Bench time in s of a message and the reply to it: what makes a polling loop end."""
TRANSFER_RATE = 10e6
"""Bytes per second of bench time, of replies longer than FREE_LENGTH."""
FREE_LENGTH = 64
"""Bytes of a reply that cost no time beyond MESSAGE_LATENCY."""
_SEEDS = {"ammeter": 1, "voltmeter": 2, "oscilloscope": 3}


class SimulatedBench:
    """Instruments that answer over one circuit (implements `clock.World`).

    A bench begins without power: supply off, so the stimulator is mute; load and cut-off open.
    What the bench file does not fill is wired: supply nominal, cut-off closed, the only load.
    """

    def __init__(
        self,
        profile: DeviceProfile,
        bench: BenchDescription,
        faults: tuple[str, ...] = (),
        seed: int = 0,
    ) -> None:
        """Build the bench.

        Args:
            profile: the device under test.
            bench: instruments, loads, shunt.
            faults: names of the faults of the device.
            seed: of every noise and of every fixed error of an instrument.

        Raises:
            ConfigurationError: two roles share a resource.
        """
        self.profile, self.description, self.faults = profile, bench, frozenset(faults)
        self.roles: dict[str, str] = {}
        """Resource name to role."""
        for role, entry in bench.instruments.items():
            other = self.roles.setdefault(entry.resource, role)
            if other != role:
                raise ConfigurationError(
                    f"instruments.{role}.resource = {entry.resource!r} is that of {other} already; "
                    "on the simulated bench each role is an instrument of its own"
                )
        self.links = {role: Link(crc32(role.encode())) for role in bench.instruments}
        """Role to what may befall its replies on their way."""
        self._clock = VirtualClock()
        self.instruments: dict[str, Instrument] = {}
        """Role to front end; replaced by `reset`."""
        self.generation = 0
        """Counts resets; what was under way before one is void."""
        self._power_on(seed)

    def _power_on(self, seed: int) -> None:
        self._device = Device(self.profile, self.description, self.faults, seed)
        self.instruments.clear()
        for role, entry in self.description.instruments.items():
            self.instruments[role] = self._front_end(entry, seed)
        supply = self.instruments.get("supply")
        self._supply = supply if isinstance(supply, Supply) else None
        circuit = self._device.circuit
        circuit.set_supply(self.supply_volts)
        if "cutoff" not in self.instruments:
            circuit.set_cutoff(True)
        if "load" not in self.instruments and len(self.description.loads) == 1:
            circuit.select_load(next(iter(self.description.loads.values())))

    def _front_end(self, entry: InstrumentEntry, seed: int) -> Instrument:
        role = entry.role
        noise = seed * 1000 + _SEEDS.get(role, 0)
        if role == "stimulator":
            return Stimulator(entry, self)
        if role in {"ammeter", "voltmeter"}:
            node = Node.CURRENT if role == "ammeter" else Node.TERMINAL
            return Multimeter(entry, self, node, noise)
        if role == "oscilloscope":
            return Oscilloscope(entry, self, noise)
        if role == "load":
            return Switch(entry, self, self.description.loads.values())
        if role == "supply":
            return Supply(entry, self, self._device_powered)
        if role == "cutoff":
            return Cutoff(entry, self)
        raise ConfigurationError(f"instruments.{role}: nothing to simulate for this role")

    def _device_powered(self) -> None:
        stimulator = self.instruments.get("stimulator")
        if isinstance(stimulator, Stimulator):
            stimulator.power_on()

    @property
    def clock(self) -> VirtualClock:
        """The one clock; whoever sleeps on it moves the whole bench."""
        return self._clock

    @property
    def device(self) -> Device:
        """The stimulator and its circuit, at the clock's time: the ground truth for tests."""
        device, now = self._device, self._clock.time
        if device.circuit.now < now:
            device.advance(now)
        return device

    @property
    def supply_volts(self) -> float:
        """Voltage at the device's supply terminals."""
        return SUPPLY_NOMINAL if self._supply is None else self._supply.volts

    def reset(self, seed: int) -> None:
        """Cut and restore the power of everything: the state of a fresh bench with this seed.

        `clock.now()` goes on; `clock.time` begins at 0, so that what follows repeats a fresh bench
        to the last bit. Open sessions stay usable, unread replies are lost.
        """
        self._clock.restart()
        self.generation += 1
        self._power_on(seed)

    def send(self, role: str, message: bytes) -> bytes | Pending:
        """Hand one message to an instrument, after its latency and when it is free.

        Returns:
            The reply, empty if there is none, or one that comes later.
        """
        instrument, clock = self.instruments[role], self._clock
        clock.advance(max(clock.time + MESSAGE_LATENCY, instrument.busy_until))
        return instrument.receive(message)

    def exchange(self, role: str, message: str | bytes) -> bytes:
        """Send one message and wait in bench time for its reply.

        Returns:
            The reply with its terminator; empty if none comes.

        Raises:
            UsageError: the bench has no such role.
        """
        if role not in self.instruments:
            raise UsageError(f"no {role!r} on this bench; it has {', '.join(self.instruments)}")
        reply = self.send(role, message.encode() if isinstance(message, str) else message)
        while isinstance(reply, Pending):
            if math.isinf(reply.ready):
                return b""
            self._clock.advance(reply.ready)
            reply = completed(reply)
        self.charge_transfer(len(reply))
        return reply

    def charge_transfer(self, length: int) -> None:
        """Let the bench time of a reply's transfer pass."""
        if length > FREE_LENGTH:
            self._clock.advance(self._clock.time + length / TRANSFER_RATE)


def completed(pending: Pending) -> bytes | Pending:
    """Make a reply whose time has come; it may turn out to need more of it."""
    reply = pending.produce()
    return reply.encode() if isinstance(reply, str) else reply or b""
