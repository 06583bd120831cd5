"""The control channel of a served bench, outside SCPI: one JSON object a line, each answered.

    {"do": "load", "name": "2k"}            ->  {"ok": true, "result": null}
    {"do": "faults", "set": ["F99"], "id": 7}  ->  {"id": 7, "ok": false, "error": "..."}

It sets what only the physical world could set (load, contact, supply, faults), and reads the ground
truth that no instrument shows. `{"do": "help"}` lists what it does.
"""

from __future__ import annotations

import json
import math
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hil.errors import HilError, UsageError
from hil_instruments.simulated.bench import SimulatedBench
from hil_instruments.simulated.dialects.stimulator import HostLink
from hil_instruments.simulated.faults.link import LinkFault
from hil_instruments.simulated.servers.connection import Connection
from hil_instruments.simulated.servers.extremes import Extremes
from hil_instruments.simulated.servers.pace import FASTEST, Pace
from hil_instruments.simulated.servers.truth import Plain, ground_truth, plain

CLIENTS = 4
"""Connections to the control channel at a time."""
LONGEST_LINE = 65_536
"""Bytes of a request; a longer line is answered with an error and thrown away."""
HIGHEST_SUPPLY = 60.0
"""V that the supply may be set to past its instrument."""


@dataclass(frozen=True, slots=True)
class Order:
    """One thing that the control channel does."""

    arguments: Mapping[str, str]
    """Name to what is allowed; one with a `?` at its end may be left out."""
    act: Callable[[Mapping[str, object]], Plain]
    """Does it; raises HilError where an argument is not allowed."""
    about: str
    """What it does."""


class Control:
    """What may be done to a served bench, and how it is asked for; the caller holds the lock."""

    def __init__(
        self,
        bench: SimulatedBench,
        pace: Pace,
        extremes: Extremes,
        failures: Callable[[], list[str]],
    ) -> None:
        """Prepare.

        Args:
            bench: the served bench.
            pace: moves its clock.
            extremes: of its current.
            failures: what went wrong inside the server.
        """
        self._bench, self._pace, self._failures = bench, pace, failures
        self._extremes = extremes
        self.defects: deque[str] = deque(maxlen=20)
        """What should not have happened, with its traceback."""
        loads = ", ".join(bench.description.loads)
        roles = ", ".join(bench.instruments)
        self.orders: Mapping[str, Order] = {
            "help": Order({}, self._help, "lists what there is to do"),
            "truth": Order(
                {}, self._truth, "reads circuit, extremes, firmware, relays, faults, time"
            ),
            "load": Order({"name": f"{loads}, or null for open"}, self._load, "connects a load"),
            "contact": Order(
                {"closed": "true or false", "share?": "above 0, up to 1"},
                self._contact,
                "sets the active electrode on, or lifts it off",
            ),
            "supply": Order(
                {"volts": f"0 to {HIGHEST_SUPPLY:g}", "limit?": "A, above 0", "ohm?": "from 0"},
                self._supply,
                "sets the voltage at the device's supply terminals, past the supply",
            ),
            "faults": Order(
                {"set": "list of faults as F06, F11:severity=0.12; [] for none"},
                self._faults,
                "replaces the faults that are seeded",
            ),
            "link": Order(
                {"role": roles, "set": "list of link faults as {kind, first, every, ...}"},
                self._link,
                "replaces the faults of the link to an instrument",
            ),
            "power": Order(
                {"role": roles, "on": "true or false"},
                self._power,
                "takes the mains from an instrument, or gives them back",
            ),
            "scale": Order(
                {"scale": f"above 0, up to {FASTEST:g}"},
                self._scale,
                "sets the bench seconds for each wall second",
            ),
            "reset": Order({"seed": "a whole number"}, self._reset, "power-cycles everything"),
            "failures": Order({}, self._tell_failures, "lists what went wrong in the server"),
        }

    def answer(self, line: bytes) -> bytes:
        """Obey one line, and give the line that answers it."""
        reply: dict[str, Plain] = {}
        try:
            request = _read(line)
            if "id" in request:
                reply["id"] = plain(request["id"])
            reply |= {"ok": True, "result": self._obey(request)}
        except HilError as err:
            reply |= {"ok": False, "error": str(err)}
        except Exception as defect:  # of the bench: the client learns of it, and so does `failures`
            self.defects.append(traceback.format_exc())
            reply |= {"ok": False, "error": f"a defect of the bench: {defect!r}"}
        return json.dumps(reply, allow_nan=False).encode() + b"\n"

    def _obey(self, request: Mapping[str, object]) -> Plain:
        what = request.get("do")
        order = self.orders.get(what) if isinstance(what, str) else None
        if order is None:
            raise UsageError(f"do = {what!r}; allowed: {', '.join(self.orders)}")
        given = set(request) - {"do", "id"}
        needed = {name for name in order.arguments if not name.endswith("?")}
        allowed = {name.removesuffix("?") for name in order.arguments}
        if not needed <= given <= allowed:
            listed = ", ".join(order.arguments) or "none"
            raise UsageError(f"{what}: arguments {sorted(given)}; allowed: {listed}")
        return order.act(request)

    # Orders.

    def _help(self, _: Mapping[str, object]) -> Plain:
        return {
            name: {"about": order.about, "arguments": plain(order.arguments)}
            for name, order in self.orders.items()
        }

    def _truth(self, _: Mapping[str, object]) -> Plain:
        self._extremes.look()
        seen = self._extremes
        most = {
            "current": seen.current,
            "charge": seen.charge,
            "driven": seen.driven,
            "driven_charge": seen.driven_charge,
        }
        return {**ground_truth(self._bench), "most": plain(most), "scale": self._pace.scale}

    def _load(self, request: Mapping[str, object]) -> Plain:
        name, loads = request["name"], self._bench.description.loads
        if name is not None and not (isinstance(name, str) and name in loads):
            raise UsageError(f"load {name!r}; allowed: {', '.join(loads)}, or null for open")
        self._bench.device.circuit.select_load(None if name is None else loads[name])
        return None

    def _contact(self, request: Mapping[str, object]) -> Plain:
        closed = request["closed"]
        if not isinstance(closed, bool):
            raise UsageError(f"closed = {closed!r}; allowed: true, false")
        share = _number(request, "share", 1e-6, 1.0, usual=1.0)
        self._bench.device.circuit.set_contact(closed, share)
        return None

    def _supply(self, request: Mapping[str, object]) -> Plain:
        volts = _number(request, "volts", 0.0, HIGHEST_SUPPLY)
        limit = _number(request, "limit", 1e-6, 1e6, usual=math.inf)
        ohm = _number(request, "ohm", 0.0, 1e6, usual=0.0)
        self._bench.device.circuit.set_supply(volts, limit, ohm)
        return None

    def _faults(self, request: Mapping[str, object]) -> Plain:
        texts = _list(request, "set")
        if not all(isinstance(text, str) for text in texts):
            raise UsageError(f"set = {texts!r}; allowed: faults as text, F06 or F11:severity=0.12")
        self._bench.set_faults([str(text) for text in texts])
        return [str(each) for each in self._bench.faults]

    def _link(self, request: Mapping[str, object]) -> Plain:
        role, links = request["role"], self._bench.links
        if not isinstance(role, str) or role not in links:
            raise UsageError(f"role = {role!r}; allowed: {', '.join(links)}")
        links[role].set([_link_fault(each) for each in _list(request, "set")])
        return None

    def _power(self, request: Mapping[str, object]) -> Plain:
        role, on, instruments = request["role"], request["on"], self._bench.instruments
        if not isinstance(role, str) or role not in instruments:
            raise UsageError(f"role = {role!r}; allowed: {', '.join(instruments)}")
        if not isinstance(on, bool):
            raise UsageError(f"on = {on!r}; allowed: true, false")
        if isinstance(instruments[role], HostLink):
            raise UsageError("the device under test has no mains; its power is that of `supply`")
        instruments[role].set_mains(on)
        return None

    def _scale(self, request: Mapping[str, object]) -> Plain:
        self._pace.change(_number(request, "scale", 0.0, FASTEST))
        return None

    def _reset(self, request: Mapping[str, object]) -> Plain:
        seed = request["seed"]
        if not isinstance(seed, int) or isinstance(seed, bool):
            raise UsageError(f"seed = {seed!r}; allowed: a whole number")
        self._bench.reset(seed)
        return None

    def _tell_failures(self, _: Mapping[str, object]) -> Plain:
        return plain([*self._failures(), *self.defects])


class ControlSpeaker:
    """One client of the control channel."""

    def __init__(self, control: Control, connection: Connection) -> None:
        self._control, self.connection = control, connection
        self._held, self._skipping = b"", False

    def received(self, data: bytes) -> None:
        """Take the next bytes of the client."""
        *lines, self._held = (self._held + data).split(b"\n")
        for line in lines:
            if self._skipping:
                self._skipping = False
            elif line.strip():
                self.connection.send(self._control.answer(line))
        if len(self._held) > LONGEST_LINE:
            if not self._skipping:
                self.connection.send(self._control.answer(self._held))
            self._held, self._skipping = b"", True

    def lost(self) -> None:
        """The client is gone; what it set stays."""


def _read(line: bytes) -> Mapping[str, object]:
    if len(line) > LONGEST_LINE:
        raise UsageError(f"a line of more than {LONGEST_LINE} bytes; allowed: one JSON object")
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as err:
        raise UsageError(
            f"{line[:60]!r} is no JSON ({type(err).__name__}); allowed: one object a line, as "
            '{"do": "help"}'
        ) from err
    if not isinstance(request, dict):
        raise UsageError(f'{line[:60]!r} is no object; allowed: one a line, as {{"do": "help"}}')
    return request


def _number(
    request: Mapping[str, object],
    name: str,
    low: float,
    high: float,
    usual: float | None = None,
) -> float:
    value = request.get(name, usual)
    if value is usual and usual is not None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise UsageError(f"{name} = {value!r}; allowed: {low:g} to {high:g}")
    return float(value)


def _list(request: Mapping[str, object], name: str) -> list[object]:
    value = request[name]
    if not isinstance(value, list) or len(value) > 100:
        raise UsageError(f"{name} = {str(value)[:60]}; allowed: a list of up to 100")
    return value


_LINK_KEYS = ("kind", "first", "every", "probability", "extent")


def _link_fault(given: object) -> LinkFault:
    if not isinstance(given, dict) or not set(given) <= set(_LINK_KEYS) or "kind" not in given:
        raise UsageError(
            f"link fault {str(given)[:60]}; allowed: an object of kind and, each if wanted, "
            f"{', '.join(_LINK_KEYS[1:])}"
        )
    for name, value in given.items():
        wanted: type | tuple[type, ...] = int if name in {"first", "every"} else (int, float)
        if name == "kind":
            wanted = str
        if isinstance(value, bool) or not isinstance(value, wanted):
            raise UsageError(f"link fault: {name} = {value!r} is of the wrong kind")
    return LinkFault(**given)
