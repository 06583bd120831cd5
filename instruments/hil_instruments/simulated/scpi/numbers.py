"""Numeric parameters: decimal with units and multipliers, hexadecimal, octal, binary, keywords."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping

from hil_instruments.simulated.scpi.elements import Kind, expect
from hil_instruments.simulated.scpi.errors import ScpiError
from hil_instruments.simulated.scpi.parameters import Parameter, words_of

LARGEST_EXPONENT = 32_000
"""IEEE 488.2, 7.7.2.4.1."""
MOST_DIGITS = 255
"""Digits of a mantissa without leading zeros (IEEE 488.2, 7.7.2.4.1)."""
LONGEST_SUFFIX = 12
"""Characters of a unit with its multiplier (IEEE 488.2, 7.7.3.4)."""

# Possessive, so that a megabyte of digits is refused in one pass.
_DECIMAL = re.compile(
    r"([+-]?(?:\d++(?:\.\d*+)?|\.\d++))(?:\s*+[eE]\s*+([+-]?\d++))?+(\s*+)(.*)\Z",
    re.ASCII | re.DOTALL,
)
_OTHER_BASE = re.compile(r"#(?:[hH]([0-9a-fA-F]+)|[qQ]([0-7]+)|[bB]([01]+))\Z")
_SUFFIX = re.compile(r"[A-Za-z/%][A-Za-z0-9./*%-]*\Z")
_MULTIPLIERS = {
    "EX": 18,
    "PE": 15,
    "T": 12,
    "G": 9,
    "MA": 6,
    "K": 3,
    "": 0,
    "M": -3,
    "U": -6,
    "N": -9,
    "P": -12,
    "F": -15,
    "A": -18,
}
"""Powers of ten (IEEE 488.2, table 7-2)."""
_MEGA_UNITS = {"HZ", "OHM"}  # table 7-2, note: MHZ and MOHM are mega, every other M is milli


def _shifts(units: tuple[str, ...]) -> dict[str, int]:
    """Return every spelling of the units with a multiplier, each with its power of ten.

    A multiplier needs its unit, so MA is a milliampere where the unit is A, and MAA a megaampere.
    """
    return {
        prefix + unit: 6 if prefix == "M" and unit in _MEGA_UNITS else shift
        for unit in (name.upper() for name in units)
        for prefix, shift in _MULTIPLIERS.items()
    }


def number(*units: str, words: str = "", others: Mapping[str, float] | None = None) -> Parameter:
    """A finite number in the base unit, or one of `words` (given back in its short form).

    Args:
        units: units that may be written after it, with any SCPI multiplier; none forbids a suffix.
        words: keywords that may stand in its place, as `MINimum|MAXimum`.
        others: further suffixes and their factors.
    """
    known, shifts = words_of(words), _shifts(units)
    factors = {name.upper(): factor for name, factor in (others or {}).items()}
    allowed = ", ".join((*units, *(others or {})))

    def convert(text: str) -> float | str:
        if text.upper() in known:
            return known[text.upper()]
        digits, exponent, suffix = _read(text, words)
        name = suffix.upper()
        if not name or name in shifts:
            given = _finite(digits, exponent + shifts.get(name, 0), text)
        elif name in factors:
            given = _finite(digits, exponent, text) * factors[name]
        elif not allowed:
            raise ScpiError(-138, f"{text[:40]!r}; write the number alone")
        else:
            raise ScpiError(-131, f"{suffix!r} in {text[:40]!r}; allowed: {allowed}")
        return given

    return Parameter(convert)


def _read(text: str, words: str) -> tuple[str, int, str]:
    """Return mantissa, exponent and suffix of a number."""
    if words and text[0].isalpha():
        raise ScpiError(-141, f"{text[:40]!r} is no number and none of {words}")
    expect(text, Kind.NUMBER)
    if text.startswith("#"):
        return _other_base(text), 0, ""
    found = _DECIMAL.match(text)
    if found is None:
        raise ScpiError(-121, f"{text[:40]!r} is no number")
    digits, exponent, gap, suffix = found.groups()
    if len(digits.lstrip("+-0.")) > MOST_DIGITS + 1:
        raise ScpiError(-124, f"{len(digits)} digits; allowed: {MOST_DIGITS}")
    if suffix and not _SUFFIX.match(suffix):
        raise ScpiError(-103 if gap else -121, f"{suffix[:40]!r} after the number {digits}")
    if len(suffix) > LONGEST_SUFFIX:
        raise ScpiError(-134, f"{suffix[:40]!r}; allowed: {LONGEST_SUFFIX} characters")
    return digits, _exponent(exponent), suffix


def _exponent(written: str | None) -> int:
    if written is None:
        return 0
    if len(written) > 6 or abs(int(written)) > LARGEST_EXPONENT:
        raise ScpiError(-123, f"{written[:40]}; the exponent may reach {LARGEST_EXPONENT}")
    return int(written)


def _other_base(text: str) -> str:
    found = _OTHER_BASE.match(text)
    if found is None:
        raise ScpiError(-121, f"{text[:40]!r}; write #H1F, #Q17 or #B101")
    hexadecimal, octal, binary = found.groups()
    if len(text) > 66:
        raise ScpiError(-124, f"{len(text)} characters; allowed: 64 digits")
    return str(int(hexadecimal or octal or binary, 16 if hexadecimal else 8 if octal else 2))


def _finite(digits: str, exponent: int, text: str) -> float:
    """Return the nearest float: shifting the text, unlike a product, rounds once."""
    given = float(f"{digits}e{exponent}") if exponent else float(digits)
    if math.isinf(given):
        raise ScpiError(-222, f"{text[:40]!r} is too large")
    return given


def integer(words: str = "") -> Parameter:
    """A whole number (rounded, as SCPI asks), or one of `words` in its short form."""
    plain = number(words=words)

    def convert(text: str) -> int | str:
        given = plain.convert(text)
        if isinstance(given, str):
            return given
        if not isinstance(given, float) or abs(given) > 2**53:
            raise ScpiError(-222, f"{text[:40]!r} is too large")
        return round(given)

    return Parameter(convert)


def boolean() -> Parameter:
    """ON, OFF, or a number, of which only 0 is off."""
    plain = number(words="ON|OFF")

    def convert(text: str) -> bool:
        if text[0].isalpha() and text.upper() not in {"ON", "OFF"}:
            raise ScpiError(-224, f"{text[:40]!r}; allowed: ON, OFF, 1, 0")
        given = plain.convert(text)
        if isinstance(given, float):
            return round(given) != 0
        return given == "ON"

    return Parameter(convert)
