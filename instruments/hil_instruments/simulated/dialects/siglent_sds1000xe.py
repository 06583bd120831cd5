"""Dialect of the Siglent SDS1000X-E: channel 1 across the shunt.

Digital Oscilloscopes Programming Guide PG01-E02. What is modelled: what the driver of this project
says: settings and their queries, each behind its header until CHDR OFF, single acquisitions, INR?
and SAST?, the descriptor of 346 bytes, signed 8-bit data in pieces (WFSU), a name before each block
and a second line feed behind it. A header that it does not know is passed over in silence, as is a
value that it cannot take: it has no error queue. Not modelled: units of replies, measurements,
every other menu.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from typing import ClassVar, TypeVar

import numpy as np

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.eight_bits import WIRED, EightBitAcquisition, Record
from hil_instruments.simulated.scpi import Answer, Pending, ScpiError, block

DESCRIPTOR = 346
NEW_SIGNAL = 1
DEPTHS = {"14K": 14_000, "140K": 140_000, "1.4M": 1_400_000, "14M": 14_000_000}
SLOPES = {"NEG": "NEG", "POS": "POS", "WINDOW": "RFAL"}
SCALES = (0.5e-3, 10.0)
TIME_SCALES = (1e-9, 100.0)


class SiglentSDS1000XE(EightBitAcquisition):
    """The whole oscilloscope: words of its own in place of SCPI, beside the common commands."""

    firmware = "8.2.6.1.37R9"
    across: ClassVar[int] = 14
    reference: ClassVar[int] = 128
    depths: ClassVar[tuple[int, ...]] = tuple(DEPTHS.values())

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        self._first, self._count = 0, 0
        self._told = True
        super().__init__(entry, world, seed)

    def preset(self) -> None:
        """Return to the state after *RST."""
        self._words = {"CHDR": "SHORT", "C1:CPL": "D1M", "C1:TRA": "ON", "C1:INVS": "OFF"}
        self._words["TRSE"] = "EDGE,SR,C1,HT,OFF"
        self._first, self._count = 0, 0
        super().preset()

    def _run(self, sweep: str) -> None:
        super()._run(sweep)
        self._told = False

    def receive(self, message: bytes) -> bytes | Pending:
        """Obey one message of its own words; hand every other on."""
        text = message.decode("latin-1").strip()
        if text.startswith("*"):
            return super().receive(message)
        answer = self.guarded(lambda: self._obeyed(text))
        if answer is None or isinstance(answer, Pending):
            return b""
        told = answer.encode() if isinstance(answer, str) else answer
        return told + b"\n"

    def report(self, error: ScpiError) -> None:
        """Keep silent: there is no queue that it could enter."""

    def _obeyed(self, text: str) -> Answer:
        header, _, value = (part.strip() for part in text.partition(" "))
        word = header.upper()
        if word.endswith("?"):
            answer = self._answer(word[:-1], value.upper())
            if isinstance(answer, str) and self._words["CHDR"] != "OFF":
                return f"{word[:-1]} {answer}"
            return answer
        self._set(word, value.upper())
        return None

    # Settings.

    def _set(self, word: str, value: str) -> None:
        channel = self._channels[WIRED - 1]
        figures: dict[str, Callable[[float], object]] = {
            "C1:VDIV": lambda x: setattr(channel, "scale", _within(x, SCALES)),
            "C1:OFST": lambda x: setattr(channel, "offset", x),
            "C1:ATTN": lambda x: setattr(channel, "probe", _within(x, (0.1, 10_000.0))),
            "C1:TRLV": lambda x: setattr(self, "_level", _within(x, self._reach)),
            "TDIV": lambda x: setattr(self, "_time_scale", _within(x, TIME_SCALES)),
            "TRDL": lambda x: setattr(self, "_time_offset", -x),
        }
        if word in figures:
            figures[word](_number(value))
        elif word == "C1:TRSL":
            self._slope = _listed(SLOPES, value)
        elif word == "MSIZ":
            self._depth = _listed(DEPTHS, value)
        elif word in self._words:
            self._words[word] = value
            self._source = "CHAN1" if "SR,C1" in self._words["TRSE"] else "CHAN2"
            channel.inverted = self._words["C1:INVS"] == "ON"
        elif word == "WFSU":
            told = dict(re.findall(r"(SP|NP|FP),(\d{1,9})", value, re.ASCII))
            self._count, self._first = int(told.get("NP", 0)), int(told.get("FP", 0))
            return
        else:
            self._act(word, value)
            return
        self._settings_changed()

    def _act(self, word: str, value: str) -> None:
        if word == "STOP" or (word, value) == ("TRMD", "STOP"):
            self._stop_now()
        elif (word, value) == ("TRMD", "SINGLE"):
            self._run("SING")
        elif (word, value) == ("TRMD", "AUTO"):
            self._run("AUTO")
        elif word == "FRTR":
            self._force_trigger()

    @property
    def _reach(self) -> tuple[float, float]:
        reach = 4.5 * self._channels[WIRED - 1].scale
        return -reach, reach

    # Questions.

    def _answer(self, word: str, value: str) -> Answer:
        channel = self._channels[WIRED - 1]
        figures = {
            "C1:VDIV": channel.scale,
            "C1:OFST": channel.offset,
            "C1:TRLV": self._level,
            "TDIV": self._time_scale,
            "TRDL": -self._time_offset,
        }
        if word in figures:
            return f"{figures[word]:.6E}"
        if word == "C1:WF":
            return self._waveform(value)
        words: dict[str, Callable[[], str]] = {
            "C1:ATTN": lambda: f"{channel.probe:g}",
            "C1:TRSL": lambda: next(name for name, to in SLOPES.items() if to == self._slope),
            "MSIZ": lambda: next(n for n, d in DEPTHS.items() if d == (self._depth or 14_000)),
            "SAST": self._state,
            "INR": self._news,
            "SARA": lambda: f"{self._points_held / self._span:.6E}",
            **{name: lambda kept=kept: kept for name, kept in self._words.items()},  # type: ignore[misc]
        }
        if word not in words:
            raise ScpiError(-113, f"{word}? is unknown")
        return words[word]()

    def _state(self) -> str:
        status = self._status()
        if status == "WAIT" and self.clock.time < self._searched:
            return "Armed"
        return {"STOP": "Stop", "WAIT": "Ready", "TD": "Trig'd", "AUTO": "Auto"}[status]

    def _news(self) -> str:
        """A new signal is told once."""
        self._update()
        new = self._record is not None and not self._running and not self._told
        self._told = self._told or new
        return str(NEW_SIGNAL if new else 0)

    def _waveform(self, part: str) -> bytes:
        self._update()
        if self._record is None or self._running:
            raise ScpiError(-230, "no acquisition has ended")
        if part == "DESC":
            return b"DESC," + block(self._descriptor(self._record), digits=9) + b"\n"
        signed = self._converted(self._record, WIRED).astype(np.int16) - self.reference
        end = self._first + self._count if self._count else None
        data = signed[self._first : end].astype(np.int8).tobytes()
        return b"DAT2," + block(data, digits=9) + b"\n"

    def _descriptor(self, record: Record) -> bytes:
        channel = record.channels[WIRED - 1]
        data = bytearray(DESCRIPTOR)
        data[:8], data[16:24] = b"WAVEDESC", b"WAVEACE\0"
        struct.pack_into("<i", data, 36, DESCRIPTOR)
        struct.pack_into("<i", data, 60, record.points)
        struct.pack_into("<i", data, 116, record.points)
        struct.pack_into("<ff", data, 156, channel.scale, channel.offset)
        struct.pack_into("<fd", data, 176, record.interval, self._delay(record))
        return bytes(data)

    def _delay(self, record: Record) -> float:
        """Trigger delay as its descriptor has it: the first sample lies at -delay - half a span."""
        return record.trigger - record.start - record.span / 2


def _number(text: str) -> float:
    try:
        number = float(text.rstrip("SV"))
    except ValueError as err:
        raise ScpiError(-121, f"{text!r} is no number") from err
    return _within(number, (-1e4, 1e4))


def _within(value: float, ends: tuple[float, float]) -> float:
    if not ends[0] <= value <= ends[1]:
        raise ScpiError(-222, f"{value:g}; allowed: {ends[0]:g} to {ends[1]:g}")
    return value


_To = TypeVar("_To")


def _listed(table: Mapping[str, _To], word: str) -> _To:
    if word not in table:
        raise ScpiError(-224, f"{word!r}; allowed: {', '.join(table)}")
    return table[word]
