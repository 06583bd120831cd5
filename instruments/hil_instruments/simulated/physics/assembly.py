"""What hangs on the output stage: bench wiring and load, and what their capacitors hold."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hil.bench import LoadEntry
from hil_instruments.simulated.physics.load import Load, Yield
from hil_instruments.simulated.physics.network import Network, Solved
from hil_instruments.simulated.physics.node import Node
from hil_instruments.simulated.physics.segment import Segment
from hil_instruments.simulated.physics.stage import OutputStage
from hil_instruments.simulated.physics.wiring import (
    AMMETER_BURDEN,
    OUTPUT,
    SKIN,
    VOLTMETER_RESISTANCE,
    YIELD,
    Wiring,
    network,
    solved,
)

_KEPT = 64  # networks; yielding skin makes a new one at every step


class Assembly:
    """The network of the moment, and its modes."""

    def __init__(self, shunt: float, stage: OutputStage) -> None:
        """Begin with empty capacitors, cut-off open, no load.

        Args:
            shunt: in ohm.
            stage: of the device.
        """
        self.burden, self.voltmeter = AMMETER_BURDEN, VOLTMETER_RESISTANCE
        self.cutoff, self.crossed, self.contact = False, False, True
        self.selected: LoadEntry | None = None
        """What the switched load has connected."""
        self.load = Load()
        """What is connected, through cut-off and electrode."""
        self.shunt = shunt
        self.source = math.inf
        """Resistance in ohm of the bench source; infinite while it is not connected."""
        self._stage = stage
        self._relay, self._saturated = False, False
        self._solved: dict[Wiring, Solved] = {}
        self._networks: dict[tuple[Wiring, float | None], Network] = {}
        self.network = self._wire()
        self.modes = self.network.modes({})
        self._saturation: float | None = None  # until the wiring changes

    @property
    def ohm(self) -> float:
        """Resistance in ohm of the connected load, as declared; infinite without one."""
        entry = self.load.entry
        return math.inf if entry is None else float(entry.resistance.base)

    @property
    def held(self) -> dict[str, float]:
        """Name of each capacitor to what it holds in V."""
        return self.network.voltages(self.modes)

    def probe(self, number: int) -> float:
        """What a probe of the capacitors sees now."""
        weights = self.network.probes[number]
        return sum(w * z for w, z in zip(weights, self.modes, strict=True))

    def settle(self, segment: Segment, age: float) -> None:
        """Take over what a segment has become at an age in s."""
        if self.load.fall:
            self.load.settle(abs(segment.signal(SKIN).integral(age)) / age, age)
        self.modes = segment.modes(age)

    def replace(self, stage: OutputStage) -> None:
        """Go on with another output stage."""
        self._stage = stage
        self._solved.clear()
        self._networks.clear()

    def rewire(
        self, now: float, *, relay: bool, output: float | None = None, share: float | None = None
    ) -> None:
        """Take the wiring as it is now; the capacitors keep their charge.

        Args:
            now: bench time in s.
            relay: whether the output relay is closed.
            output: what the capacitance across the output holds in V from now on; None as before.
            share: of the active electrode's area that touches from now on; None as before.
        """
        held, load = self.held, self.load
        if output is not None:
            held[OUTPUT] = output
        entry = self.selected if self.cutoff and self.contact else None
        if entry is not load.entry:
            skin = {name: volts for name, volts in held.items() if name != OUTPUT}
            held = load.change(entry, skin, now) | {OUTPUT: held[OUTPUT]}
        if share is not None:
            load.share = share
        self._relay, self._saturated = relay, False
        self._enter(held)

    def saturate(self, *, saturated: bool) -> None:
        """Go on with the stage as a voltage behind its drop, or as a current."""
        if saturated is not self._saturated:
            held, self._saturated = self.held, saturated
            self._enter(held)

    def saturation(self) -> float:
        """Steady current in A that each volt of boost drives through a saturated stage."""
        if self._saturation is None:
            gains = self._wire(saturated=True).gains
            self._saturation = gains[Node.SENSE.value][0] / self._stage.drop
        return self._saturation

    def plan(self, levels: Sequence[float], tolerance: float) -> Yield:
        """Return how yielding skin enters the next stretch; it may change the network.

        Args:
            levels: constant parts of the sources in A, but for that of the skin.
            tolerance: error of the voltage across the skin in V at which it is solved anew.
        """
        found = self._planned(levels, tolerance)
        if not found.exact:
            held = self.held
            self.load.ohm = self.load.resistance
            self._enter(held)
            found = self._planned(levels, tolerance)
        return found

    def _planned(self, levels: Sequence[float], tolerance: float) -> Yield:
        now, gains = self.probe(SKIN), self.network.gains[SKIN]
        passed = now * self.load.excess
        driven = [*levels[:YIELD], passed, *levels[YIELD + 1 :]]
        later = sum(g * level for g, level in zip(gains, driven, strict=True))
        return self.load.plan(now, later, tolerance)

    def _enter(self, held: dict[str, float]) -> None:
        self.network, self._saturation = self._wire(saturated=self._saturated), None
        self.modes = self.network.modes(held)

    def _wire(self, *, saturated: bool = False) -> Network:
        load = self.load
        wiring = Wiring(
            self.shunt,
            self.burden,
            self.voltmeter,
            load.entry,
            load.share,
            yields=load.fall is not None,
            relay=self._relay,
            saturated=saturated,
            source=self.source,
            crossed=self.crossed,
        )
        key = wiring, load.ohm
        if key in self._networks:
            return self._networks[key]
        if wiring not in self._solved:
            self._solved[wiring] = solved(wiring, self._stage)
        if len(self._networks) >= _KEPT:
            self._networks.clear()
        siemens = None if load.ohm is None else load.share / load.ohm
        self._networks[key] = network(self._solved[wiring], self._stage, siemens)
        return self._networks[key]
