"""The simulated bench as a VISA library in this process, under virtual time.

    manager = resource_manager(bench)
    meter = manager.open_resource(bench.description.instruments["ammeter"].resource)

Nothing here waits: a read that times out lets its timeout pass on the bench clock.
"""

from __future__ import annotations

import itertools
import threading
from typing import Any, TypeAlias

import pyvisa
from pyvisa import constants, rname
from pyvisa.constants import (
    AccessModes,
    EventAttribute,
    EventMechanism,
    EventType,
    InterfaceType,
    ResourceAttribute,
    StatusCode,
)
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.typing import VISAEventContext, VISAHandler, VISARMSession, VISASession
from pyvisa.util import LibraryPath

from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.session import Dropped, Session

QUEUE_LENGTH = 50
"""Events that wait to be taken; VI_ATTR_MAX_QUEUE_LENGTH."""
_Handler: TypeAlias = tuple[VISAHandler, Any]
_OK = StatusCode.success
_TERMINATED = StatusCode.success_termination_character_read
_MORE = StatusCode.success_max_count_read
_numbers = itertools.count(1)


class _Opened:
    """One open resource: its session and its attributes."""

    def __init__(self, bench: SimulatedBench, role: str, name: str) -> None:
        parsed = rname.parse_resource_name(name)
        self.is_socket = parsed.resource_class == "SOCKET"
        """A raw socket knows no END, no device clear and no serial poll, and keeps old replies."""
        self.session = Session(bench, role, stream=self.is_socket)
        self.termination = -1
        """Character that ends a read; -1 for none."""
        self.sends_end = True
        self.mechanisms = 0
        """Ways in which a request for service is told: bits of EventMechanism."""
        self.handlers: list[_Handler] = []
        self.attributes = _attributes(parsed)
        self.fixed = frozenset(self.attributes) - _SETTABLE

    def set(self, attribute: int, state: object) -> None:
        """Take the new state of an attribute that may be set."""
        self.attributes[attribute] = state
        if attribute == ResourceAttribute.timeout_value:
            endless = state == constants.VI_TMO_INFINITE
            self.session.timeout = None if endless else float(str(state)) / 1000
        on = self.attributes[ResourceAttribute.termchar_enabled]
        self.termination = int(self.attributes[ResourceAttribute.termchar]) if on else -1
        self.sends_end = bool(self.attributes[ResourceAttribute.send_end_enabled])


def _attributes(parsed: rname.ResourceName) -> dict[int, Any]:
    attributes: dict[int, Any] = {
        ResourceAttribute.resource_name: str(parsed),
        ResourceAttribute.resource_class: parsed.resource_class,
        ResourceAttribute.interface_type: parsed.interface_type_const,
        ResourceAttribute.interface_number: int(getattr(parsed, "board", 0) or 0),
        ResourceAttribute.resource_manufacturer_name: "stimproof",
        ResourceAttribute.resource_lock_state: AccessModes.no_lock,
        ResourceAttribute.resource_impl_version: 1,
        ResourceAttribute.resource_spec_version: 0x00700000,
        ResourceAttribute.timeout_value: 2000,
        ResourceAttribute.termchar: 10,
        ResourceAttribute.termchar_enabled: False,
        ResourceAttribute.send_end_enabled: True,
        ResourceAttribute.suppress_end_enabled: False,
        ResourceAttribute.io_prot: constants.IOProtocol.normal,
    }
    if parsed.interface_type_const == InterfaceType.tcpip:
        attributes[ResourceAttribute.tcpip_address] = getattr(parsed, "host_address", "")
        attributes[ResourceAttribute.tcpip_nodelay] = True
        attributes[ResourceAttribute.tcpip_keepalive] = False
        if parsed.resource_class == "SOCKET":
            attributes[ResourceAttribute.tcpip_port] = int(getattr(parsed, "port", 0))
    return attributes


_SETTABLE = frozenset(
    {
        ResourceAttribute.timeout_value,
        ResourceAttribute.termchar,
        ResourceAttribute.termchar_enabled,
        ResourceAttribute.send_end_enabled,
        ResourceAttribute.suppress_end_enabled,
        ResourceAttribute.io_prot,
        ResourceAttribute.tcpip_nodelay,
        ResourceAttribute.tcpip_keepalive,
    }
)


class SimulatedLibrary(VisaLibraryBase):
    """VISA library whose only instruments are those of one simulated bench.

    One lock serves all sessions: the bench is one world. Build it by `resource_manager`.
    """

    bench: SimulatedBench

    def _init(self) -> None:
        self._lock = threading.RLock()
        self._acquire, self._release = self._lock.acquire, self._lock.release
        self._sessions: dict[int, _Opened | None] = {}
        self._handles = itertools.count(1)
        self._events: set[int] = set()

    def attach(self, bench: SimulatedBench) -> None:
        """Say which bench it serves."""
        self.bench = bench

    def _session(self, session: VISASession | VISAEventContext | VISARMSession) -> _Opened:
        found = self._sessions.get(session)
        if found is None:
            self.handle_return_value(None, StatusCode.error_invalid_object)
            raise AssertionError(session)  # unreachable: the line above raises
        return found

    # Resource manager.

    def open_default_resource_manager(self) -> tuple[VISARMSession, StatusCode]:
        """Open the session of the resource manager."""
        handle = VISARMSession(next(self._handles))
        self._sessions[handle] = None
        return handle, self.handle_return_value(None, _OK)

    def list_resources(self, session: VISARMSession, query: str = "?*::INSTR") -> tuple[str, ...]:
        """Return the resource names of the bench that match a VISA resource expression."""
        return rname.filter(self.bench.roles, query)

    def open(
        self,
        session: VISARMSession,
        resource_name: str,
        access_mode: AccessModes = AccessModes.no_lock,
        open_timeout: int = constants.VI_TMO_IMMEDIATE,
    ) -> tuple[VISASession, StatusCode]:
        """Open a session to an instrument; VI_ERROR_RSRC_NFOUND if it is not on the bench."""
        try:
            wanted = rname.to_canonical_name(resource_name)
        except rname.InvalidResourceName:
            return VISASession(0), self.handle_return_value(
                None, StatusCode.error_invalid_resource_name
            )
        for name, role in self.bench.roles.items():
            if rname.to_canonical_name(name) == wanted:
                handle = VISASession(next(self._handles))
                self._sessions[handle] = _Opened(self.bench, role, name)
                return handle, self.handle_return_value(handle, _OK)
        return VISASession(0), self.handle_return_value(None, StatusCode.error_resource_not_found)

    def close(self, session: VISASession | VISAEventContext | VISARMSession) -> StatusCode:
        """Close a session, or with the resource manager's all of them; or an event."""
        if session in self._events:
            self._events.discard(session)
            return _OK
        if session not in self._sessions:
            return self.handle_return_value(None, StatusCode.error_invalid_object)
        with self._lock:
            opened = self._sessions.pop(session)
            closing = list(self._sessions.values()) if opened is None else [opened]
            for each in closing:
                if each is not None:
                    each.session.close()
            if opened is None:
                self._sessions.clear()
        return _OK

    # Messages.

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Hand bytes to the instrument."""
        self._acquire()  # half the cost of `with`
        try:
            opened = self._sessions.get(session) or self._session(session)
            opened.session.write(data, opened.sends_end)
            if opened.session.requests:
                self._tell(session, opened)
        finally:
            self._release()
        self._last_status_in_session[session] = _OK
        return len(data), _OK

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Read up to `count` bytes of the reply, to the termination character if that is on."""
        self._acquire()
        try:
            opened = self._sessions.get(session) or self._session(session)
            data, end = opened.session.read(count, opened.termination)
            status = _MORE
            if data[-1] == opened.termination:
                status = _TERMINATED
            elif end or len(data) < count:
                status = _OK
            if opened.session.requests:
                self._tell(session, opened)
        except Dropped:
            status = StatusCode.error_connection_lost
        except TimeoutError:
            status = StatusCode.error_timeout
        finally:
            self._release()
        if status < 0:
            data = b""
            self.handle_return_value(session, status)
        self._last_status_in_session[session] = status
        return data, status

    def clear(self, session: VISASession) -> StatusCode:
        """Device clear: forget what was written and not obeyed, asked and not read."""
        status = _OK
        with self._lock:
            try:
                self._session(session).session.clear()
            except Dropped:
                status = StatusCode.error_connection_lost
        return self.handle_return_value(session, status)

    def flush(self, session: VISASession, mask: constants.BufferOperation) -> StatusCode:
        """Do nothing: there is no buffer on this side."""
        self._session(session)
        return self.handle_return_value(session, _OK)

    def read_stb(self, session: VISASession) -> tuple[int, StatusCode]:
        """Serial poll, which withdraws the request for service; a socket has none."""
        opened = self._session(session)
        if opened.is_socket:
            return 0, self.handle_return_value(session, StatusCode.error_nonsupported_operation)
        with self._lock:
            status = opened.session.poll()
        return status, self.handle_return_value(session, _OK)

    def assert_trigger(
        self, session: VISASession, protocol: constants.TriggerProtocol
    ) -> StatusCode:
        """Trigger the instrument as *TRG does; a socket cannot."""
        opened = self._session(session)
        if opened.is_socket:
            return self.handle_return_value(session, StatusCode.error_nonsupported_operation)
        with self._lock:
            opened.session.trigger()
            self._tell(session, opened)
        return self.handle_return_value(session, _OK)

    # Attributes and events.

    def get_attribute(
        self,
        session: VISASession | VISAEventContext | VISARMSession,
        attribute: ResourceAttribute | EventAttribute,
    ) -> tuple[object, StatusCode]:
        """Return an attribute; VI_ERROR_NSUP_ATTR if the resource has none of that name."""
        attributes = self._session(session).attributes
        if attribute not in attributes:
            return None, self.handle_return_value(session, StatusCode.error_nonsupported_attribute)
        return attributes[attribute], self.handle_return_value(session, _OK)

    def set_attribute(
        self, session: VISASession, attribute: ResourceAttribute, attribute_state: object
    ) -> StatusCode:
        """Set an attribute of the session."""
        found = self._session(session)
        if attribute not in found.attributes:
            return self.handle_return_value(session, StatusCode.error_nonsupported_attribute)
        if attribute in found.fixed:
            return self.handle_return_value(session, StatusCode.error_attribute_read_only)
        found.set(attribute, attribute_state)
        return self.handle_return_value(session, _OK)

    # Events: the request for service is the only one.

    def _able(self, session: VISASession, event_type: EventType) -> tuple[_Opened, StatusCode]:
        opened = self._session(session)
        known = event_type in {EventType.service_request, EventType.all_enabled}
        able = known and not opened.is_socket
        return opened, _OK if able else StatusCode.error_invalid_event

    def enable_event(
        self,
        session: VISASession,
        event_type: EventType,
        mechanism: EventMechanism,
        context: None = None,
    ) -> StatusCode:
        """Begin to tell of requests for service, by queue, by handler or both."""
        opened, status = self._able(session, event_type)
        if status == _OK:
            opened.mechanisms |= int(mechanism)
        return self.handle_return_value(session, status)

    def disable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """Stop telling of requests for service."""
        opened = self._session(session)
        opened.mechanisms &= ~int(mechanism)
        return self.handle_return_value(session, _OK)

    def discard_events(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """Forget the requests for service that nobody has taken."""
        self._session(session).session.requests = 0
        return self.handle_return_value(session, _OK)

    def wait_on_event(
        self, session: VISASession, in_event_type: EventType, timeout: int
    ) -> tuple[EventType, VISAEventContext, StatusCode]:
        """Let bench time pass until the instrument requests service, or `timeout` ms are over."""
        opened, status = self._able(session, in_event_type)
        if status == _OK and not opened.mechanisms & EventMechanism.queue:
            status = StatusCode.error_not_enabled
        self.handle_return_value(session, status)
        endless = timeout in {None, constants.VI_TMO_INFINITE}
        with self._lock:
            told = opened.session.await_request(float("inf") if endless else timeout / 1000)
        if not told:
            self.handle_return_value(session, StatusCode.error_timeout)
        return EventType.service_request, self._event(), self.handle_return_value(session, _OK)

    def _event(self) -> VISAEventContext:
        context = VISAEventContext(next(self._handles))
        self._events.add(context)
        return context

    def install_handler(
        self, session: VISASession, event_type: EventType, handler: VISAHandler, user_handle: object
    ) -> tuple[VISAHandler, Any, Any, StatusCode]:
        """Have `handler` called at each request for service, after the call that noticed it."""
        opened, status = self._able(session, event_type)
        if status == _OK:
            opened.handlers.append((handler, user_handle))
        return handler, user_handle, handler, self.handle_return_value(session, status)

    def uninstall_handler(
        self,
        session: VISASession,
        event_type: EventType,
        handler: VISAHandler,
        user_handle: object = None,
    ) -> StatusCode:
        """Stop calling `handler`."""
        opened = self._session(session)
        opened.handlers = [each for each in opened.handlers if each != (handler, user_handle)]
        return self.handle_return_value(session, _OK)

    def _tell(self, session: VISASession, opened: _Opened) -> None:
        """Call the handlers of requests for service; the queue keeps its own."""
        told = opened.session.requests
        if not opened.mechanisms & EventMechanism.queue:
            opened.session.requests = 0
        opened.session.requests = min(opened.session.requests, QUEUE_LENGTH)
        if not told or not opened.mechanisms & EventMechanism.handler:
            return
        opened.session.requests = 0
        for handler, user_handle in opened.handlers:
            handler(session, EventType.service_request, self._event(), user_handle)


def resource_manager(bench: SimulatedBench) -> pyvisa.ResourceManager:
    """Return a resource manager whose instruments are those of the bench.

    Each call gives a library of its own, with sessions of its own, on the same bench.
    """
    path = LibraryPath(f"simulated-bench-{next(_numbers)}", "in process")
    library = SimulatedLibrary(path)
    library.attach(bench)
    return pyvisa.ResourceManager(library)
