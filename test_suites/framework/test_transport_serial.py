"""A serial line on a pseudo-terminal, and manners other than SCPI's: echo, answers, line ends."""

from __future__ import annotations

import os
import select
import termios
import threading
import time
import tty
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import pyvisa

from hil.errors import InstrumentError, ReplyTimeout, SessionPoisoned
from hil_fixtures.clocks import WallClock
from hil_instruments import transport
from hil_instruments.encoding import Identity
from hil_instruments.manner import Ask, Manner, SerialLine

SHORT = 0.6


class Device:
    """Answers each message, up to a carriage return, by a script: what it sends, and how late."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.answer: Callable[[str], list[tuple[float, str]]] = lambda text: [(0, f"<{text}>\r")]
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        self.resource = f"ASRL{os.ttyname(self._slave)}::INSTR"
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        held = ""
        while "\x04" not in held:
            held += os.read(self._master, 100).decode("latin-1")
            while "\r" in held:
                message, _, held = held.partition("\r")
                self.heard.append(message)
                for late, reply in self.answer(message):
                    time.sleep(late)
                    os.write(self._master, reply.encode("latin-1"))

    def settings(self) -> list[Any]:
        """Settings of the line, as the operating system has them."""
        return termios.tcgetattr(self._slave)

    def unread(self, seconds: float) -> bool:
        """Whether something that it sent waits to be read, or comes in time."""
        return bool(select.select([self._slave], [], [], seconds)[0])

    def stop(self) -> None:
        os.write(self._slave, b"\x04")
        self._thread.join(5)
        os.close(self._slave)
        os.close(self._master)


def named(ask: Ask) -> Identity:
    return Identity("Maker", "Model", ask("ID").strip("<>"), "")


CR = Manner(send_end="\r", reply_end="\r", patience=SHORT, identity=named)
ECHOING = Manner(send_end="\r", reply_end="\r", patience=SHORT, identity=named, echo=True)


@pytest.fixture
def device() -> Iterator[Device]:
    made = Device()
    yield made
    made.stop()


@pytest.fixture(scope="module")
def manager() -> Iterator[pyvisa.ResourceManager]:
    made = transport.open_manager("@py")
    yield made
    made.close()


def opened(manager: pyvisa.ResourceManager, device: Device, manner: Manner) -> transport.Session:
    return transport.open_session(
        manager, device.resource, WallClock(), timeout=SHORT, role="stimulator", manner=manner
    )


def test_a_message_ends_as_its_manner_says(manager, device) -> None:
    session = opened(manager, device, CR)
    assert session.query("I?") == "<I?>"
    assert session.identity == Identity("Maker", "Model", "ID", "")
    session.close()


def test_the_settings_of_a_serial_line_reach_it(manager, device) -> None:
    # A pseudo-terminal takes neither 7 bits nor parity.
    line = SerialLine(baud=19200, stop_bits=2, flow="xon/xoff")
    session = opened(manager, device, Manner(serial=line))
    flow, _, frame, _, speed, *_ = device.settings()
    assert speed == termios.B19200
    assert frame & termios.CSTOPB
    assert flow & termios.IXON
    session.close()


def test_a_late_reply_over_a_serial_line_is_nobodys(manager, device) -> None:
    session = opened(manager, device, CR)
    assert session.identity.serial == "ID"
    device.answer = lambda text: [(SHORT + 0.2, "stale\r")]
    with pytest.raises(ReplyTimeout):
        session.query("A?")
    with pytest.raises(SessionPoisoned):
        session.query("B?")
    device.answer = lambda text: [(0, f"<{text}>\r")]
    session.recover()
    assert session.query("B?") == "<B?>"
    session.close()


def test_what_comes_unasked_over_a_serial_line_poisons_it(manager, device) -> None:
    session = opened(manager, device, CR)
    device.answer = lambda text: [(0, f"<{text}>\rmore\r")]
    assert session.query("A?") == "<A?>"
    assert device.unread(5), "the second line has not come"
    with pytest.raises(InstrumentError, match="came unasked"):
        session.query("B?")
    session.close()


def test_the_answer_to_a_stop_is_read_by_whoever_asks_next(manager, device) -> None:
    session = opened(manager, device, CR)
    device.answer = lambda text: [(0.3, "ERR 3\r" if text == "STOP" else f"<{text}>\r")]
    begin = time.monotonic()
    session.stop_write("STOP", answered=True)
    assert time.monotonic() - begin < 0.25  # it waits for no answer
    assert session.query("A?") == "<A?>"
    assert session.late_answers() == ["ERR 3"]
    assert session.late_answers() == []
    session.close()


def test_a_stop_whose_answer_never_comes_poisons_what_follows_but_no_further_stop(
    manager, device
) -> None:
    session = opened(manager, device, CR)
    assert session.identity.serial == "ID"
    device.answer = lambda text: []
    session.stop_write("STOP", answered=True)
    with pytest.raises(ReplyTimeout):
        session.query("A?")
    session.stop_write("STOP", answered=True)
    device.answer = lambda text: [(0, f"<{text}>\r")]
    session.recover()
    assert session.query("A?") == "<A?>"
    assert device.heard == ["ID", "STOP", "STOP", "ID", "A?"]
    session.close()


def test_an_echo_is_read_and_must_be_what_was_sent(manager, device) -> None:
    session = opened(manager, device, ECHOING)
    device.answer = lambda text: [(0, f"{text}\r<{text}>\r")]
    assert session.query("A?") == "<A?>"
    device.answer = lambda text: [(0, f"{text}\r")]
    session.write("GO")
    session.stop_write("STOP")
    session.write("ON")
    device.answer = lambda text: [(0, "S0T 1\r")]
    with pytest.raises(InstrumentError, match="'S0T 1' came as the echo of 'SET 1'"):
        session.write("SET 1")
    session.close()


def test_while_energised_a_serial_line_is_given_up_soon_and_heeds_meanwhile(
    manager: pyvisa.ResourceManager, device: Device
) -> None:
    quick = Manner(send_end="\r", reply_end="\r", identity=named, energised=0.2)
    session = transport.open_session(manager, device.resource, WallClock(), manner=quick)
    looks: list[int] = []
    session.watch(lambda: looks.append(1))
    device.answer = lambda text: [(0.12, f"<{text}>\r")]
    assert session.query("A") == "<A>"
    assert looks
    device.answer = lambda text: []
    begin = time.monotonic()
    with pytest.raises(ReplyTimeout, match="while energised"):
        session.query("B")
    assert time.monotonic() - begin < 1
    session.close()
