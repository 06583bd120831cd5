"""Dialect of the Keysight E36312A and E36313A supplies: output 2 feeds the device.

E36300 Series Programming Guide (E36311-90001). What is modelled: three outputs with their largest
settings, slew, constant voltage and constant current, measurement of what output 2 feeds. Output 3
is the source of known sign where the bench file has one; output 1 is connected to nothing. Errors
are drawn inside the accuracy of a DP832, which is wider. Not modelled: pairing, protection, lists.
"""

from __future__ import annotations

import numpy as np

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.dialects.rigol_dp800_output import (
    CONVERSION,
    FALL_TIME,
    RISE_TIME,
    Channel,
    Feed,
    Rating,
    draw,
)
from hil_instruments.simulated.physics.circuit import Node
from hil_instruments.simulated.scpi import (
    Answer,
    Instrument,
    Pending,
    ScpiError,
    boolean,
    channels,
    choice,
    number,
    optional,
    scpi,
)

RATINGS = (
    Rating("P6V", 6.18, 5.15, 6.6, 5.5),
    Rating("P25V", 25.75, 1.03, 27.5, 1.1),
    Rating("P25V", 25.75, 1.03, 27.5, 1.1),
)
"""Largest settings of an E36312A: 103 % of what it is rated for; from memory of its data sheet."""
FEED, SOURCE = 1, 2
"""Outputs 2 and 3, as indices."""
_NAMES = "CH1|CH2|CH3"
_LIST = optional(channels())


class KeysightE36300(Instrument):
    """An E36312A whose second output is the device's supply."""

    no_error = '+0,"No error"'
    firmware = "2.1.7-1.0.6-1.13"

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Draw the fixed errors and begin switched off."""
        super().__init__(entry, world.clock)
        self._random = np.random.default_rng(seed)
        self._outputs = [Channel(rating, draw(self._random)) for rating in RATINGS]
        self._feed = Feed(self._outputs[FEED], world)
        self._world = world
        self._selected = 1
        self._sourced = 0.0

    def needed_from(self) -> float:
        """Earliest bench time whose history a measurement may still ask for."""
        return max(0.0, self.clock.time - CONVERSION)

    def power_on(self) -> None:
        """Come up with everything off."""
        super().power_on()
        self.preset()

    def preset(self) -> None:
        """Switch everything off, back to 0 V; select output 1."""
        self._selected = 1
        for output in self._outputs:
            output.preset()
        self._follow()

    def _follow(self) -> None:
        """Let both wired outputs go to what they are set to."""
        self._feed.follow()
        volts = self._outputs[SOURCE].target
        if volts == self._sourced:
            return
        time = RISE_TIME if volts > self._sourced else FALL_TIME
        self._sourced = volts
        circuit = self._world.device.circuit  # a later power cycle has a circuit of its own
        self.clock.at(self.clock.time + time, lambda: circuit.drive_source(volts))

    def _listed(self, listed: tuple[int, ...]) -> list[Channel]:
        if not {*listed} <= {1, 2, 3}:
            raise ScpiError(-222, f"outputs {listed}; allowed: 1 to 3")
        return [self._outputs[place - 1] for place in listed or (self._selected,)]

    @scpi("APPLy", choice(_NAMES), optional(number("V")), optional(number("A")))
    def _apply(self, name: str, volts: float | None = None, amperes: float | None = None) -> None:
        place = int(name[-1])
        self._selected = place
        if volts is not None:
            self._set_voltage(volts, (place,))
        if amperes is not None:
            self._set_current(amperes, (place,))

    @scpi("INSTrument[:SELect]", choice(_NAMES))
    def _select(self, name: str) -> None:
        self._selected = int(name[-1])

    @scpi("INSTrument[:SELect]?")
    def _selection(self) -> str:
        return f"CH{self._selected}"

    @scpi("[SOURce:]VOLTage[:LEVel][:IMMediate][:AMPLitude]", number("V"), _LIST)
    def _set_voltage(self, volts: float, listed: tuple[int, ...] = ()) -> None:
        for output in self._listed(listed):
            _check(volts, output.rating.largest_voltage, "V")
            output.voltage = round(volts, 3)
        self._follow()

    @scpi("[SOURce:]VOLTage[:LEVel][:IMMediate][:AMPLitude]?", _LIST)
    def _voltage(self, listed: tuple[int, ...] = ()) -> str:
        return ",".join(f"{output.voltage:+.8E}" for output in self._listed(listed))

    @scpi("[SOURce:]CURRent[:LEVel][:IMMediate][:AMPLitude]", number("A"), _LIST)
    def _set_current(self, amperes: float, listed: tuple[int, ...] = ()) -> None:
        for output in self._listed(listed):
            _check(amperes, output.rating.largest_current, "A")
            output.current = round(amperes, 4)
        self._follow()

    @scpi("[SOURce:]CURRent[:LEVel][:IMMediate][:AMPLitude]?", _LIST)
    def _current(self, listed: tuple[int, ...] = ()) -> str:
        return ",".join(f"{output.current:+.8E}" for output in self._listed(listed))

    @scpi("OUTPut[:STATe]", boolean(), _LIST)
    def _switch(self, on: bool, listed: tuple[int, ...] = ()) -> None:
        for output in self._listed(listed):
            output.on = on
        self._follow()

    @scpi("OUTPut[:STATe]?", _LIST)
    def _is_on(self, listed: tuple[int, ...] = ()) -> str:
        return ",".join(str(int(output.on)) for output in self._listed(listed))

    @scpi("OUTPut:PAIR", choice("OFF"))
    def _unpair(self, _: str) -> None:
        """Parallel and series connection are not simulated."""

    @scpi("OUTPut:PAIR?")
    def _paired(self) -> str:
        return "OFF"

    @scpi("MEASure[:SCALar][:VOLTage][:DC]?", _LIST)
    def _measure_voltage(self, listed: tuple[int, ...] = ()) -> Answer:
        return self._measured(Node.SUPPLY, listed)

    @scpi("MEASure[:SCALar]:CURRent[:DC]?", _LIST)
    def _measure_current(self, listed: tuple[int, ...] = ()) -> Answer:
        return self._measured(Node.SUPPLY_CURRENT, listed)

    def _measured(self, node: Node, listed: tuple[int, ...]) -> Answer:
        outputs = self._listed(listed)

        def produce() -> str:
            readings = (
                each.reading(node, self._true(each, node), self._random) for each in outputs
            )
            return ",".join(f"{reading:+.8E}" for reading in readings)

        return Pending(self.clock.time + CONVERSION, produce)

    def _true(self, output: Channel, node: Node) -> float:
        """What flows from output 3 is less than its meter resolves."""
        if output is self._outputs[FEED]:
            return self._feed.mean(node)
        return output.target if node is Node.SUPPLY else 0.0


def _check(value: float, largest: float, unit: str) -> None:
    if not 0 <= value <= largest:
        raise ScpiError(-222, f"{value} {unit}; allowed: 0 to {largest} {unit}")
