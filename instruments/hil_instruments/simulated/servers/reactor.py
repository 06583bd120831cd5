"""One thread that serves every connection: it sleeps until bytes come or something falls due.

No handler waits. What a client does not read is kept up to a bound, then that client is read no
further; what has no end is cut by its protocol. So no client can hang another, and the load is
bounded: one thread, so many connections a port, so many bytes a connection.
"""

from __future__ import annotations

import contextlib
import heapq
import selectors
import socket
import threading
import traceback
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from hil_instruments.simulated.servers.connection import (
    LINGER,
    READ,
    WRITE,
    Appointment,
    Connection,
    Speaker,
)

if TYPE_CHECKING:  # its pseudo-terminals are POSIX alone
    from hil_instruments.simulated.servers.serial_line import PtyEnd

HOST = "127.0.0.1"
TICK = 10e-3
"""Wall seconds after which the reactor looks at the time although nothing has come."""
COARSE = 1e-3
"""Wall seconds below which a wait does not look at the network."""
PATIENCE = 2.0
"""Wall seconds that `stop` gives the thread."""


class Reactor:
    """Listens, reads, writes and keeps appointments, in one thread of its own."""

    def __init__(
        self, wall: Callable[[], float], advance: Callable[[], None], lock: threading.RLock
    ) -> None:
        """Prepare; nothing runs yet, but `stop` is due.

        Args:
            wall: monotonic wall clock in s.
            advance: brings the world to wall time; called under the lock before anything else.
            lock: held by the thread while it works, never while it waits.
        """
        self.wall, self._lock = wall, lock
        self.failures: deque[str] = deque(maxlen=20)
        """What went wrong inside a handler; its connection was closed. Should stay empty."""
        self.failed = False
        """Whether the world itself broke: nothing is served any longer."""
        self.selector = selectors.DefaultSelector()
        self._advance = advance
        self._agenda: list[Appointment] = []
        self._soon: deque[Callable[[], None]] = deque()
        self._made = 0
        self._connections: dict[Connection, list[Connection]] = {}
        self._listeners: list[socket.socket] = []
        self._each: list[Callable[[], None]] = []
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()
        self._bell, self._rope = socket.socketpair()
        self._bell.setblocking(False)
        self._rope.setblocking(False)
        self.selector.register(self._bell, READ, self._answer_bell)

    def listen(self, port: int, clients: int, answer: Callable[[Connection], Speaker]) -> int:
        """Take connections on a port of the loopback interface.

        Args:
            port: 0 for a free one.
            clients: connections at a time; a further one is closed at once.
            answer: makes what speaks on a new connection.

        Returns:
            The port.

        Raises:
            OSError: it is taken.
        """
        listener = socket.create_server((HOST, port))
        listener.setblocking(False)
        self._listeners.append(listener)
        taken: list[Connection] = []

        def accept(_: int) -> None:
            try:
                raw, _ = listener.accept()
            except OSError:
                return
            if len(taken) >= clients:
                raw.close()
                return
            raw.setblocking(False)
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection = Connection(self, raw)
            self._connections[connection] = taken
            taken.append(connection)
            connection.begin(answer(connection))

        self.selector.register(listener, READ, accept)
        number: int = listener.getsockname()[1]
        return number

    def wire(self, end: PtyEnd, answer: Callable[[Connection], Speaker]) -> None:
        """Speak over a serial line until the reactor stops.

        Args:
            end: the instrument's end; it is closed at the end.
            answer: makes what speaks on it.
        """
        connection = Connection(self, end)
        self._connections[connection] = [connection]
        connection.begin(answer(connection))

    def dial(self, port: int, done: Callable[[Connection | None], None]) -> None:
        """Open a connection to a port of this machine; `done` gets it, or None if nobody answers.

        It is read only from `Connection.begin` on.
        """
        raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        raw.setblocking(False)
        connection = Connection(self, raw)
        self._connections[connection] = [connection]

        def answered(_: int = 0) -> None:
            overdue.cancelled = True
            with contextlib.suppress(KeyError):
                self.selector.unregister(raw)
            if raw.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                refused()
            else:
                done(connection)

        def refused() -> None:
            with contextlib.suppress(KeyError):
                self.selector.unregister(raw)
            connection.abort()
            done(None)

        overdue = self.after(LINGER, refused)
        with contextlib.suppress(BlockingIOError):
            raw.connect_ex((HOST, port))
        self.selector.register(raw, WRITE, answered)

    def forget(self, connection: Connection) -> None:
        """A connection is gone; its place is free."""
        self._connections.pop(connection, [connection]).remove(connection)

    def after(self, seconds: float, action: Callable[[], None]) -> Appointment:
        """Do something after so many wall seconds; cancel it by its `cancelled`."""
        self._made += 1
        appointment = Appointment(self.wall() + seconds, self._made, action)
        heapq.heappush(self._agenda, appointment)
        return appointment

    def soon(self, action: Callable[[], None]) -> None:
        """Do something after everybody else had a turn."""
        self._soon.append(action)

    def each_turn(self, action: Callable[[], None]) -> None:
        """Do something every time the reactor wakes, TICK apart at most."""
        self._each.append(action)

    def start(self) -> None:
        """Begin to serve."""
        self._thread = threading.Thread(target=self._run, name="bench reactor", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and port, and wait for the thread; may be called twice."""
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._rope.send(b"!")
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(PATIENCE)
            self._thread = None
        with self._lock:
            self._close_all()
            with contextlib.suppress(KeyError, ValueError):
                self.selector.unregister(self._bell)
            self.selector.close()
        self._bell.close()
        self._rope.close()

    def _close_all(self) -> None:
        for connection in list(self._connections):
            self._guard(connection.abort)
        for listener in self._listeners:
            with contextlib.suppress(KeyError, ValueError, RuntimeError):
                self.selector.unregister(listener)
            listener.close()
        self._listeners.clear()
        self._agenda.clear()
        self._soon.clear()

    def _answer_bell(self, _: int) -> None:
        with contextlib.suppress(OSError):
            self._bell.recv(64)

    def _run(self) -> None:
        watched = self.after(1.0, self._look_round)
        try:
            while not self._stopping.is_set():
                ready = self._wait(self._patience())
                with self._lock:
                    if self._stopping.is_set():
                        break
                    self._turn([(key.data, mask) for key, mask in ready])
        except Exception:  # the world broke, not a client: say so, serve nobody any longer
            self.failed = True
            self.failures.append(traceback.format_exc())
            with self._lock:
                self._close_all()
        finally:
            watched.cancelled = True

    def _wait(self, seconds: float) -> list[tuple[selectors.SelectorKey, int]]:
        """Sleep until bytes come, `seconds` at most; a selector alone counts in milliseconds."""
        if 0 < seconds < COARSE:
            ready = self.selector.select(0)
            if not ready:
                self._stopping.wait(seconds)
            return ready
        return self.selector.select(seconds)

    def _patience(self) -> float:
        if self._soon:
            return 0.0
        if not self._agenda:
            return TICK
        return min(max(self._agenda[0].wall - self.wall(), 0.0), TICK)

    def _turn(self, ready: list[tuple[Callable[[int], None], int]]) -> None:
        self._advance()
        for handler, mask in ready:
            try:
                handler(mask)
            except Exception:  # a fault of ours: it costs this client its connection, nobody else
                self._blame(handler)
        for _ in range(len(self._soon)):
            self._guard(self._soon.popleft())
        agenda = self._agenda
        if agenda:
            now = self.wall()
            while agenda and agenda[0].wall <= now:
                appointment = heapq.heappop(agenda)
                if not appointment.cancelled:
                    self._guard(appointment.action)
        for action in self._each:
            action()

    def _guard(self, action: Callable[[], None]) -> None:
        try:
            action()
        except Exception:  # as in _turn
            self._blame(action)

    def _blame(self, handler: Callable[..., None]) -> None:
        self.failures.append(traceback.format_exc())
        owner = getattr(handler, "__self__", None)
        connection = owner if isinstance(owner, Connection) else getattr(owner, "connection", None)
        if isinstance(connection, Connection):
            with contextlib.suppress(Exception):
                connection.abort()

    def _look_round(self) -> None:
        for connection in list(self._connections):
            connection.look()
        self.after(1.0, self._look_round)
