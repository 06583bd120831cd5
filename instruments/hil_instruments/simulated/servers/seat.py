"""One served instrument: its lock, and the conversations of its clients, whatever the protocol."""

from __future__ import annotations

import math
from collections.abc import Callable

from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.scpi.exchange import Exchange
from hil_instruments.simulated.servers.connection import Appointment
from hil_instruments.simulated.servers.locks import DeviceLock
from hil_instruments.simulated.servers.pace import Pace
from hil_instruments.simulated.servers.reactor import TICK, Reactor

SHORTEST_WAIT = 50e-6
"""Wall seconds at least until one looks for a reply again."""


class Seat:
    """One instrument of the bench as the servers see it."""

    def __init__(self, bench: SimulatedBench, role: str, reactor: Reactor, pace: Pace) -> None:
        self.bench, self.role, self.reactor, self.pace = bench, role, reactor, pace
        self.lock = DeviceLock()
        """Shared by all protocols."""

        self.link = bench.links[role]
        """What may befall its replies."""
        self.watched: set[Conversation] = set()
        """Those whose clients may hear of a service request."""

    def look(self) -> None:
        """Look again at registers that follow the physics, where somebody waits for service."""
        for conversation in self.watched:
            conversation.look()


class Conversation:
    """One client's conversation with the instrument; it survives a reset of the bench.

    `pump` is called, from the reactor, when a reply may have come or input may be taken again.
    """

    def __init__(
        self,
        seat: Seat,
        pump: Callable[[], None],
        *,
        stream: bool,
        on_service_request: Callable[[], None] | None = None,
        on_interrupt: Callable[[], None] | None = None,
    ) -> None:
        self.seat = seat
        self._pump, self._stream = pump, stream
        self._on_request, self._on_interrupt = on_service_request, on_interrupt
        self._called = False
        self.pumping = False
        """Whether `pump` runs: what comes meanwhile it sees by itself."""
        self._appointment: Appointment | None = None
        self._expected = math.inf
        self._generation = -1
        self._exchange: Exchange
        self._begin()
        if on_service_request is not None:
            seat.watched.add(self)

    def _begin(self) -> None:
        bench = self.seat.bench
        self._generation = bench.generation
        self._exchange = Exchange(bench.instruments[self.seat.role], stream=self._stream)
        self._exchange.on_reply = self.call
        self._exchange.on_service_request = self._on_request
        self._exchange.on_interrupt = self._on_interrupt
        self._exchange.link = self.seat.link

    @property
    def exchange(self) -> Exchange:
        """The exchange with the instrument as it is now: after a reset of the bench a new one."""
        if self._generation != self.seat.bench.generation:
            self._begin()
        return self._exchange

    def restart(self, *, stream: bool) -> None:
        """Forget everything that is under way, and leave the instrument as it is."""
        self._exchange.close()
        self._stream = stream
        self._begin()

    def call(self) -> None:
        """Have `pump` called when the others had their turn."""
        if not (self._called or self.pumping):
            self._called = True
            self.seat.reactor.soon(self._answer)

    def call_later(self) -> None:
        """Have `pump` called after a tick: the instrument takes nothing now."""
        if not self._called:
            self._called = True
            self.seat.reactor.after(TICK, self._answer)

    def _answer(self) -> None:
        self._called = False
        self._pump()

    def reply(self) -> tuple[bytes, bool] | None:
        """What can be read now, and whether it ends the message; None if nothing can.

        If a reply is on its way, `pump` is called when it should be there.
        """
        exchange = self.exchange
        if exchange.waits:
            return exchange.read()
        if exchange.holds:
            ready = exchange.reply_ready()
            if not math.isinf(ready):
                self._expect(ready)
        return None

    def _expect(self, ready: float) -> None:
        if ready == self._expected:
            return
        self._cancel()
        self._expected = ready
        due = max(self.seat.pace.wall_seconds(ready), SHORTEST_WAIT)
        self._appointment = self.seat.reactor.after(due, self._meet)

    def _meet(self) -> None:
        self._expected = math.inf
        self._pump()

    def _cancel(self) -> None:
        self._expected = math.inf
        if self._appointment is not None:
            self._appointment.cancelled = True

    def look(self) -> None:
        """See `Exchange.look`."""
        self.exchange.look()

    def close(self) -> None:
        """The client is gone."""
        self.seat.watched.discard(self)
        self._cancel()
        self._exchange.close()
