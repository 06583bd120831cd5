"""Dialect of the Keysight InfiniiVision 3000 X-Series: channel 1 across the shunt.

InfiniiVision 3000 X-Series Programmer's Guide (75019-97073). What is modelled: what the driver of
this project says and a little around it: channel 1 to 4 of which one is wired, 199 codes over eight
divisions, clipping, edge trigger with the time before it, single acquisitions, the operation
register, ten fields of preamble, BYTE data of the memory. Of the memory no more is kept than
:WAVeform:POINts asks for. Not modelled: WORD and ASCii, averaging, measurements, every other menu.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.calendars import KeysightCalendar
from hil_instruments.simulated.dialects.eight_bits import (
    WIRED,
    Channel,
    Codes,
    EightBitAcquisition,
    Record,
)
from hil_instruments.simulated.dialects.settings import Setting, word
from hil_instruments.simulated.scpi import (
    ScpiError,
    block,
    boolean,
    choice,
    integer,
    number,
    scpi,
)

RUN, WAIT = 1 << 3, 1 << 5
"""Bits of the operation status condition register."""
SOURCES = "CHANnel1|CHANnel2|CHANnel3|CHANnel4"
STEPS = tuple(digit * 10**power for power in range(2, 7) for digit in (1, 2, 5))
"""Numbers of points of the memory: 100 to 5 000 000."""
SLOPES = {"NEG": "NEG", "POS": "POS", "EITH": "RFAL"}


class KeysightInfiniiVision(EightBitAcquisition, KeysightCalendar):
    """The whole oscilloscope."""

    no_error = '+0,"No error"'
    firmware = "07.50.2021102830"
    across: ClassVar[int] = 10
    steps: ClassVar[float] = 199 / 8
    """0.0402010 V a code at 1 V/div, as preambles of real units show."""
    reference: ClassVar[int] = 128
    fastest: ClassVar[float] = 4e9
    SETTINGS: ClassVar[dict[str, Setting]] = {
        "time_mode": word("TIMebase:MODE", "MAIN", "MAIN"),
        "trigger_mode": word("TRIGger:MODE", "EDGE", "EDGE"),
        "trigger_source": word("TRIGger[:EDGE]:SOURce", SOURCES, "CHAN1"),
        "kind": word("ACQuire:TYPE", "NORMal", "NORM"),
        "wave_source": word("WAVeform:SOURce", SOURCES, "CHAN1"),
        "form": word("WAVeform:FORMat", "BYTE", "BYTE"),
        "points_mode": word("WAVeform:POINts:MODE", "NORMal|RAW|MAXimum", "NORM"),
    }

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        self.forget_settings()
        self._reference_left = False
        self._wanted = 1_000
        self._unsigned = True
        self._was_armed = self._was_triggered = False
        super().__init__(entry, world, seed)

    def preset(self) -> None:
        """Return to the state after *RST."""
        self.forget_settings()
        self._reference_left, self._wanted, self._unsigned = False, 1_000, True
        super().preset()

    @property
    def _points_held(self) -> int:
        return max(int(min(self._wanted, self.fastest * self._span)), 100)

    # Channels.

    def _channel(self, place: int) -> Channel:
        return self._channels[place - 1]

    @scpi("CHANnel<1-4>:SCALe", number("V"))
    def _set_scale(self, place: int, scale: float) -> None:
        channel = self._channel(place)
        _within(scale, 1e-3 * channel.probe, 5.0 * channel.probe, "V/div")
        channel.scale = scale
        self._settings_changed()

    @scpi("CHANnel<1-4>:SCALe?")
    def _scale(self, place: int) -> str:
        return _figure(self._channel(place).scale)

    @scpi("CHANnel<1-4>:OFFSet", number("V"))
    def _set_offset(self, place: int, offset: float) -> None:
        """Volts at the middle of the screen."""
        self._channel(place).offset = -offset
        self._settings_changed()

    @scpi("CHANnel<1-4>:OFFSet?")
    def _offset(self, place: int) -> str:
        return _figure(-self._channel(place).offset)

    @scpi("CHANnel<1-4>:PROBe", number())
    def _set_ratio(self, place: int, ratio: float) -> None:
        _within(ratio, 0.001, 10_000.0, "V/V")
        channel = self._channel(place)
        channel.scale *= ratio / channel.probe
        channel.probe = ratio
        self._settings_changed()

    @scpi("CHANnel<1-4>:PROBe?")
    def _ratio(self, place: int) -> str:
        return _figure(self._channel(place).probe)

    @scpi("CHANnel<1-4>:COUPling", choice("AC|DC"))
    def _set_coupling(self, place: int, coupling: str) -> None:
        self._channel(place).coupling = coupling
        self._settings_changed()

    @scpi("CHANnel<1-4>:COUPling?")
    def _coupling(self, place: int) -> str:
        return self._channel(place).coupling

    @scpi("CHANnel<1-4>:IMPedance", choice("ONEMeg"))
    def _set_impedance(self, place: int, _: str) -> None:
        """50 ohm would short the shunt's probe: not offered here."""

    @scpi("CHANnel<1-4>:IMPedance?")
    def _impedance(self, place: int) -> str:
        return "ONEM"

    @scpi("CHANnel<1-4>:DISPlay", boolean())
    def _show(self, place: int, on: bool) -> None:
        self._channel(place).shown = on
        self._settings_changed()

    @scpi("CHANnel<1-4>:DISPlay?")
    def _is_shown(self, place: int) -> str:
        return str(int(self._channel(place).shown))

    @scpi("CHANnel<1-4>:INVert", boolean())
    def _invert(self, place: int, on: bool) -> None:
        self._channel(place).inverted = on
        self._settings_changed()

    @scpi("CHANnel<1-4>:INVert?")
    def _is_inverted(self, place: int) -> str:
        return str(int(self._channel(place).inverted))

    # Time base.

    @scpi("TIMebase:SCALe", number("S"))
    def _set_time_scale(self, scale: float) -> None:
        _within(scale, 2e-9, 50.0, "s/div")
        self._time_scale = scale
        self._place()

    @scpi("TIMebase:SCALe?")
    def _time_scale_in_use(self) -> str:
        return _figure(self._time_scale)

    @scpi("TIMebase:POSition", number("S"))
    def _set_position(self, seconds: float) -> None:
        """Time from the trigger to the reference; only 0 here."""
        _within(seconds, 0.0, 0.0, "s")

    @scpi("TIMebase:POSition?")
    def _position(self) -> str:
        return _figure(0.0)

    @scpi("TIMebase:REFerence", choice("LEFT|CENTer"))
    def _set_reference(self, place: str) -> None:
        self._reference_left = place == "LEFT"
        self._place()

    @scpi("TIMebase:REFerence?")
    def _reference_in_use(self) -> str:
        return "LEFT" if self._reference_left else "CENT"

    def _place(self) -> None:
        """Left is one division from the left edge."""
        divisions = self.across / 2 - 1 if self._reference_left else 0.0
        self._time_offset = divisions * self._time_scale
        self._settings_changed()

    # Trigger and acquisition.

    @scpi("TRIGger[:EDGE]:SLOPe", choice("POSitive|NEGative|EITHer"))
    def _set_slope(self, slope: str) -> None:
        self._slope = SLOPES[slope]
        self._settings_changed()

    @scpi("TRIGger[:EDGE]:SLOPe?")
    def _slope_in_use(self) -> str:
        return next(word for word, slope in SLOPES.items() if slope == self._slope)

    @scpi("TRIGger[:EDGE]:LEVel", number("V"))
    def _set_level(self, level: float) -> None:
        reach = 6 * self._channel(WIRED).scale  # 0.75 x full scale from the middle of the screen
        _within(level, -reach, reach, "V")
        self._level = level
        self._settings_changed()

    @scpi("TRIGger[:EDGE]:LEVel?")
    def _level_in_use(self) -> str:
        return _figure(self._level)

    @scpi("TRIGger:FORCe")
    def _force(self) -> None:
        self._force_trigger()

    @scpi("SINGle")
    def _begin_single(self) -> None:
        self._run("SING")

    @scpi("RUN")
    def _begin_running(self) -> None:
        self._run("AUTO")

    @scpi("STOP")
    def _stop(self) -> None:
        self._stop_now()

    @scpi("OPERegister:CONDition?")
    def _condition(self) -> str:
        status = self._status()
        if status == "STOP":
            return "+0"
        filled = self.clock.time >= self._searched and self._filling is None
        return f"{RUN | (WAIT if status == 'WAIT' and filled else 0):+d}"

    # Waveform.

    @scpi("WAVeform:POINts", integer("MAXimum"))
    def _set_points(self, count: int | str) -> None:
        if count != "MAX" and count not in STEPS:
            raise ScpiError(-222, f"{count} points; allowed: 100, 200, 500 to {STEPS[-1]}")
        self._wanted = STEPS[-1] if isinstance(count, str) else count
        self._settings_changed()

    @scpi("WAVeform:POINts?")
    def _points(self) -> str:
        return f"{self._ended().points:+d}"

    @scpi("WAVeform:UNSigned", boolean())
    def _set_unsigned(self, on: bool) -> None:
        self._unsigned = on

    @scpi("WAVeform:UNSigned?")
    def _is_unsigned(self) -> str:
        return str(int(self._unsigned))

    def _ended(self) -> Record:
        self._update()
        if self._record is None or self._running:
            raise ScpiError(-230, "no acquisition has ended")
        return self._record

    @scpi("WAVeform:PREamble?")
    def _preamble(self) -> str:
        record = self._ended()
        channel = record.channels[WIRED - 1]
        counts = f"+0,+0,{record.points:+d},+1"
        times = f"{_figure(record.interval)},{_figure(record.start - record.trigger)},+0"
        levels = f"{_figure(channel.step)},{_figure(-channel.offset)},{self.reference:+d}"
        return f"{counts},{times},{levels}"

    @scpi("WAVeform:DATA?")
    def _data(self) -> bytes:
        if not self._unsigned:
            raise ScpiError(-221, "signed data is not simulated: send WAVeform:UNSigned 1")
        codes = self._converted(self._ended(), int(self.setting("wave_source")[-1]))
        return block(_unholed(codes).tobytes(), digits=8)


def _unholed(codes: Codes) -> Codes:
    """Clip at 1, because 0 says that a sample is missing."""
    return np.maximum(codes, np.uint8(1))


def _figure(value: float) -> str:
    return f"{value:+.6E}"


def _within(value: float, low: float, high: float, unit: str) -> None:
    if not low <= value <= high:
        raise ScpiError(-222, f"{value:g} {unit}; allowed: {low:g} to {high:g} {unit}")
