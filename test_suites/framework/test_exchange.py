"""The message exchange of IEEE 488.2: one client, one instrument, bench time."""

from __future__ import annotations

import math

import pytest

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import VirtualClock
from hil_instruments.simulated.scpi import (
    Exchange,
    Instrument,
    Pending,
    ScpiError,
    block,
    block_data,
    number,
    scpi,
    string,
)


class Rig(Instrument):
    """Has a command of each kind: overlapped, sequential, a slow query, one that may never end."""

    longest_message = 2000
    input_buffer = 50
    output_queue = 100

    def preset(self) -> None:
        self.log: list[tuple[float, object]] = []
        self.triggered = math.inf
        self.cleared = 0
        self.on = True

    def note(self, what: object) -> None:
        self.log.append((self.clock.time, what))

    def trigger(self) -> None:
        if not math.isinf(self.triggered):
            raise ScpiError(-211)
        self.triggered = self.clock.time + 0.5
        self.overlapped_until = min(self.overlapped_until, self.triggered)

    def device_clear(self) -> None:
        self.cleared += 1
        self.overlapped_until = 0.0

    def powered(self) -> bool:
        return self.on

    @scpi("INITiate", number("S"))
    def _begin(self, seconds: float) -> None:
        self.note("init")
        self.overlapped_until = self.clock.time + seconds

    @scpi("ARM")
    def _arm(self) -> None:
        self.overlapped_until = math.inf

    @scpi("MOVE")
    def _move(self) -> None:
        self.note("move")
        self.busy_until = self.clock.time + 0.5

    @scpi("SET", number())
    def _set(self, value: float) -> None:
        self.note(value)

    @scpi("TEXT", string())
    def _text(self, text: str) -> None:
        self.note(text)

    @scpi("BLOCk", block_data())
    def _block(self, data: bytes) -> None:
        self.note(data)

    @scpi("READ?")
    def _measure(self) -> Pending:
        self.note("read")
        return Pending(self.clock.time + 1.0, lambda: "read")

    @scpi("FAIL?")
    def _fail_late(self) -> Pending:
        def produce() -> str:
            raise ScpiError(-230)

        return Pending(self.clock.time + 1.0, produce)

    @scpi("FETCh?")
    def _fetch(self) -> Pending:
        return Pending(lambda: self.triggered, lambda: "fetched")

    @scpi("TWICe?")
    def _twice(self) -> Pending:
        return Pending(1.0, lambda: Pending(2.0, lambda: "twice"))

    @scpi("LONG?")
    def _long(self) -> str:
        return "x" * 80


@pytest.fixture
def rig() -> Rig:
    made = Rig(InstrumentEntry("rig", "rig", "TCPIP::rig::INSTR", "Maker", "Model"), VirtualClock())
    made.preset()
    made.receive(b"*CLS")
    return made


@pytest.fixture
def bus(rig: Rig) -> Exchange:
    return Exchange(rig)


@pytest.fixture
def stream(rig: Rig) -> Exchange:
    return Exchange(rig, stream=True)


def ask(exchange: Exchange, message: bytes) -> bytes:
    exchange.write(message)
    return exchange.read()[0]


def errors(rig: Rig) -> list[int]:
    reply = rig.receive(b"SYST:ERR:ALL?")
    assert isinstance(reply, bytes)
    codes = (piece.strip(",\n") for piece in reply.decode().split('"')[::2])
    return [int(code) for code in codes if code]


# Replies.


def test_a_reply_is_read_in_pieces_and_its_last_byte_carries_end(bus: Exchange) -> None:
    bus.write(b"*ESE?;*SRE?")
    assert bus.waits
    assert [bus.read(3), bus.read(1)] == [(b"0;0", False), (b"\n", True)]
    assert not bus.waits


def test_a_read_stops_after_a_byte(bus: Exchange) -> None:
    bus.write(b"*ESE?;*SRE?\n")
    assert [bus.read(100, ord(";")), bus.read(100, ord(";"))] == [(b"0;", False), (b"0\n", True)]


def test_a_slow_reply_comes_at_its_time(rig: Rig, bus: Exchange) -> None:
    bus.write(b"READ?")
    assert (bus.reply_ready(), bus.read()) == (1.0, (b"", False))
    rig.clock.advance(0.9)
    assert not bus.waits
    rig.clock.advance(1.0)
    assert (bus.reply_ready(), bus.read()) == (1.0, (b"read\n", True))
    assert errors(rig) == [0]


def test_a_slow_reply_may_turn_out_slower_or_fail(rig: Rig, bus: Exchange) -> None:
    bus.write(b"TWIC?")
    rig.clock.advance(1.5)
    assert bus.reply_ready() == 2.0
    rig.clock.advance(2.0)
    assert bus.read()[0] == b"twice\n"
    bus.write(b"FAIL?")
    rig.clock.advance(3.0)
    assert bus.reply_ready() == math.inf
    assert errors(rig) == [-230]


def test_a_reply_that_waits_for_a_trigger_comes_after_it(rig: Rig, bus: Exchange) -> None:
    bus.write(b"FETC?")
    assert bus.reply_ready() == math.inf
    Exchange(rig).trigger()
    assert bus.reply_ready() == 0.5
    rig.clock.advance(0.5)
    assert bus.read()[0] == b"fetched\n"


def test_a_read_without_query_is_unterminated(rig: Rig, bus: Exchange) -> None:
    assert bus.read() == (b"", False)
    bus.write(b"*ESE?", end=False)
    assert bus.read() == (b"", False)
    assert errors(rig) == [-420, -420]
    bus.write(b"\n")
    assert bus.read()[0] == b"0\n"


def test_a_message_interrupts_an_unread_reply(rig: Rig, bus: Exchange) -> None:
    bus.write(b"*ESE?")
    assert ask(bus, b"*SRE?;*ESE?") == b"0;0\n"
    assert errors(rig) == [-410]


def test_a_message_interrupts_a_slow_query_at_once(rig: Rig, bus: Exchange) -> None:
    bus.write(b"READ?;:SET 1;:READ?;:SET 2")
    assert ask(bus, b"*ESE?") == b"0\n"
    assert rig.log == [(0.0, "read"), (0.0, 1.0), (0.0, "read"), (0.0, 2.0)]
    assert errors(rig) == [-410]
    rig.clock.advance(5.0)
    assert not bus.waits


def test_the_second_of_two_messages_in_one_write_interrupts_the_first(
    rig: Rig, bus: Exchange
) -> None:
    bus.write(b"*SRE?\n*ESE?;*ESE?\n")
    assert bus.read()[0] == b"0;0\n"
    assert errors(rig) == [-410]


def test_a_full_output_queue_with_a_full_input_buffer_is_a_deadlock(
    rig: Rig, bus: Exchange
) -> None:
    bus.write(b"LONG?;LONG?;LONG?;" + b"SET 1;" * 10)
    assert not bus.waits
    assert errors(rig) == [-430]
    assert len(rig.log) == 10  # the commands are obeyed, the replies are lost
    bus.write(b"LONG?;LONG?;LONG?;SET 2")
    assert len(bus.read()[0]) == 3 * 81
    assert errors(rig) == [0]


# Order.


def test_a_busy_instrument_obeys_the_next_unit_and_the_next_message_when_it_is_free(
    rig: Rig, bus: Exchange
) -> None:
    bus.write(b"MOVE;SET 1;MOVE;SET 2\n")
    bus.write(b"SET 3;*ESE?")
    assert rig.log == [(0.0, "move")]
    rig.clock.advance(0.7)
    assert rig.log[1:] == [(0.5, 1.0), (0.5, "move")]
    assert bus.reply_ready() == 1.0
    rig.clock.advance(1.0)
    assert rig.log[3:] == [(1.0, 2.0), (1.0, 3.0)]
    assert bus.read()[0] == b"0\n"


def test_a_slow_query_holds_back_the_units_after_it(rig: Rig, bus: Exchange) -> None:
    bus.write(b"READ?;:SET 1;:READ?")
    rig.clock.advance(5.0)
    assert rig.log == [(0.0, "read"), (1.0, 1.0), (1.0, "read")]
    assert bus.read()[0] == b"read;read\n"


def test_wait_holds_until_overlapped_commands_are_done(rig: Rig, bus: Exchange) -> None:
    bus.write(b"INIT 2;SET 1;*WAI;SET 2")
    bus.write(b"SET 3")
    rig.clock.advance(3.0)
    assert rig.log == [(0.0, "init"), (0.0, 1.0), (2.0, 2.0), (2.0, 3.0)]


def test_an_endless_wait_holds_its_own_client_only_and_a_clear_ends_it(
    rig: Rig, bus: Exchange
) -> None:
    bus.write(b"ARM;*WAI;SET 1")
    other = Exchange(rig)
    assert ask(other, b"SET 2;*ESE?") == b"0\n"
    rig.clock.advance(10.0)
    assert [what for _, what in rig.log] == [2.0]
    bus.clear()
    assert rig.cleared == 1
    assert ask(bus, b"SET 3;*ESE?") == b"0\n"
    assert [what for _, what in rig.log] == [2.0, 3.0]


def test_a_trigger_ends_a_wait(rig: Rig, bus: Exchange) -> None:
    bus.write(b"ARM;*WAI;SET 1")
    Exchange(rig).trigger()
    rig.clock.advance(1.0)
    assert rig.log == [(0.5, 1.0)]


def test_operation_complete_is_told_when_it_is(rig: Rig, bus: Exchange) -> None:
    bus.write(b"INIT 2;*OPC;SET 1")
    assert ask(bus, b"*ESR?") == b"0\n"
    rig.clock.advance(2.0)
    assert ask(bus, b"*ESR?") == b"1\n"
    bus.write(b"INIT 2;*OPC?")
    assert bus.reply_ready() == 4.0
    rig.clock.advance(4.0)
    assert bus.read()[0] == b"1\n"


@pytest.mark.parametrize("message", [b"*CLS", b"*RST"])
def test_clear_and_reset_forget_operation_complete(rig: Rig, bus: Exchange, message: bytes) -> None:
    bus.write(b"INIT 2;*OPC;" + message)
    rig.clock.advance(3.0)
    assert ask(bus, b"*ESR?") == b"0\n"


# Framing.


@pytest.mark.parametrize("is_stream", [False, True])
def test_a_message_may_be_cut_at_any_byte(rig: Rig, is_stream: bool) -> None:
    data = b"BLOC " + block(b"a\n;'\"#15") + b";:SET 1\nTEXT 'b;#';:SET 2\n"
    told = [b"a\n;'\"#15", 1.0, "b;#", 2.0]
    for cut in range(len(data) + 1):
        rig.log.clear()
        exchange = Exchange(rig, stream=is_stream)
        exchange.write(data[:cut], end=False)
        exchange.write(data[cut:])
        assert [what for _, what in rig.log] == told, cut
        exchange.close()


def test_a_line_feed_in_a_string_is_text_on_a_bus_and_an_end_in_a_stream(
    rig: Rig, bus: Exchange, stream: Exchange
) -> None:
    bus.write(b"TEXT 'a\nb'\nSET 1\n")
    assert [what for _, what in rig.log] == ["a\nb", 1.0]
    stream.write(b"TEXT 'a\nSET 2\n")
    assert rig.log[-1] == (0.0, 2.0)
    assert errors(rig) == [-151]


def test_an_indefinite_block_ends_with_end_or_with_the_line(
    rig: Rig, bus: Exchange, stream: Exchange
) -> None:
    bus.write(b"BLOC #0a\n", end=False)
    bus.write(b"b\n")
    stream.write(b"BLOC #0a 'b #15\nSET 1\n")
    assert [what for _, what in rig.log] == [b"a\nb", b"a 'b #15", 1.0]


@pytest.mark.parametrize("is_stream", [False, True])
@pytest.mark.parametrize("piece", [1500, 2500, 10_000])
def test_a_message_that_is_too_long_is_thrown_away_and_told_once(
    rig: Rig, is_stream: bool, piece: int
) -> None:
    exchange = Exchange(rig, stream=is_stream)
    for _ in range(10):
        exchange.write(b"SET 1;" * (piece // 6), end=False)
    exchange.write(b"SET 1\n")  # its END or line feed ends what is thrown away
    exchange.write(b"SET 2\n")
    assert [what for _, what in rig.log] == [2.0]
    assert errors(rig) == [-363]


def test_a_block_announced_too_long_is_none(rig: Rig, stream: Exchange) -> None:
    stream.write(b"BLOC #9999999999abc\nSET 1\n")
    assert [what for _, what in rig.log] == [1.0]
    assert errors(rig) == [-161]


def test_what_does_not_fit_behind_a_busy_instrument_is_lost_and_told(
    rig: Rig, bus: Exchange
) -> None:
    bus.write(b"MOVE")
    while bus.accepts():
        bus.write(b"SET 1;" * 50)
    bus.write(b"SET 2")
    assert errors(rig) == [-363]
    rig.clock.advance(1.0)
    assert bus.accepts()
    assert {what for _, what in rig.log} == {"move", 1.0}


def test_a_stream_keeps_replies_until_they_are_read(rig: Rig, stream: Exchange) -> None:
    stream.write(b"*ESE?\nREAD?\n*SRE?\n")
    assert [stream.read(), stream.read()] == [(b"0\n", True), (b"", False)]
    rig.clock.advance(1.0)
    assert [stream.read(), stream.read(), stream.read()] == [
        (b"read\n", True),
        (b"0\n", True),
        (b"", False),
    ]
    assert errors(rig) == [0]


def test_a_stream_that_nobody_reads_stops_obeying_and_goes_on_when_it_is_read(
    rig: Rig, stream: Exchange
) -> None:
    line = b"LONG?;LONG?;LONG?;LONG?\n"
    for _ in range(5000):
        stream.write(line)
    assert not stream.accepts()
    assert errors(rig)[-1] == -350  # overruns
    read = 0
    while stream.waits:
        read += len(stream.read()[0])
    assert 1_000_000 < read < 1_100_000
    stream.write(b"*ESE?\n")
    assert stream.read()[0] == b"0\n"


# Device clear, trigger, status.


def test_a_device_clear_empties_input_and_output_and_keeps_the_errors(
    rig: Rig, bus: Exchange
) -> None:
    bus.write(b"WRONG")
    bus.write(b"LONG?")
    bus.write(b"SET", end=False)
    bus.clear()
    assert not bus.waits
    bus.write(b"SET 1")
    assert rig.log == [(0.0, 1.0)]
    assert errors(rig) == [-113, -410]


def test_a_device_clear_forgets_operation_complete(rig: Rig, bus: Exchange) -> None:
    bus.write(b"INIT 2;*OPC")
    bus.clear()
    rig.clock.advance(3.0)
    assert ask(bus, b"*ESR?") == b"0\n"


def test_a_trigger_inside_a_message_is_not_allowed(rig: Rig, bus: Exchange) -> None:
    bus.write(b"SET", end=False)
    bus.trigger()
    assert errors(rig) == [-105]
    assert rig.triggered == math.inf


def test_a_trigger_interrupts_a_reply_and_is_ignored_where_none_is_awaited(
    rig: Rig, bus: Exchange
) -> None:
    bus.write(b"*ESE?")
    bus.trigger()
    bus.trigger()
    assert errors(rig) == [-410, -211]


def test_a_trigger_has_its_turn_among_the_messages(rig: Rig, bus: Exchange) -> None:
    bus.write(b"MOVE")
    bus.trigger()
    assert rig.triggered == math.inf
    rig.clock.advance(0.5)
    assert rig.triggered == 1.0


def test_a_poll_clears_the_request_and_not_the_master_summary(rig: Rig, bus: Exchange) -> None:
    requests: list[float] = []
    bus.on_service_request = lambda: requests.append(rig.clock.time)
    bus.write(b"*ESE 1;*SRE 32;:INIT 2;*OPC")
    rig.clock.advance(3.0)
    assert requests == [2.0]
    assert [bus.poll(), bus.poll()] == [96, 32]
    assert ask(bus, b"*STB?") == b"96\n"
    assert ask(bus, b"*ESR?;*STB?") == b"1;0\n"
    bus.write(b"*OPC")
    assert requests == [2.0, 3.0]


def test_a_reply_requests_service_from_its_own_client(rig: Rig, bus: Exchange) -> None:
    requests: list[str] = []
    other = Exchange(rig)
    bus.on_service_request = lambda: requests.append("bus")
    other.on_service_request = lambda: requests.append("other")
    bus.write(b"*SRE 16")
    bus.write(b"READ?")
    assert requests == []
    rig.clock.advance(1.0)
    assert requests == ["bus"]
    assert (bus.poll(), other.poll()) == (80, 0)
    bus.read()
    assert bus.poll() == 0
    bus.write(b"*ESE?")
    assert requests == ["bus", "bus"]


def test_a_poll_takes_the_word_of_the_server_for_the_reply(bus: Exchange) -> None:
    bus.write(b"*ESE?")
    assert (bus.poll(), bus.poll(waits=False)) == (16, 0)


def test_an_error_of_one_client_requests_service_of_all(rig: Rig, bus: Exchange) -> None:
    requests: list[int] = []
    bus.on_service_request = lambda: requests.append(bus.status_byte())
    Exchange(rig).write(b"*SRE 4;WRONG")
    assert requests == [68]


def test_a_condition_that_changed_outside_a_message_requests_service(
    rig: Rig, bus: Exchange
) -> None:
    requests: list[int] = []
    bus.on_service_request = lambda: requests.append(bus.status_byte())
    bus.write(b"*SRE 128;:STAT:OPER:ENAB 16")
    rig.operation.set(16)
    rig.changed()
    assert requests == [192]


def test_a_callback_tells_of_a_reply(rig: Rig, bus: Exchange) -> None:
    told: list[float] = []
    bus.on_reply = lambda: told.append(rig.clock.time)
    bus.write(b"READ?")
    rig.clock.advance(4.0)
    assert told == [1.0]


# Power and clients.


def test_a_power_cycle_takes_replies_and_registers_and_sets_its_bit(
    rig: Rig, bus: Exchange
) -> None:
    bus.write(b"WRONG;")
    bus.write(b"*ESE 255;*SRE 255;READ?")
    rig.power_on()
    assert bus.reply_ready() == math.inf
    assert ask(bus, b"*ESR?;*ESE?;*SRE?;:SYST:ERR:COUN?") == b"128;0;0;0\n"


def test_an_instrument_without_power_neither_hears_nor_answers(rig: Rig, bus: Exchange) -> None:
    rig.on = False
    assert ask(bus, b"SET 1;*ESE?") == b""
    assert (bus.poll(), rig.log) == (0, [])
    rig.on = True
    assert errors(rig) == [0]


def test_a_closed_exchange_hears_of_nothing(rig: Rig, bus: Exchange) -> None:
    bus.write(b"READ?")
    bus.close()
    rig.clock.advance(2.0)
    rig.changed()
    assert not bus.waits


def test_triggers_that_wait_are_bounded_too(rig: Rig, bus: Exchange) -> None:
    bus.write(b"MOVE")
    for _ in range(3000):
        bus.trigger()
    assert not bus.accepts()
    bus.write(b"SET 1")
    assert errors(rig) == [-363]
    rig.clock.advance(1.0)
    assert rig.triggered == 1.0
    assert bus.accepts()


def test_a_number_sign_that_begins_no_element_begins_no_block(rig: Rig, stream: Exchange) -> None:
    stream.write(b"SET#3500\nSET 1\n")
    assert [what for _, what in rig.log] == [1.0]


def test_white_space_interrupts_nothing_and_the_first_byte_of_a_message_does(
    rig: Rig, bus: Exchange
) -> None:
    bus.write(b"*ESE?\n \n")
    bus.write(b"\r\n", end=False)
    assert bus.read()[0] == b"0\n"
    bus.write(b"*ESE?\n*S", end=False)
    assert not bus.waits
    assert errors(rig) == [-410]
