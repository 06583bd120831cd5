"""Faults set in when their onset says so, together with others, and go when they are healed."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hil.bench import BenchDescription, LoadEntry
from hil.errors import UsageError
from hil.exact import Exact
from hil_fixtures import config
from hil_instruments.simulated.bench import SimulatedBench, reference
from hil_instruments.simulated.device.bare import NoFirmware
from hil_instruments.simulated.device.device import Device
from hil_instruments.simulated.device.port import Reset
from hil_instruments.simulated.faults.catalogue import catalogue
from hil_instruments.simulated.faults.injection import Injection, once
from hil_instruments.simulated.faults.spec import FaultSpec, Onset
from hil_instruments.simulated.metrology.fault import HEALTHY
from hil_instruments.simulated.physics.circuit import Node
from hil_instruments.simulated.physics.stage import OutputStage
from hil_instruments.simulated.session import Session

SETUP = config.read_setup(None, None)
PROFILE = SETUP.profile
R2K = LoadEntry("2k", 101, Exact.parse("2 kohm"))


class Stand:
    """A device with faults, on 2 kohm."""

    def __init__(self, *specs: str, flash=reference) -> None:
        some, shunt = Exact.parse("6 mA"), Exact.parse("100 ohm")
        wiring = BenchDescription("b", {}, {}, {}, shunt, some, some, Exact.parse("200 V"))
        self.device = Device(PROFILE, wiring, flash, seed=1)
        self.injection = Injection(
            once(FaultSpec.parse(each) for each in specs), self.device, PROFILE
        )
        self.circuit = self.device.circuit
        self.circuit.select_load(R2K)
        self.circuit.set_cutoff(True)
        self.wait(0.2)

    def wait(self, seconds: float) -> float:
        self.device.advance(self.circuit.now + seconds)
        return self.circuit.now

    def say(self, *messages: str) -> None:
        for message in messages:
            self.device.receive(message.encode())

    def treat(self, milliamperes: float = 4.0) -> float:
        """A whole treatment; its steady current in mA."""
        self.say(f"CURR {milliamperes} MA", "TREAT:STAR")
        self.wait(31.0)
        held = self.current
        self.say("TREAT:STOP")
        self.wait(9.0)
        return held

    @property
    def current(self) -> float:
        return self.circuit.value(Node.CURRENT) * 1e3

    def at(self, *times: float) -> np.ndarray:
        """Current in mA at some times."""
        return self.circuit.observe(Node.CURRENT, np.array(times)) * 1e3


# --- onset -------------------------------------------------------------------------------------


def test_without_an_onset_it_is_there_from_power_up():
    stand = Stand("F19")
    assert stand.at(0.1)[0] == pytest.approx(0.025, rel=0.01)


def test_at_the_start_of_the_first_treatment():
    stand = Stand("F19:onset=start")
    stand.wait(5.0)
    assert stand.current == 0
    assert stand.injection.present == ()
    stand.treat(1.0)
    assert stand.current == pytest.approx(0.025, rel=0.01)


def test_a_decision_of_the_firmware_can_set_in_at_the_start():
    stand = Stand("F05:onset=start")
    stand.say("CURR 4 MA", "TREAT:STAR")
    stand.wait(10.0)
    seen = stand.at(*np.arange(1.0, 10.0, 1e-3))
    assert np.abs(np.diff(seen)).max() > 0.05


def test_in_the_middle_of_the_ramp():
    stand = Stand("F11:onset=mid-ramp,severity=10%")
    stand.say("CURR 3 MA", "TREAT:STAR")
    stand.wait(31.0)
    times = np.arange(1.0, 30.0, 1e-3)
    seen = stand.at(*times)
    jump = np.abs(np.diff(seen)).argmax()
    assert seen[jump - 5] == pytest.approx(1.5, abs=0.01)
    assert seen[jump + 20] == pytest.approx(1.65, abs=0.02)
    assert stand.current == pytest.approx(3.3, rel=1e-3)


def test_after_a_time_to_the_millisecond():
    stand = Stand("F19:onset=after:7.25s")
    stand.wait(60.0)
    assert stand.at(7.2499)[0] == 0
    assert stand.at(7.26)[0] == pytest.approx(0.025, rel=0.01)


def test_every_nth_treatment_and_only_in_it():
    stand = Stand("F11:onset=every:3,severity=10%")
    held = [stand.treat(2.0) for _ in range(6)]
    assert held == pytest.approx([2.0, 2.0, 2.2, 2.0, 2.0, 2.2], rel=2e-3)


def test_above_a_current():
    stand = Stand("F11:onset=above:2mA,severity=10%")
    assert stand.treat(1.9) == pytest.approx(1.9, rel=1e-3)
    assert stand.injection.present == ()
    begin = stand.circuit.now
    assert stand.treat(3.0) == pytest.approx(3.3, rel=1e-3)
    seen = stand.at(*(begin + np.arange(1.0, 30.0, 1e-3)))
    jump = np.abs(np.diff(seen)).argmax()
    assert seen[jump - 5] == pytest.approx(2.0, abs=0.01)


def test_how_time_is_cut_changes_nothing():
    specs = ("F11:onset=above:2mA", "F35:onset=after:12.3456s", "F06:onset=start")
    whole, pieces = Stand(*specs), Stand(*specs)
    for stand, cuts in ((whole, [36.0]), (pieces, [0.123] * 292 + [0.084])):
        stand.say("CURR 4 MA", "TREAT:STAR")
        for cut in cuts:
            stand.wait(cut)
    times = np.arange(0.0, 36.0, 1e-3)
    assert np.abs(whole.at(*times) - pieces.at(*times)).max() < 1e-9


# --- together, and no longer -------------------------------------------------------------------


def test_faults_combine():
    stand = Stand("F24", "F11", "F06", "F54")
    stand.say("CURR 2 MA", "DOSE 1.5", "TREAT:STAR")
    stand.wait(36.0)
    assert stand.current == pytest.approx(-2.16, rel=1e-3)
    seen = stand.at(*np.arange(0.2, 36.0, 1e-3))
    assert seen.min() == pytest.approx(-2.16 * 1.08, rel=1e-3)
    stand.wait(40.0)
    seen = stand.at(*np.arange(36.0, 76.0, 5e-3))
    assert np.abs(np.diff(seen)).max() > 2


def test_two_severities_keep_apart():
    stand = Stand("F05:severity=0.2mA", "F49:severity=0.5mA*min", "F61:severity=1s")
    policy = stand.device.firmware.policy
    assert policy.accumulate(0.029, 0.002) == pytest.approx(0.001)
    assert len(stand.injection.present) == 3


def test_a_hang_outlasts_the_onset_of_another_fault():
    stand = Stand("F42", "F19:onset=after:20s")
    stand.say("CURR 4 MA", "TREAT:STAR")
    stand.wait(25.0)
    assert len(stand.injection.present) == 2
    stand.say("TREAT:ABOR")
    stand.wait(1.0)
    assert stand.current == pytest.approx(1.0, rel=0.01)


def test_the_same_fault_twice_is_refused():
    with pytest.raises(UsageError, match="given twice: F11 and F11:severity=12%"):
        Stand("F11", "F11:severity=12%")


def test_healing_leaves_a_healthy_device():
    stand = Stand("F11", "F05", "F14", "F19:onset=after:100s")
    assert stand.treat() != pytest.approx(4.0, rel=0.01)
    stand.injection.end()
    assert stand.treat() == pytest.approx(4.0, rel=1e-3)
    assert stand.circuit.stage == OutputStage()
    assert stand.device.injection is None
    stand.wait(60.0)
    assert stand.current == 0


def test_another_firmware_takes_faults_of_its_hardware_only():
    assert Stand("F19", flash=lambda _: NoFirmware()).current == pytest.approx(0.025, rel=0.01)
    with pytest.raises(UsageError, match="F05 sits in the reference firmware"):
        Stand("F05", flash=lambda _: NoFirmware())


def test_what_is_there_from_power_up_is_there_before_the_first_boot_that_counts():
    begun: list[float] = []

    class Watching(NoFirmware):
        def boot(self, port, cause: Reset) -> None:
            begun.append(port.circuit.stage.standby)
            super().boot(port, cause)

    Stand("F19", flash=lambda _: Watching())
    assert begun == [0.0, 25e-6]


SEEDABLE = [f for f in catalogue().values() if f.modelled and f.layer.of_device]


@st.composite
def specs(draw) -> FaultSpec:
    """Any fault of the device, from harmless to absurd, at any onset."""
    fault = draw(st.sampled_from(SEEDABLE))
    severity = onset = None
    if fault.severity:
        size = Decimal(draw(st.integers(-60, 20))).scaleb(-1)  # ten to this power, of the bound
        bound = fault.severity.bound(PROFILE)
        severity = Exact(bound.magnitude * Decimal(10) ** size, bound.unit)
        if fault.severity.most:
            severity = min(severity, Exact.parse(fault.severity.most))
    if fault.onsets:
        words = [None, "start", "mid-ramp", "after:3s", "every:2", "above:1mA"]
        word = draw(st.sampled_from(words))
        onset = Onset.parse(word) if word else None
    return FaultSpec(fault.id, severity, onset)


@settings(max_examples=30, deadline=None)
@given(st.lists(specs(), min_size=1, max_size=4, unique_by=lambda spec: spec.id))
def test_whatever_is_seeded_time_goes_on_and_nothing_breaks(seeded):
    stand = Stand(*map(str, seeded))
    stand.say("CURR 4 MA", "TREAT:STAR")
    stand.wait(20.0)
    stand.circuit.select_load(None)
    stand.wait(0.03)
    stand.circuit.select_load(R2K)
    stand.say("TREAT:PAUS", "TREAT:RES", "POL NEG", "CURR 9 MA")
    stand.wait(5.0)
    stand.circuit.set_supply(0.0)
    stand.wait(1.0)
    stand.circuit.set_supply(9.0)
    stand.say("*RST", "MEAS:IMP?", "TREAT:ABOR")
    stand.wait(3.0)
    assert np.isfinite(stand.at(*np.arange(0.0, 29.0, 0.01))).all()


# --- instruments and links on the bench --------------------------------------------------------


def bench(*faults: str) -> SimulatedBench:
    return SimulatedBench(PROFILE, SETUP.bench, faults)


METERS = {
    "I02": ("scale", 0.1),
    "I03:severity=2%": ("gain", 0.02),
    "I04:severity=50uA": ("hum", 50e-6),
    "I05": ("open_input", True),
    "I06:severity=20": ("noise", 20.0),
    "I07:severity=5uA": ("offset", 5e-6),
}


@pytest.mark.parametrize("text", METERS)
def test_a_fault_of_a_meter_is_in_the_meter(text):
    made = bench(text)
    name, value = METERS[text]
    assert getattr(made.meter("ammeter").fault, name) == pytest.approx(value)
    assert made.meter("voltmeter").fault == HEALTHY
    made.set_faults(())
    assert made.meter("ammeter").fault == HEALTHY


def test_faults_of_one_meter_combine_and_the_role_chooses_it():
    made = bench("I03:role=voltmeter,severity=1%", "I06:role=voltmeter")
    fault = made.meter("voltmeter").fault
    assert (fault.gain, fault.noise) == (0.01, pytest.approx(50))
    assert made.meter("ammeter").fault == HEALTHY


def test_they_are_there_again_after_a_reset():
    made = bench("I03", "L01:role=supply", "F19")
    made.reset(2)
    assert made.meter("ammeter").fault.gain == pytest.approx(0.02)
    assert made.links["supply"].faults[0].kind == "late"
    made.feed(9.0, 1.0)
    made.clock.advance(1.0)
    assert abs(made.circuit.value(Node.OUTPUT)) > 1


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("L01", "late"),
        ("L02", "truncated"),
        ("L03", "duplicated"),
        ("L04", "garbled"),
        ("L05", "wrong-terminator"),
        ("L06", "dropped"),
        ("L07", "silent"),
        ("L08", "unplugged"),
    ],
)
def test_a_fault_of_a_link_is_in_the_link(name, kind):
    made = bench(f"{name}:role=load")
    assert [fault.kind for fault in made.links["load"].faults] == [kind]
    assert made.links["ammeter"].faults == ()


def test_without_its_cable_an_instrument_obeys_nothing():
    made = bench("L08:role=cutoff")
    made.exchange("cutoff", "REL:CLOS 1")  # past the link
    session = Session(made, "cutoff", stream=True)
    session.write(b"REL:OPEN\n", end=True)
    made.clock.sleep(0.1)
    assert made.circuit.cutoff_closed
    made.set_faults([])
    session.write(b"REL:OPEN\n", end=True)
    made.clock.sleep(0.1)
    assert not made.circuit.cutoff_closed


def test_a_link_breaks_after_its_time():
    made = bench("L07:role=stimulator,onset=after:3s")
    made.feed(9.0, 1.0)
    made.clock.advance(2.9)
    assert made.device
    assert made.links["stimulator"].faults == ()
    made.clock.advance(3.1)
    assert made.device
    assert made.links["stimulator"].faults != ()


def test_what_a_meter_sampled_before_the_onset_stays_healthy():
    made = bench("I07:severity=1mA,onset=after:5s")
    for message in ("*RST", "CONF:CURR:DC 10 MA", "SENS:CURR:DC:NPLC 0.2", "SAMP:SOUR TIM"):
        made.exchange("ammeter", message)
    for message in ("SAMP:TIM 0.1", "SAMP:COUN 100", "INIT"):
        made.exchange("ammeter", message)
    begin = made.clock.time
    made.clock.advance(12.0)
    readings = np.array([float(word) for word in made.exchange("ammeter", "FETC?").split(b",")])
    first = np.flatnonzero(readings > 0.5e-3)[0]
    assert begin + first * 0.1 == pytest.approx(5.0, abs=0.12)
    assert np.abs(readings[:first]).max() < 1e-5
    assert readings[first:].min() > 0.99e-3
