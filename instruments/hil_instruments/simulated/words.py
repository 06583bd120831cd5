"""Which words of a device file the reference firmware does not understand, or says otherwise.

The simulated device of a model that nobody has simulated speaks the reference's words alone. A
device file with other words would meet a device that never answers, which looks like a dead one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from hil.device import KINDS, DeviceProfile, Reporting, Wire
from hil.errors import ConfigurationError
from hil.exact import Exact
from hil_instruments.simulated.device.console import POLARITY_WORDS, STATE_WORDS, Console
from hil_instruments.simulated.scpi.commands import CommandTree, table_of
from hil_instruments.simulated.scpi.messages import parse

COMMANDS = {
    "set_current": "SOUR:CURR {}",
    "set_polarity": "SOUR:POL {}",
    "set_dose": "SOUR:DOSE {}",
    "start": "TREAT:STAR",
    "pause": "TREAT:PAUS",
    "resume": "TREAT:RES",
    "stop": "TREAT:STOP",
    "abort": "TREAT:ABOR",
    "acknowledge": "FAULT:ACKNOWLEDGE",
    "query_state": "TREAT:STAT?",
    "query_fault": "FAUL:CODE?",
    "query_current": "MEAS:CURR?",
    "query_charge": "MEAS:CHAR?",
    "query_impedance": "MEAS:IMP?",
    "query_limited": "OUTP:LIM?",
    "query_short": "OUTP:SHOR?",
    "self_test": "*TST?",
    "query_voltage": "MEAS:VOLT?",
    "query_polarity": "TREAT:POL?",
    "query_time": "TREAT:TIME?",
    "set_link_time": "SYST:COMM:TIM {}",
    "query_set_current": "SOUR:CURR?",
    "query_set_polarity": "SOUR:POL?",
    "query_set_dose": "SOUR:DOSE?",
}
"""Action to the message that the reference knows; it takes each in its other forms as well."""
_UNITS = {
    "current": "1 A",
    "charge": "1 mA*min",
    "impedance": "1 ohm",
    "voltage": "1 V",
    "time": "1 s",
}
SHOWN = 6
"""Words that are named where they are refused."""
_TREE = CommandTree(table_of(Console))

Word: TypeAlias = tuple[str, str, str]
"""Key of [wire], what stands there, and what the reference knows."""


def refuse_unspoken(profile: DeviceProfile) -> None:
    """Refuse a device whose words the reference firmware does not speak.

    Raises:
        ConfigurationError: names each key, what came and what the simulated device knows.
    """
    found = list(unspoken(profile.wire))
    if found:
        lines = [f"wire.{key} = {came}: it knows {known}" for key, came, known in found[:SHOWN]]
        lines += [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
        raise ConfigurationError(
            f"the simulated bench does not speak these words of {profile.manufacturer} "
            f"{profile.model}; keep the reference's words to run or rehearse on it, or simulate "
            "the device (docs/your-stimulator.md):\n" + "\n".join(lines)
        )


def unspoken(wire: Wire) -> Iterator[Word]:
    """What stands in a device's words and is none of the reference's; nothing if all are."""
    for action, message in wire.commands.items():
        sent = message.replace("{}", "POS" if action == "set_polarity" else "1")
        if not _understood(sent):
            yield f"commands.{action}", f'"{message}"', f'"{COMMANDS[action]}"'
    yield from _units(wire)
    yield from _states(wire)
    for polarity, word in wire.polarities.items():
        if word.upper() not in {POLARITY_WORDS[polarity], polarity.value.upper()}:
            yield f"polarities.{polarity.value}", f'"{word}"', f'"{POLARITY_WORDS[polarity]}"'
    yield from _others(wire)


def _understood(message: str) -> bool:
    calls, error = parse(_TREE, message)
    return error is None and len(calls) == 1


def _units(wire: Wire) -> Iterator[Word]:
    """Numbers that it would write in another unit; it takes a setting in the unit of its kind."""
    seen = set()
    for action, message in wire.commands.items():
        if action not in KINDS or ("{}" in message and not message.endswith("{}")):
            continue  # no number, or one whose unit is told beside it
        key = action if action in wire.units else KINDS[action]
        known, step = Exact.parse(_UNITS[KINDS[action]]), wire.units.get(key)
        if step is not None and step.base != known.base and key not in seen:
            seen.add(key)
            yield f"units.{key}", f'"{step}"', f'"{known.unit}"'


def _states(wire: Wire) -> Iterator[Word]:
    for state in dict.fromkeys(wire.states.values()):
        mine = [word for word, meant in wire.states.items() if meant is state]
        if STATE_WORDS[state] not in mine:
            yield (
                f"states.{mine[0]}",
                f'"{state.value}"',
                f'{STATE_WORDS[state]} for "{state.value}"',
            )


def _others(wire: Wire) -> Iterator[Word]:
    for action, reply in wire.replies.items():
        if reply != "{}":
            yield f"replies.{action}", f'"{reply}"', "the value alone"
    for key, picture in wire.numbers.items():
        yield f"numbers.{key}", f'"{picture}"', "numbers as 1.000000E-03"
    for key, came, known in (
        ("words.no_fault", wire.no_fault.upper(), "NONE"),
        ("words.passed", wire.passed, "0"),
        ("words.yes", wire.yes, "1"),
    ):
        if came != known:
            yield key, f'"{came}"', f'"{known}"'
    if not _understood(wire.identity):
        yield "identity.query", f'"{wire.identity}"', '"*IDN?"'
    kind = wire.errors.kind
    if kind is Reporting.ANSWER:
        yield "errors.kind", '"answer"', '"queue"'
    elif kind is not Reporting.NONE and not _understood(wire.errors.query):
        yield "errors.query", f'"{wire.errors.query}"', '"SYST:ERR?"'
    if wire.echo:
        yield "line.echo", "true", "false"
