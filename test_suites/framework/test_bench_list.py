"""Who stands on a bench, and a bench file of it that our own reader takes."""

import re

import pytest

from hil_fixtures import inventory
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
