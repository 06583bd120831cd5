"""Siglent SDS1000X-E: one triggered acquisition of channel 1, eight bits.

Commands: Digital Oscilloscopes Programming Guide PG01-E02 (SDS1000X-E among them), and for the
fields of `C1:WF? DESC` the waveform template of LeCroy, whose places it keeps: point count at 116,
volts per division at 156, offset at 160 (float32), interval at 176 (float32), trigger delay at 180
(float64), little-endian. A code is signed: V = code x VDIV / 25 - OFST. The first sample lies at
-delay - 7 divisions from the trigger. It has no error queue: each setting is read back instead.

A block comes behind its name, as `DAT2,#9...`, and ends with two line feeds. Over VXI-11 and USB
that is one message; over a raw socket the second one is waited for, 50 ms for each block.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hil.capture import Codes
from hil.errors import InstrumentError
from hil_instruments import encoding
from hil_instruments.drivers.instrument import one_of
from hil_instruments.drivers.oscilloscope import Armed, Phase, SingleShot, Trace

DIVISIONS_ACROSS = 14
BEFORE = 2
"""Divisions shown before the trigger; the other twelve lie after it."""
STEPS_PER_DIVISION = 25
LOWEST_CODE, HIGHEST_CODE = -128, 127
DEPTHS = {14_000: "14K", 140_000: "140K", 1_400_000: "1.4M", 14_000_000: "14M"}
"""Points of its memory with one channel on."""
PIECE = 140_000
"""Points of one read, so that none blocks long."""
DESCRIPTOR = 346
"""Bytes of a descriptor."""
SLOPE = {"NEG": "NEG", "POS": "POS", "RFAL": "WINDOW"}
STATUS = {
    "Armed": Phase.FILLING,
    "Ready": Phase.WAITING,
    "Trig'd": Phase.RECORDING,
    "Stop": Phase.STOPPED,
}
"""Words of SAST?."""
NEW_SIGNAL = 1
"""Bit of INR?, which reading clears: a signal was acquired since."""


@dataclass(frozen=True, slots=True)
class Descriptor:
    """What C1:WF? DESC tells of the data."""

    points: int
    volts_per_division: float
    offset: float
    interval: float
    delay: float

    @classmethod
    def parse(cls, data: bytes) -> Descriptor:
        """Read the descriptor; raises InstrumentError unless it is whole and of 8-bit samples."""
        if len(data) != DESCRIPTOR or data[:8] != b"WAVEDESC":
            raise InstrumentError(
                f"{len(data)} bytes that begin with {data[:8]!r} came for the descriptor; expected "
                f"{DESCRIPTOR} that begin with WAVEDESC"
            )
        (words,) = struct.unpack_from("<h", data, 32)
        (points,) = struct.unpack_from("<i", data, 116)
        scale, offset = struct.unpack_from("<ff", data, 156)
        interval, delay = struct.unpack_from("<fd", data, 176)
        if words or not (scale > 0 and interval > 0 and math.isfinite(offset + delay)):
            raise InstrumentError(
                f"the descriptor says {scale} V/div, offset {offset} V, interval {interval} s, "
                f"{'words' if words else 'bytes'}; expected bytes, and steps above 0"
            )
        return cls(points, scale, offset, interval, delay)


class SiglentSDS1000XE(SingleShot):
    """Voltage over time across the shunt, on channel 1 with a 1:1 probe."""

    behind: ClassVar[float] = DIVISIONS_ACROSS - BEFORE
    scales: ClassVar[tuple[float, float]] = (1e-3, 10.0)
    time_scales: ClassVar[tuple[float, float]] = (1e-9, 100.0)
    deepest: ClassVar[int] = max(DEPTHS)
    accuracy: ClassVar[tuple[float, float, float]] = (0.03, 0.1, 2e-3)
    source: ClassVar[str] = (
        "SDS1000X-E data sheet: gain 3 % of full scale, offset 1 % + 0.1 div + 2 mV with offset 0 "
        "(from memory, awaits a check)"
    )

    def errors(self) -> list[str]:
        """None, ever: it has no error queue. What was set is read back."""
        return []

    def _prepare(self, armed: Armed, level: float, slope: str) -> None:
        depth = next(count for count in DEPTHS if count >= armed.points)
        settings: dict[str, float | str] = {
            "C1:TRA": "ON",
            "C1:CPL": "D1M",
            "C1:ATTN": 1.0,
            "C1:INVS": "OFF",
            "C1:OFST": 0.0,
            "C1:VDIV": armed.scale,
            "TDIV": armed.time_scale,
            "TRDL": -(DIVISIONS_ACROSS / 2 - BEFORE) * armed.time_scale,
            "MSIZ": DEPTHS[depth],
            "C1:TRLV": level,
            "C1:TRSL": SLOPE[slope],
        }
        for command in ("CHDR OFF", "STOP", "TRSE EDGE,SR,C1,HT,OFF"):
            self._session.write(command)
        self._ask("TRSE?", _need_edges)
        for header, value in settings.items():
            self._session.write(
                f"{header} {value if isinstance(value, str) else encoding.float_text(value)}"
            )
        self._confirm({f"{header}?": value for header, value in settings.items()})

    def _start(self) -> None:
        self._news()  # what was acquired before is not ours
        self._session.write("TRMD SINGLE")

    def _trigger(self) -> None:
        self._session.write("FRTR")

    def _phase(self) -> Phase:
        return self._ask("SAST?", one_of(STATUS))

    def _read(self, armed: Armed) -> Trace:
        if not self._news():
            raise InstrumentError(
                f"{self.name} stands still, and INR? knows of no signal since it was armed; what "
                "its memory holds is older"
            )
        told = self._understood("C1:WF? DESC", self._block("DESC"), Descriptor.parse)
        if not math.isclose(told.volts_per_division, armed.scale, rel_tol=1e-4):
            raise InstrumentError(
                f"{self.name}: {told.volts_per_division} V/div by its descriptor, "
                f"{armed.scale} V/div was set"
            )
        before = told.delay + DIVISIONS_ACROSS / 2 * armed.time_scale
        if not math.isclose(before, BEFORE * armed.time_scale, rel_tol=1e-3):
            raise InstrumentError(
                f"{self.name}: its record begins {before:.4g} s before the trigger by its "
                f"descriptor, {BEFORE * armed.time_scale:.4g} s was set"
            )
        codes = np.concatenate([self._piece(first) for first in range(0, told.points, PIECE)])
        if len(codes) != told.points:
            raise InstrumentError(
                f"{self.name} sent {len(codes)} points; its descriptor says {told.points}"
            )
        step = told.volts_per_division / STEPS_PER_DIVISION
        sent = Codes(codes, step, -told.offset, LOWEST_CODE, HIGHEST_CODE)
        return Trace(sent, -before, told.interval)

    def _block(self, part: str) -> bytes:
        payload = self._session.query_block(f"C1:WF? {part}", name=part)
        if self._entry.resource.upper().endswith("::SOCKET"):
            self._session.discard()
        return payload

    def _news(self) -> bool:
        """Whether a signal was acquired since this was asked last."""
        return bool(self._ask("INR?", encoding.integer) & NEW_SIGNAL)

    def _piece(self, first: int) -> np.ndarray[tuple[int], np.dtype[np.int8]]:
        self._session.write(f"WFSU SP,1,NP,{PIECE},FP,{first}")
        return np.frombuffer(self._block("DAT2"), dtype=np.int8)


def _need_edges(trigger: str) -> None:
    if not trigger.upper().startswith("EDGE,SR,C1"):
        raise InstrumentError(f"edges of C1 were to trigger, {trigger!r} do")
