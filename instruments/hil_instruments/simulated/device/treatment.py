"""The treatment: its states, its ramps, its dose, and the stops of its protections.

States: IDLE, ARMED (supply of the output comes up, bridge rests), RAMP_UP, HOLD, RAMP_DOWN, PAUSED,
DONE; FAULT latches. It looks every 25 ms in a ramp and every 5 ms where something may be wrong; in
a steady hold it sleeps until the watchdog wants its kick or a converter leaves its window.
"""

from __future__ import annotations

import math
from dataclasses import replace

from hil.device import DeviceProfile, Polarity, State
from hil_instruments.simulated.device.account import ENOUGH, Account
from hil_instruments.simulated.device.backup import Backup
from hil_instruments.simulated.device.converters import Converters
from hil_instruments.simulated.device.output import RAMP_TICK, Output
from hil_instruments.simulated.device.policy import Course, Policy, Ramp
from hil_instruments.simulated.device.port import Port
from hil_instruments.simulated.device.protection import Protection
from hil_instruments.simulated.device.settings import Settings

TICK = 5e-3
"""Sampling period in s where something may go wrong."""
REST = 0.5
"""Longest sleep in s: half of the watchdog's time."""
BOOST_TIME = 5e-3
"""Seconds from the output stage's supply coming on to a closed relay."""
WINDOW = 0.02
"""Relative change of a steady current that wakes the processor."""
PROBE_CURRENT = 5e-6
"""Current in A by which faulty firmware watches an open output for its load."""
_DELIVERING = (State.RAMP_UP, State.HOLD, State.RAMP_DOWN)  # a tuple: asked at every tick
_OCCUPIED = (State.ARMED, *_DELIVERING, State.PAUSED)


class Treatment:
    """Drives the output; obeys only commands that the firmware has admitted."""

    def __init__(
        self, profile: DeviceProfile, settings: Settings, policy: Policy, port: Port
    ) -> None:
        """Begin idle, output off.

        Args:
            profile: figures that the device keeps.
            settings: what the host has set.
            policy: decisions; may be replaced at any time.
            port: the hardware.
        """
        self.profile, self.settings, self.policy = profile, settings, policy
        self._port = port
        self.converters = Converters(port)
        self.output = Output(port, self.converters)
        self.protection = Protection(profile, self.converters)
        self.account = Account(profile, self.converters, self.output)
        self.backup = Backup(port)
        self.ready_at = 0.0
        """Time in s before which no treatment can begin: the self-test runs."""
        self.fault_code = ""
        """Why it is in FAULT; empty otherwise."""
        self.hung = False
        """Whether the processor stands still: faulty firmware alone."""
        self.restarts = False
        """Whether the processor resets itself now: faulty firmware alone."""
        self._state = State.IDLE
        self.entered = self._off_since = self.now
        """Time in s since which the state is what it is."""
        self._first_start = True
        self._bridge: Polarity | None = None
        self._pending: tuple[float, Ramp] | None = None
        self._purpose: Ramp | None = None
        self._aim = 0.0

    # --- what it knows --------------------------------------------------------------------------

    @property
    def now(self) -> float:
        """Seconds on the firmware's clock."""
        return self.policy.clock(self._port.micros)

    @property
    def state(self) -> State:
        """Where it stands."""
        return self._state

    @state.setter
    def state(self, state: State) -> None:
        if state is not self._state:
            self._state, self.entered = state, self.now

    @property
    def occupied(self) -> bool:
        """Whether a treatment is under way, also a paused one."""
        return self._state in _OCCUPIED

    def limited(self) -> bool:
        """Whether compliance keeps the current below its setting."""
        return self.output.energised and self.protection.limited(abs(self.output.command))

    def shorted(self) -> bool:
        """Whether the load looks like a short while current flows."""
        return self.output.energised and self.protection.shorted(self.policy)

    def book(self) -> None:
        """Bring the dose account up to now."""
        self.account.book(self.now, self.policy)

    @property
    def polarity(self) -> Polarity:
        """Of the output: that with which it was last closed, else the one that is set."""
        return self._bridge or self.settings.polarity

    # --- commands -------------------------------------------------------------------------------

    def energise(self, ramp: Ramp) -> None:
        """Bring up the output's supply; close the relay after it, and after the bridge's dwell."""
        turns = self._bridge is not None and self._bridge is not self.settings.polarity
        dwell = self.profile.si("polarity.dwell") + TICK if turns else 0.0
        self.state = State.ARMED
        self._port.set_boost(True)
        self._pending = (max(self._off_since + dwell, self.now + BOOST_TIME), ramp)
        self.backup.write(self.settings, delivering=True)
        self.sleep()

    def change(self) -> None:
        """Ramp to a new setting, unless the output has not come up yet."""
        if not self._pending:
            self._go(Ramp.CHANGE)

    def reverse(self) -> None:
        """Ramp to the other polarity under current: faulty firmware alone."""
        if not self._pending:
            self._bridge = self.settings.polarity
            self._go(Ramp.REVERSE)

    def ramp_down(self, ramp: Ramp) -> None:
        """End or pause by a ramp; a ramp down under way only takes the new purpose."""
        if self._state is State.RAMP_DOWN:
            self._purpose = ramp
            return
        self._descend(ramp)
        self.sleep()

    def abort(self) -> None:
        """Open the output at once; a latched fault stays."""
        if self._state is not State.FAULT:
            self.state = State.IDLE
        self._shut_down("")
        self.sleep()

    def acknowledge(self) -> None:
        """Clear a latched fault; never energises."""
        if self._state is State.FAULT:
            self._switch_off()
            self._port.clear_comparator()
            self.state = State.IDLE
            self.fault_code = ""
            self.sleep()

    def latch(self, code: str) -> None:
        """Stop at once by a fault, and stay so until it is acknowledged."""
        self.state = State.FAULT
        self.fault_code = code
        self._pending = None
        if code == "OVERCURRENT" and self.policy.hangs_on_fault:
            self.hung = True
        elif code == "OPEN" and self.policy.rearms:
            self._halt()
            self.drive(math.copysign(PROBE_CURRENT, self._aim))
        else:
            self._shut_down(code)

    def drive(self, current: float) -> None:
        """Command a signed current in A at once: faulty firmware alone does so with a load on."""
        self.book()
        self.output.drive(current, self.now)

    def _go(self, ramp: Ramp) -> None:
        self.state = State.RAMP_UP
        self._begin(ramp, self.settings.signed(self.policy))
        self.sleep()

    # --- the loop -------------------------------------------------------------------------------

    def tick(self, now: float) -> None:
        """Carry on at `now`; ends in `sleep` by the firmware."""
        if self._port.comparator_tripped() and self._state is not State.FAULT:
            self.latch("OVERCURRENT")
        self._follow(now)
        if self.output.energised and self._state in _DELIVERING:
            self._protect(now)

    def watch_dose(self) -> None:
        """Begin the ramp down that ends at the dose, when it is time."""
        if self._state in {State.HOLD, State.RAMP_UP} and self._remaining() <= ENOUGH:
            self._purpose = None
            self._descend(Ramp.DOSE)

    def go_on(self, now: float) -> None:
        """What only faulty firmware does in a latched fault: forget it, or deliver again."""
        policy = self.policy
        if now > self.entered + policy.latch_time:
            self._port.clear_comparator()
            self.fault_code = ""
            self.energise(Ramp.RESUME)
        armed = policy.rearms and self.output.energised and self.output.leg_end is None
        if armed and self.protection.connected():
            self.fault_code = ""
            self.state = State.RAMP_UP
            self._begin(Ramp.RESUME, self.settings.signed(policy))

    def sleep(self) -> None:
        """Say when to be called again, and what may happen before."""
        if self.hung:
            return
        now = self.now
        times = [now + REST]
        if now < self.ready_at:
            times.append(self.ready_at)
        if self.output.leg_end is not None:
            times.append(min(self.output.leg_end, now + RAMP_TICK))
        if self._pending:
            times.append(self._pending[0])
        delivering = self.output.energised and self._state in _DELIVERING
        if delivering:
            times.append(now + self._period())
        self._port.wake_in(max(math.ceil((min(times) - now) * 1e6 - 1e-3), 1))
        self._port.set_indicator(self.policy.indicates(on=self.output.energised))
        if delivering and self.output.leg_end is None:
            self.converters.watch(*self.protection.windows(self.policy, WINDOW))
        else:
            self.converters.watch_nothing()

    def _period(self) -> float:
        """Seconds until the protections must look again by themselves."""
        if self.protection.suspicious:
            return TICK
        if self.output.leg_end is not None:
            return RAMP_TICK
        counted = self.policy.counted(self.converters.current(), abs(self.output.command))
        rate = counted * (1 + WINDOW)
        return max(self._remaining() / rate, 1e-3) if rate > 0 else math.inf

    def _protect(self, now: float) -> None:
        if self.policy.masks_second_fault and self.shorted():
            return
        if code := self.protection.judge(now, self.policy):
            self.latch(code)

    def _remaining(self) -> float:
        """Charge in C that may still flow before the ramp down of a full dose must begin.

        Far from the end it is a lower bound, so that most calls need no shape of the ramp.
        """
        self.book()
        account, begin = self.account, self._present()
        target = account.target(self.settings.dose, self.policy)
        if (far := account.far_from(target, begin)) > ENOUGH:
            return far
        legs = self.policy.legs(self._course(Ramp.DOSE, begin, 0.0))
        return target - account.charge - account.of_legs(legs, begin)

    # --- the output -----------------------------------------------------------------------------

    def _present(self) -> float:
        """Signed current from which a ramp begins: what flows, where compliance limits it."""
        command = self.output.command
        if not self.limited():
            return command
        return math.copysign(min(abs(command), self.converters.current()), command)

    def _course(self, ramp: Ramp, begin: float, end: float) -> Course:
        time = self.profile.si("ramp.down_time") if ramp.ends_at_zero else self.settings.ramp
        highest = max(self.settings.current, abs(begin), abs(end), 1e-9)
        return Course(ramp, begin, end, highest / time, self._aim, self._first_start)

    def _begin(self, ramp: Ramp, end: float) -> None:
        self.book()
        course = self._within_dose(self._course(ramp, self._present(), end))
        self._purpose = ramp
        self.output.follow(course.begin, self.policy.legs(course), self.now)
        self._aim = end
        if ramp is Ramp.START:
            self._first_start = False
        self._follow(self.now)

    def _within_dose(self, course: Course) -> Course:
        """Make a ramp to zero steeper where it would exceed the dose: the setting was lowered."""
        if not course.ramp.ends_at_zero:
            return course
        left = self.account.target(self.settings.dose, self.policy) - self.account.charge
        needed = course.begin**2 / (2 * max(left, ENOUGH))
        steepest = self.profile.si("output.setpoint_max") / self.profile.si("ramp.down_time")
        return replace(course, slope=max(course.slope, min(needed, steepest)))

    def _descend(self, ramp: Ramp) -> None:
        if self._pending:
            self._pending = None
            self._finish(ramp)
        else:
            self.state = State.RAMP_DOWN
            self._begin(ramp, 0.0)

    def _follow(self, now: float) -> None:
        """Carry on with what was begun: close the relay, step along the ramp, arrive."""
        if self._pending and now >= self._pending[0]:
            self._close(self._pending[1])
            return
        if self.output.leg_end is None:
            return
        if self._purpose and self.policy.restarts(self._purpose, self.output.share(now)):
            self.restarts = True
            return
        self.book()
        if self.output.step(now):
            self._arrive()

    def _close(self, ramp: Ramp) -> None:
        """Close the relay, and begin what waited for it."""
        self._pending = None
        self.book()
        self._bridge = self.settings.polarity
        signed = self.settings.signed(self.policy)
        self.output.close(-1 if signed < 0 else 1)
        self.state = State.RAMP_UP
        self._begin(ramp, signed)

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
        signed = self.settings.signed(self.policy)
        afterwards = () if ramp is Ramp.PAUSE else self.policy.afterwards(signed)
        if afterwards and self.output.energised:
            self._purpose = None
            self.output.follow(self.output.command, afterwards, self.now)
        else:
            self._switch_off()

    def _shut_down(self, cause: str) -> None:
        """Stop at once: relay open, current zero."""
        self._pending = None
        legs = self.policy.shutdown(self._present(), cause) if self.output.energised else ()
        if legs:
            self.book()
            self._purpose = None
            self.output.follow(self.output.command, legs, self.now)
        else:
            self._switch_off()

    def _halt(self) -> None:
        self.output.halt()
        self._purpose = None
        self.protection.forget()

    def _switch_off(self) -> None:
        self._halt()
        self.book()
        if self.output.energised:
            self._off_since = self.now
        self.output.open()
        self.backup.write(self.settings, delivering=False)
