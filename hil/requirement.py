"""What a device must keep: one requirement, its limit, and how well the limit's figure is known."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from hil.applicability import Applicability
from hil.depth import Depth
from hil.errors import UsageError
from hil.exact import ARITHMETIC, Dimension, Exact
from hil.mask import Mask
from hil.rule import GUARDED, Guard, Rule


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


class Kind(Enum):
    """Which comparison a limit makes."""

    AT_MOST = "at most"
    """y <= figure."""
    AT_LEAST = "at least"
    """y >= figure."""
    BETWEEN = "between"
    """lower <= y <= upper."""
    WITHIN = "within"
    """|y - at| <= tolerance, tolerance = the larger of absolute and relative part."""
    EXCESS = "above by at most"
    """y <= at + tolerance."""
    DIFFERENCE = "differs by at most"
    """|y| <= tolerance about `at`, where y is itself a difference (delivered less claimed)."""
    ENVELOPE = "envelope"
    """A waveform stays inside a mask after an event; y is its worst excess, y <= 0."""
    TRUE = "true"
    """The statement holds."""

    @property
    def parts(self) -> tuple[str, ...]:
        """Parts that its limit has; of a tolerance one is enough, else all are needed."""
        return _PARTS.get(self, ("figure", "relative"))


class Measurand(Enum):
    """What is taken of a record to judge a requirement: it says how well a bench can know it."""

    MEAN = "mean"
    """Mean over a time."""
    EXTREME = "extreme"
    """Largest magnitude, or worst excess over an envelope: what must never be exceeded."""
    DIFFERENCE = "difference"
    """An extreme less a mean of the same record."""
    STEP = "step"
    """Largest change within 5 ms."""
    SLOPE = "slope"
    """Largest slope over a sliding second."""
    CHARGE = "charge"
    """Integral over a treatment."""
    DURATION = "duration"
    """Time from an event until a level is reached for good."""
    REST = "rest"
    """Time between currents of opposite sign."""
    RIPPLE = "ripple"
    """Periodic part of a signal that is held, from peak to peak."""
    SPAN = "span"
    """Time for which a signal stays on one side of a level, or takes between two."""
    SIGN = "sign"
    """On which side of zero a signal lies, or stays."""
    COUNT = "count"
    """A number of things."""
    WORD = "word"
    """What the device says of itself: no instrument measures it."""


class Severity(Enum):
    """Harm that its hazard may do, as a risk file of three levels has it."""

    MINOR = "minor"
    """Discomfort, or a treatment to be done again."""
    SERIOUS = "serious"
    """An injury that heals, as a small burn."""
    CRITICAL = "critical"
    """An injury that stays, or a danger to life."""


_TOLERANCES = {Kind.WITHIN, Kind.EXCESS, Kind.DIFFERENCE}
_TWO_SIDED = {Kind.WITHIN, Kind.DIFFERENCE, Kind.BETWEEN}
_COUNTED = {Kind.AT_MOST, Kind.AT_LEAST, Kind.BETWEEN}
_PARTS = {
    Kind.AT_MOST: ("figure",),
    Kind.AT_LEAST: ("figure",),
    Kind.BETWEEN: ("lower", "upper"),
    Kind.ENVELOPE: ("mask",),
    Kind.TRUE: (),
}
"""Parts of the kinds that are no tolerance."""
_MEASURANDS = {
    Dimension.TIME: Measurand.DURATION,
    Dimension.CHARGE: Measurand.CHARGE,
    Dimension.CURRENT_SLOPE: Measurand.SLOPE,
    Dimension.COUNT: Measurand.COUNT,
}
"""Usual measurand of what is no signal itself."""
_OF_SIGNALS = {Kind.WITHIN: Measurand.MEAN, Kind.DIFFERENCE: Measurand.DIFFERENCE}
"""Usual measurand of a signal by the comparison; of every other one its extreme."""
_METERS = {"ammeter", "voltmeter", "oscilloscope"}
_CALLED = {
    "figure": "a figure",
    "lower": "a lower limit",
    "upper": "an upper limit",
    "mask": "a mask",
}


@dataclass(frozen=True, slots=True)
class Limit:
    """A tolerance limit T, resolved against the device profile."""

    kind: Kind
    """Comparison."""
    figure: Exact | None = None
    """Absolute figure: the limit of AT_MOST and AT_LEAST, the absolute part of a tolerance."""
    relative: Decimal | None = None
    """Relative part of a tolerance, as a fraction of `at`."""
    lower: Exact | None = None
    """Lower limit of BETWEEN."""
    upper: Exact | None = None
    """Upper limit of BETWEEN; not below `lower`."""
    mask: Mask | None = None
    """Limits over time of ENVELOPE."""
    undeclared: tuple[str, ...] = ()
    """Optional figures that it would take and that the profile leaves out; then it has no part,
    and decides nothing."""

    def __post_init__(self) -> None:
        if self.undeclared:
            return
        self._check_parts()
        for figure in self.figures:
            if not figure.base.is_finite():
                raise UsageError(f"a limit of {figure} decides nothing; give a finite figure")
        if self.lower is not None and self.upper is not None and self.lower > self.upper:
            raise UsageError(f"between {self.lower} and {self.upper} lies nothing; swap them")
        if self.relates:
            self._check_tolerance()

    def _check_parts(self) -> None:
        kind = self.kind.value
        named = ("figure", "relative", "lower", "upper", "mask")
        given = {name for name in named if getattr(self, name) is not None}
        allowed = set(self.kind.parts)
        if extra := sorted(given - allowed):
            raise UsageError(f"a limit of kind {kind!r} has no {' and no '.join(extra)}")
        if self.relates and self.figure is None and not self.relative:
            raise UsageError(f"a limit of kind {kind!r} needs a figure or a relative part")
        if not self.relates and (missing := sorted(allowed - given)):
            needed = " and ".join(_CALLED[part] for part in missing)
            raise UsageError(f"a limit of kind {kind!r} needs {needed}")

    def _check_tolerance(self) -> None:
        parts = (self.figure.base if self.figure else None, self.relative)
        if any(part is not None and not (part.is_finite() and part >= 0) for part in parts):
            raise UsageError(f"a tolerance is finite and not negative; it was given {self}")

    @property
    def figures(self) -> tuple[Exact, ...]:
        """Every figure that has the dimension of what is judged."""
        own = tuple(part for part in (self.figure, self.lower, self.upper) if part is not None)
        return own + (self.mask.levels if self.mask else ())

    @property
    def relates(self) -> bool:
        """Whether the limit needs the value `at` to which it relates."""
        return self.kind in _TOLERANCES

    def tolerance(self, at: Exact) -> Decimal:
        """Half-width around `at` in SI: the larger of the absolute and the relative part."""
        relative = ARITHMETIC.multiply(at.base.copy_abs(), self.relative or Decimal(0))
        return max(relative, self.figure.base) if self.figure else relative

    @property
    def two_sided(self) -> bool:
        """Whether it bounds the value below and above."""
        return self.kind in _TWO_SIDED

    @property
    def lacks(self) -> str:
        """Why it decides nothing; empty if it decides."""
        if not self.undeclared:
            return ""
        return f"the device file declares no {', '.join(self.undeclared)}"

    def __str__(self) -> str:
        if self.undeclared:
            return f"{self.kind.value} {' and '.join(self.undeclared)}, not declared"
        if self.kind is Kind.BETWEEN:
            return f"between {self.lower} and {self.upper}"
        if self.kind is Kind.ENVELOPE:
            return f"inside the envelope after the event: {self.mask}"
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
    rule: Rule = GUARDED
    """Decision rule."""
    mandatory: bool = True
    """Whether exit code 0 needs it."""
    hazard: str = ""
    """Hazard in the risk file that it guards against."""
    control: str = ""
    """Risk control that it verifies."""
    roles: tuple[str, ...] = ("stimulator", "ammeter")
    """Bench roles without which it is NOT_EVALUATED."""
    measures: Measurand | None = None
    """What is taken of a record, where a catalogue says so; see `measurand`."""
    method: str = ""
    """How it is shown, in a sentence; empty if its catalogue does not say."""
    unprovoked: str = ""
    """What it is about, if nothing on a bench makes that happen: a PASS says that it did not."""
    severity: Severity | None = None
    """Harm that its hazard may do; None if its catalogue does not say."""
    applicability: Applicability | None = None
    """What its rule makes of the device; None if it applies to every one."""
    depth: Depth = Depth.SMOKE
    """Depth from which a run looks at it."""

    def __post_init__(self) -> None:
        if (self.limit.kind is Kind.TRUE) != (self.dimension is Dimension.TRUTH):
            raise UsageError(
                f"{self.id}: a limit of kind {self.limit.kind.value!r} cannot judge a "
                f"{self.dimension.name.lower()}; 'true' and truth belong together"
            )
        for figure in self.limit.figures:
            if figure.dimension is not self.dimension:
                raise UsageError(
                    f"{self.id}: the limit {figure} is a {figure.dimension.name.lower()}, "
                    f"the requirement judges a {self.dimension.name.lower()}"
                )
        if self.dimension is Dimension.COUNT:
            self._check_count()
        self._check_rule()

    def _check_count(self) -> None:
        allowed = ", ".join(kind.value for kind in Kind if kind in _COUNTED)
        if self.limit.kind not in _COUNTED:
            raise UsageError(f"{self.id}: a count is judged by: {allowed}; not {self.limit}")
        for figure in self.limit.figures:
            if figure.base < 0 or figure.base != figure.base.to_integral_value():
                raise UsageError(f"{self.id}: {figure} is no count; give a whole number, 0 or more")

    def _check_rule(self) -> None:
        if self.rule.guard is Guard.METHOD_6 and not self.limit.two_sided:
            raise UsageError(
                f"{self.id}: rule {str(self.rule)!r} is defined for two-sided tolerances only; "
                f"the limit is {self.limit}; take 'guarded', 'simple' or 'guard factor 0.83'"
            )
        if not self.budgeted and self.rule.guard in {Guard.SHARE, Guard.METHOD_6}:
            raise UsageError(
                f"{self.id}: rule {str(self.rule)!r} weighs an uncertainty; "
                f"a {self.dimension.name.lower()} has none; leave the rule out"
            )

    @property
    def inapplicable(self) -> str:
        """Why it does not apply to the device; empty if it is judged."""
        found = self.applicability
        return found.reason if found is not None and found.removes else ""

    @property
    def measurand(self) -> Measurand:
        """What is taken of a record: as stated, or what is usual of its dimension and limit."""
        if self.measures is not None:
            return self.measures
        if self.dimension is Dimension.TRUTH:
            return Measurand.SIGN if _METERS.intersection(self.roles) else Measurand.WORD
        usual = _OF_SIGNALS.get(self.limit.kind, Measurand.EXTREME)
        return _MEASURANDS.get(self.dimension, usual)

    @property
    def word(self) -> str:
        """How far it rests on what the device says; empty if it is judged by what is measured."""
        if self.measurand is not Measurand.WORD:
            return ""
        meters = [role for role in self.roles if role in _METERS]
        if meters:
            return f"the device's word, held against what the {' and the '.join(meters)} shows"
        return "the device's word alone: no instrument measures it"

    @property
    def budgeted(self) -> bool:
        """Whether its measurements carry an uncertainty; a count and a truth are exact."""
        return self.dimension not in {Dimension.COUNT, Dimension.TRUTH}

    @property
    def decides(self) -> str:
        """Its decision rule in words, as printed with each result."""
        if self.budgeted:
            return self.rule.text
        return f"none: a {'count' if self.dimension is Dimension.COUNT else 'yes or no'} is exact"
