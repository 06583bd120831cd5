"""The one circuit of the simulated bench, solved exactly from one event to the next.

    output stage -> ammeter -+-> cut-off -> switched load -> shunt -> return
    (C and bleed)    2 ohm   +-> voltmeter 10 Mohm ----------------> return

Between two events every voltage and current is a constant, a ramp and at most four exponentials:
the two capacitances (output stage, skin), the lag of the regulator and the decay of a transient.
Events are commands, switched parts, and the moments at which the output stage meets its compliance
or its over-current comparator, found by steps that cannot pass one. Time only moves in `advance`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from hil.bench import BenchDescription, LoadEntry
from hil.device import DeviceProfile
from hil.errors import UsageError

AMMETER_BURDEN = 2.0
"""Series resistance of the ammeter in ohm."""
VOLTMETER_RESISTANCE = 10e6
"""Input resistance of the voltmeter in ohm; always connected."""
SUPPLY_NOMINAL = 9.0
"""Supply voltage in V with which a circuit starts."""
BREAK = 50e-3
"""Longest break in s between two loads that the regulator takes for one change of load."""
SUPPLY_MINIMUM = 4.5
"""Supply voltage in V below which the device under test is dead."""
_CONTACT = 1e-3  # ohm: keeps a short across no shunt finite
_LIMIT_MARGIN = 1e-6  # V above compliance at which limiting begins
_RELEASE_MARGIN = 1e-10  # A missing at which limiting ends; both margins prevent chatter
_COMPARATOR_RESET = 0.999  # share of the trip below which the comparator lets go
_SHORTEST_STEP = 1e-11  # s: the search for an event always gets on
_FADED = 45.0  # time constants after which an exponential is below the resolution of a float

Array: TypeAlias = npt.NDArray[np.float64]
_Rates: TypeAlias = tuple[float, float, float, float]
_Terms: TypeAlias = tuple[float, float, float, float, float, float]
"""y(s) = y[0] + y[1] s + sum of y[2 + k] exp(-rate[k] s)."""


class Node(Enum):
    """What an instrument can observe."""

    CURRENT = 0
    """Current through the ammeter in A; positive where the active electrode is positive."""
    TERMINAL = 1
    """Voltage in V at the voltmeter, active less dispersive electrode."""
    SHUNT = 2
    """Voltage in V across the shunt in the return of the load."""


class Bridge(Enum):
    """How the polarity bridge obeys."""

    FOLLOWS = "follows"
    STUCK = "stuck"
    SWAPPED = "swapped"


@dataclass(frozen=True, slots=True)
class OutputStage:
    """The analogue part of the device under test; the defaults are a healthy one."""

    lag: float = 1e-3
    """Time constant of the current regulator in s."""
    capacitance: float = 120e-12
    """Across the output, in F. What it holds at compliance passes the load at a reconnection."""
    bleed: float = 1e6
    """Across the output while its relay is open, in ohm."""
    gain: float = 1.0
    """Current that flows for each ampere commanded."""
    sense: float = 1.0
    """Current that the device reads for each ampere that flows."""
    bridge: Bridge = Bridge.FOLLOWS
    """Polarity bridge."""
    standby: float = 0.0
    """Current in A driven past the open output relay."""
    weld: float = 0.0
    """Current in A driven past the open output relay once it has been closed."""
    windup: float = 0.0
    """Excess current in A that a second of limiting leaves in the regulator."""
    windup_limit: float = 0.0
    """Largest such excess in A."""
    load_step: float = 0.0
    """Excess current in A when the load falls to less than half."""
    transient: float = 5e-3
    """Time constant in s with which an excess decays."""
    comparator: bool = True
    """Whether the over-current comparator works."""


class Circuit:
    """Stimulator output, bench wiring and load; `now` moves only in `advance`."""

    def __init__(
        self,
        profile: DeviceProfile,
        bench: BenchDescription,
        stage: OutputStage | None = None,
        start: float = 0.0,
    ) -> None:
        """Start at rest: supply nominal, output relay open, cut-off open, load open.

        Args:
            profile: compliance, trip and trip time are taken from it.
            bench: the shunt is taken from it.
            stage: analogue part of the device; None is a healthy one.
            start: bench time in s at which history begins.
        """
        self.now = start
        self.stage = stage or OutputStage()
        self.listener: Callable[[], None] | None = None
        """Told after load, cut-off or supply were changed from outside."""
        self.tripped = False
        """Whether the comparator has opened the output relay; until `clear_trip`."""
        self._compliance = profile.si("output.compliance")
        self._trip = profile.si("output.trip") if self.stage.comparator else math.inf
        self._trip_delay = profile.si("output.trip_time") / 2
        self._shunt = float(bench.shunt.base)
        self._supply = SUPPLY_NOMINAL
        self._relay = self._was_closed = self._cutoff = False
        self._load: LoadEntry | None = None
        self._left: tuple[LoadEntry, float] | None = None
        self._parked: dict[LoadEntry, tuple[float, float]] = {}
        self._networks: dict[tuple[LoadEntry | None, bool], _Network] = {}
        self._command = (0.0, 0.0)
        self._state = _State(0.0, 0.0, 0.0, 0.0)
        self._limited_since: float | None = None
        self._over_since: float | None = None
        self._over_negative = False
        self._integrals: tuple[float, ...] = (0.0, 0.0, 0.0)
        self._memo: tuple[float, _Rates] = (start, (1.0, 1.0, 1.0, 1.0))
        self._wired: tuple[LoadEntry | None, bool] = (None, False)
        self._network = self._network_of(None, connected=False)
        self._history = _History(start)
        self._begin()

    # --- bench side -----------------------------------------------------------------------------

    def select_load(self, entry: LoadEntry | None) -> None:
        """Connect a load at `now`; None opens. A skin network left behind discharges by itself."""
        self._settle_state()
        if self._load is not None:
            self._left = (self._load, self.now)
        before, since = self._left or (None, 0.0)
        self._load = entry
        recent = self.now - since <= BREAK  # a switched load opens before it makes
        if self._driven and recent and before and entry and _falls(before, entry):
            self._kick(self.stage.load_step)
        self._begin()
        self._tell()

    def set_cutoff(self, closed: bool) -> None:
        """Close or open both poles between device and load at `now`."""
        self._settle_state()
        self._cutoff = closed
        self._begin()
        self._tell()

    def set_supply(self, voltage: float) -> None:
        """Set the supply of the device in V at `now`; below SUPPLY_MINIMUM its output is dead."""
        self._settle_state()
        self._supply = voltage
        self._begin()
        self._tell()

    @property
    def powered(self) -> bool:
        """Whether the supply suffices."""
        return self._supply >= SUPPLY_MINIMUM

    # --- firmware side --------------------------------------------------------------------------

    def drive(self, current: float, slope: float = 0.0) -> None:
        """Command a signed current in A at `now`, changing by `slope` A/s until the next call."""
        self._settle_state()
        factor = self.stage.gain * self._bridge(math.copysign(1.0, current or slope))
        self._command = (factor * current, factor * slope)
        self._begin()

    def set_output_relay(self, closed: bool) -> None:
        """Close or open the relay of the output at `now`; a tripped comparator keeps it open."""
        closed = closed and not self.tripped
        if closed == self._relay:
            return
        self._settle_state()
        self._relay = closed
        self._was_closed |= closed
        self._begin()

    def clear_trip(self) -> None:
        """Let the comparator be ready again; closes nothing."""
        self.tripped = False

    def current(self) -> float:
        """Signed current in A through the output at `now`."""
        return _value(self._segment.nodes[Node.CURRENT.value], self._decays, self._age)

    def voltage(self) -> float:
        """Signed voltage in V at the output at `now`."""
        return _value(self._segment.output, self._decays, self._age)

    def charge(self) -> float:
        """Integral of the signed current in C since the start of history."""
        segment, node = self._segment, Node.CURRENT.value
        return segment.integrals[node] + _integral(
            segment.nodes[node], segment.rates, self._decays, self._age
        )

    @property
    def limited(self) -> bool:
        """Whether the output stage is at its compliance."""
        return self._segment.limited

    @property
    def settled(self) -> bool:
        """Whether current and voltage stay as they are, within 1 nA and 1 mV, until an event."""
        segment, decays = self._segment, self._decays
        if segment.nodes[0][1] or segment.output[1]:
            return False
        wander = _wander(segment.nodes[0], decays), _wander(segment.output, decays)
        return wander[0] < 1e-9 and wander[1] < 1e-3

    # --- time -----------------------------------------------------------------------------------

    def advance(self, to: float) -> None:
        """Let time pass until `to`, in s of bench time; raises UsageError for the past."""
        while self.run(to):
            pass

    def run(self, to: float) -> bool:
        """Let time pass until `to` or the first event; return whether an event ended it."""
        if to < self.now:
            raise UsageError(f"circuit: asked to advance to {to} s, but it is {self.now} s already")
        while self._alert <= to:
            self.now = max(self._alert, self.now)
            if self._examine():
                return True
        self.now = to
        return False

    def observe(self, node: Node, times: Array) -> Array:
        """Return the exact values of a node at any times from the start of history to `now`.

        Raises:
            UsageError: a time lies outside the history.
        """
        self._require_past(times, times)
        return self._history.values(node, np.asarray(times, dtype=np.float64))

    def means(self, node: Node, starts: Array, aperture: float) -> Array:
        """Return the exact means over [start, start + aperture] (aperture in s, > 0).

        Raises:
            UsageError: a window lies outside the history.
        """
        starts = np.asarray(starts, dtype=np.float64)
        self._require_past(starts, starts + aperture)
        ends = self._history.integrals(node, starts + aperture)
        means: Array = (ends - self._history.integrals(node, starts)) / aperture
        return means

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

    # --- segments -------------------------------------------------------------------------------

    @property
    def _age(self) -> float:
        return self.now - self._segment.start

    @property
    def _decays(self) -> _Rates:
        """Exponentials of the present segment at `now`, kept until time moves."""
        now, decays = self._memo
        if now != self.now:
            decays = _decays(self._segment.rates, self.now - self._segment.start)
            self._memo = (self.now, decays)
        return decays

    @property
    def _driven(self) -> bool:
        return self.powered and (self._relay or self._leak != 0.0)

    @property
    def _leak(self) -> float:
        """Current past the open relay."""
        return self.stage.standby or (self.stage.weld if self._was_closed else 0.0)

    def _bridge(self, sign: float) -> float:
        """Factor between the commanded and the real sign."""
        if self.stage.bridge is Bridge.STUCK:
            return sign
        return -1.0 if self.stage.bridge is Bridge.SWAPPED else 1.0

    def _tell(self) -> None:
        if self.listener:
            self.listener()

    def _kick(self, excess: float) -> None:
        if excess:
            sign = math.copysign(1.0, self._state.regulator)
            self._state = self._state.kicked(sign * excess)

    def _settle_state(self) -> None:
        """Take over what the present segment has become at `now`."""
        segment, age, decays = self._segment, self._age, self._decays
        self._state = _State(
            output=_value(segment.output, decays, age),
            skin=_value(segment.skin, decays, age),
            regulator=_value(segment.regulator, decays, age),
            excess=segment.excess * decays[3],
        )
        slope = self._command[1]
        self._command = (self._command[0] + slope * age, slope)
        self._integrals = tuple(
            start + _integral(terms, segment.rates, decays, age)
            for start, terms in zip(segment.integrals, segment.nodes, strict=True)
        )

    def _begin(self) -> None:
        """Solve from the state at `now` on."""
        network = self._wire()
        regulator = self._regulated()
        source = self._source(regulator)
        limited = self._meets_compliance(network, source)
        if self._limited_since is not None and not limited:
            self._unwind(self.now - self._limited_since)
            source = self._source(regulator)
            limited = self._meets_compliance(network, source)
        if not limited:
            self._limited_since = None
        elif self._limited_since is None:
            self._limited_since = self.now
        output, skin, rates = (
            self._limit(network) if limited else network.solve(source, self._state)
        )
        self._segment = _Segment(
            start=self.now,
            rates=rates,
            output=output,
            skin=skin,
            regulator=regulator,
            source=source,
            excess=self._state.excess,
            nodes=network.nodes(output, skin),
            integrals=self._integrals,
            limited=limited,
            bleed=network.bleed,
        )
        self._memo = (self.now, (1.0, 1.0, 1.0, 1.0))
        self._history.append(self._segment)
        self._compare()
        self._alert = self._next_alert()

    def _unwind(self, seconds: float) -> None:
        self._kick(min(self.stage.windup * seconds, self.stage.windup_limit))

    def _wire(self) -> _Network:
        """Return the network as now switched; park or fetch the charge of a skin network."""
        entry, connected = self._load if self._cutoff else None, self._relay and self.powered
        before, was_connected = self._wired
        if entry is not before:
            if before and before.capacitance:
                self._parked[before] = (self._state.skin, self.now)
            self._state = self._state.with_skin(self._stored(entry))
        elif connected == was_connected:
            return self._network
        self._wired = (entry, connected)
        self._network = self._network_of(entry, connected=connected)
        return self._network

    def _network_of(self, entry: LoadEntry | None, *, connected: bool) -> _Network:
        key = (entry, connected)
        if key not in self._networks:
            self._networks[key] = _network(self.stage, self._shunt, entry, connected=connected)
        return self._networks[key]

    def _stored(self, entry: LoadEntry | None) -> float:
        if entry is None or entry not in self._parked:
            return 0.0
        voltage, since = self._parked.pop(entry)
        if entry.parallel is None or entry.capacitance is None:
            return 0.0
        return voltage * math.exp(
            -(self.now - since) / float(entry.parallel.base * entry.capacitance.base)
        )

    def _regulated(self) -> _Terms:
        """Current that the regulator asks for: the command behind a first-order lag."""
        value, slope = self._command
        behind = value - slope * self.stage.lag
        return (behind, slope, 0.0, 0.0, self._state.regulator - behind, 0.0)

    def _source(self, regulator: _Terms) -> _Terms:
        if self._relay and self.powered:
            return (*regulator[:5], self._state.excess)
        return (self._leak if self.powered else 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    def _meets_compliance(self, network: _Network, source: _Terms) -> bool:
        output = self._state.output
        if not self._driven or abs(output) < self._compliance - 1e-9:
            return False
        sign = math.copysign(1.0, output)
        needed = network.needed(sign * self._compliance, self._state.skin)
        offered = source[0] + source[4] + source[5]
        return sign * (offered - needed) >= -_RELEASE_MARGIN / 2

    def _limit(self, network: _Network) -> tuple[_Terms, _Terms, _Rates]:
        output = math.copysign(self._compliance, self._state.output)
        return network.limit(output, self._state.skin)

    # --- events ---------------------------------------------------------------------------------

    def _next_alert(self) -> float:
        """Bench time before which nothing can happen by itself; at it, something may."""
        segment, age = self._segment, self._age
        current = segment.nodes[Node.CURRENT.value]
        times = [self._compliance_alert(age)] if self._driven else []
        if self._over_since is None:
            if self._relay and self._trip < math.inf:
                times += [
                    _quiet(y, segment.rates, age, self._trip) for y in (current, _minus(current))
                ]
        else:
            fading = current if self._over_negative else _minus(current)
            times.append(_quiet(fading, segment.rates, age, -self._trip * _COMPARATOR_RESET))
            times.append(self._over_since + self._trip_delay - segment.start)
        return segment.start + min(times, default=math.inf)

    def _compliance_alert(self, age: float) -> float:
        segment = self._segment
        if segment.limited:
            return _quiet(self._missing(), segment.rates, age, _RELEASE_MARGIN)
        level = self._compliance + _LIMIT_MARGIN
        return min(
            _quiet(y, segment.rates, age, level) for y in (segment.output, _minus(segment.output))
        )

    def _missing(self) -> _Terms:
        """By how much the source falls short of what the network takes at compliance."""
        segment = self._segment
        sign = math.copysign(1.0, segment.output[0])
        needed = _sum(1.0, segment.nodes[Node.CURRENT.value], segment.bleed, segment.output)
        return _sum(sign, needed, -sign, segment.source)

    def _examine(self) -> bool:
        """Act on an alert; return whether anything changed."""
        if self._comparator_fires():
            self.tripped = True
            self._settle_state()
            self._relay = False
            self._begin()
            return True
        self._compare()
        if self._mode_ends():
            self._settle_state()
            self._begin()
            return True
        self._alert = max(self._next_alert(), self.now + _SHORTEST_STEP)
        return False

    def _comparator_fires(self) -> bool:
        since = self._over_since
        return self._relay and since is not None and self.now >= since + self._trip_delay - 1e-12

    def _compare(self) -> None:
        """Follow the comparator: above the trip, or back below it."""
        current = self.current()
        if not self._relay or abs(current) <= self._trip * _COMPARATOR_RESET * (1 + 1e-9):
            self._over_since = None
        elif self._over_since is None and abs(current) >= self._trip - 1e-12:
            self._over_since = self.now
        self._over_negative = current < 0

    def _mode_ends(self) -> bool:
        if not self._driven:
            return False
        if self._segment.limited:
            return _value(self._missing(), self._decays, self._age) >= _RELEASE_MARGIN * 0.999
        return abs(self.voltage()) >= self._compliance + _LIMIT_MARGIN * 0.999


def _falls(before: LoadEntry, after: LoadEntry) -> bool:
    return after.resistance.base * 2 < before.resistance.base


# --- the network -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _State:
    """What a segment hands to the next."""

    output: float
    """V across the output capacitance."""
    skin: float
    """V across the capacitance of the load."""
    regulator: float
    """A that the regulator asks for."""
    excess: float
    """A of a decaying transient."""

    def kicked(self, excess: float) -> _State:
        return _State(self.output, self.skin, self.regulator, self.excess + excess)

    def with_skin(self, voltage: float) -> _State:
        return _State(self.output, voltage, self.regulator, self.excess)


@dataclass(frozen=True, slots=True)
class _Segment:
    """One stretch without an event."""

    start: float
    rates: _Rates
    output: _Terms
    skin: _Terms
    regulator: _Terms
    source: _Terms
    excess: float
    nodes: tuple[_Terms, _Terms, _Terms]
    integrals: tuple[float, ...]
    limited: bool
    bleed: float


@dataclass(frozen=True, slots=True)
class _Network:
    """Linear network of two capacitances, d(output, skin)/dt = -m (output, skin) + source.

    Each pair holds the weights of output and skin voltage in a quantity.
    """

    current: tuple[float, float]
    terminal: tuple[float, float]
    shunt: tuple[float, float]
    bleed: float
    """Conductance across the output in S."""
    m: tuple[float, float, float, float]
    """Row by row, in 1/s."""
    capacitance: float
    modes: tuple[float, float]
    """Eigenvalues in 1/s, the fast one first."""
    driven: tuple[float, float]
    """Rates of the exponentials of the source: regulator lag, transient."""

    def nodes(self, output: _Terms, skin: _Terms) -> tuple[_Terms, _Terms, _Terms]:
        """Express what instruments see."""
        return (
            _sum(self.current[0], output, self.current[1], skin),
            _sum(self.terminal[0], output, self.terminal[1], skin),
            _sum(self.shunt[0], output, self.shunt[1], skin),
        )

    def needed(self, output: float, skin: float) -> float:
        """Current in A that holds the output at this voltage."""
        return (self.current[0] + self.bleed) * output + self.current[1] * skin

    def limit(self, output: float, skin: float) -> tuple[_Terms, _Terms, _Rates]:
        """Solve with the output held at a voltage."""
        _, _, coupling, rate = self.m
        final = -coupling * output / rate
        return (
            (output, 0.0, 0.0, 0.0, 0.0, 0.0),
            (final, 0.0, 0.0, skin - final, 0.0, 0.0),
            (self.modes[0], rate, *self.driven),
        )

    def solve(self, source: _Terms, state: _State) -> tuple[_Terms, _Terms, _Rates]:
        """Solve with the output fed by a source of constant, ramp and its two exponentials."""
        fast, slow = self.modes
        m11, m12, m21, m22 = self.m
        level, slope, _, _, lagging, excess = source
        still = self._response(0.0)
        determinant = fast * slow
        moving = (
            (m22 * still[0] - m12 * still[1]) / determinant,
            (m11 * still[1] - m21 * still[0]) / determinant,
        )
        lag = self._response(self.driven[0]) if lagging else (0.0, 0.0)
        jolt = self._response(self.driven[1]) if excess else (0.0, 0.0)
        forced = [
            (
                still[k] * level - moving[k] * slope,
                still[k] * slope,
                lag[k] * lagging,
                jolt[k] * excess,
            )
            for k in (0, 1)
        ]
        output, skin = forced
        rest = (
            state.output - output[0] - output[2] - output[3],
            state.skin - skin[0] - skin[2] - skin[3],
        )
        first, second = self._split(rest)
        return (
            (*output[:2], first[0], second[0], *output[2:]),
            (*skin[:2], first[1], second[1], *skin[2:]),
            (fast, slow, *self.driven),
        )

    def _response(self, rate: float) -> tuple[float, float]:
        """Amplitudes of output and skin per ampere of exp(-rate s)."""
        _, _, m21, m22 = self.m
        fast, slow = self.modes
        common = 1 / (self.capacitance * (fast - rate) * (slow - rate))
        return (m22 - rate) * common, -m21 * common

    def _split(self, rest: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
        """Split a state into its two modes."""
        m11, m12, m21, m22 = self.m
        fast, slow = self.modes
        u, w = (fast - m22, m21), (m12, slow - m11)
        determinant = u[0] * w[1] - w[0] * u[1]
        alpha = (rest[0] * w[1] - w[0] * rest[1]) / determinant
        beta = (u[0] * rest[1] - u[1] * rest[0]) / determinant
        return (alpha * u[0], alpha * u[1]), (beta * w[0], beta * w[1])


def _network(
    stage: OutputStage, shunt: float, entry: LoadEntry | None, *, connected: bool
) -> _Network:
    ammeter, voltmeter = 1 / AMMETER_BURDEN, 1 / VOLTMETER_RESISTANCE
    load = 1 / max(float(entry.series.base) + shunt, _CONTACT) if entry else 0.0
    total = ammeter + voltmeter + load
    bleed = 0.0 if connected else 1 / stage.bleed
    terminal = (ammeter / total, load / total)
    current = (ammeter * (voltmeter + load) / total, -ammeter * load / total)
    branch = (load * terminal[0], -load * (ammeter + voltmeter) / total)
    m11 = (current[0] + bleed) / stage.capacitance
    if entry and entry.capacitance and entry.parallel:
        skin, leak = float(entry.capacitance.base), 1 / float(entry.parallel.base)
        m12, m21, m22 = (
            current[1] / stage.capacitance,
            -branch[0] / skin,
            (leak - branch[1]) / skin,
        )
    else:
        m12, m21, m22 = 0.0, 0.0, 0.1  # no second capacitance: it stays at zero, at some slow rate
    fast = (m11 + m22 + math.hypot(m11 - m22, 2 * math.sqrt(m12 * m21))) / 2
    modes = (fast, (m11 * m22 - m12 * m21) / fast)
    return _Network(
        current=current,
        terminal=terminal,
        shunt=(shunt * branch[0], shunt * branch[1]),
        bleed=bleed,
        m=(m11, m12, m21, m22),
        capacitance=stage.capacitance,
        modes=modes,
        driven=(_apart(1 / stage.lag, modes), _apart(1 / stage.transient, modes)),
    )


def _apart(rate: float, modes: tuple[float, float]) -> float:
    """Shift a rate by 1e-6 where it meets a mode: resonance has another closed form."""
    return rate * (1 + 2e-6) if any(abs(rate / mode - 1) < 1e-6 for mode in modes) else rate


# --- sums of exponentials ----------------------------------------------------------------------


def _decays(rates: _Rates, age: float) -> _Rates:
    return (
        math.exp(-rates[0] * age),
        math.exp(-rates[1] * age),
        math.exp(-rates[2] * age),
        math.exp(-rates[3] * age),
    )


def _value(y: _Terms, decays: _Rates, age: float) -> float:
    return (
        y[0]
        + y[1] * age
        + y[2] * decays[0]
        + y[3] * decays[1]
        + y[4] * decays[2]
        + y[5] * decays[3]
    )


def _integral(y: _Terms, rates: _Rates, decays: _Rates, age: float) -> float:
    total = (y[0] + y[1] * age / 2) * age
    for amplitude, rate, decay in zip(y[2:], rates, decays, strict=True):
        total += amplitude * (1 - decay) / rate
    return total


def _wander(y: _Terms, decays: _Rates) -> float:
    """Bound of what the exponentials can still change."""
    return sum(abs(c) * decay for c, decay in zip(y[2:], decays, strict=True))


def _sum(p: float, x: _Terms, q: float, y: _Terms) -> _Terms:
    return (
        p * x[0] + q * y[0],
        p * x[1] + q * y[1],
        p * x[2] + q * y[2],
        p * x[3] + q * y[3],
        p * x[4] + q * y[4],
        p * x[5] + q * y[5],
    )


def _minus(y: _Terms) -> _Terms:
    return (-y[0], -y[1], -y[2], -y[3], -y[4], -y[5])


def _quiet(y: _Terms, rates: _Rates, age: float, level: float) -> float:
    """Age up to which y certainly stays below `level`, close to where it first reaches it.

    From each age it steps as far as the larger of two bounds allows: y with the largest curvature
    that it can still have, and y with all that rising exponentials can still add. So no step passes
    a crossing, and an infinite one proves that there is none.
    """
    terms = [(c, rate) for c, rate in zip(y[2:], rates, strict=True) if c]
    ramp = y[1]
    for _ in range(60):
        value, pace, curvature, reserve = y[0] + ramp * age, ramp, 0.0, 0.0
        for c, rate in terms:
            now = c * math.exp(-rate * age)
            value += now
            pace -= rate * now
            if c > 0:
                curvature += rate * rate * now
            else:
                reserve -= now
        gap = level - value
        if gap <= 1e-13 * max(1.0, abs(level)):
            return age
        step = math.inf if ramp <= 0 and reserve < gap else _reach(gap, pace, curvature)
        if ramp > 0:
            step = max(step, (gap - reserve) / ramp)
        if step < _SHORTEST_STEP:
            return age + _SHORTEST_STEP
        age += step
        if age == math.inf:
            break
    return age


def _reach(gap: float, pace: float, curvature: float) -> float:
    """Time until pace t + curvature t^2 / 2 has closed a gap > 0; infinite if never."""
    if curvature > 0:
        root = math.sqrt(pace * pace + 2 * curvature * gap)
        return 2 * gap / (root + pace) if pace > 0 else (root - pace) / curvature
    return gap / pace if pace > 0 else math.inf


# --- history -----------------------------------------------------------------------------------


class _History:
    """All segments since the start, as a table for numpy: one row each."""

    _WIDTH = 1 + 1 + 4 + 3 * 7  # start, age at which all has faded, rates, 3 x (integral, terms)

    def __init__(self, start: float) -> None:
        self.start = start
        self._rows: list[_Segment] = []
        self._table = np.empty((64, self._WIDTH))
        self._copied = 0

    def append(self, segment: _Segment) -> None:
        """Add a segment; it replaces one that began at the same time."""
        if self._rows and self._rows[-1].start == segment.start:
            self._rows.pop()
            self._copied = min(self._copied, len(self._rows))
        self._rows.append(segment)

    def values(self, node: Node, times: Array) -> Array:
        table, index, ages = self._locate(times)
        first = self._column(node)
        y = table[:, first + 1][index] + table[:, first + 2][index] * ages
        live = np.flatnonzero(ages < table[:, 1][index])
        where, age = index[live], ages[live]
        for k in range(4):
            y[live] += table[where, first + 3 + k] * np.exp(-table[where, 2 + k] * age)
        return y

    def integrals(self, node: Node, times: Array) -> Array:
        table, index, ages = self._locate(times)
        first = self._column(node)
        faded = sum(table[:, first + 3 + k] / table[:, 2 + k] for k in range(4))
        q = (table[:, first] + faded)[index] + ages * (
            table[:, first + 1][index] + table[:, first + 2][index] * (ages / 2)
        )
        live = np.flatnonzero(ages < table[:, 1][index])
        where, age = index[live], ages[live]
        for k in range(4):
            rate = table[where, 2 + k]
            q[live] -= table[where, first + 3 + k] / rate * np.exp(-rate * age)
        return q

    def _locate(self, times: Array) -> tuple[Array, npt.NDArray[np.intp], Array]:
        table = self._current_table()
        index = np.maximum(np.searchsorted(table[:, 0], times, side="right") - 1, 0)
        return table, index, times - table[:, 0][index]

    @staticmethod
    def _column(node: Node) -> int:
        return 6 + 7 * node.value

    def _current_table(self) -> Array:
        count = len(self._rows)
        if count > len(self._table):
            larger = np.empty((2 * count, self._WIDTH))
            larger[: self._copied] = self._table[: self._copied]
            self._table = larger
        for place in range(self._copied, count):
            self._table[place] = self._row(self._rows[place])
        self._copied = count
        return self._table[:count]

    @staticmethod
    def _row(segment: _Segment) -> list[float]:
        alive = [
            rate
            for k, rate in enumerate(segment.rates)
            if any(terms[2 + k] for terms in segment.nodes)
        ]
        row = [segment.start, _FADED / min(alive) if alive else 0.0, *segment.rates]
        for integral, terms in zip(segment.integrals, segment.nodes, strict=True):
            row += [integral, *terms]
        return row
