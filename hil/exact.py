"""Quantities that decide: Decimal magnitudes, units shifted by exact factors.

pint compares across units in binary floating point and mis-decides one exact boundary in five;
whatever stands on one side of a limit is therefore an `Exact`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, InvalidOperation
from enum import Enum
from functools import cache

import pint

from hil.errors import DimensionError
from hil.units import Quantity, registry


class Dimension(Enum):
    """What kind of quantity a number is; each member's value is its SI unit."""

    CURRENT = "A"
    VOLTAGE = "V"
    RESISTANCE = "ohm"
    TIME = "s"
    CHARGE = "C"
    CURRENT_SLOPE = "A/s"
    FREQUENCY = "Hz"
    CAPACITANCE = "F"
    ENERGY = "J"
    AREA = "m^2"
    CURRENT_DENSITY = "A/m^2"
    TEMPERATURE = "degC"
    RATIO = "1"
    COUNT = "count"
    TRUTH = "true"


_PREFIXES = {
    "": "1",
    "M": "1E+6",
    "k": "1E+3",
    "m": "1E-3",
    "u": "1E-6",
    "n": "1E-9",
    "p": "1E-12",
}
_PREFIXED = {
    Dimension.CURRENT: ("A", ("", "m", "u", "n")),
    Dimension.VOLTAGE: ("V", ("", "k", "m", "u")),
    Dimension.RESISTANCE: ("ohm", ("", "k", "M")),
    Dimension.TIME: ("s", ("", "m", "u", "n")),
    Dimension.CHARGE: ("C", ("", "m", "u")),
    Dimension.CURRENT_SLOPE: ("A/s", ("", "m", "u")),
    Dimension.FREQUENCY: ("Hz", ("", "k", "M")),
    Dimension.CAPACITANCE: ("F", ("", "u", "n", "p")),
    Dimension.ENERGY: ("J", ("", "m", "u")),
}
_OTHERS = {
    "min": (Dimension.TIME, "60"),
    "h": (Dimension.TIME, "3600"),
    "mA*min": (Dimension.CHARGE, "0.06"),
    "cm^2": (Dimension.AREA, "1E-4"),
    "m^2": (Dimension.AREA, "1"),
    "mA/cm^2": (Dimension.CURRENT_DENSITY, "10"),
    "A/m^2": (Dimension.CURRENT_DENSITY, "1"),
    "degC": (Dimension.TEMPERATURE, "1"),
    "%": (Dimension.RATIO, "0.01"),
    "ppm": (Dimension.RATIO, "1E-6"),
    "1": (Dimension.RATIO, "1"),
    "count": (Dimension.COUNT, "1"),
    "true": (Dimension.TRUTH, "1"),
}
UNITS: dict[str, tuple[Dimension, Decimal]] = {
    prefix + base: (dimension, Decimal(_PREFIXES[prefix]))
    for dimension, (base, prefixes) in _PREFIXED.items()
    for prefix in prefixes
} | {name: (dimension, Decimal(factor)) for name, (dimension, factor) in _OTHERS.items()}
"""Every unit that a file may use: its dimension and its exact factor to the SI unit."""

ARITHMETIC = Context(prec=1000, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
"""Sums and products that decide: no float and no text of a file is long enough to be rounded."""

PRODUCT = " * "
"""Stands between the factors of an origin."""

_TEXT = re.compile(r"\s*([+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*(\S.*?)?\s*\Z")


def units_of(dimension: Dimension) -> tuple[str, ...]:
    """Name the units in which a quantity of `dimension` may be written."""
    return tuple(name for name, (kind, _) in UNITS.items() if kind is dimension)


@dataclass(frozen=True, slots=True)
class Exact:
    """A quantity whose comparison is exact: a Decimal in one of `UNITS`."""

    magnitude: Decimal
    """Number as written; may be NaN or infinite, which no decision accepts."""
    unit: str
    """A key of `UNITS`; kept for printing."""
    origin: str = field(default="", compare=False, repr=False)
    """What it is the product of, as `4 mA * protection.stop_share`; empty if no figure of a device
    is in it."""

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise DimensionError(f"unit {self.unit!r} is unknown; allowed: {', '.join(UNITS)}")

    @classmethod
    def parse(cls, text: str) -> Exact:
        """Read "4.0 mA"; raises DimensionError for a bare number or an unknown unit."""
        found = _TEXT.match(text)
        if found is None:
            raise DimensionError(
                f'{text!r} is not a quantity; write a number and a unit, as "4.0 mA"'
            )
        number, unit = found.groups()
        if unit is None:
            raise DimensionError(f'{text!r} has no unit; write it as "{number} mA"')
        return cls(Decimal(number), unit)

    @classmethod
    def of(cls, value: Quantity) -> Exact:
        """Take a pint quantity as it is: shortest decimal text of its float, in its own unit."""
        if not isinstance(value, pint.Quantity):
            raise DimensionError(f"{value!r} has no unit; write it as 2 * mA, not as a number")
        name = _unit_names().get(value.units)
        if name is None:
            raise DimensionError(f"unit {value.units} is unknown; allowed: {', '.join(UNITS)}")
        return cls(_decimal(value.magnitude), name)

    @classmethod
    def si(cls, magnitude: Decimal | float, dimension: Dimension) -> Exact:
        """Build from a magnitude in the SI unit of `dimension`."""
        return cls(_decimal(magnitude), dimension.value)

    @property
    def dimension(self) -> Dimension:
        """Kind of quantity."""
        return UNITS[self.unit][0]

    @property
    def base(self) -> Decimal:
        """Magnitude in the SI unit of its dimension, exact."""
        return ARITHMETIC.multiply(self.magnitude, UNITS[self.unit][1])

    @property
    def quantity(self) -> Quantity:
        """The same as a pint quantity (float)."""
        return registry.Quantity(float(self.magnitude), _pint_unit(self.unit))

    def to(self, unit: str) -> Exact:
        """Write in another unit of the same dimension.

        Exact where the factors differ by a power of ten; to `min`, `h` and `mA*min` it is rounded
        to 28 digits, for printing.
        """
        if unit not in UNITS:
            raise DimensionError(f"unit {unit!r} is unknown; allowed: {', '.join(UNITS)}")
        dimension, factor = UNITS[unit]
        if dimension is not self.dimension:
            raise DimensionError(f"{self} is a {self.dimension.name.lower()}, not in {unit}")
        if factor.normalize().as_tuple().digits == (1,):
            return Exact(ARITHMETIC.divide(self.base, factor), unit)
        return Exact(self.base / factor, unit)

    def require(self, dimension: Dimension) -> Exact:
        """Return self; raises DimensionError if it is of another dimension."""
        if self.dimension is not dimension:
            raise DimensionError(
                f"{self} is a {self.dimension.name.lower()}; "
                f"a {dimension.name.lower()} belongs here, in {', '.join(units_of(dimension))}"
            )
        return self

    def __add__(self, other: Exact | Quantity) -> Exact:
        addend = other if isinstance(other, Exact) else Exact.of(other)
        total = ARITHMETIC.add(self.base, addend.require(self.dimension).base)
        exact = Exact(total, self.dimension.value)
        shown = exact.to(self.unit)
        return shown if shown == exact else exact  # a third of a minute has no decimal in minutes

    def __mul__(self, share: Exact) -> Exact:
        """Take a share, as 4 mA * 10 %; raises DimensionError for anything but a ratio."""
        share = share.require(Dimension.RATIO)
        named = self.origin or share.origin
        origin = f"{self.origin or self}{PRODUCT}{share.origin or share}" if named else ""
        return Exact(ARITHMETIC.multiply(self.magnitude, share.base), self.unit, origin)

    def __str__(self) -> str:
        return f"{self.magnitude} {self.unit}"

    def __lt__(self, other: Exact) -> bool:
        return self.base < self._against(other)

    def __le__(self, other: Exact) -> bool:
        return self.base <= self._against(other)

    def __gt__(self, other: Exact) -> bool:
        return self.base > self._against(other)

    def __ge__(self, other: Exact) -> bool:
        return self.base >= self._against(other)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Exact):
            return NotImplemented
        return self.dimension is other.dimension and self.base == other.base

    def __hash__(self) -> int:
        return hash((self.dimension, self.base))

    def _against(self, other: object) -> Decimal:
        """SI magnitude to compare with; raises DimensionError where no order exists."""
        if not isinstance(other, Exact):
            raise DimensionError(f"{self} was compared with {other!r}; compare two Exact")
        base = other.require(self.dimension).base
        if self.magnitude.is_nan() or base.is_nan():
            raise DimensionError(f"{self} and {other} have no order: NaN is neither more nor less")
        return base


def readable(value: Decimal, dimension: Dimension, digits: int = 3) -> str:
    """Write an SI value with a fitting prefix: `readable(Decimal("4.86e-5"), CURRENT)` is 48.6 uA.

    Args:
        value: magnitude in the SI unit of `dimension`; one that is not finite is written as it is.
        dimension: kind of quantity.
        digits: significant digits.
    """
    _, prefixes = _PREFIXED.get(dimension, ("", ()))
    if not value.is_finite() or not prefixes:
        return f"{value:.{digits}g} {dimension.value}"
    names = [prefix + _PREFIXED[dimension][0] for prefix in prefixes]
    fitting = [name for name in names if abs(value) >= UNITS[name][1]]
    largest = max(fitting, key=lambda name: UNITS[name][1], default="")
    unit = largest or min(names, key=lambda name: UNITS[name][1])
    shown = value / UNITS[unit][1]
    places = max(digits - 1 - shown.adjusted(), 0) if shown else 0
    return f"{shown:.{places}f} {unit}"


def _decimal(number: object) -> Decimal:
    if isinstance(number, Decimal):
        return number
    try:
        return Decimal(repr(float(number)))  # type: ignore[arg-type]  # any number type; others raise
    except (TypeError, ValueError, InvalidOperation) as err:
        raise DimensionError(f"{number!r} is not one number") from err


def _pint_unit(name: str) -> pint.Unit:
    special = {"%": "percent", "mA*min": "mA*minute"}
    bare = name in {"1", "count", "true"}
    return registry.Unit("dimensionless" if bare else special.get(name, name))


@cache
def _unit_names() -> dict[object, str]:
    counted = {"count", "true"}  # a bare number of pint's is a ratio
    return {_pint_unit(name): name for name in reversed(UNITS) if name not in counted}
