"""What is done to a device and what is looked at: programme, disturbances, observation.

A scenario is data: properties draw it, a journal holds it, and any bench can repeat it. It assumes
neither direct current nor a single channel; what a bench or a device cannot do, it refuses when the
scenario is run.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from decimal import Decimal
from enum import Enum
from typing import Any, TypeAlias

import pint

from hil.device import Polarity
from hil.errors import UsageError
from hil.exact import Dimension, Exact
from hil.units import Quantity


class Phase(Enum):
    """Commanded parts of a treatment, in order."""

    START = "ramp up"
    """Begins with the start command."""
    HOLD = "hold"
    """Begins when the declared ramp time is over."""
    STOP = "ramp down"
    """Begins with the stop command, or when the dose is reached."""
    AFTER = "after"
    """Begins when the declared ramp-down time is over."""


Amount: TypeAlias = Exact | Quantity
"""What an author writes; a scenario keeps it as Exact."""


def exact(value: Amount) -> Exact:
    """Take an amount as Exact; raises DimensionError for a unit that is not known."""
    return value if isinstance(value, Exact) else Exact.of(value)


class _Exacting:
    """Takes pint quantities where an Exact belongs: `Open(at(Phase.HOLD), 20 * ms)`."""

    __slots__ = ()

    def __post_init__(self) -> None:
        for part in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, part.name)
            if isinstance(value, pint.Quantity):
                object.__setattr__(self, part.name, Exact.of(value))


@dataclass(frozen=True, slots=True)
class Moment(_Exacting):
    """A time after the begin of a phase."""

    phase: Phase
    """Phase that it counts from."""
    offset: Exact = field(default_factory=lambda: Exact.parse("0 s"))
    """Time after its begin, >= 0."""


@dataclass(frozen=True, slots=True)
class DirectCurrent(_Exacting):
    """A constant current, reached by ramps."""

    setpoint: Exact
    """Magnitude in A, > 0."""
    polarity: Polarity | None = None
    """None: the profile's default."""


@dataclass(frozen=True, slots=True)
class PulseTrain(_Exacting):
    """Rectangular pulses, as of TENS and NMES devices."""

    amplitude: Exact
    """Peak current, > 0."""
    width: Exact
    """Duration of one phase of a pulse."""
    rate: Exact
    """Pulses per second."""
    biphasic: bool = True
    """Whether each pulse has a second phase of opposite sign and equal charge."""


Stimulus: TypeAlias = DirectCurrent | PulseTrain


@dataclass(frozen=True, slots=True)
class Programme(_Exacting):
    """What one channel of the device is told to do."""

    stimulus: Stimulus
    """Output form."""
    hold: Exact
    """Time from the end of the ramp to the stop command; a dose may end it earlier."""
    dose: Exact | None = None
    """Charge at which the device ends by itself; None leaves the end to the stop command."""
    channel: str = "1"
    """Output channel."""


@dataclass(frozen=True, slots=True)
class Open(_Exacting):
    """The electrode lifts off; it comes back after `duration`, or never."""

    at: Moment
    duration: Amount | None = None


@dataclass(frozen=True, slots=True)
class LoadStep(_Exacting):
    """The load changes to another position."""

    at: Moment
    load: Amount | str


@dataclass(frozen=True, slots=True)
class Pause(_Exacting):
    """The operator pauses and, after `duration`, resumes."""

    at: Moment
    duration: Amount


@dataclass(frozen=True, slots=True)
class Stop:
    """The operator stops earlier than the programme."""

    at: Moment


@dataclass(frozen=True, slots=True)
class Abort:
    """The operator stops at once."""

    at: Moment


@dataclass(frozen=True, slots=True)
class Reverse:
    """The operator asks for the other polarity while current flows."""

    at: Moment


@dataclass(frozen=True, slots=True)
class Change(_Exacting):
    """The operator changes the setting while current flows."""

    at: Moment
    setpoint: Amount


@dataclass(frozen=True, slots=True)
class SupplyDip(_Exacting):
    """The supply of the device fails for `duration`."""

    at: Moment
    duration: Amount


Disturbance: TypeAlias = Open | LoadStep | Pause | Stop | Abort | Reverse | Change | SupplyDip


@dataclass(frozen=True, slots=True)
class Observation(_Exacting):
    """What is recorded."""

    channels: tuple[str, ...] = ("current", "voltage")
    """Waveforms of the record."""
    rate: Exact = field(default_factory=lambda: Exact.parse("2 kHz"))
    """Samples per second of each."""
    before: Exact = field(default_factory=lambda: Exact.parse("1.5 s"))
    """Time recorded before the start command; a slope needs 1 s of it."""
    after: Exact = field(default_factory=lambda: Exact.parse("2 s"))
    """Time recorded after the declared end of the ramp down."""


@dataclass(frozen=True, slots=True)
class Scenario:
    """One treatment with all that happens to it."""

    programmes: tuple[Programme, ...]
    """One for each channel in use."""
    load: Exact | str
    """Resistance, or the name of a position of the bench's load."""
    disturbances: tuple[Disturbance, ...] = ()
    """In any order; each fixed in time by its moment."""
    observe: Observation = field(default_factory=Observation)
    """What is recorded."""

    def __post_init__(self) -> None:
        if not self.programmes:
            raise UsageError("a scenario needs at least one programme")
        channels = [programme.channel for programme in self.programmes]
        if len(set(channels)) != len(channels):
            raise UsageError(f"two programmes share a channel: {', '.join(channels)}")
        _check(self, "scenario")

    @classmethod
    def treatment(
        cls,
        setpoint: Quantity | Exact,
        *,
        load: Quantity | Exact | str = "2k",
        polarity: Polarity | None = None,
        hold: Quantity | Exact | None = None,
        dose: Quantity | Exact | None = None,
        disturb: Iterable[Disturbance] = (),
    ) -> Scenario:
        """A direct-current treatment: ramp up, hold, ramp down.

        Args:
            setpoint: current, > 0.
            load: resistance, or name of a load position.
            polarity: None takes the profile's default.
            hold: time from the end of the ramp to the stop command; default 10 s, with a dose 1 h.
            dose: charge at which the device ends by itself.
            disturb: what happens on the way.
        """
        current = positive(setpoint, Dimension.CURRENT, "setpoint")
        charge = None if dose is None else positive(dose, Dimension.CHARGE, "dose")
        usual = Exact.parse("10 s" if dose is None else "1 h")
        time = usual if hold is None else positive(hold, Dimension.TIME, "hold")
        where = load if isinstance(load, str) else positive(load, Dimension.RESISTANCE, "load")
        programme = Programme(DirectCurrent(current, polarity), time, charge)
        return cls((programme,), where, tuple(disturb))

    @property
    def dose(self) -> Exact | None:
        """Commanded dose over all channels; None if any channel has none."""
        doses = [programme.dose for programme in self.programmes]
        known = [dose for dose in doses if dose is not None]
        if len(known) != len(doses):
            return None
        if len(known) == 1:
            return known[0]
        return Exact(sum(dose.base for dose in known), "C")  # type: ignore[arg-type]  # never empty

    def to_dict(self) -> dict[str, Any]:
        """The scenario as plain data, each part with its kind."""
        plain: dict[str, Any] = _plain(self)
        return plain

    @property
    def key(self) -> str:
        """Hash of all that the scenario says."""
        # `repr`, so that a position named "2 kohm" is not the resistance 2 kohm.
        text = json.dumps(_plain(self, quantity=repr), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def at(phase: Phase, offset: Quantity | Exact | None = None) -> Moment:
    """A moment after the begin of a phase: `at(Phase.HOLD, 2 * s)`."""
    if offset is None:
        return Moment(phase)
    return Moment(phase, _quantity(offset, Dimension.TIME, "offset", zero=True))


def kind(of: type) -> str:
    """What files and reports call a part of a scenario: LoadStep is "load step"."""
    return re.sub(r"(?<!^)(?=[A-Z])", " ", of.__name__).lower()


def dose_of(setpoint: Amount, time: Amount) -> Exact:
    """The dose that a setting delivers in a time, to 0.001 mA*min."""
    current = positive(setpoint, Dimension.CURRENT, "setpoint").base
    seconds = positive(time, Dimension.TIME, "time").base
    return Exact((current * seconds * 1000 / 60).quantize(Decimal("0.001")), "mA*min")


def positive(value: Quantity | Exact, dimension: Dimension, name: str) -> Exact:
    """Take a quantity as Exact; raises UsageError unless it is finite, > 0 and of the dimension."""
    return _quantity(value, dimension, name, zero=False)


def allowed(value: Exact, name: str) -> Exact:
    """Return what may stand in a field of that name; raises UsageError for any other."""
    return _quantity(value, DIMENSIONS[name], name, zero=name in _MAY_BE_ZERO)


def _quantity(value: object, dimension: Dimension, name: str, *, zero: bool) -> Exact:
    if not isinstance(value, (Exact, pint.Quantity)):
        raise UsageError(f"{name} = {value!r} has no unit; write it as 2 * mA, not as a number")
    exact = (value if isinstance(value, Exact) else Exact.of(value)).require(dimension)
    if not exact.base.is_finite() or exact.base < 0 or (exact.base == 0 and not zero):
        kind = dimension.name.lower()
        raise UsageError(f"{name} = {exact}; a {kind} {'>= 0' if zero else '> 0'} belongs here")
    return exact


_POSITIVE = {
    "setpoint": Dimension.CURRENT,
    "amplitude": Dimension.CURRENT,
    "width": Dimension.TIME,
    "rate": Dimension.FREQUENCY,
    "hold": Dimension.TIME,
    "dose": Dimension.CHARGE,
    "load": Dimension.RESISTANCE,
}
_MAY_BE_ZERO = dict.fromkeys(("offset", "duration", "before", "after"), Dimension.TIME)
DIMENSIONS = _POSITIVE | _MAY_BE_ZERO
"""Name of a field to the dimension of what stands there."""
_OPTIONAL = {"dose", "duration"}


def _check(value: object, name: str) -> None:
    """Refuse a bare number, a wrong dimension or sign anywhere in a scenario built by hand."""
    if isinstance(value, tuple):
        for entry in value:
            _check(entry, name)
    elif name in DIMENSIONS:
        if (value is None and name in _OPTIONAL) or (isinstance(value, str) and name == "load"):
            return
        if not isinstance(value, Exact):
            raise UsageError(f"{name} = {value!r} is no Exact; write it as Exact.parse('2 mA')")
        allowed(value, name)
    elif is_dataclass(value):
        for part in fields(value):
            _check(getattr(value, part.name), part.name)


def _plain(value: object, quantity: Callable[[Exact], str] = str) -> Any:  # noqa: ANN401  # JSON
    if isinstance(value, Exact):
        return quantity(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(entry, quantity) for entry in value]
    if is_dataclass(value):
        parts = {part.name: _plain(getattr(value, part.name), quantity) for part in fields(value)}
        return {"kind": type(value).__name__, **parts}
    return value
