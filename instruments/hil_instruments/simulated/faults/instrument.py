"""Faults of instruments and links, and which of them a bench can have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any, Protocol, TypeAlias

from hil.errors import UsageError
from hil_instruments.simulated.clock import VirtualClock
from hil_instruments.simulated.dialects.contacts import ContactFault
from hil_instruments.simulated.dialects.rigol_dp800_output import SupplyFault
from hil_instruments.simulated.faults.catalogue import Layer
from hil_instruments.simulated.faults.link import LINK_FAULTS, Link, LinkFault
from hil_instruments.simulated.faults.spec import FaultSpec
from hil_instruments.simulated.metrology.fault import HEALTHY, MeterFault
from hil_instruments.simulated.physics.circuit import Circuit
from hil_instruments.simulated.physics.node import Node

_NODES = {"ammeter": Node.CURRENT, "voltmeter": Node.TERMINAL, "oscilloscope": Node.SHUNT}
_EFFECTS = {kind.id: kind.effect for kind in LINK_FAULTS.values()}

_FIGURES = tuple(figure.name for figure in fields(MeterFault))


Change: TypeAlias = Callable[[bool, float], None]
"""Told that a fault sets in (True) or ends, and the bench time in s at which it does."""


class Relay(Protocol):
    """A cut-off that can be faulty."""

    contacts: ContactFault
    """What is wrong with its contacts, from their next movement on."""


class Feeder(Protocol):
    """A supply that can be faulty."""

    def go_wrong(self, fault: SupplyFault) -> None:
        """Have this fault from now on, and no other."""
        ...


class Meter(Protocol):
    """An instrument that can be faulty."""

    fault: MeterFault
    """What is wrong with it; what it has sampled by its clock's time keeps the old fault."""


class Stand(Protocol):
    """What the faults need of a bench."""

    @property
    def clock(self) -> VirtualClock:
        """The one clock."""
        ...

    @property
    def circuit(self) -> Circuit:
        """The circuit at the clock's time."""
        ...

    def meter(self, role: str) -> Meter | None:
        """The instrument in a role, where it can be faulty."""
        ...

    def relay(self, role: str) -> Relay | None:
        """The relay in a role, where it can be faulty."""
        ...

    def feeder(self, role: str) -> Feeder | None:
        """The supply in a role, where it can be faulty."""
        ...

    def link(self, role: str) -> Link | None:
        """The link to a role."""
        ...


CONTACTS = {
    "I08": ContactFault(welded=True),
    "I09": ContactFault(dead=True),
    "I10": ContactFault(dead=True, lies=True),
    "I12": ContactFault(welded=True, lies=True),
    "I13": ContactFault(crossed=True),
}
"""What is wrong with the contacts of a relay."""
SUPPLIES = {"I14": "sourceless", "I15": "blind"}
"""What is wrong with a supply, by its name in `SupplyFault`."""


def meter_fault(spec: FaultSpec, seen: float) -> MeterFault:
    """What is wrong with a meter; raises UsageError for a fault of another kind.

    Args:
        spec: with its severity resolved.
        seen: what its input sees now, in A or V.
    """
    severity = float(spec.severity.base) if spec.severity else 0.0
    made: Mapping[str, Callable[[], MeterFault]] = {
        "I01": lambda: MeterFault(stuck=seen),
        "I02": lambda: MeterFault(scale=severity),
        "I03": lambda: MeterFault(gain=severity),
        "I04": lambda: MeterFault(hum=severity),
        "I05": lambda: MeterFault(open_input=True),
        "I06": lambda: MeterFault(noise=severity),
        "I07": lambda: MeterFault(offset=severity),
        "I11": lambda: MeterFault(scale=-1.0),
    }
    if spec.id not in made:
        raise UsageError(f"fault {spec.id} is none of an instrument; those are {', '.join(made)}")
    return made[spec.id]()


def link_fault(spec: FaultSpec) -> LinkFault:
    """What is wrong with a link; raises UsageError for a fault of another kind."""
    if spec.id not in _EFFECTS:
        raise UsageError(f"fault {spec.id} is none of a link; those are {', '.join(_EFFECTS)}")
    extent = float(spec.severity.base) if spec.severity else None
    return LinkFault(kind=_EFFECTS[spec.id].value, extent=extent)


def changes(specs: Iterable[FaultSpec], stand: Stand) -> dict[FaultSpec, Change]:
    """Switches for the faults of instruments and links among `specs`.

    Args:
        specs: with their severities resolved.
        stand: the bench.

    Raises:
        UsageError: the bench has no such instrument, or it cannot be faulty.
    """
    found: dict[FaultSpec, Change] = {}
    there: list[FaultSpec] = []
    for spec in specs:
        layer, role = spec.fault.layer, spec.place
        if spec.id in CONTACTS:
            if stand.relay(role) is None:
                raise UsageError(f"fault {spec}: this bench has no {role} that can be faulty")
            found[spec] = partial(_set_contacts, spec, stand)
        elif spec.id in SUPPLIES:
            if stand.feeder(role) is None:
                raise UsageError(f"fault {spec}: this bench has no {role} that can be faulty")
            found[spec] = partial(_set_supply, spec, there, stand)
        elif layer is Layer.INSTRUMENT:
            if stand.meter(role) is None:
                raise UsageError(f"fault {spec}: this bench has no {role} that can be faulty")
            found[spec] = partial(_set_meter, spec, there, stand)
        elif layer is Layer.LINK:
            if stand.link(role) is None:
                raise UsageError(f"fault {spec}: this bench has no {role}")
            found[spec] = partial(_set_link, spec, there, stand)
    return found


def _toggle(spec: FaultSpec, there: list[FaultSpec], *, present: bool) -> list[FaultSpec]:
    """Note that a fault is there or gone; return all that share its place and layer."""
    if present:
        there.append(spec)
    elif spec in there:
        there.remove(spec)
    place = (spec.place, spec.fault.layer)
    return [each for each in there if (each.place, each.fault.layer) == place]


def _set_meter(
    spec: FaultSpec, there: list[FaultSpec], stand: Stand, present: bool, now: float
) -> None:
    meter, clock = stand.meter(spec.place), stand.clock
    together = _toggle(spec, there, present=present)
    if meter is None:
        return
    late, clock.time = clock.time, now  # the device is being brought up to a later time
    try:
        seen = stand.circuit.value(_NODES[spec.place])
        meter.fault = _combined(meter_fault(each, seen) for each in together)
    finally:
        clock.time = late


def _set_contacts(spec: FaultSpec, stand: Stand, present: bool, now: float) -> None:
    del now
    relay = stand.relay(spec.place)
    if relay is not None:
        relay.contacts = CONTACTS[spec.id] if present else ContactFault()


def _set_supply(
    spec: FaultSpec, there: list[FaultSpec], stand: Stand, present: bool, now: float
) -> None:
    del now
    feeder = stand.feeder(spec.place)
    together = _toggle(spec, there, present=present)
    if feeder is not None:
        feeder.go_wrong(SupplyFault(**{SUPPLIES[each.id]: True for each in together}))


def _set_link(
    spec: FaultSpec, there: list[FaultSpec], stand: Stand, present: bool, now: float
) -> None:
    del now
    link = stand.link(spec.place)
    effects = [link_fault(each) for each in _toggle(spec, there, present=present)]
    if link is not None:
        link.set(effects)


def _combined(faults: Iterable[MeterFault]) -> MeterFault:
    """One fault with all the figures that are not healthy; of two, the later holds."""
    figures: dict[str, Any] = {}
    for fault in faults:
        all_of_it = {name: getattr(fault, name) for name in _FIGURES}
        figures |= {name: x for name, x in all_of_it.items() if x != getattr(HEALTHY, name)}
    return MeterFault(**figures)
