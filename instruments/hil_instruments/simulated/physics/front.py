"""The device's analogue front end in motion: regulator, boost supply, relay, bridge, comparator."""

from __future__ import annotations

import math
from enum import Enum

from hil.device import DeviceProfile
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.physics.regulator import Regulator
from hil_instruments.simulated.physics.relay import Relay, bounces
from hil_instruments.simulated.physics.segment import Drive, Feed, Segment
from hil_instruments.simulated.physics.signal import Signal
from hil_instruments.simulated.physics.stage import REFERENCE_TEMPERATURE, Bridge, OutputStage
from hil_instruments.simulated.physics.supply import SUPPLY_NOMINAL, Supply, boost_aim
from hil_instruments.simulated.physics.watch import Comparator
from hil_instruments.simulated.physics.wiring import EFFORT

_MARGIN = 1e-8  # V beyond which a level of the stage counts as passed; prevents chatter
_MISSING = 1e-9  # A that must be missing before saturation ends; likewise
_STRAY_LEAK = 20e-3  # s: time constant with which the stray capacitance empties by itself


class Mode(Enum):
    """What the output stage is at the moment."""

    OFF = "off"
    """Nothing is driven."""
    REGULATED = "regulated"
    """A current."""
    SATURATED = "saturated"
    """The boost voltage behind the drop of the stage, which is too little for the current."""
    BLOCKED = "blocked"
    """Nothing: the output stands above the boost voltage, and the stage takes nothing back."""

    @property
    def limits(self) -> bool:
        """Whether less flows than is asked for."""
        return self in {Mode.SATURATED, Mode.BLOCKED}


class FrontEnd:
    """State of the front end at the begin of the present segment."""

    def __init__(self, profile: DeviceProfile, stage: OutputStage) -> None:
        """Begin at rest on a nominal supply."""
        self.stage, self.supply = stage, Supply()
        self.temperature, self.load_ohm = REFERENCE_TEMPERATURE, math.inf
        self.compliance = profile.si("output.compliance")
        self.boosting, self.alive = True, True
        self.negative, self.sign = False, 1.0
        self.turn(negative=False)
        self.tripped, self.power_changed = False, False
        self.mode = Mode.OFF
        self.relay, self.regulator = Relay(), Regulator()
        self._trip, self._trip_time = profile.si("output.trip"), profile.si("output.trip_time")
        self._comparator = self._set_comparator()
        self._demand, self._spikes = 0.0, 0
        self._dead_until = -math.inf
        self._limited_since: float | None = None
        self._volts = SUPPLY_NOMINAL
        self._boost = boost_aim(stage, self.compliance, self._volts, on=True)
        self._stray = 0.0
        self.injected = 0.0
        """Current in A that the source of the bench drives through its resistance when shorted."""
        self._feed = Feed(0.0, 0.0, 0.0, 0.0, 0.0)

    def _set_comparator(self) -> Comparator:
        stage = self.stage
        level = stage.comparator_level * self._trip if stage.comparator else math.inf
        delay = stage.comparator_delay
        return Comparator(level, self._trip_time / 2 if delay is None else delay)

    # --- commands -------------------------------------------------------------------------------

    def replace(self, stage: OutputStage) -> None:
        """Go on with another stage; its state stays."""
        since = self._comparator.since
        self.stage = stage
        self._comparator = self._set_comparator()
        self._comparator.since = since
        self.turn(negative=self.negative)

    def command(self, amperes: float) -> None:
        """Demand a magnitude of current in A."""
        self._demand = amperes

    def kick(self) -> None:
        """Let the regulator overshoot after a fall of the load."""
        if self.mode is not Mode.OFF:
            self.regulator.kick(self.stage.load_step)

    def drive_relay(self, now: float, *, closed: bool) -> None:
        """Drive or release the output relay at a bench time in s."""
        closed = closed and not self.tripped and self.alive
        if closed == self.relay.driven:
            return
        stage = self.stage
        if not closed:
            self.relay.drive(closed=False, after=now + stage.release)
            return
        after = now + stage.operate
        self.relay.drive(
            closed=True, after=after, bounces=bounces(after, stage.bounces, stage.bounce)
        )

    def move(self, output: float) -> float:
        """Move the contact of the relay; return the output voltage in V after it.

        A closing contact shares the charge of the stray capacitance with the output.
        """
        self.relay.move()
        stage, sign = self.stage, self.sign
        if self.relay.closed and stage.spike:
            self._spikes += 1
            self.regulator.kick(stage.spike if self._spikes % 2 else -stage.spike)
        if not self.relay.closed:
            self._stray = sign * output
            return output
        total = stage.capacitance + stage.stray
        return (stage.capacitance * output + stage.stray * sign * self._stray) / total

    def trip(self, now: float) -> None:
        """Open the output relay for good: the comparator has fired."""
        self.tripped = True
        self.drive_relay(now, closed=False)

    def turn(self, *, negative: bool) -> None:
        """Switch the polarity, as far as the bridge obeys."""
        bridge = self.stage.bridge
        reversed_ = negative is (bridge is Bridge.FOLLOWS) and bridge is not Bridge.STUCK
        self.negative, self.sign = negative, -1.0 if reversed_ else 1.0

    @property
    def _leak(self) -> float:
        """Current in A past the open relay."""
        stage = self.stage
        if not self.alive:
            return stage.backfeed
        return stage.standby or (stage.weld if self.relay.was_closed else 0.0)

    # --- from segment to segment ----------------------------------------------------------------

    def settle(self, segment: Segment, age: float) -> float:
        """Let `age` seconds pass, the length of a segment; return the charge in C sensed."""
        feed, stage = segment.feed, self.stage
        mean = self.regulator.settle(stage, age)
        excess = feed.boost_excess * math.exp(-segment.boost_rate * age)
        self._boost = feed.boost + (excess if abs(excess) > _MARGIN / 10 else 0.0)
        if not self.relay.closed:
            aim = mean * _STRAY_LEAK / stage.stray if stage.stray else 0.0
            filled = aim + (self._stray - aim) * math.exp(-age / _STRAY_LEAK)
            low, high = min(0.0, self._stray), max(self._boost, self._stray)
            self._stray = min(max(filled, low), high)  # the stage drives within its supply only
        elif self.mode is Mode.REGULATED:
            return self.sign * mean * age
        return segment.signal(Node.SENSE.value).integral(age)

    def decide(self, now: float, output: float, saturation: float) -> Mode:
        """Decide what the stage is from a bench time in s on.

        Args:
            now: bench time in s.
            output: voltage in V at the output.
            saturation: steady current in A that each volt of boost drives in saturation.
        """
        self._balance(now, saturation)
        mode = self._mode(output)
        if self._limited_since is not None and not mode.limits:
            stage, span = self.stage, now - self._limited_since
            self._limited_since = None
            self.regulator.kick(min(stage.windup * span, stage.windup_limit))
            mode = self._mode(output)
        if mode.limits and self._limited_since is None:
            self._limited_since = now
        self.mode = mode
        return mode

    def _mode(self, output: float) -> Mode:
        demand = self._asked()
        if demand is None:
            return Mode.OFF
        volts, drop, before = self.sign * output, self.stage.drop, self.mode
        blocked = _MARGIN if before is Mode.BLOCKED else -_MARGIN
        if volts > self._boost - blocked:
            return Mode.BLOCKED
        if before is Mode.SATURATED:
            saturated = demand > (self._boost - volts) / drop - _MISSING * 0.999
        else:
            saturated = volts + drop * demand >= self._boost + _MARGIN * 0.999
        return Mode.SATURATED if saturated else Mode.REGULATED

    def _asked(self) -> float | None:
        """Magnitude of the current in A that is asked for; None while nothing is driven."""
        if self.relay.closed:
            if not self.alive:
                return None
            return None if self.regulator.rests else self.regulator.now
        return self._leak or None

    def _balance(self, now: float, saturation: float) -> None:
        """Bring supply, boost and command into balance; the device may die, or live again."""
        stage, supply = self.stage, self.supply
        if self.weak:
            boost = boost_aim(stage, self.compliance, supply.volts, on=self.boosting)
            asked = self._demand * stage.gain if self.relay.closed else self._leak
            power = boost * min(asked, boost * saturation) if self.alive else 0.0
            self._volts = supply.input(stage, power)
        else:
            self._volts = supply.volts
        if self.alive and self._volts < stage.brownout:
            self.alive, self.power_changed = False, True
            self._dead_until = now + stage.restart
            self.drive_relay(now, closed=False)
        elif self.revives(now):
            self.alive, self.power_changed = True, True
        self._regulate()

    @property
    def weak(self) -> bool:
        """Whether the supply gives way to what the device draws."""
        return self.supply.limit < math.inf or self.supply.resistance > 0

    def _regulate(self) -> None:
        stage, regulator = self.stage, self.regulator
        warmth = stage.temperature_coefficient * (self.temperature - REFERENCE_TEMPERATURE)
        sag = stage.supply_coefficient * (self._volts - SUPPLY_NOMINAL)
        command = self._demand * stage.gain * (1 + warmth + sag) + stage.offset
        if command != regulator.command:
            regulator.ask(command)
        shakes = stage.ripple > 0 and self.load_ohm > stage.ripple_load
        if shakes or regulator.swing:
            regulator.oscillate(stage.ripple * command if shakes else 0.0)

    def revives(self, now: float) -> bool:
        """Whether the device comes back to life at a bench time in s."""
        return not self.alive and now >= self._dead_until and self._recovered

    @property
    def _recovered(self) -> bool:
        stage = self.stage
        return self.supply.input(stage, 0.0) >= stage.brownout + stage.brownout_hysteresis

    def feed(self) -> Feed:
        """What stands behind the output from now on."""
        aim = boost_aim(self.stage, self.compliance, self._volts, on=self.boosting)
        volts = self._volts if self.alive else self.supply.input(self.stage, 0.0)
        if not self.alive:
            left = self.stage.backfeed_volts if self._leak else 0.0
            return Feed(left, self._boost - left, volts, self.supply.rest_current(self.stage), 0.0)
        stage, last, excess = self.stage, self._feed, self._boost - aim
        draw = self.sign * aim / (stage.efficiency * volts)
        if (aim, excess, volts, draw) == (last.boost, last.boost_excess, last.supply, last.draw):
            return last
        self._feed = Feed(aim, excess, volts, stage.quiescent, draw)
        return self._feed

    def drive(self, feed: Feed, skin: tuple[float, float]) -> Drive:
        """Sources of the network from now on.

        Args:
            feed: behind the stage.
            skin: level in A and slope in A/s of the source of yielding skin.
        """
        sign, stage, regulator = self.sign, self.stage, self.regulator
        leak, bench = feed.supply / stage.isolation, self.injected
        if self.mode is Mode.SATURATED:
            siemens = sign / stage.drop
            amplitudes = (0.0, 0.0, siemens * feed.boost_excess)
            return Drive((siemens * feed.boost, skin[0], leak, bench), skin[1], amplitudes)
        if self.mode is not Mode.REGULATED:
            return Drive((0.0, skin[0], leak, bench), skin[1])
        if not self.relay.closed:
            return Drive((sign * self._leak, skin[0], leak, bench), skin[1])
        return Drive(
            (sign * regulator.command, skin[0], leak, bench),
            skin[1],
            (sign * regulator.behind, sign * regulator.excess, 0.0),
            sign * regulator.swing,
        )

    # --- events ---------------------------------------------------------------------------------

    @property
    def due(self) -> float:
        """Bench time in s of the next thing that is planned; infinite if nothing is."""
        times = [self.relay.due]
        if not self.alive and self._recovered:
            times.append(self._dead_until)
        if self.relay.closed:
            times.append(self._comparator.due)
        return min(times)

    def quiet(self, segment: Segment, age: float) -> float:
        """Age of a segment in s up to which the stage stays what it is."""
        ages = []
        if self.mode is not Mode.REGULATED or not self._far_from_boost(segment):
            ages += [signal.quiet(age, level) for signal, level in self._levels(segment)]
        if self.relay.closed and not self._far_from_trip:
            sensed = segment.signal(Node.SENSE.value).times(self.sign)
            ages.append(self._comparator.quiet(sensed, age))
        return min(ages, default=math.inf)

    def _far_from_boost(self, segment: Segment) -> bool:
        """Whether a regulated current cannot meet the boost voltage in this segment."""
        level, spread = segment.extent(EFFORT)
        feed = segment.feed
        return self.sign * level + spread < feed.boost + min(feed.boost_excess, 0.0)

    @property
    def _far_from_trip(self) -> bool:
        """Whether what is asked for cannot meet the level of the comparator."""
        regulator, comparator = self.regulator, self._comparator
        spread = abs(regulator.behind) + abs(regulator.excess) + abs(regulator.swing)
        return comparator.since is None and regulator.command + spread < comparator.level

    def mode_ends(self, segment: Segment, age: float) -> bool:
        """Whether the stage becomes something else at an age of a segment in s."""
        return any(signal.at(age) >= level * 0.999 for signal, level in self._levels(segment))

    def _levels(self, segment: Segment) -> list[tuple[Signal, float]]:
        """What must stay below which level, for the stage to stay what it is."""
        mode, sign = self.mode, self.sign
        if mode is Mode.OFF:
            return []
        boost = segment.seen(Node.BOOST)
        effort = segment.signal(EFFORT).times(sign).plus(-1.0, boost)
        if mode is Mode.REGULATED:
            return [(effort, _MARGIN)]
        if mode is Mode.BLOCKED:
            return [(effort.times(-1.0), _MARGIN)]
        sensed = segment.signal(Node.SENSE.value).times(sign)
        return [(sensed.plus(-1.0, self._asking()), _MISSING), (effort, _MARGIN)]

    def _asking(self) -> Signal:
        """The current asked for, as a function of time."""
        stage, regulator = self.stage, self.regulator
        if not self.relay.closed:
            return Signal(self._leak)
        return Signal(
            regulator.command,
            0.0,
            [(regulator.behind, 1 / stage.lag), (regulator.excess, 1 / stage.transient)],
            regulator.swing,
            2 * math.pi * stage.ripple_frequency,
        )

    def fires(self, segment: Segment, age: float, now: float) -> bool:
        """Let the comparator look; return whether it fires."""
        comparator = self._comparator
        if not self.relay.closed:
            comparator.since = None
            return False
        if now >= comparator.due - 1e-12:
            comparator.since = None
            return True
        comparator.look(self.sign * segment.signal(Node.SENSE.value).at(age), now)
        return False
