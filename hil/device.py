"""What the maker declares of a device, held against its class.

A device class names every figure that a profile gives, its dimension and the range beyond which no
device of the class can be meant; these bounds live here, outside every profile, so that `40 mA`
typed for `4.0 mA` is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from itertools import pairwise

from hil.derivation import argument
from hil.errors import ConfigurationError, Unavailable
from hil.exact import Dimension, Exact
from hil.line import SERIAL, SerialLine
from hil.requirement import Knowledge

COMMANDED = frozenset(
    {
        *("output.setpoint_min", "output.setpoint_max", "output.setpoint_step"),
        *("output.load_min", "output.load_max", "dose.maximum"),
    }
)
"""Figures that tests set: what was set once stays so, whatever a changed profile says."""
OFFERED = (
    *("pause", "resume", "query_impedance", "query_limited", "query_short", "self_test"),
    *("query_voltage", "query_polarity", "query_time"),
)
"""Actions that a device may lack: what needs them is not evaluated."""
LINK = "set_link_time"
"""Action by which a device is told to watch its host; one that lacks it need not be told."""
KINDS = {
    "set_current": "current",
    "query_set_current": "current",
    "query_current": "current",
    "set_dose": "charge",
    "query_set_dose": "charge",
    "query_charge": "charge",
    "query_impedance": "impedance",
    "query_voltage": "voltage",
    "query_time": "time",
    LINK: "time",
}
"""Action to the kind of the value that goes with it."""


@argument("polarity")
class Polarity(Enum):
    """Sign of the active electrode against the dispersive one: the sign of the drug's ion."""

    POSITIVE = "positive"
    NEGATIVE = "negative"

    @property
    def sign(self) -> int:
        """+1 or -1."""
        return 1 if self is Polarity.POSITIVE else -1

    @property
    def opposite(self) -> Polarity:
        """The other polarity."""
        return Polarity.NEGATIVE if self is Polarity.POSITIVE else Polarity.POSITIVE


class State(Enum):
    """States of a stimulator, as every driver reports them."""

    IDLE = "idle"
    ARMED = "armed"
    RAMP_UP = "ramp up"
    HOLD = "hold"
    PAUSED = "paused"
    RAMP_DOWN = "ramp down"
    DONE = "done"
    FAULT = "fault"

    @property
    def delivers(self) -> bool:
        """Whether current is meant to flow."""
        return self in {State.RAMP_UP, State.HOLD, State.RAMP_DOWN}


@dataclass(frozen=True, slots=True)
class Bound:
    """What a class allows for one figure."""

    floor: Exact
    """Smallest value that can be meant, inclusive."""
    ceiling: Exact
    """Largest value that can be meant, inclusive."""
    meaning: str
    """What the figure is, for the commented starter and for messages."""
    needed: bool = True
    """Whether every profile gives it; what is judged by one that a profile may leave out is
    NOT_EVALUATED without it."""

    @property
    def dimension(self) -> Dimension:
        """Kind of quantity."""
        return self.floor.dimension


@dataclass(frozen=True, slots=True)
class DeviceClass:
    """A kind of stimulator and the bounds of its figures."""

    name: str
    """As written in a profile: `class = "iontophoresis"`."""
    bounds: Mapping[str, Bound]
    """Figure, as `output.setpoint_max`, to its bound."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One declared figure with its provenance."""

    value: Exact
    """As declared."""
    source: str
    """Document, section, edition."""
    why: str
    """Why this value, in a sentence."""
    status: Knowledge
    """How well it is known."""


class Reporting(Enum):
    """How a device says that it did not take a command."""

    QUEUE = "queue"
    """A query returns the oldest entry, until one says that there is none."""
    STATUS = "status"
    """A query returns bits, and clears them."""
    ANSWER = "answer"
    """Every command is answered by a line."""
    NONE = "none"
    """Not at all: then every setting must be read back."""


@dataclass(frozen=True, slots=True)
class ErrorWords:
    """How refusals are asked for and read."""

    kind: Reporting = Reporting.QUEUE
    """Which of the four ways."""
    query: str = "SYST:ERR?"
    """Message that asks; queue and status."""
    reply: str = '{code},"{text}"'
    """Its reply; {code} and {text} of a queue, {} of a status."""
    none: str = "0"
    """{code} of an empty queue."""
    mask: int = -1
    """Bits of a status that mean a refusal."""
    taken: str = "OK"
    """Answer to a command that was taken."""
    refused: str = "ERR {code}"
    """Answer to one that was not, and to a query that could not be answered."""
    silent: frozenset[str] = frozenset()
    """Actions that are not answered although the others are."""


SCPI_ERRORS = ErrorWords()
"""Those of SCPI."""


ENERGISED = 0.5
"""Seconds for a reply while the output may be energised, of a device that declares none."""


@dataclass(frozen=True, slots=True)
class Wire:
    """How the device is spoken to; data, so that a new SCPI-like stimulator needs no code."""

    commands: Mapping[str, str]
    """Action to message; `{}` takes the value."""
    units: Mapping[str, Exact]
    """Kind of value, or action, to what a 1 on the wire stands for: 1 uA, or 0.01 mA."""
    states: Mapping[str, State]
    """The device's word for a state to ours."""
    polarities: Mapping[Polarity, str]
    """Our polarity to the device's word."""
    numbers: Mapping[str, str] = field(default_factory=dict)
    """Kind of value, or action, to the picture of its numbers, as 0.00; without one, any number."""
    replies: Mapping[str, str] = field(default_factory=dict)
    """Query to its reply, `{}` where the value stands; without one, the value alone."""
    no_fault: str = "NONE"
    """Word for "no fault"."""
    passed: str = "0"
    """Reply to a self-test that passed."""
    yes: str = "1"
    """Reply to a question whether something is so, if it is."""
    open_load: str = ""
    """Word in place of an impedance that is too large; empty if there is none."""
    errors: ErrorWords = SCPI_ERRORS
    """How it says that it did not take a command."""
    send_end: str = "\n"
    """What ends a message to the device."""
    reply_end: str = "\n"
    """What ends a reply of it."""
    echo: bool = False
    """Whether it repeats each message before it answers."""
    serial: SerialLine = SERIAL
    """Settings, if it is on a serial line."""
    patience: float = 2.0
    """Seconds within which it answers."""
    energised: float = ENERGISED
    """The same while its output may be energised."""
    settle: float = 0.0
    """Seconds after a command before it hears the next message; a stop never waits."""
    self_test: float = 2.0
    """Seconds within which a self-test answers."""
    identity: str = "*IDN?"
    """Message that asks who it is."""
    identity_reply: str = "{manufacturer},{model},{serial},{firmware}"
    """Its reply; model and serial are always there, the manufacturer else is the declared one."""


NO_WORDS = Wire({}, {}, {}, {})
"""Of a profile without [wire]: a driver of its own speaks to the device."""


@dataclass(frozen=True)
class DeviceProfile:
    """One device under test."""

    manufacturer: str
    """First field of its identity."""
    model: str
    """Second field of its identity."""
    device_class: DeviceClass
    """Class with its bounds."""
    figures: Mapping[str, Figure]
    """Every figure of the class."""
    wire: Wire
    """Command table."""
    polarity: Polarity = Polarity.POSITIVE
    """Polarity of the default treatment."""
    channels: tuple[str, ...] = ("1",)
    """Output channels; more than one for dual devices."""
    requirements: tuple[str, ...] = ()
    """Files of the maker's own requirements."""
    text: str = field(default="", repr=False)
    """The file as read; goes into the plan."""

    def __getitem__(self, name: str) -> Exact:
        """Return the figure of that name, which it remembers; KeyError names the known ones.

        Raises:
            Unavailable: it is one that a profile may leave out, and this one does.
        """
        bound = self.device_class.bounds.get(name)
        if bound is not None and not bound.needed and name not in self.figures:
            raise Unavailable(f"the device file declares no {name}: {bound.meaning}")
        if name not in self.figures:
            raise KeyError(
                f"{name!r} is no figure of this profile; it has {', '.join(self.figures)}"
            )
        value = self.figures[name].value
        return Exact(value.magnitude, value.unit, "" if name in COMMANDED else name)

    def si(self, name: str) -> float:
        """Return a figure as a float in SI, for physics and drivers; never for a decision."""
        return float(self[name].base)


def _bound(low: str, high: str, meaning: str) -> Bound:
    return Bound(Exact.parse(low), Exact.parse(high), meaning)


def _optional(low: str, high: str, meaning: str) -> Bound:
    return Bound(Exact.parse(low), Exact.parse(high), meaning, needed=False)


IONTOPHORESIS = DeviceClass(
    "iontophoresis",
    {
        "output.setpoint_min": _bound("0.01 mA", "1 mA", "smallest current that can be set"),
        "output.setpoint_max": _bound("0.1 mA", "5 mA", "largest current that can be set"),
        "output.setpoint_step": _bound("0.001 mA", "1 mA", "resolution of the setting"),
        "output.accuracy_relative": _bound("0.1 %", "20 %", "accuracy, share of the setting"),
        "output.accuracy_absolute": _bound("0.001 mA", "0.2 mA", "accuracy, whichever is larger"),
        "output.overshoot_relative": _bound("0.1 %", "10 %", "overshoot, share of the setting"),
        "output.overshoot_absolute": _bound("0.001 mA", "0.2 mA", "overshoot, whichever is larger"),
        "output.software_limit": _bound("0.1 mA", "6 mA", "current that no setting may exceed"),
        "output.trip": _bound("0.1 mA", "6 mA", "current at which independent hardware trips"),
        "output.trip_time": _bound("0.1 ms", "100 ms", "time within which it trips"),
        "output.compliance": _bound("5 V", "100 V", "largest output voltage"),
        "output.load_min": _bound("100 ohm", "5 kohm", "smallest declared load"),
        "output.load_max": _bound("1 kohm", "500 kohm", "largest declared load"),
        "output.standby": _bound("0.1 uA", "50 uA", "d.c. current with the output off"),
        "output.off_voltage": _bound(
            "1 mV", "2 V", "terminal voltage below which it counts as off"
        ),
        "ramp.up_time": _bound("1 s", "300 s", "time from zero to the setting"),
        "ramp.down_time": _bound("1 s", "60 s", "time from the setting to zero at a normal stop"),
        "ramp.up_slope": _bound("0.01 mA/s", "1 mA/s", "largest slope while ramping up"),
        "ramp.down_slope": _bound("0.01 mA/s", "5 mA/s", "largest slope while ramping down"),
        "ramp.step": _bound("0.001 mA", "0.5 mA", "largest sudden change while ramping"),
        "polarity.dwell": _bound("0.1 s", "60 s", "time at zero between opposite polarities"),
        "protection.open_resistance": _bound("10 kohm", "2 Mohm", "load that must count as open"),
        "protection.open_time": _bound("1 ms", "1 s", "time to detect an open load"),
        "protection.stop_share": _bound("1 %", "50 %", "share of the current left after stop_time"),
        "protection.stop_time": _bound("1 ms", "1 s", "time of a fault stop to that share"),
        "protection.off_current": _bound("0.1 uA", "50 uA", "current that counts as off"),
        "protection.off_time": _bound("10 ms", "5 s", "time of a fault stop to off_current"),
        "protection.reconnect_time": _bound(
            "0.1 s", "60 s", "time to keep off after a reconnection"
        ),
        "power.hold_up": _bound(
            "10 ms", "60 s", "time for which the output may outlast the supply"
        ),
        "dose.maximum": _bound("1 mA*min", "200 mA*min", "largest dose that can be set"),
        "dose.accuracy": _bound("0.1 %", "20 %", "error of the claimed dose, share of the dose"),
        "dose.accuracy_absolute": _bound("0.001 mA*min", "1 mA*min", "whichever is larger"),
        "dose.cumulative": _optional(
            "1 mA*min", "400 mA*min", "charge that no treatments since power-up together exceed"
        ),
        "output.ripple": _optional(
            "0.1 %", "20 %", "ripple of a steady current from peak to peak, share of the setting"
        ),
        "electrode.area": _optional(
            "0.1 cm^2", "1000 cm^2", "contact area of the smallest labelled electrode"
        ),
        "electrode.density": _optional(
            "0.01 mA/cm^2", "2 mA/cm^2", "largest current for each area of an electrode"
        ),
        "power.minimum": _optional("0.5 V", "60 V", "lowest supply voltage in use"),
        "power.maximum": _optional("1 V", "60 V", "highest supply voltage in use"),
        "power.accuracy": _optional(
            "0.1 %", "20 %", "change of the current over the supply voltages in use, share of it"
        ),
        "timer.accuracy": _optional("0.01 %", "20 %", "error of its times, share of the time"),
        "protection.link_time": _optional(
            "0.1 s", "600 s", "silence of the host after which a treatment ends"
        ),
        "protection.watchdog_time": _optional(
            "1 ms", "60 s", "time from a halt of the processor to output off"
        ),
        "indication.current_relative": _optional(
            "0.1 %", "20 %", "error of the reported current, share of the current"
        ),
        "indication.current_absolute": _optional("0.1 uA", "0.2 mA", "whichever is larger"),
        "indication.impedance": _optional(
            "0.1 %", "50 %", "error of the reported impedance, share of the load"
        ),
        "indication.voltage_relative": _optional(
            "0.1 %", "50 %", "error of the reported voltage, share of the voltage"
        ),
        "indication.voltage_absolute": _optional("1 mV", "5 V", "whichever is larger"),
        "indication.time": _optional(
            "10 ms", "60 s", "error of the reported time, or timer.accuracy, whichever is larger"
        ),
        "indication.lag": _optional(
            "1 ms", "10 s", "time within which a change of state is reported"
        ),
    },
)
"""Devices of this class reach 4 mA, about 80 V and 160 mA*min; the ceilings leave some room."""

CLASSES = {IONTOPHORESIS.name: IONTOPHORESIS}


def check(profile: DeviceProfile) -> None:
    """Refuse a profile that leaves its class or contradicts itself.

    Raises:
        ConfigurationError: names every figure that is wrong and what would be consistent.
    """
    if found := problems(profile):
        raise ConfigurationError("; ".join(f"{name}: {text}" for name, text in found))


def problems(profile: DeviceProfile) -> list[tuple[str, str]]:
    """Return (figure, what is wrong with it) of each problem; none if the profile is consistent.

    Figures are held against each other only once each lies within its class.
    """
    return _outside_class(profile) or _contradictions(profile)


def _outside_class(profile: DeviceProfile) -> list[tuple[str, str]]:
    bounds = profile.device_class.bounds
    found = [
        (name, f"missing; {bound.meaning}, {bound.floor} to {bound.ceiling}")
        for name, bound in bounds.items()
        if bound.needed and name not in profile.figures
    ]
    for name, figure in profile.figures.items():
        if name not in bounds:
            found.append((name, f"unknown; allowed: {', '.join(bounds)}"))
            continue
        bound, value = bounds[name], figure.value
        if value.dimension is not bound.dimension:
            came, wanted = value.dimension.name.lower(), bound.dimension.name.lower()
            found.append((name, f"{value} is a {came}; a {wanted} belongs here"))
        elif not value.base.is_finite() or not bound.floor <= value <= bound.ceiling:
            allowed = f"{bound.floor} to {bound.ceiling}"
            kind = profile.device_class.name
            found.append((name, f"{value} lies outside {allowed}, the range of class {kind}"))
    return sorted(found)


def _contradictions(profile: DeviceProfile) -> list[tuple[str, str]]:
    found = []

    def ordered(*names: str) -> None:
        for low, high in pairwise(names):
            if profile[low] > profile[high]:
                found.append((low, f"{profile[low]} exceeds {high} = {profile[high]}"))

    def slow_enough(time: str, slope: str) -> None:
        largest = profile["output.setpoint_max"]
        steepest = largest.base / profile[time].base
        if steepest > profile[slope].base:
            needed = largest.base / profile[slope].base
            text = (
                f"{profile[time]} makes {float(steepest) * 1000:.3g} mA/s at {largest}, above "
                f"{slope} = {profile[slope]}; it needs at least {float(needed):.3g} s"
            )
            found.append((time, text))

    ordered("output.setpoint_min", "output.setpoint_max", "output.software_limit", "output.trip")
    ordered("output.setpoint_step", "output.setpoint_max")
    ordered("output.load_min", "output.load_max", "protection.open_resistance")
    ordered("protection.stop_time", "protection.off_time")
    ordered("protection.off_current", "output.setpoint_min")
    if {"power.minimum", "power.maximum"} <= set(profile.figures):
        ordered("power.minimum", "power.maximum")
    slow_enough("ramp.up_time", "ramp.up_slope")
    slow_enough("ramp.down_time", "ramp.down_slope")
    accuracy = profile["output.accuracy_absolute"].base
    relative = profile["output.accuracy_relative"].base * profile["output.setpoint_max"].base
    reach = profile["output.setpoint_max"].base + max(accuracy, relative)
    if reach > profile["output.software_limit"].base:
        text = (
            f"{profile['output.software_limit']} lies inside the accuracy of "
            f"output.setpoint_max: it must be at least {float(reach) * 1000:.4g} mA"
        )
        found.append(("output.software_limit", text))
    if "dose.cumulative" in profile.figures:
        largest = profile["dose.maximum"].base
        share = profile["dose.accuracy"].base * largest
        most = largest + max(share, profile["dose.accuracy_absolute"].base)
        if most > profile["dose.cumulative"].base:
            text = (
                f"{profile['dose.cumulative']} lies inside the accuracy of dose.maximum: it must "
                f"be at least {float(most) / 0.06:.4g} mA*min"
            )
            found.append(("dose.cumulative", text))
    return found
