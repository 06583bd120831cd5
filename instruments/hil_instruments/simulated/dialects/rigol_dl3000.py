"""Dialect of a Rigol DL3021 electronic load: enough of one to show that it is no electrode load.

DL3000 Programming Guide: function, resistance, input. What is modelled is what rules it out at a
stimulator: constant resistance ends at 15 kohm; below a least current its regulator does not
conduct, and only its input resistance is left; a current of the other sign flows through its body
diode; switched off, its input resistance leaks. No driver of ours speaks to it. A source of known
sign is wired to it for good: it has no relay that could part it.
"""

from __future__ import annotations

import math
from decimal import Decimal

from hil.bench import InstrumentEntry, LoadEntry
from hil.exact import Exact
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.scpi import Instrument, ScpiError, boolean, choice, number, scpi

LEAST, LARGEST = 2.0, 15e3
"""Ohm in constant resistance (data sheet, from memory)."""
INPUT_RESISTANCE = 300e3
"""Ohm of its input, on or off. From memory."""
LEAST_CURRENT = 1e-3
"""Amperes that its regulator resolves, of a range of 4 A."""
DIODE = 0.1
"""Ohm of its body diode, about."""
TURN = 5e-3
"""Seconds of a turn of its regulator, as it is simulated."""


class RigolDL3000(Instrument):
    """One input."""

    def __init__(self, entry: InstrumentEntry, world: World, seed: int) -> None:
        """Begin switched off.

        Args:
            entry: as in the bench file.
            world: the bench.
            seed: not used.
        """
        super().__init__(entry, world.clock)
        self._world = world
        self._ohm, self._on, self._acts = LARGEST, False, INPUT_RESISTANCE
        if world.description.source is not None:
            self.clock.at(0.0, self._wire)
        self.clock.at(0.0, self._turn)

    def preset(self) -> None:
        """Switch off."""
        self._ohm, self._on = LARGEST, False

    def _wire(self) -> None:
        source = self._world.description.source
        if source is not None:
            self._world.device.circuit.join_source(float(source.series.base))

    def _turn(self) -> None:
        """Regulate: find out what flows, and be what follows from it."""
        circuit = self._world.device.circuit
        amperes, volts = circuit.value(Node.CURRENT), circuit.value(Node.TERMINAL)
        if volts < -1e-3 or amperes < -1e-6:
            acts = DIODE
        elif self._on and volts / self._ohm >= LEAST_CURRENT:
            acts = self._ohm
        else:
            acts = INPUT_RESISTANCE
        if acts != self._acts or circuit.load is None:
            self._acts = acts
            ohm = Exact(Decimal(repr(acts)), "ohm")
            circuit.select_load(LoadEntry("electronic load", 1, ohm))
        self.clock.at(self.clock.time + TURN, self._turn)

    @scpi("[SOURce:]FUNCtion", choice("RESistance"))
    def _set_function(self, _: str) -> None:
        """Constant current, voltage and power are no loads that a suite asks for."""

    @scpi("[SOURce:]RESistance[:LEVel][:IMMediate]", number("OHM"))
    def _set_resistance(self, ohm: float) -> None:
        if not LEAST <= ohm <= LARGEST or math.isnan(ohm):
            raise ScpiError(-222, f"{ohm:g} ohm; allowed: {LEAST:g} to {LARGEST:g} ohm")
        self._ohm = ohm

    @scpi("[SOURce:]RESistance[:LEVel][:IMMediate]?")
    def _resistance(self) -> str:
        return f"{self._ohm:.6f}"

    @scpi("[SOURce:]INPut[:STATe]", boolean())
    def _switch(self, on: bool) -> None:
        self._on = on

    @scpi("[SOURce:]INPut[:STATe]?")
    def _is_on(self) -> str:
        return str(int(self._on))
