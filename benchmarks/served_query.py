"""Query rate of the served bench over SOCKET, HiSLIP and VXI-11, beside a raw socket echo.

    python benchmarks/served_query.py

The bench runs in a process of its own, as under `hil serve`; the client is plain pyvisa-py. Prints
queries, write-and-query pairs and measurements a second, best of several rounds taken in turn, the
client's own processor time for each, and the median over the rounds of their ratio to a peer of the
same round: so it tells something on a machine that has other work too. SOCKET is measured as
pyvisa-py is shipped (Nagle's algorithm on) and with TCP_NODELAY set on its socket, as our transport
sets it; and through PyMeasure, where that is installed (`make bench` runs this where it is).
Budget: pairs of our transport over SOCKET at least 60 % of a raw socket's rate on the same bench,
and 300 times those of plain pyvisa-py; a driver's call that becomes a measurement with its budget
at least 70 % of the rate at which bare pyvisa-py asks the same question.
"""

from __future__ import annotations

import importlib.util
import multiprocessing
import socket
import statistics
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection

import pyvisa
from pyvisa.resources import MessageBasedResource

from hil.exact import Exact
from hil.measurement import Calibration, Component, Measurement
from hil_fixtures.clocks import WallClock
from hil_fixtures.config import read_bench, read_device
from hil_instruments import drivers, transport
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
REACH, TIMES, DRIVEN = 0.6, 300, 0.7
"""What the budget asks for: share of a raw socket's pairs, times those of pyvisa-py, share of its
queries."""
DEVICE = "stimulator"
"""Who is asked for a measured value."""
BOOT = 1.0
"""Seconds after which it answers."""
NO_DELAY = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def serve_bench(parent: Connection) -> None:
    """Serve the built-in bench until told to stop."""
    bench = SimulatedBench(read_device(None), read_bench(None))
    bench.feed(9.0, 1.0)
    server = BenchServer(bench, wall=time.monotonic)
    server.start()
    found = {each.value: server.resources[each][ROLE] for each in Protocol}
    sockets = server.resources[Protocol.SOCKET]
    parent.send({**found, "beside": sockets[BESIDE], "device": sockets[DEVICE]})
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


def rate(action: Callable[[], None]) -> tuple[float, float]:
    """Actions a second, and processor time of this thread for one in s."""
    count, begin, worked = 0, time.perf_counter(), time.thread_time()
    while (took := time.perf_counter() - begin) < SECONDS:
        action()
        count += 1
    return count / took, (time.thread_time() - worked) / count


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


def measurements(manager: pyvisa.ResourceManager, name: str) -> dict[str, Callable[[], None]]:
    """A measured value: as bare pyvisa-py, PyMeasure and our driver hand it over."""
    profile, entry = read_device(None), read_bench(None).instruments[DEVICE]
    question = profile.wire.commands["query_current"]
    bare = manager.open_resource(name, read_termination="\n", write_termination="\n")
    if not isinstance(bare, MessageBasedResource):
        raise TypeError(name)
    session = transport.open_session(manager, name, WallClock(), role=DEVICE)
    parts = (session, WallClock(), entry, Calibration.VALID)
    driver = drivers.stimulator(*parts, profile)

    def measured_value() -> None:
        value = Exact.of(driver.claimed_current())
        Measurement(
            value.base,
            value.dimension,
            (Component("accuracy", 1e-6),),
            calibration=Calibration.VALID,
        )

    def asked() -> None:
        bare.query(question)

    found = {"pyvisa-py, as shipped: value": asked, "our driver: value": measured_value}
    if importlib.util.find_spec("pymeasure") is not None:
        from pymeasure.adapters import VISAAdapter
        from pymeasure.instruments import Instrument

        ends = {"read_termination": "\n", "write_termination": "\n"}
        adapter = VISAAdapter(name, visa_library="@py", **ends)
        instrument = Instrument(adapter, DEVICE, includeSCPI=False)

        def read() -> None:
            instrument.values(question)

        found["PyMeasure: value"] = read
    return found


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
        **measurements(manager, resources["device"]),
    }


def main() -> None:
    """Measure everybody in turn, print the best of each."""
    context = multiprocessing.get_context("spawn")
    ends = []
    for target in (serve_bench, serve_echo):
        ours, theirs = context.Pipe()
        context.Process(target=target, args=(theirs,), daemon=True).start()
        ends.append(ours)
    resources, port = ends[0].recv(), ends[1].recv()
    time.sleep(BOOT)
    actions = contestants(resources, port)
    rates: dict[str, list[float]] = {label: [] for label in actions}
    worked: dict[str, list[float]] = {label: [] for label in actions}
    for _ in range(ROUNDS):
        for label, action in actions.items():
            found, own = rate(action)
            rates[label].append(found)
            worked[label].append(own)

    def ratio(label: str, peer: str) -> float:
        """Median of what the rounds give."""
        return statistics.median(a / b for a, b in zip(rates[label], rates[peer], strict=True))

    for label, each in rates.items():
        kind = label.rpartition(": ")[2]
        peer = "raw socket echo: query" if kind == "value" else f"raw socket echo: {kind}"
        own = min(worked[label]) * 1e6
        print(f"{label:32} {max(each):9.0f} /s   {ratio(label, peer):5.2f} of raw   {own:6.1f} us")
    pair = "our transport, SOCKET: pair"
    shipped = ratio(pair, "SOCKET, as shipped: pair")
    print(f"pairs of our transport: {shipped:.0f} times pyvisa-py as shipped (budget {TIMES})")
    served = ratio(pair, "raw socket to the bench: pair")
    print(f"pairs of our transport: {served:.2f} of a raw socket's to the bench (budget {REACH})")
    driven = ratio("our driver: value", "pyvisa-py, as shipped: value")
    print(f"measurements of our driver: {driven:.2f} of bare pyvisa-py's queries (budget {DRIVEN})")
    if "PyMeasure: value" in rates:
        print(f"beside PyMeasure's values: {ratio('our driver: value', 'PyMeasure: value'):.2f}")
    echoed = ratio("raw socket to the bench: pair", "raw socket echo: pair")
    print(f"pairs of the served bench over a raw socket: {echoed:.2f} of the echo's")
    ends[0].send("stop")


if __name__ == "__main__":
    main()
