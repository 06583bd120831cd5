"""Data elements of a message: how their text is told apart, split and read (IEEE 488.2, 7.7).

Text is Latin-1, one character a byte, so that a block keeps its bytes.
"""

from __future__ import annotations

import re
from enum import Enum

from hil_instruments.simulated.scpi.errors import ScpiError

WHITE = "".join(map(chr, range(33)))
"""White space of IEEE 488.2, 7.4.1.2, and the line feed."""


class Kind(Enum):
    """What an element is, with the error code where none of that kind is allowed."""

    NUMBER = -128
    WORD = -148
    STRING = -158
    BLOCK = -168
    EXPRESSION = -178


_BLOCK = re.compile(r"#(?:(0)|([1-9])([0-9]{0,9}))")
_SPECIAL = {
    ";": re.compile(r"[;\"'#]"),  # no expression holds a `;` (IEEE 488.2, 7.7.7)
    ",": re.compile(r"[,\"'#()]"),
}


def kind_of(text: str) -> Kind:
    """Tell what an element is.

    Raises:
        ScpiError: nothing begins with that character.
    """
    first = text[0]
    if first in "\"'":
        return Kind.STRING
    if first == "(":
        return Kind.EXPRESSION
    if first == "#":
        return Kind.BLOCK if text[1:2].isdigit() else Kind.NUMBER
    if first in "+-." or "0" <= first <= "9":
        return Kind.NUMBER
    if first.isalpha() and first.isascii():
        return Kind.WORD
    raise ScpiError(-101, f"{text[:40]!r} begins with no character of a parameter")


def expect(text: str, *allowed: Kind) -> Kind:
    """Return the kind of an element.

    Raises:
        ScpiError: it is none of those allowed.
    """
    kind = kind_of(text)
    if kind not in allowed:
        names = " or ".join(each.name.lower() for each in allowed)
        raise ScpiError(kind.value, f"{text[:40]!r}; a {names} belongs here")
    return kind


def split(text: str, separator: str) -> list[str]:
    """Split at `;` or `,` outside strings and blocks, at `,` outside parentheses too."""
    special = _SPECIAL[separator]
    parts, start, place, depth = [], 0, 0, 0
    while found := special.search(text, place):
        at = found.start()
        letter, place = text[at], at + 1
        if letter == separator:
            if depth == 0:
                parts.append(text[start:at])
                start = place
        elif letter == "#":
            place = block_end(text, at)
        elif letter in "()":
            depth = depth + 1 if letter == "(" else max(depth - 1, 0)
        else:
            close = text.find(letter, place)
            place = close + 1 if close >= 0 else len(text)
    parts.append(text[start:])
    return parts


def block_end(text: str, at: int) -> int:
    """Return the place after the block that begins with the `#` at `at`; after it, if none does."""
    found = _BLOCK.match(text, at) if _begins_element(text, at) else None
    if found is None:
        return at + 1
    if found[1]:
        return len(text)
    width = int(found[2])
    digits = found[3][:width]
    if len(digits) < width:
        return at + 1
    return min(at + 2 + width + int(digits), len(text))


def _begins_element(text: str, at: int) -> bool:
    return at == 0 or text[at - 1] <= " " or text[at - 1] == ","


def read_block(text: str) -> bytes:
    """Return the bytes of a block, definite or indefinite.

    Raises:
        ScpiError: its length is wrong, or something follows it.
    """
    found = _BLOCK.match(text)
    if found is None:
        raise ScpiError(-161, f"{text[:20]!r}; a block is #<digits><length><bytes> or #0<bytes>")
    if found[1]:
        return text[2:].removesuffix("\n").encode("latin-1")
    width = int(found[2])
    digits = found[3][:width]
    if len(digits) < width:
        raise ScpiError(-161, f"{text[:20]!r}; {width} digits of its length are missing some")
    start, length = 2 + width, int(digits)
    data, rest = text[start : start + length], text[start + length :]
    if len(data) < length or rest.strip(WHITE):
        raise ScpiError(-161, f"{text[:start]!r} announces {length} bytes; got {len(text) - start}")
    return data.encode("latin-1")


def read_string(text: str) -> str:
    """Return the text of a quoted string, doubled quotes made single.

    Raises:
        ScpiError: the closing quote is missing, or something follows it.
    """
    quote, inner = text[0], text[1:-1]
    closed = len(text) > 1 and text[-1] == quote
    if not closed or quote in inner.replace(quote * 2, ""):
        raise ScpiError(-151, f"{text[:40]!r}; a quote inside is doubled, one closes it")
    return inner.replace(quote * 2, quote)
