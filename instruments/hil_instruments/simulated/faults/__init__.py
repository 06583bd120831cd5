"""Faults of the simulated bench: catalogue as data, and what each one changes."""

from hil_instruments.simulated.faults.legacy import (
    FAULTS,
    Course,
    Fault,
    Leg,
    Policy,
    Ramp,
    seeded,
)

__all__ = ["FAULTS", "Course", "Fault", "Leg", "Policy", "Ramp", "seeded"]
