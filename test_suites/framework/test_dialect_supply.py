"""Supply, switch unit and cut-off of real models, on the real circuit."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hil_fixtures.config import read_bench
from hil_instruments.simulated.dialects.keithley_2450 import Keithley2450
from hil_instruments.simulated.dialects.keithley_6221 import Keithley6221
from hil_instruments.simulated.dialects.keysight_34970a import Keysight34970A
from hil_instruments.simulated.dialects.rigol_dp800 import RigolDP800
from hil_instruments.simulated.dialects.stimproof_cutoff import StimproofCutoff
from hil_instruments.simulated.physics.circuit import Node

BENCH = read_bench(None)
MA = 1e-3
KINDS = {
    "supply": (RigolDP800, "supply", "RIGOL TECHNOLOGIES", "DP832"),
    "load": (Keysight34970A, "load", "Agilent Technologies", "34970A"),
    "daq": (Keysight34970A, "load", "Keysight Technologies", "DAQ970A"),
    "card": (Keysight34970A, "cutoff", "HEWLETT-PACKARD", "34970A"),
    "k2450": (Keithley2450, "stimulator", "KEITHLEY INSTRUMENTS", "MODEL 2450"),
    "k6221": (Keithley6221, "stimulator", "KEITHLEY INSTRUMENTS INC.", "MODEL 6221"),
    "cutoff": (StimproofCutoff, "cutoff", "Stimproof", "Cutoff-2"),
}
POWERED = ["supply", "k2450", "k6221"]


@pytest.fixture
def stand(source_stand):
    """Makes stands of the instruments named in KINDS."""
    return lambda name, *more: source_stand(KINDS[name], *more)


def channel(name):
    return BENCH.loads[name].channel


@pytest.mark.parametrize("name", KINDS)
def test_identity_differs_from_the_real_one_by_its_serial_only(stand, name):
    _, role, maker, model = KINDS[name]
    fields = stand(name).ask("*IDN?").split(",")
    assert fields[:3] == [maker, model, f"SIM-{role}-01"]
    assert fields[3]


# --- DP800 --------------------------------------------------------------------------------------


@pytest.fixture
def supply(stand):
    """A DP832 that feeds the device with 9 V."""
    each = stand("supply")
    each.say(":APPL CH1,9,1;:OUTP CH1,ON")
    each.wait(0.2)
    return each


def test_the_supply_drives_what_is_set_inside_its_accuracy(supply):
    assert supply.value(Node.SUPPLY) == pytest.approx(9, abs=9 * 5e-4 + 20e-3)
    assert supply.circuit.powered


def test_the_supply_measures_voltage_current_and_power_of_the_device(supply):
    volts, amperes, watts = map(float, supply.ask(":MEAS:ALL? CH1").split(","))
    assert volts == pytest.approx(supply.value(Node.SUPPLY), abs=9 * 5e-4 + 20e-3)
    assert amperes == pytest.approx(supply.value(Node.SUPPLY_CURRENT), abs=6e-3)
    assert watts == pytest.approx(volts * amperes, abs=1e-3)
    assert supply.number(":MEAS:CURR? CH1") == pytest.approx(amperes, abs=2e-3)


def test_the_output_of_the_supply_takes_its_time(stand):
    each = stand("supply")
    each.say(":APPL CH1,9,1;:OUTP CH1,ON")
    assert each.value(Node.SUPPLY) == 0
    each.wait(0.02)
    assert 1 < each.value(Node.SUPPLY) < 8
    each.wait(0.03)
    assert each.value(Node.SUPPLY) > 8.9


def test_a_brown_out_is_set_and_left(supply):
    supply.say(":APPL CH1,4")
    supply.wait(0.1)
    assert not supply.circuit.powered
    supply.say(":APPL CH1,9")
    supply.wait(0.2)
    assert supply.circuit.powered


@pytest.mark.parametrize(("kind", "level", "over"), [("OCP", "0.01", "0.1"), ("OVP", "8.8", "9.5")])
def test_a_protection_opens_the_output_and_stays_until_cleared(supply, kind, level, over):
    supply.say(f":OUTP:{kind}:VAL CH1,{level}")
    supply.say(f":OUTP:{kind} CH1,ON")
    supply.wait(0.1)
    assert supply.ask(f":OUTP? CH1;:OUTP:{kind}:ALAR? CH1;:OUTP:{kind}:QUES? CH1") == "OFF;YES;YES"
    assert not supply.circuit.powered
    supply.say(":OUTP CH1,ON")
    assert supply.error() == -221
    supply.say(f":OUTP:{kind}:CLEAR CH1;:OUTP:{kind}:VAL CH1,{over};:OUTP CH1,ON")
    supply.wait(0.2)
    assert supply.ask(f":OUTP? CH1;:OUTP:{kind}:ALAR? CH1") == "ON;NO"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (":APPL CH1,32.1", -222),
        (":APPL CH1,9,3.3", -222),
        (":APPL CH3,5.4", -222),
        (":APPL CH1,1e999", -222),
        (":OUTP:OVP:VAL CH1,33.1", -222),
        (":INST:NSEL 4", -222),
        (":OUTP CH4,ON", -224),
        (":OUTP:OVP:VAL CH1", -109),
    ],
)
def test_the_supply_refuses_and_stays_as_it_was(supply, text, code):
    supply.say(text)
    assert supply.error() == code
    assert supply.ask(":APPL? CH1") == "CH1:30V/3A,9.000,1.000"
    assert supply.ask(":APPL? CH3;:OUTP:OVP:VAL? CH1;:INST?") == "CH3:5V/3A,0.000,3.000;33.000;CH1"


def test_channels_without_a_load_only_show_their_voltage(supply):
    supply.say(":INST CH2;:VOLT 5;CURR 0.5;:OUTP ON")
    volts, amperes, _ = map(float, supply.ask(":MEAS:ALL?").split(","))
    assert volts == pytest.approx(5, abs=5 * 1e-3 + 30e-3)
    assert amperes == pytest.approx(0, abs=6e-3)
    assert supply.ask(":OUTP:MODE? CH2;:INST:NSEL?;:APPL? CH1,VOLT") == "CV;2;9.000"


def test_a_number_behind_source_names_a_channel_and_none_the_selected_one(supply):
    supply.say(":SOUR2:VOLT 5;:SOUR3:CURR 1;:INST CH2;:SOUR:CURR 0.5;:VOLT 6")
    assert supply.ask(":SOUR1:VOLT?;:SOUR2:VOLT?;:SOUR2:CURR?") == "9.000;6.000;0.5000"
    assert supply.ask(":SOUR3:CURR?;:VOLT?;:SOUR3:VOLT? MAX") == "1.0000;6.000;5.300"
    supply.say(":SOUR4:VOLT 1")
    assert supply.error() == -114


def test_a_reset_of_the_supply_takes_the_device_its_power(supply):
    supply.say("*RST")
    supply.wait(0.1)
    assert supply.ask(":OUTP? CH1;:APPL? CH1") == "OFF;CH1:30V/3A,0.000,3.000"
    assert supply.value(Node.SUPPLY) == 0


# --- 34970A, DAQ970A ----------------------------------------------------------------------------


def test_the_load_changes_after_the_operate_time(stand):
    each = stand("load")
    each.circuit.set_cutoff(True)
    each.say(f"ROUT:CLOS (@{channel('2k')})")
    each.wait(0.01)
    assert each.ask(f"ROUT:CLOS? (@{channel('2k')},{channel('5k')})") == "1,0"
    assert each.instrument.closed == {channel("2k")}


def through(each, milliampere=1.0):
    """Resistance in ohm that the device sees of the load, with a current through it."""
    each.circuit.set_cutoff(True)
    each.circuit.command(milliampere * MA)
    each.circuit.set_output_relay(True)
    each.wait(0.05)
    shunt = float(BENCH.shunt.base)
    return each.value(Node.TERMINAL) / each.value(Node.LOAD) - shunt


def test_resistors_closed_together_are_in_parallel(stand):
    each = stand("load")
    each.say(f"ROUT:CLOS (@{channel('2k')},{channel('5k')})")
    assert through(each) == pytest.approx(2000 * 5000 / 7000, rel=1e-3)
    assert each.error() == 0


def test_a_skin_network_takes_no_load_beside_it(stand):
    each = stand("load")
    each.say(f"ROUT:CLOS (@{channel('skin')})")
    each.say(f"ROUT:CLOS (@{channel('2k')})")
    assert each.error() == -221
    assert each.instrument.closed == {channel("skin")}


def test_an_exclusive_close_breaks_before_it_makes(stand):
    each = stand("load")
    each.say(f"ROUT:CLOS (@{channel('2k')})")
    assert through(each) == pytest.approx(2000, rel=1e-3)
    each.exchange.write(f"ROUT:CLOS:EXCL (@{channel('5k')})\n".encode())
    each.wait(8e-3)
    assert each.value(Node.LOAD) == 0
    each.wait(8e-3)
    each.wait(0.05)
    assert each.value(Node.LOAD) == pytest.approx(1 * MA, rel=0.01)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ROUT:CLOS (@401)", 111),
        ("ROUT:CLOS (@301)", 302),
        ("ROUT:CLOS (@121)", 112),
        ("ROUT:OPEN (@100)", 112),
        ("ROUT:OPEN:ALL", -113),
        ("SYST:CPON 300", 302),
        ("ROUT:MON (@101)", 303),
    ],
)
def test_the_switch_unit_refuses_in_its_own_words(stand, text, code):
    each = stand("load")
    each.say(f"ROUT:CLOS (@{channel('2k')})")
    each.say(text)
    assert each.error() == code
    assert each.instrument.closed == {channel("2k")}


def test_cycles_count_closures(stand):
    each = stand("load")
    for _ in range(3):
        each.say("ROUT:CLOS (@102)")
        each.say("ROUT:OPEN (@102)")
    each.say("ROUT:CLOS (@102)")
    each.say("ROUT:CLOS (@102)")  # closed already: nothing moves
    assert each.ask("DIAG:REL:CYCL? (@101:103)") == "+0,+4,+0"
    each.say("DIAG:REL:CYCL:CLE (@102)")
    assert each.ask("DIAG:REL:CYCL? (@102)") == "+0"


def test_cards_say_what_they_are(stand):
    old, new = stand("load"), stand("daq")
    assert old.ask("SYST:CTYP? 200") == "HEWLETT-PACKARD,34903A,0,1.0"
    assert old.ask("SYST:CTYP? 300") == "HEWLETT-PACKARD,0,0,0"
    assert new.ask("SYST:CTYP? 100").split(",")[1] == "DAQM903A"


def test_a_card_of_the_load_unit_is_no_cut_off(stand):
    each = stand("load")
    each.say("ROUT:CLOS (@201,202)")
    each.circuit.select_load(BENCH.loads["2k"])
    each.circuit.command(1 * MA)
    each.circuit.set_output_relay(True)
    each.wait(0.05)
    assert each.value(Node.LOAD) == 0


def conducts(each):
    """Whether a current gets from the device through the cut-off into a load."""
    each.circuit.select_load(BENCH.loads["2k"])
    each.circuit.command(1 * MA)
    each.circuit.set_output_relay(True)
    each.wait(0.05)
    return each.value(Node.LOAD) > 0.9 * MA


def test_a_cut_off_on_a_card_needs_both_poles(stand):
    each = stand("card")
    each.say("ROUT:CLOS (@201)")
    assert not conducts(each)
    each.say("ROUT:CLOS (@202)")
    assert conducts(each)
    each.say("ROUT:OPEN (@201)")
    assert not conducts(each)


@pytest.mark.parametrize(("recall", "stays"), [("ON", True), ("OFF", False)])
def test_a_cut_off_on_a_card_stays_closed_without_power(stand, recall, stays):
    each = stand("card")
    each.say(f"MEM:STAT:REC:AUTO {recall}")
    each.say("ROUT:CLOS (@201,202)")
    each.instrument.lose_power()
    each.wait(10)
    assert conducts(each)
    each.instrument.power_on()
    each.wait(0.1)
    assert conducts(each) == stays


def test_a_reset_opens_every_relay(stand):
    each = stand("card")
    each.say("ROUT:CLOS (@201,202)")
    each.say("*RST")
    assert each.ask("ROUT:CLOS? (@201,202)") == "0,0"
    assert not conducts(each)


# --- our own cut-off ----------------------------------------------------------------------------


def test_our_cut_off_opens_without_power_and_without_lease(stand):
    for loss in (lambda each: each.instrument.lose_power(), lambda each: each.wait(1.1)):
        each = stand("cutoff")
        each.say("REL:CLOS 1")
        each.wait(0.01)
        assert each.ask("REL:STAT?") == "CLOSED"
        loss(each)
        each.wait(0.01)
        assert each.ask("REL:STAT?") == "OPEN"
        assert not conducts(each)
        each.say("REL:CLOS 1")
        assert each.error() == -221


# --- sources and supply --------------------------------------------------------------------------


@pytest.mark.parametrize("name", POWERED)
def test_one_seed_makes_one_unit_and_two_seeds_make_two(stand, name):
    def unit(seed):
        each = stand(name, seed)
        each.say(":APPL CH1,9,1;:OUTP CH1,ON" if name == "supply" else ":SOUR:CURR 1e-3;:OUTP ON")
        each.say("SYST:ERR?" if name == "supply" else ":SOUR:FUNC CURR;:OUTP ON")
        each.wait(0.2)
        return each.value(Node.SUPPLY if name == "supply" else Node.CURRENT)

    assert unit(1) == unit(1) != unit(2)


@pytest.mark.parametrize("name", POWERED)
def test_a_power_failure_ends_with_everything_off(stand, name):
    each = stand(name)
    each.say(":APPL CH1,9,1;:OUTP CH1,ON" if name == "supply" else ":SOUR:CURR 1e-3;:OUTP ON")
    each.wait(0.1)
    each.instrument.power_on()
    each.wait(0.1)
    assert each.ask(":OUTP?") in {"0", "OFF"}
    assert each.ask("*ESR?") == "128"
    assert each.value(Node.SUPPLY if name == "supply" else Node.CURRENT) == 0


ODD = ["", "1", "-1e30", "1e-3", "'x'", "'defbuffer1'", "ON", "(@101)", "CH1,1", "1,2,3,4,5", "INF"]


# The fixture only makes stands, each example its own.
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data(), name=st.sampled_from(POWERED))
def test_whatever_is_said_it_answers_and_a_reset_switches_it_off(source_stand, data, name):
    each = source_stand(KINDS[name])
    headers = sorted(type(each.instrument).commands())
    for _ in range(20):
        header = re.sub(r"[\[\]]|<[^>]*>", "", data.draw(st.sampled_from(headers)))
        each.exchange.write(f"{header} {data.draw(st.sampled_from(ODD))}\n".encode())
        each.wait(data.draw(st.sampled_from([0.0, 1e-3, 0.3])))
    each.exchange.clear()
    each.say("*RST;*CLS")
    each.wait(0.3)
    assert each.ask("*IDN?").split(",")[1] == KINDS[name][3]
    assert each.error() == 0
    assert each.value(Node.SUPPLY if name == "supply" else Node.CURRENT) == pytest.approx(
        0, abs=1e-9
    )
