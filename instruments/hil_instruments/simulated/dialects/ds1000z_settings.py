"""Channels, time base and trigger of a DS1000Z."""

from __future__ import annotations

import math
from typing import ClassVar

from hil_instruments.simulated.dialects.eight_bits import (
    Channel,
    EightBitAcquisition,
)
from hil_instruments.simulated.dialects.settings import Setting, figure, switch, word
from hil_instruments.simulated.scpi import ScpiError, boolean, choice, integer, number, scpi

RATIOS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
SOURCES = "CHANnel1|CHANnel2|CHANnel3|CHANnel4"
FINEST, COARSEST = 1e-3, 10.0
"""Vertical scale in V per division at 1:1."""
FASTEST_SCALE, SLOWEST_SCALE = 5e-9, 50.0
"""Horizontal scale in s per division."""
_STEPS = (1.0, 2.0, 5.0)


def scientific(value: float) -> str:
    """Write a number as this instrument does."""
    return f"{value:.6e}"


class Ds1000zSettings(EightBitAcquisition):
    """How it looks at the signal."""

    SETTINGS: ClassVar[dict[str, Setting]] = {
        "holdoff": figure("TRIGger:HOLDoff", 16e-9, (16e-9, 10.0), unit="S", show=scientific),
        "trigger_coupling": word("TRIGger:COUPling", "AC|DC|LFReject|HFReject", "DC"),
        "noise_reject": switch("TRIGger:NREJect", on=False),
        "time_mode": word("TIMebase:MODE", "MAIN|XY|ROLL", "MAIN"),
        "delayed": switch("TIMebase:DELay:ENABle", on=False),
        "measure_source": word("MEASure:SOURce", SOURCES, "CHAN1"),
        "beeper": switch("SYSTem:BEEPer", on=True),
        "locked": switch("SYSTem:LOCKed", on=False),
    }

    def preset(self) -> None:
        """Return to the state after *RST."""
        self.forget_settings()
        self._extras: dict[tuple[int, str], str] = {}
        super().preset()

    def _channel(self, number: int) -> Channel:
        return self._channels[number - 1]

    # Channels.

    @scpi("CHANnel<1-4>:SCALe", number("V"))
    def _set_scale(self, place: int, scale: float) -> None:
        channel = self._channel(place)
        stepped = _stepped(scale / channel.probe, FINEST, COARSEST, "V/div at 1:1")
        channel.scale = stepped * channel.probe
        self._settings_changed()

    @scpi("CHANnel<1-4>:SCALe?")
    def _scale(self, place: int) -> str:
        return scientific(self._channel(place).scale)

    @scpi("CHANnel<1-4>:RANGe", number("V"))
    def _set_range(self, place: int, full: float) -> None:
        self._set_scale(place, full / 8)

    @scpi("CHANnel<1-4>:RANGe?")
    def _range(self, place: int) -> str:
        return scientific(self._channel(place).scale * 8)

    @scpi("CHANnel<1-4>:OFFSet", number("V"))
    def _set_offset(self, place: int, offset: float) -> None:
        channel = self._channel(place)
        largest = (2.0 if channel.scale / channel.probe < 0.5 else 100.0) * channel.probe
        _within(offset, -largest, largest, "V")
        channel.offset = offset
        self._settings_changed()

    @scpi("CHANnel<1-4>:OFFSet?")
    def _offset(self, place: int) -> str:
        return scientific(self._channel(place).offset)

    @scpi("CHANnel<1-4>:PROBe", number())
    def _set_ratio(self, place: int, ratio: float) -> None:
        channel = self._channel(place)
        if ratio not in RATIOS:
            raise ScpiError(-222, f"probe ratio {ratio:g}; allowed: 0.01 to 1000 in steps 1, 2, 5")
        channel.scale *= ratio / channel.probe
        channel.offset *= ratio / channel.probe
        channel.probe = ratio
        self._settings_changed()

    @scpi("CHANnel<1-4>:PROBe?")
    def _ratio(self, place: int) -> str:
        return f"{self._channel(place).probe:g}"

    @scpi("CHANnel<1-4>:COUPling", choice("AC|DC|GND"))
    def _set_coupling(self, place: int, coupling: str) -> None:
        self._channel(place).coupling = coupling
        self._settings_changed()

    @scpi("CHANnel<1-4>:COUPling?")
    def _coupling(self, place: int) -> str:
        return self._channel(place).coupling

    @scpi("CHANnel<1-4>:DISPlay", boolean())
    def _show(self, place: int, on: bool) -> None:
        self._channel(place).shown = on
        if self._depth and self._depth not in self._depths:
            self._depth = 0  # rate and memory are shared anew
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

    @scpi("CHANnel<1-4>:BWLimit", choice("20M|OFF"))
    def _set_band(self, place: int, word: str) -> None:
        """Nothing on this bench is as fast as 20 MHz."""
        self._extras[place, "BWL"] = word

    @scpi("CHANnel<1-4>:BWLimit?")
    def _band(self, place: int) -> str:
        return self._extras.get((place, "BWL"), "OFF")

    @scpi("CHANnel<1-4>:UNITs", choice("VOLTage|WATT|AMPere|UNKNown"))
    def _set_unit(self, place: int, word: str) -> None:
        self._extras[place, "UNIT"] = word

    @scpi("CHANnel<1-4>:UNITs?")
    def _unit(self, place: int) -> str:
        return self._extras.get((place, "UNIT"), "VOLT")

    @scpi("CHANnel<1-4>:VERNier", boolean())
    def _set_vernier(self, place: int, on: bool) -> None:
        self._extras[place, "VERN"] = str(int(on))

    @scpi("CHANnel<1-4>:VERNier?")
    def _vernier(self, place: int) -> str:
        return self._extras.get((place, "VERN"), "0")

    # Time base and memory.

    @scpi("TIMebase[:MAIN]:SCALe", number("S"))
    def _set_time_scale(self, scale: float) -> None:
        self._time_scale = _stepped(scale, FASTEST_SCALE, SLOWEST_SCALE, "s/div")
        self._settings_changed()

    @scpi("TIMebase[:MAIN]:SCALe?")
    def _time_scale_in_use(self) -> str:
        return scientific(self._time_scale)

    @scpi("TIMebase[:MAIN]:OFFSet", number("S"))
    def _set_time_offset(self, offset: float) -> None:
        _within(offset, -self._span / 2, 5000.0, "s")
        self._time_offset = offset
        self._settings_changed()

    @scpi("TIMebase[:MAIN]:OFFSet?")
    def _time_offset_in_use(self) -> str:
        return scientific(self._time_offset)

    @scpi("ACQuire:MDEPth", integer("AUTO"))
    def _set_depth(self, depth: int | str) -> None:
        if depth != "AUTO" and depth not in self._depths:
            allowed = ", ".join(map(str, self._depths))
            raise ScpiError(-222, f"depth {depth}; allowed: AUTO, {allowed}")
        self._depth = 0 if isinstance(depth, str) else depth
        self._settings_changed()

    @scpi("ACQuire:MDEPth?")
    def _depth_in_use(self) -> str:
        return str(self._depth) if self._depth else "AUTO"

    @scpi("ACQuire:SRATe?")
    def _rate(self) -> str:
        return scientific(self._points_held / self._span)

    @scpi("ACQuire:TYPE", choice("NORMal|AVERages|PEAK|HRESolution"))
    def _set_kind(self, kind: str) -> None:
        """Averages lessen the noise; peak and high resolution are taken, and change nothing."""
        self._kind = kind
        self._settings_changed()

    @scpi("ACQuire:TYPE?")
    def _kind_in_use(self) -> str:
        return self._kind

    @scpi("ACQuire:AVERages", integer())
    def _set_averages(self, count: int) -> None:
        if count not in {2**n for n in range(1, 11)}:
            raise ScpiError(-222, f"{count} averages; allowed: 2, 4, 8 to 1024")
        self._averages = count
        self._settings_changed()

    @scpi("ACQuire:AVERages?")
    def _averages_in_use(self) -> str:
        return str(self._averages)

    # Trigger.

    @scpi("TRIGger:MODE", choice("EDGE"))
    def _set_trigger_mode(self, _: str) -> None:
        """Only the edge trigger is simulated."""

    @scpi("TRIGger:MODE?")
    def _trigger_mode(self) -> str:
        return "EDGE"

    @scpi("TRIGger:SWEep", choice("AUTO|NORMal|SINGle"))
    def _set_sweep(self, sweep: str) -> None:
        self._run(sweep)

    @scpi("TRIGger:SWEep?")
    def _sweep_in_use(self) -> str:
        return self._sweep

    @scpi("TRIGger:EDGe:SOURce", choice(f"{SOURCES}|AC"))
    def _set_trigger_source(self, source: str) -> None:
        self._source = source
        self._settings_changed()

    @scpi("TRIGger:EDGe:SOURce?")
    def _trigger_source(self) -> str:
        return self._source

    @scpi("TRIGger:EDGe:SLOPe", choice("POSitive|NEGative|RFALl"))
    def _set_slope(self, slope: str) -> None:
        self._slope = slope
        self._settings_changed()

    @scpi("TRIGger:EDGe:SLOPe?")
    def _slope_in_use(self) -> str:
        return self._slope

    @scpi("TRIGger:EDGe:LEVel", number("V"))
    def _set_level(self, level: float) -> None:
        channel = self._channel(int(self._source[-1]) if self._source != "AC" else 1)
        reach = 5 * channel.scale
        _within(level, -reach - channel.offset, reach - channel.offset, "V")
        self._level = level
        self._settings_changed()

    @scpi("TRIGger:EDGe:LEVel?")
    def _level_in_use(self) -> str:
        return scientific(self._level)

    @scpi("TRIGger:POSition?")
    def _position(self) -> str:
        self._update()
        return "-2" if self._record is None else str(round(self._record.points / 2))

    @scpi("TRIGger:STATus?")
    def _trigger_status(self) -> str:
        return self._status()

    @scpi("RUN")
    def _begin_running(self) -> None:
        self._run("AUTO" if self._sweep == "SING" else self._sweep)

    @scpi("SINGle")
    def _begin_single(self) -> None:
        self._run("SING")

    @scpi("STOP")
    def _stop(self) -> None:
        self._stop_now()

    @scpi("TFORce")
    def _force(self) -> None:
        self._force_trigger()

    @scpi("CLEar")
    def _clear(self) -> None:
        self._settings_changed()


def _within(value: float, low: float, high: float, unit: str) -> None:
    if not low <= value <= high:
        raise ScpiError(-222, f"{value:g} {unit}; allowed: {low:g} to {high:g} {unit}")


def _stepped(value: float, low: float, high: float, unit: str) -> float:
    """Return the next larger value of the series 1, 2, 5."""
    _within(value, low, high, unit)
    decade = 10.0 ** math.floor(math.log10(value))
    for step in (*_STEPS, 10.0):
        if value <= step * decade * (1 + 1e-9):
            return float(f"{step * decade:.3g}")
    raise AssertionError(value)  # unreachable: 10 x decade is larger than value
