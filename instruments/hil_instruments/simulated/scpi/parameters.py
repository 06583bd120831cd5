"""Parameters of a command: from their text to a value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hil_instruments.simulated.scpi.errors import ScpiError
from hil_instruments.simulated.scpi.headers import short_form


@dataclass(frozen=True, slots=True)
class Parameter:
    """How one parameter is read."""

    convert: Callable[[str], object]
    """From its text to a value; raises ScpiError."""
    optional: bool = False
    """Whether it may be left out; the handler then takes its own default."""


_NUMBER = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:\s*[eE]\s*([+-]?\d+))?\s*(\S.*)?\Z")
_MULTIPLIERS = {
    "EX": 1e18,
    "PE": 1e15,
    "T": 1e12,
    "G": 1e9,
    "MA": 1e6,
    "K": 1e3,
    "": 1.0,
    "M": 1e-3,
    "U": 1e-6,
    "N": 1e-9,
    "P": 1e-12,
}
_MEGA_UNITS = {"HZ", "OHM"}  # SCPI-99: MHZ and MOHM are mega, every other M is milli


def _words(pattern: str) -> dict[str, str]:
    """Return every spelling of `POSitive|NEGative`, each with its short form."""
    spellings: dict[str, str] = {}
    for word in filter(None, pattern.split("|")):
        spellings[short_form(word)] = spellings[word.upper()] = short_form(word)
    return spellings


def _factors(units: tuple[str, ...], others: Mapping[str, float]) -> dict[str, float]:
    factors = {name.upper(): factor for name, factor in others.items()}
    for unit in (name.upper() for name in units):
        for prefix, factor in _MULTIPLIERS.items():
            mega = prefix == "M" and unit in _MEGA_UNITS
            factors[prefix + unit] = 1e6 if mega else factor
    return factors


def number(*units: str, words: str = "", others: Mapping[str, float] | None = None) -> Parameter:
    """A number in the base unit, or one of `words` (given back in its short form).

    Args:
        units: units that may be written after it, with any SCPI multiplier; none forbids a suffix.
        words: keywords that may stand in its place, as `MINimum|MAXimum`.
        others: further suffixes and their factors.
    """
    known, factors = _words(words), _factors(units, others or {})

    def convert(text: str) -> float | str:
        if text.upper() in known:
            return known[text.upper()]
        found = _NUMBER.match(text)
        if found is None:
            raise ScpiError(-104, f"{text!r} is no number{words and f' and none of {words}'}")
        digits, exponent, suffix = found.groups()
        if exponent and (len(exponent) > 6 or abs(int(exponent)) > 32000):
            raise ScpiError(-123, f"{text!r}; the exponent may reach 32000")
        value = float(f"{digits}e{exponent}") if exponent else float(digits)
        if suffix is None:
            return value
        if not factors:
            raise ScpiError(-138, f"{text!r}; write the number alone")
        if suffix.upper() not in factors:
            allowed = ", ".join((*units, *(others or {})))
            raise ScpiError(-131, f"{suffix!r} in {text!r}; allowed: {allowed}")
        return value * factors[suffix.upper()]

    return Parameter(convert)


def integer(words: str = "") -> Parameter:
    """A whole number (rounded, as SCPI asks), or one of `words` in its short form."""
    plain = number(words=words)

    def convert(text: str) -> int | str:
        value = plain.convert(text)
        if isinstance(value, str):
            return value
        if not isinstance(value, float) or abs(value) > 2**53:
            raise ScpiError(-222, f"{text!r} is too large")
        return round(value)

    return Parameter(convert)


def choice(words: str) -> Parameter:
    """One of `POSitive|NEGative`, given back in its short form."""
    known = _words(words)

    def convert(text: str) -> str:
        if text.upper() in known:
            return known[text.upper()]
        if _NUMBER.match(text) and text not in known:
            raise ScpiError(-104, f"{text!r}; one of {words} belongs here")
        raise ScpiError(-224, f"{text!r}; allowed: {words}")

    return Parameter(convert)


def boolean() -> Parameter:
    """ON, OFF, or a number, of which only 0 is off."""

    def convert(text: str) -> bool:
        if text.upper() in {"ON", "OFF"}:
            return text.upper() == "ON"
        try:
            return round(float(text)) != 0
        except (ValueError, OverflowError) as err:
            raise ScpiError(-224, f"{text!r}; allowed: ON, OFF, 1, 0") from err

    return Parameter(convert)


_RANGE = re.compile(r"(\d{1,4})(?:\s*:\s*(\d{1,4}))?\Z")


def channels() -> Parameter:
    """A channel list, as `(@101,103:105)`; gives a tuple of numbers in the order written."""

    def convert(text: str) -> tuple[int, ...]:
        if not (text.startswith("(@") and text.endswith(")")):
            raise ScpiError(-104, f"{text!r}; a channel list is written (@101,103:105)")
        listed: list[int] = []
        for part in text[2:-1].split(","):
            found = _RANGE.match(part.strip())
            if found is None:
                raise ScpiError(-171, f"{part.strip()!r} in {text!r}; write 101 or 101:105")
            first = int(found[1])
            last = int(found[2] or first)
            if last < first:
                raise ScpiError(-171, f"{part.strip()!r} in {text!r} runs backwards")
            listed += range(first, last + 1)
        return tuple(listed)

    return Parameter(convert)


def optional(parameter: Parameter) -> Parameter:
    """The same parameter, which may be left out."""
    return Parameter(parameter.convert, optional=True)
