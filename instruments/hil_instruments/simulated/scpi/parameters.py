"""Parameters of a command other than numbers: from their text to a value."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from hil_instruments.simulated.scpi.elements import Kind, expect, read_block, read_string
from hil_instruments.simulated.scpi.errors import ScpiError
from hil_instruments.simulated.scpi.headers import short_form

LONGEST_LIST = 1024
"""Entries that a channel list or numeric list may stand for."""
LONGEST_WORD = 12
"""Characters of character data (IEEE 488.2, 7.7.1.4)."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """How one parameter is read."""

    convert: Callable[[str], object]
    """From its text, Latin-1, to a value; raises ScpiError."""
    optional: bool = False
    """Whether it may be left out; the handler then takes its own default."""
    blank: bool = False
    """Whether nothing at all, beside a comma, stands for it as well; it then gets an empty text."""


def optional(parameter: Parameter) -> Parameter:
    """The same parameter, which may be left out."""
    return Parameter(parameter.convert, optional=True)


def words_of(pattern: str) -> dict[str, str]:
    """Return every spelling of `POSitive|NEGative`, each with its short form."""
    spellings: dict[str, str] = {}
    for word in filter(None, pattern.split("|")):
        spellings[short_form(word)] = spellings[word.upper()] = short_form(word)
    return spellings


def choice(words: str) -> Parameter:
    """One of `POSitive|NEGative`, given back in its short form."""
    known = words_of(words)

    def convert(text: str) -> str:
        if text.upper() in known:
            return known[text.upper()]
        expect(text, Kind.WORD)
        if len(text) > LONGEST_WORD:
            raise ScpiError(-144, f"{text[:40]!r}; allowed: {words}")
        raise ScpiError(-224, f"{text!r}; allowed: {words}")

    return Parameter(convert)


def string(longest: int = 255) -> Parameter:
    """A quoted string of up to `longest` characters; a quote inside is written twice."""

    def convert(text: str) -> str:
        expect(text, Kind.STRING)
        inner = read_string(text)
        if len(inner) > longest:
            raise ScpiError(-223, f"{len(inner)} characters; allowed: {longest}")
        return inner

    return Parameter(convert)


def block_data(longest: int = 65_536) -> Parameter:
    """Bytes as a definite-length or indefinite-length block."""

    def convert(text: str) -> bytes:
        expect(text, Kind.BLOCK)
        data = read_block(text)
        if len(data) > longest:
            raise ScpiError(-223, f"{len(data)} bytes; allowed: {longest}")
        return data

    return Parameter(convert)


_RANGE = re.compile(r"(\d{1,9})(?:\s*:\s*(\d{1,9}))?\Z", re.ASCII)


def _listed(inner: str, text: str) -> tuple[int, ...]:
    """Read `101,103:105`, in the order written."""
    listed: list[int] = []
    for part in inner.split(","):
        found = _RANGE.match(part.strip())
        if found is None:
            raise ScpiError(-171, f"{part.strip()[:40]!r} in {text[:40]!r}; write 101 or 101:105")
        first = int(found[1])
        last = int(found[2] or first)
        if last < first:
            raise ScpiError(-171, f"{part.strip()!r} in {text[:40]!r} runs backwards")
        if len(listed) + last - first >= LONGEST_LIST:
            raise ScpiError(-223, f"{text[:40]!r} lists more than {LONGEST_LIST}")
        listed += range(first, last + 1)
    return tuple(listed)


def channels() -> Parameter:
    """A channel list, as `(@101,103:105)`; gives a tuple of numbers in the order written."""

    def convert(text: str) -> tuple[int, ...]:
        expect(text, Kind.EXPRESSION)
        if not (text.startswith("(@") and text.endswith(")")):
            raise ScpiError(-171, f"{text[:40]!r}; a channel list is written (@101,103:105)")
        return _listed(text[2:-1], text)

    return Parameter(convert)


def numeric_list() -> Parameter:
    """A list of whole numbers, as `(1,3:5)`; gives a tuple in the order written."""

    def convert(text: str) -> tuple[int, ...]:
        expect(text, Kind.EXPRESSION)
        if not text.endswith(")"):
            raise ScpiError(-171, f"{text[:40]!r}; a numeric list is written (1,3:5)")
        return _listed(text[1:-1], text)

    return Parameter(convert)
