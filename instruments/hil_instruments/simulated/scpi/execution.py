"""Execution of a message whose units cannot all be obeyed at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil_instruments.simulated.scpi.errors import ScpiError
from hil_instruments.simulated.scpi.replies import Indefinite, Pending

if TYPE_CHECKING:
    from hil_instruments.simulated.scpi.core import Core
    from hil_instruments.simulated.scpi.messages import Call, Program


class Execution(Pending):
    """One message on its way: units in order, each when the instrument is free for it.

    A unit that keeps the instrument busy, a reply that takes its time and *WAI hold back the units
    after them.
    """

    __slots__ = (
        "_calls",
        "_current",
        "_error",
        "_gathered",
        "_instrument",
        "_length",
        "_muted",
        "_next",
        "_parts",
    )

    def __init__(self, instrument: Core, program: Program, length: int) -> None:
        """Begin with nothing obeyed.

        Args:
            instrument: who obeys.
            program: units, and the error that ends the message.
            length: bytes of the message.
        """
        self._instrument = instrument
        self._calls, self._error = program
        self._length = length
        self._next = 0
        self._current: Pending | None = None
        """What the unit before `_next` still owes."""
        self._parts: list[bytes] = []
        self._gathered = 0
        self._muted = False

    def hold(self, pending: Pending) -> Execution:
        """Say that the first unit has been obeyed, and answers later."""
        self._next, self._current = 1, pending
        return self

    @property
    def ready(self) -> float:
        """Bench time at which it may go on; infinite for never."""
        current = self._current
        return self._instrument.busy_until if current is None else current.ready

    @property
    def replies(self) -> bool:
        """Whether a reply is under way, rather than a command that only holds."""
        return not self._muted and (bool(self._parts) or self._owes_reply())

    def _owes_reply(self) -> bool:
        return self._current is not None and self._calls[self._next - 1].query

    def interrupt(self) -> None:
        """Give up every reply; what is still to be obeyed will be."""
        self._muted = True
        self._parts.clear()
        if self._owes_reply():
            self._current = None

    def produce(self) -> bytes | Pending:
        """Go on as far as possible; itself if that is not the end."""
        if self._current is not None and not self._settle(self._current):
            return self
        instrument = self._instrument
        while self._next < len(self._calls):
            if instrument.busy_until > instrument.clock.time:
                return self
            call = self._calls[self._next]
            self._next += 1
            answer = instrument.obey(call)
            if isinstance(answer, Pending):
                if self._hold_back(answer):
                    return self
            elif answer is not None:
                self._add(answer, call)
        if self._error is not None:
            instrument.report(self._error)
        return b";".join(self._parts) + b"\n" if self._parts else b""

    def _hold_back(self, answer: Pending) -> bool:
        """Wait for an answer unless it is due, or nobody wants it any longer."""
        self._current = answer
        if self._muted and self._owes_reply():
            self._current = None
            return False
        return answer.ready > self._instrument.clock.time or not self._settle(answer)

    def _settle(self, current: Pending) -> bool:
        """Take the answer that is due; False if it still takes time."""
        answer = self._instrument.guarded(current.produce)
        if isinstance(answer, Pending):
            self._current = answer
            return False
        self._current = None
        if answer is not None:
            self._add(answer, self._calls[self._next - 1])
        return True

    def _add(self, answer: str | bytes, call: Call) -> None:
        if self._muted:
            return
        part = answer.encode() if isinstance(answer, str) else answer
        self._parts.append(part)
        self._gathered += len(part)
        if isinstance(part, Indefinite):
            self._end_at_next_query()
        instrument, waiting = self._instrument, self._length - call.end
        if self._gathered > instrument.output_queue and waiting > instrument.input_buffer:
            instrument.report(
                ScpiError(
                    -430, f"{waiting} bytes of input wait behind an output queue that is full"
                )
            )
            self.interrupt()

    def _end_at_next_query(self) -> None:
        for place in range(self._next, len(self._calls)):
            if self._calls[place].query:
                self._calls = self._calls[:place]
                self._error = ScpiError(-440, "a query after a block without length")
                return
