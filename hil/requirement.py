"""What a device must keep: one requirement, its limit, and how well the limit's figure is known."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from hil.errors import UsageError
from hil.exact import ARITHMETIC, Dimension, Exact


class Knowledge(Enum):
    """How a limit's figure is known; nothing ships as CONFIRMED."""

    CONFIRMED = "confirmed"
    """A named person read it in the purchased, named edition."""
    SEEN = "seen"
    """Read in a quoted or older source that is named."""
    SECONDARY = "secondary"
    """From a secondary source: a test house's or a maker's text about the standard."""
    FROM_MEMORY = "from memory"
    """Recalled, not looked up."""
    PROJECT = "project"
    """This project's own choice, to be replaced by the maker's specification."""

    @property
    def claim(self) -> str:
        """How a report introduces the figure."""
        return "the standard requires" if self is Knowledge.CONFIRMED else f"{self.value} figure"


class Rule(Enum):
    """How uncertainty enters the decision (JCGM 106; ILAC-G8)."""

    GUARDED = "guarded acceptance, w = U"
    """Default for limits that protect the patient."""
    SIMPLE = "simple acceptance, w = 0"
    """The measured value alone is compared."""


class Kind(Enum):
    """Which comparison a limit makes."""

    AT_MOST = "at most"
    """y <= figure."""
    AT_LEAST = "at least"
    """y >= figure."""
    WITHIN = "within"
    """|y - at| <= tolerance, tolerance = the larger of absolute and relative part."""
    EXCESS = "above by at most"
    """y <= at + tolerance."""
    DIFFERENCE = "differs by at most"
    """|y| <= tolerance about `at`, where y is itself a difference (delivered less claimed)."""
    TRUE = "true"
    """The statement holds."""


@dataclass(frozen=True, slots=True)
class Limit:
    """A tolerance limit T, resolved against the device profile."""

    kind: Kind
    """Comparison."""
    figure: Exact | None = None
    """Absolute figure: the limit of AT_MOST and AT_LEAST, the absolute part of a tolerance."""
    relative: Decimal | None = None
    """Relative part of a tolerance, as a fraction of `at`."""

    def __post_init__(self) -> None:
        if self.kind in {Kind.AT_MOST, Kind.AT_LEAST} and self.figure is None:
            raise UsageError(f"a limit of kind {self.kind.value!r} needs a figure")
        if self.relates and self.figure is None and not self.relative:
            raise UsageError(
                f"a limit of kind {self.kind.value!r} needs a figure or a relative part"
            )
        if self.kind is Kind.TRUE and self.figure is not None:
            raise UsageError(f"a limit of kind 'true' has no figure; it was given {self.figure}")
        if self.relative is not None and not self.relates:
            raise UsageError(f"a limit of kind {self.kind.value!r} has no relative part")
        if self.figure is not None and not self.figure.base.is_finite():
            raise UsageError(f"a limit of {self.figure} decides nothing; give a finite figure")
        if self.relates:
            self._check_tolerance()

    def _check_tolerance(self) -> None:
        parts = (self.figure.base if self.figure else None, self.relative)
        if any(part is not None and not (part.is_finite() and part >= 0) for part in parts):
            raise UsageError(f"a tolerance is finite and not negative; it was given {self}")

    @property
    def relates(self) -> bool:
        """Whether the limit needs the value `at` to which it relates."""
        return self.kind in {Kind.WITHIN, Kind.EXCESS, Kind.DIFFERENCE}

    def tolerance(self, at: Exact) -> Decimal:
        """Half-width around `at` in SI: the larger of the absolute and the relative part."""
        relative = ARITHMETIC.multiply(at.base.copy_abs(), self.relative or Decimal(0))
        return max(relative, self.figure.base) if self.figure else relative

    def __str__(self) -> str:
        parts = [str(self.figure)] if self.figure else []
        if self.relative:
            parts.append(f"{(self.relative * 100).normalize():f} % of the value commanded")
        both = " or ".join(parts) + (", the larger" if len(parts) > 1 else "")
        return f"{self.kind.value} {both}".strip()


@dataclass(frozen=True, slots=True)
class Requirement:
    """One line of the catalogue, with its limit taken from the profile of the device under test."""

    id: str
    """Short unique name, as LIM-CEIL; printed in every record."""
    subject: str
    """Group in the report, as "current limits"; each mandatory subject needs a PASS."""
    title: str
    """One line for tables."""
    text: str
    """The full sentence that is judged."""
    limit: Limit
    """Tolerance limit."""
    dimension: Dimension
    """Dimension that a measurement must have to be judged by it."""
    clause: str
    """Clause of a standard that it supports, or "project"."""
    source: str
    """Where the figure comes from."""
    status: Knowledge
    """How well the figure is known."""
    rule: Rule = Rule.GUARDED
    """Decision rule."""
    mandatory: bool = True
    """Whether exit code 0 needs it."""
    hazard: str = ""
    """Hazard in the risk file that it guards against."""
    control: str = ""
    """Risk control that it verifies."""
    roles: tuple[str, ...] = ("stimulator", "ammeter")
    """Bench roles without which it is NOT_EVALUATED."""

    def __post_init__(self) -> None:
        if (self.limit.kind is Kind.TRUE) != (self.dimension is Dimension.TRUTH):
            raise UsageError(
                f"{self.id}: a limit of kind {self.limit.kind.value!r} cannot judge a "
                f"{self.dimension.name.lower()}; 'true' and truth belong together"
            )
        figure = self.limit.figure
        if figure is not None and figure.dimension is not self.dimension:
            raise UsageError(
                f"{self.id}: the limit {figure} is a {figure.dimension.name.lower()}, "
                f"the requirement judges a {self.dimension.name.lower()}"
            )
