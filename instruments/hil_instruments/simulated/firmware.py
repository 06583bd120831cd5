"""Reference firmware of the simulated stimulator, and the device that it makes with its circuit.

`update(now)` acts and says when it wants to be called next. It samples every 5 ms where something
may go wrong, every 25 ms in a ramp, and not at all while output and load are settled: then only
an event of the circuit can change anything, and the charge is known exactly without samples.
"""

from __future__ import annotations

import math
import random
from collections import deque
from typing import NoReturn

from hil.bench import BenchDescription
from hil.device import DeviceProfile, Polarity, State
from hil.errors import UsageError
from hil_instruments.simulated.circuit import Circuit
from hil_instruments.simulated.faults import Course, Leg, Policy, Ramp, seeded

TICK = 5e-3
"""Sampling period in s where something may go wrong."""
RAMP_TICK = 25e-3
"""Sampling period in s during a ramp in which nothing looks wrong."""
OVERCURRENT_TIME = 10e-3
"""Seconds for which the measured current may exceed the software limit."""
SELF_TEST_TIME = 0.1
"""Seconds after power-up in which no treatment can begin."""
ADC_STEP = 1e-6
"""Resolution of the device's own ammeter in A."""
ADC_ERROR = 5e-4
"""Largest relative error of the device's own converters."""
PROBE_CURRENT = 5e-6
"""Current in A by which faulty firmware watches an open output for its load."""
_OPEN_MARGIN = 0.95  # share of the declared open resistance at which the device calls a load open
_OPEN_VOLTAGE_SHARE = 1 / 8  # of compliance; below it a resistance is too coarse to judge
_ENOUGH = 1e-8  # C: a dose this close is reached
_SETTINGS_CONFLICT, _OUT_OF_RANGE = -221, -222
_DELIVERING = (State.RAMP_UP, State.HOLD, State.RAMP_DOWN)  # a tuple: asked at every tick
_OCCUPIED = (*_DELIVERING, State.PAUSED)


class Refused(Exception):
    """The device does not do what it was told; nothing was changed.

    Attributes:
        code: SCPI error code, as -221.
        text: what was asked, what is the matter, what is allowed.
    """

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"{code}, {text}")
        self.code = code
        self.text = text


class Firmware:
    """State machine IDLE, RAMP_UP, HOLD, (RAMP_DOWN, PAUSED), RAMP_DOWN, DONE; FAULT latches."""

    def __init__(self, profile: DeviceProfile, circuit: Circuit, policy: Policy, seed: int) -> None:
        """Boot at the circuit's `now`.

        Args:
            profile: figures that the device keeps.
            circuit: hardware that it drives.
            policy: decisions, healthy or faulty.
            seed: decides the error of the converters.
        """
        self.circuit = circuit
        self._profile = profile
        self._policy = policy
        gains = random.Random(seed)
        self._current_gain = circuit.stage.sense * (1 + gains.uniform(-ADC_ERROR, ADC_ERROR))
        self._voltage_gain = 1 + gains.uniform(-ADC_ERROR, ADC_ERROR)
        self._down_time = profile.si("ramp.down_time")
        self._open_resistance = _OPEN_MARGIN * profile.si("protection.open_resistance")
        self._open_voltage = _OPEN_VOLTAGE_SHARE * profile.si("output.compliance")
        self._bridge: Polarity | None = None  # as left by the last delivery; survives power loss
        self._boot()

    def _boot(self) -> None:
        now = self.circuit.now
        self.state = State.IDLE
        self.fault_code = ""
        self.wake: float | None = now + SELF_TEST_TIME
        self._ready_at = now + SELF_TEST_TIME
        self._defaults()
        self._charge = 0.0
        self._first_start = True
        self._off_since = now
        self._pending: tuple[float, Ramp] | None = None
        self._program: deque[Leg] = deque()
        self._purpose: Ramp | None = None
        self._aim = 0.0
        self._line = (now, 0.0, 0.0)
        self._leg: tuple[float, float] | None = None
        self._booked = (now, self.circuit.charge())
        self._energised = False
        self._over_since: float | None = None
        self._open_since: float | None = None

    def _defaults(self) -> None:
        self._current = 0.0
        self._polarity = self._profile.polarity
        self._dose = self._profile.si("dose.maximum")
        self._ramp = self._profile.si("ramp.up_time")

    # --- settings -------------------------------------------------------------------------------

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

    def set_current(self, amperes: float) -> None:
        """Set the current; while delivering, ramp to it from the present value."""
        self._need_supply()
        if self.state is State.RAMP_DOWN:
            self._refuse("current", "is locked")
        delivering = self.state.delivers
        low, high, step = (
            self._profile[f"output.setpoint_{name}"] for name in ("min", "max", "step")
        )
        steps = amperes / float(step.base)
        inside = float(low.base) * (1 - 1e-9) <= amperes <= float(high.base) * (1 + 1e-9)
        unset = amperes == 0 and not delivering
        if not unset and not (inside and abs(steps - round(steps)) < 1e-6):
            raise Refused(
                _OUT_OF_RANGE,
                f"current {amperes * 1e3:.6g} mA; allowed: {low} to {high} in steps of {step}",
            )
        self._current = amperes
        if delivering and not self._pending:
            self._go(Ramp.CHANGE)

    def set_polarity(self, polarity: Polarity) -> None:
        """Set the polarity; refused during a treatment."""
        self._need_supply()
        if polarity is self._polarity:
            return
        reverses = self._policy.reverses_while_delivering and self.state in {
            State.RAMP_UP,
            State.HOLD,
        }
        if self.state in _OCCUPIED and not reverses:
            self._refuse("polarity", "is locked")
        self._polarity = polarity
        if reverses and not self._pending:
            self._bridge = polarity
            self._go(Ramp.REVERSE)

    def set_dose(self, coulomb: float) -> None:
        """Set the charge at which a treatment ends; refused during a treatment."""
        self._need_supply()
        if self.state in _OCCUPIED:
            self._refuse("dose", "is locked")
        largest = self._profile["dose.maximum"]
        if not 0 < coulomb <= float(largest.base) * (1 + 1e-9):
            raise Refused(
                _OUT_OF_RANGE,
                f"dose {coulomb / 0.06:.6g} mA*min; allowed: above 0, up to {largest}",
            )
        self._dose = coulomb

    def set_ramp(self, seconds: float) -> None:
        """Set the time of a ramp up; refused during a treatment."""
        self._need_supply()
        if self.state in _OCCUPIED:
            self._refuse("ramp", "is locked")
        steepest = self._profile.si("ramp.up_slope")
        shortest = self._profile.si("output.setpoint_max") / steepest
        longest = 2 * self._profile.si("ramp.up_time")
        if not shortest * (1 - 1e-9) <= seconds <= longest:
            raise Refused(
                _OUT_OF_RANGE, f"ramp {seconds} s; allowed: {shortest:.6g} s to {longest:.6g} s"
            )
        self._ramp = seconds

    # --- commands -------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin a treatment with a new dose account."""
        self._need_ready()
        if self.state not in {State.IDLE, State.DONE}:
            self._refuse("start", "needs state idle or done")
        if not self._current:
            self._refuse("start", "needs a current to be set first")
        self._charge = 0.0
        self._energise(Ramp.START)

    def resume(self) -> None:
        """Go on with a paused treatment."""
        self._need_ready()
        if self.state is not State.PAUSED:
            self._refuse("resume", "needs a paused treatment")
        if not self._current:
            self._refuse("resume", "needs a current to be set first")
        if not self._policy.account_survives_pause:
            self._charge = 0.0
        self._energise(Ramp.RESUME)

    def pause(self) -> None:
        """Ramp down and keep the dose account."""
        self._need_supply()
        if self.state not in {State.RAMP_UP, State.HOLD}:
            self._refuse("pause", "needs a treatment that ramps up or holds")
        self._ramp_down(Ramp.PAUSE)

    def stop(self) -> None:
        """End the treatment by a ramp down; does nothing where there is none."""
        if self.state is State.RAMP_DOWN:
            self._purpose = Ramp.STOP
        elif self.state is State.PAUSED:
            self.state = State.DONE
        elif self.state.delivers:
            self._ramp_down(Ramp.STOP)

    def abort(self) -> None:
        """Open the output at once; a latched fault stays."""
        if self.state is not State.FAULT:
            self.state = State.IDLE
        self._shut_down()

    def acknowledge(self) -> None:
        """Clear a latched fault; never energises."""
        if self.state is State.FAULT:
            self._switch_off()
            self.circuit.clear_trip()
            self.state = State.IDLE
            self.fault_code = ""
            self._replan()

    def reset(self) -> None:
        """Abort and return to the settings of power-up; a latched fault stays."""
        self.abort()
        self._defaults()

    # --- readings -------------------------------------------------------------------------------

    def measured_current(self) -> float:
        """Magnitude of the current in A, as the device's own converter sees it."""
        return round(self._sensed_current() / ADC_STEP) * ADC_STEP

    def measured_voltage(self) -> float:
        """Magnitude of the output voltage in V, as the device's own converter sees it."""
        return abs(self.circuit.voltage()) * self._voltage_gain

    def impedance(self) -> float:
        """Measured voltage over measured current in ohm; infinite below 1 uA."""
        current = self.measured_current()
        return self.measured_voltage() / current if current else math.inf

    def charge(self) -> float:
        """Charge in C that the device believes to have delivered in this treatment."""
        self._book()
        return self._charge

    def self_test(self) -> bool:
        """Whether supply, comparator and converters are in order; refused while delivering."""
        self._need_supply()
        if self.state.delivers:
            self._refuse("self-test", "needs the output off")
        return not self.circuit.tripped and self.measured_voltage() < self._open_voltage

    @property
    def limited(self) -> bool:
        """Whether compliance keeps the current below its setting."""
        return self._energised and self.circuit.limited

    def _need_supply(self) -> None:
        if not self.circuit.powered:
            raise Refused(
                _SETTINGS_CONFLICT, "the supply is too low: nothing can be set or started"
            )

    def _need_ready(self) -> None:
        self._need_supply()
        if self.circuit.now < self._ready_at:
            wait = self._ready_at - self.circuit.now
            raise Refused(_SETTINGS_CONFLICT, f"self-test after power-up: ready in {wait:.3g} s")

    def _refuse(self, what: str, why: str) -> NoReturn:
        fault = f" ({self.fault_code}), acknowledge it first" if self.fault_code else ""
        raise Refused(_SETTINGS_CONFLICT, f"{what} {why}; state is {self.state.value}{fault}")

    def _sensed_current(self) -> float:
        return abs(self.circuit.current()) * self._current_gain

    # --- the loop -------------------------------------------------------------------------------

    def update(self, now: float) -> float | None:
        """Act at `now`, the circuit's time.

        Returns:
            Bench time in s of the next call; None: only when something happens.
        """
        if not self.circuit.powered:
            return None
        if now < self._ready_at:
            return self._ready_at
        if self.circuit.tripped and self.state is not State.FAULT:
            self._latch("OVERCURRENT")
        self._follow(now)
        if self._energised and self.state in _DELIVERING:
            self._protect(now)
        self._rearm()
        counting = self.state is State.HOLD or self.state is State.RAMP_UP
        if counting and self._remaining() <= _ENOUGH:
            self._purpose = None
            self._ramp_down(Ramp.DOSE, replan=False)
        return self._next_call(now)

    def _replan(self) -> None:
        self.wake = self.update(self.circuit.now)

    def _next_call(self, now: float) -> float | None:
        times = []
        if self._leg:
            times.append(self._leg[0])
        if self._pending:
            times.append(self._pending[0])
        if self._energised and self.state in _DELIVERING:
            times.append(now + self._period())
        return min(times, default=None)

    def _period(self) -> float:
        """Seconds until the protections must look again."""
        if self._open_since is not None or self._over_since is not None:
            return TICK
        if self._leg:
            return RAMP_TICK
        if not self.circuit.settled:
            return TICK
        rate = self._policy.counted(self._sensed_current(), abs(self._line[1]))
        return max(self._remaining() / rate, 1e-6) if rate > 0 else math.inf

    def _protect(self, now: float) -> None:
        current, voltage = self._sensed_current(), self.measured_voltage()
        policy = self._policy
        over = current > policy.current_limit
        self._over_since = (self._over_since or now) if over else None
        looks_open = voltage > self._open_voltage and voltage > self._open_resistance * current
        watched = looks_open and policy.open_time < math.inf
        self._open_since = (self._open_since or now) if watched else None
        if self._over_since is not None and now >= self._over_since + OVERCURRENT_TIME - 1e-9:
            self._latch("OVERCURRENT")
        elif self._open_since is not None and now >= self._open_since + policy.open_time - 1e-9:
            self._latch("OPEN")

    def _latch(self, code: str) -> None:
        self.state = State.FAULT
        self.fault_code = code
        self._pending = None
        if code == "OPEN" and self._policy.rearms:
            self._halt()
            self._drive(math.copysign(PROBE_CURRENT, self._aim))
        else:
            self._shut_down(replan=False)

    def _rearm(self) -> None:
        """Go on after an open load: only faulty firmware keeps its output armed."""
        armed = self._policy.rearms and self._energised and self.state is State.FAULT
        if armed and not self._leg and self.measured_voltage() < self._open_voltage:
            self.fault_code = ""
            self.state = State.RAMP_UP
            self._begin(Ramp.RESUME, self._signed_setting())

    # --- the dose -------------------------------------------------------------------------------

    def _book(self) -> None:
        """Add what has flowed since the last booking to the dose account."""
        now, total = self.circuit.now, self.circuit.charge()
        since, before = self._booked
        if self._energised:
            time, value, slope = self._line
            middle = value + slope * ((since + now) / 2 - time)
            self._charge += self._policy.counted(
                abs(total - before) * self._current_gain, abs(middle) * (now - since)
            )
        self._booked = (now, total)

    def _remaining(self) -> float:
        """Charge in C that may still flow before the ramp down of a full dose must begin.

        Far from the end it is a lower bound, so that most calls need no shape of the ramp.
        """
        begin, left = self._present(), self._dose - self.charge()
        bound = 2 * abs(begin) * self._down_time  # twice the charge of the longest straight ramp
        if left > bound + _ENOUGH:
            return left - bound
        value = begin
        for leg in self._policy.legs(self._course(Ramp.DOSE, begin, 0.0)):
            left -= abs(value + leg.target) / 2 * leg.duration
            value = leg.target
        return left

    # --- the output -----------------------------------------------------------------------------

    def _signed_setting(self) -> float:
        return self._current * self._polarity.sign

    def _command(self) -> float:
        time, value, slope = self._line
        return value + slope * (self.circuit.now - time)

    def _present(self) -> float:
        """Signed current from which a ramp begins: what flows, where compliance limits it."""
        command = self._command()
        if not self.circuit.limited:
            return command
        return math.copysign(min(abs(command), self._sensed_current()), command)

    def _energise(self, ramp: Ramp) -> None:
        """Close the relay and ramp up, after the dwell where the bridge has to turn."""
        turns = self._bridge is not None and self._bridge is not self._polarity
        dwell = self._profile.si("polarity.dwell") if turns else 0.0
        self.state = State.RAMP_UP
        self._pending = (max(self._off_since + dwell, self.circuit.now), ramp)
        self._replan()

    def _go(self, ramp: Ramp) -> None:
        self.state = State.RAMP_UP
        self._begin(ramp, self._signed_setting())
        self._replan()

    def _ramp_down(self, ramp: Ramp, *, replan: bool = True) -> None:
        if self._pending:
            self._pending = None
            self._finish(ramp)
        else:
            self.state = State.RAMP_DOWN
            self._begin(ramp, 0.0)
        if replan:
            self._replan()

    def _course(self, ramp: Ramp, begin: float, end: float) -> Course:
        time = self._down_time if ramp.ends_at_zero else self._ramp
        highest = max(self._current, abs(begin), abs(end), 1e-9)
        return Course(ramp, begin, end, highest / time, self._aim, self._first_start)

    def _begin(self, ramp: Ramp, end: float) -> None:
        course = self._course(ramp, self._present(), end)
        self._drive(course.begin)
        self._run(self._policy.legs(course), ramp)
        self._aim = end
        if ramp is Ramp.START:
            self._first_start = False

    def _run(self, legs: tuple[Leg, ...], purpose: Ramp | None) -> None:
        self._program = deque(legs)
        self._purpose = purpose
        self._next_leg()

    def _next_leg(self) -> None:
        leg = self._program.popleft()
        begin, now = self._command(), self.circuit.now
        self._leg = (now + leg.duration, leg.target)
        if leg.duration > 0:
            self._drive(begin, (leg.target - begin) / leg.duration)

    def _drive(self, current: float, slope: float = 0.0) -> None:
        self._book()
        self._line = (self.circuit.now, current, slope)
        self.circuit.drive(current, slope)

    def _follow(self, now: float) -> None:
        """Carry on with the programme of legs."""
        if self._pending and now >= self._pending[0]:
            ramp = self._pending[1]
            self._pending = None
            self._book()
            self._energised = True
            self._bridge = self._polarity
            self.circuit.set_output_relay(True)
            self._begin(ramp, self._signed_setting())
        while self._leg and now >= self._leg[0]:
            self._drive(self._leg[1])
            if self._program:
                self._next_leg()
            else:
                self._leg = None
                self._arrive()

    def _arrive(self) -> None:
        purpose, self._purpose = self._purpose, None
        if purpose is None:
            if self.state is not State.DONE:  # after a stop, only faulty firmware comes here
                self._switch_off()
        elif purpose.ends_at_zero:
            self._finish(purpose)
        else:
            self.state = State.HOLD

    def _finish(self, ramp: Ramp) -> None:
        """Be paused or done, with the output off."""
        self.state = State.PAUSED if ramp is Ramp.PAUSE else State.DONE
        afterwards = () if ramp is Ramp.PAUSE else self._policy.afterwards(self._signed_setting())
        if afterwards and self._energised:
            self._run(afterwards, None)
        else:
            self._switch_off()

    def _shut_down(self, *, replan: bool = True) -> None:
        """Stop at once: relay open, current zero."""
        self._pending = None
        legs = self._policy.shutdown(self._present()) if self._energised else ()
        if legs:
            self._run(legs, None)
        else:
            self._switch_off()
        if replan:
            self._replan()

    def _halt(self) -> None:
        self._program.clear()
        self._leg = self._purpose = None
        self._over_since = self._open_since = None

    def _switch_off(self) -> None:
        self._halt()
        self._drive(0.0)
        if self._energised:
            self._off_since = self.circuit.now
        self._energised = False
        self.circuit.set_output_relay(False)


class Device(Firmware):
    """Firmware and circuit as one: what the bench lets time pass for."""

    def __init__(
        self,
        profile: DeviceProfile,
        bench: BenchDescription,
        faults: frozenset[str] = frozenset(),
        seed: int = 0,
    ) -> None:
        """Power up at time 0, output off, cut-off and load open, supply nominal.

        Args:
            profile: figures that the device keeps where no fault breaks them.
            bench: wiring around it.
            faults: ids of `faults.FAULTS`.
            seed: decides the error of its converters.

        Raises:
            UsageError: a fault is unknown.
        """
        policy, stage = seeded(faults, profile)
        super().__init__(profile, Circuit(profile, bench, stage), policy, seed)
        self._had_power = self.circuit.powered
        self.circuit.listener = self._notice

    def advance(self, to: float) -> None:
        """Let time pass until `to`, in s; raises UsageError if it lies in the past."""
        circuit = self.circuit
        if to < circuit.now:
            raise UsageError(
                f"device: asked to advance to {to} s, but it is {circuit.now} s already"
            )
        while True:
            if self.wake is not None and self.wake <= circuit.now:
                self.wake = self.update(circuit.now)
            stop = to if self.wake is None else min(to, self.wake)
            if circuit.run(stop):
                self._wake_by_next_tick()
            elif circuit.now >= to and (self.wake is None or self.wake > to):
                return

    def power_cycle(self) -> None:
        """Restart as after a loss of supply; settings, dose account and faults are gone."""
        self._lose_power()
        if self.circuit.powered:
            self._boot()

    def _notice(self) -> None:
        """Learn that load, cut-off or supply have changed."""
        powered = self.circuit.powered
        if powered == self._had_power:
            self._wake_by_next_tick()
            return
        self._had_power = powered
        if powered:
            self._boot()
        else:
            self._lose_power()

    def _lose_power(self) -> None:
        self._pending = None
        self._switch_off()
        self.circuit.clear_trip()
        self._boot()
        self.wake = None

    def _wake_by_next_tick(self) -> None:
        tick = (math.floor(self.circuit.now / TICK + 1e-6) + 1) * TICK
        self.wake = tick if self.wake is None else min(self.wake, tick)
