"""Where an instrument is reached, and how often one likes: library, resource name, manner."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import pyvisa
from pyvisa.resources import MessageBasedResource, SerialInstrument

from hil.errors import BenchError, ConfigurationError, HilError, Locked
from hil_instruments.manner import Manner
from hil_instruments.transport.line import Line
from hil_instruments.transport.recorded_line import Recording
from hil_instruments.transport.socket_line import SocketLine, raw_socket
from hil_instruments.transport.visa_line import VisaLine, set_serial, translated

OPENING = 5.0
"""Seconds in which a resource must let itself be opened."""


Manager = pyvisa.ResourceManager
"""An open VISA library, named here for those who may not import pyvisa."""
Opener: TypeAlias = Manager | Recording
"""What opens lines: a VISA library, or a recorded run in its place."""


@dataclass(frozen=True, slots=True)
class Address:
    """How to reach an instrument again: for recovery and for the stop lane."""

    manager: Opener
    resource: str
    manner: Manner
    role: str

    def open(self) -> Line:
        """Open a line there, within OPENING; sends nothing. Raises what the library raises."""
        if isinstance(self.manager, Recording):
            return self.manager.line(self.role, self.manner)
        end = self.manner.reply_end.encode("latin-1")
        resource = self.manager.open_resource(self.resource, open_timeout=int(OPENING * 1000))
        if not isinstance(resource, MessageBasedResource):
            resource.close()
            raise ConfigurationError(f"{self.resource} is no message-based VISA resource")
        raw = raw_socket(resource)
        try:
            if isinstance(resource, SerialInstrument):
                set_serial(resource, self.manner.serial)
            return VisaLine(resource, end) if raw is None else SocketLine(resource, raw, end)
        except BaseException:
            resource.close()
            raise


def open_manager(visa_library: str = "@py") -> pyvisa.ResourceManager:
    """Open a VISA library: `@py` is pyvisa-py, `@ivi` the vendor's.

    Raises:
        BenchError: the library cannot be loaded.
    """
    try:
        return pyvisa.ResourceManager(visa_library)
    except (OSError, ValueError) as err:
        raise BenchError(
            f"the VISA library {visa_library!r} cannot be loaded: {err}; "
            f"@py needs pyvisa-py, @ivi a vendor's library"
        ) from err


def opened(address: Address, name: str) -> Line:
    """Open a line; raises BenchError, which names the instrument."""
    with opening(address, name):
        return address.open()


@contextlib.contextmanager
def opening(address: Address, name: str) -> Iterator[None]:
    """Turn whatever a library raises while it opens into a BenchError that names the instrument."""
    try:
        yield
    except (HilError, AssertionError):
        raise
    except Exception as err:  # pyvisa-py raises a bare Exception where a host does not answer
        told = translated(err)
        if isinstance(told, Locked):
            raise Locked(f"{name} cannot be opened: {told}") from err
        reason = " ".join(str(err).split())
        raise BenchError(
            f"{name} cannot be opened: {reason}; check power, cable and the resource in the bench "
            f"file"
        ) from err
