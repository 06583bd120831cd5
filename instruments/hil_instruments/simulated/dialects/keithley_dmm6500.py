"""Dialect of the Keithley DMM6500 multimeter, with its command set SCPI.

DMM6500 Reference Manual; replies of real units as third-party drivers recorded them. What is
modelled: voltage and current, direct, alternating and digitised (to 1 000 000 readings/s), with
autoranging, overload, aperture average, errors inside the one-year accuracy, noise, filter,
relative offset, input resistance and shunt; reading buffers of up to 7 000 000 readings that
overwrite or stop when full; trigger models built of blocks, the templates SimpleLoop and
DurationLoop.

What is not: scanner card, limits and scaling, TSP, temperature; resistance, diode and capacitance
read overload, since nothing that they could measure is wired.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from hil_instruments.simulated.dialects.calendars import KeithleyCalendar
from hil_instruments.simulated.dialects.dmm6500_buffers import Values, exponential
from hil_instruments.simulated.dialects.dmm6500_ranges import ALL
from hil_instruments.simulated.dialects.dmm6500_sense import general
from hil_instruments.simulated.dialects.dmm6500_trigger import (
    BUFFER,
    DEFAULT_BUFFER,
    ELEMENT_LIST,
    Dmm6500Trigger,
)
from hil_instruments.simulated.dialects.functions import each
from hil_instruments.simulated.dialects.settings import Setting, count, figure, word
from hil_instruments.simulated.scpi import (
    Parameter,
    ScpiError,
    choice,
    indefinite,
    integer,
    number,
    optional,
    scpi,
    string,
)

STYLES = "COMPact|STANdard|FULL|WRITable|FULLWRITable"
_LIGHTS = "ON100|ON75|ON50|ON25|OFF|BLACkout"
_STARTS = "NONE|TIMer1|TIMer2|TIMer3|TIMer4|NOTify1|NOTify2|NOTify3|DISPlay|COMMand|EXTernal"
_ANY = Parameter(str)
_LARGEST_SCANS = 100_000_000
_TIME = "Thu Jan 01 00:00:00 2026"
"""Time in an entry of its event log: every message takes some, and no two logs would be alike."""


class KeithleyDMM6500(Dmm6500Trigger, KeithleyCalendar):
    """The whole multimeter."""

    firmware = "1.7.12b"
    no_error = '0,"No error;0;0 0"'
    SETTINGS: ClassVar[dict[str, Setting]] = {
        "light": word("DISPlay:LIGHt:STATe", _LIGHTS, "ON50"),
        "byte_order": word("FORMat:BORDer", "NORMal|SWAPped", "SWAP"),
        "precision": count("FORMat:ASCii:PRECision", 0, (0, 16)),
        "scans": count("ROUTe:SCAN:COUNt:SCAN", 1, (0, _LARGEST_SCANS)),
        "scan_interval": figure("ROUTe:SCAN:INTerval", 0.0, (0.0, 1e5), show=general),
        "bias": figure("[SENSe:]DIODe:BIAS:LEVel", 1e-3, (1e-5, 1e-2), show=general),
        "edge": word("TRIGger:EXTernal:IN:EDGE", "FALLing|RISing|EITHer", "FALL"),
        "digitize_by": word("TRIGger:DIGitize:STIMulus", _STARTS, "NONE"),
    }

    def preset(self) -> None:
        """Return to the state after *RST."""
        self.forget_settings()
        self._format, self._timers = "ASC", dict[tuple[str, int], str]()
        self._digits = dict.fromkeys(ALL, 6)
        super().preset()

    def describe(self, error: ScpiError) -> str:
        """Write an error as the event log does: text, kind (1 error), time."""
        return f'{error.code},"{error.text};1;{_TIME}"'

    # Reading buffers.

    @scpi("TRACe:MAKE", string(), integer(), optional(choice(STYLES)))
    def _make(self, name: str, size: int, _: str = "STAN") -> None:
        self.buffers.make(name, size)

    @scpi("TRACe:DELete", string())
    def _delete(self, name: str) -> None:
        self._stop()
        self.buffers.delete(name)

    @scpi("TRACe:CLEar", BUFFER)
    def _clear(self, name: str = DEFAULT_BUFFER) -> None:
        self._gather()
        self.buffers[name].clear()

    @scpi("TRACe:POINts", integer(), BUFFER)
    def _resize(self, size: int, name: str = DEFAULT_BUFFER) -> None:
        self._stop()
        self.buffers.resize(name, size)

    @scpi("TRACe:POINts?", BUFFER)
    def _size(self, name: str = DEFAULT_BUFFER) -> str:
        return str(self.buffers[name].memory.capacity)

    @scpi("TRACe:ACTual?", BUFFER)
    def _actual(self, name: str = DEFAULT_BUFFER) -> str:
        self._gather()
        return str(len(self.buffers[name].memory))

    @scpi("TRACe:ACTual:STARt?", BUFFER)
    def _first(self, name: str = DEFAULT_BUFFER) -> str:
        self._gather()
        return str(self.buffers[name].first)

    @scpi("TRACe:ACTual:END?", BUFFER)
    def _last(self, name: str = DEFAULT_BUFFER) -> str:
        self._gather()
        return str(self.buffers[name].last)

    @scpi("TRACe:FILL:MODE", choice("CONTinuous|ONCE"), BUFFER)
    def _set_fill(self, mode: str, name: str = DEFAULT_BUFFER) -> None:
        self._gather()
        self.buffers[name].once = mode == "ONCE"

    @scpi("TRACe:FILL:MODE?", BUFFER)
    def _fill(self, name: str = DEFAULT_BUFFER) -> str:
        return "ONCE" if self.buffers[name].once else "CONT"

    @scpi("TRACe:DATA?", integer(), integer(), BUFFER, *ELEMENT_LIST)
    def _data(
        self, first: int, last: int, name: str = DEFAULT_BUFFER, *elements: str
    ) -> str | bytes:
        self._gather()
        buffer = self.buffers[name]
        values, times = buffer.read(first, last)
        wanted = elements or ("READ",)
        if self._format == "ASC":
            return buffer.texts(values, times, wanted)
        order = self.setting("byte_order")
        return indefinite(buffer.binary(values, times, wanted, self._format, order))

    @scpi("TRACe:STATistics:AVERage?", BUFFER)
    def _mean(self, name: str = DEFAULT_BUFFER) -> str:
        return self._statistic(name, lambda values: values.mean())

    @scpi("TRACe:STATistics:MAXimum?", BUFFER)
    def _maximum(self, name: str = DEFAULT_BUFFER) -> str:
        return self._statistic(name, lambda values: values.max())

    @scpi("TRACe:STATistics:MINimum?", BUFFER)
    def _minimum(self, name: str = DEFAULT_BUFFER) -> str:
        return self._statistic(name, lambda values: values.min())

    @scpi("TRACe:STATistics:PK2Pk?", BUFFER)
    def _peak_to_peak(self, name: str = DEFAULT_BUFFER) -> str:
        return self._statistic(name, lambda values: values.max() - values.min())

    @scpi("TRACe:STATistics:STDDev?", BUFFER)
    def _deviation(self, name: str = DEFAULT_BUFFER) -> str:
        return self._statistic(name, lambda values: values.std(ddof=1) if len(values) > 1 else 0.0)

    def _statistic(self, name: str, of: Callable[[Values], float]) -> str:
        self._gather()
        memory = self.buffers[name].memory
        if not len(memory):
            raise ScpiError(-230, f"{name} is empty")
        return exponential(float(of(memory.values(0, len(memory)))))

    @scpi("FORMat[:DATA]", choice("ASCii|REAL|SREal"))
    def _set_format(self, form: str) -> None:
        self._format = form

    @scpi("FORMat[:DATA]?")
    def _format_in_use(self) -> str:
        return self._format

    # Trigger timers, which no trigger model of this bench uses.

    @scpi("TRIGger:TIMer<1-4>:DELay", number("S"))
    def _set_timer_delay(self, timer: int, seconds: float) -> None:
        self._timers["DEL", timer] = general(seconds)

    @scpi("TRIGger:TIMer<1-4>:DELay?")
    def _timer_delay(self, timer: int) -> str:
        return self._timers.get(("DEL", timer), "1E-05")

    @scpi("TRIGger:TIMer<1-4>:STARt:STIMulus", choice(_STARTS))
    def _set_timer_start(self, timer: int, event: str) -> None:
        self._timers["STIM", timer] = event

    @scpi("TRIGger:TIMer<1-4>:STARt:STIMulus?")
    def _timer_start(self, timer: int) -> str:
        return self._timers.get(("STIM", timer), "NONE")

    @scpi("TRIGger:EXTernal:IN:CLEar")
    def _clear_edge(self) -> None:
        """Nothing is wired to the external trigger."""

    @scpi("TRIGger:EXTernal:IN:OVERrun?")
    def _edge_overrun(self) -> str:
        return "0"

    # Display and system.

    @each(ALL, "DISPlay:<function>:DIGits", integer())
    def _set_digits(self, function: str, digits: int) -> None:
        if not 3 <= digits <= 6:
            raise ScpiError(-222, f"{digits} digits; allowed: 3 to 6")
        self._digits[function] = digits

    @each(ALL, "DISPlay:<function>:DIGits?")
    def _digits_in_use(self, function: str) -> str:
        return str(self._digits[function])

    @scpi("DISPlay:SCReen", _ANY)
    @scpi("DISPlay:USER<1-2>:TEXT[:DATA]", string())
    def _show(self, *_: object) -> None:
        """Nobody looks at the display."""

    @scpi("DISPlay:CLEar")
    @scpi("SYSTem:BEEPer[:IMMediate]", optional(number("HZ")), optional(number("S")))
    @scpi("SYSTem:PCARd<1-1>", optional(integer()))
    def _ignore(self, *_: object) -> None:
        """Nothing that the wire could tell."""

    @scpi("*LANG", choice("SCPI|TSP|SCPI2000|SCPI34401"))
    def _set_language(self, language: str) -> None:
        if language != "SCPI":
            raise ScpiError(-221, f"{language} needs a restart; only SCPI is simulated")

    @scpi("*LANG?")
    def _language(self) -> str:
        return "SCPI"

    @scpi("SYSTem:LFRequency?")
    def _line_frequency(self) -> str:
        return general(self._mains)

    @scpi("ROUTe:TERMinals?")
    def _front(self) -> str:
        return "FRON"

    @scpi("SYSTem:CARD<1-1>:IDN?")
    def _card(self, _: int) -> str:
        return "Empty Slot"
