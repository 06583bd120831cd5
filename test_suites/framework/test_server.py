"""The simulated bench over loopback TCP, seen by plain pyvisa-py and plain sockets."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource

from hil.errors import UsageError
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.server import BenchServer

PROFILE, BENCH = read_device(None), read_bench(None)


@pytest.fixture
def server() -> Iterator[BenchServer]:
    made = BenchServer(SimulatedBench(PROFILE, BENCH), wall=time.monotonic)
    yield made
    made.stop()


@pytest.fixture
def resources(server: BenchServer) -> dict[str, str]:
    return server.start()


def connect(resource: str) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", int(resource.split("::")[2])), timeout=2)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def ask(connection: socket.socket, message: str) -> str:
    connection.sendall(message.encode() + b"\n")
    reply = b""
    while not reply.endswith(b"\n"):
        data = connection.recv(65536)
        if not data:
            raise ConnectionError(message)
        reply += data
    return reply.decode().rstrip("\n")


def eventually(condition: Callable[[], bool], seconds: float = 2.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


def test_pyvisa_py_talks_to_every_instrument(resources: dict[str, str]) -> None:
    manager = pyvisa.ResourceManager("@py")
    try:
        for role, name in resources.items():
            opened = manager.open_resource(name, read_termination="\n", write_termination="\n")
            assert isinstance(opened, MessageBasedResource)
            if role == "supply":
                assert opened.query(":APPL CH1,9,1;:OUTP CH1,ON;:OUTP? CH1") == "ON"
            if role != "stimulator":
                assert opened.query("*IDN?").split(",")[2] == f"SIM-{role}-01"
            opened.close()
    finally:
        manager.close()


def test_pyvisa_py_reads_a_binary_block(resources: dict[str, str]) -> None:
    manager = pyvisa.ResourceManager("@py")
    try:
        meter = manager.open_resource(
            resources["ammeter"], read_termination="\n", write_termination="\n"
        )
        assert isinstance(meter, MessageBasedResource)
        meter.write("CONF:CURR:DC 0.01;:CURR:DC:APER 0.0002;:SAMP:COUN 500;:FORM REAL,64")
        values = meter.query_binary_values("READ?", "d", is_big_endian=True, container=np.array)
        assert len(values) == 500
        assert np.abs(values).max() < 1e-4
        assert meter.query("SYST:ERR?") == '+0,"No error"'
        meter.close()
    finally:
        manager.close()


def test_bench_time_follows_the_wall_and_a_slow_query_waits(resources: dict[str, str]) -> None:
    with connect(resources["ammeter"]) as meter:
        ask(meter, "CONF:CURR:DC 0.01;:CURR:DC:APER 0.2;ZERO:AUTO OFF;:SYST:ERR?")
        begin = time.monotonic()
        ask(meter, "READ?")
        assert 0.19 < time.monotonic() - begin < 1.0


def test_other_instruments_answer_while_one_measures(resources: dict[str, str]) -> None:
    with connect(resources["ammeter"]) as meter, connect(resources["cutoff"]) as cutoff:
        meter.sendall(b"CONF:CURR:DC 0.01;:CURR:DC:APER 1;ZERO:AUTO OFF;:READ?\n")
        begin = time.monotonic()
        assert ask(cutoff, "REL:STAT?") == "OPEN"
        assert time.monotonic() - begin < 0.5


def test_a_lease_lapses_although_nobody_speaks(
    server: BenchServer, resources: dict[str, str]
) -> None:
    with connect(resources["cutoff"]) as cutoff:
        ask(cutoff, "REL:CLOS 1;:SYST:ERR?")
        assert ask(cutoff, "REL:REN 0.2;STAT?") == "CLOSED"
    relay = server.bench.instruments["cutoff"]
    assert eventually(lambda: not relay.closed, 1.0)  # type: ignore[attr-defined]  # the cut-off


def test_the_scale_makes_bench_time_faster() -> None:
    server = BenchServer(SimulatedBench(PROFILE, BENCH), 50.0, wall=time.monotonic)
    resources = server.start()
    try:
        with connect(resources["cutoff"]) as cutoff:
            ask(cutoff, "REL:CLOS 1;:SYST:ERR?")
            begin = time.monotonic()
            ask(cutoff, "REL:REN 10;:SYST:ERR?")
            assert eventually(lambda: ask(cutoff, "REL:STAT?") == "OPEN", 2.0)
            assert 0.15 < time.monotonic() - begin < 1.0
    finally:
        server.stop()


def test_a_fifth_client_is_refused_and_a_freed_place_is_given_again(
    resources: dict[str, str],
) -> None:
    clients = [connect(resources["load"]) for _ in range(4)]
    try:
        for client in clients:
            assert "SIM-load-01" in ask(client, "*IDN?")
        with connect(resources["load"]) as fifth, pytest.raises(ConnectionError):
            ask(fifth, "*IDN?")
        clients.pop().close()

        def answered() -> bool:
            with connect(resources["load"]) as again:
                try:
                    return "SIM-load-01" in ask(again, "*IDN?")
                except ConnectionError:
                    return False

        assert eventually(answered)
    finally:
        for client in clients:
            client.close()


def test_an_endless_line_is_thrown_away_and_told(resources: dict[str, str]) -> None:
    with connect(resources["load"]) as client:
        for _ in range(40):
            client.sendall(b"x" * 10_000)
        assert ask(client, "\nSYST:ERR?").startswith("-363")
        assert ask(client, "SYST:ERR?").startswith("+0")


def test_a_message_may_come_in_pieces_and_several_in_one(resources: dict[str, str]) -> None:
    with connect(resources["load"]) as client:
        client.sendall(b"SYST:V")
        time.sleep(0.02)
        assert ask(client, "ERS?\nSYST:ERR?").startswith("1999.0")


def test_a_vanished_client_leaves_the_server_working(resources: dict[str, str]) -> None:
    client = connect(resources["load"])
    client.sendall(b"*IDN?\n" * 1000)
    client.close()
    with connect(resources["load"]) as other:
        assert "SIM-load-01" in ask(other, "*IDN?")


def test_it_listens_on_loopback_only(server: BenchServer, resources: dict[str, str]) -> None:
    assert all(name.split("::")[1] == "127.0.0.1" for name in resources.values())
    assert len({name.split("::")[2] for name in resources.values()}) == len(BENCH.instruments)


def test_stop_closes_everything_and_leaves_no_thread(server: BenchServer) -> None:
    resources = server.start()
    client = connect(resources["load"])
    ask(client, "*IDN?")
    server.stop()
    server.stop()
    left = [each.name for each in threading.enumerate() if each.name.startswith("bench ")]
    assert left == []
    assert client.recv(10) == b""
    client.close()
    with pytest.raises(ConnectionRefusedError):
        connect(resources["load"])


def test_a_taken_port_is_told_and_nothing_stays_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ports = {"supply": taken.getsockname()[1]}
        server = BenchServer(SimulatedBench(PROFILE, BENCH), wall=time.monotonic, ports=ports)
        before = threading.active_count()
        with pytest.raises(OSError, match="in use"):
            server.start()
        assert threading.active_count() == before


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_no_pace_is_refused(scale: float) -> None:
    with pytest.raises(UsageError, match="scale"):
        BenchServer(SimulatedBench(PROFILE, BENCH), scale, wall=time.monotonic)


def test_a_port_for_nobody_is_refused() -> None:
    twin = SimulatedBench(PROFILE, BENCH)
    with pytest.raises(UsageError, match="no role"):
        BenchServer(twin, wall=time.monotonic, ports={"nobody": 0})
