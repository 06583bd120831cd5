"""Whether a requirement applies to a device: computed from what its maker declares.

A rule has conditions, one of which is enough. Where none holds, the requirement is removed only if
the thresholds were confirmed by a named person; else it stays, as a requirement of the project.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hil.errors import UsageError
from hil.exact import ARITHMETIC, Dimension, Exact


@dataclass(frozen=True, slots=True)
class Condition:
    """A declared figure that lies above a threshold, at its stated load."""

    figure: str
    """Name of the figure, as `output.setpoint_max`."""
    declared: Exact
    """Its value."""
    above: Exact
    """Threshold; the figure itself, or the voltage that it makes at `into`."""
    into: Exact | None = None
    """Load in which a current is taken for the voltage that it makes; None takes it as it is."""

    def __post_init__(self) -> None:
        if self.value.dimension is not self.above.dimension:
            raise UsageError(
                f"{self.figure} is a {self.value.dimension.name.lower()} here, its threshold "
                f"{self.above} a {self.above.dimension.name.lower()}"
            )

    @property
    def value(self) -> Exact:
        """What is held against the threshold."""
        if self.into is None:
            return self.declared
        current = self.declared.require(Dimension.CURRENT).base
        ohms = self.into.require(Dimension.RESISTANCE).base
        return Exact(ARITHMETIC.multiply(current, ohms).normalize(), "V")

    @property
    def holds(self) -> bool:
        """Whether it lies above."""
        return self.value > self.above

    def __str__(self) -> str:
        side = "above" if self.holds else "not above"
        made = f" makes {self.value} in {self.into}," if self.into else ""
        return f"{self.figure} = {self.declared}{made} {side} {self.above}"


@dataclass(frozen=True, slots=True)
class Applicability:
    """What a rule makes of one device."""

    removes: bool
    """Whether the requirement is not judged: NOT_APPLICABLE."""
    reason: str
    """The figures and thresholds, and what follows, for the report."""

    @classmethod
    def of(
        cls, conditions: Sequence[Condition], source: str, known: str, *, confirmed: bool
    ) -> Applicability:
        """Apply a rule.

        Args:
            conditions: one or more.
            source: where the thresholds are from.
            known: how they are known, as `from memory`.
            confirmed: whether a named person has confirmed them.
        """
        found = "; ".join(map(str, conditions))
        if any(condition.holds for condition in conditions):
            return cls(removes=False, reason=f"applies: {found}")
        threshold = f"threshold: {known}, {source}"
        if confirmed:
            return cls(removes=True, reason=f"does not apply: {found} ({threshold})")
        return cls(
            removes=False,
            reason=f"judged as a requirement of the project, since nobody has confirmed the "
            f"threshold by which it would not apply: {found} ({threshold})",
        )
