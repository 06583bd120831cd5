"""How figures and foreign text are shown: sensible digits, no rounding across a limit, no control.

Nothing here decides: every verdict was made from the exact decimals in the journal.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import TypeVar

Entry = TypeVar("Entry")

_PREFIXES = {-9: "n", -6: "\N{MICRO SIGN}", -3: "m", 0: "", 3: "k", 6: "M"}
_RANGES = {
    "A": ("A", -9, 0),
    "V": ("V", -6, 3),
    "ohm": ("Ω", 0, 6),
    "s": ("s", -9, 0),
    "C": ("C", -6, 0),
    "A/s": ("A/s", -6, 0),
    "Hz": ("Hz", 0, 6),
    "F": ("F", -9, 0),
    "J": ("J", -6, 0),
}
_FIXED = {
    "A/m^2": ("mA/cm²", Decimal("0.1")),
    "m^2": ("cm²", Decimal("1E+4")),
    "degC": ("°C", Decimal(1)),
    "1": ("", Decimal(1)),
}
_PRINTED = [
    (re.compile(r"(?<=\d )u(?=(?:ohm|[AVCsFJW])\b)"), "\N{MICRO SIGN}"),
    (re.compile(r"(?<=\d )([kM\N{MICRO SIGN}m]?)ohm\b"), r"\1Ω"),
    (re.compile(r"(?<=\d)%"), " %"),
    (re.compile(r"(?<=\d )degC\b"), "°C"),
    (re.compile(r"(?<=m)\^2\b"), "²"),
    (re.compile(r"\+/?-(?= ?\d)"), "±"),
    (re.compile(r"(?<=\d )([\N{MICRO SIGN}m]?A)\*(?=(?:min|s|h)\b)"), r"\1·"),
    (re.compile(r"(?<=\d )([\N{MICRO SIGN}mk]?[AVΩs]) x (?=\d)"), "\\1 \N{MULTIPLICATION SIGN} "),
]
_FIGURE = re.compile(r"\d[ %]")
"""Stands in whatever one of these patterns finds, and is looked for at a fifth of the cost."""
_PIECE = re.compile(r"\S{4,18}?[_\-/.,:;=\[\]()]|\S{20}")
"""What may be parted from the rest of a long word: up to a point in it, or as much as fits."""
_MARKUP = re.compile(r"[\\`*_{}\[\]<>|~$&]")
_MENTION = re.compile(r"(@|!|(?<!&)#|(?=://)|www|mailto|xmpp)")
DASH = "\N{EN DASH}"
"""Stands where there is no figure."""
LONGEST = 4000
"""Characters of one foreign text that a view shows; the journal has the rest."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A unit to show figures in."""

    unit: str
    """As printed; empty for a ratio."""
    factor: Decimal
    """Shown figure = SI figure x factor."""

    def number(self, value: Decimal | None, step: Decimal | None = None) -> str:
        """Write an SI figure in this unit, without the unit.

        Args:
            value: figure in SI; None is written as a dash.
            step: smallest step in SI to round to; None writes all digits, at most twelve.
        """
        if value is None:
            return DASH
        if not value.is_finite():
            return str(value)
        shown = value * self.factor
        if step is not None and step > 0:
            shown = shown.quantize(_power(step * self.factor), ROUND_HALF_EVEN)
            shown = shown or abs(shown)  # no zero has a sign
        else:
            shown = _trimmed(shown)
        return signed(f"{shown:f}")

    def text(self, value: Decimal | None, step: Decimal | None = None) -> str:
        """Write an SI figure with its unit."""
        number = self.number(value, step)
        return number if value is None or not self.unit else f"{number} {self.unit}"


def signed(number: str) -> str:
    """Write a number with a true minus sign."""
    return number.replace("-", "\N{MINUS SIGN}")


def decimal(text: str | None) -> Decimal | None:
    """Read a figure of the journal; None for none and for what is no number."""
    try:
        return None if text is None else Decimal(text)
    except InvalidOperation:
        return None


def scale(unit: str, values: Iterable[Decimal | None]) -> Scale:
    """Choose one unit for figures that stand side by side, by the largest of them."""
    if unit in _FIXED:
        return Scale(*_FIXED[unit])
    if unit not in _RANGES:
        return Scale(unit, Decimal(1))
    name, low, high = _RANGES[unit]
    sizes = [abs(v) for v in values if v is not None and v.is_finite() and v != 0]
    exponent = max(sizes).adjusted() // 3 * 3 if sizes else 0
    exponent = min(max(exponent, low), high)
    return Scale(_PREFIXES[exponent] + name, Decimal(1).scaleb(-exponent))


def foremost(entries: Sequence[Entry], most: int) -> tuple[list[Entry], int]:
    """The first of some entries, and how many are left: never one, which takes no more room."""
    shown = list(entries[:most] if len(entries) > most + 1 else entries)
    return shown, len(entries) - len(shown)


def clean(text: object, longest: int = LONGEST) -> str:
    """Make foreign text printable: control, bidirectional and broken characters become escapes.

    Too long a text is cut, and says by how much.
    """
    whole = str(text)
    cut, left = whole[:longest], len(whole) - longest
    shown = cut if cut.isprintable() else "".join(map(_visible, cut))
    return f"{shown} … ({left} more characters in the journal)" if left > 0 else shown


def _visible(char: str) -> str:
    if char in "\n\t" or char.isprintable():
        return char
    if unicodedata.category(char) in {"Zs", "Zl", "Zp"}:
        return " "
    code = ord(char)
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def moment(utc: str) -> str:
    """Write a UTC of the journal for reading."""
    return f"{utc[:10]} {utc[11:19]} UTC"


def in_print(text: str) -> str:
    """Write units as a document does, where the journal has them as any keyboard writes them.

    So 4 uA gets its micro sign, 2 kohm an omega, 5% a space, and x between quantities a cross.
    """
    if not _FIGURE.search(text):
        return text
    for pattern, printed in _PRINTED:
        text = pattern.sub(printed, text)
    return text


def breakable(text: str) -> str:
    """Let long words break: a zero-width space after punctuation and within long stretches."""
    return text if len(text) <= 20 else _PIECE.sub("\\g<0>\u200b", text)


def markdown(text: object, longest: int = 300) -> str:
    """Foreign text for one cell or line of Markdown: shown as it is, and neither a link nor markup.

    A zero-width space keeps what a code host would take for a person, an issue or an address.
    """
    shown = " ".join(clean(text, longest).split())
    shown = _MARKUP.sub(lambda found: f"&#{ord(found[0])};", shown)
    return _MENTION.sub("\\1\u200b", shown)


def _power(step: Decimal) -> Decimal:
    return Decimal(1).scaleb(step.adjusted())


def _trimmed(value: Decimal) -> Decimal:
    if value == 0:
        return Decimal(0)
    digits = value.as_tuple().digits
    if len(digits) > 12:
        value = value.quantize(Decimal(1).scaleb(value.adjusted() - 11), ROUND_HALF_EVEN)
    return value.normalize()
