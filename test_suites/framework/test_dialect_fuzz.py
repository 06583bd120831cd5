"""Every command of every model under parameters of any kind: refused or obeyed, never a defect."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.device.console import Console
from hil_instruments.simulated.scpi import Exchange, Instrument
from hil_instruments.simulated.scpi.headers import variants

VALUES = (
    *("0", "1", "2", "-1", "1e9", "1e-9", "1e300", "-1e300", "0.5", "100", "1 mA", "1 V", "1 s"),
    *("MIN", "MAX", "DEF", "INF", "ON", "OFF", "AUTO", "CH1", "CHAN1", "BUS", "IMM", "REAL"),
    *("'CURR'", '"VOLT"', "'defbuffer1'", "''", "(@101)", "(@101:110)", "#15abcde", "#0a", "#HFF"),
)


@cache
def twin() -> SimulatedBench:
    return SimulatedBench(read_device(None), read_bench(None))


def failing(role: str) -> Instrument:
    """Whoever would have failed in a role: the firmware's console for the device under test."""
    console = getattr(twin().device.firmware, "console", None)
    return console if role == "stimulator" and console is not None else twin().instruments[role]


@st.composite
def messages(draw: st.DrawFn, kind: type[Instrument]) -> bytes:
    """Draw a message of up to three units from a model's own table."""
    units = []
    for pattern in draw(st.lists(st.sampled_from(sorted(kind.commands())), min_size=1, max_size=3)):
        path = draw(st.sampled_from(variants(pattern)))
        nodes = [
            min(each.forms()) + (str(draw(st.integers(0, 5))) if each.slot else "") for each in path
        ]
        values = ",".join(draw(st.lists(st.sampled_from(VALUES), max_size=3)))
        units.append(f":{':'.join(nodes)}{'?' * pattern.endswith('?')} {values}")
    return ";".join(units).replace(":*", "*").encode()


@pytest.mark.parametrize("role", sorted(read_bench(None).instruments))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_no_message_makes_a_handler_fail(role: str, data: st.DataObject) -> None:
    bench = twin()
    bench.reset(seed=0)
    bench.exchange("supply", ":APPL CH1,9,1;:OUTP CH1,ON")
    bench.clock.sleep(1.0)
    exchange = Exchange(bench.instruments[role])
    kind = Console if role == "stimulator" else type(bench.instruments[role])
    for message in data.draw(st.lists(messages(kind), min_size=1, max_size=6)):
        exchange.write(message)
        bench.clock.advance(bench.clock.time + 0.05)
        exchange.read()
    assert failing(role).defect is None
    exchange.clear()
    exchange.write(b"*CLS;*IDN?")
    bench.clock.advance(bench.clock.time + 10.0)
    assert b"SIM-" in exchange.read()[0]
