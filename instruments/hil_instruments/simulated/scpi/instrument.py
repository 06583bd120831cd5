"""What every instrument has: identity, command table, error queue, status registers."""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import VirtualClock
from hil_instruments.simulated.scpi.commands import Command, scpi
from hil_instruments.simulated.scpi.errors import ERROR_QUEUE, ScpiError, event_bit
from hil_instruments.simulated.scpi.headers import spellings
from hil_instruments.simulated.scpi.messages import Call, Program, parse
from hil_instruments.simulated.scpi.parameters import integer
from hil_instruments.simulated.scpi.replies import Answer, Pending

LONGEST_KEPT = 256
"""Longest message, and largest number of messages, whose parsed form is kept."""


class Instrument:
    """What every instrument has: identity, command table, error queue, status registers."""

    no_error: ClassVar[str] = '0,"No error"'
    """Reply of an empty error queue; some makers write +0."""
    firmware: ClassVar[str] = "1.0"
    _table: ClassVar[dict[str, Command]] = {}

    def __init_subclass__(cls) -> None:
        cls._table = dict(cls._table)
        for name, method in vars(cls).items():
            cls._enter(name, method)

    @classmethod
    def _enter(cls, name: str, method: object) -> None:
        for header, parameters in getattr(method, "scpi_commands", ()):
            command = Command(header, parameters, name)
            cls._table.update(dict.fromkeys(spellings(header), command))

    def __init__(self, entry: InstrumentEntry, clock: VirtualClock) -> None:
        self.entry = entry
        self.clock = clock
        self.busy_until = 0.0
        """Bench time until which no further message is looked at: commands are sequential."""
        self.serial = f"SIM-{entry.role}-01"
        self._errors: deque[str] = deque()
        self._events = 128  # power on
        self._event_mask = 0
        self._service_mask = 0
        self._completion: float | None = None
        self._programs: dict[bytes, Program] = {}

    # What a front end overrides.

    def preset(self) -> None:
        """Go to the state after *RST."""

    def self_test(self) -> bool:
        """Test itself; True if passed."""
        return True

    def complete_at(self) -> float:
        """Bench time at which everything begun is done; infinite for never."""
        return self.clock.time

    def trigger(self) -> None:
        """Obey *TRG or its equivalent on the bus."""
        raise ScpiError(-211, f"{self.entry.model} waits for no trigger")

    def device_clear(self) -> None:
        """Obey a device clear: give up the measurement under way, keep every setting."""

    # Messages.

    def receive(self, message: bytes) -> bytes | Pending:
        """Obey one message; a terminator at its end is ignored.

        Returns:
            The reply with its terminator, empty if there is none, or one that comes later.
        """
        program = self._programs.get(message)
        if program is None:
            program = self._read(message)
        calls, error = program
        if len(calls) == 1 and error is None:
            answer = self._obey(calls[0])
            if answer.__class__ is str:
                return (answer + "\n").encode()
            answers = [answer]
        else:
            answers = [self._obey(call) for call in calls]
            if error is not None:
                self.report(error)
        return self._reply([answer for answer in answers if answer is not None])

    def _read(self, message: bytes) -> Program:
        try:
            text = message.decode("ascii")
        except UnicodeDecodeError:
            return (), ScpiError(-101, f"{message[:40]!r} holds bytes outside ASCII")
        program = parse(self._table, text.strip(" \t\r\n\0"))
        if len(message) <= LONGEST_KEPT:
            if len(self._programs) >= LONGEST_KEPT:
                self._programs.clear()
            self._programs[message] = program
        return program

    def _obey(self, call: Call) -> Answer:
        try:
            answer: Answer = getattr(self, call.handler)(*call.arguments)
        except ScpiError as error:
            self.report(error)
            return None
        return answer

    def _reply(self, answers: list[str | bytes | Pending]) -> bytes | Pending:
        later = [answer.ready for answer in answers if isinstance(answer, Pending)]
        if later:
            return Pending(max(later), lambda: self._joined(answers))
        return self._joined(answers)

    def _joined(self, answers: list[str | bytes | Pending]) -> bytes:
        parts = []
        for answer in answers:
            try:
                part = answer.produce() if isinstance(answer, Pending) else answer
            except ScpiError as error:
                self.report(error)
                continue
            parts.append(part.encode() if isinstance(part, str) else part)
        return b";".join(parts) + b"\n" if parts else b""

    def report(self, error: ScpiError) -> None:
        """Enter an error into queue and event register."""
        self._events |= event_bit(error.code)
        if len(self._errors) >= ERROR_QUEUE:
            self._errors[-1] = str(ScpiError(-350))
        else:
            self._errors.append(str(error))

    def status_byte(self, *, reply_waits: bool) -> int:
        """Status byte as a serial poll reads it."""
        self._note_completion()
        status = 4 * bool(self._errors) + 16 * reply_waits
        status += 32 * bool(self._events & self._event_mask)
        return status | 64 * bool(status & self._service_mask)

    def _note_completion(self) -> None:
        if self._completion is not None and self.clock.time >= self._completion:
            self._events |= 1
            self._completion = None

    # Common commands.

    @scpi("*IDN?")
    def _identity(self) -> str:
        return f"{self.entry.manufacturer},{self.entry.model},{self.serial},{self.firmware}"

    @scpi("*RST")
    def _reset(self) -> None:
        self._completion = None
        self.preset()

    @scpi("*CLS")
    def _clear_status(self) -> None:
        self._errors.clear()
        self._events = 0
        self._completion = None

    @scpi("*OPC")
    def _mark_completion(self) -> None:
        self._completion = self.complete_at()
        self._note_completion()

    @scpi("*OPC?")
    def _await_completion(self) -> Answer:
        end = self.complete_at()
        return "1" if end <= self.clock.time else Pending(end, lambda: "1")

    @scpi("*WAI")
    def _wait(self) -> None:
        self.busy_until = max(self.busy_until, self.complete_at())

    @scpi("*TST?")
    def _test(self) -> str:
        return "0" if self.self_test() else "1"

    @scpi("*TRG")
    def _bus_trigger(self) -> None:
        self.trigger()

    @scpi("*ESR?")
    def _read_events(self) -> str:
        self._note_completion()
        events, self._events = self._events, 0
        return str(events)

    @scpi("*ESE", integer())
    def _mask_events(self, mask: int) -> None:
        self._event_mask = _register(mask)

    @scpi("*ESE?")
    def _read_event_mask(self) -> str:
        return str(self._event_mask)

    @scpi("*SRE", integer())
    def _mask_service(self, mask: int) -> None:
        self._service_mask = _register(mask) & ~64

    @scpi("*SRE?")
    def _read_service_mask(self) -> str:
        return str(self._service_mask)

    @scpi("*STB?")
    def _read_status(self) -> str:
        return str(self.status_byte(reply_waits=False))

    @scpi("SYSTem:ERRor[:NEXT]?")
    def _next_error(self) -> str:
        return self._errors.popleft() if self._errors else self.no_error

    @scpi("SYSTem:VERSion?")
    def _version(self) -> str:
        return "1999.0"


for _name, _method in list(vars(Instrument).items()):
    Instrument._enter(_name, _method)  # noqa: SLF001  # __init_subclass__ does not run for the base itself


def _register(mask: int) -> int:
    if not 0 <= mask <= 255:
        raise ScpiError(-222, f"{mask}; allowed: 0 to 255")
    return mask
