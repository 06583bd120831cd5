"""Messages: from text to calls, by the rules of SCPI-99, volume 1, chapter 6."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from hil_instruments.simulated.scpi.commands import Command
from hil_instruments.simulated.scpi.errors import ScpiError


@dataclass(frozen=True, slots=True)
class Call:
    """One unit of a message, ready to be obeyed."""

    handler: str
    arguments: tuple[object, ...]
    query: bool


Program: TypeAlias = tuple[tuple[Call, ...], ScpiError | None]
"""The units of a message, and the command error that ended it."""

_SUFFIX = re.compile(r"(?<=[A-Z])\d{1,9}(?=[:?]|\Z)")
_QUOTING = re.compile(r"[\"'(]")


def _split(text: str, separator: str) -> list[str]:
    """Split at `separator` outside quotes and parentheses."""
    if not _QUOTING.search(text):
        return text.split(separator)
    parts, quote, depth, start = [], "", 0, 0
    for place, letter in enumerate(text):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "\"'":
            quote = letter
        elif letter in "()":
            depth += 1 if letter == "(" else -1
        elif letter == separator and depth == 0:
            parts.append(text[start:place])
            start = place + 1
    return [*parts, text[start:]]


def parse(table: Mapping[str, Command], message: str) -> Program:
    """Read one message (without its terminator) by the rules of SCPI-99, volume 1, chapter 6.

    A unit that cannot be read ends the message: units before it are obeyed, none after it is.
    """
    calls: list[Call] = []
    path = ""
    try:
        for unit in _split(message, ";"):
            text = unit.strip()
            if text:
                header, _, rest = text.partition(" ")
                full, path = _header(header, path)
                calls.append(_call(table, full, rest))
    except ScpiError as error:
        return tuple(calls), error
    return tuple(calls), None


def _header(written: str, path: str) -> tuple[str, str]:
    """Return the full header in capitals, and the path for what follows it."""
    header = written.upper()
    if header.startswith("*"):
        return header, path
    full = header[1:] if header.startswith(":") else path + header
    node, colon, _ = full.rpartition(":")
    return full, node + colon


def _call(table: Mapping[str, Command], header: str, rest: str) -> Call:
    suffixes: list[object] = []
    command = table.get(header)
    if command is None:
        command, suffixes = _suffixed(table, header)
    elif "<n>" in command.header:
        suffixes = [1] * command.header.count("<n>")
    texts = [part.strip() for part in _split(rest, ",")] if rest.strip() else []
    arguments = _arguments(command, texts)
    return Call(command.handler, (*suffixes, *arguments), command.header.endswith("?"))


def _suffixed(table: Mapping[str, Command], header: str) -> tuple[Command, list[object]]:
    written: list[object] = [int(digits) for digits in _SUFFIX.findall(header)]
    command = table.get(_SUFFIX.sub("#", header))
    if command is not None and written:
        return command, written
    bare = table.get(_SUFFIX.sub("", header))
    if bare is None or not written:
        raise ScpiError(-113, header)
    if any(number != 1 for number in written):
        raise ScpiError(-114, f"{header}; {bare.header} takes no such suffix")
    return bare, [1] * bare.header.count("<n>")


def _arguments(command: Command, texts: Sequence[str]) -> list[object]:
    parameters = command.parameters
    if len(texts) > len(parameters):
        allowed = len(parameters) or "none"
        raise ScpiError(-108, f"{command.header} got {len(texts)}; allowed: {allowed}")
    if any(not parameter.optional for parameter in parameters[len(texts) :]) or "" in texts:
        raise ScpiError(-109, f"{command.header} got {len(texts)} of {len(parameters)}")
    return [p.convert(text) for p, text in zip(parameters, texts, strict=False)]
