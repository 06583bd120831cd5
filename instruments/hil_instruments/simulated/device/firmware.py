"""Reference firmware of the simulated stimulator: one implementation of the firmware port.

It boots, admits or refuses what the host asks for, and looks after supply, link and keys; what is
admitted is the treatment's to do.
"""

from __future__ import annotations

import math
from typing import NoReturn

from hil.device import DeviceProfile, Polarity, State
from hil_instruments.simulated.device.console import Console
from hil_instruments.simulated.device.policy import Policy, Ramp
from hil_instruments.simulated.device.port import Key, Port, Reset
from hil_instruments.simulated.device.refusal import Refused
from hil_instruments.simulated.device.settings import Settings
from hil_instruments.simulated.device.treatment import Treatment

SELF_TEST_TIME = 0.1
"""Seconds after power-up in which no treatment can begin."""
STORM_TIME = 1.0
"""Seconds over which commands are counted."""
_SETTINGS_CONFLICT, _SELF_TEST_FAILED = -221, -330


class ReferenceFirmware:
    """Implements `port.Firmware`; the other methods are for its console and for tests."""

    def __init__(self, profile: DeviceProfile, policy: Policy) -> None:
        """Be flashed; nothing runs before `boot`.

        Args:
            profile: figures that the device keeps.
            policy: decisions, healthy or faulty; may be replaced at any time.
        """
        self._policy = policy
        self.profile = profile
        self.settings = Settings(profile)
        """What the host has set."""
        self.console = Console(self, profile)

    @property
    def policy(self) -> Policy:
        """Its decisions."""
        return self._policy

    @policy.setter
    def policy(self, policy: Policy) -> None:
        self._policy = self.treatment.policy = policy

    # --- boot -----------------------------------------------------------------------------------

    def boot(self, port: Port, cause: Reset) -> None:
        """See `port.Firmware`."""
        self._port = port
        self.settings.clear()
        self.treatment = Treatment(self.profile, self.settings, self._policy, port)
        now = self.treatment.now
        self.treatment.ready_at = now + SELF_TEST_TIME
        self._pressed = 0xFF
        self._heard = now
        self._commands: list[float] = []
        self._impedance: float | None = None
        self.console.power_on()
        self._restore(cause)
        port.kick()
        self.treatment.sleep()

    def _restore(self, cause: Reset) -> None:
        """Look at what a reset interrupted; healthy firmware forgets it."""
        policy, treatment, settings = self._policy, self.treatment, self.settings
        session = treatment.backup.read()
        self._resuming = session.delivering and policy.resumes(cause, session)
        if self._resuming or policy.keeps_setting:
            settings.current, settings.polarity = session.current, session.polarity
        if self._resuming:
            return
        treatment.backup.write(settings, delivering=False)
        if policy.boot_current:
            sign = policy.sign(settings.polarity)
            self._port.set_boost(True)
            treatment.output.close(sign)
            treatment.drive(policy.boot_current * sign)

    # --- what it tells --------------------------------------------------------------------------

    @property
    def state(self) -> State:
        """State of the treatment."""
        return self.treatment.state

    @property
    def fault_code(self) -> str:
        """Why the treatment is in FAULT; empty otherwise."""
        return self.treatment.fault_code

    def reported_state(self) -> State:
        """State that it tells the host."""
        treatment = self.treatment
        return self._policy.reported(treatment.state, treatment.now - treatment.entered)

    def measured_current(self) -> float:
        """Magnitude of the current in A, by its own converter."""
        return self.treatment.converters.current()

    def measured_voltage(self) -> float:
        """Magnitude of the output voltage in V, by its own converter."""
        return self.treatment.converters.voltage()

    def impedance(self) -> float:
        """Measured voltage over measured current in ohm; infinite below 1 uA."""
        current = self.measured_current()
        measured = self.measured_voltage() / current if current >= 1e-6 else math.inf
        self._impedance = self._policy.impedance(measured, self._impedance)
        return self._impedance

    def charge(self) -> float:
        """Charge in C that it believes to have delivered in this treatment."""
        self.treatment.book()
        return self.treatment.account.charge

    def reported_polarity(self) -> Polarity:
        """Polarity of the treatment that it tells the host."""
        return self._policy.told_polarity(self.treatment.polarity)

    def reported_time(self) -> float:
        """Seconds that it tells the host: for which the output was on in this treatment."""
        self.treatment.book()
        return self._policy.told_time(self.treatment.account.time)

    def limited(self) -> bool:
        """Whether compliance keeps the current below its setting."""
        return self.treatment.limited()

    def reported_limit(self) -> bool:
        """Whether it tells the host so."""
        return self._policy.tells_limiting and self.limited()

    def shorted(self) -> bool:
        """Whether the load looks like a short while current flows."""
        return self.treatment.shorted()

    def self_test(self) -> bool:
        """Whether supply, comparator, calibration and converters are in order.

        Raises:
            Refused: the output is on.
        """
        if self.state.delivers or self.state is State.ARMED:
            self._refuse("self-test", "needs the output off")
        policy, treatment = self._policy, self.treatment
        sound = treatment.converters.calibrated or not policy.checks_calibration
        quiet = treatment.protection.quiet() or not policy.tests_sensor
        return sound and quiet and not self._port.comparator_tripped() and not self._battery_low()

    # --- settings -------------------------------------------------------------------------------

    def set_current(self, amperes: float) -> None:
        """Set the current; while delivering, ramp to it from the present value."""
        policy, settings, treatment = self._policy, self.settings, self.treatment
        amperes = policy.understood(amperes)
        before = settings.current
        if not policy.checks_first:
            settings.current = amperes
        if self.state is State.RAMP_DOWN:
            self._refuse("current", "is locked")
        delivering = self.state.delivers
        unset = amperes == 0 and not delivering and self.state is not State.ARMED
        if not unset and not policy.admits(amperes):
            if delivering and settings.current != before:
                treatment.change()
            raise settings.refuse_current(amperes)
        settings.current = amperes
        if delivering:
            if not policy.account_survives_change:
                treatment.account.charge = 0.0
            treatment.change()

    def set_polarity(self, polarity: Polarity) -> None:
        """Set the polarity; refused during a treatment."""
        if polarity is self.settings.polarity:
            return
        running = self.state in {State.RAMP_UP, State.HOLD}
        reverses = self._policy.reverses_while_delivering and running
        if not reverses:
            self._need_unlocked("polarity")
        self.settings.polarity = polarity
        if reverses:
            self.treatment.reverse()

    def set_dose(self, coulomb: float) -> None:
        """Set the charge at which a treatment ends; refused during a treatment."""
        self._need_unlocked("dose")
        self.settings.set_dose(coulomb)

    def set_ramp(self, seconds: float) -> None:
        """Set the time of a ramp up; refused during a treatment."""
        self._need_unlocked("ramp")
        self.settings.set_ramp(seconds)

    # --- commands -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin a treatment with a new dose account."""
        self._need_ready()
        if self.state not in {State.IDLE, State.DONE}:
            self._refuse("start", "needs state idle or done")
        if not self.settings.current:
            self._refuse("start", "needs a current to be set first")
        if not self.treatment.account.begin(self.settings.dose, self._policy):
            self._refuse("start", "would exceed the largest dose of all sessions since power-up")
        self.treatment.energise(Ramp.START)

    def resume(self) -> None:
        """Go on with a paused treatment."""
        self._need_ready()
        if self.state is not State.PAUSED:
            self._refuse("resume", "needs a paused treatment")
        if not self.settings.current:
            self._refuse("resume", "needs a current to be set first")
        if not self._policy.account_survives_pause:
            self.treatment.account.charge = 0.0
        self.treatment.energise(Ramp.RESUME)

    def pause(self) -> None:
        """Ramp down and keep the dose account."""
        if self.state not in {State.ARMED, State.RAMP_UP, State.HOLD}:
            self._refuse("pause", "needs a treatment that ramps up or holds")
        self.treatment.ramp_down(Ramp.PAUSE)

    def stop(self) -> None:
        """End the treatment by a ramp down; does nothing where there is none."""
        if self.state is State.RAMP_UP and not self._policy.stops_during_ramp:
            return
        if self.state is State.PAUSED:
            self.treatment.state = State.DONE
        elif self.state.delivers or self.state is State.ARMED:
            self.treatment.ramp_down(Ramp.STOP)

    def abort(self) -> None:
        """Open the output at once; a latched fault stays."""
        self.treatment.abort()

    def acknowledge(self) -> None:
        """Clear a latched fault; never energises."""
        self.treatment.acknowledge()

    def reset(self) -> None:
        """Abort and return to the settings of power-up; a latched fault stays."""
        self.abort()
        if self._policy.reset_clears_latch:
            self.acknowledge()
        self.settings.clear()

    def receive(self, message: bytes) -> bytes:
        """See `port.Firmware`."""
        if self.treatment.hung or (self._policy.storm and self._storms(message)):
            return b""
        self._heard = self.treatment.now
        reply = self.console.receive(self._policy.rewritten(message))
        return reply if isinstance(reply, bytes) else b""

    def _storms(self, message: bytes) -> bool:
        """Count a command of a treatment; whether too many have come for faulty firmware."""
        if b"TREAT" not in message.upper() or b"?" in message:
            return False
        now = self.treatment.now
        self._commands = [each for each in self._commands if each > now - STORM_TIME] + [now]
        self.treatment.hung = len(self._commands) > self._policy.storm
        return self.treatment.hung

    def _need_ready(self) -> None:
        wait = self.treatment.ready_at - self.treatment.now
        if wait > 1e-9:
            raise Refused(_SETTINGS_CONFLICT, f"self-test after power-up: ready in {wait:.3g} s")
        if self._battery_low():
            volts = self.treatment.converters.supply()
            raise Refused(
                _SETTINGS_CONFLICT,
                f"the supply is too low, {volts:.2f} V: nothing can be started below "
                f"{self._policy.low_battery} V",
            )
        if self._policy.checks_calibration and not self.treatment.converters.calibrated:
            raise Refused(_SELF_TEST_FAILED, "calibration constants have a wrong checksum")

    def _need_unlocked(self, what: str) -> None:
        if self.treatment.occupied and self._policy.locks(what):
            self._refuse(what, "is locked")

    def _refuse(self, what: str, why: str) -> NoReturn:
        code = self.fault_code
        fault = f" ({code}), acknowledge it first" if code else ""
        raise Refused(_SETTINGS_CONFLICT, f"{what} {why}; state is {self.state.value}{fault}")

    def _battery_low(self) -> bool:
        return self.treatment.converters.supply() < self._policy.low_battery

    # --- the loop -------------------------------------------------------------------------------

    def tick(self) -> None:
        """See `port.Firmware`."""
        treatment = self.treatment
        if treatment.hung:
            return
        self._port.kick()
        now = treatment.now
        treatment.tick(now)
        if treatment.restarts:
            self.boot(self._port, Reset.SOFTWARE)
            return
        self._supervise(now)
        treatment.watch_dose()
        treatment.sleep()

    def _supervise(self, now: float) -> None:
        """Look after supply, link, keys, and what was interrupted."""
        treatment = self.treatment
        if self._resuming and now >= treatment.ready_at:
            self._resuming = False
            treatment.energise(Ramp.RESUME)
        active = treatment.occupied
        if active and self._battery_low():
            treatment.latch("SUPPLY")
        timeout = self.settings.link_timeout
        silent = timeout and now > self._heard + timeout
        if active and silent and self._policy.heeds_link_timeout:
            treatment.latch("LINK")
        self._heed_keys(active=active)
        if treatment.state is State.FAULT:
            treatment.go_on(now)

    def _heed_keys(self, *, active: bool) -> None:
        pressed = self._port.keys()
        fresh = pressed & ~self._pressed
        self._pressed = pressed
        if pressed & Key.STOP and active:
            self.abort()
        elif fresh & Key.START or (pressed & Key.START and self._policy.starts_by_key()):
            self._start_by_key()

    def _start_by_key(self) -> None:
        """Start as the host would, at half the largest current if it has set none."""
        settings, before = self.settings, self.settings.current
        settings.current = before or self.profile.si("output.setpoint_max") / 2
        try:
            self.start()
        except Refused:  # the operator sees that nothing happens
            settings.current = before
