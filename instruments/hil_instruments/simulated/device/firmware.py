"""Reference firmware of the simulated stimulator: one implementation of the firmware port.

States: IDLE, ARMED (supply of the output comes up, bridge rests), RAMP_UP, HOLD, RAMP_DOWN, PAUSED,
DONE; FAULT latches. It looks every 25 ms in a ramp and every 5 ms where something may be wrong; in
a steady hold it sleeps until the watchdog wants its kick or a converter leaves its window.
"""

from __future__ import annotations

import math
import struct
from typing import NoReturn

from hil.device import DeviceProfile, Polarity, State
from hil_instruments.simulated.device.console import Console
from hil_instruments.simulated.device.converters import Converters
from hil_instruments.simulated.device.output import RAMP_TICK, Output
from hil_instruments.simulated.device.policy import Course, Policy, Ramp, Session
from hil_instruments.simulated.device.port import Key, Port, Reset
from hil_instruments.simulated.device.protection import Protection
from hil_instruments.simulated.device.refusal import Refused

TICK = 5e-3
"""Sampling period in s where something may go wrong."""
REST = 0.5
"""Longest sleep in s: half of the watchdog's time."""
SELF_TEST_TIME = 0.1
"""Seconds after power-up in which no treatment can begin."""
BOOST_TIME = 5e-3
"""Seconds from the output stage's supply coming on to a closed relay."""
WINDOW = 0.02
"""Relative change of a steady current that wakes the processor."""
PROBE_CURRENT = 5e-6
"""Current in A by which faulty firmware watches an open output for its load."""
STORM_TIME = 1.0
"""Seconds over which commands are counted."""
_BACKUP, _SESSION = 64, struct.Struct("<f?B?")
_ENOUGH = 2e-8  # C: a dose this close is reached; two counts of the coulomb counter
_LEAST_DOSE = 1e-3  # share of the largest dose that must be left for another treatment
_SETTINGS_CONFLICT, _OUT_OF_RANGE, _SELF_TEST_FAILED = -221, -222, -330
_DELIVERING = (State.RAMP_UP, State.HOLD, State.RAMP_DOWN)  # a tuple: asked at every tick
_OCCUPIED = (State.ARMED, *_DELIVERING, State.PAUSED)


class ReferenceFirmware:
    """Implements `port.Firmware`; the properties are for its console and for tests."""

    def __init__(self, profile: DeviceProfile, policy: Policy) -> None:
        """Be flashed; nothing runs before `boot`.

        Args:
            profile: figures that the device keeps.
            policy: decisions, healthy or faulty; may be replaced at any time.
        """
        self.policy = policy
        self.profile = profile
        self.console = Console(self, profile)

    # --- boot -----------------------------------------------------------------------------------

    def boot(self, port: Port, cause: Reset) -> None:
        """See `port.Firmware`."""
        self._port = port
        self._converters = Converters(port)
        self._output = Output(port, self._converters)
        self._protection = Protection(self.profile, self._converters)
        now = self.now
        self._state = State.IDLE
        self._entered = now
        self.fault_code = ""
        self._ready_at = now + SELF_TEST_TIME
        self._defaults()
        self._charge = self._total = 0.0
        self._first_start = True
        self._bridge: Polarity | None = None
        self._off_since = now
        self._pending: tuple[float, Ramp] | None = None
        self._purpose: Ramp | None = None
        self._aim = 0.0
        self._booked = now
        self._hung = False
        self._pressed = 0xFF
        self._heard = now
        self._commands: list[float] = []
        self._impedance: float | None = None
        self.console.power_on()
        self._restore(cause)
        port.kick()
        self._sleep()

    def _defaults(self) -> None:
        self._current = 0.0
        self._polarity = self.profile.polarity
        self._dose = self.profile.si("dose.maximum")
        self._ramp = self.profile.si("ramp.up_time")
        self._link_timeout = 0.0

    def _restore(self, cause: Reset) -> None:
        """Look at what a reset interrupted; healthy firmware forgets it."""
        current, negative, _, delivering = _SESSION.unpack(
            self._port.read_memory(_BACKUP, _SESSION.size)
        )
        polarity = Polarity.NEGATIVE if negative else Polarity.POSITIVE
        session = Session(current, polarity, delivering)
        self._resuming = delivering and self.policy.resumes(cause, session)
        if self._resuming:
            self._current, self._polarity = current, polarity
            return
        if self.policy.keeps_setting:
            self._current, self._polarity = current, polarity
        self._remember(delivering=False)
        if self.policy.boot_current:
            self._port.set_boost(True)
            self._output.close(self.policy.sign(self._polarity))
            self._drive(self.policy.boot_current * self.policy.sign(self._polarity))

    def _remember(self, *, delivering: bool) -> None:
        negative = self._polarity is Polarity.NEGATIVE
        session = _SESSION.pack(self._current, negative, 0, delivering)
        self._port.write_memory(_BACKUP, session)

    # --- what it knows --------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Seconds on its own clock."""
        return self.policy.clock(self._port.micros)

    @property
    def state(self) -> State:
        """State of the treatment."""
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        if state is not self._state:
            self._state, self._entered = state, self.now

    @property
    def current_setting(self) -> float:
        """Current in A; 0 after power-up."""
        return self._current

    @property
    def polarity(self) -> Polarity:
        """Polarity of this or the next treatment."""
        return self._polarity

    @property
    def dose_setting(self) -> float:
        """Charge in C at which a treatment ends."""
        return self._dose

    @property
    def ramp_setting(self) -> float:
        """Seconds from zero to the setting."""
        return self._ramp

    @property
    def link_timeout(self) -> float:
        """Seconds of a silent host after which a treatment ends; 0 for never."""
        return self._link_timeout

    def reported_state(self) -> State:
        """State that it tells the host."""
        return self.policy.reported(self._state, self.now - self._entered)

    def measured_current(self) -> float:
        """Magnitude of the current in A, by its own converter."""
        return self._converters.current()

    def measured_voltage(self) -> float:
        """Magnitude of the output voltage in V, by its own converter."""
        return self._converters.voltage()

    def impedance(self) -> float:
        """Measured voltage over measured current in ohm; infinite below 1 uA."""
        current = self.measured_current()
        measured = self.measured_voltage() / current if current >= 1e-6 else math.inf
        self._impedance = self.policy.impedance(measured, self._impedance)
        return self._impedance

    def charge(self) -> float:
        """Charge in C that it believes to have delivered in this treatment."""
        self._book()
        return self._charge

    def limited(self) -> bool:
        """Whether compliance keeps the current below its setting."""
        return self._output.energised and self._protection.limited(abs(self._output.command))

    def reported_limit(self) -> bool:
        """Whether it tells the host so."""
        return self.policy.tells_limiting and self.limited()

    def shorted(self) -> bool:
        """Whether the load looks like a short while current flows."""
        return self._output.energised and self._protection.shorted(self.policy)

    def self_test(self) -> bool:
        """Whether supply, comparator, calibration and converters are in order.

        Raises:
            Refused: the output is on.
        """
        if self._state.delivers or self._state is State.ARMED:
            self._refuse("self-test", "needs the output off")
        policy, port = self.policy, self._port
        sound = self._converters.calibrated or not policy.checks_calibration
        quiet = self._protection.quiet() or not policy.tests_sensor
        return sound and quiet and not port.comparator_tripped() and not self._battery_low()

    # --- settings -------------------------------------------------------------------------------

    def set_current(self, amperes: float) -> None:
        """Set the current; while delivering, ramp to it from the present value."""
        amperes = self.policy.understood(amperes)
        before = self._current
        if not self.policy.checks_first:
            self._current = amperes
        if self._state is State.RAMP_DOWN:
            self._refuse("current", "is locked")
        delivering = self._state.delivers
        unset = amperes == 0 and not delivering
        if not unset and not self.policy.admits(amperes):
            low, high, step = (
                self.profile[f"output.setpoint_{name}"] for name in ("min", "max", "step")
            )
            if delivering and self._current != before:
                self._go(Ramp.CHANGE)
            allowed = f"{low} to {high} in steps of {step}"
            raise Refused(_OUT_OF_RANGE, f"current {amperes * 1e3:.6g} mA; allowed: {allowed}")
        self._current = amperes
        if delivering and not self._pending:
            if not self.policy.account_survives_change:
                self._charge = 0.0
            self._go(Ramp.CHANGE)

    def set_polarity(self, polarity: Polarity) -> None:
        """Set the polarity; refused during a treatment."""
        if polarity is self._polarity:
            return
        reverses = self.policy.reverses_while_delivering and self._state in {
            State.RAMP_UP,
            State.HOLD,
        }
        if self._state in _OCCUPIED and not reverses and self.policy.locks("polarity"):
            self._refuse("polarity", "is locked")
        self._polarity = polarity
        if reverses and not self._pending:
            self._bridge = polarity
            self._go(Ramp.REVERSE)

    def set_dose(self, coulomb: float) -> None:
        """Set the charge at which a treatment ends; refused during a treatment."""
        if self._state in _OCCUPIED and self.policy.locks("dose"):
            self._refuse("dose", "is locked")
        largest = self.profile["dose.maximum"]
        if not 0 < coulomb <= float(largest.base) * (1 + 1e-9):
            raise Refused(
                _OUT_OF_RANGE,
                f"dose {coulomb / 0.06:.6g} mA*min; allowed: above 0, up to {largest}",
            )
        self._dose = coulomb

    def set_ramp(self, seconds: float) -> None:
        """Set the time of a ramp up; refused during a treatment."""
        if self._state in _OCCUPIED and self.policy.locks("ramp"):
            self._refuse("ramp", "is locked")
        shortest = self.profile.si("output.setpoint_max") / self.profile.si("ramp.up_slope")
        longest = 2 * self.profile.si("ramp.up_time")
        if not shortest * (1 - 1e-9) <= seconds <= longest:
            raise Refused(
                _OUT_OF_RANGE, f"ramp {seconds} s; allowed: {shortest:.6g} s to {longest:.6g} s"
            )
        self._ramp = seconds

    def set_link_timeout(self, seconds: float) -> None:
        """Set after how many seconds of silence a treatment ends; 0 for never."""
        if not (seconds == 0 or 1 <= seconds <= 3600):
            raise Refused(_OUT_OF_RANGE, f"timeout {seconds} s; allowed: 0, or 1 s to 3600 s")
        self._link_timeout = seconds

    # --- commands -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin a treatment with a new dose account."""
        self._need_ready()
        if self._state not in {State.IDLE, State.DONE}:
            self._refuse("start", "needs state idle or done")
        if not self._current:
            self._refuse("start", "needs a current to be set first")
        self._charge, before = 0.0, self._charge
        if self._target() <= _LEAST_DOSE * self.profile.si("dose.maximum"):
            self._charge = before
            self._refuse("start", "would exceed the largest dose of all sessions since power-up")
        self._energise(Ramp.START)

    def resume(self) -> None:
        """Go on with a paused treatment."""
        self._need_ready()
        if self._state is not State.PAUSED:
            self._refuse("resume", "needs a paused treatment")
        if not self._current:
            self._refuse("resume", "needs a current to be set first")
        if not self.policy.account_survives_pause:
            self._charge = 0.0
        self._energise(Ramp.RESUME)

    def pause(self) -> None:
        """Ramp down and keep the dose account."""
        if self._state not in {State.ARMED, State.RAMP_UP, State.HOLD}:
            self._refuse("pause", "needs a treatment that ramps up or holds")
        self._ramp_down(Ramp.PAUSE)

    def stop(self) -> None:
        """End the treatment by a ramp down; does nothing where there is none."""
        if self._state is State.RAMP_UP and not self.policy.stops_during_ramp:
            return
        if self._state is State.RAMP_DOWN:
            self._purpose = Ramp.STOP
        elif self._state is State.PAUSED:
            self.state = State.DONE
        elif self._state.delivers or self._state is State.ARMED:
            self._ramp_down(Ramp.STOP)

    def abort(self) -> None:
        """Open the output at once; a latched fault stays."""
        if self._state is not State.FAULT:
            self.state = State.IDLE
        self._shut_down()
        self._sleep()

    def acknowledge(self) -> None:
        """Clear a latched fault; never energises."""
        if self._state is State.FAULT:
            self._switch_off()
            self._port.clear_comparator()
            self.state = State.IDLE
            self.fault_code = ""
            self._sleep()

    def reset(self) -> None:
        """Abort and return to the settings of power-up; a latched fault stays."""
        self.abort()
        if self.policy.reset_clears_latch:
            self.acknowledge()
        self._defaults()

    def receive(self, message: bytes) -> bytes:
        """See `port.Firmware`."""
        if self._hung or (self.policy.storm and self._storms(message)):
            return b""
        self._heard = self.now
        reply = self.console.receive(self.policy.rewritten(message))
        return reply if isinstance(reply, bytes) else b""

    def _storms(self, message: bytes) -> bool:
        """Count a command of a treatment; whether too many have come for faulty firmware."""
        if b"TREAT" not in message.upper() or b"?" in message:
            return False
        now = self.now
        self._commands = [each for each in self._commands if each > now - STORM_TIME] + [now]
        self._hung = len(self._commands) > self.policy.storm
        return self._hung

    def _need_ready(self) -> None:
        if self.now < self._ready_at - 1e-9:
            wait = self._ready_at - self.now
            raise Refused(_SETTINGS_CONFLICT, f"self-test after power-up: ready in {wait:.3g} s")
        if self._battery_low():
            volts = self._converters.supply()
            raise Refused(
                _SETTINGS_CONFLICT,
                f"the supply is too low, {volts:.2f} V: nothing can be started below "
                f"{self.policy.low_battery} V",
            )
        if self.policy.checks_calibration and not self._converters.calibrated:
            raise Refused(_SELF_TEST_FAILED, "calibration constants have a wrong checksum")

    def _refuse(self, what: str, why: str) -> NoReturn:
        fault = f" ({self.fault_code}), acknowledge it first" if self.fault_code else ""
        raise Refused(_SETTINGS_CONFLICT, f"{what} {why}; state is {self._state.value}{fault}")

    def _battery_low(self) -> bool:
        return self._converters.supply() < self.policy.low_battery

    # --- the loop -------------------------------------------------------------------------------

    def tick(self) -> None:
        """See `port.Firmware`."""
        if self._hung:
            return
        self._port.kick()
        now = self.now
        if self._port.comparator_tripped() and self._state is not State.FAULT:
            self._latch("OVERCURRENT")
        self._follow(now)
        if self._output.energised and self._state in _DELIVERING:
            self._protect(now)
        self._supervise(now)
        if self._state in {State.HOLD, State.RAMP_UP} and self._remaining() <= _ENOUGH:
            self._purpose = None
            self._ramp_down(Ramp.DOSE, replan=False)
        self._sleep()

    def _sleep(self) -> None:
        """Say when to be called again, and what may happen before."""
        if self._hung:
            return
        now = self.now
        times = [now + REST]
        if now < self._ready_at:
            times.append(self._ready_at)
        if self._output.leg_end is not None:
            times.append(min(self._output.leg_end, now + RAMP_TICK))
        if self._pending:
            times.append(self._pending[0])
        delivering = self._output.energised and self._state in _DELIVERING
        if delivering:
            times.append(now + self._period())
        self._port.wake_in(max(math.ceil((min(times) - now) * 1e6 - 1e-3), 1))
        self._port.set_indicator(self.policy.indicates(on=self._output.energised))
        if delivering and self._output.leg_end is None:
            self._converters.watch(*self._protection.windows(self.policy, WINDOW))
        else:
            self._converters.watch_nothing()

    def _period(self) -> float:
        """Seconds until the protections must look again by themselves."""
        if self._protection.suspicious:
            return TICK
        if self._output.leg_end is not None:
            return RAMP_TICK
        counted = self.policy.counted(self.measured_current(), abs(self._output.command))
        rate = counted * (1 + WINDOW)
        return max(self._remaining() / rate, 1e-3) if rate > 0 else math.inf

    def _protect(self, now: float) -> None:
        if self.policy.masks_second_fault and self.shorted():
            return
        if code := self._protection.judge(now, self.policy):
            self._latch(code)

    def _latch(self, code: str) -> None:
        self.state = State.FAULT
        self.fault_code = code
        self._pending = None
        if code == "OVERCURRENT" and self.policy.hangs_on_fault:
            self._hung = True
            return
        if code == "OPEN" and self.policy.rearms:
            self._halt()
            self._drive(math.copysign(PROBE_CURRENT, self._aim))
        else:
            self._shut_down(code)

    def _supervise(self, now: float) -> None:
        """Supply, link, keys, and what only faulty firmware does in a latched fault."""
        if self._resuming and now >= self._ready_at:
            self._resuming = False
            self._energise(Ramp.RESUME)
        active = self._state in _OCCUPIED
        if active and self._battery_low():
            self._latch("SUPPLY")
        silent = self._link_timeout and now > self._heard + self._link_timeout
        if active and silent and self.policy.heeds_link_timeout:
            self._latch("LINK")
        pressed = self._port.keys()
        fresh = pressed & ~self._pressed
        self._pressed = pressed
        if pressed & Key.STOP and active:
            self.abort()
        elif fresh & Key.START or (pressed & Key.START and self.policy.starts_by_key()):
            self._start_by_key()
        if self._state is State.FAULT:
            self._forget_fault(now)

    def _start_by_key(self) -> None:
        if self._state in {State.IDLE, State.DONE} and self.now >= self._ready_at:
            self._current = self._current or self.profile.si("output.setpoint_max") / 2
            self._charge = 0.0
            self._energise(Ramp.START)

    def _forget_fault(self, now: float) -> None:
        policy = self.policy
        if now > self._entered + policy.latch_time:
            self._port.clear_comparator()
            self.fault_code = ""
            self._energise(Ramp.RESUME)
        armed = policy.rearms and self._output.energised and self._output.leg_end is None
        if armed and self._protection.connected():
            self.fault_code = ""
            self.state = State.RAMP_UP
            self._begin(Ramp.RESUME, self._signed_setting())

    # --- the dose -------------------------------------------------------------------------------

    def _book(self) -> None:
        """Add what has flowed since the last booking to the dose account."""
        now, measured = self.now, self._converters.charge()
        if self._output.energised:
            commanded = abs(self._output.commanded((self._booked + now) / 2)) * (now - self._booked)
            increment = self.policy.counted(measured, commanded)
            self._charge = self.policy.accumulate(self._charge, increment)
            self._total += increment
        self._booked = now

    def _target(self) -> float:
        """Charge in C that this treatment may still deliver, of its dose and of all sessions."""
        if not self.policy.limits_sessions:
            return self._dose
        return min(self._dose, self.profile.si("dose.maximum") - self._total + self._charge)

    def _remaining(self) -> float:
        """Charge in C that may still flow before the ramp down of a full dose must begin.

        Far from the end it is a lower bound, so that most calls need no shape of the ramp.
        """
        charge = self.charge()
        begin, left = self._present(), self._target() - charge
        bound = 2 * abs(begin) * self.profile.si("ramp.down_time")  # twice the longest ramp's
        if left > bound + _ENOUGH:
            return left - bound
        value = begin
        for leg in self.policy.legs(self._course(Ramp.DOSE, begin, 0.0)):
            left -= abs(value + leg.target) / 2 * leg.duration
            value = leg.target
        return left

    # --- the output -----------------------------------------------------------------------------

    def _signed_setting(self) -> float:
        return self._current * self.policy.sign(self._polarity)

    def _present(self) -> float:
        """Signed current from which a ramp begins: what flows, where compliance limits it."""
        command = self._output.command
        if not self.limited():
            return command
        return math.copysign(min(abs(command), self.measured_current()), command)

    def _energise(self, ramp: Ramp) -> None:
        """Bring up the output's supply; close the relay after it, and after the bridge's dwell."""
        turns = self._bridge is not None and self._bridge is not self._polarity
        dwell = self.profile.si("polarity.dwell") + TICK if turns else 0.0
        self.state = State.ARMED
        self._port.set_boost(True)
        self._pending = (max(self._off_since + dwell, self.now + BOOST_TIME), ramp)
        self._remember(delivering=True)
        self._sleep()

    def _go(self, ramp: Ramp) -> None:
        self.state = State.RAMP_UP
        self._begin(ramp, self._signed_setting())
        self._sleep()

    def _ramp_down(self, ramp: Ramp, *, replan: bool = True) -> None:
        if self._pending:
            self._pending = None
            self._finish(ramp)
        else:
            self.state = State.RAMP_DOWN
            self._begin(ramp, 0.0)
        if replan:
            self._sleep()

    def _course(self, ramp: Ramp, begin: float, end: float) -> Course:
        time = self.profile.si("ramp.down_time") if ramp.ends_at_zero else self._ramp
        highest = max(self._current, abs(begin), abs(end), 1e-9)
        return Course(ramp, begin, end, highest / time, self._aim, self._first_start)

    def _begin(self, ramp: Ramp, end: float) -> None:
        course = self._course(ramp, self._present(), end)
        self._book()
        self._purpose = ramp
        self._output.follow(course.begin, self.policy.legs(course), self.now)
        self._aim = end
        if ramp is Ramp.START:
            self._first_start = False
        self._follow(self.now)

    def _drive(self, current: float) -> None:
        self._book()
        self._output.drive(current, self.now)

    def _follow(self, now: float) -> None:
        """Carry on with what was begun: close the relay, step along the ramp, arrive."""
        if self._pending and now >= self._pending[0]:
            ramp = self._pending[1]
            self._pending = None
            self._book()
            self._bridge = self._polarity
            self._output.close(-1 if self._signed_setting() < 0 else 1)
            self.state = State.RAMP_UP
            self._begin(ramp, self._signed_setting())
            return
        if self._output.leg_end is None:
            return
        if self._purpose and self.policy.restarts(self._purpose, self._output.share(now)):
            self.boot(self._port, Reset.SOFTWARE)
            return
        self._book()
        if self._output.step(now):
            self._arrive()

    def _arrive(self) -> None:
        purpose, self._purpose = self._purpose, None
        if purpose is None:
            if self._state is not State.DONE:  # after a stop, only faulty firmware comes here
                self._switch_off()
        elif purpose.ends_at_zero:
            self._finish(purpose)
        else:
            self.state = State.HOLD

    def _finish(self, ramp: Ramp) -> None:
        """Be paused or done, with the output off."""
        self.state = State.PAUSED if ramp is Ramp.PAUSE else State.DONE
        afterwards = () if ramp is Ramp.PAUSE else self.policy.afterwards(self._signed_setting())
        if afterwards and self._output.energised:
            self._purpose = None
            self._output.follow(self._output.command, afterwards, self.now)
        else:
            self._switch_off()

    def _shut_down(self, cause: str = "") -> None:
        """Stop at once: relay open, current zero."""
        self._pending = None
        legs = self.policy.shutdown(self._present(), cause) if self._output.energised else ()
        if legs:
            self._book()
            self._purpose = None
            self._output.follow(self._output.command, legs, self.now)
        else:
            self._switch_off()

    def _halt(self) -> None:
        self._output.halt()
        self._purpose = None
        self._protection.forget()

    def _switch_off(self) -> None:
        self._halt()
        self._book()
        if self._output.energised:
            self._off_since = self.now
        self._output.open()
        self._remember(delivering=False)
