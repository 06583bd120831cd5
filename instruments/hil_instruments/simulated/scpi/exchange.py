"""One client's conversation with one instrument (IEEE 488.2, chapter 6).

Pure: what becomes due later is planned on the instrument's clock, so whoever moves that clock makes
it happen; nothing here waits.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from hil_instruments.simulated.clock import Timer
from hil_instruments.simulated.faults.link import Delivery, Link
from hil_instruments.simulated.scpi.core import Core
from hil_instruments.simulated.scpi.errors import ScpiError
from hil_instruments.simulated.scpi.execution import Execution
from hil_instruments.simulated.scpi.inbox import Inbox
from hil_instruments.simulated.scpi.replies import Answer, Pending

BACKLOG = 1 << 20
"""Bytes of unread replies of a stream beyond which no further message is obeyed."""
_REQUEST = 64


class Exchange:
    """Input, messages under way and output of one client.

    On a message bus a new message interrupts an unread reply (-410) and a read without query is
    refused (-420). A stream (a raw socket) has no END, no serial poll and no such errors: a line
    feed ends a message, and replies queue until they are read.
    """

    def __init__(self, instrument: Core, *, stream: bool = False) -> None:
        self.instrument = instrument
        self.stream = stream
        self.on_reply: Callable[[], None] | None = None
        """Called when a reply has become readable."""
        self.on_service_request: Callable[[], None] | None = None
        """Called at each new reason for service."""
        self.on_interrupt: Callable[[], None] | None = None
        """Called when a reply is thrown away with -410."""
        self.link: Link | None = None
        """What may befall replies on their way to the client; None is a healthy link."""
        self.dropped = False
        """Whether the link is gone: the client must connect anew."""
        self._clock = instrument.clock
        self._inbox = Inbox(stream, instrument.longest_message)
        self.messages = self._inbox.messages
        """Those that wait for the instrument; None is a trigger."""
        self._pending: Pending | None = None
        self.output = b""
        """The reply that is being read; empty if none is there."""
        self._offset = 0
        self._replies: deque[bytes] = deque()
        """Replies after `_output`; only a stream, or a faulty link, has any."""
        self._backlog = 0
        """Bytes of them."""
        self._timer: Timer | None = None
        self._proceeding = False
        self._reasons = 0
        self._requesting = False
        self._mutes = type(instrument).powered is not Core.powered or not instrument.powered()
        self._deafens = self._mutes and type(instrument).receive is Core.receive
        """Whether it is up to the exchange that an instrument without power hears nothing."""
        instrument.attach(self)

    # What the client sends.

    def write(self, data: bytes, end: bool = True) -> None:
        """Take bytes; a message that they complete is obeyed as soon as the instrument is free.

        Args:
            data: any piece of any number of messages.
            end: whether END came with the last byte; a stream has none.
        """
        if (
            (end and data in self._inbox.plain)
            and not (self.output or self.messages or self._inbox.partial)
            and self._pending is None
            and self.instrument.busy_until <= self._clock.time
            and not (self._deafens and self._is_mute())
        ):
            self._obey(data)
        else:
            self._write_piece(data, end)

    def _is_mute(self) -> bool:
        return self._mutes and not self.instrument.powered()

    def _write_piece(self, data: bytes, end: bool) -> None:
        if self._is_mute():
            self.forget()
            return
        inbox, ends = self._inbox, self.instrument.message_end
        if ends != b"\n":
            data = data.replace(ends, b"\n")
        if data.strip():
            self._interrupt_unread()
        for message in inbox.feed(data, end):
            if inbox.push(message):
                self._proceed()
        losses = inbox.losses()
        if losses or inbox.begun:
            self._interrupt_unread()
        for detail in losses:
            self._report(-363, detail)
        self._proceed()

    def _interrupt_unread(self) -> None:
        if not self.stream and (self.output or self._is_replying()):
            self._interrupt()

    def accepts(self) -> bool:
        """Whether there is room for more input; what does not fit is lost with -363."""
        return self._inbox.accepts()

    def trigger(self) -> None:
        """Group execute trigger: as *TRG, in its turn among the messages."""
        if self._inbox.begun:
            self._report(-105, "a message has begun and not ended")
            return
        self._interrupt_unread()
        self._inbox.push(None)
        self._proceed()

    def clear(self) -> None:
        """Device clear: input, output and whatever is held are given up; errors and status stay."""
        self.forget()
        self.instrument.cancel_completion()
        self.instrument.guarded(self.instrument.device_clear)
        self.instrument.changed()

    def interrupt(self) -> None:
        """Throw away the unread or coming reply, with -410."""
        self._interrupt()
        self._proceed()

    def forget(self) -> None:
        """Lose what was written and not obeyed, asked and not read."""
        self._inbox.clear()
        self._pending = None
        self._drop_output()
        self._plan(math.inf)

    def darken(self) -> None:
        """Ask from now on whether the instrument has power, before each message."""
        self._mutes = self._deafens = True

    def close(self) -> None:
        """Say that the client is gone."""
        self.forget()
        self.on_reply = self.on_service_request = None
        self.instrument.detach(self)

    # What the client gets.

    @property
    def waits(self) -> bool:
        """Whether a reply, or the rest of one, is there to be read."""
        return bool(self.output)

    def reply_ready(self) -> float:
        """Bench time at which to look again: now if a reply is there, infinite if none comes."""
        if self.output:
            return self._clock.time
        if self._pending is not None:
            return self._pending.ready
        return self.instrument.busy_until if self.messages else math.inf

    def read(self, count: int = 1 << 30, stop: int = -1) -> tuple[bytes, bool]:
        """Read of the reply what is there.

        Args:
            count: bytes at most, above 0.
            stop: byte after which to stop, -1 for none.

        Returns:
            What was read, and whether the last byte of a reply is among it. Without a reply
            nothing; on a message bus -420 too, if none is on its way.
        """
        output, start = self.output, self._offset
        if not output:
            if not (self.stream or self.holds or self._is_mute()):
                self._report(-420, "a read came without a query")
            return b"", False
        end = len(output)
        if start + count < end:
            end = start + count
        if stop >= 0:
            end = output.find(stop, start, end) + 1 or end
        if end < len(output):
            self._offset = end
            return output[start:end], False
        self.output, self._offset = b"", 0
        if self._replies or self.messages:
            self._next_reply()
        if self.instrument.attentive:
            self.instrument.changed()
        return output[start:] if start else output, True

    def _next_reply(self) -> None:
        if self._replies:
            self.output = self._replies.popleft()
            self._backlog -= len(self.output)
        self._proceed()

    def _drop_output(self) -> None:
        self._replies.clear()
        self.output, self._offset, self._backlog = b"", 0, 0

    def _put(self, reply: bytes) -> None:
        link = self.link
        if link is not None and link.faults:
            self._carry(link.carry(reply))
        else:
            self._arrive(reply)

    def _carry(self, delivery: Delivery) -> None:
        """Let a reply come as a faulty link delivers it."""
        late = self._clock.time + delivery.delay
        if delivery.delay > 0:
            self._pending = Pending(late, lambda: self._carry(replace(delivery, delay=0.0)))
            self._proceed()
        elif not (delivery.messages or delivery.drop or self.stream):
            self._pending = Pending(math.inf, lambda: None)  # asked and never read
        for message in delivery.messages if delivery.delay <= 0 else ():
            if message:
                self._arrive(message)
        if delivery.drop and delivery.delay <= 0:
            self.dropped = True
            if self.on_reply is not None:
                self.on_reply()

    def _arrive(self, reply: bytes) -> None:
        if self.output:
            self._backlog += len(reply)
            self._replies.append(reply)
        else:
            self.output = reply
        if self.on_reply is not None:
            self.on_reply()

    # Status.

    def status_byte(self) -> int:
        """Status byte with RQS in bit 6, as a serial poll reads it, without its effect."""
        if self._is_mute():
            return 0
        status = self.instrument.status_byte(reply_waits=self.waits)
        return (status & ~_REQUEST) | _REQUEST * self._requesting

    def poll(self, waits: bool | None = None) -> int:
        """Serial poll: the status byte with RQS in bit 6, which it clears.

        Args:
            waits: whether a reply waits for the client; None as the output queue says.
        """
        if self.instrument.service_mask:
            self._review()
        status = self.status_byte()
        if waits is not None:
            status = (status & ~16) | 16 * waits
        self._requesting = False
        return status

    def _review(self) -> None:
        """Request service at each reason for it that is new (IEEE 488.2, 11.3.3)."""
        instrument = self.instrument
        mask = instrument.service_mask & ~_REQUEST
        reasons = mask and instrument.status_byte(reply_waits=self.waits) & mask
        fresh = reasons & ~self._reasons
        self._reasons = reasons
        if not reasons:
            self._requesting = False
        elif fresh and not self._requesting:
            self._requesting = True
            if self.on_service_request is not None:
                self.on_service_request()

    @property
    def holds(self) -> bool:
        """Whether a message waits for the instrument, or a reply for its time."""
        return self._pending is not None or bool(self.messages)

    def look(self) -> None:
        """Look at the instrument again: what can be obeyed, whether to request service."""
        if self.holds:
            self._proceed()
        if self.instrument.service_mask or self._reasons:
            self._review()

    # Messages under way.

    def _proceed(self) -> None:
        """Obey what can be obeyed now, and plan to come back for the rest."""
        if self._proceeding or not self.holds:
            return
        self._proceeding = True
        try:
            while self._step():
                pass
        finally:
            self._proceeding = False

    def _step(self) -> bool:
        """Do the next thing; False if nothing can be done now."""
        pending, now = self._pending, self._clock.time
        if pending is not None:
            if pending.ready <= now:
                self._pending = None
                self._run(pending.produce)
                return True
            if self.messages and not self.stream and self._is_replying():
                self._interrupt()
                return True
            self._plan(pending.ready)
            return False
        if not self.messages or (self.output and self.stream and self._backlog > BACKLOG):
            return False
        if self.output and not self.stream:
            self._interrupt()
        if self.instrument.busy_until > now:
            self._plan(self.instrument.busy_until)
            return False
        self._obey_next()
        return True

    def _obey_next(self) -> None:
        message = self._inbox.pop()
        if message is None:
            self._run(lambda: self.instrument.guarded(self.instrument.trigger))
        else:
            self._obey(message)

    def _obey(self, message: bytes) -> None:
        link = self.link
        healthy = link is None or not link.faults
        if link is not None and not healthy and not link.hears():
            return
        instrument = self.instrument
        instrument.obeying = True
        try:
            reply = instrument.receive(message)
        finally:
            instrument.obeying = False
        if reply.__class__ is bytes and healthy and self.on_reply is None and not self.output:
            self.output = reply
        else:
            self._accept(reply)
        if instrument.attentive:
            instrument.changed()

    def _run(self, action: Callable[[], Answer]) -> None:
        """Let the instrument act, and take its answer."""
        instrument = self.instrument
        instrument.obeying = True
        try:
            answer = action()
        finally:
            instrument.obeying = False
        self._accept(answer)
        if instrument.attentive:
            instrument.changed()

    def _accept(self, answer: Answer) -> None:
        if isinstance(answer, Pending):
            self._pending = answer
            self.instrument.attentive = True
            self._proceed()
        elif answer:
            self._put(answer.encode() if isinstance(answer, str) else answer)

    def _is_replying(self) -> bool:
        pending = self._pending
        return pending is not None and (not isinstance(pending, Execution) or pending.replies)

    def _interrupt(self) -> None:
        pending = self._pending
        if isinstance(pending, Execution):
            pending.interrupt()
        else:
            self._pending = None
        self._drop_output()
        self._report(-410, "a message came before the reply was read")
        if self.on_interrupt is not None:
            self.on_interrupt()

    def _report(self, code: int, detail: str) -> None:
        self.instrument.report(ScpiError(code, detail))
        if self.instrument.attentive:
            self.instrument.changed()

    def _plan(self, time: float) -> None:
        """Come back at `time`, instead of at any other."""
        timer = self._timer
        if timer is not None:
            if timer.time == time:
                return
            timer.cancelled = True
            self._timer = None
        if time < math.inf:
            self._timer = self._clock.at(time, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._proceed()
