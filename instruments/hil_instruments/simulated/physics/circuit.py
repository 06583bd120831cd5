"""The one circuit of the simulated bench: device, wiring and load, solved from event to event.

Between two events every voltage and current is a constant, a ramp, exponentials and at most one
sinusoid. Events are commands, switched parts, moving contacts, and the moments at which a level is
met: the output stage saturates, the comparator or an ADC window responds. They are found by steps
that cannot pass one. Time only moves in `run` and `advance`.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from hil.bench import BenchDescription, LoadEntry
from hil.device import DeviceProfile
from hil.errors import UsageError
from hil_instruments.simulated.physics.front import FrontEnd, Mode
from hil_instruments.simulated.physics.history import History
from hil_instruments.simulated.physics.load import TOLERANCE, Load
from hil_instruments.simulated.physics.network import Network
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.physics.segment import Drive, Feed, Segment
from hil_instruments.simulated.physics.signal import SHORTEST_STEP
from hil_instruments.simulated.physics.stage import OutputStage
from hil_instruments.simulated.physics.supply import SUPPLY_NOMINAL, Supply
from hil_instruments.simulated.physics.table import Array
from hil_instruments.simulated.physics.watch import Window
from hil_instruments.simulated.physics.wiring import (
    AMMETER_BURDEN,
    OUTPUT,
    SKIN,
    VOLTMETER_RESISTANCE,
    Wiring,
    network,
)

__all__ = ["AMMETER_BURDEN", "SUPPLY_NOMINAL", "VOLTMETER_RESISTANCE"]
__all__ += ["Circuit", "Node", "OutputStage"]

BREAK = 50e-3
"""Longest break in s between two loads that the regulator takes for one change of load."""
_CACHED = 64  # networks kept; yielding skin makes a new one at every step


class Circuit:
    """Device, bench wiring and load; `now` moves only in `run` and `advance`."""

    def __init__(
        self,
        profile: DeviceProfile,
        bench: BenchDescription,
        stage: OutputStage | None = None,
        start: float = 0.0,
    ) -> None:
        """Start at rest: supply nominal, boost on, output relay open, cut-off open, no load.

        Args:
            profile: compliance, trip and trip time are taken from it.
            bench: the shunt is taken from it.
            stage: analogue part of the device; None is a healthy one.
            start: bench time in s at which history begins.
        """
        self.now = start
        self.listener: Callable[[], None] | None = None
        """Told after load, contact, cut-off or supply changed, and when power comes or goes."""
        self._front = FrontEnd(profile, stage or OutputStage())
        self._shunt = float(bench.shunt.base)
        self._burden, self._voltmeter = AMMETER_BURDEN, VOLTMETER_RESISTANCE
        self._cutoff, self._contact = False, True
        self._selected: LoadEntry | None = None
        self._left: tuple[LoadEntry, float] | None = None
        self._load = Load()
        self._windows: dict[Node, Window] = {}
        self._networks: dict[Wiring, Network] = {}
        self._charge = 0.0
        self._refresh = math.inf
        self._alert: float | None = None
        self._saturated = False
        self._history = History(start)
        self._network = self._wire(saturated=False)
        self._modes = self._network.modes({})
        self._begin()

    # --- bench side -----------------------------------------------------------------------------

    def select_load(self, entry: LoadEntry | None) -> None:
        """Connect a load at `now`; None opens. A load left behind keeps its charge for a while."""
        self._settle()
        if self._selected is not None:
            self._left = (self._selected, self.now)
        before, since = self._left or (None, 0.0)
        self._selected = entry
        recent = self.now - since <= BREAK  # a switched load opens before it makes
        if recent and before and entry and entry.resistance.base * 2 < before.resistance.base:
            self._front.kick()
        self._rewire()
        self._tell()

    def set_contact(self, closed: bool, share: float = 1.0) -> None:
        """Set the active electrode on the skin, or lift it off.

        Args:
            closed: whether it touches.
            share: of its area that does, above 0, up to 1: resistance / share, capacitance x share.
        """
        self._settle()
        self._contact, self._load.share = closed, share
        self._rewire()
        self._tell()

    def set_cutoff(self, closed: bool) -> None:
        """Close or open both poles between device and load."""
        self._settle()
        self._cutoff = closed
        self._rewire()
        self._tell()

    def set_supply(self, volts: float, limit: float = math.inf, resistance: float = 0.0) -> None:
        """Set the supply of the device.

        Args:
            volts: without load, in V.
            limit: current limit in A, beyond which the voltage folds back.
            resistance: of battery or leads in ohm.
        """
        self._settle()
        self._front.supply = Supply(volts, limit, resistance)
        self._begin()
        self._tell()

    def set_temperature(self, celsius: float) -> None:
        """Set the temperature of the device in degC."""
        self._settle()
        self._front.temperature = celsius
        self._begin()

    def set_burden(self, ohm: float) -> None:
        """Set the series resistance of the ammeter; infinite is a blown fuse."""
        self._settle()
        self._burden = ohm
        self._rewire()

    def set_voltmeter(self, ohm: float) -> None:
        """Set the input resistance of the voltmeter."""
        self._settle()
        self._voltmeter = ohm
        self._rewire()

    # --- board side -----------------------------------------------------------------------------

    def command(self, amperes: float) -> None:
        """Demand a magnitude of current in A, >= 0, from now on; the bridge gives it its sign."""
        self._settle()
        self._front.command(amperes)
        self._begin()

    def set_output_relay(self, closed: bool) -> None:
        """Drive or release the output relay; a tripped comparator keeps it open."""
        self._settle()
        self._front.drive_relay(self.now, closed=closed)
        self._move()

    def set_bridge(self, negative: bool) -> None:
        """Switch the polarity of the output."""
        self._settle()
        self._front.turn(negative=negative)
        self._begin()

    def set_boost(self, on: bool) -> None:
        """Switch the boost supply."""
        self._settle()
        self._front.boosting = on
        self._begin()

    def set_compliance(self, volts: float) -> None:
        """Ask the boost supply for a voltage: the compliance."""
        self._settle()
        self._front.compliance = volts
        self._begin()

    def set_stage(self, stage: OutputStage) -> None:
        """Replace the analogue part of the device at `now`: a fault sets in."""
        self._settle()
        self._front.replace(stage)
        self._networks.clear()
        self._rewire()

    def watch(self, node: Node, low: float, high: float) -> None:
        """Let `run` return when |node| enters or leaves low to high; both infinite removes it."""
        if math.isinf(low) and math.isinf(high):
            self._windows.pop(node, None)
        else:
            window = self._windows[node] = Window(low, high)
            window.look(self.value(node))
        self._alert = None

    @property
    def stage(self) -> OutputStage:
        """The analogue part of the device."""
        return self._front.stage

    @property
    def tripped(self) -> bool:
        """Whether the comparator has opened the output relay; until `clear_trip`."""
        return self._front.tripped

    def clear_trip(self) -> None:
        """Let the comparator be ready again; closes nothing."""
        self._front.tripped = False

    # --- readings -------------------------------------------------------------------------------

    @property
    def powered(self) -> bool:
        """Whether the device lives."""
        return self._front.alive

    @property
    def limited(self) -> bool:
        """Whether the boost voltage limits the current."""
        return self._front.mode.limits

    @property
    def relay_closed(self) -> bool:
        """Whether the contact of the output relay is closed."""
        return self._front.relay.closed

    @property
    def cutoff_closed(self) -> bool:
        """Whether the poles between device and load are closed."""
        return self._cutoff

    @property
    def in_contact(self) -> bool:
        """Whether the active electrode touches the skin."""
        return self._contact

    @property
    def load(self) -> LoadEntry | None:
        """The load that is selected; None is open."""
        return self._selected

    @property
    def skin_resistance(self) -> float:
        """Present resistance in ohm under the active electrode, where it falls; else 0."""
        return self._load.resistance

    @property
    def settled(self) -> bool:
        """Whether current and voltage stay within 1 nA and 1 mV until an event."""
        age = self.now - self._segment.start
        signals = (self._segment.signal(node.value) for node in (Node.CURRENT, Node.OUTPUT))
        current, voltage = signals
        still = not current.slope and not voltage.slope
        return still and current.wander(age) < 1e-9 and voltage.wander(age) < 1e-3

    def value(self, node: Node) -> float:
        """Value of a node at `now`."""
        return self._segment.seen(node).at(self.now - self._segment.start)

    def charge(self) -> float:
        """Integral of the signed current in C through the sense resistor since the start."""
        age = self.now - self._segment.start
        return self._charge + self._segment.seen(Node.SENSE).integral(age)

    def observe(self, node: Node, times: Array) -> Array:
        """Return the values of a node at any times from the start of history to `now`.

        Raises:
            UsageError: a time lies outside the history.
        """
        times = np.asarray(times, dtype=np.float64)
        self._require_past(times, times)
        return self._history.values(node, times)

    def means(self, node: Node, starts: Array, aperture: float) -> Array:
        """Return the exact means over [start, start + aperture] (aperture in s, > 0).

        Raises:
            UsageError: a window lies outside the history.
        """
        starts = np.asarray(starts, dtype=np.float64)
        self._require_past(starts, starts + aperture)
        return self._history.means(node, starts, aperture)

    def mean(self, node: Node, start: float, aperture: float) -> float:
        """Return the exact mean over one window, as `means` but without arrays.

        Raises:
            UsageError: the window lies outside the history.
        """
        history, slack = self._history, 1e-9 + 1e-12 * abs(self.now)
        if not (start >= history.start - slack and start + aperture <= self.now + slack):
            self._require_past(np.array([start]), np.array([start + aperture]))
        return history.mean(node, start, aperture)

    def breaks(self, since: float, until: float) -> Array:
        """Return the times in (since, until] at which every node passed into a new piece."""
        return self._history.breaks(since, until)

    def forget(self, before: float) -> None:
        """Drop the history before a bench time in s; state and charge stay."""
        self._history.forget(min(before, self.now))

    def _require_past(self, starts: Array, ends: Array) -> None:
        if not np.size(starts):
            return
        first, last = float(np.min(starts)), float(np.max(ends))
        slack = 1e-9 + 1e-12 * abs(self.now)  # rounding of start + n x interval
        if not (first >= self._history.start - slack and last <= self.now + slack):
            raise UsageError(
                f"circuit: observed from {first} s to {last} s; "
                f"its history reaches from {self._history.start} s to {self.now} s"
            )

    # --- time -----------------------------------------------------------------------------------

    def advance(self, to: float) -> None:
        """Let time pass until `to`, in s of bench time; raises UsageError for the past."""
        while self.run(to):
            pass

    def run(self, to: float) -> bool:
        """Let time pass until `to` or the first event; return whether an event ended it."""
        if to < self.now:
            raise UsageError(f"circuit: asked to advance to {to} s, but it is {self.now} s already")
        if self._front.power_changed:
            self._tell()
            return True
        while (alert := self._next()) <= to:
            self.now = max(alert, self.now)
            self._alert = None
            if self._examine():
                return True
            if self._alert is None:
                soonest = max(self.now + SHORTEST_STEP, math.nextafter(self.now, math.inf))
                self._alert = max(self._find(), soonest)
        self.now = to
        return False

    def _next(self) -> float:
        if self._alert is None:
            self._alert = self._find()
        return self._alert

    def _find(self) -> float:
        """Bench time in s before which nothing can happen by itself; at it, something may."""
        segment, front = self._segment, self._front
        age = self.now - segment.start
        ages = [front.quiet(segment, age)]
        for node, window in self._windows.items():
            if node.value <= Node.EARTH.value and window.rests(*segment.extent(node.value)):
                continue
            signal = segment.seen(node)
            if window.look(signal.at(age)):
                window.region = None
                return self.now
            ages.append(window.quiet(signal, age))
        return min(front.due, self._refresh, segment.start + min(ages))

    def _examine(self) -> bool:
        """Act on what is due at `now`; return whether it is an event for the board."""
        front, segment = self._front, self._segment
        age = self.now - segment.start
        event = self._look()
        if front.fires(segment, age, self.now):
            self._settle()
            front.trip(self.now)
            self._move()
            return True
        if front.relay.due <= self.now:
            self._settle()
            self._move()
        elif front.mode_ends(segment, age) or front.revives(self.now):
            self._settle()
            self._begin()
            event = True
        elif self._refresh <= self.now:
            self._settle()
            self._begin()
        if front.power_changed:
            self._tell()
            return True
        return event

    def _look(self) -> bool:
        """Let the windows look; return whether one has something to tell."""
        found = False
        for node, window in self._windows.items():
            before = window.region
            found |= window.look(self.value(node)) or before is None
        return found

    def _tell(self) -> None:
        self._front.power_changed = False
        if self.listener:
            self.listener()

    # --- segments -------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Take over what the present segment has become at `now`."""
        segment = self._segment
        age = self.now - segment.start
        if age <= 0:
            return
        if self._load.fall:
            self._load.settle(abs(segment.signal(SKIN).integral(age)) / age, age)
        self._modes = segment.modes(age)
        self._charge += self._front.settle(segment, age)

    def _move(self) -> None:
        """Let the contact of the output relay move as far as it is due."""
        front = self._front
        while front.relay.due <= self.now:
            held = self._network.voltages(self._modes)
            held[OUTPUT] = front.move(held[OUTPUT])
            self._rewire(held)
        self._begin()

    def _rewire(self, held: dict[str, float] | None = None) -> None:
        """Take the present wiring; the capacitors keep their charge, unless `held` says what."""
        held = self._network.voltages(self._modes) if held is None else held
        entry = self._selected if self._cutoff and self._contact else None
        load = self._load
        if entry is not load.entry:
            skin = {name: volts for name, volts in held.items() if name != OUTPUT}
            held = load.change(entry, skin, self.now) | {OUTPUT: held[OUTPUT]}
        self._front.load_ohm = float(entry.resistance.base) if entry else math.inf
        self._saturated = False
        self._exchange(self._wire(saturated=False), held)
        self._begin()

    def _wire(self, *, saturated: bool) -> Network:
        load, front = self._load, self._front
        wiring = Wiring(
            self._shunt,
            self._burden,
            self._voltmeter,
            load.entry,
            load.share,
            load.ohm,
            relay=front.relay.closed,
            saturated=saturated,
        )
        if wiring not in self._networks:
            if len(self._networks) >= _CACHED:
                self._networks.clear()
            self._networks[wiring] = network(wiring, front.stage)
        return self._networks[wiring]

    def _exchange(self, other: Network, held: dict[str, float] | None = None) -> None:
        """Go on with another network and what its capacitors hold."""
        held = self._network.voltages(self._modes) if held is None else held
        self._network, self._modes = other, other.modes(held)

    def _begin(self) -> None:
        """Solve from the state at `now` on."""
        front = self._front
        mode = front.decide(self.now, self._probed(Node.OUTPUT.value), self._saturation())
        saturated = mode is Mode.SATURATED
        if saturated is not self._saturated:
            self._exchange(self._wire(saturated=saturated))
            self._saturated = saturated
        feed = front.feed()
        drive = front.drive(feed, (0.0, 0.0))
        self._refresh = math.inf
        if self._load.fall:
            drive = self._yielding(feed, drive)
        self._segment = Segment(self.now, self._network, drive, feed, self._modes)
        self._history.append(self._segment)
        self._alert = None

    def _probed(self, probe: int) -> float:
        """What a probe of the capacitors sees now."""
        weights = self._network.probes[probe]
        return sum(w * z for w, z in zip(weights, self._modes, strict=True))

    def _saturation(self) -> float:
        """Steady current in A that each volt of boost drives in saturation."""
        if not self._front.weak:
            return 0.0
        return self._wire(saturated=True).gains[Node.SENSE.value][0] / self._front.stage.drop

    def _yielding(self, feed: Feed, drive: Drive) -> Drive:
        """Let skin yield from now on, solved anew before it is off by more than TOLERANCE."""
        network, levels = self._network, drive.levels
        gains = network.gains[SKIN]
        later = sum(g * level for g, level in zip(gains, levels, strict=True))
        tolerance = TOLERANCE * self._front.compliance
        planned = self._load.plan(self._probed(SKIN), later, tolerance)
        if not planned.exact:
            self._load.ohm = self._load.resistance
            self._exchange(self._wire(saturated=self._saturated))
            planned = self._load.plan(self._probed(SKIN), later, tolerance)
        self._refresh = self.now + planned.span
        return self._front.drive(feed, (planned.level, planned.slope))
