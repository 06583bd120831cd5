"""The SCPI core: what an instrument hears, and what it says when it cannot obey."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import VirtualClock
from hil_instruments.simulated.scpi import (
    Instrument,
    Pending,
    ScpiError,
    block,
    boolean,
    channels,
    choice,
    integer,
    number,
    optional,
    scpi,
)


class Toy(Instrument):
    """Remembers what it was told."""

    def preset(self) -> None:
        self.told: list[object] = ["preset"]

    @scpi("[SENSe:]CURRent[:DC]:RANGe", number("A", words="MINimum|MAXimum"))
    def _range(self, value: float | str) -> None:
        self.told.append(value)

    @scpi("[SENSe:]CURRent[:DC]:RANGe?", optional(choice("MINimum|MAXimum")))
    def _range_in_use(self, word: str = "NONE") -> str:
        return word

    @scpi("[SENSe:]CURRent[:DC]:APERture", number("S"))
    def _aperture(self, value: float) -> None:
        self.told.append(("aperture", value))

    @scpi("CHANnel<n>:SCALe", number("V"))
    def _scale(self, channel: int, value: float) -> None:
        self.told.append((channel, value))

    @scpi("LOAD", number("OHM"))
    def _load(self, value: float) -> None:
        self.told.append(value)

    @scpi("COUNt", integer())
    def _count(self, value: int) -> None:
        self.told.append(value)

    @scpi("ROUTe:CLOSe", channels())
    def _close(self, listed: tuple[int, ...]) -> None:
        self.told.append(listed)

    @scpi("OUTPut", boolean())
    def _output(self, on: bool) -> None:
        self.told.append(on)

    @scpi("PLAIN", number())
    def _plain(self, value: float) -> None:
        self.told.append(value)

    @scpi("DATA?")
    def _data(self) -> bytes:
        return block(b"a;b\nc")

    @scpi("REFuse?")
    def _refuse(self) -> str:
        raise ScpiError(-221, "not now")

    @scpi("LATE?")
    def _late(self) -> Pending:
        return Pending(self.clock.time + 1.0, lambda: "late")


@pytest.fixture
def toy() -> Toy:
    entry = InstrumentEntry("toy", "toy", "TCPIP::toy::INSTR", "Maker", "Model")
    made = Toy(entry, VirtualClock())
    made.preset()
    made.told.clear()
    return made


def ask(toy: Toy, message: str) -> str:
    reply = toy.receive(message.encode())
    assert isinstance(reply, bytes)
    return reply.decode()


def error(toy: Toy) -> int:
    return int(ask(toy, "SYST:ERR?").split(",")[0])


@pytest.mark.parametrize(
    "header",
    [
        "SENS:CURR:DC:RANG",
        "sense:current:dc:range",
        "CURR:RANG",
        ":CURRent:RANGe",
        "cUrR:dC:rAnGe",
    ],
)
def test_short_long_optional_and_any_case_mean_the_same(toy: Toy, header: str) -> None:
    assert ask(toy, f"{header} 0.01\n") == ""
    assert toy.told == [0.01]
    assert error(toy) == 0


@pytest.mark.parametrize("header", ["CURRE:RANG 1", "SENS 1", "CURR:RANG:DC 1", "NOTHING?", "CURR"])
def test_a_header_that_is_neither_short_nor_long_is_undefined(toy: Toy, header: str) -> None:
    ask(toy, header)
    assert error(toy) == -113
    assert toy.told == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2.0),
        ("+2.5E-3", 2.5e-3),
        (".5", 0.5),
        ("2 mA", 2e-3),
        ("2MA", 2e-3),
        ("3 uA", 3e-6),
        ("1.5e3 nA", 1.5e-6),
        ("4 A", 4.0),
        ("MIN", "MIN"),
        ("maximum", "MAX"),
    ],
)
def test_numbers_take_units_and_words(toy: Toy, text: str, value: object) -> None:
    ask(toy, f"CURR:RANG {text}")
    assert toy.told == [pytest.approx(value) if isinstance(value, float) else value]


def test_m_is_milli_but_mohm_is_mega(toy: Toy) -> None:
    ask(toy, "LOAD 1 MOHM;:LOAD 1 kohm")
    assert toy.told == [1e6, 1e3]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("CURR:RANG", -109),
        ("CURR:RANG 1,2", -108),
        ("CURR:RANG abc", -141),
        ("CURR:RANG 1 V", -131),
        ("CURR:RANG 1e99999", -123),
        pytest.param("CURR:RANG 1e" + "9" * 5000, -123, id="exponent of 5000 digits"),
        pytest.param("CHAN" + "1" * 5000 + ":SCAL 1", -114, id="suffix of 5000 digits"),
        ("PLAIN 1 A", -138),
        ("COUN 1e300", -222),
        ("CURR:RANG? DEF", -224),
        ("OUTP maybe", -224),
        ("ROUT:CLOS 101", -128),
        ("ROUT:CLOS (@1x)", -171),
        ("ROUT:CLOS (@103:101)", -171),
        ("REF?", -221),
        ("CURR2:RANG 1", -114),
        ("CURR:RANG \u00b5", -101),
    ],
)
def test_each_fault_of_a_message_has_its_code_and_nothing_is_done(
    toy: Toy, message: str, code: int
) -> None:
    assert ask(toy, message) == ""
    assert error(toy) == code
    assert error(toy) == 0
    assert toy.told == []


def test_a_unit_goes_on_from_the_path_of_the_one_before(toy: Toy) -> None:
    ask(toy, "SENS:CURR:RANG 1;APER 2;*OPC;APER 3;:LOAD 4")
    assert toy.told == [1.0, ("aperture", 2.0), ("aperture", 3.0), 4.0]
    ask(toy, "SENS:CURR:RANG 1;LOAD 5")  # LOAD does not stand under SENS:CURR
    assert error(toy) == -113
    assert toy.told[-1] == 1.0


def test_a_command_error_ends_the_message_and_an_execution_error_does_not(toy: Toy) -> None:
    assert ask(toy, "LOAD 1;:REF?;:LOAD 2;:WRONG;:LOAD 3") == ""
    assert toy.told == [1.0, 2.0]
    assert [error(toy), error(toy), error(toy)] == [-221, -113, 0]


def test_replies_of_a_compound_message_are_joined(toy: Toy) -> None:
    assert ask(toy, "CURR:RANG? MIN;:REF?;:CURR:RANG?") == "MIN;NONE\n"


def test_suffixes_and_lists_are_numbers(toy: Toy) -> None:
    ask(toy, "CHAN3:SCAL 0.5;:CHAN:SCAL 1;:ROUT:CLOS (@101,103:105)")
    assert toy.told == [(3, 0.5), (1, 1.0), (101, 103, 104, 105)]


def test_a_block_says_its_length(toy: Toy) -> None:
    assert ask(toy, "DATA?") == "#15a;b\nc\n"
    assert block(b"12", digits=9) == b"#900000000212"


def test_the_error_queue_is_bounded_and_its_last_entry_tells_of_the_overflow(toy: Toy) -> None:
    for _ in range(30):
        ask(toy, "WRONG")
    codes = [error(toy) for _ in range(21)]
    assert codes == [-113] * 19 + [-350, 0]


def test_no_error_reads_zero(toy: Toy) -> None:
    assert ask(toy, "SYSTem:ERRor:NEXT?") == '0,"No error"\n'


def test_status_registers_follow_errors(toy: Toy) -> None:
    assert ask(toy, "*ESR?") == "128\n"  # power on
    ask(toy, "*ESE 32;*SRE 32;WRONG")
    assert ask(toy, "*STB?") == "100\n"  # error in queue 4, event 32, service 64
    assert ask(toy, "*ESR?;*ESR?") == "32;0\n"
    ask(toy, "*CLS")
    assert ask(toy, "*STB?") == "0\n"


def test_a_late_reply_holds_back_the_whole_message(toy: Toy) -> None:
    reply = toy.receive(b"LATE?;:CURR:RANG?")
    assert isinstance(reply, Pending)
    assert reply.ready == 1.0
    assert reply.produce() == b"late;NONE\n"


def test_identity_and_preset(toy: Toy) -> None:
    assert ask(toy, "*IDN?") == "Maker,Model,SIM-toy-01,1.0\n"
    ask(toy, "*RST")
    assert toy.told == ["preset"]


@given(st.binary(max_size=60))
def test_no_bytes_make_the_parser_raise(message: bytes) -> None:
    entry = InstrumentEntry("toy", "toy", "TCPIP::toy::INSTR", "Maker", "Model")
    toy = Toy(entry, VirtualClock())
    toy.preset()
    toy.receive(message)


_PIECES = st.sampled_from(
    [
        "CURR",
        ":",
        ";",
        "RANG",
        "?",
        " ",
        "1",
        "e",
        "mA",
        ",",
        "(@",
        ")",
        "101",
        "'",
        '"',
        "*IDN?",
        "#",
    ]
)


@given(st.lists(_PIECES, max_size=12).map("".join))
def test_no_text_of_scpi_pieces_makes_the_parser_raise(message: str) -> None:
    test_no_bytes_make_the_parser_raise.hypothesis.inner_test(message.encode())  # type: ignore[attr-defined]  # set by Hypothesis
