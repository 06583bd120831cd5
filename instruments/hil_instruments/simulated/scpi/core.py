"""The part of an instrument that no command names: obeying, errors, status, completion."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, Protocol

from hil.bench import InstrumentEntry
from hil_instruments.simulated.clock import Timer, VirtualClock
from hil_instruments.simulated.scpi.commands import Command, CommandTree, table_of
from hil_instruments.simulated.scpi.errors import ERROR_QUEUE, ScpiError, event_bit
from hil_instruments.simulated.scpi.execution import Execution
from hil_instruments.simulated.scpi.headers import Tree
from hil_instruments.simulated.scpi.messages import Call, Program, parse
from hil_instruments.simulated.scpi.replies import Answer, Pending
from hil_instruments.simulated.scpi.status import ErrorQueue, Register

LONGEST_KEPT = 256
"""Longest message, and largest number of messages, whose parsed form is kept."""
_OVERFLOW = ScpiError(-350)
POWER_ON = 128
"""Bit of the standard event register."""


class Listener(Protocol):
    """Whoever wants to know that something in an instrument has changed."""

    @property
    def holds(self) -> bool:
        """Whether it waits for the instrument."""
        ...

    def look(self) -> None:
        """Look at the instrument again."""
        ...

    def forget(self) -> None:
        """Lose what was written and not obeyed, asked and not read."""
        ...

    def darken(self) -> None:
        """Ask from now on whether the instrument has power, before each message."""
        ...


class Core:
    """Obeys messages by the commands of its class; keeps errors, status and completion."""

    error_queue: ClassVar[int] = ERROR_QUEUE
    """Entries of the error queue."""
    longest_message: ClassVar[int] = 65_536
    """Bytes of the longest message that is taken; a longer one is thrown away with -363."""
    input_buffer: ClassVar[int] = 4096
    output_queue: ClassVar[int] = 65_536
    """Bytes; where one message leaves more than `output_queue` unread and more than `input_buffer`
    unobeyed, it is deadlocked: -430."""
    message_end: ClassVar[bytes] = b"\n"
    """What ends a message in a stream of bytes."""
    absent: ClassVar[tuple[str, ...]] = ()
    """Header patterns of the parent classes that this model has not, as written there."""
    _tree: ClassVar[CommandTree | None] = None

    def __init_subclass__(cls) -> None:
        cls._tree = None

    def __init__(self, entry: InstrumentEntry, clock: VirtualClock) -> None:
        self.entry = entry
        self.clock = clock
        self.serial = f"SIM-{entry.role}-01"
        self.defect: Exception | None = None
        """A handler's own failure, which the wire sees as -310."""
        self.obeying = False
        """Whether a message is being obeyed right now."""
        self.attentive = False
        """Whether somebody wants to hear of every change."""
        self.__listeners: list[Listener] = []
        self.__programs: dict[bytes, Program] = {}
        self.__singles: dict[bytes, Call] = {}
        """Messages of one unit: nearly all, and the ones that are repeated."""
        self.__opc_timer: Timer | None = None
        self._has_mains = True
        self._restart_status()

    def _restart_status(self) -> None:
        self.busy_until = 0.0
        """Bench time until which no further message is looked at: commands are sequential."""
        self.overlapped_until = 0.0
        """Bench time at which everything begun by overlapped commands is done."""
        self.operation, self.questionable = Register(), Register()
        self.event_mask = self.service_mask = 0
        self._errors = ErrorQueue()
        self._standard_events = POWER_ON
        self._opc_waits = False

    @classmethod
    def commands(cls) -> dict[str, Command]:
        """Header pattern to command, of this class and its parents."""
        return table_of(cls, cls.absent)

    @classmethod
    def tree(cls) -> CommandTree:
        """The commands by header; grown once a class."""
        if cls._tree is None:
            cls._tree = Tree(cls.commands())
        return cls._tree

    # What a front end overrides.

    def preset(self) -> None:
        """Go to the state after *RST."""

    def limits_of_error(self) -> tuple[float, float]:
        """Limits of the error of what it reports now: a share of it, and a part in its unit.

        Zeros where it reports settings and states alone.
        """
        return 0.0, 0.0

    def self_test(self) -> bool:
        """Test itself; True if passed."""
        return True

    def complete_at(self) -> float:
        """Bench time at which everything begun is done; infinite for never."""
        return max(self.clock.time, self.busy_until, self.overlapped_until)

    def trigger(self) -> None:
        """Obey *TRG or its equivalent on the bus."""
        raise ScpiError(-211, f"{self.entry.model} waits for no trigger")

    def device_clear(self) -> None:
        """Obey a device clear: give up the measurement under way, keep every setting."""

    def needed_from(self) -> float:
        """Earliest bench time in s of which it may still ask the circuit; infinite for none."""
        return math.inf

    def powered(self) -> bool:
        """Whether it hears and answers at all."""
        return self._has_mains

    def lose_power(self) -> None:
        """Lose the mains: settings are lost, outputs go off; a relay goes where its kind goes."""
        self.preset()

    def refresh(self) -> None:
        """Bring the condition registers up to the clock's time, before they are read."""

    def describe(self, error: ScpiError) -> str:
        """Return an error as this model writes it: code, comma, quoted text."""
        return str(error)

    def summary_bits(self) -> int:
        """Bits 0 and 1 of the status byte, which are the model's own."""
        return 0

    # Messages.

    def receive(self, message: bytes) -> bytes | Pending:
        """Obey one message; a terminator at its end is ignored.

        Returns:
            The reply with its terminator, empty if there is none, or one that comes later.
        """
        call = self.__singles.get(message)
        if call is None:
            program = self.__programs.get(message) or self._program_of(message)
            calls, error = program
            if error is not None or len(calls) != 1:
                return Execution(self, program, len(message)).produce()
            call = calls[0]
        answer = self.obey(call)
        if answer.__class__ is str:
            return (answer + "\n").encode()
        if answer is None:
            return b""
        if isinstance(answer, Pending):
            return Execution(self, ((call,), None), len(message)).hold(answer)
        return (answer.encode() if isinstance(answer, str) else answer) + b"\n"

    def _program_of(self, message: bytes) -> Program:
        if len(message) > self.longest_message:
            return (), ScpiError(-363, f"a message of more than {self.longest_message} bytes")
        program = parse(self.tree(), message.decode("latin-1"))
        if len(message) <= LONGEST_KEPT:
            if len(self.__programs) >= LONGEST_KEPT:
                self.__programs.clear()
                self.__singles.clear()
            self.__programs[message] = program
            calls, error = program
            if error is None and len(calls) == 1:
                self.__singles[message] = calls[0]
        return program

    def obey(self, call: Call) -> Answer:
        """Obey one unit; what goes wrong enters the error queue."""
        try:
            answer: Answer = getattr(self, call.handler)(*call.arguments)
        except ScpiError as error:
            self.report(error)
            return None
        except Exception as defect:  # the last line before the wire: no client may hang on a defect
            self._report_defect(defect)
            return None
        return answer

    def guarded(self, action: Callable[[], Answer]) -> Answer:
        """Act; what goes wrong enters the error queue."""
        try:
            return action()
        except ScpiError as error:
            self.report(error)
        except Exception as defect:  # as above
            self._report_defect(defect)
        return None

    def _report_defect(self, defect: Exception) -> None:
        self.defect = defect
        self.report(ScpiError(-310, f"{type(defect).__name__}: {defect}"))

    def refuse(self, error: ScpiError) -> None:
        """Report what a well-written unit may not ask."""
        raise error

    # Errors and status.

    def report(self, error: ScpiError) -> None:
        """Enter an error into queue and event register."""
        self._standard_events |= event_bit(error.code)
        if len(self._errors) < self.error_queue:
            self._errors.push(self.describe(error))
        else:
            self._errors.overflow(self.describe(_OVERFLOW))

    def status_byte(self, *, reply_waits: bool) -> int:
        """Status byte with the master summary in bit 6, as *STB? gives it."""
        self.refresh()
        self._note_completion()
        status = self.summary_bits() | 4 * bool(self._errors) | 16 * reply_waits
        status |= 8 * self.questionable.summary | 128 * self.operation.summary
        status |= 32 * bool(self._standard_events & self.event_mask)
        return status | 64 * bool(status & self.service_mask & ~64)

    # Completion of overlapped commands.

    def _note_completion(self) -> None:
        """Let *OPC have its effect, if everything is done; else come back when it will be."""
        if not self._opc_waits:
            return
        end = self.complete_at()
        if end <= self.clock.time:
            self._opc_waits = False
            self._standard_events |= 1
        elif end < math.inf and (self.__opc_timer is None or self.__opc_timer.time != end):
            self.__drop_opc_timer()
            self.__opc_timer = self.clock.at(end, self.changed)

    def __drop_opc_timer(self) -> None:
        if self.__opc_timer is not None:
            self.__opc_timer.cancelled = True
            self.__opc_timer = None

    def cancel_completion(self) -> None:
        """Forget that *OPC waits, as after *CLS, *RST and a device clear."""
        self._opc_waits = False
        self.__drop_opc_timer()

    # Whoever listens.

    def attach(self, listener: Listener) -> None:
        """Begin to tell a listener of changes."""
        self.__listeners.append(listener)

    def detach(self, listener: Listener) -> None:
        """Stop telling a listener of changes."""
        if listener in self.__listeners:
            self.__listeners.remove(listener)

    def changed(self) -> None:
        """Tell that completion, a condition or the time of a reply changed outside a message."""
        if self.obeying:
            self.attentive = True  # whoever obeys calls again when the message is done
            return
        self._note_completion()
        for listener in tuple(self.__listeners):
            listener.look()
        self.attentive = (
            self._opc_waits
            or self.service_mask != 0
            or any(listener.holds for listener in self.__listeners)
        )

    def set_mains(self, on: bool) -> None:
        """Give it mains, or take them away: without it hears nothing, and answers nothing."""
        if on == self._has_mains:
            return
        self._has_mains = on
        if on:
            self.power_on()
            return
        self.lose_power()
        for listener in tuple(self.__listeners):
            listener.forget()
            listener.darken()

    def power_on(self) -> None:
        """Come up as after a power failure: queues and registers empty, power-on bit set."""
        self.cancel_completion()
        self._restart_status()
        for listener in tuple(self.__listeners):
            listener.forget()
