r"""What was said on the wire: the lines of a transcript, written and read back.

A line is `seconds role way text`, with seconds of bench time to the last digit:

    12.5 ammeter write READ?
    12.5002 ammeter read +1.000000E-03
    12.5004 ammeter block 40000 #1200000 9f86d0..
    12.5006 clock read 12.5004

A text is as it was sent or came, but for what is no printable character, and for the backslash:
these stand as `\n`, `\\`, `\x07` and the like, so that a line is a line and every text comes back.
A block's bytes stand apart; its line tells how many they are, where they begin and their SHA-256.
The last line says that the run read its clock, and where it found another time than that of the
message or reading before and what it has slept since: so a replay decides by the same times.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from hil.errors import UsageError

WRITE, READ, STOP, ERROR, BLOCK = "write", "read", "stop", "error", "block"
CLOCK = "clock"
"""Role of a line that tells what was read of the clock, where it is not what was to be expected."""
_LINE = re.compile(
    r"(?P<at>-?\d+(?:\.\d+)?(?:e-?\d+)?) (?P<role>\S+) (?P<way>write|read|stop|error|block) "
    r"(?P<text>.*)"
)
_BLOCK = re.compile(r"(?P<count>\d{1,15}) #(?P<begin>\d{1,15}) (?P<sha256>[0-9a-f]{64})")
_ESCAPED = re.compile(r"\\(?:[nrt\\]|x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8})|\\")
_SHORT = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\\": r"\\"}
_PLAIN = {escaped: plain for plain, escaped in _SHORT.items()}


@dataclass(frozen=True, slots=True)
class Stored:
    """Where the bytes of a block stand."""

    count: int
    """How many they are."""
    begin: int
    """Byte at which they begin."""
    sha256: str
    """In hexadecimal."""

    def __str__(self) -> str:
        return f"{self.count} #{self.begin} {self.sha256}"


@dataclass(frozen=True, slots=True)
class Message:
    """One line of a transcript."""

    line: int
    """Its number, from 1."""
    at: float
    """Bench time in s."""
    role: str
    way: str
    """write, read, stop, error or block."""
    text: str
    """As it was sent or came; empty for a block."""
    block: Stored | None = None

    def __str__(self) -> str:
        said = repr(self.text) if self.block is None else f"of {self.block.count} bytes"
        return f"{self.way} {said}"


def line_of(at: float, role: str, way: str, text: str) -> str:
    """Write a line, without its end."""
    return f"{float(at)!r} {role} {way} {escaped(text)}"


def block_of(payload: bytes, begin: int) -> Stored:
    """Say where a block stands that begins at a byte."""
    return Stored(len(payload), begin, hashlib.sha256(payload).hexdigest())


def messages(lines: Iterable[str]) -> Iterator[Message]:
    """Read a transcript, line by line without their ends.

    Raises:
        UsageError: a line is none that a run writes.
    """
    for number, line in enumerate(lines, 1):
        yield read_message(number, line)


def read_message(number: int, line: str) -> Message:
    """Read one line; raises UsageError if it is none that a run writes."""
    found = _LINE.fullmatch(line)
    if found is None:
        raise UsageError(
            f"transcript, line {number}: {line[:60]!r} is not `seconds role way text` with way "
            f"write, read, stop, error or block"
        )
    at, role, way, text = float(found["at"]), found["role"], found["way"], found["text"]
    if way != BLOCK:
        return Message(number, at, role, way, plain(number, text))
    stored = _BLOCK.fullmatch(text)
    if stored is None:
        raise UsageError(
            f"transcript, line {number}: {text[:60]!r} is not `count #begin SHA-256` of a block"
        )
    block = Stored(int(stored["count"]), int(stored["begin"]), stored["sha256"])
    return Message(number, at, role, way, "", block)


def escaped(text: str) -> str:
    """Write a text so that it stands on one line; `plain` reads it back."""
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_escape, text))


def plain(number: int, text: str) -> str:
    """Read a text back.

    Args:
        number: of its line, for the error.
        text: as `escaped` wrote it.

    Raises:
        UsageError: `escaped` never wrote it.
    """
    if "\\" not in text and text.isprintable():
        return text
    back = _ESCAPED.sub(_character, text)
    if escaped(back) != text:
        raise UsageError(f"transcript, line {number}: {text[:60]!r} is not escaped as a run does")
    return back


def _escape(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _character(found: re.Match[str]) -> str:
    written = found[0]
    if written in _PLAIN:
        return _PLAIN[written]
    code = int(written[2:], 16) if len(written) > 1 else 0x110000
    return chr(code) if code < 0x110000 else ""
