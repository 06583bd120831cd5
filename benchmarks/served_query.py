"""Query rate of the served bench over SOCKET, HiSLIP and VXI-11, beside a raw socket echo.

    python benchmarks/served_query.py

The bench runs in a process of its own, as under `hil serve`; the client is plain pyvisa-py. Prints
queries and write-and-query pairs a second, best of several rounds taken in turn, and their ratio to
an echo server of one thread a connection, over a plain socket. SOCKET is measured as pyvisa-py is
shipped (Nagle's algorithm on) and with TCP_NODELAY set on its socket, as our transport sets it;
and through PyMeasure, where that is installed (`make bench` runs this where it is).
Budget: pairs of our transport over SOCKET at least 60 % of a raw socket's rate on the same bench,
and 300 times those of plain pyvisa-py.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import socket
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import pyvisa
from pyvisa.resources import MessageBasedResource

from hil_fixtures.clocks import WallClock
from hil_fixtures.config import read_bench, read_device
from hil_instruments import transport
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.servers.served import BenchServer, Protocol

ROUNDS = 5
SECONDS = 0.4
"""Of each round of each contestant."""
ROLE = "load"
BESIDE = "supply"
"""Where a fifth client of a raw socket goes: an instrument takes four."""
QUESTION, ANSWER = "*ESE?", "0"
COMMAND = "*SRE 0"
REACH = 0.6
"""Share of the raw socket's pairs that the budget asks for."""
NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def serve_bench(parent: Connection) -> None:
    """Serve the built-in bench until told to stop."""
    bench = SimulatedBench(read_device(None), read_bench(None))
    server = BenchServer(bench, wall=time.monotonic)
    server.start()
    found = {each.value: server.resources[each][ROLE] for each in Protocol}
    parent.send({**found, "beside": server.resources[Protocol.SOCKET][BESIDE]})
    parent.recv()
    server.stop()


def serve_echo(parent: Connection) -> None:
    """Answer each line that ends with a question mark, one thread a connection."""
    listener = socket.create_server(("127.0.0.1", 0))
    parent.send(listener.getsockname()[1])

    def converse(peer: socket.socket) -> None:
        peer.setsockopt(*NO_DELAY)
        held = b""
        while data := peer.recv(65536):
            *lines, held = (held + data).split(b"\n")
            for line in lines:
                if line.endswith(b"?"):
                    peer.sendall(ANSWER.encode() + b"\n")

    while True:
        threading.Thread(target=converse, args=(listener.accept()[0],), daemon=True).start()


def rate(action: Callable[[], None]) -> float:
    """Actions a second."""
    count, begin = 0, time.perf_counter()
    while (took := time.perf_counter() - begin) < SECONDS:
        action()
        count += 1
    return count / took


def raw(port: int) -> dict[str, Callable[[], None]]:
    """Query and pair over a plain socket."""
    peer = socket.create_connection(("127.0.0.1", port))
    peer.setsockopt(*NO_DELAY)

    def query() -> None:
        peer.sendall(QUESTION.encode() + b"\n")
        peer.recv(4096)

    def pair() -> None:
        peer.sendall(COMMAND.encode() + b"\n")
        query()

    return {"raw socket echo: query": query, "raw socket echo: pair": pair}


def visa(
    label: str, manager: pyvisa.ResourceManager, name: str, *, no_delay: bool = False
) -> dict[str, Callable[[], None]]:
    """Query and pair over pyvisa-py."""
    found = manager.open_resource(name, read_termination="\n", write_termination="\n")
    if not isinstance(found, MessageBasedResource):
        raise TypeError(name)
    resource = found
    if no_delay:
        sessions = manager.visalib.sessions  # type: ignore[attr-defined]  # of pyvisa-py
        sessions[resource.session].interface.setsockopt(*NO_DELAY)

    def query() -> None:
        if resource.query(QUESTION) != ANSWER:
            raise ValueError(label)

    def pair() -> None:
        resource.write(COMMAND)
        query()

    return {f"{label}: query": query, f"{label}: pair": pair}


def measured(name: str) -> dict[str, Callable[[], None]]:
    """Query and pair over PyMeasure, which drives pyvisa-py; nothing where it is not installed."""
    if importlib.util.find_spec("pymeasure") is None:
        return {}
    from pymeasure.adapters import VISAAdapter
    from pymeasure.instruments import Instrument

    adapter = VISAAdapter(name, visa_library="@py", read_termination="\n", write_termination="\n")
    instrument = Instrument(adapter, ROLE, includeSCPI=False)

    def query() -> None:
        if instrument.ask(QUESTION) != ANSWER:
            raise ValueError(name)

    def pair() -> None:
        instrument.write(COMMAND)
        query()

    return {"PyMeasure, SOCKET: query": query, "PyMeasure, SOCKET: pair": pair}


def ours(manager: pyvisa.ResourceManager, name: str) -> dict[str, Callable[[], None]]:
    """Query and pair over our transport."""
    session = transport.open_session(manager, name, WallClock(), role=ROLE)

    def query() -> None:
        session.query(QUESTION)

    def pair() -> None:
        session.write(COMMAND)
        session.query(QUESTION)

    return {"our transport, SOCKET: query": query, "our transport, SOCKET: pair": pair}


def contestants(resources: dict[str, str], port: int) -> dict[str, Callable[[], None]]:
    """Every way to ask, by its label."""
    manager = pyvisa.ResourceManager("@py")
    name = resources["socket"]
    return {
        **raw(port),
        **{
            key.replace("echo", "to the bench"): action
            for key, action in raw(int(name.split("::")[2])).items()
        },
        **visa("SOCKET, as shipped", manager, name),
        **visa("SOCKET, no delay", manager, name, no_delay=True),
        **measured(resources["beside"]),
        **ours(manager, name),
        **visa("HiSLIP", manager, resources["hislip"]),
        **visa("VXI-11", manager, resources["vxi11"]),
    }


def main() -> None:
    """Measure everybody in turn, print the best of each."""
    context = multiprocessing.get_context("spawn")
    ends = []
    for target in (serve_bench, serve_echo):
        ours, theirs = context.Pipe()
        context.Process(target=target, args=(theirs,), daemon=True).start()
        ends.append(ours)
    actions = contestants(ends[0].recv(), ends[1].recv())
    best = dict.fromkeys(actions, 0.0)
    for _ in range(ROUNDS):
        for label, action in actions.items():
            best[label] = max(best[label], rate(action))
    for label, found in best.items():
        kind = label.rpartition(": ")[2]
        peer = best[f"raw socket echo: {kind}"]
        print(f"{label:32} {found:9.0f} /s   {found / peer:5.2f} of raw {kind}")
    shipped, our = best["SOCKET, as shipped: pair"], best["our transport, SOCKET: pair"]
    print(f"pairs of our transport: {our / shipped:.0f} times pyvisa-py as shipped (budget 300)")
    served = best["raw socket to the bench: pair"]
    print(f"pairs of our transport: {our / served:.2f} of a raw socket's to the bench ({REACH})")
    echoed = served / best["raw socket echo: pair"]
    print(f"pairs of the served bench over a raw socket: {echoed:.2f} of the echo's")
    ends[0].send("stop")


if __name__ == "__main__":
    main()
