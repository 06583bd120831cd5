"""Dialect of the Rigol DP800 supply, a DP832: three channels, of which CH1 feeds the device.

What is modelled: set and read-back errors inside the data sheet, resolution, slew, constant voltage
and constant current, over-voltage and over-current protection that latches until it is cleared.
CH2 is the source of known sign where the bench file has one; CH3 is connected to nothing. What is
not: tracking, timer, delay, recorder, trigger.

Ref: DP800 Programming Guide ("PG").
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.rigol_dp800_output import (
    CONVERSION,
    CURRENT_STEP,
    FALL_TIME,
    LEAST_LEVEL,
    LIMITING,
    RATINGS,
    READ_BACK,
    RISE_TIME,
    VOLTAGE_STEP,
    Channel,
    Feed,
    SupplyFault,
    draw,
)
from hil_instruments.simulated.physics.circuit import Node
from hil_instruments.simulated.scpi import (
    Answer,
    Instrument,
    Parameter,
    Pending,
    ScpiError,
    boolean,
    choice,
    integer,
    number,
    optional,
    scpi,
)

_WORDS = "MINimum|MAXimum|DEFault"
_CHANNELS = ("CH1", "CH2", "CH3")
_Argument: TypeAlias = float | bool | str | None


def addressed(parameter: Parameter) -> Parameter:
    """`CH1`, given back as that, or what `parameter` takes: the guide's `[CH1|CH2|CH3,]<value>`."""

    def convert(text: str) -> object:
        return text.upper() if text.upper() in _CHANNELS else parameter.convert(text)

    return Parameter(convert)


_CHANNEL = optional(choice("|".join(_CHANNELS)))
_BOUND = optional(choice("MINimum|MAXimum"))
_VOLTS, _AMPERES = number("V", words=_WORDS), number("A", words=_WORDS)


class RigolDP800(Instrument):
    """A DP832 whose first channel is the device's supply."""

    no_error = '0,"No error"'
    firmware = "00.01.16"

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Draw the fixed errors and begin switched off.

        Args:
            entry: as in the bench file.
            world: the bench.
            seed: of fixed errors and of noise.
        """
        super().__init__(entry, world.clock)
        self._random = np.random.default_rng(seed)
        self._channels = [Channel(rating, draw(self._random)) for rating in RATINGS]
        self._feed = Feed(self._channels[0], world)
        self._selected = 0
        self._world = world
        self._sourced = 0.0
        self._wrong = SupplyFault()

    def go_wrong(self, fault: SupplyFault) -> None:
        """Have this fault from now on, and no other."""
        self._wrong = fault
        self._follow_source()

    @property
    def volts(self) -> float:
        """Voltage in V that CH1 drives now."""
        return self._feed.volts

    def needed_from(self) -> float:
        """Earliest bench time whose history a measurement may still ask for."""
        return max(0.0, self.clock.time - CONVERSION)

    def power_on(self) -> None:
        """Come up as after a power failure: everything at its default, output off."""
        super().power_on()
        self.preset()

    def limits_of_error(self) -> tuple[float, float]:
        """Those of its read-back of voltage, which in numbers hold that of current too."""
        return READ_BACK

    def preset(self) -> None:
        """Switch everything off, back to 0 V; select CH1."""
        self._selected = 0
        for channel in self._channels:
            channel.preset()
        self._feed.follow()
        self._follow_source()

    def _follow_source(self) -> None:
        """Let CH2 go to what it is set to, at the end of its rise or fall."""
        volts = self._source
        if volts == self._sourced:
            return
        time = RISE_TIME if volts > self._sourced else FALL_TIME
        self._sourced = volts
        circuit = self._world.device.circuit  # a later power cycle has a circuit of its own
        self.clock.at(self.clock.time + time, lambda: circuit.drive_source(volts))

    # Measurement. What flows from CH2 is less than its meter resolves.

    def _true(self, index: int, node: Node) -> float:
        if index == 0:
            return self._feed.mean(node)
        if node is not Node.SUPPLY:
            return 0.0
        return self._source if index == 1 else self._channels[index].target

    @property
    def _source(self) -> float:
        """Voltage in V to which CH2 goes."""
        return 0.0 if self._wrong.sourceless else self._channels[1].target

    def _measured(self, index: int, form: str) -> Answer:
        """Reply with V, A and W of a channel, as `form` lists them, after a conversion."""

        def produce() -> str:
            volts, amperes = (
                0.0
                if self._wrong.blind
                else self._channels[index].reading(node, self._true(index, node), self._random)
                for node in (Node.SUPPLY, Node.SUPPLY_CURRENT)
            )
            texts = {"V": f"{volts:.4f}", "A": f"{amperes:.4f}", "W": f"{volts * amperes:.3f}"}
            return ",".join(texts[letter] for letter in form)

        return Pending(self.clock.time + CONVERSION, produce)

    @scpi("MEASure[:VOLTage][:DC]?", _CHANNEL)
    def _measure_voltage(self, name: str = "") -> Answer:
        return self._measured(self._index(name), "V")

    @scpi("MEASure:CURRent[:DC]?", _CHANNEL)
    def _measure_current(self, name: str = "") -> Answer:
        return self._measured(self._index(name), "A")

    @scpi("MEASure:POWEr[:DC]?", _CHANNEL)
    def _measure_power(self, name: str = "") -> Answer:
        return self._measured(self._index(name), "W")

    @scpi("MEASure:ALL[:DC]?", _CHANNEL)
    def _measure_all(self, name: str = "") -> Answer:
        return self._measured(self._index(name), "VAW")

    # Channels, level.

    def _index(self, name: str = "") -> int:
        return _CHANNELS.index(name) if name else self._selected

    def _split(self, first: _Argument, second: _Argument) -> tuple[int, _Argument]:
        """Return the channel's index and the value of `[CH1,]<value>`."""
        if isinstance(first, str) and first in _CHANNELS:
            if second is None:
                raise ScpiError(-109, f"{first} and no value behind it")
            return self._index(first), second
        if second is not None:
            raise ScpiError(-224, f"{first!r}; allowed: {', '.join(_CHANNELS)}")
        return self._selected, first

    def _set(
        self, index: int, voltage: float | str | None = None, current: float | str | None = None
    ) -> None:
        """Take over a voltage and a current, both or neither."""
        channel, rating = self._channels[index], self._channels[index].rating
        volts, amperes = channel.voltage, channel.current
        if voltage is not None:
            volts = _figure(voltage, (0.0, rating.largest_voltage, 0.0), "V")
        if current is not None:
            amperes = _figure(current, (0.0, rating.largest_current, rating.default_current), "A")
        channel.voltage = round(volts / VOLTAGE_STEP) * VOLTAGE_STEP
        channel.current = round(amperes / CURRENT_STEP) * CURRENT_STEP
        if index == 0:
            self._feed.follow()
        else:
            self._follow_source()

    @scpi("APPLy", choice("|".join(_CHANNELS)), optional(_VOLTS), optional(_AMPERES))
    def _apply(
        self, name: str, voltage: float | str | None = None, current: float | str | None = None
    ) -> None:
        """Select the channel too (PG, APPLy)."""
        self._set(self._index(name), voltage, current)
        self._selected = self._index(name)

    @scpi("APPLy?", _CHANNEL, optional(choice("VOLTage|CURRent")))
    def _applied(self, name: str = "", which: str = "") -> str:
        index = self._index(name)
        channel = self._channels[index]
        voltage, current = f"{channel.voltage:.3f}", f"{channel.current:.3f}"
        whole = f"{_CHANNELS[index]}:{channel.rating.name},{voltage},{current}"
        return {"VOLT": voltage, "CURR": current}.get(which, whole)

    @scpi("INSTrument:NSELect", integer())
    def _select_number(self, wanted: int) -> None:
        if not 1 <= wanted <= len(_CHANNELS):
            raise ScpiError(-222, f"channel {wanted}; allowed: 1 to {len(_CHANNELS)}")
        self._selected = wanted - 1

    @scpi("INSTrument:NSELect?")
    def _selected_number(self) -> str:
        return str(self._selected + 1)

    @scpi("INSTrument[:SELect]", choice("|".join(_CHANNELS)))
    def _select(self, name: str) -> None:
        self._selected = self._index(name)

    @scpi("INSTrument[:SELect]?")
    def _selection(self) -> str:
        return _CHANNELS[self._selected]

    # SOURce<n> names a channel; without a number, or without SOURce, the selected one is meant.

    def _of(self, source: int) -> int:
        return source - 1 if source else self._selected

    @scpi("[SOURce<1-3?>:]VOLTage[:LEVel][:IMMediate][:AMPLitude]", _VOLTS)
    def _set_voltage(self, source: int, voltage: float | str) -> None:
        self._set(self._of(source), voltage=voltage)

    @scpi("[SOURce<1-3?>:]VOLTage[:LEVel][:IMMediate][:AMPLitude]?", _BOUND)
    def _voltage(self, source: int, bound: str = "") -> str:
        channel = self._channels[self._of(source)]
        words = {"": channel.voltage, "MIN": 0.0, "MAX": channel.rating.largest_voltage}
        return f"{words[bound]:.3f}"

    @scpi("[SOURce<1-3?>:]CURRent[:LEVel][:IMMediate][:AMPLitude]", _AMPERES)
    def _set_current(self, source: int, current: float | str) -> None:
        self._set(self._of(source), current=current)

    @scpi("[SOURce<1-3?>:]CURRent[:LEVel][:IMMediate][:AMPLitude]?", _BOUND)
    def _current(self, source: int, bound: str = "") -> str:
        channel = self._channels[self._of(source)]
        words = {"": channel.current, "MIN": 0.0, "MAX": channel.rating.largest_current}
        return f"{words[bound]:.4f}"

    # Output and mode.

    @scpi("OUTPut[:STATe]", addressed(boolean()), optional(boolean()))
    def _switch(self, first: _Argument, second: _Argument = None) -> None:
        index, on = self._split(first, second)
        channel = self._channels[index]
        if on and any(channel.tripped.values()):
            kinds = ", ".join(kind for kind, is_so in channel.tripped.items() if is_so)
            raise ScpiError(-221, f"{_CHANNELS[index]}: {kinds} has tripped; clear it first")
        channel.on = bool(on)
        if index == 0:
            self._feed.follow()
        else:
            self._follow_source()

    @scpi("OUTPut[:STATe]?", _CHANNEL)
    def _is_on(self, name: str = "") -> str:
        return _switched(self._channels[self._index(name)].on)

    @scpi("OUTPut:MODE?", _CHANNEL)
    @scpi("OUTPut:CVCC?", _CHANNEL)
    def _mode(self, name: str = "") -> str:
        """CV or CC; UR, unregulated, never happens here."""
        index = self._index(name)
        drawn = self._feed.value(Node.SUPPLY_CURRENT) if index == 0 else 0.0
        limited = drawn >= LIMITING * self._channels[index].limit
        return "CC" if self._channels[index].on and limited else "CV"

    # Protection. The forms below [SOURce:] are here those of the selected channel only.

    def _protect(self, kind: str, first: _Argument, second: _Argument) -> None:
        index, on = self._split(first, second)
        self._channels[index].protects[kind] = bool(on)
        self._feed.guard()

    def _set_level(self, kind: str, index: int, level: _Argument) -> None:
        largest = self._channels[index].largest_level[kind]
        unit = "V" if kind == "OVP" else "A"
        value = _figure(level, (LEAST_LEVEL[kind], largest, largest), unit)
        self._channels[index].levels[kind] = value
        self._feed.guard()

    def _clear(self, kind: str, name: str) -> None:
        self._channels[self._index(name)].tripped[kind] = False

    @scpi("[SOURce:]VOLTage:PROTection:STATe", boolean())
    @scpi("OUTPut:OVP[:STATe]", addressed(boolean()), optional(boolean()))
    def _protect_voltage(self, first: _Argument, second: _Argument = None) -> None:
        self._protect("OVP", first, second)

    @scpi("[SOURce:]CURRent:PROTection:STATe", boolean())
    @scpi("OUTPut:OCP[:STATe]", addressed(boolean()), optional(boolean()))
    def _protect_current(self, first: _Argument, second: _Argument = None) -> None:
        self._protect("OCP", first, second)

    @scpi("[SOURce:]VOLTage:PROTection:STATe?")
    @scpi("OUTPut:OVP[:STATe]?", _CHANNEL)
    def _protects_voltage(self, name: str = "") -> str:
        return _switched(self._channels[self._index(name)].protects["OVP"])

    @scpi("[SOURce:]CURRent:PROTection:STATe?")
    @scpi("OUTPut:OCP[:STATe]?", _CHANNEL)
    def _protects_current(self, name: str = "") -> str:
        return _switched(self._channels[self._index(name)].protects["OCP"])

    @scpi("[SOURce:]VOLTage:PROTection[:LEVel]", _VOLTS)
    @scpi("OUTPut:OVP:VALue", addressed(_VOLTS), optional(_VOLTS))
    def _set_over_voltage(self, first: _Argument, second: _Argument = None) -> None:
        self._set_level("OVP", *self._split(first, second))

    @scpi("[SOURce:]CURRent:PROTection[:LEVel]", _AMPERES)
    @scpi("OUTPut:OCP:VALue", addressed(_AMPERES), optional(_AMPERES))
    def _set_over_current(self, first: _Argument, second: _Argument = None) -> None:
        self._set_level("OCP", *self._split(first, second))

    @scpi("[SOURce:]VOLTage:PROTection[:LEVel]?")
    @scpi("OUTPut:OVP:VALue?", _CHANNEL)
    def _over_voltage(self, name: str = "") -> str:
        return f"{self._channels[self._index(name)].levels['OVP']:.3f}"

    @scpi("[SOURce:]CURRent:PROTection[:LEVel]?")
    @scpi("OUTPut:OCP:VALue?", _CHANNEL)
    def _over_current(self, name: str = "") -> str:
        return f"{self._channels[self._index(name)].levels['OCP']:.4f}"

    @scpi("[SOURce:]VOLTage:PROTection:TRIPped?")
    @scpi("OUTPut:OVP:ALAR?", _CHANNEL)
    @scpi("OUTPut:OVP:QUES?", _CHANNEL)
    def _over_voltage_tripped(self, name: str = "") -> str:
        return "YES" if self._channels[self._index(name)].tripped["OVP"] else "NO"

    @scpi("[SOURce:]CURRent:PROTection:TRIPped?")
    @scpi("OUTPut:OCP:ALAR?", _CHANNEL)
    @scpi("OUTPut:OCP:QUES?", _CHANNEL)
    def _over_current_tripped(self, name: str = "") -> str:
        return "YES" if self._channels[self._index(name)].tripped["OCP"] else "NO"

    @scpi("[SOURce:]VOLTage:PROTection:CLEar")
    @scpi("OUTPut:OVP:CLEAR", _CHANNEL)
    def _clear_over_voltage(self, name: str = "") -> None:
        self._clear("OVP", name)

    @scpi("[SOURce:]CURRent:PROTection:CLEar")
    @scpi("OUTPut:OCP:CLEAR", _CHANNEL)
    def _clear_over_current(self, name: str = "") -> None:
        self._clear("OCP", name)

    # SYSTem.

    @scpi("*OPT?")
    def _options(self) -> str:
        """None of the five options is installed."""
        return "0,0,0,0,0"

    @scpi("SYSTem:BEEPer[:STATe]", boolean())
    def _set_beeper(self, _: bool) -> None:
        """Nobody hears it."""

    @scpi("SYSTem:BEEPer:IMMediate")
    @scpi("SYSTem:LOCal")
    @scpi("SYSTem:REMote")
    @scpi("SYSTem:RWLock")
    def _ignore(self) -> None:
        """Front panel only."""

    @scpi("SYSTem:OTP?")
    def _over_temperature(self) -> str:
        return "ON"


def _switched(on: bool) -> str:
    return "ON" if on else "OFF"


def _figure(given: _Argument, bounds: tuple[float, float, float], unit: str) -> float:
    """Return a number, or the one of (least, largest, default) that a word stands for.

    Raises:
        ScpiError: it lies outside.
    """
    least, largest, default = bounds
    words = {"MIN": least, "MAX": largest, "DEF": default}
    value = words[given] if isinstance(given, str) else float(given or 0.0)
    if not least <= value <= largest:
        raise ScpiError(-222, f"{value} {unit}; allowed: {least} to {largest} {unit}")
    return value
