"""Faults of the firmware: each overrides one decision of the healthy `Policy`.

A function of the severity (SI, 0 where a fault has none) returns the overriding class, so that
faults combine: their classes stack.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from hil.device import DeviceProfile, Polarity, State
from hil_instruments.simulated.device.policy import Course, Leg, Policy, Ramp, Session
from hil_instruments.simulated.device.port import Reset
from hil_instruments.simulated.faults import ramps
from hil_instruments.simulated.faults.ramps import Override

WHOLE = 1e-3
"""A to whose multiples a mixed-up unit rounds a setting."""
WORD = 65536
"""Microamperes after which a 16-bit setting wraps."""
RELEASE = 1.0
"""Seconds after which a latch that does not hold lets go."""
STORM = 6
"""Commands of a treatment within a second that lock the processor."""
COLLIDING = 0.85
"""Share of the software limit from which a setting disables it."""


def _figures(**figures: object) -> Override:
    """Override plain figures of the policy."""
    return lambda severity: type("Figures", (Policy,), dict(figures))


def _no_limit(severity: float) -> type[Policy]:
    del severity

    class NoLimit(Policy):
        def __init__(self, profile: DeviceProfile) -> None:
            super().__init__(profile)
            self.current_limit = math.inf

    return NoLimit


def _colliding_limit(severity: float) -> type[Policy]:
    del severity

    class CollidingLimit(Policy):
        def admits(self, amperes: float) -> bool:
            limit = self.profile.si("output.software_limit")
            self.current_limit = math.inf if amperes > COLLIDING * limit else limit
            return super().admits(amperes)

    return CollidingLimit


def _mixed_units(severity: float) -> type[Policy]:
    del severity

    class MixedUnits(Policy):
        def understood(self, amperes: float) -> float:
            largest = self.profile.si("output.setpoint_max")
            meant = amperes * 1e-6 if amperes > largest * (1 + 1e-9) else amperes
            return super().understood(math.ceil(meant / WHOLE - 1e-9) * WHOLE)

    return MixedUnits


def _bad_numbers(severity: float) -> type[Policy]:
    del severity

    class BadNumbers(Policy):
        def rewritten(self, message: bytes) -> bytes:
            text = re.sub(rb"(?<=\d),\d+", b"", message)
            return super().rewritten(re.sub(rb"(?<=\d)[eE][+-]?\d+", b"", text))

    return BadNumbers


def _wrapped_setting(severity: float) -> type[Policy]:
    del severity

    class WrappedSetting(Policy):
        def understood(self, amperes: float) -> float:
            return super().understood(math.fmod(round(amperes * 1e6), WORD) * 1e-6)

        def admits(self, amperes: float) -> bool:
            return super().admits(abs(amperes))

    return WrappedSetting


def _relay_stays_closed(severity: float) -> type[Policy]:
    delay, width = 2.0, 50e-3  # seconds until the converter's glitch, and its length

    class RelayStaysClosed(Policy):
        def afterwards(self, current: float) -> tuple[Leg, ...]:
            glitch = math.copysign(severity, current)
            return (Leg(0.0, delay), Leg(glitch, 0.0), Leg(glitch, width), Leg(0.0, 0.0))

    return RelayStaysClosed


def _reverses_at_once(severity: float) -> type[Policy]:
    class ReversesAtOnce(ramps.stepped(Ramp.REVERSE)(severity)):  # type: ignore[misc]  # a class made above
        reverses_while_delivering = True

    return ReversesAtOnce


def _open_time(severity: float) -> type[Policy]:
    class OpenTime(Policy):
        def __init__(self, profile: DeviceProfile) -> None:
            super().__init__(profile)
            self.open_time = severity or math.inf

    return OpenTime


def _frozen_impedance(severity: float) -> type[Policy]:
    del severity

    class FrozenImpedance(Policy):
        def impedance(self, now: float, last: float | None) -> float:
            good = last is not None and math.isfinite(last)
            return last if good and last is not None else super().impedance(now, last)

    return FrozenImpedance


def _slow_shutdown(severity: float) -> type[Policy]:
    pieces = 40
    poll, decay = 0.8 * severity, 0.2 * severity / math.log(10)

    class SlowShutdown(Policy):
        def shutdown(self, current: float, cause: str) -> tuple[Leg, ...]:
            del cause
            time = decay / 5
            fading = (Leg(current * math.exp(-k / 5), time) for k in range(1, pieces + 1))
            return (Leg(current, poll), *fading)

    return SlowShutdown


def _abort_keeps_output(severity: float) -> type[Policy]:
    del severity

    class AbortKeepsOutput(Policy):
        def shutdown(self, current: float, cause: str) -> tuple[Leg, ...]:
            forever = 1e6  # seconds
            return super().shutdown(current, cause) if cause else (Leg(current, forever),)

    return AbortKeepsOutput


def _surge(severity: float) -> type[Policy]:
    width = 20e-3  # seconds

    class Surge(Policy):
        def shutdown(self, current: float, cause: str) -> tuple[Leg, ...]:
            if cause:
                return super().shutdown(current, cause)
            high = current + math.copysign(severity, current)
            return (Leg(high, 0.0), Leg(high, width))

    return Surge


def _restart_at_amplitude(severity: float) -> type[Policy]:
    del severity

    class RestartAtAmplitude(Policy):
        def __init__(self, profile: DeviceProfile) -> None:
            super().__init__(profile)
            self._browned_out = False

        def resumes(self, cause: Reset, session: Session) -> bool:
            self._browned_out = cause is Reset.BROWN_OUT
            return self._browned_out or super().resumes(cause, session)

        def legs(self, course: Course) -> tuple[Leg, ...]:
            stepped = self._browned_out and course.ramp is Ramp.RESUME
            self._browned_out = False
            return ramps.at_once(course) if stepped else super().legs(course)

    return RestartAtAmplitude


def _session_resumes(severity: float) -> type[Policy]:
    del severity

    class SessionResumes(Policy):
        def resumes(self, cause: Reset, session: Session) -> bool:
            return cause in {Reset.POWER_ON, Reset.BROWN_OUT} or super().resumes(cause, session)

    return SessionResumes


def _dark_indicator(severity: float) -> type[Policy]:
    del severity

    class DarkIndicator(Policy):
        def indicates(self, *, on: bool) -> bool:
            del on
            return False

    return DarkIndicator


def _wrapping_dose(severity: float) -> type[Policy]:
    class WrappingDose(Policy):
        def accumulate(self, total: float, increment: float) -> float:
            return super().accumulate(total, increment) % severity

    return WrappingDose


def _counts_setpoint(severity: float) -> type[Policy]:
    del severity

    class CountsSetpoint(Policy):
        def counted(self, measured: float, commanded: float) -> float:
            del measured
            return commanded

    return CountsSetpoint


def _fast_clock(severity: float) -> type[Policy]:
    class FastClock(Policy):
        _since: int | None = None

        def clock(self, micros: int) -> float:
            if self._since is None:  # from here on, so that time does not jump when it sets in
                self._since = micros
            return self._since * 1e-6 + (micros - self._since) * 1e-6 * (1 + severity)

    return FastClock


def _wrapping_clock(severity: float) -> type[Policy]:
    del severity

    class WrappingClock(Policy):
        def clock(self, micros: int) -> float:
            return micros // 1000 % 2**32 * 1e-3

    return WrappingClock


def _unlocked(severity: float) -> type[Policy]:
    del severity

    class Unlocked(Policy):
        def locks(self, what: str) -> bool:
            return what not in {"dose", "ramp"} and super().locks(what)

    return Unlocked


def _late_state(severity: float) -> type[Policy]:
    class LateState(Policy):
        def reported(self, state: State, seconds: float) -> State:
            late = state.delivers and seconds < severity
            return State.IDLE if late else super().reported(state, seconds)

    return LateState


def _fixed_polarity(severity: float) -> type[Policy]:
    del severity

    class FixedPolarity(Policy):
        def told_polarity(self, polarity: Polarity) -> Polarity:
            del polarity
            return self.profile.polarity

    return FixedPolarity


def _wrong_time(severity: float) -> type[Policy]:
    class WrongTime(Policy):
        def told_time(self, seconds: float) -> float:
            return super().told_time(seconds) * (1 - severity)

    return WrongTime


def _armed_at_boot(severity: float) -> type[Policy]:
    return type("ArmedAtBoot", (Policy,), {"boot_current": severity})


def _restarts_in_ramp(severity: float) -> type[Policy]:
    del severity

    class RestartsInRamp(Policy):
        def restarts(self, ramp: Ramp, share: float) -> bool:
            return ramp is Ramp.START and share >= 0.5

    return RestartsInRamp


OVERRIDES: Mapping[str, Override] = {
    "F01": ramps.stepped(Ramp.RESUME),
    "F02": ramps.stepped(Ramp.START, first_only=True),
    "F03": ramps.stale_setpoint,
    "F04": ramps.lost_ticks,
    "F05": ramps.staircase,
    "F06": ramps.overshoot,
    "F09": _no_limit,
    "F16": _mixed_units,
    "F17": _bad_numbers,
    "F18": _wrapped_setting,
    "F22": _relay_stays_closed,
    "F25": _reverses_at_once,
    "F26": _figures(reverses_while_delivering=True),
    "F28": _open_time,
    "F29": _open_time,
    "F30": _figures(rearms=True),
    "F31": _figures(tells_limiting=False),
    "F32": _figures(short_resistance=0.0),
    "F33": _frozen_impedance,
    "F36": _slow_shutdown,
    "F37": _figures(latch_time=RELEASE),
    "F38": _figures(reset_clears_latch=True),
    "F39": _figures(masks_second_fault=True),
    "F40": _abort_keeps_output,
    "F41": _surge,
    "F44": _restart_at_amplitude,
    "F45": _session_resumes,
    "F46": _figures(keeps_setting=True),
    "F47": _figures(low_battery=0.0),
    "F48": _dark_indicator,
    "F49": _wrapping_dose,
    "F50": _counts_setpoint,
    "F51": _figures(account_survives_pause=False),
    "F52": _figures(limits_sessions=False),
    "F53": _fast_clock,
    "F54": ramps.stepped(Ramp.DOSE),
    "F55": _figures(checks_first=False),
    "F56": _figures(keeps_errors=False),
    "F57": _unlocked,
    "F58": _figures(stops_during_ramp=False),
    "F59": _figures(storm=STORM),
    "F60": _figures(heeds_link_timeout=False),
    "F61": _late_state,
    "F64": _figures(checks_calibration=False),
    "F65": _figures(tests_sensor=False),
    "F68": _armed_at_boot,
    "F69": lambda severity: type("StartsByKey", (Policy,), {"starts_by_key": lambda self: True}),
    "F72": _restarts_in_ramp,
    "F73": _figures(hangs_on_fault=True),
    "F74": _colliding_limit,
    "F75": _wrapping_clock,
    "F76": ramps.giving_way,
    "F80": _fixed_polarity,
    "F81": _wrong_time,
}
"""Fault to its override."""
