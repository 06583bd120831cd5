"""One client of an instrument of the simulated bench, under virtual time.

Nothing here waits: a read that times out lets its timeout pass on the bench clock.
"""

from __future__ import annotations

import math

from hil.errors import UsageError
from hil_instruments.simulated.bench import FREE_LENGTH, MESSAGE_LATENCY, SimulatedBench
from hil_instruments.simulated.scpi import Exchange

LOOK = 1e-3
"""Bench time in s between two looks at registers that follow the physics."""


class Dropped(Exception):
    """The link is gone; a client must connect anew."""


class Session:
    """An exchange with one instrument, and the bench time that it costs."""

    def __init__(self, bench: SimulatedBench, role: str, *, stream: bool) -> None:
        """Begin the conversation.

        Args:
            bench: the bench.
            role: whose instrument.
            stream: a raw socket: no END, no device clear, no serial poll; old replies are kept.
        """
        self.bench, self.role, self.stream = bench, role, stream
        self.timeout: float | None = 2.0
        """Seconds of bench time; None waits for ever."""
        self.requests = 0
        """Service requests that nobody has taken yet."""
        self._clock = bench.clock
        self._begin()

    def _begin(self) -> None:
        self._generation = self.bench.generation
        self._exchange = Exchange(self.bench.instruments[self.role], stream=self.stream)
        self._exchange.link = self.bench.links[self.role]
        self._exchange.on_service_request = self._note_request

    def _note_request(self) -> None:
        self.requests += 1

    @property
    def exchange(self) -> Exchange:
        """The exchange with the instrument as it is now: after a reset of the bench a new one."""
        if self._generation != self.bench.generation:
            self._begin()
        return self._exchange

    def close(self) -> None:
        """End the conversation."""
        self._exchange.close()

    def _pay(self) -> Exchange:
        """Let the latency of a message pass."""
        self._clock.advance(self._clock.time + MESSAGE_LATENCY)
        return self.exchange

    def _check(self, exchange: Exchange) -> None:
        """Raise what a handler of the instrument failed with: in process nobody hides it."""
        defect = exchange.instrument.defect
        if defect is not None:
            exchange.instrument.defect = None
            raise defect

    # Messages.

    def write(self, data: bytes, end: bool) -> None:
        """Send bytes; while the instrument's input is full, bench time passes."""
        clock = self._clock
        clock.advance(clock.time + MESSAGE_LATENCY)
        exchange = self._exchange if self._generation == self.bench.generation else self.exchange
        if exchange.messages:
            self._make_room(exchange)
        exchange.write(data, end)
        if exchange.instrument.defect is not None:
            self._check(exchange)

    def _make_room(self, exchange: Exchange) -> None:
        while not exchange.accepts():
            ready = exchange.reply_ready()
            if not self._clock.time < ready < math.inf:
                break
            self._clock.advance(ready)

    def read(self, count: int, stop: int) -> tuple[bytes, bool]:
        """Read up to `count` bytes, to `stop`, or to the end of a reply.

        Returns:
            What was read and whether the reply ended.

        Raises:
            Dropped: the link is gone.
            TimeoutError: the timeout passed, on the bench clock.
            UsageError: no timeout is set, and the reply never comes.
        """
        exchange = self._exchange if self._generation == self.bench.generation else self.exchange
        if not (exchange.output or self._await_reply(exchange)):
            raise TimeoutError(f"{self.role}: no reply within {self.timeout} s")
        found = exchange.read(count, stop)
        if len(found[0]) > FREE_LENGTH:
            self.bench.charge_transfer(len(found[0]))
        return found

    def _await_reply(self, exchange: Exchange) -> bool:
        """Let bench time pass until a reply is there, or the timeout is over."""
        clock = self._clock
        limit = math.inf if self.timeout is None else clock.time + self.timeout
        while not (exchange.waits or exchange.dropped):
            ready = exchange.reply_ready()
            if ready > limit or math.isinf(ready):
                break
            clock.advance(max(ready, clock.time))
        self._check(exchange)
        if exchange.waits:
            return True
        if exchange.dropped:
            raise Dropped(self.role)
        return self._give_up(exchange, limit)

    def _give_up(self, exchange: Exchange, limit: float) -> bool:
        if not exchange.holds:
            exchange.read()  # which the instrument may note as a query error
        if math.isinf(limit):
            raise UsageError(
                f"{self.role}: a read without timeout waits for a reply that never comes; "
                "set a finite timeout"
            )
        self._clock.advance(limit)
        return exchange.waits

    def clear(self) -> None:
        """Device clear; a raw socket only forgets what it holds.

        Raises:
            Dropped: the link is gone.
        """
        exchange = self._pay()
        if exchange.dropped:
            raise Dropped(self.role)
        if self.stream:
            exchange.forget()
        else:
            exchange.clear()
        self._check(exchange)

    # Status.

    def poll(self) -> int:
        """Serial poll: the status byte."""
        exchange = self._pay()
        status = exchange.poll()
        self._check(exchange)
        return status

    def trigger(self) -> None:
        """Group execute trigger."""
        exchange = self._pay()
        exchange.trigger()
        self._check(exchange)

    def await_request(self, seconds: float) -> bool:
        """Let bench time pass until the instrument requests service; False if it does not.

        Raises:
            UsageError: `seconds` is infinite, and nothing is planned that could lead to a request.
        """
        clock = self._clock
        limit = clock.time + seconds
        self._pay().look()
        while not self.requests and clock.time < limit:
            step = clock.due if math.isinf(limit) else min(clock.time + LOOK, clock.due)
            if math.isinf(step):
                raise UsageError(f"{self.role}: no request for service is to come; set a timeout")
            clock.advance(min(step, limit))
            self.exchange.look()
        self._check(self.exchange)
        if not self.requests:
            return False
        self.requests -= 1
        return True
