"""The one circuit of the simulated bench: device, wiring and load, solved from event to event.

Between two events every voltage and current is a constant, a ramp, exponentials and at most one
sinusoid. Events are commands, switched parts, moving contacts, and the moments at which a level is
met: the output stage saturates, the comparator or an ADC window responds. They are found by steps
that cannot pass one. Time only moves in `run` and `advance`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from hil.bench import BenchDescription, LoadEntry
from hil.device import DeviceProfile
from hil.errors import UsageError
from hil_instruments.simulated.physics.assembly import Assembly
from hil_instruments.simulated.physics.figure import at_least
from hil_instruments.simulated.physics.front import FrontEnd, Mode
from hil_instruments.simulated.physics.history import History
from hil_instruments.simulated.physics.load import TOLERANCE
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.physics.segment import Segment
from hil_instruments.simulated.physics.signal import SHORTEST_STEP
from hil_instruments.simulated.physics.stage import OutputStage
from hil_instruments.simulated.physics.supply import SUPPLY_NOMINAL, Supply
from hil_instruments.simulated.physics.table import Array
from hil_instruments.simulated.physics.watch import Windows
from hil_instruments.simulated.physics.wiring import AMMETER_BURDEN, OUTPUT, VOLTMETER_RESISTANCE

__all__ = ["AMMETER_BURDEN", "SUPPLY_NOMINAL", "VOLTMETER_RESISTANCE"]
__all__ += ["Circuit", "Node", "OutputStage"]

ABSOLUTE_ZERO, LEAST_OHM, LEAST_SHARE = -273.15, 1e-6, 1e-6
"""Smallest figures that are taken: degC, ohm, share of an electrode."""
RESTING = 1e-9
"""A or V by which a node that rests may move."""
LEAST_APERTURE = 1e-12
"""Smallest aperture in s."""
BREAK = 50e-3
"""Longest break in s between two loads that the regulator takes for one change of load."""
_LEAST_SCALE = 1.0  # V of compliance: to an error that is a share of 0 V no step is short enough
_LONGEST_STEP = 1e-6  # s: so far a search may grope along a level that it neither meets nor leaves


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
        self.cutoff_since = start
        """Bench time in s at which the cut-off last moved."""
        self._stage, self._earthed = stage or OutputStage(), True
        self._front = FrontEnd(profile, self._stage)
        self._assembly = Assembly(float(bench.shunt.base), self._front.stage)
        self._left: tuple[LoadEntry, float] | None = None
        self._windows = Windows()
        self._charge = self._source = 0.0
        self._refresh = math.inf
        self._alert: float | None = None
        self._history = History(start)
        self._begin()

    # --- bench side -----------------------------------------------------------------------------

    def select_load(self, entry: LoadEntry | None) -> None:
        """Connect a load at `now`; None opens. A load left behind keeps its charge for a while."""
        self._settle()
        parts = self._assembly
        if parts.selected is not None:
            self._left = (parts.selected, self.now)
        before, since = self._left or (None, 0.0)
        parts.selected = entry
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
        at_least(LEAST_SHARE, share, "share of the electrode")
        self._settle()
        self._assembly.contact = closed
        self._rewire(share=share)
        self._tell()

    def set_cutoff(self, closed: bool, *, crossed: bool = False) -> None:
        """Close or open both poles between device and load.

        Args:
            closed: both.
            crossed: whether they lead to each other's end of the load.
        """
        self._settle()
        self._assembly.cutoff, self._assembly.crossed = closed, crossed
        self.cutoff_since = self.now
        self._rewire()
        self._tell()

    def set_supply(self, volts: float, limit: float = math.inf, resistance: float = 0.0) -> None:
        """Set the supply of the device.

        Args:
            volts: without load, in V.
            limit: current limit in A, beyond which the voltage folds back.
            resistance: of battery or leads in ohm.
        """
        supply = Supply(
            at_least(0, volts, "supply in V"),
            at_least(0, limit, "current limit in A", endless=True),
            at_least(0, resistance, "resistance of the supply in ohm"),
        )
        self._settle()
        self._front.supply = supply
        self._begin()
        self._tell()

    def set_temperature(self, celsius: float) -> None:
        """Set the temperature of the device in degC."""
        at_least(ABSOLUTE_ZERO, celsius, "temperature in degC")
        self._settle()
        self._front.temperature = celsius
        self._begin()

    def set_burden(self, ohm: float) -> None:
        """Set the series resistance of the ammeter; infinite is a blown fuse."""
        at_least(LEAST_OHM, ohm, "burden in ohm", endless=True)
        self._settle()
        self._assembly.burden = ohm
        self._rewire()

    def set_voltmeter(self, ohm: float) -> None:
        """Set the input resistance of the voltmeter."""
        at_least(LEAST_OHM, ohm, "input resistance of the voltmeter in ohm", endless=True)
        self._settle()
        self._assembly.voltmeter = ohm
        self._rewire()

    def set_shunt(self, ohm: float) -> None:
        """Put another shunt under the oscilloscope."""
        at_least(0, ohm, "shunt in ohm")
        self._settle()
        self._assembly.shunt = ohm
        self._rewire()

    def drive_source(self, volts: float) -> None:
        """Set the bench's source of known sign, in V; positive drives as a positive device does."""
        self._settle()
        self._source = volts
        self._front.injected = volts / self._assembly.source
        self._begin()

    def join_source(self, resistance: float) -> None:
        """Join that source to the device's end of the ammeter, against the dispersive lead.

        Args:
            resistance: in series with it, in ohm; infinite parts it.
        """
        if resistance == self._assembly.source:
            return
        at_least(LEAST_OHM, resistance, "resistance of the source in ohm", endless=True)
        self._settle()
        self._front.injected = self._source / resistance
        self._assembly.source = resistance
        self._rewire()

    # --- board side -----------------------------------------------------------------------------

    def command(self, amperes: float) -> None:
        """Demand a magnitude of current in A, >= 0, from now on; the bridge gives it its sign."""
        at_least(0, amperes, "command in A")
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
        at_least(0, volts, "compliance in V")
        self._settle()
        self._front.compliance = volts
        self._begin()

    def set_stage(self, stage: OutputStage) -> None:
        """Replace the analogue part of the device at `now`: a fault sets in."""
        self._stage = stage
        self._restage()

    def join_earth(self, joined: bool) -> None:
        """Join the dispersive lead to earth through the leakage meter, or let it float."""
        if joined is not self._earthed:
            self._earthed = joined
            self._restage()

    def _restage(self) -> None:
        """What leaks to earth finds its way back only where the dispersive lead is earthed."""
        stage = self._stage if self._earthed else replace(self._stage, isolation=math.inf)
        if stage == self._front.stage:
            return
        self._settle()
        self._front.replace(stage)
        self._assembly.replace(stage)
        self._rewire()

    def watch(self, node: Node, low: float, high: float) -> None:
        """Let `run` return when |node| enters or leaves low to high; both infinite removes it."""
        self._windows.put(node, low, high, self.value(node))
        self._alert = None

    @property
    def stage(self) -> OutputStage:
        """The analogue part of the device."""
        return self._stage

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
        return self._assembly.cutoff

    @property
    def in_contact(self) -> bool:
        """Whether the active electrode touches the skin."""
        return self._assembly.contact

    @property
    def load(self) -> LoadEntry | None:
        """The load that is selected; None is open."""
        return self._assembly.selected

    @property
    def skin_resistance(self) -> float:
        """Present resistance in ohm under the active electrode, where it falls; else 0."""
        return self._assembly.load.resistance

    @property
    def settled(self) -> bool:
        """Whether current and voltage stay within 1 nA and 1 mV until an event."""
        age = self.now - self._segment.start
        still = self._segment.rests(Node.CURRENT, age, 1e-9)
        return still and self._segment.rests(Node.OUTPUT, age, 1e-3)

    def resting(self, node: Node, since: float) -> float | None:
        """Value at which a node has rested since a past time, to 1 nA or 1 nV; None if it has not.

        None as well where it has, but through an event.
        """
        segment = self._segment
        still = segment.start <= since and segment.rests(node, since - segment.start, RESTING)
        return self.value(node) if still else None

    def bounds(self, node: Node, since: float) -> tuple[float, float] | None:
        """Values between which a node has certainly stayed since a past time, in A or V.

        Returns:
            None where it would take long to tell, or where the node is none of the network's.
        """
        return self._history.bounds(node, since)

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
        self._history.require(times, times, self.now)
        return self._history.values(node, times)

    def means(self, node: Node, starts: Array, aperture: float) -> Array:
        """Return the exact means over [start, start + aperture] (aperture in s, > 0).

        Raises:
            UsageError: a window lies outside the history, or the aperture is none.
        """
        at_least(LEAST_APERTURE, aperture, "aperture in s")
        starts = np.asarray(starts, dtype=np.float64)
        self._history.require(starts, starts + aperture, self.now)
        return self._history.means(node, starts, aperture)

    def mean(self, node: Node, start: float, aperture: float) -> float:
        """Return the exact mean over one window, as `means` but without arrays.

        Raises:
            UsageError: the window lies outside the history.
        """
        if not self._history.start <= start <= start + aperture <= self.now:
            starts = np.array([start])
            self._history.require(starts, starts + aperture, self.now)
        return self._history.mean(node, start, aperture)

    def began(self, time: float) -> float:
        """Return when the piece that holds a past time began."""
        return self._history.began(time)

    def breaks(self, since: float, until: float) -> Array:
        """Return the times in (since, until] at which every node passed into a new piece."""
        return self._history.breaks(since, until)

    def forget(self, before: float) -> None:
        """Drop the history before a bench time in s; state and charge stay."""
        self._history.forget(min(before, self.now))

    # --- time -----------------------------------------------------------------------------------

    def advance(self, to: float) -> None:
        """Let time pass until `to`, in s; raises UsageError for the past, NaN and infinity."""
        while self.run(to):
            pass

    def run(self, to: float) -> bool:
        """Let time pass until `to` or the first event; return whether an event ended it."""
        if not self.now <= to < math.inf:
            raise UsageError(
                f"circuit: asked to advance to {to} s, but it is {self.now} s already; "
                "allowed: finite, and no earlier"
            )
        if self._front.power_changed:
            self._tell()
            return True
        step = SHORTEST_STEP
        while (alert := self._next()) <= to:
            self.now = max(alert, self.now)
            self._alert = None
            if self._examine():
                return True
            soonest = max(self.now + step, math.nextafter(self.now, math.inf))
            self._alert = max(self._find(), soonest)
            step = min(2 * step, _LONGEST_STEP) if self._alert == soonest else SHORTEST_STEP
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
        quiet = min(front.quiet(segment, age), self._windows.quiet(segment, age))
        return min(front.due, self._refresh, segment.start + quiet)

    def _examine(self) -> bool:
        """Act on what is due at `now`; return whether it is an event for the board."""
        front, segment = self._front, self._segment
        age = self.now - segment.start
        event = self._windows.look(segment, age)
        if front.fires(segment, age, self.now):
            self._settle()
            front.trip(self.now)
            self._move()
            return True
        if front.relay.due <= self.now:
            self._settle()
            self._move()
        elif front.mode_ends(segment, age) or front.revives(self.now):
            before = front.mode
            self._settle()
            self._begin()
            event |= front.mode is not before
        elif self._refresh <= self.now:
            self._settle()
            self._begin()
        if front.power_changed:
            self._tell()
            return True
        return event

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
        self._assembly.settle(segment, age)
        self._charge += self._front.settle(segment, age)

    def _move(self) -> None:
        """Let the contact of the output relay move as far as it is due."""
        front = self._front
        while front.relay.due <= self.now:
            self._rewire(output=front.move(self._assembly.held[OUTPUT]))
        self._begin()

    def _rewire(self, output: float | None = None, share: float | None = None) -> None:
        """Take the wiring as it is now, and go on."""
        parts, front = self._assembly, self._front
        parts.rewire(self.now, relay=front.relay.closed, output=output, share=share)
        front.load_ohm = parts.ohm
        self._begin()

    def _begin(self) -> None:
        """Solve from the state at `now` on."""
        front, parts = self._front, self._assembly
        saturation = parts.saturation() if front.weak else 0.0
        mode = front.decide(self.now, parts.probe(Node.OUTPUT.value), saturation)
        parts.saturate(saturated=mode is Mode.SATURATED)
        feed = front.feed()
        drive = front.drive(feed, (0.0, 0.0))
        span = math.inf
        if parts.load.fall:
            tolerance = TOLERANCE * max(front.compliance, _LEAST_SCALE)
            planned = parts.plan(drive.levels, tolerance)
            drive, span = front.drive(feed, (planned.level, planned.slope)), planned.span
        self._refresh = self.now + span
        self._segment = Segment(self.now, parts.network, drive, feed, parts.modes, span=span)
        self._history.append(self._segment)
        self._alert = None
