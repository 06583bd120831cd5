"""Rigol DS1000Z: one triggered acquisition of channel 1, from the screen or from memory.

Commands: MSO1000Z/DS1000Z Programming Guide. Up to a screen of points is read in one piece
(:WAV:MODE NORM); more are read from a memory of that depth (RAW, in the STOP state) in pieces.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hil.capture import Codes
from hil.errors import InstrumentError
from hil_instruments import encoding
from hil_instruments.drivers.instrument import one_of
from hil_instruments.drivers.oscilloscope import (
    SCREEN,
    Armed,
    Phase,
    Preamble,
    SingleShot,
    Trace,
    unsigned,
)

DIVISIONS_ACROSS = 12
BEFORE = 2
"""Divisions shown before the trigger; the other ten lie after it."""
LOWEST_CODE, HIGHEST_CODE = 0, 255
"""At these codes the converter is at its end: the voltage may be anything beyond."""
DEPTHS = (12_000, 120_000, 1_200_000, 12_000_000)
"""Points of its memory with one channel on."""
PIECE = 125_000
"""Points of one read; the guide allows 250 000 in BYTE, a shorter read blocks less long."""
STATUS = {
    "RUN": Phase.FILLING,
    "WAIT": Phase.WAITING,
    "TD": Phase.RECORDING,
    "AUTO": Phase.FREE,
    "STOP": Phase.STOPPED,
}
"""Words of :TRIG:STAT?."""


class RigolDS1000Z(SingleShot):
    """Voltage over time across the shunt, on channel 1 with a 1:1 probe."""

    behind: ClassVar[float] = DIVISIONS_ACROSS - BEFORE
    scales: ClassVar[tuple[float, float]] = (1e-3, 10.0)
    time_scales: ClassVar[tuple[float, float]] = (5e-9, 50.0)
    deepest: ClassVar[int] = DEPTHS[-1]
    accuracy: ClassVar[tuple[float, float, float]] = (0.03, 0.1, 2e-3)
    source: ClassVar[str] = (
        "DS1000Z data sheet: gain 3 % of full scale, offset 0.1 div + 2 mV (from memory, awaits a "
        "check)"
    )

    def _prepare(self, armed: Armed, level: float, slope: str) -> None:
        depth = "AUTO" if armed.points <= SCREEN else _depth(armed.points)
        self._configure(
            ":STOP",
            ":CHAN1:DISP ON",
            ":CHAN1:COUP DC",
            ":CHAN1:PROB 1",
            ":CHAN1:OFFS 0",
            f":CHAN1:SCAL {encoding.float_text(armed.scale)}",
            f":TIM:SCAL {encoding.float_text(armed.time_scale)}",
            f":TIM:OFFS {encoding.float_text((DIVISIONS_ACROSS / 2 - BEFORE) * armed.time_scale)}",
            f":ACQ:MDEP {depth}",
            ":TRIG:EDG:SOUR CHAN1",
            f":TRIG:EDG:SLOP {slope}",
            f":TRIG:EDG:LEV {encoding.float_text(level)}",
        )
        self._confirm(
            {
                ":CHAN1:PROB?": 1.0,
                ":CHAN1:COUP?": "DC",
                ":CHAN1:OFFS?": 0.0,
                ":CHAN1:SCAL?": armed.scale,
                ":TIM:SCAL?": armed.time_scale,
                ":TRIG:EDG:LEV?": level,
                ":TRIG:EDG:SLOP?": slope,
            }
        )

    def _start(self) -> None:
        self._session.write(":SING")

    def _trigger(self) -> None:
        self._session.write(":TFOR")

    def _phase(self) -> Phase:
        return self._ask(":TRIG:STAT?", one_of(STATUS))

    def _read(self, armed: Armed) -> Trace:
        screen = armed.points <= SCREEN
        for command in (
            ":WAV:SOUR CHAN1",
            f":WAV:MODE {'NORM' if screen else 'RAW'}",
            ":WAV:FORM BYTE",
        ):
            self._session.write(command)
        preamble = self._ask(":WAV:PRE?", Preamble.parse)
        pieces = [self._piece(0, 0)] if screen else self._memory(preamble.points)
        codes = np.concatenate(pieces)
        if len(codes) != preamble.points:
            raise InstrumentError(
                f"{self.name} sent {len(codes)} points; its preamble says {preamble.points}"
            )
        step = preamble.y_increment
        zero = -(preamble.y_origin + preamble.y_reference) * step
        sent = Codes(codes, step, zero, LOWEST_CODE, HIGHEST_CODE)
        return Trace(sent, preamble.x_origin, preamble.x_increment)

    def _memory(self, points: int) -> list[np.ndarray[tuple[int], np.dtype[np.uint8]]]:
        return [
            self._piece(first, min(first + PIECE - 1, points))
            for first in range(1, points + 1, PIECE)
        ]

    def _piece(self, first: int, last: int) -> np.ndarray[tuple[int], np.dtype[np.uint8]]:
        """Read points `first` to `last` of the memory; all that are set where both are 0."""
        if first:
            self._session.write(f":WAV:STAR {first}")
            self._session.write(f":WAV:STOP {last}")
        return self._ask_block(":WAV:DATA?", unsigned)


def _depth(points: int) -> int:
    return next(depth for depth in DEPTHS if depth >= points)
