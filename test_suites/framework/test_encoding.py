"""What an instrument writes is read exactly, or refused."""

import math
import struct
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hil.errors import DimensionError, InstrumentError, UsageError
from hil.exact import Exact
from hil.units import A, mA, quantity
from hil_instruments import encoding
from hil_instruments.encoding import Identity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3.99876E-03", "0.00399876"),
        ("+1.5", "1.5"),
        ("-.5e1\r", "-5"),
        (" 0 ", "0"),
        ("9.8E37", "9.8E37"),
    ],
)
def test_a_number_is_read_exactly(text, value):
    assert encoding.number(text) == encoding.reading(text) == Decimal(value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("9.9E37", "Infinity"),
        ("+9.90000000E+37", "Infinity"),
        ("-9.9E37", "-Infinity"),
        ("1E300", "Infinity"),
        ("-9.91E37", "-Infinity"),
    ],
)
def test_an_overload_is_no_number_and_of_a_meter_infinite(text, value):
    assert encoding.reading(text) == Decimal(value)
    with pytest.raises(InstrumentError, match="overload"):
        encoding.number(text)


def test_scpi_not_a_number_is_none_and_of_a_meter_nan():
    assert encoding.reading("9.91E37").is_nan()
    with pytest.raises(InstrumentError, match="stands for no number"):
        encoding.number("9.91E37")


NONE = [
    *("", " ", "\t", "\r", "****", "1,2", "0x10", "#H1F", "1 A", "1mA", "nan", "inf", "-Infinity"),
    *(
        "1.2.3",
        "1_0",
        "1e1_0",
        "٣",
        "\uff11",
        "1\u0660",
        "1 0",
        "--1",
        "+-1",
        "+",
        ".",
        "e5",
        "1e",
        "1e+",
    ),
    *("1e1.5", "\xa01", "1\x00", "1\n2", "1;2", "NaN", "1E99999999999999999999"),
]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_number_is_refused(text):
    for read in (encoding.number, encoding.reading, encoding.integer):
        with pytest.raises(InstrumentError):
            read(text)
    if "," not in text:
        with pytest.raises(InstrumentError):
            encoding.numbers(text.encode("latin-1", "replace"))


def oracle(text):
    """A number as IEEE 488.2 writes one (7.7.2, with its exponent), read letter by letter; or None.

    White space around it is let pass. What is a digit is told by its code.
    """
    letters = list(text.strip(" \t\r\n"))

    def sign():
        return -1 if letters and letters[0] in "+-" and letters.pop(0) == "-" else 1

    def digits():
        found = []
        while letters and 48 <= ord(letters[0]) <= 57:
            found.append(ord(letters.pop(0)) - 48)
        return found

    negative, whole, parts = sign(), digits(), []
    if letters and letters[0] == ".":
        letters.pop(0)
        parts = digits()
    if not whole + parts:
        return None
    value = Fraction(sum(each * 10**place for place, each in enumerate((whole + parts)[::-1])))
    exponent = -len(parts)
    if letters and letters[0] in "eE":
        letters.pop(0)
        power, told = sign(), digits()
        if not told:
            return None
        exponent += power * sum(each * 10**place for place, each in enumerate(told[::-1]))
    assume(abs(exponent) < 500)  # the oracle's own arithmetic is exact, and slow beyond
    return None if letters else negative * value * Fraction(10) ** exponent


NEAR = st.text("0123456789+-.eE ,_xXinfaNH*#\t\r\n٣\uff11\xa0", max_size=9)
WRITTEN = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "+", "-"]),
        st.text("0123456789", min_size=1, max_size=12),
        st.sampled_from(["", ".", ".0", ".123456"]),
        st.sampled_from(["", "e0", "E+3", "E-12", "E37", "E38", "e-40"]),
        st.sampled_from(["", "\r", " "]),
    ),
)


@settings(max_examples=400)
@given(st.one_of(NEAR, WRITTEN, st.text(max_size=4)))
def test_a_number_is_one_where_the_oracle_says_so_and_the_same(text):
    due = oracle(text)
    try:
        came = encoding.reading(text)
    except InstrumentError:
        assert due is None
        return
    assert due is not None
    if came.is_nan():
        assert due == Fraction(991, 100) * 10**37
    elif came.is_infinite():
        assert abs(due) >= Fraction(99, 10) * 10**37
        assert (due < 0) is (came < 0)
    else:
        assert abs(due) < Fraction(99, 10) * 10**37
        assert Fraction(came) == due


@given(st.lists(WRITTEN, min_size=1, max_size=5), st.integers(0, 5))
def test_a_list_holds_as_many_as_were_asked_for(texts, count):
    values = [oracle(text) for text in texts]
    finite = all(abs(value) < Fraction(99, 10) * 10**37 for value in values)
    if len(texts) == count and finite:
        assert [Fraction(each) for each in encoding.listed(",".join(texts), count)] == values
    else:
        with pytest.raises(InstrumentError):
            encoding.listed(",".join(texts), count)


@given(st.one_of(st.text("0123456789xXabcdefABCDEF+-_ ٣", max_size=6), st.text(max_size=3)))
def test_a_status_is_decimal_or_hexadecimal_and_nothing_else(text):
    bare = text.strip(" \t\r\n")
    plain = bare.removeprefix("+")
    hexadecimal = bare[2:] if bare[:2] in {"0x", "0X"} else ""
    if plain and all(each in "0123456789" for each in plain):
        due = int(plain)
    elif hexadecimal and all(each in "0123456789abcdefABCDEF" for each in hexadecimal):
        due = int(hexadecimal, 16)
    else:
        with pytest.raises(InstrumentError):
            encoding.status(text)
        return
    assert encoding.status(text) == due


@pytest.mark.parametrize(("text", "word"), [("0x0C", 12), ("012", 12), ("+0", 0), ("255\r", 255)])
def test_a_status_is_read(text, word):
    assert encoding.status(text) == word


@pytest.mark.parametrize("text", ["", "1_0", "٣", "0b1", "0x", "-1", "0x1_0", "1.0", "x0"])
def test_what_is_no_status_is_refused(text):
    with pytest.raises(InstrumentError):
        encoding.status(text)


def test_a_long_reply_is_told_by_its_beginning():
    with pytest.raises(InstrumentError) as caught:
        encoding.number("x" * 100_000)
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("text", ["1.5", "9.9E37", "9.91E37", "one"])
def test_an_integer_is_whole_and_finite(text):
    assert encoding.integer("+12") == 12
    with pytest.raises(InstrumentError):
        encoding.integer(text)


@pytest.mark.parametrize(
    ("magnitude", "unit", "wire", "text"),
    [
        (0.1, mA, "A", "0.0001"),
        (0.1, mA, "mA", "0.1"),
        (0.1 + 0.2, mA, "A", "0.0003"),
        (4.0, mA, "mA", "4"),
        (100.0, mA, "uA", "100000"),
        (1e-9, A, "A", "0.000000001"),
        (-0.0, mA, "A", "0"),
        (0.0, mA, "A", "0"),
    ],
)
def test_a_setting_reaches_the_wire_as_plain_decimal_text(magnitude, unit, wire, text):
    assert encoding.quantity_text(quantity(magnitude, unit), wire) == text


def test_a_charge_that_no_decimal_holds_is_rounded_at_fifteen_digits():
    assert encoding.exact_text(Exact.parse("1 C"), "mA*min") == "16.6666666666667"


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.integers(-12, 6))
def test_fifteen_digits_survive_writing_and_reading(digits, exponent):
    value = Decimal(digits).scaleb(exponent)
    text = encoding.decimal_text(value)
    assert "e" not in text.lower()
    assert encoding.number(text) == value


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_setting_that_is_not_finite_is_never_sent(value):
    with pytest.raises(UsageError):
        encoding.quantity_text(quantity(value, mA), "A")


def test_a_setting_of_another_dimension_is_refused():
    with pytest.raises(DimensionError):
        encoding.quantity_text(quantity(1.0, mA), "V")


def test_an_error_entry_keeps_commas_and_quotes():
    assert encoding.error_entry('+0,"No error"') == (0, "No error")
    assert encoding.error_entry('-222,"Data out of range; 5, ""A"""\r') == (
        -222,
        'Data out of range; 5, ""A""',
    )
    with pytest.raises(InstrumentError):
        encoding.error_entry("3.99E-3")


@given(st.binary(max_size=2000))
def test_a_block_gives_back_its_payload(payload):
    head = str(len(payload)).encode()
    message = b"#" + str(len(head)).encode() + head + payload
    assert encoding.block(message) == payload
    assert encoding.block(message + b"\r\n") == payload
    with pytest.raises(InstrumentError):
        encoding.block(message + b"x\n")


@pytest.mark.parametrize(
    "message",
    [b"", b"#", b"#0abc\n", b"3.99\n", b"#15hell", b"#1xhello", b"#9999999999", b"#2-1abc"],
)
def test_a_block_that_is_short_or_none_is_refused(message):
    with pytest.raises(InstrumentError):
        encoding.block(message)


def test_readings_are_big_endian_and_overload_is_infinite():
    payload = struct.pack(">5d", 4e-3, -1.5, 9.9e37, -9.9e37, 9.91e37)
    values = encoding.reals(payload)
    assert values[:2].tolist() == [4e-3, -1.5]
    assert values[2] == math.inf
    assert values[3] == -math.inf
    assert np.isnan(values[4])
    with pytest.raises(InstrumentError):
        encoding.reals(payload[:-1])


def test_an_identity_has_four_fields_and_the_last_may_hold_commas():
    found = Identity.parse("Keysight Technologies, 34465A ,MY1,A.02,1-2")
    assert found == Identity("Keysight Technologies", "34465A", "MY1", "A.02,1-2")
    for text in ("Keysight,34465A,MY1", "a,b,,d", ""):
        with pytest.raises(InstrumentError):
            Identity.parse(text)


def test_flags_are_as_many_as_were_asked_for():
    assert encoding.flags("0,1, 0", 3) == (False, True, False)
    for text in ("0,1", "0,1,2", "", "0,1,0,0"):
        with pytest.raises(InstrumentError):
            encoding.flags(text, 3)


def test_a_switch_is_on_or_off_and_nothing_else():
    assert encoding.switch("ON\r") is True
    assert encoding.switch("0") is False
    for text in ("", "2", "YES"):
        with pytest.raises(InstrumentError):
            encoding.switch(text)


def test_a_block_of_indefinite_length_needs_a_known_one():
    assert encoding.block(b"#0AB\nC\n", 4) == b"AB\nC"
    assert encoding.block(b"#13ABC\n", 4) == b"ABC"
    for message, length in ((b"#0ABCD\n", None), (b"#0ABC", 4), (b"#0ABCDE\n", 4)):
        with pytest.raises(InstrumentError):
            encoding.block(message, length)


def test_readings_in_text_are_read_as_strictly_as_one():
    assert encoding.numbers(b"+1.5E-03,-9.9E37").tolist() == [1.5e-3, -math.inf]
    for broken in (b"", b"1,,2", b"1,2,", b"1;2", b"1, volts"):
        with pytest.raises(InstrumentError):
            encoding.numbers(broken)
