"""The simulated bench over loopback TCP, seen by plain pyvisa-py and plain sockets."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource
from rich.console import Console

from hil.errors import BenchError, UsageError
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.plan import Options
from hil_fixtures.service import pointed_at, serve
from hil_fixtures.station import Kind, check_resources
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.device.device import Device
from hil_instruments.simulated.servers.control_client import ControlClient
from hil_instruments.simulated.servers.served import BenchServer, Protocol

PROFILE, BENCH = read_device(None), read_bench(None)


@pytest.fixture
def server() -> Iterator[BenchServer]:
    made = BenchServer(SimulatedBench(PROFILE, BENCH), wall=time.monotonic)
    yield made
    made.stop()
    assert made.failures == []


@pytest.fixture
def manager() -> Iterator[pyvisa.ResourceManager]:
    made = pyvisa.ResourceManager("@py")
    yield made
    made.close()


def opened(manager: pyvisa.ResourceManager, name: str) -> MessageBasedResource:
    resource = manager.open_resource(name, read_termination="\n", write_termination="\n")
    assert isinstance(resource, MessageBasedResource)
    return resource


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


def randbytes(count: int) -> bytes:
    return random.Random(3).randbytes(count)


def eventually(condition: Callable[[], bool], seconds: float = 2.0) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return False


EACH = pytest.mark.parametrize("protocol", Protocol)


@EACH
@pytest.mark.usefixtures("resources")
def test_pyvisa_py_talks_to_every_instrument(
    server: BenchServer, manager: pyvisa.ResourceManager, protocol: Protocol
) -> None:
    for role, name in server.resources[protocol].items():
        with opened(manager, name) as resource:
            if role == "supply":
                assert resource.query(":APPL CH1,9,1;:OUTP CH1,ON;:OUTP? CH1") == "ON"
            if role != "stimulator":
                assert resource.query("*IDN?").split(",")[2] == f"SIM-{role}-01"


@EACH
@pytest.mark.usefixtures("resources")
def test_pyvisa_py_reads_a_binary_block(
    server: BenchServer, manager: pyvisa.ResourceManager, protocol: Protocol
) -> None:
    with opened(manager, server.resources[protocol]["ammeter"]) as meter:
        meter.write("CONF:CURR:DC 0.01;:CURR:DC:APER 0.0002;:SAMP:COUN 500;:FORM REAL,64")
        values = meter.query_binary_values("READ?", "d", is_big_endian=True, container=np.array)
        assert len(values) == 500
        assert np.abs(values).max() < 1e-4
        assert meter.query("SYST:ERR?") == '+0,"No error"'


@pytest.mark.usefixtures("resources")
@pytest.mark.parametrize("protocol", [Protocol.HISLIP, Protocol.VXI11])
def test_pyvisa_py_polls_and_clears(
    server: BenchServer, manager: pyvisa.ResourceManager, protocol: Protocol
) -> None:
    with opened(manager, server.resources[protocol]["load"]) as load:
        load.write("*NONSENSE")
        assert load.read_stb() & 4
        load.clear()
        assert load.query("SYST:VERS?") == "1994.0"
        assert load.query("SYST:ERR?").startswith("-113")
        assert load.query("SYST:ERR?").startswith("+0")


@pytest.mark.usefixtures("resources")
def test_pyvisa_py_triggers_over_vxi11(
    server: BenchServer, manager: pyvisa.ResourceManager
) -> None:
    with opened(manager, server.resources[Protocol.VXI11]["load"]) as load:
        load.assert_trigger()
        assert load.query("SYST:ERR?").startswith("-211")


@pytest.mark.usefixtures("resources")
def test_a_lock_of_one_protocol_keeps_out_the_clients_of_every_other(
    server: BenchServer, manager: pyvisa.ResourceManager
) -> None:
    names = {protocol: each["load"] for protocol, each in server.resources.items()}
    with (
        opened(manager, names[Protocol.VXI11]) as owner,
        opened(manager, names[Protocol.HISLIP]) as second,
        opened(manager, names[Protocol.SOCKET]) as third,
    ):
        owner.lock_excl()
        second.timeout = third.timeout = 60
        for other in (second, third):
            with pytest.raises(pyvisa.errors.VisaIOError):
                other.query("*IDN?")
        assert "SIM-load-01" in owner.query("*IDN?")
        owner.unlock()
        second.timeout = 2000
        assert second.query("SYST:VERS?") == "1994.0"


@pytest.mark.usefixtures("resources")
def test_a_lock_ends_with_its_client(server: BenchServer, manager: pyvisa.ResourceManager) -> None:
    names = {protocol: each["load"] for protocol, each in server.resources.items()}
    owner = opened(manager, names[Protocol.VXI11])
    owner.lock_excl()
    with opened(manager, names[Protocol.HISLIP]) as other:
        other.write("SYST:VERS?")
        sessions = manager.visalib.sessions  # type: ignore[attr-defined]  # of pyvisa-py
        killed = sessions[owner.session].interface.sock
        with socket.socket(fileno=os.dup(killed.fileno())) as twin:
            twin.shutdown(socket.SHUT_RDWR)  # as of a client that was killed
        assert other.read() == "1994.0"


@EACH
@pytest.mark.usefixtures("resources")
def test_two_clients_of_one_instrument_each_get_their_own_replies(
    server: BenchServer, manager: pyvisa.ResourceManager, protocol: Protocol
) -> None:
    name = server.resources[protocol]["load"]
    with opened(manager, name) as first, opened(manager, name) as second:
        first.write("*IDN?")
        second.write("SYST:VERS?")
        assert second.read() == "1994.0"
        assert "SIM-load-01" in first.read()
        assert first.query("SYST:ERR?").startswith("+0")


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


def test_a_client_that_never_reads_does_not_hang_the_others(resources: dict[str, str]) -> None:
    with connect(resources["load"]) as greedy, connect(resources["load"]) as other:
        greedy.settimeout(0.3)
        with pytest.raises(TimeoutError):
            greedy.sendall(b"*IDN?\n" * 2_000_000)
        begin = time.monotonic()
        assert "SIM-load-01" in ask(other, "*IDN?")
        assert time.monotonic() - begin < 1.0


def test_an_endless_line_is_thrown_away_and_told(resources: dict[str, str]) -> None:
    with connect(resources["load"]) as client:
        for _ in range(40):
            client.sendall(b"x" * 10_000)
        assert ask(client, "\nSYST:ERR?").startswith("-363")
        assert ask(client, "SYST:ERR?").startswith("+0")


def test_a_megabyte_of_garbage_leaves_the_instrument_answering(
    resources: dict[str, str], server: BenchServer
) -> None:
    with connect(resources["load"]) as client, connect(resources["load"]) as other:
        sender = threading.Thread(target=client.sendall, args=(randbytes(1_000_000),))
        sender.start()
        begin = time.monotonic()
        assert "SIM-load-01" in ask(other, "*IDN?")
        assert time.monotonic() - begin < 1.0
        sender.join()
        client.settimeout(10)
        assert ask(client, "\n*CLS;:SYST:VERS?").endswith("1994.0")
        assert ask(client, "SYST:ERR?").startswith("+0")
    assert server.failures == []


def test_a_message_may_come_in_pieces_and_several_in_one(resources: dict[str, str]) -> None:
    with connect(resources["load"]) as client:
        client.sendall(b"SYST:V")
        time.sleep(0.02)
        assert ask(client, "ERS?\nSYST:ERR?").startswith("1994.0")


def test_a_vanished_client_leaves_the_server_working(resources: dict[str, str]) -> None:
    client = connect(resources["load"])
    client.sendall(b"*IDN?\n" * 1000)
    client.close()
    with connect(resources["load"]) as other:
        assert "SIM-load-01" in ask(other, "*IDN?")


def test_it_listens_on_loopback_only(server: BenchServer, resources: dict[str, str]) -> None:
    assert all(name.split("::")[1] == "127.0.0.1" for name in resources.values())
    assert len({name.split("::")[2] for name in resources.values()}) == len(BENCH.instruments)


def test_a_served_bench_that_nobody_uses_sleeps(resources: dict[str, str]) -> None:
    del resources
    begin, used = time.monotonic(), time.process_time()
    time.sleep(0.3)
    assert time.process_time() - used < 0.3 * (time.monotonic() - begin)


def test_it_is_offered_on_what_was_chosen_alone() -> None:
    server = BenchServer(
        SimulatedBench(PROFILE, BENCH), wall=time.monotonic, protocols=[Protocol.HISLIP]
    )
    try:
        assert all("hislip0," in name for name in server.start().values())
        assert list(server.resources) == [Protocol.HISLIP]
    finally:
        server.stop()


def test_nothing_to_be_offered_on_is_refused() -> None:
    with pytest.raises(UsageError, match="allowed: socket, hislip, vxi11"):
        BenchServer(SimulatedBench(PROFILE, BENCH), wall=time.monotonic, protocols=[])


@EACH
@pytest.mark.usefixtures("resources")
def test_a_bench_file_may_point_at_any_protocol(server: BenchServer, protocol: Protocol) -> None:
    served = pointed_at(BENCH, server.resources[protocol], 1.0)
    assert check_resources(served) is Kind.SERVED


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


class Breaking(SimulatedBench):
    """A bench whose physics fails when it is told to."""

    failure: Exception | None = None

    @property
    def device(self) -> Device:
        if self.failure is not None:
            raise self.failure
        return super().device


def test_a_firmware_that_crashes_is_noted_and_served_on(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    bench = Breaking(PROFILE, BENCH)
    server = BenchServer(bench, wall=time.monotonic, protocols=[Protocol.SOCKET])
    resources = server.start()
    try:
        bench.failure = BenchError("the firmware crashed")
        assert eventually(lambda: "the firmware crashed" in server.failures)
        bench.failure = None
        with connect(resources["load"]) as load:
            assert "SIM-load-01" in ask(load, "*IDN?")
        server.check()
    finally:
        server.stop()
    assert (caplog.text, *capfd.readouterr()) == ("", "", "")


def test_a_bench_that_breaks_ends_the_serving_and_says_why(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    bench = Breaking(PROFILE, BENCH)
    server = BenchServer(bench, wall=time.monotonic, protocols=[Protocol.SOCKET])
    resources = server.start()
    try:
        with connect(resources["load"]) as load:
            ask(load, "*IDN?")
            bench.failure = ZeroDivisionError("physics")
            assert eventually(lambda: server.failed)
            assert load.recv(1) == b""
        with pytest.raises(BenchError, match="ZeroDivisionError: physics"):
            server.check()
    finally:
        server.stop()
    assert (caplog.text, *capfd.readouterr()) == ("", "", "")


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_a_scale_that_is_no_pace_is_refused(scale: float) -> None:
    with pytest.raises(UsageError, match="scale"):
        BenchServer(SimulatedBench(PROFILE, BENCH), scale, wall=time.monotonic)


def test_a_port_for_nobody_is_refused() -> None:
    twin = SimulatedBench(PROFILE, BENCH)
    with pytest.raises(UsageError, match="no role"):
        BenchServer(twin, wall=time.monotonic, ports={"nobody": 0})


# As `hil serve`.


def test_serving_over_an_unknown_protocol_is_refused_and_writes_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="gpib; allowed: socket, hislip, vxi11"):
        serve(tmp_path / "b.toml", Options(), 1.0, ["gpib"], Console())
    assert list(tmp_path.iterdir()) == []


def test_hil_serve_points_at_the_chosen_protocol_and_names_its_control_port(
    tmp_path: Path, manager: pyvisa.ResourceManager
) -> None:
    line = [sys.executable, "-c", "from hil_fixtures.cli import main; main()", "serve", "b.toml"]
    with subprocess.Popen(
        [*line, "--protocol", "hislip", "--scale", "5"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as server:
        assert server.stdout is not None
        assert server.stderr is not None
        said = list(iter(server.stdout.readline, "Ctrl-C ends it\n"))
        described = read_bench(tmp_path / "b.toml")
        name = described.instruments["load"].resource
        with opened(manager, name) as load:
            assert "SIM-load-" in load.query("*IDN?")
        port = int(next(text for text in said if "control" in text).split()[3].rstrip(","))
        with ControlClient(port) as control:
            assert control.do("truth")["scale"] == 5
        server.terminate()
        assert server.wait(10) == 0
        assert "hislip0," in name
        assert described.clock_scale == 5
        assert server.stderr.read() == ""
    assert not (tmp_path / "b.toml").exists()
