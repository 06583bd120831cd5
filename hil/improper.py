"""Messages that a device must refuse, made of its own words: what no driver would ever send.

Each is wrong by itself or at its time, whatever the device is: an unknown command, a number that is
none, a setting out of its declared range, a setting during a treatment, a start after a fault.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from hil.device import KINDS, DeviceProfile, Polarity
from hil.errors import Unavailable
from hil.exact import Exact

UNKNOWN = "STIMPROOF:NO:SUCH:COMMAND 1"
"""What no device calls a command of its own."""
WORD = 65536
"""Counts after which a number of 16 bit begins anew."""
MICRO = Exact.parse("1 uA")
"""Count in which firmware often keeps a current."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message, and what is wrong with it."""

    wrong: str
    """As `out of range: 8 mA`."""
    text: str
    """As it is sent."""


def worded(profile: DeviceProfile, action: str, value: Exact) -> str:
    """The message of an action with a value, in the words of the device, whatever its range.

    Raises:
        Unavailable: the device file has no words: a driver of its own speaks to the device.
    """
    wire, kind = profile.wire, KINDS[action]
    command = _command(profile, action)
    step = wire.units.get(action) or wire.units[kind]
    count = value.require(step.dimension).base / step.base
    picture = wire.numbers.get(action) or wire.numbers.get(kind, "")
    return command.replace("{}", _pictured(count, picture))


def _command(profile: DeviceProfile, action: str) -> str:
    commands = profile.wire.commands
    if action not in commands:
        raise Unavailable(
            f"the device file has no words for {action!r} in [wire.commands]: a driver of its own "
            "speaks to the device, and no wrong message can be made of its words"
        )
    return commands[action]


def always(profile: DeviceProfile, held: Exact, other: Exact) -> tuple[Message, ...]:
    """What is refused at any time.

    Args:
        profile: the device.
        held: setting that is in force.
        other: another setting in range: what some of the messages would be taken for.
    """
    return (
        *_out_of_range(profile, other),
        *_malformed(profile, held, other),
        Message("an unknown command", UNKNOWN),
    )


def running(profile: DeviceProfile, polarity: Polarity) -> tuple[Message, ...]:
    """What is refused while a treatment runs: settings that are locked, and another start.

    Args:
        profile: the device.
        polarity: of the treatment.
    """
    wire = profile.wire
    turned = _command(profile, "set_polarity").replace("{}", wire.polarities[polarity.opposite])
    dose = profile["dose.maximum"]
    return (
        Message("a polarity while a treatment runs", turned),
        Message("a start while a treatment runs", _command(profile, "start")),
        Message(f"a dose of {dose} while a treatment runs", worded(profile, "set_dose", dose)),
    )


def restarts(profile: DeviceProfile, setpoint: Exact) -> tuple[Message, ...]:
    """What releases no latched fault: a reset, where the device has one, a setting and a start."""
    wire = profile.wire
    found = (
        Message("a setting after a fault", worded(profile, "set_current", setpoint)),
        Message("a start after a fault", _command(profile, "start")),
    )
    reset = (Message("a reset after a fault", "*RST"),) if wire.identity == "*IDN?" else ()
    return reset + found


def _out_of_range(profile: DeviceProfile, other: Exact) -> tuple[Message, ...]:
    low, high = profile["output.setpoint_min"], profile["output.setpoint_max"]
    wrapped = Exact(other.base + WORD * MICRO.base, "A")
    found = (
        Exact(high.base + profile["output.setpoint_step"].base, "A"),
        Exact(2 * high.base, "A"),
        Exact(-other.base, "A"),
        wrapped,
        Exact(low.base / 2, "A"),
        Exact(other.base * 1000, "A"),
        Exact(other.base * 1000000, "A"),
    )
    return tuple(
        Message(f"out of range: {value.to('mA')}", worded(profile, "set_current", value))
        for value in found
    )


def _malformed(profile: DeviceProfile, held: Exact, other: Exact) -> tuple[Message, ...]:
    """Numbers that are none; where one was read in part, `other` would be set, or a part of it."""
    template = _command(profile, "set_current")
    number = f"{other.to('mA').magnitude.normalize():f}"
    between = f"{((held.base + other.base) * 500).normalize():f}"
    words = (
        ("a decimal comma", f"{number},5 MA"),
        ("two points in a number", f"{between}.0.0 MA"),
        ("two numbers", f"{number} MA,{between} MA"),
        ("a wrong unit", f"{number} V"),
        ("an unknown unit", f"{number} XA"),
        ("no number", "ONE"),
        ("no value", ""),
        ("not a number", "NAN"),
    )
    return tuple(
        Message(f"{wrong}: {text!r}", template.replace("{}", text).strip()) for wrong, text in words
    )


def _pictured(count: Decimal, picture: str) -> str:
    """A number in the digits that the device wants; a value that does not fit is written longer."""
    whole, point, after = picture.partition(".")
    places = len(after) if point else None
    text = f"{count:f}" if places is None and not picture else f"{count:.{places or 0}f}"
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    width = len(whole) + (len(after) + 1 if point else 0)
    return sign + digits.rjust(width, "0")
