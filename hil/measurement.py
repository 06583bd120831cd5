"""A measured value with its uncertainty budget: named components, correlated by shared id.

Two measurements that share a component id share its cause: in a difference it cancels, in a sum
it adds linearly. Components without a common id combine as root sum of squares (GUM, 5.1/5.2).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal
from enum import Enum

from hil.derivation import Tree, argument, magnitude, opposite, product, quotient, total
from hil.errors import DimensionError, UsageError
from hil.exact import ARITHMETIC, Dimension, Exact, readable

FEWEST = 4
"""Repeats from which on their scatter has a standard deviation that can be widened."""
COVERAGE = 2
"""Coverage factor k of an expanded uncertainty (about 95 % for a normal distribution)."""


@argument("calibration")
class Calibration(Enum):
    """Whether the instruments behind a value may be relied on at the time of measurement."""

    VALID = "valid"
    """Within its due date, or simulated: a simulated instrument has a declared accuracy."""
    EXPIRED = "expired"
    """Due date passed; a PASS becomes INCONCLUSIVE."""
    UNKNOWN = "unknown"
    """No calibration record; treated as expired."""
    AGED = "older than its specification"
    """Calibrated longer ago than the limits of error are specified for; treated as expired."""
    OUTSIDE = "in air that its specification does not cover"
    """Warmer or colder than specified, and nobody tells what that adds; treated as expired."""
    DISPUTED = "disputed by a second path"
    """Two instruments on one circuit disagree beyond their combined uncertainty."""


ROOT3 = math.sqrt(3)
"""Divisor of a rectangular distribution: standard uncertainty to half width."""


class Shape(Enum):
    """Distribution that is taken for a cause."""

    NORMAL = "normal"
    RECTANGULAR = "rectangular"
    TRIANGULAR = "triangular"
    """Of the sum of two that are rectangular and equally wide."""


@dataclass(frozen=True, slots=True)
class Component:
    """One cause of uncertainty."""

    id: str
    """Cause, as `ammeter.gain[10 mA]`; equal ids are fully correlated."""
    u: float
    """Standard uncertainty of the cause, >= 0, in the unit of the measured value."""
    sensitivity: float = 1.0
    """Signed factor with which the cause acts on the value."""
    dof: float = math.inf
    """Degrees of freedom; infinite for a data-sheet figure."""
    divisor: float = 1.0
    """What the stated figure was divided by to become `u`: coverage factor k, or sqrt(3)."""
    shape: Shape = Shape.NORMAL
    """Distribution by which that is right."""
    source: str = ""
    """Where the figure comes from: data sheet, certificate, the samples themselves."""

    @classmethod
    def limited(
        cls, cause: str, limit: float, source: str, *, sensitivity: float = 1.0
    ) -> Component:
        """A cause that lies anywhere within +-limit, none likelier: u = limit / sqrt(3)."""
        return cls(
            cause,
            limit / ROOT3,
            sensitivity,
            divisor=ROOT3,
            shape=Shape.RECTANGULAR,
            source=source,
        )

    @property
    def stated(self) -> float:
        """The figure that `u` was made of: half width, or expanded uncertainty."""
        return self.u * self.divisor

    @property
    def contribution(self) -> float:
        """Signed contribution to the value's standard uncertainty."""
        return self.sensitivity * self.u


@dataclass(frozen=True, slots=True)
class Measurement:
    """A value that a requirement may be judged by."""

    value: Decimal
    """Corrected value in the SI unit of `dimension`; NaN or infinite after an overload."""
    dimension: Dimension
    """Kind of quantity."""
    components: tuple[Component, ...] = ()
    """Uncertainty budget; empty only for a count or a truth."""
    instruments: tuple[str, ...] = ()
    """Serial numbers of the instruments that the value rests on."""
    calibration: Calibration = Calibration.UNKNOWN
    """Worst calibration state among them."""
    captures: tuple[str, ...] = ()
    """SHA-256 of each capture that the value was computed from."""
    raw: Decimal | None = None
    """Uncorrected extreme in SI, for an extremum; always printed beside the corrected value."""
    censored: bool = False
    """The true value is at least `value`: the record ended before the event it waits for."""
    excursion: float | None = None
    """Shortest excursion in s that it would have shown whole; None of what is no extreme."""
    note: str = ""
    """How the value was obtained, in one line for the report."""
    derivation: Tree | None = field(default=None, compare=False, repr=False)
    """How to obtain it again from the captures; None for what is no raw data, as a reading."""

    @property
    def u(self) -> float:
        """Combined standard uncertainty in SI; correlated components added before squaring."""
        sums: dict[str, float] = {}
        for part in self.components:
            sums[part.id] = sums.get(part.id, 0.0) + part.contribution
        return math.hypot(*sums.values())

    @property
    def expanded(self) -> Decimal:
        """Expanded uncertainty U = 2 u in SI; not finite if any component is not."""
        return Decimal(repr(COVERAGE * self.u))

    @property
    def exact(self) -> Exact:
        """The value alone, as an exact quantity in SI."""
        return Exact(self.value, self.dimension.value)

    def __neg__(self) -> Measurement:
        # "At least 3 s" becomes "at most -3 s", which has no form here: it decides nothing.
        value = Decimal("NaN") if self.censored else ARITHMETIC.minus(self.value)
        return replace(
            self,
            value=value,
            components=_scaled(self.components, -1.0),
            raw=None,
            derivation=opposite(self.derivation),
        )

    def __abs__(self) -> Measurement:
        turned = -self if self.value.is_signed() and not self.value.is_nan() else self
        return replace(turned, derivation=magnitude(self.derivation))

    def __sub__(self, other: Measurement | Exact) -> Measurement:
        return self + (-other if isinstance(other, Measurement) else _negated(other))

    def __add__(self, other: Measurement | Exact) -> Measurement:
        if isinstance(other, Exact):
            value = ARITHMETIC.add(self.value, other.require(self.dimension).base)
            derivation = total(self.derivation, other)
            return replace(self, value=value, raw=None, derivation=derivation)
        other.exact.require(self.dimension)
        return replace(
            self,
            value=ARITHMETIC.add(self.value, other.value),
            components=self.components + other.components,
            instruments=_union(self.instruments, other.instruments),
            calibration=poorer(self.calibration, other.calibration),
            captures=_union(self.captures, other.captures),
            raw=None,
            censored=self.censored or other.censored,
            excursion=_longer(self.excursion, other.excursion),
            derivation=total(self.derivation, other.derivation),
        )

    def __mul__(self, other: Measurement | Exact) -> Measurement:
        kind = _PRODUCTS.get(frozenset((self.dimension, other.dimension)))
        if kind is None:
            raise _no_kind(self.dimension, "*", other.dimension)
        factor = other.base if isinstance(other, Exact) else other.value
        return _joined(
            ARITHMETIC.multiply(self.value, factor),
            kind,
            ((self, float(factor)), (other, float(self.value))),
            derivation=product(self.derivation, _derivation(other)),
        )

    def __truediv__(self, other: Measurement | Exact) -> Measurement:
        kind = _QUOTIENTS.get((self.dimension, other.dimension))
        if kind is None:
            raise _no_kind(self.dimension, "/", other.dimension)
        below = other.base if isinstance(other, Exact) else other.value
        value = _DIVISION.divide(self.value, below)
        by = float(below)
        slopes = (1 / by, -float(value) / by) if by else (math.inf, math.inf)
        return _joined(
            value,
            kind,
            ((self, slopes[0]), (other, slopes[1])),
            derivation=quotient(self.derivation, _derivation(other)),
        )

    def __str__(self) -> str:
        value = readable(self.value, self.dimension, digits=5)
        return f"{value} (U = {readable(self.expanded, self.dimension, digits=2)}, k = {COVERAGE})"


_DIVISION = Context(prec=28, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[])
_COUNTED = {Dimension.COUNT, Dimension.TRUTH}
_FACTORS = (
    (Dimension.VOLTAGE, Dimension.CURRENT, Dimension.RESISTANCE),
    (Dimension.CHARGE, Dimension.CURRENT, Dimension.TIME),
    (Dimension.CURRENT, Dimension.CURRENT_SLOPE, Dimension.TIME),
    (Dimension.ENERGY, Dimension.VOLTAGE, Dimension.CHARGE),
    (Dimension.CURRENT, Dimension.CURRENT_DENSITY, Dimension.AREA),
    *((kind, kind, Dimension.RATIO) for kind in Dimension if kind not in _COUNTED),
)
"""What is the product of what: the first of both others."""
_PRODUCTS = {frozenset((first, second)): made for made, first, second in _FACTORS}
_QUOTIENTS = {
    pair: left
    for made, first, second in _FACTORS
    for pair, left in (((made, first), second), ((made, second), first))
}


def _no_kind(first: Dimension, sign: str, second: Dimension) -> DimensionError:
    names = [each.name.lower().replace("_", " ") for each in (first, second)]
    known = ", ".join(
        f"{made.name} = {one.name} x {two.name}"
        for made, one, two in _FACTORS
        if two is not Dimension.RATIO
    )
    return DimensionError(
        f"{names[0]} {sign} {names[1]} is no quantity here; products are: "
        f"{known.lower().replace('_', ' ')}, and anything = itself x ratio"
    )


def _derivation(other: Measurement | Exact) -> Tree | Exact | None:
    return other if isinstance(other, Exact) else other.derivation


def _joined(
    value: Decimal,
    dimension: Dimension,
    parts: Iterable[tuple[Measurement | Exact, float]],
    *,
    derivation: Tree | None,
) -> Measurement:
    found = [(each, slope) for each, slope in parts if isinstance(each, Measurement)]
    return replace(combined(value, dimension, found), derivation=derivation)


def combined(
    value: Decimal, dimension: Dimension, parts: Iterable[tuple[Measurement, float]], note: str = ""
) -> Measurement:
    """A value that follows from measurements: each cause of theirs acts by its share.

    To first order (GUM, 5.1.2 and 5.2.2): what two of them share by an id stays one cause. Of what
    is known as a lower bound only, nothing follows: the value is NaN.

    Args:
        value: that follows, in the SI unit of `dimension`.
        dimension: kind of quantity.
        parts: each measurement with the partial derivative of `value` by it, in SI.
        note: how the value was obtained, in one line for the report.

    Raises:
        UsageError: there is no measurement.
    """
    known = list(parts)
    if not known:
        raise UsageError("a value without a measurement behind it has no uncertainty")
    components: tuple[Component, ...] = ()
    instruments: tuple[str, ...] = ()
    captures: tuple[str, ...] = ()
    excursion = None
    for each, slope in known:
        components += _scaled(each.components, slope)
        instruments = _union(instruments, each.instruments)
        captures = _union(captures, each.captures)
        excursion = _longer(excursion, each.excursion)
    return Measurement(
        Decimal("NaN") if any(each.censored for each, _ in known) else value,
        dimension,
        components,
        instruments,
        poorer(*(each.calibration for each, _ in known)),
        captures,
        excursion=excursion,
        note=note or "; ".join(filter(None, (each.note for each, _ in known))),
    )


def average(*repeats: Measurement) -> Measurement:
    """Mean of repeated measurements of one thing, with what their scatter makes of it (type A).

    Causes that they share stay; what is chance in each of them counts beside the scatter that it is
    a part of, so that U is rather too large. The standard deviation of the mean is widened for its
    few degrees of freedom (JCGM 101, 6.4.9), as of the blocks of a mean.

    Raises:
        UsageError: there are less than four, whose scatter says nothing.
        DimensionError: they are not of one dimension.
    """
    count = len(repeats)
    if count < FEWEST:
        raise UsageError(f"{count} repeats came; the scatter of at least {FEWEST} says something")
    for each in repeats:
        each.exact.require(repeats[0].dimension)
    whole = ARITHMETIC.add(Decimal(0), repeats[0].value)
    for each in repeats[1:]:
        whole = ARITHMETIC.add(whole, each.value)
    found = combined(
        _DIVISION.divide(whole, Decimal(count)),
        repeats[0].dimension,
        [(each, 1 / count) for each in repeats],
        f"mean of {count} repeats",
    )
    middle = float(found.value)
    variance = math.fsum((float(each.value) - middle) ** 2 for each in repeats) / (count - 1)
    spread = math.sqrt(variance / count) * math.sqrt((count - 1) / (count - 3))
    name = " ".join(sorted({capture[:12] for each in repeats for capture in each.captures}))
    cause = Component(
        f"repeats {name}", spread, dof=count - 1, source=f"type A: scatter of {count} repeats"
    )
    trees = [each.derivation for each in repeats]
    return replace(
        found,
        components=(*found.components, cause),
        derivation=None if None in trees else {"average": trees},
    )


_POORER = (
    Calibration.DISPUTED,
    Calibration.UNKNOWN,
    Calibration.EXPIRED,
    Calibration.AGED,
    Calibration.OUTSIDE,
    Calibration.VALID,
)


def poorer(*states: Calibration) -> Calibration:
    """Return the least reliable of several calibration states; of none, UNKNOWN."""
    return min(states, key=_POORER.index, default=Calibration.UNKNOWN)


def truth(
    holds: bool,
    note: str,
    *,
    captures: Iterable[str] = (),
    instruments: Iterable[str] = (),
    calibration: Calibration = Calibration.VALID,
    excursion: float | None = None,
) -> Measurement:
    """A yes or no read from the device or from a capture, for a boolean requirement.

    Args:
        holds: the statement.
        note: what it was read from, in one line for the report.
        captures: hashes of the captures that show it.
        instruments: serial numbers of the instruments that show it.
        calibration: state of the poorest of them; VALID is right only where no instrument is.
        excursion: shortest one in s that would have shown whole, of a statement on all times.
    """
    return Measurement(
        Decimal(int(holds)),
        Dimension.TRUTH,
        instruments=tuple(instruments),
        calibration=calibration,
        captures=tuple(captures),
        excursion=excursion,
        note=note,
    )


def counted(
    number: int,
    note: str,
    *,
    captures: Iterable[str] = (),
    instruments: Iterable[str] = (),
    calibration: Calibration = Calibration.VALID,
) -> Measurement:
    """A whole number of things, exact and so without uncertainty, for a requirement on a count.

    Args:
        number: 0 or more; judged, anything but a whole number is an ERROR.
        note: what was counted, in one line for the report.
        captures: hashes of the captures that show it.
        instruments: serial numbers of the instruments that show it.
        calibration: state of the poorest of them; VALID is right only where no instrument is.
    """
    return Measurement(
        Decimal(number),
        Dimension.COUNT,
        instruments=tuple(instruments),
        calibration=calibration,
        captures=tuple(captures),
        note=note,
    )


def _scaled(components: tuple[Component, ...], factor: float) -> tuple[Component, ...]:
    return tuple(replace(part, sensitivity=part.sensitivity * factor) for part in components)


def _negated(value: Exact) -> Exact:
    return Exact(ARITHMETIC.minus(value.magnitude), value.unit)


def _longer(first: float | None, second: float | None) -> float | None:
    return max((each for each in (first, second) if each is not None), default=None)


def _union(first: tuple[str, ...], second: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(first + second))
