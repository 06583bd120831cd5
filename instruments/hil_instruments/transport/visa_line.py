"""Any resource through the calls of a VISA library."""

from __future__ import annotations

import contextlib
import time

import pyvisa
from pyvisa import constants
from pyvisa.resources import MessageBasedResource, SerialInstrument

from hil.errors import BenchError, InstrumentError, Locked
from hil_instruments import encoding
from hil_instruments.manner import SerialLine
from hil_instruments.transport.line import CHUNK, QUIET, SLICE, Block, Gone, Silence, deaf

LOOK = 1e-3
"""Seconds between two looks at a serial line; a character takes as long at 9600 baud."""
_MAV = 16  # message available: bit 4 of the status byte (IEEE 488.2, 11.2.1.2)
_MORE = constants.StatusCode.success_max_count_read
_GONE = {
    constants.StatusCode.error_connection_lost,
    constants.StatusCode.error_io,
    constants.StatusCode.error_invalid_object,
}


class VisaLine:
    """Any resource through the VISA calls.

    Where the protocol marks the end of a message (USB, GPIB, HiSLIP, VXI-11, in-process), one read
    is one message. On a byte stream (serial; SOCKET of another library) text ends at the last
    character of a reply's end, and a block is read by its length, with that character switched off.
    """

    def __init__(self, resource: MessageBasedResource, end: bytes) -> None:
        self._resource = resource
        self._end = end[-1:].decode("latin-1")
        self._visalib = resource.visalib
        self._session = resource.session
        self.heed = deaf
        self._timeout = -1.0
        kind = resource.interface_type
        self.serial = kind == constants.InterfaceType.asrl
        self.stream = self.serial or resource.resource_class == "SOCKET"
        self._ignored = resource.ignore_warning(
            _MORE, constants.StatusCode.success_device_not_present
        )
        self._ignored.__enter__()
        resource.read_termination = self._end if self.stream else None
        if resource.resource_class == "SOCKET":
            with contextlib.suppress(Exception):  # not every library lets it be set
                resource.set_visa_attribute(constants.ResourceAttribute.tcpip_nodelay, True)

    def send(self, data: bytes, timeout: float) -> None:
        """Send a whole message; raises Silence if it is not taken in `timeout` s, Gone."""
        self._set_timeout(timeout)
        try:
            self._visalib.write(self._session, data)
        except Exception as err:
            raise translated(err) from err

    def receive_line(self, timeout: float) -> bytes:
        """Read one message of text, its end included, within `timeout` s; raises Silence, Gone."""
        self._await(timeout)
        self._set_timeout(timeout)
        try:
            data, status = self._visalib.read(self._session, CHUNK)
            if status != _MORE:
                return data
            parts = bytearray(data)
            while status == _MORE:
                data, status = self._visalib.read(self._session, CHUNK)
                parts += data
        except Exception as err:
            raise translated(err) from err
        return bytes(parts)

    def receive_block(self, timeout: float, form: Block) -> bytes:
        """Read one block and what ends it; its payload. Raises InstrumentError, Silence, Gone."""
        if not self.stream:
            message = encoding.unnamed(self.receive_line(timeout), form.name)
            return encoding.block(message, form.length)
        self._resource.read_termination = None
        try:
            self._await(timeout)
            length = form.announced(lambda count: self._exactly(count, timeout))
            payload = self._exactly(length, timeout)
        finally:
            self._resource.read_termination = self._end
        rest = self.receive_line(timeout)
        if rest.strip(b"\r\n"):
            raise InstrumentError(f"a block of {length} bytes is followed by {rest[:20]!r}")
        return payload

    def unexpected(self) -> bytes:
        """Bytes that wait although nothing was asked; empty if none, or if it cannot be known."""
        if not self.stream:
            return b""
        if not self.serial:
            with contextlib.suppress(Silence):
                return self._exactly(1, 0.0)
            return b""
        waiting = self._waiting()
        return self._exactly(waiting, QUIET) if waiting else b""

    def discard(self) -> None:
        """Throw away what comes until the line is quiet."""
        if self.stream:
            self.quieten(QUIET)
        while self._message_available():  # a read without a reply would be an error of ours: -420
            self.receive_line(QUIET)

    def quieten(self, seconds: float) -> None:
        """Throw away what comes until nothing has come for so long."""
        self._set_timeout(seconds)
        with contextlib.suppress(Silence):
            while True:
                self._exactly(1, seconds)

    def clear(self) -> None:
        """Clear the device's buffers (viClear); its settings stay. Raises Silence, Gone."""
        try:
            self._resource.clear()
        except Exception as err:
            raise translated(err) from err

    def close(self) -> None:
        """Close; sends nothing."""
        self._ignored.__exit__(None, None, None)
        self._resource.close()

    def _exactly(self, count: int, timeout: float) -> bytes:
        self._set_timeout(timeout)
        parts = bytearray()
        try:
            while len(parts) < count:
                parts += self._visalib.read(self._session, count - len(parts))[0]
        except Exception as err:
            raise translated(err) from err
        return bytes(parts)

    def _await(self, timeout: float) -> None:
        """On a serial line: wait in slices for the first byte; a read that times out loses some.

        Any other resource waits inside of one call of the library.
        """
        if not self.serial:
            return
        begin = heeded = time.monotonic()
        while not self._waiting():
            now = time.monotonic()
            if now - begin >= timeout:
                raise Silence
            if now - heeded >= SLICE:
                heeded = now
                self.heed()
            time.sleep(LOOK)

    def _waiting(self) -> int:
        """Bytes that have come over a serial line and were not read."""
        try:
            return int(
                self._resource.get_visa_attribute(constants.ResourceAttribute.asrl_avalaible_number)
            )
        except Exception as err:
            raise translated(err) from err

    def _message_available(self) -> bool:
        try:
            return not self.stream and bool(self._visalib.read_stb(self._session)[0] & _MAV)
        except Exception as err:
            raise translated(err) from err

    def _set_timeout(self, timeout: float) -> None:
        if timeout != self._timeout:
            try:
                self._resource.timeout = max(timeout * 1000, 1) if timeout else 0
            except Exception as err:  # as of a session that a failed recovery has closed
                raise translated(err) from err
            self._timeout = timeout


def translated(err: Exception) -> Exception:
    """Turn what a VISA library raises into a timeout, a lost peer or a BenchError."""
    if isinstance(err, pyvisa.errors.VisaIOError):
        if err.error_code == constants.StatusCode.error_timeout:
            return Silence()
        if err.error_code == constants.StatusCode.error_resource_locked:
            return Locked(
                "another client holds its lock (VI_ERROR_RSRC_LOCKED), VISA does not tell which; "
                "end that program, or let it unlock, then recover the session"
            )
        return Gone(str(err)) if err.error_code in _GONE else BenchError(str(err))
    if isinstance(err, pyvisa.errors.InvalidSession):
        return Gone("the session is closed")
    if isinstance(err, OSError | RuntimeError):  # pyvisa-py's HiSLIP: RuntimeError at a lost peer
        return Gone(str(err))
    return err


def set_serial(resource: SerialInstrument, line: SerialLine) -> None:
    """Give a serial line its settings."""
    stops = {1: "one", 1.5: "one_and_a_half", 2: "two"}
    flows = {"none": "none", "xon/xoff": "xon_xoff", "rts/cts": "rts_cts"}
    resource.baud_rate = line.baud
    resource.data_bits = line.data_bits
    resource.parity = constants.Parity[line.parity]
    resource.stop_bits = constants.StopBits[stops[line.stop_bits]]
    resource.flow_control = constants.ControlFlow[flows[line.flow]]
