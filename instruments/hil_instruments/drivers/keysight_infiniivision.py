"""Keysight InfiniiVision 3000 X-Series: one triggered acquisition of channel 1, eight bits.

Commands: InfiniiVision 3000 X-Series Programmer's Guide (75019-97073): :WAVeform:PREamble? of ten
fields, here `V = (code - y_reference) x y_increment + y_origin`; bits 3 (run) and 5 (waits for the
trigger) of :OPERegister:CONDition?, which reading does not clear; 0 marks a hole in the data, 1 and
255 a clipped sample (BYTE). Its memory is read in one piece: a deep one takes its time.
"""

from __future__ import annotations

from typing import ClassVar

from hil.capture import Codes
from hil.errors import InstrumentError
from hil_instruments import encoding
from hil_instruments.drivers.oscilloscope import (
    Armed,
    Phase,
    Preamble,
    SingleShot,
    Trace,
    unsigned,
)

RUN, WAIT = 1 << 3, 1 << 5
"""Bits of the operation status condition register."""
LOWEST_CODE, HIGHEST_CODE = 1, 255
SLOPE = {"NEG": "NEG", "POS": "POS", "RFAL": "EITH"}
STEPS = (1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000, 500_000, 1_000_000)
"""Numbers of points that can be asked of its memory, with one channel on."""


class KeysightInfiniiVision(SingleShot):
    """Voltage over time across the shunt, on channel 1 with a 1:1 probe."""

    behind: ClassVar[float] = 9.0
    """The trigger stands one division from the left of ten (:TIMebase:REFerence LEFT)."""
    scales: ClassVar[tuple[float, float]] = (1e-3, 5.0)
    time_scales: ClassVar[tuple[float, float]] = (2e-9, 50.0)
    deepest: ClassVar[int] = STEPS[-1]
    accuracy: ClassVar[tuple[float, float, float]] = (0.02, 0.1, 2e-3)
    source: ClassVar[str] = (
        "InfiniiVision 3000 X-Series data sheet: gain 2 % of full scale, offset 0.1 div + 2 mV "
        "(from memory, awaits a check; below 10 mV/div the full scale of the gain is that of "
        "8 div x 4 mV)"
    )

    _has_waited = False
    """Whether the acquisition under way was seen to wait for its trigger."""

    def _prepare(self, armed: Armed, level: float, slope: str) -> None:
        self._configure(
            ":STOP",
            ":CHAN1:DISP 1",
            ":CHAN1:IMP ONEM",
            ":CHAN1:COUP DC",
            ":CHAN1:PROB 1",
            ":CHAN1:INV 0",
            ":CHAN1:OFFS 0",
            f":CHAN1:SCAL {encoding.float_text(armed.scale)}",
            ":TIM:MODE MAIN",
            ":TIM:REF LEFT",
            ":TIM:POS 0",
            f":TIM:SCAL {encoding.float_text(armed.time_scale)}",
            ":ACQ:TYPE NORM",
            ":TRIG:MODE EDGE",
            ":TRIG:EDGE:SOUR CHAN1",
            f":TRIG:EDGE:SLOP {SLOPE[slope]}",
            f":TRIG:EDGE:LEV {encoding.float_text(level)}",
            ":WAV:SOUR CHAN1",
            ":WAV:FORM BYTE",
            ":WAV:UNS 1",
            ":WAV:POIN:MODE RAW",
            f":WAV:POIN {next(count for count in STEPS if count >= armed.points)}",
        )
        self._confirm(
            {
                ":CHAN1:PROB?": 1.0,
                ":CHAN1:COUP?": "DC",
                ":CHAN1:OFFS?": 0.0,
                ":CHAN1:SCAL?": armed.scale,
                ":TIM:SCAL?": armed.time_scale,
                ":TRIG:EDGE:LEV?": level,
                ":TRIG:EDGE:SLOP?": SLOPE[slope],
            }
        )
        self._has_waited = False

    def _start(self) -> None:
        self._session.write(":SING")

    def _trigger(self) -> None:
        self._session.write(":TRIG:FORC")

    def _phase(self) -> Phase:
        bits = self._ask(":OPER:COND?", encoding.integer)
        if not bits & RUN:
            return Phase.STOPPED
        if bits & WAIT:
            self._has_waited = True
            return Phase.WAITING
        return Phase.RECORDING if self._has_waited else Phase.FILLING

    def _read(self, armed: Armed) -> Trace:
        preamble = self._ask(":WAV:PRE?", Preamble.parse)
        codes = self._ask_block(":WAV:DATA?", unsigned)
        if len(codes) != preamble.points:
            raise InstrumentError(
                f"{self.name} sent {len(codes)} points; its preamble says {preamble.points}"
            )
        if not codes.all():
            raise InstrumentError(f"{self.name} sent an acquisition with holes")
        step = preamble.y_increment
        zero = preamble.y_origin - preamble.y_reference * step
        sent = Codes(codes, step, zero, LOWEST_CODE, HIGHEST_CODE)
        return Trace(sent, preamble.x_origin, preamble.x_increment)
