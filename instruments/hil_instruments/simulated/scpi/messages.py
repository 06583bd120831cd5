"""Messages: from text to calls, by the rules of SCPI-99, volume 1, chapter 6."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hil_instruments.simulated.scpi.commands import Command, CommandTree
from hil_instruments.simulated.scpi.elements import WHITE, split
from hil_instruments.simulated.scpi.errors import ScpiError

UNDEFINED_LENGTH = frozenset({"*IDN?", "*OPT?"})
"""Queries whose reply has no other end than that of the message (IEEE 488.2, 10.14 and 10.20)."""
REFUSE = "refuse"
"""Handler of a unit that is well written but asks what cannot be: it reports its argument."""


@dataclass(frozen=True, slots=True)
class Call:
    """One unit of a message, ready to be obeyed."""

    handler: str
    arguments: tuple[object, ...]
    query: bool
    end: int = 0
    """Characters of the message up to its end."""


Program: TypeAlias = tuple[tuple[Call, ...], ScpiError | None]
"""The units of a message, and the error that ended it."""

_HEADER = re.compile(
    r"[\0-\x20]*(\*?[A-Za-z]\w*\??|:?[A-Za-z]\w*(?::[A-Za-z]\w*)*\??)(?:[\0-\x20]+|\Z)", re.ASCII
)
_BEGINNING = re.compile(r"[\0-\x20]*[*:]?[\w:]*\??", re.ASCII)
_CAN_QUOTE = re.compile(r"[\"'#]")


def parse(tree: CommandTree, message: str) -> Program:
    """Read one message, Latin-1, without or with its terminator.

    A unit that is badly written ends the message: units before it are obeyed, none after it is
    (IEEE 488.2, 6.1.6.1, leaves what follows a command error to the device). A unit that is well
    written but asks for what cannot be does not (11.5.1.1.5).
    """
    calls: list[Call] = []
    path, end, endless = "", -1, False
    units = split(message, ";") if _CAN_QUOTE.search(message) else message.split(";")
    try:
        for unit in units:
            end += len(unit) + 1
            if not unit.strip(WHITE):
                continue
            header, rest = _head(unit)
            full, path = _resolved(header, path)
            endless = _still_endless(endless, full)
            calls.append(_call(tree, full, rest, end))
    except ScpiError as error:
        return tuple(calls), error
    return tuple(calls), None


def _still_endless(endless: bool, header: str) -> bool:
    """Return whether the last reply is one without length, after which no query may come."""
    if endless and header.endswith("?"):
        raise ScpiError(-440, f"{header[:80]} after a query whose reply has no length")
    return endless or header in UNDEFINED_LENGTH


def _head(unit: str) -> tuple[str, str]:
    """Return the header of a unit in capitals, and what follows it."""
    found = _HEADER.match(unit)
    if found is None:
        raise _bad_header(unit)
    return found[1].upper(), unit[found.end() :]


def _bad_header(unit: str) -> ScpiError:
    beginning = _BEGINNING.match(unit)
    read = beginning.end() if beginning else 0
    rest = unit[read:].lstrip(WHITE)
    if not rest or rest[0].isdigit():
        return ScpiError(-102, f"{unit.strip(WHITE)[:40]!r} begins with no header")
    if read and rest[0] in "?*:,.+-()#\"'/":
        return ScpiError(-111, f"{rest[0]!r} after {unit[:read].strip()[:40]!r}")
    return ScpiError(-101, f"{rest[0]!r} in the header of {unit.strip(WHITE)[:40]!r}")


def _resolved(header: str, path: str) -> tuple[str, str]:
    """Return the full header, and the path for what follows it (SCPI-99, volume 1, 6.2.4)."""
    if header.startswith("*"):
        return header, path
    full = header[1:] if header.startswith(":") else path + header
    node, colon, _ = full.rpartition(":")
    return full, node + colon


def _call(tree: CommandTree, header: str, rest: str, end: int) -> Call:
    command, suffixes = tree.find(header)
    texts = [_stripped(part) for part in split(rest, ",")] if rest.strip(WHITE) else []
    try:
        arguments = _arguments(command, texts)
    except ScpiError as error:
        if -300 < error.code <= -200:
            return Call(REFUSE, (error,), command.is_query, end)
        raise
    return Call(command.handler, (*suffixes, *arguments), command.is_query, end)


def _stripped(text: str) -> str:
    """Return an element without white space; the end of a block is its own."""
    bare = text.lstrip(WHITE)
    return bare if bare.startswith("#") else bare.rstrip(WHITE)


def _arguments(command: Command, texts: Sequence[str]) -> list[object]:
    parameters = command.parameters
    if len(texts) > len(parameters):
        allowed = len(parameters) or "none"
        raise ScpiError(-108, f"{command.header} got {len(texts)}; allowed: {allowed}")
    if any(not parameter.optional for parameter in parameters[len(texts) :]):
        raise ScpiError(-109, f"{command.header} got {len(texts)} of {len(parameters)}")
    pairs = zip(parameters, texts, strict=False)
    return [p.convert(text if p.blank and not text else _checked(text)) for p, text in pairs]


def _checked(text: str) -> str:
    """Return the text of an element that may be read."""
    if not text:
        raise ScpiError(-102, "nothing stands before or after a comma")
    if text.startswith("#"):
        return text if text[1:2].isdigit() else text.rstrip(WHITE)
    if not text.isascii():
        raise ScpiError(-101, f"{text[:40]!r} holds characters outside ASCII")
    return text
