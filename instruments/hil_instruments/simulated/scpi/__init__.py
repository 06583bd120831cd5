"""SCPI as an instrument hears it: messages, headers, parameters, status, error queue, replies.

An instrument subclasses `Instrument` and marks its handlers with `@scpi("HEADer:PATTern", ...)`.
What a message means never depends on the instrument's state, so the parsed form is kept and a
repeated query costs one look-up.
"""

from __future__ import annotations

from hil_instruments.simulated.scpi.commands import Command, scpi
from hil_instruments.simulated.scpi.errors import ERROR_QUEUE, ScpiError
from hil_instruments.simulated.scpi.instrument import LONGEST_KEPT, Instrument
from hil_instruments.simulated.scpi.messages import Call, Program, parse
from hil_instruments.simulated.scpi.parameters import (
    Parameter,
    boolean,
    channels,
    choice,
    integer,
    number,
    optional,
)
from hil_instruments.simulated.scpi.replies import Answer, Pending, block, scientific

__all__ = [
    "ERROR_QUEUE",
    "LONGEST_KEPT",
    "Answer",
    "Call",
    "Command",
    "Instrument",
    "Parameter",
    "Pending",
    "Program",
    "ScpiError",
    "block",
    "boolean",
    "channels",
    "choice",
    "integer",
    "number",
    "optional",
    "parse",
    "scientific",
    "scpi",
]
