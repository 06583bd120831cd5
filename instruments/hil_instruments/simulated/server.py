"""The simulated bench over loopback TCP, one port an instrument, in wall time.

Raw sockets: a message ends with a line feed, replies queue until they are read. Bench time follows
the wall clock that the caller hands in; a ticker moves it on between exchanges, so that a lease
lapses although nobody speaks.
"""

from __future__ import annotations

import contextlib
import math
import socket
import threading
from collections.abc import Callable, Mapping

from hil.errors import UsageError
from hil_instruments.simulated.bench import SimulatedBench, completed
from hil_instruments.simulated.scpi import Pending, ScpiError

HOST = "127.0.0.1"
CLIENTS = 4
"""Connections that a port takes at a time; a further one is closed at once."""
LONGEST_LINE = 65_536
"""Bytes without a line feed that are kept; a longer line is thrown away with -363."""
TICK = 5e-3
"""Wall seconds between two looks of the ticker."""
PATIENCE = 2.0
"""Wall seconds that `stop` gives each thread."""
_POLL = 0.1


class BenchServer:
    """Serves every instrument of one bench on a port of its own, on the loopback interface only.

    One lock stands round the bench; no thread holds it while it waits for the wall or the network.
    """

    def __init__(
        self,
        bench: SimulatedBench,
        scale: float = 1.0,
        *,
        wall: Callable[[], float],
        ports: Mapping[str, int] | None = None,
    ) -> None:
        """Prepare; nothing listens yet.

        Args:
            bench: the bench; from `start` to `stop` only the server may move its clock.
            scale: bench seconds for each wall second, > 0.
            wall: monotonic wall clock in s, as `time.monotonic`.
            ports: role to port; what it leaves out gets a free one.

        Raises:
            UsageError: `scale` is not positive and finite, or `ports` names an unknown role.
        """
        if not 0 < scale < math.inf:
            raise UsageError(f"scale = {scale}; allowed: bench seconds per wall second, above 0")
        unknown = set(ports or {}) - set(bench.instruments)
        if unknown:
            known = ", ".join(bench.instruments)
            raise UsageError(f"ports: no role {', '.join(sorted(unknown))}; the bench has {known}")
        self.bench = bench
        self.lock = threading.RLock()
        """Whoever looks at the served bench from outside holds it."""
        self._scale, self._wall, self._ports = scale, wall, dict(ports or {})
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._sockets: set[socket.socket] = set()
        self._listeners: list[socket.socket] = []
        self._begun = 0.0
        self._begun_wall = 0.0

    def start(self) -> dict[str, str]:
        """Listen on every port.

        Returns:
            Role to VISA resource name.

        Raises:
            OSError: a port is taken.
        """
        self._stopping.clear()
        self._begun, self._begun_wall = self.bench.clock.now(), self._wall()
        resources: dict[str, str] = {}
        try:
            for role in self.bench.instruments:
                listener = socket.create_server((HOST, self._ports.get(role, 0)))
                listener.settimeout(_POLL)
                self._listeners.append(listener)
                resources[role] = f"TCPIP::{HOST}::{listener.getsockname()[1]}::SOCKET"
        except OSError:
            self.stop()
            raise
        for role, listener in zip(resources, self._listeners, strict=True):
            self._spawn(f"{role} port", self._accept, role, listener)
        self._spawn("ticker", self._tick)
        return resources

    def stop(self) -> None:
        """Close every connection and port, and wait for the threads; may be called twice."""
        self._stopping.set()
        for listener in self._listeners:
            listener.close()
        with self.lock:
            connections = list(self._sockets)
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in list(self._threads):
            thread.join(PATIENCE)
        self._threads.clear()
        self._listeners.clear()

    def _spawn(
        self, name: str, target: Callable[..., None], *arguments: object
    ) -> threading.Thread:
        thread = threading.Thread(target=target, args=arguments, name=f"bench {name}", daemon=True)
        with self.lock:
            self._threads = [each for each in self._threads if each.is_alive()]
            self._threads.append(thread)
            thread.start()
        return thread

    # Time.

    def advance(self) -> None:
        """Bring the bench to wall time; under the lock."""
        clock = self.bench.clock
        due = self._begun + (self._wall() - self._begun_wall) * self._scale
        if due > clock.now():
            clock.sleep(due - clock.now())
        _ = self.bench.device  # the physics too: in small steps rather than in one large one

    def _tick(self) -> None:
        try:
            while not self._stopping.wait(TICK):
                with self.lock:
                    self.advance()
        finally:
            self._stopping.set()  # without a ticker no lease lapses: serve nobody any longer

    def _wait_until(self, time: float, generation: int) -> bool:
        """Wait until the bench's own count reaches `time`; False if a stop or reset came first."""
        while not self._stopping.is_set():
            with self.lock:
                self.advance()
                if self.bench.generation != generation:
                    return False
                left = time - self.bench.clock.time
            if left <= 0:
                return True
            self._stopping.wait(min(left / self._scale, _POLL))
        return False

    # Connections.

    def _accept(self, role: str, listener: socket.socket) -> None:
        clients: list[threading.Thread] = []
        while not self._stopping.is_set():
            try:
                connection, _ = listener.accept()
            except TimeoutError:
                continue
            except OSError:
                return  # closed by `stop`
            clients = [each for each in clients if each.is_alive()]
            if len(clients) >= CLIENTS or self._stopping.is_set():
                connection.close()
                continue
            with self.lock:
                self._sockets.add(connection)
            clients.append(self._spawn(f"{role} client", self._serve, role, connection))

    def _serve(self, role: str, connection: socket.socket) -> None:
        try:
            connection.settimeout(None)
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._converse(role, connection)
        except OSError:
            pass  # the client is gone, or `stop` shut the connection
        finally:
            with self.lock:
                self._sockets.discard(connection)
            connection.close()

    def _converse(self, role: str, connection: socket.socket) -> None:
        held, skipping = b"", False
        while not self._stopping.is_set():
            data = connection.recv(65_536)
            if not data:
                return
            *lines, held = (held + data).split(b"\n")
            for line in lines:
                if skipping:
                    skipping = False  # the end of the line that was thrown away
                elif reply := self._exchange(role, line):
                    connection.sendall(reply)
            if len(held) > LONGEST_LINE:
                if not skipping:
                    self._overrun(role)
                held, skipping = b"", True

    def _overrun(self, role: str) -> None:
        with self.lock:
            detail = f"a line of more than {LONGEST_LINE} bytes"
            self.bench.instruments[role].report(ScpiError(-363, detail))

    def _exchange(self, role: str, line: bytes) -> bytes:
        """Obey one message at its time, and return its reply at its time."""
        while True:
            with self.lock:
                self.advance()
                generation = self.bench.generation
                instrument = self.bench.instruments[role]
                free = instrument.busy_until
                if free <= self.bench.clock.time:
                    reply = instrument.receive(line)
                    break
            if not self._wait_until(free, generation):
                return b""
        while isinstance(reply, Pending):
            if not self._wait_until(reply.ready, generation):
                return b""
            with self.lock:
                reply = completed(reply)
        return reply
