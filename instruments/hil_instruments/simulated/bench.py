"""The simulated bench: one device, one circuit, one clock, every instrument of the bench file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import cast

from threadpoolctl import threadpool_limits

from hil.bench import FRONT_PANEL, BenchDescription
from hil.device import DeviceProfile
from hil.errors import ConfigurationError, UsageError
from hil_instruments.simulated.clock import VirtualClock
from hil_instruments.simulated.device.bare import NoFirmware
from hil_instruments.simulated.device.board import BoardFaults
from hil_instruments.simulated.device.device import Device, Flash
from hil_instruments.simulated.device.firmware import ReferenceFirmware
from hil_instruments.simulated.device.policy import Policy
from hil_instruments.simulated.dialects.dcon_relays import DconRelays
from hil_instruments.simulated.dialects.rigol_dp800 import RigolDP800
from hil_instruments.simulated.dialects.stimproof_cutoff import StimproofCutoff
from hil_instruments.simulated.faults.injection import Injection, once
from hil_instruments.simulated.faults.instrument import Feeder, Meter, Relay, changes
from hil_instruments.simulated.faults.link import Link
from hil_instruments.simulated.faults.spec import FaultSpec
from hil_instruments.simulated.front_ends import front_end, stands_in
from hil_instruments.simulated.metrology.fault import MeterFault
from hil_instruments.simulated.physics.circuit import SUPPLY_NOMINAL, Circuit
from hil_instruments.simulated.scpi import Answer, Instrument, Pending

MESSAGE_LATENCY = 200e-6
"""Bench time in s of a message and the reply to it: what makes a polling loop end."""
TRANSFER_RATE = 10e6
"""Bytes per second of bench time, of replies longer than FREE_LENGTH."""
FREE_LENGTH = 64
"""Bytes of a reply that cost no time beyond MESSAGE_LATENCY."""
TRIM_EVERY = 60.0
"""Bench seconds between two cuts of the circuit's history to what instruments may still ask for."""
_SEEDS = {"ammeter": 1, "voltmeter": 2, "oscilloscope": 3, "load": 4, "supply": 5, "stimulator": 6}


def reference(profile: DeviceProfile) -> ReferenceFirmware:
    """Make the reference firmware, healthy."""
    return ReferenceFirmware(profile, Policy(profile))


class SimulatedBench:
    """Instruments that answer over one circuit (implements `clock.World`).

    A bench begins without power: supply off, so the stimulator is mute; load and cut-off open.
    What the bench file does not fill is wired: supply nominal, cut-off closed, the only load.
    Linear algebra in this process is on one core from then on: the circuit's matrices have a few
    rows, and a pool of threads that waits for the next one by spinning took a core for itself.
    """

    def __init__(
        self,
        profile: DeviceProfile,
        bench: BenchDescription,
        faults: Iterable[FaultSpec | str] = (),
        seed: int = 0,
        flash: Flash = reference,
    ) -> None:
        """Build the bench.

        Args:
            profile: the device under test.
            bench: instruments, loads, shunt.
            faults: faults of device, instruments and links, as `F11:severity=12%`.
            seed: of every noise and of every fixed error of an instrument.
            flash: makes the firmware of the device.

        Raises:
            ConfigurationError: two roles share a resource, or a model is not simulated.
            UsageError: a fault is unknown, or the seed is negative.
        """
        _need_seed(seed)
        threadpool_limits(1, user_api="blas")
        self.profile, self.description = profile, bench
        self.faults = _specs(faults)
        """What is seeded: it is there, or waits for its onset."""
        self.roles: dict[str, str] = {}
        """Resource name to role."""
        for role, entry in bench.entries.items():
            if entry.resource == FRONT_PANEL:
                continue
            other = self.roles.setdefault(entry.resource, role)
            if other != role:
                raise ConfigurationError(
                    f"instruments.{role}.resource = {entry.resource!r} is that of {other} already; "
                    "on the simulated bench each role is an instrument of its own"
                )
        self.links = {role: Link(seed * 1000 + n) for n, role in enumerate(bench.entries)}
        """Role to what its replies pass through."""
        self._flash = flash
        self._clock = VirtualClock()
        self.instruments: dict[str, Instrument] = {}
        """Role to front end; replaced by `reset`."""
        self.generation = 0
        """Counts resets; what was under way before one is void."""
        self.earthed = False
        """Whether the dispersive lead is joined to earth."""
        self.before_trim: Callable[[], None] = lambda: None
        """Called before the circuit forgets: the last chance to look at all that has passed."""
        self._power_on(seed)

    def _power_on(self, seed: int) -> None:
        entries = self.description.entries
        stands_in_ = stands_in(entries.get("stimulator"))
        flash: Flash = (lambda _: NoFirmware()) if stands_in_ else self._flash
        self._device = Device(self.profile, self.description, flash, seed=seed)
        if stands_in_:
            self._device.board.faults = BoardFaults(watchdog=False)
        self._feeds = "supply" in entries and not stands_in_
        for link in self.links.values():
            link.set(())
        self.instruments.clear()
        for role, entry in entries.items():
            self.instruments[role] = front_end(entry, self, seed * 1000 + _SEEDS.get(role, 0))
        self._inject()
        circuit = self._device.circuit
        circuit.join_earth(self.earthed)
        circuit.set_supply(0.0 if self._feeds else SUPPLY_NOMINAL)
        if "cutoff" not in entries:
            circuit.set_cutoff(True)
        if "load" not in entries and len(self.description.loads) == 1:
            circuit.select_load(next(iter(self.description.loads.values())))
        self._clock.chore_at, self._clock.chore = TRIM_EVERY, self._trim

    def _inject(self) -> None:
        """Bring in what is seeded, into a bench without faults."""
        specs = tuple(spec.resolved(self.profile) for spec in self.faults)
        self._injection = Injection(specs, self._device, self.profile, changes(specs, self))

    def set_faults(self, faults: Iterable[FaultSpec | str]) -> None:
        """Seed other faults, now and for every later reset; time goes on.

        Raises:
            UsageError: one is unknown, or this bench has no place for it; nothing was changed.
        """
        specs = _specs(faults)
        changes([spec.resolved(self.profile) for spec in specs], self)
        self._injection.end()
        self.faults = specs
        self._inject()

    @property
    def circuit(self) -> Circuit:
        """The circuit at the clock's time."""
        return self.device.circuit

    def meter(self, role: str) -> Meter | None:
        """The instrument in a role, where it can be faulty."""
        instrument = self.instruments.get(role)
        fault = getattr(instrument, "fault", None)
        return cast("Meter", instrument) if isinstance(fault, MeterFault) else None

    def relay(self, role: str) -> Relay | None:
        """The relay in a role, where it can be faulty."""
        instrument = self.instruments.get(role)
        return instrument if isinstance(instrument, StimproofCutoff | DconRelays) else None

    def feeder(self, role: str) -> Feeder | None:
        """The supply in a role, where it can be faulty."""
        instrument = self.instruments.get(role)
        return instrument if isinstance(instrument, RigolDP800) else None

    def link(self, role: str) -> Link | None:
        """What the replies of a role pass through."""
        return self.links.get(role)

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

    def feed(self, volts: float, limit: float) -> None:
        """Set the voltage in V and current limit in A at the device's supply terminals."""
        if self._feeds:
            self.device.circuit.set_supply(volts, limit)

    def _trim(self) -> None:
        """Forget history that no instrument can ask for any longer, so that a soak is bounded.

        Between two messages only: an instrument that is asked what it needs digests what it has
        sampled, and must not be doing so already.
        """
        self.before_trim()
        now = self._clock.time
        self._clock.chore_at = now + TRIM_EVERY
        needed = min((each.needed_from() for each in self.instruments.values()), default=now)
        self.device.circuit.forget(min(needed, now - TRIM_EVERY))

    def reset(self, seed: int) -> None:
        """Cut and restore the power of everything: the state of a fresh bench with this seed.

        `clock.now()` goes on; `clock.time` begins at 0, so that what follows repeats a fresh bench
        to the last bit. Open sessions stay usable, unread replies are lost.

        Raises:
            UsageError: the seed is negative; nothing was changed.
        """
        _need_seed(seed)
        self._clock.restart()
        self.generation += 1
        self._power_on(seed)

    def flash_with(self, flash: Flash) -> None:
        """Have other firmware run from the next power-on of the bench."""
        self._flash = flash

    def exchange(self, role: str, message: str | bytes) -> bytes:
        """Send one message and wait in bench time for its reply.

        Returns:
            The reply with its terminator; empty if none comes.

        Raises:
            UsageError: the bench has no such role.
        """
        if role not in self.instruments:
            raise UsageError(f"no {role!r} on this bench; it has {', '.join(self.instruments)}")
        clock, instrument = self._clock, self.instruments[role]
        clock.advance(max(clock.time + MESSAGE_LATENCY, instrument.busy_until))
        sent = message.encode() if isinstance(message, str) else message
        reply: Answer = instrument.receive(sent)
        while isinstance(reply, Pending):
            if math.isinf(reply.ready):
                return b""
            clock.advance(reply.ready)
            reply = reply.produce()
        if reply is None:
            return b""
        told = reply.encode() if isinstance(reply, str) else reply
        self.charge_transfer(len(told))
        return told

    def charge_transfer(self, length: int) -> None:
        """Let the bench time of a reply's transfer pass."""
        if length > FREE_LENGTH:
            self._clock.advance(self._clock.time + length / TRANSFER_RATE)


def _need_seed(seed: int) -> None:
    if seed < 0:
        raise UsageError(f"seed = {seed}; allowed: 0 and above")


def _specs(faults: Iterable[FaultSpec | str]) -> tuple[FaultSpec, ...]:
    return once(each if isinstance(each, FaultSpec) else FaultSpec.parse(each) for each in faults)
