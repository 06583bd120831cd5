"""Known faults of a stimulator, each as one change of a healthy device.

A fault acts on one of two layers. On the analogue layer it changes figures of the `OutputStage`.
In the firmware it overrides one decision of `Policy`, the list of everything that firmware of this
kind can get wrong. Faults combine: their overrides stack, their figures replace each other.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Literal

from hil.device import DeviceProfile
from hil.errors import UsageError
from hil_instruments.simulated.circuit import Bridge, OutputStage

# --- what firmware decides ---------------------------------------------------------------------


class Ramp(Enum):
    """Why the current changes."""

    START = "start"
    RESUME = "resume"
    CHANGE = "change of setting"
    REVERSE = "reversal"
    PAUSE = "pause"
    STOP = "stop"
    DOSE = "dose reached"

    @property
    def ends_at_zero(self) -> bool:
        """Whether the output is switched off at its end."""
        return self in {Ramp.PAUSE, Ramp.STOP, Ramp.DOSE}


@dataclass(frozen=True, slots=True)
class Leg:
    """A straight piece of the commanded current."""

    target: float
    """Signed current in A at its end."""
    duration: float
    """Length in s; 0 is a step."""


@dataclass(frozen=True, slots=True)
class Course:
    """A change of current that the firmware is about to make."""

    ramp: Ramp
    """Reason."""
    begin: float
    """Present signed current in A."""
    end: float
    """Signed current in A to reach."""
    slope: float
    """Magnitude of the slope in A/s, > 0."""
    before: float
    """Signed current in A that was aimed at until now."""
    first: bool
    """Whether it is the first start since power-up."""

    @property
    def straight(self) -> tuple[Leg, ...]:
        """One leg from begin to end."""
        return (Leg(self.end, abs(self.end - self.begin) / self.slope),)


class Policy:
    """Decisions of healthy firmware; a fault overrides one of them."""

    reverses_while_delivering = False
    """Whether a polarity is accepted while current flows."""
    rearms = False
    """Whether delivery goes on by itself when an open load is connected again."""
    account_survives_pause = True
    """Whether the dose account goes on after a pause."""

    def __init__(self, profile: DeviceProfile) -> None:
        self.open_time = profile.si("protection.open_time") / 2
        """Seconds for which a load must look open; half the declared time."""
        self.current_limit = profile.si("output.software_limit")
        """Measured current in A above which the firmware stops."""

    def legs(self, course: Course) -> tuple[Leg, ...]:
        """Shape a change of current."""
        return course.straight

    def shutdown(self, current: float) -> tuple[Leg, ...]:
        """Shape a stop at once, before the relay opens; none opens it now."""
        del current
        return ()

    def afterwards(self, current: float) -> tuple[Leg, ...]:
        """What the output does after a stop with its relay left closed; none opens the relay."""
        del current
        return ()

    def counted(self, measured: float, commanded: float) -> float:
        """Charge in C to book, of that measured and that commanded."""
        del commanded
        return measured


# --- what firmware gets wrong ------------------------------------------------------------------


def _at_once(course: Course) -> tuple[Leg, ...]:
    return (Leg(course.end, 0.0),)


class _StepOnResume(Policy):
    def legs(self, course: Course) -> tuple[Leg, ...]:
        return _at_once(course) if course.ramp is Ramp.RESUME else super().legs(course)


class _StepOnFirstStart(Policy):
    def legs(self, course: Course) -> tuple[Leg, ...]:
        skipped = course.ramp is Ramp.START and course.first
        return _at_once(course) if skipped else super().legs(course)


class _StaleSetpoint(Policy):
    def legs(self, course: Course) -> tuple[Leg, ...]:
        if course.ramp is not Ramp.CHANGE or course.begin == course.before:
            return super().legs(course)
        restarted = replace(course, begin=course.before)
        return (Leg(course.before, 0.0), *super().legs(restarted))


class _Staircase(Policy):
    STEP = 0.15e-3
    """Height of a stair in A: three times the largest step of the default profile."""

    def legs(self, course: Course) -> tuple[Leg, ...]:
        span = course.end - course.begin
        stairs = math.ceil(abs(span) / self.STEP)
        if not stairs:
            return super().legs(course)
        wait = abs(span) / course.slope / stairs
        heights = [course.begin + span * (k + 1) / stairs for k in range(stairs)]
        held = zip([course.begin, *heights], heights, strict=False)
        return tuple(leg for low, high in held for leg in (Leg(low, wait), Leg(high, 0.0)))


class _StepAtEndOfDose(Policy):
    def legs(self, course: Course) -> tuple[Leg, ...]:
        return _at_once(course) if course.ramp is Ramp.DOSE else super().legs(course)


class _Overshoot(Policy):
    EXCESS = 0.08

    def legs(self, course: Course) -> tuple[Leg, ...]:
        healthy = super().legs(course)
        if abs(course.end) <= abs(course.begin):
            return healthy
        excess = self.EXCESS * course.end
        time = abs(excess) / course.slope
        return (*healthy, Leg(course.end + excess, time), Leg(course.end, time))


class _LimitOnSetpointOnly(Policy):
    def __init__(self, profile: DeviceProfile) -> None:
        super().__init__(profile)
        self.current_limit = math.inf


class _ReversesAtOnce(Policy):
    reverses_while_delivering = True

    def legs(self, course: Course) -> tuple[Leg, ...]:
        return _at_once(course) if course.ramp is Ramp.REVERSE else super().legs(course)


class _ReversesByRamp(Policy):
    reverses_while_delivering = True


class _BlindToOpen(Policy):
    def __init__(self, profile: DeviceProfile) -> None:
        super().__init__(profile)
        self.open_time = math.inf


class _SlowToSeeOpen(Policy):
    def __init__(self, profile: DeviceProfile) -> None:
        super().__init__(profile)
        self.open_time = max(1.5, 3 * profile.si("protection.open_time"))


class _Rearms(Policy):
    rearms = True


class _SlowShutdown(Policy):
    POLL, DECAY, PIECES = 2.0, 0.5, 50
    """Seconds until the fault is polled, time constant of the decay in s, legs of 0.1 of it."""

    def shutdown(self, current: float) -> tuple[Leg, ...]:
        time = self.DECAY / 10
        decay = (Leg(current * math.exp(-k / 10), time) for k in range(1, self.PIECES + 1))
        return (Leg(current, self.POLL), *decay)


class _RelayStaysClosed(Policy):
    DELAY, GLITCH, WIDTH = 2.0, 1e-3, 50e-3
    """Seconds after the stop, A and s of what the converter then puts out."""

    def afterwards(self, current: float) -> tuple[Leg, ...]:
        glitch = math.copysign(self.GLITCH, current)
        return (Leg(0.0, self.DELAY), Leg(glitch, 0.0), Leg(glitch, self.WIDTH), Leg(0.0, 0.0))


class _CountsSetpoint(Policy):
    def counted(self, measured: float, commanded: float) -> float:
        del measured
        return commanded


class _ForgetsDoseOnResume(Policy):
    account_survives_pause = False


# --- what the output stage gets wrong ----------------------------------------------------------

_Change = Callable[[OutputStage, DeviceProfile], OutputStage]


def _same(stage: OutputStage, profile: DeviceProfile) -> OutputStage:
    del profile
    return stage


def _figures(**figures: float | Bridge) -> _Change:
    def change(stage: OutputStage, profile: DeviceProfile) -> OutputStage:
        del profile
        return replace(stage, **figures)  # type: ignore[arg-type]  # names and types fixed by the table below

    return change


def _wrong_reference(stage: OutputStage, profile: DeviceProfile) -> OutputStage:
    error = float(profile["output.accuracy_relative"].base) + 0.04
    return replace(stage, gain=1 - error, sense=1 / (1 - error))


# --- the catalogue -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Fault:
    """One known fault."""

    id: str
    """As in the fault catalogue of the domain study."""
    title: str
    """What is wrong, for tables."""
    layer: Literal["firmware", "analog"]
    """Where it sits."""
    subject: str
    """Subject of the requirements that it breaks."""
    trigger: str
    """What makes it show."""
    policy: type[Policy] = Policy
    """Firmware with the fault."""
    stage: _Change = _same
    """Output stage with the fault."""


_ALL = (
    Fault(
        "F01",
        "ramp skipped on resume after a pause",
        "firmware",
        "ramping",
        "resume",
        _StepOnResume,
    ),
    Fault(
        "F02",
        "ramp skipped on the first start after power-up",
        "firmware",
        "ramping",
        "first start",
        _StepOnFirstStart,
    ),
    Fault(
        "F03",
        "jump to the old setting when it is changed during a ramp",
        "firmware",
        "ramping",
        "change of setting during a ramp",
        _StaleSetpoint,
    ),
    Fault(
        "F05",
        "ramp in steps of 0.15 mA",
        "firmware",
        "ramping",
        "any ramp",
        _Staircase,
    ),
    Fault(
        "F06",
        "overshoot of 8 % at the end of a ramp",
        "firmware",
        "current limits",
        "end of a ramp up",
        _Overshoot,
    ),
    Fault(
        "F07",
        "wind-up while the load is open, spike of up to 2 mA on reconnection",
        "analog",
        "fault shutdown",
        "open load for some ms, then reconnection before it is detected",
        stage=_figures(windup=0.4, windup_limit=2e-3, transient=5e-3),
    ),
    Fault(
        "F08",
        "excess of 1 mA for 20 ms when the load falls",
        "analog",
        "current limits",
        "load step to less than half, as 20 kohm to 1 kohm",
        stage=_figures(load_step=1e-3, transient=20e-3),
    ),
    Fault(
        "F09",
        "limit enforced on the setting, not on the measured current; converter gain 1.2",
        "firmware",
        "current limits",
        "setting above software limit / 1.2",
        _LimitOnSetpointOnly,
        _figures(gain=1.2),
    ),
    Fault(
        "F11",
        "sense resistor drifted: 8 % more current than believed",
        "analog",
        "current limits",
        "any delivery",
        stage=_figures(gain=1.08, sense=1 / 1.08),
    ),
    Fault(
        "F14",
        "converter reference low: current below the setting by the declared accuracy and 4 %",
        "analog",
        "current limits",
        "any delivery",
        stage=_wrong_reference,
    ),
    Fault(
        "F19",
        "direct current of 25 uA with the output off",
        "analog",
        "fault shutdown",
        "supply on, output off",
        stage=_figures(standby=25e-6),
    ),
    Fault(
        "F20",
        "leakage of 80 uA past the output relay",
        "analog",
        "fault shutdown",
        "output off after the first delivery",
        stage=_figures(weld=80e-6),
    ),
    Fault(
        "F22",
        "output relay stays closed after a stop; converter glitch of 1 mA for 50 ms",
        "firmware",
        "fault shutdown",
        "2 s after the end of a treatment",
        _RelayStaysClosed,
    ),
    Fault(
        "F23",
        "polarity bridge stuck at positive",
        "analog",
        "polarity",
        "delivery with negative polarity",
        stage=_figures(bridge=Bridge.STUCK),
    ),
    Fault(
        "F24",
        "polarity swapped",
        "analog",
        "polarity",
        "any delivery",
        stage=_figures(bridge=Bridge.SWAPPED),
    ),
    Fault(
        "F25",
        "reversal without passing zero slowly",
        "firmware",
        "polarity",
        "polarity command during delivery",
        _ReversesAtOnce,
    ),
    Fault(
        "F26",
        "reversal accepted during delivery, by ramp without dwell",
        "firmware",
        "polarity",
        "polarity command during delivery",
        _ReversesByRamp,
    ),
    Fault(
        "F28",
        "open electrode not detected",
        "firmware",
        "fault shutdown",
        "open load during delivery",
        _BlindToOpen,
    ),
    Fault(
        "F29",
        "open electrode detected after 1.5 s only",
        "firmware",
        "fault shutdown",
        "open load during delivery",
        _SlowToSeeOpen,
    ),
    Fault(
        "F30",
        "delivery goes on by itself after an open electrode was connected again",
        "firmware",
        "fault shutdown",
        "open load, then reconnection",
        _Rearms,
    ),
    Fault(
        "F36",
        "stop at once polled after 2 s, then a slow decay",
        "firmware",
        "fault shutdown",
        "abort or fault during delivery",
        _SlowShutdown,
    ),
    Fault(
        "F50",
        "dose counted from the setting, not from the measured current",
        "firmware",
        "dose",
        "load at which compliance limits the current",
        _CountsSetpoint,
    ),
    Fault(
        "F51",
        "dose account reset by pause and resume",
        "firmware",
        "dose",
        "resume after a pause",
        _ForgetsDoseOnResume,
    ),
    Fault(
        "F54",
        "end of dose without a ramp down",
        "firmware",
        "ramping",
        "dose reached",
        _StepAtEndOfDose,
    ),
)

FAULTS: Mapping[str, Fault] = {fault.id: fault for fault in _ALL}
"""Every fault that can be seeded, by its id."""


def seeded(ids: Iterable[str], profile: DeviceProfile) -> tuple[Policy, OutputStage]:
    """Build firmware decisions and output stage with these faults; none gives a healthy device.

    Raises:
        UsageError: an id is unknown; names the allowed ones.
    """
    faults = [_fault(name) for name in sorted(set(ids))]
    bases = tuple(fault.policy for fault in faults if fault.policy is not Policy)
    policy: type[Policy] = type("SeededPolicy", bases, {}) if bases else Policy
    stage = OutputStage()
    for fault in faults:
        stage = fault.stage(stage, profile)
    return policy(profile), stage


def _fault(name: str) -> Fault:
    if name not in FAULTS:
        raise UsageError(f"fault {name!r} is unknown; allowed: {', '.join(FAULTS)}")
    return FAULTS[name]
