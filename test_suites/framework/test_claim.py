"""What a sentinel finds of a bench whose runner is gone, by meters that it asks itself."""

import pytest

from hil.errors import BenchError
from hil.measurement import Calibration
from hil_fixtures.config import read_bench, read_device
from hil_fixtures.sentinel.claim import prove_off
from hil_instruments import drivers, transport
from hil_instruments.simulated import backend
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.faults.link import LinkFault
from hil_instruments.simulated.physics.node import Node

PROFILE, DESCRIPTION = read_device(None), read_bench(None)
POWER = (("supply", ":APPL CH1,9,1"), ("supply", ":OUTP CH1,ON"))
LOAD = (("load", "ROUT:CLOS (@104)"), ("cutoff", "REL:CLOS 1"), ("cutoff", "REL:REN 10"))
DELIVERY = (("stimulator", "SOUR:CURR 0.001"), ("stimulator", "TREAT:STAR"))
SOURCE = (("supply", ":APPL CH2,20,0.02"), ("supply", ":OUTP CH2,ON"), ("load", "ROUT:CLOS (@203)"))


class Left:
    """A bench as a runner left it, and what the sentinel then writes."""

    def __init__(self, monkeypatch, *faults):
        self.twin = SimulatedBench(PROFILE, DESCRIPTION, faults, 1)
        monkeypatch.setattr(
            transport, "open_manager", lambda *_: backend.resource_manager(self.twin)
        )
        self.written = []

    def do(self, *messages, wait=1.0):
        for role, message in messages:
            self.twin.exchange(role, message)
            if message.startswith(":OUTP"):
                self.twin.clock.sleep(0.6)
        self.twin.clock.sleep(wait)

    def prove(self):
        entry, clock = DESCRIPTION.instruments["cutoff"], self.twin.clock
        session = transport.connect(transport.open_manager(), entry, clock)
        cutoff = drivers.cutoff(session, clock, entry, Calibration.UNKNOWN)
        write = lambda kind, body: self.written.append((kind, body))  # noqa: E731
        state = prove_off(PROFILE, DESCRIPTION, clock, cutoff, write, session)
        session.close()
        return state

    @property
    def commands(self):
        return [body["command"] for kind, body in self.written if kind == "stimulus"]

    @property
    def idle(self):
        """Whether all is off, parted and open."""
        self.twin.clock.sleep(0.1)
        circuit = self.twin.circuit
        return (
            not circuit.powered
            and not circuit.cutoff_closed
            and abs(circuit.value(Node.TERMINAL)) < 1e-3
            and self.twin.exchange("load", "ROUT:CLOS? (@203)").strip() == b"0"
            and self.twin.exchange("supply", ":OUTP? CH2").strip() == b"OFF"
        )


def delivering(left):
    left.do(*POWER, *LOAD, *DELIVERY, wait=8.0)


def unpowered(left):
    """The supply was off already: a runner in the middle of its safe state."""
    left.do(*POWER, *LOAD, ("cutoff", "REL:OPEN"), ("supply", ":OUTP CH1,OFF"))


def flown(left):
    """A runner in the middle of its pre-flight: the source is on, joined, the cut-off closed."""
    left.do(*SOURCE, *LOAD)


COURSES = (delivering, unpowered, flown)


@pytest.mark.parametrize("course", COURSES)
def test_a_trip_finds_off_by_meters_that_answer(monkeypatch, course):
    left = Left(monkeypatch)
    course(left)
    state = left.prove()
    assert state.confirmed, state.reason
    assert "asked with 20.0 V, the voltmeter rose by 19." in state.path_open
    assert left.idle


def test_a_reply_of_the_cut_off_that_is_lost_is_asked_for_once_more(monkeypatch):
    left = Left(monkeypatch)
    delivering(left)
    left.twin.links["cutoff"].set([LinkFault(kind="silent", first=2, every=0)])  # after *IDN?
    state = left.prove()
    assert state.confirmed, state.reason
    assert "cut-off state: cutoff" in state.reason
    assert left.idle


def test_what_may_be_joined_is_parted_before_a_meter_is_read(monkeypatch):
    left = Left(monkeypatch)
    flown(left)
    left.prove()
    kinds = [body.get("command") or body["quantity"] for _, body in left.written]
    parted = kinds.index("bench source parted")
    assert kinds.index("abort") < kinds.index("cut-off open") < parted
    assert parted < kinds.index("terminal voltage with the cut-off open")


WRONG = {
    "fuse blown": (["I05:role=ammeter"], "the ammeter's fuse"),
    "voltmeter lead off": (["I05:role=voltmeter"], "the leads of both"),
    "ammeter frozen": (["I01:role=ammeter,onset=after:1s"], "not shown alive"),
    "voltmeter frozen": (["I01:role=voltmeter,onset=after:1s"], "did not follow the source"),
    "welded, and it says that it opened": (
        ["I12"],
        "10.0 uA passes the open cut-off: it may be welded",
    ),
    "source dead": (["I14"], "source stands at 0"),
    "read-back of the supply dead": (["I15"], "source stands at 0 V of 20 V"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_nothing_less_is_confirmed(monkeypatch, wrong):
    faults, why = WRONG[wrong]
    left = Left(monkeypatch, *faults)
    unpowered(left)
    state = left.prove()
    assert not state.confirmed
    assert why in state.reason


@pytest.mark.parametrize("role", ["supply", "load", "voltmeter", "ammeter"])
def test_nor_is_it_without_an_instrument(monkeypatch, role):
    left = Left(monkeypatch)
    unpowered(left)
    real = transport.connect

    def connect(manager, entry, *given, **more):
        if entry.role == role:
            raise BenchError("nobody answers")
        return real(manager, entry, *given, **more)

    monkeypatch.setattr(transport, "connect", connect)
    state = left.prove()
    assert not state.confirmed
    assert "nobody answers" in state.reason
