"""An envelope over time: how high and how low a signal may lie, from point to point after an event.

Between two points a limit runs straight; two points at one time make a step, and at its instant
both limits hold. A side bounds only between two neighbouring points that both give it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise

from hil.derivation import argument
from hil.errors import UsageError
from hil.exact import Dimension, Exact


@argument("point")
@dataclass(frozen=True, slots=True)
class Point:
    """A corner of a mask."""

    time: Exact
    """Time after the event; negative before it."""
    lower: Exact | None = None
    """Smallest value allowed; None where nothing bounds the signal below."""
    upper: Exact | None = None
    """Largest value allowed; None where nothing bounds the signal above."""

    def __str__(self) -> str:
        sides = ([f">= {self.lower}"] if self.lower else []) + (
            [f"<= {self.upper}"] if self.upper else []
        )
        return f"{self.time}: {' and '.join(sides) or 'free'}"


@dataclass(frozen=True, slots=True)
class Line:
    """A straight piece of one side of a mask, in SI."""

    side: int
    """+1 bounds the signal above, -1 below."""
    begin: float
    """Time of its first end after the event, in s."""
    end: float
    """Time of its last end after the event, in s; later than `begin`."""
    first: float
    """Limit at `begin`."""
    last: float
    """Limit at `end`."""


@argument("mask")
@dataclass(frozen=True, slots=True)
class Mask:
    """Limits from the first point to the last; raises UsageError for points that decide nothing."""

    points: tuple[Point, ...]
    """In order of time; at most two at one time."""

    def __post_init__(self) -> None:
        if len(self.points) < 2:
            raise UsageError(f"a mask needs two points or more; it was given {len(self.points)}")
        for point in self.points:
            _check(point)
        times = [point.time.base for point in self.points]
        if times != sorted(times) or any(a == c for a, c in zip(times, times[2:], strict=False)):
            raise UsageError(f"points of a mask follow in time, at most two at one; {self}")
        if len({level.dimension for level in self.levels}) != 1:
            raise UsageError(f"a mask has levels, all of one dimension; {self}")
        self._check_sides()

    def _check_sides(self) -> None:
        pairs = [(a, b) for a, b in pairwise(self.points) if a.time < b.time]
        for point in self.points:
            beside = [b if a is point else a for a, b in pairs if point is a or point is b]
            for name in ("lower", "upper"):
                given = getattr(point, name) is not None
                if given and all(getattr(other, name) is None for other in beside):
                    raise UsageError(
                        f"{name} at {point.time} bounds nothing: "
                        f"no point beside it gives {name} as well; {self}"
                    )

    @property
    def levels(self) -> tuple[Exact, ...]:
        """Every level of it."""
        sides = [level for point in self.points for level in (point.lower, point.upper)]
        return tuple(level for level in sides if level is not None)

    @property
    def dimension(self) -> Dimension:
        """Kind of quantity that it bounds."""
        return self.levels[0].dimension

    @property
    def begin(self) -> float:
        """Time of the first point after the event, in s."""
        return float(self.points[0].time.base)

    @property
    def end(self) -> float:
        """Time of the last point after the event, in s."""
        return float(self.points[-1].time.base)

    @property
    def lines(self) -> tuple[Line, ...]:
        """The straight pieces of both sides, in order of time."""
        return tuple(
            Line(sign, float(a.time.base), float(b.time.base), float(first), float(last))
            for a, b in pairwise(self.points)
            if a.time < b.time
            for sign, name in ((+1, "upper"), (-1, "lower"))
            if (first := _base(getattr(a, name))) is not None
            and (last := _base(getattr(b, name))) is not None
        )

    @property
    def parts(self) -> list[dict[str, str | None]]:
        """As JSON carries it: time, lower and upper of each point, as text."""
        return [
            {
                "time": str(point.time),
                "lower": None if point.lower is None else str(point.lower),
                "upper": None if point.upper is None else str(point.upper),
            }
            for point in self.points
        ]

    @classmethod
    def of(cls, parts: Iterable[Mapping[str, str | None]]) -> Mask:
        """Read what `parts` wrote; raises UsageError, DimensionError, KeyError or TypeError."""
        return cls(
            tuple(
                Point(
                    Exact.parse(part["time"] or ""),
                    *(None if (text := part[side]) is None else Exact.parse(text)
                      for side in ("lower", "upper")),
                )
                for part in parts
            )
        )  # fmt: skip

    def __str__(self) -> str:
        return "; ".join(map(str, self.points))


def _check(point: Point) -> None:
    point.time.require(Dimension.TIME)
    given = [value for value in (point.time, point.lower, point.upper) if value is not None]
    if not all(value.base.is_finite() for value in given):
        raise UsageError(f"a point of a mask is finite; it was given {point}")
    if point.lower is None or point.upper is None:
        return
    if point.lower.dimension is not point.upper.dimension or point.lower > point.upper:
        raise UsageError(f"at {point.time} lower lies above upper, or is another kind; {point}")


def _base(level: Exact | None) -> Decimal | None:
    return None if level is None else level.base
