"""A resistor of known value: what turns the voltage across it into the current through it."""

from __future__ import annotations

from dataclasses import dataclass

from hil.derivation import argument, derived
from hil.exact import Dimension, Exact
from hil.measurement import COVERAGE, Calibration, Component, Measurement

REFERENCE = 23.0
"""Temperature in degC at which a resistor has its value."""


@argument("resistor")
@dataclass(frozen=True, slots=True)
class Resistor:
    """A resistor of the bench, as the shunt."""

    name: str
    """As `shunt`; readings across one resistor share its error."""
    value: Exact
    """Resistance at 23 degC."""
    tolerance: float
    """Limit of its relative error at 23 degC, or with `coverage` its relative uncertainty."""
    source: str
    """Certificate, or data sheet with its revision."""
    coverage: float | None = None
    """Coverage factor k of `tolerance`; None where it is a limit."""
    per_kelvin: float = 0.0
    """Limit of its relative change for each kelvin away from 23 degC."""
    warmth: float = 0.0
    """How many kelvin the air, and what flows, may keep it away from 23 degC."""
    calibration: Calibration = Calibration.VALID
    """Whether its record of calibration is valid at the time of measurement."""

    @property
    def limit(self) -> float:
        """Largest relative error; where it is told with k, the larger of k u and 2 u."""
        widened = max(1.0, COVERAGE / self.coverage) if self.coverage else 1.0
        return widened * self.tolerance + self.per_kelvin * self.warmth


@derived
def known_resistance(resistor: Resistor) -> Measurement:
    """What a resistor is worth: its value, with tolerance or calibration, and temperature."""
    ohm = float(resistor.value.require(Dimension.RESISTANCE).base)
    cause = f"{resistor.name}.tolerance"
    if resistor.coverage is None:
        own = Component.limited(cause, resistor.tolerance, resistor.source, sensitivity=ohm)
    else:
        k = resistor.coverage
        own = Component(cause, resistor.tolerance / k, ohm, divisor=k, source=resistor.source)
    drift = resistor.per_kelvin * resistor.warmth
    warm = Component.limited(
        f"{resistor.name}.temperature", drift, resistor.source, sensitivity=ohm
    )
    return Measurement(
        resistor.value.base,
        Dimension.RESISTANCE,
        (own, warm) if drift else (own,),
        calibration=resistor.calibration,
        note=f"{resistor.value} of the {resistor.name}",
    )
