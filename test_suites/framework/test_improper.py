"""Messages that a device must refuse: each is wrong in one way, in the words of that device."""

from dataclasses import replace

import pytest

from hil import improper
from hil.device import NO_WORDS, Polarity
from hil.errors import Unavailable
from hil.exact import Exact
from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated.bench import SimulatedBench

PROFILE = read_device(None)
HELD, OTHER = Exact.parse("2 mA"), Exact.parse("1 mA")


def told(device, text):
    """What the device says of a message: the first entry of its queue."""
    device.receive(text.encode() + b"\n")
    return device.receive(b"SYST:ERR?\n").decode().strip()


@pytest.fixture
def device():
    bench = SimulatedBench(PROFILE, read_bench(None), seed=1)
    bench.circuit.set_supply(9.0)
    bench.clock.sleep(0.5)
    bench.device.receive(b"*CLS\n")
    return bench.device


def test_the_healthy_device_refuses_each_and_keeps_its_setting(device):
    assert told(device, improper.worded(PROFILE, "set_current", HELD)) == '0,"No error"'
    for message in improper.always(PROFILE, HELD, OTHER):
        assert not told(device, message.text).startswith("0,"), message
        assert float(device.receive(b"SOUR:CURR?\n")) == 2e-3, message


def test_what_runs_is_locked_in_the_words_of_the_device(device):
    texts = [message.text for message in improper.running(PROFILE, Polarity.NEGATIVE)]
    assert texts == ["SOUR:POL POS", "TREAT:STAR", "SOUR:DOSE 80"]


def test_each_is_wrong_in_its_own_way():
    texts = [message.text for message in improper.always(PROFILE, HELD, OTHER)]
    assert len(set(texts)) == len(texts) == 16
    assert "SOUR:CURR 1,5 MA" in texts
    assert any(text.endswith("0.066536") for text in texts)  # 1 mA in a word of 16 bit, in uA


@pytest.mark.parametrize(
    ("picture", "value", "text"),
    [
        ("0000", "1.5 mA", "SOUR:CURR 0150"),
        ("0.00", "1.5 mA", "SOUR:CURR 150.00"),
        ("0000", "-1 mA", "SOUR:CURR -0100"),
        ("0000", "200 mA", "SOUR:CURR 20000"),
    ],
)
def test_a_value_out_of_range_is_written_in_the_digits_of_the_device(picture, value, text):
    wire = replace(
        PROFILE.wire, units={"current": Exact.parse("0.01 mA")}, numbers={"current": picture}
    )
    profile = replace(PROFILE, wire=wire)
    assert improper.worded(profile, "set_current", Exact.parse(value)) == text


def test_of_a_device_without_words_no_wrong_message_can_be_made():
    dumb = replace(PROFILE, wire=NO_WORDS)
    with pytest.raises(Unavailable, match=r"no words for 'set_current' in \[wire.commands\]"):
        improper.always(dumb, HELD, OTHER)
    with pytest.raises(Unavailable, match="set_polarity"):
        improper.running(dumb, Polarity.POSITIVE)
