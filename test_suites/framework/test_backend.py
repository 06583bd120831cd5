"""The in-process VISA library: what pyvisa sees of the simulated bench."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import pyvisa
from pyvisa.constants import EventMechanism, EventType, ResourceAttribute, StatusCode
from pyvisa.resources import MessageBasedResource

from hil.bench import BenchDescription
from hil.errors import UsageError
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated import backend
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.faults.link import LinkFault

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
        role: replace(entry, resource=f"TCPIP0::SIM-{role}::5025::SOCKET")
        for role, entry in BENCH.instruments.items()
    }
    return replace(BENCH, instruments=entries)


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
    supplies = [open_role(each, "supply") for each in managers]
    supplies[0].write(":APPL CH1,9,1;:OUTP CH1,ON")
    assert [each.query(":OUTP? CH1") for each in supplies] == ["ON", "OFF"]
    for each in managers:
        each.close()


def test_a_closed_session_is_invalid(manager: pyvisa.ResourceManager) -> None:
    meter = open_role(manager, "ammeter")
    handle = meter.session
    meter.close()
    with pytest.raises(pyvisa.VisaIOError) as caught:
        manager.visalib.write(handle, b"*IDN?")
    assert caught.value.error_code == StatusCode.error_invalid_object


SERVICE, QUEUE, HANDLER = EventType.service_request, EventMechanism.queue, EventMechanism.handler


def slow_measurement(meter: MessageBasedResource) -> None:
    """Begin one that takes 0.4 s, and ask for service at its end."""
    meter.write("*CLS;*ESE 1;*SRE 32")
    meter.write("CONF:CURR:DC 0.01;:INIT;*OPC")


def test_a_request_for_service_is_awaited_in_bench_time(
    twin: SimulatedBench, manager: pyvisa.ResourceManager
) -> None:
    meter = open_role(manager, "ammeter")
    meter.enable_event(SERVICE, QUEUE)
    slow_measurement(meter)
    begin = twin.clock.now()
    response = meter.wait_on_event(SERVICE, 1000)
    assert (response.event.event_type, response.timed_out) == (SERVICE, False)
    assert twin.clock.now() - begin == pytest.approx(0.4, abs=0.01)
    assert [meter.read_stb(), meter.read_stb()] == [0x60, 0x20]


def test_a_request_that_does_not_come_times_out_on_the_bench_clock(
    twin: SimulatedBench, manager: pyvisa.ResourceManager
) -> None:
    meter = open_role(manager, "ammeter")
    meter.enable_event(SERVICE, QUEUE)
    slow_measurement(meter)
    begin = twin.clock.now()
    response = meter.wait_on_event(SERVICE, 100, capture_timeout=True)
    assert response.timed_out
    assert twin.clock.now() - begin == pytest.approx(0.1, abs=1e-3)


def test_an_endless_wait_for_a_request_is_refused_where_it_would_hang(
    twin: SimulatedBench, manager: pyvisa.ResourceManager
) -> None:
    supply = open_role(manager, "supply")
    supply.enable_event(SERVICE, QUEUE)
    twin.clock.sleep(100.0)
    with pytest.raises(UsageError, match="timeout"):
        supply.wait_on_event(SERVICE, None)


def test_an_event_must_be_enabled_and_is_none_of_a_socket(manager: pyvisa.ResourceManager) -> None:
    meter = open_role(manager, "ammeter")
    with pytest.raises(pyvisa.VisaIOError) as caught:
        meter.wait_on_event(SERVICE, 10)
    assert caught.value.error_code == StatusCode.error_not_enabled
    with pytest.raises(pyvisa.VisaIOError) as caught:
        meter.enable_event(EventType.clear, QUEUE)
    assert caught.value.error_code == StatusCode.error_invalid_event


def test_discarded_events_are_forgotten(manager: pyvisa.ResourceManager) -> None:
    meter = open_role(manager, "ammeter")
    meter.enable_event(SERVICE, QUEUE)
    meter.write("*SRE 4;NONSENSE")
    meter.discard_events(SERVICE, QUEUE)
    assert meter.wait_on_event(SERVICE, 10, capture_timeout=True).timed_out
    meter.disable_event(SERVICE, QUEUE)


def test_a_handler_is_called_after_the_call_that_noticed_the_request(
    manager: pyvisa.ResourceManager,
) -> None:
    meter, told = open_role(manager, "ammeter"), []

    def handler(session: int, kind: EventType, event: int, mark: object) -> None:
        told.append((session, kind, mark, meter.read_stb()))

    wrapped = meter.install_handler(SERVICE, handler, "mark")
    meter.enable_event(SERVICE, HANDLER)
    meter.write("*SRE 4;NONSENSE")
    assert told == [(meter.session, SERVICE, "mark", 0x44)]
    meter.uninstall_handler(SERVICE, handler, wrapped)
    meter.write("*CLS")
    meter.write("NONSENSE")
    assert len(told) == 1


def test_a_clear_ends_a_wait_of_the_instrument(manager: pyvisa.ResourceManager) -> None:
    meter = open_role(manager, "ammeter", timeout=100)
    meter.write("CONF:CURR:DC 0.01;:TRIG:SOUR BUS;:INIT;*WAI;*ESE 5")
    with pytest.raises(pyvisa.VisaIOError):
        meter.query("*ESE?")
    meter.clear()
    assert meter.query("*ESE?") == "+0"


def test_a_trigger_releases_a_wait_of_the_instrument(
    twin: SimulatedBench, manager: pyvisa.ResourceManager
) -> None:
    meter, other = open_role(manager, "ammeter"), open_role(manager, "ammeter")
    meter.write("CONF:CURR:DC 0.01;:TRIG:SOUR BUS;:INIT;*WAI;*ESE 5")
    other.assert_trigger()
    assert other.query("*ESE?") == "+0"
    twin.clock.sleep(0.5)
    assert meter.query("*ESE?") == "+5"


def test_a_poll_costs_bench_time_so_that_a_polling_loop_ends(
    twin: SimulatedBench, manager: pyvisa.ResourceManager
) -> None:
    meter = open_role(manager, "ammeter")
    meter.write("CONF:CURR:DC 0.01;:READ?")
    while not meter.read_stb() & 16:
        assert twin.clock.now() < 1.0
    assert abs(float(meter.read())) < 1e-4


def test_a_write_to_a_busy_instrument_returns_and_is_obeyed_later(
    twin: SimulatedBench, manager: pyvisa.ResourceManager
) -> None:
    cutoff = open_role(manager, "cutoff")
    begin = twin.clock.now()
    cutoff.write("CUT:CLOS 1")
    cutoff.write("*ESE 3")
    assert twin.clock.now() - begin < 1e-3
    assert cutoff.query("*ESE?") == "3"


def test_a_faulty_link_delivers_what_its_fault_says(manager: pyvisa.ResourceManager) -> None:
    bench = manager.visalib.bench
    meter = open_role(manager, "ammeter", timeout=100)
    bench.links["ammeter"].set([LinkFault(kind="late", every=0, extent=0.3)])
    with pytest.raises(pyvisa.VisaIOError):
        meter.query("SYST:VERS?")
    bench.clock.sleep(1.0)
    assert meter.read() == "1999.0"
    bench.links["ammeter"].set([LinkFault(kind="dropped")])
    with pytest.raises(pyvisa.VisaIOError) as caught:
        meter.query("SYST:VERS?")
    assert caught.value.error_code == StatusCode.error_connection_lost


def test_a_defect_of_an_instrument_is_not_hidden_in_process(
    twin: SimulatedBench, manager: pyvisa.ResourceManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    meter = open_role(manager, "ammeter")

    def broken() -> str:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr(twin.instruments["ammeter"], "_version", broken)
    with pytest.raises(ZeroDivisionError, match="a defect"):
        meter.query("SYST:VERS?")
    assert meter.query("SYST:ERR?").startswith("-310")
