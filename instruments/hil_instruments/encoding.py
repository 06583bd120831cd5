"""Text and bytes of SCPI and IEEE 488.2: numbers, errors, channel lists, definite-length blocks.

Pure functions; what cannot be read raises InstrumentError and is never taken for a number.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from functools import cache

import numpy as np

from hil.capture import Samples
from hil.errors import InstrumentError, UsageError
from hil.exact import Exact
from hil.units import Quantity

OVERLOAD = 9.9e37
"""SCPI's "infinity" (SCPI-99, 7.2.1): the magnitude that stands for an overload."""
NOT_A_NUMBER = 9.91e37
"""SCPI's "not a number"."""
VALUE = "value"
"""Field of a reply pattern that is written `{}`."""
INDEFINITE = b"#0"
"""Header of a block that only the end of its message ends (IEEE 488.2, 8.7.10)."""
LONGEST_SHOWN = 80
"""Characters of a reply that a message shows."""
LARGEST_BLOCK = 256 * 2**20
"""A block that announces more bytes than this is taken for a broken header."""

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\Z", re.ASCII)
_ERROR = re.compile(r'([+-]?\d+)\s*,\s*"(.*)"\s*\Z', re.ASCII | re.DOTALL)
_OVERLOAD, _NOT_A_NUMBER = Decimal("9.9E37"), Decimal("9.91E37")
_SPACE = " \t\r\n"
"""White space around a number; what else Python strips is none on a wire (a no-break space)."""
_STATUS = re.compile(r"(?:0[xX]([0-9a-fA-F]{1,16})|\+?(\d{1,20}))\Z", re.ASCII)
_DIGITS = 15
_SENT = Context(prec=_DIGITS, rounding=ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class Identity:
    """The four fields of an *IDN? reply (IEEE 488.2, 10.14)."""

    manufacturer: str
    """Maker, as `Keysight Technologies`."""
    model: str
    """Model, as `34465A`."""
    serial: str
    """Serial number; starts with SIM- on a simulated instrument."""
    firmware: str
    """Firmware version; may itself contain commas."""

    @classmethod
    def parse(cls, text: str) -> Identity:
        """Read the reply to *IDN?; raises InstrumentError if it has fewer than four fields."""
        fields = [field.strip() for field in text.split(",", 3)]
        if len(fields) < 4 or not all(fields[:3]):
            raise InstrumentError(
                f"{text!r} came for *IDN?; expected: manufacturer,model,serial number,firmware"
            )
        return cls(*fields)

    def __str__(self) -> str:
        return ",".join((self.manufacturer, self.model, self.serial, self.firmware))


def number(text: str) -> Decimal:
    """Read one SCPI number exactly, which is finite.

    Raises:
        InstrumentError: the text is no number, or stands for an overload or for none; nothing is
            guessed from a part of it.
    """
    value = reading(text)
    if not value.is_finite():
        meaning = "no number" if value.is_nan() else "an overload"
        raise InstrumentError(f"{text!r} stands for {meaning}; expected one such as 3.99876E-03")
    return value


def reading(text: str) -> Decimal:
    """Read what a meter shows: a number, exactly, or that it shows none.

    Returns:
        The number; +-Infinity for an overload (+-9.9E37 and beyond), NaN for 9.91E37.

    Raises:
        InstrumentError: the text is none of these.
    """
    stripped = text.strip(_SPACE)
    if _NUMBER.match(stripped) is None:
        raise InstrumentError(f"{shortened(text)} is no number; expected one such as 3.99876E-03")
    try:
        value = Decimal(stripped)
    except InvalidOperation as err:
        raise InstrumentError(f"{shortened(text)} has an exponent beyond all measures") from err
    if -_OVERLOAD < value < _OVERLOAD:
        return value
    if value == _NOT_A_NUMBER:
        return Decimal("NaN")
    return Decimal("-Infinity") if value < 0 else Decimal("Infinity")


def shortened(text: str) -> str:
    """What came, for a message: its beginning, if it is long."""
    return repr(text) if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]!r}..."


def integer(text: str) -> int:
    """Read one SCPI integer, also written as `+12`; raises InstrumentError for anything else."""
    value = number(text)
    if value != value.to_integral_value():
        raise InstrumentError(f"{text!r} is no integer")
    return int(value)


def status(text: str) -> int:
    """Read a status word, a whole number from 0: decimal, or hexadecimal as `0x0C`.

    Raises:
        InstrumentError: it is neither.
    """
    found = _STATUS.match(text.strip(_SPACE))
    if found is None:
        raise InstrumentError(
            f"{shortened(text)} is no status; expected a whole number, as 12 or 0x0C"
        )
    return int(found[1], 16) if found[1] else int(found[2])


def decimal_text(value: Decimal) -> str:
    """Write a finite number for the wire, without exponent, as `0.0001`.

    A number of more than 15 significant digits is rounded to 15, half to even: more digits only
    come from binary floating point (0.1 + 0.2) or from a division (1 C in mA*min).

    Raises:
        UsageError: NaN or infinite; such a setting is never sent.
    """
    if not value.is_finite():
        raise UsageError(f"{value} cannot be sent to an instrument; a setting is a finite number")
    text = format(_SENT.plus(value), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def float_text(value: float) -> str:
    """Write a setting that is a float for the wire; as `decimal_text`, of its shortest digits."""
    return decimal_text(Decimal(repr(value)))


def exact_text(value: Exact, unit: str) -> str:
    """Write an exact quantity for the wire as a bare number in `unit`, a key of `hil.exact.UNITS`.

    Raises:
        DimensionError: the quantity is of another dimension.
        UsageError: NaN or infinite.
    """
    if not value.magnitude.is_finite():
        raise UsageError(f"{value} cannot be sent to an instrument; a setting is a finite number")
    return decimal_text(value.to(unit).magnitude)


def quantity_text(value: Quantity, unit: str) -> str:
    """Write a pint quantity for the wire; as `exact_text`."""
    return exact_text(Exact.of(value), unit)


def pictured_text(value: Decimal, picture: str) -> str:
    """Write a finite number for the wire by a picture of it.

    Args:
        value: as `decimal_text` takes it.
        picture: `0` a whole number, `0000` at least four digits, `0.00` two decimals; empty as
            `decimal_text`.

    Raises:
        UsageError: NaN or infinite, or the picture has no room for its decimals: a setting is never
            rounded.
    """
    text = decimal_text(value)
    if not picture:
        return text
    whole, _, decimals = picture.partition(".")
    exact = Decimal(text)
    rounded = exact.quantize(Decimal(1).scaleb(-len(decimals)))
    if rounded != exact:
        raise UsageError(
            f"{text} cannot be written as {picture}, and no setting is rounded; ask for a value on "
            f"the grid of the device"
        )
    digits = format(abs(rounded), "f").zfill(len(picture) if decimals else len(whole))
    return ("-" if rounded < 0 else "") + digits


def pictured_number(text: str, picture: str) -> Decimal:
    """Read a number that was written by a picture, as `pictured_text` has it.

    Raises:
        InstrumentError: it is no number, or not written so: digits may have been lost.
    """
    value = reading(text)
    if not picture:
        return value
    whole, _, decimals = picture.partition(".")
    form = rf"[+-]?\d{{{len(whole)},}}" + (rf"\.\d{{{len(decimals)}}}" if decimals else "")
    if re.fullmatch(form, text.strip(), re.ASCII) is None:
        raise InstrumentError(f"{text!r} is not written as {picture}; digits may have been lost")
    return value


@cache
def _reply_form(pattern: str) -> re.Pattern[str]:
    parts = re.split(r"\{(\w*)\}", pattern)
    form = "".join(
        f"(?P<{part or VALUE}>.{'*' if part == 'text' else '+'}?)" if index % 2 else re.escape(part)
        for index, part in enumerate(parts)
    )
    return re.compile(form)


def reply_fields(text: str, pattern: str) -> dict[str, str]:
    """Read a reply by its pattern: text that stands there, and a name in braces for what varies.

    A field holds at least one character, but {text}, which may be empty.

    Args:
        text: the reply; white space around it is dropped.
        pattern: as `{} mA` or `ERR {code}`; `{}` is the field VALUE.

    Raises:
        InstrumentError: the reply is not of this form; nothing is guessed from a part of it.
    """
    form = _reply_form(pattern)
    found = form.fullmatch(text) or form.fullmatch(text.strip())
    if found is None:
        raise InstrumentError(f"{text!r} came; expected: {pattern}")
    return {name: value.strip() for name, value in found.groupdict().items()}


def error_entry(text: str) -> tuple[int, str]:
    """Read the reply to SYST:ERR?: code and message; code 0 means an empty queue."""
    found = _ERROR.match(text.strip())
    if found is None:
        raise InstrumentError(f'{text!r} came for an error query; expected: 0,"No error"')
    return int(found[1]), found[2]


def unnamed(message: bytes, name: bytes) -> bytes:
    """Take the name off that stands before a block; raises InstrumentError if another does."""
    if not message.startswith(name):
        raise InstrumentError(f"a reply begins with {message[: len(name)]!r}; expected {name!r}")
    return message[len(name) :]


def block_digits(head: bytes) -> int:
    """How many digits the length of a block has, from its first two bytes.

    Raises:
        InstrumentError: no definite-length block begins so (`#0` is of indefinite length).
    """
    if len(head) == 2 and head[:1] == b"#" and head[1:] in b"123456789":
        return int(head[1:])
    raise InstrumentError(
        f"a reply begins with {head!r}; expected a definite-length block, as #15hello"
    )


def block_length(digits: bytes) -> int:
    """Length of a block from the digits of its header; raises InstrumentError if implausible."""
    if not digits.isdigit():
        raise InstrumentError(f"a block announces {digits!r} bytes; expected decimal digits")
    length = int(digits)
    if length > LARGEST_BLOCK:
        raise InstrumentError(
            f"a block announces {length} bytes; at most {LARGEST_BLOCK} are plausible"
        )
    return length


def block(message: bytes, length: int | None = None) -> bytes:
    """Take the payload out of one whole message; only line ends may follow it.

    Args:
        message: header, payload, line end.
        length: bytes that the payload has; only then may the block be of indefinite length.

    Raises:
        InstrumentError: header wrong, payload short, or something stands behind it.
    """
    if message[:2] == INDEFINITE and length is not None:
        begin = 2
    else:
        begin = 2 + block_digits(message[:2])
        length = block_length(message[2:begin])
    payload, rest = message[begin : begin + length], message[begin + length :]
    if len(payload) != length:
        raise InstrumentError(f"a block of {length} bytes was announced; {len(payload)} came")
    if rest.strip(b"\r\n"):
        raise InstrumentError(f"a block of {length} bytes is followed by {rest[:20]!r}")
    return payload


def reals(payload: bytes) -> Samples:
    """Read readings in REAL,64, most significant byte first (FORM:BORD NORM).

    Returns:
        Readings; +-inf for overload, NaN for "not a number".
    """
    if len(payload) % 8:
        raise InstrumentError(f"{len(payload)} bytes are no whole number of 8-byte readings")
    values = np.frombuffer(payload, dtype=">f8").astype(np.float64)
    beyond = np.abs(values) >= OVERLOAD * (1 - 1e-12)
    if beyond.any():
        undefined = np.isclose(values, NOT_A_NUMBER, rtol=1e-6, atol=0)
        values[beyond] = np.copysign(np.inf, values[beyond])
        values[undefined] = np.nan
    return values


def numbers(payload: bytes) -> Samples:
    """Read readings in text with commas between; as `reals`.

    Raises:
        InstrumentError: one of them is no number.
    """
    fields = payload.decode("latin-1").split(",")
    return np.array([float(reading(field)) for field in fields], dtype=np.float64)


def listed(text: str, count: int) -> tuple[Decimal, ...]:
    """Read so many finite numbers with commas between.

    Raises:
        InstrumentError: another count, or one of them is no finite number.
    """
    fields = text.split(",")
    if len(fields) != count:
        raise InstrumentError(
            f"{shortened(text)} holds {len(fields)} values; expected {count}, with commas between"
        )
    return tuple(number(field) for field in fields)


def channel_list(*channels: int) -> str:
    """Write a SCPI channel list, as `(@101,103)`."""
    return "(@" + ",".join(str(channel) for channel in channels) + ")"


def flags(text: str, count: int) -> tuple[bool, ...]:
    """Read `count` comma-separated values of 0 or 1; raises InstrumentError for anything else."""
    fields = [field.strip() for field in text.split(",")]
    if len(fields) != count or not {*fields} <= {"0", "1"}:
        raise InstrumentError(f"{text!r} came; expected {count} values of 0 or 1")
    return tuple(field == "1" for field in fields)


def switch(text: str) -> bool:
    """Read ON, OFF, 1 or 0; raises InstrumentError for anything else."""
    known = {"ON": True, "1": True, "OFF": False, "0": False}
    word = text.strip().upper()
    if word not in known:
        raise InstrumentError(f"{text!r} came; expected ON or OFF")
    return known[word]
