"""Who stands on a bench, and a bench file of it that our own reader takes."""

import re
import sys
from types import SimpleNamespace

import pytest

from hil.errors import UsageError
from hil_fixtures import announcements, inventory
from hil_fixtures.config import read_bench, read_device, starter
from hil_instruments.simulated import backend
from hil_instruments.simulated.bench import SimulatedBench


@pytest.fixture
def bench():
    return read_bench(None)


@pytest.fixture
def manager(bench):
    return backend.resource_manager(SimulatedBench(read_device(None), bench))


def test_the_snippet_is_read_back_as_the_bench_it_was_found_on(bench, manager, tmp_path):
    entries = {role: each for role, each in bench.instruments.items() if role != "stimulator"}
    found = inventory.ask(manager, [each.resource for each in entries.values()], at_once=1)
    text = inventory.snippet(found)
    kept = starter("bench")
    for role in entries:
        kept, count = re.subn(rf"(?ms)^\[instruments\.{role}\].*?(?=^\[)", "", kept)
        assert count == 1
    file = tmp_path / "bench.toml"
    file.write_text(f"{kept}\n{text}\n", encoding="utf-8")
    read = read_bench(file)
    for role, entry in entries.items():
        assert read.instruments[role].resource == entry.resource
        assert read.instruments[role].driver == entry.driver
        assert read.instruments[role].serial.startswith("SIM-")


def test_a_resource_where_nobody_is_hides_no_other(bench, manager):
    names = ["TCPIP0::127.0.0.1::9::SOCKET", bench.instruments["ammeter"].resource]
    nobody, ammeter = inventory.ask(manager, names, timeout=0.2, at_once=1)
    assert nobody.identity is None
    assert "cannot be opened" in nobody.trouble
    assert (ammeter.driver, ammeter.roles[0]) == ("keysight-34465a", "ammeter")


def test_a_serial_line_is_not_opened_without_leave(manager):
    (line,) = inventory.ask(manager, ["ASRL/dev/none::INSTR"])
    assert "--probe" in line.trouble
    (line,) = inventory.ask(manager, ["ASRL/dev/none::INSTR"], probe=True, timeout=0.2)
    assert "cannot be opened" in line.trouble


# --- what says by itself that it is there ---------------------------------------------------------


class Told:
    """As zeroconf tells of a service."""

    def __init__(self, port, *hosts):
        self.port, self._hosts = port, hosts

    def parsed_addresses(self):
        return [*self._hosts]


ANNOUNCED = {
    ("_scpi-raw._tcp.local.", "scope"): Told(5555, "192.0.2.7", "fe80::1"),
    ("_vxi-11._tcp.local.", "scope"): Told(111, "192.0.2.7"),
    ("_hislip._tcp.local.", "meter"): Told(4880, "192.0.2.8"),
    ("_hislip._tcp.local.", "another"): Told(4881, "192.0.2.9"),
    ("_vxi-11._tcp.local.", "mute"): None,
}


class Network:
    """In place of zeroconf: a network on which three instruments announce themselves."""

    closed = 0

    class Zeroconf:
        def get_service_info(self, service, name, timeout):
            return ANNOUNCED[service, name]

        def close(self):
            Network.closed += 1

    @staticmethod
    def ServiceBrowser(heard, services, listener):  # noqa: N802  # zeroconf's own name
        for service, name in ANNOUNCED:
            assert service in services
            listener.add_service(heard, service, name)


def test_each_instrument_that_announces_itself_is_named_once(monkeypatch):
    monkeypatch.setitem(sys.modules, "zeroconf", Network)
    assert announcements.announced(0.0) == (
        "TCPIP0::192.0.2.7::5555::SOCKET",
        "TCPIP0::192.0.2.8::hislip0::INSTR",
        "TCPIP0::192.0.2.9::hislip0,4881::INSTR",
    )
    assert Network.closed == 1


def test_without_zeroconf_the_way_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "zeroconf", None)
    with pytest.raises(UsageError, match=r"pip install zeroconf \(LGPL.*--ask"):
        announcements.announced(0.0)


def test_a_serial_line_is_told_by_what_is_plugged_in(monkeypatch, manager):
    port = SimpleNamespace(device="/dev/ttyUSB0", description="FT232R", serial_number="A1")
    listed = SimpleNamespace(comports=lambda: [port])
    monkeypatch.setitem(sys.modules, "serial.tools.list_ports", listed)
    (line,) = inventory.ask(manager, ["ASRL/dev/ttyUSB0::INSTR"])
    assert line.trouble.startswith("serial line (FT232R, A1), not written to")
    monkeypatch.setitem(sys.modules, "serial.tools.list_ports", None)
    assert announcements.ports() == {}
