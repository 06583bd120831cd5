"""Sessions over pyvisa that are safe to base a verdict on.

pyvisa-py as shipped hands the late reply of a query that has timed out to the next query, takes a
closed connection for a timeout, and waits 44 ms in Nagle's algorithm between write and query. On
its raw-socket sessions this module therefore reads and writes the socket itself; every other
resource goes through the VISA calls. Whatever carries it, a `Session` has one lock and finite
timeouts, and is poisoned by every exchange that did not end cleanly.

Tried: SOCKET of pyvisa-py both ways, its HiSLIP and VXI-11 against the served bench, its serial
session on a pseudo-terminal, and the in-process simulated bench. Not tried: a serial line of
hardware, USB, GPIB, other VISA libraries.
"""

from __future__ import annotations

from hil.bench import InstrumentEntry
from hil.errors import BenchError, ReplyTimeout
from hil.roles import Clock
from hil_instruments.encoding import Identity
from hil_instruments.manner import SCPI, Manner
from hil_instruments.transport.address import Address, Manager, Opener, open_manager, opening
from hil_instruments.transport.naming import Place, check_identity, place_of
from hil_instruments.transport.recorded_line import Diverged, Recording
from hil_instruments.transport.session import TIMEOUT, Session, Transcript

__all__ = [
    "Diverged",
    "Identity",
    "Manager",
    "Opener",
    "Place",
    "Recording",
    "Session",
    "Transcript",
    "check_identity",
    "connect",
    "open_manager",
    "open_session",
    "place_of",
]


def open_session(
    manager: Opener,
    resource: str,
    clock: Clock,
    transcript: Transcript | None = None,
    timeout: float = TIMEOUT,
    role: str = "instrument",
    manner: Manner = SCPI,
) -> Session:
    """Open one resource; sends nothing.

    Args:
        manager: From `open_manager`, or that of the in-process bench.
        resource: VISA resource name.
        clock: Bench clock, read for the transcript.
        transcript: Takes every message; None drops them.
        timeout: Seconds that one exchange may take, finite.
        role: Bench role, for messages.
        manner: How it is spoken to.

    Raises:
        BenchError: the resource does not answer or cannot be opened.
    """
    address = Address(manager, resource, manner, role)
    with opening(address, f"{role} at {resource}"):
        return Session(address, clock, transcript, timeout, role)


def connect(
    manager: Opener,
    entry: InstrumentEntry,
    clock: Clock,
    transcript: Transcript | None = None,
    timeout: float | None = None,
    manner: Manner = SCPI,
) -> Session:
    """Open the instrument of a bench entry and make sure that it is that instrument.

    Args:
        manager: From `open_manager`, or that of the in-process bench.
        entry: The instrument.
        clock: Bench clock, read for the transcript.
        transcript: Takes every message; None drops them.
        timeout: Seconds that one exchange may take; None is the patience of its manner.
        manner: How it is spoken to.

    Raises:
        WrongIdentity: another instrument answered.
        BenchError: nothing answers there.
    """
    seconds = manner.patience if timeout is None else timeout
    session = open_session(manager, entry.resource, clock, transcript, seconds, entry.role, manner)
    try:
        check_identity(session.identify(), entry)
    except ReplyTimeout as err:
        session.close()
        raise BenchError(
            f"{session.name} does not say who it is within {seconds} s; check power, cable and "
            f"the resource in the bench file"
        ) from err
    except BaseException:
        session.close()
        raise
    return session
