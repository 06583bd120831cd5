"""What every instrument understands: the common commands, STATus and SYSTem of SCPI-99."""

from __future__ import annotations

from typing import ClassVar

from hil_instruments.simulated.scpi.commands import scpi
from hil_instruments.simulated.scpi.core import Core
from hil_instruments.simulated.scpi.errors import ScpiError
from hil_instruments.simulated.scpi.numbers import integer
from hil_instruments.simulated.scpi.replies import Answer, Pending
from hil_instruments.simulated.scpi.status import REGISTER_MASK

_SERVICE_REQUEST = 64


class Instrument(Core):
    """An instrument with the commands that IEEE 488.2 and SCPI-99 ask of every one."""

    no_error: ClassVar[str] = '0,"No error"'
    """Reply of an empty error queue; some makers write +0."""
    firmware: ClassVar[str] = "1.0"

    def whole(self, number: int) -> str:
        """Write the content of a register; some makers write a sign."""
        return str(number)

    # IEEE 488.2, chapter 10.

    @scpi("*IDN?")
    def _identity(self) -> str:
        return f"{self.entry.manufacturer},{self.entry.model},{self.serial},{self.firmware}"

    @scpi("*OPT?")
    def _options(self) -> str:
        return "0"

    @scpi("*RST")
    def _reset(self) -> None:
        self.cancel_completion()
        self.overlapped_until = 0.0
        self.preset()

    @scpi("*CLS")
    def _clear_status(self) -> None:
        self.cancel_completion()
        self._errors.clear()
        self._standard_events = self.operation.event = self.questionable.event = 0

    @scpi("*OPC")
    def _mark_completion(self) -> None:
        self._opc_waits = True
        self._note_completion()
        self.attentive = self.attentive or self._opc_waits

    @scpi("*OPC?")
    def _await_completion(self) -> Answer:
        if self.complete_at() <= self.clock.time:
            return "1"
        return Pending(self.complete_at, lambda: "1")

    @scpi("*WAI")
    def _wait(self) -> Answer:
        if self.complete_at() <= self.clock.time:
            return None
        return Pending(self.complete_at, lambda: None)

    @scpi("*TST?")
    def _test(self) -> str:
        return "0" if self.self_test() else "1"

    @scpi("*TRG")
    def _bus_trigger(self) -> None:
        self.trigger()

    @scpi("*ESR?")
    def _read_events(self) -> str:
        self._note_completion()
        events, self._standard_events = self._standard_events, 0
        return self.whole(events)

    @scpi("*ESE", integer())
    def _mask_events(self, mask: int) -> None:
        self.event_mask = _within(mask, 255)

    @scpi("*ESE?")
    def _read_event_mask(self) -> str:
        return self.whole(self.event_mask)

    @scpi("*SRE", integer())
    def _mask_service(self, mask: int) -> None:
        self.service_mask = _within(mask, 255) & ~_SERVICE_REQUEST
        self.attentive = True

    @scpi("*SRE?")
    def _read_service_mask(self) -> str:
        return self.whole(self.service_mask)

    @scpi("*STB?")
    def _read_status(self) -> str:
        return self.whole(self.status_byte(reply_waits=False))

    # SCPI-99, volume 2, chapter 21.

    @scpi("SYSTem:ERRor[:NEXT]?")
    def _next_error(self) -> str:
        return self._errors.pop() or self.no_error

    @scpi("SYSTem:ERRor:ALL?")
    def _all_errors(self) -> str:
        entries = []
        while entry := self._errors.pop():
            entries.append(entry)
        return ",".join(entries) or self.no_error

    @scpi("SYSTem:ERRor:COUNt?")
    def _count_errors(self) -> str:
        return self.whole(len(self._errors))

    @scpi("SYSTem:VERSion?")
    def _version(self) -> str:
        return "1999.0"

    # SCPI-99, volume 2, chapter 20.

    @scpi("STATus:PRESet")
    def _preset_status(self) -> None:
        self.operation.preset()
        self.questionable.preset()

    @scpi("STATus:OPERation[:EVENt]?")
    def _operation_event(self) -> str:
        self.refresh()
        return self.whole(self.operation.take_event())

    @scpi("STATus:OPERation:CONDition?")
    def _operation_condition(self) -> str:
        self.refresh()
        return self.whole(self.operation.condition)

    @scpi("STATus:OPERation:ENABle", integer())
    def _enable_operation(self, mask: int) -> None:
        self.operation.enable = _within(mask, 0xFFFF) & REGISTER_MASK

    @scpi("STATus:OPERation:ENABle?")
    def _operation_enable(self) -> str:
        return self.whole(self.operation.enable)

    @scpi("STATus:OPERation:PTRansition", integer())
    def _filter_operation_begin(self, mask: int) -> None:
        self.operation.positive = _within(mask, 0xFFFF) & REGISTER_MASK

    @scpi("STATus:OPERation:PTRansition?")
    def _operation_begin(self) -> str:
        return self.whole(self.operation.positive)

    @scpi("STATus:OPERation:NTRansition", integer())
    def _filter_operation_end(self, mask: int) -> None:
        self.operation.negative = _within(mask, 0xFFFF) & REGISTER_MASK

    @scpi("STATus:OPERation:NTRansition?")
    def _operation_end(self) -> str:
        return self.whole(self.operation.negative)

    @scpi("STATus:QUEStionable[:EVENt]?")
    def _questionable_event(self) -> str:
        self.refresh()
        return self.whole(self.questionable.take_event())

    @scpi("STATus:QUEStionable:CONDition?")
    def _questionable_condition(self) -> str:
        self.refresh()
        return self.whole(self.questionable.condition)

    @scpi("STATus:QUEStionable:ENABle", integer())
    def _enable_questionable(self, mask: int) -> None:
        self.questionable.enable = _within(mask, 0xFFFF) & REGISTER_MASK

    @scpi("STATus:QUEStionable:ENABle?")
    def _questionable_enable(self) -> str:
        return self.whole(self.questionable.enable)

    @scpi("STATus:QUEStionable:PTRansition", integer())
    def _filter_questionable_begin(self, mask: int) -> None:
        self.questionable.positive = _within(mask, 0xFFFF) & REGISTER_MASK

    @scpi("STATus:QUEStionable:PTRansition?")
    def _questionable_begin(self) -> str:
        return self.whole(self.questionable.positive)

    @scpi("STATus:QUEStionable:NTRansition", integer())
    def _filter_questionable_end(self, mask: int) -> None:
        self.questionable.negative = _within(mask, 0xFFFF) & REGISTER_MASK

    @scpi("STATus:QUEStionable:NTRansition?")
    def _questionable_end(self) -> str:
        return self.whole(self.questionable.negative)


def _within(mask: int, largest: int) -> int:
    if not 0 <= mask <= largest:
        raise ScpiError(-222, f"{mask}; allowed: 0 to {largest}")
    return mask
