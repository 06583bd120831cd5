"""The in-process VISA library: what pyvisa sees of the simulated bench."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import pyvisa
from pyvisa.constants import ResourceAttribute, StatusCode
from pyvisa.resources import MessageBasedResource

from hil.bench import BenchDescription
from hil.errors import UsageError
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated import backend
from hil_instruments.simulated.bench import SimulatedBench

PROFILE, BENCH = read_device(None), read_bench(None)


@pytest.fixture
def twin() -> SimulatedBench:
    return SimulatedBench(PROFILE, BENCH)


@pytest.fixture
def manager(twin: SimulatedBench) -> Iterator[pyvisa.ResourceManager]:
    made = backend.resource_manager(twin)
    yield made
    made.close()


def open_role(
    manager: pyvisa.ResourceManager, role: str, **settings: object
) -> MessageBasedResource:
    settings = {"read_termination": "\n", "write_termination": "\n", **settings}
    opened = manager.open_resource(BENCH.instruments[role].resource, **settings)
    assert isinstance(opened, MessageBasedResource)
    return opened


def test_query_and_list(manager: pyvisa.ResourceManager) -> None:
    assert sorted(manager.list_resources()) == sorted(
        e.resource for e in BENCH.instruments.values()
    )
    assert manager.list_resources("USB?*") == ()
    meter = open_role(manager, "ammeter")
    assert meter.query("*IDN?").split(",")[2] == "SIM-ammeter-01"
    assert meter.last_status == StatusCode.success_termination_character_read


@pytest.mark.parametrize("name", ["TCPIP0::SIM-NOBODY::inst0::INSTR", "GPIB0::7::INSTR"])
def test_an_unknown_resource_is_not_found(manager: pyvisa.ResourceManager, name: str) -> None:
    with pytest.raises(pyvisa.VisaIOError) as caught:
        manager.open_resource(name)
    assert caught.value.error_code == StatusCode.error_resource_not_found


def test_an_alias_of_the_name_opens_the_same_instrument(manager: pyvisa.ResourceManager) -> None:
    name = BENCH.instruments["ammeter"].resource.replace("TCPIP0", "TCPIP")
    opened = manager.open_resource(name, read_termination="\n")
    assert isinstance(opened, MessageBasedResource)
    assert "SIM-ammeter-01" in opened.query("*IDN?")


def test_a_read_ends_at_terminator_count_or_end(manager: pyvisa.ResourceManager) -> None:
    meter = open_role(manager, "ammeter")
    library = manager.visalib
    meter.write("SYST:VERS?")
    assert library.read(meter.session, 4) == (b"1999", StatusCode.success_max_count_read)
    data, status = library.read(meter.session, 100)
    assert (data, status) == (b".0\n", StatusCode.success_termination_character_read)
    meter.read_termination = None
    meter.write("SYST:VERS?")
    assert library.read(meter.session, 100) == (b"1999.0\n", StatusCode.success)


def test_a_long_reply_comes_in_chunks(
    twin: SimulatedBench, manager: pyvisa.ResourceManager
) -> None:
    meter = open_role(manager, "ammeter")
    meter.write("CONF:CURR:DC 0.01;:CURR:DC:APER 0.0005;:SAMP:COUN 5000;:FORM REAL,64;:INIT")
    twin.clock.sleep(5.0)
    meter.chunk_size = 1000
    meter.read_termination = None
    values = meter.query_binary_values("R?", "d", is_big_endian=True, container=np.array)
    assert len(values) == 5000
    assert np.abs(values).max() < 1e-4
    assert int(meter.query("DATA:POIN?")) == 0


def test_a_read_without_reply_times_out_on_the_bench_clock(
    twin: SimulatedBench, manager: pyvisa.ResourceManager
) -> None:
    meter = open_role(manager, "ammeter", timeout=700)
    meter.write("*CLS")
    begin = twin.clock.now()
    with pytest.raises(pyvisa.VisaIOError) as caught:
        meter.read()
    assert caught.value.error_code == StatusCode.error_timeout
    assert twin.clock.now() - begin == pytest.approx(0.7)
    assert meter.query("SYST:ERR?").startswith("-420")


def test_a_query_error_leaves_no_reply(manager: pyvisa.ResourceManager) -> None:
    meter = open_role(manager, "ammeter", timeout=100)
    with pytest.raises(pyvisa.VisaIOError):
        meter.query("NONSENSE?")
    assert meter.query("SYST:ERR?").startswith("-113")


def test_a_slow_reply_arrives_after_the_timeout_and_can_be_cleared(
    twin: SimulatedBench, manager: pyvisa.ResourceManager
) -> None:
    meter = open_role(manager, "ammeter", timeout=50)
    meter.write("CONF:CURR:DC 0.01")  # 10 line cycles: 0.4 s
    with pytest.raises(pyvisa.VisaIOError):
        meter.query("READ?")
    twin.clock.sleep(1.0)
    assert abs(float(meter.read())) < 1e-4  # the late reply
    meter.write("READ?")
    meter.clear()
    assert "SIM-" in meter.query("*IDN?")
    meter.timeout = 1000
    assert abs(float(meter.query("READ?"))) < 1e-4


def test_a_read_without_timeout_is_refused_where_it_would_hang(
    manager: pyvisa.ResourceManager,
) -> None:
    meter = open_role(manager, "ammeter", timeout=None)
    with pytest.raises(UsageError, match="finite timeout"):
        meter.read()


def test_an_unread_reply_is_interrupted_on_a_message_bus(manager: pyvisa.ResourceManager) -> None:
    meter = open_role(manager, "ammeter")
    meter.write("*IDN?")
    assert meter.query("SYST:VERS?") == "1999.0"
    assert meter.query("SYST:ERR?").startswith("-410")


def socketed() -> BenchDescription:
    entries = {
        role: type(entry)(role, entry.driver, f"TCPIP0::SIM-{role}::5025::SOCKET", "Maker", "Model")
        for role, entry in BENCH.instruments.items()
    }
    return type(BENCH)(**{**vars(BENCH), "instruments": entries})


def test_a_socket_keeps_old_replies_and_has_no_status_byte() -> None:
    description = socketed()
    manager = backend.resource_manager(SimulatedBench(PROFILE, description))
    meter = manager.open_resource(description.instruments["ammeter"].resource)
    assert isinstance(meter, MessageBasedResource)
    meter.read_termination = meter.write_termination = "\n"
    meter.write("*IDN?")
    assert "SIM-ammeter" in meter.query("SYST:VERS?")  # the stale one
    assert meter.read() == "1999.0"
    meter.write_raw(b"SYST:VE")
    meter.write_raw(b"RS?\nSYST:VERS?\n")
    assert [meter.read(), meter.read()] == ["1999.0", "1999.0"]
    with pytest.raises(pyvisa.VisaIOError) as caught:
        meter.read_stb()
    assert caught.value.error_code == StatusCode.error_nonsupported_operation
    meter.write_raw(b"x" * 70_000)
    meter.write_raw(b"\n")
    assert meter.query("SYST:ERR?").startswith("-363")
    manager.close()


def test_sessions_have_their_own_replies(manager: pyvisa.ResourceManager) -> None:
    first, second = open_role(manager, "ammeter"), open_role(manager, "ammeter")
    first.write("*IDN?")
    assert second.query("SYST:VERS?") == "1999.0"
    assert "SIM-ammeter" in first.read()


def test_serial_poll(manager: pyvisa.ResourceManager) -> None:
    meter = open_role(manager, "ammeter")
    assert meter.read_stb() == 0
    meter.write("*IDN?")
    assert meter.read_stb() == 16
    meter.read()
    meter.write("NONSENSE")
    assert meter.read_stb() == 4


def test_a_bus_trigger_starts_sampling(
    twin: SimulatedBench, manager: pyvisa.ResourceManager
) -> None:
    meter = open_role(manager, "ammeter")
    meter.write("CONF:CURR:DC 0.01;:CURR:DC:APER 0.001;:TRIG:SOUR BUS;:INIT")
    twin.clock.sleep(1.0)
    assert meter.query("DATA:POIN?") == "+0"
    meter.assert_trigger()
    twin.clock.sleep(1.0)
    assert meter.query("DATA:POIN?") == "+1"


def test_attributes(manager: pyvisa.ResourceManager) -> None:
    meter = open_role(manager, "ammeter", timeout=1234)
    assert meter.timeout == 1234
    assert meter.resource_class == "INSTR"
    with pytest.raises(pyvisa.VisaIOError) as caught:
        meter.get_visa_attribute(ResourceAttribute.gpib_primary_address)
    assert caught.value.error_code == StatusCode.error_nonsupported_attribute
    with pytest.raises(pyvisa.VisaIOError) as caught:
        meter.set_visa_attribute(ResourceAttribute.resource_class, "SOCKET")
    assert caught.value.error_code == StatusCode.error_attribute_read_only


def test_sessions_survive_a_reset_without_their_unread_replies(
    twin: SimulatedBench, manager: pyvisa.ResourceManager
) -> None:
    meter = open_role(manager, "ammeter", timeout=100)
    meter.write("*IDN?")
    twin.reset(seed=3)
    with pytest.raises(pyvisa.VisaIOError):
        meter.read()
    assert "SIM-ammeter-01" in meter.query("*IDN?")


def test_two_benches_are_two_worlds() -> None:
    benches = [SimulatedBench(PROFILE, BENCH) for _ in range(2)]
    managers = [backend.resource_manager(each) for each in benches]
    assert managers[0].visalib is not managers[1].visalib
    open_role(managers[0], "supply").write(":APPL CH1,9,1;:OUTP CH1,ON")
    assert [each.supply_volts for each in benches] == [9.0, 0.0]
    for each in managers:
        each.close()


def test_a_closed_session_is_invalid(manager: pyvisa.ResourceManager) -> None:
    meter = open_role(manager, "ammeter")
    handle = meter.session
    meter.close()
    with pytest.raises(pyvisa.VisaIOError) as caught:
        manager.visalib.write(handle, b"*IDN?")
    assert caught.value.error_code == StatusCode.error_invalid_object
