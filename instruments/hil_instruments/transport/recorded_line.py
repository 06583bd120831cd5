"""A recorded run in the place of instruments: each answers what it answered then, or nothing."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterable

from hil.errors import BenchError, HilError, InstrumentError, SafetyError
from hil.exchanges import BLOCK, CLOCK, ERROR, READ, STOP, WRITE, Message, Stored
from hil_instruments.manner import Manner
from hil_instruments.transport.line import Block, Gone, Silence, deaf

Hears = Callable[[str, str, str | bytes, float], None]
"""Takes role, direction, text or payload, and bench time in s of each message."""


class Diverged(BenchError):
    """What is asked now is not what the recorded run asked."""


class RecordedClock:
    """Bench time as it was: what the messages tell, what was slept, and what else was read of it.

    It implements `hil.roles.Clock`.
    """

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self.time = 0.0
        """Bench time in s, of the last message or reading and what was slept since."""

    def now(self) -> float:
        """Bench time in s, as the run read it here."""
        self._recording.read_clock()
        return self.time

    def sleep(self, seconds: float) -> None:
        """Let bench time pass; nothing waits."""
        self.time += max(seconds, 0.0)


class Recording:
    """All that was said in a run, to be said again.

    Each role's part is repeated in its own order and no other. After the first exchange that
    differs nothing is answered any more: what came later would answer other questions.
    """

    def __init__(
        self,
        said: Iterable[Message],
        payload: Callable[[Stored], bytes],
        hear: Hears = lambda role, way, said, at: None,
    ) -> None:
        """Take what was said.

        Args:
            said: the messages, in order.
            payload: reads a block.
            hear: takes each message as it is said again, with its recorded time.
        """
        self._said = list(said)
        self._payload = payload
        self._hear = hear
        self._parts: dict[str, deque[int]] = {}
        for place, message in enumerate(self._said):
            if message.role != CLOCK:
                self._parts.setdefault(message.role, deque()).append(place)
        self._place = 0  # of what comes next in the whole run
        self.clock = RecordedClock(self)
        self.left = ""
        """Where the run left the recording; empty while it follows."""

    def line(self, role: str, manner: Manner) -> RecordedLine:
        """What an instrument is reached over that is spoken to in this manner."""
        return RecordedLine(self, role, manner)

    def read_clock(self) -> None:
        """Set the clock to what the run read of it here, if that is recorded."""
        if self._place < len(self._said):
            reading = self._said[self._place]
            if reading.role == CLOCK and reading.text == repr(self.clock.time):
                self._pass(self._place)

    def next_of(self, role: str) -> Message | None:
        """What a role says or hears next; None at its end."""
        part = self._parts.get(role)
        return self._said[part[0]] if part else None

    def take(
        self, role: str, ways: tuple[str, ...], text: str | None = None, now: str = ""
    ) -> Message:
        """Go on to a role's next message.

        Args:
            role: whose.
            ways: which it may be.
            text: what it must be; None is anything.
            now: what is asked for now, in words; empty where the text says so.

        Raises:
            Diverged: it is another, or the recording ends; names both.
        """
        message = self.next_of(role)
        if (
            self.left
            or message is None
            or message.way not in ways
            or text not in {None, message.text}
        ):
            raise self._diverged(role, now or f"{ways[0]} {text!r}", message)
        self._pass(self._parts[role].popleft())
        return message

    def _diverged(self, role: str, now: str, recorded: Message | None) -> Diverged:
        """The error for the first exchange that differs, in full, or for one that follows it."""
        if self.left:
            return Diverged(f"no answer: {self.left}")
        was = "it ends here for this role"
        if recorded is not None:
            was = f"line {recorded.line} of its transcript is {recorded}"
        line = f", line {recorded.line}" if recorded is not None else ""
        self.left = f"the replay has left the recorded run before, at {role}{line}"
        return Diverged(
            f"the replay has left the recorded run at {role}: now {now}, but {was}; nothing is "
            "made up: record the run anew with this version"
        )

    def payload_of(self, message: Message) -> bytes:
        """The bytes of a block that came."""
        if message.block is None:
            raise Diverged(f"line {message.line} is no block")
        return self._payload(message.block)

    def _pass(self, place: int) -> None:
        message = self._said[place]
        self.clock.time = message.at
        self._place = max(self._place, place + 1)
        said = message.text if message.block is None else self._payload(message.block)
        self._hear(message.role, READ if message.block else message.way, said, message.at)


class RecordedLine:
    """A line on which everything has been said already (implements `Line`)."""

    stream = False

    def __init__(self, recording: Recording, role: str, manner: Manner) -> None:
        self._recording = recording
        self._role = role
        self._manner = manner
        self._asked = ""
        self.heed = deaf

    def send(self, data: bytes, timeout: float) -> None:
        """Say what was said then; raises what ended that, or Diverged for another message."""
        text = data.decode("latin-1").removesuffix(self._manner.send_end)
        self._fail_as_then(text)
        self._recording.take(self._role, (WRITE, STOP), text)
        self._asked = text
        self._fail_as_then(text)

    def receive_line(self, timeout: float) -> bytes:
        """The reply that came then; raises what came in its place."""
        reply = self._received(READ).text
        return (reply + self._manner.reply_end).encode("latin-1")

    def receive_block(self, timeout: float, form: Block) -> bytes:
        """The payload of the block that came then; raises what came in its place."""
        return self._recording.payload_of(self._received(BLOCK))

    def unexpected(self) -> bytes:
        """Nothing: whatever the run found ended its exchange, as its `error` says."""
        return b""

    def discard(self) -> None:
        """Nothing: what was thrown away was not recorded."""

    def close(self) -> None:
        """Nothing is open."""

    def _received(self, way: str) -> Message:
        self._fail_as_then("")
        return self._recording.take(self._role, (way,), None, f"a {way} for {self._asked!r}")

    def _fail_as_then(self, asked: str) -> None:
        """Raise what ended the exchange then, if that comes next; empty stands for any."""
        message = self._recording.next_of(self._role)
        if (
            message is not None
            and message.way == ERROR
            and (repr(asked) in message.text or not asked)
        ):
            self._recording.take(self._role, (ERROR,))
            raise failure(message.text)


def failure(text: str) -> Exception:
    """Make again what a line raised, from the words of the session that reported it."""
    name, _, said = text.partition(": ")
    cause = re.sub(r"^.*?'(?:[^'\\]|\\.)*': ", "", said)
    cause = re.sub(r"; check the line, then recover\(\)$", "", cause)
    if name == "ReplyTimeout":
        return Silence()
    if name == "ConnectionLost":
        return Gone(cause)
    kinds: dict[str, type[HilError]] = {
        "InstrumentError": InstrumentError,
        "SafetyError": SafetyError,
    }
    return kinds.get(name, BenchError)(cause)
