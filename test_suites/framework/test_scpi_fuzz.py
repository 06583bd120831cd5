"""SCPI and block framing under whatever bytes come: nothing breaks, nothing is misread."""

from __future__ import annotations

import itertools
import string as letters
from collections.abc import Callable
from decimal import Decimal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import VirtualClock
from hil_instruments.simulated.scpi import (
    Exchange,
    Instrument,
    Pending,
    block,
    block_data,
    boolean,
    channels,
    choice,
    integer,
    number,
    numeric_list,
    optional,
    quoted,
    scpi,
    string,
)
from hil_instruments.simulated.scpi.headers import Mnemonic, variants


class Recorder(Instrument):
    """Notes every call; has each kind of header, parameter, reply and duration."""

    def preset(self) -> None:
        self.calls: list[tuple[object, ...]] = []

    @scpi("[SENSe:]CURRent[:DC]:RANGe[:UPPer]", number("A", words="MINimum|MAXimum"))
    def _range(self, value: float | str) -> None:
        self.calls.append(("range", value))

    @scpi("[SENSe:]CURRent[:DC]:RANGe[:UPPer]?")
    def _range_in_use(self) -> str:
        self.calls.append(("range?",))
        return "1"

    @scpi("[SENSe:]CURRent[:DC]:NPLCycles", number())
    def _cycles(self, value: float) -> None:
        self.calls.append(("cycles", value))

    @scpi("[SOURce<1-3?>:]FREQuency", number("HZ"))
    def _frequency(self, source: int, value: float) -> None:
        self.calls.append(("frequency", source, value))

    @scpi("CHANnel<n>:PROBe<1-4>:SCALe", integer())
    def _scale(self, channel: int, probe: int, value: int) -> None:
        self.calls.append(("scale", channel, probe, value))

    @scpi("CHANnel<n>:PROBe<1-4>:SCALe?")
    def _scale_in_use(self, channel: int, probe: int) -> str:
        self.calls.append(("scale?", channel, probe))
        return "2"

    @scpi("DISPlay:TEXT", string(10_000))
    def _text(self, text: str) -> None:
        self.calls.append(("text", text))

    @scpi("TRACe:DATA", choice("FIRSt|SECond"), block_data())
    def _trace(self, name: str, data: bytes) -> None:
        self.calls.append(("trace", name, data))

    @scpi("ROUTe:CLOSe", channels())
    @scpi("ROUTe:PIECes", numeric_list())
    def _close(self, listed: tuple[int, ...]) -> None:
        self.calls.append(("close", listed))

    @scpi("OUTPut[:STATe]", boolean(), optional(integer()))
    def _output(self, on: bool, line: int = 9) -> None:
        self.calls.append(("output", on, line))

    @scpi("READ?")
    def _measure(self) -> Pending:
        self.calls.append(("read?",))
        return Pending(self.clock.time + 1.0, lambda: "late")

    @scpi("MOVE")
    def _move(self) -> None:
        self.calls.append(("move",))
        self.busy_until = self.clock.time + 1.0


class Small(Recorder):
    """Takes short messages only, so that short examples go beyond them."""

    longest_message = 500
    input_buffer = 50
    output_queue = 50


def recorder(kind: type[Recorder] = Recorder) -> Recorder:
    entry = InstrumentEntry("toy", "toy", "TCPIP::toy::INSTR", "Maker", "Model")
    made = kind(entry, VirtualClock())
    made.preset()
    return made


def converse(
    data: bytes, *, stream: bool, cuts: tuple[int, ...] = (), kind: type[Recorder] = Recorder
) -> tuple[object, ...]:
    """Hand over bytes in pieces, let everything end, and return whatever can be seen of it."""
    toy = recorder(kind)
    exchange = Exchange(toy, stream=stream)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    for start, stop in itertools.pairwise(places):
        exchange.write(data[start:stop], end=stop == len(data))
    toy.clock.advance(1000.0)
    replies = []
    while exchange.waits:
        replies.append(exchange.read())
    errors = toy.receive(b"SYST:ERR:ALL?")
    assert toy.defect is None
    return toy.calls, replies, errors, toy.receive(b"*ESR?")


def answers(data: bytes, *, stream: bool, kind: type[Recorder] = Recorder) -> bool:
    """Whether the instrument answers after those bytes, and its error queue can be emptied."""
    toy = recorder(kind)
    Exchange(toy, stream=stream).write(data)
    toy.clock.advance(1000.0)
    assert toy.defect is None
    exchange = Exchange(toy, stream=stream)
    exchange.write(b"*CLS;SYST:ERR:COUN?;*IDN?\n")
    return exchange.read()[0] == b"0;Maker,Model,SIM-toy-01,1.0\n"


# Whatever comes.

PIECES = (
    *("CURR", ":", ";", "RANG", "?", " ", "1", "e", "mA", ",", "(@", ")", "101", "'", '"'),
    *("*IDN?", "*OPC", "*WAI", "READ?", "MOVE", "#", "#0", "#15", "\n", "\0", "\xff", "TRAC:DATA "),
    *("DISP:TEXT ", "FIRS", "#H", "-", ".", "CHAN1", "*RST", "ROUT:CLOS ", "SOUR2:FREQ 1"),
)
GARBAGE = st.one_of(
    st.binary(max_size=200),
    st.lists(st.sampled_from(PIECES), max_size=30).map(
        lambda each: "".join(each).encode("latin-1")
    ),
    st.tuples(st.sampled_from(PIECES), st.integers(0, 1000)).map(
        lambda each: (each[0] * each[1]).encode("latin-1")
    ),
)


@given(GARBAGE, st.booleans())
@example(b"TRAC:DATA FIRS,#0", False)
@example(b"TRAC:DATA FIRS,#9999999999", True)
def test_no_bytes_keep_an_instrument_from_answering(data: bytes, stream: bool) -> None:
    assert answers(data, stream=stream, kind=Small)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("piece", [";", ":", "(", '"', "'", "#", " #1", "*", ",", "A:", "1", "\0"])
def test_a_megabyte_of_one_piece_is_refused(piece: str, stream: bool) -> None:
    data = piece.encode() * (1_000_000 // len(piece)) + b"\n"
    assert answers(data, stream=stream)
    assert answers(b"CURR:RANG " + data, stream=stream)


@pytest.mark.parametrize("piece", ["(", '"', "'", "#", " #1", ",", "A:", "1", "-", "1e", "(@1,"])
def test_a_long_message_of_one_piece_is_refused_by_one_error(piece: str) -> None:
    data = b"CURR:RANG " + piece.encode() * (60_000 // len(piece))
    _, replies, errors, _ = converse(data, stream=False)
    assert replies == []
    assert str(errors).count('"') == 2


@given(GARBAGE, st.booleans(), st.lists(st.integers(0, 1000), max_size=4).map(tuple))
@example(b"TRAC:DATA FIRS,#15a\n;'b;*IDN?\n", False, (17, 18))
@example(b"DISP:TEXT 'a\nb'\n*IDN?\n", True, (12,))
@example(b"CURR:RANG #\n", True, (11,))
@example(b"*IDN?\n\n", False, (6,))
@example(b"*IDN?\n" + b"x" * 600, False, (100,))
@example(b"*OPC\n" + b"x" * 600 + b"\nREAD?\n", False, (600,))
@example(b"x" * 600 + b"\n*IDN?\n", False, (601,))
@example(b"x" * 600 + b"\n*IDN?\n", True, (601,))
def test_where_bytes_are_cut_changes_nothing(
    data: bytes, stream: bool, cuts: tuple[int, ...]
) -> None:
    whole = converse(data, stream=stream, kind=Small)
    assert converse(data, stream=stream, cuts=cuts, kind=Small) == whole


# Blocks and strings.

FRAMES = st.booleans()


@given(st.binary(max_size=300), st.integers(0, 9), st.booleans(), st.integers(0, 400))
@example(b"", 0, False, 0)
@example(b"\n", 9, True, 20)
def test_a_block_comes_through_whole(data: bytes, width: int, stream: bool, cut: int) -> None:
    written = block(data, digits=max(width, len(str(len(data))) if width else 0))
    message = b"TRAC:DATA FIRS," + written + b";:MOVE;:TRAC:DATA SEC," + written + b"\n"
    calls, _, errors, _ = converse(message, stream=stream, cuts=(cut,))
    assert calls == [("trace", "FIRS", data), ("move",), ("trace", "SEC", data)]
    assert errors == b'0,"No error"\n'


@given(st.binary(max_size=300), st.integers(0, 400))
def test_an_indefinite_block_comes_through_whole_on_a_bus(data: bytes, cut: int) -> None:
    calls, *_ = converse(b"TRAC:DATA SEC,#0" + data + b"\n", stream=False, cuts=(cut,))
    assert calls == [("trace", "SEC", data)]


@given(st.text(st.characters(min_codepoint=0, max_codepoint=127), max_size=50), st.booleans())
def test_a_string_comes_through_whole_on_a_bus(text: str, single: bool) -> None:
    written = "'" + text.replace("'", "''") + "'" if single else quoted(text)
    calls, *_ = converse(f"DISP:TEXT {written};:MOVE".encode(), stream=False)
    assert calls == [("text", text), ("move",)]


# Numbers.

POWERS = {"": 0, "EX": 18, "G": 9, "MA": 6, "K": 3, "M": -3, "U": -6, "N": -9, "P": -12}
DECIMALS = st.decimals(
    min_value=-(10**6), max_value=10**6, allow_nan=False, allow_infinity=False, places=6
)


def spelt(text: str, bits: int) -> str:
    """Return a text with the case of its letters by the bits of a number."""
    return "".join(
        letter.lower() if bits >> place & 1 else letter.upper() for place, letter in enumerate(text)
    )


@given(DECIMALS, st.integers(-9, 9), st.sampled_from(sorted(POWERS)), st.integers(0, 63))
def test_a_number_with_its_unit_is_the_float_nearest_to_its_text(
    given_number: Decimal, exponent: int, multiplier: str, case: int
) -> None:
    suffix = spelt(multiplier + "A", case)
    calls, *_ = converse(f"CURR:RANG {given_number:f}E{exponent} {suffix}".encode(), stream=False)
    shift = exponent + POWERS[multiplier]
    assert calls == [("range", float(given_number.scaleb(shift)))]


@given(st.integers(0, 2**32), st.sampled_from(["#H{:x}", "#Q{:o}", "#B{:b}", "{:d}", "+{:d}.0"]))
def test_a_whole_number_may_be_written_in_any_base(given_number: int, form: str) -> None:
    calls, *_ = converse(f"CHAN:PROB:SCAL {form.format(given_number)}".encode(), stream=False)
    assert calls == [("scale", 1, 1, given_number)]


# Headers and paths.


def spellings(mnemonic: Mnemonic) -> st.SearchStrategy[str]:
    forms = st.sampled_from(sorted(mnemonic.forms()))
    return st.builds(spelt, forms, st.integers(0, 2**12))


@st.composite
def written(draw: st.DrawFn, pattern: str) -> tuple[list[str], list[int]]:
    """Draw the nodes of a header as somebody may write it, and the suffixes that it means."""
    paths = variants(pattern)
    slots = {mnemonic.slot.place: mnemonic.slot for mnemonic in paths[0] if mnemonic.slot}
    meant = [slots[place].default for place in sorted(slots)]
    nodes = []
    for mnemonic in draw(st.sampled_from(paths)):
        node, slot = draw(spellings(mnemonic)), mnemonic.slot
        if slot is not None and draw(st.booleans()):
            meant[slot.place] = draw(st.integers(max(slot.low, 1), min(slot.high, 12)))
            node += str(meant[slot.place])
        nodes.append(node)
    return nodes, meant


def calls_of(
    pattern: str, name: str, texts: dict[str, tuple[object, ...]]
) -> st.SearchStrategy[tuple[list[str], bool, str, tuple[object, ...]]]:
    """Draw one unit of a message: nodes, whether it asks, parameters, and the call it means."""

    def build(
        header: tuple[list[str], list[int]], text: str
    ) -> tuple[list[str], bool, str, tuple[object, ...]]:
        return header[0], pattern.endswith("?"), text, (name, *header[1], *texts[text])

    return st.builds(build, written(pattern), st.sampled_from(sorted(texts)))


NONE: dict[str, tuple[object, ...]] = {"": ()}
UNITS = st.one_of(
    calls_of(
        "[SENSe:]CURRent[:DC]:RANGe[:UPPer]",
        "range",
        {"1mA": (1e-3,), "min": ("MIN",), "-.5E+1": (-5.0,), "2 MA": (2e-3,)},
    ),
    calls_of("[SENSe:]CURRent[:DC]:RANGe[:UPPer]?", "range?", NONE),
    calls_of("[SENSe:]CURRent[:DC]:NPLCycles", "cycles", {"10": (10.0,), "#HA": (10.0,)}),
    calls_of("[SOURce<1-3?>:]FREQuency", "frequency", {"1 MHZ": (1e6,), "1": (1.0,)}),
    calls_of("CHANnel<n>:PROBe<1-4>:SCALe", "scale", {"3": (3,), "2.6": (3,)}),
    calls_of("CHANnel<n>:PROBe<1-4>:SCALe?", "scale?", NONE),
    calls_of("DISPlay:TEXT", "text", {"';:*'": (";:*",), '"a""\n"': ('a"\n',)}),
    calls_of("TRACe:DATA", "trace", {"FIRST , #15;\n\"'#": ("FIRS", b";\n\"'#")}),
    calls_of("ROUTe:CLOSe", "close", {"(@1, 3:4)": ((1, 3, 4),)}),
    calls_of("OUTPut[:STATe]", "output", {"on": (True, 9), "0,2": (False, 2)}),
)


@given(st.lists(st.tuples(UNITS, st.integers(0, 3), st.sampled_from(["", " ", "\t "])), max_size=8))
@settings(max_examples=200)
def test_a_message_means_the_same_in_every_spelling(
    units: list[tuple[tuple[list[str], bool, str, tuple[object, ...]], int, str]],
) -> None:
    pieces, path, meant, asked = [], [], [], 0
    for (nodes, asks, text, call), way, gap in units:
        *parents, _ = nodes
        same = path == [node.upper() for node in parents]
        header = nodes[-1] if same and way else ":".join(nodes)
        root = "" if (same and way) or not (path or way == 2) else ":"
        path = [node.upper() for node in parents]
        pieces.append(gap + root + header + "?" * asks + (" " + text if text else "") + gap)
        if way == 3:
            pieces.append("*OPC")  # leaves the path as it is
        meant.append(call)
        asked += asks
    toy = recorder()
    exchange = Exchange(toy)
    exchange.write(";".join(pieces).encode())
    assert toy.receive(b"SYST:ERR?") == b'0,"No error"\n'
    assert toy.calls == meant
    assert exchange.read()[0].count(b"1") + exchange.read()[0].count(b"2") <= asked


@given(
    st.text(letters.ascii_letters + letters.digits + ":_", min_size=1, max_size=30),
    st.sampled_from(["", "?"]),
)
def test_a_header_that_is_in_no_table_calls_nothing(header: str, end: str) -> None:
    calls, replies, errors, _ = converse(f"X{header}{end}".encode(), stream=False)
    assert (calls, replies) == ([], [])
    assert str(errors)[2:6] in {"-102", "-112", "-113"}


# Several clients.

ACTIONS: dict[str, Callable[[Exchange], object]] = {
    "ask": lambda exchange: exchange.write(b"*ESE?"),
    "measure": lambda exchange: exchange.write(b"READ?;*ESE?"),
    "move": lambda exchange: exchange.write(b"MOVE;MOVE;*OPC"),
    "hold": lambda exchange: exchange.write(b"MOVE;*WAI;*SRE 255"),
    "half": lambda exchange: exchange.write(b"TRAC:DATA FIRS,#2", end=False),
    "wrong": lambda exchange: exchange.write(b"WRONG;READ?"),
    "read": lambda exchange: exchange.read(3),
    "poll": lambda exchange: exchange.poll(),
    "clear": lambda exchange: exchange.clear(),
    "trigger": lambda exchange: exchange.trigger(),
    "interrupt": lambda exchange: exchange.interrupt(),
    "pass": lambda exchange: exchange.instrument.clock.advance(
        exchange.instrument.clock.time + 0.7
    ),
    "power": lambda exchange: exchange.instrument.power_on(),
}


@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from(sorted(ACTIONS))), max_size=40),
)
def test_clients_in_any_order_leave_an_instrument_that_answers(
    actions: list[tuple[int, str]],
) -> None:
    toy = recorder()
    clients = [Exchange(toy), Exchange(toy), Exchange(toy, stream=True)]
    for client, action in actions:
        ACTIONS[action](clients[client])
    toy.clock.advance(toy.clock.time + 100.0)
    clients[0].clear()
    clients[0].write(b"*CLS;*ESE?")
    assert clients[0].read()[0].endswith(b"\n")
    assert toy.defect is None
