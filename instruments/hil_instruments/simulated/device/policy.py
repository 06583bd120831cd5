"""What firmware of this kind decides, one decision a method or figure: healthy here.

A firmware fault overrides one of them; nothing else in the reference firmware knows of faults.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from hil.device import DeviceProfile, Polarity, State
from hil_instruments.simulated.device.port import Reset


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


@dataclass(frozen=True, slots=True)
class Session:
    """What survives a brown-out in backup memory."""

    current: float
    """Setting in A."""
    polarity: Polarity
    """Of the treatment."""
    delivering: bool
    """Whether the output was on."""


class Policy:
    """Decisions of healthy firmware."""

    # Protections.
    short_resistance = 200.0
    """Load in ohm below which a short is reported; the current stays regulated."""
    low_battery = 6.0
    """Supply in V below which nothing starts, and a treatment ends in a latched fault."""
    overcurrent_time = 10e-3
    """Seconds for which the measured current may exceed the limit."""
    latch_time = float("inf")
    """Seconds after which a latched fault clears itself."""
    reset_clears_latch = False
    """Whether *RST releases a latched fault."""
    rearms = False
    """Whether delivery goes on by itself when an open load is connected again."""
    masks_second_fault = False
    """Whether a fault under another one is ignored, output included."""
    hangs_on_fault = False
    """Whether the processor stands still when it latches an over-current."""
    # Commands.
    reverses_while_delivering = False
    """Whether a polarity is accepted while current flows."""
    stops_during_ramp = True
    """Whether a stop is obeyed while the current rises."""
    storm = 0
    """Commands within a second that lock the command processor; 0 for none."""
    keeps_errors = True
    """Whether a refusal enters the error queue."""
    checks_first = True
    """Whether a setting is checked before it takes effect."""
    heeds_link_timeout = True
    """Whether a silent host ends a treatment where a link timeout is set."""
    # Dose.
    account_survives_pause = True
    """Whether the dose account goes on after a pause."""
    account_survives_change = True
    """Whether the dose account goes on after a change of setting."""
    limits_sessions = True
    """Whether the largest dose holds for all treatments since power-up together."""
    # Start.
    checks_calibration = True
    """Whether calibration constants with a wrong checksum refuse every start."""
    tests_sensor = True
    """Whether the self-test looks at the converters at all."""
    keeps_setting = False
    """Whether the current set before a reset is in force after it."""
    boot_current = 0.0
    """Current in A at which the output is armed after a reset; 0 leaves it off."""
    # Reports.
    tells_limiting = True
    """Whether the host learns that compliance limits the current."""

    def __init__(self, profile: DeviceProfile) -> None:
        self.profile = profile
        self.open_time = profile.si("protection.open_time") / 2
        """Seconds for which a load must look open; half the declared time."""
        self.open_resistance = 0.95 * profile.si("protection.open_resistance")
        """Load in ohm above which it looks open."""
        self.current_limit = profile.si("output.software_limit")
        """Measured current in A above which the firmware stops."""

    # Output.

    def legs(self, course: Course) -> tuple[Leg, ...]:
        """Shape a change of current."""
        return course.straight

    def shutdown(self, current: float, cause: str) -> tuple[Leg, ...]:
        """Shape a stop at once, before the relay opens; none opens it now.

        Args:
            current: signed current in A that flows.
            cause: code of the fault; empty for an abort.
        """
        del current, cause
        return ()

    def afterwards(self, current: float) -> tuple[Leg, ...]:
        """What the output does after a stop with its relay left closed; none opens the relay."""
        del current
        return ()

    def sign(self, polarity: Polarity) -> int:
        """Sign of the current for a polarity."""
        return polarity.sign

    def restarts(self, ramp: Ramp, share: float) -> bool:
        """Whether the processor resets itself during a ramp; `share` of it is done."""
        del ramp, share
        return False

    # Accounts and clocks.

    def counted(self, measured: float, commanded: float) -> float:
        """Charge in C to book, of that measured and that commanded."""
        del commanded
        return measured

    def accumulate(self, total: float, increment: float) -> float:
        """Add to the dose account, in C."""
        return total + increment

    def clock(self, micros: int) -> float:
        """Seconds that the firmware makes of its timer."""
        return micros * 1e-6

    # Commands.

    def admits(self, amperes: float) -> bool:
        """Whether a setting lies in range and on a step."""
        low, high, step = (
            float(self.profile[f"output.setpoint_{name}"].base) for name in ("min", "max", "step")
        )
        steps = amperes / step
        inside = low * (1 - 1e-9) <= amperes <= high * (1 + 1e-9)
        return inside and abs(steps - round(steps)) < 1e-6

    def understood(self, amperes: float) -> float:
        """Setting that is made of the one received, in A."""
        return amperes

    def rewritten(self, message: bytes) -> bytes:
        """Text that the parser sees of a message."""
        return message

    def locks(self, what: str) -> bool:
        """Whether a setting is refused during a treatment: polarity, dose or ramp."""
        del what
        return True

    # Reports.

    def reported(self, state: State, seconds: float) -> State:
        """State to report; `seconds` since it was entered."""
        del seconds
        return state

    def impedance(self, now: float, last: float | None) -> float:
        """Impedance in ohm to report, of the one measured and the last one reported."""
        del last
        return now

    def told_polarity(self, polarity: Polarity) -> Polarity:
        """Polarity to report, of that of the treatment."""
        return polarity

    def told_time(self, seconds: float) -> float:
        """Time of the treatment in s to report, of the one counted."""
        return seconds

    def indicates(self, *, on: bool) -> bool:
        """Whether the indicator is lit."""
        return on

    # Power.

    def resumes(self, cause: Reset, session: Session) -> bool:
        """Whether a treatment that a reset ended goes on by itself."""
        del cause, session
        return False

    def starts_by_key(self) -> bool:
        """Whether the start key starts a treatment without a release in between."""
        return False
