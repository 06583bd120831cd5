"""Query rate of the simulated bench in process, beside pyvisa-sim and a bare VISA library.

    python benchmarks/visa_query.py            # pyvisa-sim is compared if it is installed

Prints queries a second of processor time, best of several rounds taken in turn, and the ratio to
pyvisa-sim. Budget: at least twice pyvisa-sim, physics included.
"""

from __future__ import annotations

import importlib.util
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyvisa
from pyvisa import constants, rname
from pyvisa.constants import ResourceAttribute, StatusCode
from pyvisa.highlevel import VisaLibraryBase
from pyvisa.resources import MessageBasedResource
from pyvisa.typing import VISASession
from pyvisa.util import LibraryPath

from hil_fixtures.config import read_bench, read_device
from hil_instruments.simulated import backend
from hil_instruments.simulated.bench import SimulatedBench

ROUNDS = 7
SECONDS = 0.3
"""Of each round of each contestant."""
REACH = 2.0
"""Ratio to pyvisa-sim that the budget asks for."""
REPLY = b"+1.00000000E-03\n"
DIALOGUE = """
spec: "1.1"
devices:
  meter:
    eom:
      TCPIP INSTR:
        q: "\\n"
        r: "\\n"
    error: ERROR
    dialogues:
      - {q: "MEAS:CURR?", r: "+1.00000000E-03"}
      - {q: "*IDN?", r: "stimproof,meter,SIM-1,1.0"}
resources:
  TCPIP0::localhost::inst0::INSTR:
    device: meter
"""


class BareLibrary(VisaLibraryBase):
    """Answers every query with one reply: what pyvisa itself costs."""

    def _init(self) -> None:
        self._attributes = {
            ResourceAttribute.resource_class: "INSTR",
            ResourceAttribute.interface_type: constants.InterfaceType.tcpip,
        }

    def open_default_resource_manager(self) -> tuple[Any, StatusCode]:
        """Open nothing."""
        return 1, StatusCode.success

    def open(self, *_: object, **__: object) -> tuple[Any, StatusCode]:
        """Open the one resource."""
        return 2, StatusCode.success

    def close(self, session: VISASession) -> StatusCode:
        """Close nothing."""
        return StatusCode.success

    def write(self, session: VISASession, data: bytes) -> tuple[int, StatusCode]:
        """Take whatever comes."""
        self._last_status_in_session[session] = StatusCode.success
        return len(data), StatusCode.success

    def read(self, session: VISASession, count: int) -> tuple[bytes, StatusCode]:
        """Give the one reply."""
        status = StatusCode.success_termination_character_read
        self._last_status_in_session[session] = status
        return REPLY, status

    def get_attribute(
        self, session: VISASession, attribute: ResourceAttribute
    ) -> tuple[object, StatusCode]:
        """Know two attributes; the others are 0."""
        return self._attributes.get(attribute, 0), StatusCode.success

    def set_attribute(
        self, session: VISASession, attribute: ResourceAttribute, attribute_state: object
    ) -> StatusCode:
        """Forget it."""
        return StatusCode.success

    def disable_event(self, *_: object) -> StatusCode:
        """Have no events."""
        return StatusCode.success

    def discard_events(self, *_: object) -> StatusCode:
        """Have no events."""
        return StatusCode.success

    def list_resources(self, *_: object) -> tuple[str, ...]:
        """Name the one resource."""
        return rname.filter(["TCPIP0::bare::inst0::INSTR"], "?*")


def opened(manager: pyvisa.ResourceManager, name: str) -> MessageBasedResource:
    """Open a resource with line feeds at both ends."""
    resource = manager.open_resource(name, read_termination="\n", write_termination="\n")
    if not isinstance(resource, MessageBasedResource):
        raise SystemExit(f"{name} takes no messages")
    return resource


def contestants() -> dict[str, Callable[[], object]]:
    """Return what is measured: a name, and one query."""
    profile, bench = read_device(None), read_bench(None)
    twin = SimulatedBench(profile, bench)
    manager = backend.resource_manager(twin)
    roles = {role: entry.resource for role, entry in bench.instruments.items()}
    opened(manager, roles["supply"]).write(":APPL CH1,9,1;:OUTP CH1,ON")
    twin.clock.sleep(1.0)
    stimulator, meter = opened(manager, roles["stimulator"]), opened(manager, roles["ammeter"])
    meter.write("CONF:CURR:DC 0.01;:CURR:DC:APER 0.001")
    bare = opened(
        pyvisa.ResourceManager(BareLibrary(LibraryPath("bare"))), "TCPIP0::bare::inst0::INSTR"
    )
    found: dict[str, Callable[[], object]] = {
        "bare library": lambda: bare.query("MEAS:CURR?"),
        "simulated bench, stimulator *IDN?": lambda: stimulator.query("*IDN?"),
        "simulated bench, stimulator MEAS:CURR?": lambda: stimulator.query("MEAS:CURR?"),
        "simulated bench, multimeter READ?": lambda: meter.query("READ?"),
    }
    if importlib.util.find_spec("pyvisa_sim") is not None:
        file = Path(tempfile.mkdtemp()) / "meter.yaml"
        file.write_text(DIALOGUE, encoding="utf-8")
        peer = opened(pyvisa.ResourceManager(f"{file}@sim"), "TCPIP0::localhost::inst0::INSTR")
        found["pyvisa-sim"] = lambda: peer.query("MEAS:CURR?")
    return found


def rate(query: Callable[[], object], seconds: float) -> float:
    """Return queries a second of processor time."""
    count, begin = 0, time.process_time()
    while (spent := time.process_time() - begin) < seconds:
        for _ in range(50):
            query()
        count += 50
    return count / spent


def main() -> None:
    """Measure every contestant in turn, by processor time: the machine may be busy otherwise."""
    found = contestants()
    best = dict.fromkeys(found, 0.0)
    for _ in range(ROUNDS):
        for name, query in found.items():
            best[name] = max(best[name], rate(query, SECONDS))
    peer = best.get("pyvisa-sim")
    print(f"{'':40}{'queries/s':>10}{'to bare':>9}{'to pyvisa-sim':>15}")
    for name, reached in sorted(best.items(), key=lambda each: -each[1]):
        share = f"{reached / peer:15.2f}" if peer else f"{'not installed':>15}"
        print(f"{name:40}{reached:10.0f}{reached / best['bare library']:9.2f}{share}")
    if peer:
        ratio = best["simulated bench, stimulator MEAS:CURR?"] / peer
        print(f"MEAS:CURR? of the stimulator to pyvisa-sim: {ratio:.2f} (reach {REACH})")


if __name__ == "__main__":
    main()
