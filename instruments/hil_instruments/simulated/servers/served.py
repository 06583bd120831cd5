"""A bench that is served: every instrument on ports of its own, on the loopback interface only."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from enum import Enum

from hil.errors import BenchError, HilError, UsageError
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.servers import control, hislip, sockets, vxi11
from hil_instruments.simulated.servers.extremes import Extremes
from hil_instruments.simulated.servers.pace import Pace
from hil_instruments.simulated.servers.reactor import HOST, TICK, Reactor
from hil_instruments.simulated.servers.seat import Seat


class Protocol(Enum):
    """How an instrument is reached."""

    SOCKET = "socket"
    HISLIP = "hislip"
    VXI11 = "vxi11"

    def resource(self, port: int) -> str:
        """VISA resource name of an instrument behind a port of this machine."""
        return {
            Protocol.SOCKET: f"TCPIP::{HOST}::{port}::SOCKET",
            Protocol.HISLIP: f"TCPIP0::{HOST}::{hislip.SUBADDRESS},{port}::INSTR",
            Protocol.VXI11: f"TCPIP0::{HOST},{port}::{vxi11.DEVICE}::INSTR",
        }[self]


class BenchServer:
    """Serves one bench in wall time, or a multiple of it.

    A single thread does everything; `lock` is held while it works. Whoever looks at the bench from
    outside holds it too.
    """

    def __init__(
        self,
        bench: SimulatedBench,
        scale: float = 1.0,
        *,
        wall: Callable[[], float],
        protocols: Iterable[Protocol] = Protocol,
        ports: Mapping[str, int] | None = None,
        control_port: int = 0,
    ) -> None:
        """Prepare; nothing listens yet.

        Args:
            bench: from `start` to `stop` only the server may move its clock.
            scale: bench seconds for each wall second.
            wall: monotonic wall clock in s, as `time.monotonic`.
            protocols: what every instrument is offered on.
            ports: role to port of its first protocol; what it leaves out gets a free one.
            control_port: port of the control channel, 0 for a free one.

        Raises:
            UsageError: `scale` is no pace, no protocol is named, or `ports` names an unknown role.
        """
        self.protocols = tuple(dict.fromkeys(protocols))
        """What every instrument is offered on; `start` returns the names of the first."""
        if not self.protocols:
            known = ", ".join(each.value for each in Protocol)
            raise UsageError(f"protocols: none; allowed: {known}, one or more")
        unknown = set(ports or {}) - set(bench.instruments)
        if unknown:
            known = ", ".join(bench.instruments)
            raise UsageError(f"ports: no role {', '.join(sorted(unknown))}; the bench has {known}")
        self.bench = bench
        self.pace = Pace(bench, wall, scale)
        self.extremes = Extremes(bench)
        """Largest current and charge since the last reset."""
        self.seats: dict[str, Seat] = {}
        """Role to instrument, while it is served."""
        self.resources: dict[Protocol, dict[str, str]] = {}
        """Protocol to role to VISA resource name, while it is served."""
        self.lock = threading.RLock()
        """Held by the server while it works."""
        self._ports, self._control, self._wall = dict(ports or {}), control_port, wall
        self._reactor: Reactor | None = None
        self.control_port = 0
        """Where the control channel listens, while it is served."""
        self._next_look = 0.0
        self._incidents: deque[str] = deque(maxlen=20)

    @property
    def failures(self) -> list[str]:
        """What went wrong inside server or instruments; should stay empty.

        Neither reaches a client as more than a closed connection or an entry of an error queue.
        """
        ours = [] if self._reactor is None else list(self._reactor.failures)
        defects = (
            f"{role}: {each.defect!r}"
            for role, each in self.bench.instruments.items()
            if each.defect is not None
        )
        return [*self._incidents, *ours, *defects]

    @property
    def failed(self) -> bool:
        """Whether the simulated bench itself broke: nobody is served any longer."""
        return self._reactor is not None and self._reactor.failed

    def start(self) -> dict[str, str]:
        """Listen on every port.

        Returns:
            Role to VISA resource name, of the first protocol.

        Raises:
            OSError: a port is taken.
        """
        self.stop()
        reactor = self._reactor = Reactor(self._wall, self._advance, self.lock)
        self.pace.begin()
        try:
            for role in self.bench.instruments:
                self.seats[role] = Seat(self.bench, role, reactor, self.pace)
            lines = {
                role: self._wire(reactor, seat)
                for role, seat in self.seats.items()
                if getattr(self.bench.instruments[role], "on_serial_line", False)
            }
            for protocol in self.protocols:
                self.resources[protocol] = {
                    role: lines.get(role)
                    or protocol.resource(self._listen(reactor, protocol, seat))
                    for role, seat in self.seats.items()
                }
            orders = control.Control(self.bench, self.pace, self.extremes, lambda: self.failures)
            self.control_port = reactor.listen(
                self._control, control.CLIENTS, lambda each: control.ControlSpeaker(orders, each)
            )
        except OSError:
            self.stop()
            raise
        reactor.start()
        return dict(self.resources[self.protocols[0]])

    def stop(self) -> None:
        """Close every connection and port, and wait for the thread; may be called twice."""
        if self._reactor is not None:
            self._reactor.stop()
        self.seats.clear()
        self.resources.clear()

    def check(self) -> None:
        """Raise BenchError if the bench broke while it was served."""
        if self.failed:
            raise BenchError(f"the simulated bench broke while it was served: {self.failures[-1]}")

    def _wire(self, reactor: Reactor, seat: Seat) -> str:
        """Offer an instrument on a serial line, whatever the protocol; return its resource name."""
        from hil_instruments.simulated.servers.serial_line import PtyEnd, SerialSpeaker

        end = PtyEnd()
        reactor.wire(end, lambda each: SerialSpeaker(seat, each))
        return end.resource

    def _listen(self, reactor: Reactor, protocol: Protocol, seat: Seat) -> int:
        first = protocol is self.protocols[0]
        port = self._ports.get(seat.role, 0) if first else 0
        if protocol is Protocol.SOCKET:
            return reactor.listen(
                port, sockets.CLIENTS, lambda each: sockets.SocketSpeaker(seat, each)
            )
        if protocol is Protocol.HISLIP:
            return reactor.listen(port, hislip.CONNECTIONS, hislip.HislipPort(seat).answer)
        service = vxi11.Vxi11Port(seat)
        service.abort_port = reactor.listen(0, vxi11.CLIENTS, service.answer_abort)
        return reactor.listen(port, vxi11.CLIENTS, service.answer_core)

    def _advance(self) -> None:
        try:
            self.pace.advance()
            if self._wall() >= self._next_look:
                self._look_round()
        except HilError as err:
            # As of a user's firmware that crashed: its watchdog restarts it, the bench goes on.
            self._incidents.append(str(err))

    def _look_round(self) -> None:
        """Bring on the physics, in small steps rather than in one large one; look for requests."""
        self._next_look = self._wall() + TICK
        _ = self.bench.device
        self.extremes.keep_up()
        for seat in self.seats.values():
            if seat.watched:
                seat.look()
