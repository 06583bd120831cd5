"""The simulated bench as a VISA library in this process, under virtual time.

    manager = resource_manager(bench)
    meter = manager.open_resource(bench.description.instruments["ammeter"].resource)

Nothing here waits: a read that times out lets its timeout pass on the bench clock.
"""

from __future__ import annotations

import itertools
import math
import threading
from typing import Any

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
from pyvisa.typing import VISAEventContext, VISARMSession, VISASession
from pyvisa.util import LibraryPath

from hil.errors import UsageError
from hil_instruments.simulated.bench import SimulatedBench, completed
from hil_instruments.simulated.scpi import Pending, ScpiError

LONGEST_INPUT = 65_536
"""Bytes that an instrument takes without a terminator; more are thrown away with -363."""
_OK = StatusCode.success
_TERMINATED = StatusCode.success_termination_character_read
_MORE = StatusCode.success_max_count_read
_numbers = itertools.count(1)


class _Session:
    """One open resource: its own input, output and attributes."""

    def __init__(self, bench: SimulatedBench, role: str, name: str) -> None:
        parsed = rname.parse_resource_name(name)
        self.bench, self.role = bench, role
        self.generation = bench.generation
        self.is_socket = parsed.resource_class == "SOCKET"
        """A raw socket knows no END, no device clear and no serial poll, and keeps old replies."""
        self.timeout: float | None = 2.0
        """Seconds; None waits for ever."""
        self.termination = -1
        """Character that ends a read; -1 for none."""
        self.input = b""
        self.output = b""
        self.pending: Pending | None = None
        self.attributes: dict[int, Any] = {
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
            self.attributes[ResourceAttribute.tcpip_address] = getattr(parsed, "host_address", "")
            self.attributes[ResourceAttribute.tcpip_nodelay] = True
            self.attributes[ResourceAttribute.tcpip_keepalive] = False
            if self.is_socket:
                self.attributes[ResourceAttribute.tcpip_port] = int(getattr(parsed, "port", 0))
        self.fixed = frozenset(self.attributes) - _SETTABLE

    def write(self, data: bytes) -> None:
        if self.generation != self.bench.generation:
            self.discard()
        if self.is_socket or not self.attributes[ResourceAttribute.send_end_enabled]:
            self._write_part(data)
        else:
            self._deliver(self.input + data if self.input else data)
            self.input = b""

    def _write_part(self, data: bytes) -> None:
        *messages, self.input = (self.input + data).split(b"\n")
        for message in messages:
            self._deliver(message)
        if len(self.input) > LONGEST_INPUT:
            self._report(ScpiError(-363, f"{len(self.input)} bytes without a line end"))
            self.input = b""

    def _deliver(self, message: bytes) -> None:
        if self.output or self.pending:
            self._meet_unread()
        reply = self.bench.send(self.role, message)
        if isinstance(reply, Pending):
            self.pending = reply
        elif reply:
            self.output += reply

    def _meet_unread(self) -> None:
        """A message bus interrupts an unread reply (IEEE 488.2, 6.3.2.3); a socket queues it."""
        if not self.is_socket:
            self.output, self.pending = b"", None
            self._report(ScpiError(-410, "a message came before the reply was read"))
        elif self.pending is not None and not math.isinf(self.pending.ready):
            self.bench.clock.advance(self.pending.ready)
            self._finish_pending()

    def _report(self, error: ScpiError) -> None:
        self.bench.instruments[self.role].report(error)

    def _finish_pending(self) -> None:
        if self.pending is not None:
            pending, self.pending = self.pending, None
            self.output += completed(pending)

    def read(self, count: int) -> tuple[bytes, StatusCode]:
        if self.generation != self.bench.generation:
            self.discard()
        if not self.output and not self._await_reply():
            return b"", StatusCode.error_timeout
        output = self.output
        end = output.find(b"\n" if self.termination == 10 else self._terminator()) + 1
        if self.termination >= 0 and 0 < end <= count:
            status = _TERMINATED
        elif len(output) <= count:
            end, status = len(output), _OK
        else:
            end, status = count, _MORE
        self.output = output[end:]
        if end > 64:
            self.bench.charge_transfer(end)
        return output[:end], status

    def _terminator(self) -> bytes:
        return bytes([self.termination]) if self.termination >= 0 else b"\n"

    def _await_reply(self) -> bool:
        """Let bench time pass until a reply is there, or the timeout is over."""
        clock, pending = self.bench.clock, self.pending
        limit = clock.time + self.timeout if self.timeout is not None else math.inf
        if pending is not None and pending.ready <= limit and pending.ready < math.inf:
            clock.advance(pending.ready)
            self._finish_pending()
            if self.output:
                return True
        elif pending is None and not self.is_socket:
            self._report(ScpiError(-420, "a read came without a query"))
        if math.isinf(limit):
            raise UsageError(
                f"{self.role}: a read without timeout waits for a reply that never comes; "
                "set a finite timeout"
            )
        clock.advance(limit)
        return False

    def discard(self) -> None:
        """Forget input and output, as after a device clear."""
        self.input = self.output = b""
        self.pending = None
        self.generation = self.bench.generation


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
        self._sessions: dict[int, _Session | None] = {}
        self._handles = itertools.count(1)

    def attach(self, bench: SimulatedBench) -> None:
        """Say which bench it serves."""
        self.bench = bench

    def _session(self, session: VISASession | VISAEventContext | VISARMSession) -> _Session:
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
                self._sessions[handle] = _Session(self.bench, role, name)
                return handle, self.handle_return_value(handle, _OK)
        return VISASession(0), self.handle_return_value(None, StatusCode.error_resource_not_found)

    def close(self, session: VISASession | VISAEventContext | VISARMSession) -> StatusCode:
        """Close a session, or with the resource manager's all of them."""
        if session not in self._sessions:
            return self.handle_return_value(None, StatusCode.error_invalid_object)
        if self._sessions.pop(session) is None:
            self._sessions.clear()
        return _OK

    # Messages.

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Hand bytes to the instrument."""
        with self._lock:
            self._session(session).write(bytes(data))
        self._last_status_in_session[session] = _OK
        return len(data), _OK

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Read up to `count` bytes of the reply, to the termination character if that is on."""
        with self._lock:
            data, status = self._session(session).read(count)
        if status < 0:
            self.handle_return_value(session, status)
        self._last_status_in_session[session] = status
        return data, status

    def clear(self, session: VISASession) -> StatusCode:
        """Device clear: forget what was written and not obeyed, asked and not read."""
        with self._lock:
            found = self._session(session)
            found.discard()
            if not found.is_socket:
                found.bench.instruments[found.role].device_clear()
        return self.handle_return_value(session, _OK)

    def flush(self, session: VISASession, mask: constants.BufferOperation) -> StatusCode:
        """Do nothing: there is no buffer on this side."""
        self._session(session)
        return self.handle_return_value(session, _OK)

    def read_stb(self, session: VISASession) -> tuple[int, StatusCode]:
        """Serial poll; a socket has none."""
        found = self._session(session)
        if found.is_socket:
            return 0, self.handle_return_value(session, StatusCode.error_nonsupported_operation)
        with self._lock:
            waits = bool(found.output)
            status = found.bench.instruments[found.role].status_byte(reply_waits=waits)
        return status, self.handle_return_value(session, _OK)

    def assert_trigger(
        self, session: VISASession, protocol: constants.TriggerProtocol
    ) -> StatusCode:
        """Trigger the instrument as *TRG does; a socket cannot."""
        found = self._session(session)
        if found.is_socket:
            return self.handle_return_value(session, StatusCode.error_nonsupported_operation)
        with self._lock:
            found.bench.send(found.role, b"*TRG")
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
        found.attributes[attribute] = attribute_state
        if attribute == ResourceAttribute.timeout_value:
            endless = attribute_state == constants.VI_TMO_INFINITE
            found.timeout = None if endless else float(str(attribute_state)) / 1000
        on = found.attributes[ResourceAttribute.termchar_enabled]
        found.termination = int(found.attributes[ResourceAttribute.termchar]) if on else -1
        return self.handle_return_value(session, _OK)

    def disable_event(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """Do nothing: there are no events."""
        return _OK

    def discard_events(
        self, session: VISASession, event_type: EventType, mechanism: EventMechanism
    ) -> StatusCode:
        """Do nothing: there are no events."""
        return _OK


def resource_manager(bench: SimulatedBench) -> pyvisa.ResourceManager:
    """Return a resource manager whose instruments are those of the bench.

    Each call gives a library of its own, with sessions of its own, on the same bench.
    """
    path = LibraryPath(f"simulated-bench-{next(_numbers)}", "in process")
    library = SimulatedLibrary(path)
    library.attach(bench)
    return pyvisa.ResourceManager(library)
