"""The SCPI console of the reference firmware, on its side of the link to the host."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from hil.bench import InstrumentEntry
from hil.device import DeviceProfile, Polarity, State
from hil_instruments.simulated.clock import VirtualClock
from hil_instruments.simulated.device.refusal import Refused
from hil_instruments.simulated.scpi import Instrument, ScpiError, choice, number, scientific, scpi

if TYPE_CHECKING:
    from hil_instruments.simulated.device.firmware import ReferenceFirmware

COULOMB_PER_MA_MIN = 0.06
"""One mA*min, the unit of a dose on the wire."""
POLARITY_WORDS = {Polarity.POSITIVE: "POS", Polarity.NEGATIVE: "NEG"}
STATE_WORDS = {
    State.IDLE: "IDLE",
    State.ARMED: "ARMED",
    State.RAMP_UP: "RAMPUP",
    State.HOLD: "HOLD",
    State.PAUSED: "PAUSED",
    State.RAMP_DOWN: "RAMPDOWN",
    State.DONE: "DONE",
    State.FAULT: "FAULT",
}


class Console(Instrument):
    """Parser, error queue and status registers; the manual is docs/reference-stimulator.md."""

    def __init__(self, firmware: ReferenceFirmware, profile: DeviceProfile) -> None:
        entry = InstrumentEntry("stimulator", "", "", profile.manufacturer, profile.model)
        super().__init__(entry, VirtualClock())
        self._firmware = firmware

    def power_on(self) -> None:
        """Come up as after a power failure: empty queues, power-on bit set."""
        super().__init__(self.entry, self.clock)

    def preset(self) -> None:
        """Reset the firmware."""
        self._ask(self._firmware.reset)

    def self_test(self) -> bool:
        """Run the firmware's own test."""
        try:
            return self._firmware.self_test()
        except Refused as refusal:
            raise ScpiError(refusal.code, text=refusal.text) from refusal

    def report(self, error: ScpiError) -> None:
        """Enter an error into queue and event register, if the firmware keeps errors."""
        if self._firmware.policy.keeps_errors:
            super().report(error)

    def _ask(self, action: Callable[[], object]) -> None:
        try:
            action()
        except Refused as refusal:
            raise ScpiError(refusal.code, text=refusal.text) from refusal

    @scpi("[SOURce:]CURRent", number("A"))
    def _set_current(self, current: float) -> None:
        self._ask(lambda: self._firmware.set_current(current))

    @scpi("[SOURce:]CURRent?")
    def _current(self) -> str:
        return scientific(self._firmware.settings.current)

    @scpi("[SOURce:]POLarity", choice("POSitive|NEGative"))
    def _set_polarity(self, word: str) -> None:
        polarity = Polarity.POSITIVE if word == "POS" else Polarity.NEGATIVE
        self._ask(lambda: self._firmware.set_polarity(polarity))

    @scpi("[SOURce:]POLarity?")
    def _polarity(self) -> str:
        return POLARITY_WORDS[self._firmware.settings.polarity]

    @scpi("[SOURce:]DOSE", number(others={"MA.MIN": 1.0, "MA*MIN": 1.0}))
    def _set_dose(self, dose: float) -> None:
        self._ask(lambda: self._firmware.set_dose(dose * COULOMB_PER_MA_MIN))

    @scpi("[SOURce:]DOSE?")
    def _dose(self) -> str:
        return scientific(self._firmware.settings.dose / COULOMB_PER_MA_MIN)

    @scpi("[SOURce:]RAMP", number("S"))
    def _set_ramp(self, seconds: float) -> None:
        self._ask(lambda: self._firmware.set_ramp(seconds))

    @scpi("[SOURce:]RAMP?")
    def _ramp(self) -> str:
        return scientific(self._firmware.settings.ramp)

    @scpi("TREATment:STARt")
    def _start(self) -> None:
        self._ask(self._firmware.start)

    @scpi("TREATment:STOP")
    def _stop(self) -> None:
        self._ask(self._firmware.stop)

    @scpi("TREATment:PAUSe")
    def _pause(self) -> None:
        self._ask(self._firmware.pause)

    @scpi("TREATment:RESume")
    def _resume(self) -> None:
        self._ask(self._firmware.resume)

    @scpi("TREATment:ABORt")
    def _abort(self) -> None:
        self._ask(self._firmware.abort)

    @scpi("TREATment:STATe?")
    def _state(self) -> str:
        return STATE_WORDS[self._firmware.reported_state()]

    @scpi("TREATment:POLarity?")
    def _treated_polarity(self) -> str:
        return POLARITY_WORDS[self._firmware.reported_polarity()]

    @scpi("TREATment:TIME?")
    def _treated_time(self) -> str:
        return scientific(self._firmware.reported_time())

    @scpi("FAULt:ACKNowledge")
    def _acknowledge(self) -> None:
        self._ask(self._firmware.acknowledge)

    @scpi("FAULt:CODE?")
    def _fault(self) -> str:
        return self._firmware.fault_code or "NONE"

    @scpi("SYSTem:COMMunicate:TIMeout", number("S"))
    def _set_link_timeout(self, seconds: float) -> None:
        self._ask(lambda: self._firmware.settings.set_link_timeout(seconds))

    @scpi("SYSTem:COMMunicate:TIMeout?")
    def _link_timeout(self) -> str:
        return scientific(self._firmware.settings.link_timeout)

    @scpi("OUTPut:LIMited?")
    def _limited(self) -> str:
        return str(int(self._firmware.reported_limit()))

    @scpi("OUTPut:SHORt?")
    def _shorted(self) -> str:
        return str(int(self._firmware.shorted()))

    @scpi("MEASure[:SCALar]:CURRent?")
    def _measure_current(self) -> str:
        return scientific(self._firmware.measured_current())

    @scpi("MEASure[:SCALar]:VOLTage?")
    def _measure_voltage(self) -> str:
        return scientific(self._firmware.measured_voltage())

    @scpi("MEASure[:SCALar]:IMPedance?")
    def _measure_impedance(self) -> str:
        return scientific(self._firmware.impedance())

    @scpi("MEASure[:SCALar]:CHARge?")
    def _measure_charge(self) -> str:
        return scientific(self._firmware.charge() / COULOMB_PER_MA_MIN)
