"""What is done to a device and what is looked at: programme, disturbances, observation.

A scenario is data: properties draw it, a journal holds it, and any bench can repeat it. It assumes
neither direct current nor a single channel; what a bench or a device cannot do, it refuses when the
scenario is run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass
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


@dataclass(frozen=True, slots=True)
class Moment:
    """A time after the begin of a phase."""

    phase: Phase
    """Phase that it counts from."""
    offset: Exact = field(default_factory=lambda: Exact.parse("0 s"))
    """Time after its begin, >= 0."""


@dataclass(frozen=True, slots=True)
class DirectCurrent:
    """A constant current, reached by ramps."""

    setpoint: Exact
    """Magnitude in A, > 0."""
    polarity: Polarity | None = None
    """None: the profile's default."""


@dataclass(frozen=True, slots=True)
class PulseTrain:
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
class Programme:
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
class Open:
    """The electrode lifts off; it comes back after `duration`, or never."""

    at: Moment
    duration: Exact | None = None


@dataclass(frozen=True, slots=True)
class LoadStep:
    """The load changes to another position."""

    at: Moment
    load: Exact | str


@dataclass(frozen=True, slots=True)
class Pause:
    """The operator pauses and, after `duration`, resumes."""

    at: Moment
    duration: Exact


@dataclass(frozen=True, slots=True)
class Stop:
    """The operator stops earlier than the programme."""

    at: Moment


@dataclass(frozen=True, slots=True)
class Reverse:
    """The operator asks for the other polarity while current flows."""

    at: Moment


@dataclass(frozen=True, slots=True)
class Change:
    """The operator changes the setting while current flows."""

    at: Moment
    setpoint: Exact


@dataclass(frozen=True, slots=True)
class SupplyDip:
    """The supply of the device fails for `duration`."""

    at: Moment
    duration: Exact


Disturbance: TypeAlias = Open | LoadStep | Pause | Stop | Reverse | Change | SupplyDip


@dataclass(frozen=True, slots=True)
class Observation:
    """What is recorded."""

    channels: tuple[str, ...] = ("current", "voltage")
    """Waveforms of the record."""
    rate: Exact = field(default_factory=lambda: Exact.parse("2 kHz"))
    """Samples per second of each."""
    before: Exact = field(default_factory=lambda: Exact.parse("0.5 s"))
    """Time recorded before the start command."""
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
        text = json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def at(phase: Phase, offset: Quantity | Exact | None = None) -> Moment:
    """A moment after the begin of a phase: `at(Phase.HOLD, 2 * s)`."""
    if offset is None:
        return Moment(phase)
    exact = offset if isinstance(offset, Exact) else Exact.of(offset)
    if exact.require(Dimension.TIME).base < 0:
        raise UsageError(f"{exact} before the begin of a phase; give a time >= 0")
    return Moment(phase, exact)


def positive(value: Quantity | Exact, dimension: Dimension, name: str) -> Exact:
    """Take a quantity as Exact; raises UsageError unless it is finite, > 0 and of the dimension."""
    if not isinstance(value, (Exact, pint.Quantity)):
        raise UsageError(f"{name} = {value!r} has no unit; write it as 2 * mA, not as a number")
    exact = (value if isinstance(value, Exact) else Exact.of(value)).require(dimension)
    if not exact.base.is_finite() or exact.base <= 0:
        raise UsageError(f"{name} = {exact}; a positive {dimension.name.lower()} belongs here")
    return exact


def _plain(value: object) -> Any:  # noqa: ANN401  # a tree of JSON values
    if isinstance(value, Exact):
        return str(value)
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, tuple):
        return [_plain(entry) for entry in value]
    if is_dataclass(value):
        parts = {part.name: _plain(getattr(value, part.name)) for part in fields(value)}
        return {"kind": type(value).__name__, **parts}
    return value
