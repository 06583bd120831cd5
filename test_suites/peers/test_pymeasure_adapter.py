"""Instruments of PyMeasure in roles, over our session: what they clamp is refused before a byte.

PyMeasure is unmodified; the instruments are those of the simulated bench in this process.
"""

from dataclasses import replace

import pytest

from hil.bench import Attribute, InstrumentEntry, PyMeasureEntry
from hil.errors import ConfigurationError, InstrumentError, ReplyTimeout, UsageError
from hil.exact import Exact
from hil.measurement import Calibration
from hil.units import A, V, mA
from hil_fixtures.config import read_bench, read_device
from hil_instruments import drivers, transport
from hil_instruments.drivers import pymeasure_port
from hil_instruments.simulated.backend import resource_manager
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.physics.node import Node

pymeasure = pytest.importorskip("pymeasure.instruments.keithley")

E = Exact.parse
SOURCE = PyMeasureEntry(
    "pymeasure.instruments.keithley.Keithley6221",
    "OUTP OFF",
    {
        "value": Attribute("source_current", "A", E("-20 mA"), E("20 mA"), 1e-3, E("50 uA")),
        "limit": Attribute("source_compliance", "V", E("0.1 V"), E("105 V")),
        "output": Attribute("source_enabled"),
    },
    "6221 specifications HW 1/17/05 rev. B, range 100 mA",
)
SUPPLY = PyMeasureEntry(
    "pymeasure.instruments.keysight.KeysightE36312A",
    "OUTP OFF,(@2)",
    {
        "voltage": Attribute("ch_2.voltage_setpoint", "V", E("0 V"), E("25 V")),
        "current": Attribute("ch_2.current_limit", "A", E("0 A"), E("1 A")),
        "output": Attribute("ch_2.output_enabled"),
        "reading": Attribute("ch_2.voltage", "V", E("-1 V"), E("26 V"), 5e-4, E("5 mV")),
    },
)


class Rig:
    """One instrument of PyMeasure on the simulated bench, with all that was sent."""

    def __init__(self, role, entry, build):
        bench = read_bench(None)
        alone = {role: entry, "load": bench.instruments["load"]}
        self.sent = []
        self.bench = SimulatedBench(read_device(None), replace(bench, instruments=alone))
        self.session = transport.connect(
            resource_manager(self.bench), entry, self.bench.clock, self._hear
        )
        self.sent.clear()
        self.driver = build(self.session, self.bench.clock, entry, Calibration.VALID)

    def _hear(self, direction, text, now):
        if direction in {"write", "stop"}:
            self.sent.append(text)

    def truth(self, node):
        self.bench.clock.sleep(0.05)
        return self.bench.device.circuit.value(node)


def source(words=SOURCE):
    entry = InstrumentEntry(
        "stimulator",
        "pymeasure",
        "TCPIP0::SIM-SOURCE::inst0::INSTR",
        "KEITHLEY INSTRUMENTS INC.",
        "MODEL 6221",
        pymeasure=words,
    )
    rig = Rig("stimulator", entry, drivers.reference)
    rig.bench.exchange("load", "ROUT:CLOS (@102)")
    return rig


def supply(words=SUPPLY, model="E36312A", manufacturer="Keysight Technologies"):
    entry = replace(
        read_bench(None).instruments["supply"],
        driver="pymeasure",
        manufacturer=manufacturer,
        model=model,
        pymeasure=words,
    )
    return Rig("supply", entry, drivers.supply)


def changed(words, meaning, **more):
    attribute = replace(words.attributes[meaning], **more)
    return replace(words, attributes={**words.attributes, meaning: attribute})


def test_pymeasure_alone_clamps_5_a_to_105_ma_and_ours_sends_nothing():
    rig = source()
    alone = pymeasure_port.made(SOURCE.path, rig.session)
    alone.source_current = 5.0
    assert ":SOUR:CURR 0.105" in rig.sent  # what was asked is 5 A
    rig.sent.clear()
    with pytest.raises(
        UsageError, match=r"value of 5\.0 A was asked for; allowed: -20 mA to 20 mA"
    ):
        rig.driver.drive(5 * A, 20 * V)
    assert rig.sent == []


def test_a_source_of_pymeasure_drives_what_it_says_and_stops():
    rig = source()
    accuracy = rig.driver.drive(2 * mA, 20 * V)
    assert rig.driver.is_on()
    flows = rig.truth(Node.CURRENT)
    assert abs(flows - 2e-3) <= accuracy.gain * 2e-3 + accuracy.offset
    rig.driver.off()
    assert not rig.driver.is_on()
    assert rig.truth(Node.CURRENT) == 0


@pytest.mark.parametrize("value", [25 * mA, -25 * mA, float("nan") * mA, 1 * V])
def test_what_its_range_does_not_hold_is_never_sent(value):
    rig = source()
    with pytest.raises(UsageError, match="nothing was sent"):
        rig.driver.drive(value, 20 * V)
    assert rig.sent == []


def test_a_range_wider_than_that_of_pymeasure_is_found_by_the_readback_and_never_switched_on():
    rig = source(changed(SOURCE, "value", least=E("-10 A"), most=E("10 A")))
    with pytest.raises(InstrumentError, match=r"set to 5 A and reads back 0\.105"):
        rig.driver.drive(5 * A, 20 * V)
    assert not rig.driver.is_on()


def test_a_word_that_the_instrument_refuses_is_an_error():
    rig = supply(model="DP832", manufacturer="RIGOL TECHNOLOGIES")
    with pytest.raises(InstrumentError, match=r"refused ch_2\.voltage_setpoint = 9"):
        rig.driver.on(9 * V, 1 * A)
    assert "OUTPut 1, (@2)" not in rig.sent


def test_what_pymeasure_itself_refuses_is_an_error_of_the_instrument():
    rig = supply(changed(SUPPLY, "voltage", most=E("60 V")))
    with pytest.raises(InstrumentError, match="PyMeasure raises ValueError"):
        rig.driver.on(30 * V, 1 * A)


def test_a_name_that_pymeasure_does_not_have_would_be_stored_and_never_sent():
    with pytest.raises(ConfigurationError, match="no property 'source_curent'"):
        source(changed(SOURCE, "value", name="source_curent"))


def test_a_silent_instrument_poisons_our_session_and_nothing_goes_on():
    rig = source()
    rig.bench.instruments["stimulator"].receive = lambda message: None
    with pytest.raises(ReplyTimeout):
        rig.driver.is_on()
    assert rig.session.poisoned


def test_a_supply_of_pymeasure_feeds_the_device():
    rig = supply()
    rig.driver.on(9 * V, 1 * A)
    assert rig.driver.is_on()
    rig.bench.clock.sleep(0.5)
    assert float(rig.driver.output_voltage().m_as("V")) == pytest.approx(9, abs=0.05)
    rig.driver.off()
    assert not rig.driver.is_on()


def test_a_supply_is_refused_above_its_range():
    rig = supply()
    with pytest.raises(UsageError, match="allowed: 0 V to 25 V"):
        rig.driver.on(30 * V, 1 * A)
    assert rig.sent == []


FILE = """
[instruments.supply.pymeasure]
class = "pymeasure.instruments.keysight.KeysightE36312A"
off = "OUTP OFF,(@2)"
source = "E36312A data sheet, 12 months"

[instruments.supply.pymeasure.attributes]
voltage = { name = "ch_2.voltage_setpoint", unit = "V", least = "0 V", most = "25 V" }
current = { name = "ch_2.current_limit", unit = "A", least = "0 A", most = "1 A" }
output = { name = "ch_2.output_enabled" }

[instruments.supply.pymeasure.attributes.reading]
name = "ch_2.voltage"
unit = "V"
least = "-1 V"
most = "26 V"
gain = 0.0005
offset = "5 mV"
"""


def test_the_lines_of_a_bench_file_say_the_same(tmp_path):
    from hil_fixtures.config import starter

    text = starter("bench").replace('driver = "rigol-dp800"', 'driver = "pymeasure"')
    (tmp_path / "bench.toml").write_text(text + FILE)
    entry = read_bench(tmp_path / "bench.toml").instruments["supply"].pymeasure
    assert entry == replace(SUPPLY, source="E36312A data sheet, 12 months")
