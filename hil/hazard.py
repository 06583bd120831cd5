"""What an arming has spent of its envelope, and whether the next command or wait may be.

Counted is what was commanded, never what the device claims: a setting counts in full from its
command on, ramps included, until its end was commanded and the declared time of that end is over.
What meters show to have flowed counts instead, where it is more.
Time is an argument; sums and products are exact.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from hil.device import DeviceProfile
from hil.envelope import Envelope
from hil.errors import LimitExceeded
from hil.exact import ARITHMETIC, Dimension, Exact, readable

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True)
class Flow:
    """What is commanded to flow."""

    current: Decimal
    """A, >= 0."""
    voltage: Decimal
    """V that it needs at the load, >= 0."""

    @property
    def power(self) -> Decimal:
        """W."""
        return ARITHMETIC.multiply(self.current, self.voltage)


@dataclass(frozen=True, slots=True)
class Account:
    """What was spent up to a time."""

    now: Decimal
    """Time in s up to which it is counted."""
    charge: Decimal = ZERO
    """C."""
    energy: Decimal = ZERO
    """J."""
    time: Decimal = ZERO
    """Time energised in s."""
    energisations: int = 0
    """How often the output was energised."""
    flow: Flow | None = None
    """What flows now; None while de-energised."""
    ends: Decimal | None = None
    """Time in s at which it is over, once its end was commanded."""
    ended: Decimal | None = None
    """Time in s at which the last one was over."""

    def at(self, now: Decimal) -> Account:
        """The account at a later time; an earlier one changes nothing."""
        if self.flow is None or now <= self.now:
            return replace(self, now=max(now, self.now))
        over = self.ends is not None and self.ends <= now
        end = self.ends if over and self.ends is not None else now
        span = max(end - self.now, ZERO)
        counted = replace(
            self,
            now=now,
            charge=_plus(self.charge, ARITHMETIC.multiply(self.flow.current, span)),
            energy=_plus(self.energy, ARITHMETIC.multiply(self.flow.power, span)),
            time=_plus(self.time, span),
        )
        return replace(counted, flow=None, ends=None, ended=end) if over else counted

    def begun(self, flow: Flow) -> Account:
        """Energised, once more."""
        return replace(self, flow=flow, ends=None, energisations=self.energisations + 1)

    def __str__(self) -> str:
        parts = (
            readable(self.charge, Dimension.CHARGE),
            readable(self.energy, Dimension.ENERGY),
            readable(self.time, Dimension.TIME),
        )
        return f"{', '.join(parts)} in {self.energisations} energisations"


@dataclass(frozen=True, slots=True)
class Budget:
    """What all examples of one property may spend together."""

    energisations: int
    """How often they may energise the output."""
    charge: Exact
    """Charge that their commands may add up to."""
    minimum: int
    """Examples without which a property has shown nothing."""

    @classmethod
    def usual(cls, envelope: Envelope, examples: int) -> Budget:
        """Ten energisations an example, and for each the charge of one whole envelope."""
        charge = ARITHMETIC.multiply(envelope.max_charge.base, Decimal(examples))
        return cls(10 * examples, Exact(charge, "C"), examples)

    def objection(self, energisations: int, charge: Decimal) -> str:
        """Which part of it is spent, in words; empty if none is.

        Args:
            energisations: so far.
            charge: so far, in C.
        """
        spent = (
            f"{energisations} of {self.energisations} energisations, "
            f"{readable(charge, Dimension.CHARGE)} of {self.charge}"
        )
        over = energisations >= self.energisations or charge >= self.charge.base
        return f"the hazard budget is spent: {spent}" if over else ""


class Ledger:
    """The account of one arming, held against its envelope before each step."""

    def __init__(
        self,
        envelope: Envelope,
        profile: DeviceProfile,
        resistance: Exact | None,
        *,
        ended: Decimal | None = None,
    ) -> None:
        """Begin an account.

        Args:
            envelope: what may be spent.
            profile: declares compliance, and how long ramps and stops take.
            resistance: of the load; None if it is open or no plain resistor.
            ended: when the last energisation before was over, in s; None if that does not count.
        """
        self.envelope = envelope
        self.account = Account(ZERO, ended=ended)
        self._profile = profile
        self._resistance = resistance
        self.setting: Exact | None = None
        """What was set last; None if nothing was."""
        self._known = False  # whether the device is still set to it
        self._guessed = False  # whether what flows is the most that may, and not what was commanded
        self.commanded = ZERO
        """Time energised in s up to the last command that ended it."""
        self._dose: Decimal | None = None
        """Charge in C on the account at which the device is to end by itself."""
        self._left: Decimal | None = None

    def set(self, current: Exact, dose: Exact | None = None) -> None:
        """Take note of a setting for the next start; raises LimitExceeded outside the envelope."""
        self._admitted(current)
        self.setting, self._known = current, True
        self._left = None if dose is None else dose.require(Dimension.CHARGE).base

    def change(self, current: Exact, now: Decimal) -> None:
        """Change the setting, also while it flows; raises LimitExceeded outside the envelope."""
        flow = self._admitted(current)
        self.account = account = self.account.at(now)
        if account.flow is not None:
            fall = max(account.flow.current - flow.current, ZERO)
            charge = ARITHMETIC.multiply(fall, self._profile["ramp.up_time"].base)
            energy = ARITHMETIC.multiply(charge, account.flow.voltage)
            self.account = replace(
                account,
                flow=flow,
                charge=_plus(account.charge, charge),
                energy=_plus(account.energy, energy),
            )
        self.setting, self._known = current, True

    def start(self, now: Decimal) -> None:
        """Energise at the setting; raises LimitExceeded if that may not be."""
        self._begin(now)
        self._dose = None if self._left is None else _plus(self.account.charge, self._left)

    def resume(self, now: Decimal) -> None:
        """Energise again after a pause, with the dose that is left."""
        self._begin(now)

    def provoke(self, now: Decimal, ceiling: Exact) -> None:
        """Count a text whose effect nobody knows: the bench ceiling flows until the next end.

        It may have changed setting and dose as well: neither is known any more.
        """
        self._energise(now, Flow(ceiling.base, self._compliance))
        self._dose = self._left = None
        self._known, self._guessed = False, True

    def end(self, now: Decimal, tail: Decimal) -> None:
        """An end was commanded; what flows is over `tail` s later."""
        account = self.account.at(now)
        if account.flow is not None:
            if account.ends is None:
                self.commanded = account.time
            ends = now + tail if account.ends is None else min(account.ends, now + tail)
            self.account = replace(account, ends=ends)

    def connect(self, resistance: Exact | None, now: Decimal) -> None:
        """Another load is to be connected; raises LimitExceeded if what flows may not meet it."""
        before, self._resistance = self._resistance, resistance
        account = self.account.at(now)
        if account.flow is not None:
            try:
                flow = self._flow(account.flow.current)
            except LimitExceeded:
                self._resistance = before
                raise
            account = replace(account, flow=flow)
        self.account = account

    def wait(self, begin: Decimal, end: Decimal, *, foreseen: bool = False) -> None:
        """Refuse a wait that would overspend; the account is brought up to its begin.

        A dose bounds the charge and energy that are foreseen, as long as it is not overdue.

        Args:
            begin: of the wait, in s.
            end: of the wait, in s.
            foreseen: nothing is waited for yet: the account is brought to what its end should be.

        Raises:
            LimitExceeded: charge, energy or time would leave the envelope.
        """
        self.account = account = self.account.at(begin)
        then = account.at(end)
        if account.flow is not None and self._dose is not None:
            most = max(account.charge, min(then.charge, self._dose))
            spent = ARITHMETIC.multiply(most - account.charge, account.flow.voltage)
            energy = min(then.energy, _plus(account.energy, spent))
            then = replace(then, charge=most, energy=energy)
        for name, value, bound in (
            ("charge", then.charge, self.envelope.max_charge),
            ("energy", then.energy, self.envelope.max_energy),
            ("time energised", then.time, self.envelope.max_time),
        ):
            if value > bound.base:
                raise LimitExceeded(
                    f"a wait of {readable(end - begin, Dimension.TIME)} would bring the {name} to "
                    f"{readable(value, bound.dimension)}; the envelope ends at {bound}"
                )
        if foreseen:
            self.account = then

    def measured(self, now: Decimal, charge: Decimal, energy: Decimal) -> str:
        """Take note of what has flowed since the begin, whoever commanded it.

        Args:
            now: up to when, in s.
            charge: at least so much, in C.
            energy: at least so much, in J.

        Returns:
            What of it lies beyond the envelope, in words; empty if nothing does.
        """
        account = self.account.at(now)
        self.account = replace(
            account, charge=max(account.charge, charge), energy=max(account.energy, energy)
        )
        for name, value, bound in (
            ("charge", charge, self.envelope.max_charge),
            ("energy", energy, self.envelope.max_energy),
        ):
            if value > bound.base:
                shown = readable(value, bound.dimension)
                return f"a {name} of at least {shown} was measured; the envelope ends at {bound}"
        return ""

    def cooling(self, now: Decimal) -> Decimal:
        """Time in s until the output may be energised again; 0 if it may be now."""
        account = self.account.at(now)
        over = account.ends if account.flow is not None else account.ended
        if over is None or not self.envelope.cool_down.base:
            return ZERO
        return max(over + self.envelope.cool_down.base - now, ZERO)

    @property
    def _compliance(self) -> Decimal:
        return self._profile["output.compliance"].base

    def _begin(self, now: Decimal) -> None:
        if self.setting is None or not self._known:
            why = "nothing was set in this arming"
            if self.setting is not None:
                why = "a text was provoked since the last setting"
            raise LimitExceeded(
                f"{why}, so the device's setting is not known; allowed: a start after configure()"
            )
        self._energise(now, self._flow(self.setting.base))
        self._guessed = False

    def _energise(self, now: Decimal, flow: Flow) -> None:
        if self.account.energisations >= self.envelope.max_energisations:
            raise LimitExceeded(
                f"energisation {self.account.energisations + 1} was commanded; the envelope ends "
                f"at {self.envelope.max_energisations}"
            )
        if left := self.cooling(now):
            raise LimitExceeded(
                f"the output was energised last less than {self.envelope.cool_down} ago; allowed: "
                f"again in {readable(left, Dimension.TIME)}"
            )
        self.account = self.account.at(now).begun(flow)

    def _admitted(self, current: Exact) -> Flow:
        self.envelope.admit(current)
        flow = self.account.flow
        before = ZERO if flow is None or self._guessed else flow.current
        rise = current.base - before
        time, steepest = self._profile["ramp.up_time"], self.envelope.max_slope
        if rise > ARITHMETIC.multiply(steepest.base, time.base):
            raise LimitExceeded(
                f"{current} was commanded: a rise by {readable(rise, Dimension.CURRENT)} in the "
                f"declared {time}; the envelope ends at {steepest}"
            )
        return self._flow(current.base)

    def _flow(self, current: Decimal) -> Flow:
        needed = self._compliance
        if self._resistance is not None:
            needed = min(ARITHMETIC.multiply(current, self._resistance.base), needed)
        if needed > self.envelope.max_voltage.base:
            load = self._resistance or "a load that is open or no plain resistor"
            raise LimitExceeded(
                f"{readable(current, Dimension.CURRENT)} into {load} may need "
                f"{readable(needed, Dimension.VOLTAGE)}; the envelope ends at "
                f"{self.envelope.max_voltage}"
            )
        return Flow(current, needed)


def _plus(one: Decimal, other: Decimal) -> Decimal:
    return ARITHMETIC.add(one, other)
