"""The analogue front end of the device under test, as data.

The defaults are a healthy one. Every analogue fault is a change of fields, and a field is a figure
with a unit: so each fault has a severity.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum

REFERENCE_TEMPERATURE = 23.0
"""Temperature in degC at which gains are as declared."""
LEAST_DROP = 0.1
"""Least resistance in ohm behind the boost voltage: through less, what double precision leaves of
100 V passes for 1 nA, and the stage would saturate and regulate in turn without end."""


class Bridge(Enum):
    """How the polarity bridge obeys."""

    FOLLOWS = "follows"
    STUCK = "stuck"
    """At positive."""
    SWAPPED = "swapped"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputStage:
    """Regulator, boost supply, relay, bridge and comparator of the device."""

    # The regulator.
    lag: float = 1e-3
    """Time constant of the current regulator in s: its bandwidth is 1 / (2 pi lag)."""
    gain: float = 1.0
    """Current that flows for each ampere commanded (converter, reference, sense element)."""
    offset: float = 0.0
    """Current in A that flows beside it while the output relay is closed."""
    temperature_coefficient: float = 0.0
    """Relative change of the gain for each degree from REFERENCE_TEMPERATURE."""
    supply_coefficient: float = 0.0
    """Relative change of the gain for each volt of the supply from nominal."""
    windup: float = 0.0
    """Excess current in A that a second of limiting leaves in the regulator."""
    windup_limit: float = 0.0
    """Largest such excess in A."""
    load_step: float = 0.0
    """Excess current in A when the load falls to less than half."""
    spike: float = 0.0
    """Excess current in A at each closing of the relay's contact, of alternating sign."""
    transient: float = 5e-3
    """Time constant in s with which an excess decays."""
    ripple: float = 0.0
    """Amplitude of the loop's oscillation, a share of the commanded current."""
    ripple_frequency: float = 400.0
    """Its frequency in Hz."""
    ripple_load: float = 0.0
    """Load resistance in ohm above which the loop oscillates; an open load is above any."""

    # What the current passes.
    sense_resistance: float = 10.0
    """Sense resistor in ohm; takes its drop from the compliance."""
    sense: float = 1.0
    """Current that the device reads for each ampere through its sense resistor."""
    on_resistance: float = 0.0
    """Rest of the output stage when saturated (transistor, bridge) in ohm."""
    capacitance: float = 100e-12
    """Across the output, in F. What it holds at compliance passes the load at a reconnection."""
    stray: float = 20e-12
    """Before the output relay, in F: fills while the contact is open, empties as it closes."""
    bleed: float = 1e6
    """Across the output while its relay is open, in ohm."""
    isolation: float = math.inf
    """From the supply rail, which is earthed at the bench, to the output, in ohm."""

    # Relay and bridge. Times of a photovoltaic relay for some hundred volts, from memory.
    operate: float = 0.5e-3
    """Time from command to closed contact, in s."""
    release: float = 0.1e-3
    """Time from command to open contact, in s."""
    bounces: int = 0
    """Times that the contact opens again after closing."""
    bounce: float = 200e-6
    """Length in s of each opening, and of each closure between two."""
    bridge: Bridge = Bridge.FOLLOWS
    """Polarity bridge."""
    standby: float = 0.0
    """Current in A driven past the open output relay."""
    weld: float = 0.0
    """Current in A driven past the open output relay once it has been closed."""
    backfeed: float = 0.0
    """Current in A driven past the open output relay of a device without supply."""
    backfeed_volts: float = 0.4
    """Voltage in V behind that current: what clamp diodes leave of a charged reservoir."""

    # The independent over-current comparator.
    comparator: bool = True
    """Whether it works."""
    comparator_level: float = 1.0
    """Where it is set, a share of the declared trip."""
    comparator_delay: float | None = None
    """Time in s above the level before it opens the relay; None: half the declared trip time."""

    # The boost supply and what feeds it.
    boost_gain: float = 1.0
    """Boost voltage for each volt asked for; large where its feedback is open."""
    boost_lag: float = 5e-3
    """Time constant of the boost voltage in s."""
    boost_dropout: float = 6.0
    """Supply voltage in V below which the boost voltage falls in proportion."""
    efficiency: float = 0.8
    """Output power of the boost supply for each watt drawn."""
    quiescent: float = 20e-3
    """Supply current in A without output."""
    brownout: float = 4.5
    """Supply voltage in V below which the device is dead."""
    brownout_hysteresis: float = 0.2
    """What the supply must exceed that by, in V, before the device lives again."""
    restart: float = 10e-3
    """Shortest time in s for which a supervisor keeps it dead."""

    @property
    def drop(self) -> float:
        """Resistance in ohm behind the boost voltage when saturated; never below LEAST_DROP."""
        return max(self.sense_resistance + self.on_resistance, LEAST_DROP)
