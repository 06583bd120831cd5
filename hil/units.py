"""The one pint registry, and the units that test authors write."""

from typing import Any, TypeAlias

import pint

_DEFINITIONS = """
giga- = 1e9 = G-
mega- = 1e6 = M-
kilo- = 1e3 = k-
centi- = 1e-2 = c-
milli- = 1e-3 = m-
micro- = 1e-6 = \u00b5- = \u03bc- = u-
nano- = 1e-9 = n-
pico- = 1e-12 = p-
femto- = 1e-15 = f-

meter = [length] = m = metre
second = [time] = s = sec
ampere = [current] = A = amp
kilogram = [mass] = kg
gram = 1e-3 * kilogram = g
kelvin = [temperature]; offset: 0 = K
mole = [substance] = mol
radian = []
count = []
percent = 0.01 = %
ppm = 1e-6

minute = 60 * second = min
hour = 60 * minute = h
day = 24 * hour = d
degree = 3.141592653589793 / 180 * radian = deg
degree_Celsius = kelvin; offset: 273.15 = \u00b0C = celsius = degC
liter = 1e-3 * meter ** 3 = l = L = litre
hertz = 1 / second = Hz
newton = kilogram * meter / second ** 2 = N
pascal = newton / meter ** 2 = Pa
joule = newton * meter = J
watt = joule / second = W
coulomb = ampere * second = C
volt = joule / coulomb = V
ohm = volt / ampere = \u03a9
siemens = ampere / volt = S
farad = coulomb / volt = F
weber = volt * second = Wb
henry = weber / ampere = H
tesla = weber / meter ** 2 = T
"""
"""SI, and what a bench uses besides; `registry.define` adds to it.

All that pint ships takes 0.15 s in each process, and a run is three.
"""

registry: pint.UnitRegistry[Any] = pint.UnitRegistry(None)
registry.load_definitions(_DEFINITIONS.splitlines())
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
