"""The control channel: what it sets, what it reads, and what it says to a bad request."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hil.errors import ConnectionLost, UsageError
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.scpi.exchange import Exchange
from hil_instruments.simulated.servers.control import LONGEST_LINE, Control
from hil_instruments.simulated.servers.control_client import ControlClient
from hil_instruments.simulated.servers.extremes import Extremes
from hil_instruments.simulated.servers.pace import Pace
from hil_instruments.simulated.servers.served import BenchServer, Protocol

PROFILE, BENCH = read_device(None), read_bench(None)
ORDERS = (
    "help",
    "truth",
    "load",
    "contact",
    "supply",
    "faults",
    "link",
    "power",
    "scale",
    "reset",
    "failures",
)


@pytest.fixture(scope="module")
def bench() -> SimulatedBench:
    return SimulatedBench(PROFILE, BENCH)


@pytest.fixture(scope="module")
def control(bench: SimulatedBench) -> Control:
    pace = Pace(bench, time.monotonic, 1.0)
    pace.begin()
    return Control(bench, pace, Extremes(bench), list)


def ask(control: Control, **request: object) -> dict[str, object]:
    answer: dict[str, object] = json.loads(control.answer(json.dumps(request).encode()))
    return answer


def result(control: Control, **request: object) -> object:
    answer = ask(control, **request)
    assert answer["ok"], answer
    return answer["result"]


def truth(control: Control, *path: str) -> object:
    found = result(control, do="truth")
    for name in path:
        assert isinstance(found, dict)
        found = found[name]
    return found


def test_help_lists_every_order_with_its_arguments(control: Control) -> None:
    listed = result(control, do="help")
    assert isinstance(listed, dict)
    assert tuple(listed) == ORDERS
    assert "2k" in listed["load"]["arguments"]["name"]


def test_a_load_is_connected_and_opened(control: Control) -> None:
    result(control, do="load", name="2k")
    assert truth(control, "load") == "2k"
    result(control, do="load", name=None)
    assert truth(control, "load") is None


def test_the_electrode_is_lifted_off_and_set_on_in_part(control: Control) -> None:
    result(control, do="contact", closed=False)
    assert truth(control, "contact") is False
    result(control, do="contact", closed=True, share=0.5)
    assert truth(control, "contact") is True


def test_the_supply_is_set_past_its_instrument(control: Control, bench: SimulatedBench) -> None:
    result(control, do="supply", volts=7.5, ohm=0)
    bench.clock.sleep(0.1)
    assert truth(control, "nodes", "supply") == pytest.approx(7.5, rel=0.05)
    assert truth(control, "powered") is True
    result(control, do="supply", volts=0)
    assert truth(control, "powered") is False


def test_faults_are_seeded_and_cleared_while_time_goes_on(
    control: Control, bench: SimulatedBench
) -> None:
    generation = bench.generation
    assert result(control, do="faults", set=["F11:severity=12%", "L01:role=ammeter"])
    faults = truth(control, "faults")
    assert isinstance(faults, list)
    assert [text[:3] for text in faults] == ["F11", "L01"]
    assert result(control, do="faults", set=[]) == []
    assert truth(control, "faults") == []
    assert bench.generation == generation


def test_a_link_gets_faults_of_its_own(control: Control, bench: SimulatedBench) -> None:
    result(control, do="link", role="load", set=[{"kind": "late", "first": 2, "extent": 0.5}])
    assert truth(control, "links", "load") == ["late"]
    assert bench.links["load"].faults[0].first == 2
    result(control, do="link", role="load", set=[])
    assert truth(control, "links", "load") == []


def test_an_instrument_without_mains_is_mute_and_comes_back(bench: SimulatedBench) -> None:
    control = Control(bench, Pace(bench, time.monotonic, 1.0), Extremes(bench), list)
    meter = Exchange(bench.instruments["ammeter"], stream=True)
    meter.write(b"*IDN?\n")
    assert meter.read()[0]
    result(control, do="power", role="ammeter", on=False)
    assert truth(control, "dark") == ["stimulator", "ammeter"]
    later = Exchange(bench.instruments["ammeter"], stream=True)
    for each in (meter, later):
        each.write(b"*IDN?\n")
        bench.clock.sleep(1)
        assert not each.waits
    result(control, do="power", role="ammeter", on=True)
    meter.write(b"*IDN?\n")
    assert b"34465A" in meter.read()[0]
    assert ask(control, do="power", role="stimulator", on=False)["ok"] is False


def test_a_cut_off_without_mains_opens_and_a_supply_feeds_no_longer() -> None:
    bench = SimulatedBench(PROFILE, BENCH)
    control = Control(bench, Pace(bench, time.monotonic, 1.0), Extremes(bench), list)
    cutoff, supply, load = (
        Exchange(bench.instruments[role], stream=True) for role in ("cutoff", "supply", "load")
    )
    supply.write(b":APPL CH1,9,1;:OUTP CH1,ON\n")
    cutoff.write(b"REL:CLOS 1\n")
    load.write(b"ROUT:CLOS (@104)\n")
    bench.clock.sleep(0.5)
    assert (truth(control, "relays", "cutoff"), truth(control, "powered")) == (True, True)
    for role in ("cutoff", "supply", "load"):
        result(control, do="power", role=role, on=False)
        cutoff.write(b"REL:CLOS 2\n")
        bench.clock.sleep(0.05)
    assert (truth(control, "relays", "cutoff"), truth(control, "powered")) == (False, False)
    assert truth(control, "load") == "2k", "the load's relays latch"


def test_the_largest_current_and_all_charge_are_remembered_until_a_reset() -> None:
    bench = SimulatedBench(PROFILE, BENCH)
    control = Control(bench, Pace(bench, time.monotonic, 1.0), Extremes(bench), list)
    asked = {role: Exchange(each, stream=True) for role, each in bench.instruments.items()}
    asked["supply"].write(b":APPL CH1,9,1;:OUTP CH1,ON\n")
    asked["cutoff"].write(b"REL:CLOS 1\n")
    asked["load"].write(b"ROUT:CLOS (@104)\n")
    bench.clock.sleep(0.5)
    asked["stimulator"].write(b"CURR 3 MA;RAMP 20;DOSE 10;:TREAT:STAR\n")
    for second in range(100):  # the circuit remembers 60
        asked["cutoff"].write(b"REL:REN 10\n")
        bench.clock.sleep(1)
        if second == 50:
            asked["stimulator"].write(b"TREAT:ABOR\n")
    charge = truth(control, "charge")
    assert isinstance(charge, float)
    assert charge > 0.1
    assert truth(control, "nodes", "current") == pytest.approx(0, abs=1e-6)
    assert truth(control, "most", "current") == pytest.approx(3e-3, rel=0.02)
    assert truth(control, "most", "charge") == pytest.approx(charge, rel=0.01)
    assert truth(control, "most", "driven") == pytest.approx(3e-3, rel=0.02)
    assert truth(control, "most", "driven_charge") == pytest.approx(charge, rel=0.01)
    result(control, do="reset", seed=1)
    assert truth(control, "most", "current") == pytest.approx(0, abs=1e-9)


def test_what_the_bench_source_drives_is_not_taken_for_the_device() -> None:
    bench = SimulatedBench(PROFILE, BENCH)
    control = Control(bench, Pace(bench, time.monotonic, 1.0), Extremes(bench), list)
    cutoff, supply, load = (
        Exchange(bench.instruments[role], stream=True) for role in ("cutoff", "supply", "load")
    )
    cutoff.write(b"REL:CLOS 1\n")
    load.write(b"ROUT:CLOS (@104)\n")
    load.write(b"ROUT:CLOS (@203)\n")
    supply.write(b":APPL CH2,20,0.02;:OUTP CH2,ON\n")
    for _ in range(10):
        cutoff.write(b"REL:REN 10\n")
        bench.clock.sleep(0.1)
    assert truth(control, "most", "current") == pytest.approx(20 / 12.1e3, rel=0.05)
    assert truth(control, "most", "driven") == pytest.approx(0, abs=1e-6)


def test_the_scale_is_set_and_time_does_not_jump(control: Control, bench: SimulatedBench) -> None:
    before = bench.clock.now()
    result(control, do="scale", scale=50)
    assert truth(control, "scale") == 50
    assert bench.clock.now() - before < 5
    result(control, do="scale", scale=1)


def test_a_reset_begins_anew(control: Control) -> None:
    result(control, do="load", name="2k")
    before = truth(control, "resets")
    result(control, do="reset", seed=7)
    assert truth(control, "resets") == before + 1  # type: ignore[operator]  # it is a number
    assert truth(control, "load") is None


def test_the_truth_names_nodes_relays_firmware_charge_and_time(control: Control) -> None:
    found = result(control, do="truth")
    assert isinstance(found, dict)
    assert {"current", "terminal", "supply", "boost"} <= set(found["nodes"])
    assert {"output", "cutoff"} <= set(found["relays"])
    assert found["firmware"]["state"] == "idle"
    assert found["charge"] == pytest.approx(0, abs=1e-6)
    assert found["time"] >= 0


def test_an_answer_repeats_the_id_of_its_request(control: Control) -> None:
    assert ask(control, do="truth", id="a7")["id"] == "a7"
    assert ask(control, do="nothing", id=[1])["id"] == [1]


BAD = {
    "another order": ({"do": "energise"}, ", ".join(ORDERS)),
    "no order": ({}, "help"),
    "an argument too many": ({"do": "truth", "at": 1}, "allowed: none"),
    "an argument too few": ({"do": "load"}, "allowed: name"),
    "an unknown load": ({"do": "load", "name": "3k"}, "2k"),
    "a load that is no text": ({"do": "load", "name": ["2k"]}, "2k"),
    "a contact that is no truth": ({"do": "contact", "closed": 1}, "true, false"),
    "a share of nothing": ({"do": "contact", "closed": True, "share": 0}, "to 1"),
    "too much supply": ({"do": "supply", "volts": 61}, "0 to 60"),
    "a supply that is no number": ({"do": "supply", "volts": True}, "0 to 60"),
    "a supply that is not finite": ({"do": "supply", "volts": float("nan")}, "0 to 60"),
    "an unknown fault": ({"do": "faults", "set": ["F99"]}, "F99"),
    "a fault that is no text": ({"do": "faults", "set": [1]}, "allowed: faults as text"),
    "faults that are no list": ({"do": "faults", "set": "F06"}, "allowed: a list"),
    "a link to nobody": ({"do": "link", "role": "x", "set": []}, "ammeter"),
    "an unknown link fault": (
        {"do": "link", "role": "load", "set": [{"kind": "lost"}]},
        "truncated",
    ),
    "a link fault of the wrong kind": (
        {"do": "link", "role": "load", "set": [{"kind": "late", "first": 1.5}]},
        "first = 1.5",
    ),
    "a link fault that is no object": ({"do": "link", "role": "load", "set": [1]}, "an object"),
    "power for nobody": ({"do": "power", "role": "x", "on": True}, "ammeter"),
    "power that is no truth": ({"do": "power", "role": "load", "on": 1}, "true, false"),
    "power for the device": ({"do": "power", "role": "stimulator", "on": False}, "supply"),
    "no pace": ({"do": "scale", "scale": 0}, "above 0"),
    "too fast a pace": ({"do": "scale", "scale": 1e4}, "1000"),
    "half a seed": ({"do": "reset", "seed": 1.5}, "a whole number"),
}


@pytest.mark.parametrize(("request_", "allowed"), BAD.values(), ids=BAD)
def test_a_bad_request_is_told_what_is_allowed(
    control: Control, request_: dict[str, object], allowed: str
) -> None:
    answer = ask(control, **request_)
    assert answer["ok"] is False
    assert allowed in str(answer["error"])


@pytest.mark.parametrize(
    "line", [b"", b"{", b"[]", b"7", b"\xff\xfe", b"[" * 60_000, b"x" * (LONGEST_LINE + 1)]
)
def test_what_is_no_request_is_told_what_one_looks_like(control: Control, line: bytes) -> None:
    answer = json.loads(control.answer(line))
    assert answer["ok"] is False
    assert "allowed: one" in answer["error"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda each: (
        st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3)
    ),
    max_leaves=6,
)


@given(
    order=st.sampled_from([*ORDERS, "x"]) | JSON,
    arguments=st.dictionaries(
        st.sampled_from(
            ["name", "closed", "share", "volts", "set", "role", "on", "scale", "seed", "id"]
        ),
        JSON,
        max_size=3,
    ),
)
def test_any_request_is_answered_and_leaves_no_defect(
    control: Control, order: object, arguments: dict[str, object]
) -> None:
    answer = ask(control, do=order, **arguments)
    assert answer["ok"] in {True, False}
    assert not control.defects


@given(line=st.binary(max_size=60))
def test_any_line_is_answered(control: Control, line: bytes) -> None:
    assert json.loads(control.answer(line))["ok"] is False or not control.defects


# Over the wire.


@pytest.fixture
def server() -> Iterator[BenchServer]:
    made = BenchServer(
        SimulatedBench(PROFILE, BENCH), wall=time.monotonic, protocols=[Protocol.SOCKET]
    )
    made.start()
    yield made
    made.stop()
    assert made.failures == []


def test_the_client_sets_and_reads(server: BenchServer) -> None:
    with ControlClient(server.control_port) as client:
        client.do("load", name="2k")
        assert client.do("truth")["load"] == "2k"
        with pytest.raises(UsageError, match="2k, "):
            client.do("load", name="3k")
        assert client.do("failures") == []


def test_a_client_without_a_server_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(ConnectionLost, match="hil serve"):
        ControlClient(port)


def test_a_server_that_stops_is_a_lost_connection(server: BenchServer) -> None:
    with ControlClient(server.control_port) as client:
        client.do("truth")
        server.stop()
        with pytest.raises(ConnectionLost):
            client.do("truth")


def test_a_late_reply_is_late_on_the_wire(server: BenchServer) -> None:
    port = int(server.resources[Protocol.SOCKET]["load"].split("::")[2])
    with (
        ControlClient(server.control_port) as client,
        socket.create_connection(("127.0.0.1", port), timeout=0.05) as load,
    ):
        client.do("link", role="load", set=[{"kind": "late", "every": 0, "extent": 0.1}])
        load.sendall(b"SYST:VERS?\n")
        with pytest.raises(TimeoutError):
            load.recv(100)
        load.settimeout(2)
        assert load.recv(100) == b"1994.0\n"


def test_a_dropped_connection_is_closed_and_a_new_one_works(server: BenchServer) -> None:
    port = int(server.resources[Protocol.SOCKET]["load"].split("::")[2])
    with ControlClient(server.control_port) as client:
        client.do("link", role="load", set=[{"kind": "dropped", "every": 0, "extent": 0.5}])
    with socket.create_connection(("127.0.0.1", port), timeout=2) as load:
        load.sendall(b"SYST:VERS?\n")
        assert load.recv(100) == b"199"
        assert load.recv(100) == b""
    with socket.create_connection(("127.0.0.1", port), timeout=2) as load:
        load.sendall(b"SYST:VERS?\n")
        assert load.recv(100) == b"1994.0\n"


def test_an_endless_request_is_answered_once_and_thrown_away(server: BenchServer) -> None:
    with socket.create_connection(("127.0.0.1", server.control_port), timeout=2) as client:
        client.sendall(b"x" * 200_000)
        replies = client.makefile("rb")
        assert b"more than" in replies.readline()
        client.sendall(b'\n{"do": "failures"}\n')
        assert json.loads(replies.readline())["ok"] is True


def test_open_connections_survive_a_reset_and_meet_the_fresh_instrument(
    server: BenchServer,
) -> None:
    port = int(server.resources[Protocol.SOCKET]["load"].split("::")[2])
    with (
        ControlClient(server.control_port) as client,
        socket.create_connection(("127.0.0.1", port), timeout=2) as load,
    ):
        load.sendall(b"*SRE 32;*SRE?\n")
        assert load.recv(100) == b"32\n"
        client.do("reset", seed=1)
        load.sendall(b"*SRE?\n")
        assert load.recv(100) == b"0\n"
