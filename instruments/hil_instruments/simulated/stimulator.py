"""Front end of the device under test: its firmware behind a SCPI dialect."""

from __future__ import annotations

from collections.abc import Callable

from hil.bench import InstrumentEntry
from hil.device import Polarity, State
from hil_instruments.simulated.circuit import SUPPLY_MINIMUM
from hil_instruments.simulated.clock import World
from hil_instruments.simulated.firmware import Refused
from hil_instruments.simulated.scpi import (
    Instrument,
    Pending,
    ScpiError,
    choice,
    number,
    scientific,
    scpi,
)

COULOMB_PER_MA_MIN = 0.06
"""One mA*min, the unit of a dose on the wire."""
STATE_WORDS = {
    State.IDLE: "IDLE",
    State.RAMP_UP: "RAMPUP",
    State.HOLD: "HOLD",
    State.PAUSED: "PAUSED",
    State.RAMP_DOWN: "RAMPDOWN",
    State.DONE: "DONE",
    State.FAULT: "FAULT",
}


class Stimulator(Instrument):
    """The stimulator on the wire; mute while its supply is off."""

    def __init__(self, entry: InstrumentEntry, world: World) -> None:
        super().__init__(entry, world.clock)
        self._world = world

    def receive(self, message: bytes) -> bytes | Pending:
        """Obey one message; without supply nobody hears it."""
        if self._world.supply_volts < SUPPLY_MINIMUM:
            return b""
        return super().receive(message)

    def power_on(self) -> None:
        """Come up as after a power failure: empty queues, power-on bit set."""
        super().__init__(self.entry, self.clock)

    def preset(self) -> None:
        """Reset the firmware."""
        self._ask(self._world.device.reset)

    def self_test(self) -> bool:
        """Run the firmware's own test."""
        return self._world.device.self_test()

    def _ask(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Refused as refusal:
            raise ScpiError(refusal.code, text=refusal.text) from refusal

    @scpi("[SOURce:]CURRent", number("A"))
    def _set_current(self, current: float) -> None:
        self._ask(lambda: self._world.device.set_current(current))

    @scpi("[SOURce:]CURRent?")
    def _current(self) -> str:
        return scientific(self._world.device.current_setting)

    @scpi("[SOURce:]POLarity", choice("POSitive|NEGative"))
    def _set_polarity(self, word: str) -> None:
        polarity = Polarity.POSITIVE if word == "POS" else Polarity.NEGATIVE
        self._ask(lambda: self._world.device.set_polarity(polarity))

    @scpi("[SOURce:]POLarity?")
    def _polarity(self) -> str:
        return "POS" if self._world.device.polarity is Polarity.POSITIVE else "NEG"

    @scpi("[SOURce:]DOSE", number(others={"MA.MIN": 1.0, "MA*MIN": 1.0}))
    def _set_dose(self, dose: float) -> None:
        self._ask(lambda: self._world.device.set_dose(dose * COULOMB_PER_MA_MIN))

    @scpi("[SOURce:]DOSE?")
    def _dose(self) -> str:
        return scientific(self._world.device.dose_setting / COULOMB_PER_MA_MIN)

    @scpi("[SOURce:]RAMP", number("S"))
    def _set_ramp(self, seconds: float) -> None:
        self._ask(lambda: self._world.device.set_ramp(seconds))

    @scpi("[SOURce:]RAMP?")
    def _ramp(self) -> str:
        return scientific(self._world.device.ramp_setting)

    @scpi("TREATment:STARt")
    def _start(self) -> None:
        self._ask(self._world.device.start)

    @scpi("TREATment:STOP")
    def _stop(self) -> None:
        self._ask(self._world.device.stop)

    @scpi("TREATment:PAUSe")
    def _pause(self) -> None:
        self._ask(self._world.device.pause)

    @scpi("TREATment:RESume")
    def _resume(self) -> None:
        self._ask(self._world.device.resume)

    @scpi("TREATment:ABORt")
    def _abort(self) -> None:
        self._ask(self._world.device.abort)

    @scpi("TREATment:STATe?")
    def _state(self) -> str:
        return STATE_WORDS[self._world.device.state]

    @scpi("FAULt:ACKNowledge")
    def _acknowledge(self) -> None:
        self._ask(self._world.device.acknowledge)

    @scpi("FAULt:CODE?")
    def _fault(self) -> str:
        return self._world.device.fault_code or "NONE"

    @scpi("MEASure[:SCALar]:CURRent?")
    def _measure_current(self) -> str:
        return scientific(self._world.device.measured_current())

    @scpi("MEASure[:SCALar]:VOLTage?")
    def _measure_voltage(self) -> str:
        return scientific(self._world.device.measured_voltage())

    @scpi("MEASure[:SCALar]:IMPedance?")
    def _measure_impedance(self) -> str:
        return scientific(self._world.device.impedance())

    @scpi("MEASure[:SCALar]:CHARge?")
    def _measure_charge(self) -> str:
        return scientific(self._world.device.charge() / COULOMB_PER_MA_MIN)
