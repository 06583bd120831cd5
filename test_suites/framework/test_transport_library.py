"""Our sessions over a VISA library that behaves as the vendors' document theirs to.

No vendor's library is installed here. This one returns the status codes of the VISA specification
(VPP-4.3) where NI's and Keysight's manuals say that theirs do; what they really do is not tried.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

import pytest
import pyvisa
from pyvisa import constants, rname
from pyvisa.constants import ResourceAttribute, StatusCode
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.typing import VISASession
from pyvisa.util import LibraryPath

from hil.errors import (
    BenchError,
    ConnectionLost,
    InstrumentError,
    Locked,
    ReplyTimeout,
    SessionPoisoned,
)
from hil_fixtures.clocks import WallClock
from hil_instruments import transport

GPIB, SOCKET = "GPIB0::22::INSTR", "TCPIP0::meter::5025::SOCKET"
IDENTITY = b"Keysight Technologies,34465A,MY1,A.03\n"


@dataclass
class Instrument:
    """What is at a resource: what it will answer, and what is wrong with it."""

    heard: list[bytes] = field(default_factory=list)
    output: deque[bytes] = field(default_factory=deque)
    """Messages, each ended by END; on a byte stream their bytes."""
    answers: dict[bytes, bytes] = field(default_factory=lambda: {b"*IDN?\n": IDENTITY})
    fails: StatusCode | None = None
    """What every call returns."""
    cleared: int = 0


class Library(VisaLibraryBase):
    """Message-based sessions of a vendor's library, as far as a driver sees them."""

    def _init(self) -> None:
        self.found = {GPIB: Instrument(), SOCKET: Instrument()}
        self._opened: dict[Any, tuple[str, dict[Any, Any]]] = {}

    def open_default_resource_manager(self) -> tuple[Any, StatusCode]:
        return 1, StatusCode.success

    def open(self, session: Any, name: str, *_: object, **__: object) -> tuple[Any, StatusCode]:
        fails = self.found[name].fails
        if fails is not None:
            return 0, self.handle_return_value(None, fails)
        kind = constants.InterfaceType.gpib if name == GPIB else constants.InterfaceType.tcpip
        attributes = {
            ResourceAttribute.resource_class: name.rpartition("::")[2],
            ResourceAttribute.interface_type: kind,
            ResourceAttribute.timeout_value: 2000,
            ResourceAttribute.termchar: 10,
            ResourceAttribute.termchar_enabled: False,
        }
        handle = VISASession(len(self._opened) + 2)
        self._opened[handle] = name, attributes
        return handle, self.handle_return_value(handle, StatusCode.success)

    def close(self, session: Any) -> StatusCode:
        return StatusCode.success

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        there = self._need(session)
        there.heard.append(data)
        if data in there.answers:
            there.output.append(there.answers[data])
        return len(data), self.handle_return_value(session, StatusCode.success)

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """VI_SUCCESS at END, VI_SUCCESS_TERM_CHAR at the character, VI_SUCCESS_MAX_CNT at count."""
        there = self._need(session)
        if not there.output:
            self.handle_return_value(session, StatusCode.error_timeout)
        message = there.output.popleft()
        name, attributes = self._opened[session]
        status, end = StatusCode.success, len(message)
        if attributes[ResourceAttribute.termchar_enabled]:
            place = message.find(attributes[ResourceAttribute.termchar])
            if place >= 0:
                status, end = StatusCode.success_termination_character_read, place + 1
        if end > count or (name == SOCKET and end == count and end < len(message)):
            status, end = StatusCode.success_max_count_read, count
        if message[end:]:
            there.output.appendleft(message[end:])
        elif name == SOCKET and status is StatusCode.success and end < count:
            self.handle_return_value(session, StatusCode.error_timeout)  # a stream has no END
        return message[:end], self.handle_return_value(session, status)

    def clear(self, session: VISASession) -> StatusCode:
        there = self._need(session)
        there.cleared += 1
        there.output.clear()
        return self.handle_return_value(session, StatusCode.success)

    def get_attribute(self, session: VISASession, attribute: Any) -> tuple[object, StatusCode]:
        return self._opened[session][1].get(attribute, 0), StatusCode.success

    def set_attribute(self, session: VISASession, attribute: Any, state: object) -> StatusCode:
        self._opened[session][1][attribute] = state
        return StatusCode.success

    def disable_event(self, *_: object) -> StatusCode:
        return StatusCode.success

    def discard_events(self, *_: object) -> StatusCode:
        return StatusCode.success

    def list_resources(self, *_: object) -> tuple[str, ...]:
        return rname.filter([*self.found], "?*")

    def _need(self, session: VISASession) -> Instrument:
        there = self.found[self._opened[session][0]]
        if there.fails is not None:
            self.handle_return_value(session, there.fails)
        return there


@pytest.fixture
def library() -> Library:
    made = Library(LibraryPath("vendor"))
    made.found = {GPIB: Instrument(), SOCKET: Instrument()}  # pyvisa keeps one library a path
    return made


@pytest.fixture(params=[GPIB, SOCKET])
def there(request: pytest.FixtureRequest, library: Library) -> tuple[str, Instrument]:
    return request.param, library.found[request.param]


def opened(library: Library, name: str) -> transport.Session:
    manager = pyvisa.ResourceManager(library)
    return transport.open_session(manager, name, WallClock(), timeout=0.5, role="ammeter")


def test_a_reply_longer_than_one_read_is_whole(
    library: Library, there: tuple[str, Instrument]
) -> None:
    """VI_SUCCESS_MAX_CNT means that more is to come, and is no warning to anybody."""
    name, meter = there
    meter.answers[b"DATA?\n"] = b"1.5," * 50_000 + b"1.5\n"
    session = opened(library, name)
    assert session.query("DATA?") == "1.5," * 50_000 + "1.5"
    assert session.query("*IDN?") == IDENTITY.decode().strip()


def test_a_block_holds_line_feeds(library: Library, there: tuple[str, Instrument]) -> None:
    name, meter = there
    meter.answers[b"CURV?\n"] = b"#211" + b"\n" * 11 + b"\n"
    session = opened(library, name)
    assert session.query_block("CURV?") == b"\n" * 11
    assert str(session.identify()) == IDENTITY.decode().strip()


def test_a_reply_without_its_end_is_no_number(library: Library) -> None:
    library.found[GPIB].answers[b"READ?\n"] = b"+1.8"  # of +1.8E-03
    with pytest.raises(InstrumentError, match="cut short"):
        opened(library, GPIB).query("READ?")


def test_no_reply_is_a_timeout_and_a_bus_is_cleared_by_its_own_means(library: Library) -> None:
    session = opened(library, GPIB)
    session.identify()
    with pytest.raises(ReplyTimeout, match=r"READ\?"):
        session.query("READ?")
    library.found[GPIB].output.append(b"+4.0E-03\n")  # late
    with pytest.raises(SessionPoisoned):
        session.query("MEAS:VOLT?")
    session.recover()
    assert library.found[GPIB].cleared == 1
    library.found[GPIB].answers[b"MEAS:VOLT?\n"] = b"+8.0\n"
    assert session.query("MEAS:VOLT?") == "+8.0"


@pytest.mark.parametrize(
    "status",
    [StatusCode.error_connection_lost, StatusCode.error_io, StatusCode.error_invalid_object],
)
def test_a_peer_that_is_gone_is_lost_and_no_timeout(
    library: Library, there: tuple[str, Instrument], status: StatusCode
) -> None:
    name, meter = there
    session = opened(library, name)
    meter.fails = status
    with pytest.raises(ConnectionLost, match=r"ammeter at .*READ\?"):
        session.query("READ?")
    meter.fails = None
    with pytest.raises(ConnectionLost, match="not sent"):
        session.query("*IDN?")
    session.recover()
    assert session.query("*IDN?")


def test_the_lock_of_another_client_is_an_error_of_its_own_that_names_it(
    library: Library, there: tuple[str, Instrument]
) -> None:
    name, meter = there
    session = opened(library, name)
    session.identify()
    meter.fails = StatusCode.error_resource_locked
    with pytest.raises(Locked, match=r"ammeter at .*'READ\?'.*another client holds its lock"):
        session.query("READ?")
    with pytest.raises(BenchError):
        session.recover()
    with pytest.raises(BenchError, match="other means"):
        session.stop_write("OUTP OFF")
    with pytest.raises(Locked, match=r"cannot be opened.*another client"):
        opened(library, name)
    meter.fails = None
    session.recover()
    assert session.query("*IDN?")


def test_any_other_error_is_one_of_the_bench_with_its_name(
    library: Library, there: tuple[str, Instrument]
) -> None:
    name, meter = there
    session = opened(library, name)
    meter.fails = StatusCode.error_no_listeners
    with pytest.raises(BenchError, match=r"READ\?.*VI_ERROR_NLISTENERS"):
        session.query("READ?")
    meter.fails = StatusCode.error_resource_not_found
    with pytest.raises(BenchError, match=r"cannot be opened.*VI_ERROR_RSRC_NFOUND"):
        opened(library, name)
