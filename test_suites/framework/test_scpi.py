"""The SCPI core: what an instrument hears, and what it says when it cannot obey."""

from __future__ import annotations

import pytest

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import VirtualClock
from hil_instruments.simulated.scpi import (
    Instrument,
    Pending,
    ScpiError,
    block,
    block_data,
    boolean,
    channels,
    choice,
    indefinite,
    integer,
    number,
    numeric_list,
    optional,
    quoted,
    scpi,
    string,
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

    @scpi("FREQuency", number("HZ"))
    def _frequency(self, value: float) -> None:
        self.told.append(value)

    @scpi("PIECes", numeric_list())
    def _pieces(self, listed: tuple[int, ...]) -> None:
        self.told.append(listed)

    @scpi("DISPlay:TEXT", string(20))
    def _text(self, text: str) -> None:
        self.told.append(text)

    @scpi("DISPlay:TEXT?")
    def _text_shown(self) -> str:
        return quoted(str(self.told[-1]))

    @scpi("TRACe:DATA", choice("FIRSt|SECond"), block_data(1000))
    def _trace(self, name: str, data: bytes) -> None:
        self.told.append((name, data))

    @scpi("TRACe:ALL?")
    def _trace_all(self) -> bytes:
        return indefinite(b"1\n2")

    @scpi("ROUTe<1-3>:CHANnel<n>:GAIN", number())
    def _gain(self, route: int, channel: int, value: float) -> None:
        self.told.append((route, channel, value))

    @scpi("[SOURce<1-3?>:]LEVel", number("V"))
    def _level(self, source: int, value: float) -> None:
        self.told.append((source, value))

    @scpi("[OUTer:INNer:]DEEP[:LAST[:VERY]]")
    def _deep(self) -> None:
        self.told.append("deep")

    @scpi("BREak")
    def _break(self) -> None:
        raise ZeroDivisionError("a defect")

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


@pytest.mark.parametrize(
    ("message", "value"),
    [
        ("CURR:RANG 5 MA", 5e-3),  # IEEE 488.2, table 7-2: after a number MA is M and A
        ("CURR:RANG 5 MAA", 5e6),
        ("CURR:RANG 4.3mA", 4.3e-3),  # nearest to the text: a product would round twice
        ("CURR:RANG 5 aA", 5e-18),
        ("FREQ 5 MHZ", 5e6),
        ("FREQ 5 MAHZ", 5e6),
        ("FREQ 5 mhz", 5e6),
        ("LOAD 5 mohm", 5e6),
        ("LOAD 5 UOHM", 5e-6),
        ("LOAD 5 EXOHM", 5e18),
        ("CHAN1:SCAL 5 MV", (1, 5e-3)),
        ("CHAN1:SCAL 5 MAV", (1, 5e6)),
        ("PLAIN #H1F", 31.0),
        ("PLAIN #q17", 15.0),
        ("COUN #B101", 5),
        ("COUN 2.5E1", 25),
        ("COUN 1.6", 2),
        ("OUTP 0.4", False),
        ("OUTP -3", True),
        ("OUTP #B0", False),
        ("PIEC (1,3:5)", (1, 3, 4, 5)),
        ("PLAIN\t1", 1.0),
        ("\x01 PLAIN \x02 1 \r\n", 1.0),
    ],
)
def test_a_value_is_read_as_the_standard_writes_it(toy: Toy, message: str, value: object) -> None:
    ask(toy, message)
    assert toy.told == [value]


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ("PLAIN 1 2", -103),
        ("PLAIN 1$", -121),
        ("PLAIN 1.2.3", -121),
        ("PLAIN #H1G", -121),
        ("PLAIN " + "1" * 300, -124),
        ("PLAIN #H" + "1" * 300, -124),
        ("PLAIN 1e400", -222),
        ("PLAIN -", -121),
        ("LOAD 1 " + "OHM" * 5, -134),
        ("LOAD 1 OHM OHM", -103),
        ("PLAIN ABC", -148),
        ("PLAIN 'ABC'", -158),
        ("PLAIN #12AB", -168),
        ("PLAIN (1)", -178),
        ("PLAIN 1,", -108),
        ("TRAC:DATA ,#10", -102),
        ("PLAIN $", -101),
        ("DISP:TEXT hello", -148),
        ("DISP:TEXT 5", -128),
        ("DISP:TEXT 'open", -151),
        ("DISP:TEXT 'a'b'", -151),
        ("DISP:TEXT '123456789012345678901'", -223),
        ("TRAC:DATA FIRS,#15abc", -161),
        ("TRAC:DATA FIRS,#13abcd", -161),
        ("TRAC:DATA FIRS,#2", -161),
        ("TRAC:DATA FIRS,abc", -148),
        ("TRAC:DATA THIRD,#10", -224),
        ("TRAC:DATA ABCDEFGHIJKLM,#10", -144),
        ("PIEC (3:1)", -171),
        ("PIEC (1", -171),
        ("ROUT:CLOS (@1:9999)", -223),
        ("ROUT4:CHAN:GAIN 1", -114),
        ("ROUT0:CHAN:GAIN 1", -114),
        ("SOUR4:LEV 1", -114),
        ("OUT:DEEP", -113),
        ("DEEP:VERY", -113),
        ("DEEP?", -113),
        ("NOSUCHMNEMONIC", -112),
        ("CURR:RANG(1)", -111),
        ("PLAIN?:X", -111),
        ("*CLS*CLS", -111),
        ("PLAIN::X 1", -102),
        ("1", -102),
        ("?", -102),
        ("CURR$ 1", -101),
        ("\u00e4 1", -101),
        ("*NO", -113),
        ("*ESE 256", -222),
    ],
)
def test_each_fault_of_an_element_has_its_own_code(toy: Toy, message: str, code: int) -> None:
    ask(toy, message)
    assert error(toy) == code
    assert error(toy) == 0
    assert toy.told == []


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("DISP:TEXT 'a;b,c'", "a;b,c"),
        ('DISP:TEXT "say ""no"""', 'say "no"'),
        ("DISP:TEXT 'it''s'", "it's"),
        ("DISP:TEXT 'a\nb'", "a\nb"),
        ("DISP:TEXT ''", ""),
    ],
)
def test_a_string_keeps_what_its_quotes_hold(toy: Toy, message: str, text: str) -> None:
    ask(toy, message + ";:PLAIN 1")
    assert toy.told == [text, 1.0]


def test_a_string_reply_doubles_its_quotes(toy: Toy) -> None:
    assert ask(toy, "DISP:TEXT 'a\"b';TEXT?") == '"a""b"\n'


@pytest.mark.parametrize("data", [b"", b";", b"a,b\n", b"'", b"#15", b" \r\n", bytes(range(256))])
def test_a_block_parameter_keeps_its_bytes(toy: Toy, data: bytes) -> None:
    toy.receive(b"TRAC:DATA FIRS, " + block(data) + b" ;:PLAIN 1\n")
    assert toy.told == [("FIRS", data), 1.0]


def test_an_indefinite_block_reaches_to_the_end(toy: Toy) -> None:
    toy.receive(b"TRAC:DATA SEC,#0a;b\nc\n")
    assert toy.told == [("SEC", b"a;b\nc")]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("ROUT2:CHAN3:GAIN 1", (2, 3, 1.0)),
        ("ROUT:CHAN3:GAIN 1", (1, 3, 1.0)),
        ("ROUT2:CHAN:GAIN 1", (2, 1, 1.0)),
        ("LEV 1", (0, 1.0)),
        ("SOUR:LEV 1", (0, 1.0)),
        ("SOURCE1:LEVEL 1", (1, 1.0)),
        ("DEEP", "deep"),
        ("OUT:INN:DEEP:LAST", "deep"),
        ("DEEP:LAST:VERY", "deep"),
    ],
)
def test_suffixes_and_optional_nodes_go_where_they_were_written(
    toy: Toy, message: str, told: object
) -> None:
    ask(toy, message)
    assert toy.told == [told]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("SENS:CURR:RANG 1;RANG 2", [1.0, 2.0]),
        ("CURR:RANG?;APER 3", [("aperture", 3.0)]),
        ("SENS:CURR:RANG 1;*CLS;RANG 2", [1.0, 2.0]),
        ("SENS:CURR:RANG 1;:CURR:DC:RANG 2;APER 3", [1.0, 2.0, ("aperture", 3.0)]),
        ("LOAD 1;LOAD 2", [1.0, 2.0]),
        (":LOAD 1;;  ;LOAD 2", [1.0, 2.0]),
        ("CURR:RANG 1;DC:RANG 2", [1.0, 2.0]),
    ],
)
def test_the_path_is_that_of_the_header_before(toy: Toy, message: str, told: object) -> None:
    ask(toy, message)
    assert (toy.told, error(toy)) == (told, 0)


def test_a_unit_that_asks_too_much_does_not_end_its_message(toy: Toy) -> None:
    ask(toy, "LOAD 1;:CURR:RANG? DEF;:COUN 1e300;:LOAD 2")
    assert toy.told == [1.0, 2.0]
    assert [error(toy), error(toy), error(toy)] == [-224, -222, 0]


def test_no_query_follows_a_reply_without_length(toy: Toy) -> None:
    assert ask(toy, "*ESE?;*IDN?;:LOAD 1;*ESE?;:LOAD 2").startswith("0;Maker")
    assert (toy.told, error(toy)) == ([1.0], -440)
    assert ask(toy, "TRAC:ALL?;:LOAD 3;*ESE?") == "#01\n2\n"
    assert (toy.told, error(toy)) == ([1.0, 3.0], -440)


def test_an_error_entry_is_one_string_of_printable_ascii(toy: Toy) -> None:
    ask(toy, 'CURR:RANG "\x07\u00e9"')
    entry = ask(toy, "SYST:ERR?")
    assert entry.isascii()
    assert entry.count('"') == 2
    assert entry[:-1].isprintable()


def test_the_error_queue_counts_and_empties(toy: Toy) -> None:
    ask(toy, "WRONG")
    ask(toy, "REF?")
    assert ask(toy, "SYST:ERR:COUN?") == "2\n"
    assert ask(toy, "SYST:ERR:ALL?").startswith('-113,"Undefined header;WRONG",-221,"Settings')
    assert ask(toy, "SYST:ERR:ALL?") == '0,"No error"\n'


def test_a_defect_of_a_handler_is_a_system_error_on_the_wire(toy: Toy) -> None:
    ask(toy, "BRE;:LOAD 1")
    assert isinstance(toy.defect, ZeroDivisionError)
    assert toy.told == [1.0]
    assert ask(toy, "SYST:ERR?").startswith('-310,"System error;ZeroDivisionError')


def test_a_register_latches_what_its_filters_let_through(toy: Toy) -> None:
    toy.operation.set(16)
    assert ask(toy, "STAT:OPER:COND?;EVEN?;EVEN?") == "16;16;0\n"
    ask(toy, "STAT:OPER:PTR 0;NTR 16")
    toy.operation.set(16, on=False)
    toy.operation.set(16)
    assert ask(toy, "STAT:OPER?;:STAT:OPER:PTR?;NTR?") == "16;0;16\n"
    ask(toy, "STAT:QUES:ENAB 65535;:STAT:PRES")
    assert ask(toy, "STAT:OPER:PTR?;NTR?;:STAT:QUES:ENAB?") == "32767;0;0\n"


def test_summaries_of_the_registers_stand_in_the_status_byte(toy: Toy) -> None:
    ask(toy, "STAT:OPER:ENAB 16;:STAT:QUES:ENAB 512;*CLS")
    toy.operation.set(16)
    assert ask(toy, "*STB?") == "128\n"
    toy.questionable.set(512)
    ask(toy, "*SRE 8")
    assert ask(toy, "*STB?") == "200\n"
    ask(toy, "*CLS")
    assert ask(toy, "*STB?;:STAT:OPER:COND?") == "0;16\n"


def test_a_model_leaves_out_commands_and_answers_in_its_own_way() -> None:
    class Model(Toy):
        absent = ("SYSTem:VERSion?",)

        def describe(self, error: ScpiError) -> str:
            return f'{error.code},"{error.text}"'

        def whole(self, number: int) -> str:
            return f"{number:+d}"

        @scpi("*IDN?")
        def _identity(self) -> str:
            return "mine"

    entry = InstrumentEntry("toy", "toy", "TCPIP::toy::INSTR", "Maker", "Model")
    model = Model(entry, VirtualClock())
    assert ask(model, "*IDN?") == "mine\n"
    assert ask(model, "*ESR?") == "+128\n"
    ask(model, "SYST:VERS?")
    assert ask(model, "SYST:ERR?") == '-113,"Undefined header"\n'


def test_a_method_may_not_take_the_name_of_another_commands_handler() -> None:
    class Careless(Toy):
        @scpi("WAITing?")
        def _wait(self) -> str:
            return "1"

    with pytest.raises(TypeError, match=r"\*WAI"):
        Careless.tree()

    class Mistaken(Toy):
        absent = ("SYSTem:NOTHing?",)

    with pytest.raises(TypeError, match="SYSTem:NOTHing"):
        Mistaken.tree()


def test_the_service_request_mask_has_no_bit_for_the_service_request(toy: Toy) -> None:
    assert ask(toy, "*SRE 255;*SRE?") == "191\n"
