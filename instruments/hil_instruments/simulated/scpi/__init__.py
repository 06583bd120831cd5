"""SCPI as an instrument hears it: messages, headers, parameters, status, error queue, replies.

An instrument subclasses `Instrument` and marks its handlers with `@scpi("HEADer:PATTern", ...)`; a
client talks to it through an `Exchange`. What a message means never depends on the instrument's
state, so the parsed form is kept and a repeated query costs one look-up.

Error numbers, their meaning and the clauses named with them are what makers print from SCPI-99 (HP
70004A, Agilent ESG, HP 8168E, Agilent A1800 programming manuals), the multipliers those of Agilent
53150A and 53131A. The text of IEEE 488.2 was not at hand: its other clauses are cited from
memory.
"""

from __future__ import annotations

from hil_instruments.simulated.scpi.commands import Command, CommandTree, scpi
from hil_instruments.simulated.scpi.core import LONGEST_KEPT
from hil_instruments.simulated.scpi.errors import ERROR_QUEUE, ScpiError
from hil_instruments.simulated.scpi.exchange import Exchange
from hil_instruments.simulated.scpi.instrument import Instrument
from hil_instruments.simulated.scpi.messages import Call, Program, parse
from hil_instruments.simulated.scpi.numbers import boolean, integer, number
from hil_instruments.simulated.scpi.parameters import (
    Parameter,
    block_data,
    channels,
    choice,
    numeric_list,
    optional,
    string,
)
from hil_instruments.simulated.scpi.replies import (
    Answer,
    Pending,
    block,
    indefinite,
    quoted,
    scientific,
)
from hil_instruments.simulated.scpi.status import Register

__all__ = [
    "ERROR_QUEUE",
    "LONGEST_KEPT",
    "Answer",
    "Call",
    "Command",
    "CommandTree",
    "Exchange",
    "Instrument",
    "Parameter",
    "Pending",
    "Program",
    "Register",
    "ScpiError",
    "block",
    "block_data",
    "boolean",
    "channels",
    "choice",
    "indefinite",
    "integer",
    "number",
    "numeric_list",
    "optional",
    "parse",
    "quoted",
    "scientific",
    "scpi",
    "string",
]
