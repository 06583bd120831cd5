"""Dialect of the Rigol DS1000Z oscilloscopes: channel 1 across the shunt.

MSO1000Z/DS1000Z Programming Guide. What is modelled: four channels of which one is wired, 8 bits
over 10.24 divisions, clipping, gain and offset error inside the data sheet, half a step of noise,
edge trigger with the time before it, the sweeps, depth and rate shared between the channels that
are on, probe with its input resistance, reading in NORMal, MAXimum and RAW mode as BYTE, WORD or
ASCii with the limits of each, the measurement menu. After *RST the ratio is 10 while the probe of
the bench is what its file says, as on the real one: a ratio that was not set shows other volts.

What is not: other triggers than edge, bandwidth, mathematics, cursors, decoding, the screen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.ds1000z_settings import (
    SOURCES,
    Ds1000zSettings,
    scientific,
)
from hil_instruments.simulated.dialects.eight_bits import (
    REFERENCE,
    SCREEN_POINTS,
    Channel,
    Codes,
    Record,
)
from hil_instruments.simulated.metrology.waveform import Waveform
from hil_instruments.simulated.scpi import (
    ScpiError,
    block,
    boolean,
    choice,
    integer,
    optional,
    scpi,
)

Values: TypeAlias = npt.NDArray[np.float64]

LARGEST_READ = {"BYTE": 250_000, "WORD": 125_000, "ASC": 15_625}
"""Points of one WAVeform:DATA?."""
FORMATS, MODES = ("BYTE", "WORD", "ASC"), ("NORM", "MAX", "RAW")
NOT_MEASURABLE = 9.9e37
ITEMS: Mapping[str, Callable[[Waveform], float | None]] = {
    "VMAX": lambda wave: wave.largest,
    "VMIN": lambda wave: wave.least,
    "VPP": lambda wave: wave.largest - wave.least,
    "VTOP": lambda wave: wave.top,
    "VBASe": lambda wave: wave.base,
    "VAMP": lambda wave: wave.amplitude,
    "VAVG": lambda wave: wave.mean,
    "VRMS": lambda wave: wave.rms,
    "OVERshoot": lambda wave: wave.overshoot,
    "PREShoot": lambda wave: wave.preshoot,
    "MARea": lambda wave: wave.area,
    "PERiod": lambda wave: wave.period,
    "FREQuency": lambda wave: wave.frequency,
    "RTIMe": lambda wave: wave.transition(rising=True),
    "FTIMe": lambda wave: wave.transition(rising=False),
    "PWIDth": lambda wave: wave.width(positive=True),
    "NWIDth": lambda wave: wave.width(positive=False),
    "PDUTy": lambda wave: wave.duty(positive=True),
    "NDUTy": lambda wave: wave.duty(positive=False),
    "TVMAX": lambda wave: wave.time_of_largest,
    "TVMIN": lambda wave: wave.time_of_least,
    "PSLEWrate": lambda wave: wave.slew(rising=True),
    "NSLEWrate": lambda wave: wave.slew(rising=False),
    "VUPper": lambda wave: wave.level(0.9),
    "VMID": lambda wave: wave.level(0.5),
    "VLOWer": lambda wave: wave.level(0.1),
    "VARIance": lambda wave: wave.variance,
}
_ITEM_WORDS = "|".join(ITEMS)
_BY_SHORT = {"".join(c for c in name if not c.islower()): of for name, of in ITEMS.items()}
_SOURCE = optional(choice(SOURCES))


class RigolDS1000Z(Ds1000zSettings):
    """The whole oscilloscope."""

    firmware = "00.04.04.SP4"

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        self._form, self._mode = "BYTE", "NORM"
        self._read_source, self._first, self._last = 1, 1, SCREEN_POINTS
        super().__init__(entry, world, seed)

    def preset(self) -> None:
        """Return to the state after *RST."""
        self._form, self._mode = "BYTE", "NORM"
        self._read_source, self._first, self._last = 1, 1, SCREEN_POINTS
        super().preset()

    # Waveform: settings.

    @scpi("WAVeform:SOURce", choice(SOURCES))
    def _set_source(self, source: str) -> None:
        self._read_source = int(source[-1])

    @scpi("WAVeform:SOURce?")
    def _source_in_use(self) -> str:
        return f"CHAN{self._read_source}"

    @scpi("WAVeform:MODE", choice("NORMal|MAXimum|RAW"))
    def _set_mode(self, mode: str) -> None:
        self._mode = mode
        self._first, self._last = 1, SCREEN_POINTS

    @scpi("WAVeform:MODE?")
    def _mode_in_use(self) -> str:
        return self._mode

    @scpi("WAVeform:FORMat", choice("BYTE|WORD|ASCii"))
    def _set_form(self, form: str) -> None:
        self._form = form

    @scpi("WAVeform:FORMat?")
    def _form_in_use(self) -> str:
        return self._form

    @scpi("WAVeform:STARt", integer())
    def _set_first(self, place: int) -> None:
        self._first = self._placed(place)

    @scpi("WAVeform:STARt?")
    def _first_in_use(self) -> str:
        return str(self._first)

    @scpi("WAVeform:STOP", integer())
    def _set_last(self, place: int) -> None:
        self._last = self._placed(place)

    @scpi("WAVeform:STOP?")
    def _last_in_use(self) -> str:
        return str(self._last)

    @scpi("WAVeform:POINts", integer())
    def _set_points(self, count: int) -> None:
        self._last = self._placed(self._first + count - 1)

    @scpi("WAVeform:POINts?")
    def _points_to_read(self) -> str:
        return str(self._last - self._first + 1)

    def _placed(self, place: int) -> int:
        if not 1 <= place <= self._points():
            raise ScpiError(-222, f"point {place}; allowed: 1 to {self._points()}")
        return place

    @property
    def _reads_memory(self) -> bool:
        """Whether it is the memory that is read, not the screen."""
        return self._mode == "RAW" or (self._mode == "MAX" and not self._running)

    def _points(self) -> int:
        if not self._reads_memory:
            return SCREEN_POINTS
        return self._points_held if self._record is None else self._record.points

    # Waveform: scaling.

    def _read_channel(self) -> Channel:
        """The channel as it was when what is read was taken."""
        channels = self._channels if self._record is None else self._record.channels
        return channels[self._read_source - 1]

    def _x_increment(self) -> float:
        span = self._span if self._record is None else self._record.span
        return span / self._points()

    def _x_origin(self) -> float:
        record = self._record
        return (
            self._time_offset - self._span / 2 if record is None else record.start - record.trigger
        )

    def _y_origin(self) -> int:
        channel = self._read_channel()
        return round(channel.offset / channel.step)

    @scpi("WAVeform:PREamble?")
    def _preamble(self) -> str:
        self._update()
        form, mode = str(FORMATS.index(self._form)), str(MODES.index(self._mode))
        averages = self._averages if self._kind == "AVER" else 1
        fields = [form, mode, str(self._points()), str(averages)]
        fields += [scientific(self._x_increment()), scientific(self._x_origin()), "0"]
        fields += [scientific(self._read_channel().step), str(self._y_origin()), str(REFERENCE)]
        return ",".join(fields)

    @scpi("WAVeform:XINCrement?")
    def _x_step(self) -> str:
        self._update()
        return scientific(self._x_increment())

    @scpi("WAVeform:XORigin?")
    def _x_first(self) -> str:
        self._update()
        return scientific(self._x_origin())

    @scpi("WAVeform:XREFerence?")
    def _x_reference(self) -> str:
        return "0"

    @scpi("WAVeform:YINCrement?")
    def _y_step(self) -> str:
        return scientific(self._read_channel().step)

    @scpi("WAVeform:YORigin?")
    def _y_zero(self) -> str:
        return str(self._y_origin())

    @scpi("WAVeform:YREFerence?")
    def _y_reference(self) -> str:
        return str(REFERENCE)

    # Waveform: data.

    def _ended(self) -> Record:
        """The record that is shown."""
        self._update()
        if self._running and (self._record is None or self._is_stale()) and self._sweep == "AUTO":
            self._take(self._untriggered())
        if self._record is None:
            raise ScpiError(-230, f"no acquisition has ended; trigger status {self._status()}")
        return self._record

    def _screen(self, record: Record, number: int) -> Codes:
        codes = self._converted(record, number)
        return codes[np.arange(SCREEN_POINTS) * len(codes) // SCREEN_POINTS]

    @scpi("WAVeform:DATA?")
    def _data(self) -> bytes:
        if self._mode == "RAW" and self._running:
            self._update()
            if self._running:
                raise ScpiError(-221, "RAW data can be read in the STOP state only")
        record = self._ended()
        number = self._read_source
        read = self._converted if self._reads_memory else self._screen
        most = LARGEST_READ[self._form]
        if not self._first <= self._last or self._last - self._first >= most:
            asked = f"points {self._first} to {self._last}"
            raise ScpiError(-222, f"{asked}; allowed: {most} per read, in rising order")
        return self._written(read(record, number)[self._first - 1 : self._last])

    def _written(self, codes: Codes) -> bytes:
        if self._form == "ASC":
            volts = self._volts(codes, self._read_channel())
            return block(",".join(map(scientific, volts.tolist())).encode(), digits=9)
        return block(codes.astype("u1" if self._form == "BYTE" else "<u2").tobytes(), digits=9)

    @staticmethod
    def _volts(codes: Codes, channel: Channel) -> Values:
        zero = round(channel.offset / channel.step) + REFERENCE
        return (codes.astype(np.float64) - zero) * channel.step

    # Measurements.

    @scpi("MEASure:ITEM", choice(_ITEM_WORDS), _SOURCE)
    @scpi("MEASure:CLEar", choice("ITEM1|ITEM2|ITEM3|ITEM4|ITEM5|ALL"))
    @scpi("MEASure:ADISplay", boolean())
    def _show_item(self, *_: object) -> None:
        """Nobody looks at the screen."""

    @scpi("MEASure:ITEM?", choice(_ITEM_WORDS), _SOURCE)
    def _item(self, name: str, source: str = "") -> str:
        number = int((source or self.setting("measure_source"))[-1])
        record = self._ended()
        channel = record.channels[number - 1]
        volts = self._volts(self._screen(record, number), channel)
        start, interval = record.start - record.trigger, record.span / SCREEN_POINTS
        figure = _BY_SHORT[name](Waveform(volts, interval, start, channel.step))
        return scientific(NOT_MEASURABLE if figure is None else figure)
