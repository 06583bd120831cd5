"""The one pint registry, and the units that test authors write."""

from typing import Any, TypeAlias

import pint

registry: pint.UnitRegistry[Any] = pint.UnitRegistry()
pint.set_application_registry(registry)  # else an unpickled quantity belongs to another registry

Quantity: TypeAlias = pint.Quantity[Any]
"""A number with a unit; the only form in which a physical value crosses a public interface."""

A = registry.Unit("A")
mA = registry.Unit("mA")
uA = registry.Unit("uA")
V = registry.Unit("V")
mV = registry.Unit("mV")
ohm = registry.Unit("ohm")
kohm = registry.Unit("kohm")
s = registry.Unit("s")
ms = registry.Unit("ms")
us = registry.Unit("us")
minute = registry.Unit("minute")
C = registry.Unit("C")
mC = registry.Unit("mC")
Hz = registry.Unit("Hz")
kHz = registry.Unit("kHz")
uF = registry.Unit("uF")
nF = registry.Unit("nF")


def quantity(magnitude: float, unit: pint.Unit) -> Quantity:
    """Return `magnitude` in `unit`; the fast way (4 us against 60 us for `magnitude * unit`)."""
    return registry.Quantity(magnitude, unit)
